//! Work that needs a person: alarms, replies, messages in doubt, lists with rejected rows; and the
//! state of the gateways.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Body, Caller, Path, Problem, format_utc};
use axum::http::StatusCode;

use crate::adapters::database::{alarms, applications, messages, rates, replies};
use crate::interfaces::http::state::AppState;
use crate::services::monitoring::overview;
use crate::services::sms_inbound::inbox::{self, InboxError};
use crate::services::sms_sending::in_doubt::{self, DoubtResolution, DoubtResolutionError};

/// A list with rejected rows whose applications are not launched yet.
#[derive(Serialize, ToSchema)]
pub struct RejectedList {
    applications: Vec<String>,
    rows: u64,
    rejected: u64,
    imported_at: String,
}

/// A version that was rejected or did not arrive.
#[derive(Serialize, ToSchema)]
pub struct UndeliveredVersionResponse {
    application: String,
    kind: String,
    version: u32,
    /// The channel that failed; null if the version was rejected.
    channel: Option<&'static str>,
    reason: String,
    since: String,
}

/// Work that needs a person.
#[derive(Serialize, ToSchema)]
pub struct PendingWork {
    alarms: usize,
    in_doubt: usize,
    replies: usize,
    /// Replies among them that request a call.
    call_backs: usize,
    datasets: Vec<UndeliveredVersionResponse>,
    lists: Vec<RejectedList>,
    /// Webhooks that are failing or disabled.
    webhooks: Vec<String>,
    /// Applications with responses that came from one device or network, and about which nothing is
    /// decided.
    conspicuous: Vec<String>,
    /// Work that fails again and again; it is tried again by itself.
    stuck: Vec<StuckWorkResponse>,
}

/// Work that fails again and again.
#[derive(Serialize, ToSchema)]
pub struct StuckWorkResponse {
    kind: String,
    /// What it is done for, such as an application's code.
    item: String,
    problem: String,
    attempts: u32,
    since: String,
    retry_at: String,
}

/// Returns the work that needs a person.
#[utoipa::path(get, path = "/api/v1/pending-work", tag = "work", responses((status = 200, body = PendingWork)))]
pub async fn pending_work(State(app): State<Arc<AppState>>) -> Result<Json<PendingWork>, Problem> {
    let pending = overview::pending_work(&app.context).await?;
    let dataset = |problem: crate::adapters::database::deliveries::DeliveryProblem| {
        UndeliveredVersionResponse {
            application: problem.application_code,
            kind: problem.kind,
            version: problem.version,
            channel: problem.channel.map(|channel| channel.as_str()),
            reason: problem.reason,
            since: format_utc(problem.since),
        }
    };
    let list = |(codes, rows, rejected, at): (String, u64, u64, crate::domain::time::Timestamp)| {
        RejectedList {
            applications: codes.split(',').map(str::to_owned).collect(),
            rows,
            rejected,
            imported_at: format_utc(at),
        }
    };
    let stuck = |work: crate::adapters::database::stuck_work::StuckWork| StuckWorkResponse {
        kind: work.kind,
        item: work.item,
        problem: work.problem,
        attempts: work.attempt_count,
        since: format_utc(work.since),
        retry_at: format_utc(work.retry_at),
    };
    Ok(Json(PendingWork {
        alarms: pending.alarms.len(),
        in_doubt: pending.in_doubt,
        replies: pending.replies,
        call_backs: pending.call_backs,
        datasets: pending.problems.into_iter().map(dataset).collect(),
        lists: pending.rejected.into_iter().map(list).collect(),
        webhooks: pending.webhooks.into_iter().map(|webhook| webhook.name).collect(),
        conspicuous: pending.clusters.into_iter().map(|(code, _)| code).collect(),
        stuck: pending.stuck.into_iter().map(stuck).collect(),
    }))
}

#[derive(Serialize, ToSchema)]
pub struct AlarmResponse {
    application: String,
    level: String,
    chance: f64,
    raised_at: String,
    acknowledged_by: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Alarms {
    items: Vec<AlarmResponse>,
}

/// Lists open alarms.
#[utoipa::path(get, path = "/api/v1/alarms", tag = "work", responses((status = 200, body = Alarms)))]
pub async fn alarms(State(app): State<Arc<AppState>>) -> Result<Json<Alarms>, Problem> {
    let all = alarms::list(&mut *app.context.database.read().await?, false).await?;
    let to_response = |alarm: alarms::Alarm| AlarmResponse {
        application: alarm.application_code,
        level: alarm.level,
        chance: alarm.chance,
        raised_at: format_utc(alarm.raised_at),
        acknowledged_by: alarm.acknowledged_by,
    };
    Ok(Json(Alarms { items: all.into_iter().map(to_response).collect() }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgeRequest {
    /// What is being done.
    #[serde(default)]
    note: String,
}

/// The result of an operation that returns nothing else.
#[derive(Serialize, ToSchema)]
pub struct Done {
    done: bool,
}

pub const DONE: Json<Done> = Json(Done { done: true });

/// Acknowledges an alarm, which is not repeated after that.
#[utoipa::path(post, path = "/api/v1/alarms/{application}/acknowledge", tag = "work", params(("application" = String, Path)), request_body = AcknowledgeRequest,
    responses((status = 200, body = Done)))]
pub async fn acknowledge_alarm(
    State(app): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path(application): Path<String>,
    Body(request): Body<AcknowledgeRequest>,
) -> Result<Json<Done>, Problem> {
    let mut tx = app.context.database.write().await?;
    let application =
        applications::find(&mut tx, &application).await?.ok_or_else(Problem::not_found)?;
    if !alarms::acknowledge(
        &mut tx,
        application.id,
        &caller.actor.name,
        request.note.trim(),
        app.context.clock.now(),
    )
    .await?
    {
        return Err(Problem::conflict("it has no alarm that waits"));
    }
    tx.commit().await?;
    Ok(DONE)
}

#[derive(Serialize, ToSchema)]
pub struct GatewayResponse {
    name: String,
    /// Paused until this time.
    paused_until: Option<String>,
    paused_because: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Gateways {
    items: Vec<GatewayResponse>,
}

/// Returns the state of the gateways.
#[utoipa::path(get, path = "/api/v1/gateways", tag = "work", responses((status = 200, body = Gateways)))]
pub async fn gateways(State(app): State<Arc<AppState>>) -> Result<Json<Gateways>, Problem> {
    let now = app.context.clock.now();
    let states = rates::states(&mut *app.context.database.read().await?, now).await?;
    let to_response = |name: &String| {
        let state = states.get(name);
        GatewayResponse {
            name: name.clone(),
            paused_until: state
                .map(|state| state.paused_until)
                .filter(|until| *until > now)
                .map(format_utc),
            paused_because: state.and_then(|state| state.paused_because.clone()),
        }
    };
    Ok(Json(Gateways { items: app.context.gateways.keys().map(to_response).collect() }))
}

#[derive(Serialize, ToSchema)]
pub struct ReplyResponse {
    id: i64,
    /// The recognised meaning: `call_me`, `wrong_number`, `other`, …
    meaning: String,
    received_at: String,
    campaign: Option<String>,
    /// Whether it came from a number that was never written to.
    is_stranger: bool,
}

#[derive(Serialize, ToSchema)]
pub struct Replies {
    items: Vec<ReplyResponse>,
}

/// Lists unhandled replies.
#[utoipa::path(get, path = "/api/v1/replies", tag = "work", responses((status = 200, body = Replies)))]
pub async fn replies(State(app): State<Arc<AppState>>) -> Result<Json<Replies>, Problem> {
    let all = replies::inbox(&mut *app.context.database.read().await?, None, false).await?;
    let to_response = |reply: replies::InboxEntry| ReplyResponse {
        id: reply.id,
        meaning: reply.meaning,
        received_at: format_utc(reply.received_at),
        campaign: reply.campaign,
        is_stranger: reply.is_stranger,
    };
    Ok(Json(Replies { items: all.into_iter().map(to_response).collect() }))
}

#[derive(Serialize, ToSchema)]
pub struct ReplyText {
    text: String,
    /// The sender's number, if it was never written to.
    sender: Option<String>,
}

/// Returns the text of a reply. The audit log records the request.
#[utoipa::path(get, path = "/api/v1/replies/{reply}/text", tag = "work", params(("reply" = i64, Path)), responses((status = 200, body = ReplyText)))]
pub async fn reply_text(
    State(app): State<Arc<AppState>>,
    Path(reply): Path<i64>,
) -> Result<Json<ReplyText>, Problem> {
    let sealed = replies::sealed_reply(&mut *app.context.database.read().await?, reply).await?;
    let sealed = sealed.ok_or_else(Problem::not_found)?;
    let open = inbox::open_reply(&app.context, &sealed).map_err(|error| match error {
        InboxError::NotKept => Problem::not_found(),
        error => Problem::internal(&error.to_string()),
    })?;
    Ok(Json(ReplyText {
        text: open.text.reveal().to_owned(),
        sender: open.sender.map(|sender| sender.reveal().to_owned()),
    }))
}

/// Marks a reply as handled.
#[utoipa::path(post, path = "/api/v1/replies/{reply}/handle", tag = "work", params(("reply" = i64, Path)), responses((status = 200, body = Done)))]
pub async fn handle_reply(
    State(app): State<Arc<AppState>>,
    Path(reply): Path<i64>,
) -> Result<Json<Done>, Problem> {
    let mut tx = app.context.database.write().await?;
    if !replies::mark_handled(&mut tx, reply, app.context.clock.now()).await? {
        return Err(Problem::not_found());
    }
    tx.commit().await?;
    Ok(DONE)
}

#[derive(Serialize, ToSchema)]
pub struct MessageInDoubtResponse {
    reference: String,
    campaign: String,
    gateway: String,
    submitted_at: String,
}

#[derive(Serialize, ToSchema)]
pub struct MessagesInDoubt {
    items: Vec<MessageInDoubtResponse>,
}

/// Lists messages in doubt, which are never sent again automatically.
#[utoipa::path(get, path = "/api/v1/messages/in-doubt", tag = "work", responses((status = 200, body = MessagesInDoubt)))]
pub async fn messages_in_doubt(
    State(app): State<Arc<AppState>>,
) -> Result<Json<MessagesInDoubt>, Problem> {
    let since = app.context.clock.now() - app.context.config.dispatch.query_after;
    let all = messages::list_in_doubt(&mut *app.context.database.read().await?, since).await?;
    let to_response = |doubt: messages::DoubtSummary| MessageInDoubtResponse {
        reference: doubt.reference,
        campaign: doubt.campaign,
        gateway: doubt.gateway,
        submitted_at: format_utc(doubt.submitted_at),
    };
    Ok(Json(MessagesInDoubt { items: all.into_iter().map(to_response).collect() }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResolveRequest {
    /// True: it was sent. False: it was not, and is sent again.
    was_sent: bool,
}

/// Resolves a message in doubt.
#[utoipa::path(post, path = "/api/v1/messages/{reference}/resolve", tag = "work", params(("reference" = String, Path)), request_body = ResolveRequest,
    responses((status = 200, body = Done)))]
pub async fn resolve_message(
    State(app): State<Arc<AppState>>,
    Path(reference): Path<String>,
    Body(request): Body<ResolveRequest>,
) -> Result<Json<Done>, Problem> {
    let resolution =
        if request.was_sent { DoubtResolution::Sent } else { DoubtResolution::NotSent };
    match in_doubt::resolve_manually(&app.context, &reference, resolution).await {
        Ok(_) => Ok(DONE),
        Err(DoubtResolutionError::Unknown(_)) => Err(Problem::not_found()),
        Err(error @ DoubtResolutionError::NotInDoubt { .. }) => {
            Err(Problem::from_error(StatusCode::CONFLICT, &error))
        }
        Err(error) => Err(Problem::internal(&error.to_string())),
    }
}
