//! Parses a gateway's pushes: receipts and replies.

use serde_json::Value;

use super::super::{Push, PushError, Receipt, Reply};
use super::answer::text_of;
use super::file::{PushForm, ReceiptFields, ReplyFields};
use crate::domain::personal::Personal;
use crate::domain::time::Timestamp;

/// One entry of a push, in any format.
enum PushEntry {
    Json(Value),
    Fields(Vec<(String, String)>),
}

impl PushEntry {
    /// Returns the value at a JSON pointer or of a field.
    fn at(&self, place: &str) -> Option<String> {
        match self {
            PushEntry::Json(value) => text_of(value.pointer(place)?),
            PushEntry::Fields(fields) => {
                fields.iter().find(|(name, _)| name == place).map(|(_, value)| value.clone())
            }
        }
    }
}

fn entries(form: PushForm, push: Push<'_>) -> Result<Vec<PushEntry>, PushError> {
    let fields = |text: &[u8]| {
        Ok(vec![PushEntry::Fields(form_urlencoded::parse(text).into_owned().collect())])
    };
    match form {
        PushForm::Query => fields(push.query.as_bytes()),
        PushForm::Form => fields(push.body),
        PushForm::Json => match serde_json::from_slice(push.body) {
            Ok(Value::Array(values)) => Ok(values.into_iter().map(PushEntry::Json).collect()),
            Ok(value @ Value::Object(_)) => Ok(vec![PushEntry::Json(value)]),
            _ => Err(PushError::Form("JSON")),
        },
    }
}

/// Parses the receipts of a push; states that are neither delivered nor undelivered («buffered»)
/// are skipped.
pub(super) fn receipts(places: &ReceiptFields, push: Push<'_>) -> Result<Vec<Receipt>, PushError> {
    let mut receipts = Vec::new();
    for entry in entries(places.form, push)? {
        let state = entry.at(&places.state).ok_or(PushError::Missing("state"))?;
        let delivered = places.delivered.contains(&state);
        if !delivered && !places.undelivered.contains(&state) {
            continue;
        }
        let named = |place: &Option<String>| {
            place.as_deref().and_then(|p| entry.at(p)).filter(|v| !v.is_empty() && v.len() <= 200)
        };
        let (reference, id, code) =
            (named(&places.reference), named(&places.id), named(&places.code));
        if reference.is_none() && id.is_none() {
            return Err(PushError::Missing("id or reference"));
        }
        let dead_number =
            !delivered && code.as_ref().is_some_and(|code| places.dead_number.contains(code));
        receipts.push(Receipt { reference, id, to: None, delivered, dead_number, code });
    }
    Ok(receipts)
}

pub(super) fn replies(places: &ReplyFields, push: Push<'_>) -> Result<Vec<Reply>, PushError> {
    let reply = |entry: PushEntry| {
        let from = entry.at(&places.from).ok_or(PushError::Missing("from"))?;
        let text = entry.at(&places.text).ok_or(PushError::Missing("text"))?;
        let id = places.id.as_deref().and_then(|p| entry.at(p)).map(Personal::new);
        let at = places.time.as_deref().and_then(|p| entry.at(p)).and_then(|time| time_of(&time));
        Ok(Reply { from: Personal::new(from), text: Personal::new(text), id, at })
    };
    entries(places.form, push)?.into_iter().map(reply).collect()
}

/// Parses seconds or milliseconds since 1970, or RFC 3339.
fn time_of(raw: &str) -> Option<Timestamp> {
    const SECONDS_UNTIL: i64 = 100_000_000_000;
    match raw.trim().parse::<i64>() {
        Ok(number) if number < SECONDS_UNTIL => Some(Timestamp(number * 1_000)),
        Ok(number) => Some(Timestamp(number)),
        Err(_) => chrono::DateTime::parse_from_rfc3339(raw.trim())
            .ok()
            .map(|at| Timestamp(at.timestamp_millis())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::GatewayFile;
    use super::*;

    fn push<'a>(query: &'a str, body: &'a [u8]) -> Push<'a> {
        static NONE: std::sync::LazyLock<reqwest::header::HeaderMap> =
            std::sync::LazyLock::new(Default::default);
        Push { url: "", query, headers: &NONE, body }
    }

    #[test]
    fn receipts_in_each_form() {
        let simulator =
            GatewayFile::parse(include_str!("../../../../config/gateways/simulator.toml"))
                .unwrap()
                .receipt
                .unwrap();
        let body: &[u8] =
            br#"[{"id":"s1","reference":"r1","state":"delivered"},{"id":"s2","state":"buffered"},
                        {"id":"s3","state":"undelivered","error":"absent"}]"#;
        let read = receipts(&simulator, push("", body)).unwrap();
        assert_eq!(read.len(), 2);
        assert!(
            read[0].delivered && read[0].reference.as_deref() == Some("r1") && !read[0].dead_number
        );
        assert!(!read[1].delivered && read[1].dead_number);

        let kannel = GatewayFile::parse(include_str!("../../../../config/gateways/kannel.toml"))
            .unwrap()
            .receipt
            .unwrap();
        let read = receipts(&kannel, push("reference=r7&state=1", b"")).unwrap();
        assert_eq!((read[0].reference.as_deref(), read[0].delivered), (Some("r7"), true));

        assert_eq!(receipts(&simulator, push("", b"x")).unwrap_err(), PushError::Form("JSON"));
        assert_eq!(receipts(&simulator, push("", b"{}")).unwrap_err(), PushError::Missing("state"));
    }
}
