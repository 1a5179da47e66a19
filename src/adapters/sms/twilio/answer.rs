//! Responses of the Messages resource.

use serde::Deserialize;

use super::super::http::outcome_of_status;
use super::super::{QueriedMessage, QueryResult, SubmitOutcome};

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    sid: Option<String>,
    #[serde(default)]
    code: Option<i64>,
}

#[derive(Deserialize)]
struct Page {
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    sid: String,
    status: String,
}

pub(super) fn classify(status: u16, body: &str) -> SubmitOutcome {
    let Ok(answer) = serde_json::from_str::<Answer>(body) else { return outcome_of_status(status) };
    if matches!(status, 200..=299) {
        return match answer.sid {
            Some(sid) => SubmitOutcome::Accepted { id: Some(sid) },
            None => SubmitOutcome::InDoubt { code: "no_sid".into() },
        };
    }
    let Some(number) = answer.code else { return outcome_of_status(status) };
    let code = number.to_string();
    match number {
        // 21610: «Attempt to send to unsubscribed recipient» (opted out with the carrier). The
        // others: not a number, or not reachable by SMS.
        21610 => SubmitOutcome::OptedOut { code },
        21211 | 21614 | 21217 | 21408 => SubmitOutcome::RefusedNumber { code },
        // A body of more than 1,600 characters, or none.
        21617 | 21619 => SubmitOutcome::RefusedMessage { code },
        20429 | 14107 => SubmitOutcome::Throttled { code, retry_after: None },
        20003 | 20005 | 21606 | 21603 | 21703 | 30002 => SubmitOutcome::AccountFailure { code },
        _ if status == 429 => SubmitOutcome::Throttled { code, retry_after: None },
        _ if matches!(status, 500..=502 | 504..=599) => SubmitOutcome::InDoubt { code },
        _ => SubmitOutcome::TemporaryFailure { code },
    }
}

pub(super) async fn classify_query(
    message: &QueriedMessage,
    response: reqwest::Response,
) -> QueryResult {
    if !response.status().is_success() {
        return QueryResult::NoAnswer;
    }
    response.text().await.map_or(QueryResult::NoAnswer, |body| classify_page(message, &body))
}

/// Classifies the messages to a number on one day. A message has no field for our reference, so
/// only two facts are certain: its own id, and that a number which received nothing on that day did
/// not receive this one. A person settles everything else.
fn classify_page(message: &QueriedMessage, body: &str) -> QueryResult {
    let Ok(page) = serde_json::from_str::<Page>(body) else { return QueryResult::NoAnswer };
    if page.messages.is_empty() {
        return QueryResult::Unknown;
    }
    match page.messages.into_iter().find(|m| message.id.as_deref() == Some(&m.sid)) {
        None => QueryResult::NoAnswer,
        Some(m) if m.status == "delivered" => QueryResult::Delivered { id: Some(m.sid) },
        Some(m) if m.status == "undelivered" || m.status == "failed" => {
            QueryResult::Undelivered { id: Some(m.sid) }
        }
        Some(m) => QueryResult::Accepted { id: Some(m.sid) },
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::approved_templates::tests::message;
    use super::super::super::tests::{
        PROXY_ANSWERS, accepted, account, in_doubt, refused, refused_message, temporary, throttled,
    };
    use super::*;
    use crate::domain::time::Timestamp;

    #[test]
    fn answers_to_a_message() {
        let code = |code: &str| code.to_owned();
        for (status, body, expected) in [
            (
                201,
                r#"{"sid":"SM1","status":"queued"}"#,
                SubmitOutcome::Accepted { id: Some("SM1".into()) },
            ),
            (
                400,
                r#"{"code":21211,"message":"x","status":400}"#,
                SubmitOutcome::RefusedNumber { code: code("21211") },
            ),
            (
                400,
                r#"{"code":21610,"message":"x"}"#,
                SubmitOutcome::OptedOut { code: code("21610") },
            ),
            (
                429,
                r#"{"code":20429,"message":"x"}"#,
                SubmitOutcome::Throttled { code: code("20429"), retry_after: None },
            ),
            (
                401,
                r#"{"code":20003,"message":"x"}"#,
                SubmitOutcome::AccountFailure { code: code("20003") },
            ),
            (
                500,
                r#"{"code":20500,"message":"x"}"#,
                SubmitOutcome::InDoubt { code: code("20500") },
            ),
            (503, "", SubmitOutcome::TemporaryFailure { code: code("http_503") }),
            (201, "garbage", SubmitOutcome::InDoubt { code: code("http_201") }),
        ] {
            assert_eq!(classify(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn answers_to_a_query() {
        let doubtful = |id: Option<&str>| QueriedMessage {
            reference: "ref1".into(),
            id: id.map(str::to_owned),
            to: message("13800138000").to,
            submitted_at: Timestamp(0),
        };
        assert_eq!(classify_page(&doubtful(None), r#"{"messages":[]}"#), QueryResult::Unknown);
        let page = r#"{"messages":[{"sid":"SM1","status":"delivered"}]}"#;
        assert_eq!(
            classify_page(&doubtful(Some("SM1")), page),
            QueryResult::Delivered { id: Some("SM1".into()) }
        );
        assert_eq!(
            classify_page(&doubtful(None), page),
            QueryResult::NoAnswer,
            "it may be another message to the same number"
        );
    }

    #[test]
    fn every_code_has_its_outcome() {
        let opted_out = |code: &str| SubmitOutcome::OptedOut { code: code.into() };
        for (status, code, outcome) in [
            (400, "21211", refused as fn(&str) -> SubmitOutcome),
            (400, "21614", refused),
            (400, "21217", refused),
            (400, "21408", refused),
            (400, "21610", opted_out),
            (429, "20429", throttled),
            (429, "14107", throttled),
            (429, "30001", throttled),
            (401, "20003", account),
            (403, "20005", account),
            (400, "21606", account),
            (400, "21603", account),
            (400, "21703", account),
            (400, "30002", account),
            (400, "21617", refused_message),
            (400, "21619", refused_message),
            (404, "20404", temporary),
            (503, "20503", temporary),
            (500, "20500", in_doubt),
            (502, "20502", in_doubt),
            (504, "20504", in_doubt),
        ] {
            let body = format!(r#"{{"code":{code},"message":"x","more_info":"x","new":[1]}}"#);
            assert_eq!(classify(status, &body), outcome(code), "{status} {body}");
        }
    }

    #[test]
    fn malformed_answers_say_nothing() {
        for (status, body, expected) in [
            (201, r#"{"sid":"SM1","code":null,"error_code":null}"#, accepted("SM1")),
            (201, "{}", in_doubt("no_sid")),
            (201, r#"{"sid":null}"#, in_doubt("no_sid")),
            (201, "", in_doubt("http_201")),
            (201, r#"{"sid":"SM"#, in_doubt("http_201")),
            (200, "<html>welcome to this network</html>", in_doubt("http_200")),
            (400, "{}", temporary("http_400")),
            (400, r#"{"code":"21211"}"#, temporary("http_400")),
            (400, r#"{"code":2121"#, temporary("http_400")),
        ] {
            assert_eq!(classify(status, body), expected, "{status} {body}");
        }
        for (status, body, outcome, code) in PROXY_ANSWERS {
            assert_eq!(classify(status, body), outcome(code), "{status} {body}");
        }
    }

    #[test]
    fn states_of_a_message_that_is_asked_about() {
        let doubtful = QueriedMessage {
            reference: "ref1".into(),
            id: Some("SM1".into()),
            to: message("13800138000").to,
            submitted_at: Timestamp(0),
        };
        let id = || Some("SM1".to_owned());
        for (state, expected) in [
            ("delivered", QueryResult::Delivered { id: id() }),
            ("undelivered", QueryResult::Undelivered { id: id() }),
            ("failed", QueryResult::Undelivered { id: id() }),
            ("queued", QueryResult::Accepted { id: id() }),
            ("sent", QueryResult::Accepted { id: id() }),
            ("never-heard-of", QueryResult::Accepted { id: id() }),
        ] {
            let page = format!(
                r#"{{"messages":[{{"sid":"SM0","status":"failed"}},{{"sid":"SM1","status":"{state}","new":1}}]}}"#
            );
            assert_eq!(classify_page(&doubtful, &page), expected, "{state}");
        }
        for body in [
            "",
            "{}",
            "<html>",
            r#"{"messages":[{"sid":"SM1"}]}"#,
            r#"{"messages":[{"sid":"SM1","sta"#,
            r#"{"messages":[{"sid":"SM0","status":"delivered"}]}"#,
        ] {
            assert_eq!(classify_page(&doubtful, body), QueryResult::NoAnswer, "{body}");
        }
    }
}
