//! What the engine of the first seed's interface may look for beyond its own mount: documents of the first seed itself.

use super::Cx;
use crate::{Secret, error::Error};

impl Cx {
    /// What the first seed kept under an id, if its database is taken over; read while the right to it still stands.
    pub(crate) async fn first_seed(&self, id: &str) -> Result<Option<Secret<Vec<u8>>>, Error> {
        let found = self.system.first_seed_secret(id).await?;
        if found.is_some() {
            self.recheck().await?;
        }
        Ok(found)
    }
}
