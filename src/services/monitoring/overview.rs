//! How everything stands: programmes with their applications, the most endangered first; gateways; and what waits for a person.

use super::WatchError;
use crate::services::deadlines::{self, Overview};
use crate::domain::time::Timestamp;
use crate::services::context::Installation;
use crate::adapters::database::alarms::{self, Alarm};
use crate::adapters::database::deliveries::{self, Problem};
use crate::adapters::database::events::{self, Endpoint};
use crate::adapters::database::{lists, messages, programmes, rates, replies};

/// A webhook that takes nothing for so long wants somebody to look.
const FAILING_FOR: std::time::Duration = std::time::Duration::from_secs(900);

pub struct Board {
    pub at: Timestamp,
    pub programmes: Vec<ProgrammeOf>,
    pub gateways: Vec<GatewayOf>,
    pub waiting: Waiting,
}

pub struct ProgrammeOf {
    pub code: String,
    /// In Chinese and in English.
    pub name: (String, String),
    pub applications: Vec<Overview>,
}

/// How a gateway does.
#[derive(Debug, Clone)]
pub struct GatewayOf {
    pub name: String,
    /// Of its own rate, in thousandths: below 1000 it has been slowed down.
    pub pace_permille: i64,
    pub paused_until: Option<Timestamp>,
    pub paused_because: Option<String>,
}

/// What waits for a person.
pub struct Waiting {
    pub alarms: Vec<Alarm>,
    pub in_doubt: usize,
    pub call_backs: usize,
    pub replies: usize,
    /// Rejected versions and deliveries that were given up.
    pub problems: Vec<Problem>,
    /// Lists of which rows were rejected: the applications, rows, of them rejected, and when.
    pub rejected: Vec<(String, u64, u64, Timestamp)>,
    /// Webhooks that take no events.
    pub webhooks: Vec<String>,
}

impl Waiting {
    pub fn is_empty(&self) -> bool {
        self.alarms.is_empty()
            && self.in_doubt == 0
            && self.replies == 0
            && self.problems.is_empty()
            && self.rejected.is_empty()
            && self.webhooks.is_empty()
    }
}

pub async fn board(installation: &Installation) -> Result<Board, WatchError> {
    let now = installation.clock.now();
    let codes = programmes::codes(&mut *installation.store.read().await?).await?;
    let mut shown = Vec::with_capacity(codes.len());
    for code in codes {
        let Some(applications) = deadlines::overview(installation, &code).await? else { continue };
        let name = programmes::find(&mut *installation.store.read().await?, &code).await?.map(|(_, programme)| programme.name);
        let name = name.map_or_else(Default::default, |name| (name.zh, name.en));
        shown.push(ProgrammeOf { code, name, applications });
    }
    let mut connection = installation.store.read().await?;
    let states = rates::states(&mut connection, now).await?;
    let gateway = |name: &String| {
        let state = states.get(name);
        GatewayOf {
            name: name.clone(),
            pace_permille: state.map_or(1000, |state| state.pace_permille),
            paused_until: state.map(|state| state.paused_until).filter(|until| *until > now),
            paused_because: state.and_then(|state| state.paused_because.clone()),
        }
    };
    let gateways = installation.gateways.keys().map(gateway).collect();
    drop(connection);
    Ok(Board { at: now, programmes: shown, gateways, waiting: waiting(installation).await? })
}

pub async fn waiting(installation: &Installation) -> Result<Waiting, WatchError> {
    let now = installation.clock.now();
    let mut connection = installation.store.read().await?;
    let inbox = replies::inbox(&mut connection, None, false).await?;
    let mut alarms = alarms::list(&mut connection, false).await?;
    alarms.sort_by(|a, b| a.chance.total_cmp(&b.chance));
    let failing = |endpoint: &Endpoint| endpoint.failing_since.is_some_and(|since| since + FAILING_FOR <= now);
    Ok(Waiting {
        alarms,
        in_doubt: messages::doubts(&mut connection, now - installation.config.dispatch.ask_after).await?.len(),
        call_backs: inbox.iter().filter(|reply| reply.meaning == "call_me").count(),
        replies: inbox.len(),
        problems: deliveries::problems(&mut connection).await?,
        rejected: lists::with_rejected_rows(&mut connection).await?,
        webhooks: events::endpoints(&mut connection).await?.into_iter().filter(failing).map(|endpoint| endpoint.name).collect(),
    })
}
