//! Error responses: a plain page, with a reference into the log for internal errors.

use axum::Extension;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::framework_errors::OwnText;
use super::state::AppState;
use crate::services::interviews::InterviewError;
use crate::services::sms_sending::DispatchError;

#[derive(Debug)]
pub enum Failure {
    NotFound,
    /// Too many wrong links.
    TooManyAttempts,
    /// A form or push that cannot be read. The text names no value.
    BadRequest(String),
    /// An internal error. The text goes to the log only.
    Internal(String),
}

impl Failure {
    /// Converts an interview error to a response for respondents, and counts wrong links.
    pub fn from_interview_error(app: &AppState, error: InterviewError) -> Failure {
        match error {
            InterviewError::UnknownLink if !app.failed_links.allow() => Failure::TooManyAttempts,
            InterviewError::UnknownLink => Failure::NotFound,
            InterviewError::InvalidForm => Failure::BadRequest(error.to_string()),
            other => Failure::Internal(other.to_string()),
        }
    }
}

impl From<DispatchError> for Failure {
    fn from(error: DispatchError) -> Failure {
        Failure::Internal(error.to_string())
    }
}

/// Logs an internal error and returns the reference of its log line.
pub fn log_with_reference(problem: &str) -> String {
    let mut random = [0u8; 4];
    // If no random bytes are available, the reference is 00000000; the time still identifies the
    // log line.
    let _ = getrandom::fill(&mut random);
    let reference = data_encoding::HEXLOWER.encode(&random);
    tracing::error!(reference, error = problem, "a request failed");
    reference
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Failure::NotFound => {
                (StatusCode::NOT_FOUND, super::respondent::not_found_page()).into_response()
            }
            Failure::TooManyAttempts => (
                StatusCode::TOO_MANY_REQUESTS,
                [("retry-after", "10")],
                super::respondent::not_found_page(),
            )
                .into_response(),
            Failure::BadRequest(problem) => {
                (StatusCode::BAD_REQUEST, Extension(OwnText), format!("{problem}\n"))
                    .into_response()
            }
            Failure::Internal(problem) => {
                let reference = log_with_reference(&problem);
                (StatusCode::INTERNAL_SERVER_ERROR, super::respondent::failure_page(&reference))
                    .into_response()
            }
        }
    }
}
