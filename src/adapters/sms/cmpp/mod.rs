//! CMPP 2.0 and 3.0 (China Mobile Peer to Peer): a carrier's gateway (ISMG), over one connection
//! that we open. Section numbers in this folder refer to the document of 2.0. The codec is our own,
//! and `tests/cmpp.rs` checks its octets independently.
//!
//! In the configuration, `in_flight` is the window. Each part of a long message is its own submit,
//! with its own id and report. A submit without an answer is in doubt: the protocol's query only
//! counts messages, so a report or a person settles it.
//!
//! [`session`] maintains the connection, [`link`] exchanges messages over it, [`pdu`] reads and
//! writes them, [`delivery`] parses the gateway's deliveries.

mod answer;
pub mod bodies;
pub mod delivery;
pub mod fields;
pub mod file;
pub mod handshake;
pub mod link;
mod parts;
pub mod pdu;
mod session;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use async_trait::async_trait;

use super::{
    BatchResult, Capabilities, Entries, Gateway, GatewayExchange, InboundBatch, OutgoingMessage,
    Push, PushError, QueriedMessage, QueryResult, Receipt, Reply, SubmitOutcome,
};
use crate::adapters::clock::Clock;
use crate::adapters::config::GatewayConfig;
use crate::domain::personal::Personal;
use crate::domain::phone::Phone;
use answer::{classify, describe_answer, outcome_of_batch};
use bodies::Submit;
use file::File;
use link::Link;
use parts::{Part, parts_to_submit};
use pdu::Pdu;
use session::{BindError, CmppSession};

pub struct Cmpp {
    name: String,
    file: Arc<File>,
    session: CmppSession,
    /// The reference of the last long message that is submitted whole; it wraps around after 256.
    long: AtomicU8,
}

impl Cmpp {
    /// Reads the gateway's file without connecting. The error names the key and the remedy.
    pub fn open(config: &GatewayConfig, clock: Arc<dyn Clock>) -> Result<Cmpp, String> {
        let file = Arc::new(File::read(config)?);
        let session = CmppSession::new(config, file.clone(), clock);
        Ok(Cmpp { name: config.name.clone(), file, session, long: AtomicU8::new(0) })
    }

    /// Builds the submit of a part, to all recipients of a batch.
    fn submit_of(&self, part: &Part, batch: &[OutgoingMessage]) -> Pdu {
        let file = &self.file;
        Pdu::Submit(Box::new(Submit {
            pk_total: part.total,
            pk_number: part.number,
            registered_delivery: file.registered_delivery,
            msg_level: file.msg_level,
            service_id: file.service_id.clone(),
            fee_user_type: file.fee_user_type,
            fee_terminal_id: file.fee_terminal_id.clone(),
            tp_udhi: u8::from(part.has_header),
            msg_fmt: part.msg_fmt,
            msg_src: file.msg_src.clone(),
            fee_type: file.fee_type.clone(),
            fee_code: file.fee_code.clone(),
            src_id: file.source.clone(),
            destinations: batch.iter().map(|message| number_of(&message.to)).collect(),
            content: part.content.clone(),
        }))
    }

    /// Submits messages of one text, or a part of one, and returns the outcome with the entry for
    /// the gateway log.
    async fn submit_text(&self, batch: &[OutgoingMessage]) -> (SubmitOutcome, String) {
        let Some(message) = batch.first() else {
            return (SubmitOutcome::BatchRefused, String::new());
        };
        let reference = self.long.fetch_add(1, Ordering::Relaxed);
        let Some(parts) = parts_to_submit(message.text.reveal(), message.part, reference) else {
            let code = "request_malformed".into();
            return (SubmitOutcome::AccountFailure { code }, "not sent".into());
        };
        match self.session.link().await {
            Ok(link) => self.submit_parts(&link, &parts, batch).await,
            Err(BindError::Refused(code)) => {
                let log_text = format!("connection refused: {code}");
                (SubmitOutcome::AccountFailure { code }, log_text)
            }
            Err(BindError::NoConnection) => (
                SubmitOutcome::TemporaryFailure { code: "no_connection".into() },
                "no connection".into(),
            ),
        }
    }

    /// Submits the parts in order, and returns the last one's id.
    async fn submit_parts(
        &self,
        link: &Link,
        parts: &[Part],
        batch: &[OutgoingMessage],
    ) -> (SubmitOutcome, String) {
        let (mut id, mut log_text) = (None, String::new());
        for (nth, part) in parts.iter().enumerate() {
            let answer = link.request(self.submit_of(part, batch)).await;
            log_text = describe_answer(&answer);
            match classify(&answer) {
                Ok(given) => id = Some(given),
                // A part has already been sent: whatever the answer to the rest, it must not be
                // sent again.
                Err(_) if nth > 0 => {
                    return (
                        SubmitOutcome::InDoubt { code: "part_refused".into() },
                        format!("part {}: {log_text}", part.number),
                    );
                }
                Err(outcome) if batch.len() > 1 => return (outcome_of_batch(outcome), log_text),
                Err(outcome) => return (outcome, log_text),
            }
        }
        (SubmitOutcome::Accepted { id }, log_text)
    }
}

/// A number of the mainland has eleven digits, without its country code; others have all digits.
fn number_of(phone: &Phone) -> Personal {
    let e164 = phone.e164();
    Personal::new(e164.strip_prefix("+86").unwrap_or_else(|| e164.trim_start_matches('+')))
}

#[async_trait]
impl Gateway for Cmpp {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            batch: self.file.batch,
            query: false,
            unknown_is_final_after: None,
            submits_parts: true,
        }
    }

    fn parts(&self, message: &OutgoingMessage) -> u32 {
        parts::count(message.text.reveal())
    }

    /// One submit has one text, and one answer.
    fn can_share_request(&self, first: &OutgoingMessage, next: &OutgoingMessage) -> bool {
        self.file.batch > 1
            && !first.must_be_alone
            && !next.must_be_alone
            && first.text == next.text
            && parts::count(first.text.reveal()) == 1
    }

    async fn submit(&self, batch: &[OutgoingMessage]) -> BatchResult {
        let (outcome, answer) = self.submit_text(batch).await;
        let references: Vec<&str> = batch.iter().map(|m| m.reference.as_str()).collect();
        let part = batch.first().and_then(|message| message.part);
        let part = part.map(|part| format!(" of part {} of {}", part.number, part.total));
        let request_log =
            format!("CMPP_SUBMIT{}, reference {}", part.unwrap_or_default(), references.join(", "));
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

    fn parse_receipts(&self, _push: Push<'_>) -> Result<Entries<Receipt>, PushError> {
        Err(PushError::NotConfigured("receipt"))
    }

    fn parse_replies(&self, _push: Push<'_>) -> Result<Entries<Reply>, PushError> {
        Err(PushError::NotConfigured("reply"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::approved_templates::tests::message;
    use super::file::tests::{config, file};
    use super::*;
    use crate::adapters::clock::SystemClock;

    fn gateway(more: &str) -> Cmpp {
        Cmpp::open(&config("900001", &file(more)), Arc::new(SystemClock)).unwrap()
    }

    #[test]
    fn numbers_of_the_mainland_have_eleven_digits() {
        for (written, expected) in
            [("+8613800138000", "13800138000"), ("+85261234567", "85261234567")]
        {
            let phone = Phone::parse(written, phonenumber::country::CN).unwrap();
            assert_eq!(number_of(&phone).reveal(), expected);
        }
    }

    #[test]
    fn messages_of_one_text_share_a_submit() {
        let of = |text: &str| OutgoingMessage {
            text: Personal::new(text),
            must_be_alone: false,
            ..message("+8613800138000")
        };
        let (one, long) = (of("您好"), of(&"您".repeat(100)));
        let alone = OutgoingMessage { must_be_alone: true, ..one.clone() };
        let many = gateway("batch = 50");
        assert_eq!(many.capabilities().batch, 50);
        assert!(many.can_share_request(&one, &one));
        for (first, next) in [(&one, &of("您坏")), (&one, &alone), (&alone, &one), (&long, &long)]
        {
            assert!(!many.can_share_request(first, next));
        }
        assert!(!gateway("").can_share_request(&one, &one));
        assert_eq!((many.parts(&one), many.parts(&long)), (1, 2));
    }
}
