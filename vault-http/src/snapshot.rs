//! Snapshots on the wire: out as they are read from the store; in, a piece at a time, to a server that has no vault yet.
//! Neither is ever in memory as a whole.

use crate::{
    archive::{Pack, Unpack},
    decode::Head,
    limits::Limits,
    router::App,
};
use axum::body::Body;
use futures::stream;
use http::{HeaderMap, header::ACCEPT};
use http_body_util::BodyExt;
use secrethub_core::{Error, ErrorKind, Operation, Reply, backup::Restore, request::Bytes};
use std::sync::Arc;

/// Where a snapshot is posted to.
const PATHS: [&str; 2] = ["sys/storage/raft/snapshot", "sys/storage/raft/snapshot-force"];

/// The media type of a snapshot as it is; whoever does not ask for it gets the archive that backup tools expect.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.secrethub.snapshot";

/// A snapshot in the form that a client asks for, and the media type of that. It ends where the answer does; an error
/// cuts the connection, so that no client takes a part for the whole.
pub(crate) fn stream(bytes: Box<dyn Bytes>, headers: &HeaderMap) -> (Body, &'static str) {
    let bare = headers.get(ACCEPT).is_some_and(|accept| accept.as_bytes() == MEDIA_TYPE.as_bytes());
    let pack = if bare { None } else { Some(Pack::new()) };
    let body = Body::from_stream(stream::try_unfold(Some((bytes, pack)), |state| async move {
        let Some((mut bytes, pack)) = state else { return Ok::<_, Error>(None) };
        let next =
            bytes.next().await.inspect_err(|error| tracing::error!(%error, "a snapshot was cut short"))?;
        Ok(match (next, pack) {
            (Some(piece), None) => Some((piece, Some((bytes, None)))),
            (Some(piece), Some(mut pack)) => {
                let packed = pack.piece(&piece).map_err(Error::internal)?;
                Some((packed, Some((bytes, Some(pack)))))
            }
            (None, None) => None,
            (None, Some(pack)) => Some((pack.finish().map_err(Error::internal)?, None)),
        })
    }));
    (body, if bare { MEDIA_TYPE } else { "application/gzip" })
}

/// What takes in the snapshot that a request brings, if it does and there is no vault yet. Else the door answers, which
/// reads no such body.
pub(crate) async fn begin(app: &App, head: &Head, body: Body) -> Result<(Option<Restore>, Body), Error> {
    if head.operation != Operation::Write || !PATHS.contains(&head.path.as_str()) {
        return Ok((None, body));
    }
    match Arc::clone(&app.door).restore().await {
        Ok(restore) => Ok((Some(restore), body)),
        Err(error) if error.kind() == ErrorKind::Invalid => Ok((None, Body::empty())),
        Err(error) => Err(error),
    }
}

/// Takes a snapshot in. What was cut short goes on when the same one is posted again.
pub(crate) async fn take(mut restore: Restore, mut body: Body, limits: &Limits) -> Result<Reply, Error> {
    let mut unpack = Unpack::default();
    loop {
        let slow = |_| Error::invalid("the snapshot did not arrive in time; post it again to go on");
        let frame = tokio::time::timeout(limits.body_timeout, body.frame()).await.map_err(slow)?;
        let Some(frame) = frame else { break };
        let cut = |source| Error::invalid("the snapshot was cut short").with_source(source);
        if let Ok(piece) = frame.map_err(cut)?.into_data() {
            restore.push(&unpack.push(&piece)?).await?;
        }
    }
    restore.push(&unpack.finish()).await?;
    let (about, tally) = restore.finish().await?;
    tracing::warn!(
        snapshot = about.id,
        taken = about.taken,
        entries = tally.entries,
        "a snapshot was restored"
    );
    Ok(Reply::empty())
}
