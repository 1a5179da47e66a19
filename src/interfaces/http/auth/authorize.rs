//! The guard of the staff's routes: who is signed in, may they, and does the form come from their own page?

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use cookie::Cookie;

use super::super::items::gathered;
use super::super::Failure;
use super::super::state::Site;
use super::MAX_FORM;
use super::routes::Door;
use crate::interfaces::http::page_layout::{Message, Say, content_security_policy};
use crate::interfaces::http::upload::{MAX_UPLOAD, Uploaded, read_upload};
use crate::services::accounts::{self, Session};
use crate::domain::audit::Action;
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

/// What stands before a door.
pub(super) async fn guard(State((site, door)): State<(Arc<Site>, Arc<Door>)>, request: Request, next: Next) -> Response {
    match admit(&site, &door, request).await {
        Ok((request, entry)) => {
            let staff = request.extensions().get::<Staff>().cloned();
            let response = with_policy(next.run(request).await);
            if response.status().is_client_error()
                && let (Some(entry), Some(staff)) = (entry, staff)
                && let Err(error) = site.installation.note_ahead(&staff.session.actor(), Action::Refused, &format!("entry:{entry}"), "").await
            {
                return Failure::Internal(error.to_string()).into_response();
            }
            response
        }
        Err(response) => *response,
    }
}

/// Lets a request through, or says why not. Comes with the number of its entry in the audit log, where it has one.
async fn admit(site: &Site, door: &Door, mut request: Request) -> Result<(Request, Option<i64>), Box<Response>> {
    let language = language_of(request.headers());
    let internal = |error: String| Box::new(Failure::Internal(error).into_response());
    let session = match cookie_of(request.headers(), SESSION).map(Personal::new) {
        Some(token) if door.is_background => accounts::look(&site.installation, token).await.map_err(|error| internal(error.to_string()))?,
        Some(token) => accounts::session(&site.installation, token).await.map_err(|error| internal(error.to_string()))?,
        None => None,
    };
    let Some(session) = session else {
        return Err(Box::new(match *request.method() {
            Method::GET => Redirect::to(&way_to_sign_in(request.uri().path())).into_response(),
            _ => refused(StatusCode::UNAUTHORIZED, Say(language.unwrap_or_default()), Message::SignedOut),
        }));
    };
    let say = Say(language.or_else(|| session.account.languages.first().copied()).unwrap_or_default());
    let no = |status, message| Box::new(refused(status, say, message));
    if door.permission.is_some_and(|permission| !session.account.role.may(permission)) {
        return Err(no(StatusCode::FORBIDDEN, Message::NotAllowed));
    }
    // Where a second factor is asked of everybody, nothing but setting it up is open without one.
    if site.installation.config.console.needs_second_factor && !session.account.has_second_factor && door.permission.is_some() {
        return Err(Box::new(Redirect::to("/staff/account").into_response()));
    }
    let form_token = session.form_token(&site.installation);
    let mut sent = Sent::default();
    if *request.method() == Method::POST {
        if !is_same_site(request.headers()) {
            return Err(no(StatusCode::FORBIDDEN, Message::OtherSession));
        }
        let (parts, body) = request.into_parts();
        let most = if door.takes_files { MAX_UPLOAD } else { MAX_FORM };
        let body = to_bytes(body, most).await.map_err(|_| no(StatusCode::PAYLOAD_TOO_LARGE, Message::TooLarge))?;
        let mut uploaded = Uploaded::default();
        if door.takes_files {
            (sent, uploaded) = read_upload(&parts.headers, body).await.map_err(|_| no(StatusCode::BAD_REQUEST, Message::BrokenUpload))?;
        } else {
            sent = Sent(gathered(form_urlencoded::parse(&body).into_owned()));
        }
        if sent.text("token") != form_token {
            return Err(no(StatusCode::FORBIDDEN, Message::OtherSession));
        }
        request = Request::from_parts(parts, Body::empty());
        request.extensions_mut().insert(sent.clone());
        request.extensions_mut().insert(uploaded);
    }
    let mut entry = None;
    if let Some(deed) = door.deed {
        let (mut parts, body) = request.into_parts();
        let path: Vec<(String, String)> = match RawPathParams::from_request_parts(&mut parts, &()).await {
            Ok(params) => params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            Err(_) => Vec::new(),
        };
        request = Request::from_parts(parts, body);
        let (object, detail) = (filled_in(deed.object, &path, &sent), filled_in(deed.detail, &path, &sent));
        let noted = site.installation.note_ahead(&session.actor(), deed.action, &object, &detail).await;
        entry = Some(noted.map_err(|error| internal(error.to_string()))?);
    }
    request.extensions_mut().insert(Staff { session, form_token, say });
    Ok((request, entry))
}

/// A text with what the address and the form have in place of its names. What stands in the log is short.
fn filled_in(text: &str, path: &[(String, String)], sent: &Sent) -> String {
    const LONGEST: usize = 80;
    let (mut filled, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        let value = path.iter().find(|(known, _)| known == name).map_or_else(|| sent.text(name), |(_, value)| value);
        filled.push_str(before);
        filled.extend(value.chars().filter(|c| !c.is_control()).take(LONGEST));
        rest = after;
    }
    filled + rest
}

/// Signing in leads back to where somebody wanted to go.
fn way_to_sign_in(path: &str) -> String {
    if path == "/staff" {
        "/staff/sign-in".to_owned()
    } else {
        format!("/staff/sign-in?next={}", form_urlencoded::byte_serialize(path.as_bytes()).collect::<String>())
    }
}

/// A way within this site, from a value that anybody may have written.
pub(super) fn within_site(next: &str) -> &str {
    let is_ours = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n', '\t']) && !next.starts_with("/staff/sign-");
    if is_ours && next.len() < 300 { next } else { "/staff" }
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
