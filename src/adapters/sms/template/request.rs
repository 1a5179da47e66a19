//! Fills a request form, with every value escaped for its position.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::super::OutgoingMessage;
use super::super::approved_templates::{ApprovedTemplate, ApprovedTemplates};
use super::super::http::escape_url;
use super::evaluation::{Evaluation, Random};
use super::file::{Escape, RequestForm};
use super::pattern::Slot;
use crate::domain::personal::Personal;
use crate::domain::phone::Phone;
use crate::domain::sms_text::Placeholder;
use crate::domain::time::Timestamp;

/// What is the same for every request of a gateway.
pub(super) struct Account {
    pub user: String,
    pub secret: Personal,
    pub callback_url: String,
    pub replies_url: String,
    pub constants: BTreeMap<String, String>,
    pub templates: Option<ApprovedTemplates>,
}

impl Account {
    /// Returns a placeholder that does not depend on the request.
    pub fn value_of(&self, slot: &Slot) -> Option<Cow<'_, str>> {
        Some(match slot {
            Slot::CallbackUrl => self.callback_url.as_str().into(),
            Slot::RepliesUrl => self.replies_url.as_str().into(),
            Slot::User => self.user.as_str().into(),
            Slot::Secret => self.secret.reveal().into(),
            Slot::Constant(name) => {
                self.constants.get(name).map(String::as_str).unwrap_or_default().into()
            }
            _ => return None,
        })
    }

    /// Whether the gateway has approved templates, and none for this message.
    pub fn lacks_template(&self, message: &OutgoingMessage) -> bool {
        self.templates.is_some() && self.template_of(message).is_none()
    }

    fn template_of(&self, message: &OutgoingMessage) -> Option<&ApprovedTemplate> {
        self.templates.as_ref()?.of(message)
    }
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
    fn value_of(self, slot: &Slot, account: &'a Account) -> Cow<'a, str> {
        if let Some(value) = account.value_of(slot) {
            return value;
        }
        match (slot, self) {
            (Slot::To, RequestSubject::Call { to, .. }) => to.e164().into(),
            (Slot::ToNoPlus, RequestSubject::Call { to, .. }) => {
                to.e164().trim_start_matches('+').into()
            }
            (Slot::ToNational, RequestSubject::Call { to, .. }) => to.national().into(),
            (Slot::Interviewer, RequestSubject::Call { interviewer, .. }) => interviewer.into(),
            (Slot::Id, RequestSubject::Reference(reference)) => reference.into(),
            (slot, RequestSubject::Message(message)) => value_of_message(slot, message, account),
            _ => "".into(),
        }
    }
}

fn value_of_message<'a>(
    slot: &Slot,
    message: &'a OutgoingMessage,
    account: &'a Account,
) -> Cow<'a, str> {
    match slot {
        Slot::Id => message.reference.as_str().into(),
        Slot::To => message.to.e164().into(),
        Slot::ToNoPlus => message.to.e164().trim_start_matches('+').into(),
        Slot::ToNational => message.to.national().into(),
        Slot::Text => message.text.reveal().into(),
        Slot::Signature => message
            .fields
            .get(&Placeholder::Signature)
            .map(Personal::reveal)
            .unwrap_or_default()
            .into(),
        Slot::Template => message.step.as_str().into(),
        Slot::TemplateCode => {
            account.template_of(message).map(|t| t.code.as_str()).unwrap_or_default().into()
        }
        Slot::TemplateParameters => account
            .template_of(message)
            .map(|template| template_parameters(template, message))
            .unwrap_or_default()
            .into(),
        Slot::ParamsJson => params_json(&message.fields).into(),
        Slot::Parts => message.parts.to_string().into(),
        _ => "".into(),
    }
}

/// Returns a template's parameters as a JSON object, or as an array if they have no names.
fn template_parameters(template: &ApprovedTemplate, message: &OutgoingMessage) -> String {
    let values = template.values(message);
    let names = template.parameters.iter().map(|(name, _)| name);
    if names.clone().all(String::is_empty) {
        return serde_json::Value::from(values).to_string();
    }
    let named = names.cloned().zip(values.into_iter().map(serde_json::Value::from));
    serde_json::Value::Object(named.collect()).to_string()
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

/// What a request is built with: its account, the time, and randomness.
#[derive(Clone, Copy)]
pub(super) struct Builder<'a> {
    pub client: &'a reqwest::Client,
    pub account: &'a Account,
    pub now: Timestamp,
    pub random: Random,
}

impl Builder<'_> {
    /// Fills in the address, then the body, then the headers: each may hold values computed of those
    /// before it. The error is a code for the gateway log.
    pub fn build(
        &self,
        form: &RequestForm,
        subject: RequestSubject<'_>,
    ) -> Result<reqwest::Request, String> {
        let others = |slot: &Slot| subject.value_of(slot, self.account);
        let evaluation = Evaluation::new(&form.values, self.now, self.random, others)?;
        let value_of = |slot: &Slot| evaluation.value_of(slot);
        let malformed = || "request_malformed".to_owned();
        let url =
            reqwest::Url::parse(&form.url.fill(value_of, escape_url)).map_err(|_| malformed())?;
        {
            let mut known = evaluation.known.borrow_mut();
            known.host = match url.port() {
                Some(port) => format!("{}:{port}", url.host_str().unwrap_or_default()),
                None => url.host_str().unwrap_or_default().to_owned(),
            };
            known.query = url.query().unwrap_or_default().to_owned();
        }
        let method = reqwest::Method::from_bytes(form.method.as_str().as_bytes());
        let mut request = self.client.request(method.unwrap_or_default(), url);
        if let Some(body) = &form.body {
            let escape: fn(&str) -> String = match form.escape {
                Escape::None => str::to_owned,
                Escape::Json => escape_json,
                Escape::Form => escape_url,
                Escape::Xml => escape_xml,
            };
            let body = body.fill(value_of, escape);
            evaluation.known.borrow_mut().body.clone_from(&body);
            request = request.body(body);
        }
        for (name, value) in &form.headers {
            request = request.header(name, value.fill(value_of, str::to_owned));
        }
        request.build().map_err(|_| malformed())
    }
}

/// Renders the request for the gateway log: without the message's personal data and the account's
/// secrets. Values may derive from either; headers are not logged.
pub(super) fn describe_request(
    form: &RequestForm,
    message: &OutgoingMessage,
    account: &Account,
) -> String {
    let value_of = |slot: &Slot| match slot {
        Slot::Id
        | Slot::Parts
        | Slot::Template
        | Slot::TemplateCode
        | Slot::Signature
        | Slot::User
        | Slot::Constant(_) => RequestSubject::Message(message).value_of(slot, account),
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
pub(super) mod tests {
    use super::*;

    /// An account whose secret must be found nowhere.
    pub fn account() -> Account {
        Account {
            user: "the-id".into(),
            secret: Personal::new("the-secret"),
            callback_url: "https://x.cn/hooks/g/s/receipts".into(),
            replies_url: "https://x.cn/hooks/g/s/replies".into(),
            constants: BTreeMap::new(),
            templates: None,
        }
    }

    #[test]
    fn each_place_has_its_own_escaping() {
        assert_eq!(escape_url("您 &=+"), "%E6%82%A8%20%26%3D%2B");
        assert_eq!(escape_json("a\"b\\c\n您"), r#"a\"b\\c\n您"#);
        assert_eq!(escape_xml("<a & 'b'>"), "&lt;a &amp; &apos;b&apos;&gt;");
    }
}
