//! Computes the values of one request or push. Nothing of them is logged: they may derive from the
//! account's secret.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write;

use chrono::{DateTime, Utc};

use super::super::http::escape_url;
use super::hashes::Encoding;
use super::pattern::{Pattern, Slot};
use super::values::{Key, Operation, Value, Values};
use crate::domain::time::Timestamp;

/// Fills a buffer with random octets; false if the system gives none.
pub type Random = fn(&mut [u8]) -> bool;

/// The system's randomness.
pub(super) fn system_random(octets: &mut [u8]) -> bool {
    getrandom::fill(octets).is_ok()
}

/// A computed value: its text, and the octets that the text stands for.
#[derive(Clone)]
struct Computed {
    octets: Vec<u8>,
    text: String,
}

/// What is known of a request or a push by the time a value is computed.
#[derive(Default)]
pub(super) struct Known {
    pub url: String,
    pub host: String,
    pub query: String,
    pub body: String,
    /// The fields of a push.
    pub fields: Vec<(String, String)>,
}

/// The values of one request; each is computed once.
pub(super) struct Evaluation<'a, F> {
    values: &'a Values,
    /// Returns all other placeholders.
    others: F,
    now: Timestamp,
    random: BTreeMap<&'a str, String>,
    computed: RefCell<BTreeMap<String, Computed>>,
    pub known: RefCell<Known>,
}

impl<'a, F: Fn(&Slot) -> Cow<'a, str>> Evaluation<'a, F> {
    /// The error is a code for the gateway log.
    pub fn new(
        values: &'a Values,
        now: Timestamp,
        random: Random,
        others: F,
    ) -> Result<Evaluation<'a, F>, String> {
        let mut drawn = BTreeMap::new();
        for value in values.iter() {
            if let Operation::Random(digits) = value.operation {
                let mut octets = vec![0; digits.div_ceil(2)];
                if !random(&mut octets) {
                    return Err("no_random".into());
                }
                let mut text = Encoding::Hex.encode(&octets);
                text.truncate(digits);
                drawn.insert(value.name.as_str(), text);
            }
        }
        Ok(Evaluation {
            values,
            others,
            now,
            random: drawn,
            computed: RefCell::default(),
            known: RefCell::default(),
        })
    }

    pub fn value_of(&self, slot: &Slot) -> Cow<'a, str> {
        match slot {
            Slot::Value(name) => self.compute(name).text.into(),
            Slot::Url => self.known.borrow().url.clone().into(),
            Slot::Host => self.known.borrow().host.clone().into(),
            Slot::Query => self.known.borrow().query.clone().into(),
            Slot::Body => self.known.borrow().body.clone().into(),
            slot => (self.others)(slot),
        }
    }

    fn compute(&self, name: &str) -> Computed {
        if let Some(computed) = self.computed.borrow().get(name) {
            return computed.clone();
        }
        let value = self.values.iter().find(|value| value.name == name);
        // The file was checked: every name that is used is defined.
        let Some(value) = value else {
            return Computed { octets: Vec::new(), text: String::new() };
        };
        let computed = self.carry_out(value);
        self.computed.borrow_mut().insert(name.to_owned(), computed.clone());
        computed
    }

    fn carry_out(&self, value: &Value) -> Computed {
        let fill = |pattern: &Pattern| pattern.fill(|slot| self.value_of(slot), str::to_owned);
        let text = match &value.operation {
            Operation::Hash(hash, of, encoding) => {
                let octets = hash.digest(fill(of).as_bytes());
                return Computed { text: encoding.encode(&octets), octets };
            }
            Operation::Hmac(hash, of, key, encoding) => {
                let key = match key {
                    Key::Text(key) => fill(key).into_bytes(),
                    Key::BytesOf(name) => self.compute(name).octets,
                };
                let octets = hash.hmac(&key, fill(of).as_bytes());
                return Computed { text: encoding.encode(&octets), octets };
            }
            Operation::Text(of) => fill(of),
            Operation::Base64(of) => Encoding::Base64.encode(fill(of).as_bytes()),
            Operation::Percent(of) => escape_url(&fill(of)),
            Operation::Upper(of) => fill(of).to_uppercase(),
            Operation::Lower(of) => fill(of).to_lowercase(),
            Operation::Unix => self.now.0.div_euclid(1_000).to_string(),
            Operation::UnixMilliseconds => self.now.0.to_string(),
            Operation::Time { format, zone } => {
                let utc = DateTime::<Utc>::from_timestamp_millis(self.now.0);
                let local = utc.unwrap_or(DateTime::<Utc>::MIN_UTC).with_timezone(zone);
                let mut text = String::new();
                // A format that cannot be written was refused with the file.
                let _ = write!(text, "{}", local.format(format));
                text
            }
            Operation::Random(_) => {
                self.random.get(value.name.as_str()).cloned().unwrap_or_default()
            }
            Operation::Sorted { each, join, except } => {
                let known = self.known.borrow();
                let mut fields: Vec<&(String, String)> =
                    known.fields.iter().filter(|(name, _)| !except.contains(name)).collect();
                // A value that is repeated under one name counts once.
                fields.sort();
                fields.dedup();
                fields.iter().map(|field| written_as(each, field)).collect::<Vec<_>>().join(join)
            }
        };
        Computed { octets: text.clone().into_bytes(), text }
    }
}

/// Writes a field by its form; what stands in the field is not read as a placeholder.
fn written_as(each: &str, (name, value): &(String, String)) -> String {
    let mut halves = each.splitn(2, "{value}");
    let (before, after) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
    format!("{}{value}{}", before.replace("{name}", name), after.replace("{name}", name))
}
