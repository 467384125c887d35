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
        None => format!("{scheme}:"),
    }
}

/// Does the URL hold a password, so that it should not stand where others can read it.
pub fn has_password(url: &str) -> bool {
    let scheme_is_path = url.starts_with("sqlite:") || url.starts_with("memory:");
    let read = Url::parse(url).ok().filter(|_| !scheme_is_path);
    read.is_some_and(|read| {
        read.password().is_some() || read.query_pairs().any(|(name, _)| name.contains("password"))
    })
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
        check("mongodb://me:hunter2@a:1,b:2/v", "mongodb:", false);
        check("mongodb+srv://me:hunter2@cluster.example/v", "mongodb+srv://cluster.example/v", true);
        check("hunter2", "hunter2:", false);
    }
}
