//! Invitations: one row for each respondent of a campaign. The next message of each and its time
//! are in `next_contact`.

use std::collections::{HashMap, HashSet};

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::bulk_params::{ColumnType, to_param};
use super::dialect::{Engine, statement};
use super::messages::{STAFF_ANSWER, STEP, read_slot};
use super::{DatabaseError, Result, decode_enum};
use crate::domain::category::Category;
use crate::domain::contact_plan::{MessageSlot, Upcoming};
use crate::domain::ids::{
    ApplicationId, CampaignId, CaseId, InvitationId, ProgrammeId, RespondentId,
};
use crate::domain::language::Language;
use crate::domain::subject::Subject;
use crate::domain::time::Timestamp;

#[derive(Debug, Clone)]
pub struct NewInvitation {
    pub respondent: RespondentId,
    pub link_hash: String,
    /// The first step.
    pub next_step: u32,
    /// `None`: nothing can be sent to this person, or not yet.
    pub next_at: Option<Timestamp>,
    /// The replicate of a large list that the person was drawn into; 0: in the field from the
    /// start.
    pub replicate: u32,
    pub language: Language,
}

/// Creates the invitations of a campaign and links the open cases of its applications to them.
pub async fn add(
    tx: &mut AnyConnection,
    campaign: CampaignId,
    invitations: &[NewInvitation],
    applications: &[ApplicationId],
) -> Result<()> {
    let engine = Engine::of_connection(tx);
    let sql = format!(
        "INSERT INTO invitation (campaign_id, respondent_id, token_hash, replicate, language)
         SELECT $1, v.respondent_id, v.token_hash, v.replicate, v.language FROM ({}) AS v
         RETURNING respondent_id, id",
        engine.select_rows(
            2,
            &[
                ("respondent_id", ColumnType::Number),
                ("token_hash", ColumnType::Text),
                ("replicate", ColumnType::Number),
                ("language", ColumnType::Text)
            ]
        )
    );
    let new = to_param(
        invitations
            .iter()
            .map(|new| (new.respondent.0, &new.link_hash, new.replicate, new.language.tag())),
    );
    let ids: Vec<(i64, i64)> =
        sqlx::query_as(statement(sql)).bind(campaign.0).bind(new).fetch_all(&mut *tx).await?;
    let ids: HashMap<i64, i64> = ids.into_iter().collect();
    let sql = format!(
        "INSERT INTO next_contact (invitation_id, campaign_id, next_kind, next_number, \
            resume_step, next_at) SELECT v.invitation_id, $1, {STEP}, v.next_step, v.next_step, v.next_at FROM ({}) AS v",
        engine.select_rows(
            2,
            &[
                ("invitation_id", ColumnType::Number),
                ("next_step", ColumnType::Number),
                ("next_at", ColumnType::Number)
            ]
        )
    );
    let next = to_param(
        invitations
            .iter()
            .map(|new| (ids.get(&new.respondent.0), new.next_step, new.next_at.map(|t| t.0))),
    );
    sqlx::query(statement(sql)).bind(campaign.0).bind(next).execute(&mut *tx).await?;
    let sql = format!(
        "UPDATE survey_case
         SET invitation_id = (SELECT i.id FROM invitation i WHERE i.campaign_id = $1 AND \
         i.respondent_id = survey_case.respondent_id)
         WHERE is_open = 1 AND application_id {}",
        engine.in_list(2, ColumnType::Number)
    );
    sqlx::query(statement(sql))
        .bind(campaign.0)
        .bind(to_param(applications.iter().map(|a| a.0)))
        .execute(tx)
        .await?;
    Ok(())
}

/// An invitation whose next message is due.
#[derive(Debug, Clone)]
pub struct DueInvitation {
    pub id: InvitationId,
    pub upcoming: Upcoming,
    pub phone_hash: String,
    pub phone_sealed: Vec<u8>,
    pub person_sealed: Vec<u8>,
    pub language: Language,
    pub zone: Option<String>,
    pub key_id: String,
    pub applicant_name: String,
    pub last_attempt: Option<LastAttempt>,
}

/// The last attempt at this message: the gateway that did not accept it, its response and the
/// number of attempts.
#[derive(Debug, Clone)]
pub struct LastAttempt {
    pub gateway: String,
    pub code: String,
    pub attempt_count: u32,
}

/// Lists due invitations of a campaign, the longest waiting first.
pub async fn list_due(
    connection: &mut AnyConnection,
    campaign: CampaignId,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<DueInvitation>> {
    type DueRow = (
        i64,
        i64,
        i64,
        Option<i64>,
        String,
        Vec<u8>,
        Vec<u8>,
        String,
        Option<String>,
        String,
        String,
        Option<String>,
        Option<String>,
        Option<i64>,
    );
    let sql =
        "SELECT i.id, n.next_kind, n.next_number, n.resume_step, r.phone_hash, r.phone_sealed, r.person_sealed, r.language, \
            r.zone, a.key_id, a.name, m.gateway, m.code, m.attempt_count
               FROM (SELECT invitation_id, next_kind, next_number, resume_step, next_at FROM next_contact
                     WHERE campaign_id = $1 AND next_at <= $2 ORDER BY next_at, invitation_id \
                     LIMIT $3) AS n
               JOIN invitation i ON i.id = n.invitation_id
               JOIN respondent r ON r.id = i.respondent_id
               JOIN applicant a ON a.id = r.applicant_id
               LEFT JOIN message m ON m.invitation_id = n.invitation_id AND m.kind = n.next_kind AND m.number = n.next_number
               ORDER BY n.next_at, n.invitation_id";
    let rows: Vec<DueRow> = sqlx::query_as(sql)
        .bind(campaign.0)
        .bind(now.0)
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await?;
    rows.into_iter()
        .map(
            |(
                id,
                kind,
                number,
                resume_step,
                phone_hash,
                phone_sealed,
                person_sealed,
                language,
                zone,
                key_id,
                applicant_name,
                gateway,
                code,
                attempt_count,
            )| {
                Ok(DueInvitation {
                    id: InvitationId(id),
                    upcoming: read_upcoming(kind, number, resume_step)?,
                    phone_hash,
                    phone_sealed,
                    person_sealed,
                    language: decode_enum("a language", &language, Language::parse)?,
                    zone,
                    key_id,
                    applicant_name,
                    last_attempt: gateway.map(|gateway| LastAttempt {
                        gateway,
                        code: code.unwrap_or_default(),
                        attempt_count: attempt_count
                            .and_then(|attempt_count| u32::try_from(attempt_count).ok())
                            .unwrap_or(0),
                    }),
                })
            },
        )
        .collect()
}

/// Locks invitations to the end of the transaction: those that are still due with the message with
/// which they were read, and that are not locked by others.
pub async fn lock_due(
    tx: &mut AnyConnection,
    engine: Engine,
    seen: &[(InvitationId, MessageSlot)],
    now: Timestamp,
) -> Result<HashSet<InvitationId>> {
    let those = format!(
        "FROM next_contact WHERE invitation_id {} AND next_at <= $2",
        engine.in_list(1, ColumnType::Number)
    );
    let ids = to_param(seen.iter().map(|(id, _)| id.0));
    // Nearly always all of them are unchanged and have the same slot; a count and the extremes
    // confirm it.
    let counted = format!(
        "SELECT COUNT(*), MIN(next_kind), MAX(next_kind), MIN(next_number), MAX(next_number) \
            FROM (SELECT next_kind, next_number {those}{}) AS taken",
        engine.skip_locked()
    );
    type Counted = (i64, Option<i64>, Option<i64>, Option<i64>, Option<i64>);
    let (count, first_kind, last_kind, first, last): Counted = sqlx::query_as(statement(counted))
        .bind(ids.clone())
        .bind(now.0)
        .fetch_one(&mut *tx)
        .await?;
    let is_as_seen = |slot: MessageSlot| {
        Some(i64::from(slot.number)) == first && Some(slot.kind.code()) == first_kind
    };
    let is_uniform = first == last && first_kind == last_kind;
    if count == seen.len() as i64 && is_uniform && seen.iter().all(|(_, slot)| is_as_seen(*slot)) {
        return Ok(seen.iter().map(|(id, _)| *id).collect());
    }
    let listed = statement(format!(
        "SELECT invitation_id, next_kind, next_number {those}{}",
        engine.skip_locked()
    ));
    let rows: Vec<(i64, i64, i64)> =
        sqlx::query_as(listed).bind(ids).bind(now.0).fetch_all(tx).await?;
    let slots: HashMap<InvitationId, MessageSlot> = seen.iter().copied().collect();
    let mut taken = HashSet::new();
    for (id, kind, number) in rows {
        if slots.get(&InvitationId(id)) == Some(&read_slot(kind, number)?) {
            taken.insert(InvitationId(id));
        }
    }
    Ok(taken)
}

/// Returns which of these invitations may be sent a message now (invariant I2): the campaign runs,
/// a case is open in the field with room in its cells, and the number is not suppressed. The caller
/// checks contact hours.
pub async fn filter_sendable(
    connection: &mut AnyConnection,
    invitations: &[InvitationId],
    programme: &str,
    now: Timestamp,
) -> Result<HashSet<InvitationId>> {
    const ALLOWED: &str = "FROM invitation i
             JOIN respondent r ON r.id = i.respondent_id
             JOIN campaign k ON k.id = i.campaign_id AND k.state = 'running'
             WHERE (SELECT COUNT(*) FROM suppression s
                    WHERE s.phone_hash = r.phone_hash AND s.scope IN ('all', $1) AND \
                    (s.expires_at IS NULL OR s.expires_at > $2)) = 0
               AND (SELECT COUNT(*) FROM survey_case c JOIN application a ON a.id = \
               c.application_id AND a.state = 'in_field' AND a.field_closes_at > $2 AND \
               a.held_since IS NULL
                    WHERE c.invitation_id = i.id AND c.is_open = 1 AND (c.cell_mask & \
                    a.full_cell_mask) = 0) > 0
               AND i.id";
    let among = Engine::of_connection(connection).in_list(3, ColumnType::Number);
    let ids = to_param(invitations.iter().map(|invitation| invitation.0));
    // Nearly always all of them may be sent; one figure confirms it.
    let counted = statement(format!("SELECT COUNT(*) {ALLOWED} {among}"));
    let count: i64 = sqlx::query_scalar(counted)
        .bind(programme.to_owned())
        .bind(now.0)
        .bind(ids.clone())
        .fetch_one(&mut *connection)
        .await?;
    if count == invitations.len() as i64 {
        return Ok(invitations.iter().copied().collect());
    }
    let listed = statement(format!("SELECT i.id {ALLOWED} {among}"));
    let allowed: Vec<i64> = sqlx::query_scalar(listed)
        .bind(programme.to_owned())
        .bind(now.0)
        .bind(ids)
        .fetch_all(connection)
        .await?;
    Ok(allowed.into_iter().map(InvitationId).collect())
}

/// Returns which of these people the staff may answer now: their number is not suppressed and the
/// campaign runs (invariant I2, for messages that need no open case).
pub async fn filter_answerable(
    connection: &mut AnyConnection,
    invitations: &[InvitationId],
    programme: &str,
    now: Timestamp,
) -> Result<HashSet<InvitationId>> {
    let sql = format!(
        "SELECT i.id FROM invitation i
         JOIN respondent r ON r.id = i.respondent_id
         JOIN campaign k ON k.id = i.campaign_id AND k.state = 'running'
         WHERE (SELECT COUNT(*) FROM suppression s
                WHERE s.phone_hash = r.phone_hash AND s.scope IN ('all', $1) AND \
                (s.expires_at IS NULL OR s.expires_at > $2)) = 0
           AND i.id {}",
        Engine::of_connection(connection).in_list(3, ColumnType::Number)
    );
    let allowed: Vec<i64> = sqlx::query_scalar(statement(sql))
        .bind(programme.to_owned())
        .bind(now.0)
        .bind(to_param(invitations.iter().map(|invitation| invitation.0)))
        .fetch_all(connection)
        .await?;
    Ok(allowed.into_iter().map(InvitationId).collect())
}

/// A case of an invitation.
#[derive(Debug, Clone)]
pub struct InvitedCase {
    pub id: CaseId,
    pub invitation: InvitationId,
    pub subject: Subject,
    pub field_closes_at: Timestamp,
    pub is_open: bool,
    pub in_field: bool,
    /// Whether its application is on hold and nothing is sent for it.
    pub is_held: bool,
    /// Its cells that have reached their targets: bit `n` for cell `n`.
    pub full_cell_mask: i64,
}

/// Returns the cases of these invitations in the order in which they are asked.
pub async fn cases_of(
    connection: &mut AnyConnection,
    invitations: &[InvitationId],
) -> Result<Vec<InvitedCase>> {
    let sql = format!(
        "SELECT c.id, c.invitation_id, a.category, a.subject, a.field_closes_at,
                c.is_open, a.state, a.held_since, c.cell_mask & a.full_cell_mask AS full_cell_mask
         FROM survey_case c JOIN application a ON a.id = c.application_id
         WHERE c.invitation_id {} ORDER BY c.invitation_id, a.code",
        Engine::of_connection(connection).in_list(1, ColumnType::Number)
    );
    let rows = sqlx::query(statement(sql))
        .bind(to_param(invitations.iter().map(|invitation| invitation.0)))
        .fetch_all(connection)
        .await?;
    let case = |row: AnyRow| {
        let unreadable = |e: String| DatabaseError::Unreadable { what: "a subject", value: e };
        let category =
            decode_enum("a category", &row.try_get::<String, _>("category")?, Category::parse)?;
        let fields = serde_json::from_str(&row.try_get::<String, _>("subject")?)
            .map_err(|e| unreadable(e.to_string()))?;
        Ok(InvitedCase {
            id: CaseId(row.try_get("id")?),
            invitation: InvitationId(row.try_get("invitation_id")?),
            subject: Subject::parse(category, &fields).map_err(|e| unreadable(e.to_string()))?,
            field_closes_at: Timestamp(
                row.try_get::<Option<i64>, _>("field_closes_at")?.unwrap_or(0),
            ),
            is_open: row.try_get::<i64, _>("is_open")? == 1,
            in_field: row.try_get::<String, _>("state")? == "in_field",
            is_held: row.try_get::<Option<i64>, _>("held_since")?.is_some(),
            full_cell_mask: row.try_get("full_cell_mask")?,
        })
    };
    rows.into_iter().map(case).collect()
}

/// The next message of an invitation.
#[derive(Debug, Clone, Copy)]
pub struct NextContact {
    pub id: InvitationId,
    pub upcoming: Upcoming,
    /// `None`: nothing more is planned.
    pub at: Option<Timestamp>,
}

pub async fn set_next_contacts(tx: &mut AnyConnection, next: &[NextContact]) -> Result<()> {
    if next.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "UPDATE next_contact SET next_kind = v.next_kind, next_number = v.next_number, \
            resume_step = v.resume_step, next_at = v.next_at FROM ({}) AS v \
            WHERE next_contact.invitation_id = v.invitation_id",
        Engine::of_connection(tx).select_rows(
            1,
            &[
                ("invitation_id", ColumnType::Number),
                ("next_kind", ColumnType::Number),
                ("next_number", ColumnType::Number),
                ("resume_step", ColumnType::Number),
                ("next_at", ColumnType::Number)
            ]
        )
    );
    sqlx::query(statement(sql))
        .bind(to_param(next.iter().map(|n| {
            let Upcoming { slot, resume_step } = n.upcoming;
            (n.id.0, slot.kind.code(), slot.number, resume_step, n.at.map(|t| t.0))
        })))
        .execute(tx)
        .await?;
    Ok(())
}

/// Cancels the planned messages of these invitations.
pub async fn cancel_next_contacts(
    tx: &mut AnyConnection,
    invitations: &[InvitationId],
) -> Result<()> {
    if invitations.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "UPDATE next_contact SET next_at = NULL WHERE invitation_id {}",
        Engine::of_connection(tx).in_list(1, ColumnType::Number)
    );
    sqlx::query(statement(sql))
        .bind(to_param(invitations.iter().map(|invitation| invitation.0)))
        .execute(tx)
        .await?;
    Ok(())
}

/// What becomes of the next message when a plan ends: nothing follows, but an answer still goes out.
fn ended_plan() -> String {
    format!(
        "next_at = CASE WHEN next_kind = {STAFF_ANSWER} THEN next_at END, resume_step = CASE WHEN \
            next_kind = {STAFF_ANSWER} THEN NULL ELSE resume_step END"
    )
}

/// Ends the plans of invitations whose cases have ended. What the staff have answered still goes out.
pub async fn end_plans(tx: &mut AnyConnection, invitations: &[InvitationId]) -> Result<()> {
    if invitations.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "UPDATE next_contact SET {} WHERE invitation_id {}",
        ended_plan(),
        Engine::of_connection(tx).in_list(1, ColumnType::Number)
    );
    sqlx::query(statement(sql))
        .bind(to_param(invitations.iter().map(|invitation| invitation.0)))
        .execute(tx)
        .await?;
    Ok(())
}

/// Returns the invitations of the same person of the same applicant, this one included.
pub async fn of_same_person(
    connection: &mut AnyConnection,
    invitation: InvitationId,
) -> Result<Vec<InvitationId>> {
    let sql = "SELECT id FROM invitation WHERE respondent_id = (SELECT respondent_id FROM \
        invitation WHERE id = $1) ORDER BY id";
    let ids: Vec<i64> = sqlx::query_scalar(sql).bind(invitation.0).fetch_all(connection).await?;
    Ok(ids.into_iter().map(InvitationId).collect())
}

/// Returns the open cases of a campaign's people who are reached by fixed lines only.
pub async fn cases_on_fixed_lines(
    connection: &mut AnyConnection,
    campaign: CampaignId,
) -> Result<Vec<CaseId>> {
    let sql = "SELECT c.id FROM invitation i JOIN respondent r ON r.id = i.respondent_id
               JOIN survey_case c ON c.invitation_id = i.id
               WHERE i.campaign_id = $1 AND c.is_open = 1 AND r.phone_kind = 'fixed_line'
               ORDER BY c.id";
    let ids: Vec<i64> = sqlx::query_scalar(sql).bind(campaign.0).fetch_all(connection).await?;
    Ok(ids.into_iter().map(CaseId).collect())
}

/// Plans the answer to an opt-out, or to its end, as the next message, and nothing after it.
pub async fn plan_answer(
    tx: &mut AnyConnection,
    invitation: InvitationId,
    upcoming: Upcoming,
    now: Timestamp,
) -> Result<()> {
    set_next_contacts(tx, &[NextContact { id: invitation, upcoming, at: Some(now) }]).await
}

/// Counts the people of a campaign who are invited by another campaign that is not closed, by their
/// number.
pub async fn count_in_other_campaigns(
    connection: &mut AnyConnection,
    campaign: CampaignId,
) -> Result<u64> {
    let sql = "SELECT COUNT(DISTINCT own.phone_hash) FROM invitation i
               JOIN respondent own ON own.id = i.respondent_id
               JOIN respondent same ON same.phone_hash = own.phone_hash
               JOIN invitation other ON other.respondent_id = same.id AND other.campaign_id <> $1
               JOIN campaign c ON c.id = other.campaign_id AND c.state <> 'closed'
               WHERE i.campaign_id = $1";
    let count: i64 = sqlx::query_scalar(sql).bind(campaign.0).fetch_one(connection).await?;
    Ok(count.unsigned_abs())
}

/// Cancels the planned messages of a campaign's invitations that have no open case.
pub async fn stop_without_open_case(tx: &mut AnyConnection, campaign: CampaignId) -> Result<()> {
    let sql = format!(
        "UPDATE next_contact SET {}
         WHERE campaign_id = $1 AND next_at IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM survey_case c WHERE c.invitation_id = \
           next_contact.invitation_id AND c.is_open = 1)",
        ended_plan()
    );
    sqlx::query(statement(sql)).bind(campaign.0).execute(tx).await?;
    Ok(())
}

/// Lists the invitations to a number: all of them, or those of one programme.
pub async fn list_by_phone(
    connection: &mut AnyConnection,
    phone_hash: &str,
    programme: Option<ProgrammeId>,
) -> Result<Vec<InvitationId>> {
    let sql = "SELECT i.id FROM invitation i JOIN respondent r ON r.id = i.respondent_id JOIN \
        campaign c ON c.id = i.campaign_id
               WHERE r.phone_hash = $1 AND (c.programme_id = $2 OR $2 = 0) ORDER BY i.id";
    let ids: Vec<i64> = sqlx::query_scalar(sql)
        .bind(phone_hash.to_owned())
        .bind(programme.map_or(0, |p| p.0))
        .fetch_all(connection)
        .await?;
    Ok(ids.into_iter().map(InvitationId).collect())
}

/// Returns the next message and its time, if one is planned.
pub async fn next_contact(
    connection: &mut AnyConnection,
    invitation: InvitationId,
) -> Result<Option<(MessageSlot, Timestamp)>> {
    let sql = "SELECT next_kind, next_number, next_at FROM next_contact WHERE invitation_id = $1 AND next_at \
        IS NOT NULL";
    let row: Option<(i64, i64, i64)> =
        sqlx::query_as(sql).bind(invitation.0).fetch_optional(connection).await?;
    row.map(|(kind, number, at)| Ok((read_slot(kind, number)?, Timestamp(at)))).transpose()
}

/// Returns the next message, whether or not a time is planned for it.
pub async fn upcoming(
    connection: &mut AnyConnection,
    invitation: InvitationId,
) -> Result<Upcoming> {
    let sql = "SELECT next_kind, next_number, resume_step FROM next_contact \
        WHERE invitation_id = $1";
    let row: Option<(i64, i64, Option<i64>)> =
        sqlx::query_as(sql).bind(invitation.0).fetch_optional(connection).await?;
    row.map_or(Ok(Upcoming::step(0)), |(kind, number, resume_step)| {
        read_upcoming(kind, number, resume_step)
    })
}

/// Returns when the next message of an invitation is due; `None`: nothing is planned.
pub async fn next_at(
    connection: &mut AnyConnection,
    invitation: InvitationId,
) -> Result<Option<Timestamp>> {
    let at: Option<Option<i64>> =
        sqlx::query_scalar("SELECT next_at FROM next_contact WHERE invitation_id = $1")
            .bind(invitation.0)
            .fetch_optional(connection)
            .await?;
    Ok(at.flatten().map(Timestamp))
}

/// Decodes the next message from its three columns.
pub(super) fn read_upcoming(kind: i64, number: i64, resume_step: Option<i64>) -> Result<Upcoming> {
    let resume_step = resume_step.and_then(|step| u32::try_from(step).ok());
    Ok(Upcoming { slot: read_slot(kind, number)?, resume_step })
}

/// Reschedules a step that has not been sent yet. Returns false if it was sent in the meantime.
pub async fn reschedule_step(
    tx: &mut AnyConnection,
    invitation: InvitationId,
    step: u32,
    to: Timestamp,
) -> Result<bool> {
    let sql = format!(
        "UPDATE next_contact SET next_at = $3 WHERE invitation_id = $1 AND next_kind = {STEP} \
            AND next_number = $2 AND next_at IS NOT NULL"
    );
    let done = sqlx::query(statement(sql))
        .bind(invitation.0)
        .bind(i64::from(step))
        .bind(to.0)
        .execute(tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

pub async fn mark_opened(
    tx: &mut AnyConnection,
    invitation: InvitationId,
    now: Timestamp,
) -> Result<()> {
    let sql = "UPDATE invitation SET opened_at = $2 WHERE id = $1 AND opened_at IS NULL";
    sqlx::query(sql).bind(invitation.0).bind(now.0).execute(tx).await?;
    Ok(())
}

/// Returns the earliest planned time after `now` in a running campaign.
pub async fn next_due_after(
    connection: &mut AnyConnection,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let sql = "SELECT MIN((SELECT MIN(n.next_at) FROM next_contact n WHERE n.campaign_id = c.id \
        AND n.next_at > $1)) FROM campaign c WHERE c.state = 'running'";
    let at: Option<i64> = sqlx::query_scalar(sql).bind(now.0).fetch_one(connection).await?;
    Ok(at.map(Timestamp))
}

/// The progress of an application's invitations.
#[derive(Debug, Clone, Copy, Default)]
pub struct Funnel {
    pub names: u64,
    pub invited: u64,
    pub delivered: u64,
    pub opened: u64,
    pub in_doubt: u64,
}

/// Counts the persons of one application: listed, invited (a gateway accepted or may have accepted
/// a message), delivered, opened.
pub async fn funnel(connection: &mut AnyConnection, application: ApplicationId) -> Result<Funnel> {
    let sql = "SELECT COUNT(*),
                      COUNT(CASE WHEN EXISTS (SELECT 1 FROM message m WHERE m.invitation_id = \
                      c.invitation_id
                                              AND m.state IN ('accepted', 'delivered', \
                                              'undelivered', 'in_doubt')) THEN 1 END),
                      COUNT(CASE WHEN EXISTS (SELECT 1 FROM message m WHERE m.invitation_id = \
                      c.invitation_id AND m.state = 'delivered') THEN 1 END),
                      COUNT(CASE WHEN EXISTS (SELECT 1 FROM invitation i WHERE i.id = \
                      c.invitation_id AND i.opened_at IS NOT NULL) THEN 1 END),
                      COUNT(CASE WHEN EXISTS (SELECT 1 FROM message m WHERE m.invitation_id = \
                      c.invitation_id AND m.state = 'in_doubt') THEN 1 END)
               FROM survey_case c WHERE c.application_id = $1";
    let (names, invited, delivered, opened, in_doubt): (i64, i64, i64, i64, i64) =
        sqlx::query_as(sql).bind(application.0).fetch_one(connection).await?;
    let number = |n| u64::try_from(n).unwrap_or(0);
    Ok(Funnel {
        names: number(names),
        invited: number(invited),
        delivered: number(delivered),
        opened: number(opened),
        in_doubt: number(in_doubt),
    })
}
