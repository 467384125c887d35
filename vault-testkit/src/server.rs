//! The real `secrethub` binary on a free port of this machine, with a folder of its own: started, killed, started again.

use std::{
    fmt, fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long a server may take to answer after its start; generous, because tests share the machine.
const START_MAX: Duration = Duration::from_secs(60);

/// A server process. It is killed when dropped.
pub struct Server {
    child: Child,
    address: SocketAddr,
    folder: PathBuf,
    settings: Settings,
}

/// How a server is started.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Arguments after `server --listen …`.
    pub args: Vec<String>,
    /// URL of the store, instead of a SQLite file in the folder. It goes into the environment, as it may hold a password.
    pub store: Option<String>,
    /// Environment beside a bare `PATH` and a `HOME` inside the folder.
    pub env: Vec<(String, String)>,
}

/// The `secrethub` binary: `SECRETHUB_BIN`, or what `cargo build` put in the target folder.
///
/// # Panics
/// When it is not there; the message names the command that builds it.
pub fn binary() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder));
    let built = target.join("debug").join("secrethub");
    let binary = std::env::var_os("SECRETHUB_BIN").map_or(built, PathBuf::from);
    assert!(binary.is_file(), "{} is missing: run `cargo build -p secrethub-cli` first", binary.display());
    binary
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    bound.expect("the loopback has a free port").port()
}

impl Server {
    /// Starts a server on `folder/vault.db` and waits until it answers.
    pub fn start(folder: &Path, settings: Settings) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let child = spawn(folder, address, &settings);
        let mut server = Self { child, address, folder: folder.to_owned(), settings };
        server.wait_ready();
        server
    }

    /// SIGKILL: no handler runs, nothing is flushed.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child of ours can be killed");
        self.child.wait().expect("a child of ours can be waited for");
    }

    /// Starts the killed server again, on the same folder and port.
    pub fn restart(&mut self) {
        self.child = spawn(&self.folder, self.address, &self.settings);
        self.wait_ready();
    }

    /// SIGTERM, and the code it ended with (`None` after a signal).
    pub fn terminate(&mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        assert!(sent.success(), "kill -TERM {pid}");
        self.child.wait().expect("a child of ours can be waited for").code()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT` followed by `path`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The store it was started on, as `--store` takes it.
    pub fn store(&self) -> String {
        store_url(&self.folder, &self.settings)
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("server.log")).unwrap_or_default()
    }

    fn wait_ready(&mut self) {
        let deadline = Instant::now() + START_MAX;
        while !answers(self.address) {
            let ended = self.child.try_wait().expect("a child of ours can be asked");
            assert!(ended.is_none(), "the server ended ({ended:?}):\n{}", self.log());
            assert!(Instant::now() < deadline, "the server does not answer:\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .field("pid", &self.pid())
            .finish_non_exhaustive()
    }
}

fn store_url(folder: &Path, settings: &Settings) -> String {
    settings.store.clone().unwrap_or_else(|| format!("sqlite:{}", folder.join("vault.db").display()))
}

fn spawn(folder: &Path, address: SocketAddr, settings: &Settings) -> Child {
    let log = fs::File::options().create(true).append(true).open(folder.join("server.log"));
    let log = log.expect("the folder can be written");
    let mut command = Command::new(binary());
    command.args(["server", "--listen", &address.to_string()]).args(&settings.args);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", folder);
    command.env("SECRETHUB_STORE", store_url(folder, settings));
    command.envs(settings.env.iter().map(|(name, value)| (name, value))).current_dir(folder);
    command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file can be shared")).stderr(log);
    command.spawn().expect("the binary can be started")
}

/// Does it answer any HTTP at all? Sealed and uninitialised are answers.
fn answers(address: SocketAddr) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream
            .write_all(b"GET /v1/sys/seal-status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut head = [0; 8];
        stream.read_exact(&mut head)?;
        std::io::Result::Ok(head == *b"HTTP/1.1")
    };
    ask().unwrap_or(false)
}
