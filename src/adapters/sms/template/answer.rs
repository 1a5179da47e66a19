//! Classifies a gateway's response by its file.

use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use serde_json::Value;

use super::super::http::outcome_of_status;
use super::super::{QueryResult, SubmitOutcome};
use super::file::{Answer, Query};

/// Returns how long the gateway asks us to wait.
pub(super) fn retry_after(answer: &Result<reqwest::Response, reqwest::Error>) -> Option<Duration> {
    let header = answer.as_ref().ok()?.headers().get(RETRY_AFTER)?;
    header.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

pub(super) fn classify(
    rules: &Answer,
    status: u16,
    retry_after: Option<Duration>,
    body: &str,
) -> SubmitOutcome {
    let json: Option<Value> = serde_json::from_str(body).ok();
    let found = found_code(rules, json.as_ref(), body);
    let code = match &found {
        FoundCode::Error(code) | FoundCode::Partly(code) => Some(code),
        FoundCode::None | FoundCode::Accepted => None,
    };
    let says = |list: &[String]| code.is_some_and(|code| list.contains(code));
    // A code is stored only if the gateway's file lists it: an unknown one might repeat the number.
    let code_text = || match code {
        Some(code)
            if code.len() <= 60
                && code.chars().all(|c| c.is_ascii_alphabetic() || "._- ".contains(c)) =>
        {
            code.clone()
        }
        Some(code) if code.len() <= 6 || rules.lists(code) => code.clone(),
        _ => format!("http_{status}"),
    };
    if matches!(found, FoundCode::Partly(_)) {
        return SubmitOutcome::InDoubt { code: code_text() };
    }
    if says(&rules.refused_number) {
        return SubmitOutcome::RefusedNumber { code: code_text() };
    }
    if says(&rules.refused_message) {
        return SubmitOutcome::RefusedMessage { code: code_text() };
    }
    if says(&rules.opted_out) {
        return SubmitOutcome::OptedOut { code: code_text() };
    }
    if says(&rules.deferred_number) {
        return SubmitOutcome::DeferredNumber { code: code_text() };
    }
    if says(&rules.slow_down) {
        return SubmitOutcome::Throttled { code: code_text(), retry_after };
    }
    if says(&rules.account) {
        return SubmitOutcome::AccountFailure { code: code_text() };
    }
    if says(&rules.not_taken) {
        return SubmitOutcome::TemporaryFailure { code: code_text() };
    }
    let code_fits = match found {
        FoundCode::Accepted => true,
        FoundCode::None => rules.accepted_code.is_empty(),
        // Kannel's numbers are codes of success as well; its text decides.
        _ => rules.accepted_code.is_empty() && rules.accepted_text.is_some(),
    };
    let text_fits = rules.accepted_text.as_ref().is_none_or(|pattern| pattern.is_match(body));
    if rules.accepted_status.contains(&status) && code_fits && text_fits {
        let by_pointer =
            rules.id.as_deref().and_then(|p| json.as_ref()?.pointer(p)).and_then(text_of);
        return SubmitOutcome::Accepted {
            id: by_pointer.or_else(|| first_group(rules.id_text.as_ref(), body)),
        };
    }
    match outcome_of_status(status) {
        SubmitOutcome::Throttled { .. } => {
            SubmitOutcome::Throttled { code: code_text(), retry_after }
        }
        SubmitOutcome::AccountFailure { .. } => SubmitOutcome::AccountFailure { code: code_text() },
        SubmitOutcome::InDoubt { .. } => SubmitOutcome::InDoubt { code: code_text() },
        _ => SubmitOutcome::TemporaryFailure { code: code_text() },
    }
}

/// What the codes of a response say.
enum FoundCode {
    None,
    Accepted,
    Error(String),
    /// Of the parts of one message, some were accepted and some were not.
    Partly(String),
}

fn found_code(rules: &Answer, json: Option<&Value>, body: &str) -> FoundCode {
    let is_accepted = |code: &String| rules.accepted_code.contains(code);
    let mut any_accepted = false;
    for place in &rules.code {
        let codes = json.map(|json| codes_at(json, place)).unwrap_or_default();
        let (accepted, errors): (Vec<_>, Vec<_>) = codes.into_iter().partition(is_accepted);
        match errors.into_iter().next() {
            Some(error) if accepted.is_empty() => return FoundCode::Error(error),
            Some(error) => return FoundCode::Partly(error),
            None => any_accepted |= !accepted.is_empty(),
        }
    }
    match first_group(rules.code_text.as_ref(), body) {
        _ if any_accepted => FoundCode::Accepted,
        Some(code) if is_accepted(&code) => FoundCode::Accepted,
        Some(code) => FoundCode::Error(code),
        None => FoundCode::None,
    }
}

/// Returns the codes at a JSON pointer; «*» in it is every entry of an array.
fn codes_at(json: &Value, place: &str) -> Vec<String> {
    match place.split_once("/*") {
        Some((array, rest)) => {
            let entries = json.pointer(array).and_then(Value::as_array);
            entries.into_iter().flatten().flat_map(|entry| codes_at(entry, rest)).collect()
        }
        None => {
            json.pointer(place).and_then(text_of).filter(|c| !c.is_empty()).into_iter().collect()
        }
    }
}

fn first_group(pattern: Option<&regex::Regex>, body: &str) -> Option<String> {
    Some(pattern?.captures(body)?.get(1)?.as_str().trim().to_owned())
}

pub(super) fn classify_query(rules: &Query, status: u16, body: &str) -> QueryResult {
    if status == 404 {
        return QueryResult::Unknown;
    }
    let Ok(json) = serde_json::from_str::<Value>(body) else { return QueryResult::NoAnswer };
    let at = |pointer: &str| json.pointer(pointer).and_then(text_of);
    let id = rules.id.as_deref().and_then(at);
    match at(&rules.state) {
        Some(state) if !(200..=299).contains(&status) || state.is_empty() => QueryResult::NoAnswer,
        Some(state) if rules.delivered.contains(&state) => QueryResult::Delivered { id },
        Some(state) if rules.undelivered.contains(&state) => QueryResult::Undelivered { id },
        Some(state) if rules.accepted.contains(&state) => QueryResult::Accepted { id },
        _ => QueryResult::NoAnswer,
    }
}

/// Returns a JSON value as text.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{
        PROXY_ANSWERS, accepted, account, deferred, in_doubt, refused, temporary, throttled,
    };
    use super::super::file::GatewayFile;
    use super::*;

    /// Each case: the response's status and body, and its outcome.
    fn check(file: &str, table: &[(u16, &str, SubmitOutcome)]) {
        let file = GatewayFile::parse(file).unwrap();
        for (status, body, expected) in table {
            let outcome = classify(&file.submit.answer, *status, None, body);
            assert_eq!(&outcome, expected, "{status} {body}");
        }
    }

    #[test]
    fn the_simulators_answers() {
        let code = |code: &str| code.to_owned();
        check(
            include_str!("../../../../config/gateways/simulator.toml"),
            &[
                (202, r#"{"id":"s1"}"#, SubmitOutcome::Accepted { id: Some("s1".into()) }),
                (
                    400,
                    r#"{"error":"invalid_number"}"#,
                    SubmitOutcome::RefusedNumber { code: code("invalid_number") },
                ),
                (
                    400,
                    r#"{"error":"number_frequency"}"#,
                    SubmitOutcome::DeferredNumber { code: code("number_frequency") },
                ),
                (
                    429,
                    r#"{"error":"throttled"}"#,
                    SubmitOutcome::Throttled { code: code("throttled"), retry_after: None },
                ),
                (
                    402,
                    r#"{"error":"no_credit"}"#,
                    SubmitOutcome::AccountFailure { code: code("no_credit") },
                ),
                (
                    500,
                    r#"{"error":"unavailable"}"#,
                    SubmitOutcome::TemporaryFailure { code: code("unavailable") },
                ),
                (503, "", SubmitOutcome::TemporaryFailure { code: code("http_503") }),
                (500, "", SubmitOutcome::InDoubt { code: code("http_500") }),
                (
                    502,
                    "<html>bad gateway</html>",
                    SubmitOutcome::InDoubt { code: code("http_502") },
                ),
                (404, "13800138000", SubmitOutcome::TemporaryFailure { code: code("http_404") }),
            ],
        );
    }

    #[test]
    fn kannels_answers() {
        check(
            include_str!("../../../../config/gateways/kannel.toml"),
            &[
                (202, "0: Accepted for delivery", SubmitOutcome::Accepted { id: None }),
                (202, "3: Queued for later delivery", SubmitOutcome::Accepted { id: None }),
                (403, "Authorization failed for sendsms", account("Authorization failed")),
                (
                    503,
                    "Temporal failure, try again later.",
                    SubmitOutcome::TemporaryFailure { code: "Temporal failure".into() },
                ),
            ],
        );
    }

    #[test]
    fn rapidpros_answers() {
        check(
            include_str!("../../../../config/gateways/rapidpro.toml"),
            &[
                (200, r#"{"external_id":"x1"}"#, accepted("x1")),
                (201, r#"{"external_id":7,"new":[]}"#, accepted("7")),
                (202, "{}", SubmitOutcome::Accepted { id: None }),
                (400, r#"{"error":"invalid_number"}"#, refused("invalid_number")),
                (429, r#"{"error":"throttled"}"#, throttled("throttled")),
                (200, r#"{"error":"throttled"}"#, throttled("throttled")),
                (401, r#"{"error":"unauthorized"}"#, account("unauthorized")),
                (400, r#"{"error":"something else"}"#, temporary("something else")),
                (500, r#"{"error":"something else"}"#, in_doubt("something else")),
                // What may repeat the number is not kept.
                (400, r#"{"error":"13800138000 is no number"}"#, temporary("http_400")),
                (400, r#"{"error":["invalid_number"]}"#, temporary("http_400")),
                (400, r#"{"error":"invalid_num"#, temporary("http_400")),
                (404, r#"{"error":404}"#, temporary("404")),
            ],
        );
    }

    #[test]
    fn answers_of_the_shipped_gateways_that_are_not_theirs() {
        for file in [
            include_str!("../../../../config/gateways/simulator.toml"),
            include_str!("../../../../config/gateways/kannel.toml"),
            include_str!("../../../../config/gateways/rapidpro.toml"),
        ] {
            for (status, body, outcome, code) in PROXY_ANSWERS {
                check(file, &[(status, body, outcome(code))]);
            }
        }
        check(
            include_str!("../../../../config/gateways/kannel.toml"),
            &[
                // Kannel's own text says whether it was taken: without it, that is unknown.
                (202, "", in_doubt("http_202")),
                (202, "<html>welcome to this network</html>", in_doubt("http_202")),
                (202, "5: something", in_doubt("5")),
                (202, "0: Acc", in_doubt("0")),
                (400, "Missing receiver number, rejected", temporary("Missing receiver number")),
            ],
        );
        check(
            include_str!("../../../../config/gateways/simulator.toml"),
            &[
                (400, r#"{"error":"blocked"}"#, refused("blocked")),
                (400, r#"{"error":"number_frequency","new":1}"#, deferred("number_frequency")),
                (401, r#"{"error":"unauthorised"}"#, account("unauthorised")),
                (400, r#"{"error":"invalid_num"#, temporary("http_400")),
                (500, r#"{"error":"unavai"#, in_doubt("http_500")),
            ],
        );
    }

    #[test]
    fn an_error_with_status_200_is_no_acceptance() {
        check(
            include_str!("../../../../config/gateways/simulator.toml"),
            &[
                (200, r#"{"id":"s1","error":"never heard of"}"#, in_doubt("never heard of")),
                (200, r#"{"id":"s1","error":""}"#, accepted("s1")),
                (200, r#"{"id":"s1","error":null}"#, accepted("s1")),
                (200, r#"{"id":"s1","error":"unavailable"}"#, temporary("unavailable")),
            ],
        );
        let text_only = "kind = \"template\"\n[submit]\nmethod = \"GET\"\n\
            url = \"http://x/?t={text}\"\n[submit.answer]\naccepted_status = [200]\n\
            accepted_code = [\"OK\"]\ncode_text = \"^(OK|ERROR:[0-9]+)\"\n\
            id_text = \"^OK:([0-9]+)\"\naccount = [\"ERROR:103\"]\n";
        check(
            text_only,
            &[
                (200, "OK:17", accepted("17")),
                (200, "ERROR:103", account("ERROR:103")),
                (200, "ERROR:14", in_doubt("http_200")),
                (200, "", in_doubt("http_200")),
                (200, "<html>", in_doubt("http_200")),
            ],
        );
        // Of several places the first with an error counts, of several parts all.
        let places = text_only
            .replace("code_text = \"^(OK|ERROR:[0-9]+)\"", "code = [\"/m/*/s\", \"/c\"]")
            .replace("id_text = \"^OK:([0-9]+)\"\n", "");
        check(
            &places,
            &[
                (200, r#"{"m":[{"s":"OK"},{"s":"OK"}]}"#, SubmitOutcome::Accepted { id: None }),
                (200, r#"{"m":[],"c":"OK"}"#, SubmitOutcome::Accepted { id: None }),
                (200, r#"{"m":[{"s":"OK"}],"c":"ERROR:103"}"#, account("ERROR:103")),
                (200, r#"{"m":[{"s":"OK"},{"s":"ERROR:103"}]}"#, in_doubt("ERROR:103")),
                (200, r#"{"m":[{"s":"ERROR:103"},{"s":"x"}],"c":"OK"}"#, account("ERROR:103")),
                (200, r#"{"m":{"s":"OK"}}"#, in_doubt("http_200")),
            ],
        );
    }

    #[test]
    fn a_gateway_that_says_how_long_to_wait_is_believed() {
        let file =
            GatewayFile::parse(include_str!("../../../../config/gateways/simulator.toml")).unwrap();
        let wait = Some(Duration::from_secs(7));
        for (status, body, expected) in [
            (
                429,
                r#"{"error":"throttled"}"#,
                SubmitOutcome::Throttled { code: "throttled".into(), retry_after: wait },
            ),
            (
                429,
                "<html>",
                SubmitOutcome::Throttled { code: "http_429".into(), retry_after: wait },
            ),
            (503, "", temporary("http_503")),
        ] {
            let outcome = classify(&file.submit.answer, status, wait, body);
            assert_eq!(outcome, expected, "{status} {body}");
        }
    }

    #[test]
    fn answers_to_a_query() {
        let file =
            GatewayFile::parse(include_str!("../../../../config/gateways/simulator.toml")).unwrap();
        let query = file.query.unwrap();
        let id = || Some("s1".to_owned());
        for (status, body, expected) in [
            (200, r#"{"id":"s1","state":"accepted"}"#, QueryResult::Accepted { id: id() }),
            (200, r#"{"id":"s1","state":"delivered"}"#, QueryResult::Delivered { id: id() }),
            (200, r#"{"id":"s1","state":"undelivered"}"#, QueryResult::Undelivered { id: id() }),
            (200, r#"{"state":"delivered","new":1}"#, QueryResult::Delivered { id: None }),
            (404, r#"{"error":"unknown"}"#, QueryResult::Unknown),
            (404, "", QueryResult::Unknown),
            (200, r#"{"id":"s1","state":"never-heard-of"}"#, QueryResult::NoAnswer),
            (200, r#"{"id":"s1","state":""}"#, QueryResult::NoAnswer),
            (200, r#"{"id":"s1"}"#, QueryResult::NoAnswer),
            (500, r#"{"id":"s1","state":"delivered"}"#, QueryResult::NoAnswer),
            (200, r#"{"id":"s1","state":"deliv"#, QueryResult::NoAnswer),
            (200, "", QueryResult::NoAnswer),
            (502, "<html>", QueryResult::NoAnswer),
        ] {
            assert_eq!(classify_query(&query, status, body), expected, "{status} {body}");
        }
    }
}
