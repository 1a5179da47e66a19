//! Writes the outcomes of submits: the message's state, the case's disposition, the invitation's next time; all in one transaction.

use std::time::Duration;

use super::DispatchError;
use super::claim::ClaimedMessage;
use crate::domain::contact_plan::ContactPlan;
use crate::domain::disposition::Disposition;
use crate::domain::ids::InvitationId;
use crate::domain::time::Timestamp;
use crate::gateway::Outcome;
use crate::installation::Installation;
use crate::store::campaigns::Campaign;
use crate::store::cases::Source;
use crate::store::invitations::{self, NextStep};
use crate::store::messages::{self, Settlement};
use crate::store::{WriteTx, cases, rates, receipts};

/// After so many passing failures a step counts as failed, and the plan goes on with the next one.
const MAX_TRIES: u32 = 6;
const NUMBER_FREQUENCY_WAIT: Duration = Duration::from_secs(3_600);
const ACCOUNT_PAUSE: Duration = Duration::from_secs(600);
const FIRST_BACK_OFF: Duration = Duration::from_secs(30);

pub enum Ending {
    Answered(Outcome),
    /// At the moment of submit the rules no longer allowed it; the gateway heard nothing.
    Withdrawn,
}

pub struct Answered {
    pub claimed: ClaimedMessage,
    pub ending: Ending,
    pub at: Timestamp,
}

/// What an outcome means for the message's row and the invitation.
struct Meaning {
    state: &'static str,
    id: Option<String>,
    code: Option<String>,
    /// Submit this step again, so much later.
    again_after: Option<Duration>,
}

pub async fn settle(installation: &Installation, campaign: &Campaign, plan: &ContactPlan, answered: Vec<Answered>) -> Result<(), DispatchError> {
    if answered.is_empty() {
        return Ok(());
    }
    let now = installation.clock.now();
    let references: Vec<String> = answered.iter().map(|a| a.claimed.message.reference.clone()).collect();
    let mut tx = installation.store.write().await?;
    let tries = messages::tries(&mut tx, &references).await?;
    let (mut settlements, mut again, mut withdrawn) = (Vec::new(), Vec::new(), Vec::new());
    let (mut accepted, mut dead) = (Vec::new(), Vec::new());
    for Answered { claimed, ending, at } in answered {
        let outcome = match ending {
            Ending::Answered(outcome) => outcome,
            Ending::Withdrawn => {
                again.push(NextStep { id: claimed.invitation, step: claimed.step, at: plan.hours.next_open(now, claimed.zone) });
                withdrawn.push(claimed.message.reference);
                continue;
            }
        };
        let tried = tries.get(&claimed.message.reference).copied().unwrap_or(1);
        let meaning = read_outcome(&outcome, tried);
        match &outcome {
            Outcome::SlowDown { .. } => rates::pause(&mut tx, &campaign.gateway, now + meaning.again_after.unwrap_or_default()).await?,
            Outcome::AccountFailure { code } => {
                tracing::error!(gateway = campaign.gateway, code, "the gateway's account does not work; it pauses for ten minutes");
                rates::pause(&mut tx, &campaign.gateway, now + ACCOUNT_PAUSE).await?;
            }
            Outcome::Accepted { .. } => accepted.push(claimed.invitation),
            Outcome::RefusedNumber { .. } => dead.push(claimed.invitation),
            Outcome::InDoubt { code } => tracing::warn!(gateway = campaign.gateway, code, "a message is in doubt"),
            _ => {}
        }
        if let Some(wait) = meaning.again_after {
            again.push(NextStep { id: claimed.invitation, step: claimed.step, at: plan.hours.next_open(now + wait, claimed.zone) });
        }
        settlements.push(Settlement {
            reference: claimed.message.reference,
            state: meaning.state,
            gateway_message_id: meaning.id,
            code: meaning.code,
            submitted_at: at,
        });
    }
    // Cases before invitations, as everywhere: two transactions that took them in different orders could wait for each other.
    messages::settle(&mut tx, &settlements, now).await?;
    messages::withdraw(&mut tx, &withdrawn).await?;
    dispose(&mut tx, &accepted, Disposition::NothingHeard, &[Disposition::NotAttempted], now).await?;
    dispose(&mut tx, &dead, Disposition::NonWorkingNumber, &[Disposition::NotAttempted, Disposition::NothingHeard], now).await?;
    invitations::set_next(&mut tx, &again).await?;
    invitations::stop(&mut tx, &dead).await?;
    apply_early_receipts(&mut tx, &campaign.gateway, &settlements, now).await?;
    tx.commit().await?;
    Ok(())
}

fn read_outcome(outcome: &Outcome, tried: u32) -> Meaning {
    let not_taken = |code: &str, wait: Duration| Meaning { state: "deferred", id: None, code: Some(code.to_owned()), again_after: Some(wait) };
    let ended = |state, id: &Option<String>, code: Option<&str>| Meaning { state, id: id.clone(), code: code.map(str::to_owned), again_after: None };
    match outcome {
        Outcome::Accepted { id } => ended("accepted", id, None),
        Outcome::RefusedNumber { code } => ended("refused", &None, Some(code)),
        Outcome::InDoubt { code } => ended("in_doubt", &None, Some(code)),
        Outcome::DeferredNumber { code } => not_taken(code, NUMBER_FREQUENCY_WAIT),
        Outcome::SlowDown { code, retry_after } => {
            not_taken(code, retry_after.unwrap_or(Duration::from_secs(2)).clamp(Duration::from_secs(1), Duration::from_secs(600)))
        }
        Outcome::AccountFailure { code } => not_taken(code, ACCOUNT_PAUSE),
        Outcome::PassingFailure { code } if tried >= MAX_TRIES => ended("failed", &None, Some(code)),
        Outcome::PassingFailure { code } => not_taken(code, FIRST_BACK_OFF * 2u32.pow(tried.min(8))),
    }
}

/// Moves the open cases of these invitations.
pub async fn dispose(
    tx: &mut WriteTx,
    invitations: &[InvitationId],
    to: Disposition,
    only_from: &[Disposition],
    now: Timestamp,
) -> Result<(), DispatchError> {
    let open = cases::open_of_invitations(tx, invitations).await?;
    cases::dispose(tx, &open, to, only_from, Source::Gateway, now).await?;
    Ok(())
}

/// Receipts that came before the answer and knew only the gateway's id have waited for it.
async fn apply_early_receipts(tx: &mut WriteTx, gateway: &str, settlements: &[Settlement], now: Timestamp) -> Result<(), DispatchError> {
    if !receipts::any_waiting(tx, gateway).await? {
        return Ok(());
    }
    for id in settlements.iter().filter_map(|s| s.gateway_message_id.as_deref()) {
        for receipt in receipts::take_waiting(tx, gateway, id).await? {
            super::incoming::apply_receipt(tx, &receipt, false, now).await?;
        }
    }
    Ok(())
}
