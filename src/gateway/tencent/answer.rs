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

pub(super) async fn judge(answer: Result<reqwest::Response, reqwest::Error>) -> Outcome {
    match read_answer(answer).await {
        Ok((status, body)) => judge_read(status, &body),
        Err(outcome) => outcome,
    }
}

fn judge_read(status: u16, body: &str) -> Outcome {
    let Ok(Envelope { response: sent }) = serde_json::from_str::<Envelope<Sent>>(body) else {
        return outcome_of_status(status);
    };
    if let Some(error) = sent.error {
        return judge_code(error.code);
    }
    match sent.statuses.into_iter().next() {
        Some(status) if status.code == "Ok" => Outcome::Accepted { id: status.serial },
        Some(status) => judge_code(status.code),
        None => Outcome::InDoubt { code: "no_status".into() },
    }
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
    match answer {
        Ok(response) => response.text().await.map_or(QueryAnswer::NoAnswer, |body| judge_pulled(message, &body)),
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
            assert_eq!(judge_read(200, &body), expected, "{body}");
        }
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
