//! Taking over the first seed: its documents, opened with the raw master key that still guards this vault.

use super::{Guardian, System};
use crate::{Secret, cx::store_error, error::Error, first_seed::FirstSeed, limits::FIRST_SEED_SAMPLE};

impl System {
    /// The database that is taken over, and the key of its documents.
    fn taken_over(&self) -> Option<(&dyn FirstSeed, &crate::barrier::MasterKey)> {
        let settings = self.settings();
        match (&settings.first_seed, &settings.guardian) {
            (Some(source), Guardian::MasterKey(master)) => Some((&**source, master)),
            _ => None,
        }
    }

    /// What the first seed kept under an id.
    pub(crate) async fn first_seed_secret(&self, id: &str) -> Result<Option<Secret<Vec<u8>>>, Error> {
        let Some((source, master)) = self.taken_over() else { return Ok(None) };
        let Some(text) = source.ciphertext(id).await.map_err(store_error)? else { return Ok(None) };
        master.open_first_seed(self.crypto(), &text).map(Some).map_err(|not_opened| {
            tracing::error!(secret_id = id, "a document of the first seed: {not_opened}");
            Error::internal(not_opened)
        })
    }

    /// Before a vault is made beside the first seed's documents: a vault under another key than theirs would never
    /// serve them, and whoever mistook the key could not put it right any more.
    pub(super) async fn check_first_seed(&self) -> Result<(), Error> {
        let Some((source, master)) = self.taken_over() else { return Ok(()) };
        let sample = source.sample(FIRST_SEED_SAMPLE).await.map_err(store_error)?;
        let opens = |text: &String| master.open_first_seed(self.crypto(), text).is_ok();
        if sample.is_empty() || sample.iter().any(opens) {
            return Ok(());
        }
        Err(Error::invalid(
            "MASTER_KEY opens none of the secrets that the first seed left in this database: give the key that they \
             were stored under",
        ))
    }
}
