//! `secret create|fetch`: the first seed's API, one value in, one id out.

use super::Command;
use crate::{
    context::Context,
    failure::{Failure, OK},
    input, output,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::{Parser, Subcommand};
use serde_json::json;
use std::io::{self, IsTerminal, Write};
use zeroize::Zeroizing;

/// Store one value and get an id; fetch it by the id
#[derive(Parser, Debug)]
#[command(name = "secret")]
pub(crate) struct Secret {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Store the bytes of stdin or of a file; prints the id
    Create {
        /// `-` for stdin (the default), `@FILE` for a file
        #[arg(value_name = "SOURCE", default_value = "-")]
        source: String,
    },
    /// Print the bytes stored under an id
    Fetch {
        /// What `create` printed
        id: String,
        /// Print base64, as it stands on the wire
        #[arg(long)]
        base64: bool,
    },
}

impl Command for Secret {
    async fn run(self, context: Context) -> Result<u8, Failure> {
        let client = context.client()?;
        match self.action {
            Action::Create { source } => {
                let text = Zeroizing::new(STANDARD.encode(read(&source)?));
                let id = client.secret_create(&text).await?;
                let whole = json!({"secret_id": id});
                context.print(&whole, &whole, || id)
            }
            Action::Fetch { id, base64 } => {
                let text = Zeroizing::new(client.secret_fetch(&id).await?);
                let whole = json!({"secret": *text});
                if base64 || context.field().is_some() || context.format()? != output::Format::Table {
                    return context.print(&whole, &whole, || text.to_string());
                }
                print(&text)
            }
        }
    }
}

fn read(source: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let bytes = match (source, source.strip_prefix('@')) {
        ("-", _) => input::bytes_of(&mut io::stdin().lock(), "stdin")?,
        (_, Some(path)) => {
            let mut file = std::fs::File::open(path).map_err(|error| Failure::from(error).about(path))?;
            input::bytes_of(&mut file, path)?
        }
        _ => {
            let hint = "pipe the value into stdin, or give @FILE";
            return Err(Failure::local("a secret is not taken from the command line").hint(hint));
        }
    };
    Ok(Zeroizing::new(bytes))
}

/// The bytes themselves: binary is not thrown at a terminal.
fn print(text: &str) -> Result<u8, Failure> {
    let bad = |_| Failure::remote("the server's answer is not base64");
    let bytes = Zeroizing::new(STANDARD.decode(text).map_err(bad)?);
    let mut out = io::stdout().lock();
    if out.is_terminal() && std::str::from_utf8(&bytes).is_err() {
        return Err(Failure::local("the value is binary").hint("redirect it to a file, or use --base64"));
    }
    out.write_all(&bytes)?;
    if out.is_terminal() {
        writeln!(out)?;
    }
    out.flush()?;
    Ok(OK)
}
