//! `sys/*`: initialise, unseal, seal, and how the server is.

use crate::{Client, Error, Method, Reply};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::fmt;

/// How a vault is to be initialised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Init {
    /// Shares to make, 1 to 255.
    pub shares: u8,
    /// Shares that unseal, 1 to `shares`.
    pub threshold: u8,
}

impl Default for Init {
    fn default() -> Self {
        Self { shares: 5, threshold: 3 }
    }
}

/// What init hands out, once and never again.
#[derive(Deserialize)]
#[non_exhaustive]
pub struct InitKeys {
    /// The shares in hex.
    pub keys: Vec<String>,
    /// The same shares in base64.
    pub keys_base64: Vec<String>,
    /// A token that may do everything.
    pub root_token: String,
}

impl fmt::Debug for InitKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InitKeys").field("shares", &self.keys.len()).finish_non_exhaustive()
    }
}

/// `sys/seal-status`, and the answer to each share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SealStatus {
    /// `shamir`, `static` or `passphrase`.
    #[serde(rename = "type")]
    pub seal_type: String,
    /// Has it ever been initialised.
    pub initialized: bool,
    /// Is it sealed now.
    pub sealed: bool,
    /// Shares that unseal.
    pub t: u64,
    /// Shares there are.
    pub n: u64,
    /// Shares given so far.
    pub progress: u64,
    /// Names the ceremony in progress.
    pub nonce: String,
    /// The server's version.
    pub version: String,
    /// When or from what it was built.
    pub build_date: String,
    /// `sqlite`, `memory`, `postgresql` …
    pub storage_type: String,
    /// Name of the cluster, when unsealed.
    pub cluster_name: String,
    /// Id of the cluster, when unsealed.
    pub cluster_id: String,
}

/// `sys/health`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Health {
    /// Has it ever been initialised.
    pub initialized: bool,
    /// Is it sealed now.
    pub sealed: bool,
    /// The server's version.
    pub version: String,
    /// The server's clock, in seconds since 1970.
    pub server_time_utc: u64,
}

/// `sys/key-status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct KeyStatus {
    /// Number of the active key.
    pub term: u64,
    /// Since when, RFC 3339.
    pub install_time: String,
    /// How often it was used.
    pub encryptions: u64,
}

impl Client {
    /// Initialises the vault. The answer is the only copy of its keys.
    ///
    /// # Errors
    /// `Vault is already initialized`, bad numbers, or of the transport.
    pub async fn init(&self, init: Init) -> Result<InitKeys, Error> {
        let body = json!({"secret_shares": init.shares, "secret_threshold": init.threshold});
        self.typed(self.write("sys/init", &body).await?)
    }

    /// Initialises a vault that is sealed by a passphrase. The answer holds no shares.
    ///
    /// # Errors
    /// `Vault is already initialized`, a short passphrase, a server with another seal, or of the transport.
    pub async fn init_passphrase(&self, passphrase: &SecretString) -> Result<InitKeys, Error> {
        // EXPOSE: the passphrase goes to the server, which is the purpose of the call.
        let body = json!({"passphrase": passphrase.expose_secret()});
        self.typed(self.write("sys/init", &body).await?)
    }

    /// How the seal stands; answers in every state.
    pub async fn seal_status(&self) -> Result<SealStatus, Error> {
        self.typed(self.read("sys/seal-status", &[]).await?)
    }

    /// Gives one share, hex or base64, or the passphrase.
    pub async fn unseal(&self, share: &SecretString) -> Result<SealStatus, Error> {
        // EXPOSE: the share goes to the server, which is the purpose of the call.
        let body = json!({"key": share.expose_secret().trim()});
        self.typed(self.write("sys/unseal", &body).await?)
    }

    /// Gives a share to hand the vault over to the seal that the server is configured with.
    pub async fn unseal_migrate(&self, share: &SecretString) -> Result<SealStatus, Error> {
        // EXPOSE: the share goes to the server, which is the purpose of the call.
        let body = json!({"key": share.expose_secret().trim(), "migrate": true});
        self.typed(self.write("sys/unseal", &body).await?)
    }

    /// Forgets the shares given so far.
    pub async fn unseal_reset(&self) -> Result<SealStatus, Error> {
        self.typed(self.write("sys/unseal", &json!({"reset": true})).await?)
    }

    /// Seals: the server forgets its keys until it is unsealed again.
    pub async fn seal(&self) -> Result<(), Error> {
        self.write("sys/seal", &json!({})).await.map(drop)
    }

    /// How the server is, whatever its state.
    pub async fn health(&self) -> Result<Health, Error> {
        let all_200 = ["sealedcode", "uninitcode", "standbycode"].map(|name| (name, "200".to_owned()));
        self.typed(self.call(Method::Get, "sys/health", &all_200, None).await?)
    }

    /// Installs a new data key; old ones stay readable.
    pub async fn rotate(&self) -> Result<(), Error> {
        self.write("sys/rotate", &json!({})).await.map(drop)
    }

    /// The active data key.
    pub async fn key_status(&self) -> Result<KeyStatus, Error> {
        let reply = self.read("sys/key-status", &[]).await?;
        let inner = reply.data().clone();
        self.typed(if inner.is_null() { reply } else { Reply::new(inner) })
    }

    /// What the mount that serves a path is: `type`, `path`, `options`.
    pub async fn mount_of(&self, path: &str) -> Result<Value, Error> {
        let reply = self.bare().read(&format!("sys/internal/ui/mounts/{path}"), &[]).await?;
        Ok(reply.data().clone())
    }

    fn typed<T: DeserializeOwned>(&self, reply: Reply) -> Result<T, Error> {
        reply.decode().ok_or_else(|| Error::Foreign { address: self.address() })
    }
}
