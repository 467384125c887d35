//! Passwords of people: what is stored of one, and whether somebody has said it. Hashed a bounded number at a time.

use super::Cx;
use crate::{
    Secret,
    crypto::{Argon2Cost, same},
    error::Error,
};
use serde::{Deserialize, Serialize};

/// A password's hash (Argon2id, RFC 9106) with what it was made with; part of a user's document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Password {
    /// 16 bytes, hex.
    salt: String,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    /// 32 bytes, hex.
    key: String,
}

impl Password {
    /// What nobody's password is: it costs a stranger as much as another to learn that.
    pub fn nobodys() -> Self {
        let Argon2Cost { memory_kib, passes, lanes } = Argon2Cost::default();
        Self { salt: "00".repeat(16), memory_kib, passes, lanes, key: "00".repeat(32) }
    }
}

impl Cx {
    /// What is to be stored of a new password. `Unavailable` where too many are being hashed.
    pub async fn hash_password(&self, password: Secret<String>) -> Result<Password, Error> {
        let mut salt = [0; 16];
        self.make_bytes(&mut salt)?;
        let cost = Argon2Cost::default();
        let key = self.system.stretch_password(password, salt, cost).await?;
        let Argon2Cost { memory_kib, passes, lanes } = cost;
        // EXPOSE: what is stored of a password is this hash, sealed.
        let key = hex::encode(key.expose());
        Ok(Password { salt: hex::encode(salt), memory_kib, passes, lanes, key })
    }

    /// Is this the password that a hash was made of. Takes as long either way.
    pub async fn is_password(&self, hash: &Password, password: Secret<String>) -> Result<bool, Error> {
        let cost = Argon2Cost { memory_kib: hash.memory_kib, passes: hash.passes, lanes: hash.lanes };
        let (mut salt, mut expected) = ([0; 16], [0; 32]);
        hex::decode_to_slice(&hash.salt, &mut salt).map_err(Error::internal)?;
        hex::decode_to_slice(&hash.key, &mut expected).map_err(Error::internal)?;
        let key = self.system.stretch_password(password, salt, cost).await?;
        // EXPOSE: compared in constant time.
        Ok(same(key.expose(), &expected))
    }
}
