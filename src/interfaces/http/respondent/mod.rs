//! The respondent's pages at `/i/CODE`: server-rendered, without script, one response each, in
//! Chinese and English.
//!
//! GET changes nothing. Every change is a POST that ends in a redirect, so that a reload sends
//! nothing twice.

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

use super::Failure;
use super::items::{RejectedAnswers, merge_form_fields};
use super::state::AppState;
use crate::domain::device::DeviceClass;
use crate::domain::language::Language;
use crate::domain::mode::Mode;
use crate::domain::questionnaire;
use crate::domain::time::Timestamp;
use crate::services::interviews::{
    AnswerContext, CallTime, InvitationCases, ReminderTime, RequestConfirmation, SaveOutcome,
    Screen, SubmittedPage,
};
use views::{EndPage, PageRef, QuestionsPage, WelcomePage};

pub const STYLE: &str = include_str!("../../../../templates/respondent/style.css");
const MAX_FORM: usize = 64 * 1024;
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

async fn show(
    State(app): State<Arc<AppState>>,
    Path(code): Path<String>,
    Query(query): Query<Fields>,
) -> Result<Response, Failure> {
    let failure = |error| Failure::from_interview_error(&app, error);
    let invitation_cases = app
        .interview_service
        .open_invitation(parse_code(&code)?, Mode::Web)
        .await
        .map_err(failure)?;
    let language = language_of(&query).unwrap_or(invitation_cases.language());
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
    Ok(render(&app, &invitation_cases, &paths, &code, language, screen, None))
}

async fn begin(
    State(app): State<Arc<AppState>>,
    Path(code): Path<String>,
    Query(query): Query<Fields>,
    Form(form): Form<Fields>,
) -> Result<Redirect, Failure> {
    let code = parse_code(&code)?;
    let failure = |error| Failure::from_interview_error(&app, error);
    let language = language_of(&query).unwrap_or_default();
    match app
        .interview_service
        .begin(code, language, text(&form, "notice")?, AnswerContext::WEB)
        .await
        .map_err(failure)?
    {
        SaveOutcome::PlacesReserved => Ok(redirect_with_confirmation(code, language, "held")),
        _ => Ok(redirect_to_page(code, language, None)),
    }
}

async fn answers(
    State(app): State<Arc<AppState>>,
    Path(code): Path<String>,
    Query(query): Query<Fields>,
    headers: HeaderMap,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let form = merge_form_fields(form);
    let code = parse_code(&code)?;
    let failure = |error| Failure::from_interview_error(&app, error);
    let language = language_of(&query).unwrap_or_default();
    let (case, page) = (number(&form, "case")?, number(&form, "page")?);
    let agent =
        headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let shown_at = form.get("shown").and_then(|millis| millis.parse().ok()).map(Timestamp);
    let sent = SubmittedPage {
        answer_context: AnswerContext::WEB,
        case,
        page,
        single_item: None,
        fields: &form,
        language,
        device: DeviceClass::of_user_agent(agent),
        shown_at,
    };
    match app.interview_service.save_page(code, &sent).await.map_err(failure)? {
        SaveOutcome::Accepted => {
            Ok(redirect_to_page(code, language, Some(page + 1)).into_response())
        }
        SaveOutcome::PlacesReserved => {
            Ok(redirect_with_confirmation(code, language, "held").into_response())
        }
        SaveOutcome::NotAccepting | SaveOutcome::AnsweredOnWeb => {
            Ok(redirect_to_page(code, language, None).into_response())
        }
        SaveOutcome::Problems(problems) => {
            let invitation_cases =
                app.interview_service.open_invitation(code, Mode::Web).await.map_err(failure)?;
            let rejected = RejectedAnswers { problems, fields: form };
            let paths = invitation_cases.paths();
            Ok(render(
                &app,
                &invitation_cases,
                &paths,
                code,
                language,
                invitation_cases.screen(&paths, Some(page)),
                Some(rejected),
            ))
        }
    }
}

async fn later(
    State(app): State<Arc<AppState>>,
    Path(code): Path<String>,
    Query(query): Query<Fields>,
    Form(form): Form<Fields>,
) -> Result<Redirect, Failure> {
    let code = parse_code(&code)?;
    let failure = |error| Failure::from_interview_error(&app, error);
    let when = ReminderTime::parse(text(&form, "when")?).ok_or_else(|| bad_request("when"))?;
    app.interview_service.remind_later(code, when).await.map_err(failure)?;
    Ok(redirect_with_confirmation(code, language_of(&query).unwrap_or_default(), "later"))
}

async fn call_me(
    State(app): State<Arc<AppState>>,
    Path(code): Path<String>,
    Query(query): Query<Fields>,
    Form(form): Form<Fields>,
) -> Result<Redirect, Failure> {
    let code = parse_code(&code)?;
    let failure = |error| Failure::from_interview_error(&app, error);
    let when = CallTime::parse(text(&form, "when")?).ok_or_else(|| bad_request("when"))?;
    app.interview_service.request_call(code, when).await.map_err(failure)?;
    Ok(redirect_with_confirmation(code, language_of(&query).unwrap_or_default(), "call"))
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

async fn not_a_user(
    State(app): State<Arc<AppState>>,
    Path(code): Path<String>,
    Query(query): Query<Fields>,
    Form(form): Form<Fields>,
) -> Result<Redirect, Failure> {
    let code = parse_code(&code)?;
    let failure = |error| Failure::from_interview_error(&app, error);
    app.interview_service
        .mark_not_eligible(code, number(&form, "case")?, AnswerContext::WEB)
        .await
        .map_err(failure)?;
    Ok(redirect_to_page(code, language_of(&query).unwrap_or_default(), None))
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

fn number(form: &Fields, field: &str) -> Result<usize, Failure> {
    text(form, field)?.parse().map_err(|_| bad_request(field))
}

fn text<'f>(form: &'f Fields, field: &str) -> Result<&'f str, Failure> {
    form.get(field).map(String::as_str).ok_or_else(|| bad_request(field))
}

fn bad_request(field: &str) -> Failure {
    Failure::BadRequest(format!("the form has no {field} that can be read"))
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
    rejected: Option<RejectedAnswers>,
) -> Response {
    let status = if rejected.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let now = app.context.clock.now();
    let mut html = String::with_capacity(PAGE_CAPACITY);
    let rendered = match screen {
        Screen::Welcome => {
            WelcomePage::new(invitation_cases, code, language, now).render_into(&mut html)
        }
        Screen::Page { case, page } => QuestionsPage::new(
            invitation_cases,
            paths,
            code,
            language,
            PageRef { case, page },
            now,
            rejected,
        )
        .render_into(&mut html),
        Screen::RequestConfirmed(noted) => {
            EndPage::noted(noted, invitation_cases, code, language).render_into(&mut html)
        }
        Screen::Finished(finish) => {
            EndPage::finished(finish, code, language).render_into(&mut html)
        }
    };
    match rendered {
        Ok(()) => (status, Html(html)).into_response(),
        Err(error) => Failure::Internal(error.to_string()).into_response(),
    }
}

/// Returns the page of unknown URLs, including wrong links.
pub fn not_found_page() -> Html<String> {
    Html(EndPage::not_found().render().unwrap_or_default())
}

pub fn failure_page(reference: &str) -> Html<String> {
    Html(EndPage::failure(reference).render().unwrap_or_default())
}
