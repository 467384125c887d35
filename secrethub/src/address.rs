//! [`shown_store`]: how a store's URL is told to people. A URL may hold a password, and what people are told ends up
//! in logs.

use url::Url;

/// The URL without user, password and parameters: `postgres://db.example:5432/vault`. What does not read as a URL keeps
/// its scheme alone, unless its scheme takes a path.
pub fn shown_store(url: &str) -> String {
    let (scheme, _) = url.split_once(':').unwrap_or((url, ""));
    if matches!(scheme, "sqlite" | "memory") {
        return url.to_owned();
    }
    let read = Url::parse(url).ok();
    // A slash inside a password cuts the URL at the wrong place; the sign after it gives that away.
    let whole = read.filter(|read| !read.path().contains('@') && read.fragment().is_none());
    match whole.as_ref().and_then(|read| Some((read, read.host_str()?))) {
        Some((read, host)) => {
            let port = read.port().map_or_else(String::new, |port| format!(":{port}"));
            format!("{scheme}://{host}{port}{}", read.path())
        }
        None => many_hosts(url).unwrap_or_else(|| format!("{scheme}:")),
    }
}

/// The same for several hosts with a port each, as MongoDB's URLs name them: to others that is no URL. `None` where a
/// sign stands at a place that only a password explains.
fn many_hosts(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://").filter(|(scheme, _)| scheme.starts_with("mongodb"))?;
    let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = place.split_once('/').unwrap_or((place, ""));
    let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-:,[]".contains(&byte);
    let plain = hosts.bytes().all(is_host) && !path.contains(['@', '#']) && !parameters.contains('@');
    plain.then(|| format!("{scheme}://{hosts}/{path}"))
}

/// Does the URL hold a password, so that it should not stand where others can read it.
pub fn has_password(url: &str) -> bool {
    let scheme_is_path = url.starts_with("sqlite:") || url.starts_with("memory:");
    match Url::parse(url).ok().filter(|_| !scheme_is_path) {
        Some(read) => {
            let named = |name: &str| name.to_ascii_lowercase().contains("password");
            read.password().is_some() || read.query_pairs().any(|(name, _)| named(&name))
        }
        // Several hosts: see above.
        None => url.starts_with("mongodb") && url.contains('@'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_parameters_are_left_out() {
        let check = |url: &str, shown: &str, password: bool| {
            assert_eq!((shown_store(url).as_str(), has_password(url)), (shown, password), "{url}");
        };
        check("sqlite:/a/b.db", "sqlite:/a/b.db", false);
        check("memory:", "memory:", false);
        check("postgres://me:hunter2@db:5433/v?sslmode=require", "postgres://db:5433/v", true);
        check("postgres://db/v?password=hunter2", "postgres://db/v", true);
        check("postgres://me@db/v", "postgres://db/v", false);
        check("postgres:///v?host=/run/pg", "postgres:", false);
        check("postgres://me:hun/ter2@db/v", "postgres:", false);
        check("postgres://me:1/hunter2@db/v", "postgres:", false);
        check("postgres://me:1#hunter2@db/v", "postgres:", false);
        check("mongodb://me:hunter2@a:1,b:2/v?replicaSet=r", "mongodb://a:1,b:2/v", true);
        check("mongodb://a:1,b:2", "mongodb://a:1,b:2/", false);
        check("mongodb://a,b/v", "mongodb://a,b/v", false);
        check("mongodb://me:1,hun/ter2@a:1,b:2/v", "mongodb:", true);
        check("mongodb://me:1,hun?ter2@a:1,b:2/v", "mongodb:", true);
        check("mongodb://me:1,hun#ter2@a:1,b:2/v", "mongodb://a:1,b:2/v", true);
        check("mongodb://db/v?tlsCertificateKeyFilePassword=hunter2", "mongodb://db/v", true);
        check("mongodb+srv://me:hunter2@cluster.example/v", "mongodb+srv://cluster.example/v", true);
        check("hunter2", "hunter2:", false);
    }
}
