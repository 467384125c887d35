//! What is PostgreSQL's own: roles, versions of the tables, partitions, poolers, TLS, and how often a question travels.

use crate::support::{self, Database};
use secrethub_core::{
    audit::AuditQuery,
    id::{BootId, Timestamp},
    store::{AuditLog, Batch, Key, Limit, Op, Range, Sealed, Store},
    testing::store::{CASES, Shared, columns, linked, rev},
};
use secrethub_store_sql::postgres::{OpenError, Options, Postgres};
use secrethub_testkit::{Bouncer, Cluster, Proxy, Setup};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

async fn sql(url: &str, text: &str) -> Result<Vec<sqlx::postgres::PgRow>, sqlx::Error> {
    let mut db = PgConnection::connect(url).await?;
    sqlx::raw_sql(AssertSqlSafe(text.to_owned())).fetch_all(&mut db).await
}

async fn texts(url: &str, text: &str) -> Vec<String> {
    sql(url, text).await.unwrap().iter().map(|row| row.get(0)).collect()
}

fn batch(name: &str, seq: u64) -> Batch {
    let mut batch = Batch::new(rev());
    batch.stage(Key::new(name).unwrap(), Op::Create(Sealed::from_stored(vec![1; 100]))).unwrap();
    batch.audit(linked(1, seq, columns(seq, "update", name)));
    batch
}

#[test]
fn a_question_is_one_round_trip() {
    support::block_on(async {
        let cluster = Cluster::own(&Setup::default());
        let proxy = Proxy::to_port(cluster.port());
        let url = format!("postgres://vault:vault@127.0.0.1:{}/postgres?sslmode=disable", proxy.port());
        let store = Postgres::open(&url, Options { connections: 1, ..Options::default() }).await.unwrap();
        let keys = [Key::new("a").unwrap(), Key::new("b").unwrap()];
        let mut before = proxy.turns();
        let mut took = |what: &str, most: u64| {
            let now = proxy.turns();
            assert_eq!(now - before, most, "round trips of {what}");
            before = now;
        };
        store.get(&keys).await.unwrap();
        took("get", 1);
        store.commit(&batch("a", 1)).await.unwrap();
        took("a commit", 1);
        let mut all = batch("b", 2);
        let read = store.get(&keys).await.unwrap().remove(0).unwrap();
        took("get again", 1);
        all.guard(&read).unwrap();
        all.put(Key::new("c").unwrap(), Sealed::from_stored(vec![3])).unwrap();
        store.commit(&all).await.unwrap();
        took("a commit with a guard and records", 1);
        store.commit(&batch("a", 3)).await.unwrap_err();
        took("a conflict", 1);
        store.scan(Range::prefix(""), Limit::entries(10)).await.unwrap();
        took("a page", 1);
        store.search(&AuditQuery::default(), None, 10).await.unwrap();
        took("a search", 1);
    });
}

/// The statements of docs/postgresql.md, too.
const ROLE: &str = include_str!("../../src/postgres/node_role.sql");

#[test]
fn a_node_needs_no_table_of_its_own() {
    support::block_on(async {
        let documented = include_str!("../../../docs/postgresql.md");
        ROLE.lines()
            .skip(1)
            .for_each(|line| assert!(documented.contains(line), "docs/postgresql.md lacks {line}"));
        let cluster = Cluster::own(&Setup::default());
        let owner = cluster.url("postgres");
        drop(Postgres::open(&owner, Options::default()).await.unwrap());
        sql(&owner, &ROLE.replace("'a long password'", "'vault'")).await.unwrap();
        let node = owner.replace("vault:vault", "secrethub_node:vault");
        let store = Postgres::open(&node, Options::default()).await.unwrap();
        store.commit(&batch("a", 1)).await.unwrap();
        assert!(store.get(&[Key::new("a").unwrap()]).await.unwrap()[0].is_some());
        store.snapshot().await.unwrap().next_page(Limit::entries(1)).await.unwrap();
        assert_eq!(store.prune(BootId([1; 16]), 5, 10).await.unwrap(), 1);
        for forbidden in [
            "UPDATE audit_logs SET status = 'success'",
            "TRUNCATE audit_logs",
            "DROP TABLE kv",
            "ALTER TABLE kv ADD COLUMN x int",
            "CREATE TABLE mine (x int)",
            "UPDATE secrethub_schema SET version = 9",
        ] {
            let error = sql(&node, forbidden).await.unwrap_err();
            let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default();
            assert_eq!(code, "42501", "{forbidden}: {error}");
        }
        // Tables that a node may not make are asked for in words.
        sql(&owner, "CREATE DATABASE empty").await.unwrap();
        let refused =
            Postgres::open(&node.replace("/postgres", "/empty"), Options::default()).await.unwrap_err();
        assert!(refused.to_string().contains("docs/postgresql.md"), "{refused}");
    });
}

#[test]
fn tables_of_a_later_version_are_refused_unless_they_say_otherwise() {
    support::block_on(async {
        let database = Database::create("later").await;
        drop(Postgres::open(&database.url, Options::default()).await.unwrap());
        let later = "INSERT INTO secrethub_schema (version, usable_from) VALUES (1000, 1)";
        sql(&database.url, later).await.unwrap();
        Postgres::open(&database.url, Options::default()).await.unwrap();
        sql(&database.url, "UPDATE secrethub_schema SET usable_from = 999 WHERE version = 1000")
            .await
            .unwrap();
        let refused = Postgres::open(&database.url, Options::default()).await.unwrap_err();
        assert!(matches!(&refused, OpenError::Refused(what) if what.contains("newer program")), "{refused}");
        database.remove().await;
    });
}

#[test]
fn what_is_only_read_is_not_changed() {
    support::block_on(async {
        let database = Database::create("only").await;
        let only = Options { read_only: true, ..Options::default() };
        let refused = Postgres::open(&database.url, only).await.unwrap_err();
        assert!(refused.to_string().contains("no SecretHub store"), "{refused}");
        drop(Postgres::open(&database.url, Options::default()).await.unwrap());
        let store = Postgres::open(&database.url, only).await.unwrap();
        store.commit(&batch("a", 1)).await.unwrap_err();
        store.prune(BootId([1; 16]), 5, 10).await.unwrap_err();
        assert_eq!(store.heads().await.unwrap(), []);
        database.remove().await;
    });
}

/// No server tells how large its disk is; its operator may say what the database was given.
#[test]
fn room_is_what_the_operator_says_less_what_the_database_takes() {
    support::block_on(async {
        let database = Database::create("room").await;
        let open =
            async |room| Postgres::open(&database.url, Options { room, ..Options::default() }).await.unwrap();
        assert_eq!(open(None).await.room().await.unwrap(), None);
        let total = 1 << 40;
        let store = open(Some(total)).await;
        let before = store.room().await.unwrap().unwrap();
        assert!(before.total == total && before.free < total, "{before:?}");
        let mut large = Batch::new(rev());
        // Compression is for repetitions; these have none.
        let bytes = (0..1_u32 << 18).flat_map(|n| n.wrapping_mul(2_654_435_769).to_be_bytes()).collect();
        large.put(Key::new("a").unwrap(), Sealed::from_stored(bytes)).unwrap();
        store.commit(&large).await.unwrap();
        let after = store.room().await.unwrap().unwrap();
        assert!(before.free > after.free + (1 << 19), "{before:?} {after:?}");
        assert_eq!(open(Some(1)).await.room().await.unwrap().unwrap().free, 0, "never less than nothing");
        database.remove().await;
    });
}

#[test]
fn months_are_made_ahead_and_dropped_when_they_are_past_and_empty() {
    support::block_on(async {
        let database = Database::create("months").await;
        let url = &database.url;
        let store = Postgres::open(url, Options::default()).await.unwrap();
        let months =
            "SELECT relid::regclass::text FROM pg_partition_tree('audit_logs') WHERE isleaf ORDER BY 1";
        let made = texts(url, months).await;
        assert_eq!(made.len(), 5, "this month, three ahead, and the default: {made:?}");
        // A month past, with one record; and a record of a time that no month was made for.
        let past = "CREATE TABLE audit_logs_y2020m05 (LIKE audit_logs INCLUDING ALL);
            ALTER TABLE audit_logs ATTACH PARTITION audit_logs_y2020m05
            FOR VALUES FROM ('2020-05-01Z') TO ('2020-06-01Z')";
        sql(url, past).await.unwrap();
        let at = |text: &str| Timestamp::from_rfc3339(text).unwrap();
        let mut both = Batch::new(rev());
        for (seq, time) in [(1, "2020-05-31T23:59:59.999999Z"), (2, "2031-01-01T00:00:00.000001Z")] {
            let columns = secrethub_core::audit::Columns { timestamp: at(time), ..columns(0, "read", "a") };
            both.audit(linked(1, seq, columns));
        }
        store.commit(&both).await.unwrap();
        assert_eq!(texts(url, "SELECT seq::text FROM audit_logs_y2020m05").await, ["1"]);
        assert_eq!(texts(url, "SELECT seq::text FROM audit_logs_default").await, ["2"]);
        let upkeep = "SELECT ''::text FROM (SELECT secrethub_upkeep(3)) AS done";
        sql(url, upkeep).await.unwrap();
        assert_eq!(texts(url, months).await.len(), 6, "a month with records stays");
        assert_eq!(store.prune(BootId([1; 16]), 2, 10).await.unwrap(), 1);
        sql(url, upkeep).await.unwrap();
        assert_eq!(texts(url, months).await, made, "a month without is dropped");
        // What operators ask in the database's own shell.
        let ask = "SELECT operation FROM audit_logs WHERE timestamp > '2030-01-01' AND status = 'success'
            AND secret_id IS NULL AND client_ip IS NULL";
        assert_eq!(texts(url, ask).await, ["read"]);
        database.remove().await;
    });
}

#[test]
fn commits_wait_for_the_disk_whatever_the_role_has_set() {
    support::block_on(async {
        let database = Database::create("pinned").await;
        let url = &database.url;
        drop(Postgres::open(url, Options::default()).await.unwrap());
        let spy = "CREATE TABLE seen (setting text);
            CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;
            CREATE TRIGGER spy AFTER INSERT ON kv FOR EACH ROW EXECUTE FUNCTION spy()";
        sql(url, spy).await.unwrap();
        let lax = format!("{url}&options[synchronous_commit]=off");
        let store = Postgres::open(&lax, Options::default()).await.unwrap();
        store.commit(&batch("a", 1)).await.unwrap();
        assert_eq!(texts(url, "SELECT setting FROM seen").await, ["on"]);
        database.remove().await;
    });
}

#[test]
fn text_of_any_kind_arrives_as_it_was_sent() {
    support::block_on(async {
        let database = Database::create("text").await;
        // The older of the two ways to read a literal must make no difference.
        let url = format!("{}&options[standard_conforming_strings]=off", database.url);
        let store = Postgres::open(&url, Options::default()).await.unwrap();
        let odd = [
            "'",
            "\\",
            "\"",
            "\\'",
            "{a,b}",
            "NULL",
            "$1",
            "';DROP TABLE kv;--",
            "\u{10FFFF}\u{E000}é",
            "a\nb\t",
        ];
        let mut sent = Batch::new(rev());
        for (seq, text) in (1..).zip(odd) {
            let columns =
                secrethub_core::audit::Columns { actor: Some(text.into()), ..columns(seq, text, text) };
            sent.audit(linked(1, seq, columns));
            if !text.contains('\n') {
                let key = Key::new(format!("odd/{text}")).unwrap();
                sent.put(key, Sealed::from_stored(text.into())).unwrap();
            }
        }
        store.commit(&sent).await.unwrap();
        let rows = store.read(BootId([1; 16]), 0, 100).await.unwrap();
        let found: Vec<&str> = rows.iter().map(|row| row.columns.path.as_str()).collect();
        assert_eq!(found, odd);
        for text in odd {
            let query = AuditQuery { actor: Some(text.to_owned()), ..AuditQuery::default() };
            assert_eq!(store.search(&query, None, 10).await.unwrap().rows.len(), 1, "{text}");
            if let Ok(key) = Key::new(format!("odd/{text}")) {
                let entry = store.get(&[key]).await.unwrap().remove(0).unwrap();
                assert_eq!(entry.value.as_bytes(), text.as_bytes());
            }
        }
        database.remove().await;
    });
}

/// The whole battery through a pooler that shares its connections by the transaction.
#[test]
fn behind_a_pooler() {
    support::block_on(async {
        let cluster = Cluster::own(&Setup::default());
        let bouncer = Bouncer::start(&cluster);
        let url = bouncer.url("postgres");
        for (name, case) in CASES {
            let store: Shared = Postgres::open(&url, Options::default())
                .await
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            case(&store).await;
            sql(&cluster.url("postgres"), "TRUNCATE kv, audit_logs").await.unwrap();
        }
    });
}

/// The battery would notice: without the row lock a race loses an increment, and without the guard's two writers who each
/// looked at what the other changed are both believed.
#[test]
fn without_its_locks_the_battery_is_red() {
    let red = |lock: &str, name: &str| {
        support::block_on(async {
            let database = Database::create("mutant").await;
            let store: Shared = Postgres::open(&database.url, Options::default()).await.unwrap();
            let body = texts(&database.url, "SELECT pg_get_functiondef('secrethub_commit'::regproc)")
                .await
                .remove(0);
            assert!(body.contains(lock));
            sql(&database.url, &body.replace(lock, "")).await.unwrap();
            let case = CASES.iter().find(|(known, _)| *known == name).expect("a case of the battery").1;
            let mut is_red = false;
            for _ in 0..5 {
                is_red |= futures::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(case(&store)))
                    .await
                    .is_err();
                sql(&database.url, "TRUNCATE kv, audit_logs").await.unwrap();
            }
            database.remove().await;
            assert!(is_red, "{name} without {lock}");
        });
    };
    red("FOR UPDATE OF kv", "counter_sums_up");
    red("FOR SHARE OF kv", "no_write_skew");
}
