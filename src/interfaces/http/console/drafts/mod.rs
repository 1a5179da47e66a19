//! Campaigns before their launch: [`new`] begins one, and [`page`] is the plan's editor with
//! calendar, parts and cost. This file has its forms, the test message and the launch by one or two
//! people, which [`launch`] confirms.

pub mod launch;
pub mod new;
pub mod page;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::super::Failure;
use super::super::auth::{FormFields, Staff};
use super::super::page_layout::render_page;
use super::super::state::AppState;
use super::conflict::expected_version;
use crate::adapters::database::drafts::CampaignDraft;
use crate::interfaces::errors::LocalizedError;
use crate::services::campaigns::LaunchError;
use crate::services::drafts::campaigns::{self as drafts, CampaignDraftError, EnteredDraft};
use crate::services::drafts::plan_form::PlanForm;
use crate::services::sms_sending::one_off::OneOffResult;
use page::{PreviewsPage, TypedDraft, bubbles, flash_text, render, render_typed};

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

/// Shows the messages that are being typed; nothing is kept.
pub async fn preview(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(code): Path<String>,
) -> Result<Response, Failure> {
    let draft = draft_of(&app, &code).await?;
    let longest = form.text("longest-name").parse().unwrap_or_default();
    let typed = TypedDraft::of_form(&form);
    let bubbles = bubbles(&app, staff.tr, &draft, &typed, longest).await?;
    Ok(render_page(StatusCode::OK, &PreviewsPage { tr: staff.tr, bubbles }))
}

/// Takes the last change of the plan back.
pub async fn undo(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(code): Path<String>,
) -> Result<Response, Failure> {
    match drafts::undo(&app.context, &code, &expected_version(&form)).await {
        Ok(()) => Ok(Redirect::to(&format!("/drafts/{code}?noted=undone")).into_response()),
        Err(CampaignDraftError::NotFound) => Err(Failure::NotFound),
        Err(CampaignDraftError::Version(conflict)) => {
            let problem = Some(conflict.localized(staff.tr.0));
            render(&app, &staff, &code, StatusCode::CONFLICT, None, problem).await
        }
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
        Ok(OneOffResult::DoNotRetry(problem) | OneOffResult::RetryLater(problem)) => {
            let (zh, en) = problem.labels();
            staff.tr.t(&zh, &en).to_owned()
        }
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
