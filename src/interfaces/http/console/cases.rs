//! Cases: search, and the timeline of one case. Personal data is masked until it is revealed, which
//! is audited first.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::super::Failure;
use super::super::auth::{FormFields, Staff};
use super::super::page_layout::{PageLayout, Translator, render_page};
use super::super::state::AppState;
use super::code_words::{device_label, source_label};
use super::{ZONE, csv_download, person_document};
use crate::adapters::database::{applications, audit};
use crate::domain::disposition::Disposition;
use crate::domain::ids::CaseId;
use crate::domain::personal::Personal;
use crate::domain::phone::Phone;
use crate::domain::role::Permission;
use crate::domain::time::Timestamp;
use crate::services::accounts::colleagues::Colleagues;
use crate::services::erasure::{ErasureError, ErasureOrder, person};
use crate::services::monitoring::search::{CaseMatch, cases_of_application, search as search_for};
use crate::services::monitoring::timeline::{self, CaseTimeline, TimelineEvent, TimelineEventKind};

/// Cases per page.
const LISTED: u32 = 50;
/// Cases that an export reads at a time.
const EXPORTED_AT_ONCE: u32 = 1_000;
/// Audit entries beside a timeline.
const MAX_REVEALS: u32 = 20;

struct CaseRow {
    found: CaseMatch,
    disposition: &'static str,
    since: String,
}

#[derive(Template)]
#[template(path = "console/cases.html")]
struct CasesPage<'a> {
    layout: PageLayout<'a>,
    /// Codes of all applications, and the one that is shown.
    applications: Vec<String>,
    application: String,
    /// Codes and names of the dispositions, and the one that is shown.
    dispositions: Vec<(&'static str, &'static str)>,
    disposition: String,
    /// Whether the page shows search results.
    was_searched: bool,
    heading: String,
    rows: Vec<CaseRow>,
    /// URL of the next page.
    next: Option<String>,
    /// The campaign of the cases on the page, whose paper forms can be printed.
    print_campaign: Option<String>,
}

fn format_time(at: Timestamp) -> String {
    at.in_zone(ZONE).format("%Y-%m-%d %H:%M:%S").to_string()
}

fn rows(tr: Translator, found: Vec<CaseMatch>) -> Vec<CaseRow> {
    let row = |found: CaseMatch| CaseRow {
        disposition: tr.pair(found.case.disposition.labels()),
        since: format_time(found.case.disposed_at),
        found,
    };
    found.into_iter().map(row).collect()
}

/// What the page shows.
#[derive(Default)]
struct Shown {
    application: String,
    disposition: String,
    was_searched: bool,
    heading: String,
    found: Vec<CaseMatch>,
    next: Option<String>,
}

async fn render_list(app: &AppState, staff: &Staff, shown: Shown) -> Result<Response, Failure> {
    let all = applications::all(&mut *app.context.database.read().await?).await?;
    let all = all.into_iter().filter(|application| application.list_received_at.is_some());
    let print_campaign = if shown.was_searched {
        None
    } else {
        shown.found.first().and_then(|found| found.case.campaign.clone())
    };
    let template = CasesPage {
        layout: PageLayout::for_staff(staff),
        applications: all.map(|application| application.code).collect(),
        application: shown.application,
        dispositions: Disposition::ALL
            .map(|disposition| (disposition.code(), staff.tr.pair(disposition.labels())))
            .into(),
        disposition: shown.disposition,
        was_searched: shown.was_searched,
        heading: shown.heading,
        rows: rows(staff.tr, shown.found),
        next: shown.next,
        print_campaign,
    };
    Ok(render_page(StatusCode::OK, &template))
}

/// Shows the search form, or the cases of an application; `format=csv` gives all of these without
/// names and numbers.
pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let text = |key: &str| query.get(key).map(String::as_str).unwrap_or_default();
    let (application, disposition) = (text("application"), text("disposition"));
    if application.is_empty() {
        return render_list(&app, &staff, Shown::default()).await;
    }
    let at = Disposition::from_code(disposition);
    if text("format") == "csv" {
        return export_listed(&app, staff.tr, application, at).await;
    }
    let before = text("before").parse().ok().map(CaseId);
    let found = cases_of_application(&app.context, application, at, before, LISTED).await?;
    let last = found.last().filter(|_| found.len() == LISTED as usize).map(|found| found.case.id.0);
    let encoded =
        |value: &str| form_urlencoded::byte_serialize(value.as_bytes()).collect::<String>();
    let next = last.map(|last| {
        format!(
            "/cases?application={}&disposition={}&before={last}",
            encoded(application),
            encoded(disposition)
        )
    });
    let words = at.map_or("", |disposition| staff.tr.pair(disposition.labels()));
    let shown = Shown {
        application: application.to_owned(),
        disposition: disposition.to_owned(),
        was_searched: false,
        heading: format!("{application} {disposition} {words}"),
        found,
        next,
    };
    render_list(&app, &staff, shown).await
}

/// All cases of an application under their codes in datasets: no names and no numbers.
async fn export_listed(
    app: &AppState,
    tr: Translator,
    application: &str,
    at: Option<Disposition>,
) -> Result<Response, Failure> {
    let mut all = Vec::new();
    let mut before = None;
    loop {
        let found =
            cases_of_application(&app.context, application, at, before, EXPORTED_AT_ONCE).await?;
        before = found.last().map(|found| found.case.id);
        let is_last = found.len() < EXPORTED_AT_ONCE as usize;
        all.extend(found.into_iter().map(|found| {
            let case = found.case;
            vec![
                case.id.0.to_string(),
                case.application,
                case.pseudonym,
                case.segment,
                case.disposition.code().to_owned(),
                tr.pair(case.disposition.labels()).to_owned(),
                format_time(case.disposed_at),
            ]
        }));
        if is_last {
            break;
        }
    }
    csv_download::csv_download(
        &format!("cases-{application}"),
        &[
            "case",
            "application",
            "pseudonym",
            "segment",
            "disposition",
            "disposition_text",
            "since",
        ],
        all,
    )
}

/// Searches cases. The query is in the body, so it is in no URL and no log.
pub async fn search(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
) -> Result<Response, Failure> {
    let found = search_for(&app.context, &Personal::new(form.text("who")), LISTED).await?;
    render_list(&app, &staff, Shown { was_searched: true, found, ..Shown::default() }).await
}

/// One line of a timeline.
struct TimelineLine {
    at: String,
    kind: &'static str,
    text: String,
    /// Which gateway took it, in how many parts, with what code.
    gateway: Option<String>,
    /// Requests to the gateway and its responses.
    gateway_log: Vec<(String, String)>,
}

struct CaseReveal {
    at: String,
    who: Personal,
    action: &'static str,
}

#[derive(Template)]
#[template(path = "console/timeline.html")]
struct TimelinePage<'a> {
    layout: PageLayout<'a>,
    timeline: &'a CaseTimeline,
    person: Option<(Personal, Phone)>,
    disposition: &'static str,
    /// The language's own name.
    language: String,
    lines: Vec<TimelineLine>,
    next: Option<String>,
    reveals: Option<Vec<CaseReveal>>,
    flash: Option<&'static str>,
    problem: Option<String>,
    may_erase: bool,
}

fn line(tr: Translator, colleagues: &Colleagues, event: &TimelineEvent) -> TimelineLine {
    let mut gateway = None;
    let (kind, text, log_entries) = match &event.kind {
        TimelineEventKind::Message { step, gateway_log: log_entries, message } => {
            let code = message.code.as_deref().map(|code| format!(" ({code})")).unwrap_or_default();
            let state = tr.pair(state_of_message(&message.state));
            let parts = tr.t("条", "parts");
            (
                tr.t("短信", "message"),
                {
                    gateway =
                        Some(format!("{}{code} · {} {parts}", message.gateway, message.parts));
                    format!("{step}: {state}")
                },
                log_entries.clone(),
            )
        }
        TimelineEventKind::Delivered { step } => (
            tr.t("回执", "receipt"),
            format!("{step}: {}", tr.t("已送达", "delivered")),
            Vec::new(),
        ),
        TimelineEventKind::Opened => (
            tr.t("链接", "link"),
            tr.t("首次打开", "opened for the first time").to_owned(),
            Vec::new(),
        ),
        TimelineEventKind::Consented { version, mode } => (
            tr.t("同意", "consent"),
            format!(
                "{} {version} ({})",
                tr.t("同意告知", "agreed to the notice"),
                source_label(tr, mode)
            ),
            Vec::new(),
        ),
        TimelineEventKind::ConsentWithdrawn { version } => (
            tr.t("同意", "consent"),
            format!("{} {version}", tr.t("撤回", "took it back")),
            Vec::new(),
        ),
        TimelineEventKind::AnswersBegun => {
            (tr.t("作答", "answers"), tr.t("开始", "begun").to_owned(), Vec::new())
        }
        TimelineEventKind::Page(visit) => {
            let problems = if visit.problems > 0 {
                format!(" · {} {}", visit.problems, tr.t("题被退回", "items sent back"))
            } else {
                String::new()
            };
            let (mode, device) =
                (source_label(tr, visit.mode.as_str()), device_label(tr, visit.device.as_str()));
            let (page, seconds) = (visit.page + 1, visit.seconds);
            let text = match tr.tag() {
                "zh" => format!("第 {page} 页 · {mode} · {device} · {seconds} 秒{problems}"),
                _ => format!("page {page} · {mode} · {device} · {seconds} s{problems}"),
            };
            (tr.t("作答", "answers"), text, Vec::new())
        }
        TimelineEventKind::AnswersComplete { items } => (
            tr.t("作答", "answers"),
            format!("{} · {items} {}", tr.t("完成", "complete"), tr.t("题", "items")),
            Vec::new(),
        ),
        TimelineEventKind::Call { by, outcome } => {
            let outcome = outcome
                .map_or_else(|| tr.t("进行中", "under way"), |outcome| tr.pair(outcome.labels()));
            (
                tr.t("电话", "call"),
                format!("{}: {outcome}", colleagues.name(by).reveal()),
                Vec::new(),
            )
        }
        TimelineEventKind::Reply { number, meaning } => (
            tr.t("回复", "reply"),
            format!("#{number} {}", tr.pair(super::inbox::meaning_label(meaning))),
            Vec::new(),
        ),
        TimelineEventKind::Disposition { to, source } => (
            tr.t("处置", "disposition"),
            format!("{} {} ({})", to.code(), tr.pair(to.labels()), source_label(tr, source)),
            Vec::new(),
        ),
    };
    TimelineLine { at: format_time(event.at), kind, text, gateway, gateway_log: log_entries }
}

pub(super) fn state_of_message(state: &str) -> (&'static str, &'static str) {
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

/// All that is held of a person, to be printed.
#[derive(Template)]
#[template(path = "console/person-document.html")]
struct PersonDocument<'a> {
    layout: PageLayout<'a>,
    held: Vec<person_document::Section>,
    made: String,
}

/// What a handler passes to the page: the revealed person, a confirmation or a problem.
#[derive(Default)]
struct FormState {
    person: Option<(Personal, Phone)>,
    flash: Option<&'static str>,
    problem: Option<String>,
}

async fn render(
    app: &AppState,
    staff: &Staff,
    case: CaseId,
    form_state: FormState,
) -> Result<Response, Failure> {
    let Some(timeline) = timeline::case_timeline(&app.context, case).await? else {
        return Err(Failure::NotFound);
    };
    let tr = staff.tr;
    let colleagues = Colleagues::load(&app.context)
        .await
        .map_err(|error| Failure::Internal(error.to_string()))?;
    let reveals = if staff.may(Permission::Audit) {
        let filter = audit::AuditFilter {
            object: format!("case:{}", case.0),
            ..audit::AuditFilter::default()
        };
        let entries =
            audit::entries(&mut *app.context.database.read().await?, &filter, MAX_REVEALS).await?;
        // The filter matches prefixes: `case:1` also finds `case:17`.
        let exact = entries.into_iter().filter(|entry| entry.object == filter.object);
        Some(
            exact
                .map(|entry| CaseReveal {
                    at: format_time(entry.at),
                    who: colleagues.name(&entry.actor.name),
                    action: tr.pair(entry.action.labels()),
                })
                .collect(),
        )
    } else {
        None
    };
    let template = TimelinePage {
        layout: PageLayout::for_staff(staff),
        person: form_state.person,
        flash: form_state.flash,
        problem: form_state.problem,
        may_erase: staff.may(Permission::Operate),
        disposition: tr.pair(timeline.found.case.disposition.labels()),
        language: timeline.found.case.language.autonym(),
        lines: timeline.events.iter().map(|event| line(tr, &colleagues, event)).collect(),
        next: timeline.next.as_ref().map(|(step, at)| format!("{step}: {}", format_time(*at))),
        reveals,
        timeline: &timeline,
    };
    let status =
        if template.problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(render_page(status, &template))
}

pub async fn timeline(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(case): Path<i64>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let tr = staff.tr;
    let flash = query.get("noted").map(|_| {
        tr.t("已删除，此号码不再联系。", "It is deleted, and the number is contacted no more.")
    });
    render(&app, &staff, CaseId(case), FormState { flash, ..FormState::default() }).await
}

/// Reveals the person of a case once: the page is the response to the form, and no URL leads to it.
pub async fn reveal(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(case): Path<i64>,
) -> Result<Response, Failure> {
    let person = timeline::reveal_person(&app.context, CaseId(case)).await?;
    render(&app, &staff, CaseId(case), FormState { person, ..FormState::default() }).await
}

/// Exports all data about the person of a case, for that person (Personal Information Protection
/// Law, article 45).
pub async fn export(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(case): Path<i64>,
) -> Result<Response, Failure> {
    let (_, phone) =
        timeline::reveal_person(&app.context, CaseId(case)).await?.ok_or(Failure::NotFound)?;
    let held = person::export(&app.context, &phone.stored(), &staff.session.actor())
        .await
        .map_err(|e| Failure::Internal(e.to_string()))?;
    if form.text("as") == "document" {
        let document = PersonDocument {
            layout: PageLayout::for_staff(&staff),
            held: person_document::sections(staff.tr, &held),
            made: format_time(app.context.clock.now()),
        };
        return Ok(render_page(StatusCode::OK, &document));
    }
    let body = serde_json::to_string_pretty(&held).map_err(|e| Failure::Internal(e.to_string()))?;
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"case-{case}.json\"")),
    ];
    Ok((headers, body).into_response())
}

/// Erases the person of a case from every list, at that person's request (article 47).
pub async fn erase(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(case): Path<i64>,
) -> Result<Response, Failure> {
    let tr = staff.tr;
    let refused =
        |problem: &str| FormState { problem: Some(problem.to_owned()), ..FormState::default() };
    if form.text("sure").trim() != case.to_string() {
        let form_state =
            refused(tr.t("请输入个案编号以确认删除。", "To delete it, type the case's number."));
        return render(&app, &staff, CaseId(case), form_state).await;
    }
    let Some((_, phone)) = timeline::reveal_person(&app.context, CaseId(case)).await? else {
        let form_state = refused(tr.t("此人的信息已清除。", "Personal data deleted already."));
        return render(&app, &staff, CaseId(case), form_state).await;
    };
    let order =
        ErasureOrder { actor: &staff.session.account.name, reason: form.text("reason").trim() };
    match person::erase(&app.context, &phone.stored(), order).await {
        Ok(erased) if erased.held.is_empty() && erased.unreadable.is_empty() => {
            Ok(Redirect::to(&format!("/cases/{case}?noted=erased")).into_response())
        }
        Ok(erased) if erased.held.is_empty() => {
            let unreadable = erased.unreadable.join(", ");
            let says = tr.t(
                "已清除；但以下单位的密钥不在密钥环中，此号码仍是其名单上他人的其他号码：",
                "Deleted. The key of these applicants is not in the key ring: on their lists the number \
                    is still a further number of somebody else:",
            );
            render(&app, &staff, CaseId(case), refused(&format!("{says} {unreadable}"))).await
        }
        Ok(erased) => {
            let held = erased.held.join(", ");
            let says = tr.t(
                "以下单位处于法律保全，其信息保留；号码不再联系：",
                "Under a legal hold, and kept there; the number is contacted no more:",
            );
            render(&app, &staff, CaseId(case), refused(&format!("{says} {held}"))).await
        }
        Err(ErasureError::NoReason) => {
            let says = tr.t(
                "请写明原因（勿写姓名和号码），它会留在证明中。",
                "Say why (no name, no number); it stands in the certificate.",
            );
            render(&app, &staff, CaseId(case), refused(says)).await
        }
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}
