//! The interviewer's page at `/interview`: the next person, the script, what the call came to.
//!
//! A number is on the page only while its person is leased to this interviewer. Every change is a POST that ends in a redirect.

mod views;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Json};
use chrono::NaiveDateTime;
use serde_json::json;

use super::items::Attempt;
use super::auth::{Doors, Sent, Staff};
use super::page_layout::page;
use super::Failure;
use super::state::Site;
use crate::services::interviews::{Saved, Screen, SentPage, Sitting};
use crate::domain::audit::Action;
use crate::domain::device::DeviceClass;
use crate::domain::ids::CallId;
use crate::domain::language::Language;
use crate::domain::mode::Mode;
use crate::domain::personal::Personal;
use crate::domain::role::Permission;
use crate::domain::telephone::CallOutcome;
use crate::domain::time::Timestamp;
use crate::adapters::database::accounts::Account;
use crate::services::call_center::call_screen::{Desk, desk};
use crate::services::call_center::outcome::{Told, record};
use crate::services::call_center::queue::Lease;
use crate::services::call_center::{TelephoneError, quality, queue};
use views::{CallPage, ReadyPage, Script, Slip};

pub fn doors(site: &Arc<Site>) -> Doors {
    const MAY: Permission = Permission::Interview;
    // Whose number is seen is written down by the queue; the rest is what an interview consists of.
    Doors::new(site)
        .page("/interview", MAY, show)
        .form("/interview/next", MAY, next)
        .background_form("/interview/{call}/alive", MAY, alive)
        .form("/interview/{call}/dial", MAY, dial)
        .form("/interview/{call}/begin", MAY, begin)
        .form("/interview/{call}/answers", MAY, answers)
        .deed("/interview/{call}/not-a-user", MAY, (Action::NotAUser, "call:{call}", ""), not_a_user)
        .deed("/interview/{call}/outcome", MAY, (Action::Called, "call:{call}", "{outcome}"), outcome)
}

impl From<TelephoneError> for Failure {
    fn from(error: TelephoneError) -> Failure {
        Failure::Internal(error.to_string())
    }
}

/// The interviewer's desk, or the way to the next person.
async fn show(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let account = &staff.session.account;
    let Some(lease) = queue::current(&site.installation, account).await? else { return ready(&site, &staff, &query).await };
    // The page is there; its script will tell that it goes on being there.
    match queue::renew(&site.installation, account, lease.call, false).await {
        Err(TelephoneError::CallOver) => return ready(&site, &staff, &query).await,
        renewed => renewed?,
    }
    let desk = desk(&site.installation, account, lease).await?;
    let wanted = query.get("page").and_then(|page| page.parse().ok());
    let slip = Slip { noted: query.get("noted").map(String::as_str).unwrap_or_default(), ..Slip::default() };
    render(&site, &staff, &desk, wanted, slip).await
}

async fn ready(site: &Site, staff: &Staff, query: &BTreeMap<String, String>) -> Result<Response, Failure> {
    let now = site.installation.clock.now();
    let next = queue::next_due(&site.installation).await?;
    let today = quality::of_today(&site.installation, &staff.session.account).await?;
    let noted = query.get("noted").map(String::as_str).unwrap_or_default();
    Ok(page(StatusCode::OK, &ReadyPage::new(staff, noted, today, next.map(|at| at.since(now)))))
}

async fn next(State(site): State<Arc<Site>>, Extension(staff): Extension<Staff>) -> Result<Redirect, Failure> {
    let found = queue::next(&site.installation, &staff.session.account).await?;
    Ok(Redirect::to(if found.is_some() { "/interview" } else { "/interview?noted=nobody" }))
}

/// The page's script tells that the page is there, and hears whether the person still is.
async fn alive(State(site): State<Arc<Site>>, Extension(staff): Extension<Staff>, Path(call): Path<i64>) -> Result<Response, Failure> {
    let state = match held(&site, &staff, call).await? {
        None => "over",
        Some(desk) => {
            queue::renew(&site.installation, &staff.session.account, desk.lease.call, true).await?;
            let bundle = site.collector.open(&desk.code, Mode::Telephone).await.map_err(|error| Failure::of_collect(&site, error))?;
            let is_askable = bundle.cases.iter().any(|case| case.is_askable);
            let taken_over = site.collector.has_web_answers(&bundle, desk.since).await.map_err(|error| Failure::of_collect(&site, error))?;
            match (taken_over, is_askable) {
                (true, _) => "web",
                (false, true) => "held",
                (false, false) => "closed",
            }
        }
    };
    Ok(Json(json!({ "state": state })).into_response())
}

/// Has the telephone system connect the interviewer with the person on the desk.
async fn dial(State(site): State<Arc<Site>>, Extension(staff): Extension<Staff>, Path(call): Path<i64>) -> Result<Redirect, Failure> {
    let Some(desk) = held(&site, &staff, call).await? else { return Ok(Redirect::to("/interview?noted=over")) };
    let Some(dialer) = &site.installation.dialer else { return Err(Failure::NotFound) };
    match dialer.dial(&desk.phone, &staff.session.account.name).await {
        Ok(()) => Ok(Redirect::to("/interview?noted=dialling")),
        Err(problem) => {
            tracing::warn!(problem, "a call could not be connected");
            Ok(Redirect::to("/interview?noted=dial_failed"))
        }
    }
}

async fn begin(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Extension(sent): Extension<Sent>,
    Path(call): Path<i64>,
) -> Result<Redirect, Failure> {
    let Some(desk) = held(&site, &staff, call).await? else { return Ok(Redirect::to("/interview?noted=over")) };
    let failure = |error| Failure::of_collect(&site, error);
    let saved = site.collector.begin(&desk.code, language_of(&sent, &desk), sent.text("notice"), sitting(&staff, &desk)).await.map_err(failure)?;
    Ok(Redirect::to(if saved == Saved::Held { "/interview?noted=held" } else { "/interview" }))
}

async fn answers(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Extension(sent): Extension<Sent>,
    Path(call): Path<i64>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let account = &staff.session.account;
    let Some(desk) = held(&site, &staff, call).await? else { return Ok(Redirect::to("/interview?noted=over").into_response()) };
    let failure = |error| Failure::of_collect(&site, error);
    let number =
        |field: &str| sent.text(field).parse::<usize>().map_err(|_| Failure::Unreadable(format!("the form has no {field} that can be read")));
    let (case, page) = (number("case")?, number("page")?);
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let shown_at = sent.text("shown").parse().ok().map(Timestamp);
    let device = DeviceClass::of_user_agent(agent);
    let as_sent =
        SentPage { sitting: sitting(&staff, &desk), case, page, only: None, fields: &sent.0, language: language_of(&sent, &desk), device, shown_at };
    match site.collector.save_page(&desk.code, &as_sent).await.map_err(failure)? {
        Saved::GoOn => {
            let bundle = site.collector.open(&desk.code, Mode::Telephone).await.map_err(failure)?;
            if matches!(bundle.screen(&bundle.paths(), None), Screen::Finished(_)) {
                record(&site.installation, account, desk.lease, CallOutcome::Interviewed, &Told::default()).await?;
                return Ok(Redirect::to("/interview?noted=interviewed").into_response());
            }
            Ok(Redirect::to(&format!("/interview?page={}", page + 1)).into_response())
        }
        Saved::Held => Ok(Redirect::to("/interview?noted=held").into_response()),
        Saved::TakenOver => Ok(Redirect::to("/interview?noted=web").into_response()),
        Saved::NotAskable => Ok(Redirect::to("/interview").into_response()),
        Saved::Problems(problems) => {
            let attempt = Attempt { problems, sent: sent.0.clone() };
            render(&site, &staff, &desk, Some(page), Slip { attempt: Some(attempt), ..Slip::default() }).await
        }
    }
}

async fn not_a_user(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Extension(sent): Extension<Sent>,
    Path(call): Path<i64>,
) -> Result<Redirect, Failure> {
    let Some(desk) = held(&site, &staff, call).await? else { return Ok(Redirect::to("/interview?noted=over")) };
    let failure = |error| Failure::of_collect(&site, error);
    let case = sent.text("case").parse().map_err(|_| Failure::Unreadable("the form has no case that can be read".into()))?;
    site.collector.not_a_user(&desk.code, case, sitting(&staff, &desk)).await.map_err(failure)?;
    let bundle = site.collector.open(&desk.code, Mode::Telephone).await.map_err(failure)?;
    if bundle.cases.iter().any(|case| case.is_askable) {
        return Ok(Redirect::to("/interview"));
    }
    record(&site.installation, &staff.session.account, desk.lease, CallOutcome::Interviewed, &Told::default()).await?;
    Ok(Redirect::to("/interview?noted=interviewed"))
}

async fn outcome(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Extension(sent): Extension<Sent>,
    Path(call): Path<i64>,
) -> Result<Response, Failure> {
    let Some(desk) = held(&site, &staff, call).await? else { return Ok(Redirect::to("/interview?noted=over").into_response()) };
    let s = staff.say;
    let wrong = async |problem: String| {
        let slip = Slip {
            problem,
            chosen: sent.text("outcome").to_owned(),
            at: sent.text("at").to_owned(),
            note: sent.text("note").to_owned(),
            ..Slip::default()
        };
        render(&site, &staff, &desk, None, slip).await
    };
    let Some(outcome) = CallOutcome::parse(sent.text("outcome")) else {
        return wrong(s.t("请选择通话结果。", "Choose what the call came to.").into()).await;
    };
    let at = sent.text("at").trim();
    let read = NaiveDateTime::parse_from_str(at, "%Y-%m-%dT%H:%M").ok().map(|local| Timestamp::from_local(local, desk.zone));
    if outcome == CallOutcome::CallBack && read.is_none() {
        return wrong(s.t("请填写约定的日期和时间。", "Give the day and the hour that were agreed.").into()).await;
    }
    let told = Told {
        call_back_at: read.filter(|_| outcome == CallOutcome::CallBack),
        language: Language::parse(sent.text("language")),
        note: Personal::new(sent.text("note").trim()),
    };
    match record(&site.installation, &staff.session.account, desk.lease, outcome, &told).await {
        Ok(()) => Ok(Redirect::to(&format!("/interview?noted={}", outcome.as_str())).into_response()),
        Err(TelephoneError::CallOver) => Ok(Redirect::to("/interview?noted=over").into_response()),
        Err(TelephoneError::Past) => wrong(s.t("约定的时间已过。", "That time has passed.").into()).await,
        Err(TelephoneError::AfterTheField) => wrong(s.t("约定的时间在调查结束之后。", "The survey is over by then.").into()).await,
        Err(TelephoneError::NoSms) => wrong(s.t("该号码不能收短信。", "This number gets no messages.").into()).await,
        Err(TelephoneError::OutsideHours(open)) => {
            let open = open.map(|at| at.in_zone(desk.zone).format("%Y-%m-%d %H:%M").to_string()).unwrap_or_default();
            wrong(format!("{} {open}", s.t("该时间不可拨打；其后最早可拨打的时间：", "At that time nobody is called; the next that is open:"))).await
        }
        Err(error) => Err(error.into()),
    }
}

/// What is on this interviewer's desk, if it is this call; each thing that the interviewer sends keeps it there.
async fn held(site: &Site, staff: &Staff, call: i64) -> Result<Option<Desk>, Failure> {
    let account: &Account = &staff.session.account;
    let Some(lease) = queue::current(&site.installation, account).await?.filter(|lease: &Lease| lease.call == CallId(call)) else { return Ok(None) };
    match queue::renew(&site.installation, account, lease.call, false).await {
        Err(TelephoneError::CallOver) => return Ok(None),
        renewed => renewed?,
    }
    Ok(Some(desk(&site.installation, account, lease).await?))
}

fn sitting(staff: &Staff, desk: &Desk) -> Sitting {
    Sitting { mode: Mode::Telephone, since: Some(desk.since), account: Some(staff.session.account.id) }
}

fn language_of(sent: &Sent, desk: &Desk) -> Language {
    Language::parse(sent.text("asked_in")).unwrap_or(desk.language)
}

async fn render(site: &Site, staff: &Staff, desk: &Desk, wanted: Option<usize>, slip: Slip<'_>) -> Result<Response, Failure> {
    let failure = |error| Failure::of_collect(site, error);
    let bundle = site.collector.open(&desk.code, Mode::Telephone).await.map_err(failure)?;
    let paths = bundle.paths();
    let now = site.installation.clock.now();
    let taken_over = site.collector.has_web_answers(&bundle, desk.since).await.map_err(failure)?;
    let status = if slip.problem.is_empty() && slip.attempt.is_none() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let script = match bundle.screen(&paths, wanted) {
        _ if taken_over => Script::TakenOver,
        Screen::Welcome => Script::welcome(&bundle, desk),
        Screen::Page { case, page } => Script::questions(&bundle, &paths, (case, page), desk, now, slip.attempt.as_ref()),
        Screen::Finished(_) | Screen::Noted(_) => Script::Nothing,
    };
    Ok(page(status, &CallPage::new(staff, desk, script, &slip, now, site.installation.dialer.is_some())))
}
