//! A vault that is sealed by a passphrase, and the way from each guard to each other.

use crate::{
    house::{Answer, House, Read, Write, refused},
    migrate::{KEY, make_recovery, make_root, with_key},
};
use secrethub_core::{
    ErrorKind::{Invalid, RateLimited, Sealed},
    Secret,
    barrier::Passphrase,
    limits::{PASSPHRASE_PAUSE, PASSPHRASE_WRONG_MAX},
    system::{Guardian, Settings},
};
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) const PHRASE: &str = "correct horse battery staple";

/// Somebody types it.
fn typed() -> Settings {
    Settings { guardian: Guardian::Passphrase(None), ..Settings::default() }
}

/// The environment has it.
pub(crate) fn with_phrase() -> Settings {
    let phrase = Passphrase::parse(&Secret::new(PHRASE.to_owned())).unwrap();
    let guardian = Guardian::Passphrase(Some(phrase));
    Settings { guardian, unauthenticated_ceremonies: true, ..Settings::default() }
}

pub(crate) fn with_shares() -> Settings {
    Settings { unauthenticated_ceremonies: true, ..Settings::default() }
}

/// One node whose passphrase was typed, unsealed, and its root token.
fn made_by_hand() -> House {
    let mut house = House::empty(typed);
    house.join();
    let init = house.ask(0, Write, "sys/init", json!({ "passphrase": PHRASE }), "").unwrap();
    assert_eq!((&init["keys"], &init["keys_base64"]), (&json!([]), &json!([])));
    house.root = init["root_token"].as_str().unwrap().to_owned();
    unseal(&house, 0, PHRASE, false).unwrap();
    house
}

pub(crate) fn unseal(house: &House, at: usize, key: &str, migrate: bool) -> Answer {
    house.ask(at, Write, "sys/unseal", json!({ "key": key, "migrate": migrate }), "")
}

fn status(house: &House, at: usize) -> Value {
    house.ask(at, Read, "sys/seal-status", json!({}), "").unwrap()
}

#[test]
fn it_is_made_and_unsealed_by_hand() {
    let mut house = House::empty(typed);
    house.join();
    assert_eq!(status(&house, 0)["type"], "passphrase", "what the command line asks for");
    let init = |fields: Value| house.ask(0, Write, "sys/init", fields, "");
    refused(init(json!({})), Invalid, "give it as passphrase");
    refused(init(json!({ "passphrase": "fourteen chars" })), Invalid, "six words");
    let root = init(json!({ "passphrase": PHRASE })).unwrap()["root_token"].as_str().unwrap().to_owned();
    refused(init(json!({ "passphrase": PHRASE })), Invalid, "already initialized");
    refused(unseal(&house, 0, "wrong horse battery staple", false), Invalid, "wrong passphrase");
    let sealed = status(&house, 0);
    assert_eq!((&sealed["t"], &sealed["n"], &sealed["progress"]), (&json!(1), &json!(1), &json!(0)));
    let open = unseal(&house, 0, &format!(" {PHRASE}\n"), false).unwrap();
    assert_eq!(
        (&open["sealed"], &open["type"], &open["migration"]),
        (&json!(false), &json!("passphrase"), &json!(false))
    );
    house.root = root;
    house.root(0, Write, "sys/seal", json!({})).unwrap();
    assert_eq!(status(&house, 0)["sealed"], true);
    unseal(&house, 0, PHRASE, false).unwrap();

    // Recovery shares authorise from then on, and still it is the passphrase that unseals.
    let recovery = make_recovery_alone(&house, &[PHRASE.to_owned()]);
    house.root = make_root_alone(&house, &recovery[1..]);
    house.root(0, Write, "sys/seal", json!({})).unwrap();
    assert_eq!(status(&house, 0)["t"], 1);
    refused(unseal(&house, 0, &recovery[0], false), Invalid, "wrong passphrase");
    unseal(&house, 0, PHRASE, false).unwrap();
}

/// As [`make_recovery`], with one node.
fn make_recovery_alone(house: &House, authority: &[String]) -> Vec<String> {
    let fields = json!({ "secret_shares": 3, "secret_threshold": 2 });
    let begun = house.root(0, Write, "sys/rotate/recovery/init", fields).unwrap();
    crate::house::keys(&each(house, "sys/rotate/recovery/update", &begun["nonce"], authority))
}

fn make_root_alone(house: &House, shares: &[String]) -> String {
    let otp = "0123456789ABCDEFGHIJKLMNOPQR";
    let begun = house.root(0, Write, "sys/generate-root/attempt", json!({ "otp": otp })).unwrap();
    let done = each(house, "sys/generate-root/update", &begun["nonce"], shares);
    crate::house::decode(&done["encoded_token"], otp)
}

fn each(house: &House, path: &str, nonce: &Value, shares: &[String]) -> Value {
    let give = |share: &String| house.root(0, Write, path, json!({ "key": share, "nonce": nonce })).unwrap();
    shares.iter().map(give).fold(Value::Null, |_, answer| answer)
}

#[test]
fn it_is_made_and_unsealed_by_the_environment() {
    let mut house = House::empty(with_phrase);
    house.join();
    house.join();
    assert_eq!(status(&house, 1)["sealed"], false, "the second node too");
    refused(house.ask(0, Write, "sys/init", json!({ "passphrase": PHRASE }), ""), Invalid, "by itself");
    house.root = make_root(&house, &[PHRASE.to_owned()]);
    make_recovery(&house, &[PHRASE.to_owned()]);
    house.configure(typed);
    house.join();
    assert_eq!(status(&house, 2)["migration"], false, "who knows it may as well type it");
    unseal(&house, 2, PHRASE, false).unwrap();
    assert!(house.root(2, Read, "sys/mounts", json!({})).is_ok());
}

#[test]
fn guesses_are_counted() {
    let mut house = made_by_hand();
    house.join();
    for _ in 0..PASSPHRASE_WRONG_MAX {
        refused(unseal(&house, 1, "wrong horse battery staple", false), Invalid, "wrong passphrase");
    }
    let (kind, words) = unseal(&house, 1, PHRASE, false).unwrap_err();
    assert!(
        matches!(kind, RateLimited { retry_after } if retry_after <= PASSPHRASE_PAUSE),
        "{kind:?} {words}"
    );
    assert_eq!(status(&house, 1)["sealed"], true, "not even the right one is tried");
    assert!(house.root(0, Read, "sys/mounts", json!({})).is_ok(), "another node has counted nothing");
    house.sleep(PASSPHRASE_PAUSE);
    unseal(&house, 1, PHRASE, false).unwrap();

    // The same for who asks a ceremony.
    let begun = house.root(1, Write, "sys/generate-root/attempt", json!({})).unwrap();
    let guess = |key: &str| {
        house.root(1, Write, "sys/generate-root/update", json!({ "key": key, "nonce": begun["nonce"] }))
    };
    for _ in 0..PASSPHRASE_WRONG_MAX {
        refused(guess("wrong horse battery staple"), Invalid, "wrong passphrase");
    }
    assert!(matches!(guess(PHRASE), Err((RateLimited { .. }, _))));
    house.sleep(PASSPHRASE_PAUSE);
    assert_eq!(guess(PHRASE).unwrap()["complete"], true);
}

/// Who leaves before the answer has guessed all the same.
#[test]
fn a_guess_that_nobody_waits_for_is_counted() {
    let mut house = made_by_hand();
    house.join();
    for _ in 0..PASSPHRASE_WRONG_MAX {
        house.leave_early(1, "sys/unseal", json!({ "key": "wrong horse battery staple" }));
    }
    house.sleep(Duration::from_secs(1));
    assert!(matches!(unseal(&house, 1, PHRASE, false), Err((RateLimited { .. }, _))));
}

/// The key of a guard without shares is the one share: its answer is told again to who has it, and guesses are counted.
#[test]
fn a_lost_answer_is_told_again_to_who_knows_the_passphrase() {
    let mut house = made_by_hand();
    let fields = json!({ "secret_shares": 3, "secret_threshold": 2 });
    let begun = house.root(0, Write, "sys/rotate/recovery/init", fields).unwrap();
    let given = |key: &str| json!({ "key": key, "nonce": begun["nonce"] });
    house.lose(0, "sys/rotate/recovery/update", given(PHRASE));
    let ask = |house: &House, key: &str| house.root(0, Write, "sys/rotate/recovery/update", given(key));
    for _ in 0..PASSPHRASE_WRONG_MAX {
        refused(ask(&house, "wrong horse battery staple"), Invalid, "wrong passphrase");
    }
    assert!(matches!(ask(&house, PHRASE), Err((RateLimited { .. }, _))));
    house.sleep(PASSPHRASE_PAUSE);
    let told = ask(&house, PHRASE).unwrap();
    house.root = make_root_alone(&house, &crate::house::keys(&told)[1..]);
}

/// Two nodes under one guard, a secret in it, and shares that can hand it over: three of which two suffice.
pub(crate) fn under(settings: fn() -> Settings, key: &str) -> (House, Vec<String>) {
    let (mut house, shares) = if key.is_empty() {
        let house = House::with(settings);
        let shares = house.shares.clone();
        (house, shares)
    } else {
        let mut house = House::empty(settings);
        house.join();
        house.join();
        house.root = make_root(&house, &[key.to_owned()]);
        let shares = make_recovery(&house, &[key.to_owned()]);
        (house, shares)
    };
    house.root(0, Write, "secret/data/a", json!({ "data": { "k": "v" } })).unwrap();
    house.shares = shares.clone();
    (house, shares)
}

/// A guard: its kind, a server configured with it, and its key.
type Kept = (&'static str, fn() -> Settings, &'static str);

const GUARDS: [Kept; 3] =
    [("shamir", with_shares, ""), ("static", with_key, KEY), ("passphrase", with_phrase, PHRASE)];

/// In each of the six directions: a new node is configured with the successor, and dies with one share given; the next
/// one takes both, and the third unseals under the new guard. The old one opens nothing any more.
#[test]
fn each_guard_hands_over_to_each_other() {
    for (from, settings, key) in GUARDS {
        for (to, successor, new_key) in GUARDS.into_iter().filter(|(to, ..)| *to != from) {
            let (mut house, shares) = under(settings, key);
            house.configure(successor);
            house.join();
            let at = house.newest();
            let pending = status(&house, at);
            assert_eq!(
                (&pending["type"], &pending["migration"]),
                (&json!(from), &json!(true)),
                "{from} {to}"
            );
            assert_eq!((&pending["t"], &pending["n"]), (&json!(2), &json!(3)), "{from} {to}");
            refused(house.root(at, Read, "secret/data/a", json!({})), Sealed, "sealed");
            refused(unseal(&house, at, &shares[0], false), Invalid, "migrate=true");
            assert_eq!(unseal(&house, at, &shares[0], true).unwrap()["progress"], 1);
            house.leave();
            house.join();
            assert_eq!(status(&house, at)["progress"], 0, "what was given to the dead one is gone");
            unseal(&house, at, &shares[2], true).unwrap();
            let done = unseal(&house, at, &shares[1], true).unwrap();
            assert_eq!(
                (&done["type"], &done["sealed"], &done["migration"]),
                (&json!(to), &json!(false), &json!(false))
            );
            assert_eq!(house.recorded("seal-migrate"), ["success"], "{from} {to}");
            house.join();
            if new_key.is_empty() {
                house.unseal(house.newest());
            }
            for node in [0, at, house.newest()] {
                assert!(house.root(node, Read, "secret/data/a", json!({})).is_ok(), "{from} {to} {node}");
            }
            let token = make_root(&house, &shares[..2]);
            assert!(
                house.ask(0, Read, "sys/mounts", json!({}), &token).is_ok(),
                "the same hands hold the shares"
            );
            house.configure(settings);
            house.join();
            assert_eq!(status(&house, house.newest())["sealed"], true, "{from} opens nothing any more");
        }
    }
}

/// Between a key and a passphrase no shares are needed: who has the one is the authority.
#[test]
fn a_key_hands_over_to_a_passphrase_without_shares() {
    for ((_, settings, key), (to, successor, new_key)) in [(GUARDS[1], GUARDS[2]), (GUARDS[2], GUARDS[1])] {
        let mut house = House::empty(settings);
        house.join();
        house.configure(successor);
        house.join();
        let wrong =
            if to == "static" { "wrong horse battery staple" } else { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" };
        assert!(unseal(&house, 1, wrong, true).is_err());
        assert_eq!(unseal(&house, 1, key, true).unwrap()["type"], to);
        house.join();
        assert_eq!(status(&house, 2)["sealed"], false);
        house.root = give_root(&house, new_key);
        assert!(house.root(2, Read, "sys/mounts", json!({})).is_ok());
    }
}

fn give_root(house: &House, key: &str) -> String {
    let otp = "0123456789ABCDEFGHIJKLMNOPQR";
    let begun = house.ask(1, Write, "sys/generate-root/attempt", json!({ "otp": otp }), "").unwrap();
    let fields = json!({ "key": key, "nonce": begun["nonce"] });
    let done = house.ask(1, Write, "sys/generate-root/update", fields, "").unwrap();
    crate::house::decode(&done["encoded_token"], otp)
}

#[test]
fn what_cannot_be_handed_over_is_said_before_a_share_counts() {
    let mut house = House::new();
    house.configure(typed);
    house.join();
    let share = house.shares[0].clone();
    refused(unseal(&house, 3, &share, true), Invalid, "set `passphrase`");
    house.configure(|| {
        let phrase = Passphrase::parse(&Secret::new("too short".to_owned())).unwrap();
        Settings { guardian: Guardian::Passphrase(Some(phrase)), ..Settings::default() }
    });
    house.join();
    refused(unseal(&house, 4, &share, true), Invalid, "six words");

    let mut house = made_by_hand();
    house.configure(Settings::default);
    house.join();
    refused(unseal(&house, 1, PHRASE, true), Invalid, "no recovery shares");
    refused(unseal(&house, 1, PHRASE, false), Invalid, "migrate=true");
    refused(
        house.ask(0, Write, "sys/rotate/root/init", json!({}), &house.root),
        Invalid,
        "sys/rotate/recovery",
    );
}
