//! [`Progress`]: a line on a terminal that says how far long work has come; nothing in a pipe.

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use secrethub::core::backup::Tally;
use std::{io::IsTerminal, time::Duration};

/// How far a snapshot or a copy has come.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    bytes: u64,
}

impl Progress {
    /// A line that begins with `what`.
    pub(crate) fn start(what: &'static str) -> Self {
        let bar =
            if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        bar.set_prefix(what);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, bytes: 0 }
    }

    /// More bytes went by.
    pub(crate) fn bytes(&mut self, more: usize) {
        self.bytes += more as u64;
        self.bar.set_message(HumanBytes(self.bytes).to_string());
    }

    /// So many secrets and records were read.
    pub(crate) fn read(&self, secrets: u64, records: u64) {
        self.bar.set_message(format!("{secrets} secrets, {records} records"));
    }

    /// So much went by.
    pub(crate) fn tally(&self, tally: &Tally) {
        self.bar.set_message(format!("{} entries, {} records", tally.entries, tally.records));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
