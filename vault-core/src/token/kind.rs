//! Two kinds of tokens, and how mount, role and request settle between them (Vault's rules).

use crate::error::Error;
use serde::{Deserialize, Serialize};

/// Is a token stored, or a claim that its holder carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenKind {
    /// Stored; can be renewed, revoked, counted, and have children.
    #[default]
    Service,
    /// Carried; nothing is written for it.
    Batch,
}

impl TokenKind {
    /// Vault's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Batch => "batch",
        }
    }

    /// What a request asks for; nothing where it leaves the choice.
    pub fn parse(text: &str) -> Result<Option<Self>, Error> {
        match text {
            "" | "default" => Ok(None),
            "service" => Ok(Some(Self::Service)),
            "batch" => Ok(Some(Self::Batch)),
            _ => Err(Error::invalid(format!("token type {text:?} must be \"service\" or \"batch\""))),
        }
    }
}

/// What a role or a mount says of the tokens that it gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenType {
    /// Nothing.
    #[default]
    Default,
    /// Service tokens unless somebody asks for others.
    DefaultService,
    /// Batch tokens unless somebody asks for others.
    DefaultBatch,
    /// Service tokens whatever is asked.
    Service,
    /// Batch tokens whatever is asked.
    Batch,
}

impl TokenType {
    /// Vault's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::DefaultService => "default-service",
            Self::DefaultBatch => "default-batch",
            Self::Service => "service",
            Self::Batch => "batch",
        }
    }

    /// From Vault's word; an empty one says nothing.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let all = [Self::Default, Self::DefaultService, Self::DefaultBatch, Self::Service, Self::Batch];
        match text {
            "" => Ok(Self::Default),
            text => all.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
                Error::invalid(format!(
                    "token type {text:?} must be one of \"service\", \"batch\", \"default-service\", \"default-batch\""
                ))
            }),
        }
    }

    /// The kind of a token that a request asks for, of a role, of a mount.
    pub fn settle(mount: Self, role: Self, asked: Option<TokenKind>) -> TokenKind {
        let forced = |kind: Self| match kind {
            Self::Service => Some(TokenKind::Service),
            Self::Batch => Some(TokenKind::Batch),
            _ => None,
        };
        let usual = |kind: Self| match kind {
            Self::DefaultService => Some(TokenKind::Service),
            Self::DefaultBatch => Some(TokenKind::Batch),
            _ => None,
        };
        let said = [forced(mount), forced(role), asked, usual(role), usual(mount)];
        said.into_iter().flatten().next().unwrap_or_default()
    }

    /// May it give batch tokens.
    pub fn may_be_batch(self) -> bool {
        matches!(self, Self::Batch | Self::DefaultBatch)
    }

    pub(crate) fn is_default(&self) -> bool {
        *self == Self::Default
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TokenKind::{Batch, Service};

    #[test]
    fn mount_role_and_request_settle() {
        let check = |mount: &str, role: &str, asked: &str, expect: TokenKind| {
            let (mount, role) = (TokenType::parse(mount).unwrap(), TokenType::parse(role).unwrap());
            let asked = TokenKind::parse(asked).unwrap();
            assert_eq!(TokenType::settle(mount, role, asked), expect, "{mount:?} {role:?} {asked:?}");
        };
        check("", "", "", Service);
        check("", "", "batch", Batch);
        check("default-batch", "", "", Batch);
        check("default-batch", "", "service", Service);
        check("default-batch", "default-service", "", Service);
        check("default-service", "batch", "service", Batch);
        check("default-service", "service", "batch", Service);
        check("service", "batch", "batch", Service);
        check("batch", "service", "service", Batch);
    }

    #[test]
    fn words() {
        for word in ["default", "default-service", "default-batch", "service", "batch"] {
            let kind = TokenType::parse(word).unwrap();
            assert_eq!(kind.as_str(), word);
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("{word:?}"));
        }
        assert!(TokenType::parse("x").is_err() && TokenKind::parse("default-batch").is_err());
    }
}
