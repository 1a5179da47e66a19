//! The gateway's file: the request, the classification of responses, and the fields of receipts and
//! replies.

use std::collections::BTreeMap;
use std::time::Duration;

use regex::Regex;
use serde::Deserialize;

use super::super::TextCoding;
use super::pattern::{Pattern, Slot};
use crate::domain::time::parse_duration;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GatewayFile {
    #[serde(rename = "kind")]
    _kind: Kind,
    pub submit: Submit,
    #[serde(default)]
    pub query: Option<Query>,
    #[serde(default)]
    pub receipt: Option<ReceiptFields>,
    #[serde(default)]
    pub reply: Option<ReplyFields>,
}

#[derive(Deserialize, Debug, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Template,
}

#[derive(Deserialize)]
pub(super) struct Submit {
    #[serde(flatten)]
    pub request: RequestForm,
    #[serde(default)]
    timeout: Option<String>,
    pub answer: Answer,
}

#[derive(Deserialize)]
pub(super) struct RequestForm {
    pub method: Method,
    pub url: Pattern,
    #[serde(default)]
    pub headers: BTreeMap<String, Pattern>,
    #[serde(default)]
    pub body: Option<Pattern>,
    #[serde(default)]
    pub escape: Escape,
}

#[derive(Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Method {
    Get,
    Post,
    Put,
}

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
        }
    }
}

/// How a value is escaped in the body.
#[derive(Deserialize, Clone, Copy, Debug, Default, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Escape {
    #[default]
    None,
    Json,
    Form,
    Xml,
}

/// Classification of responses. Codes are looked up in the lists in this order.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    pub accepted_status: Vec<u16>,
    #[serde(default, deserialize_with = "regex")]
    pub accepted_text: Option<Regex>,
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default, deserialize_with = "regex")]
    pub id_text: Option<Regex>,
    #[serde(default)]
    pub code: Option<String>,
    #[serde(default, deserialize_with = "regex")]
    pub code_text: Option<Regex>,
    #[serde(default)]
    pub refused_number: Vec<String>,
    #[serde(default)]
    pub deferred_number: Vec<String>,
    #[serde(default)]
    pub slow_down: Vec<String>,
    #[serde(default)]
    pub account: Vec<String>,
    /// Failures after which the gateway has certainly not accepted the message.
    #[serde(default)]
    pub not_taken: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct Query {
    #[serde(flatten)]
    pub request: RequestForm,
    #[serde(default)]
    pub id: Option<String>,
    pub state: String,
    #[serde(default)]
    pub accepted: Vec<String>,
    #[serde(default)]
    pub delivered: Vec<String>,
    #[serde(default)]
    pub undelivered: Vec<String>,
    /// So long after a submit, its «never received» is final, and the message goes out again.
    #[serde(default)]
    unknown_is_final_after: Option<String>,
}

impl Query {
    pub fn unknown_is_final_after(&self) -> Option<Duration> {
        self.unknown_is_final_after.as_deref().and_then(parse_duration)
    }
}

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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReceiptFields {
    pub form: PushForm,
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default)]
    pub reference: Option<String>,
    pub state: String,
    pub delivered: Vec<String>,
    #[serde(default)]
    pub undelivered: Vec<String>,
    #[serde(default)]
    pub code: Option<String>,
    #[serde(default)]
    pub dead_number: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplyFields {
    pub form: PushForm,
    pub from: String,
    pub text: String,
    #[serde(default)]
    pub id: Option<String>,
    /// Sending time: seconds or milliseconds since 1970, or RFC 3339.
    #[serde(default)]
    pub time: Option<String>,
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

fn regex<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Regex>, D::Error> {
    let pattern = String::deserialize(deserializer)?;
    Regex::new(&pattern)
        .map(Some)
        .map_err(|e| serde::de::Error::custom(format!("«{pattern}» is no regular expression: {e}")))
}

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(20);

impl Submit {
    pub fn timeout(&self) -> Duration {
        self.timeout.as_deref().and_then(parse_duration).unwrap_or(DEFAULT_TIMEOUT)
    }
}

impl GatewayFile {
    /// Parses and checks a file. The error names the key and the remedy.
    pub fn parse(text: &str) -> Result<GatewayFile, String> {
        let file: GatewayFile =
            toml::from_str(text).map_err(|e| e.to_string().trim().replace('\n', " "))?;
        if file.submit.timeout.as_deref().is_some_and(|raw| parse_duration(raw).is_none()) {
            return Err("submit.timeout is no duration; write it like 20s".into());
        }
        check_request("submit", &file.submit.request)?;
        let submit = &file.submit.request;
        let says = [Slot::Text, Slot::ParamsJson];
        let sends = [Some(&submit.url), submit.body.as_ref()]
            .into_iter()
            .flatten()
            .any(|part| says.iter().any(|slot| part.uses(*slot)));
        if !sends {
            return Err("submit: neither url nor body holds {text} or {params_json}; the message \
                would be empty"
                .into());
        }
        if let Some(query) = &file.query {
            check_request("query", &query.request)?;
            match (&query.unknown_is_final_after, query.unknown_is_final_after()) {
                (Some(_), None) => {
                    return Err(
                        "query.unknown_is_final_after is no duration; write it like 10m".into()
                    );
                }
                // An answer to the submit may still be on its way.
                (Some(_), Some(after)) if after <= file.submit.timeout() => {
                    return Err(
                        "query.unknown_is_final_after must be longer than submit.timeout".into()
                    );
                }
                _ => {}
            }
        }
        if file
            .receipt
            .as_ref()
            .is_some_and(|receipt| receipt.id.is_none() && receipt.reference.is_none())
        {
            return Err(
                "receipt: set id or reference; without one a receipt names no message".into()
            );
        }
        let charset = file.reply.as_ref().and_then(|reply| reply.charset.as_deref());
        if charset.is_some_and(|name| TextCoding::of_charset(name).is_none()) {
            return Err("reply.charset is no charset; write it like UTF-8, GBK or UTF-16BE".into());
        }
        Ok(file)
    }
}

fn check_request(section: &str, request: &RequestForm) -> Result<(), String> {
    if !request.url.begins_with("http://") && !request.url.begins_with("https://") {
        return Err(format!("{section}.url must begin with https:// or http://"));
    }
    Ok(())
}
