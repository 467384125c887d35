//! `audit export`: all matching records as a file.

use super::Which;
use crate::{
    context::Context,
    failure::{Failure, OK},
    output::Format,
};
use clap::Args;
use secrethub_client::Download;
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
        let download = context.client()?.audit_export(&self.which.into(), format).await?;
        match self.output {
            None => copy(download, &mut io::stdout()).await?,
            Some(path) => to_file(download, &path).await?,
        }
        Ok(OK)
    }
}

async fn to_file(download: Download, path: &Path) -> Result<(), Failure> {
    let about = |error: io::Error| Failure::from(error).about(&path.display().to_string());
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(about)?;
    copy(download, &mut file).await?;
    file.sync_all().map_err(about)
}

async fn copy(mut download: Download, out: &mut (dyn Write + Send)) -> Result<(), Failure> {
    while let Some(piece) = download.piece().await? {
        out.write_all(&piece)?;
    }
    Ok(out.flush()?)
}
