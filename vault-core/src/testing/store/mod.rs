//! The store battery: what [`crate::store`] promises, one named case a promise. An implementation runs it with
//!
//! ```ignore
//! fn run(name: &str, case: testing::store::Case) { /* open an empty store, block on case(&store) */ }
//! secrethub_core::store_battery!(run);
//! ```
//!
//! which makes a `#[test]` of every case. Cases belong to no runtime: where they need many callers they join
//! futures, so a store that is synchronous inside is interleaved by [`super::pause`], one that has threads or a
//! server by these. A case needs an empty store and leaves it dirty.

mod atomic;
mod audit;
mod bytes;
mod conditions;
mod races;

use crate::{
    audit::{AuditRecord, Columns, Linked},
    id::{BootId, Rev, Timestamp},
    store::{Backend, Batch, CommitError, Entry, Key, Range, Sealed},
};
use futures::future::BoxFuture;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// The store under test.
pub type Shared = Arc<dyn Backend>;

/// One case: panics when the promise is broken.
pub type Case = for<'a> fn(&'a Shared) -> BoxFuture<'a, ()>;

macro_rules! battery {
    ($($module:ident: $($name:ident)*;)*) => {
        /// Every case under its name.
        pub const CASES: &[(&str, Case)] = &[$($(
            (stringify!($name), |store| Box::pin($module::$name(store))),
        )*)*];

        $(pub use $module::{$($name),*};)*

        /// Makes a `#[test]` of every case: `store_battery!(run)` with `fn run(name: &str, case: Case)`.
        #[macro_export]
        macro_rules! store_battery {
            ($run:path) => {
                $($(
                    #[test]
                    fn $name() {
                        $run(stringify!($name), |store| Box::pin($crate::testing::store::$name(store)));
                    }
                )*)*
            };
        }
    };
}

battery! {
    conditions:
        create_needs_absence replace_needs_the_revision_read remove_needs_the_revision_read
        guard_needs_the_revision_read guard_of_nothing_conflicts guard_changes_nothing equal_guards_merge
        put_needs_nothing recreated_is_another equal_bytes_are_another_revision
        conflict_names_every_loser conflict_spares_the_rest revision_is_the_batch;
    atomic:
        batch_lands_whole lost_batch_leaves_nothing get_never_tears scan_never_tears reads_follow_commits
        empty_batch_is_fine resent_batch_is_fine resent_after_others_moved_on resent_removal_is_fine
        resent_batch_appends_no_second_row dropped_commit_is_whole snapshot_holds_everything
        snapshot_is_one_instant;
    bytes:
        get_answers_as_asked scan_is_in_byte_order pages_meet scan_keeps_to_its_range
        page_ends_at_its_bytes page_ends_at_the_cap long_keys_work keys_are_bytes_not_words values_are_bytes
        big_values_work largest_batch_lands excess_is_refused;
    races:
        counter_sums_up creation_has_one_winner no_write_skew overlapping_batches_finish
        crossed_create_and_put_finish;
    audit:
        rows_come_with_entries rows_of_a_lost_batch_never_come rows_and_entries_are_never_apart
        rows_keep_every_column rows_of_a_large_batch_are_each_kept read_walks_one_chain search_is_newest_first search_breaks_ties
        search_filters heads_name_first_and_last prune_takes_the_oldest;
}

/// A revision that no other call in this process answers.
pub fn rev() -> Rev {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut id = [0xA5; 16];
    id[8..].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    Rev(id)
}

/// A fresh batch, filled by `fill`.
pub fn batch(fill: impl FnOnce(&mut Batch)) -> Batch {
    let mut batch = Batch::new(rev());
    fill(&mut batch);
    batch
}

/// A linked record as a lane would make it, but for its link, which only has to be told apart.
pub fn linked(chain: u8, seq: u64, columns: Columns) -> Linked {
    let record = AuditRecord {
        chain: BootId([chain; 16]),
        seq,
        columns,
        writes: Vec::new(),
        fields: Vec::new(),
        headers: Vec::new(),
    };
    let canonical = record.canonical();
    let mut link = [chain; 32];
    link[24..].copy_from_slice(&seq.to_be_bytes());
    Linked { record, canonical, link }
}

/// Columns with every obligatory text filled.
pub fn columns(micros: u64, operation: &str, path: &str) -> Columns {
    Columns {
        timestamp: Timestamp(1_763_769_600_000_000 + micros),
        operation: operation.to_owned(),
        path: path.to_owned(),
        request_id: format!("r-{micros}"),
        ..Columns::default()
    }
}

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

#[allow(clippy::needless_pass_by_value, reason = "a number reads better than its reference")]
fn value(text: impl ToString) -> Sealed {
    Sealed::from_stored(text.to_string().into_bytes())
}

fn number(entry: &Entry) -> u64 {
    std::str::from_utf8(entry.value.as_bytes()).unwrap().parse().unwrap()
}

fn all() -> Range {
    Range { from: String::new(), to: None }
}

async fn find(store: &Shared, name: &str) -> Option<Entry> {
    store.get(&[key(name)]).await.unwrap().remove(0)
}

/// The entry, which must be there.
async fn entry(store: &Shared, name: &str) -> Entry {
    find(store, name).await.unwrap_or_else(|| panic!("{name} is not there"))
}

async fn commit(store: &Shared, fill: impl FnOnce(&mut Batch)) -> Result<(), CommitError> {
    store.commit(&batch(fill)).await
}

/// Creates entries that hold 0 and answers them in the order of the names.
async fn given(store: &Shared, names: &[&str]) -> Vec<Entry> {
    commit(store, |b| names.iter().for_each(|name| b.create(key(name), value(0)).unwrap())).await.unwrap();
    let keys: Vec<Key> = names.iter().map(|name| key(name)).collect();
    store.get(&keys).await.unwrap().into_iter().map(Option::unwrap).collect()
}

/// The keys of a conflict; anything else is a failure.
#[track_caller]
fn losers(answer: Result<(), CommitError>) -> Vec<String> {
    match answer {
        Err(CommitError::Conflict { keys }) => keys.iter().map(|key| key.as_str().to_owned()).collect(),
        other => panic!("expected a conflict, got {other:?}"),
    }
}
