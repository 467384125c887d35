//! Every limit of the front-end, each with its reason. [`Limits`] carries those that an operator may change; the
//! tests make them short.

pub use secrethub_core::limits::NETWORKS_MAX;
use std::time::Duration;

/// Connections open at one time, over all listeners: a descriptor and about 20 KiB each. Who comes later waits in
/// the kernel's queue.
pub const CONNECTIONS_MAX: usize = 4_096;
/// Streams of one HTTP/2 connection: what a busy client's pool needs, and a bound on what one peer can start.
pub const STREAMS_MAX: u32 = 256;
/// Bytes of a request's head: a token, a namespace and the headers of two proxies fit four times.
pub const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Header lines of a request.
pub const HEADERS_MAX: usize = 100;
/// Time to send a whole head, and on HTTP/1.1 the time a connection may rest between requests. Clients' pools
/// notice a closed connection; a drip of header bytes ends here.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Time to send a whole body: the largest one passes at 5 Mbit/s.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// Time in which a connection must move at least one byte; longer than any request may take.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// Time for a TLS handshake.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of bodies held at one time, over all requests: many huge bodies at once must not eat the machine.
pub const BODIES_BYTES_MAX: usize = 256 * 1024 * 1024;
/// JSON values in one body: parsed, each takes up to 100 bytes, so that a small body could become gigabytes.
pub const JSON_VALUES_MAX: usize = 250_000;
/// Bytes of a body of the first seed's API: 1 MiB of secret in base64, and room for white space.
pub const SECRET_MANAGER_BODY_MAX: usize = 1_500_000;
/// Time that requests in flight get at shutdown; longer than the core's deadline for one request.
pub const DRAIN_GRACE: Duration = Duration::from_secs(15);
/// Requests in work at one time: what the core merges into a few commits. One caller gets half of them at most.
pub const REQUESTS_MAX: usize = 4_096;
/// Refused strangers an address may send: each one costs an audit record. A test-suite passes, a flood does not.
pub const REFUSALS: Rate = Rate { per_second: 100, burst: 1_000 };
/// Requests an address may send to the first seed's API, which needs no token.
pub const SECRET_MANAGER: Rate = Rate { per_second: 200, burst: 1_000 };
/// Trusted proxies that a request may have come through.
pub const FORWARDED_HOPS_MAX: usize = 32;
/// Bytes of a PROXY header: addresses, and what proxies add about TLS.
pub const PROXY_HEADER_BYTES_MAX: usize = 4_096;
/// Series that the metrics hold; further combinations of labels are counted as `other`.
pub const SERIES_MAX: usize = 2_048;

/// A bucket: so many at once, refilled at so many a second.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// How fast it refills; at least 1.
    pub per_second: u32,
    /// How many at once.
    pub burst: u32,
}

/// The limits that an operator may change. [`Limits::default`] is the constants above.
#[derive(Clone, Debug)]
pub struct Limits {
    /// See [`CONNECTIONS_MAX`].
    pub connections: usize,
    /// See [`REQUESTS_MAX`]; at least 2.
    pub requests: usize,
    /// See [`STREAMS_MAX`].
    pub streams: u32,
    /// See [`HEAD_BYTES_MAX`]; at least 8 KiB.
    pub head_bytes: usize,
    /// See [`HEADERS_MAX`].
    pub headers: usize,
    /// See [`HEAD_TIMEOUT`].
    pub head_timeout: Duration,
    /// See [`BODY_TIMEOUT`].
    pub body_timeout: Duration,
    /// See [`IDLE_TIMEOUT`].
    pub idle_timeout: Duration,
    /// See [`HANDSHAKE_TIMEOUT`].
    pub handshake_timeout: Duration,
    /// Bytes of one body; the core's [`BODY_BYTES_MAX`](secrethub_core::limits::BODY_BYTES_MAX) unless less is wanted.
    pub body_bytes: usize,
    /// See [`BODIES_BYTES_MAX`].
    pub bodies_bytes: usize,
    /// See [`REFUSALS`].
    pub refusals: Rate,
    /// See [`SECRET_MANAGER`].
    pub secret_manager: Rate,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: CONNECTIONS_MAX,
            requests: REQUESTS_MAX,
            streams: STREAMS_MAX,
            head_bytes: HEAD_BYTES_MAX,
            headers: HEADERS_MAX,
            head_timeout: HEAD_TIMEOUT,
            body_timeout: BODY_TIMEOUT,
            idle_timeout: IDLE_TIMEOUT,
            handshake_timeout: HANDSHAKE_TIMEOUT,
            body_bytes: secrethub_core::limits::BODY_BYTES_MAX,
            bodies_bytes: BODIES_BYTES_MAX,
            refusals: REFUSALS,
            secret_manager: SECRET_MANAGER,
        }
    }
}
