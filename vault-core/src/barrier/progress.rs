//! [`UnsealProgress`]: the attempt to unseal that is under way on this node, and its shares.

use super::{Given, Opened, Quorum, Wrap, wrap::make_uuid};
use crate::{Error, crypto::CryptoProvider, host::Host};
use std::fmt;

/// The shares of one attempt to unseal. Node-local; shares are wiped by [`UnsealProgress::reset`] and on drop.
#[derive(Default)]
pub struct UnsealProgress {
    nonce: String,
    quorum: Option<Quorum>,
}

impl UnsealProgress {
    /// No attempt yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what was given for the wrap of whom [`super::SealFile::asked`] names. `Some` when it completes a right set;
    /// the attempt is then over. See [`Quorum::give`].
    pub fn add(
        &mut self,
        crypto: CryptoProvider,
        host: &dyn Host,
        wrap: &Wrap,
        given: Given,
    ) -> Result<Option<Opened>, Error> {
        // A seal that was changed under a running attempt starts it over.
        if self.quorum.as_ref().is_none_or(|quorum| !quorum.is_of(wrap)) {
            self.nonce = make_uuid(host).to_string();
        }
        let quorum = self.quorum.get_or_insert_with(|| Quorum::of(wrap));
        let given = quorum.take(crypto, wrap, given);
        let over = given.as_ref().is_ok_and(Option::is_some) || given.is_err() && quorum.count() == 0;
        if over {
            self.reset();
        }
        given
    }

    /// Distinct shares given so far.
    pub fn count(&self) -> u8 {
        self.quorum.as_ref().map_or(0, Quorum::count)
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
}

impl fmt::Debug for UnsealProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnsealProgress({} shares, nonce {:?})", self.count(), self.nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;
    use crate::barrier::{
        Birth, NewSeal, SEAL_KEY, SealFile, Shares,
        fixture::{Seeded, boot, entry, providers},
        make_vault,
    };
    use uuid::Uuid;

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
        let given = Given::Share(Secret::new(share.to_vec()));
        let added = progress.add(crypto, &*Seeded::new(9), file.asked(false), given);
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
            let given = Given::Share(Secret::new(share.expose().clone()));
            let _ = progress.add(crypto, &*host, file.asked(false), given);
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
}
