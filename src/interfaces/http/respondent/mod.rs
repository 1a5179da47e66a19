//! The respondent's pages at `/i/CODE`: server-rendered, without script, one response each, in the
//! languages of the questionnaire.
//!
//! GET changes nothing, so that scanners and prefetches do no harm. Every change is a POST that
//! ends in a redirect, so that a reload sends nothing twice; GET of a POST's address leads to the
//! current page of the interview. Input that cannot be saved is shown again as typed ([`answers`]).

mod answers;
mod brand;
mod page_form;
mod views;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Extension, Router};
use data_encoding::BASE64;
use sha2::{Digest, Sha256};

use super::Failure;
use super::state::AppState;
use crate::domain::language::Language;
use crate::domain::mode::Mode;
use crate::domain::questionnaire;
use crate::services::interviews::{
    AnswerContext, CallTime, EndScreen, InvitationCases, ReminderTime, RequestConfirmation,
    SaveOutcome, Screen,
};
pub use brand::{Brand, OrganiserCache};
use page_form::PageForm;
use views::{EndPage, PageRef, QuestionsPage, Typed, WelcomePage};
pub use views::{PageLocale, PlainPage};

pub const STYLE: &str = include_str!("../../../../templates/respondent/style.css");
/// Initial capacity of a page in bytes. Pages have 14 KB at most.
const PAGE_CAPACITY: usize = 14 * 1024;

/// Nothing is loaded from other addresses. The only style sheet is inline, allowed by its hash.
static CONTENT_SECURITY_POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = BASE64.encode(&Sha256::digest(STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; \
            frame-ancestors 'none'"
    )
});

pub fn content_security_policy() -> &'static str {
    &CONTENT_SECURITY_POLICY
}

pub fn routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/logo/{name}", get(brand::logo))
        .route("/i/{code}", get(show))
        .route("/i/{code}/begin", or_lead_back(post(begin)))
        .route("/i/{code}/answers", or_lead_back(post(answers::answers)))
        .route("/i/{code}/later", or_lead_back(post(later)))
        .route("/i/{code}/call-me", or_lead_back(post(call_me)))
        .route("/i/{code}/refuse", or_lead_back(post(refuse)))
        .route("/i/{code}/undo", or_lead_back(post(undo)))
        .route("/i/{code}/not-a-user", or_lead_back(post(not_a_user)))
}

type Fields = BTreeMap<String, String>;

/// GET of an address that takes a POST, by a reload or from the history, leads to where the
/// interview stands.
fn or_lead_back(posts: MethodRouter<Arc<AppState>>) -> MethodRouter<Arc<AppState>> {
    posts.get(async |Path(code): Path<String>, Query(query): Query<Fields>| {
        let code = parse_code(&code)?;
        Ok::<_, Failure>(match language_of(&query) {
            Some(language) => redirect_to_page(code, language, None),
            None => Redirect::to(&format!("/i/{code}")),
        })
    })
}

async fn show(
    State(app): State<Arc<AppState>>,
    Path(code): Path<String>,
    Query(query): Query<Fields>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let failure = |error| Failure::from_interview_error(&app, error);
    let invitation_cases = app
        .interview_service
        .open_invitation(parse_code(&code)?, Mode::Web)
        .await
        .map_err(failure)?;
    let language = language_of(&query).unwrap_or_else(|| {
        let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        invitation_cases
            .language()
            .for_browser(accepted.unwrap_or_default(), &invitation_cases.languages())
    });
    let wanted = query.get("page").and_then(|page| page.parse().ok());
    let paths = invitation_cases.paths();
    let screen =
        match (invitation_cases.screen(&paths, wanted), query.get("noted").map(String::as_str)) {
            (finished @ Screen::Finished(_), _) => finished,
            (_, Some("later")) => Screen::RequestConfirmed(
                app.interview_service
                    .reminder_confirmation(&invitation_cases)
                    .await
                    .map_err(failure)?,
            ),
            (_, Some("call")) => Screen::RequestConfirmed(RequestConfirmation::CallRequested),
            (_, Some("held")) => Screen::RequestConfirmed(RequestConfirmation::PlacesReserved),
            (screen, _) => screen,
        };
    let undo = match screen {
        Screen::Finished(EndScreen::Refused | EndScreen::Withdrawn) => {
            app.interview_service.undoable_refusal(&invitation_cases).await.map_err(failure)?
        }
        _ => None,
    };
    let typed = Typed { undo, ..Typed::default() };
    Ok(render(&app, &invitation_cases, &paths, &code, language, screen, typed))
}

/// Begins the interview. A page that was sent before the notice was agreed to follows at once.
async fn begin(
    State(app): State<Arc<AppState>>,
    Path(code): Path<String>,
    Query(query): Query<Fields>,
    headers: HeaderMap,
    form: PageForm,
) -> Result<Response, Failure> {
    let code = parse_code(&code)?;
    let language = language_of(&query).unwrap_or_default();
    let Some(notice) = form.text("notice") else { return Ok(unreadable()) };
    let saved = match app.interview_service.begin(code, language, notice, AnswerContext::WEB).await
    {
        Ok(saved) => saved,
        Err(error) => return answers::not_saved(&app, code, language, &form, error).await,
    };
    match saved {
        SaveOutcome::PlacesReserved => {
            Ok(redirect_with_confirmation(code, language, "held").into_response())
        }
        _ if form.number("page").is_some() => {
            answers::submit(&app, code, language, &headers, form).await
        }
        _ => Ok(redirect_to_page(code, language, None).into_response()),
    }
}

/// The buttons for «later» and «call me» on a page of questions send what stands on it.
async fn later(
    State(app): State<Arc<AppState>>,
    Path(code): Path<String>,
    Query(query): Query<Fields>,
    headers: HeaderMap,
    form: PageForm,
) -> Result<Response, Failure> {
    let code = parse_code(&code)?;
    let language = language_of(&query).unwrap_or_default();
    let Some(when) = form.text("when").and_then(ReminderTime::parse) else {
        return Ok(unreadable());
    };
    let note = app.interview_service.remind_later(code, when);
    answers::keep_and_note(&app, (code, language), &headers, form, note, "later").await
}

async fn call_me(
    State(app): State<Arc<AppState>>,
    Path(code): Path<String>,
    Query(query): Query<Fields>,
    headers: HeaderMap,
    form: PageForm,
) -> Result<Response, Failure> {
    let code = parse_code(&code)?;
    let language = language_of(&query).unwrap_or_default();
    let Some(when) = form.text("when").and_then(CallTime::parse) else { return Ok(unreadable()) };
    let note = app.interview_service.request_call(code, when);
    answers::keep_and_note(&app, (code, language), &headers, form, note, "call").await
}

async fn refuse(
    State(app): State<Arc<AppState>>,
    Path(code): Path<String>,
    Query(query): Query<Fields>,
) -> Result<Redirect, Failure> {
    let code = parse_code(&code)?;
    let failure = |error| Failure::from_interview_error(&app, error);
    app.interview_service.refuse(code).await.map_err(failure)?;
    Ok(redirect_to_page(code, language_of(&query).unwrap_or_default(), None))
}

/// Takes «do not contact me» back. Where that is not possible any more, the page says what holds.
async fn undo(
    State(app): State<Arc<AppState>>,
    Path(code): Path<String>,
    Query(query): Query<Fields>,
) -> Result<Redirect, Failure> {
    let code = parse_code(&code)?;
    let failure = |error| Failure::from_interview_error(&app, error);
    app.interview_service.undo_refusal(code).await.map_err(failure)?;
    Ok(redirect_to_page(code, language_of(&query).unwrap_or_default(), None))
}

async fn not_a_user(
    State(app): State<Arc<AppState>>,
    Path(code): Path<String>,
    Query(query): Query<Fields>,
    form: PageForm,
) -> Result<Response, Failure> {
    let code = parse_code(&code)?;
    let failure = |error| Failure::from_interview_error(&app, error);
    let Some(case) = form.number("case") else { return Ok(unreadable()) };
    app.interview_service
        .mark_not_eligible(code, case, AnswerContext::WEB)
        .await
        .map_err(failure)?;
    let language = language_of(&query).unwrap_or_default();
    Ok(redirect_to_page(code, language, None).into_response())
}

/// Returns the code if its form is valid; other values are not looked up.
fn parse_code(code: &str) -> Result<&str, Failure> {
    if (10..=40).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric()) {
        Ok(code)
    } else {
        Err(Failure::NotFound)
    }
}

fn language_of(query: &Fields) -> Option<Language> {
    query.get("lang").and_then(|tag| Language::parse(tag))
}

fn unreadable() -> Response {
    (StatusCode::BAD_REQUEST, unreadable_page()).into_response()
}

fn redirect_with_confirmation(code: &str, language: Language, what: &str) -> Redirect {
    Redirect::to(&format!("/i/{code}?lang={language}&noted={what}"))
}

fn redirect_to_page(code: &str, language: Language, page: Option<usize>) -> Redirect {
    let page = page.map(|page| format!("&page={page}")).unwrap_or_default();
    Redirect::to(&format!("/i/{code}?lang={language}{page}"))
}

fn render(
    app: &AppState,
    invitation_cases: &InvitationCases,
    paths: &[questionnaire::QuestionPath<'_>],
    code: &str,
    language: Language,
    screen: Screen,
    typed: Typed<'_>,
) -> Response {
    let status = typed.status();
    let now = app.context.clock.now();
    let mut html = String::with_capacity(PAGE_CAPACITY);
    let rendered = match screen {
        Screen::Welcome => {
            WelcomePage::new(invitation_cases, code, language, now, &typed).render_into(&mut html)
        }
        Screen::Page { case, page } => QuestionsPage::new(
            invitation_cases,
            paths,
            code,
            language,
            PageRef { case, page },
            now,
            &typed,
        )
        .render_into(&mut html),
        Screen::RequestConfirmed(noted) => {
            EndPage::noted(noted, invitation_cases, code, language, now).render_into(&mut html)
        }
        Screen::Finished(finish) => {
            EndPage::finished(finish, invitation_cases, code, language, &typed)
                .render_into(&mut html)
        }
    };
    let brand = Brand::of(&invitation_cases.programme.organiser, language);
    match rendered {
        Ok(()) => brand.protect((status, Html(html)).into_response()),
        Err(error) => Failure::Internal(error.to_string()).into_response(),
    }
}

/// Returns the page of unknown URLs, including wrong links.
pub fn not_found_page() -> impl IntoResponse {
    plain(PlainPage::NotFound)
}

pub fn failure_page(reference: &str) -> impl IntoResponse + use<> {
    plain(PlainPage::Failure(reference.to_owned()))
}

/// Returns the page of a form that cannot be read. The browser still has what was typed.
pub fn unreadable_page() -> impl IntoResponse {
    plain(PlainPage::Unreadable)
}

/// A page without an organiser; [`name_organisers`] adds what is known of one.
fn plain(page: PlainPage) -> (Extension<PlainPage>, Html<String>) {
    let html = EndPage::plain(&page, Brand::default()).render().unwrap_or_default();
    (Extension(page), Html(html))
}

/// Says on a page that belongs to no invitation whom to ask.
pub async fn name_organisers(app: &AppState, mut response: Response) -> Response {
    let Some(page) = response.extensions_mut().remove::<PlainPage>() else { return response };
    let organisers = app.organisers.get(app).await;
    if organisers.is_empty() {
        return response;
    }
    let brand = || Brand::of_all(&organisers, Language::ZH);
    let Ok(html) = EndPage::plain(&page, brand()).render() else { return response };
    let (parts, _) = response.into_parts();
    brand().protect(Response::from_parts(parts, html.into()))
}
