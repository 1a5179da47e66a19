//! Tencent Cloud SMS (sms, version 2021-01-11): SendSms, PullSmsSendStatusByPhoneNumber, receipts
//! and replies by HTTP push.
//!
//! `tests/gateways.rs` compares the requests with those of the official SDK. A parameter must not
//! contain an address (InvalidParameterValue.ProhibitedUseUrlInTemplateParameter), so the link is
//! sent as its code.

mod answer;
mod push;
mod sign;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;

use super::approved_templates::{ApprovedTemplate, ApprovedTemplates, Pattern};
use super::http::classify_response;
use super::{
    BatchResult, Capabilities, Entries, Fields, Gateway, OutgoingMessage, Push, PushError,
    QueriedMessage, QueryResult, Receipt, Reply, TooLong,
};
use crate::adapters::clock::Clock;
use crate::adapters::config::GatewayConfig;
use crate::domain::personal::Personal;
pub use sign::authorization;

const VERSION: &str = "2021-01-11";
/// Maximum number of phone numbers in one SendSms.
const MOST: usize = 200;
const TIMEOUT: Duration = Duration::from_secs(20);

/// The gateway's file. In the configuration, `user` is the SecretId and the secret is the
/// SecretKey.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "kind")]
    _kind: String,
    #[serde(default = "endpoint")]
    endpoint: String,
    #[serde(default = "region")]
    region: String,
    sdk_app_id: String,
    /// The approved signature, without brackets.
    sign_name: String,
    template: BTreeMap<String, TemplateFile>,
    /// A variable holds at most so many characters (12 in accounts of individuals).
    #[serde(default = "longest_parameter")]
    longest_parameter: usize,
}

fn longest_parameter() -> usize {
    usize::MAX
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TemplateFile {
    code: String,
    #[serde(default)]
    parameters: Vec<String>,
}

fn endpoint() -> String {
    "https://sms.tencentcloudapi.com".into()
}

fn region() -> String {
    "ap-guangzhou".into()
}

pub struct Tencent {
    name: String,
    file: File,
    templates: ApprovedTemplates,
    secret_id: String,
    secret_key: Personal,
    client: reqwest::Client,
    clock: Arc<dyn Clock>,
}

impl Tencent {
    /// Reads the gateway's file. The error names the key and the remedy.
    pub fn open(config: &GatewayConfig, clock: Arc<dyn Clock>) -> Result<Tencent, String> {
        let file: File = toml::from_str(&config.definition)
            .map_err(|e| e.to_string().trim().replace('\n', " "))?;
        if config.user.is_empty() {
            return Err("user is empty; set it to the SecretId".into());
        }
        let mut templates = BTreeMap::new();
        for (step, template) in &file.template {
            let parameters = template
                .parameters
                .iter()
                .map(|raw| Ok((String::new(), Pattern::parse(raw)?)))
                .collect::<Result<_, String>>();
            let parameters =
                parameters.map_err(|e| format!("template.\"{step}\".parameters: {e}"))?;
            templates
                .insert(step.clone(), ApprovedTemplate { code: template.code.clone(), parameters });
        }
        Ok(Tencent {
            name: config.name.clone(),
            templates: ApprovedTemplates::new(templates)?,
            file,
            secret_id: config.user.clone(),
            secret_key: config.secret.clone(),
            client: crate::adapters::http_client::new(TIMEOUT).map_err(|e| e.to_string())?,
            clock,
        })
    }

    /// Builds the body of SendSms for messages of one template and one text.
    fn send_sms(&self, batch: &[OutgoingMessage]) -> Option<serde_json::Value> {
        let first = batch.first()?;
        let template = self.templates.of(first)?;
        Some(json!({
            "PhoneNumberSet": batch.iter().map(|message| message.to.e164()).collect::<Vec<_>>(),
            "SmsSdkAppId": self.file.sdk_app_id,
            "TemplateId": template.code,
            "SignName": self.file.sign_name,
            "TemplateParamSet": template.values(first),
            "SessionContext": if batch.len() > 1 { String::new() } else { first.reference.clone() },
        }))
    }

    async fn call(
        &self,
        action: &str,
        body: &serde_json::Value,
    ) -> Result<reqwest::Response, reqwest::Error> {
        let host = self.file.endpoint.split("://").nth(1).unwrap_or_default().trim_end_matches('/');
        let seconds = self.clock.now().0.div_euclid(1000);
        let body = body.to_string();
        let signed = authorization(host, &body, seconds, &self.secret_id, self.secret_key.reveal());
        self.client
            .post(format!("{}/", self.file.endpoint.trim_end_matches('/')))
            .header("content-type", sign::CONTENT_TYPE)
            .header("host", host)
            .header("x-tc-action", action)
            .header("x-tc-version", VERSION)
            .header("x-tc-timestamp", seconds)
            .header("x-tc-region", &self.file.region)
            .header("authorization", signed)
            .body(body)
            .send()
            .await
    }
}

#[async_trait]
impl Gateway for Tencent {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            batch: MOST,
            query: true,
            unknown_is_final_after: None,
            submits_parts: false,
        }
    }

    /// A request has one text, and contains either mainland or foreign numbers.
    fn can_share_request(&self, first: &OutgoingMessage, next: &OutgoingMessage) -> bool {
        let is_domestic = |message: &OutgoingMessage| message.to.region() == Some("CN");
        let (Some(a), Some(b)) = (self.templates.of(first), self.templates.of(next)) else {
            return false;
        };
        is_domestic(first) == is_domestic(next)
            && a.code == b.code
            && a.values(first) == b.values(next)
    }

    fn too_long(&self, step: &str, fields: &Fields) -> Vec<TooLong> {
        self.templates.too_long(step, fields, self.file.longest_parameter)
    }

    fn check_step(&self, step: &str) -> Result<(), String> {
        self.templates.check_step(step)
    }

    async fn submit(&self, batch: &[OutgoingMessage]) -> BatchResult {
        let Some(body) = self.send_sms(batch) else {
            return BatchResult::without_template(batch);
        };
        let request_log =
            format!("SendSms to {} number(s), template {}", batch.len(), body["TemplateId"]);
        let numbers: Vec<&str> = batch.iter().map(|message| message.to.e164()).collect();
        classify_response(self.call("SendSms", &body).await, batch, request_log, |status, body| {
            answer::classify_all(status, body, &numbers)
        })
        .await
    }

    async fn query(&self, message: &QueriedMessage) -> QueryResult {
        let begin = message.submitted_at.0.div_euclid(1000);
        let body = json!({
            "BeginTime": begin - 60, "EndTime": begin + 3_600, "Offset": 0, "Limit": 100,
            "PhoneNumber": message.to.e164(), "SmsSdkAppId": self.file.sdk_app_id,
        });
        answer::classify_query(message, self.call("PullSmsSendStatusByPhoneNumber", &body).await)
            .await
    }

    fn parse_receipts(&self, push: Push<'_>) -> Result<Entries<Receipt>, PushError> {
        push::receipts(push.body)
    }

    fn parse_replies(&self, push: Push<'_>) -> Result<Entries<Reply>, PushError> {
        push::replies(push.body)
    }

    fn push_response(&self) -> (&str, &str) {
        ("application/json", r#"{"result":0,"errmsg":"OK"}"#)
    }
}
