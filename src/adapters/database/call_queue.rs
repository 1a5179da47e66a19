//! The queue of people to call, and the leases of interviewers.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::bulk_params::{ColumnType, to_param};
use super::dialect::{Engine, statement};
use super::{Result, WriteTx, decode_enum};
use crate::domain::ids::{AccountId, CallId, CampaignId, CaseId, InvitationId};
use crate::domain::language::Language;
use crate::domain::time::Timestamp;

/// An invitation that has reached a telephone step.
#[derive(Debug, Clone, Copy)]
pub struct NewQueueEntry {
    pub invitation: InvitationId,
    pub step: u32,
    pub max_calls: u32,
    pub language: Language,
}

/// Adds people to the call queue. An entry from an earlier step starts afresh; recorded attempts
/// and call-backs remain.
pub async fn enqueue(
    tx: &mut AnyConnection,
    campaign: CampaignId,
    entries: &[NewQueueEntry],
    now: Timestamp,
) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let columns = [
        ("invitation_id", ColumnType::Number),
        ("step", ColumnType::Number),
        ("max_calls", ColumnType::Number),
        ("language", ColumnType::Text),
    ];
    let sql = format!(
        "INSERT INTO call_queue (invitation_id, campaign_id, step, entered_at, next_at, \
            max_calls, language)
         SELECT v.invitation_id, $1, v.step, $2, $2, v.max_calls, v.language FROM ({}) AS v \
         WHERE true
         ON CONFLICT (invitation_id) DO UPDATE SET step = excluded.step, entered_at = \
         excluded.entered_at, calls = 0, max_calls = excluded.max_calls,
             next_at = COALESCE(call_queue.promised_at, excluded.next_at)",
        Engine::of_connection(tx).select_rows(3, &columns)
    );
    let new = to_param(
        entries
            .iter()
            .map(|entry| (entry.invitation.0, entry.step, entry.max_calls, entry.language.tag())),
    );
    sqlx::query(statement(sql)).bind(campaign.0).bind(now.0).bind(new).execute(tx).await?;
    Ok(())
}

/// Returns whether somebody waits to be called, or is being called.
pub async fn is_waiting(connection: &mut AnyConnection, invitation: InvitationId) -> Result<bool> {
    let sql = "SELECT COUNT(*) FROM call_queue WHERE invitation_id = $1 AND (next_at IS NOT NULL OR \
        leased_by IS NOT NULL)";
    let count: i64 = sqlx::query_scalar(sql).bind(invitation.0).fetch_one(connection).await?;
    Ok(count > 0)
}

/// Promises a call to somebody in the queue: it comes first, and the caps on contacts do not hold it
/// up, as the person has asked for it.
pub async fn promise(
    tx: &mut AnyConnection,
    invitation: InvitationId,
    at: Timestamp,
) -> Result<()> {
    let sql = "UPDATE call_queue SET promised_at = $2, next_at = $2 WHERE invitation_id = $1 AND \
        leased_by IS NULL";
    sqlx::query(sql).bind(invitation.0).bind(at.0).execute(tx).await?;
    Ok(())
}

/// Moves the promised call of somebody who is on nobody's screen, and the promise of the call that
/// it was agreed in. Returns false if there is none.
pub async fn move_promise(
    tx: &mut AnyConnection,
    invitation: InvitationId,
    (from, to): (Timestamp, Timestamp),
) -> Result<bool> {
    let sql = "UPDATE call_queue SET promised_at = $3, next_at = $3 WHERE invitation_id = $1 AND \
        promised_at = $2 AND leased_by IS NULL";
    let done =
        sqlx::query(sql).bind(invitation.0).bind(from.0).bind(to.0).execute(&mut *tx).await?;
    if done.rows_affected() != 1 {
        return Ok(false);
    }
    let sql =
        "UPDATE phone_call SET call_back_at = $3 WHERE invitation_id = $1 AND call_back_at = $2";
    sqlx::query(sql).bind(invitation.0).bind(from.0).bind(to.0).execute(tx).await?;
    Ok(true)
}

/// An entry of the queue.
#[derive(Debug, Clone)]
pub struct QueueEntry {
    pub invitation: InvitationId,
    pub campaign: CampaignId,
    pub step: u32,
    pub next_at: Option<Timestamp>,
    pub promised_at: Option<Timestamp>,
    pub calls: u32,
    pub max_calls: u32,
    pub soft_refusals: u32,
    pub refused_to: Option<AccountId>,
    pub tried_day_parts: i64,
    pub language: Language,
    pub assigned_to: Option<AccountId>,
    pub leased_by: Option<AccountId>,
    pub leased_until: Option<Timestamp>,
    pub call: Option<CallId>,
    pub phone_hash: String,
    pub zone: Option<String>,
}

const SELECT: &str =
    "SELECT q.invitation_id, q.campaign_id, q.step, q.next_at, q.promised_at, q.calls, \
        q.max_calls, q.soft_refusals, q.refused_to, q.tried_day_parts,
                             q.language, q.assigned_to, q.leased_by, q.leased_until, q.call_id, \
                             r.phone_hash, r.zone
                      FROM call_queue q JOIN invitation i ON i.id = q.invitation_id JOIN \
                      respondent r ON r.id = i.respondent_id";

fn read(row: &AnyRow) -> Result<QueueEntry> {
    let at =
        |column: &str| Ok::<_, sqlx::Error>(row.try_get::<Option<i64>, _>(column)?.map(Timestamp));
    let account =
        |column: &str| Ok::<_, sqlx::Error>(row.try_get::<Option<i64>, _>(column)?.map(AccountId));
    let count = |column: &str| {
        Ok::<_, sqlx::Error>(u32::try_from(row.try_get::<i64, _>(column)?).unwrap_or(0))
    };
    Ok(QueueEntry {
        invitation: InvitationId(row.try_get("invitation_id")?),
        campaign: CampaignId(row.try_get("campaign_id")?),
        step: count("step")?,
        next_at: at("next_at")?,
        promised_at: at("promised_at")?,
        calls: count("calls")?,
        max_calls: count("max_calls")?,
        soft_refusals: count("soft_refusals")?,
        refused_to: account("refused_to")?,
        tried_day_parts: row.try_get("tried_day_parts")?,
        language: decode_enum(
            "a language",
            &row.try_get::<String, _>("language")?,
            Language::parse,
        )?,
        assigned_to: account("assigned_to")?,
        leased_by: account("leased_by")?,
        leased_until: at("leased_until")?,
        call: row.try_get::<Option<i64>, _>("call_id")?.map(CallId),
        phone_hash: row.try_get("phone_hash")?,
        zone: row.try_get("zone")?,
    })
}

/// Lists the people whom this interviewer may call now, in no order of priority.
pub async fn due(
    connection: &mut AnyConnection,
    account: AccountId,
    languages: &[Language],
    now: Timestamp,
) -> Result<Vec<QueueEntry>> {
    let sql = format!(
        "{SELECT} JOIN campaign k ON k.id = q.campaign_id AND k.state = 'running'
         WHERE q.next_at <= $1 AND (q.leased_until IS NULL OR q.leased_until <= $1) AND \
         (q.assigned_to IS NULL OR q.assigned_to = $2) AND q.language {}
         ORDER BY q.invitation_id",
        Engine::of_connection(connection).in_list(3, ColumnType::Text)
    );
    let rows = sqlx::query(statement(sql))
        .bind(now.0)
        .bind(account.0)
        .bind(to_param(languages.iter().map(|language| language.tag())))
        .fetch_all(connection)
        .await?;
    rows.iter().map(read).collect()
}

/// Lists the queue entries that have a call planned or a lease, of one campaign or of all.
pub async fn all(
    connection: &mut AnyConnection,
    campaign: Option<CampaignId>,
) -> Result<Vec<QueueEntry>> {
    let sql = statement(format!(
        "{SELECT} WHERE (q.next_at IS NOT NULL OR q.leased_by IS NOT NULL) AND (q.campaign_id = \
            $1 OR $1 = 0) ORDER BY q.next_at, q.invitation_id"
    ));
    sqlx::query(sql)
        .bind(campaign.map_or(0, |campaign| campaign.0))
        .fetch_all(connection)
        .await?
        .iter()
        .map(read)
        .collect()
}

pub async fn find(
    connection: &mut AnyConnection,
    invitation: InvitationId,
) -> Result<Option<QueueEntry>> {
    let sql = statement(format!("{SELECT} WHERE q.invitation_id = $1"));
    sqlx::query(sql)
        .bind(invitation.0)
        .fetch_optional(connection)
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

/// Returns the entry of a call that has not ended.
pub async fn of_call(connection: &mut AnyConnection, call: CallId) -> Result<Option<QueueEntry>> {
    let sql = statement(format!("{SELECT} WHERE q.call_id = $1"));
    sqlx::query(sql).bind(call.0).fetch_optional(connection).await?.as_ref().map(read).transpose()
}

/// Returns the entry that is leased by an interviewer.
pub async fn leased_by(
    connection: &mut AnyConnection,
    account: AccountId,
) -> Result<Option<QueueEntry>> {
    let sql =
        statement(format!("{SELECT} WHERE q.leased_by = $1 ORDER BY q.invitation_id LIMIT 1"));
    sqlx::query(sql)
        .bind(account.0)
        .fetch_optional(connection)
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

/// Takes an expired lease from its interviewer, who can then have another one. The entry and its
/// call wait to be ended ([`expired_leases`]).
pub async fn detach_expired(tx: &mut WriteTx, account: AccountId, now: Timestamp) -> Result<()> {
    let sql = "UPDATE call_queue SET leased_by = NULL WHERE leased_by = $1 AND leased_until <= $2";
    sqlx::query(sql).bind(account.0).bind(now.0).execute(&mut **tx).await?;
    Ok(())
}

/// Leases an entry to one interviewer, who has no other lease (a unique index sees to it). Returns
/// false if it is already leased.
pub async fn lease(
    tx: &mut WriteTx,
    invitation: InvitationId,
    account: AccountId,
    until: Timestamp,
    now: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE call_queue SET leased_by = $2, leased_until = $3
               WHERE invitation_id = $1 AND next_at <= $4 AND (leased_until IS NULL OR \
               leased_until <= $4) AND (assigned_to IS NULL OR assigned_to = $2)";
    let done = sqlx::query(sql)
        .bind(invitation.0)
        .bind(account.0)
        .bind(until.0)
        .bind(now.0)
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Leases an entry once more to an interviewer whose call to that person broke off, also before it
/// is due. Returns false if somebody has it.
pub async fn lease_again(
    tx: &mut WriteTx,
    invitation: InvitationId,
    account: AccountId,
    until: Timestamp,
    now: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE call_queue SET leased_by = $2, leased_until = $3
               WHERE invitation_id = $1 AND (leased_until IS NULL OR leased_until <= $4) AND \
               (assigned_to IS NULL OR assigned_to = $2)";
    let done = sqlx::query(sql)
        .bind(invitation.0)
        .bind(account.0)
        .bind(until.0)
        .bind(now.0)
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Links a lease to its call.
pub async fn set_call(
    tx: &mut AnyConnection,
    invitation: InvitationId,
    call: CallId,
) -> Result<()> {
    sqlx::query("UPDATE call_queue SET call_id = $2 WHERE invitation_id = $1")
        .bind(invitation.0)
        .bind(call.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Renews a lease. Returns false if it has expired or belongs to another interviewer.
pub async fn renew(
    tx: &mut AnyConnection,
    call: CallId,
    account: AccountId,
    until: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE call_queue SET leased_until = $3 WHERE call_id = $1 AND leased_by = $2";
    Ok(sqlx::query(sql)
        .bind(call.0)
        .bind(account.0)
        .bind(until.0)
        .execute(tx)
        .await?
        .rows_affected()
        == 1)
}

/// Lists expired leases: the interviewer's page no longer renews them, or the interviewer has
/// another one by now.
pub async fn expired_leases(
    connection: &mut AnyConnection,
    now: Timestamp,
) -> Result<Vec<InvitationId>> {
    let sql = "SELECT invitation_id FROM call_queue WHERE call_id IS NOT NULL AND leased_until \
        <= $1 ORDER BY invitation_id";
    let ids: Vec<i64> = sqlx::query_scalar(sql).bind(now.0).fetch_all(connection).await?;
    Ok(ids.into_iter().map(InvitationId).collect())
}

/// The state of an entry after a call.
#[derive(Debug, Clone, Copy)]
pub struct QueueUpdate {
    pub next_at: Option<Timestamp>,
    pub promised_at: Option<Timestamp>,
    pub calls: u32,
    pub soft_refusals: u32,
    pub refused_to: Option<AccountId>,
    pub tried_day_parts: i64,
    pub language: Language,
}

/// Ends a call's lease. Returns false if it had expired and the entry is leased to someone else.
pub async fn return_to_queue(
    tx: &mut AnyConnection,
    call: CallId,
    update: &QueueUpdate,
) -> Result<bool> {
    let sql = "UPDATE call_queue SET leased_by = NULL, leased_until = NULL, call_id = NULL, \
            assigned_to = NULL, next_at = $2, promised_at = $3, calls = $4,
                   soft_refusals = $5, refused_to = $6, tried_day_parts = $7, language = $8
               WHERE call_id = $1";
    let done = sqlx::query(sql)
        .bind(call.0)
        .bind(update.next_at.map(|at| at.0))
        .bind(update.promised_at.map(|at| at.0))
        .bind(i64::from(update.calls))
        .bind(i64::from(update.soft_refusals))
        .bind(update.refused_to.map(|account| account.0))
        .bind(update.tried_day_parts)
        .bind(update.language.tag())
        .execute(tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Moves entries that cannot be called now; without a time, no call is planned.
pub async fn reschedule(
    tx: &mut AnyConnection,
    next: &[(InvitationId, Option<Timestamp>)],
) -> Result<()> {
    if next.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "UPDATE call_queue SET next_at = v.next_at FROM ({}) AS v
         WHERE call_queue.invitation_id = v.invitation_id AND call_queue.leased_by IS NULL",
        Engine::of_connection(tx).select_rows(
            1,
            &[("invitation_id", ColumnType::Number), ("next_at", ColumnType::Number)]
        )
    );
    sqlx::query(statement(sql))
        .bind(to_param(next.iter().map(|(id, at)| (id.0, at.map(|at| at.0)))))
        .execute(tx)
        .await?;
    Ok(())
}

/// Removes the entries of these invitations from the queue.
pub async fn remove(tx: &mut AnyConnection, invitations: &[InvitationId]) -> Result<()> {
    let sql = format!(
        "UPDATE call_queue SET next_at = NULL, promised_at = NULL WHERE invitation_id {}",
        Engine::of_connection(tx).in_list(1, ColumnType::Number)
    );
    sqlx::query(statement(sql)).bind(to_param(invitations.iter().map(|i| i.0))).execute(tx).await?;
    Ok(())
}

/// Assigns an entry to one interviewer, or back to all; a current lease is not affected. Returns
/// false if no call is planned.
pub async fn assign(
    tx: &mut AnyConnection,
    invitation: InvitationId,
    to: Option<AccountId>,
) -> Result<bool> {
    let sql =
        "UPDATE call_queue SET assigned_to = $2 WHERE invitation_id = $1 AND next_at IS NOT NULL";
    Ok(sqlx::query(sql)
        .bind(invitation.0)
        .bind(to.map(|account| account.0))
        .execute(tx)
        .await?
        .rows_affected()
        == 1)
}

/// Returns the cases of people as `APPLICATION/PSEUDONYM`, for pages that show no names.
pub async fn cases_of(
    connection: &mut AnyConnection,
    invitations: &[InvitationId],
) -> Result<Vec<(InvitationId, String)>> {
    let engine = Engine::of_connection(connection);
    let sql = format!(
        "SELECT c.invitation_id, {} FROM survey_case c JOIN application a ON a.id = \
            c.application_id WHERE c.invitation_id {} GROUP BY c.invitation_id",
        engine.concatenated("a.code || '/' || c.pseudonym"),
        engine.in_list(1, ColumnType::Number)
    );
    let rows: Vec<(i64, String)> = sqlx::query_as(statement(sql))
        .bind(to_param(invitations.iter().map(|i| i.0)))
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(|(id, cases)| (InvitationId(id), cases)).collect())
}

/// Returns the cases of people, each with its `APPLICATION/PSEUDONYM`.
pub async fn case_list(
    connection: &mut AnyConnection,
    invitations: &[InvitationId],
) -> Result<Vec<(InvitationId, CaseId, String)>> {
    let sql = format!(
        "SELECT c.invitation_id, c.id, a.code || '/' || c.pseudonym FROM survey_case c JOIN \
            application a ON a.id = c.application_id WHERE c.invitation_id {} ORDER BY c.id",
        Engine::of_connection(connection).in_list(1, ColumnType::Number)
    );
    let rows: Vec<(i64, i64, String)> = sqlx::query_as(statement(sql))
        .bind(to_param(invitations.iter().map(|i| i.0)))
        .fetch_all(connection)
        .await?;
    let read = |(invitation, case, name)| (InvitationId(invitation), CaseId(case), name);
    Ok(rows.into_iter().map(read).collect())
}

/// Returns the earliest time after `now` at which a call may be made.
pub async fn next_after(
    connection: &mut AnyConnection,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let at: Option<i64> =
        sqlx::query_scalar("SELECT MIN(next_at) FROM call_queue WHERE next_at > $1")
            .bind(now.0)
            .fetch_one(connection)
            .await?;
    Ok(at.map(Timestamp))
}
