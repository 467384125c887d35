//! [`Certificates`]: the files of a certificate and its key, and TLS made of them, read again on SIGHUP.

use crate::{config::TlsFiles, failure::Failure};
use secrethub_http::{ClientCa, Pem, Tls, TlsError};
use std::{fs, path::Path, sync::Arc};
use zeroize::Zeroizing;

/// Certificates from files.
pub(super) struct Certificates {
    files: TlsFiles,
    tls: Arc<Tls>,
}

impl Certificates {
    /// Reads the files for the first time.
    pub(super) fn load(files: TlsFiles) -> Result<Self, Failure> {
        let tls = with_pem(&files, Tls::from_pem)?;
        Ok(Self { files, tls: Arc::new(tls) })
    }

    /// What listeners take.
    pub(super) fn tls(&self) -> Arc<Tls> {
        Arc::clone(&self.tls)
    }

    /// Reads the files again; on an error the former certificates stay.
    pub(super) fn reload(&self) -> Result<(), Failure> {
        with_pem(&self.files, |pem| self.tls.replace(pem))
    }
}

/// Does something with what the files hold.
pub(crate) fn with_pem<T>(
    files: &TlsFiles,
    make: impl FnOnce(Pem<'_>) -> Result<T, TlsError>,
) -> Result<T, Failure> {
    let (chain, key) = (read(&files.cert)?, read(&files.key)?);
    let ca = files.client_ca.as_deref().map(read).transpose()?;
    let client_ca = ca.as_ref().map(|pem| ClientCa { pem, required: files.client_required });
    let made = make(Pem { chain: &chain, key: &key, client_ca });
    made.map_err(|error| Failure::local(error.to_string()))
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    fs::read(path)
        .map(Zeroizing::new)
        .map_err(|error| Failure::from(error).about(&path.display().to_string()))
}
