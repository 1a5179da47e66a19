//! Events to other systems: endpoints that administrators set up, each told what it wants to be told by signed posts (Standard Webhooks,
//! <https://www.standardwebhooks.com>), at least once and in the order in which it happened as long as the endpoint answers.
//!
//! What is told is written by `store/` in the transaction that does it ([`crate::adapters::database::events`]).

mod deliver;

use std::net::IpAddr;

use serde_json::json;
use url::{Host, Url};

pub use deliver::due as deliver;

use crate::services::accounts::{AccountError, check_name};
use crate::domain::audit::{Action, Actor};
use crate::domain::event::{EventKind, TEST};
use crate::domain::personal::Personal;
use crate::services::context::Installation;
use crate::adapters::database::StoreError;
use crate::adapters::database::events::{self, Endpoint};

#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    #[error(transparent)]
    Name(AccountError),
    #[error("an address begins with https:// (http:// only within one's own network) and holds no password")]
    Address,
    #[error("there is an endpoint of the name {0}")]
    Taken(String),
    #[error("there is no endpoint of the name {0}")]
    Unknown(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Adds an endpoint; returns its secret (`whsec_…`), which is the only time that it is seen. `kinds`: what it wants to be told; empty: everything.
pub async fn add(installation: &Installation, who: &Actor, name: &str, url: &str, kinds: &[EventKind]) -> Result<Personal, EndpointError> {
    check_name(name).map_err(EndpointError::Name)?;
    let url = checked(url).ok_or(EndpointError::Address)?;
    let endpoint = Endpoint {
        id: 0,
        name: name.to_owned(),
        url,
        kinds: kinds.to_vec(),
        made_by: who.name.clone(),
        created_at: installation.clock.now(),
        failures: 0,
        failing_since: None,
        waits_until: installation.clock.now(),
        problem: None,
    };
    let mut tx = installation.store.write().await?;
    if !events::add_endpoint(&mut tx, &endpoint).await? {
        return Err(EndpointError::Taken(name.to_owned()));
    }
    // Where events go from now on; the rest of the address may hold a token of the receiver's.
    let origin = Url::parse(&endpoint.url).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    installation.note_more(&mut tx, who, Action::WebhookAdded, (&format!("webhook:{name}"), &origin)).await?;
    tx.commit().await?;
    Ok(secret_of(installation, &endpoint))
}

/// The secret is reckoned from the installation's key; another endpoint of the same name has another one.
fn secret_of(installation: &Installation, endpoint: &Endpoint) -> Personal {
    installation.keys.hasher().event_secret(&endpoint.name, endpoint.created_at)
}

/// In the clear only to what is near: a loopback or private address, or a host without a domain.
fn checked(raw: &str) -> Option<String> {
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
    ((url.scheme() == "https" || (url.scheme() == "http" && is_near)) && is_open && url.as_str().len() <= 500).then(|| url.into())
}

/// Takes an endpoint away, with what was on its way there.
pub async fn remove(installation: &Installation, who: &Actor, name: &str) -> Result<(), EndpointError> {
    let mut tx = installation.store.write().await?;
    if !events::remove_endpoint(&mut tx, name).await? {
        return Err(EndpointError::Unknown(name.to_owned()));
    }
    installation.note(&mut tx, who, Action::WebhookRemoved, &format!("webhook:{name}")).await?;
    tx.commit().await?;
    Ok(())
}

/// Tells an endpoint something of no meaning, now: one that was left alone is asked again, with all that waits for it.
pub async fn test(installation: &Installation, who: &Actor, name: &str) -> Result<(), EndpointError> {
    let mut tx = installation.store.write().await?;
    let endpoint = events::endpoint(&mut tx, name).await?.ok_or_else(|| EndpointError::Unknown(name.to_owned()))?;
    events::ask_now(&mut tx, endpoint.id).await?;
    events::tell_one(&mut tx, endpoint.id, TEST, &json!({ "webhook": name }), installation.clock.now()).await?;
    installation.note(&mut tx, who, Action::TextTested, &format!("webhook:{name}")).await?;
    tx.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::checked;

    #[test]
    fn only_what_is_near_is_told_in_the_clear() {
        for good in ["https://scoring.example/hook", "http://127.0.0.1:9/a", "http://[::1]/", "http://10.1.2.3/x", "http://scoring:8080/"] {
            assert!(checked(good).is_some(), "{good}");
        }
        for bad in ["http://scoring.example/", "ftp://h/", "https://", "https://u:p@h.example/", "file:///etc/passwd", "h.example", "http://8.8.8.8/"]
        {
            assert_eq!(checked(bad), None, "{bad}");
        }
    }
}
