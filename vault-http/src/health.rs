//! Query overrides of `sys/health`: a load balancer says which code it wants to see for which state.

use secrethub_core::{Error, request::Health};
use serde_json::{Map, Value};

/// Codes of the states that a node of ours can be in; Vault's unless the query overrides them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HealthCodes {
    active: u16,
    sealed: u16,
    uninitialized: u16,
}

impl Default for HealthCodes {
    fn default() -> Self {
        Self { active: 200, sealed: 503, uninitialized: 501 }
    }
}

impl HealthCodes {
    /// Reads `activecode`, `sealedcode` and `uninitcode`. Codes of states that we never are in must be codes too;
    /// `standbyok` and `perfstandbyok` have nothing to say here, because every node is active.
    pub(crate) fn parse(query: &Map<String, Value>) -> Result<Self, Error> {
        const OTHERS: [&str; 6] = [
            "standbycode",
            "drsecondarycode",
            "performancestandbycode",
            "perfstandbycode",
            "removedcode",
            "haunhealthycode",
        ];
        for name in OTHERS {
            code(query, name)?;
        }
        let ours = Self::default();
        Ok(Self {
            active: code(query, "activecode")?.unwrap_or(ours.active),
            sealed: code(query, "sealedcode")?.unwrap_or(ours.sealed),
            uninitialized: code(query, "uninitcode")?.unwrap_or(ours.uninitialized),
        })
    }

    pub(crate) fn of(self, health: Health) -> u16 {
        match health {
            Health::Active => self.active,
            Health::Sealed => self.sealed,
            Health::Uninitialized => self.uninitialized,
        }
    }
}

/// A final status: 1xx would leave the client waiting for another.
fn code(query: &Map<String, Value>, name: &str) -> Result<Option<u16>, Error> {
    let Some(value) = query.get(name) else { return Ok(None) };
    let code = value.as_str().and_then(|text| text.parse().ok()).filter(|code| (200..600).contains(code));
    code.map(Some).ok_or_else(|| Error::invalid(format!("{name} must be a status code from 200 to 599")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query;

    #[test]
    fn overrides() {
        let check = |text: &str, expect: Option<[u16; 3]>| {
            let codes = HealthCodes::parse(&query::parse(text).unwrap()).ok();
            assert_eq!(
                codes.map(|codes| [codes.active, codes.sealed, codes.uninitialized]),
                expect,
                "{text}"
            );
        };
        check("", Some([200, 503, 501]));
        check("standbyok=true&perfstandbyok=true", Some([200, 503, 501]));
        check("activecode=299&sealedcode=298&uninitcode=297", Some([299, 298, 297]));
        check("standbycode=299&drsecondarycode=299&removedcode=299", Some([200, 503, 501]));
        for bad in [
            "activecode=abc",
            "sealedcode=",
            "uninitcode=100",
            "activecode=600",
            "standbycode=x",
            "sealedcode=-1",
        ] {
            check(bad, None);
        }
    }
}
