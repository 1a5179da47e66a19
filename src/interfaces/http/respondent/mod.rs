//! The respondent's pages at `/i/CODE`: server-rendered, without script, one response each, Chinese and English.
//!
//! GET shows and changes nothing; every change is a POST that ends in a redirect, so that a reload never sends anything twice.

mod views;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use askama::Template;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use data_encoding::BASE64;
use sha2::{Digest, Sha256};

use super::items::{Attempt, gathered};
use super::Failure;
use super::state::Site;
use crate::services::interviews::{Bundle, CallWhen, Later, Noted, Saved, Screen, SentPage, Sitting};
use crate::domain::device::DeviceClass;
use crate::domain::language::Language;
use crate::domain::mode::Mode;
use crate::domain::questionnaire;
use crate::domain::time::Timestamp;
use views::{EndPage, Place, QuestionsPage, WelcomePage};

pub const STYLE: &str = include_str!("../../../../templates/respondent/style.css");
const MAX_FORM: usize = 64 * 1024;
/// Room for a page; they weigh 14 KB at most.
const LARGEST_PAGE: usize = 14 * 1024;

/// Nothing is loaded from anywhere; the one style sheet is in the page and allowed by its hash.
static CSP: LazyLock<String> = LazyLock::new(|| {
    let hash = BASE64.encode(&Sha256::digest(STYLE.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
});

pub fn content_security_policy() -> &'static str {
    &CSP
}

pub fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/i/{code}", get(show))
        .route("/i/{code}/begin", post(begin))
        .route("/i/{code}/answers", post(answers))
        .route("/i/{code}/later", post(later))
        .route("/i/{code}/call-me", post(call_me))
        .route("/i/{code}/refuse", post(refuse))
        .route("/i/{code}/not-a-user", post(not_a_user))
        .layer(DefaultBodyLimit::max(MAX_FORM))
}

type Fields = BTreeMap<String, String>;

async fn show(State(site): State<Arc<Site>>, Path(code): Path<String>, Query(query): Query<Fields>) -> Result<Response, Failure> {
    let failure = |error| Failure::of_collect(&site, error);
    let bundle = site.collector.open(checked(&code)?, Mode::Web).await.map_err(failure)?;
    let language = language_of(&query).unwrap_or(bundle.language());
    let wanted = query.get("page").and_then(|page| page.parse().ok());
    let paths = bundle.paths();
    let screen = match (bundle.screen(&paths, wanted), query.get("noted").map(String::as_str)) {
        (finished @ Screen::Finished(_), _) => finished,
        (_, Some("later")) => Screen::Noted(site.collector.noted_later(&bundle).await.map_err(failure)?),
        (_, Some("call")) => Screen::Noted(Noted::Call),
        (_, Some("held")) => Screen::Noted(Noted::Held),
        (screen, _) => screen,
    };
    Ok(render(&site, &bundle, &paths, &code, language, screen, None))
}

async fn begin(
    State(site): State<Arc<Site>>,
    Path(code): Path<String>,
    Query(query): Query<Fields>,
    Form(form): Form<Fields>,
) -> Result<Redirect, Failure> {
    let code = checked(&code)?;
    let failure = |error| Failure::of_collect(&site, error);
    let language = language_of(&query).unwrap_or_default();
    match site.collector.begin(code, language, text(&form, "notice")?, Sitting::WEB).await.map_err(failure)? {
        Saved::Held => Ok(noted(code, language, "held")),
        _ => Ok(back_to(code, language, None)),
    }
}

async fn answers(
    State(site): State<Arc<Site>>,
    Path(code): Path<String>,
    Query(query): Query<Fields>,
    headers: HeaderMap,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let form = gathered(form);
    let code = checked(&code)?;
    let failure = |error| Failure::of_collect(&site, error);
    let language = language_of(&query).unwrap_or_default();
    let (case, page) = (number(&form, "case")?, number(&form, "page")?);
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let shown_at = form.get("shown").and_then(|shown| shown.parse().ok()).map(Timestamp);
    let sent =
        SentPage { sitting: Sitting::WEB, case, page, only: None, fields: &form, language, device: DeviceClass::of_user_agent(agent), shown_at };
    match site.collector.save_page(code, &sent).await.map_err(failure)? {
        Saved::GoOn => Ok(back_to(code, language, Some(page + 1)).into_response()),
        Saved::Held => Ok(noted(code, language, "held").into_response()),
        Saved::NotAskable | Saved::TakenOver => Ok(back_to(code, language, None).into_response()),
        Saved::Problems(problems) => {
            let bundle = site.collector.open(code, Mode::Web).await.map_err(failure)?;
            let attempt = Attempt { problems, sent: form };
            let paths = bundle.paths();
            Ok(render(&site, &bundle, &paths, code, language, bundle.screen(&paths, Some(page)), Some(attempt)))
        }
    }
}

async fn later(
    State(site): State<Arc<Site>>,
    Path(code): Path<String>,
    Query(query): Query<Fields>,
    Form(form): Form<Fields>,
) -> Result<Redirect, Failure> {
    let code = checked(&code)?;
    let failure = |error| Failure::of_collect(&site, error);
    let when = Later::parse(text(&form, "when")?).ok_or_else(|| unreadable("when"))?;
    site.collector.later(code, when).await.map_err(failure)?;
    Ok(noted(code, language_of(&query).unwrap_or_default(), "later"))
}

async fn call_me(
    State(site): State<Arc<Site>>,
    Path(code): Path<String>,
    Query(query): Query<Fields>,
    Form(form): Form<Fields>,
) -> Result<Redirect, Failure> {
    let code = checked(&code)?;
    let failure = |error| Failure::of_collect(&site, error);
    let when = CallWhen::parse(text(&form, "when")?).ok_or_else(|| unreadable("when"))?;
    site.collector.call_me(code, when).await.map_err(failure)?;
    Ok(noted(code, language_of(&query).unwrap_or_default(), "call"))
}

async fn refuse(State(site): State<Arc<Site>>, Path(code): Path<String>, Query(query): Query<Fields>) -> Result<Redirect, Failure> {
    let code = checked(&code)?;
    let failure = |error| Failure::of_collect(&site, error);
    site.collector.refuse(code).await.map_err(failure)?;
    Ok(back_to(code, language_of(&query).unwrap_or_default(), None))
}

async fn not_a_user(
    State(site): State<Arc<Site>>,
    Path(code): Path<String>,
    Query(query): Query<Fields>,
    Form(form): Form<Fields>,
) -> Result<Redirect, Failure> {
    let code = checked(&code)?;
    let failure = |error| Failure::of_collect(&site, error);
    site.collector.not_a_user(code, number(&form, "case")?, Sitting::WEB).await.map_err(failure)?;
    Ok(back_to(code, language_of(&query).unwrap_or_default(), None))
}

/// Only what can be a code is looked up.
fn checked(code: &str) -> Result<&str, Failure> {
    if (10..=40).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric()) { Ok(code) } else { Err(Failure::NotFound) }
}

fn language_of(query: &Fields) -> Option<Language> {
    query.get("lang").and_then(|tag| Language::parse(tag))
}

fn number(form: &Fields, field: &str) -> Result<usize, Failure> {
    text(form, field)?.parse().map_err(|_| unreadable(field))
}

fn text<'f>(form: &'f Fields, field: &str) -> Result<&'f str, Failure> {
    form.get(field).map(String::as_str).ok_or_else(|| unreadable(field))
}

fn unreadable(field: &str) -> Failure {
    Failure::Unreadable(format!("the form has no {field} that can be read"))
}

fn noted(code: &str, language: Language, what: &str) -> Redirect {
    Redirect::to(&format!("/i/{code}?lang={language}&noted={what}"))
}

fn back_to(code: &str, language: Language, page: Option<usize>) -> Redirect {
    let page = page.map(|page| format!("&page={page}")).unwrap_or_default();
    Redirect::to(&format!("/i/{code}?lang={language}{page}"))
}

fn render(
    site: &Site,
    bundle: &Bundle,
    paths: &[questionnaire::Path<'_>],
    code: &str,
    language: Language,
    screen: Screen,
    attempt: Option<Attempt>,
) -> Response {
    let status = if attempt.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let now = site.installation.clock.now();
    let mut html = String::with_capacity(LARGEST_PAGE);
    let rendered = match screen {
        Screen::Welcome => WelcomePage::new(bundle, code, language, now).render_into(&mut html),
        Screen::Page { case, page } => QuestionsPage::new(bundle, paths, code, language, Place { case, page }, now, attempt).render_into(&mut html),
        Screen::Noted(noted) => EndPage::noted(noted, bundle, code, language).render_into(&mut html),
        Screen::Finished(finish) => EndPage::finished(finish, code, language).render_into(&mut html),
    };
    match rendered {
        Ok(()) => (status, Html(html)).into_response(),
        Err(error) => Failure::Internal(error.to_string()).into_response(),
    }
}

/// For every address that is none of ours, a wrong link among them.
pub fn not_found_page() -> Html<String> {
    Html(EndPage::not_found().render().unwrap_or_default())
}

pub fn failure_page(reference: &str) -> Html<String> {
    Html(EndPage::failure(reference).render().unwrap_or_default())
}
