//! The suppression list: times, scopes, reasons and ends, without the numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::super::Failure;
use super::super::auth::{FormFields, Staff};
use super::super::page_layout::{PageLayout, Translator, render_page};
use super::super::state::AppState;
use super::{ZONE, csv_download};
use crate::adapters::database::{programmes, suppressions};
use crate::domain::suppression::SuppressionReason;
use crate::domain::time::Timestamp;
use crate::interfaces::errors::LocalizedError;
use crate::services::suppressions::{SuppressionDefaults, SuppressionError, import_suppressions};

struct Row {
    scope: String,
    reason: &'static str,
    since: String,
    until: String,
}

#[derive(Template)]
#[template(path = "console/suppressions.html")]
struct SuppressionsPage<'a> {
    layout: PageLayout<'a>,
    flash: Option<&'static str>,
    problem: Option<String>,
    programmes: Vec<String>,
    reasons: Vec<(&'static str, &'static str)>,
    rows: Vec<Row>,
    all: usize,
}

/// Entries on the page; the export has all.
const LISTED: usize = 200;

fn reason_label(reason: &str) -> (&'static str, &'static str) {
    match reason {
        "opt_out" => ("退订", "opted out"),
        "complaint" => ("投诉", "complained"),
        _ => ("号码无效", "invalid number"),
    }
}

async fn render(
    app: &AppState,
    staff: &Staff,
    status: StatusCode,
    flash: Option<&'static str>,
    problem: Option<String>,
) -> Result<Response, Failure> {
    let (rows, programmes) = {
        let mut connection = app.context.database.read().await?;
        (
            rows(staff.tr, suppressions::list(&mut connection).await?),
            programmes::codes(&mut connection).await?,
        )
    };
    let template = SuppressionsPage {
        layout: PageLayout::for_staff(staff),
        flash,
        problem,
        programmes,
        reasons: SuppressionReason::ALL
            .map(|reason| (reason.as_str(), staff.tr.pair(reason_label(reason.as_str()))))
            .to_vec(),
        all: rows.len(),
        rows: rows.into_iter().rev().take(LISTED).collect(),
    };
    Ok(render_page(status, &template))
}

fn rows(tr: Translator, all: Vec<suppressions::Suppression>) -> Vec<Row> {
    let day = |at: Timestamp| at.date(ZONE).to_string();
    let row = |suppression: suppressions::Suppression| Row {
        scope: if suppression.scope == suppressions::ALL {
            tr.t("全部项目", "everywhere").to_owned()
        } else {
            suppression.scope
        },
        reason: tr.pair(reason_label(&suppression.reason)),
        since: day(suppression.created_at),
        until: suppression.expires_at.map_or_else(|| tr.t("永久", "for good").to_owned(), day),
    };
    all.into_iter().map(row).collect()
}

pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    if query.get("format").is_some_and(|format| format == "csv") {
        let all =
            rows(staff.tr, suppressions::list(&mut *app.context.database.read().await?).await?);
        return csv_download::csv_download(
            "suppressions",
            &["scope", "reason", "since", "until"],
            all.into_iter().map(|row| vec![row.scope, row.reason.to_owned(), row.since, row.until]),
        );
    }
    let flash = query
        .contains_key("noted")
        .then(|| staff.tr.t("已加入，不再联系。", "They are not contacted any more."));
    render(&app, &staff, StatusCode::OK, flash, None).await
}

/// Suppresses numbers, one per line.
pub async fn add(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
) -> Result<Response, Failure> {
    let reason = SuppressionReason::parse(form.text("reason"))
        .ok_or_else(|| Failure::BadRequest("the form names no reason".into()))?;
    let scope = Some(form.text("scope")).filter(|scope| !scope.is_empty());
    let defaults =
        SuppressionDefaults { reason, programme: scope, until: form.text("until").parse().ok() };
    match import_suppressions(&app.context, form.text("numbers").as_bytes(), &defaults).await {
        Ok(_) => Ok(Redirect::to("/suppressions?noted").into_response()),
        Err(SuppressionError::Database(error)) => Err(error.into()),
        Err(error) => {
            render(
                &app,
                &staff,
                StatusCode::UNPROCESSABLE_ENTITY,
                None,
                Some(error.localized(staff.tr.0)),
            )
            .await
        }
    }
}
