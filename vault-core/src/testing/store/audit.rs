//! The audit half: rows come with their entries or not at all, and can be found again.

use super::{Shared, all, columns, commit, given, key, linked, losers, number, value};
use crate::{
    audit::{AuditPage, AuditQuery, AuditRow, Columns, Cursor, Head, Status},
    id::{BootId, Timestamp},
    limits,
    store::Limit,
    testing::pause,
};
use futures::future::join;

const CHAIN: BootId = BootId([1; 16]);

/// Appends one row for each of `columns` to a chain, from sequence number `from` on.
async fn append(store: &Shared, chain: u8, from: u64, rows: impl IntoIterator<Item = Columns>) {
    commit(store, |b| {
        rows.into_iter().zip(from..).for_each(|(columns, seq)| b.audit(linked(chain, seq, columns)));
    })
    .await
    .unwrap();
}

fn plain(micros: std::ops::Range<u64>) -> impl Iterator<Item = Columns> {
    micros.map(|n| columns(n, "read", "secret/data/a"))
}

async fn read(store: &Shared, chain: u8, from: u64, limit: usize) -> Vec<u64> {
    let rows = store.read(BootId([chain; 16]), from, limit).await.unwrap();
    assert!(rows.iter().all(|row| row.chain == BootId([chain; 16])));
    rows.iter().map(|row| row.seq).collect()
}

/// Chain and sequence number of every row found.
fn places(rows: &[AuditRow]) -> Vec<(u8, u64)> {
    rows.iter().map(|row| (row.chain.0[0], row.seq)).collect()
}

async fn search(store: &Shared, query: AuditQuery) -> Vec<(u8, u64)> {
    places(&store.search(&query, None, 100).await.unwrap().rows)
}

/// A batch's rows are there when its entries are.
pub async fn rows_come_with_entries(store: &Shared) {
    commit(store, |b| {
        b.create(key("a"), value(1)).unwrap();
        b.audit(linked(1, 1, columns(1, "create", "a")));
        b.audit(linked(1, 2, columns(2, "create", "b")));
    })
    .await
    .unwrap();
    assert_eq!(read(store, 1, 0, 10).await, [1, 2]);
    append(store, 1, 3, plain(3..4)).await;
    assert_eq!(read(store, 1, 0, 10).await, [1, 2, 3], "a batch of records alone");
}

/// Rows of a batch that conflicted appear nowhere, and their places can be taken by others.
pub async fn rows_of_a_lost_batch_never_come(store: &Shared) {
    given(store, &["a"]).await;
    let answer = commit(store, |b| {
        b.create(key("a"), value(1)).unwrap();
        b.audit(linked(1, 1, columns(1, "create", "lost")));
    });
    assert_eq!(losers(answer.await), ["a"]);
    assert_eq!(read(store, 1, 0, 10).await, [0; 0]);
    assert_eq!(search(store, AuditQuery::default()).await, []);
    assert_eq!(store.heads().await.unwrap(), []);
    append(store, 1, 1, plain(5..6)).await;
    assert_eq!(read(store, 1, 0, 10).await, [1]);
}

/// Whoever sees an entry finds its row; whoever sees a row finds its entry at least as new.
pub async fn rows_and_entries_are_never_apart(store: &Shared) {
    const LAST: u64 = 60;
    let mut witness = given(store, &["witness"]).await.remove(0);
    let writes = async {
        for n in 1..=LAST {
            let answer = commit(store, |b| {
                b.replace(&witness, value(n)).unwrap();
                b.audit(linked(1, n, columns(n, "update", "witness")));
            });
            answer.await.unwrap();
            witness = super::entry(store, "witness").await;
            pause().await;
        }
    };
    let reads = async {
        let mut seen = 0;
        while seen < LAST {
            seen = number(&super::entry(store, "witness").await);
            let row = read(store, 1, seen.max(1), 1).await;
            assert!(seen == 0 || row == [seen], "entry {seen} without its row: {row:?}");
            let last = store.heads().await.unwrap().first().map_or(0, |head| head.last);
            assert!(number(&super::entry(store, "witness").await) >= last, "row {last} without its entry");
            pause().await;
        }
    };
    join(writes, reads).await;
}

/// Every column, the canonical bytes and the link come back as they were, odd text and absent text included.
pub async fn rows_keep_every_column(store: &Shared) {
    let text = |text: &str| Some(text.to_owned());
    let full = Columns {
        timestamp: Timestamp(1_763_769_600_000_001),
        operation: "create".to_owned(),
        secret_id: text("2b1f-é"),
        client_ip: text("::1"),
        status: Status::Failure,
        actor: text("o'brien; DROP TABLE audit_logs --"),
        accessor: text("a\tb\nc\r\"d\\"),
        path: "secret/data/日 本".to_owned(),
        mount: text("secret/"),
        user_agent: text(&"u".repeat(limits::AUDIT_TEXT_BYTES_MAX)),
        rule: text("path \"secret/*\""),
        request_id: "r-1".to_owned(),
        lease_id: text("l"),
        error: text("e"),
        elapsed_us: 1 << 62,
    };
    let bare = Columns { timestamp: Timestamp(0), operation: "x".to_owned(), ..Columns::default() };
    let empty = Columns { actor: text(""), ..bare.clone() };
    let sent = [full, bare, empty].into_iter().zip(1..).map(|(columns, seq)| linked(1, seq, columns));
    let sent: Vec<_> = sent.collect();
    commit(store, |b| sent.iter().for_each(|record| b.audit(record.clone()))).await.unwrap();
    let expect: Vec<AuditRow> = sent.iter().map(AuditRow::of).collect();
    assert_eq!(store.read(CHAIN, 0, 10).await.unwrap(), expect);
    let found = store.search(&AuditQuery::default(), None, 10).await.unwrap().rows;
    assert_eq!(found, [&expect[0], &expect[2], &expect[1]].map(Clone::clone));
}

/// However many records a batch has, each becomes its own row: a store may write several at a time.
pub async fn rows_of_a_large_batch_are_each_kept(store: &Shared) {
    let mut sent = Vec::new();
    for size in [1, 7, 8, 9, 16, 23, 64] {
        let first = sent.len() as u64 + 1;
        let batch = (first..first + size).map(|seq| {
            let actor = (seq % 3 > 0).then(|| format!("actor {seq}"));
            linked(
                1,
                seq,
                Columns { actor, elapsed_us: seq, ..columns(seq, "read", &format!("secret/data/{seq}")) },
            )
        });
        let batch: Vec<_> = batch.collect();
        commit(store, |b| batch.iter().for_each(|record| b.audit(record.clone()))).await.unwrap();
        sent.extend(batch);
    }
    let expect: Vec<AuditRow> = sent.iter().map(AuditRow::of).collect();
    assert_eq!(store.read(CHAIN, 0, sent.len() + 1).await.unwrap(), expect);
}

/// `read` answers one chain in sequence, from a number on, at most so many.
pub async fn read_walks_one_chain(store: &Shared) {
    append(store, 2, 1, plain(0..20)).await;
    append(store, 1, 1, plain(0..5)).await;
    append(store, 3, 1, plain(0..5)).await;
    assert_eq!(read(store, 2, 0, 3).await, [1, 2, 3]);
    assert_eq!(read(store, 2, 4, 3).await, [4, 5, 6]);
    assert_eq!(read(store, 2, 19, 100).await, [19, 20]);
    assert_eq!(read(store, 2, 21, 100).await, [0; 0]);
    assert_eq!(read(store, 9, 0, 100).await, [0; 0]);
    let many = limits::AUDIT_PAGE_MAX as u64 + 2;
    append(store, 4, 1, plain(0..many)).await;
    assert_eq!(read(store, 4, 0, usize::MAX).await.len(), limits::AUDIT_PAGE_MAX);
}

/// Every page of a search.
async fn search_pages(store: &Shared, query: &AuditQuery, limit: usize) -> Vec<Vec<(u8, u64)>> {
    let (mut pages, mut after): (_, Option<Cursor>) = (Vec::new(), None);
    loop {
        let AuditPage { rows, next } = store.search(query, after, limit).await.unwrap();
        assert!(rows.len() <= limit && rows.iter().all(|row| after.is_none_or(|after| row.cursor() < after)));
        pages.push(places(&rows));
        match next {
            Some(next) => after = Some(next),
            None => return pages,
        }
    }
}

/// A search answers newest first, in pages that meet though rows arrive meanwhile.
pub async fn search_is_newest_first(store: &Shared) {
    append(store, 1, 1, plain(100..105)).await;
    append(store, 2, 1, plain(102..107)).await;
    let expect = [(2, 5), (2, 4), (2, 3), (1, 5), (2, 2), (1, 4), (2, 1), (1, 3), (1, 2), (1, 1)];
    for limit in [1, 2, 3, 10, 11] {
        let pages = search_pages(store, &AuditQuery::default(), limit).await;
        assert_eq!(pages.concat(), expect, "pages of {limit}");
    }
    let first = store.search(&AuditQuery::default(), None, 4).await.unwrap();
    append(store, 3, 1, plain(500..502)).await;
    let rest = store.search(&AuditQuery::default(), first.next, 100).await.unwrap();
    assert_eq!(places(&rest.rows), expect[4..], "newer rows do not shift later pages");
}

/// Rows of the same microsecond are ordered by chain and then number, and no page loses one.
pub async fn search_breaks_ties(store: &Shared) {
    for chain in [2, 1, 3] {
        append(store, chain, 1, (0..3).map(|_| columns(7, "read", "p"))).await;
    }
    let expect = [(3, 3), (3, 2), (3, 1), (2, 3), (2, 2), (2, 1), (1, 3), (1, 2), (1, 1)];
    for limit in [1, 2, 4, 9] {
        let pages = search_pages(store, &AuditQuery::default(), limit).await;
        assert_eq!(pages.concat(), expect, "pages of {limit}");
    }
}

/// Each filter alone, and all that are set together.
pub async fn search_filters(store: &Shared) {
    let text = |text: &str| Some(text.to_owned());
    let row = |n: u64, operation: &str, path: &str| columns(n, operation, path);
    append(
        store,
        1,
        1,
        [
            Columns { actor: text("ann"), ..row(1, "read", "secret/data/a") },
            Columns { actor: text("bob"), status: Status::Failure, ..row(2, "update", "secret/data/a/b") },
            Columns { actor: text("ann"), secret_id: text("s-1"), ..row(3, "update", "sys/mounts") },
            Columns { actor: text("Ann"), ..row(4, "list", "secret/dat") },
        ],
    )
    .await;
    let check = async |query: AuditQuery, expect: &[u64]| {
        let found: Vec<u64> = search(store, query.clone()).await.iter().map(|(_, seq)| *seq).collect();
        assert_eq!(found, expect, "{query:?}");
    };
    let any = AuditQuery::default;
    let at = |n: u64| Some(columns(n, "", "").timestamp);
    check(any(), &[4, 3, 2, 1]).await;
    check(AuditQuery { from: at(2), ..any() }, &[4, 3, 2]).await;
    check(AuditQuery { to: at(3), ..any() }, &[2, 1]).await;
    check(AuditQuery { from: at(2), to: at(3), ..any() }, &[2]).await;
    check(AuditQuery { actor: text("ann"), ..any() }, &[3, 1]).await;
    check(AuditQuery { actor: text("ann' OR 1=1 --"), ..any() }, &[]).await;
    check(AuditQuery { path: text("secret/data/"), ..any() }, &[2, 1]).await;
    check(AuditQuery { path: text("secret/dat"), ..any() }, &[4, 2, 1]).await;
    check(AuditQuery { path: text("secret/%"), ..any() }, &[]).await;
    check(AuditQuery { path: text(""), ..any() }, &[4, 3, 2, 1]).await;
    check(AuditQuery { operation: text("update"), ..any() }, &[3, 2]).await;
    check(AuditQuery { status: Some(Status::Failure), ..any() }, &[2]).await;
    check(AuditQuery { status: Some(Status::Success), ..any() }, &[4, 3, 1]).await;
    check(AuditQuery { secret_id: text("s-1"), ..any() }, &[3]).await;
    check(AuditQuery { request_id: text("r-2"), ..any() }, &[2]).await;
    check(AuditQuery { actor: text("ann"), operation: text("update"), ..any() }, &[3]).await;
    check(AuditQuery { actor: text("bob"), operation: text("read"), ..any() }, &[]).await;
}

/// Every chain is named once with what is left of it.
pub async fn heads_name_first_and_last(store: &Shared) {
    append(store, 2, 5, plain(0..3)).await;
    append(store, 1, 1, plain(0..9)).await;
    append(store, 2, 8, plain(3..5)).await;
    let mut heads = store.heads().await.unwrap();
    heads.sort_by_key(|head| head.chain);
    let head = |chain: u8, first, last| Head { chain: BootId([chain; 16]), first, last };
    assert_eq!(heads, [head(1, 1, 9), head(2, 5, 9)]);
    store.prune(CHAIN, 4, 100).await.unwrap();
    assert!(store.heads().await.unwrap().contains(&head(1, 4, 9)));
    store.prune(CHAIN, 100, 100).await.unwrap();
    assert_eq!(store.heads().await.unwrap(), [head(2, 5, 9)]);
}

/// Prune takes the oldest rows of one chain below a number, at most so many, and touches nothing else.
pub async fn prune_takes_the_oldest(store: &Shared) {
    given(store, &["a"]).await;
    append(store, 1, 1, plain(0..10)).await;
    append(store, 2, 1, plain(0..3)).await;
    assert_eq!(store.prune(CHAIN, 6, 2).await.unwrap(), 2);
    assert_eq!(read(store, 1, 0, 100).await, [3, 4, 5, 6, 7, 8, 9, 10]);
    assert_eq!(store.prune(CHAIN, 6, 100).await.unwrap(), 3);
    assert_eq!(store.prune(CHAIN, 6, 100).await.unwrap(), 0);
    assert_eq!(read(store, 1, 0, 100).await, [6, 7, 8, 9, 10]);
    assert_eq!(read(store, 2, 0, 100).await, [1, 2, 3]);
    assert_eq!(search(store, AuditQuery::default()).await.len(), 8);
    assert_eq!(store.scan(all(), Limit::entries(5)).await.unwrap().len(), 1);
}
