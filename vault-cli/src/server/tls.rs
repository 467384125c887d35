//! [`Certificates`]: the files of a certificate and its key, and TLS made of them, read again on SIGHUP.

use crate::failure::Failure;
use secrethub_http::Tls;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use zeroize::Zeroizing;

/// A certificate from files.
pub(super) struct Certificates {
    cert: PathBuf,
    key: PathBuf,
    tls: Arc<Tls>,
}

impl Certificates {
    /// Reads the files for the first time.
    pub(super) fn load(cert: PathBuf, key: PathBuf) -> Result<Self, Failure> {
        let (chain, secret) = (read(&cert)?, read(&key)?);
        let tls = Tls::from_pem(&chain, &secret).map_err(|error| Failure::local(error.to_string()))?;
        Ok(Self { cert, key, tls: Arc::new(tls) })
    }

    /// What listeners take.
    pub(super) fn tls(&self) -> Arc<Tls> {
        Arc::clone(&self.tls)
    }

    /// Reads the files again; on an error the former certificate stays.
    pub(super) fn reload(&self) -> Result<(), Failure> {
        let (chain, secret) = (read(&self.cert)?, read(&self.key)?);
        self.tls.replace(&chain, &secret).map_err(|error| Failure::local(error.to_string()))
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    fs::read(path)
        .map(Zeroizing::new)
        .map_err(|error| Failure::from(error).about(&path.display().to_string()))
}
