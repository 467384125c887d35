//! Reads a request's body within bounds of size, time and memory held by all bodies together.

use crate::limits::Limits;
use axum::body::{Body, HttpBody};
use http_body_util::BodyExt;
use secrethub_core::{Error, ErrorKind};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Bytes that bodies may still take.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<AtomicUsize>);

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }

    fn take(&self, bytes: usize) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
    }
}

/// A share of the budget; given back when dropped.
#[derive(Debug)]
pub(crate) struct Held {
    bytes: usize,
    budget: Budget,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.0.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

/// A body that was read whole, and its share of the budget: what was parsed from it still takes memory when its
/// bytes are gone.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) bytes: Vec<u8>,
    pub(crate) held: Held,
}

impl Loaded {
    fn push(&mut self, chunk: &[u8], max: usize) -> Result<(), Error> {
        if self.bytes.len() + chunk.len() > max {
            return Err(too_large());
        }
        if !self.held.budget.take(chunk.len()) {
            return Err(Error::unavailable("too many large requests at once; try again"));
        }
        self.held.bytes += chunk.len();
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }
}

/// Reads at most `max` bytes within the time that the limits give.
pub(crate) async fn read(body: Body, max: usize, limits: &Limits, budget: &Budget) -> Result<Loaded, Error> {
    if body.size_hint().lower() > max as u64 {
        return Err(too_large());
    }
    let slow = |_| Error::invalid("the request's body did not arrive in time");
    tokio::time::timeout(limits.body_timeout, collect(body, max, budget)).await.map_err(slow)?
}

async fn collect(mut body: Body, max: usize, budget: &Budget) -> Result<Loaded, Error> {
    let mut loaded = Loaded { bytes: Vec::new(), held: Held { bytes: 0, budget: budget.clone() } };
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| Error::invalid("the request's body was cut short").with_source(error))?;
        if let Some(chunk) = frame.data_ref() {
            loaded.push(chunk, max)?;
        }
    }
    Ok(loaded)
}

fn too_large() -> Error {
    Error::new(ErrorKind::TooLarge, "http: request body too large")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    async fn load(size: usize, max: usize, budget: &Budget) -> Result<usize, ErrorKind> {
        let loaded = read(Body::from(vec![b'x'; size]), max, &Limits::default(), budget).await;
        loaded.map(|loaded| loaded.bytes.len()).map_err(|error| error.kind())
    }

    #[tokio::test]
    async fn bounds_of_one_and_of_all() {
        let budget = Budget::new(100);
        assert_eq!(load(50, 50, &budget).await, Ok(50));
        assert_eq!(load(51, 50, &budget).await, Err(ErrorKind::TooLarge));
        let held = read(Body::from(vec![0; 60]), 100, &Limits::default(), &budget).await.unwrap();
        assert_eq!(load(50, 50, &budget).await, Err(ErrorKind::Unavailable));
        drop(held);
        assert_eq!(load(50, 50, &budget).await, Ok(50));
        assert_eq!(budget.0.load(Ordering::Relaxed), 100, "all is given back");
    }

    #[tokio::test]
    async fn a_body_that_never_comes() {
        let limits = Limits { body_timeout: Duration::from_millis(10), ..Limits::default() };
        let (_sender, body) = http_body_util::channel::Channel::<bytes::Bytes>::new(1);
        let error = read(Body::new(body), 10, &limits, &Budget::new(10)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}
