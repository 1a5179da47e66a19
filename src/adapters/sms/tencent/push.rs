//! Pushes of Tencent Cloud: status reports and replies.

use serde::Deserialize;

use super::super::{PushError, Receipt, Reply};
use crate::domain::personal::Personal;

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
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

impl<T> OneOrMany<T> {
    fn all(self) -> Vec<T> {
        match self {
            OneOrMany::Many(all) => all,
            OneOrMany::One(one) => vec![one],
        }
    }
}

pub(super) fn receipts(body: &[u8]) -> Result<Vec<Receipt>, PushError> {
    let reports: OneOrMany<Report> =
        serde_json::from_slice(body).map_err(|_| PushError::Form("JSON of status reports"))?;
    let receipt = |report: Report| {
        if report.sid.is_empty() || report.sid.len() > 200 {
            return Err(PushError::Missing("sid"));
        }
        let delivered = report.report_status == "SUCCESS";
        // MK:0001 and UNKNOWN_NUMBER are operators' codes for a number that is not in service.
        let dead_number = !delivered
            && ["MK:0001", "UNKNOWN_NUMBER", "EMPTY_NUMBER"].contains(&report.errmsg.as_str());
        let code =
            Some(report.errmsg).filter(|code| !delivered && !code.is_empty() && code.len() <= 60);
        Ok(Receipt {
            reference: None,
            id: Some(report.sid),
            to: None,
            delivered,
            dead_number,
            code,
        })
    };
    reports.all().into_iter().map(receipt).collect()
}

pub(super) fn replies(body: &[u8]) -> Result<Vec<Reply>, PushError> {
    let ups: OneOrMany<UplinkMessage> =
        serde_json::from_slice(body).map_err(|_| PushError::Form("JSON of a reply"))?;
    // A reply has no id: a repeated push is recognised by its number, text and second.
    let reply = |up: UplinkMessage| Reply {
        id: up.time.map(|second| Personal::new(format!("{second} {} {}", up.mobile, up.text))),
        from: Personal::new(format!("+{}{}", up.nationcode, up.mobile)),
        text: Personal::new(up.text),
        at: None,
    };
    Ok(ups.all().into_iter().map(reply).collect())
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{describe_receipts, describe_replies};
    use super::*;

    #[test]
    fn reports_and_replies() {
        let body = r#"[{"user_receive_time":"2026-03-02 09:30:05","nationcode":"86","mobile":"13800138000","report_status":"SUCCESS","errmsg":"DELIVRD","description":"x","sid":"5000:1"},
                       {"nationcode":"86","mobile":"13900139000","report_status":"FAIL","errmsg":"MK:0001","sid":"5000:2"}]"#;
        let read = receipts(body.as_bytes()).unwrap();
        assert_eq!(
            (read[0].id.as_deref(), read[0].delivered, read[0].code.as_deref()),
            (Some("5000:1"), true, None)
        );
        assert!(read[1].dead_number);
        assert!(receipts(b"x").is_err());
        let read = replies(r#"{"extend":"","mobile":"13800138000","nationcode":"86","sign":"质","text":"T","time":1772415000}"#.as_bytes()).unwrap();
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
                &[r#"Missing("sid")"#],
            ),
            (r#"[{"report_status":"SUCCESS"}]"#, &[r#"Form("JSON of status reports")"#]),
            (r#"[{"sid":"5:1"}]"#, &[r#"Form("JSON of status reports")"#]),
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
            (reply("8"), &["+8613800138000: «8» id=«1772415000 13800138000 8»"][..]),
            (reply("T"), &["+8613800138000: «T» id=«1772415000 13800138000 T»"]),
            (reply("退订"), &["+8613800138000: «退订» id=«1772415000 13800138000 退订»"]),
            (reply("好👍"), &["+8613800138000: «好👍» id=«1772415000 13800138000 好👍»"]),
            (reply(""), &["+8613800138000: «» id=«1772415000 13800138000 »"]),
            (
                r#"{"mobile":"13800138000","nationcode":"86","text":"T","new":[]}"#.into(),
                &["+8613800138000: «T»"],
            ),
            (
                format!("[{},{}]", reply("1"), reply("2")),
                &[
                    "+8613800138000: «1» id=«1772415000 13800138000 1»",
                    "+8613800138000: «2» id=«1772415000 13800138000 2»",
                ],
            ),
            ("[]".into(), &[]),
            (r#"{"mobile":"13800138000","text":"T"}"#.into(), &[r#"Form("JSON of a reply")"#]),
            (
                r#"{"mobile":"13800138000","nationcode":"86"}"#.into(),
                &[r#"Form("JSON of a reply")"#],
            ),
            (r#"{"mobile":"138"#.into(), &[r#"Form("JSON of a reply")"#]),
            (String::new(), &[r#"Form("JSON of a reply")"#]),
        ] {
            assert_eq!(describe_replies(replies(body.as_bytes())), expected, "{body}");
        }
    }
}
