//! Passwords of users, hashed a bounded number at a time: each takes memory and a processor, and whoever likes may ask
//! for one. Who finds the row full is told so at once.

use super::System;
use crate::{
    Key32, Secret,
    crypto::Argon2Cost,
    error::Error,
    limits::{PASSWORD_HASHES, PASSWORD_QUEUE_MAX},
};
use futures::{
    channel::oneshot,
    lock::{Mutex, OwnedMutexGuard},
};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// The places where passwords are hashed, and how many wait.
#[derive(Debug, Default)]
pub(super) struct Passwords {
    places: [Arc<Mutex<()>>; PASSWORD_HASHES],
    next: AtomicUsize,
    present: Arc<AtomicUsize>,
}

/// One that waits or is hashed.
#[derive(Debug)]
struct Present(Arc<AtomicUsize>);

impl Drop for Present {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Passwords {
    /// A place, once one is free. It goes with the work, also if who asked for it has left.
    async fn enter(&self) -> Result<(Present, OwnedMutexGuard<()>), Error> {
        let before = self.present.fetch_add(1, Ordering::Relaxed);
        let present = Present(Arc::clone(&self.present));
        if before >= PASSWORD_QUEUE_MAX {
            return Err(Error::unavailable("too many passwords are being checked; try again"));
        }
        let place = self.next.fetch_add(1, Ordering::Relaxed) % PASSWORD_HASHES;
        Ok((present, Arc::clone(&self.places[place]).lock_owned().await))
    }
}

impl System {
    /// The key that a password is stretched to (Argon2id).
    pub(crate) async fn stretch_password(
        &self,
        password: Secret<String>,
        salt: [u8; 16],
        cost: Argon2Cost,
    ) -> Result<Key32, Error> {
        let place = self.0.passwords.enter().await?;
        let (crypto, (tell, told)) = (self.crypto(), oneshot::channel());
        let work = move || {
            // EXPOSE: the password is what is hashed.
            let key = crypto.kdf.argon2id(password.expose().as_bytes(), &salt, cost);
            // Who has left is owed nothing.
            drop(tell.send(key));
            drop(place);
        };
        self.host().run_blocking(Box::new(work)).await;
        let key = told.await.map_err(|_| Error::unavailable("the server is stopping; try again"))?;
        key.map_err(Error::internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn the_row_is_bounded() {
        let passwords = Passwords::default();
        let hashing: Vec<_> =
            (0..PASSWORD_HASHES).map(|_| passwords.enter().now_or_never().unwrap().unwrap()).collect();
        let mut waiting: Vec<_> = (PASSWORD_HASHES..PASSWORD_QUEUE_MAX)
            .map(|_| {
                let mut next = Box::pin(passwords.enter());
                assert!(next.as_mut().now_or_never().is_none());
                next
            })
            .collect();
        assert!(passwords.enter().now_or_never().unwrap().is_err(), "the row is full");
        drop(waiting.pop());
        let mut last = Box::pin(passwords.enter());
        assert!(last.as_mut().now_or_never().is_none(), "who leaves makes room");
        drop(hashing);
        assert!(waiting.remove(0).now_or_never().unwrap().is_ok());
    }
}
