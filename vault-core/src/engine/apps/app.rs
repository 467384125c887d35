//! An application: what it is, and how it is read from a request and shown.

use crate::{
    cx::{Cx, Item},
    engine::{Call, token_fields},
    error::Error,
    id::Timestamp,
    limits::{
        APP_DESCRIPTION_BYTES_MAX, CUSTOM_METADATA_KEYS_MAX, CUSTOM_METADATA_NAME_BYTES_MAX,
        CUSTOM_METADATA_VALUE_BYTES_MAX,
    },
    token::TokenSettings,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// May it do anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    /// It may.
    Active,
    /// It may not, until it is activated again.
    Suspended,
}

impl Status {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        match text {
            "active" => Ok(Self::Active),
            "suspended" => Ok(Self::Suspended),
            _ => Err(Error::invalid("field \"status\" must be \"active\" or \"suspended\"")),
        }
    }
}

/// A bootstrap token that was not used yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bootstrap {
    /// Keyed hash, hex.
    pub(super) hash: String,
    pub(super) expires: Timestamp,
}

/// An application, as stored (format 1); its id is in the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct App {
    pub(super) format: u8,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) agent_id: Option<String>,
    pub(super) status: Status,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    /// What all that it holds rests on.
    pub(super) holder: String,
    pub(super) bootstrap: Option<Bootstrap>,
    pub(super) token: TokenSettings,
}

impl App {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            format: 1,
            name: String::new(),
            description: String::new(),
            agent_id: None,
            status: Status::Active,
            metadata: BTreeMap::new(),
            created: now,
            updated: now,
            holder: String::new(),
            bootstrap: None,
            token: TokenSettings::default(),
        }
    }

    /// The application with what the request names.
    pub(super) fn changed(self, call: Call<'_>, now: Timestamp) -> Result<Self, Error> {
        let description = call.text("description")?.unwrap_or(self.description);
        if description.len() > APP_DESCRIPTION_BYTES_MAX {
            return Err(Error::invalid(format!(
                "field \"description\" may have at most {APP_DESCRIPTION_BYTES_MAX} bytes"
            )));
        }
        Ok(Self {
            name: call.text("name")?.map_or(Ok(self.name), checked_name)?,
            description,
            agent_id: match call.text("agent_id")? {
                Some(id) if id.is_empty() => None,
                Some(id) => {
                    Some(parse_id(&id).ok_or_else(|| Error::invalid("field \"agent_id\" must be a UUID"))?)
                }
                None => self.agent_id,
            },
            status: call.text("status")?.map_or(Ok(self.status), |status| Status::parse(&status))?,
            metadata: metadata(call)?.unwrap_or(self.metadata),
            updated: now,
            token: token_fields::parse(self.token, call)?,
            ..self
        })
    }

    /// As it is listed.
    pub(super) fn show(&self, id: &str) -> Value {
        json!({
            "app_id": id,
            "name": self.name,
            "description": self.description,
            "agent_id": self.agent_id,
            "status": self.status.as_str(),
            "policies": self.token.policies,
            "created_at": self.created.to_rfc3339(),
        })
    }

    /// As it is read.
    pub(super) fn show_whole(&self, id: &str) -> Value {
        let mut shown = self.show(id);
        shown["metadata"] = json!(self.metadata);
        shown["updated_at"] = self.updated.to_rfc3339().into();
        if let Value::Object(fields) = &mut shown {
            fields.extend(token_fields::show(&self.token));
        }
        shown
    }
}

/// A UUID in its one spelling; what is none is the id of nothing.
pub(super) fn parse_id(text: &str) -> Option<String> {
    uuid::Uuid::try_parse(text).ok().map(|id| id.to_string())
}

fn checked_name(name: String) -> Result<String, Error> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = (3..=100).contains(&name.len()) && name.chars().all(inner);
    if good && !name.starts_with('-') && !name.ends_with('-') {
        return Ok(name);
    }
    Err(Error::invalid("field \"name\" must be 3 to 100 small letters, digits and inner hyphens"))
}

fn metadata(call: Call<'_>) -> Result<Option<BTreeMap<String, String>>, Error> {
    let Some(map) = call.map("metadata")? else { return Ok(None) };
    let text = |(name, value): (&String, &Value)| {
        let value = value.as_str().filter(|value| value.len() <= CUSTOM_METADATA_VALUE_BYTES_MAX)?;
        (name.len() <= CUSTOM_METADATA_NAME_BYTES_MAX).then(|| (name.clone(), value.to_owned()))
    };
    let texts: Option<BTreeMap<String, String>> = map.iter().map(text).collect();
    match texts.filter(|texts| texts.len() <= CUSTOM_METADATA_KEYS_MAX) {
        Some(texts) => Ok(Some(texts)),
        None => Err(Error::invalid(format!(
            "metadata may hold {CUSTOM_METADATA_KEYS_MAX} names of {CUSTOM_METADATA_NAME_BYTES_MAX} bytes with texts of \
             {CUSTOM_METADATA_VALUE_BYTES_MAX}"
        ))),
    }
}

/// Where an application stands.
pub(super) fn key(id: &str) -> String {
    format!("app/{id}")
}

/// Reads an application's document.
pub(super) fn parse(item: &Item) -> Result<App, Error> {
    let app: App = item.json()?;
    match app.format {
        1 => Ok(app),
        format => Err(Error::internal(format!("an application of format {format}"))),
    }
}

/// An application by the id in the path.
pub(super) async fn find(cx: &mut Cx, call: Call<'_>) -> Result<(String, Item, App), Error> {
    let id = parse_id(call.param("app")).ok_or_else(Error::not_found)?;
    cx.note_secret(id.as_str());
    let item = cx.get(&key(&id)).await?.ok_or_else(Error::not_found)?;
    let app = parse(&item)?;
    Ok((id, item, app))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_format_1() {
        let golden = r#"{"format":1,"name":"web-shop","description":"d","agent_id":null,"status":"suspended","metadata":{"team":"t"},"created":1,"updated":2,"holder":"standing/apps/h","bootstrap":{"hash":"00","expires":3},"token":{"policies":["web"],"ttl":0,"max_ttl":0,"explicit_max_ttl":0,"period":0,"num_uses":0,"no_default_policy":false,"bound_cidrs":[]}}"#;
        let app = App {
            name: "web-shop".into(),
            description: "d".into(),
            status: Status::Suspended,
            metadata: BTreeMap::from([("team".into(), "t".into())]),
            updated: Timestamp(2),
            holder: "standing/apps/h".into(),
            bootstrap: Some(Bootstrap { hash: "00".into(), expires: Timestamp(3) }),
            token: TokenSettings { policies: vec!["web".into()], ..TokenSettings::default() },
            ..App::new(Timestamp(1))
        };
        assert_eq!(serde_json::to_string(&app).unwrap(), golden);
        assert_eq!(serde_json::from_str::<App>(golden).unwrap(), app);
    }

    #[test]
    fn names_and_ids() {
        let check = |name: &str, good: bool| assert_eq!(checked_name(name.into()).is_ok(), good, "{name}");
        check("web-shop-1", true);
        check("abc", true);
        for bad in ["ab", "Web", "-web", "web-", "we b", "we/b", "wéb", &"x".repeat(101)] {
            check(bad, false);
        }
        let id = "550e8400-e29b-41d4-a716-446655440000";
        assert_eq!(parse_id(&id.to_uppercase()).as_deref(), Some(id));
        for bad in ["", "x", "550e8400", "../550e8400-e29b-41d4-a716-446655440000"] {
            assert_eq!(parse_id(bad), None, "{bad}");
        }
    }
}
