//! Fills a request form, with every value escaped for its position.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::super::OutgoingMessage;
use super::super::http::escape_url;
use super::file::{Escape, RequestForm};
use super::pattern::Slot;
use crate::domain::personal::Personal;
use crate::domain::phone::Phone;
use crate::domain::sms_text::Placeholder;

/// The values that are the same for every request of a gateway.
pub(super) struct Account {
    pub user: String,
    pub secret: Personal,
    pub callback_url: String,
    pub replies_url: String,
}

/// The subject of a request: a message, or the reference of a queried one.
#[derive(Clone, Copy)]
pub(super) enum RequestSubject<'a> {
    Message(&'a OutgoingMessage),
    Reference(&'a str),
    /// A call to be connected.
    Call {
        to: &'a Phone,
        interviewer: &'a str,
    },
}

impl<'a> RequestSubject<'a> {
    fn value_of(self, slot: Slot, account: &'a Account) -> Cow<'a, str> {
        match (slot, self) {
            (Slot::CallbackUrl, _) => account.callback_url.as_str().into(),
            (Slot::RepliesUrl, _) => account.replies_url.as_str().into(),
            (Slot::User, _) => account.user.as_str().into(),
            (Slot::Secret, _) => account.secret.reveal().into(),
            (Slot::To, RequestSubject::Call { to, .. }) => to.e164().into(),
            (Slot::ToNoPlus, RequestSubject::Call { to, .. }) => {
                to.e164().trim_start_matches('+').into()
            }
            (Slot::ToNational, RequestSubject::Call { to, .. }) => to.national().into(),
            (Slot::Interviewer, RequestSubject::Call { interviewer, .. }) => interviewer.into(),
            (_, RequestSubject::Call { .. }) | (Slot::Interviewer, _) => "".into(),
            (Slot::Id, RequestSubject::Reference(reference)) => reference.into(),
            (_, RequestSubject::Reference(_)) => "".into(),
            (Slot::Id, RequestSubject::Message(message)) => message.reference.as_str().into(),
            (Slot::To, RequestSubject::Message(message)) => message.to.e164().into(),
            (Slot::ToNoPlus, RequestSubject::Message(message)) => {
                message.to.e164().trim_start_matches('+').into()
            }
            (Slot::ToNational, RequestSubject::Message(message)) => message.to.national().into(),
            (Slot::Text, RequestSubject::Message(message)) => message.text.reveal().into(),
            (Slot::Signature, RequestSubject::Message(message)) => message
                .fields
                .get(&Placeholder::Signature)
                .map(Personal::reveal)
                .unwrap_or_default()
                .into(),
            (Slot::Template, RequestSubject::Message(message)) => message.step.as_str().into(),
            (Slot::ParamsJson, RequestSubject::Message(message)) => {
                params_json(&message.fields).into()
            }
            (Slot::Parts, RequestSubject::Message(message)) => message.parts.to_string().into(),
        }
    }
}

/// Returns the placeholder values and the link's code as one JSON object.
fn params_json(fields: &BTreeMap<Placeholder, Personal>) -> String {
    let code = fields
        .get(&Placeholder::Link)
        .and_then(|link| link.reveal().rsplit('/').next())
        .unwrap_or_default();
    let fields = fields
        .iter()
        .map(|(placeholder, value)| (placeholder.as_str().to_owned(), value.reveal().into()));
    serde_json::Value::Object(fields.chain([("link_code".to_owned(), code.into())]).collect())
        .to_string()
}

pub(super) fn build(
    client: &reqwest::Client,
    form: &RequestForm,
    subject: RequestSubject<'_>,
    account: &Account,
) -> Result<reqwest::Request, String> {
    let value_of = |slot| subject.value_of(slot, account);
    let method = reqwest::Method::from_bytes(form.method.as_str().as_bytes()).unwrap_or_default();
    let mut request = client.request(method, form.url.fill(value_of, escape_url));
    for (name, value) in &form.headers {
        request = request.header(name, value.fill(value_of, str::to_owned));
    }
    if let Some(body) = &form.body {
        let escape: fn(&str) -> String = match form.escape {
            Escape::None => str::to_owned,
            Escape::Json => escape_json,
            Escape::Form => escape_url,
            Escape::Xml => escape_xml,
        };
        request = request.body(body.fill(value_of, escape));
    }
    request.build().map_err(|_| "request_malformed".to_owned())
}

/// Renders the request for the gateway log: without the message's personal data and the account's
/// secrets.
pub(super) fn describe_request(
    form: &RequestForm,
    message: &OutgoingMessage,
    account: &Account,
) -> String {
    let value_of = |slot| match slot {
        Slot::Id | Slot::Parts | Slot::Template | Slot::Signature | Slot::User => {
            RequestSubject::Message(message).value_of(slot, account)
        }
        _ => "…".into(),
    };
    let mut rendered =
        format!("{} {}", form.method.as_str(), form.url.fill(value_of, str::to_owned));
    if let Some(body) = &form.body {
        rendered.push(' ');
        rendered.push_str(&body.fill(value_of, str::to_owned));
    }
    rendered
}

/// Escapes a value for the inside of a JSON string.
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
    }
}
