//! [`Bouncer`]: PgBouncer in front of a [`Cluster`], sharing few connections by the transaction.

use crate::{Cluster, server::free_port};
use std::{
    fs,
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A running pooler; gone when dropped.
#[derive(Debug)]
pub struct Bouncer {
    child: Child,
    port: u16,
    folder: String,
}

impl Bouncer {
    /// Starts one. Panics with what to install if it cannot.
    pub fn start(cluster: &Cluster) -> Self {
        let port = free_port();
        let folder = format!("{}/bouncer-{port}", std::env::temp_dir().display());
        fs::create_dir(&folder).expect("a folder of its own");
        let file = |name: &str, text: String| {
            let path = format!("{folder}/{name}");
            fs::write(&path, text).expect("a file in it");
            path
        };
        let users = file("users", "\"vault\" \"vault\"\n".to_owned());
        let settings = file(
            "settings",
            format!(
                "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
                 unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {users}\npool_mode = transaction\n\
                 default_pool_size = 3\nserver_reset_query =\nlogfile = {folder}/log\n",
                cluster.port()
            ),
        );
        // It refuses to run as root, too.
        let root = Path::new("/proc/self")
            .metadata()
            .is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
        if root {
            let done = Command::new("chown").args(["-R", "postgres", &folder]).status();
            assert!(done.is_ok_and(|done| done.success()), "chown");
        }
        let program =
            ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].into_iter().find(|path| Path::new(path).exists());
        let program = program.expect("these tests need PgBouncer: `apt-get install pgbouncer`");
        let mut command = Command::new(program);
        if root {
            command.args(["-u", "postgres"]);
        }
        let child =
            command.args(["-q", &settings]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let bouncer = Self { child: child.spawn().expect("PgBouncer starts"), port, folder };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "PgBouncer does not answer: {}",
                bouncer.log()
            );
            thread::sleep(Duration::from_millis(20));
        }
        bouncer
    }

    /// The URL of a database behind it.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://vault:vault@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    fn log(&self) -> String {
        fs::read_to_string(format!("{}/log", self.folder)).unwrap_or_default()
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
        _ = fs::remove_dir_all(&self.folder);
    }
}
