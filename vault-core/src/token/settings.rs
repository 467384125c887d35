//! [`TokenSettings`]: what a role or a user says of the tokens that a login gives. Every auth method has these fields,
//! under the same names (Vault's `token_*`).

use super::TokenType;
use crate::{
    cidr::Cidr,
    error::Error,
    policy::SECRET_MANAGER,
    token::{ROOT, WRAPPING},
};
use serde::{Deserialize, Serialize};

/// The `token_*` fields of a role, as they stand in its document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenSettings {
    /// Policies, beside the default one.
    pub policies: Vec<String>,
    /// Seconds; 0 = the mount's.
    pub ttl: u64,
    /// Seconds that no renewal passes; 0 = the mount's.
    pub max_ttl: u64,
    /// Seconds that no renewal passes and the token shows; 0 = none.
    pub explicit_max_ttl: u64,
    /// Seconds that every renewal gives; 0 = not periodic.
    pub period: u64,
    /// Uses; 0 = unlimited.
    pub num_uses: u64,
    /// Leave out the default policy.
    pub no_default_policy: bool,
    /// Addresses that it is bound to; none = from everywhere.
    pub bound_cidrs: Vec<Cidr>,
    /// The kind of its tokens.
    #[serde(rename = "type", skip_serializing_if = "TokenType::is_default")]
    pub kind: TokenType,
}

impl TokenSettings {
    /// Refuses what no login could give.
    pub fn check(&self) -> Result<(), Error> {
        let reserved = |policy: &&String| [ROOT, WRAPPING, SECRET_MANAGER].contains(&policy.as_str());
        if let Some(policy) = self.policies.iter().find(reserved) {
            return Err(Error::invalid(format!("policy {policy:?} cannot be given by an auth method")));
        }
        if self.max_ttl > 0 && self.ttl > self.max_ttl {
            return Err(Error::invalid("\"token_ttl\" cannot be greater than \"token_max_ttl\""));
        }
        if self.kind.may_be_batch() && self.num_uses > 0 {
            return Err(Error::invalid(
                "\"token_type\" cannot be \"batch\" or \"default-batch\" where tokens have a limited use count",
            ));
        }
        if self.kind.may_be_batch() && self.period > 0 {
            return Err(Error::invalid(
                "\"token_type\" cannot be \"batch\" or \"default-batch\" where tokens are periodic",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_login_could_give_is_refused() {
        let check = |change: fn(&mut TokenSettings), good: bool| {
            let mut settings = TokenSettings::default();
            change(&mut settings);
            assert_eq!(settings.check().is_ok(), good, "{settings:?}");
        };
        check(|_| (), true);
        check(|s| s.policies = vec!["a".into()], true);
        check(|s| s.policies = vec!["a".into(), "root".into()], false);
        check(|s| s.policies = vec!["response-wrapping".into()], false);
        check(|s| (s.ttl, s.max_ttl) = (60, 30), false);
        check(|s| (s.ttl, s.max_ttl) = (60, 0), true);
        check(|s| (s.kind, s.num_uses) = (TokenType::Batch, 1), false);
        check(|s| (s.kind, s.num_uses) = (TokenType::Service, 1), true);
        check(|s| (s.kind, s.period) = (TokenType::DefaultBatch, 1), false);
    }
}
