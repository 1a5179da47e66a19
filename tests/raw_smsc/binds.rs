//! Binds: transmitter and receiver, several sessions, versions, and how each of them may fail.

use std::collections::BTreeMap;

use super::*;

// 5.1.2.1
const BIND_RECEIVER: u32 = 0x01;
const BIND_TRANSMITTER: u32 = 0x02;

// 5.1.3
const RALYBND: u32 = 0x05;
const RBINDFAIL: u32 = 0x0d;
const RINVPASWD: u32 = 0x0e;
const RINVSYSID: u32 = 0x0f;

const PAIR: &str = "bind = \"transmitter_receiver\"";

impl RawSmsc {
    /// Accepts a connection and reads its bind.
    async fn next_bind(&self) -> (RawSession, RawPdu) {
        let mut session = self.accept().await;
        let bind = session.read_any().await.expect("a bind");
        (session, bind)
    }

    /// Accepts a connection that is bound like this, with `status`.
    async fn bind_as(&self, id: u32, status: u32) -> RawSession {
        let (mut session, bind) = self.next_bind().await;
        assert_eq!(bind.id, id);
        session.answer_bind(&bind, status).await;
        session
    }

    /// Accepts both connections of a pair.
    async fn pair(&self) -> (RawSession, RawSession) {
        (self.bind_as(BIND_TRANSMITTER, 0).await, self.bind_as(BIND_RECEIVER, 0).await)
    }

    async fn is_quiet_for(&self, time: Duration) -> bool {
        timeout(time, self.listener.accept()).await.is_err()
    }
}

impl RawSession {
    async fn answer_bind(&mut self, bind: &RawPdu, status: u32) {
        let body: &[u8] = if status == 0 { b"smsc\0" } else { b"" };
        self.write(bind.id | RESPONSE, status, bind.sequence, body).await;
    }

    /// Answers enquire_links and takes submits, until it is dropped.
    fn serve(mut self) -> Served {
        let (say, submits) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            while let Some(pdu) = self.read_or_end().await {
                self.write(pdu.id | RESPONSE, 0, pdu.sequence, b"1\0").await;
                let _ = say.send(pdu);
            }
        });
        Served { requests: submits, task }
    }
}

struct Served {
    requests: mpsc::UnboundedReceiver<RawPdu>,
    task: JoinHandle<()>,
}

impl Served {
    async fn next(&mut self) -> RawPdu {
        timeout(PATIENCE, self.requests.recv()).await.expect("a request").expect("it is open")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn accepted() -> SubmitOutcome {
    SubmitOutcome::Accepted { id: Some("1".into()) }
}

fn is_temporary(outcome: &SubmitOutcome) -> bool {
    matches!(outcome, SubmitOutcome::TemporaryFailure { .. })
}

/// Submits until one is accepted; the others fail temporarily.
async fn submit_until_accepted(ours: &Ours) {
    wait_until("a submit is accepted", async || {
        let outcome = ours.submit("hello").await.unwrap();
        assert!(outcome == accepted() || is_temporary(&outcome), "{outcome:?}");
        outcome == accepted()
    })
    .await;
}

/// 4.1.1, 4.1.3, 4.1.5: the three binds octet by octet, in each version (5.2.4).
#[tokio::test(flavor = "multi_thread")]
async fn binds_of_every_kind_and_version() {
    for (version, octet) in [("", 0x34), ("3.4", 0x34), ("5.0", 0x50), ("3.3", 0x33)] {
        let line = match version {
            "" => String::new(),
            _ => format!("interface_version = \"{version}\"\n"),
        };
        for (bind, ids) in [
            ("", &[BIND_TRANSCEIVER][..]),
            ("bind = \"transceiver\"", &[BIND_TRANSCEIVER]),
            (PAIR, &[BIND_TRANSMITTER, BIND_RECEIVER]),
        ] {
            let smsc = RawSmsc::start().await;
            let ours = smsc.gateway(&format!("system_type = \"VMA\"\n{line}{bind}"));
            let mut sessions = Vec::new();
            for id in ids {
                let (mut session, pdu) = smsc.next_bind().await;
                assert_eq!((pdu.id, pdu.status), (*id, 0));
                let mut body = b"fieldwork\0secret\0VMA\0".to_vec();
                body.extend([octet, 0, 0, 0]);
                assert_eq!(pdu.body, body, "{version} {bind}");
                session.answer_bind(&pdu, 0).await;
                sessions.push(session);
            }
            let submitted = ours.submit("hello");
            sessions[0].take("1").await;
            assert_eq!(submitted.await.unwrap(), accepted());
        }
    }
}

#[test]
fn settings_are_checked_at_load() {
    for (line, expected) in [
        ("bind = \"both\"", "bind: «both» is no way to bind; write \"transceiver\""),
        ("bind = 1", "bind: «1» is no way"),
        ("bind = \"Transceiver\"", "bind: «Transceiver» is no way"),
        ("binds = 0", "binds: «0» is no number of sessions; write a whole number from 1 to 10"),
        ("binds = 11", "binds: «11» is no number"),
        ("binds = -1", "binds: «-1» is no number"),
        ("binds = 1.5", "binds: «1.5» is no number"),
        ("binds = \"2\"", "binds: «\"2\"» is no number"),
        ("interface_version = 3.4", "interface_version: «3.4» is no version of SMPP; write"),
        ("interface_version = \"34\"", "interface_version: «34» is no version"),
        ("interface_version = \"4.0\"", "interface_version: «4.0» is no version"),
    ] {
        let definition = format!("kind = \"smpp\"\naddress = \"127.0.0.1:2775\"\n{line}");
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let problem = sms::open(&account("fieldwork", "secret", definition), &clock, "")
            .err()
            .unwrap_or_else(|| panic!("{line} is refused"));
        assert!(problem.contains(expected), "{line}: {problem}");
    }
}

/// Submits go to the transmitter, deliveries come from the receiver, or from the transmitter too
/// (fiorix/go-smpp#87). Both are unbound at the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_transmitter_and_a_receiver() {
    let smsc = RawSmsc::start().await;
    let mut ours = smsc.gateway(PAIR);
    let (mut transmitter, mut receiver) = smsc.pair().await;
    for _ in 0..3 {
        let submitted = ours.submit("hello");
        transmitter.take("1").await;
        assert_eq!(submitted.await.unwrap(), accepted());
    }
    receiver.deliver(7, 4, b"id:1 sub:001 stat:DELIVRD err:000 text:").await;
    assert_eq!(ours.next().await, "receipt 1 delivered");
    assert_eq!(receiver.read().await.sequence, 7);
    transmitter.deliver(8, 0, b"TD").await;
    assert_eq!(ours.next().await, "reply TD");
    assert_eq!(transmitter.read().await.sequence, 8);

    let gateway = ours.gateway.clone();
    let closing = tokio::spawn(async move { gateway.close().await });
    for session in [&mut transmitter, &mut receiver] {
        let unbind = session.read().await;
        assert_eq!(unbind.id, UNBIND);
        session.write(UNBIND | RESPONSE, 0, unbind.sequence, b"").await;
        assert_eq!(session.read_or_end().await, None);
    }
    closing.await.unwrap();
    let late = ours.submit("hello").await.unwrap();
    assert!(is_temporary(&late), "{late:?}");
    assert!(smsc.is_quiet_for(Duration::from_millis(1500)).await, "nothing is opened any more");
}

/// uudashr/jsmpp#19: whichever dies, the other stays as it is, and the dead one is bound again.
#[tokio::test(flavor = "multi_thread")]
async fn both_orders_of_death() {
    let smsc = RawSmsc::start().await;
    let mut ours = smsc.gateway(PAIR);
    let (transmitter, mut receiver) = smsc.pair().await;
    drop(transmitter);
    let transmitter = smsc.bind_as(BIND_TRANSMITTER, 0).await;
    receiver.deliver(1, 0, b"one").await;
    assert_eq!(ours.next().await, "reply one");
    let _transmitter = transmitter.serve();
    submit_until_accepted(&ours).await;
    drop(receiver);
    submit_until_accepted(&ours).await;
    let mut receiver = smsc.bind_as(BIND_RECEIVER, 0).await;
    receiver.deliver(2, 0, b"two").await;
    assert_eq!(ours.next().await, "reply two");
    // Both at once.
    drop((_transmitter, receiver));
    let mut again = Vec::new();
    for _ in 0..2 {
        let (mut session, bind) = smsc.next_bind().await;
        session.answer_bind(&bind, 0).await;
        again.push((bind.id, session));
    }
    again.sort_by_key(|(id, _)| *id);
    let (transmitter, mut receiver) = (again.pop().unwrap(), again.pop().unwrap());
    assert_eq!((transmitter.0, receiver.0), (BIND_TRANSMITTER, BIND_RECEIVER));
    receiver.1.deliver(3, 0, b"three").await;
    assert_eq!(ours.next().await, "reply three");
    let _transmitter = transmitter.1.serve();
    submit_until_accepted(&ours).await;
}

/// uudashr/jsmpp#34: a receiver that is silent after some hours, beside a transmitter that works.
/// linxGnu/gosmpp#159: it is closed, so that it does not count where a carrier allows few.
#[tokio::test(flavor = "multi_thread")]
async fn a_half_open_receiver() {
    let smsc = RawSmsc::start().await;
    let mut ours = smsc.gateway(PAIR);
    let (transmitter, mut silent) = smsc.pair().await;
    let mut transmitter = transmitter.serve();
    let mut receiver = smsc.bind_as(BIND_RECEIVER, 0).await;
    while let Some(pdu) = silent.read_any().await {
        assert_eq!(pdu.id, ENQUIRE_LINK);
    }
    receiver.deliver(1, 0, b"8").await;
    assert_eq!(ours.next().await, "reply 8");
    assert_eq!(ours.submit("hello").await.unwrap(), accepted());
    assert_eq!(transmitter.next().await.id, SUBMIT_SM);
}

/// onlinecity/php-smpp#61: a second bind of the account fails. What can be bound works.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_a_pair_cannot_be_bound() {
    let smsc = RawSmsc::start().await;
    let mut ours = smsc.gateway(PAIR);
    let transmitter = smsc.bind_as(BIND_TRANSMITTER, 0).await;
    drop(smsc.bind_as(BIND_RECEIVER, RBINDFAIL).await);
    let _transmitter = transmitter.serve();
    assert_eq!(ours.submit("hello").await.unwrap(), accepted());
    let mut receiver = smsc.bind_as(BIND_RECEIVER, 0).await;
    receiver.deliver(1, 0, b"8").await;
    assert_eq!(ours.next().await, "reply 8");

    // The other way round: refused, or never answered.
    for is_refused in [true, false] {
        let smsc = RawSmsc::start().await;
        let mut ours = smsc.gateway(PAIR);
        let (mut transmitter, bind) = smsc.next_bind().await;
        assert_eq!(bind.id, BIND_TRANSMITTER);
        if is_refused {
            transmitter.answer_bind(&bind, RBINDFAIL).await;
        }
        let mut receiver = smsc.bind_as(BIND_RECEIVER, 0).await;
        receiver.deliver(1, 0, b"8").await;
        assert_eq!(ours.next().await, "reply 8");
        let _receiver = receiver.serve();
        let _transmitter = smsc.bind_as(BIND_TRANSMITTER, 0).await.serve();
        assert_eq!(ours.submit("hello").await.unwrap(), accepted());
    }
}

/// Submits are spread; one session that drops takes its own submits with it and no others.
#[tokio::test(flavor = "multi_thread")]
async fn several_sessions() {
    let smsc = RawSmsc::start().await;
    let ours = smsc.gateway("binds = 3");
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(smsc.bind(0).await);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let submits: Vec<_> = (0..6).map(|_| ours.submit("hello")).collect();
    let mut waiting = BTreeMap::new();
    for (number, session) in sessions.iter_mut().enumerate() {
        waiting.insert(number, [session.read().await, session.read().await]);
    }
    let lost = sessions.remove(1);
    drop(lost);
    let mut again = smsc.bind(0).await;
    for (session, number) in sessions.iter_mut().zip([0, 2]) {
        for submit in &waiting[&number] {
            session.write(SUBMIT_SM | RESPONSE, 0, submit.sequence, b"1\0").await;
        }
    }
    let mut outcomes = Vec::new();
    for submit in submits {
        outcomes.push(submit.await.unwrap());
    }
    let lost = SubmitOutcome::InDoubt { code: "connection_lost".into() };
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == accepted()).count(), 4);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == lost).count(), 2, "{outcomes:?}");
    // The new one takes its share.
    let submits: Vec<_> = (0..3).map(|_| ours.submit("hello")).collect();
    again.take("1").await;
    for session in &mut sessions {
        session.take("1").await;
    }
    for submit in submits {
        assert_eq!(submit.await.unwrap(), accepted());
    }
}

/// Some carriers lock an account after a few wrong passwords: N sessions are no N attempts.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_tried_once_for_all_sessions() {
    for more in ["binds = 5", "binds = 5\nbind = \"transmitter_receiver\""] {
        let smsc = RawSmsc::start().await;
        let ours = smsc.gateway(more);
        let (mut session, bind) = smsc.next_bind().await;
        session.answer_bind(&bind, RINVPASWD).await;
        let refused = SubmitOutcome::AccountFailure { code: "EsmeRinvpaswd".into() };
        wait_until("the refusal is reported", async || {
            ours.submit("hello").await.unwrap() == refused
        })
        .await;
        let mut attempts = 0;
        let _ = timeout(Duration::from_secs(5), async {
            loop {
                let (mut session, bind) = smsc.next_bind().await;
                session.answer_bind(&bind, RINVPASWD).await;
                attempts += 1;
            }
        })
        .await;
        assert!((1..=2).contains(&attempts), "after 1 and 3 seconds: {attempts}");
    }
}

/// «Already bound», or another refusal, while others are up: the carrier allows fewer sessions
/// (jookies/jasmin#673, MikeSafonov/spring-boot-starter-smpp#83). No message fails.
#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_that_allows_fewer_sessions() {
    for status in [RALYBND, RINVSYSID, RBINDFAIL] {
        let smsc = RawSmsc::start().await;
        let ours = smsc.gateway("binds = 4");
        let (_one, _two) = (smsc.bind(0).await.serve(), smsc.bind(0).await.serve());
        let mut refused = 0;
        let refusing = timeout(Duration::from_secs(5), async {
            loop {
                smsc.bind(status).await;
                refused += 1;
            }
        });
        let submitting = async {
            for _ in 0..50 {
                assert_eq!(ours.submit("hello").await.unwrap(), accepted());
                tokio::time::sleep(Duration::from_millis(80)).await;
            }
        };
        let _ = tokio::join!(refusing, submitting);
        assert!((2..=6).contains(&refused), "both back off: {refused}");
    }
}

/// farhadi/node-smpp#36, python-smpplib/python-smpplib#118: closed right after the bind's answer.
#[tokio::test(flavor = "multi_thread")]
async fn an_smsc_that_closes_after_each_bind() {
    for (more, most) in [("", 4), (PAIR, 8)] {
        let smsc = RawSmsc::start().await;
        let ours = smsc.gateway(more);
        let mut count = 0;
        let counting = timeout(Duration::from_secs(5), async {
            loop {
                let (mut session, bind) = smsc.next_bind().await;
                session.answer_bind(&bind, 0).await;
                count += 1;
            }
        });
        let submitting = async {
            for _ in 0..90 {
                let outcome = ours.submit("hello").await.unwrap();
                let in_doubt = matches!(outcome, SubmitOutcome::InDoubt { .. });
                assert!(in_doubt || is_temporary(&outcome), "{outcome:?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let _ = tokio::join!(counting, submitting);
        assert!((2..=most).contains(&count), "{more}: {count} binds in 5 seconds");
    }
}

/// jookies/jasmin#1139, ukarim/smscsim#12: the bind is never answered. mozes/smpp.pdu#7: nothing is
/// sent before it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_bind_that_is_never_answered() {
    let smsc = RawSmsc::start().await;
    let ours = smsc.gateway("binds = 3");
    let (mut silent, _) = smsc.next_bind().await;
    let submitted = ours.submit("hello");
    assert_eq!(silent.read_any().await, None, "no enquire_link; it is closed");
    let outcome = timeout(Duration::from_secs(1), submitted).await.unwrap().unwrap();
    assert_eq!(outcome, SubmitOutcome::TemporaryFailure { code: "no_connection".into() });
    let _one = smsc.bind(0).await.serve();
    submit_until_accepted(&ours).await;
    // Others that are never answered keep no submit waiting.
    let (_silent, _) = smsc.next_bind().await;
    assert_eq!(
        timeout(Duration::from_secs(1), ours.submit("a")).await.unwrap().unwrap(),
        accepted()
    );
}

/// 4.3: praekeltfoundation/vumi#404, funbox/smppex#58: a generic_nack answers a submit.
#[tokio::test(flavor = "multi_thread")]
async fn a_submit_that_is_answered_by_generic_nack() {
    let smsc = RawSmsc::start().await;
    let definition = smsc.definition("").replace("\"2s\"", "\"60s\"");
    let ours = Ours::start(account("fieldwork", "secret", definition));
    let mut session = smsc.bind(0).await;
    for (status, expected) in [
        (0x01, SubmitOutcome::RefusedMessage { code: "EsmeRinvmsglen".into() }),
        (0x02, SubmitOutcome::TemporaryFailure { code: "EsmeRinvcmdlen".into() }),
        (0x03, SubmitOutcome::TemporaryFailure { code: "EsmeRinvcmdid".into() }),
        (0x58, SubmitOutcome::Throttled { code: "EsmeRthrottled".into(), retry_after: None }),
        // It says nothing.
        (0x00, SubmitOutcome::InDoubt { code: "answer_unreadable".into() }),
    ] {
        let submitted = ours.submit("hello");
        let submit = session.read().await;
        session.write(GENERIC_NACK, status, submit.sequence, b"").await;
        assert_eq!(timeout(PATIENCE, submitted).await.unwrap().unwrap(), expected, "{status}");
    }
    // The number of the request could not be read: it may be any. What is answered is answered.
    let submits = [ours.submit("one"), ours.submit("two")];
    let first = session.read().await;
    session.read().await;
    session.write(GENERIC_NACK, 2, 0, b"").await;
    session.write(SUBMIT_SM | RESPONSE, 0, first.sequence, b"1\0").await;
    let mut outcomes = Vec::new();
    for submit in submits {
        outcomes.push(timeout(PATIENCE, submit).await.unwrap().unwrap());
    }
    assert!(outcomes.contains(&accepted()), "{outcomes:?}");
    assert!(
        outcomes.contains(&SubmitOutcome::InDoubt { code: "connection_lost".into() }),
        "{outcomes:?}"
    );
    smsc.bind(0).await;
}

/// jookies/jasmin#1059: a generic_nack without a number answers a bind. 0x03 is an SMSC of SMPP 3.3,
/// which knows no transceivers.
#[tokio::test(flavor = "multi_thread")]
async fn a_bind_that_is_answered_by_generic_nack() {
    for (status, has_number, code) in [
        (0x03, true, Some("EsmeRinvcmdid")),
        (0x03, false, Some("EsmeRinvcmdid")),
        (0x04, false, None),
        (0x00, true, None),
    ] {
        let smsc = RawSmsc::start().await;
        let definition = smsc.definition("").replace("\"2s\"", "\"60s\"");
        let ours = Ours::start(account("fieldwork", "secret", definition));
        let (mut session, bind) = smsc.next_bind().await;
        let submitted = ours.submit("hello");
        let number = if has_number { bind.sequence } else { 0 };
        session.write(GENERIC_NACK, status, number, b"").await;
        let expected = match code {
            Some(code) => SubmitOutcome::AccountFailure { code: code.into() },
            None => SubmitOutcome::TemporaryFailure { code: "no_connection".into() },
        };
        assert_eq!(timeout(PATIENCE, submitted).await.unwrap().unwrap(), expected, "{status}");
        let _session = smsc.bind(0).await.serve();
        assert_eq!(ours.submit("hello").await.unwrap(), accepted());
    }
}
