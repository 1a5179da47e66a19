//! Sitting beside an interview: the interviewer's page as it is now, read-only.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};

use super::super::Failure;
use super::super::auth::Staff;
use super::super::interviewer::views::Script;
use super::super::items::Field;
use super::super::page_layout::{PageLayout, Translator, render_page};
use super::super::state::AppState;
use super::colleagues;
use crate::domain::ids::CallId;
use crate::domain::language::Language;
use crate::domain::mode::Mode;
use crate::domain::person::Person;
use crate::domain::phone::Phone;
use crate::domain::role::Permission;
use crate::services::call_center::sitting_beside::{self, Beside, WatchedCall};
use crate::services::interviews::{InvitationCases, Screen};

/// The part of the page that is looked at again and again.
#[derive(Template)]
#[template(path = "supervisor/beside-part.html")]
struct BesidePart<'a> {
    tr: Translator,
    language: Language,
    /// `None`: the call is over.
    script: Option<Script<'a>>,
}

#[derive(Template)]
#[template(path = "supervisor/beside.html")]
struct BesidePage<'a> {
    layout: PageLayout<'a>,
    call: i64,
    /// The real name of the interviewer; empty: the call is over.
    interviewer: String,
    watched: Option<Watched<'a>>,
    may_reveal: bool,
    person: Option<(Person, Phone)>,
}

struct Watched<'a> {
    watched: &'a WatchedCall,
    begun: String,
    part: BesidePart<'a>,
}

/// Begins, and leads to the page.
pub async fn sit_down(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(call): Path<i64>,
) -> Result<Redirect, Failure> {
    let account = &staff.session.account;
    Ok(match sitting_beside::sit_down(&app.context, account, CallId(call)).await? {
        true => Redirect::to(&format!("/supervision/calls/{call}")),
        false => Redirect::to("/supervision?noted=call_over"),
    })
}

pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(call): Path<i64>,
) -> Result<Response, Failure> {
    render(&app, &staff, call, None).await
}

/// Shows the page with name and number.
pub async fn show_person(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(call): Path<i64>,
) -> Result<Response, Failure> {
    // Both permissions are needed; the route asks for the other one.
    if !staff.may(Permission::Supervise) {
        return Err(Failure::NotFound);
    }
    let account = &staff.session.account;
    let person = sitting_beside::reveal_person(&app.context, account, CallId(call)).await?;
    render(&app, &staff, call, person).await
}

/// Returns the part that the page's script asks for.
pub async fn live(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(call): Path<i64>,
) -> Result<Response, Failure> {
    let found = sitting_beside::look(&app.context, &staff.session.account, CallId(call)).await?;
    let cases;
    let part = match &found {
        Beside::NotBegun { .. } => return Err(Failure::NotFound),
        Beside::Over => BesidePart { tr: staff.tr, language: Language::ZH, script: None },
        Beside::Watching(watched) => {
            cases = open(&app, watched).await?;
            part_of(&app, staff.tr, watched, &cases).await?
        }
    };
    let html = part.render().map_err(|error| Failure::Internal(error.to_string()))?;
    Ok(Html(html).into_response())
}

async fn open(app: &AppState, watched: &WatchedCall) -> Result<InvitationCases, Failure> {
    app.interview_service
        .open_invitation(&watched.code, Mode::Telephone)
        .await
        .map_err(|error| Failure::from_interview_error(app, error))
}

async fn part_of<'a>(
    app: &AppState,
    tr: Translator,
    watched: &WatchedCall,
    cases: &'a InvitationCases,
) -> Result<BesidePart<'a>, Failure> {
    let language = watched.shown.map_or(watched.language, |shown| shown.language);
    let taken_over = app
        .interview_service
        .has_web_answers(cases, watched.begun_at)
        .await
        .map_err(|error| Failure::from_interview_error(app, error))?;
    let paths = cases.paths();
    let script = match cases.screen(&paths, watched.shown.map(|shown| shown.page)) {
        _ if taken_over => Script::AnsweredOnWeb,
        Screen::Welcome => Script::welcome(cases, language),
        Screen::Page { case, page } => {
            let now = app.context.clock.now();
            Script::questions(cases, &paths, (case, page), language, now, None)
        }
        Screen::Finished(_) | Screen::RequestConfirmed(_) => Script::NothingToAsk,
    };
    Ok(BesidePart { tr, language, script: Some(script) })
}

async fn render(
    app: &AppState,
    staff: &Staff,
    call: i64,
    person: Option<(Person, Phone)>,
) -> Result<Response, Failure> {
    let found = sitting_beside::look(&app.context, &staff.session.account, CallId(call)).await?;
    let names = colleagues(app).await?;
    let mut page = BesidePage {
        layout: PageLayout::for_staff(staff),
        call,
        interviewer: String::new(),
        watched: None,
        may_reveal: staff.may(Permission::Reveal),
        person,
    };
    let cases;
    match &found {
        Beside::Over => {}
        Beside::NotBegun { interviewer } => {
            page.interviewer = names.name(interviewer).reveal().to_owned();
        }
        Beside::Watching(watched) => {
            page.interviewer = names.name(&watched.interviewer).reveal().to_owned();
            cases = open(app, watched).await?;
            let begun = watched.begun_at.in_zone(chrono_tz::Asia::Shanghai);
            page.watched = Some(Watched {
                watched,
                begun: begun.format("%H:%M").to_string(),
                part: part_of(app, staff.tr, watched, &cases).await?,
            });
        }
    }
    Ok(render_page(StatusCode::OK, &page))
}
