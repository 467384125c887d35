//! Opens the store, and waits for its database where there is one: a server and its database are often started
//! together, and neither knows of the other.

use crate::{config::StoreUrl, failure::Failure};
use secrethub::{
    OpenError, StoreOptions,
    core::{first_seed::FirstSeed, store::Backend, system::Guardian},
    open_store_with,
};
use std::{sync::Arc, time::Duration};

/// Times that a database is asked, as the first seed did.
const TRIES: u32 = 10;
/// Pause between two of them.
const PAUSE: Duration = Duration::from_secs(2);

/// Opens it, or says why not.
pub(super) async fn open(url: &StoreUrl, options: StoreOptions) -> Result<Arc<dyn Backend>, Failure> {
    for number in 1..=TRIES {
        match open_store_with(url.as_str(), options).await {
            Ok(store) => return Ok(store),
            Err(error @ OpenError::Unreachable { .. }) if number < TRIES => {
                tracing::warn!("{error}; asked {number} of {TRIES} times, again in {} s", PAUSE.as_secs());
                tokio::time::sleep(PAUSE).await;
            }
            Err(error @ OpenError::Unreachable { .. }) => {
                let hint = "start the database, or mend the store's URL, then start the server again";
                return Err(Failure::local(format!("{error}; gave up after {TRIES} tries")).hint(hint));
            }
            Err(error) => return Err(Failure::local(error.to_string())),
        }
    }
    // Never: the last try returns.
    Err(Failure::local(format!("the store {url} was not opened")))
}

/// The first seed's secrets in the same database, if there are any. Only its own key opens them.
pub(super) async fn first_seed(
    url: &StoreUrl,
    guardian: &Guardian,
) -> Result<Option<Arc<dyn FirstSeed>>, Failure> {
    let found = secrethub::first_seed::open(url.as_str()).await;
    let found = found.map_err(|error| Failure::local(error.to_string()))?;
    match (&found, guardian) {
        (None, _) => {}
        (Some(_), Guardian::MasterKey(_)) => {
            tracing::info!("the first seed's secrets in this database are served too");
        }
        (Some(_), _) => tracing::warn!(
            "this database holds secrets of the first seed, and only a server with their MASTER_KEY serves them: take \
             them in with `secrethub import secret-manager`"
        ),
    }
    Ok(found)
}
