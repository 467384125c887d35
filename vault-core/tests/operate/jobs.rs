//! Shared background work: what clocks have to do with it.

use crate::house::House;
use serde_json::json;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// A clock that is two hours ahead would end a token that has an hour left.
#[test]
fn of_two_nodes_whose_clocks_differ_none_ends_a_token() {
    let check = |ahead: i64, ends: bool| {
        House::run(move |house| async move {
            house.work_all(MINUTE).await;
            house.make_token(json!({ "policies": ["default"], "ttl": "1h" })).await;
            let before = house.keys("ns/0/token/").len();
            house.node(1).set_ahead(ahead);
            house.work_all(2 * MINUTE).await;
            for node in 0..2 {
                let told = &house.node(node).read("sys/ha-status").await["nodes"][0];
                assert_eq!(told["degraded"], !ends, "{ahead}: {told}");
            }
            assert_eq!(house.keys("ns/0/token/").len(), before, "{ahead}");
            house.work_all(2 * 60 * MINUTE).await;
            assert_eq!(house.keys("ns/0/token/").len() < before, ends, "{ahead}");
        });
    };
    check(0, true);
    check(4, true);
    check(7_200, false);
    check(-7_200, false);
}

/// The other may be alive, and its clock right; a node that was killed is known to be gone after a minute.
#[test]
fn a_node_that_has_just_come_judges_before_it_works() {
    House::run(|house| async move {
        house.make_token(json!({ "policies": ["default"], "ttl": "90s" })).await;
        let before = house.keys("ns/0/token/").len();
        house.node(1).work(MINUTE).await;
        // Node 1 works no more, and node 0 begins.
        house.work(Duration::from_secs(50)).await;
        assert_eq!(house.keys("ns/0/token/").len(), before, "its record says nothing of its clock");
        house.work(MINUTE).await;
        assert_eq!(house.keys("ns/0/token/").len(), before - 1);
        assert_eq!(house.keys("lock/"), Vec::<String>::new(), "locks are given back");
    });
}
