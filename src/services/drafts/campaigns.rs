//! Campaign drafts: a campaign before its launch. A draft is checked with parts, cost and a
//! calendar, tested on oneself, rehearsed, and launched by one person or by two.

use std::sync::Arc;

use chrono::NaiveDate;
use serde_json::Value;

use super::trial_link;
use crate::adapters::database::audit::{self, AuditFilter};
use crate::adapters::database::drafts::{self, CampaignDraft};
use crate::adapters::database::{DatabaseError, applications, campaigns};
use crate::adapters::database::{api_tokens, programmes, suppressions};
use crate::adapters::sms::OutgoingMessage;
use crate::domain::audit::{Action, Actor};
use crate::domain::contact_plan::{ContactPlan, ContactPlanError, PlanFile};
use crate::domain::ids::{CampaignId, ProgrammeId};
use crate::domain::language::Language;
use crate::domain::personal::Personal;
use crate::domain::phone::{Phone, PhoneError};
use crate::domain::programme::is_code;
use crate::domain::time::Timestamp;
use crate::domain::zones::Zones;
use crate::services::accounts::tokens::person_behind;
use crate::services::campaigns::message_text::{MessageRecipient, compose_message};
use crate::services::campaigns::{LaunchError, LaunchReport, LaunchRequest, prepare_launch};
use crate::services::context::AppContext;
use crate::services::forecasting::{ForecastError, RehearsalForecast, rehearse_prepared};
use crate::services::sms_sending::one_off::{OneOffResult, send_one_message};
use crate::services::versions::{self, ExpectedVersion, VersionConflict, version_of};

/// The number of days that a calendar shows at most.
const MAX_CALENDAR_DAYS: i64 = 130;

/// Test messages within [`TEST_PERIOD`] of one person and to one number.
const MAX_TESTS_BY_PERSON: usize = 20;
const MAX_TESTS_TO_NUMBER: usize = 5;
const TEST_PERIOD: std::time::Duration = std::time::Duration::from_secs(3_600);
/// More than that many in a period are refused for somebody anyway.
const MAX_TESTS_LOOKED_AT: u32 = 1_000;

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "campaign_draft.", serialize_all = "snake_case")]
pub enum CampaignDraftError {
    #[error(transparent)]
    #[strum(transparent)]
    Version(#[from] VersionConflict),
    #[error(transparent)]
    #[strum(transparent)]
    Launch(#[from] LaunchError),
    #[error("there is no such draft any more")]
    NotFound,
    #[error("it was changed meanwhile; look at it again")]
    Changed,
    #[error("somebody else has to agree to the launch")]
    NeedsSecondPerson,
    #[error("nobody has asked for the launch yet")]
    LaunchNotRequested,
    #[error("this number is suppressed; a test message goes to it as little as any other")]
    TestSuppressed,
    #[error("a test message goes out in the plan's contact hours only; they begin at {0}")]
    TestOutsideHours(String),
    #[error(
        "too many test messages: one person sends {MAX_TESTS_BY_PERSON} an hour at most, and \
            {MAX_TESTS_TO_NUMBER} to one number"
    )]
    TooManyTests,
    #[error("{0}")]
    #[strum(transparent)]
    Number(PhoneError),
    #[error("the plan has no message of this number")]
    NoMessage,
    #[error(transparent)]
    #[strum(transparent)]
    Forecast(#[from] ForecastError),
    #[error(transparent)]
    #[strum(transparent)]
    Database(#[from] DatabaseError),
}

impl From<ContactPlanError> for CampaignDraftError {
    fn from(error: ContactPlanError) -> CampaignDraftError {
        CampaignDraftError::Launch(error.into())
    }
}

/// A day of the calendar.
pub struct CalendarDay {
    pub day: NaiveDate,
    /// Whether messages may be sent on this day.
    pub is_open: bool,
    /// The steps that are sent on this day.
    pub steps: Vec<String>,
}

/// The result of checking a draft as if it were launched now.
pub struct DraftCheck {
    pub report: LaunchReport,
    pub calendar: Vec<CalendarDay>,
    pub rehearsals: Vec<RehearsalForecast>,
}

/// A draft as entered.
pub struct EnteredDraft<'a> {
    pub code: &'a str,
    /// Codes with commas between them.
    pub applications: &'a str,
    pub plan: &'a Value,
    pub gateway: &'a str,
    pub budget: Option<f64>,
}

/// Stores a draft as entered, valid or not, over the version that is expected. Returns it.
pub async fn save(
    context: &AppContext,
    actor: &str,
    entered: &EnteredDraft<'_>,
    expected: &ExpectedVersion,
) -> Result<CampaignDraft, CampaignDraftError> {
    let &EnteredDraft { code, applications, plan, gateway, budget } = entered;
    if !is_code(code) {
        return Err(LaunchError::InvalidCode(code.to_owned()).into());
    }
    let mut tx = context.database.write().await?;
    versions::hold(&mut tx, "draft", code).await?;
    let current = drafts::campaign(&mut tx, code).await?;
    expected.check(current.as_ref().map(draft_version))?;
    if campaigns::find(&mut tx, code).await?.is_some() {
        return Err(LaunchError::CodeTaken(code.to_owned()).into());
    }
    let draft = CampaignDraft {
        code: code.to_owned(),
        applications: applications.to_owned(),
        plan: plan.to_string(),
        gateway: gateway.to_owned(),
        budget_micros: budget.map(|budget| (budget * 1e6).round() as i64),
        created_by: actor.to_owned(),
        changed_at: context.clock.now(),
        launch_requested_by: None,
    };
    drafts::put_campaign(&mut tx, &draft).await?;
    let stored = drafts::campaign(&mut tx, code).await?.ok_or(CampaignDraftError::NotFound)?;
    tx.commit().await?;
    Ok(stored)
}

/// Returns the version of a draft; a request for its launch makes another.
pub fn draft_version(draft: &CampaignDraft) -> String {
    version_of(&(
        &draft.code,
        &draft.applications,
        &draft.plan,
        &draft.gateway,
        draft.budget_micros,
        &draft.created_by,
        draft.changed_at.0,
        &draft.launch_requested_by,
    ))
}

pub async fn find(context: &AppContext, code: &str) -> Result<CampaignDraft, CampaignDraftError> {
    drafts::campaign(&mut *context.database.read().await?, code)
        .await?
        .ok_or(CampaignDraftError::NotFound)
}

/// Returns whether a draft's last change can be taken back.
pub async fn can_undo(context: &AppContext, code: &str) -> Result<bool, CampaignDraftError> {
    Ok(drafts::plan_before(&mut *context.database.read().await?, code).await?.is_some())
}

/// Takes the last change of a draft's plan back; once more brings it again.
pub async fn undo(
    context: &AppContext,
    code: &str,
    expected: &ExpectedVersion,
) -> Result<(), CampaignDraftError> {
    let mut tx = context.database.write().await?;
    versions::hold(&mut tx, "draft", code).await?;
    let mut draft = drafts::campaign(&mut tx, code).await?.ok_or(CampaignDraftError::NotFound)?;
    expected.check(Some(draft_version(&draft)))?;
    let Some(before) = drafts::plan_before(&mut tx, code).await? else { return Ok(()) };
    draft.plan = before;
    draft.changed_at = Timestamp(context.clock.now().0.max(draft.changed_at.0 + 1));
    drafts::put_campaign(&mut tx, &draft).await?;
    tx.commit().await?;
    Ok(())
}

/// All that is wrong with a draft's plan by itself, in the plan's order.
pub fn plan_problems(draft: &CampaignDraft) -> Vec<ContactPlanError> {
    match plan_of(draft) {
        Ok(plan) => plan.check_all().err().unwrap_or_default(),
        Err(CampaignDraftError::Launch(LaunchError::Plan(error))) => vec![error],
        Err(_) => Vec::new(),
    }
}

fn plan_of(draft: &CampaignDraft) -> Result<PlanFile, CampaignDraftError> {
    Ok(serde_json::from_str(&draft.plan)
        .map_err(|error| ContactPlanError::Toml(error.to_string()))?)
}

/// Checks a draft as its launch would, with the cost and the calendar. Writes nothing.
pub async fn check(
    context: &AppContext,
    draft: &CampaignDraft,
) -> Result<DraftCheck, CampaignDraftError> {
    let plan = plan_of(draft)?;
    let codes = codes_of(draft);
    let (tx, report) = prepare_launch(context, &request(draft, &plan, &codes)).await?;
    let rehearsals = rehearse_prepared(context, tx, &draft.code).await?;
    let calendar = calendar(&plan.check()?, &report, context.clock.now());
    Ok(DraftCheck { report, calendar, rehearsals })
}

fn codes_of(draft: &CampaignDraft) -> Vec<String> {
    draft.applications.split(',').filter(|code| !code.is_empty()).map(str::to_owned).collect()
}

fn request<'a>(
    draft: &'a CampaignDraft,
    plan: &'a PlanFile,
    codes: &'a [String],
) -> LaunchRequest<'a> {
    let budget = draft.budget_micros.map(|micros| micros as f64 / 1e6);
    LaunchRequest {
        code: &draft.code,
        applications: codes,
        plan,
        gateway: &draft.gateway,
        budget,
        seed: None,
        dry_run: true,
    }
}

/// Builds the calendar in whole weeks from Monday to Sunday, from the current week to the one in
/// which the last step is done.
fn calendar(plan: &ContactPlan, report: &LaunchReport, now: Timestamp) -> Vec<CalendarDay> {
    let day_of = |text: &str| text.get(..10).and_then(|day| day.parse::<NaiveDate>().ok());
    let spans: Vec<(NaiveDate, NaiveDate, &str)> = report
        .steps
        .iter()
        .filter_map(|step| {
            Some((day_of(&step.starts_at)?, day_of(&step.ends_at_latest)?, step.name.as_str()))
        })
        .collect();
    let first = now.date(plan.time_zone);
    let last = spans.iter().map(|(_, done, _)| *done).max().unwrap_or(first);
    let monday = first
        - chrono::Days::new(u64::from(chrono::Datelike::weekday(&first).num_days_from_monday()));
    let days = ((last - monday).num_days() / 7 * 7 + 7).clamp(7, MAX_CALENDAR_DAYS);
    let zones = Zones::from(plan.time_zone);
    let day = |day: NaiveDate| CalendarDay {
        is_open: plan
            .hours
            .next_open(Timestamp::start_of_day(day, plan.time_zone), &zones)
            .is_some_and(|at| at.date(plan.time_zone) == day),
        steps: spans
            .iter()
            .filter(|(begins, done, _)| (*begins..=*done).contains(&day))
            .map(|(.., name)| (*name).to_owned())
            .collect(),
        day,
    };
    monday.iter_days().take(usize::try_from(days).unwrap_or(7)).map(day).collect()
}

/// Sends one of the plan's messages to a member of the staff, with a made-up name and a link to try
/// out the questionnaire. It goes to no suppressed number, and only in the plan's contact hours
/// (invariant I2); an account and a number have a few an hour.
pub async fn send_test(
    context: &Arc<AppContext>,
    actor: &Actor,
    draft: &CampaignDraft,
    step: usize,
    number: &str,
) -> Result<OneOffResult, CampaignDraftError> {
    let plan = plan_of(draft)?.check()?;
    let region = context.config.default_region.parse().unwrap_or(phonenumber::country::CN);
    let to = Phone::parse(number.trim(), region).map_err(CampaignDraftError::Number)?;
    let step_number = step + 1;
    let step = plan.steps.get(step).ok_or(CampaignDraftError::NoMessage)?;
    let texts = step.texts().ok_or(CampaignDraftError::NoMessage)?;
    let mut connection = context.database.read().await?;
    let first = codes_of(draft).into_iter().next().unwrap_or_default();
    let application = applications::find(&mut connection, &first)
        .await?
        .ok_or(LaunchError::UnknownApplication(first))?;
    drop(connection);
    let now = context.clock.now();
    let name = Personal::new("测试");
    let link = trial_link(context, application.category.as_str());
    let recipient = MessageRecipient {
        name: &name,
        applicant: &application.applicant_name,
        subjects: vec![application.subject.title()],
        link: &link,
        language: Language::ZH,
        field_closes_at: now + std::time::Duration::from_secs(30 * 86_400),
    };
    let composed = compose_message(&plan, texts, &recipient, now);
    let gateway = context
        .config
        .route(&draft.gateway)
        .and_then(|route| route.gateways().next().map(str::to_owned));
    let gateway = gateway.ok_or_else(|| LaunchError::UnknownGateway {
        name: draft.gateway.clone(),
        known: String::new(),
    })?;
    let zones = Zones::from(plan.time_zone);
    if !plan.hours.is_open(now, &zones) {
        let next = plan.hours.next_open(now, &zones);
        let next = next.map_or("-".to_owned(), |at| at.rfc3339(plan.time_zone));
        return Err(CampaignDraftError::TestOutsideHours(next));
    }
    reserve_test(context, actor, (&draft.code, step_number), application.programme_id, &to).await?;
    let message = OutgoingMessage {
        reference: format!("test{}", now.0),
        to,
        parts: composed.segmentation.parts,
        text: composed.text,
        step: step.name.clone(),
        fields: composed.fields,
        must_be_alone: true,
        part: None,
    };
    Ok(send_one_message(context, &gateway, &message).await)
}

/// Checks that a test message may go to this number, and writes it down with the number's keyed hash.
async fn reserve_test(
    context: &AppContext,
    actor: &Actor,
    (draft, step): (&str, usize),
    programme: ProgrammeId,
    to: &Phone,
) -> Result<(), CampaignDraftError> {
    let now = context.clock.now();
    let hash = context.keys.hasher().phone_hash(to);
    let mut tx = context.database.write().await?;
    let programme = programmes::get(&mut tx, programme).await?.code;
    let suppressed =
        suppressions::among(&mut tx, std::slice::from_ref(&hash), &programme, now).await?;
    if !suppressed.is_empty() {
        return Err(CampaignDraftError::TestSuppressed);
    }
    let filter = AuditFilter { action: Some(Action::TestMessageSent), ..AuditFilter::default() };
    let entries = audit::entries(&mut tx, &filter, MAX_TESTS_LOOKED_AT).await?;
    let tokens = api_tokens::all(&mut tx).await?;
    let person = person_behind(&tokens, &actor.name);
    let latest = || entries.iter().filter(|entry| entry.at > now - TEST_PERIOD);
    let by_person = latest().filter(|e| person_behind(&tokens, &e.actor.name) == person).count();
    let to_number = latest().filter(|entry| entry.detail.contains(&hash)).count();
    if by_person >= MAX_TESTS_BY_PERSON || to_number >= MAX_TESTS_TO_NUMBER {
        return Err(CampaignDraftError::TooManyTests);
    }
    let (object, detail) = (format!("draft:{draft}"), format!("step {step}; number {hash}"));
    let action = Action::TestMessageSent;
    context.audit_with_detail(&mut tx, actor, action, (&object, &detail)).await?;
    tx.commit().await?;
    Ok(())
}

/// Requests the launch; another person approves it with [`launch`].
pub async fn request_launch(
    context: &AppContext,
    draft: &CampaignDraft,
    actor: &str,
) -> Result<(), CampaignDraftError> {
    let mut tx = context.database.write().await?;
    if !drafts::request_launch(&mut tx, draft, actor).await? {
        return Err(CampaignDraftError::Changed);
    }
    tx.commit().await?;
    Ok(())
}

/// Launches a draft. Where two people must agree, the requester cannot launch it, nor a token that
/// the requester made, nor the maker of the token that requested it.
pub async fn launch(
    context: &AppContext,
    draft: &CampaignDraft,
    actor: &str,
) -> Result<(LaunchReport, CampaignId), CampaignDraftError> {
    if context.config.console.four_eyes {
        let requested_by = draft.launch_requested_by.as_deref();
        let requested_by = requested_by.ok_or(CampaignDraftError::LaunchNotRequested)?;
        let tokens = api_tokens::all(&mut *context.database.read().await?).await?;
        if person_behind(&tokens, requested_by) == person_behind(&tokens, actor) {
            return Err(CampaignDraftError::NeedsSecondPerson);
        }
    }
    let plan = plan_of(draft)?;
    let codes = codes_of(draft);
    let (mut tx, report) = prepare_launch(context, &request(draft, &plan, &codes)).await?;
    // The draft must not have changed since it was reviewed.
    if drafts::campaign(&mut tx, &draft.code)
        .await?
        .is_none_or(|now| now.changed_at != draft.changed_at)
    {
        return Err(CampaignDraftError::Changed);
    }
    drafts::discard_campaign(&mut tx, &draft.code).await?;
    let campaign =
        campaigns::find(&mut tx, &draft.code).await?.ok_or(CampaignDraftError::NotFound)?;
    tx.refresh_statistics().await?;
    tx.commit().await?;
    Ok((report, campaign.id))
}

/// Discards a draft of the version that is expected.
pub async fn discard_draft(
    context: &AppContext,
    code: &str,
    expected: &ExpectedVersion,
) -> Result<(), CampaignDraftError> {
    let mut tx = context.database.write().await?;
    versions::hold(&mut tx, "draft", code).await?;
    let current = drafts::campaign(&mut tx, code).await?.ok_or(CampaignDraftError::NotFound)?;
    expected.check(Some(draft_version(&current)))?;
    drafts::discard_campaign(&mut tx, code).await?;
    tx.commit().await?;
    Ok(())
}
