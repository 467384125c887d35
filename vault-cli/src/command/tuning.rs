//! [`Tuning`]: the settings of a mount as flags, shared by `secrets` and `auth`; and the tables of mounts.

use crate::{context::Context, failure::Failure, input, output};
use clap::Args;
use secrethub_client::{Client, Reply, Table};
use serde_json::{Map, Value, json};

/// Settings of a mount; what is left out stays as it is.
#[derive(Args, Debug, Default)]
pub(super) struct Tuning {
    /// What it is for, for people
    #[arg(long)]
    description: Option<String>,
    /// How long leases and tokens from it live, e.g. 1h; 0 = as the server says
    #[arg(long, value_name = "DURATION")]
    default_lease_ttl: Option<String>,
    /// How long they live at most
    #[arg(long, value_name = "DURATION")]
    max_lease_ttl: Option<String>,
    /// `unauth` shows it to who has no token, `hidden` does not
    #[arg(long, value_name = "VISIBILITY")]
    listing_visibility: Option<String>,
    /// Field of requests that the audit log shows as it is; repeatable
    #[arg(long, value_name = "FIELD")]
    audit_non_hmac_request_keys: Vec<String>,
    /// Field of replies that the audit log shows as it is; repeatable
    #[arg(long, value_name = "FIELD")]
    audit_non_hmac_response_keys: Vec<String>,
    /// Header of requests that the engine sees; repeatable
    #[arg(long, value_name = "HEADER")]
    passthrough_request_headers: Vec<String>,
    /// Header that the engine may set; repeatable
    #[arg(long, value_name = "HEADER")]
    allowed_response_headers: Vec<String>,
    /// Version of the engine: 1 or 2 of kv
    #[arg(long)]
    version: Option<String>,
    /// Option of the engine; repeatable
    #[arg(long, value_name = "K=V")]
    options: Vec<String>,
}

impl Tuning {
    /// The body that tunes a mount.
    pub(super) fn fields(&self) -> Result<Map<String, Value>, Failure> {
        let mut fields = self.config();
        fields.extend(self.description.iter().map(|text| ("description".to_owned(), json!(text))));
        fields.extend(self.engine_options()?);
        Ok(fields)
    }

    /// The body that makes a mount of this type.
    pub(super) fn new_mount(&self, kind: &str) -> Result<Map<String, Value>, Failure> {
        let mut fields = Map::from_iter([("type".to_owned(), json!(kind))]);
        fields.extend(self.description.iter().map(|text| ("description".to_owned(), json!(text))));
        fields.extend(self.engine_options()?);
        fields.insert("config".to_owned(), Value::Object(self.config()));
        Ok(fields)
    }

    fn config(&self) -> Map<String, Value> {
        let texts = [
            ("default_lease_ttl", &self.default_lease_ttl),
            ("max_lease_ttl", &self.max_lease_ttl),
            ("listing_visibility", &self.listing_visibility),
        ];
        let lists = [
            ("audit_non_hmac_request_keys", &self.audit_non_hmac_request_keys),
            ("audit_non_hmac_response_keys", &self.audit_non_hmac_response_keys),
            ("passthrough_request_headers", &self.passthrough_request_headers),
            ("allowed_response_headers", &self.allowed_response_headers),
        ];
        let texts = texts.into_iter().filter_map(|(name, text)| Some((name, json!(text.as_ref()?))));
        let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
        let lists = lists.map(|(name, list)| (name, json!(list)));
        texts.chain(lists).map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn engine_options(&self) -> Result<Option<(String, Value)>, Failure> {
        let mut options = input::fields(&self.options)?;
        options.extend(self.version.iter().map(|version| ("version".to_owned(), json!(version))));
        Ok((!options.is_empty()).then_some(("options".to_owned(), Value::Object(options))))
    }
}

/// Prints a table of mounts; as JSON from paths to what stands there, as Vault has it.
pub(super) async fn list(context: &Context, table: Table, detailed: bool) -> Result<u8, Failure> {
    let reply = context.client()?.mounts(table).await?;
    let mounts = reply.data();
    context.print(mounts, mounts, || if detailed { details(&reply) } else { overview(&reply) })
}

/// Waits for a move to end.
pub(super) async fn wait_for_move(client: &Client, id: &str) -> Result<bool, Failure> {
    for _ in 0..POLLS_MAX {
        let reply = client.remount_status(id).await?;
        match reply.data()["migration_info"]["status"].as_str().unwrap_or_default() {
            "success" => return Ok(true),
            "failure" => return Err(Failure::remote(format!("the move {id} failed"))),
            _ => tokio::time::sleep(POLL).await,
        }
    }
    Ok(false)
}

/// A move is one commit here; a server that takes longer is asked so often at most.
const POLLS_MAX: u32 = 600;
const POLL: std::time::Duration = std::time::Duration::from_millis(500);

fn overview(reply: &Reply) -> String {
    let row = |(path, mount): (&String, &Value)| {
        let text = |name: &str| output::cell(mount.get(name).unwrap_or(&json!("n/a")));
        vec![path.clone(), text("type"), text("accessor"), text("description")]
    };
    output::table(&["Path", "Type", "Accessor", "Description"], sorted(reply).map(row).collect())
}

fn details(reply: &Reply) -> String {
    let row = |(path, mount): (&String, &Value)| {
        let text = |name: &str| output::cell(mount.get(name).unwrap_or(&json!("n/a")));
        let ttl = |name: &str| match mount["config"][name].as_u64() {
            None => "n/a".to_owned(),
            Some(0) => "system".to_owned(),
            Some(seconds) => output::duration(seconds),
        };
        vec![
            path.clone(),
            text("type"),
            text("accessor"),
            ttl("default_lease_ttl"),
            ttl("max_lease_ttl"),
            text("options"),
            text("description"),
            text("uuid"),
        ]
    };
    let head = ["Path", "Type", "Accessor", "Default TTL", "Max TTL", "Options", "Description", "UUID"];
    output::table(&head, sorted(reply).map(row).collect())
}

fn sorted(reply: &Reply) -> impl Iterator<Item = (&String, &Value)> {
    let mut mounts: Vec<_> = reply.data().as_object().into_iter().flatten().collect();
    mounts.sort_by_key(|(path, _)| path.as_str());
    mounts.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        tuning: Tuning,
    }

    #[test]
    fn flags_become_vaults_fields() {
        let tuning = |line: &str| Line::try_parse_from(line.split(' ')).unwrap().tuning;
        let given = tuning("x --description d --max-lease-ttl 1h --version 2 --options a=b");
        let expect =
            json!({"description": "d", "max_lease_ttl": "1h", "options": {"a": "b", "version": "2"}});
        assert_eq!(Value::Object(given.fields().unwrap()), expect);
        let expect = json!({"type": "kv", "description": "d", "options": {"a": "b", "version": "2"},
            "config": {"max_lease_ttl": "1h"}});
        assert_eq!(Value::Object(given.new_mount("kv").unwrap()), expect);
        assert_eq!(Value::Object(tuning("x").fields().unwrap()), json!({}));
        let given = tuning("x --allowed-response-headers A --allowed-response-headers B");
        assert_eq!(Value::Object(given.fields().unwrap()), json!({"allowed_response_headers": ["A", "B"]}));
    }
}
