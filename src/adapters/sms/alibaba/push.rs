//! Pushes of Alibaba Cloud: SmsReport and SmsUp, JSON arrays.

use serde::Deserialize;
use serde_json::Value;

use super::super::{Entries, PushError, Receipt, Reply};
use super::BATCH;
use crate::domain::personal::Personal;
use crate::domain::time::Timestamp;

#[derive(Deserialize)]
struct Report {
    success: bool,
    phone_number: Option<String>,
    biz_id: Option<String>,
    out_id: Option<String>,
    err_code: Option<String>,
}

#[derive(Deserialize)]
struct UplinkMessage {
    phone_number: String,
    content: String,
    /// A number in some pushes, a text in others.
    #[serde(default)]
    sequence_id: Value,
    #[serde(default)]
    send_time: Option<String>,
}

/// Operators' codes for a number that is not in service.
const DEAD: [&str; 2] = ["MOBILE_NOT_ON_SERVICE", "MK:0001"];

pub(super) fn receipts(body: &[u8]) -> Result<Entries<Receipt>, PushError> {
    let reports: Vec<Value> =
        serde_json::from_slice(body).map_err(|_| PushError::Form("a JSON array of SmsReport"))?;
    let receipt = |report: &Value| {
        let report = Report::deserialize(report).map_err(|_| PushError::Missing("success"))?;
        let named = |value: Option<String>| value.filter(|v| !v.is_empty() && v.len() <= 255);
        // For several messages in one request, the request's id and the number identify one.
        let (reference, id) = (
            named(report.out_id).filter(|out_id| !out_id.starts_with(BATCH)),
            named(report.biz_id),
        );
        if reference.is_none() && id.is_none() {
            return Err(PushError::Missing("out_id"));
        }
        let dead_number =
            !report.success && report.err_code.as_deref().is_some_and(|code| DEAD.contains(&code));
        let to = report.phone_number.map(Personal::new);
        Ok(Some(Receipt {
            reference,
            id,
            to,
            delivered: report.success,
            dead_number,
            code: named(report.err_code).filter(|_| !report.success),
        }))
    };
    Ok(Entries::read(reports, receipt))
}

pub(super) fn replies(body: &[u8]) -> Result<Entries<Reply>, PushError> {
    let ups: Vec<Value> =
        serde_json::from_slice(body).map_err(|_| PushError::Form("a JSON array of SmsUp"))?;
    let reply = |up: &Value| {
        let up = UplinkMessage::deserialize(up)
            .map_err(|_| PushError::Missing("phone_number or content"))?;
        let id = match up.sequence_id {
            Value::String(id) if !id.is_empty() => Some(Personal::new(id)),
            Value::Number(id) => Some(Personal::new(id.to_string())),
            _ => None,
        };
        let at = up.send_time.as_deref().and_then(beijing_time);
        Ok(Some(Reply { id, at, ..Reply::new(up.phone_number, up.content) }))
    };
    Ok(Entries::read(ups, reply))
}

/// Parses `2026-03-02 09:30:00`, which is Beijing time.
fn beijing_time(raw: &str) -> Option<Timestamp> {
    let local = chrono::NaiveDateTime::parse_from_str(raw.trim(), "%Y-%m-%d %H:%M:%S").ok()?;
    let at = local.and_local_timezone(chrono_tz::Asia::Shanghai).single()?;
    Some(Timestamp(at.timestamp_millis()))
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{describe_receipts, describe_replies};
    use super::*;

    #[test]
    fn reports_and_replies() {
        let body = r#"[{"phone_number":"13800138000","send_time":"2026-03-02 09:30:00","report_time":"2026-03-02 09:30:05","success":true,
                        "err_code":"DELIVERED","err_msg":"x","sms_size":"1","biz_id":"9006^0","out_id":"ref1"},
                       {"phone_number":"13900139000","success":false,"err_code":"MOBILE_NOT_ON_SERVICE","biz_id":"9007^0","out_id":"ref2"}]"#;
        let read = receipts(body.as_bytes()).unwrap().read;
        assert_eq!(
            (
                read[0].reference.as_deref(),
                read[0].id.as_deref(),
                read[0].delivered,
                read[0].dead_number
            ),
            (Some("ref1"), Some("9006^0"), true, false)
        );
        assert_eq!(
            (read[1].delivered, read[1].dead_number, read[1].code.as_deref()),
            (false, true, Some("MOBILE_NOT_ON_SERVICE"))
        );
        assert_eq!(receipts(b"{}").unwrap_err(), PushError::Form("a JSON array of SmsReport"));
        let unreadable = receipts(br#"[{"success":true}]"#).unwrap().unreadable;
        assert_eq!(unreadable[0].error, PushError::Missing("out_id"));

        let body = r#"[{"phone_number":"13800138000","content":"R","send_time":"x","sign_name":"质","dest_code":"1","sequence_id":9}]"#;
        let read = replies(body.as_bytes()).unwrap().read;
        assert_eq!(
            (read[0].text.reveal(), read[0].id.as_ref().map(Personal::reveal)),
            ("R", Some("9"))
        );
    }

    #[test]
    fn receipts_of_every_shape() {
        let long = format!(r#"[{{"success":true,"out_id":"{}"}}]"#, "r".repeat(256));
        for (body, expected) in [
            ("[]", &[][..]),
            (r#"[{"success":true,"out_id":"ref1"}]"#, &["reference=ref1 delivered"]),
            // What the operator says of a delivery is no failure, even a dead number's code.
            (
                r#"[{"success":true,"out_id":"ref1","err_code":"MK:0001"}]"#,
                &["reference=ref1 delivered"],
            ),
            (
                r#"[{"success":false,"out_id":"ref1","err_code":"MOBILE_NOT_ON_SERVICE"}]"#,
                &["reference=ref1 dead number code=MOBILE_NOT_ON_SERVICE"],
            ),
            (
                r#"[{"success":false,"out_id":"ref1","err_code":"MK:0001"}]"#,
                &["reference=ref1 dead number code=MK:0001"],
            ),
            (
                r#"[{"success":false,"out_id":"ref1","err_code":"MOBILE_IN_BLACK"}]"#,
                &["reference=ref1 undelivered code=MOBILE_IN_BLACK"],
            ),
            (r#"[{"success":false,"out_id":"ref1"}]"#, &["reference=ref1 undelivered"]),
            (
                r#"[{"success":false,"out_id":"ref1","err_code":""}]"#,
                &["reference=ref1 undelivered"],
            ),
            // Fields that nobody has heard of.
            (
                r#"[{"new":{"x":[1]},"success":true,"out_id":"ref1","sms_size":"1"}]"#,
                &["reference=ref1 delivered"],
            ),
            // Of a request with several messages: its id and the number.
            (
                r#"[{"phone_number":"13800138000","success":true,"biz_id":"9^0","out_id":"batch-ref7"},
                    {"phone_number":"13900139000","success":false,"biz_id":"9^0","out_id":"batch-ref7","err_code":"MK:0001"}]"#,
                &[
                    "id=9^0 to=13800138000 delivered",
                    "id=9^0 to=13900139000 dead number code=MK:0001",
                ],
            ),
            (r#"[{"success":true,"biz_id":"9^0","out_id":""}]"#, &["id=9^0 delivered"]),
            (r#"[{"success":true,"out_id":"batch-ref7"}]"#, &[r#"Missing("out_id")"#]),
            (r#"[{"success":true,"out_id":"","biz_id":""}]"#, &[r#"Missing("out_id")"#]),
            (&long, &[r#"Missing("out_id")"#]),
            // One that names nothing: the gateway pushes them all again.
            (
                r#"[{"success":true,"out_id":"ref1"},{"success":true}]"#,
                &["reference=ref1 delivered", r#"Missing("out_id")"#],
            ),
            (r#"[{"out_id":"ref1"}]"#, &[r#"Missing("success")"#]),
            (r#"[{"success":"true","out_id":"ref1"}]"#, &[r#"Missing("success")"#]),
            (r#"{"success":true,"out_id":"ref1"}"#, &[r#"Form("a JSON array of SmsReport")"#]),
            (r#"[{"success":true,"out_id":"re"#, &[r#"Form("a JSON array of SmsReport")"#]),
            ("", &[r#"Form("a JSON array of SmsReport")"#]),
            ("<html>", &[r#"Form("a JSON array of SmsReport")"#]),
        ] {
            assert_eq!(describe_receipts(receipts(body.as_bytes())), expected, "{body}");
        }
    }

    #[test]
    fn replies_of_every_shape() {
        let reply = |content: &str| {
            format!(r#"[{{"phone_number":"13800138000","content":"{content}","sequence_id":9}}]"#)
        };
        for (body, expected) in [
            (reply("8"), &["13800138000: «8» id=«9»"][..]),
            (reply("R"), &["13800138000: «R» id=«9»"]),
            (reply("退订"), &["13800138000: «退订» id=«9»"]),
            (reply("很好👍🏽"), &["13800138000: «很好👍🏽» id=«9»"]),
            (reply(r"\ud83d\udc4d\n"), &["13800138000: «👍\n» id=«9»"]),
            (reply(""), &["13800138000: «» id=«9»"]),
            (r#"[{"phone_number":"13800138000","content":"T"}]"#.into(), &["13800138000: «T»"]),
            (
                r#"[{"phone_number":"13800138000","content":"T","sequence_id":null}]"#.into(),
                &["13800138000: «T»"],
            ),
            (
                r#"[{"phone_number":"13800138000","content":"1","sequence_id":1,"new":[]},
                    {"phone_number":"13900139000","content":"2","sequence_id":2}]"#
                    .into(),
                &["13800138000: «1» id=«1»", "13900139000: «2» id=«2»"],
            ),
            ("[]".into(), &[]),
            (
                r#"[{"phone_number":"13800138000"},{"phone_number":"13900139000","content":"TD",
                    "sequence_id":"12","send_time":"2026-03-02 09:30:00"}]"#
                    .into(),
                &[
                    "13900139000: «TD» id=«12» at=1772415000000",
                    r#"Missing("phone_number or content")"#,
                ],
            ),
            (r#"[{"content":"T"}]"#.into(), &[r#"Missing("phone_number or content")"#]),
            ("{}".into(), &[r#"Form("a JSON array of SmsUp")"#]),
            (r#"[{"phone_number":"138"#.into(), &[r#"Form("a JSON array of SmsUp")"#]),
            (String::new(), &[r#"Form("a JSON array of SmsUp")"#]),
        ] {
            assert_eq!(describe_replies(replies(body.as_bytes())), expected, "{body}");
        }
    }
}
