//! [`UnsealProgress`]: the shares given so far on this node. It counts distinct shares only, believes nothing before a
//! check value and an authenticated decryption agree, and starts over when a full set was wrong.

use super::{RootKey, SealFile, shamir_seal::point, wrap::Wrap, wrap::make_uuid};
use crate::{
    Error, Key32, Secret,
    crypto::{CryptoProvider, same, shamir},
    host::Host,
};
use std::{collections::BTreeMap, fmt};
use uuid::Uuid;

/// The shares of one attempt to unseal. Node-local; shares are wiped by [`UnsealProgress::reset`] and on drop.
#[derive(Default)]
pub struct UnsealProgress {
    nonce: String,
    wrap: Option<Uuid>,
    shares: BTreeMap<u8, Secret<Vec<u8>>>,
}

impl UnsealProgress {
    /// No attempt yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a share. `Some(root)` when it completes a right set; the attempt is then over.
    ///
    /// A share that was already given counts once. `Invalid`, and not counted: a malformed share, and another share
    /// under a number already given. `Invalid`, and the attempt starts over: a full set that does not open the vault.
    pub fn add(
        &mut self,
        crypto: CryptoProvider,
        host: &dyn Host,
        file: &SealFile,
        share: &Secret<Vec<u8>>,
    ) -> Result<Option<RootKey>, Error> {
        let wrap = file.shamir().ok_or_else(|| {
            Error::invalid(
                "this vault is not sealed with key shares; it unseals at start with its MASTER_KEY",
            )
        })?;
        self.begin(host, wrap);
        self.count_in(share)?;
        if self.count() < wrap.guard.counts().1 {
            return Ok(None);
        }
        let root = self.combine(crypto, wrap);
        self.reset();
        root.map(Some)
    }

    /// Distinct shares given so far.
    pub fn count(&self) -> u8 {
        // A point is a non-zero byte, so there are at most 255.
        self.shares.len() as u8
    }

    /// Names the attempt, so that several people can see that they take part in the same; empty before the first
    /// share, another after each reset.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// Forgets all shares.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Starts an attempt, or starts over when the seal was changed under a running one.
    fn begin(&mut self, host: &dyn Host, wrap: &Wrap) {
        if self.wrap != Some(wrap.id) {
            self.reset();
            self.wrap = Some(wrap.id);
            self.nonce = make_uuid(host).to_string();
        }
    }

    fn count_in(&mut self, share: &Secret<Vec<u8>>) -> Result<(), Error> {
        let point = point(share)?;
        let bytes = share.expose();
        match self.shares.get(&point) {
            Some(known) if same(known.expose(), bytes) => Ok(()),
            Some(_) => Err(Error::invalid(format!(
                "another key share with the number {point} was already given; this one was not counted. \
                 If the first was wrong, start over with reset"
            ))),
            None => {
                self.shares.insert(point, Secret::new(bytes.clone()));
                Ok(())
            }
        }
    }

    fn combine(&self, crypto: CryptoProvider, wrap: &Wrap) -> Result<RootKey, Error> {
        let shares: Vec<&[u8]> = self.shares.values().map(|share| share.expose().as_slice()).collect();
        let wrong = || {
            Error::invalid(
                "these key shares do not open this vault: at least one is wrong or of another vault (or sys/seal \
                 was changed). None was kept; start again with the first share",
            )
        };
        let combined = shamir::combine(&shares).map_err(|_| wrong())?;
        let key = key32(&combined).ok_or_else(wrong)?;
        wrap.open(crypto, &key).map_err(|_| wrong())
    }
}

fn key32(bytes: &Secret<Vec<u8>>) -> Option<Key32> {
    let bytes: &[u8; 32] = bytes.expose().as_slice().try_into().ok()?;
    Some(Secret::init(|key: &mut [u8; 32]| key.copy_from_slice(bytes)))
}

impl fmt::Debug for UnsealProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnsealProgress({} shares, nonce {:?})", self.shares.len(), self.nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::barrier::{
        Birth, NewSeal, SEAL_KEY, Shares,
        fixture::{Seeded, boot, entry, providers, vault},
        make_vault,
    };

    fn sealed(crypto: CryptoProvider, shares: u8, threshold: u8, seed: u64) -> (SealFile, Shares) {
        let seal = NewSeal::Shamir { shares, threshold };
        let birth: Birth = make_vault(crypto, Seeded::new(seed), boot(1), seal).unwrap();
        (SealFile::parse(&entry(SEAL_KEY, birth.seal)).unwrap(), birth.shares)
    }

    /// What a share did: opened the vault, or was refused, and how many are counted then.
    #[derive(Debug, PartialEq)]
    enum Step {
        Counted(u8),
        Opened,
        Refused(u8),
    }

    fn add(progress: &mut UnsealProgress, crypto: CryptoProvider, file: &SealFile, share: &[u8]) -> Step {
        let added = progress.add(crypto, &*Seeded::new(9), file, &Secret::new(share.to_vec()));
        match added {
            Ok(Some(_)) => Step::Opened,
            Ok(None) => Step::Counted(progress.count()),
            Err(error) => {
                assert_eq!(error.kind(), crate::ErrorKind::Invalid);
                Step::Refused(progress.count())
            }
        }
    }

    #[test]
    fn any_threshold_of_the_shares_opens_in_any_order() {
        for crypto in providers() {
            for (shares, threshold) in [(1, 1), (3, 1), (3, 2), (5, 3), (255, 2)] {
                let (file, made) = sealed(crypto, shares, threshold, 3);
                let mut progress = UnsealProgress::new();
                let mut steps =
                    made.iter().rev().map(|share| add(&mut progress, crypto, &file, share.expose()));
                let counted = steps.by_ref().take(usize::from(threshold) - 1).collect::<Vec<Step>>();
                assert_eq!(counted, (1..threshold).map(Step::Counted).collect::<Vec<Step>>());
                assert_eq!(steps.next(), Some(Step::Opened), "{shares}/{threshold}");
                assert_eq!(progress.count(), 0);
            }
        }
    }

    #[test]
    fn wrong_shares_are_counted_out() {
        let crypto = providers()[0];
        let ((file, made), (_, foreign)) = (sealed(crypto, 5, 3, 3), sealed(crypto, 5, 3, 4));
        let good = |at: usize| made[at].expose().as_slice();
        let mut forged = good(1).to_vec();
        forged[0] ^= 1;
        let mut progress = UnsealProgress::new();
        let mut check =
            |share: &[u8], expect: Step| assert_eq!(add(&mut progress, crypto, &file, share), expect);
        check(good(0), Step::Counted(1));
        check(good(0), Step::Counted(1)); // a duplicate counts once
        check(&good(1)[1..], Step::Refused(1)); // malformed
        check(&[0; 33], Step::Refused(1));
        check(good(1), Step::Counted(2));
        check(&forged, Step::Refused(2)); // another share under a number that was given
        check(foreign[2].expose(), Step::Refused(0)); // the set is full, and wrong: all starts again
        check(foreign[0].expose(), Step::Counted(1));
        check(foreign[1].expose(), Step::Counted(2));
        check(foreign[2].expose(), Step::Refused(0)); // right among themselves, and still of another vault
        check(good(4), Step::Counted(1));
        check(good(2), Step::Counted(2));
        check(good(0), Step::Opened);
    }

    #[test]
    fn each_attempt_has_a_nonce_of_its_own() {
        let (crypto, host) = (providers()[0], Seeded::new(9));
        let ((file, made), (other, others)) = (sealed(crypto, 3, 2, 3), sealed(crypto, 3, 2, 4));
        let mut progress = UnsealProgress::new();
        let mut nonces = vec![progress.nonce().to_owned()];
        let mut give = |file: &SealFile, share: &Secret<Vec<u8>>| {
            let _ = progress.add(crypto, &*host, file, share);
            (progress.count(), progress.nonce().to_owned())
        };
        nonces.push(give(&file, &made[0]).1);
        assert_eq!(give(&file, &others[1]), (0, String::new()), "a wrong set ends the attempt");
        nonces.push(give(&file, &made[0]).1);
        let (count, nonce) = give(&other, &others[0]);
        assert_eq!(count, 1, "shares for another seal do not mix");
        nonces.push(nonce);
        nonces.sort();
        nonces.dedup();
        assert_eq!(nonces.len(), 4);
        assert!(nonces[1..].iter().all(|nonce| Uuid::parse_str(nonce).is_ok()), "{nonces:?}");
    }

    #[test]
    fn a_static_seal_takes_no_shares() {
        let file = SealFile::parse(&entry(SEAL_KEY, vault(providers()[0], 1).seal)).unwrap();
        let step = add(&mut UnsealProgress::new(), providers()[0], &file, &[1; 33]);
        assert_eq!(step, Step::Refused(0));
    }
}
