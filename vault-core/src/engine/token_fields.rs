//! The `token_*` fields that roles and users of every auth method have, read and shown alike (Vault's names).

use super::{Call, Field, FieldKind};
use crate::{
    cidr::Cidr,
    error::Error,
    token::{TokenSettings, TokenType},
};
use FieldKind::{Boolean, Integer, List, Seconds, Text};
use serde_json::{Map, Value, json};

/// The fields, for the tables of routes.
pub(super) const TOKEN_FIELDS: &[Field] = &[
    Field::new("token_policies", List, "Policies of its tokens, beside the default one."),
    Field::new("token_ttl", Seconds, "How long they live; 0 = as the mount says."),
    Field::new("token_max_ttl", Seconds, "What no renewal passes; 0 = as the mount says."),
    Field::new("token_explicit_max_ttl", Seconds, "The same, and the tokens show it."),
    Field::new("token_period", Seconds, "What every renewal gives, without a bound."),
    Field::new("token_num_uses", Integer, "How often they may be used; 0 = unlimited."),
    Field::new("token_no_default_policy", Boolean, "Leave out the default policy."),
    Field::new("token_bound_cidrs", List, "Addresses from which they may be used; none = from everywhere."),
    Field::new("token_type", Text, "`service`, `batch`, `default-service` or `default-batch`."),
    Field::new("policies", List, "Old name of `token_policies`."),
    Field::new("period", Seconds, "Old name of `token_period`."),
];

/// Two tables of fields as one.
pub(super) const fn both<const N: usize>(one: &[Field], other: &[Field]) -> [Field; N] {
    assert!(one.len() + other.len() == N);
    let mut all = [if one.is_empty() { other[0] } else { one[0] }; N];
    let mut at = 0;
    while at < N {
        all[at] = if at < one.len() { one[at] } else { other[at - one.len()] };
        at += 1;
    }
    all
}

/// What was set, with what the request names.
pub(super) fn parse(before: TokenSettings, call: Call<'_>) -> Result<TokenSettings, Error> {
    let seconds = |name: &str, before: u64| -> Result<u64, Error> {
        Ok(call.duration(name)?.map_or(before, |duration| duration.as_secs()))
    };
    let list = |name: &str, old: &str| match call.list(name) {
        Ok(None) => call.list(old),
        found => found,
    };
    let kind = match call.text("token_type")?.filter(|kind| !kind.is_empty()) {
        Some(kind) => TokenType::parse(&kind)?,
        None => before.kind,
    };
    let settings = TokenSettings {
        policies: list("token_policies", "policies")?.map_or(before.policies, |policies| names(&policies)),
        ttl: seconds("token_ttl", before.ttl)?,
        max_ttl: seconds("token_max_ttl", before.max_ttl)?,
        explicit_max_ttl: seconds("token_explicit_max_ttl", before.explicit_max_ttl)?,
        period: seconds("token_period", seconds("period", before.period)?)?,
        num_uses: call.integer("token_num_uses")?.unwrap_or(before.num_uses),
        no_default_policy: call.boolean("token_no_default_policy")?.unwrap_or(before.no_default_policy),
        bound_cidrs: match call.list("token_bound_cidrs")? {
            Some(blocks) => cidrs(&blocks)?,
            None => before.bound_cidrs,
        },
        kind,
    };
    settings.check()?;
    Ok(settings)
}

/// Names of policies as they are stored: in lower case, sorted, each once.
fn names(policies: &[String]) -> Vec<String> {
    let mut policies: Vec<String> = policies.iter().map(|name| name.trim().to_lowercase()).collect();
    policies.retain(|name| !name.is_empty());
    policies.sort();
    policies.dedup();
    policies
}

/// Blocks of addresses, or what is none of them.
pub(super) fn cidrs(blocks: &[String]) -> Result<Vec<Cidr>, Error> {
    blocks.iter().map(|block| block.parse().map_err(|wrong: String| Error::invalid(wrong))).collect()
}

/// The fields as they are read back.
pub(super) fn show(settings: &TokenSettings) -> Map<String, Value> {
    let shown = json!({
        "token_policies": settings.policies,
        "token_ttl": settings.ttl,
        "token_max_ttl": settings.max_ttl,
        "token_explicit_max_ttl": settings.explicit_max_ttl,
        "token_period": settings.period,
        "token_num_uses": settings.num_uses,
        "token_no_default_policy": settings.no_default_policy,
        "token_bound_cidrs": settings.bound_cidrs,
        "token_type": settings.kind.as_str(),
        "policies": settings.policies,
    });
    shown.as_object().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Operation, Request, engine::Params};

    #[test]
    fn fields_are_read_and_shown() {
        let parsed = |before: &TokenSettings, fields: Value| {
            let request = Request::new("id", Operation::Write, "p").with_fields(fields);
            parse(before.clone(), Call { request: &request, params: Params::default() })
        };
        let none = TokenSettings::default();
        let fields = json!({
            "token_policies": "B, a,a", "token_ttl": "1h", "token_max_ttl": 7_200, "token_type": "service",
            "token_bound_cidrs": ["10.0.0.0/8"], "token_num_uses": "3", "token_no_default_policy": "true",
        });
        let set = parsed(&none, fields).unwrap();
        assert_eq!(set.policies, ["a", "b"]);
        let shown = show(&set);
        assert_eq!(
            (
                &shown["token_ttl"],
                &shown["token_bound_cidrs"],
                &shown["token_type"],
                &shown["token_num_uses"]
            ),
            (&json!(3_600), &json!(["10.0.0.0/8"]), &json!("service"), &json!(3))
        );
        assert_eq!(parsed(&set, json!({})).unwrap(), set, "what is not named stays");
        let old = parsed(&set, json!({ "policies": ["c"], "period": 60 })).unwrap();
        assert_eq!((old.policies, old.period), (vec!["c".to_owned()], 60));
        for bad in [
            json!({ "token_policies": ["root"] }),
            json!({ "token_bound_cidrs": ["x"] }),
            json!({ "token_type": "x" }),
            json!({ "token_ttl": "soon" }),
            json!({ "token_ttl": 9, "token_max_ttl": 8 }),
            json!({ "token_type": "batch", "token_num_uses": 1 }),
        ] {
            assert!(parsed(&none, bad.clone()).is_err(), "{bad}");
        }
    }
}
