//! The supervisors' pages at `/supervision`: the queue, the persons on interviewers' screens,
//! interviewer quality and verification.

mod beside;
pub mod shifts;
mod views;
pub mod working_days;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use chrono::{Datelike, NaiveDate, NaiveDateTime};

use super::Failure;
use super::auth::{FormFields, Staff, StaffRouter};
use super::page_layout::render_page;
use super::state::AppState;
use crate::adapters::database::verifications;
use crate::domain::audit::Action;
use crate::domain::ids::InvitationId;
use crate::domain::personal::Personal;
use crate::domain::role::Permission;
use crate::domain::time::Timestamp;
use crate::services::accounts::colleagues::Colleagues;
use crate::services::call_center::shifts::shift_plan;
use crate::services::call_center::supervision::{
    SupervisionDashboard, assign_all, interviewers, move_appointment, reveal_names,
    supervision_dashboard,
};
use crate::services::call_center::verification::{
    self, VerificationRefusal, VerificationResult, current_task,
};
use crate::services::call_center::{CallCenterError, quality};
use views::{AppointmentsPage, SupervisionPage, VerificationPage, flash_text};

/// Period covered by the figures of interviewers.
const QUALITY_PERIOD: Duration = Duration::from_secs(30 * 86_400);
/// Verifications on the page.
const MAX_ROWS: u32 = 50;
pub fn routes(app: &Arc<AppState>) -> StaffRouter {
    const PERMISSION: Permission = Permission::Supervise;
    StaffRouter::new(app)
        .page("/supervision", PERMISSION, show)
        .form("/supervision/assign", PERMISSION, assign_invitations)
        .page("/supervision/appointments", PERMISSION, appointments)
        .form("/supervision/appointments/move", PERMISSION, move_one)
        .page("/supervision/shifts", PERMISSION, shifts::show)
        .form("/supervision/shifts", PERMISSION, shifts::add)
        .form("/supervision/shifts/{id}/remove", PERMISSION, shifts::remove)
        .page("/supervision/days", PERMISSION, working_days::of_all)
        // Who sees an interview sees answers. Interviewers and their supervisors hear them anyway;
        // the figures of a survey are another permission.
        .form("/supervision/calls/{call}/sit", PERMISSION, beside::sit_down)
        .page("/supervision/calls/{call}", PERMISSION, beside::show)
        .background_page("/supervision/calls/{call}/live", PERMISSION, beside::live)
        .form("/supervision/calls/{call}/person", Permission::Reveal, beside::show_person)
        .form("/supervision/names", Permission::Reveal, show_names)
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
    let dashboard = supervision_dashboard(&app.context).await?;
    render(&app, &staff, &query, &dashboard, &BTreeMap::new()).await
}

/// Shows the page with the names of the people in the queue.
async fn show_names(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
) -> Result<Response, Failure> {
    // Both permissions are needed; the route asks for the other one.
    if !staff.may(Permission::Supervise) {
        return Err(Failure::NotFound);
    }
    let dashboard = supervision_dashboard(&app.context).await?;
    let names = reveal_names(&app.context, &staff.session.actor(), &dashboard.rows).await?;
    render(&app, &staff, &BTreeMap::new(), &dashboard, &names).await
}

async fn render(
    app: &AppState,
    staff: &Staff,
    query: &BTreeMap<String, String>,
    dashboard: &SupervisionDashboard,
    people: &BTreeMap<InvitationId, Personal>,
) -> Result<Response, Failure> {
    let now = app.context.clock.now();
    let qualities = quality::of_interviewers(&app.context, now - QUALITY_PERIOD).await?;
    let verifications = verifications::all(
        &mut *app.context.database.read().await.map_err(CallCenterError::from)?,
        MAX_ROWS,
    )
    .await;
    let verifications = verifications.map_err(CallCenterError::from)?;
    let colleagues = colleagues(app).await?;
    let names = interviewer_names(app).await?;
    let plan = shift_plan(&app.context).await?;
    let shown = SupervisionPage::new(
        (staff, &colleagues),
        flash_text(staff.tr, query),
        (dashboard, people),
        &qualities,
        &names,
        &verifications,
        ((plan.current.len(), plan.present()), now),
    );
    Ok(render_page(StatusCode::OK, &shown))
}

async fn interviewer_names(app: &AppState) -> Result<Vec<String>, Failure> {
    Ok(interviewers(&app.context).await?.into_iter().map(|account| account.name).collect())
}

/// Shows the appointments of a week, by interviewer.
async fn appointments(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let dashboard = supervision_dashboard(&app.context).await?;
    let (colleagues, names) = (colleagues(&app).await?, interviewer_names(&app).await?);
    let day = query.get("week").and_then(|day| day.parse().ok());
    let shown = AppointmentsPage::new(
        (&staff, &colleagues),
        flash_text(staff.tr, &query),
        &dashboard,
        &names,
        day,
        app.context.clock.now(),
    );
    Ok(render_page(StatusCode::OK, &shown))
}

async fn colleagues(app: &AppState) -> Result<Colleagues, Failure> {
    Colleagues::load(&app.context).await.map_err(|error| Failure::Internal(error.to_string()))
}

/// Hands the ticked people over.
async fn assign_invitations(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
) -> Result<Redirect, Failure> {
    let ticked = form.0.keys().filter_map(|field| field.strip_prefix("pick-")?.parse().ok());
    let single = form.text("invitation").parse().ok();
    let people: Vec<InvitationId> = ticked.chain(single).map(InvitationId).collect();
    // The form goes back to the page, and the week, that it came from.
    let week = form.text("week").parse::<NaiveDate>().ok();
    let (page, and) = match week {
        Some(week) => ("/supervision/appointments", format!("&week={week}")),
        None => ("/supervision", String::new()),
    };
    if people.is_empty() {
        return Ok(Redirect::to(&format!("{page}?noted=nobody{and}")));
    }
    let to = form.text("to").trim();
    let noted = match assign_all(&app.context, &staff.session.actor(), &people, to).await {
        Ok(0) => "gone".to_owned(),
        Ok(done) => format!("assigned&done={done}&of={}", people.len()),
        Err(CallCenterError::UnknownInterviewer(_)) => "unknown".to_owned(),
        Err(error) => return Err(error.into()),
    };
    Ok(Redirect::to(&format!("{page}?noted={noted}{and}")))
}

/// Moves the one appointment that is ticked. Hours are China time, as in the calendar.
async fn move_one(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
) -> Result<Redirect, Failure> {
    let zone = chrono_tz::Asia::Shanghai;
    let ticked = form.0.keys().filter_map(|field| field.strip_prefix("pick-")?.parse().ok());
    let ticked: Vec<InvitationId> = ticked.map(InvitationId).collect();
    let local = NaiveDateTime::parse_from_str(form.text("at").trim(), "%Y-%m-%dT%H:%M").ok();
    let mut week = form.text("week").parse::<NaiveDate>().ok();
    let noted = match (ticked.as_slice(), local) {
        ([one], Some(local)) if (1970..2200).contains(&local.year()) => {
            let at = Timestamp::from_local(local, zone);
            match move_appointment(&app.context, &staff.session.actor(), *one, at).await {
                Ok(true) => {
                    week = Some(local.date());
                    "moved".to_owned()
                }
                Ok(false) => "gone".to_owned(),
                Err(CallCenterError::TimeInPast) => "past".to_owned(),
                Err(CallCenterError::AfterFieldCloses) => "after_field".to_owned(),
                Err(CallCenterError::OutsideHours(open)) => {
                    let open = open.map(|at| at.in_zone(zone).format("%Y-%m-%dT%H:%M").to_string());
                    format!("outside_hours&open={}", open.unwrap_or_default())
                }
                Err(error) => return Err(error.into()),
            }
        }
        _ => "one_and_time".to_owned(),
    };
    let and = week.map(|week| format!("&week={week}")).unwrap_or_default();
    Ok(Redirect::to(&format!("/supervision/appointments?noted={noted}{and}")))
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
