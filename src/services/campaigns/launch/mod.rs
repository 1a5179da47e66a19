//! The launch of a campaign: every check that is possible before the first message, then one
//! transaction.
//!
//! [`checks`] finds the route and the applications and refuses what cannot be launched; [`people`]
//! opens each person once, composes each message once to count its parts, and plans the first
//! contact; [`persist`] writes the campaign, its questionnaires, cells and invitations.

mod checks;
mod people;
mod persist;

use serde::Serialize;

use super::schedule;
use crate::adapters::crypto::{KeyRingError, SealError};
use crate::adapters::database::{DatabaseError, WriteTx, campaigns, invitations, lists};
use crate::domain::contact_plan::{ContactPlan, ContactPlanError, PlanFile};
use crate::domain::holidays::{stretches, unknown_years};
use crate::domain::ids::ApplicationId;
use crate::domain::programme::is_code;
use crate::domain::quota::QuotaError;
use crate::domain::sms_text::Placeholder;
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;
use crate::services::questionnaires::QuestionnaireSourceError;
use crate::services::suppressions::dispose_known_at_launch;
use checks::LaunchCandidate;
use people::{interview_languages, prepare_people};
use persist::{store_campaign, store_invitations};

pub struct LaunchRequest<'a> {
    pub code: &'a str,
    pub applications: &'a [String],
    pub plan: &'a PlanFile,
    /// A gateway or a route of the configuration.
    pub gateway: &'a str,
    /// What may be spent, in the gateways' currency.
    pub budget: Option<f64>,
    /// Of the draw, where a list is larger than the need; without one, it is drawn too.
    pub seed: Option<&'a str>,
    /// Check and reckon everything, launch nothing.
    pub dry_run: bool,
}

/// What a launch is about to do, or has done.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct LaunchReport {
    pub campaign: String,
    pub invitations: u64,
    /// People on fixed lines, whom SMS does not reach; a plan with a telephone step has them called
    /// from the beginning.
    pub without_mobile: u64,
    /// People abroad whom the plan's hours never reach, because their zones share none.
    pub outside_contact_hours: u64,
    /// People whose numbers no gateway of the route takes.
    pub unroutable: u64,
    /// People of replicates that wait until the response rate shows the need, and the seed of the
    /// draw.
    pub held_back: u64,
    pub draw_seed: Option<String>,
    /// The version of the privacy notice that respondents agree to.
    pub privacy_notice: String,
    pub steps: Vec<StepReport>,
    /// Values that are shortened by the plan's rules, because a gateway takes less.
    pub shortened: Vec<ShortenedReport>,
    pub applications: Vec<LaunchedApplication>,
    /// Years that the plan reaches and of which its calendar has no holiday: nobody has entered them.
    pub years_without_holidays: Vec<i32>,
    /// Stretches of public holidays during the plan, first and last day.
    pub holidays_during: Vec<(chrono::NaiveDate, chrono::NaiveDate)>,
    /// People who are in another running campaign as well. Counted in a dry run only.
    pub in_other_campaigns: u64,
    /// Characters of the longest name that a message may carry.
    pub longest_name: usize,
    /// If everybody gets every step.
    pub parts_at_most: u64,
    pub cost_at_most: f64,
    pub currency: String,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct StepReport {
    pub name: String,
    pub starts_at: String,
    /// If everybody gets it.
    pub ends_at_latest: String,
    pub parts: u64,
    pub longest_message_parts: u32,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ShortenedReport {
    pub step: String,
    pub gateway: String,
    /// The gateway's name for the value.
    pub parameter: String,
    pub people: usize,
    /// In characters.
    pub limit: usize,
    pub longest: usize,
    /// The longest, masked.
    pub example: String,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct LaunchedApplication {
    pub code: String,
    pub names: u32,
    pub target: u32,
    pub dataset_due: String,
}

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "launch.", serialize_all = "snake_case")]
pub enum LaunchError {
    #[error("campaign code «{0}»: use letters, digits, «-» and «_», at most 40")]
    InvalidCode(String),
    #[error(
        "contact plan: signature is empty, and the message of step {0} shows it; say who writes"
    )]
    NoSignature(String),
    #[error("a campaign {0} exists already; choose another code")]
    CodeTaken(String),
    #[error("contact plan: {0}")]
    #[strum(transparent)]
    Plan(ContactPlanError),
    #[error("no gateway is called {name}; configured are: {known}")]
    UnknownGateway { name: String, known: String },
    #[error("gateway {gateway}: {problem}")]
    GatewayStep { gateway: String, problem: String },
    #[error(
        "the gateways of {route} charge in different currencies ({currencies}); a budget needs one"
    )]
    Currencies { route: String, currencies: String },
    #[error("no application has the code {0}")]
    UnknownApplication(String),
    #[error("application {0} is in the field or closed already")]
    NotOpen(String),
    #[error("application {0} belongs to another programme than {1}; launch them in two campaigns")]
    OtherProgramme(String, String),
    #[error("application {0} has no list")]
    NoList(String),
    #[error("application {0}: its survey fee is not settled, and the programme begins with that")]
    FeeNotSettled(String),
    #[error("application {0} is on hold")]
    OnHold(String),
    #[error(
        "{0} share people with these applications; launch them together, so that nobody is asked \
            twice"
    )]
    SharesPeople(String),
    #[error("application {code}: the dataset was due on {due}; the field would be closed at once")]
    DueDayPast { code: String, due: String },
    #[error("application {code}: {error}")]
    Quota { code: String, error: QuotaError },
    #[error(
        "contact plan, step {number} ({name}): its messages would go out until {until}, but the \
            field of {code} closes on {closes}; shorten the delays or widen the contact hours"
    )]
    TooLate { number: usize, name: String, until: String, code: String, closes: String },
    #[error(
        "contact plan, step {number} ({name}): for {people} of the people the text takes up to \
            {parts} parts, allowed are {max}; shorten it, or raise max_parts"
    )]
    TooManyParts { number: usize, name: String, people: usize, parts: u32, max: u32 },
    #[error(
        "contact plan, step {} ({}): gateway {} takes {} characters for {}, and for {} of the \
            people there are more (up to {}, such as «{}»); say in the plan what may be done, such \
            as [shorten] name = \"surname\", or shorten it in the list",
        .0.step_number, .0.values.step, .0.values.gateway, .0.values.limit, .0.values.parameter,
        .0.values.people, .0.values.longest, .0.values.example
    )]
    ParametersTooLong(Box<LongParameter>),
    #[error(transparent)]
    #[strum(transparent)]
    Questionnaire(#[from] QuestionnaireSourceError),
    #[error(
        "application {code}: its questionnaire looks at the list field {field}, which the \
            application does not keep; declare it in list_fields and import the list again"
    )]
    ListField { code: String, field: String },
    #[error(
        "questionnaire {code}: version {version} was launched with another text before; raise \
            its version"
    )]
    ChangedQuestionnaire { code: String, version: u32 },
    #[error(transparent)]
    #[strum(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    #[strum(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    #[strum(transparent)]
    Seal(#[from] SealError),
}

/// Its words are in ours: as a source they would be told twice.
impl From<ContactPlanError> for LaunchError {
    fn from(error: ContactPlanError) -> LaunchError {
        LaunchError::Plan(error)
    }
}

/// A value that no rule of the plan makes fit.
#[derive(Debug)]
pub struct LongParameter {
    /// From 1.
    pub step_number: usize,
    pub values: ShortenedReport,
}

/// What every stage of one launch works with.
struct LaunchJob<'a> {
    context: &'a AppContext,
    request: &'a LaunchRequest<'a>,
    plan: &'a ContactPlan,
    candidates: &'a [LaunchCandidate],
    now: Timestamp,
}

/// Launches a campaign, or says what stands against it.
pub async fn launch(
    context: &AppContext,
    request: &LaunchRequest<'_>,
) -> Result<LaunchReport, LaunchError> {
    let (mut tx, report) = prepare_launch(context, request).await?;
    if !request.dry_run {
        tx.refresh_statistics().await?;
        tx.commit().await?;
    }
    Ok(report)
}

/// Does everything that a launch does, in a transaction that is not committed: dropped, nothing has
/// happened.
pub async fn prepare_launch(
    context: &AppContext,
    request: &LaunchRequest<'_>,
) -> Result<(WriteTx, LaunchReport), LaunchError> {
    let now = context.clock.now();
    let plan = request.plan.check()?;
    let campaign_route = checks::find_route(context, request, &plan)?;
    // A plan that runs is never stopped by this: it is looked at before the launch only.
    let shows_signature = |step: &&crate::domain::contact_plan::Step| {
        step.texts().or(step.opening()).is_some_and(|texts| {
            texts.values().any(|template| template.uses(Placeholder::Signature))
        })
    };
    if plan.signature.trim().is_empty()
        && let Some(step) = plan.steps.iter().find(shows_signature)
    {
        return Err(LaunchError::NoSignature(step.name.clone()));
    }
    if !is_code(request.code) {
        return Err(LaunchError::InvalidCode(request.code.to_owned()));
    }
    let mut tx = context.database.write().await?;
    if campaigns::find(&mut tx, request.code).await?.is_some() {
        return Err(LaunchError::CodeTaken(request.code.to_owned()));
    }
    let (programme, candidates) =
        checks::find_candidates(&mut tx, request.applications, now).await?;
    let ids: Vec<ApplicationId> = candidates.iter().map(|c| c.application.id).collect();
    let people = lists::people_of(&mut tx, &ids).await?;
    let mobiles = people.iter().filter(|p| p.is_mobile).count() as u64;

    // The plan's own, if nobody has another.
    let mut zones = Vec::new();
    for person in &people {
        let zone = plan.zones_of(person.zone.as_deref());
        if !zones.contains(&zone) {
            zones.push(zone);
        }
    }
    if zones.is_empty() {
        zones.push(plan.time_zone.into());
    }
    let windows = schedule::step_windows(
        &plan,
        &context.config.caps,
        (mobiles, campaign_route.per_second),
        &zones,
        now,
    );
    checks::check_finishes_in_time(&plan, &windows, &candidates)?;
    let job = LaunchJob { context, request, plan: &plan, candidates: &candidates, now };
    let languages = interview_languages(&job, &mut tx).await?;
    let mut prepared = prepare_people(&job, &languages, &campaign_route.route, &windows, &people)?;
    let campaign = store_campaign(&job, &mut tx).await?;
    let draw =
        store_invitations(&job, &mut tx, campaign, &people, &mut prepared.invitations).await?;
    let covers_fixed_lines = plan.reaches_fixed_lines();
    dispose_known_at_launch(&mut tx, campaign, &programme.code, covers_fixed_lines, now).await?;
    let parts = &prepared.parts;
    let formatted = |at: Timestamp| at.rfc3339(programme.time_zone);
    let steps =
        plan.steps.iter().zip(&windows).zip(parts).map(|((step, window), parts)| StepReport {
            name: step.name.clone(),
            starts_at: window.map(|w| formatted(w.begins)).unwrap_or_default(),
            ends_at_latest: window.map(|w| formatted(w.done)).unwrap_or_default(),
            parts: parts.total,
            longest_message_parts: parts.longest,
        });
    let first_day = now.date(plan.time_zone);
    let last_day = last_day(&plan, &windows, &candidates, now);
    let days = plan.hours.calendar();
    let in_other_campaigns = if request.dry_run {
        invitations::count_in_other_campaigns(&mut tx, campaign).await?
    } else {
        0
    };
    let shortened = prepared.long_values.iter().map(|(key, values)| values.report(&plan, key));
    let parts_at_most: u64 = parts.iter().map(|parts| parts.total).sum();
    let report = LaunchReport {
        campaign: request.code.to_owned(),
        invitations: people.len() as u64,
        without_mobile: people.len() as u64 - mobiles,
        outside_contact_hours: prepared.outside_contact_hours,
        unroutable: prepared.unroutable,
        held_back: draw.held_back,
        draw_seed: draw.seed,
        privacy_notice: programme.privacy.version.clone(),
        steps: steps.collect(),
        shortened: shortened.collect(),
        applications: candidates
            .iter()
            .map(|c| LaunchedApplication {
                code: c.application.code.clone(),
                names: c.names,
                target: c.quota.total,
                dataset_due: c.deadline.dataset_due.to_string(),
            })
            .collect(),
        years_without_holidays: unknown_years(days, first_day, last_day),
        holidays_during: stretches(days, first_day, last_day),
        in_other_campaigns,
        longest_name: prepared.longest_name,
        parts_at_most,
        cost_at_most: (parts_at_most as f64 * campaign_route.price_per_part * 100.0).round()
            / 100.0,
        currency: campaign_route.currency,
    };
    Ok((tx, report))
}

/// The last day on which the plan contacts somebody: that of its last message, or, if people are
/// called or sent a form, the end of the last field.
fn last_day(
    plan: &ContactPlan,
    windows: &[Option<schedule::StepWindow>],
    candidates: &[LaunchCandidate],
    now: Timestamp,
) -> chrono::NaiveDate {
    let messages = windows.iter().flatten().map(|window| window.done).max().unwrap_or(now);
    let last = messages.date(plan.time_zone);
    let fields = candidates.iter().map(|candidate| candidate.deadline.dataset_due);
    if plan.reaches_fixed_lines() { fields.max().map_or(last, |due| due.max(last)) } else { last }
}
