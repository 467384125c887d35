//! [`Requests`]: which requests are being served, for `sys/in-flight-req`.

use crate::address;
use http::request::Parts;
use secrethub_core::system::InFlight;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::time::Instant;

/// A cheap handle. What has ended leaves by itself.
#[derive(Clone, Debug, Default)]
pub struct Requests(Arc<Mutex<Table>>);

/// By request id.
type Table = HashMap<String, (Instant, Arc<Parts>)>;

/// A request's stay; it ends with this.
pub(crate) struct Stay {
    requests: Requests,
    id: String,
}

impl Requests {
    pub(crate) fn enter(&self, id: &str, parts: &Arc<Parts>) -> Stay {
        self.table(|table| table.insert(id.to_owned(), (Instant::now(), Arc::clone(parts))));
        Stay { requests: self.clone(), id: id.to_owned() }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.table(|table| table.len())
    }

    /// All of them, without their queries, which may hold anything.
    pub fn all(&self) -> BTreeMap<String, InFlight> {
        let tell = |(id, (came, parts)): (&String, &(Instant, Arc<Parts>))| {
            let (path, method) = (parts.uri.path().to_owned(), parts.method.to_string());
            (id.clone(), InFlight { age: came.elapsed(), remote: address::shown(parts), path, method })
        };
        self.table(|table| table.iter().map(tell).collect())
    }

    fn table<T>(&self, work: impl FnOnce(&mut Table) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.requests.table(|table| table.remove(&self.id));
    }
}
