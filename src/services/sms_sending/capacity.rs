//! How many messages each gateway of a route takes now: what its rate has room for, nothing while
//! it is paused, one while it is on probation.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::adapters::config::{Route, RouteDecision};
use crate::adapters::database::rates::{GatewayState, SendRate, send_rate};
use crate::domain::phone::Phone;
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;

pub type GatewayStates = BTreeMap<String, GatewayState>;

/// A gateway whose slots are taken so far ahead has enough to do.
const MAX_BACKLOG: Duration = Duration::from_millis(1_000);
/// Each worker claims its share of so much of a second.
const CLAIMS_PER_SECOND: u32 = 5;
/// Slots are taken a few seconds ahead at most.
pub const MAX_PLAUSIBLE_LEAD: Duration = Duration::from_secs(10);
/// So long it is watched whether anybody takes slots further ahead.
pub const CLOCK_RESET_OBSERVATION: Duration = Duration::from_secs(3);

struct GatewayCapacity {
    left: u32,
    /// Messages that wanted to go and had to be put off.
    deferred: u32,
    per_second: u32,
    available_at: Timestamp,
    paused: bool,
}

pub struct RouteCapacity(HashMap<String, GatewayCapacity>);

/// Where a message goes, or when it is tried again.
pub enum GatewayAssignment {
    Assigned(String),
    RetryAt(Timestamp),
    /// No gateway of the route takes the number.
    NoGateway,
}

/// The pace of a configured gateway.
pub fn gateway_pace(context: &AppContext, gateway: &str) -> SendRate {
    let per_second = context.config.gateways.get(gateway).map_or(1, |g| g.rate_per_second);
    let batch = context.gateways.get(gateway).map_or(1, |g| g.capabilities().batch);
    send_rate(per_second, batch)
}

impl RouteCapacity {
    pub fn new(
        context: &AppContext,
        route: &Route,
        states: GatewayStates,
        now: Timestamp,
    ) -> RouteCapacity {
        let capacity = |name: &str| {
            let rate = gateway_pace(context, name);
            let state = states.get(name);
            let (paused_until, free_from) =
                state.map_or((now, now), |state| (state.paused_until, state.free_from));
            // What is marked and not sent when a daemon dies comes into doubt: all its workers
            // together take what goes out in a moment.
            let share = (rate.per_second / (CLAIMS_PER_SECOND * super::WORKERS_PER_ROUTE))
                .max(rate.group)
                .min(context.config.dispatch.batch)
                .max(1);
            let available_at = paused_until.max(free_from - MAX_BACKLOG);
            let left = match state {
                _ if available_at > now || !context.gateways.contains_key(name) => 0,
                Some(state) if state.circuit_open_count > 0 => 1,
                _ => share,
            };
            GatewayCapacity {
                left,
                deferred: 0,
                per_second: rate.per_second,
                available_at: available_at.max(now),
                paused: paused_until > now,
            }
        };
        RouteCapacity(route.gateways().map(|name| (name.to_owned(), capacity(name))).collect())
    }

    pub fn has_capacity(&self) -> bool {
        self.0.values().any(|capacity| capacity.left > 0)
    }

    /// Over all gateways.
    pub fn total(&self) -> u32 {
        self.0.values().map(|capacity| capacity.left).sum()
    }

    /// When the first of them takes something; `now` if one does already.
    pub fn available_at(&self, now: Timestamp) -> Timestamp {
        self.0
            .values()
            .map(|capacity| if capacity.left > 0 { now } else { capacity.available_at })
            .min()
            .unwrap_or(now)
    }

    /// Is there another gateway in working order?
    pub fn has_alternative(&self, gateway: &str) -> bool {
        self.0.iter().any(|(name, capacity)| name != gateway && !capacity.paused)
    }

    /// Finds a place for a message, and takes it.
    pub fn assign_gateway(
        &mut self,
        route: &Route,
        phone: &Phone,
        phone_hash: &str,
        avoid: Option<&str>,
        now: Timestamp,
    ) -> GatewayAssignment {
        match route.choose(phone, phone_hash, avoid, |name| {
            self.0.get(name).is_some_and(|capacity| !capacity.paused)
        }) {
            RouteDecision::NoMatch => GatewayAssignment::NoGateway,
            RouteDecision::AllPaused => {
                let opens = route
                    .matching(phone)
                    .filter_map(|name| self.0.get(name))
                    .map(|capacity| capacity.available_at)
                    .min();
                GatewayAssignment::RetryAt(opens.unwrap_or(now).max(now + MAX_BACKLOG))
            }
            RouteDecision::Through(name) => match self.0.get_mut(name) {
                Some(capacity) if capacity.left > 0 => {
                    capacity.left -= 1;
                    GatewayAssignment::Assigned(name.to_owned())
                }
                // Those that find no room stand in line behind each other, so that they do not
                // stand before messages for other gateways.
                Some(capacity) => {
                    capacity.deferred += 1;
                    GatewayAssignment::RetryAt(
                        capacity.available_at
                            + MAX_BACKLOG
                            + Duration::from_millis(
                                u64::from(capacity.deferred) * 1000
                                    / u64::from(capacity.per_second),
                            ),
                    )
                }
                None => GatewayAssignment::NoGateway,
            },
        }
    }
}
