//! A caller may go away at any point. Nobody else notices, and the chain verifies.

use crate::fixture::{Fixture, change, create};
use secrethub_core::testing::{Fault, Rates, sim::poll_once};

/// Steps the world k times between two polls of a caller, then drops the caller; for every k until it is done.
#[test]
fn a_caller_dropped_after_k_polls_hurts_nobody() {
    for faults in [&[][..], &[Fault::Later(2)], &[Fault::After, Fault::Before], &[Fault::Before]] {
        for polls in 0.. {
            let fixture = Fixture::new(polls);
            fixture.store.rates(Rates { pauses: 500, ..Rates::default() });
            fixture.store.script(faults.iter().copied());
            let lane = fixture.lane.clone();
            let mut caller =
                Box::pin(async move { lane.submit(change("dropped", [("a", create("1"))])).await });
            let other = fixture.submit(change("other", [("b", create("1"))]));
            let mut done = false;
            for _ in 0..polls {
                done = poll_once(&mut caller).is_ready();
                if done {
                    break;
                }
                fixture.world.step();
            }
            drop(caller);
            assert!(fixture.world.settle(10_000), "{faults:?} {polls}: somebody is busy for ever");
            let other = other.answer();
            assert!(other.is_some(), "{faults:?} {polls}: the other hangs");
            let requests = fixture.requests();
            assert_eq!(
                requests.contains(&"other".to_owned()),
                matches!(other, Some(Ok(()))),
                "{faults:?} {polls}"
            );
            assert_eq!(
                requests.contains(&"dropped".to_owned()),
                fixture.entry("a").is_some(),
                "{faults:?} {polls}"
            );
            if polls > 0 && faults.is_empty() {
                assert!(fixture.entry("a").is_some(), "{polls}: what was taken is committed");
            }
            fixture.ask(change("next", [])).unwrap();
            if done {
                assert!(polls > 2, "{polls}");
                break;
            }
        }
    }
}

/// The host drops the lane's tasks where they stand: every caller hears of it.
#[test]
fn a_killed_lane_leaves_nobody_waiting() {
    for steps in 0..40 {
        let fixture = Fixture::new(steps);
        fixture.store.rates(Rates { pauses: 500, later: 300, ..Rates::default() });
        let callers = fixture.world.node();
        let mut answers = Vec::new();
        for n in 0..5 {
            let (lane, (done, answer)) = (fixture.lane.clone(), futures::channel::oneshot::channel());
            let task = async move { drop(done.send(lane.submit(change(&n.to_string(), [])).await)) };
            secrethub_core::host::Host::spawn(&*callers, "caller", Box::pin(task));
            answers.push(answer);
        }
        for _ in 0..steps {
            fixture.world.step();
        }
        fixture.world.kill(&fixture.host);
        assert!(fixture.world.settle(10_000));
        for mut answer in answers {
            assert!(matches!(answer.try_recv(), Ok(Some(_))), "after {steps} steps a caller hangs");
        }
        fixture.run({
            let store = std::sync::Arc::clone(&fixture.store);
            async move { store.settle().await }
        });
        fixture.chain();
    }
}
