//! Failed logins: who guesses waits, and nobody else does.

use crate::house::House;
use futures::future::join_all;
use secrethub_core::{Error, ErrorKind, Operation::Write, Reply};
use serde_json::{Value, json};
use std::time::Duration;

const A: &str = "192.0.2.1";
const B: &str = "192.0.2.2";
const GOOD: &str = "correct horse battery";

/// With a user whose own lockout is out of the way.
async fn open(house: &House) -> House {
    house.write("sys/auth/userpass", json!({ "type": "userpass" })).await;
    let tune = json!({ "user_lockout_config": { "lockout_disable": true } });
    house.write("sys/auth/userpass/tune", tune).await;
    house.write("auth/userpass/users/jane", json!({ "password": GOOD, "token_policies": ["default"] })).await;
    house.write("sys/auth/approle", json!({ "type": "approle" })).await;
    house.with_token("")
}

async fn login(house: &House, address: &str, name: &str, password: &str) -> Result<Reply, Error> {
    let path = format!("auth/userpass/login/{name}");
    house.ask_from(address, Write, &path, json!({ "password": password })).await
}

/// `ok`, `bad`, or how long to wait.
fn told(answer: &Result<Reply, Error>) -> String {
    match answer.as_ref().map_err(Error::kind) {
        Ok(_) => "ok".to_owned(),
        Err(ErrorKind::Credentials) => "bad".to_owned(),
        Err(ErrorKind::RateLimited { retry_after }) => retry_after.as_secs().to_string(),
        Err(kind) => format!("{kind:?}"),
    }
}

async fn guess(house: &House, address: &str, name: &str, times: usize) -> Vec<String> {
    let mut all = Vec::new();
    for _ in 0..times {
        all.push(told(&login(house, address, name, "wrong").await));
    }
    all
}

#[test]
fn five_failures_a_minute_for_each_address_and_name() {
    House::run(|house| async move {
        let house = open(&house).await;
        // Names that exist and names that do not are told the same, on either node.
        for name in ["jane", "nobody"] {
            assert_eq!(guess(&house, A, name, 3).await, ["bad"; 3], "{name}");
            assert_eq!(guess(&house.node(1), A, name, 2).await, ["bad"; 2], "{name}");
            for node in [house.node(0), house.node(1)] {
                let refused = login(&node, A, name, "wrong").await;
                assert!(
                    matches!(refused.as_ref().map_err(Error::kind), Err(ErrorKind::RateLimited { .. })),
                    "{name}"
                );
            }
        }
        assert!(told(&login(&house, A, "jane", GOOD).await).parse::<u64>().is_ok(), "not even the right one");
        assert!(told(&login(&house, A, "JANE", GOOD).await).parse::<u64>().is_ok(), "nor in capitals");
        assert_eq!(told(&login(&house, B, "jane", GOOD).await), "ok", "the user is not shut out elsewhere");
        assert_eq!(told(&login(&house, A, "other", "wrong").await), "bad", "another name");
        house.work(Duration::from_secs(61)).await;
        assert_eq!(told(&login(&house, A, "jane", GOOD).await), "ok");
    });
}

#[test]
fn a_success_forgives_nothing() {
    House::run(|house| async move {
        let house = open(&house).await;
        for _ in 0..4 {
            assert_eq!(guess(&house, A, "jane", 1).await, ["bad"]);
            assert_eq!(told(&login(&house, A, "jane", GOOD).await), "ok");
        }
        assert_eq!(guess(&house, A, "jane", 1).await, ["bad"]);
        assert!(told(&login(&house, A, "jane", GOOD).await).parse::<u64>().is_ok());
    });
}

#[test]
fn of_guesses_all_at_once_few_are_tried() {
    House::run(|house| async move {
        let house = open(&house).await;
        let answers = join_all((0..100).map(|_| login(&house, A, "jane", "wrong"))).await;
        let tried = answers.iter().filter(|answer| told(answer) == "bad").count();
        assert!((5..=9).contains(&tried), "{tried}");
        // The right one among many wrong ones comes too late.
        let guesses = (0..30).map(|n| login(&house, B, "jane", if n == 29 { GOOD } else { "wrong" }));
        let right = join_all(guesses).await.pop().unwrap();
        assert!(told(&right).parse::<u64>().is_ok(), "{}", told(&right));
    });
}

#[test]
fn methods_whose_path_names_nobody_go_by_the_field() {
    House::run(|house| async move {
        let house = open(&house).await;
        let login = async |role: &str| {
            let fields = json!({ "role_id": role, "secret_id": "x" });
            told(&house.ask_from(A, Write, "auth/approle/login", fields).await)
        };
        for _ in 0..5 {
            assert_eq!(login("one").await, "bad");
        }
        assert!(login("one").await.parse::<u64>().is_ok());
        assert_eq!(login("two").await, "bad");
    });
}

#[test]
fn counts_go_when_they_are_over() {
    House::run(|house| async move {
        let house = open(&house).await;
        for n in 0..5 {
            guess(&house, A, &format!("name-{n}"), 1).await;
        }
        let stored = house.keys("ns/0/login-fail/");
        assert_eq!(stored.len(), 5);
        assert!(stored.iter().all(|key| !key.contains("name") && !key.contains(A)), "{stored:?}");
        house.work_all(Duration::from_secs(300)).await;
        assert_eq!(house.keys("ns/0/login-fail/"), Vec::<String>::new());
        let _: Value = house.read("sys/health").await;
    });
}
