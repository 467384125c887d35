//! [`Cluster`]: a private PostgreSQL server in a temporary folder, gone with whoever started it.
//!
//! It runs under a small shell script that lives as long as its standard input is open: when the test's process
//! ends, however it ends, the script stops the server and removes the folder. What a test does to the server (kill it,
//! start it again, promote it), it tells the script in a word.

use crate::server::free_port;
use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Mutex,
};

/// Names a server to use instead of starting one: `postgres://user:password@host:port/…`, with the right to create
/// databases. A test that harms its server starts one of its own all the same.
pub const URL_VARIABLE: &str = "TEST_POSTGRES_URL";

/// initdb refuses to run as root, so root becomes `postgres` first. Durability stays on: the store insists on it.
const SCRIPT: &str = r#"
set -eu
cd /
if [ "$(id -u)" = 0 ] && [ "${AGAIN:-}" = "" ]; then
    AGAIN=1 exec setpriv --reuid=postgres --regid=postgres --init-groups sh -c "$SCRIPT" sh "$@"
fi
port=$1 primary=$2
shift 2
bin=$(pg_config --bindir 2>/dev/null || true)
[ -x "$bin/initdb" ] || bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -x "$bin/initdb" ] || { echo "missing"; exit 1; }
dir=$(mktemp -d)
pid=
finish() {
    if [ -n "$pid" ]; then kill -QUIT "$pid" 2>/dev/null; wait "$pid" || true; fi
    rm -rf "$dir"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP
begin() {
    # The former server's children may take a moment to let go of its memory.
    for try in 1 2 3 4 5; do
        "$bin/postgres" -D "$dir/data" -p "$port" -k "$dir" -c listen_addresses=127.0.0.1 -c max_connections=200 \
            -c log_min_messages=fatal "$@" >&2 </dev/null &
        pid=$!
        until "$bin/pg_isready" -q -h 127.0.0.1 -p "$port"; do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.05
        done
        if kill -0 "$pid" 2>/dev/null; then return 0; fi
        sleep 0.2
    done
    return 1
}
if [ -n "$primary" ]; then
    "$bin/pg_basebackup" -D "$dir/data" -d "$primary" -R -X stream -c fast >&2
else
    echo vault > "$dir/password"
    "$bin/initdb" -D "$dir/data" -U vault -A scram-sha-256 --pwfile="$dir/password" --no-sync -E UTF8 --locale=C >&2
    echo "host replication all 127.0.0.1/32 scram-sha-256" >> "$dir/data/pg_hba.conf"
fi
for file in ${TLS_FILES:-}; do
    cp "$file" "$dir/data/"
    chmod 600 "$dir/data/${file##*/}"
done
[ -z "${HBA:-}" ] || printf '%s\n' "$HBA" > "$dir/data/pg_hba.conf"
begin "$@" || { echo "stopped"; exit 1; }
echo "ready $dir"
while read -r word; do
    case "$word" in
        kill) kill -9 "$pid" $(pgrep -P "$pid") 2>/dev/null || true; wait "$pid" 2>/dev/null || true; pid= ;;
        stop) kill -INT "$pid"; wait "$pid" || true; pid= ;;
        start) begin "$@" || { echo "stopped"; exit 1; } ;;
        promote) "$bin/pg_ctl" promote -w -D "$dir/data" >&2 ;;
        *) exit 1 ;;
    esac
    echo "done"
done
"#;

/// How a server is started, beyond the usual.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Settings, as `name=value`.
    pub settings: Vec<String>,
    /// A primary to copy and follow, by its URL.
    pub primary: String,
    /// Files to put beside the data, readable by the server alone.
    pub files: Vec<String>,
    /// `pg_hba.conf`, if not the usual one.
    pub hba: String,
}

/// A running server.
#[derive(Debug)]
pub struct Cluster {
    base: String,
    port: u16,
    folder: String,
    script: Option<Mutex<Script>>,
}

#[derive(Debug)]
struct Script {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Cluster {
    /// Starts one, or takes the one that [`URL_VARIABLE`] names. Panics with what to install if it cannot.
    pub fn start() -> Self {
        match std::env::var(URL_VARIABLE) {
            Ok(url) => Self { base: without_database(&url), port: 0, folder: String::new(), script: None },
            Err(_) => Self::own(&Setup::default()),
        }
    }

    /// Starts one that the test may harm. Panics with what to install if it cannot.
    pub fn own(setup: &Setup) -> Self {
        // Somebody else may take the port in between.
        let started = Self::launch(setup).or_else(|_| Self::launch(setup));
        started.unwrap_or_else(|log| panic!("PostgreSQL does not start: {log}"))
    }

    /// The URL of a database of this server, which need not exist yet; `postgres` always does.
    pub fn url(&self, database: &str) -> String {
        format!("{}/{database}", self.base)
    }

    /// Its port on 127.0.0.1; only of an own one.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its data and socket; only of an own one.
    pub fn folder(&self) -> &str {
        &self.folder
    }

    /// SIGKILL to all of it.
    pub fn kill(&self) {
        self.tell("kill");
    }

    /// Ends it in order, cutting its sessions.
    pub fn stop(&self) {
        self.tell("stop");
    }

    /// Starts it again after [`Cluster::kill`] or [`Cluster::stop`].
    pub fn restart(&self) {
        self.tell("start");
    }

    /// Makes a standby a primary.
    pub fn promote(&self) {
        self.tell("promote");
    }

    fn tell(&self, word: &str) {
        let mut script = self.script.as_ref().expect("a server of the test's own").lock().unwrap();
        writeln!(script.input.as_mut().unwrap(), "{word}").expect("the script runs");
        let mut answer = String::new();
        script.output.read_line(&mut answer).expect("the script answers");
        assert_eq!(answer.trim(), "done", "{word}");
    }

    fn launch(setup: &Setup) -> Result<Self, String> {
        let port = free_port();
        let mut child = Command::new("sh")
            .args(["-c", SCRIPT, "sh", &port.to_string(), &setup.primary])
            .args(setup.settings.iter().flat_map(|setting| ["-c", setting]))
            .env("SCRIPT", SCRIPT)
            .env("TLS_FILES", setup.files.join(" "))
            .env("HBA", &setup.hba)
            .env_remove("AGAIN")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut answer = String::new();
        output.read_line(&mut answer).unwrap();
        match answer.trim().split_once(' ') {
            Some(("ready", folder)) => {
                let base = format!("postgres://vault:vault@127.0.0.1:{port}");
                let input = child.stdin.take();
                drain(&mut child);
                let script = Some(Mutex::new(Script { child, input, output }));
                Ok(Self { base, port, folder: folder.to_owned(), script })
            }
            _ if answer.trim() == "missing" => panic!(
                "these tests need a PostgreSQL server: `apt-get install postgresql`, or name one in {URL_VARIABLE}"
            ),
            _ => {
                drop(child.stdin.take());
                let mut log = String::new();
                drop(child.stderr.take().unwrap().read_to_string(&mut log));
                drop(child.wait());
                Err(format!("{answer}\n{log}"))
            }
        }
    }
}

/// Nobody reads the server's log any more, and it must not wait for a reader.
fn drain(script: &mut Child) {
    if let Some(mut log) = script.stderr.take() {
        std::thread::spawn(move || drop(std::io::copy(&mut log, &mut std::io::sink())));
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        drop(self.input.take());
        drop(self.child.wait());
    }
}

fn without_database(url: &str) -> String {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..].find('/').map_or(url.len(), |at| host + at);
    url[..end].to_owned()
}
