//! The simulated carrier's other entrance: a CMPP gateway (ISMG), 2.0 and 3.0, with the same people
//! and the same faults as over HTTP. Receipts and replies go to the account that connected last.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::Framed;

use super::Shared;
use super::carrier::{SubmitResponse, fingerprint};
use super::server::SubmitRequest;
use crate::adapters::sms::TextCoding;
use crate::adapters::sms::cmpp::bodies::{Deliver, Report, Submit};
use crate::adapters::sms::cmpp::fields::Content;
use crate::adapters::sms::cmpp::handshake::{Account, timestamp};
use crate::adapters::sms::cmpp::link::{Link, PduCodec};
use crate::adapters::sms::cmpp::pdu::{Answer, CANCEL, Command, ConnectResp, Pdu, QUERY, Version};
use crate::domain::personal::Personal;
use crate::domain::time::Timestamp;

/// Stands where other submits name the address of their pushes.
const PUSH_ADDRESS: &str = "cmpp:";
const ACTIVE_TEST_EVERY: Duration = Duration::from_secs(30);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);

/// 7.4.1.2
const AUTHENTICATION_FAILED: u32 = 3;
/// 7.4.3.2
const FLOW_CONTROL: u32 = 8;
const OTHER_ERROR: u32 = 9;
const WRONG_NUMBER: u32 = 13;

/// The gateway's side of a simulation.
#[derive(Default)]
pub(super) struct CmppGateway(Mutex<State>);

#[derive(Default)]
struct State {
    connected: Option<Connected>,
    /// What was accepted, by reference: the ids to report, with the recipient.
    accepted: BTreeMap<String, Accepted>,
    /// Parts of long messages, by recipient and reference.
    parts: BTreeMap<(String, u8), BTreeMap<u8, Taken>>,
    last_id: u64,
}

#[derive(Clone)]
struct Connected {
    link: Link,
    version: Version,
    /// Src_Id of the last submit, to which people reply.
    source: String,
}

#[derive(Clone)]
struct Accepted {
    ids: Vec<u64>,
    to: Personal,
}

/// A part that was taken.
#[derive(Clone)]
struct Taken {
    octets: Vec<u8>,
    /// Its id, if a report was asked for.
    id: Option<u64>,
}

impl CmppGateway {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl State {
    /// 7.4.3.2: month, day, hour, minute and second, the gateway's number, and a sequence.
    fn next_id(&mut self, now: Timestamp) -> u64 {
        let mut rest = u64::from(timestamp(now));
        let mut two_digits = || {
            let digits = rest % 100;
            rest /= 100;
            digits
        };
        let (second, minute, hour) = (two_digits(), two_digits(), two_digits());
        let (day, month) = (two_digits(), two_digits());
        self.last_id += 1;
        month << 60 | day << 55 | hour << 50 | minute << 44 | second << 38 | self.last_id
    }

    /// Takes a part. Returns the whole text and the ids to report, once all parts are there.
    fn take_part(&mut self, to: &str, submit: &Submit, id: u64) -> Option<(String, Vec<u64>)> {
        let octets = submit.content.octets();
        let (reference, octets) = match octets {
            [5, 0, 3, reference, _, _, text @ ..] if submit.tp_udhi != 0 => (*reference, text),
            text => (0, text),
        };
        let wants_report = submit.registered_delivery == 1;
        let taken = Taken { octets: octets.to_vec(), id: wants_report.then_some(id) };
        let key = (to.to_owned(), reference);
        let parts = self.parts.entry(key.clone()).or_default();
        parts.insert(submit.pk_number, taken);
        if parts.len() < usize::from(submit.pk_total) {
            return None;
        }
        let parts = self.parts.remove(&key)?;
        let octets: Vec<u8> = parts.values().flat_map(|part| part.octets.clone()).collect();
        let coding = if submit.msg_fmt == 8 { TextCoding::Utf16 } else { TextCoding::Gb18030 };
        Some((coding.decode(&octets), parts.values().filter_map(|part| part.id).collect()))
    }
}

/// Whether a receipt or a reply goes over CMPP.
pub(super) fn is_push_address(url: &str) -> bool {
    url == PUSH_ADDRESS
}

impl Shared {
    /// Starts the gateway on a port of loopback; 0 is any.
    pub(super) async fn listen_cmpp(self: Arc<Self>, port: u16) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(self.clone().serve_cmpp(stream));
            }
        });
        Ok(address)
    }

    async fn serve_cmpp(self: Arc<Self>, stream: TcpStream) {
        let mut framed = Framed::new(stream, PduCodec { version: Version::V20 });
        let Some(version) = self.accept_cmpp(&mut framed).await else { return };
        framed.codec_mut().version = version;
        let (link, mut incoming) = Link::over(framed, ACTIVE_TEST_EVERY, RESPONSE_TIMEOUT);
        let connected = Connected { link: link.clone(), version, source: String::new() };
        self.cmpp.lock().connected = Some(connected);
        while let Some(command) = incoming.recv().await {
            let (shared, link) = (self.clone(), link.clone());
            tokio::spawn(async move {
                if let Some(answer) = shared.answer_cmpp(command.pdu, version).await {
                    link.respond(command.sequence, answer).await;
                }
            });
        }
    }

    /// Answers CMPP_CONNECT. Returns the version, if the account is the scenario's.
    async fn accept_cmpp(&self, framed: &mut Framed<TcpStream, PduCodec>) -> Option<Version> {
        let Command { sequence, pdu: Pdu::Connect(connect) } = framed.next().await?.ok()? else {
            return None;
        };
        let version =
            if connect.version >= Version::V30.octet() { Version::V30 } else { Version::V20 };
        let secret = &self.scenario.secret;
        let account =
            Account { user: connect.source_addr.clone(), secret: Personal::new(secret.as_str()) };
        let is_known =
            secret.is_empty() || account.authenticator(connect.timestamp) == connect.authenticator;
        let mut answer = ConnectResp {
            form: version,
            status: if is_known { 0 } else { AUTHENTICATION_FAILED },
            authenticator: [0; 16],
            version: Version::V30.octet(),
        };
        if is_known && !secret.is_empty() {
            answer.authenticator = account.answer_authenticator(&answer, connect.authenticator);
        }
        framed.send(Command { sequence, pdu: Pdu::ConnectResp(answer) }).await.ok()?;
        is_known.then_some(version)
    }

    async fn answer_cmpp(&self, pdu: Pdu, version: Version) -> Option<Pdu> {
        match pdu {
            Pdu::Submit(submit) => self.submit_cmpp(&submit).await.map(Pdu::SubmitResp),
            // Nothing is counted here, and nothing can be taken back any more: 1, «failed».
            Pdu::Other { command: QUERY, body } => {
                let asked = [body.octets(), &[0; 27]].concat();
                let body = asked.into_iter().take(8 + 1 + 10).chain([0; 32]).collect();
                Some(Pdu::Other { command: QUERY | 0x8000_0000, body: Content::new(body) })
            }
            Pdu::Other { command: CANCEL, .. } => {
                let body = if version == Version::V20 { vec![1] } else { vec![0, 0, 0, 1] };
                Some(Pdu::Other { command: CANCEL | 0x8000_0000, body: Content::new(body) })
            }
            _ => None,
        }
    }

    /// Takes a submit; the last part of a long message is the message. `None`: the answer is lost.
    async fn submit_cmpp(&self, submit: &Submit) -> Option<Answer> {
        let msg_id = self.cmpp.lock().next_id(self.clock.now());
        let mut result = 0;
        for destination in &submit.destinations {
            let number = destination.reveal();
            let to = if number.len() == 11 { format!("+86{number}") } else { format!("+{number}") };
            let whole = {
                let mut state = self.cmpp.lock();
                if let Some(connected) = &mut state.connected {
                    connected.source.clone_from(&submit.src_id);
                }
                state.take_part(&to, submit, msg_id)
            };
            let Some((text, ids)) = whole else { continue };
            let reference = format!("cmpp{msg_id}-{number}");
            let accepted = Accepted { ids, to: destination.clone() };
            self.cmpp.lock().accepted.insert(reference.clone(), accepted);
            let (callback, replies) = (PUSH_ADDRESS.to_owned(), PUSH_ADDRESS.to_owned());
            let request = SubmitRequest { to, text, reference, callback, replies };
            result = match self.handle_submit(&request).await {
                SubmitResponse::Accepted { .. } => result,
                SubmitResponse::Throttled => FLOW_CONTROL,
                SubmitResponse::InvalidNumber => WRONG_NUMBER,
                SubmitResponse::NumberFrequencyExceeded | SubmitResponse::Unavailable => {
                    OTHER_ERROR
                }
                SubmitResponse::ResponseLost => return None,
            };
        }
        Some(Answer { msg_id: if result == 0 { msg_id } else { 0 }, result })
    }

    /// Reports every part of a message. Returns false if the account did not take it.
    pub(super) async fn report_over_cmpp(&self, reference: &str, delivered: bool) -> bool {
        let (accepted, connected) = {
            let state = self.cmpp.lock();
            (state.accepted.get(reference).cloned(), state.connected.clone())
        };
        let Some(accepted) = accepted else { return true };
        let Some(connected) = connected else { return false };
        let time = self.clock.now().in_zone(chrono_tz::Asia::Shanghai).format("%y%m%d%H%M");
        let time = time.to_string();
        let mut is_taken = true;
        for msg_id in accepted.ids {
            let report = Report {
                msg_id,
                stat: if delivered { "DELIVRD" } else { "UNDELIV" }.into(),
                submit_time: time.clone(),
                done_time: time.clone(),
                destination: accepted.to.clone(),
                smsc_sequence: 0,
            };
            let content = report.encode(connected.version);
            let msg_id = self.cmpp.lock().next_id(self.clock.now());
            let report = Deliver {
                msg_id,
                source: accepted.to.clone(),
                registered_delivery: 1,
                content,
                ..Deliver::default()
            };
            is_taken &= self.deliver_cmpp(&connected, report).await;
        }
        is_taken
    }

    /// Delivers a person's reply, in UCS-2 or in GB 18030. Sent again, it has the same Msg_Id.
    pub(super) async fn reply_over_cmpp(&self, id: &str, from: &str, text: &str) -> bool {
        let Some(connected) = self.cmpp.lock().connected.clone() else { return false };
        let is_gb = text.len().is_multiple_of(2);
        let octets = if is_gb {
            encoding_rs::GB18030.encode(text).0.into_owned()
        } else {
            text.encode_utf16().flat_map(u16::to_be_bytes).collect()
        };
        let reply = Deliver {
            msg_id: fingerprint(id),
            source: Personal::new(from.trim_start_matches("+86").trim_start_matches('+')),
            msg_fmt: if is_gb { 15 } else { 8 },
            content: Content::new(octets),
            ..Deliver::default()
        };
        self.deliver_cmpp(&connected, reply).await
    }

    async fn deliver_cmpp(&self, connected: &Connected, deliver: Deliver) -> bool {
        self.lock().record.pushes += 1;
        let deliver = Deliver { dest_id: connected.source.clone(), ..deliver };
        let answer = connected.link.request(Pdu::Deliver(Box::new(deliver))).await;
        matches!(answer, Ok(Pdu::DeliverResp(Answer { result: 0, .. })))
    }
}
