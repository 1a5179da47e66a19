//! The supervisors' pages at `/supervision`: the queue, the persons on interviewers' screens,
//! interviewer quality and verification.

mod views;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::Failure;
use super::auth::{FormFields, Staff, StaffRouter};
use super::page_layout::render_page;
use super::state::AppState;
use crate::adapters::database::verifications;
use crate::domain::audit::Action;
use crate::domain::ids::InvitationId;
use crate::domain::role::Permission;
use crate::services::accounts::colleagues::Colleagues;
use crate::services::call_center::supervision::{assign, interviewers, supervision_dashboard};
use crate::services::call_center::verification::{
    self, VerificationRefusal, VerificationResult, current_task,
};
use crate::services::call_center::{CallCenterError, quality};
use views::{SupervisionPage, VerificationPage};

/// Period covered by the figures of interviewers.
const QUALITY_PERIOD: Duration = Duration::from_secs(30 * 86_400);
/// Verifications on the page.
const MAX_ROWS: u32 = 50;
pub fn routes(app: &Arc<AppState>) -> StaffRouter {
    const PERMISSION: Permission = Permission::Supervise;
    StaffRouter::new(app)
        .page("/supervision", PERMISSION, show)
        .form("/supervision/assign", PERMISSION, assign_invitation)
        .audited_form(
            "/supervision/verifications",
            PERMISSION,
            (Action::VerificationsDrawn, "", "{percent}"),
            draw,
        )
        .page("/supervision/verifications/{id}", PERMISSION, verify)
        .audited_form(
            "/supervision/verifications/{id}",
            PERMISSION,
            (Action::VerificationReported, "verification:{id}", "{outcome}"),
            finish,
        )
        .form("/supervision/verifications/{id}/call", PERMISSION, call)
}

async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let now = app.context.clock.now();
    let dashboard = supervision_dashboard(&app.context).await?;
    let qualities = quality::of_interviewers(&app.context, now - QUALITY_PERIOD).await?;
    let names: Vec<String> =
        interviewers(&app.context).await?.into_iter().map(|account| account.name).collect();
    let verifications = verifications::all(
        &mut *app.context.database.read().await.map_err(CallCenterError::from)?,
        MAX_ROWS,
    )
    .await;
    let verifications = verifications.map_err(CallCenterError::from)?;
    let flash = query.get("noted").map(String::as_str).unwrap_or_default();
    let colleagues = colleagues(&app).await?;
    let shown = SupervisionPage::new(
        (&staff, &colleagues),
        flash,
        &dashboard,
        &qualities,
        &names,
        &verifications,
        now,
    );
    Ok(render_page(StatusCode::OK, &shown))
}

async fn colleagues(app: &AppState) -> Result<Colleagues, Failure> {
    Colleagues::load(&app.context).await.map_err(|error| Failure::Internal(error.to_string()))
}

async fn assign_invitation(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
) -> Result<Redirect, Failure> {
    let invitation = form
        .text("invitation")
        .parse()
        .map_err(|_| Failure::BadRequest("the form names nobody".into()))?;
    let flash = match assign(
        &app.context,
        &staff.session.actor(),
        InvitationId(invitation),
        form.text("to").trim(),
    )
    .await
    {
        Ok(()) => "assigned",
        Err(CallCenterError::NotInQueue) => "gone",
        Err(CallCenterError::UnknownInterviewer(_)) => "unknown",
        Err(error) => return Err(error.into()),
    };
    Ok(Redirect::to(&format!("/supervision?noted={flash}")))
}

async fn draw(
    State(app): State<Arc<AppState>>,
    Extension(form): Extension<FormFields>,
) -> Result<Redirect, Failure> {
    let share = form
        .text("percent")
        .trim()
        .parse::<f64>()
        .map_or(verification::DEFAULT_SHARE, |percent| percent / 100.0);
    let drawn = verification::draw(&app.context, share).await?;
    Ok(Redirect::to(if drawn == 0 {
        "/supervision?noted=none"
    } else {
        "/supervision?noted=drawn"
    }))
}

async fn call(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(id): Path<i64>,
) -> Result<Redirect, Failure> {
    Ok(match verification::take(&app.context, &staff.session.account, id).await? {
        Ok(claimed) => Redirect::to(&format!("/supervision/verifications/{claimed}")),
        Err(VerificationRefusal::Unavailable) => Redirect::to("/supervision?noted=gone"),
        Err(VerificationRefusal::OwnInterview) => Redirect::to("/supervision?noted=own"),
        Err(VerificationRefusal::NotAllowed) => Redirect::to("/supervision?noted=closed"),
    })
}

async fn verify(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    match current_task(&app.context, &staff.session.account, id).await? {
        Some(task) => {
            let names = (&staff, &colleagues(&app).await?);
            Ok(render_page(StatusCode::OK, &VerificationPage::new(names, &task, None)))
        }
        None => Ok(Redirect::to("/supervision?noted=gone").into_response()),
    }
}

async fn finish(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    let Some(task) = current_task(&app.context, &staff.session.account, id).await? else {
        return Ok(Redirect::to("/supervision?noted=gone").into_response());
    };
    if form.text("outcome") == "not_reached" {
        verification::give_back(&app.context, &task).await?;
        return Ok(Redirect::to("/supervision?noted=not_reached").into_response());
    }
    Ok(match verification::finish(&app.context, &task, &form.0, form.text("comment")).await? {
        VerificationResult::Sound => Redirect::to("/supervision?noted=sound").into_response(),
        VerificationResult::Doubtful => Redirect::to("/supervision?noted=doubtful").into_response(),
        VerificationResult::Problems(problems) => {
            let rejected =
                super::items::RejectedAnswers { problems, fields: form.0.clone(), is_whole: true };
            render_page(
                StatusCode::UNPROCESSABLE_ENTITY,
                &VerificationPage::new((&staff, &colleagues(&app).await?), &task, Some(&rejected)),
            )
        }
    })
}
