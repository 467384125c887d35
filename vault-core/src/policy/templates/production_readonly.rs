//! Reading what production reads.

use super::{Template, document};

pub(super) const TEMPLATE: Template = Template {
    name: "production_readonly",
    title: "Production, read only",
    category: "production",
    summary: "Reading production secrets from the private network.",
    parameters: r#"{"allowed_secrets":["prod.**"],"allowed_operations":["read"],"time_of_day":"00:00-23:59","ip_ranges":["10.0.0.0/8"],"timezone":"UTC"}"#,
    documents: |parameters| document(parameters, &["time_of_day", "timezone", "ip_ranges"]),
};
