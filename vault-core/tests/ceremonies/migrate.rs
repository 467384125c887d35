//! Recovery shares of a vault that unseals itself, and the way from one guard to another.

use crate::house::{Delete, House, Read, Write, decode, keys, refused};
use secrethub_core::{
    ErrorKind::{Invalid, Sealed, Unsupported},
    Secret,
    barrier::MasterKey,
    system::{Guardian, Settings},
};
use serde_json::{Value, json};

pub(crate) const KEY: &str = "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk";
const OTP: &str = "0123456789ABCDEFGHIJKLMNOPQR";

pub(crate) fn with_key() -> Settings {
    let master = MasterKey::parse(&Secret::new(KEY.to_owned())).unwrap();
    let guardian = Guardian::MasterKey(master);
    Settings { guardian, unauthenticated_ceremonies: true, ..Settings::default() }
}

/// Gives shares to a ceremony, each to another node, and returns the last answer.
fn give(house: &House, path: &str, nonce: &Value, shares: &[String]) -> Value {
    let mut last = Value::Null;
    for (at, share) in shares.iter().enumerate() {
        let fields = json!({ "key": share, "nonce": nonce });
        last = house.root(at % 2, Write, path, fields).unwrap();
    }
    last
}

pub(crate) fn make_root(house: &House, shares: &[String]) -> String {
    let begun = house.root(0, Write, "sys/generate-root/attempt", json!({ "otp": OTP })).unwrap();
    let done = give(house, "sys/generate-root/update", &begun["nonce"], shares);
    decode(&done["encoded_token"], OTP)
}

/// Two nodes that unseal themselves, and the root token that the holder of the key made.
fn unsealing_itself() -> House {
    let mut house = House::empty(with_key);
    house.join();
    house.join();
    house.root = make_root(&house, &[KEY.to_owned()]);
    house
}

pub(crate) fn make_recovery(house: &House, authority: &[String]) -> Vec<String> {
    let fields = json!({ "secret_shares": 3, "secret_threshold": 2 });
    let begun = house.root(0, Write, "sys/rotate/recovery/init", fields).unwrap();
    assert_eq!(begun["required"], authority.len());
    keys(&give(house, "sys/rotate/recovery/update", &begun["nonce"], authority))
}

#[test]
fn recovery_shares_take_the_place_of_the_key() {
    let house = unsealing_itself();
    let first = make_recovery(&house, &[KEY.to_owned()]);
    let status = house.ask(1, Read, "sys/seal-status", json!({}), "").unwrap();
    assert_eq!((&status["type"], &status["recovery_seal"]), (&json!("static"), &json!(true)));
    assert_eq!((&status["t"], &status["n"]), (&json!(2), &json!(3)), "the shares that authorise");
    let second = make_recovery(&house, &first[1..]);
    let token = make_root(&house, &second[..2]);
    assert!(house.ask(1, Read, "sys/mounts", json!({}), &token).is_ok());
    let begun = house.root(0, Write, "sys/generate-root/attempt", json!({})).unwrap();
    let fields = |key: &str| json!({ "key": key, "nonce": begun["nonce"] });
    refused(house.root(0, Write, "sys/generate-root/update", fields(KEY)), Invalid, "66 hex digits");
    house.root(0, Write, "sys/generate-root/update", fields(&first[0])).unwrap();
    refused(house.root(0, Write, "sys/generate-root/update", fields(&first[1])), Invalid, "do not open");
    house.root(0, Delete, "sys/generate-root/attempt", json!({})).unwrap();
    refused(house.root(0, Write, "sys/rotate/root/init", json!({})), Invalid, "sys/rotate/recovery");
}

#[test]
fn without_recovery_shares_the_key_itself_is_asked_for() {
    let house = unsealing_itself();
    let begun = house.root(0, Write, "sys/generate-root/attempt", json!({})).unwrap();
    for (wrong, words) in [("x".repeat(32), "another key"), ("short".to_owned(), "give the MASTER_KEY")] {
        let fields = json!({ "key": wrong, "nonce": begun["nonce"] });
        refused(house.root(1, Write, "sys/generate-root/update", fields), Invalid, words);
    }
}

#[test]
fn shares_become_recovery_shares_and_unseal_shares_again() {
    let mut house = House::new();
    house.root(0, Write, "secret/data/a", json!({ "data": { "k": "v" } })).unwrap();
    let shares = house.shares[..2].to_vec();
    let unseal = |house: &House, at: usize, share: &str, migrate: bool| {
        house.ask(at, Write, "sys/unseal", json!({ "key": share, "migrate": migrate }), "")
    };
    let migration = |house: &House, at: usize| {
        house.ask(at, Read, "sys/seal-status", json!({}), "").unwrap()["migration"].clone()
    };
    let readable = |house: &House, at: usize| house.root(at, Read, "secret/data/a", json!({})).is_ok();
    assert_eq!(migration(&house, 0), false);
    refused(unseal_sealed(&mut house), Invalid, "no seal migration is pending");

    // To the environment: a node with a key stays sealed until the shares hand the vault over.
    house.configure(with_key);
    house.join();
    assert_eq!(migration(&house, 3), true);
    refused(house.root(3, Read, "secret/data/a", json!({})), Sealed, "sealed");
    refused(unseal(&house, 3, &shares[0], false), Invalid, "migrate=true");
    assert_eq!(unseal(&house, 3, &shares[0], true).unwrap()["progress"], 1);
    let status = unseal(&house, 3, &shares[1], true).unwrap();
    assert_eq!(
        (&status["sealed"], &status["type"], &status["migration"]),
        (&json!(false), &json!("static"), &json!(false))
    );
    assert!(readable(&house, 3) && readable(&house, 0), "the others serve on");
    assert_eq!(house.recorded("seal-migrate"), ["success"]);
    house.join();
    assert!(readable(&house, 4), "the next one unseals itself");
    assert!(house.ask(4, Read, "auth/token/lookup-self", json!({}), &make_root(&house, &shares)).is_ok());

    // And back.
    house.configure(Settings::default);
    house.join();
    assert_eq!(migration(&house, 5), true);
    refused(unseal(&house, 5, &shares[0], false), Invalid, "not configured here");
    unseal(&house, 5, &shares[1], true).unwrap();
    let status = unseal(&house, 5, &shares[0], true).unwrap();
    assert_eq!(
        (&status["sealed"], &status["type"], &status["t"], &status["n"]),
        (&json!(false), &json!("shamir"), &json!(2), &json!(3))
    );
    assert!(readable(&house, 5));
    house.join();
    house.unseal(6);
    assert!(readable(&house, 6));
}

fn unseal_sealed(house: &mut House) -> crate::house::Answer {
    house.join();
    let share = house.shares[0].clone();
    let answer = house.ask(3, Write, "sys/unseal", json!({ "key": share, "migrate": true }), "");
    house.leave();
    answer
}

#[test]
fn without_recovery_shares_there_is_no_way_back() {
    let mut house = unsealing_itself();
    house.configure(Settings::default);
    house.join();
    let fields = json!({ "key": "01".repeat(33), "migrate": true });
    refused(house.ask(2, Write, "sys/unseal", fields, ""), Invalid, "no recovery shares");
}

#[test]
fn a_stranger_makes_no_recovery_shares() {
    let house = unsealing_itself();
    refused(
        house.ask(0, Write, "sys/rotate/recovery/init", json!({}), ""),
        secrethub_core::ErrorKind::Unauthenticated,
        "denied",
    );
    let house = House::new();
    refused(house.ask(0, Write, "sys/rekey-recovery-key/init", json!({}), ""), Unsupported, "needs a token");
}
