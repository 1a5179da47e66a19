//! What SendSms and PullSmsSendStatusByPhoneNumber answered.

use serde::Deserialize;

use super::super::http::{outcome_of_status, read_answer};
use super::super::{Doubtful, Outcome, QueryAnswer};

#[derive(Deserialize)]
struct Envelope<T> {
    #[serde(rename = "Response")]
    response: T,
}

#[derive(Deserialize)]
struct Sent {
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
struct Pulled {
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

/// An outcome for each of the numbers, in their order, whatever the order of the answer. One that the answer passes over is in doubt.
pub(super) fn judge_all(status: u16, body: &str, numbers: &[&str]) -> Vec<Outcome> {
    let Ok(Envelope { response: sent }) = serde_json::from_str::<Envelope<Sent>>(body) else {
        return vec![outcome_of_status(status); numbers.len()];
    };
    if let Some(error) = sent.error {
        let outcome = match judge_code(error.code) {
            Outcome::RefusedNumber { .. } | Outcome::DeferredNumber { .. } if numbers.len() > 1 => Outcome::RefusedTogether,
            outcome => outcome,
        };
        return vec![outcome; numbers.len()];
    }
    let alone = numbers.len() == 1;
    let of = |number: &&str| match sent.statuses.iter().find(|status| alone || status.number == **number) {
        Some(status) if status.code == "Ok" => Outcome::Accepted { id: status.serial.clone() },
        Some(status) => judge_code(status.code.clone()),
        None => Outcome::InDoubt { code: "no_status".into() },
    };
    numbers.iter().map(of).collect()
}

/// Every code says that the message was not taken.
fn judge_code(code: String) -> Outcome {
    match code.as_str() {
        "InvalidParameterValue.IncorrectPhoneNumber" | "FailedOperation.PhoneNumberInBlacklist" => Outcome::RefusedNumber { code },
        "LimitExceeded.PhoneNumberDailyLimit"
        | "LimitExceeded.PhoneNumberOneHourLimit"
        | "LimitExceeded.PhoneNumberThirtySecondLimit"
        | "LimitExceeded.PhoneNumberSameContentDailyLimit"
        | "LimitExceeded.DeliveryFrequencyLimit" => Outcome::DeferredNumber { code },
        "RequestLimitExceeded" | "LimitExceeded.GlobalSmsSendingRateLimit" => Outcome::SlowDown { code, retry_after: None },
        "FailedOperation.InsufficientBalanceInSmsPackage"
        | "FailedOperation.SignatureIncorrectOrUnapproved"
        | "FailedOperation.TemplateIncorrectOrUnapproved"
        | "InvalidParameterValue.ProhibitedUseUrlInTemplateParameter"
        | "LimitExceeded.AppDailyLimit"
        | "LimitExceeded.AppMainlandChinaDailyLimit" => Outcome::AccountFailure { code },
        auth if auth.starts_with("AuthFailure") || auth.starts_with("UnauthorizedOperation") => Outcome::AccountFailure { code },
        _ => Outcome::PassingFailure { code },
    }
}

pub(super) async fn judge_query(message: &Doubtful, answer: Result<reqwest::Response, reqwest::Error>) -> QueryAnswer {
    match read_answer(answer).await {
        Ok((_, body)) => judge_pulled(message, &body),
        Err(_) => QueryAnswer::NoAnswer,
    }
}

fn judge_pulled(message: &Doubtful, body: &str) -> QueryAnswer {
    let Ok(Envelope { response: pulled }) = serde_json::from_str::<Envelope<Pulled>>(body) else { return QueryAnswer::NoAnswer };
    if pulled.error.is_some() {
        return QueryAnswer::NoAnswer;
    }
    let is_ours = |status: &PulledStatus| status.context == message.reference || message.id.as_deref() == Some(&status.serial);
    match pulled.statuses.into_iter().find(is_ours) {
        Some(status) if status.status == "SUCCESS" => QueryAnswer::Delivered { id: Some(status.serial) },
        Some(status) => QueryAnswer::Undelivered { id: Some(status.serial) },
        // The list holds only what has a report already: absence says nothing.
        None => QueryAnswer::NoAnswer,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::approved::tests::message;
    use super::*;
    use crate::domain::time::Timestamp;

    #[test]
    fn answers_of_send_sms() {
        let of_code = |code: &str| {
            format!(r#"{{"Response":{{"SendStatusSet":[{{"SerialNo":"5000:1","PhoneNumber":"x","Fee":1,"Code":"{code}"}}],"RequestId":"R"}}}}"#)
        };
        let error = |code: &str| format!(r#"{{"Response":{{"Error":{{"Code":"{code}","Message":"x"}},"RequestId":"R"}}}}"#);
        for (body, expected) in [
            (of_code("Ok"), Outcome::Accepted { id: Some("5000:1".into()) }),
            (of_code("FailedOperation.PhoneNumberInBlacklist"), Outcome::RefusedNumber { code: "FailedOperation.PhoneNumberInBlacklist".into() }),
            (of_code("LimitExceeded.PhoneNumberDailyLimit"), Outcome::DeferredNumber { code: "LimitExceeded.PhoneNumberDailyLimit".into() }),
            (error("RequestLimitExceeded"), Outcome::SlowDown { code: "RequestLimitExceeded".into(), retry_after: None }),
            (error("AuthFailure.SignatureFailure"), Outcome::AccountFailure { code: "AuthFailure.SignatureFailure".into() }),
            (error("InternalError.Timeout"), Outcome::PassingFailure { code: "InternalError.Timeout".into() }),
            ("garbage".to_owned(), Outcome::InDoubt { code: "http_200".into() }),
            (r#"{"Response":{"RequestId":"R"}}"#.to_owned(), Outcome::InDoubt { code: "no_status".into() }),
        ] {
            assert_eq!(judge_all(200, &body, &["+861"]), [expected], "{body}");
        }
    }

    #[test]
    fn each_number_of_a_request_is_settled_by_itself() {
        let status = |number: &str, code: &str| format!(r#"{{"SerialNo":"s{number}","PhoneNumber":"{number}","Code":"{code}"}}"#);
        let statuses = [status("+863", "Ok"), status("+862", "FailedOperation.PhoneNumberInBlacklist"), status("+861", "Ok")].join(",");
        let body = format!(r#"{{"Response":{{"SendStatusSet":[{statuses}]}}}}"#);
        let outcomes = judge_all(200, &body, &["+861", "+862", "+863", "+864"]);
        assert_eq!(outcomes[0], Outcome::Accepted { id: Some("s+861".into()) });
        assert!(matches!(outcomes[1], Outcome::RefusedNumber { .. }));
        assert_eq!(outcomes[2], Outcome::Accepted { id: Some("s+863".into()) });
        assert!(matches!(outcomes[3], Outcome::InDoubt { .. }), "an answer that passes a number over says nothing about it");
    }

    #[test]
    fn answers_of_pull() {
        let doubtful = Doubtful { reference: "ref1".into(), id: None, to: message("13800138000").to, submitted_at: Timestamp(0) };
        let body = |context: &str, status: &str| {
            format!(r#"{{"Response":{{"PullSmsSendStatusSet":[{{"SerialNo":"5","ReportStatus":"{status}","SessionContext":"{context}"}}]}}}}"#)
        };
        assert_eq!(judge_pulled(&doubtful, &body("ref1", "SUCCESS")), QueryAnswer::Delivered { id: Some("5".into()) });
        assert_eq!(judge_pulled(&doubtful, &body("ref1", "FAIL")), QueryAnswer::Undelivered { id: Some("5".into()) });
        assert_eq!(judge_pulled(&doubtful, &body("other", "SUCCESS")), QueryAnswer::NoAnswer);
    }
}
