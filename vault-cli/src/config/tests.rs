//! Tests of reading and merging.

use super::*;

fn load(file: &str, own: &[(&str, &str)], flags: Flags) -> Result<Config, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secrethub.toml");
    fs::write(&path, file).unwrap();
    Config::load(Some(&path), &Environment::of(own, &[]), flags).map_err(|failure| failure.to_string())
}

#[test]
fn file_environment_and_flags_come_together() {
    let config = load(
        "cluster_name = 'c'\ndefault_mounts = []\naudit_ttl_days = 30\n",
        &[("SECRETHUB_STORE", "memory:"), ("AUDIT_ENABLED", "False"), ("AUDIT_TTL_DAYS", "30")],
        vec![("listen", "--listen", vec!["127.0.0.1:1", "[::1]:2"].into())],
    )
    .unwrap();
    assert_eq!(config.store_url().unwrap().as_str(), "memory:");
    assert_eq!(config.addresses(true).unwrap().len(), 2);
    assert_eq!((config.audit_enabled, config.audit_ttl_days), (Some(false), Some(30)));
    assert_eq!(config.mounts().unwrap(), []);
}

#[test]
fn mistakes_are_named() {
    let check = |file: &str, own: &[(&str, &str)], flags: Flags, parts: [&str; 2]| {
        let error = load(file, own, flags).unwrap_err();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    };
    let store = |url: &str| vec![("store", "--store", url.into())];
    check("store = 'memory:'", &[], store("sqlite:x"), ["--store", "secrethub.toml"]);
    check("", &[("SECRETHUB_STORE", "memory:")], store("sqlite:x"), ["--store", "SECRETHUB_STORE"]);
    check("audit_ttl_days = 1", &[("AUDIT_TTL_DAYS", "2")], vec![], ["audit_ttl_days", "AUDIT_TTL_DAYS"]);
    check("stroe = 'memory:'", &[], vec![], ["unknown field `stroe`", "docs/configure.md"]);
    check("listen = '127.0.0.1:1'", &[], vec![], ["listen", "sequence"]);
    check("", &[("AUDIT_ENABLED", "1")], vec![], ["AUDIT_ENABLED", "true or false"]);
    check("", &[("SECRETHUB_CONFIG", "/else")], vec![], ["--config", "SECRETHUB_CONFIG"]);
    let (a, b) = (("SECRETHUB_STORE", "postgres://db/a"), ("DATABASE_URL", "postgres://db/b"));
    check("", &[a, b], vec![], ["SECRETHUB_STORE", "DATABASE_URL"]);
    check("", &[a, ("MONGO_URI", "mongodb://db/a")], vec![], ["SECRETHUB_STORE", "MONGO_URI"]);
    check("", &[b], store("sqlite:x"), ["--store", "DATABASE_URL"]);
    check("pool_size = 4", &[("POOL_SIZE", "5")], vec![], ["pool_size", "POOL_SIZE"]);
    check(
        "",
        &[("POOL_SIZE", "4"), ("SECRETHUB_POOL_SIZE", "5")],
        vec![],
        ["POOL_SIZE", "SECRETHUB_POOL_SIZE"],
    );
    check("", &[("POOL_SIZE", "many")], vec![], ["POOL_SIZE", "whole number"]);
    check("", &[("DATABASE_URL_FILE", "/nonexistent")], vec![], ["DATABASE_URL_FILE", "/nonexistent"]);
}

#[test]
fn a_password_is_repeated_by_no_mistake() {
    let check = |file: &str, own: &[(&str, &str)], flags: Flags| {
        let error = load(file, own, flags).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    };
    let url = "postgres://me:hunter2@db/v";
    let flag = || vec![("store", "--store", url.into())];
    check("", &[], flag());
    check(&format!("store = '{url}'"), &[("DATABASE_URL", "postgres://me:hunter2@db/w")], vec![]);
    check(&format!("store = '{url}"), &[], vec![]);
    check(&format!("store = {url}"), &[], vec![]);
    check(&format!("stroe = '{url}'"), &[], vec![]);
    check("", &[("MONGO_URI", url)], vec![]);
    let config = load(&format!("store = '{url}'"), &[("SECRETHUB_STORE", url)], vec![]).unwrap();
    assert_eq!(config.store_url().unwrap().as_str(), url);
    assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
}

#[test]
fn addresses() {
    let check = |listen: Option<&[&str]>, has_key: bool, expect: Option<&[&str]>| {
        let listen = listen.map(|all| all.iter().map(|&one| one.to_owned()).collect());
        let config = Config { listen, ..Config::default() };
        let found = config.addresses(has_key).ok();
        let texts = found.map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(texts, expect.map(|all| all.iter().map(|&one| one.to_owned()).collect()));
    };
    check(None, false, Some(&["127.0.0.1:8200"]));
    check(None, true, Some(&["127.0.0.1:8200", "127.0.0.1:8000"]));
    check(Some(&["localhost:1", "[::1]:2"]), true, Some(&["127.0.0.1:1", "[::1]:2"]));
    check(Some(&[]), false, None);
    check(Some(&["8200"]), false, None);
    check(Some(&["host.example:1"]), false, None);
}

#[test]
fn the_first_seeds_api_comes_with_a_master_key_or_when_asked_for() {
    use SecretManagerApi::{Off, Open, TokenRequired};
    let check = |api: Option<bool>, token: Option<bool>, has_key: bool, expect: Option<SecretManagerApi>| {
        let config =
            Config { secret_manager_api: api, secret_manager_token_required: token, ..Config::default() };
        assert_eq!(config.secret_manager(has_key).ok(), expect, "{api:?} {token:?} {has_key}");
    };
    check(None, None, false, Some(Off));
    check(None, None, true, Some(Open));
    check(Some(false), None, true, Some(Off));
    check(Some(true), None, false, Some(Open));
    check(Some(true), Some(true), false, Some(TokenRequired));
    check(None, Some(true), true, Some(TokenRequired));
    check(None, Some(true), false, None);
}

#[test]
fn tls_takes_both_files() {
    let check = |cert: Option<&str>, key: Option<&str>, good: bool| {
        let config = Config {
            tls_cert_file: cert.map(Into::into),
            tls_key_file: key.map(Into::into),
            ..Config::default()
        };
        assert_eq!(config.tls_files().is_ok(), good);
    };
    check(None, None, true);
    check(Some("c"), Some("k"), true);
    check(Some("c"), None, false);
    check(None, Some("k"), false);
}
