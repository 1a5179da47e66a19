//! Pushes of Tencent Cloud: status reports and replies.

use serde::Deserialize;
use serde_json::Value;

use super::super::{Entries, PushError, Receipt, Reply};
use crate::domain::time::Timestamp;

#[derive(Deserialize)]
struct Report {
    report_status: String,
    #[serde(default)]
    errmsg: String,
    sid: String,
}

#[derive(Deserialize)]
struct UplinkMessage {
    mobile: String,
    nationcode: String,
    text: String,
    #[serde(default)]
    time: Option<i64>,
}

/// One entry or several: reports arrive as an array, replies one by one.
fn entries(body: &[u8], what: &'static str) -> Result<Vec<Value>, PushError> {
    match serde_json::from_slice(body) {
        Ok(Value::Array(entries)) => Ok(entries),
        Ok(one @ Value::Object(_)) => Ok(vec![one]),
        _ => Err(PushError::Form(what)),
    }
}

pub(super) fn receipts(body: &[u8]) -> Result<Entries<Receipt>, PushError> {
    let receipt = |report: &Value| {
        let report =
            Report::deserialize(report).map_err(|_| PushError::Missing("report_status or sid"))?;
        if report.sid.is_empty() || report.sid.len() > 200 {
            return Err(PushError::Missing("sid"));
        }
        let delivered = report.report_status == "SUCCESS";
        // MK:0001 and UNKNOWN_NUMBER are operators' codes for a number that is not in service.
        let dead_number = !delivered
            && ["MK:0001", "UNKNOWN_NUMBER", "EMPTY_NUMBER"].contains(&report.errmsg.as_str());
        let code =
            Some(report.errmsg).filter(|code| !delivered && !code.is_empty() && code.len() <= 60);
        Ok(Some(Receipt {
            reference: None,
            id: Some(report.sid),
            to: None,
            delivered,
            dead_number,
            code,
        }))
    };
    Ok(Entries::read(entries(body, "JSON of status reports")?, receipt))
}

pub(super) fn replies(body: &[u8]) -> Result<Entries<Reply>, PushError> {
    let reply = |up: &Value| {
        let up = UplinkMessage::deserialize(up)
            .map_err(|_| PushError::Missing("nationcode, mobile or text"))?;
        // A reply has no id; its second tells two of them apart.
        let at = up.time.map(|second| Timestamp(second.saturating_mul(1_000)));
        let from = format!("+{}{}", up.nationcode.trim_start_matches('+'), up.mobile);
        Ok(Some(Reply { at, ..Reply::new(from, up.text) }))
    };
    Ok(Entries::read(entries(body, "JSON of a reply")?, reply))
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{describe_receipts, describe_replies};
    use super::*;

    #[test]
    fn reports_and_replies() {
        let body = r#"[{"user_receive_time":"2026-03-02 09:30:05","nationcode":"86","mobile":"13800138000","report_status":"SUCCESS","errmsg":"DELIVRD","description":"x","sid":"5000:1"},
                       {"nationcode":"86","mobile":"13900139000","report_status":"FAIL","errmsg":"MK:0001","sid":"5000:2"}]"#;
        let read = receipts(body.as_bytes()).unwrap().read;
        assert_eq!(
            (read[0].id.as_deref(), read[0].delivered, read[0].code.as_deref()),
            (Some("5000:1"), true, None)
        );
        assert!(read[1].dead_number);
        assert!(receipts(b"x").is_err());
        let read = replies(r#"{"extend":"","mobile":"13800138000","nationcode":"86","sign":"质","text":"T","time":1772415000}"#.as_bytes()).unwrap().read;
        assert_eq!((read[0].from.reveal(), read[0].text.reveal()), ("+8613800138000", "T"));
    }

    #[test]
    fn receipts_of_every_shape() {
        let long_sid = format!(r#"[{{"report_status":"SUCCESS","sid":"{}"}}]"#, "5".repeat(201));
        let long_code =
            format!(r#"[{{"report_status":"FAIL","sid":"5:1","errmsg":"{}"}}]"#, "x".repeat(61));
        for (body, expected) in [
            ("[]", &[][..]),
            (
                r#"[{"report_status":"SUCCESS","errmsg":"DELIVRD","sid":"5:1"}]"#,
                &["id=5:1 delivered"],
            ),
            (
                r#"[{"report_status":"FAIL","errmsg":"MK:0001","sid":"5:1"}]"#,
                &["id=5:1 dead number code=MK:0001"],
            ),
            (
                r#"[{"report_status":"FAIL","errmsg":"UNKNOWN_NUMBER","sid":"5:1"}]"#,
                &["id=5:1 dead number code=UNKNOWN_NUMBER"],
            ),
            (
                r#"[{"report_status":"FAIL","errmsg":"EMPTY_NUMBER","sid":"5:1"}]"#,
                &["id=5:1 dead number code=EMPTY_NUMBER"],
            ),
            (
                r#"[{"report_status":"FAIL","errmsg":"MBBLACK","sid":"5:1"}]"#,
                &["id=5:1 undelivered code=MBBLACK"],
            ),
            (r#"[{"report_status":"FAIL","sid":"5:1"}]"#, &["id=5:1 undelivered"]),
            (&long_code, &["id=5:1 undelivered"]),
            // One alone, and fields that nobody has heard of.
            (
                r#"{"new":{"x":[1]},"report_status":"SUCCESS","sid":"5:1","mobile":"13800138000"}"#,
                &["id=5:1 delivered"],
            ),
            (
                r#"[{"report_status":"SUCCESS","sid":"5:1"},{"report_status":"FAIL","errmsg":"MK:0001","sid":"5:2"}]"#,
                &["id=5:1 delivered", "id=5:2 dead number code=MK:0001"],
            ),
            (r#"[{"report_status":"SUCCESS","sid":""}]"#, &[r#"Missing("sid")"#]),
            (&long_sid, &[r#"Missing("sid")"#]),
            (
                r#"[{"report_status":"SUCCESS","sid":"5:1"},{"report_status":"FAIL","sid":""}]"#,
                &["id=5:1 delivered", r#"Missing("sid")"#],
            ),
            (r#"[{"report_status":"SUCCESS"}]"#, &[r#"Missing("report_status or sid")"#]),
            (r#"[{"sid":"5:1"}]"#, &[r#"Missing("report_status or sid")"#]),
            (r#"[{"report_status":"SUCC"#, &[r#"Form("JSON of status reports")"#]),
            ("", &[r#"Form("JSON of status reports")"#]),
            ("<html>", &[r#"Form("JSON of status reports")"#]),
        ] {
            assert_eq!(describe_receipts(receipts(body.as_bytes())), expected, "{body}");
        }
    }

    #[test]
    fn replies_of_every_shape() {
        let reply = |text: &str| {
            format!(
                r#"{{"mobile":"13800138000","nationcode":"86","text":"{text}","time":1772415000}}"#
            )
        };
        for (body, expected) in [
            (reply("8"), &["+8613800138000: «8» at=1772415000000"][..]),
            (reply("T"), &["+8613800138000: «T» at=1772415000000"]),
            (reply("退订"), &["+8613800138000: «退订» at=1772415000000"]),
            (reply("好👍"), &["+8613800138000: «好👍» at=1772415000000"]),
            (reply(""), &["+8613800138000: «» at=1772415000000"]),
            (
                r#"{"mobile":"13800138000","nationcode":"86","text":"T","new":[]}"#.into(),
                &["+8613800138000: «T»"],
            ),
            (
                format!("[{},{}]", reply("1"), reply("2")),
                &["+8613800138000: «1» at=1772415000000", "+8613800138000: «2» at=1772415000000"],
            ),
            ("[]".into(), &[]),
            (
                r#"{"mobile":"13800138000","text":"T"}"#.into(),
                &[r#"Missing("nationcode, mobile or text")"#],
            ),
            (
                r#"{"mobile":"13800138000","nationcode":"86"}"#.into(),
                &[r#"Missing("nationcode, mobile or text")"#],
            ),
            (r#"{"mobile":"138"#.into(), &[r#"Form("JSON of a reply")"#]),
            (String::new(), &[r#"Form("JSON of a reply")"#]),
        ] {
            assert_eq!(describe_replies(replies(body.as_bytes())), expected, "{body}");
        }
    }
}
