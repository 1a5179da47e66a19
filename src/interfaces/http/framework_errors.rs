//! Errors that the web framework answers by itself (an unknown path or method, a form or an address
//! that cannot be read) have its own texts. They are replaced by ours: a problem for the API, a line
//! for gateways, a page for people.

use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::api::Problem;
use super::auth::with_security_policy;
use super::page_layout::{ErrorPage, Translator};
use super::respondent;
use crate::domain::language::ConsoleLanguage;

/// Marks a plain text as ours.
#[derive(Clone, Copy)]
pub struct OwnText;

enum Audience {
    Programs,
    Gateways,
    Respondents,
    Staff,
}

fn audience_of(path: &str) -> Audience {
    match path.split('/').nth(1) {
        Some("api") => Audience::Programs,
        Some("hooks") => Audience::Gateways,
        Some("i") => Audience::Respondents,
        _ => Audience::Staff,
    }
}

/// Handles a request and replaces the framework's error, if that is the answer.
pub async fn replace(request: Request, next: Next) -> Response {
    let audience = audience_of(request.uri().path());
    let is_head = request.method() == Method::HEAD;
    let response = next.run(request).await;
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_plain = kind.is_none_or(|kind| kind.starts_with("text/plain"));
    let is_page = kind.is_some_and(|kind| kind.starts_with("text/html"));
    let is_foreign = (is_plain && response.extensions().get::<OwnText>().is_none())
        || (is_page && matches!(audience, Audience::Programs | Audience::Gateways));
    if !status.is_client_error() || !is_foreign || is_head {
        return response;
    }
    let allow = response.headers().get(header::ALLOW).cloned();
    let mut replaced = match audience {
        Audience::Programs => Problem::new(status, text_of(status)).into_response(),
        Audience::Gateways => (status, format!("{}\n", text_of(status))).into_response(),
        Audience::Respondents if status == StatusCode::NOT_FOUND => {
            (status, respondent::not_found_page()).into_response()
        }
        Audience::Respondents => (status, respondent::unreadable_page()).into_response(),
        Audience::Staff => with_security_policy(
            (status, page_of(status).page(Translator(ConsoleLanguage::default()))).into_response(),
        ),
    };
    if let Some(allow) = allow {
        replaced.headers_mut().insert(header::ALLOW, allow);
    }
    replaced
}

fn text_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "there is nothing here by that name",
        StatusCode::METHOD_NOT_ALLOWED => "this address takes other methods; «allow» names them",
        StatusCode::PAYLOAD_TOO_LARGE => "the body is larger than this address takes",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "the body is of another kind than this address takes",
        _ => "the request cannot be read",
    }
}

fn page_of(status: StatusCode) -> ErrorPage {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => ErrorPage::TooLarge,
        _ => ErrorPage::Unreadable,
    }
}
