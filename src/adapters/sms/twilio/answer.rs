//! What the Messages resource answered.

use serde::Deserialize;

use super::super::http::outcome_of_status;
use super::super::{Doubtful, Outcome, QueryAnswer};

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

pub(super) fn judge(status: u16, body: &str) -> Outcome {
    let Ok(answer) = serde_json::from_str::<Answer>(body) else { return outcome_of_status(status) };
    if matches!(status, 200..=299) {
        return match answer.sid {
            Some(sid) => Outcome::Accepted { id: Some(sid) },
            None => Outcome::InDoubt { code: "no_sid".into() },
        };
    }
    let Some(number) = answer.code else { return outcome_of_status(status) };
    let code = number.to_string();
    match number {
        // Not a number, not reachable by SMS, opted out with the carrier.
        // «Attempt to send to unsubscribed recipient».
        21610 => Outcome::OptedOut { code },
        21211 | 21614 | 21217 | 21408 => Outcome::RefusedNumber { code },
        20429 | 14107 => Outcome::SlowDown { code, retry_after: None },
        20003 | 20005 | 21606 | 21603 | 21703 | 30002 => Outcome::AccountFailure { code },
        _ if status == 429 => Outcome::SlowDown { code, retry_after: None },
        _ if matches!(status, 500..=502 | 504..=599) => Outcome::InDoubt { code },
        _ => Outcome::PassingFailure { code },
    }
}

pub(super) async fn judge_query(message: &Doubtful, response: reqwest::Response) -> QueryAnswer {
    if !response.status().is_success() {
        return QueryAnswer::NoAnswer;
    }
    response.text().await.map_or(QueryAnswer::NoAnswer, |body| judge_page(message, &body))
}

/// A message has no field for our reference. So only two things are certain: its own id, and that a number which got nothing on that day did not get
/// this one; anything else is for a person to look at.
fn judge_page(message: &Doubtful, body: &str) -> QueryAnswer {
    let Ok(page) = serde_json::from_str::<Page>(body) else { return QueryAnswer::NoAnswer };
    if page.messages.is_empty() {
        return QueryAnswer::Unknown;
    }
    match page.messages.into_iter().find(|m| message.id.as_deref() == Some(&m.sid)) {
        None => QueryAnswer::NoAnswer,
        Some(m) if m.status == "delivered" => QueryAnswer::Delivered { id: Some(m.sid) },
        Some(m) if m.status == "undelivered" || m.status == "failed" => QueryAnswer::Undelivered { id: Some(m.sid) },
        Some(m) => QueryAnswer::Accepted { id: Some(m.sid) },
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::approved::tests::message;
    use super::*;
    use crate::domain::time::Timestamp;

    #[test]
    fn answers_to_a_message() {
        let code = |code: &str| code.to_owned();
        for (status, body, expected) in [
            (201, r#"{"sid":"SM1","status":"queued"}"#, Outcome::Accepted { id: Some("SM1".into()) }),
            (400, r#"{"code":21211,"message":"x","status":400}"#, Outcome::RefusedNumber { code: code("21211") }),
            (400, r#"{"code":21610,"message":"x"}"#, Outcome::OptedOut { code: code("21610") }),
            (429, r#"{"code":20429,"message":"x"}"#, Outcome::SlowDown { code: code("20429"), retry_after: None }),
            (401, r#"{"code":20003,"message":"x"}"#, Outcome::AccountFailure { code: code("20003") }),
            (500, r#"{"code":20500,"message":"x"}"#, Outcome::InDoubt { code: code("20500") }),
            (503, "", Outcome::PassingFailure { code: code("http_503") }),
            (201, "garbage", Outcome::InDoubt { code: code("http_201") }),
        ] {
            assert_eq!(judge(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn answers_to_a_query() {
        let doubtful = |id: Option<&str>| Doubtful {
            reference: "ref1".into(),
            id: id.map(str::to_owned),
            to: message("13800138000").to,
            submitted_at: Timestamp(0),
        };
        assert_eq!(judge_page(&doubtful(None), r#"{"messages":[]}"#), QueryAnswer::Unknown);
        let page = r#"{"messages":[{"sid":"SM1","status":"delivered"}]}"#;
        assert_eq!(judge_page(&doubtful(Some("SM1")), page), QueryAnswer::Delivered { id: Some("SM1".into()) });
        assert_eq!(judge_page(&doubtful(None), page), QueryAnswer::NoAnswer, "it may be another message to the same number");
    }
}
