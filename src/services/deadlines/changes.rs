//! Changes of an application's deadline: the fee, holds and extensions. Each change is recorded
//! with its day, its reason and its author, in the transaction that makes it.

use chrono::NaiveDate;
use serde::Serialize;

use crate::adapters::database::application_events::{self, ApplicationEventKind};
use crate::adapters::database::applications::{self, Application, ApplicationState};
use crate::adapters::database::{DatabaseError, WriteTx, programmes};
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;

/// A hold counts in days, each begun day in full.
const SECONDS_PER_DAY: u64 = 86_400;
const MAX_DAYS: u32 = 366;

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "deadline_change.", serialize_all = "snake_case")]
pub enum ChangeError {
    #[error("no application has the code {0}")]
    UnknownApplication(String),
    #[error("application {0} is closed; its days no longer run")]
    Closed(String),
    #[error("application {0} is on hold already")]
    AlreadyOnHold(String),
    #[error("application {0} is not on hold")]
    NotOnHold(String),
    #[error("application {code} is in the field; its fee was settled on {settled} when that began")]
    FeeAlreadyCounted { code: String, settled: NaiveDate },
    #[error("the reason is empty; say why, it stays with the application")]
    NoReason,
    #[error("{0} days: extend by 1 to 366 days")]
    Days(u32),
    #[error(transparent)]
    #[strum(transparent)]
    Database(#[from] DatabaseError),
}

/// The author of a change, and the reason.
#[derive(Debug, Clone, Copy)]
pub struct ChangedBy<'a> {
    pub actor: &'a str,
    pub reason: &'a str,
}

/// An application's due days after a change.
#[derive(Debug, Clone, Serialize)]
pub struct DeadlineStatus {
    pub application: String,
    /// The day from which the due days are counted.
    pub begins: Option<NaiveDate>,
    pub certificate_due: Option<NaiveDate>,
    pub dataset_due: Option<NaiveDate>,
    pub held_since: Option<String>,
    pub extended_days: u32,
}

/// Records the day on which the survey fee was settled.
pub async fn settle_fee(
    context: &AppContext,
    code: &str,
    day: NaiveDate,
    actor: &str,
) -> Result<DeadlineStatus, ChangeError> {
    let (mut tx, application) = begin_change(context, code).await?;
    let zone = programmes::get(&mut tx, application.programme_id).await?.time_zone;
    if let (ApplicationState::InField, Some(settled)) =
        (application.state, application.fee_settled_at)
    {
        return Err(ChangeError::FeeAlreadyCounted {
            code: code.to_owned(),
            settled: settled.date(zone),
        });
    }
    applications::set_fee_settled(&mut tx, application.id, Timestamp::start_of_day(day, zone))
        .await?;
    let by = ChangedBy { actor, reason: &day.to_string() };
    commit_change(context, tx, &application, ApplicationEventKind::FeeSettled, None, by).await
}

/// Puts an application on hold: nothing is sent for it and its field does not close until it is
/// released. Respondents may still answer.
pub async fn hold(
    context: &AppContext,
    code: &str,
    by: ChangedBy<'_>,
) -> Result<DeadlineStatus, ChangeError> {
    let (mut tx, application) = begin_change(context, code).await?;
    if application.held_since.is_some() {
        return Err(ChangeError::AlreadyOnHold(code.to_owned()));
    }
    applications::set_held(&mut tx, application.id, Some(context.clock.now())).await?;
    commit_change(context, tx, &application, ApplicationEventKind::Held, None, by).await
}

/// Ends a hold, and adds its days to the due days, each begun day in full.
pub async fn release(
    context: &AppContext,
    code: &str,
    by: ChangedBy<'_>,
) -> Result<DeadlineStatus, ChangeError> {
    let (mut tx, application) = begin_change(context, code).await?;
    let Some(since) = application.held_since else {
        return Err(ChangeError::NotOnHold(code.to_owned()));
    };
    let days = u32::try_from(context.clock.now().since(since).as_secs().div_ceil(SECONDS_PER_DAY))
        .unwrap_or(MAX_DAYS);
    applications::set_held(&mut tx, application.id, None).await?;
    applications::add_days(&mut tx, application.id, days).await?;
    commit_change(context, tx, &application, ApplicationEventKind::Released, Some(days), by).await
}

/// Adds days to both due days.
pub async fn extend(
    context: &AppContext,
    code: &str,
    days: u32,
    by: ChangedBy<'_>,
) -> Result<DeadlineStatus, ChangeError> {
    if !(1..=MAX_DAYS).contains(&days) {
        return Err(ChangeError::Days(days));
    }
    let (mut tx, application) = begin_change(context, code).await?;
    applications::add_days(&mut tx, application.id, days).await?;
    commit_change(context, tx, &application, ApplicationEventKind::Extended, Some(days), by).await
}

async fn begin_change(
    context: &AppContext,
    code: &str,
) -> Result<(WriteTx, Application), ChangeError> {
    let mut tx = context.database.write().await?;
    let application = applications::find(&mut tx, code)
        .await?
        .ok_or_else(|| ChangeError::UnknownApplication(code.to_owned()))?;
    match application.state {
        ApplicationState::Closed => Err(ChangeError::Closed(code.to_owned())),
        _ => Ok((tx, application)),
    }
}

/// Recomputes the end of the field, records the change, and commits.
async fn commit_change(
    context: &AppContext,
    mut tx: WriteTx,
    before: &Application,
    what: ApplicationEventKind,
    days: Option<u32>,
    by: ChangedBy<'_>,
) -> Result<DeadlineStatus, ChangeError> {
    if by.reason.trim().is_empty() {
        return Err(ChangeError::NoReason);
    }
    let application = applications::get(&mut tx, before.id).await?;
    let programme = programmes::get(&mut tx, application.programme_id).await?;
    let deadline = application.deadline(&programme).ok();
    if let (ApplicationState::InField, Some(deadline)) = (application.state, deadline) {
        applications::set_field_closes(
            &mut tx,
            application.id,
            deadline.field_closes_at(programme.time_zone),
        )
        .await?;
    }
    application_events::add(
        &mut tx,
        application.id,
        what,
        days,
        by.reason.trim(),
        by.actor,
        context.clock.now(),
    )
    .await?;
    tx.commit().await?;
    Ok(DeadlineStatus {
        application: application.code,
        begins: deadline.map(|deadline| deadline.begins),
        certificate_due: deadline.map(|deadline| deadline.certificate_due),
        dataset_due: deadline.map(|deadline| deadline.dataset_due),
        held_since: application.held_since.map(|at| at.rfc3339(programme.time_zone)),
        extended_days: application.extended_days,
    })
}
