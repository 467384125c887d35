//! [`Save`]: the bytes of a snapshot, a page at a time, so that none is ever in memory as a whole.

use super::{
    About, Source, Tally,
    frame::{head, write_about, write_end, write_page},
};
use crate::{crypto::CryptoProvider, error::Error, request::Bytes};
use async_trait::async_trait;

/// A snapshot that is being written.
#[derive(Debug)]
pub struct Save {
    source: Source,
    crypto: CryptoProvider,
    about: Option<About>,
    tally: Option<Tally>,
}

impl Save {
    /// Of a store, under a description.
    pub fn new(source: Source, crypto: CryptoProvider, about: About) -> Self {
        Self { source, crypto, about: Some(about), tally: Some(Tally::default()) }
    }
}

#[async_trait]
impl Bytes for Save {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if let Some(about) = self.about.take() {
            let mut out = head();
            write_about(&about, &mut out)?;
            return Ok(Some(out));
        }
        let Some(tally) = &mut self.tally else { return Ok(None) };
        let mut out = Vec::new();
        match self.source.next().await? {
            Some(page) => {
                tally.add(self.crypto.hash, &page);
                write_page(&page, &mut out);
            }
            None => {
                write_end(tally, &mut out)?;
                self.tally = None;
            }
        }
        Ok(Some(out))
    }
}
