//! Another system that receives the events by webhook, verifies every signature, and counts.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;

use super::fixture::Fixture;
use crate::domain::audit::Actor;
use crate::domain::event::EventKind;
use crate::services::webhooks;

pub struct WebhookReceiver {
    check: Webhook,
    /// Received events by id, and whether their signature was valid.
    received: Mutex<BTreeMap<String, bool>>,
}

/// The counts of received events.
pub struct WebhookReport {
    pub events: u64,
    pub signed: u64,
}

/// Listens on loopback, and subscribes to all events except single interviews and replies.
pub async fn start(fixture: &Fixture) -> Result<Arc<WebhookReceiver>> {
    let socket = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .await
        .context("no loopback port is free")?;
    let url = format!("http://{}/", socket.local_addr()?);
    let is_wanted = |kind: &EventKind| {
        !matches!(kind, EventKind::InterviewCompleted | EventKind::ReplyReceived)
    };
    let kinds: Vec<EventKind> = EventKind::ALL.iter().copied().filter(is_wanted).collect();
    let secret =
        webhooks::add(&fixture.context, &Actor::command("demo"), "listener", &url, &kinds).await?;
    let receiver = Arc::new(WebhookReceiver {
        check: Webhook::new(secret.reveal())?,
        received: Mutex::default(),
    });
    let router = Router::new().route("/", post(receive_event)).with_state(receiver.clone());
    tokio::spawn(async move { axum::serve(socket, router).await });
    Ok(receiver)
}

async fn receive_event(
    State(receiver): State<Arc<WebhookReceiver>>,
    headers: HeaderMap,
    body: String,
) -> StatusCode {
    let text =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // Signed again and compared: the library's own check would compare the demo's time with the
    // system clock.
    let at = text("webhook-timestamp").parse().unwrap_or_default();
    let is_signed = receiver
        .check
        .sign(text("webhook-id"), at, body.as_bytes())
        .is_ok_and(|good| good == text("webhook-signature"));
    match receiver.received.lock() {
        Ok(mut received) => _ = received.insert(text("webhook-id").to_owned(), is_signed),
        Err(_) => return StatusCode::INTERNAL_SERVER_ERROR,
    }
    StatusCode::NO_CONTENT
}

impl WebhookReceiver {
    /// Delivers all pending events and returns the counts.
    pub async fn deliver_and_count(&self, fixture: &Fixture) -> Result<WebhookReport> {
        webhooks::deliver_due_events(&fixture.context).await?;
        let received =
            self.received.lock().map_err(|_| anyhow::anyhow!("the listener broke off"))?;
        Ok(WebhookReport {
            events: received.len() as u64,
            signed: received.values().filter(|is_signed| **is_signed).count() as u64,
        })
    }
}
