//! [`Guesses`]: passphrases that are tried on this node, one at a time and, once several were wrong, seldom. Shares
//! need no such thing: nobody guesses 256 bits.

use super::System;
use crate::{
    Secret,
    barrier::{Given, Guard, Wrap},
    error::{Error, ErrorKind},
    limits::{PASSPHRASE_PAUSE, PASSPHRASE_WRONG_MAX},
};
use futures::channel::oneshot;
use std::time::Duration;

/// How guessing went so far; forgotten with the process, like the shares of an unseal.
#[derive(Debug, Default)]
pub(super) struct Guesses {
    /// Wrong ones since the last right one.
    wrong: u32,
    /// When the next is taken, on the monotonic clock.
    next: Duration,
}

impl Guesses {
    /// How long until a guess is taken, if none is now.
    fn wait(&self, now: Duration) -> Option<Duration> {
        self.next.checked_sub(now).filter(|wait| !wait.is_zero())
    }

    fn note(&mut self, right: bool, now: Duration) {
        if right {
            *self = Self::default();
            return;
        }
        self.wrong = self.wrong.saturating_add(1);
        if self.wrong >= PASSPHRASE_WRONG_MAX {
            self.next = now + PASSPHRASE_PAUSE;
        }
    }
}

impl System {
    /// What somebody typed, as `wrap` asks for it. `RateLimited`, and nothing was tried, after too many wrong
    /// passphrases.
    ///
    /// A guess is a task of its own: who leaves before it is over has it counted all the same, and its memory is not
    /// taken by the next one meanwhile.
    pub(crate) async fn read_given(&self, wrap: &Wrap, text: &Secret<String>) -> Result<Given, Error> {
        if !matches!(wrap.guard(), Guard::Passphrase(_)) {
            return Given::read(self.crypto(), &**self.host(), wrap, text).await;
        }
        let (tell, told) = oneshot::channel();
        // EXPOSE: the task needs a copy of its own, wiped with it.
        let (system, wrap, text) = (self.clone(), wrap.clone(), Secret::new(text.expose().clone()));
        let guess = async move { drop(tell.send(system.guess(&wrap, &text).await)) };
        self.host().spawn("guess", Box::pin(guess));
        told.await.unwrap_or_else(|_| Err(Error::unavailable("the server is stopping; nothing was tried")))
    }

    async fn guess(&self, wrap: &Wrap, text: &Secret<String>) -> Result<Given, Error> {
        let mut guesses = self.0.guesses.lock().await;
        if let Some(retry_after) = guesses.wait(self.host().monotonic()) {
            let words = "too many wrong passphrases: wait, then try again";
            return Err(Error::new(ErrorKind::RateLimited { retry_after }, words));
        }
        let given = Given::read(self.crypto(), &**self.host(), wrap, text).await;
        guesses.note(given.is_ok(), self.host().monotonic());
        given
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_guesses_are_seldom_and_a_right_one_forgives() {
        let (mut guesses, start) = (Guesses::default(), Duration::from_secs(100));
        for _ in 1..PASSPHRASE_WRONG_MAX {
            guesses.note(false, start);
            assert_eq!(guesses.wait(start), None);
        }
        guesses.note(false, start);
        assert_eq!(guesses.wait(start), Some(PASSPHRASE_PAUSE));
        assert_eq!(guesses.wait(start + PASSPHRASE_PAUSE / 2), Some(PASSPHRASE_PAUSE / 2));
        let later = start + PASSPHRASE_PAUSE;
        assert_eq!(guesses.wait(later), None);
        guesses.note(false, later);
        assert_eq!(guesses.wait(later), Some(PASSPHRASE_PAUSE), "and every further one");
        guesses.note(true, later + PASSPHRASE_PAUSE);
        guesses.note(false, later + PASSPHRASE_PAUSE);
        assert_eq!(guesses.wait(later + PASSPHRASE_PAUSE), None);
    }
}
