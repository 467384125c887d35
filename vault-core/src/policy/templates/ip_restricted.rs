//! Reading and writing from networks that are known.

use super::{Template, document};

pub(super) const TEMPLATE: Template = Template {
    name: "ip_restricted",
    title: "Known networks",
    category: "network_security",
    summary: "Reading and writing from private networks (RFC 1918).",
    parameters: r#"{"allowed_secrets":["**"],"allowed_operations":["read","write"],"ip_ranges":["10.0.0.0/8","172.16.0.0/12","192.168.0.0/16"]}"#,
    documents: |parameters| document(parameters, &["ip_ranges"]),
};
