//! `/openapi.json`: what a fresh server serves, for people and tools without a token. A mount that an operator adds
//! is in `sys/internal/specs/openapi`, for who may see it.

use crate::router::App;
use axum::{extract::State, response::Response};
use secrethub_core::{
    engine::{Mount, openapi},
    system::API_VERSION,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// Where a fresh server has its engines.
const MOUNTS: &[(&str, &str)] = &[
    ("secret/", "kv"),
    ("cubbyhole/", "cubbyhole"),
    ("auth/token/", "token"),
    ("sys/", "system"),
    ("audit/", "audit"),
];

pub(crate) async fn serve(State(app): State<Arc<App>>) -> Response {
    let text = app.openapi.get_or_init(|| document(app.settings.secret_manager_api).to_string().into());
    crate::encode::page("application/json", "default-src 'none'", text.clone())
}

fn document(secret_manager_api: bool) -> Value {
    let mounts: Vec<Mount> = MOUNTS.iter().map(|(path, kind)| mount(path, kind)).collect();
    let mut document = openapi::document(&mounts, API_VERSION);
    // As `snapshot` answers.
    let file = json!({ "schema": { "type": "string", "format": "binary" } });
    document["paths"]["/sys/storage/raft/snapshot"]["get"]["responses"]["200"]["content"] =
        json!({ "application/gzip": file, crate::snapshot::MEDIA_TYPE: file });
    // The core says who may; what there is to see is here, and it is no JSON.
    document["paths"]["/sys/metrics"]["get"]["responses"]["200"]["content"] = json!({ "application/json": { "schema": { "type": "object" } }, "text/plain": { "schema": { "type": "string" } } });
    if secret_manager_api {
        let create = ("secret", "The value in standard base64, at most 1 MiB decoded.", "aGVsbG8=");
        let fetch = ("secret_id", "The id that create gave.", "550e8400-e29b-41d4-a716-446655440000");
        document["paths"]["/vault/secret/create/"] = seed_path("Store a value and get its id.", create);
        document["paths"]["/vault/secret/fetch"] = seed_path("Get a value by its id.", fetch);
    }
    document
}

fn mount(path: &str, kind: &str) -> Mount {
    let mut mount = Mount::built_in(path, kind, kind, "");
    if kind == "kv" {
        mount.options.insert("version".to_owned(), "2".to_owned());
    }
    mount
}

/// One path of the first seed: it stands at the root, and its errors are `{"detail": …}`.
fn seed_path(summary: &str, (field, meaning, example): (&str, &str, &str)) -> Value {
    let property = json!({ "type": "string", "description": meaning, "example": example });
    let schema = json!({ "type": "object", "required": [field], "properties": { field: property } });
    let response = |text: &str| json!({ "description": text });
    json!({
        "servers": [{ "url": "/" }],
        "post": {
            "summary": summary,
            "tags": ["secret-manager"],
            "security": [],
            "requestBody": { "required": true, "content": { "application/json": { "schema": schema } } },
            "responses": {
                "200": response("Done."), "400": response("Not base64."), "404": response("Not there."),
                "413": response("Above 1 MiB."), "422": response("Not such a body."),
                "429": response("Too many requests."), "503": response("Sealed, or the store does not answer."),
            },
        },
    })
}
