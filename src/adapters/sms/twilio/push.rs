//! Twilio's webhooks: status callbacks and incoming messages, as forms.

use super::super::{PushError, Receipt, Reply};
use crate::domain::personal::Personal;

fn field<'a>(fields: &'a [(String, String)], name: &'static str) -> Result<&'a str, PushError> {
    fields
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
        .ok_or(PushError::Missing(name))
}

/// Parses a status callback; intermediate states (queued, sending, sent) are skipped.
pub(super) fn receipt(fields: &[(String, String)], query: &str) -> Result<Vec<Receipt>, PushError> {
    let sid = field(fields, "MessageSid")?;
    let delivered = match field(fields, "MessageStatus")? {
        "delivered" => true,
        "undelivered" | "failed" => false,
        _ => return Ok(Vec::new()),
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
    Ok(vec![Receipt {
        reference,
        id: Some(sid.to_owned()),
        to: None,
        delivered,
        dead_number,
        code,
    }])
}

pub(super) fn reply(fields: &[(String, String)]) -> Result<Vec<Reply>, PushError> {
    Ok(vec![Reply {
        from: Personal::new(field(fields, "From")?),
        text: Personal::new(field(fields, "Body")?),
        id: Some(Personal::new(field(fields, "MessageSid")?)),
        at: None,
    }])
}
