//! A list before its import: problems beside their rows, with correction in place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::super::Failure;
use super::super::auth::{FormFields, Staff};
use super::super::download::content_disposition;
use super::super::page_layout::{PageLayout, Translator, render_page};
use super::super::state::AppState;
use super::super::upload::UploadedFile;
use super::ZONE;
use super::setup::show_application;
use crate::domain::category::Category;
use crate::domain::personal::Personal;
use crate::interfaces::errors::LocalizedError;
use crate::services::applicant_pages::ApplicantPageError;
use crate::services::applicant_pages::lists::{
    self as applicant_lists, Declaration, accept, declaration_of, word_of,
};
use crate::services::drafts::lists::{
    self, LeaveOut, ListDraftError, Preview, PreviewRow, choose_columns,
    correct as apply_corrections, create_list_draft, discard_all, discard_draft, preview,
};
use crate::services::list_import::correction_sheet::request_for;
use crate::services::list_import::headers::ListColumn;
use crate::services::list_import::{
    ImportFinding, ImportOutcome, ListImportError, RowDecision, template as list_template,
};

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
    /// The people that are too many, and the most that there may be.
    over: Option<(u32, u32)>,
    /// Those who can be ticked off, where they are too many or some are left out; with whether they
    /// are left out, and what is to be known about them.
    people: Vec<(RowView<'a>, bool)>,
    encodings: [&'static str; 5],
    /// What of the file was not read.
    notes: Vec<String>,
    /// Whether there are rows that the applicant is to correct.
    has_corrections: bool,
    /// Of a list that its applicant has handed in.
    declaration: Option<Declaration>,
    handed_in: String,
    /// What was said when it was sent back.
    word: Option<Personal>,
}

/// The encodings that can be chosen.
const ENCODINGS: [&str; 5] = ["UTF-8", "GB18030", "GBK", "Big5", "UTF-16LE"];

/// A column of the list, and what it is taken for.
struct ColumnChoice<'a> {
    place: usize,
    head: &'a str,
    column: &'static str,
}

/// The columns that can be chosen, with their names.
const COLUMN_NAMES: [(&str, &str, &str); 11] = [
    ("mobile", "手机", "mobile"),
    ("phone", "电话", "telephone"),
    ("name", "姓名", "name"),
    ("salutation", "称呼或性别", "salutation"),
    ("organisation", "单位", "organisation"),
    ("job_title", "职务", "job title"),
    ("email", "邮箱", "email"),
    ("address", "地址", "address"),
    ("segment", "用户类型", "segment"),
    ("remark", "备注", "remark"),
    ("language", "语言", "language"),
];

/// What a column is taken for; empty: it is not used.
pub fn column_label(tr: Translator, column: Option<ListColumn>) -> &'static str {
    let name = column.map_or("", ListColumn::name);
    let known = COLUMN_NAMES.iter().find(|(code, ..)| *code == name);
    known.map_or("", |(_, zh, en)| tr.t(zh, en))
}

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
    let internal = |error: ApplicantPageError| Failure::Internal(error.to_string());
    let declaration = declaration_of(&app.context, &preview.draft).map_err(internal)?;
    let handed_in = declaration.as_ref().map(|declaration| declaration.at.in_zone(ZONE));
    let over = match &preview.outcome {
        Err(ListImportError::OverCap { over, cap, .. }) => Some((*over, *cap)),
        _ => None,
    };
    let has_selection =
        over.is_some() || !preview.left_out.is_empty() || preview.draw_seed.is_some();
    let is_person = |row: &&PreviewRow| {
        let mut findings = row.findings.iter();
        !findings.any(|finding| {
            matches!(
                finding.decision,
                RowDecision::Rejected | RowDecision::NoPerson | RowDecision::Merged
            )
        })
    };
    let is_left_out = |row: &PreviewRow| {
        let mut findings = row.findings.iter();
        findings.any(|finding| finding.decision == RowDecision::LeftOut)
            || preview.left_out.contains(&row.number)
    };
    let people = preview.rows.iter().filter(|_| has_selection).filter(is_person);
    let people = people.map(|row| (view(tr, row), is_left_out(row))).collect();
    let mut findings = preview.rows.iter().flat_map(|row| &row.findings);
    let has_corrections = findings.any(|finding| request_for(finding).is_some());
    let (with_findings, valid_rows): (Vec<&PreviewRow>, Vec<&PreviewRow>) = preview
        .rows
        .iter()
        .filter(|row| !(has_selection && is_person(row)))
        .partition(|row| !row.findings.is_empty());
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
        over,
        people,
        encodings: ENCODINGS,
        notes: preview
            .notes
            .iter()
            .map(|note| tr.t(&note.chinese(), &note.to_string()).to_owned())
            .collect(),
        has_corrections,
        handed_in: handed_in.map(|at| at.format("%Y-%m-%d %H:%M").to_string()).unwrap_or_default(),
        declaration,
        word: word_of(&app.context, &preview.draft).map_err(internal)?,
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

/// The corrections of a form, named `cell-ROW-COLUMN`.
pub fn corrections_of(form: &FormFields) -> BTreeMap<(u32, usize), String> {
    let cell = |name: &str| {
        let mut parts = name.strip_prefix("cell-")?.splitn(2, '-');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    form.0.iter().filter_map(|(name, value)| Some((cell(name)?, value.clone()))).collect()
}

/// Saves corrections, named `cell-ROW-COLUMN`, or what the columns are, named `column-PLACE`.
pub async fn correct(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    let corrections = corrections_of(&form);
    let chosen = |(name, value): (&String, &String)| {
        // «（不用）» is said as well: the header's own word does not count then.
        let column = ListColumn::parse(value).unwrap_or(ListColumn::Unused);
        Some((name.strip_prefix("column-")?.parse::<usize>().ok()?, column))
    };
    let columns: BTreeMap<usize, ListColumn> = form.0.iter().filter_map(chosen).collect();
    let stored = if columns.is_empty() {
        apply_corrections(&app.context, id, &corrections).await
    } else {
        choose_columns(&app.context, id, &columns, form.text("header_row").parse().ok()).await
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
    let imported = accept(&app.context, &staff.session.account.name, id).await;
    let imported = imported.map_err(|error| match error {
        ApplicantPageError::List(error) => Ok(error),
        error => Err(Failure::Internal(error.to_string())),
    });
    let imported = match imported {
        Ok(outcome) => Ok(outcome),
        Err(Ok(error)) => Err(error),
        Err(Err(failure)) => return Err(failure),
    };
    match imported {
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

/// Reads the file again, as the form says.
pub async fn read_again(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    let (sheet, encoding) = (form.text("sheet"), form.text("encoding"));
    let stored = lists::read_again(&app.context, id, sheet, encoding).await;
    let done = staff.tr.t("已重新读取。", "Read again.");
    stored_or(&app, &staff, id, stored, done).await
}

/// Leaves people out: those in the boxes named `leave-ROW`, or by a draw.
pub async fn leave_out(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    let ticked: BTreeSet<u32> =
        form.0.keys().filter_map(|name| name.strip_prefix("leave-")?.parse().ok()).collect();
    let who = match form.text("do") {
        "draw" => LeaveOut::Draw,
        "nobody" => LeaveOut::Nobody,
        _ => LeaveOut::Rows(ticked),
    };
    let stored = lists::leave_out(&app.context, id, who).await;
    let done =
        staff.tr.t("名单已删减并重新检查。", "People are left out, and the list checked again.");
    stored_or(&app, &staff, id, stored, done).await
}

/// Shows the list again after a change, or why there was none.
async fn stored_or(
    app: &AppState,
    staff: &Staff,
    id: i64,
    stored: Result<(), ListDraftError>,
    done: &'static str,
) -> Result<Response, Failure> {
    match stored {
        Ok(()) => render(app, staff, id, StatusCode::OK, Some(done), None).await,
        Err(error @ ListDraftError::Changed) => {
            let problem = error.localized(staff.tr.0);
            render(app, staff, id, StatusCode::CONFLICT, None, Some(problem)).await
        }
        Err(
            error @ (ListDraftError::Import(_)
            | ListDraftError::TooManyRows
            | ListDraftError::CellTooLarge { .. }),
        ) => {
            let problem = error.localized(staff.tr.0);
            render(app, staff, id, StatusCode::UNPROCESSABLE_ENTITY, None, Some(problem)).await
        }
        Err(error) => not_found_or(error),
    }
}

/// Downloads the rows that the applicant is to correct.
pub async fn correction_sheet(
    State(app): State<Arc<AppState>>,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    match lists::correction_workbook(&app.context, id).await {
        Ok(Some((draft, content))) => {
            let stem = draft.file.rsplit_once('.').map_or(draft.file.as_str(), |(stem, _)| stem);
            Ok(workbook(&format!("{stem}-请更正.xlsx"), content))
        }
        Ok(None) => Err(Failure::NotFound),
        Err(error) => not_found_or(error),
    }
}

/// Downloads an empty list, for applications (`application`, codes with commas) or a category.
pub async fn template(
    State(app): State<Arc<AppState>>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let words = |name: &str| {
        let words = query.get(name).map(String::as_str).unwrap_or_default().split(',');
        words.map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    let categories: Vec<Category> =
        words("category").iter().filter_map(|word| Category::parse(word)).collect();
    match list_template::of_applications(&app.context, &words("application"), &categories).await {
        Ok(content) => Ok(workbook("被访者信息登记表.xlsx", content)),
        Err(ListImportError::UnknownApplication(_)) => Err(Failure::NotFound),
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

/// A workbook as a download (RFC 6266, with the name in RFC 8187).
pub fn workbook(name: &str, content: Vec<u8>) -> Response {
    let headers = [
        (
            header::CONTENT_TYPE,
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet".to_owned(),
        ),
        (header::CONTENT_DISPOSITION, content_disposition(name)),
    ];
    (headers, content).into_response()
}

/// Sends a list back to its applicant, with a word.
pub async fn send_back(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    match applicant_lists::send_back(&app.context, id, form.text("word")).await {
        Ok(()) => Ok(Redirect::to("/setup?noted=returned").into_response()),
        Err(
            error
            @ (ApplicantPageError::NoWord | ApplicantPageError::List(ListDraftError::Changed)),
        ) => {
            let problem = Some(error.localized(staff.tr.0));
            render(&app, &staff, id, StatusCode::UNPROCESSABLE_ENTITY, None, problem).await
        }
        Err(ApplicantPageError::List(error)) => not_found_or(error),
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

/// Discards the ticked lists.
pub async fn discard_ticked(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
) -> Result<Redirect, Failure> {
    let ticked = form.0.keys().filter_map(|field| field.strip_prefix("pick-")?.parse().ok());
    let ids: Vec<i64> = ticked.collect();
    let discarded = discard_all(&app.context, &staff.session.actor(), &ids)
        .await
        .map_err(|error| Failure::Internal(error.to_string()))?;
    Ok(Redirect::to(if discarded > 0 {
        "/setup?noted=lists-dropped"
    } else {
        "/setup?noted=no-list#lists"
    }))
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
