//! What a process that holds secrets does first: no core dumps, not readable by other processes of the same user.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Switches off core dumps and `ptrace` by equals. Where the system refuses, the reason is returned for the log:
/// a container may forbid what it has already done itself.
pub(crate) fn harden() -> Vec<String> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let core = setrlimit(Resource::Core, none).map_err(|error| format!("core dumps stay on: {error}"));
    let dump = set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| format!("the process stays readable by its user: {error}"));
    [core, dump].into_iter().filter_map(Result::err).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{dumpable_behavior, getrlimit};

    #[test]
    fn core_dumps_are_off() {
        assert_eq!(harden(), Vec::<String>::new());
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }
}
