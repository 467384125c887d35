//! What clients meet: the certificate, and the addresses.

use super::{Finding, settings::private_file};
use crate::{
    config::{Config, Environment, TlsFiles},
    server::tls::with_pem,
};
use secrethub::core::system::Guardian;
use secrethub_http::Tls;
use std::{
    io,
    net::{SocketAddr, TcpListener},
};
use x509_parser::pem::parse_x509_pem;

const DAY: u64 = 86_400;
/// A certificate that ends sooner is to be renewed now: automatic renewal happens at a third of 90 days.
const SOON: u64 = 30 * DAY;

/// The certificate's files, if there are any.
pub(super) fn tls(config: &Config, now: u64) -> Vec<Finding> {
    match config.tls_files() {
        Ok(None) => Vec::new(),
        Ok(Some(files)) => vec![private_file("tls key file", &files.key), certificate(&files, now)],
        Err(failure) => {
            vec![Finding::fail("tls certificate", failure.one_line(), "name both files, or neither")]
        }
    }
}

fn certificate(files: &TlsFiles, now: u64) -> Finding {
    let fail = |message: String, next: &str| Finding::fail("tls certificate", message, next);
    let chain = match with_pem(files, |pem| Tls::from_pem(pem).map(|_| pem.chain.to_vec())) {
        Ok(chain) => chain,
        Err(failure) => {
            return fail(
                failure.one_line(),
                "name PEM files that the server can read: its certificate (its own first), the key made with it, and \
                 the CA of clients where they are to have certificates",
            );
        }
    };
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
    let mut served = config.addresses(has_key).unwrap_or_default();
    served.extend(config.proxied_addresses().unwrap_or_default());
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
