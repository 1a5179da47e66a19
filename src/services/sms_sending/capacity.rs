//! How many messages each gateway of a route takes now: what its rate has room for, nothing while it is held still, one while it is on probation.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::adapters::config::{Route, Way};
use crate::domain::phone::Phone;
use crate::domain::time::Timestamp;
use crate::services::context::Installation;
use crate::adapters::database::rates::{GatewayState, Pace, pace_of};

pub type States = BTreeMap<String, GatewayState>;

/// A gateway whose slots are taken so far ahead has enough to do.
const ENOUGH: Duration = Duration::from_millis(1_000);
/// Each worker claims its share of so much of a second.
const MOMENTS_A_SECOND: u32 = 5;
/// Slots are taken a few seconds ahead at most.
pub const NEVER_BOOKED_SO_FAR: Duration = Duration::from_secs(10);
/// So long it is watched whether anybody takes slots further ahead.
pub const WATCHED_FOR: Duration = Duration::from_secs(3);

struct Room {
    left: u32,
    /// Messages that wanted to go and had to be put off.
    over: u32,
    per_second: u32,
    opens_at: Timestamp,
    paused: bool,
}

pub struct Rooms(HashMap<String, Room>);

/// Where a message goes, or when it is tried again.
pub enum Place {
    Through(String),
    Later(Timestamp),
    /// No gateway of the route takes the number.
    Never,
}

/// The pace of a configured gateway.
pub fn pace(installation: &Installation, gateway: &str) -> Pace {
    let per_second = installation.config.gateways.get(gateway).map_or(1, |g| g.rate_per_second);
    let batch = installation.gateways.get(gateway).map_or(1, |g| g.capabilities().batch);
    pace_of(per_second, batch)
}

impl Rooms {
    pub fn new(installation: &Installation, route: &Route, states: States, now: Timestamp) -> Rooms {
        let room = |name: &str| {
            let pace = pace(installation, name);
            let state = states.get(name);
            let (paused_until, free_from) = state.map_or((now, now), |state| (state.paused_until, state.free_from));
            // What is marked and not sent when a daemon dies comes into doubt: all its workers together take what goes out in a moment.
            let share = (pace.per_second / (MOMENTS_A_SECOND * super::WORKERS)).max(pace.group).min(installation.config.dispatch.batch).max(1);
            let opens_at = paused_until.max(free_from - ENOUGH);
            let left = match state {
                _ if opens_at > now || !installation.gateways.contains_key(name) => 0,
                Some(state) if state.openings > 0 => 1,
                _ => share,
            };
            Room { left, over: 0, per_second: pace.per_second, opens_at: opens_at.max(now), paused: paused_until > now }
        };
        Rooms(route.gateways().map(|name| (name.to_owned(), room(name))).collect())
    }

    pub fn any(&self) -> bool {
        self.0.values().any(|room| room.left > 0)
    }

    /// Over all gateways.
    pub fn total(&self) -> u32 {
        self.0.values().map(|room| room.left).sum()
    }

    /// When the first of them takes something; `now` if one does already.
    pub fn opens_at(&self, now: Timestamp) -> Timestamp {
        self.0.values().map(|room| if room.left > 0 { now } else { room.opens_at }).min().unwrap_or(now)
    }

    /// Is there another gateway in working order?
    pub fn works_beside(&self, gateway: &str) -> bool {
        self.0.iter().any(|(name, room)| name != gateway && !room.paused)
    }

    /// Finds a place for a message, and takes it.
    pub fn place(&mut self, route: &Route, phone: &Phone, phone_hash: &str, avoid: Option<&str>, now: Timestamp) -> Place {
        match route.choose(phone, phone_hash, avoid, |name| self.0.get(name).is_some_and(|room| !room.paused)) {
            Way::Never => Place::Never,
            Way::NoneNow => {
                let opens = route.fitting(phone).filter_map(|name| self.0.get(name)).map(|room| room.opens_at).min();
                Place::Later(opens.unwrap_or(now).max(now + ENOUGH))
            }
            Way::Through(name) => match self.0.get_mut(name) {
                Some(room) if room.left > 0 => {
                    room.left -= 1;
                    Place::Through(name.to_owned())
                }
                // Those that find no room stand in line behind each other, so that they do not stand before messages for other gateways.
                Some(room) => {
                    room.over += 1;
                    Place::Later(room.opens_at + ENOUGH + Duration::from_millis(u64::from(room.over) * 1000 / u64::from(room.per_second)))
                }
                None => Place::Never,
            },
        }
    }
}
