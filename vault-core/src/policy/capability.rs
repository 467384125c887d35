//! What a policy may grant on a path, in Vault's words, and sets of it.

use crate::Operation;

/// One right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    /// Create what is not there.
    Create,
    /// Remove.
    Delete,
    /// See names.
    List,
    /// Merge into what is there.
    Patch,
    /// See values.
    Read,
    /// Paths that operate the vault itself.
    Sudo,
    /// Change what is there.
    Update,
}

impl Capability {
    /// All of them, in the order in which Vault shows them.
    pub const ALL: [Self; 7] =
        [Self::Create, Self::Delete, Self::List, Self::Patch, Self::Read, Self::Sudo, Self::Update];

    /// Vault's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Delete => "delete",
            Self::List => "list",
            Self::Patch => "patch",
            Self::Read => "read",
            Self::Sudo => "sudo",
            Self::Update => "update",
        }
    }

    /// From Vault's word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|capability| capability.as_str() == word)
    }

    /// What an operation needs. `exists` tells create from update where the engine can say; where it cannot, a write
    /// is an update (Vault).
    pub fn needed(operation: Operation, exists: Option<bool>) -> Self {
        match operation {
            Operation::Read => Self::Read,
            Operation::List => Self::List,
            Operation::Write if exists == Some(false) => Self::Create,
            Operation::Write => Self::Update,
            Operation::Patch => Self::Patch,
            Operation::Delete => Self::Delete,
        }
    }
}

/// What an operation is called by who asks what would be decided; with whether there is something already, which tells
/// `create` from `update`.
pub fn parse_operation(word: &str) -> Option<(Operation, Option<bool>)> {
    Some(match word {
        "read" => (Operation::Read, None),
        "list" => (Operation::List, None),
        "create" => (Operation::Write, Some(false)),
        "update" | "write" => (Operation::Write, Some(true)),
        "patch" => (Operation::Patch, None),
        "delete" => (Operation::Delete, None),
        _ => return None,
    })
}

/// A set of rights, or the refusal of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grants(u8);

const DENY: u8 = 1 << 7;

impl Grants {
    /// None.
    pub const NONE: Self = Self(0);
    /// The refusal of all.
    pub const DENY: Self = Self(DENY);

    /// These rights.
    pub fn of(capabilities: &[Capability]) -> Self {
        Self(capabilities.iter().fold(0, |bits, capability| bits | 1 << *capability as u8))
    }

    /// Does it refuse all.
    pub fn denies(self) -> bool {
        self.0 & DENY != 0
    }

    /// Has it this right.
    pub fn has(self, capability: Capability) -> bool {
        !self.denies() && self.0 & (1 << capability as u8) != 0
    }

    /// Has it any right.
    pub fn any(self) -> bool {
        !self.denies() && self.0 != 0
    }

    /// Both together; a refusal stands whatever it is put together with.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// As Vault shows them: sorted words, or `deny`.
    pub fn words(self) -> Vec<&'static str> {
        if !self.any() {
            return vec!["deny"];
        }
        Capability::ALL.into_iter().filter(|one| self.has(*one)).map(Capability::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_rights() {
        let read = Grants::of(&[Capability::Read]);
        let both = read.with(Grants::of(&[Capability::Create]));
        assert_eq!(both.words(), ["create", "read"]);
        assert!(both.has(Capability::Create) && !both.has(Capability::Sudo));
        assert_eq!(both.with(Grants::DENY).words(), ["deny"]);
        assert!(!both.with(Grants::DENY).has(Capability::Read));
        assert_eq!(Grants::NONE.words(), ["deny"]);
        assert!(!Grants::NONE.any() && !Grants::DENY.any() && read.any());
    }

    #[test]
    fn a_write_is_an_update_unless_it_is_known_to_create() {
        let check = |exists: Option<bool>, expect: Capability| {
            assert_eq!(Capability::needed(Operation::Write, exists), expect, "{exists:?}");
        };
        check(None, Capability::Update);
        check(Some(true), Capability::Update);
        check(Some(false), Capability::Create);
        for capability in Capability::ALL {
            assert_eq!(Capability::parse(capability.as_str()), Some(capability));
        }
        assert_eq!(Capability::parse("deny"), None);
    }
}
