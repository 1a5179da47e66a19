//! Entity tags and preconditions of changes (RFC 9110, sections 8.8.3 and 13.1; RFC 6585, section 3).
//!
//! Drafts, programmes and budgets demand one: their services compare it in the transaction that
//! writes. Everything else that can be changed takes one: [`guard`] compares the tag of what a GET
//! of the thing returns, one conditional request after another.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body as HttpBody;
use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Json, Response};
use serde::Serialize;
use tower_service::Service;

use super::Problem;
use crate::interfaces::http::state::AppState;
use crate::services::versions::{ExpectedVersion, VersionConflict};

/// The precondition that a change must have.
pub struct Precondition(pub ExpectedVersion);

impl<S: Send + Sync> FromRequestParts<S> for Precondition {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Precondition, Problem> {
        match read(&parts.headers)? {
            ExpectedVersion::Any => Err(Problem::new(
                StatusCode::PRECONDITION_REQUIRED,
                "send If-Match with the ETag of what is to be changed, or If-None-Match: * to \
                    create it",
            )),
            expected => Ok(Precondition(expected)),
        }
    }
}

/// Reads the precondition of a change; [`ExpectedVersion::Any`]: there is none.
fn read(headers: &HeaderMap) -> Result<ExpectedVersion, Problem> {
    let lines = |name| {
        let lines: Result<Vec<&str>, _> =
            headers.get_all(name).iter().map(HeaderValue::to_str).collect();
        lines.map(|lines| lines.join(","))
    };
    let wrong = |what: &str| Problem::new(StatusCode::BAD_REQUEST, what);
    let unreadable = |_| wrong("If-Match and If-None-Match are tags in quotation marks, or *");
    let (matches, none) = (
        lines(header::IF_MATCH).map_err(unreadable)?,
        lines(header::IF_NONE_MATCH).map_err(unreadable)?,
    );
    match (matches.trim(), none.trim()) {
        ("", "") => Ok(ExpectedVersion::Any),
        ("*", "") => Ok(ExpectedVersion::Present),
        (tags, "") => strong_tags(tags)
            .map(ExpectedVersion::OneOf)
            .ok_or_else(|| wrong("If-Match is a list of tags in quotation marks, or *")),
        ("", "*") => Ok(ExpectedVersion::Absent),
        ("", _) => Err(wrong("with a change, If-None-Match is *: it must not exist yet")),
        _ => Err(wrong("send If-Match or If-None-Match, not both")),
    }
}

/// The strong tags of a list, without their quotation marks; `None`: it is no list of tags. A weak
/// tag is equal to none.
fn strong_tags(list: &str) -> Option<Vec<String>> {
    let (mut tags, mut rest) = (Vec::new(), list.trim());
    while !rest.is_empty() {
        let (is_weak, quoted) = match rest.strip_prefix("W/") {
            Some(quoted) => (true, quoted),
            None => (false, rest),
        };
        let (tag, after) = quoted.strip_prefix('"')?.split_once('"')?;
        if !is_weak {
            tags.push(tag.to_owned());
        }
        let after = after.trim_start();
        rest = match after.strip_prefix(',') {
            Some(after) => after.trim_start_matches([',', ' ', '\t']),
            None if after.is_empty() => after,
            None => return None,
        };
    }
    Some(tags)
}

/// A response with the tag of its version.
pub struct Tagged<T> {
    pub version: String,
    pub body: T,
}

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.body).into_response();
        set_tag(response.headers_mut(), &self.version);
        response
    }
}

fn set_tag(headers: &mut HeaderMap, version: &str) {
    if let Ok(value) = HeaderValue::from_str(&format!("\"{version}\"")) {
        headers.insert(header::ETAG, value);
    }
}

impl From<VersionConflict> for Problem {
    fn from(conflict: VersionConflict) -> Problem {
        let problem = Problem::from_error(StatusCode::PRECONDITION_FAILED, &conflict);
        match conflict.current() {
            Some(current) => problem.with_tag(current),
            None => problem,
        }
    }
}

/// The routes that demand a precondition: their services compare it when they write.
const COMPARED_BY_SERVICE: [&str; 3] = [
    "/api/v1/drafts/{draft}",
    "/api/v1/programmes/{programme}",
    "/api/v1/campaigns/{campaign}/budget",
];

/// What [`guard`] needs: the API itself, to ask for tags.
#[derive(Clone)]
pub struct Guard {
    pub app: Arc<AppState>,
    pub api: axum::Router<Arc<AppState>>,
}

/// Compares the precondition of a change with what a GET of the same thing returns: of its address,
/// or of the nearest one above (`/campaigns/C1` for `/campaigns/C1/state`).
pub async fn guard(
    State(guard): State<Guard>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    if [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method())
        || route.is_some_and(|route| COMPARED_BY_SERVICE.contains(&route))
    {
        return Ok(next.run(request).await);
    }
    let expected = read(request.headers())?;
    if expected == ExpectedVersion::Any {
        return Ok(next.run(request).await);
    }
    // One after another: of two with the same tag, the second sees what the first has changed.
    let _one_at_a_time = guard.app.conditional_change.lock().await;
    let current = Looking::of(&request).current_tag(&guard).await?;
    expected.check(current)?;
    Ok(next.run(request).await)
}

/// What is taken of a request to look at the thing that it changes.
struct Looking {
    path: String,
    token: Option<HeaderValue>,
    peer: Option<ConnectInfo<SocketAddr>>,
    is_put: bool,
}

impl Looking {
    fn of(request: &Request) -> Looking {
        Looking {
            path: request.uri().path().to_owned(),
            token: request.headers().get(header::AUTHORIZATION).cloned(),
            peer: request.extensions().get().copied(),
            is_put: request.method() == Method::PUT,
        }
    }

    /// Returns the tag of the thing; `None`: there is none by that name.
    ///
    /// # Errors
    /// If it cannot be looked at (its token may not read it): then nothing is changed either.
    async fn current_tag(self, guard: &Guard) -> Result<Option<String>, Problem> {
        let mut api = guard.api.clone().with_state(guard.app.clone());
        let mut path = self.path.as_str();
        loop {
            let mut looking = Request::new(HttpBody::empty());
            if let Ok(uri) = path.parse() {
                *looking.uri_mut() = uri;
            }
            if let Some(token) = &self.token {
                looking.headers_mut().insert(header::AUTHORIZATION, token.clone());
            }
            if let Some(peer) = self.peer {
                looking.extensions_mut().insert(peer);
            }
            // A router cannot fail: its error is an empty type.
            let Ok(found) = Service::<Request>::call(&mut api, looking).await;
            let tag = found.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok());
            match (found.status(), tag) {
                (StatusCode::OK, Some(tag)) => return Ok(Some(tag.trim_matches('"').to_owned())),
                (StatusCode::NOT_FOUND, _) if self.is_put => return Ok(None),
                (StatusCode::OK | StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED, _) => {}
                (status, _) => {
                    return Err(Problem::new(
                        status,
                        "the precondition cannot be compared: this token may not read what is to be \
                            changed, or not now",
                    ));
                }
            }
            match path.rsplit_once('/') {
                // The collections stand below /api/v1.
                Some((above, _)) if above.matches('/').count() > 3 => path = above,
                _ => return Ok(None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_tags_are_read_strongly() {
        let tags = |list: &str| strong_tags(list);
        let of = |known: &[&str]| Some(known.iter().map(|tag| (*tag).to_owned()).collect());
        for (list, expected) in [
            ("\"a\"", of(&["a"])),
            ("\"a\", \"b,c\" ,W/\"d\"", of(&["a", "b,c"])),
            ("W/\"a\"", of(&[])),
            ("\"a\",, \"b\"", of(&["a", "b"])),
            ("a", None),
            ("\"a", None),
            ("\"a\" \"b\"", None),
        ] {
            assert_eq!(tags(list), expected, "{list}");
        }
    }
}
