//! From the closed field to the verified folder, on both engines. That frozen data never changes is
//! tested in tests/invariants/i6_never_late_unseen.rs.

use crate::common;
use std::path::{Path, PathBuf};

use crate::common::deployment::{Deployment, wait_until};
use crate::common::interviewers::{
    add_interviewer, ask_all_pages, mixed_plan, next_call, record_outcome,
};
use crate::common::{TestApp, answers, local};
use fieldworkd::adapters::database::applications;
use fieldworkd::adapters::database::datasets::{self, FreezeReason};
use fieldworkd::domain::audit::{Action, Actor};
use fieldworkd::domain::telephone::CallOutcome;
use fieldworkd::services;
use fieldworkd::services::campaigns::{self, RateGrouping};
use fieldworkd::services::deadlines;
use fieldworkd::services::interviews::InterviewService;
use fieldworkd::simulation::Scenario;

/// Closes a field of ten people: three complete, one leaves after the core items, one after the
/// first page, one refuses, the others stay silent.
pub(crate) async fn closed_field(app: &TestApp) -> PathBuf {
    app.launch_with_people(10, "").await;
    app.advance_until(local("2026-03-03T12:00:00")).await;
    for n in 0..3 {
        app.answer_all(&app.link(n).await, 0, "8").await;
    }
    for (n, pages) in [(3, 3), (4, 1)] {
        let link = app.link(n).await;
        app.post(&format!("{link}/begin"), common::CONSENT_FORM).await;
        for page in 0..pages {
            app.post(&format!("{link}/answers"), &answers(0, page, "3")).await;
        }
    }
    app.post(&format!("{}/refuse", app.link(5).await), &[]).await;
    // Received on 2 March: the certificate is due on 2 June, the dataset 20 days before.
    app.advance_until(local("2026-05-13T23:59:59")).await;
    assert_eq!(
        services::datasets::write_pending(&app.context).await.unwrap(),
        0,
        "the due day is not over"
    );
    app.advance_until(local("2026-05-14T00:00:00")).await;
    assert_eq!(services::datasets::write_pending(&app.context).await.unwrap(), 1);
    assert_eq!(services::datasets::write_pending(&app.context).await.unwrap(), 0);
    app.context.config.datasets.join("A1/v1")
}

#[tokio::test]
async fn the_due_day_closes_the_field_and_every_case_has_its_disposition() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        let folder = closed_field(&app).await;
        let expected = [("1.1", 3), ("1.2", 1), ("2.112", 1), ("2.12", 1), ("2.20", 4)]
            .map(|(code, n)| (code.to_owned(), n));
        assert_eq!(app.dispositions("A1").await, expected, "{}", app.engine);
        let verified = services::datasets::verify(&folder, None).unwrap();
        assert_eq!((verified.files, verified.responses, verified.cases), (23, 4, 10));
        let cases = std::fs::read_to_string(folder.join("cases.csv")).unwrap();
        assert_eq!(
            cases
                .lines()
                .filter(|line| line.contains(",2.20,non_contact,") && line.contains(",3,"))
                .count(),
            4,
            "three attempts each"
        );
        let status = fieldworkd::services::campaigns::status(&app.context, "C1").await.unwrap();
        assert_eq!((status.state, status.applications[0].closed_by), ("closed", Some("due_day")));
        assert_eq!(status.applications[0].rr1, Some(0.3));
        // I 3, P 1, R 2 (a refusal and a break-off), NC 4.
        let rates = campaigns::rates(&app.context, "C1", RateGrouping::Wave).await.unwrap();
        let all = &rates[0];
        assert_eq!(
            (all.cases, all.complete, all.partial, all.refusal, all.non_contact),
            (10, 3, 1, 2, 4)
        );
        let rate = |name: &str| (all.rates[name].unwrap() * 1e4).round() / 1e4;
        assert_eq!(
            ["RR1", "RR2", "COOP1", "REF1", "CON1"].map(rate),
            [0.3, 0.4, 0.5, 0.2, 0.6],
            "{}",
            app.engine
        );
        // Those who answered or refused did so after the first message; the others were reminded
        // twice.
        let waves: Vec<(&str, u64, u64)> =
            rates[1..].iter().map(|of| (of.group.as_str(), of.cases, of.complete)).collect();
        assert_eq!(waves, [("invitation", 6, 3), ("last", 4, 0)], "{}", app.engine);
        assert!(rates.iter().all(|of| of.rates.len() == 16));
        let by = |by| campaigns::rates(&app.context, "C1", by);
        let groups = |rates: Vec<campaigns::GroupRates>| {
            rates.into_iter().map(|of| (of.group, of.cases)).collect::<Vec<_>>()
        };
        assert_eq!(groups(by(RateGrouping::Application).await.unwrap())[1], ("A1".to_owned(), 10));
        assert_eq!(groups(by(RateGrouping::Mode).await.unwrap())[1..], [("sms".to_owned(), 10)]);
        assert_eq!(
            groups(by(RateGrouping::Segment).await.unwrap())[1..],
            [("none".to_owned(), 10)]
        );
    }
}

async fn application(app: &TestApp) -> applications::Application {
    applications::find(&mut app.context.database.read().await.unwrap(), "A1")
        .await
        .unwrap()
        .unwrap()
}

pub(crate) async fn versions(app: &TestApp) -> Vec<datasets::Dataset> {
    let id = application(app).await.id;
    datasets::final_versions(&mut app.context.database.read().await.unwrap(), id).await.unwrap()
}

pub(crate) fn read_file(folder: &Path, file: &str) -> String {
    std::fs::read_to_string(folder.join(file)).unwrap()
}

fn count_rows(folder: &Path, file: &str) -> usize {
    read_file(folder, file).lines().count() - 1
}

/// A respondent in progress when the field closed may still finish: the answers are stored and go
/// into version 2 when it is requested, but never exceed the quota.
#[tokio::test]
async fn late_answers_go_into_a_second_version_when_asked_for() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        app.launch_with_people(10, "[application.quota]\ntarget = 4").await;
        app.advance_until(local("2026-03-03T12:00:00")).await;
        for n in 0..3 {
            app.answer_all(&app.link(n).await, 0, "8").await;
        }
        for n in [3, 4, 5] {
            let link = app.link(n).await;
            app.post(&format!("{link}/begin"), common::CONSENT_FORM).await;
            app.post(&format!("{link}/answers"), &answers(0, 0, "3")).await;
        }
        app.advance_until(local("2026-05-14T00:00:00")).await;
        services::datasets::write_pending(&app.context).await.unwrap();
        let nothing = deadlines::freeze(&app.context, "A1").await.unwrap_err().to_string();
        assert!(nothing.contains("nothing has changed since version 1 of A1"), "{nothing}");
        app.clock.advance_to(local("2026-05-15T09:00:00"));
        for n in [3, 4] {
            let link = app.link(n).await;
            for page in 1..4 {
                app.post(&format!("{link}/answers"), &answers(0, page, "6")).await;
            }
            assert!(
                app.get(&link).await.1.contains("感谢您的评价"),
                "{}: a late answer is thanked for: it is kept",
                app.engine
            );
        }
        // A respondent who had not begun, or comes too late, finds the field closed.
        let (_, closed) = app.get(&app.link(7).await).await;
        assert!(closed.contains("已结束"), "{closed}");
        assert_eq!(
            app.dispositions("A1").await[0],
            ("1.1".to_owned(), 3),
            "{}: nothing has moved yet",
            app.engine
        );
        assert_eq!(deadlines::freeze(&app.context, "A1").await.unwrap(), 2);
        services::datasets::write_pending(&app.context).await.unwrap();
        let (first, second) =
            (app.context.config.datasets.join("A1/v1"), app.context.config.datasets.join("A1/v2"));
        assert_eq!(
            (count_rows(&first, "responses.csv"), count_rows(&second, "responses.csv")),
            (3, 5),
            "{}",
            app.engine
        );
        // Of the two there was room for one.
        let of = |code: &str| {
            read_file(&second, "responses.csv")
                .lines()
                .filter(|line| line.split(',').nth(1) == Some(code))
                .count()
        };
        assert_eq!((of("1.1"), of("1.2")), (4, 1), "{}", app.engine);
        assert_eq!(versions(&app).await[1].reason, FreezeReason::LateAnswers);
        common::validate_dataset(&second);
        app.clock.advance_to(local("2026-06-20T09:00:00"));
        let link = app.link(5).await;
        app.post(&format!("{link}/answers"), &answers(0, 1, "3")).await;
        assert!(
            deadlines::freeze(&app.context, "A1")
                .await
                .unwrap_err()
                .to_string()
                .contains("since version 2"),
            "{}",
            app.engine
        );
    }
}

/// A withdrawn consent removes the answers from the next version automatically, and the answers are
/// deleted.
#[tokio::test]
async fn a_withdrawn_consent_produces_a_corrected_version() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        let folder = closed_field(&app).await;
        let link = app.link(0).await;
        assert!(app.get(&link).await.1.contains("撤回同意"), "the last page offers it");
        app.post(&format!("{link}/refuse"), &[]).await;
        assert!(app.get(&link).await.1.contains("已撤回同意"));
        deadlines::tick(&app.context).await.unwrap();
        deadlines::tick(&app.context).await.unwrap();
        assert_eq!(
            versions(&app).await.iter().map(|v| v.reason).collect::<Vec<_>>(),
            [FreezeReason::Closed, FreezeReason::Withdrawal],
            "{}",
            app.engine
        );
        assert_eq!(services::datasets::write_pending(&app.context).await.unwrap(), 1);
        let corrected = app.context.config.datasets.join("A1/v2");
        assert_eq!(
            (count_rows(&folder, "responses.csv"), count_rows(&corrected, "responses.csv")),
            (4, 3),
            "{}",
            app.engine
        );
        assert_eq!(
            (count_rows(&folder, "cases.csv"), count_rows(&corrected, "cases.csv")),
            (10, 10)
        );
        assert_eq!(app.dispositions("A1").await[0], ("1.1".to_owned(), 2));
        common::validate_dataset(&corrected);
        let cases = read_file(&corrected, "cases.csv");
        assert_eq!(cases.lines().filter(|line| line.contains(",2.112,")).count(), 2, "{cases}");
    }
}

#[tokio::test]
async fn a_complete_that_is_taken_back_makes_room_while_the_field_is_open() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        app.launch_with_people(6, "[application.quota]\ntarget = 2\n").await;
        app.advance_until(local("2026-03-03T12:00:00")).await;
        app.answer_all(&app.link(0).await, 0, "8").await;
        app.post(&format!("{}/refuse", app.link(0).await), &[]).await;
        app.answer_all(&app.link(1).await, 0, "8").await;
        deadlines::tick(&app.context).await.unwrap();
        assert_eq!(application(&app).await.closed_by, None, "{}: one of two", app.engine);
        app.answer_all(&app.link(2).await, 0, "8").await;
        deadlines::tick(&app.context).await.unwrap();
        assert_eq!(
            application(&app).await.closed_by,
            Some(applications::ClosedBy::Quota),
            "{}",
            app.engine
        );
        services::datasets::write_pending(&app.context).await.unwrap();
        assert_eq!(count_rows(&app.context.config.datasets.join("A1/v1"), "responses.csv"), 2);
    }
}

/// Open answers are reviewed before a version is released; a redacted answer is nowhere in the
/// folder.
#[tokio::test]
async fn open_answers_wait_for_their_reader() {
    for app in TestApp::on_each_engine(
        Scenario::faultless(1, 50),
        &[("DATASET__OPEN_ANSWERS", "reviewed")],
    )
    .await
    {
        app.launch_with_people(4, "").await;
        app.advance_until(local("2026-03-03T12:00:00")).await;
        for (n, words) in [(0, "服务员小李很好"), (1, "价格太高"), (2, "")] {
            let link = app.link(n).await;
            app.post(&format!("{link}/begin"), common::CONSENT_FORM).await;
            for page in 0..4 {
                let mut fields = answers(0, page, "8");
                fields.push(("open1", words));
                app.post(&format!("{link}/answers"), &fields).await;
            }
        }
        deadlines::close_campaign(&app.context, "C1").await.unwrap();
        assert_eq!(
            services::datasets::write_pending(&app.context).await.unwrap(),
            0,
            "{}: it waits",
            app.engine
        );
        let wu = fieldworkd::domain::audit::Actor::command("wu");
        let (_, open) =
            services::datasets::load_for_review(&app.context, "A1", None, &wu).await.unwrap();
        assert_eq!(open.len(), 2, "{}", app.engine);
        let named = open.iter().find(|answer| answer.text.contains("小李")).unwrap().number;
        assert!(
            services::datasets::release(&app.context, "A1", None, &[9].into(), &wu)
                .await
                .err()
                .unwrap()
                .to_string()
                .contains("number 9")
        );
        services::datasets::release(&app.context, "A1", None, &[named].into(), &wu).await.unwrap();
        assert!(
            services::datasets::release(&app.context, "A1", None, &[].into(), &wu).await.is_err(),
            "once"
        );
        assert_eq!(services::datasets::write_pending(&app.context).await.unwrap(), 1);
        let folder = app.context.config.datasets.join("A1/v1");
        common::validate_dataset(&folder);
        for entry in std::fs::read_dir(&folder).unwrap() {
            let content = std::fs::read(entry.unwrap().path()).unwrap();
            assert!(!String::from_utf8_lossy(&content).contains("小李"), "{}", app.engine);
        }
        assert!(read_file(&folder, "responses.csv").contains("价格太高"));
    }
}

#[tokio::test]
async fn an_interim_version_is_frozen_while_the_field_goes_on() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        app.launch_with_people(5, "").await;
        app.advance_until(local("2026-03-03T12:00:00")).await;
        app.answer_all(&app.link(0).await, 0, "8").await;
        assert_eq!(deadlines::freeze_interim(&app.context, "A1").await.unwrap(), 1);
        app.answer_all(&app.link(1).await, 0, "8").await;
        assert_eq!(deadlines::freeze_interim(&app.context, "A1").await.unwrap(), 2);
        services::datasets::write_pending(&app.context).await.unwrap();
        let folder = |name: &str| app.context.config.datasets.join("A1").join(name);
        assert_eq!(
            (
                count_rows(&folder("interim-1"), "responses.csv"),
                count_rows(&folder("interim-2"), "responses.csv")
            ),
            (1, 2),
            "{}",
            app.engine
        );
        assert!(versions(&app).await.is_empty() && application(&app).await.closed_by.is_none());
        assert_eq!(
            deadlines::freeze(&app.context, "A1").await.unwrap(),
            1,
            "by hand the field is closed"
        );
        assert_eq!(application(&app).await.closed_by, Some(applications::ClosedBy::ByHand));
        common::validate_dataset(&folder("interim-2"));
    }
}

#[tokio::test]
async fn closing_by_hand_writes_what_there_is() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        app.launch_with_people(2, "").await;
        app.advance_until(local("2026-03-03T12:00:00")).await;
        app.answer_all(&app.link(0).await, 0, "8").await;
        assert_eq!(deadlines::close_campaign(&app.context, "C1").await.unwrap(), ["A1"]);
        assert!(
            deadlines::close_campaign(&app.context, "C1")
                .await
                .unwrap_err()
                .to_string()
                .contains("closed already")
        );
        services::datasets::write_pending(&app.context).await.unwrap();
        assert_eq!(
            services::datasets::verify(&app.context.config.datasets.join("A1/v1"), None)
                .unwrap()
                .responses,
            1
        );
        let sent = app.simulator.record().accepted.len();
        app.advance_until(local("2026-04-03T12:00:00")).await;
        assert_eq!(
            app.simulator.record().accepted.len(),
            sent,
            "{}: nobody is reminded of a closed field",
            app.engine
        );
    }
}

/// Public reports: cnr-isti-vclab/meshlab#316, Esdex/Arcanum#170 (saved, says the program, and the
/// file is not there), securedrop-client#3260 (the cause is not named).
#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_whose_files_cannot_be_written_says_what_is_safe_and_what_is_missing() {
    for deployment in Deployment::on_each_engine(3, &Scenario::faultless(1, 50), 50).await {
        let run = |arguments: &[&str]| {
            let output = deployment.command_line(arguments).output().unwrap();
            let text = |bytes| String::from_utf8(bytes).unwrap();
            (output.status.code(), text(output.stdout), text(output.stderr))
        };
        // A file is in the way of the application's folder.
        let folder = deployment.path().join("var/datasets/A1");
        std::fs::create_dir_all(folder.parent().unwrap()).unwrap();
        std::fs::write(&folder, "").unwrap();
        let (status, said, problem) = run(&["dataset", "freeze", "A1"]);
        assert_eq!((status, said.as_str()), (Some(1), ""), "{problem}");
        for part in [
            "A1: version 1 is frozen and safe in the database. ",
            "The files of A1 v1 are still missing (dataset ",
            "the daemon writes them by itself",
            "[command.not_written]",
        ] {
            assert!(problem.contains(part), "{}: {part}: {problem}", deployment.url);
        }
        // It is as frozen as it says, and the audit log does not call it refused.
        assert!(run(&["dataset", "list"]).1.contains("(to be written)"), "{}", deployment.url);
        let log = run(&["audit", "list", "--json"]).1;
        assert!(log.contains("frozen") && !log.contains("refused"), "{log}");
        std::fs::remove_file(&folder).unwrap();
        assert_eq!(run(&["retry"]).0, Some(0));
        let daemon = deployment.start_daemon(&[]).await;
        wait_until("the files are written", async || folder.join("v1").exists()).await;
        daemon.signal("TERM");
        daemon.wait_for_exit();
        let (status, said, problem) = run(&["dataset", "verify", "var/datasets/A1/v1"]);
        assert_eq!(status, Some(0), "{said}{problem}");
    }
}

/// ISO 20252: frame, draw, dates, messages, plan, changes, outcomes by contact, lengths, interviewers,
/// verification; and deviations that are true.
#[tokio::test]
async fn the_report_tells_how_the_field_was_done() {
    let mut scenario = Scenario::faultless(1, 1_000);
    scenario.people = fieldworkd::simulation::PeopleScenario::silent();
    for app in TestApp::on_each_engine(scenario, &[("DATASET__SMALLEST_CELL", "1")]).await {
        let quota = "[application.quota]\ntarget = 5\ncells = { \"大用户\" = 2 }";
        app.register_brand("A1", "a", quota).await;
        let list = "姓名,手机,类型\n张一,13810000001,大用户\n李二,13810000002,\n王三,13810000003,\n\
            王三,13810000003,\n赵四,123,\n店,010-65121234,\n";
        app.import(&["A1"], list.as_bytes()).await.unwrap();
        app.launch("C1", &["A1"], &mixed_plan(3)).await.unwrap();
        let wu = add_interviewer(&app, "wu").await;
        let wang = Actor::command("wang");
        let paused = ("campaign:C1", "pause");
        app.context
            .audit_before(&wang, Action::CampaignStateChanged, paused.0, paused.1)
            .await
            .unwrap();
        app.advance_until(local("2026-03-03T12:00:00")).await;
        app.answer_all(&app.link_of("C1", "A1", "13810000001").await, 0, "8").await;
        app.advance_until(local("2026-03-05T15:00:00")).await;
        let interviews = InterviewService::new(app.context.clone());
        let call = next_call(&app, &wu).await.unwrap();
        ask_all_pages(&interviews, &call).await;
        record_outcome(&app, &wu, &call, CallOutcome::Interviewed).await;
        let verified =
            "INSERT INTO verification (call_id, invitation_id, drawn_at, verified_at, outcome)
            SELECT id, invitation_id, 0, 1, 'sound' FROM phone_call WHERE outcome = 'interviewed'";
        app.execute_sql(verified).await.unwrap();
        app.advance_until(local("2026-05-14T00:00:00")).await;
        services::datasets::write_pending(&app.context).await.unwrap();
        let folder = app.context.config.datasets.join("A1/v1");
        let report = read_file(&folder, "fieldwork-report.html");
        let cells = |cells: &[&str]| {
            cells.iter().map(|cell| format!("<td class=\"n\">{cell}</td>")).collect::<String>()
        };
        for told in [
            // Six rows: four people, one of them twice, one number that is none.
            cells(&["6", "4", "1", "1"]).as_str(),
            "未抽样",
            "<td>pause</td><td>wang</td>",
            "【{signature}】{name}您好，请评价{subject}：{link} 退订回T",
            "您要的链接：{link}",
            "standard-3",
            "1 名访问员参与完成 1 份；由他人回访核实 1 份（100.0 %）",
            // Who answered on the web stands with the message that brought them, by SMS.
            &format!("<td>invitation</td><td>短信 SMS</td>{}", cells(&["1", "1", "100.0 %"])),
            &format!("<td>calls</td><td>电话 telephone</td>{}", cells(&["1", "1", "100.0 %"])),
            "<td>电话 telephone</td><td class=\"n\">1</td><td class=\"n\">0:00</td>",
            "完成 2 份，未达到目标 5 份",
            "配额格“大用户”未达到 2",
            "活动暂停",
        ] {
            assert!(report.contains(told), "{}: {told}\n{report}", app.engine);
        }
        assert!(!report.contains("无偏离"), "{}", app.engine);
        common::validate_dataset(&folder);
    }
}
