//! Applicants whose personal data is to be erased, the deletion itself, and the certificates of
//! deletion.

use sqlx::AnyConnection;

use super::bulk_params::{ColumnType, to_param};
use super::dialect::statement;
use super::{Result, WriteTx, decode_enum};
use crate::domain::ids::{
    ApplicantId, ApplicationId, CaseId, InvitationId, ProgrammeId, RespondentId,
};
use crate::domain::time::Timestamp;

/// Number of respondents erased by one statement.
const BATCH_SIZE: usize = 10_000;

/// An applicant with the facts that decide about its purge.
#[derive(Debug, Clone)]
pub struct Applicant {
    pub id: ApplicantId,
    pub programme_id: ProgrammeId,
    pub programme_code: String,
    pub code: String,
    pub key_id: String,
    pub purged_at: Option<Timestamp>,
    pub hold: Option<LegalHold>,
    /// Number of people whose data is stored.
    pub people: u64,
    pub applications: u64,
    pub in_field: u64,
    /// When its last field was closed or its last list was imported, whichever is later; `None` if
    /// neither has happened.
    pub done_at: Option<Timestamp>,
}

/// A legal hold: nothing is deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegalHold {
    pub reason: String,
    pub since: Timestamp,
    pub actor: String,
}

type Row = (
    i64,
    i64,
    String,
    String,
    String,
    Option<i64>,
    Option<String>,
    Option<i64>,
    Option<String>,
    i64,
    i64,
    i64,
    Option<i64>,
    Option<i64>,
);
const SELECT: &str = "SELECT a.id, a.programme_id, p.code, a.code, a.key_id, a.purged_at, \
    a.hold_reason, a.hold_since, a.hold_by,
        (SELECT COUNT(*) FROM respondent r WHERE r.applicant_id = a.id AND r.erased_at IS NULL),
        (SELECT COUNT(*) FROM application x WHERE x.applicant_id = a.id),
        (SELECT COUNT(*) FROM application x WHERE x.applicant_id = a.id AND x.state = 'in_field'),
        (SELECT MAX(x.closed_at) FROM application x WHERE x.applicant_id = a.id),
        (SELECT MAX(l.imported_at) FROM list_import l WHERE l.applicant_id = a.id)
    FROM applicant a JOIN programme p ON p.id = a.programme_id";

fn read(row: Row) -> Applicant {
    let (
        id,
        programme,
        programme_code,
        code,
        key_id,
        purged_at,
        hold_reason,
        hold_since,
        hold_by,
        people,
        applications,
        in_field,
        closed,
        listed,
    ) = row;
    let count = |n: i64| u64::try_from(n).unwrap_or(0);
    Applicant {
        id: ApplicantId(id),
        programme_id: ProgrammeId(programme),
        programme_code,
        code,
        key_id,
        purged_at: purged_at.map(Timestamp),
        hold: hold_reason.map(|reason| LegalHold {
            reason,
            since: Timestamp(hold_since.unwrap_or(0)),
            actor: hold_by.unwrap_or_default(),
        }),
        people: count(people),
        applications: count(applications),
        in_field: count(in_field),
        done_at: closed.max(listed).map(Timestamp),
    }
}

pub async fn applicants(connection: &mut AnyConnection) -> Result<Vec<Applicant>> {
    let rows: Vec<Row> = sqlx::query_as(statement(format!("{SELECT} ORDER BY p.code, a.code")))
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(read).collect())
}

pub async fn find(
    connection: &mut AnyConnection,
    programme: &str,
    code: &str,
) -> Result<Option<Applicant>> {
    let sql = statement(format!("{SELECT} WHERE p.code = $1 AND a.code = $2"));
    let row: Option<Row> = sqlx::query_as(sql)
        .bind(programme.to_owned())
        .bind(code.to_owned())
        .fetch_optional(connection)
        .await?;
    Ok(row.map(read))
}

/// Locks the applicant's row to the end of the transaction and reads it.
pub async fn lock(tx: &mut WriteTx, id: ApplicantId) -> Result<Applicant> {
    let sql = format!("SELECT id FROM applicant WHERE id = $1{}", tx.engine().for_update());
    let _: i64 = sqlx::query_scalar(statement(sql)).bind(id.0).fetch_one(&mut **tx).await?;
    let row: Row = sqlx::query_as(statement(format!("{SELECT} WHERE a.id = $1")))
        .bind(id.0)
        .fetch_one(&mut **tx)
        .await?;
    Ok(read(row))
}

pub async fn set_hold(
    tx: &mut AnyConnection,
    id: ApplicantId,
    hold: Option<&LegalHold>,
) -> Result<()> {
    let sql = "UPDATE applicant SET hold_reason = $2, hold_since = $3, hold_by = $4 WHERE id = $1";
    sqlx::query(sql)
        .bind(id.0)
        .bind(hold.map(|hold| hold.reason.clone()))
        .bind(hold.map(|hold| hold.since.0))
        .bind(hold.map(|hold| hold.actor.clone()))
        .execute(tx)
        .await?;
    Ok(())
}

pub async fn set_purged(tx: &mut AnyConnection, id: ApplicantId, now: Timestamp) -> Result<()> {
    sqlx::query("UPDATE applicant SET purged_at = $2, contact_sealed = NULL WHERE id = $1")
        .bind(id.0)
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
    for sql in [
        "DELETE FROM list_form WHERE applicant_id = $1",
        "DELETE FROM applicant_link WHERE applicant_id = $1",
        "UPDATE list_declaration SET declared_sealed = NULL WHERE applicant_id = $1",
    ] {
        sqlx::query(sql).bind(id.0).execute(&mut *tx).await?;
    }
    Ok(())
}

/// Returns the applicant's respondents whose data is stored.
pub async fn people_of(
    connection: &mut AnyConnection,
    applicant: ApplicantId,
) -> Result<Vec<RespondentId>> {
    let sql = "SELECT id FROM respondent WHERE applicant_id = $1 AND erased_at IS NULL ORDER BY id";
    let ids: Vec<i64> = sqlx::query_scalar(sql).bind(applicant.0).fetch_all(connection).await?;
    Ok(ids.into_iter().map(RespondentId).collect())
}

/// Counts of the deleted data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ErasedCounts {
    pub people: u64,
    pub cases_with_list_fields: u64,
    pub open_answers: u64,
    pub replies: u64,
    pub conversations: u64,
    /// Further numbers of people, of the erased and of others who had the erased number.
    pub further_numbers: u64,
}

/// Deletes all personal data of these respondents: numbers, names, list fields, open answers, texts
/// of replies, links and gateway logs. Rows that the counts of a sample depend on remain, and so do
/// answers that are codes.
pub async fn erase_personal_data(
    tx: &mut WriteTx,
    people: &[RespondentId],
    now: Timestamp,
) -> Result<ErasedCounts> {
    let mut blanked = ErasedCounts::default();
    for some in people.chunks(BATCH_SIZE) {
        let person_ids = to_param(some.iter().map(|person| person.0));
        let engine = tx.engine();
        let (first, second) =
            (engine.in_list(1, ColumnType::Number), engine.in_list(2, ColumnType::Number));
        let invitations = format!("SELECT id FROM invitation WHERE respondent_id {first}");
        let run = async |tx: &mut WriteTx, sql: String| -> Result<u64> {
            Ok(sqlx::query(statement(sql))
                .bind(person_ids.clone())
                .execute(&mut **tx)
                .await?
                .rows_affected())
        };
        blanked.open_answers += run(
            tx,
            format!(
                "DELETE FROM answer WHERE value_sealed IS NOT NULL AND response_id IN (
                     SELECT s.id FROM response s JOIN survey_case c ON c.id = s.case_id WHERE \
                     c.respondent_id {first})"
            ),
        )
        .await?;
        run(
            tx,
            format!(
                "UPDATE response SET device_hash = NULL, network_hash = NULL WHERE device_hash IS \
                NOT NULL AND case_id IN (SELECT id FROM survey_case WHERE respondent_id {first})"
            ),
        )
        .await?;
        run(
            tx,
            format!(
                "UPDATE response_review SET reason = '' WHERE reason <> '' AND case_id IN \
                (SELECT id FROM survey_case WHERE respondent_id {first})"
            ),
        )
        .await?;
        blanked.cases_with_list_fields += run(
            tx,
            format!(
                "UPDATE survey_case SET fields_sealed = NULL WHERE fields_sealed IS \
                NOT NULL AND respondent_id {first}"
            ),
        )
        .await?;
        blanked.conversations +=
            run(tx, format!("DELETE FROM gateway_log WHERE invitation_id IN ({invitations})"))
                .await?;
        blanked.replies += run(
            tx,
            format!(
                "UPDATE reply SET text_sealed = NULL, phone_hash = '' WHERE \
                phone_hash <> '' AND invitation_id IN ({invitations})"
            ),
        )
        .await?;
        run(
            tx,
            format!(
                "UPDATE staff_answer SET text_sealed = NULL WHERE text_sealed IS NOT NULL AND \
                invitation_id IN ({invitations})"
            ),
        )
        .await?;
        run(
            tx,
            format!(
                "UPDATE phone_call SET note_sealed = NULL, dialled_hash = NULL WHERE (note_sealed IS \
            NOT NULL OR dialled_hash IS NOT NULL) AND invitation_id IN ({invitations})"
            ),
        )
        .await?;
        run(
            tx,
            format!(
                "UPDATE verification SET comment_sealed = NULL WHERE comment_sealed IS \
            NOT NULL AND invitation_id IN ({invitations})"
            ),
        )
        .await?;
        run(
            tx,
            format!(
                "UPDATE paper_keying SET fields_sealed = NULL WHERE fields_sealed IS NOT NULL AND \
                case_id IN (SELECT id FROM survey_case WHERE respondent_id {first})"
            ),
        )
        .await?;
        for table in ["call_queue", "paper_due", "sms_interview"] {
            run(tx, format!("DELETE FROM {table} WHERE invitation_id IN ({invitations})")).await?;
        }
        blanked.further_numbers +=
            run(tx, format!("DELETE FROM further_number WHERE respondent_id {first}")).await?;
        run(
            tx,
            format!(
                "UPDATE invitation SET token_hash = 'erased-' || id WHERE respondent_id {first}"
            ),
        )
        .await?;
        let sql = format!(
            "UPDATE respondent SET phone_hash = 'erased-' || id, phone_sealed = $1, \
                person_sealed = $1, zone = NULL, name_hash = '-', erased_at = $3
             WHERE erased_at IS NULL AND id {second}"
        );
        let done = sqlx::query(statement(sql))
            .bind(Vec::<u8>::new())
            .bind(person_ids.clone())
            .bind(now.0)
            .execute(&mut **tx)
            .await?;
        blanked.people += done.rows_affected();
        delete_drafts(tx, some).await?;
    }
    Ok(blanked)
}

/// Deletes what is being prepared at the applicants of these people, and may contain them, sealed:
/// lists, and documents that are not registered yet. Both can be read again.
pub async fn delete_drafts(tx: &mut WriteTx, people: &[RespondentId]) -> Result<()> {
    let is_among = tx.engine().in_list(1, ColumnType::Number);
    let of_applicant = format!(
        "FROM applicant a JOIN respondent r ON r.applicant_id = a.id WHERE r.id {is_among}"
    );
    for sql in [
        format!("DELETE FROM list_draft WHERE key_id IN (SELECT a.key_id {of_applicant})"),
        format!(
            "DELETE FROM application_draft WHERE ended IS NULL AND programme_id IN (SELECT \
                a.programme_id {of_applicant})"
        ),
    ] {
        sqlx::query(statement(sql))
            .bind(to_param(people.iter().map(|person| person.0)))
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

/// Lists all respondents with a number, on the lists of all applicants.
pub async fn list_by_phone(
    connection: &mut AnyConnection,
    phone_hash: &str,
) -> Result<Vec<(RespondentId, ApplicantId)>> {
    let sql = "SELECT id, applicant_id FROM respondent WHERE phone_hash = $1 AND erased_at IS \
        NULL ORDER BY id";
    let rows: Vec<(i64, i64)> =
        sqlx::query_as(sql).bind(phone_hash.to_owned()).fetch_all(connection).await?;
    Ok(rows
        .into_iter()
        .map(|(person, applicant)| (RespondentId(person), ApplicantId(applicant)))
        .collect())
}

/// Returns the folders of the applicant's datasets whose frozen rows contain sealed values.
pub async fn folders_with_sealed_cells(
    connection: &mut AnyConnection,
    applicant: ApplicantId,
) -> Result<Vec<String>> {
    let sql = "SELECT d.folder FROM dataset d JOIN application a ON a.id = d.application_id
               WHERE a.applicant_id = $1 AND d.folder IS NOT NULL
                 AND EXISTS (SELECT 1 FROM frozen_block b WHERE b.dataset_id = d.id AND \
                 b.sealed_cells IS NOT NULL) ORDER BY d.id";
    Ok(sqlx::query_scalar(sql).bind(applicant.0).fetch_all(connection).await?)
}

/// A version that was delivered: its recipient is responsible for the copy.
#[derive(Debug, Clone)]
pub struct DeliveredVersion {
    pub application: String,
    pub kind: String,
    pub version: u32,
    pub sha256: String,
    pub channel: String,
}

pub async fn delivered_versions(
    connection: &mut AnyConnection,
    applicant: ApplicantId,
) -> Result<Vec<DeliveredVersion>> {
    let sql = "SELECT a.code, d.kind, d.version, d.sha256, v.channel FROM dataset d
               JOIN application a ON a.id = d.application_id JOIN delivery v ON v.dataset_id = d.id
               WHERE a.applicant_id = $1 AND v.arrived_at IS NOT NULL ORDER BY d.id, v.id";
    let rows: Vec<(String, String, i64, Option<String>, String)> =
        sqlx::query_as(sql).bind(applicant.0).fetch_all(connection).await?;
    let read = |(application, kind, version, sha256, channel)| DeliveredVersion {
        application,
        kind,
        version: u32::try_from(version).unwrap_or(0),
        sha256: Option::unwrap_or_default(sha256),
        channel,
    };
    Ok(rows.into_iter().map(read).collect())
}

pub async fn applications_of(
    connection: &mut AnyConnection,
    applicant: ApplicantId,
) -> Result<Vec<(ApplicationId, String)>> {
    let sql = "SELECT id, code FROM application WHERE applicant_id = $1 ORDER BY code";
    let rows: Vec<(i64, String)> =
        sqlx::query_as(sql).bind(applicant.0).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(id, code)| (ApplicationId(id), code)).collect())
}

/// The scoring step has not returned a verdict yet.
pub const AWAITING_VERDICT: &str = "unanswered";

/// Returns the final datasets that are not with the scoring step yet, with a state: `unreleased`,
/// `unwritten`, `on the way`, `rejected`, [`AWAITING_VERDICT`].
pub async fn undelivered_versions(
    connection: &mut AnyConnection,
    applicant: ApplicantId,
) -> Result<Vec<(String, &'static str)>> {
    let sql = "SELECT a.code, CASE WHEN d.released_at IS NULL THEN 'unreleased' WHEN d.folder IS \
        NULL THEN 'unwritten'
                                   WHEN EXISTS (SELECT 1 FROM delivery v WHERE v.dataset_id = \
                                   d.id AND v.arrived_at IS NULL) THEN 'on the way'
                                   WHEN EXISTS (SELECT 1 FROM verdict j WHERE j.dataset_id = \
                                   d.id AND j.is_accepted = 0) THEN 'rejected'
                                   WHEN NOT EXISTS (SELECT 1 FROM verdict j WHERE j.dataset_id = \
                                   d.id) THEN 'unanswered' ELSE '' END
               FROM application a JOIN dataset d ON d.application_id = a.id
               WHERE a.applicant_id = $1 AND d.kind = 'final'
                 AND d.version = (SELECT MAX(x.version) FROM dataset x WHERE x.application_id = \
                 a.id AND x.kind = 'final') ORDER BY a.code";
    let rows: Vec<(String, String)> =
        sqlx::query_as(sql).bind(applicant.0).fetch_all(connection).await?;
    const WORDS: [&str; 5] =
        ["unreleased", "unwritten", "on the way", "rejected", AWAITING_VERDICT];
    let state = |word: &str| WORDS.into_iter().find(|known| *known == word);
    Ok(rows
        .into_iter()
        .filter_map(|(code, word)| state(&word).map(|state| (code, state)))
        .collect())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateKind {
    /// All respondents of an applicant, with its key.
    Purge,
    /// One person, on request.
    Erasure,
}

impl CertificateKind {
    pub fn as_str(self) -> &'static str {
        match self {
            CertificateKind::Purge => "purge",
            CertificateKind::Erasure => "erasure",
        }
    }

    fn parse(raw: &str) -> Option<CertificateKind> {
        [CertificateKind::Purge, CertificateKind::Erasure]
            .into_iter()
            .find(|kind| kind.as_str() == raw)
    }
}

#[derive(Debug, Clone)]
pub struct Certificate {
    pub id: i64,
    pub applicant: ApplicantId,
    pub programme_code: String,
    pub applicant_code: String,
    pub key_id: String,
    pub kind: CertificateKind,
    pub body: String,
    /// In base64; `None` while the deletion is incomplete.
    pub signature: Option<String>,
    pub issued_at: Option<Timestamp>,
}

type CertificateRow =
    (i64, i64, String, String, String, String, String, Option<String>, Option<i64>);
const SELECT_CERTIFICATE: &str = "SELECT c.id, c.applicant_id, p.code, a.code, a.key_id, c.kind, \
    c.body, c.signature, c.issued_at
    FROM deletion_certificate c JOIN applicant a ON a.id = c.applicant_id JOIN programme p ON \
    p.id = a.programme_id";

fn read_certificate(row: CertificateRow) -> Result<Certificate> {
    let (id, applicant, programme_code, applicant_code, key_id, kind, body, signature, issued_at) =
        row;
    let kind = decode_enum("a kind of certificate", &kind, CertificateKind::parse)?;
    let (applicant, issued_at) = (ApplicantId(applicant), issued_at.map(Timestamp));
    Ok(Certificate {
        id,
        applicant,
        programme_code,
        applicant_code,
        key_id,
        kind,
        body,
        signature,
        issued_at,
    })
}

/// Stores the content of a future certificate and returns its number.
pub async fn begin_certificate(
    tx: &mut AnyConnection,
    applicant: ApplicantId,
    kind: CertificateKind,
    body: &str,
) -> Result<i64> {
    let sql = "INSERT INTO deletion_certificate (applicant_id, kind, body) VALUES ($1, $2, $3) \
        RETURNING id";
    Ok(sqlx::query_scalar(sql)
        .bind(applicant.0)
        .bind(kind.as_str())
        .bind(body.to_owned())
        .fetch_one(tx)
        .await?)
}

/// Issues a certificate once. Returns false if it was already issued.
pub async fn issue(
    tx: &mut AnyConnection,
    id: i64,
    body: &str,
    signature: &str,
    now: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE deletion_certificate SET body = $2, signature = $3, issued_at = $4 WHERE \
        id = $1 AND signature IS NULL";
    let done = sqlx::query(sql)
        .bind(id)
        .bind(body.to_owned())
        .bind(signature.to_owned())
        .bind(now.0)
        .execute(tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

pub async fn certificates(connection: &mut AnyConnection) -> Result<Vec<Certificate>> {
    let rows: Vec<CertificateRow> =
        sqlx::query_as(statement(format!("{SELECT_CERTIFICATE} ORDER BY c.id")))
            .fetch_all(connection)
            .await?;
    rows.into_iter().map(read_certificate).collect()
}

/// Returns whether a respondent with this hash exists under an applicant's key.
pub async fn find_by_key_and_phone(
    connection: &mut AnyConnection,
    key_id: &str,
    phone_hash: &str,
) -> Result<Option<(RespondentId, ApplicantId)>> {
    let sql = "SELECT r.id, a.id FROM respondent r JOIN applicant a ON a.id = r.applicant_id \
        WHERE a.key_id = $1 AND r.phone_hash = $2 AND r.erased_at IS NULL";
    let row: Option<(i64, i64)> = sqlx::query_as(sql)
        .bind(key_id.to_owned())
        .bind(phone_hash.to_owned())
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|(person, applicant)| (RespondentId(person), ApplicantId(applicant))))
}

/// Locks and returns all cases of a person; `true` marks an open case.
pub async fn cases_of(tx: &mut WriteTx, person: RespondentId) -> Result<Vec<(CaseId, bool)>> {
    let sql = format!(
        "SELECT id, is_open FROM survey_case WHERE respondent_id = $1 ORDER BY id{}",
        tx.engine().for_update()
    );
    let rows: Vec<(i64, i64)> =
        sqlx::query_as(statement(sql)).bind(person.0).fetch_all(&mut **tx).await?;
    Ok(rows.into_iter().map(|(id, is_open)| (CaseId(id), is_open == 1)).collect())
}

pub async fn invitations_of(
    connection: &mut AnyConnection,
    person: RespondentId,
) -> Result<Vec<InvitationId>> {
    let sql = "SELECT id FROM invitation WHERE respondent_id = $1 ORDER BY id";
    let ids: Vec<i64> = sqlx::query_scalar(sql).bind(person.0).fetch_all(connection).await?;
    Ok(ids.into_iter().map(InvitationId).collect())
}

/// Closes fields that a restored old backup still had open, when the required key is destroyed.
/// Nothing is frozen.
pub async fn close_restored_fields(
    tx: &mut AnyConnection,
    applicant: ApplicantId,
    now: Timestamp,
) -> Result<()> {
    let respondents_sql = "SELECT id FROM respondent WHERE applicant_id = $1";
    for sql in [
        format!(
            "UPDATE survey_case SET is_open = 0 WHERE is_open = 1 AND respondent_id IN ({respondents_sql})"
        ),
        format!(
            "UPDATE next_contact SET next_at = NULL WHERE invitation_id IN (SELECT id FROM \
                invitation WHERE respondent_id IN ({respondents_sql}))"
        ),
    ] {
        sqlx::query(statement(sql)).bind(applicant.0).execute(&mut *tx).await?;
    }
    let sql = "UPDATE application SET state = 'closed', closed_by = 'by_hand', closed_at = $2 \
        WHERE applicant_id = $1 AND state = 'in_field'";
    sqlx::query(sql).bind(applicant.0).bind(now.0).execute(&mut *tx).await?;
    let sql = "UPDATE campaign SET state = 'closed', closed_at = $2 WHERE state <> 'closed'
                   AND id IN (SELECT campaign_id FROM application WHERE applicant_id = $1)
                   AND NOT EXISTS (SELECT 1 FROM application a WHERE a.campaign_id = campaign.id \
                   AND a.state = 'in_field')";
    sqlx::query(sql).bind(applicant.0).bind(now.0).execute(tx).await?;
    Ok(())
}
