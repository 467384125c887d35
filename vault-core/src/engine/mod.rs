//! Engines: everything that a request can do, behind a path. An engine is a value: a name and a table of routes.
//! Adding one is one file and one line in [`ENGINES`].
//!
//! Engines see [`Cx`](crate::cx::Cx), the request and their own models; never the store, the barrier, the lane or
//! another engine. A handler may run twice (after a conflict): it must not matter.

mod approle;
mod apps;
mod audit;
mod call;
pub mod cubbyhole;
pub mod kv;
mod lockout;
mod mount;
pub mod openapi;
mod route;
mod secret_manager;
mod sys;
mod token;
mod token_fields;
mod userpass;

use crate::policy::Deed;
pub(crate) use call::is_nothing;
pub use call::{Call, parse_duration};
pub use lockout::Lockout;
pub use mount::{MOUNT_FORMAT, Mount, MountConfig, Moved};
pub use route::{Access, FREE, Field, FieldKind, Handler, Params, Route};
pub(crate) use route::{joined, row, rows};

/// Everything a kind of mount can do.
#[derive(Debug)]
pub struct Engine {
    /// Its type: `kv`, `system` …
    pub kind: &'static str,
    /// Which variant of the type (KV's version); empty if there is but one.
    pub variant: &'static str,
    /// Where it may be mounted by whoever may mount.
    pub place: Place,
    /// One sentence, for people.
    pub summary: &'static str,
    /// What it serves; the first match wins.
    pub routes: &'static [Route],
    /// The first key that a request will ask for, where its path alone tells: it is then read together with the
    /// token, which saves a read.
    pub target: Option<Target>,
    /// The key whose being there tells an update from a creation, where policies tell them apart; `None` = every write is
    /// an update.
    pub exists: Option<Exists>,
    /// How its paths name secrets; `None` = they name none.
    pub secrets: Option<&'static Secrets>,
}

/// From a path below the mount to the key below the mount that is there if what is written there is.
pub type Exists = fn(&str) -> Option<String>;

/// How the paths of a mount name secrets: for policies that speak of secrets, and for lists that show only what who asks
/// may touch.
#[derive(Debug)]
pub struct Secrets {
    /// Which secret a path is about, and what an operation there does to it.
    pub subject: for<'p> fn(crate::Operation, &'p str) -> Option<(&'p str, Deed)>,
    /// What stands in front of a secret's path where it can be reached; the list is at the first.
    pub views: &'static [&'static str],
}

/// Where an engine may be mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nowhere: it stands where every vault has it.
    BuiltIn,
    /// Among the secrets engines, by `sys/mounts`.
    Secrets,
    /// Among the auth methods below `auth/`, by `sys/auth`.
    Auth,
}

/// From an operation and a path below the mount to the key below the mount that is asked for first.
pub type Target = fn(crate::Operation, &str) -> Option<String>;

/// Every engine of the product.
pub const ENGINES: &[&Engine] = &[
    &sys::ENGINE,
    &token::ENGINE,
    &approle::ENGINE,
    &userpass::ENGINE,
    &apps::ENGINE,
    &kv::ENGINE,
    &kv::v1::ENGINE,
    &cubbyhole::ENGINE,
    &audit::ENGINE,
    &secret_manager::ENGINE,
];

/// The engine that serves a mount.
pub fn engine_of(mount: &Mount) -> Option<&'static Engine> {
    ENGINES.iter().copied().find(|engine| engine.kind == mount.kind && engine.variant == mount.variant())
}
