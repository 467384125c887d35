//! A server for a test program, and a database on it for each test.

#![allow(dead_code, reason = "every test program uses its own part")]

use mongodb::{Client, Database};
use secrethub_store_mongo::{Mongo, Options};
use secrethub_testkit::Mongo as Server;
use std::sync::{Arc, OnceLock};

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

pub(crate) fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(Server::start)
}

pub(crate) async fn open(url: &str) -> Arc<Mongo> {
    Mongo::open(url, Options::default()).await.unwrap()
}

/// The driver itself, to look at what the store wrote.
pub(crate) async fn driver(url: &str) -> Database {
    Client::with_uri_str(url).await.unwrap().default_database().unwrap()
}

/// An empty database.
pub(crate) struct Place {
    pub(crate) url: String,
}

impl Place {
    pub(crate) fn new(test: &str) -> Self {
        Self { url: server().url(&format!("t{}_{test}", std::process::id())) }
    }

    pub(crate) async fn driver(&self) -> Database {
        driver(&self.url).await
    }

    /// Only where somebody would find it: our own server goes with its data.
    pub(crate) async fn remove(self) {
        if server().is_given() {
            self.driver().await.drop().await.unwrap();
        }
    }
}
