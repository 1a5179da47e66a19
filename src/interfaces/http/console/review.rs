//! Open answers are read before a version goes out, and versions are frozen by hand. Words of people stand in answers to forms only, and each reading is written down.

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::super::page_layout::{Frame, page};
use super::super::auth::{Sent, Staff};
use super::super::Failure;
use super::super::state::Site;
use crate::services::datasets::{self, DatasetError, OpenAnswer};
use crate::services::deadlines::{self, DeadlineError};

#[derive(Template)]
#[template(path = "console/review.html")]
struct ReviewPage<'a> {
    f: Frame<'a>,
    application: String,
    version: String,
    answers: Vec<OpenAnswer>,
}

fn back(noted: &str) -> Response {
    Redirect::to(&format!("/deliveries?noted={noted}")).into_response()
}

/// Shows the open answers of a version that waits.
pub async fn read(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Path((application, version)): Path<(String, String)>,
) -> Result<Response, Failure> {
    match datasets::to_review(&site.installation, &application, Some(&version), &staff.session.actor()).await {
        Ok((_, answers)) => Ok(page(StatusCode::OK, &ReviewPage { f: Frame::of(&staff), application, version, answers })),
        Err(DatasetError::NothingToReview(_)) => Ok(back("no-review")),
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

/// Lets go what was read, without what was ticked.
pub async fn release(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Extension(sent): Extension<Sent>,
    Path((application, version)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let strike: BTreeSet<usize> = sent.0.keys().filter_map(|name| name.strip_prefix("strike-")?.parse().ok()).collect();
    match datasets::release(&site.installation, &application, Some(&version), &strike, &staff.session.actor()).await {
        Ok(_) => Ok(back("released")),
        Err(DatasetError::NothingToReview(_) | DatasetError::NoSuchAnswer(_)) => Ok(back("no-review")),
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

/// Freezes how a field stands on the way, or a further version of one that is closed.
pub async fn freeze(State(site): State<Arc<Site>>, Path(application): Path<String>) -> Result<Response, Failure> {
    match deadlines::freeze_as_it_stands(&site.installation, &application).await {
        Ok(_) => Ok(back("frozen")),
        Err(DeadlineError::UnknownApplication(_)) => Err(Failure::NotFound),
        Err(DeadlineError::NothingNew { .. } | DeadlineError::NothingToFreeze(_)) => Ok(back("nothing-new")),
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}
