//! A new campaign: which applications it is for. It begins as a draft with the standard plan.

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
use crate::domain::contact_plan::HolidaysFile;
use crate::interfaces::errors::LocalizedError;
use crate::services::campaigns::LaunchError;
use crate::services::drafts::campaigns::{self as drafts, CampaignDraftError, EnteredDraft};
use crate::services::drafts::plan_form::PlanForm;
use crate::services::holidays;
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
    let holidays = HolidaysFile::from(&holidays::calendar(&app.context).await?);
    let plan = PlanForm::standard_in(staff.tr.0)
        .to_json_keeping_unknown(&serde_json::json!({ "calendar": holidays }));
    let entered = EnteredDraft {
        code: &code,
        applications: &chosen.join(","),
        plan: &plan,
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
