//! [`Floods`]: requests that were turned away before anything was read, decided or recorded. They leave one record an
//! address and window, so that a flood is in the log and the log is not flooded.

use crate::{
    door::Door,
    limits::{FLOOD_WINDOW, NETWORKS_MAX},
};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How many, by address, in the window that began with the first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Floods(Arc<Mutex<HashMap<IpAddr, u64>>>);

impl Floods {
    /// Counts one; the first of a window has the record written at its end. Beyond so many addresses at a time the rest
    /// are not counted.
    pub(crate) fn count(&self, door: &Arc<dyn Door>, address: Option<IpAddr>) {
        let Some(address) = address else { return };
        let mut counts = self.counts();
        if let Some(count) = counts.get_mut(&address) {
            *count += 1;
        } else if counts.len() < NETWORKS_MAX {
            counts.insert(address, 1);
            let (floods, door) = (self.clone(), Arc::clone(door));
            tokio::spawn(async move {
                tokio::time::sleep(FLOOD_WINDOW).await;
                let count = floods.counts().remove(&address).unwrap_or_default();
                door.note_flood(address, count).await;
            });
        }
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::{Answer, Noted};

    #[derive(Default)]
    struct Book(Mutex<Vec<(IpAddr, u64)>>);

    impl Door for Book {
        fn handle(self: Arc<Self>, _: secrethub_core::Request) -> Answer {
            Box::pin(async { Err(secrethub_core::Error::not_found()) })
        }

        fn figures(&self) -> secrethub_core::system::Figures {
            secrethub_core::system::Figures::default()
        }

        fn restore(self: Arc<Self>) -> crate::door::Restoring {
            Box::pin(async { Err(secrethub_core::Error::vault_stands()) })
        }

        fn note_flood(self: Arc<Self>, address: IpAddr, count: u64) -> Noted {
            self.0.lock().unwrap().push((address, count));
            Box::pin(async {})
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_record_an_address_and_window() {
        let (book, floods) = (Arc::new(Book::default()), Floods::default());
        let door: Arc<dyn Door> = Arc::clone(&book) as _;
        let [a, b] = ["192.0.2.1", "2001:db8::1"].map(|text| text.parse::<IpAddr>().unwrap());
        for _ in 0..1_000 {
            floods.count(&door, Some(a));
        }
        floods.count(&door, Some(b));
        floods.count(&door, None);
        tokio::time::sleep(FLOOD_WINDOW / 2).await;
        assert!(book.0.lock().unwrap().is_empty());
        tokio::time::sleep(FLOOD_WINDOW).await;
        floods.count(&door, Some(a));
        tokio::time::sleep(2 * FLOOD_WINDOW).await;
        let mut noted = book.0.lock().unwrap().clone();
        noted[..2].sort_unstable();
        assert_eq!(noted, [(a, 1_000), (b, 1), (a, 1)]);
        assert!(floods.counts().is_empty(), "nothing is remembered of who has gone");
    }
}
