//! What a forecast looks at: what contacts have brought, who is still open and what each will get, and what other applications teach.

use std::collections::BTreeMap;

use sqlx::AnyConnection;

use super::Result;
use super::dialect::{Engine, statement};
use super::sets::{Kind, set};
use crate::domain::contact_plan::FIRST_EXTRA_STEP;
use crate::domain::disposition::Disposition;
use crate::domain::forecast::{BINS, Outcome, Seen, StepSeen, bin_of};
use crate::domain::ids::{ApplicationId, ProgrammeId};
use crate::domain::segment::Segment;
use crate::domain::time::Timestamp;

/// Steps of plans are messages; other modes of contact follow.
const MODE: &str = "sms";
/// Among thousands of applications the latest tell enough.
const MOST_OTHERS: i64 = 200;

/// Contacts of an application that came to the same after the same time.
#[derive(Debug, Clone)]
pub struct ExposureRow {
    pub step: usize,
    pub segment: Segment,
    pub outcome: Outcome,
    pub hours: f64,
    pub cases: f64,
}

/// What each contact of an application came to until the next one, in whole hours. Who was let go because a cell was full, or only closed with the field,
/// had that long to answer and did not.
pub async fn exposures(connection: &mut AnyConnection, application: ApplicationId, now: Timestamp) -> Result<Vec<ExposureRow>> {
    let by_itself = Disposition::ALL.into_iter().filter(|d| d.leaves()).map(|d| format!("'{}'", d.code())).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "SELECT segment, step,
                CASE WHEN next_at IS NOT NULL OR is_open = 1 THEN 0 WHEN disposition = '{complete}' THEN 1 WHEN disposition IN ({by_itself}) THEN 2 ELSE 0 END AS outcome,
                (COALESCE(next_at, CASE WHEN is_open = 0 AND disposition IN ('{complete}', '{filled}', {by_itself}) THEN disposed_at END, closed_at, $2) - submitted_at)
                    / 3600000 AS hours,
                COUNT(*)
         FROM (SELECT c.segment, c.is_open, c.disposition, c.disposed_at, a.closed_at, m.step, m.submitted_at,
                      (SELECT MIN(n.submitted_at) FROM message n
                       WHERE n.invitation_id = m.invitation_id AND n.step > m.step AND n.step < $3
                         AND (c.is_open = 1 OR n.submitted_at <= COALESCE(a.closed_at, c.disposed_at))
                         AND (c.disposition NOT IN ('{complete}', '{filled}', {by_itself}) OR n.submitted_at <= c.disposed_at)) AS next_at
               FROM survey_case c
               JOIN application a ON a.id = c.application_id
               JOIN message m ON m.invitation_id = c.invitation_id AND m.step < $3 AND m.submitted_at IS NOT NULL
               WHERE c.application_id = $1 AND c.is_sampled = 1
                 AND (c.disposition NOT IN ('{complete}', '{filled}', {by_itself}) OR m.submitted_at <= c.disposed_at)) AS contact
         GROUP BY segment, step, outcome, hours ORDER BY segment, step, outcome, hours",
        complete = Disposition::Complete.code(),
        filled = Disposition::QuotaFilled.code(),
    );
    let rows: Vec<(String, i64, i64, i64, i64)> =
        sqlx::query_as(statement(sql)).bind(application.0).bind(now.0).bind(i64::from(FIRST_EXTRA_STEP)).fetch_all(connection).await?;
    let row = |(segment, step, outcome, hours, cases): (String, i64, i64, i64, i64)| ExposureRow {
        step: usize::try_from(step).unwrap_or(0),
        segment: Segment::parse(&segment),
        outcome: match outcome {
            1 => Outcome::Completes,
            2 => Outcome::Leaves,
            _ => Outcome::Nothing,
        },
        // In the middle of the hour.
        hours: hours.max(0) as f64 + 0.5,
        cases: cases as f64,
    };
    Ok(rows.into_iter().map(row).collect())
}

/// A case that may still be completed.
#[derive(Debug, Clone)]
pub struct OpenCase {
    pub segment: Segment,
    pub cells: i64,
    pub is_decided: bool,
    /// 0: in no replicate. Who is not in the sample is held back with its replicate.
    pub replicate: u32,
    pub is_sampled: bool,
    /// The last contact and the next, with their steps.
    pub last: Option<(usize, Timestamp)>,
    pub next: Option<(usize, Timestamp)>,
    pub phone_hash: String,
    pub zone: Option<String>,
}

/// Open cases under an invitation, those of replicates in their order.
pub async fn open_cases(connection: &mut AnyConnection, application: ApplicationId) -> Result<Vec<OpenCase>> {
    type Row = (String, i64, i64, i64, i64, Option<i64>, Option<i64>, i64, Option<i64>, String, Option<String>);
    let sql =
        "SELECT c.segment, c.cells, c.quota_asked, i.replicate, c.is_sampled, m.step, m.submitted_at, n.next_step, n.next_at, r.phone_hash, r.zone
               FROM survey_case c
               JOIN invitation i ON i.id = c.invitation_id
               JOIN respondent r ON r.id = i.respondent_id
               JOIN next_contact n ON n.invitation_id = i.id
               LEFT JOIN message m ON m.invitation_id = i.id AND m.submitted_at IS NOT NULL
                    AND m.step = (SELECT MAX(l.step) FROM message l WHERE l.invitation_id = i.id AND l.step < $2 AND l.submitted_at IS NOT NULL)
               WHERE c.application_id = $1 AND c.is_open = 1 ORDER BY i.replicate, c.id";
    let rows: Vec<Row> = sqlx::query_as(sql).bind(application.0).bind(i64::from(FIRST_EXTRA_STEP)).fetch_all(connection).await?;
    let number = |n: i64| usize::try_from(n).unwrap_or(0);
    let row = |(segment, cells, is_decided, replicate, is_sampled, last, last_at, next, next_at, phone_hash, zone): Row| OpenCase {
        segment: Segment::parse(&segment),
        cells,
        is_decided: is_decided == 1,
        replicate: u32::try_from(replicate).unwrap_or(0),
        is_sampled: is_sampled == 1,
        last: last.zip(last_at).map(|(step, at)| (number(step), Timestamp(at))),
        next: next_at.filter(|_| next < i64::from(FIRST_EXTRA_STEP)).map(|at| (number(next), Timestamp(at))),
        phone_hash,
        zone,
    };
    Ok(rows.into_iter().map(row).collect())
}

/// A case as it was on the day of the launch.
#[derive(Debug, Clone)]
pub struct LaunchedCase {
    pub segment: Segment,
    pub cells: i64,
    pub is_decided: bool,
    pub replicate: u32,
    /// Its replicate was not released with the launch.
    pub was_held_back: bool,
    /// There is something to send to.
    pub can_be_sent: bool,
    pub phone_hash: String,
    pub zone: Option<String>,
}

/// All cases of an application under an invitation, those of replicates in their order.
pub async fn all_cases(connection: &mut AnyConnection, application: ApplicationId) -> Result<Vec<LaunchedCase>> {
    type Row = (String, i64, i64, i64, i64, String, String, Option<String>);
    let sql = "SELECT c.segment, c.cells, c.quota_asked, i.replicate,
                      CASE WHEN p.number IS NOT NULL AND (p.released_at IS NULL OR p.released_at > g.launched_at) THEN 1 ELSE 0 END,
                      r.phone_kind, r.phone_hash, r.zone
               FROM survey_case c
               JOIN invitation i ON i.id = c.invitation_id
               JOIN campaign g ON g.id = i.campaign_id
               JOIN respondent r ON r.id = i.respondent_id
               LEFT JOIN replicate p ON p.campaign_id = i.campaign_id AND p.number = i.replicate
               WHERE c.application_id = $1 ORDER BY i.replicate, c.id";
    let rows: Vec<Row> = sqlx::query_as(sql).bind(application.0).fetch_all(connection).await?;
    let row = |(segment, cells, is_decided, replicate, was_held_back, kind, phone_hash, zone): Row| LaunchedCase {
        segment: Segment::parse(&segment),
        cells,
        is_decided: is_decided == 1,
        replicate: u32::try_from(replicate).unwrap_or(0),
        was_held_back: was_held_back == 1,
        can_be_sent: kind == "mobile",
        phone_hash,
        zone,
    };
    Ok(rows.into_iter().map(row).collect())
}

/// The cells of those who are complete.
pub async fn cells_of_completes(connection: &mut AnyConnection, application: ApplicationId) -> Result<Vec<i64>> {
    let sql = "SELECT cells FROM survey_case WHERE application_id = $1 AND disposition = $2 ORDER BY id";
    Ok(sqlx::query_scalar(sql).bind(application.0).bind(Disposition::Complete.code()).fetch_all(connection).await?)
}

/// Writes down what an application teaches others, in place of what it taught before.
pub async fn remember(
    tx: &mut AnyConnection,
    application: ApplicationId,
    steps: &BTreeMap<usize, StepSeen>,
    exposures: &[ExposureRow],
) -> Result<()> {
    for sql in ["DELETE FROM response_history WHERE application_id = $1", "DELETE FROM response_delay WHERE application_id = $1"] {
        sqlx::query(sql).bind(application.0).execute(&mut *tx).await?;
    }
    let step_of = |step: usize| i64::try_from(step).unwrap_or(i64::MAX);
    for (step, seen) in steps {
        sqlx::query("INSERT INTO response_history (application_id, mode, step, exposed, completes, leaves) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(application.0)
            .bind(MODE)
            .bind(step_of(*step))
            .bind(seen.completes.exposed)
            .bind(seen.completes.happened)
            .bind(seen.leaves.happened)
            .execute(&mut *tx)
            .await?;
    }
    let mut bins = [0.0; BINS];
    for exposure in exposures.iter().filter(|exposure| exposure.outcome == Outcome::Completes) {
        bins[bin_of(exposure.hours)] += exposure.cases;
    }
    for (bin, completes) in bins.into_iter().enumerate().filter(|(_, completes)| *completes > 0.0) {
        sqlx::query("INSERT INTO response_delay (application_id, bin, completes) VALUES ($1, $2, $3)")
            .bind(application.0)
            .bind(step_of(bin))
            .bind(completes)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// What other applications of the programme teach: of each, its steps; and the delays of all their completes.
pub async fn others(
    connection: &mut AnyConnection,
    programme: ProgrammeId,
    except: ApplicationId,
) -> Result<(Vec<BTreeMap<usize, StepSeen>>, [f64; BINS])> {
    let sql = "SELECT a.id FROM application a JOIN applicant p ON p.id = a.applicant_id
               WHERE p.programme_id = $1 AND a.id <> $2 AND EXISTS (SELECT 1 FROM response_history h WHERE h.application_id = a.id)
               ORDER BY a.id DESC LIMIT $3";
    let ids: Vec<i64> = sqlx::query_scalar(sql).bind(programme.0).bind(except.0).bind(MOST_OTHERS).fetch_all(&mut *connection).await?;
    let among = Engine::behind(connection).is_in(1, Kind::Number);
    let those = set(ids);
    let sql = format!("SELECT application_id, step, exposed, completes, leaves FROM response_history WHERE application_id {among} AND mode = $2");
    let rows: Vec<(i64, i64, f64, f64, f64)> = sqlx::query_as(statement(sql)).bind(those.clone()).bind(MODE).fetch_all(&mut *connection).await?;
    let mut steps: BTreeMap<i64, BTreeMap<usize, StepSeen>> = BTreeMap::new();
    for (application, step, exposed, completes, leaves) in rows {
        let seen = |happened| Seen { exposed, happened };
        let seen = StepSeen { completes: seen(completes), leaves: seen(leaves) };
        steps.entry(application).or_default().insert(usize::try_from(step).unwrap_or(0), seen);
    }
    let sql = format!("SELECT bin, SUM(completes) FROM response_delay WHERE application_id {among} GROUP BY bin");
    let rows: Vec<(i64, f64)> = sqlx::query_as(statement(sql)).bind(those).fetch_all(connection).await?;
    let mut bins = [0.0; BINS];
    for (bin, completes) in rows {
        if let Some(of_bin) = usize::try_from(bin).ok().and_then(|bin| bins.get_mut(bin)) {
            *of_bin = completes;
        }
    }
    Ok((steps.into_values().collect(), bins))
}
