//! What waits for somebody: alarms, replies, messages in doubt, lists with rejected rows; and how the gateways do.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Body, Caller, Path, Problem, utc};
use crate::services::sms_sending::in_doubt::{self, Verdict, VerdictError};
use crate::services::sealing::place;
use crate::adapters::database::{alarms, applications, messages, rates, replies};
use crate::services::monitoring::overview;
use crate::interfaces::http::state::Site;

/// A list of which rows were rejected, before its applications are launched.
#[derive(Serialize, ToSchema)]
pub struct RejectedList {
    applications: Vec<String>,
    rows: u64,
    rejected: u64,
    imported_at: String,
}

/// A version that the scoring step does not have as it should.
#[derive(Serialize, ToSchema)]
pub struct UndeliveredOf {
    application: String,
    kind: String,
    version: u32,
    /// The way on which it did not arrive; null: it was rejected.
    way: Option<&'static str>,
    reason: String,
    since: String,
}

/// What waits for a person.
#[derive(Serialize, ToSchema)]
pub struct Waiting {
    alarms: usize,
    in_doubt: usize,
    replies: usize,
    /// Of the replies: those who want to be called.
    call_backs: usize,
    datasets: Vec<UndeliveredOf>,
    lists: Vec<RejectedList>,
    /// Webhooks that take no events.
    webhooks: Vec<String>,
}

/// What waits for a person.
#[utoipa::path(get, path = "/api/v1/waiting", tag = "work", responses((status = 200, body = Waiting)))]
pub async fn waiting(State(site): State<Arc<Site>>) -> Result<Json<Waiting>, Problem> {
    let waiting = overview::waiting(&site.installation).await?;
    let dataset = |problem: crate::adapters::database::deliveries::Problem| UndeliveredOf {
        application: problem.application_code,
        kind: problem.kind,
        version: problem.version,
        way: problem.way.map(|way| way.as_str()),
        reason: problem.reason,
        since: utc(problem.since),
    };
    let list = |(codes, rows, rejected, at): (String, u64, u64, crate::domain::time::Timestamp)| RejectedList {
        applications: codes.split(',').map(str::to_owned).collect(),
        rows,
        rejected,
        imported_at: utc(at),
    };
    Ok(Json(Waiting {
        alarms: waiting.alarms.len(),
        in_doubt: waiting.in_doubt,
        replies: waiting.replies,
        call_backs: waiting.call_backs,
        datasets: waiting.problems.into_iter().map(dataset).collect(),
        lists: waiting.rejected.into_iter().map(list).collect(),
        webhooks: waiting.webhooks,
    }))
}

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

pub const DONE: Json<Done> = Json(Done { done: true });

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
        return Err(Problem::conflict("it has no alarm that waits"));
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
    match in_doubt::settle_by_hand(&site.installation, &reference, verdict).await {
        Ok(_) => Ok(DONE),
        Err(VerdictError::Unknown(_)) => Err(Problem::not_found()),
        Err(error @ VerdictError::NotInDoubt { .. }) => Err(Problem::conflict(error.to_string())),
        Err(error) => Err(Problem::internal(&error.to_string())),
    }
}
