//! The policies that every vault has, as they would be written. `default` may be overwritten; the others may not.

use super::SECRET_MANAGER;
use crate::token::{DEFAULT, ROOT, WRAPPING};

/// What Vault's own default policy lets every token do, as far as it has a meaning here.
const DEFAULT_TEXT: &str = r#"# What every token may do, unless it was made without.

# Itself.
path "auth/token/lookup-self" {
    capabilities = ["read"]
}
path "auth/token/renew-self" {
    capabilities = ["update"]
}
path "auth/token/revoke-self" {
    capabilities = ["update"]
}
path "sys/capabilities-self" {
    capabilities = ["update"]
}
path "sys/internal/ui/resultant-acl" {
    capabilities = ["read"]
}

# Its leases, by their ids.
path "sys/renew" {
    capabilities = ["update"]
}
path "sys/leases/renew" {
    capabilities = ["update"]
}
path "sys/leases/lookup" {
    capabilities = ["update"]
}

# Its own drawer.
path "cubbyhole/*" {
    capabilities = ["create", "read", "update", "patch", "delete", "list"]
}

# Replies that are put away.
path "sys/wrapping/wrap" {
    capabilities = ["update"]
}
path "sys/wrapping/lookup" {
    capabilities = ["update"]
}
path "sys/wrapping/unwrap" {
    capabilities = ["update"]
}

# Hashing what it brings.
path "sys/tools/hash" {
    capabilities = ["update"]
}
path "sys/tools/hash/*" {
    capabilities = ["update"]
}
"#;

/// A wrapping token takes its reply out, and can do nothing else.
const WRAPPING_TEXT: &str = r#"path "cubbyhole/response" {
    capabilities = ["read"]
}
path "sys/wrapping/unwrap" {
    capabilities = ["update"]
}
"#;

const SECRET_MANAGER_TEXT: &str = r#"path "secret-manager/*" {
    capabilities = ["create", "read", "update"]
}
"#;

/// Name and text of each. Root has no rules: it needs none.
pub(super) const TEXTS: &[(&str, &str)] =
    &[(DEFAULT, DEFAULT_TEXT), (WRAPPING, WRAPPING_TEXT), (SECRET_MANAGER, SECRET_MANAGER_TEXT)];

/// May nobody write a policy of this name.
pub fn is_fixed(name: &str) -> bool {
    [ROOT, WRAPPING, SECRET_MANAGER].contains(&name)
}
