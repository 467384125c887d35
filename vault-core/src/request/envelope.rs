//! [`Envelope`]: a reply as Vault lays it out. The wire shows it, and a wrapped reply is kept in it.

use super::{Auth, Reply, WrapInfo};
use serde::Serialize;
use serde_json::value::RawValue;

/// All keys always stand: strict clients demand them. The order of the fields is the order on the wire and, in wrapped
/// replies, part of their format 1.
#[derive(Debug, Serialize)]
pub struct Envelope<'a> {
    request_id: &'a str,
    lease_id: &'a str,
    renewable: bool,
    lease_duration: u64,
    data: Option<&'a RawValue>,
    wrap_info: Option<&'a WrapInfo>,
    warnings: Option<&'a [String]>,
    auth: Option<&'a Auth>,
    mount_type: &'a str,
}

impl<'a> Envelope<'a> {
    /// Its keys, in their order.
    pub const KEYS: [&'static str; 9] = [
        "request_id",
        "lease_id",
        "renewable",
        "lease_duration",
        "data",
        "wrap_info",
        "warnings",
        "auth",
        "mount_type",
    ];

    /// Lays out the reply to the request with this id.
    pub fn new(request_id: &'a str, reply: &'a Reply) -> Self {
        Self {
            request_id,
            lease_id: &reply.lease.id,
            renewable: reply.lease.renewable,
            lease_duration: reply.lease.duration.as_secs(),
            data: reply.data.as_deref(),
            wrap_info: reply.wrap.as_ref(),
            warnings: Some(reply.warnings.as_slice()).filter(|warnings| !warnings.is_empty()),
            auth: reply.auth.as_ref(),
            mount_type: reply.mount_type,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_keys_is_what_is_written() {
        let written = serde_json::to_string(&Envelope::new("r", &Reply::empty())).unwrap();
        let mut at = 0;
        for key in Envelope::KEYS {
            at += written[at..].find(&format!("\"{key}\":")).unwrap_or_else(|| panic!("{key} in {written}"));
        }
        assert_eq!(written.matches("\":").count(), Envelope::KEYS.len(), "{written}");
    }
}
