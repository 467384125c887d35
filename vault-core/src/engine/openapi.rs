//! The OpenAPI 3.0.2 document, from the same tables that requests are routed by: what is served is what is described.

use super::{Access, Engine, Field, FieldKind, Mount, Route, engine_of};
use crate::Operation;
use serde_json::{Map, Value, json};

/// Describes what these mounts serve, below `/v1`. Pure: the caller chooses which mounts may be seen.
pub fn document<'m>(mounts: impl IntoIterator<Item = &'m Mount>, version: &str) -> Value {
    let mut paths = Map::new();
    for mount in mounts {
        let Some(engine) = engine_of(mount) else { continue };
        for route in engine.routes {
            let item =
                paths.entry(path_of(mount, route)).or_insert_with(|| json!({ "parameters": names(route) }));
            // The first match serves, so the first match is described.
            if item.get(method(route.operation)).is_none() {
                item[method(route.operation)] = operation(mount, engine, route);
            }
        }
    }
    json!({
        "openapi": "3.0.2",
        "info": {
            "title": "SecretHub",
            "description": "Secrets over HTTP, compatible with Vault's API. Every operation is audited before its reply.",
            "version": version,
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/v1" }],
        "paths": paths,
        "components": components(),
    })
}

fn components() -> Value {
    let errors = json!({ "type": "object", "properties": { "errors": { "type": "array", "items": { "type": "string" } } } });
    let error =
        |text: &str| json!({ "description": text, "content": { "application/json": { "schema": errors } } });
    let envelope = json!({
        "type": "object",
        "properties": {
            "request_id": { "type": "string" }, "lease_id": { "type": "string" }, "renewable": { "type": "boolean" },
            "lease_duration": { "type": "integer" }, "data": { "type": "object", "nullable": true },
            "wrap_info": { "type": "object", "nullable": true }, "auth": { "type": "object", "nullable": true },
            "warnings": { "type": "array", "items": { "type": "string" }, "nullable": true },
            "mount_type": { "type": "string" },
        },
    });
    json!({
        "securitySchemes": { "token": { "type": "apiKey", "in": "header", "name": "X-Vault-Token" } },
        "schemas": { "Envelope": envelope },
        "responses": {
            "Invalid": error("Change the request; the message says what."),
            "Denied": error("No token, a bad one, or no right."),
            "Missing": error("Not there."),
            "Unsupported": error("The path is there, this operation on it is not."),
            "TooLarge": error("Send less."),
            "MediaType": error("Send it as application/merge-patch+json."),
            "RateLimited": error("Wait as long as Retry-After says."),
            "Unavailable": error("Sealed, or the store does not answer."),
        },
    })
}

/// Lists stand at a path with a slash at its end, as in Vault's own document: OpenAPI has no `LIST`.
fn path_of(mount: &Mount, route: &Route) -> String {
    let slash = if route.operation == Operation::List && !route.pattern.ends_with('/') { "/" } else { "" };
    format!("/{}{}{slash}", mount.path, route.pattern.replace("*}", "}"))
}

fn method(operation: Operation) -> &'static str {
    match operation {
        Operation::Read | Operation::List => "get",
        Operation::Write => "post",
        Operation::Patch => "patch",
        Operation::Delete => "delete",
    }
}

/// The names of a pattern, without braces and star.
fn pattern_names(route: &Route) -> impl Iterator<Item = &'static str> {
    let inside =
        |part: &'static str| part.strip_prefix('{')?.strip_suffix('}').map(|name| name.trim_end_matches('*'));
    route.pattern.split('/').filter_map(inside)
}

fn names(route: &Route) -> Vec<Value> {
    let parameter = |name: &str| {
        let summary = route.fields.iter().find(|field| field.name == name).map_or("", |field| field.summary);
        json!({ "name": name, "in": "path", "required": true, "description": summary, "schema": { "type": "string" } })
    };
    pattern_names(route).map(parameter).collect()
}

fn operation(mount: &Mount, engine: &Engine, route: &Route) -> Value {
    let open = !matches!(route.access, Access::Token | Access::Sudo | Access::Ceremony);
    let mut described = json!({
        "summary": route.summary,
        "operationId": operation_id(mount, route),
        "tags": [engine.kind],
        "security": if open { json!([]) } else { json!([{ "token": [] }]) },
        "x-vault-unauthenticated": open,
        "x-vault-sudo": matches!(route.access, Access::Sudo | Access::Ceremony),
        "responses": responses(route.operation),
    });
    match route.operation {
        Operation::Write | Operation::Patch => described["requestBody"] = body(route),
        Operation::Read | Operation::List | Operation::Delete => {
            described["parameters"] = query(route).into();
        }
    }
    described
}

fn operation_id(mount: &Mount, route: &Route) -> String {
    let whole = format!("{} {}{}", route.operation.as_str(), mount.path, route.pattern);
    let words: Vec<&str> =
        whole.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.join("-")
}

fn responses(operation: Operation) -> Value {
    let reference = |name: &str| json!({ "$ref": format!("#/components/responses/{name}") });
    let schema = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Envelope" } } });
    let mut all = json!({
        "200": { "description": "Done.", "content": schema },
        "400": reference("Invalid"),
        "403": reference("Denied"),
        "404": reference("Missing"),
        "405": reference("Unsupported"),
        "429": reference("RateLimited"),
        "503": reference("Unavailable"),
    });
    if matches!(operation, Operation::Write | Operation::Patch) {
        all["202"] = json!({ "description": "Begun; work goes on." });
        all["413"] = reference("TooLarge");
    }
    if operation == Operation::Patch {
        all["415"] = reference("MediaType");
    }
    if !matches!(operation, Operation::Read | Operation::List) {
        all["204"] = json!({ "description": "Done; there is nothing to say." });
    }
    all
}

/// Fields that are not in the path, and that we do not refuse.
fn fields(route: &Route) -> impl Iterator<Item = &'static Field> {
    let in_path: Vec<&str> = pattern_names(route).collect();
    let shown = move |field: &&Field| field.kind != FieldKind::Refused && !in_path.contains(&field.name);
    route.fields.iter().filter(shown)
}

fn query(route: &Route) -> Vec<Value> {
    let parameter = |field: &Field| json!({ "name": field.name, "in": "query", "description": field.summary, "schema": schema(field.kind) });
    let mut all: Vec<Value> = fields(route).filter(|field| field.name != "*").map(parameter).collect();
    if route.operation == Operation::List {
        all.push(json!({ "name": "list", "in": "query", "required": true, "schema": { "type": "string", "enum": ["true"] } }));
    }
    all
}

fn body(route: &Route) -> Value {
    let mut properties = Map::new();
    let mut free = false;
    for field in fields(route) {
        if field.name == "*" {
            free = true;
            continue;
        }
        let mut property = schema(field.kind);
        property["description"] = field.summary.into();
        properties.insert(field.name.to_owned(), property);
    }
    let example: Value = serde_json::from_str(route.example).unwrap_or_default();
    let media =
        if route.operation == Operation::Patch { "application/merge-patch+json" } else { "application/json" };
    let schema = json!({ "type": "object", "properties": properties, "additionalProperties": free });
    json!({ "content": { media: { "schema": schema, "example": example } } })
}

fn schema(kind: FieldKind) -> Value {
    match kind {
        FieldKind::Text => json!({ "type": "string" }),
        FieldKind::Integer => json!({ "type": "integer" }),
        FieldKind::Boolean => json!({ "type": "boolean" }),
        FieldKind::Seconds => json!({ "type": "string", "format": "seconds" }),
        FieldKind::List => json!({ "type": "array", "items": { "type": "string" } }),
        FieldKind::Map => json!({ "type": "object" }),
        FieldKind::Any | FieldKind::Refused => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ENGINES;
    use std::collections::BTreeSet;

    fn mounts() -> Vec<Mount> {
        let mount = |engine: &&Engine| {
            let mut mount =
                Mount::built_in(&format!("m-{}{}/", engine.kind, engine.variant), engine.kind, "id", "");
            mount.options.insert("version".to_owned(), engine.variant.to_owned());
            mount
        };
        ENGINES.iter().map(mount).collect()
    }

    fn operations(document: &Value) -> impl Iterator<Item = (&String, &String, &Value)> {
        let items = document["paths"].as_object().unwrap().iter();
        items.flat_map(|(path, item)| {
            item.as_object().unwrap().iter().map(move |(method, it)| (path, method, it))
        })
    }

    #[test]
    fn every_route_is_described_once() {
        let mounts = mounts();
        let document = document(&mounts, "1.2.3");
        assert_eq!(document["info"]["version"], "1.2.3");
        for mount in &mounts {
            for route in engine_of(mount).unwrap().routes {
                let found = &document["paths"][path_of(mount, route)][method(route.operation)];
                assert!(found["summary"].is_string(), "{} {route:?}", mount.path);
            }
        }
        let ids: Vec<&str> =
            operations(&document).filter_map(|(.., it)| it["operationId"].as_str()).collect();
        assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len(), "ids are unique");
    }

    #[test]
    fn names_of_paths_are_parameters() {
        for (path, _, _) in operations(&document(&mounts(), "1")) {
            let braces = path.matches('{').count();
            let parameters = document(&mounts(), "1")["paths"][path]["parameters"].as_array().unwrap().len();
            assert_eq!(braces, parameters, "{path}");
            assert!(!path.contains('*'), "{path}");
        }
    }

    #[test]
    fn an_example_has_only_described_fields() {
        for (path, method, it) in operations(&document(&mounts(), "1")) {
            let Some(content) = it["requestBody"]["content"].as_object() else { continue };
            for (_, media) in content {
                let known = &media["schema"]["properties"];
                let example =
                    media["example"].as_object().unwrap_or_else(|| panic!("{method} {path}: no object"));
                let free = media["schema"]["additionalProperties"] == true;
                for name in example.keys() {
                    assert!(free || known.get(name).is_some(), "{method} {path}: {name}");
                }
            }
        }
    }
}
