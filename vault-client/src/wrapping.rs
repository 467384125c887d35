//! `sys/wrapping/*`: answers that wait, to be taken once.

use crate::{Client, Error, Reply};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

impl Client {
    /// The answer that a wrapping token stands for; the token is then spent. Without one, the client's own token is
    /// the wrapping token.
    ///
    /// # Errors
    /// Of the transport, or the server's refusal: it was taken already, perhaps by somebody else.
    pub async fn wrapping_unwrap(&self, token: Option<&SecretString>) -> Result<Reply, Error> {
        // EXPOSE: the token goes to the server, which is the purpose of the call.
        let body = token.map_or_else(|| json!({}), |token| json!({"token": token.expose_secret().trim()}));
        self.write("sys/wrapping/unwrap", &body).await
    }
}
