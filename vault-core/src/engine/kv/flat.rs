//! Secrets without versions: one object under one path, overwritten in place. KV version 1 and the cubbyhole are this
//! with different roots.

use super::{
    document::{Document, FORMAT},
    secret::{name_to_read, name_to_write},
};
use crate::{
    cx::{Cx, Item},
    engine::{Call, parse_duration},
    error::Error,
    request::Reply,
};
use serde_json::{Map, Value, value::RawValue};
use std::time::Duration;

/// Reads the object that stands below `root` (ends with `/`) and the call's `path`. The entry comes along.
pub(in crate::engine) async fn read(
    cx: &mut Cx,
    root: &str,
    call: &Call<'_>,
) -> Result<(Reply, Item), Error> {
    let key = format!("{root}{}", name_to_read(call)?);
    let item = cx.get(&key).await?.ok_or_else(Error::not_found)?;
    let data: &RawValue = Document::read(&item)?;
    Ok((Reply::data(&data)?, item))
}

/// Writes all of the request's fields, whatever stood there.
pub(in crate::engine) async fn write(cx: &mut Cx, root: &str, call: &Call<'_>) -> Result<Reply, Error> {
    let key = format!("{root}{}", name_to_write(call)?);
    let data = &call.request.fields;
    if data.is_empty() {
        return Err(Error::invalid("missing data fields; send an object such as {\"name\": \"value\"}"));
    }
    let document = Document { format: FORMAT, data };
    match cx.get(&key).await? {
        Some(read) => cx.replace_json(&read, &document)?,
        None => cx.create_json(&key, &document)?,
    }
    Ok(Reply::empty())
}

/// Removes it. What is not there is removed already.
pub(in crate::engine) async fn delete(cx: &mut Cx, root: &str, call: &Call<'_>) -> Result<Reply, Error> {
    let key = format!("{root}{}", name_to_write(call)?);
    if let Some(read) = cx.get(&key).await? {
        cx.remove(&read)?;
    }
    Ok(Reply::empty())
}

/// How long its writer says that a reader may keep it: the field `ttl`, else `lease`; `None` if neither makes sense.
pub(super) fn stated_ttl(item: &Item) -> Result<Option<Duration>, Error> {
    let data: Map<String, Value> = Document::read(item)?;
    Ok(data.get("ttl").or_else(|| data.get("lease")).and_then(ttl_of))
}

fn ttl_of(value: &Value) -> Option<Duration> {
    match value {
        Value::Number(number) => number.as_u64().map(Duration::from_secs),
        Value::String(text) => parse_duration(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ttl_is_read_leniently_or_not_at_all() {
        let check = |value: Value, expect: Option<u64>| {
            assert_eq!(ttl_of(&value).map(|ttl| ttl.as_secs()), expect, "{value}");
        };
        check(json!(60), Some(60));
        check(json!("60"), Some(60));
        check(json!("1h"), Some(3_600));
        check(json!("soon"), None);
        check(json!(-1), None);
        check(json!(null), None);
        check(json!([1]), None);
    }
}
