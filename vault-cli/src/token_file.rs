//! Where `login` and `server -dev` leave a token for the commands that follow: `~/.secrethub/token`, mode 0600.

use crate::failure::Failure;
use secrecy::SecretString;
use std::{
    fs,
    io::{ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The file's path; `None` for a user without a home.
pub(crate) fn path() -> Option<PathBuf> {
    Some(dirs::home_dir()?.join(".secrethub").join("token"))
}

/// The token left there, if any.
pub(crate) fn read(path: &Path) -> Result<Option<SecretString>, Failure> {
    match fs::read_to_string(path).map(Zeroizing::new) {
        Ok(text) if text.trim().is_empty() => Ok(None),
        Ok(text) => Ok(Some(text.trim().into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::from(error).about(&path.display().to_string())),
    }
}

/// Leaves a token: in a new file that only its owner can read, then renamed over the old one.
pub(crate) fn write(path: &Path, token: &str) -> Result<(), Failure> {
    let about = |error| Failure::from(error).about(&path.display().to_string());
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(about)?;
    }
    let fresh = path.with_extension(format!("new.{}", std::process::id()));
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&fresh)
        .and_then(|mut file| file.write_all(token.as_bytes()))
        .and_then(|()| fs::rename(&fresh, path));
    written.map_err(|error| {
        // What was half written must not stay; if it cannot go, the first error is the one to tell.
        let _ = fs::remove_file(&fresh);
        about(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_the_owner_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep").join("token");
        assert!(read(&path).unwrap().is_none());
        for token in ["shs.one", "shs.two"] {
            write(&path, token).unwrap();
            assert_eq!(read(&path).unwrap().unwrap().expose_secret(), token);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
