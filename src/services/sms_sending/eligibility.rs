//! May this invitation's next message go out now (invariant I2)? Pure: everything it needs is
//! handed in.

use std::time::Duration;

use crate::adapters::config::ContactCaps;
use crate::adapters::database::invitations::InvitedCase;
use crate::domain::contact_plan::{ContactPlan, MessageSlot};
use crate::domain::time::Timestamp;
use crate::domain::zones::Zones;

/// What to do with an invitation that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContactDecision {
    Send,
    /// To the interviewers, or to be printed.
    HandOver,
    /// Not now; ask again then.
    PostponeUntil(Timestamp),
    /// Never again.
    Stop,
}

/// Whether a number may be contacted at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuppressionStatus {
    NotSuppressed,
    Until(Timestamp),
    Forever,
}

/// What is known of the person at this moment.
pub struct EligibilityInput<'a> {
    pub cases: &'a [InvitedCase],
    pub suppressed: SuppressionStatus,
    /// Times of the contacts with this number, across all campaigns.
    pub contacts: &'a [Timestamp],
    pub zones: &'a Zones,
    /// Seeds the place in a wave.
    pub phone_hash: &'a str,
    pub slot: MessageSlot,
}

/// While an application is on hold, it is looked again so often whether it still is.
const HOLD_RECHECK_INTERVAL: Duration = Duration::from_secs(6 * 3_600);

/// A case about which its respondent may be contacted.
pub fn may_be_contacted(case: &InvitedCase, now: Timestamp) -> bool {
    !case.is_held && may_be_contacted_if_released(case) && case.field_closes_at > now
}

/// While it is held, its field does not close.
fn may_be_contacted_if_released(case: &InvitedCase) -> bool {
    case.is_open && case.in_field && case.full_cell_mask == 0
}

/// May this person be handed to the interviewers, or get a paper form? Hours and caps are looked at
/// when somebody is about to call; when forms are printed, the other rules are looked at again.
pub fn decide_handover(input: &EligibilityInput<'_>, now: Timestamp) -> ContactDecision {
    match (input.suppressed, find_blocker(input, now)) {
        (SuppressionStatus::Forever, _) => ContactDecision::Stop,
        (_, Some(blocker)) => blocker,
        (SuppressionStatus::Until(until), None) if until > now => {
            ContactDecision::PostponeUntil(until)
        }
        _ => ContactDecision::HandOver,
    }
}

/// The link that somebody asked an interviewer for: within contact hours, whatever else has been
/// sent.
pub fn decide_link(
    input: &EligibilityInput<'_>,
    plan: &ContactPlan,
    now: Timestamp,
) -> ContactDecision {
    match (input.suppressed, find_blocker(input, now)) {
        (SuppressionStatus::Forever, _) => ContactDecision::Stop,
        (_, Some(blocker)) => blocker,
        _ => schedule_in_hours(input, plan, now, now),
    }
}

/// What stands against any contact about the cases: `None` if nothing does.
fn find_blocker(input: &EligibilityInput<'_>, now: Timestamp) -> Option<ContactDecision> {
    if input.cases.iter().any(|case| may_be_contacted(case, now)) {
        return None;
    }
    let is_held_up =
        input.cases.iter().any(|case| case.is_held && may_be_contacted_if_released(case));
    Some(if is_held_up {
        ContactDecision::PostponeUntil(now + HOLD_RECHECK_INTERVAL)
    } else {
        ContactDecision::Stop
    })
}

pub fn decide_message(
    input: &EligibilityInput<'_>,
    plan: &ContactPlan,
    caps: &ContactCaps,
    now: Timestamp,
) -> ContactDecision {
    if input.suppressed == SuppressionStatus::Forever {
        return ContactDecision::Stop;
    }
    if let Some(blocker) = find_blocker(input, now) {
        return blocker;
    }
    let until = if let SuppressionStatus::Until(until) = input.suppressed { until } else { now };
    schedule_in_hours(
        input,
        plan,
        now.max(until).max(earliest_within_caps(input.contacts, caps)),
        now,
    )
}

/// The answer to a person's own opt-out: within contact hours like everything, but whatever else
/// has been sent, and though the number is suppressed.
pub fn decide_confirmation(
    input: &EligibilityInput<'_>,
    plan: &ContactPlan,
    now: Timestamp,
) -> ContactDecision {
    schedule_in_hours(input, plan, now, now)
}

/// What a member of the staff answers to a person: within contact hours and not to a suppressed
/// number, though the cases are closed.
pub fn decide_answer(
    input: &EligibilityInput<'_>,
    plan: &ContactPlan,
    now: Timestamp,
) -> ContactDecision {
    match input.suppressed {
        SuppressionStatus::Forever => ContactDecision::Stop,
        SuppressionStatus::Until(until) => schedule_in_hours(input, plan, now.max(until), now),
        SuppressionStatus::NotSuppressed => schedule_in_hours(input, plan, now, now),
    }
}

fn schedule_in_hours(
    input: &EligibilityInput<'_>,
    plan: &ContactPlan,
    allowed: Timestamp,
    now: Timestamp,
) -> ContactDecision {
    match plan.next_contact(allowed, input.zones, input.phone_hash, input.slot) {
        Some(open) if open <= now => ContactDecision::Send,
        Some(open) => ContactDecision::PostponeUntil(open),
        None => ContactDecision::Stop,
    }
}

/// The first instant at which one more contact keeps every cap.
pub fn earliest_within_caps(contacts: &[Timestamp], caps: &ContactCaps) -> Timestamp {
    let mut sorted = contacts.to_vec();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    let after = |cap: u32, span: Duration| -> Timestamp {
        match (cap as usize).checked_sub(1).and_then(|nth| sorted.get(nth)) {
            Some(&contact) => contact + span,
            None => Timestamp(0),
        }
    };
    let hour = Duration::from_secs(3_600);
    [
        after(caps.per_hour, hour),
        after(caps.per_day, hour * 24),
        after(caps.per_week, hour * 168),
        after(1, caps.quiet),
    ]
    .into_iter()
    .max()
    .unwrap_or(Timestamp(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAYS: [&str; 7] =
        ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

    /// A plan with these hours a day, holidays, spread and delays between its steps.
    fn plan(hours: &[(u32, u32)], holidays: &[u32], spread: &str, delays: &[u32]) -> ContactPlan {
        let mut text = format!(
            "name = \"p\"\nsignature = \"质协\"\nspread = \"{spread}\"\nholidays = \
                \"h\"\n[hours]\n"
        );
        for (day, (from, length)) in DAYS.iter().zip(hours) {
            let to = (from + length).min(1440);
            text.push_str(&format!(
                "{day} = [\"{:02}:{:02}-{:02}:{:02}\"]\n",
                from / 60,
                from % 60,
                to / 60,
                to % 60
            ));
        }
        for (step, delay) in delays.iter().enumerate() {
            text.push_str(&format!(
                "[[step]]\nname = \"s{step}\"\nafter = \"{delay}m\"\ntext.zh \
                = \"【质协】{{link}} 退订回T\"\n"
            ));
        }
        let days: Vec<String> = holidays
            .iter()
            .map(|day| format!("2026-{:02}-{:02}", 1 + day % 12, 1 + day % 28))
            .collect();
        let file = crate::domain::contact_plan::PlanFile::parse(&text).unwrap();
        file.with_calendar(&format!("holidays = {days:?}")).unwrap().check().unwrap()
    }

    fn open_case() -> InvitedCase {
        use crate::domain::ids::{CaseId, InvitationId};
        let subject = crate::domain::subject::Subject::parse(
            crate::domain::category::Category::Brand,
            &[("brand".to_owned(), "甲".to_owned())].into(),
        );
        InvitedCase {
            id: CaseId(1),
            invitation: InvitationId(1),
            subject: subject.unwrap(),
            field_closes_at: Timestamp(i64::MAX),
            is_open: true,
            in_field: true,
            is_held: false,
            full_cell_mask: 0,
        }
    }

    proptest! {
        /// Invariant I2 over whole lives: whatever the plan, the zones, the holidays, the caps and
        /// the moment of the launch, whenever the dispatcher looks, no message goes out outside
        /// contact hours, past a cap or to a suppressed number.
        #[test]
        fn no_schedule_breaks_a_rule(
            hours in prop::collection::vec((0u32..1380, 30u32..1440), 7),
            holidays in prop::collection::vec(0u32..336, 0..20),
            spread in prop::sample::select(vec!["window", "0s", "45m", "30h"]),
            delays in prop::collection::vec(0u32..30_000, 1..5),
            zones in prop::sample::select(vec!["Asia/Shanghai", "Europe/Berlin", "America/New_York Pacific/Honolulu", "Australia/Lord_Howe", "Asia/Kathmandu"]),
            launched in 1_767_000_000_000i64..1_790_000_000_000,
            (per_hour, per_day, per_week, quiet_minutes) in (0u32..3, 0u32..3, 0u32..4, 0u64..3_000),
            suppressed in prop::option::of((0i64..40 * 86_400_000, prop::bool::ANY)),
            late in prop::collection::vec(0i64..7_200_000, 1..20),
        ) {
            let (plan, zones, case) = (plan(&hours, &holidays, spread, &delays), Zones::parse(zones).unwrap(), open_case());
            let caps = ContactCaps { per_hour, per_day, per_week, quiet: Duration::from_secs(quiet_minutes * 60) };
            let launched = Timestamp(launched);
            let (mut sent, mut step) = (Vec::<Timestamp>::new(), 0u32);
            let (_, mut next) = plan.first_contact(launched, &zones, "hash", true);
            for round in 0..200 {
                let Some(at) = next else { break };
                prop_assert!(at >= launched);
                // The dispatcher comes when it comes.
                let now = Timestamp(at.0 + late[round % late.len()]);
                let suppressed = match suppressed {
                    Some((from, for_good)) if now.0 >= launched.0 + from => if for_good { SuppressionStatus::Forever } else { SuppressionStatus::Until(Timestamp(launched.0 + from + 86_400_000)) },
                    _ => SuppressionStatus::NotSuppressed,
                };
                let input = EligibilityInput { cases: std::slice::from_ref(&case), suppressed, contacts: &sent, zones: &zones, phone_hash: "hash", slot: MessageSlot::step(step) };
                match decide_message(&input, &plan, &caps, now) {
                    ContactDecision::Stop | ContactDecision::HandOver => break,
                    ContactDecision::PostponeUntil(later) => {
                        prop_assert!(later > now, "it would turn in circles");
                        next = Some(later);
                    }
                    ContactDecision::Send => {
                        prop_assert!(plan.hours.is_open(now, &zones), "outside contact hours");
                        let within = |span: i64| sent.iter().filter(|c| now.0 - c.0 < span).count() as u32;
                        for (cap, span) in [(per_hour, 3_600_000), (per_day, 86_400_000), (per_week, 604_800_000)] {
                            prop_assert!(cap == 0 || within(span) < cap, "past a cap");
                        }
                        prop_assert!(sent.iter().all(|c| now.0 - c.0 >= caps.quiet.as_millis() as i64), "within the quiet time");
                        let ended = |suppressed| if let SuppressionStatus::Until(until) = suppressed { until <= now } else { suppressed == SuppressionStatus::NotSuppressed };
                        prop_assert!(ended(suppressed), "to a suppressed number");
                        sent.push(now);
                        step += 1;
                        next = plan.steps.get(step as usize).and_then(|step_after| plan.next_contact(now + step_after.after, &zones, "hash", MessageSlot::step(step)));
                    }
                }
            }
        }

        /// The caps hold at the instant that is allowed, and it is the first such instant from the
        /// last contact on.
        #[test]
        fn the_first_allowed_instant_keeps_every_cap(
            contacts in prop::collection::vec(0i64..2_000_000_000, 0..12),
            (per_hour, per_day, per_week) in (0u32..3, 0u32..4, 0u32..6),
            quiet_hours in 0u64..48,
        ) {
            let contacts: Vec<Timestamp> = contacts.into_iter().map(Timestamp).collect();
            let caps = ContactCaps { per_hour, per_day, per_week, quiet: Duration::from_secs(quiet_hours * 3600) };
            let is_allowed = |at: Timestamp| {
                let within = |span: i64| contacts.iter().filter(|c| at.0 - c.0 < span).count() as u32;
                [(per_hour, 3_600_000), (per_day, 86_400_000), (per_week, 604_800_000)].iter().all(|&(cap, span)| cap == 0 || within(span) < cap)
                    && contacts.iter().all(|c| at.0 - c.0 >= caps.quiet.as_millis() as i64)
            };
            let at = earliest_within_caps(&contacts, &caps);
            let last = contacts.iter().max().copied().unwrap_or(Timestamp(0));
            prop_assert!(is_allowed(at.max(last)), "allowed at {at:?}");
            if at > last {
                prop_assert!(!is_allowed(Timestamp(at.0 - 1)), "could have been earlier than {at:?}");
            }
        }
    }
}
