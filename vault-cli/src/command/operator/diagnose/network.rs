//! What clients meet: the certificate, and the addresses.

use super::{Finding, settings::private_file};
use crate::config::{Config, Environment};
use secrethub::core::system::Guardian;
use secrethub_http::Tls;
use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    path::Path,
};
use x509_parser::pem::parse_x509_pem;
use zeroize::Zeroizing;

const DAY: u64 = 86_400;
/// A certificate that ends sooner is to be renewed now: automatic renewal happens at a third of 90 days.
const SOON: u64 = 30 * DAY;

/// The certificate's files, if there are any.
pub(super) fn tls(config: &Config, now: u64) -> Vec<Finding> {
    match config.tls_files() {
        Ok(None) => Vec::new(),
        Ok(Some((cert, key))) => vec![private_file("tls key file", &key), certificate(&cert, &key, now)],
        Err(failure) => {
            vec![Finding::fail("tls certificate", failure.one_line(), "name both files, or neither")]
        }
    }
}

fn certificate(cert: &Path, key: &Path, now: u64) -> Finding {
    let fail = |message: String, next: &str| Finding::fail("tls certificate", message, next);
    let read = |path: &Path| {
        fs::read(path).map(Zeroizing::new).map_err(|error| format!("{}: {error}", path.display()))
    };
    let (chain, secret) = match (read(cert), read(key)) {
        (Ok(chain), Ok(secret)) => (chain, secret),
        (Err(error), _) | (_, Err(error)) => return fail(error, "name files that the server can read"),
    };
    if let Err(error) = Tls::from_pem(&chain, &secret) {
        return fail(
            error.to_string(),
            "name a PEM certificate (the server's own first) and the key made with it",
        );
    }
    match validity(&chain) {
        Some((from, until)) => judge_validity(from, until, now),
        None => fail("the certificate's dates cannot be read".to_owned(), "have it issued anew"),
    }
}

/// From when until when the first certificate of a file is good, in seconds of the Unix era.
fn validity(pem: &[u8]) -> Option<(u64, u64)> {
    let (_, block) = parse_x509_pem(pem).ok()?;
    let certificate = block.parse_x509().ok()?;
    let seconds = |time: i64| u64::try_from(time).unwrap_or(0);
    let validity = certificate.validity();
    Some((seconds(validity.not_before.timestamp()), seconds(validity.not_after.timestamp())))
}

pub(super) fn judge_validity(from: u64, until: u64, now: u64) -> Finding {
    let check = "tls certificate";
    if now < from {
        return Finding::fail(check, "it is not valid yet", "look at the clock, or have it issued anew");
    }
    let Some(left) = until.checked_sub(now).filter(|left| *left > 0) else {
        return Finding::fail(
            check,
            "it has expired",
            "renew it; the server reads the files again on SIGHUP",
        );
    };
    let days = left / DAY;
    match left < SOON {
        true => Finding::warn(
            check,
            format!("it expires in {days} days"),
            "renew it; the server reads the files again on SIGHUP",
        ),
        false => Finding::ok(check, format!("it fits its key and is good for {days} days")),
    }
}

/// The addresses to serve; `holder` names the process that has the store, if one has.
pub(super) fn listen(config: &Config, environment: &Environment, holder: Option<&str>) -> Vec<Finding> {
    // What is wrong with the key or the addresses has been said of the configuration.
    let has_key =
        config.guardian(environment).is_ok_and(|guardian| matches!(guardian, Guardian::MasterKey(_)));
    let served = config.addresses(has_key).unwrap_or_default();
    let metrics = config.metrics_address().ok().flatten();
    let plain = config.tls_cert_file.is_none() && served.iter().any(|address| !address.ip().is_loopback());
    let mut findings: Vec<_> =
        served.into_iter().chain(metrics).map(|address| free(address, holder)).collect();
    if plain {
        findings.push(Finding::warn(
            "listen",
            "plain HTTP to other machines: whoever is on the network reads tokens and secrets",
            "set tls_cert_file and tls_key_file, or listen on 127.0.0.1 behind a proxy that has a certificate",
        ));
    }
    findings
}

fn free(address: SocketAddr, holder: Option<&str>) -> Finding {
    let error = match TcpListener::bind(address) {
        Ok(_) => return Finding::ok("listen", format!("{address} is free")),
        Err(error) => error,
    };
    match (error.kind(), holder) {
        (io::ErrorKind::AddrInUse, Some(pid)) => {
            Finding::ok("listen", format!("{address} is in use, as a server runs (process {pid})"))
        }
        (io::ErrorKind::AddrInUse, None) => Finding::fail(
            "listen",
            format!("{address} is in use by another program"),
            format!("end that program (`ss -ltnp 'sport = :{}'` names it), or set `listen`", address.port()),
        ),
        (io::ErrorKind::PermissionDenied, _) => Finding::fail(
            "listen",
            format!("{address}: {error}"),
            "use a port above 1023, or grant CAP_NET_BIND_SERVICE",
        ),
        _ => Finding::fail(
            "listen",
            format!("{address}: {error}"),
            "name an address of this machine in `listen`",
        ),
    }
}
