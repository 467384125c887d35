//! Documents to begin with: the second seed's eight, and what an application usually needs. Adding one is one file and one
//! line in [`TEMPLATES`].

mod application;
mod business_hours;
mod dev_environment;
mod emergency_access;
mod ip_restricted;
mod multi_region;
mod production_readonly;
mod read_only;
mod time_limited;

use serde_json::{Map, Value, json};

/// A document with holes.
#[derive(Debug)]
pub struct Template {
    /// Its name.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// What kind it is of: `time_based`, `network_security` …
    pub category: &'static str,
    /// What it is for.
    pub summary: &'static str,
    /// What may be set, and what it is where nobody sets it; `null` = it must be set.
    pub parameters: &'static str,
    /// From the parameters to the documents, by the ends of their names; an empty end is the name itself.
    pub documents: fn(&Map<String, Value>) -> Documents,
}

/// Documents, by the names of their policies.
pub type Documents = Vec<(String, Value)>;

/// All of them, in the order of their names.
pub const TEMPLATES: &[&Template] = &[
    &application::TEMPLATE,
    &business_hours::TEMPLATE,
    &dev_environment::TEMPLATE,
    &emergency_access::TEMPLATE,
    &ip_restricted::TEMPLATE,
    &multi_region::TEMPLATE,
    &production_readonly::TEMPLATE,
    &read_only::TEMPLATE,
    &time_limited::TEMPLATE,
];

/// The template of a name.
pub fn find(name: &str) -> Option<&'static Template> {
    TEMPLATES.iter().copied().find(|template| template.name == name)
}

/// What every document may be given beside its own parameters.
const COMMON: [&str; 2] = ["description", "entity_bindings"];

impl Template {
    /// Its own parameters with what they are where nobody sets them.
    pub fn defaults(&self) -> Map<String, Value> {
        // Never fails: a test reads every one.
        serde_json::from_str(self.parameters).unwrap_or_default()
    }

    /// The documents for these parameters, by the names of their policies; or what is wrong with them.
    pub fn fill(&self, name: &str, given: &Map<String, Value>) -> Result<Documents, String> {
        let mut parameters = self.defaults();
        for (key, value) in given.iter().filter(|(_, value)| !value.is_null()) {
            if !parameters.contains_key(key) && !COMMON.contains(&key.as_str()) {
                let known: Vec<&str> = parameters.keys().map(String::as_str).chain(COMMON).collect();
                return Err(format!("{key:?} is no parameter of {}; it has {}", self.name, known.join(", ")));
            }
            parameters.insert(key.clone(), value.clone());
        }
        if let Some((missing, _)) = parameters.iter().find(|(_, value)| value.is_null()) {
            return Err(format!("parameter {missing:?} must be set"));
        }
        let documents = (self.documents)(&parameters).into_iter();
        Ok(documents
            .map(|(end, mut document)| {
                for key in COMMON {
                    if let Some(value) = parameters.get(key) {
                        document[key] = value.clone();
                    }
                }
                (if end.is_empty() { name.to_owned() } else { end }, document)
            })
            .collect())
    }
}

/// A document of the parameters that it and its conditions have under their own names.
fn document(parameters: &Map<String, Value>, conditions: &[&str]) -> Documents {
    let mut document = json!({ "version": "1.0" });
    for key in ["allowed_secrets", "allowed_operations", "max_ttl_seconds"] {
        if let Some(value) = parameters.get(key) {
            document[key] = value.clone();
        }
    }
    for key in conditions {
        if let Some(value) = parameters.get(*key) {
            document["conditions"][*key] = value.clone();
        }
    }
    vec![(String::new(), document)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    fn given(template: &Template) -> Map<String, Value> {
        let Value::Object(given) = (match template.name {
            "time_limited" => json!({ "date_range": "2026-01-01,2026-12-31" }),
            "application" => json!({ "application": "web", "environment": "prod", "scope": "db" }),
            _ => json!({}),
        }) else {
            return Map::new();
        };
        given
    }

    #[test]
    fn every_template_makes_policies_that_can_be_read() {
        for template in TEMPLATES {
            let documents = template.fill("mine", &given(template)).unwrap();
            assert!(!documents.is_empty() && !template.defaults().is_empty(), "{}", template.name);
            for (name, document) in documents {
                let parsed = Policy::parse(&name, &document.to_string());
                assert!(parsed.is_ok(), "{}: {parsed:?} {document}", template.name);
            }
        }
        assert!(TEMPLATES.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    #[test]
    fn parameters_replace_and_are_checked() {
        let template = find("business_hours").unwrap();
        let Value::Object(mine) =
            json!({ "allowed_secrets": ["a.*"], "time_of_day": "08:00-12:00", "entity_bindings": ["x"] })
        else {
            return;
        };
        let documents = template.fill("mine", &mine).unwrap();
        assert_eq!(documents[0].0, "mine");
        assert_eq!(documents[0].1["allowed_secrets"], json!(["a.*"]));
        assert_eq!(documents[0].1["conditions"]["time_of_day"], "08:00-12:00");
        assert_eq!(documents[0].1["entity_bindings"], json!(["x"]));
        let refused = |name: &str, fields: Value, part: &str| {
            let Value::Object(fields) = fields else { return };
            let error = find(name).unwrap().fill("mine", &fields).unwrap_err();
            assert!(error.contains(part), "{error}");
        };
        refused("read_only", json!({ "ip_ranges": ["10.0.0.0/8"] }), "is no parameter");
        refused("time_limited", json!({}), "\"date_range\" must be set");
        assert!(find("none").is_none());
    }

    #[test]
    fn an_application_has_a_pair() {
        let documents = find("application").unwrap().fill("", &given(find("application").unwrap())).unwrap();
        let names: Vec<&str> = documents.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["web-prod-db-read", "web-prod-db-readwrite"]);
        assert_eq!(documents[1].1["allowed_secrets"], json!(["prod.web.db.**"]));
    }
}
