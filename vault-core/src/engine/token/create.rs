//! Making tokens.

use super::roles::{self, Role};
use crate::{
    Secret,
    cx::Cx,
    engine::Call,
    error::Error,
    request::Reply,
    token::{
        DEFAULT, Identity, NewToken, Token, TokenKind, TokenType, TtlBounds, WRAPPING, issue, issue_service,
    },
};

pub(super) async fn create(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let orphan = call.boolean("no_parent")?.unwrap_or(false);
    if orphan && !cx.is_sudo() {
        return Err(Error::invalid("root or sudo privileges required to create orphan token"));
    }
    make(cx, call, orphan, &Role::default()).await
}

pub(super) async fn create_orphan(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    make(cx, call, true, &Role::default()).await
}

/// The role decides what the parent decides elsewhere.
pub(super) async fn create_by_role(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let role = roles::find(cx, call.param("role")).await?;
    make(cx, call, role.orphan, &role).await
}

async fn make(cx: &mut Cx, call: Call<'_>, orphan: bool, role: &Role) -> Result<Reply, Error> {
    let parent = cx.require_identity()?.clone();
    check_parent(parent.require_token()?)?;
    let bounds = TtlBounds { default: cx.mount().default_ttl(), max: cx.mount().max_ttl() };
    let of_mount = TokenType::parse(&cx.mount().config.token_type)?;
    let kind =
        TokenType::settle(of_mount, role.kind, TokenKind::parse(&call.text("type")?.unwrap_or_default())?);
    let sudo = cx.is_sudo();
    let asked = role.shape(asked(&parent, sudo, call, orphan, role)?);
    let new = NewToken { bounds, generation: cx.newest_revocation(), kind, ..asked };
    check_batch(&new, call)?;
    let warning = capped(&new);
    let issued = match chosen_text(sudo, call)? {
        Some(text) => {
            // EXPOSE: the token's index is a keyed hash of its text.
            let hash = cx.token_hash(text.expose())?;
            if cx.get(&format!("token/{hash}")).await?.is_some() {
                return Err(Error::invalid("cannot create a token with a duplicate ID"));
            }
            issue_service(cx.barrier()?, new, text, cx.now())?
        }
        None => issue(cx.barrier()?, new, cx.now())?,
    };
    for (key, document) in &issued.entries {
        cx.create(key, document)?;
    }
    let mut reply = Reply::auth(issued.auth);
    reply.warnings.extend(warning);
    Ok(reply)
}

/// What a token could not keep of its children, or could slip by making one.
fn check_parent(parent: &Token) -> Result<(), Error> {
    if parent.is_batch() {
        return Err(Error::invalid("batch tokens cannot create more tokens"));
    }
    if parent.uses_left.is_some() {
        return Err(Error::invalid("restricted use token cannot generate child tokens"));
    }
    Ok(())
}

/// A claim cannot be counted or renewed, and shows no bound beside its end.
fn check_batch(new: &NewToken, call: Call<'_>) -> Result<(), Error> {
    if new.kind != TokenKind::Batch {
        return Ok(());
    }
    let is_set = |ttl: Option<std::time::Duration>| ttl.is_some_and(|ttl| !ttl.is_zero());
    let bad = [
        ("explicit_max_ttl", is_set(new.explicit_max_ttl)),
        ("num_uses", new.num_uses.is_some_and(|uses| uses > 0)),
        ("period", is_set(new.period)),
        ("id", call.text("id")?.is_some_and(|id| !id.is_empty())),
    ];
    match bad.iter().find(|(_, set)| *set) {
        Some((name, _)) => Err(Error::invalid(format!("batch tokens cannot have {name:?} set"))),
        None => Ok(()),
    }
}

/// What was asked for, within what the parent may give; with `sudo` on this path it may give what it has not (Vault).
fn asked(
    parent: &Identity,
    sudo: bool,
    call: Call<'_>,
    orphan: bool,
    role: &Role,
) -> Result<NewToken, Error> {
    let period = call.duration("period")?.filter(|period| !period.is_zero());
    if period.is_some() && !sudo {
        return Err(Error::invalid("root or sudo privileges required to create periodic token"));
    }
    let name = call.text("display_name")?.filter(|name| !name.is_empty());
    let ttl = match call.duration("ttl")? {
        Some(ttl) => Some(ttl),
        None => call.duration("lease")?,
    };
    let mut new = NewToken {
        policies: policies(parent, sudo, call, role)?,
        no_default_policy: call.boolean("no_default_policy")?.unwrap_or(false),
        meta: meta(call)?,
        display_name: name.map_or_else(|| "token".to_owned(), |name| format!("token-{name}")),
        path: call.request.path.clone(),
        ttl,
        explicit_max_ttl: call.duration("explicit_max_ttl")?,
        period,
        renewable: call.boolean("renewable")?.unwrap_or(true),
        num_uses: call.integer("num_uses")?,
        ..NewToken::default()
    };
    if !orphan {
        // What ends the parent ends the child; an orphan is made to stand alone, by who may make one.
        new.ancestors = NewToken::below(parent)?;
        new.holders = parent.holders().to_vec();
        new.entities.clone_from(&parent.entities);
    }
    Ok(new)
}

fn policies(parent: &Identity, sudo: bool, call: Call<'_>, role: &Role) -> Result<Vec<String>, Error> {
    // One text is the name of one policy here, unlike in other lists (Vault).
    let wanted = match call.value("policies") {
        Some(serde_json::Value::String(one)) => vec![one.clone()],
        _ => call.list("policies")?.unwrap_or_default(),
    };
    if let Some(policies) = role.policies(&wanted)? {
        roles::check_root(&policies, parent.is_root())?;
        return Ok(policies);
    }
    if wanted.is_empty() {
        return Ok(parent.policies.clone());
    }
    if wanted.iter().any(|name| name.trim().eq_ignore_ascii_case(WRAPPING)) {
        return Err(Error::invalid(format!("policy {WRAPPING:?} cannot be given to a token")));
    }
    let allowed = |name: &String| {
        let name = name.trim().to_lowercase();
        let given = parent.is_root() || name == DEFAULT || parent.policies.contains(&name);
        given || (sudo && roles::check_root(&[name], false).is_ok())
    };
    if wanted.iter().all(allowed) {
        return Ok(wanted);
    }
    Err(Error::invalid("child policies must be subset of parent"))
}

fn meta(call: Call<'_>) -> Result<Option<serde_json::Map<String, serde_json::Value>>, Error> {
    let Some(map) = call.map("meta")? else { return Ok(None) };
    if map.values().all(serde_json::Value::is_string) {
        return Ok(Some(map.clone()));
    }
    Err(Error::invalid("field \"meta\" must be an object of texts"))
}

fn chosen_text(sudo: bool, call: Call<'_>) -> Result<Option<Secret<String>>, Error> {
    let Some(chosen) = call.text("id")?.filter(|id| !id.is_empty()) else { return Ok(None) };
    if !sudo {
        return Err(Error::invalid("root or sudo privileges required to specify token id"));
    }
    if chosen.contains('.') || chosen.len() > crate::limits::PATH_BYTES_MAX {
        return Err(Error::invalid("a chosen token id may not contain a '.' and must be of moderate length"));
    }
    Ok(Some(Secret::new(chosen)))
}

fn capped(new: &NewToken) -> Option<String> {
    let asked = new.ttl.filter(|ttl| *ttl > new.bounds.max && new.period.is_none())?;
    Some(format!(
        "TTL of {}s exceeded the effective max_ttl of {}s; TTL value is capped accordingly",
        asked.as_secs(),
        new.bounds.max.as_secs()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Operation, Request, engine::Params};

    #[test]
    fn a_child_rests_on_what_its_parent_rests_on_and_an_orphan_does_not() {
        let token = Token {
            holders: vec!["standing/m/h".into()],
            entities: vec!["approle/web".into()],
            ancestors: vec!["above".into()],
            ..Token::blank()
        };
        let parent = Identity::of(token, "parent");
        let request = Request::new("id", Operation::Write, "auth/token/create");
        let call = Call { request: &request, params: Params::default() };
        let made = |orphan: bool| asked(&parent, false, call, orphan, &Role::default()).unwrap();
        let child = made(false);
        assert_eq!(
            (child.holders, child.entities),
            (vec!["standing/m/h".into()], vec!["approle/web".into()])
        );
        assert_eq!(child.ancestors, ["parent", "above"]);
        let orphan = made(true);
        assert!(orphan.holders.is_empty() && orphan.entities.is_empty() && orphan.ancestors.is_empty());
    }
}
