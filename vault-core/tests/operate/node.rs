//! What a node says of its machine, and how its log is turned up.

use crate::house::House;
use futures::future::{BoxFuture, ready};
use secrethub_core::{
    Error,
    ErrorKind::{Denied, Invalid},
    Operation::{Delete, Read, Write},
    system::{Facts, InFlight, LogLevel, Machine, Memory, ProcessFacts, Settings},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

/// A machine with 7 bytes, one request and two loggers.
#[derive(Debug)]
struct Small {
    levels: Mutex<BTreeMap<&'static str, LogLevel>>,
}

impl Default for Small {
    fn default() -> Self {
        Self { levels: Mutex::new(BTreeMap::from([("audit", LogLevel::Info), ("core", LogLevel::Info)])) }
    }
}

impl Machine for Small {
    fn facts(&self) -> BoxFuture<'_, Result<Facts, Error>> {
        let memory = Memory { total: 7, used_percent: 0.5, ..Memory::default() };
        Box::pin(ready(Ok(Facts { memory, ..Facts::default() })))
    }

    fn process(&self) -> Option<ProcessFacts> {
        None
    }

    fn in_flight(&self) -> BTreeMap<String, InFlight> {
        let request = InFlight {
            age: Duration::from_secs(1),
            remote: "192.0.2.7:80".to_owned(),
            path: "/v1/sys/x".to_owned(),
            method: "GET".to_owned(),
        };
        BTreeMap::from([("id-1".to_owned(), request)])
    }

    fn loggers(&self) -> BTreeMap<&'static str, LogLevel> {
        self.levels.lock().unwrap().clone()
    }

    fn set_log_level(&self, logger: Option<&str>, level: Option<LogLevel>) {
        for (name, have) in self.levels.lock().unwrap().iter_mut() {
            if logger.is_none_or(|logger| logger == *name) {
                *have = level.unwrap_or(LogLevel::Info);
            }
        }
    }
}

fn with_machine() -> Settings {
    Settings { machine: Some(Arc::new(Small::default())), ..Settings::default() }
}

#[test]
fn a_node_tells_of_its_machine() {
    House::run_seeded(1, with_machine, |house| async move {
        let facts = house.read("sys/host-info").await;
        assert_eq!((&facts["memory"]["total"], &facts["memory"]["usedPercent"]), (&json!(7), &json!(0.5)));
        assert!(
            facts["timestamp"].is_string() && facts["cpu"] == json!([]) && facts["host"]["bootTime"] == 0
        );
        let request = &house.read("sys/in-flight-req").await["id-1"];
        assert_eq!(
            (&request["request_path"], &request["request_method"], &request["client_remote_address"]),
            (&json!("/v1/sys/x"), &json!("GET"), &json!("192.0.2.7:80"))
        );
        assert!(request["start_time"].as_str().unwrap().ends_with('Z'));
    });
}

#[test]
fn a_program_without_a_machine_says_so() {
    House::run(|house| async move {
        for path in ["sys/host-info", "sys/in-flight-req", "sys/loggers", "sys/loggers/core"] {
            assert_eq!(house.kind(Read, path, Value::Null).await, Some(Invalid), "{path}");
        }
    });
}

#[test]
fn levels_are_a_node_s_own() {
    House::run_seeded(1, with_machine, |house| async move {
        let level = |level: &str| json!({ "level": level });
        let check = async |expect: [&str; 2]| {
            assert_eq!(house.read("sys/loggers").await, json!({ "audit": expect[0], "core": expect[1] }));
        };
        check(["info", "info"]).await;
        house.ask(Write, "sys/loggers/core", level("debug")).await.unwrap();
        check(["info", "debug"]).await;
        assert_eq!(house.read("sys/loggers/core").await, json!({ "core": "debug" }));
        assert_eq!(house.node(1).read("sys/loggers/core").await, json!({ "core": "info" }));
        house.ask(Write, "sys/loggers", level("WARNING")).await.unwrap();
        check(["warn", "warn"]).await;
        house.ask(Delete, "sys/loggers/audit", Value::Null).await.unwrap();
        check(["info", "warn"]).await;
        house.ask(Write, "sys/loggers", level("notice")).await.unwrap();
        house.ask(Write, "sys/loggers/core", level("err")).await.unwrap();
        check(["info", "error"]).await;
        house.ask(Delete, "sys/loggers", Value::Null).await.unwrap();
        check(["info", "info"]).await;
        assert_eq!(house.read("sys/loggers/never").await, json!({}));
        for (operation, path, fields) in [
            (Write, "sys/loggers", level("loud")),
            (Write, "sys/loggers", level("off")),
            (Write, "sys/loggers", json!({})),
            (Write, "sys/loggers/core", level("")),
            (Write, "sys/loggers/never", level("info")),
            (Delete, "sys/loggers/never", Value::Null),
        ] {
            assert_eq!(house.kind(operation, path, fields).await, Some(Invalid), "{path}");
        }
        let child = house.with_token(&house.make_token(json!({ "policies": ["default"] })).await);
        assert_eq!(child.kind(Write, "sys/loggers", level("trace")).await, Some(Denied));
        check(["info", "info"]).await;
    });
}

#[test]
fn a_node_counts_what_there_is() {
    House::run(|house| async move {
        let fresh = house.figures();
        assert!(fresh.unsealed && fresh.usage.is_none() && fresh.audit.failures == 0);
        let (secrets, auth) = fresh.mounts.unwrap();
        house.make_token(json!({ "policies": ["default"], "ttl": "1h" })).await;
        house.write("sys/mounts/more", json!({ "type": "kv" })).await;
        house.work(Duration::from_secs(601)).await;
        let figures = house.figures();
        assert_eq!(figures.mounts, Some((secrets + 1, auth)));
        let usage = figures.usage.unwrap();
        assert_eq!((usage.tokens, usage.leases), (2, 1), "root, and one that ends");
        assert!(figures.audit.count >= fresh.audit.count + 2);
        house.ask(Write, "sys/seal", Value::Null).await.unwrap();
        let sealed = house.figures();
        assert!(
            !sealed.unsealed && sealed.mounts.is_none() && sealed.usage.is_none() && sealed.key.is_none()
        );
    });
}
