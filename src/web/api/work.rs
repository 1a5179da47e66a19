//! What waits for somebody: alarms, replies, messages in doubt, deliveries; numbers that are not contacted; the audit log.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Body, Caller, Page, Path, Problem, Query, utc};
use crate::dispatch::doubt::{self, Verdict, VerdictError};
use crate::domain::audit::Action;
use crate::domain::suppression::SuppressionReason;
use crate::installation::place;
use crate::intake::{SuppressionDefaults, SuppressionError, import_suppressions};
use crate::store::audit::{self as log, Asked};
use crate::store::{alarms, applications, deliveries, messages, rates, replies};
use crate::web::Site;

#[derive(Serialize, ToSchema)]
pub struct AlarmOf {
    application: String,
    level: String,
    chance: f64,
    raised_at: String,
    acknowledged_by: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Alarms {
    items: Vec<AlarmOf>,
}

/// Alarms that are open.
#[utoipa::path(get, path = "/api/v1/alarms", tag = "work", responses((status = 200, body = Alarms)))]
pub async fn alarms(State(site): State<Arc<Site>>) -> Result<Json<Alarms>, Problem> {
    let all = alarms::list(&mut *site.installation.store.read().await?, false).await?;
    let of = |alarm: alarms::Alarm| AlarmOf {
        application: alarm.application_code,
        level: alarm.level,
        chance: alarm.chance,
        raised_at: utc(alarm.raised_at),
        acknowledged_by: alarm.acknowledged_by,
    };
    Ok(Json(Alarms { items: all.into_iter().map(of).collect() }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Taken {
    /// What is being done.
    #[serde(default)]
    note: String,
}

/// What was done, where there is nothing else to tell.
#[derive(Serialize, ToSchema)]
pub struct Done {
    done: bool,
}

const DONE: Json<Done> = Json(Done { done: true });

/// Takes over an alarm, which is not repeated then.
#[utoipa::path(post, path = "/api/v1/alarms/{application}/acknowledge", tag = "work", params(("application" = String, Path)), request_body = Taken,
    responses((status = 200, body = Done)))]
pub async fn take_alarm(
    State(site): State<Arc<Site>>,
    Extension(caller): Extension<Caller>,
    Path(application): Path<String>,
    Body(taken): Body<Taken>,
) -> Result<Json<Done>, Problem> {
    let mut tx = site.installation.store.write().await?;
    let application = applications::find(&mut tx, &application).await?.ok_or_else(Problem::not_found)?;
    if !alarms::acknowledge(&mut tx, application.id, &caller.actor.name, taken.note.trim(), site.installation.clock.now()).await? {
        return Err(Problem::new(StatusCode::CONFLICT, "it has no alarm that waits"));
    }
    tx.commit().await?;
    Ok(DONE)
}

#[derive(Serialize, ToSchema)]
pub struct GatewayOf {
    name: String,
    /// Held still until then.
    paused_until: Option<String>,
    paused_because: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Gateways {
    items: Vec<GatewayOf>,
}

/// How the gateways do.
#[utoipa::path(get, path = "/api/v1/gateways", tag = "work", responses((status = 200, body = Gateways)))]
pub async fn gateways(State(site): State<Arc<Site>>) -> Result<Json<Gateways>, Problem> {
    let now = site.installation.clock.now();
    let states = rates::states(&mut *site.installation.store.read().await?, now).await?;
    let of = |name: &String| {
        let state = states.get(name);
        GatewayOf {
            name: name.clone(),
            paused_until: state.map(|state| state.paused_until).filter(|until| *until > now).map(utc),
            paused_because: state.and_then(|state| state.paused_because.clone()),
        }
    };
    Ok(Json(Gateways { items: site.installation.gateways.keys().map(of).collect() }))
}

#[derive(Serialize, ToSchema)]
pub struct ReplyOf {
    id: i64,
    /// What it was taken for: `call_me`, `wrong_number`, `other`, …
    meaning: String,
    received_at: String,
    campaign: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Replies {
    items: Vec<ReplyOf>,
}

/// Replies that nobody has dealt with.
#[utoipa::path(get, path = "/api/v1/replies", tag = "work", responses((status = 200, body = Replies)))]
pub async fn replies(State(site): State<Arc<Site>>) -> Result<Json<Replies>, Problem> {
    let all = replies::inbox(&mut *site.installation.store.read().await?, None, false).await?;
    let of =
        |reply: replies::InboxEntry| ReplyOf { id: reply.id, meaning: reply.meaning, received_at: utc(reply.received_at), campaign: reply.campaign };
    Ok(Json(Replies { items: all.into_iter().map(of).collect() }))
}

#[derive(Serialize, ToSchema)]
pub struct ReplyText {
    text: String,
}

/// What a reply says. That it was read is in the audit log.
#[utoipa::path(get, path = "/api/v1/replies/{reply}/text", tag = "work", params(("reply" = i64, Path)), responses((status = 200, body = ReplyText)))]
pub async fn reply_text(State(site): State<Arc<Site>>, Path(reply): Path<i64>) -> Result<Json<ReplyText>, Problem> {
    let sealed = replies::sealed_text(&mut *site.installation.store.read().await?, reply).await?.flatten();
    let (sealed, key) = sealed.ok_or_else(Problem::not_found)?;
    let sealer = site.installation.keys.sealer(&key).map_err(|error| Problem::internal(&error.to_string()))?;
    let text = sealer.open_text(place::REPLY, &sealed).map_err(|error| Problem::internal(&error.to_string()))?;
    Ok(Json(ReplyText { text }))
}

/// Marks a reply as dealt with.
#[utoipa::path(post, path = "/api/v1/replies/{reply}/done", tag = "work", params(("reply" = i64, Path)), responses((status = 200, body = Done)))]
pub async fn reply_done(State(site): State<Arc<Site>>, Path(reply): Path<i64>) -> Result<Json<Done>, Problem> {
    let mut tx = site.installation.store.write().await?;
    if !replies::mark_handled(&mut tx, reply, site.installation.clock.now()).await? {
        return Err(Problem::not_found());
    }
    tx.commit().await?;
    Ok(DONE)
}

#[derive(Serialize, ToSchema)]
pub struct DoubtOf {
    reference: String,
    campaign: String,
    gateway: String,
    submitted_at: String,
}

#[derive(Serialize, ToSchema)]
pub struct Doubts {
    items: Vec<DoubtOf>,
}

/// Messages in doubt, which are never sent again by themselves.
#[utoipa::path(get, path = "/api/v1/doubts", tag = "work", responses((status = 200, body = Doubts)))]
pub async fn doubts(State(site): State<Arc<Site>>) -> Result<Json<Doubts>, Problem> {
    let since = site.installation.clock.now() - site.installation.config.dispatch.ask_after;
    let all = messages::doubts(&mut *site.installation.store.read().await?, since).await?;
    let of = |doubt: messages::ShownDoubt| DoubtOf {
        reference: doubt.reference,
        campaign: doubt.campaign,
        gateway: doubt.gateway,
        submitted_at: utc(doubt.submitted_at),
    };
    Ok(Json(Doubts { items: all.into_iter().map(of).collect() }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Settled {
    /// It went out; or it did not, and is sent.
    went_out: bool,
}

/// Says what became of a message in doubt.
#[utoipa::path(post, path = "/api/v1/doubts/{reference}", tag = "work", params(("reference" = String, Path)), request_body = Settled,
    responses((status = 200, body = Done)))]
pub async fn settle(State(site): State<Arc<Site>>, Path(reference): Path<String>, Body(settled): Body<Settled>) -> Result<Json<Done>, Problem> {
    let verdict = if settled.went_out { Verdict::Sent } else { Verdict::NotSent };
    match doubt::settle_by_hand(&site.installation, &reference, verdict).await {
        Ok(_) => Ok(DONE),
        Err(VerdictError::Unknown(_)) => Err(Problem::not_found()),
        Err(error @ VerdictError::NotInDoubt { .. }) => Err(Problem::new(StatusCode::CONFLICT, error.to_string())),
        Err(error) => Err(Problem::internal(&error.to_string())),
    }
}

/// Numbers that are to be contacted no more.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Suppress {
    #[schema(min_items = 1)]
    numbers: Vec<String>,
    /// opt_out, complaint or invalid.
    #[schema(pattern = "^(opt_out|complaint|invalid)$")]
    reason: String,
    /// Everywhere, where nothing is said.
    programme: Option<String>,
    /// The first day on which they may be contacted again.
    until: Option<NaiveDate>,
}

#[derive(Serialize, ToSchema)]
pub struct Suppressed {
    numbers: u64,
}

/// Suppresses numbers.
#[utoipa::path(post, path = "/api/v1/suppressions", tag = "work", request_body = Suppress, responses((status = 200, body = Suppressed)))]
pub async fn suppress(State(site): State<Arc<Site>>, Body(new): Body<Suppress>) -> Result<Json<Suppressed>, Problem> {
    let wrong = |problem: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, problem);
    let reason = SuppressionReason::parse(&new.reason).ok_or_else(|| wrong("reason is opt_out, complaint or invalid".into()))?;
    let defaults = SuppressionDefaults { reason, programme: new.programme.as_deref(), until: new.until };
    let lines: String = new.numbers.iter().map(|number| number.replace(['\n', '\r', ',', '"'], " ") + "\n").collect();
    match import_suppressions(&site.installation, lines.as_bytes(), &defaults).await {
        Ok(numbers) => Ok(Json(Suppressed { numbers })),
        Err(SuppressionError::Store(error)) => Err(error.into()),
        Err(error) => Err(wrong(error.to_string())),
    }
}

#[derive(Serialize, ToSchema)]
pub struct DeliveryOf {
    application: String,
    kind: String,
    version: u32,
    /// folder, s3 or webhook.
    way: &'static str,
    arrived_at: Option<String>,
    /// When it is tried again; null with `arrived_at` null: it was given up.
    next_at: Option<String>,
    tries: u32,
    problem: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Deliveries {
    items: Vec<DeliveryOf>,
}

/// Where versions went.
#[utoipa::path(get, path = "/api/v1/deliveries", tag = "work", responses((status = 200, body = Deliveries)))]
pub async fn deliveries(State(site): State<Arc<Site>>) -> Result<Json<Deliveries>, Problem> {
    let all = deliveries::all(&mut *site.installation.store.read().await?).await?;
    let of = |delivery: deliveries::Delivery| DeliveryOf {
        application: delivery.application_code,
        kind: delivery.kind,
        version: delivery.version,
        way: delivery.way.as_str(),
        arrived_at: delivery.arrived_at.map(utc),
        next_at: delivery.next_at.map(utc),
        tries: delivery.tries,
        problem: delivery.problem,
    };
    Ok(Json(Deliveries { items: all.into_iter().map(of).collect() }))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AskedOfLog {
    /// Only what this person or token did.
    who: Option<String>,
    /// Only such.
    action: Option<String>,
    /// The beginning of what it was done to: `case:17`.
    object: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct LogEntry {
    number: i64,
    at: String,
    who: String,
    /// console, api or command.
    via: &'static str,
    action: &'static str,
    object: String,
    detail: String,
}

#[derive(Serialize, ToSchema)]
pub struct LogEntries {
    items: Vec<LogEntry>,
    /// The cursor of the next page; null on the last.
    next: Option<i64>,
}

/// The audit log, the latest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "work", params(AskedOfLog, Page), responses((status = 200, body = LogEntries)))]
pub async fn audit(State(site): State<Arc<Site>>, Query(asked): Query<AskedOfLog>, Query(page): Query<Page>) -> Result<Json<LogEntries>, Problem> {
    let unknown = |code: &str| Problem::new(StatusCode::BAD_REQUEST, format!("«{code}» is no action"));
    let asked = Asked {
        who: asked.who.unwrap_or_default(),
        action: asked.action.as_deref().map(|code| Action::parse(code).ok_or_else(|| unknown(code))).transpose()?,
        object: asked.object.unwrap_or_default(),
        before: page.cursor()?,
    };
    let limit = page.limit()?;
    let entries = log::entries(&mut *site.installation.store.read().await?, &asked, limit).await?;
    let next = entries.last().filter(|_| entries.len() == limit as usize).map(|entry| entry.number);
    let of = |entry: crate::domain::audit::Entry| LogEntry {
        number: entry.number,
        at: utc(entry.at),
        who: entry.who.name,
        via: entry.who.via.as_str(),
        action: entry.action.code(),
        object: entry.object,
        detail: entry.detail,
    };
    Ok(Json(LogEntries { items: entries.into_iter().map(of).collect(), next }))
}
