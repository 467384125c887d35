//! Reading while somebody is at work.

use super::{Template, document};

pub(super) const TEMPLATE: Template = Template {
    name: "business_hours",
    title: "Business hours",
    category: "time_based",
    summary: "Reading, on working days between nine and five.",
    parameters: r#"{"allowed_secrets":["**"],"allowed_operations":["read"],"time_of_day":"09:00-17:00","days_of_week":["monday","tuesday","wednesday","thursday","friday"],"timezone":"UTC"}"#,
    documents: |parameters| document(parameters, &["time_of_day", "days_of_week", "timezone"]),
};
