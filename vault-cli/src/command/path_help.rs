//! `path-help`: what can be done at a path.

use super::{Command, generic::plain};
use crate::{context::Context, failure::Failure, output};
use clap::Parser;

/// Show what can be done at a path
#[derive(Parser, Debug)]
#[command(name = "path-help")]
pub(crate) struct PathHelp {
    /// Path, e.g. secret/data/app
    path: String,
}

impl Command for PathHelp {
    async fn run(self, context: Context) -> Result<u8, Failure> {
        show(&context, plain(&self.path)).await
    }
}

/// Prints the help of a path.
pub(super) async fn show(context: &Context, path: &str) -> Result<u8, Failure> {
    let reply = context.client()?.read(path, &[("help", "1".to_owned())]).await?;
    let help = reply.body();
    context.print(help, help, || output::cell(&help["help"]))
}
