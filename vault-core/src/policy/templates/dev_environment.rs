//! What developers work on.

use super::{Template, document};

pub(super) const TEMPLATE: Template = Template {
    name: "dev_environment",
    title: "Development",
    category: "environment",
    summary: "Working on development and staging secrets.",
    parameters: r#"{"allowed_secrets":["dev.**","staging.**"],"allowed_operations":["read","write","rotate"]}"#,
    documents: |parameters| document(parameters, &[]),
};
