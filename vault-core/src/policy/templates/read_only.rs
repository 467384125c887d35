//! Reading, and nothing else.

use super::{Template, document};

pub(super) const TEMPLATE: Template = Template {
    name: "read_only",
    title: "Read only",
    category: "permissions",
    summary: "Reading everything.",
    parameters: r#"{"allowed_secrets":["**"],"allowed_operations":["read"]}"#,
    documents: |parameters| document(parameters, &[]),
};
