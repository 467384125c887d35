//! Tokens for the programs that start with the vault, each in a file of its own.

use super::{Outcome, Step, plan::Token};
use crate::{context::Context, failure::Failure, token_file};
use secrecy::{ExposeSecret, SecretString};
use secrethub_client::{Client, Kind};
use serde_json::{Map, Value, json};

/// A token of the file, and whether it is missing.
pub(super) struct Missing<'a>(&'a Token, bool);

/// Which are missing: their file is not there, or what is in it is good no more.
pub(super) async fn compare<'a>(context: &Context, wanted: &'a [Token]) -> Result<Vec<Missing<'a>>, Failure> {
    let mut found = Vec::new();
    for token in wanted {
        let missing = match token_file::read(&token.file)? {
            None => true,
            Some(kept) => !is_good(context, token, kept).await?,
        };
        found.push(Missing(token, missing));
    }
    Ok(found)
}

async fn is_good(context: &Context, token: &Token, kept: SecretString) -> Result<bool, Failure> {
    // EXPOSE: only to see that it could be a token: a file named by mistake is not sent, and not overwritten.
    if kept.expose_secret().chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Failure::local(format!("{} holds something else than a token", token.file.display()))
            .hint("name another file"));
    }
    match context.client_with(Some(kept))?.token_lookup_self().await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == Some(Kind::Denied) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Makes the missing ones.
pub(super) async fn make(
    client: &Client,
    tokens: Vec<Missing<'_>>,
    steps: &mut Vec<Step>,
) -> Result<(), Failure> {
    for Missing(token, missing) in tokens {
        if missing {
            make_one(client, token).await?;
        }
        let name = format!("{} in {}", token.display_name, token.file.display());
        steps.push(Step::new("token", name, if missing { Outcome::Made } else { Outcome::There }));
    }
    Ok(())
}

async fn make_one(client: &Client, token: &Token) -> Result<(), Failure> {
    // Without a parent: it shall outlive the root token, which is to be revoked when all is set up.
    let made = client.token_create(true, &fields(token)).await;
    let made = made.map_err(|error| Failure::from(error).about(&format!("token {}", token.display_name)))?;
    let Some(text) = made.auth()["client_token"].as_str() else {
        return Err(
            Failure::remote("the answer holds no token").hint("unset SECRETHUB_WRAP_TTL and -wrap-ttl")
        );
    };
    if let Err(failure) = token_file::write(&token.file, text) {
        // Nobody has it, so nobody shall: it would live on unseen.
        client.token_revoke(&text.to_owned().into()).await?;
        return Err(failure);
    }
    Ok(())
}

fn fields(token: &Token) -> Value {
    let mut fields = Map::new();
    fields.insert("display_name".to_owned(), json!(token.display_name));
    fields.insert("policies".to_owned(), json!(token.policies));
    for (name, text) in [("ttl", &token.ttl), ("period", &token.period)] {
        fields.extend(text.iter().map(|text| (name.to_owned(), json!(text))));
    }
    Value::Object(fields)
}
