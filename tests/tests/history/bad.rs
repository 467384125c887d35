//! Histories that are good or bad beyond doubt: a checker that passes everything would pass the servers too.

use super::{
    checker::{Rejected, check},
    model::{Answer, Call, Operation, Register},
};

fn read(sent: u64, answered: u64, version: u64, value: Option<u64>) -> Operation {
    Operation { call: Call::Read, answer: Answer::Found(Register { version, value }), sent, answered }
}

fn write(sent: u64, answered: u64, value: u64, answer: Answer) -> Operation {
    Operation { call: Call::Write { value, cas: None }, answer, sent, answered }
}

fn cas(sent: u64, answered: u64, on: u64, value: u64, answer: Answer) -> Operation {
    Operation { call: Call::Write { value, cas: Some(on) }, answer, sent, answered }
}

fn delete(sent: u64, answered: u64, answer: Answer) -> Operation {
    Operation { call: Call::Delete, answer, sent, answered }
}

#[test]
fn bad_histories_are_rejected() {
    use Answer::{Deleted, Mismatch, Unknown, Wrote};
    let bad = |what: &str, history: &[Operation]| {
        assert!(matches!(check(history), Err(Rejected::Impossible(_))), "{what} passed");
    };
    bad(
        "a read of what had been replaced before it began",
        &[write(0, 1, 7, Wrote(1)), write(2, 3, 8, Wrote(2)), read(4, 5, 1, Some(7))],
    );
    bad("a write that was acknowledged and is lost", &[write(0, 1, 7, Wrote(1)), read(2, 3, 0, None)]);
    bad("two writes as one version", &[write(0, 9, 7, Wrote(1)), write(0, 9, 8, Wrote(1))]);
    bad(
        "two that were each first on top of the same",
        &[write(0, 1, 7, Wrote(1)), cas(2, 9, 1, 8, Wrote(2)), cas(2, 9, 1, 9, Wrote(2))],
    );
    bad("a value from the future", &[read(0, 1, 1, Some(7)), write(2, 3, 7, Wrote(1))]);
    bad("a value that nobody wrote", &[write(0, 1, 7, Wrote(1)), read(2, 3, 1, Some(8))]);
    bad(
        "a refused write that is there",
        &[write(0, 1, 7, Wrote(1)), cas(2, 3, 5, 8, Mismatch), read(4, 5, 2, Some(8))],
    );
    bad("a refusal without a reason", &[write(0, 1, 7, Wrote(1)), cas(2, 3, 1, 8, Mismatch)]);
    bad(
        "a deletion that did not happen",
        &[write(0, 1, 7, Wrote(1)), delete(2, 3, Deleted), read(4, 5, 1, Some(7))],
    );
    bad(
        "new, then old, during one write",
        &[write(0, 1, 7, Wrote(1)), write(2, 9, 8, Wrote(2)), read(3, 4, 2, Some(8)), read(5, 6, 1, Some(7))],
    );
    bad(
        "what may have happened, and was seen, has not",
        &[write(0, 1, 7, Wrote(1)), write(2, 3, 8, Unknown), read(4, 5, 2, Some(8)), read(6, 7, 1, Some(7))],
    );
    bad(
        "what may have happened, and happened twice",
        &[write(0, 1, 8, Unknown), read(2, 3, 1, Some(8)), read(4, 5, 2, Some(8))],
    );
}

#[test]
fn good_histories_pass() {
    use Answer::{Deleted, Mismatch, Unknown, Wrote};
    let good = |what: &str, history: &[Operation]| {
        assert!(check(history).is_ok(), "{what}: {:?}", check(history));
    };
    good("nothing", &[]);
    good(
        "one after the other",
        &[
            read(0, 1, 0, None),
            delete(2, 3, Deleted),
            write(4, 5, 7, Wrote(1)),
            cas(6, 7, 1, 8, Wrote(2)),
            cas(8, 9, 1, 9, Mismatch),
            delete(10, 11, Deleted),
            read(12, 13, 2, None),
            cas(14, 15, 2, 10, Wrote(3)),
        ],
    );
    good("at the same time, in the other order", &[write(0, 9, 7, Wrote(2)), write(1, 8, 8, Wrote(1))]);
    good(
        "a read during a write sees either",
        &[write(0, 9, 7, Wrote(1)), read(1, 2, 0, None), read(3, 4, 1, Some(7))],
    );
    let many = (0..40).map(|number| write(0, 1, 100 + number, Unknown));
    let gone = (0..40).map(|_| delete(0, 1, Unknown));
    let rest = (0..20).map(|number| write(10 * number + 2, 10 * number + 3, number, Wrote(2 * number + 1)));
    let reads = (0..19).map(|number| read(10 * number + 4, 10 * number + 5, 2 * number + 1, None));
    good(
        "every second version is of somebody who was told nothing",
        &many.chain(gone).chain(rest).chain(reads).collect::<Vec<_>>(),
    );
    good("it never happened", &[write(0, 1, 7, Unknown), read(2, 3, 0, None)]);
    good(
        "it happened long after its sender had gone",
        &[
            write(0, 1, 7, Unknown),
            write(2, 3, 8, Wrote(1)),
            read(4, 5, 1, Some(8)),
            delete(5, 6, Unknown),
            read(6, 7, 2, Some(7)),
            read(8, 9, 2, None),
        ],
    );
}
