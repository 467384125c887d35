//! New shares prove themselves: until a quorum of them was given, the old ones stay in force. So nobody is locked out
//! by a share that was written down wrong.

use super::{
    Place, check_cancel, check_nonce,
    rekey::{Family, Pending, Rekey, WHAT, put_in_force},
    share,
};
use crate::{barrier::Quorum, cx::Cx, engine::Call, error::Error, request::Reply};
use serde_json::{Value, json};

pub(super) async fn status(cx: &mut Cx, family: Family) -> Result<Reply, Error> {
    let mut place = Place::<Rekey>::read(cx, family.name).await?;
    Reply::shaped(family.shape, &describe(&mut place)?)
}

/// Starts the verification over, not the rekey.
pub(super) async fn restart(cx: &mut Cx, call: Call<'_>, family: Family) -> Result<Reply, Error> {
    let mut place = Place::<Rekey>::read(cx, family.name).await?;
    let nonce = cx.make_uuid()?;
    let running = place.running(WHAT)?;
    let pending = running.task.pending.as_mut().ok_or_else(none)?;
    check_cancel(cx, call, &pending.nonce)?;
    pending.nonce = nonce;
    running.quorum = Quorum::of(&pending.wrap);
    place.save(cx)?;
    cx.note_operation("rekey-verify-restart");
    Reply::shaped(family.shape, &describe(&mut place)?)
}

pub(super) async fn update(cx: &mut Cx, call: Call<'_>, family: Family) -> Result<Reply, Error> {
    let mut place = Place::<Rekey>::read(cx, family.name).await?;
    let Pending { nonce, wrap } = place.running(WHAT)?.task.pending.as_ref().ok_or_else(none)?;
    let (nonce, wrap) = (nonce.clone(), wrap.clone());
    check_nonce(call, &nonce)?;
    let (read, file) = cx.seal_entry().await?;
    family.check(&file)?;
    if place.contribute(cx, &read, &wrap, &share(call)?).await?.is_none() {
        return Reply::shaped(family.shape, &describe(&mut place)?);
    }
    put_in_force(cx, &mut place, &read, &file, wrap)?;
    Reply::shaped(family.shape, &json!({ "nonce": nonce, "complete": true }))
}

fn none() -> Error {
    Error::invalid(
        "no rekey verification in progress: it begins when the old shares of a rekey with require_verification have been given",
    )
}

fn describe(place: &mut Place<Rekey>) -> Result<Value, Error> {
    let running = place.running(WHAT)?;
    let pending = running.task.pending.as_ref();
    Ok(json!({
        "nonce": pending.map_or("", |pending| pending.nonce.as_str()),
        "started": pending.is_some(),
        "t": running.task.threshold,
        "n": running.task.shares,
        "progress": pending.map_or(0, |pending| running.progress(&pending.wrap)),
    }))
}
