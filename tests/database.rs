//! The guarantees of the database: one suite, on every engine.

use crate::common::fresh_databases;
use fieldworkd::adapters::database::applications::{Application, Declaration};
use fieldworkd::adapters::database::lists::NewRespondent;
use fieldworkd::adapters::database::messages::{NewMessage, Settlement};
use fieldworkd::adapters::database::receipts::{Receipt, ReceiptEffect};
use fieldworkd::adapters::database::{
    Database, DatabaseError, applications, campaigns, cases, invitations, lists, messages,
    programmes, quotas, rates, receipts,
};
use fieldworkd::domain::category::Category;
use fieldworkd::domain::contact_plan::MessageSlot;
use fieldworkd::domain::disposition::Disposition;
use fieldworkd::domain::ids::{CampaignId, InvitationId, MessageKey, ProgrammeId};
use fieldworkd::domain::language::Language;
use fieldworkd::domain::programme::Programme;
use fieldworkd::domain::quota::{QuotaFile, QuotaPlan};
use fieldworkd::domain::segment::Segment;
use fieldworkd::domain::subject::Subject;
use fieldworkd::domain::time::Timestamp;

const NOW: Timestamp = Timestamp(1_772_000_000_000);

/// Creates a programme with one application of `people` cases in a running campaign.
async fn seed(database: &Database, people: usize) -> (Application, CampaignId, Vec<InvitationId>) {
    let mut tx = database.write().await.unwrap();
    let programme = Programme::parse("code = \"p\"\nname = { zh = \"评\", en = \"P\" }").unwrap();
    let programme = programmes::put(&mut tx, &programme, NOW).await.unwrap();
    let applicant =
        programmes::add_applicant(&mut tx, programme, "a", "某厂", "key1").await.unwrap();
    let subject =
        Subject::parse(Category::Brand, &[("brand".to_owned(), "山海".to_owned())].into()).unwrap();
    let (quota, list_fields) = (QuotaFile::default(), Default::default());
    let declared = Declaration {
        code: "A1",
        subject: &subject,
        quota: &quota,
        list_fields: &list_fields,
        list_received_at: None,
    };
    assert!(applications::put(&mut tx, applicant, &declared).await.unwrap());
    let application = applications::find(&mut tx, "A1").await.unwrap().unwrap();
    let respondents: Vec<NewRespondent> = (0..people)
        .map(|n| NewRespondent {
            further_hashes: Vec::new(),
            name_hash: "-".into(),
            phone_hash: format!("hash{n:05}"),
            phone_kind: "mobile",
            phone_sealed: vec![1],
            person_sealed: vec![2],
            language: Language::ZH,
            zone: None,
        })
        .collect();
    let ids =
        lists::add_respondents(&mut tx, applicant, &respondents.iter().collect::<Vec<_>>(), NOW)
            .await
            .unwrap();
    let new_cases: Vec<cases::NewCase> = respondents
        .iter()
        .map(|r| cases::NewCase {
            application: application.id,
            respondent: ids[&r.phone_hash],
            segment: Segment::none(),
            fields_sealed: None,
            pseudonym: format!("p{}", r.phone_hash),
        })
        .collect();
    cases::add(&mut tx, &new_cases, NOW).await.unwrap();
    let campaign = campaigns::add(&mut tx, &new_campaign(programme), NOW).await.unwrap();
    let questionnaire =
        campaigns::freeze_questionnaire(&mut tx, "brand", 1, "abc", "text").await.unwrap().unwrap();
    let new_invitations: Vec<invitations::NewInvitation> = respondents
        .iter()
        .map(|r| invitations::NewInvitation {
            next_step: 0,
            respondent: ids[&r.phone_hash],
            link_hash: format!("link{}", r.phone_hash),
            replicate: 0,
            language: Default::default(),
            next_at: Some(NOW),
        })
        .collect();
    invitations::add(&mut tx, campaign, &new_invitations, &[application.id]).await.unwrap();
    applications::launch(&mut tx, application.id, campaign, questionnaire, Timestamp(NOW.0 + 1))
        .await
        .unwrap();
    let due = invitations::list_due(&mut tx, campaign, NOW, 100_000).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(due.len(), people);
    (application, campaign, due.into_iter().map(|d| d.id).collect())
}

fn new_campaign(programme: ProgrammeId) -> campaigns::NewCampaign<'static> {
    campaigns::NewCampaign { programme, code: "C1", plan: "{}", gateway: "g", budget_micros: None }
}

fn message(invitation: InvitationId, step: u32) -> NewMessage {
    NewMessage {
        key: MessageKey { invitation, slot: MessageSlot::step(step) },
        gateway: "g".into(),
        // The format of the hasher: the invitation's number first.
        reference: format!("{:0>8}-{step}", invitation.0),
        parts: 2,
        cost_micros: 90_000,
    }
}

fn settlement(key: MessageKey, state: &'static str, id: Option<&str>) -> Settlement {
    Settlement {
        key,
        state,
        gateway_message_id: id.map(str::to_owned),
        code: None,
        submitted_at: NOW,
        part_ids: Vec::new(),
    }
}

#[tokio::test]
async fn a_step_of_an_invitation_is_one_message_for_ever() {
    for db in fresh_databases().await {
        let (_, _, ids) = seed(&db.database, 3).await;
        let both = [message(ids[0], 0), message(ids[1], 0)];
        let mut tx = db.database.write().await.unwrap();
        let begun = messages::mark_submitting(&mut tx, &both, NOW).await.unwrap();
        assert_eq!(begun.len(), 2);
        assert!(
            messages::mark_submitting(&mut tx, &both, NOW).await.unwrap().is_empty(),
            "{}: submitting already",
            db.engine()
        );
        let settled =
            [settlement(both[0].key, "deferred", None), settlement(both[1].key, "in_doubt", None)];
        messages::settle(&mut tx, &settled, NOW).await.unwrap();
        let again = messages::mark_submitting(&mut tx, &both, NOW).await.unwrap();
        assert_eq!(again, [both[0].key].into(), "only what the gateway did not take goes again");
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn receipts_move_a_message_forward_and_never_back() {
    for db in fresh_databases().await {
        let (_, _, ids) = seed(&db.database, 1).await;
        let mut tx = db.database.write().await.unwrap();
        let reference = message(ids[0], 0).reference;
        let key = message(ids[0], 0).key;
        assert!(
            messages::mark_submitting(&mut tx, &[message(ids[0], 0)], NOW)
                .await
                .unwrap()
                .contains(&key)
        );
        let receipt = |reference: Option<&str>, id: &str, delivered| Receipt {
            gateway: "g".into(),
            reference: reference.map(str::to_owned),
            gateway_message_id: Some(id.into()),
            phone_hash: None,
            delivered,
            code: None,
            dead_number: false,
            confirms_part: false,
        };
        // A receipt before the submit's response, with the gateway's id alone, is stored unmatched.
        assert_eq!(
            receipts::apply(&mut tx, &receipt(None, "G1", true), NOW).await.unwrap(),
            ReceiptEffect::Unmatched
        );
        messages::settle(&mut tx, &[settlement(key, "accepted", Some("G1"))], NOW).await.unwrap();
        let spellings = ["0G1".into(), "G1".into()];
        let unmatched =
            receipts::take_unmatched(&mut tx, "g", "G1", &spellings, false).await.unwrap();
        assert_eq!(unmatched.len(), 1);
        assert_eq!(
            receipts::apply(&mut tx, &unmatched[0], NOW).await.unwrap(),
            ReceiptEffect::MessageUpdated { invitation: ids[0], delivered: true }
        );
        assert_eq!(
            receipts::apply(&mut tx, &receipt(Some(&reference), "G1", false), NOW).await.unwrap(),
            ReceiptEffect::AlreadyKnown
        );
        messages::settle(&mut tx, &[settlement(key, "accepted", Some("G1"))], NOW).await.unwrap();
        assert_eq!(
            messages::count_by_state(&mut tx).await.unwrap(),
            vec![("delivered".to_owned(), 1)],
            "{}",
            db.engine()
        );
    }
}

#[tokio::test]
async fn dispositions_close_cases_and_keep_their_history() {
    for db in fresh_databases().await {
        let (application, _, ids) = seed(&db.database, 2).await;
        let mut tx = db.database.write().await.unwrap();
        let open = cases::open_of_invitations(&mut tx, &ids).await.unwrap();
        let dispose =
            async |tx: &mut fieldworkd::adapters::database::WriteTx, to, from: &[Disposition]| {
                cases::set_disposition(tx, &open, to, from, cases::DispositionSource::Gateway, NOW)
                    .await
                    .unwrap()
            };
        assert_eq!(
            dispose(&mut tx, Disposition::NonContact, &[Disposition::NotAttempted]).await,
            2
        );
        assert_eq!(
            dispose(&mut tx, Disposition::NothingHeard, &[Disposition::NotAttempted]).await,
            0,
            "a receipt is not undone by a late answer"
        );
        assert_eq!(dispose(&mut tx, Disposition::Refusal, &[]).await, 2);
        assert_eq!(
            dispose(&mut tx, Disposition::Complete, &[]).await,
            0,
            "a closed case stays closed"
        );
        assert_eq!(
            cases::by_disposition(&mut tx, application.id).await.unwrap(),
            vec![(Disposition::Refusal, 2)]
        );
        let funnel = invitations::funnel(&mut tx, application.id).await.unwrap();
        assert_eq!((funnel.names, funnel.invited), (2, 0));
        assert_eq!(cases::sampled_by_pseudonym(&mut tx, application.id).await.unwrap().len(), 2);
    }
}

#[tokio::test]
async fn a_hard_quota_takes_exactly_its_target() {
    for db in fresh_databases().await {
        let (application, _, _) = seed(&db.database, 1).await;
        let mut tx = db.database.write().await.unwrap();
        let file = QuotaFile {
            target: Some(3),
            cells: [("large_owner".to_owned(), 1)].into(),
            ..QuotaFile::default()
        };
        let plan = QuotaPlan::new(Category::Brand, 10, &Default::default(), &file).unwrap();
        quotas::insert_cells(&mut tx, application.id, &plan, NOW).await.unwrap();
        for mask in [0b11, 0b1, 0b1] {
            quotas::add_complete(&mut tx, application.id, mask).await.unwrap();
        }
        let completes: Vec<(String, u32)> = quotas::cells(&mut tx, application.id)
            .await
            .unwrap()
            .into_iter()
            .map(|c| (c.name, c.completes))
            .collect();
        assert_eq!(completes, [("*".to_owned(), 3), ("large_owner".to_owned(), 1)]);
        quotas::mark_full(&mut tx, application.id, 0b1, 0b1, NOW).await.unwrap();
        assert_eq!(quotas::full_applications(&mut tx).await.unwrap(), [application.id]);
        assert_eq!(
            quotas::launched_plan(&mut tx, application.id).await.unwrap().cells[0]
                .condition
                .source(),
            "segment == \"large_owner\""
        );
        // Whatever the caller, the database counts no fourth complete.
        assert!(
            quotas::add_complete(&mut tx, application.id, 0b1).await.is_err(),
            "{}",
            db.engine()
        );
    }
}

#[tokio::test]
async fn slots_are_shared_and_a_pause_holds_everybody() {
    for db in fresh_databases().await {
        let mut tx = db.database.write().await.unwrap();
        let engine = tx.engine();
        let rate = rates::send_rate(10, 1);
        let first = rates::take_slots(&mut tx, engine, "g", NOW, rate, 1_000_000, 5).await.unwrap();
        let second =
            rates::take_slots(&mut tx, engine, "g", NOW, rate, 1_000_000, 50).await.unwrap();
        assert_eq!((first.len(), second.len()), (5, 5));
        assert_eq!(second[0] - first[4], 100_500, "{}", db.engine());
        rates::pause(&mut tx, "g", Timestamp(NOW.0 + 60_000), "account", NOW).await.unwrap();
        assert!(
            rates::take_slots(&mut tx, engine, "g", Timestamp(NOW.0 + 30_000), rate, 1_000_000, 5)
                .await
                .unwrap()
                .is_empty()
        );
    }
}

#[tokio::test]
async fn a_stale_submit_is_put_into_doubt() {
    for db in fresh_databases().await {
        let (_, _, ids) = seed(&db.database, 1).await;
        let mut tx = db.database.write().await.unwrap();
        messages::mark_submitting(&mut tx, &[message(ids[0], 0)], NOW).await.unwrap();
        assert_eq!(
            messages::mark_stale_in_doubt(&mut tx, Timestamp(NOW.0 - 1), NOW).await.unwrap(),
            0
        );
        assert_eq!(messages::mark_stale_in_doubt(&mut tx, NOW, NOW).await.unwrap(), 1);
        assert_eq!(
            messages::in_doubt(&mut tx, "g", NOW, 10).await.unwrap().len(),
            1,
            "{}",
            db.engine()
        );
    }
}

#[tokio::test]
async fn a_database_newer_than_the_program_is_refused() {
    for db in fresh_databases().await {
        let mut tx = db.database.write().await.unwrap();
        let sql = "INSERT INTO _sqlx_migrations (version, description, success, checksum, \
            execution_time) VALUES (9999, 'later', $1, $2, 0)";
        let sql = if db.engine() == "sqlite" {
            sql
        } else {
            &sql.replace("$1", "CAST($1 AS BIGINT) = 1")
        };
        sqlx::query(sqlx::AssertSqlSafe(sql.to_owned()))
            .bind(1i64)
            .bind(vec![0u8])
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let error = Database::open(&db.url).await.err().expect("must be refused");
        assert!(matches!(error, DatabaseError::NewerSchema(9999)), "{}: {error}", db.engine());
        assert!(error.to_string().contains("newer fieldworkd"));
    }
}

#[tokio::test]
async fn a_transaction_that_is_dropped_leaves_nothing() {
    for db in fresh_databases().await {
        let mut tx = db.database.write().await.unwrap();
        let programme =
            Programme::parse("code = \"p\"\nname = { zh = \"评\", en = \"P\" }").unwrap();
        programmes::put(&mut tx, &programme, NOW).await.unwrap();
        drop(tx);
        let mut connection = db.database.read().await.unwrap();
        assert!(programmes::find(&mut connection, "p").await.unwrap().is_none());
    }
}

/// Terms of the PostgreSQL migrations, each with its SQLite equivalent.
const POSTGRES_TO_SQLITE: [(&str, &str); 5] = [
    ("BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", "INTEGER PRIMARY KEY"),
    // On PostgreSQL, tables with very many writes lack primary and foreign keys.
    ("BIGINT GENERATED BY DEFAULT AS IDENTITY", "INTEGER PRIMARY KEY"),
    (
        "case_id BIGINT NOT NULL, disposition",
        "case_id BIGINT NOT NULL REFERENCES survey_case (id), disposition",
    ),
    (") WITH (fillfactor = 60);", ");"),
    ("BYTEA", "BLOB"),
];

#[test]
fn migrations_of_both_engines_say_the_same() {
    let squeezed = |engine: &str| {
        let mut files: Vec<_> = std::fs::read_dir(format!("migrations/{engine}"))
            .unwrap()
            .map(|f| f.unwrap().path())
            .collect();
        files.sort();
        let texts: Vec<_> = files.iter().map(|f| std::fs::read_to_string(f).unwrap()).collect();
        // Each engine has its own syntax for triggers and for the change of a check, in separate
        // paragraphs.
        let own_syntax = ["CREATE TRIGGER", "DROP CONSTRAINT", "RENAME TO"];
        let is_shared = |paragraph: &&str| !own_syntax.iter().any(|own| paragraph.contains(own));
        let text = texts.join("\n");
        let shared = text.split("\n\n").filter(is_shared);
        shared.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
    };
    let postgres = POSTGRES_TO_SQLITE
        .iter()
        .fold(squeezed("postgres"), |text, (postgres, sqlite)| text.replace(postgres, sqlite));
    assert_eq!(squeezed("sqlite"), postgres);
}
