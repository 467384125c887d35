//! `GET <path>?help=1`: so far, the mount that serves the path, as the core tells the caller.

use crate::{
    decode::Head,
    router::{App, ask_as_caller},
};
use http::request::Parts;
use secrethub_core::{Error, Reply};
pub(crate) async fn answer(app: &App, id: &str, head: Head, parts: &Parts) -> Result<Reply, Error> {
    ask_as_caller(app, id, format!("sys/internal/ui/mounts/{}", head.path), parts).await
}
