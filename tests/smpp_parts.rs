//! Long messages at an SMSC: each part is a submit of its own, which the rate counts, which is sent
//! again alone, and which has a receipt of its own. The daemon as a process, against the SMSC of
//! `raw_smsc`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fieldworkd::simulation::Scenario;

use crate::common::deployment::{Deployment, count, wait_until};
use crate::raw_smsc::{RawPdu, RawSession, RawSmsc, SUBMIT_SM, submitted_part};
use crate::smsc::{SECRET, use_account};

const THROTTLED: u32 = 0x58;
const QUEUE_FULL: u32 = 0x14;
const RATE: u32 = 10;
const PARTS: usize = 3;

/// A deployment whose links are so long that each message has three parts.
async fn deployments(smsc: &RawSmsc, people: usize, more: &str) -> Vec<Deployment> {
    let change = |config: &mut String, gateway: &mut String| {
        use_account(config);
        let host = format!("https://{}.{}.example\" #", "a".repeat(50), "b".repeat(45));
        *config = config
            .replace("public_url = \"http:", &format!("public_url = \"{host}"))
            .replace("in_doubt_after = \"3s\"", "in_doubt_after = \"30s\"");
        *gateway = smsc.definition(more).replace("\"2s\"", "\"30s\"");
    };
    Deployment::with_config(people, &Scenario::faultless(1, 100), RATE, &change).await
}

/// A part that has arrived: when, the message (number and reference), and which part it is.
type Arrived = (Instant, (String, u8), u8);

/// Answers submits until each of `messages` has all its parts, with what `status` says of the part
/// that arrives for the n-th time; ids are `MESSAGE-PART`.
async fn take_parts(
    session: &mut RawSession,
    messages: usize,
    mut status: impl FnMut(usize, u8, usize) -> u32,
) -> (Vec<Arrived>, BTreeMap<(String, u8), Vec<String>>) {
    let (mut arrived, mut taken) = (Vec::<Arrived>::new(), BTreeMap::<_, Vec<String>>::new());
    let mut order = Vec::new();
    while taken.values().filter(|ids| ids.len() == PARTS).count() < messages {
        let submit: RawPdu = session.read().await;
        assert_eq!(submit.id, SUBMIT_SM);
        let (to, reference, total, number) = submitted_part(&submit);
        assert_eq!(usize::from(total), PARTS);
        let message = (to, reference);
        if !order.contains(&message) {
            order.push(message.clone());
        }
        let nth = order.iter().position(|known| *known == message).unwrap();
        let before = arrived.iter().filter(|(_, of, n)| *of == message && *n == number).count();
        arrived.push((Instant::now(), message.clone(), number));
        let status = status(nth, number, before);
        let id = format!("m{nth}-{number}");
        session.answer_submit(&submit, status, &id).await;
        if status == 0 {
            taken.entry(message).or_default().push(id);
        }
    }
    (arrived, taken)
}

/// jookies/jasmin#708, AdhamAwadhi/JamaaSMPP#41, kneodev/ksmppd#6 (the rate counted messages, the
/// carrier parts); praekeltfoundation/vumi#965 (a throttled part made the whole message go again) and
/// #636 (a full queue is the same).
#[tokio::test(flavor = "multi_thread")]
async fn parts_are_what_the_rate_counts_and_what_is_sent_again() {
    const PEOPLE: usize = 12;
    let smsc = RawSmsc::start().await;
    for deployment in deployments(&smsc, PEOPLE, "").await {
        let daemon = deployment.start_daemon(&[SECRET]).await;
        let mut session = smsc.bind(0).await;
        let (arrived, taken) = take_parts(&mut session, PEOPLE, |message, part, before| {
            match (message, part, before) {
                (2, 2, 0) => THROTTLED,
                (4, 3, 0) => QUEUE_FULL,
                _ => 0,
            }
        })
        .await;
        assert_eq!(taken.len(), PEOPLE);
        assert_eq!(arrived.len(), PEOPLE * PARTS + 2, "two parts again, no other");
        for (message, ids) in &taken {
            let numbers = arrived.iter().filter(|(_, of, _)| of == message).map(|(_, _, n)| *n);
            let numbers: Vec<u8> = numbers.collect();
            assert!(numbers.is_sorted() && ids.len() == PARTS, "{message:?}: {numbers:?}");
        }
        // One more for the network's jitter.
        assert!(most_in_a_second(&arrived) <= RATE as usize + 1);
        wait_until("all are accepted", async || {
            count(&deployment.states().await, "accepted") as usize == PEOPLE
        })
        .await;
        drop(daemon);
    }
}

/// The most parts that arrived within a sliding second.
fn most_in_a_second(arrived: &[Arrived]) -> usize {
    let within = |from: &Instant, at: &Instant| {
        at >= from && at.duration_since(*from) < Duration::from_secs(1)
    };
    let count = |from| arrived.iter().filter(|(at, ..)| within(from, at)).count();
    arrived.iter().map(|(from, ..)| count(from)).max().unwrap_or(0)
}

/// Where a carrier counts messages, the parts of one go out as fast as it answers.
#[tokio::test(flavor = "multi_thread")]
async fn a_rate_of_messages_counts_each_once() {
    const PEOPLE: usize = 12;
    let smsc = RawSmsc::start().await;
    for deployment in deployments(&smsc, PEOPLE, "").await {
        let counts = ("FIELDWORKD_GATEWAY__SIMULATOR__RATE_COUNTS", "messages");
        let daemon = deployment.start_daemon(&[SECRET, counts]).await;
        let mut session = smsc.bind(0).await;
        let (arrived, _) = take_parts(&mut session, PEOPLE, |_, _, _| 0).await;
        let most = most_in_a_second(&arrived);
        // As parts, they would be no more than the rate.
        assert!(most > RATE as usize, "{most} parts in a second");
        drop(daemon);
    }
}

/// A message is delivered when all its parts are; a lost first part is an undelivered message
/// (jookies/jasmin#789, #1123, #1190, php8-smpp/php8-smpp#15). Receipts come in any order, and twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_delivered_when_all_its_parts_are() {
    let smsc = RawSmsc::start().await;
    for deployment in deployments(&smsc, 3, "dead_number = [\"001\"]").await {
        let daemon = deployment.start_daemon(&[SECRET]).await;
        let mut session = smsc.bind(0).await;
        let (_, taken) = take_parts(&mut session, 3, |_, _, _| 0).await;
        let messages: Vec<Vec<String>> = taken.into_values().collect();
        let states = async || {
            let states = deployment.states().await;
            ["accepted", "delivered", "undelivered"].map(|state| count(&states, state))
        };
        wait_until("all are accepted", async || states().await == [3, 0, 0]).await;
        let mut receipt = async |message: usize, part: usize, stat: &str| {
            let id = &messages[message][part];
            session.deliver(9, 4, format!("id:{id} sub:001 stat:{stat} text:").as_bytes()).await;
            assert_eq!(session.read().await.status, 0);
        };
        receipt(0, 2, "DELIVRD err:000").await;
        receipt(0, 0, "DELIVRD err:000").await;
        receipt(0, 0, "DELIVRD err:000").await;
        assert_eq!(states().await, [3, 0, 0], "the second part has not been delivered");
        receipt(0, 1, "DELIVRD err:000").await;
        assert_eq!(states().await, [2, 1, 0]);
        receipt(1, 0, "UNDELIV err:001").await;
        assert_eq!(states().await, [1, 1, 1], "a lost first part");
        receipt(1, 1, "DELIVRD err:000").await;
        receipt(1, 2, "DELIVRD err:000").await;
        assert_eq!(states().await, [1, 1, 1]);
        // The SMSC has tried again.
        receipt(1, 0, "DELIVRD err:000").await;
        assert_eq!(states().await, [1, 2, 0]);
        drop(daemon);
    }
}

/// An answer that is lost in the middle leaves the message in doubt; the parts that were accepted
/// are known, and a receipt for one of them alone does not settle it.
#[tokio::test(flavor = "multi_thread")]
async fn a_part_without_an_answer_leaves_the_message_in_doubt() {
    let smsc = RawSmsc::start().await;
    for deployment in deployments(&smsc, 1, "").await {
        let daemon = deployment.start_daemon(&[SECRET]).await;
        let mut session = smsc.bind(0).await;
        session.take("p1").await;
        assert_eq!(session.read().await.id, SUBMIT_SM);
        drop(session);
        let mut session = smsc.bind(0).await;
        let in_doubt = async || count(&deployment.states().await, "in_doubt");
        wait_until("it is in doubt", async || in_doubt().await == 1).await;
        session.deliver(9, 4, b"id:p1 sub:001 dlvrd:001 stat:DELIVRD err:000 text:").await;
        assert_eq!(session.read().await.status, 0);
        assert_eq!(in_doubt().await, 1);
        session.deliver(9, 4, b"id:p1 sub:001 dlvrd:001 stat:UNDELIV err:000 text:").await;
        assert_eq!(session.read().await.status, 0);
        assert_eq!(in_doubt().await, 1, "delivered is final");
        drop(daemon);
    }
}

/// Killed between the parts of messages, it sends none of them a second time: what was under way is
/// in doubt, and everybody else gets all parts.
#[tokio::test(flavor = "multi_thread")]
async fn killed_between_parts_it_sends_no_part_twice() {
    const PEOPLE: usize = 10;
    let smsc = RawSmsc::start().await;
    for deployment in deployments(&smsc, PEOPLE, "").await {
        let daemon = deployment.start_daemon(&[SECRET]).await;
        let mut session = smsc.bind(0).await;
        let mut seen = Vec::new();
        for n in 0..8 {
            let submit = session.read().await;
            seen.push(submitted_part(&submit));
            session.answer_submit(&submit, 0, &format!("k{n}")).await;
        }
        daemon.signal("KILL");
        daemon.wait_for_exit();
        let daemon = deployment.start_daemon(&[SECRET]).await;
        let mut session = smsc.bind(0).await;
        let settled = async || {
            let states = deployment.states().await;
            let [accepted, in_doubt] = ["accepted", "in_doubt"].map(|state| count(&states, state));
            (accepted + in_doubt == PEOPLE as i64).then_some(in_doubt)
        };
        let mut number = 8;
        while settled().await.is_none() {
            let answer = async {
                let submit = session.read().await;
                seen.push(submitted_part(&submit));
                session.answer_submit(&submit, 0, &format!("k{number}")).await;
                number += 1;
            };
            // While nothing is sent, the doubts of the dead daemon are waited for.
            let _ = tokio::time::timeout(Duration::from_millis(500), answer).await;
        }
        let in_doubt = settled().await.unwrap();
        assert!((1..=8).contains(&in_doubt), "{in_doubt}");
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), all, "{}: a part twice", deployment.url);
        drop(daemon);
    }
}
