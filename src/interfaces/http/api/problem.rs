//! Errors of the API as problem details (RFC 9457).

use std::error::Error;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::adapters::database::DatabaseError;
use crate::domain::role::Permission;
use crate::interfaces::errors::code_of;
use crate::interfaces::http::error_page::log_with_reference;
use crate::services::datasets::DatasetError;

pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    /// The tag of the present version, for a failed precondition.
    tag: Option<String>,
}

impl Problem {
    /// A refusal of the API itself; its code is the status's.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem { status, code: code_of_status(status), detail: detail.into(), tag: None }
    }

    /// A refusal with the error's own code and text.
    pub fn from_error(status: StatusCode, error: &(dyn Error + 'static)) -> Problem {
        let code = code_of(error).unwrap_or_else(|| code_of_status(status));
        Problem { status, code, detail: error.to_string(), tag: None }
    }

    pub fn with_code(self, code: &'static str) -> Problem {
        Problem { code, ..self }
    }

    pub fn with_tag(self, tag: &str) -> Problem {
        Problem { tag: Some(tag.to_owned()), ..self }
    }

    /// The request breaks a rule (422).
    pub fn wrong(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// The request conflicts with the present state (409).
    pub fn conflict(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::CONFLICT, detail)
    }

    pub fn not_found() -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "there is nothing here by that name")
    }

    pub fn forbidden(permission: Permission) -> Problem {
        Problem::new(
            StatusCode::FORBIDDEN,
            format!("this token is not for «{}»", permission.as_str()),
        )
    }

    pub fn unauthorised() -> Problem {
        Problem::new(StatusCode::UNAUTHORIZED, "send a token as «Authorization: Bearer …»")
    }

    pub fn too_many() -> Problem {
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many wrong tokens; wait some seconds")
    }

    /// An internal error (500). The text goes to the log only.
    pub fn internal(problem: &str) -> Problem {
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!(
                "something went wrong here; the log has it under {}",
                log_with_reference(problem)
            ),
        )
    }
}

fn code_of_status(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "api.bad_request",
        StatusCode::UNAUTHORIZED => "api.unauthorized",
        StatusCode::FORBIDDEN => "api.forbidden",
        StatusCode::NOT_FOUND => "api.not_found",
        StatusCode::METHOD_NOT_ALLOWED => "api.method_not_allowed",
        StatusCode::CONFLICT => "api.conflict",
        StatusCode::PRECONDITION_REQUIRED => "api.precondition_required",
        StatusCode::PAYLOAD_TOO_LARGE => "api.payload_too_large",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "api.unsupported_media_type",
        StatusCode::UNPROCESSABLE_ENTITY => "api.invalid",
        StatusCode::TOO_MANY_REQUESTS => "api.too_many_requests",
        StatusCode::SERVICE_UNAVAILABLE => "api.unavailable",
        _ => "api.internal",
    }
}

impl From<DatabaseError> for Problem {
    fn from(error: DatabaseError) -> Problem {
        Problem::internal(&error.to_string())
    }
}

impl From<DatasetError> for Problem {
    fn from(error: DatasetError) -> Problem {
        match error {
            DatasetError::VerdictExists(_)
            | DatasetError::HashMismatch { .. }
            | DatasetError::NoDeliveryChannel
            | DatasetError::NothingToReview(_) => Problem::from_error(StatusCode::CONFLICT, &error),
            DatasetError::UnknownAnswer(_) | DatasetError::NoReason => {
                Problem::from_error(StatusCode::UNPROCESSABLE_ENTITY, &error)
            }
            other => Problem::internal(&other.to_string()),
        }
    }
}

/// Body of an error response (RFC 9457).
#[derive(Serialize, utoipa::ToSchema)]
pub struct ProblemDetails {
    /// The address, on this server, of the page that explains the code.
    r#type: String,
    /// Stable, such as `launch.no_list`; docs/errors.md lists them.
    code: &'static str,
    title: Option<&'static str>,
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong, and the remedy.
    detail: String,
}

impl Problem {
    pub fn to_json(&self) -> String {
        let (title, status) = (self.status.canonical_reason(), self.status.as_u16());
        let (r#type, code) = (format!("/problems/{}", self.code), self.code);
        let details = ProblemDetails { r#type, code, title, status, detail: self.detail.clone() };
        serde_json::to_string(&details).unwrap_or_default()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response =
            (self.status, [(header::CONTENT_TYPE, "application/problem+json")], self.to_json())
                .into_response();
        let tag = self.tag.and_then(|tag| format!("\"{tag}\"").parse().ok());
        if let Some(tag) = tag {
            response.headers_mut().insert(header::ETAG, tag);
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        }
        response
    }
}
