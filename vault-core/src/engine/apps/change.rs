//! How applications are registered, changed, suspended and deleted.

use super::app::{App, Bootstrap, Status, find, key};
use crate::{
    cx::{Cx, Item},
    engine::{Call, token_fields},
    error::Error,
    limits::APP_TOKEN_TTL,
    request::Reply,
};
use serde_json::{Value, json};

/// What a bootstrap token starts with.
const PREFIX: &str = "sha.";

fn name_key(name: &str) -> String {
    format!("name/{name}")
}

/// Where a bootstrap token is compared: a keyed hash, together with whose it is.
pub(super) fn hash_of(cx: &Cx, id: &str, token: &str) -> Result<String, Error> {
    cx.secret_index("app bootstrap token", &[id, ":", token].concat())
}

pub(super) async fn register(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    call.required_text("name")?;
    let mut app = App::new(cx.now()).changed(call, cx.now())?;
    let id = cx.make_uuid()?;
    cx.note_secret(id.as_str());
    take_name(cx, &app.name, &id).await?;
    app.holder = match app.status {
        Status::Active => cx.raise_holder()?,
        Status::Suspended => cx.name_holder()?,
    };
    let (token, bootstrap) = make_bootstrap(cx, &id)?;
    let mut shown = app.show(&id);
    told(&mut shown, token, &bootstrap);
    app.bootstrap = Some(bootstrap);
    cx.create_json(&key(&id), &app)?;
    Reply::data(&shown)
}

async fn take_name(cx: &mut Cx, name: &str, id: &str) -> Result<(), Error> {
    if cx.get(&name_key(name)).await?.is_some() {
        return Err(Error::invalid(format!("an application is called {name:?} already")));
    }
    cx.create(&name_key(name), id.as_bytes())
}

async fn leave_name(cx: &mut Cx, name: &str) -> Result<(), Error> {
    match cx.get(&name_key(name)).await? {
        Some(item) => cx.remove(&item),
        None => Ok(()),
    }
}

fn make_bootstrap(cx: &Cx, id: &str) -> Result<(String, Bootstrap), Error> {
    let mut random = [0; 24];
    cx.make_bytes(&mut random)?;
    let token = format!("{PREFIX}{}", hex::encode(random));
    let bootstrap = Bootstrap { hash: hash_of(cx, id, &token)?, expires: cx.now().plus(APP_TOKEN_TTL) };
    Ok((token, bootstrap))
}

/// The one time that a bootstrap token is seen.
fn told(shown: &mut Value, token: String, bootstrap: &Bootstrap) {
    shown["app_token"] = token.into();
    shown["token_expires_at"] = bootstrap.expires.to_rfc3339().into();
}

/// Another one, for who lost the first or let it expire.
pub(super) async fn make_token(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let (id, item, app) = find(cx, call).await?;
    let (token, bootstrap) = make_bootstrap(cx, &id)?;
    let mut shown = json!({ "app_id": id });
    told(&mut shown, token, &bootstrap);
    let updated = cx.now();
    cx.replace_json(&item, &App { bootstrap: Some(bootstrap), updated, ..app })?;
    Reply::data(&shown)
}

pub(super) async fn read(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let (id, _, app) = find(cx, call).await?;
    Reply::data(&app.show_whole(&id))
}

pub(super) async fn update(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let (id, item, before) = find(cx, call).await?;
    let app = before.clone().changed(call, cx.now())?;
    if app.name != before.name {
        leave_name(cx, &before.name).await?;
        take_name(cx, &app.name, &id).await?;
    }
    put(cx, &id, &item, &before, &app).await
}

/// Stores what became of an application, and ends or raises what it rests on.
async fn put(cx: &mut Cx, id: &str, item: &Item, before: &App, app: &App) -> Result<Reply, Error> {
    match (before.status, app.status) {
        (Status::Active, Status::Suspended) => cx.end_holder(&app.holder).await?,
        (Status::Suspended, Status::Active) => cx.restore_holder(&app.holder)?,
        _ => {}
    }
    cx.replace_json(item, app)?;
    Reply::data(&app.show_whole(id))
}

pub(super) async fn suspend(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    set(cx, call, Status::Suspended).await
}

pub(super) async fn activate(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    set(cx, call, Status::Active).await
}

async fn set(cx: &mut Cx, call: Call<'_>, status: Status) -> Result<Reply, Error> {
    let (id, item, before) = find(cx, call).await?;
    let app = App { status, updated: cx.now(), ..before.clone() };
    put(cx, &id, &item, &before, &app).await
}

pub(super) async fn delete(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let (_, item, app) = find(cx, call).await?;
    leave_name(cx, &app.name).await?;
    cx.end_holder(&app.holder).await?;
    cx.remove(&item)?;
    Ok(Reply::empty())
}

pub(super) async fn read_policies(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let (id, _, app) = find(cx, call).await?;
    Reply::data(&json!({ "app_id": id, "policies": app.token.policies }))
}

pub(super) async fn bind(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let (id, item, app) = find(cx, call).await?;
    let before = app.token.policies.clone();
    let mut token = token_fields::parse(app.token.clone(), call)?;
    token.policies.extend(before);
    token.policies.sort();
    token.policies.dedup();
    let app = App { token, updated: cx.now(), ..app };
    cx.replace_json(&item, &app)?;
    Reply::data(&json!({ "app_id": id, "policies": app.token.policies }))
}

pub(super) async fn unbind(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let (_, item, mut app) = find(cx, call).await?;
    let policy = call.param("policy").to_lowercase();
    app.token.policies.retain(|bound| *bound != policy);
    let updated = cx.now();
    cx.replace_json(&item, &App { updated, ..app })?;
    Ok(Reply::empty())
}
