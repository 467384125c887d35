//! From a path to open connections. Order matters: look at the file before anything is written, take the lock, make
//! a new database beside its place and rename it there whole, and only then connect and assert the settings.

use super::error::OpenError;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};

/// `SeHu`, in SQLite's header: what `file(1)` and this program know the database by.
pub(super) const APPLICATION_ID: u32 = 0x5365_4875;
/// Format of the tables, in SQLite's `user_version`.
pub(super) const FORMAT: u32 = 1;

// WITHOUT ROWID: rows lie in the order in which they are read, and an index less is kept on every commit. The index
// on timestamp ends with the primary key, so it is in the order of a search.
const SCHEMA: &str = "
    CREATE TABLE kv (
        key TEXT NOT NULL PRIMARY KEY, rev BLOB NOT NULL, value BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE audit_logs (
        timestamp TEXT NOT NULL, operation TEXT NOT NULL, secret_id TEXT, client_ip TEXT, status TEXT NOT NULL,
        actor TEXT, accessor TEXT, path TEXT NOT NULL, mount TEXT, user_agent TEXT, rule TEXT,
        request_id TEXT NOT NULL, lease_id TEXT, error TEXT, elapsed_us INTEGER NOT NULL,
        chain BLOB NOT NULL, seq INTEGER NOT NULL, canonical BLOB NOT NULL, link BLOB NOT NULL,
        PRIMARY KEY (chain, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX audit_logs_timestamp ON audit_logs (timestamp);
";

/// How long a connection waits for another program that holds the database, such as an operator's shell.
const BUSY: Duration = Duration::from_secs(5);
/// A page: a commit's rows fill whole ones, and an audit row rarely needs a second.
const PAGE_BYTES: u32 = 8_192;
/// The log is cut back to this once it has been written back.
const LOG_BYTES_KEPT: u32 = 64 * 1024 * 1024;

/// What tests change to see that a promise can be broken. Not for use.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Tuning {
    /// `synchronous=OFF`: acknowledged commits are lost with the power.
    pub synchronous_off: bool,
    /// As if the disk ended after so many pages.
    pub pages_max: Option<u32>,
}

/// An open file: the lock that makes it ours, and where to connect to.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    tuning: Tuning,
    /// Held, never read: closing it gives the lock back.
    _lock: Option<File>,
    immutable: bool,
}

impl Place {
    /// Takes a database for reading and writing, and makes it if there is none.
    pub(super) fn own(path: &Path, tuning: Tuning) -> Result<Self, OpenError> {
        let exists = inspect(path)?;
        let folder = folder_of(path);
        if !exists {
            refuse_orphaned_log(path)?;
            make_folder(folder).map_err(|source| io_error(folder, source))?;
        }
        refuse_read_only(folder)?;
        let lock = lock(path)?;
        if !inspect(path)? {
            create(path, folder)?;
        }
        Ok(Self { path: path.to_owned(), tuning, _lock: Some(lock), immutable: false })
    }

    /// Looks at a database beside whoever owns it.
    pub(super) fn visit(path: &Path) -> Result<Self, OpenError> {
        match inspect(path) {
            Ok(true) | Err(OpenError::ReadOnly(_)) => {}
            Ok(false) => return Err(OpenError::Missing(path.to_owned())),
            Err(other) => return Err(other),
        }
        // On media that cannot be written SQLite cannot make its shared memory. Without a log nothing is missed then.
        let log = beside(path, "-wal");
        let folder = std::fs::metadata(folder_of(path)).map_err(|source| io_error(path, source))?;
        let immutable = folder.permissions().readonly() && !log.exists();
        Ok(Self { path: path.to_owned(), tuning: Tuning::default(), _lock: None, immutable })
    }

    /// The connection that writes, its settings asserted.
    pub(super) fn writer(&self) -> Result<Connection, OpenError> {
        let db = self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let setup = || -> Result<(), OpenError> {
            if db.is_readonly("main").map_err(|e| self.error(e))? {
                return Err(OpenError::ReadOnly(self.path.clone()));
            }
            let synchronous = if self.tuning.synchronous_off { ("OFF", "0") } else { ("FULL", "2") };
            self.assert(&db, "journal_mode", "WAL", "wal")?;
            self.assert(&db, "synchronous", synchronous.0, synchronous.1)?;
            self.assert(&db, "secure_delete", "ON", "1")?;
            self.assert(&db, "wal_autocheckpoint", "0", "0")?;
            let pages =
                self.tuning.pages_max.map_or(String::new(), |n| format!("PRAGMA max_page_count={n};"));
            db.execute_batch(&format!("PRAGMA journal_size_limit={LOG_BYTES_KEPT}; {pages}"))
                .map_err(|e| self.error(e))
        };
        setup()?;
        self.check_schema(&db)?;
        Ok(db)
    }

    /// A connection that only reads.
    pub(super) fn reader(&self) -> Result<Connection, OpenError> {
        self.connect(OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    /// A connection for checkpoints: it writes back what is already durable in the log.
    pub(super) fn checkpointer(&self) -> Result<Connection, OpenError> {
        let db = self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let synchronous = if self.tuning.synchronous_off { ("OFF", "0") } else { ("FULL", "2") };
        self.assert(&db, "synchronous", synchronous.0, synchronous.1)?;
        Ok(db)
    }

    /// A private temporary database with this one attached as `source`, which it can only read.
    pub(super) fn scratch(&self) -> Result<Connection, OpenError> {
        let mode = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_URI;
        let open = || {
            let db = Connection::open_with_flags("", mode)?;
            db.busy_timeout(BUSY)?;
            let source = uri(&self.path, if self.immutable { "immutable=1" } else { "mode=ro" });
            db.execute("ATTACH ?1 AS source", [source])?;
            Ok(db)
        };
        open().map_err(|error| self.error(error))
    }

    fn connect(&self, mode: OpenFlags) -> Result<Connection, OpenError> {
        let mode = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = if self.immutable {
            Connection::open_with_flags(uri(&self.path, "immutable=1"), mode | OpenFlags::SQLITE_OPEN_URI)
        } else {
            Connection::open_with_flags(&self.path, mode)
        };
        let db = db.map_err(|error| self.error(error))?;
        let setup = || {
            db.busy_timeout(BUSY)?;
            db.set_prepared_statement_cache_capacity(64);
            db.execute_batch("PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA temp_store=FILE")
        };
        setup().map_err(|error| self.error(error))?;
        Ok(db)
    }

    fn assert(
        &self,
        db: &Connection,
        name: &'static str,
        set: &str,
        wanted: &'static str,
    ) -> Result<(), OpenError> {
        let any = |value: rusqlite::types::Value| match value {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => format!("{other:?}"),
        };
        db.execute_batch(&format!("PRAGMA {name}={set}")).map_err(|error| self.error(error))?;
        let found = db.pragma_query_value(None, name, |row| row.get(0)).map(any);
        let found = found.map_err(|error| self.error(error))?;
        if found == wanted { Ok(()) } else { Err(OpenError::Setting { name, wanted, found }) }
    }

    /// Both tables are there and their roots can be read: what damage can be found without reading everything.
    pub(super) fn check_schema(&self, db: &Connection) -> Result<(), OpenError> {
        for query in ["SELECT max(key) FROM kv", "SELECT max(timestamp), max(seq) FROM audit_logs"] {
            let read = db.query_row(query, [], |_| Ok(()));
            read.map_err(|error| match error.sqlite_error_code() {
                Some(ErrorCode::Unknown) => {
                    OpenError::Corrupt { path: self.path.clone(), what: error.to_string() }
                }
                _ => self.error(error),
            })?;
        }
        Ok(())
    }

    fn error(&self, source: rusqlite::Error) -> OpenError {
        let path = self.path.clone();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt) => OpenError::Corrupt { path, what: source.to_string() },
            Some(ErrorCode::NotADatabase) => OpenError::NotADatabase(path),
            Some(ErrorCode::ReadOnly) => OpenError::ReadOnly(path),
            _ => OpenError::Sqlite { path, source },
        }
    }
}

/// Is there a database of ours. Reads the header alone and writes nothing; an empty file counts as none.
fn inspect(path: &Path) -> Result<bool, OpenError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened.map_err(|source| io_error(path, source))?,
    };
    let meta = file.metadata().map_err(|source| io_error(path, source))?;
    if !meta.is_file() {
        return Err(OpenError::NotADatabase(path.to_owned()));
    }
    let mut header = Vec::with_capacity(HEADER_BYTES);
    file.take(HEADER_BYTES as u64).read_to_end(&mut header).map_err(|source| io_error(path, source))?;
    if !header.is_empty() {
        check_header(path, &header)?;
    }
    if meta.permissions().readonly() {
        Err(OpenError::ReadOnly(path.to_owned()))
    } else {
        Ok(!header.is_empty())
    }
}

/// <https://www.sqlite.org/fileformat2.html#the_database_header>
const HEADER_BYTES: usize = 100;

fn check_header(path: &Path, header: &[u8]) -> Result<(), OpenError> {
    let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    if header.len() < HEADER_BYTES || !header.starts_with(b"SQLite format 3\0") {
        return Err(OpenError::NotADatabase(path.to_owned()));
    }
    if number(68) != APPLICATION_ID {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    let found = number(60);
    if found > FORMAT {
        return Err(OpenError::Newer { path: path.to_owned(), found, known: FORMAT });
    }
    Ok(())
}

/// Takes `<path>.lock`, which the system gives back when the process ends however it ends, and writes down who we are.
fn lock(path: &Path) -> Result<File, OpenError> {
    let name = beside(path, ".lock");
    let open = private().read(true).write(true).create(true).truncate(false).open(&name);
    let mut file = open.map_err(|source| io_error(&name, source))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            drop(file.read_to_string(&mut pid));
            let pid = if pid.trim().is_empty() { "unknown".to_owned() } else { pid.trim().to_owned() };
            return Err(OpenError::InUse { path: path.to_owned(), pid });
        }
        Err(TryLockError::Error(source)) => return Err(io_error(&name, source)),
    }
    let write = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    write.map_err(|source| io_error(&name, source))?;
    Ok(file)
}

/// Makes a database under another name and renames it to its place: it is there whole or not at all.
fn create(path: &Path, folder: &Path) -> Result<(), OpenError> {
    let new = beside(path, ".new");
    let clear = || -> io::Result<()> {
        for name in [new.clone(), beside(&new, "-journal")] {
            match std::fs::remove_file(name) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        private().write(true).create_new(true).open(&new).map(drop)
    };
    clear().map_err(|source| io_error(&new, source))?;
    let fill = || -> rusqlite::Result<()> {
        let db = Connection::open_with_flags(&new, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        db.execute_batch(&format!(
            "PRAGMA page_size={PAGE_BYTES}; PRAGMA synchronous=EXTRA; BEGIN; {SCHEMA}"
        ))?;
        db.execute_batch(&format!(
            "PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={FORMAT}; COMMIT"
        ))?;
        db.close().map_err(|(_, error)| error)
    };
    fill().map_err(|source| OpenError::Sqlite { path: new.clone(), source })?;
    let place = || std::fs::rename(&new, path).and_then(|()| File::open(folder)?.sync_all());
    place().map_err(|source| io_error(path, source))
}

fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Root could write into it all the same; whoever took the right away meant it.
fn refuse_read_only(folder: &Path) -> Result<(), OpenError> {
    let meta = std::fs::metadata(folder).map_err(|source| io_error(folder, source))?;
    if meta.permissions().readonly() {
        let source = io::Error::new(io::ErrorKind::PermissionDenied, "the folder is read-only");
        return Err(io_error(folder, source));
    }
    Ok(())
}

/// SQLite would play a log that was left behind into the new database that takes the lost one's place.
fn refuse_orphaned_log(path: &Path) -> Result<(), OpenError> {
    let log = beside(path, "-wal");
    if !log.exists() {
        return Ok(());
    }
    let what = format!("it is gone but its log is still there: put it back, or move {} away", log.display());
    Err(OpenError::Corrupt { path: path.to_owned(), what })
}

/// Files that only their owner may read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// A path as SQLite's URI, with what a URI gives a meaning escaped.
fn uri(path: &Path, how: &str) -> String {
    let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    format!("file:{path}?{how}")
}

fn io_error(path: &Path, source: io::Error) -> OpenError {
    OpenError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_writer_has_the_settings_that_durability_needs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.db");
        let check = |tuning: Tuning, name: &str, expect: &str| {
            let place = Place::own(&path, tuning).unwrap();
            let found = place.writer().unwrap().pragma_query_value(None, name, |row| {
                row.get::<_, i64>(0).map(|number| number.to_string()).or_else(|_| row.get(0))
            });
            assert_eq!(found.unwrap(), expect, "{name}");
        };
        check(Tuning::default(), "journal_mode", "wal");
        check(Tuning::default(), "synchronous", "2");
        check(Tuning::default(), "secure_delete", "1");
        check(Tuning { synchronous_off: true, pages_max: None }, "synchronous", "0");
    }

    #[test]
    fn a_setting_that_is_not_granted_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::own(&folder.path().join("vault.db"), Tuning::default()).unwrap();
        let db = place.writer().unwrap();
        let error = place.assert(&db, "synchronous", "NORMAL", "2").unwrap_err();
        assert!(error.to_string().contains("synchronous = 1 where 2 is needed"), "{error}");
    }

    #[test]
    fn odd_paths_survive_a_uri() {
        assert_eq!(uri(Path::new("/a b/100%?#x"), "mode=ro"), "file:/a b/100%25%3f%23x?mode=ro");
    }
}
