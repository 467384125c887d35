//! [`Tls`]: TLS 1.2 and 1.3 on rustls with aws-lc, and certificates that can be replaced while serving: the server's own,
//! and those of the authorities that clients' certificates must come from.

use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    server::{VerifierBuilderError, WebPkiClientVerifier, danger::ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::sync::{Arc, PoisonError, RwLock};
use tokio_rustls::TlsAcceptor;

/// Why a certificate was not taken; the one in use stays.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// Not PEM, or not what was expected in it.
    #[error("the {what} is not readable PEM: {source}")]
    Pem {
        /// Which file.
        what: &'static str,
        /// Why.
        source: rustls_pki_types::pem::Error,
    },
    /// A file without a certificate.
    #[error("the {what} file holds no certificate")]
    NoCertificate {
        /// Which file.
        what: &'static str,
    },
    /// The key does not belong to the certificate, or neither can be used.
    #[error("the certificate cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
    /// No client could be verified by it.
    #[error("the client CA cannot be used: {0}")]
    ClientCa(#[from] VerifierBuilderError),
}

/// What TLS is made of, as PEM.
#[derive(Clone, Copy)]
#[allow(missing_debug_implementations, reason = "holds the private key")]
pub struct Pem<'p> {
    /// The server's own certificate first.
    pub chain: &'p [u8],
    /// Its key: PKCS#8, PKCS#1 or SEC1.
    pub key: &'p [u8],
    /// Who issues the certificates of clients; without it no client is asked for one.
    pub client_ca: Option<ClientCa<'p>>,
}

/// Authorities for the certificates of clients.
#[derive(Clone, Copy, Debug)]
pub struct ClientCa<'p> {
    /// Their certificates.
    pub pem: &'p [u8],
    /// Is a client without a certificate turned away. One with a bad certificate always is.
    pub required: bool,
}

/// TLS for a listener. Who holds it may call [`Tls::replace`] at any time.
#[derive(Debug)]
pub struct Tls(RwLock<Arc<ServerConfig>>);

impl Tls {
    /// From PEM.
    pub fn from_pem(pem: Pem<'_>) -> Result<Self, TlsError> {
        Ok(Self(RwLock::new(config(pem)?)))
    }

    /// Serves new connections with other certificates; on an error all stays as it is. Sessions of before cannot be
    /// resumed: each client is verified anew.
    pub fn replace(&self, pem: Pem<'_>) -> Result<(), TlsError> {
        let fresh = config(pem)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn config(pem: Pem<'_>) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = match pem.client_ca {
        Some(ca) => verifier(&provider, ca)?,
        None => WebPkiClientVerifier::no_client_auth(),
    };
    let key = PrivateKeyDer::from_pem_slice(pem.key)
        .map_err(|source| TlsError::Pem { what: "private key", source })?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        // Also checks that key and certificate belong together.
        .with_single_cert(certificates(pem.chain, "certificate")?, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn verifier(
    provider: &Arc<CryptoProvider>,
    ca: ClientCa<'_>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca.pem, "client CA")? {
        roots.add(certificate)?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    Ok(if ca.required { verifier } else { verifier.allow_unauthenticated() }.build()?)
}

fn certificates(pem: &[u8], what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let read = read.map_err(|source| TlsError::Pem { what, source })?;
    if read.is_empty() { Err(TlsError::NoCertificate { what }) } else { Ok(read) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    fn pem<'p>(chain: &'p str, key: &'p str, ca: Option<&'p str>) -> Pem<'p> {
        let client_ca = ca.map(|ca| ClientCa { pem: ca.as_bytes(), required: true });
        Pem { chain: chain.as_bytes(), key: key.as_bytes(), client_ca }
    }

    #[test]
    fn bad_material_is_refused_and_changes_nothing() {
        let ((chain, key), (_, other_key)) = (made(), made());
        let tls = Tls::from_pem(pem(&chain, &key, Some(&chain))).unwrap();
        let current = || Arc::as_ptr(&*tls.0.read().unwrap());
        let before = current();
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let check = |chain: &str, key: &str, ca: Option<&str>| {
            assert!(tls.replace(pem(chain, key, ca)).is_err(), "{chain} {ca:?}");
        };
        check("", &key, None);
        check(&chain, "", None);
        check(&chain, &other_key, None);
        check(garbage, &key, None);
        check(&chain, &key, Some(""));
        check(&chain, &key, Some(garbage));
        check(&chain, &key, Some(&key));
        assert_eq!(before, current());
        let (chain, key) = made();
        tls.replace(pem(&chain, &key, None)).unwrap();
        assert_ne!(before, current());
    }
}
