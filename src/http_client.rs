//! The HTTP client for everything that leaves the house, made in one place.

use std::sync::Once;
use std::time::Duration;

/// Makes `ring` the provider of TLS in this process.
pub fn use_ring() {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // An error says that another provider is installed already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// A client without redirects (an answer is judged as it is), without retries of what may have been read, without a proxy from the environment,
/// and with the `ring` provider for TLS.
pub fn new(timeout: Duration) -> Result<reqwest::Client, reqwest::Error> {
    use_ring();
    reqwest::Client::builder()
        .timeout(timeout)
        .connect_timeout(timeout.min(Duration::from_secs(10)))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .build()
}
