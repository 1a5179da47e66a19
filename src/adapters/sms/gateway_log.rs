//! The conversation with a gateway, for the operator's eyes: what was asked and what was answered,
//! without anything of the person (invariant I7).
//!
//! What was asked is not struck out afterwards but written anew, from a message whose personal
//! parts are gone. What was answered may repeat them: every text of the answer that holds the
//! number, a name or any other word of the message is struck out, however the gateway escaped it.

use std::borrow::Cow;

use serde_json::Value;

use super::OutgoingMessage;

/// As much of an answer is kept.
const MAX_LOGGED_CHARS: usize = 600;
const REDACTED: &str = "…";

/// One request and its answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GatewayExchange {
    pub request: String,
    pub response: String,
}

impl GatewayExchange {
    /// `request` is made of what is not personal; `response` is cleaned here.
    pub fn new(request: String, response: &str, messages: &[OutgoingMessage]) -> GatewayExchange {
        let secrets = personal_words(messages);
        // A status stands before the body.
        let (status, body) = response.split_at(response.find(' ').map_or(0, |space| space + 1));
        // Only where something is escaped does a text differ from what it says.
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

/// The words that may not be kept: digits of the numbers, texts, and what stands in the
/// placeholders.
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
    // Small figures (days left) and single letters say nothing of a person, and would strike out
    // half of an answer.
    let is_figure = |secret: &str| secret.len() < 5 && secret.bytes().all(|b| b.is_ascii_digit());
    secrets.retain(|secret| !is_figure(secret) && (secret.len() >= 2));
    // The longest first, so that no part of it is left.
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
        let check = |answer: &str, kept: &str| {
            let exchange = GatewayExchange::new(String::new(), answer, &sent);
            assert_eq!(exchange.response, kept);
        };
        check(
            r#"201 {"to":"+8613800138000","sid":"SM1","body":"\u738b 小*明~您好","n":13800138000}"#,
            r#"201 {"to":"+…","sid":"SM1","body":"…您好","n":"…"}"#,
        );
        check("0: Accepted for 13800138000, code abc123", "0: Accepted for …, code …");
        check(&format!("200 {}", "x".repeat(700)), &format!("200 {}…", "x".repeat(596)));
    }
}
