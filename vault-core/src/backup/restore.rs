//! [`Restore`]: from the bytes of a snapshot, in pieces of any size, to a store; or only to what they say.

use super::{
    About, Page, Restored, Tally, Target,
    frame::{Frame, Frames, broken},
};
use crate::{crypto::CryptoProvider, error::Error, host::Host, store::Backend};
use std::{fmt, sync::Arc};

/// A snapshot that is being read.
pub struct Restore {
    /// Where it goes; `None` to look only.
    into: Option<(Arc<dyn Backend>, Arc<dyn Host>)>,
    crypto: CryptoProvider,
    frames: Frames,
    about: Option<About>,
    target: Option<Target>,
    tally: Tally,
    end: Option<Tally>,
}

impl Restore {
    /// Into an empty store.
    pub fn into(backend: Arc<dyn Backend>, host: Arc<dyn Host>, crypto: CryptoProvider) -> Self {
        Self { into: Some((backend, host)), ..Self::inspect(crypto) }
    }

    /// Into nothing: only to see whether it is whole.
    pub fn inspect(crypto: CryptoProvider) -> Self {
        let (frames, tally) = (Frames::default(), Tally::default());
        Self { into: None, crypto, frames, about: None, target: None, tally, end: None }
    }

    /// How much was read.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The next bytes.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.frames.push(bytes);
        let mut page: Option<Page> = None;
        for frame in self.frames.take()? {
            match (frame, &self.about, &self.end) {
                (Frame::About(about), None, None) => self.begin(about).await?,
                (Frame::Page(next), Some(_), None) => {
                    if let Some(whole) = join(&mut page, next) {
                        self.put(whole).await?;
                    }
                }
                (Frame::End(tally), Some(_), None) => self.end = Some(tally),
                _ => return Err(broken()),
            }
        }
        match page {
            Some(page) => self.put(page).await,
            None => Ok(()),
        }
    }

    /// No more bytes will come. Answers what the snapshot says of itself and what it held.
    pub async fn finish(self) -> Result<(About, Tally), Error> {
        let (Some(about), Some(end)) = (self.about, self.end) else { return Err(cut()) };
        if self.frames.is_cut() {
            return Err(cut());
        }
        if end != self.tally {
            return Err(broken());
        }
        if let Some(target) = self.target {
            let (snapshot, taken) = (about.id.clone(), about.taken.clone());
            let restored = Restored { format: 1, snapshot, taken, tally: end.clone() };
            target.finish(&end, Some(&restored)).await?;
        }
        Ok((about, end))
    }

    async fn begin(&mut self, about: About) -> Result<(), Error> {
        if let Some((backend, host)) = &self.into {
            let (backend, host) = (Arc::clone(backend), Arc::clone(host));
            self.target = Some(Target::begin(backend, host, self.crypto, &about.id).await?);
        }
        self.about = Some(about);
        Ok(())
    }

    async fn put(&mut self, page: Page) -> Result<(), Error> {
        self.tally.add(self.crypto.hash, &page);
        match &mut self.target {
            Some(target) => target.put(page).await,
            None => Ok(()),
        }
    }
}

/// Collects pieces of one kind; gives back what is collected when another kind begins.
fn join(page: &mut Option<Page>, next: Page) -> Option<Page> {
    match (page.as_mut(), next) {
        (Some(Page::Entries(all)), Page::Entries(more)) => all.extend(more),
        (Some(Page::Records(all)), Page::Records(more)) => all.extend(more),
        (_, next) => return page.replace(next),
    }
    None
}

fn cut() -> Error {
    Error::invalid("the snapshot is cut short; take another copy of it")
}

impl fmt::Debug for Restore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Restore").field("about", &self.about).finish_non_exhaustive()
    }
}
