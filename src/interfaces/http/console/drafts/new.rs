//! A new campaign: which applications it is for. It begins as a draft with the standard plan, one of
//! the library, or a copy of another campaign's.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use chrono::Datelike;

use super::super::super::Failure;
use super::super::super::auth::{FormFields, Staff};
use super::super::super::page_layout::{PageLayout, render_page};
use super::super::super::state::AppState;
use super::super::ZONE;
use super::page::gateways;
use crate::adapters::database::applications::{self, ApplicationState};
use crate::interfaces::errors::LocalizedError;
use crate::services::campaigns::LaunchError;
use crate::services::drafts::campaigns::{self as drafts, CampaignDraftError, EnteredDraft};
use crate::services::drafts::library::{self, CopiedPlan, EntryKind, LibraryError, PlanSource};
use crate::services::versions::ExpectedVersion;

#[derive(Template)]
#[template(path = "console/new-campaign.html")]
struct NewPage<'a> {
    layout: PageLayout<'a>,
    problem: Option<String>,
    code: String,
    /// Code, applicant, and whether it is selected.
    applications: Vec<(String, String, bool)>,
    /// Name, and whether it is selected.
    gateways: Vec<(String, bool)>,
    /// Where the plan comes from: value, name, and whether it is selected.
    sources: Vec<(String, String, bool)>,
    /// The campaign or draft that is copied.
    copied: Option<String>,
}

/// The form, empty or as it was sent.
struct NewForm {
    code: String,
    chosen: Vec<String>,
    from: String,
    gateway: String,
}

async fn render_new(
    app: &AppState,
    staff: &Staff,
    status: StatusCode,
    problem: Option<String>,
    form: NewForm,
) -> Result<Response, Failure> {
    let NewForm { code, chosen, from, gateway } = form;
    let all = applications::all(&mut *app.context.database.read().await?).await?;
    let tr = staff.tr;
    let of_library = library::list(&app.context).await.map_err(internal)?;
    let plans = of_library
        .into_iter()
        .filter(|entry| entry.kind == EntryKind::Plan.as_str() && entry.deleted_at.is_none())
        .map(|entry| {
            (
                format!("library:{}", entry.id),
                format!("{} {}", tr.t("文库：", "Library:"), entry.name),
            )
        });
    let copied = match PlanSource::parse(&from) {
        Some(PlanSource::Campaign(code)) => {
            Some((code.clone(), format!("{} {code}", tr.t("同活动", "As campaign"))))
        }
        Some(PlanSource::Draft(code)) => {
            Some((code.clone(), format!("{} {code}", tr.t("同草稿", "As draft"))))
        }
        _ => None,
    };
    let standard = ("standard".to_owned(), tr.t("标准计划", "The standard plan").to_owned());
    let of_copy = copied.iter().map(|(_, label)| (from.clone(), label.clone()));
    let sources = std::iter::once(standard)
        .chain(of_copy)
        .chain(plans)
        .map(|(value, label)| {
            let is_selected = value == from;
            (value, label, is_selected)
        })
        .collect();
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
        gateways: gateways(app)
            .into_iter()
            .map(|name| {
                let is_selected = name == gateway;
                (name, is_selected)
            })
            .collect(),
        sources,
        copied: copied.map(|(code, _)| code),
    };
    Ok(render_page(status, &template))
}

fn internal(error: LibraryError) -> Failure {
    Failure::Internal(error.to_string())
}

/// Takes the plan that a form names; one that is gone is told.
async fn plan_from(app: &AppState, staff: &Staff, from: &str) -> Result<CopiedPlan, LibraryError> {
    let source = PlanSource::parse(from).ok_or(LibraryError::NotFound)?;
    library::copy_plan(&app.context, &source, staff.tr.0).await
}

pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let chosen: Vec<String> = query.get("application").cloned().into_iter().collect();
    let code = chosen
        .first()
        .map(|code| format!("{code}-{}", app.context.clock.now().date(ZONE).year()))
        .unwrap_or_default();
    let from = query.get("from").cloned().unwrap_or_default();
    let (status, problem, gateway) = match plan_from(&app, &staff, &from).await {
        Ok(copied) => (StatusCode::OK, None, copied.gateway.unwrap_or_default()),
        Err(LibraryError::Database(error)) => return Err(error.into()),
        Err(error) => (StatusCode::NOT_FOUND, Some(error.localized(staff.tr.0)), String::new()),
    };
    let form = NewForm { code, chosen, from, gateway };
    render_new(&app, &staff, status, problem, form).await
}

/// Creates a draft with the standard plan, one of the library, or that of another campaign.
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
    let again = NewForm {
        code: code.clone(),
        chosen: chosen.clone(),
        from: form.text("from").to_owned(),
        gateway: form.text("gateway").to_owned(),
    };
    let refused = async |problem: String| {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        render_new(&app, &staff, status, Some(problem), again).await
    };
    if chosen.is_empty() {
        let problem = staff.tr.t("请至少选择一个申报。", "Choose one application at least.");
        return refused(problem.to_owned()).await;
    }
    let copied = match plan_from(&app, &staff, form.text("from")).await {
        Ok(copied) => copied,
        Err(LibraryError::Database(error)) => return Err(error.into()),
        Err(error) => return refused(error.localized(staff.tr.0)).await,
    };
    let entered = EnteredDraft {
        code: &code,
        applications: &chosen.join(","),
        plan: &copied.plan,
        gateway: form.text("gateway"),
        budget: copied.budget,
    };
    match drafts::save(&app.context, actor, &entered, &ExpectedVersion::Absent).await {
        Ok(_) => Ok(Redirect::to(&format!("/drafts/{code}")).into_response()),
        Err(CampaignDraftError::Launch(
            error @ (LaunchError::InvalidCode(_) | LaunchError::CodeTaken(_)),
        )) => refused(error.localized(staff.tr.0)).await,
        Err(CampaignDraftError::Version(error)) => refused(error.localized(staff.tr.0)).await,
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}
