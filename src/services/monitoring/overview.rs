//! The overview of the home page: programmes with their applications, those in most danger first;
//! gateways; and the work that awaits a person.

use super::MonitoringError;
use crate::adapters::database::accounts;
use crate::adapters::database::alarms::{self, Alarm};
use crate::adapters::database::audit::{self, AuditFilter};
use crate::adapters::database::deliveries::{self, DeliveryProblem};
use crate::adapters::database::events;
use crate::adapters::database::stuck_work::{self, StuckWork};
use crate::adapters::database::{campaigns, drafts, lists, messages, programmes, rates, replies};
use crate::domain::audit::Action;
use crate::domain::time::Timestamp;
use crate::domain::webhook_state::WebhookState;
use crate::services::context::AppContext;
use crate::services::deadlines::{self, ApplicationOverview};
use crate::services::holidays::{self, MissingYear};
use crate::services::response_quality;
use crate::services::stuck_work::STUCK_AFTER;

pub struct SystemOverview {
    pub at: Timestamp,
    pub programmes: Vec<ProgrammeOverview>,
    pub gateways: Vec<GatewayHealth>,
    pub pending_work: PendingWork,
    /// What is left to do before the first launch; `None`: something was launched.
    pub first_steps: Option<FirstSteps>,
}

/// What has been done before the first launch of an installation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FirstSteps {
    pub has_programme: bool,
    /// Somebody besides the first administrator has a password.
    pub has_colleague: bool,
    /// A test message has gone out.
    pub has_test: bool,
    pub has_application: bool,
    /// A list is imported.
    pub has_list: bool,
    /// A campaign draft, if there is one.
    pub draft: Option<String>,
}

pub struct ProgrammeOverview {
    pub code: String,
    /// The name in Chinese and English.
    pub name: (String, String),
    pub applications: Vec<ApplicationOverview>,
}

/// The state of a gateway.
#[derive(Debug, Clone)]
pub struct GatewayHealth {
    pub name: String,
    /// The pace in thousandths of the gateway's own rate: below 1000 it is throttled.
    pub pace_permille: i64,
    pub paused_until: Option<Timestamp>,
    pub paused_because: Option<String>,
}

/// The work that awaits a person.
pub struct PendingWork {
    pub alarms: Vec<Alarm>,
    pub in_doubt: usize,
    pub call_backs: usize,
    pub replies: usize,
    /// Rejected versions, and deliveries that were given up.
    pub problems: Vec<DeliveryProblem>,
    /// Lists with rejected rows: the applications, rows, rejected rows, and the time.
    pub rejected: Vec<(String, u64, u64, Timestamp)>,
    /// Webhooks that are failing or disabled.
    pub webhooks: Vec<FailingWebhook>,
    /// Work that fails again and again.
    pub stuck: Vec<StuckWork>,
    /// Applications with responses that came from one place, about which nothing is decided, and
    /// how many.
    pub clusters: Vec<(String, u64)>,
    /// Years that running campaigns reach and whose holidays nobody has entered.
    pub missing_holidays: Vec<MissingYear>,
}

/// A webhook that somebody has to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailingWebhook {
    pub name: String,
    pub is_disabled: bool,
    /// Events that it has not accepted.
    pub waiting: u64,
    pub last_error: Option<String>,
}

impl PendingWork {
    pub fn is_empty(&self) -> bool {
        self.alarms.is_empty()
            && self.in_doubt == 0
            && self.replies == 0
            && self.problems.is_empty()
            && self.rejected.is_empty()
            && self.webhooks.is_empty()
            && self.stuck.is_empty()
            && self.clusters.is_empty()
            && self.missing_holidays.is_empty()
    }
}

pub async fn system_overview(context: &AppContext) -> Result<SystemOverview, MonitoringError> {
    let now = context.clock.now();
    let codes = programmes::codes(&mut *context.database.read().await?).await?;
    let mut overviews = Vec::with_capacity(codes.len());
    for code in codes {
        let Some(applications) = deadlines::programme_overview(context, &code).await? else {
            continue;
        };
        let name = programmes::find(&mut *context.database.read().await?, &code)
            .await?
            .map(|(_, programme)| programme.name);
        let name =
            name.map_or_else(Default::default, |name| (name.zh().to_owned(), name.en().to_owned()));
        overviews.push(ProgrammeOverview { code, name, applications });
    }
    let mut connection = context.database.read().await?;
    let states = rates::states(&mut connection, now).await?;
    let gateway = |name: &String| {
        let state = states.get(name);
        GatewayHealth {
            name: name.clone(),
            pace_permille: state.map_or(1000, |state| state.rate_permille),
            paused_until: state.map(|state| state.paused_until).filter(|until| *until > now),
            paused_because: state.and_then(|state| state.paused_because.clone()),
        }
    };
    let gateways = context.gateways.keys().map(gateway).collect();
    drop(connection);
    let first_steps = first_steps(context, &overviews).await?;
    Ok(SystemOverview {
        first_steps,
        at: now,
        programmes: overviews,
        gateways,
        pending_work: pending_work(context).await?,
    })
}

async fn first_steps(
    context: &AppContext,
    programmes: &[ProgrammeOverview],
) -> Result<Option<FirstSteps>, MonitoringError> {
    let mut connection = context.database.read().await?;
    if !campaigns::all(&mut connection).await?.is_empty() {
        return Ok(None);
    }
    let tests = AuditFilter { action: Some(Action::TestMessageSent), ..AuditFilter::default() };
    let active = accounts::all(&mut connection).await?.into_iter();
    let active = active.filter(|account| account.disabled_at.is_none() && account.has_password);
    let applications = || programmes.iter().flat_map(|programme| &programme.applications);
    Ok(Some(FirstSteps {
        has_programme: !programmes.is_empty(),
        has_colleague: active.count() > 1,
        has_test: !audit::entries(&mut connection, &tests, 1).await?.is_empty(),
        has_application: applications().next().is_some(),
        has_list: applications().any(|application| application.names > 0),
        draft: drafts::campaigns(&mut connection).await?.into_iter().next().map(|draft| draft.code),
    }))
}

pub async fn pending_work(context: &AppContext) -> Result<PendingWork, MonitoringError> {
    let now = context.clock.now();
    let mut connection = context.database.read().await?;
    let inbox = replies::inbox(&mut connection, None, false).await?;
    let alarms = alarms::in_field(&mut connection).await?;
    let mut webhooks = Vec::new();
    for endpoint in events::readable_endpoints(&mut connection).await? {
        let state = endpoint.state(now);
        if state.needs_attention() {
            webhooks.push(FailingWebhook {
                is_disabled: state == WebhookState::Disabled,
                waiting: events::count_pending(&mut connection, endpoint.id).await?,
                name: endpoint.name,
                last_error: endpoint.last_error,
            });
        }
    }
    Ok(PendingWork {
        alarms,
        in_doubt: messages::list_in_doubt(
            &mut connection,
            now - context.config.dispatch.query_after,
        )
        .await?
        .len(),
        call_backs: inbox.iter().filter(|reply| reply.meaning == "call_me").count(),
        replies: inbox.len(),
        problems: deliveries::open_problems(&mut connection).await?,
        rejected: lists::with_rejected_rows(&mut connection).await?,
        webhooks,
        stuck: stuck_work::list(&mut connection, STUCK_AFTER).await?,
        clusters: response_quality::to_be_reviewed(context).await?,
        missing_holidays: holidays::missing_years(context, chrono_tz::Asia::Shanghai).await?,
    })
}
