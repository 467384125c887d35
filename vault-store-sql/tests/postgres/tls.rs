//! TLS: who the server is, and who the client is.

use crate::support;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use secrethub_store_sql::postgres::{OpenError, Options, Postgres};
use secrethub_testkit::{Cluster, Setup};
use std::{fs, path::Path};

/// Writes an authority's certificate and, signed by it, a certificate and key for each name.
fn certify(folder: &Path, names: &[&str]) {
    let write = |name: &str, text: String| fs::write(folder.join(name), text).unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    write("ca.crt", params.self_signed(&key).unwrap().pem());
    let issuer = Issuer::new(params, key);
    for name in names {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![(*name).to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, *name);
        write(&format!("{name}.crt"), params.signed_by(&key, &issuer).unwrap().pem());
        write(&format!("{name}.key"), key.serialize_pem());
    }
}

#[test]
fn the_server_and_the_client_are_who_they_say() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    certify(folder.path(), &["localhost", "client"]);
    certify(other.path(), &["client"]);
    let file = |name: &str| folder.path().join(name).display().to_string();
    // The server's own user reads them.
    let open = std::process::Command::new("chmod").args(["-R", "a+rX"]).arg(folder.path()).status();
    assert!(open.unwrap().success());
    let cluster = Cluster::own(&Setup {
        settings: [
            "ssl=on",
            "ssl_cert_file=localhost.crt",
            "ssl_key_file=localhost.key",
            "ssl_ca_file=ca.crt",
        ]
        .map(str::to_owned)
        .to_vec(),
        files: ["ca.crt", "localhost.crt", "localhost.key"].map(file).to_vec(),
        hba: "hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca".to_owned(),
        ..Setup::default()
    });
    let certificate = |from: &Path| {
        format!("sslcert={}&sslkey={}", from.join("client.crt").display(), from.join("client.key").display())
    };
    let good = certificate(folder.path());
    let root = format!("sslrootcert={}", file("ca.crt"));
    // What is not trusted now will not be trusted in two seconds: it is refused and not waited for.
    let check = |host: &str, parameters: &str, expect: Result<(), &str>| {
        support::block_on(async {
            let url = format!("postgres://vault:vault@{host}:{}/postgres?{parameters}", cluster.port());
            let opened = Postgres::open(&url, Options::default()).await;
            match (&opened, expect) {
                (Ok(_), Ok(())) => {}
                (Err(OpenError::Refused(text)), Err(part)) if text.contains(part) => {}
                _ => panic!("{host} {parameters}: {opened:?}, not {expect:?}"),
            }
        });
    };
    check("localhost", &format!("sslmode=verify-full&{root}&{good}"), Ok(()));
    check("127.0.0.1", &format!("sslmode=verify-full&{root}&{good}"), Err("not valid for name"));
    check("127.0.0.1", &format!("sslmode=verify-ca&{root}&{good}"), Ok(()));
    check("localhost", &format!("sslmode=verify-full&{good}"), Err("sslrootcert=FILE"));
    check("localhost", &format!("sslmode=require&{good}"), Ok(()));
    check("localhost", &format!("sslmode=verify-full&{root}"), Err("client certificate"));
    check("localhost", &format!("sslmode=verify-full&{root}&{}", certificate(other.path())), Err("sslcert"));
    check("localhost", "sslmode=disable", Err("no encryption"));
}
