//! Interviews by SMS over the gateway simulator on both engines: one after the other, corrections,
//! opt-outs, silence (invariants I1, I2, I5). Replies that come late, twice or in another order are
//! in tests/invariants/i5_never_lose_an_answer.rs.

use std::time::Duration;

use crate::common::{PLAN, TestApp, list_of, local, number};
use fieldworkd::adapters::database::responses::StoredValue;
use fieldworkd::adapters::database::{applications, cases, replies, responses, sms_interviews};
use fieldworkd::domain::phone::Phone;
use fieldworkd::simulation::{PeopleScenario, Scenario};

/// A plan with an offer of an interview by SMS, and a reminder with the link.
pub(crate) fn plan() -> String {
    let head = PLAN.split("[[step]]").next().unwrap();
    format!(
        "{head}[[step]]\nname = \"offer\"\nmode = \"interview\"\nafter = \"0d\"\n\
         text.zh = \
         \"【{{signature}}】{{name}}您好，请评价{{subject}}。回复1同意并用短信作答，或点{{link}}（含隐私告知）；退订回T\"\n\
         [[step]]\nname = \"reminder\"\nafter = \"10d\"\ntext.zh = \
         \"【{{signature}}】{{name}}您好，再请评价{{subject}}：{{link}} 退订回T\"\n"
    )
}

/// The items of the brand questionnaire for a satisfied respondent who has not complained, in order.
pub(crate) const ITEMS: [&str; 17] = [
    "img1",
    "img2",
    "exp1",
    "exp2",
    "pq1",
    "pq2",
    "val1",
    "val2",
    "sat1",
    "sat2",
    "sat3",
    "complained",
    "loy1",
    "loy2",
    "use1",
    "role1",
    "open1",
];

/// Returns the reply to one of them, and what is stored of it.
pub(crate) fn reply_to<'a>(item: &str, point: &'a str) -> (&'a str, Option<&'a str>) {
    match item {
        "complained" => ("2", Some("no")),
        "use1" => ("1", Some("under_6_months")),
        "role1" => ("1", Some("private")),
        "open1" => ("没有", None),
        _ => (point, Some(point)),
    }
}

/// People whose replies the test writes.
struct SmsDialogue<'a> {
    app: &'a TestApp,
    sent: std::cell::Cell<u32>,
}

impl SmsDialogue<'_> {
    /// Sends and pushes a reply now, and sends the messages that result.
    async fn send_reply(&self, n: usize, text: &str) {
        self.send_reply_at(n, text, self.app.clock_now().0).await;
    }

    async fn send_reply_at(&self, n: usize, text: &str, at: i64) {
        self.sent.set(self.sent.get() + 1);
        let body = serde_json::json!({ "id": format!("r{}", self.sent.get()), "from": format!("+86{}", number(n)), "text": text, "at": at });
        let url = format!("{}/replies", self.app.context.webhook_base_url("simulator"));
        let answer = self
            .app
            .http
            .post(url)
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{}", answer.text().await.unwrap());
    }

    /// Advances the clock by `seconds`.
    async fn advance_seconds(&self, seconds: u64) {
        self.app.advance_until(self.app.clock_now() + Duration::from_secs(seconds)).await;
    }

    /// Answers a whole interview.
    async fn answer_all(&self, n: usize, point: &str) {
        self.send_reply(n, "好的").await;
        self.advance_seconds(60).await;
        for item in ITEMS {
            self.send_reply(n, reply_to(item, point).0).await;
            self.advance_seconds(60).await;
        }
    }

    async fn messages(&self) -> usize {
        self.app.simulator.record().submits.len()
    }

    async fn answers_of(&self, application: &str) -> Vec<String> {
        let mut connection = self.app.context.database.read().await.unwrap();
        let id = applications::find(&mut connection, application).await.unwrap().unwrap().id;
        let all = responses::of_application(&mut connection, id).await.unwrap();
        let plain = |value: StoredValue| {
            if let StoredValue::Plain(value) = value { value } else { "sealed".into() }
        };
        all.into_iter()
            .flat_map(|response| response.answers.into_values().map(plain).collect::<Vec<_>>())
            .collect()
    }
}

fn silent() -> Scenario {
    Scenario::faultless(1, 1_000)
}

#[tokio::test]
async fn a_number_with_two_applicants_is_asked_by_one_after_the_other() {
    for app in TestApp::on_each_engine(silent(), &[("CONTACT__MIN_GAP", "1h")]).await {
        for (application, campaign) in [("A1", "C1"), ("B1", "C2")] {
            app.register_brand(application, application, "").await;
            app.import(&[application], list_of(0..1).as_bytes()).await.unwrap();
            app.launch(campaign, &[application], &plan()).await.unwrap();
        }
        let dialogue = SmsDialogue { app: &app, sent: Default::default() };
        dialogue.advance_seconds(60).await;
        assert_eq!(dialogue.messages().await, 1, "{}: the caps space the two offers", app.engine);
        dialogue.send_reply(0, "1").await;
        dialogue.advance_seconds(60).await;
        for point in ["9", "9"] {
            dialogue.send_reply(0, point).await;
            dialogue.advance_seconds(60).await;
        }
        // Half-way, for three hours: the other offer waits, so that no «1» can refer to it.
        let before = dialogue.messages().await;
        dialogue.advance_seconds(3 * 3_600).await;
        assert_eq!(dialogue.messages().await, before, "{}", app.engine);
        for item in &ITEMS[2..] {
            dialogue.send_reply(0, reply_to(item, "9").0).await;
            dialogue.advance_seconds(60).await;
        }
        // By the items' names.
        let mut nines: Vec<(&str, &str)> =
            ITEMS.iter().filter_map(|item| Some((*item, reply_to(item, "9").1?))).collect();
        nines.sort();
        let nines: Vec<String> = nines.into_iter().map(|(_, answer)| answer.to_owned()).collect();
        let first =
            if dialogue.answers_of("A1").await.is_empty() { ("B1", "A1") } else { ("A1", "B1") };
        assert_eq!(
            (dialogue.answers_of(first.0).await, dialogue.answers_of(first.1).await.len()),
            (nines.clone(), 0),
            "{}",
            app.engine
        );
        dialogue.advance_seconds(86_400).await;
        dialogue.answer_all(0, "6").await;
        let second = dialogue.answers_of(first.1).await;
        assert!(
            second.iter().filter(|answer| *answer == "6").count() == 13
                && !second.contains(&"9".to_owned()),
            "{}: {second:?}",
            app.engine
        );
        assert_eq!(dialogue.answers_of(first.0).await, nines, "{}", app.engine);
    }
}

#[tokio::test]
async fn what_is_not_understood_is_asked_once_more_and_then_left_to_the_link() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        app.register_brand("A1", "a", "").await;
        app.import(&["A1"], list_of(0..4).as_bytes()).await.unwrap();
        app.launch("C1", &["A1"], &plan()).await.unwrap();
        let dialogue = SmsDialogue { app: &app, sent: Default::default() };
        dialogue.advance_seconds(60).await;
        let offered = dialogue.messages().await;
        // The first misunderstands twice; the second asks for the link; the third opts out
        // half-way; the fourth falls silent.
        for n in 0..4 {
            dialogue.send_reply(n, "1").await;
        }
        dialogue.advance_seconds(60).await;
        assert_eq!(dialogue.messages().await, offered + 4);
        dialogue.send_reply(0, "什么？").await;
        dialogue.send_reply(1, "发链接给我").await;
        dialogue.send_reply(2, "8").await;
        dialogue.advance_seconds(60).await;
        assert_eq!(
            dialogue.messages().await,
            offered + 7,
            "{}: a correction, a link, the next question",
            app.engine
        );
        dialogue.send_reply(0, "哈哈").await;
        dialogue.send_reply(2, "退订").await;
        dialogue.advance_seconds(60).await;
        assert_eq!(
            dialogue.messages().await,
            offered + 8,
            "{}: the link, and nothing more to whom opted out",
            app.engine
        );
        let dispositions = app.dispositions("A1").await;
        assert_eq!(
            dispositions,
            [("2.112".to_owned(), 1), ("2.12".to_owned(), 3)],
            "{}",
            app.engine
        );
        dialogue.send_reply(2, "8").await;
        dialogue.advance_seconds(60).await;
        assert_eq!(
            dialogue.messages().await,
            offered + 8,
            "{}: nobody asks whom opted out",
            app.engine
        );
        // A day later the question is repeated once, and only to the silent respondent; after ten
        // days the plan continues.
        dialogue.advance_seconds(86_400 + 600).await;
        assert_eq!(dialogue.messages().await, offered + 9, "{}", app.engine);
        dialogue.send_reply(3, "7分").await;
        dialogue.advance_seconds(60).await;
        assert_eq!(dialogue.messages().await, offered + 10, "{}: a late reply goes on", app.engine);
        // A request for a call is not an answer: it goes to the staff's inbox.
        dialogue.send_reply(3, "请打电话给我").await;
        let inbox =
            replies::inbox(&mut app.context.database.read().await.unwrap(), Some("call_me"), false)
                .await
                .unwrap();
        assert_eq!(inbox.len(), 1, "{}", app.engine);
        // Nothing is sent at night.
        app.advance_until(local("2026-03-04T20:59:57")).await;
        dialogue.send_reply(3, "8").await;
        dialogue.advance_seconds(4).await;
        let before = dialogue.messages().await;
        dialogue.send_reply_at(3, "9", app.clock_now().0).await;
        app.advance_until(local("2026-03-05T08:59:00")).await;
        assert!(dialogue.messages().await <= before + 1, "{}", app.engine);
        let night = local("2026-03-04T21:00:00")..local("2026-03-05T08:59:00");
        assert!(
            app.simulator.record().submits.iter().all(|(at, _)| !night.contains(at)),
            "{}",
            app.engine
        );
    }
}

#[tokio::test]
async fn a_second_word_counts_and_an_older_one_that_comes_later_does_not() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        app.register_brand("A1", "a", "").await;
        app.import(&["A1"], list_of(0..1).as_bytes()).await.unwrap();
        app.launch("C1", &["A1"], &plan()).await.unwrap();
        let dialogue = SmsDialogue { app: &app, sent: Default::default() };
        dialogue.advance_seconds(60).await;
        dialogue.send_reply(0, "同意").await;
        dialogue.advance_seconds(60).await;
        let at = app.clock_now().0;
        dialogue.send_reply_at(0, "6", at).await;
        dialogue.advance_seconds(1).await;
        dialogue.send_reply_at(0, "8", at + 1_000).await;
        dialogue.advance_seconds(20).await;
        dialogue.send_reply_at(0, "3", at - 500).await;
        assert_eq!(dialogue.answers_of("A1").await, ["8"], "{}", app.engine);
        dialogue.advance_seconds(60).await;
        dialogue.send_reply(0, "9").await;
        assert_eq!(dialogue.answers_of("A1").await.len(), 2, "{}", app.engine);
        // An erased person is in no interview any more (invariant I7).
        let order =
            fieldworkd::services::erasure::ErasureOrder { actor: "li", reason: "asked for" };
        let hash = app
            .context
            .keys
            .hasher()
            .phone_hash(&Phone::parse(&number(0), phonenumber::country::CN).unwrap());
        fieldworkd::services::erasure::person::erase(&app.context, &number(0), order)
            .await
            .unwrap();
        let left =
            sms_interviews::find_by_phone(&mut app.context.database.read().await.unwrap(), &hash)
                .await
                .unwrap();
        assert!(left.is_none(), "{}", app.engine);
    }
}

/// «好的» is the consent before an interview, and politeness after it; a late «1» is an answer.
#[tokio::test]
async fn a_word_after_the_end_brings_no_second_goodbye() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        app.register_brand("A1", "a", "").await;
        app.import(&["A1"], list_of(0..3).as_bytes()).await.unwrap();
        app.launch("C1", &["A1"], &plan()).await.unwrap();
        let dialogue = SmsDialogue { app: &app, sent: Default::default() };
        dialogue.advance_seconds(60).await;
        dialogue.answer_all(0, "8").await;
        assert_eq!(
            app.dispositions("A1").await,
            [("1.1".to_owned(), 1), ("2.20".to_owned(), 2)],
            "{}",
            app.engine
        );
        let said = dialogue.messages().await;
        for word in ["好的", "1"] {
            dialogue.send_reply(0, word).await;
            dialogue.advance_seconds(60).await;
        }
        assert_eq!(dialogue.messages().await, said, "{}", app.engine);
    }
}

/// One interview asks about two applications of one applicant in turn; each gets its own response.
#[tokio::test]
async fn two_applications_of_one_applicant_are_asked_about_one_after_the_other() {
    let mut scenario = Scenario::faultless(4, 1_000);
    scenario.people = PeopleScenario { answers_by_sms: 1.0, ..PeopleScenario::silent() };
    (scenario.duplicate_replies, scenario.reordered_replies) = (0.2, 0.2);
    for app in TestApp::on_each_engine(scenario, &[]).await {
        app.register_brand("A1", "a", "").await;
        app.register_brand("A2", "a", "").await;
        app.import(&["A1", "A2"], list_of(0..4).as_bytes()).await.unwrap();
        app.launch("C1", &["A1", "A2"], &plan()).await.unwrap();
        app.advance_until(local("2026-03-06T12:00:00")).await;
        let dialogue = SmsDialogue { app: &app, sent: Default::default() };
        for application in ["A1", "A2"] {
            assert_eq!(
                app.dispositions(application).await,
                [("1.1".to_owned(), 4)],
                "{}: {application}",
                app.engine
            );
            assert_eq!(
                dialogue.answers_of(application).await.len(),
                4 * 16,
                "{}: {application}",
                app.engine
            );
        }
        let record = app.simulator.record();
        assert_eq!(record.duplicates(), 0, "{}: each question names what it is about", app.engine);
    }
}

/// Replies as people write them: words, signs, commas, days without a year.
#[tokio::test]
async fn replies_are_read_as_people_write_them() {
    let folder = tempfile::tempdir().unwrap();
    let questionnaire =
        include_str!("fixtures/every_kind.toml").replace("show_if = \"segment == '大业主'\", ", "");
    std::fs::write(folder.path().join("brand.toml"), questionnaire).unwrap();
    let settings = [("QUESTIONNAIRES__FOLDER", folder.path().to_str().unwrap())];
    for app in TestApp::on_each_engine(silent(), &settings).await {
        app.register_brand("A1", "a", "").await;
        app.import(&["A1"], list_of(0..1).as_bytes()).await.unwrap();
        app.launch("C1", &["A1"], &plan()).await.unwrap();
        let dialogue = SmsDialogue { app: &app, sent: Default::default() };
        dialogue.advance_seconds(60).await;
        let yesterday =
            app.clock_now().date(chrono_tz::Asia::Shanghai).pred_opt().unwrap().to_string();
        for reply in [
            "好的",
            "第一个",
            "给-3分吧",
            "4分",
            "不适用",
            "价格",
            // Beyond the limits: asked again.
            "20万",
            "1299,50元",
            "昨天",
            "3>1>2",
            "不知道为什么,挺好的",
        ] {
            dialogue.send_reply(0, reply).await;
            dialogue.advance_seconds(60).await;
        }
        assert_eq!(
            dialogue.answers_of("A1").await,
            ["4", "na", "sealed", "1299.5", "c a b", "-3", yesterday.as_str(), "daily", "price"],
            "{}",
            app.engine
        );
        assert_eq!(app.dispositions("A1").await, [("1.1".to_owned(), 1)], "{}", app.engine);
    }
}

/// An interview is one contact, however many questions it has; a confirmation answers and is none.
/// instedd/surveda#1589: attempts counted what the program had asked of its channel, not contacts;
/// instedd/surveda#1168: analysts want the number of messages besides.
#[tokio::test]
async fn attempts_count_contacts_and_not_messages() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        app.register_brand("A1", "a", "").await;
        app.import(&["A1"], list_of(0..3).as_bytes()).await.unwrap();
        let confirmation = "[confirmation]\ntext.zh = \"【{signature}】您已退订，不再打扰。\"\n";
        app.launch("C1", &["A1"], &format!("{}{confirmation}", plan())).await.unwrap();
        let dialogue = SmsDialogue { app: &app, sent: 0.into() };
        dialogue.advance_seconds(1_800).await;
        dialogue.answer_all(0, "8").await;
        dialogue.send_reply(1, "T").await;
        app.advance_until(local("2026-03-14T12:00:00")).await;
        let mut connection = app.context.database.read().await.unwrap();
        let id = applications::find(&mut connection, "A1").await.unwrap().unwrap().id;
        let order = cases::sampled_by_pseudonym(&mut connection, id).await.unwrap();
        let records = cases::records(&mut connection, &order).await.unwrap();
        let mut counted: Vec<(&str, i64, i64)> = records
            .iter()
            .map(|case| (case.disposition.code(), case.attempts, case.questions))
            .collect();
        counted.sort();
        // The last one got the offer and the reminder.
        let questions = ITEMS.len() as i64;
        assert_eq!(
            counted,
            [("1.1", 1, questions), ("2.112", 1, 0), ("2.20", 2, 0)],
            "{}",
            app.engine
        );
        assert!(records.iter().all(|case| case.first_attempt_at <= case.last_attempt_at));
    }
}
