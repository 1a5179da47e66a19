//! Calls: one row for each time that an interviewer had a number on the screen, with its outcome.

use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::bulk_params::{ColumnType, to_param};
use super::cases::DispositionSource;
use super::dialect::{Engine, statement};
use super::{Result, decode_enum};
use crate::domain::disposition::Disposition;
use crate::domain::ids::{AccountId, CallId, CampaignId, InvitationId};
use crate::domain::telephone::{CallOutcome, DayPart};
use crate::domain::time::Timestamp;

/// The purpose of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Interview,
    /// A supervisor verifies that the interview took place as reported.
    Verification,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Purpose::Interview => "interview",
            Purpose::Verification => "verification",
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub struct NewCall {
    pub invitation: InvitationId,
    pub campaign: CampaignId,
    pub step: u32,
    pub account: AccountId,
    pub purpose: Purpose,
    pub day_part: DayPart,
}

pub async fn record_begin(
    tx: &mut AnyConnection,
    call: &NewCall,
    now: Timestamp,
) -> Result<CallId> {
    let sql = "INSERT INTO phone_call (invitation_id, campaign_id, step, account_id, purpose, \
        day_part, begun_at) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id";
    let id: i64 = sqlx::query_scalar(sql)
        .bind(call.invitation.0)
        .bind(call.campaign.0)
        .bind(i64::from(call.step))
        .bind(call.account.0)
        .bind(call.purpose.as_str())
        .bind(call.day_part.as_str())
        .bind(now.0)
        .fetch_one(tx)
        .await?;
    Ok(CallId(id))
}

/// The data recorded when a call ends.
#[derive(Debug, Clone)]
pub struct CallEnding {
    pub outcome: CallOutcome,
    pub call_back_at: Option<Timestamp>,
    pub note_sealed: Option<Vec<u8>>,
    /// The hash of the number that was dialled; `None`: nobody said.
    pub dialled_hash: Option<String>,
}

/// Lists the numbers of an invitation's person that reach nobody, by their last calls.
pub async fn dead_numbers(
    connection: &mut AnyConnection,
    invitation: InvitationId,
) -> Result<BTreeSet<String>> {
    let sql = "SELECT dialled_hash, outcome FROM phone_call WHERE invitation_id = $1 AND \
        dialled_hash IS NOT NULL AND is_attempt = 1 ORDER BY begun_at, id";
    let rows: Vec<(String, String)> =
        sqlx::query_as(sql).bind(invitation.0).fetch_all(connection).await?;
    let mut dead = BTreeSet::new();
    for (number, outcome) in rows {
        let outcome = decode_enum("an outcome", &outcome, CallOutcome::parse)?;
        match outcome.is_dead_number() {
            true => _ = dead.insert(number),
            false => _ = dead.remove(&number),
        }
    }
    Ok(dead)
}

/// Records the end of a call. Returns false if it is already recorded.
pub async fn record_end(
    tx: &mut AnyConnection,
    call: CallId,
    ending: &CallEnding,
    now: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE phone_call SET ended_at = $2, outcome = $3, is_attempt = $4, is_reached = \
        $5, call_back_at = $6, note_sealed = $7, dialled_hash = $8
               WHERE id = $1 AND ended_at IS NULL";
    let done = sqlx::query(sql)
        .bind(call.0)
        .bind(now.0)
        .bind(ending.outcome.as_str())
        .bind(i64::from(ending.outcome.is_attempt()))
        .bind(i64::from(ending.outcome.is_reached()))
        .bind(ending.call_back_at.map(|at| at.0))
        .bind(ending.note_sealed.clone())
        .bind(ending.dialled_hash.clone())
        .execute(tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Returns whether an interview of this call came to its end: by its answers a case is complete, not
/// eligible, or turned away because its cell is full, or was completed after its field closed.
pub async fn has_ended_a_case(connection: &mut AnyConnection, call: CallId) -> Result<bool> {
    let ended = [Disposition::Complete, Disposition::NotEligible, Disposition::QuotaFilled];
    let engine = Engine::of_connection(connection);
    let sql = format!(
        "SELECT COUNT(*) FROM phone_call c JOIN survey_case s ON s.invitation_id = c.invitation_id
         WHERE c.id = $1 AND (s.late_at >= c.begun_at OR EXISTS (
             SELECT 1 FROM disposition_change d
             WHERE d.case_id = s.id AND d.changed_at >= c.begun_at AND d.source = $2
               AND d.disposition {}))",
        engine.in_list(3, ColumnType::Text)
    );
    let cases: i64 = sqlx::query_scalar(statement(sql))
        .bind(call.0)
        .bind(DispositionSource::Telephone.as_str())
        .bind(to_param(ended.iter().map(|disposition| disposition.code())))
        .fetch_one(connection)
        .await?;
    Ok(cases > 0)
}

/// A stored call.
#[derive(Debug, Clone)]
pub struct Call {
    pub id: CallId,
    pub invitation: InvitationId,
    pub account: AccountId,
    /// The interviewer's account name.
    pub interviewer_name: String,
    pub day_part: DayPart,
    pub begun_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// `None` while the call is in progress.
    pub outcome: Option<CallOutcome>,
    pub call_back_at: Option<Timestamp>,
    pub note_sealed: Option<Vec<u8>>,
}

const SELECT: &str =
    "SELECT c.id, c.invitation_id, c.account_id, a.name, c.day_part, c.begun_at, c.ended_at, \
        c.outcome, c.call_back_at, c.note_sealed
                      FROM phone_call c JOIN account a ON a.id = c.account_id";

fn read(row: &AnyRow) -> Result<Call> {
    let at =
        |column: &str| Ok::<_, sqlx::Error>(row.try_get::<Option<i64>, _>(column)?.map(Timestamp));
    Ok(Call {
        id: CallId(row.try_get("id")?),
        invitation: InvitationId(row.try_get("invitation_id")?),
        account: AccountId(row.try_get("account_id")?),
        interviewer_name: row.try_get("name")?,
        day_part: decode_enum(
            "a part of the day",
            &row.try_get::<String, _>("day_part")?,
            DayPart::parse,
        )?,
        begun_at: Timestamp(row.try_get("begun_at")?),
        ended_at: at("ended_at")?,
        outcome: row
            .try_get::<Option<String>, _>("outcome")?
            .map(|outcome| decode_enum("an outcome", &outcome, CallOutcome::parse))
            .transpose()?,
        call_back_at: at("call_back_at")?,
        note_sealed: row.try_get("note_sealed")?,
    })
}

/// Lists the calls of an invitation, the latest first.
pub async fn of_invitation(
    connection: &mut AnyConnection,
    invitation: InvitationId,
) -> Result<Vec<Call>> {
    let sql = statement(format!(
        "{SELECT} WHERE c.invitation_id = $1 AND c.purpose = 'interview' ORDER BY c.begun_at \
            DESC, c.id DESC"
    ));
    sqlx::query(sql).bind(invitation.0).fetch_all(connection).await?.iter().map(read).collect()
}

/// Returns an interviewer's latest call.
pub async fn latest_of(connection: &mut AnyConnection, account: AccountId) -> Result<Option<Call>> {
    let sql = statement(format!(
        "{SELECT} WHERE c.account_id = $1 AND c.purpose = 'interview' ORDER BY c.begun_at DESC, \
            c.id DESC LIMIT 1"
    ));
    sqlx::query(sql)
        .bind(account.0)
        .fetch_optional(connection)
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

pub async fn get(connection: &mut AnyConnection, call: CallId) -> Result<Option<Call>> {
    let sql = statement(format!("{SELECT} WHERE c.id = $1"));
    sqlx::query(sql).bind(call.0).fetch_optional(connection).await?.as_ref().map(read).transpose()
}

/// Lists all calls since a moment, in chronological order.
pub async fn all_since(connection: &mut AnyConnection, since: Timestamp) -> Result<Vec<Call>> {
    let sql = statement(format!(
        "{SELECT} WHERE c.begun_at >= $1 AND c.purpose = 'interview' ORDER BY c.begun_at, c.id"
    ));
    sqlx::query(sql).bind(since.0).fetch_all(connection).await?.iter().map(read).collect()
}

/// The work of a call: the time on its pages and the answers entered in it.
#[derive(Debug, Clone)]
pub struct CallWorkload {
    pub account: AccountId,
    pub outcome: CallOutcome,
    pub millis: u64,
    pub answers: u32,
}

/// Lists the ended calls since a moment, in chronological order.
pub async fn workloads_since(
    connection: &mut AnyConnection,
    since: Timestamp,
) -> Result<Vec<CallWorkload>> {
    let sql = "SELECT c.account_id, c.outcome,
                      (SELECT CAST(COALESCE(SUM(v.sent_at - v.shown_at), 0) AS BIGINT)
                       FROM survey_case s JOIN response r ON r.case_id = s.id JOIN page_visit v \
                       ON v.response_id = r.id
                       WHERE s.invitation_id = c.invitation_id AND v.mode = 'telephone' AND \
                       v.sent_at BETWEEN c.begun_at AND c.ended_at),
                      (SELECT COUNT(*) FROM survey_case s JOIN response r ON r.case_id = s.id \
                      JOIN answer w ON w.response_id = r.id
                       WHERE s.invitation_id = c.invitation_id AND w.account_id = c.account_id \
                       AND w.answered_at BETWEEN c.begun_at AND c.ended_at)
               FROM phone_call c WHERE c.begun_at >= $1 AND c.purpose = 'interview' AND \
               c.outcome IS NOT NULL ORDER BY c.begun_at, c.id";
    let rows: Vec<(i64, String, i64, i64)> =
        sqlx::query_as(sql).bind(since.0).fetch_all(connection).await?;
    let worked = |(account, outcome, millis, answers): (i64, String, i64, i64)| {
        Ok(CallWorkload {
            account: AccountId(account),
            outcome: decode_enum("an outcome", &outcome, CallOutcome::parse)?,
            millis: u64::try_from(millis).unwrap_or(0),
            answers: u32::try_from(answers).unwrap_or(0),
        })
    };
    rows.into_iter().map(worked).collect()
}

/// A call of an interviewer's day.
#[derive(Debug, Clone)]
pub struct WorkedCall {
    pub account: AccountId,
    pub begun_at: Timestamp,
    pub outcome: CallOutcome,
    /// The time on the questionnaire's pages.
    pub millis: u64,
}

/// Lists the ended calls that began in a span, of one interviewer or of all.
pub async fn worked_between(
    connection: &mut AnyConnection,
    (from, until): (Timestamp, Timestamp),
    account: Option<AccountId>,
) -> Result<Vec<WorkedCall>> {
    let sql = "SELECT c.account_id, c.begun_at, c.outcome,
                      (SELECT CAST(COALESCE(SUM(v.sent_at - v.shown_at), 0) AS BIGINT)
                       FROM survey_case s JOIN response r ON r.case_id = s.id JOIN page_visit v \
                       ON v.response_id = r.id
                       WHERE s.invitation_id = c.invitation_id AND v.mode = 'telephone' AND \
                       v.sent_at BETWEEN c.begun_at AND c.ended_at)
               FROM phone_call c WHERE c.begun_at >= $1 AND c.begun_at < $2 AND ($3 = 0 OR \
               c.account_id = $3) AND c.purpose = 'interview' AND c.outcome IS NOT NULL
               ORDER BY c.begun_at, c.id";
    let rows: Vec<(i64, i64, String, i64)> = sqlx::query_as(sql)
        .bind(from.0)
        .bind(until.0)
        .bind(account.map_or(0, |account| account.0))
        .fetch_all(connection)
        .await?;
    let worked = |(account, begun_at, outcome, millis): (i64, i64, String, i64)| {
        Ok(WorkedCall {
            account: AccountId(account),
            begun_at: Timestamp(begun_at),
            outcome: decode_enum("an outcome", &outcome, CallOutcome::parse)?,
            millis: u64::try_from(millis).unwrap_or(0),
        })
    };
    rows.into_iter().map(worked).collect()
}

/// A call that was promised.
#[derive(Debug, Clone, Copy)]
pub struct Promise {
    /// Who agreed on the time.
    pub account: AccountId,
    pub at: Timestamp,
    /// Whether somebody called then.
    pub is_kept: bool,
}

/// Lists the calls promised for a span, by one interviewer or by all. Kept is a promise if the person
/// was called from `early` before the time until `late` after it. One that was replaced by an earlier
/// call, or whose person had answered before, is none.
pub async fn promised_between(
    connection: &mut AnyConnection,
    (from, until): (Timestamp, Timestamp),
    account: Option<AccountId>,
    (early, late): (Duration, Duration),
) -> Result<Vec<Promise>> {
    let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(0);
    let sql = "SELECT p.account_id, p.call_back_at, CASE WHEN EXISTS (
                   SELECT 1 FROM phone_call q WHERE q.invitation_id = p.invitation_id AND q.id <> \
                   p.id AND q.begun_at BETWEEN p.call_back_at - $4 AND p.call_back_at + $5)
                   THEN 1 ELSE 0 END
               FROM phone_call p
               WHERE p.call_back_at >= $1 AND p.call_back_at < $2 AND ($3 = 0 OR p.account_id = $3)
                 AND p.purpose = 'interview' AND NOT EXISTS (
                   SELECT 1 FROM phone_call q WHERE q.invitation_id = p.invitation_id AND \
                   q.begun_at > p.begun_at AND q.begun_at < p.call_back_at - $4)
                 AND NOT EXISTS (
                   SELECT 1 FROM survey_case s JOIN response r ON r.case_id = s.id
                   WHERE s.invitation_id = p.invitation_id AND r.completed_at > p.begun_at AND \
                   r.completed_at < p.call_back_at - $4)
               ORDER BY p.call_back_at, p.id";
    let rows: Vec<(i64, i64, i64)> = sqlx::query_as(sql)
        .bind(from.0)
        .bind(until.0)
        .bind(account.map_or(0, |account| account.0))
        .bind(millis(early))
        .bind(millis(late))
        .fetch_all(connection)
        .await?;
    let promise = |(account, at, kept): (i64, i64, i64)| Promise {
        account: AccountId(account),
        at: Timestamp(at),
        is_kept: kept == 1,
    };
    Ok(rows.into_iter().map(promise).collect())
}

/// Returns when these numbers were reached by telephone, across all campaigns. Calls in which
/// somebody was spoken to count as contacts for the caps.
pub async fn recent_contacts(
    connection: &mut AnyConnection,
    phone_hashes: &[String],
    since: Timestamp,
) -> Result<Vec<(String, Timestamp)>> {
    let any: i64 =
        sqlx::query_scalar("SELECT CASE WHEN EXISTS (SELECT 1 FROM phone_call) THEN 1 ELSE 0 END")
            .fetch_one(&mut *connection)
            .await?;
    if any == 0 {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT r.phone_hash, c.begun_at FROM respondent r JOIN invitation i ON i.respondent_id \
            = r.id JOIN phone_call c ON c.invitation_id = i.id
         WHERE r.phone_hash {} AND c.is_reached = 1 AND c.begun_at >= $2",
        Engine::of_connection(connection).in_list(1, ColumnType::Text)
    );
    let rows: Vec<(String, i64)> = sqlx::query_as(statement(sql))
        .bind(to_param(phone_hashes))
        .bind(since.0)
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(|(hash, at)| (hash, Timestamp(at))).collect())
}

/// Counts call attempts since a moment, without busy lines.
pub async fn attempts_since(
    connection: &mut AnyConnection,
    invitation: InvitationId,
    since: Timestamp,
) -> Result<u32> {
    let sql = "SELECT COUNT(*) FROM phone_call WHERE invitation_id = $1 AND begun_at >= $2 AND \
        is_attempt = 1 AND outcome <> 'busy'";
    let count: i64 =
        sqlx::query_scalar(sql).bind(invitation.0).bind(since.0).fetch_one(connection).await?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Counts how often the link was requested in a call.
pub async fn count_links_sent(
    connection: &mut AnyConnection,
    invitation: InvitationId,
) -> Result<u32> {
    let sql = "SELECT COUNT(*) FROM phone_call WHERE invitation_id = $1 AND outcome = 'link_sent'";
    let count: i64 = sqlx::query_scalar(sql).bind(invitation.0).fetch_one(connection).await?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Returns whether one of these numbers is being called now, in any campaign.
pub async fn is_being_called(
    connection: &mut AnyConnection,
    phone_hash: &str,
    except: InvitationId,
    now: Timestamp,
) -> Result<bool> {
    let sql = "SELECT COUNT(*) FROM respondent r JOIN invitation i ON i.respondent_id = r.id \
        JOIN call_queue q ON q.invitation_id = i.id
               WHERE r.phone_hash = $1 AND i.id <> $2 AND q.leased_until > $3";
    let count: i64 = sqlx::query_scalar(sql)
        .bind(phone_hash.to_owned())
        .bind(except.0)
        .bind(now.0)
        .fetch_one(connection)
        .await?;
    Ok(count > 0)
}

/// The facts that a step's condition checks: calls and whether they reached the person, whether a
/// message was delivered, and whether the person has begun to answer.
#[derive(Debug, Clone, Copy, Default)]
pub struct ContactFacts {
    pub calls: u32,
    pub is_reached: bool,
    pub is_delivered: bool,
    pub has_begun: bool,
    pub is_fixed_line: bool,
}

pub async fn contact_facts(
    connection: &mut AnyConnection,
    invitations: &[InvitationId],
) -> Result<std::collections::HashMap<InvitationId, ContactFacts>> {
    let sql = format!(
        "SELECT i.id, CASE WHEN r.phone_kind = 'fixed_line' THEN 1 ELSE 0 END,
                (SELECT COUNT(*) FROM phone_call c WHERE c.invitation_id = i.id AND c.is_attempt \
                = 1),
                (SELECT COUNT(*) FROM phone_call c WHERE c.invitation_id = i.id AND c.is_reached \
                = 1),
                (SELECT COUNT(*) FROM message m WHERE m.invitation_id = i.id AND m.state = \
                'delivered'),
                (SELECT COUNT(*) FROM survey_case s JOIN response w ON w.case_id = s.id WHERE \
                s.invitation_id = i.id)
         FROM invitation i JOIN respondent r ON r.id = i.respondent_id WHERE i.id {}",
        Engine::of_connection(connection).in_list(1, ColumnType::Number)
    );
    type Row = (i64, i64, i64, i64, i64, i64);
    let rows: Vec<Row> = sqlx::query_as(statement(sql))
        .bind(to_param(invitations.iter().map(|i| i.0)))
        .fetch_all(connection)
        .await?;
    let facts = |(id, fixed, calls, reached, delivered, begun): Row| {
        let calls = u32::try_from(calls).unwrap_or(u32::MAX);
        (
            InvitationId(id),
            ContactFacts {
                calls,
                is_reached: reached > 0,
                is_delivered: delivered > 0,
                has_begun: begun > 0,
                is_fixed_line: fixed == 1,
            },
        )
    };
    Ok(rows.into_iter().map(facts).collect())
}
