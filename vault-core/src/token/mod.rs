//! Tokens: who asks. A token is stored under a keyed hash of itself and read at every request; only what its bytes mean
//! is remembered, under their revision. It is good only while each of its ancestors stands, so revoking a parent ends
//! its tree at once.

mod batch;
mod issue;
mod kind;
mod lookup;
mod settings;
mod wrapping;

pub use batch::BATCH_PREFIX;
pub(crate) use batch::open as open_batch;
pub(crate) use issue::{Issued, auth_of, due_key, issue, issue_service, make_token_text};
pub use issue::{NewToken, TtlBounds};
pub use kind::{TokenKind, TokenType};
pub(crate) use lookup::{Seen, Shown, holder_key, read_identity};
pub use settings::TokenSettings;
pub use wrapping::WRAPPING;
pub(crate) use wrapping::{
    NewWrapping, Wrapping, document, make_wrapping, open as open_wrapped, response_name,
};

use crate::{
    cidr::{Cidr, admits},
    id::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{net::IpAddr, time::Duration};

/// The policy that may do everything.
pub const ROOT: &str = "root";
/// The policy that every token has unless it was made without.
pub const DEFAULT: &str = "default";
/// What a service token starts with.
pub const PREFIX: &str = "shs.";

/// A service token, as stored (format 1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Version of this document.
    pub format: u8,
    /// Names the token without giving its right.
    pub accessor: String,
    /// Its policies, sorted.
    pub policies: Vec<String>,
    /// What its maker attached.
    pub meta: Option<Map<String, Value>>,
    /// What people and the audit log call it.
    pub display_name: String,
    /// The path that made it.
    pub path: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends; `None` = never.
    pub expires: Option<Timestamp>,
    /// Seconds it was given when made; 0 = for ever.
    pub creation_ttl: u64,
    /// Seconds after `created` that no renewal passes; 0 = no such bound.
    pub explicit_max_ttl: u64,
    /// Seconds that every renewal gives, without a bound; 0 = not periodic.
    pub period: u64,
    /// May it be renewed.
    pub renewable: bool,
    /// When it was last renewed.
    pub last_renewal: Option<Timestamp>,
    /// Uses left; `None` = unlimited.
    pub uses_left: Option<u64>,
    /// Hashes of its ancestors (hex), parent first; empty = orphan.
    pub ancestors: Vec<String>,
    /// Number of the newest revocation by path when it was made: older ones do not end it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub generation: u64,
    /// Revoked itself, kept so that its children still stand (`revoke-orphan`).
    pub husk: bool,
    /// Keys below `ns/0/` that must stand for it to be good: what a role, a user or an application keeps there for as
    /// long as it may do anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holders: Vec<String>,
    /// Names under which policies may know its holder: `approle/web`, `userpass/alice`, the id of an application.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entities: Vec<String>,
    /// Addresses from which it may be used; empty = from everywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bound_cidrs: Vec<Cidr>,
    /// Seconds after `created` that no renewal passes, by the role that gave it; 0 = the mount's bound alone.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub max_ttl: u64,
    /// The token role that it was made by; empty = none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub role: String,
    /// What is stored is a service token; a batch token is never stored.
    #[serde(skip)]
    pub kind: TokenKind,
}

impl Token {
    /// Is it good at this time, as far as it alone can tell.
    pub fn is_good(&self, now: Timestamp) -> bool {
        !self.husk && self.expires.is_none_or(|end| end > now) && self.uses_left != Some(0)
    }

    /// Seconds it has left, rounded up; 0 = for ever.
    pub fn ttl(&self, now: Timestamp) -> u64 {
        self.expires.map_or(0, |end| end.since(now).as_micros().div_ceil(1_000_000) as u64)
    }

    /// When it would end if renewed now for `increment` (or its default), within its bounds.
    /// `longest` is the mount's bound for tokens that have none of their own.
    pub fn renewed_until(&self, now: Timestamp, increment: Option<Duration>, longest: Duration) -> Timestamp {
        let wanted = match (self.period, increment) {
            (0, Some(increment)) if !increment.is_zero() => increment,
            (0, _) => Duration::from_secs(self.creation_ttl),
            (period, _) => Duration::from_secs(period),
        };
        let cap = match (self.explicit_max_ttl, self.period) {
            (0, 0) => self.created.plus(self.longest(longest)),
            (0, _) => Timestamp(u64::MAX),
            (explicit, _) => self.created.plus(Duration::from_secs(explicit)),
        };
        now.plus(wanted).min(cap)
    }

    /// The role's bound within the mount's.
    fn longest(&self, longest: Duration) -> Duration {
        if self.max_ttl == 0 { longest } else { longest.min(Duration::from_secs(self.max_ttl)) }
    }

    /// Does it hold the root policy.
    pub fn is_root(&self) -> bool {
        self.policies.iter().any(|policy| policy == ROOT)
    }

    /// May it be used from this address. An unknown address is none of those that it is bound to.
    pub fn admits(&self, address: Option<IpAddr>) -> bool {
        admits(&self.bound_cidrs, address)
    }

    /// Is it a claim that nothing is stored of.
    pub fn is_batch(&self) -> bool {
        self.kind == TokenKind::Batch
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Who asks, for one request.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The token; `None` for an identity that is built in.
    pub token: Option<Token>,
    /// Keyed hash of the token, hex; the name of a built-in identity otherwise.
    pub hash: String,
    /// Policies in force.
    pub policies: Vec<String>,
    /// What the audit log calls it.
    pub display_name: String,
    /// Names that policies' bindings match; none for what is built in.
    pub entities: Vec<String>,
}

impl Identity {
    /// An identity that needs no token, with one policy of its own.
    pub fn built_in(name: &str) -> Self {
        Self {
            token: None,
            hash: name.to_owned(),
            policies: vec![name.to_owned()],
            display_name: name.to_owned(),
            entities: Vec::new(),
        }
    }

    /// Who holds a token, which stands under this hash.
    pub(crate) fn of(token: Token, hash: &str) -> Self {
        let (policies, display_name) = (token.policies.clone(), token.display_name.clone());
        let entities = token.entities.clone();
        Self { token: Some(token), hash: hash.to_owned(), policies, display_name, entities }
    }

    /// Hashes of the tokens above its own, the nearest first.
    pub(crate) fn ancestors(&self) -> &[String] {
        self.token.as_ref().map(|token| token.ancestors.as_slice()).unwrap_or_default()
    }

    /// Keys below `ns/0/` that must stand for its token to be good.
    pub(crate) fn holders(&self) -> &[String] {
        self.token.as_ref().map(|token| token.holders.as_slice()).unwrap_or_default()
    }

    /// Is its token good at this time, as far as it alone can tell.
    fn is_good(&self, now: Timestamp) -> bool {
        self.token.as_ref().is_some_and(|token| token.is_good(now))
    }

    /// May it do everything.
    pub fn is_root(&self) -> bool {
        self.policies.iter().any(|policy| policy == ROOT)
    }

    /// How long its token lives in all, from its making to its end as it stands now; for ever is longer than any bound. Of
    /// an identity without a token nothing is known.
    pub(crate) fn lifetime(&self) -> Option<Duration> {
        let token = self.token.as_ref()?;
        Some(token.expires.map_or(Duration::MAX, |end| end.since(token.created)))
    }

    /// Names the part of the cubbyhole that is this token's own.
    pub fn cubbyhole(&self) -> &str {
        &self.hash
    }

    /// The token; an error for a built-in identity.
    pub fn require_token(&self) -> Result<&Token, crate::Error> {
        self.token.as_ref().ok_or_else(crate::Error::unauthenticated)
    }
}

#[cfg(test)]
impl Token {
    /// One that is good for ever and can do nothing.
    pub(crate) fn blank() -> Self {
        Self {
            format: 1,
            accessor: "a".into(),
            policies: vec![DEFAULT.into()],
            meta: None,
            display_name: "token".into(),
            path: "auth/token/create".into(),
            created: Timestamp(0),
            expires: None,
            creation_ttl: 0,
            explicit_max_ttl: 0,
            period: 0,
            renewable: true,
            last_renewal: None,
            uses_left: None,
            ancestors: vec![],
            generation: 0,
            husk: false,
            holders: vec![],
            entities: vec![],
            bound_cidrs: vec![],
            max_ttl: 0,
            role: String::new(),
            kind: TokenKind::Service,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goodness() {
        let second = Timestamp(1_000_000);
        let check = |change: fn(&mut Token), expect: bool| {
            let mut token = Token::blank();
            change(&mut token);
            assert_eq!(token.is_good(second), expect, "{token:?}");
        };
        check(|_| (), true);
        check(|t| t.expires = Some(Timestamp(1_000_001)), true);
        check(|t| t.expires = Some(Timestamp(1_000_000)), false);
        check(|t| t.uses_left = Some(1), true);
        check(|t| t.uses_left = Some(0), false);
        check(|t| t.husk = true, false);
    }

    #[test]
    fn renewal_stays_within_bounds() {
        let now = Timestamp(100_000_000);
        let check = |change: fn(&mut Token), increment: Option<u64>, expect: u64| {
            let mut token = Token { creation_ttl: 60, ..Token::blank() };
            change(&mut token);
            let until =
                token.renewed_until(now, increment.map(Duration::from_secs), crate::limits::LEASE_TTL_MAX);
            assert_eq!(until.unix_seconds(), expect, "{token:?}");
        };
        check(|_| (), None, 160);
        check(|_| (), Some(0), 160);
        check(|_| (), Some(10), 110);
        check(|_| (), Some(u64::from(u32::MAX)), 32 * 86_400);
        check(|t| t.explicit_max_ttl = 130, Some(1_000), 130);
        check(|t| t.period = 5, Some(1_000), 105);
        check(|t| (t.period, t.explicit_max_ttl) = (50, 120), None, 120);
        check(|t| t.max_ttl = 130, Some(1_000), 130);
        check(|t| (t.period, t.max_ttl) = (50, 120), None, 150);
    }

    /// Format 1 as the first releases wrote it, and with everything that was added since.
    #[test]
    fn golden_format_1() {
        let first = r#"{"format":1,"accessor":"a","policies":["default"],"meta":null,"display_name":"token","path":"auth/token/create","created":0,"expires":null,"creation_ttl":0,"explicit_max_ttl":0,"period":0,"renewable":true,"last_renewal":null,"uses_left":null,"ancestors":[],"husk":false}"#;
        let added = r#","holders":["standing/m/s"],"entities":["approle/web"],"bound_cidrs":["10.0.0.0/8"],"max_ttl":60,"role":"r"}"#;
        let full = Token {
            holders: vec!["standing/m/s".into()],
            entities: vec!["approle/web".into()],
            bound_cidrs: vec!["10.0.0.0/8".parse().unwrap()],
            max_ttl: 60,
            role: "r".into(),
            ..Token::blank()
        };
        let check = |golden: &str, token: &Token| {
            assert_eq!(serde_json::to_string(token).unwrap(), golden);
            assert_eq!(serde_json::from_str::<Token>(golden).unwrap(), *token);
        };
        check(first, &Token::blank());
        check(&[&first[..first.len() - 1], added].concat(), &full);
    }
}
