//! Authorization of staff requests: session, permission, origin and token of the form, and the
//! audit entry.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use cookie::Cookie;

use super::super::Failure;
use super::super::items::merge_form_fields;
use super::super::state::AppState;
use super::MAX_FORM;
use super::routes::RouteSpec;
use crate::domain::audit::Action;
use crate::domain::language::ConsoleLanguage;
use crate::domain::personal::Personal;
use crate::domain::role::Permission;
use crate::interfaces::http::page_layout::{ErrorPage, Translator, content_security_policy};
use crate::interfaces::http::upload::{MAX_UPLOAD, UploadError, UploadedFiles, read_upload};
use crate::services::accounts::{self, Session, colleagues};

pub(super) const LANGUAGE: &str = "fieldworkd_language";

/// Returns the names of the session's and the browser's cookie. With TLS their prefix makes browsers
/// take them from this very host only (RFC 6265bis, 4.1.3.2).
pub(super) fn session_cookie(app: &AppState) -> &'static str {
    if uses_tls(app) { "__Host-fieldworkd_session" } else { "fieldworkd_session" }
}

pub(super) fn device_cookie(app: &AppState) -> &'static str {
    if uses_tls(app) { "__Host-fieldworkd_device" } else { "fieldworkd_device" }
}

pub(in crate::interfaces::http) fn uses_tls(app: &AppState) -> bool {
    app.context.config.public_url.starts_with("https:")
}

/// The signed-in user, for handlers behind `authorize`.
#[derive(Clone)]
pub struct Staff {
    pub session: Session,
    /// The user's real name, or the account's where none is known.
    pub display_name: Personal,
    /// Token that every form of this session must carry.
    pub form_token: String,
    pub tr: Translator,
    /// Of the page that was asked for.
    pub path: String,
}

impl Staff {
    pub fn may(&self, permission: Permission) -> bool {
        self.session.account.role.may(permission)
    }
}

/// Fields of a submitted form, merged by [`merge_form_fields`].
#[derive(Clone, Default)]
pub struct FormFields(pub BTreeMap<String, String>);

impl FormFields {
    pub fn text(&self, field: &str) -> &str {
        self.0.get(field).map(String::as_str).unwrap_or_default()
    }
}

/// Middleware in front of every staff route.
pub(super) async fn authorize(
    State((app, route)): State<(Arc<AppState>, Arc<RouteSpec>)>,
    request: Request,
    next: Next,
) -> Response {
    match check_request(&app, &route, request).await {
        Ok((request, entry)) => {
            let staff = request.extensions().get::<Staff>().cloned();
            let response = with_security_policy(next.run(request).await);
            // The usual page speaks to respondents, of the link in a message.
            let response = match &staff {
                Some(staff) if response.status() == StatusCode::NOT_FOUND => {
                    error_page(StatusCode::NOT_FOUND, staff.tr, ErrorPage::NotFound)
                }
                _ => response,
            };
            if response.status().is_client_error()
                && let (Some(entry), Some(staff)) = (entry, staff)
                && let Err(error) = app
                    .context
                    .audit_before(
                        &staff.session.actor(),
                        Action::Refused,
                        &format!("entry:{entry}"),
                        "",
                    )
                    .await
            {
                return Failure::Internal(error.to_string()).into_response();
            }
            response
        }
        Err(response) => *response,
    }
}

/// Checks a request and writes its audit entry. Returns the request and the number of the entry, if
/// there is one, or the response of a refused request.
async fn check_request(
    app: &AppState,
    route: &RouteSpec,
    mut request: Request,
) -> Result<(Request, Option<i64>), Box<Response>> {
    let language = language_of(request.headers());
    let internal = |error: String| Box::new(Failure::Internal(error).into_response());
    let session = match cookie_of(request.headers(), session_cookie(app)).map(Personal::new) {
        Some(token) if route.is_background => accounts::peek_session(&app.context, token)
            .await
            .map_err(|error| internal(error.to_string()))?,
        Some(token) => accounts::resume_session(&app.context, token)
            .await
            .map_err(|error| internal(error.to_string()))?,
        None => None,
    };
    let Some(session) = session else {
        return Err(Box::new(match *request.method() {
            Method::GET => Redirect::to(&sign_in_path(request.uri().path())).into_response(),
            _ => error_page(
                StatusCode::UNAUTHORIZED,
                Translator(language.unwrap_or_default()),
                ErrorPage::SignedOut,
            ),
        }));
    };
    let tr = Translator(
        language
            .or_else(|| {
                let own = session.account.languages.iter();
                own.copied().find_map(|language| ConsoleLanguage::parse(language.tag()))
            })
            .unwrap_or_default(),
    );
    let refuse = |status, error| Box::new(error_page(status, tr, error));
    if route.permission.is_some_and(|permission| !session.account.role.may(permission)) {
        return Err(refuse(StatusCode::FORBIDDEN, ErrorPage::NotAllowed));
    }
    // If a second factor is mandatory, a user without one can only open the own account pages.
    if app.context.config.console.needs_second_factor
        && !session.account.has_second_factor
        && route.permission.is_some()
    {
        return Err(Box::new(Redirect::to("/staff/account").into_response()));
    }
    let form_token = session.form_token(&app.context);
    let mut form = FormFields::default();
    if *request.method() == Method::POST {
        if !is_same_site(request.headers()) {
            return Err(refuse(StatusCode::FORBIDDEN, ErrorPage::OtherSession));
        }
        let (parts, body) = request.into_parts();
        let max_bytes = if route.takes_files { MAX_UPLOAD } else { MAX_FORM };
        let body = to_bytes(body, max_bytes).await.map_err(|_| match route.takes_files {
            true => refuse(StatusCode::PAYLOAD_TOO_LARGE, ErrorPage::TooLargeUpload),
            false => refuse(StatusCode::PAYLOAD_TOO_LARGE, ErrorPage::TooLarge),
        })?;
        let mut uploaded = UploadedFiles::default();
        if route.takes_files {
            (form, uploaded) =
                read_upload(&parts.headers, body).await.map_err(|error| match error {
                    UploadError::TooMany => {
                        refuse(StatusCode::PAYLOAD_TOO_LARGE, ErrorPage::TooLargeUpload)
                    }
                    UploadError::Unreadable => {
                        refuse(StatusCode::BAD_REQUEST, ErrorPage::BrokenUpload)
                    }
                })?;
        } else {
            form = FormFields(merge_form_fields(form_urlencoded::parse(&body).into_owned()));
        }
        if form.text("token") != form_token {
            return Err(refuse(StatusCode::FORBIDDEN, ErrorPage::OtherSession));
        }
        request = Request::from_parts(parts, Body::empty());
        request.extensions_mut().insert(form.clone());
        request.extensions_mut().insert(uploaded.0.last().cloned().unwrap_or_default());
        request.extensions_mut().insert(uploaded);
    }
    let mut entry = None;
    if let Some(audit) = route.audit {
        let (mut parts, body) = request.into_parts();
        let path: Vec<(String, String)> =
            match RawPathParams::from_request_parts(&mut parts, &()).await {
                Ok(params) => {
                    params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
                }
                Err(_) => Vec::new(),
            };
        request = Request::from_parts(parts, body);
        let (object, detail) =
            (fill_template(audit.object, &path, &form), fill_template(audit.detail, &path, &form));
        let written =
            app.context.audit_before(&session.actor(), audit.action, &object, &detail).await;
        entry = Some(written.map_err(|error| internal(error.to_string()))?);
    }
    let display_name = colleagues::name_of(&app.context, &session.account);
    let path = request.uri().path().to_owned();
    request.extensions_mut().insert(Staff { session, display_name, form_token, tr, path });
    Ok((request, entry))
}

/// Replaces `{name}` in a template by the path parameter or form field of that name. Values are cut
/// to 80 characters, to keep audit entries short.
fn fill_template(text: &str, path: &[(String, String)], form: &FormFields) -> String {
    const LONGEST: usize = 80;
    let (mut filled, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        let value = path
            .iter()
            .find(|(known, _)| known == name)
            .map_or_else(|| form.text(name), |(_, value)| value);
        filled.push_str(before);
        filled.extend(value.chars().filter(|c| !c.is_control()).take(LONGEST));
        rest = after;
    }
    filled + rest
}

/// Whether a browser has been signed in here, by its cookie; not whether it still is.
pub(in crate::interfaces::http) fn is_staff(app: &AppState, headers: &HeaderMap) -> bool {
    cookie_of(headers, session_cookie(app)).is_some()
}

/// Returns the sign-in page's path, with the requested path to return to.
fn sign_in_path(path: &str) -> String {
    if path == "/staff" {
        "/staff/sign-in".to_owned()
    } else {
        format!(
            "/staff/sign-in?next={}",
            form_urlencoded::byte_serialize(path.as_bytes()).collect::<String>()
        )
    }
}

/// Returns a path within this site, or `/staff` if the value is anything else. The value is
/// untrusted.
pub(super) fn local_path_or_home(next: &str) -> &str {
    let is_ours = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains(['\\', '\r', '\n', '\t'])
        && !next.starts_with("/staff/sign-");
    if is_ours && next.len() < 300 { next } else { "/staff" }
}

/// Returns whether a request comes from this site, if the browser reports it (`Sec-Fetch-Site`).
pub(in crate::interfaces::http) fn is_same_site(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin" || site == "none")
}

pub(in crate::interfaces::http) fn error_page(
    status: StatusCode,
    tr: Translator,
    error: ErrorPage,
) -> Response {
    with_security_policy((status, error.page(tr)).into_response())
}

pub fn with_security_policy(mut response: Response) -> Response {
    if let Ok(policy) = HeaderValue::from_str(content_security_policy()) {
        response.headers_mut().entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    }
    response
}

/// Returns the value of a cookie; of several of one name, the first.
pub fn cookie_of(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers
        .get_all(header::COOKIE)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect::<Vec<_>>();
    let all = all.iter().flat_map(|value| Cookie::split_parse(value.as_ref()));
    all.flatten().find(|cookie| cookie.name() == name).map(|cookie| cookie.value().to_owned())
}

pub(in crate::interfaces::http) fn language_of(headers: &HeaderMap) -> Option<ConsoleLanguage> {
    cookie_of(headers, LANGUAGE).and_then(|tag| ConsoleLanguage::parse(&tag))
}
