//! What all HTTP gateways share: what a failed request means, and how a value stands in an address.

use super::Outcome;

/// No connection: nothing has left. Anything later: the gateway may have read the request.
pub(super) fn outcome_of_error(error: &reqwest::Error) -> Outcome {
    if error.is_builder() {
        Outcome::AccountFailure { code: "request_malformed".into() }
    } else if error.is_connect() {
        Outcome::PassingFailure { code: "no_connection".into() }
    } else if error.is_timeout() {
        Outcome::InDoubt { code: "timeout".into() }
    } else {
        Outcome::InDoubt { code: "connection_lost".into() }
    }
}

/// A provider's answer, whole: status and body; or what it means that there is none.
pub(super) async fn read_answer(answer: Result<reqwest::Response, reqwest::Error>) -> Result<(u16, String), Outcome> {
    let response = answer.map_err(|error| outcome_of_error(&error))?;
    let status = response.status().as_u16();
    response.text().await.map(|body| (status, body)).map_err(|_| Outcome::InDoubt { code: "answer_lost".into() })
}

/// An answer that holds nothing we can read, judged by its status alone.
pub(super) fn outcome_of_status(status: u16) -> Outcome {
    let code = format!("http_{status}");
    match status {
        429 => Outcome::SlowDown { code, retry_after: None },
        401..=403 | 407 => Outcome::AccountFailure { code },
        // RFC 9110: 503 says that the request was not handled; the other 5xx do not say so. An accepting status says that it was read.
        503 => Outcome::PassingFailure { code },
        200..=299 | 500..=599 => Outcome::InDoubt { code },
        _ => Outcome::PassingFailure { code },
    }
}

/// RFC 3986: everything but the unreserved characters.
pub(super) fn escape_url(value: &str) -> String {
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    value.bytes().map(|b| if unreserved(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
