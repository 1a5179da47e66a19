//! Everything stored about one person, still sealed, for a data subject access request.

use sqlx::AnyConnection;

use super::Result;
use super::messages::read_slot;
use super::responses::StoredValue;
use crate::domain::contact_plan::MessageSlot;
use crate::domain::ids::RespondentId;
use crate::domain::time::Timestamp;

pub struct SubjectAccessExport {
    pub programme: String,
    pub applicant: String,
    pub key_id: String,
    pub phone_sealed: Vec<u8>,
    pub person_sealed: Vec<u8>,
    pub language: String,
    pub created_at: Timestamp,
    pub cases: Vec<ExportedCase>,
    /// Version of the notice, time of consent, time of withdrawal.
    pub consents: Vec<(String, Timestamp, Option<Timestamp>)>,
    /// Time, campaign, slot, gateway, state.
    pub messages: Vec<(Timestamp, String, MessageSlot, String, String)>,
    /// Calls with their notes.
    pub calls: Vec<ExportedCall>,
    /// Time, meaning, sealed text.
    pub replies: Vec<(Timestamp, String, Option<Vec<u8>>)>,
    /// What the staff answered: time, account, sealed text.
    pub answers: Vec<(Timestamp, String, Option<Vec<u8>>)>,
}

pub struct ExportedCall {
    pub at: Timestamp,
    pub interviewer: String,
    pub outcome: Option<String>,
    pub note_sealed: Option<Vec<u8>>,
}

pub struct ExportedCase {
    pub application: String,
    pub category: String,
    pub disposition: String,
    pub disposed_at: Timestamp,
    pub segment: String,
    pub fields_sealed: Option<Vec<u8>>,
    pub answers: Vec<(String, StoredValue)>,
    /// The keyed hashes of browser and network.
    pub origin: Option<(String, Option<String>)>,
    /// What staff decided about the response, and why.
    pub review: Option<(String, String)>,
    /// The number of the paper form, and what became of it.
    pub paper_form: Option<(String, String)>,
}

pub async fn collect(
    connection: &mut AnyConnection,
    person: RespondentId,
) -> Result<SubjectAccessExport> {
    let sql = "SELECT p.code, a.name, a.key_id, r.phone_sealed, r.person_sealed, r.language, \
        r.created_at
               FROM respondent r JOIN applicant a ON a.id = r.applicant_id JOIN programme p ON \
               p.id = a.programme_id WHERE r.id = $1";
    type Row = (String, String, String, Vec<u8>, Vec<u8>, String, i64);
    let (programme, applicant, key_id, phone_sealed, person_sealed, language, created_at): Row =
        sqlx::query_as(sql).bind(person.0).fetch_one(&mut *connection).await?;
    let sql = "SELECT version, given_at, withdrawn_at FROM consent WHERE invitation_id IN \
        (SELECT id FROM invitation WHERE respondent_id = $1)
               ORDER BY given_at";
    let consents: Vec<(String, i64, Option<i64>)> =
        sqlx::query_as(sql).bind(person.0).fetch_all(&mut *connection).await?;
    let sql =
        "SELECT m.claimed_at, c.code, m.kind, m.number, m.gateway, m.state FROM invitation i JOIN \
        message m ON m.invitation_id = i.id
               JOIN campaign c ON c.id = i.campaign_id WHERE i.respondent_id = $1 ORDER BY \
               m.claimed_at, m.kind, m.number";
    let messages: Vec<(i64, String, i64, i64, String, String)> =
        sqlx::query_as(sql).bind(person.0).fetch_all(&mut *connection).await?;
    let sql = "SELECT c.begun_at, a.name, c.outcome, c.note_sealed FROM invitation i JOIN \
        phone_call c ON c.invitation_id = i.id
               JOIN account a ON a.id = c.account_id WHERE i.respondent_id = $1 ORDER BY \
               c.begun_at, c.id";
    type CallRow = (i64, String, Option<String>, Option<Vec<u8>>);
    let calls: Vec<CallRow> =
        sqlx::query_as(sql).bind(person.0).fetch_all(&mut *connection).await?;
    let sql = "SELECT received_at, meaning, text_sealed FROM reply WHERE invitation_id IN \
        (SELECT id FROM invitation WHERE respondent_id = $1)
               ORDER BY received_at, id";
    let replies: Vec<(i64, String, Option<Vec<u8>>)> =
        sqlx::query_as(sql).bind(person.0).fetch_all(&mut *connection).await?;
    let sql =
        "SELECT written_at, written_by, text_sealed FROM staff_answer WHERE invitation_id IN \
        (SELECT id FROM invitation WHERE respondent_id = $1)
               ORDER BY written_at, number";
    let answers: Vec<(i64, String, Option<Vec<u8>>)> =
        sqlx::query_as(sql).bind(person.0).fetch_all(&mut *connection).await?;
    Ok(SubjectAccessExport {
        programme,
        applicant,
        key_id,
        phone_sealed,
        person_sealed,
        language,
        created_at: Timestamp(created_at),
        cases: cases_of(connection, person).await?,
        consents: consents
            .into_iter()
            .map(|(version, given, withdrawn)| {
                (version, Timestamp(given), withdrawn.map(Timestamp))
            })
            .collect(),
        messages: messages
            .into_iter()
            .map(|(at, campaign, kind, number, gateway, state)| {
                Ok((Timestamp(at), campaign, read_slot(kind, number)?, gateway, state))
            })
            .collect::<Result<_>>()?,
        calls: calls
            .into_iter()
            .map(|(at, interviewer, outcome, note_sealed)| ExportedCall {
                at: Timestamp(at),
                interviewer,
                outcome,
                note_sealed,
            })
            .collect(),
        replies: replies
            .into_iter()
            .map(|(at, meaning, text)| (Timestamp(at), meaning, text))
            .collect(),
        answers: answers.into_iter().map(|(at, by, text)| (Timestamp(at), by, text)).collect(),
    })
}

async fn cases_of(
    connection: &mut AnyConnection,
    person: RespondentId,
) -> Result<Vec<ExportedCase>> {
    let sql = "SELECT c.id, a.code, a.category, c.disposition, c.disposed_at, c.segment, \
        c.fields_sealed
               FROM survey_case c JOIN application a ON a.id = c.application_id WHERE \
               c.respondent_id = $1 ORDER BY a.code";
    type Row = (i64, String, String, String, i64, String, Option<Vec<u8>>);
    let rows: Vec<Row> = sqlx::query_as(sql).bind(person.0).fetch_all(&mut *connection).await?;
    let mut cases = Vec::with_capacity(rows.len());
    for (id, application, category, disposition, disposed_at, segment, fields_sealed) in rows {
        let sql = "SELECT w.item, w.value, w.value_sealed FROM response s JOIN answer w ON \
            w.response_id = s.id WHERE s.case_id = $1 ORDER BY w.id";
        let answers: Vec<(String, Option<String>, Option<Vec<u8>>)> =
            sqlx::query_as(sql).bind(id).fetch_all(&mut *connection).await?;
        let sql = "SELECT device_hash, network_hash FROM response WHERE case_id = $1 AND \
            device_hash IS NOT NULL";
        let origin: Option<(String, Option<String>)> =
            sqlx::query_as(sql).bind(id).fetch_optional(&mut *connection).await?;
        let sql = "SELECT verdict, reason FROM response_review WHERE case_id = $1";
        let review: Option<(String, String)> =
            sqlx::query_as(sql).bind(id).fetch_optional(&mut *connection).await?;
        let sql = "SELECT number, state FROM paper_form WHERE case_id = $1";
        let paper_form: Option<(String, String)> =
            sqlx::query_as(sql).bind(id).fetch_optional(&mut *connection).await?;
        let value = |(item, plain, sealed): (String, Option<String>, Option<Vec<u8>>)| match sealed
        {
            Some(sealed) => (item, StoredValue::Sealed(sealed)),
            None => (item, StoredValue::Plain(plain.unwrap_or_default())),
        };
        let answers = answers.into_iter().map(value).collect();
        cases.push(ExportedCase {
            application,
            category,
            disposition,
            disposed_at: Timestamp(disposed_at),
            segment,
            fields_sealed,
            answers,
            origin,
            review,
            paper_form,
        });
    }
    Ok(cases)
}
