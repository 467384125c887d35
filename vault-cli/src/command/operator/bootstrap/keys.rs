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
use rustix::fs::OFlags;
use secrecy::SecretString;
use secrethub_client as client;
use serde::Deserialize;
use std::{
    fs,
    io::{ErrorKind, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};
use zeroize::{Zeroize, Zeroizing};

/// Initialises and unseals if that is asked for and was not done.
pub(super) async fn token(
    context: &Context,
    plan: &Plan,
    steps: &mut Vec<Step>,
) -> Result<Option<SecretString>, Failure> {
    let status = context.client_with(None)?.seal_status().await?;
    let mut sealed = status.sealed;
    if let Some(init) = &plan.init {
        let name = init.keys_file.display().to_string();
        if !status.initialized {
            let token = initialise(context, init).await?;
            steps.push(Step::new("init", name, Outcome::Made));
            return Ok(Some(token));
        }
        steps.push(Step::new("init", name.clone(), Outcome::There));
        if let Some(kept) = kept_in(&init.keys_file)?.filter(|_| sealed) {
            // An earlier run ended between the two, or the server was started again.
            unseal(&context.client_with(None)?, &kept.unseal_keys_b64, kept.unseal_threshold).await?;
            steps.push(Step::new("unseal", name, Outcome::Made));
            sealed = false;
        }
    }
    if !status.initialized {
        return Err(Failure::remote("the vault is not initialised")
            .hint("add [init] to the file, or: secrethub operator init"));
    }
    if sealed {
        return Err(Failure::remote("the vault is sealed").hint("unseal it: secrethub operator unseal"));
    }
    match (&plan.token_file, &plan.init) {
        (Some(file), _) => named(file).map(Some),
        (None, Some(init)) => match kept_in(&init.keys_file)? {
            Some(mut kept) => Ok(Some(std::mem::take(&mut kept.root_token).into())),
            None => context::find_token(),
        },
        (None, None) => context::find_token(),
    }
}

fn named(file: &Path) -> Result<SecretString, Failure> {
    let none = || Failure::local(format!("token_file {} is not there, or empty", file.display()));
    token_file::read(file)?.ok_or_else(|| none().hint("write a token that may do all this into it"))
}

/// What an earlier run kept, as [`json_of`] lays it out.
#[derive(Deserialize)]
struct Kept {
    root_token: String,
    unseal_keys_b64: Vec<String>,
    unseal_threshold: u8,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.root_token.zeroize();
        self.unseal_keys_b64.zeroize();
    }
}

/// The keys of an earlier run; none where their file was put away, as it should be.
fn kept_in(file: &Path) -> Result<Option<Kept>, Failure> {
    let shown = file.display();
    let text = match fs::read(file).map(Zeroizing::new) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::from(error).about(&shown.to_string())),
    };
    if text.is_empty() {
        let failure = Failure::local(format!(
            "{shown} is empty and the vault is initialised: a run was interrupted before it kept the keys, and nobody has them"
        ));
        return Err(
            failure.hint("nothing is in that vault yet: stop the server, remove its store, start over")
        );
    }
    // The parser's message could repeat a share.
    let bad = |_| Failure::local(format!("{shown} holds no keys of this command"));
    serde_json::from_slice(&text).map(Some).map_err(bad)
}

/// The keys' file, ours alone and empty. One that an interrupted run left behind is as good as a new one; the lock
/// tells it from one that another run is about to fill.
fn claim(path: &Path) -> Result<fs::File, Failure> {
    let about = |error| Failure::from(error).about(&format!("keys_file {}", path.display()));
    let taken = |why: &str| {
        let failure = Failure::local(format!("keys_file {} {why}", path.display()));
        failure.hint("name a file that does not exist, in a folder that does")
    };
    let file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
        .map_err(|error| about(error).hint("name a file that does not exist, in a folder that does"))?;
    file.try_lock().map_err(|_| taken("is in use by another run"))?;
    let found = file.metadata().map_err(about)?;
    if found.len() > 0 || !found.is_file() {
        return Err(taken("holds something"));
    }
    if found.nlink() != 1 {
        return Err(taken("was just removed, or has a second name"));
    }
    file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(about)?;
    Ok(file)
}

async fn initialise(context: &Context, init: &Init) -> Result<SecretString, Failure> {
    let shape = client::Init { shares: init.shares, threshold: init.threshold };
    let about = |error| Failure::from(error).about(&format!("keys_file {}", init.keys_file.display()));
    // The file comes first: keys without a place to be kept would be lost.
    let mut file = claim(&init.keys_file)?;
    let client = context.client_with(None)?;
    let keys = match client.init(shape).await {
        Ok(keys) => keys,
        Err(error) => {
            // Without an answer the vault may have been made: the empty file tells the next run.
            if error.kind() == Some(client::Kind::Invalid) {
                // It is empty; if it cannot go, the first error is the one to tell.
                let _ = fs::remove_file(&init.keys_file);
            }
            return Err(error.into());
        }
    };
    let text = Zeroizing::new(json_of(&keys, shape).to_string());
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(about)?;
    unseal(&client, &keys.keys_base64, init.threshold).await?;
    Ok(keys.root_token.into())
}

async fn unseal(client: &client::Client, shares: &[String], threshold: u8) -> Result<(), Failure> {
    for share in shares.iter().take(threshold.into()) {
        client.unseal(&share.clone().into()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_file_is_ours_alone_and_empty() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let check = |name: &str, expect: Option<&str>| match (claim(&at(name)), expect) {
            (Ok(file), None) => assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600, "{name}"),
            (Err(failure), Some(words)) => assert!(failure.to_string().contains(words), "{name}: {failure}"),
            (claimed, _) => panic!("{name}: {:?}", claimed.map_err(|failure| failure.to_string())),
        };
        check("new", None);
        fs::write(at("left"), "").unwrap();
        fs::set_permissions(at("left"), fs::Permissions::from_mode(0o644)).unwrap();
        check("left", None);
        fs::write(at("full"), "keys").unwrap();
        check("full", Some("holds something"));
        assert_eq!(fs::read(at("full")).unwrap(), b"keys");
        std::os::unix::fs::symlink(at("left"), at("link")).unwrap();
        check("link", Some("link"));
        fs::hard_link(at("left"), at("twin")).unwrap();
        check("twin", Some("second name"));
        check("none/file", Some("folder"));
        let _held = claim(&at("held")).unwrap();
        check("held", Some("another run"));
    }

    #[test]
    fn keys_that_were_never_kept_are_said_to_be_lost() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("keys");
        assert!(kept_in(&file).unwrap().is_none());
        let says = |text: &str, words: &str| {
            fs::write(&file, text).unwrap();
            let said = kept_in(&file).err().unwrap().to_string();
            assert!(said.contains(words) && !said.contains("hunter2"), "{said}");
        };
        says("", "nobody has them");
        says(r#"{"root_token":"hunter2","unseal_keys_b64":"#, "no keys of this command");
    }
}
