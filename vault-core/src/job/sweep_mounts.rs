//! Removes what stood below mounts that were disabled. Nothing leads there any more, and nothing can be written there:
//! every write is held to its lane's epoch, which the disabling replaced. The tombstone goes last.

use super::{Job, Work, background::Background};
use crate::{
    error::Error,
    limits::{EXPIRE_PAGE, SWEEP_PAGES},
    store::{Entry, Key, Op},
    system::UNMOUNTED_PREFIX,
};
use serde::Deserialize;
use std::time::Duration;

pub(super) const JOB: Job = Job {
    name: "sweep-mounts",
    every: Duration::from_secs(5),
    work: Work::Shared { shards: 1, activate: |background| Box::pin(activate(background)) },
};

/// What is left of a mount (format 1); its id is in the key.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Unmounted {
    format: u8,
    path: String,
}

async fn activate(background: &Background<'_>) -> Result<(), Error> {
    for tombstone in background.page(UNMOUNTED_PREFIX, EXPIRE_PAGE).await? {
        sweep(background, &tombstone).await?;
    }
    Ok(())
}

/// A bounded piece of one mount.
async fn sweep(background: &Background<'_>, tombstone: &Entry) -> Result<(), Error> {
    let Unmounted { format, path } =
        background.open(tombstone, |bytes| serde_json::from_slice(bytes).ok())?;
    if format != 1 {
        return Err(Error::internal(format!("{} is of format {format}", tombstone.key)));
    }
    let id = &tombstone.key.as_str()[UNMOUNTED_PREFIX.len()..];
    // What it kept, and what tokens rested on that it gave.
    let (below, holders) = (format!("ns/0/m/{id}/"), format!("ns/0/standing/{id}/"));
    for _ in 0..SWEEP_PAGES {
        let mut page = background.page(&below, EXPIRE_PAGE).await?;
        if page.is_empty() {
            page = background.page(&holders, EXPIRE_PAGE).await?;
        }
        let mut ops: Vec<(Key, Op)> =
            page.into_iter().map(|entry| (entry.key, Op::Remove(entry.rev))).collect();
        let done = ops.is_empty();
        if done {
            ops.push((tombstone.key.clone(), Op::Remove(tombstone.rev)));
        }
        // If another node was first, it goes on with it.
        if !background.try_submit("sweep", &path, ops).await? || done {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_tombstone_format_1() {
        let golden = r#"{"format":1,"path":"kv/"}"#;
        let expect = Unmounted { format: 1, path: "kv/".into() };
        assert_eq!(serde_json::from_str::<Unmounted>(golden).unwrap(), expect);
    }
}
