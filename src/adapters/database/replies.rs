//! Replies from respondents: sealed text, linked to the latest invitation of the number.

use std::collections::HashMap;

use serde_json::json;
use sqlx::AnyConnection;

use super::bulk_params::{ColumnType, to_param};
use super::dialect::{Engine, statement};
use super::{Result, events};
use crate::domain::event::EventKind;
use crate::domain::ids::{CampaignId, CaseId, InvitationId, ProgrammeId};
use crate::domain::time::Timestamp;

/// The latest invitation sent to a number, with its programme and the key that seals its data.
#[derive(Debug, Clone)]
pub struct LatestContact {
    pub invitation: InvitationId,
    pub campaign: CampaignId,
    pub programme: ProgrammeId,
    pub key_id: String,
}

pub async fn latest_contact(
    connection: &mut AnyConnection,
    phone_hash: &str,
) -> Result<Option<LatestContact>> {
    let sql = "SELECT i.id, c.id, c.programme_id, a.key_id
               FROM respondent r
               JOIN invitation i ON i.respondent_id = r.id
               JOIN message m ON m.invitation_id = i.id
               JOIN campaign c ON c.id = i.campaign_id
               JOIN applicant a ON a.id = r.applicant_id
               WHERE r.phone_hash = $1 ORDER BY m.claimed_at DESC, i.id DESC, m.number DESC LIMIT 1";
    let row: Option<(i64, i64, i64, String)> =
        sqlx::query_as(sql).bind(phone_hash.to_owned()).fetch_optional(connection).await?;
    Ok(row.map(|(invitation, campaign, programme, key_id)| LatestContact {
        invitation: InvitationId(invitation),
        campaign: CampaignId(campaign),
        programme: ProgrammeId(programme),
        key_id,
    }))
}

#[derive(Debug, Clone)]
pub struct NewReply {
    pub gateway: String,
    pub dedup_hash: String,
    pub phone_hash: String,
    pub invitation: Option<InvitationId>,
    pub meaning: &'static str,
    /// With the applicant's key if there is an invitation, else with the staff's.
    pub text_sealed: Option<Vec<u8>>,
    /// The sender's number, sealed with the staff's key, where there is no invitation.
    pub sender_sealed: Option<Vec<u8>>,
    /// Whether the sender is no number that could be read: a person must look, whatever it means.
    pub is_unmatched: bool,
}

/// Returns whether a reply is stored under this key and arrived at `since` or later.
pub async fn arrived_since(
    connection: &mut AnyConnection,
    dedup_hash: &str,
    since: Timestamp,
) -> Result<bool> {
    let sql = "SELECT COUNT(*) FROM reply WHERE dedup_hash = $1 AND received_at >= $2";
    let count: i64 = sqlx::query_scalar(sql)
        .bind(dedup_hash.to_owned())
        .bind(since.0)
        .fetch_one(connection)
        .await?;
    Ok(count > 0)
}

/// Stores a reply. Returns false if the gateway has pushed it before.
pub async fn add(tx: &mut AnyConnection, reply: &NewReply, now: Timestamp) -> Result<bool> {
    let sql = "INSERT INTO reply (gateway, dedup_hash, phone_hash, invitation_id, meaning, \
        text_sealed, received_at, sender_sealed, is_unmatched)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (dedup_hash) DO NOTHING";
    let done = sqlx::query(sql)
        .bind(reply.gateway.clone())
        .bind(reply.dedup_hash.clone())
        .bind(reply.phone_hash.clone())
        .bind(reply.invitation.map(|i| i.0))
        .bind(reply.meaning)
        .bind(reply.text_sealed.clone())
        .bind(now.0)
        .bind(reply.sender_sealed.clone())
        .bind(i64::from(reply.is_unmatched))
        .execute(&mut *tx)
        .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    if events::has_subscribers(tx, EventKind::ReplyReceived).await? {
        let sql = "SELECT r.id, c.code FROM reply r LEFT JOIN invitation i ON i.id = \
            r.invitation_id LEFT JOIN campaign c ON c.id = i.campaign_id
                   WHERE r.dedup_hash = $1";
        let (id, campaign): (i64, Option<String>) =
            sqlx::query_as(sql).bind(reply.dedup_hash.clone()).fetch_one(&mut *tx).await?;
        let data = json!({ "reply": id, "meaning": reply.meaning, "campaign": campaign });
        events::publish(tx, EventKind::ReplyReceived, &data, now).await?;
    }
    Ok(true)
}

/// Returns whether an interview has consumed this reply; `None` if there is no such reply.
pub async fn is_consumed(connection: &mut AnyConnection, dedup_hash: &str) -> Result<Option<bool>> {
    let sql =
        "SELECT CASE WHEN consumed_at IS NULL THEN 0 ELSE 1 END FROM reply WHERE dedup_hash = $1";
    let taken: Option<i64> =
        sqlx::query_scalar(sql).bind(dedup_hash.to_owned()).fetch_optional(connection).await?;
    Ok(taken.map(|taken| taken == 1))
}

/// Records that an interview has consumed a reply; it leaves the staff's inbox.
pub async fn mark_consumed(tx: &mut AnyConnection, dedup_hash: &str, now: Timestamp) -> Result<()> {
    let sql = "UPDATE reply SET consumed_at = $2, handled_at = $2 WHERE dedup_hash = $1";
    sqlx::query(sql).bind(dedup_hash.to_owned()).bind(now.0).execute(tx).await?;
    Ok(())
}

/// Records that an interview has looked at a reply and not understood it: it stays in the inbox.
pub async fn mark_not_understood(
    tx: &mut AnyConnection,
    dedup_hash: &str,
    now: Timestamp,
) -> Result<()> {
    let sql = "UPDATE reply SET consumed_at = $2 WHERE dedup_hash = $1";
    sqlx::query(sql).bind(dedup_hash.to_owned()).bind(now.0).execute(tx).await?;
    Ok(())
}

/// Changes the meaning of a reply, when more is known of it.
pub async fn set_meaning(
    tx: &mut AnyConnection,
    dedup_hash: &str,
    meaning: &'static str,
) -> Result<()> {
    let sql = "UPDATE reply SET meaning = $2 WHERE dedup_hash = $1";
    sqlx::query(sql).bind(dedup_hash.to_owned()).bind(meaning).execute(tx).await?;
    Ok(())
}

/// The replies that hold up a person's next message until somebody has read them: those that were
/// not understood.
pub const HOLDING: &str = "handled_at IS NULL AND meaning IN ('other', 'wrong_number')";

/// Returns when the earliest unread reply of each of these numbers arrived that was not
/// understood, if it arrived after `since`.
pub async fn unread_since(
    connection: &mut AnyConnection,
    phone_hashes: &[String],
    since: Timestamp,
) -> Result<HashMap<String, Timestamp>> {
    let sql = format!(
        "SELECT phone_hash, MIN(received_at) FROM reply WHERE {HOLDING} AND received_at > $1 AND \
         phone_hash {} GROUP BY phone_hash",
        Engine::of_connection(connection).in_list(2, ColumnType::Text)
    );
    let rows: Vec<(String, i64)> = sqlx::query_as(statement(sql))
        .bind(since.0)
        .bind(to_param(phone_hashes))
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(|(hash, at)| (hash, Timestamp(at))).collect())
}

/// Counts the replies that hold somebody up and arrived at `before` or earlier.
pub async fn count_unread(connection: &mut AnyConnection, before: Timestamp) -> Result<u64> {
    let sql =
        statement(format!("SELECT COUNT(*) FROM reply WHERE {HOLDING} AND received_at <= $1"));
    let count: i64 = sqlx::query_scalar(sql).bind(before.0).fetch_one(connection).await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Deletes what came from numbers that were never written to, and the parts of long replies.
pub async fn delete_strangers(
    tx: &mut AnyConnection,
    before: Timestamp,
    parts_before: Timestamp,
) -> Result<u64> {
    let sql = "DELETE FROM reply WHERE invitation_id IS NULL AND sender_sealed IS NOT NULL AND \
        received_at < $1 AND handled_at IS NOT NULL";
    let replies = sqlx::query(sql).bind(before.0).execute(&mut *tx).await?.rows_affected();
    let sql = "DELETE FROM reply_part WHERE taken_at < $1";
    Ok(replies + sqlx::query(sql).bind(parts_before.0).execute(tx).await?.rows_affected())
}

/// A reply in the staff's inbox; its sealed text is read separately.
#[derive(Debug, Clone)]
pub struct InboxEntry {
    pub id: i64,
    pub meaning: String,
    /// Whether it came from a number that we have never written to, or that cannot be read.
    pub is_stranger: bool,
    pub received_at: Timestamp,
    pub handled_at: Option<Timestamp>,
    pub campaign: Option<String>,
    pub invitation: Option<InvitationId>,
    /// The account that takes care of it.
    pub assigned_to: Option<String>,
    /// The person's cases, each with its id, as `APPLICATION/PSEUDONYM`.
    pub cases: Vec<(CaseId, String)>,
}

/// Lists the replies that need attention: those of one meaning, or all but opt-outs that have been
/// carried out; those that were not understood first, as they hold up a message, then the oldest.
pub async fn inbox(
    connection: &mut AnyConnection,
    meaning: Option<&str>,
    with_handled: bool,
) -> Result<Vec<InboxEntry>> {
    select(connection, meaning, with_handled, None).await
}

/// Returns a reply, dealt with or not.
pub async fn find(connection: &mut AnyConnection, id: i64) -> Result<Option<InboxEntry>> {
    Ok(select(connection, None, true, Some(id)).await?.pop())
}

async fn select(
    connection: &mut AnyConnection,
    meaning: Option<&str>,
    with_handled: bool,
    id: Option<i64>,
) -> Result<Vec<InboxEntry>> {
    type Row = (
        i64,
        String,
        i64,
        Option<i64>,
        Option<i64>,
        Option<String>,
        Option<String>,
        Option<String>,
    );
    let sql = format!(
        "SELECT r.id, r.meaning, r.received_at, r.handled_at, r.invitation_id, k.code, r.assigned_to,
                (SELECT {} FROM survey_case c JOIN application a ON a.id = c.application_id \
                WHERE c.invitation_id = i.id)
         FROM reply r LEFT JOIN invitation i ON i.id = r.invitation_id LEFT JOIN campaign k ON \
         k.id = i.campaign_id
         WHERE (r.meaning = $1 OR ($1 = '' AND (r.meaning <> 'opt_out' OR r.is_unmatched = 1 OR $3 <> 0))) \
         AND (r.handled_at IS NULL OR $2 = 1) AND ($3 = 0 OR r.id = $3)
         ORDER BY CASE WHEN r.meaning IN ('other', 'wrong_number') THEN 0 ELSE 1 END, \
         r.received_at, r.id",
        Engine::of_connection(connection).concatenated("c.id || ':' || a.code || '/' || c.pseudonym")
    );
    let rows: Vec<Row> = sqlx::query_as(statement(sql))
        .bind(meaning.unwrap_or_default().to_owned())
        .bind(i64::from(with_handled))
        .bind(id.unwrap_or_default())
        .fetch_all(connection)
        .await?;
    let case = |text: &str| {
        let (id, name) = text.split_once(':')?;
        Some((CaseId(id.parse().ok()?), name.to_owned()))
    };
    let entry =
        |(id, meaning, at, handled, invitation, campaign, assigned_to, cases): Row| InboxEntry {
            id,
            meaning,
            is_stranger: invitation.is_none(),
            received_at: Timestamp(at),
            handled_at: handled.map(Timestamp),
            campaign,
            invitation: invitation.map(InvitationId),
            assigned_to,
            cases: cases.unwrap_or_default().split(", ").filter_map(case).collect(),
        };
    Ok(rows.into_iter().map(entry).collect())
}

/// The sealed content of a reply.
#[derive(Debug, Clone)]
pub struct SealedReply {
    /// `None` of a reply from a stranger before the program kept those texts.
    pub text: Option<Vec<u8>>,
    /// The key of the applicant; `None`: the staff's.
    pub key_id: Option<String>,
    /// The stranger's number, under the staff's key.
    pub sender: Option<Vec<u8>>,
}

/// Returns the sealed content of a reply.
pub async fn sealed_reply(connection: &mut AnyConnection, id: i64) -> Result<Option<SealedReply>> {
    let sql = "SELECT r.text_sealed, a.key_id, r.sender_sealed
               FROM reply r
               LEFT JOIN invitation i ON i.id = r.invitation_id
               LEFT JOIN respondent p ON p.id = i.respondent_id
               LEFT JOIN applicant a ON a.id = p.applicant_id
               WHERE r.id = $1";
    type Sealed = (Option<Vec<u8>>, Option<String>, Option<Vec<u8>>);
    let row: Option<Sealed> = sqlx::query_as(sql).bind(id).fetch_optional(connection).await?;
    Ok(row.map(|(text, key_id, sender)| SealedReply { text, key_id, sender }))
}

/// A reply of an invitation, with its sealed text.
#[derive(Debug, Clone)]
pub struct StoredReply {
    pub id: i64,
    pub meaning: String,
    pub received_at: Timestamp,
    pub text_sealed: Option<Vec<u8>>,
}

/// Lists all replies of an invitation, the earliest first.
pub async fn of_invitation(
    connection: &mut AnyConnection,
    invitation: InvitationId,
) -> Result<Vec<StoredReply>> {
    let sql = "SELECT id, meaning, received_at, text_sealed FROM reply WHERE invitation_id = $1 \
        ORDER BY received_at, id";
    let rows: Vec<(i64, String, i64, Option<Vec<u8>>)> =
        sqlx::query_as(sql).bind(invitation.0).fetch_all(connection).await?;
    let reply = |(id, meaning, at, text_sealed): (i64, String, i64, Option<Vec<u8>>)| StoredReply {
        id,
        meaning,
        received_at: Timestamp(at),
        text_sealed,
    };
    Ok(rows.into_iter().map(reply).collect())
}

/// Gives a reply to a member of the staff, or to nobody. Returns false if there is none.
pub async fn assign(tx: &mut AnyConnection, id: i64, to: Option<&str>) -> Result<bool> {
    let sql = "UPDATE reply SET assigned_to = $2 WHERE id = $1";
    let done = sqlx::query(sql).bind(id).bind(to.map(str::to_owned)).execute(tx).await?;
    Ok(done.rows_affected() == 1)
}

/// Marks a reply as handled. Returns false if there is none or if it is already handled.
pub async fn mark_handled(tx: &mut AnyConnection, id: i64, now: Timestamp) -> Result<bool> {
    let sql = "UPDATE reply SET handled_at = $2 WHERE id = $1 AND handled_at IS NULL";
    Ok(sqlx::query(sql).bind(id).bind(now.0).execute(tx).await?.rows_affected() == 1)
}

/// Counts replies by meaning.
pub async fn count_by_meaning(connection: &mut AnyConnection) -> Result<Vec<(String, i64)>> {
    Ok(sqlx::query_as("SELECT meaning, COUNT(*) FROM reply GROUP BY meaning ORDER BY meaning")
        .fetch_all(connection)
        .await?)
}

/// Counts the replies that arrived through one gateway, or on the page.
pub async fn from_gateway(connection: &mut AnyConnection, gateway: &str) -> Result<u64> {
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM reply WHERE gateway = $1")
        .bind(gateway.to_owned())
        .fetch_one(connection)
        .await?;
    Ok(u64::try_from(count).unwrap_or(0))
}
