//! The seal file as JSON: each wrap has one spelling only, and what is not it is refused.

use super::{
    passphrase_seal::{ARGON2ID, Stretch},
    wrap::{Guard, Wrap},
};
use crate::{crypto::Argon2Cost, id::Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// The document.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) version: u32,
    pub(super) wraps: Vec<WrapText>,
}

/// A wrap as JSON: bytes in hex, time in RFC 3339 with six decimals. Each wrap has one spelling only.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrapText {
    id: String,
    kind: String,
    created: String,
    shares: u8,
    threshold: u8,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    kdf: Option<KdfText>,
    check: String,
    wrapped: String,
}

/// How a passphrase becomes a key; no other kind has it.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KdfText {
    name: String,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: String,
}

impl KdfText {
    fn of(guard: Guard) -> Option<Self> {
        let Guard::Passphrase(Stretch { cost, salt }) = guard else { return None };
        let Argon2Cost { memory_kib, passes, lanes } = cost;
        Some(Self { name: ARGON2ID.to_owned(), memory_kib, passes, lanes, salt: hex::encode(salt) })
    }

    fn parse(&self) -> Option<Stretch> {
        let cost = Argon2Cost { memory_kib: self.memory_kib, passes: self.passes, lanes: self.lanes };
        let stretch = Stretch { cost, salt: bytes(&self.salt)? };
        (self.name == ARGON2ID && stretch.is_bounded()).then_some(stretch)
    }
}

impl WrapText {
    pub(super) fn of(wrap: &Wrap) -> Self {
        let (shares, threshold) = wrap.guard.counts();
        Self {
            id: wrap.id.to_string(),
            kind: wrap.guard.kind().to_owned(),
            created: wrap.created.to_rfc3339(),
            shares,
            threshold,
            kdf: KdfText::of(wrap.guard),
            check: hex::encode(wrap.check),
            wrapped: hex::encode(wrap.wrapped),
        }
    }

    pub(super) fn parse(&self) -> Option<Wrap> {
        let wrap = Wrap {
            id: Uuid::parse_str(&self.id).ok()?,
            created: Timestamp::from_rfc3339(&self.created)?,
            guard: self.guard()?,
            check: bytes(&self.check)?,
            wrapped: bytes(&self.wrapped)?,
        };
        (*self == Self::of(&wrap)).then_some(wrap)
    }

    fn guard(&self) -> Option<Guard> {
        match (self.kind.as_str(), self.shares, self.threshold) {
            ("shamir", shares, threshold) if 1 <= threshold && threshold <= shares => {
                Some(Guard::Shamir { shares, threshold })
            }
            ("static", 1, 1) => Some(Guard::Static),
            ("passphrase", 1, 1) => self.kdf.as_ref()?.parse().map(Guard::Passphrase),
            ("recovery", shares, threshold) if 1 <= threshold && threshold <= shares => {
                Some(Guard::Recovery { shares, threshold })
            }
            _ => None,
        }
    }
}

impl Serialize for Wrap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        WrapText::of(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Wrap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrap = WrapText::deserialize(deserializer)?.parse();
        wrap.ok_or_else(|| serde::de::Error::custom("not a wrap of format 1"))
    }
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use crate::{
        Error,
        barrier::{
            PassphraseSeal, RootKey, SEAL_KEY, Seal, SealFile,
            fixture::{Seeded, entry, passphrase, providers},
        },
        store::{Entry, Sealed},
    };
    use futures::FutureExt;

    /// Format 1 with a passphrase, which is `correct horse battery staple`: readable for ever. The root key is 32 bytes
    /// of 0x52.
    const PASSPHRASE: &str = r#"{"version":1,"wraps":[{"id":"0bc942ee-9086-4171-b9b5-01d1d854bb71","kind":"passphrase","created":"2025-11-22T00:00:00.000000Z","shares":1,"threshold":1,"kdf":{"name":"argon2id","memory_kib":65536,"passes":3,"lanes":4,"salt":"e5050b101d169256c15c0289ec2d0a91"},"check":"2891a16529d89730509b22691ffcd7a2","wrapped":"67ec8e65a18debbe5e5532fb1197fa2cbd49ed164af6633e54d6cac8100506316174369c450ce4cb2c05bb487f96bdd36fd6aac1acdd67e6f6928552"}]}"#;

    fn stored(text: &str) -> Entry {
        entry(SEAL_KEY, Sealed::from_stored(text.as_bytes().to_vec()))
    }

    fn open(crypto: crate::crypto::CryptoProvider, text: &str, phrase: &str) -> Result<RootKey, Error> {
        let (host, phrase, file) = (Seeded::new(1), passphrase(phrase), SealFile::parse(&stored(text))?);
        let guard = PassphraseSeal::new(crypto, &*host, &phrase);
        guard.open(file.asked(false)).now_or_never().unwrap()
    }

    #[test]
    fn a_passphrase_of_format_1_is_what_it_always_was() {
        let (root, phrase) = (RootKey::new(crate::Secret::new([0x52; 32])), "correct horse battery staple");
        for crypto in providers() {
            let (host, phrase) = (Seeded::new(1), passphrase(phrase));
            let wrap =
                PassphraseSeal::new(crypto, &*host, &phrase).wrap(&root).now_or_never().unwrap().unwrap();
            let made = SealFile::new(wrap).to_sealed().unwrap();
            assert_eq!(String::from_utf8_lossy(made.as_bytes()), PASSPHRASE);
        }
        assert_eq!(open(providers()[1], PASSPHRASE, phrase).unwrap().expose(), &[0x52; 32]);
        assert_eq!(open(providers()[0], PASSPHRASE, "wrong").err().unwrap().to_string(), "wrong passphrase");
    }

    /// Changed parameters open for nobody; those that would exhaust the server, or were weakened, are not even tried.
    #[test]
    fn a_changed_passphrase_wrap_opens_for_nobody() {
        let check = |from: &str, to: &str, tried: bool| {
            assert!(PASSPHRASE.contains(from), "{from}");
            let changed = PASSPHRASE.replace(from, to);
            assert_eq!(SealFile::parse(&stored(&changed)).is_ok(), tried, "{from} → {to}");
            assert!(open(providers()[0], &changed, "correct horse battery staple").is_err(), "{from} → {to}");
        };
        check("\"memory_kib\":65536", "\"memory_kib\":65537", true);
        check("\"memory_kib\":65536", "\"memory_kib\":8", false);
        check("\"memory_kib\":65536", "\"memory_kib\":4294967295", false);
        check("\"passes\":3", "\"passes\":1", true);
        check("\"passes\":3", "\"passes\":4000000", false);
        check("\"lanes\":4", "\"lanes\":1", true);
        check("\"lanes\":4", "\"lanes\":1000", false);
        check("\"salt\":\"", "\"salt\":\"00", false);
        check("argon2id", "argon2i", false);
        check("\"kind\":\"passphrase\"", "\"kind\":\"static\"", false);
        let (start, end) = (PASSPHRASE.find("\"kdf\"").unwrap(), PASSPHRASE.find("\"check\"").unwrap());
        check(&PASSPHRASE[start..end], "", false);
    }
}
