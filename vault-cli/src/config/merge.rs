//! Merging without precedence: a setting may be given in several places, but they must agree. Which of two
//! different stores was meant is not for a program to guess.

use crate::failure::Failure;
use toml::{Table, Value};

/// A setting given somewhere.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Given {
    /// Which setting.
    pub(crate) key: String,
    /// Where, for people: `--store`, `SECRETHUB_STORE`, `the file /etc/secrethub.toml`.
    pub(crate) place: String,
    /// What.
    pub(crate) value: Value,
}

/// One table of all that was given. The values are not repeated in the error: some could hold a password.
pub(crate) fn merge(given: Vec<Given>) -> Result<Table, Failure> {
    let mut merged = Table::new();
    let mut places: Vec<(String, String)> = Vec::new();
    for Given { key, place, value } in given {
        match merged.get(&key) {
            Some(other) if *other != value => {
                let first =
                    places.iter().find(|(name, _)| *name == key).map_or("another place", |(_, place)| place);
                let message = format!("`{key}` is set by {first} and differently by {place}");
                return Err(Failure::local(message).hint("remove one of them, or make them agree"));
            }
            Some(_) => {}
            None => {
                places.push((key.clone(), place));
                merged.insert(key, value);
            }
        }
    }
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(key: &str, place: &str, value: &str) -> Given {
        Given { key: key.into(), place: place.into(), value: value.into() }
    }

    #[test]
    fn places_may_agree() {
        let merged = merge(vec![
            given("store", "--store", "memory:"),
            given("store", "SECRETHUB_STORE", "memory:"),
            given("cluster_name", "the file a.toml", "c"),
        ]);
        assert_eq!(
            merged.unwrap(),
            toml::toml! { cluster_name = "c"
            store = "memory:" }
        );
    }

    #[test]
    fn places_that_disagree_are_both_named_and_their_values_are_not() {
        let places =
            [given("store", "the file a.toml", "sqlite:a"), given("store", "SECRETHUB_STORE", "sqlite:b")];
        let error = merge(places.to_vec()).unwrap_err().to_string();
        assert!(
            error.contains("`store` is set by the file a.toml and differently by SECRETHUB_STORE"),
            "{error}"
        );
        assert!(!error.contains("sqlite:"), "{error}");
    }
}
