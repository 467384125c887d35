//! The login. A name that nobody has costs as much as a wrong password, and both answer alike.

use super::user::{self, User, key, name_of};
use crate::{
    cx::{Cx, Login, Password},
    engine::{
        Call,
        lockout::{self, Attempts},
    },
    error::{Error, ErrorKind},
    request::Reply,
};
use serde_json::{Map, Value};

pub(super) async fn login(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let (name, password) = (name_of(call), user::required(call)?);
    cx.note_secret(name.as_str());
    let (key, failures) = (key(&name), lockout::key(cx, &name)?);
    let [found, failed] = cx.get_many(&[&key, &failures]).await?.try_into().map_err(two)?;
    let rule = cx.mount().config.lockout.unwrap_or_default();
    let attempts = Attempts::new(rule, failures, failed, cx.now())?;
    if attempts.is_locked() {
        return Err(lockout::locked(cx));
    }
    let found = found.as_ref().map(user::parse).transpose()?;
    let nobody = Password::nobodys();
    let hash = found.as_ref().map_or(&nobody, |user| &user.password);
    let right = cx.is_password(hash, password).await?;
    match judge(found.filter(|_| right)) {
        Ok(user) => {
            attempts.succeeded(cx)?;
            come_in(cx, call, name, &user)
        }
        Err(reason) => {
            attempts.failed(cx)?;
            cx.note_rule(reason);
            Err(Error::new(ErrorKind::Credentials, "invalid username or password"))
        }
    }
}

fn two(_: Vec<Option<crate::cx::Item>>) -> Error {
    Error::internal("two keys, two answers")
}

/// The user that comes in, or why nobody does. The record names the user that was asked for.
fn judge(user: Option<User>) -> Result<User, &'static str> {
    match user {
        Some(user) if user.enabled => Ok(user),
        Some(_) => Err("the user is disabled"),
        None => Err("no such user, or another password"),
    }
}

fn come_in(cx: &mut Cx, call: Call<'_>, name: String, user: &User) -> Result<Reply, Error> {
    let mount = cx.mount().path.trim_start_matches("auth/").trim_end_matches('/').to_owned();
    let login = Login {
        settings: &user.token,
        path: format!("login/{name}"),
        display_name: format!("{mount}-{name}"),
        entities: vec![format!("{mount}/{name}")],
        holders: vec![user.holder.clone()],
        meta: Some(Map::from_iter([("username".to_owned(), Value::from(name))])),
    };
    cx.issue_login(call, login)
}
