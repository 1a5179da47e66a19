//! Public holidays: the years that come with the program, and those that staff enter when they are
//! announced. Campaigns follow: a plan that had nothing for the year, or what was known before, takes
//! the new days, whether it runs or is a draft.

use chrono::{Datelike, NaiveDate};
use chrono_tz::Tz;

use crate::adapters::database::holidays::{self, EnteredYear};
use crate::adapters::database::{DatabaseError, WriteTx, campaigns, drafts};
use crate::domain::audit::{Action, Actor};
use crate::domain::contact_plan::PlanFile;
use crate::domain::contact_window::Calendar;
use crate::domain::holidays::{HolidayYear, HolidaysError, announced, replace_year};
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;
use crate::services::versions::{self, ExpectedVersion, VersionConflict, version_of};

/// A year with where it comes from.
#[derive(Debug, Clone)]
pub struct KnownYear {
    pub year: HolidayYear,
    /// Who entered it and when; `None`: it came with the program.
    pub entered: Option<(String, Timestamp)>,
}

/// What saving a year has changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SavedYear {
    /// Codes of running and paused campaigns and of drafts that follow.
    pub followed: Vec<String>,
    /// Codes of those that have days of their own for that year, and keep them.
    pub left_alone: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum SaveYearError {
    #[error("{}", .0.first().map(ToString::to_string).unwrap_or_default())]
    Wrong(Vec<HolidaysError>),
    #[error(transparent)]
    Version(#[from] VersionConflict),
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Returns all years that are known, the earliest first.
pub async fn years(context: &AppContext) -> Result<Vec<KnownYear>, DatabaseError> {
    Ok(known(holidays::entered(&mut *context.database.read().await?).await?))
}

fn known(entered: Vec<EnteredYear>) -> Vec<KnownYear> {
    let shipped = announced().into_iter().filter(|y| entered.iter().all(|e| e.year.year != y.year));
    let mut all: Vec<KnownYear> = shipped.map(|year| KnownYear { year, entered: None }).collect();
    all.extend(entered.iter().map(|e| KnownYear {
        year: e.year.clone(),
        entered: Some((e.changed_by.clone(), e.changed_at)),
    }));
    all.sort_by_key(|known| known.year.year);
    all
}

/// Returns the version of a year; `None`: nobody knows it.
pub fn year_version(years: &[KnownYear], year: i32) -> Option<String> {
    let known = years.iter().find(|known| known.year.year == year)?;
    Some(version_of(&(
        year,
        &known.year.days.holidays,
        &known.year.days.workdays,
        known.entered.as_ref().map(|(who, at)| (who, at.0)),
    )))
}

/// Returns the days of all known years, for a new plan.
pub async fn calendar(context: &AppContext) -> Result<Calendar, DatabaseError> {
    let mut all = Calendar::default();
    for known in years(context).await? {
        all.holidays.extend(known.year.days.holidays);
        all.workdays.extend(known.year.days.workdays);
    }
    Ok(all)
}

/// Stores a year, if it is the expected version and all its days are right, and lets plans follow.
pub async fn save(
    context: &AppContext,
    actor: &Actor,
    year: &HolidayYear,
    expected: &ExpectedVersion,
) -> Result<SavedYear, SaveYearError> {
    year.check().map_err(SaveYearError::Wrong)?;
    let now = context.clock.now();
    let mut tx = context.database.write().await?;
    versions::hold(&mut tx, "holidays", &year.year.to_string()).await?;
    let before = known(holidays::entered(&mut tx).await?);
    expected.check(year_version(&before, year.year))?;
    let before = before.into_iter().find(|known| known.year.year == year.year);
    let before = before.map(|known| known.year);
    let saved = follow(&mut tx, before.as_ref(), year, now).await?;
    holidays::put(&mut tx, year, &actor.name, now).await?;
    let days = &year.days;
    let detail = format!(
        "{} holidays, {} make-up workdays; followed: {}",
        days.holidays.len(),
        days.workdays.len(),
        saved.followed.join(" ")
    );
    let object = format!("holidays:{}", year.year);
    context.audit_with_detail(&mut tx, actor, Action::HolidaysSaved, (&object, &detail)).await?;
    tx.commit().await?;
    Ok(saved)
}

async fn follow(
    tx: &mut WriteTx,
    before: Option<&HolidayYear>,
    year: &HolidayYear,
    now: Timestamp,
) -> Result<SavedYear, DatabaseError> {
    let mut saved = SavedYear::default();
    for campaign in campaigns::list_open(tx).await? {
        if let Some(plan) = followed(&mut saved, &campaign.code, &campaign.plan, before, year) {
            campaigns::set_plan(tx, campaign.id, &plan).await?;
        }
    }
    for mut draft in drafts::campaigns(tx).await? {
        if let Some(plan) = followed(&mut saved, &draft.code, &draft.plan, before, year) {
            draft.plan = plan;
            draft.changed_at = Timestamp(now.0.max(draft.changed_at.0 + 1));
            drafts::put_campaign(tx, &draft).await?;
        }
    }
    Ok(saved)
}

/// Returns the plan with the days of the year, if it follows them.
fn followed(
    saved: &mut SavedYear,
    code: &str,
    stored: &str,
    before: Option<&HolidayYear>,
    year: &HolidayYear,
) -> Option<String> {
    // A draft that cannot be read yet is shown so on its own page.
    let mut plan: PlanFile = serde_json::from_str(stored).ok()?;
    let mut days = plan.days();
    if replace_year(&mut days, before, year) {
        plan.set_days(&days);
        let plan = serde_json::to_string(&plan).ok()?;
        saved.followed.push(code.to_owned());
        return Some(plan);
    }
    let of_year = |all: &std::collections::BTreeSet<NaiveDate>| {
        all.iter().filter(|day| day.year() == year.year).copied().collect::<Vec<_>>()
    };
    let same = of_year(&days.holidays) == of_year(&year.days.holidays)
        && of_year(&days.workdays) == of_year(&year.days.workdays);
    if !same {
        saved.left_alone.push(code.to_owned());
    }
    None
}

/// A year that nobody has entered although campaigns collect in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingYear {
    pub year: i32,
    pub campaigns: Vec<String>,
}

/// Returns the years that running campaigns reach and nobody has entered.
pub async fn missing_years(
    context: &AppContext,
    zone: Tz,
) -> Result<Vec<MissingYear>, DatabaseError> {
    let known: Vec<i32> = years(context).await?.iter().map(|known| known.year.year).collect();
    let this_year = context.clock.now().date(zone).year();
    let first_unknown = (this_year..).find(|year| !known.contains(year)).unwrap_or(this_year);
    let Some(begins) = NaiveDate::from_ymd_opt(first_unknown, 1, 1) else { return Ok(Vec::new()) };
    let begins = Timestamp::start_of_day(begins, zone);
    let beyond = holidays::campaigns_beyond(&mut *context.database.read().await?, begins).await?;
    let last = beyond.iter().map(|(_, closes)| closes.date(zone).year()).max();
    let missing = (first_unknown..=last.unwrap_or(0)).filter(|year| !known.contains(year));
    Ok(missing
        .map(|year| MissingYear {
            year,
            campaigns: beyond
                .iter()
                .filter(|(_, closes)| closes.date(zone).year() >= year)
                .map(|(code, _)| code.clone())
                .collect(),
        })
        .collect())
}
