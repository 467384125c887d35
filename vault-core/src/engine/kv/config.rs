//! `config`: what a mount says for all secrets below it.

use super::{
    document::{FORMAT, check_format},
    expiry::DeleteAfter,
};
use crate::{
    cx::{Cx, Item},
    engine::Call,
    error::Error,
    limits,
    request::Reply,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Where it stands below the mount.
pub(super) const KEY: &str = "config";

/// The mount's settings, as stored (format 1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Config {
    /// Version of this document.
    pub(super) format: u8,
    /// Must every write below the mount say which version it builds on.
    pub(super) cas_required: bool,
    /// How many versions to keep where a secret does not say; 0 = [`limits::KV_VERSIONS_DEFAULT`].
    pub(super) max_versions: u64,
    /// How long versions live at most.
    pub(super) delete_after: DeleteAfter,
}

impl Default for Config {
    fn default() -> Self {
        Self { format: FORMAT, cas_required: false, max_versions: 0, delete_after: DeleteAfter::default() }
    }
}

impl Config {
    /// Reads the entry; where there is none, all is as Vault has it by default.
    pub(super) fn read(item: Option<&Item>) -> Result<Self, Error> {
        let Some(item) = item else { return Ok(Self::default()) };
        let config: Self = item.json()?;
        check_format(config.format)?;
        Ok(config)
    }
}

/// The field `max_versions` of a mount or a secret.
pub(super) fn max_versions_of(call: &Call<'_>) -> Result<Option<u64>, Error> {
    let max = call.integer("max_versions")?;
    if max.is_some_and(|max| max > limits::KV_VERSIONS_MAX) {
        return Err(Error::invalid(format!("max_versions may be at most {}", limits::KV_VERSIONS_MAX)));
    }
    Ok(max)
}

pub(super) async fn read_config(cx: &mut Cx, _: Call<'_>) -> Result<Reply, Error> {
    let config = Config::read(cx.get(KEY).await?.as_ref())?;
    Reply::data(&json!({
        "cas_required": config.cas_required,
        "delete_version_after": config.delete_after.to_string(),
        "max_versions": config.max_versions,
    }))
}

/// Changes what the request names and leaves the rest.
pub(super) async fn write_config(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let found = cx.get(KEY).await?;
    let mut config = Config::read(found.as_ref())?;
    config.cas_required = call.boolean("cas_required")?.unwrap_or(config.cas_required);
    config.max_versions = max_versions_of(&call)?.unwrap_or(config.max_versions);
    config.delete_after = DeleteAfter::of(&call)?.unwrap_or(config.delete_after);
    match &found {
        Some(read) => cx.replace_json(read, &config)?,
        None => cx.create_json(KEY, &config)?,
    }
    Ok(Reply::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_config_format_1() {
        let golden = r#"{"format":1,"cas_required":true,"max_versions":5,"delete_after":3600000000}"#;
        let config = Config {
            cas_required: true,
            max_versions: 5,
            delete_after: DeleteAfter(3_600_000_000),
            ..Config::default()
        };
        assert_eq!(serde_json::to_string(&config).unwrap(), golden);
        assert_eq!(serde_json::from_str::<Config>(golden).unwrap(), config);
    }
}
