//! Keys, values and pages: one order, no surprises of encoding, and every limit.

use super::{Shared, all, batch, commit, entry, find, given, key, value};
use crate::{
    limits,
    store::{CommitError, Entry, Key, Limit, Range, Sealed, StoreError},
};

fn names(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.key.as_str()).collect()
}

fn sorted<'a>(names: &[&'a str]) -> Vec<&'a str> {
    let mut names = names.to_vec();
    names.sort_unstable_by_key(|name| name.as_bytes());
    names
}

/// Every page of a range, the next one asked for from the last key of the one before.
async fn pages(store: &Shared, range: Range, limit: Limit) -> Vec<Vec<Entry>> {
    let (mut pages, mut rest) = (Vec::new(), range);
    loop {
        let page = store.scan(rest.clone(), limit).await.unwrap();
        let Some(last) = page.last() else { return pages };
        rest = rest.after(last.key.as_str());
        pages.push(page);
    }
}

/// A get answers in the order asked: twice what is asked twice, nothing for what is not there or not asked.
pub async fn get_answers_as_asked(store: &Shared) {
    given(store, &["a", "b", "c"]).await;
    let asked = ["c", "nothing", "a", "c", "b/none"].map(key);
    let found = store.get(&asked).await.unwrap();
    let found: Vec<Option<&str>> = found.iter().map(|e| e.as_ref().map(|e| e.key.as_str())).collect();
    assert_eq!(found, [Some("c"), None, Some("a"), Some("c"), None]);
    assert_eq!(store.get(&[]).await.unwrap(), []);
}

const MIXED: [&str; 16] = [
    "o/a",
    "o/a-b",
    "o/a.b",
    "o/a/b",
    "o/a0",
    "o/A",
    "o/_",
    "o/~",
    "o/é",
    "o/日",
    "o/ ",
    "o/Z",
    "o/\u{E000}",
    "o/\u{10FFFF}",
    "o/a b",
    "o/ß",
];

/// Order is by UTF-8 bytes: no locale, no case folding, no UTF-16.
pub async fn scan_is_in_byte_order(store: &Shared) {
    given(store, &MIXED).await;
    let found = store.scan(Range::prefix("o/"), Limit::entries(100)).await.unwrap();
    assert_eq!(names(&found), sorted(&MIXED));
}

/// Pages of every size, asked for with `Range::after`, hold everything once and in order.
pub async fn pages_meet(store: &Shared) {
    given(store, &MIXED).await;
    for size in [1, 2, 3, 5, MIXED.len() - 1, MIXED.len(), 100] {
        let pages = pages(store, Range::prefix("o/"), Limit::entries(size)).await;
        assert_eq!(names(&pages.concat()), sorted(&MIXED), "pages of {size}");
        assert!(pages.iter().all(|page| page.len() <= size));
    }
    assert_eq!(store.scan(all(), Limit::entries(0)).await.unwrap(), []);
}

/// A range holds its start and not its end; a prefix exactly what starts with it.
pub async fn scan_keeps_to_its_range(store: &Shared) {
    given(store, &["a", "a/b", "a/b/c", "a/\u{10FFFF}", "a0", "b"]).await;
    let check = async |range: Range, expect: &[&str]| {
        let found = store.scan(range.clone(), Limit::entries(100)).await.unwrap();
        assert_eq!(names(&found), expect, "{range:?}");
    };
    let between = |from: &str, to: &str| Range { from: from.to_owned(), to: Some(to.to_owned()) };
    check(Range::prefix("a/"), &["a/b", "a/b/c", "a/\u{10FFFF}"]).await;
    check(Range::prefix("a/b"), &["a/b", "a/b/c"]).await;
    check(Range::prefix("").after("a0"), &["b"]).await;
    check(Range::prefix("a/").after("a/b"), &["a/b/c", "a/\u{10FFFF}"]).await;
    check(between("a/b", "a0"), &["a/b", "a/b/c", "a/\u{10FFFF}"]).await;
    check(between("b", "a"), &[]).await;
    check(Range::prefix("zzz"), &[]).await;
}

/// A page ends at its bytes of values, but never before one entry.
pub async fn page_ends_at_its_bytes(store: &Shared) {
    let ten = || Sealed::from_stored(vec![7; 10]);
    commit(store, |b| ["a", "b", "c", "d"].iter().for_each(|n| b.create(key(n), ten()).unwrap()))
        .await
        .unwrap();
    for (bytes, expect) in [(0, 1), (1, 1), (10, 1), (19, 1), (20, 2), (35, 3), (1_000, 4)] {
        let page = store.scan(all(), Limit { entries: 100, bytes }).await.unwrap();
        assert_eq!(page.len(), expect, "{bytes} bytes");
    }
}

/// Whoever asks for more than a page may hold gets a page.
pub async fn page_ends_at_the_cap(store: &Shared) {
    let total = limits::SCAN_ENTRIES_MAX + 3;
    commit(store, |b| (0..total).for_each(|n| b.create(key(&format!("k/{n:06}")), value(n)).unwrap()))
        .await
        .unwrap();
    let pages = pages(store, all(), Limit::entries(usize::MAX)).await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [limits::SCAN_ENTRIES_MAX, 3]);
}

/// Keys of the greatest length are told apart by their last byte and keep their order.
pub async fn long_keys_work(store: &Shared) {
    let long = "k".repeat(limits::KEY_BYTES_MAX - 1);
    let (a, b) = (format!("{long}a"), format!("{long}b"));
    given(store, &[&b, &a]).await;
    let found = store.scan(Range::prefix(&long), Limit::entries(10)).await.unwrap();
    assert_eq!(names(&found), [&a, &b]);
    assert_eq!(entry(store, &b).await.key.as_str(), b);
}

/// Keys that a person reads alike are different keys: no normalisation, no case folding, no trimming.
pub async fn keys_are_bytes_not_words(store: &Shared) {
    let alike = ["é", "e\u{301}", "E\u{301}", "k", "K", "\u{212A}", "a ", "a", "ﬁ", "fi", "%61", "_", "x%"];
    for (n, name) in alike.iter().enumerate() {
        commit(store, |b| b.create(key(name), value(n)).unwrap()).await.unwrap();
    }
    for (n, name) in alike.iter().enumerate() {
        assert_eq!(entry(store, name).await.value, value(n), "{name}");
    }
    assert!(find(store, "É").await.is_none());
}

/// Values are bytes: empty, zero, every byte, invalid UTF-8.
pub async fn values_are_bytes(store: &Shared) {
    let odd: [Vec<u8>; 5] = [vec![], vec![0], (0..=255).collect(), b"\\x00'\"".to_vec(), vec![0xFF; 3]];
    for (n, bytes) in odd.iter().enumerate() {
        let name = format!("v/{n}");
        commit(store, |b| b.put(key(&name), Sealed::from_stored(bytes.clone())).unwrap()).await.unwrap();
        assert_eq!(entry(store, &name).await.value.as_bytes(), bytes.as_slice());
    }
    let found = store.scan(all(), Limit::entries(10)).await.unwrap();
    let found: Vec<&[u8]> = found.iter().map(|entry| entry.value.as_bytes()).collect();
    assert_eq!(found, odd.each_ref().map(Vec::as_slice));
}

/// A value of the greatest size comes back whole, by get and by scan, and can be replaced by a small one.
pub async fn big_values_work(store: &Shared) {
    let pattern = |len: usize| Sealed::from_stored((0..=250_u8).cycle().take(len).collect());
    let big = pattern(limits::VALUE_BYTES_MAX);
    commit(store, |b| b.create(key("big"), big.clone()).unwrap()).await.unwrap();
    let read = entry(store, "big").await;
    assert!(read.value == big, "by get");
    let page = store.scan(all(), Limit::entries(2)).await.unwrap();
    assert!(page.len() == 1 && page[0].value == big, "by scan, though larger than a page");
    commit(store, |b| b.replace(&read, pattern(3)).unwrap()).await.unwrap();
    assert_eq!(entry(store, "big").await.value, pattern(3));
}

/// As many operations as a merged commit may hold land in one; so many keys as a get may name come back.
pub async fn largest_batch_lands(store: &Shared) {
    let keys: Vec<Key> = (0..limits::BATCH_OPS_MAX).map(|n| key(&format!("n/{n:05}"))).collect();
    commit(store, |b| keys.iter().for_each(|key| b.create(key.clone(), value(1)).unwrap())).await.unwrap();
    let found = store.get(&keys[keys.len() - limits::GET_KEYS_MAX..]).await.unwrap();
    assert!(found.iter().all(Option::is_some));
    let read = store.scan(all(), Limit::entries(1_000)).await.unwrap();
    commit(store, |b| read.iter().for_each(|read| b.replace(read, value(2)).unwrap())).await.unwrap();
    assert_eq!(entry(store, "n/00999").await.value, value(2));
    assert_eq!(entry(store, "n/01000").await.value, value(1));
}

/// One more than a limit is refused as such, and nothing of it lands.
pub async fn excess_is_refused(store: &Shared) {
    let too_big = Sealed::from_stored(vec![0; limits::VALUE_BYTES_MAX + 1]);
    let too_many = batch(|b| {
        for n in 0..=limits::BATCH_OPS_MAX {
            b.create(key(&format!("n/{n}")), value(1)).unwrap();
        }
    });
    for excess in [batch(|b| b.create(key("big"), too_big).unwrap()), too_many] {
        let answer = store.commit(&excess).await;
        assert!(
            matches!(answer, Err(CommitError::NotApplied(StoreError::TooLarge { .. }))),
            "got {:?}",
            answer.map_err(|error| error.to_string())
        );
    }
    let keys: Vec<Key> = (0..=limits::GET_KEYS_MAX).map(|n| key(&format!("n/{n}"))).collect();
    assert!(matches!(store.get(&keys).await, Err(StoreError::TooLarge { .. })));
    assert_eq!(store.scan(all(), Limit::entries(10)).await.unwrap(), []);
}
