//! A campaign before its launch: the plan's editor with a calendar, parts and cost; a test to oneself; the rehearsal; and one or two who launch it.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use chrono::Datelike;

use super::super::page_layout::{Frame, Say, page};
use super::super::auth::{Sent, Staff};
use super::super::Failure;
use super::super::state::Site;
use super::chart::{Curve, curve};
use super::refusals::Refusal;
use crate::services::campaigns::LaunchError;
use crate::services::sms_sending::one_off::Sent as TestSent;
use crate::services::drafts::campaigns::{self as setup, Checked, Day, DraftError};
use crate::services::drafts::plan_form::{DAYS, PlanForm};
use crate::services::drafts::try_link;
use crate::adapters::database::applications::{self, ApplicationState};
use crate::adapters::database::drafts::CampaignDraft;

#[derive(Template)]
#[template(path = "console/new-campaign.html")]
struct NewPage<'a> {
    f: Frame<'a>,
    problem: Option<String>,
    code: String,
    /// Codes, applicants, and whether it is chosen.
    applications: Vec<(String, String, bool)>,
    gateways: Vec<String>,
}

async fn render_new(
    site: &Site,
    staff: &Staff,
    status: StatusCode,
    problem: Option<String>,
    code: String,
    chosen: &[String],
) -> Result<Response, Failure> {
    let all = applications::all(&mut *site.installation.store.read().await?).await?;
    let open = all.into_iter().filter(|application| application.state == ApplicationState::Registered && application.list_received_at.is_some());
    let shown = NewPage {
        f: Frame::of(staff),
        problem,
        code,
        applications: open.map(|a| (a.code.clone(), format!("{} · {}", a.applicant_name, a.subject.title()), chosen.contains(&a.code))).collect(),
        gateways: gateways(site),
    };
    Ok(page(status, &shown))
}

fn gateways(site: &Site) -> Vec<String> {
    site.installation.config.routes.keys().chain(site.installation.config.gateways.keys()).cloned().collect()
}

pub async fn new(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let chosen: Vec<String> = query.get("application").cloned().into_iter().collect();
    let code = chosen.first().map(|code| format!("{code}-{}", site.installation.clock.now().date(super::ZONE).year())).unwrap_or_default();
    render_new(&site, &staff, StatusCode::OK, None, code, &chosen).await
}

/// Draws a campaign up, with the standard plan.
pub async fn create(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Extension(sent): Extension<Sent>,
) -> Result<Response, Failure> {
    let chosen: Vec<String> = sent.0.keys().filter_map(|name| name.strip_prefix("application-")).map(str::to_owned).collect();
    let code = sent.text("code").trim().to_owned();
    let who = &staff.session.account.name;
    if chosen.is_empty() {
        let problem = staff.say.t("请至少选择一个申报。", "Choose one application at least.").to_owned();
        return render_new(&site, &staff, StatusCode::UNPROCESSABLE_ENTITY, Some(problem), code, &chosen).await;
    }
    match setup::save(&site.installation, who, &code, &chosen.join(","), &PlanForm::standard().to_json(), sent.text("gateway"), None).await {
        Ok(()) => Ok(Redirect::to(&format!("/drafts/{code}")).into_response()),
        Err(DraftError::Launch(error @ (LaunchError::Code(_) | LaunchError::Exists(_)))) => {
            render_new(&site, &staff, StatusCode::UNPROCESSABLE_ENTITY, Some(error.words(staff.say)), code, &chosen).await
        }
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

struct RehearsalView {
    code: String,
    people: u32,
    target: u32,
    chance: String,
    completes: String,
    messages: String,
    handed_over: String,
    curve: Option<Curve>,
}

#[derive(Template)]
#[template(path = "console/draft.html")]
struct DraftPage<'a> {
    f: Frame<'a>,
    noted: Option<&'static str>,
    problem: Option<String>,
    draft: &'a CampaignDraft,
    budget: String,
    plan: PlanForm,
    gateways: Vec<String>,
    day_names: [&'static str; 8],
    /// What the launch would do; `None`: something stands against it, which is the problem.
    checked: Option<&'a Checked>,
    rehearsals: Vec<RehearsalView>,
    try_link: String,
    needs_two: bool,
    is_asked_by_self: bool,
}

impl DraftPage<'_> {
    fn day_key(&self, at: &usize) -> &'static str {
        DAYS.get(*at).copied().unwrap_or_default()
    }

    fn short(&self, at: &str) -> String {
        at.get(..16).unwrap_or(at).replace('T', " ")
    }

    fn of_month(&self, day: &Day) -> String {
        if day.day.day() == 1 { day.day.format("%m-%d").to_string() } else { day.day.day().to_string() }
    }
}

fn noted(s: Say, what: &str) -> Option<&'static str> {
    Some(match what {
        "saved" => s.t("已保存。", "It is kept."),
        "tested" => s.t("测试短信已发出。", "The test message is sent."),
        "asked" => s.t("已申请启动，等待另一人同意。", "You have asked for the launch; somebody else has to agree."),
        _ => return None,
    })
}

async fn render(
    site: &Site,
    staff: &Staff,
    code: &str,
    status: StatusCode,
    noted: Option<&'static str>,
    problem: Option<String>,
) -> Result<Response, Failure> {
    let draft = match setup::find(&site.installation, code).await {
        Ok(draft) => draft,
        Err(DraftError::Gone) => return Err(Failure::NotFound),
        Err(error) => return Err(Failure::Internal(error.to_string())),
    };
    let s = staff.say;
    let (checked, against) = match setup::check(&site.installation, &draft).await {
        Ok(checked) => (Some(checked), None),
        Err(DraftError::Launch(LaunchError::Store(error))) => return Err(error.into()),
        Err(DraftError::Launch(error)) => (None, Some(error.words(s))),
        Err(error) => return Err(Failure::Internal(error.to_string())),
    };
    let band = |low: u32, median: u32, high: u32| format!("{median} ({low}–{high})");
    let rehearsal = |r: &crate::services::forecasting::RehearsalOf| {
        let days: Vec<_> = r.days.iter().map(|day| (day.day, (day.completes.low, day.completes.median, day.completes.high))).collect();
        RehearsalView {
            code: r.application.clone(),
            people: r.people,
            target: r.target,
            chance: format!("{:.0} %", r.chance * 100.0),
            completes: band(r.completes.low, r.completes.median, r.completes.high),
            messages: band(r.messages.low, r.messages.median, r.messages.high),
            handed_over: band(r.handed_over.low, r.handed_over.median, r.handed_over.high),
            curve: curve(&[(r.launched, 0)], &days, r.target),
        }
    };
    let mut connection = site.installation.store.read().await?;
    let first = draft.applications.split(',').next().unwrap_or_default();
    let category = applications::find(&mut connection, first).await?.map(|application| application.category);
    drop(connection);
    let shown = DraftPage {
        f: Frame::of(staff),
        noted,
        problem: problem.or(against),
        budget: draft.budget_micros.map(|micros| format!("{:.2}", micros as f64 / 1e6)).unwrap_or_default(),
        plan: PlanForm::of(&serde_json::from_str(&draft.plan).unwrap_or_default()),
        gateways: gateways(site),
        day_names: [
            ("周一", "Monday"),
            ("周二", "Tuesday"),
            ("周三", "Wednesday"),
            ("周四", "Thursday"),
            ("周五", "Friday"),
            ("周六", "Saturday"),
            ("周日", "Sunday"),
            ("节假日", "Holidays"),
        ]
        .map(|words| s.of(words)),
        rehearsals: checked.iter().flat_map(|checked| &checked.rehearsals).map(rehearsal).collect(),
        checked: checked.as_ref(),
        try_link: category.map(|category| try_link(&site.installation, category.as_str())).unwrap_or_default(),
        needs_two: site.installation.config.console.four_eyes,
        is_asked_by_self: draft.asked_by.as_deref() == Some(staff.session.account.name.as_str()),
        draft: &draft,
    };
    Ok(page(status, &shown))
}

pub async fn show(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Path(code): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let noted = query.get("noted").and_then(|what| noted(staff.say, what));
    render(&site, &staff, &code, StatusCode::OK, noted, None).await
}

async fn draft_of(site: &Site, code: &str) -> Result<CampaignDraft, Failure> {
    match setup::find(&site.installation, code).await {
        Ok(draft) => Ok(draft),
        Err(DraftError::Gone) => Err(Failure::NotFound),
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

/// Keeps what somebody has filled in, right or not: what is wrong is said beside it.
pub async fn save(
    State(site): State<Arc<Site>>,
    Extension(_): Extension<Staff>,
    Extension(sent): Extension<Sent>,
    Path(code): Path<String>,
) -> Result<Response, Failure> {
    let draft = draft_of(&site, &code).await?;
    let budget = sent.text("budget").trim().parse::<f64>().ok().filter(|budget| budget.is_finite() && *budget >= 0.0);
    let plan = PlanForm::sent(&sent.0).to_json_over(&serde_json::from_str(&draft.plan).unwrap_or_default());
    let saved = setup::save(&site.installation, &draft.made_by, &code, &draft.applications, &plan, sent.text("gateway"), budget).await;
    match saved {
        Ok(()) => Ok(Redirect::to(&format!("/drafts/{code}?noted=saved")).into_response()),
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

/// Sends a message of the plan to somebody of the staff.
pub async fn send_test(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Extension(sent): Extension<Sent>,
    Path(code): Path<String>,
) -> Result<Response, Failure> {
    let draft = draft_of(&site, &code).await?;
    let step = sent.text("step").parse().unwrap_or(0);
    let problem = match setup::send_test(&site.installation, &draft, step, sent.text("number")).await {
        Ok(TestSent::Accepted) => return Ok(Redirect::to(&format!("/drafts/{code}?noted=tested")).into_response()),
        Ok(TestSent::Never(problem) | TestSent::NotNow(problem)) => problem,
        Err(DraftError::Store(error)) => return Err(error.into()),
        Err(error) => error.words(staff.say),
    };
    render(&site, &staff, &code, StatusCode::UNPROCESSABLE_ENTITY, None, Some(problem)).await
}

/// Asks for the launch, which somebody else has to agree to.
pub async fn ask(State(site): State<Arc<Site>>, Extension(staff): Extension<Staff>, Path(code): Path<String>) -> Result<Response, Failure> {
    let draft = draft_of(&site, &code).await?;
    match setup::ask(&site.installation, &draft, &staff.session.account.name).await {
        Ok(()) => Ok(Redirect::to(&format!("/drafts/{code}?noted=asked")).into_response()),
        Err(DraftError::Store(error)) => Err(error.into()),
        Err(error) => render(&site, &staff, &code, StatusCode::CONFLICT, None, Some(error.words(staff.say))).await,
    }
}

/// Launches what the page showed: one that was changed meanwhile is looked at again first.
pub async fn launch(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Extension(sent): Extension<Sent>,
    Path(code): Path<String>,
) -> Result<Response, Failure> {
    let draft = draft_of(&site, &code).await?;
    let launched = if sent.text("seen") == draft.changed_at.0.to_string() {
        setup::launch(&site.installation, &draft, &staff.session.account.name).await
    } else {
        Err(DraftError::Changed)
    };
    let problem = match launched {
        Ok(_) => return Ok(Redirect::to(&format!("/campaigns/{code}?noted=launched")).into_response()),
        Err(DraftError::Store(error) | DraftError::Launch(LaunchError::Store(error))) => return Err(error.into()),
        Err(error) => error.words(staff.say),
    };
    render(&site, &staff, &code, StatusCode::CONFLICT, None, Some(problem)).await
}

pub async fn discard(State(site): State<Arc<Site>>, Path(code): Path<String>) -> Result<Redirect, Failure> {
    setup::throw_away(&site.installation, &code).await.map_err(|error| Failure::Internal(error.to_string()))?;
    Ok(Redirect::to("/setup?noted=dropped"))
}
