//! The store: who may touch its files, who has it now, whether it opens, and the disk that it fills. All without
//! changing it; the store's own lock is only looked at.

use super::Finding;
use crate::config::Config;
use rustix::fs::{Access, access, statvfs};
use secrethub::{
    StoreOptions,
    core::{id::Timestamp, limits::DISK_WATERMARK_BYTES, store::AuditLog},
    open_store_with, shown_store,
};
use std::{
    fs::{self, File, TryLockError},
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// Less than this is too little to begin with: the store holds 16 MiB back where that leaves 64.
const FREE_LEAST: u64 = 64 << 20;
/// <https://www.sqlite.org/fileformat2.html#the_database_header>
const HEADER_BYTES: u64 = 100;

/// What was found, and what other checks want to know of it.
#[derive(Default)]
pub(super) struct Found {
    pub(super) findings: Vec<Finding>,
    /// The process that has the store, if one has.
    pub(super) holder: Option<String>,
    pub(super) newest_record: Option<Timestamp>,
}

pub(super) async fn check(config: &Config) -> Found {
    let url = match config.store_name() {
        Ok(url) => url,
        Err(failure) => return only(Finding::fail("store", failure.one_line(), "set `store`")),
    };
    let url = url.as_str();
    match url.strip_prefix("sqlite:").map(|rest| rest.strip_prefix("//").unwrap_or(rest)) {
        Some(path) if !path.is_empty() => sqlite(config, url, Path::new(path)).await,
        _ if url.starts_with("memory:") => only(Finding::warn(
            "store",
            "in memory: all is lost when the server ends",
            "set `store` to sqlite:PATH",
        )),
        // What is wrong with a name is said by who opens it; a name may hold a password and is not repeated.
        _ => match open_store_with(url, StoreOptions::default().read_only()).await {
            Ok(_) => only(Finding::ok("store", format!("{} opens", shown_store(url)))),
            Err(error) => only(Finding::fail("store", error.to_string(), "mend `store`, or what it names")),
        },
    }
}

fn only(finding: Finding) -> Found {
    Found { findings: vec![finding], ..Found::default() }
}

async fn sqlite(config: &Config, url: &str, path: &Path) -> Found {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut found = only(folder_finding(folder));
    found.findings.extend(disk(config, folder));
    if !path.exists() {
        found
            .findings
            .push(Finding::ok("store", format!("{} is not there yet: the server makes it", path.display())));
        return found;
    }
    found.holder = holder(path);
    found.findings.push(file_finding(path));
    found.findings.push(match &found.holder {
        Some(pid) => Finding::ok("store in use", format!("process {pid} has it")),
        None => Finding::ok("store in use", "by nobody"),
    });
    found.findings.push(log_finding(path, found.holder.is_some()));
    found.findings.push(reserve_finding(path));
    let (opened, newest) = open(url, path).await;
    found.findings.push(opened);
    found.newest_record = newest;
    found
}

fn mode(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().map(|found| found.permissions().mode() & 0o7777)
}

/// The folder, or where it is to be made, the nearest one above it that is there.
fn folder_finding(folder: &Path) -> Finding {
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    let shown = there.display();
    if access(there, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let next =
            format!("run this as the server's user, and give that user the folder: chown USER {shown}");
        return Finding::fail("store folder", format!("{shown} cannot be written"), next);
    }
    match mode(there) {
        // Where the folder is yet to be made, the server makes one of its own.
        Some(mode) if mode & 0o022 != 0 && there == folder => Finding::fail(
            "store folder",
            format!("{shown} can be changed by others (mode {mode:o}): they can put another database there"),
            format!("chmod 700 {shown}"),
        ),
        _ => Finding::ok("store folder", format!("{shown} can be written")),
    }
}

fn file_finding(path: &Path) -> Finding {
    let (shown, next) = (path.display(), format!("chmod 600 {}*", path.display()));
    match mode(path) {
        Some(mode) if mode & 0o022 != 0 => {
            Finding::fail("store file", format!("{shown} can be changed by others (mode {mode:o})"), next)
        }
        Some(mode) if mode & 0o044 != 0 => Finding::warn(
            "store file",
            format!(
                "{shown} can be read by others (mode {mode:o}): values are encrypted, paths and the log are not"
            ),
            next,
        ),
        Some(mode) => Finding::ok("store file", format!("{shown} is its owner's alone (mode {mode:o})")),
        None => Finding::fail(
            "store file",
            format!("{shown} cannot be looked at"),
            "run this as the server's user",
        ),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The process that has the store. Shared, and given back at once: a server that starts in this instant is the only
/// one that could notice, and starts at its second try.
fn holder(path: &Path) -> Option<String> {
    let mut file = File::open(beside(path, ".lock")).ok()?;
    let Err(TryLockError::WouldBlock) = file.try_lock_shared() else { return None };
    let mut pid = String::new();
    file.read_to_string(&mut pid).ok()?;
    Some(pid.trim().parse::<u32>().map_or_else(|_| "unknown".to_owned(), |pid| pid.to_string()))
}

fn log_finding(path: &Path, in_use: bool) -> Finding {
    let bytes = fs::metadata(beside(path, "-wal")).map_or(0, |found| found.len());
    match (bytes, in_use) {
        (0, _) => Finding::ok("store log", "nothing waits in the write-ahead log"),
        (_, true) => Finding::ok("store log", format!("{bytes} bytes of write-ahead log, as a server runs")),
        (_, false) => Finding::ok(
            "store log",
            format!(
                "{bytes} bytes of write-ahead log from a server that did not end in order; the next start takes them \
                 in. They belong to the database: never remove `-wal`"
            ),
        ),
    }
}

fn reserve_finding(path: &Path) -> Finding {
    match fs::metadata(beside(path, "-reserve")) {
        Ok(found) => {
            Finding::ok("disk reserve", format!("{} MiB held for pruning a full disk", found.len() >> 20))
        }
        Err(_) => Finding::warn(
            "disk reserve",
            "none: a full disk could not be pruned",
            "leave 64 MiB free on the disk; the server's next commit makes it",
        ),
    }
}

fn disk(config: &Config, folder: &Path) -> Option<Finding> {
    let there = folder.ancestors().find(|folder| folder.exists())?;
    let disk = statvfs(there).ok()?;
    let watermark = config.disk_watermark_mib.map_or(DISK_WATERMARK_BYTES, |mib| u64::from(mib) << 20);
    Some(judge_disk(disk.f_bavail.saturating_mul(disk.f_frsize), watermark))
}

pub(super) fn judge_disk(free: u64, watermark: u64) -> Finding {
    let (free_mib, mark_mib) = (free >> 20, watermark >> 20);
    let next = "make room, move the store, or prune the audit log (`audit archive`, then `audit prune`)";
    if free < FREE_LEAST {
        return Finding::fail("disk", format!("{free_mib} MiB free: too little to serve"), next);
    }
    match free < watermark {
        true => {
            Finding::warn("disk", format!("{free_mib} MiB free, below the watermark of {mark_mib} MiB"), next)
        }
        false => Finding::ok("disk", format!("{free_mib} MiB free, above the watermark of {mark_mib} MiB")),
    }
}

/// Opens it beside whoever has it, and reads its log's ends.
async fn open(url: &str, path: &Path) -> (Finding, Option<Timestamp>) {
    let fail = |message: String| {
        let next = "look at docs/operate.md, and restore a backup if the file is damaged";
        (Finding::fail("store opens", message, next), None)
    };
    let store = match open_store_with(url, StoreOptions::default().read_only()).await {
        Ok(store) => store,
        Err(error) => return fail(error.to_string()),
    };
    match newest_record(&*store).await {
        Ok(newest) => (Finding::ok("store opens", format!("read-only; {}", header(path))), newest),
        Err(error) => fail(error.to_string()),
    }
}

async fn newest_record(
    log: &(impl AuditLog + ?Sized),
) -> Result<Option<Timestamp>, secrethub::core::store::StoreError> {
    let mut newest = None;
    for head in log.heads().await? {
        let last = log.read(head.chain, head.last, 1).await?;
        newest = newest.max(last.first().map(|row| row.columns.timestamp));
    }
    Ok(newest)
}

/// What the file says of itself, as of the last time the log was written back.
fn header(path: &Path) -> String {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEADER_BYTES).read_to_end(&mut bytes));
    let number =
        |at: usize| bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_be_bytes);
    if read.is_err() || bytes.is_empty() {
        return "empty".to_owned();
    }
    // 1 stands for 65536, which does not fit.
    let page = match bytes.get(16..18).and_then(|two| two.try_into().ok()).map_or(0, u16::from_be_bytes) {
        1 => 65_536,
        page => u32::from(page),
    };
    let journal = if bytes.get(18) == Some(&2) { "WAL" } else { "no WAL" };
    let (pages, unused, format) = (number(28), number(36), number(60));
    format!("format {format}, {pages} pages of {page} bytes, {unused} unused, {journal}")
}
