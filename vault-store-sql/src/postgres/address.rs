//! From a URL to options. sqlx reads the URL, with libpq's variables (`PGHOST` …) and `~/.pgpass` for what it lacks.
//! What sqlx would ignore, or write to a log, is refused before: a parameter that asks for protection we lack must not
//! pass in silence. No error here repeats any part of the URL but the name of a parameter, which may be a mistyped
//! password only if it does not look like a name.

use super::OpenError;
use sqlx::{
    ConnectOptions,
    postgres::{PgConnectOptions, PgSslMode},
};
use std::net::IpAddr;
use url::Url;

/// Parameters that sqlx understands under libpq's names; `options[NAME]` beside them.
const PARAMETERS: [&str; 12] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "user",
];
/// What the server shows in `pg_stat_activity` unless the URL names something else.
const APPLICATION: &str = "secrethub";

/// Reads the URL. Statements are never logged: their text holds names and sealed values.
pub(super) fn parse(text: &str) -> Result<PgConnectOptions, OpenError> {
    let bad = |what: &str| OpenError::Refused(format!("the URL of a PostgreSQL store {what}"));
    let url = Url::parse(text).map_err(|error| bad(&format!("cannot be read: {error}")))?;
    if url.fragment().is_some() || url.path().contains('@') {
        return Err(bad("has `#`, `/` or `?` in its user or password: write them as %23, %2F, %3F"));
    }
    if url.host_str().is_some_and(|host| host.contains(',')) {
        return Err(bad("names several hosts: name one, of a pooler or an address that follows the primary"));
    }
    for (name, _) in url.query_pairs() {
        check_parameter(&name).map_err(|what| bad(&what))?;
    }
    let options = PgConnectOptions::from_url(&url).map_err(|error| bad(&format!("is wrong: {error}")))?;
    let named = options.get_application_name().is_some();
    let options = if named { options } else { options.application_name(APPLICATION) };
    // Poolers refuse parameters of a session that they cannot follow, and no column of ours is a float.
    Ok(options.extra_float_digits(None).disable_statement_logging())
}

fn check_parameter(name: &str) -> Result<(), String> {
    let is_option = name.strip_prefix("options[").is_some_and(|rest| rest.ends_with(']'));
    if is_option || PARAMETERS.contains(&name) {
        return Ok(());
    }
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
        return Err(format!("has the parameter `{name}`, which is not supported: leave it out"));
    }
    Err("has a parameter without a proper name; if a password has `?` or `&`, write %3F, %26".to_owned())
}

/// Does what travels to the server leave this machine without its certificate being checked? `Some` says how.
pub(super) fn unprotected(options: &PgConnectOptions) -> Option<&'static str> {
    let host = options.get_host();
    let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if options.get_socket().is_some() || host.starts_with('/') || loopback {
        return None;
    }
    match options.get_ssl_mode() {
        PgSslMode::VerifyFull => None,
        PgSslMode::VerifyCa => Some("accepts any server that has a certificate of the authority"),
        PgSslMode::Require => Some("does not check who the server is"),
        PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer => Some("may be in clear"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let check = |url: &str, host: &str, port: u16, database: Option<&str>| {
            let options = parse(url).unwrap();
            let found = options
                .get_socket()
                .map_or(options.get_host().to_owned(), |socket| socket.display().to_string());
            assert_eq!((found.as_str(), options.get_port()), (host, port), "{url}");
            assert_eq!(options.get_database(), database, "{url}");
        };
        check("postgres://me:pw@db.example/vault", "db.example", 5432, Some("vault"));
        check("postgresql://db:5433/v?sslmode=verify-full&sslrootcert=/ca.pem", "db", 5433, Some("v"));
        check("postgres:///v?host=/run/postgresql", "/run/postgresql", 5432, Some("v"));
        check("postgres://me@%2Frun%2Fpg/v", "/run/pg", 5432, Some("v"));
        check("postgres://me:p%40%2F%3F%23@db/v?options[search_path]=a", "db", 5432, Some("v"));
    }

    #[test]
    fn mistakes_are_named_and_passwords_are_not() {
        let check = |url: &str, part: &str| {
            let error = parse(url).unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(text.contains(part) && !text.contains("hunter"), "{url}: {text}");
        };
        check("postgres://me:hunter2@a,b/v", "several hosts");
        check("postgres://me:hunter2@db/v?sslmod=require", "`sslmod`");
        check("postgres://me:hunter2@db/v?channel_binding=require", "`channel_binding`");
        check("postgres://me:hunter2@db/v?sslmode=verify", "is wrong");
        check("postgres://me:hun/hunter2@db/v", "cannot be read");
        check("postgres://me:1/hunter2@db/v", "%2F");
        check("postgres://me:1#hunter2@db/v", "%23");
        check("postgres://me:1?hunter2@db/v", "%3F");
        check("postgres://me:hunter2@db:port/v", "cannot be read");
        check("postgres://me:hunter2@db/v?x=hunter2", "`x`");
    }

    #[test]
    fn who_is_asked_may_be_checked() {
        let check =
            |url: &str, good: bool| assert_eq!(unprotected(&parse(url).unwrap()).is_none(), good, "{url}");
        check("postgres://db/v?sslmode=verify-full", true);
        check("postgres://localhost/v?sslmode=disable", true);
        check("postgres://127.0.0.1/v?sslmode=disable", true);
        check("postgres:///v?host=/run/postgresql", true);
        check("postgres://db/v?sslmode=verify-ca", false);
        check("postgres://db/v?sslmode=require", false);
        check("postgres://db/v", false);
    }
}
