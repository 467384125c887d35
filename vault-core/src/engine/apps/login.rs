//! The first login of an application: its bootstrap token for a token of its own. The bootstrap token goes in the same
//! commit, so it is good once, on whichever node, and no failed request burns it.

use super::{
    app::{App, key, parse, parse_id},
    change::hash_of,
};
use crate::{
    Secret,
    cx::{Cx, Login},
    engine::Call,
    error::{Error, ErrorKind},
    id::Timestamp,
    request::Reply,
};
use serde_json::{Map, Value};

/// The id of nobody, asked for where what was given is none.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

pub(super) async fn login(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let (id, token) = (call.required_text("app_id")?, call.required_text("app_token")?);
    let id = parse_id(&id).unwrap_or_else(|| NOBODY.to_owned());
    let hash = hash_of(cx, &id, &token)?;
    let item = cx.get(&key(&id)).await?;
    let app = item.as_ref().map(parse).transpose()?;
    let (item, app) = match judge(app.as_ref(), &hash, cx.now()) {
        Ok(()) => item.zip(app).ok_or_else(Error::not_found)?,
        Err(reason) => {
            cx.note_rule(reason);
            return Err(Error::new(ErrorKind::Credentials, "invalid app_id or app_token"));
        }
    };
    cx.note_secret(id.as_str());
    let mut meta: Map<String, Value> =
        app.metadata.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    meta.insert("app_id".to_owned(), id.as_str().into());
    meta.insert("app_name".to_owned(), app.name.as_str().into());
    let login = Login {
        settings: &app.token,
        path: "login".to_owned(),
        display_name: format!("app-{}", app.name),
        meta: Some(meta),
        holders: vec![app.holder.clone()],
        entities: vec![id, format!("apps/{}", app.name)],
    };
    let reply = cx.issue_login(call, login)?;
    cx.replace_json(&item, &App { bootstrap: None, ..app })?;
    Ok(reply)
}

/// May it come in, or why not.
fn judge(app: Option<&App>, hash: &str, now: Timestamp) -> Result<(), &'static str> {
    let app = app.ok_or("no application has this id")?;
    let bootstrap = app.bootstrap.as_ref().ok_or("its bootstrap token is used")?;
    if !Secret::new(bootstrap.hash.clone().into_bytes()).same_bytes(hash.as_bytes()) {
        return Err("it is not the application's bootstrap token");
    }
    if bootstrap.expires <= now {
        return Err("its bootstrap token has expired");
    }
    match app.status {
        super::app::Status::Active => Ok(()),
        super::app::Status::Suspended => Err("the application is suspended"),
    }
}
