//! A new root token, made by a quorum of shares. It leaves the server only combined with a one-time password that was
//! agreed on at the start: who gives the last share sees the result, and it is of no use to them alone.

use super::{Place, check_cancel, check_nonce, required, share};
use crate::{
    Secret,
    barrier::Wrap,
    cx::Cx,
    engine::Call,
    error::Error,
    request::{Reply, Shape},
    token::{PREFIX, make_token_text},
};
use base64::Engine as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

const NAME: &str = "generate-root";
const WHAT: &str = "root generation";

/// Length of a root token's text, and so of the password.
const OTP_LENGTH: usize = PREFIX.len() + 24;

/// What the ceremony is to bring about, as stored (format 1).
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RootToken {
    #[serde(serialize_with = "write_text", deserialize_with = "read_text")]
    otp: Secret<String>,
}

fn write_text<S: Serializer>(text: &Secret<String>, serializer: S) -> Result<S::Ok, S::Error> {
    // EXPOSE: the document is sealed before it leaves.
    serializer.serialize_str(text.expose())
}

fn read_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret<String>, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

pub(super) async fn status(cx: &mut Cx, shape: Shape) -> Result<Reply, Error> {
    let place = Place::<RootToken>::read(cx, NAME).await?;
    let (_, file) = cx.seal_entry().await?;
    Reply::shaped(shape, &describe(&place, file.authority()))
}

pub(super) async fn start(cx: &mut Cx, call: Call<'_>, shape: Shape) -> Result<Reply, Error> {
    let mut place = Place::<RootToken>::read(cx, NAME).await?;
    if place.running.is_some() {
        return Err(Error::invalid("root generation already in progress; finish or cancel it first"));
    }
    let (read, file) = cx.seal_entry().await?;
    let (otp, told) = match call.text("otp")?.filter(|otp| !otp.is_empty()) {
        Some(otp) if otp.len() == OTP_LENGTH => (Secret::new(otp), None),
        Some(_) => {
            return Err(Error::invalid(format!(
                "otp must have {OTP_LENGTH} bytes; leave it out to have one made"
            )));
        }
        None => make_otp(cx)?,
    };
    place.begin(cx, file.authority(), RootToken { otp })?;
    cx.guard_seal(&read)?;
    let mut status = describe(&place, file.authority());
    if let Some(told) = told {
        status["otp"] = Value::String(told);
    }
    cx.note_operation("generate-root-start");
    Reply::shaped(shape, &status)
}

pub(super) async fn cancel(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let mut place = Place::<RootToken>::read(cx, NAME).await?;
    if let Some(running) = &place.running {
        check_cancel(cx, call, &running.nonce)?;
    }
    place.end(cx)?;
    cx.note_operation("generate-root-cancel");
    Ok(Reply::empty())
}

pub(super) async fn update(cx: &mut Cx, call: Call<'_>, shape: Shape) -> Result<Reply, Error> {
    let mut place = Place::<RootToken>::read(cx, NAME).await?;
    check_nonce(call, &place.running(WHAT)?.nonce)?;
    let (read, file) = cx.seal_entry().await?;
    if place.contribute(cx, &read, file.authority(), &share(call)?).await?.is_none() {
        return Reply::shaped(shape, &describe(&place, file.authority()));
    }
    let needed = required(file.authority());
    let token = make_token(cx)?;
    let running = place.running(WHAT)?;
    let encoded = encode(&token, &running.task.otp);
    let mut done = describe(&place, file.authority());
    for (name, value) in [
        ("complete", json!(true)),
        ("started", json!(true)),
        ("progress", json!(needed)),
        ("encoded_token", json!(encoded)),
        ("encoded_root_token", json!(encoded)),
    ] {
        done[name] = value;
    }
    place.end(cx)?;
    cx.note_operation("generate-root");
    Reply::shaped(shape, &done)
}

/// Stages a root token.
fn make_token(cx: &mut Cx) -> Result<Secret<String>, Error> {
    let issued = cx.system().make_root_token(cx.barrier()?)?;
    for (name, document) in &issued.entries {
        cx.create_root_document(name, document)?;
    }
    Ok(issued.auth.client_token)
}

/// A password of the right length; the second copy is for the reply.
fn make_otp(cx: &Cx) -> Result<(Secret<String>, Option<String>), Error> {
    let barrier = cx.barrier()?;
    let [a, b] = [(); 2].map(|()| make_token_text(|bytes| barrier.make_bytes(bytes)));
    // EXPOSE: the random parts of two tokens' texts make a password, told to who begins the ceremony, once.
    let mut told = [&a.expose()[PREFIX.len()..], &b.expose()[PREFIX.len()..]].concat();
    told.truncate(OTP_LENGTH);
    Ok((Secret::new(told.clone()), Some(told)))
}

/// Token ⊕ password, in base64 without padding.
fn encode(token: &Secret<String>, otp: &Secret<String>) -> String {
    // EXPOSE: combined with the password, a token is of no use without it.
    let pairs = token.expose().bytes().zip(otp.expose().bytes());
    base64::engine::general_purpose::STANDARD_NO_PAD.encode(pairs.map(|(a, b)| a ^ b).collect::<Vec<u8>>())
}

fn describe(place: &Place<RootToken>, wrap: &Wrap) -> Value {
    let running = place.running.as_ref();
    json!({
        "nonce": running.map_or("", |running| running.nonce.as_str()),
        "started": running.is_some(),
        "progress": running.map_or(0, |running| running.progress(wrap)),
        "required": required(wrap),
        "complete": false,
        "encoded_token": "",
        "encoded_root_token": "",
        "pgp_fingerprint": "",
        "otp": "",
        "otp_length": OTP_LENGTH,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sys::ceremony::Ceremony;

    #[test]
    fn a_token_and_its_password_come_apart_again() {
        let token = Secret::new("shs.0123456789abcdefghijklmn".to_owned());
        let otp = Secret::new("0123456789ABCDEFGHIJKLMNOPQR".to_owned());
        let encoded = encode(&token, &otp);
        assert_eq!(encoded, "Q1lBHQQEBAQMDHd1e30kJCQsLCwsJCQkJDw8PA");
        let bytes = base64::engine::general_purpose::STANDARD_NO_PAD.decode(encoded).unwrap();
        let text: Vec<u8> = bytes.iter().zip(otp.expose().bytes()).map(|(a, b)| a ^ b).collect();
        assert_eq!(text, token.expose().as_bytes());
    }

    #[test]
    fn format_1_is_what_it_always_was() {
        const GOLDEN: &str = concat!(
            r#"{"format":1,"nonce":"a-nonce","started":1763769600000000,"expires":1763856000000000,"#,
            r#""quorum":{"wrap":"96676174-8e5c-43cb-a14f-560177dc7567","shares":[]},"#,
            r#""task":{"otp":"0123456789ABCDEFGHIJKLMNOPQR"}}"#
        );
        let read: Ceremony<RootToken> = serde_json::from_str(GOLDEN).unwrap();
        assert_eq!((read.expires.since(read.started), read.quorum.count()), (crate::limits::CEREMONY_TTL, 0));
        assert_eq!(serde_json::to_string(&read).unwrap(), GOLDEN);
    }
}
