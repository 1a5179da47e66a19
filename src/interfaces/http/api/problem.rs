//! Errors of the API as problem details (RFC 9457).

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::adapters::database::DatabaseError;
use crate::domain::role::Permission;
use crate::interfaces::http::error_page::log_with_reference;
use crate::services::datasets::DatasetError;

pub struct Problem {
    status: StatusCode,
    detail: String,
}

impl Problem {
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem { status, detail: detail.into() }
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
            | DatasetError::NoDeliveryChannel => {
                Problem::new(StatusCode::CONFLICT, error.to_string())
            }
            DatasetError::NothingToReview(_) => Problem::conflict(error.to_string()),
            DatasetError::UnknownAnswer(_) | DatasetError::NoReason => {
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
            }
            other => Problem::internal(&other.to_string()),
        }
    }
}

/// Body of an error response (RFC 9457).
#[derive(Serialize, utoipa::ToSchema)]
pub struct ProblemDetails {
    /// `about:blank`: the status is the type.
    r#type: &'static str,
    title: Option<&'static str>,
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong, and the remedy.
    detail: String,
}

impl Problem {
    pub fn to_json(&self) -> String {
        let (title, status) = (self.status.canonical_reason(), self.status.as_u16());
        let details =
            ProblemDetails { r#type: "about:blank", title, status, detail: self.detail.clone() };
        serde_json::to_string(&details).unwrap_or_default()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response =
            (self.status, [(header::CONTENT_TYPE, "application/problem+json")], self.to_json())
                .into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        }
        response
    }
}
