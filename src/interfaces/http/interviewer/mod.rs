//! The interviewer's page at `/interview`: the next person, the script and the outcome of the call.
//!
//! A number is on the page only while its person is leased to this interviewer. Every change is a
//! POST that ends in a redirect.

pub(super) mod views;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Json};
use chrono::NaiveDateTime;
use serde_json::json;

use super::Failure;
use super::auth::{FormFields, Staff, StaffRouter};
use super::items::RejectedAnswers;
use super::page_layout::render_page;
use super::state::AppState;
use super::supervisor;
use crate::adapters::database::accounts::Account;
use crate::adapters::database::call_watches::ShownPage;
use crate::domain::audit::Action;
use crate::domain::device::DeviceClass;
use crate::domain::ids::CallId;
use crate::domain::language::{ConsoleLanguage, Language};
use crate::domain::mode::Mode;
use crate::domain::personal::Personal;
use crate::domain::phone::Phone;
use crate::domain::role::Permission;
use crate::domain::telephone::CallOutcome;
use crate::domain::time::Timestamp;
use crate::services::accounts::colleagues;
use crate::services::call_center::call_screen::{CallScreen, load_call_screen};
use crate::services::call_center::outcome::{CallReport, record_outcome};
use crate::services::call_center::queue::Lease;
use crate::services::call_center::shifts::own_shifts;
use crate::services::call_center::{
    CallCenterError, MAX_NOTE, opening, quality, queue, sitting_beside, taking_up_again,
};
use crate::services::interviews::{AnswerContext, SaveOutcome, Screen, SubmittedPage};
use views::{CallPage, FormState, ReadyPage, Script};

pub fn routes(app: &Arc<AppState>) -> StaffRouter {
    const PERMISSION: Permission = Permission::Interview;
    // The queue audits each number that it shows. The other forms are the interview itself.
    StaffRouter::new(app)
        .page("/interview", PERMISSION, show)
        .page("/interview/days", PERMISSION, supervisor::working_days::own)
        .form("/interview/next", PERMISSION, next)
        .background_form("/interview/{call}/alive", PERMISSION, keep_alive)
        .form("/interview/{call}/resume", PERMISSION, resume)
        .form("/interview/{call}/dial", PERMISSION, dial)
        .form("/interview/{call}/begin", PERMISSION, begin)
        .form("/interview/{call}/answers", PERMISSION, answers)
        .audited_form(
            "/interview/{call}/not-a-user",
            PERMISSION,
            (Action::NonUserReported, "call:{call}", ""),
            not_a_user,
        )
        .audited_form(
            "/interview/{call}/outcome",
            PERMISSION,
            (Action::CallReported, "call:{call}", "{outcome}"),
            outcome,
        )
}

impl From<CallCenterError> for Failure {
    fn from(error: CallCenterError) -> Failure {
        Failure::Internal(error.to_string())
    }
}

/// Shows the leased person's call screen, or the page to request the next person.
async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let account = &staff.session.account;
    let Some(lease) = queue::current_lease(&app.context, account).await? else {
        return render_ready(&app, &staff, &query).await;
    };
    // The page is loaded now; its script renews the lease from here on.
    match queue::renew(&app.context, account, lease.call, false).await {
        Err(CallCenterError::CallOver) => return render_ready(&app, &staff, &query).await,
        renewed => renewed?,
    }
    let mut call_screen = load_call_screen(&app.context, account, lease).await?;
    if let Some(asked_in) = query.get("in").and_then(|tag| Language::from_tag(tag)) {
        call_screen.language = asked_in;
    }
    let wanted = query.get("page").and_then(|page| page.parse().ok());
    let form_state = FormState {
        flash: query.get("noted").map(String::as_str).unwrap_or_default(),
        ..FormState::default()
    };
    render(&app, &staff, &call_screen, wanted, form_state).await
}

async fn render_ready(
    app: &AppState,
    staff: &Staff,
    query: &BTreeMap<String, String>,
) -> Result<Response, Failure> {
    let now = app.context.clock.now();
    let next = queue::next_due(&app.context).await?;
    let today = quality::todays_work(&app.context, &staff.session.account).await?;
    let flash = query.get("noted").map(String::as_str).unwrap_or_default();
    let broken_off = taking_up_again::broken_off(&app.context, &staff.session.account).await?;
    let own = own_shifts(&app.context, &staff.session.account).await?;
    Ok(render_page(
        StatusCode::OK,
        &ReadyPage::new(staff, flash, today, next.map(|at| at.since(now)), broken_off, &own),
    ))
}

async fn next(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
) -> Result<Redirect, Failure> {
    let found = queue::lease_next(&app.context, &staff.session.account).await?;
    Ok(Redirect::to(if found.is_some() { "/interview" } else { "/interview?noted=nobody" }))
}

/// Renews the lease for the page's script, and returns the state of the call.
async fn keep_alive(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(call): Path<i64>,
) -> Result<Response, Failure> {
    let is_watched = sitting_beside::is_watched(&app.context, CallId(call)).await?;
    let state = match leased_screen(&app, &staff, call).await? {
        None => "over",
        Some(call_screen) => {
            queue::renew(&app.context, &staff.session.account, call_screen.lease.call, true)
                .await?;
            let invitation_cases = app
                .interview_service
                .open_invitation(&call_screen.code, Mode::Telephone)
                .await
                .map_err(|error| Failure::from_interview_error(&app, error))?;
            let accepts_answers = invitation_cases.cases.iter().any(|case| case.accepts_answers);
            let taken_over = app
                .interview_service
                .has_web_answers(&invitation_cases, call_screen.since)
                .await
                .map_err(|error| Failure::from_interview_error(&app, error))?;
            match (taken_over, accepts_answers) {
                (true, _) => "web",
                (false, true) => "held",
                (false, false) => "closed",
            }
        }
    };
    Ok(Json(json!({ "state": state, "watched": is_watched && state == "held" })).into_response())
}

/// Takes the person of a call that broke off up again.
async fn resume(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(call): Path<i64>,
) -> Result<Redirect, Failure> {
    let taken =
        taking_up_again::take_up_again(&app.context, &staff.session.account, CallId(call)).await?;
    Ok(Redirect::to(match taken {
        Some(_) => "/interview?noted=resumed",
        None => "/interview?noted=over",
    }))
}

/// Lets the telephone system connect the interviewer with the leased person.
async fn dial(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(call): Path<i64>,
) -> Result<Redirect, Failure> {
    let Some(call_screen) = leased_screen(&app, &staff, call).await? else {
        return Ok(Redirect::to("/interview?noted=over"));
    };
    let Some(dialer) = &app.context.dialer else { return Err(Failure::NotFound) };
    match dialer.dial(&call_screen.phone, &staff.session.account.name).await {
        Ok(()) => Ok(Redirect::to("/interview?noted=dialling")),
        Err(error) => {
            tracing::warn!(error, "a call could not be connected");
            Ok(Redirect::to("/interview?noted=dial_failed"))
        }
    }
}

async fn begin(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(call): Path<i64>,
) -> Result<Redirect, Failure> {
    let Some(call_screen) = held_screen(&app, &staff, call).await? else {
        return Ok(Redirect::to("/interview?noted=over"));
    };
    let failure = |error| Failure::from_interview_error(&app, error);
    let saved = app
        .interview_service
        .begin(
            &call_screen.code,
            language_of(&form, &call_screen),
            form.text("notice"),
            answer_context(&staff, &call_screen),
        )
        .await
        .map_err(failure)?;
    Ok(Redirect::to(if saved == SaveOutcome::PlacesReserved {
        "/interview?noted=held"
    } else {
        "/interview"
    }))
}

async fn answers(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(call): Path<i64>,
) -> Result<Response, Failure> {
    let account = &staff.session.account;
    let Some(mut call_screen) = held_screen(&app, &staff, call).await? else {
        return Ok(Redirect::to("/interview?noted=over").into_response());
    };
    let asked_in = language_of(&form, &call_screen);
    let is_switched = asked_in != call_screen.language;
    call_screen.language = asked_in;
    let failure = |error| Failure::from_interview_error(&app, error);
    let number = |field: &str| {
        form.text(field)
            .parse::<usize>()
            .map_err(|_| Failure::BadRequest(format!("the form has no {field} that can be read")))
    };
    let (case, page) = (number("case")?, number("page")?);
    let shown_at = form.text("shown").parse().ok().map(Timestamp);
    let page_answers = SubmittedPage {
        answer_context: answer_context(&staff, &call_screen),
        case,
        page,
        single_item: None,
        fields: &form.0,
        language: asked_in,
        // The browser is the interviewer's, which says nothing of the respondent.
        device: DeviceClass::Unknown,
        origin: None,
        shown_at,
    };
    match app
        .interview_service
        .save_page(&call_screen.code, &page_answers)
        .await
        .map_err(failure)?
    {
        SaveOutcome::Accepted => {
            let invitation_cases = app
                .interview_service
                .open_invitation(&call_screen.code, Mode::Telephone)
                .await
                .map_err(failure)?;
            // A field that has ended meanwhile has interviewed nobody: the interviewer says what
            // became of the call.
            if matches!(
                invitation_cases.screen(&invitation_cases.paths(), None),
                Screen::Finished(end) if end.is_by_answers()
            ) {
                record_outcome(
                    &app.context,
                    account,
                    call_screen.lease,
                    CallOutcome::Interviewed,
                    &CallReport::default(),
                )
                .await?;
                return Ok(Redirect::to("/interview?noted=interviewed").into_response());
            }
            let switch = if is_switched { format!("&in={asked_in}") } else { String::new() };
            Ok(Redirect::to(&format!("/interview?page={}{switch}", page + 1)).into_response())
        }
        SaveOutcome::PlacesReserved => Ok(Redirect::to("/interview?noted=held").into_response()),
        SaveOutcome::AnsweredOnWeb => Ok(Redirect::to("/interview?noted=web").into_response()),
        SaveOutcome::NotAccepting => Ok(Redirect::to("/interview").into_response()),
        SaveOutcome::Problems(problems) => {
            let rejected = RejectedAnswers { problems, fields: form.0.clone(), is_whole: true };
            render(
                &app,
                &staff,
                &call_screen,
                Some(page),
                FormState { rejected: Some(rejected), ..FormState::default() },
            )
            .await
        }
    }
}

async fn not_a_user(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(call): Path<i64>,
) -> Result<Redirect, Failure> {
    let Some(call_screen) = held_screen(&app, &staff, call).await? else {
        return Ok(Redirect::to("/interview?noted=over"));
    };
    let failure = |error| Failure::from_interview_error(&app, error);
    let case = form
        .text("case")
        .parse()
        .map_err(|_| Failure::BadRequest("the form has no case that can be read".into()))?;
    app.interview_service
        .mark_not_eligible(&call_screen.code, case, answer_context(&staff, &call_screen))
        .await
        .map_err(failure)?;
    let invitation_cases = app
        .interview_service
        .open_invitation(&call_screen.code, Mode::Telephone)
        .await
        .map_err(failure)?;
    let screen = invitation_cases.screen(&invitation_cases.paths(), None);
    if !matches!(screen, Screen::Finished(end) if end.is_by_answers()) {
        return Ok(Redirect::to("/interview"));
    }
    record_outcome(
        &app.context,
        &staff.session.account,
        call_screen.lease,
        CallOutcome::Interviewed,
        &CallReport::default(),
    )
    .await?;
    Ok(Redirect::to("/interview?noted=interviewed"))
}

async fn outcome(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(call): Path<i64>,
) -> Result<Response, Failure> {
    let Some(call_screen) = held_screen(&app, &staff, call).await? else {
        return Ok(Redirect::to("/interview?noted=over").into_response());
    };
    let tr = staff.tr;
    let render_problem = async |problem: String| {
        let form_state = FormState {
            problem,
            chosen: form.text("outcome").to_owned(),
            at: form.text("at").to_owned(),
            note: form.text("note").to_owned(),
            dialled: form.text("dialled").to_owned(),
            ..FormState::default()
        };
        render(&app, &staff, &call_screen, None, form_state).await
    };
    let Some(outcome) = CallOutcome::parse(form.text("outcome")) else {
        return render_problem(tr.t("请选择通话结果。", "Choose the outcome of the call.").into())
            .await;
    };
    let at = form.text("at").trim();
    let call_back_at = NaiveDateTime::parse_from_str(at, "%Y-%m-%dT%H:%M")
        .ok()
        .map(|local| Timestamp::from_local(local, call_screen.zone));
    if outcome == CallOutcome::CallBack && call_back_at.is_none() {
        return render_problem(
            tr.t("请填写约定的日期和时间。", "Give the day and the hour that were agreed.").into(),
        )
        .await;
    }
    let report = CallReport {
        call_back_at: call_back_at.filter(|_| outcome == CallOutcome::CallBack),
        language: Language::parse(form.text("language")),
        note: Personal::new(form.text("note").trim()),
        dialled: Phone::from_e164(form.text("dialled")).ok(),
    };
    match record_outcome(&app.context, &staff.session.account, call_screen.lease, outcome, &report)
        .await
    {
        Ok(()) => {
            Ok(Redirect::to(&format!("/interview?noted={}", outcome.as_str())).into_response())
        }
        Err(CallCenterError::CallOver) => Ok(Redirect::to("/interview?noted=over").into_response()),
        Err(CallCenterError::TimeInPast) => {
            render_problem(tr.t("约定的时间已过。", "That time has passed.").into()).await
        }
        Err(CallCenterError::AfterFieldCloses) => {
            render_problem(tr.t("约定的时间在调查结束之后。", "The survey is over by then.").into())
                .await
        }
        Err(CallCenterError::NoteTooLong(length)) => {
            render_problem(match tr.0 {
                ConsoleLanguage::Zh => format!("备忘有 {length} 字，至多 {MAX_NOTE} 字，请缩短。"),
                ConsoleLanguage::En => {
                    format!("The note has {length} characters; {MAX_NOTE} are kept. Shorten it.")
                }
            })
            .await
        }
        Err(CallCenterError::OtherNumber) => {
            render_problem(
                tr.t("请选择实际拨打的号码。", "Choose the number that was dialled.").into(),
            )
            .await
        }
        Err(CallCenterError::NoSms) => {
            render_problem(tr.t("该号码不能收短信。", "This number gets no messages.").into()).await
        }
        Err(CallCenterError::MessageOnItsWay) => {
            let said = tr.t(
                "还有一条短信待发给此人，发出后再发链接。",
                "Another message to this person is on its way; send the link when it has gone out.",
            );
            render_problem(said.into()).await
        }
        Err(CallCenterError::OutsideHours(open)) => {
            let open = open
                .map(|at| at.in_zone(call_screen.zone).format("%Y-%m-%d %H:%M").to_string())
                .unwrap_or_default();
            render_problem(format!(
                "{} {open}",
                tr.t(
                    "该时间不可拨打；其后最早可拨打的时间：",
                    "At that time nobody is called; the next that is open:"
                )
            ))
            .await
        }
        Err(error) => Err(error.into()),
    }
}

/// Returns the call screen like [`leased_screen`]. A call that broke off is taken up again first: the
/// interviewer is still there, and so is what was typed.
async fn held_screen(
    app: &AppState,
    staff: &Staff,
    call: i64,
) -> Result<Option<CallScreen>, Failure> {
    if let Some(call_screen) = leased_screen(app, staff, call).await? {
        return Ok(Some(call_screen));
    }
    let account: &Account = &staff.session.account;
    let taken = taking_up_again::take_up_again(&app.context, account, CallId(call)).await?;
    let Some(taken) = taken else { return Ok(None) };
    let mut call_screen = load_call_screen(&app.context, account, taken.lease).await?;
    call_screen.since = taken.since;
    Ok(Some(call_screen))
}

/// Returns the call screen if this call is the interviewer's present lease, and renews the lease.
async fn leased_screen(
    app: &AppState,
    staff: &Staff,
    call: i64,
) -> Result<Option<CallScreen>, Failure> {
    let account: &Account = &staff.session.account;
    let Some(lease) = queue::current_lease(&app.context, account)
        .await?
        .filter(|lease: &Lease| lease.call == CallId(call))
    else {
        return Ok(None);
    };
    match queue::renew(&app.context, account, lease.call, false).await {
        Err(CallCenterError::CallOver) => return Ok(None),
        renewed => renewed?,
    }
    Ok(Some(load_call_screen(&app.context, account, lease).await?))
}

fn answer_context(staff: &Staff, call_screen: &CallScreen) -> AnswerContext {
    AnswerContext {
        mode: Mode::Telephone,
        since: Some(call_screen.since),
        account: Some(staff.session.account.id),
    }
}

fn language_of(form: &FormFields, call_screen: &CallScreen) -> Language {
    Language::parse(form.text("asked_in")).unwrap_or(call_screen.language)
}

async fn render(
    app: &AppState,
    staff: &Staff,
    call_screen: &CallScreen,
    wanted: Option<usize>,
    form_state: FormState<'_>,
) -> Result<Response, Failure> {
    let failure = |error| Failure::from_interview_error(app, error);
    let invitation_cases = app
        .interview_service
        .open_invitation(&call_screen.code, Mode::Telephone)
        .await
        .map_err(failure)?;
    let paths = invitation_cases.paths();
    let now = app.context.clock.now();
    let taken_over = app
        .interview_service
        .has_web_answers(&invitation_cases, call_screen.since)
        .await
        .map_err(failure)?;
    let status = if form_state.problem.is_empty() && form_state.rejected.is_none() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    let interviewer = colleagues::full_name_of(&app.context, &staff.session.account);
    let interviewer = interviewer.as_ref().map_or("", |name| name.reveal());
    let spoken = opening::spoken_words(call_screen, &invitation_cases, interviewer);
    let (call, screen) = (call_screen.lease.call, invitation_cases.screen(&paths, wanted));
    if let Screen::Page { page, .. } = screen {
        let shown = ShownPage { page, language: call_screen.language };
        sitting_beside::show_page(&app.context, call, shown).await?;
    }
    let is_watched = sitting_beside::is_watched(&app.context, call).await?;
    let script = match screen {
        _ if taken_over => Script::AnsweredOnWeb,
        Screen::Welcome => Script::welcome(&invitation_cases, call_screen.language),
        Screen::Page { case, page } => Script::questions(
            &invitation_cases,
            &paths,
            (case, page),
            call_screen.language,
            now,
            form_state.rejected.as_ref(),
        ),
        Screen::Finished(_) | Screen::RequestConfirmed(_) => Script::NothingToAsk,
    };
    Ok(render_page(
        status,
        &CallPage::new(
            staff,
            call_screen,
            (script, spoken),
            &form_state,
            now,
            (app.context.dialer.is_some(), is_watched, &invitation_cases.languages()),
        ),
    ))
}
