//! The tables of the ceremonies' routes. Each stands twice: at Vault's own paths, which an operator may open to those
//! without a token, and at the paths of the `bao` command line, which always ask for one.

use super::{
    delete_backup, generate_root, no_backup,
    rekey::{self, OLD_RECOVERY, OLD_ROOT, RECOVERY, ROOT},
    verify,
};
use crate::{
    Operation::{Delete, Read, Write},
    engine::{
        Access::{Ceremony, Sudo},
        Field,
        FieldKind::{Boolean, Integer, Refused, Text},
        Route,
        sys::row,
    },
    request::Shape,
};

const UPDATE: &[Field] = &[
    Field::new(
        "key",
        Text,
        "One share, in hex or base64; of a vault without shares its MASTER_KEY or passphrase.",
    ),
    Field::new("nonce", Text, "The ceremony's nonce, as its status shows it."),
];
const CANCEL: &[Field] =
    &[Field::new("nonce", Text, "Cancel this one only; needed from those without a token.")];
const ATTEMPT: &[Field] = &[
    Field::new("otp", Text, "One-time password of `otp_length` bytes; made where absent."),
    Field::new("pgp_key", Refused, "Encrypting the token is not available yet."),
];
const REKEY: &[Field] = &[
    Field::new("secret_shares", Integer, "Shares to make, 1 to 255; 5 where absent."),
    Field::new("secret_threshold", Integer, "Shares that suffice; 3 where absent."),
    Field::new("require_verification", Boolean, "The new shares must be given once before they count."),
    Field::new("stored_shares", Integer, "Ignored: no share is stored."),
    Field::new("pgp_keys", Refused, "Encrypting shares is not available yet."),
    Field::new("backup", Refused, "Only shares that are encrypted to PGP keys are backed up."),
];

const SHARE_EXAMPLE: &str = r#"{"key":"…","nonce":"…"}"#;
const REKEY_EXAMPLE: &str = r#"{"secret_shares":5,"secret_threshold":3}"#;

const fn with(example: &'static str, route: Route) -> Route {
    Route { example, ..route }
}

/// The four rows of root generation below `$path`.
macro_rules! generate_root {
    ($path:literal, $access:ident, $shape:expr) => {
        &[
            row(
                Read,
                concat!($path, "/attempt"),
                $access,
                "How far the making of a root token is.",
                &[],
                |cx, _| Box::pin(generate_root::status(cx, $shape)),
            ),
            row(
                Write,
                concat!($path, "/attempt"),
                $access,
                "Begin to make a root token.",
                ATTEMPT,
                |cx, call| Box::pin(generate_root::start(cx, call, $shape)),
            ),
            row(
                Delete,
                concat!($path, "/attempt"),
                $access,
                "Cancel it; the shares given are forgotten.",
                CANCEL,
                |cx, call| Box::pin(generate_root::cancel(cx, call)),
            ),
            with(
                SHARE_EXAMPLE,
                row(Write, concat!($path, "/update"), $access, "Give one share.", UPDATE, |cx, call| {
                    Box::pin(generate_root::update(cx, call, $shape))
                }),
            ),
        ]
    };
}

/// The nine rows of a rekey below `$path`, its backup at `$backup`.
macro_rules! rekey {
    ($path:literal, $backup:literal, $access:ident, $family:ident) => {
        &[
            row(
                Read,
                concat!($path, "/init"),
                $access,
                "How far the making of new shares is.",
                &[],
                |cx, _| Box::pin(rekey::status(cx, $family)),
            ),
            with(
                REKEY_EXAMPLE,
                row(
                    Write,
                    concat!($path, "/init"),
                    $access,
                    "Begin to make new shares.",
                    REKEY,
                    |cx, call| Box::pin(rekey::start(cx, call, $family)),
                ),
            ),
            row(
                Delete,
                concat!($path, "/init"),
                $access,
                "Cancel it; the old shares stay in force.",
                CANCEL,
                |cx, call| Box::pin(rekey::cancel(cx, call, $family)),
            ),
            with(
                SHARE_EXAMPLE,
                row(
                    Write,
                    concat!($path, "/update"),
                    $access,
                    "Give one share in force.",
                    UPDATE,
                    |cx, call| Box::pin(rekey::update(cx, call, $family)),
                ),
            ),
            row(
                Read,
                concat!($path, "/verify"),
                $access,
                "How far the verification of new shares is.",
                &[],
                |cx, _| Box::pin(verify::status(cx, $family)),
            ),
            with(
                SHARE_EXAMPLE,
                row(Write, concat!($path, "/verify"), $access, "Give one new share.", UPDATE, |cx, call| {
                    Box::pin(verify::update(cx, call, $family))
                }),
            ),
            row(
                Delete,
                concat!($path, "/verify"),
                $access,
                "Start the verification over.",
                CANCEL,
                |cx, call| Box::pin(verify::restart(cx, call, $family)),
            ),
            row(Read, $backup, $access, "Backed-up shares: there are none without PGP keys.", &[], |_, _| {
                Box::pin(no_backup())
            }),
            row(Delete, $backup, $access, "Remove backed-up shares.", &[], |_, _| Box::pin(delete_backup())),
        ]
    };
}

/// Every table.
pub(in crate::engine::sys) const TABLES: [&[Route]; 6] = [
    generate_root!("generate-root", Ceremony, Shape::Bare),
    generate_root!("generate-root-token", Sudo, Shape::Envelope),
    rekey!("rekey", "rekey/backup", Ceremony, OLD_ROOT),
    rekey!("rotate/root", "rotate/root/backup", Sudo, ROOT),
    rekey!("rekey-recovery-key", "rekey/recovery-key-backup", Ceremony, OLD_RECOVERY),
    rekey!("rotate/recovery", "rotate/recovery/backup", Sudo, RECOVERY),
];
