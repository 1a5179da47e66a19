//! The dispatcher: takes invitations that are due, and submits each one's next message, never
//! twice, never against the rules, never too fast.
//!
//! It sends the next message of every due invitation through a gateway and stores every outcome. A
//! step is committed as `submitting` before the gateway receives it (invariant I1). The rules are
//! checked when it is claimed and again at the moment of submit (I2). Slots come from the rate that
//! all daemons share, and a slot is valid only at its time (I3). The dispatcher decides nothing
//! about answers or quotas, and closes no field.
//!
//! [`claim`] takes and marks invitations, [`eligibility`] decides, [`capacity`] says how much each
//! gateway takes now, [`slots`], [`submit`] and [`parts`] send, and [`settle`] stores the outcomes.
//! [`circuit_breakers`] pause failing gateways, [`in_doubt`] queries messages whose answer was
//! lost, [`incoming`] takes receipts and replies. [`Dispatcher::tick`] is one step of all that; the
//! daemon runs [`Dispatcher::tick_route`] in [`WORKERS_PER_ROUTE`] loops for each gateway, so that
//! one claims while another sends and a third writes.

mod capacity;
mod circuit_breakers;
mod claim;
mod claim_facts;
pub mod eligibility;
pub mod in_doubt;
pub mod one_off;
mod parts;
mod prepare;
pub mod receipts;
mod settle;
mod slots;
mod submit;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Semaphore;
use tracing::Instrument;
use tracing::field::Empty;

use crate::adapters::config::Route;
use crate::adapters::crypto::{KeyRingError, SealError};
use crate::adapters::database::campaigns::{self, Campaign};
use crate::adapters::database::{DatabaseError, invitations, programmes, rates};
use crate::domain::contact_plan::{ContactPlan, ContactPlanError};
use crate::domain::ids::CampaignId;
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;
use crate::services::stuck_work::{Isolation, WorkKind};
use capacity::RouteCapacity;
use circuit_breakers::CircuitBreakers;
pub use claim_facts::INTERVIEW_IS_STALE;

/// So many loops drive each gateway of the daemon.
pub const WORKERS_PER_ROUTE: u32 = 3;

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "dispatch.", serialize_all = "snake_case")]
pub enum DispatchError {
    #[error(transparent)]
    #[strum(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    #[strum(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    #[strum(transparent)]
    Seal(#[from] SealError),
    #[error("campaign {code}: its stored plan cannot be read: {error}")]
    Plan { code: String, error: ContactPlanError },
    #[error("a task of the dispatcher broke off; its messages come into doubt")]
    TaskPanicked,
}

/// What one tick did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tick {
    /// Messages submitted to a gateway.
    pub submitted: u64,
    /// Invitations moved on without a message: put off, or ended.
    pub moved: u64,
    /// Messages in doubt that were settled.
    pub settled: u64,
}

impl Tick {
    /// Nothing was due, or nothing could go now.
    pub fn is_idle(&self) -> bool {
        *self == Tick::default()
    }

    fn add(&mut self, other: Tick) {
        self.submitted += other.submitted;
        self.moved += other.moved;
        self.settled += other.settled;
    }
}

/// What hardly ever changes about a campaign while it runs.
struct CachedPlan {
    /// The text that `plan` was read from.
    stored: String,
    plan: ContactPlan,
    programme: String,
}

/// Drives all running campaigns of an installation.
pub struct Dispatcher {
    context: Arc<AppContext>,
    cached_plans: Mutex<HashMap<CampaignId, Arc<CachedPlan>>>,
    /// Requests that each gateway may have at a time.
    permits: HashMap<String, Arc<Semaphore>>,
    circuit_breakers: Arc<CircuitBreakers>,
    /// Gateways whose slots are all taken far ahead: up to when, and since when we have seen that.
    reserved_ahead: Mutex<HashMap<String, (Timestamp, Timestamp)>>,
}

/// One campaign's way to its gateways, for as long as one tick lasts.
struct DispatchJob {
    context: Arc<AppContext>,
    campaign: Campaign,
    cached_plan: Arc<CachedPlan>,
    route: Route,
    permits: HashMap<String, Arc<Semaphore>>,
    circuit_breakers: Arc<CircuitBreakers>,
}

impl DispatchJob {
    fn plan(&self) -> &ContactPlan {
        &self.cached_plan.plan
    }
}

impl Dispatcher {
    pub fn new(context: Arc<AppContext>) -> Dispatcher {
        let gateways = &context.config.gateways;
        let permits = gateways
            .iter()
            .map(|(name, gateway)| {
                (name.clone(), Arc::new(Semaphore::new(gateway.in_flight as usize)))
            })
            .collect();
        Dispatcher {
            context,
            cached_plans: Mutex::default(),
            permits,
            circuit_breakers: Arc::default(),
            reserved_ahead: Mutex::default(),
        }
    }

    /// The names that campaigns may go through: gateways and routes. Each is a lane of its own, so
    /// that a slow one holds up no other.
    pub fn route_names(&self) -> Vec<String> {
        let config = &self.context.config;
        config.gateways.keys().chain(config.routes.keys()).cloned().collect()
    }

    /// One step: every running campaign gets one batch, and messages in doubt are asked after.
    pub async fn tick(&self) -> Result<Tick, DispatchError> {
        let mut tick = self.tick_in_doubt().await?;
        tick.add(self.tick_campaigns(None).await?);
        Ok(tick)
    }

    /// One step of messages in doubt alone.
    pub async fn tick_in_doubt(&self) -> Result<Tick, DispatchError> {
        Ok(Tick { settled: in_doubt::resolve_in_doubt(&self.context).await?, ..Tick::default() })
    }

    /// One step of the campaigns that go through one gateway or route.
    pub async fn tick_route(&self, route_name: &str) -> Result<Tick, DispatchError> {
        self.tick_campaigns(Some(route_name)).await
    }

    async fn tick_campaigns(&self, route_name: Option<&str>) -> Result<Tick, DispatchError> {
        let mut tick = Tick::default();
        // A clock that is a day ahead would send tomorrow's reminders.
        if self.context.is_clock_settling() {
            return Ok(tick);
        }
        let now = self.context.clock.now();
        let due =
            campaigns::with_due_invitations(&mut *self.context.database.read().await?, now).await?;
        let due: Vec<Campaign> = due
            .into_iter()
            .filter(|campaign| route_name.is_none_or(|name| name == campaign.gateway))
            .collect();
        if due.is_empty() {
            return Ok(tick);
        }
        let mut isolation = Isolation::load(&self.context, WorkKind::Dispatch).await?;
        for campaign in due {
            let Some(route) = self.context.config.route(&campaign.gateway) else {
                tracing::error!(
                    campaign = campaign.code,
                    gateway = campaign.gateway,
                    "the campaign's gateway is not configured; nothing is sent"
                );
                continue;
            };
            let states = rates::states(&mut *self.context.database.read().await?, now).await?;
            self.free_slots_after_clock_reset(&route, &states, now).await?;
            let capacity = RouteCapacity::new(&self.context, &route, states, now);
            if !capacity.has_capacity() {
                continue;
            }
            let code = campaign.code.clone();
            if isolation.holds_back(&code) {
                continue;
            }
            let result = self.tick_campaign(campaign, route, capacity).await;
            tick.add(isolation.record(&code, result).await?.unwrap_or_default());
        }
        Ok(tick)
    }

    /// One batch of one campaign.
    async fn tick_campaign(
        &self,
        campaign: Campaign,
        route: Route,
        capacity: RouteCapacity,
    ) -> Result<Tick, DispatchError> {
        let cached_plan = self.load_plan(&campaign).await?;
        let (permits, circuit_breakers) = (self.permits.clone(), self.circuit_breakers.clone());
        let job = Arc::new(DispatchJob {
            context: self.context.clone(),
            campaign,
            cached_plan,
            route,
            permits,
            circuit_breakers,
        });
        let span = tracing::debug_span!(
            "dispatch_batch",
            campaign = job.campaign.code,
            advanced = Empty,
            submitted = Empty
        );
        let sent = async {
            let batch = claim::claim(&job, capacity).await?;
            let moved = batch.moved;
            Ok::<_, DispatchError>((moved, submit::submit_and_settle(&job, batch).await?))
        };
        let (moved, submitted) = sent.instrument(span.clone()).await?;
        // Signed ones: an unsigned number would be told as a text.
        span.record("advanced", moved as i64).record("submitted", submitted as i64);
        Ok(Tick { moved, submitted, settled: 0 })
    }

    /// When anything is due next, as far as it is planned: a step, a doubt, or the time from which
    /// gateways take what is due already.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, DispatchError> {
        let now = self.context.clock.now();
        let mut connection = self.context.database.read().await?;
        let doubt = in_doubt::next_due(&mut connection, &self.context).await?;
        let mut next = Vec::from_iter(doubt);
        let states = rates::states(&mut connection, now).await?;
        let due: BTreeSet<String> = campaigns::with_due_invitations(&mut connection, now)
            .await?
            .into_iter()
            .map(|c| c.gateway)
            .collect();
        for route in due.iter().filter_map(|name| self.context.config.route(name)) {
            next.push(
                RouteCapacity::new(&self.context, &route, states.clone(), now).available_at(now),
            );
        }
        next.extend(invitations::next_due_after(&mut connection, now).await?);
        Ok(next.into_iter().min())
    }

    /// A launched plan changes only by the holidays of a year that staff enter; until then it is read
    /// once.
    async fn load_plan(&self, campaign: &Campaign) -> Result<Arc<CachedPlan>, DispatchError> {
        if let Some(cached_plan) = lock(&self.cached_plans).get(&campaign.id)
            && cached_plan.stored == campaign.plan
        {
            return Ok(cached_plan.clone());
        }
        let plan = ContactPlan::from_stored(&campaign.plan)
            .map_err(|error| DispatchError::Plan { code: campaign.code.clone(), error })?;
        let programme =
            programmes::get(&mut *self.context.database.read().await?, campaign.programme_id)
                .await?
                .code;
        let cached_plan = Arc::new(CachedPlan { stored: campaign.plan.clone(), plan, programme });
        lock(&self.cached_plans).insert(campaign.id, cached_plan.clone());
        Ok(cached_plan)
    }

    /// Slots are never taken far ahead; if they are, a clock has been set back since. When nobody
    /// takes more of them, they are freed: another daemon whose clock is ahead would.
    async fn free_slots_after_clock_reset(
        &self,
        route: &Route,
        states: &capacity::GatewayStates,
        now: Timestamp,
    ) -> Result<(), DispatchError> {
        for gateway in route.gateways() {
            let Some(state) = states
                .get(gateway)
                .filter(|state| state.free_from > now + capacity::MAX_PLAUSIBLE_LEAD)
            else {
                continue;
            };
            let seen = *lock(&self.reserved_ahead)
                .entry(gateway.to_owned())
                .or_insert((state.free_from, now));
            if seen.0 != state.free_from {
                tracing::error!(
                    gateway,
                    "another daemon's clock is ahead of this one's; nothing is sent from here \
                        until they agree"
                );
                lock(&self.reserved_ahead).remove(gateway);
            } else if now.since(seen.1) >= capacity::CLOCK_RESET_OBSERVATION {
                tracing::warn!(
                    gateway,
                    "the clock has been set back; the gateway's slots are counted anew"
                );
                let mut tx = self.context.database.write().await?;
                rates::release_slots(&mut tx, gateway, now + capacity::CLOCK_RESET_OBSERVATION)
                    .await?;
                tx.commit().await?;
                lock(&self.reserved_ahead).remove(gateway);
            }
        }
        Ok(())
    }
}

/// What is behind these locks is whole at every moment, whoever panicked with one in hand.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
