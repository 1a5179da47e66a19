//! May this invitation's next message go out now (invariant I2)? Pure: everything it needs is handed in.

use std::time::Duration;

use crate::config::ContactCaps;
use crate::domain::contact_plan::ContactPlan;
use crate::domain::time::Timestamp;
use crate::domain::zones::Zones;
use crate::store::invitations::InvitedCase;

/// What to do with an invitation that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Send,
    /// Not now; ask again then.
    Later(Timestamp),
    /// Never again.
    Stop,
}

/// Whether a number may be contacted at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suppressed {
    No,
    Until(Timestamp),
    ForGood,
}

/// What is known of the person at this moment.
pub struct Circumstances<'a> {
    pub cases: &'a [&'a InvitedCase],
    pub suppressed: Suppressed,
    /// Times of the contacts with this number, across all campaigns.
    pub contacts: &'a [Timestamp],
    pub zones: &'a Zones,
    /// Seeds the place in a wave.
    pub phone_hash: &'a str,
    pub step: u32,
}

/// A case that can still be answered.
pub fn is_askable(case: &InvitedCase, now: Timestamp) -> bool {
    case.is_open && case.in_field && !case.is_cell_full && case.field_closes_at > now
}

pub fn decide(who: &Circumstances<'_>, plan: &ContactPlan, caps: &ContactCaps, now: Timestamp) -> Decision {
    if who.suppressed == Suppressed::ForGood || !who.cases.iter().any(|case| is_askable(case, now)) {
        return Decision::Stop;
    }
    let until = if let Suppressed::Until(until) = who.suppressed { until } else { now };
    when(who, plan, now.max(until).max(caps_allow_from(who.contacts, caps)), now)
}

/// The answer to a person's own opt-out: within contact hours like everything, but whatever else has been sent, and though the number is suppressed.
pub fn decide_confirmation(who: &Circumstances<'_>, plan: &ContactPlan, now: Timestamp) -> Decision {
    when(who, plan, now, now)
}

fn when(who: &Circumstances<'_>, plan: &ContactPlan, allowed: Timestamp, now: Timestamp) -> Decision {
    match plan.next_contact(allowed, who.zones, who.phone_hash, who.step) {
        Some(open) if open <= now => Decision::Send,
        Some(open) => Decision::Later(open),
        None => Decision::Stop,
    }
}

/// The first instant at which one more contact keeps every cap.
fn caps_allow_from(contacts: &[Timestamp], caps: &ContactCaps) -> Timestamp {
    let mut sorted = contacts.to_vec();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    let after = |cap: u32, span: Duration| -> Timestamp {
        match (cap as usize).checked_sub(1).and_then(|nth| sorted.get(nth)) {
            Some(&contact) => contact + span,
            None => Timestamp(0),
        }
    };
    let hour = Duration::from_secs(3_600);
    [after(caps.per_hour, hour), after(caps.per_day, hour * 24), after(caps.per_week, hour * 168), after(1, caps.quiet)]
        .into_iter()
        .max()
        .unwrap_or(Timestamp(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The caps hold at the instant that is allowed, and it is the first such instant from the last contact on.
        #[test]
        fn the_first_allowed_instant_keeps_every_cap(
            contacts in prop::collection::vec(0i64..2_000_000_000, 0..12),
            (per_hour, per_day, per_week) in (0u32..3, 0u32..4, 0u32..6),
            quiet_hours in 0u64..48,
        ) {
            let contacts: Vec<Timestamp> = contacts.into_iter().map(Timestamp).collect();
            let caps = ContactCaps { per_hour, per_day, per_week, quiet: Duration::from_secs(quiet_hours * 3600) };
            let kept = |at: Timestamp| {
                let within = |span: i64| contacts.iter().filter(|c| at.0 - c.0 < span).count() as u32;
                [(per_hour, 3_600_000), (per_day, 86_400_000), (per_week, 604_800_000)].iter().all(|&(cap, span)| cap == 0 || within(span) < cap)
                    && contacts.iter().all(|c| at.0 - c.0 >= caps.quiet.as_millis() as i64)
            };
            let at = caps_allow_from(&contacts, &caps);
            let last = contacts.iter().max().copied().unwrap_or(Timestamp(0));
            prop_assert!(kept(at.max(last)), "allowed at {at:?}");
            if at > last {
                prop_assert!(!kept(Timestamp(at.0 - 1)), "could have been earlier than {at:?}");
            }
        }
    }
}
