//! What gateways push: `/hooks/GATEWAY/SECRET/receipts` and `…/replies`, by GET or POST. The secret part of the address is derived from the
//! installation's key; a push is answered with success only when it is on disk.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, OriginalUri, Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

use super::{Failure, Site};
use crate::crypto::sha256_hex;
use crate::dispatch::incoming;
use crate::gateway::{Gateway, Push, PushError};

/// A push of some hundred receipts stays far below this.
const MAX_PUSH: usize = 1024 * 1024;

pub fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/hooks/{gateway}/{secret}/receipts", any(receipts))
        .route("/hooks/{gateway}/{secret}/replies", any(replies))
        .layer(DefaultBodyLimit::max(MAX_PUSH))
}

/// A push, taken apart by axum.
type Pushed = (Path<(String, String)>, OriginalUri, HeaderMap, Bytes);

async fn receipts(State(site): State<Arc<Site>>, (Path((name, secret)), uri, headers, body): Pushed) -> Result<Response, Failure> {
    let gateway = authorised(&site, &name, &secret)?;
    let url = format!("{}{}", site.installation.config.public_url, uri.path());
    let push = Push { url: &url, query: uri.query().unwrap_or_default(), headers: &headers, body: &body };
    let receipts = gateway.parse_receipts(push).map_err(|error| unreadable(&name, error))?;
    incoming::take_receipts(&site.installation, &name, receipts).await?;
    Ok(heard(gateway))
}

async fn replies(State(site): State<Arc<Site>>, (Path((name, secret)), uri, headers, body): Pushed) -> Result<Response, Failure> {
    let gateway = authorised(&site, &name, &secret)?;
    let url = format!("{}{}", site.installation.config.public_url, uri.path());
    let push = Push { url: &url, query: uri.query().unwrap_or_default(), headers: &headers, body: &body };
    for reply in gateway.parse_replies(push).map_err(|error| unreadable(&name, error))? {
        incoming::take_reply(&site.installation, &name, &reply).await?;
    }
    Ok(heard(gateway))
}

/// On disk by now; said in the gateway's own way.
fn heard(gateway: &dyn Gateway) -> Response {
    let (content_type, body) = gateway.push_answer();
    ([(header::CONTENT_TYPE, content_type)], body).into_response()
}

fn authorised<'a>(site: &'a Site, name: &str, secret: &str) -> Result<&'a dyn Gateway, Failure> {
    let gateway = site.installation.gateways.get(name).ok_or(Failure::NotFound)?;
    let expected = site.installation.keys.hasher().webhook_secret(name);
    // Compared as hashes, so that the time it takes says nothing about how much of the secret was right.
    if sha256_hex(secret.as_bytes()) != sha256_hex(expected.as_bytes()) {
        return Err(Failure::NotFound);
    }
    Ok(gateway.as_ref())
}

fn unreadable(gateway: &str, error: PushError) -> Failure {
    tracing::warn!(gateway, %error, "a push cannot be read");
    Failure::Unreadable(error.to_string())
}
