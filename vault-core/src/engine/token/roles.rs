//! Token roles: what may be made at `create/ROLE`, decided beforehand by whoever wrote the role (Vault API,
//! `auth/token/roles`).

use super::PAGE;
use crate::{
    Operation::{Delete, List, Read, Write},
    cidr::Cidr,
    cx::Cx,
    engine::{
        Access, Call, Field,
        FieldKind::{Boolean, Integer, List as ListKind, Refused, Seconds, Text},
        Route,
    },
    error::Error,
    limits::LIST_NAMES_MAX,
    policy::SECRET_MANAGER,
    request::Reply,
    token::{DEFAULT, NewToken, ROOT, TokenType, WRAPPING},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;

const FIELDS: &[Field] = &[
    Field::new(
        "allowed_policies",
        ListKind,
        "Policies that its tokens may have; all of them where none is asked.",
    ),
    Field::new("allowed_policies_glob", ListKind, "The same with `*` for any text."),
    Field::new("disallowed_policies", ListKind, "Policies that its tokens may not have."),
    Field::new("disallowed_policies_glob", ListKind, "The same with `*` for any text."),
    Field::new("orphan", Boolean, "Its tokens have no parent."),
    Field::new("renewable", Boolean, "May its tokens be renewed; true where absent."),
    Field::new("path_suffix", Text, "Stands at the end of the path that its tokens show."),
    Field::new("token_period", Seconds, "What every renewal gives."),
    Field::new("period", Seconds, "Old name of `token_period`."),
    Field::new("token_explicit_max_ttl", Seconds, "What no renewal passes."),
    Field::new("explicit_max_ttl", Seconds, "Old name of `token_explicit_max_ttl`."),
    Field::new("token_no_default_policy", Boolean, "Leave out the default policy."),
    Field::new("token_num_uses", Integer, "How often its tokens may be used; 0 = unlimited."),
    Field::new("token_type", Text, "`service`, `batch`, `default-service` or `default-batch`."),
    Field::new("token_bound_cidrs", ListKind, "Addresses from which its tokens may be used."),
    Field::new("bound_cidrs", ListKind, "Old name of `token_bound_cidrs`."),
    Field::new("allowed_entity_aliases", Refused, "Identity entities do not exist yet."),
];

/// The rows of `roles`.
pub(super) const ROUTES: [Route; 4] = [
    Route {
        operation: List,
        pattern: "roles",
        access: Access::Token,
        summary: "List roles.",
        fields: PAGE,
        example: "{}",
        handler: |cx, call| Box::pin(list(cx, call)),
    },
    Route {
        operation: Read,
        pattern: "roles/{role}",
        access: Access::Token,
        summary: "Read a role.",
        fields: &[],
        example: "{}",
        handler: |cx, call| Box::pin(read(cx, call)),
    },
    Route {
        operation: Write,
        pattern: "roles/{role}",
        access: Access::Token,
        summary: "Make or change a role.",
        fields: FIELDS,
        example: r#"{"allowed_policies":["default"],"token_period":"1h"}"#,
        handler: |cx, call| Box::pin(write(cx, call)),
    },
    Route {
        operation: Delete,
        pattern: "roles/{role}",
        access: Access::Token,
        summary: "Delete a role.",
        fields: &[],
        example: "{}",
        handler: |cx, call| Box::pin(delete(cx, call)),
    },
];

/// A role, as stored (format 1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Role {
    format: u8,
    allowed: Vec<String>,
    allowed_glob: Vec<String>,
    disallowed: Vec<String>,
    disallowed_glob: Vec<String>,
    pub(super) orphan: bool,
    renewable: bool,
    path_suffix: String,
    /// Seconds; 0 = not periodic.
    period: u64,
    /// Seconds; 0 = no such bound.
    explicit_max_ttl: u64,
    no_default_policy: bool,
    num_uses: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    bound_cidrs: Vec<Cidr>,
    #[serde(default, rename = "type", skip_serializing_if = "TokenType::is_default")]
    pub(super) kind: TokenType,
    /// Shown by its tokens; not stored, it is the key.
    #[serde(skip)]
    name: String,
}

impl Default for Role {
    fn default() -> Self {
        Self {
            format: 1,
            allowed: Vec::new(),
            allowed_glob: Vec::new(),
            disallowed: Vec::new(),
            disallowed_glob: Vec::new(),
            orphan: false,
            renewable: true,
            path_suffix: String::new(),
            period: 0,
            explicit_max_ttl: 0,
            no_default_policy: false,
            num_uses: 0,
            bound_cidrs: Vec::new(),
            kind: TokenType::Default,
            name: String::new(),
        }
    }
}

impl Role {
    /// The policies of a token that asks for `wanted` (Vault's rules): all that are allowed where it asks for none.
    /// `None` = the role has no opinion, and the parent decides.
    pub(super) fn policies(&self, wanted: &[String]) -> Result<Option<Vec<String>>, Error> {
        let restricts = !self.allowed.is_empty() || !self.allowed_glob.is_empty();
        let forbids = !self.disallowed.is_empty() || !self.disallowed_glob.is_empty();
        if !restricts && !forbids {
            return Ok(None);
        }
        let wanted: Vec<String> = wanted.iter().map(|name| name.trim().to_lowercase()).collect();
        let given = if wanted.is_empty() { self.allowed.clone() } else { wanted };
        let allows = |name: &String| matches(&self.allowed, &self.allowed_glob, name);
        let defaults = |name: &String| name == DEFAULT && !self.no_default_policy;
        if restricts && !given.iter().all(|name| allows(name) || defaults(name)) {
            return Err(Error::invalid("token policies must be a subset of the role's allowed policies"));
        }
        match given.iter().find(|name| matches(&self.disallowed, &self.disallowed_glob, name)) {
            Some(name) => Err(Error::invalid(format!("token policy {name:?} is disallowed by this role"))),
            None => Ok(Some(given)),
        }
    }

    /// Bends a token to the role.
    pub(super) fn shape(&self, mut new: NewToken) -> NewToken {
        let seconds = |seconds: u64| (seconds > 0).then(|| Duration::from_secs(seconds));
        let stricter = |a: Option<Duration>, b: Option<Duration>| a.into_iter().chain(b).min();
        new.renewable &= self.renewable;
        new.no_default_policy |=
            self.no_default_policy || matches(&self.disallowed, &self.disallowed_glob, DEFAULT);
        new.period = seconds(self.period).or(new.period);
        let asked = new.explicit_max_ttl.filter(|ttl| !ttl.is_zero());
        new.explicit_max_ttl = stricter(asked, seconds(self.explicit_max_ttl));
        let uses = [new.num_uses.unwrap_or(0), self.num_uses];
        new.num_uses = uses.into_iter().filter(|uses| *uses > 0).min();
        if !self.path_suffix.is_empty() {
            new.path = format!("{}/{}", new.path, self.path_suffix);
        }
        new.bound_cidrs.clone_from(&self.bound_cidrs);
        new.role.clone_from(&self.name);
        new
    }
}

/// Names a policy outright, or by a pattern with `*` for any text.
fn matches(names: &[String], globs: &[String], name: &str) -> bool {
    names.iter().any(|have| have == name) || globs.iter().any(|glob| fits(glob, name))
}

fn fits(glob: &str, name: &str) -> bool {
    let mut parts = glob.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

fn key(name: &str) -> String {
    format!("token-role/{name}")
}

/// The role of a name, for `create`.
pub(super) async fn find(cx: &mut Cx, name: &str) -> Result<Role, Error> {
    let found = cx.get(&key(name)).await?;
    let role: Role = found.ok_or_else(|| Error::invalid(format!("unknown role {name}")))?.json()?;
    Ok(Role { name: name.to_owned(), ..role })
}

async fn list(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let limit = call.integer("limit")?.filter(|limit| *limit > 0).unwrap_or(u64::MAX);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(LIST_NAMES_MAX);
    let keys = cx.list("token-role/", call.text("after")?.as_deref(), limit).await?;
    if keys.is_empty() {
        return Err(Error::not_found());
    }
    Reply::data(&json!({ "keys": keys }))
}

async fn read(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let name = call.param("role");
    let role: Role = cx.get(&key(name)).await?.ok_or_else(Error::not_found)?.json()?;
    Reply::data(&json!({
        "name": name,
        "allowed_policies": role.allowed,
        "allowed_policies_glob": role.allowed_glob,
        "disallowed_policies": role.disallowed,
        "disallowed_policies_glob": role.disallowed_glob,
        "allowed_entity_aliases": null,
        "orphan": role.orphan,
        "renewable": role.renewable,
        "path_suffix": role.path_suffix,
        "period": role.period,
        "explicit_max_ttl": role.explicit_max_ttl,
        "token_period": role.period,
        "token_explicit_max_ttl": role.explicit_max_ttl,
        "token_no_default_policy": role.no_default_policy,
        "token_num_uses": role.num_uses,
        "token_bound_cidrs": role.bound_cidrs,
        "token_type": if role.kind == TokenType::Default { "default-service" } else { role.kind.as_str() },
    }))
}

async fn write(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let found = cx.get(&key(call.param("role"))).await?;
    let before = found.as_ref().map_or_else(|| Ok(Role::default()), |item| item.json())?;
    let role = changed(before, call)?;
    match &found {
        Some(item) => cx.replace_json(item, &role)?,
        None => cx.create_json(&key(call.param("role")), &role)?,
    }
    Ok(Reply::empty())
}

/// The role with what the request names; the rest stays.
fn changed(before: Role, call: Call<'_>) -> Result<Role, Error> {
    let names = |field: &str, before: Vec<String>| -> Result<Vec<String>, Error> {
        let Some(names) = call.list(field)? else { return Ok(before) };
        let mut names: Vec<String> = names.iter().map(|name| name.trim().to_lowercase()).collect();
        names.sort();
        names.dedup();
        Ok(names)
    };
    let seconds = |new: &str, old: &str, before: u64| -> Result<u64, Error> {
        let found = call.duration(new)?.or(call.duration(old)?);
        Ok(found.map_or(before, |duration| duration.as_secs()))
    };
    let suffix = call.text("path_suffix")?.unwrap_or(before.path_suffix);
    if !suffix.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
        return Err(Error::invalid("path_suffix may hold letters, digits, '-', '_' and '.'"));
    }
    let kind = match call.text("token_type")?.filter(|kind| !kind.is_empty()) {
        Some(kind) => TokenType::parse(&kind)?,
        None => before.kind,
    };
    let bound_cidrs = match call.list("token_bound_cidrs")? {
        Some(blocks) => cidrs(&blocks)?,
        None => call.list("bound_cidrs")?.map_or(Ok(before.bound_cidrs), |blocks| cidrs(&blocks))?,
    };
    let role = Role {
        format: 1,
        allowed: names("allowed_policies", before.allowed)?,
        allowed_glob: names("allowed_policies_glob", before.allowed_glob)?,
        disallowed: names("disallowed_policies", before.disallowed)?,
        disallowed_glob: names("disallowed_policies_glob", before.disallowed_glob)?,
        orphan: call.boolean("orphan")?.unwrap_or(before.orphan),
        renewable: call.boolean("renewable")?.unwrap_or(before.renewable),
        path_suffix: suffix,
        period: seconds("token_period", "period", before.period)?,
        explicit_max_ttl: seconds("token_explicit_max_ttl", "explicit_max_ttl", before.explicit_max_ttl)?,
        no_default_policy: call.boolean("token_no_default_policy")?.unwrap_or(before.no_default_policy),
        num_uses: call.integer("token_num_uses")?.unwrap_or(before.num_uses),
        bound_cidrs,
        kind,
        name: String::new(),
    };
    if role.kind.may_be_batch() && (role.num_uses > 0 || role.period > 0 || role.explicit_max_ttl > 0) {
        return Err(Error::invalid(
            "batch tokens cannot be counted, periodic or have an explicit bound: leave out \"token_num_uses\", \
             \"token_period\" and \"token_explicit_max_ttl\"",
        ));
    }
    Ok(role)
}

fn cidrs(blocks: &[String]) -> Result<Vec<Cidr>, Error> {
    blocks.iter().map(|block| block.parse().map_err(|wrong: String| Error::invalid(wrong))).collect()
}

async fn delete(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    if let Some(item) = cx.get(&key(call.param("role"))).await? {
        cx.remove(&item)?;
    }
    Ok(Reply::empty())
}

/// A role may not give who is not root what only root has, or what the vault keeps for itself.
pub(super) fn check_root(policies: &[String], is_root: bool) -> Result<(), Error> {
    let reserved = |policy: &&String| [ROOT, WRAPPING, SECRET_MANAGER].contains(&policy.as_str());
    match policies.iter().find(reserved) {
        Some(policy) if !is_root => {
            Err(Error::invalid(format!("a token with the policy {policy:?} needs a parent that is root")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn golden() {
        let golden = r#"{"format":1,"allowed":["a"],"allowed_glob":[],"disallowed":[],"disallowed_glob":["b*"],"orphan":true,"renewable":true,"path_suffix":"x","period":3600,"explicit_max_ttl":0,"no_default_policy":false,"num_uses":7}"#;
        let role = Role {
            allowed: texts(&["a"]),
            disallowed_glob: texts(&["b*"]),
            orphan: true,
            path_suffix: "x".to_owned(),
            period: 3_600,
            num_uses: 7,
            ..Role::default()
        };
        assert_eq!(serde_json::to_string(&role).unwrap(), golden);
        assert_eq!(serde_json::from_str::<Role>(golden).unwrap(), role);
        let added = r#","bound_cidrs":["10.0.0.0/8"],"type":"default-batch"}"#;
        let golden = [&golden[..golden.len() - 1], added].concat();
        let blocks = vec!["10.0.0.0/8".parse().unwrap()];
        let role = Role { bound_cidrs: blocks, kind: TokenType::DefaultBatch, ..role };
        assert_eq!(serde_json::to_string(&role).unwrap(), golden);
        assert_eq!(serde_json::from_str::<Role>(&golden).unwrap(), role);
    }

    #[test]
    fn globs() {
        let check =
            |glob: &str, name: &str, expect: bool| assert_eq!(fits(glob, name), expect, "{glob} {name}");
        check("team-*", "team-a", true);
        check("team-*", "team", false);
        check("*", "", true);
        check("a*c*e", "abcde", true);
        check("a*c*e", "ace", true);
        check("a*c*e", "acd", false);
        check("a*a", "a", false);
        check("exact", "exact", true);
        check("exact", "exactly", false);
    }

    #[test]
    fn a_role_decides_policies() {
        let role = |allowed: &[&str], disallowed: &[&str]| Role {
            allowed: texts(allowed),
            disallowed_glob: texts(disallowed),
            ..Role::default()
        };
        let check = |role: &Role, wanted: &[&str], expect: Option<Option<&[&str]>>| {
            let found = role.policies(&texts(wanted)).ok();
            assert_eq!(found, expect.map(|some| some.map(texts)), "{wanted:?}");
        };
        check(&role(&[], &[]), &["a"], Some(None));
        check(&role(&["a", "b"], &[]), &[], Some(Some(&["a", "b"])));
        check(&role(&["a", "b"], &[]), &["B", "default"], Some(Some(&["b", "default"])));
        check(&role(&["a"], &[]), &["c"], None);
        check(&role(&[], &["ops*"]), &["dev"], Some(Some(&["dev"])));
        check(&role(&[], &["ops*"]), &["ops-1"], None);
        check(&role(&["ops-1"], &["ops*"]), &[], None);
        check(&Role { no_default_policy: true, ..role(&["a"], &[]) }, &["default"], None);
    }

    #[test]
    fn a_role_bends_tokens() {
        let hour = Duration::from_secs(3_600);
        let role =
            Role { renewable: false, period: 60, explicit_max_ttl: 60, num_uses: 3, ..Role::default() };
        let asked = NewToken {
            renewable: true,
            explicit_max_ttl: Some(hour),
            num_uses: Some(9),
            ..NewToken::default()
        };
        let new =
            Role { path_suffix: "x".to_owned(), ..role }.shape(NewToken { path: "p".to_owned(), ..asked });
        assert!(!new.renewable);
        assert_eq!(
            (new.period, new.explicit_max_ttl),
            (Some(Duration::from_secs(60)), Some(Duration::from_secs(60)))
        );
        assert_eq!((new.num_uses, new.path.as_str()), (Some(3), "p/x"));
        let free =
            Role::default().shape(NewToken { renewable: true, num_uses: Some(0), ..NewToken::default() });
        assert!(free.renewable && free.num_uses.is_none() && free.explicit_max_ttl.is_none());
    }
}
