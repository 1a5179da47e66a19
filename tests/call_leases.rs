//! One person on one screen, nothing lost at the desk: leases under requests at the same moment, a
//! page that dies while its field closes, and who comes next in a queue longer than the scan.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::call_center::silent;
use crate::common::browser::{Browser, add_account};
use crate::common::interviewers::{add_interviewer, mixed_plan, next_call, send_page};
use crate::common::{CONSENT_FORM, PROGRAMME, TestApp, list_of, local};
use fieldworkd::adapters::clock::Clock;
use fieldworkd::adapters::database::{calls, responses};
use fieldworkd::domain::role::Role;
use fieldworkd::domain::telephone::CallOutcome;
use fieldworkd::domain::time::Timestamp;
use fieldworkd::services::call_center::queue;
use fieldworkd::services::deadlines;
use fieldworkd::services::interviews::InterviewService;
use fieldworkd::services::programmes::apply_programme;

async fn queue_of(people: usize, settings: &[(&str, &str)]) -> Vec<TestApp> {
    let apps = TestApp::on_each_engine(silent(), settings).await;
    for app in &apps {
        app.register_brand("A1", "a", "").await;
        app.import(&["A1"], list_of(0..people).as_bytes()).await.unwrap();
        app.launch("C1", &["A1"], &mixed_plan(3)).await.unwrap();
        app.advance_until(local("2026-03-04T15:00:00")).await;
    }
    apps
}

async fn all_calls(app: &TestApp) -> Vec<calls::Call> {
    let mut connection = app.context.database.read().await.unwrap();
    calls::all_since(&mut connection, Timestamp(0)).await.unwrap()
}

/// A double click, or six tabs (OpenACD/OpenACD#5: calls in quick succession all take the same
/// agent).
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn six_requests_of_one_interviewer_at_once_get_one_person() {
    for app in queue_of(20, &[]).await {
        add_account(&app, "wu", Role::Interviewer).await;
        let wu = Browser::signed_in(&app, "wu").await;
        let token = wu.token("/interview").await;
        for round in 1..=7 {
            let clicks = (0..6).map(|_| async {
                let fields = [("token", token.as_str())];
                let (status, to, page) = wu.post("/interview/next", &fields).await;
                assert_eq!((status, to.as_str()), (303, "/interview"), "{page}");
            });
            futures_util::future::join_all(clicks).await;
            let all = all_calls(&app).await;
            assert_eq!(all.len(), round, "{}: one more person in each round", app.engine);
            let on_screen = all.iter().filter(|call| call.outcome.is_none()).count();
            assert_eq!(on_screen, 1, "{}", app.engine);
            let page = wu.get("/interview").await.2;
            let call = page.split("data-call=\"").nth(1).unwrap().split('"').next().unwrap();
            let fields = [("outcome", "no_answer"), ("token", token.as_str())];
            assert_eq!(wu.post(&format!("/interview/{call}/outcome"), &fields).await.0, 303);
        }
        let shown: BTreeSet<_> = all_calls(&app).await.iter().map(|call| call.invitation).collect();
        assert_eq!(shown.len(), 7, "{}", app.engine);
        // The database holds it, whatever program writes to it.
        let second = "UPDATE call_queue SET leased_by = 1, leased_until = 9 WHERE invitation_id IN \
            (SELECT MIN(invitation_id) FROM call_queue UNION SELECT MAX(invitation_id) FROM \
            call_queue)";
        assert!(app.execute_sql(second).await.is_err(), "{}", app.engine);
    }
}

/// A lease that cannot be ended (its plan is damaged) does not keep its interviewer from others.
#[tokio::test]
async fn a_lease_that_cannot_be_ended_is_taken_from_its_interviewer() {
    for app in queue_of(3, &[]).await {
        let wu = add_interviewer(&app, "wu").await;
        let first = next_call(&app, &wu).await.unwrap();
        app.register_brand("B1", "b", "").await;
        app.import(&["B1"], list_of(10..12).as_bytes()).await.unwrap();
        app.launch("C2", &["B1"], &mixed_plan(3)).await.unwrap();
        app.advance_until(local("2026-03-06T15:00:00")).await;
        let damage = "UPDATE campaign SET plan = '{' WHERE code = 'C1'";
        app.execute_sql(damage).await.unwrap();
        let back = "UPDATE call_queue SET leased_until = 1 WHERE leased_by IS NOT NULL";
        app.execute_sql(back).await.unwrap();
        let second = next_call(&app, &wu).await.expect("somebody of the other campaign");
        assert_ne!(second.lease.invitation, first.lease.invitation, "{}", app.engine);
        let mend = "UPDATE campaign SET plan = (SELECT plan FROM campaign WHERE code = 'C2') \
            WHERE code = 'C1'";
        app.execute_sql(mend).await.unwrap();
        app.clock.advance_to(app.clock.now() + Duration::from_secs(7_200));
        queue::release_expired_leases(&app.context).await.unwrap();
        let all = all_calls(&app).await;
        assert!(all.iter().all(|call| call.outcome == Some(CallOutcome::Lost)), "{all:?}");
    }
}

/// The field closes, or the person opts out, while somebody is on the screen, and the page dies.
#[tokio::test]
async fn a_page_that_dies_while_its_field_closes_has_interviewed_nobody() {
    for app in queue_of(3, &[]).await {
        let interview_service = InterviewService::new(app.context.clone());
        let (wu, zheng) = (add_interviewer(&app, "wu").await, add_interviewer(&app, "zheng").await);
        let begun = next_call(&app, &wu).await.unwrap();
        next_call(&app, &zheng).await.unwrap();
        let context = crate::common::interviewers::answer_context(&begun);
        interview_service
            .begin(&begun.code, begun.language, CONSENT_FORM[0].1, context)
            .await
            .unwrap();
        send_page(&interview_service, &begun, 0).await;
        deadlines::close_campaign(&app.context, "C1").await.unwrap();
        app.clock.advance_to(app.clock.now() + Duration::from_secs(1_300));
        queue::release_expired_leases(&app.context).await.unwrap();
        for call in all_calls(&app).await {
            assert_eq!(call.outcome, Some(CallOutcome::Lost), "{}", app.engine);
        }
        // What was asked before is kept.
        let mut connection = app.context.database.read().await.unwrap();
        let application = fieldworkd::adapters::database::applications::find(&mut connection, "A1")
            .await
            .unwrap()
            .unwrap();
        let stored = responses::of_application(&mut connection, application.id).await.unwrap();
        assert!(stored.iter().any(|response| !response.answers.is_empty()), "{}", app.engine);
    }
}

/// An interview whose page was left alone is kept: what is sent afterwards is saved, and the ready
/// page leads back to it, as long as nobody else has the person (ONSdigital/eq-survey-runner#991,
/// sleepepi/slice#116: what was typed is lost with a session).
#[tokio::test]
async fn an_interview_that_was_left_alone_is_found_again() {
    for app in queue_of(1, &[]).await {
        for name in ["wu", "zheng"] {
            add_account(&app, name, Role::Interviewer).await;
        }
        let (wu, zheng) =
            (Browser::signed_in(&app, "wu").await, Browser::signed_in(&app, "zheng").await);
        let token = wu.token("/interview").await;
        let call_on = async |browser: &Browser<'_>| {
            let page = browser.get("/interview").await.2;
            page.split("data-call=\"").nth(1).map(|rest| rest.split('"').next().unwrap().to_owned())
        };
        let answered = async || {
            let mut connection = app.context.database.read().await.unwrap();
            let application =
                fieldworkd::adapters::database::applications::find(&mut connection, "A1")
                    .await
                    .unwrap()
                    .unwrap();
            let stored = responses::of_application(&mut connection, application.id).await.unwrap();
            stored.iter().map(|response| response.answers.len()).sum::<usize>()
        };
        wu.post("/interview/next", &[("token", &token)]).await;
        let call = call_on(&wu).await.unwrap();
        wu.post(&format!("/interview/{call}/begin"), &[CONSENT_FORM[0], ("token", &token)]).await;
        // The page sleeps; its call is lost, and nobody has called since.
        app.clock.advance_to(app.clock.now() + Duration::from_secs(21 * 60));
        queue::release_expired_leases(&app.context).await.unwrap();
        assert_eq!(all_calls(&app).await[0].outcome, Some(CallOutcome::Lost), "{}", app.engine);
        let ready = wu.get("/interview").await.2;
        assert!(ready.contains(&format!("action=\"/interview/{call}/resume\"")), "{ready}");
        assert!(!zheng.get("/interview").await.2.contains("/resume"), "{}", app.engine);
        let path = format!("/interview/{call}/answers");
        let mut fields = crate::common::answers(0, 0, "8");
        fields.push(("token", &token));
        let (status, to, page) = wu.post(&path, &fields).await;
        assert_eq!((status, to.as_str()), (303, "/interview?page=1"), "{}: {page}", app.engine);
        let kept = answered().await;
        assert!(kept > 0, "{}: what was typed is saved", app.engine);
        // Once more, by the button; then somebody else has the person.
        let second = call_on(&wu).await.unwrap();
        assert_ne!(second, call);
        app.clock.advance_to(app.clock.now() + Duration::from_secs(21 * 60));
        queue::release_expired_leases(&app.context).await.unwrap();
        let resume = format!("/interview/{second}/resume");
        assert_eq!(zheng.submit(&resume, &[]).await.1, "/interview?noted=over", "{}", app.engine);
        assert_eq!(wu.submit(&resume, &[]).await.1, "/interview?noted=resumed", "{}", app.engine);
        let third = call_on(&wu).await.unwrap();
        app.clock.advance_to(app.clock.now() + Duration::from_secs(45 * 60));
        zheng.submit("/interview/next", &[]).await;
        assert!(call_on(&zheng).await.is_some(), "{}: the person is with another", app.engine);
        let mut fields = crate::common::answers(0, 1, "8");
        fields.push(("token", &token));
        let sent = wu.post(&format!("/interview/{third}/answers"), &fields).await;
        assert_eq!(sent.1, "/interview?noted=over", "{}", app.engine);
        assert_eq!(answered().await, kept, "{}", app.engine);
        // One person is on one screen all the time.
        let on_screen = all_calls(&app).await.iter().filter(|c| c.outcome.is_none()).count();
        assert_eq!(on_screen, 1, "{}", app.engine);
        // Neither at night nor in a paused campaign does the number come onto a screen again (I2).
        let last = call_on(&zheng).await.unwrap();
        let resume = format!("/interview/{last}/resume");
        let lost_a_minute_ago = async |now: &str| {
            app.clock.advance_to(local(now));
            let run_out = "UPDATE call_queue SET leased_until = 1 WHERE leased_by IS NOT NULL";
            app.execute_sql(run_out).await.unwrap();
            queue::release_expired_leases(&app.context).await.unwrap();
            let ended = local(now).0 - 60_000;
            let ended = format!("UPDATE phone_call SET ended_at = {ended} WHERE id = {last}");
            app.execute_sql(&ended).await.unwrap();
        };
        // Hours later everybody signs in again.
        let resumed_to =
            async || Browser::signed_in(&app, "zheng").await.submit(&resume, &[]).await.1;
        let over = "/interview?noted=over";
        lost_a_minute_ago("2026-03-04T22:30:00").await;
        assert_eq!(resumed_to().await, over, "{}: at night", app.engine);
        lost_a_minute_ago("2026-03-05T15:00:00").await;
        app.execute_sql("UPDATE campaign SET state = 'paused'").await.unwrap();
        assert_eq!(resumed_to().await, over, "{}: paused", app.engine);
        app.execute_sql("UPDATE campaign SET state = 'running'").await.unwrap();
        let resumed = resumed_to().await;
        assert_eq!(resumed, "/interview?noted=resumed", "{}", app.engine);
    }
}

/// What is typed while the field closes is kept as a late answer, like on the web.
#[tokio::test]
async fn an_interview_under_way_can_be_finished_after_its_field_has_closed() {
    for app in queue_of(3, &[]).await {
        add_account(&app, "wu", Role::Interviewer).await;
        let wu = Browser::signed_in(&app, "wu").await;
        let token = wu.token("/interview").await;
        wu.post("/interview/next", &[("token", &token)]).await;
        let page = wu.get("/interview").await.2;
        let call = page.split("data-call=\"").nth(1).unwrap().split('"').next().unwrap();
        let notice = CONSENT_FORM[0];
        wu.post(&format!("/interview/{call}/begin"), &[notice, ("token", &token)]).await;
        for page in 0..4 {
            if page == 2 {
                deadlines::close_campaign(&app.context, "C1").await.unwrap();
            }
            let answers = crate::common::answers(0, page, "9");
            let mut fields: Vec<(&str, &str)> = answers.iter().map(|(n, v)| (*n, *v)).collect();
            fields.push(("token", &token));
            let (status, to, _) = wu.post(&format!("/interview/{call}/answers"), &fields).await;
            assert_eq!(status, 303, "{}: page {page}", app.engine);
            assert_eq!(to.contains("noted=interviewed"), page == 3, "{}: {to}", app.engine);
        }
        let all = all_calls(&app).await;
        assert_eq!(all[0].outcome, Some(CallOutcome::Interviewed), "{}", app.engine);
        let mut connection = app.context.database.read().await.unwrap();
        let application = fieldworkd::adapters::database::applications::find(&mut connection, "A1")
            .await
            .unwrap()
            .unwrap();
        let stored = responses::of_application(&mut connection, application.id).await.unwrap();
        assert_eq!(stored[0].answers.len(), 16, "{}: to the last page", app.engine);
        assert!(stored[0].late_at.is_some(), "{}", app.engine);
    }
}

/// The best of five thousand waits at the end of the list, in another zone than most.
#[tokio::test]
async fn in_a_long_queue_of_four_zones_the_first_in_line_comes_first() {
    const PEOPLE: usize = 5_000;
    for app in TestApp::on_each_engine(silent(), &[]).await {
        let caps = format!("{PROGRAMME}caps = {{ brand = {PEOPLE} }}\n");
        apply_programme(&app.context, &caps).await.unwrap();
        app.register_brand("A1", "a", "").await;
        app.import(&["A1"], list_of(0..PEOPLE).as_bytes()).await.unwrap();
        let plan = mixed_plan(3).replace("09:00-21:00", "00:00-24:00");
        app.launch("C1", &["A1"], &plan).await.unwrap();
        let now = app.clock.now().0;
        // All wait; each was called in the part of the day that it is now in their zone, but one,
        // who was called in the part that it is in Shanghai.
        let zones = ["Asia/Shanghai", "Europe/Berlin", "America/New_York", "America/Los_Angeles"];
        for (n, zone) in zones.iter().enumerate() {
            let sql = format!("UPDATE respondent SET zone = '{zone}' WHERE id % 4 = {n}");
            app.execute_sql(&sql).await.unwrap();
        }
        let enqueue = format!(
            "INSERT INTO call_queue (invitation_id, campaign_id, step, entered_at, next_at, \
             max_calls, language, calls, tried_day_parts) SELECT id, campaign_id, 1, {now}, {now}, \
             9, 'zh', 1, 255 FROM invitation"
        );
        app.execute_sql(&enqueue).await.unwrap();
        let shanghai =
            fieldworkd::domain::telephone::DayPart::of(app.clock.now(), chrono_tz::Asia::Shanghai);
        let best = format!(
            "UPDATE call_queue SET tried_day_parts = {} WHERE invitation_id = (SELECT MAX(i.id) \
             FROM invitation i JOIN respondent r ON r.id = i.respondent_id WHERE r.zone = \
             'America/Los_Angeles')",
            shanghai.bit()
        );
        app.execute_sql(&best).await.unwrap();
        let wu = add_interviewer(&app, "wu").await;
        let first = next_call(&app, &wu).await.expect("somebody waits");
        let best = "SELECT MAX(i.id) FROM invitation i JOIN respondent r ON r.id = i.respondent_id \
            WHERE r.zone = 'America/Los_Angeles'";
        let mut connection = app.context.database.read().await.unwrap();
        let best: i64 = sqlx::query_scalar(best).fetch_one(&mut *connection).await.unwrap();
        assert_eq!(first.lease.invitation.0, best, "{}", app.engine);
        drop(connection);
        // Then the fewest calls, wherever they stand.
        let fewer = format!("UPDATE call_queue SET calls = 0 WHERE invitation_id = {}", best / 2);
        app.execute_sql(&fewer).await.unwrap();
        let zheng = add_interviewer(&app, "zheng").await;
        let second = next_call(&app, &zheng).await.expect("somebody waits");
        assert_eq!(second.lease.invitation.0, best / 2, "{}", app.engine);
    }
}

/// Clocks that are set (nfs-ganesha/nfs-ganesha#927: leases by the wall clock do not run out).
#[tokio::test]
async fn a_clock_that_is_set_keeps_nobody_and_loses_no_call() {
    const HOUR: i64 = 3_600_000;
    for step in [-HOUR, HOUR, -48 * HOUR, 48 * HOUR] {
        for app in queue_of(3, &[]).await {
            let wu = add_interviewer(&app, "wu").await;
            let first = next_call(&app, &wu).await.unwrap();
            let sent = app.simulator.record().submits.len();
            let before = app.clock.now();
            app.clock.set_to(Timestamp(before.0 + step));
            // The page is open: it stays, and nothing goes out by the wrong clock.
            let (_, ready) = app.get(&format!("{}/readyz", app.base)).await;
            let way = if step < 0 { "was set back by" } else { "was set forward by" };
            assert!(ready.contains(way) && ready.contains("\"ready\":false"), "{ready}");
            fieldworkd::services::clock_steps::pull_in(&app.context).await.unwrap();
            queue::release_expired_leases(&app.context).await.unwrap();
            assert_eq!(next_call(&app, &wu).await.unwrap().lease, first.lease, "{}", app.engine);
            queue::renew(&app.context, &wu, first.lease.call, false).await.unwrap();
            app.dispatcher.tick().await.unwrap();
            assert_eq!(deadlines::tick(&app.context).await.unwrap(), [""; 0]);
            assert_eq!(app.simulator.record().submits.len(), sent, "{} {step}", app.engine);
            // After ten minutes all goes on. The page is closed: its person is free twenty minutes
            // after the last request, whatever the clock had shown.
            app.clock.advance_to(app.clock.now() + Duration::from_secs(1_201));
            queue::release_expired_leases(&app.context).await.unwrap();
            let ended = all_calls(&app).await;
            assert_eq!(ended[0].outcome, Some(CallOutcome::Lost), "{} {step}", app.engine);
            let (_, ready) = app.get(&format!("{}/readyz", app.base)).await;
            assert!(!ready.contains("was set forward") && !ready.contains("back by"), "{ready}");
        }
    }
}

/// The clock was set back while no daemon ran: what it wrote ahead is shortened.
#[tokio::test]
async fn what_a_clock_that_was_ahead_wrote_is_shortened() {
    for app in queue_of(3, &[]).await {
        let wu = add_interviewer(&app, "wu").await;
        next_call(&app, &wu).await.unwrap();
        let far = app.clock.now().0 + 30 * 86_400_000;
        for sql in [
            format!("UPDATE call_queue SET leased_until = {far} WHERE call_id IS NOT NULL"),
            format!("UPDATE gateway_rate SET paused_until = {far}, paused_because = 'slow_down'"),
            format!("UPDATE account SET locked_until = {far}"),
        ] {
            app.execute_sql(&sql).await.unwrap();
        }
        let changed = fieldworkd::services::clock_steps::pull_in(&app.context).await.unwrap();
        assert_eq!(changed, 3, "{}", app.engine);
        app.clock.advance_to(app.clock.now() + Duration::from_secs(1_201));
        queue::release_expired_leases(&app.context).await.unwrap();
        assert_eq!(all_calls(&app).await[0].outcome, Some(CallOutcome::Lost), "{}", app.engine);
        let again = fieldworkd::services::clock_steps::pull_in(&app.context).await.unwrap();
        assert_eq!(again, 0, "{}", app.engine);
    }
}
