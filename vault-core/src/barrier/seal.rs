//! The seal: who guards the root key, and the document `sys/seal` that says so. The document is a list of wraps, so
//! that one guard can take over from another and recovery keys can stand beside it. It is readable while sealed, and
//! each wrap proves its own integrity. `docs/formats.md` describes it.

use super::{
    MasterKey, RootKey, SEAL_KEY,
    fault::Broken,
    seal_text::{Document, WrapText},
    static_seal::StaticSeal,
    wrap::{Guard, Wrap},
};
use crate::{
    Error,
    crypto::CryptoProvider,
    store::{Entry, Sealed},
};
use async_trait::async_trait;
use std::fmt;

const VERSION: u32 = 1;
/// Guards that one document may name: the one in force, its successor, and recovery keys, with room to spare.
const WRAPS_MAX: usize = 16;

/// Guards the root key. Async, because most guards are a service elsewhere; a call may run twice.
#[async_trait]
pub trait Seal: fmt::Debug + Send + Sync {
    /// Wraps the root key under the guard's key.
    async fn wrap(&self, root: &RootKey) -> Result<Wrap, Error>;
    /// Opens a wrap that this guard once made; `Invalid` when it is another's or was changed.
    async fn open(&self, wrap: &Wrap) -> Result<RootKey, Error>;
}

/// What stands at `sys/seal`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealFile {
    /// The guard in force, which `seal-status` names.
    first: Wrap,
    /// Its successor, recovery keys.
    others: Vec<Wrap>,
}

impl SealFile {
    /// A document with one guard.
    pub(super) fn new(first: Wrap) -> Self {
        Self { first, others: Vec::new() }
    }

    /// Reads the stored document, strictly: unknown versions, kinds and fields are refused.
    pub fn parse(entry: &Entry) -> Result<Self, Error> {
        let refuse = |broken: Broken| broken.at(SEAL_KEY);
        let document: Document =
            serde_json::from_slice(entry.value.as_bytes()).map_err(|_| refuse(Broken::Malformed))?;
        if document.version != VERSION {
            return Err(refuse(Broken::UnknownFormat(u8::try_from(document.version).unwrap_or(u8::MAX))));
        }
        let wraps = document.wraps.iter().map(WrapText::parse).collect::<Option<Vec<Wrap>>>();
        let mut wraps = wraps.filter(|wraps| wraps.len() <= WRAPS_MAX).unwrap_or_default().into_iter();
        // Recovery keys stand beside a guard, never in its place.
        let guards = |wrap: &Wrap| !matches!(wrap.guard, Guard::Recovery { .. });
        let first = wraps.next().filter(guards).ok_or_else(|| refuse(Broken::Malformed))?;
        Ok(Self { first, others: wraps.collect() })
    }

    /// The bytes to be stored.
    pub fn to_sealed(&self) -> Result<Sealed, Error> {
        let wraps = self.wraps().map(WrapText::of).collect();
        let bytes = serde_json::to_vec(&Document { version: VERSION, wraps }).map_err(Error::internal)?;
        Ok(Sealed::public(bytes))
    }

    /// Who guards the vault: `shamir`, `static` or `passphrase`.
    pub fn kind(&self) -> &'static str {
        self.first.guard.kind()
    }

    /// The same with its numbers.
    pub fn guard(&self) -> Guard {
        self.first.guard
    }

    /// Shares given out; 1 where nobody shares.
    pub fn shares(&self) -> u8 {
        self.first.guard.counts().0
    }

    /// Shares needed; 1 where nobody shares.
    pub fn threshold(&self) -> u8 {
        self.first.guard.counts().1
    }

    /// The guards and what each of them wrapped, the one in force first.
    pub fn wraps(&self) -> impl Iterator<Item = &Wrap> {
        [&self.first].into_iter().chain(&self.others)
    }

    /// Unseals with the master key. `Invalid` when the vault is not sealed by one, or by another.
    pub fn open_static(&self, crypto: CryptoProvider, master: &MasterKey) -> Result<RootKey, Error> {
        let mut wraps = self.wraps().filter(|wrap| wrap.guard == Guard::Static).peekable();
        if wraps.peek().is_none() {
            return Err(Error::invalid(
                "this vault is unsealed with key shares, not with a master key; use `operator unseal`",
            ));
        }
        wraps.find_map(|wrap| wrap.open(crypto, master.expose()).ok()).ok_or_else(StaticSeal::wrong_key)
    }

    /// The wrap that key shares open, if there is one.
    pub(super) fn shamir(&self) -> Option<&Wrap> {
        self.wraps().find(|wrap| matches!(wrap.guard, Guard::Shamir { .. }))
    }

    /// The wrap that recovery shares open, if there is one.
    pub fn recovery(&self) -> Option<&Wrap> {
        self.wraps().find(|wrap| matches!(wrap.guard, Guard::Recovery { .. }))
    }

    /// Whose shares authorise what changes the guards or makes a root token: those that unseal; where the vault
    /// unseals itself, its recovery shares; and while there are none, the one who holds the guard's own key.
    pub fn authority(&self) -> &Wrap {
        self.shamir().or_else(|| self.recovery()).unwrap_or(&self.first)
    }

    /// Who is asked to unseal: whoever is the authority, but of a vault with a passphrase the one who knows it. With
    /// `migrating`, who is asked to hand the vault over: always the authority.
    pub fn asked(&self, migrating: bool) -> &Wrap {
        match self.first.guard {
            Guard::Passphrase(_) if !migrating => &self.first,
            _ => self.authority(),
        }
    }

    /// The same document with this wrap in the place of the one of its kind; recovery keys come beside the guard.
    #[must_use]
    pub fn with(&self, wrap: Wrap) -> Self {
        let mut file = self.clone();
        if file.kind() == wrap.guard.kind() {
            file.first = wrap;
        } else {
            file.others.retain(|other| other.guard.kind() != wrap.guard.kind());
            file.others.push(wrap);
        }
        file
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::barrier::{
        Fault, ShamirSeal,
        fixture::{Seeded, entry, flips, master, providers},
    };

    /// Format 1 with one guard: readable for ever. The root key is 32 bytes of 0x52.
    const STATIC: &str = r#"{"version":1,"wraps":[{"id":"67ec8e65-a18d-4bbe-9e55-32fbeea293f8","kind":"static","created":"2025-11-22T00:00:00.000000Z","shares":1,"threshold":1,"check":"dc8e3cdd61367a307b87c28bef24561d","wrapped":"e5050b101d169256c15c0289558a1b9321c8474c6f2f0600aaaff3477359046befa2dad4c44443514a11a8310dba426bd3c59b8e6b3f9cc4b8485cbb"}]}"#;
    const SHAMIR: &str = r#"{"version":1,"wraps":[{"id":"96676174-8e5c-43cb-a14f-560177dc7567","kind":"shamir","created":"2025-11-22T00:00:00.000000Z","shares":3,"threshold":2,"check":"56b699478a773c083110b36b2ec271c8","wrapped":"758527120fbbe785a83d7e35c6f659ab73745125dd1fabe37baea730063c55841145dca4786f2056e5a52a940a9095e8f2c9eea42479bf373c69c7b1"}]}"#;
    /// Shares 1 and 3 of the three that open [`SHAMIR`].
    const SHARES: [&str; 2] = [
        "eecc49fe8d90532778e903583479b1e0e7ee9bf55e86a67dfb69042c824e0a1801",
        "f845cd39b687cac5119801e19fd1dc02fceab1cebb903ce0aa1168995a8d23c303",
    ];

    /// A static guard and recovery shares beside it.
    const RECOVERY: &str = r#"{"version":1,"wraps":[{"id":"67ec8e65-a18d-4bbe-9e55-32fbeea293f8","kind":"static","created":"2025-11-22T00:00:00.000000Z","shares":1,"threshold":1,"check":"dc8e3cdd61367a307b87c28bef24561d","wrapped":"e5050b101d169256c15c0289558a1b9321c8474c6f2f0600aaaff3477359046befa2dad4c44443514a11a8310dba426bd3c59b8e6b3f9cc4b8485cbb"},{"id":"8aa2d790-d641-4387-a857-4c6fae6d9b6f","kind":"recovery","created":"2025-11-22T00:00:00.000000Z","shares":3,"threshold":2,"check":"0c686166eb47bbbe1f451b937e9b7190","wrapped":"fe8bcf144dd4fc9ac05daa4ba86676be1929ad8b71ded929fe0fb2d656e25409f9f03d923684823774a9aa83867af1979f7a8515464ab47731daa2eb"}]}"#;

    fn root() -> RootKey {
        RootKey::new(crate::Secret::new([0x52; 32]))
    }

    fn stored(text: &str) -> Entry {
        entry(SEAL_KEY, Sealed::from_stored(text.as_bytes().to_vec()))
    }

    fn text(file: &SealFile) -> String {
        String::from_utf8(file.to_sealed().unwrap().as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn format_1_is_what_it_always_was() {
        for crypto in providers() {
            let host = Seeded::new(1);
            let made = SealFile::new(StaticSeal::new(crypto, &*host, &master(b'k')).wrap_now(&root()));
            assert_eq!(text(&made), STATIC);
            let file = SealFile::parse(&stored(STATIC)).unwrap();
            assert_eq!((file.kind(), file.shares(), file.threshold()), ("static", 1, 1));
            assert_eq!(file.open_static(crypto, &master(b'k')).unwrap().expose(), &[0x52; 32]);

            let host = Seeded::new(1);
            let (seal, shares) = ShamirSeal::make(crypto, &*host, 3, 2).unwrap();
            let made = SealFile::new(seal.wrap_now(&root()));
            assert_eq!([&shares[0], &shares[2]].map(|share| hex::encode(share.expose())), SHARES);
            assert_eq!(text(&made), SHAMIR);
            let file = SealFile::parse(&stored(SHAMIR)).unwrap();
            assert_eq!((file.kind(), file.shares(), file.threshold()), ("shamir", 3, 2));
            let mut progress = crate::barrier::UnsealProgress::new();
            let mut add = |share| {
                let share = crate::barrier::parse_share(share).unwrap();
                let given = crate::barrier::Given::Share(share);
                progress.add(crypto, &*host, file.asked(false), given).unwrap()
            };
            assert!(add(SHARES[1]).is_none());
            assert_eq!(add(SHARES[0]).unwrap().into_root().expose(), &[0x52; 32]);
        }
    }

    #[test]
    fn recovery_shares_stand_beside_a_guard() {
        for crypto in providers() {
            let host = Seeded::new(1);
            let made = SealFile::new(StaticSeal::new(crypto, &*host, &master(b'k')).wrap_now(&root()));
            let (seal, shares) = ShamirSeal::make(crypto, &*host, 3, 2).unwrap();
            let made = made.with(seal.for_recovery().wrap_now(&root()));
            assert_eq!(text(&made), RECOVERY);
            let file = SealFile::parse(&stored(RECOVERY)).unwrap();
            assert_eq!((file.kind(), file.shares(), file.threshold()), ("static", 1, 1));
            assert_eq!(file.authority().guard, Guard::Recovery { shares: 3, threshold: 2 });
            assert!(file.open_static(crypto, &master(b'k')).is_ok());
            let mut quorum = crate::barrier::Quorum::of(file.authority());
            assert!(quorum.give(crypto, file.authority(), &shares[2]).unwrap().is_none());
            let opened = quorum.give(crypto, file.authority(), &shares[0]).unwrap().unwrap();
            assert_eq!(opened.root.expose(), &[0x52; 32]);
        }
        let alone = SHAMIR.replace("\"shamir\"", "\"recovery\"");
        assert!(SealFile::parse(&stored(&alone)).is_err(), "never in a guard's place");
    }

    /// What a store may change, from one character to whole fields, must never open.
    #[tokio::test]
    async fn a_changed_document_opens_for_nobody() {
        let crypto = providers()[0];
        let opens = |text: &[u8]| {
            let entry = entry(SEAL_KEY, Sealed::from_stored(text.to_vec()));
            SealFile::parse(&entry).and_then(|file| file.open_static(crypto, &master(b'k'))).is_ok()
        };
        assert!(opens(STATIC.as_bytes()));
        for (bit, flipped) in flips(STATIC.as_bytes()) {
            assert!(!opens(&flipped), "bit {bit}: {}", String::from_utf8_lossy(&flipped));
        }
        let (host, file) = (Seeded::new(1), SealFile::parse(&stored(SHAMIR)).unwrap());
        let (seal, _) = ShamirSeal::make(crypto, &*host, 3, 2).unwrap();
        assert!(seal.open(&file.first).await.is_ok());
        let changes: [fn(&mut Wrap); 9] = [
            |wrap| wrap.guard = Guard::Shamir { shares: 4, threshold: 2 },
            |wrap| wrap.guard = Guard::Shamir { shares: 3, threshold: 1 },
            |wrap| wrap.guard = Guard::Static,
            |wrap| wrap.id = uuid::Uuid::nil(),
            |wrap| wrap.created.0 += 1,
            |wrap| wrap.check[0] ^= 1,
            |wrap| wrap.wrapped[0] ^= 1,
            |wrap| wrap.wrapped[12] ^= 1,
            |wrap| wrap.wrapped[59] ^= 1,
        ];
        for change in changes {
            let mut wrap = file.first.clone();
            change(&mut wrap);
            let kind = seal.open(&wrap).await.err().map(|error| error.kind());
            assert_eq!(kind, Some(crate::ErrorKind::Invalid), "{wrap:?}");
        }
    }

    #[test]
    fn strangers_are_refused_by_name() {
        let check = |from: &str, to: &str, expect: Broken| {
            assert!(SHAMIR.contains(from), "{from}");
            let error = SealFile::parse(&stored(&SHAMIR.replace(from, to))).unwrap_err();
            assert_eq!(Fault::of(&error).map(|fault| fault.what), Some(expect), "{from} → {to}");
        };
        check("\"version\":1", "\"version\":2", Broken::UnknownFormat(2));
        check("\"version\":1", "\"version\":1,\"more\":1", Broken::Malformed);
        check("\"shamir\"", "\"shamir2\"", Broken::Malformed);
        check("\"shamir\"", "\"static\"", Broken::Malformed);
        check("\"threshold\":2", "\"threshold\":0", Broken::Malformed);
        check("\"threshold\":2", "\"threshold\":4", Broken::Malformed);
        check("\"shares\":3", "\"shares\":256", Broken::Malformed);
        check("\"check\":\"", "\"check\":\"00", Broken::Malformed);
        check("\"wrapped\":\"", "\"wrapped\":\"zz", Broken::Malformed);
        check("\"id\":\"", "\"id\":\"x", Broken::Malformed);
        check("\"created\":\"2025", "\"created\":\"today", Broken::Malformed);
        check(&SHAMIR[SHAMIR.find('[').unwrap()..], "[]}", Broken::Malformed);
        check(SHAMIR, "", Broken::Malformed);
    }

    #[test]
    fn another_master_key_is_told_what_to_do() {
        let crypto = providers()[0];
        let check = |text: &str, key: &MasterKey, expect: &str| {
            let error = SealFile::parse(&stored(text)).unwrap().open_static(crypto, key).err().unwrap();
            assert_eq!(error.kind(), crate::ErrorKind::Invalid);
            assert!(error.to_string().contains(expect), "{error}");
        };
        check(STATIC, &master(b'x'), "another key");
        check(SHAMIR, &master(b'k'), "operator unseal");
    }

    #[tokio::test]
    async fn any_guard_opens_its_own_wrap_only() {
        let (crypto, host, key) = (providers()[0], Seeded::new(1), master(b'k'));
        let (shamir, _) = ShamirSeal::make(crypto, &*host, 3, 2).unwrap();
        let (statics, other) = (StaticSeal::new(crypto, &*host, &key), master(b'o'));
        let guards: [&dyn Seal; 3] = [&shamir, &statics, &StaticSeal::new(crypto, &*host, &other)];
        for (i, maker) in guards.iter().enumerate() {
            let wrap = maker.wrap(&root()).await.unwrap();
            for (j, opener) in guards.iter().enumerate() {
                let opened = opener.open(&wrap).await;
                assert_eq!(
                    opened.is_ok_and(|root| root.expose() == &[0x52; 32]),
                    i == j,
                    "{maker:?} {opener:?}"
                );
            }
        }
    }
}
