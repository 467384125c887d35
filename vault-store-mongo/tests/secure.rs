//! Names, passwords and certificates: what the URL says is what the driver does.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use mongodb::bson::doc;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use secrethub_core::{
    store::{Batch, Key, Sealed, Store},
    testing::store::{columns, linked, rev},
};
use secrethub_store_mongo::{Mongo, OpenError, Options};
use secrethub_testkit::Mongo as Server;
use std::{fs, path::Path, time::Duration};
use support::{block_on, driver};

fn batch() -> Batch {
    let mut batch = Batch::new(rev());
    batch.create(Key::new("a").unwrap(), Sealed::from_stored(vec![1])).unwrap();
    batch.audit(linked(1, 1, columns(1, "create", "a")));
    batch
}

/// The role that the documents name is enough for all that the store does, and no password shows.
#[test]
fn a_user_may_only_read_and_write_one_database() {
    block_on(async {
        let server = Server::start_own(&[]);
        let role = doc! { "role": "readWrite", "db": "vault" };
        let make = doc! { "createUser": "secrethub", "pwd": "hunter/2@", "roles": [role] };
        driver(&server.url("vault")).await.run_command(make).await.unwrap();
        server.restart_with("--auth");
        let url = |password: &str| {
            server.url("vault").replace("127.0.0.1", &format!("secrethub:{password}@127.0.0.1"))
        };
        for days in [1, 2] {
            let options =
                Options { audit_ttl: Some(Duration::from_secs(days * 86_400)), ..Options::default() };
            Mongo::open(&url("hunter%2F2%40"), options).await.unwrap();
        }
        let store = Mongo::open(&url("hunter%2F2%40"), Options::default()).await.unwrap();
        store.commit(&batch()).await.unwrap();
        assert!(store.get(&[Key::new("a").unwrap()]).await.unwrap()[0].is_some());
        assert!(!format!("{store:?}").contains("hunter"));
        let other = url("hunter%2F2%40").replace("/vault", "/other?authSource=vault");
        for url in [url("hunter%2F3"), server.url("vault"), other] {
            let refused = Mongo::open(&url, Options::default()).await.unwrap_err();
            assert!(matches!(refused, OpenError::Refused(_)), "{refused:?}");
            let text = format!("{refused} {refused:?}");
            assert!(!text.contains("hunter") && !text.contains("RawDocumentBuf"), "{text}");
        }
    });
}

/// A certificate authority and a server's certificate from it, as files.
fn make_certificates(folder: &Path) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    fs::write(folder.join("ca.pem"), ca.self_signed(&ca_key).unwrap().pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let server = server.signed_by(&key, &Issuer::from_params(&ca, &ca_key)).unwrap();
    fs::write(folder.join("server.pem"), server.pem()).unwrap();
    fs::write(folder.join("server.key"), key.serialize_pem()).unwrap();
}

#[test]
fn tls_believes_one_authority() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        make_certificates(folder.path());
        let file = |name: &str| folder.path().join(name).display().to_string();
        let (certificate, key, ca) = (file("server.pem"), file("server.key"), file("ca.pem"));
        let server = Server::start_own(&["--tls-cert-file", &certificate, "--tls-key-file", &key]);
        let url =
            |parameters: &str| format!("{}?serverSelectionTimeoutMS=1000&{parameters}", server.url("vault"));
        let store = Mongo::open(&url(&format!("tls=true&tlsCAFile={ca}")), Options::default()).await.unwrap();
        store.commit(&batch()).await.unwrap();
        for parameters in ["tls=true", "tls=false"] {
            assert!(Mongo::open(&url(parameters), Options::default()).await.is_err(), "{parameters}");
        }
    });
}
