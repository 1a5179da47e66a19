//! A list before its import: every problem beside its row, corrected in place.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::super::page_layout::{Frame, Say, page};
use super::super::auth::{Sent, Staff};
use super::super::upload::Uploaded;
use super::super::Failure;
use super::super::state::Site;
use super::refusals::Refusal;
use super::setup::show_application;
use crate::services::list_import::{Decision, Finding, ImportOutcome};
use crate::services::drafts::lists::{ListError, Preview, Row, correct as put_right, preview, take_in, take_over, throw_away};

/// Rows with problems that are corrected at a time, and sound rows that are shown.
const AT_ONCE: usize = 50;

struct RowView<'a> {
    of: &'a Row,
    is_rejected: bool,
    problems: Vec<String>,
}

#[derive(Template)]
#[template(path = "console/list.html")]
struct ListPage<'a> {
    f: Frame<'a>,
    noted: Option<&'static str>,
    problem: Option<String>,
    of: &'a Preview,
    outcome: Option<&'a ImportOutcome>,
    to_correct: Vec<RowView<'a>>,
    more_to_correct: usize,
    others: Vec<RowView<'a>>,
    sound: Vec<&'a Row>,
    more_sound: usize,
}

/// What is to be said of a row, in the reader's language.
fn in_words(s: Say, finding: &Finding) -> String {
    let zh = match finding.what.as_str() {
        "no telephone number stands here; fill it in" => "没有电话号码，请填写",
        what if what.starts_with("the spreadsheet has cut digits off") => "表格软件截去了末尾数字（如 1.38E+10）；请将该列设为文本后重新填写",
        what if what.starts_with("this is not a telephone number") => "不是电话号码；固定电话请加区号，境外号码请加 + 国家代码",
        what if what.starts_with("no such number exists") => "号段不存在；请向申报单位核实",
        what if what.starts_with("a fixed line") => "固定电话：可电话访问，不能收短信；请向申报单位索要手机号",
        what if what.starts_with("the same number as") => "与前面某行号码相同，视为同一人；如确为两人，请更正号码",
        what if what.starts_with("on an earlier list of this applicant") => "已在该单位较早的名单中：仍为一人，各申报共一次邀请",
        what if what.starts_with("on an earlier list of this application") => "已在本申报较早的名单中，无需处理",
        what if what.starts_with("suppressed") => "在免打扰名单中：保留在名单上，不联系",
        _ => "",
    };
    let words = if s.tag() == "zh" && !zh.is_empty() { zh } else { &finding.what };
    if finding.column.is_empty() { words.to_owned() } else { format!("{}: {words}", finding.column) }
}

fn view(s: Say, row: &Row) -> RowView<'_> {
    let is_rejected = row.findings.iter().any(|finding| finding.decision == Decision::Rejected);
    RowView { of: row, is_rejected, problems: row.findings.iter().map(|finding| in_words(s, finding)).collect() }
}

async fn render(
    site: &Site,
    staff: &Staff,
    id: i64,
    status: StatusCode,
    noted: Option<&'static str>,
    problem: Option<String>,
) -> Result<Response, Failure> {
    let of = match preview(&site.installation, id).await {
        Ok(of) => of,
        Err(error) => return gone(error),
    };
    let s = staff.say;
    let (wrong, sound): (Vec<&Row>, Vec<&Row>) = of.rows.iter().partition(|row| !row.findings.is_empty());
    let (to_correct, others): (Vec<RowView<'_>>, Vec<RowView<'_>>) = wrong.into_iter().map(|row| view(s, row)).partition(|row| row.is_rejected);
    let problem = problem.or_else(|| of.outcome.as_ref().err().map(|error| error.words(s)));
    let shown = ListPage {
        f: Frame::of(staff),
        noted,
        problem,
        outcome: of.outcome.as_ref().ok(),
        more_to_correct: to_correct.len().saturating_sub(AT_ONCE),
        to_correct: to_correct.into_iter().take(AT_ONCE).collect(),
        others: others.into_iter().take(AT_ONCE).collect(),
        more_sound: sound.len().saturating_sub(AT_ONCE),
        sound: sound.into_iter().take(AT_ONCE).collect(),
        of: &of,
    };
    Ok(page(status, &shown))
}

fn gone(error: ListError) -> Result<Response, Failure> {
    match error {
        ListError::Gone => Err(Failure::NotFound),
        error => Err(Failure::Internal(error.to_string())),
    }
}

/// Takes a file in. One that cannot be read changes nothing, and says why.
pub async fn upload(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Extension(sent): Extension<Sent>,
    Extension(uploaded): Extension<Uploaded>,
    Path(code): Path<String>,
) -> Result<Response, Failure> {
    let others = sent.text("others").split([',', '，', ' ']).map(str::trim).filter(|other| !other.is_empty()).map(str::to_owned);
    let codes: Vec<String> = std::iter::once(code.clone()).chain(others.filter(|other| *other != code)).collect();
    match take_in(&site.installation, &staff.session.account.name, &codes, &uploaded.name, &uploaded.content).await {
        Ok(id) => Ok(Redirect::to(&format!("/lists/{id}")).into_response()),
        Err(error @ (ListError::Intake(_) | ListError::TooManyRows(_) | ListError::HugeCell { .. })) => {
            show_application(&site, &staff, &code, StatusCode::UNPROCESSABLE_ENTITY, None, Some(error.words(staff.say))).await
        }
        Err(error) => gone(error),
    }
}

pub async fn show(State(site): State<Arc<Site>>, Extension(staff): Extension<Staff>, Path(id): Path<i64>) -> Result<Response, Failure> {
    render(&site, &staff, id, StatusCode::OK, None, None).await
}

/// Takes corrections: fields are named `cell-ROW-COLUMN`.
pub async fn correct(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Extension(sent): Extension<Sent>,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    let cell = |name: &str| {
        let mut parts = name.strip_prefix("cell-")?.splitn(2, '-');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    let corrections: BTreeMap<(u32, usize), String> = sent.0.iter().filter_map(|(name, value)| Some((cell(name)?, value.clone()))).collect();
    match put_right(&site.installation, id, &corrections).await {
        Ok(()) => render(&site, &staff, id, StatusCode::OK, Some(staff.say.t("已更正并重新检查。", "Corrected, and checked again.")), None).await,
        Err(ListError::Changed) => {
            let problem = staff.say.t("他人刚刚更正过此名单，请再看一遍。", "Somebody else has corrected this list meanwhile; look at it again.");
            render(&site, &staff, id, StatusCode::CONFLICT, None, Some(problem.to_owned())).await
        }
        Err(error) => gone(error),
    }
}

pub async fn import(State(site): State<Arc<Site>>, Extension(staff): Extension<Staff>, Path(id): Path<i64>) -> Result<Response, Failure> {
    match take_over(&site.installation, id).await {
        Ok(outcome) => {
            let first = outcome.names.first().map(|(code, _)| code.clone()).unwrap_or_default();
            Ok(Redirect::to(&format!("/applications/{first}?noted=imported")).into_response())
        }
        Err(ListError::Intake(error)) => render(&site, &staff, id, StatusCode::UNPROCESSABLE_ENTITY, None, Some(error.words(staff.say))).await,
        Err(error) => gone(error),
    }
}

pub async fn discard(State(site): State<Arc<Site>>, Path(id): Path<i64>) -> Result<Response, Failure> {
    match throw_away(&site.installation, id).await {
        Ok(()) => Ok(Redirect::to("/setup?noted=dropped").into_response()),
        Err(error) => gone(error),
    }
}
