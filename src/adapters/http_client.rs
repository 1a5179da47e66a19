//! The HTTP client for everything that leaves the house, made in one place.

use std::error::Error;
use std::sync::Once;
use std::time::Duration;

/// Makes `ring` the provider of TLS in this process.
pub fn install_ring_provider() {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // An error says that another provider is installed already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// Why there can be no client: as a rule the system has no certificates to trust.
#[derive(Debug, thiserror::Error)]
#[error(
    "no HTTPS client can be made ({0}); install the certificates of authorities, on Debian the \
        package ca-certificates"
)]
pub struct ClientError(String);

/// What lies at the bottom of an error.
fn innermost(error: &dyn Error) -> String {
    let mut at = error;
    while let Some(source) = at.source() {
        at = source;
    }
    at.to_string()
}

/// A client without redirects (an answer is judged as it is), without retries of what may have been
/// read, without a proxy from the environment, and with the `ring` provider for TLS.
pub fn new(timeout: Duration) -> Result<reqwest::Client, ClientError> {
    install_ring_provider();
    reqwest::Client::builder()
        .timeout(timeout)
        .connect_timeout(timeout.min(Duration::from_secs(10)))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .build()
        .map_err(|error| ClientError(innermost(&error)))
}
