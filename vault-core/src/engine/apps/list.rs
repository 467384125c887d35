//! Lists of applications: filtered, a page at a time.

use super::app::{Status, parse, parse_id};
use crate::{
    cx::Cx,
    engine::{Call, kv::list::list_page},
    error::Error,
    limits::{APPS_PAGE_MAX, APPS_SCANNED_MAX, SCAN_ENTRIES_MAX},
    request::Reply,
};
use serde_json::{Value, json};

const PREFIX: &str = "app/";

pub(super) async fn ids(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let ids = list_page(cx, PREFIX, call).await?;
    if ids.is_empty() { Err(Error::not_found()) } else { Reply::data(&json!({ "keys": ids })) }
}

/// What is asked for.
struct Filter {
    agent_id: Option<String>,
    status: Option<Status>,
    limit: usize,
    offset: usize,
}

impl Filter {
    fn of(call: Call<'_>) -> Result<Self, Error> {
        let text = |name: &str| Ok::<_, Error>(call.text(name)?.filter(|text| !text.is_empty()));
        let number = |name: &str| {
            Ok::<_, Error>(call.integer(name)?.map(|n| usize::try_from(n).unwrap_or(usize::MAX)))
        };
        let agent = text("agent_id")?
            .map(|id| parse_id(&id).ok_or_else(|| Error::invalid("field \"agent_id\" must be a UUID")));
        Ok(Self {
            agent_id: agent.transpose()?,
            status: text("status")?.map(|status| Status::parse(&status)).transpose()?,
            limit: number("limit")?.filter(|limit| *limit > 0).unwrap_or(100).min(APPS_PAGE_MAX),
            offset: number("offset")?.unwrap_or(0),
        })
    }
}

/// Empty where there is none, as the second seed has it.
pub(super) async fn read(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let filter = Filter::of(call)?;
    let after = call.text("after")?.filter(|after| !after.is_empty());
    let mut from = after.map(|after| format!("{PREFIX}{after}"));
    let (mut shown, mut skipped) = (Vec::<Value>::new(), 0);
    for _ in 0..APPS_SCANNED_MAX / SCAN_ENTRIES_MAX {
        let page = cx.scan(PREFIX, from.as_deref(), SCAN_ENTRIES_MAX).await?;
        let Some(last) = page.last() else { return Reply::data(&json!({ "apps": shown })) };
        from = Some(last.key().to_owned());
        for item in &page {
            let app = parse(item)?;
            let of_agent = filter.agent_id.is_none() || filter.agent_id == app.agent_id;
            if !of_agent || filter.status.is_some_and(|status| status != app.status) {
                continue;
            }
            if skipped < filter.offset {
                skipped += 1;
                continue;
            }
            shown.push(app.show(&item.key()[PREFIX.len()..]));
            if shown.len() == filter.limit {
                return Reply::data(&json!({ "apps": shown }));
            }
        }
    }
    let after = from.as_deref().map_or("", |key| &key[PREFIX.len()..]);
    let reply = Reply::data(&json!({ "apps": shown }))?;
    Ok(reply.warn(format!("not all applications were looked at; ask again with after={after}")))
}
