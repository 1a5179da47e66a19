//! The CMPP gateway against a carrier's gateway of a few lines, which reads and writes octets by the
//! tables of CMPP 2.0 and 3.0 (section numbers of 2.0 beside them) and shares nothing with ours. What real
//! gateways do is taken from public reports, named as `project#number`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fieldworkd::adapters::clock::{Clock, SystemClock, VirtualClock};
use fieldworkd::adapters::config::GatewayConfig;
use fieldworkd::adapters::sms::{
    self, Gateway, InboundBatch, MessagePart, OutgoingMessage, SubmitOutcome,
};
use fieldworkd::domain::personal::Personal;
use fieldworkd::domain::phone::Phone;
use fieldworkd::domain::time::Timestamp;
use fieldworkd::simulation::{PeopleScenario, Scenario, Simulator};
use md5::{Digest, Md5};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::common::deployment::{Deployment, count, wait_until};

/// No step of these tests takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

// 8
const CONNECT: u32 = 1;
const TERMINATE: u32 = 2;
const SUBMIT: u32 = 4;
const DELIVER: u32 = 5;
const ACTIVE_TEST: u32 = 8;
const ANSWER: u32 = 0x8000_0000;

/// 7.3: a header and its body.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Raw {
    command: u32,
    sequence: u32,
    body: Vec<u8>,
}

/// Reads the fields of a body in the order of its table.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take(&mut self, width: usize) -> Vec<u8> {
        let (field, rest) = self.0.split_at(width);
        self.0 = rest;
        field.to_vec()
    }

    fn octet(&mut self) -> u8 {
        self.take(1)[0]
    }

    /// Filled up with zeros.
    fn text(&mut self, width: usize) -> String {
        let field = self.take(width);
        let end = field.iter().position(|octet| *octet == 0).unwrap_or(width);
        assert!(field[end..].iter().all(|octet| *octet == 0), "{field:?}");
        String::from_utf8(field[..end].to_vec()).unwrap()
    }
}

fn filled(text: &str, width: usize) -> Vec<u8> {
    let mut field = text.as_bytes().to_vec();
    field.resize(width, 0);
    field
}

fn md5_of(pieces: &[&[u8]]) -> Vec<u8> {
    Md5::digest(pieces.concat()).to_vec()
}

struct RawGateway {
    listener: TcpListener,
}

/// A connection; `new` is 3.0.
struct RawSession {
    stream: TcpStream,
    new: bool,
}

impl RawGateway {
    async fn start() -> RawGateway {
        RawGateway { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    fn definition(&self, more: &str) -> String {
        let address = self.listener.local_addr().unwrap();
        let more = if more.contains("active_test_every") {
            more.to_owned()
        } else {
            format!("active_test_every = \"30s\"\n{more}")
        };
        format!(
            "kind = \"cmpp\"\naddress = \"{address}\"\nservice_id = \"SURVEY\"\n\
             source = \"106900001234\"\nresponse_timeout = \"3s\"\n{more}"
        )
    }

    fn gateway(&self, more: &str) -> Ours {
        Ours::open(&self.definition(more), "900001", true)
    }

    async fn accept(&self) -> TcpStream {
        timeout(PATIENCE, self.listener.accept()).await.expect("it connects").unwrap().0
    }

    /// Accepts a connection and checks its CMPP_CONNECT (7.4.1.1).
    async fn meet(&self, new: bool, user: &str) -> (RawSession, Raw) {
        // One that a daemon before this one gave up while it waited to be accepted has ended.
        let (session, connect) = loop {
            let mut session = RawSession { stream: self.accept().await, new };
            if let Some(connect) = session.read_any().await {
                break (session, connect);
            }
        };
        assert_eq!((connect.command, connect.body.len()), (CONNECT, 27));
        let mut fields = Fields(&connect.body);
        assert_eq!(fields.text(6), user, "Source_Addr");
        let authenticator = fields.take(16);
        assert_eq!(fields.octet(), if new { 0x30 } else { 0x20 }, "Version");
        let timestamp = u32::from_be_bytes(fields.take(4).try_into().unwrap());
        let digits = format!("{timestamp:010}");
        assert!(("01".."13").contains(&&digits[..2]), "a month: {digits}");
        let expected = md5_of(&[user.as_bytes(), &[0; 9], b"secret", digits.as_bytes()]);
        assert_eq!(authenticator, expected, "AuthenticatorSource");
        (session, connect)
    }

    /// Accepts a connection in this version.
    async fn connect(&self, new: bool) -> RawSession {
        let (mut session, connect) = self.meet(new, "900001").await;
        session.welcome(&connect, 0).await;
        session
    }
}

impl RawSession {
    /// Reads the next message, or `None` at the end of the connection.
    async fn read_any(&mut self) -> Option<Raw> {
        let mut word = async || timeout(PATIENCE, self.stream.read_u32()).await.expect("in time");
        let length = word().await.ok()?;
        assert!((12..=4096).contains(&length), "{length}");
        let (command, sequence) = (word().await.ok()?, word().await.ok()?);
        let mut body = vec![0; length as usize - 12];
        self.stream.read_exact(&mut body).await.ok()?;
        Some(Raw { command, sequence, body })
    }

    /// Reads the next message that is no CMPP_ACTIVE_TEST, which is answered.
    async fn read_or_end(&mut self) -> Option<Raw> {
        loop {
            let raw = self.read_any().await?;
            if raw.command != ACTIVE_TEST {
                return Some(raw);
            }
            self.write(ACTIVE_TEST | ANSWER, raw.sequence, &[0]).await;
        }
    }

    async fn read(&mut self) -> Raw {
        self.read_or_end().await.expect("the connection is open")
    }

    async fn write(&mut self, command: u32, sequence: u32, body: &[u8]) {
        let head = [body.len() as u32 + 12, command, sequence].map(u32::to_be_bytes).concat();
        // Ours may have closed the connection.
        let _ = self.stream.write_all(&[&head, body].concat()).await;
    }

    /// 7.4.1.2: the answer to a CMPP_CONNECT, in the form of the session's version.
    async fn welcome(&mut self, connect: &Raw, status: u32) {
        let status = self.status(status);
        let proof = md5_of(&[&status, &connect.body[6..22], b"secret"]);
        let version = if self.new { 0x30 } else { 0x20 };
        let body = [&status[..], &proof, &[version]].concat();
        self.write(CONNECT | ANSWER, connect.sequence, &body).await;
    }

    /// One octet, or four.
    fn status(&self, status: u32) -> Vec<u8> {
        status.to_be_bytes()[if self.new { 0 } else { 3 }..].to_vec()
    }

    /// 7.4.3.2
    async fn answer(&mut self, submit: &Raw, id: u64, result: u32) {
        assert_eq!(submit.command, SUBMIT);
        let body = [&id.to_be_bytes()[..], &self.status(result)].concat();
        self.write(SUBMIT | ANSWER, submit.sequence, &body).await;
    }

    /// Takes a submit under this id.
    async fn take(&mut self, id: u64) -> Submitted {
        let submit = self.read().await;
        self.answer(&submit, id, 0).await;
        Submitted::check(&submit, self.new)
    }

    /// 7.4.5.1
    async fn deliver(&mut self, id: u64, from: &str, [udhi, format, report]: [u8; 3], text: &[u8]) {
        let mut body = id.to_be_bytes().to_vec();
        body.extend(filled("106900001234", 21));
        body.extend(filled("SURVEY", 10));
        body.extend([0, udhi, format]);
        body.extend(filled(from, if self.new { 32 } else { 21 }));
        body.extend(if self.new { vec![0, report] } else { vec![report] });
        body.push(text.len() as u8);
        body.extend(text);
        body.extend(filled("", if self.new { 20 } else { 8 }));
        self.write(DELIVER, id as u32, &body).await;
    }

    /// The status report of 7.4.5.1.
    async fn report(&mut self, id: u64, stat: &str, to: &str) {
        let mut text = id.to_be_bytes().to_vec();
        text.extend(filled(stat, 7));
        text.extend(b"26112620302611262031");
        text.extend(filled(to, if self.new { 32 } else { 21 }));
        text.extend([0, 0, 0, 9]);
        assert_eq!(text.len(), if self.new { 71 } else { 60 });
        self.deliver(id + 1000, to, [0, 0, 1], &text).await;
    }

    /// 7.4.5.2: Msg_Id of the deliver, and 0.
    async fn is_taken(&mut self, id: u64) {
        let taken = self.read().await;
        let body = [&id.to_be_bytes()[..], &self.status(0)].concat();
        assert_eq!(taken, Raw { command: DELIVER | ANSWER, sequence: id as u32, body });
    }
}

/// 7.4.3.1: what differs between submits.
#[derive(Debug, PartialEq, Eq)]
struct Submitted {
    /// Pk_total, Pk_number
    part: (u8, u8),
    report: u8,
    udhi: u8,
    format: u8,
    to: Vec<String>,
    content: Vec<u8>,
}

impl Submitted {
    /// Checks every field.
    fn check(raw: &Raw, new: bool) -> Submitted {
        assert_eq!(raw.command, SUBMIT);
        let mut fields = Fields(&raw.body);
        let width = if new { 32 } else { 21 };
        assert_eq!(fields.take(8), [0; 8], "Msg_Id");
        let part = (fields.octet(), fields.octet());
        let report = fields.octet();
        assert_eq!(fields.octet(), 0, "Msg_level");
        assert_eq!(fields.text(10), "SURVEY", "Service_Id");
        assert_eq!(fields.octet(), 2, "Fee_UserType");
        assert_eq!(fields.text(width), "", "Fee_terminal_Id");
        if new {
            assert_eq!(fields.octet(), 0, "Fee_terminal_type");
        }
        assert_eq!(fields.octet(), 0, "TP_pId");
        let (udhi, format) = (fields.octet(), fields.octet());
        assert_eq!(fields.text(6), "900001", "Msg_src");
        assert_eq!(fields.take(2), b"01", "FeeType");
        assert_eq!(fields.take(6), b"000000", "FeeCode");
        assert_eq!((fields.text(17), fields.text(17)), ("".into(), "".into()), "times");
        assert_eq!(fields.text(21), "106900001234", "Src_Id");
        let total = fields.octet();
        let to = (0..total).map(|_| fields.text(width)).collect();
        if new {
            assert_eq!(fields.octet(), 0, "Dest_terminal_type");
        }
        let length = fields.octet();
        let content = fields.take(usize::from(length));
        assert_eq!(fields.text(if new { 20 } else { 8 }), "", "LinkID or Reserve");
        assert_eq!(fields.0, b"", "nothing follows");
        Submitted { part, report, udhi, format, to, content }
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
    /// Starts the gateway; what is delivered to it comes out of the channel, and is stored or not.
    fn open(definition: &str, user: &str, is_stored: bool) -> Ours {
        let config = GatewayConfig {
            name: "g".into(),
            definition: definition.into(),
            rate_per_second: 10,
            rate_counts: None,
            in_flight: 4,
            price_per_part: 0.0,
            currency: "CNY".into(),
            user: user.into(),
            secret: Personal::new("secret"),
            allowed_networks: Vec::new(),
            default_region: None,
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let gateway = sms::open(&config, &clock, "").unwrap_or_else(|problem| panic!("{problem}"));
        let (say, heard) = mpsc::unbounded_channel();
        let receiver = gateway.clone();
        let receiving = tokio::spawn(async move {
            loop {
                let batch: InboundBatch = receiver.receive().await;
                for receipt in &batch.receipts {
                    let (id, to) = (receipt.id.clone().unwrap_or_default(), &receipt.to);
                    let to = to.as_ref().map(|to| format!(" {}", to.reveal())).unwrap_or_default();
                    let state = if receipt.delivered { "delivered" } else { "undelivered" };
                    let code = receipt.code.clone().map(|c| format!(" {c}")).unwrap_or_default();
                    let _ = say.send(format!("receipt {id}{to} {state}{code}"));
                }
                for reply in &batch.replies {
                    let part = reply.part.as_ref().map(|p| format!(" {}/{}", p.number, p.total));
                    let part = part.unwrap_or_default();
                    let (from, text) = (reply.from.reveal(), reply.text.reveal());
                    let _ = say.send(format!("reply of {from}{part}: {text}"));
                }
                batch.acknowledge(is_stored);
            }
        });
        Ours { gateway, heard, receiving }
    }

    fn submit(&self, messages: Vec<OutgoingMessage>) -> JoinHandle<SubmitOutcome> {
        let gateway = self.gateway.clone();
        tokio::spawn(async move {
            let outcomes = gateway.submit(&messages).await.outcomes;
            assert_eq!(outcomes.len(), messages.len());
            outcomes.into_iter().next().unwrap()
        })
    }

    fn submit_text(&self, text: &str) -> JoinHandle<SubmitOutcome> {
        self.submit(vec![message("13800138000", text)])
    }

    async fn next(&mut self) -> String {
        timeout(PATIENCE, self.heard.recv()).await.expect("something is received").unwrap()
    }
}

fn message(to: &str, text: &str) -> OutgoingMessage {
    OutgoingMessage {
        reference: "ref1".into(),
        to: Phone::parse(to, phonenumber::country::CN).unwrap(),
        text: Personal::new(text),
        parts: 1,
        step: "first".into(),
        fields: Default::default(),
        must_be_alone: false,
        part: None,
    }
}

fn accepted(id: u64) -> SubmitOutcome {
    SubmitOutcome::Accepted { id: Some(id.to_string()) }
}

fn ucs2(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

fn gb18030(text: &str) -> Vec<u8> {
    encoding_rs::GB18030.encode(text).0.into_owned()
}

/// bigwhite/gocmpp#2 (the time without its zero in front fails the authenticator),
/// JoeCao/cmpp-gateway#5 (fields of 2.0 and 3.0 differ), hujm2023/go-sms-protocol#26 (the content
/// is octets, no text), Lihuanghe/SMSGate#41 (a report must be asked for).
#[tokio::test(flavor = "multi_thread")]
async fn what_we_send_is_what_the_tables_say() {
    for new in [false, true] {
        let carrier = RawGateway::start().await;
        let mut ours = carrier.gateway(if new { "" } else { "version = \"2.0\"" });
        let mut session = carrier.connect(new).await;
        let to = || vec!["13800138000".to_owned()];

        let short = ours.submit_text("Hello @ [x]");
        let submitted = session.take(u64::MAX).await;
        let expected = Submitted {
            part: (1, 1),
            report: 1,
            udhi: 0,
            format: 0,
            to: to(),
            content: b"Hello @ [x]".to_vec(),
        };
        assert_eq!(submitted, expected);
        assert_eq!(short.await.unwrap(), accepted(u64::MAX));

        let chinese = ours.submit(vec![message("+852 6123 4567", "请评价😀")]);
        let submitted = session.take(2).await;
        let (to_abroad, content) = (vec!["85261234567".to_owned()], ucs2("请评价😀"));
        assert_eq!(submitted, Submitted { format: 8, to: to_abroad, content, ..expected });
        assert_eq!(chinese.await.unwrap(), accepted(2));

        // A part of a long message, as the sending service submits it.
        let text = "您".repeat(100);
        for number in [1, 2] {
            let part = Some(MessagePart { number, total: 2, reference: 77 });
            let parts = 2;
            let one =
                ours.submit(vec![OutgoingMessage { part, parts, ..message("13800138000", &text) }]);
            let submitted = session.take(10 + u64::from(number)).await;
            let text = ucs2(&"您".repeat(if number == 1 { 67 } else { 33 }));
            let content = [&[5, 0, 3, 77, 2, number], text.as_slice()].concat();
            let expected =
                Submitted { part: (2, number), report: 1, udhi: 1, format: 8, to: to(), content };
            assert_eq!(submitted, expected);
            assert_eq!(one.await.unwrap(), accepted(10 + u64::from(number)));
        }
        // A long message at once.
        let whole = ours.submit_text(&text);
        let (first, second) = (session.take(21).await, session.take(22).await);
        assert_eq!((first.part, second.part), ((2, 1), (2, 2)));
        assert_eq!(whole.await.unwrap(), accepted(22));

        // 7.4.7: a header alone, and one octet.
        session.write(ACTIVE_TEST, 99, &[]).await;
        let tested = session.read().await;
        assert_eq!(tested, Raw { command: ACTIVE_TEST | ANSWER, sequence: 99, body: vec![0] });

        session.report(22, "DELIVRD", "13800138000").await;
        assert_eq!(ours.next().await, "receipt 22 delivered");
        session.is_taken(1022).await;

        // 7.4.2
        let gateway = ours.gateway.clone();
        let closing = tokio::spawn(async move { gateway.close().await });
        let terminate = session.read().await;
        assert_eq!((terminate.command, terminate.body.as_slice()), (TERMINATE, &b""[..]));
        session.write(TERMINATE | ANSWER, terminate.sequence, &[]).await;
        closing.await.unwrap();
    }
}

/// One text to several, with one answer and one id; the report names the recipient.
#[tokio::test(flavor = "multi_thread")]
async fn several_recipients_of_one_submit() {
    for new in [false, true] {
        let carrier = RawGateway::start().await;
        let version = if new { "batch = 99" } else { "batch = 99\nversion = \"2.0\"" };
        let mut ours = carrier.gateway(version);
        let mut session = carrier.connect(new).await;
        assert_eq!(ours.gateway.capabilities().batch, 99);
        let batch = || (0..99).map(|n| message(&format!("138001380{n:02}"), "请评价")).collect();
        let submitting = ours.submit(batch());
        let submitted = session.take(5).await;
        let numbers: Vec<String> = (0..99).map(|n| format!("138001380{n:02}")).collect();
        assert_eq!((submitted.to, submitted.content), (numbers, ucs2("请评价")));
        assert_eq!(submitting.await.unwrap(), accepted(5));
        session.report(5, "UNDELIV", "13800138042").await;
        assert_eq!(ours.next().await, "receipt 5 13800138042 undelivered UNDELIV");

        session.is_taken(1005).await;
        for (result, outcome) in [
            (13, SubmitOutcome::BatchRefused),
            (8, SubmitOutcome::Throttled { code: "result_8".into(), retry_after: None }),
        ] {
            let submitting = ours.submit(batch());
            let submit = session.read().await;
            session.answer(&submit, 0, result).await;
            assert_eq!(submitting.await.unwrap(), outcome);
        }
    }
}

/// 7.4.5.1. Parts of a long reply come in any order (Lihuanghe/SMSGate#34); the ends of octet
/// strings are cut (yedamao/go_cmpp#1), and some fields with them (SMSGate's decoder tells of a
/// gateway whose 3.0 reports are eleven octets short).
#[tokio::test(flavor = "multi_thread")]
async fn receipts_and_replies() {
    for new in [false, true] {
        let carrier = RawGateway::start().await;
        let mut ours = carrier.gateway(if new { "" } else { "version = \"2.0\"" });
        let mut session = carrier.connect(new).await;
        for (id, [udhi, format], octets, expected) in [
            (1, [0, 0], b"R".to_vec(), ": R"),
            (2, [0, 8], ucs2("退订"), ": 退订"),
            (3, [0, 15], gb18030("别再发了"), ": 别再发了"),
            (4, [0, 0], gb18030("退订"), ": 退订"),
            (5, [0, 9], ucs2("好"), ": 好"),
            (6, [1, 8], [&[5, 0, 3, 1, 2, 2][..], &ucs2("订")].concat(), " 2/2: 订"),
            (7, [1, 8], [&[6, 8, 4, 0, 1, 2, 1][..], &ucs2("退")].concat(), " 1/2: 退"),
            (8, [0, 4], b"TD".to_vec(), ": TD"),
        ] {
            session.deliver(id, "13800138000", [udhi, format, 0], &octets).await;
            assert_eq!(ours.next().await, format!("reply of 13800138000{expected}"));
            session.is_taken(id).await;
        }
        session.report(11, "MK:0012", "13800138000").await;
        assert_eq!(ours.next().await, "receipt 11 undelivered MK:0012");
        session.is_taken(1011).await;
        // Not final: taken, and nothing more.
        session.report(12, "UNKNOWN", "13800138000").await;
        session.is_taken(1012).await;

        // Eleven octets short, with and without what follows.
        let mut text = 13u64.to_be_bytes().to_vec();
        text.extend(b"DELIVRD26112620302611262031");
        text.extend(filled("13800138000", 21));
        text.extend([0, 0, 0, 9]);
        let mut body = 1013u64.to_be_bytes().to_vec();
        body.extend(filled("106900001234", 31));
        body.extend([0, 0, 0]);
        body.extend(filled("13800138000", if new { 32 } else { 21 }));
        body.extend(if new { vec![0, 1, 60] } else { vec![1, 60] });
        body.extend(&text);
        session.write(DELIVER, 1013, &body).await;
        assert_eq!(ours.next().await, "receipt 13 delivered");
        session.is_taken(1013).await;

        // One that cannot be read is answered with 1, so that it does not come for ever.
        session.write(DELIVER, 1014, &body[..40]).await;
        let refused = session.read().await;
        assert_eq!((refused.command, refused.sequence), (DELIVER | ANSWER, 1014));
        let expected = [&1013u64.to_be_bytes()[..], &session.status(1)].concat();
        assert_eq!(refused.body, expected);
        // What is not known has no answer, and the connection is still in use.
        session.write(0x77, 1015, b"abc").await;
        session.deliver(9, "13800138000", [0, 0, 0], b"8").await;
        assert_eq!(ours.next().await, "reply of 13800138000: 8");
        session.is_taken(9).await;
    }
}

/// What is not on disk is not answered, so that it comes again (6.1).
#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_is_not_stored_is_not_answered() {
    let carrier = RawGateway::start().await;
    let mut ours = Ours::open(&carrier.definition(""), "900001", false);
    let mut session = carrier.connect(true).await;
    session.deliver(1, "13800138000", [0, 0, 0], b"R").await;
    assert_eq!(ours.next().await, "reply of 13800138000: R");
    session.write(ACTIVE_TEST, 2, &[]).await;
    let next = session.read().await;
    assert_eq!((next.command, next.sequence), (ACTIVE_TEST | ANSWER, 2));
    let nothing = timeout(Duration::from_millis(500), session.read_any()).await;
    assert!(nothing.is_err(), "{nothing:?}");
}

/// bigwhite/gocmpp#3: answers are matched by their sequence, whatever comes between them.
#[tokio::test(flavor = "multi_thread")]
async fn answers_in_another_order() {
    let carrier = RawGateway::start().await;
    let ours = carrier.gateway("");
    let mut session = carrier.connect(true).await;
    let first = ours.submit_text("first");
    let submit_1 = session.read().await;
    let second = ours.submit_text("second");
    let submit_2 = session.read().await;
    assert_ne!(submit_1.sequence, submit_2.sequence);
    session.answer(&submit_2, 2, 0).await;
    session.write(ACTIVE_TEST, 5, &[]).await;
    session.answer(&submit_1, 1, 0).await;
    assert_eq!((first.await.unwrap(), second.await.unwrap()), (accepted(1), accepted(2)));
}

/// yangyifeng01/pycmpp#3: after CMPP_TERMINATE, or a lost connection, we connect again. What was
/// sent and not answered is in doubt.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_ends() {
    let carrier = RawGateway::start().await;
    let ours = carrier.gateway("");
    let mut session = carrier.connect(true).await;
    let before = ours.submit_text("before");
    let submit = session.read().await;
    session.write(TERMINATE, 5, &[]).await;
    let answer = session.read().await;
    assert_eq!(answer, Raw { command: TERMINATE | ANSWER, sequence: 5, body: Vec::new() });
    session.answer(&submit, 1, 0).await;
    assert_eq!(before.await.unwrap(), accepted(1));
    assert_eq!(session.read_or_end().await, None, "nothing after it");

    let mut session = carrier.connect(true).await;
    let lost = ours.submit_text("lost");
    session.read().await;
    drop(session);
    let expected = SubmitOutcome::InDoubt { code: "connection_lost".into() };
    assert_eq!(lost.await.unwrap(), expected);

    let mut session = carrier.connect(true).await;
    let silent = ours.submit_text("silent");
    session.read().await;
    assert_eq!(silent.await.unwrap(), SubmitOutcome::InDoubt { code: "timeout".into() });
    let after = ours.submit_text("after");
    session.take(2).await;
    assert_eq!(after.await.unwrap(), accepted(2));
}

/// 6.1: three CMPP_ACTIVE_TEST without an answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_only_half_open() {
    let carrier = RawGateway::start().await;
    let _ours = carrier.gateway("active_test_every = \"1s\"");
    let mut silent = carrier.connect(true).await;
    for _ in 0..3 {
        let test = silent.read_any().await.unwrap();
        assert_eq!((test.command, test.body.as_slice()), (ACTIVE_TEST, &b""[..]));
    }
    assert_eq!(silent.read_any().await, None, "it is left");
    let mut session = carrier.connect(true).await;
    // An answer without the reserved octet is one, too.
    for _ in 0..5 {
        let test = session.read_any().await.unwrap();
        assert_eq!(test.command, ACTIVE_TEST);
        session.write(ACTIVE_TEST | ANSWER, test.sequence, &[]).await;
    }
}

/// flyingfisher/node-cmpp-3#3, bigwhite/gocmpp#13: a refused account is named, others pass.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_refused() {
    for new in [false, true] {
        for (status, expected) in [
            (1, "connect_1_structure"),
            (2, "connect_2_source_address"),
            (3, "connect_3_authentication"),
            (4, "connect_4_version"),
        ] {
            let carrier = RawGateway::start().await;
            let version = if new { "version = \"3.0\"" } else { "version = \"2.0\"" };
            let ours = carrier.gateway(version);
            let (mut session, connect) = carrier.meet(new, "900001").await;
            session.welcome(&connect, status).await;
            let submitted = ours.submit_text("x").await.unwrap();
            assert_eq!(submitted, SubmitOutcome::AccountFailure { code: expected.into() });
        }
    }
    // «Other errors»: too many connections, for instance.
    let carrier = RawGateway::start().await;
    let ours = carrier.gateway("");
    let (mut session, connect) = carrier.meet(true, "900001").await;
    session.welcome(&connect, 5).await;
    let submitted = ours.submit_text("x").await.unwrap();
    assert_eq!(submitted, SubmitOutcome::TemporaryFailure { code: "no_connection".into() });
    let mut session = carrier.connect(true).await;
    let submitted = ours.submit_text("x");
    session.take(1).await;
    assert_eq!(submitted.await.unwrap(), accepted(1));
}

/// bigwhite/gocmpp#13: an account of fewer than six characters.
#[tokio::test(flavor = "multi_thread")]
async fn a_short_account() {
    let carrier = RawGateway::start().await;
    let _ours = Ours::open(&carrier.definition(""), "9001", true);
    carrier.meet(true, "9001").await;
}

/// bigwhite/gocmpp#2: «protocol version is too high». JoeCao/cmpp-gateway#5: many gateways know 2.0
/// only.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_of_the_older_version() {
    // It says so in its own form, or in ours.
    for answers_new in [true, false] {
        let carrier = RawGateway::start().await;
        let ours = carrier.gateway("version = \"auto\"");
        let (mut session, connect) = carrier.meet(true, "900001").await;
        session.new = answers_new;
        session.welcome(&connect, 4).await;
        let mut session = carrier.connect(false).await;
        let submitted = ours.submit_text("x");
        session.take(1).await;
        assert_eq!(submitted.await.unwrap(), accepted(1));
        // It is remembered.
        drop(session);
        carrier.connect(false).await;
    }
    // Or it takes any version, and speaks 2.0.
    let carrier = RawGateway::start().await;
    let ours = carrier.gateway("");
    let (mut session, connect) = carrier.meet(true, "900001").await;
    session.new = false;
    session.welcome(&connect, 0).await;
    let submitted = ours.submit_text("x");
    session.take(1).await;
    assert_eq!(submitted.await.unwrap(), accepted(1));
}

/// A length that cannot be: the framing is lost, so we connect again.
#[tokio::test(flavor = "multi_thread")]
async fn a_length_that_cannot_be() {
    let carrier = RawGateway::start().await;
    let _ours = carrier.gateway("");
    for length in [0x8000_0009_u32, 4, 4097] {
        let mut session = carrier.connect(true).await;
        let head = [length, DELIVER, 1].map(u32::to_be_bytes).concat();
        session.stream.write_all(&head).await.unwrap();
        assert_eq!(session.read_or_end().await, None, "{length}");
    }
    carrier.connect(true).await;
}

const SECRET: (&str, &str) = ("FIELDWORKD_GATEWAY__SIMULATOR__SECRET", "secret");

/// By the daemon: receipts settle messages, one of them before its answer; «R» opts out, in every
/// coding; the password is in no log.
#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_over_cmpp() {
    const PEOPLE: usize = 6;
    let carrier = RawGateway::start().await;
    let change = |config: &mut String, gateway: &mut String| {
        // The link is so long that each message has three parts.
        let host = format!("https://{}.{}.example\" #", "a".repeat(50), "b".repeat(45));
        *config = config
            .replace("in_flight = 8", "in_flight = 4\nuser = \"900001\"")
            .replace("public_url = \"http:", &format!("public_url = \"{host}"))
            .replace("in_doubt_after = \"3s\"", "in_doubt_after = \"30s\"");
        *gateway = carrier.definition("batch = 99").replace("\"3s\"", "\"30s\"");
    };
    let people = Scenario::faultless(1, 100);
    for (engine, deployment) in
        Deployment::with_config(PEOPLE, &people, 20, &change).await.into_iter().enumerate()
    {
        let new = engine == 0;
        let daemon = deployment.start_daemon(&[SECRET]).await;
        let (mut session, connect) = carrier.meet(true, "900001").await;
        session.new = new;
        session.welcome(&connect, 0).await;
        let mut parts: BTreeMap<String, Vec<Submitted>> = BTreeMap::new();
        let mut reports = Vec::new();
        let mut id = 0;
        let mut is_early_taken = false;
        while parts.values().map(Vec::len).sum::<usize>() < 3 * PEOPLE || !is_early_taken {
            let raw = session.read().await;
            if raw.command == DELIVER | ANSWER {
                assert_eq!((raw.sequence, raw.body[7..9].to_vec()), (1001, vec![233, 0]));
                is_early_taken = true;
                continue;
            }
            let submit = Submitted::check(&raw, new);
            id += 1;
            let to = submit.to[0].clone();
            assert_eq!((submit.report, submit.part.0), (1, 3), "each part has its report");
            if reports.is_empty() {
                // The report comes before the answer.
                session.report(id, "DELIVRD", &to).await;
            }
            session.answer(&raw, id, 0).await;
            reports.push((id, to.clone()));
            parts.entry(to).or_default().push(submit);
        }
        for (id, to) in &reports[1..] {
            session.report(*id, "DELIVRD", to).await;
            session.is_taken(id + 1000).await;
        }
        for of_one in parts.values_mut() {
            of_one.sort_by_key(|part| part.part.1);
            let octets: Vec<u8> =
                of_one.iter().flat_map(|part| part.content[6..].to_vec()).collect();
            let units: Vec<u16> =
                octets.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
            let text = String::from_utf16(&units).unwrap();
            assert!(text.starts_with("【质协】受访者") && text.ends_with("退订回T"), "{text}");
        }
        wait_until("all are delivered", async || {
            count(&deployment.states().await, "delivered") as usize == PEOPLE
        })
        .await;
        let numbers: Vec<&String> = parts.keys().collect();
        for (nth, (format, octets)) in
            [(0, b"R".to_vec()), (8, ucs2("退订")), (15, gb18030("请不要再发了，退订"))]
                .iter()
                .enumerate()
        {
            session.deliver(500 + nth as u64, numbers[nth], [0, *format, 0], octets).await;
            session.is_taken(500 + nth as u64).await;
        }
        let listed = deployment.command_line(&["suppress", "list", "--json"]).output().unwrap();
        let opt_outs = String::from_utf8_lossy(&listed.stdout).matches("opt_out").count();
        assert_eq!(opt_outs, 3, "{}", deployment.url);
        daemon.signal("TERM");
        let terminate = session.read().await;
        assert_eq!(terminate.command, TERMINATE);
        session.write(TERMINATE | ANSWER, terminate.sequence, &[]).await;
        assert_eq!(daemon.wait_for_exit(), Some(0));
        assert!(!deployment.log().contains("secret") && !deployment.log().contains("138100000"));
    }
}

/// The simulator's CMPP: the same people as over HTTP.
#[tokio::test(flavor = "multi_thread")]
async fn the_simulated_carrier_speaks_cmpp() {
    for version in ["2.0", "3.0"] {
        let clock = Arc::new(VirtualClock::starting_at(Timestamp(1_772_413_200_000)));
        let scenario = Scenario {
            secret: "secret".into(),
            people: PeopleScenario { replies_opt_out: 1.0, ..PeopleScenario::silent() },
            ..Scenario::faultless(1, 100)
        };
        let any = "127.0.0.1:0".parse().unwrap();
        let simulator = Simulator::start(any, scenario, clock.clone()).await.unwrap();
        let address = simulator.listen_cmpp(0).await.unwrap();
        let definition = format!(
            "kind = \"cmpp\"\naddress = \"{address}\"\nservice_id = \"SURVEY\"\nbatch = 2\n\
             source = \"106900001234\"\nversion = \"{version}\"\n"
        );
        let mut ours = Ours::open(&definition, "900001", true);
        let text = |n: usize| format!("{}http://127.0.0.1:1/i/abc{n} 拒收请回复R", "请".repeat(60));
        let mut ids = Vec::new();
        for n in 0..3 {
            let sent = message(&format!("1380013800{n}"), &text(n));
            match ours.submit(vec![sent]).await.unwrap() {
                SubmitOutcome::Accepted { id: Some(id) } => ids.push(id),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(simulator.record().accepted.len(), 3);
        let mut heard = Vec::new();
        for _ in 0..24 * 60 {
            clock.advance_to(clock.now() + Duration::from_secs(60));
            simulator.tick().await;
            while let Ok(line) = ours.heard.try_recv() {
                heard.push(line);
            }
        }
        for (n, id) in ids.iter().enumerate() {
            let receipt = format!("receipt {id} 1380013800{n} delivered");
            let reply = format!("reply of 1380013800{n}: ");
            assert!(heard.contains(&receipt), "{receipt}: {heard:?}");
            assert!(heard.iter().any(|line| line.starts_with(&reply)), "{reply}: {heard:?}");
        }
        // Two parts of each message are reported.
        assert_eq!((heard.len(), simulator.record().duplicates()), (9, 0));
    }
}
