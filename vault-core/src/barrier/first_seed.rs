//! Opens what the first seed sealed: base64 of nonce (12) ‖ ciphertext ‖ tag (16), AES-256-GCM under the raw
//! `MASTER_KEY` with no associated data. Nothing is ever sealed so. Without associated data a ciphertext is bound to no
//! id: two of them can be swapped in their database, and both open.

use super::MasterKey;
use crate::{Secret, crypto::CryptoProvider};
use base64::{Engine, prelude::BASE64_STANDARD};

const NONCE: usize = 12;
const TAG: usize = 16;

/// A document of the first seed that does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.told())]
pub enum NotOpened {
    /// Not its form.
    Malformed,
    /// Sealed under another key, or changed.
    Unauthentic,
}

impl NotOpened {
    /// What is wrong with it.
    pub fn told(self) -> &'static str {
        match self {
            Self::Malformed => "it is no base64 of nonce, ciphertext and tag",
            Self::Unauthentic => {
                "it does not open with this MASTER_KEY: it was sealed under another one, or it was changed"
            }
        }
    }
}

impl MasterKey {
    /// Opens a ciphertext of the first seed.
    pub fn open_first_seed(&self, crypto: CryptoProvider, text: &str) -> Result<Secret<Vec<u8>>, NotOpened> {
        let bytes = BASE64_STANDARD.decode(text).map_err(|_| NotOpened::Malformed)?;
        let (nonce, rest) = bytes.split_first_chunk::<NONCE>().ok_or(NotOpened::Malformed)?;
        let (sealed, tag) = rest.split_last_chunk::<TAG>().ok_or(NotOpened::Malformed)?;
        let mut plain = Secret::new(sealed.to_vec());
        let cipher = crypto.cipher.key(self.expose());
        cipher.open(nonce, b"", plain.expose_mut(), tag).map_err(|_| NotOpened::Unauthentic)?;
        Ok(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::barrier::fixture::providers;

    const SECRET: &str = "QEFCQ0RFRkdISUpLj8DxUENf9Wa52OkPuRWCAd8yyjrv6uzbBw==";
    const EMPTY: &str = "QEFCQ0RFRkdISUpLybPCPr7NacTC2HvCfuNIEA==";

    fn key(text: &str) -> MasterKey {
        MasterKey::parse(&Secret::new(text.to_owned())).unwrap()
    }

    /// Made with the first seed's own library, Python's `cryptography`: `b64encode(nonce + AESGCM(key).encrypt(nonce,
    /// plain, None))` with the key `00 … 1f` and the nonce `40 … 4b`.
    #[test]
    fn golden_vectors_of_the_first_seed() {
        let check = |key: &MasterKey, text: &str, expect: Result<&[u8], NotOpened>| {
            for crypto in providers() {
                let opened = key.open_first_seed(crypto, text);
                assert_eq!(
                    opened.as_ref().map(|plain| plain.expose().as_slice()),
                    expect.as_ref().copied(),
                    "{text}"
                );
            }
        };
        let own = key("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
        let other = key(&"k".repeat(32));
        check(&own, SECRET, Ok(b"my_secret"));
        check(&own, EMPTY, Ok(b""));
        check(&other, SECRET, Err(NotOpened::Unauthentic));
        check(&own, &SECRET.replace("QEFC", "QEFD"), Err(NotOpened::Unauthentic));
        check(&own, &EMPTY[..36], Err(NotOpened::Malformed)); // 27 bytes: one too few
        for bad in ["", "AAAA", "no base64", &SECRET[1..], &format!("{SECRET}\n")] {
            check(&own, bad, Err(NotOpened::Malformed));
        }
    }
}
