//! Replicates of lists: which ones are in the field, and the people in the others.

use std::collections::HashMap;

use sqlx::AnyConnection;

use super::Result;
use super::bulk_params::{ColumnType, to_param};
use super::dialect::{Engine, statement};
use crate::domain::ids::{ApplicationId, CampaignId, CaseId, InvitationId};
use crate::domain::replicates::ReplicateStatus;
use crate::domain::time::Timestamp;

/// A part of the people on a list of a campaign, which several applications may share.
#[derive(Debug, Clone, Copy)]
pub struct Replicate {
    /// Unique in the campaign, from 1.
    pub number: u32,
    /// The first of the applications that share the list.
    pub application: ApplicationId,
    pub people: u32,
    pub released_at: Option<Timestamp>,
}

pub async fn add(
    tx: &mut AnyConnection,
    campaign: CampaignId,
    replicates: &[Replicate],
    review_at: Timestamp,
) -> Result<()> {
    let columns = [
        ("number", ColumnType::Number),
        ("application_id", ColumnType::Number),
        ("people", ColumnType::Number),
        ("released_at", ColumnType::Number),
    ];
    let sql = format!(
        "INSERT INTO replicate (campaign_id, number, application_id, people, released_at, \
            review_at)
         SELECT $1, v.number, v.application_id, v.people, v.released_at, $2 FROM ({}) AS v",
        Engine::of_connection(tx).select_rows(3, &columns)
    );
    let new = to_param(
        replicates
            .iter()
            .map(|r| (r.number, r.application.0, r.people, r.released_at.map(|at| at.0))),
    );
    sqlx::query(statement(sql)).bind(campaign.0).bind(review_at.0).bind(new).execute(tx).await?;
    Ok(())
}

/// Removes the cases of held-back replicates from the sample.
pub async fn hold_back(tx: &mut AnyConnection, campaign: CampaignId) -> Result<()> {
    let sql = "UPDATE survey_case SET is_sampled = 0
               WHERE invitation_id IN (SELECT i.id FROM replicate p
                                       JOIN invitation i ON i.campaign_id = p.campaign_id AND \
                                       i.replicate = p.number
                                       WHERE p.campaign_id = $1 AND p.released_at IS NULL)";
    sqlx::query(sql).bind(campaign.0).execute(tx).await?;
    Ok(())
}

/// Returns the lists in running campaigns whose held-back replicates are due for review, by the
/// first of their applications.
pub async fn due_for_review(
    connection: &mut AnyConnection,
    now: Timestamp,
) -> Result<Vec<(CampaignId, ApplicationId)>> {
    let sql = "SELECT DISTINCT p.campaign_id, p.application_id FROM replicate p JOIN campaign c \
        ON c.id = p.campaign_id AND c.state = 'running'
               WHERE p.released_at IS NULL AND p.review_at <= $1 ORDER BY p.campaign_id, \
               p.application_id";
    let rows: Vec<(i64, i64)> = sqlx::query_as(sql).bind(now.0).fetch_all(connection).await?;
    Ok(rows
        .into_iter()
        .map(|(campaign, application)| (CampaignId(campaign), ApplicationId(application)))
        .collect())
}

/// Returns when the next review is due in a running campaign.
pub async fn next_review(connection: &mut AnyConnection) -> Result<Option<Timestamp>> {
    let sql = "SELECT MIN(p.review_at) FROM replicate p JOIN campaign c ON c.id = p.campaign_id \
        AND c.state = 'running' WHERE p.released_at IS NULL";
    let at: Option<i64> = sqlx::query_scalar(sql).fetch_one(connection).await?;
    Ok(at.map(Timestamp))
}

/// Returns when the held-back replicates of an application's list are reviewed next.
pub async fn next_review_of(
    connection: &mut AnyConnection,
    application: ApplicationId,
) -> Result<Option<Timestamp>> {
    let sql = "SELECT MIN(p.review_at) FROM replicate p
               JOIN invitation i ON i.campaign_id = p.campaign_id AND i.replicate = p.number
               JOIN survey_case c ON c.invitation_id = i.id AND c.application_id = $1
               WHERE p.released_at IS NULL";
    let at: Option<i64> = sqlx::query_scalar(sql).bind(application.0).fetch_one(connection).await?;
    Ok(at.map(Timestamp))
}

pub async fn set_next_review(
    tx: &mut AnyConnection,
    campaign: CampaignId,
    first: ApplicationId,
    at: Timestamp,
) -> Result<()> {
    let sql = "UPDATE replicate SET review_at = $3 WHERE campaign_id = $1 AND application_id = \
        $2 AND released_at IS NULL";
    sqlx::query(sql).bind(campaign.0).bind(first.0).bind(at.0).execute(tx).await?;
    Ok(())
}

/// Returns the replicates of a list in order.
pub async fn of_list(
    connection: &mut AnyConnection,
    campaign: CampaignId,
    first: ApplicationId,
) -> Result<Vec<Replicate>> {
    let sql = "SELECT number, people, released_at FROM replicate WHERE campaign_id = $1 AND \
        application_id = $2 ORDER BY number";
    let rows: Vec<(i64, i64, Option<i64>)> =
        sqlx::query_as(sql).bind(campaign.0).bind(first.0).fetch_all(connection).await?;
    let replicate = |(at, people, released_at): (i64, i64, Option<i64>)| Replicate {
        number: number(at),
        application: first,
        people: number(people),
        released_at: released_at.map(Timestamp),
    };
    Ok(rows.into_iter().map(replicate).collect())
}

/// Returns the replicates of those of these cases whose list is divided.
pub async fn of_cases(
    connection: &mut AnyConnection,
    cases: &[CaseId],
) -> Result<HashMap<CaseId, u32>> {
    let sql = format!(
        "SELECT c.id, i.replicate FROM survey_case c JOIN invitation i ON i.id = c.invitation_id
         WHERE i.replicate > 0 AND c.id {}",
        Engine::of_connection(connection).in_list(1, ColumnType::Number)
    );
    let rows: Vec<(i64, i64)> = sqlx::query_as(statement(sql))
        .bind(to_param(cases.iter().map(|case| case.0)))
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(|(case, replicate)| (CaseId(case), number(replicate))).collect())
}

/// Returns the applications that share the list.
pub async fn applications_of_list(
    connection: &mut AnyConnection,
    campaign: CampaignId,
    first: ApplicationId,
) -> Result<Vec<ApplicationId>> {
    let sql = "SELECT DISTINCT c.application_id FROM replicate p
               JOIN invitation i ON i.campaign_id = p.campaign_id AND i.replicate = p.number
               JOIN survey_case c ON c.invitation_id = i.id
               WHERE p.campaign_id = $1 AND p.application_id = $2 ORDER BY c.application_id";
    let ids: Vec<i64> =
        sqlx::query_scalar(sql).bind(campaign.0).bind(first.0).fetch_all(connection).await?;
    Ok(ids.into_iter().map(ApplicationId).collect())
}

fn number(n: i64) -> u32 {
    u32::try_from(n).unwrap_or(0)
}

/// Returns the status of one application; the caller adds its target, its maturity and the
/// replicates.
pub async fn status(
    connection: &mut AnyConnection,
    application: ApplicationId,
) -> Result<ReplicateStatus> {
    let sql = "SELECT COUNT(CASE WHEN c.is_sampled = 1 THEN 1 END),
                      COUNT(CASE WHEN c.is_sampled = 1 AND c.is_open = 1 AND n.next_at IS NOT \
                      NULL THEN 1 END),
                      COUNT(CASE WHEN c.is_sampled = 0 AND (c.cell_mask & a.full_cell_mask) = 0 \
                      THEN 1 END),
                      COUNT(CASE WHEN c.disposition = '1.1' THEN 1 END)
               FROM survey_case c
               JOIN application a ON a.id = c.application_id
               LEFT JOIN next_contact n ON n.invitation_id = c.invitation_id
               WHERE c.application_id = $1";
    let (released, open, held_back, completes): (i64, i64, i64, i64) =
        sqlx::query_as(sql).bind(application.0).fetch_one(connection).await?;
    Ok(ReplicateStatus {
        released: number(released),
        open: number(open),
        held_back: number(held_back),
        completes: number(completes),
        ..ReplicateStatus::default()
    })
}

/// A person of a replicate that is to be released.
#[derive(Debug, Clone)]
pub struct HeldBackPerson {
    pub invitation: InvitationId,
    pub phone_hash: String,
    pub zone: Option<String>,
    pub is_mobile: bool,
}

pub async fn people_of(
    connection: &mut AnyConnection,
    campaign: CampaignId,
    replicate: &Replicate,
) -> Result<Vec<HeldBackPerson>> {
    let sql = "SELECT i.id, r.phone_hash, r.zone, CASE WHEN r.phone_kind = 'mobile' THEN 1 ELSE \
        0 END FROM invitation i JOIN respondent r ON r.id = i.respondent_id
               WHERE i.campaign_id = $1 AND i.replicate = $2 ORDER BY i.id";
    let rows: Vec<(i64, String, Option<String>, i64)> = sqlx::query_as(sql)
        .bind(campaign.0)
        .bind(i64::from(replicate.number))
        .fetch_all(connection)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(id, phone_hash, zone, is_mobile)| HeldBackPerson {
            invitation: InvitationId(id),
            phone_hash,
            zone,
            is_mobile: is_mobile == 1,
        })
        .collect())
}

/// Adds a replicate to the sample. Returns false if it is already in it.
pub async fn release(
    tx: &mut AnyConnection,
    campaign: CampaignId,
    replicate: &Replicate,
    people: &[HeldBackPerson],
    now: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE replicate SET released_at = $3 WHERE campaign_id = $1 AND number = $2 AND \
        released_at IS NULL";
    let done = sqlx::query(sql)
        .bind(campaign.0)
        .bind(i64::from(replicate.number))
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    let sql = format!(
        "UPDATE survey_case SET is_sampled = 1 WHERE invitation_id {}",
        Engine::of_connection(tx).in_list(1, ColumnType::Number)
    );
    sqlx::query(statement(sql))
        .bind(to_param(people.iter().map(|p| p.invitation.0)))
        .execute(tx)
        .await?;
    Ok(true)
}

/// Counts the replicates of a campaign that are in the field and held back, and the people of the
/// latter.
pub async fn count(
    connection: &mut AnyConnection,
    campaign: CampaignId,
) -> Result<(u64, u64, u64)> {
    let sql = "SELECT COUNT(released_at), COUNT(CASE WHEN released_at IS NULL THEN 1 END),
                      CAST(COALESCE(SUM(CASE WHEN released_at IS NULL THEN people END), 0) AS \
                      BIGINT) FROM replicate WHERE campaign_id = $1";
    let (released, held_back, people): (i64, i64, i64) =
        sqlx::query_as(sql).bind(campaign.0).fetch_one(connection).await?;
    let number = |n| u64::try_from(n).unwrap_or(0);
    Ok((number(released), number(held_back), number(people)))
}
