//! A PostgreSQL server for a test program, and a place on it for each test.

use secrethub_testkit::Cluster;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::sync::OnceLock;

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(Cluster::start)
}

async fn admin(sql: String) {
    let mut db = PgConnection::connect(&cluster().url("postgres")).await.unwrap();
    // Names are made below.
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut db).await.unwrap();
}

/// An empty schema of the server's one database: making a database each would cost a checkpoint each.
pub(crate) struct Database {
    name: String,
    pub(crate) url: String,
}

impl Database {
    pub(crate) async fn create(test: &str) -> Self {
        let name = format!("t{}_{test}", std::process::id());
        admin(format!("CREATE SCHEMA {name}")).await;
        Self { url: format!("{}?options[search_path]={name}", cluster().url("postgres")), name }
    }

    pub(crate) async fn remove(self) {
        admin(format!("DROP SCHEMA {} CASCADE", self.name)).await;
    }
}
