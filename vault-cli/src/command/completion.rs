//! `completion`: a script that teaches a shell the commands.

use super::Command;
use crate::{
    context::Context,
    failure::{Failure, OK},
    output,
};
use clap::Parser;
use clap_complete::Shell;

/// Print a completion script, e.g. for ~/.bashrc: source <(secrethub completion bash)
#[derive(Parser, Debug)]
#[command(name = "completion")]
pub(crate) struct Completion {
    /// Which shell
    shell: Shell,
}

impl Command for Completion {
    async fn run(self, _context: Context) -> Result<u8, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::command_line(), "secrethub", &mut script);
        output::say(String::from_utf8_lossy(&script))?;
        Ok(OK)
    }
}
