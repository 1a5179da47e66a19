//! The telephone's supervision: who waits, who is to call whom, how interviewers do, and verification. Calls themselves are made by people, at their pages.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::work::{DONE, Done};
use super::{Body, Caller, Path, Problem, utc};
use crate::domain::ids::InvitationId;
use crate::adapters::database::verifications;
use crate::services::call_center::quality::{self, Quality};
use crate::services::call_center::supervision::{self, BoardRow};
use crate::services::call_center::{TelephoneError, verification};
use crate::interfaces::http::state::Site;

/// How interviewers do is told of so many days.
const DAYS: u64 = 30;
const LISTED: u32 = 200;

impl From<TelephoneError> for Problem {
    fn from(error: TelephoneError) -> Problem {
        match error {
            TelephoneError::Store(error) => error.into(),
            TelephoneError::NotInQueue => Problem::conflict(error.to_string()),
            TelephoneError::UnknownInterviewer(_) => Problem::wrong(error.to_string()),
            other => Problem::internal(&other.to_string()),
        }
    }
}

/// Somebody in the queue, without name and number.
#[derive(Serialize, ToSchema)]
pub struct Queued {
    invitation: i64,
    campaign: String,
    /// `APPLICATION/PSEUDONYM`.
    cases: String,
    next_at: Option<String>,
    /// A call-back that was promised.
    promised_at: Option<String>,
    calls: u32,
    most_calls: u32,
    assigned_to: Option<String>,
    /// On whose screen the person is.
    with: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Queue {
    waiting: usize,
    due: usize,
    promised: usize,
    on_screens: usize,
    /// Those on screens and the nearest, 200 at most.
    items: Vec<Queued>,
}

/// The queue of calls.
#[utoipa::path(get, path = "/api/v1/telephone/queue", tag = "telephone", responses((status = 200, body = Queue)))]
pub async fn queue(State(site): State<Arc<Site>>) -> Result<Json<Queue>, Problem> {
    let board = supervision::board(&site.installation).await?;
    let of = |row: BoardRow| Queued {
        invitation: row.invitation.0,
        campaign: row.campaign,
        cases: row.cases,
        next_at: row.next_at.map(utc),
        promised_at: row.promised_at.map(utc),
        calls: row.calls,
        most_calls: row.most_calls,
        assigned_to: row.assigned_to,
        with: row.with,
    };
    Ok(Json(Queue {
        waiting: board.waiting,
        due: board.due,
        promised: board.promised,
        on_screens: board.on_screens,
        items: board.rows.into_iter().map(of).collect(),
    }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Assigned {
    /// The interviewer; empty: whoever is free.
    to: String,
}

/// Hands somebody to one interviewer, or back to all.
#[utoipa::path(post, path = "/api/v1/telephone/queue/{invitation}/assign", tag = "telephone", params(("invitation" = i64, Path)),
    request_body = Assigned, responses((status = 200, body = Done)))]
pub async fn assign(
    State(site): State<Arc<Site>>,
    Extension(caller): Extension<Caller>,
    Path(invitation): Path<i64>,
    Body(assigned): Body<Assigned>,
) -> Result<Json<Done>, Problem> {
    supervision::assign(&site.installation, &caller.actor, InvitationId(invitation), assigned.to.trim()).await?;
    Ok(DONE)
}

/// How one interviewer did in the last 30 days.
#[derive(Serialize, ToSchema)]
pub struct InterviewerOf {
    name: String,
    attempts: u32,
    interviews: u32,
    /// Of those reached.
    refusals: u32,
    no_answers: u32,
    /// Interviews that took conspicuously little time.
    short: u32,
    seconds_per_answer: Option<f64>,
    verified: u32,
    doubtful: u32,
}

#[derive(Serialize, ToSchema)]
pub struct Interviewers {
    items: Vec<InterviewerOf>,
}

/// How the interviewers do.
#[utoipa::path(get, path = "/api/v1/telephone/interviewers", tag = "telephone", responses((status = 200, body = Interviewers)))]
pub async fn interviewers(State(site): State<Arc<Site>>) -> Result<Json<Interviewers>, Problem> {
    let since = site.installation.clock.now() - std::time::Duration::from_secs(DAYS * 86_400);
    let of = |quality: Quality| InterviewerOf {
        name: quality.name,
        attempts: quality.attempts,
        interviews: quality.interviews,
        refusals: quality.refusals.count,
        no_answers: quality.no_answers.count,
        short: quality.short.count,
        seconds_per_answer: quality.seconds_per_answer,
        verified: quality.verified,
        doubtful: quality.doubtful,
    };
    Ok(Json(Interviewers { items: quality::of_interviewers(&site.installation, since).await?.into_iter().map(of).collect() }))
}

#[derive(Serialize, ToSchema)]
pub struct VerificationOf {
    id: i64,
    interviewer: String,
    interviewed_at: String,
    verified_at: Option<String>,
    /// sound or doubtful.
    outcome: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Verifications {
    items: Vec<VerificationOf>,
}

/// Interviews that were drawn to be verified, those still to be made first; 200 at most.
#[utoipa::path(get, path = "/api/v1/telephone/verifications", tag = "telephone", responses((status = 200, body = Verifications)))]
pub async fn verifications(State(site): State<Arc<Site>>) -> Result<Json<Verifications>, Problem> {
    let all = verifications::all(&mut *site.installation.store.read().await?, LISTED).await?;
    let of = |verification: verifications::Verification| VerificationOf {
        id: verification.id,
        interviewer: verification.interviewer_name,
        interviewed_at: utc(verification.interviewed_at),
        verified_at: verification.verified_at.map(utc),
        outcome: verification.outcome,
    };
    Ok(Json(Verifications { items: all.into_iter().map(of).collect() }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Draw {
    /// Of the interviews that nobody has looked at; a tenth where nothing is said.
    #[schema(minimum = 0, maximum = 1)]
    share: Option<f64>,
}

#[derive(Serialize, ToSchema)]
pub struct Drawn {
    interviews: usize,
}

/// Draws interviews to be verified, one at least of each interviewer.
#[utoipa::path(post, path = "/api/v1/telephone/verifications", tag = "telephone", request_body = Draw, responses((status = 200, body = Drawn)))]
pub async fn draw(State(site): State<Arc<Site>>, Body(draw): Body<Draw>) -> Result<Json<Drawn>, Problem> {
    let share = draw.share.unwrap_or(verification::SHARE);
    if !(0.0..=1.0).contains(&share) {
        return Err(Problem::wrong("share is between 0 and 1"));
    }
    Ok(Json(Drawn { interviews: verification::draw(&site.installation, share).await? }))
}
