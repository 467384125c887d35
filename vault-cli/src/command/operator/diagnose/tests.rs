//! Tests of what needs no machine of its own; tests/python/test_operator.py has the command as a whole.

use super::{State::*, *};
use secrethub::core::id::Timestamp;
use std::{fs, os::unix::fs::PermissionsExt};

fn at(seconds: u64) -> Timestamp {
    Timestamp(seconds * 1_000_000)
}

#[test]
fn clocks() {
    let now = 1_800_000_000;
    let check = |now: u64, newest: Option<u64>, expect: State| {
        assert_eq!(machine::clock(now, newest.map(at)).status, expect, "{now} {newest:?}");
    };
    check(now, None, Ok);
    check(now, Some(now - 5), Ok);
    check(now, Some(now + 60), Ok);
    check(now, Some(now + 61), Fail);
    check(0, None, Fail);
    check(u64::MAX, None, Fail);
}

#[test]
fn certificates_end() {
    let (now, day) = (1_800_000_000, 86_400);
    let check = |from: u64, until: u64, expect: State| {
        assert_eq!(network::judge_validity(from, until, now).status, expect, "{from} {until}");
    };
    check(now - day, now + 31 * day, Ok);
    check(now - day, now + 29 * day, Warn);
    check(now - day, now, Fail);
    check(now - day, now - 1, Fail);
    check(now + 1, now + 90 * day, Fail);
}

#[test]
fn disks_fill() {
    let check = |free_mib: u64, watermark_mib: u64, expect: State| {
        let found = store::judge_disk(free_mib << 20, watermark_mib << 20);
        assert_eq!(found.status, expect, "{free_mib} {watermark_mib}");
    };
    check(2_000, 1_024, Ok);
    check(1_024, 1_024, Ok);
    check(1_023, 1_024, Warn);
    check(63, 0, Fail);
    check(64, 0, Ok);
}

#[test]
fn memory_reaches_swap_or_not() {
    use crate::memory_lock::Permission::{All, Upto};
    let check = |disabled: bool, permission, devices: Option<&[&str]>, expect: State, words: &str| {
        let devices = devices.map(|names| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        let found = machine::judge_swap(disabled, permission, devices.as_deref());
        let text: String = found.iter().map(Finding::line).collect();
        assert!(found.iter().all(|finding| finding.status == expect), "{text}");
        assert_eq!(text.contains("LimitMEMLOCK=infinity"), expect == Warn, "what to do: {text}");
        assert!(text.contains(words), "{text}");
    };
    let (none, disk): (&[&str], &[&str]) = (&[], &["/dev/sda2", "/swapfile"]);
    check(false, All, Some(none), Ok, "none that is on a disk");
    check(false, All, Some(disk), Ok, "does not reach");
    check(false, All, None, Ok, "does not tell");
    check(false, Upto(65_536), Some(none), Ok, "64 KiB only");
    check(false, Upto(65_536), Some(disk), Warn, "/dev/sda2, /swapfile");
    check(false, Upto(65_536), None, Warn, "does not tell");
    check(true, All, Some(none), Ok, "disable_mlock");
    check(true, All, Some(disk), Warn, "written there");
}

#[test]
fn keys_are_their_owners_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    assert_eq!(settings::private_file("key", &path).status, Fail);
    fs::write(&path, "k").unwrap();
    let check = |mode: u32, expect: State| {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(settings::private_file("key", &path).status, expect, "{mode:o}");
    };
    check(0o600, Ok);
    check(0o400, Ok);
    check(0o640, Warn);
    check(0o604, Warn);
    check(0o620, Fail);
}

#[test]
fn a_finding_reads_in_one_line_and_says_what_to_do() {
    assert_eq!(Finding::ok("clock", "set").line(), "[ ok ]   clock: set");
    assert_eq!(Finding::warn("a", "b", "c").line(), "[ warn ] a: b\n           next: c");
    assert_eq!(Finding::fail("a", "b", "c").line(), "[ fail ] a: b\n           next: c");
}

#[tokio::test]
async fn a_setting_with_a_secret_in_the_wrong_place_is_not_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secrethub.toml");
    fs::write(&path, "master_key = 'hunter2'\n").unwrap();
    let found = Diagnose { config: Some(path) }.look(&Environment::of(&[], &[])).await;
    let text: String = found.iter().map(Finding::line).collect();
    assert!(found[0].status == Fail && text.contains("unknown field `master_key`"), "{text}");
    assert!(!text.contains("hunter2") && text.contains("clock"), "{text}");
}
