//! What a quorum may do with the root that it opened: give it new guards. The root itself never changes, so nothing
//! else in the store does.

use super::{Guard, MasterKey, Opened, SealFile, ShamirSeal, Shares, StaticSeal, Stretched, Wrap};
use crate::{Error, crypto::CryptoProvider, host::Host};

/// Who shall hold new shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holders {
    /// Those who unseal the vault.
    Unseal,
    /// Those who stand beside a vault that unseals itself.
    Recovery,
}

impl Opened {
    /// New shares, for other people or in other numbers, and the wrap that they open. `Invalid` unless
    /// 1 ≤ threshold ≤ shares ≤ 255.
    pub fn reshare(
        &self,
        crypto: CryptoProvider,
        host: &dyn Host,
        holders: Holders,
        shares: u8,
        threshold: u8,
    ) -> Result<(Wrap, Shares), Error> {
        let (seal, made) = ShamirSeal::make(crypto, host, shares, threshold)?;
        let seal = match holders {
            Holders::Unseal => seal,
            Holders::Recovery => seal.for_recovery(),
        };
        Ok((seal.wrap_now(&self.root), made))
    }
}

impl SealFile {
    /// To the environment: the master key guards from now on. See [`SealFile::beside_shares`].
    pub(crate) fn to_static(
        &self,
        crypto: CryptoProvider,
        host: &dyn Host,
        opened: &Opened,
        master: &MasterKey,
    ) -> Self {
        let wrap = StaticSeal::new(crypto, host, master).wrap_now(&opened.root);
        self.beside_shares(crypto, host, opened, wrap)
    }

    /// To who knows a passphrase. See [`SealFile::beside_shares`].
    pub(crate) fn to_passphrase(
        &self,
        crypto: CryptoProvider,
        host: &dyn Host,
        opened: &Opened,
        stretched: &Stretched,
    ) -> Self {
        let wrap = stretched.wrap_now(crypto, host, &opened.root);
        self.beside_shares(crypto, host, opened, wrap)
    }

    /// `wrap` guards from now on. Shares that unsealed the vault become its recovery shares, in the same hands; those
    /// that were recovery shares stay what they are.
    fn beside_shares(&self, crypto: CryptoProvider, host: &dyn Host, opened: &Opened, wrap: Wrap) -> Self {
        let file = Self::new(wrap);
        let recovery = match self.shamir().map(|shamir| shamir.guard.counts()) {
            Some((shares, threshold)) => {
                let guard = Guard::Recovery { shares, threshold };
                Some(Wrap::make(crypto, host, guard, &opened.key, &opened.root))
            }
            None => self.recovery().cloned(),
        };
        recovery.map_or(file.clone(), |recovery| file.with(recovery))
    }

    /// To people: the recovery shares unseal the vault from now on, and no key of the environment does.
    pub(crate) fn to_shamir(&self, crypto: CryptoProvider, host: &dyn Host, opened: &Opened) -> Self {
        let (shares, threshold) = self.authority().guard.counts();
        let guard = Guard::Shamir { shares, threshold };
        Self::new(Wrap::make(crypto, host, guard, &opened.key, &opened.root))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Secret,
        barrier::{
            Given, NewSeal, Quorum, SEAL_KEY,
            fixture::{Seeded, boot, entry, given, master, providers},
            make_vault,
        },
        crypto::same,
    };

    fn open(file: &SealFile, shares: &[Secret<Vec<u8>>]) -> Option<Opened> {
        let mut quorum = Quorum::of(file.authority());
        let give = |share| quorum.give(providers()[0], file.authority(), share).ok().flatten();
        shares.iter().find_map(give)
    }

    #[test]
    fn a_vault_goes_from_people_to_the_environment_and_back() {
        let (crypto, host, key) = (providers()[0], Seeded::new(5), master(b'k'));
        let birth =
            make_vault(crypto, Seeded::new(3), boot(1), NewSeal::Shamir { shares: 5, threshold: 3 }).unwrap();
        let shamir = SealFile::parse(&entry(SEAL_KEY, birth.seal)).unwrap();
        let opened = open(&shamir, &birth.shares[1..4]).unwrap();
        let same_root = |root: &[u8; 32]| same(root, opened.root.expose());

        let statics = shamir.to_static(crypto, &*host, &opened, &key);
        assert_eq!(
            (statics.kind(), statics.recovery().map(|wrap| wrap.guard.counts())),
            ("static", Some((5, 3)))
        );
        assert!(same_root(statics.open_static(crypto, &key).unwrap().expose()));
        assert!(statics.shamir().is_none() && open(&statics, &birth.shares[..2]).is_none());
        let again = open(&statics, &birth.shares[2..]).unwrap();
        assert!(same_root(again.root.expose()));

        let back = statics.to_shamir(crypto, &*host, &again);
        assert_eq!((back.kind(), back.shares(), back.threshold(), back.wraps().count()), ("shamir", 5, 3, 1));
        assert!(back.open_static(crypto, &key).is_err(), "the environment's key opens nothing any more");
        assert!(same_root(open(&back, &birth.shares[..3]).unwrap().root.expose()));
    }

    #[test]
    fn new_shares_open_and_old_ones_do_not() {
        let (crypto, host, key) = (providers()[0], Seeded::new(5), master(b'k'));
        let birth = make_vault(crypto, Seeded::new(3), boot(1), NewSeal::Static(&key)).unwrap();
        let file = SealFile::parse(&entry(SEAL_KEY, birth.seal)).unwrap();
        let Given::Whole(opened) = given(file.authority(), &"k".repeat(32)).unwrap() else {
            panic!("a share")
        };
        let reshare = |file: &SealFile, opened: &Opened| {
            let (wrap, shares) = opened.reshare(crypto, &*host, Holders::Recovery, 3, 2).unwrap();
            let file = file.with(wrap);
            (SealFile::parse(&entry(SEAL_KEY, file.to_sealed().unwrap())).unwrap(), shares)
        };
        let (first, old) = reshare(&file, &opened);
        let (second, new) = reshare(&first, &open(&first, &old).unwrap());
        assert_eq!((second.kind(), second.wraps().count()), ("static", 2));
        assert!(open(&second, &old).is_none() && open(&second, &new[1..]).is_some());
        assert!(second.open_static(crypto, &key).is_ok(), "it goes on unsealing itself");
        assert!(opened.reshare(crypto, &*host, Holders::Unseal, 2, 3).is_err());
    }
}
