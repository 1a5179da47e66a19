//! What SMSCs have been reported to send, in answers and on the wire.

use super::*;

fn temporary(code: &str) -> SubmitOutcome {
    SubmitOutcome::TemporaryFailure { code: code.into() }
}

fn accepted(id: Option<&str>) -> SubmitOutcome {
    SubmitOutcome::Accepted { id: id.map(str::to_owned) }
}

/// The body of an answer to a submit may be missing or present with any status
/// (twitter-archive/cloudhopper-smpp#31, funbox/smppex#6, jookies/jasmin#128), have parameters
/// behind it (farhadi/node-smpp#65), or be cut: the status decides, and an id is taken if there is
/// one.
#[tokio::test(flavor = "multi_thread")]
async fn answers_to_a_submit_of_every_shape() {
    let smsc = RawSmsc::start().await;
    let ours = smsc.gateway("");
    let mut session = smsc.bind(0).await;
    let long = [&b"9".repeat(80)[..], &[0]].concat();
    for (status, body, expected) in [
        (0x08, &b""[..], temporary("EsmeRsyserr")),
        (0x0a, b"00000000\0", SubmitOutcome::AccountFailure { code: "EsmeRinvsrcadr".into() }),
        (
            0x0b,
            b"0A000000A3D323A1\0",
            SubmitOutcome::RefusedNumber { code: "EsmeRinvdstadr".into() },
        ),
        // No id, but a parameter: delivery_failure_reason.
        (0x45, &[0x04, 0x25, 0, 1, 2], temporary("EsmeRsubmitfail")),
        (
            0x58,
            b"\0",
            SubmitOutcome::Throttled { code: "EsmeRthrottled".into(), retry_after: None },
        ),
        // Not NUL at the end.
        (0x08, b"error text", temporary("EsmeRsyserr")),
        (0x00, b"7\0", accepted(Some("7"))),
        (0x00, b"7\0\x04\x25\0\x01\x02", accepted(Some("7"))),
        // Of the vendor; and one that says that it is longer than it is.
        (0x00, b"7\0\x14\x01\0\x02ab", accepted(Some("7"))),
        (0x00, b"7\0\x14\x01\0\x09ab", accepted(Some("7"))),
        (0x00, b"7\0\0", accepted(Some("7"))),
        (0x00, b"7", accepted(Some("7"))),
        (0x00, b"", accepted(None)),
        (0x00, b"\0", accepted(None)),
        // Longer than 5.2.23 allows.
        (0x00, &long, accepted(None)),
    ] {
        let submitted = ours.submit("hello");
        let submit = session.read().await;
        session.write(SUBMIT_SM | RESPONSE, status, submit.sequence, body).await;
        assert_eq!(submitted.await.unwrap(), expected, "{status:#x} {body:?}");
    }
}

/// mozes/smpp.pdu#6 and onlinecity/php-smpp#38: a refusal without a body; jookies/jasmin#124: one
/// with an empty name; farhadi/node-smpp#36: sc_interface_version behind the name.
#[tokio::test(flavor = "multi_thread")]
async fn answers_to_a_bind_of_every_shape() {
    for (status, body, code) in [
        (0x0d, &b""[..], Some("EsmeRbindfail")),
        (0x53, b"\0", Some("EsmeRinvsystyp")),
        (0x00, b"\0\x02\x10\0\x01\x50", None),
        (0x00, b"smsc\0\x02\x10\0\x01\x34\x14\0\0\x01\x01", None),
        (0x00, b"", None),
        (0x00, b"smsc", None),
    ] {
        let smsc = RawSmsc::start().await;
        let ours = smsc.gateway("");
        let mut session = smsc.accept().await;
        let bind = session.read().await;
        let submitted = ours.submit("hello");
        session.write(BIND_TRANSCEIVER | RESPONSE, status, bind.sequence, body).await;
        let expected = match code {
            Some(code) => SubmitOutcome::AccountFailure { code: code.into() },
            None => {
                session.take("1").await;
                accepted(Some("1"))
            }
        };
        assert_eq!(submitted.await.unwrap(), expected, "{status:#x} {body:?}");
    }
}

/// joaogervasoni/smppjs#58: several PDUs come in one segment; ajankovic/smpp#8: or one in many.
#[tokio::test(flavor = "multi_thread")]
async fn pdus_cut_and_joined_by_the_network() {
    let smsc = RawSmsc::start().await;
    let mut ours = smsc.gateway("");
    let mut session = smsc.bind(0).await;
    let head = b"\0\x01\x018613800138000\0\x01\x0110690000\0\0\0\0\0\0\0\0\0\0";
    let delivery = |number: u32| {
        let text = format!("reply {number}");
        let body = [&head[..], &[text.len() as u8], text.as_bytes()].concat();
        let words = [body.len() as u32 + 16, DELIVER_SM, 0, number];
        [words.iter().flat_map(|word| word.to_be_bytes()).collect(), body].concat()
    };
    let enquire = [0, 0, 0, 16, 0, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0, 9];
    let joined = [&delivery(1)[..], &enquire, &delivery(2), &delivery(3)[..20]].concat();
    session.stream.write_all(&joined).await.unwrap();
    for octet in &delivery(3)[20..] {
        session.stream.write_all(&[*octet]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let mut heard = Vec::new();
    for _ in 0..3 {
        heard.push(ours.next().await);
    }
    assert_eq!(heard, ["reply reply 1", "reply reply 2", "reply reply 3"]);
    let mut answered = Vec::new();
    for _ in 0..4 {
        let answer = session.read().await;
        answered.push((answer.sequence, answer.id, answer.status));
    }
    answered.sort();
    let taken = DELIVER_SM | RESPONSE;
    let expected = [(1, taken, 0), (2, taken, 0), (3, taken, 0), (9, ENQUIRE_LINK | RESPONSE, 0)];
    assert_eq!(answered, expected);
}

/// The framing is lost: 0, 15, 4 GB, and what a web server answers (farhadi/node-smpp#230, #168).
/// What was sent is in doubt, and we bind again, but not at once again and again.
#[tokio::test(flavor = "multi_thread")]
async fn lengths_that_cannot_be() {
    for octets in [
        &b"\0\0\0\0\x80\0\0\x04\0\0\0\0\0\0\0\x02"[..],
        b"\0\0\0\x0f\x80\0\0\x04\0\0\0\0\0\0\0\x02",
        b"\xff\xff\xff\xff\x80\0\0\x04\0\0\0\0\0\0\0\x02",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ] {
        let smsc = RawSmsc::start().await;
        let ours = smsc.gateway("");
        let mut session = smsc.bind(0).await;
        let submitted = ours.submit("hello");
        session.read().await;
        session.stream.write_all(octets).await.unwrap();
        let expected = SubmitOutcome::InDoubt { code: "connection_lost".into() };
        assert_eq!(submitted.await.unwrap(), expected);
        let mut session = smsc.bind(0).await;
        let submitted = ours.submit("hello");
        session.take("1").await;
        assert_eq!(submitted.await.unwrap(), accepted(Some("1")));
    }
}

/// opentelecoms-org/jsmpp#166, ajankovic/smpp#3: answers that nobody waits for, under any number;
/// an answer to something else is no answer to a submit.
#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_has_asked_for() {
    let smsc = RawSmsc::start().await;
    let ours = smsc.gateway("");
    let mut session = smsc.bind(0).await;
    session.write(SUBMIT_SM | RESPONSE, 0, 4711, b"0\0").await;
    session.write(UNBIND | RESPONSE, 0, 1, b"").await;
    session.write(GENERIC_NACK, 3, 4712, b"").await;
    session.write(GENERIC_NACK, 3, 0, b"").await;
    session.write(DATA_SM | RESPONSE, 0, 0xffff_ffff, b"\0").await;
    let submitted = ours.submit("hello");
    let submit = session.read().await;
    session.write(SUBMIT_SM | RESPONSE, 0, submit.sequence + 1, b"0\0").await;
    session.write(ENQUIRE_LINK | RESPONSE, 0, submit.sequence, b"").await;
    session.write(GENERIC_NACK, 8, submit.sequence + 1, b"").await;
    session.write(SUBMIT_SM | RESPONSE, 0, submit.sequence, b"1\0").await;
    // Twice.
    session.write(SUBMIT_SM | RESPONSE, 8, submit.sequence, b"").await;
    assert_eq!(submitted.await.unwrap(), accepted(Some("1")));
    let submitted = ours.submit("hello");
    session.take("2").await;
    assert_eq!(submitted.await.unwrap(), accepted(Some("2")));
}

/// opentelecoms-org/jsmpp#63, fiorix/go-smpp#93: an answer after its time. The message stays in
/// doubt, and the answer is not taken for the next one's.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_late() {
    let smsc = RawSmsc::start().await;
    let ours = smsc.gateway("");
    let mut session = smsc.bind(0).await;
    let first = ours.submit("hello");
    let late = session.read().await;
    let answering = async {
        let next = session.read().await;
        assert_eq!(next.id, SUBMIT_SM);
        session.write(SUBMIT_SM | RESPONSE, 0, late.sequence, b"1\0").await;
        session.write(SUBMIT_SM | RESPONSE, 0, next.sequence, b"2\0").await;
    };
    let submitting = async {
        let timed_out = SubmitOutcome::InDoubt { code: "timeout".into() };
        assert_eq!(first.await.unwrap(), timed_out);
        assert_eq!(ours.submit("hello").await.unwrap(), accepted(Some("2")));
    };
    tokio::join!(answering, submitting);
}

/// opentelecoms-org/jsmpp#82: the SMSC closes instead of answering an unbind.
#[tokio::test(flavor = "multi_thread")]
async fn an_unbind_that_is_not_answered() {
    let smsc = RawSmsc::start().await;
    let ours = smsc.gateway("");
    let mut session = smsc.bind(0).await;
    let gateway = ours.gateway.clone();
    let closing = tokio::spawn(async move { gateway.close().await });
    assert_eq!(session.read().await.id, UNBIND);
    drop(session);
    timeout(Duration::from_secs(1), closing).await.expect("it ends at once").unwrap();
}

/// python-smpplib/python-smpplib#52, ajankovic/smpp#3: an answer has the number of its request, any
/// that the SMSC likes. onlinecity/php-smpp#49: that to an enquire_link is a header alone.
#[tokio::test(flavor = "multi_thread")]
async fn answers_have_the_number_of_their_request() {
    let smsc = RawSmsc::start().await;
    let mut ours = smsc.gateway("");
    let mut session = smsc.bind(0).await;
    for sequence in [0x1625_d269, 0, 0x7fff_ffff, 0xffff_ffff] {
        session.write(ENQUIRE_LINK, 0, sequence, b"").await;
        let expected = RawPdu { id: ENQUIRE_LINK | RESPONSE, status: 0, sequence, body: vec![] };
        assert_eq!(session.read().await, expected);
        session.deliver(sequence, 0, b"8").await;
        assert_eq!(ours.next().await, "reply 8");
        assert_eq!(session.read().await.sequence, sequence);
    }
}
