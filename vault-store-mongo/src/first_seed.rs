//! [`Documents`]: the first seed's database, read and never changed: `secrets` and its rows in `audit_logs`, under the names
//! that its code writes and under those that its README promises. A standalone server will do, and any version that the
//! driver knows: a plain read is all that is asked of it.

use crate::{
    error::{bounded, refused},
    open::{OpenError, SECRETS, driver_options, in_time, refuse_text},
    rows,
};
use async_trait::async_trait;
use futures::{Stream, StreamExt, TryStreamExt};
use mongodb::{
    Client, Collection, Database,
    bson::{Bson, Document, doc},
};
use secrethub_core::{first_seed::FirstSeed, id::Timestamp, limits::REQUEST_DEADLINE, store::StoreError};
use std::{fmt, sync::Arc};

/// Where the first seed keeps everything, whatever its URL says.
const DATABASE: &str = "vault";
/// The longest text of an old record that is told whole; the first seed's errors have at most 300 characters.
const TEXT_BYTES_MAX: usize = 32 * 1024;

/// The first seed's collections.
pub struct Documents {
    secrets: Collection<Document>,
    records: Collection<Document>,
}

/// A document of `secrets`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldSecret {
    /// Its id.
    pub id: String,
    /// Base64 of nonce, ciphertext and tag.
    pub ciphertext: String,
    /// When it was stored, if the document says so.
    pub created: Option<Timestamp>,
}

/// A document of `audit_logs`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OldRecord {
    /// Its `_id`, as text.
    pub id: String,
    /// When it happened.
    pub timestamp: Timestamp,
    /// `create`, `fetch`.
    pub operation: String,
    /// `success`, `error`, `not_found`, `bad_request`, as it stands there.
    pub status: String,
    /// The secret's id.
    pub secret_id: Option<String>,
    /// The client's address, as the client itself may have claimed it.
    pub client_ip: Option<String>,
    /// What the client called itself.
    pub user_agent: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
    /// Whatever else the document holds, as the driver writes it: JSON but for dates and ids.
    pub extra: Option<String>,
}

/// A document that cannot be taken over, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its `_id`, as text.
    pub id: String,
    /// What is wrong with it; nothing of its content.
    pub why: &'static str,
}

impl Documents {
    /// The documents in the database that a URL names, `vault` where it names none.
    ///
    /// # Errors
    /// [`OpenError`], also where nothing of the first seed is there.
    pub async fn open(url: &str) -> Result<Arc<Self>, OpenError> {
        let database = database(url).await?;
        let found = Self::find(&database).await?;
        found.map(Arc::new).ok_or_else(|| {
            refuse_text(format!(
                "the database {:?} holds neither `secrets` nor `audit_logs` of the first seed, which kept them in \
                 {DATABASE:?} whatever its URL said",
                database.name()
            ))
        })
    }

    /// The same; `None` where there are no secrets to take over.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open_if_there(url: &str) -> Result<Option<Arc<Self>>, OpenError> {
        let database = database(url).await?;
        let names = in_time(async { Ok(database.list_collection_names().await?) }).await?;
        let found = names.iter().any(|name| name == SECRETS);
        Ok(found.then(|| Arc::new(Self::of(&database))))
    }

    async fn find(database: &Database) -> Result<Option<Self>, OpenError> {
        let documents = Self::of(database);
        let filter = rows::theirs();
        let found = in_time(async {
            let secret = documents.secrets.find_one(doc! {}).await?;
            Ok(secret.or(documents.records.find_one(filter).await?))
        });
        Ok(found.await?.map(|_| documents))
    }

    fn of(database: &Database) -> Self {
        Self { secrets: database.collection(SECRETS), records: database.collection(rows::COLLECTION) }
    }

    /// How many documents there are: secrets, and audit records.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn count(&self) -> Result<[u64; 2], StoreError> {
        bounded(async {
            let secrets = self.secrets.count_documents(doc! {}).await.map_err(refused)?;
            let records = self.records.count_documents(rows::theirs()).await.map_err(refused)?;
            Ok([secrets, records])
        })
        .await
    }

    /// Every secret, in the server's own order.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], and so within the stream.
    pub async fn secrets(
        &self,
    ) -> Result<
        impl Stream<Item = Result<Result<OldSecret, Unreadable>, StoreError>> + Send + use<>,
        StoreError,
    > {
        let found = self.secrets.find(doc! {}).await.map_err(refused)?;
        Ok(found.map(|document| document.map(|document| secret_of(&document)).map_err(refused)))
    }

    /// Every audit record of the first seed, in the server's own order; ours in the same collection are left out.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], and so within the stream.
    pub async fn records(
        &self,
    ) -> Result<
        impl Stream<Item = Result<Result<OldRecord, Unreadable>, StoreError>> + Send + use<>,
        StoreError,
    > {
        let found = self.records.find(rows::theirs()).await.map_err(refused)?;
        Ok(found.map(|document| document.map(record_of).map_err(refused)))
    }
}

async fn database(url: &str) -> Result<Database, OpenError> {
    let driver = driver_options(url, None).await?;
    let name = driver.default_database.clone().unwrap_or_else(|| DATABASE.to_owned());
    let client = Client::with_options(driver).map_err(|error| refuse_text(crate::error::told(&error)))?;
    Ok(client.database(&name))
}

#[async_trait]
impl FirstSeed for Documents {
    async fn ciphertext(&self, id: &str) -> Result<Option<String>, StoreError> {
        let find = self.secrets.find_one(doc! { "_id": id }).max_time(REQUEST_DEADLINE);
        let found = bounded(async { find.await.map_err(refused) }).await?;
        // What is there and cannot be read does not open either, and is named then.
        Ok(found.map(|document| ciphertext_of(&document).unwrap_or_default().to_owned()))
    }

    async fn sample(&self, most: usize) -> Result<Vec<String>, StoreError> {
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        let find = self.secrets.find(doc! {}).limit(limit).max_time(REQUEST_DEADLINE);
        let found = async { find.await?.try_collect::<Vec<Document>>().await };
        let found = bounded(async { found.await.map_err(refused) }).await?;
        Ok(found.iter().filter_map(ciphertext_of).map(str::to_owned).collect())
    }
}

impl fmt::Debug for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The client's options hold the password.
        f.debug_struct("Documents").field("secrets", &self.secrets.namespace()).finish_non_exhaustive()
    }
}

fn ciphertext_of(document: &Document) -> Option<&str> {
    first(document, &["ciphertext", "data"])?.as_str()
}

fn secret_of(document: &Document) -> Result<OldSecret, Unreadable> {
    let id = id_of(document);
    let unreadable = |why| Unreadable { id: id.clone(), why };
    if !matches!(document.get("_id"), Some(Bson::String(_))) {
        return Err(unreadable("its _id is no text"));
    }
    let ciphertext =
        ciphertext_of(document).ok_or_else(|| unreadable("it has no text `ciphertext` or `data`"))?;
    let created = first(document, &["created_at", "ts"]).and_then(time_of);
    Ok(OldSecret { id: id.clone(), ciphertext: ciphertext.to_owned(), created })
}

fn record_of(mut document: Document) -> Result<OldRecord, Unreadable> {
    let id = id_of(&document);
    let unreadable = |why| Unreadable { id: id.clone(), why };
    document.remove("_id");
    let timestamp = take(&mut document, &["ts", "timestamp"]);
    let timestamp = timestamp
        .as_ref()
        .and_then(time_of)
        .ok_or_else(|| unreadable("it has no date `ts` or `timestamp`"))?;
    let mut text = |names: &[&str]| take(&mut document, names).and_then(text_of);
    let operation =
        text(&["action", "operation"]).ok_or_else(|| unreadable("it has no `action` or `operation`"))?;
    let status = text(&["status"]).ok_or_else(|| unreadable("it has no `status`"))?;
    let mut record = OldRecord {
        id: id.clone(),
        timestamp,
        operation,
        status,
        secret_id: text(&["secret_id"]),
        client_ip: text(&["ip", "client_ip"]),
        user_agent: text(&["ua", "user_agent"]),
        error: text(&["error"]),
        extra: None,
    };
    let extra = match (document.remove("extra"), document.is_empty()) {
        (None | Some(Bson::Null), true) => None,
        (Some(extra), true) => text_of(extra),
        (extra, false) => {
            document.extend(extra.map(|extra| ("extra".to_owned(), extra)));
            text_of(Bson::Document(document))
        }
    };
    record.extra = extra;
    Ok(record)
}

/// The first of these fields that is there.
fn first<'a>(document: &'a Document, names: &[&str]) -> Option<&'a Bson> {
    names.iter().find_map(|name| document.get(name))
}

/// The same, taken out of the document.
fn take(document: &mut Document, names: &[&str]) -> Option<Bson> {
    names.iter().find_map(|name| document.remove(name))
}

fn id_of(document: &Document) -> String {
    match document.get("_id") {
        Some(Bson::ObjectId(id)) => id.to_hex(),
        Some(Bson::String(id)) => id.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

/// A date, or the text of one.
fn time_of(value: &Bson) -> Option<Timestamp> {
    match value {
        Bson::DateTime(date) => {
            Some(Timestamp(u64::try_from(date.timestamp_millis()).ok()?.checked_mul(1_000)?))
        }
        Bson::String(text) => Timestamp::from_rfc3339(text),
        _ => None,
    }
}

/// A text as it is, anything else as the driver writes it; `None` for null.
fn text_of(value: Bson) -> Option<String> {
    let text = match value {
        Bson::Null => return None,
        Bson::String(text) => text,
        other => other.to_string(),
    };
    Some(text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mongodb::bson::{DateTime, oid::ObjectId};

    const ID: &str = "3f2c0b34-7c8c-4a3c-9d27-3f5c1f6f7a11";
    const AT: Timestamp = Timestamp(1_704_164_645_678_000);

    fn date() -> DateTime {
        DateTime::from_millis(1_704_164_645_678)
    }

    #[test]
    fn secrets_are_read_under_both_names() {
        let check = |document: Document, expect: Result<Option<Timestamp>, &str>| {
            let found = secret_of(&document);
            let expect =
                expect.map(|created| OldSecret { id: ID.to_owned(), ciphertext: "AAAA".to_owned(), created });
            assert_eq!(
                found.as_ref().map_err(|unreadable| unreadable.why),
                expect.as_ref().map_err(|why| *why)
            );
        };
        check(doc! { "_id": ID, "ciphertext": "AAAA", "created_at": date() }, Ok(Some(AT)));
        check(doc! { "_id": ID, "data": "AAAA", "ts": date() }, Ok(Some(AT)));
        check(doc! { "_id": ID, "data": "AAAA", "ts": "2024-01-02T03:04:05.678Z" }, Ok(Some(AT)));
        check(doc! { "_id": ID, "ciphertext": "AAAA" }, Ok(None));
        check(doc! { "_id": ID }, Err("it has no text `ciphertext` or `data`"));
        check(doc! { "_id": ID, "ciphertext": 7 }, Err("it has no text `ciphertext` or `data`"));
        check(doc! { "_id": 7, "ciphertext": "AAAA" }, Err("its _id is no text"));
    }

    #[test]
    fn records_are_read_under_both_names() {
        let id = ObjectId::from_bytes([7; 12]);
        let whole = OldRecord {
            id: id.to_hex(),
            timestamp: AT,
            operation: "fetch".to_owned(),
            status: "success".to_owned(),
            secret_id: Some(ID.to_owned()),
            client_ip: Some("10.0.0.7".to_owned()),
            user_agent: Some("curl/8".to_owned()),
            ..OldRecord::default()
        };
        let check = |document: Document, expect: Result<OldRecord, &str>| {
            let found = record_of(document);
            assert_eq!(
                found.as_ref().map_err(|unreadable| unreadable.why),
                expect.as_ref().map_err(|why| *why)
            );
        };
        let real = doc! { "_id": id, "ts": date(), "action": "fetch", "status": "success", "secret_id": ID,
        "ip": "10.0.0.7", "ua": "curl/8" };
        check(real.clone(), Ok(whole.clone()));
        let promised = doc! { "_id": id, "timestamp": date(), "operation": "fetch", "status": "success",
        "secret_id": ID, "client_ip": "10.0.0.7", "user_agent": "curl/8" };
        check(promised, Ok(whole.clone()));
        let with = |name: &str, value: Bson| {
            let mut document = real.clone();
            document.insert(name, value);
            document
        };
        check(
            with("error", "validation failed".into()),
            Ok(OldRecord { error: Some("validation failed".to_owned()), ..whole.clone() }),
        );
        check(with("extra", Bson::Null), Ok(whole.clone()));
        check(
            with("extra", doc! { "a": 1 }.into()),
            Ok(OldRecord { extra: Some(r#"{ "a": 1 }"#.to_owned()), ..whole.clone() }),
        );
        check(
            with("host", "b".into()),
            Ok(OldRecord { extra: Some(r#"{ "host": "b" }"#.to_owned()), ..whole.clone() }),
        );
        check(with("secret_id", Bson::Null), Ok(OldRecord { secret_id: None, ..whole }));
        check(with("ts", 7.into()), Err("it has no date `ts` or `timestamp`"));
        check(with("action", Bson::Null), Err("it has no `action` or `operation`"));
        check(doc! { "_id": id, "ts": date(), "action": "fetch" }, Err("it has no `status`"));
    }
}
