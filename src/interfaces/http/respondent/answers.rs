//! Pages of answers: saved, or shown again as they were typed.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use super::super::Failure;
use super::super::client_address::client_address;
use super::super::error_page::log_with_reference;
use super::super::items::RejectedAnswers;
use super::super::state::AppState;
use super::page_form::{PageForm, PageIntent};
use super::views::{Redisplay, Typed, UnsavedPage};
use super::{
    Fields, language_of, parse_code, redirect_to_page, redirect_with_confirmation, render,
    unreadable,
};
use crate::domain::device::DeviceClass;
use crate::domain::language::Language;
use crate::domain::mode::Mode;
use crate::domain::origin::{OriginFacts, network_of};
use crate::domain::personal::Personal;
use crate::domain::questionnaire::AnswerProblem;
use crate::domain::time::Timestamp;
use crate::services::interviews::{
    AnswerContext, InterviewError, SaveOutcome, Screen, SubmittedPage,
};

/// After this time a page that could not be saved can be sent again, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("10");

pub async fn answers(
    State(app): State<Arc<AppState>>,
    Path(code): Path<String>,
    Query(query): Query<Fields>,
    headers: HeaderMap,
    form: PageForm,
) -> Result<Response, Failure> {
    let code = parse_code(&code)?;
    let language = language_of(&query).unwrap_or_default();
    match form.intent() {
        _ if form.is_cut => {
            show_again(&app, code, language, form, Redisplay::TooLarge, BTreeMap::new()).await
        }
        PageIntent::ReadIn(other) => {
            show_again(&app, code, other, form, Redisplay::OtherLanguage, BTreeMap::new()).await
        }
        PageIntent::Back(before) => go_back(&app, code, language, &headers, form, before).await,
        PageIntent::Submit => submit(&app, code, language, &headers, form).await,
    }
}

/// Saves a page and goes on.
pub async fn submit(
    app: &AppState,
    code: &str,
    language: Language,
    headers: &HeaderMap,
    form: PageForm,
) -> Result<Response, Failure> {
    let origin = origin_of(app, &form, headers);
    let page = submitted_page(&form, language, headers);
    let Some(page) = page.map(|page| SubmittedPage { origin: origin.as_ref(), ..page }) else {
        return show_again(app, code, language, form, Redisplay::Unreadable, BTreeMap::new()).await;
    };
    let next = page.page + 1;
    let saved = app.interview_service.save_page(code, &page).await;
    match saved {
        Ok(SaveOutcome::Accepted) => {
            Ok(redirect_to_page(code, language, Some(next)).into_response())
        }
        Ok(SaveOutcome::PlacesReserved) => {
            Ok(redirect_with_confirmation(code, language, "held").into_response())
        }
        Ok(SaveOutcome::NotAccepting | SaveOutcome::AnsweredOnWeb) => {
            not_accepted(app, code, language, form).await
        }
        Ok(SaveOutcome::Problems(problems)) => {
            show_again(app, code, language, form, Redisplay::Problems, problems).await
        }
        Err(InterviewError::InvalidForm) => {
            show_again(app, code, language, form, Redisplay::Unreadable, BTreeMap::new()).await
        }
        Err(error) => not_saved(app, code, language, &form, error).await,
    }
}

/// Keeps what is good of a page and goes back. What is not good is shown once, with a plain link
/// back.
async fn go_back(
    app: &AppState,
    code: &str,
    language: Language,
    headers: &HeaderMap,
    form: PageForm,
    before: usize,
) -> Result<Response, Failure> {
    match keep(app, code, language, headers, &form).await {
        Ok(SaveOutcome::Problems(problems)) => {
            show_again(app, code, language, form, Redisplay::Problems, problems).await
        }
        Ok(SaveOutcome::NotAccepting) => not_accepted(app, code, language, form).await,
        Ok(_) => Ok(redirect_to_page(code, language, Some(before)).into_response()),
        Err(error) => not_saved(app, code, language, &form, error).await,
    }
}

/// Keeps what is good of a page, and notes a wish: «later», or a call. The wish is noted whatever
/// stands on the page; what could not be saved of the page is said, and still stands there.
pub async fn keep_and_note(
    app: &AppState,
    (code, language): (&str, Language),
    headers: &HeaderMap,
    form: PageForm,
    note: impl Future<Output = Result<(), InterviewError>>,
    confirmation: &'static str,
) -> Result<Response, Failure> {
    let kept = async {
        let kept = keep(app, code, language, headers, &form).await?;
        note.await?;
        Ok(kept)
    };
    match kept.await {
        Ok(SaveOutcome::Problems(problems)) => {
            show_again(app, code, language, form, Redisplay::Noted, problems).await
        }
        Ok(SaveOutcome::NotAccepting) => not_accepted(app, code, language, form).await,
        Ok(_) => Ok(redirect_with_confirmation(code, language, confirmation).into_response()),
        Err(error) => not_saved(app, code, language, &form, error).await,
    }
}

/// Keeps what is good of a page, if the form has one.
async fn keep(
    app: &AppState,
    code: &str,
    language: Language,
    headers: &HeaderMap,
    form: &PageForm,
) -> Result<SaveOutcome, InterviewError> {
    match submitted_page(form, language, headers) {
        Some(page) => app.interview_service.keep_page(code, &page).await,
        None => Ok(SaveOutcome::Accepted),
    }
}

/// Where a page is sent from; `None` if the address tells nothing.
fn origin_of(app: &AppState, form: &PageForm, headers: &HeaderMap) -> Option<OriginFacts> {
    let address = client_address(&app.context.config.proxies, form.peer?, headers);
    let said = |name: header::HeaderName| {
        headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    };
    let browser = format!("{}\n{}", said(header::USER_AGENT), said(header::ACCEPT_LANGUAGE));
    let network = network_of(address)?;
    Some(OriginFacts { browser: Personal::new(browser), network: Personal::new(network) })
}

fn submitted_page<'f>(
    form: &'f PageForm,
    language: Language,
    headers: &HeaderMap,
) -> Option<SubmittedPage<'f>> {
    let agent =
        headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    Some(SubmittedPage {
        answer_context: AnswerContext::WEB,
        case: form.number("case")?,
        page: form.number("page")?,
        single_item: None,
        fields: &form.fields,
        language,
        device: DeviceClass::of_user_agent(agent),
        origin: None,
        shown_at: form.text("shown").and_then(|millis| millis.parse().ok()).map(Timestamp),
    })
}

/// Leads to where the interview stands. What was sent before the present notice is agreed to, or in
/// the moments between the end of the field and its closing, is carried along.
async fn not_accepted(
    app: &AppState,
    code: &str,
    language: Language,
    form: PageForm,
) -> Result<Response, Failure> {
    let invitation_cases = match app.interview_service.open_invitation(code, Mode::Web).await {
        Ok(invitation_cases) => invitation_cases,
        Err(error) => return not_saved(app, code, language, &form, error).await,
    };
    let paths = invitation_cases.paths();
    match invitation_cases.screen(&paths, None) {
        Screen::Welcome => {
            let typed = Typed { carried: form.carried(), ..Typed::default() };
            Ok(render(app, &invitation_cases, &paths, code, language, Screen::Welcome, typed))
        }
        Screen::Finished(_) if invitation_cases.is_being_closed(app.context.clock.now()) => {
            Ok(unsaved_page(app, code, language, &form, None).await)
        }
        _ => Ok(redirect_to_page(code, language, None).into_response()),
    }
}

/// Shows a page again with what was typed, whether it could be saved or not.
async fn show_again(
    app: &AppState,
    code: &str,
    language: Language,
    form: PageForm,
    reason: Redisplay,
    problems: BTreeMap<String, AnswerProblem>,
) -> Result<Response, Failure> {
    let invitation_cases = match app.interview_service.open_invitation(code, Mode::Web).await {
        Ok(invitation_cases) => invitation_cases,
        Err(error) => return not_saved(app, code, language, &form, error).await,
    };
    let paths = invitation_cases.paths();
    let screen = invitation_cases.screen(&paths, form.number("page"));
    let is_whole = !form.is_cut
        && matches!(screen, Screen::Page { case, page }
            if form.number("case") == Some(case) && form.number("page") == Some(page));
    let typed = Typed {
        reason: Some(reason),
        carried: form.carried(),
        rejected: Some(RejectedAnswers { problems, fields: form.fields.clone(), is_whole }),
        undo: None,
    };
    Ok(render(app, &invitation_cases, &paths, code, language, screen, typed))
}

/// Returns what was typed with a button that sends it again, if the page could not be saved for a
/// reason of ours.
pub async fn not_saved(
    app: &AppState,
    code: &str,
    language: Language,
    form: &PageForm,
    error: InterviewError,
) -> Result<Response, Failure> {
    match Failure::from_interview_error(app, error) {
        Failure::Internal(problem) => {
            let reference = log_with_reference(&problem);
            Ok(unsaved_page(app, code, language, form, Some(reference)).await)
        }
        Failure::BadRequest(_) => Ok(unreadable()),
        other => Err(other),
    }
}

async fn unsaved_page(
    app: &AppState,
    code: &str,
    language: Language,
    form: &PageForm,
    reference: Option<String>,
) -> Response {
    let organisers = app.organisers.get(app).await;
    let page = UnsavedPage::new(code, language, form.carried(), reference, &organisers);
    let html = Html(page.render().unwrap_or_default());
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let response = (status, [(header::RETRY_AFTER, RETRY_AFTER)], html).into_response();
    page.brand.protect(response)
}
