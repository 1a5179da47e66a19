//! What moves an application's deadline: the fee, holds and extensions. Each change is written down with its day, its reason and who made it, in the
//! transaction that makes it.

use chrono::NaiveDate;
use serde::Serialize;

use crate::domain::deadline::{Counted, Deadline, NotBegun};
use crate::domain::time::Timestamp;
use crate::services::context::Installation;
use crate::adapters::database::application_events::{self, Event};
use crate::adapters::database::applications::{self, Application, ApplicationState};
use crate::adapters::database::{StoreError, WriteTx, programmes};

/// Holds shorter than this add no day.
const A_DAY_SECONDS: u64 = 86_400;
const MOST_DAYS: u32 = 366;

#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    #[error("no application has the code {0}; register it with «application add»")]
    UnknownApplication(String),
    #[error("application {0} is closed; its days no longer run")]
    Closed(String),
    #[error("application {0} is on hold already")]
    Held(String),
    #[error("application {0} is not on hold")]
    NotHeld(String),
    #[error("application {code} is in the field; its fee was settled on {settled} when that began")]
    FeeCounted { code: String, settled: NaiveDate },
    #[error("the reason is empty; say why, it stays with the application")]
    NoReason,
    #[error("{0} days: extend by 1 to 366 days")]
    Days(u32),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who makes a change, and why.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    pub who: &'a str,
    pub reason: &'a str,
}

/// An application's days, as they stand after a change.
#[derive(Debug, Clone, Serialize)]
pub struct Standing {
    pub application: String,
    /// The days run from here.
    pub begins: Option<NaiveDate>,
    pub certificate_due: Option<NaiveDate>,
    pub dataset_due: Option<NaiveDate>,
    pub held_since: Option<String>,
    pub extended_days: u32,
}

/// The deadline of an application; `Err`: its days do not run yet.
pub fn of(application: &Application, programme: &crate::domain::programme::Programme) -> Result<Deadline, NotBegun> {
    let day = |at: Option<Timestamp>| at.map(|at| at.date(programme.time_zone));
    let counted = Counted {
        list_received: day(application.list_received_at),
        fee_settled: day(application.fee_settled_at),
        extended_days: application.extended_days,
    };
    Deadline::of(&counted, programme)
}

/// The survey fee was settled on this day.
pub async fn settle_fee(installation: &Installation, code: &str, day: NaiveDate, who: &str) -> Result<Standing, ChangeError> {
    let (mut tx, application) = begin(installation, code).await?;
    let zone = programmes::get(&mut tx, application.programme_id).await?.time_zone;
    if let (ApplicationState::InField, Some(settled)) = (application.state, application.fee_settled_at) {
        return Err(ChangeError::FeeCounted { code: code.to_owned(), settled: settled.date(zone) });
    }
    applications::set_fee_settled(&mut tx, application.id, Timestamp::start_of_day(day, zone)).await?;
    let by = By { who, reason: &day.to_string() };
    end(installation, tx, &application, Event::FeeSettled, None, by).await
}

/// Nothing is sent for the application until it is released, and its field does not close meanwhile. People may go on answering.
pub async fn hold(installation: &Installation, code: &str, by: By<'_>) -> Result<Standing, ChangeError> {
    let (mut tx, application) = begin(installation, code).await?;
    if application.held_since.is_some() {
        return Err(ChangeError::Held(code.to_owned()));
    }
    applications::set_held(&mut tx, application.id, Some(installation.clock.now())).await?;
    end(installation, tx, &application, Event::Held, None, by).await
}

/// The hold is over; the days that it took are added, begun ones too.
pub async fn release(installation: &Installation, code: &str, by: By<'_>) -> Result<Standing, ChangeError> {
    let (mut tx, application) = begin(installation, code).await?;
    let Some(since) = application.held_since else { return Err(ChangeError::NotHeld(code.to_owned())) };
    let days = u32::try_from(installation.clock.now().since(since).as_secs().div_ceil(A_DAY_SECONDS)).unwrap_or(MOST_DAYS);
    applications::set_held(&mut tx, application.id, None).await?;
    applications::add_days(&mut tx, application.id, days).await?;
    end(installation, tx, &application, Event::Released, Some(days), by).await
}

/// Adds days to both due days.
pub async fn extend(installation: &Installation, code: &str, days: u32, by: By<'_>) -> Result<Standing, ChangeError> {
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(ChangeError::Days(days));
    }
    let (mut tx, application) = begin(installation, code).await?;
    applications::add_days(&mut tx, application.id, days).await?;
    end(installation, tx, &application, Event::Extended, Some(days), by).await
}

async fn begin(installation: &Installation, code: &str) -> Result<(WriteTx, Application), ChangeError> {
    let mut tx = installation.store.write().await?;
    let application = applications::find(&mut tx, code).await?.ok_or_else(|| ChangeError::UnknownApplication(code.to_owned()))?;
    match application.state {
        ApplicationState::Closed => Err(ChangeError::Closed(code.to_owned())),
        _ => Ok((tx, application)),
    }
}

/// Moves the field's end to where it stands now, writes the change down, and commits.
async fn end(
    installation: &Installation,
    mut tx: WriteTx,
    before: &Application,
    what: Event,
    days: Option<u32>,
    by: By<'_>,
) -> Result<Standing, ChangeError> {
    if by.reason.trim().is_empty() {
        return Err(ChangeError::NoReason);
    }
    let application = applications::get(&mut tx, before.id).await?;
    let programme = programmes::get(&mut tx, application.programme_id).await?;
    let deadline = of(&application, &programme).ok();
    if let (ApplicationState::InField, Some(deadline)) = (application.state, deadline) {
        applications::set_field_closes(&mut tx, application.id, deadline.field_closes_at(programme.time_zone)).await?;
    }
    application_events::add(&mut tx, application.id, what, days, by.reason.trim(), by.who, installation.clock.now()).await?;
    tx.commit().await?;
    Ok(Standing {
        application: application.code,
        begins: deadline.map(|deadline| deadline.begins),
        certificate_due: deadline.map(|deadline| deadline.certificate_due),
        dataset_due: deadline.map(|deadline| deadline.dataset_due),
        held_since: application.held_since.map(|at| at.rfc3339(programme.time_zone)),
        extended_days: application.extended_days,
    })
}
