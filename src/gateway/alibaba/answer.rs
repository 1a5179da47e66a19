//! What SendSms and QuerySendDetails answered.

use serde::Deserialize;

use super::super::http::{outcome_of_status, read_answer};
use super::super::{Outcome, QueryAnswer};

#[derive(Deserialize)]
struct Sent {
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
}

pub(super) async fn judge(answer: Result<reqwest::Response, reqwest::Error>) -> Outcome {
    match read_answer(answer).await {
        Ok((status, body)) => judge_read(status, &body),
        Err(outcome) => outcome,
    }
}

fn judge_read(status: u16, body: &str) -> Outcome {
    let Ok(sent) = serde_json::from_str::<Sent>(body) else {
        return outcome_of_status(status);
    };
    let code = sent.code;
    match code.as_str() {
        "OK" => Outcome::Accepted { id: sent.biz_id },
        "isv.MOBILE_NUMBER_ILLEGAL" => Outcome::RefusedNumber { code },
        "isv.BUSINESS_LIMIT_CONTROL" | "isv.DAY_LIMIT_CONTROL" | "isv.MONTH_LIMIT_CONTROL" => Outcome::DeferredNumber { code },
        "Throttling" | "Throttling.User" | "Throttling.Api" => Outcome::SlowDown { code, retry_after: None },
        "isv.OUT_OF_SERVICE" | "isv.AMOUNT_NOT_ENOUGH" | "isv.ACCOUNT_ABNORMAL" | "isv.ACCOUNT_NOT_EXISTS" | "isv.PRODUCT_UN_SUBSCRIPT" => {
            Outcome::AccountFailure { code }
        }
        // Nothing that trying again could mend: the signature, the template or the key is wrong for every message.
        "isv.SMS_TEMPLATE_ILLEGAL"
        | "isv.SMS_SIGNATURE_ILLEGAL"
        | "isv.TEMPLATE_MISSING_PARAMETERS"
        | "isv.DENY_IP_RANGE"
        | "SignatureDoesNotMatch"
        | "InvalidAccessKeyId.NotFound"
        | "isp.RAM_PERMISSION_DENY" => Outcome::AccountFailure { code },
        // Refused with a code: certainly not taken. isp.SYSTEM_ERROR and ServiceUnavailable are passing; of one message's own fault
        // (isv.PARAM_LENGTH_LIMIT, isv.BLACK_KEY_CONTROL_LIMIT) the tries run out, and the plan goes on.
        _ => Outcome::PassingFailure { code },
    }
}

pub(super) async fn judge_query(reference: &str, answer: Result<reqwest::Response, reqwest::Error>) -> QueryAnswer {
    match answer {
        Ok(response) => response.text().await.map_or(QueryAnswer::NoAnswer, |body| judge_details(reference, &body)),
        Err(_) => QueryAnswer::NoAnswer,
    }
}

fn judge_details(reference: &str, body: &str) -> QueryAnswer {
    let Ok(Details { code, details }) = serde_json::from_str(body) else { return QueryAnswer::NoAnswer };
    if code != "OK" {
        return QueryAnswer::NoAnswer;
    }
    let ours = details.map(|d| d.list).unwrap_or_default().into_iter().find(|detail| detail.out_id.as_deref() == Some(reference));
    match ours.map(|detail| detail.status) {
        None => QueryAnswer::Unknown,
        Some(3) => QueryAnswer::Delivered { id: None },
        Some(2) => QueryAnswer::Undelivered { id: None },
        Some(_) => QueryAnswer::Accepted { id: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_send_sms() {
        let code = |code: &str| code.to_owned();
        for (status, body, expected) in [
            (200, r#"{"Code":"OK","Message":"OK","BizId":"9006^0","RequestId":"F"}"#, Outcome::Accepted { id: Some("9006^0".into()) }),
            (200, r#"{"Code":"isv.MOBILE_NUMBER_ILLEGAL","Message":"x"}"#, Outcome::RefusedNumber { code: code("isv.MOBILE_NUMBER_ILLEGAL") }),
            (200, r#"{"Code":"isv.BUSINESS_LIMIT_CONTROL","Message":"x"}"#, Outcome::DeferredNumber { code: code("isv.BUSINESS_LIMIT_CONTROL") }),
            (400, r#"{"Code":"Throttling.User","Message":"x"}"#, Outcome::SlowDown { code: code("Throttling.User"), retry_after: None }),
            (200, r#"{"Code":"isv.AMOUNT_NOT_ENOUGH","Message":"x"}"#, Outcome::AccountFailure { code: code("isv.AMOUNT_NOT_ENOUGH") }),
            (404, r#"{"Code":"InvalidAccessKeyId.NotFound","Message":"x"}"#, Outcome::AccountFailure { code: code("InvalidAccessKeyId.NotFound") }),
            (500, r#"{"Code":"isp.SYSTEM_ERROR","Message":"x"}"#, Outcome::PassingFailure { code: code("isp.SYSTEM_ERROR") }),
            (502, "<html>", Outcome::InDoubt { code: code("http_502") }),
            (503, "", Outcome::PassingFailure { code: code("http_503") }),
            (200, "garbage", Outcome::InDoubt { code: code("http_200") }),
        ] {
            assert_eq!(judge_read(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn answers_of_query_send_details() {
        let body = |status: u8| {
            format!(
                r#"{{"Code":"OK","SmsSendDetailDTOs":{{"SmsSendDetailDTO":[{{"SendStatus":3,"OutId":"other"}},{{"SendStatus":{status},"OutId":"ref1"}}]}}}}"#
            )
        };
        assert_eq!(judge_details("ref1", &body(1)), QueryAnswer::Accepted { id: None });
        assert_eq!(judge_details("ref1", &body(2)), QueryAnswer::Undelivered { id: None });
        assert_eq!(judge_details("ref1", &body(3)), QueryAnswer::Delivered { id: None });
        assert_eq!(judge_details("ref2", &body(3)), QueryAnswer::Unknown);
        assert_eq!(judge_details("ref1", r#"{"Code":"isv.X"}"#), QueryAnswer::NoAnswer);
        assert_eq!(judge_details("ref1", "garbage"), QueryAnswer::NoAnswer);
    }
}
