//! Argon2id (RFC 9106), shared by both providers: AWS-LC has none. Hence it is never FIPS-validated.

use super::{Argon2Cost, InvalidCost};
use crate::limits::{ARGON2_MEMORY_KIB_MAX, ARGON2_PASSES_MAX};
use crate::{Key32, Secret};
use argon2::{Algorithm, Argon2, AssociatedData, ParamsBuilder, Version};

/// What only RFC 9106's own test vector uses.
#[derive(Default)]
pub(crate) struct Extras<'a> {
    pub(crate) secret: &'a [u8],
    pub(crate) associated: &'a [u8],
}

/// A key from a password. Memory is wiped before it is freed.
pub(super) fn derive_key(password: &[u8], salt: &[u8], cost: Argon2Cost) -> Result<Key32, InvalidCost> {
    derive_raw(password, salt, cost, &Extras::default())
}

/// The whole function of RFC 9106 §3.1 with a 32-byte tag.
pub(crate) fn derive_raw(
    password: &[u8],
    salt: &[u8],
    cost: Argon2Cost,
    extras: &Extras<'_>,
) -> Result<Key32, InvalidCost> {
    if cost.memory_kib > ARGON2_MEMORY_KIB_MAX || cost.passes > ARGON2_PASSES_MAX {
        return Err(InvalidCost);
    }
    let mut params = ParamsBuilder::new();
    params.m_cost(cost.memory_kib).t_cost(cost.passes).p_cost(cost.lanes).output_len(32);
    if !extras.associated.is_empty() {
        params.data(AssociatedData::new(extras.associated).map_err(|_| InvalidCost)?);
    }
    let params = params.build().map_err(|_| InvalidCost)?;
    let argon2 = Argon2::new_with_secret(extras.secret, Algorithm::Argon2id, Version::V0x13, params);
    let argon2 = argon2.map_err(|_| InvalidCost)?;
    let mut result = Ok(());
    let key = Secret::init(|out: &mut [u8; 32]| result = argon2.hash_password_into(password, salt, out));
    result.map(|()| key).map_err(|_| InvalidCost)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_9106_section_5_3() {
        let cost = Argon2Cost { memory_kib: 32, passes: 3, lanes: 4 };
        let extras = Extras { secret: &[3; 8], associated: &[4; 12] };
        let tag = derive_raw(&[1; 32], &[2; 16], cost, &extras).unwrap();
        assert_eq!(
            hex::encode(tag.expose()),
            "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"
        );
    }

    #[test]
    fn refuses_what_is_out_of_bounds() {
        let check = |memory_kib, passes, lanes, salt: &[u8], expect: bool| {
            let cost = Argon2Cost { memory_kib, passes, lanes };
            assert_eq!(derive_key(b"pw", salt, cost).is_ok(), expect, "{cost:?}");
        };
        check(8, 1, 1, &[0; 8], true);
        check(8, 1, 1, &[0; 7], false);
        check(7, 1, 1, &[0; 8], false);
        check(8, 0, 1, &[0; 8], false);
        check(8, 1, 0, &[0; 8], false);
        check(8, 1, 2, &[0; 8], false);
        check(8, ARGON2_PASSES_MAX + 1, 1, &[0; 8], false);
        check(ARGON2_MEMORY_KIB_MAX + 1, 1, 1, &[0; 8], false);
    }
}
