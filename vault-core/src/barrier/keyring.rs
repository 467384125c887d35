//! The keyring: the keys of all terms, and the keys that no rotation touches. `docs/formats.md` has the table of
//! bytes of format 1.

use super::fault::Broken;
use crate::{Error, Key32, Secret, crypto::make_key, host::Host, id::Timestamp, limits::TERMS_MAX};
use std::fmt;

const FORMAT: u8 = 1;
const HEAD_BYTES: usize = 1 + 8 + 2;
const TERM_BYTES: usize = 4 + 8 + 8 + 32;
const NAMED_BYTES: usize = 1 + 32;

/// A key that no rotation touches: what it made is stored for ever and must stay comparable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// HMAC of tokens and accessors, under which they are found.
    TokenIndex = 1,
    /// HMAC of values in the audit log.
    ValueHash = 2,
    /// HMAC of the audit lane's newest link.
    Audit = 3,
    /// Ed25519 seed that signs checkpoints.
    AuditSigning = 4,
}

impl Named {
    const ALL: [Self; 4] = [Self::TokenIndex, Self::ValueHash, Self::Audit, Self::AuditSigning];
}

/// The key of one term.
pub(super) struct Term {
    /// 1, 2, 3 …; never used again.
    pub(super) number: u32,
    /// When it was made.
    pub(super) installed: Timestamp,
    /// Encryptions under it, as far as they were counted when the keyring was last written.
    pub(super) encryptions: u64,
    /// Data keys are derived from it.
    pub(super) key: Key32,
}

impl Term {
    fn make(number: u32, host: &dyn Host) -> Self {
        let key = make_key(|bytes| host.fill_random(bytes));
        Self { number, installed: host.now(), encryptions: 0, key }
    }
}

/// All keys of a vault below the root key. It can only be made by a [`super::Barrier`] and given back to one.
pub struct Keyring {
    /// Counts the writes of the keyring, so that an older one never replaces a newer one.
    generation: u64,
    /// Terms that entries may still be under, ascending.
    older: Vec<Term>,
    /// The newest, under which new values are sealed.
    active: Term,
    /// In the order of [`Named::ALL`].
    named: [Key32; 4],
}

impl Keyring {
    /// A new vault's keyring.
    pub(super) fn make(host: &dyn Host) -> Self {
        let named = Named::ALL.map(|_| make_key(|bytes| host.fill_random(bytes)));
        Self { generation: 1, older: Vec::new(), active: Term::make(1, host), named }
    }

    /// Adds a term and makes it the active one.
    pub(super) fn rotate(&mut self, host: &dyn Host) -> Result<(), Error> {
        match self.active.number.checked_add(1) {
            Some(number) if self.older.len() + 1 < TERMS_MAX => {
                self.older.push(std::mem::replace(&mut self.active, Term::make(number, host)));
                self.generation += 1;
                Ok(())
            }
            _ => Err(Error::invalid(format!(
                "the keyring already holds {TERMS_MAX} terms; let the re-wrap finish and retire old terms first"
            ))),
        }
    }

    /// Removes a term that nothing is sealed under any more.
    pub(super) fn retire(&mut self, number: u32) -> Result<(), Error> {
        if number == self.active.number {
            return Err(Error::invalid(format!("term {number} is the active one; rotate first")));
        }
        let absent = |_| Error::invalid(format!("the keyring holds no term {number}"));
        let at = self.older.binary_search_by_key(&number, |term| term.number).map_err(absent)?;
        self.older.remove(at);
        self.generation += 1;
        Ok(())
    }

    /// Records what was counted under the active term.
    pub(super) fn count(&mut self, encryptions: u64) {
        self.active.encryptions = self.active.encryptions.max(encryptions);
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// The term that new values are sealed under.
    pub(super) fn active(&self) -> &Term {
        &self.active
    }

    pub(super) fn term(&self, number: u32) -> Option<&Term> {
        if number == self.active.number {
            return Some(&self.active);
        }
        let at = self.older.binary_search_by_key(&number, |term| term.number).ok()?;
        self.older.get(at)
    }

    fn terms(&self) -> impl Iterator<Item = &Term> {
        self.older.iter().chain([&self.active])
    }

    pub(super) fn named(&self, name: Named) -> &Key32 {
        &self.named[name as usize - 1]
    }

    /// Format 1, in one allocation that is never moved.
    pub(super) fn to_bytes(&self) -> Secret<Vec<u8>> {
        let count = self.older.len() + 1;
        let size = HEAD_BYTES + count * TERM_BYTES + 1 + self.named.len() * NAMED_BYTES;
        let mut bytes = Secret::new(Vec::with_capacity(size));
        let out: &mut Vec<u8> = bytes.expose_mut();
        out.push(FORMAT);
        out.extend_from_slice(&self.generation.to_be_bytes());
        // At most TERMS_MAX, far below 2^16.
        out.extend_from_slice(&(count as u16).to_be_bytes());
        for term in self.terms() {
            out.extend_from_slice(&term.number.to_be_bytes());
            out.extend_from_slice(&term.installed.0.to_be_bytes());
            out.extend_from_slice(&term.encryptions.to_be_bytes());
            out.extend_from_slice(term.key.expose());
        }
        out.push(self.named.len() as u8);
        for (name, key) in Named::ALL.into_iter().zip(&self.named) {
            out.push(name as u8);
            out.extend_from_slice(key.expose());
        }
        bytes
    }

    /// Reads format 1 strictly: ascending terms, exactly the four named keys, nothing behind them.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Broken> {
        let mut reader = Reader(bytes);
        match reader.byte()? {
            FORMAT => {}
            other => return Err(Broken::UnknownFormat(other)),
        }
        let generation = reader.u64()?;
        let count = usize::from(u16::from_be_bytes(*reader.take()?));
        let mut older = (0..count).map(|_| reader.term()).collect::<Result<Vec<Term>, Broken>>()?;
        let rises = older.windows(2).all(|pair| pair[0].number < pair[1].number);
        let active = older.pop().ok_or(Broken::Malformed)?;
        if !rises || older.first().unwrap_or(&active).number == 0 || count > TERMS_MAX {
            return Err(Broken::Malformed);
        }
        let named = reader.named()?;
        if reader.0.is_empty() {
            Ok(Self { generation, older, active, named })
        } else {
            Err(Broken::Malformed)
        }
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring(generation {}, term {})", self.generation, self.active.number)
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Result<&'a [u8; N], Broken> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Broken::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Broken> {
        self.take().map(|[byte]| *byte)
    }

    fn u64(&mut self) -> Result<u64, Broken> {
        self.take().map(|bytes| u64::from_be_bytes(*bytes))
    }

    fn key(&mut self) -> Result<Key32, Broken> {
        let bytes: &[u8; 32] = self.take()?;
        Ok(Secret::init(|key: &mut [u8; 32]| key.copy_from_slice(bytes)))
    }

    fn term(&mut self) -> Result<Term, Broken> {
        Ok(Term {
            number: u32::from_be_bytes(*self.take()?),
            installed: Timestamp(self.u64()?),
            encryptions: self.u64()?,
            key: self.key()?,
        })
    }

    fn named(&mut self) -> Result<[Key32; 4], Broken> {
        if usize::from(self.byte()?) != Named::ALL.len() {
            return Err(Broken::Malformed);
        }
        let [a, b, c, d] = Named::ALL;
        Ok([self.named_key(a)?, self.named_key(b)?, self.named_key(c)?, self.named_key(d)?])
    }

    fn named_key(&mut self, name: Named) -> Result<Key32, Broken> {
        if self.byte()? == name as u8 { self.key() } else { Err(Broken::Malformed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::barrier::fixture::Seeded;

    /// Format 1 with one term: readable for ever.
    const GOLDEN: &str = "010000000000000001000100000001000644239c79400000000000000000003b4a79a517cec22a630bfdb7a6a634a5f1aa2b57dad0bad0ee89af30963784ae0401e5050b101d169256c15c0289ec2d0a9167ec8e65a18debbe5e5532fbeea293f8020bc942ee9086c171b9b501d1d854bb7180021590ff0b4dc3a53c36d76cec99e003758527120fbbe785a83d7e35de181749966761748e5c43cb614f560177dc756704fe8bcf144dd4fc9ac05daa4b8acf76748aa2d790d641b387a8574c6fae6d9b6f";

    fn made() -> Keyring {
        Keyring::make(&*Seeded::new(1))
    }

    #[test]
    fn format_1_is_what_it_always_was() {
        assert_eq!(hex::encode(made().to_bytes().expose()), GOLDEN);
        let keyring = Keyring::parse(&hex::decode(GOLDEN).unwrap()).unwrap();
        let same = |name| keyring.named(name).same_bytes(made().named(name).expose());
        assert!(Named::ALL.into_iter().all(same));
        assert_eq!((keyring.generation(), keyring.active().number, keyring.active().encryptions), (1, 1, 0));
        assert_eq!(keyring.active().installed.to_rfc3339(), "2025-11-22T00:00:00.000000Z");
        assert!(keyring.active().key.same_bytes(made().active().key.expose()));
    }

    #[test]
    fn terms_come_and_go_and_no_number_comes_twice() {
        let (host, mut keyring) = (Seeded::new(1), made());
        keyring.count(41);
        keyring.rotate(&*host).unwrap();
        keyring.rotate(&*host).unwrap();
        assert!(keyring.retire(3).is_err(), "the active term stays");
        assert!(keyring.retire(9).is_err(), "there is no such term");
        keyring.retire(2).unwrap();
        assert!(keyring.retire(2).is_err());
        keyring.rotate(&*host).unwrap();
        let keyring = Keyring::parse(keyring.to_bytes().expose()).unwrap();
        let terms: Vec<(u32, u64)> = keyring.terms().map(|term| (term.number, term.encryptions)).collect();
        assert_eq!(terms, [(1, 41), (3, 0), (4, 0)]);
        assert_eq!(keyring.generation(), 5);
        let found = [0, 1, 2, 3, 4, 5].map(|number| keyring.term(number).map(|term| term.number));
        assert_eq!(found, [None, Some(1), None, Some(3), Some(4), None]);
    }

    #[test]
    fn the_number_of_terms_is_bounded() {
        let (host, mut keyring) = (Seeded::new(1), made());
        while keyring.rotate(&*host).is_ok() {}
        assert_eq!(keyring.terms().count(), TERMS_MAX);
        assert!(Keyring::parse(keyring.to_bytes().expose()).is_ok());
        keyring.retire(1).unwrap();
        keyring.rotate(&*host).unwrap();
    }

    #[test]
    fn other_bytes_are_refused() {
        let good = {
            let mut keyring = made();
            keyring.rotate(&*Seeded::new(2)).unwrap();
            keyring.to_bytes().expose().clone()
        };
        let check = |at: usize, byte: u8, expect: Broken| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            assert_eq!(Keyring::parse(&bytes).unwrap_err(), expect, "byte {at}");
        };
        let (first, second, named) = (HEAD_BYTES, HEAD_BYTES + TERM_BYTES, HEAD_BYTES + 2 * TERM_BYTES);
        check(0, 2, Broken::UnknownFormat(2));
        check(10, 0, Broken::Malformed); // no terms
        check(10, 1, Broken::Malformed); // fewer than there are
        check(10, 3, Broken::Malformed); // more than there are
        check(9, 0xFF, Broken::Malformed);
        check(first + 3, 0, Broken::Malformed); // term 0
        check(first + 3, 2, Broken::Malformed); // the same twice
        check(first + 3, 3, Broken::Malformed); // falling
        check(second + 3, 1, Broken::Malformed);
        check(named, 3, Broken::Malformed); // named keys
        check(named + 1, 2, Broken::Malformed);
        check(named + 1 + NAMED_BYTES, 1, Broken::Malformed);
        for len in 0..good.len() {
            assert!(Keyring::parse(&good[..len]).is_err(), "cut to {len}");
        }
        assert!(Keyring::parse(&[good.as_slice(), &[0]].concat()).is_err());
    }
}
