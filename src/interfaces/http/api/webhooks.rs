//! Webhooks that receive events (Standard Webhooks).

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::pending_work::{DONE, Done};
use super::{Body, Caller, PageParams, Path, Problem, Query, format_utc};
use crate::adapters::database::events as stored;
use crate::domain::event::EventKind;
use crate::domain::time::Timestamp;
use crate::interfaces::http::state::AppState;
use crate::services::webhooks::{self, EndpointError};

impl From<EndpointError> for Problem {
    fn from(error: EndpointError) -> Problem {
        match error {
            EndpointError::Database(error) => error.into(),
            EndpointError::Unknown(_) => Problem::not_found(),
            EndpointError::Taken(_) => Problem::from_error(StatusCode::CONFLICT, &error),
            EndpointError::Name(_) | EndpointError::Address | EndpointError::Future => {
                Problem::from_error(StatusCode::UNPROCESSABLE_ENTITY, &error)
            }
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct WebhookResponse {
    name: String,
    url: String,
    /// The events it receives; empty for all.
    events: Vec<&'static str>,
    created_by: String,
    created_at: String,
    /// ok, retrying, failing (three failures in a row, or a quarter of an hour) or disabled (it
    /// answered 410).
    state: &'static str,
    /// Attempts in a row that have failed.
    failures: u32,
    /// Number of undelivered events.
    waiting: u64,
    /// Start of the present failure; null if deliveries succeed.
    failing_since: Option<String>,
    /// Time of the next attempt. Null with `failing_since` set: the endpoint answered 410 and gets
    /// no more events.
    next_try_at: Option<String>,
    last_error: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Webhooks {
    items: Vec<WebhookResponse>,
}

/// Lists all webhooks.
#[utoipa::path(get, path = "/api/v1/webhooks", tag = "webhooks", responses((status = 200, body = Webhooks)))]
pub async fn list(State(app): State<Arc<AppState>>) -> Result<Json<Webhooks>, Problem> {
    let mut connection = app.context.database.read().await?;
    let mut items = Vec::new();
    let now = app.context.clock.now();
    for endpoint in stored::endpoints(&mut connection).await? {
        items.push(WebhookResponse {
            state: endpoint.state(now).as_str(),
            failures: endpoint.failures,
            waiting: stored::count_pending(&mut connection, endpoint.id).await?,
            events: endpoint.kinds.iter().map(|kind| kind.code()).collect(),
            name: endpoint.name,
            url: endpoint.url,
            created_by: endpoint.created_by,
            created_at: format_utc(endpoint.created_at),
            failing_since: endpoint.failing_since.map(format_utc),
            next_try_at: endpoint
                .failing_since
                .and(Some(endpoint.retry_at))
                .filter(|until| *until < stored::NEVER_AGAIN)
                .map(format_utc),
            last_error: endpoint.last_error,
        });
    }
    Ok(Json(Webhooks { items }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    #[schema(min_length = 1, max_length = 40)]
    name: String,
    /// `https://…`; `http://…` only within the own network.
    #[schema(max_length = 500)]
    url: String,
    /// The events it receives; all if omitted.
    #[serde(default)]
    events: Vec<String>,
}

/// The key of the webhook's signatures, shown once.
#[derive(Serialize, ToSchema)]
pub struct NewWebhookResponse {
    name: String,
    /// `whsec_…`
    secret: String,
}

/// Adds a webhook.
#[utoipa::path(post, path = "/api/v1/webhooks", tag = "webhooks", request_body = NewWebhook, responses((status = 201, body = NewWebhookResponse)))]
pub async fn add(
    State(app): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewWebhook>,
) -> Result<(StatusCode, Json<NewWebhookResponse>), Problem> {
    let kind = |code: &String| {
        EventKind::parse(code)
            .ok_or_else(|| Problem::wrong(format!("«{code}» is no event; docs/api.md lists them")))
    };
    let kinds = new.events.iter().map(kind).collect::<Result<Vec<EventKind>, Problem>>()?;
    let secret = webhooks::add(&app.context, &caller.actor, &new.name, &new.url, &kinds).await?;
    Ok((
        StatusCode::CREATED,
        Json(NewWebhookResponse { name: new.name, secret: secret.reveal().to_owned() }),
    ))
}

/// Gives a webhook a new secret. For 24 hours posts are signed with the old one too.
#[utoipa::path(post, path = "/api/v1/webhooks/{webhook}/rotate-secret", tag = "webhooks", params(("webhook" = String, Path)),
    responses((status = 200, body = NewWebhookResponse)))]
pub async fn rotate_secret(
    State(app): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path(webhook): Path<String>,
) -> Result<Json<NewWebhookResponse>, Problem> {
    let secret = webhooks::rotate_secret(&app.context, &caller.actor, &webhook).await?;
    Ok(Json(NewWebhookResponse { name: webhook, secret: secret.reveal().to_owned() }))
}

/// Removes a webhook and its undelivered events.
#[utoipa::path(delete, path = "/api/v1/webhooks/{webhook}", tag = "webhooks", params(("webhook" = String, Path)),
    responses((status = 200, body = Done)))]
pub async fn remove(
    State(app): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path(webhook): Path<String>,
) -> Result<Json<Done>, Problem> {
    webhooks::remove(&app.context, &caller.actor, &webhook).await?;
    Ok(DONE)
}

/// Sends a test event (`webhook.test`) to a webhook.
#[utoipa::path(post, path = "/api/v1/webhooks/{webhook}/test", tag = "webhooks", params(("webhook" = String, Path)),
    responses((status = 200, body = Done)))]
pub async fn test(
    State(app): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path(webhook): Path<String>,
) -> Result<Json<Done>, Problem> {
    webhooks::send_test_event(&app.context, &caller.actor, &webhook).await?;
    Ok(DONE)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResendRequest {
    /// RFC 3339, for instance `2026-03-12T08:00:00+08:00`.
    #[schema(format = DateTime, max_length = 40)]
    from: String,
}

#[derive(Serialize, ToSchema)]
pub struct ResendResponse {
    /// Number of events that are sent again.
    events: u64,
}

/// Sends a webhook's events since a time again, also those that have arrived; they keep their ids.
#[utoipa::path(post, path = "/api/v1/webhooks/{webhook}/resend", tag = "webhooks", params(("webhook" = String, Path)),
    request_body = ResendRequest, responses((status = 200, body = ResendResponse)))]
pub async fn resend(
    State(app): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path(webhook): Path<String>,
    Body(request): Body<ResendRequest>,
) -> Result<Json<ResendResponse>, Problem> {
    let from = Timestamp::parse_rfc3339(&request.from).ok_or_else(|| {
        Problem::wrong("from: write it like 2026-03-12T08:00:00+08:00".to_owned())
    })?;
    let events = webhooks::send_again(&app.context, &caller.actor, &webhook, from).await?;
    Ok(Json(ResendResponse { events }))
}

#[derive(Serialize, ToSchema)]
pub struct EventResponse {
    /// The number at the end of its `webhook-id`.
    number: i64,
    event: String,
    at: String,
    attempt_count: u32,
    arrived_at: Option<String>,
    /// Time of the next attempt. Null if it has arrived.
    next_at: Option<String>,
    last_error: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Events {
    items: Vec<EventResponse>,
    /// Cursor of the next page; null on the last.
    next: Option<i64>,
}

/// Lists events sent to a webhook in the last 30 days, the latest first.
#[utoipa::path(get, path = "/api/v1/webhooks/{webhook}/events", tag = "webhooks", params(("webhook" = String, Path), PageParams),
    responses((status = 200, body = Events)))]
pub async fn list_events(
    State(app): State<Arc<AppState>>,
    Path(webhook): Path<String>,
    Query(page): Query<PageParams>,
) -> Result<Json<Events>, Problem> {
    let (limit, before) = (page.limit()?, page.cursor()?);
    let mut connection = app.context.database.read().await?;
    let endpoint =
        stored::endpoint(&mut connection, &webhook).await?.ok_or_else(Problem::not_found)?;
    let all = stored::deliveries(&mut connection, endpoint.id, before, limit).await?;
    let next = all.last().filter(|_| all.len() == limit as usize).map(|last| last.id);
    let to_response = |event: stored::EventDelivery| EventResponse {
        number: event.id,
        event: event.kind,
        at: format_utc(event.created_at),
        attempt_count: event.attempt_count,
        arrived_at: event.arrived_at.map(format_utc),
        next_at: event.next_at.map(format_utc),
        last_error: event.last_error,
    };
    Ok(Json(Events { items: all.into_iter().map(to_response).collect(), next }))
}
