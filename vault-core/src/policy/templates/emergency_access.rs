//! Everything, for a short time.

use super::{Template, document};

pub(super) const TEMPLATE: Template = Template {
    name: "emergency_access",
    title: "Emergency access",
    category: "emergency",
    summary: "Everything, with tokens that live no longer than an hour.",
    parameters: r#"{"allowed_secrets":["**"],"allowed_operations":["read","write","delete","rotate"],"max_ttl_seconds":3600}"#,
    documents: |parameters| document(parameters, &[]),
};
