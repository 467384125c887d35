//! Every ceremony, its shares given to different nodes, one of which dies meanwhile, while attackers begin, cancel and
//! give what does not belong there.
//!
//! | ceremony | different nodes | interrupted | cancelled by a stranger | wrong shares |
//! |---|---|---|---|---|
//! | generate-root, rekey, recovery rekey | here | here, `storm` | here: refused | here: the set starts over, and ends |
//! | verification of a rekey | `rekey` | `rekey`, `storm` | `rekey` | `rekey` |
//! | handing over | here: each node counts for itself, one wins | `passphrase` | here: starts over, and ends | here |
//! | unsealing | here: each node counts for itself | here | here: starts over, and ends | here |
//! | rotation | `rotation` | here | here: refused | – |

use crate::{
    house::{Answer, Delete, House, Read, Write, keys, refused},
    migrate::{KEY, make_root, with_key},
    passphrase::{PHRASE, under, unseal, with_phrase, with_shares},
};
use secrethub_core::{
    ErrorKind::{Denied, Invalid, Unauthenticated, Unavailable, Unsupported},
    system::Settings,
};
use serde_json::{Value, json};
use std::time::Duration;

/// Ceremonies of a house: where they begin, where shares go, and the twin path that always asks for a token.
const OF_SHARES: [[&str; 3]; 4] = [
    ["sys/generate-root/attempt", "sys/generate-root/update", "sys/generate-root-token/attempt"],
    ["sys/generate-root-token/attempt", "sys/generate-root-token/update", "sys/generate-root-token/attempt"],
    ["sys/rekey/init", "sys/rekey/update", "sys/rotate/root/init"],
    ["sys/rotate/root/init", "sys/rotate/root/update", "sys/rotate/root/init"],
];
const OF_RECOVERY: [[&str; 3]; 3] = [
    ["sys/generate-root/attempt", "sys/generate-root/update", "sys/generate-root-token/attempt"],
    ["sys/rekey-recovery-key/init", "sys/rekey-recovery-key/update", "sys/rotate/recovery/init"],
    ["sys/rotate/recovery/init", "sys/rotate/recovery/update", "sys/rotate/recovery/init"],
];

fn key_closed() -> Settings {
    Settings { unauthenticated_ceremonies: false, ..with_key() }
}

fn phrase_closed() -> Settings {
    Settings { unauthenticated_ceremonies: false, ..with_phrase() }
}

/// A guard's servers, those that hear strangers and those that do not, and its key.
type Guard = (fn() -> Settings, fn() -> Settings, &'static str);

/// A share that could be of this vault and is not.
fn forged(share: &str) -> String {
    let other = if share.starts_with("00") { "01" } else { "00" };
    format!("{other}{}", &share[2..])
}

#[test]
fn an_honest_ceremony_ends_whatever_strangers_do() {
    for path in OF_SHARES {
        let mut house = House::new();
        outlive(&mut house, path);
    }
    let guards: [Guard; 2] = [(with_key, key_closed, KEY), (with_phrase, phrase_closed, PHRASE)];
    for (open, closed, key) in guards {
        let (mut house, _) = under(open, key);
        house.configure(closed); // The third node, which strangers ask, hears no stranger.
        house.join();
        for path in OF_RECOVERY {
            outlive(&mut house, path);
        }
    }
}

/// The whole of one ceremony.
fn outlive(house: &mut House, [init, update, twin]: [&str; 3]) {
    let weak = house.powerless();
    let begun = house.root(0, Write, init, json!({ "secret_shares": 3, "secret_threshold": 2 })).unwrap();
    let share = |key: &str| json!({ "key": key, "nonce": begun["nonce"] });
    let progress =
        |house: &House, at: usize| house.root(at, Read, init, json!({})).unwrap()["progress"].clone();
    let shares = house.shares.clone();
    house.root(1, Write, update, share(&shares[0])).unwrap();
    for (operation, path, fields) in [
        (Write, init, json!({})),
        (Delete, init, json!({ "nonce": begun["nonce"] })),
        (Delete, twin, json!({ "nonce": begun["nonce"] })),
        (Write, update, share(&shares[1])),
    ] {
        for token in ["", "shs.wrong", &weak] {
            let (kind, words) = house.ask(2, operation, path, fields.clone(), token).unwrap_err();
            assert!(matches!(kind, Denied | Unauthenticated | Unsupported), "{path}: {kind:?} {words}");
        }
    }
    assert_eq!(progress(house, 2), 1, "{init}: none of that counted, or cancelled it");

    // Who may take part and gives what is not theirs: the set starts over, on every node.
    for wrong in ["zz", &"ab".repeat(32)] {
        refused(house.root(0, Write, update, share(wrong)), Invalid, "not counted");
    }
    refused(house.root(0, Write, update, share(&forged(&shares[0]))), Invalid, "already given");
    assert_eq!(progress(house, 2), 1);
    refused(house.root(0, Write, update, share(&forged(&shares[1]))), Invalid, "start again");
    assert_eq!((progress(house, 0), progress(house, 2)), (json!(0), json!(0)));

    house.root(2, Write, update, share(&shares[2])).unwrap();
    house.replace(2);
    let done = house.root(1, Write, update, share(&shares[0])).unwrap();
    assert_eq!(done["complete"], true, "{init}");
    if let Some(told) = done.get("keys").filter(|told| !told.is_null()) {
        house.shares = keys(&json!({ "keys": told }));
    }
}

#[test]
fn unsealing_ends_whatever_strangers_do() {
    let mut house = House::new();
    let shares = house.shares.clone();
    house.join();
    house.join();
    let status = |house: &House, at: usize| house.ask(at, Read, "sys/seal-status", json!({}), "").unwrap();
    let reset =
        |house: &House, at: usize| house.ask(at, Write, "sys/unseal", json!({ "reset": true }), "").unwrap();
    for (at, share) in [(3, &shares[0]), (4, &shares[1])] {
        assert_eq!(unseal(&house, at, share, false).unwrap()["progress"], 1, "each node counts for itself");
    }
    refused(unseal(&house, 3, "zz", false), Invalid, "not counted");
    refused(unseal(&house, 3, &forged(&shares[0]), false), Invalid, "already given");
    assert_eq!(status(&house, 3)["progress"], 1);
    refused(unseal(&house, 3, &forged(&shares[1]), false), Invalid, "start again");
    assert_eq!(status(&house, 3)["progress"], 0);
    unseal(&house, 3, &shares[0], false).unwrap();
    assert_eq!(reset(&house, 3)["progress"], 0, "anybody may, as in Vault");
    assert_eq!(status(&house, 4)["progress"], 1, "and another node has not heard of it");
    house.leave();
    house.join();
    assert_eq!(status(&house, 4)["progress"], 0, "what was given to the dead one is gone");
    for at in [3, 4] {
        house.unseal(at);
        assert_eq!(status(&house, at)["sealed"], false);
        assert_eq!(reset(&house, at)["sealed"], false, "what is open stays open");
    }
}

#[test]
fn a_handover_ends_whatever_strangers_do() {
    let mut house = House::with(with_shares);
    let shares = house.shares.clone();
    house.configure(with_key);
    house.join();
    house.join();
    let migration = |house: &House, at: usize| {
        house.ask(at, Read, "sys/seal-status", json!({}), "").unwrap()["migration"].clone()
    };
    unseal(&house, 3, &shares[0], true).unwrap();
    refused(unseal(&house, 3, &shares[1], false), Invalid, "migrate=true");
    refused(unseal(&house, 3, &forged(&shares[1]), true), Invalid, "start again");
    unseal(&house, 3, &shares[0], true).unwrap();
    house.ask(3, Write, "sys/unseal", json!({ "reset": true }), "").unwrap();
    assert_eq!(
        (migration(&house, 3), migration(&house, 4)),
        (json!(true), json!(true)),
        "nothing was handed over"
    );

    // Two nodes have a full set at the same moment: one hands over, and nothing is handed over twice.
    for at in [3, 4] {
        unseal(&house, at, &shares[0], true).unwrap();
    }
    let last = || json!({ "key": shares[2], "migrate": true });
    let answers = house.at_once_from(3, "sys/unseal", vec![last(), last()]);
    let won = |answer: &&Answer| answer.as_ref().is_ok_and(|told: &Value| told["type"] == "static");
    assert_eq!(answers.iter().filter(won).count(), 1, "{answers:?}");
    assert!(answers.iter().any(|answer| matches!(answer, Err((Unavailable, _)))), "{answers:?}");
    assert_eq!(house.recorded("seal-migrate").iter().filter(|status| *status == "success").count(), 1);
    assert!(make_root(&house, &shares[1..]).starts_with("shs."), "the same hands hold the recovery shares");
    house.join();
    assert!(house.root(house.newest(), Read, "sys/mounts", json!({})).is_ok());
}

#[test]
fn keys_rotate_though_their_node_dies_and_a_stranger_objects() {
    let mut house = House::new();
    let (weak, day) = (house.powerless(), Duration::from_secs(24 * 3_600));
    let term = |house: &House| house.root(1, Read, "sys/key-status", json!({})).unwrap()["term"].clone();
    house.root(0, Write, "sys/rotate/config", json!({ "interval": "24h" })).unwrap();
    for (path, fields) in [("sys/rotate/config", json!({ "enabled": false })), ("sys/rotate", json!({}))] {
        refused(house.ask(1, Write, path, fields.clone(), &weak), Denied, "denied");
        refused(house.ask(1, Write, path, fields, ""), Unauthenticated, "denied");
    }
    house.pass(0, day / 2);
    house.replace(0);
    assert_eq!(
        (term(&house), house.root(2, Read, "sys/rotate/config", json!({})).unwrap()["enabled"].clone()),
        (json!(1), json!(true))
    );
    house.pass(2, day / 2 + Duration::from_secs(120));
    assert_eq!(term(&house), 2, "another node's job has done it");
}
