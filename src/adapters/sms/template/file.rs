//! The gateway's file: the request and the classification of responses. [`super::push_fields`] has
//! the parts about receipts and replies.

use std::collections::BTreeMap;
use std::time::Duration;

use regex::Regex;
use serde::Deserialize;

use super::super::approved_templates::{self, ApprovedTemplate, ApprovedTemplates};
use super::pattern::{Pattern, Slot};
use super::push_fields::{PushSection, ReceiptFields, ReplyFields};
use super::values::{Needs, Values};
use crate::domain::time::parse_duration;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GatewayFile {
    #[serde(rename = "kind")]
    _kind: Kind,
    /// Texts of the account, such as a region or a sender: `{constants.NAME}`.
    #[serde(default)]
    pub constants: BTreeMap<String, String>,
    /// The approved template of each step, where the gateway has some: `{template_code}`.
    #[serde(default)]
    template: BTreeMap<String, TemplateFile>,
    /// A parameter of a template holds at most so many characters.
    #[serde(default)]
    pub longest_parameter: Option<usize>,
    pub submit: Submit,
    #[serde(default)]
    pub query: Option<Query>,
    #[serde(default)]
    pub receipt: Option<PushSection<ReceiptFields>>,
    #[serde(default)]
    pub reply: Option<PushSection<ReplyFields>>,
    /// What a push that is stored is answered with.
    #[serde(default)]
    pub push_answer: PushAnswer,
    #[serde(skip)]
    pub templates: Option<ApprovedTemplates>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TemplateFile {
    code: String,
    #[serde(default = "no_parameters")]
    parameters: toml::Value,
}

fn no_parameters() -> toml::Value {
    toml::Value::Array(Vec::new())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PushAnswer {
    #[serde(default = "plain_text")]
    pub content_type: String,
    pub body: String,
}

fn plain_text() -> String {
    "text/plain".into()
}

impl Default for PushAnswer {
    fn default() -> PushAnswer {
        PushAnswer { content_type: plain_text(), body: "ok\n".into() }
    }
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
    /// Values computed for each request: `{values.NAME}`.
    #[serde(default, rename = "values")]
    written: toml::Table,
    #[serde(skip)]
    pub values: Values,
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
    /// The codes that say «accepted». Without them, a response with a code is not accepted.
    #[serde(default)]
    pub accepted_code: Vec<String>,
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default, deserialize_with = "regex")]
    pub id_text: Option<Regex>,
    /// Where the code stands; of several places, the first with an error. «*» is each entry of an
    /// array.
    #[serde(default, deserialize_with = "one_or_more")]
    pub code: Vec<String>,
    #[serde(default, deserialize_with = "regex")]
    pub code_text: Option<Regex>,
    #[serde(default)]
    pub refused_number: Vec<String>,
    /// What stands in this message is not taken, whatever the number.
    #[serde(default)]
    pub refused_message: Vec<String>,
    #[serde(default)]
    pub opted_out: Vec<String>,
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

impl Answer {
    /// Whether one of the lists names a code.
    pub fn lists(&self, code: &str) -> bool {
        [
            &self.refused_number,
            &self.refused_message,
            &self.opted_out,
            &self.deferred_number,
            &self.slow_down,
            &self.account,
            &self.not_taken,
        ]
        .into_iter()
        .any(|list| list.iter().any(|known| known == code))
    }
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

fn regex<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Regex>, D::Error> {
    let pattern = String::deserialize(deserializer)?;
    Regex::new(&pattern)
        .map(Some)
        .map_err(|e| serde::de::Error::custom(format!("«{pattern}» is no regular expression: {e}")))
}

/// Reads a text or an array of texts.
fn one_or_more<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMore {
        One(String),
        More(Vec<String>),
    }
    Ok(match OneOrMore::deserialize(deserializer)? {
        OneOrMore::One(one) => vec![one],
        OneOrMore::More(more) => more,
    })
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
        let mut file: GatewayFile =
            toml::from_str(text).map_err(|e| e.to_string().trim().replace('\n', " "))?;
        if file.submit.timeout.as_deref().is_some_and(|raw| parse_duration(raw).is_none()) {
            return Err("submit.timeout is no duration; write it like 20s".into());
        }
        if !file.template.is_empty() {
            file.templates = Some(read_templates(&file.template)?);
        }
        let constants = &file.constants;
        let has_templates = file.templates.is_some();
        let allows = |slot: &Slot| match slot {
            Slot::Url => Err("{url} is known of pushes only".to_owned()),
            Slot::TemplateCode | Slot::TemplateParameters if !has_templates => {
                Err("{template_code} needs the gateway's templates; add [template.\"*\"]"
                    .to_owned())
            }
            Slot::Constant(name) => check_constant(name, constants),
            _ => Ok(()),
        };
        file.submit.request.check("submit", allows)?;
        let submit = &file.submit.request;
        let says = [Slot::Text, Slot::ParamsJson, Slot::TemplateParameters];
        let sends = [Some(&submit.url), submit.body.as_ref()]
            .into_iter()
            .flatten()
            .any(|part| says.iter().any(|slot| part.uses(slot)));
        if !sends {
            return Err("submit: neither url nor body holds {text}, {params_json} or \
                {template_parameters}; the message would be empty"
                .into());
        }
        if let Some(query) = &mut file.query {
            query.request.check("query", allows)?;
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
        if let Some(receipt) = &mut file.receipt {
            receipt.check(constants)?;
        }
        if let Some(reply) = &mut file.reply {
            reply.check(constants)?;
        }
        Ok(file)
    }
}

/// Checks that a constant is defined.
pub(super) fn check_constant(
    name: &str,
    constants: &BTreeMap<String, String>,
) -> Result<(), String> {
    match constants.contains_key(name) {
        true => Ok(()),
        false => Err(format!("{{constants.{name}}} is not defined; add it to [constants]")),
    }
}

/// Reads the approved templates; their parameters are named or in order.
fn read_templates(written: &BTreeMap<String, TemplateFile>) -> Result<ApprovedTemplates, String> {
    let mut templates = BTreeMap::new();
    for (step, template) in written {
        let key = format!("template.\"{step}\".parameters");
        let usage = || format!("{key}: write texts in order, or names with texts");
        let parameter = |name: &str, value: &toml::Value| {
            let pattern = approved_templates::Pattern::parse(value.as_str().ok_or_else(usage)?)
                .map_err(|problem| format!("{key}: {problem}"))?;
            Ok((name.to_owned(), pattern))
        };
        let parameters: Result<_, String> = match &template.parameters {
            toml::Value::Array(values) => values.iter().map(|v| parameter("", v)).collect(),
            toml::Value::Table(table) => table.iter().map(|(k, v)| parameter(k, v)).collect(),
            _ => Err(usage()),
        };
        let template = ApprovedTemplate { code: template.code.clone(), parameters: parameters? };
        templates.insert(step.clone(), template);
    }
    ApprovedTemplates::new(templates)
}

impl RequestForm {
    /// Checks the address, and every placeholder in its place.
    pub fn check(
        &mut self,
        section: &str,
        allows: impl Fn(&Slot) -> Result<(), String> + Copy,
    ) -> Result<(), String> {
        if !self.url.begins_with("http://") && !self.url.begins_with("https://") {
            return Err(format!("{section}.url must begin with https:// or http://"));
        }
        let table = format!("{section}.values");
        self.values = Values::parse(&table, &self.written, allows)?;
        if let Some(value) = self.values.iter().find(|value| value.is_of_pushes()) {
            return Err(format!("{table}.{}: sorted is for the fields of a push", value.name));
        }
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value, Needs::Body));
        let body = self.body.iter().map(|body| ("body", body, Needs::Address));
        for (key, pattern, most) in headers.chain(body).chain([("url", &self.url, Needs::Nothing)])
        {
            for slot in pattern.slots() {
                let problem = |problem| format!("{section}.{key}: {problem}");
                if matches!(slot, Slot::Host | Slot::Query | Slot::Body) {
                    let message = format!("{{{}}} stands in {section}.values only", slot.name());
                    return Err(problem(message));
                }
                self.values.check(slot, allows).map_err(problem)?;
                if self.values.needs(slot) > most {
                    return Err(problem(format!(
                        "{{{}}} is computed of what is not known yet; use it in the headers",
                        slot.name()
                    )));
                }
            }
        }
        Ok(())
    }
}
