//! Pulls the plug. A kill proves only that the process may die, for what it wrote lives on in the system's memory.
//! Here `strace` records every write and fsync of a process that commits; from that record the files are built again
//! as the disk holds them at some moment if nothing reached it but what was synced — or that and any part of the
//! rest. Every commit that was acknowledged by then must be there, whole.
//!
//! The test of the test: with `synchronous=OFF` the same rounds must lose acknowledged commits.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

mod disk;

use disk::{Disk, Event, Unsynced};
use secrethub_core::{
    id::{BootId, Rev},
    store::{AuditLog, Batch, Key, Sealed, Store},
    testing::{
        Seed,
        store::{columns, linked},
    },
};
use secrethub_store_sql::sqlite::{Sqlite, Tuning};
use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

/// Commits of one recording: enough bytes for two checkpoints to run between them.
const COMMITS: u64 = 150;
const VALUE_BYTES: usize = 64 * 1024;
const ROUNDS: usize = 30;
const DATABASE: &str = "vault.db";

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

fn value(n: u64) -> Sealed {
    Sealed::from_stored(n.to_be_bytes().repeat(VALUE_BYTES / 8))
}

/// Run under strace by the tests below: commits, and says so after each.
#[test]
fn writer() {
    let Some(path) = std::env::var_os("POWER_LOSS_DATABASE") else { return };
    let synchronous_off = std::env::var_os("POWER_LOSS_OFF").is_some();
    let store = Sqlite::open_with(Path::new(&path), Tuning { synchronous_off, pages_max: None }).unwrap();
    let mut stdout = std::io::stdout();
    for n in 1..=COMMITS {
        let mut batch = Batch::new(Rev(u128::from(n).to_be_bytes()));
        batch.create(key(&format!("k/{n:05}")), value(n)).unwrap();
        batch.put(key("witness"), value(n)).unwrap();
        batch.audit(linked(1, n, columns(n, "update", "k")));
        block_on(store.commit(&batch)).unwrap();
        stdout.write_all(format!("\nacked {n}\n").as_bytes()).unwrap();
        stdout.flush().unwrap();
    }
}

/// Records a writer on a fresh database. The events, and the disk as it was before the first.
fn record(folder: &Path, synchronous_off: bool) -> (Vec<Event>, Disk) {
    let path = folder.join(DATABASE);
    drop(Sqlite::open(&path).unwrap());
    let disk = Disk::of(&path);
    let log = folder.join("strace.log");
    let mut command = Command::new("strace");
    command
        .args(["-f", "-y", "-xx", "-s", "1000000", "-o"])
        .arg(&log)
        .args(["-e", "trace=openat,write,pwrite64,fsync,fdatasync,ftruncate,unlink,unlinkat,rename"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "writer", "--nocapture"])
        .env("POWER_LOSS_DATABASE", &path)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if synchronous_off {
        command.env("POWER_LOSS_OFF", "1");
    }
    let status = command.status().unwrap_or_else(|error| {
        panic!("this test needs strace: `apt-get install strace` ({error})");
    });
    assert!(status.success(), "the writer failed under strace");
    (disk::parse(&fs::read_to_string(&log).unwrap(), &path), disk)
}

/// What a database that came back after the power went must hold. Answers what is wrong.
fn inspect(path: &Path, acked: u64) -> Result<(), String> {
    let store = Sqlite::open(path).map_err(|error| error.to_string())?;
    let number = |name: &str| -> Result<u64, String> {
        let found = block_on(store.get(&[key(name)])).map_err(|error| error.to_string())?.remove(0);
        let Some(entry) = found else { return Ok(0) };
        let n = u64::from_be_bytes(entry.value.as_bytes()[..8].try_into().unwrap());
        if entry.value == value(n) { Ok(n) } else { Err(format!("{name} is torn")) }
    };
    let last = number("witness")?;
    if last < acked {
        return Err(format!("{acked} commits were acknowledged, {last} are there"));
    }
    for n in 1..=last + 1 {
        let expect = if n <= last { n } else { 0 };
        let found = number(&format!("k/{n:05}"))?;
        if found != expect {
            return Err(format!("commit {n} of {last} is not whole: {found}"));
        }
    }
    let rows = block_on(store.read(BootId([1; 16]), 0, 1_000)).map_err(|error| error.to_string())?;
    if rows.len() as u64 == last { Ok(()) } else { Err(format!("{} rows of {last}", rows.len())) }
}

/// Pulls the plug at [`ROUNDS`] moments. Answers what was wrong in each round in which something was.
fn pull_plug(events: &[Event], disk: &Disk, unsynced: fn(usize) -> Unsynced) -> Vec<String> {
    let mut seed = Seed::new(20_260_101);
    let first_ack = events.iter().position(|event| matches!(event, Event::Acked(_))).unwrap();
    let mut wrong = Vec::new();
    for round in 0..ROUNDS {
        let moment = first_ack + 1 + seed.below(events.len() - first_ack);
        let mut disk = disk.clone();
        let acked = events[..moment].iter().filter_map(|event| disk.apply(event)).max().unwrap_or(0);
        let folder = tempfile::tempdir().unwrap();
        disk.power_off(&mut seed, unsynced(round)).write_to(folder.path());
        if let Err(what) = inspect(&folder.path().join(DATABASE), acked) {
            wrong.push(format!("round {round}, event {moment}: {what}"));
        }
    }
    wrong
}

#[test]
fn what_was_acknowledged_outlives_the_power() {
    let folder = tempfile::tempdir().unwrap();
    let (events, disk) = record(folder.path(), false);
    let count = |pick: fn(&Event) -> bool| events.iter().filter(|event| pick(event)).count() as u64;
    assert_eq!(count(|event| matches!(event, Event::Acked(_))), COMMITS);
    assert!(count(|event| matches!(event, Event::Synced { .. })) >= COMMITS, "a sync a commit");
    let checkpointed = |event: &&Event| matches!(event, Event::Written { file, .. } if file == DATABASE);
    assert!(events.iter().filter(checkpointed).count() > 100, "no checkpoint ran");
    let keep = |round: usize| if round.is_multiple_of(2) { Unsynced::Lost } else { Unsynced::PartlyKept };
    assert_eq!(pull_plug(&events, &disk, keep), [""; 0]);
}

#[test]
fn without_syncs_the_recorder_finds_the_loss() {
    let folder = tempfile::tempdir().unwrap();
    let (events, disk) = record(folder.path(), true);
    let wrong = pull_plug(&events, &disk, |_| Unsynced::Lost);
    assert_eq!(wrong.len(), ROUNDS, "{wrong:?}");
}
