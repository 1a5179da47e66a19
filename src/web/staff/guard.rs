//! The guard of the staff's routes: who is signed in, may they, and does the form come from their own page?

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use cookie::Cookie;

use super::super::items::gathered;
use super::super::{Failure, Site};
use super::MAX_FORM;
use super::frame::{Message, Say, content_security_policy};
use crate::accounts::{self, Session};
use crate::domain::language::Language;
use crate::domain::personal::Personal;
use crate::domain::role::Permission;

pub(super) const SESSION: &str = "fieldworkd_session";
pub(super) const LANGUAGE: &str = "fieldworkd_language";

/// Who is signed in, for every handler behind the guard.
#[derive(Clone)]
pub struct Staff {
    pub session: Session,
    /// What every form of this session carries.
    pub form_token: String,
    pub say: Say,
}

impl Staff {
    pub fn may(&self, permission: Permission) -> bool {
        self.session.account.role.may(permission)
    }
}

/// What a form sent, as [`gathered`] has it.
#[derive(Clone, Default)]
pub struct Sent(pub BTreeMap<String, String>);

impl Sent {
    pub fn text(&self, field: &str) -> &str {
        self.0.get(field).map(String::as_str).unwrap_or_default()
    }
}

/// Puts routes behind the guard: only whoever has the permission (`None`: whoever is signed in) comes through.
pub fn behind(site: &Arc<Site>, permission: Option<Permission>, routes: Router<Arc<Site>>) -> Router<Arc<Site>> {
    routes.route_layer(middleware::from_fn_with_state((site.clone(), permission), guard))
}

async fn guard(State((site, permission)): State<(Arc<Site>, Option<Permission>)>, mut request: Request, next: Next) -> Response {
    let language = language_of(request.headers());
    let token = cookie_of(request.headers(), SESSION).map(Personal::new);
    let session = match token {
        Some(token) => match accounts::session(&site.installation, token).await {
            Ok(session) => session,
            Err(error) => return Failure::Internal(error.to_string()).into_response(),
        },
        None => None,
    };
    let Some(session) = session else {
        return match *request.method() {
            Method::GET => Redirect::to("/staff/sign-in").into_response(),
            _ => refused(StatusCode::UNAUTHORIZED, Say(language.unwrap_or_default()), Message::SignedOut),
        };
    };
    let say = Say(language.or_else(|| session.account.languages.first().copied()).unwrap_or_default());
    if permission.is_some_and(|permission| !session.account.role.may(permission)) {
        return refused(StatusCode::FORBIDDEN, say, Message::NotAllowed);
    }
    let form_token = session.form_token(&site.installation);
    if *request.method() == Method::POST {
        let (parts, body) = request.into_parts();
        let Ok(body) = to_bytes(body, MAX_FORM).await else { return refused(StatusCode::PAYLOAD_TOO_LARGE, say, Message::TooLarge) };
        let sent = Sent(gathered(form_urlencoded::parse(&body).into_owned()));
        if !is_same_site(&parts.headers) || sent.text("token") != form_token {
            return refused(StatusCode::FORBIDDEN, say, Message::OtherSession);
        }
        request = Request::from_parts(parts, Body::from(body));
        request.extensions_mut().insert(sent);
    }
    request.extensions_mut().insert(Staff { session, form_token, say });
    with_policy(next.run(request).await)
}

/// Does a request come from a page of ours, as far as the browser tells?
pub(super) fn is_same_site(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin" || site == "none")
}

pub(super) fn refused(status: StatusCode, say: Say, message: Message) -> Response {
    with_policy((status, message.page(say)).into_response())
}

pub(super) fn with_policy(mut response: Response) -> Response {
    if let Ok(policy) = HeaderValue::from_str(content_security_policy()) {
        response.headers_mut().entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    }
    response
}

pub(super) fn cookie_of(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(Cookie::split_parse);
    all.flatten().find(|cookie| cookie.name() == name).map(|cookie| cookie.value().to_owned())
}

pub(super) fn language_of(headers: &HeaderMap) -> Option<Language> {
    cookie_of(headers, LANGUAGE).and_then(|tag| Language::parse(&tag))
}
