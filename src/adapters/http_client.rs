//! The HTTP client for all outgoing requests.

use std::error::Error;
use std::sync::Arc;
use std::sync::Once;
use std::time::Duration;

use super::outbound_guard::OutboundGuard;

/// Installs `ring` as the TLS provider of this process.
pub fn install_ring_provider() {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // An error means that another provider is already installed, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// The client cannot be created, usually because the system has no trusted certificates.
#[derive(Debug, thiserror::Error)]
#[error(
    "no HTTPS client can be made ({0}); install the certificates of authorities, on Debian the \
        package ca-certificates"
)]
pub struct ClientError(String);

impl From<&ClientError> for &'static str {
    fn from(_: &ClientError) -> &'static str {
        "system.no_https"
    }
}

/// Returns the message of an error's innermost source.
fn innermost(error: &dyn Error) -> String {
    let mut at = error;
    while let Some(source) = at.source() {
        at = source;
    }
    at.to_string()
}

/// Creates a client without redirects (a response is classified as received), without retries of
/// requests that may have been read, without a proxy from the environment, and with the `ring` TLS
/// provider.
pub fn new(timeout: Duration) -> Result<reqwest::Client, ClientError> {
    build(builder(timeout))
}

/// As [`new`], for addresses that people enter: names resolve to allowed addresses only. An address
/// that is written as a number is checked with [`OutboundGuard::check_literal`].
pub fn guarded(timeout: Duration, guard: &OutboundGuard) -> Result<reqwest::Client, ClientError> {
    build(builder(timeout).dns_resolver(Arc::new(guard.clone())))
}

fn builder(timeout: Duration) -> reqwest::ClientBuilder {
    install_ring_provider();
    reqwest::Client::builder()
        .timeout(timeout)
        .connect_timeout(timeout.min(Duration::from_secs(10)))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
}

fn build(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, ClientError> {
    builder.build().map_err(|error| ClientError(innermost(&error)))
}
