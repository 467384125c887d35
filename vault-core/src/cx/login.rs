//! What auth methods ask of the vault beyond their own mount: entries that tokens rest on, and tokens for who has proved
//! who he is. They never see the token store.

use super::Cx;
use crate::{
    engine::Call,
    error::Error,
    request::Reply,
    store::Op,
    token::{NewToken, TokenSettings, TokenType, TtlBounds, holder_key, issue},
};
use serde_json::{Map, Value};
use std::time::Duration;

/// Who has come in, and what a token for him shall be.
#[derive(Debug)]
pub struct Login<'a> {
    /// The role's or the user's.
    pub settings: &'a TokenSettings,
    /// The path below the mount that gives the token, spelled in one way: revoking by path knows it by this.
    pub path: String,
    /// What people and the audit log call him.
    pub display_name: String,
    /// Stands with the token.
    pub meta: Option<Map<String, Value>>,
    /// See [`Cx::raise_holder`].
    pub holders: Vec<String>,
    /// Names under which policies may know him.
    pub entities: Vec<String>,
}

impl Cx {
    /// A new entry that tokens may rest on: they are good only while it stands. It is named at random, so that what is
    /// deleted and made anew has another. It goes with the mount.
    pub fn raise_holder(&mut self) -> Result<String, Error> {
        let holder = self.name_holder()?;
        self.restore_holder(&holder)?;
        Ok(holder)
    }

    /// A name for one that does not stand yet.
    pub fn name_holder(&self) -> Result<String, Error> {
        Ok(format!("standing/{}/{}", self.mount.id, self.make_id()?))
    }

    /// The name under which a secret is kept that somebody proves himself by: a keyed hash, in hex, so that who reads the
    /// store cannot try texts. The domain keeps secrets of one kind apart from those of another.
    pub fn secret_index(&self, domain: &str, text: &str) -> Result<String, Error> {
        let parts = zeroize::Zeroizing::new(format!("{}:{domain}:{text}", domain.len()));
        Ok(self.barrier()?.token_hash(&parts))
    }

    /// Raises one anew that was ended, for who is activated again: the tokens that rest on it are good again.
    pub fn restore_holder(&mut self, holder: &str) -> Result<(), Error> {
        let key = holder_key(holder)?;
        let sealed = self.barrier()?.seal(&key, &[])?;
        self.stage(key, Op::Create(sealed))
    }

    /// Ends one: everything that rests on it ends with the commit, at the next request on every node.
    pub async fn end_holder(&mut self, holder: &str) -> Result<(), Error> {
        match self.read([holder_key(holder)?]).await?.pop().flatten() {
            Some(entry) => self.stage(entry.key, Op::Remove(entry.rev)),
            None => Ok(()),
        }
    }

    /// A token for who has come in. No holder needs to be held to: a token whose holder has gone meanwhile is not good.
    pub fn issue_login(&mut self, call: Call<'_>, login: Login<'_>) -> Result<Reply, Error> {
        let settings = login.settings;
        settings.check()?;
        if !crate::cidr::admits(&settings.bound_cidrs, call.request.remote.address) {
            self.note_rule("the role's tokens are bound to other addresses");
            return Err(Error::denied());
        }
        let new = self.token_of(login)?;
        let name = new.display_name.clone();
        let issued = issue(self.barrier()?, new, self.now)?;
        for (name, document) in &issued.entries {
            self.create_root_document(name, document)?;
        }
        self.notes.came = Some((name, issued.auth.accessor.clone()));
        Ok(Reply::auth(issued.auth))
    }

    fn token_of(&self, login: Login<'_>) -> Result<NewToken, Error> {
        let Login { settings, path, display_name, meta, holders, entities } = login;
        let seconds = |seconds: u64| (seconds > 0).then(|| Duration::from_secs(seconds));
        let of_mount = TokenType::parse(&self.mount.config.token_type)?;
        Ok(NewToken {
            policies: settings.policies.clone(),
            no_default_policy: settings.no_default_policy,
            meta,
            display_name,
            path: [self.mount.path.as_str(), &path].concat(),
            ttl: seconds(settings.ttl),
            explicit_max_ttl: seconds(settings.explicit_max_ttl),
            period: seconds(settings.period),
            renewable: true,
            num_uses: Some(settings.num_uses),
            ancestors: Vec::new(),
            bounds: TtlBounds { default: self.mount.default_ttl(), max: self.mount.max_ttl() },
            generation: self.newest_revocation(),
            holders,
            entities,
            bound_cidrs: settings.bound_cidrs.clone(),
            max_ttl: seconds(settings.max_ttl),
            role: String::new(),
            kind: TokenType::settle(of_mount, settings.kind, None),
        })
    }
}
