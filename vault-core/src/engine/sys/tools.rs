//! Small tools: hashing and random bytes.

use crate::{cx::Cx, engine::Call, error::Error, limits::RANDOM_BYTES_MAX, request::Reply};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use zeroize::Zeroizing;

pub(super) async fn hash(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let named = call.param("algorithm").to_owned();
    let algorithm = if named.is_empty() { call.text("algorithm")?.unwrap_or_default() } else { named };
    if !matches!(algorithm.as_str(), "" | "sha2-256") {
        return Err(Error::invalid(format!("unsupported algorithm {algorithm:?}; use \"sha2-256\"")));
    }
    let input = STANDARD.decode(call.text("input")?.unwrap_or_default());
    let input = Zeroizing::new(input.map_err(|_| Error::invalid("field \"input\" must be base64"))?);
    let sum = cx.system().crypto().hash.sha256(&[&input]);
    Reply::data(&json!({ "sum": written(&sum, call, "hex")? }))
}

pub(super) async fn random(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let wanted = match call.param("bytes") {
        "" => call.integer("bytes")?.unwrap_or(32),
        text => text.parse().map_err(|_| Error::invalid("the number of bytes must be a whole number"))?,
    };
    let wanted = usize::try_from(wanted).ok().filter(|wanted| (1..=RANDOM_BYTES_MAX).contains(wanted));
    let wanted = wanted.ok_or_else(|| Error::invalid(format!("ask for 1 to {RANDOM_BYTES_MAX} bytes")))?;
    let mut bytes = Zeroizing::new(vec![0; wanted]);
    cx.make_bytes(&mut bytes)?;
    Reply::data(&json!({ "random_bytes": written(&bytes, call, "base64")? }))
}

fn written(bytes: &[u8], call: Call<'_>, default: &str) -> Result<String, Error> {
    match call.text("format")?.as_deref().unwrap_or(default) {
        "hex" => Ok(hex::encode(bytes)),
        "base64" => Ok(STANDARD.encode(bytes)),
        _ => Err(Error::invalid("field \"format\" must be \"hex\" or \"base64\"")),
    }
}
