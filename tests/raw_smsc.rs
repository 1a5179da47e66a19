//! The SMPP gateway against an SMSC of a few lines, which reads and writes octets by the tables of
//! SMPP 3.4 (section numbers beside them) and shares nothing with the gateway's library. What real
//! SMSCs do is taken from public reports, named as `project#number`.

mod binds;
mod reports;

use std::sync::Arc;
use std::time::Duration;

use fieldworkd::adapters::clock::{Clock, SystemClock};
use fieldworkd::adapters::config::GatewayConfig;
use fieldworkd::adapters::database::{Database, rates};
use fieldworkd::adapters::sms::{self, Gateway, InboundBatch, OutgoingMessage, SubmitOutcome};
use fieldworkd::domain::personal::Personal;
use fieldworkd::domain::phone::Phone;
use fieldworkd::simulation::Scenario;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::common::deployment::{Deployment, count, wait_until};
use crate::smsc::{SECRET, use_account};

/// No step of these tests takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

// 5.1.2.1
const GENERIC_NACK: u32 = 0x8000_0000;
pub const SUBMIT_SM: u32 = 0x04;
const DELIVER_SM: u32 = 0x05;
const UNBIND: u32 = 0x06;
const BIND_TRANSCEIVER: u32 = 0x09;
const ENQUIRE_LINK: u32 = 0x15;
const DATA_SM: u32 = 0x103;
const RESPONSE: u32 = 0x8000_0000;

/// 3.2: a PDU's header and its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawPdu {
    pub id: u32,
    pub status: u32,
    pub sequence: u32,
    body: Vec<u8>,
}

/// Reads the fields of a body in the order of its table.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn octet(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().expect("the field is there");
        self.0 = rest;
        *first
    }

    /// 3.1: a C-octet string ends with NUL.
    fn text(&mut self) -> String {
        let end = self.0.iter().position(|octet| *octet == 0).expect("it ends with NUL");
        let text = String::from_utf8(self.0[..end].to_vec()).unwrap();
        self.0 = &self.0[end + 1..];
        text
    }

    fn octets(&mut self, length: u8) -> Vec<u8> {
        let (octets, rest) = self.0.split_at(usize::from(length));
        self.0 = rest;
        octets.to_vec()
    }
}

pub struct RawSmsc {
    listener: TcpListener,
}

pub struct RawSession {
    stream: TcpStream,
}

impl RawSmsc {
    pub async fn start() -> RawSmsc {
        RawSmsc { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    pub fn definition(&self, more: &str) -> String {
        let address = self.listener.local_addr().unwrap();
        format!(
            "kind = \"smpp\"\naddress = \"{address}\"\nsource = \"10690000\"\n\
             enquire_link_every = \"1s\"\nresponse_timeout = \"2s\"\n{more}"
        )
    }

    /// Starts the gateway; what is delivered to it is stored and comes out of the channel.
    fn gateway(&self, more: &str) -> Ours {
        self.gateway_of("fieldwork", "secret", more)
    }

    fn gateway_of(&self, user: &str, secret: &str, more: &str) -> Ours {
        Ours::start(account(user, secret, self.definition(more)))
    }

    async fn accept(&self) -> RawSession {
        let (stream, _) =
            timeout(PATIENCE, self.listener.accept()).await.expect("it connects").unwrap();
        RawSession { stream }
    }

    /// Accepts a connection and its bind, with `status`.
    pub async fn bind(&self, status: u32) -> RawSession {
        let mut session = self.accept().await;
        let bind = session.read().await;
        assert_eq!(bind.id, BIND_TRANSCEIVER);
        let body: &[u8] = if status == 0 { b"smsc\0" } else { b"" };
        session.write(BIND_TRANSCEIVER | RESPONSE, status, bind.sequence, body).await;
        session
    }
}

/// The gateway, and what it has received.
struct Ours {
    gateway: Arc<dyn Gateway>,
    heard: mpsc::UnboundedReceiver<String>,
    receiving: JoinHandle<()>,
}

impl Drop for Ours {
    fn drop(&mut self) {
        self.receiving.abort();
    }
}

impl Ours {
    fn start(config: GatewayConfig) -> Ours {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let gateway = sms::open(&config, &clock, "").unwrap_or_else(|problem| panic!("{problem}"));
        let (say, heard) = mpsc::unbounded_channel();
        let receiver = gateway.clone();
        let receiving = tokio::spawn(async move {
            loop {
                let batch: InboundBatch = receiver.receive().await;
                for receipt in &batch.receipts {
                    let id = receipt.id.clone().unwrap_or_default();
                    let state = if receipt.delivered { "delivered" } else { "undelivered" };
                    let dead = if receipt.dead_number { " dead" } else { "" };
                    let _ = say.send(format!("receipt {id} {state}{dead}"));
                }
                for reply in &batch.replies {
                    let _ = say.send(format!("reply {}", reply.text.reveal()));
                }
                batch.acknowledge(true);
            }
        });
        Ours { gateway, heard, receiving }
    }

    fn submit(&self, text: &str) -> JoinHandle<SubmitOutcome> {
        let (gateway, message) = (self.gateway.clone(), message(text));
        tokio::spawn(async move { gateway.submit(&[message]).await.outcomes.remove(0) })
    }

    async fn next(&mut self) -> String {
        timeout(PATIENCE, self.heard.recv()).await.expect("something is received").unwrap()
    }
}

fn account(user: &str, secret: &str, definition: String) -> GatewayConfig {
    GatewayConfig {
        name: "g".into(),
        definition,
        rate_per_second: 10,
        rate_counts: None,
        in_flight: 4,
        price_per_part: 0.0,
        currency: "CNY".into(),
        user: user.into(),
        secret: Personal::new(secret),
        allowed_networks: Vec::new(),
        default_region: None,
    }
}

fn message(text: &str) -> OutgoingMessage {
    OutgoingMessage {
        reference: "ref1".into(),
        to: Phone::parse("13800138000", phonenumber::country::CN).unwrap(),
        text: Personal::new(text),
        parts: 1,
        step: "first".into(),
        fields: Default::default(),
        must_be_alone: false,
        part: None,
    }
}

impl RawSession {
    /// Reads the next PDU, or `None` at the end of the connection.
    async fn read_any(&mut self) -> Option<RawPdu> {
        let mut word = async || timeout(PATIENCE, self.stream.read_u32()).await.expect("in time");
        let length = word().await.ok()?;
        assert!((16..=4096).contains(&length), "{length}");
        let (id, status, sequence) = (word().await.ok()?, word().await.ok()?, word().await.ok()?);
        let mut body = vec![0; length as usize - 16];
        self.stream.read_exact(&mut body).await.ok()?;
        Some(RawPdu { id, status, sequence, body })
    }

    /// Reads the next PDU that is no enquire_link, which is answered.
    pub async fn read(&mut self) -> RawPdu {
        self.read_or_end().await.expect("the connection is open")
    }

    async fn read_or_end(&mut self) -> Option<RawPdu> {
        loop {
            let pdu = self.read_any().await?;
            if pdu.id != ENQUIRE_LINK {
                return Some(pdu);
            }
            self.write(ENQUIRE_LINK | RESPONSE, 0, pdu.sequence, b"").await;
        }
    }

    async fn write(&mut self, id: u32, status: u32, sequence: u32, body: &[u8]) {
        let mut octets = Vec::new();
        for word in [body.len() as u32 + 16, id, status, sequence] {
            octets.extend(word.to_be_bytes());
        }
        octets.extend(body);
        // The gateway may have closed the connection.
        let _ = self.stream.write_all(&octets).await;
    }

    async fn write_hex(&mut self, hex: &str) {
        let octets = data_encoding::HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).unwrap();
        self.stream.write_all(&octets).await.unwrap();
    }

    /// Takes a submit under this id.
    pub async fn take(&mut self, id: &str) -> RawPdu {
        let submit = self.read().await;
        assert_eq!(submit.id, SUBMIT_SM);
        self.answer_submit(&submit, 0, id).await;
        submit
    }

    /// 4.4.2: with an error, there is no body.
    pub async fn answer_submit(&mut self, submit: &RawPdu, status: u32, id: &str) {
        let body = [id.as_bytes(), &[0]].concat();
        let body = if status == 0 { &body[..] } else { b"" };
        self.write(SUBMIT_SM | RESPONSE, status, submit.sequence, body).await;
    }

    pub async fn deliver(&mut self, sequence: u32, class: u8, text: &[u8]) {
        let head = b"\0\x01\x018613800138000\0\x01\x0110690000\0";
        let tail = [&[class, 0, 0, 0, 0, 0, 0, 0, 0, text.len() as u8], text].concat();
        self.write(DELIVER_SM, 0, sequence, &[&head[..], &tail].concat()).await;
    }
}

/// The number of a submit, and reference, total and number of its part.
pub fn submitted_part(pdu: &RawPdu) -> (String, u8, u8, u8) {
    let mut fields = Fields(&pdu.body);
    let _ = (fields.text(), fields.octets(2), fields.text(), fields.octets(2));
    let to = fields.text();
    assert_eq!(fields.octet(), 0x40, "esm_class");
    let _ = (fields.octets(2), fields.text(), fields.text());
    assert_eq!(fields.octet(), 1, "registered_delivery");
    let _ = fields.octets(4);
    assert_eq!(fields.octets(3), [5, 0, 3], "a header of 8 bits");
    (to, fields.octet(), fields.octet(), fields.octet())
}

/// 4.4.1: every field of a submit_sm, with no optional parameter behind it.
fn check_submit(pdu: &RawPdu, class: u8, receipt: u8, coding: u8) -> Vec<u8> {
    assert_eq!((pdu.id, pdu.status), (SUBMIT_SM, 0));
    let mut fields = Fields(&pdu.body);
    assert_eq!(fields.text(), "", "service_type");
    assert_eq!((fields.octet(), fields.octet()), (0, 0), "source_addr_ton, source_addr_npi");
    assert_eq!(fields.text(), "10690000", "source_addr");
    assert_eq!((fields.octet(), fields.octet()), (1, 1), "dest_addr_ton, dest_addr_npi");
    assert_eq!(fields.text(), "8613800138000", "destination_addr");
    assert_eq!(fields.octet(), class, "esm_class");
    assert_eq!(fields.octet(), 0, "protocol_id");
    assert_eq!(fields.octet(), 0, "priority_flag");
    assert_eq!(fields.text(), "", "schedule_delivery_time");
    assert_eq!(fields.text(), "", "validity_period");
    assert_eq!(fields.octet(), receipt, "registered_delivery");
    assert_eq!(fields.octet(), 0, "replace_if_present_flag");
    assert_eq!(fields.octet(), coding, "data_coding");
    assert_eq!(fields.octet(), 0, "sm_default_msg_id");
    let length = fields.octet();
    let text = fields.octets(length);
    assert_eq!(fields.0, b"", "nothing follows");
    text
}

/// esm_class and registered_delivery were wrong by default in komuw/naz#64,
/// twitter-archive/cloudhopper-smpp PR#108 and, here, by a library's default; parts without 0x40
/// show their header (opentelecoms-org/jsmpp#97, AdhamAwadhi/JamaaSMPP#16). A bind with 5.0 is
/// refused (farhadi/node-smpp#239), a stop without unbind blocks the next bind
/// (praekeltfoundation/vumi#624).
#[tokio::test(flavor = "multi_thread")]
async fn what_we_send_is_what_the_tables_say() {
    let smsc = RawSmsc::start().await;
    let ours = smsc.gateway("system_type = \"VMA\"");
    let mut session = smsc.accept().await;

    // 4.1.5
    let bind = session.read_any().await.unwrap();
    assert_eq!((bind.id, bind.status), (BIND_TRANSCEIVER, 0));
    assert!((1..=0x7fff_ffff).contains(&bind.sequence));
    let mut fields = Fields(&bind.body);
    assert_eq!(fields.text(), "fieldwork", "system_id");
    assert_eq!(fields.text(), "secret", "password");
    assert_eq!(fields.text(), "VMA", "system_type");
    assert_eq!(fields.octet(), 0x34, "interface_version");
    assert_eq!((fields.octet(), fields.octet()), (0, 0), "addr_ton, addr_npi");
    assert_eq!(fields.text(), "", "address_range");
    assert_eq!(fields.0, b"", "nothing follows");
    session.write(BIND_TRANSCEIVER | RESPONSE, 0, bind.sequence, b"smsc\0").await;

    // 4.11.1: a header alone.
    let enquiry = session.read_any().await.unwrap();
    assert_eq!((enquiry.id, enquiry.status, enquiry.body.as_slice()), (ENQUIRE_LINK, 0, &b""[..]));
    session.write(ENQUIRE_LINK | RESPONSE, 0, enquiry.sequence, b"").await;

    let short = ours.submit("hello @");
    let submit = session.take("1").await;
    assert_eq!(check_submit(&submit, 0x00, 1, 0), b"hello \0", "GSM 03.38 has @ at 0");
    assert_eq!(short.await.unwrap(), SubmitOutcome::Accepted { id: Some("1".into()) });

    let long = ours.submit(&"您".repeat(100));
    let (first, second) = (session.take("2").await, session.take("3").await);
    assert!(matches!(long.await.unwrap(), SubmitOutcome::Accepted { .. }));
    let (head, tail) = (check_submit(&first, 0x40, 1, 8), check_submit(&second, 0x40, 1, 8));
    let reference = head[3];
    assert_eq!(head[..6], [5, 0, 3, reference, 2, 1]);
    assert_eq!(tail[..6], [5, 0, 3, reference, 2, 2]);
    assert_eq!([&head[6..], &tail[6..]].concat(), [0x60, 0xa8].repeat(100));

    // 4.6.2: a deliver_sm_resp has an unused message_id of NUL.
    session.deliver(77, 0, b"TD").await;
    let taken = session.read().await;
    assert_eq!(taken, RawPdu { id: DELIVER_SM | RESPONSE, status: 0, sequence: 77, body: vec![0] });

    // 4.2.1
    let gateway = ours.gateway.clone();
    let closing = tokio::spawn(async move { gateway.close().await });
    let unbind = session.read().await;
    assert_eq!((unbind.id, unbind.status, unbind.body.as_slice()), (UNBIND, 0, &b""[..]));
    session.write(UNBIND | RESPONSE, 0, unbind.sequence, b"").await;
    closing.await.unwrap();
}

/// jookies/jasmin#92 and #139: receipts as data_sm.
#[tokio::test(flavor = "multi_thread")]
async fn receipts_and_replies_by_data_sm() {
    let smsc = RawSmsc::start().await;
    let mut ours = smsc.gateway("");
    let mut session = smsc.bind(0).await;
    session
        .write_hex(
            "00000041000001030000000000000001000101383631333830303133383030300001013130363930303030\
             000400 00001e0009333966393964643500 0427000102"
                .replace(' ', "")
                .as_str(),
        )
        .await;
    assert_eq!(ours.next().await, "receipt 39f99dd5 delivered");
    let taken = session.read().await;
    // 4.7.2
    assert_eq!(taken, RawPdu { id: DATA_SM | RESPONSE, status: 0, sequence: 1, body: vec![0] });

    let head = b"\0\x01\x018613800138000\0\x01\x0110690000\0\0\0\x08";
    let payload = [0x04, 0x24, 0, 4, 0x90, 0x00, 0x8b, 0xa2];
    session.write(DATA_SM, 0, 2, &[&head[..], &payload].concat()).await;
    assert_eq!(ours.next().await, "reply 退订");
    assert_eq!((session.read().await.id, 2), (DATA_SM | RESPONSE, 2));
}

/// fiorix/go-smpp PR#26: an enquire_link without an answer. 4.3: a generic_nack answers what is
/// not known. OpenSIPS/opensips#3847: a string without its NUL.
#[tokio::test(flavor = "multi_thread")]
async fn every_request_has_an_answer() {
    let smsc = RawSmsc::start().await;
    let mut ours = smsc.gateway("");
    let mut session = smsc.bind(0).await;
    session.write_hex("00000010000000150000000000000001").await;
    let answer = session.read().await;
    assert_eq!((answer.id, answer.status, answer.sequence), (ENQUIRE_LINK | RESPONSE, 0, 1));

    // Unknown; known, but nothing for us; a deliver_sm whose first string has no end.
    for (sequence, id, body) in [
        (2, 0x111, &b"abc"[..]),
        (3, 0x03, b"1\0\0\0\0"),
        (4, DELIVER_SM, b"\0\x01\x0186138001380008613800138000861380013800086138001380001111"),
    ] {
        session.write(id, 0, sequence, body).await;
        let nack = session.read().await;
        assert_eq!((nack.id, nack.sequence), (GENERIC_NACK, sequence), "{id:#x}");
        assert!(nack.status != 0 && nack.body.is_empty(), "{id:#x}");
    }
    // 4.12.1: an alert_notification has no answer. The connection is still in use.
    session.write(0x102, 0, 5, b"\x01\x018613800138000\0\x01\x0110690000\0").await;
    session.deliver(6, 0, b"8").await;
    assert_eq!(ours.next().await, "reply 8");
    assert_eq!(session.read().await.sequence, 6);
}

/// funbox/smppex PR#66, farhadi/node-smpp#140: receipts with esm_class 0. What a person types stays
/// a reply.
#[tokio::test(flavor = "multi_thread")]
async fn receipts_without_their_flag() {
    let smsc = RawSmsc::start().await;
    let mut ours = smsc.gateway("receipt_id = \"same\"");
    let mut session = smsc.bind(0).await;
    for (text, expected) in [
        (
            "id:0972660181 sub:001 dlvrd:001 submit date:2611262030 done date:2611262031 \
             stat:DELIVRD err:000 text:",
            Some("receipt 0972660181 delivered"),
        ),
        // opentelecoms-org/jsmpp#62: without sub and dlvrd.
        (
            "id:1526758174 submit date:1701240904 done date:1701240904 stat:DELIVRD err:000 \
             text:hellow",
            Some("receipt 1526758174 delivered"),
        ),
        ("id:1 stat:x", Some("reply id:1 stat:x")),
        ("id:1 stat:DELIVRD", Some("reply id:1 stat:DELIVRD")),
        ("stat:DELIVRD sub:001 id:1", Some("reply stat:DELIVRD sub:001 id:1")),
        ("id:我 sub:1 stat:x", None),
        ("my id:5 sub:001 stat:DELIVRD", Some("reply my id:5 sub:001 stat:DELIVRD")),
        // Not final: neither.
        ("id:1 sub:001 stat:ACCEPTD", None),
        ("id:1 sub:001 stat:UNDELIV err:001 text:stat:DELIVRD", Some("receipt 1 undelivered")),
    ] {
        if text.is_ascii() {
            session.deliver(9, 0, text.as_bytes()).await;
            assert_eq!(session.read().await.status, 0, "{text}");
            if let Some(expected) = expected {
                assert_eq!(ours.next().await, expected);
            }
        }
    }
    assert!(ours.heard.try_recv().is_err());
}

/// farhadi/node-smpp#106 and #248: after half an hour, submits find no bind (0x04).
#[tokio::test(flavor = "multi_thread")]
async fn a_submit_without_a_bind_is_tried_again_after_a_new_one() {
    let smsc = RawSmsc::start().await;
    let ours = smsc.gateway("");
    let mut session = smsc.bind(0).await;
    let first = ours.submit("hello");
    let submit = session.read().await;
    // A header alone, as in farhadi/node-smpp#239.
    session.write(SUBMIT_SM | RESPONSE, 4, submit.sequence, b"").await;
    let expected = SubmitOutcome::TemporaryFailure { code: "EsmeRinvbndsts".into() };
    assert_eq!(first.await.unwrap(), expected);
    let mut session = smsc.bind(0).await;
    let second = ours.submit("hello");
    session.take("1").await;
    assert_eq!(second.await.unwrap(), SubmitOutcome::Accepted { id: Some("1".into()) });
}

/// komuw/naz#29: an unbind is answered, nothing is sent after it, and we bind again, even if the
/// SMSC leaves the connection open. Submits that it has are still answered.
#[tokio::test(flavor = "multi_thread")]
async fn an_unbind_of_the_smsc() {
    let smsc = RawSmsc::start().await;
    let ours = smsc.gateway("");
    let mut session = smsc.bind(0).await;
    let before = ours.submit("before");
    let submit = session.read().await;
    session.write_hex("00000010000000060000000000000005").await;
    let answer = session.read().await;
    assert_eq!((answer.id, answer.status, answer.sequence), (UNBIND | RESPONSE, 0, 5));
    session.write(SUBMIT_SM | RESPONSE, 0, submit.sequence, b"1\0").await;
    assert_eq!(before.await.unwrap(), SubmitOutcome::Accepted { id: Some("1".into()) });
    let mut next = smsc.bind(0).await;
    let after = ours.submit("after");
    next.take("2").await;
    assert_eq!(after.await.unwrap(), SubmitOutcome::Accepted { id: Some("2".into()) });
    assert_eq!(session.read_or_end().await, None, "nothing after the unbind");
}

/// farhadi/node-smpp#106: or nothing at all is answered.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_only_half_open() {
    let smsc = RawSmsc::start().await;
    let ours = smsc.gateway("");
    let silent = smsc.bind(0).await;
    let mut next = smsc.bind(0).await;
    let after = ours.submit("after");
    next.take("1").await;
    assert_eq!(after.await.unwrap(), SubmitOutcome::Accepted { id: Some("1".into()) });
    drop(silent);
}

/// uudashr/jsmpp#54, opentelecoms-org/jsmpp#180, farhadi/node-smpp#250: the SMSC still has the
/// connection that we have lost (0x05). jookies/jasmin#1059: a generic_nack answers a bind.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_still_bound() {
    let smsc = RawSmsc::start().await;
    let ours = smsc.gateway("");
    let refused = smsc.bind(5).await;
    let first = ours.submit("hello");
    assert!(matches!(first.await.unwrap(), SubmitOutcome::TemporaryFailure { .. }));
    drop(refused);
    let mut session = smsc.accept().await;
    let bind = session.read().await;
    session.write(GENERIC_NACK, 8, bind.sequence, b"").await;
    let mut session = smsc.bind(0).await;
    let second = ours.submit("hello");
    session.take("1").await;
    assert!(matches!(second.await.unwrap(), SubmitOutcome::Accepted { .. }));
}

/// The tables allow 15 and 8 characters; carriers hand out longer ones (and the answers of their
/// SMSCs have longer names).
#[tokio::test(flavor = "multi_thread")]
async fn long_names_and_passwords() {
    let smsc = RawSmsc::start().await;
    let ours = smsc.gateway_of("a-system-id-of-more-than-15", "a-longer-password", "");
    let mut session = smsc.accept().await;
    let bind = session.read().await;
    let mut fields = Fields(&bind.body);
    assert_eq!(fields.text(), "a-system-id-of-more-than-15");
    assert_eq!(fields.text(), "a-longer-password");
    assert_eq!(fields.text(), "");
    assert_eq!(fields.0, [0x34, 0, 0, 0]);
    let name = b"an-smsc-whose-name-is-long\0";
    session.write(BIND_TRANSCEIVER | RESPONSE, 0, bind.sequence, name).await;
    let submitted = ours.submit("hello");
    session.take("1").await;
    assert!(matches!(submitted.await.unwrap(), SubmitOutcome::Accepted { .. }));
}

/// farhadi/node-smpp#78: a length of 2147483657; the framing is lost, so we bind again.
#[tokio::test(flavor = "multi_thread")]
async fn a_length_that_cannot_be() {
    let smsc = RawSmsc::start().await;
    let _ours = smsc.gateway("");
    for length in ["80000009", "00000004"] {
        let mut session = smsc.bind(0).await;
        session.write_hex(&format!("{length}000000050000000000000001")).await;
        assert_eq!(session.read_or_end().await, None, "{length}");
    }
    smsc.bind(0).await;
}

/// jookies/jasmin#210 and #1034 (hexadecimal in the answer, decimal with zeros in the receipt),
/// #1129 (zeros in front), #916 (capitals), kneodev/ksmppd#153 (64 bits), jookies/jasmin#423 (the
/// receipt before the answer); by the daemon, with nothing set.
#[tokio::test(flavor = "multi_thread")]
async fn receipts_that_spell_the_id_in_another_way() {
    const IDS: [(&str, &str); 5] = [
        ("39f99dd5", "0972660181"),
        ("00B8BE19", "B8BE19"),
        ("1101c1-c9d03d-f000", "1101C1-C9D03D-F000"),
        ("812FC7470000001B", "9308878062554710043"),
        ("5f5e0ff", "99999999"),
    ];
    let smsc = RawSmsc::start().await;
    let change = |config: &mut String, gateway: &mut String| {
        use_account(config);
        *gateway = smsc.definition("").replace("\"2s\"", "\"30s\"");
    };
    let people = Scenario::faultless(1, 100);
    for deployment in Deployment::with_config(IDS.len(), &people, 20, &change).await {
        let daemon = deployment.start_daemon(&[SECRET]).await;
        let mut session = smsc.bind(0).await;
        let states = async |name: &str| count(&deployment.states().await, name) as usize;
        let (last, first) = IDS.split_last().unwrap();
        for (answer, _) in first {
            session.take(answer).await;
        }
        let waiting = session.read().await;
        assert_eq!(waiting.id, SUBMIT_SM);
        wait_until("the answers are stored", async || states("accepted").await == first.len())
            .await;
        for (_, receipt) in IDS {
            let receipt = format!("id:{receipt} sub:001 dlvrd:001 stat:DELIVRD err:000 text:");
            session.deliver(9, 4, receipt.as_bytes()).await;
            let stored = session.read().await;
            assert_eq!((stored.id, stored.status), (DELIVER_SM | RESPONSE, 0));
        }
        wait_until("all but the last are known", async || states("delivered").await == first.len())
            .await;
        let answer = [last.0.as_bytes(), &[0]].concat();
        session.write(SUBMIT_SM | RESPONSE, 0, waiting.sequence, &answer).await;
        wait_until("the last is known too", async || states("delivered").await == IDS.len()).await;
        let database = Database::open(&deployment.url).await.unwrap();
        let learnt = rates::receipt_ids(&mut database.read().await.unwrap(), "simulator").await;
        assert_eq!(learnt.unwrap().as_deref(), Some("converted"), "for the next daemon");
        database.close().await;
        drop(daemon);
    }
}

/// What an SMSC says of a number in `err:` is known to the carrier alone (farhadi/node-smpp#242).
#[tokio::test(flavor = "multi_thread")]
async fn dead_numbers_by_the_gateways_table() {
    let smsc = RawSmsc::start().await;
    let mut ours = smsc.gateway("dead_number = [\"001\", \"0x5\"]");
    let mut session = smsc.bind(0).await;
    for (rest, expected) in [
        ("stat:UNDELIV err:001", "receipt 1 undelivered dead"),
        ("stat:REJECTD err: 0x5", "receipt 1 undelivered dead"),
        ("stat:UNDELIV err:1", "receipt 1 undelivered"),
        ("stat:UNDELIV", "receipt 1 undelivered"),
        ("stat:DELIVRD err:001", "receipt 1 delivered"),
    ] {
        session.deliver(9, 4, format!("id:1 sub:001 {rest} text:").as_bytes()).await;
        assert_eq!(session.read().await.status, 0, "{rest}");
        assert_eq!(ours.next().await, expected, "{rest}");
    }
}
