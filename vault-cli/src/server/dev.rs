//! [`Dev`]: development mode. In memory, initialised, unsealed, with a root token that is printed: for trying things
//! out and for tests, in Vault's words.

use super::{Plan, dev_tls, tls::Certificates};
use crate::{config::Config, failure::Failure, token_file};
use secrethub::core::{Operation, Request, Vault, system::Guardian};
use serde_json::{Value, json};
use std::{fs, path::PathBuf, sync::OnceLock};

/// What was asked of development mode.
#[derive(Debug)]
pub(crate) struct Dev {
    /// The root token to use; unless given, one is made.
    pub(crate) root_token: Option<String>,
    /// Where to listen.
    pub(crate) listen: Option<String>,
    /// Leave the token for the client commands.
    pub(crate) keep_token: bool,
    /// Serve TLS.
    pub(crate) tls: bool,
    /// Where to put the certificates.
    pub(crate) tls_folder: Option<PathBuf>,
}

/// What a vault in development mode began with.
pub(super) struct Root {
    /// The one share, in base64.
    pub(super) unseal_key: String,
    /// The root token.
    pub(super) token: String,
}

/// The temporary folder of certificates, to be removed at the end.
static MADE_FOLDER: OnceLock<PathBuf> = OnceLock::new();

impl Dev {
    /// Bends the settings to development mode. What it would have to ignore is refused instead.
    pub(super) fn change(&self, config: &Config, mut plan: Plan) -> Result<Plan, Failure> {
        let clash = |what: &str| {
            Failure::local(format!("-dev and {what} do not go together")).hint("leave one of them out")
        };
        match plan.vault.guardian {
            Guardian::Shares => {}
            Guardian::MasterKey(_) => return Err(clash("MASTER_KEY")),
            Guardian::Passphrase(_) => return Err(clash("a passphrase")),
        }
        if config.store.as_ref().is_some_and(|store| !store.as_str().starts_with("memory:")) {
            return Err(clash("a store other than memory:"));
        }
        plan.store = "memory:".to_owned().into();
        if let Some(listen) = &self.listen {
            if config.listen.is_some() {
                return Err(clash("`listen` beside -dev-listen-address"));
            }
            let listen = Some(vec![listen.clone()]);
            plan.addresses = Config { listen, ..Config::default() }.addresses(false)?;
        }
        if self.tls {
            if plan.certificates.is_some() {
                return Err(clash("`tls_cert_file` beside -dev-tls"));
            }
            let files = dev_tls::make(&self.tls_files_folder()?)?;
            plan.certificates = Some(Certificates::load(files)?);
        }
        Ok(plan)
    }

    fn tls_files_folder(&self) -> Result<PathBuf, Failure> {
        match &self.tls_folder {
            Some(folder) => Ok(folder.clone()),
            None => {
                let made = dev_tls::make_folder()?;
                Ok(MADE_FOLDER.get_or_init(|| made).clone())
            }
        }
    }

    /// The authority's certificate, for clients.
    pub(super) fn ca_file(&self) -> Option<PathBuf> {
        let folder = self.tls_folder.as_ref().or_else(|| MADE_FOLDER.get())?;
        self.tls.then(|| folder.join(dev_tls::CA))
    }

    /// Initialises and unseals, and makes the root token that was asked for.
    pub(super) async fn begin(&self, vault: &Vault) -> Result<Root, Failure> {
        let made = ask(vault, "sys/init", None, json!({"secret_shares": 1, "secret_threshold": 1})).await?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (unseal_key, first) = (text(&made["keys_base64"][0]), text(&made["root_token"]));
        ask(vault, "sys/unseal", None, json!({"key": unseal_key})).await?;
        let token = match &self.root_token {
            None => first,
            Some(wanted) => {
                let fields =
                    json!({"id": wanted, "policies": ["root"], "no_parent": true, "display_name": "root"});
                ask(vault, "auth/token/create", Some(&first), fields).await?;
                ask(vault, "auth/token/revoke-self", Some(&first), json!({})).await?;
                wanted.clone()
            }
        };
        if self.keep_token
            && let Some(path) = token_file::path()
        {
            token_file::write(&path, &token)?;
        }
        Ok(Root { unseal_key, token })
    }

    /// Removes what was made for this run only.
    pub(super) fn clean(&self) {
        if let Some(folder) = MADE_FOLDER.get()
            && let Err(error) = fs::remove_dir_all(folder)
        {
            tracing::warn!(%error, folder = %folder.display(), "temporary certificates stay");
        }
    }
}

/// One request through the door, as anybody would send it.
async fn ask(vault: &Vault, path: &str, token: Option<&str>, fields: Value) -> Result<Value, Failure> {
    let mut request =
        Request::new("00000000-0000-4000-8000-000000000000", Operation::Write, path).with_fields(fields);
    if let Some(token) = token {
        request = request.with_token(token);
    }
    let reply = vault.handle(request).await;
    reply.map(|reply| reply.to_value()).map_err(|error| Failure::local(format!("{path}: {error}")))
}
