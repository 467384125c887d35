//! What goes in at the one door and what comes out: [`Request`] and [`Reply`]. They know paths, fields and
//! shapes of data, and nothing of HTTP.

mod envelope;

pub use envelope::Envelope;

use crate::{Secret, error::Error, id::Timestamp, limits, rate::Level};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};
use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

/// What a caller wants to do to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// Read a value.
    Read,
    /// List the names below a path.
    List,
    /// Create or update (Vault's PUT and POST are one).
    Write,
    /// Merge into what is there (RFC 7396).
    Patch,
    /// Remove.
    Delete,
}

impl Operation {
    /// The name that stands in the audit log and in policies' messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::List => "list",
            Self::Write => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }
}

/// The headers of a request, for the audit log. The core asks for those that an operator has chosen and sees no others;
/// a front-end never answers for headers that hold a token.
#[derive(Clone, Default)]
pub struct Headers(Option<Arc<Lookup>>);

type Lookup = dyn Fn(&str) -> Vec<String> + Send + Sync;

impl Headers {
    /// From a name in lower case to the values that came under it.
    pub fn new(values: impl Fn(&str) -> Vec<String> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(values)))
    }

    pub(crate) fn values(&self, name: &str) -> Vec<String> {
        self.0.as_ref().map_or_else(Vec::new, |values| values(name))
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Headers").finish_non_exhaustive()
    }
}

/// Where a request came from, as far as a front-end can vouch for it.
#[derive(Clone, Debug, Default)]
pub struct Remote {
    /// The client's address; `None` for an embedder in the same process.
    pub address: Option<IpAddr>,
    /// Has the client shown a certificate that the listener verified.
    pub client_certificate: bool,
    /// What the client calls itself; cut to [`limits::AUDIT_TEXT_BYTES_MAX`].
    pub user_agent: Option<String>,
    /// Its headers, for the audit log.
    pub headers: Headers,
}

/// Which interface a request came through: it decides nothing but who serves it without a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// The Vault-compatible API, the library or Python.
    #[default]
    Api,
    /// The first seed's `/vault/secret/*`, served under a built-in identity with its own policy.
    SecretManager,
}

/// One request.
pub struct Request {
    /// Unique; a UUID, echoed in the reply and the audit record.
    pub id: String,
    /// What to do.
    pub operation: Operation,
    /// To what: no leading slash, percent-decoded, e.g. `secret/data/app`. A trailing slash is kept.
    pub path: String,
    /// The tenant; empty is the root, the only one so far.
    pub namespace: String,
    /// Who says so.
    pub token: Option<Secret<String>>,
    /// Body and query fields together.
    pub fields: Map<String, Value>,
    /// Asks for the reply to be put away, under a token that takes it out once and lives so long.
    pub wrap_ttl: Option<Duration>,
    /// From where.
    pub remote: Remote,
    /// Through which interface.
    pub origin: Origin,
}

impl Request {
    /// A request with no fields, no token and a given id.
    pub fn new(id: impl Into<String>, operation: Operation, path: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            operation,
            path: path.into(),
            namespace: String::new(),
            token: None,
            fields: Map::new(),
            wrap_ttl: None,
            remote: Remote::default(),
            origin: Origin::Api,
        }
    }

    /// The same with a token.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Some(Secret::new(token.to_owned()));
        self
    }

    /// The same with the fields of a JSON object; anything else than an object adds nothing.
    #[must_use]
    pub fn with_fields(mut self, fields: Value) -> Self {
        if let Value::Object(map) = fields {
            self.fields.extend(map);
        }
        self
    }

    /// Refuses paths that no mount could ever serve.
    pub fn check(&self) -> Result<(), Error> {
        if self.path.len() > limits::PATH_BYTES_MAX {
            return Err(Error::invalid(format!("path is longer than {} bytes", limits::PATH_BYTES_MAX)));
        }
        if self.path.chars().any(char::is_control) {
            return Err(Error::invalid("path contains a control character"));
        }
        let dots = |part: &str| part == ".." || part == ".";
        if self.path.contains('.') && self.path.split('/').any(dots) {
            return Err(Error::invalid("path may not contain '.' or '..' as a segment"));
        }
        Ok(())
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("id", &self.id)
            .field("operation", &self.operation)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// How a front-end lays out a reply's data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// Vault's envelope with the data inside.
    #[default]
    Envelope,
    /// The data alone (seal-status, init, unseal, leader …).
    Bare,
    /// The envelope, and the data's fields beside it too (Vault's legacy double form).
    Double,
    /// The data alone, with the state of the node, from which a front-end makes Vault's health codes.
    Health(Health),
    /// The envelope, but the thing itself is gone (KV v2: a deleted version still shows its metadata).
    Gone,
    /// The envelope or nothing; work goes on after the reply.
    Accepted,
}

/// The state of a node as `sys/health` reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Initialised, unsealed, serving.
    Active,
    /// Initialised and sealed.
    Sealed,
    /// Not initialised.
    Uninitialized,
}

/// A token handed out by a reply (Vault's `auth` block).
#[derive(Serialize, Deserialize)]
pub struct Auth {
    /// The token itself; empty where the caller may not see it.
    #[serde(serialize_with = "exposed", deserialize_with = "taken")]
    pub client_token: Secret<String>,
    /// Names the token without giving its right.
    pub accessor: String,
    /// Policies in force.
    pub policies: Vec<String>,
    /// Policies of the token itself.
    pub token_policies: Vec<String>,
    /// What the issuer attached.
    pub metadata: Option<Map<String, Value>>,
    /// Seconds it lives; 0 = for ever.
    pub lease_duration: u64,
    /// May it be renewed.
    pub renewable: bool,
    /// The identity entity; empty until entities exist.
    pub entity_id: String,
    /// `service` or `batch`.
    pub token_type: String,
    /// Has it no parent.
    pub orphan: bool,
    /// Always null: MFA is not demanded.
    pub mfa_requirement: Option<()>,
    /// Uses left; 0 = unlimited.
    pub num_uses: u64,
}

fn exposed<S: serde::Serializer>(secret: &Secret<String>, serializer: S) -> Result<S::Ok, S::Error> {
    // EXPOSE: the reply that creates a token is the one place it may leave.
    serializer.serialize_str(secret.expose())
}

fn taken<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Secret<String>, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

/// Where a reply was put away (Vault's `wrap_info` block).
#[derive(Serialize)]
pub struct WrapInfo {
    /// Takes the reply out, once.
    #[serde(serialize_with = "exposed")]
    pub token: Secret<String>,
    /// Names that token without giving its right.
    pub accessor: String,
    /// Seconds it lives.
    pub ttl: u64,
    /// When the reply was put away (RFC 3339).
    pub creation_time: String,
    /// The path whose reply it is.
    pub creation_path: String,
    /// Accessor of the token that is in the reply, if one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrapped_accessor: Option<String>,
}

impl fmt::Debug for WrapInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WrapInfo").field("accessor", &self.accessor).finish_non_exhaustive()
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("accessor", &self.accessor).finish_non_exhaustive()
    }
}

/// A lease that came with a reply.
#[derive(Clone, Debug, Default)]
pub struct LeaseInfo {
    /// Its id; empty where there is none.
    pub id: String,
    /// May it be renewed.
    pub renewable: bool,
    /// How long it lives.
    pub duration: Duration,
}

/// A long answer, a piece at a time.
#[async_trait]
pub trait Bytes: Send {
    /// The next piece; `None` at the end. An error ends it too, and what came before is worth nothing.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, Error>;
}

/// What the door gives back. [`Reply::empty`] is Vault's 204.
#[derive(Default)]
pub struct Reply {
    /// The data, serialised once by the engine.
    pub data: Option<Box<RawValue>>,
    /// A token that was made or renewed.
    pub auth: Option<Auth>,
    /// Where the answer was put away, if the request asked for that; then there is no data here.
    pub wrap: Option<WrapInfo>,
    /// A lease that was made or renewed.
    pub lease: LeaseInfo,
    /// What the caller should know beside the answer.
    pub warnings: Vec<String>,
    /// An answer that is no JSON and too long for one piece; then there is nothing else.
    pub bytes: Option<Box<dyn Bytes>>,
    /// How to lay it out.
    pub shape: Shape,
    /// Type of the mount that answered (`kv`, `system` …).
    pub mount_type: &'static str,
    /// Pattern of the route that answered, for metrics: unlike the path it names no secret.
    pub pattern: &'static str,
    /// When the answer was made.
    pub time: Timestamp,
    /// How the caller's bucket stands, where a quota counts it and that is to be told.
    pub level: Option<Level>,
}

impl Reply {
    /// Nothing to say but that it was done.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Data in the envelope.
    pub fn data(data: &impl Serialize) -> Result<Self, Error> {
        let raw = serde_json::value::to_raw_value(data).map_err(Error::internal)?;
        Ok(Self { data: Some(raw), ..Self::default() })
    }

    /// Data laid out as `shape` says.
    pub fn shaped(shape: Shape, data: &impl Serialize) -> Result<Self, Error> {
        Ok(Self { shape, ..Self::data(data)? })
    }

    /// A token.
    pub fn auth(auth: Auth) -> Self {
        Self { auth: Some(auth), ..Self::default() }
    }

    /// The same with a warning.
    #[must_use]
    pub fn warn(mut self, warning: impl Into<String>) -> Self {
        self.warnings.push(warning.into());
        self
    }

    /// Is there nothing at all to lay out.
    pub fn is_empty(&self) -> bool {
        let bare = self.data.is_none() && self.bytes.is_none() && self.auth.is_none() && self.wrap.is_none();
        bare && self.lease.id.is_empty() && self.warnings.is_empty()
    }

    /// The data as a value; for callers in the same process and tests. `null` where there is none.
    pub fn to_value(&self) -> Value {
        self.data.as_deref().and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("shape", &self.shape).field("auth", &self.auth).finish_non_exhaustive()
    }
}
