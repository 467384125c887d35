//! `/docs`: Swagger UI over `/openapi.json`, both served from this binary. Nothing is fetched from another host, and
//! the page may not talk to one.

use crate::{encode, router::App};
use axum::{Router, body::Body, extract::Path, response::Response, routing::get};
use secrethub_core::Error;
use std::sync::{Arc, LazyLock};
use utoipa_swagger_ui::Config;

/// Scripts of our own only; Swagger UI writes style attributes, and draws its icons from `data:` URLs.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Answers at exactly `/docs`: the page's own paths are absolute.
const PAGE: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>SecretHub API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png" sizes="32x32">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/swagger-ui-standalone-preset.js"></script>
<script src="/docs/swagger-initializer.js"></script>
</body>
</html>
"#;

static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| Arc::new(Config::from("/openapi.json")));

/// The page, its files, and the document that it shows.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/docs", get(async || page()))
        .route("/docs/", get(async || page()))
        .route("/docs/{*file}", get(async |Path(file): Path<String>| asset(&file)))
}

fn page() -> Response {
    encode::page("text/html", POLICY, PAGE)
}

fn asset(file: &str) -> Response {
    match utoipa_swagger_ui::serve(file, Arc::clone(&CONFIG)) {
        Ok(Some(asset)) => encode::page(&asset.content_type, POLICY, Body::from(asset.bytes.into_owned())),
        _ => encode::vault("", Err(Error::not_found()), crate::health::HealthCodes::default()),
    }
}
