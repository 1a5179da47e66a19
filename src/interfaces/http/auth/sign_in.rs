//! Sign-in and sign-out.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use cookie::{Cookie, SameSite};
use serde::Deserialize;

use super::super::Failure;
use super::super::state::AppState;
use super::authorize::{
    LANGUAGE, SESSION, cookie_of, error_page, is_same_site, language_of, local_path_or_home,
    with_security_policy,
};
use super::{FormFields, Staff};
use crate::domain::language::Language;
use crate::domain::personal::Personal;
use crate::interfaces::http::page_layout::{ErrorPage, render_page};
use crate::interfaces::http::page_layout::{PageLayout, Translator};
use crate::services::accounts::{self, AccountError, Session, SignedIn};

#[derive(Template)]
#[template(path = "staff/sign-in.html")]
struct SignInPage<'a> {
    layout: PageLayout<'a>,
    problem: Option<&'a str>,
    entered_name: &'a str,
    next: &'a str,
}

#[derive(Template)]
#[template(path = "staff/second-factor-code.html")]
struct CodePage<'a> {
    layout: PageLayout<'a>,
    problem: Option<&'a str>,
    next: &'a str,
}

#[derive(Deserialize)]
pub struct SignIn {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub struct Code {
    code: String,
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub struct NextParameter {
    #[serde(default)]
    next: String,
}

pub async fn form(Query(parameters): Query<NextParameter>, headers: HeaderMap) -> Response {
    let tr = Translator(language_of(&headers).unwrap_or_default());
    with_security_policy(render_page(
        StatusCode::OK,
        &SignInPage {
            layout: PageLayout::signed_out(tr),
            problem: None,
            entered_name: "",
            next: local_path_or_home(&parameters.next),
        },
    ))
}

pub async fn sign_in(
    State(app): State<Arc<AppState>>,
    headers: HeaderMap,
    Form(form): Form<SignIn>,
) -> Result<Response, Failure> {
    let tr = Translator(language_of(&headers).unwrap_or_default());
    if !is_same_site(&headers) {
        return Ok(error_page(StatusCode::FORBIDDEN, tr, ErrorPage::OtherSession));
    }
    let (name, next) = (form.name.trim(), local_path_or_home(&form.next));
    let again = |status, problem| {
        Ok(with_security_policy(render_page(
            status,
            &SignInPage {
                layout: PageLayout::signed_out(tr),
                problem: Some(problem),
                entered_name: name,
                next,
            },
        )))
    };
    if !app.sign_in_attempts.allow() {
        return again(StatusCode::TOO_MANY_REQUESTS, too_many(tr));
    }
    match accounts::sign_in(&app.context, name, Personal::new(form.password)).await {
        Ok(SignedIn::Complete(session)) => Ok(signed_in(&app, &session, next)),
        Ok(SignedIn::AwaitsCode(token)) => {
            let to = format!(
                "/staff/code?next={}",
                form_urlencoded::byte_serialize(next.as_bytes()).collect::<String>()
            );
            Ok((
                [(header::SET_COOKIE, secure_cookie(&app, SESSION, token.reveal().to_owned()))],
                Redirect::to(&to),
            )
                .into_response())
        }
        Err(AccountError::WrongCredentials) => again(
            StatusCode::UNAUTHORIZED,
            tr.t("用户名或密码不正确。", "The name or the password is wrong."),
        ),
        Err(AccountError::Locked) => again(StatusCode::TOO_MANY_REQUESTS, locked(tr)),
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

fn too_many(tr: Translator) -> &'static str {
    tr.t("尝试次数过多，请稍后再试。", "Too many attempts; try again in a while.")
}

fn locked(tr: Translator) -> &'static str {
    tr.t(
        "密码或口令多次错误，请一刻钟后再试。",
        "The password or code was wrong too often; try again in a quarter of an hour.",
    )
}

fn signed_in(app: &AppState, session: &Session, next: &str) -> Response {
    (
        [(header::SET_COOKIE, secure_cookie(app, SESSION, session.token.reveal().to_owned()))],
        Redirect::to(next),
    )
        .into_response()
}

/// Shows the form for the one-time code, after the password.
pub async fn code_form(Query(parameters): Query<NextParameter>, headers: HeaderMap) -> Response {
    let tr = Translator(language_of(&headers).unwrap_or_default());
    with_security_policy(render_page(
        StatusCode::OK,
        &CodePage {
            layout: PageLayout::signed_out(tr),
            problem: None,
            next: local_path_or_home(&parameters.next),
        },
    ))
}

pub async fn code(
    State(app): State<Arc<AppState>>,
    headers: HeaderMap,
    Form(form): Form<Code>,
) -> Result<Response, Failure> {
    let tr = Translator(language_of(&headers).unwrap_or_default());
    if !is_same_site(&headers) {
        return Ok(error_page(StatusCode::FORBIDDEN, tr, ErrorPage::OtherSession));
    }
    let next = local_path_or_home(&form.next);
    let again = |status, problem| {
        Ok(with_security_policy(render_page(
            status,
            &CodePage { layout: PageLayout::signed_out(tr), problem: Some(problem), next },
        )))
    };
    if !app.sign_in_attempts.allow() {
        return again(StatusCode::TOO_MANY_REQUESTS, too_many(tr));
    }
    let token = Personal::new(cookie_of(&headers, SESSION).unwrap_or_default());
    match accounts::confirm(&app.context, token, form.code.trim()).await {
        Ok(session) => Ok(signed_in(&app, &session, next)),
        // The password step has expired or never took place.
        Err(AccountError::WrongCredentials) => Ok(Redirect::to("/staff/sign-in").into_response()),
        Err(AccountError::WrongCode) => again(
            StatusCode::UNAUTHORIZED,
            tr.t("动态口令不正确或已使用。", "The code is wrong, or was used already."),
        ),
        Err(AccountError::Locked) => again(StatusCode::TOO_MANY_REQUESTS, locked(tr)),
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

/// Redirects to the first page that the user may open.
pub async fn home(Extension(staff): Extension<Staff>) -> Response {
    match PageLayout::for_staff(&staff).nav_items.first() {
        Some(item) => Redirect::to(item.path).into_response(),
        None => error_page(StatusCode::OK, staff.tr, ErrorPage::NotAllowed),
    }
}

pub async fn sign_out(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
) -> Result<Response, Failure> {
    accounts::sign_out(&app.context, &staff.session)
        .await
        .map_err(|error| Failure::Internal(error.to_string()))?;
    let mut expired = Cookie::new(SESSION, "");
    expired.set_path("/");
    expired.set_max_age(cookie::time::Duration::ZERO);
    Ok(([(header::SET_COOKIE, expired.to_string())], Redirect::to("/staff/sign-in"))
        .into_response())
}

pub async fn set_language(
    State(app): State<Arc<AppState>>,
    Extension(form): Extension<FormFields>,
) -> Response {
    let language = Language::parse(form.text("to")).unwrap_or_default();
    (
        [(header::SET_COOKIE, secure_cookie(&app, LANGUAGE, language.tag().to_owned()))],
        Redirect::to("/staff"),
    )
        .into_response()
}

/// Returns a cookie that scripts cannot read and other sites cannot send. It is limited to TLS if
/// the public URL uses https.
fn secure_cookie(app: &AppState, name: &'static str, value: String) -> String {
    let mut cookie = Cookie::new(name, value);
    cookie.set_path("/");
    cookie.set_http_only(true);
    cookie.set_same_site(SameSite::Strict);
    cookie.set_secure(app.context.config.public_url.starts_with("https:"));
    cookie.to_string()
}
