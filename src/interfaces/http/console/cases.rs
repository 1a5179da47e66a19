//! Cases: found by what somebody knows of a person, and one case's whole story. People are masked until somebody asks for them, which is written down first.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::super::page_layout::{Frame, Say, page};
use super::super::auth::{Sent, Staff};
use super::super::Failure;
use super::super::state::Site;
use super::ZONE;
use crate::domain::disposition::Disposition;
use crate::domain::ids::CaseId;
use crate::domain::personal::Personal;
use crate::domain::phone::Phone;
use crate::domain::role::Permission;
use crate::domain::time::Timestamp;
use crate::services::erasure::{Order, RetentionError, person};
use crate::adapters::database::audit;
use crate::services::monitoring::search::{Found, of_application, search as search_for};
use crate::services::monitoring::timeline::{self, Story, Told, What};

/// Cases on a page.
const LISTED: u32 = 50;
/// Entries of the audit log beside a story.
const LOOKS: u32 = 20;

struct CaseRow {
    found: Found,
    disposition: &'static str,
    since: String,
}

#[derive(Template)]
#[template(path = "console/cases.html")]
struct CasesPage<'a> {
    f: Frame<'a>,
    /// Somebody was looked for.
    was_searched: bool,
    heading: String,
    rows: Vec<CaseRow>,
    /// The way to the next page.
    next: Option<String>,
}

fn shown(at: Timestamp) -> String {
    at.in_zone(ZONE).format("%Y-%m-%d %H:%M:%S").to_string()
}

fn rows(s: Say, found: Vec<Found>) -> Vec<CaseRow> {
    let row = |found: Found| CaseRow { disposition: s.of(found.case.disposition.words()), since: shown(found.case.disposed_at), found };
    found.into_iter().map(row).collect()
}

/// The search, or the cases of an application.
pub async fn show(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let text = |key: &str| query.get(key).map(String::as_str).unwrap_or_default();
    let (application, disposition) = (text("application"), text("disposition"));
    if application.is_empty() {
        let shown = CasesPage { f: Frame::of(&staff), was_searched: false, heading: String::new(), rows: Vec::new(), next: None };
        return Ok(page(StatusCode::OK, &shown));
    }
    let before = text("before").parse().ok().map(CaseId);
    let found = of_application(&site.installation, application, Disposition::from_code(disposition), before, LISTED).await?;
    let last = found.last().filter(|_| found.len() == LISTED as usize).map(|found| found.case.id.0);
    let encoded = |value: &str| form_urlencoded::byte_serialize(value.as_bytes()).collect::<String>();
    let next = last.map(|last| format!("/cases?application={}&disposition={}&before={last}", encoded(application), encoded(disposition)));
    let heading = format!("{application} {disposition}");
    Ok(page(StatusCode::OK, &CasesPage { f: Frame::of(&staff), was_searched: false, heading, rows: rows(staff.say, found), next }))
}

/// What somebody looks for never stands in an address or in a log.
pub async fn search(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Extension(sent): Extension<Sent>,
) -> Result<Response, Failure> {
    let found = search_for(&site.installation, &Personal::new(sent.text("who")), LISTED).await?;
    let shown = CasesPage { f: Frame::of(&staff), was_searched: true, heading: String::new(), rows: rows(staff.say, found), next: None };
    Ok(page(StatusCode::OK, &shown))
}

/// One line of a story.
struct Line {
    at: String,
    kind: &'static str,
    text: String,
    /// What a gateway was asked and answered.
    talk: Vec<(String, String)>,
}

struct Look {
    at: String,
    who: String,
    did: &'static str,
}

#[derive(Template)]
#[template(path = "console/timeline.html")]
struct StoryPage<'a> {
    f: Frame<'a>,
    of: &'a Story,
    person: Option<(Personal, Phone)>,
    disposition: &'static str,
    lines: Vec<Line>,
    next: Option<String>,
    looks: Option<Vec<Look>>,
    noted: Option<&'static str>,
    problem: Option<String>,
    may_erase: bool,
}

fn line(s: Say, told: &Told) -> Line {
    let (kind, text, talk) = match &told.what {
        What::Message { step, talk, message } => {
            let code = message.code.as_deref().map(|code| format!(" ({code})")).unwrap_or_default();
            let state = s.of(state_of_message(&message.state));
            let parts = s.t("条", "parts");
            (s.t("短信", "message"), format!("{step}: {state}{code} · {} · {} {parts}", message.gateway, message.parts), talk.clone())
        }
        What::Delivered { step } => (s.t("回执", "receipt"), format!("{step}: {}", s.t("已送达", "delivered")), Vec::new()),
        What::Opened => (s.t("链接", "link"), s.t("首次打开", "opened for the first time").to_owned(), Vec::new()),
        What::Consented { version, mode } => {
            (s.t("同意", "consent"), format!("{} {version} ({mode})", s.t("同意告知", "agreed to the notice")), Vec::new())
        }
        What::ConsentWithdrawn { version } => (s.t("同意", "consent"), format!("{} {version}", s.t("撤回", "took it back")), Vec::new()),
        What::AnswersBegun => (s.t("作答", "answers"), s.t("开始", "begun").to_owned(), Vec::new()),
        What::Page(visit) => {
            let problems =
                if visit.problems > 0 { format!(" · {} {}", visit.problems, s.t("题被退回", "items sent back")) } else { String::new() };
            let text = format!("{} {} · {} · {} · {} s{problems}", s.t("第", "page"), visit.page + 1, visit.mode, visit.device, visit.seconds);
            (s.t("作答", "answers"), text, Vec::new())
        }
        What::AnswersComplete { items } => {
            (s.t("作答", "answers"), format!("{} · {items} {}", s.t("完成", "complete"), s.t("题", "items")), Vec::new())
        }
        What::Call { by, outcome } => {
            let outcome = outcome.map_or_else(|| s.t("进行中", "under way"), |outcome| s.of(outcome.words()));
            (s.t("电话", "call"), format!("{by}: {outcome}"), Vec::new())
        }
        What::Reply { number, meaning } => (s.t("回复", "reply"), format!("#{number} {}", s.of(super::inbox::meaning_in_words(meaning))), Vec::new()),
        What::Disposition { to, source } => (s.t("处置", "disposition"), format!("{} {} ({source})", to.code(), s.of(to.words())), Vec::new()),
    };
    Line { at: shown(told.at), kind, text, talk }
}

fn state_of_message(state: &str) -> (&'static str, &'static str) {
    match state {
        "submitting" => ("正在提交", "being submitted"),
        "deferred" => ("稍后再试", "put off"),
        "in_doubt" => ("存疑", "in doubt"),
        "accepted" => ("网关已接受", "taken by the gateway"),
        "delivered" => ("已送达", "delivered"),
        "undelivered" => ("未送达", "not delivered"),
        "refused" => ("被拒", "refused"),
        _ => ("失败", "failed"),
    }
}

/// What a handler leaves to be said on the page.
#[derive(Default)]
struct Slip {
    person: Option<(Personal, Phone)>,
    noted: Option<&'static str>,
    problem: Option<String>,
}

async fn render(site: &Site, staff: &Staff, case: CaseId, slip: Slip) -> Result<Response, Failure> {
    let Some(of) = timeline::story(&site.installation, case).await? else { return Err(Failure::NotFound) };
    let s = staff.say;
    let looks = if staff.may(Permission::Audit) {
        let asked = audit::Asked { object: format!("case:{}", case.0), ..audit::Asked::default() };
        let entries = audit::entries(&mut *site.installation.store.read().await?, &asked, LOOKS).await?;
        // `case:1` is the beginning of `case:17`.
        let exact = entries.into_iter().filter(|entry| entry.object == asked.object);
        Some(exact.map(|entry| Look { at: shown(entry.at), who: entry.who.name, did: s.of(entry.action.words()) }).collect())
    } else {
        None
    };
    let page_of = StoryPage {
        f: Frame::of(staff),
        person: slip.person,
        noted: slip.noted,
        problem: slip.problem,
        may_erase: staff.may(Permission::Operate),
        disposition: s.of(of.found.case.disposition.words()),
        lines: of.told.iter().map(|told| line(s, told)).collect(),
        next: of.next.as_ref().map(|(step, at)| format!("{step}: {}", shown(*at))),
        looks,
        of: &of,
    };
    let status = if page_of.problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(page(status, &page_of))
}

pub async fn story(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Path(case): Path<i64>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let s = staff.say;
    let noted = query.get("noted").map(|_| s.t("已删除，此号码不再联系。", "It is deleted, and the number is contacted no more."));
    render(&site, &staff, CaseId(case), Slip { noted, ..Slip::default() }).await
}

/// Shows who it is, this once: the page is the answer to the form, and no address leads to it.
pub async fn reveal(State(site): State<Arc<Site>>, Extension(staff): Extension<Staff>, Path(case): Path<i64>) -> Result<Response, Failure> {
    let person = timeline::reveal(&site.installation, CaseId(case)).await?;
    render(&site, &staff, CaseId(case), Slip { person, ..Slip::default() }).await
}

/// Everything that is held about the person of a case, for that person to have (Personal Information Protection Law, article 45).
pub async fn export(State(site): State<Arc<Site>>, Extension(staff): Extension<Staff>, Path(case): Path<i64>) -> Result<Response, Failure> {
    let (_, phone) = timeline::reveal(&site.installation, CaseId(case)).await?.ok_or(Failure::NotFound)?;
    let held = person::export(&site.installation, phone.e164(), &staff.session.actor()).await.map_err(|e| Failure::Internal(e.to_string()))?;
    let body = serde_json::to_string_pretty(&held).map_err(|e| Failure::Internal(e.to_string()))?;
    let headers =
        [(header::CONTENT_TYPE, "application/json".to_owned()), (header::CONTENT_DISPOSITION, format!("attachment; filename=\"case-{case}.json\""))];
    Ok((headers, body).into_response())
}

/// Deletes whoever a case is about, on every list, as that person has asked for (article 47).
pub async fn erase(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Extension(sent): Extension<Sent>,
    Path(case): Path<i64>,
) -> Result<Response, Failure> {
    let s = staff.say;
    let refused = |problem: &str| Slip { problem: Some(problem.to_owned()), ..Slip::default() };
    if sent.text("sure").trim() != case.to_string() {
        let slip = refused(s.t("请输入个案编号以确认删除。", "To delete it, type the case's number."));
        return render(&site, &staff, CaseId(case), slip).await;
    }
    let Some((_, phone)) = timeline::reveal(&site.installation, CaseId(case)).await? else {
        let slip = refused(s.t("此人的信息已清除。", "This person is forgotten already."));
        return render(&site, &staff, CaseId(case), slip).await;
    };
    let order = Order { who: &staff.session.account.name, reason: sent.text("reason").trim() };
    match person::erase(&site.installation, phone.e164(), order).await {
        Ok(erased) if erased.held.is_empty() => Ok(Redirect::to(&format!("/cases/{case}?noted=erased")).into_response()),
        Ok(erased) => {
            let held = erased.held.join(", ");
            let says =
                s.t("以下单位处于法律保全，其信息保留；号码不再联系：", "Under a legal hold, and kept there; the number is contacted no more:");
            render(&site, &staff, CaseId(case), refused(&format!("{says} {held}"))).await
        }
        Err(RetentionError::NoReason) => {
            let says = s.t("请写明原因（勿写姓名和号码），它会留在证明中。", "Say why (no name, no number); it stands in the certificate.");
            render(&site, &staff, CaseId(case), refused(says)).await
        }
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}
