//! [`Settings`]: what an operator may choose about the front-end.

use crate::{address::Proxies, limits::Limits, metrics::Metrics};

/// Choices of the operator; [`Settings::default`] serves `/v1`, `/docs` and nothing that needs no token.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Serve the first seed's `/vault/secret/*`.
    pub secret_manager_api: bool,
    /// Whose word about clients' addresses is believed.
    pub proxies: Proxies,
    /// Bounds against slow, huge and too many requests.
    pub limits: Limits,
    /// Where requests are counted; give the same to [`metrics_router`](crate::metrics_router).
    pub metrics: Metrics,
}
