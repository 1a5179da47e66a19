//! What figures of answers and of contacts are counted from.

use sqlx::AnyConnection;

use super::Result;
use super::bulk_params::{ColumnType, to_param};
use super::dialect::{Engine, statement};
use super::messages::STEP;
use crate::domain::disposition::Disposition;
use crate::domain::ids::{ApplicationId, CampaignId, ResponseId};
use crate::domain::time::Timestamp;

/// A complete of an application.
#[derive(Debug, Clone)]
pub struct CompleteRow {
    pub response: ResponseId,
    pub completed_at: Timestamp,
    pub segment: String,
    pub mode: String,
    pub language: String,
}

/// Returns the completes of an application in the order in which they were finished. Answers that
/// were withdrawn are none.
pub async fn completes(
    connection: &mut AnyConnection,
    application: ApplicationId,
) -> Result<Vec<CompleteRow>> {
    let sql = "SELECT r.id, r.completed_at, c.segment, r.mode, r.language
               FROM survey_case c JOIN response r ON r.case_id = c.id
               WHERE c.application_id = $1 AND c.disposition = $2 AND r.completed_at IS NOT NULL \
               AND c.withdrawn_at IS NULL
               ORDER BY r.completed_at, r.id";
    let rows: Vec<(i64, i64, String, String, String)> = sqlx::query_as(sql)
        .bind(application.0)
        .bind(Disposition::Complete.code())
        .fetch_all(connection)
        .await?;
    let complete = |(id, at, segment, mode, language)| CompleteRow {
        response: ResponseId(id),
        completed_at: Timestamp(at),
        segment,
        mode,
        language,
    };
    Ok(rows.into_iter().map(complete).collect())
}

/// Returns the answers of these responses that are not sealed, with their items. Open texts are
/// sealed.
pub async fn unsealed_answers(
    connection: &mut AnyConnection,
    responses: &[ResponseId],
) -> Result<Vec<(ResponseId, String, String)>> {
    let sql = format!(
        "SELECT response_id, item, value FROM answer WHERE value IS NOT NULL AND value_sealed IS \
            NULL AND response_id {}",
        Engine::of_connection(connection).in_list(1, ColumnType::Number)
    );
    let rows: Vec<(i64, String, String)> = sqlx::query_as(statement(sql))
        .bind(to_param(responses.iter().map(|response| response.0)))
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(|(id, item, value)| (ResponseId(id), item, value)).collect())
}

/// Times are counted by quarters of an hour, of which every zone's hours are made.
pub const QUARTER_MILLIS: i64 = 900_000;

fn quarter(number: i64) -> Timestamp {
    Timestamp(number * QUARTER_MILLIS)
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Counts the attempts by telephone and those in which the person was reached, by quarter of an hour.
pub async fn calls_by_quarter(
    connection: &mut AnyConnection,
    campaign: CampaignId,
) -> Result<Vec<(Timestamp, u64, u64)>> {
    let sql = format!(
        "SELECT begun_at / {QUARTER_MILLIS}, COUNT(*), CAST(SUM(is_reached) AS BIGINT)
         FROM phone_call WHERE campaign_id = $1 AND purpose = 'interview' AND is_attempt = 1
         GROUP BY begun_at / {QUARTER_MILLIS}"
    );
    let rows: Vec<(i64, i64, i64)> =
        sqlx::query_as(statement(sql)).bind(campaign.0).fetch_all(connection).await?;
    Ok(rows
        .into_iter()
        .map(|(at, all, reached)| (quarter(at), count(all), count(reached)))
        .collect())
}

/// Counts the messages of the plan that a gateway has taken, by quarter of an hour.
pub async fn messages_by_quarter(
    connection: &mut AnyConnection,
    campaign: CampaignId,
) -> Result<Vec<(Timestamp, u64)>> {
    let sql = format!(
        "SELECT m.submitted_at / {QUARTER_MILLIS}, COUNT(*)
         FROM invitation i JOIN message m ON m.invitation_id = i.id
         WHERE i.campaign_id = $1 AND m.kind = {STEP} AND m.submitted_at IS NOT NULL AND m.state \
         IN ('accepted', 'delivered', 'undelivered')
         GROUP BY m.submitted_at / {QUARTER_MILLIS}"
    );
    let rows: Vec<(i64, i64)> =
        sqlx::query_as(statement(sql)).bind(campaign.0).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(at, all)| (quarter(at), count(all))).collect())
}

/// Returns when people began to answer by themselves, each with the time of the last message of the
/// plan before; one for each person.
pub async fn first_answers(
    connection: &mut AnyConnection,
    campaign: CampaignId,
) -> Result<Vec<(Timestamp, Option<Timestamp>)>> {
    let sql = format!(
        "SELECT f.started, (SELECT MAX(m.submitted_at) FROM message m WHERE m.invitation_id = \
            f.invitation AND m.kind = {STEP} AND m.submitted_at <= f.started AND m.state IN \
            ('accepted', 'delivered', 'undelivered'))
         FROM (SELECT c.invitation_id AS invitation, MIN(r.started_at) AS started
               FROM invitation i JOIN survey_case c ON c.invitation_id = i.id JOIN response r ON \
               r.case_id = c.id
               WHERE i.campaign_id = $1 AND r.mode IN ('web', 'sms') GROUP BY c.invitation_id) f"
    );
    let rows: Vec<(i64, Option<i64>)> =
        sqlx::query_as(statement(sql)).bind(campaign.0).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(at, sent)| (Timestamp(at), sent.map(Timestamp))).collect())
}
