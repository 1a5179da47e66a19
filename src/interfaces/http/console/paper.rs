//! Paper forms of a campaign: how they stand, print runs, and the printed pages.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use data_encoding::BASE64;

use super::super::Failure;
use super::super::auth::{FormFields, Staff};
use super::super::page_layout::{PageLayout, Translator, render_page};
use super::super::state::AppState;
use super::ZONE;
use crate::adapters::crypto::sha256;
use crate::adapters::database::paper_forms::FormState;
use crate::domain::ids::CaseId;
use crate::domain::role::Permission;
use crate::interfaces::errors::LocalizedError;
use crate::services::paper_forms::documents::{self, STYLE, documents};
use crate::services::paper_forms::printing::{LeftOut, PrintReport, PrintRequest, print};
use crate::services::paper_forms::status::{PaperStatus, status};
use crate::services::paper_forms::{PaperFormError, printing};

struct RunRow {
    id: i64,
    at: String,
    by: String,
    forms: u64,
    with_names: bool,
}

#[derive(Template)]
#[template(path = "console/paper.html")]
struct PaperPage<'a> {
    layout: PageLayout<'a>,
    flash: Option<String>,
    problem: Option<String>,
    status: &'a PaperStatus,
    states: Vec<(&'static str, u64)>,
    runs: Vec<RunRow>,
    agreement: Option<String>,
    may_reveal: bool,
}

fn left_out_text(tr: Translator, left_out: &BTreeMap<LeftOut, u64>) -> String {
    let one = |(reason, count): (&LeftOut, &u64)| format!("{} {count}", tr.pair(reason.labels()));
    left_out.iter().map(one).collect::<Vec<_>>().join(tr.t("，", ", "))
}

/// What the redirect after a print run says.
fn flash_of(tr: Translator, query: &BTreeMap<String, String>) -> Option<String> {
    let printed = query.get("printed")?;
    let mut left_out = BTreeMap::new();
    for reason in printing::LeftOut::ALL {
        let count = query.get(reason.as_str()).and_then(|count| count.parse().ok());
        left_out.extend(count.map(|count: u64| (reason, count)));
    }
    let printed: u64 = printed.parse().unwrap_or(0);
    let done = format!("{} {printed}", tr.t("已生成打印批次，份数：", "Print run made; forms:"));
    Some(match left_out.is_empty() {
        true => done,
        false => {
            let words = left_out_text(tr, &left_out);
            format!("{done} {} {words}", tr.t("未打印：", "Not printed:"))
        }
    })
}

async fn render(
    app: &AppState,
    staff: &Staff,
    code: &str,
    flash: Option<String>,
    problem: Option<String>,
) -> Result<Response, Failure> {
    let found = match status(&app.context, code).await {
        Err(PaperFormError::UnknownCampaign(_)) => return Err(Failure::NotFound),
        found => found?,
    };
    let tr = staff.tr;
    let states = FormState::ALL
        .into_iter()
        .filter_map(|state| Some((tr.pair(state.labels()), *found.forms.get(&state)?)));
    let run = |run: &crate::adapters::database::paper_forms::PrintRun| RunRow {
        id: run.id,
        at: run.printed_at.in_zone(ZONE).format("%Y-%m-%d %H:%M").to_string(),
        by: run.printed_by.clone(),
        forms: run.forms,
        with_names: run.with_names,
    };
    let http_status = match problem {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    let page = PaperPage {
        layout: PageLayout::for_staff(staff),
        flash,
        problem,
        states: states.collect(),
        runs: found.runs.iter().map(run).collect(),
        agreement: found.quality.agreement().map(|share| format!("{:.1} %", share * 100.0)),
        may_reveal: staff.may(Permission::Reveal),
        status: &found,
    };
    Ok(render_page(http_status, &page))
}

pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(code): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let flash = flash_of(staff.tr, &query);
    render(&app, &staff, &code, flash, None).await
}

/// Makes a print run: of those who are due, or of the cases that were ticked.
pub async fn make_run(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(code): Path<String>,
) -> Result<Response, Failure> {
    let cases: Vec<CaseId> = form
        .text("case")
        .split_whitespace()
        .map(|case| case.parse().map(CaseId))
        .collect::<Result<_, _>>()
        .map_err(|_| Failure::BadRequest("the form names a case that is no number".into()))?;
    let request = PrintRequest {
        campaign: &code,
        cases: (form.text("which") == "ticked").then_some(&cases[..]),
        with_names: form.text("names") == "yes",
    };
    match print(&app.context, &staff.session.actor(), &request).await {
        Ok(report) => {
            let query = query_of(&report);
            Ok(Redirect::to(&format!("/campaigns/{code}/paper?{query}")).into_response())
        }
        Err(PaperFormError::UnknownCampaign(_)) => Err(Failure::NotFound),
        Err(error) => match error.zh() {
            Some(_) => {
                let problem = Some(error.localized(staff.tr.0));
                render(&app, &staff, &code, None, problem).await
            }
            None => Err(error.into()),
        },
    }
}

fn query_of(report: &PrintReport) -> String {
    let mut query = format!("printed={}", report.numbers.len());
    for (reason, count) in &report.left_out {
        query.push_str(&format!("&{}={count}", reason.as_str()));
    }
    query
}

/// The printed pages have a style sheet of their own, and nothing else.
fn print_policy() -> &'static str {
    static POLICY: LazyLock<String> = LazyLock::new(|| {
        let style = BASE64.encode(&sha256(STYLE.as_bytes()));
        format!(
            "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'"
        )
    });
    &POLICY
}

/// Answers a form with one document of a run: the page is in no history, and the access is audited.
pub async fn document(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path((code, run)): Path<(String, i64)>,
) -> Result<Response, Failure> {
    let actor = staff.session.actor();
    let made: documents::RunDocuments =
        match documents(&app.context, &app.interview_service, &actor, (&code, run)).await {
            Err(PaperFormError::UnknownCampaign(_) | PaperFormError::UnknownRun(_)) => {
                return Err(Failure::NotFound);
            }
            made => made?,
        };
    let html = match form.text("document") {
        "forms" => made.forms_html()?,
        "letters" => made.letters_html()?,
        "labels" => made.labels_html()?,
        "labels.csv" => {
            let headers = [
                (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
                (header::CONTENT_DISPOSITION, "attachment; filename=\"labels.csv\""),
            ];
            // Spreadsheet programs take UTF-8 for it only with a byte order mark.
            return Ok((headers, format!("\u{feff}{}", made.labels_csv()?)).into_response());
        }
        _ => return Err(Failure::BadRequest("the form names no document".into())),
    };
    let mut response = Html(html).into_response();
    if let Ok(policy) = HeaderValue::from_str(print_policy()) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    Ok(response)
}
