//! One poisoned row in each loop of the daemon that [`crate::poisoned_rows`] leaves: the database
//! refuses to change it, the rest is done, the row is shown as stuck, and done once it is well.
//!
//! Public reports of the same are named as `owner/repository#number`. maxamillion/loopabull#8,
//! contribsys/faktory#56: a job that always fails stands before all others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fieldworkd::adapters::clock::Clock;
use fieldworkd::adapters::database::messages::{self, NewMessage, Settlement};
use fieldworkd::adapters::database::{
    call_queue, datasets, erasure as stored_erasure, replicates, replies,
};
use fieldworkd::adapters::sms::{Entries, Receipt, Reply, ReplyPart, TextCoding};
use fieldworkd::domain::audit::Actor;
use fieldworkd::domain::contact_plan::MessageSlot;
use fieldworkd::domain::event::EventKind;
use fieldworkd::domain::ids::{InvitationId, MessageKey};
use fieldworkd::domain::personal::Personal;
use fieldworkd::domain::phone::Phone;
use fieldworkd::services::call_center::queue;
use fieldworkd::services::datasets::{delivery, write_pending};
use fieldworkd::services::interviews::InterviewService;
use fieldworkd::services::quotas::replicates::release_due_replicates;
use fieldworkd::services::sms_inbound::process_receipts;
use fieldworkd::services::sms_sending::receipts::apply_late_receipts;
use fieldworkd::services::{campaigns, deadlines, erasure, programmes, webhooks};
use fieldworkd::simulation::Scenario;

use crate::call_center::silent;
use crate::common::interviewers::{add_interviewer, mixed_plan, next_call};
use crate::common::{PLAN, PROGRAMME, TestApp, list, list_of, monday, number};
use crate::poisoned_rows::two_campaigns;

impl TestApp {
    /// Makes the database refuse an `event` (INSERT, UPDATE) of `table` for the rows of which the
    /// condition over `NEW` holds.
    async fn poison(&self, event: &str, table: &str, condition: &str) {
        let head = format!("CREATE TRIGGER poison BEFORE {event} ON {table}");
        let sql = match self.engine {
            "sqlite" => {
                vec![format!("{head} WHEN {condition} BEGIN SELECT RAISE(ABORT, 'poisoned'); END")]
            }
            _ => vec![
                "CREATE OR REPLACE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 RAISE EXCEPTION 'poisoned'; END $$"
                    .to_owned(),
                format!("{head} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION poison()"),
            ],
        };
        for sql in sql {
            self.execute_sql(&sql).await.unwrap();
        }
    }

    async fn heal(&self, table: &str) {
        let of_table = if self.engine == "sqlite" { "" } else { &format!(" ON {table}") };
        self.execute_sql(&format!("DROP TRIGGER poison{of_table}")).await.unwrap();
        self.retry_all().await;
    }

    async fn is_stuck(&self, kind: &str, item: &str) {
        let expected = [(kind.to_owned(), item.to_owned(), 1)];
        assert_eq!(self.stuck().await, expected, "{}", self.engine);
    }

    /// Stores a questionnaire that cannot be read, and gives it to an application; `None`: it gets
    /// its own again, as B1 has it.
    async fn give_questionnaire(&self, application: &str, is_readable: bool) {
        let sql = "INSERT INTO questionnaire (code, version, sha256, source) SELECT 'bad', 1, 'x', \
            '[' WHERE NOT EXISTS (SELECT 1 FROM questionnaire WHERE code = 'bad')";
        self.execute_sql(sql).await.unwrap();
        let source = match is_readable {
            true => "SELECT questionnaire_id FROM application WHERE code = 'B1'",
            false => "SELECT id FROM questionnaire WHERE code = 'bad'",
        };
        let sql = format!(
            "UPDATE application SET questionnaire_id = ({source}) WHERE code = '{application}'"
        );
        self.execute_sql(&sql).await.unwrap();
    }

    /// Applications and names of all versions.
    async fn all_versions(&self) -> Vec<String> {
        let mut connection = self.context.database.read().await.unwrap();
        let all = datasets::all(&mut connection).await.unwrap();
        let name =
            |set: &datasets::Dataset| format!("{} {}", set.application_code, set.version_name());
        let mut names: Vec<String> = all.iter().map(name).collect();
        names.sort();
        names
    }

    fn pass(&self, seconds: u64) {
        self.clock.advance_to(self.clock.now() + Duration::from_secs(seconds));
    }
}

fn message(invitation: i64) -> NewMessage {
    NewMessage {
        key: MessageKey { invitation: InvitationId(invitation), slot: MessageSlot::step(0) },
        gateway: "simulator".into(),
        reference: format!("m{invitation}-1"),
        parts: 1,
        cost_micros: 0,
    }
}

/// A receipt that a message did not arrive.
fn receipt(id: &str) -> Receipt {
    Receipt {
        id: Some(id.to_owned()),
        dead_number: false,
        code: None,
        reference: None,
        to: None,
        delivered: false,
    }
}

/// Submits a message to each of the invitations, with the gateway's ids.
async fn submit(app: &TestApp, ids: &[(i64, &str)]) {
    let now = app.clock.now();
    let mut tx = app.context.database.write().await.unwrap();
    let new: Vec<NewMessage> = ids.iter().map(|(invitation, _)| message(*invitation)).collect();
    messages::mark_submitting(&mut tx, &new, now).await.unwrap();
    let answers: Vec<Settlement> = ids
        .iter()
        .map(|(invitation, id)| Settlement {
            key: message(*invitation).key,
            state: "accepted",
            gateway_message_id: Some((*id).to_owned()),
            code: None,
            submitted_at: now,
            part_ids: Vec::new(),
        })
        .collect();
    messages::settle(&mut tx, &answers, now).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_delivery_that_cannot_be_written_down_holds_up_no_other() {
    let shared = tempfile::tempdir().unwrap();
    let path = shared.path().display().to_string();
    for app in two_campaigns(&[("DELIVERY__FOLDER__PATH", &path)]).await {
        for code in ["A1", "B1"] {
            let _ = std::fs::remove_dir_all(shared.path().join(code));
        }
        app.clock.advance_to(monday() + Duration::from_secs(200 * 86_400));
        deadlines::tick(&app.context).await.unwrap();
        assert_eq!(write_pending(&app.context).await.unwrap(), 2, "{}", app.engine);
        app.poison("UPDATE", "delivery", "NEW.id = 1 AND NEW.arrived_at IS NOT NULL").await;
        assert_eq!(delivery::deliver_due(&app.context).await.unwrap(), 1, "{}", app.engine);
        app.is_stuck("deliver_dataset", "1").await;
        app.heal("delivery").await;
        app.pass(3_600);
        assert_eq!(delivery::deliver_due(&app.context).await.unwrap(), 1, "{}", app.engine);
        assert_eq!(app.stuck().await, []);
    }
}

/// A webhook whose row cannot be read (its kinds are those of a later version, say) is alone with it.
/// travis-ci/travis-ci#3192, webhookdb/webhookdb#237: one webhook fails, and the next get nothing.
#[tokio::test]
async fn a_webhook_that_cannot_be_read_holds_up_no_other() {
    let posts = Arc::new(AtomicUsize::new(0));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let counter = posts.clone();
    let receiver =
        axum::Router::new().fallback(async move || _ = counter.fetch_add(1, Ordering::SeqCst));
    tokio::spawn(async move { axum::serve(listener, receiver).await });
    for app in two_campaigns(&[]).await {
        for name in ["first", "second"] {
            let (url, kinds) = (format!("http://{address}/{name}"), [EventKind::CampaignPaused]);
            let actor = Actor::console("zhao");
            webhooks::add(&app.context, &actor, name, &url, &kinds).await.unwrap();
        }
        let paused = fieldworkd::adapters::database::campaigns::CampaignState::Paused;
        campaigns::change_state(&app.context, "C1", paused).await.unwrap();
        let kinds = async |kinds: &str| {
            let sql = format!("UPDATE event_endpoint SET kinds = '{kinds}' WHERE name = 'first'");
            app.execute_sql(&sql).await.unwrap();
        };
        kinds("campaign.dreamt").await;
        posts.store(0, Ordering::SeqCst);
        webhooks::deliver_due_events(&app.context).await.unwrap();
        assert_eq!(posts.load(Ordering::SeqCst), 1, "{}: to the second", app.engine);
        app.is_stuck("webhook", "first").await;
        kinds("campaign.paused").await;
        app.retry_all().await;
        webhooks::deliver_due_events(&app.context).await.unwrap();
        assert_eq!(posts.load(Ordering::SeqCst), 2, "{}", app.engine);
        assert_eq!(app.stuck().await, []);
    }
}

/// hashview/hashview#266, all-of-us/workbench#9175: what cannot be deleted keeps all the rest.
#[tokio::test]
async fn an_applicant_whose_people_cannot_be_deleted_holds_up_no_other() {
    for app in two_campaigns(&[]).await {
        let programme = format!("{PROGRAMME}retention_months = 1\n");
        programmes::apply_programme(&app.context, &programme).await.unwrap();
        app.clock.advance_to(monday() + Duration::from_secs(200 * 86_400));
        deadlines::tick(&app.context).await.unwrap();
        write_pending(&app.context).await.unwrap();
        app.pass(60 * 86_400);
        app.poison("UPDATE", "deletion_certificate", "NEW.applicant_id = 1").await;
        let removed = erasure::remove_expired(&app.context).await.unwrap();
        assert_eq!(removed.applicants, 1, "{}: the other one", app.engine);
        app.is_stuck("purge", "a").await;
        // The second round finds the certificate of the first, and finishes it no sooner.
        app.pass(86_400);
        erasure::remove_expired(&app.context).await.unwrap();
        app.heal("deletion_certificate").await;
        erasure::remove_expired(&app.context).await.unwrap();
        let mut connection = app.context.database.read().await.unwrap();
        let all = stored_erasure::certificates(&mut connection).await.unwrap();
        assert!(all.len() == 2 && all.iter().all(erasure::is_genuine), "{}: {all:?}", app.engine);
        drop(connection);
        assert_eq!(app.stuck().await, []);
    }
}

#[tokio::test]
async fn a_call_that_cannot_be_ended_holds_up_no_other() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        app.register_brand("A1", "a", "").await;
        app.import(&["A1"], list(2).as_bytes()).await.unwrap();
        app.launch("C1", &["A1"], &mixed_plan(3)).await.unwrap();
        let (wu, zheng) = (add_interviewer(&app, "wu").await, add_interviewer(&app, "zheng").await);
        app.advance_until(monday() + Duration::from_secs(2 * 86_400 + 6 * 3_600)).await;
        let first = next_call(&app, &wu).await.unwrap().lease;
        let second = next_call(&app, &zheng).await.unwrap().lease;
        let language = async |language: &str| {
            let id = first.invitation.0;
            let sql =
                format!("UPDATE call_queue SET language = '{language}' WHERE invitation_id = {id}");
            app.execute_sql(&sql).await.unwrap();
        };
        language("?").await;
        app.pass(86_400);
        queue::release_expired_leases(&app.context).await.unwrap();
        app.is_stuck("call_lease", &first.invitation.0.to_string()).await;
        let mut connection = app.context.database.read().await.unwrap();
        let back = call_queue::find(&mut connection, second.invitation).await.unwrap().unwrap();
        assert_eq!(back.call, None, "{}: the second is over", app.engine);
        drop(connection);
        language("zh").await;
        app.retry_all().await;
        queue::release_expired_leases(&app.context).await.unwrap();
        assert_eq!(app.stuck().await, [], "{}", app.engine);
    }
}

/// The people of a campaign whose plan cannot be read wait; the others are called.
#[tokio::test]
async fn a_campaign_that_cannot_be_called_holds_up_no_other() {
    for app in TestApp::on_each_engine(silent(), &[]).await {
        for (application, applicant, campaign, people) in
            [("A1", "a", "C1", list(2)), ("B1", "b", "C2", list_of(10..12))]
        {
            app.register_brand(application, applicant, "").await;
            app.import(&[application], people.as_bytes()).await.unwrap();
            app.launch(campaign, &[application], &mixed_plan(3)).await.unwrap();
        }
        let wu = add_interviewer(&app, "wu").await;
        app.advance_until(monday() + Duration::from_secs(2 * 86_400 + 6 * 3_600)).await;
        app.execute_sql("UPDATE campaign SET plan = '{' WHERE code = 'C1'").await.unwrap();
        let call = next_call(&app, &wu).await.unwrap();
        let is_of_b = (10..12).any(|n| call.phone.e164().ends_with(&number(n)));
        assert!(is_of_b, "{}: somebody of C2", app.engine);
    }
}

#[tokio::test]
async fn a_list_whose_replicates_cannot_be_released_holds_up_no_other() {
    for app in TestApp::on_each_engine(Scenario::faultless(3, 200), &[]).await {
        for (application, applicant, campaign, people) in
            [("A1", "a", "C1", list(40)), ("B1", "b", "C2", list_of(50..90))]
        {
            app.register_brand(application, applicant, "quota = { target = 4 }").await;
            app.import(&[application], people.as_bytes()).await.unwrap();
            let report = app.launch(campaign, &[application], PLAN).await.unwrap();
            assert!(report.held_back > 0);
        }
        let plan = "UPDATE campaign SET plan = '{' WHERE code = 'C1'";
        app.execute_sql(plan).await.unwrap();
        app.pass(60 * 86_400);
        release_due_replicates(&app.context).await.unwrap();
        app.is_stuck("replicates", "1-1").await;
        let mut connection = app.context.database.read().await.unwrap();
        let due = replicates::due_for_review(&mut connection, app.clock.now()).await.unwrap();
        assert_eq!(due.len(), 1, "{}: C2 has been looked at", app.engine);
        drop(connection);
        let whole = "UPDATE campaign SET plan = (SELECT plan FROM campaign WHERE code = 'C2') \
            WHERE code = 'C1'";
        app.execute_sql(whole).await.unwrap();
        app.retry_all().await;
        release_due_replicates(&app.context).await.unwrap();
        assert_eq!(app.stuck().await, [], "{}", app.engine);
    }
}

/// The interim version that failed is made up for at once, not with the next ones a week later.
#[tokio::test]
async fn an_interim_version_that_cannot_be_frozen_holds_up_no_other() {
    for app in two_campaigns(&[("DELIVERY__INTERIM__AT", "0 0 6 * * Mon")]).await {
        app.give_questionnaire("A1", false).await;
        app.clock.advance_to(monday() + Duration::from_secs(8 * 86_400));
        deadlines::tick(&app.context).await.unwrap();
        assert_eq!(app.all_versions().await, ["B1 interim-1"], "{}", app.engine);
        app.is_stuck("interim_version", "A1").await;
        app.give_questionnaire("A1", true).await;
        app.pass(60);
        deadlines::tick(&app.context).await.unwrap();
        let all = ["A1 interim-1", "B1 interim-1"];
        assert_eq!(app.all_versions().await, all, "{}", app.engine);
        assert_eq!(app.stuck().await, []);
    }
}

#[tokio::test]
async fn a_version_that_cannot_be_corrected_holds_up_no_other() {
    for app in two_campaigns(&[]).await {
        app.advance_until(monday() + Duration::from_secs(86_400)).await;
        let links =
            [app.link_of("C1", "A1", &number(0)).await, app.link_of("C2", "B1", &number(10)).await];
        for link in &links {
            app.answer_all(link, 0, "8").await;
        }
        for code in ["A1", "B1"] {
            deadlines::freeze(&app.context, code).await.unwrap();
        }
        for link in &links {
            app.post(&format!("{link}/refuse"), &[]).await;
        }
        app.give_questionnaire("A1", false).await;
        deadlines::tick(&app.context).await.unwrap();
        assert_eq!(app.all_versions().await, ["A1 v1", "B1 v1", "B1 v2"], "{}", app.engine);
        app.is_stuck("correction", "A1").await;
        app.give_questionnaire("A1", true).await;
        app.pass(60);
        deadlines::tick(&app.context).await.unwrap();
        assert_eq!(app.all_versions().await, ["A1 v1", "A1 v2", "B1 v1", "B1 v2"]);
        assert_eq!(app.stuck().await, []);
    }
}

#[tokio::test]
async fn a_late_receipt_that_cannot_be_applied_holds_up_no_other() {
    for app in two_campaigns(&[]).await {
        let early = vec![receipt("late1"), receipt("late2")];
        process_receipts(&app.context, "simulator", early).await.unwrap();
        submit(&app, &[(1, "late1"), (2, "late2")]).await;
        app.poison("UPDATE", "message", "NEW.invitation_id = 1").await;
        app.pass(5);
        assert_eq!(apply_late_receipts(&app.context).await.unwrap(), 1, "{}", app.engine);
        app.is_stuck("receipt", "simulator late1").await;
        app.heal("message").await;
        app.pass(10);
        assert_eq!(apply_late_receipts(&app.context).await.unwrap(), 1, "{}", app.engine);
        assert_eq!(app.stuck().await, []);
    }
}

async fn stored_replies(app: &TestApp) -> usize {
    let mut connection = app.context.database.read().await.unwrap();
    replies::inbox(&mut connection, None, true).await.unwrap().len()
}

/// What cannot be joined is no line in the log each second either.
#[tokio::test]
async fn a_long_reply_that_cannot_be_taken_holds_up_no_other() {
    for app in two_campaigns(&[]).await {
        let service = InterviewService::new(app.context.clone());
        let part = |n: usize, reference: u16| Reply {
            part: Some(ReplyPart {
                reference,
                number: 1,
                total: 2,
                coding: TextCoding::Gsm7,
                octets_hex: Personal::new("6f6b"),
            }),
            ..Reply::new(number(n), "")
        };
        let read = vec![part(0, 7), part(1, 8)];
        let entries = Entries { read, unreadable: Vec::new() };
        service.accept_inbound("simulator", Vec::new(), &entries).await.unwrap();
        app.poison("UPDATE", "reply_part", "NEW.reference = 7 AND NEW.taken_at IS NOT NULL").await;
        app.pass(86_400);
        service.accept_overdue_parts().await.unwrap();
        let stuck = app.stuck().await;
        assert!(
            stuck.len() == 1 && stuck[0].0 == "long_reply" && stuck[0].1.contains("simulator 7/2"),
            "{}: {stuck:?}",
            app.engine
        );
        service.accept_overdue_parts().await.unwrap();
        assert_eq!(app.stuck().await[0].2, 1, "{}: not tried each second", app.engine);
        app.heal("reply_part").await;
        service.accept_overdue_parts().await.unwrap();
        assert_eq!((app.stuck().await, stored_replies(&app).await), (Vec::new(), 2));
    }
}

/// A gateway that gets no acknowledgement pushes the same again: what could be taken of it is taken
/// the first time. A campaign whose plan cannot be read takes no opt-out away.
/// (CDCgov/prime-reportstream#7442: one bad row of a batch rejects the file.)
#[tokio::test]
async fn one_entry_of_a_push_that_cannot_be_stored_holds_up_no_other() {
    for app in two_campaigns(&[]).await {
        app.advance_until(monday() + Duration::from_secs(86_400)).await;
        let service = InterviewService::new(app.context.clone());
        app.execute_sql("UPDATE campaign SET plan = '{' WHERE code = 'C2'").await.unwrap();
        let phone = Phone::parse(&number(0), phonenumber::country::CN).unwrap();
        let hash = app.context.keys.hasher().phone_hash(&phone);
        app.poison("INSERT", "reply", &format!("NEW.phone_hash = '{hash}'")).await;
        let read = [(0, "太慢了"), (1, "还行"), (10, "退订")].map(|(n, text)| Reply {
            id: Some(Personal::new(format!("id {n}"))),
            ..Reply::new(number(n), text)
        });
        let entries = Entries { read: read.to_vec(), unreadable: Vec::new() };
        let push = async || service.accept_inbound("simulator", Vec::new(), &entries).await;
        assert!(push().await.is_err(), "{}: it is not acknowledged", app.engine);
        // The opt-out is carried out, and none of the inbox.
        assert_eq!(stored_replies(&app).await, 1, "{}", app.engine);
        let dispositions = app.dispositions("B1").await;
        assert!(
            dispositions.contains(&("2.112".to_owned(), 1)),
            "{}: {dispositions:?}",
            app.engine
        );
        app.heal("reply").await;
        for _ in 0..2 {
            push().await.unwrap();
            assert_eq!(stored_replies(&app).await, 2, "{}: each once", app.engine);
        }
    }
}

#[tokio::test]
async fn one_receipt_of_a_push_that_cannot_be_applied_holds_up_no_other() {
    for app in two_campaigns(&[]).await {
        let service = InterviewService::new(app.context.clone());
        submit(&app, &[(1, "one"), (2, "two")]).await;
        app.poison("UPDATE", "message", "NEW.invitation_id = 1").await;
        let receipts = vec![receipt("one"), receipt("two")];
        let replies =
            Entries { read: vec![Reply::new(number(2), "还行")], unreadable: Vec::new() };
        let push = async || service.accept_inbound("simulator", receipts.clone(), &replies).await;
        assert!(push().await.is_err(), "{}: it is not acknowledged", app.engine);
        let expected = [("accepted".to_owned(), 1), ("undelivered".to_owned(), 1)];
        assert_eq!(app.states().await, expected, "{}", app.engine);
        assert_eq!(stored_replies(&app).await, 1, "{}: nor the replies beside it", app.engine);
        app.heal("message").await;
        push().await.unwrap();
        assert_eq!(app.states().await, [("undelivered".to_owned(), 2)], "{}", app.engine);
    }
}
