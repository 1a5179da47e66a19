//! Numbers that are not contacted: when, where, why and how long; never whose.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::super::page_layout::{Frame, Say, page};
use super::super::auth::{Sent, Staff};
use super::super::Failure;
use super::super::state::Site;
use super::refusals::Refusal;
use super::{ZONE, csv_download};
use crate::domain::suppression::SuppressionReason;
use crate::domain::time::Timestamp;
use crate::services::suppressions::{SuppressionDefaults, SuppressionError, import_suppressions};
use crate::adapters::database::{programmes, suppressions};

struct Row {
    scope: String,
    reason: &'static str,
    since: String,
    until: String,
}

#[derive(Template)]
#[template(path = "console/suppressions.html")]
struct SuppressionsPage<'a> {
    f: Frame<'a>,
    noted: Option<&'static str>,
    problem: Option<String>,
    programmes: Vec<String>,
    reasons: Vec<(&'static str, &'static str)>,
    rows: Vec<Row>,
    all: usize,
}

/// On a page; the export has them all.
const LISTED: usize = 200;

fn reason_in_words(reason: &str) -> (&'static str, &'static str) {
    match reason {
        "opt_out" => ("退订", "opted out"),
        "complaint" => ("投诉", "complained"),
        _ => ("号码无效", "invalid number"),
    }
}

async fn render(site: &Site, staff: &Staff, status: StatusCode, noted: Option<&'static str>, problem: Option<String>) -> Result<Response, Failure> {
    let (rows, programmes) = {
        let mut connection = site.installation.store.read().await?;
        (rows(staff.say, suppressions::list(&mut connection).await?), programmes::codes(&mut connection).await?)
    };
    let shown = SuppressionsPage {
        f: Frame::of(staff),
        noted,
        problem,
        programmes,
        reasons: SuppressionReason::ALL.map(|reason| (reason.as_str(), staff.say.of(reason_in_words(reason.as_str())))).to_vec(),
        all: rows.len(),
        rows: rows.into_iter().rev().take(LISTED).collect(),
    };
    Ok(page(status, &shown))
}

fn rows(s: Say, all: Vec<suppressions::Suppression>) -> Vec<Row> {
    let day = |at: Timestamp| at.date(ZONE).to_string();
    let row = |of: suppressions::Suppression| Row {
        scope: if of.scope == suppressions::ALL { s.t("全部项目", "everywhere").to_owned() } else { of.scope },
        reason: s.of(reason_in_words(&of.reason)),
        since: day(of.created_at),
        until: of.expires_at.map_or_else(|| s.t("永久", "for good").to_owned(), day),
    };
    all.into_iter().map(row).collect()
}

pub async fn show(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    if query.get("format").is_some_and(|format| format == "csv") {
        let all = rows(staff.say, suppressions::list(&mut *site.installation.store.read().await?).await?);
        return csv_download::csv(
            "suppressions",
            &["scope", "reason", "since", "until"],
            all.into_iter().map(|row| vec![row.scope, row.reason.to_owned(), row.since, row.until]),
        );
    }
    let noted = query.contains_key("noted").then(|| staff.say.t("已加入，不再联系。", "They are not contacted any more."));
    render(&site, &staff, StatusCode::OK, noted, None).await
}

/// Numbers, one a line.
pub async fn add(State(site): State<Arc<Site>>, Extension(staff): Extension<Staff>, Extension(sent): Extension<Sent>) -> Result<Response, Failure> {
    let reason = SuppressionReason::parse(sent.text("reason")).ok_or_else(|| Failure::Unreadable("the form names no reason".into()))?;
    let scope = Some(sent.text("scope")).filter(|scope| !scope.is_empty());
    let defaults = SuppressionDefaults { reason, programme: scope, until: sent.text("until").parse().ok() };
    match import_suppressions(&site.installation, sent.text("numbers").as_bytes(), &defaults).await {
        Ok(_) => Ok(Redirect::to("/suppressions?noted").into_response()),
        Err(SuppressionError::Store(error)) => Err(error.into()),
        Err(error) => render(&site, &staff, StatusCode::UNPROCESSABLE_ENTITY, None, Some(error.words(staff.say))).await,
    }
}
