//! Responses of SendSms and PullSmsSendStatusByPhoneNumber.

use serde::Deserialize;

use super::super::http::{outcome_of_status, read_answer};
use super::super::{QueriedMessage, QueryResult, SubmitOutcome};

#[derive(Deserialize)]
struct Envelope<T> {
    #[serde(rename = "Response")]
    response: T,
}

#[derive(Deserialize)]
struct SendResponse {
    #[serde(rename = "Error")]
    error: Option<ApiError>,
    #[serde(rename = "SendStatusSet", default)]
    statuses: Vec<SendStatus>,
}

#[derive(Deserialize)]
struct ApiError {
    #[serde(rename = "Code")]
    code: String,
}

#[derive(Deserialize)]
struct SendStatus {
    #[serde(rename = "SerialNo")]
    serial: Option<String>,
    #[serde(rename = "PhoneNumber", default)]
    number: String,
    #[serde(rename = "Code")]
    code: String,
}

#[derive(Deserialize)]
struct PullResponse {
    #[serde(rename = "Error")]
    error: Option<ApiError>,
    #[serde(rename = "PullSmsSendStatusSet", default)]
    statuses: Vec<PulledStatus>,
}

#[derive(Deserialize)]
struct PulledStatus {
    #[serde(rename = "SerialNo")]
    serial: String,
    #[serde(rename = "ReportStatus")]
    status: String,
    #[serde(rename = "SessionContext", default)]
    context: String,
}

/// Returns an outcome for each of the numbers in order, whatever the order of the response. A
/// number that the response omits is in doubt.
pub(super) fn classify_all(status: u16, body: &str, numbers: &[&str]) -> Vec<SubmitOutcome> {
    let Ok(Envelope { response: sent }) = serde_json::from_str::<Envelope<SendResponse>>(body)
    else {
        return vec![outcome_of_status(status); numbers.len()];
    };
    if let Some(error) = sent.error {
        let outcome = match classify_code(error.code) {
            SubmitOutcome::RefusedNumber { .. } | SubmitOutcome::DeferredNumber { .. }
                if numbers.len() > 1 =>
            {
                SubmitOutcome::BatchRefused
            }
            outcome => outcome,
        };
        return vec![outcome; numbers.len()];
    }
    let alone = numbers.len() == 1;
    let of = |number: &&str| match sent
        .statuses
        .iter()
        .find(|status| alone || status.number == **number)
    {
        Some(status) if status.code == "Ok" => {
            SubmitOutcome::Accepted { id: status.serial.clone() }
        }
        Some(status) => classify_code(status.code.clone()),
        None => SubmitOutcome::InDoubt { code: "no_status".into() },
    };
    numbers.iter().map(of).collect()
}

/// Classifies a code; every code says that the message was not accepted.
fn classify_code(code: String) -> SubmitOutcome {
    match code.as_str() {
        "InvalidParameterValue.IncorrectPhoneNumber" | "FailedOperation.PhoneNumberInBlacklist" => {
            SubmitOutcome::RefusedNumber { code }
        }
        "LimitExceeded.PhoneNumberDailyLimit"
        | "LimitExceeded.PhoneNumberOneHourLimit"
        | "LimitExceeded.PhoneNumberThirtySecondLimit"
        | "LimitExceeded.PhoneNumberSameContentDailyLimit"
        | "LimitExceeded.DeliveryFrequencyLimit" => SubmitOutcome::DeferredNumber { code },
        // What stands in this message's parameters.
        "InvalidParameterValue.TemplateParameterLengthLimit"
        | "InvalidParameterValue.TemplateParameterFormatError"
        | "InvalidParameterValue.ContentLengthLimit"
        | "FailedOperation.ContainSensitiveWord" => SubmitOutcome::RefusedMessage { code },
        "RequestLimitExceeded" | "LimitExceeded.GlobalSmsSendingRateLimit" => {
            SubmitOutcome::Throttled { code, retry_after: None }
        }
        "FailedOperation.InsufficientBalanceInSmsPackage"
        | "FailedOperation.SignatureIncorrectOrUnapproved"
        | "FailedOperation.TemplateIncorrectOrUnapproved"
        | "InvalidParameterValue.ProhibitedUseUrlInTemplateParameter"
        | "LimitExceeded.AppDailyLimit"
        | "LimitExceeded.AppMainlandChinaDailyLimit" => SubmitOutcome::AccountFailure { code },
        auth if auth.starts_with("AuthFailure") || auth.starts_with("UnauthorizedOperation") => {
            SubmitOutcome::AccountFailure { code }
        }
        _ => SubmitOutcome::TemporaryFailure { code },
    }
}

pub(super) async fn classify_query(
    message: &QueriedMessage,
    answer: Result<reqwest::Response, reqwest::Error>,
) -> QueryResult {
    match read_answer(answer).await {
        Ok((_, body)) => classify_pulled(message, &body),
        Err(_) => QueryResult::NoAnswer,
    }
}

fn classify_pulled(message: &QueriedMessage, body: &str) -> QueryResult {
    let Ok(Envelope { response: pulled }) = serde_json::from_str::<Envelope<PullResponse>>(body)
    else {
        return QueryResult::NoAnswer;
    };
    if pulled.error.is_some() {
        return QueryResult::NoAnswer;
    }
    let is_ours = |status: &PulledStatus| {
        status.context == message.reference || message.id.as_deref() == Some(&status.serial)
    };
    match pulled.statuses.into_iter().find(is_ours) {
        Some(status) if status.status == "SUCCESS" => {
            QueryResult::Delivered { id: Some(status.serial) }
        }
        Some(status) => QueryResult::Undelivered { id: Some(status.serial) },
        // The list contains only messages with a report: absence is inconclusive.
        None => QueryResult::NoAnswer,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::approved_templates::tests::message;
    use super::super::super::tests::{
        PROXY_ANSWERS, account, deferred, in_doubt, refused, refused_message, temporary, throttled,
    };
    use super::*;
    use crate::domain::time::Timestamp;

    #[test]
    fn answers_of_send_sms() {
        let of_code = |code: &str| {
            format!(
                r#"{{"Response":{{"SendStatusSet":[{{"SerialNo":"5000:1","PhoneNumber":"x","Fee":1,"Code":"{code}"}}],"RequestId":"R"}}}}"#
            )
        };
        let error = |code: &str| {
            format!(
                r#"{{"Response":{{"Error":{{"Code":"{code}","Message":"x"}},"RequestId":"R"}}}}"#
            )
        };
        for (body, expected) in [
            (of_code("Ok"), SubmitOutcome::Accepted { id: Some("5000:1".into()) }),
            (
                of_code("FailedOperation.PhoneNumberInBlacklist"),
                SubmitOutcome::RefusedNumber {
                    code: "FailedOperation.PhoneNumberInBlacklist".into(),
                },
            ),
            (
                of_code("LimitExceeded.PhoneNumberDailyLimit"),
                SubmitOutcome::DeferredNumber {
                    code: "LimitExceeded.PhoneNumberDailyLimit".into(),
                },
            ),
            (
                error("RequestLimitExceeded"),
                SubmitOutcome::Throttled { code: "RequestLimitExceeded".into(), retry_after: None },
            ),
            (
                error("AuthFailure.SignatureFailure"),
                SubmitOutcome::AccountFailure { code: "AuthFailure.SignatureFailure".into() },
            ),
            (
                error("InternalError.Timeout"),
                SubmitOutcome::TemporaryFailure { code: "InternalError.Timeout".into() },
            ),
            ("garbage".to_owned(), SubmitOutcome::InDoubt { code: "http_200".into() }),
            (
                r#"{"Response":{"RequestId":"R"}}"#.to_owned(),
                SubmitOutcome::InDoubt { code: "no_status".into() },
            ),
        ] {
            assert_eq!(classify_all(200, &body, &["+861"]), [expected], "{body}");
        }
    }

    #[test]
    fn each_number_of_a_request_is_settled_by_itself() {
        let status = |number: &str, code: &str| {
            format!(r#"{{"SerialNo":"s{number}","PhoneNumber":"{number}","Code":"{code}"}}"#)
        };
        let statuses = [
            status("+863", "Ok"),
            status("+862", "FailedOperation.PhoneNumberInBlacklist"),
            status("+861", "Ok"),
        ]
        .join(",");
        let body = format!(r#"{{"Response":{{"SendStatusSet":[{statuses}]}}}}"#);
        let outcomes = classify_all(200, &body, &["+861", "+862", "+863", "+864"]);
        assert_eq!(outcomes[0], SubmitOutcome::Accepted { id: Some("s+861".into()) });
        assert!(matches!(outcomes[1], SubmitOutcome::RefusedNumber { .. }));
        assert_eq!(outcomes[2], SubmitOutcome::Accepted { id: Some("s+863".into()) });
        assert!(
            matches!(outcomes[3], SubmitOutcome::InDoubt { .. }),
            "an answer that passes a number over says nothing about it"
        );
    }

    #[test]
    fn answers_of_pull() {
        let doubtful = QueriedMessage {
            reference: "ref1".into(),
            id: None,
            to: message("13800138000").to,
            submitted_at: Timestamp(0),
        };
        let body = |context: &str, status: &str| {
            format!(
                r#"{{"Response":{{"PullSmsSendStatusSet":[{{"SerialNo":"5","ReportStatus":"{status}","SessionContext":"{context}"}}]}}}}"#
            )
        };
        assert_eq!(
            classify_pulled(&doubtful, &body("ref1", "SUCCESS")),
            QueryResult::Delivered { id: Some("5".into()) }
        );
        assert_eq!(
            classify_pulled(&doubtful, &body("ref1", "FAIL")),
            QueryResult::Undelivered { id: Some("5".into()) }
        );
        assert_eq!(classify_pulled(&doubtful, &body("other", "SUCCESS")), QueryResult::NoAnswer);
    }

    #[test]
    fn every_code_has_its_outcome_for_a_number_and_for_a_request() {
        for (code, outcome) in [
            ("InvalidParameterValue.IncorrectPhoneNumber", refused as fn(&str) -> SubmitOutcome),
            ("FailedOperation.PhoneNumberInBlacklist", refused),
            ("InvalidParameterValue.TemplateParameterLengthLimit", refused_message),
            ("InvalidParameterValue.TemplateParameterFormatError", refused_message),
            ("InvalidParameterValue.ContentLengthLimit", refused_message),
            ("FailedOperation.ContainSensitiveWord", refused_message),
            ("LimitExceeded.PhoneNumberDailyLimit", deferred),
            ("LimitExceeded.PhoneNumberOneHourLimit", deferred),
            ("LimitExceeded.PhoneNumberThirtySecondLimit", deferred),
            ("LimitExceeded.PhoneNumberSameContentDailyLimit", deferred),
            ("LimitExceeded.DeliveryFrequencyLimit", deferred),
            ("RequestLimitExceeded", throttled),
            ("LimitExceeded.GlobalSmsSendingRateLimit", throttled),
            ("FailedOperation.InsufficientBalanceInSmsPackage", account),
            ("FailedOperation.SignatureIncorrectOrUnapproved", account),
            ("FailedOperation.TemplateIncorrectOrUnapproved", account),
            ("InvalidParameterValue.ProhibitedUseUrlInTemplateParameter", account),
            ("LimitExceeded.AppDailyLimit", account),
            ("LimitExceeded.AppMainlandChinaDailyLimit", account),
            ("AuthFailure.SignatureFailure", account),
            ("AuthFailure.SecretIdNotFound", account),
            ("UnauthorizedOperation.SmsSdkAppIdVerifyFail", account),
            ("InternalError", temporary),
            ("Never.HeardOf", temporary),
            ("", temporary),
        ] {
            let of_number = format!(
                r#"{{"Response":{{"SendStatusSet":[{{"SerialNo":"","PhoneNumber":"+861","Code":"{code}","New":1}}],"RequestId":"R"}}}}"#
            );
            let of_request = format!(
                r#"{{"Response":{{"Error":{{"Code":"{code}","Message":"x"}},"RequestId":"R"}}}}"#
            );
            for body in [of_number, of_request.clone()] {
                assert_eq!(classify_all(200, &body, &["+861"]), [outcome(code)], "{body}");
            }
            // A refusal that one number may have caused is found out one by one.
            let expected = match outcome(code) {
                SubmitOutcome::RefusedNumber { .. } | SubmitOutcome::DeferredNumber { .. } => {
                    SubmitOutcome::BatchRefused
                }
                outcome => outcome,
            };
            assert_eq!(
                classify_all(200, &of_request, &["+861", "+862"]),
                vec![expected; 2],
                "{code}"
            );
        }
    }

    #[test]
    fn malformed_answers_of_send_sms_say_nothing() {
        for (status, body, expected) in [
            (
                200,
                r#"{"Response":{"SendStatusSet":[{"Code":"Ok"}]}}"#,
                SubmitOutcome::Accepted { id: None },
            ),
            (200, r#"{"Response":{"SendStatusSet":[]}}"#, in_doubt("no_status")),
            (200, r#"{"Response":{}}"#, in_doubt("no_status")),
            (200, r#"{"Response":{"SendStatusSet":null}}"#, in_doubt("http_200")),
            (200, r#"{"Response":{"SendStatusSet":[{"SerialNo":"5:1"}]}}"#, in_doubt("http_200")),
            (200, r#"{"Response":{"Error":{"Message":"x"}}}"#, in_doubt("http_200")),
            (200, "{}", in_doubt("http_200")),
            (200, "", in_doubt("http_200")),
            (200, r#"{"Response":{"SendStatusSet":[{"SerialNo":"5:"#, in_doubt("http_200")),
            (200, "<html>welcome to this network</html>", in_doubt("http_200")),
            (400, "{", temporary("http_400")),
        ] {
            assert_eq!(classify_all(status, body, &["+861"]), [expected], "{status} {body}");
        }
        for (status, body, outcome, code) in PROXY_ANSWERS {
            assert_eq!(
                classify_all(status, body, &["+861", "+862"]),
                vec![outcome(code); 2],
                "{status} {body}"
            );
        }
    }

    #[test]
    fn reports_that_are_pulled() {
        let doubtful = |id: Option<&str>| QueriedMessage {
            reference: "ref1".into(),
            id: id.map(str::to_owned),
            to: message("13800138000").to,
            submitted_at: Timestamp(0),
        };
        let delivered = || QueryResult::Delivered { id: Some("5".into()) };
        let of = |report: &str| format!(r#"{{"Response":{{"PullSmsSendStatusSet":[{report}]}}}}"#);
        for (id, body, expected) in [
            (
                None,
                of(r#"{"SerialNo":"5","ReportStatus":"SUCCESS","SessionContext":"ref1","New":1}"#),
                delivered(),
            ),
            (Some("5"), of(r#"{"SerialNo":"5","ReportStatus":"SUCCESS"}"#), delivered()),
            (None, of(r#"{"SerialNo":"5","ReportStatus":"SUCCESS"}"#), QueryResult::NoAnswer),
            (
                Some("5"),
                of(
                    r#"{"SerialNo":"4","ReportStatus":"SUCCESS"},{"SerialNo":"5","ReportStatus":"FAIL"}"#,
                ),
                QueryResult::Undelivered { id: Some("5".into()) },
            ),
            (Some("5"), of(""), QueryResult::NoAnswer),
            (Some("5"), of(r#"{"SerialNo":"5"}"#), QueryResult::NoAnswer),
            (
                Some("5"),
                r#"{"Response":{"Error":{"Code":"InternalError"}}}"#.into(),
                QueryResult::NoAnswer,
            ),
            (Some("5"), r#"{"Response":{"PullSms"#.into(), QueryResult::NoAnswer),
            (Some("5"), "<html>".into(), QueryResult::NoAnswer),
            (Some("5"), String::new(), QueryResult::NoAnswer),
        ] {
            assert_eq!(classify_pulled(&doubtful(id), &body), expected, "{id:?} {body}");
        }
    }
}
