//! What all HTTP gateways share: what a failed request means, and how a value stands in an address.

use super::{BatchResult, GatewayExchange, OutgoingMessage, SubmitOutcome};

/// No connection: nothing has left. Anything later: the gateway may have read the request.
pub(super) fn outcome_of_error(error: &reqwest::Error) -> SubmitOutcome {
    if error.is_builder() {
        SubmitOutcome::AccountFailure { code: "request_malformed".into() }
    } else if error.is_connect() {
        SubmitOutcome::TemporaryFailure { code: "no_connection".into() }
    } else if error.is_timeout() {
        SubmitOutcome::InDoubt { code: "timeout".into() }
    } else {
        SubmitOutcome::InDoubt { code: "connection_lost".into() }
    }
}

/// Reads a provider's answer whole and judges it; an answer that does not come or cannot be read
/// means the same for every message of the request. `request_log` tells the operator what was
/// asked, without anything of the person.
pub(super) async fn classify_response(
    answer: Result<reqwest::Response, reqwest::Error>,
    batch: &[OutgoingMessage],
    request_log: String,
    classify: impl FnOnce(u16, &str) -> Vec<SubmitOutcome>,
) -> BatchResult {
    match read_answer(answer).await {
        Ok((status, body)) => {
            let exchange = GatewayExchange::new(request_log, &format!("{status} {body}"), batch);
            BatchResult { outcomes: classify(status, &body), exchange }
        }
        Err(outcome) => {
            let exchange =
                GatewayExchange::new(request_log, &format!("no answer: {outcome:?}"), batch);
            BatchResult::all(outcome, batch.len(), exchange)
        }
    }
}

/// A provider's answer, whole: status and body; or what it means that there is none.
pub(super) async fn read_answer(
    answer: Result<reqwest::Response, reqwest::Error>,
) -> Result<(u16, String), SubmitOutcome> {
    let mut response = answer.map_err(|error| outcome_of_error(&error))?;
    let lost = || SubmitOutcome::InDoubt { code: "answer_lost".into() };
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| lost())? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER {
            return Err(SubmitOutcome::InDoubt { code: "answer_too_long".into() });
        }
    }
    Ok((response.status().as_u16(), String::from_utf8_lossy(&body).into_owned()))
}

/// An answer is read up to this size; a gateway's is far smaller.
const MAX_ANSWER: usize = 256 * 1024;

/// An answer that holds nothing we can read, judged by its status alone.
pub(super) fn outcome_of_status(status: u16) -> SubmitOutcome {
    let code = format!("http_{status}");
    match status {
        429 => SubmitOutcome::Throttled { code, retry_after: None },
        401..=403 | 407 => SubmitOutcome::AccountFailure { code },
        // RFC 9110: 503 says that the request was not handled; the other 5xx do not say so. An
        // accepting status says that it was read.
        503 => SubmitOutcome::TemporaryFailure { code },
        200..=299 | 500..=599 => SubmitOutcome::InDoubt { code },
        _ => SubmitOutcome::TemporaryFailure { code },
    }
}

/// RFC 3986: everything but the unreserved characters.
pub(super) fn escape_url(value: &str) -> String {
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    value
        .bytes()
        .map(|b| if unreserved(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}
