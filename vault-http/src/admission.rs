//! [`Admission`]: how many requests are in work at one time, and a fair share of them for everybody.
//!
//! The rule is that of shared switch buffers (Choudhury and Hahne, Dynamic Queue Length Thresholds, 1998): a caller may
//! hold as many places as are free. One that asks for all gets half, two get a third each, and there is always room for
//! somebody new. Nobody waits here: who gets no place is told so at once, and the core's queue stays short.

use secrethub_core::{Error, Secret, rate::Network};
use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Who shares a share: a token, good or not; strangers by their network; the same process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Caller {
    /// By a keyed hash, so that nobody can choose whose share to take.
    Token(u64),
    Stranger(Option<Network>),
}

/// Places for requests. No more callers are remembered than hold one.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    places: usize,
    key: RandomState,
    held: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    by_caller: HashMap<Caller, usize>,
}

/// A request's place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    admission: Admission,
    caller: Caller,
}

impl Admission {
    pub(crate) fn new(places: usize) -> Self {
        Self { places, key: RandomState::new(), held: Arc::default() }
    }

    /// A place, or that there is none for this caller now.
    pub(crate) fn enter(
        &self,
        token: Option<&Secret<String>>,
        address: Option<IpAddr>,
    ) -> Result<Place, Error> {
        let caller = match token {
            // EXPOSE: a keyed hash of it, which leaves with the process.
            Some(token) => Caller::Token(self.key.hash_one(token.expose())),
            None => Caller::Stranger(address.map(Network::from)),
        };
        let mut held = self.held();
        let (own, free) = (held.by_caller.get(&caller).copied().unwrap_or(0), self.places - held.all);
        if free == 0 {
            return Err(Error::unavailable("too many requests are in work; try again"));
        }
        if own >= free {
            return Err(Error::unavailable(
                "too many of your requests are in work for others to have their share; send fewer at once",
            ));
        }
        held.all += 1;
        held.by_caller.insert(caller, own + 1);
        drop(held);
        Ok(Place { admission: self.clone(), caller })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.admission.held();
        held.all -= 1;
        if let Some(own) = held.by_caller.get_mut(&self.caller) {
            *own -= 1;
            if *own == 0 {
                held.by_caller.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes as many places as there are for a caller.
    fn take_all(admission: &Admission, token: &str) -> Vec<Place> {
        let token = Secret::new(token.to_owned());
        std::iter::from_fn(|| admission.enter(Some(&token), None).ok()).collect()
    }

    #[test]
    fn who_asks_for_all_gets_half() {
        let admission = Admission::new(100);
        let greedy = take_all(&admission, "greedy");
        assert_eq!(greedy.len(), 50);
        let second = take_all(&admission, "second");
        assert_eq!(second.len(), 25);
        assert_eq!(take_all(&admission, "greedy").len(), 0);
        // There is room for whoever comes with one request at a time, whatever the others do.
        for token in ["a", "b", "c"] {
            assert!(admission.enter(Some(&Secret::new(token.to_owned())), None).is_ok(), "{token}");
        }
        drop(greedy);
        assert_eq!(take_all(&admission, "second").len(), 25, "a share grows when others need less");
    }

    #[test]
    fn places_are_bounded_and_given_back() {
        let admission = Admission::new(8);
        let mut places = Vec::new();
        for n in 0_u8..8 {
            let address = IpAddr::from([192, 0, 2, n]);
            places.push(admission.enter(None, Some(address)).unwrap());
        }
        let error = admission.enter(None, Some(IpAddr::from([192, 0, 2, 9]))).unwrap_err();
        assert_eq!(error.kind(), secrethub_core::ErrorKind::Unavailable);
        places.pop();
        assert!(admission.enter(None, Some(IpAddr::from([192, 0, 2, 9]))).is_ok());
        drop(places);
        let held = admission.held();
        assert_eq!((held.all, held.by_caller.len()), (0, 0), "nobody is remembered who has gone");
    }

    #[test]
    fn strangers_of_a_network_are_one() {
        let admission = Admission::new(2);
        let enter = |text: &str| admission.enter(None, Some(text.parse().unwrap()));
        let _one = enter("2001:db8::1").unwrap();
        assert!(enter("2001:db8::2").is_err());
        assert!(enter("2001:db8:0:1::1").is_ok());
        assert!(admission.enter(None, None).is_ok(), "the same process");
    }
}
