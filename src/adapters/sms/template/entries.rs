//! The entries of a push, in any format.

use percent_encoding::percent_decode;
use serde_json::Value;

use super::super::text_coding::{TextCoding, detect, detect_unicode};
use super::super::{Push, PushError};
use super::answer::text_of;
use super::push_fields::{PushForm, PushSource, ReplyFields};

/// One entry of a push.
pub(super) enum PushEntry {
    Json(Value),
    /// Names, and values as octets: they may be in any coding.
    Fields(Vec<(String, Vec<u8>)>),
}

impl PushEntry {
    /// Returns the value at a JSON pointer or of a field.
    pub fn at(&self, place: &str) -> Option<String> {
        match self {
            PushEntry::Json(value) => text_of(value.pointer(place)?),
            PushEntry::Fields(_) => self.octets_at(place).map(detect),
        }
    }

    fn octets_at(&self, place: &str) -> Option<&[u8]> {
        match self {
            PushEntry::Json(_) => None,
            PushEntry::Fields(fields) => {
                fields.iter().find(|(name, _)| name == place).map(|(_, value)| value.as_slice())
            }
        }
    }

    /// Returns all fields as their sender signs them, in UTF-8; of JSON, those of the object itself.
    pub fn fields(&self) -> Vec<(String, String)> {
        match self {
            PushEntry::Json(Value::Object(fields)) => fields
                .iter()
                .map(|(name, value)| (name.clone(), text_of(value).unwrap_or_default()))
                .collect(),
            PushEntry::Json(_) => Vec::new(),
            PushEntry::Fields(fields) => fields
                .iter()
                .map(|(name, value)| (name.clone(), String::from_utf8_lossy(value).into_owned()))
                .collect(),
        }
    }

    /// Returns the text of a reply, decoded as the gateway's file and the push itself say.
    pub fn text(&self, places: &ReplyFields) -> Option<String> {
        let Some(octets) = self.octets_at(&places.text) else { return self.at(&places.text) };
        let said = |place: &Option<String>| place.as_deref().and_then(|place| self.at(place));
        let charset = said(&places.charset_field)
            .or_else(|| places.charset.clone())
            .and_then(|name| TextCoding::of_charset(&name));
        // Kannel's %c: 2 is Unicode; SMPP's data coding has it as 8.
        let is_unicode = matches!(said(&places.coding).as_deref(), Some("2" | "8"));
        Some(match charset {
            Some(TextCoding::Utf16) => detect_unicode(octets),
            None | Some(TextCoding::Gsm7) if is_unicode => detect_unicode(octets),
            // Kannel has converted texts of the GSM alphabet to UTF-8.
            None | Some(TextCoding::Gsm7) => detect(octets),
            Some(coding) => coding.decode(octets),
        })
    }
}

/// As it came, for a person to read.
impl std::fmt::Display for PushEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PushEntry::Json(value) => value.fmt(f),
            PushEntry::Fields(fields) => {
                fields.iter().try_for_each(|(name, value)| writeln!(f, "{name}: {}", detect(value)))
            }
        }
    }
}

/// Parses a form or a query without deciding on a coding.
fn fields_of(text: &[u8]) -> Vec<(String, Vec<u8>)> {
    let octets = |part: &[u8]| -> Vec<u8> {
        let spaced: Vec<u8> =
            part.iter().map(|&octet| if octet == b'+' { b' ' } else { octet }).collect();
        percent_decode(&spaced).collect()
    };
    text.split(|&octet| octet == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let mut halves = pair.splitn(2, |&octet| octet == b'=');
            let (name, value) = (halves.next(), halves.next());
            (detect(&octets(name.unwrap_or_default())), octets(value.unwrap_or_default()))
        })
        .collect()
}

pub(super) fn entries(
    source: &PushSource,
    charset: Option<&str>,
    push: Push<'_>,
) -> Result<Vec<PushEntry>, PushError> {
    let decoded = |octets: &[u8]| match charset.and_then(TextCoding::of_charset) {
        Some(coding) => coding.decode(octets),
        None => detect(octets),
    };
    let fields = match source.form {
        PushForm::Query => PushEntry::Fields(fields_of(push.query.as_bytes())),
        PushForm::Form => PushEntry::Fields(fields_of(push.body)),
        PushForm::Json => PushEntry::Json(json(&decoded(push.body))?),
    };
    let whole = match (&source.json_field, fields) {
        (None, PushEntry::Json(value)) => value,
        (None, fields) => return Ok(vec![fields]),
        (Some(field), fields) => {
            let text = match fields.octets_at(field) {
                Some(octets) => decoded(octets),
                None => fields.at(field).ok_or(PushError::Missing("json_field"))?,
            };
            // Some gateways escape it twice.
            json(&text).or_else(|error| {
                let again: Vec<u8> = percent_decode(text.as_bytes()).collect();
                json(&decoded(&again)).map_err(|_| error)
            })?
        }
    };
    let whole = match &source.entries {
        None => whole,
        Some(pointer) => whole.pointer(pointer).cloned().ok_or(PushError::Missing("entries"))?,
    };
    match whole {
        Value::Array(values) => Ok(values.into_iter().map(PushEntry::Json).collect()),
        value @ Value::Object(_) => Ok(vec![PushEntry::Json(value)]),
        _ => Err(PushError::Form("JSON")),
    }
}

fn json(text: &str) -> Result<Value, PushError> {
    serde_json::from_str(text).map_err(|_| PushError::Form("JSON"))
}
