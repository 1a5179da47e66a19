//! Pushes from gateways: `/hooks/GATEWAY/SECRET/receipts` and `…/replies`, by GET or POST. The
//! secret is derived from the installation's key; a gateway's `allow` list limits the networks that
//! may push. A push is acknowledged only when it is on disk.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, OriginalUri, Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

use super::Failure;
use super::client_address::client_address;
use super::state::AppState;
use crate::adapters::crypto::sha256_hex;
use crate::adapters::sms::{Entries, Gateway, Push, PushError};
use crate::services::interviews::sms_conversation::SmsInterviewError;

/// Maximum size of a push in bytes. A push of some hundred receipts is far smaller.
const MAX_PUSH: usize = 1024 * 1024;

pub fn routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/hooks/{gateway}/{secret}/receipts", any(receipts))
        .route("/hooks/{gateway}/{secret}/replies", any(replies))
        .layer(DefaultBodyLimit::max(MAX_PUSH))
}

/// The parts of a push, extracted by axum.
type PushParts = (Path<(String, String)>, ConnectInfo<SocketAddr>, OriginalUri, HeaderMap, Bytes);

async fn receipts(
    State(app): State<Arc<AppState>>,
    (Path((name, secret)), from, uri, headers, body): PushParts,
) -> Result<Response, Failure> {
    let gateway = authorised_gateway(
        &app,
        &name,
        &secret,
        client_address(&app.context.config.proxies, from.0, &headers),
    )?;
    let url = format!("{}{}", app.context.config.public_url, uri.path());
    let push =
        Push { url: &url, query: uri.query().unwrap_or_default(), headers: &headers, body: &body };
    let receipts = gateway.parse_receipts(push).map_err(|error| bad_request(&name, error))?;
    report_unreadable(&app, &name, "receipt", &receipts);
    // Where none can be read, the gateway's file is wrong: it is to push them again.
    if let ([], Some(entry)) = (&receipts.read[..], receipts.unreadable.first()) {
        return Err(Failure::BadRequest(entry.error.to_string()));
    }
    app.interview_service
        .accept_inbound(&name, receipts.read, &Entries::of(Vec::new()))
        .await
        .map_err(internal)?;
    Ok(acknowledgement(gateway))
}

async fn replies(
    State(app): State<Arc<AppState>>,
    (Path((name, secret)), from, uri, headers, body): PushParts,
) -> Result<Response, Failure> {
    let gateway = authorised_gateway(
        &app,
        &name,
        &secret,
        client_address(&app.context.config.proxies, from.0, &headers),
    )?;
    let url = format!("{}{}", app.context.config.public_url, uri.path());
    let push =
        Push { url: &url, query: uri.query().unwrap_or_default(), headers: &headers, body: &body };
    let replies = gateway.parse_replies(push).map_err(|error| bad_request(&name, error))?;
    report_unreadable(&app, &name, "reply", &replies);
    app.interview_service.accept_inbound(&name, Vec::new(), &replies).await.map_err(internal)?;
    Ok(acknowledgement(gateway))
}

/// Returns the gateway's own form of acknowledgement. The push is on disk by now.
fn acknowledgement(gateway: &dyn Gateway) -> Response {
    let (content_type, body) = gateway.push_response();
    let (content_type, body) = (content_type.to_owned(), body.to_owned());
    ([(header::CONTENT_TYPE, content_type)], body).into_response()
}

fn authorised_gateway<'a>(
    app: &'a AppState,
    name: &str,
    secret: &str,
    from: IpAddr,
) -> Result<&'a dyn Gateway, Failure> {
    let gateway = app.context.gateways.get(name).ok_or(Failure::NotFound)?;
    let allow = app
        .context
        .config
        .gateways
        .get(name)
        .map(|g| g.allowed_networks.as_slice())
        .unwrap_or_default();
    if !allow.is_empty() && !allow.iter().any(|network| network.contains(&from)) {
        tracing::warn!(gateway = name, client.address = %from, "a push came from outside the gateway's allow list");
        return Err(Failure::NotFound);
    }
    let expected = app.context.keys.hasher().webhook_secret(name);
    // Comparing hashes hides in the duration how much of the secret was right.
    if sha256_hex(secret.as_bytes()) != sha256_hex(expected.as_bytes()) {
        return Err(Failure::NotFound);
    }
    Ok(gateway.as_ref())
}

/// Logs and counts the entries of a push that could not be read, without their content.
fn report_unreadable<T>(app: &AppState, gateway: &str, kind: &str, entries: &Entries<T>) {
    for entry in &entries.unreadable {
        tracing::warn!(gateway, kind, error = %entry.error, "an entry of a push cannot be read");
        let labels = [("gateway", gateway), ("kind", kind)];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        app.unreadable_entries.get_or_create(&labels).inc();
    }
}

fn bad_request(gateway: &str, error: PushError) -> Failure {
    tracing::warn!(gateway, %error, "a push cannot be read");
    Failure::BadRequest(error.to_string())
}

fn internal(error: SmsInterviewError) -> Failure {
    Failure::Internal(error.to_string())
}
