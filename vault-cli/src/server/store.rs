//! Opens the store, and waits for its database where there is one: a server and its database are often started
//! together, and neither knows of the other.

use crate::{config::StoreUrl, failure::Failure};
use secrethub::{OpenError, StoreOptions, core::store::Backend, open_store_with};
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
