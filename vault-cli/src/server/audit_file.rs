//! [`AuditFile`]: a file that follows the audit log, one JSON object a line, for log shippers.
//!
//! A follower, not a device: requests never wait for it. It reads the store once a second and remembers in
//! `<file>.position` how far it came, so that a full disk or a restart loses nothing. After a crash the last lines may
//! stand twice; chain and number tell them apart. SIGHUP reopens it, for log rotation.

use crate::failure::Failure;
use rustix::fs::OFlags;
use secrethub::core::{
    audit::export,
    id::BootId,
    limits::AUDIT_PAGE_MAX,
    store::{AuditLog, Backend},
};
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    fs::{self, File, OpenOptions},
    io::AsyncWriteExt,
    sync::mpsc,
    task::JoinHandle,
};

/// Who named a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NamedBy {
    /// Who runs the server, and may name what they like.
    Operator,
    /// Who may call the API: a file of its own, where nothing else is meant by it.
    Api,
}

/// Pause between two looks at the log.
const PAUSE: Duration = Duration::from_secs(1);

enum Order {
    Reopen,
    Finish,
}

/// The running follower.
pub(super) struct AuditFile {
    orders: mpsc::Sender<Order>,
    task: JoinHandle<()>,
}

impl AuditFile {
    /// Opens the file and begins to follow; a file that cannot be opened stops the start.
    pub(super) async fn start(
        backend: Arc<dyn Backend>,
        path: PathBuf,
        named_by: NamedBy,
    ) -> Result<Self, Failure> {
        let about = |error| Failure::from(error).about(&format!("audit_file {}", path.display()));
        let mut follower = Follower {
            positions: read_positions(&path).await.map_err(about)?,
            file: Some(open(&path, named_by).await.map_err(about)?),
            path,
            named_by,
        };
        let (orders, mut received) = mpsc::channel(4);
        let task = tokio::spawn(async move {
            let mut troubled = false;
            loop {
                let order = tokio::time::timeout(PAUSE, received.recv()).await;
                if matches!(order, Ok(Some(Order::Reopen))) {
                    follower.file = None;
                }
                let copied = follower.copy(&*backend).await;
                if let (Err(error), false) = (&copied, troubled) {
                    tracing::error!(%error, path = %follower.path.display(), "audit_file does not follow; trying on");
                }
                troubled = copied.is_err();
                if matches!(order, Ok(None | Some(Order::Finish))) {
                    return;
                }
            }
        });
        Ok(Self { orders, task })
    }

    /// Opens the file anew, for it may have been renamed.
    pub(super) async fn reopen(&self) {
        // A follower that is gone has said why.
        let _ = self.orders.send(Order::Reopen).await;
    }

    /// Writes what is left and ends.
    pub(super) async fn finish(self) {
        let _ = self.orders.send(Order::Finish).await;
        if let Err(error) = self.task.await {
            tracing::error!(%error, "audit_file ended badly");
        }
    }
}

struct Follower {
    path: PathBuf,
    named_by: NamedBy,
    file: Option<File>,
    /// By chain, in hex: number of the last record written.
    positions: BTreeMap<String, u64>,
}

impl Follower {
    /// Writes what is new in every chain.
    async fn copy(&mut self, log: &(dyn Backend + 'static)) -> io::Result<()> {
        let heads = AuditLog::heads(log).await.map_err(io::Error::other)?;
        let alive: Vec<_> = heads.iter().map(|head| head.chain.to_hex()).collect();
        self.positions.retain(|chain, _| alive.contains(chain));
        for head in heads {
            let name = head.chain.to_hex();
            while self.positions.get(&name).copied().unwrap_or_default() < head.last {
                if !self.copy_page(log, head.chain, &name).await? {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Writes one page of a chain, then its position; says whether there was anything.
    async fn copy_page(
        &mut self,
        log: &(dyn Backend + 'static),
        chain: BootId,
        name: &str,
    ) -> io::Result<bool> {
        let from = self.positions.get(name).copied().unwrap_or_default() + 1;
        let rows = AuditLog::read(log, chain, from, AUDIT_PAGE_MAX).await.map_err(io::Error::other)?;
        let Some(last) = rows.last() else { return Ok(false) };
        let text: String = rows.iter().map(|row| format!("{}\n", export::to_json(row))).collect();
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(open(&self.path, self.named_by).await?),
        };
        file.write_all(text.as_bytes()).await?;
        file.sync_data().await?;
        self.positions.insert(name.to_owned(), last.seq);
        write_positions(&self.path, &self.positions).await?;
        Ok(true)
    }
}

/// Opens a file at its end. One that the API named is a plain file and no link to one.
pub(super) async fn open(path: &Path, named_by: NamedBy) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600);
    if named_by == NamedBy::Operator {
        return options.open(path).await;
    }
    // A pipe would make opening wait for its reader.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let file = options.custom_flags(flags.cast_signed()).open(path).await?;
    if file.metadata().await?.is_file() { Ok(file) } else { Err(io::Error::other("it is no plain file")) }
}

fn position_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".position");
    name.into()
}

async fn read_positions(path: &Path) -> io::Result<BTreeMap<String, u64>> {
    match fs::read(position_path(path)).await {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error),
    }
}

async fn write_positions(path: &Path, positions: &BTreeMap<String, u64>) -> io::Result<()> {
    let place = position_path(path);
    let fresh = place.with_extension("position.new");
    fs::write(&fresh, serde_json::to_vec(positions).map_err(io::Error::other)?).await?;
    fs::rename(fresh, place).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrethub::core::{
        audit::{AuditRecord, Chain, Columns},
        store::{Batch, Store, memory::Memory},
    };
    use secrethub::default_crypto;

    async fn append(store: &Memory, chain: &mut Chain, path: &str) {
        let record = AuditRecord {
            chain: BootId([3; 16]),
            seq: 0,
            columns: Columns { path: path.to_owned(), request_id: "r".into(), ..Columns::default() },
            writes: Vec::new(),
            fields: Vec::new(),
            headers: Vec::new(),
        };
        let linked = chain.append(default_crypto().hash, record);
        let mut id = [0; 16];
        id[..path.len()].copy_from_slice(path.as_bytes());
        let mut batch = Batch::new(secrethub::core::id::Rev(id));
        batch.audit(linked);
        store.commit(&batch).await.unwrap();
    }

    fn paths(file: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(file).unwrap();
        let path = |line: &str| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["path"].as_str().unwrap().to_owned()
        };
        text.lines().map(path).collect()
    }

    #[tokio::test]
    async fn follows_over_restarts_and_rotation() {
        let dir = tempfile::tempdir().unwrap();
        let (file, rotated) = (dir.path().join("audit.log"), dir.path().join("audit.log.1"));
        let (store, mut chain) = (Arc::new(Memory::default()), Chain::new(BootId([3; 16])));
        append(&store, &mut chain, "a").await;
        let follower = AuditFile::start(store.clone(), file.clone(), NamedBy::Operator).await.unwrap();
        append(&store, &mut chain, "b").await;
        follower.finish().await;
        assert_eq!(paths(&file), ["a", "b"]);
        append(&store, &mut chain, "c").await;
        let follower = AuditFile::start(store.clone(), file.clone(), NamedBy::Operator).await.unwrap();
        std::fs::rename(&file, &rotated).unwrap();
        follower.reopen().await;
        follower.finish().await;
        assert_eq!(
            (paths(&rotated), paths(&file)),
            (vec!["a".to_owned(), "b".to_owned()], vec!["c".to_owned()])
        );
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_opened_stops_the_start() {
        let path = "/nonexistent/audit.log".into();
        let started = AuditFile::start(Arc::new(Memory::default()), path, NamedBy::Operator).await;
        assert!(started.err().unwrap().to_string().contains("/nonexistent/audit.log"));
    }
}
