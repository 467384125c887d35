//! Certificates for `-dev-tls`: an authority and a server's certificate for this machine's own names, made anew at
//! each start, in files named as Vault names them.

use crate::{config::TlsFiles, failure::Failure};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use secrethub::{TokioHost, core::host::Host};
use std::{
    fs,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// The authority's certificate, which clients trust.
pub(super) const CA: &str = "vault-ca.pem";
const CERT: &str = "vault-cert.pem";
const KEY: &str = "vault-key.pem";

/// A temporary folder that only its owner can enter, with a name that nobody can have made before.
pub(super) fn make_folder() -> Result<PathBuf, Failure> {
    let mut name = [0; 8];
    TokioHost::new().fill_random(&mut name);
    let folder = std::env::temp_dir().join(format!("secrethub-tls-{}", hex::encode(name)));
    fs::DirBuilder::new().mode(0o700).create(&folder)?;
    Ok(folder)
}

/// Makes authority, certificate and key in a folder.
pub(super) fn make(folder: &Path) -> Result<TlsFiles, Failure> {
    let (ca, cert, key) = certificates().map_err(|error| Failure::local(format!("-dev-tls: {error}")))?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    write(&folder.join(CA), &ca)?;
    write(&folder.join(CERT), &cert)?;
    write(&folder.join(KEY), &key)?;
    Ok(TlsFiles { cert: folder.join(CERT), key: folder.join(KEY), client_ca: None, client_required: false })
}

fn certificates() -> Result<(String, String, String), rcgen::Error> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    authority.distinguished_name.push(DnType::CommonName, "SecretHub development CA");
    let authority_key = KeyPair::generate()?;
    let ca = authority.self_signed(&authority_key)?.pem();
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut server = CertificateParams::new(names.to_vec())?;
    server.distinguished_name.push(DnType::CommonName, "localhost");
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let cert = server.signed_by(&key, &Issuer::new(authority, authority_key))?.pem();
    Ok((ca, cert, key.serialize_pem()))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let about = |error| Failure::from(error).about(&path.display().to_string());
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(about)?;
    file.write_all(text.as_bytes()).map_err(about)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_server_can_use_what_was_made() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("certs");
        let files = make(&folder).unwrap();
        assert_eq!(fs::metadata(&files.key).unwrap().permissions().mode() & 0o777, 0o600);
        let key = fs::read(&files.key).unwrap();
        super::super::tls::Certificates::load(files).unwrap();
        assert!(fs::read_to_string(folder.join(CA)).unwrap().contains("BEGIN CERTIFICATE"));
        let again = make(&folder).unwrap();
        assert_ne!(fs::read(again.key).unwrap(), key, "each start makes new ones");
    }
}
