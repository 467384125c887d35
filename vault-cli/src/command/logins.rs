//! What the commands of auth methods share: things with a name below a path, with settings.

use super::generic::plain;
use crate::{
    context::{self, Context},
    failure::Failure,
    input,
};
use serde_json::Value;

/// A kind of thing.
#[derive(Clone, Copy)]
pub(super) struct Thing<'a> {
    /// Where they stand.
    pub(super) below: &'a str,
    /// What one is called.
    pub(super) what: &'a str,
}

impl Thing<'_> {
    fn at(self, name: &str) -> String {
        format!("{}/{}", self.below, plain(name))
    }
}

pub(super) async fn write(
    context: &Context,
    thing: Thing<'_>,
    name: &str,
    fields: &[String],
) -> Result<u8, Failure> {
    let body = Value::Object(input::fields(fields)?);
    let reply = context.client()?.write(&thing.at(name), &body).await?;
    context::done(&reply, &format!("Success! Data written to: {}", thing.at(name)))
}

pub(super) async fn read(context: &Context, thing: Thing<'_>, name: &str) -> Result<u8, Failure> {
    context.print_reply(&context.client()?.read(&thing.at(name), &[]).await?, "")
}

pub(super) async fn list(context: &Context, thing: Thing<'_>) -> Result<u8, Failure> {
    context.print_keys(&context.client()?.list(thing.below).await?)
}

pub(super) async fn delete(context: &Context, thing: Thing<'_>, name: &str) -> Result<u8, Failure> {
    let reply = context.client()?.delete(&thing.at(name)).await?;
    context::done(&reply, &format!("Success! Deleted the {} (if it existed): {name}", thing.what))
}
