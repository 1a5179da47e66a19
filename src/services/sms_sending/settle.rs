//! Writes the outcomes of submits: the message's state, the case's disposition, the invitation's next time, the gateway's pace; all in one transaction.

use std::sync::Arc;
use std::time::Duration;

use super::circuit_breakers::Circuit;
use super::claim::ClaimedMessage;
use super::{DispatchError, Lane};
use crate::domain::chance::jittered;
use crate::domain::disposition::Disposition;
use crate::domain::ids::{InvitationId, MessageKey};
use crate::domain::time::Timestamp;
use crate::adapters::sms::{Exchange, Outcome, REFUSED_TOGETHER};
use crate::adapters::database::cases::Source;
use crate::adapters::database::invitations::{self, NextStep};
use crate::adapters::database::messages::{self, Settlement};
use crate::adapters::database::{WriteTx, campaigns, cases, gateway_log, rates, receipts};

/// A step that has been tried so often is given up when the contact hours of the day are over, and the plan goes on with the next one.
const MIN_TRIES: u32 = 6;
const NUMBER_FREQUENCY_WAIT: Duration = Duration::from_secs(3_600);
const ACCOUNT_PAUSE: Duration = Duration::from_secs(600);
const FIRST_BACK_OFF: Duration = Duration::from_secs(30);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(900);
/// What one gateway did not take, another one is given almost at once.
const FAIL_OVER: Duration = Duration::from_secs(1);
/// So often; then the message waits like any other.
const FAIL_OVERS: u32 = 4;

pub enum Ending {
    Answered(Outcome, Exchange),
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

/// What is to be written about one set of outcomes.
#[derive(Default)]
struct Sheet {
    settlements: Vec<Settlement>,
    said: Vec<gateway_log::Exchange>,
    withdrawn: Vec<MessageKey>,
    again: Vec<NextStep>,
    accepted: Vec<InvitationId>,
    dead: Vec<InvitationId>,
    /// Hashes of numbers.
    opted_out: Vec<String>,
    refunded_micros: i64,
}

/// Writes a set of outcomes of one gateway. `works_beside`: another gateway of the route can take what this one did not.
pub async fn settle(lane: Arc<Lane>, gateway: String, works_beside: bool, answered: Vec<Answered>, now: Timestamp) -> Result<(), DispatchError> {
    if answered.is_empty() {
        return Ok(());
    }
    let mut tx = lane.installation.store.write().await?;
    let mut health = Health { lane: &lane, gateway: &gateway, on_probation: None, slowed: false };
    let mut sheet = Sheet::default();
    for Answered { claimed, ending, at } in answered {
        match ending {
            Ending::Withdrawn => {
                sheet.again.push(again(&lane, &claimed, now));
                sheet.refunded_micros += claimed.cost_micros;
                sheet.withdrawn.push(claimed.key());
            }
            Ending::Answered(outcome, exchange) => {
                health.note(&mut tx, &outcome, &claimed, now).await?;
                sheet.note(&lane, &gateway, works_beside, (claimed, outcome, exchange), at, now);
            }
        }
    }
    sheet.write(&lane, &gateway, tx, now).await
}

/// The same step again, in contact hours.
fn again(lane: &Lane, claimed: &ClaimedMessage, at: Timestamp) -> NextStep {
    NextStep { id: claimed.invitation, step: claimed.step, at: lane.plan().next_contact(at, &claimed.zones, &claimed.phone_hash, claimed.step) }
}

impl Sheet {
    fn note(
        &mut self,
        lane: &Lane,
        gateway: &str,
        works_beside: bool,
        (claimed, outcome, exchange): (ClaimedMessage, Outcome, Exchange),
        at: Timestamp,
        now: Timestamp,
    ) {
        let mut meaning = read_outcome(&outcome, &claimed, works_beside);
        let is_passing = matches!(outcome, Outcome::PassingFailure { .. });
        if let Some(wait) = meaning.again_after {
            let next = again(lane, &claimed, now + wait);
            // Retried while the contact hours of this day last.
            let day_is_over = next.at.is_none_or(|next| next > lane.plan().hours.open_until(now, &claimed.zones));
            if is_passing && claimed.tries >= MIN_TRIES && day_is_over {
                meaning.state = "failed";
            } else {
                self.again.push(next);
            }
        }
        match &outcome {
            Outcome::Accepted { .. } => self.accepted.push(claimed.invitation),
            // A number that takes no messages may still be one that can be called.
            Outcome::RefusedNumber { .. } => match lane.plan().step_from(claimed.step.saturating_add(1), false) {
                Some((step, _)) => self.again.push(NextStep { id: claimed.invitation, step, at: Some(now) }),
                None => self.dead.push(claimed.invitation),
            },
            Outcome::OptedOut { .. } => self.opted_out.push(claimed.phone_hash.clone()),
            Outcome::InDoubt { code } => tracing::warn!(gateway, code, "a message is in doubt"),
            _ => {}
        }
        if !matches!(meaning.state, "accepted" | "in_doubt") {
            self.refunded_micros += claimed.cost_micros;
        }
        self.said.push(gateway_log::Exchange {
            message: claimed.key(),
            gateway: gateway.to_owned(),
            asked: exchange.asked,
            answered: exchange.answered,
            at,
        });
        self.settlements.push(Settlement {
            key: claimed.key(),
            state: meaning.state,
            gateway_message_id: meaning.id,
            code: meaning.code,
            submitted_at: at,
        });
    }

    async fn write(self, lane: &Lane, gateway: &str, mut tx: WriteTx, now: Timestamp) -> Result<(), DispatchError> {
        // Cases before invitations, as everywhere: two transactions that took them in different orders could wait for each other.
        messages::settle(&mut tx, &self.settlements, now).await?;
        messages::withdraw(&mut tx, &self.withdrawn).await?;
        gateway_log::add(&mut tx, &self.said).await?;
        let unheard = [Disposition::NotAttempted, Disposition::NothingHeard];
        cases::dispose_of_invitations(&mut tx, &self.accepted, Disposition::NothingHeard, &unheard[..1], Source::Gateway, now).await?;
        cases::dispose_of_invitations(&mut tx, &self.dead, Disposition::NonWorkingNumber, &unheard, Source::Gateway, now).await?;
        let programme = (!lane.installation.config.opt_out_for_all).then_some(lane.campaign.programme_id);
        for phone_hash in &self.opted_out {
            crate::services::suppressions::opt_out(&mut tx, phone_hash, programme, Source::Gateway, now).await?;
        }
        invitations::set_next(&mut tx, &self.again).await?;
        invitations::stop(&mut tx, &self.dead).await?;
        if lane.campaign.budget_micros.is_some() && self.refunded_micros > 0 {
            campaigns::spend(&mut tx, lane.campaign.id, -self.refunded_micros).await?;
        }
        apply_early_receipts(&mut tx, gateway, &self.settlements, now).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// What the outcomes say of the gateway itself.
struct Health<'a> {
    lane: &'a Lane,
    gateway: &'a str,
    on_probation: Option<bool>,
    slowed: bool,
}

impl Health<'_> {
    async fn note(&mut self, tx: &mut WriteTx, outcome: &Outcome, claimed: &ClaimedMessage, now: Timestamp) -> Result<(), DispatchError> {
        let gateway = self.gateway;
        match outcome {
            Outcome::SlowDown { code, retry_after } if !self.slowed => {
                tracing::warn!(gateway, code, "the gateway is asked too fast; it is slowed down");
                rates::slow_down(tx, gateway, now + slow_down_for(*retry_after, &claimed.message.reference), now).await?;
                self.slowed = true;
            }
            Outcome::AccountFailure { code } => {
                tracing::error!(gateway, code, "the gateway's account does not work; it pauses for ten minutes");
                rates::pause(tx, gateway, now + ACCOUNT_PAUSE, "account", now).await?;
            }
            _ => {}
        }
        let on_probation = match self.on_probation {
            Some(known) => known,
            None => rates::states(tx, now).await?.get(gateway).is_some_and(|state| state.openings > 0),
        };
        self.on_probation = Some(on_probation);
        match self.lane.breakers.count(gateway, outcome, on_probation) {
            Circuit::AsItIs => {}
            Circuit::Opens => {
                if let Some(until) = rates::open_circuit(tx, gateway, now).await? {
                    tracing::error!(gateway, ?until, "the gateway fails again and again; it is held still");
                }
            }
            Circuit::Closes => {
                rates::close_circuit(tx, gateway).await?;
                tracing::info!(gateway, "the gateway answers again");
                self.on_probation = Some(false);
            }
        }
        Ok(())
    }
}

fn slow_down_for(retry_after: Option<Duration>, seed: &str) -> Duration {
    let asked = retry_after.unwrap_or(Duration::from_secs(2)).clamp(Duration::from_secs(1), Duration::from_secs(600));
    // Never shorter than the gateway asks for.
    retry_after.map_or_else(|| jittered(asked, seed, 0), |_| asked + jittered(Duration::from_secs(1), seed, 0))
}

fn read_outcome(outcome: &Outcome, claimed: &ClaimedMessage, works_beside: bool) -> Meaning {
    let not_taken = |code: &str, wait: Duration| Meaning { state: "deferred", id: None, code: Some(code.to_owned()), again_after: Some(wait) };
    // The gateway as a whole does not take messages now: what waits for it comes back when it does, or goes to another.
    let gateway_waits = |wait: Duration| if works_beside && claimed.tries < FAIL_OVERS { FAIL_OVER } else { wait };
    let ended = |state, id: &Option<String>, code: Option<&str>| Meaning { state, id: id.clone(), code: code.map(str::to_owned), again_after: None };
    let reference = claimed.message.reference.as_str();
    match outcome {
        Outcome::Accepted { id } => ended("accepted", id, None),
        Outcome::RefusedNumber { code } | Outcome::OptedOut { code } => ended("refused", &None, Some(code)),
        Outcome::InDoubt { code } => ended("in_doubt", &None, Some(code)),
        Outcome::DeferredNumber { code } => not_taken(code, NUMBER_FREQUENCY_WAIT),
        Outcome::RefusedTogether => not_taken(REFUSED_TOGETHER, FAIL_OVER),
        Outcome::SlowDown { code, retry_after } => not_taken(code, gateway_waits(slow_down_for(*retry_after, reference))),
        Outcome::AccountFailure { code } => not_taken(code, gateway_waits(ACCOUNT_PAUSE)),
        Outcome::PassingFailure { code } => {
            let back_off = (FIRST_BACK_OFF * 2u32.pow(claimed.tries.min(8))).min(LONGEST_BACK_OFF);
            not_taken(code, gateway_waits(jittered(back_off, reference, u64::from(claimed.tries))))
        }
    }
}

/// Receipts that came before the answer and knew only the gateway's id have waited for it.
async fn apply_early_receipts(tx: &mut WriteTx, gateway: &str, settlements: &[Settlement], now: Timestamp) -> Result<(), DispatchError> {
    if !receipts::any_waiting(tx, gateway).await? {
        return Ok(());
    }
    for id in settlements.iter().filter_map(|s| s.gateway_message_id.as_deref()) {
        for receipt in receipts::take_waiting(tx, gateway, id).await? {
            crate::services::sms_inbound::apply_receipt(tx, &receipt, false, now).await?;
        }
    }
    Ok(())
}
