//! [`Reply`]: an answer of the API, in Vault's envelope or bare.

use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;

/// A successful answer. It may hold secrets, so printing it shows nothing of its body.
pub struct Reply(Value);

impl Reply {
    pub(crate) fn new(body: Value) -> Self {
        Self(body)
    }

    /// The whole body; `null` where there was none (Vault's 204).
    pub fn body(&self) -> &Value {
        &self.0
    }

    /// The whole body, to keep.
    pub fn into_body(self) -> Value {
        self.0
    }

    /// The data inside the envelope; `null` where there is none.
    pub fn data(&self) -> &Value {
        &self.0["data"]
    }

    /// The token handed out; `null` where there is none.
    pub fn auth(&self) -> &Value {
        &self.0["auth"]
    }

    /// The token that unwraps the answer, where the answer was wrapped; else `null`.
    pub fn wrap_info(&self) -> &Value {
        &self.0["wrap_info"]
    }

    /// Names in the answer to a list.
    pub fn keys(&self) -> Vec<&str> {
        let keys = self.data()["keys"].as_array();
        keys.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// What the server wants known beside the answer.
    pub fn warnings(&self) -> Vec<&str> {
        let warnings = self.0["warnings"].as_array();
        warnings.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The request's id in the server's audit log.
    pub fn request_id(&self) -> Option<&str> {
        self.0["request_id"].as_str()
    }

    /// The body as a type; `None` when it is another shape.
    pub(crate) fn decode<T: DeserializeOwned>(self) -> Option<T> {
        serde_json::from_value(self.0).ok()
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("request_id", &self.request_id()).finish_non_exhaustive()
    }
}
