//! `sys/storage/raft/snapshot`: a snapshot of the store while it serves, under the path that backup tools call. What
//! takes one in is a server without a vault: a vault that serves is never overwritten.

use super::row;
use crate::{
    Operation::{Read, Write},
    cx::Cx,
    engine::{Access::Sudo, Route},
    error::Error,
    request::Reply,
};

/// The rows of this file.
#[rustfmt::skip]
pub(super) const ROUTES: &[Route] = &[
    row(Read, "storage/raft/snapshot", Sudo, "Everything that the store holds, sealed, as one file.", &[],
        |cx, _| Box::pin(save(cx))),
    row(Write, "storage/raft/snapshot", Sudo, "Refused: a snapshot goes into a server that has no vault yet.", &[],
        |_, _| Box::pin(async { Err(Error::vault_stands()) })),
    row(Write, "storage/raft/snapshot-force", Sudo, "Refused, as `snapshot` is.", &[],
        |_, _| Box::pin(async { Err(Error::vault_stands()) })),
];

async fn save(cx: &mut Cx) -> Result<Reply, Error> {
    Ok(Reply { bytes: Some(Box::new(cx.save().await?)), ..Reply::empty() })
}
