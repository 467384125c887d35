//! A disk as `strace` saw it: what each file holds for certain, what was written and not yet synced, and which names
//! are certain. A name is certain once its folder was synced, a byte once its file was.

use secrethub_core::testing::Seed;
use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::Path,
};

/// One thing that a process did to the folder of its database, files by their names there.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A file was opened to be written, and made if there was none.
    Opened { file: String },
    /// A write began; it may reach the disk from now on.
    Written { file: String, at: usize, bytes: Vec<u8> },
    /// A file's length was set.
    Cut { file: String, length: usize },
    /// A file's bytes (or, for the folder, its names) are certain: everything that was done before `since` events.
    Synced { file: String, since: usize },
    /// A name went.
    Removed { file: String },
    /// The writer said that this commit was answered.
    Acked(u64),
}

/// What becomes of writes that were never synced.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unsynced {
    /// None reached the disk.
    Lost,
    /// Any of them did, in any order.
    PartlyKept,
}

#[derive(Clone, Debug, Default)]
struct File {
    certain: Vec<u8>,
    /// Changes in their order, each with the number of the event that made it.
    pending: Vec<(usize, Change)>,
}

#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Cut(usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(at, new) => {
                let end = at + new.len();
                bytes.resize(bytes.len().max(end), 0);
                bytes[*at..end].copy_from_slice(new);
            }
            Self::Cut(length) => bytes.resize(*length, 0),
        }
    }
}

/// The folder of a database.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    files: Vec<File>,
    names: BTreeMap<String, usize>,
    certain_names: BTreeMap<String, usize>,
    events: usize,
}

/// The name under which the folder itself is synced.
const FOLDER: &str = "";

impl Disk {
    /// A folder that holds one file for certain.
    pub(crate) fn of(path: &Path) -> Self {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let file = File { certain: fs::read(path).unwrap(), pending: Vec::new() };
        let names = BTreeMap::from([(name, 0)]);
        Self { files: vec![file], certain_names: names.clone(), names, events: 0 }
    }

    /// What an event does. Answers the commit that it acknowledges.
    pub(crate) fn apply(&mut self, event: &Event) -> Option<u64> {
        let now = self.events;
        self.events += 1;
        match event {
            Event::Opened { file } => drop(self.file(file)),
            Event::Written { file, at, bytes } => {
                self.file(file).pending.push((now, Change::Write(*at, bytes.clone())));
            }
            Event::Cut { file, length } => self.file(file).pending.push((now, Change::Cut(*length))),
            Event::Synced { file, .. } if file == FOLDER => self.certain_names = self.names.clone(),
            Event::Synced { file, since } => self.file(file).sync(*since),
            Event::Removed { file } => drop(self.names.remove(file)),
            Event::Acked(n) => return Some(*n),
        }
        None
    }

    /// What is found when the power is back.
    pub(crate) fn power_off(mut self, seed: &mut Seed, unsynced: Unsynced) -> Self {
        if matches!(unsynced, Unsynced::PartlyKept) {
            for file in &mut self.files {
                for (_, change) in std::mem::take(&mut file.pending) {
                    if seed.chance(500) {
                        change.apply(&mut file.certain);
                    }
                }
            }
        }
        self
    }

    /// Builds the folder.
    pub(crate) fn write_to(&self, folder: &Path) {
        for (name, file) in &self.certain_names {
            fs::write(folder.join(name), &self.files[*file].certain).unwrap();
        }
    }

    fn file(&mut self, name: &str) -> &mut File {
        let next = self.files.len();
        let index = *self.names.entry(name.to_owned()).or_insert(next);
        if index == next {
            self.files.push(File::default());
        }
        &mut self.files[index]
    }
}

impl File {
    fn sync(&mut self, since: usize) {
        let (done, rest) = std::mem::take(&mut self.pending).into_iter().partition(|(at, _)| *at < since);
        self.pending = rest;
        let done: Vec<(usize, Change)> = done;
        done.iter().for_each(|(_, change)| change.apply(&mut self.certain));
    }
}

/// Reads the log of `strace -f -y -xx`. A write counts from its beginning, a sync from its end for what was written
/// before its beginning; an acknowledgement from its beginning.
pub(crate) fn parse(log: &str, database: &Path) -> Vec<Event> {
    let folder = format!("{}/", database.parent().unwrap().display());
    let mut events = Vec::new();
    // Syncs under way, by thread.
    let mut syncs: HashMap<&str, (String, usize)> = HashMap::new();
    for line in log.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        if call.starts_with("<... fsync resumed>") || call.starts_with("<... fdatasync resumed>") {
            if let Some((file, since)) = syncs.remove(thread) {
                events.push(Event::Synced { file, since });
            }
            continue;
        }
        let Some((name, arguments)) = call.split_once('(') else { continue };
        match event(name, arguments, &folder, events.len()) {
            Some(Event::Synced { file, since }) if call.ends_with("<unfinished ...>") => {
                syncs.insert(thread, (file, since));
            }
            Some(event) => events.push(event),
            None => {}
        }
    }
    events
}

fn event(name: &str, arguments: &str, folder: &str, now: usize) -> Option<Event> {
    // The file that a descriptor stands for is between angle brackets, text is between quotes, both in hex.
    let of_descriptor = || file_name(&text(arguments.split_once('<')?.1.split_once('>')?.0), folder);
    let of_path = || file_name(&text(arguments.split('"').nth(1)?), folder);
    let numbers = || arguments.rsplit_once('"').map_or(arguments, |(_, rest)| rest);
    let number = |at: usize| {
        let digits = numbers().split(',').nth(at)?.trim();
        digits.split(|c: char| !c.is_ascii_digit()).next()?.parse::<usize>().ok()
    };
    Some(match name {
        "openat" if arguments.contains("O_CREAT") => Event::Opened { file: of_path()? },
        "pwrite64" => {
            let bytes = bytes(arguments.split('"').nth(1)?);
            Event::Written { file: of_descriptor()?, at: number(2)?, bytes }
        }
        "write" => acked(&text(arguments.split('"').nth(1)?))?,
        "ftruncate" => Event::Cut { file: of_descriptor()?, length: number(1)? },
        "fsync" | "fdatasync" => Event::Synced { file: of_descriptor()?, since: now },
        "unlink" | "unlinkat" => Event::Removed { file: of_path()? },
        _ => return None,
    })
}

fn acked(text: &str) -> Option<Event> {
    text.trim().strip_prefix("acked ")?.parse().ok().map(Event::Acked)
}

/// The name within the folder, or [`FOLDER`] for the folder itself. The shared memory is rebuilt at every recovery.
fn file_name(path: &str, folder: &str) -> Option<String> {
    if path == folder.trim_end_matches('/') {
        return Some(FOLDER.to_owned());
    }
    let name = path.strip_prefix(folder)?;
    (name.starts_with("vault.db") && !name.ends_with("-shm") && !name.ends_with(".lock"))
        .then(|| name.to_owned())
}

fn text(hex: &str) -> String {
    String::from_utf8_lossy(&bytes(hex)).into_owned()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map_or(0, |digit| digit as u8);
    let escape = |at: &[u8]| (digit(at[2]) << 4) | digit(at[3]);
    hex.as_bytes().chunks_exact(4).map(escape).collect()
}
