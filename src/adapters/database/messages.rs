//! Outgoing messages: one row for each slot of an invitation (invariant I1).

use std::collections::HashSet;

use sqlx::{AnyConnection, Row as _};

use super::bulk_params::{ColumnType, to_param};
use super::dialect::{Engine, statement};
use super::invitations::read_upcoming;
use super::{DatabaseError, Result};
use crate::adapters::crypto::invitation_of_reference;
use crate::domain::contact_plan::{MessageKind, MessageSlot, Upcoming};
use crate::domain::ids::{CampaignId, InvitationId, MessageKey};
use crate::domain::time::Timestamp;

#[derive(Debug, Clone)]
pub struct NewMessage {
    pub key: MessageKey,
    pub gateway: String,
    pub reference: String,
    pub parts: u32,
    /// In millionths of the gateway's currency.
    pub cost_micros: i64,
}

/// Marks messages as `submitting` and returns those that could be marked. A slot that already has a
/// message is skipped unless the gateway reported that it did not accept it (`deferred`).
pub async fn mark_submitting(
    tx: &mut AnyConnection,
    messages: &[NewMessage],
    now: Timestamp,
) -> Result<HashSet<MessageKey>> {
    if messages.is_empty() {
        return Ok(HashSet::new());
    }
    let columns = [
        ("invitation_id", ColumnType::Number),
        ("kind", ColumnType::Number),
        ("number", ColumnType::Number),
        ("gateway", ColumnType::Text),
        ("reference", ColumnType::Text),
        ("parts", ColumnType::Number),
        ("cost_micros", ColumnType::Number),
    ];
    let sql = format!(
        "INSERT INTO message (invitation_id, kind, number, gateway, reference, parts, cost_micros, \
            attempt_count, state, claimed_at)
         SELECT v.invitation_id, v.kind, v.number, v.gateway, v.reference, v.parts, v.cost_micros, 1, \
         'submitting', $1 FROM ({}) AS v WHERE true
         ON CONFLICT (invitation_id, kind, number) DO UPDATE
             SET state = 'submitting', attempt_count = message.attempt_count + 1, claimed_at = \
             excluded.claimed_at, gateway = excluded.gateway,
                 parts = excluded.parts, cost_micros = excluded.cost_micros, code = NULL
             WHERE message.state = 'deferred'",
        Engine::of_connection(tx).select_rows(2, &columns)
    );
    let already_sent = already_sent(tx, messages).await?;
    let new = to_param(messages.iter().map(|m| {
        (
            m.key.invitation.0,
            m.key.slot.kind.code(),
            m.key.slot.number,
            &m.gateway,
            &m.reference,
            m.parts,
            m.cost_micros,
        )
    }));
    let marked =
        sqlx::query(statement(sql)).bind(now.0).bind(new).execute(tx).await?.rows_affected();
    if marked != (messages.len() - already_sent.len()) as u64 {
        return Err(DatabaseError::ConcurrentWrite(
            "messages were marked by somebody else at the same time",
        ));
    }
    Ok(messages
        .iter()
        .map(|message| message.key)
        .filter(|key| !already_sent.contains(key))
        .collect())
}

/// Returns which of these slots have a message that must not be sent again. (Checked before
/// marking: there is nearly always none, and returning every marked row would cost more than the
/// marking.)
async fn already_sent(
    tx: &mut AnyConnection,
    messages: &[NewMessage],
) -> Result<HashSet<MessageKey>> {
    let among = Engine::of_connection(tx).in_list(1, ColumnType::Number);
    let sql = format!(
        "SELECT invitation_id, kind, number FROM message WHERE state <> 'deferred' AND invitation_id \
            {among}"
    );
    let invitations = to_param(messages.iter().map(|message| message.key.invitation.0));
    let rows: Vec<(i64, i64, i64)> =
        sqlx::query_as(statement(sql)).bind(invitations).fetch_all(tx).await?;
    let wanted: HashSet<MessageKey> = messages.iter().map(|message| message.key).collect();
    let keys = rows.into_iter().map(|(invitation, kind, number)| key(invitation, kind, number));
    Ok(keys.collect::<Result<Vec<_>>>()?.into_iter().filter(|key| wanted.contains(key)).collect())
}

fn key(invitation: i64, kind: i64, number: i64) -> Result<MessageKey> {
    Ok(MessageKey { invitation: InvitationId(invitation), slot: read_slot(kind, number)? })
}

/// The number under which steps of the plan are stored, for statements that count only them.
pub(super) const STEP: i64 = MessageKind::Step.code();
pub(super) const STAFF_ANSWER: i64 = MessageKind::StaffAnswer.code();
pub(super) const QUESTION: i64 = MessageKind::Question.code();

/// Decodes a message's slot from its two columns.
pub(super) fn read_slot(kind: i64, number: i64) -> Result<MessageSlot> {
    let kind = MessageKind::from_code(kind).ok_or_else(|| DatabaseError::Unreadable {
        what: "a kind of message",
        value: kind.to_string(),
    })?;
    Ok(MessageSlot { kind, number: u32::try_from(number).unwrap_or(u32::MAX) })
}

/// The result of a submit.
#[derive(Debug, Clone)]
pub struct Settlement {
    pub key: MessageKey,
    pub state: &'static str,
    pub gateway_message_id: Option<String>,
    pub code: Option<String>,
    pub submitted_at: Timestamp,
    /// The gateway's ids of the parts that it has accepted, in order, if it takes and confirms each
    /// by itself; then the message has no id of its own.
    pub part_ids: Vec<Option<String>>,
}

/// Stores the gateway's responses. If a receipt arrived first, only the gateway's id and the times
/// are filled in.
pub async fn settle(
    tx: &mut AnyConnection,
    settlements: &[Settlement],
    now: Timestamp,
) -> Result<()> {
    if settlements.is_empty() {
        return Ok(());
    }
    let columns = [
        ("invitation_id", ColumnType::Number),
        ("kind", ColumnType::Number),
        ("number", ColumnType::Number),
        ("state", ColumnType::Text),
        ("gateway_message_id", ColumnType::Text),
        ("code", ColumnType::Text),
        ("submitted_at", ColumnType::Number),
    ];
    let sql = format!(
        "UPDATE message SET
             state = CASE WHEN message.state IN ('submitting', 'in_doubt') THEN v.state ELSE \
             message.state END,
             gateway_message_id = COALESCE(message.gateway_message_id, v.gateway_message_id),
             code = COALESCE(message.code, v.code),
             submitted_at = v.submitted_at,
             settled_at = $1
         FROM ({}) AS v WHERE message.invitation_id = v.invitation_id AND message.kind = v.kind \
         AND message.number = v.number",
        Engine::of_connection(tx).select_rows(2, &columns)
    );
    let answered = to_param(settlements.iter().map(|s| {
        (
            s.key.invitation.0,
            s.key.slot.kind.code(),
            s.key.slot.number,
            s.state,
            &s.gateway_message_id,
            &s.code,
            s.submitted_at.0,
        )
    }));
    sqlx::query(statement(sql)).bind(now.0).bind(answered).execute(tx).await?;
    Ok(())
}

/// Reverts messages that were marked and not submitted: no gateway received them, and no attempt is
/// counted.
pub async fn release_unsent(tx: &mut AnyConnection, messages: &[MessageKey]) -> Result<()> {
    for message in messages {
        let sql = "UPDATE message SET state = 'deferred', attempt_count = attempt_count - 1, \
            code = 'withdrawn'
                   WHERE state = 'submitting' AND invitation_id = $1 AND kind = $2 AND number = $3";
        sqlx::query(sql)
            .bind(message.invitation.0)
            .bind(message.slot.kind.code())
            .bind(i64::from(message.slot.number))
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// Settles a message in doubt by the gateway's information; its submit time remains.
pub async fn settle_doubt(tx: &mut AnyConnection, settlement: &Settlement) -> Result<()> {
    let sql = "UPDATE message SET state = $2, gateway_message_id = COALESCE(gateway_message_id, \
        $3), code = $4, settled_at = $5
               WHERE invitation_id = $1 AND kind = $6 AND number = $7 AND state = 'in_doubt'";
    sqlx::query(sql)
        .bind(settlement.key.invitation.0)
        .bind(settlement.state)
        .bind(settlement.gateway_message_id.clone())
        .bind(settlement.code.clone())
        .bind(settlement.submitted_at.0)
        .bind(settlement.key.slot.kind.code())
        .bind(i64::from(settlement.key.slot.number))
        .execute(tx)
        .await?;
    Ok(())
}

/// Returns when the oldest unsettled submit was claimed, and the earliest time at which a message
/// in doubt on these gateways became in_doubt or was last queried.
pub async fn oldest_unsettled(
    connection: &mut AnyConnection,
    gateways: &[&str],
) -> Result<(Option<Timestamp>, Option<Timestamp>)> {
    let claimed: Option<i64> =
        sqlx::query_scalar("SELECT MIN(claimed_at) FROM message WHERE state = 'submitting'")
            .fetch_one(&mut *connection)
            .await?;
    if gateways.is_empty() {
        return Ok((claimed.map(Timestamp), None));
    }
    let among = Engine::of_connection(connection).in_list(1, ColumnType::Text);
    let sql =
        format!("SELECT MIN(settled_at) FROM message WHERE state = 'in_doubt' AND gateway {among}");
    let doubted: Option<i64> =
        sqlx::query_scalar(statement(sql)).bind(to_param(gateways)).fetch_one(connection).await?;
    Ok((claimed.map(Timestamp), doubted.map(Timestamp)))
}

/// Marks messages in_doubt that were claimed before `claimed_before` and have no response: the
/// daemon that submitted them is gone.
pub async fn mark_stale_in_doubt(
    tx: &mut AnyConnection,
    claimed_before: Timestamp,
    now: Timestamp,
) -> Result<u64> {
    let sql = "UPDATE message SET state = 'in_doubt', settled_at = $2, submitted_at = \
        COALESCE(submitted_at, claimed_at), code = 'no_answer'
               WHERE state = 'submitting' AND claimed_at <= $1";
    Ok(sqlx::query(sql).bind(claimed_before.0).bind(now.0).execute(tx).await?.rows_affected())
}

/// A message in doubt with its sealed number.
#[derive(Debug, Clone)]
pub struct MessageInDoubt {
    pub key: MessageKey,
    pub reference: String,
    pub gateway_message_id: Option<String>,
    pub submitted_at: Timestamp,
    pub phone_sealed: Vec<u8>,
    pub key_id: String,
}

/// Lists messages in doubt since before `settled_before`, the oldest first.
pub async fn in_doubt(
    connection: &mut AnyConnection,
    gateway: &str,
    settled_before: Timestamp,
    limit: u32,
) -> Result<Vec<MessageInDoubt>> {
    type Row = (i64, i64, i64, String, Option<String>, i64, Vec<u8>, String);
    let sql = "SELECT m.invitation_id, m.kind, m.number, m.reference, m.gateway_message_id, \
        COALESCE(m.submitted_at, m.claimed_at), r.phone_sealed, a.key_id
               FROM message m
               JOIN invitation i ON i.id = m.invitation_id
               JOIN respondent r ON r.id = i.respondent_id
               JOIN applicant a ON a.id = r.applicant_id
               WHERE m.state = 'in_doubt' AND m.gateway = $1 AND m.settled_at <= $2 ORDER BY \
               m.settled_at, m.invitation_id, m.kind, m.number LIMIT $3";
    let rows: Vec<Row> = sqlx::query_as(sql)
        .bind(gateway.to_owned())
        .bind(settled_before.0)
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await?;
    let read = |(
        invitation,
        kind,
        number,
        reference,
        gateway_message_id,
        at,
        phone_sealed,
        key_id,
    ): Row| {
        Ok(MessageInDoubt {
            key: key(invitation, kind, number)?,
            reference,
            gateway_message_id,
            submitted_at: Timestamp(at),
            phone_sealed,
            key_id,
        })
    };
    rows.into_iter().map(read).collect()
}

/// A message in doubt, as displayed to staff.
#[derive(Debug, Clone)]
pub struct DoubtSummary {
    pub reference: String,
    pub campaign: String,
    pub applications: String,
    pub slot: MessageSlot,
    pub gateway: String,
    pub code: Option<String>,
    pub submitted_at: Timestamp,
}

/// Lists messages in doubt since before `since`, the oldest first.
pub async fn list_in_doubt(
    connection: &mut AnyConnection,
    since: Timestamp,
) -> Result<Vec<DoubtSummary>> {
    type Row = (String, String, Option<String>, i64, i64, String, Option<String>, i64);
    let sql = format!(
        "SELECT m.reference, k.code,
                (SELECT {} FROM survey_case c JOIN application a ON a.id = c.application_id \
                WHERE c.invitation_id = i.id),
                m.kind, m.number, m.gateway, m.code, COALESCE(m.submitted_at, m.claimed_at)
         FROM message m JOIN invitation i ON i.id = m.invitation_id JOIN campaign k ON k.id = \
         i.campaign_id
         WHERE m.state = 'in_doubt' AND COALESCE(m.submitted_at, m.claimed_at) <= $1 ORDER BY \
         m.claimed_at, m.invitation_id, m.kind, m.number",
        Engine::of_connection(connection).concatenated("a.code")
    );
    let rows: Vec<Row> = sqlx::query_as(statement(sql)).bind(since.0).fetch_all(connection).await?;
    let summary = |(reference, campaign, applications, kind, number, gateway, code, at): Row| {
        Ok(DoubtSummary {
            reference,
            campaign,
            applications: applications.unwrap_or_default(),
            slot: read_slot(kind, number)?,
            gateway,
            code,
            submitted_at: Timestamp(at),
        })
    };
    rows.into_iter().map(summary).collect()
}

/// A message and the state of its invitation.
#[derive(Debug, Clone)]
pub struct MessageState {
    pub key: MessageKey,
    pub campaign: CampaignId,
    pub state: String,
    pub gateway: String,
    pub code: Option<String>,
    pub parts: u32,
    pub attempt_count: u32,
    pub claimed_at: Timestamp,
    pub submitted_at: Option<Timestamp>,
    pub received_at: Option<Timestamp>,
    /// The next message of the invitation.
    pub next: Upcoming,
}

impl MessageState {
    /// Returns whether the invitation has not advanced further: its next message is the step right
    /// after this one.
    pub fn is_followed_by_next(&self) -> bool {
        let step = self.key.slot.plan_step().and_then(|step| step.checked_add(1));
        step.is_some() && self.next.slot.plan_step() == step
    }
}

pub async fn find(connection: &mut AnyConnection, reference: &str) -> Result<Option<MessageState>> {
    let sql =
        "SELECT m.invitation_id, i.campaign_id, m.kind, m.number, m.state, m.gateway, m.code, m.parts, \
            m.attempt_count, m.claimed_at, m.submitted_at, m.received_at,
                      n.next_kind, n.next_number, n.resume_step
               FROM message m JOIN invitation i ON i.id = m.invitation_id JOIN next_contact n ON \
               n.invitation_id = i.id
               WHERE m.invitation_id = $1 AND m.reference = $2";
    let Some(invitation) = invitation_of_reference(reference) else { return Ok(None) };
    let row = sqlx::query(sql)
        .bind(invitation)
        .bind(reference.to_owned())
        .fetch_optional(connection)
        .await?;
    row.map(|row| {
        let small = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
        Ok(MessageState {
            key: key(row.try_get(0)?, row.try_get(2)?, row.try_get(3)?)?,
            campaign: CampaignId(row.try_get(1)?),
            state: row.try_get(4)?,
            gateway: row.try_get(5)?,
            code: row.try_get(6)?,
            parts: small(row.try_get(7)?),
            attempt_count: small(row.try_get(8)?),
            claimed_at: Timestamp(row.try_get(9)?),
            submitted_at: row.try_get::<Option<i64>, _>(10)?.map(Timestamp),
            received_at: row.try_get::<Option<i64>, _>(11)?.map(Timestamp),
            next: read_upcoming(row.try_get(12)?, row.try_get(13)?, row.try_get(14)?)?,
        })
    })
    .transpose()
}

/// Records another query about a message in doubt, so that other messages are queried next.
pub async fn record_query(
    tx: &mut AnyConnection,
    message: MessageKey,
    now: Timestamp,
) -> Result<()> {
    let sql = "UPDATE message SET settled_at = $3 WHERE state = 'in_doubt' AND invitation_id = \
        $1 AND kind = $2 AND number = $4";
    sqlx::query(sql)
        .bind(message.invitation.0)
        .bind(message.slot.kind.code())
        .bind(now.0)
        .bind(i64::from(message.slot.number))
        .execute(tx)
        .await?;
    Ok(())
}

/// Returns the times of contacts with these numbers since `since`, across all campaigns. Messages
/// that the respondent requested do not count.
pub async fn recent_contacts(
    connection: &mut AnyConnection,
    phone_hashes: &[String],
    since: Timestamp,
) -> Result<Vec<(String, Timestamp)>> {
    let sql = format!(
        // The LIMIT, which is never reached, makes the planner start with the invitations: without
        // statistics of the messages it would start with all of them.
        "SELECT theirs.phone_hash, COALESCE(m.submitted_at, m.claimed_at)
         FROM (SELECT i.id, r.phone_hash FROM respondent r JOIN invitation i ON i.respondent_id \
         = r.id
               WHERE r.phone_hash {} LIMIT 1000000) AS theirs
         JOIN message m ON m.invitation_id = theirs.id
         WHERE m.state IN ('submitting', 'in_doubt', 'accepted', 'delivered', 'undelivered') AND \
         m.claimed_at >= $2 AND m.kind = {STEP}",
        Engine::of_connection(connection).in_list(1, ColumnType::Text)
    );
    let rows: Vec<(String, i64)> = sqlx::query_as(statement(sql))
        .bind(to_param(phone_hashes))
        .bind(since.0)
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(|(hash, at)| (hash, Timestamp(at))).collect())
}

/// Counts the messages of SMS interviews.
pub async fn questions_asked(connection: &mut AnyConnection) -> Result<u64> {
    let kinds = MessageKind::ALL.into_iter().filter(|kind| kind.is_interview());
    let codes: Vec<String> = kinds.map(|kind| kind.code().to_string()).collect();
    let sql = format!(
        "SELECT COUNT(*) FROM message WHERE kind IN ({}) AND state IN \
            ('accepted', 'delivered', 'undelivered', 'in_doubt')",
        codes.join(", ")
    );
    let count: i64 = sqlx::query_scalar(statement(sql)).fetch_one(connection).await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Returns when a message was submitted; `None` if it has not been.
pub async fn submitted_at(
    connection: &mut AnyConnection,
    key: MessageKey,
) -> Result<Option<Timestamp>> {
    let sql = "SELECT submitted_at FROM message WHERE invitation_id = $1 AND kind = $2 AND number = $3 AND \
        state IN ('accepted', 'delivered', 'undelivered', 'in_doubt')";
    let at: Option<Option<i64>> = sqlx::query_scalar(sql)
        .bind(key.invitation.0)
        .bind(key.slot.kind.code())
        .bind(i64::from(key.slot.number))
        .fetch_optional(connection)
        .await?;
    Ok(at.flatten().map(Timestamp))
}

/// Returns the steps of an invitation that have been sent.
pub async fn steps_sent(
    connection: &mut AnyConnection,
    invitation: InvitationId,
) -> Result<Vec<u32>> {
    let sql = format!(
        "SELECT number FROM message WHERE invitation_id = $1 AND kind = {STEP} AND state IN \
            ('accepted', 'delivered', 'undelivered', 'in_doubt') ORDER BY number"
    );
    let steps: Vec<i64> =
        sqlx::query_scalar(statement(sql)).bind(invitation.0).fetch_all(connection).await?;
    Ok(steps.into_iter().filter_map(|step| u32::try_from(step).ok()).collect())
}

/// Counts the messages that were accepted at the second or a later attempt, by a gateway other than
/// the first.
pub async fn failed_over(connection: &mut AnyConnection) -> Result<u64> {
    let sql = "SELECT COUNT(*) FROM message m
               WHERE m.state IN ('accepted', 'delivered', 'undelivered')
                 AND EXISTS (SELECT 1 FROM gateway_log e WHERE e.invitation_id = m.invitation_id \
                 AND e.kind = m.kind AND e.number = m.number AND e.gateway <> m.gateway)";
    let count: i64 = sqlx::query_scalar(sql).fetch_one(connection).await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Counts the opt-out confirmations that a gateway has accepted.
pub async fn confirmed_opt_outs(connection: &mut AnyConnection) -> Result<u64> {
    let sql = format!(
        "SELECT COUNT(*) FROM message WHERE kind = {} AND number = 0 AND state IN ('accepted', 'delivered', \
            'undelivered', 'in_doubt')",
        MessageKind::Confirmation.code()
    );
    let count: i64 = sqlx::query_scalar(statement(sql)).fetch_one(connection).await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Counts the answers of the staff that a gateway has accepted.
pub async fn staff_answers_sent(connection: &mut AnyConnection) -> Result<u64> {
    let sql = format!(
        "SELECT COUNT(*) FROM message WHERE kind = {STAFF_ANSWER} AND state IN ('accepted', \
            'delivered', 'undelivered', 'in_doubt')"
    );
    let count: i64 = sqlx::query_scalar(statement(sql)).fetch_one(connection).await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Returns the submit times of answered messages, in UTC milliseconds. Messages of a daemon that is
/// gone are omitted, because only their claim time is known.
pub async fn submit_times(connection: &mut AnyConnection) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar(
        "SELECT submitted_at FROM message WHERE state IN ('accepted', 'delivered', \
            'undelivered', 'refused') AND submitted_at > claimed_at",
    )
    .fetch_all(connection)
    .await?)
}

/// Counts messages by state.
pub async fn count_by_state(connection: &mut AnyConnection) -> Result<Vec<(String, i64)>> {
    Ok(sqlx::query_as("SELECT state, COUNT(*) FROM message GROUP BY state ORDER BY state")
        .fetch_all(connection)
        .await?)
}

/// Returns the parts that gateways have accepted for a campaign and their cost in millionths;
/// messages in doubt count as accepted.
pub async fn cost_of_campaign(
    connection: &mut AnyConnection,
    campaign: CampaignId,
) -> Result<(i64, i64)> {
    let sql = "SELECT CAST(COALESCE(SUM(m.parts), 0) AS BIGINT), \
        CAST(COALESCE(SUM(m.cost_micros), 0) AS BIGINT)
               FROM message m JOIN invitation i ON i.id = m.invitation_id
               WHERE i.campaign_id = $1 AND m.state IN ('accepted', 'delivered', 'undelivered', \
               'in_doubt')";
    Ok(sqlx::query_as(sql).bind(campaign.0).fetch_one(connection).await?)
}
