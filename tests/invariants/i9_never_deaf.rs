//! Invariant I9: whatever a person sends reaches a meaning or a member of staff; nothing is answered
//! «taken» that was dropped.

use std::time::Duration;

use serde_json::json;

use crate::common::{PLAN, TestApp, list_of, local, number};
use crate::sms_conversations::plan as interview_plan;
use fieldworkd::adapters::database::replies::{self, InboxEntry};
use fieldworkd::adapters::database::suppressions;
use fieldworkd::adapters::sms::{Entries, Reply, ReplyPart, TextCoding};
use fieldworkd::domain::contact_plan::MessageSlot;
use fieldworkd::domain::personal::Personal;
use fieldworkd::domain::phone::Phone;
use fieldworkd::domain::suppression::SuppressionReason;
use fieldworkd::services::interviews::InterviewService;
use fieldworkd::services::sms_inbound::inbox::open_reply;
use fieldworkd::services::suppressions::{SuppressionRequest, suppress};
use fieldworkd::simulation::Scenario;

fn silent() -> Scenario {
    Scenario::faultless(1, 1_000)
}

async fn inbox(app: &TestApp) -> Vec<InboxEntry> {
    replies::inbox(&mut app.context.database.read().await.unwrap(), None, false).await.unwrap()
}

/// The text of a reply in the inbox, and the number of a stranger.
async fn text_of(app: &TestApp, id: i64) -> (String, Option<String>) {
    let mut connection = app.context.database.read().await.unwrap();
    let sealed = replies::sealed_reply(&mut connection, id).await.unwrap().unwrap();
    let open = open_reply(&app.context, &sealed).unwrap();
    (open.text.reveal().to_owned(), open.sender.map(|sender| sender.reveal().to_owned()))
}

async fn count(app: &TestApp, meaning: &str) -> i64 {
    let mut connection = app.context.database.read().await.unwrap();
    let counts = replies::count_by_meaning(&mut connection).await.unwrap();
    counts.into_iter().find(|(known, _)| known == meaning).map_or(0, |(_, count)| count)
}

/// Scopes of the suppressions of a number.
async fn suppressed(app: &TestApp, raw: &str) -> Vec<String> {
    let phone = Phone::parse(raw, phonenumber::country::CN).unwrap();
    let hash = app.context.keys.hasher().phone_hash(&phone);
    let mut connection = app.context.database.read().await.unwrap();
    let all = suppressions::of_number(&mut connection, &hash).await.unwrap();
    all.into_iter().map(|suppression| suppression.scope).collect()
}

fn sent(app: &TestApp) -> usize {
    app.simulator.record().submits.len()
}

fn from(n: usize) -> String {
    format!("+86{}", number(n))
}

/// Kannel, RapidPro and SMPP give no id: the same words later are another reply. (nyaruka/courier
/// 225, 227, 609.)
#[tokio::test]
async fn equal_words_are_one_reply_within_a_short_time_only() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        app.launch_with_people(3, "").await;
        app.advance_until(local("2026-03-02T10:00:00")).await;
        let later = async |minutes: u64| {
            app.advance_until(app.clock_now() + Duration::from_secs(minutes * 60)).await;
        };
        let bare = json!({ "from": from(0), "text": "你们是谁" });
        for (minutes, expected) in [(0, 1), (1, 1), (8, 1), (20, 2)] {
            later(minutes).await;
            assert_eq!(app.push_replies(&bare).await, 200);
            assert_eq!(count(&app, "other").await, expected, "{} {minutes}", app.engine);
        }
        // The gateway's own time tells two apart at once, and a repeated push for good.
        let timed = |at: i64| json!({ "from": from(1), "text": "8", "at": at });
        for (at, expected) in [(1_772_416_000, 3), (1_772_416_000, 3), (1_772_416_001, 4)] {
            assert_eq!(app.push_replies(&timed(at)).await, 200);
            assert_eq!(count(&app, "other").await, expected, "{}", app.engine);
        }
        later(3 * 24 * 60).await;
        app.push_replies(&timed(1_772_416_000)).await;
        // An id does so too, whatever the words are.
        for (id, expected) in [("a", 5), ("a", 5), ("b", 6)] {
            app.push_replies(&json!({ "from": from(2), "text": "1", "id": id })).await;
            assert_eq!(count(&app, "other").await, expected, "{}", app.engine);
        }
        // «R», a word for coming back, and «R» again: each is carried out.
        for (text, expected) in [("R", 1), ("恢复", 0), ("R", 1), ("R", 1)] {
            app.push_replies(&json!({ "from": from(0), "text": text })).await;
            assert_eq!(suppressed(&app, &number(0)).await.len(), expected, "{}", app.engine);
        }
    }
}

/// Numbers as gateways write them, and senders that are no numbers. (praekeltfoundation/vumi and
/// RapidPro: replies from numbers without a plus went to nobody.)
#[tokio::test]
async fn every_sender_is_found_or_reaches_the_staff() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        app.register_brand("A1", "a", "").await;
        let list = "姓名,手机\n甲,13800138000\n乙,+852 6123 4567\n丙,+49 151 12345678\n丁,+1 202 555 0143\n";
        app.import(&["A1"], list.as_bytes()).await.unwrap();
        app.launch("C1", &["A1"], PLAN).await.unwrap();
        app.advance_until(local("2026-03-02T20:00:00")).await;
        for (written, number) in [
            ("13800138000", "13800138000"),
            ("85261234567", "+85261234567"),
            ("4915112345678", "+4915112345678"),
            ("0012025550143", "+12025550143"),
        ] {
            let body = json!({ "from": written, "text": "退订", "id": written });
            assert_eq!(app.push_replies(&body).await, 200);
            assert_eq!(suppressed(&app, number).await, ["p26"], "{} {written}", app.engine);
        }
        assert!(inbox(&app).await.is_empty(), "{}", app.engine);
        // A service's number, a name, nothing, and a number that was never written to.
        for (sender, text) in
            [("10086", "T"), ("CMCC", "您好"), ("", "退订"), ("13912345678", "什么")]
        {
            let body = json!({ "from": sender, "text": text, "id": format!("x{sender}") });
            assert_eq!(app.push_replies(&body).await, 200, "{} {sender}", app.engine);
            let all = inbox(&app).await;
            let mut found = Vec::new();
            for entry in &all {
                assert!(entry.is_stranger);
                found.push(text_of(&app, entry.id).await);
            }
            let expected = (text.to_owned(), Some(sender.to_owned()).filter(|s| !s.is_empty()));
            assert!(found.contains(&expected), "{} {sender}: {found:?}", app.engine);
        }
        // A stranger's no holds everywhere.
        app.push_replies(&json!({ "from": "13987654321", "text": "别再发了", "id": "s" })).await;
        assert_eq!(suppressed(&app, "13987654321").await, ["all"], "{}", app.engine);
    }
}

/// One bad entry of a push costs the others nothing, and is read by somebody.
#[tokio::test]
async fn one_bad_entry_costs_the_others_nothing() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        app.launch_with_people(3, "").await;
        app.advance_until(local("2026-03-02T10:00:00")).await;
        let batch = json!([
            { "from": from(0), "text": "你们是谁", "id": "1" },
            { "from": from(1), "id": "2", "content": "别再发了" },
            7,
            { "from": from(2), "text": "TD", "id": "3" },
        ]);
        for _ in 0..2 {
            assert_eq!(app.push_replies(&batch).await, 200, "{}", app.engine);
        }
        assert_eq!(suppressed(&app, &number(2)).await, ["p26"], "{}", app.engine);
        let all = inbox(&app).await;
        let mut texts = Vec::new();
        for entry in &all {
            texts.push(text_of(&app, entry.id).await.0);
        }
        assert_eq!(all.len(), 3, "{}: {texts:?}", app.engine);
        assert!(texts.iter().any(|text| text.contains("别再发了")), "{}: {texts:?}", app.engine);
        // Receipts: the good one counts; where none can be read, the gateway is told so.
        let url = format!("{}/receipts", app.context.webhook_base_url("simulator"));
        let reference = app.context.keys.hasher().message_reference(1, MessageSlot::step(0));
        let mixed = json!([{ "reference": reference, "state": "undelivered" }, { "state": "delivered" }, "x"]);
        for (body, status) in [(mixed, 200), (json!([{ "state": "delivered" }]), 400)] {
            let answer = app.http.post(&url).body(body.to_string()).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), status, "{}", app.engine);
        }
    }
}

fn part(sender: &str, (reference, number, total): (u16, u8, u8), octets: &[u8]) -> Entries<Reply> {
    let part = ReplyPart {
        reference,
        number,
        total,
        coding: TextCoding::Utf16,
        octets_hex: Personal::new(data_encoding::HEXLOWER.encode(octets)),
    };
    Entries::of(vec![Reply { part: Some(part), ..Reply::new(sender, "") }])
}

/// Parts of a long reply, in any order, twice, through several daemons, and not all of them.
/// (rilmodem/ofono 77: a character cut between two parts.)
#[tokio::test]
async fn the_parts_of_a_long_reply_are_one() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        app.launch_with_people(3, "").await;
        app.advance_until(local("2026-03-02T10:00:00")).await;
        let long = "物流太慢😃，客服态度也不好，".repeat(12) + "请别再发了";
        let octets: Vec<u8> = long.encode_utf16().flat_map(u16::to_be_bytes).collect();
        // 134 octets a part; an odd number cuts characters as well.
        let parts: Vec<&[u8]> = octets.chunks(131).collect();
        let total = parts.len() as u8;
        let accept = async |entries: &Entries<Reply>| {
            // Each part arrives at another daemon.
            let daemon = InterviewService::new(app.context.clone());
            daemon.accept_inbound("simulator", Vec::new(), entries).await.unwrap();
        };
        let mut order: Vec<usize> = (0..parts.len()).rev().collect();
        order.swap(0, 1);
        let (&last, first) = order.split_last().unwrap();
        for &at in first.iter().chain(first) {
            accept(&part(&from(0), (9, at as u8 + 1, total), parts[at])).await;
        }
        assert!(inbox(&app).await.is_empty() && suppressed(&app, &number(0)).await.is_empty());
        for _ in 0..2 {
            accept(&part(&from(0), (9, last as u8 + 1, total), parts[last])).await;
        }
        assert_eq!(suppressed(&app, &number(0)).await, ["p26"], "{}", app.engine);
        assert_eq!(count(&app, "opt_out").await, 1, "{}: one reply", app.engine);
        // A part is missing: after a time what is there is taken, once.
        let half: Vec<u8> = "前半，".encode_utf16().flat_map(u16::to_be_bytes).collect();
        accept(&part(&from(1), (9, 1, 2), &half)).await;
        let daemon = InterviewService::new(app.context.clone());
        daemon.accept_overdue_parts().await.unwrap();
        assert!(inbox(&app).await.is_empty(), "{}: it is waited for", app.engine);
        app.advance_until(app.clock_now() + Duration::from_secs(601)).await;
        for _ in 0..2 {
            daemon.accept_overdue_parts().await.unwrap();
        }
        let all = inbox(&app).await;
        assert_eq!(all.len(), 1, "{}", app.engine);
        assert_eq!(text_of(&app, all[0].id).await.0, "前半，[…]", "{}", app.engine);
        // The reference comes round again, with other words.
        for (number, text) in [(1, "新的"), (2, "一条")] {
            let octets: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            accept(&part(&from(1), (9, number, 2), &octets)).await;
        }
        let mut texts = Vec::new();
        for entry in inbox(&app).await {
            texts.push(text_of(&app, entry.id).await.0);
        }
        assert!(texts.contains(&"新的一条".to_owned()), "{}: {texts:?}", app.engine);
    }
}

/// Who says something that no machine understands hears nothing more of it before a person has
/// read it.
#[tokio::test]
async fn a_reply_that_is_not_understood_holds_the_next_message() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        app.launch_with_people(3, "").await;
        app.advance_until(local("2026-03-08T12:00:00")).await;
        assert_eq!(sent(&app), 3);
        for (n, text) in [(0, "老人家眼睛不好"), (1, "老人家眼睛不好")] {
            app.push_replies(&json!({ "from": from(n), "text": text })).await;
        }
        app.advance_until(local("2026-03-09T12:00:00")).await;
        assert_eq!(sent(&app), 4, "{}: only the third person is reminded", app.engine);
        let all = inbox(&app).await;
        let mut tx = app.context.database.write().await.unwrap();
        replies::mark_handled(&mut tx, all[0].id, app.clock_now()).await.unwrap();
        tx.commit().await.unwrap();
        app.advance_until(local("2026-03-09T12:11:00")).await;
        assert_eq!(sent(&app), 5, "{}: it is read, and the reminder goes out", app.engine);
        app.advance_until(local("2026-03-11T11:00:00")).await;
        assert_eq!(sent(&app), 5, "{}", app.engine);
        // After three days the hold ends.
        app.advance_until(local("2026-03-11T13:00:00")).await;
        assert_eq!(sent(&app), 6, "{}", app.engine);
    }
    // A plan may do without.
    let app = TestApp::on_sqlite(silent(), &[]).await;
    app.register_brand("A1", "a", "").await;
    app.import(&["A1"], list_of(0..1).as_bytes()).await.unwrap();
    let plan = PLAN.replacen("spread =", "unread_reply_hold = \"0d\"\nspread =", 1);
    app.launch("C1", &["A1"], &plan).await.unwrap();
    app.advance_until(local("2026-03-08T12:00:00")).await;
    app.push_replies(&json!({ "from": from(0), "text": "老人家眼睛不好" })).await;
    app.advance_until(local("2026-03-09T12:00:00")).await;
    assert_eq!(sent(&app), 2);
}

/// In an interview by SMS a short no is an answer, a clear no an opt-out, and an upset word a matter
/// for a person.
#[tokio::test]
async fn in_an_interview_a_no_is_told_from_an_answer() {
    for app in TestApp::on_each_engine(silent(), &[("CONTACT__MIN_GAP", "1h")]).await {
        app.register_brand("A1", "a", "").await;
        app.import(&["A1"], list_of(0..4).as_bytes()).await.unwrap();
        app.launch("C1", &["A1"], &interview_plan()).await.unwrap();
        let minute = async || app.advance_until(app.clock_now() + Duration::from_secs(60)).await;
        minute().await;
        let say = async |n: usize, text: &str| {
            let at = app.clock_now().0;
            let body =
                json!({ "from": from(n), "text": text, "id": format!("{n} {at}"), "at": at });
            assert_eq!(app.push_replies(&body).await, 200);
            minute().await;
        };
        for n in 0..4 {
            say(n, "1").await;
        }
        let before = sent(&app);
        // «TD» is an opt-out whatever is asked; «N» is no answer to a scale, and so one as well.
        say(0, "TD").await;
        say(1, "N").await;
        for n in [0, 1] {
            assert_eq!(suppressed(&app, &number(n)).await, ["p26"], "{} {n}", app.engine);
        }
        // No machine answers «sorry, that was not clear» to this.
        say(2, "你们从哪里弄到我的号码？烦死了").await;
        assert_eq!(sent(&app), before, "{}", app.engine);
        assert_eq!(inbox(&app).await.len(), 1, "{}: what was carried out is not in it", app.engine);
        // What is only unclear is asked again, and stands in the inbox too.
        say(3, "挺好的吧").await;
        assert_eq!(sent(&app), before + 1, "{}", app.engine);
        assert_eq!(inbox(&app).await.len(), 2, "{}", app.engine);
    }
}

/// Who comes back lifts their own opt-out and nobody else's word.
#[tokio::test]
async fn a_person_lifts_their_own_opt_out_only() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        app.register_brand("A1", "a", "").await;
        app.import(&["A1"], list_of(0..2).as_bytes()).await.unwrap();
        let answer = "\n[resubscription]\ntext.zh = \"【{signature}】已恢复。退订回T\"\n";
        app.launch("C1", &["A1"], &format!("{PLAN}{answer}")).await.unwrap();
        app.advance_until(local("2026-03-02T10:00:00")).await;
        app.push_replies(&json!({ "from": from(0), "text": "退订", "id": "1" })).await;
        let phone = Phone::parse(&number(1), phonenumber::country::CN).unwrap();
        let request = SuppressionRequest {
            reason: SuppressionReason::OptOut,
            programme: None,
            expires_at: None,
            phone_hash: &app.context.keys.hasher().phone_hash(&phone),
        };
        let mut tx = app.context.database.write().await.unwrap();
        let by_staff = fieldworkd::adapters::database::cases::DispositionSource::Staff;
        suppress(&mut tx, &request, by_staff, app.clock_now()).await.unwrap();
        tx.commit().await.unwrap();
        for n in 0..2 {
            app.push_replies(&json!({ "from": from(n), "text": "START", "id": format!("s{n}") }))
                .await;
        }
        assert!(suppressed(&app, &number(0)).await.is_empty(), "{}", app.engine);
        assert_eq!(suppressed(&app, &number(1)).await, ["all"], "{}", app.engine);
        // Written down, and answered once, however often they go and come back.
        app.advance_until(local("2026-03-02T10:10:00")).await;
        assert_eq!(sent(&app), 3, "{}", app.engine);
        for (n, text) in ["退订", "START"].into_iter().enumerate() {
            let body = json!({ "from": from(0), "text": text, "id": format!("again{n}") });
            app.push_replies(&body).await;
        }
        app.advance_until(local("2026-03-04T10:10:00")).await;
        assert_eq!(sent(&app), 3, "{}", app.engine);
        assert_eq!(inbox(&app).await.len(), 3, "{}: the staff see them", app.engine);
    }
}
