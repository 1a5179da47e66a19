//! The dispatcher: takes invitations that are due, and submits each one's next message, never twice, never against the rules, never too fast.
//!
//! In go invitations with a `next_at` in the past; out go messages through a gateway, and every outcome comes back into the database. A step is
//! marked `submitting` and committed before the gateway hears of it (invariant I1); the rules are checked when it is claimed and once more at
//! the moment of submit (I2); slots come from the rate that all daemons share, and a slot is good only at its time (I3). It decides nothing about
//! answers or quotas, and closes no field.
//!
//! [`claim`] takes and marks, [`eligibility`] decides, [`slots`] and [`submit`] send, [`settle`] writes what came of it, [`doubt`] asks after
//! messages whose answer was lost, [`incoming`] takes receipts and replies. [`Dispatcher::tick`] is one step of all that.

mod claim;
mod doubt;
mod eligibility;
pub mod incoming;
mod settle;
mod slots;
mod submit;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::campaign::read_plan;
use crate::crypto::{KeyRingError, SealError};
use crate::domain::contact_plan::{ContactPlan, ContactPlanError};
use crate::domain::ids::CampaignId;
use crate::domain::time::Timestamp;
use crate::installation::Installation;
use crate::store::campaigns::{self, Campaign};
use crate::store::{StoreError, invitations, rates};
pub use eligibility::is_askable;

#[derive(Debug, thiserror::Error)]
pub enum DispatchError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("campaign {code}: its stored plan cannot be read: {error}")]
    Plan { code: String, error: ContactPlanError },
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
    /// Nothing was due.
    pub fn is_idle(&self) -> bool {
        *self == Tick::default()
    }
}

/// Drives all running campaigns of an installation.
pub struct Dispatcher {
    installation: Arc<Installation>,
    plans: Mutex<HashMap<CampaignId, Arc<ContactPlan>>>,
}

impl Dispatcher {
    pub fn new(installation: Arc<Installation>) -> Dispatcher {
        Dispatcher { installation, plans: Mutex::default() }
    }

    /// One step: every running campaign gets one batch, and messages in doubt are asked after.
    pub async fn tick(&self) -> Result<Tick, DispatchError> {
        let mut tick = Tick { settled: doubt::settle_doubts(&self.installation).await?, ..Tick::default() };
        let now = self.installation.clock.now();
        let (due, held) = {
            let mut connection = self.installation.store.read().await?;
            (campaigns::with_due_invitations(&mut connection, now).await?, rates::paused(&mut connection, now).await?)
        };
        for campaign in due.into_iter().filter(|campaign| !held.iter().any(|(gateway, _)| *gateway == campaign.gateway)) {
            let plan = self.plan_of(&campaign)?;
            let Some(gateway) = self.installation.gateways.get(&campaign.gateway) else {
                tracing::error!(campaign = campaign.code, gateway = campaign.gateway, "the campaign's gateway is not configured; nothing is sent");
                continue;
            };
            let batch = claim::claim(&self.installation, &campaign, &plan).await?;
            tick.moved += batch.moved;
            tick.submitted += submit::submit_and_settle(&self.installation, gateway, &campaign, &plan, batch).await?;
        }
        Ok(tick)
    }

    /// When anything is due next, as far as it is planned: a step, a doubt, or the end of a gateway's pause that steps are waiting for.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, DispatchError> {
        let now = self.installation.clock.now();
        let mut connection = self.installation.store.read().await?;
        let planned = invitations::next_due(&mut connection).await?;
        let pause_ends = rates::paused(&mut connection, now).await?.into_iter().map(|(_, until)| until).min();
        let planned = planned.map(|at| if at <= now { pause_ends.unwrap_or(at) } else { at });
        let doubt = doubt::next_due(&mut connection, &self.installation).await?;
        Ok([planned, doubt].into_iter().flatten().min())
    }

    /// A launched plan never changes, so it is read once.
    fn plan_of(&self, campaign: &Campaign) -> Result<Arc<ContactPlan>, DispatchError> {
        let mut plans = self.plans.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(plan) = plans.get(&campaign.id) {
            return Ok(plan.clone());
        }
        let plan = read_plan(&campaign.plan).map_err(|error| DispatchError::Plan { code: campaign.code.clone(), error })?;
        Ok(plans.entry(campaign.id).or_insert(Arc::new(plan)).clone())
    }
}
