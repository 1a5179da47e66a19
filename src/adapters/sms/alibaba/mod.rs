//! Alibaba Cloud SMS (dysmsapi, version 2017-05-25): SendSms, SendBatchSms, QuerySendDetails,
//! receipts and replies by HTTP push.
//!
//! `tests/gateways.rs` compares the requests with those of the official SDK (signature, query and
//! headers, for the same inputs, clock and nonce). The error codes are those of the provider's
//! documentation of SendSms.

mod answer;
mod push;
mod sign;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use data_encoding::HEXLOWER;
use serde::Deserialize;
use toml::Table;

use super::approved_templates::{ApprovedTemplate, ApprovedTemplates, Pattern};
use super::http::classify_response;
use super::{
    BatchResult, Capabilities, Entries, Fields, Gateway, OutgoingMessage, Push, PushError,
    QueriedMessage, QueryResult, Receipt, Reply, TooLong,
};
use crate::adapters::clock::Clock;
use crate::adapters::config::GatewayConfig;
use crate::domain::personal::Personal;
use crate::domain::phone::Phone;
use crate::domain::time::Timestamp;
pub use sign::{Call, authorization, authorization_over};

const VERSION: &str = "2017-05-25";
const TIMEOUT: Duration = Duration::from_secs(20);

/// The gateway's file. In the configuration, `user` is the AccessKey's id and the secret is the
/// AccessKey's secret.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "kind")]
    _kind: String,
    #[serde(default = "endpoint")]
    endpoint: String,
    /// The approved signature, without brackets.
    sign_name: String,
    /// Numbers in one request (SendBatchSms), at most 100; 1 sends each separately.
    #[serde(default = "batch")]
    batch: usize,
    template: BTreeMap<String, TemplateFile>,
    /// A variable holds at most so many characters (35 by the provider's rules).
    #[serde(default = "longest_parameter")]
    longest_parameter: usize,
}

fn longest_parameter() -> usize {
    35
}

/// Prefix of the OutId of a request with several messages, which identifies none of them.
const BATCH: &str = "batch-";

/// Limit of SendBatchSms.
const MOST: usize = 100;

fn batch() -> usize {
    MOST
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TemplateFile {
    code: String,
    #[serde(default)]
    parameters: Table,
}

fn endpoint() -> String {
    "https://dysmsapi.aliyuncs.com".into()
}

pub struct Alibaba {
    name: String,
    endpoint: String,
    sign_name: String,
    batch: usize,
    longest_parameter: usize,
    templates: ApprovedTemplates,
    access_key: String,
    secret: Personal,
    client: reqwest::Client,
    clock: Arc<dyn Clock>,
}

impl Alibaba {
    /// Reads the gateway's file. The error names the key and the remedy.
    pub fn open(config: &GatewayConfig, clock: Arc<dyn Clock>) -> Result<Alibaba, String> {
        let file: File = toml::from_str(&config.definition)
            .map_err(|e| e.to_string().trim().replace('\n', " "))?;
        if config.user.is_empty() {
            return Err("user is empty; set it to the AccessKey's id".into());
        }
        if !(1..=MOST).contains(&file.batch) {
            return Err(format!("batch must be between 1 and {MOST}"));
        }
        let mut templates = BTreeMap::new();
        for (step, template) in file.template {
            let mut parameters = Vec::new();
            for (name, value) in template.parameters {
                let raw = value.as_str().ok_or_else(|| {
                    format!("template.\"{step}\".parameters.{name} must be a text")
                })?;
                parameters.push((
                    name,
                    Pattern::parse(raw)
                        .map_err(|e| format!("template.\"{step}\".parameters: {e}"))?,
                ));
            }
            templates.insert(step, ApprovedTemplate { code: template.code, parameters });
        }
        Ok(Alibaba {
            name: config.name.clone(),
            endpoint: file.endpoint.trim_end_matches('/').to_owned(),
            sign_name: file.sign_name,
            batch: file.batch,
            longest_parameter: file.longest_parameter,
            templates: ApprovedTemplates::new(templates)?,
            access_key: config.user.clone(),
            secret: config.secret.clone(),
            client: crate::adapters::http_client::new(TIMEOUT).map_err(|e| e.to_string())?,
            clock,
        })
    }

    /// Builds the request for one message, or for several of one template.
    fn request(&self, batch: &[OutgoingMessage]) -> Option<Call<'_>> {
        let first = batch.first()?;
        let template = self.templates.of(first)?;
        let parameters = |message: &OutgoingMessage| -> serde_json::Value {
            template
                .parameters
                .iter()
                .map(|(name, pattern)| (name.clone(), pattern.fill(message).into()))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let query = |out_id| vec![("OutId", out_id), ("TemplateCode", template.code.clone())];
        if let [message] = batch {
            let one = [
                ("PhoneNumbers", number_for(&message.to)),
                ("SignName", self.sign_name.clone()),
                ("TemplateParam", parameters(message).to_string()),
            ];
            return Some(self.call(
                "SendSms",
                query(message.reference.clone()).into_iter().chain(one).collect(),
                Vec::new(),
            ));
        }
        let list = |values: Vec<serde_json::Value>| serde_json::Value::Array(values).to_string();
        let form = vec![
            (
                "PhoneNumberJson",
                list(batch.iter().map(|message| number_for(&message.to).into()).collect()),
            ),
            ("SignNameJson", list(batch.iter().map(|_| self.sign_name.as_str().into()).collect())),
            ("TemplateParamJson", list(batch.iter().map(parameters).collect())),
        ];
        Some(self.call("SendBatchSms", query(format!("{BATCH}{}", first.reference)), form))
    }

    fn call(
        &self,
        action: &'static str,
        query: Vec<(&'static str, String)>,
        form: Vec<(&'static str, String)>,
    ) -> Call<'_> {
        let host = self.endpoint.split("://").nth(1).unwrap_or_default();
        let mut nonce = [0u8; 16];
        // Without random bytes the nonce repeats, and the provider refuses the second request:
        // nothing is sent twice.
        let _ = getrandom::fill(&mut nonce);
        Call {
            action,
            version: VERSION,
            host,
            query,
            form,
            date: date_of(self.clock.now()),
            nonce: HEXLOWER.encode(&nonce),
        }
    }

    async fn send(&self, call: Call<'_>) -> Result<reqwest::Response, reqwest::Error> {
        let mut request =
            self.client.post(format!("{}/?{}", self.endpoint, call.query_on_the_wire()));
        for (name, value) in call.headers() {
            request = request.header(name, value);
        }
        let body = call.body();
        let request = request
            .header("authorization", authorization(&call, &self.access_key, self.secret.reveal()));
        request.header("content-length", body.len()).body(body).send().await
    }
}

/// Returns ISO 8601 in UTC, as required by `x-acs-date`.
fn date_of(at: Timestamp) -> String {
    at.in_zone(chrono_tz::UTC).format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Formats a number: mainland numbers without country code, others with it and two leading zeros.
fn number_for(phone: &Phone) -> String {
    if phone.region() == Some("CN") {
        phone.national()
    } else {
        format!("00{}", phone.e164().trim_start_matches('+'))
    }
}

#[async_trait]
impl Gateway for Alibaba {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            batch: self.batch,
            query: true,
            unknown_is_final_after: None,
            submits_parts: false,
        }
    }

    /// A request has one template.
    fn can_share_request(&self, first: &OutgoingMessage, next: &OutgoingMessage) -> bool {
        let code = |message| self.templates.of(message).map(|template| &template.code);
        code(first).is_some() && code(first) == code(next)
    }

    fn too_long(&self, step: &str, fields: &Fields) -> Vec<TooLong> {
        self.templates.too_long(step, fields, self.longest_parameter)
    }

    fn check_step(&self, step: &str) -> Result<(), String> {
        self.templates.check_step(step)
    }

    async fn submit(&self, batch: &[OutgoingMessage]) -> BatchResult {
        let Some(call) = self.request(batch) else {
            return BatchResult::without_template(batch);
        };
        let request_log =
            format!("{} to {} number(s), template {}", call.action, batch.len(), call.template());
        classify_response(self.send(call).await, batch, request_log, |status, body| {
            answer::classify_all(status, body, batch.len())
        })
        .await
    }

    async fn query(&self, message: &QueriedMessage) -> QueryResult {
        // The provider's days are in Beijing's time zone.
        let day =
            message.submitted_at.in_zone(chrono_tz::Asia::Shanghai).format("%Y%m%d").to_string();
        let query = vec![
            ("CurrentPage", "1".to_owned()),
            ("PageSize", "50".to_owned()),
            ("PhoneNumber", number_for(&message.to)),
            ("SendDate", day),
        ];
        answer::classify_query(
            message,
            self.send(self.call("QuerySendDetails", query, Vec::new())).await,
        )
        .await
    }

    fn parse_receipts(&self, push: Push<'_>) -> Result<Entries<Receipt>, PushError> {
        push::receipts(push.body)
    }

    fn parse_replies(&self, push: Push<'_>) -> Result<Entries<Reply>, PushError> {
        push::replies(push.body)
    }

    fn push_response(&self) -> (&str, &str) {
        ("application/json", r#"{"code":0,"msg":"成功"}"#)
    }
}
