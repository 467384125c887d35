//! Snapshots: long bodies in both directions, never in memory as a whole. What bounds them is the time between two
//! pieces, not the time of all.

use crate::{Client, Error, client::parse};
use futures::Stream;
use reqwest::header::ACCEPT;
use std::time::Duration;

/// The snapshot as it is, not the archive that other tools expect.
const MEDIA_TYPE: &str = "application/vnd.secrethub.snapshot";
/// Where servers give and take snapshots.
const PATH: &str = "v1/sys/storage/raft/snapshot";

/// A snapshot that is being read.
#[derive(Debug)]
pub struct Download {
    client: Client,
    response: reqwest::Response,
    patience: Duration,
}

impl Download {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// Of the transport: a snapshot that was cut short is none.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let late = |_| Error::Timeout { address: self.client.address() };
        let piece = tokio::time::timeout(self.patience, self.response.chunk()).await.map_err(late)?;
        Ok(piece.map_err(|error| self.client.transport(error))?.map(|piece| piece.to_vec()))
    }
}

impl Client {
    /// Begins a snapshot of everything that the server's store holds.
    ///
    /// # Errors
    /// Of the transport, or the server's refusal; so for the other.
    pub async fn snapshot(&self) -> Result<Download, Error> {
        let bare = self.long(reqwest::Method::GET, PATH)?.header(ACCEPT, MEDIA_TYPE);
        let response = bare.send().await;
        let response = self.accepted(response).await?;
        Ok(Download { client: self.clone(), response, patience: self.timeout() })
    }

    /// Brings a snapshot into a server that has no vault yet.
    pub async fn restore<E>(
        &self,
        pieces: impl Stream<Item = Result<Vec<u8>, E>> + Send + 'static,
    ) -> Result<(), Error>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let request = self.long(reqwest::Method::POST, PATH)?.body(reqwest::Body::wrap_stream(pieces));
        self.accepted(request.send().await).await.map(drop)
    }

    async fn accepted(
        &self,
        response: Result<reqwest::Response, reqwest::Error>,
    ) -> Result<reqwest::Response, Error> {
        let response = response.map_err(|error| self.transport(error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = response.bytes().await.map_err(|error| self.transport(error))?;
        Err(Error::refused(status, None, parse(&body).unwrap_or_default()))
    }
}
