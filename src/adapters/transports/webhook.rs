//! Signed posts to external endpoints according to Standard Webhooks
//! (<https://www.standardwebhooks.com>): `webhook-id`, `webhook-timestamp`,
//! `webhook-signature: v1,…` over `id.timestamp.body`, one signature for each valid secret.

use std::time::Duration;

use crate::adapters::outbound_guard::{NotAllowed, OutboundGuard};
use crate::domain::personal::Personal;
use crate::domain::time::Timestamp;

/// The specification asks receivers to respond within 15 to 30 seconds.
const TIME_OUT: Duration = Duration::from_secs(20);

/// The reason for which a post did not arrive. It contains nothing of the payload, and only the
/// status of the response.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "webhook.", serialize_all = "snake_case")]
pub enum WebhookError {
    #[error("the secret is not whsec_ and base64")]
    Secret,
    #[error("{0}")]
    Unreachable(String),
    #[error("{}", NotAllowed)]
    NotAllowed,
    #[error("the endpoint answered {0}")]
    Refused(u16),
    /// 410 Gone: per the specification, the receiver wants no more posts.
    #[error("the endpoint is gone for good (410)")]
    Gone,
}

/// Creates a client for several posts, which reuses its connections.
pub fn client() -> Result<reqwest::Client, WebhookError> {
    crate::adapters::http_client::new(TIME_OUT)
        .map_err(|error| WebhookError::Unreachable(error.to_string()))
}

/// Creates a client for an address that somebody has entered.
///
/// # Errors
/// [`WebhookError::NotAllowed`] if it is written as a number of a network that is not allowed; a name
/// that leads to one is refused when it is resolved.
pub fn guarded_client(url: &str, guard: &OutboundGuard) -> Result<reqwest::Client, WebhookError> {
    guard.check_literal(url).map_err(|_| WebhookError::NotAllowed)?;
    crate::adapters::http_client::guarded(TIME_OUT, guard)
        .map_err(|error| WebhookError::Unreachable(error.to_string()))
}

/// Returns whether every one of `secrets` (one or more, with white space between them) is `whsec_`
/// and base64.
pub fn are_valid(secrets: &Personal) -> bool {
    signers(secrets).is_ok()
}

fn signers(secrets: &Personal) -> Result<Vec<standardwebhooks::Webhook>, WebhookError> {
    let signers: Vec<_> = secrets
        .reveal()
        .split_whitespace()
        .map(|secret| standardwebhooks::Webhook::new(secret).map_err(|_| WebhookError::Secret))
        .collect::<Result<_, _>>()?;
    if signers.is_empty() { Err(WebhookError::Secret) } else { Ok(signers) }
}

/// Posts `body` (JSON), signed with each of `secrets` (while one is being replaced there are two,
/// with white space between them). The same `id` on every attempt lets the receiver detect duplicates.
pub async fn post(
    url: &str,
    secrets: &Personal,
    id: &str,
    body: &str,
    now: Timestamp,
) -> Result<(), WebhookError> {
    post_with(&client()?, url, secrets, id, body, now).await
}

pub async fn post_with(
    client: &reqwest::Client,
    url: &str,
    secrets: &Personal,
    id: &str,
    body: &str,
    now: Timestamp,
) -> Result<(), WebhookError> {
    let seconds = now.0.div_euclid(1000);
    let signatures: Vec<String> = signers(secrets)?
        .iter()
        .map(|signer| signer.sign(id, seconds, body.as_bytes()))
        .collect::<Result<_, _>>()
        .map_err(|_| WebhookError::Secret)?;
    let request = client
        .post(url)
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", seconds.to_string())
        .header("webhook-signature", signatures.join(" "))
        .body(body.to_owned());
    let answer = request.send().await.map_err(unreachable)?;
    match answer.status() {
        status if status.is_success() => Ok(()),
        reqwest::StatusCode::GONE => Err(WebhookError::Gone),
        status => Err(WebhookError::Refused(status.as_u16())),
    }
}

/// Removes the address from an error, because it may contain the receiver's token.
fn unreachable(error: reqwest::Error) -> WebhookError {
    let mut at: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(cause) = at {
        if cause.is::<NotAllowed>() {
            return WebhookError::NotAllowed;
        }
        at = cause.source();
    }
    let mut said = error.without_url().to_string();
    if said.is_empty() {
        said = "cannot be reached".into();
    }
    WebhookError::Unreachable(said)
}
