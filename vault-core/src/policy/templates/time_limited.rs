//! Reading between two dates. The seed gave it dates that had passed; here they must be given.

use super::{Template, document};

pub(super) const TEMPLATE: Template = Template {
    name: "time_limited",
    title: "For a time",
    category: "time_based",
    summary: "Reading between two dates, which must be given.",
    parameters: r#"{"allowed_secrets":["**"],"allowed_operations":["read"],"date_range":null,"timezone":"UTC"}"#,
    documents: |parameters| document(parameters, &["date_range", "timezone"]),
};
