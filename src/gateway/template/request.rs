//! Fills a request form: every value escaped for the place where it stands.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::super::OutgoingMessage;
use super::super::http::escape_url;
use super::file::{Escape, Method, RequestForm};
use crate::domain::personal::Personal;

pub(super) const PLACEHOLDERS: [&str; 9] = ["to", "to_national", "text", "id", "parts", "callback_url", "replies_url", "user", "secret"];

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
}

impl<'a> Values<'a> {
    pub fn of(message: &'a OutgoingMessage) -> Values<'a> {
        Values {
            reference: &message.reference,
            to: message.to.e164(),
            to_national: message.to.national(),
            text: message.text.reveal(),
            parts: message.parts,
        }
    }

    pub fn of_query(reference: &'a str) -> Values<'a> {
        Values { reference, to: "", to_national: String::new(), text: "", parts: 0 }
    }
}

pub(super) fn build(client: &reqwest::Client, form: &RequestForm, values: &Values<'_>, account: &Account) -> Result<reqwest::Request, String> {
    let url = fill(&form.url, values, account, escape_url);
    let method = match form.method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
    };
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

fn fill(template: &str, values: &Values<'_>, account: &Account, escape: fn(&str) -> String) -> String {
    PLACEHOLDER
        .replace_all(template, |found: &Captures<'_>| {
            let parts = values.parts.to_string();
            let value = match &found[1] {
                "to" => values.to,
                "to_national" => &values.to_national,
                "text" => values.text,
                "id" => values.reference,
                "parts" => &parts,
                "callback_url" => &account.callback_url,
                "replies_url" => &account.replies_url,
                "user" => &account.user,
                "secret" => account.secret.reveal(),
                _ => return found[0].to_owned(),
            };
            escape(value)
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
