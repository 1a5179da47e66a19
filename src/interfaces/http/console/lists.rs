//! A list before its import: problems beside their rows, with correction in place.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::super::Failure;
use super::super::auth::{FormFields, Staff};
use super::super::page_layout::{PageLayout, Translator, render_page};
use super::super::state::AppState;
use super::super::upload::UploadedFile;
use super::setup::show_application;
use crate::interfaces::errors::LocalizedError;
use crate::services::drafts::lists::{
    ListDraftError, Preview, PreviewRow, choose_columns, correct as apply_corrections,
    create_list_draft, discard_draft, import_list_draft, preview,
};
use crate::services::list_import::headers::ListColumn;
use crate::services::list_import::{ImportFinding, ImportOutcome, RowDecision};

/// The rows that are shown where the columns are chosen.
const FIRST_ROWS: usize = 5;
/// Maximum number of rows of each group on a page.
const ROWS_PER_PAGE: usize = 50;

struct RowView<'a> {
    source: &'a PreviewRow,
    is_rejected: bool,
    problems: Vec<String>,
}

#[derive(Template)]
#[template(path = "console/list.html")]
struct ListPage<'a> {
    layout: PageLayout<'a>,
    flash: Option<&'static str>,
    problem: Option<String>,
    preview: &'a Preview,
    outcome: Option<&'a ImportOutcome>,
    to_correct: Vec<RowView<'a>>,
    more_to_correct: usize,
    flagged_rows: Vec<RowView<'a>>,
    valid_rows: Vec<&'a PreviewRow>,
    more_valid_rows: usize,
    /// The first rows, where the columns can be chosen.
    first_rows: Vec<&'a PreviewRow>,
    names: Vec<(&'static str, &'static str)>,
    choices: Vec<ColumnChoice<'a>>,
}

/// A column of the list, and what it is taken for.
struct ColumnChoice<'a> {
    place: usize,
    head: &'a str,
    column: &'static str,
}

/// The columns that can be chosen, with their names.
const COLUMN_NAMES: [(&str, &str, &str); 10] = [
    ("mobile", "手机", "mobile"),
    ("phone", "电话", "telephone"),
    ("name", "姓名", "name"),
    ("salutation", "称呼或性别", "salutation"),
    ("organisation", "单位", "organisation"),
    ("job_title", "职务", "job title"),
    ("email", "邮箱", "email"),
    ("segment", "用户类型", "segment"),
    ("remark", "备注", "remark"),
    ("language", "语言", "language"),
];

/// Returns the text of a finding in the reader's language.
fn finding_text(tr: Translator, finding: &ImportFinding) -> String {
    let text = finding.reason.localized(tr.0);
    if finding.column.is_empty() { text } else { format!("{}: {text}", finding.column) }
}

fn view(tr: Translator, row: &PreviewRow) -> RowView<'_> {
    let is_rejected = row.findings.iter().any(|finding| finding.decision == RowDecision::Rejected);
    RowView {
        source: row,
        is_rejected,
        problems: row.findings.iter().map(|finding| finding_text(tr, finding)).collect(),
    }
}

async fn render(
    app: &AppState,
    staff: &Staff,
    id: i64,
    status: StatusCode,
    flash: Option<&'static str>,
    problem: Option<String>,
) -> Result<Response, Failure> {
    let preview = match preview(&app.context, id).await {
        Ok(preview) => preview,
        Err(error) => return not_found_or(error),
    };
    let tr = staff.tr;
    let (with_findings, valid_rows): (Vec<&PreviewRow>, Vec<&PreviewRow>) =
        preview.rows.iter().partition(|row| !row.findings.is_empty());
    let (to_correct, flagged_rows): (Vec<RowView<'_>>, Vec<RowView<'_>>) =
        with_findings.into_iter().map(|row| view(tr, row)).partition(|row| row.is_rejected);
    let problem =
        problem.or_else(|| preview.outcome.as_ref().err().map(|error| error.localized(tr.0)));
    let template = ListPage {
        layout: PageLayout::for_staff(staff),
        flash,
        problem,
        outcome: preview.outcome.as_ref().ok(),
        more_to_correct: to_correct.len().saturating_sub(ROWS_PER_PAGE),
        to_correct: to_correct.into_iter().take(ROWS_PER_PAGE).collect(),
        flagged_rows: flagged_rows.into_iter().take(ROWS_PER_PAGE).collect(),
        more_valid_rows: valid_rows.len().saturating_sub(ROWS_PER_PAGE),
        valid_rows: valid_rows.into_iter().take(ROWS_PER_PAGE).collect(),
        first_rows: preview.rows.iter().take(FIRST_ROWS).collect(),
        choices: preview
            .head
            .iter()
            .zip(&preview.columns)
            .enumerate()
            .map(|(place, (head, column))| ColumnChoice {
                place,
                head,
                column: column.map_or("", ListColumn::name),
            })
            .collect(),
        names: COLUMN_NAMES.map(|(code, zh, en)| (code, tr.t(zh, en))).to_vec(),
        preview: &preview,
    };
    Ok(render_page(status, &template))
}

fn not_found_or(error: ListDraftError) -> Result<Response, Failure> {
    match error {
        ListDraftError::NotFound => Err(Failure::NotFound),
        error => Err(Failure::Internal(error.to_string())),
    }
}

/// Uploads a file. One that cannot be read changes nothing; the page shows the reason.
pub async fn upload(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Extension(uploaded): Extension<UploadedFile>,
    Path(code): Path<String>,
) -> Result<Response, Failure> {
    let other_codes = form
        .text("others")
        .split([',', '，', ' '])
        .map(str::trim)
        .filter(|other| !other.is_empty())
        .map(str::to_owned);
    let codes: Vec<String> =
        std::iter::once(code.clone()).chain(other_codes.filter(|other| *other != code)).collect();
    match create_list_draft(
        &app.context,
        &staff.session.account.name,
        &codes,
        &uploaded.name,
        &uploaded.content,
    )
    .await
    {
        Ok(id) => Ok(Redirect::to(&format!("/lists/{id}")).into_response()),
        Err(
            error @ (ListDraftError::Import(_)
            | ListDraftError::TooManyRows
            | ListDraftError::CellTooLarge { .. }),
        ) => {
            show_application(
                &app,
                &staff,
                &code,
                StatusCode::UNPROCESSABLE_ENTITY,
                None,
                Some(error.localized(staff.tr.0)),
            )
            .await
        }
        Err(error) => not_found_or(error),
    }
}

pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    render(&app, &staff, id, StatusCode::OK, None, None).await
}

/// Saves corrections, named `cell-ROW-COLUMN`, or what the columns are, named `column-PLACE`.
pub async fn correct(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    let cell = |name: &str| {
        let mut parts = name.strip_prefix("cell-")?.splitn(2, '-');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    let corrections: BTreeMap<(u32, usize), String> =
        form.0.iter().filter_map(|(name, value)| Some((cell(name)?, value.clone()))).collect();
    let chosen = |(name, value): (&String, &String)| {
        Some((name.strip_prefix("column-")?.parse::<usize>().ok()?, ListColumn::parse(value)))
    };
    let columns: BTreeMap<usize, Option<ListColumn>> = form.0.iter().filter_map(chosen).collect();
    let stored = if columns.is_empty() {
        apply_corrections(&app.context, id, &corrections).await
    } else {
        let named = columns.into_iter().filter_map(|(at, column)| Some((at, column?))).collect();
        choose_columns(&app.context, id, &named, form.text("header_row").parse().ok()).await
    };
    match stored {
        Ok(()) => {
            render(
                &app,
                &staff,
                id,
                StatusCode::OK,
                Some(staff.tr.t("已更正并重新检查。", "Corrected, and checked again.")),
                None,
            )
            .await
        }
        Err(ListDraftError::Changed) => {
            let problem = staff.tr.t(
                "他人刚刚更正过此名单，请再看一遍。",
                "Somebody else has corrected this list meanwhile; look at it again.",
            );
            render(&app, &staff, id, StatusCode::CONFLICT, None, Some(problem.to_owned())).await
        }
        Err(error) => not_found_or(error),
    }
}

pub async fn import(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    match import_list_draft(&app.context, id).await {
        Ok(outcome) => {
            let first = outcome.names.first().map(|(code, _)| code.clone()).unwrap_or_default();
            Ok(Redirect::to(&format!("/applications/{first}?noted=imported")).into_response())
        }
        Err(ListDraftError::Import(error)) => {
            render(
                &app,
                &staff,
                id,
                StatusCode::UNPROCESSABLE_ENTITY,
                None,
                Some(error.localized(staff.tr.0)),
            )
            .await
        }
        Err(error) => not_found_or(error),
    }
}

pub async fn discard(
    State(app): State<Arc<AppState>>,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    match discard_draft(&app.context, id).await {
        Ok(()) => Ok(Redirect::to("/setup?noted=dropped").into_response()),
        Err(error) => not_found_or(error),
    }
}
