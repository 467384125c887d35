//! The step of the re-wrap job: one page of entries in, the changes that bring them to the active term out. The job
//! around it scans, commits through a lane and remembers where it was; this function remembers nothing.

use super::{Barrier, KEYRING_KEY, SEAL_KEY};
use crate::{
    Error,
    audit::checkpoint,
    store::{Entry, Key, Op},
};

/// What one page asks for.
#[derive(Debug)]
pub struct Rewrapped {
    /// Replacements that demand the revision that was read: who changes an entry meanwhile has sealed it anew anyway.
    pub ops: Vec<(Key, Op)>,
    /// The oldest term that is left on the page once `ops` are committed: entries of a running lane, which only
    /// their lane may write, and nothing else. `None` when all is under the active term.
    pub oldest: Option<u32>,
}

/// Re-wraps one page. An entry that does not open ends it with the error that names the entry: a term is not retired
/// while anything is unreadable.
pub fn rewrap_page(barrier: &Barrier, page: &[Entry]) -> Result<Rewrapped, Error> {
    let mut rewrapped = Rewrapped { ops: Vec::new(), oldest: None };
    let active = barrier.key_status().term;
    for entry in page.iter().filter(|entry| is_sealed_under_a_term(&entry.key)) {
        if is_a_lanes_own(&entry.key) {
            let term = barrier.term_of(entry)?;
            let oldest = rewrapped.oldest.map_or(term, |oldest| oldest.min(term));
            rewrapped.oldest = Some(oldest).filter(|&oldest| oldest != active);
        } else if let Some(sealed) = barrier.rewrap(entry)? {
            rewrapped.ops.push((entry.key.clone(), Op::Replace(entry.rev, sealed)));
        }
    }
    Ok(rewrapped)
}

/// All but the seal file and checkpoints, which are public, and the keyring, which is sealed under the root. Nor what
/// its owner renews or soon nobody misses: a foreign write of a node's record or a job's lock would look as if it lived.
fn is_sealed_under_a_term(key: &Key) -> bool {
    let key = key.as_str();
    ![SEAL_KEY, KEYRING_KEY].contains(&key)
        && ![checkpoint::PREFIX, "node/", "lock/"].iter().any(|prefix| key.starts_with(prefix))
}

/// A lane takes a foreign write of its witness for a clone of itself and stops.
fn is_a_lanes_own(key: &Key) -> bool {
    key.as_str().starts_with("lane/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        barrier::{
            Fault,
            fixture::{entry, key, providers, vault},
        },
        store::Sealed,
    };

    #[test]
    fn a_page_names_what_must_change_and_what_must_wait() {
        let birth = vault(providers()[0], 1);
        let barrier = &birth.barrier;
        let sealed = |name: &str| entry(name, barrier.seal(&key(name), name.as_bytes()).unwrap());
        let mut page = vec![sealed("lane/00"), sealed("ns/0/a"), sealed("ns/0/b")];
        page.push(entry(KEYRING_KEY, birth.keyring));
        page.push(entry(SEAL_KEY, birth.seal));
        page.push(entry("checkpoint/0001", Sealed::public(b"signed".to_vec())));
        let none = rewrap_page(barrier, &page).unwrap();
        assert!(none.ops.is_empty() && none.oldest.is_none());

        barrier.adopt(barrier.rotate(&page[3]).unwrap().1);
        page.extend(["lane/01", "ns/0/c"].map(|name| entry(name, barrier.seal(&key(name), b"new").unwrap())));
        let found = rewrap_page(barrier, &page).unwrap();
        assert_eq!(found.oldest, Some(1), "a lane brings its own entry to the new term");
        let names: Vec<&str> = found.ops.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(names, ["ns/0/a", "ns/0/b"]);
        for (key, op) in found.ops {
            let Op::Replace(rev, value) = op else { panic!("{op:?}") };
            assert_eq!(rev, page[1].rev);
            let entry = entry(key.as_str(), value);
            assert!(barrier.open(&entry).unwrap().same_bytes(key.as_str().as_bytes()));
            assert!(barrier.rewrap(&entry).unwrap().is_none());
        }
        page.push(entry("ns/0/d", Sealed::from_stored(vec![1; 60])));
        let error = rewrap_page(barrier, &page).unwrap_err();
        assert_eq!(Fault::of(&error).map(|fault| fault.at.as_str()), Some("ns/0/d"));
    }
}
