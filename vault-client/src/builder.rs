//! [`Builder`]: how a client is set up.

use crate::{Client, Error};
use reqwest::{Certificate, header::HeaderValue, redirect};
use secrecy::SecretString;
use std::{path::Path, time::Duration};
use url::{Host, Url};

/// How long one request may take before [`Error::Timeout`].
const TIMEOUT: Duration = Duration::from_secs(60);
/// How often a request is sent at most.
const ATTEMPTS: u32 = 3;
/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A client in the making; from [`Client::builder`].
#[derive(Debug)]
pub struct Builder {
    address: String,
    token: Option<SecretString>,
    namespace: Option<String>,
    wrap_ttl: Option<String>,
    authorities: Vec<Certificate>,
    verify: bool,
    timeout: Duration,
    attempts: u32,
}

impl Builder {
    pub(crate) fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            token: None,
            namespace: None,
            wrap_ttl: None,
            authorities: Vec::new(),
            verify: true,
            timeout: TIMEOUT,
            attempts: ATTEMPTS,
        }
    }

    /// The token to send with every request.
    #[must_use]
    pub fn token(mut self, token: impl Into<SecretString>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// The namespace to send with every request.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Asks for every answer to be wrapped: the server keeps it this long (`300`, `5m`), and what comes back is a token
    /// that unwraps it once.
    #[must_use]
    pub fn wrap_ttl(mut self, ttl: impl Into<String>) -> Self {
        self.wrap_ttl = Some(ttl.into());
        self
    }

    /// Trusts the authorities in a PEM file, beside the system's own.
    ///
    /// # Errors
    /// When the file cannot be read or holds no certificate.
    pub fn ca_file(mut self, path: &Path) -> Result<Self, Error> {
        let bad = |why: String| Error::Setup(format!("cannot use the CA file {}: {why}", path.display()));
        let pem = std::fs::read(path).map_err(|error| bad(error.to_string()))?;
        let found = Certificate::from_pem_bundle(&pem).map_err(|error| bad(error.to_string()))?;
        if found.is_empty() {
            return Err(bad("it holds no PEM certificate".into()));
        }
        self.authorities.extend(found);
        Ok(self)
    }

    /// Verifies no certificate at all. Whoever sits on the wire then reads the token and every secret.
    #[must_use]
    pub fn danger_skip_verify(mut self) -> Self {
        self.verify = false;
        self
    }

    /// How long one request may take; 60 seconds unless set.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How often one request is sent at most, the first time included; 3 unless set, never less than once.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// Makes the client.
    ///
    /// # Errors
    /// [`Error::Setup`] when the address is not an `http` or `https` URL, or the token is not header text.
    pub fn build(self) -> Result<Client, Error> {
        let base = parse(&self.address)?;
        // X-Vault-Token is no header that a redirect would strip, so redirects are not followed.
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("secrethub/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(self.timeout)
            .tls_certs_merge(self.authorities)
            .tls_danger_accept_invalid_certs(!self.verify);
        if is_local(&base) {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| Error::Setup(format!("cannot set up TLS: {error}")))?;
        let token = self.token.as_ref().map(header).transpose()?;
        let client = Client::from_parts(http, base, token, self.namespace, (self.timeout, self.attempts));
        // A wrap that cannot be asked for is an error: the answer would come bare.
        let wrap_ttl = self.wrap_ttl.as_deref().map(HeaderValue::from_str).transpose();
        Ok(client.wrapping(wrap_ttl.map_err(|_| Error::Setup("the wrap TTL is not a duration".into()))?))
    }
}

fn parse(address: &str) -> Result<Url, Error> {
    let bad = |why: &str| Error::Setup(format!("{address:?} is not a server's address: {why}"));
    let url = Url::parse(address).map_err(|_| bad("write it as http://127.0.0.1:8200"))?;
    match url.scheme() {
        "http" | "https" if url.username().is_empty() && url.password().is_none() => Ok(url),
        "http" | "https" => Err(Error::Setup("an address may hold no user or password: use a token".into())),
        _ => Err(bad("it must start with http:// or https://")),
    }
}

fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

pub(crate) fn header(token: &SecretString) -> Result<HeaderValue, Error> {
    use secrecy::ExposeSecret;
    // EXPOSE: the header is where a token goes; marked sensitive, it is neither printed nor indexed by HTTP/2.
    let mut value = HeaderValue::from_str(token.expose_secret().trim())
        .map_err(|_| Error::Setup("the token holds characters that no token has".into()))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let check = |address: &str, expect: Result<bool, &str>| match (parse(address), expect) {
            (Ok(url), Ok(local)) => assert_eq!(is_local(&url), local, "{address}"),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{address}: {error}"),
            (other, _) => panic!("{address}: {other:?}"),
        };
        check("http://127.0.0.1:8200", Ok(true));
        check("https://localhost", Ok(true));
        check("http://[::1]:8200/", Ok(true));
        check("https://vault.example.com:8200", Ok(false));
        check("127.0.0.1:8200", Err("write it as"));
        check("ftp://x", Err("http://"));
        check("http://me:pass@x", Err("use a token"));
    }

    #[test]
    fn a_token_is_never_printed() {
        let builder = Client::builder("http://127.0.0.1:1").token("shs.hunter2");
        assert!(!format!("{builder:?}").contains("hunter2"));
        let client = builder.build().unwrap();
        assert!(!format!("{client:?}").contains("hunter2"));
        let bad = Client::builder("http://127.0.0.1:1").token("hunter2\n\u{1}x").build().unwrap_err();
        assert!(!format!("{bad:?}{bad}").contains("hunter2"));
    }
}
