//! What SQLite's store does with files that are in use, foreign, damaged, read-only or full: it says so, and writes
//! nothing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use secrethub_core::{
    limits::SCAN_ENTRIES_MAX,
    store::{Batch, CommitError, Key, Limit, Range, Sealed, Store, StoreError},
    testing::store::{columns, linked, rev},
};
use secrethub_store_sql::sqlite::{OpenError, Sqlite, Tuning};
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn put(names: std::ops::Range<usize>, bytes: usize) -> Batch {
    let mut batch = Batch::new(rev());
    for n in names {
        batch.put(Key::new(format!("k/{n:05}")).unwrap(), Sealed::from_stored(vec![7; bytes])).unwrap();
    }
    batch
}

/// Every file of a folder with its bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap())
        .filter(|file| file.file_type().unwrap().is_file())
        .map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap()))
        .collect()
}

/// Opens, expects an error whose text holds `expect`, and finds the folder as it was.
fn refuses(path: &Path, expect: &str) -> OpenError {
    let before = files(path.parent().unwrap());
    let error = Sqlite::open(path).unwrap_err();
    assert!(error.to_string().contains(expect), "{error} does not say {expect:?}");
    assert!(before == files(path.parent().unwrap()), "something was written");
    error
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn folder_and_files_are_private() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b/vault.db");
    let store = Sqlite::open(&path).unwrap();
    block_on(store.commit(&put(0..3, 10))).unwrap();
    assert_eq!((mode(path.parent().unwrap()), mode(&folder.path().join("a"))), (0o700, 0o700));
    for suffix in ["", "-wal", "-shm", ".lock"] {
        assert_eq!(mode(Path::new(&format!("{}{suffix}", path.display()))), 0o600, "{suffix}");
    }
}

#[test]
fn second_opener_is_told_who_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.db");
    let store = Sqlite::open(&path).unwrap();
    let error = refuses(&path, &format!("in use by process {}", std::process::id()));
    for hint in ["secrethub status", "SECRETHUB_ADDR"] {
        assert!(error.to_string().contains(hint), "{error}");
    }
    drop(store);
    Sqlite::open(&path).unwrap();
}

/// Run by the test below in a process of its own: commits, and holds the database until its input ends.
#[test]
fn holder() {
    let Some(path) = std::env::var_os("STORE_TEST_HOLD") else { return };
    let store = Sqlite::open(Path::new(&path)).unwrap();
    block_on(store.commit(&put(0..3, 10))).unwrap();
    println!("\nholding");
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

#[test]
fn another_process_is_named_and_its_death_frees_the_file_with_all_it_committed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.db");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "holder", "--nocapture"])
        .env("STORE_TEST_HOLD", &path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    assert!(output.lines().any(|line| line.unwrap().contains("holding")));
    let error = Sqlite::open(&path).unwrap_err();
    assert!(matches!(&error, OpenError::InUse { pid, .. } if *pid == child.id().to_string()), "{error}");
    child.kill().unwrap();
    child.wait().unwrap();
    let count = |store: &Sqlite| block_on(store.scan(Range::prefix(""), Limit::entries(9))).unwrap().len();
    assert_eq!(count(&Sqlite::open_read_only(&path).unwrap()), 3, "to a visitor, from the log that was left");
    assert_eq!(count(&Sqlite::open(&path).unwrap()), 3);
}

#[test]
fn foreign_files_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    for (bytes, expect) in [
        (b"hello".to_vec(), "not a SQLite database"),
        (vec![0; 5_000], "not a SQLite database"),
        (b"SQLite format 3\0".to_vec(), "not a SQLite database"),
    ] {
        fs::write(&path, bytes).unwrap();
        refuses(&path, expect);
    }
    fs::remove_file(&path).unwrap();
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch("CREATE TABLE kv (key TEXT)").unwrap();
    drop(db);
    refuses(&path, "belongs to another program");
    let inner = folder.path().join("folder");
    fs::create_dir(&inner).unwrap();
    refuses(&inner, "not a SQLite database");
}

#[test]
fn newer_formats_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.db");
    drop(Sqlite::open(&path).unwrap());
    rusqlite::Connection::open(&path).unwrap().execute_batch("PRAGMA user_version=2").unwrap();
    refuses(&path, "format 2");
}

#[test]
fn an_empty_file_becomes_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.db");
    fs::write(&path, "").unwrap();
    // What a crash during creation leaves behind is in nobody's way either.
    fs::write(folder.path().join("vault.db.new"), "half").unwrap();
    fs::write(folder.path().join("vault.db.new-journal"), "half").unwrap();
    let store = Sqlite::open(&path).unwrap();
    block_on(store.commit(&put(0..3, 10))).unwrap();
    assert!(!folder.path().join("vault.db.new").exists());
}

#[test]
fn a_log_without_its_database_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.db");
    fs::write(folder.path().join("vault.db-wal"), "log").unwrap();
    refuses(&path, "its log is still there");
}

/// A database of many pages, closed.
fn filled(path: &Path) {
    let store = Sqlite::open(path).unwrap();
    for n in 0..5 {
        block_on(store.commit(&put(n * 100..(n + 1) * 100, 500))).unwrap();
    }
}

fn damage(path: &Path, from: usize, bytes: usize) {
    let mut file = fs::read(path).unwrap();
    file[from..from + bytes].fill(0xA5);
    fs::write(path, file).unwrap();
}

#[test]
fn damage_is_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.db");
    filled(&path);
    let sound = fs::read(&path).unwrap();
    damage(&path, 100, 8_092);
    assert!(Sqlite::open(&path).unwrap_err().to_string().contains("damaged"), "the schema");

    fs::write(&path, &sound[..sound.len() / 2]).unwrap();
    assert!(Sqlite::open(&path).unwrap_err().to_string().contains("damaged"), "the second half");

    fs::write(&path, &sound).unwrap();
    damage(&path, 10 * 8_192, 8 * 8_192);
    let store = Sqlite::open(&path).unwrap();
    let read = block_on(store.scan(Range::prefix(""), Limit::entries(SCAN_ENTRIES_MAX)));
    assert!(matches!(read, Err(StoreError::Corrupt { .. })), "{read:?}");
}

#[test]
fn read_only_files_and_folders_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.db");
    filled(&path);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    refuses(&path, "read-only");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o500)).unwrap();
    refuses(&path, "check that the folder");
    refuses(&folder.path().join("new.db"), "check that the folder");
    assert!(Sqlite::open_read_only(&path).is_ok(), "reading needs no right to write");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_visitor_reads_beside_the_owner_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.db");
    assert!(matches!(Sqlite::open_read_only(&path), Err(OpenError::Missing(_))));
    let owner = Sqlite::open(&path).unwrap();
    let visitor = Sqlite::open_read_only(&path).unwrap();
    block_on(owner.commit(&put(0..3, 10))).unwrap();
    assert_eq!(block_on(visitor.scan(Range::prefix(""), Limit::entries(9))).unwrap().len(), 3);
    let refused = block_on(visitor.commit(&put(0..3, 10)));
    assert!(matches!(refused, Err(CommitError::NotApplied(StoreError::Unavailable { .. }))), "{refused:?}");
}

#[test]
fn a_full_disk_loses_the_batch_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.db");
    let tuning = Tuning { pages_max: Some(64), ..Tuning::default() };
    let store = Sqlite::open_with(&path, tuning).unwrap();
    let mut landed = 0;
    let error = loop {
        let mut batch = put(landed..landed + 10, 2_000);
        batch.audit(linked(1, 1 + landed as u64, columns(1, "update", "p")));
        match block_on(store.commit(&batch)) {
            Ok(()) => landed += 10,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, CommitError::NotApplied(StoreError::Full { .. })), "{error:?}");
    let count =
        |store: &Sqlite| block_on(store.scan(Range::prefix(""), Limit::entries(1_000))).unwrap().len();
    assert_eq!(count(&store), landed);
    drop(store);
    let store = Sqlite::open(&path).unwrap();
    assert_eq!(count(&store), landed);
    block_on(store.commit(&put(landed..landed + 10, 2_000))).unwrap();
}

#[test]
fn settings_are_what_durability_needs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.db");
    let _store = Sqlite::open(&path).unwrap();
    let db = rusqlite::Connection::open(&path).unwrap();
    let read = |name: &str| -> String {
        db.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
            .map(|value| format!("{value:?}"))
            .unwrap()
    };
    assert_eq!(read("journal_mode"), "Text(\"wal\")");
    assert_eq!(read("page_size"), "Integer(8192)");
    assert_eq!(read("user_version"), "Integer(1)");
    assert_eq!(read("application_id"), "Integer(1399146613)");
    let columns: String = db
        .query_row("SELECT group_concat(name) FROM pragma_table_info('audit_logs')", [], |row| row.get(0))
        .unwrap();
    assert!(columns.starts_with("timestamp,operation,secret_id,client_ip,status,actor"), "{columns}");
    let indexes: i64 = db
        .query_row("SELECT count(*) FROM pragma_index_list('audit_logs') WHERE origin = 'c'", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(indexes, 1, "an index more costs every commit");
    std::io::stdout().flush().unwrap();
}
