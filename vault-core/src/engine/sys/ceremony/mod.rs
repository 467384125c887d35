//! Ceremonies: what several people do together, one share each. The state of a ceremony is a document of this mount,
//! sealed like any other, so any node takes the next share and none has to be the one that took the first. What was
//! given is in it until the ceremony ends, is cancelled, or its time is up.
//!
//! | file | ceremony |
//! |---|---|
//! | `generate_root` | a new root token |
//! | `rekey` | new unseal or recovery shares |
//! | `told` | new shares are told again, should the answer be lost |
//! | `verify` | the new shares prove themselves before they count |

mod generate_root;
mod rekey;
mod routes;
mod told;
mod verify;

pub(super) use routes::TABLES;

use crate::{
    Secret,
    barrier::{Opened, Quorum, Wrap},
    cx::{Cx, Item},
    engine::Call,
    error::Error,
    id::Timestamp,
    limits::CEREMONY_TTL,
    request::Reply,
    store::Entry,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A running ceremony, as stored (format 1).
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ceremony<T> {
    format: u8,
    /// Names this run: who gives a share says to what.
    nonce: String,
    /// When it was begun.
    started: Timestamp,
    /// When it is over even if nobody ends it.
    expires: Timestamp,
    /// The shares given so far.
    quorum: Quorum,
    /// What it is to bring about.
    task: T,
}

/// A ceremony's place in the store, and the one that is running there.
struct Place<T> {
    key: String,
    /// What stands there, be it expired.
    item: Option<Item>,
    running: Option<Ceremony<T>>,
}

impl<T: Serialize + DeserializeOwned> Place<T> {
    async fn read(cx: &mut Cx, name: &str) -> Result<Self, Error> {
        let key = format!("{PREFIX}{name}");
        let item = cx.get(&key).await?;
        let stored = item.as_ref().map(Item::json::<Ceremony<T>>).transpose()?;
        Ok(Self { key, item, running: stored.filter(|ceremony| ceremony.expires > cx.now()) })
    }

    /// Begins one; there must be none.
    fn begin(&mut self, cx: &mut Cx, wrap: &Wrap, task: T) -> Result<(), Error> {
        let (format, nonce, started) = (1, cx.make_uuid()?, cx.now());
        let (expires, quorum) = (started.plus(CEREMONY_TTL), Quorum::of(wrap));
        self.running = Some(Ceremony { format, nonce, started, expires, quorum, task });
        self.save(cx)
    }

    fn save(&self, cx: &mut Cx) -> Result<(), Error> {
        match (&self.item, &self.running) {
            (Some(item), Some(running)) => cx.replace_json(item, running),
            (None, Some(running)) => cx.create_json(&self.key, running),
            (_, None) => Ok(()),
        }
    }

    /// Removes it, with the shares in it.
    fn end(&mut self, cx: &mut Cx) -> Result<(), Error> {
        self.running = None;
        self.item.as_ref().map_or(Ok(()), |item| cx.remove(item))
    }

    fn running(&mut self, what: &str) -> Result<&mut Ceremony<T>, Error> {
        self.running.as_mut().ok_or_else(|| Error::invalid(format!("no {what} in progress")))
    }

    /// Takes a share for `wrap`. `Some` when it completes a right set; else the document is staged with it. A full
    /// set that was wrong is forgotten in the store too.
    async fn contribute(
        &mut self,
        cx: &mut Cx,
        read: &Entry,
        wrap: &Wrap,
        share: &Secret<String>,
    ) -> Result<Option<Opened>, Error> {
        let crypto = cx.system().crypto();
        let given = cx.system().read_given(wrap, share).await?;
        let Some(running) = &mut self.running else { return Ok(None) };
        let before = running.quorum.count();
        let given = running.quorum.take(crypto, wrap, given);
        let after = running.quorum.count();
        cx.guard_seal(read)?;
        match &given {
            Ok(None) => self.save(cx)?,
            Err(_) if after != before => {
                self.save(cx)?;
                cx.stand();
            }
            Ok(Some(_)) | Err(_) => {}
        }
        given
    }
}

impl<T> Ceremony<T> {
    /// Shares that count for this guard; those of an earlier one are worthless.
    fn progress(&self, wrap: &Wrap) -> u8 {
        if self.quorum.is_of(wrap) { self.quorum.count() } else { 0 }
    }
}

/// Where running ceremonies stand below the mount.
const PREFIX: &str = "ceremony/";

/// How many shares a guard asks for.
fn required(wrap: &Wrap) -> u8 {
    wrap.guard().counts().1
}

/// The share in a request.
fn share(call: Call<'_>) -> Result<Secret<String>, Error> {
    call.required_text("key").map(Secret::new)
}

/// A share names the ceremony that its holder means, so that it is not given for another.
fn check_nonce(call: Call<'_>, nonce: &str) -> Result<(), Error> {
    match call.text("nonce")?.filter(|given| !given.is_empty()) {
        Some(given) if given == nonce => Ok(()),
        Some(_) => Err(Error::invalid(
            "incorrect nonce: this ceremony was cancelled or another was begun since; look at its status",
        )),
        None => Err(Error::invalid("missing nonce: give the one that the ceremony's status shows")),
    }
}

/// Cancelling: a nonce that is given must be the right one, and a stranger must give it.
fn check_cancel(cx: &Cx, call: Call<'_>, nonce: &str) -> Result<(), Error> {
    let given = call.text("nonce")?.is_some_and(|given| !given.is_empty());
    if given || cx.identity().is_none() { check_nonce(call, nonce) } else { Ok(()) }
}

/// New shares as they are told, once.
#[derive(Serialize)]
struct Told {
    keys: Vec<String>,
    keys_base64: Vec<String>,
}

impl Told {
    fn of(shares: &crate::barrier::Shares) -> Self {
        use base64::Engine as _;
        let base64 = base64::engine::general_purpose::STANDARD;
        Self {
            // EXPOSE: the reply that makes shares is the one place they may leave.
            keys: shares.iter().map(|share| hex::encode(share.expose())).collect(),
            // EXPOSE: as above.
            keys_base64: shares.iter().map(|share| base64.encode(share.expose())).collect(),
        }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        use zeroize::Zeroize;
        self.keys.zeroize();
        self.keys_base64.zeroize();
    }
}

/// Where nothing is kept there is nothing to fetch: a backup is of shares that were encrypted to PGP keys.
async fn no_backup() -> Result<Reply, Error> {
    Err(Error::invalid(
        "no backed-up keys found: shares are backed up only when they are encrypted to PGP keys, which is not available yet",
    ))
}

async fn delete_backup() -> Result<Reply, Error> {
    Ok(Reply::empty())
}
