//! [`Reserve`]: a file beside the database that only takes up room. When the disk is full it goes, so that what
//! operates the vault can still be written: unsealing, sealing, pruning. From then on ordinary commits are refused
//! until there is room again, and the first of them that passes puts the reserve back.

use super::{
    error::BACKEND,
    open::{beside, folder_of},
};
use rusqlite::Connection;
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use secrethub_core::store::{Room, StoreError};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// Bytes held back: some ten thousand records, or the pruning of a few million.
const BYTES: u64 = 16 << 20;
/// The reserve is put (back) in place only where it leaves this much.
const NEEDED: u64 = 4 * BYTES;

/// Belongs to the thread that writes.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    held: bool,
    /// The file system cannot hold room, so nobody asks it again.
    impossible: bool,
}

impl Reserve {
    /// Looks for the reserve of a database; the first commit makes one if there is none.
    pub(super) fn of(database: &Path) -> Self {
        let path = beside(database, "-reserve");
        let held = fs::metadata(&path).is_ok_and(|found| found.len() == BYTES);
        Self { path, held, impossible: false }
    }

    /// Before an ordinary commit: without a reserve, is there room to go on and to put it back.
    pub(super) fn check(&mut self, db: &Connection) -> Result<(), StoreError> {
        if self.held {
            return Ok(());
        }
        let free = room(db, &self.path).map_or(u64::MAX, |room| room.free);
        if free >= NEEDED && !self.impossible {
            self.hold();
        }
        // Where no reserve can be held, the last of the disk is one.
        if self.held || free >= BYTES { Ok(()) } else { Err(full()) }
    }

    /// Gives the room away. `false` if there is none to give.
    pub(super) fn release(&mut self) -> bool {
        let gone = self.held && fs::remove_file(&self.path).is_ok();
        if gone {
            self.held = false;
            tracing::error!(reserve = %self.path.display(), "the disk is full: the reserve is used; make room");
        }
        gone
    }

    fn hold(&mut self) {
        match take(&self.path) {
            Ok(()) => self.held = true,
            Err(error) => {
                self.impossible = error.kind() != io::ErrorKind::StorageFull;
                tracing::warn!(%error, reserve = %self.path.display(), "no room is held in reserve");
                let _ = fs::remove_file(&self.path); // Half a reserve is none.
            }
        }
    }
}

fn take(path: &Path) -> io::Result<()> {
    let file = File::options().write(true).create(true).truncate(true).open(path)?;
    Ok(fallocate(&file, FallocateFlags::empty(), 0, BYTES)?)
}

/// Room on the disk of `path`, and in the pages that the database does not use.
pub(super) fn room(db: &Connection, path: &Path) -> Option<Room> {
    let disk = statvfs(folder_of(path)).ok()?;
    let number = |name: &str| {
        db.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).ok().map(i64::cast_unsigned)
    };
    let unused = number("freelist_count")? * number("page_size")?;
    Some(Room { free: disk.f_bavail * disk.f_frsize + unused, total: disk.f_blocks * disk.f_frsize })
}

pub(super) fn full() -> StoreError {
    StoreError::Full { backend: BACKEND }
}
