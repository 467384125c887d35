//! Making and removing tokens: which entries come and go together.

use super::{DEFAULT, Identity, PREFIX, ROOT, Token, TokenKind, batch};
use crate::{
    Secret,
    barrier::Barrier,
    cidr::Cidr,
    error::Error,
    id::Timestamp,
    limits::{BATCH_TTL_MAX, LEASE_TTL_DEFAULT, LEASE_TTL_MAX, TOKEN_DEPTH_MAX},
    request::Auth,
};
use serde_json::{Map, Value};
use std::time::Duration;

/// What a token shall be.
#[derive(Debug, Default)]
pub struct NewToken {
    /// Its policies, as asked; they are put in order when it is issued.
    pub policies: Vec<String>,
    /// Leave out the default policy.
    pub no_default_policy: bool,
    /// What its maker attaches.
    pub meta: Option<Map<String, Value>>,
    /// What people call it.
    pub display_name: String,
    /// The path that makes it.
    pub path: String,
    /// How long it lives.
    pub ttl: Option<Duration>,
    /// What no renewal passes.
    pub explicit_max_ttl: Option<Duration>,
    /// What every renewal gives.
    pub period: Option<Duration>,
    /// May it be renewed.
    pub renewable: bool,
    /// How often it may be used.
    pub num_uses: Option<u64>,
    /// Hashes of its ancestors, parent first; empty = orphan.
    pub ancestors: Vec<String>,
    /// How long a token of this mount lives.
    pub bounds: TtlBounds,
    /// Number of the newest revocation by path; without it the token may be taken for older than it is.
    pub generation: u64,
    /// See [`Token::holders`].
    pub holders: Vec<String>,
    /// See [`Token::entities`].
    pub entities: Vec<String>,
    /// See [`Token::bound_cidrs`].
    pub bound_cidrs: Vec<Cidr>,
    /// What no renewal passes though the token shows no such bound: a role's.
    pub max_ttl: Option<Duration>,
    /// See [`Token::role`].
    pub role: String,
    /// Is it stored, or a claim.
    pub kind: TokenKind,
}

/// How long the tokens of a mount live.
#[derive(Clone, Copy, Debug)]
pub struct TtlBounds {
    /// Where nobody says otherwise.
    pub default: Duration,
    /// At most, unless they are periodic.
    pub max: Duration,
}

impl Default for TtlBounds {
    fn default() -> Self {
        Self { default: LEASE_TTL_DEFAULT, max: LEASE_TTL_MAX }
    }
}

/// Entries that make up a token, and what its maker is told.
pub(crate) struct Issued {
    /// Key below `ns/0/`, and document.
    pub(crate) entries: Vec<(String, Vec<u8>)>,
    /// The reply.
    pub(crate) auth: Auth,
}

impl NewToken {
    /// The chain of ancestors for a child of `parent`.
    pub fn below(parent: &Identity) -> Result<Vec<String>, Error> {
        let above = parent.token.as_ref().map(|token| token.ancestors.as_slice()).unwrap_or_default();
        if above.len() + 1 >= TOKEN_DEPTH_MAX {
            return Err(Error::invalid(format!(
                "a token may have at most {TOKEN_DEPTH_MAX} ancestors; create an orphan instead"
            )));
        }
        Ok(std::iter::once(parent.hash.clone()).chain(above.iter().cloned()).collect())
    }

    fn settled_policies(&self) -> Vec<String> {
        let mut policies: Vec<String> =
            self.policies.iter().map(|policy| policy.trim().to_lowercase()).collect();
        policies.retain(|policy| !policy.is_empty());
        if policies.iter().any(|policy| policy == ROOT) {
            return vec![ROOT.to_owned()];
        }
        if !self.no_default_policy {
            policies.push(DEFAULT.to_owned());
        }
        policies.sort();
        policies.dedup();
        policies
    }

    /// Seconds it shall live: 0 = for ever, which only root may.
    fn settled_ttl(&self, is_root: bool) -> Duration {
        let longest = self.longest();
        let capped = |ttl: Duration| ttl.min(self.settled_cap().unwrap_or(longest)).min(longest);
        match (self.period.filter(|period| !period.is_zero()), self.ttl.filter(|ttl| !ttl.is_zero())) {
            (Some(period), _) => period,
            (None, Some(ttl)) => capped(ttl),
            (None, None) if is_root => Duration::ZERO,
            (None, None) => capped(self.bounds.default),
        }
    }

    /// The role's bound within the mount's.
    fn longest(&self) -> Duration {
        self.max_ttl.filter(|ttl| !ttl.is_zero()).map_or(self.bounds.max, |ttl| ttl.min(self.bounds.max))
    }

    /// What no renewal passes, within the mount's bound.
    fn settled_cap(&self) -> Option<Duration> {
        self.explicit_max_ttl.filter(|cap| !cap.is_zero()).map(|cap| cap.min(self.bounds.max))
    }
}

/// Makes a token of the kind that is wanted, with a text of its own.
pub(crate) fn issue(barrier: &Barrier, new: NewToken, now: Timestamp) -> Result<Issued, Error> {
    match new.kind {
        TokenKind::Service => {
            let text = make_token_text(|bytes| barrier.make_bytes(bytes));
            issue_service(barrier, new, text, now)
        }
        TokenKind::Batch => issue_batch(barrier, new, now),
    }
}

/// Makes the documents of a service token with this text.
pub(crate) fn issue_service(
    barrier: &Barrier,
    new: NewToken,
    text: Secret<String>,
    now: Timestamp,
) -> Result<Issued, Error> {
    // EXPOSE: the token's index is a keyed hash of its text.
    let hash = barrier.token_hash(text.expose());
    let accessor = make_token_text(|bytes| barrier.make_bytes(bytes));
    // EXPOSE: an accessor is made like a token, but is no secret.
    let accessor = accessor.expose()[PREFIX.len()..].to_owned();
    let token = settle(new, accessor, now)?;
    let mut entries = vec![
        (format!("token/{hash}"), serde_json::to_vec(&token).map_err(Error::internal)?),
        (format!("accessor/{}", token.accessor), hash.as_bytes().to_vec()),
    ];
    if let Some(parent) = token.ancestors.first() {
        entries.push((format!("token-child/{parent}/{hash}"), Vec::new()));
    }
    if let Some(expires) = token.expires {
        entries.push((due_key(&hash, expires), Vec::new()));
    }
    Ok(Issued { entries, auth: auth_of(&token, text, now) })
}

/// Makes a batch token. What it cannot keep is refused, never left out.
fn issue_batch(barrier: &Barrier, mut new: NewToken, now: Timestamp) -> Result<Issued, Error> {
    if new.settled_policies() == [ROOT] {
        return Err(Error::invalid("batch tokens cannot be root tokens"));
    }
    if new.num_uses.is_some_and(|uses| uses > 0) {
        return Err(Error::invalid("batch tokens cannot have \"num_uses\" set"));
    }
    let ttl = new.settled_ttl(false).min(BATCH_TTL_MAX);
    (new.period, new.ttl, new.renewable) = (None, Some(ttl), false);
    let token = settle(new, String::new(), now)?;
    let text = batch::make(barrier, &token)?;
    Ok(Issued { entries: Vec::new(), auth: auth_of(&token, text, now) })
}

/// What the token is, once all bounds are applied.
fn settle(new: NewToken, accessor: String, now: Timestamp) -> Result<Token, Error> {
    if new.holders.len() > TOKEN_DEPTH_MAX {
        return Err(Error::invalid(format!("a token may rest on at most {TOKEN_DEPTH_MAX} holders")));
    }
    let policies = new.settled_policies();
    let is_root = policies == [ROOT];
    let (ttl, cap) = (new.settled_ttl(is_root), new.settled_cap());
    Ok(Token {
        format: 1,
        accessor,
        display_name: new.display_name,
        path: new.path,
        created: now,
        expires: (!ttl.is_zero()).then(|| now.plus(ttl)),
        creation_ttl: ttl.as_secs(),
        explicit_max_ttl: cap.unwrap_or_default().as_secs(),
        period: new.period.unwrap_or_default().as_secs(),
        renewable: new.renewable && !ttl.is_zero(),
        last_renewal: None,
        uses_left: new.num_uses.filter(|uses| *uses > 0),
        ancestors: new.ancestors,
        generation: new.generation,
        husk: false,
        meta: new.meta,
        policies,
        holders: new.holders,
        entities: new.entities,
        bound_cidrs: new.bound_cidrs,
        max_ttl: new.max_ttl.unwrap_or_default().as_secs(),
        role: new.role,
        kind: new.kind,
    })
}

/// The `auth` block of a reply about a token. An empty text hides it.
pub(crate) fn auth_of(token: &Token, text: Secret<String>, now: Timestamp) -> Auth {
    Auth {
        client_token: text,
        accessor: token.accessor.clone(),
        policies: token.policies.clone(),
        token_policies: token.policies.clone(),
        metadata: token.meta.clone(),
        lease_duration: token.ttl(now),
        renewable: token.renewable,
        entity_id: String::new(),
        token_type: token.kind.as_str().to_owned(),
        orphan: token.ancestors.is_empty(),
        mfa_requirement: None,
        num_uses: token.uses_left.unwrap_or(0),
    }
}

/// Where the sweep finds a token when its time has come; below `ns/0/`. The shard spreads nodes.
pub(crate) fn due_key(hash: &str, expires: Timestamp) -> String {
    let shard = hash.get(..1).unwrap_or("0");
    format!("lease-due/{shard}/{:016x}/t-{hash}", expires.0)
}

/// A fresh token: prefix and 24 characters of base 62, 142 bits.
pub(crate) fn make_token_text(mut fill_random: impl FnMut(&mut [u8])) -> Secret<String> {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = String::with_capacity(PREFIX.len() + 24);
    text.push_str(PREFIX);
    while text.len() < PREFIX.len() + 24 {
        let mut byte = [0];
        fill_random(&mut byte);
        // 248 = 4 · 62: what is above would favour some characters.
        if byte[0] < 248 {
            text.push(char::from(ALPHABET[usize::from(byte[0]) % 62]));
        }
    }
    Secret::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_texts_are_uniform_and_28_long() {
        let mut next = 0u8;
        let text = make_token_text(|bytes| {
            for byte in bytes {
                *byte = next;
                next = next.wrapping_add(97);
            }
        });
        assert_eq!(text.expose().len(), 28);
        assert!(text.expose()[4..].bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let again = make_token_text(|bytes| bytes.fill(61));
        assert_eq!(again.expose(), "shs.zzzzzzzzzzzzzzzzzzzzzzzz");
    }

    #[test]
    fn policies_are_settled() {
        let check = |policies: &[&str], no_default: bool, expect: &[&str]| {
            let policies = policies.iter().map(|policy| (*policy).to_owned()).collect();
            let new = NewToken { policies, no_default_policy: no_default, ..NewToken::default() };
            assert_eq!(new.settled_policies(), expect);
        };
        check(&[], false, &["default"]);
        check(&[], true, &[]);
        check(&["B", "a", "a", ""], false, &["a", "b", "default"]);
        check(&["a", "root"], false, &["root"]);
    }

    #[test]
    fn ttls_are_settled() {
        let hours = |hours: u64| Duration::from_secs(hours * 3_600);
        let check =
            |new: NewToken, is_root: bool, expect: Duration| assert_eq!(new.settled_ttl(is_root), expect);
        check(NewToken::default(), true, Duration::ZERO);
        check(NewToken::default(), false, hours(768));
        check(NewToken { ttl: Some(hours(1)), ..NewToken::default() }, true, hours(1));
        check(NewToken { ttl: Some(hours(9_999)), ..NewToken::default() }, false, hours(768));
        let both = NewToken { ttl: Some(hours(9)), explicit_max_ttl: Some(hours(2)), ..NewToken::default() };
        check(both, false, hours(2));
        let tuned = TtlBounds { default: hours(1), max: hours(3) };
        check(NewToken { bounds: tuned, ..NewToken::default() }, false, hours(1));
        check(NewToken { bounds: tuned, ttl: Some(hours(9)), ..NewToken::default() }, false, hours(3));
        let cap = Some(hours(9));
        check(
            NewToken { bounds: tuned, ttl: cap, explicit_max_ttl: cap, ..NewToken::default() },
            false,
            hours(3),
        );
        check(NewToken { period: Some(hours(9_999)), ..NewToken::default() }, false, hours(9_999));
        let role = NewToken { max_ttl: Some(hours(2)), ..NewToken::default() };
        check(role, false, hours(2));
        let role = NewToken { max_ttl: Some(hours(2)), ttl: Some(hours(3)), ..NewToken::default() };
        check(role, false, hours(2));
    }
}
