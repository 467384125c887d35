//! What an application needs in an environment: a policy to read by and one to write by, named after both.

use super::{Documents, Template};
use serde_json::{Map, Value, json};

pub(super) const TEMPLATE: Template = Template {
    name: "application",
    title: "Application",
    category: "application",
    summary: "A pair for one application: <application>-<environment>-<scope>-read and -readwrite.",
    parameters: r#"{"application":null,"environment":null,"scope":"app"}"#,
    documents: pair,
};

fn pair(parameters: &Map<String, Value>) -> Documents {
    let text = |name: &str| parameters.get(name).and_then(Value::as_str).unwrap_or_default().to_lowercase();
    let (application, environment, scope) = (text("application"), text("environment"), text("scope"));
    let secrets = format!("{environment}.{application}.{scope}.**");
    let one = |end: &str, operations: &[&str]| {
        let document =
            json!({"version": "1.0", "allowed_secrets": [secrets], "allowed_operations": operations});
        (format!("{application}-{environment}-{scope}-{end}"), document)
    };
    vec![one("read", &["read"]), one("readwrite", &["read", "write"])]
}
