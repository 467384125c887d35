//! What one key is, and what may happen to it: a register whose every value has a version, the one before plus one.

/// A value that a client writes once and never again.
pub(crate) type Value = u64;

/// A key as it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Register {
    /// The current version; 0 before the first.
    pub(crate) version: u64,
    /// Its value, unless it was deleted.
    pub(crate) value: Option<Value>,
}

/// What a client asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Read,
    /// With `cas`: only on top of this version.
    Write {
        value: Value,
        cas: Option<u64>,
    },
    /// Of the current version.
    Delete,
}

/// What it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The key as it stands.
    Found(Register),
    /// The value stands as this version.
    Wrote(u64),
    /// Another version stands than the one named.
    Mismatch,
    Deleted,
    /// Nothing that says whether it happened: it may have, at any time from then on.
    Unknown,
}

/// One operation, with the times at which it was sent and answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    pub(crate) call: Call,
    pub(crate) answer: Answer,
    pub(crate) sent: u64,
    pub(crate) answered: u64,
}

impl Operation {
    pub(crate) fn is_known(&self) -> bool {
        self.answer != Answer::Unknown
    }

    /// When it has happened at the latest.
    pub(crate) fn end(&self) -> u64 {
        if self.is_known() { self.answered } else { u64::MAX }
    }

    /// What the key is after this happened to it; `None`: with this answer it cannot have.
    pub(crate) fn apply(&self, before: Register) -> Option<Register> {
        let fits = |cas: Option<u64>| cas.is_none_or(|cas| cas == before.version);
        let written = |value| Register { version: before.version + 1, value: Some(value) };
        match (self.call, self.answer) {
            (Call::Read, Answer::Found(found)) => (found == before).then_some(before),
            (Call::Write { value, cas }, Answer::Wrote(version)) => {
                (fits(cas) && version == before.version + 1).then(|| written(value))
            }
            (Call::Write { cas, .. }, Answer::Mismatch) => (!fits(cas)).then_some(before),
            (Call::Write { value, cas }, Answer::Unknown) => fits(cas).then(|| written(value)),
            (Call::Delete, Answer::Deleted | Answer::Unknown) => Some(Register { value: None, ..before }),
            _ => None,
        }
    }
}
