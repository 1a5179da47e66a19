//! The input of a forecast: results of past contacts, open cases with their remaining contacts, and
//! the history of other applications.

use std::collections::BTreeMap;

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::bulk_params::{ColumnType, to_param};
use super::dialect::{Engine, statement};
use super::messages::STEP;
use super::{Result, decode_enum};
use crate::domain::disposition::Disposition;
use crate::domain::forecast::{BINS, ContactOrdinal, ContactOutcome, ObservedCount, StepCounts};
use crate::domain::ids::{ApplicationId, InvitationId, ProgrammeId};
use crate::domain::language::Language;
use crate::domain::mode::Mode;
use crate::domain::segment::Segment;
use crate::domain::time::Timestamp;

/// Limit on other applications; the latest ones are sufficient.
const MAX_OTHER_APPLICATIONS: i64 = 200;

/// Contacts of an application with the same result after the same time.
#[derive(Debug, Clone)]
pub struct ExposureRow {
    pub step: usize,
    pub segment: Segment,
    pub outcome: ContactOutcome,
    pub hours: f64,
    pub cases: f64,
}

/// The contacts of an application's cases: messages that a gateway accepted, and the times at which
/// people were added to the call queue (for an earlier telephone step: the time of the first call).
fn contacts() -> String {
    format!(
        "
    SELECT s.id AS case_id, m.number AS step, m.submitted_at AS contacted_at FROM survey_case s
    JOIN message m ON m.invitation_id = s.invitation_id AND m.kind = {STEP} AND m.submitted_at IS \
    NOT NULL WHERE s.application_id = $1
    UNION ALL
    SELECT s.id, q.step, q.entered_at FROM survey_case s JOIN call_queue q ON q.invitation_id = \
    s.invitation_id WHERE s.application_id = $1
    UNION ALL
    SELECT s.id, p.step, MIN(p.begun_at) FROM survey_case s
    JOIN call_queue q ON q.invitation_id = s.invitation_id JOIN phone_call p ON p.invitation_id \
    = s.invitation_id AND p.step < q.step
    WHERE s.application_id = $1 GROUP BY s.id, p.step"
    )
}

/// Returns the result of each contact of an application up to the next contact, in whole hours. A
/// case whose cell filled, or whose field closed, had until then to answer and did not. A telephone contact starts when the person is added to the call queue, whenever the
/// call is made.
pub async fn exposures(
    connection: &mut AnyConnection,
    application: ApplicationId,
    now: Timestamp,
) -> Result<Vec<ExposureRow>> {
    let by_itself = Disposition::ALL
        .into_iter()
        .filter(|d| d.is_dropout())
        .map(|d| format!("'{}'", d.code()))
        .collect::<Vec<_>>()
        .join(", ");
    let sql = format!(
        "SELECT segment, step,
                CASE WHEN next_at IS NOT NULL THEN 0 WHEN disposition = \
                '{complete}' THEN 1 WHEN disposition IN ({by_itself}) THEN 2 ELSE 0 END AS outcome,
                (COALESCE(next_at, CASE WHEN disposition IN ('{complete}', \
                '{filled}', {by_itself}) THEN disposed_at END, filled_at, closed_at, $2) - \
                contacted_at)
                    / 3600000 AS hours,
                COUNT(*)
         FROM (SELECT c.segment, c.disposition, c.disposed_at, a.closed_at, m.step, \
         m.contacted_at,
                      (SELECT MIN(q.filled_at) FROM quota_cell q
                       WHERE q.application_id = c.application_id AND q.kind <> 'soft'
                         AND ((CAST(1 AS BIGINT) << CAST(q.number AS INTEGER)) & c.cell_mask) \
                         <> 0) AS filled_at,
                      LEAD(m.contacted_at) OVER (PARTITION BY c.id ORDER BY m.step) AS next_at
               FROM survey_case c
               JOIN application a ON a.id = c.application_id
               JOIN ({}) AS m ON m.case_id = c.id
               WHERE c.application_id = $1 AND c.is_sampled = 1
                 AND (c.disposition NOT IN ('{complete}', '{filled}', {by_itself}) OR \
                 m.contacted_at <= c.disposed_at)
                 AND (c.is_open = 1 OR m.contacted_at <= COALESCE(a.closed_at, c.disposed_at))) \
                 AS contact
         GROUP BY segment, step, outcome, hours ORDER BY segment, step, outcome, hours",
        contacts(),
        complete = Disposition::Complete.code(),
        filled = Disposition::QuotaFilled.code(),
    );
    let rows: Vec<(String, i64, i64, i64, i64)> = sqlx::query_as(statement(sql))
        .bind(application.0)
        .bind(now.0)
        .fetch_all(connection)
        .await?;
    let row = |(segment, step, outcome, hours, cases): (String, i64, i64, i64, i64)| ExposureRow {
        step: usize::try_from(step).unwrap_or(0),
        segment: Segment::parse(&segment),
        outcome: match outcome {
            1 => ContactOutcome::Completes,
            2 => ContactOutcome::DropsOut,
            _ => ContactOutcome::Nothing,
        },
        // The middle of the hour.
        hours: hours.max(0) as f64 + 0.5,
        cases: cases as f64,
    };
    Ok(rows.into_iter().map(row).collect())
}

/// A case that may still be completed.
#[derive(Debug, Clone)]
pub struct OpenCase {
    pub invitation: InvitationId,
    pub segment: Segment,
    pub cell_mask: i64,
    pub is_decided: bool,
    /// 0: in no replicate. A case that is not in the sample is held back with its replicate.
    pub replicate: u32,
    pub is_sampled: bool,
    /// The last and the next contact, each with its step.
    pub last: Option<(usize, Timestamp)>,
    pub next: Option<(usize, Timestamp)>,
    pub phone_hash: String,
    pub zone: Option<String>,
    pub gets_sms: bool,
    pub language: Language,
}

/// Returns the open cases under an invitation whose number reaches somebody; those of replicates are
/// in order.
pub async fn open_cases(
    connection: &mut AnyConnection,
    application: ApplicationId,
) -> Result<Vec<OpenCase>> {
    let dead = Disposition::ALL
        .into_iter()
        .filter(|d| d.is_dead_number())
        .map(|d| format!("'{}'", d.code()))
        .collect::<Vec<_>>()
        .join(", ");
    let sql = format!(
        "SELECT i.id, c.segment, c.cell_mask, c.is_quota_decided, i.replicate, c.is_sampled, \
            m.number AS message_step, m.submitted_at, q.step AS call_step, q.entered_at,
                CASE WHEN n.next_kind = {STEP} THEN n.next_number END AS next_step, n.next_at, r.phone_hash, r.zone, r.phone_kind, r.language
               FROM survey_case c
               JOIN invitation i ON i.id = c.invitation_id
               JOIN respondent r ON r.id = i.respondent_id
               JOIN next_contact n ON n.invitation_id = i.id
               LEFT JOIN call_queue q ON q.invitation_id = i.id
               LEFT JOIN message m ON m.invitation_id = i.id AND m.submitted_at IS NOT NULL
                    AND m.kind = {STEP} AND m.number = (SELECT MAX(l.number) FROM message l \
                    WHERE l.invitation_id = i.id AND l.kind = {STEP} AND l.submitted_at IS NOT NULL)
               WHERE c.application_id = $1 AND c.is_open = 1 AND c.disposition NOT IN ({dead})
               ORDER BY i.replicate, c.id"
    );
    let rows = sqlx::query(statement(sql)).bind(application.0).fetch_all(connection).await?;
    rows.iter().map(open_case).collect()
}

fn open_case(row: &AnyRow) -> Result<OpenCase> {
    // A contact: its step and its time are both set or both null.
    let contact = |step: &str, at: &str| {
        let (step, at): (Option<i64>, Option<i64>) = (row.try_get(step)?, row.try_get(at)?);
        Ok::<_, sqlx::Error>(
            step.and_then(|step| usize::try_from(step).ok()).zip(at.map(Timestamp)),
        )
    };
    let next = contact("next_step", "next_at")?;
    Ok(OpenCase {
        invitation: InvitationId(row.try_get("id")?),
        segment: Segment::parse(&row.try_get::<String, _>("segment")?),
        cell_mask: row.try_get("cell_mask")?,
        is_decided: row.try_get::<i64, _>("is_quota_decided")? == 1,
        replicate: u32::try_from(row.try_get::<i64, _>("replicate")?).unwrap_or(0),
        is_sampled: row.try_get::<i64, _>("is_sampled")? == 1,
        last: contact("message_step", "submitted_at")?.max(contact("call_step", "entered_at")?),
        next,
        phone_hash: row.try_get("phone_hash")?,
        zone: row.try_get("zone")?,
        gets_sms: row.try_get::<String, _>("phone_kind")? == "mobile",
        language: decode_enum(
            "a language",
            &row.try_get::<String, _>("language")?,
            Language::parse,
        )?,
    })
}

/// A case at the time of the launch.
#[derive(Debug, Clone)]
pub struct LaunchedCase {
    pub segment: Segment,
    pub cell_mask: i64,
    pub is_decided: bool,
    pub replicate: u32,
    /// Whether its replicate was not released at the launch.
    pub was_held_back: bool,
    /// Whether the respondent can be sent messages.
    pub can_be_sent: bool,
    pub phone_hash: String,
    pub zone: Option<String>,
    pub language: Language,
}

/// Returns all cases of an application under an invitation; those of replicates are in order.
pub async fn all_cases(
    connection: &mut AnyConnection,
    application: ApplicationId,
) -> Result<Vec<LaunchedCase>> {
    type Row = (String, i64, i64, i64, i64, String, String, Option<String>, String);
    let sql = "SELECT c.segment, c.cell_mask, c.is_quota_decided, i.replicate,
                      CASE WHEN p.number IS NOT NULL AND (p.released_at IS NULL OR p.released_at \
                      > g.launched_at) THEN 1 ELSE 0 END,
                      r.phone_kind, r.phone_hash, r.zone, r.language
               FROM survey_case c
               JOIN invitation i ON i.id = c.invitation_id
               JOIN campaign g ON g.id = i.campaign_id
               JOIN respondent r ON r.id = i.respondent_id
               LEFT JOIN replicate p ON p.campaign_id = i.campaign_id AND p.number = i.replicate
               WHERE c.application_id = $1 ORDER BY i.replicate, c.id";
    let rows: Vec<Row> = sqlx::query_as(sql).bind(application.0).fetch_all(connection).await?;
    let row = |(
        segment,
        cell_mask,
        is_decided,
        replicate,
        was_held_back,
        kind,
        phone_hash,
        zone,
        language,
    ): Row| {
        Ok(LaunchedCase {
            segment: Segment::parse(&segment),
            cell_mask,
            is_decided: is_decided == 1,
            replicate: u32::try_from(replicate).unwrap_or(0),
            was_held_back: was_held_back == 1,
            can_be_sent: kind == "mobile",
            phone_hash,
            zone,
            language: decode_enum("a language", &language, Language::parse)?,
        })
    };
    rows.into_iter().map(row).collect()
}

/// Returns the cell masks of the complete cases.
pub async fn cells_of_completes(
    connection: &mut AnyConnection,
    application: ApplicationId,
) -> Result<Vec<i64>> {
    let sql = "SELECT cell_mask FROM survey_case WHERE application_id = $1 AND disposition = $2 \
        ORDER BY id";
    Ok(sqlx::query_scalar(sql)
        .bind(application.0)
        .bind(Disposition::Complete.code())
        .fetch_all(connection)
        .await?)
}

/// Stores the history that an application provides to others, replacing the previous one.
pub async fn save_history(
    tx: &mut AnyConnection,
    application: ApplicationId,
    seen: &BTreeMap<ContactOrdinal, StepCounts>,
    delays: &BTreeMap<Mode, [f64; BINS]>,
) -> Result<()> {
    for sql in [
        "DELETE FROM response_history WHERE application_id = $1",
        "DELETE FROM response_delay WHERE application_id = $1",
    ] {
        sqlx::query(sql).bind(application.0).execute(&mut *tx).await?;
    }
    let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    for (ordinal, seen) in seen {
        sqlx::query(
            "INSERT INTO response_history (application_id, mode, step, exposed, \
            completes, dropouts) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(application.0)
        .bind(ordinal.mode.as_str())
        .bind(number(ordinal.index))
        .bind(seen.completes.exposed)
        .bind(seen.completes.occurred)
        .bind(seen.dropouts.occurred)
        .execute(&mut *tx)
        .await?;
    }
    for (mode, bins) in delays {
        for (bin, completes) in bins.iter().enumerate().filter(|(_, completes)| **completes > 0.0) {
            sqlx::query(
                "INSERT INTO response_delay (application_id, mode, bin, completes) \
                VALUES ($1, $2, $3, $4)",
            )
            .bind(application.0)
            .bind(mode.as_str())
            .bind(number(bin))
            .bind(*completes)
            .execute(&mut *tx)
            .await?;
        }
    }
    Ok(())
}

/// The history of the other applications of the programme.
pub struct LearnedHistory {
    /// The contacts of each application.
    pub seen: Vec<BTreeMap<ContactOrdinal, StepCounts>>,
    /// Delays of all their completes, by the mode of the preceding contact.
    pub delays: BTreeMap<Mode, [f64; BINS]>,
}

pub async fn history_of_others(
    connection: &mut AnyConnection,
    programme: ProgrammeId,
    except: ApplicationId,
) -> Result<LearnedHistory> {
    let sql = "SELECT a.id FROM application a JOIN applicant p ON p.id = a.applicant_id
               WHERE p.programme_id = $1 AND a.id <> $2 AND EXISTS (SELECT 1 FROM \
               response_history h WHERE h.application_id = a.id)
               ORDER BY a.id DESC LIMIT $3";
    let ids: Vec<i64> = sqlx::query_scalar(sql)
        .bind(programme.0)
        .bind(except.0)
        .bind(MAX_OTHER_APPLICATIONS)
        .fetch_all(&mut *connection)
        .await?;
    let among = Engine::of_connection(connection).in_list(1, ColumnType::Number);
    let those = to_param(ids);
    let sql = format!(
        "SELECT application_id, mode, step, exposed, completes, dropouts FROM response_history \
            WHERE application_id {among}"
    );
    let rows: Vec<(i64, String, i64, f64, f64, f64)> =
        sqlx::query_as(statement(sql)).bind(those.clone()).fetch_all(&mut *connection).await?;
    let mut by_application: BTreeMap<i64, BTreeMap<ContactOrdinal, StepCounts>> = BTreeMap::new();
    for (application, mode, index, exposed, completes, dropouts) in rows {
        let seen = |occurred| ObservedCount { exposed, occurred };
        let seen = StepCounts { completes: seen(completes), dropouts: seen(dropouts) };
        let ordinal = ContactOrdinal {
            mode: decode_enum("a mode", &mode, Mode::parse)?,
            index: usize::try_from(index).unwrap_or(0),
        };
        by_application.entry(application).or_default().insert(ordinal, seen);
    }
    let sql = format!(
        "SELECT mode, bin, SUM(completes) FROM response_delay WHERE application_id {among} GROUP \
            BY mode, bin"
    );
    let rows: Vec<(String, i64, f64)> =
        sqlx::query_as(statement(sql)).bind(those).fetch_all(connection).await?;
    let mut delays: BTreeMap<Mode, [f64; BINS]> = BTreeMap::new();
    for (mode, bin, completes) in rows {
        let bins = delays.entry(decode_enum("a mode", &mode, Mode::parse)?).or_insert([0.0; BINS]);
        if let Some(of_bin) = usize::try_from(bin).ok().and_then(|bin| bins.get_mut(bin)) {
            *of_bin = completes;
        }
    }
    Ok(LearnedHistory { seen: by_application.into_values().collect(), delays })
}
