//! What is said of the audit log and its followers, and how a value is found in it.

use crate::house::House;
use secrethub_core::{
    ErrorKind::Invalid,
    Operation::{Delete, Read, Write},
    system::{AuditDevice, Settings},
};
use serde_json::{Value, json};

fn with_a_file() -> Settings {
    Settings { audit_devices: vec![AuditDevice::file("audit.log")], ..Settings::default() }
}

#[test]
fn devices_are_shown_and_not_changed() {
    House::run_seeded(1, with_a_file, |house| async move {
        let devices = house.read("sys/audit").await;
        assert_eq!(
            (&devices["store/"]["type"], &devices["file/"]["type"]),
            (&json!("store"), &json!("file"))
        );
        assert_eq!(devices["file/"]["options"], json!({ "file_path": "audit.log" }));
        let file = json!({ "type": "file", "options": { "file_path": "else" } });
        for (operation, path) in
            [(Write, "sys/audit/new"), (Delete, "sys/audit/file"), (Delete, "sys/audit/store/")]
        {
            assert_eq!(house.kind(operation, path, file.clone()).await, Some(Invalid), "{path}");
        }
        house.ask(Delete, "sys/audit/never", Value::Null).await.unwrap();
        let header = "sys/config/auditing/request-headers/X-Trace";
        assert_eq!(house.kind(Write, header, json!({})).await, Some(Invalid));
        assert_eq!(house.read("sys/config/auditing/request-headers").await, json!({ "headers": {} }));
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
