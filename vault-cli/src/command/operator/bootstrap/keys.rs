//! The token to work with: of a vault that is made here, or of one that there is.

use super::{
    super::init::json_of,
    Outcome, Step,
    plan::{Init, Plan},
};
use crate::{
    context::{self, Context},
    failure::Failure,
    token_file,
};
use secrecy::SecretString;
use secrethub_client::{self as client, InitKeys};
use serde::Deserialize;
use std::{
    fs,
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};
use zeroize::Zeroizing;

/// Initialises and unseals if that is asked for and was not done.
pub(super) async fn token(
    context: &Context,
    plan: &Plan,
    steps: &mut Vec<Step>,
) -> Result<Option<SecretString>, Failure> {
    let status = context.client_with(None)?.seal_status().await?;
    if let Some(init) = &plan.init {
        let name = init.keys_file.display().to_string();
        if !status.initialized {
            let token = initialise(context, init).await?;
            steps.push(Step::new("init", name, Outcome::Made));
            return Ok(Some(token));
        }
        steps.push(Step::new("init", name, Outcome::There));
    }
    if !status.initialized {
        return Err(Failure::remote("the vault is not initialised")
            .hint("add [init] to the file, or: secrethub operator init"));
    }
    if status.sealed {
        return Err(Failure::remote("the vault is sealed").hint("unseal it: secrethub operator unseal"));
    }
    match (&plan.token_file, &plan.init) {
        (Some(file), _) => named(file).map(Some),
        (None, Some(init)) => {
            root_of(&init.keys_file)?.map_or_else(context::find_token, |token| Ok(Some(token)))
        }
        (None, None) => context::find_token(),
    }
}

fn named(file: &Path) -> Result<SecretString, Failure> {
    let none = || Failure::local(format!("token_file {} is not there, or empty", file.display()));
    token_file::read(file)?.ok_or_else(|| none().hint("write a token that may do all this into it"))
}

/// The root token of an earlier run; none where its file was put away, as it should be.
fn root_of(file: &Path) -> Result<Option<SecretString>, Failure> {
    #[derive(Deserialize)]
    struct Kept {
        root_token: String,
    }
    let text = match fs::read(file).map(Zeroizing::new) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::from(error).about(&file.display().to_string())),
    };
    // The parser's message could repeat a share.
    let bad = |_| Failure::local(format!("{} holds no keys of this command", file.display()));
    let kept: Kept = serde_json::from_slice(&text).map_err(bad)?;
    Ok(Some(kept.root_token.into()))
}

async fn initialise(context: &Context, init: &Init) -> Result<SecretString, Failure> {
    let shape = client::Init { shares: init.shares, threshold: init.threshold };
    let about = |error| Failure::from(error).about(&format!("keys_file {}", init.keys_file.display()));
    // The file comes first: keys without a place to be kept would be lost.
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&init.keys_file)
        .map_err(|error| about(error).hint("name a file that does not exist, in a folder that does"))?;
    let client = context.client_with(None)?;
    let keys = match client.init(shape).await {
        Ok(keys) => keys,
        Err(error) => {
            // It is empty; if it cannot go, the first error is the one to tell.
            let _ = fs::remove_file(&init.keys_file);
            return Err(error.into());
        }
    };
    let text = Zeroizing::new(json_of(&keys, shape).to_string());
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(about)?;
    unseal(&client, &keys, init.threshold).await?;
    Ok(keys.root_token.into())
}

async fn unseal(client: &client::Client, keys: &InitKeys, threshold: u8) -> Result<(), Failure> {
    for share in keys.keys_base64.iter().take(threshold.into()) {
        client.unseal(&share.clone().into()).await?;
    }
    Ok(())
}
