//! The consequence of a call: the time of the next one, or none.

use std::time::Duration;

use super::{CallOutcome, DayPart};
use crate::domain::contact_window::ContactHours;
use crate::domain::seeded_random::seeded_fraction;
use crate::domain::time::Timestamp;
use crate::domain::zones::Zones;

/// Maximum number of calls per day to one person, not counting busy lines.
pub const MAX_CALLS_PER_DAY: u32 = 2;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
/// Range of the delay after a busy line.
const BUSY_DELAY: (Duration, Duration) =
    (Duration::from_secs(20 * 60), Duration::from_secs(40 * 60));
/// Minimum time between two calls to a person who does not answer.
const NO_ANSWER_GAP: Duration = Duration::from_secs(2 * 3_600);
/// Time to use a link that was sent instead.
const LINK_WAIT: Duration = Duration::from_secs(2 * 86_400);
/// Delay after a soft refusal, before another interviewer asks.
const COOL_OFF: Duration = Duration::from_secs(4 * 86_400);
/// Delay after an out-of-service number, which may be paid for again.
const OUT_OF_SERVICE_WAIT: Duration = Duration::from_secs(3 * 86_400);
/// Number of soft refusals that closes the cases: a person is asked again once.
const MAX_SOFT_REFUSALS: u32 = 2;
/// A part of the day without an attempt occurs within a week.
const HORIZON: Duration = Duration::from_secs(8 * 86_400);

/// The state of a person after a call.
pub struct CalledPerson<'a> {
    pub outcome: CallOutcome,
    /// Attempts at this step including this one, and the maximum.
    pub calls: u32,
    pub max_calls: u32,
    /// Attempts today including this one, without busy lines.
    pub calls_today: u32,
    /// Soft refusals including this one.
    pub soft_refusals: u32,
    /// The parts of the day with an attempt, including this one.
    pub tried_day_parts: i64,
    /// The agreed time.
    pub call_back_at: Option<Timestamp>,
    /// The number that was dialled is closed, and the person has another one.
    pub has_further_number: bool,
    pub hours: &'a ContactHours,
    pub zones: &'a Zones,
    /// Seed of the position within a part of the day.
    pub seed: &'a str,
}

/// The next action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FollowUp {
    /// The next call is not before this time.
    CallAt(Timestamp),
    /// A call at the agreed time.
    CallBack(Timestamp),
    /// No further call: the maximum is reached, or the contact hours never open again. The cases
    /// stay open for other steps.
    NoFurtherCall,
    /// The person is contacted no more: the cases are closed, or the number reaches nobody.
    CasesEnded,
}

impl CalledPerson<'_> {
    pub fn follow_up(&self, now: Timestamp) -> FollowUp {
        use CallOutcome::*;
        let is_used_up = self.calls >= self.max_calls;
        match self.outcome {
            // The number is closed, not the person: the next call is to another number.
            NonWorking | Disconnected | Fax | WrongNumber if self.has_further_number => {
                if is_used_up {
                    FollowUp::NoFurtherCall
                } else {
                    self.at(self.open(now + MINUTE))
                }
            }
            Interviewed | HardRefusal | RefusedByOther | WrongNumber | NonWorking
            | Disconnected | Fax | Deceased | Unable | Language | Other => FollowUp::CasesEnded,
            SoftRefusal | HungUp if self.soft_refusals >= MAX_SOFT_REFUSALS => FollowUp::CasesEnded,
            // An agreed call-back is kept, whatever the number of attempts.
            CallBack => match self.call_back_at {
                Some(at) => FollowUp::CallBack(at),
                None => self.at(self.another_part(now, now + DAY)),
            },
            // No call was made.
            NotDialled => self.at(self.open(now + MINUTE)),
            Lost => self.at(self.open(now + MINUTE * 10)),
            _ if is_used_up => FollowUp::NoFurtherCall,
            Busy => {
                let (least, most) = BUSY_DELAY;
                self.at(self.open(now + least + (most - least).mul_f64(self.draw())))
            }
            NoAnswer | Unreachable => self.at(self.another_part(now, now + NO_ANSWER_GAP)),
            MessageLeft => self.at(self.another_part(now, now + DAY)),
            LinkSent | LeftToWeb => self.at(self.another_part(now, now + LINK_WAIT)),
            SoftRefusal | HungUp => self.at(self.another_part(now, now + COOL_OFF)),
            OutOfService | Barred => self.at(self.another_part(now, now + OUT_OF_SERVICE_WAIT)),
        }
    }

    fn at(&self, at: Option<Timestamp>) -> FollowUp {
        at.map_or(FollowUp::NoFurtherCall, FollowUp::CallAt)
    }

    fn draw(&self) -> f64 {
        seeded_fraction(self.seed, u64::from(self.calls))
    }

    fn open(&self, at: Timestamp) -> Option<Timestamp> {
        self.hours.next_open(at, self.zones)
    }

    /// Returns a time from `from` on within a part of the day without an attempt; if there is none,
    /// within a part other than the current one.
    fn another_part(&self, now: Timestamp, from: Timestamp) -> Option<Timestamp> {
        let zone = self.zones.iter().next()?;
        let this = DayPart::of(now, zone);
        let is_free =
            |at: Timestamp| self.calls_today < MAX_CALLS_PER_DAY || at.date(zone) != now.date(zone);
        let (mut at, mut fallback) = (self.open(from)?, None);
        while at < from + HORIZON {
            let part = DayPart::of(at, zone);
            if is_free(at) {
                if self.tried_day_parts & part.bit() == 0 {
                    return Some(self.within(at));
                }
                if fallback.is_none() && part != this {
                    fallback = Some(at);
                }
            }
            at = self.open(DayPart::end(at, zone))?;
        }
        // If the hours contain only one part, use it on another day.
        fallback.or_else(|| self.open(from.max(now + DAY))).map(|at| self.within(at))
    }

    /// Returns a position in the first three quarters of the part that contains `at`, so that there
    /// is time left to call.
    fn within(&self, at: Timestamp) -> Timestamp {
        let ends = self.zones.iter().map(|zone| DayPart::end(at, zone)).min().unwrap_or(at);
        let length = ends.min(self.hours.open_until(at, self.zones)).since(at);
        at + length.min(HOUR * 6).mul_f64(0.75 * self.draw())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::contact_plan::PlanFile;
    use proptest::prelude::*;

    const PLAN: &str = "name = \"t\"\nsignature = \"质协\"\n[hours]\nmonday = [\"09:00-12:00\", \
        \"14:00-20:00\"]\n\
        tuesday = [\"09:00-12:00\", \"14:00-20:00\"]\nwednesday = [\"09:00-20:00\"]\nsaturday = \
        [\"10:00-18:00\"]\n\
        [[step]]\nname = \"calls\"\nmode = \"telephone\"\nafter = \"0d\"\n";

    fn at(text: &str) -> Timestamp {
        Timestamp::from_local(text.parse().unwrap(), chrono_tz::Asia::Shanghai)
    }

    fn called<'a>(
        outcome: CallOutcome,
        calls: u32,
        hours: &'a ContactHours,
        zones: &'a Zones,
    ) -> CalledPerson<'a> {
        CalledPerson {
            outcome,
            calls,
            max_calls: 6,
            calls_today: 1,
            soft_refusals: 1,
            tried_day_parts: DayPart::Morning.bit(),
            call_back_at: None,
            has_further_number: false,
            hours,
            zones,
            seed: "x",
        }
    }

    #[test]
    fn each_outcome_has_its_own_pause() {
        let plan = PlanFile::parse(PLAN).unwrap().check().unwrap();
        let zones = Zones::from(plan.time_zone);
        let now = at("2026-03-02T09:30:00");
        let next = |outcome, calls| called(outcome, calls, &plan.hours, &zones).follow_up(now);
        let FollowUp::CallAt(busy) = next(CallOutcome::Busy, 1) else {
            panic!("busy lines are called again")
        };
        assert!((20 * 60..=40 * 60).contains(&busy.since(now).as_secs()), "{busy:?}");
        let FollowUp::CallAt(unanswered) = next(CallOutcome::NoAnswer, 1) else {
            panic!("nobody has answered yet")
        };
        assert_eq!(
            DayPart::of(unanswered, plan.time_zone),
            DayPart::Afternoon,
            "another part of the day: {unanswered:?}"
        );
        let FollowUp::CallAt(refused) = next(CallOutcome::SoftRefusal, 1) else {
            panic!("once more")
        };
        assert!(refused.since(now) >= COOL_OFF);
        assert_eq!(next(CallOutcome::NoAnswer, 6), FollowUp::NoFurtherCall);
        assert_eq!(next(CallOutcome::HardRefusal, 1), FollowUp::CasesEnded);
        let mut agreed = called(CallOutcome::CallBack, 6, &plan.hours, &zones);
        agreed.call_back_at = Some(at("2026-03-03T14:15:00"));
        assert_eq!(
            agreed.follow_up(now),
            FollowUp::CallBack(at("2026-03-03T14:15:00")),
            "a promise is kept after the last attempt too"
        );
        let mut again = called(CallOutcome::SoftRefusal, 2, &plan.hours, &zones);
        again.soft_refusals = 2;
        assert_eq!(again.follow_up(now), FollowUp::CasesEnded);
        again.outcome = CallOutcome::HungUp;
        assert_eq!(again.follow_up(now), FollowUp::CasesEnded);
        let FollowUp::CallAt(unreachable) = next(CallOutcome::Unreachable, 1) else {
            panic!("a telephone is switched on again")
        };
        assert_ne!(DayPart::of(unreachable, plan.time_zone), DayPart::of(now, plan.time_zone));
    }

    #[test]
    fn a_dead_number_ends_the_calls_only_where_there_is_no_other() {
        let plan = PlanFile::parse(PLAN).unwrap().check().unwrap();
        let zones = Zones::from(plan.time_zone);
        let now = at("2026-03-02T09:30:00");
        for outcome in [CallOutcome::NonWorking, CallOutcome::Disconnected, CallOutcome::Fax] {
            let mut dead = called(outcome, 1, &plan.hours, &zones);
            assert_eq!(dead.follow_up(now), FollowUp::CasesEnded, "{outcome:?}");
            dead.has_further_number = true;
            assert_eq!(dead.follow_up(now), FollowUp::CallAt(now + MINUTE), "{outcome:?}");
            dead.calls = 6;
            assert_eq!(dead.follow_up(now), FollowUp::NoFurtherCall, "{outcome:?}");
        }
    }

    proptest! {
        /// Invariant I2 for the telephone: after any outcome, the next call is in the future,
        /// within hours, not too soon, and within the maximum per day.
        #[test]
        fn the_next_call_is_within_hours_and_not_too_soon(
            outcome in prop::sample::select(CallOutcome::ALL.to_vec()),
            minutes in 0u64..60 * 24 * 30,
            (calls, today, tried_day_parts) in (1u32..6, 0u32..3, 0i64..16),
            zone in prop::sample::select(vec!["Asia/Shanghai", "Europe/Berlin", "America/New_York America/Los_Angeles"]),
        ) {
            let plan = PlanFile::parse(PLAN).unwrap().check().unwrap();
            let zones = Zones::parse(zone).unwrap();
            let now = at("2026-03-01T00:00:00") + MINUTE * u32::try_from(minutes).unwrap();
            let called = CalledPerson { outcome, calls, max_calls: 6, calls_today: today, soft_refusals: 1, tried_day_parts, call_back_at: None, has_further_number: minutes % 2 == 0, hours: &plan.hours, zones: &zones, seed: "s" };
            if let FollowUp::CallAt(next) = called.follow_up(now) {
                prop_assert!(next > now && plan.hours.is_open(next, &zones), "{outcome:?}: \
                    {next:?}");
                let first = zones.iter().next().unwrap();
                if outcome == CallOutcome::NoAnswer {
                    prop_assert!(next.since(now) >= NO_ANSWER_GAP);
                    prop_assert!(today < MAX_CALLS_PER_DAY || next.date(first) != now.date(first));
                }
            }
        }
    }
}
