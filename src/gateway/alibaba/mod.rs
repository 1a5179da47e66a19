//! Alibaba Cloud SMS (dysmsapi, version 2017-05-25): SendSms, QuerySendDetails, receipts and replies by HTTP push.
//!
//! What is sent is compared with the official SDK's own requests by `tests/gateways.rs` (signature, query and headers, for the same inputs, clock
//! and nonce). The error codes are those of the provider's documentation of SendSms.

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

use super::approved::{ApprovedTemplate, ApprovedTemplates, Pattern};
use super::{Capabilities, Doubtful, Gateway, Outcome, OutgoingMessage, Push, PushError, QueryAnswer, Receipt, Reply};
use crate::clock::Clock;
use crate::config::GatewayConfig;
use crate::domain::personal::Personal;
use crate::domain::phone::Phone;
use crate::domain::time::Timestamp;
pub use sign::{Call, authorization, authorization_over};

const VERSION: &str = "2017-05-25";
const TIMEOUT: Duration = Duration::from_secs(20);

/// The gateway's file. `user` of the configuration is the AccessKey's id, its secret the AccessKey's secret.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "kind")]
    _kind: String,
    #[serde(default = "endpoint")]
    endpoint: String,
    /// The approved signature, without brackets.
    sign_name: String,
    template: BTreeMap<String, TemplateFile>,
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
    templates: ApprovedTemplates,
    access_key: String,
    secret: Personal,
    client: reqwest::Client,
    clock: Arc<dyn Clock>,
}

impl Alibaba {
    /// Reads the gateway's file; the error names the key and the remedy.
    pub fn open(config: &GatewayConfig, clock: Arc<dyn Clock>) -> Result<Alibaba, String> {
        let file: File = toml::from_str(&config.definition).map_err(|e| e.to_string().trim().replace('\n', " "))?;
        if config.user.is_empty() {
            return Err("user is empty; set it to the AccessKey's id".into());
        }
        let mut templates = BTreeMap::new();
        for (step, template) in file.template {
            let mut parameters = Vec::new();
            for (name, value) in template.parameters {
                let raw = value.as_str().ok_or_else(|| format!("template.\"{step}\".parameters.{name} must be a text"))?;
                parameters.push((name, Pattern::parse(raw).map_err(|e| format!("template.\"{step}\".parameters: {e}"))?));
            }
            templates.insert(step, ApprovedTemplate { code: template.code, parameters });
        }
        Ok(Alibaba {
            name: config.name.clone(),
            endpoint: file.endpoint.trim_end_matches('/').to_owned(),
            sign_name: file.sign_name,
            templates: ApprovedTemplates::new(templates)?,
            access_key: config.user.clone(),
            secret: config.secret.clone(),
            client: crate::http_client::new(TIMEOUT).map_err(|e| format!("the HTTP client cannot be made: {e}"))?,
            clock,
        })
    }

    /// The query of SendSms for one message.
    fn send_sms(&self, message: &OutgoingMessage) -> Option<Vec<(&'static str, String)>> {
        let template = self.templates.of(message)?;
        let parameters: serde_json::Map<String, serde_json::Value> =
            template.parameters.iter().map(|(name, pattern)| (name.clone(), pattern.fill(message).into())).collect();
        Some(vec![
            ("OutId", message.reference.clone()),
            ("PhoneNumbers", number_for(&message.to)),
            ("SignName", self.sign_name.clone()),
            ("TemplateCode", template.code.clone()),
            ("TemplateParam", serde_json::Value::Object(parameters).to_string()),
        ])
    }

    async fn call(&self, action: &'static str, query: Vec<(&'static str, String)>) -> Result<reqwest::Response, reqwest::Error> {
        let host = self.endpoint.split("://").nth(1).unwrap_or_default();
        let mut nonce = [0u8; 16];
        // Without random bytes the nonce repeats, and the provider refuses the second request: nothing is sent twice.
        let _ = getrandom::fill(&mut nonce);
        let call = Call { action, version: VERSION, host, query, date: date_of(self.clock.now()), nonce: HEXLOWER.encode(&nonce) };
        let mut request = self.client.post(format!("{}/?{}", self.endpoint, call.query_on_the_wire()));
        for (name, value) in call.headers() {
            request = request.header(name, value);
        }
        request.header("authorization", authorization(&call, &self.access_key, self.secret.reveal())).header("content-length", "0").send().await
    }
}

/// ISO 8601 in UTC, as `x-acs-date` wants it.
fn date_of(at: Timestamp) -> String {
    at.in_zone(chrono_tz::UTC).format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Mainland numbers without country code; others with it and two zeros.
fn number_for(phone: &Phone) -> String {
    if phone.region() == Some("CN") { phone.national() } else { format!("00{}", phone.e164().trim_start_matches('+')) }
}

#[async_trait]
impl Gateway for Alibaba {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { batch: 1, query: true }
    }

    async fn submit(&self, batch: &[OutgoingMessage]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(batch.len());
        for message in batch {
            outcomes.push(match self.send_sms(message) {
                None => Outcome::AccountFailure { code: "no_template".into() },
                Some(query) => answer::judge(self.call("SendSms", query).await).await,
            });
        }
        outcomes
    }

    async fn query(&self, message: &Doubtful) -> QueryAnswer {
        // The provider's days are Beijing's.
        let day = message.submitted_at.in_zone(chrono_tz::Asia::Shanghai).format("%Y%m%d").to_string();
        let query = vec![("CurrentPage", "1".to_owned()), ("PageSize", "50".to_owned()), ("PhoneNumber", number_for(&message.to)), ("SendDate", day)];
        answer::judge_query(&message.reference, self.call("QuerySendDetails", query).await).await
    }

    fn parse_receipts(&self, push: Push<'_>) -> Result<Vec<Receipt>, PushError> {
        push::receipts(push.body)
    }

    fn parse_replies(&self, push: Push<'_>) -> Result<Vec<Reply>, PushError> {
        push::replies(push.body)
    }

    fn push_answer(&self) -> (&'static str, &'static str) {
        ("application/json", r#"{"code":0,"msg":"成功"}"#)
    }
}
