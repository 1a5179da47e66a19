//! Gateways: submitting messages, and reading receipts and replies.
//!
//! A [`Gateway`] takes a batch of messages that may be sent now (checked by the sending service)
//! and returns one [`SubmitOutcome`] for each. It parses pushes into [`Receipt`]s and [`Reply`]s.
//! It never decides whether somebody may be contacted, never sends anything twice on its own, and
//! never accesses the database. Each kind of gateway has one file or folder; `simulation/` contains
//! an HTTP server that the daemon cannot distinguish from a carrier.

pub mod alibaba;
mod approved_templates;
pub mod cmpp;
mod gateway_log;
mod http;
mod inbound;
mod receipt_ids;
pub mod smpp;
pub mod template;
pub mod tencent;
mod text_coding;
pub mod twilio;
mod user_data;

pub use template::Dialer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;

use crate::adapters::clock::Clock;
use crate::adapters::config::GatewayConfig;
use crate::domain::personal::Personal;
use crate::domain::phone::Phone;
use crate::domain::sms_text::Placeholder;
use crate::domain::time::Timestamp;
pub use gateway_log::GatewayExchange;
pub use inbound::{
    Entries, InboundBatch, NumberKind, Push, PushError, Receipt, Reply, ReplyPart, UnreadableEntry,
};
pub use receipt_ids::ReceiptIds;
pub use text_coding::TextCoding;

/// An outgoing message.
#[derive(Debug, Clone)]
pub struct OutgoingMessage {
    /// Our reference: permanently unique, repeated by the gateway in its receipts.
    pub reference: String,
    pub to: Phone,
    pub text: Personal,
    pub parts: u32,
    /// The plan's step, by which gateways with approved templates choose theirs.
    pub step: String,
    /// Placeholder values, for templates that the gateway fills in.
    pub fields: Fields,
    /// Whether it must be sent in a separate request, because a batch with it was refused.
    pub must_be_alone: bool,
    /// The part to submit, where the gateway takes parts one by one; `None`: the whole message.
    pub part: Option<MessagePart>,
}

/// Placeholder values.
pub type Fields = BTreeMap<Placeholder, Personal>;

/// A value that is longer than a gateway takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooLong {
    /// The gateway's name for it: `name`, or `{1}` where it has none.
    pub parameter: String,
    /// The placeholders of which it consists.
    pub placeholders: Vec<Placeholder>,
    /// In characters.
    pub length: usize,
    pub limit: usize,
}

/// A part of a long message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessagePart {
    /// From 1.
    pub number: u8,
    pub total: u8,
    /// What all parts of the message have in common (3GPP TS 23.040, 9.2.3.24.1).
    pub reference: u8,
}

/// The step name of an opt-out confirmation; gateways with approved templates need one of this
/// name.
pub const CONFIRMATION: &str = "confirmation";

/// The step name of the answer to somebody who lifts their own opt-out; likewise.
pub const RESUBSCRIPTION: &str = "resubscription";

/// The step name of an SMS interview's messages: its questions, their reminders and its end.
pub const QUESTION: &str = "question";

/// The step name of what a member of the staff answers to a reply.
pub const STAFF_ANSWER: &str = "answer";

/// The step name of a notice to the duty officer.
pub const ALARM: &str = "alarm";

/// The step name of the one-time code with which an applicant opens its own page.
pub const APPLICANT_CODE: &str = "applicant_code";

/// The code of a message for which the gateway's file has no approved template.
pub const NO_TEMPLATE: &str = "no_template";

/// The code of a message that was refused as part of a batch.
pub const BATCH_REFUSED: &str = "refused_together";

/// A message in doubt about which a gateway is queried.
#[derive(Debug, Clone)]
pub struct QueriedMessage {
    pub reference: String,
    /// The gateway's own id, if known.
    pub id: Option<String>,
    pub to: Phone,
    pub submitted_at: Timestamp,
}

/// A gateway's response to a submit. Every outcome except [`SubmitOutcome::Accepted`] and
/// [`SubmitOutcome::InDoubt`] means that the gateway certainly did not accept the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubmitOutcome {
    Accepted {
        id: Option<String>,
    },
    /// This number can never be reached: the case is closed.
    RefusedNumber {
        code: String,
    },
    /// The gateway knows that this person has opted out: the number is suppressed, as after a
    /// reply.
    OptedOut {
        code: String,
    },
    /// It does not take this message, whatever the number: this step is given up for this person,
    /// and the plan goes on.
    RefusedMessage {
        code: String,
    },
    /// This number cannot be reached now (a frequency limit): retried later.
    DeferredNumber {
        code: String,
    },
    /// The gateway refused the whole request without naming a message: each is retried alone.
    BatchRefused,
    /// Too many requests: all messages wait.
    Throttled {
        code: String,
        retry_after: Option<Duration>,
    },
    /// A temporary failure: retried later.
    TemporaryFailure {
        code: String,
    },
    /// The account does not work: the gateway is paused, and a person must check it.
    AccountFailure {
        code: String,
    },
    /// It is unknown whether the message was accepted. A query, a receipt or a person settles it;
    /// it is never sent again (invariant I1).
    InDoubt {
        code: String,
    },
}

/// The result of one request: an outcome for each message in order, and the entry for the gateway
/// log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchResult {
    pub outcomes: Vec<SubmitOutcome>,
    pub log_entry: GatewayExchange,
}

impl BatchResult {
    /// Creates a result with the same outcome for every message of the request.
    pub fn all(outcome: SubmitOutcome, messages: usize, log_entry: GatewayExchange) -> BatchResult {
        BatchResult { outcomes: vec![outcome; messages], log_entry }
    }

    /// The gateway's file has no approved template that these messages can be sent with: that is
    /// their failure alone, and the gateway goes on with others.
    fn without_template(batch: &[OutgoingMessage]) -> BatchResult {
        let log_entry = GatewayExchange::new("no template for this message".into(), "", batch);
        let outcome = SubmitOutcome::RefusedMessage { code: NO_TEMPLATE.into() };
        BatchResult::all(outcome, batch.len(), log_entry)
    }
}

/// A gateway's information about a message in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryResult {
    Accepted {
        id: Option<String>,
    },
    Delivered {
        id: Option<String>,
    },
    Undelivered {
        id: Option<String>,
    },
    /// The gateway has never received it.
    Unknown,
    /// The gateway does not support queries, or did not respond: query again later.
    NoAnswer,
}

/// The capabilities of a kind of gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Maximum number of messages in one request.
    pub batch: usize,
    /// Whether it supports queries about messages.
    pub query: bool,
    /// So long after a submit, its «never received» is final. `None`: it may yet turn up.
    pub unknown_is_final_after: Option<Duration>,
    /// Whether each part of a long message is a submit of its own, with a slot, an answer and a
    /// receipt of its own.
    pub submits_parts: bool,
}

#[async_trait]
pub trait Gateway: Send + Sync {
    fn name(&self) -> &str;

    fn capabilities(&self) -> Capabilities;

    /// Returns whether these two messages can be sent in one request.
    fn can_share_request(&self, _first: &OutgoingMessage, _next: &OutgoingMessage) -> bool {
        false
    }

    /// Checks that it can send a step of this name. The error names the key of its file and the
    /// remedy.
    fn check_step(&self, _step: &str) -> Result<(), String> {
        Ok(())
    }

    /// Returns in how many parts it sends a message.
    fn parts(&self, message: &OutgoingMessage) -> u32 {
        message.parts
    }

    /// Returns the values of a step's message that are longer than it takes.
    fn too_long(&self, _step: &str, _fields: &Fields) -> Vec<TooLong> {
        Vec::new()
    }

    /// Submits one request of at most [`Capabilities::batch`] messages that can share it.
    async fn submit(&self, batch: &[OutgoingMessage]) -> BatchResult;

    /// Queries the state of a message.
    async fn query(&self, message: &QueriedMessage) -> QueryResult;

    /// Waits for the next delivery on the gateway's own connection; gateways that push to our
    /// webhooks have none.
    async fn receive(&self) -> InboundBatch {
        std::future::pending().await
    }

    /// Closes the connection to the gateway; nothing is submitted afterwards.
    async fn close(&self) {}

    fn parse_receipts(&self, push: Push<'_>) -> Result<Entries<Receipt>, PushError>;

    fn parse_replies(&self, push: Push<'_>) -> Result<Entries<Reply>, PushError>;

    /// Returns how its receipts spell ids, if that is to be found out.
    fn receipt_ids(&self) -> Option<&ReceiptIds> {
        None
    }

    /// Returns the response to a push that is stored on disk: content type and body. After any
    /// other response the gateway pushes again.
    fn push_response(&self) -> (&str, &str) {
        ("text/plain", "ok\n")
    }
}

/// The gateways of an installation, by name.
pub type Gateways = BTreeMap<String, Arc<dyn Gateway>>;

/// An invalid gateway file.
#[derive(Debug, thiserror::Error)]
#[error("gateway {name}: {problem}")]
pub struct GatewayError {
    pub name: String,
    pub problem: String,
}

impl From<&GatewayError> for &'static str {
    fn from(_: &GatewayError) -> &'static str {
        "gateway.definition"
    }
}

/// The first line of every gateway's file; each kind parses the rest.
#[derive(Deserialize)]
struct FileHeader {
    kind: String,
}

/// Opens every configured gateway; `webhook_base_url` is the base of the addresses for its pushes.
pub fn open_all(
    configured: &BTreeMap<String, GatewayConfig>,
    clock: &Arc<dyn Clock>,
    webhook_base_url: impl Fn(&str) -> String,
) -> Result<Gateways, GatewayError> {
    configured
        .iter()
        .map(|(name, config)| match open(config, clock, &webhook_base_url(name)) {
            Ok(gateway) => Ok((name.clone(), gateway)),
            Err(problem) => Err(GatewayError { name: name.clone(), problem }),
        })
        .collect()
}

/// Opens a gateway of the kind that its file names. The error names the key and the remedy.
pub fn open(
    config: &GatewayConfig,
    clock: &Arc<dyn Clock>,
    webhook_base_url: &str,
) -> Result<Arc<dyn Gateway>, String> {
    let kind: FileHeader =
        toml::from_str(&config.definition).map_err(|e| e.to_string().trim().replace('\n', " "))?;
    Ok(match kind.kind.as_str() {
        "template" => Arc::new(template::TemplateGateway::open(config, clock, webhook_base_url)?),
        "alibaba" => Arc::new(alibaba::Alibaba::open(config, clock.clone())?),
        "tencent" => Arc::new(tencent::Tencent::open(config, clock.clone())?),
        "twilio" => Arc::new(twilio::Twilio::open(config, webhook_base_url)?),
        "smpp" => Arc::new(smpp::Smpp::open(config, clock.clone())?),
        "cmpp" => Arc::new(cmpp::Cmpp::open(config, clock.clone())?),
        other => {
            return Err(format!(
                "kind «{other}» is unknown; use template, alibaba, tencent, twilio, smpp or cmpp"
            ));
        }
    })
}

/// Returns whether a gateway has no secret and its kind, or its file, uses one.
pub fn lacks_secret(config: &GatewayConfig) -> bool {
    let is_template =
        toml::from_str(&config.definition).is_ok_and(|file: FileHeader| file.kind == "template");
    let mut written = config.definition.lines().filter(|line| !line.trim_start().starts_with('#'));
    let is_used = written.any(|line| line.contains("{secret}"));
    config.secret.reveal().is_empty() && (!is_template || is_used)
}

#[cfg(test)]
mod tests {
    //! What the tables of all gateways share: short ways to write an outcome, and receipts and
    //! replies as one line of text.

    use super::*;

    pub fn accepted(id: &str) -> SubmitOutcome {
        SubmitOutcome::Accepted { id: Some(id.into()) }
    }

    pub fn refused(code: &str) -> SubmitOutcome {
        SubmitOutcome::RefusedNumber { code: code.into() }
    }

    pub fn refused_message(code: &str) -> SubmitOutcome {
        SubmitOutcome::RefusedMessage { code: code.into() }
    }

    pub fn deferred(code: &str) -> SubmitOutcome {
        SubmitOutcome::DeferredNumber { code: code.into() }
    }

    pub fn throttled(code: &str) -> SubmitOutcome {
        SubmitOutcome::Throttled { code: code.into(), retry_after: None }
    }

    pub fn temporary(code: &str) -> SubmitOutcome {
        SubmitOutcome::TemporaryFailure { code: code.into() }
    }

    pub fn account(code: &str) -> SubmitOutcome {
        SubmitOutcome::AccountFailure { code: code.into() }
    }

    pub fn in_doubt(code: &str) -> SubmitOutcome {
        SubmitOutcome::InDoubt { code: code.into() }
    }

    /// Status, body, outcome and its code.
    type ProxyAnswer = (u16, &'static str, fn(&str) -> SubmitOutcome, &'static str);

    /// Answers of a proxy between us and the gateway, and their outcome for every HTTP gateway.
    pub const PROXY_ANSWERS: [ProxyAnswer; 9] = [
        (401, "", account, "http_401"),
        (403, "<html><h1>Forbidden</h1></html>", account, "http_403"),
        (404, "<html><h1>Not Found</h1></html>", temporary, "http_404"),
        (407, "<html>proxy</html>", account, "http_407"),
        (429, "<html>busy</html>", throttled, "http_429"),
        (500, "", in_doubt, "http_500"),
        (502, "<html><h1>Bad Gateway</h1></html>", in_doubt, "http_502"),
        (503, "<html>maintenance</html>", temporary, "http_503"),
        (504, "<html>timeout</html>", in_doubt, "http_504"),
    ];

    /// Returns each entry as a line, those that cannot be read last.
    fn lines<T>(entries: Entries<T>, line: impl Fn(T) -> String) -> Vec<String> {
        let unreadable = entries.unreadable.iter().map(|entry| format!("{:?}", entry.error));
        entries.read.into_iter().map(line).chain(unreadable).collect()
    }

    /// Returns each receipt as a line, or the error.
    pub fn describe_receipts(read: Result<Entries<Receipt>, PushError>) -> Vec<String> {
        let line = |receipt: Receipt| {
            let named = |name: &str, value: Option<String>| value.map(|v| format!("{name}={v}"));
            let state = match (receipt.delivered, receipt.dead_number) {
                (true, false) => "delivered",
                (false, false) => "undelivered",
                (false, true) => "dead number",
                (true, true) => "delivered to a dead number",
            };
            [
                named("reference", receipt.reference),
                named("id", receipt.id),
                named("to", receipt.to.map(|to| to.reveal().to_owned())),
                Some(state.to_owned()),
                named("code", receipt.code),
            ]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ")
        };
        match read {
            Ok(entries) => lines(entries, line),
            Err(error) => vec![format!("{error:?}")],
        }
    }

    /// Returns each reply as a line, or the error.
    pub fn describe_replies(read: Result<Entries<Reply>, PushError>) -> Vec<String> {
        let line = |reply: Reply| {
            let id = reply.id.map(|id| format!(" id=«{}»", id.reveal())).unwrap_or_default();
            let at = reply.at.map(|at| format!(" at={}", at.0)).unwrap_or_default();
            format!("{}: «{}»{id}{at}", reply.from.reveal(), reply.text.reveal())
        };
        match read {
            Ok(entries) => lines(entries, line),
            Err(error) => vec![format!("{error:?}")],
        }
    }
}
