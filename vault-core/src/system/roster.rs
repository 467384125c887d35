//! [`Roster`]: what a node knows of the others from the records that they keep renewing at `node/<boot>`.
//!
//! Whether a node lives is told by its record changing, as this node sees it: clocks are not compared, so one that is
//! wrong makes no node look dead. Clocks are judged by the same looks: a record that changed was written between the
//! look before and this one, and what its writer took the time to be should lie there too.

use super::ProcessFacts;
use crate::{
    id::{BootId, Rev, Timestamp},
    limits::{CLOCK_SKEW_MAX, HEARTBEAT, HEARTBEAT_ALONE, NODE_FORGOTTEN, NODE_STALE},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// Where the records stand, by boot id.
pub(crate) const NODE_PREFIX: &str = "node/";

/// What a node says of itself (format 1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeRecord {
    /// Version of this document.
    pub(crate) format: u8,
    pub(crate) hostname: String,
    pub(crate) api_address: String,
    /// Version of the product.
    pub(crate) version: String,
    /// When it opened the vault, by its clock.
    pub(crate) started: Timestamp,
    /// When it wrote this, by its clock.
    pub(crate) beat: Timestamp,
    /// What its record before this one took to be stored, in microseconds.
    pub(crate) store_micros: Option<u64>,
    /// Processor time of its process since the record before, in hundredths of one processor.
    pub(crate) cpu_percent: Option<u64>,
    /// Memory of its process.
    pub(crate) memory_bytes: Option<u64>,
}

/// A record as a look found it; `None` where it cannot be read, as that of a newer version might be.
pub(super) struct Found {
    pub(super) boot: BootId,
    pub(super) rev: Rev,
    pub(super) record: Option<NodeRecord>,
}

/// A moment at which a node looked: its wall clock, and the one that never goes back.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moment {
    pub(super) now: Timestamp,
    pub(super) monotonic: Duration,
}

/// Another node, or what is left of one.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) rev: Rev,
    pub(super) record: Option<NodeRecord>,
    /// When it was first seen at this revision.
    since: Duration,
    /// How far its clock is ahead of ours in microseconds, as far as that is certain.
    pub(super) ahead_micros: i64,
    /// Is its clock known: was a record seen whose time of writing is bounded, or whose time is wrong in any case.
    judged: bool,
}

/// What a node thinks of its own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    /// A node that may be alive has not been judged yet.
    Unjudged,
    /// More nodes agree with it, this one counted, than differ.
    Trusted,
    /// As many differ, or more.
    Outvoted,
}

impl Seen {
    fn age(&self, monotonic: Duration) -> Duration {
        monotonic.saturating_sub(self.since)
    }

    pub(super) fn is_stale(&self, monotonic: Duration) -> bool {
        self.age(monotonic) >= NODE_STALE
    }

    pub(super) fn is_skewed(&self) -> bool {
        Duration::from_micros(self.ahead_micros.unsigned_abs()) > CLOCK_SKEW_MAX
    }
}

/// The other nodes as last seen, and what this one did last.
#[derive(Debug, Default)]
pub(super) struct Roster {
    pub(super) others: BTreeMap<BootId, Seen>,
    /// When the last look began.
    looked: Option<Duration>,
    /// When it was over.
    seen: Moment,
    /// The last record of this node: under which id, when, and how long the store took.
    wrote: Option<(BootId, Duration, Duration)>,
    load: Option<Load>,
}

/// What the process took when it was last asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Load {
    at: Duration,
    cpu_millis: u64,
    /// Since the time before, in hundredths of one processor.
    pub(super) cpu_percent: Option<u64>,
    pub(super) memory_bytes: u64,
}

impl Roster {
    /// Takes in a look that began at `began` and is over now. Answers whose clock is now found wrong, or right again.
    pub(super) fn look(&mut self, began: Duration, at: Moment, found: Vec<Found>) -> Vec<BootId> {
        let floor = self.looked.replace(began).map(|before| {
            let passed = at.monotonic.saturating_sub(before);
            Timestamp(at.now.0.saturating_sub(micros(passed)))
        });
        self.seen = at;
        let before = std::mem::take(&mut self.others);
        let mut changed = Vec::new();
        for Found { boot, rev, record } in found {
            let old = before.get(&boot);
            let seen = match old {
                Some(old) if old.rev == rev => old.clone(),
                _ => {
                    let ahead_micros = record.as_ref().map_or(0, |record| ahead(record.beat, floor, at.now));
                    let judged = floor.is_some() || ahead_micros != 0;
                    Seen { rev, record, since: at.monotonic, ahead_micros, judged }
                }
            };
            if old.is_some_and(Seen::is_skewed) != seen.is_skewed() {
                changed.push(boot);
            }
            self.others.insert(boot, seen);
        }
        changed
    }

    /// Is it time to renew the record of this node. Nobody waits for that of a node that is alone, and a disk may sleep.
    pub(super) fn is_due(&self, own: BootId, monotonic: Duration) -> bool {
        let alone = self.living(monotonic).next().is_none();
        let every = if alone { HEARTBEAT_ALONE } else { HEARTBEAT };
        match self.wrote {
            // The job that asks runs once a heartbeat, and never exactly.
            Some((boot, at, _)) if boot == own => monotonic.saturating_sub(at) + HEARTBEAT / 2 >= every,
            _ => true,
        }
    }

    /// This node's record was stored.
    pub(super) fn wrote(&mut self, own: BootId, began: Duration, took: Duration) {
        self.wrote = Some((own, began, took));
    }

    /// What the last record took, in microseconds.
    pub(super) fn store_micros(&self) -> Option<u64> {
        self.wrote.map(|(_, _, took)| micros(took))
    }

    /// The process took so much by now.
    pub(super) fn used(&mut self, process: ProcessFacts, at: Duration) {
        let ProcessFacts { cpu_millis, resident: memory_bytes, .. } = process;
        let percent = |before: Load| {
            let used = cpu_millis.saturating_sub(before.cpu_millis).saturating_mul(100_000);
            used.checked_div(micros(at.saturating_sub(before.at)))
        };
        let cpu_percent = self.load.and_then(percent);
        self.load = Some(Load { at, cpu_millis, cpu_percent, memory_bytes });
    }

    /// What the process took, where that is known.
    pub(super) fn load(&self) -> Option<Load> {
        self.load
    }

    /// The records of nodes that are gone: silent for very long, or this process under an earlier id.
    pub(super) fn forgotten(&self, own: BootId, monotonic: Duration) -> Vec<(BootId, Rev)> {
        let earlier = self.wrote.map(|(boot, ..)| boot).filter(|boot| *boot != own);
        let gone = |(boot, seen): &(&BootId, &Seen)| {
            seen.age(monotonic) >= NODE_FORGOTTEN || earlier == Some(**boot)
        };
        self.others.iter().filter(gone).map(|(boot, seen)| (*boot, seen.rev)).collect()
    }

    /// Does the clock of a living node differ from this one's.
    pub(super) fn is_skewed(&self, monotonic: Duration) -> bool {
        self.living(monotonic).any(Seen::is_skewed)
    }

    /// Whether this node's own clock is to be believed, by the clocks of those that live. Of two that differ neither is.
    pub(super) fn clock(&self, at: Moment) -> Clock {
        let known = || self.living(at.monotonic).filter(|seen| seen.record.is_some());
        if !self.has_looked() || self.has_jumped(at) || known().any(|seen| !seen.judged) {
            return Clock::Unjudged;
        }
        let differ = known().filter(|seen| seen.is_skewed()).count();
        let agree = known().count() - differ + 1;
        if agree > differ { Clock::Trusted } else { Clock::Outvoted }
    }

    /// Was this node's clock set since it last looked at the others' clocks.
    fn has_jumped(&self, at: Moment) -> bool {
        let passed = micros(at.monotonic.saturating_sub(self.seen.monotonic));
        let off = at.now.0.abs_diff(self.seen.now.0.saturating_add(passed));
        Duration::from_micros(off) > CLOCK_SKEW_MAX
    }

    /// Has this node looked at the others at all.
    pub(super) fn has_looked(&self) -> bool {
        self.looked.is_some()
    }

    fn living(&self, monotonic: Duration) -> impl Iterator<Item = &Seen> {
        self.others.values().filter(move |seen| !seen.is_stale(monotonic))
    }
}

/// How far `beat` lies outside of the time in which it was written. The first look knows no beginning of that time.
fn ahead(beat: Timestamp, floor: Option<Timestamp>, now: Timestamp) -> i64 {
    let floor = floor.unwrap_or_default();
    let off =
        if beat < floor { -i128::from(floor.0 - beat.0) } else { i128::from(beat.0.saturating_sub(now.0)) };
    i64::try_from(off).unwrap_or(if off < 0 { i64::MIN } else { i64::MAX })
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: BootId = BootId([1; 16]);
    const OTHER: BootId = BootId([2; 16]);
    const SECOND: u64 = 1_000_000;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    /// A look at `at` seconds at the other node's record number `rev`, whose clock said `beat`.
    fn look(roster: &mut Roster, at: u64, rev: u8, beat: u64) -> Vec<BootId> {
        let record = Some(NodeRecord { beat: Timestamp(beat * SECOND), ..NodeRecord::default() });
        let moment = Moment { now: Timestamp((1_000 + at) * SECOND), monotonic: seconds(at) };
        roster.look(seconds(at), moment, vec![Found { boot: OTHER, rev: Rev([rev; 16]), record }])
    }

    #[test]
    fn golden() {
        let golden = r#"{"format":1,"hostname":"alpha","api_address":"https://a:8200","version":"1.2.3","started":7,"beat":8,"store_micros":900,"cpu_percent":null,"memory_bytes":4096}"#;
        let record = NodeRecord {
            format: 1,
            hostname: "alpha".to_owned(),
            api_address: "https://a:8200".to_owned(),
            version: "1.2.3".to_owned(),
            started: Timestamp(7),
            beat: Timestamp(8),
            store_micros: Some(900),
            cpu_percent: None,
            memory_bytes: Some(4096),
        };
        assert_eq!(serde_json::to_string(&record).unwrap(), golden);
        assert_eq!(serde_json::from_str::<NodeRecord>(golden).unwrap(), record);
        let newer = golden.replace("{\"format\":1", "{\"format\":2,\"more\":[]");
        assert_eq!(serde_json::from_str::<NodeRecord>(&newer).unwrap(), NodeRecord { format: 2, ..record });
    }

    #[test]
    fn a_clock_is_judged_by_when_its_record_can_have_been_written() {
        // Looks at 0 and at 10 s; the record is new in the second, and says `beat` seconds after the first.
        let check = |beat: u64, ahead: i64| {
            let mut roster = Roster::default();
            look(&mut roster, 0, 1, 990);
            assert_eq!(roster.others[&OTHER].ahead_micros, 0, "how old the first one is cannot be known");
            let changed = look(&mut roster, 10, 2, beat);
            assert_eq!(roster.others[&OTHER].ahead_micros, ahead * 1_000_000, "{beat}");
            assert_eq!(!changed.is_empty(), ahead.abs() > 5, "{beat}");
            assert_eq!(roster.is_skewed(seconds(10)), ahead.abs() > 5, "{beat}");
        };
        check(1_000, 0);
        check(1_004, 0);
        check(1_010, 0);
        check(1_015, 5);
        check(1_016, 6);
        check(995, -5);
        check(994, -6);
        check(0, -1_000);
    }

    #[test]
    fn a_wrong_clock_is_told_once_a_change_and_forgotten_with_its_node() {
        let mut roster = Roster::default();
        assert_eq!(look(&mut roster, 0, 1, 1_100), [OTHER], "the future is wrong at the first look");
        assert!(look(&mut roster, 10, 1, 1_100).is_empty());
        assert!(look(&mut roster, 20, 2, 1_120).is_empty());
        assert_eq!(look(&mut roster, 30, 3, 1_025), [OTHER]);
        assert!(!roster.is_skewed(seconds(30)));
        look(&mut roster, 40, 4, 1_100);
        assert!(roster.is_skewed(seconds(99)) && !roster.is_skewed(seconds(100)));
    }

    #[test]
    fn a_node_lives_while_its_record_changes_whatever_clocks_say() {
        let mut roster = Roster::default();
        look(&mut roster, 0, 1, 5);
        look(&mut roster, 59, 1, 5);
        let check = |roster: &Roster, at: u64, stale: bool, forgotten: bool| {
            assert_eq!(roster.others[&OTHER].is_stale(seconds(at)), stale, "{at}");
            assert_eq!(!roster.forgotten(OWN, seconds(at)).is_empty(), forgotten, "{at}");
        };
        check(&roster, 59, false, false);
        check(&roster, 60, true, false);
        check(&roster, 3_599, true, false);
        check(&roster, 3_600, true, true);
        look(&mut roster, 3_600, 2, 5);
        check(&roster, 3_600, false, false);
    }

    #[test]
    fn a_node_that_is_alone_writes_seldom() {
        let mut roster = Roster::default();
        assert!(roster.is_due(OWN, seconds(10)));
        roster.wrote(OWN, seconds(10), seconds(1));
        let check =
            |roster: &Roster, at: u64, due: bool| assert_eq!(roster.is_due(OWN, seconds(at)), due, "{at}");
        check(&roster, 20, false);
        check(&roster, 60, false);
        check(&roster, 70, true);
        look(&mut roster, 20, 1, 1_020);
        check(&roster, 20, true);
        check(&roster, 14, false);
        assert!(roster.is_due(OTHER, seconds(10)), "another id is another record");
        look(&mut roster, 60, 1, 1_020);
        roster.wrote(OWN, seconds(80), seconds(1));
        check(&roster, 90, false);
    }

    #[test]
    fn an_earlier_id_of_this_process_goes_at_once() {
        let mut roster = Roster::default();
        look(&mut roster, 0, 1, 1_000);
        roster.wrote(OTHER, seconds(0), seconds(0));
        assert_eq!(roster.forgotten(OWN, seconds(0)), [(OTHER, Rev([1; 16]))]);
        roster.wrote(OWN, seconds(0), seconds(0));
        assert_eq!(roster.forgotten(OWN, seconds(0)), []);
    }

    #[test]
    fn the_majority_of_clocks_is_believed() {
        // Others by how far their clocks are ahead, in seconds; each is judged in the second look.
        let at = |at: u64| Moment { now: Timestamp((1_000 + at) * SECOND), monotonic: seconds(at) };
        let check = |ahead: &[i64], expect: Clock| {
            let mut roster = Roster::default();
            assert_eq!(roster.clock(at(0)), Clock::Unjudged, "nobody was looked at");
            let mut look = |at: u64, rev: u8| {
                let found = ahead.iter().zip(1..).map(|(ahead, boot)| {
                    let beat = Timestamp((1_000 + at).saturating_add_signed(*ahead) * SECOND);
                    let record = Some(NodeRecord { beat, ..NodeRecord::default() });
                    Found { boot: BootId([boot; 16]), rev: Rev([rev; 16]), record }
                });
                let moment = Moment { now: Timestamp((1_000 + at) * SECOND), monotonic: seconds(at) };
                roster.look(seconds(at), moment, found.collect());
                roster.clock(moment)
            };
            let first = look(10, 1);
            // Who is behind may as well have written long ago.
            assert_eq!(first == Clock::Unjudged, ahead.iter().any(|ahead| *ahead <= 0), "{ahead:?}");
            assert_eq!(look(20, 2), expect, "{ahead:?}");
            let jumped = Moment { now: at(27).now, ..at(21) };
            assert_eq!(roster.clock(jumped), Clock::Unjudged, "{ahead:?}: it was set meanwhile");
            assert_eq!(roster.clock(at(80)), Clock::Trusted, "{ahead:?}: all are silent");
        };
        check(&[], Clock::Trusted);
        check(&[0], Clock::Trusted);
        check(&[30], Clock::Outvoted);
        check(&[-30], Clock::Outvoted);
        check(&[0, 30], Clock::Trusted);
        check(&[-30, -30], Clock::Outvoted);
        check(&[-30, 30], Clock::Outvoted);
        check(&[0, 30, 30], Clock::Outvoted);
        check(&[0, 0, 30, 30], Clock::Trusted);
    }

    #[test]
    fn processor_time_is_told_in_hundredths_of_a_processor() {
        let mut roster = Roster::default();
        let mut ask = |cpu_millis: u64, at: u64| {
            roster.used(ProcessFacts { cpu_millis, resident: 7, ..ProcessFacts::default() }, seconds(at));
            assert_eq!(roster.load().map(|load| load.memory_bytes), Some(7));
            roster.load().unwrap().cpu_percent
        };
        assert_eq!(ask(500, 10), None);
        assert_eq!(ask(1_500, 20), Some(10));
        assert_eq!(ask(21_500, 30), Some(200));
        assert_eq!(ask(21_500, 30), None, "no time has passed");
        assert_eq!(ask(0, 40), Some(0));
    }
}
