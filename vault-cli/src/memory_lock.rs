//! Keeps the server's memory out of swap, where the system allows it.
//!
//! All of it or nothing: with future memory locked under a small limit, an allocation fails some day and takes the server
//! with it. So memory is locked only where no limit can be met.

use rustix::{
    mm::{MlockAllFlags, mlockall},
    process::{Resource, Rlimit, getrlimit, setrlimit},
};
use std::fs;

/// What whoever runs a server may do about it.
pub(crate) const NEXT: &str = "allow it: LimitMEMLOCK=infinity in its unit, `--ulimit memlock=-1:-1` or \
    `--cap-add IPC_LOCK` for a container; or switch swap off (or encrypt it) and set disable_mlock = true";

/// How much memory a process may lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    /// All that it will ever have.
    All,
    /// So many bytes.
    Upto(u64),
}

/// Locks what memory the process has and will have. The error says why it did not.
pub(crate) fn lock() -> Result<(), String> {
    if let Permission::Upto(bytes) = permission() {
        return Err(format!("this process may lock {} KiB only", bytes >> 10));
    }
    // As pages come to be: stacks and arenas are reserved far larger than they are used.
    let flags = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    mlockall(flags).map_err(|error| error.to_string())
}

/// How much may be locked, after the limit was raised as far as this process may.
pub(crate) fn permission() -> Permission {
    let limit = getrlimit(Resource::Memlock);
    let Some(bytes) = limit.current else { return Permission::All };
    // Above its hard limit only a privileged process gets.
    let unlimited = Rlimit { current: None, maximum: None };
    if setrlimit(Resource::Memlock, unlimited).is_ok() {
        return Permission::All;
    }
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    match is_exempt(&read("/proc/self/status"), &read("/proc/self/uid_map")) {
        true => Permission::All,
        false => Permission::Upto(bytes),
    }
}

/// Does the limit not hold for this process: it has `CAP_IPC_LOCK`, and not only within a user namespace of its own, where
/// the kernel does not count it (capabilities(7), user_namespaces(7)).
fn is_exempt(status: &str, uid_map: &str) -> bool {
    const IPC_LOCK: u32 = 14;
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    let first = uid_map.lines().next().unwrap_or_default();
    (bits >> IPC_LOCK) & 1 == 1 && first.split_whitespace().eq(["0", "0", "4294967295"])
}

/// Devices that memory is swapped to. `None` where the system does not tell. Compressed memory (zram) is no disk.
pub(crate) fn swap_devices() -> Option<Vec<String>> {
    fs::read_to_string("/proc/swaps").ok().map(|swaps| parse_swaps(&swaps))
}

fn parse_swaps(swaps: &str) -> Vec<String> {
    let names = swaps.lines().skip(1).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| !name.starts_with("/dev/zram")).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_locks_where_it_may_and_says_why_where_not() {
        let locked = || {
            let status = fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap().to_owned();
            line.trim().split(' ').next().unwrap().parse::<u64>().unwrap()
        };
        match (permission(), lock()) {
            (Permission::All, Ok(())) => assert!(locked() > 0),
            // A sandbox may forbid what the limits allow.
            (Permission::All, Err(reason)) => assert!(!reason.is_empty() && locked() == 0),
            (Permission::Upto(bytes), Err(reason)) => {
                assert!(reason.contains(&(bytes >> 10).to_string()) && locked() == 0, "{reason}");
            }
            (Permission::Upto(_), Ok(())) => panic!("locked under a limit"),
        }
    }

    #[test]
    fn a_capability_counts_in_the_first_namespace_only() {
        let check = |capabilities: &str, uid_map: &str, expect: bool| {
            let status = format!("Name:\tx\nCapPrm:\t000001ffffffffff\nCapEff:\t{capabilities}\n");
            assert_eq!(is_exempt(&status, uid_map), expect, "{capabilities} {uid_map}");
        };
        let first = "         0          0 4294967295\n";
        check("000001ffffffffff", first, true);
        check("0000000000004000", first, true);
        check("0000000000000000", first, false);
        check("000001ffffffbfff", first, false);
        check("000001ffffffffff", "         0       1000          1\n", false);
        check("000001ffffffffff", "", false);
        check("not hex", first, false);
        assert!(!is_exempt("", first));
    }

    #[test]
    fn swap_is_what_reaches_a_disk() {
        let head = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
        let check = |lines: &str, expect: &[&str]| assert_eq!(parse_swaps(&format!("{head}{lines}")), expect);
        check("", &[]);
        check("/dev/sda2                               partition\t8388604\t\t0\t\t-2\n", &["/dev/sda2"]);
        check("/dev/zram0 partition 100 0 100\n/swapfile file 1 0 -3\n", &["/swapfile"]);
        assert!(parse_swaps("").is_empty());
    }
}
