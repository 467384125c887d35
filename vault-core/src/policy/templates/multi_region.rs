//! Reading from the networks of several regions.

use super::{Template, document};

pub(super) const TEMPLATE: Template = Template {
    name: "multi_region",
    title: "Several regions",
    category: "network_security",
    summary: "Reading from the networks of three regions, with tokens that live no longer than a day.",
    parameters: r#"{"allowed_secrets":["**"],"allowed_operations":["read"],"ip_ranges":["10.1.0.0/16","10.2.0.0/16","10.3.0.0/16"],"max_ttl_seconds":86400}"#,
    documents: |parameters| document(parameters, &["ip_ranges"]),
};
