//! Responses of SendSms and QuerySendDetails.

use chrono::NaiveDateTime;
use serde::Deserialize;

use super::super::http::{outcome_of_status, read_answer};
use super::super::{QueriedMessage, QueryResult, SubmitOutcome};
use super::BATCH;
use crate::domain::time::Timestamp;

#[derive(Deserialize)]
struct SendResponse {
    #[serde(rename = "Code")]
    code: String,
    #[serde(rename = "BizId")]
    biz_id: Option<String>,
}

#[derive(Deserialize)]
struct Details {
    #[serde(rename = "Code")]
    code: String,
    #[serde(rename = "SmsSendDetailDTOs")]
    details: Option<DetailList>,
}

#[derive(Deserialize)]
struct DetailList {
    #[serde(rename = "SmsSendDetailDTO", default)]
    list: Vec<Detail>,
}

#[derive(Deserialize)]
struct Detail {
    /// 1 waiting, 2 failed, 3 delivered.
    #[serde(rename = "SendStatus")]
    status: i64,
    #[serde(rename = "OutId")]
    out_id: Option<String>,
    /// Local time in Beijing.
    #[serde(rename = "SendDate")]
    sent: Option<String>,
}

impl Detail {
    /// Returns whether this is the queried message. The details of a request with several messages
    /// name none of them; then the number and the time identify it.
    fn is(&self, message: &QueriedMessage) -> bool {
        let out_id = self.out_id.as_deref().unwrap_or_default();
        let sent = self
            .sent
            .as_deref()
            .and_then(|sent| NaiveDateTime::parse_from_str(sent, "%Y-%m-%d %H:%M:%S").ok());
        let apart = sent.map(|sent| {
            (Timestamp::from_local(sent, chrono_tz::Asia::Shanghai).0 - message.submitted_at.0)
                .abs()
        });
        out_id == message.reference
            || (out_id.starts_with(BATCH) && apart.is_some_and(|millis| millis <= SAME_TIME_MILLIS))
    }
}

/// Two messages to one number are further apart than this.
const SAME_TIME_MILLIS: i64 = 5 * 60_000;

/// Classifies the one response to a request for each of its messages. A refusal that a single
/// number may have caused applies to all of them.
pub(super) fn classify_all(status: u16, body: &str, messages: usize) -> Vec<SubmitOutcome> {
    let outcome = match classify(status, body) {
        SubmitOutcome::RefusedNumber { .. } | SubmitOutcome::DeferredNumber { .. }
            if messages > 1 =>
        {
            SubmitOutcome::BatchRefused
        }
        SubmitOutcome::RefusedMessage { .. } if messages > 1 => SubmitOutcome::BatchRefused,
        SubmitOutcome::TemporaryFailure { code } if messages > 1 && code.starts_with("isv.") => {
            SubmitOutcome::BatchRefused
        }
        outcome => outcome,
    };
    vec![outcome; messages]
}

fn classify(status: u16, body: &str) -> SubmitOutcome {
    let Ok(sent) = serde_json::from_str::<SendResponse>(body) else {
        return outcome_of_status(status);
    };
    let code = sent.code;
    match code.as_str() {
        "OK" => SubmitOutcome::Accepted { id: sent.biz_id },
        "isv.MOBILE_NUMBER_ILLEGAL" => SubmitOutcome::RefusedNumber { code },
        "isv.BUSINESS_LIMIT_CONTROL" | "isv.DAY_LIMIT_CONTROL" | "isv.MONTH_LIMIT_CONTROL" => {
            SubmitOutcome::DeferredNumber { code }
        }
        "Throttling" | "Throttling.User" | "Throttling.Api" => {
            SubmitOutcome::Throttled { code, retry_after: None }
        }
        "isv.OUT_OF_SERVICE"
        | "isv.AMOUNT_NOT_ENOUGH"
        | "isv.ACCOUNT_ABNORMAL"
        | "isv.ACCOUNT_NOT_EXISTS"
        | "isv.PRODUCT_UN_SUBSCRIPT" => SubmitOutcome::AccountFailure { code },
        // A retry does not help: the signature, the template or the key is wrong for every message.
        "isv.SMS_TEMPLATE_ILLEGAL"
        | "isv.SMS_SIGNATURE_ILLEGAL"
        | "isv.TEMPLATE_MISSING_PARAMETERS"
        | "isv.DENY_IP_RANGE"
        | "SignatureDoesNotMatch"
        | "InvalidAccessKeyId.NotFound"
        | "isp.RAM_PERMISSION_DENY" => SubmitOutcome::AccountFailure { code },
        // What stands in this message's parameters.
        "isv.PARAM_LENGTH_LIMIT"
        | "isv.PARAM_NOT_SUPPORT_URL"
        | "isv.BLACK_KEY_CONTROL_LIMIT"
        | "isv.TEMPLATE_PARAMS_ILLEGAL"
        | "isv.SMS_CONTENT_ILLEGAL"
        | "isv.INVALID_JSON_PARAM" => SubmitOutcome::RefusedMessage { code },
        // Refused with a code: certainly not accepted. isp.SYSTEM_ERROR and ServiceUnavailable are
        // temporary.
        _ => SubmitOutcome::TemporaryFailure { code },
    }
}

pub(super) async fn classify_query(
    message: &QueriedMessage,
    answer: Result<reqwest::Response, reqwest::Error>,
) -> QueryResult {
    match read_answer(answer).await {
        Ok((_, body)) => classify_details(message, &body),
        Err(_) => QueryResult::NoAnswer,
    }
}

fn classify_details(message: &QueriedMessage, body: &str) -> QueryResult {
    let Ok(Details { code, details }) = serde_json::from_str(body) else {
        return QueryResult::NoAnswer;
    };
    if code != "OK" {
        return QueryResult::NoAnswer;
    }
    let detail =
        details.map(|d| d.list).unwrap_or_default().into_iter().find(|detail| detail.is(message));
    match detail.map(|detail| detail.status) {
        None => QueryResult::Unknown,
        Some(3) => QueryResult::Delivered { id: None },
        Some(2) => QueryResult::Undelivered { id: None },
        Some(_) => QueryResult::Accepted { id: None },
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::approved_templates::tests::message;
    use super::super::super::tests::{
        PROXY_ANSWERS, accepted, account, deferred, in_doubt, refused, refused_message, temporary,
        throttled,
    };
    use super::*;

    #[test]
    fn answers_of_send_sms() {
        let code = |code: &str| code.to_owned();
        for (status, body, expected) in [
            (
                200,
                r#"{"Code":"OK","Message":"OK","BizId":"9006^0","RequestId":"F"}"#,
                SubmitOutcome::Accepted { id: Some("9006^0".into()) },
            ),
            (
                200,
                r#"{"Code":"isv.MOBILE_NUMBER_ILLEGAL","Message":"x"}"#,
                SubmitOutcome::RefusedNumber { code: code("isv.MOBILE_NUMBER_ILLEGAL") },
            ),
            (
                200,
                r#"{"Code":"isv.BUSINESS_LIMIT_CONTROL","Message":"x"}"#,
                SubmitOutcome::DeferredNumber { code: code("isv.BUSINESS_LIMIT_CONTROL") },
            ),
            (
                400,
                r#"{"Code":"Throttling.User","Message":"x"}"#,
                SubmitOutcome::Throttled { code: code("Throttling.User"), retry_after: None },
            ),
            (
                200,
                r#"{"Code":"isv.AMOUNT_NOT_ENOUGH","Message":"x"}"#,
                SubmitOutcome::AccountFailure { code: code("isv.AMOUNT_NOT_ENOUGH") },
            ),
            (
                404,
                r#"{"Code":"InvalidAccessKeyId.NotFound","Message":"x"}"#,
                SubmitOutcome::AccountFailure { code: code("InvalidAccessKeyId.NotFound") },
            ),
            (
                500,
                r#"{"Code":"isp.SYSTEM_ERROR","Message":"x"}"#,
                SubmitOutcome::TemporaryFailure { code: code("isp.SYSTEM_ERROR") },
            ),
            (502, "<html>", SubmitOutcome::InDoubt { code: code("http_502") }),
            (503, "", SubmitOutcome::TemporaryFailure { code: code("http_503") }),
            (200, "garbage", SubmitOutcome::InDoubt { code: code("http_200") }),
        ] {
            assert_eq!(classify(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn one_bad_number_refuses_a_whole_request() {
        let judged = |body: &str, messages| classify_all(200, body, messages);
        let refused = r#"{"Code":"isv.MOBILE_NUMBER_ILLEGAL"}"#;
        assert_eq!(judged(refused, 3), vec![SubmitOutcome::BatchRefused; 3]);
        assert!(matches!(judged(refused, 1)[..], [SubmitOutcome::RefusedNumber { .. }]));
        assert_eq!(
            judged(r#"{"Code":"OK","BizId":"9"}"#, 2),
            vec![SubmitOutcome::Accepted { id: Some("9".into()) }; 2]
        );
    }

    #[test]
    fn answers_of_query_send_details() {
        let body = |status: u8| {
            format!(
                r#"{{"Code":"OK","SmsSendDetailDTOs":{{"SmsSendDetailDTO":[{{"SendStatus":3,"OutId":"other"}},{{"SendStatus":{status},"OutId":"ref1"}}]}}}}"#
            )
        };
        let at = Timestamp::from_local(
            "2026-03-02T10:00:00".parse().unwrap(),
            chrono_tz::Asia::Shanghai,
        );
        let request_log = |reference: &str| QueriedMessage {
            reference: reference.into(),
            id: None,
            to: message("13800138000").to,
            submitted_at: at,
        };
        let judged = |reference: &str, body: &str| classify_details(&request_log(reference), body);
        assert_eq!(judged("ref1", &body(1)), QueryResult::Accepted { id: None });
        assert_eq!(judged("ref1", &body(2)), QueryResult::Undelivered { id: None });
        assert_eq!(judged("ref1", &body(3)), QueryResult::Delivered { id: None });
        assert_eq!(judged("ref2", &body(3)), QueryResult::Unknown);
        assert_eq!(judged("ref1", r#"{"Code":"isv.X"}"#), QueryResult::NoAnswer);
        assert_eq!(judged("ref1", "garbage"), QueryResult::NoAnswer);
        let in_a_batch = |sent: &str| {
            let detail = format!(r#"{{"SendStatus":3,"OutId":"batch-ref7","SendDate":"{sent}"}}"#);
            judged(
                "ref2",
                &format!(
                    r#"{{"Code":"OK","SmsSendDetailDTOs":{{"SmsSendDetailDTO":[{detail}]}}}}"#
                ),
            )
        };
        assert_eq!(in_a_batch("2026-03-02 10:00:02"), QueryResult::Delivered { id: None });
        assert_eq!(in_a_batch("2026-03-02 09:00:00"), QueryResult::Unknown);
    }

    #[test]
    fn every_code_of_send_sms_has_its_outcome() {
        for (code, outcome) in [
            ("isv.MOBILE_NUMBER_ILLEGAL", refused as fn(&str) -> SubmitOutcome),
            ("isv.BUSINESS_LIMIT_CONTROL", deferred),
            ("isv.DAY_LIMIT_CONTROL", deferred),
            ("isv.MONTH_LIMIT_CONTROL", deferred),
            ("Throttling", throttled),
            ("Throttling.User", throttled),
            ("Throttling.Api", throttled),
            ("isv.OUT_OF_SERVICE", account),
            ("isv.AMOUNT_NOT_ENOUGH", account),
            ("isv.ACCOUNT_ABNORMAL", account),
            ("isv.ACCOUNT_NOT_EXISTS", account),
            ("isv.PRODUCT_UN_SUBSCRIPT", account),
            ("isv.SMS_TEMPLATE_ILLEGAL", account),
            ("isv.SMS_SIGNATURE_ILLEGAL", account),
            ("isv.TEMPLATE_MISSING_PARAMETERS", account),
            ("isv.DENY_IP_RANGE", account),
            ("SignatureDoesNotMatch", account),
            ("InvalidAccessKeyId.NotFound", account),
            ("isp.RAM_PERMISSION_DENY", account),
            ("isp.SYSTEM_ERROR", temporary),
            ("ServiceUnavailable", temporary),
            ("isv.PARAM_LENGTH_LIMIT", refused_message),
            ("isv.BLACK_KEY_CONTROL_LIMIT", refused_message),
            ("isv.NEVER_HEARD_OF", temporary),
            ("isv.PARAM_NOT_SUPPORT_URL", refused_message),
            ("isv.TEMPLATE_PARAMS_ILLEGAL", refused_message),
            ("isv.SMS_CONTENT_ILLEGAL", refused_message),
            ("isv.INVALID_JSON_PARAM", refused_message),
            ("", temporary),
        ] {
            // The code decides, whatever the status.
            for status in [200, 400, 503] {
                let body = format!(r#"{{"Code":"{code}","Message":"x","RequestId":"F"}}"#);
                assert_eq!(classify(status, &body), outcome(code), "{status} {code}");
            }
        }
    }

    #[test]
    fn malformed_answers_of_send_sms_say_nothing() {
        for (status, body, expected) in [
            (200, r#"{"Code":"OK"}"#, SubmitOutcome::Accepted { id: None }),
            (200, r#"{"BizId":"9^0","New":{"a":[1]},"Code":"OK"}"#, accepted("9^0")),
            (200, "", in_doubt("http_200")),
            (200, "{}", in_doubt("http_200")),
            (200, "null", in_doubt("http_200")),
            (200, "[]", in_doubt("http_200")),
            (200, r#"{"Code":null}"#, in_doubt("http_200")),
            (200, r#"{"Code":"OK","BizId":"9006^"#, in_doubt("http_200")),
            (200, r#"{"Code":"isv.MOBILE_NUMBER_ILL"#, in_doubt("http_200")),
            (400, r#"{"Code":"isv.MOBILE_NUMBER_ILL"#, temporary("http_400")),
            (200, "<html>welcome to this network</html>", in_doubt("http_200")),
        ] {
            assert_eq!(classify(status, body), expected, "{status} {body}");
        }
        for (status, body, outcome, code) in PROXY_ANSWERS {
            assert_eq!(classify(status, body), outcome(code), "{status} {body}");
        }
    }

    #[test]
    fn what_one_answer_says_of_several_messages() {
        for (code, expected) in [
            ("isv.MOBILE_NUMBER_ILLEGAL", SubmitOutcome::BatchRefused),
            ("isv.DAY_LIMIT_CONTROL", SubmitOutcome::BatchRefused),
            ("isv.BLACK_KEY_CONTROL_LIMIT", SubmitOutcome::BatchRefused),
            ("isv.PARAM_LENGTH_LIMIT", SubmitOutcome::BatchRefused),
            ("isp.SYSTEM_ERROR", temporary("isp.SYSTEM_ERROR")),
            ("isv.AMOUNT_NOT_ENOUGH", account("isv.AMOUNT_NOT_ENOUGH")),
            ("Throttling.User", throttled("Throttling.User")),
        ] {
            let body = format!(r#"{{"Code":"{code}"}}"#);
            assert_eq!(classify_all(200, &body, 3), vec![expected; 3], "{code}");
        }
        assert_eq!(classify_all(502, "<html>", 2), vec![in_doubt("http_502"); 2]);
    }

    #[test]
    fn details_that_name_no_message_of_ours() {
        let doubtful = QueriedMessage {
            reference: "ref1".into(),
            id: None,
            to: message("13800138000").to,
            submitted_at: Timestamp::from_local(
                "2026-03-02T10:00:00".parse().unwrap(),
                chrono_tz::Asia::Shanghai,
            ),
        };
        for (details, expected) in [
            ("null", QueryResult::Unknown),
            ("{}", QueryResult::Unknown),
            (r#"{"SmsSendDetailDTO":[]}"#, QueryResult::Unknown),
            // A state that is neither failed nor delivered: it was taken.
            (
                r#"{"SmsSendDetailDTO":[{"SendStatus":7,"OutId":"ref1","New":1}]}"#,
                QueryResult::Accepted { id: None },
            ),
            (r#"{"SmsSendDetailDTO":[{"SendStatus":3,"OutId":""}]}"#, QueryResult::Unknown),
            (r#"{"SmsSendDetailDTO":[{"SendStatus":3}]}"#, QueryResult::Unknown),
            (r#"{"SmsSendDetailDTO":[{"OutId":"ref1"}]}"#, QueryResult::NoAnswer),
            // Of a request with several messages, the time decides.
            (
                r#"{"SmsSendDetailDTO":[{"SendStatus":2,"OutId":"batch-x","SendDate":"2026-03-02 10:05:00"}]}"#,
                QueryResult::Undelivered { id: None },
            ),
            (
                r#"{"SmsSendDetailDTO":[{"SendStatus":2,"OutId":"batch-x","SendDate":"2026-03-02 10:05:01"}]}"#,
                QueryResult::Unknown,
            ),
            (
                r#"{"SmsSendDetailDTO":[{"SendStatus":2,"OutId":"batch-x","SendDate":"soon"}]}"#,
                QueryResult::Unknown,
            ),
            (r#"{"SmsSendDetailDTO":[{"SendStatus":2,"OutId":"batch-x"}]}"#, QueryResult::Unknown),
        ] {
            let body = format!(r#"{{"Code":"OK","SmsSendDetailDTOs":{details}}}"#);
            assert_eq!(classify_details(&doubtful, &body), expected, "{details}");
        }
        for body in ["", "{}", "<html>", r#"{"Code":"OK","SmsSendDetailDTOs":{"#] {
            assert_eq!(classify_details(&doubtful, body), QueryResult::NoAnswer, "{body}");
        }
    }
}
