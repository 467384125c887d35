//! How clients reach the server: addresses, certificates, and the proxies between.

use super::Config;
use crate::failure::Failure;
use secrethub::core::cidr::Cidr;
use secrethub_http::{ForwardedHeader, Proxies};
use std::{net::SocketAddr, path::PathBuf};

/// Where the server listens that is told nothing.
const LISTEN: &str = "127.0.0.1:8200";
/// Where it listens too when it stands in for the first seed.
const LISTEN_SECRET_MANAGER: &str = "127.0.0.1:8000";
/// All there are: who trusts them believes anybody.
const EVERYBODY: [&str; 2] = ["0.0.0.0/0", "::/0"];

/// The files that TLS is made of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TlsFiles {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    /// Who issues clients' certificates.
    pub(crate) client_ca: Option<PathBuf>,
    /// Is a client without a certificate turned away.
    pub(crate) client_required: bool,
}

impl Config {
    /// Addresses to serve the API on.
    pub(crate) fn addresses(&self, has_master_key: bool) -> Result<Vec<SocketAddr>, Failure> {
        let default = match has_master_key {
            true => vec![LISTEN.to_owned(), LISTEN_SECRET_MANAGER.to_owned()],
            false => vec![LISTEN.to_owned()],
        };
        let listen = self.listen.as_ref().unwrap_or(&default);
        if listen.is_empty() && self.proxied_addresses()?.is_empty() {
            return Err(Failure::local("`listen` is empty: nobody could reach the server"));
        }
        listen.iter().map(|text| address("listen", text)).collect()
    }

    /// Addresses of the API at which trusted proxies begin with a PROXY header.
    pub(crate) fn proxied_addresses(&self) -> Result<Vec<SocketAddr>, Failure> {
        let listen = self.proxy_protocol_listen.iter().flatten();
        listen.map(|text| address("proxy_protocol_listen", text)).collect()
    }

    /// Address of the metrics that need no token.
    pub(crate) fn metrics_address(&self) -> Result<Option<SocketAddr>, Failure> {
        self.metrics_listen.as_deref().map(|text| address("metrics_listen", text)).transpose()
    }

    /// Certificate and key, both or neither; and what is asked of clients.
    pub(crate) fn tls_files(&self) -> Result<Option<TlsFiles>, Failure> {
        let client_required = self.tls_client_required.unwrap_or(false);
        if client_required && self.tls_client_ca_file.is_none() {
            return Err(Failure::local("`tls_client_required` is set without `tls_client_ca_file`")
                .hint("name the file of the CA that issues clients' certificates"));
        }
        match (&self.tls_cert_file, &self.tls_key_file) {
            (Some(cert), Some(key)) => Ok(Some(TlsFiles {
                cert: cert.clone(),
                key: key.clone(),
                client_ca: self.tls_client_ca_file.clone(),
                client_required,
            })),
            (None, None) if self.tls_client_ca_file.is_some() => {
                Err(Failure::local("`tls_client_ca_file` is set without `tls_cert_file`"))
            }
            (None, None) => Ok(None),
            (Some(_), None) => Err(Failure::local("`tls_cert_file` is set without `tls_key_file`")),
            (None, Some(_)) => Err(Failure::local("`tls_key_file` is set without `tls_cert_file`")),
        }
    }

    /// Whose word about clients' addresses is believed.
    pub(crate) fn proxies(&self) -> Result<Proxies, Failure> {
        let named = self.trusted_proxies.iter().flatten();
        let trusted = named.map(|text| proxy(text)).collect::<Result<Vec<_>, _>>()?;
        for (key, is_set) in [
            ("forwarded_header", self.forwarded_header.is_some()),
            ("proxy_protocol_listen", self.proxy_protocol_listen.is_some()),
        ] {
            if is_set && trusted.is_empty() {
                return Err(Failure::local(format!("`{key}` is set without `trusted_proxies`"))
                    .hint("name the addresses of the proxies, or remove it"));
            }
        }
        let header = match self.forwarded_header.as_deref().map(str::to_ascii_lowercase).as_deref() {
            None | Some("x-forwarded-for") => ForwardedHeader::XForwardedFor,
            Some("forwarded") => ForwardedHeader::Forwarded,
            Some(_) => {
                return Err(Failure::local("`forwarded_header` must be X-Forwarded-For or Forwarded"));
            }
        };
        Ok(Proxies { trusted, header })
    }
}

fn proxy(text: &str) -> Result<Cidr, Failure> {
    let bad = |why: String| Failure::local(format!("`trusted_proxies`: {why}"));
    let block: Cidr = text.parse().map_err(bad)?;
    if EVERYBODY.iter().any(|all| all.parse::<Cidr>().is_ok_and(|all| block.covers(&all))) {
        return Err(bad(format!("{text} is everybody: whoever asks could name any address"))
            .hint("name the proxies' own addresses"));
    }
    Ok(block)
}

fn address(key: &str, text: &str) -> Result<SocketAddr, Failure> {
    let text = text.trim();
    // `localhost:8200` reads well, and needs no resolver.
    let numeric = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    numeric.as_deref().unwrap_or(text).parse().map_err(|_| {
        Failure::local(format!("`{key}`: {text:?} is no address"))
            .hint("write it as 127.0.0.1:8200 or [::1]:8200")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn proxies() {
        let check = |text: &str, expect: Result<(usize, ForwardedHeader), &str>| match (
            config(text).proxies(),
            expect,
        ) {
            (Ok(have), Ok(expect)) => assert_eq!((have.trusted.len(), have.header), expect, "{text}"),
            (Err(failure), Err(part)) => assert!(failure.to_string().contains(part), "{text}: {failure}"),
            (have, _) => panic!("{text}: {have:?}"),
        };
        check("", Ok((0, ForwardedHeader::XForwardedFor)));
        check("trusted_proxies = ['10.0.0.5', '2001:db8::/32']", Ok((2, ForwardedHeader::XForwardedFor)));
        check(
            "trusted_proxies = ['::1']\nforwarded_header = 'Forwarded'",
            Ok((1, ForwardedHeader::Forwarded)),
        );
        check("trusted_proxies = ['proxy.example']", Err("proxy.example"));
        check("trusted_proxies = ['0.0.0.0/0']", Err("everybody"));
        check("trusted_proxies = ['::1/0']", Err("everybody"));
        check("trusted_proxies = ['::1']\nforwarded_header = 'X-Real-IP'", Err("forwarded_header"));
        check("forwarded_header = 'Forwarded'", Err("without `trusted_proxies`"));
        check("trusted_proxies = []\nproxy_protocol_listen = ['[::1]:1']", Err("without `trusted_proxies`"));
    }

    #[test]
    fn tls_settings_go_together() {
        let check = |text: &str, expect: Result<bool, &str>| match (config(text).tls_files(), expect) {
            (Ok(have), Ok(expect)) => assert_eq!(have.is_some(), expect, "{text}"),
            (Err(failure), Err(part)) => assert!(failure.to_string().contains(part), "{text}: {failure}"),
            (have, _) => panic!("{text}: {have:?}"),
        };
        let pair = "tls_cert_file = 'c'\ntls_key_file = 'k'\n";
        check("", Ok(false));
        check(pair, Ok(true));
        check(&format!("{pair}tls_client_ca_file = 'a'\ntls_client_required = true"), Ok(true));
        check(&format!("{pair}tls_client_required = true"), Err("`tls_client_ca_file`"));
        check("tls_client_ca_file = 'a'", Err("without `tls_cert_file`"));
        check("tls_cert_file = 'c'", Err("without `tls_key_file`"));
    }
}
