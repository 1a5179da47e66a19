//! Alerts reach the people responsible in time, once, on every channel, and without a storm
//! (invariant I6). The channels are a real mail server, a real receiver of Standard Webhooks, and
//! the gateway.

use crate::common;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::common::receivers::{Receivers, SECRET};
use crate::common::{PLAN, TestApp, list_of, local};
use fieldworkd::adapters::clock::Clock;
use fieldworkd::adapters::config::NoticeChannel;
use fieldworkd::adapters::database::{alarms as stored, applications, notices};
use fieldworkd::domain::time::Timestamp;
use fieldworkd::services::deadlines::changes::{self, ChangedBy};
use fieldworkd::services::{alerts, forecasting};
use fieldworkd::simulation::{PeopleScenario, Scenario};
use serde_json::Value;

const APPLICATIONS: usize = 45;
const DUTY_OFFICER: &str = "+8613912345678";

fn silent() -> Scenario {
    let mut scenario = Scenario::faultless(5, 500);
    scenario.people = PeopleScenario::silent();
    scenario
}

/// Launches applications on 2 March, due on 13 May, each with four people who never answer.
async fn launch_in_danger(app: &TestApp, applications: usize) {
    let codes: Vec<String> = (0..applications).map(|n| format!("A{n:03}")).collect();
    for (n, code) in codes.iter().enumerate() {
        app.register_brand(code, code, "[application.quota]\ntarget = 4").await;
        app.import(&[code], list_of(n * 4..n * 4 + 4).as_bytes()).await.unwrap();
    }
    app.launch("C1", &codes.iter().map(String::as_str).collect::<Vec<_>>(), PLAN).await.unwrap();
}

/// Advances the clock, running the daemon's two loops a few times a day.
async fn advance_to(app: &TestApp, end: &str) {
    let end = local(end);
    while app.clock.now() < end {
        let next: Timestamp = (app.clock.now() + Duration::from_secs(4 * 3_600)).min(end);
        app.advance_until(next).await;
        forecasting::tick(&app.context).await.unwrap();
        alerts::tick(&app.context).await.unwrap();
    }
}

fn of_kind<'a>(posts: &'a [Value], kind: &str) -> Vec<&'a Value> {
    posts.iter().filter(|post| post["body"]["type"] == kind).collect()
}

fn applications_in(post: &Value) -> BTreeSet<String> {
    post["body"]["data"]["alarms"]
        .as_array()
        .unwrap()
        .iter()
        .map(|alarm| alarm["application"].as_str().unwrap().to_owned())
        .collect()
}

/// Returns the number of messages to the duty officer's phone.
fn notices_by_sms(app: &TestApp) -> usize {
    app.simulator
        .record()
        .submits
        .iter()
        .filter(|(_, reference)| reference.starts_with("notice"))
        .count()
}

async fn acknowledge(app: &TestApp, code: &str) {
    let mut tx = app.context.database.write().await.unwrap();
    let id = applications::find(&mut tx, code).await.unwrap().unwrap().id;
    assert!(
        stored::acknowledge(&mut tx, id, "li", "a second list is on its way", app.clock.now())
            .await
            .unwrap()
    );
    assert!(
        !stored::acknowledge(&mut tx, id, "wu", "", app.clock.now()).await.unwrap(),
        "the first word stands"
    );
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn alarms_are_notified_together_repeated_and_escalated_until_acknowledged() {
    let Some(receivers) = Receivers::start() else { return };
    let hook = format!("{}/hook", receivers.http);
    let settings = [
        ("FORECAST__EVERY", "6d"),
        ("NOTIFY__EMAIL__SERVER", receivers.smtp.as_str()),
        ("NOTIFY__EMAIL__FROM", "fieldworkd@example.com"),
        ("NOTIFY__EMAIL__TO", "head@example.com"),
        ("NOTIFY__WEBHOOK__URL", hook.as_str()),
        ("NOTIFY__WEBHOOK__SECRET", SECRET),
        ("NOTIFY__SMS__GATEWAY", "simulator"),
        ("NOTIFY__SMS__SIGNATURE", "质协"),
        ("NOTIFY__SMS__TO", DUTY_OFFICER),
        ("NOTIFY__DIGEST__AT", "0 0 8 * * 1"),
    ];
    let (mut mails, mut posts) = (0, 0);
    for app in TestApp::on_each_engine(silent(), &settings).await {
        launch_in_danger(&app, APPLICATIONS).await;
        // More than 45 days are left: hopeless, but no notice yet. The digest comes on Mondays at
        // eight.
        advance_to(&app, "2026-03-28T00:00:00").await;
        let got = receivers.came("webhook", posts + 3).await.split_off(posts);
        assert_eq!(
            (of_kind(&got, "digest").len(), of_kind(&got, "alarm").len()),
            (3, 0),
            "{}: {got:#?}",
            app.engine
        );
        assert_eq!(got[0]["body"]["data"]["states"]["in_field"], APPLICATIONS);
        let digests = receivers.came("email", mails + 3).await.split_off(mails);
        assert!(
            digests[0]["body"].as_str().unwrap().contains(&format!("in_field {APPLICATIONS}")),
            "{digests:#?}"
        );
        (mails, posts) = (mails + 3, posts + 3);

        // 45 days left: one notice per channel of the level for all applications; another three
        // days later.
        advance_to(&app, "2026-03-30T23:00:00").await;
        let got = receivers.came("webhook", posts + 2).await.split_off(posts);
        assert_eq!(
            (of_kind(&got, "digest").len(), of_kind(&got, "alarm").len()),
            (1, 1),
            "{}: {got:#?}",
            app.engine
        );
        let alarm = of_kind(&got, "alarm")[0];
        assert_eq!(applications_in(alarm).len(), APPLICATIONS);
        let first = &alarm["body"]["data"]["alarms"][0];
        assert_eq!(
            (
                first["level"].as_str(),
                first["chance"].as_f64(),
                first["forecast"]["target"].as_u64()
            ),
            (Some("watch"), Some(0.0), Some(4)),
            "{first}"
        );
        assert!(
            first["forecast"]["days_left"].as_u64() <= Some(51)
                && first["forecast"]["help"].is_array()
        );
        assert!(got.iter().all(|post| post["signed"] == true), "{got:#?}");
        let got = receivers.came("email", mails + 2).await.split_off(mails);
        let mail = got
            .iter()
            .find(|mail| mail["subject"].as_str().unwrap().contains("in danger"))
            .unwrap();
        assert!(
            mail["body"].as_str().unwrap().contains(&format!("and {} more", APPLICATIONS - 40)),
            "{mail}"
        );
        assert_eq!(mail["to"][0], "head@example.com");
        assert_eq!(notices_by_sms(&app), 0, "the telephone rings at the next level only");
        (mails, posts) = (mails + 2, posts + 2);
        acknowledge(&app, "A007").await;
        advance_to(&app, "2026-04-02T23:00:00").await;
        let got = receivers.came("webhook", posts + 1).await.split_off(posts);
        assert_eq!(got.len(), 1, "{}: {got:#?}", app.engine);
        assert!(
            applications_in(&got[0]).len() == APPLICATIONS - 1
                && !applications_in(&got[0]).contains("A007"),
            "what is acknowledged is not told again"
        );
        (mails, posts) = (mails + 1, posts + 1);
        for n in (0..APPLICATIONS).filter(|n| *n != 7) {
            acknowledge(&app, &format!("A{n:03}")).await;
        }

        // All are acknowledged: nothing but the digest. At 21 days the level is worse and not yet
        // acknowledged.
        advance_to(&app, "2026-04-21T00:00:00").await;
        let got = receivers.came("webhook", posts + 3).await.split_off(posts);
        assert_eq!(
            (of_kind(&got, "digest").len(), of_kind(&got, "alarm").len()),
            (3, 0),
            "{}: {got:#?}",
            app.engine
        );
        (mails, posts) = (mails + 3, posts + 3);
        advance_to(&app, "2026-04-23T22:00:00").await;
        let got = receivers.came("webhook", posts + 1).await.split_off(posts);
        assert_eq!(applications_in(&got[0]).len(), APPLICATIONS, "{}: {got:#?}", app.engine);
        assert_eq!(got[0]["body"]["data"]["alarms"][0]["level"], "danger");
        assert_eq!(
            notices_by_sms(&app),
            got.len(),
            "the duty officer's telephone, once for all of them each time"
        );
        let latest =
            notices::latest(&mut app.context.database.read().await.unwrap(), 3).await.unwrap();
        let text =
            latest.into_iter().find(|notice| notice.channel == NoticeChannel::Sms).unwrap().body;
        assert!(
            text.starts_with("【质协】") && text.contains(&format!("等{APPLICATIONS}项")),
            "{text}"
        );
        (mails, posts) = (mails + got.len(), posts + got.len());

        // One is extended: its alarm ends, which is notified once, by e-mail and webhook.
        for n in (0..APPLICATIONS).filter(|n| *n != 7) {
            acknowledge(&app, &format!("A{n:03}")).await;
        }
        changes::extend(
            &app.context,
            "A007",
            60,
            ChangedBy { actor: "li", reason: "the applicant sends another list" },
        )
        .await
        .unwrap();
        advance_to(&app, "2026-04-25T23:00:00").await;
        let got = receivers.came("webhook", posts + 1).await.split_off(posts);
        assert_eq!(got.len(), 1, "{}: {got:#?}", app.engine);
        assert_eq!(got[0]["body"]["data"]["over"], serde_json::json!(["A007"]));
        (mails, posts) = (mails + 1, posts + 1);
        let mut connection = app.context.database.read().await.unwrap();
        let open = stored::list(&mut connection, false).await.unwrap();
        assert_eq!(
            (open.len(), stored::list(&mut connection, true).await.unwrap().len()),
            (APPLICATIONS - 1, APPLICATIONS)
        );
        assert_eq!(receivers.came("email", mails).await.len(), mails, "as many mails as posts");
        let all: BTreeSet<String> = receivers
            .came("webhook", posts)
            .await
            .iter()
            .map(|post| post["id"].to_string())
            .collect();
        assert_eq!(
            all.len(),
            posts / if app.engine == "sqlite" { 1 } else { 2 },
            "each notice has an id of its own"
        );
        assert!(notices::next_due(&mut connection).await.unwrap().is_none(), "nothing waits");
    }
}

/// A receiver that is down gets the notice when it is up again, with the same id; one that is gone
/// is not tried again; a failing channel delays no other.
#[tokio::test]
async fn what_does_not_arrive_is_tried_again_and_given_up_after_days() {
    let Some(receivers) = Receivers::start() else { return };
    let broken = format!("{}/broken", receivers.http);
    let settings = [
        ("FORECAST__EVERY", "6d"),
        ("NOTIFY__EMAIL__SERVER", receivers.smtp.as_str()),
        ("NOTIFY__EMAIL__FROM", "fieldworkd@example.com"),
        ("NOTIFY__EMAIL__TO", "head@example.com"),
        ("NOTIFY__WEBHOOK__URL", broken.as_str()),
        ("NOTIFY__WEBHOOK__SECRET", SECRET),
        ("NOTIFY__DIGEST__AT", ""),
    ];
    let (mut mails, mut posts) = (0, 0);
    for app in TestApp::on_each_engine(silent(), &settings).await {
        assert_eq!(alerts::write_test_notice(&app.context).await.unwrap(), ["email", "webhook"]);
        let began = app.clock.now();
        alerts::tick(&app.context).await.unwrap();
        mails += 1;
        assert_eq!(receivers.came("email", mails).await.len(), mails);
        let mut tries = 1;
        while let Some(next) = alerts::next_due(&app.context).await.unwrap() {
            app.clock.advance_to(next);
            alerts::tick(&app.context).await.unwrap();
            tries += 1;
            assert!(tries < 100, "it ends");
        }
        posts += tries;
        let ids: BTreeSet<String> = receivers
            .came("webhook", posts)
            .await
            .iter()
            .skip(posts - tries)
            .map(|post| post["id"].to_string())
            .collect();
        assert_eq!(ids.len(), 1, "the same id on every try: {ids:?}");
        let days = app.clock.now().since(began).as_secs_f64() / 86_400.0;
        assert!(tries == 12 && (2.0..4.0).contains(&days), "{tries} tries in {days} days");
        let latest =
            notices::latest(&mut app.context.database.read().await.unwrap(), 2).await.unwrap();
        let webhook =
            latest.iter().find(|notice| notice.channel == NoticeChannel::Webhook).unwrap();
        assert_eq!((webhook.sent_at, webhook.next_at, webhook.attempt_count), (None, None, 12));
        assert_eq!(webhook.last_error.as_deref(), Some("the endpoint answered 503"));
    }
}

/// End to end through the real binary: the receiver's own library accepts the signatures and their
/// timestamps.
#[tokio::test]
async fn the_command_tests_every_channel() {
    let Some(receivers) = Receivers::start() else { return };
    let (mut came, mut telephones) = (0, 0);
    for deployment in common::deployment::Deployment::on_each_engine(3, &silent(), 50).await {
        let command = |arguments: &[&str], hook: &str| {
            let mut command = deployment.command_line(arguments);
            command
                .env("FIELDWORKD_NOTIFY__EMAIL__SERVER", &receivers.smtp)
                .env("FIELDWORKD_NOTIFY__EMAIL__FROM", "fieldworkd@example.com")
                .env("FIELDWORKD_NOTIFY__EMAIL__TO", "head@example.com, duty@example.com")
                .env("FIELDWORKD_NOTIFY__WEBHOOK__URL", format!("{}/{hook}", receivers.http))
                .env("FIELDWORKD_NOTIFY__WEBHOOK__SECRET", SECRET)
                .env("FIELDWORKD_NOTIFY__SMS__GATEWAY", "simulator")
                .env("FIELDWORKD_NOTIFY__SMS__TO", DUTY_OFFICER);
            command
        };
        let run = async |arguments: &[&str], hook: &str| {
            let mut command = command(arguments, hook);
            tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
        };
        let output = run(&["alarm", "test"], "hook").await;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(
            (output.status.code(), said.as_str()),
            (Some(0), "email: sent\nwebhook: sent\nsms: sent\n"),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        came += 1;
        let post = receivers.came("webhook", came).await.pop().unwrap();
        assert!(post["signed"] == true && post["fresh"] == true, "{post}");
        let mail = receivers.came("email", came).await.pop().unwrap();
        assert_eq!(
            mail["to"],
            serde_json::json!(["head@example.com", "duty@example.com"]),
            "{mail}"
        );
        telephones += 1;
        assert_eq!(deployment.simulator.record().submits.len(), 1, "site {telephones}");
        // Permanently gone: reported, and not tried again.
        let output = run(&["alarm", "test"], "gone").await;
        assert_eq!(output.status.code(), Some(1));
        assert!(
            String::from_utf8_lossy(&output.stdout)
                .contains("webhook: the endpoint is gone for good (410)")
        );
        came += 1;
        receivers.came("webhook", came).await;
        let output = run(&["alarm", "notices", "--json"], "gone").await;
        let rows: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            rows.iter().filter(|row| row["sent_at"].is_null() && row["next_at"].is_null()).count(),
            1,
            "{rows:#?}"
        );
        let output = run(&["alarm", "digest"], "hook").await;
        assert!(String::from_utf8_lossy(&output.stdout).contains("in_field 1"), "{output:?}");
        let output = run(&["alarm", "list", "--json"], "hook").await;
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "[]");
        let output = run(&["alarm", "ack", "A1"], "hook").await;
        assert!(
            !output.status.success()
                && String::from_utf8_lossy(&output.stderr).contains("A1 has no alarm"),
            "{output:?}"
        );
        // A secret in the file, or none at all, is refused with the place and the remedy.
        let config = std::fs::read_to_string(deployment.path().join("fieldworkd.toml")).unwrap();
        std::fs::write(
            deployment.path().join("fieldworkd.toml"),
            config.replace("[notify.webhook]\n", "[notify.webhook]\nsecret = \"whsec_AAAA\"\n"),
        )
        .unwrap();
        let output = deployment.command_line(&["check-config"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("notify.webhook.secret") && said.contains("secret_file"), "{said}");
    }
}
