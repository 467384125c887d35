//! `userpass …`: people who log in with a name and a password.

use super::{
    Command,
    generic::plain,
    logins::{self, Thing},
};
use crate::{
    context::{self, Context},
    failure::Failure,
    input,
};
use clap::{Parser, Subcommand};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

/// Make, read and delete users who log in with a password
#[derive(Parser, Debug)]
#[command(name = "userpass")]
pub(crate) struct UserPass {
    #[command(subcommand)]
    action: Action,
    /// Where the method stands below auth/
    #[arg(long, default_value = "userpass", global = true)]
    path: String,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Make a user, whose password is asked for, or change one
    Write {
        /// The user's name
        name: String,
        /// Settings, e.g. token_policies=dev password=@FILE
        #[arg(value_name = "K=V")]
        fields: Vec<String>,
        /// Change settings only, and ask for no password
        #[arg(long)]
        keep_password: bool,
    },
    /// Change a user's password, which is asked for
    Password {
        /// The user's name
        name: String,
    },
    /// Show a user
    Read {
        /// The user's name
        name: String,
    },
    /// Show which users there are
    List,
    /// Take a user away; the user's tokens end at once
    Delete {
        /// The user's name
        name: String,
    },
}

impl Command for UserPass {
    async fn run(self, context: Context) -> Result<u8, Failure> {
        let below = format!("auth/{}/users", plain(&self.path));
        let user = Thing { below: &below, what: "user" };
        match self.action {
            Action::Write { name, fields, keep_password } => {
                let mut body = input::fields(&fields)?;
                if !keep_password && !body.contains_key("password") {
                    body.insert("password".to_owned(), new_password()?);
                }
                let path = format!("{below}/{}", plain(&name));
                let reply = context.client()?.write(&path, &Value::Object(body)).await?;
                context::done(&reply, &format!("Success! Data written to: {path}"))
            }
            Action::Password { name } => {
                let path = format!("{below}/{}/password", plain(&name));
                let reply = context.client()?.write(&path, &json!({"password": new_password()?})).await?;
                context::done(&reply, &format!("Success! Data written to: {path}"))
            }
            Action::Read { name } => logins::read(&context, user, &name).await,
            Action::List => logins::list(&context, user).await,
            Action::Delete { name } => logins::delete(&context, user, &name).await,
        }
    }
}

fn new_password() -> Result<Value, Failure> {
    let password = input::new_secret("New password (will be hidden): ", "The same again: ")?;
    // EXPOSE: it is sent once, to be hashed.
    Ok(json!(password.expose_secret()))
}
