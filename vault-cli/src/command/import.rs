//! `import`: takes in what another secrets manager holds; so far the first seed.

use super::Command;
use crate::{
    config::{Config, Environment, StoreUrl},
    context::Context,
    failure::{Failure, LOCAL, OK},
    output,
    progress::Progress,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::{Parser, Subcommand};
use futures::StreamExt;
use secrethub::{
    core::{barrier::MasterKey, limits::SECRET_MANAGER_BYTES_MAX},
    default_crypto,
    first_seed::{OldRecord, OldSecret, Unreadable, documents},
};
use secrethub_client::Client;
use serde::Serialize;
use serde_json::{Value, json};
use std::pin::pin;

/// Secrets and records of one request, which the server bounds too.
const ITEMS_MAX: usize = 100;
/// Bytes of values in one request.
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// Documents that a report names; beyond them it counts.
const NAMED_MAX: usize = 1_000;
/// The longest id of a record that the server takes.
const RECORD_ID_BYTES_MAX: usize = 128;

/// Take in what another secrets manager holds
#[derive(Parser, Debug)]
#[command(name = "import")]
pub(crate) struct Import {
    #[command(subcommand)]
    source: Source,
}

#[derive(Subcommand, Debug)]
enum Source {
    /// Secrets and audit records of artillex-secret-manager, under their ids; run again, it takes in what is new
    SecretManager {
        /// Its database: mongodb://…, or file:PATH of a URL; its key comes from MASTER_KEY_FILE or MASTER_KEY
        #[arg(long, value_name = "URL")]
        from: String,
        /// Only read, open and compare
        #[arg(long)]
        dry_run: bool,
    },
}

impl Command for Import {
    async fn run(self, context: Context) -> Result<u8, Failure> {
        let Source::SecretManager { from, dry_run } = self.source;
        let environment = Environment::read()?;
        let from = StoreUrl::read("--from", &from, &environment)?;
        let key = key(&environment)?;
        drop(environment);
        let client = context.client()?;
        let documents = documents(from.as_str()).await.map_err(|error| Failure::local(error.to_string()))?;
        let progress = Progress::start("Importing:");
        let mut run = Run {
            client,
            key,
            dry_run,
            page: Page::default(),
            report: Report { dry_run, ..Report::default() },
        };
        let mut secrets = pin!(documents.secrets().await.map_err(unread)?);
        while let Some(secret) = secrets.next().await {
            run.secret(secret.map_err(unread)?).await?;
            progress.read(run.report.secrets.found, 0);
        }
        let mut records = pin!(documents.records().await.map_err(unread)?);
        while let Some(record) = records.next().await {
            run.record(record.map_err(unread)?).await?;
            progress.read(run.report.secrets.found, run.report.records.found);
        }
        run.send().await?;
        drop(progress);
        run.report.print(&context)
    }
}

#[allow(clippy::needless_pass_by_value, reason = "stands in `map_err`")]
fn unread(error: secrethub::core::store::StoreError) -> Failure {
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
    Failure::local(format!("the database to import from: {error}{cause}")).hint("run it again: it goes on")
}

/// The first seed's key, from where its server took it.
fn key(environment: &Environment) -> Result<MasterKey, Failure> {
    let file = environment.get("MASTER_KEY_FILE").map(Into::into);
    let key = Config { master_key_file: file, ..Config::default() }.master_key(environment)?;
    key.ok_or_else(|| {
        Failure::local("there is no key to open the secrets with")
            .hint("give the MASTER_KEY of the first seed: MASTER_KEY_FILE=PATH")
    })
}

/// What came of one kind of document.
#[derive(Debug, Default, Serialize)]
struct Kind {
    /// Documents that were read.
    found: u64,
    /// Taken in; in a dry run, what would be.
    imported: u64,
    /// There already.
    present: u64,
    /// Ids under which the vault holds something else, which stays.
    differ: u64,
    /// Documents that cannot be taken in.
    unreadable: u64,
    /// The first of those that were not taken in, and why.
    named: Vec<Named>,
}

#[derive(Debug, Serialize)]
struct Named {
    id: String,
    why: &'static str,
}

impl Kind {
    fn refuse(&mut self, Unreadable { id, why }: Unreadable) {
        self.unreadable += 1;
        self.name(id, why);
    }

    fn differs(&mut self, id: &str) {
        self.differ += 1;
        self.name(id.to_owned(), "the vault holds another value under this id, which stays");
    }

    fn name(&mut self, id: String, why: &'static str) {
        if self.named.len() < NAMED_MAX {
            self.named.push(Named { id, why });
        }
    }
}

#[derive(Debug, Default, Serialize)]
struct Report {
    dry_run: bool,
    secrets: Kind,
    records: Kind,
}

impl Report {
    fn print(&self, context: &Context) -> Result<u8, Failure> {
        context.print(self, &json!(self), || self.table())?;
        let whole = |kind: &Kind| kind.differ == 0 && kind.unreadable == 0;
        Ok(if whole(&self.secrets) && whole(&self.records) { OK } else { LOCAL })
    }

    fn table(&self) -> String {
        let row = |name: &str, kind: &Kind| {
            let counts = [kind.found, kind.imported, kind.present, kind.differ, kind.unreadable];
            [name.to_owned()].into_iter().chain(counts.map(|count| count.to_string())).collect()
        };
        let imported = if self.dry_run { "would import" } else { "imported" };
        let head = ["documents", "found", imported, "there already", "differ", "unreadable"];
        let rows = vec![row("secrets", &self.secrets), row("audit_logs", &self.records)];
        let mut text = output::table(&head, rows);
        for (collection, kind) in [("secrets", &self.secrets), ("audit_logs", &self.records)] {
            for Named { id, why } in &kind.named {
                text.push_str(&format!("\n{collection} {id}: {why}"));
            }
        }
        text
    }
}

/// What goes with the next request.
#[derive(Default)]
struct Page {
    secrets: Vec<Value>,
    records: Vec<Value>,
    bytes: usize,
}

struct Run {
    client: Client,
    key: MasterKey,
    dry_run: bool,
    page: Page,
    report: Report,
}

impl Run {
    async fn secret(&mut self, found: Result<OldSecret, Unreadable>) -> Result<(), Failure> {
        self.report.secrets.found += 1;
        match found.and_then(|secret| self.open(&secret)) {
            Ok((value, bytes)) => {
                self.page.bytes += bytes;
                self.page.secrets.push(value);
            }
            Err(unreadable) => self.report.secrets.refuse(unreadable),
        }
        self.send_if_full().await
    }

    /// The secret as the server takes it, and how long it is.
    fn open(&self, secret: &OldSecret) -> Result<(Value, usize), Unreadable> {
        let unreadable = |why| Unreadable { id: secret.id.clone(), why };
        if !is_uuid(&secret.id) {
            return Err(unreadable("its _id is no UUID, so nobody can fetch it"));
        }
        let plain = self.key.open_first_seed(default_crypto(), &secret.ciphertext);
        let plain = plain.map_err(|not_opened| unreadable(not_opened.told()))?;
        // EXPOSE: it goes to the server that keeps it from now on.
        let plain = plain.expose();
        if plain.len() > SECRET_MANAGER_BYTES_MAX {
            return Err(unreadable("it has more than 1 MiB, which is what a secret may have"));
        }
        let created = secret.created.map(|at| at.to_rfc3339());
        let value = json!({ "id": secret.id, "secret": STANDARD.encode(plain), "created": created });
        Ok((value, secret.ciphertext.len()))
    }

    async fn record(&mut self, found: Result<OldRecord, Unreadable>) -> Result<(), Failure> {
        self.report.records.found += 1;
        match found {
            Ok(OldRecord { id, .. }) if id.len() > RECORD_ID_BYTES_MAX => {
                let why = "its _id has more than 128 bytes";
                self.report.records.refuse(Unreadable { id, why });
            }
            Ok(record) => {
                self.page.bytes += record.extra.as_ref().map_or(0, String::len);
                self.page.records.push(sent(record));
            }
            Err(unreadable) => self.report.records.refuse(unreadable),
        }
        self.send_if_full().await
    }

    async fn send_if_full(&mut self) -> Result<(), Failure> {
        let items = self.page.secrets.len() + self.page.records.len();
        if items >= ITEMS_MAX || self.page.bytes >= BYTES_MAX { self.send().await } else { Ok(()) }
    }

    async fn send(&mut self) -> Result<(), Failure> {
        let Page { secrets, records, .. } = std::mem::take(&mut self.page);
        if secrets.is_empty() && records.is_empty() {
            return Ok(());
        }
        let reply = self.client.secret_import(&secrets, &records, self.dry_run).await?;
        let (data, report) = (reply.data(), &mut self.report);
        for (name, kind) in [("secrets", &mut report.secrets), ("records", &mut report.records)] {
            kind.imported += data["created"][name].as_u64().unwrap_or_default();
            kind.present += data["present"][name].as_u64().unwrap_or_default();
        }
        for id in data["differ"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let kind = if is_uuid(id) { &mut report.secrets } else { &mut report.records };
            kind.differs(id);
        }
        Ok(())
    }
}

/// The record as the server takes it.
fn sent(record: OldRecord) -> Value {
    let OldRecord { id, timestamp, operation, status, secret_id, client_ip, user_agent, error, extra } =
        record;
    json!({
        "id": id,
        "timestamp": timestamp.to_rfc3339(),
        "operation": operation,
        "status": status,
        "secret_id": secret_id,
        "client_ip": client_ip,
        "user_agent": user_agent,
        "error": error,
        "extra": extra,
    })
}

fn is_uuid(text: &str) -> bool {
    uuid::Uuid::try_parse(text).is_ok()
}
