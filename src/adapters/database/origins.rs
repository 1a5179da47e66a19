//! Where web interviews were answered, the clusters among them, and what staff decided about
//! responses.

use sqlx::AnyConnection;

use super::bulk_params::{ColumnType, to_param};
use super::dialect::{Engine, statement};
use super::{Result, WriteTx, decode_enum};
use crate::domain::disposition::Disposition;
use crate::domain::ids::{ApplicantId, ApplicationId, CaseId, RespondentId, ResponseId};
use crate::domain::origin::{Origin, PlacedInterview, SharedPlace};
use crate::domain::quality::{ResponseReview, ReviewVerdict};
use crate::domain::time::Timestamp;

/// Stores where a response was answered, in place of what was stored before.
pub async fn set(tx: &mut AnyConnection, response: ResponseId, origin: &Origin) -> Result<()> {
    let sql = "UPDATE response SET device_hash = $2, network_hash = $3 WHERE id = $1";
    sqlx::query(sql)
        .bind(response.0)
        .bind(origin.device.clone())
        .bind(origin.network.clone())
        .execute(tx)
        .await?;
    Ok(())
}

/// Returns the complete and partial web interviews of an applicant whose places are known, over all
/// its applications.
pub async fn of_applicant(
    connection: &mut AnyConnection,
    applicant: ApplicantId,
) -> Result<Vec<PlacedInterview<CaseId, RespondentId>>> {
    let sql = "SELECT c.id, c.respondent_id, r.device_hash, r.network_hash
               FROM response r JOIN survey_case c ON c.id = r.case_id
               JOIN application a ON a.id = c.application_id
               WHERE a.applicant_id = $1 AND r.device_hash IS NOT NULL AND c.withdrawn_at IS NULL
                 AND c.disposition IN ('1.1', '1.2', '2.361') ORDER BY c.id";
    let rows: Vec<(i64, i64, String, Option<String>)> =
        sqlx::query_as(sql).bind(applicant.0).fetch_all(connection).await?;
    let row = |(case, person, device, network): (i64, i64, String, Option<String>)| {
        let origin = Origin { device, network: network.unwrap_or_default() };
        PlacedInterview { case: CaseId(case), person: RespondentId(person), origin }
    };
    Ok(rows.into_iter().map(row).collect())
}

/// Returns the applicants in the field of whom somebody has finished a web interview since then.
pub async fn applicants_in_field(
    connection: &mut AnyConnection,
    since: Timestamp,
) -> Result<Vec<ApplicantId>> {
    let sql = "SELECT DISTINCT a.applicant_id FROM response r
               JOIN survey_case c ON c.id = r.case_id JOIN application a ON a.id = c.application_id
               WHERE r.device_hash IS NOT NULL AND r.completed_at >= $1 AND a.state = 'in_field'
               ORDER BY 1";
    let ids: Vec<i64> = sqlx::query_scalar(sql).bind(since.0).fetch_all(connection).await?;
    Ok(ids.into_iter().map(ApplicantId).collect())
}

/// Returns the applicants of which a cluster was found.
pub async fn applicants_with_clusters(connection: &mut AnyConnection) -> Result<Vec<ApplicantId>> {
    let sql = "SELECT DISTINCT applicant_id FROM response_cluster ORDER BY 1";
    let ids: Vec<i64> = sqlx::query_scalar(sql).fetch_all(connection).await?;
    Ok(ids.into_iter().map(ApplicantId).collect())
}

/// Returns the application of each of these cases about which nothing is decided.
pub async fn undecided(connection: &mut AnyConnection, cases: &[CaseId]) -> Result<Vec<String>> {
    let sql = format!(
        "SELECT a.code FROM survey_case c JOIN application a ON a.id = c.application_id
         WHERE NOT EXISTS (SELECT 1 FROM response_review v WHERE v.case_id = c.id AND \
         v.decided_at IS NOT NULL) AND c.id {}",
        Engine::of_connection(connection).in_list(1, ColumnType::Number)
    );
    let given = to_param(cases.iter().map(|case| case.0));
    Ok(sqlx::query_scalar(statement(sql)).bind(given).fetch_all(connection).await?)
}

/// Returns the cluster places of an applicant that were found before.
pub async fn known_places(
    connection: &mut AnyConnection,
    applicant: ApplicantId,
) -> Result<Vec<(String, String)>> {
    let sql = "SELECT shared, place_hash FROM response_cluster WHERE applicant_id = $1";
    Ok(sqlx::query_as(sql).bind(applicant.0).fetch_all(connection).await?)
}

/// Notes a cluster; `notified_at` stays empty until people are told of it. Returns whether it is
/// new.
pub async fn note_cluster(
    tx: &mut WriteTx,
    applicant: ApplicantId,
    shared: SharedPlace,
    place: &str,
    now: Timestamp,
) -> Result<bool> {
    let sql = "INSERT INTO response_cluster (applicant_id, shared, place_hash, found_at) \
        VALUES ($1, $2, $3, $4) ON CONFLICT (applicant_id, shared, place_hash) DO NOTHING";
    let added = sqlx::query(sql)
        .bind(applicant.0)
        .bind(shared.as_str())
        .bind(place.to_owned())
        .bind(now.0)
        .execute(&mut **tx)
        .await?;
    Ok(added.rows_affected() > 0)
}

/// Returns the applicants of which people were not told yet: their names, and the number of
/// clusters.
pub async fn untold_clusters(
    connection: &mut AnyConnection,
) -> Result<Vec<(ApplicantId, String, u64)>> {
    let sql = "SELECT w.id, w.name, COUNT(*) FROM response_cluster k
               JOIN applicant w ON w.id = k.applicant_id
               WHERE k.notified_at IS NULL GROUP BY w.id, w.name ORDER BY w.id";
    let rows: Vec<(i64, String, i64)> = sqlx::query_as(sql).fetch_all(connection).await?;
    let row = |(id, name, count)| (ApplicantId(id), name, u64::try_from(count).unwrap_or(0));
    Ok(rows.into_iter().map(row).collect())
}

pub async fn mark_told(tx: &mut WriteTx, now: Timestamp) -> Result<()> {
    let sql = "UPDATE response_cluster SET notified_at = $1 WHERE notified_at IS NULL";
    sqlx::query(sql).bind(now.0).execute(&mut **tx).await?;
    Ok(())
}

type ReviewRow = (i64, String, String, String, i64, Option<String>, Option<i64>, String);

fn read(row: ReviewRow) -> Result<(CaseId, ResponseReview)> {
    let (case, verdict, reason, requested_by, requested_at, decided_by, decided_at, disposition) =
        row;
    let review = ResponseReview {
        verdict: decode_enum("a verdict", &verdict, ReviewVerdict::parse)?,
        reason,
        requested_by,
        requested_at: Timestamp(requested_at),
        decided_by,
        decided_at: decided_at.map(Timestamp),
        disposition: decode_enum("a disposition", &disposition, Disposition::from_code)?,
    };
    Ok((CaseId(case), review))
}

const SELECT_REVIEW: &str = "SELECT v.case_id, v.verdict, v.reason, v.requested_by, \
    v.requested_at, v.decided_by, v.decided_at, v.disposition FROM response_review v \
    JOIN survey_case c ON c.id = v.case_id";

/// Returns what was decided about the responses of an application.
pub async fn reviews(
    connection: &mut AnyConnection,
    application: ApplicationId,
) -> Result<Vec<(CaseId, ResponseReview)>> {
    let sql = statement(format!("{SELECT_REVIEW} WHERE c.application_id = $1 ORDER BY c.id"));
    let rows: Vec<ReviewRow> =
        sqlx::query_as(sql).bind(application.0).fetch_all(connection).await?;
    rows.into_iter().map(read).collect()
}

pub async fn review(
    connection: &mut AnyConnection,
    case: CaseId,
) -> Result<Option<ResponseReview>> {
    let sql = statement(format!("{SELECT_REVIEW} WHERE c.id = $1"));
    let row: Option<ReviewRow> =
        sqlx::query_as(sql).bind(case.0).fetch_optional(connection).await?;
    row.map(|row| Ok(read(row)?.1)).transpose()
}

/// Stores a review, in place of an earlier one.
pub async fn save_review(tx: &mut WriteTx, case: CaseId, review: &ResponseReview) -> Result<()> {
    let sql = "INSERT INTO response_review (case_id, verdict, reason, requested_by, \
        requested_at, decided_by, decided_at, disposition) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (case_id) DO UPDATE SET verdict = excluded.verdict, reason = \
        excluded.reason, requested_by = excluded.requested_by, requested_at = \
        excluded.requested_at, decided_by = excluded.decided_by, decided_at = \
        excluded.decided_at, disposition = excluded.disposition";
    sqlx::query(sql)
        .bind(case.0)
        .bind(review.verdict.as_str())
        .bind(review.reason.clone())
        .bind(review.requested_by.clone())
        .bind(review.requested_at.0)
        .bind(review.decided_by.clone())
        .bind(review.decided_at.map(|at| at.0))
        .bind(review.disposition.code())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Returns whether a decision about a response of the application is newer than this.
pub async fn reviewed_since(
    connection: &mut AnyConnection,
    application: ApplicationId,
    since: Timestamp,
) -> Result<bool> {
    let sql = "SELECT COUNT(*) FROM response_review v JOIN survey_case c ON c.id = v.case_id
               WHERE c.application_id = $1 AND v.decided_at > $2";
    let count: i64 =
        sqlx::query_scalar(sql).bind(application.0).bind(since.0).fetch_one(connection).await?;
    Ok(count > 0)
}

/// Locks a case by its pseudonym. Returns its id, its cells, its disposition, and whether consent
/// was withdrawn.
pub async fn lock_case(
    tx: &mut WriteTx,
    application: ApplicationId,
    pseudonym: &str,
) -> Result<Option<(CaseId, i64, Disposition, bool)>> {
    let sql = format!(
        "SELECT id, cell_mask, disposition, withdrawn_at FROM survey_case WHERE application_id = \
            $1 AND pseudonym = $2{}",
        tx.engine().for_update()
    );
    let row: Option<(i64, i64, String, Option<i64>)> = sqlx::query_as(statement(sql))
        .bind(application.0)
        .bind(pseudonym.to_owned())
        .fetch_optional(&mut **tx)
        .await?;
    row.map(|(id, cells, disposition, withdrawn)| {
        let disposition = decode_enum("a disposition", &disposition, Disposition::from_code)?;
        Ok((CaseId(id), cells, disposition, withdrawn.is_some()))
    })
    .transpose()
}

/// Returns the times that complete responses of a questionnaire took in other applications of a
/// programme, in seconds, by mode.
pub async fn times_elsewhere(
    connection: &mut AnyConnection,
    application: ApplicationId,
) -> Result<Vec<(String, i64)>> {
    let sql = "SELECT r.mode, r.seconds FROM response r
               JOIN survey_case c ON c.id = r.case_id
               JOIN application a ON a.id = c.application_id
               JOIN applicant w ON w.id = a.applicant_id
               JOIN questionnaire q ON q.id = a.questionnaire_id
               WHERE r.completed_at IS NOT NULL AND r.seconds IS NOT NULL AND a.id <> $1
                 AND w.programme_id = (SELECT o.programme_id FROM applicant o JOIN application x \
                 ON x.applicant_id = o.id WHERE x.id = $1)
                 AND q.code = (SELECT y.code FROM questionnaire y JOIN application x ON \
                 x.questionnaire_id = y.id WHERE x.id = $1)";
    Ok(sqlx::query_as(sql).bind(application.0).fetch_all(connection).await?)
}
