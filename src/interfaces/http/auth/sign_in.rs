//! Sign-in and sign-out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use askama::Template;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use cookie::{Cookie, SameSite};
use serde::Deserialize;

use super::super::Failure;
use super::super::client_address::{client_address, subscriber};
use super::super::state::AppState;
use super::authorize::{
    LANGUAGE, cookie_of, device_cookie, error_page, is_same_site, language_of, local_path_or_home,
    session_cookie, uses_tls, with_security_policy,
};
use super::{FormFields, Staff};
use crate::domain::language::ConsoleLanguage;
use crate::domain::personal::Personal;
use crate::interfaces::http::page_layout::{ErrorPage, render_page};
use crate::interfaces::http::page_layout::{PageLayout, Translator};
use crate::services::accounts::{self, AccountError, Session, SignInAttempt, SignedIn};

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
    /// A one-time code; it may also follow on a page of its own.
    #[serde(default)]
    code: String,
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
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Form(form): Form<SignIn>,
) -> Result<Response, Failure> {
    let began = Instant::now();
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
    if !is_address_allowed(&app, peer, &headers) {
        return again(StatusCode::TOO_MANY_REQUESTS, too_many(tr));
    }
    let attempt = SignInAttempt {
        name,
        password: Personal::new(form.password),
        code: Some(form.code.trim()).filter(|code| !code.is_empty()),
        device: known_device(&app, &headers),
        before: cookie_of(&headers, session_cookie(&app)).map(Personal::new),
    };
    match accounts::sign_in(&app.context, attempt).await {
        Ok(SignedIn::Complete(session)) => signed_in(&app, &session, next).await,
        Ok(SignedIn::AwaitsCode(token)) => {
            let to = format!(
                "/staff/code?next={}",
                form_urlencoded::byte_serialize(next.as_bytes()).collect::<String>()
            );
            let cookie = secure_cookie(&app, session_cookie(&app), token.reveal().to_owned());
            Ok(([(header::SET_COOKIE, cookie)], Redirect::to(&to)).into_response())
        }
        Err(AccountError::WrongCredentials) => {
            tokio::time::sleep_until((began + FAILURE_TIME).into()).await;
            again(
                StatusCode::UNAUTHORIZED,
                tr.t(
                    "用户名或密码不正确，或尝试次数过多；一刻钟后可再试，已绑定动态口令的可一并填写口令。",
                    "The name or the password is wrong, or there were too many attempts. Try \
                        again in a quarter of an hour, or give your one-time code as well.",
                ),
            )
        }
        Err(AccountError::Busy) => {
            let mut response = again(StatusCode::SERVICE_UNAVAILABLE, busy(tr))?;
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            Ok(response)
        }
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

/// How long every failed attempt takes at least, so that its answer tells nothing by its time.
const FAILURE_TIME: Duration = Duration::from_millis(500);

/// Counts an attempt of the client's address.
pub(super) fn is_address_allowed(app: &AppState, peer: SocketAddr, headers: &HeaderMap) -> bool {
    let address = client_address(&app.context.config.proxies, peer, headers);
    app.sign_ins_by_address.allow(&subscriber(address))
}

/// Returns the cookie of a browser that says it has signed in before, if it has attempts left.
fn known_device(app: &AppState, headers: &HeaderMap) -> Option<Personal> {
    cookie_of(headers, device_cookie(app))
        .filter(|cookie| app.sign_ins_by_device.allow(cookie))
        .map(Personal::new)
}

pub(super) fn too_many(tr: Translator) -> &'static str {
    tr.t("尝试次数过多，请稍后再试。", "Too many attempts; try again in a while.")
}

fn busy(tr: Translator) -> &'static str {
    tr.t("登录的人较多，请几秒后再试。", "Many people are signing in; try again in a few seconds.")
}

fn locked(tr: Translator) -> &'static str {
    tr.t(
        "密码或口令多次错误，请一刻钟后再试。",
        "The password or code was wrong too often; try again in a quarter of an hour.",
    )
}

/// Begins the session in the browser, which is known from now on.
pub(super) async fn signed_in(
    app: &AppState,
    session: &Session,
    next: &str,
) -> Result<Response, Failure> {
    let device = accounts::issue_device(&app.context, &session.account.name)
        .await
        .map_err(|error| Failure::Internal(error.to_string()))?;
    let session = secure_cookie(app, session_cookie(app), session.token.reveal().to_owned());
    let time = i64::try_from(accounts::DEVICE_TIME.as_secs()).unwrap_or(i64::MAX);
    let device = new_cookie(app, device_cookie(app), device.reveal().to_owned(), Some(time));
    let cookies = AppendHeaders([(header::SET_COOKIE, session), (header::SET_COOKIE, device)]);
    Ok((cookies, Redirect::to(next)).into_response())
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
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
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
    if !is_address_allowed(&app, peer, &headers) {
        return again(StatusCode::TOO_MANY_REQUESTS, too_many(tr));
    }
    let token = Personal::new(cookie_of(&headers, session_cookie(&app)).unwrap_or_default());
    let device = known_device(&app, &headers);
    match accounts::confirm(&app.context, token, form.code.trim(), device).await {
        Ok(session) => signed_in(&app, &session, next).await,
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
    let expired = new_cookie(&app, session_cookie(&app), String::new(), Some(0));
    Ok(([(header::SET_COOKIE, expired)], Redirect::to("/staff/sign-in")).into_response())
}

pub async fn set_language(
    State(app): State<Arc<AppState>>,
    Extension(form): Extension<FormFields>,
) -> Response {
    let language = ConsoleLanguage::parse(form.text("to")).unwrap_or_default();
    (
        [(header::SET_COOKIE, secure_cookie(&app, LANGUAGE, language.tag().to_owned()))],
        Redirect::to("/staff"),
    )
        .into_response()
}

/// Returns a cookie that scripts cannot read and other sites cannot send. It is limited to TLS if
/// the public URL uses https.
fn secure_cookie(app: &AppState, name: &'static str, value: String) -> String {
    new_cookie(app, name, value, None)
}

/// `seconds` is the time for which browsers keep it; `None` until they are closed.
pub(in crate::interfaces::http) fn new_cookie(
    app: &AppState,
    name: &'static str,
    value: String,
    seconds: Option<i64>,
) -> String {
    let mut cookie = Cookie::new(name, value);
    cookie.set_path("/");
    cookie.set_http_only(true);
    cookie.set_same_site(SameSite::Strict);
    cookie.set_secure(uses_tls(app));
    cookie.set_max_age(seconds.map(cookie::time::Duration::seconds));
    cookie.to_string()
}
