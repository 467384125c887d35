//! [`AuditDevices`]: the files that the API declares, each kept by an [`AuditFile`]. They lie in one folder, which the
//! configuration names: who may call the API cannot have the server write elsewhere. The vault says which there shall be;
//! a file that cannot be opened is tried again.

use super::audit_file::{AuditFile, NamedBy, open};
use secrethub::core::{
    Error,
    store::Backend,
    system::{AuditDevice, DeviceKeeper},
};
use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
    pin::Pin,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

/// Pause before a file that could not be opened is tried again.
const PAUSE: Duration = Duration::from_secs(10);

type Checked<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>;

/// What the vault is given.
#[derive(Debug)]
pub(super) struct Keeper {
    folder: PathBuf,
    wanted: watch::Sender<Vec<AuditDevice>>,
}

/// The running followers.
pub(super) struct AuditDevices {
    orders: mpsc::Sender<Order>,
    task: JoinHandle<()>,
}

enum Order {
    Reopen,
    Finish,
}

impl Keeper {
    /// Begins to keep what the vault will say, within `folder`.
    pub(super) fn start(backend: Arc<dyn Backend>, folder: PathBuf) -> (Arc<Self>, AuditDevices) {
        let (wanted, changes) = watch::channel(Vec::new());
        let (orders, received) = mpsc::channel(4);
        let followers = Followers { backend, folder: folder.clone(), running: BTreeMap::new() };
        let task = tokio::spawn(followers.run(changes, received));
        (Arc::new(Self { folder, wanted }), AuditDevices { orders, task })
    }
}

impl DeviceKeeper for Keeper {
    fn check<'a>(&'a self, device: &'a AuditDevice) -> Checked<'a> {
        Box::pin(async move {
            let path = inside(&self.folder, device)?;
            let opened = open(&path, NamedBy::Api).await;
            opened
                .map(drop)
                .map_err(|error| Error::invalid(format!("{} cannot be written: {error}", path.display())))
        })
    }

    fn keep(&self, devices: &[AuditDevice]) {
        self.wanted.send_if_modified(|wanted| {
            let other = wanted.as_slice() != devices;
            if other {
                *wanted = devices.to_vec();
            }
            other
        });
    }
}

/// The file of a device, if it lies in the folder: spelled so, since what a link leads to may change.
fn inside(folder: &Path, device: &AuditDevice) -> Result<PathBuf, Error> {
    let path = PathBuf::from(device.file_path().unwrap_or_default());
    let plain = path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    // Those are a follower's own.
    let taken = [".position", ".position.new"].iter().any(|end| path.to_string_lossy().ends_with(end));
    if plain && !taken && path.parent() == Some(folder) {
        return Ok(path);
    }
    Err(Error::invalid(format!(
        "file_path must name a file in the folder {} (the setting `audit_devices_folder`), and not end in .position",
        folder.display()
    )))
}

impl AuditDevices {
    /// Opens the files anew, for they may have been renamed.
    pub(super) async fn reopen(&self) {
        // Followers that are gone have said why.
        let _ = self.orders.send(Order::Reopen).await;
    }

    /// Writes what is left and ends.
    pub(super) async fn finish(self) {
        let _ = self.orders.send(Order::Finish).await;
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the audit devices ended badly");
        }
    }
}

struct Followers {
    backend: Arc<dyn Backend>,
    folder: PathBuf,
    /// By the path of the device.
    running: BTreeMap<String, (AuditDevice, AuditFile)>,
}

impl Followers {
    async fn run(
        mut self,
        mut changes: watch::Receiver<Vec<AuditDevice>>,
        mut orders: mpsc::Receiver<Order>,
    ) {
        loop {
            let wanted = changes.borrow_and_update().clone();
            let complete = self.follow(&wanted).await;
            let order = tokio::select! {
                biased;
                // The vault is gone, and with it whoever could declare more; orders still come.
                Ok(()) = changes.changed() => None,
                () = tokio::time::sleep(PAUSE), if !complete => None,
                order = orders.recv() => Some(order.unwrap_or(Order::Finish)),
            };
            match order {
                None => {}
                Some(Order::Reopen) => {
                    for (_, file) in self.running.values() {
                        file.reopen().await;
                    }
                }
                Some(Order::Finish) => return self.close(|_| true).await,
            }
        }
    }

    /// Closes what shall not follow any more and opens what shall. Says whether all that shall follow does.
    async fn follow(&mut self, wanted: &[AuditDevice]) -> bool {
        self.close(|device| !wanted.contains(device)).await;
        let mut complete = true;
        for device in wanted {
            if !self.running.contains_key(&device.path) {
                complete &= self.open(device).await;
            }
        }
        complete
    }

    async fn open(&mut self, device: &AuditDevice) -> bool {
        let opened = match inside(&self.folder, device) {
            Ok(path) => AuditFile::start(Arc::clone(&self.backend), path, NamedBy::Api)
                .await
                .map_err(|failure| failure.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match opened {
            Ok(file) => {
                tracing::info!(device = device.path, "an audit device follows the log");
                self.running.insert(device.path.clone(), (device.clone(), file));
                true
            }
            Err(error) => {
                tracing::error!(
                    device = device.path,
                    error,
                    "an audit device does not follow the log; trying on"
                );
                false
            }
        }
    }

    async fn close(&mut self, shall: impl Fn(&AuditDevice) -> bool) {
        let gone: Vec<String> = self
            .running
            .iter()
            .filter(|(_, (device, _))| shall(device))
            .map(|(path, _)| path.clone())
            .collect();
        for path in gone {
            if let Some((_, file)) = self.running.remove(&path) {
                file.finish().await;
                tracing::info!(device = path, "an audit device follows the log no more");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrethub::core::store::memory::Memory;

    fn device(path: &str, file: &Path) -> AuditDevice {
        AuditDevice { path: path.to_owned(), ..AuditDevice::file(&file.display().to_string()) }
    }

    #[test]
    fn files_lie_in_the_folder() {
        let check = |file: &str, expect: bool| {
            let found = inside(Path::new("/var/log/secrethub"), &device("d/", Path::new(file)));
            assert_eq!(found.is_ok(), expect, "{file}");
        };
        check("/var/log/secrethub/audit.log", true);
        for bad in [
            "/var/log/secrethub",
            "/var/log/secrethub/..",
            "/var/log/secrethub/../x",
            "/var/log/secrethub/a/b",
            "/var/log/other",
            "/var/log/secrethub/audit.log.position",
            "audit.log",
            "stdout",
            "",
        ] {
            check(bad, false);
        }
    }

    #[tokio::test]
    async fn follows_what_the_vault_wants() {
        let dir = tempfile::tempdir().unwrap();
        let (keeper, devices) = Keeper::start(Arc::new(Memory::default()), dir.path().to_owned());
        let (one, two) = (device("one/", &dir.path().join("one")), device("two/", &dir.path().join("two")));
        keeper.check(&one).await.unwrap();
        std::fs::create_dir(dir.path().join("folder")).unwrap();
        std::os::unix::fs::symlink("one", dir.path().join("link")).unwrap();
        for bad in ["folder", "link", "no/such"] {
            assert!(keeper.check(&device("bad/", &dir.path().join(bad))).await.is_err(), "{bad}");
        }
        std::fs::remove_file(dir.path().join("one")).unwrap();
        keeper.keep(&[one, two]);
        devices.finish().await;
        assert!(dir.path().join("one").is_file() && dir.path().join("two").is_file());
    }
}
