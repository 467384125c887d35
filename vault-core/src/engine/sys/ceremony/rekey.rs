//! New shares: a quorum of the old ones opens the root, and it is wrapped anew under a key that nobody has had before.
//! From the commit on the old shares open nothing. The root itself, and all that is sealed below it, stays.

use super::{super::lifecycle::shares_of, Place, Told, check_cancel, check_nonce, required, share, told};
use crate::{
    Secret,
    barrier::{Guard, Holders, Opened, Quorum, SealFile, Wrap},
    cx::Cx,
    engine::Call,
    error::Error,
    request::{Reply, Shape},
    store::Entry,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Whose shares are made anew.
#[derive(Clone, Copy, Debug)]
pub(super) struct Family {
    /// Where it stands in the store.
    pub(super) name: &'static str,
    pub(super) holders: Holders,
    /// How answers are laid out: bare at Vault's old paths, in the envelope at the newer ones.
    pub(super) shape: Shape,
}

/// Those who unseal.
pub(super) const ROOT: Family = Family { name: "rekey", holders: Holders::Unseal, shape: Shape::Envelope };
/// Those beside a guard without shares.
pub(super) const RECOVERY: Family =
    Family { name: "rekey-recovery", holders: Holders::Recovery, shape: Shape::Envelope };
/// The same at Vault's old paths.
pub(super) const OLD_ROOT: Family = Family { shape: Shape::Bare, ..ROOT };
/// The same at Vault's old paths.
pub(super) const OLD_RECOVERY: Family = Family { shape: Shape::Bare, ..RECOVERY };

pub(super) const WHAT: &str = "rekey";

/// What the ceremony is to bring about, as stored (format 1).
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rekey {
    pub(super) shares: u8,
    pub(super) threshold: u8,
    /// The new shares must be given once before they count.
    pub(super) verify: bool,
    /// The new wrap, made and not yet verified.
    pub(super) pending: Option<Pending>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pending {
    /// Names this attempt to verify.
    pub(super) nonce: String,
    pub(super) wrap: Wrap,
}

impl Family {
    /// Unseal shares are of a vault that people unseal, recovery shares of one that unseals itself.
    pub(super) fn check(self, file: &SealFile) -> Result<(), Error> {
        match (self.holders, file.guard()) {
            (Holders::Unseal, Guard::Shamir { .. })
            | (Holders::Recovery, Guard::Static | Guard::Passphrase(_)) => Ok(()),
            (Holders::Unseal, _) => Err(Error::invalid(
                "this vault is unsealed with a MASTER_KEY or a passphrase and has no unseal shares; its recovery \
                 shares are made anew at sys/rotate/recovery",
            )),
            (Holders::Recovery, _) => Err(Error::invalid(
                "this vault is unsealed with key shares and has no recovery shares; its shares are made anew at \
                 sys/rotate/root",
            )),
        }
    }
}

pub(super) async fn status(cx: &mut Cx, family: Family) -> Result<Reply, Error> {
    let place = Place::<Rekey>::read(cx, family.name).await?;
    let (_, file) = cx.seal_entry().await?;
    family.check(&file)?;
    Reply::shaped(family.shape, &describe(&place, file.authority()))
}

pub(super) async fn start(cx: &mut Cx, call: Call<'_>, family: Family) -> Result<Reply, Error> {
    let mut place = Place::<Rekey>::read(cx, family.name).await?;
    if place.running.is_some() {
        return Err(Error::invalid("rekey already in progress; finish or cancel it first"));
    }
    let (read, file) = cx.seal_entry().await?;
    family.check(&file)?;
    let (shares, threshold) = shares_of(call)?;
    let verify = call.boolean("require_verification")?.unwrap_or(false);
    place.begin(cx, file.authority(), Rekey { shares, threshold, verify, pending: None })?;
    cx.guard_seal(&read)?;
    cx.note_operation("rekey-start");
    Reply::shaped(family.shape, &describe(&place, file.authority()))
}

pub(super) async fn cancel(cx: &mut Cx, call: Call<'_>, family: Family) -> Result<Reply, Error> {
    let mut place = Place::<Rekey>::read(cx, family.name).await?;
    if let Some(running) = &place.running {
        check_cancel(cx, call, &running.nonce)?;
    }
    place.end(cx)?;
    cx.note_operation("rekey-cancel");
    Ok(Reply::empty())
}

pub(super) async fn update(cx: &mut Cx, call: Call<'_>, family: Family) -> Result<Reply, Error> {
    if let Some(told) = told::again(cx, call, family).await? {
        cx.note_operation("rekey-told");
        return Reply::shaped(family.shape, &told);
    }
    let mut place = Place::<Rekey>::read(cx, family.name).await?;
    let running = place.running(WHAT)?;
    check_nonce(call, &running.nonce)?;
    if running.task.pending.is_some() {
        return Err(Error::invalid(
            "the new shares are made and wait to be verified; give them to the verify step",
        ));
    }
    let (read, file) = cx.seal_entry().await?;
    family.check(&file)?;
    let share = share(call)?;
    match place.contribute(cx, &read, file.authority(), &share).await? {
        None => Reply::shaped(family.shape, &describe(&place, file.authority())),
        Some(opened) => finish(cx, family, place, (&read, &file), (&opened, &share)).await,
    }
}

/// Makes the new shares, and puts them in force unless they are to be verified first.
async fn finish(
    cx: &mut Cx,
    family: Family,
    mut place: Place<Rekey>,
    (read, file): (&Entry, &SealFile),
    (opened, share): (&Opened, &Secret<String>),
) -> Result<Reply, Error> {
    let (crypto, host) = (cx.system().crypto(), std::sync::Arc::clone(cx.system().host()));
    let running = place.running(WHAT)?;
    let (nonce, verify) = (running.nonce.clone(), running.task.verify);
    let (wrap, shares) =
        opened.reshare(crypto, &*host, family.holders, running.task.shares, running.task.threshold)?;
    let mut done = json!(Told::of(&shares));
    done["nonce"] = json!(nonce);
    done["complete"] = json!(true);
    done["verification_required"] = json!(verify);
    for (name, value) in [("pgp_fingerprints", Value::Null), ("backup", json!(false))] {
        done[name] = value;
    }
    if verify {
        let attempt = cx.make_uuid()?;
        done["verification_nonce"] = json!(attempt);
        running.quorum = Quorum::of(&wrap);
        running.task.pending = Some(Pending { nonce: attempt, wrap });
        place.save(cx)?;
        cx.note_operation("rekey-pending");
    } else {
        put_in_force(cx, &mut place, read, file, wrap)?;
        told::keep(cx, family, &nonce, (file.authority(), share), &done).await?;
    }
    Reply::shaped(family.shape, &done)
}

/// Replaces the wrap of the old shares, in one commit with the end of the ceremony.
pub(super) fn put_in_force(
    cx: &mut Cx,
    place: &mut Place<Rekey>,
    read: &Entry,
    file: &SealFile,
    wrap: Wrap,
) -> Result<(), Error> {
    cx.stage_seal(read, &file.with(wrap))?;
    place.end(cx)?;
    cx.note_operation("rekey");
    Ok(())
}

fn describe(place: &Place<Rekey>, wrap: &Wrap) -> Value {
    let running = place.running.as_ref();
    let task = running.map(|running| &running.task);
    let pending = task.and_then(|task| task.pending.as_ref());
    json!({
        "nonce": running.map_or("", |running| running.nonce.as_str()),
        "started": running.is_some(),
        "t": task.map_or(0, |task| task.threshold),
        "n": task.map_or(0, |task| task.shares),
        "progress": running.map_or(0, |running| running.progress(wrap)),
        "required": required(wrap),
        "pgp_fingerprints": null,
        "backup": false,
        "verification_required": task.is_some_and(|task| task.verify),
        "verification_nonce": pending.map_or("", |pending| pending.nonce.as_str()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sys::ceremony::Ceremony;

    #[test]
    fn format_1_is_what_it_always_was() {
        const WRAP: &str = concat!(
            r#"{"id":"96676174-8e5c-43cb-a14f-560177dc7567","kind":"shamir","created":"2025-11-22T00:00:00.000000Z","#,
            r#""shares":3,"threshold":2,"check":"56b699478a773c083110b36b2ec271c8","wrapped":"758527120fbbe785a83d7e35"#,
            r#"c6f659ab73745125dd1fabe37baea730063c55841145dca4786f2056e5a52a940a9095e8f2c9eea42479bf373c69c7b1"}"#
        );
        let check = |pending: &str, expect: bool| {
            let text = format!(
                r#"{{"format":1,"nonce":"a-nonce","started":1763769600000000,"expires":1763856000000000,"quorum":{{"wrap":"96676174-8e5c-43cb-a14f-560177dc7567","shares":["eecc49fe8d90532778e903583479b1e0e7ee9bf55e86a67dfb69042c824e0a1801"]}},"task":{{"shares":3,"threshold":2,"verify":true,"pending":{pending}}}}}"#
            );
            let read = serde_json::from_str::<Ceremony<Rekey>>(&text);
            assert_eq!(read.is_ok(), expect, "{pending}");
            if let Ok(read) = read {
                assert_eq!((read.quorum.count(), serde_json::to_string(&read).unwrap()), (1, text));
            }
        };
        check("null", true);
        check(&format!(r#"{{"nonce":"v-nonce","wrap":{WRAP}}}"#), true);
        check(&format!(r#"{{"nonce":"v-nonce","wrap":{}}}"#, WRAP.replace("\"shamir\"", "\"other\"")), false);
        check(&format!(r#"{{"nonce":"v-nonce","wrap":{WRAP},"more":1}}"#), false);
    }
}
