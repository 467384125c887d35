//! The barrier as a whole: over both providers, through rotations, on two nodes, under many threads.

use super::{
    fixture::{Seeded, boot, entry, flips, key, master, providers, vault, with_bytes},
    *,
};
use std::collections::HashSet;

/// A vault as it lies in the store, and unsealed.
struct Node {
    seal: Entry,
    keyring: Entry,
    barrier: Barrier,
}

fn node(crypto: CryptoProvider, seed: u64) -> Node {
    let birth = vault(crypto, seed);
    let (seal, keyring) = (entry(SEAL_KEY, birth.seal), entry(KEYRING_KEY, birth.keyring));
    Node { seal, keyring, barrier: birth.barrier }
}

impl Node {
    /// Another node of the same cluster, or this one after a restart.
    fn unseal(&self, crypto: CryptoProvider, seed: u64) -> Result<Barrier, Error> {
        let root = SealFile::parse(&self.seal)?.open_static(crypto, &master(b'k'))?;
        Barrier::unlock(crypto, Seeded::new(seed), boot(seed as u8), root, &self.keyring)
    }

    /// Commits what [`Barrier::rotate`] or [`Barrier::retire`] made.
    fn commit(&mut self, (sealed, keyring): (Sealed, Keyring)) {
        self.keyring.value = sealed;
        self.barrier.adopt(keyring);
    }

    fn rotate(&mut self) {
        self.commit(self.barrier.rotate(&self.keyring).unwrap());
    }

    fn write(&self, name: &str, plain: &[u8]) -> Entry {
        entry(name, self.barrier.seal(&key(name), plain).unwrap())
    }
}

fn broken<T>(result: Result<T, Error>) -> Option<Broken> {
    Fault::of(&result.err()?).map(|fault| fault.what)
}

#[test]
fn a_restarted_node_reads_what_was_written() {
    for (crypto, other) in providers().into_iter().zip(providers().into_iter().rev()) {
        let node = node(crypto, 1);
        let entry = node.write("ns/0/a", b"value");
        let again = node.unseal(other, 2).unwrap();
        assert!(again.open(&entry).unwrap().same_bytes(b"value"));
        assert_eq!(again.token_index("t"), node.barrier.token_index("t"));
        assert_eq!(again.value_hash("n", b"v"), node.barrier.value_hash("n", b"v"));
        assert_eq!(again.audit_mac(&[1; 32]), node.barrier.audit_mac(&[1; 32]));
        assert_eq!(again.audit_signer().public(), node.barrier.audit_signer().public());
    }
}

#[test]
fn a_hundred_rotations_and_all_is_readable() {
    for crypto in providers() {
        let mut node = node(crypto, 1);
        let name = |n: u32| format!("ns/0/{n}");
        let mut entries: Vec<Entry> = Vec::new();
        for n in 1..=100 {
            assert_eq!(node.barrier.key_status().term, n);
            entries.push(node.write(&name(n), name(n).as_bytes()));
            node.rotate();
        }
        let readable = |barrier: &Barrier, entries: &[Entry]| {
            entries.iter().all(|entry| barrier.open(entry).unwrap().same_bytes(entry.key.as_str().as_bytes()))
        };
        assert!(readable(&node.barrier, &entries));
        assert!(readable(&node.unseal(crypto, 2).unwrap(), &entries));
        let signer = node.barrier.audit_signer().public();

        for entry in &mut entries {
            entry.value = node.barrier.rewrap(entry).unwrap().unwrap();
            assert!(node.barrier.rewrap(entry).unwrap().is_none());
        }
        for term in 1..=100 {
            node.commit(node.barrier.retire(&node.keyring, term).unwrap());
        }
        assert!(node.barrier.retire(&node.keyring, 101).is_err(), "the active term cannot go");
        assert!(readable(&node.barrier, &entries));
        let again = node.unseal(crypto, 3).unwrap();
        assert!(readable(&again, &entries));
        assert_eq!((again.key_status().term, again.audit_signer().public()), (101, signer));
    }
}

#[test]
fn a_node_that_missed_a_rotation_reloads() {
    let crypto = providers()[0];
    let mut first = node(crypto, 1);
    let second = first.unseal(crypto, 2).unwrap();
    let (before, old) = (first.keyring.clone(), first.write("ns/0/b", b"old"));
    first.rotate();
    let entry = first.write("ns/0/a", b"value");
    assert_eq!(second.open(&entry).err().map(|error| error.kind()), Some(ErrorKind::Unavailable));
    assert_eq!(broken(second.open(&entry)), Some(Broken::UnknownTerm(2)));
    second.reload(&first.keyring).unwrap();
    assert!(second.open(&entry).unwrap().same_bytes(b"value"));
    second.reload(&before).unwrap();
    assert_eq!(second.key_status().term, 2, "an older keyring changes nothing");
    assert!(second.open(&old).unwrap().same_bytes(b"old"));
    second.adopt(second.retire(&first.keyring, 1).unwrap().1);
    assert_eq!(
        broken(second.open(&old)),
        Some(Broken::UnknownTerm(1)),
        "a retired term is gone, cached or not"
    );
}

#[test]
fn two_vaults_never_share_keys() {
    let crypto = providers()[0];
    let (a, b) = (node(crypto, 1), node(crypto, 2));
    assert_eq!(broken(b.barrier.open(&a.write("k", b"v"))), Some(Broken::Unauthentic));
    assert_ne!(a.barrier.token_index("t"), b.barrier.token_index("t"));
    assert_ne!(a.barrier.value_hash("n", b"v"), b.barrier.value_hash("n", b"v"));
    assert_ne!(a.barrier.audit_mac(&[0; 32]), b.barrier.audit_mac(&[0; 32]));
    assert_ne!(a.barrier.audit_signer().public(), b.barrier.audit_signer().public());
    assert_eq!(broken(a.barrier.reload(&b.keyring)), Some(Broken::Unauthentic));
    let mixed = Node { keyring: b.keyring, ..a };
    assert_eq!(broken(mixed.unseal(crypto, 3)), Some(Broken::Unauthentic));
}

#[test]
fn a_changed_keyring_unlocks_nothing() {
    for crypto in providers() {
        let good = node(crypto, 1);
        for (bit, bytes) in flips(good.keyring.value.as_bytes()) {
            let root = RootKey::make(&*Seeded::new(1));
            let keyring = with_bytes(&good.keyring, bytes);
            let unlocked = Barrier::unlock(crypto, Seeded::new(2), boot(2), root, &keyring);
            let expect = if bit < 8 { Broken::UnknownFormat(0x81 ^ (1 << bit)) } else { Broken::Unauthentic };
            assert_eq!(broken(unlocked), Some(expect), "bit {bit}");
        }
    }
}

/// An entry is no keyring and a keyring no entry, though both are envelopes.
#[test]
fn formats_do_not_stand_in_for_each_other() {
    let node = node(providers()[0], 1);
    assert_eq!(broken(node.barrier.open(&node.keyring)), Some(Broken::UnknownFormat(0x81)));
    let posing = node.write(KEYRING_KEY, b"x");
    assert_eq!(broken(node.barrier.reload(&posing)), Some(Broken::UnknownFormat(1)));
}

#[test]
fn keyed_hashes_keep_their_inputs_apart() {
    let barrier = node(providers()[0], 1).barrier;
    let hashes = [("a", "bc"), ("ab", "c"), ("", "abc"), ("abc", ""), ("a", "b")];
    let hashes: HashSet<[u8; 16]> =
        hashes.map(|(name, value)| barrier.value_hash(name, value.as_bytes())).into();
    assert_eq!(hashes.len(), 5);
    assert_ne!(barrier.token_index("a"), barrier.token_index("b"));
}

#[test]
fn a_value_is_bounded_by_what_stores_take() {
    let barrier = node(providers()[1], 1).barrier;
    let largest = vec![0; VALUE_BYTES_MAX - OVERHEAD];
    assert_eq!(barrier.seal(&key("k"), &largest).unwrap().as_bytes().len(), VALUE_BYTES_MAX);
    let larger = vec![0; VALUE_BYTES_MAX - OVERHEAD + 1];
    assert_eq!(barrier.seal(&key("k"), &larger).unwrap_err().kind(), ErrorKind::TooLarge);
}

#[test]
fn a_used_up_data_key_is_replaced_and_nobody_notices() {
    for crypto in providers() {
        let mut node = node(crypto, 1);
        node.barrier.encryptions_max = 10;
        let entries: Vec<Entry> = (0..95).map(|n| node.write(&format!("k/{n}"), b"value")).collect();
        let salts: HashSet<&[u8]> = entries.iter().map(|entry| &entry.value.as_bytes()[5..21]).collect();
        assert_eq!(salts.len(), 10);
        assert!(salts.contains(boot(1).0.as_slice()), "the first salt is the boot");
        assert!(entries.iter().all(|entry| node.barrier.open(entry).unwrap().same_bytes(b"value")));
        assert_eq!(node.barrier.key_status().encryptions, 95);
        let salt = node.barrier.state().salt;
        node.barrier.encryptions_max = 20;
        node.barrier.refill(node.barrier.sealers.home());
        assert_eq!(node.barrier.state().salt, salt, "a key that is not used up stays");
        assert_eq!(node.barrier.key_status().encryptions, 95, "what is reserved is not done");
        node.rotate();
        assert_eq!(node.barrier.key_status().encryptions, 0);
        node.write("k", b"value");
        node.commit(node.barrier.retire(&node.keyring, 1).unwrap());
        assert_eq!(node.barrier.key_status().encryptions, 1);
        let again = node.unseal(crypto, 2).unwrap();
        assert_eq!(again.key_status().encryptions, 1, "the keyring recorded it");
    }
}

#[test]
fn threads_seal_open_and_rotate_at_once() {
    let mut node = node(providers()[1], 1);
    node.barrier.encryptions_max = 50;
    let (barrier, keyring) = (&node.barrier, std::sync::Mutex::new(node.keyring.clone()));
    let nonces = std::thread::scope(|scope| {
        let write = |thread: usize| {
            let one = move |n: usize| {
                let name = format!("k/{thread}/{n}");
                let entry = entry(&name, barrier.seal(&key(&name), name.as_bytes()).unwrap());
                assert!(barrier.open(&entry).unwrap().same_bytes(name.as_bytes()));
                entry.value.as_bytes()[..33].to_vec()
            };
            (0..500).map(one).collect::<Vec<_>>()
        };
        let writers: Vec<_> = (0..4).map(|thread| scope.spawn(move || write(thread))).collect();
        scope.spawn(|| {
            for _ in 0..20 {
                let mut keyring = keyring.lock().unwrap();
                let (sealed, next) = barrier.rotate(&keyring).unwrap();
                keyring.value = sealed;
                barrier.adopt(next);
            }
        });
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(nonces.iter().collect::<HashSet<_>>().len(), 2_000, "no header comes twice");
    assert_eq!(barrier.key_status().term, 21);
}

#[test]
fn nothing_secret_is_printed() {
    let node = node(providers()[0], 1);
    let (_, keyring) = node.barrier.rotate(&node.keyring).unwrap();
    assert_eq!(format!("{:?}", node.barrier), "Barrier { term: 1, crypto: \"rustcrypto\" }");
    assert_eq!(format!("{keyring:?}"), "Keyring(generation 2, term 2)");
    let birth =
        make_vault(providers()[0], Seeded::new(1), boot(1), NewSeal::Shamir { shares: 3, threshold: 2 });
    assert_eq!(format!("{:?}", birth.unwrap()), "Birth(3 shares)");
}

/// A whole vault of format 1, sealed under the master key `k` × 32: readable for ever.
#[test]
fn a_vault_of_format_1_opens_for_ever() {
    let from_hex = |name: &str, text: &str| entry(name, Sealed::from_stored(hex::decode(text).unwrap()));
    for crypto in providers() {
        let seal = entry(SEAL_KEY, Sealed::from_stored(golden::SEAL.as_bytes().to_vec()));
        let keyring = from_hex(KEYRING_KEY, golden::KEYRING);
        let root = SealFile::parse(&seal).unwrap().open_static(crypto, &master(b'k')).unwrap();
        let barrier = Barrier::unlock(crypto, Seeded::new(9), boot(9), root, &keyring).unwrap();
        assert!(barrier.open(&from_hex("ns/0/secret", golden::ENTRY)).unwrap().same_bytes(b"a secret"));
        assert_eq!(hex::encode(barrier.token_index("shs.golden")), golden::TOKEN_INDEX);
        assert_eq!(hex::encode(barrier.value_hash("password", b"hunter2")), golden::VALUE_HASH);
        assert_eq!(hex::encode(barrier.audit_mac(&[7; 32])), golden::AUDIT_MAC);
        assert_eq!(hex::encode(barrier.audit_signer().public()), golden::AUDIT_PUBLIC);
    }
}

mod golden {
    //! Made once by `make_vault`; never changed. `docs/formats.md` opens it with a few lines of Python.

    pub(super) const SEAL: &str = r#"{"version":1,"wraps":[{"id":"ee098095-70bb-4c6a-942f-9cdf79a37ae6","kind":"static","created":"2025-11-22T00:00:00.000000Z","shares":1,"threshold":1,"check":"34b74b196ebba29184a6412074d96d38","wrapped":"bb69026917b06b3209e170921bc7251d3a3d6c366b2c1abe093932544328cf817c2aa8c3be1ae431abf048232583a377151ca7969959e0a5be216df8"}]}"#;
    pub(super) const KEYRING: &str = "810000000001010101010101010101010101010101d9bf46cb3174899d7e5933ed527a8683d81e4a06ed7f873b7351d2a1e5016c147c4c3b2f7208f8e67f4f606c7a1247484b95ee96c69dbaedbbd04af243f2279493598cd782b94bdbd5b1528e26b171bad647710defd234ad562ee8dc0ca592d0f6cbabb87ff4544c9e177acf992b0c722f3e9f80d2f88a72aebc5ec39fc24b93a377db64423c657be91a510f6fa79b0bdef28aacd0b7ed447922347a4d1607f523caa45f36cbff416c63a3b6ce1d858e9b6a8e4667e6d3905bace2cfda65d3fef3b286cf2f4d51d2179ab8f90fb42e05c277b894f4537367b793ba95c847d89e";
    pub(super) const ENTRY: &str = "01000000010101010101010101010101010101010172baabf31a223e94e3468c54b12f6a9423b4452ced51bb133e8fc984d5288389841a7165";
    pub(super) const TOKEN_INDEX: &str = "ef96a187fc92f86d963d06d25c7f2858523d4ba60734d99e4ed75f653c68c53f";
    pub(super) const VALUE_HASH: &str = "f8e82c725acb83dc90ddd3ea6f63e261";
    pub(super) const AUDIT_MAC: &str = "3e9e96e884ebb3d4fc8ea588559c2f6958d826f6303c78a29898bc1c3d316b51";
    pub(super) const AUDIT_PUBLIC: &str = "526df5341ae32ed9952a184ceb778fff87df9f889a8f4711f420ec84141e9f7f";
}
