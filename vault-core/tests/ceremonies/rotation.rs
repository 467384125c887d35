//! The data key's rotation without anybody asking.

use crate::house::{House, Read, Write, refused};
use secrethub_core::ErrorKind::{Denied, Invalid};
use serde_json::json;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);

fn term(house: &House, at: usize) -> u64 {
    house.root(at, Read, "sys/key-status", json!({})).unwrap()["term"].as_u64().unwrap()
}

#[test]
fn an_old_key_gives_way_on_every_node() {
    let house = House::new();
    house.root(0, Write, "secret/data/a", json!({ "data": { "k": "v" } })).unwrap();
    let policy = house.root(0, Read, "sys/rotate/config", json!({})).unwrap();
    assert_eq!(policy, json!({ "enabled": true, "max_operations": 3_865_470_566_u64, "interval": 0 }));
    house.pass(0, DAY + HOUR);
    assert_eq!(term(&house, 0), 1, "its age does not matter");
    house.root(1, Write, "sys/rotate/config", json!({ "interval": "24h" })).unwrap();
    house.pass(0, Duration::from_secs(120));
    assert_eq!((term(&house, 0), term(&house, 2)), (2, 2));
    house.pass(2, HOUR * 12);
    assert_eq!(term(&house, 2), 2);
    house.pass(2, HOUR * 12 + Duration::from_secs(120));
    assert_eq!((term(&house, 1), house.recorded("rotate").len()), (3, 2));
    house.root(1, Write, "sys/rotate/config", json!({ "enabled": false })).unwrap();
    assert_eq!(house.root(0, Read, "sys/rotate/config", json!({})).unwrap()["interval"], 86_400);
    house.pass(1, DAY + HOUR);
    assert_eq!(term(&house, 0), 3);
    assert!(house.root(2, Read, "secret/data/a", json!({})).is_ok());
}

#[test]
fn what_makes_no_sense_is_refused() {
    let house = House::new();
    for (fields, words) in [
        (json!({ "interval": "1h" }), "24 hours"),
        (json!({ "max_operations": 5 }), "between 1000000"),
        (json!({ "enabled": "perhaps" }), "true or false"),
    ] {
        refused(house.root(0, Write, "sys/rotate/config", fields), Invalid, words);
    }
    let weak = house.powerless();
    refused(house.ask(0, Write, "sys/rotate/config", json!({ "enabled": false }), &weak), Denied, "denied");
}
