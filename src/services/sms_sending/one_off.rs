//! One message beside all campaigns: to the duty officer, or a test to oneself. Within the gateway's rate like every other (invariant I3).

use std::sync::Arc;

use super::DispatchError;
use super::slots::Slots;
use crate::domain::time::Timestamp;
use crate::adapters::sms::{Outcome, OutgoingMessage};
use crate::services::context::Installation;

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    Accepted,
    /// It is not to be tried again: it was refused, or may have gone out.
    Never(String),
    NotNow(String),
}

/// Sends a message through one gateway, when its rate allows.
pub async fn send_one(installation: &Arc<Installation>, name: &str, message: &OutgoingMessage) -> Sent {
    let Some(gateway) = installation.gateways.get(name) else { return Sent::Never("its gateway is not set up any more".into()) };
    let slot = match slot(installation, name).await {
        Ok(Some(slot)) => slot,
        Ok(None) => return Sent::NotNow("the gateway is held still, or has no room".into()),
        Err(error) => return Sent::NotNow(error.to_string()),
    };
    installation.clock.sleep_until(slot).await;
    let submitted = gateway.submit(std::slice::from_ref(message)).await;
    match submitted.outcomes.into_iter().next() {
        Some(Outcome::Accepted { .. }) => Sent::Accepted,
        Some(Outcome::InDoubt { code }) => Sent::Never(format!("in doubt ({code}): it may have gone out")),
        Some(Outcome::RefusedNumber { code } | Outcome::OptedOut { code }) => Sent::Never(format!("the gateway refuses the number ({code})")),
        Some(
            Outcome::DeferredNumber { code } | Outcome::SlowDown { code, .. } | Outcome::PassingFailure { code } | Outcome::AccountFailure { code },
        ) => Sent::NotNow(format!("the gateway did not take it ({code})")),
        Some(Outcome::RefusedTogether) | None => Sent::NotNow("the gateway did not take it".into()),
    }
}

/// A slot of the gateway's. A single one may be over before the commit that took it is done, on a slow disk; then another is taken.
async fn slot(installation: &Arc<Installation>, gateway: &str) -> Result<Option<Timestamp>, DispatchError> {
    let mut slots = Slots::new(installation, gateway);
    for _ in 0..5 {
        if let Some(slot) = slots.next(1).await? {
            return Ok(Some(slot));
        }
    }
    Ok(None)
}
