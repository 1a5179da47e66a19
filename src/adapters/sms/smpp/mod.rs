//! SMPP 3.4: a carrier's SMSC, over connections that we open: transceivers, or pairs of transmitter
//! and receiver. The PDUs are those of the `rusmpp` crate; `tests/raw_smsc.rs` checks their octets
//! independently.
//!
//! In the configuration, `in_flight` is the window. Long messages are sent in parts with a user
//! data header, each its own submit with its own receipt. A submit without a response when the
//! connection drops is in doubt: SMPP 3.4's query_sm needs the id from the lost response, so a
//! receipt or a person settles it.
//!
//! [`session`] maintains the connections, as [`binds`] decides and [`account`] opens them; [`link`]
//! exchanges PDUs over one, [`incoming`] forwards the SMSC's deliveries, [`delivery`] parses them.

mod account;
mod binds;
pub mod delivery;
mod incoming;
mod link;
mod session;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rusmpp::pdus::SubmitSm;
use rusmpp::types::{COctetString, OctetString};
use rusmpp::values::{DataCoding, EsmClass, Npi, RegisteredDelivery, Ton};
use rusmpp::{Command, CommandStatus, Pdu};
use serde::Deserialize;

use super::user_data::header_of_part;
use super::{
    BatchResult, Capabilities, Entries, Gateway, GatewayExchange, InboundBatch, OutgoingMessage,
    Push, PushError, QueriedMessage, QueryResult, Receipt, ReceiptIds, Reply, SubmitOutcome,
};
use crate::adapters::clock::Clock;
use crate::adapters::config::GatewayConfig;
use crate::domain::sms_text::{Encoding, encode_gsm7, split_parts};
use crate::domain::time::parse_duration;
use binds::BindError;
use link::NoAnswer;
use session::{BindSettings, SmppSession};

/// The gateway's file. In the configuration, `user` is the system id and the secret is the
/// password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(rename = "kind")]
    _kind: String,
    /// `smpp.carrier.example:2775`
    pub address: String,
    /// Whether the connection is encrypted (TLS).
    #[serde(default)]
    pub tls: bool,
    #[serde(default)]
    pub system_type: String,
    /// These three are read by [`BindSettings`].
    bind: Option<toml::Value>,
    binds: Option<toml::Value>,
    interface_version: Option<toml::Value>,
    /// The sender displayed to respondents, with its type and numbering plan.
    #[serde(default)]
    source: String,
    #[serde(default)]
    source_ton: u8,
    #[serde(default)]
    source_npi: u8,
    #[serde(default = "one")]
    destination_ton: u8,
    #[serde(default = "one")]
    destination_npi: u8,
    /// Whether numbers start with a plus sign, which few SMSCs expect.
    #[serde(default)]
    plus: bool,
    #[serde(default = "half_a_minute")]
    enquire_link_every: String,
    #[serde(default = "twenty_seconds")]
    response_timeout: String,
    #[serde(default)]
    pub receipt_id: ReceiptId,
    /// The `err:` codes of receipts that say that a number does not work.
    #[serde(default)]
    dead_number: Vec<String>,
}

impl File {
    pub fn is_dead_number(&self, receipt: &Receipt) -> bool {
        let code = receipt.code.as_deref().and_then(|code| code.split_once(':'));
        code.is_some_and(|(_, code)| {
            !receipt.delivered && self.dead_number.iter().any(|d| d == code)
        })
    }
}

/// How a receipt identifies its message.
#[derive(Deserialize, Debug, Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptId {
    /// By that id in any spelling, which is found out.
    #[default]
    Auto,
    /// By the id of the submit's response, as it is.
    Same,
    /// By the same number in decimal, while the response had it in hexadecimal (SMPP 3.4 leaves
    /// that open).
    DecimalOfHex,
}

fn one() -> u8 {
    1
}

fn half_a_minute() -> String {
    "30s".into()
}

fn twenty_seconds() -> String {
    "20s".into()
}

pub struct Smpp {
    name: String,
    file: Arc<File>,
    session: SmppSession,
    receipt_ids: ReceiptIds,
    /// The reference of the last long message that went out as a whole; it wraps around after 256.
    long: AtomicU8,
}

impl Smpp {
    /// Reads the gateway's file without connecting. The error names the key and the remedy.
    pub fn open(config: &GatewayConfig, clock: Arc<dyn Clock>) -> Result<Smpp, String> {
        let file: File = toml::from_str(&config.definition)
            .map_err(|e| e.to_string().trim().replace('\n', " "))?;
        let duration = |key: &str, raw: &str| {
            parse_duration(raw)
                .ok_or_else(|| format!("{key}: «{raw}» is no duration; write it like 30s"))
        };
        let every = duration("enquire_link_every", &file.enquire_link_every)?;
        let timeout = duration("response_timeout", &file.response_timeout)?;
        let fits = |text: &str| text.len() <= LONGEST_NAME && !text.contains('\0');
        if config.user.is_empty() || !fits(&config.user) {
            return Err(format!(
                "user: set it to the system id, at most {LONGEST_NAME} characters"
            ));
        }
        if !fits(config.secret.reveal()) {
            return Err(format!("secret: set a password of at most {LONGEST_NAME} characters"));
        }
        if !fits(&file.system_type) {
            return Err(format!("system_type: write at most {LONGEST_NAME} characters"));
        }
        if file
            .address
            .rsplit_once(':')
            .is_none_or(|(host, port)| host.is_empty() || port.parse::<u16>().is_err())
        {
            return Err(format!(
                "address: «{}» is no address; write it like smpp.carrier.example:2775",
                file.address
            ));
        }
        let binds = BindSettings::read(&file)?;
        let file = Arc::new(file);
        let session = SmppSession::new(config, file.clone(), every, timeout, &binds, clock);
        let (name, receipt_ids) = (config.name.clone(), ReceiptIds::default());
        Ok(Smpp { name, file, session, receipt_ids, long: AtomicU8::new(0) })
    }

    /// Builds the PDUs of a message: that of the part which is wanted, else all.
    fn pdus(&self, message: &OutgoingMessage) -> Result<Vec<SubmitSm>, SubmitOutcome> {
        let malformed = || SubmitOutcome::AccountFailure { code: "request_malformed".into() };
        let number = if self.file.plus {
            message.to.e164()
        } else {
            message.to.e164().trim_start_matches('+')
        };
        let (encoding, parts) = split_parts(message.text.reveal());
        let reference = match message.part {
            Some(part) => part.reference,
            None => self.long.fetch_add(1, Ordering::Relaxed),
        };
        let is_wanted = |number| message.part.is_none_or(|part| part.number == number);
        let total = u8::try_from(parts.len()).map_err(|_| malformed())?;
        let mut pdus = Vec::with_capacity(parts.len());
        for (number_of_part, text) in (1..).zip(&parts).filter(|(number, _)| is_wanted(*number)) {
            let (coding, body) = match encoding {
                Encoding::Gsm7 => (DataCoding::McSpecific, encode_gsm7(text)),
                Encoding::Ucs2 => {
                    (DataCoding::Ucs2, text.encode_utf16().flat_map(u16::to_be_bytes).collect())
                }
            };
            let header = header_of_part(reference, number_of_part, total);
            let header: &[u8] = if total > 1 { &header } else { &[] };
            // SMPP 3.4, 5.2.12: the SMSC's default mode, with a user data header or not. (The
            // library's own default is an acknowledgement, 0x08.)
            let class = EsmClass::from(if total > 1 { 0x40 } else { 0x00 });
            let text = |value: &str| value.parse::<COctetString<1, 21>>().map_err(|_| malformed());
            pdus.push(
                SubmitSm::builder()
                    .source_addr_ton(Ton::from(self.file.source_ton))
                    .source_addr_npi(Npi::from(self.file.source_npi))
                    .source_addr(text(&self.file.source)?)
                    .dest_addr_ton(Ton::from(self.file.destination_ton))
                    .dest_addr_npi(Npi::from(self.file.destination_npi))
                    .destination_addr(text(number)?)
                    .esm_class(class)
                    .registered_delivery(RegisteredDelivery::from(1))
                    .data_coding(coding)
                    .short_message(
                        OctetString::from_vec([header, &body].concat()).map_err(|_| malformed())?,
                    )
                    .build(),
            );
        }
        Ok(pdus)
    }

    async fn submit_one(&self, message: &OutgoingMessage) -> (SubmitOutcome, String) {
        let pdus = match self.pdus(message) {
            Ok(pdus) => pdus,
            Err(outcome) => return (outcome, "not sent".into()),
        };
        let link = match self.session.link().await {
            Ok(link) => link,
            Err(BindError::Refused(code)) => {
                return (
                    SubmitOutcome::AccountFailure { code: code.clone() },
                    format!("bind refused: {code}"),
                );
            }
            Err(BindError::NoConnection) => {
                return (
                    SubmitOutcome::TemporaryFailure { code: "no_connection".into() },
                    "no connection".into(),
                );
            }
        };
        let mut id = None;
        for (part, pdu) in pdus.into_iter().enumerate() {
            let answer = link.request(pdu).await;
            let log_text = describe_answer(&answer);
            if answer.as_ref().is_ok_and(|a| a.status() == CommandStatus::EsmeRinvbndsts) {
                self.session.leave(&link).await;
            }
            match classify(answer) {
                Ok(given) => id = given,
                // A part of a long message has already been sent: whatever the response to the
                // rest, it must not be sent again.
                Err(_) if part > 0 => {
                    return (
                        SubmitOutcome::InDoubt { code: "part_refused".into() },
                        format!("part {}: {log_text}", part + 1),
                    );
                }
                Err(outcome) => return (outcome, log_text),
            }
        }
        let log_text =
            format!("submit_sm_resp ESME_ROK, message_id {}", id.as_deref().unwrap_or_default());
        (SubmitOutcome::Accepted { id }, log_text)
    }
}

/// Returns the id assigned to a submit, or the outcome of its failure. SMPP 3.4, 5.1.3: an error
/// status says that the message was not accepted.
fn classify(answer: Result<Command, NoAnswer>) -> Result<Option<String>, SubmitOutcome> {
    let response = answer.map_err(|error| match error {
        NoAnswer::NotSent => SubmitOutcome::TemporaryFailure { code: "no_connection".into() },
        // It may have been written before the connection was closed.
        NoAnswer::Lost => SubmitOutcome::InDoubt { code: "connection_lost".into() },
        NoAnswer::TimedOut => SubmitOutcome::InDoubt { code: "timeout".into() },
    })?;
    let code = format!("{:?}", response.status());
    Err(match (response.status(), response.pdu()) {
        (CommandStatus::EsmeRok, Some(Pdu::SubmitSmResp(taken))) => {
            return Ok(Some(taken.message_id().as_str().to_owned()).filter(|id| !id.is_empty()));
        }
        (CommandStatus::EsmeRok, _) => SubmitOutcome::InDoubt { code: "answer_unreadable".into() },
        (CommandStatus::EsmeRinvdstadr, _) => SubmitOutcome::RefusedNumber { code },
        (CommandStatus::EsmeRinvmsglen, _) => SubmitOutcome::RefusedMessage { code },
        (CommandStatus::EsmeRthrottled | CommandStatus::EsmeRmsgqful, _) => {
            SubmitOutcome::Throttled { code, retry_after: None }
        }
        (
            CommandStatus::EsmeRinvsrcadr
            | CommandStatus::EsmeRinvsysid
            | CommandStatus::EsmeRinvpaswd
            | CommandStatus::EsmeRbindfail,
            _,
        ) => SubmitOutcome::AccountFailure { code },
        _ => SubmitOutcome::TemporaryFailure { code },
    })
}

fn describe_answer(answer: &Result<Command, NoAnswer>) -> String {
    match answer {
        Ok(response) => format!("submit_sm_resp {:?}", response.status()),
        Err(NoAnswer::TimedOut) => "no answer in time".into(),
        Err(NoAnswer::NotSent | NoAnswer::Lost) => "the connection was lost".into(),
    }
}

#[async_trait]
impl Gateway for Smpp {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { batch: 1, query: false, unknown_is_final_after: None, submits_parts: true }
    }

    async fn submit(&self, batch: &[OutgoingMessage]) -> BatchResult {
        let Some(message) = batch.first() else {
            return BatchResult::all(SubmitOutcome::BatchRefused, 0, GatewayExchange::default());
        };
        let (outcome, answer) = self.submit_one(message).await;
        let request_log =
            format!("submit_sm of {} part(s), reference {}", message.parts, message.reference);
        BatchResult::all(
            outcome,
            batch.len(),
            GatewayExchange { request: request_log, response: answer },
        )
    }

    async fn query(&self, _message: &QueriedMessage) -> QueryResult {
        QueryResult::NoAnswer
    }

    async fn receive(&self) -> InboundBatch {
        self.session.receive().await
    }

    async fn close(&self) {
        self.session.close().await;
    }

    fn receipt_ids(&self) -> Option<&ReceiptIds> {
        (self.file.receipt_id == ReceiptId::Auto).then_some(&self.receipt_ids)
    }

    fn parse_receipts(&self, _push: Push<'_>) -> Result<Entries<Receipt>, PushError> {
        Err(PushError::NotConfigured("receipt"))
    }

    fn parse_replies(&self, _push: Push<'_>) -> Result<Entries<Reply>, PushError> {
        Err(PushError::NotConfigured("reply"))
    }
}

/// SMPP 3.4, 4.1.5: 15 characters of a system id and 8 of a password. Some carriers give out longer
/// ones, and their SMSCs read them.
const LONGEST_NAME: usize = 64;

/// Timeout of connecting and binding.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::super::tests::{account, in_doubt, refused, refused_message, temporary, throttled};
    use super::*;
    use rusmpp::pdus::SubmitSmResp;

    fn response(status: CommandStatus, pdu: impl Into<Pdu>) -> Result<Command, NoAnswer> {
        Ok(Command::builder().status(status).sequence_number(1).pdu(pdu))
    }

    fn taken(id: &str) -> SubmitSmResp {
        SubmitSmResp::builder().message_id(id.parse().unwrap()).build()
    }

    #[test]
    fn answers_to_a_submit() {
        use CommandStatus as Status;
        for (answer, expected) in [
            (response(Status::EsmeRok, taken("10ab")), Ok(Some("10ab".to_owned()))),
            (response(Status::EsmeRok, taken("")), Ok(None)),
            // An answer to something else.
            (response(Status::EsmeRok, Pdu::EnquireLinkResp), Err(in_doubt("answer_unreadable"))),
            (response(Status::EsmeRinvdstadr, taken("")), Err(refused("EsmeRinvdstadr"))),
            (response(Status::EsmeRthrottled, taken("")), Err(throttled("EsmeRthrottled"))),
            (response(Status::EsmeRmsgqful, taken("")), Err(throttled("EsmeRmsgqful"))),
            (response(Status::EsmeRinvsrcadr, taken("")), Err(account("EsmeRinvsrcadr"))),
            (response(Status::EsmeRinvbndsts, taken("")), Err(temporary("EsmeRinvbndsts"))),
            (response(Status::EsmeRinvsysid, taken("")), Err(account("EsmeRinvsysid"))),
            (response(Status::EsmeRinvpaswd, taken("")), Err(account("EsmeRinvpaswd"))),
            (response(Status::EsmeRbindfail, taken("")), Err(account("EsmeRbindfail"))),
            (response(Status::EsmeRsyserr, taken("")), Err(temporary("EsmeRsyserr"))),
            (response(Status::EsmeRsubmitfail, taken("")), Err(temporary("EsmeRsubmitfail"))),
            (response(Status::EsmeRinvmsglen, taken("")), Err(refused_message("EsmeRinvmsglen"))),
            // An id beside an error is no id.
            (response(Status::EsmeRsyserr, taken("10ab")), Err(temporary("EsmeRsyserr"))),
            (response(Status::Other(0x400), taken("")), Err(temporary("Other(1024)"))),
            (Err(NoAnswer::NotSent), Err(temporary("no_connection"))),
            (Err(NoAnswer::Lost), Err(in_doubt("connection_lost"))),
            (Err(NoAnswer::TimedOut), Err(in_doubt("timeout"))),
        ] {
            let log_text = describe_answer(&answer);
            assert_eq!(classify(answer), expected, "{log_text}");
        }
    }
}
