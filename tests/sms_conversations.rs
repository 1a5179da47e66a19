//! Interviews by SMS over the gateway simulator on both engines: no answer is lost, doubled or mixed with another's (invariants I1, I2, I5).


use std::time::Duration;

use crate::common::{PLAN, TestApp, list_of, local, number};
use fieldworkd::domain::mode::Mode;
use fieldworkd::domain::phone::Phone;
use fieldworkd::simulation::{PeopleScript, Script};
use fieldworkd::adapters::database::responses::StoredValue;
use fieldworkd::adapters::database::{applications, replies, responses, sms_interviews};

/// An offer of an interview by SMS, and a reminder with the link.
fn plan() -> String {
    let head = PLAN.split("[[step]]").next().unwrap();
    format!(
        "{head}[[step]]\nname = \"offer\"\nmode = \"interview\"\nafter = \"0d\"\n\
         text.zh = \"【{{signature}}】{{name}}您好，请评价{{subject}}。回复1同意并用短信作答，或点{{link}}（含隐私告知）；退订回T\"\n\
         [[step]]\nname = \"reminder\"\nafter = \"10d\"\ntext.zh = \"【{{signature}}】{{name}}您好，再请评价{{subject}}：{{link}} 退订回T\"\n"
    )
}

/// The items of the brand questionnaire for whoever is satisfied, in their order.
const ITEMS: [&str; 15] = ["img1", "exp1", "pq1", "pq2", "pq3", "pq4", "val1", "val2", "sat1", "sat2", "sat3", "com1", "loy1", "loy2", "open1"];

#[tokio::test]
async fn replies_that_come_late_twice_or_in_another_order_are_the_answers_that_were_meant() {
    const PEOPLE: usize = 60;
    let mut script = Script::faultless(9, 1_000);
    script.people = PeopleScript { answers_by_sms: 1.0, puzzled: 0.08, ..PeopleScript::silent() };
    (script.doubled_replies, script.delayed_replies, script.reordered_replies) = (0.25, 0.1, 0.15);
    (script.answer_lost, script.doubled_receipts) = (0.02, 0.1);
    for app in TestApp::on_each_engine(script, &[("GATEWAY__SIMULATOR__RATE_PER_SECOND", "1000")]).await {
        app.brand("A1", "a", "").await;
        app.import(&["A1"], list_of(0..PEOPLE).as_bytes()).await.unwrap();
        app.launch("C1", &["A1"], &plan()).await.unwrap();
        app.play_until(local("2026-03-12T09:00:00")).await;
        let mut connection = app.installation.store.read().await.unwrap();
        let id = applications::find(&mut connection, "A1").await.unwrap().unwrap().id;
        let all = responses::of_application(&mut connection, id).await.unwrap();
        let complete = all.iter().filter(|response| response.completed_at.is_some()).count();
        assert!(complete * 10 >= PEOPLE * 8, "{}: {complete} of {PEOPLE} were asked to the end", app.engine);
        assert!(all.iter().all(|response| response.mode == Mode::Sms.as_str()));
        // What each respondent said last is what is stored, of those who stopped half-way too.
        let said: Vec<_> = (0..PEOPLE).map(|n| app.simulator.said_by_sms(&format!("+86{}", number(n)))).collect();
        let mut unmatched: Vec<_> = said.iter().filter(|said| !said.is_empty()).collect();
        for response in &all {
            let stored: Vec<Option<String>> = ITEMS
                .iter()
                .map(|item| match response.answers.get(*item) {
                    Some(StoredValue::Plain(value)) => Some(value.clone()),
                    Some(StoredValue::Sealed(_)) => Some("sealed".into()),
                    None => None,
                })
                .collect();
            let is_theirs = |said: &std::collections::BTreeMap<String, String>| {
                stored.iter().zip(1..).all(|(stored, place)| match said.get(&format!("{place}/15")).map(String::as_str) {
                    Some("无") | None => stored.is_none(),
                    Some(said) => stored.as_deref() == Some(said),
                })
            };
            let at = unmatched.iter().position(|said| is_theirs(said)).unwrap_or_else(|| panic!("{}: nobody said {stored:?}", app.engine));
            unmatched.remove(at);
        }
        assert!(unmatched.is_empty(), "{}: {} interviews left no answers", app.engine, unmatched.len());
        let record = app.simulator.record();
        assert!(record.submits.len() > PEOPLE * 14, "{}: {} messages", app.engine, record.submits.len());
        let zone = chrono_tz::Asia::Shanghai.into();
        let plan = fieldworkd::domain::contact_plan::PlanFile::parse(&plan()).unwrap().check().unwrap();
        assert!(record.submits.iter().all(|(at, _)| plan.hours.is_open(*at, &zone)), "{}: outside hours", app.engine);
        assert_eq!(record.taken.values().filter(|times| **times > 1).count(), 0, "{}: twice", app.engine);
    }
}

/// One person, whose replies the test writes.
struct Line<'a> {
    app: &'a TestApp,
    sent: std::cell::Cell<u32>,
}

impl Line<'_> {
    /// A reply that is sent now and pushed now, and what goes out because of it.
    async fn says(&self, n: usize, text: &str) {
        self.says_at(n, text, self.app.clock_now().0).await;
    }

    async fn says_at(&self, n: usize, text: &str, at: i64) {
        self.sent.set(self.sent.get() + 1);
        let body = serde_json::json!({ "id": format!("r{}", self.sent.get()), "from": format!("+86{}", number(n)), "text": text, "at": at });
        let url = format!("{}/replies", self.app.installation.hooks_url("simulator"));
        let answer = self.app.http.post(url).header("content-type", "application/json").body(body.to_string()).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{}", answer.text().await.unwrap());
    }

    /// Lets some time pass.
    async fn pass(&self, seconds: u64) {
        self.app.play_until(self.app.clock_now() + Duration::from_secs(seconds)).await;
    }

    /// Answers a whole interview.
    async fn answers(&self, n: usize, point: &str) {
        self.says(n, "好的").await;
        self.pass(60).await;
        for item in ITEMS {
            self.says(n, if item == "open1" { "没有" } else { point }).await;
            self.pass(60).await;
        }
    }

    async fn messages(&self) -> usize {
        self.app.simulator.record().submits.len()
    }

    async fn answers_of(&self, application: &str) -> Vec<String> {
        let mut connection = self.app.installation.store.read().await.unwrap();
        let id = applications::find(&mut connection, application).await.unwrap().unwrap().id;
        let all = responses::of_application(&mut connection, id).await.unwrap();
        let plain = |value: StoredValue| if let StoredValue::Plain(value) = value { value } else { "sealed".into() };
        all.into_iter().flat_map(|response| response.answers.into_values().map(plain).collect::<Vec<_>>()).collect()
    }
}

fn silent() -> Script {
    Script::faultless(1, 1_000)
}

#[tokio::test]
async fn a_number_with_two_applicants_is_asked_by_one_after_the_other() {
    for app in TestApp::on_each_engine(silent(), &[("CONTACT__QUIET_AFTER_CONTACT", "1h")]).await {
        for (application, campaign) in [("A1", "C1"), ("B1", "C2")] {
            app.brand(application, application, "").await;
            app.import(&[application], list_of(0..1).as_bytes()).await.unwrap();
            app.launch(campaign, &[application], &plan()).await.unwrap();
        }
        let line = Line { app: &app, sent: Default::default() };
        line.pass(60).await;
        assert_eq!(line.messages().await, 1, "{}: the caps space the two offers", app.engine);
        line.says(0, "1").await;
        line.pass(60).await;
        for point in ["9", "9"] {
            line.says(0, point).await;
            line.pass(60).await;
        }
        // Half-way, for three hours: the other offer waits, so that no «1» can be meant for it.
        let before = line.messages().await;
        line.pass(3 * 3_600).await;
        assert_eq!(line.messages().await, before, "{}", app.engine);
        for item in &ITEMS[2..] {
            line.says(0, if *item == "open1" { "无" } else { "9" }).await;
            line.pass(60).await;
        }
        let first = if line.answers_of("A1").await.is_empty() { ("B1", "A1") } else { ("A1", "B1") };
        assert_eq!((line.answers_of(first.0).await, line.answers_of(first.1).await.len()), (vec!["9".to_owned(); 14], 0), "{}", app.engine);
        line.pass(86_400).await;
        line.answers(0, "3").await;
        let second = line.answers_of(first.1).await;
        assert!(second.iter().filter(|answer| *answer == "3").count() == 14 && !second.contains(&"9".to_owned()), "{}: {second:?}", app.engine);
        assert_eq!(line.answers_of(first.0).await, vec!["9".to_owned(); 14], "{}", app.engine);
    }
}

#[tokio::test]
async fn what_is_not_understood_is_asked_once_more_and_then_left_to_the_link() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        app.brand("A1", "a", "").await;
        app.import(&["A1"], list_of(0..4).as_bytes()).await.unwrap();
        app.launch("C1", &["A1"], &plan()).await.unwrap();
        let line = Line { app: &app, sent: Default::default() };
        line.pass(60).await;
        let offered = line.messages().await;
        // The first is puzzled twice; the second asks for the link; the third opts out half-way; the fourth falls silent.
        for n in 0..4 {
            line.says(n, "1").await;
        }
        line.pass(60).await;
        assert_eq!(line.messages().await, offered + 4);
        line.says(0, "什么？").await;
        line.says(1, "发链接给我").await;
        line.says(2, "8").await;
        line.pass(60).await;
        assert_eq!(line.messages().await, offered + 7, "{}: a correction, a link, the next question", app.engine);
        line.says(0, "哈哈").await;
        line.says(2, "退订").await;
        line.pass(60).await;
        assert_eq!(line.messages().await, offered + 8, "{}: the link, and nothing more to whom opted out", app.engine);
        let dispositions = app.dispositions("A1").await;
        assert_eq!(dispositions, [("2.112".to_owned(), 1), ("2.12".to_owned(), 3)], "{}", app.engine);
        line.says(2, "8").await;
        line.pass(60).await;
        assert_eq!(line.messages().await, offered + 8, "{}: nobody asks whom opted out", app.engine);
        // A day later the question is asked once more, and only of who is silent; in ten days the plan goes on.
        line.pass(86_400 + 600).await;
        assert_eq!(line.messages().await, offered + 9, "{}", app.engine);
        line.says(3, "7分").await;
        line.pass(60).await;
        assert_eq!(line.messages().await, offered + 10, "{}: a late reply goes on", app.engine);
        // A wish to be called is nobody's answer: it stays with the staff.
        line.says(3, "请打电话给我").await;
        let inbox = replies::inbox(&mut app.installation.store.read().await.unwrap(), Some("call_me"), false).await.unwrap();
        assert_eq!(inbox.len(), 1, "{}", app.engine);
        // At night nothing goes out.
        app.play_until(local("2026-03-04T20:59:57")).await;
        line.says(3, "8").await;
        line.pass(4).await;
        let before = line.messages().await;
        line.says_at(3, "9", app.clock_now().0).await;
        app.play_until(local("2026-03-05T08:59:00")).await;
        assert!(line.messages().await <= before + 1, "{}", app.engine);
        let night = local("2026-03-04T21:00:00")..local("2026-03-05T08:59:00");
        assert!(app.simulator.record().submits.iter().all(|(at, _)| !night.contains(at)), "{}", app.engine);
    }
}

#[tokio::test]
async fn a_second_word_counts_and_an_older_one_that_comes_later_does_not() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        app.brand("A1", "a", "").await;
        app.import(&["A1"], list_of(0..1).as_bytes()).await.unwrap();
        app.launch("C1", &["A1"], &plan()).await.unwrap();
        let line = Line { app: &app, sent: Default::default() };
        line.pass(60).await;
        line.says(0, "同意").await;
        line.pass(60).await;
        let at = app.clock_now().0;
        line.says_at(0, "6", at).await;
        line.pass(1).await;
        line.says_at(0, "8", at + 1_000).await;
        line.pass(20).await;
        line.says_at(0, "3", at - 500).await;
        assert_eq!(line.answers_of("A1").await, ["8"], "{}", app.engine);
        line.pass(60).await;
        line.says(0, "9").await;
        assert_eq!(line.answers_of("A1").await.len(), 2, "{}", app.engine);
        // Whoever is erased is in no interview any more (invariant I7).
        let order = fieldworkd::services::erasure::Order { who: "li", reason: "asked for" };
        let hash = app.installation.keys.hasher().number(&Phone::parse(&number(0), phonenumber::country::CN).unwrap());
        fieldworkd::services::erasure::person::erase(&app.installation, &number(0), order).await.unwrap();
        let left = sms_interviews::with_number(&mut app.installation.store.read().await.unwrap(), &hash).await.unwrap();
        assert!(left.is_none(), "{}", app.engine);
    }
}

/// Two applications of one applicant are asked about one after the other, in one interview, each into its own response.
#[tokio::test]
async fn two_applications_of_one_applicant_are_asked_about_one_after_the_other() {
    let mut script = Script::faultless(4, 1_000);
    script.people = PeopleScript { answers_by_sms: 1.0, ..PeopleScript::silent() };
    (script.doubled_replies, script.reordered_replies) = (0.2, 0.2);
    for app in TestApp::on_each_engine(script, &[]).await {
        app.brand("A1", "a", "").await;
        app.brand("A2", "a", "").await;
        app.import(&["A1", "A2"], list_of(0..4).as_bytes()).await.unwrap();
        app.launch("C1", &["A1", "A2"], &plan()).await.unwrap();
        app.play_until(local("2026-03-06T12:00:00")).await;
        let line = Line { app: &app, sent: Default::default() };
        for application in ["A1", "A2"] {
            assert_eq!(app.dispositions(application).await, [("1.1".to_owned(), 4)], "{}: {application}", app.engine);
            assert_eq!(line.answers_of(application).await.len(), 4 * 14, "{}: {application}", app.engine);
        }
        let record = app.simulator.record();
        assert_eq!(record.duplicates(), 0, "{}: each question names what it is about", app.engine);
    }
}
