//! [`Context`]: what every client command shares: the server's address, the token, and the output's format.

use crate::{
    failure::{Failure, OK},
    output::{self, Format},
    token_file,
};
use clap::{Args, ValueEnum};
use secrecy::SecretString;
use secrethub_client::{Client, Reply};
use serde::Serialize;
use serde_json::{Map, Value};
use std::path::PathBuf;

/// Where a server is expected that nothing names.
const ADDRESS: &str = "http://127.0.0.1:8200";

/// Options of every command.
#[derive(Args, Debug, Default)]
pub(crate) struct Context {
    /// Server's address [env: SECRETHUB_ADDR, VAULT_ADDR] [default: http://127.0.0.1:8200]
    #[arg(long, global = true, value_name = "URL", help_heading = "Common options")]
    address: Option<String>,
    /// PEM file of an authority to trust [env: SECRETHUB_CACERT, VAULT_CACERT]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Common options")]
    ca_cert: Option<PathBuf>,
    /// Do not verify the server's certificate: whoever sits on the wire reads everything
    #[arg(long, global = true, help_heading = "Common options")]
    tls_skip_verify: bool,
    /// Namespace [env: SECRETHUB_NAMESPACE, VAULT_NAMESPACE]
    #[arg(long, global = true, value_name = "PATH", help_heading = "Common options")]
    namespace: Option<String>,
    /// Have the server keep the answer this long, e.g. 5m, and print a token that unwraps it once
    /// [env: SECRETHUB_WRAP_TTL, VAULT_WRAP_TTL]
    #[arg(long, global = true, value_name = "DURATION", help_heading = "Common options")]
    wrap_ttl: Option<String>,
    /// Layout of the answer [env: SECRETHUB_FORMAT, VAULT_FORMAT] [default: table]
    #[arg(long, global = true, value_name = "FORMAT", help_heading = "Common options")]
    format: Option<Format>,
    /// Print this one field, bare
    #[arg(long, global = true, value_name = "NAME", help_heading = "Common options")]
    field: Option<String>,
}

impl Context {
    /// A client with the token from the environment or the token file.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        self.client_with(find_token()?)
    }

    /// A client with this token, or none.
    pub(crate) fn client_with(&self, token: Option<SecretString>) -> Result<Client, Failure> {
        let address = self.address.clone().or_else(|| setting("ADDR")).unwrap_or_else(|| ADDRESS.to_owned());
        let mut builder = Client::builder(&address);
        if let Some(token) = token {
            builder = builder.token(token);
        }
        if let Some(file) = self.ca_cert.clone().or_else(|| setting("CACERT").map(PathBuf::from)) {
            builder = builder.ca_file(&file)?;
        }
        if let Some(namespace) = self.namespace.clone().or_else(|| setting("NAMESPACE")) {
            builder = builder.namespace(namespace);
        }
        if let Some(ttl) = self.wrap_ttl.clone().or_else(|| setting("WRAP_TTL")) {
            builder = builder.wrap_ttl(ttl);
        }
        if self.tls_skip_verify {
            output::note("warning: the server's certificate is not verified");
            builder = builder.danger_skip_verify();
        }
        Ok(builder.build()?)
    }

    /// The layout that was asked for.
    pub(crate) fn format(&self) -> Result<Format, Failure> {
        match (self.format, setting("FORMAT")) {
            (Some(format), _) => Ok(format),
            (None, None) => Ok(Format::default()),
            (None, Some(name)) => Format::from_str(&name, true).map_err(|_| {
                Failure::local(format!("the format {name:?} is unknown")).hint("use table, json or yaml")
            }),
        }
    }

    /// The one field that was asked for.
    pub(crate) fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// Prints `whole` as JSON or YAML, one of `fields` bare, or what `table` makes of it.
    pub(crate) fn print(
        &self,
        whole: &impl Serialize,
        fields: &Value,
        table: impl FnOnce() -> String,
    ) -> Result<u8, Failure> {
        match (self.field(), self.format()?) {
            (Some(name), _) => self.print_field(fields, name)?,
            (None, Format::Table) => output::say(table())?,
            (None, format) => output::say(output::encode(whole, format)?)?,
        }
        Ok(OK)
    }

    fn print_field(&self, fields: &Value, name: &str) -> Result<(), Failure> {
        let Some(value) = fields.get(name) else {
            return Err(Failure::local(format!("the answer has no field {name:?}")));
        };
        match (self.format()?, value) {
            (Format::Table, value) => output::say_bare(&output::cell(value)),
            (format, value) => output::say(output::encode(value, format)?),
        }
    }

    /// Prints an answer in Vault's envelope as [`Context::print`] does, and its warnings on stderr. Of an answer that
    /// was wrapped the token that unwraps it.
    pub(crate) fn print_answer(
        &self,
        reply: &Reply,
        fields: &Value,
        table: impl FnOnce() -> String,
    ) -> Result<u8, Failure> {
        for warning in reply.warnings() {
            output::note(format!("warning: {warning}"));
        }
        match reply.wrap_info() {
            Value::Object(info) => self.print_wrapped(reply, info),
            _ => self.print(reply.body(), fields, table),
        }
    }

    fn print_wrapped(&self, reply: &Reply, info: &Map<String, Value>) -> Result<u8, Failure> {
        let of = |name: &str| info.get(name).cloned().unwrap_or_default();
        let rows = [
            ("wrapping_token", of("token")),
            ("wrapping_accessor", of("accessor")),
            ("wrapping_token_ttl", output::duration(of("ttl").as_u64().unwrap_or_default()).into()),
            ("wrapping_token_creation_time", of("creation_time")),
            ("wrapping_token_creation_path", of("creation_path")),
        ];
        let fields = rows.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        self.print(reply.body(), &Value::Object(fields), || {
            output::key_values(&rows.map(|(name, value)| (format!("{name}:"), output::cell(&value))))
        })
    }

    /// Prints the data of an answer in Vault's envelope, and its warnings on stderr.
    pub(crate) fn print_reply(&self, reply: &Reply, done: &str) -> Result<u8, Failure> {
        let data = reply.data();
        let says_nothing = data.is_null() && reply.wrap_info().is_null();
        if says_nothing && (self.format()? == Format::Table || reply.body().is_null()) {
            return self::done(reply, done);
        }
        self.print_answer(reply, data, || data.as_object().map(output::object_table).unwrap_or_default())
    }

    /// Prints the names of a list; JSON and YAML are a plain array, as Vault has it.
    pub(crate) fn print_keys(&self, reply: &Reply) -> Result<u8, Failure> {
        if reply.wrap_info().is_object() {
            return self.print_answer(reply, reply.data(), String::new);
        }
        let keys = reply.keys();
        self.print(&keys, reply.data(), || {
            output::table(&["Keys"], keys.iter().map(|&key| vec![key.to_owned()]).collect())
        })
    }
}

/// Says that something was done, and what the server adds.
pub(crate) fn done(reply: &Reply, text: &str) -> Result<u8, Failure> {
    for warning in reply.warnings() {
        output::note(format!("warning: {warning}"));
    }
    output::say(text).map(|()| OK)
}

/// `SECRETHUB_<name>`, else `VAULT_<name>`: where both are set, ours counts. Empty is unset.
pub(crate) fn setting(name: &str) -> Option<String> {
    let read = |prefix: &str| std::env::var(format!("{prefix}_{name}")).ok();
    choose(read("SECRETHUB"), read("VAULT"))
}

/// The token of the environment, else of the token file.
pub(crate) fn find_token() -> Result<Option<SecretString>, Failure> {
    match (setting("TOKEN"), token_file::path()) {
        (Some(token), _) => Ok(Some(token.into())),
        (None, Some(path)) => token_file::read(&path),
        (None, None) => Ok(None),
    }
}

fn choose(ours: Option<String>, vaults: Option<String>) -> Option<String> {
    let full = |text: &String| !text.is_empty();
    ours.filter(full).or(vaults.filter(full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_environment_wins_over_vaults() {
        let check = |ours: Option<&str>, vaults: Option<&str>, expect: Option<&str>| {
            let own = |text: Option<&str>| text.map(str::to_owned);
            assert_eq!(choose(own(ours), own(vaults)).as_deref(), expect);
        };
        check(None, None, None);
        check(Some("a"), Some("b"), Some("a"));
        check(Some(""), Some("b"), Some("b"));
        check(None, Some("b"), Some("b"));
        check(Some(""), Some(""), None);
    }
}
