//! Twilio Messages (API 2010-04-01): one number per request, signed webhooks, query by number and
//! day.
//!
//! `tests/gateways.rs` compares the webhook's signature with that of the official SDK's validator.

mod answer;
mod push;
mod sign;

use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;

use super::http::{classify_response, same, spellings};
use super::{
    BatchResult, Capabilities, Entries, Gateway, GatewayExchange, OutgoingMessage, Push, PushError,
    QueriedMessage, QueryResult, Receipt, Reply, SubmitOutcome,
};
use crate::adapters::config::GatewayConfig;
use crate::domain::personal::Personal;
pub use sign::{Algorithm, signature};

const TIMEOUT: Duration = Duration::from_secs(20);

/// The gateway's file. In the configuration, `user` is the Account SID and the secret is the auth
/// token.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "kind")]
    _kind: String,
    #[serde(default = "endpoint")]
    endpoint: String,
    /// One of the two is required: a number of ours, or a messaging service.
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    messaging_service_sid: Option<String>,
}

fn endpoint() -> String {
    "https://api.twilio.com".into()
}

pub struct Twilio {
    name: String,
    endpoint: String,
    sender: (&'static str, String),
    account: String,
    token: Personal,
    callback_url: String,
    client: reqwest::Client,
}

impl Twilio {
    /// Reads the gateway's file. The error names the key and the remedy.
    pub fn open(config: &GatewayConfig, webhook_base_url: &str) -> Result<Twilio, String> {
        let file: File = toml::from_str(&config.definition)
            .map_err(|e| e.to_string().trim().replace('\n', " "))?;
        if config.user.is_empty() {
            return Err("user is empty; set it to the Account SID".into());
        }
        let sender = match (file.from, file.messaging_service_sid) {
            (Some(from), None) => ("From", from),
            (None, Some(service)) => ("MessagingServiceSid", service),
            _ => return Err("set either from or messaging_service_sid".into()),
        };
        Ok(Twilio {
            name: config.name.clone(),
            endpoint: file.endpoint.trim_end_matches('/').to_owned(),
            sender,
            account: config.user.clone(),
            token: config.secret.clone(),
            callback_url: format!("{webhook_base_url}/receipts"),
            client: crate::adapters::http_client::new(TIMEOUT).map_err(|e| e.to_string())?,
        })
    }

    fn messages_url(&self) -> String {
        format!("{}/2010-04-01/Accounts/{}/Messages.json", self.endpoint, self.account)
    }

    /// Builds the form of one message. Our reference is part of the status callback's address and
    /// is thus returned in every receipt.
    fn form(&self, message: &OutgoingMessage) -> String {
        form_urlencoded::Serializer::new(String::new())
            .append_pair("To", message.to.e164())
            .append_pair(self.sender.0, &self.sender.1)
            .append_pair("Body", message.text.reveal())
            .append_pair(
                "StatusCallback",
                &format!("{}?reference={}", self.callback_url, message.reference),
            )
            .finish()
    }

    /// Verifies `X-Twilio-Signature` over our own address and the form.
    fn check(&self, push: &Push<'_>) -> Result<Vec<(String, String)>, PushError> {
        let fields: Vec<(String, String)> =
            form_urlencoded::parse(push.body).into_owned().collect();
        let header =
            |name: &str| push.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let algorithm = Algorithm::named_in(header("x-twilio-webhooks-signature-settings"));
        let url = if push.query.is_empty() {
            push.url.to_owned()
        } else {
            format!("{}?{}", push.url, push.query)
        };
        let given = header("x-twilio-signature");
        match spellings(&url)
            .iter()
            .any(|url| same(&signature(url, &fields, self.token.reveal(), algorithm), given))
        {
            true => Ok(fields),
            false => Err(PushError::Forged),
        }
    }
}

#[async_trait]
impl Gateway for Twilio {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { batch: 1, query: true, unknown_is_final_after: None, submits_parts: false }
    }

    async fn submit(&self, batch: &[OutgoingMessage]) -> BatchResult {
        let Some(message) = batch.first() else {
            return BatchResult::all(SubmitOutcome::BatchRefused, 0, GatewayExchange::default());
        };
        let request = self
            .client
            .post(self.messages_url())
            .basic_auth(&self.account, Some(self.token.reveal()))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(self.form(message));
        let request_log = format!(
            "POST Messages {} of {} part(s), reference {}",
            self.sender.0, message.parts, message.reference
        );
        classify_response(request.send().await, batch, request_log, |status, body| {
            vec![answer::classify(status, body)]
        })
        .await
    }

    async fn query(&self, message: &QueriedMessage) -> QueryResult {
        // Twilio's days are in UTC.
        let day = message.submitted_at.in_zone(chrono_tz::UTC).format("%Y-%m-%d").to_string();
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("To", message.to.e164())
            .append_pair("DateSent", &day)
            .finish();
        let request = self
            .client
            .get(format!("{}?{query}", self.messages_url()))
            .basic_auth(&self.account, Some(self.token.reveal()));
        match request.send().await {
            Err(_) => QueryResult::NoAnswer,
            Ok(response) => answer::classify_query(message, response).await,
        }
    }

    fn parse_receipts(&self, push: Push<'_>) -> Result<Entries<Receipt>, PushError> {
        push::receipt(&self.check(&push)?, push.query)
    }

    fn parse_replies(&self, push: Push<'_>) -> Result<Entries<Reply>, PushError> {
        push::reply(&self.check(&push)?)
    }

    /// An empty TwiML document: no message is sent in return.
    fn push_response(&self) -> (&str, &str) {
        ("text/xml", "<Response/>")
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{describe_receipts, describe_replies};
    use super::*;
    use reqwest::header::{HeaderMap, HeaderValue};

    const TOKEN: &str = "the-secret";
    const URL: &str = "https://x.cn/hooks/g/s/receipts";

    fn gateway() -> Twilio {
        let config = GatewayConfig {
            name: "g".into(),
            definition: "kind = \"twilio\"\nfrom = \"+15005550006\"\n".into(),
            rate_per_second: 10,
            rate_counts: None,
            in_flight: 1,
            price_per_part: 0.0,
            currency: "CNY".into(),
            user: "the-id".into(),
            secret: Personal::new(TOKEN),
            allowed_networks: Vec::new(),
            default_region: None,
        };
        Twilio::open(&config, "https://x.cn/hooks/g/s")
            .unwrap_or_else(|problem| panic!("{problem}"))
    }

    #[test]
    fn pushes_are_read_only_with_the_right_signature() {
        let delivered = "MessageSid=SM1&MessageStatus=delivered";
        let sha256 = "algorithm=HMAC_SHA256";
        let url = format!("{URL}?reference=ref1");
        let url_with_port = url.replace("x.cn", "x.cn:443");
        // What was signed, with what; and what arrived.
        for (signed_url, signed_body, token, algorithm, settings, body, is_good) in [
            (url.as_str(), delivered, TOKEN, Algorithm::Sha1, "", delivered, true),
            (&url_with_port, delivered, TOKEN, Algorithm::Sha1, "", delivered, true),
            (&url, delivered, TOKEN, Algorithm::Sha256, sha256, delivered, true),
            (
                &url,
                "MessageStatus=delivered&MessageSid=SM1",
                TOKEN,
                Algorithm::Sha1,
                "",
                delivered,
                true,
            ),
            // Another secret, another algorithm than the one that is named, another address.
            (&url, delivered, "guess", Algorithm::Sha1, "", delivered, false),
            (&url, delivered, "", Algorithm::Sha1, "", delivered, false),
            (&url, delivered, TOKEN, Algorithm::Sha1, sha256, delivered, false),
            (&url, delivered, TOKEN, Algorithm::Sha256, "", delivered, false),
            (URL, delivered, TOKEN, Algorithm::Sha1, "", delivered, false),
            // Something was changed, added or taken away.
            (
                &url,
                delivered,
                TOKEN,
                Algorithm::Sha1,
                "",
                "MessageSid=SM2&MessageStatus=delivered",
                false,
            ),
            (
                &url,
                delivered,
                TOKEN,
                Algorithm::Sha1,
                "",
                "MessageSid=SM1&MessageStatus=delivered&ErrorCode=30005",
                false,
            ),
            (&url, delivered, TOKEN, Algorithm::Sha1, "", "MessageSid=SM1", false),
            (&url, delivered, TOKEN, Algorithm::Sha1, "", "", false),
        ] {
            let fields: Vec<(String, String)> =
                form_urlencoded::parse(signed_body.as_bytes()).into_owned().collect();
            let mut headers = HeaderMap::new();
            let header = |text: &str| HeaderValue::from_str(text).unwrap();
            headers.insert(
                "x-twilio-signature",
                header(&signature(signed_url, &fields, token, algorithm)),
            );
            headers.insert("x-twilio-webhooks-signature-settings", header(settings));
            let push = Push {
                url: URL,
                query: "reference=ref1",
                headers: &headers,
                body: body.as_bytes(),
            };
            let expected = if is_good { "reference=ref1 id=SM1 delivered" } else { "Forged" };
            assert_eq!(
                describe_receipts(gateway().parse_receipts(push)),
                [expected],
                "{signed_url} {signed_body} {token} {algorithm:?} {settings}, then {body}"
            );
            // A receipt is no reply; without the signature it is not even looked at.
            let expected = if is_good { r#"Missing("From")"# } else { "Forged" };
            assert_eq!(describe_replies(gateway().parse_replies(push)), [expected]);
        }
        let unsigned = Push {
            url: URL,
            query: "reference=ref1",
            headers: &HeaderMap::new(),
            body: delivered.as_bytes(),
        };
        assert_eq!(describe_receipts(gateway().parse_receipts(unsigned)), ["Forged"]);
    }
}
