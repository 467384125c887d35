//! Quotas: who is let through, who is not, and what is told of it.

use crate::house::House;
use secrethub_core::{
    Error, ErrorKind,
    Operation::{Delete, List, Read, Write},
    Reply,
};
use serde_json::{Value, json};
use std::time::Duration;

const ALL: &str = "sys/quotas/rate-limit";
const CONFIG: &str = "sys/quotas/config";
const A: &str = "192.0.2.1";
const B: &str = "192.0.2.2";

async fn set(house: &House, name: &str, fields: Value) {
    house.write(&format!("{ALL}/{name}"), fields).await;
}

/// How long until it is worth trying again; 0 where the request was served or failed for another reason.
fn wait(answer: &Result<Reply, Error>) -> u64 {
    match answer.as_ref().map_err(Error::kind) {
        Err(ErrorKind::RateLimited { retry_after }) => retry_after.as_secs(),
        _ => 0,
    }
}

async fn waits(house: &House, address: &str, path: &str) -> u64 {
    wait(&house.ask_from(address, Read, path, Value::Null).await)
}

#[test]
fn a_quota_counts_each_address_on_each_node() {
    House::run(|house| async move {
        set(&house, "kv", json!({ "path": "secret/", "rate": 2, "interval": "20s" })).await;
        for (address, expect) in [(A, [0, 0, 10]), (B, [0, 0, 10]), ("::ffff:192.0.2.1", [10, 10, 10])] {
            for expect in expect {
                assert_eq!(waits(&house, address, "secret/data/a").await, expect, "{address}");
            }
        }
        assert_eq!(waits(&house, A, "sys/mounts").await, 0, "another mount");
        // The first request on another node heeds it, by that node's own count.
        for expect in [0, 0, 10] {
            assert_eq!(waits(&house.node(1), A, "secret/data/a").await, expect);
        }
        house.work(Duration::from_secs(10)).await;
        for expect in [0, 10] {
            assert_eq!(waits(&house, A, "secret/data/a").await, expect);
        }
        house.ask(Delete, &format!("{ALL}/kv"), Value::Null).await.unwrap();
        assert_eq!(waits(&house, A, "secret/data/a").await, 0);
    });
}

#[test]
fn the_most_specific_one_counts_alone() {
    House::run(|house| async move {
        set(&house, "all", json!({ "rate": 5, "interval": 3_600 })).await;
        set(&house, "app", json!({ "path": "secret/data/app/*", "rate": 1, "interval": 60 })).await;
        set(&house, "open", json!({ "path": "secret/data/app/open", "rate": 1_000 })).await;
        assert_eq!(waits(&house, A, "secret/data/app/db").await, 0);
        assert_eq!(waits(&house, A, "secret/data/app/other").await, 60);
        for _ in 0..10 {
            assert_eq!(waits(&house, A, "secret/data/app/open").await, 0);
            assert_eq!(waits(&house, A, "sys/health").await, 0, "exempt");
        }
        for expect in [0, 0, 0, 0, 0, 720] {
            assert_eq!(waits(&house, A, "nowhere/at/all").await, expect);
        }
    });
}

#[test]
fn who_asks_for_too_much_may_be_shut_out() {
    House::run(|house| async move {
        set(&house, "kv", json!({ "path": "secret", "rate": 1, "interval": 1, "block_interval": "5m" }))
            .await;
        for expect in [0, 300, 300] {
            assert_eq!(waits(&house, A, "secret/data/a").await, expect);
        }
        assert_eq!(waits(&house, B, "secret/data/a").await, 0);
        house.work(Duration::from_secs(300)).await;
        assert_eq!(waits(&house, A, "secret/data/a").await, 0);
    });
}

#[test]
fn buckets_by_token_and_for_all() {
    House::run(|house| async move {
        let fields = json!({ "path": "secret/", "rate": 1, "interval": 60, "group_by": "token" });
        set(&house, "tokens", fields).await;
        let other = house.with_token(&house.make_token(json!({ "policies": ["root"] })).await);
        assert_eq!(waits(&house, A, "secret/data/a").await, 0);
        assert_eq!(waits(&house, B, "secret/data/a").await, 60, "the token is the same");
        assert_eq!(waits(&other, A, "secret/data/a").await, 0);
        for _ in 0..2 {
            let batch =
                house.make_token(json!({ "type": "batch", "policies": ["default"], "ttl": "1h" })).await;
            for expect in [0, 60] {
                assert_eq!(waits(&house.with_token(&batch), B, "secret/data/a").await, expect);
            }
        }
        // Made-up tokens bring no bucket: they are counted by their address.
        for (n, expect) in [0, 60, 60].into_iter().enumerate() {
            let stranger = house.with_token(&format!("shs.made-up-{n}"));
            assert_eq!(waits(&stranger, A, "secret/data/a").await, expect);
        }
        set(&house, "sys", json!({ "path": "sys/", "rate": 1, "interval": 60, "group_by": "none" })).await;
        assert_eq!(waits(&house, A, "sys/mounts").await, 0);
        assert_eq!(waits(&other, B, "sys/mounts").await, 60);
        assert_eq!(wait(&house.ask(Read, "sys/mounts", Value::Null).await), 60, "in the same process too");
    });
}

#[test]
fn other_news_refills_no_bucket() {
    House::run(|house| async move {
        set(&house, "kv", json!({ "path": "secret/", "rate": 1, "interval": 3_600 })).await;
        assert_eq!(waits(&house, A, "secret/data/a").await, 0);
        house.write("sys/mounts/more", json!({ "type": "kv" })).await;
        assert_eq!(waits(&house, B, "more/a").await, 0, "the node has heard of it");
        assert_eq!(waits(&house, A, "secret/data/a").await, 3_600);
        set(&house, "kv", json!({ "path": "secret/", "rate": 2, "interval": 3_600 })).await;
        assert_eq!(waits(&house, A, "secret/data/a").await, 0, "what was changed begins anew");
    });
}

#[test]
fn a_change_of_mind_reaches_who_is_refused() {
    House::run(|house| async move {
        set(&house, "kv", json!({ "path": "secret/", "rate": 1, "interval": 3_600 })).await;
        let node = house.node(1);
        for expect in [0, 3_600] {
            assert_eq!(waits(&node, A, "secret/data/a").await, expect);
        }
        house.ask(Delete, &format!("{ALL}/kv"), Value::Null).await.unwrap();
        // Nobody else asks this node, and it has no news but by being asked.
        house.work(Duration::from_secs(1)).await;
        assert_eq!(waits(&node, A, "secret/data/a").await, 0);
    });
}

#[test]
fn levels_are_told_where_they_shall_be() {
    House::run(|house| async move {
        set(&house, "kv", json!({ "path": "secret/", "rate": 2, "interval": 20 })).await;
        let level = async || {
            let answer = house.ask_from(A, Read, "secret/data/a", Value::Null).await;
            let level = answer.map_or_else(|error| error.level(), |reply| reply.level);
            level.map(|level| (level.limit, level.remaining, level.reset.as_secs()))
        };
        assert_eq!(level().await, None);
        house.write(CONFIG, json!({ "enable_rate_limit_response_headers": true })).await;
        assert_eq!(level().await, Some((2, 0, 20)));
        assert_eq!(level().await, Some((2, 0, 20)));
        house.work(Duration::from_secs(60)).await;
        assert_eq!(level().await, Some((2, 1, 10)));
    });
}

#[test]
fn refusals_are_counted_or_recorded_one_by_one() {
    House::run(|house| async move {
        set(&house, "kv", json!({ "path": "secret/", "rate": 1, "interval": 3_600 })).await;
        waits(&house, A, "secret/data/a").await;
        let before = house.records().await;
        for _ in 0..50 {
            waits(&house, A, "secret/data/a").await;
            house.turn_away(B);
        }
        assert_eq!(house.records().await, before);
        house.work(Duration::from_secs(11)).await;
        let log = house.ask(Read, "audit/records", json!({ "path": "sys/flood" })).await.unwrap().to_value();
        let mut counts: Vec<_> = log["records"]
            .as_array()
            .unwrap()
            .iter()
            .map(|record| (record["client_ip"].as_str().unwrap(), record["error"].as_str().unwrap()))
            .collect();
        counts.sort_unstable();
        let counted = "50 requests of this address were turned away unread";
        assert_eq!(counts, [(A, counted), (B, counted)]);
        house.write(CONFIG, json!({ "enable_rate_limit_audit_logging": true })).await;
        let before = house.records().await;
        for _ in 0..5 {
            waits(&house, A, "secret/data/a").await;
        }
        assert_eq!(house.records().await, before + 5);
    });
}

#[test]
fn quotas_are_shown_as_clients_compare_them() {
    House::run(|house| async move {
        assert_eq!(house.kind(List, ALL, Value::Null).await, Some(ErrorKind::NotFound));
        let fields = json!({ "path": "secret/*", "rate": "100", "interval": "600", "block_interval": "10m", "role": "",
            "type": "rate-limit", "name": "one" });
        set(&house, "one", fields).await;
        set(&house, "two", json!({ "path": "cubbyhole/", "rate": 0.5, "group_by": "token" })).await;
        let node = house.node(1);
        assert_eq!(
            node.read(&format!("{ALL}/one")).await,
            json!({ "name": "one", "path": "secret/*", "type": "rate-limit", "rate": 100, "interval": 600,
                "block_interval": 600, "role": "" })
        );
        assert_eq!(
            node.read(&format!("{ALL}/two")).await,
            json!({ "name": "two", "path": "cubbyhole/", "type": "rate-limit", "rate": 0.5, "interval": 1, "block_interval": 0,
                "role": "", "group_by": "token" })
        );
        let listed = node.ask(List, ALL, Value::Null).await.unwrap().to_value();
        assert_eq!(listed, json!({ "keys": ["one", "two"] }));
        for _ in 0..2 {
            house.ask(Delete, &format!("{ALL}/one"), Value::Null).await.unwrap();
        }
        assert_eq!(node.kind(Read, &format!("{ALL}/one"), Value::Null).await, Some(ErrorKind::NotFound));
        assert_eq!(
            house.kind(Read, "sys/quotas/lease-count/x", Value::Null).await,
            Some(ErrorKind::NotFound)
        );
        let config = json!({ "rate_limit_exempt_paths": ["/secret/data/*", "sys/health"] });
        house.write(CONFIG, config).await;
        assert_eq!(
            node.read(CONFIG).await,
            json!({ "enable_rate_limit_audit_logging": false, "enable_rate_limit_response_headers": false,
                "rate_limit_exempt_paths": ["secret/data/*", "sys/health"] })
        );
    });
}

#[test]
fn nonsense_is_refused() {
    House::run(|house| async move {
        set(&house, "taken", json!({ "path": "secret/", "rate": 1_000 })).await;
        let refused = async |name: &str, fields: Value| {
            let path = format!("{ALL}/{name}");
            assert_eq!(
                house.kind(Write, &path, fields.clone()).await,
                Some(ErrorKind::Invalid),
                "{name} {fields}"
            );
        };
        for bad in [
            json!({}),
            json!({ "rate": 0 }),
            json!({ "rate": -1 }),
            json!({ "rate": "many" }),
            json!({ "rate": "NaN" }),
            json!({ "rate": "inf" }),
            json!({ "rate": 1e12 }),
            json!({ "rate": 1, "interval": 0 }),
            json!({ "rate": 1, "interval": "500ms" }),
            json!({ "rate": 1, "interval": "9999h" }),
            json!({ "rate": 1, "block_interval": "9999h" }),
            json!({ "rate": 1, "path": "/not-exist" }),
            json!({ "rate": 1, "path": "*" }),
            json!({ "rate": 1, "path": "secret/*/a" }),
            json!({ "rate": 1, "path": "secret/data/*x*" }),
            json!({ "rate": 1, "path": "secret" }),
            json!({ "rate": 1, "role": "app" }),
            json!({ "rate": 1, "type": "lease-count" }),
            json!({ "rate": 1, "name": "other" }),
            json!({ "rate": 1, "group_by": "entity" }),
        ] {
            refused("x", bad).await;
        }
        refused("a b", json!({ "rate": 1 })).await;
        refused(&"x".repeat(129), json!({ "rate": 1 })).await;
        set(&house, "taken", json!({ "path": "secret/", "rate": 5_000 })).await;
        for bad in [json!(["a*b"]), json!("x,*y"), Value::Array(vec![json!("p"); 65])] {
            let fields = json!({ "rate_limit_exempt_paths": bad });
            assert_eq!(house.kind(Write, CONFIG, fields.clone()).await, Some(ErrorKind::Invalid), "{fields}");
        }
        for n in 1..128 {
            set(&house, &format!("q{n}"), json!({ "path": format!("secret/data/{n}"), "rate": 1 })).await;
        }
        refused("more", json!({ "path": "secret/data/more", "rate": 1 })).await;
    });
}
