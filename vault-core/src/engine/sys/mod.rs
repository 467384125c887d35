//! `sys/`: operating the vault (Vault API, `sys/*`).

mod about;
mod capabilities;
mod ceremony;
mod devices;
mod headers;
mod keys;
mod leases;
mod lifecycle;
mod mounts;
mod node;
mod policies;
mod quotas;
mod simulate;
mod snapshot;
mod templates;
mod tools;
mod wrapping;

use super::{Access, Engine, Field, FieldKind, Handler, Place, Route, joined, rows};
use crate::Operation::{self, Read, Write};
use FieldKind::{Any, Boolean, Integer, List as ListKind, Refused, Seconds, Text};

/// The engine of `sys/`.
pub(super) const ENGINE: Engine = Engine {
    kind: "system",
    variant: "",
    place: Place::BuiltIn,
    target: None,
    exists: None,
    secrets: None,
    summary: "Operating the vault: seal, keys, mounts, health.",
    routes: &joined::<{ rows(TABLES) }>(TABLES),
};

const INIT: &[Field] = &[
    Field::new("secret_shares", Integer, "Shares to make, 1 to 255; 5 where absent."),
    Field::new("secret_threshold", Integer, "Shares that unseal; 3 where absent."),
    Field::new(
        "passphrase",
        Text,
        "Of a server with seal = \"passphrase\": the passphrase, in place of shares.",
    ),
    Field::new("stored_shares", Integer, "Ignored, as a seal without shares stores none."),
    Field::new("pgp_keys", Refused, "Encrypting shares is not available yet."),
    Field::new("root_token_pgp_key", Refused, "Encrypting the root token is not available yet."),
    Field::new("recovery_shares", Refused, "Of a vault that unseals itself, see rotate/recovery."),
    Field::new("recovery_threshold", Refused, "As `recovery_shares`."),
    Field::new("recovery_pgp_keys", Refused, "As `recovery_shares`."),
];
const ROTATE: &[Field] = &[
    Field::new("max_operations", Integer, "Encryptions under one key, 1000000 to 3865470566."),
    Field::new("interval", Seconds, "Age of a key, at least 24 hours; 0: it does not matter."),
    Field::new("enabled", Boolean, "Rotate without being asked at all."),
];
const UNSEAL: &[Field] = &[
    Field::new("key", Text, "One share, in hex or base64; of a vault with a passphrase that."),
    Field::new("share", Text, "Another name of `key`."),
    Field::new("reset", Boolean, "Forget the shares given so far."),
    Field::new("migrate", Boolean, "Hand the vault over to the seal that the server is configured with."),
];
const HEALTH: &[Field] = &[
    Field::new("standbyok", Any, "No node is a standby: accepted and without meaning."),
    Field::new("perfstandbyok", Any, "As `standbyok`."),
    Field::new("activecode", Any, "Code for an active node."),
    Field::new("standbycode", Any, "As `standbyok`."),
    Field::new("drsecondarycode", Any, "As `standbyok`."),
    Field::new("performancestandbycode", Any, "As `standbyok`."),
    Field::new("removedcode", Any, "As `standbyok`."),
    Field::new("haunhealthycode", Any, "As `standbyok`."),
    Field::new("sealedcode", Any, "Code for a sealed node."),
    Field::new("uninitcode", Any, "Code for a node without a vault."),
];
const PATHS: &[Field] = &[
    Field::new("paths", ListKind, "Paths to ask about."),
    Field::new("path", ListKind, "Old name of `paths`."),
    Field::new("token", Text, "The token to ask about."),
    Field::new("accessor", Text, "The token's accessor."),
];
const HASH: &[Field] = &[
    Field::new("input", Text, "What to hash, in base64."),
    Field::new("algorithm", Text, "`sha2-256`, the default and only one."),
    Field::new("format", Text, "`hex` (default) or `base64`."),
];
const RANDOM: &[Field] = &[
    Field::new("bytes", Integer, "How many; 32 where absent."),
    Field::new("format", Text, "`base64` (default) or `hex`."),
];

const METRICS: &[Field] = &[Field::new("format", Text, "`prometheus`; JSON where absent.")];

const fn row(
    operation: Operation,
    pattern: &'static str,
    access: Access,
    summary: &'static str,
    fields: &'static [Field],
    handler: Handler,
) -> Route {
    Route { operation, pattern, access, summary, fields, example: "{}", handler }
}

use Access::{Open, Probe, Sudo, Token};

/// All rows; what is large has its table in its own file.
const TABLES: &[&[Route]] = &{
    let [a, b, c, d, e, f] = ceremony::TABLES;
    let here = ROUTES;
    [
        here,
        about::ROUTES,
        mounts::ROUTES,
        wrapping::ROUTES,
        leases::ROUTES,
        devices::ROUTES,
        headers::ROUTES,
        node::ROUTES,
        policies::ROUTES,
        quotas::ROUTES,
        simulate::ROUTES,
        templates::ROUTES,
        snapshot::ROUTES,
        a,
        b,
        c,
        d,
        e,
        f,
    ]
};

const ROUTES: &[Route] = &[
    row(Read, "health", Probe, "State of the node, for load balancers.", HEALTH, |cx, _| {
        Box::pin(lifecycle::health(cx))
    }),
    row(Read, "health/ready", Probe, "Is the node ready to serve.", &[], |cx, _| {
        Box::pin(lifecycle::ready(cx))
    }),
    row(Read, "health/live", Probe, "Is the process alive.", &[], |cx, _| Box::pin(lifecycle::live(cx))),
    row(Read, "seal-status", Probe, "Is it sealed, and how many shares have come.", &[], |cx, _| {
        Box::pin(lifecycle::seal_status(cx))
    }),
    row(Read, "leader", Probe, "Every node serves everything: each is its own leader.", &[], |cx, _| {
        Box::pin(lifecycle::leader(cx))
    }),
    row(Read, "init", Probe, "Is there a vault.", &[], |cx, _| Box::pin(lifecycle::read_init(cx))),
    Route {
        example: r#"{"secret_shares":5,"secret_threshold":3}"#,
        ..row(
            Write,
            "init",
            Open,
            "Make the vault; keys and root token are told this once.",
            INIT,
            |cx, call| Box::pin(lifecycle::init(cx, call)),
        )
    },
    Route {
        example: r#"{"key":"…"}"#,
        ..row(Write, "unseal", Open, "Give one share.", UNSEAL, |cx, call| {
            Box::pin(lifecycle::unseal(cx, call))
        })
    },
    row(Write, "seal", Sudo, "Seal this node at once.", &[], |cx, _| Box::pin(lifecycle::seal(cx))),
    row(Write, "step-down", Sudo, "No node leads: nothing to do.", &[], |_, _| {
        Box::pin(lifecycle::step_down())
    }),
    row(Read, "key-status", Token, "The key term in use.", &[], |cx, _| Box::pin(keys::key_status(cx))),
    row(Write, "rotate", Sudo, "Encrypt under a new key from now on.", &[], |cx, _| {
        Box::pin(keys::rotate(cx))
    }),
    row(Write, "rotate/keyring", Sudo, "The same.", &[], |cx, _| Box::pin(keys::rotate(cx))),
    row(Read, "rotate/config", Token, "When the key is rotated without being asked.", &[], |cx, _| {
        Box::pin(keys::policy(cx))
    }),
    Route {
        example: r#"{"interval":"720h"}"#,
        ..row(Write, "rotate/config", Sudo, "Choose when.", ROTATE, |cx, call| {
            Box::pin(keys::set_policy(cx, call))
        })
    },
    row(Read, "internal/ui/resultant-acl", Token, "What the token may do.", &[], |cx, _| {
        Box::pin(capabilities::resultant_acl(cx))
    }),
    Route {
        example: r#"{"paths":["secret/data/app"]}"#,
        ..row(Write, "capabilities-self", Token, "What the token may do on paths.", PATHS, |cx, call| {
            Box::pin(capabilities::of_self(cx, call))
        })
    },
    Route {
        example: r#"{"token":"shs.…","paths":["secret/data/app"]}"#,
        ..row(Write, "capabilities", Sudo, "What a token may do on paths.", PATHS, |cx, call| {
            Box::pin(capabilities::of_token(cx, call))
        })
    },
    Route {
        example: r#"{"accessor":"…","paths":["secret/data/app"]}"#,
        ..row(Write, "capabilities-accessor", Sudo, "The same by accessor.", PATHS, |cx, call| {
            Box::pin(capabilities::of_accessor(cx, call))
        })
    },
    Route {
        example: r#"{"input":"aGVsbG8="}"#,
        ..row(Write, "tools/hash", Token, "Hash some bytes.", HASH, |cx, call| {
            Box::pin(tools::hash(cx, call))
        })
    },
    Route {
        example: r#"{"input":"aGVsbG8="}"#,
        ..row(Write, "tools/hash/{algorithm}", Token, "Hash some bytes.", HASH, |cx, call| {
            Box::pin(tools::hash(cx, call))
        })
    },
    row(Write, "tools/random", Token, "Random bytes.", RANDOM, |cx, call| Box::pin(tools::random(cx, call))),
    row(Write, "tools/random/{bytes}", Token, "Random bytes.", RANDOM, |cx, call| {
        Box::pin(tools::random(cx, call))
    }),
    row(
        Read,
        "metrics",
        Token,
        "May the token read the metrics; front-ends hold them.",
        METRICS,
        |_, call| Box::pin(lifecycle::metrics(call)),
    ),
];
