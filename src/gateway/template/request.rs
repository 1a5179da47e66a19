//! Fills a request form: every value escaped for the place where it stands.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::super::OutgoingMessage;
use super::super::http::escape_url;
use super::file::{Escape, RequestForm};
use crate::domain::personal::Personal;
use crate::domain::sms_text::Placeholder;

pub(super) const PLACEHOLDERS: [&str; 13] = [
    "to",
    "to_no_plus",
    "to_national",
    "signature",
    "template",
    "params_json",
    "text",
    "id",
    "parts",
    "callback_url",
    "replies_url",
    "user",
    "secret",
];

// A fixed pattern that compiles; the tests below run it.
static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\{([a-z_]+)\}").expect("a fixed pattern"));

/// The names in braces. JSON's own braces are none: a quote follows them.
pub(super) fn placeholders_in(text: &str) -> Vec<String> {
    PLACEHOLDER.captures_iter(text).map(|c| c[1].to_owned()).collect()
}

/// What is the same for every request of a gateway.
pub(super) struct Account {
    pub user: String,
    pub secret: Personal,
    pub callback_url: String,
    pub replies_url: String,
}

/// What differs from request to request.
pub(super) struct Values<'a> {
    reference: &'a str,
    to: &'a str,
    to_national: String,
    text: &'a str,
    parts: u32,
    signature: &'a str,
    /// The plan's step: gateways with templates of their own name them by it.
    step: &'a str,
    /// What stands in the text's placeholders.
    fields: Option<&'a BTreeMap<Placeholder, Personal>>,
}

impl<'a> Values<'a> {
    pub fn of(message: &'a OutgoingMessage) -> Values<'a> {
        Values {
            reference: &message.reference,
            to: message.to.e164(),
            to_national: message.to.national(),
            text: message.text.reveal(),
            parts: message.parts,
            signature: message.fields.get(&Placeholder::Signature).map(Personal::reveal).unwrap_or_default(),
            step: &message.step,
            fields: Some(&message.fields),
        }
    }

    pub fn of_query(reference: &'a str) -> Values<'a> {
        Values { reference, to: "", to_national: String::new(), text: "", parts: 0, signature: "", step: "", fields: None }
    }
}

/// The placeholders' values and the link's code as one JSON object.
fn params_json(fields: &BTreeMap<Placeholder, Personal>) -> String {
    let code = fields.get(&Placeholder::Link).and_then(|link| link.reveal().rsplit('/').next()).unwrap_or_default();
    let fields = fields.iter().map(|(placeholder, value)| (placeholder.as_str().to_owned(), value.reveal().into()));
    serde_json::Value::Object(fields.chain([("link_code".to_owned(), code.into())]).collect()).to_string()
}

pub(super) fn build(client: &reqwest::Client, form: &RequestForm, values: &Values<'_>, account: &Account) -> Result<reqwest::Request, String> {
    let url = fill(&form.url, values, account, escape_url);
    let method = reqwest::Method::from_bytes(form.method.as_str().as_bytes()).unwrap_or_default();
    let mut request = client.request(method, url);
    for (name, value) in &form.headers {
        request = request.header(name, fill(value, values, account, str::to_owned));
    }
    if let Some(body) = &form.body {
        let escape: fn(&str) -> String = match form.escape {
            Escape::None => str::to_owned,
            Escape::Json => escape_json,
            Escape::Form => escape_url,
            Escape::Xml => escape_xml,
        };
        request = request.body(fill(body, values, account, escape));
    }
    request.build().map_err(|_| "request_malformed".to_owned())
}

/// The request for the operator's eyes. The account's secret stands in it as little as the person.
pub(super) fn shown(form: &RequestForm, message: &OutgoingMessage, account: &Account) -> String {
    let values = Values { to: "…", to_national: "…".into(), ..Values::of(message) };
    let account = Account { secret: Personal::new("…"), user: account.user.clone(), callback_url: "…".into(), replies_url: "…".into() };
    let filled = |part: &str| fill(part, &values, &account, str::to_owned);
    let body = form.body.as_deref().map(|body| format!(" {}", filled(body))).unwrap_or_default();
    format!("{} {}{body}", form.method.as_str(), filled(&form.url))
}

fn fill(template: &str, values: &Values<'_>, account: &Account, escape: fn(&str) -> String) -> String {
    PLACEHOLDER
        .replace_all(template, |found: &Captures<'_>| {
            let value: Cow<'_, str> = match &found[1] {
                "to" => values.to.into(),
                "to_no_plus" => values.to.trim_start_matches('+').into(),
                "to_national" => values.to_national.as_str().into(),
                "text" => values.text.into(),
                "signature" => values.signature.into(),
                "template" => values.step.into(),
                "params_json" => values.fields.map(params_json).unwrap_or_default().into(),
                "id" => values.reference.into(),
                "parts" => values.parts.to_string().into(),
                "callback_url" => account.callback_url.as_str().into(),
                "replies_url" => account.replies_url.as_str().into(),
                "user" => account.user.as_str().into(),
                "secret" => account.secret.reveal().into(),
                _ => return found[0].to_owned(),
            };
            escape(&value)
        })
        .into_owned()
}

/// The inside of a JSON text.
fn escape_json(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn escape_xml(value: &str) -> String {
    quick_xml::escape::escape(value).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_its_own_escaping() {
        assert_eq!(escape_url("您 &=+"), "%E6%82%A8%20%26%3D%2B");
        assert_eq!(escape_json("a\"b\\c\n您"), r#"a\"b\\c\n您"#);
        assert_eq!(escape_xml("<a & 'b'>"), "&lt;a &amp; &apos;b&apos;&gt;");
        assert_eq!(placeholders_in(r#"{"to":"{to}","x":{text}}"#), ["to", "text"]);
    }
}
