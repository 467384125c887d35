//! From a URL to a store: settings of the driver, the server's kind, collections and indexes.

use crate::{
    Barrier, Mongo, Place,
    document::number,
    error::{INDEX_CONFLICTS, NAMESPACE_EXISTS, UNAUTHORIZED, bounded, code, told},
    read, rows,
};
use futures::TryStreamExt;
use mongodb::{
    Client, Database, IndexModel,
    bson::{Document, doc},
    error::{Error, ErrorKind},
    options::{
        Acknowledgment, ClientOptions, DatabaseOptions, IndexOptions, ReadPreference, SelectionCriteria,
        WriteConcern,
    },
};
use secrethub_core::{error::BoxError, limits::REQUEST_DEADLINE, store::StoreError};
use std::{borrow::Cow, sync::Arc, time::Duration};

/// The database where the URL names none: the first seed's.
const DATABASE: &str = "vault";
/// How long a request waits for a server that takes writes, unless the URL says otherwise; the first seed's number.
const SELECTION_MAX: Duration = Duration::from_secs(5);
/// How much later than retention the server's own clean-up comes: the prune job, which leaves a signed note, is first.
const BACKSTOP: Duration = Duration::from_secs(24 * 3_600);
/// MongoDB 5.0: reads at a given time outside of a transaction.
const WIRE_VERSION_MIN: u64 = 13;
const KV: &str = "kv";
const AUDIT: &str = rows::COLLECTION;
/// The first seed's collection beside its `audit_logs`.
pub(crate) const SECRETS: &str = "secrets";
const NEWEST_INDEX: &str = "secrethub_newest";
const TTL_INDEX: &str = "secrethub_ttl";

/// What a server without a replica set is answered with.
pub(crate) const STANDALONE: &str = "this MongoDB server is a standalone, which has no transactions. Convert it to a \
     replica set of one node, its data stays: (1) restart it with `mongod --replSet rs0` and its other options, (2) run \
     `mongosh --eval 'rs.initiate()'` once";

/// How a store is opened, beside its URL.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Connections to one server at most; `None` is what the URL says, or the driver's own choice.
    pub connections: Option<u32>,
    /// Only to read: nothing is made, and commits are refused.
    pub read_only: bool,
    /// How long audit records are kept; `None` for ever. The server removes what is a day older.
    pub audit_ttl: Option<Duration>,
}

/// A store that was not opened. None repeats the URL, which may hold a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The servers do not answer, or there is no primary yet: worth another try.
    #[error(transparent)]
    Unreachable(BoxError),
    /// Waiting will not help; the text says what would.
    #[error("{0}")]
    Refused(Cow<'static, str>),
}

impl From<Error> for OpenError {
    fn from(error: Error) -> Self {
        match *error.kind {
            ErrorKind::Authentication { .. } | ErrorKind::InvalidTlsConfig { .. } => {
                Self::Refused(told(&error).into())
            }
            _ if code(&error) == Some(UNAUTHORIZED) => Self::Refused(told(&error).into()),
            _ => Self::Unreachable(told(&error).into()),
        }
    }
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable { source, .. } => Self::Unreachable(source),
            other => Self::Refused(other.to_string().into()),
        }
    }
}

pub(crate) fn refuse_text(what: String) -> OpenError {
    OpenError::Refused(what.into())
}

fn refuse(what: &'static str) -> OpenError {
    OpenError::Refused(Cow::Borrowed(what))
}

impl Mongo {
    /// Connects to `mongodb://user:password@host,host/database` or `mongodb+srv://…`, and makes collections and indexes
    /// that are missing. A standalone server is opened for reading if it holds data of the first seed, else refused.
    ///
    /// # Errors
    /// [`OpenError`], whose message says what to do.
    pub async fn open(url: &str, options: Options) -> Result<Arc<Self>, OpenError> {
        let driver = driver_options(url, options.connections).await?;
        let name = driver.default_database.clone().unwrap_or_else(|| DATABASE.to_owned());
        let client = Client::with_options(driver).map_err(|_| refuse(BAD_URL))?;
        let database = durable(&client, &name);
        let server = in_time(server_of(&database)).await?;
        let (kv, audit) = (database.collection(KV), database.collection(AUDIT));
        let place = Place {
            client,
            database,
            kv,
            audit,
            barrier: Barrier::default(),
            server,
            read_only: options.read_only,
        };
        if server == Server::ReplicaSet {
            if !options.read_only {
                in_time(make_collections(&place.database)).await?;
                in_time(make_indexes(&place, options.audit_ttl)).await?;
            }
            // What a look-alike cannot do must be found out now, and not by a caller.
            bounded(read::get(&place, &[])).await?;
        }
        Ok(Arc::new(Self(Arc::new(place))))
    }
}

/// What kind of server answered, among those that are not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    ReplicaSet,
    /// One that holds the first seed's data, which can be read and taken over.
    Standalone,
}

const BAD_URL: &str = "the URL is not one of MongoDB's: it reads mongodb://user:password@host:port/database?replicaSet=…, \
     and a reserved character in user or password is written as %XX";

/// The driver's own words about the URL are left out: they may quote a password that was not encoded.
pub(crate) async fn driver_options(url: &str, connections: Option<u32>) -> Result<ClientOptions, OpenError> {
    let mut options = ClientOptions::parse(url).await.map_err(|error| match *error.kind {
        ErrorKind::DnsResolve { .. } => OpenError::Unreachable(told(&error).into()),
        _ => refuse(BAD_URL),
    })?;
    if matches!(options.default_database.as_deref(), Some("admin" | "local" | "config")) {
        return Err(refuse(
            "the URL names one of the server's own databases: name another, as in /vault?authSource=admin",
        ));
    }
    options.app_name.get_or_insert_with(|| "secrethub".to_owned());
    options.server_selection_timeout.get_or_insert(SELECTION_MAX);
    options.max_pool_size = connections.or(options.max_pool_size);
    // Whatever the URL says: nobody but the primary knows what is committed.
    options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
    Ok(options)
}

/// The database, with every write outside of a batch as durable as a batch.
fn durable(client: &Client, name: &str) -> Database {
    let concern = WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build();
    client.database_with_options(name, DatabaseOptions::builder().write_concern(concern).build())
}

pub(crate) async fn in_time<T>(work: impl Future<Output = Result<T, OpenError>>) -> Result<T, OpenError> {
    let late = |_| Err(OpenError::Unreachable("no answer within the time limit".into()));
    tokio::time::timeout(REQUEST_DEADLINE, work).await.unwrap_or_else(late)
}

/// Refuses what cannot keep the contract.
async fn server_of(database: &Database) -> Result<Server, OpenError> {
    let hello = database.run_command(doc! { "hello": 1 }).await?;
    if number(&hello, "maxWireVersion").unwrap_or(0) < WIRE_VERSION_MIN {
        return Err(refuse("this server is older than MongoDB 5.0, the first that can be used"));
    }
    if hello.get_str("msg").is_ok_and(|kind| kind == "isdbgrid") {
        return Err(refuse(
            "this is a router of a sharded cluster: name the servers of a replica set instead",
        ));
    }
    if hello.contains_key("setName") {
        return Ok(Server::ReplicaSet);
    }
    let names = database.list_collection_names().await?;
    if names.iter().any(|name| name == SECRETS || name == AUDIT) {
        tracing::warn!("{STANDALONE}. Until then its data can only be read");
        return Ok(Server::Standalone);
    }
    Err(refuse(STANDALONE))
}

/// Before any transaction needs them. Nodes that start together make them once.
async fn make_collections(database: &Database) -> Result<(), OpenError> {
    for name in [KV, AUDIT] {
        match database.create_collection(name).await {
            Err(error) if code(&error) != Some(NAMESPACE_EXISTS) => return Err(error.into()),
            _ => {}
        }
    }
    let mut found = database.list_collections().filter(doc! { "name": KV }).await?;
    while let Some(collection) = found.try_next().await? {
        if collection.options.collation.is_some() {
            return Err(refuse(
                "the collection kv has a collation, and keys are ordered by their bytes: name another database",
            ));
        }
    }
    Ok(())
}

/// The order of a search; and where audit records end, the server's own clean-up.
async fn make_indexes(store: &Place, audit_ttl: Option<Duration>) -> Result<(), OpenError> {
    let options =
        IndexOptions::builder().name(NEWEST_INDEX.to_owned()).partial_filter_expression(rows::ours()).build();
    make_index(store, rows::newest_first(), options).await?;
    match audit_ttl {
        Some(ttl) => keep_for(store, ttl + BACKSTOP).await,
        None => keep_for_ever(store).await,
    }
}

async fn make_index(store: &Place, keys: Document, options: IndexOptions) -> mongodb::error::Result<()> {
    store.audit.create_index(IndexModel::builder().keys(keys).options(options).build()).await.map(drop)
}

/// An index of another key pattern than the first seed's, whose two on `ts` contradict each other.
async fn keep_for(store: &Place, ttl: Duration) -> Result<(), OpenError> {
    let options = IndexOptions::builder()
        .name(TTL_INDEX.to_owned())
        .expire_after(ttl)
        .partial_filter_expression(rows::ours())
        .build();
    match make_index(store, doc! { "timestamp": 1 }, options).await {
        Err(error) if code(&error).is_some_and(|code| INDEX_CONFLICTS.contains(&code)) => {
            let seconds = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX);
            let index = doc! { "name": TTL_INDEX, "expireAfterSeconds": seconds };
            let changed = store.database.run_command(doc! { "collMod": AUDIT, "index": index }).await;
            Ok(changed.map(drop)?)
        }
        made => Ok(made?),
    }
}

async fn keep_for_ever(store: &Place) -> Result<(), OpenError> {
    let names = store.audit.list_index_names().await?;
    if names.iter().any(|name| name == TTL_INDEX) {
        store.audit.drop_index(TTL_INDEX).await?;
    }
    Ok(())
}
