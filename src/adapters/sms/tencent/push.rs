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
}
