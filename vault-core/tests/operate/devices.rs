//! Where the audit log goes beside its store, and how a value is found in it.

use crate::house::House;
use futures::future::{BoxFuture, ready};
use secrethub_core::{
    Error,
    ErrorKind::Invalid,
    Operation::{Delete, Read, Write},
    system::{AuditDevice, DeviceKeeper, Settings},
};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

/// Remembers what it was told to keep; cannot write to `/none`.
#[derive(Debug, Default)]
struct Keeper {
    told: Mutex<Vec<Vec<String>>>,
}

impl Keeper {
    /// What it was told last.
    fn kept(&self) -> Vec<String> {
        self.told.lock().unwrap().last().cloned().unwrap_or_default()
    }
}

impl DeviceKeeper for Keeper {
    fn check<'a>(&'a self, device: &'a AuditDevice) -> BoxFuture<'a, Result<(), Error>> {
        let none = device.file_path() == Some("/none");
        Box::pin(ready(if none { Err(Error::invalid("/none cannot be written")) } else { Ok(()) }))
    }

    fn keep(&self, devices: &[AuditDevice]) {
        self.told.lock().unwrap().push(devices.iter().map(|device| device.path.clone()).collect());
    }
}

/// A house whose nodes have keepers, and the keepers.
fn run_kept<F: Future<Output = ()> + Send + 'static>(
    test: impl FnOnce(House, [Arc<Keeper>; 2]) -> F + Send + 'static,
) {
    let keepers = [Arc::new(Keeper::default()), Arc::new(Keeper::default())];
    let given = Mutex::new(keepers.to_vec());
    let settings = move || {
        let keeper = given.lock().unwrap().remove(0);
        Settings { device_keeper: Some(keeper), audit_devices: configured(), ..Settings::default() }
    };
    House::run_seeded(1, settings, |house| test(house, keepers));
}

fn configured() -> Vec<AuditDevice> {
    vec![AuditDevice::file("/configured")]
}

fn file(path: &str) -> Value {
    json!({ "type": "file", "description": "d", "options": { "file_path": path } })
}

#[test]
fn what_the_configuration_names_is_shown_and_not_changed() {
    let settings = || Settings { audit_devices: configured(), ..Settings::default() };
    House::run_seeded(1, settings, |house| async move {
        let devices = house.read("sys/audit").await;
        assert_eq!(
            (&devices["store/"]["type"], &devices["audit_file/"]["type"]),
            (&json!("store"), &json!("file"))
        );
        assert_eq!(devices["audit_file/"]["options"], json!({ "file_path": "/configured" }));
        for (operation, path) in
            [(Write, "sys/audit/new"), (Delete, "sys/audit/audit_file"), (Delete, "sys/audit/store/")]
        {
            assert_eq!(house.kind(operation, path, file("/else")).await, Some(Invalid), "{path}");
        }
        let refused = house.ask(Write, "sys/audit/new", file("/else")).await.unwrap_err().to_string();
        assert!(refused.contains("audit_devices_folder"), "{refused}");
        house.ask(Delete, "sys/audit/never", Value::Null).await.unwrap();
    });
}

#[test]
fn a_declared_device_is_kept_by_every_node() {
    run_kept(|house, [here, there]| async move {
        house.ask(Write, "sys/audit/logs/a", file("/a")).await.unwrap();
        assert_eq!(here.kept(), ["logs/a/"], "as the reply leaves");
        assert!(there.kept().is_empty());
        assert_eq!(house.node(1).read("sys/audit").await["logs/a/"]["options"]["file_path"], "/a");
        assert_eq!(there.kept(), ["logs/a/"], "as it hears of the change");
        assert!(house.write("sys/audit-hash/logs/a", json!({ "input": "x" })).await["hash"].is_string());
        house.ask(Write, "sys/audit/b", file("/b")).await.unwrap();
        house.node(1).work(Duration::from_secs(6)).await;
        assert_eq!(there.kept(), ["b/", "logs/a/"], "without being asked anything");
        house.node(1).ask(Delete, "sys/audit/logs/a/", Value::Null).await.unwrap();
        assert_eq!(there.kept(), ["b/"]);
        let devices = house.read("sys/audit").await;
        assert_eq!((&devices["logs/a/"], here.kept()), (&Value::Null, vec!["b/".to_owned()]));
    });
}

#[test]
fn what_is_kept_is_told_anew_at_each_unseal() {
    run_kept(|house, [here, _]| async move {
        house.ask(Write, "sys/audit/a", file("/a")).await.unwrap();
        house.ask(Write, "sys/seal", Value::Null).await.unwrap();
        let before = here.told.lock().unwrap().len();
        house.unseal().await;
        assert!(here.told.lock().unwrap().len() > before);
        assert_eq!(here.kept(), ["a/"]);
    });
}

#[test]
fn what_cannot_be_is_refused_and_nothing_is_stored() {
    run_kept(|house, [here, _]| async move {
        house.ask(Write, "sys/audit/a", file("/a")).await.unwrap();
        let option = |name: &str, value: &str| json!({ "type": "file", "options": { "file_path": "/b", name: value } });
        let rows = [
            ("a", file("/b"), "path already in use"),
            ("b", file("/a"), "writes this file already"),
            ("b", file("/configured"), "writes this file already"),
            ("b", file("/none"), "cannot be written"),
            ("store", file("/b"), "reserved"),
            ("audit_file", file("/b"), "reserved"),
            ("b//c", file("/b"), "segments"),
            ("b", json!({ "type": "socket" }), "unknown backend type"),
            ("b", json!({}), "type"),
            ("b", json!({ "type": "file" }), "file_path is required"),
            ("b", json!({ "type": "file", "options": 7 }), "options"),
            ("b", option("path", "/c"), "different files"),
            ("b", option("rotate", "daily"), "unknown option"),
            ("b", option("log_raw", "true"), "log_raw"),
            ("b", option("hmac_accessor", "true"), "hmac_accessor"),
            ("b", option("mode", "0644"), "mode"),
        ];
        for (path, fields, part) in rows {
            let refused = house.ask(Write, &format!("sys/audit/{path}"), fields).await.unwrap_err();
            assert_eq!(refused.kind(), Invalid, "{refused}");
            assert!(refused.to_string().contains(part), "{refused} {part}");
        }
        assert_eq!(house.keys("ns/0/m/system/audit/"), ["ns/0/m/system/audit/device/a"]);
        assert_eq!(here.kept(), ["a/"]);
        house.ask(Write, "sys/audit/b", option("mode", "0600")).await.unwrap();
        assert_eq!(
            house.read("sys/audit").await["b/"]["options"],
            json!({ "file_path": "/b", "mode": "0600" })
        );
        for n in 0..14 {
            house.ask(Write, &format!("sys/audit/n{n}"), file(&format!("/n{n}"))).await.unwrap();
        }
        assert_eq!(house.kind(Write, "sys/audit/more", file("/more")).await, Some(Invalid));
    });
}

#[test]
fn a_value_is_found_by_its_hash() {
    House::run(|house| async move {
        house.write("secret/data/a", json!({ "data": { "password": "hunter2" } })).await;
        let asked = json!({ "input": "hunter2", "name": "data.password" });
        let hash = house.node(1).write("sys/audit-hash/store", asked).await["hash"].clone();
        let log =
            house.ask(Read, "audit/records", json!({ "path": "secret/data/a" })).await.unwrap().to_value();
        assert_eq!(log["records"][0]["fields"]["data.password"], hash);
        assert!(hash.as_str().unwrap().starts_with("hmac-sha256:"));
        assert!(!log.to_string().contains("hunter2"));
        let other =
            house.write("sys/audit-hash/store", json!({ "input": "hunter3", "name": "data.password" })).await;
        assert_ne!(other["hash"], hash);
        let nameless = house.ask(Write, "sys/audit-hash/store", json!({ "input": "hunter2" })).await.unwrap();
        assert!(nameless.warnings[0].contains("name"));
        assert_eq!(house.kind(Write, "sys/audit-hash/no", json!({ "input": "x" })).await, Some(Invalid));
        assert_eq!(house.kind(Write, "sys/audit-hash/store", json!({})).await, Some(Invalid));
    });
}
