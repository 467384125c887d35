//! `secrethub`: the one binary. It hardens itself, reads the command line, runs one command, and says in words and
//! by its exit code how that went.

mod argv;
mod command;
mod config;
mod context;
mod failure;
mod harden;
mod input;
mod memory_lock;
mod output;
mod progress;
mod server;
mod token_file;

use clap::FromArgMatches;
use context::Context;
use failure::{Failure, LOCAL};
use mimalloc::MiMalloc;
use std::process::ExitCode;
use zeroizing_alloc::ZeroAlloc;

/// Wipes all memory that is given back: request bodies, JSON trees and TLS buffers hold secrets too, and none of
/// them knows it. Below it an allocator that takes a fifth off a request's time, as a request makes hundreds of small
/// allocations, half of which end on another thread.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<MiMalloc> = ZeroAlloc(MiMalloc);

fn main() -> ExitCode {
    let weak = harden::harden();
    let line = command::command_line();
    let matches = match line.try_get_matches_from(argv::rewrite(std::env::args_os())) {
        Ok(matches) => matches,
        Err(error) => {
            // Help and version are no errors; if even printing fails there is nothing left to say.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(LOCAL) } else { ExitCode::SUCCESS };
        }
    };
    for reason in weak {
        output::note(format!("warning: {reason}"));
    }
    match run(&matches) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            if !failure.is_silent() {
                output::note(failure.to_string());
            }
            ExitCode::from(failure.code)
        }
    }
}

fn run(matches: &clap::ArgMatches) -> Result<u8, Failure> {
    let context = Context::from_arg_matches(matches).map_err(|error| Failure::local(error.to_string()))?;
    let Some((name, matches)) = matches.subcommand() else {
        return Err(Failure::local("no command").hint("see: secrethub --help"));
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(command::run(name, matches, context))
}
