//! Wrapping at the door: the reply of any request is put away in the request's own commit, and its caller gets the token
//! that takes it out.

use crate::{
    cx::Cx,
    error::Error,
    request::{Reply, Request, Shape},
    token::{NewWrapping, document, make_wrapping},
};
use std::time::Duration;

/// Puts a reply away if the request asks for it. A reply that says nothing holds nothing to be put away.
pub(super) fn wrapped(cx: &mut Cx, request: &Request, reply: Reply) -> Result<Reply, Error> {
    let Some(ttl) = request.wrap_ttl.filter(|ttl| !ttl.is_zero()) else { return Ok(reply) };
    if reply.shape == Shape::Gone {
        return Err(Error::not_found()); // What is gone is told by its metadata, and those were not to be shown.
    }
    if reply.bytes.is_some() {
        return Err(Error::invalid("this answer is too long to be wrapped; leave out the wrap TTL"));
    }
    if reply.is_empty() || reply.wrap.is_some() {
        return Ok(reply);
    }
    let document = document(&request.id, &reply)?;
    let new = NewWrapping {
        path: &request.path,
        ttl: Duration::from_secs(ttl.as_secs()),
        document: &document,
        generation: cx.newest_revocation(),
        wrapped_accessor: reply.auth.as_ref().map(|auth| auth.accessor.clone()),
    };
    let info = cx.stage_wrapping(make_wrapping(cx.barrier()?, new, cx.now())?)?;
    let Reply { mount_type, pattern, time, .. } = reply;
    Ok(Reply { wrap: Some(info), mount_type, pattern, time, ..Reply::empty() })
}
