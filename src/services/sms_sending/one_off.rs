//! One message beside all campaigns: to the duty officer, or a test to oneself. Within the
//! gateway's rate like every other (invariant I3).

use std::sync::Arc;

use super::DispatchError;
use super::slots::Slots;
use crate::adapters::sms::{OutgoingMessage, SubmitOutcome};
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OneOffResult {
    Accepted,
    /// It is not to be tried again: it was refused, or may have gone out.
    DoNotRetry(String),
    RetryLater(String),
}

/// Sends a message through one gateway, when its rate allows.
pub async fn send_one_message(
    context: &Arc<AppContext>,
    name: &str,
    message: &OutgoingMessage,
) -> OneOffResult {
    let Some(gateway) = context.gateways.get(name) else {
        return OneOffResult::DoNotRetry("its gateway is not set up any more".into());
    };
    let slot = match take_slot(context, name).await {
        Ok(Some(slot)) => slot,
        Ok(None) => {
            return OneOffResult::RetryLater("the gateway is paused, or has no capacity".into());
        }
        Err(error) => return OneOffResult::RetryLater(error.to_string()),
    };
    context.clock.sleep_until(slot).await;
    let submitted = gateway.submit(std::slice::from_ref(message)).await;
    match submitted.outcomes.into_iter().next() {
        Some(SubmitOutcome::Accepted { .. }) => OneOffResult::Accepted,
        Some(SubmitOutcome::InDoubt { code }) => {
            OneOffResult::DoNotRetry(format!("in doubt ({code}): it may have gone out"))
        }
        Some(
            SubmitOutcome::RefusedNumber { code }
            | SubmitOutcome::RefusedMessage { code }
            | SubmitOutcome::OptedOut { code },
        ) => OneOffResult::DoNotRetry(format!("the gateway refuses the number ({code})")),
        Some(
            SubmitOutcome::DeferredNumber { code }
            | SubmitOutcome::Throttled { code, .. }
            | SubmitOutcome::TemporaryFailure { code }
            | SubmitOutcome::AccountFailure { code },
        ) => OneOffResult::RetryLater(format!("the gateway did not take it ({code})")),
        Some(SubmitOutcome::BatchRefused) | None => {
            OneOffResult::RetryLater("the gateway did not take it".into())
        }
    }
}

/// A slot of the gateway's. A single one may be over before the commit that took it is done, on a
/// slow disk; then another is taken.
async fn take_slot(
    context: &Arc<AppContext>,
    gateway: &str,
) -> Result<Option<Timestamp>, DispatchError> {
    let mut slots = Slots::new(context, gateway);
    for _ in 0..5 {
        if let Some(slot) = slots.next_slot(1).await? {
            return Ok(Some(slot));
        }
    }
    Ok(None)
}
