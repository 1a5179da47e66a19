//! Webhooks: where events are told (Standard Webhooks).

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::work::{DONE, Done};
use super::{Body, Caller, Page, Path, Problem, Query, utc};
use crate::domain::event::EventKind;
use crate::services::webhooks::{self, EndpointError};
use crate::adapters::database::events as stored;
use crate::interfaces::http::state::Site;

impl From<EndpointError> for Problem {
    fn from(error: EndpointError) -> Problem {
        match error {
            EndpointError::Store(error) => error.into(),
            EndpointError::Unknown(_) => Problem::not_found(),
            EndpointError::Taken(_) => Problem::conflict(error.to_string()),
            EndpointError::Name(_) | EndpointError::Address => Problem::wrong(error.to_string()),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct WebhookOf {
    name: String,
    url: String,
    /// What it is told; empty: everything.
    events: Vec<&'static str>,
    made_by: String,
    created_at: String,
    /// Events that wait to be told.
    waiting: u64,
    /// Since then it takes nothing; null: it does well.
    failing_since: Option<String>,
    /// When it is asked again; null with `failing_since`: it has said that it is gone for good.
    next_try_at: Option<String>,
    problem: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Webhooks {
    items: Vec<WebhookOf>,
}

/// All webhooks.
#[utoipa::path(get, path = "/api/v1/webhooks", tag = "webhooks", responses((status = 200, body = Webhooks)))]
pub async fn list(State(site): State<Arc<Site>>) -> Result<Json<Webhooks>, Problem> {
    let mut connection = site.installation.store.read().await?;
    let mut items = Vec::new();
    for endpoint in stored::endpoints(&mut connection).await? {
        items.push(WebhookOf {
            waiting: stored::waiting(&mut connection, endpoint.id).await?,
            events: endpoint.kinds.iter().map(|kind| kind.code()).collect(),
            name: endpoint.name,
            url: endpoint.url,
            made_by: endpoint.made_by,
            created_at: utc(endpoint.created_at),
            failing_since: endpoint.failing_since.map(utc),
            next_try_at: endpoint.failing_since.and(Some(endpoint.waits_until)).filter(|until| *until < stored::FOR_GOOD).map(utc),
            problem: endpoint.problem,
        });
    }
    Ok(Json(Webhooks { items }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    #[schema(min_length = 1, max_length = 40)]
    name: String,
    /// `https://…`; `http://…` only within one's own network.
    #[schema(max_length = 500)]
    url: String,
    /// What it wants to be told; everything where nothing is said.
    #[serde(default)]
    events: Vec<String>,
}

/// What the signatures are checked with, told once.
#[derive(Serialize, ToSchema)]
pub struct MadeWebhook {
    name: String,
    /// `whsec_…`
    secret: String,
}

/// Adds a webhook.
#[utoipa::path(post, path = "/api/v1/webhooks", tag = "webhooks", request_body = NewWebhook, responses((status = 201, body = MadeWebhook)))]
pub async fn add(
    State(site): State<Arc<Site>>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewWebhook>,
) -> Result<(StatusCode, Json<MadeWebhook>), Problem> {
    let kind = |code: &String| EventKind::parse(code).ok_or_else(|| Problem::wrong(format!("«{code}» is no event; docs/api.md lists them")));
    let kinds = new.events.iter().map(kind).collect::<Result<Vec<EventKind>, Problem>>()?;
    let secret = webhooks::add(&site.installation, &caller.actor, &new.name, &new.url, &kinds).await?;
    Ok((StatusCode::CREATED, Json(MadeWebhook { name: new.name, secret: secret.reveal().to_owned() })))
}

/// Takes a webhook away, with what was on its way there.
#[utoipa::path(delete, path = "/api/v1/webhooks/{webhook}", tag = "webhooks", params(("webhook" = String, Path)),
    responses((status = 200, body = Done)))]
pub async fn remove(State(site): State<Arc<Site>>, Extension(caller): Extension<Caller>, Path(webhook): Path<String>) -> Result<Json<Done>, Problem> {
    webhooks::remove(&site.installation, &caller.actor, &webhook).await?;
    Ok(DONE)
}

/// Tells a webhook an event of no meaning (`webhook.test`).
#[utoipa::path(post, path = "/api/v1/webhooks/{webhook}/test", tag = "webhooks", params(("webhook" = String, Path)),
    responses((status = 200, body = Done)))]
pub async fn test(State(site): State<Arc<Site>>, Extension(caller): Extension<Caller>, Path(webhook): Path<String>) -> Result<Json<Done>, Problem> {
    webhooks::test(&site.installation, &caller.actor, &webhook).await?;
    Ok(DONE)
}

#[derive(Serialize, ToSchema)]
pub struct EventOf {
    /// The end of its `webhook-id`.
    number: i64,
    event: String,
    at: String,
    tries: u32,
    arrived_at: Option<String>,
    /// When it is tried again; null with `arrived_at` null: it was given up.
    next_at: Option<String>,
    problem: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Events {
    items: Vec<EventOf>,
    /// The cursor of the next page; null on the last.
    next: Option<i64>,
}

/// What a webhook was told in the last 30 days, the latest first.
#[utoipa::path(get, path = "/api/v1/webhooks/{webhook}/events", tag = "webhooks", params(("webhook" = String, Path), Page),
    responses((status = 200, body = Events)))]
pub async fn told(State(site): State<Arc<Site>>, Path(webhook): Path<String>, Query(page): Query<Page>) -> Result<Json<Events>, Problem> {
    let (limit, before) = (page.limit()?, page.cursor()?);
    let mut connection = site.installation.store.read().await?;
    let endpoint = stored::endpoint(&mut connection, &webhook).await?.ok_or_else(Problem::not_found)?;
    let all = stored::deliveries(&mut connection, endpoint.id, before, limit).await?;
    let next = all.last().filter(|_| all.len() == limit as usize).map(|last| last.id);
    let of = |event: stored::EventDelivery| EventOf {
        number: event.id,
        event: event.kind,
        at: utc(event.created_at),
        tries: event.tries,
        arrived_at: event.arrived_at.map(utc),
        next_at: event.next_at.map(utc),
        problem: event.problem,
    };
    Ok(Json(Events { items: all.into_iter().map(of).collect(), next }))
}
