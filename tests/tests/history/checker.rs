//! Is there an order of what happened, one thing after the other, in which every answer is right, and in which nothing
//! stands before what had ended when it was sent? The search of Wing and Gong ("Testing and verifying concurrent
//! objects", 1993), which goes forward one operation at a time and back where none fits, with Lowe's memory of where it
//! was already ("Testing for linearizability", 2017).
//!
//! Each key is judged alone: linearizability is local. Who was told nothing would make the search long, so it uses what
//! others saw: a value that was read was written, as the version that it was read with, before that reader was answered;
//! and what nobody saw is supposed to have happened only where something must have.

use super::model::{Answer, Call, Operation, Register};
use std::collections::{HashMap, HashSet};

/// Steps after which a history is given up as undecided, which is a failure. An honest one takes little more than one an
/// operation.
const STEPS_MAX: usize = 5_000_000;

/// Why a history was rejected.
#[derive(Clone, Debug)]
#[allow(dead_code, reason = "shown to whoever reads why a test failed")]
pub(crate) enum Rejected {
    /// There is no such order.
    Impossible(DeadEnd),
    /// Nobody knows.
    Undecided,
}

/// Where the longest order ended that was found.
#[derive(Clone, Debug)]
#[allow(dead_code, reason = "shown to whoever reads why a test failed")]
pub(crate) struct DeadEnd {
    placed: usize,
    /// What the key was then.
    stands: Register,
    /// What would have come next, and does not fit.
    next: Vec<Operation>,
}

/// Which operations are placed: a bit each.
type Placed = Box<[u64]>;

/// A step forward, and the ways that were not yet tried.
struct Step {
    operation: usize,
    before: Register,
    untried: Vec<usize>,
}

struct Search<'h> {
    history: &'h [Operation],
    placed: Placed,
    /// Operations with an answer that are not placed.
    missing: usize,
    stands: Register,
    steps: Vec<Step>,
    been: HashSet<(Placed, Register)>,
    /// Versions of which it is known who wrote them.
    taken: HashSet<u64>,
    /// Versions that were seen deleted.
    deleted: HashSet<u64>,
}

/// Judges the history of one key, which was empty at its beginning.
pub(crate) fn check(history: &[Operation]) -> Result<(), Rejected> {
    let mut history = resolved(history);
    history.sort_by_key(|operation| operation.sent);
    let deleted = history.iter().filter_map(|operation| match operation.answer {
        Answer::Found(Register { version, value: None }) => Some(version),
        _ => None,
    });
    let wrote = history.iter().filter_map(|operation| match operation.answer {
        Answer::Wrote(version) => Some(version),
        _ => None,
    });
    let mut search = Search {
        history: &history,
        placed: vec![0; history.len().div_ceil(64)].into(),
        missing: history.iter().filter(|operation| operation.is_known()).count(),
        stands: Register::default(),
        steps: Vec::new(),
        been: HashSet::new(),
        taken: wrote.collect(),
        deleted: deleted.collect(),
    };
    search.run()
}

/// The history, with the writes that nobody was told of and somebody saw.
fn resolved(history: &[Operation]) -> Vec<Operation> {
    // By value: the version it was seen as first, and when.
    let mut seen: HashMap<u64, (u64, u64)> = HashMap::new();
    for operation in history {
        if let Answer::Found(Register { version, value: Some(value) }) = operation.answer {
            let first = seen.entry(value).or_insert((operation.answered, version));
            *first = (*first).min((operation.answered, version));
        }
    }
    let resolve = |operation: &Operation| match (operation.call, operation.answer) {
        (Call::Write { value, .. }, Answer::Unknown) => match seen.get(&value) {
            Some((answered, version)) => {
                Operation { answer: Answer::Wrote(*version), answered: *answered, ..*operation }
            }
            None => *operation,
        },
        _ => *operation,
    };
    history.iter().map(resolve).collect()
}

impl Search<'_> {
    fn run(&mut self) -> Result<(), Rejected> {
        let mut longest = (0, Register::default(), self.candidates());
        let mut untried = longest.2.clone();
        for _ in 0..STEPS_MAX {
            if self.missing == 0 {
                return Ok(());
            }
            if let Some(operation) = untried.pop() {
                if self.place(operation, &mut untried) {
                    untried = self.candidates();
                    if self.steps.len() > longest.0 {
                        longest = (self.steps.len(), self.stands, untried.clone());
                    }
                }
            } else if let Some(step) = self.steps.pop() {
                self.flip(step.operation);
                self.stands = step.before;
                untried = step.untried;
            } else {
                let (placed, stands, next) = longest;
                let next = next.into_iter().map(|at| self.history[at]).collect();
                return Err(Rejected::Impossible(DeadEnd { placed, stands, next }));
            }
        }
        Err(Rejected::Undecided)
    }

    /// Takes an operation as the next one that happened, unless its answer forbids that or all that follows was tried.
    fn place(&mut self, operation: usize, untried: &mut Vec<usize>) -> bool {
        let Some(after) = self.history[operation].apply(self.stands) else { return false };
        if !self.history[operation].is_known() && !self.is_wanted(operation, after) {
            return false;
        }
        self.flip(operation);
        if !self.been.insert((self.placed.clone(), after)) {
            self.flip(operation);
            return false;
        }
        self.steps.push(Step { operation, before: self.stands, untried: std::mem::take(untried) });
        self.stands = after;
        true
    }

    /// Does it explain anything that an operation happened which nobody was told of, and whose value nobody saw.
    fn is_wanted(&self, operation: usize, after: Register) -> bool {
        match self.history[operation].call {
            Call::Delete => self.stands.value.is_some() && self.deleted.contains(&after.version),
            _ => !self.taken.contains(&after.version),
        }
    }

    fn flip(&mut self, operation: usize) {
        self.placed[operation / 64] ^= 1 << (operation % 64);
        if self.history[operation].is_known() {
            if self.is_placed(operation) { self.missing -= 1 } else { self.missing += 1 }
        }
    }

    fn is_placed(&self, operation: usize) -> bool {
        self.placed[operation / 64] >> (operation % 64) & 1 == 1
    }

    /// What may have happened next: all that was sent before anything else that is missing had ended. The last is tried
    /// first: what ended soonest, and what may never have happened at the very end.
    fn candidates(&self) -> Vec<usize> {
        let mut end = u64::MAX;
        let mut found = Vec::new();
        for (at, operation) in self.history.iter().enumerate() {
            if operation.sent > end {
                break;
            }
            if !self.is_placed(at) {
                end = end.min(operation.end());
                found.push(at);
            }
        }
        found.retain(|&at| self.history[at].sent <= end);
        found.sort_by_key(|&at| std::cmp::Reverse(self.history[at].end()));
        found
    }
}
