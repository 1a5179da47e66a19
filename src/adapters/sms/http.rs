//! Shared by all HTTP gateways: the outcome of a failed request, URL escaping, and what signatures
//! of pushes need.

use super::{BatchResult, GatewayExchange, OutgoingMessage, SubmitOutcome};

/// Returns the outcome of a transport error. Without a connection nothing was sent; after any later
/// error the gateway may have read the request.
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

/// Reads a provider's response completely and classifies it. A response that is missing or
/// unreadable has the same outcome for every message of the request. `request_log` is the request
/// without personal data.
pub(super) async fn classify_response(
    answer: Result<reqwest::Response, reqwest::Error>,
    batch: &[OutgoingMessage],
    request_log: String,
    classify: impl FnOnce(u16, &str) -> Vec<SubmitOutcome>,
) -> BatchResult {
    match read_answer(answer).await {
        Ok((status, body)) => {
            let log_entry = GatewayExchange::new(request_log, &format!("{status} {body}"), batch);
            BatchResult { outcomes: classify(status, &body), log_entry }
        }
        Err(outcome) => {
            let log_entry =
                GatewayExchange::new(request_log, &format!("no answer: {outcome:?}"), batch);
            BatchResult::all(outcome, batch.len(), log_entry)
        }
    }
}

/// Reads a provider's response, status and body, or returns the outcome of its absence.
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

/// Maximum size of a response; a gateway's responses are far smaller.
const MAX_ANSWER: usize = 256 * 1024;

/// Classifies a response without readable content by its status.
pub(super) fn outcome_of_status(status: u16) -> SubmitOutcome {
    let code = format!("http_{status}");
    match status {
        429 => SubmitOutcome::Throttled { code, retry_after: None },
        401..=403 | 407 => SubmitOutcome::AccountFailure { code },
        // RFC 9110: 503 says that the request was not handled; the other 5xx do not say so. A
        // success status says that it was read.
        503 => SubmitOutcome::TemporaryFailure { code },
        200..=299 | 500..=599 => SubmitOutcome::InDoubt { code },
        _ => SubmitOutcome::TemporaryFailure { code },
    }
}

/// Escapes everything but the unreserved characters of RFC 3986.
pub(super) fn escape_url(value: &str) -> String {
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    value
        .bytes()
        .map(|b| if unreserved(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

/// Returns the address with and without its port: gateways sign either.
pub(super) fn spellings(url: &str) -> Vec<String> {
    let mut spellings = vec![url.to_owned()];
    let Some((scheme, rest)) = url.split_once("://") else { return spellings };
    let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => {
            spellings.push(format!("{scheme}://{name}{path}"))
        }
        _ => spellings
            .push(format!("{scheme}://{host}:{}{path}", if scheme == "https" { 443 } else { 80 })),
    }
    spellings
}

/// Compares in constant time.
pub(super) fn same(one: &str, other: &str) -> bool {
    one.len() == other.len()
        && one.bytes().zip(other.bytes()).fold(0u8, |differences, (a, b)| differences | (a ^ b))
            == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_tried_with_and_without_port() {
        assert_eq!(spellings("https://x.cn/a?b"), ["https://x.cn/a?b", "https://x.cn:443/a?b"]);
        assert_eq!(spellings("http://x.cn:8080/a"), ["http://x.cn:8080/a", "http://x.cn/a"]);
        assert!(same("ab", "ab") && !same("ab", "ac") && !same("ab", "abc"));
    }
}
