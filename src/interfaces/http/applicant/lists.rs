//! A list on its applicant's page: what is wrong row by row, corrections, the declaration.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};

use super::super::Failure;
use super::super::auth::with_security_policy;
use super::super::console::{column_label, corrections_of, workbook};
use super::super::page_layout::{PageLayout, render_page};
use super::super::state::AppState;
use super::home::{show_problem, told_to_applicant};
use super::{Applicant, Params, applicant_of, form_of};
use crate::domain::audit::Action;
use crate::domain::personal::Personal;
use crate::interfaces::errors::LocalizedError;
use crate::services::applicant_pages::ApplicantPageError;
use crate::services::applicant_pages::lists::{self as own_lists, DECLARATION, OwnList};
use crate::services::drafts::lists::{self as drafts, ListDraftError, Preview, PreviewRow};
use crate::services::list_import::correction_sheet::request_for;
use crate::services::list_import::{ListImportError, RowDecision, template as list_template};

/// Rows that are shown in each part of the page.
const ROWS_PER_PAGE: usize = 100;
const FIRST_ROWS: usize = 5;

struct RowView<'a> {
    number: u32,
    cells: &'a [Personal],
    requests: Vec<String>,
}

#[derive(Template)]
#[template(path = "applicant/list.html")]
struct ListPage<'a> {
    layout: PageLayout<'a>,
    link: &'a str,
    own: &'a OwnList,
    preview: &'a Preview,
    flash: Option<&'static str>,
    problem: Option<String>,
    /// Rows that are not imported as they are.
    wrong: Vec<RowView<'a>>,
    more_wrong: usize,
    /// Rows that are imported and may be meant otherwise.
    noted: Vec<RowView<'a>>,
    people: u64,
    /// What of the file was not read.
    notes: Vec<String>,
    /// The first rows as they are, so that a column that was read wrongly is seen.
    first_rows: Vec<&'a PreviewRow>,
    columns: Vec<&'static str>,
    /// People over the limit, and the limit.
    over: Option<(u32, u32)>,
    can_hand_in: bool,
    declaration: &'static str,
    name: &'a str,
}

fn id_of(params: &BTreeMap<String, String>) -> Result<i64, Failure> {
    params.get("list").and_then(|id| id.parse().ok()).ok_or(Failure::NotFound)
}

/// What is no list of the applicant's own is not there.
fn not_found_or(error: ApplicantPageError) -> Failure {
    match error {
        ApplicantPageError::List(ListDraftError::NotFound) => Failure::NotFound,
        error => Failure::Internal(error.to_string()),
    }
}

async fn render(
    app: &AppState,
    applicant: &Applicant,
    id: i64,
    status: StatusCode,
    (flash, problem, name): (Option<&'static str>, Option<String>, &str),
) -> Result<Response, Failure> {
    let context = &app.context;
    let own = own_lists::own_list(context, &applicant.link, id).await.map_err(not_found_or)?;
    let preview = drafts::preview(context, id).await.map_err(|e| not_found_or(e.into()))?;
    let view = |row: &'_ PreviewRow| {
        let requests: Vec<String> = row.findings.iter().filter_map(request_for).collect();
        (requests, row.findings.iter().any(|f| f.decision == RowDecision::Rejected))
    };
    // Those whom an import would take: no row twice, and nobody where nothing can be read.
    let people = match &preview.outcome {
        Ok(outcome) => outcome.accepted,
        Err(ListImportError::OverCap { outcome, .. }) => outcome.accepted,
        Err(_) => 0,
    };
    let (mut wrong, mut noted) = (Vec::new(), Vec::new());
    for row in &preview.rows {
        let (requests, is_wrong) = view(row);
        let row = RowView { number: row.number, cells: &row.cells, requests };
        match (is_wrong, row.requests.is_empty()) {
            (true, _) => wrong.push(row),
            (false, false) => noted.push(row),
            (false, true) => {}
        }
    }
    let over = match &preview.outcome {
        Err(ListImportError::OverCap { over, cap, .. }) => Some((*over, *cap)),
        _ => None,
    };
    let cannot = preview.outcome.as_ref().err().filter(|_| over.is_none());
    let problem = problem.or_else(|| cannot.map(|error| error.localized(applicant.tr.0)));
    let page = ListPage {
        layout: applicant.layout(),
        link: &applicant.token,
        flash,
        problem,
        more_wrong: wrong.len().saturating_sub(ROWS_PER_PAGE),
        wrong: wrong.into_iter().take(ROWS_PER_PAGE).collect(),
        noted: noted.into_iter().take(ROWS_PER_PAGE).collect(),
        people,
        notes: preview
            .notes
            .iter()
            .map(|note| applicant.tr.t(&note.chinese(), &note.to_string()).to_owned())
            .collect(),
        first_rows: preview.rows.iter().take(FIRST_ROWS).collect(),
        columns: preview.columns.iter().map(|column| column_label(applicant.tr, *column)).collect(),
        over,
        can_hand_in: own.draft.handed_in_at.is_none() && cannot.is_none() && people > 0,
        declaration: DECLARATION,
        name,
        own: &own,
        preview: &preview,
    };
    Ok(with_security_policy(render_page(status, &page)))
}

pub async fn upload(
    State(app): State<Arc<AppState>>,
    Path(params): Params,
    request: Request,
) -> Result<Response, Failure> {
    let (applicant, form, files) = match form_of(&app, &params, request, true).await? {
        Ok(form) => form,
        Err(response) => return Ok(*response),
    };
    let codes: Vec<String> =
        form.0.keys().filter_map(|name| name.strip_prefix("for-")).map(str::to_owned).collect();
    if codes.is_empty() {
        let problem = applicant.tr.t("请勾选名单用于哪些申报。", "Tick what the list is for.");
        return show_problem(&app, &applicant, problem.to_owned()).await;
    }
    let file = files.0.into_iter().next().unwrap_or_default();
    let stored =
        own_lists::upload(&app.context, &applicant.link, &codes, &file.name, &file.content).await;
    match stored {
        Ok(id) => {
            Ok(Redirect::to(&format!("/applicant/{}/lists/{id}", applicant.token)).into_response())
        }
        Err(ApplicantPageError::List(ListDraftError::Database(error))) => Err(error.into()),
        Err(ApplicantPageError::Database(error)) => Err(error.into()),
        Err(error) => {
            let problem = told_to_applicant(&error, applicant.tr);
            show_problem(&app, &applicant, problem).await
        }
    }
}

pub async fn show(
    State(app): State<Arc<AppState>>,
    Path(params): Params,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let applicant = match applicant_of(&app, &params, &headers).await? {
        Ok(applicant) => applicant,
        Err(response) => return Ok(*response),
    };
    render(&app, &applicant, id_of(&params)?, StatusCode::OK, (None, None, "")).await
}

/// Refuses a change of a list that is handed in; another change is noted in the audit log.
async fn refuse_handed_in(
    app: &AppState,
    applicant: &Applicant,
    id: i64,
    change: Action,
) -> Result<Option<Response>, Failure> {
    let (context, link) = (&app.context, &applicant.link);
    match own_lists::own_open_list(context, link, id).await {
        Ok(_) => {
            let noted = own_lists::note(context, link, change, &format!("list:{id}")).await;
            noted.map_err(not_found_or)?;
            Ok(None)
        }
        Err(error @ ApplicantPageError::HandedIn) => {
            let problem = Some(error.localized(applicant.tr.0));
            render(app, applicant, id, StatusCode::CONFLICT, (None, problem, "")).await.map(Some)
        }
        Err(error) => Err(not_found_or(error)),
    }
}

pub async fn correct(
    State(app): State<Arc<AppState>>,
    Path(params): Params,
    request: Request,
) -> Result<Response, Failure> {
    let (applicant, form, _) = match form_of(&app, &params, request, false).await? {
        Ok(form) => form,
        Err(response) => return Ok(*response),
    };
    let (context, id) = (&app.context, id_of(&params)?);
    if let Some(refused) = refuse_handed_in(&app, &applicant, id, Action::ListCorrected).await? {
        return Ok(refused);
    }
    match drafts::correct(context, id, &corrections_of(&form)).await {
        Ok(()) => {
            let done = applicant.tr.t("已更正并重新检查。", "Corrected, and checked again.");
            render(&app, &applicant, id, StatusCode::OK, (Some(done), None, "")).await
        }
        Err(error @ ListDraftError::Changed) => {
            let problem = Some(error.localized(applicant.tr.0));
            render(&app, &applicant, id, StatusCode::CONFLICT, (None, problem, "")).await
        }
        Err(error) => Err(not_found_or(error.into())),
    }
}

pub async fn correction_sheet(
    State(app): State<Arc<AppState>>,
    Path(params): Params,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let applicant = match applicant_of(&app, &params, &headers).await? {
        Ok(applicant) => applicant,
        Err(response) => return Ok(*response),
    };
    let id = id_of(&params)?;
    own_lists::own_list(&app.context, &applicant.link, id).await.map_err(not_found_or)?;
    match drafts::correction_workbook(&app.context, id).await {
        Ok(Some((_, content))) => Ok(workbook("请更正.xlsx", content)),
        Ok(None) => Err(Failure::NotFound),
        Err(error) => Err(not_found_or(error.into())),
    }
}

pub async fn template(
    State(app): State<Arc<AppState>>,
    Path(params): Params,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let applicant = match applicant_of(&app, &params, &headers).await? {
        Ok(applicant) => applicant,
        Err(response) => return Ok(*response),
    };
    let open = own_lists::open_applications(&app.context, &applicant.link).await;
    let codes: Vec<String> =
        open.map_err(not_found_or)?.into_iter().map(|application| application.code).collect();
    match list_template::of_applications(&app.context, &codes, &[]).await {
        Ok(content) => Ok(workbook("被访者信息登记表.xlsx", content)),
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

pub async fn hand_in(
    State(app): State<Arc<AppState>>,
    Path(params): Params,
    request: Request,
) -> Result<Response, Failure> {
    let (applicant, form, _) = match form_of(&app, &params, request, false).await? {
        Ok(form) => form,
        Err(response) => return Ok(*response),
    };
    let (id, name) = (id_of(&params)?, form.text("name"));
    let has_confirmed = form.0.contains_key("confirmed");
    let handed_in =
        own_lists::hand_in(&app.context, &applicant.link, id, name, has_confirmed).await;
    match handed_in {
        Ok(()) => Ok(applicant.home("handed-in")),
        Err(
            error @ (ApplicantPageError::NotDeclared
            | ApplicantPageError::HandedIn
            | ApplicantPageError::List(ListDraftError::Changed | ListDraftError::Import(_))),
        ) => {
            let problem = Some(error.localized(applicant.tr.0));
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            render(&app, &applicant, id, status, (None, problem, name)).await
        }
        Err(error) => Err(not_found_or(error)),
    }
}

pub async fn discard(
    State(app): State<Arc<AppState>>,
    Path(params): Params,
    request: Request,
) -> Result<Response, Failure> {
    let applicant = match form_of(&app, &params, request, false).await? {
        Ok((applicant, ..)) => applicant,
        Err(response) => return Ok(*response),
    };
    let (context, id) = (&app.context, id_of(&params)?);
    if let Some(refused) = refuse_handed_in(&app, &applicant, id, Action::ListDiscarded).await? {
        return Ok(refused);
    }
    drafts::discard_draft(context, id).await.map_err(|error| not_found_or(error.into()))?;
    Ok(applicant.home("discarded"))
}
