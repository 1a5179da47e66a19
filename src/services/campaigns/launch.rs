//! The launch: every check that can be made before the first message, then one transaction.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use super::invitations::create_invitations;
use super::message_text::{MessageRecipient, compose_message};
use super::schedule::{self, StepWindow};
use crate::adapters::config::{GatewayConfig, Route};
use crate::adapters::crypto::{KeyRingError, SealError, sha256_hex};
use crate::adapters::database::application_events::{self, ApplicationEventKind};
use crate::adapters::database::applications::{self, Application, ApplicationState};
use crate::adapters::database::lists::{self, ListedPerson};
use crate::adapters::database::{
    DatabaseError, WriteTx, campaigns, cases, forecasts, programmes, quotas,
};
use crate::adapters::sms::{CONFIRMATION, QUESTION};
use crate::domain::contact_plan::{ContactPlan, ContactPlanError, PlanFile};
use crate::domain::deadline::{Deadline, NotStarted};
use crate::domain::ids::ApplicationId;
use crate::domain::programme::{Programme, is_code};
use crate::domain::questionnaire::{Questionnaire, RoutingFacts};
use crate::domain::quota::{CellMembership, QuotaError, QuotaPlan};
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;
use crate::services::questionnaires::{self, QuestionnaireSourceError};
use crate::services::sealing::{open_fields, open_person};

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
    pub without_gateway: u64,
    /// People of replicates that wait until the response rate shows the need, and the seed of the
    /// draw.
    pub held_back: u64,
    pub draw_seed: Option<String>,
    /// The version of the privacy notice that respondents agree to.
    pub privacy_notice: String,
    pub steps: Vec<StepReport>,
    pub applications: Vec<LaunchedApplication>,
    /// If everybody gets every step.
    pub parts_at_most: u64,
    pub cost_at_most: f64,
    pub currency: String,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct StepReport {
    pub name: String,
    pub begins: String,
    pub done: String,
    pub parts: u64,
    pub longest_message_parts: u32,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct LaunchedApplication {
    pub code: String,
    pub names: u32,
    pub target: u32,
    pub dataset_due: String,
}

#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    #[error("campaign code «{0}»: use letters, digits, «-» and «_», at most 40")]
    InvalidCode(String),
    #[error("a campaign {0} exists already; choose another code")]
    CodeTaken(String),
    #[error("contact plan: {0}")]
    Plan(ContactPlanError),
    #[error("no gateway is called {name}; configured are: {known}")]
    UnknownGateway { name: String, known: String },
    #[error("gateway {gateway}: {problem}")]
    GatewayStep { gateway: String, problem: String },
    #[error(
        "the gateways of {route} charge in different currencies ({currencies}); a budget needs one"
    )]
    Currencies { route: String, currencies: String },
    #[error("no application has the code {0}; register it with «application add»")]
    UnknownApplication(String),
    #[error("application {0} is in the field or closed already")]
    NotOpen(String),
    #[error("application {0} belongs to another programme than {1}; launch them in two campaigns")]
    OtherProgramme(String, String),
    #[error("application {0} has no list; import one with «list import»")]
    NoList(String),
    #[error(
        "application {0}: its survey fee is not settled, and the programme begins with that; \
            write it down with «application fee»"
    )]
    FeeNotSettled(String),
    #[error("application {0} is on hold; release it with «application release»")]
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
    #[error(transparent)]
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
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// Its words are in ours: as a source they would be told twice.
impl From<ContactPlanError> for LaunchError {
    fn from(error: ContactPlanError) -> LaunchError {
        LaunchError::Plan(error)
    }
}

/// An application on its way into the field.
pub(super) struct LaunchCandidate {
    pub application: Application,
    pub quota: QuotaPlan,
    names: u32,
    deadline: Deadline,
    closes_at: Timestamp,
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
    let campaign_route = find_route(context, request, &plan)?;
    if !is_code(request.code) {
        return Err(LaunchError::InvalidCode(request.code.to_owned()));
    }
    let mut tx = context.database.write().await?;
    if campaigns::find(&mut tx, request.code).await?.is_some() {
        return Err(LaunchError::CodeTaken(request.code.to_owned()));
    }
    let (programme, candidates) = find_candidates(&mut tx, request.applications, now).await?;
    let ids: Vec<ApplicationId> = candidates.iter().map(|c| c.application.id).collect();
    let people = lists::people_of(&mut tx, &ids).await?;
    let mobiles = people.iter().filter(|p| p.is_mobile).count() as u64;

    let windows = schedule::step_windows(
        &plan,
        &context.config.caps,
        mobiles,
        campaign_route.per_second,
        now,
    );
    check_finishes_in_time(&plan, &windows, &candidates)?;
    let parts = count_parts(context, request.code, &plan, &windows, &candidates, &people, now)?;

    store_campaign(context, &mut tx, request, &candidates, now).await?;
    let (unreached, draw) = create_invitations(
        context,
        &mut tx,
        request,
        &campaign_route.route,
        &plan,
        &candidates,
        &people,
        now,
    )
    .await?;
    let shown = |at: Timestamp| at.rfc3339(programme.time_zone);
    let steps =
        plan.steps.iter().zip(&windows).zip(&parts).map(|((step, window), parts)| StepReport {
            name: step.name.clone(),
            begins: window.map(|w| shown(w.begins)).unwrap_or_default(),
            done: window.map(|w| shown(w.done)).unwrap_or_default(),
            parts: parts.0,
            longest_message_parts: parts.1,
        });
    let parts_at_most: u64 = parts.iter().map(|p| p.0).sum();
    let report = LaunchReport {
        campaign: request.code.to_owned(),
        invitations: people.len() as u64,
        without_mobile: people.len() as u64 - mobiles,
        outside_contact_hours: unreached.outside_contact_hours,
        without_gateway: unreached.without_gateway,
        held_back: draw.held_back,
        draw_seed: draw.seed,
        privacy_notice: programme.privacy.version.clone(),
        steps: steps.collect(),
        applications: candidates
            .iter()
            .map(|c| LaunchedApplication {
                code: c.application.code.clone(),
                names: c.names,
                target: c.quota.total,
                dataset_due: c.deadline.dataset_due.to_string(),
            })
            .collect(),
        parts_at_most,
        cost_at_most: (parts_at_most as f64 * campaign_route.price_per_part * 100.0).round()
            / 100.0,
        currency: campaign_route.currency,
    };
    Ok((tx, report))
}

/// A campaign's way, for its reckoning: by the dearest gateway, at the pace of all of them
/// together.
struct CampaignRoute {
    route: Route,
    per_second: u32,
    price_per_part: f64,
    currency: String,
}

fn find_route(
    context: &AppContext,
    request: &LaunchRequest<'_>,
    plan: &ContactPlan,
) -> Result<CampaignRoute, LaunchError> {
    let config = &context.config;
    let route = config.route(request.gateway).ok_or_else(|| LaunchError::UnknownGateway {
        name: request.gateway.to_owned(),
        known: config
            .gateways
            .keys()
            .chain(config.routes.keys())
            .cloned()
            .collect::<Vec<_>>()
            .join(", "),
    })?;
    let confirms = (!plan.confirmation.is_empty()).then_some(CONFIRMATION);
    for name in route.gateways() {
        let Some(gateway) = context.gateways.get(name) else { continue };
        let link = plan.has_telephone().then(|| plan.link_texts().map(|(name, _)| name)).flatten();
        let messages =
            plan.steps.iter().filter(|step| !step.is_telephone()).map(|step| step.name.as_str());
        let asks = plan.steps.iter().any(|step| step.offers_sms_interview()).then_some(QUESTION);
        for step in messages.chain(confirms).chain(link).chain(asks) {
            gateway.check_step(step).map_err(|problem| LaunchError::GatewayStep {
                gateway: name.to_owned(),
                problem,
            })?;
        }
    }
    let gateways: Vec<&GatewayConfig> =
        route.gateways().filter_map(|name| config.gateways.get(name)).collect();
    let currencies: BTreeSet<&str> =
        gateways.iter().map(|gateway| gateway.currency.as_str()).collect();
    if request.budget.is_some() && currencies.len() > 1 {
        let currencies = currencies.into_iter().collect::<Vec<_>>().join(", ");
        return Err(LaunchError::Currencies { route: request.gateway.to_owned(), currencies });
    }
    Ok(CampaignRoute {
        per_second: gateways.iter().map(|gateway| gateway.rate_per_second).sum(),
        price_per_part: gateways.iter().map(|gateway| gateway.price_per_part).fold(0.0, f64::max),
        currency: gateways.first().map(|gateway| gateway.currency.clone()).unwrap_or_default(),
        route,
    })
}

async fn find_candidates(
    tx: &mut WriteTx,
    codes: &[String],
    now: Timestamp,
) -> Result<(Programme, Vec<LaunchCandidate>), LaunchError> {
    let mut found: Vec<Application> = Vec::new();
    for code in codes {
        let application = applications::find(tx, code)
            .await?
            .ok_or_else(|| LaunchError::UnknownApplication(code.clone()))?;
        if application.state != ApplicationState::Registered {
            return Err(LaunchError::NotOpen(code.clone()));
        }
        if let Some(first) =
            found.first().filter(|first| first.programme_id != application.programme_id)
        {
            return Err(LaunchError::OtherProgramme(code.clone(), first.code.clone()));
        }
        if !found.iter().any(|a| a.id == application.id) {
            found.push(application);
        }
    }
    let Some(first) = found.first() else {
        return Err(LaunchError::UnknownApplication(String::new()));
    };
    let programme = programmes::get(tx, first.programme_id).await?;
    let ids: Vec<ApplicationId> = found.iter().map(|a| a.id).collect();
    let shared = applications::sharing_a_list(tx, &ids).await?;
    if !shared.is_empty() {
        return Err(LaunchError::SharesPeople(shared.join(", ")));
    }
    let mut candidates = Vec::new();
    for application in found {
        candidates.push(check_candidate(tx, &programme, application, now).await?);
    }
    Ok((programme, candidates))
}

async fn check_candidate(
    tx: &mut WriteTx,
    programme: &Programme,
    application: Application,
    now: Timestamp,
) -> Result<LaunchCandidate, LaunchError> {
    let names = lists::names_by_segment(tx, application.id).await?;
    let deadline = match application.deadline(programme) {
        Ok(deadline) if !names.is_empty() => deadline,
        Err(NotStarted::FeeNotSettled) => return Err(LaunchError::FeeNotSettled(application.code)),
        Ok(_) | Err(NotStarted::NoList) => return Err(LaunchError::NoList(application.code)),
    };
    if application.held_since.is_some() {
        return Err(LaunchError::OnHold(application.code));
    }
    let closes_at = deadline.field_closes_at(programme.time_zone);
    if closes_at <= now {
        return Err(LaunchError::DueDayPast {
            code: application.code,
            due: deadline.dataset_due.to_string(),
        });
    }
    let quota = QuotaPlan::new(
        application.category,
        programme.cap(application.category),
        &names,
        &application.quota,
    )
    .map_err(|error| LaunchError::Quota { code: application.code.clone(), error })?;
    Ok(LaunchCandidate { names: names.values().sum(), application, quota, deadline, closes_at })
}

fn check_finishes_in_time(
    plan: &ContactPlan,
    windows: &[Option<StepWindow>],
    candidates: &[LaunchCandidate],
) -> Result<(), LaunchError> {
    let Some(first_closing) = candidates.iter().min_by_key(|c| c.closes_at) else { return Ok(()) };
    for (index, (step, window)) in plan.steps.iter().zip(windows).enumerate() {
        if window.is_some_and(|w| w.done < first_closing.closes_at) {
            continue;
        }
        return Err(LaunchError::TooLate {
            number: index + 1,
            name: step.name.clone(),
            until: window.map_or("no day within a year".to_owned(), |w| {
                w.done.date(plan.time_zone).to_string()
            }),
            code: first_closing.application.code.clone(),
            closes: first_closing.deadline.dataset_due.to_string(),
        });
    }
    Ok(())
}

/// Parts of each step over all people, and of its longest message.
fn count_parts(
    context: &AppContext,
    campaign: &str,
    plan: &ContactPlan,
    windows: &[Option<StepWindow>],
    candidates: &[LaunchCandidate],
    people: &[ListedPerson],
    now: Timestamp,
) -> Result<Vec<(u64, u32)>, LaunchError> {
    let by_id: HashMap<ApplicationId, &LaunchCandidate> =
        candidates.iter().map(|c| (c.application.id, c)).collect();
    let mut parts = vec![(0u64, 0u32); plan.steps.len()];
    let mut too_long = vec![0usize; plan.steps.len()];
    for person in people.iter().filter(|p| p.is_mobile) {
        let theirs: Vec<&LaunchCandidate> =
            person.applications.iter().filter_map(|id| by_id.get(id).copied()).collect();
        let Some(first) = theirs.first() else { continue };
        let details =
            open_person(&context.keys.sealer(&first.application.key_id)?, &person.person_sealed)?;
        let code = context.keys.hasher().link_code(
            campaign,
            &first.application.key_id,
            &person.phone_hash,
        );
        let link = context.personal_link(&code);
        let recipient = MessageRecipient {
            name: &details.name,
            applicant: &first.application.applicant_name,
            subjects: theirs.iter().map(|c| c.application.subject.title()).collect(),
            link: &link,
            language: person.language,
            field_closes_at: theirs.iter().map(|c| c.closes_at).min().unwrap_or(now),
        };
        for (index, step) in plan.steps.iter().enumerate() {
            let at = windows[index].map_or(now, |w| w.begins);
            let Some(texts) = step.texts() else { continue };
            let segmentation = compose_message(plan, texts, &recipient, at).segmentation;
            parts[index].0 += u64::from(segmentation.parts);
            parts[index].1 = parts[index].1.max(segmentation.parts);
            too_long[index] += usize::from(segmentation.parts > plan.max_parts);
        }
    }
    match too_long.iter().position(|&people| people > 0) {
        None => Ok(parts),
        Some(index) => Err(LaunchError::TooManyParts {
            number: index + 1,
            name: plan.steps[index].name.clone(),
            people: too_long[index],
            parts: parts[index].1,
            max: plan.max_parts,
        }),
    }
}

async fn store_campaign(
    context: &AppContext,
    tx: &mut WriteTx,
    request: &LaunchRequest<'_>,
    candidates: &[LaunchCandidate],
    now: Timestamp,
) -> Result<(), LaunchError> {
    let plan =
        serde_json::to_string(request.plan).map_err(|e| ContactPlanError::Toml(e.to_string()))?;
    let new = campaigns::NewCampaign {
        programme: candidates[0].application.programme_id,
        code: request.code,
        plan: &plan,
        gateway: request.gateway,
        budget_micros: request.budget.map(super::to_micros),
    };
    let campaign = campaigns::add(tx, &new, now).await?;
    for candidate in candidates {
        let (source, questionnaire) = questionnaires::load_for_category(
            context.config.questionnaires.as_deref(),
            candidate.application.category,
        )?;
        let (code, version) = (questionnaire.code.clone(), questionnaire.version);
        let frozen = campaigns::freeze_questionnaire(
            tx,
            &code,
            version,
            &sha256_hex(source.as_bytes()),
            &source,
        )
        .await?;
        let frozen = frozen.ok_or(LaunchError::ChangedQuestionnaire { code, version })?;
        assign_cells(context, tx, candidate, &questionnaire).await?;
        applications::launch(tx, candidate.application.id, campaign, frozen, candidate.closes_at)
            .await?;
        forecasts::set_due(tx, candidate.application.id, now).await?;
        application_events::add(
            tx,
            candidate.application.id,
            ApplicationEventKind::Launched,
            None,
            request.code,
            "campaign launch",
            now,
        )
        .await?;
    }
    Ok(())
}

/// Sets the quota, and finds the cells of each case, as far as the list tells.
async fn assign_cells(
    context: &AppContext,
    tx: &mut WriteTx,
    candidate: &LaunchCandidate,
    questionnaire: &Questionnaire,
) -> Result<(), LaunchError> {
    let LaunchCandidate { application, quota, .. } = candidate;
    let code = || application.code.clone();
    if let Some(field) =
        questionnaire.list_fields.iter().find(|field| !application.list_fields.contains_key(*field))
    {
        return Err(LaunchError::ListField { code: code(), field: field.clone() });
    }
    let kept: BTreeSet<&str> = application.list_fields.keys().map(String::as_str).collect();
    quota
        .check_names(&kept, questionnaire)
        .map_err(|error| LaunchError::Quota { code: code(), error })?;
    quotas::insert_cells(tx, application.id, quota).await?;
    if quota.cells.is_empty() {
        return Ok(());
    }
    let sealer = context.keys.sealer(&application.key_id)?;
    let mut known: HashMap<(String, BTreeMap<String, String>), CellMembership> = HashMap::new();
    let mut cells = Vec::new();
    for (case, listed) in cases::listed_facts(tx, application.id).await? {
        let fields = open_fields(&sealer, listed.fields_sealed.as_deref())?;
        let membership =
            known.entry((listed.segment, fields)).or_insert_with_key(|(segment, fields)| {
                let facts = RoutingFacts {
                    category: application.category.to_string(),
                    segment: segment.clone(),
                    mode: String::new(),
                    fields: fields.clone(),
                };
                quota.membership(&questionnaire.path(&BTreeMap::new(), &facts))
            });
        cells.push((case, *membership));
    }
    Ok(cases::set_cells(tx, &cells).await?)
}
