//! The supervisors' pages at `/supervision`: the queue, who is on whose screen, how interviewers do, and verification.

mod views;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::auth::{Doors, Sent, Staff};
use super::page_layout::page;
use super::Failure;
use super::state::Site;
use crate::domain::audit::Action;
use crate::domain::ids::InvitationId;
use crate::domain::role::Permission;
use crate::adapters::database::verifications;
use crate::services::call_center::supervision::{assign, board, interviewers};
use crate::services::call_center::verification::{self, Finished, NotNow, asked};
use crate::services::call_center::{TelephoneError, quality};
use views::{BoardPage, VerificationPage};

/// How interviewers do is told of so long.
const LOOKED_AT: Duration = Duration::from_secs(30 * 86_400);
/// Verifications on the page.
const LISTED: u32 = 50;
pub fn doors(site: &Arc<Site>) -> Doors {
    const MAY: Permission = Permission::Supervise;
    Doors::new(site)
        .page("/supervision", MAY, show)
        .form("/supervision/assign", MAY, hand_over)
        .deed("/supervision/verifications", MAY, (Action::VerificationsDrawn, "", "{percent}"), draw)
        .page("/supervision/verifications/{id}", MAY, verify)
        .deed("/supervision/verifications/{id}", MAY, (Action::Verified, "verification:{id}", "{outcome}"), finish)
        .form("/supervision/verifications/{id}/call", MAY, call)
}

async fn show(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let now = site.installation.clock.now();
    let board = board(&site.installation).await?;
    let qualities = quality::of_interviewers(&site.installation, now - LOOKED_AT).await?;
    let names: Vec<String> = interviewers(&site.installation).await?.into_iter().map(|account| account.name).collect();
    let verifications = verifications::all(&mut *site.installation.store.read().await.map_err(TelephoneError::from)?, LISTED).await;
    let verifications = verifications.map_err(TelephoneError::from)?;
    let noted = query.get("noted").map(String::as_str).unwrap_or_default();
    Ok(page(StatusCode::OK, &BoardPage::new(&staff, noted, &board, &qualities, &names, &verifications, now)))
}

async fn hand_over(State(site): State<Arc<Site>>, Extension(staff): Extension<Staff>, Extension(sent): Extension<Sent>) -> Result<Redirect, Failure> {
    let invitation = sent.text("invitation").parse().map_err(|_| Failure::Unreadable("the form names nobody".into()))?;
    let noted = match assign(&site.installation, &staff.session.actor(), InvitationId(invitation), sent.text("to").trim()).await {
        Ok(()) => "assigned",
        Err(TelephoneError::NotInQueue) => "gone",
        Err(TelephoneError::UnknownInterviewer(_)) => "unknown",
        Err(error) => return Err(error.into()),
    };
    Ok(Redirect::to(&format!("/supervision?noted={noted}")))
}

async fn draw(State(site): State<Arc<Site>>, Extension(sent): Extension<Sent>) -> Result<Redirect, Failure> {
    let share = sent.text("percent").trim().parse::<f64>().map_or(verification::SHARE, |percent| percent / 100.0);
    let drawn = verification::draw(&site.installation, share).await?;
    Ok(Redirect::to(if drawn == 0 { "/supervision?noted=none" } else { "/supervision?noted=drawn" }))
}

async fn call(State(site): State<Arc<Site>>, Extension(staff): Extension<Staff>, Path(id): Path<i64>) -> Result<Redirect, Failure> {
    Ok(match verification::take(&site.installation, &staff.session.account, id).await? {
        Ok(()) => Redirect::to(&format!("/supervision/verifications/{id}")),
        Err(NotNow::Gone) => Redirect::to("/supervision?noted=gone"),
        Err(NotNow::Own) => Redirect::to("/supervision?noted=own"),
        Err(NotNow::NotAllowed) => Redirect::to("/supervision?noted=closed"),
    })
}

async fn verify(State(site): State<Arc<Site>>, Extension(staff): Extension<Staff>, Path(id): Path<i64>) -> Result<Response, Failure> {
    match asked(&site.installation, &staff.session.account, id).await? {
        Some(asked) => Ok(page(StatusCode::OK, &VerificationPage::new(&staff, &asked, None))),
        None => Ok(Redirect::to("/supervision?noted=gone").into_response()),
    }
}

async fn finish(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Extension(sent): Extension<Sent>,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    let Some(asked) = asked(&site.installation, &staff.session.account, id).await? else {
        return Ok(Redirect::to("/supervision?noted=gone").into_response());
    };
    if sent.text("outcome") == "not_reached" {
        verification::not_reached(&site.installation, &asked).await?;
        return Ok(Redirect::to("/supervision?noted=not_reached").into_response());
    }
    Ok(match verification::finish(&site.installation, &asked, &sent.0, sent.text("comment")).await? {
        Finished::Sound => Redirect::to("/supervision?noted=sound").into_response(),
        Finished::Doubtful => Redirect::to("/supervision?noted=doubtful").into_response(),
        Finished::Problems(problems) => {
            let attempt = super::items::Attempt { problems, sent: sent.0.clone() };
            page(StatusCode::UNPROCESSABLE_ENTITY, &VerificationPage::new(&staff, &asked, Some(&attempt)))
        }
    })
}
