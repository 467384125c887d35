//! `audit verify`: asks the server to check its own log.

use crate::{
    context::Context,
    failure::{Failure, OK, REMOTE},
    output,
};
use clap::Args;
use serde_json::Value;

#[derive(Args, Debug)]
pub(super) struct Verify {}

impl Verify {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Failure> {
        let reply = context.client()?.audit_verify().await?;
        let data = reply.data();
        context.print(data, data, || data.as_object().map(output::object_table).unwrap_or_default())?;
        Ok(if data["valid"] == Value::Bool(true) { OK } else { REMOTE })
    }
}
