//! The timeline of a case, collected from all tables, and the search for people by hashes.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::dialect::statement;
use super::messages::read_slot;
use super::{Result, decode_enum};
use crate::domain::contact_plan::MessageSlot;
use crate::domain::disposition::Disposition;
use crate::domain::ids::{CaseId, InvitationId, RespondentId};
use crate::domain::language::Language;
use crate::domain::time::Timestamp;

/// A case with its sealed personal data.
#[derive(Debug, Clone)]
pub struct CaseDetails {
    pub id: CaseId,
    pub person: RespondentId,
    pub invitation: Option<InvitationId>,
    pub application: String,
    pub campaign: Option<String>,
    pub pseudonym: String,
    pub disposition: Disposition,
    pub disposed_at: Timestamp,
    pub is_open: bool,
    pub segment: String,
    pub language: Language,
    pub key_id: String,
    pub phone_hash: String,
    pub phone_sealed: Vec<u8>,
    pub person_sealed: Vec<u8>,
    /// Whether its person is erased.
    pub is_erased: bool,
}

const SELECT: &str =
    "SELECT c.id, c.respondent_id, c.invitation_id, a.code AS application, g.code AS campaign, \
        c.pseudonym, c.disposition, c.disposed_at,
                             c.is_open, c.segment, r.language, p.key_id, r.phone_hash, \
                             r.phone_sealed, r.person_sealed,
                             CASE WHEN r.erased_at IS NULL THEN 0 ELSE 1 END AS is_erased
                      FROM survey_case c
                      JOIN application a ON a.id = c.application_id
                      JOIN respondent r ON r.id = c.respondent_id
                      JOIN applicant p ON p.id = r.applicant_id
                      LEFT JOIN campaign g ON g.id = a.campaign_id";

fn read(row: &AnyRow) -> Result<CaseDetails> {
    Ok(CaseDetails {
        id: CaseId(row.try_get("id")?),
        person: RespondentId(row.try_get("respondent_id")?),
        invitation: row.try_get::<Option<i64>, _>("invitation_id")?.map(InvitationId),
        application: row.try_get("application")?,
        campaign: row.try_get("campaign")?,
        pseudonym: row.try_get("pseudonym")?,
        disposition: decode_enum(
            "a disposition",
            &row.try_get::<String, _>("disposition")?,
            Disposition::from_code,
        )?,
        disposed_at: Timestamp(row.try_get("disposed_at")?),
        is_open: row.try_get::<i64, _>("is_open")? == 1,
        segment: row.try_get("segment")?,
        language: decode_enum(
            "a language",
            &row.try_get::<String, _>("language")?,
            Language::parse,
        )?,
        key_id: row.try_get("key_id")?,
        phone_hash: row.try_get("phone_hash")?,
        phone_sealed: row.try_get("phone_sealed")?,
        person_sealed: row.try_get("person_sealed")?,
        is_erased: row.try_get::<i64, _>("is_erased")? == 1,
    })
}

pub async fn case(connection: &mut AnyConnection, case: CaseId) -> Result<Option<CaseDetails>> {
    let sql = statement(format!("{SELECT} WHERE c.id = $1"));
    sqlx::query(sql).bind(case.0).fetch_optional(connection).await?.as_ref().map(read).transpose()
}

/// The search criterion for cases.
#[derive(Debug, Clone)]
pub enum CaseFilter<'a> {
    /// Of the own number, or of a further one.
    PhoneHash(&'a str),
    NameHash(&'a str),
    Pseudonym(&'a str),
    /// All cases of an application, or those at one disposition.
    Application(&'a str, Option<Disposition>),
}

/// Returns cases, the latest first, from below `before` on.
pub async fn cases(
    connection: &mut AnyConnection,
    by: &CaseFilter<'_>,
    before: Option<CaseId>,
    limit: u32,
) -> Result<Vec<CaseDetails>> {
    let (condition, value, disposition) = match by {
        CaseFilter::PhoneHash(hash) => (
            "c.respondent_id IN (SELECT id FROM respondent WHERE phone_hash = $1 UNION \
                SELECT respondent_id FROM further_number WHERE phone_hash = $1) AND $2 = ''",
            *hash,
            "",
        ),
        CaseFilter::NameHash(hash) => ("r.name_hash = $1 AND $2 = ''", *hash, ""),
        CaseFilter::Pseudonym(pseudonym) => ("c.pseudonym = $1 AND $2 = ''", *pseudonym, ""),
        CaseFilter::Application(code, disposition) => (
            "a.code = $1 AND ($2 = '' OR c.disposition = $2)",
            *code,
            disposition.map_or("", Disposition::code),
        ),
    };
    let sql =
        statement(format!("{SELECT} WHERE {condition} AND c.id < $3 ORDER BY c.id DESC LIMIT $4"));
    let rows = sqlx::query(sql)
        .bind(value.to_owned())
        .bind(disposition.to_owned())
        .bind(before.map_or(i64::MAX, |case| case.0))
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await?;
    rows.iter().map(read).collect()
}

/// A message of an invitation.
#[derive(Debug, Clone)]
pub struct MessageDetails {
    pub slot: MessageSlot,
    pub gateway: String,
    pub reference: String,
    pub state: String,
    pub code: Option<String>,
    pub parts: i64,
    pub attempt_count: i64,
    pub claimed_at: Timestamp,
    pub submitted_at: Option<Timestamp>,
    pub received_at: Option<Timestamp>,
}

pub async fn messages(
    connection: &mut AnyConnection,
    invitation: InvitationId,
) -> Result<Vec<MessageDetails>> {
    type Row =
        (i64, i64, String, String, String, Option<String>, i64, i64, i64, Option<i64>, Option<i64>);
    let sql =
        "SELECT kind, number, gateway, reference, state, code, parts, attempt_count, claimed_at, \
        submitted_at, received_at FROM message
               WHERE invitation_id = $1 ORDER BY claimed_at, kind, number";
    let rows: Vec<Row> = sqlx::query_as(sql).bind(invitation.0).fetch_all(connection).await?;
    let message = |(
        kind,
        number,
        gateway,
        reference,
        state,
        code,
        parts,
        attempt_count,
        claimed,
        submitted,
        received,
    ): Row| {
        Ok(MessageDetails {
            slot: read_slot(kind, number)?,
            gateway,
            reference,
            state,
            code,
            parts,
            attempt_count,
            claimed_at: Timestamp(claimed),
            submitted_at: submitted.map(Timestamp),
            received_at: received.map(Timestamp),
        })
    };
    rows.into_iter().map(message).collect()
}

/// Returns the gateway log of an invitation's messages: slot, gateway, request, response and time.
pub async fn gateway_log(
    connection: &mut AnyConnection,
    invitation: InvitationId,
) -> Result<Vec<(MessageSlot, String, String, String, Timestamp)>> {
    let sql = "SELECT kind, number, gateway, request, response, at FROM gateway_log WHERE invitation_id \
        = $1 ORDER BY at, id";
    let rows: Vec<(i64, i64, String, String, String, i64)> =
        sqlx::query_as(sql).bind(invitation.0).fetch_all(connection).await?;
    rows.into_iter()
        .map(|(kind, number, gateway, request, response, at)| {
            Ok((read_slot(kind, number)?, gateway, request, response, Timestamp(at)))
        })
        .collect()
}

pub async fn opened_at(
    connection: &mut AnyConnection,
    invitation: InvitationId,
) -> Result<Option<Timestamp>> {
    let sql = "SELECT opened_at FROM invitation WHERE id = $1";
    let at: Option<Option<i64>> =
        sqlx::query_scalar(sql).bind(invitation.0).fetch_optional(connection).await?;
    Ok(at.flatten().map(Timestamp))
}

/// Returns the consents of an invitation: notice version, mode, times of consent and withdrawal.
pub async fn consents(
    connection: &mut AnyConnection,
    invitation: InvitationId,
) -> Result<Vec<(String, String, Timestamp, Option<Timestamp>)>> {
    let sql = "SELECT version, mode, given_at, withdrawn_at FROM consent WHERE invitation_id = \
        $1 ORDER BY given_at";
    let rows: Vec<(String, String, i64, Option<i64>)> =
        sqlx::query_as(sql).bind(invitation.0).fetch_all(connection).await?;
    Ok(rows
        .into_iter()
        .map(|(version, mode, given, withdrawn)| {
            (version, mode, Timestamp(given), withdrawn.map(Timestamp))
        })
        .collect())
}

/// A submitted page of answers.
#[derive(Debug, Clone)]
pub struct PageVisitSummary {
    pub page: i64,
    pub mode: String,
    pub device: String,
    pub seconds: i64,
    pub at: Timestamp,
    pub problems: i64,
}

pub async fn visits(connection: &mut AnyConnection, case: CaseId) -> Result<Vec<PageVisitSummary>> {
    let sql = "SELECT v.page, v.mode, v.device, (v.sent_at - v.shown_at) / 1000, v.sent_at, \
        v.problems FROM page_visit v
               JOIN response s ON s.id = v.response_id WHERE s.case_id = $1 ORDER BY v.sent_at, \
               v.id";
    let rows: Vec<(i64, String, String, i64, i64, i64)> =
        sqlx::query_as(sql).bind(case.0).fetch_all(connection).await?;
    let visit = |(page, mode, device, seconds, at, problems)| PageVisitSummary {
        page,
        mode,
        device,
        seconds,
        at: Timestamp(at),
        problems,
    };
    Ok(rows.into_iter().map(visit).collect())
}

/// Returns when the response was begun and completed, and the number of answered items.
pub async fn answers(
    connection: &mut AnyConnection,
    case: CaseId,
) -> Result<Option<(Timestamp, Option<Timestamp>, u64)>> {
    let sql = "SELECT started_at, completed_at, (SELECT COUNT(*) FROM answer w WHERE \
        w.response_id = response.id) FROM response WHERE case_id = $1";
    let row: Option<(i64, Option<i64>, i64)> =
        sqlx::query_as(sql).bind(case.0).fetch_optional(connection).await?;
    Ok(row.map(|(begun, completed, items)| {
        (Timestamp(begun), completed.map(Timestamp), u64::try_from(items).unwrap_or(0))
    }))
}

/// Returns the dispositions of a case with their sources.
pub async fn dispositions(
    connection: &mut AnyConnection,
    case: CaseId,
) -> Result<Vec<(Disposition, String, Timestamp)>> {
    let sql = "SELECT disposition, source, changed_at FROM disposition_change WHERE case_id = $1 \
        ORDER BY changed_at, id";
    let rows: Vec<(String, String, i64)> =
        sqlx::query_as(sql).bind(case.0).fetch_all(connection).await?;
    rows.into_iter()
        .map(|(code, source, at)| {
            Ok((
                decode_enum("a disposition", &code, Disposition::from_code)?,
                source,
                Timestamp(at),
            ))
        })
        .collect()
}

/// Returns the replies to an invitation: id, meaning and time.
pub async fn replies(
    connection: &mut AnyConnection,
    invitation: InvitationId,
) -> Result<Vec<(i64, String, Timestamp)>> {
    let sql = "SELECT id, meaning, received_at FROM reply WHERE invitation_id = $1 ORDER BY \
        received_at, id";
    let rows: Vec<(i64, String, i64)> =
        sqlx::query_as(sql).bind(invitation.0).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(id, meaning, at)| (id, meaning, Timestamp(at))).collect())
}
