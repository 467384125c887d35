//! A new root token.

use crate::house::{Answer, Delete, House, Read, Write, decode, refused};
use secrethub_core::{ErrorKind, system::Settings};
use serde_json::{Value, json};
use std::time::Duration;

const ATTEMPT: &str = "sys/generate-root/attempt";
const UPDATE: &str = "sys/generate-root/update";

fn nonce(status: &Value) -> &str {
    status["nonce"].as_str().unwrap()
}

#[test]
fn shares_come_to_different_nodes() {
    for (attempt, update) in
        [(ATTEMPT, UPDATE), ("sys/generate-root-token/attempt", "sys/generate-root-token/update")]
    {
        let mut house = House::new();
        let idle = house.root(1, Read, attempt, json!({})).unwrap();
        assert_eq!(
            (&idle["started"], &idle["required"], &idle["otp_length"]),
            (&json!(false), &json!(2), &json!(28))
        );
        let begun = house.root(0, Write, attempt, json!({})).unwrap();
        let otp = begun["otp"].as_str().unwrap().to_owned();
        assert_eq!((&begun["started"], otp.len()), (&json!(true), 28));
        let give = |house: &House, at: usize, share: &str| {
            house.root(at, Write, update, json!({ "key": share, "nonce": nonce(&begun) }))
        };
        assert_eq!(give(&house, 1, &house.shares[2]).unwrap()["progress"], 1);
        assert_eq!(give(&house, 2, &house.shares[2]).unwrap()["progress"], 1, "the same share counts once");
        house.replace(1); // Who took the first share is lost.
        let status = house.root(1, Read, attempt, json!({})).unwrap();
        assert_eq!(
            (&status["progress"], &status["otp"]),
            (&json!(1), &json!("")),
            "the password is told once"
        );
        let done = give(&house, 0, &house.shares[0]).unwrap();
        assert_eq!((&done["complete"], &done["progress"]), (&json!(true), &json!(2)));
        let token = decode(&done["encoded_token"], &otp);
        assert_eq!(done["encoded_token"], done["encoded_root_token"]);
        let who = house.ask(2, Read, "auth/token/lookup-self", json!({}), &token).unwrap();
        assert_eq!((&who["policies"], &who["orphan"]), (&json!(["root"]), &json!(true)));
        refused(give(&house, 0, &house.shares[0]), ErrorKind::Invalid, "no root generation in progress");
        assert_eq!(house.recorded("generate-root"), ["success"]);
    }
}

#[test]
fn shares_that_come_at_once_all_count() {
    let house = House::new();
    let begun = house.root(0, Write, ATTEMPT, json!({})).unwrap();
    let share = |at: usize| json!({ "key": house.shares[at], "nonce": nonce(&begun) });
    let answers = house.at_once(UPDATE, vec![share(0), share(1), share(2)]);
    let complete = |answer: &Answer| answer.as_ref().is_ok_and(|told| told["complete"] == true);
    assert_eq!(answers.iter().filter(|answer| complete(answer)).count(), 1, "{answers:?}");
    let first = |answer: &Answer| answer.as_ref().is_ok_and(|told| told["progress"] == 1);
    assert_eq!(answers.iter().filter(|answer| first(answer)).count(), 1, "{answers:?}");
    assert_eq!(house.recorded("generate-root"), ["success"], "one token, not two");

    let begin = house.at_once(ATTEMPT, vec![json!({}), json!({}), json!({})]);
    assert_eq!(begin.iter().filter(|answer| answer.is_ok()).count(), 1, "one of three begins it");
}

#[test]
fn a_given_password_is_used_and_must_fit() {
    let house = House::new();
    for bad in ["short", "0123456789ABCDEFGHIJKLMNOPQRS"] {
        refused(house.root(0, Write, ATTEMPT, json!({ "otp": bad })), ErrorKind::Invalid, "28 bytes");
    }
    refused(house.root(0, Write, ATTEMPT, json!({ "pgp_key": "mQEN" })), ErrorKind::Invalid, "pgp_key");
    let otp = "0123456789ABCDEFGHIJKLMNOPQR";
    let begun = house.root(0, Write, ATTEMPT, json!({ "otp": otp })).unwrap();
    assert_eq!(begun["otp"], "");
    refused(house.root(1, Write, ATTEMPT, json!({})), ErrorKind::Invalid, "already in progress");
    let give =
        |share: &str| house.root(0, Write, UPDATE, json!({ "key": share, "nonce": nonce(&begun) })).unwrap();
    give(&house.shares[0]);
    let token = decode(&give(&house.shares[1])["encoded_root_token"], otp);
    assert!(house.ask(0, Read, "sys/mounts", json!({}), &token).is_ok());
}

#[test]
fn a_wrong_set_starts_over() {
    let house = House::new();
    let begun = house.root(0, Write, ATTEMPT, json!({})).unwrap();
    let give = |at: usize, share: &str| {
        house.root(at, Write, UPDATE, json!({ "key": share, "nonce": nonce(&begun) }))
    };
    let mut forged = house.shares[1].clone();
    forged.replace_range(..2, if forged.starts_with("00") { "01" } else { "00" });
    refused(give(0, "zz"), ErrorKind::Invalid, "not counted");
    give(0, &house.shares[0]).unwrap();
    refused(give(1, &forged), ErrorKind::Invalid, "start again");
    assert_eq!(house.root(2, Read, ATTEMPT, json!({})).unwrap()["progress"], 0, "forgotten on every node");
    give(1, &house.shares[0]).unwrap();
    assert_eq!(give(0, &house.shares[1]).unwrap()["complete"], true);
    assert_eq!(house.recorded("update").iter().filter(|status| *status == "failure").count(), 2);
}

#[test]
fn an_attacker_neither_begins_nor_cancels() {
    let house = House::new();
    let begun = house.root(0, Write, ATTEMPT, json!({})).unwrap();
    let (weak, share) = (house.powerless(), json!({ "key": house.shares[0], "nonce": nonce(&begun) }));
    house.root(0, Write, UPDATE, share.clone()).unwrap();
    use ErrorKind::{Denied, Invalid, Unauthenticated, Unsupported};
    for (operation, path, fields) in [
        (Delete, ATTEMPT, json!({})),
        (Write, ATTEMPT, json!({})),
        (Read, ATTEMPT, json!({})),
        (Write, UPDATE, share),
    ] {
        refused(house.ask(1, operation, path, fields.clone(), ""), Unsupported, "needs a token");
        refused(house.ask(1, operation, path, fields.clone(), "shs.wrong"), Unauthenticated, "denied");
        refused(house.ask(1, operation, path, fields.clone(), &weak), Denied, "denied");
        let twin = path.replace("generate-root", "generate-root-token");
        refused(house.ask(1, operation, &twin, fields, ""), Unauthenticated, "denied");
    }
    refused(house.root(1, Delete, ATTEMPT, json!({ "nonce": "stale" })), Invalid, "incorrect nonce");
    let other = json!({ "key": house.shares[1], "nonce": "stale" });
    refused(house.root(1, Write, UPDATE, other), Invalid, "incorrect nonce");
    refused(house.root(1, Write, UPDATE, json!({ "key": house.shares[1] })), Invalid, "missing nonce");
    assert_eq!(house.root(2, Read, ATTEMPT, json!({})).unwrap()["progress"], 1, "nothing of that counted");
    house.root(1, Delete, ATTEMPT, json!({})).unwrap();
    assert_eq!(house.root(2, Read, ATTEMPT, json!({})).unwrap()["started"], false);
}

#[test]
fn without_a_token_where_the_operator_says_so() {
    let house = House::with(|| Settings { unauthenticated_ceremonies: true, ..Settings::default() });
    let begun = house.ask(0, Write, ATTEMPT, json!({}), "").unwrap();
    refused(house.ask(1, Delete, ATTEMPT, json!({}), ""), ErrorKind::Invalid, "missing nonce");
    refused(
        house.ask(1, Read, "sys/generate-root-token/attempt", json!({}), ""),
        ErrorKind::Unauthenticated,
        "denied",
    );
    for share in &house.shares[..2] {
        house.ask(1, Write, UPDATE, json!({ "key": share, "nonce": nonce(&begun) }), "").unwrap();
    }
    assert_eq!(house.recorded("generate-root-start"), ["success"]);
    assert_eq!(house.recorded("generate-root"), ["success"], "strangers are on record too");
}

#[test]
fn its_time_runs_out_and_the_shares_go() {
    let house = House::new();
    let begun = house.root(0, Write, ATTEMPT, json!({})).unwrap();
    let share = json!({ "key": house.shares[0], "nonce": nonce(&begun) });
    house.root(0, Write, UPDATE, share.clone()).unwrap();
    house.pass(1, Duration::from_secs(23 * 3_600));
    assert_eq!(house.root(0, Read, ATTEMPT, json!({})).unwrap()["progress"], 1);
    house.pass(1, Duration::from_secs(2 * 3_600));
    assert_eq!(house.root(0, Read, ATTEMPT, json!({})).unwrap()["started"], false);
    refused(house.root(0, Write, UPDATE, share), ErrorKind::Invalid, "in progress");
    assert_eq!(house.recorded("ceremony-expired"), ["success"], "and nothing is left in the store");

    // It counts no more from that moment on, whether a job has removed it or not.
    let begun = house.root(0, Write, ATTEMPT, json!({})).unwrap();
    let share = json!({ "key": house.shares[0], "nonce": nonce(&begun) });
    house.root(1, Write, UPDATE, share.clone()).unwrap();
    house.sleep(Duration::from_secs(24 * 3_600));
    refused(house.root(0, Write, UPDATE, share), ErrorKind::Invalid, "in progress");
    let again = house.root(0, Write, ATTEMPT, json!({})).unwrap();
    assert!(again["progress"] == 0 && again["nonce"] != begun["nonce"]);
}
