//! `auth/*/login`: a token for who can show who they are.

use crate::{Client, Error, Reply};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::{fmt, time::Duration};

/// A token that was handed out, or that lives longer now.
#[non_exhaustive]
pub struct Login {
    /// The token; to use it: [`Client::with_token`].
    pub token: SecretString,
    /// Names the token without giving its right.
    pub accessor: String,
    /// What it may do.
    pub policies: Vec<String>,
    /// How long it lives; zero = for ever.
    pub lives: Duration,
    /// May it be renewed.
    pub renewable: bool,
}

impl Login {
    /// From the `auth` block of an answer; `None` where there is none.
    pub fn of(reply: &Reply) -> Option<Self> {
        let auth = reply.auth();
        let texts = |value: &Value| -> Vec<String> {
            value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        Some(Self {
            token: SecretString::from(auth["client_token"].as_str()?),
            accessor: auth["accessor"].as_str().unwrap_or_default().to_owned(),
            policies: texts(&auth["policies"]),
            lives: Duration::from_secs(auth["lease_duration"].as_u64().unwrap_or_default()),
            renewable: auth["renewable"].as_bool().unwrap_or_default(),
        })
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("accessor", &self.accessor).finish_non_exhaustive()
    }
}

impl Client {
    /// Logs in as a role, with the secret that was given out for it. The client itself keeps its token.
    ///
    /// # Errors
    /// Of the transport, or the server's refusal; so for the following.
    pub async fn login_approle(
        &self,
        mount: &str,
        role_id: &str,
        secret_id: &SecretString,
    ) -> Result<Login, Error> {
        // EXPOSE: the secret goes to the server, which is the purpose of the call.
        let body = json!({"role_id": role_id, "secret_id": secret_id.expose_secret()});
        self.login(&format!("auth/{}/login", mount.trim_matches('/')), &body).await
    }

    /// Logs in as a person with a password.
    pub async fn login_userpass(
        &self,
        mount: &str,
        username: &str,
        password: &SecretString,
    ) -> Result<Login, Error> {
        // EXPOSE: the password goes to the server, which is the purpose of the call.
        let body = json!({"password": password.expose_secret()});
        self.login(&format!("auth/{}/login/{username}", mount.trim_matches('/')), &body).await
    }

    /// Logs in at any path, with whatever is asked for there.
    pub async fn login(&self, path: &str, body: &Value) -> Result<Login, Error> {
        let reply = self.with_token(None)?.bare().write(path, body).await?;
        Login::of(&reply).ok_or_else(|| Error::Foreign { address: self.address() })
    }

    /// Lets the client's own token live longer, by as much as it was given first.
    pub async fn renew(&self) -> Result<Login, Error> {
        let reply = self.bare().token_renew_self("").await?;
        Login::of(&reply).ok_or_else(|| Error::Foreign { address: self.address() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_with_a_token_is_a_login() {
        let auth = json!({"client_token": "shs.hunter2", "accessor": "a", "policies": ["default"],
            "lease_duration": 60, "renewable": true});
        let login = Login::of(&Reply::new(json!({ "auth": auth }))).unwrap();
        assert_eq!((login.lives, login.renewable), (Duration::from_secs(60), true));
        assert_eq!(login.policies, ["default"]);
        assert!(!format!("{login:?}").contains("hunter2"));
        assert!(Login::of(&Reply::new(json!({"auth": null}))).is_none());
    }
}
