//! The body of a reply: Vault's envelope around data that the engine serialised once, written straight into bytes.

use secrethub_core::{
    Error, Reply,
    request::{Envelope, Shape},
};
use serde::Serialize;
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeMap};

#[derive(Serialize)]
struct Double<'a> {
    #[serde(flatten)]
    envelope: Envelope<'a>,
    #[serde(flatten)]
    beside: BTreeMap<Cow<'a, str>, &'a RawValue>,
}

/// Lays a reply out as its shape says. Empty if there is nothing to say.
pub(crate) fn body(id: &str, reply: &Reply) -> Result<Vec<u8>, Error> {
    if reply.is_empty() {
        return Ok(Vec::new());
    }
    match reply.shape {
        Shape::Bare | Shape::Health(_) => Ok(reply.data.as_deref().map_or("null", RawValue::get).into()),
        Shape::Double => write(&Double { envelope: Envelope::new(id, reply), beside: beside(reply)? }, reply),
        Shape::Envelope | Shape::Gone | Shape::Accepted => write(&Envelope::new(id, reply), reply),
    }
}

/// The data's own fields, but for those that would speak for the envelope.
fn beside(reply: &Reply) -> Result<BTreeMap<Cow<'_, str>, &RawValue>, Error> {
    let Some(data) = &reply.data else { return Ok(BTreeMap::new()) };
    let mut fields: BTreeMap<Cow<'_, str>, &RawValue> =
        serde_json::from_str(data.get()).map_err(Error::internal)?;
    fields.retain(|name, _| !Envelope::KEYS.contains(&name.as_ref()));
    Ok(fields)
}

fn write(layout: &impl Serialize, reply: &Reply) -> Result<Vec<u8>, Error> {
    // The envelope's own keys take about 200 bytes, a token's block 500: one allocation for nearly all replies.
    let data = reply.data.as_deref().map_or(0, |data| data.get().len());
    let mut bytes =
        Vec::with_capacity(data + if reply.auth.is_some() || reply.wrap.is_some() { 896 } else { 320 });
    serde_json::to_writer(&mut bytes, layout).map_err(Error::internal)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrethub_core::{
        Secret,
        request::{Auth, LeaseInfo, WrapInfo},
    };
    use serde_json::{Value, json};
    use std::time::Duration;

    fn check(reply: &Reply, expect: &Value) {
        let bytes = body("r", reply).unwrap();
        assert_eq!(&serde_json::from_slice::<Value>(&bytes).unwrap(), expect, "{reply:?}");
    }

    fn whole(changes: &Value) -> Value {
        let mut all = json!({
            "request_id": "r", "lease_id": "", "renewable": false, "lease_duration": 0, "data": null,
            "wrap_info": null, "warnings": null, "auth": null, "mount_type": ""
        });
        all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        all
    }

    #[test]
    fn shapes() {
        let data = json!({ "a": 1 });
        check(&Reply::data(&data).unwrap(), &whole(&json!({ "data": data })));
        check(&Reply::shaped(Shape::Bare, &data).unwrap(), &data);
        check(&Reply::shaped(Shape::Double, &data).unwrap(), &whole(&json!({ "data": data, "a": 1 })));
        check(&Reply::shaped(Shape::Gone, &data).unwrap(), &whole(&json!({ "data": data })));
        check(&Reply::empty().warn("w"), &whole(&json!({ "warnings": ["w"] })));
        let lease = LeaseInfo { id: "l".to_owned(), renewable: true, duration: Duration::from_secs(9) };
        let leased = Reply { lease, mount_type: "kv", ..Reply::empty() };
        let fields = json!({ "lease_id": "l", "renewable": true, "lease_duration": 9, "mount_type": "kv" });
        check(&leased, &whole(&fields));
        assert!(body("r", &Reply::empty()).unwrap().is_empty());
    }

    #[test]
    fn where_a_reply_was_put_away() {
        let wrap = WrapInfo {
            token: Secret::new("t".to_owned()),
            accessor: "a".into(),
            ttl: 60,
            creation_time: "now".into(),
            creation_path: "p".into(),
            wrapped_accessor: None,
        };
        let shown =
            json!({ "token": "t", "accessor": "a", "ttl": 60, "creation_time": "now", "creation_path": "p" });
        check(&Reply { wrap: Some(wrap), ..Reply::empty() }, &whole(&json!({ "wrap_info": shown })));
    }

    #[test]
    fn data_cannot_speak_for_the_envelope() {
        let data = json!({ "auth": "x", "data": "x", "request_id": "x", "b": [1, 2] });
        check(&Reply::shaped(Shape::Double, &data).unwrap(), &whole(&json!({ "data": data, "b": [1, 2] })));
    }

    #[test]
    fn a_token_has_all_its_keys() {
        let auth = Auth {
            client_token: Secret::new("t".to_owned()),
            accessor: "a".to_owned(),
            policies: vec!["root".to_owned()],
            token_policies: vec!["root".to_owned()],
            metadata: None,
            lease_duration: 0,
            renewable: false,
            entity_id: String::new(),
            token_type: "service".to_owned(),
            orphan: true,
            mfa_requirement: None,
            num_uses: 0,
        };
        let block = json!({
            "client_token": "t", "accessor": "a", "policies": ["root"], "token_policies": ["root"],
            "metadata": null, "lease_duration": 0, "renewable": false, "entity_id": "", "token_type": "service",
            "orphan": true, "mfa_requirement": null, "num_uses": 0
        });
        check(&Reply::auth(auth), &whole(&json!({ "auth": block })));
    }
}
