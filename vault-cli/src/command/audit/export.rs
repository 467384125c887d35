//! `audit export`: all matching records as a file.

use super::Which;
use crate::{
    context::Context,
    failure::{Failure, OK},
    output::Format,
};
use clap::Args;
use secrethub::core::limits::AUDIT_PAGE_MAX;
use secrethub_client::{AuditSearch, Client};
use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

#[derive(Args, Debug)]
pub(super) struct Export {
    #[command(flatten)]
    which: Which,
    /// Write to a new file instead of stdout
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Export {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Failure> {
        let format = match context.format()? {
            Format::Csv => "csv",
            Format::Table | Format::Json => "json",
            Format::Yaml => {
                return Err(Failure::local("an export is csv or json").hint("use --format csv or json"));
            }
        };
        let (client, search) = (context.client()?, self.which.into());
        match self.output {
            None => copy(&client, search, format, &mut io::stdout()).await?,
            Some(path) => to_file(&client, search, format, &path).await?,
        }
        Ok(OK)
    }
}

async fn to_file(client: &Client, search: AuditSearch, format: &str, path: &Path) -> Result<(), Failure> {
    let about = |error: io::Error| Failure::from(error).about(&path.display().to_string());
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(about)?;
    copy(client, search, format, &mut file).await?;
    file.sync_all().map_err(about)
}

/// Page by page, so that a log of any length passes through little memory.
async fn copy(
    client: &Client,
    mut search: AuditSearch,
    format: &str,
    out: &mut (dyn Write + Send),
) -> Result<(), Failure> {
    search.limit = Some(AUDIT_PAGE_MAX);
    loop {
        let reply = client.audit_export(&search, format).await?;
        let data = reply.data();
        out.write_all(data["text"].as_str().unwrap_or_default().as_bytes())?;
        match data["next"].as_str() {
            Some(next) => search.cursor = Some(next.to_owned()),
            None => return Ok(out.flush()?),
        }
    }
}
