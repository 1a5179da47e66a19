//! Entries of the gateway log for operators: requests and responses without personal data
//! (invariant I7).
//!
//! A request is not redacted afterwards but rendered again from a message without its personal
//! fields. A response may repeat personal data: every text in it that contains the number, a name
//! or another word of the message is redacted, however the gateway escaped it.

use std::borrow::Cow;

use serde_json::Value;

use super::OutgoingMessage;

/// Maximum length of a logged response, in characters.
const MAX_LOGGED_CHARS: usize = 600;
const REDACTED: &str = "…";

/// One request and its response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GatewayExchange {
    pub request: String,
    pub response: String,
}

impl GatewayExchange {
    /// Creates an entry. `request` must not contain personal data; `response` is redacted here.
    pub fn new(request: String, response: &str, messages: &[OutgoingMessage]) -> GatewayExchange {
        let secrets = personal_words(messages);
        // The status precedes the body.
        let (status, body) = response.split_at(response.find(' ').map_or(0, |space| space + 1));
        // The raw text differs from its meaning only if something is escaped.
        let json =
            if body.contains('\\') { serde_json::from_str::<Value>(body) } else { Ok(Value::Null) };
        let body = match json {
            Ok(mut json) if !json.is_null() => {
                redact_json(&mut json, &secrets);
                json.to_string()
            }
            _ => redact(body, &secrets).into_owned(),
        };
        let response = format!("{status}{body}");
        GatewayExchange { request, response: shortened(response) }
    }
}

/// Returns the words that must not be logged: digits of the numbers, texts, and placeholder values.
fn personal_words(messages: &[OutgoingMessage]) -> Vec<String> {
    let mut secrets = Vec::new();
    for message in messages {
        secrets.push(message.to.e164().trim_start_matches('+').to_owned());
        secrets.push(message.to.national());
        secrets.push(message.text.reveal().to_owned());
        secrets.extend(message.fields.values().map(|value| value.reveal().to_owned()));
        secrets.extend(message.fields.values().filter_map(|value| {
            value.reveal().rsplit_once("/i/").map(|(_, code)| code.to_owned())
        }));
    }
    // Small figures (days left) and single letters do not identify a person, and would redact half
    // of a response.
    let is_figure = |secret: &str| secret.len() < 5 && secret.bytes().all(|b| b.is_ascii_digit());
    secrets.retain(|secret| !is_figure(secret) && (secret.len() >= 2));
    // The longest first, so that no part of it remains.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.dedup();
    secrets
}

fn redact<'a>(text: &'a str, secrets: &[String]) -> Cow<'a, str> {
    let mut redacted = Cow::Borrowed(text);
    for secret in secrets {
        if redacted.contains(secret.as_str()) {
            redacted = Cow::Owned(redacted.replace(secret.as_str(), REDACTED));
        }
    }
    redacted
}

fn redact_json(value: &mut Value, secrets: &[String]) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(redacted) = redact(text, secrets) {
                *text = redacted;
            }
        }
        Value::Number(number) if secrets.contains(&number.to_string()) => *value = REDACTED.into(),
        Value::Array(values) => values.iter_mut().for_each(|value| redact_json(value, secrets)),
        Value::Object(fields) => {
            fields.iter_mut().for_each(|(_, value)| redact_json(value, secrets))
        }
        _ => {}
    }
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(MAX_LOGGED_CHARS) {
        Some((end, _)) => format!("{}{REDACTED}", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::super::approved_templates::tests::message;
    use super::*;

    #[test]
    fn nothing_of_the_person_is_kept_of_an_answer() {
        let sent = [message("13800138000")];
        let check = |answer: &str, logged: &str| {
            let log_entry = GatewayExchange::new(String::new(), answer, &sent);
            assert_eq!(log_entry.response, logged);
        };
        check(
            r#"201 {"to":"+8613800138000","sid":"SM1","body":"\u738b 小*明~您好","n":13800138000}"#,
            r#"201 {"to":"+…","sid":"SM1","body":"…您好","n":"…"}"#,
        );
        check("0: Accepted for 13800138000, code abc123", "0: Accepted for …, code …");
        check(&format!("200 {}", "x".repeat(700)), &format!("200 {}…", "x".repeat(596)));
    }
}
