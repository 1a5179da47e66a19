//! Review of open answers before a version is released, and freezing by hand. Respondents' words
//! are only in responses to forms, and each reading is audited.

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::super::Failure;
use super::super::auth::{FormFields, Staff};
use super::super::page_layout::{PageLayout, render_page};
use super::super::state::AppState;
use crate::services::datasets::{self, DatasetError, OpenAnswer};
use crate::services::deadlines::{self, DeadlineError};

#[derive(Template)]
#[template(path = "console/review.html")]
struct ReviewPage<'a> {
    layout: PageLayout<'a>,
    application: String,
    version: String,
    answers: Vec<OpenAnswer>,
}

fn redirect_to_deliveries(flash: &str) -> Response {
    Redirect::to(&format!("/deliveries?noted={flash}")).into_response()
}

/// Shows the open answers of a version that awaits review.
pub async fn read(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path((application, version)): Path<(String, String)>,
) -> Result<Response, Failure> {
    match datasets::load_for_review(
        &app.context,
        &application,
        Some(&version),
        &staff.session.actor(),
    )
    .await
    {
        Ok((_, answers)) => Ok(render_page(
            StatusCode::OK,
            &ReviewPage { layout: PageLayout::for_staff(&staff), application, version, answers },
        )),
        Err(DatasetError::NothingToReview(_)) => Ok(redirect_to_deliveries("no-review")),
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

/// Releases a reviewed version without the ticked answers.
pub async fn release(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path((application, version)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let strike: BTreeSet<usize> =
        form.0.keys().filter_map(|name| name.strip_prefix("strike-")?.parse().ok()).collect();
    match datasets::release(
        &app.context,
        &application,
        Some(&version),
        &strike,
        &staff.session.actor(),
    )
    .await
    {
        Ok(_) => Ok(redirect_to_deliveries("released")),
        Err(DatasetError::NothingToReview(_) | DatasetError::UnknownAnswer(_)) => {
            Ok(redirect_to_deliveries("no-review"))
        }
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

/// Freezes an interim version of an open field, or a further version of a closed field.
pub async fn freeze(
    State(app): State<Arc<AppState>>,
    Path(application): Path<String>,
) -> Result<Response, Failure> {
    match deadlines::freeze_current_answers(&app.context, &application).await {
        Ok(_) => Ok(redirect_to_deliveries("frozen")),
        Err(DeadlineError::UnknownApplication(_)) => Err(Failure::NotFound),
        Err(DeadlineError::NothingNew { .. } | DeadlineError::NothingToFreeze(_)) => {
            Ok(redirect_to_deliveries("nothing-new"))
        }
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}
