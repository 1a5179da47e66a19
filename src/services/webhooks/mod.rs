//! Webhooks: delivers events to endpoints that administrators configure. Each endpoint receives the
//! kinds it subscribes to as signed posts (Standard Webhooks, <https://www.standardwebhooks.com>),
//! at least once, and in order as long as it answers.
//!
//! Events are written by the database adapter in the transaction that causes them
//! ([`crate::adapters::database::events`]).

mod deliver;

use std::net::IpAddr;
use std::time::Duration;

use serde_json::json;
use url::{Host, Url};

pub use deliver::deliver_due_events;

use crate::adapters::database::DatabaseError;
use crate::adapters::database::events::{self, Endpoint, SecretTimes};
use crate::domain::audit::{Action, Actor};
use crate::domain::event::{EventKind, TEST_EVENT};
use crate::domain::personal::Personal;
use crate::domain::time::Timestamp;
use crate::services::accounts::{AccountError, check_name};
use crate::services::context::AppContext;

/// How long the secret before a rotation stays valid: the receiver has this long to change over.
pub const PREVIOUS_SECRET_VALID: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "webhook_endpoint.", serialize_all = "snake_case")]
pub enum EndpointError {
    #[error(transparent)]
    #[strum(transparent)]
    Name(AccountError),
    #[error(
        "an address begins with https:// (http:// only within one's own network) and holds no \
            password"
    )]
    Address,
    #[error("there is an endpoint of the name {0}")]
    Taken(String),
    #[error("there is no endpoint of the name {0}")]
    Unknown(String),
    #[error("this time is still to come; events are sent again from a time that has passed")]
    Future,
    #[error(transparent)]
    #[strum(transparent)]
    Database(#[from] DatabaseError),
}

/// Adds an endpoint. Returns its secret (`whsec_…`), which cannot be retrieved later. `kinds`: the
/// subscribed kinds; empty: all.
pub async fn add(
    context: &AppContext,
    actor: &Actor,
    name: &str,
    url: &str,
    kinds: &[EventKind],
) -> Result<Personal, EndpointError> {
    check_name(name).map_err(EndpointError::Name)?;
    let url = validate_url(url).ok_or(EndpointError::Address)?;
    let endpoint = Endpoint {
        id: 0,
        name: name.to_owned(),
        url,
        kinds: kinds.to_vec(),
        created_by: actor.name.clone(),
        created_at: context.clock.now(),
        secret: SecretTimes { current: context.clock.now(), previous: None },
        failures: 0,
        failing_since: None,
        retry_at: context.clock.now(),
        last_error: None,
        most_tries: 0,
        notified: None,
    };
    let mut tx = context.database.write().await?;
    if !events::add_endpoint(&mut tx, &endpoint).await? {
        return Err(EndpointError::Taken(name.to_owned()));
    }
    // The audit entry holds the origin alone; the rest of the URL may contain a token of the
    // receiver.
    let origin =
        Url::parse(&endpoint.url).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    context
        .audit_with_detail(
            &mut tx,
            actor,
            Action::WebhookAdded,
            (&format!("webhook:{name}"), &origin),
        )
        .await?;
    tx.commit().await?;
    Ok(derive_secret(context, name, endpoint.secret.current))
}

/// Gives an endpoint a new secret, and returns it. Posts are signed with it and, for
/// [`PREVIOUS_SECRET_VALID`], with the one before it too. A second rotation within that time ends
/// the oldest secret at once.
pub async fn rotate_secret(
    context: &AppContext,
    actor: &Actor,
    name: &str,
) -> Result<Personal, EndpointError> {
    let now = context.clock.now();
    let mut tx = context.database.write().await?;
    let endpoint = events::endpoint(&mut tx, name)
        .await?
        .ok_or_else(|| EndpointError::Unknown(name.to_owned()))?;
    // The time makes the secret: two rotations within a millisecond must differ.
    let made_at = now.max(endpoint.secret.current + Duration::from_millis(1));
    events::rotate_secret(&mut tx, &endpoint, made_at).await?;
    context.audit(&mut tx, actor, Action::WebhookSecretRotated, &format!("webhook:{name}")).await?;
    tx.commit().await?;
    Ok(derive_secret(context, name, made_at))
}

/// Derives a secret from the installation's key, the endpoint's name and the time at which it was
/// made.
fn derive_secret(context: &AppContext, name: &str, made_at: Timestamp) -> Personal {
    context.keys.hasher().event_secret(name, made_at)
}

/// Returns the secrets that are valid now, the newest first, with a space between them.
fn valid_secrets(context: &AppContext, endpoint: &Endpoint) -> Personal {
    let SecretTimes { current, previous } = endpoint.secret;
    let previous = previous.filter(|_| context.clock.now() < current + PREVIOUS_SECRET_VALID);
    let secrets: Vec<Personal> = std::iter::once(current)
        .chain(previous)
        .map(|made_at| derive_secret(context, &endpoint.name, made_at))
        .collect();
    Personal::new(secrets.iter().map(Personal::reveal).collect::<Vec<_>>().join(" "))
}

/// Validates a URL. Plain HTTP is allowed only to a loopback or private address, or to a host
/// without a domain.
fn validate_url(raw: &str) -> Option<String> {
    let url = Url::parse(raw.trim()).ok()?;
    let is_private = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local(),
    };
    let is_near = match url.host()? {
        Host::Domain(name) => !name.contains('.'),
        Host::Ipv4(ip) => is_private(ip.into()),
        Host::Ipv6(ip) => is_private(ip.into()),
    };
    let is_open = url.username().is_empty() && url.password().is_none();
    ((url.scheme() == "https" || (url.scheme() == "http" && is_near))
        && is_open
        && url.as_str().len() <= 500)
        .then(|| url.into())
}

/// Removes an endpoint with its pending events.
pub async fn remove(context: &AppContext, actor: &Actor, name: &str) -> Result<(), EndpointError> {
    let mut tx = context.database.write().await?;
    if !events::remove_endpoint(&mut tx, name).await? {
        return Err(EndpointError::Unknown(name.to_owned()));
    }
    context.audit(&mut tx, actor, Action::WebhookRemoved, &format!("webhook:{name}")).await?;
    tx.commit().await?;
    Ok(())
}

/// Sends a test event to an endpoint now. An endpoint that was left alone is retried, with all its
/// pending events.
pub async fn send_test_event(
    context: &AppContext,
    actor: &Actor,
    name: &str,
) -> Result<(), EndpointError> {
    let mut tx = context.database.write().await?;
    let endpoint = events::endpoint(&mut tx, name)
        .await?
        .ok_or_else(|| EndpointError::Unknown(name.to_owned()))?;
    events::retry_now(&mut tx, endpoint.id).await?;
    events::publish_to(
        &mut tx,
        endpoint.id,
        TEST_EVENT,
        &json!({ "webhook": name }),
        context.clock.now(),
    )
    .await?;
    context.audit(&mut tx, actor, Action::TestMessageSent, &format!("webhook:{name}")).await?;
    tx.commit().await?;
    Ok(())
}

/// Sends all events since `from` again, in their order and under their ids, also those that have
/// arrived; a receiver that has lost them knows the others by their ids. Returns how many there are.
/// Like a test, it enables an endpoint that was disabled.
pub async fn send_again(
    context: &AppContext,
    actor: &Actor,
    name: &str,
    from: Timestamp,
) -> Result<u64, EndpointError> {
    let now = context.clock.now();
    if from > now {
        return Err(EndpointError::Future);
    }
    let mut tx = context.database.write().await?;
    let endpoint = events::endpoint(&mut tx, name)
        .await?
        .ok_or_else(|| EndpointError::Unknown(name.to_owned()))?;
    events::retry_now(&mut tx, endpoint.id).await?;
    let count = events::send_again(&mut tx, endpoint.id, from, now).await?;
    let detail = format!("{count} from {}", from.rfc3339(chrono_tz::UTC));
    let object = format!("webhook:{name}");
    context
        .audit_with_detail(&mut tx, actor, Action::WebhookEventsResent, (&object, &detail))
        .await?;
    tx.commit().await?;
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::validate_url;

    #[test]
    fn only_what_is_near_is_told_in_the_clear() {
        for good in [
            "https://scoring.example/hook",
            "http://127.0.0.1:9/a",
            "http://[::1]/",
            "http://10.1.2.3/x",
            "http://scoring:8080/",
        ] {
            assert!(validate_url(good).is_some(), "{good}");
        }
        for bad in [
            "http://scoring.example/",
            "ftp://h/",
            "https://",
            "https://u:p@h.example/",
            "file:///etc/passwd",
            "h.example",
            "http://8.8.8.8/",
        ] {
            assert_eq!(validate_url(bad), None, "{bad}");
        }
    }
}
