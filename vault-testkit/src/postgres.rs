//! [`Cluster`]: a private PostgreSQL server in a temporary folder, gone with whoever started it.
//!
//! It runs under a small shell script that lives as long as its standard input is open: when the test's process
//! ends, however it ends, the script stops the server and removes the folder.

use std::{
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    process::{Child, ChildStdin, Command, Stdio},
};

/// Names a server to use instead of starting one: `postgres://user:password@host:port/…`, with the right to create
/// databases.
pub const URL_VARIABLE: &str = "TEST_POSTGRES_URL";

/// initdb refuses to run as root, so root becomes `postgres` first. Durability stays on: the store insists on it.
const SCRIPT: &str = r#"
set -eu
cd /
if [ "$(id -u)" = 0 ] && [ "${2:-}" != again ]; then
    exec setpriv --reuid=postgres --regid=postgres --init-groups sh -c "$SCRIPT" sh "$1" again
fi
bin=$(pg_config --bindir 2>/dev/null || true)
[ -x "$bin/initdb" ] || bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -x "$bin/initdb" ] || { echo "missing"; exit 1; }
dir=$(mktemp -d)
pid=
trap 'if [ -n "$pid" ]; then kill -QUIT "$pid" 2>/dev/null; wait "$pid" || true; fi; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM HUP
echo vault > "$dir/password"
"$bin/initdb" -D "$dir/data" -U vault -A scram-sha-256 --pwfile="$dir/password" --no-sync -E UTF8 --locale=C >&2
"$bin/postgres" -D "$dir/data" -p "$1" -k "$dir" -c listen_addresses=127.0.0.1 -c max_connections=200 \
    -c log_min_messages=fatal >&2 </dev/null &
pid=$!
until "$bin/pg_isready" -q -h 127.0.0.1 -p "$1"; do
    kill -0 "$pid" || { echo "stopped"; exit 1; }
    sleep 0.05
done
echo "ready"
cat > /dev/null
"#;

/// A running server.
#[derive(Debug)]
pub struct Cluster {
    base: String,
    script: Option<(Child, ChildStdin)>,
}

impl Cluster {
    /// Starts one, or takes the one that [`URL_VARIABLE`] names. Panics with what to install if it cannot.
    pub fn start() -> Self {
        if let Ok(url) = std::env::var(URL_VARIABLE) {
            return Self { base: without_database(&url), script: None };
        }
        // Somebody else may take the port in between.
        let started = Self::launch().or_else(|_| Self::launch());
        started.unwrap_or_else(|log| panic!("PostgreSQL does not start: {log}"))
    }

    /// The URL of a database of this server, which need not exist yet; `postgres` always does.
    pub fn url(&self, database: &str) -> String {
        format!("{}/{database}", self.base)
    }

    fn launch() -> Result<Self, String> {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).unwrap().port();
        let mut script = Command::new("sh")
            .args(["-c", SCRIPT, "sh", &port.to_string()])
            .env("SCRIPT", SCRIPT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut answer = String::new();
        BufReader::new(script.stdout.take().unwrap()).read_line(&mut answer).unwrap();
        match answer.trim() {
            "ready" => {
                let base = format!("postgres://vault:vault@127.0.0.1:{port}");
                let input = script.stdin.take().unwrap();
                drain(&mut script);
                Ok(Self { base, script: Some((script, input)) })
            }
            "missing" => panic!(
                "these tests need a PostgreSQL server: `apt-get install postgresql`, or name one in {URL_VARIABLE}"
            ),
            other => {
                drop(script.stdin.take());
                let mut log = String::new();
                drop(script.stderr.take().unwrap().read_to_string(&mut log));
                drop(script.wait());
                Err(format!("{other}\n{log}"))
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

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some((mut script, input)) = self.script.take() {
            drop(input);
            drop(script.wait());
        }
    }
}

fn without_database(url: &str) -> String {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..].find('/').map_or(url.len(), |at| host + at);
    url[..end].to_owned()
}
