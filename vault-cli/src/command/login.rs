//! `login`: finds out who one is, by a token or an auth method, and keeps the token for the commands that follow.

use super::Command;
use crate::{
    context::Context,
    failure::{Failure, OK},
    input, output, token_file,
};
use clap::Parser;
use secrecy::{ExposeSecret, SecretString};
use secrethub_client::Reply;
use serde_json::{Value, json};

/// Keep a token for the commands that follow: prompted for, a line of stdin, or given by an auth method
#[derive(Parser, Debug)]
#[command(name = "login")]
pub(crate) struct Login {
    /// A token: `-` for stdin, `@FILE` for a file; or what a method asks for, as key=value, key=- or key=@FILE
    #[arg(value_name = "TOKEN | K=V")]
    args: Vec<String>,
    /// How to log in: token, userpass or approle
    #[arg(long, default_value = "token")]
    method: String,
    /// Where the method stands below auth/; its name unless given
    #[arg(long)]
    path: Option<String>,
    /// Check the token, but do not keep it
    #[arg(long)]
    no_store: bool,
    /// Say nothing of the token
    #[arg(long)]
    no_print: bool,
    /// Print the token and nothing else, and do not keep it
    #[arg(long, conflicts_with = "no_print")]
    token_only: bool,
}

/// What a method asks for.
struct Method {
    name: &'static str,
    /// What stands in the body.
    open: Option<&'static str>,
    /// What stands in the path of the login.
    path: Option<&'static str>,
    /// What is prompted for where it is not given.
    secret: &'static str,
    prompt: &'static str,
}

const METHODS: &[Method] = &[
    Method {
        name: "approle",
        open: Some("role_id"),
        path: None,
        secret: "secret_id",
        prompt: "SecretID (will be hidden): ",
    },
    Method {
        name: "userpass",
        open: None,
        path: Some("username"),
        secret: "password",
        prompt: "Password (will be hidden): ",
    },
];

impl Command for Login {
    async fn run(self, context: Context) -> Result<u8, Failure> {
        let token = match self.method.as_str() {
            "token" => self.given_token()?,
            _ => self.by_method(&context).await?,
        };
        let reply = context.client_with(Some(token.clone()))?.bare().token_lookup_self().await?;
        self.finish(&context, &token, &reply)
    }
}

impl Login {
    fn given_token(&self) -> Result<SecretString, Failure> {
        match self.args.as_slice() {
            [] => input::secret("Token (will be hidden): "),
            [one] => input::secret_by(Some(one), "Token (will be hidden): "),
            _ => Err(Failure::local("a login by token takes one token").hint("see: secrethub login --help")),
        }
    }

    async fn by_method(&self, context: &Context) -> Result<SecretString, Failure> {
        let known = || METHODS.iter().map(|method| method.name).collect::<Vec<_>>().join(", ");
        let method = METHODS.iter().find(|method| method.name == self.method).ok_or_else(|| {
            Failure::local(format!("`login` knows the methods token, {}, not {:?}", known(), self.method))
                .hint("log in by `secrethub write auth/…/login`, then give the token to `secrethub login`")
        })?;
        let mut fields = input::fields(&self.args)?;
        let mut path =
            format!("auth/{}/login", self.path.as_deref().unwrap_or(method.name).trim_matches('/'));
        if let Some(name) = method.path {
            let who = match fields.remove(name) {
                Some(Value::String(who)) => who,
                _ => std::env::var("USER").unwrap_or_default(),
            };
            path = format!("{path}/{}", wanted(name, who)?);
        }
        if let Some(name) = method.open {
            wanted(name, fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned())?;
        }
        if !fields.contains_key(method.secret) {
            let secret = input::secret(method.prompt)?;
            // EXPOSE: it is sent once, to prove who asks.
            fields.insert(method.secret.to_owned(), json!(secret.expose_secret()));
        }
        let reply = context.client_with(None)?.bare().write(&path, &Value::Object(fields)).await?;
        token_of(&reply)
    }

    fn finish(&self, context: &Context, token: &SecretString, reply: &Reply) -> Result<u8, Failure> {
        if self.token_only {
            // EXPOSE: a script asks for it.
            return output::say_bare(token.expose_secret()).map(|()| OK);
        }
        if !self.no_store {
            let path = token_file::path().ok_or_else(|| {
                Failure::local("there is no home folder to keep the token in").hint("use --no-store")
            })?;
            // EXPOSE: keeping the token is what the command is for.
            token_file::write(&path, token.expose_secret())?;
            output::note(format!("The token is kept in {}; SECRETHUB_TOKEN overrides it.", path.display()));
        }
        if self.no_print {
            return Ok(OK);
        }
        context.print_reply(reply, "Success! You are now authenticated.").map(|_| OK)
    }
}

fn wanted(name: &str, value: String) -> Result<String, Failure> {
    if value.is_empty() {
        return Err(Failure::local(format!("this method asks for {name}")).hint(format!("say {name}=…")));
    }
    Ok(value)
}

fn token_of(reply: &Reply) -> Result<SecretString, Failure> {
    let token = reply.auth()["client_token"].as_str().filter(|token| !token.is_empty());
    token.map(SecretString::from).ok_or_else(|| Failure::local("the server gave no token"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        let check = |line: &[&str], method: &str, args: usize| {
            let login = Login::try_parse_from(line).unwrap();
            assert_eq!((login.method.as_str(), login.args.len()), (method, args), "{line:?}");
        };
        check(&["login"], "token", 0);
        check(&["login", "-"], "token", 1);
        check(&["login", "--method=approle", "role_id=x", "secret_id=@f"], "approle", 2);
        check(&["login", "--method", "userpass", "--path", "people", "username=alice"], "userpass", 1);
        assert!(wanted("role_id", String::new()).is_err());
    }
}
