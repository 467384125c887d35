//! New shares that were told are kept for a while, sealed: they count at once, so an answer that never arrived would be
//! the end of the vault. Who gave the last share gives it again, with the same token and nonce, and is told the same
//! again. The token counts, so that one share that was stolen is not worth all the new ones.
//!
//! Nobody learns more by it than they were told before, and whoever reads the sealed store needs these very shares to
//! open it.

use super::{PREFIX, rekey::Family};
use crate::{
    Secret,
    barrier::{Given, Guard, Wrap, parse_share},
    crypto::same,
    cx::{Cx, Item},
    engine::Call,
    error::Error,
    id::Timestamp,
    limits::REKEY_TOLD_TTL,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What was told, as stored (format 1).
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    format: u8,
    /// Names the rekey that is over.
    nonce: String,
    /// When it is forgotten.
    expires: Timestamp,
    /// Whose token it was, by its keyed hash; empty for who needed none.
    giver: String,
    /// Keyed hash of the last share, in hex; `null` where the key of a guard without shares was given.
    last: Option<String>,
    reply: Value,
}

fn key(family: Family) -> String {
    format!("{PREFIX}{}-told", family.name)
}

/// Stages the answer beside what it is about, in place of an earlier one.
pub(super) async fn keep(
    cx: &mut Cx,
    family: Family,
    nonce: &str,
    (wrap, share): (&Wrap, &Secret<String>),
    reply: &Value,
) -> Result<(), Error> {
    let last = match wrap.guard() {
        Guard::Static | Guard::Passphrase(_) => None,
        Guard::Shamir { .. } | Guard::Recovery { .. } => Some(hash(cx, share)?),
    };
    let (format, expires) = (1, cx.now().plus(REKEY_TOLD_TTL));
    let (giver, nonce, reply) = (giver(cx), nonce.to_owned(), reply.clone());
    let answer = Answer { format, nonce, expires, giver, last, reply };
    match cx.get(&key(family)).await? {
        Some(earlier) => cx.replace_json(&earlier, &answer),
        None => cx.create_json(&key(family), &answer),
    }
}

/// What was told to whoever asks now, if it was they and not long ago.
pub(super) async fn again(cx: &mut Cx, call: Call<'_>, family: Family) -> Result<Option<Value>, Error> {
    let stored = cx.get(&key(family)).await?;
    let Some(answer) = stored.as_ref().map(Item::json::<Answer>).transpose()? else { return Ok(None) };
    let meant = call.text("nonce")?.is_some_and(|nonce| nonce == answer.nonce);
    if !meant || answer.expires <= cx.now() || answer.giver != giver(cx) {
        return Ok(None);
    }
    let share = super::share(call)?;
    let same_giver = match &answer.last {
        Some(last) => same(last.as_bytes(), hash(cx, &share).unwrap_or_default().as_bytes()),
        None => is_whole_key(cx, &share).await?,
    };
    Ok(same_giver.then_some(answer.reply))
}

fn giver(cx: &Cx) -> String {
    cx.identity().map_or_else(String::new, |identity| identity.hash.clone())
}

/// Spelled in either way, a share is the same.
fn hash(cx: &Cx, share: &Secret<String>) -> Result<String, Error> {
    // EXPOSE: only a keyed hash of it leaves here.
    let bytes = parse_share(share.expose())?;
    Ok(hex::encode(cx.barrier()?.value_hash("rekey", bytes.expose()))) // EXPOSE: as above.
}

/// Not by a hash: a passphrase could be guessed by it, past what counts guesses.
async fn is_whole_key(cx: &Cx, text: &Secret<String>) -> Result<bool, Error> {
    let (_, file) = cx.seal_entry().await?;
    let Some(guard) = file.wraps().find(|wrap| matches!(wrap.guard(), Guard::Static | Guard::Passphrase(_)))
    else {
        return Ok(false);
    };
    cx.system().read_given(guard, text).await.map(|given| matches!(given, Given::Whole(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_1_is_what_it_always_was() {
        let check = |last: &str, expect: bool| {
            let text = format!(
                r#"{{"format":1,"nonce":"a-nonce","expires":1763773200000000,"giver":"a-hash","last":{last},"reply":{{"keys":["eecc"]}}}}"#
            );
            let read = serde_json::from_str::<Answer>(&text);
            assert_eq!(read.is_ok(), expect, "{last}");
            assert!(read.is_ok_and(|read| serde_json::to_string(&read).unwrap() == text) || !expect);
        };
        check("null", true);
        check(r#""2891a16529d89730509b22691ffcd7a2""#, true);
        check("1", false);
        check(r#"null,"more":1"#, false);
    }
}
