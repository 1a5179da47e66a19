//! The library: plans and texts that staff keep under a name, and plans that a new draft begins with.
//! A copied plan has no people and no days of its own: its holidays are those of now, and days on
//! which nobody was to be contacted are left out.

use serde_json::{Value, json};

use crate::adapters::database::plan_library::{self, LibraryEntry};
use crate::adapters::database::{DatabaseError, campaigns, drafts};
use crate::domain::contact_plan::HolidaysFile;
use crate::domain::language::ConsoleLanguage;
use crate::domain::mentioned_number::mentions_mobile;
use crate::services::context::AppContext;
use crate::services::drafts::plan_form::PlanForm;
use crate::services::holidays;
use crate::services::versions;

/// What the library keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    Plan,
    /// The text of a message.
    Sms,
    /// What an interviewer says first.
    Telephone,
}

impl EntryKind {
    pub const TEXTS: [EntryKind; 2] = [EntryKind::Sms, EntryKind::Telephone];

    pub fn as_str(self) -> &'static str {
        match self {
            EntryKind::Plan => "plan",
            EntryKind::Sms => "sms",
            EntryKind::Telephone => "telephone",
        }
    }

    /// In Chinese and English.
    pub fn labels(self) -> (&'static str, &'static str) {
        match self {
            EntryKind::Plan => ("联系计划", "contact plan"),
            EntryKind::Sms => ("短信文字", "text of a message"),
            EntryKind::Telephone => ("电话开场白", "opening words of a call"),
        }
    }

    pub fn parse(raw: &str) -> Option<EntryKind> {
        [EntryKind::Plan, EntryKind::Sms, EntryKind::Telephone]
            .into_iter()
            .find(|kind| kind.as_str() == raw)
    }
}

const MAX_NAME_CHARS: usize = 60;
const MAX_TEXT_CHARS: usize = 1_000;
const MAX_PLAN_BYTES: usize = 256 * 1024;
const MAX_ENTRIES: usize = 500;

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "library.", serialize_all = "snake_case")]
pub enum LibraryError {
    #[error("a name has 1 to {MAX_NAME_CHARS} characters")]
    Name,
    #[error("the library has a {0} of this name; choose another")]
    NameTaken(&'static str),
    #[error("a text has 1 to {MAX_TEXT_CHARS} characters")]
    Text,
    #[error("the text has something that looks like a mobile number")]
    HasNumber,
    #[error("the library is full ({MAX_ENTRIES} entries); delete what nobody uses")]
    Full,
    #[error("there is nothing of this kind to take a plan from")]
    NotFound,
    #[error(transparent)]
    #[strum(transparent)]
    Database(#[from] DatabaseError),
}

/// Returns all entries, those that are deleted last.
pub async fn list(context: &AppContext) -> Result<Vec<LibraryEntry>, LibraryError> {
    Ok(plan_library::all(&mut *context.database.read().await?).await?)
}

/// Keeps a text.
pub async fn save_text(
    context: &AppContext,
    actor: &str,
    kind: EntryKind,
    name: &str,
    text: &str,
) -> Result<(), LibraryError> {
    let text = text.trim().replace("\r\n", "\n");
    if kind == EntryKind::Plan || text.is_empty() || text.chars().count() > MAX_TEXT_CHARS {
        return Err(LibraryError::Text);
    }
    if mentions_mobile(&text) {
        return Err(LibraryError::HasNumber);
    }
    save(context, actor, kind, name, &text).await
}

/// Where a plan is taken from: `standard`, `library:ID`, `campaign:CODE` or `draft:CODE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanSource {
    Standard,
    Library(i64),
    Campaign(String),
    Draft(String),
}

impl PlanSource {
    pub fn parse(raw: &str) -> Option<PlanSource> {
        match raw.split_once(':') {
            None if raw.is_empty() || raw == "standard" => Some(PlanSource::Standard),
            Some(("library", id)) => id.parse().ok().map(PlanSource::Library),
            Some(("campaign", code)) => Some(PlanSource::Campaign(code.to_owned())),
            Some(("draft", code)) => Some(PlanSource::Draft(code.to_owned())),
            _ => None,
        }
    }
}

/// A plan with the settings that stand beside it.
#[derive(Debug, Clone)]
pub struct CopiedPlan {
    pub plan: Value,
    pub gateway: Option<String>,
    pub budget: Option<f64>,
}

/// Takes a plan for a new draft.
pub async fn copy_plan(
    context: &AppContext,
    source: &PlanSource,
    language: ConsoleLanguage,
) -> Result<CopiedPlan, LibraryError> {
    let mut connection = context.database.read().await?;
    let amount = |micros: Option<i64>| micros.map(|micros| micros as f64 / 1e6);
    let (stored, gateway, budget) = match source {
        PlanSource::Standard => (None, None, None),
        PlanSource::Library(id) => {
            let entry = plan_library::find(&mut connection, *id).await?;
            let is_plan = |entry: &LibraryEntry| entry.kind == "plan" && entry.deleted_at.is_none();
            let entry = entry.filter(is_plan).ok_or(LibraryError::NotFound)?;
            (Some(entry.content), None, None)
        }
        PlanSource::Campaign(code) => {
            let campaign = campaigns::find(&mut connection, code).await?;
            let campaign = campaign.ok_or(LibraryError::NotFound)?;
            (Some(campaign.plan), Some(campaign.gateway), amount(campaign.budget_micros))
        }
        PlanSource::Draft(code) => {
            let draft = drafts::campaign(&mut connection, code).await?;
            let draft = draft.ok_or(LibraryError::NotFound)?;
            (Some(draft.plan), Some(draft.gateway), amount(draft.budget_micros))
        }
    };
    drop(connection);
    let calendar = json!(HolidaysFile::from(&holidays::calendar(context).await?));
    let plan = match stored {
        None => PlanForm::standard_in(language)
            .to_json_keeping_unknown(&json!({ "calendar": calendar })),
        Some(stored) => {
            let mut plan = without_days(&stored)?;
            plan["calendar"] = calendar;
            plan
        }
    };
    Ok(CopiedPlan { plan, gateway, budget })
}

/// A stored plan without holidays and closed days.
fn without_days(stored: &str) -> Result<Value, LibraryError> {
    let mut plan: Value = serde_json::from_str(stored).map_err(|_| LibraryError::NotFound)?;
    let fields = plan.as_object_mut().ok_or(LibraryError::NotFound)?;
    fields.remove("calendar");
    fields.remove("holidays");
    Ok(plan)
}

/// Keeps the plan of a campaign or a draft.
pub async fn save_plan(
    context: &AppContext,
    actor: &str,
    source: &PlanSource,
    name: &str,
) -> Result<(), LibraryError> {
    let mut connection = context.database.read().await?;
    let stored = match source {
        PlanSource::Campaign(code) => {
            campaigns::find(&mut connection, code).await?.map(|campaign| campaign.plan)
        }
        PlanSource::Draft(code) => {
            drafts::campaign(&mut connection, code).await?.map(|draft| draft.plan)
        }
        PlanSource::Standard | PlanSource::Library(_) => None,
    };
    drop(connection);
    let plan = without_days(&stored.ok_or(LibraryError::NotFound)?)?.to_string();
    if plan.len() > MAX_PLAN_BYTES {
        return Err(LibraryError::Text);
    }
    save(context, actor, EntryKind::Plan, name, &plan).await
}

fn checked_name(name: &str) -> Result<&str, LibraryError> {
    let name = name.trim();
    let is_good = !name.is_empty()
        && name.chars().count() <= MAX_NAME_CHARS
        && !name.chars().any(char::is_control)
        && !mentions_mobile(name);
    if is_good { Ok(name) } else { Err(LibraryError::Name) }
}

async fn save(
    context: &AppContext,
    actor: &str,
    kind: EntryKind,
    name: &str,
    content: &str,
) -> Result<(), LibraryError> {
    let name = checked_name(name)?;
    let mut tx = context.database.write().await?;
    versions::hold(&mut tx, "library", "").await?;
    if plan_library::all(&mut tx).await?.len() >= MAX_ENTRIES {
        return Err(LibraryError::Full);
    }
    if plan_library::named(&mut tx, kind.as_str(), name).await?.is_some() {
        return Err(LibraryError::NameTaken(kind.labels().1));
    }
    let now = context.clock.now();
    plan_library::add(&mut tx, (kind.as_str(), name, content), actor, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Gives an entry another name.
pub async fn rename(
    context: &AppContext,
    actor: &str,
    id: i64,
    name: &str,
) -> Result<(), LibraryError> {
    let name = checked_name(name)?;
    let mut tx = context.database.write().await?;
    versions::hold(&mut tx, "library", "").await?;
    let entry = plan_library::find(&mut tx, id).await?.filter(|entry| entry.deleted_at.is_none());
    let entry = entry.ok_or(LibraryError::NotFound)?;
    let other = plan_library::named(&mut tx, &entry.kind, name).await?;
    if other.is_some_and(|other| other != id) {
        return Err(taken(&entry));
    }
    plan_library::rename(&mut tx, id, name, actor, context.clock.now()).await?;
    tx.commit().await?;
    Ok(())
}

fn taken(entry: &LibraryEntry) -> LibraryError {
    LibraryError::NameTaken(EntryKind::parse(&entry.kind).map_or("", |kind| kind.labels().1))
}

/// Deletes an entry; it can be had back until the housekeeping removes it.
pub async fn delete(context: &AppContext, id: i64) -> Result<(), LibraryError> {
    let mut tx = context.database.write().await?;
    versions::hold(&mut tx, "library", "").await?;
    let entry = plan_library::find(&mut tx, id).await?.ok_or(LibraryError::NotFound)?;
    if entry.deleted_at.is_none() {
        plan_library::set_deleted(&mut tx, id, Some(context.clock.now())).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Has a deleted entry back, unless another one has its name by now.
pub async fn restore(context: &AppContext, id: i64) -> Result<(), LibraryError> {
    let mut tx = context.database.write().await?;
    versions::hold(&mut tx, "library", "").await?;
    let entry = plan_library::find(&mut tx, id).await?.ok_or(LibraryError::NotFound)?;
    let other = plan_library::named(&mut tx, &entry.kind, &entry.name).await?;
    if other.is_some_and(|other| other != id) {
        return Err(taken(&entry));
    }
    plan_library::set_deleted(&mut tx, id, None).await?;
    tx.commit().await?;
    Ok(())
}
