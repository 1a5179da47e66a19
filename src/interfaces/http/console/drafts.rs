//! Campaigns before their launch: the plan's editor with calendar, parts and cost; test messages;
//! the rehearsal; and the launch by one or two people.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use chrono::Datelike;

use super::super::Failure;
use super::super::auth::{FormFields, Staff};
use super::super::page_layout::{PageLayout, Translator, render_page};
use super::super::state::AppState;
use super::chart::{Curve, curve};
use super::conflict::{Conflict, expected_version};
use crate::adapters::database::applications::{self, ApplicationState};
use crate::adapters::database::drafts::CampaignDraft;
use crate::interfaces::errors::LocalizedError;
use crate::services::campaigns::LaunchError;
use crate::services::drafts::campaigns::{
    self as drafts, CalendarDay, CampaignDraftError, DraftCheck, EnteredDraft, draft_version,
};
use crate::services::drafts::plan_form::{
    DAYS, PlanForm, SPREADS, STEP_AUDIENCES, StepAudience, StepForm,
};
use crate::services::drafts::trial_link;
use crate::services::sms_sending::one_off::OneOffResult;
use crate::services::versions::ExpectedVersion;

#[derive(Template)]
#[template(path = "console/new-campaign.html")]
struct NewPage<'a> {
    layout: PageLayout<'a>,
    problem: Option<String>,
    code: String,
    /// Code, applicant, and whether it is selected.
    applications: Vec<(String, String, bool)>,
    gateways: Vec<String>,
}

async fn render_new(
    app: &AppState,
    staff: &Staff,
    status: StatusCode,
    problem: Option<String>,
    code: String,
    chosen: &[String],
) -> Result<Response, Failure> {
    let all = applications::all(&mut *app.context.database.read().await?).await?;
    let open = all.into_iter().filter(|application| {
        application.state == ApplicationState::Registered && application.list_received_at.is_some()
    });
    let template = NewPage {
        layout: PageLayout::for_staff(staff),
        problem,
        code,
        applications: open
            .map(|a| {
                (
                    a.code.clone(),
                    format!("{} · {}", a.applicant_name, a.subject.title()),
                    chosen.contains(&a.code),
                )
            })
            .collect(),
        gateways: gateways(app),
    };
    Ok(render_page(status, &template))
}

fn gateways(app: &AppState) -> Vec<String> {
    app.context.config.routes.keys().chain(app.context.config.gateways.keys()).cloned().collect()
}

pub async fn new(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let chosen: Vec<String> = query.get("application").cloned().into_iter().collect();
    let code = chosen
        .first()
        .map(|code| format!("{code}-{}", app.context.clock.now().date(super::ZONE).year()))
        .unwrap_or_default();
    render_new(&app, &staff, StatusCode::OK, None, code, &chosen).await
}

/// Creates a draft with the standard plan.
pub async fn create(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
) -> Result<Response, Failure> {
    let chosen: Vec<String> = form
        .0
        .keys()
        .filter_map(|name| name.strip_prefix("application-"))
        .map(str::to_owned)
        .collect();
    let code = form.text("code").trim().to_owned();
    let actor = &staff.session.account.name;
    if chosen.is_empty() {
        let problem =
            staff.tr.t("请至少选择一个申报。", "Choose one application at least.").to_owned();
        return render_new(
            &app,
            &staff,
            StatusCode::UNPROCESSABLE_ENTITY,
            Some(problem),
            code,
            &chosen,
        )
        .await;
    }
    let entered = EnteredDraft {
        code: &code,
        applications: &chosen.join(","),
        plan: &PlanForm::standard_in(staff.tr.0).to_json(),
        gateway: form.text("gateway"),
        budget: None,
    };
    match drafts::save(&app.context, actor, &entered, &ExpectedVersion::Absent).await {
        Ok(_) => Ok(Redirect::to(&format!("/drafts/{code}")).into_response()),
        Err(CampaignDraftError::Launch(
            error @ (LaunchError::InvalidCode(_) | LaunchError::CodeTaken(_)),
        )) => {
            render_new(
                &app,
                &staff,
                StatusCode::UNPROCESSABLE_ENTITY,
                Some(error.localized(staff.tr.0)),
                code,
                &chosen,
            )
            .await
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
    handed_to_interviewers: String,
    curve: Option<Curve>,
}

#[derive(Template)]
#[template(path = "console/draft.html")]
struct DraftPage<'a> {
    layout: PageLayout<'a>,
    flash: Option<&'static str>,
    problem: Option<String>,
    draft: &'a CampaignDraft,
    /// Of the draft as it is stored: the form is saved over it.
    version: String,
    /// What somebody else has saved meanwhile.
    conflict: Option<Conflict>,
    gateway: String,
    budget: String,
    plan: PlanForm,
    gateways: Vec<String>,
    day_names: [&'static str; 8],
    /// Result of the launch check. `None` if it failed; `problem` then has the reason.
    checked: Option<&'a DraftCheck>,
    rehearsals: Vec<RehearsalView>,
    trial_link: String,
    needs_two: bool,
    is_asked_by_self: bool,
}

impl DraftPage<'_> {
    fn has_audience(&self, step: &StepForm, audience: &StepAudience) -> bool {
        step.audience().is_some_and(|own| own.code == audience.code)
    }

    /// Whether the plan's spread is one that can be chosen.
    fn is_known_spread(&self) -> bool {
        SPREADS.iter().any(|(code, _)| *code == self.plan.spread)
    }

    fn day_key(&self, at: &usize) -> &'static str {
        DAYS.get(*at).copied().unwrap_or_default()
    }

    fn short_time(&self, at: &str) -> String {
        at.get(..16).unwrap_or(at).replace('T', " ")
    }

    fn day_label(&self, day: &CalendarDay) -> String {
        if day.day.day() == 1 {
            day.day.format("%m-%d").to_string()
        } else {
            day.day.day().to_string()
        }
    }
}

fn flash_text(tr: Translator, what: &str) -> Option<&'static str> {
    Some(match what {
        "saved" => tr.t("已保存。", "It is kept."),
        "tested" => tr.t("测试短信已发出。", "The test message is sent."),
        "asked" => tr.t(
            "已申请启动，等待另一人同意。",
            "You have requested the launch; somebody else has to approve it.",
        ),
        _ => return None,
    })
}

/// The form as somebody has typed it.
struct TypedDraft {
    plan: PlanForm,
    gateway: String,
    budget: String,
}

impl TypedDraft {
    fn of_stored(draft: &CampaignDraft) -> TypedDraft {
        let budget = draft.budget_micros.map(|micros| format!("{:.2}", micros as f64 / 1e6));
        TypedDraft {
            plan: PlanForm::from_plan(&serde_json::from_str(&draft.plan).unwrap_or_default()),
            gateway: draft.gateway.clone(),
            budget: budget.unwrap_or_default(),
        }
    }

    fn of_form(form: &FormFields) -> TypedDraft {
        TypedDraft {
            plan: PlanForm::from_fields(&form.0),
            gateway: form.text("gateway").to_owned(),
            budget: form.text("budget").trim().to_owned(),
        }
    }

    /// Every field with its name on the page.
    fn labelled(&self, tr: Translator) -> Vec<(String, String)> {
        let mut all = vec![
            (tr.t("网关", "Gateway").to_owned(), self.gateway.clone()),
            (tr.t("预算", "Budget").to_owned(), self.budget.clone()),
        ];
        all.extend(self.plan.labelled(tr.0));
        all
    }
}

async fn render(
    app: &AppState,
    staff: &Staff,
    code: &str,
    status: StatusCode,
    flash: Option<&'static str>,
    problem: Option<String>,
) -> Result<Response, Failure> {
    render_typed(app, staff, code, (status, flash, problem), None).await
}

/// `typed`: what somebody typed over a version that is not the stored one any more; both are shown.
async fn render_typed(
    app: &AppState,
    staff: &Staff,
    code: &str,
    (status, flash, problem): (StatusCode, Option<&'static str>, Option<String>),
    typed: Option<TypedDraft>,
) -> Result<Response, Failure> {
    let draft = match drafts::find(&app.context, code).await {
        Ok(draft) => draft,
        Err(CampaignDraftError::NotFound) => return Err(Failure::NotFound),
        Err(error) => return Err(Failure::Internal(error.to_string())),
    };
    let tr = staff.tr;
    let (checked, launch_problem) = match drafts::check(&app.context, &draft).await {
        Ok(checked) => (Some(checked), None),
        Err(CampaignDraftError::Launch(LaunchError::Database(error))) => return Err(error.into()),
        Err(CampaignDraftError::Launch(error)) => (None, Some(error.localized(tr.0))),
        Err(error) => return Err(Failure::Internal(error.to_string())),
    };
    let band = |low: u32, median: u32, high: u32| format!("{median} ({low}–{high})");
    let rehearsal = |r: &crate::services::forecasting::RehearsalForecast| {
        let days: Vec<_> = r
            .days
            .iter()
            .map(|day| (day.day, (day.completes.low, day.completes.median, day.completes.high)))
            .collect();
        RehearsalView {
            code: r.application.clone(),
            people: r.people,
            target: r.target,
            chance: format!("{:.0} %", r.chance * 100.0),
            completes: band(r.completes.low, r.completes.median, r.completes.high),
            messages: band(r.messages.low, r.messages.median, r.messages.high),
            handed_to_interviewers: band(
                r.handed_to_interviewers.low,
                r.handed_to_interviewers.median,
                r.handed_to_interviewers.high,
            ),
            curve: curve(&[(r.launched, 0)], &days, r.target),
        }
    };
    let mut connection = app.context.database.read().await?;
    let first = draft.applications.split(',').next().unwrap_or_default();
    let category =
        applications::find(&mut connection, first).await?.map(|application| application.category);
    drop(connection);
    let stored = TypedDraft::of_stored(&draft);
    let (typed, conflict) = match typed {
        Some(typed) => {
            let conflict = Conflict::between(&typed.labelled(tr), &stored.labelled(tr));
            (typed, Some(conflict))
        }
        None => (stored, None),
    };
    let template = DraftPage {
        layout: PageLayout::for_staff(staff),
        flash,
        problem: problem.or(launch_problem),
        version: draft_version(&draft),
        conflict,
        gateway: typed.gateway,
        budget: typed.budget,
        plan: typed.plan,
        gateways: gateways(app),
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
        .map(|words| tr.pair(words)),
        rehearsals: checked.iter().flat_map(|checked| &checked.rehearsals).map(rehearsal).collect(),
        checked: checked.as_ref(),
        trial_link: category
            .map(|category| trial_link(&app.context, category.as_str()))
            .unwrap_or_default(),
        needs_two: app.context.config.console.four_eyes,
        is_asked_by_self: draft.launch_requested_by.as_deref()
            == Some(staff.session.account.name.as_str()),
        draft: &draft,
    };
    Ok(render_page(status, &template))
}

pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(code): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let flash = query.get("noted").and_then(|what| flash_text(staff.tr, what));
    render(&app, &staff, &code, StatusCode::OK, flash, None).await
}

pub async fn draft_of(app: &AppState, code: &str) -> Result<CampaignDraft, Failure> {
    match drafts::find(&app.context, code).await {
        Ok(draft) => Ok(draft),
        Err(CampaignDraftError::NotFound) => Err(Failure::NotFound),
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

/// Saves the form even if it is invalid; the page shows what is wrong.
pub async fn save(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(code): Path<String>,
) -> Result<Response, Failure> {
    let draft = draft_of(&app, &code).await?;
    let expected = expected_version(&form);
    let budget = form
        .text("budget")
        .trim()
        .parse::<f64>()
        .ok()
        .filter(|budget| budget.is_finite() && *budget >= 0.0);
    let plan = PlanForm::from_fields(&form.0)
        .to_json_keeping_unknown(&serde_json::from_str(&draft.plan).unwrap_or_default());
    let entered = EnteredDraft {
        code: &code,
        applications: &draft.applications,
        plan: &plan,
        gateway: form.text("gateway"),
        budget,
    };
    match drafts::save(&app.context, &draft.created_by, &entered, &expected).await {
        Err(CampaignDraftError::Version(_)) => {
            let typed = Some(TypedDraft::of_form(&form));
            render_typed(&app, &staff, &code, (StatusCode::CONFLICT, None, None), typed).await
        }
        Ok(_) => Ok(Redirect::to(&format!("/drafts/{code}?noted=saved")).into_response()),
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

/// Sends a message of the plan to a staff member.
pub async fn send_test(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(code): Path<String>,
) -> Result<Response, Failure> {
    let draft = draft_of(&app, &code).await?;
    let step = form.text("step").parse().unwrap_or(0);
    let actor = staff.session.actor();
    let sent = drafts::send_test(&app.context, &actor, &draft, step, form.text("number")).await;
    let problem = match sent {
        Ok(OneOffResult::Accepted) => {
            return Ok(Redirect::to(&format!("/drafts/{code}?noted=tested")).into_response());
        }
        Ok(OneOffResult::DoNotRetry(problem) | OneOffResult::RetryLater(problem)) => problem,
        Err(CampaignDraftError::Database(error)) => return Err(error.into()),
        Err(error) => error.localized(staff.tr.0),
    };
    render(&app, &staff, &code, StatusCode::UNPROCESSABLE_ENTITY, None, Some(problem)).await
}

/// Requests the launch, which a second person must approve.
pub async fn ask(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(code): Path<String>,
) -> Result<Response, Failure> {
    let draft = draft_of(&app, &code).await?;
    match drafts::request_launch(&app.context, &draft, &staff.session.account.name).await {
        Ok(()) => Ok(Redirect::to(&format!("/drafts/{code}?noted=asked")).into_response()),
        Err(CampaignDraftError::Database(error)) => Err(error.into()),
        Err(error) => {
            render(
                &app,
                &staff,
                &code,
                StatusCode::CONFLICT,
                None,
                Some(error.localized(staff.tr.0)),
            )
            .await
        }
    }
}

/// Launches the draft if it is the version that the page showed. If it was changed meanwhile, the
/// page is shown again.
pub async fn launch(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(code): Path<String>,
) -> Result<Response, Failure> {
    let draft = draft_of(&app, &code).await?;
    let launched = if form.text("seen") == draft.changed_at.0.to_string() {
        drafts::launch(&app.context, &draft, &staff.session.account.name).await
    } else {
        Err(CampaignDraftError::Changed)
    };
    let problem = match launched {
        Ok(_) => {
            return Ok(Redirect::to(&format!("/campaigns/{code}?noted=launched")).into_response());
        }
        Err(
            CampaignDraftError::Database(error)
            | CampaignDraftError::Launch(LaunchError::Database(error)),
        ) => return Err(error.into()),
        Err(error) => error.localized(staff.tr.0),
    };
    render(&app, &staff, &code, StatusCode::CONFLICT, None, Some(problem)).await
}

pub async fn discard(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(code): Path<String>,
) -> Result<Response, Failure> {
    match drafts::discard_draft(&app.context, &code, &expected_version(&form)).await {
        Ok(()) | Err(CampaignDraftError::NotFound) => {
            Ok(Redirect::to("/setup?noted=dropped").into_response())
        }
        Err(CampaignDraftError::Version(conflict)) => {
            let problem = Some(conflict.localized(staff.tr.0));
            render(&app, &staff, &code, StatusCode::CONFLICT, None, problem).await
        }
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}
