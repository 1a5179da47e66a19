//! Gateways: how a message leaves the house, and how receipts and replies come in.
//!
//! In goes a batch of messages that may be sent now (the dispatcher has checked that), out comes
//! one [`SubmitOutcome`] for each; in goes what a gateway pushed, out come [`Receipt`]s and
//! [`Reply`]s. A gateway never decides whether somebody may be contacted, never sends anything
//! twice on its own, and never touches the database. One file or folder for each kind of gateway;
//! [`simulator`] is a real HTTP server that the daemon cannot tell from a carrier.

pub mod alibaba;
mod approved_templates;
mod gateway_log;
mod http;
pub mod smpp;
pub mod template;
pub mod tencent;
pub mod twilio;

pub use template::Dialer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use tokio::sync::oneshot;

use crate::adapters::clock::Clock;
use crate::adapters::config::GatewayConfig;
use crate::domain::personal::Personal;
use crate::domain::phone::Phone;
use crate::domain::sms_text::Placeholder;
use crate::domain::time::Timestamp;
pub use gateway_log::GatewayExchange;

/// A message on its way out.
#[derive(Debug, Clone)]
pub struct OutgoingMessage {
    /// Ours: unique for ever, repeated by the gateway in its receipts.
    pub reference: String,
    pub to: Phone,
    pub text: Personal,
    pub parts: u32,
    /// The plan's step, by which gateways with approved templates choose theirs.
    pub step: String,
    /// What stands in the text's placeholders, for templates that are filled in by the gateway.
    pub fields: BTreeMap<Placeholder, Personal>,
    /// It goes in a request of its own: in company it has been refused.
    pub must_be_alone: bool,
}

/// The step name of the answer to an opt-out; gateways with approved templates need one of this
/// name.
pub const CONFIRMATION: &str = "confirmation";

/// The name under which the questions of an interview by SMS go out.
pub const QUESTION: &str = "question";

/// The code of a message that was refused in company.
pub const BATCH_REFUSED: &str = "refused_together";

/// A message in doubt that a gateway is asked about.
#[derive(Debug, Clone)]
pub struct QueriedMessage {
    pub reference: String,
    /// The gateway's own id, where it is known.
    pub id: Option<String>,
    pub to: Phone,
    pub submitted_at: Timestamp,
}

/// What a gateway said to a submit. Everything but [`SubmitOutcome::Accepted`] and
/// [`SubmitOutcome::InDoubt`] means: it certainly did not take the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubmitOutcome {
    Accepted {
        id: Option<String>,
    },
    /// This number can never be reached: the case is closed.
    RefusedNumber {
        code: String,
    },
    /// The gateway knows that this person has opted out: the number is suppressed as after a reply.
    OptedOut {
        code: String,
    },
    /// This number cannot be reached now (a frequency limit): later.
    DeferredNumber {
        code: String,
    },
    /// The gateway refused the whole request and did not say for which of its messages: each is
    /// tried alone.
    BatchRefused,
    /// Too fast: everybody waits.
    Throttled {
        code: String,
        retry_after: Option<Duration>,
    },
    /// A passing failure: later.
    TemporaryFailure {
        code: String,
    },
    /// The account does not work: the gateway pauses, and somebody must look.
    AccountFailure {
        code: String,
    },
    /// Taken or not, nobody knows: settled by a query, a receipt or a person, never by sending
    /// again (invariant I1).
    InDoubt {
        code: String,
    },
}

/// What came of one request: an outcome for each message in their order, and the conversation for
/// the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchResult {
    pub outcomes: Vec<SubmitOutcome>,
    pub exchange: GatewayExchange,
}

impl BatchResult {
    /// The same outcome for every message of the request.
    pub fn all(outcome: SubmitOutcome, messages: usize, exchange: GatewayExchange) -> BatchResult {
        BatchResult { outcomes: vec![outcome; messages], exchange }
    }
}

/// What a gateway knows of a message that is in doubt.
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
    /// The gateway has never seen it.
    Unknown,
    /// The gateway cannot be asked, or did not answer: ask again later.
    NoAnswer,
}

/// A delivery report, named by our reference, the gateway's id, or both.
#[derive(Debug, Clone)]
pub struct Receipt {
    pub reference: Option<String>,
    pub id: Option<String>,
    /// The number it went to, where the id is that of a request with several.
    pub to: Option<Personal>,
    pub delivered: bool,
    /// The report says that the number is not in service.
    pub dead_number: bool,
    pub code: Option<String>,
}

/// A message that somebody sent us.
#[derive(Debug, Clone)]
pub struct Reply {
    pub from: Personal,
    pub text: Personal,
    /// What a second push of the same reply has in common with the first.
    pub id: Option<Personal>,
    /// When it was sent, where the gateway says so.
    pub at: Option<Timestamp>,
}

/// What a gateway pushed to our webhook.
#[derive(Debug, Clone, Copy)]
pub struct Push<'a> {
    /// Our address as the gateway knows it, without the query.
    pub url: &'a str,
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

/// A push that cannot be read. The text tells the operator which key of the gateway's file to look
/// at; it repeats nothing of the push.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    #[error("the push is not {0}; check «form» in the gateway's file")]
    Form(&'static str),
    #[error("the push has no {0}; check its place in the gateway's file")]
    Missing(&'static str),
    #[error("the gateway's file has no [{0}] section")]
    NotConfigured(&'static str),
    #[error("the push is not signed with the account's secret")]
    Forged,
}

/// Receipts and replies that a gateway handed over on its own connection. It waits for the answer.
#[derive(Debug)]
pub struct InboundBatch {
    pub receipts: Vec<Receipt>,
    pub replies: Vec<Reply>,
    stored: oneshot::Sender<bool>,
}

impl InboundBatch {
    /// A delivery, and where its answer comes out.
    pub fn new(
        receipts: Vec<Receipt>,
        replies: Vec<Reply>,
    ) -> (InboundBatch, oneshot::Receiver<bool>) {
        let (stored, answer) = oneshot::channel();
        (InboundBatch { receipts, replies, stored }, answer)
    }

    /// On disk, or not: then the gateway tries again.
    pub fn acknowledge(self, is_stored: bool) {
        // Whoever does not wait any more will hand it over once again.
        let _ = self.stored.send(is_stored);
    }
}

/// What a kind of gateway can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Messages in one request.
    pub batch: usize,
    /// Can it be asked what became of a message?
    pub query: bool,
}

#[async_trait]
pub trait Gateway: Send + Sync {
    fn name(&self) -> &str;

    fn capabilities(&self) -> Capabilities;

    /// May these two stand in one request?
    fn can_share_request(&self, _first: &OutgoingMessage, _next: &OutgoingMessage) -> bool {
        false
    }

    /// Can it send a step of this name? The error names the key of its file and the remedy.
    fn check_step(&self, _step: &str) -> Result<(), String> {
        Ok(())
    }

    /// Submits one request of at most [`Capabilities::batch`] messages that go with each other.
    async fn submit(&self, batch: &[OutgoingMessage]) -> BatchResult;

    /// Asks what became of a message.
    async fn query(&self, message: &QueriedMessage) -> QueryResult;

    /// The next delivery on the gateway's own connection; gateways that push to our webhooks have
    /// none.
    async fn receive(&self) -> InboundBatch {
        std::future::pending().await
    }

    /// Takes leave of the gateway; nothing is submitted afterwards.
    async fn close(&self) {}

    fn parse_receipts(&self, push: Push<'_>) -> Result<Vec<Receipt>, PushError>;

    fn parse_replies(&self, push: Push<'_>) -> Result<Vec<Reply>, PushError>;

    /// What a push wants to hear when it is on disk: content type and body. Anything else, and it
    /// is pushed again.
    fn push_response(&self) -> (&'static str, &'static str) {
        ("text/plain", "ok\n")
    }
}

/// The gateways of an installation, by name.
pub type Gateways = BTreeMap<String, Arc<dyn Gateway>>;

/// A gateway's file that does not hold together.
#[derive(Debug, thiserror::Error)]
#[error("gateway {name}: {problem}")]
pub struct GatewayError {
    pub name: String,
    pub problem: String,
}

/// The first line of every gateway's file; each kind reads the rest.
#[derive(Deserialize)]
struct FileHeader {
    kind: String,
}

/// Opens every configured gateway; `webhook_base_url` makes the address that its pushes come to.
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

/// Opens one gateway by the kind that its file names; the error names the key and the remedy.
pub fn open(
    config: &GatewayConfig,
    clock: &Arc<dyn Clock>,
    webhook_base_url: &str,
) -> Result<Arc<dyn Gateway>, String> {
    let kind: FileHeader =
        toml::from_str(&config.definition).map_err(|e| e.to_string().trim().replace('\n', " "))?;
    Ok(match kind.kind.as_str() {
        "template" => Arc::new(template::TemplateGateway::open(config, webhook_base_url)?),
        "alibaba" => Arc::new(alibaba::Alibaba::open(config, clock.clone())?),
        "tencent" => Arc::new(tencent::Tencent::open(config, clock.clone())?),
        "twilio" => Arc::new(twilio::Twilio::open(config, webhook_base_url)?),
        "smpp" => Arc::new(smpp::Smpp::open(config, clock.clone())?),
        other => {
            return Err(format!(
                "kind «{other}» is unknown; use template, alibaba, tencent, twilio or smpp"
            ));
        }
    })
}
