//! Failed logins, counted for each address and name at every auth method: whoever guesses waits, before a handler has
//! looked at what was guessed. The counts stand in the store, so all nodes agree; the address is in the key, so nobody can
//! shut a user out from elsewhere.

use super::admit::Admitted;
use crate::{
    cx::{Cx, Item},
    engine::{Access, Place},
    error::{Error, ErrorKind},
    id::Timestamp,
    limits::{LOGIN_FAILURES_MAX, LOGIN_FAILURES_WINDOW},
    rate::Network,
    request::{Operation, Reply, Request},
    system::{
        Turn,
        login_failures::{LoginFailures, around, name_at},
    },
};
use std::time::Duration;

/// Fields that say who somebody claims to be, at methods whose path does not.
const NAMES: &[&str] = &["role_id", "role", "username"];

/// Runs the engine; a login only if not too many of its kind have failed. Of many at once only so many are tried at a time
/// as may fail: the turn must last until the outcome is committed, where the next ones find it.
pub(super) async fn call(
    cx: &mut Cx,
    admitted: &Admitted<'_>,
    request: &Request,
    turn: &mut Option<Turn>,
) -> Result<Reply, Error> {
    let Some(who) = who(cx, admitted, request)? else { return super::call(cx, admitted, request).await };
    *turn = Some(cx.system().turnstile().wait_among(&format!("login/{who}"), LOGIN_FAILURES_MAX).await?);
    let recent = Recent::read(cx, &who).await?;
    recent.check(cx.now())?;
    let answer = super::call(cx, admitted, request).await;
    match &answer {
        Err(error) if error.kind() == ErrorKind::Credentials => recent.add(cx, &who)?,
        Ok(_) => recent.hold(cx)?,
        Err(_) => {}
    }
    answer
}

/// A keyed hash of address, method and name; nothing for what is no login. Who asks in the same process has no address,
/// and guesses at nobody's secrets but its own.
fn who(cx: &Cx, admitted: &Admitted<'_>, request: &Request) -> Result<Option<String>, Error> {
    let login = admitted.route.access == Access::Login
        && admitted.engine.place == Place::Auth
        && request.operation == Operation::Write;
    let Some(address) = request.remote.address.filter(|_| login) else { return Ok(None) };
    // Methods differ in whether the case of a name matters. To them it may not: it would multiply the guesses.
    let mut name = format!("{}\n{}", Network::from(address), request.path.to_lowercase());
    for field in NAMES {
        let text = request.fields.get(*field).and_then(|value| value.as_str()).unwrap_or_default();
        name.push('\n');
        name.push_str(&text.to_lowercase());
    }
    Ok(Some(hex::encode(cx.barrier()?.value_hash("login-failures", name.as_bytes()))))
}

/// What the store has of this address and name.
struct Recent {
    /// Of the minute before, this one, and the one after, which a node has begun whose clock is ahead.
    minutes: Vec<Option<Item>>,
    times: Vec<Timestamp>,
}

impl Recent {
    async fn read(cx: &mut Cx, who: &str) -> Result<Self, Error> {
        let minutes = cx.root_items(&around(cx.now()).map(|time| name_at(time, who))).await?;
        let mut times = Vec::new();
        for item in minutes.iter().flatten() {
            times.extend(LoginFailures::parse(item.bytes())?.times);
        }
        times.sort_unstable();
        Ok(Self { minutes, times })
    }

    /// Says how long to wait. Existing names and others are refused alike: nobody has looked at them.
    fn check(&self, now: Timestamp) -> Result<(), Error> {
        match wait(&self.times, now) {
            None => Ok(()),
            Some(retry_after) => Err(Error::new(
                ErrorKind::RateLimited { retry_after },
                "too many failed logins from this address; wait, then try again",
            )),
        }
    }

    /// One more. It stands although the login is refused; of what the engine has staged only what stands anyway.
    fn add(&self, cx: &mut Cx, who: &str) -> Result<(), Error> {
        if !cx.stands {
            cx.staged.clear();
            cx.effects.clear();
        }
        cx.stand();
        let now = cx.now();
        match self.minutes.get(1).and_then(Option::as_ref) {
            None => cx.create_root_json(&name_at(now, who), &LoginFailures::new(now)),
            Some(item) => {
                let failures = LoginFailures::parse(item.bytes())?.with(now);
                cx.replace_json(item, &failures)
            }
        }
    }

    /// Holds a login that succeeds to the failures that were seen: of many at once the late ones wait, too.
    fn hold(&self, cx: &mut Cx) -> Result<(), Error> {
        self.minutes.iter().flatten().try_for_each(|item| cx.guard(item))
    }
}

/// Until so few stand within the window that one more may be tried.
fn wait(times: &[Timestamp], now: Timestamp) -> Option<Duration> {
    let oldest = times.len().checked_sub(LOGIN_FAILURES_MAX).map(|at| times[at])?;
    let over = oldest.plus(LOGIN_FAILURES_WINDOW).since(now);
    Some(over).filter(|wait| !wait.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_slides() {
        let check = |seconds: &[u64], now: u64, expect: Option<u64>| {
            let at = |seconds: u64| Timestamp(seconds * 1_000_000);
            let times: Vec<Timestamp> = seconds.iter().copied().map(at).collect();
            assert_eq!(wait(&times, at(now)).map(|wait| wait.as_secs()), expect, "{seconds:?} {now}");
        };
        check(&[], 100, None);
        check(&[100, 101, 102, 103], 103, None);
        check(&[100, 101, 102, 103, 104], 104, Some(56));
        check(&[100, 101, 102, 103, 104], 159, Some(1));
        check(&[100, 101, 102, 103, 104], 160, None);
        check(&[100, 101, 102, 103, 104, 105], 160, Some(1));
        // A node's clock that is ahead frees nobody.
        check(&[100, 101, 102, 103, 109], 104, Some(56));
    }
}
