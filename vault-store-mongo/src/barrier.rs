//! The time that a read must not be older than. See the head of the crate for why a snapshot alone does not do.
//!
//! Callers that come while a question is under way share the next one: an answer is good for all who came before its
//! question was sent. A question that fails fails for all of them, so that an outage is not waited for one by one.

use crate::error::{refused, unavailable};
use mongodb::{
    Client, Collection,
    bson::{Document, Timestamp, doc},
    error::Error,
    options::ReadConcern,
};
use secrethub_core::{limits::REQUEST_DEADLINE, store::StoreError};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Mutex;

#[derive(Debug, Default)]
pub(crate) struct Barrier {
    /// Questions sent so far.
    asked: AtomicU64,
    last: Mutex<Option<Answer>>,
}

#[derive(Debug)]
struct Answer {
    question: u64,
    time: Result<Timestamp, Error>,
}

impl Barrier {
    /// A time at which everything is visible that any process saw committed before this call.
    pub(crate) async fn pass(
        &self,
        client: &Client,
        kv: &Collection<Document>,
    ) -> Result<Timestamp, StoreError> {
        self.share(|| ask(client, kv)).await.map_err(refused)
    }

    async fn share<F>(&self, ask: impl FnOnce() -> F) -> Result<Timestamp, Error>
    where
        F: Future<Output = Result<Timestamp, Error>>,
    {
        let before = self.asked.load(Ordering::SeqCst);
        let mut last = self.last.lock().await;
        if let Some(answer) = last.as_ref().filter(|answer| answer.question > before) {
            return answer.time.clone();
        }
        let question = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let time = ask().await;
        *last = Some(Answer { question, time: time.clone() });
        time
    }
}

/// A linearizable read of a key that cannot exist: the server writes a no-op and waits until a majority has it.
async fn ask(client: &Client, kv: &Collection<Document>) -> Result<Timestamp, Error> {
    let mut session = client.start_session().causal_consistency(false).await?;
    kv.find_one(doc! { "_id": "" })
        .read_concern(ReadConcern::linearizable())
        .max_time(REQUEST_DEADLINE)
        .session(&mut session)
        .await?;
    session.operation_time().ok_or_else(|| Error::custom(unavailable("the server tells no operation time")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{
        channel::oneshot,
        future::{join, join3},
    };

    fn at(time: u32) -> Result<Timestamp, Error> {
        Ok(Timestamp { time, increment: 0 })
    }

    /// Who comes while a question is under way is not content with its answer, and shares the next.
    #[tokio::test]
    async fn nobody_takes_an_answer_to_an_earlier_question() {
        let barrier = Barrier::default();
        let (answer, waits) = oneshot::channel::<()>();
        let first = barrier.share(|| async {
            waits.await.ok();
            at(1)
        });
        let late = async {
            let asked = barrier.share(|| async { at(2) });
            let shared = barrier.share(|| async { at(3) });
            let both = join(asked, shared);
            // They have come (each is polled once) before the first question is answered.
            let (both, ()) = join(both, async { answer.send(()).unwrap() }).await;
            both
        };
        let (first, (asked, shared)) = join(first, late).await;
        assert_eq!([first.ok(), asked.ok(), shared.ok()], [at(1).ok(), at(2).ok(), at(2).ok()]);
        assert_eq!(barrier.share(|| async { at(4) }).await.ok(), at(4).ok(), "an old answer is not good");
    }

    #[tokio::test]
    async fn a_failure_is_shared_too_and_not_remembered() {
        let barrier = Barrier::default();
        let fails = || async { Err(Error::custom("down")) };
        let hold = barrier.last.lock().await;
        let (one, other) = (barrier.share(fails), barrier.share(|| async { at(9) }));
        let (one, other, ()) = join3(one, other, async { drop(hold) }).await;
        assert!(one.is_err() && other.is_err(), "both waited for one question");
        assert!(barrier.share(|| async { at(1) }).await.is_ok());
    }
}
