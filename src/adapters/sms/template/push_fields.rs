//! The parts of a gateway's file about its pushes: where entries, fields and signatures stand.

use std::collections::BTreeMap;

use chrono::FixedOffset;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};

use super::super::{NumberKind, TextCoding};
use super::pattern::{Pattern, Slot};
use super::values::Values;

/// The format of a push.
#[derive(Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum PushForm {
    /// JSON, one object or an array of them; fields are JSON pointers.
    Json,
    /// A form body; fields are field names.
    Form,
    /// The address's query; fields are field names.
    Query,
}

/// A section of the file: where the entries of a push stand, and the fields of an entry.
pub(super) struct PushSection<F> {
    pub source: PushSource,
    pub fields: F,
}

/// The keys of a section that are not fields of its entries.
const SOURCE_KEYS: [&str; 4] = ["form", "json_field", "entries", "signature"];

impl<'de, F: DeserializeOwned> Deserialize<'de> for PushSection<F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PushSection<F>, D::Error> {
        let (source, fields): (toml::Table, toml::Table) = toml::Table::deserialize(deserializer)?
            .into_iter()
            .partition(|(key, _)| SOURCE_KEYS.contains(&key.as_str()));
        let problem = |error: toml::de::Error| D::Error::custom(error.message());
        Ok(PushSection {
            source: source.try_into().map_err(problem)?,
            fields: fields.try_into().map_err(problem)?,
        })
    }
}

/// Where the entries of a push stand.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PushSource {
    pub form: PushForm,
    /// The field that holds JSON as text; fields are then JSON pointers into it.
    #[serde(default)]
    pub json_field: Option<String>,
    /// The pointer to the entries, one object or an array of them; without it, the whole JSON.
    #[serde(default)]
    pub entries: Option<String>,
    /// The signature that every push must carry.
    #[serde(default)]
    pub signature: Option<SignatureFields>,
}

/// A signature of a push: where it stands, and the value that it must equal.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignatureFields {
    #[serde(default)]
    pub header: Option<String>,
    /// A field of the entry: its name, or a JSON pointer.
    #[serde(default)]
    pub field: Option<String>,
    pub equals: Pattern,
    #[serde(default, rename = "values")]
    written: toml::Table,
    #[serde(skip)]
    pub values: Values,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReceiptFields {
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default)]
    pub reference: Option<String>,
    pub state: String,
    pub delivered: Vec<String>,
    /// «*» is every state that is in no other list.
    #[serde(default)]
    pub undelivered: Vec<String>,
    /// States that are not final, beside «*».
    #[serde(default)]
    pub pending: Vec<String>,
    #[serde(default)]
    pub code: Option<String>,
    #[serde(default)]
    pub dead_number: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplyFields {
    pub from: String,
    /// What `from` is: `international` (with its country code, also without a plus) or `national`.
    #[serde(default)]
    pub from_kind: FromKind,
    pub text: String,
    #[serde(default)]
    pub id: Option<String>,
    /// Sending time: seconds or milliseconds since 1970, RFC 3339, or as `time_format` says.
    #[serde(default)]
    pub time: Option<String>,
    #[serde(default)]
    pub time_format: Option<String>,
    /// The offset of times that name none, like +08:00; else UTC.
    #[serde(default)]
    time_zone: Option<String>,
    /// The fields of a part of a long reply.
    #[serde(default)]
    pub parts: Option<PartFields>,
    /// The charset of its texts (of the whole body, with JSON). Without it, it is detected.
    #[serde(default)]
    pub charset: Option<String>,
    /// The field in which a push names the charset of its text; it goes before `charset`.
    #[serde(default)]
    pub charset_field: Option<String>,
    /// The field with the coding of its text: 2 or 8 for Unicode.
    #[serde(default)]
    pub coding: Option<String>,
}

/// Where a long reply's part says what it is a part of, its number (from 1), and how many there are.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartFields {
    pub reference: String,
    pub number: String,
    pub total: String,
}

#[derive(Deserialize, Clone, Copy, Default)]
#[serde(rename_all = "lowercase")]
pub(super) enum FromKind {
    #[default]
    Unknown,
    International,
    National,
}

impl From<FromKind> for NumberKind {
    fn from(kind: FromKind) -> NumberKind {
        match kind {
            FromKind::Unknown => NumberKind::Unknown,
            FromKind::International => NumberKind::International,
            FromKind::National => NumberKind::National,
        }
    }
}

impl PushSource {
    /// Whether fields are JSON pointers.
    pub fn is_json(&self) -> bool {
        self.form == PushForm::Json || self.json_field.is_some()
    }

    fn check(&mut self, section: &str, constants: &BTreeMap<String, String>) -> Result<(), String> {
        if self.entries.is_some() && !self.is_json() {
            return Err(format!("{section}.entries is a pointer into JSON; set form = \"json\""));
        }
        let Some(signature) = &mut self.signature else { return Ok(()) };
        if signature.header.is_some() == signature.field.is_some() {
            return Err(format!("{section}.signature: set either header or field"));
        }
        let allows = |slot: &Slot| match slot {
            Slot::User | Slot::Secret | Slot::Url | Slot::Body => Ok(()),
            Slot::Constant(name) => super::file::check_constant(name, constants),
            slot => Err(format!(
                "{{{}}} is not known of a push; use {{url}}, {{body}}, {{user}}, {{secret}}, \
                    constants and values",
                slot.name()
            )),
        };
        let table = format!("{section}.signature.values");
        let values = Values::parse(&table, &signature.written, allows)?;
        if let Some(name) = values.iter().find(|value| value.is_fresh()).map(|value| &value.name) {
            return Err(format!("{table}.{name}: a push is not signed with our time or digits"));
        }
        for slot in signature.equals.slots() {
            let problem = |problem| format!("{section}.signature.equals: {problem}");
            values.check(slot, allows).map_err(problem)?;
        }
        signature.values = values;
        Ok(())
    }
}

impl PushSection<ReceiptFields> {
    pub fn check(&mut self, constants: &BTreeMap<String, String>) -> Result<(), String> {
        if self.fields.id.is_none() && self.fields.reference.is_none() {
            return Err(
                "receipt: set id or reference; without one a receipt names no message".into()
            );
        }
        self.source.check("receipt", constants)
    }
}

impl PushSection<ReplyFields> {
    pub fn check(&mut self, constants: &BTreeMap<String, String>) -> Result<(), String> {
        let charset = self.fields.charset.as_deref();
        if charset.is_some_and(|name| TextCoding::of_charset(name).is_none()) {
            return Err("reply.charset is no charset; write it like UTF-8, GBK or UTF-16BE".into());
        }
        if self.fields.offset().is_none() {
            return Err("reply.time_zone is no offset; write it like +08:00".into());
        }
        self.source.check("reply", constants)
    }
}

impl ReplyFields {
    /// The offset of times that name none.
    pub fn offset(&self) -> Option<FixedOffset> {
        self.time_zone.as_deref().unwrap_or("+00:00").parse().ok()
    }
}
