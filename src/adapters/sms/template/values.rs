//! Values that a gateway's file computes for each request: times, random digits, hashes, HMACs. A
//! value may use those that stand above it, so there are no cycles.
//!
//! A value is used as `{values.NAME}`. [`super::evaluation`] computes it.

use chrono::FixedOffset;
use chrono::format::{Item, StrftimeItems};
use serde::Deserialize;

use super::hashes::{Encoding, Hash};
use super::pattern::{Pattern, Slot};

/// A value as the operator writes it: a text, or a table with one of the operations.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Written {
    /// A format of chrono, `unix` or `unix_ms`.
    time: Option<String>,
    /// An offset from UTC, like +08:00.
    zone: Option<String>,
    /// So many random hexadecimal digits.
    random: Option<usize>,
    md5: Option<Pattern>,
    sha1: Option<Pattern>,
    sha256: Option<Pattern>,
    hmac_md5: Option<Pattern>,
    hmac_sha1: Option<Pattern>,
    hmac_sha256: Option<Pattern>,
    /// The HMAC's key: a text, or `{ bytes_of = "NAME" }`.
    key: Option<toml::Value>,
    #[serde(rename = "as")]
    encoding: Option<Encoding>,
    base64: Option<Pattern>,
    percent: Option<Pattern>,
    upper: Option<Pattern>,
    lower: Option<Pattern>,
    /// Of a push: its fields in the order of their names, each written so.
    sorted: Option<String>,
    join: Option<String>,
    except: Option<Vec<String>>,
}

pub(super) enum Operation {
    Text(Pattern),
    Time { format: String, zone: FixedOffset },
    Unix,
    UnixMilliseconds,
    Random(usize),
    Hash(Hash, Pattern, Encoding),
    Hmac(Hash, Pattern, Key, Encoding),
    Base64(Pattern),
    Percent(Pattern),
    Upper(Pattern),
    Lower(Pattern),
    Sorted { each: String, join: String, except: Vec<String> },
}

pub(super) enum Key {
    Text(Pattern),
    /// The octets of another value, before they were written as text.
    BytesOf(String),
}

/// What must be known before a value can be computed: nothing of the request, its address, or its
/// body.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(super) enum Needs {
    Nothing,
    Address,
    Body,
}

pub(super) struct Value {
    pub name: String,
    pub operation: Operation,
    needs: Needs,
}

/// The values of a request or of a push's signature, in the file's order.
#[derive(Default)]
pub(super) struct Values(Vec<Value>);

pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

impl Values {
    /// Parses and checks a table of values. `allows` tells which other placeholders may stand
    /// there. The error names the key and the remedy.
    pub fn parse(
        section: &str,
        table: &toml::Table,
        allows: impl Fn(&Slot) -> Result<(), String>,
    ) -> Result<Values, String> {
        let mut values = Values::default();
        for (name, written) in table {
            let key = format!("{section}.{name}");
            if !is_name(name) {
                return Err(format!("{key}: a name takes a–z, 0–9 and «_»"));
            }
            let operation = read(written).map_err(|problem| format!("{key}: {problem}"))?;
            let mut needs = Needs::Nothing;
            for slot in operation.slots() {
                values.check(&slot, &allows).map_err(|problem| format!("{key}: {problem}"))?;
                let its = values.needs(&slot);
                if its > needs {
                    needs = its;
                }
            }
            values.0.push(Value { name: name.clone(), operation, needs });
        }
        Ok(values)
    }

    /// Checks that a placeholder may stand in a value or a text of this section.
    pub fn check(
        &self,
        slot: &Slot,
        allows: impl Fn(&Slot) -> Result<(), String>,
    ) -> Result<(), String> {
        match slot {
            Slot::Value(name) if !self.0.iter().any(|value| value.name == *name) => Err(format!(
                "{{values.{name}}} is not defined above; define it in the table of values, before \
                    what uses it"
            )),
            Slot::Value(_) => Ok(()),
            slot => allows(slot),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Value> {
        self.0.iter()
    }

    pub fn needs(&self, slot: &Slot) -> Needs {
        match slot {
            Slot::Host | Slot::Query => Needs::Address,
            Slot::Body => Needs::Body,
            Slot::Value(name) => {
                self.0.iter().find(|value| value.name == *name).map_or(Needs::Nothing, |v| v.needs)
            }
            _ => Needs::Nothing,
        }
    }
}

impl Value {
    /// Whether it reads the fields of a push.
    pub fn is_of_pushes(&self) -> bool {
        matches!(self.operation, Operation::Sorted { .. })
    }

    /// Whether it is another one for each request.
    pub fn is_fresh(&self) -> bool {
        matches!(
            self.operation,
            Operation::Time { .. }
                | Operation::Unix
                | Operation::UnixMilliseconds
                | Operation::Random(_)
        )
    }
}

impl Operation {
    /// The placeholders that it uses; the value of a key as well.
    fn slots(&self) -> Vec<Slot> {
        match self {
            Operation::Text(of)
            | Operation::Hash(_, of, _)
            | Operation::Base64(of)
            | Operation::Percent(of)
            | Operation::Upper(of)
            | Operation::Lower(of) => of.slots().cloned().collect(),
            Operation::Hmac(_, of, Key::Text(key), _) => {
                of.slots().chain(key.slots()).cloned().collect()
            }
            Operation::Hmac(_, of, Key::BytesOf(key), _) => {
                of.slots().cloned().chain([Slot::Value(key.clone())]).collect()
            }
            Operation::Time { .. }
            | Operation::Unix
            | Operation::UnixMilliseconds
            | Operation::Random(_)
            | Operation::Sorted { .. } => Vec::new(),
        }
    }
}

fn read(written: &toml::Value) -> Result<Operation, String> {
    if let Some(text) = written.as_str() {
        return Ok(Operation::Text(Pattern::parse(text)?));
    }
    let mut written: Written = written
        .clone()
        .try_into()
        .map_err(|error: toml::de::Error| error.message().trim().replace('\n', " "))?;
    let mut found = Vec::new();
    let (encoding, key) = (written.encoding.take(), written.key.take());
    let hash_encoding = encoding.unwrap_or_default();
    for (hash, of) in [
        (Hash::Md5, written.md5.take()),
        (Hash::Sha1, written.sha1.take()),
        (Hash::Sha256, written.sha256.take()),
    ] {
        found.extend(of.map(|of| Operation::Hash(hash, of, hash_encoding)));
    }
    for (hash, of) in [
        (Hash::Md5, written.hmac_md5.take()),
        (Hash::Sha1, written.hmac_sha1.take()),
        (Hash::Sha256, written.hmac_sha256.take()),
    ] {
        if let Some(of) = of {
            let key = read_key(key.as_ref())?;
            found.push(Operation::Hmac(hash, of, key, hash_encoding));
        }
    }
    found.extend(written.base64.take().map(Operation::Base64));
    found.extend(written.percent.take().map(Operation::Percent));
    found.extend(written.upper.take().map(Operation::Upper));
    found.extend(written.lower.take().map(Operation::Lower));
    if let Some(format) = written.time.take() {
        found.push(read_time(format, written.zone.as_deref())?);
    }
    match written.random {
        Some(1..=64) => found.extend(written.random.map(Operation::Random)),
        Some(_) => return Err("random takes 1 to 64 digits".into()),
        None => {}
    }
    if let Some(each) = written.sorted.take() {
        if !each.contains("{value}") {
            return Err("sorted must hold {value}; {name} may stand beside it".into());
        }
        let (join, except) = (written.join.take(), written.except.take());
        found.push(Operation::Sorted {
            each,
            join: join.unwrap_or_default(),
            except: except.unwrap_or_default(),
        });
    }
    let is_left = written.zone.is_some() && !matches!(found.last(), Some(Operation::Time { .. }))
        || written.join.is_some()
        || written.except.is_some();
    let is_hash =
        |operation: &Operation| matches!(operation, Operation::Hash(..) | Operation::Hmac(..));
    let is_hmac = |operation: &Operation| matches!(operation, Operation::Hmac(..));
    match (found.pop(), found.is_empty()) {
        (Some(_), true) if is_left => {
            Err("zone belongs to a time's format, join and except to sorted".into())
        }
        (Some(one), true) if encoding.is_some() && !is_hash(&one) => {
            Err("«as» belongs to a hash or an HMAC".into())
        }
        (Some(one), true) if key.is_some() && !is_hmac(&one) => {
            Err("key belongs to an HMAC".into())
        }
        (Some(one), true) => Ok(one),
        _ => Err("a value is a text, or a table with one of time, random, md5, sha1, sha256, \
            hmac_md5, hmac_sha1, hmac_sha256, base64, percent, upper, lower, sorted"
            .into()),
    }
}

fn read_key(key: Option<&toml::Value>) -> Result<Key, String> {
    let usage =
        || "set key to a text, such as \"{secret}\", or to { bytes_of = \"NAME\" }".to_owned();
    let key = key.ok_or_else(usage)?;
    match (key.as_str(), key.as_table()) {
        (Some(text), _) => Ok(Key::Text(Pattern::parse(text)?)),
        (_, Some(table)) if table.len() == 1 => {
            let name = table.get("bytes_of").and_then(toml::Value::as_str).ok_or_else(usage)?;
            Ok(Key::BytesOf(name.to_owned()))
        }
        _ => Err(usage()),
    }
}

fn read_time(format: String, zone: Option<&str>) -> Result<Operation, String> {
    match (format.as_str(), zone) {
        ("unix", None) => return Ok(Operation::Unix),
        ("unix_ms", None) => return Ok(Operation::UnixMilliseconds),
        ("unix" | "unix_ms", Some(_)) => return Err("unix and unix_ms have no zone".into()),
        _ => {}
    }
    if !format.contains('%') || StrftimeItems::new(&format).any(|item| item == Item::Error) {
        return Err(format!(
            "«{format}» is no format of a time; write it like %Y-%m-%dT%H:%M:%SZ, or unix, or \
                unix_ms"
        ));
    }
    let zone = zone.unwrap_or("+00:00");
    let zone = zone
        .parse::<FixedOffset>()
        .map_err(|_| format!("zone «{zone}» is no offset; write it like +08:00"))?;
    Ok(Operation::Time { format, zone })
}
