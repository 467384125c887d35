//! The first seed's database: to be served beside a vault's own secrets ([`open`]), or to be imported ([`Documents`]).

use crate::{OpenError, store::not_opened};
use secrethub_core::first_seed::FirstSeed;
pub use secrethub_store_mongo::{Documents, OldRecord, OldSecret, Unreadable};
use std::sync::Arc;

/// The first seed's secrets in the database that a store's URL names, for
/// [`Settings::first_seed`](secrethub_core::system::Settings::first_seed); `None` where there are none.
///
/// # Errors
/// [`OpenError`].
pub async fn open(url: &str) -> Result<Option<Arc<dyn FirstSeed>>, OpenError> {
    if !url.starts_with("mongodb") {
        return Ok(None);
    }
    let found = Documents::open_if_there(url).await;
    Ok(found.map_err(|error| not_opened(url, error))?.map(|documents| documents as _))
}

/// All documents of the first seed in the database that a URL names, to import them.
///
/// # Errors
/// [`OpenError`], also where there are none.
pub async fn documents(url: &str) -> Result<Arc<Documents>, OpenError> {
    if !url.starts_with("mongodb") {
        return Err(OpenError::UnknownScheme { url: crate::shown_store(url) });
    }
    Documents::open(url).await.map_err(|error| not_opened(url, error))
}
