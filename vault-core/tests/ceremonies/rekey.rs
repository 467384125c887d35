//! New shares.

use crate::house::{Delete, House, Read, Write, keys, refused};
use secrethub_core::ErrorKind::{Denied, Invalid, Unauthenticated, Unsupported};
use serde_json::{Value, json};

fn nonce(status: &Value) -> &str {
    status["nonce"].as_str().unwrap()
}

/// Do these shares unseal a new node?
fn unseals(house: &mut House, shares: &[String]) -> bool {
    house.join();
    let mut sealed = json!(true);
    for share in shares {
        match house.ask(3, Write, "sys/unseal", json!({ "key": share }), "") {
            Ok(status) => sealed = status["sealed"].clone(),
            Err(_) => break,
        }
    }
    house.leave();
    sealed == false
}

#[test]
fn new_shares_take_over_at_once_on_every_node() {
    for path in ["sys/rekey", "sys/rotate/root"] {
        let mut house = House::new();
        let (init, update) = (format!("{path}/init"), format!("{path}/update"));
        let idle = house.root(0, Read, &init, json!({})).unwrap();
        assert_eq!((&idle["started"], &idle["required"], &idle["t"]), (&json!(false), &json!(2), &json!(0)));
        let begun =
            house.root(0, Write, &init, json!({ "secret_shares": 4, "secret_threshold": 3 })).unwrap();
        assert_eq!((&begun["started"], &begun["t"], &begun["n"]), (&json!(true), &json!(3), &json!(4)));
        refused(house.root(1, Write, &init, json!({})), Invalid, "already in progress");
        let give = |house: &House, at: usize, share: usize| {
            let fields = json!({ "key": house.shares[share], "nonce": nonce(&begun) });
            house.root(at, Write, &update, fields).unwrap()
        };
        assert_eq!(give(&house, 1, 2)["progress"], 1);
        house.replace(1);
        let done = give(&house, 2, 1);
        let (new, old) = (keys(&done), house.shares.clone());
        assert_eq!((&done["complete"], new.len()), (&json!(true), 4));
        assert!(!unseals(&mut house, &old), "the old shares are dead");
        assert!(unseals(&mut house, &new[1..]));
        assert!(!unseals(&mut house, &new[..2]), "fewer than the threshold");
        let status = house.ask(2, Read, "sys/seal-status", json!({}), "").unwrap();
        assert_eq!((&status["t"], &status["n"]), (&json!(3), &json!(4)));
        assert_eq!(house.root(0, Read, &init, json!({})).unwrap()["required"], 3);
        assert_eq!(house.recorded("rekey"), ["success"]);
    }
}

#[test]
fn verified_shares_count_only_once_they_were_given() {
    let mut house = House::new();
    let fields = json!({ "secret_shares": 2, "secret_threshold": 2, "require_verification": true });
    let begun = house.root(0, Write, "sys/rekey/init", fields).unwrap();
    assert_eq!(begun["verification_required"], true);
    assert_eq!(house.root(0, Read, "sys/rekey/verify", json!({})).unwrap()["started"], false);
    refused(house.root(0, Delete, "sys/rekey/verify", json!({})), Invalid, "no rekey verification");
    let mut done = Value::Null;
    for share in &house.shares[..2] {
        let fields = json!({ "key": share, "nonce": nonce(&begun) });
        done = house.root(0, Write, "sys/rekey/update", fields).unwrap();
    }
    let (new, old) = (keys(&done), house.shares.clone());
    assert_eq!((&done["complete"], &done["verification_required"]), (&json!(true), &json!(true)));
    let fields = json!({ "key": old[0], "nonce": nonce(&begun) });
    refused(house.root(0, Write, "sys/rekey/update", fields), Invalid, "wait to be verified");
    assert!(unseals(&mut house, &old) && !unseals(&mut house, &new), "the old ones are in force");
    house.replace(0);
    let verify = |house: &House, at: usize, share: &str, nonce: &Value| {
        house.root(at, Write, "sys/rekey/verify", json!({ "key": share, "nonce": nonce }))
    };
    let first = &done["verification_nonce"];
    assert_eq!(verify(&house, 1, &new[0], first).unwrap()["progress"], 1);
    refused(verify(&house, 1, &old[1], first), Invalid, "start again");
    assert_eq!(house.root(2, Read, "sys/rekey/verify", json!({})).unwrap()["progress"], 0);
    let again = house.root(1, Delete, "sys/rekey/verify", json!({})).unwrap();
    assert_ne!(&again["nonce"], first);
    refused(verify(&house, 0, &new[0], first), Invalid, "incorrect nonce");
    verify(&house, 0, &new[0], &again["nonce"]).unwrap();
    assert_eq!(verify(&house, 1, &new[1], &again["nonce"]).unwrap()["complete"], true);
    assert!(!unseals(&mut house, &old) && unseals(&mut house, &new));
}

/// The last share's answer never arrives: whoever gave it gives it again, at any node, and is told the same.
#[test]
fn a_lost_answer_is_told_again_to_who_was_to_hear_it() {
    let mut house = House::new();
    let old = house.shares.clone();
    let fields = json!({ "secret_shares": 3, "secret_threshold": 2 });
    let begun = house.root(0, Write, "sys/rekey/init", fields.clone()).unwrap();
    let share = |key: &str| json!({ "key": key, "nonce": nonce(&begun) });
    house.root(1, Write, "sys/rekey/update", share(&old[0])).unwrap();
    house.lose(1, "sys/rekey/update", share(&old[2]));
    assert!(!unseals(&mut house, &old), "the old shares are dead");
    let ask = |house: &House, fields: Value| house.root(2, Write, "sys/rekey/update", fields);
    refused(ask(&house, share(&old[0])), Invalid, "no rekey in progress");
    refused(ask(&house, share("zz")), Invalid, "no rekey in progress");
    refused(ask(&house, json!({ "key": old[2], "nonce": "another" })), Invalid, "no rekey in progress");
    refused(house.ask(2, Write, "sys/rekey/update", share(&old[2]), &house.powerless()), Denied, "denied");
    let other = house.root(0, Write, "auth/token/create", json!({ "policies": ["root"] })).unwrap();
    let other = house.ask(2, Write, "sys/rekey/update", share(&old[2]), other.as_str().unwrap());
    refused(other, Invalid, "no rekey in progress"); // Whoever has the share alone.
    let again = ask(&house, share(&old[2])).unwrap();
    assert_eq!((&again["complete"], &again["nonce"]), (&json!(true), &begun["nonce"]));
    assert_eq!(ask(&house, share(&old[2])).unwrap(), again, "as often as it is lost");
    let new = keys(&again);
    assert!(unseals(&mut house, &new[1..]));
    assert_eq!((house.recorded("rekey").len(), house.recorded("rekey-told").len()), (1, 2));

    // A rekey that is under way is another one, and so is its answer.
    let next = house.root(0, Write, "sys/rekey/init", fields).unwrap();
    assert_eq!(keys(&ask(&house, share(&old[2])).unwrap()), new);
    let give = |key: &str| json!({ "key": key, "nonce": nonce(&next) });
    ask(&house, give(&new[0])).unwrap();
    house.lose(0, "sys/rekey/update", give(&new[1]));
    refused(ask(&house, share(&old[2])), Invalid, "no rekey in progress");
    let newest = keys(&ask(&house, give(&new[1])).unwrap());
    assert!(!unseals(&mut house, &new) && unseals(&mut house, &newest));
    house.pass(0, std::time::Duration::from_secs(3_700));
    refused(ask(&house, give(&new[1])), Invalid, "no rekey in progress");
    assert_eq!(house.recorded("ceremony-expired"), ["success"], "and nothing is left in the store");
}

#[test]
fn an_attacker_neither_begins_nor_cancels() {
    let house = House::new();
    let begun =
        house.root(0, Write, "sys/rekey/init", json!({ "secret_shares": 1, "secret_threshold": 1 })).unwrap();
    let (weak, share) = (house.powerless(), json!({ "key": house.shares[0], "nonce": nonce(&begun) }));
    house.root(0, Write, "sys/rekey/update", share.clone()).unwrap();
    for (operation, path, fields) in [
        (Delete, "sys/rekey/init", json!({})),
        (Write, "sys/rekey/init", json!({})),
        (Write, "sys/rekey/update", share),
        (Delete, "sys/rekey/verify", json!({})),
    ] {
        refused(house.ask(1, operation, path, fields.clone(), ""), Unsupported, "needs a token");
        refused(house.ask(1, operation, path, fields.clone(), &weak), Denied, "denied");
        let twin = path.replace("rekey", "rotate/root");
        refused(house.ask(1, operation, &twin, fields.clone(), ""), Unauthenticated, "denied");
        refused(house.ask(1, operation, &twin, fields, &weak), Denied, "denied");
    }
    refused(house.root(1, Delete, "sys/rekey/init", json!({ "nonce": "stale" })), Invalid, "incorrect nonce");
    assert_eq!(house.root(2, Read, "sys/rekey/init", json!({})).unwrap()["progress"], 1);
    house.root(1, Delete, "sys/rotate/root/init", json!({ "nonce": nonce(&begun) })).unwrap();
    assert_eq!(house.root(2, Read, "sys/rekey/init", json!({})).unwrap()["started"], false);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let house = House::new();
    let check = |fields: Value, words: &str| {
        refused(house.root(0, Write, "sys/rekey/init", fields), Invalid, words);
    };
    check(json!({ "secret_shares": 2, "secret_threshold": 3 }), "greater");
    check(json!({ "secret_shares": 0 }), "between 1 and 255");
    check(json!({ "secret_shares": 256 }), "between 1 and 255");
    check(json!({ "pgp_keys": ["a"] }), "pgp_keys");
    check(json!({ "backup": true }), "backup");
    refused(house.root(0, Read, "sys/rekey/backup", json!({})), Invalid, "no backed-up keys");
    refused(house.root(0, Read, "sys/rekey-recovery-key/init", json!({})), Invalid, "sys/rotate/root");
    refused(
        house.root(0, Write, "sys/rekey/update", json!({ "key": "x", "nonce": "y" })),
        Invalid,
        "no rekey in progress",
    );
}

/// Shares of a ceremony that another one overtook do not count for the new guard.
#[test]
fn shares_given_to_an_older_seal_are_worthless() {
    let house = House::new();
    let root = house.root(0, Write, "sys/generate-root/attempt", json!({})).unwrap();
    let fields = json!({ "key": house.shares[0], "nonce": nonce(&root) });
    house.root(0, Write, "sys/generate-root/update", fields).unwrap();
    let begun =
        house.root(0, Write, "sys/rekey/init", json!({ "secret_shares": 2, "secret_threshold": 2 })).unwrap();
    let mut done = Value::Null;
    for share in &house.shares[..2] {
        let fields = json!({ "key": share, "nonce": nonce(&begun) });
        done = house.root(0, Write, "sys/rekey/update", fields).unwrap();
    }
    let status = house.root(1, Read, "sys/generate-root/attempt", json!({})).unwrap();
    assert_eq!(status["progress"], 0);
    let give = |share: &str| {
        house
            .root(1, Write, "sys/generate-root/update", json!({ "key": share, "nonce": nonce(&root) }))
            .unwrap()
    };
    assert_eq!(give(&keys(&done)[0])["progress"], 1);
    assert_eq!(give(&keys(&done)[1])["complete"], true);
}
