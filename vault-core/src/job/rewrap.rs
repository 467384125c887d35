//! Brings entries that were sealed under an old key term under the active one, a few pages an activation, so that an
//! old term comes out of use some time after a rotation. Where the work stands is an entry of its own: a restart goes
//! on, and a vault whose terms did not change costs one read.

use super::{Job, Work, background::Background};
use crate::{
    barrier::rewrap_page,
    error::Error,
    limits::{REWRAP_ENTRIES, REWRAP_PAGES},
    store::{Key, Op},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

pub(super) const JOB: Job = Job {
    name: "rewrap",
    every: Duration::from_secs(10),
    work: Work::Shared { shards: 1, activate: |background| Box::pin(activate(background)) },
};

const STATE_KEY: &str = "job/rewrap";

/// Where the work stands (format 1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    format: u8,
    /// The term under which everything shall be.
    term: u32,
    /// Everything up to this key is.
    after: String,
    /// A whole pass is done.
    done: bool,
}

async fn activate(background: &Background<'_>) -> Result<(), Error> {
    let read = background.document::<State>(STATE_KEY).await?;
    let term = background.term();
    let fresh = State { format: 1, term, after: String::new(), done: term == 1 };
    let mut state =
        read.as_ref().map(|(_, state)| state.clone()).filter(|state| state.term == term).unwrap_or(fresh);
    if state.done {
        return Ok(());
    }
    for _ in 0..REWRAP_PAGES {
        let page = background.page_after("", &state.after, REWRAP_ENTRIES).await?;
        let Some(last) = page.last() else {
            state.done = true;
            break;
        };
        let last = last.key.as_str().to_owned();
        let ops = rewrap_page(background.barrier(), &page)?.ops;
        if !ops.is_empty() && !background.try_submit("rewrap", "sys/rewrap", ops).await? {
            break; // Somebody changed an entry of this page: it is read again next time.
        }
        state.after = last;
    }
    let key = Key::new(STATE_KEY).map_err(Error::internal)?;
    let sealed = background.seal(&key, &serde_json::to_vec(&state).map_err(Error::internal)?)?;
    let op =
        read.map_or_else(|| Op::Create(sealed.clone()), |(entry, _)| Op::Replace(entry.rev, sealed.clone()));
    background.submit("rewrap", "sys/rewrap", vec![(key, op)]).await
}
