//! Twilio's webhooks: status callbacks and incoming messages, as forms.

use super::super::{Entries, PushError, Receipt, Reply};
use crate::domain::personal::Personal;
use crate::domain::reply::ReplyMeaning;

fn field<'a>(fields: &'a [(String, String)], name: &'static str) -> Result<&'a str, PushError> {
    fields
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
        .ok_or(PushError::Missing(name))
}

/// Parses a status callback; intermediate states (queued, sending, sent) are skipped.
pub(super) fn receipt(
    fields: &[(String, String)],
    query: &str,
) -> Result<Entries<Receipt>, PushError> {
    let sid = field(fields, "MessageSid")?;
    let delivered = match field(fields, "MessageStatus")? {
        "delivered" => true,
        "undelivered" | "failed" => false,
        _ => return Ok(Entries::of(Vec::new())),
    };
    let code = field(fields, "ErrorCode")
        .ok()
        .filter(|code| !code.is_empty() && code.len() <= 10)
        .map(str::to_owned);
    // 30005: unknown destination handset; 30006: landline or unreachable carrier.
    let dead_number =
        !delivered && code.as_deref().is_some_and(|code| ["30005", "30006"].contains(&code));
    let reference = form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "reference")
        .map(|(_, value)| value.into_owned());
    Ok(Entries::of(vec![Receipt {
        reference,
        id: Some(sid.to_owned()),
        to: None,
        delivered,
        dead_number,
        code,
    }]))
}

/// Parses an incoming message; one of pictures alone has an empty `Body`, and says how many.
pub(super) fn reply(fields: &[(String, String)]) -> Result<Entries<Reply>, PushError> {
    let (from, body) = (field(fields, "From")?, field(fields, "Body")?);
    let id = Some(Personal::new(field(fields, "MessageSid")?));
    let declared = match field(fields, "OptOutType").unwrap_or_default() {
        "STOP" => Some(ReplyMeaning::OptOut),
        "START" => Some(ReplyMeaning::Resubscribe),
        _ => None,
    };
    let text = match field(fields, "NumMedia") {
        Ok(count) if body.is_empty() && count != "0" => format!("[MMS: {count}]"),
        _ => body.to_owned(),
    };
    Ok(Entries::of(vec![Reply { id, declared, ..Reply::new(from, text) }]))
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{describe_receipts, describe_replies};
    use super::*;

    fn form(body: &str) -> Vec<(String, String)> {
        form_urlencoded::parse(body.as_bytes()).into_owned().collect()
    }

    #[test]
    fn receipts_of_every_shape() {
        for (body, query, expected) in [
            (
                "MessageSid=SM1&MessageStatus=delivered",
                "reference=ref1",
                &["reference=ref1 id=SM1 delivered"][..],
            ),
            ("MessageSid=SM1&MessageStatus=delivered", "", &["id=SM1 delivered"]),
            (
                "MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30005",
                "reference=ref1",
                &["reference=ref1 id=SM1 dead number code=30005"],
            ),
            (
                "MessageSid=SM1&MessageStatus=failed&ErrorCode=30006",
                "reference=ref1",
                &["reference=ref1 id=SM1 dead number code=30006"],
            ),
            (
                "MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30008",
                "reference=ref1",
                &["reference=ref1 id=SM1 undelivered code=30008"],
            ),
            (
                "MessageSid=SM1&MessageStatus=failed",
                "reference=ref1",
                &["reference=ref1 id=SM1 undelivered"],
            ),
            (
                "MessageSid=SM1&MessageStatus=failed&ErrorCode=",
                "reference=ref1",
                &["reference=ref1 id=SM1 undelivered"],
            ),
            (
                "MessageSid=SM1&MessageStatus=failed&ErrorCode=12345678901",
                "reference=ref1",
                &["reference=ref1 id=SM1 undelivered"],
            ),
            // Fields that nobody has heard of, and a reference that needs decoding.
            (
                "New=1&MessageStatus=delivered&To=%2B8613800138000&MessageSid=SM1",
                "other=1&reference=ref%201",
                &["reference=ref 1 id=SM1 delivered"],
            ),
            // On the way.
            ("MessageSid=SM1&MessageStatus=queued", "reference=ref1", &[]),
            ("MessageSid=SM1&MessageStatus=sending", "reference=ref1", &[]),
            ("MessageSid=SM1&MessageStatus=sent", "reference=ref1", &[]),
            ("MessageSid=SM1&MessageStatus=", "reference=ref1", &[]),
            ("MessageSid=SM1", "reference=ref1", &[r#"Missing("MessageStatus")"#]),
            ("MessageStatus=delivered", "reference=ref1", &[r#"Missing("MessageSid")"#]),
            ("", "reference=ref1", &[r#"Missing("MessageSid")"#]),
            ("<html>", "", &[r#"Missing("MessageSid")"#]),
        ] {
            assert_eq!(describe_receipts(receipt(&form(body), query)), expected, "{body} {query}");
        }
    }

    #[test]
    fn what_twilio_takes_a_reply_for_is_believed() {
        for (kind, expected) in [
            ("&OptOutType=STOP", Some(ReplyMeaning::OptOut)),
            ("&OptOutType=START", Some(ReplyMeaning::Resubscribe)),
            ("&OptOutType=HELP", None),
            ("", None),
        ] {
            let body = format!("From=%2B8613800138000&Body=basta&MessageSid=SM1{kind}");
            assert_eq!(reply(&form(&body)).unwrap().read[0].declared, expected, "{kind}");
        }
        let picture = "From=%2B8613800138000&Body=&NumMedia=1&MessageSid=SM1";
        let lines = describe_replies(reply(&form(picture)));
        assert_eq!(lines, ["+8613800138000: «[MMS: 1]» id=«SM1»"]);
    }

    #[test]
    fn replies_of_every_shape() {
        for (body, expected) in [
            ("From=%2B8613800138000&Body=8&MessageSid=SM1", "+8613800138000: «8» id=«SM1»"),
            (
                "From=%2B8613800138000&Body=STOP&MessageSid=SM1&OptOutType=STOP",
                "+8613800138000: «STOP» id=«SM1»",
            ),
            (
                "From=%2B8613800138000&Body=very+good+%F0%9F%91%8D&MessageSid=SM1",
                "+8613800138000: «very good 👍» id=«SM1»",
            ),
            ("From=%2B8613800138000&Body=&MessageSid=SM1", "+8613800138000: «» id=«SM1»"),
            ("From=%2B8613800138000&Body=8", r#"Missing("MessageSid")"#),
            ("From=%2B8613800138000&MessageSid=SM1", r#"Missing("Body")"#),
            ("Body=8&MessageSid=SM1", r#"Missing("From")"#),
            ("", r#"Missing("From")"#),
        ] {
            assert_eq!(describe_replies(reply(&form(body))), [expected], "{body}");
        }
    }
}
