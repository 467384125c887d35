//! `token …`: make, look at, prolong and end tokens.

use super::Command;
use crate::{
    context::Context,
    failure::{Failure, OK},
    input, output,
};
use clap::{Args, Parser, Subcommand};
use secrecy::SecretString;
use secrethub_client::Reply;
use serde_json::{Map, Value, json};

/// Make, look at, prolong and end tokens
#[derive(Parser, Debug)]
#[command(name = "token")]
pub(crate) struct Token {
    #[command(subcommand)]
    action: Action,
}

/// Which token. Text that is a secret is taken by reference: `-` is stdin, `@FILE` a file.
#[derive(Args, Debug)]
struct Which {
    /// Token: `-` for stdin, `@FILE` for a file; left out = your own
    token: Option<String>,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Show what is known of a token
    Lookup {
        #[command(flatten)]
        which: Which,
        /// Name the token by its accessor instead
        #[arg(long, conflicts_with = "token")]
        accessor: Option<String>,
    },
    /// Make a token
    Create(Box<Create>),
    /// Let a token live longer
    Renew {
        #[command(flatten)]
        which: Which,
        /// By how much, e.g. 24h
        #[arg(long, short, default_value = "")]
        increment: String,
    },
    /// End a token and all its children
    Revoke {
        #[command(flatten)]
        which: Which,
        /// Name the token by its accessor instead
        #[arg(long, conflicts_with = "token")]
        accessor: Option<String>,
        /// End your own token
        #[arg(long = "self", conflicts_with_all = ["token", "accessor"])]
        own: bool,
    },
    /// Show what a token may do to a path
    Capabilities {
        /// Token: `-` for stdin, `@FILE` for a file, or with --accessor an accessor; left out = your own
        #[arg(value_name = "TOKEN_OR_PATH")]
        first: String,
        /// Path, if a token stands before it
        #[arg(value_name = "PATH")]
        second: Option<String>,
        /// What stands before the path is an accessor
        #[arg(long, requires = "second")]
        accessor: bool,
    },
}

#[derive(Args, Debug)]
struct Create {
    /// Policy to attach; repeatable
    #[arg(long = "policy")]
    policies: Vec<String>,
    /// How long it lives, e.g. 24h
    #[arg(long)]
    ttl: Option<String>,
    /// Beyond which it can never be renewed
    #[arg(long)]
    explicit_max_ttl: Option<String>,
    /// Renewable for ever, each time by this
    #[arg(long)]
    period: Option<String>,
    /// How often it may be used; 0 = without limit
    #[arg(long, default_value_t = 0)]
    use_limit: u64,
    /// Name that stands in the audit log
    #[arg(long)]
    display_name: Option<String>,
    /// Make it a child of nobody, so that it outlives your own
    #[arg(long)]
    orphan: bool,
    /// Leave the policy `default` off
    #[arg(long)]
    no_default_policy: bool,
    /// May it be renewed
    #[arg(long, default_value = "true", default_missing_value = "true", num_args = 0..=1, require_equals = true,
        action = clap::ArgAction::Set)]
    renewable: bool,
    /// `service` or `batch`
    #[arg(long = "type", default_value = "service")]
    kind: String,
    /// key=value to attach; repeatable
    #[arg(long, value_name = "K=V")]
    metadata: Vec<String>,
}

impl Command for Token {
    async fn run(self, context: Context) -> Result<u8, Failure> {
        let client = context.client()?;
        match self.action {
            Action::Lookup { accessor: Some(accessor), .. } => {
                let reply =
                    client.write("auth/token/lookup-accessor", &json!({"accessor": accessor})).await?;
                context.print_reply(&reply, "")
            }
            Action::Lookup { which, .. } => {
                let reply = match which.take()? {
                    Some(token) => client.token_lookup(&token).await?,
                    None => client.token_lookup_self().await?,
                };
                context.print_reply(&reply, "")
            }
            Action::Create(create) => {
                print_auth(&context, &client.token_create(create.orphan, &create.fields()?).await?)
            }
            Action::Renew { which, increment } => {
                let reply = match which.take()? {
                    Some(token) => client.token_renew(&token, &increment).await?,
                    None => client.token_renew_self(&increment).await?,
                };
                print_auth(&context, &reply)
            }
            Action::Revoke { which, accessor, own } => {
                match (which.take()?, accessor) {
                    (Some(token), _) => client.token_revoke(&token).await?,
                    (None, Some(accessor)) => client.token_revoke_accessor(&accessor).await?,
                    (None, None) if own => client.token_revoke_self().await?,
                    _ => {
                        return Err(
                            Failure::local("which token?").hint("name it, or say --accessor or --self")
                        );
                    }
                }
                output::say("Success! Revoked token (if it existed)").map(|()| OK)
            }
            Action::Capabilities { first: path, second: None, .. } => {
                print_capabilities(&context, &client.capabilities(&path).await?, &path)
            }
            Action::Capabilities { first, second: Some(path), accessor } => {
                let reply = if accessor {
                    client.capabilities_by_accessor(&first, &path).await?
                } else {
                    let token = input::secret_by(Some(&first), "Token (will be hidden): ")?;
                    client.capabilities_of(&token, &path).await?
                };
                print_capabilities(&context, &reply, &path)
            }
        }
    }
}

impl Which {
    fn take(self) -> Result<Option<SecretString>, Failure> {
        self.token.map(|text| input::secret_by(Some(&text), "Token (will be hidden): ")).transpose()
    }
}

impl Create {
    fn fields(&self) -> Result<Value, Failure> {
        let mut fields = Map::new();
        let texts = [
            ("ttl", &self.ttl),
            ("explicit_max_ttl", &self.explicit_max_ttl),
            ("period", &self.period),
            ("display_name", &self.display_name),
        ];
        for (name, text) in texts {
            fields.extend(text.iter().map(|text| (name.to_owned(), json!(text))));
        }
        if !self.policies.is_empty() {
            fields.insert("policies".to_owned(), json!(self.policies));
        }
        if !self.metadata.is_empty() {
            fields.insert("meta".to_owned(), Value::Object(input::fields(&self.metadata)?));
        }
        fields.insert("num_uses".to_owned(), json!(self.use_limit));
        fields.insert("no_default_policy".to_owned(), json!(self.no_default_policy));
        fields.insert("renewable".to_owned(), json!(self.renewable));
        fields.insert("type".to_owned(), json!(self.kind));
        Ok(Value::Object(fields))
    }
}

/// A token as Vault's table shows it; `--field token` takes it out.
pub(super) fn print_auth(context: &Context, reply: &Reply) -> Result<u8, Failure> {
    let auth = reply.auth();
    let seconds = auth["lease_duration"].as_u64().unwrap_or_default();
    let rows = [
        ("token", auth["client_token"].clone()),
        ("token_accessor", auth["accessor"].clone()),
        ("token_duration", json!(output::duration(seconds))),
        ("token_renewable", auth["renewable"].clone()),
        ("token_policies", auth["token_policies"].clone()),
        ("policies", auth["policies"].clone()),
    ];
    let fields: Map<_, _> = rows.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    context.print_answer(reply, &Value::Object(fields), || {
        output::key_values(&rows.map(|(name, value)| (name, output::cell(&value))))
    })
}

fn print_capabilities(context: &Context, reply: &Reply, path: &str) -> Result<u8, Failure> {
    let found = &reply.data()[path];
    let names: Vec<_> = found.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    context.print(&names, reply.data(), || names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn create_sends_vaults_fields() {
        let line =
            "token create --policy a --policy b --ttl 1h --metadata k=v --renewable=false --use-limit 3";
        let token = Token::try_parse_from(line.split(' ')).unwrap();
        let Action::Create(create) = token.action else { panic!("not create") };
        let expect = json!({"policies": ["a", "b"], "ttl": "1h", "meta": {"k": "v"}, "renewable": false, "num_uses": 3,
            "no_default_policy": false, "type": "service"});
        assert_eq!(create.fields().unwrap(), expect);
    }
}
