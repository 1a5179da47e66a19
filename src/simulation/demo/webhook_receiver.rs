//! Another system that is told what happens: it checks every signature, and counts.

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

use super::fixture::World;
use crate::domain::audit::Actor;
use crate::domain::event::EventKind;
use crate::services::webhooks;

pub struct Listener {
    check: Webhook,
    /// What came, by its id, and whether it was signed.
    heard: Mutex<BTreeMap<String, bool>>,
}

/// What came to the listener.
pub struct Heard {
    pub events: u64,
    pub signed: u64,
}

/// Listens on loopback, and has the installation tell it everything but single interviews and replies.
pub async fn listen(world: &World) -> Result<Arc<Listener>> {
    let socket = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.context("no loopback port is free")?;
    let url = format!("http://{}/", socket.local_addr()?);
    let wanted = |kind: &EventKind| !matches!(kind, EventKind::InterviewCompleted | EventKind::ReplyReceived);
    let kinds: Vec<EventKind> = EventKind::ALL.iter().copied().filter(wanted).collect();
    let secret = webhooks::add(&world.installation, &Actor::command("demo"), "listener", &url, &kinds).await?;
    let listener = Arc::new(Listener { check: Webhook::new(secret.reveal())?, heard: Mutex::default() });
    let router = Router::new().route("/", post(hear)).with_state(listener.clone());
    tokio::spawn(async move { axum::serve(socket, router).await });
    Ok(listener)
}

async fn hear(State(listener): State<Arc<Listener>>, headers: HeaderMap, body: String) -> StatusCode {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // Signed once more and compared: the library's own check would hold the demo's time against it.
    let at = text("webhook-timestamp").parse().unwrap_or_default();
    let is_signed = listener.check.sign(text("webhook-id"), at, body.as_bytes()).is_ok_and(|good| good == text("webhook-signature"));
    match listener.heard.lock() {
        Ok(mut heard) => _ = heard.insert(text("webhook-id").to_owned(), is_signed),
        Err(_) => return StatusCode::INTERNAL_SERVER_ERROR,
    }
    StatusCode::NO_CONTENT
}

impl Listener {
    /// Has it told what there is to tell, and says what came.
    pub async fn heard(&self, world: &World) -> Result<Heard> {
        webhooks::deliver(&world.installation).await?;
        let heard = self.heard.lock().map_err(|_| anyhow::anyhow!("the listener broke off"))?;
        Ok(Heard { events: heard.len() as u64, signed: heard.values().filter(|is_signed| **is_signed).count() as u64 })
    }
}
