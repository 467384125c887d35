//! [`Mongo`]: a server that speaks MongoDB's wire protocol, in a temporary folder, gone with whoever started it. It is
//! SecantusDB, a stand-in: what it cannot show is listed in `docs/mongodb.md`.
//!
//! Like a [`Cluster`](crate::Cluster) it runs under a small shell script that lives as long as its standard input is
//! open. Here the script also takes orders: the server can be killed and started again, on the same port and data.

use crate::server::free_port;
use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Names a replica set to use instead of starting a server: `mongodb://user:password@host:port/?replicaSet=…`, with
/// the right to make databases. Tests that kill the server or inject failures start their own in any case.
pub const URL_VARIABLE: &str = "TEST_MONGO_URL";

/// How long a server may take to accept connections; generous, because tests share the machine.
const START_MAX: Duration = Duration::from_secs(60);

/// Answers one line to every order. The data goes when the input ends, however that came about.
const SCRIPT: &str = r#"
set -eu
cd /
dir=$(mktemp -d)
pid=
stop() { if [ -n "$pid" ]; then kill -KILL "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; pid=; fi; }
trap 'stop; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM HUP
program=$1; shift
while read -r order flags; do
    stop
    if [ "$order" = start ]; then
        "$program" --storage-path "$dir/data" --log-level ERROR --sync-on-commit "$@" $flags >"$dir/log" 2>&1 </dev/null &
        pid=$!
    fi
    echo "$order"
done
"#;

/// A running server.
#[derive(Debug)]
pub struct Mongo {
    base: String,
    started: Option<Started>,
}

#[derive(Debug)]
struct Started {
    port: u16,
    script: Child,
    orders: Mutex<Option<(ChildStdin, BufReader<ChildStdout>)>>,
}

impl Mongo {
    /// Starts one, or takes the one that [`URL_VARIABLE`] names. Panics with what to install if it cannot.
    pub fn start() -> Self {
        match std::env::var(URL_VARIABLE) {
            Ok(base) => Self { base, started: None },
            Err(_) => Self::start_own(&[]),
        }
    }

    /// Starts one that may be killed, or that `flags` make peculiar: `--standalone`, `--auth`,
    /// `--enable-test-commands`.
    pub fn start_own(flags: &[&str]) -> Self {
        let port = free_port();
        let mut script = Command::new("sh")
            .args(["-c", SCRIPT, "sh"])
            .arg(program())
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let input = script.stdin.take().unwrap();
        let output = BufReader::new(script.stdout.take().unwrap());
        let started = Started { port, script, orders: Mutex::new(Some((input, output))) };
        let mongo = Self { base: format!("mongodb://127.0.0.1:{port}"), started: Some(started) };
        mongo.restart();
        mongo
    }

    /// The URL of a database of this server, which need not exist yet.
    pub fn url(&self, database: &str) -> String {
        with_database(&self.base, database)
    }

    /// Was it named, and not started here? Then what a test leaves there stays.
    pub fn is_given(&self) -> bool {
        self.started.is_none()
    }

    /// Where it listens, if it is ours.
    pub fn port(&self) -> u16 {
        self.own().port
    }

    /// SIGKILL: nothing is flushed.
    pub fn kill(&self) {
        self.own().order("kill");
    }

    /// Kills it if it runs, and starts it on the same port and data.
    pub fn restart(&self) {
        self.restart_with("");
    }

    /// The same, with more flags than it was started with first.
    pub fn restart_with(&self, flags: &str) {
        self.own().order(&format!("start {flags}"));
        let deadline = Instant::now() + START_MAX;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port())).is_err() {
            assert!(Instant::now() < deadline, "the MongoDB stand-in does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn own(&self) -> &Started {
        self.started.as_ref().unwrap_or_else(|| panic!("the server of {URL_VARIABLE} is not ours to stop"))
    }
}

impl Started {
    fn order(&self, order: &str) {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let (input, output) = orders.as_mut().expect("it is taken only when dropped");
        writeln!(input, "{order}").expect("the script lives");
        let mut answer = String::new();
        output.read_line(&mut answer).unwrap();
        assert_eq!(Some(answer.trim()), order.split(' ').next(), "the script of the MongoDB stand-in ended");
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // The end of its input ends the script, and with it the server.
        drop(self.orders.lock().unwrap_or_else(PoisonError::into_inner).take());
        drop(self.script.wait());
    }
}

/// The stand-in's program: in the tests' virtual environment, or wherever `PATH` has it.
fn program() -> PathBuf {
    const NAME: &str = "secantusd-py";
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(root.join(".venv/bin")).chain(std::env::split_paths(&path));
    folders.map(|folder| folder.join(NAME)).find(|program| program.is_file()).unwrap_or_else(|| {
        panic!(
            "these tests need the MongoDB stand-in: run `./scripts/test` once, or `pip install -r \
             tests/python/requirements.txt`, or name a replica set in {URL_VARIABLE}"
        )
    })
}

fn with_database(url: &str, database: &str) -> String {
    let (place, options) = url.split_once('?').unwrap_or((url, ""));
    let hosts = place.find("://").map_or(0, |at| at + 3);
    let end = place[hosts..].find('/').map_or(place.len(), |at| hosts + at);
    let question = if options.is_empty() { "" } else { "?" };
    format!("{}/{database}{question}{options}", &place[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_replaces_the_one_named() {
        let check = |url: &str, expect: &str| assert_eq!(with_database(url, "d"), expect);
        check("mongodb://h:1", "mongodb://h:1/d");
        check("mongodb://u:p@h:1,i:2/x", "mongodb://u:p@h:1,i:2/d");
        check("mongodb+srv://h/?replicaSet=r&tls=true", "mongodb+srv://h/d?replicaSet=r&tls=true");
        check("mongodb://h?a=/b", "mongodb://h/d?a=/b");
    }

    #[test]
    fn a_killed_server_comes_back() {
        let mongo = Mongo::start_own(&[]);
        mongo.kill();
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, mongo.port())).is_err());
        mongo.restart();
        TcpStream::connect((Ipv4Addr::LOCALHOST, mongo.port())).unwrap();
    }
}
