//! Can a plan finish? Walks through its steps as the dispatcher will.

use std::time::Duration;

use crate::adapters::config::ContactCaps;
use crate::domain::contact_plan::ContactPlan;
use crate::domain::time::Timestamp;
use crate::domain::zones::Zones;

/// When a step begins to go out, and when the last of its messages has gone, at the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepWindow {
    pub begins: Timestamp,
    pub done: Timestamp,
}

/// The windows of all steps for so many messages a step, at the gateway's rate, inside contact
/// hours in the people's own `zones`, with the caps on messages to one number. `None` for a step that
/// the contact hours never let out.
pub fn step_windows(
    plan: &ContactPlan,
    caps: &ContactCaps,
    (messages, per_second): (u64, u32),
    zones: &[Zones],
    launched: Timestamp,
) -> Vec<Option<StepWindow>> {
    let in_each =
        zones.iter().map(|zones| windows_in(plan, caps, (messages, per_second), zones, launched));
    in_each
        .reduce(|all, other| {
            let widest = |(one, other): (Option<StepWindow>, Option<StepWindow>)| match (one, other)
            {
                (Some(one), Some(other)) => Some(StepWindow {
                    begins: one.begins.min(other.begins),
                    done: one.done.max(other.done),
                }),
                (one, other) => one.or(other),
            };
            all.into_iter().zip(other).map(widest).collect()
        })
        .unwrap_or_default()
}

fn windows_in(
    plan: &ContactPlan,
    caps: &ContactCaps,
    (messages, per_second): (u64, u32),
    zones: &Zones,
    launched: Timestamp,
) -> Vec<Option<StepWindow>> {
    // Whoever is due in a closed hour, or with everybody else at the launch, is spread over the
    // stretch that opens.
    let spread_from = |opens: Timestamp| {
        plan.hours
            .open_until(opens, zones)
            .min(opens + plan.spread.0.unwrap_or(Duration::from_secs(86_400)))
    };
    let work = Duration::from_millis(messages * 1000 / u64::from(per_second.max(1)));
    let mut windows: Vec<Option<StepWindow>> = Vec::new();
    let mut before = Some(StepWindow { begins: launched, done: launched });
    for (index, step) in plan.steps.iter().enumerate() {
        let window = before.and_then(|before| {
            let wait = if index > 0 { step.after.max(caps.quiet) } else { step.after };
            let earliest_by_caps =
                [(caps.per_hour, 3_600), (caps.per_day, 86_400), (caps.per_week, 604_800)]
                    .into_iter()
                    .filter(|(cap, _)| *cap > 0 && index >= *cap as usize)
                    .filter_map(|(cap, seconds)| {
                        Some(windows[index - cap as usize]?.done + Duration::from_secs(seconds))
                    })
                    .max();
            let begins = plan.hours.next_open(
                (before.begins + wait).max(earliest_by_caps.unwrap_or(launched)),
                zones,
            )?;
            let due = (before.done + wait).max(earliest_by_caps.unwrap_or(launched));
            let last = plan.hours.next_open(due, zones)?;
            let last = if last > due || index == 0 { spread_from(last) } else { last };
            let done = plan.hours.after_open_time(begins, work, zones)?.max(last);
            Some(StepWindow { begins, done })
        });
        windows.push(window);
        before = window;
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::contact_plan::PlanFile;

    #[test]
    fn steps_wait_for_hours_quiet_time_and_caps() {
        let plan = PlanFile::parse(
            "name = \"t\"\nsignature = \"质协\"\nspread = \"0s\"\n[hours]\nmonday = \
                [\"09:00-20:00\"]\ntuesday = [\"09:00-20:00\"]\n\
             [[step]]\nname = \"a\"\nafter = \"0d\"\ntext.zh = \"【质协】{link} 退订回T\"\n\
             [[step]]\nname = \"b\"\nafter = \"1h\"\ntext.zh = \"【质协】{link} 退订回T\"\n\
             [[step]]\nname = \"c\"\nafter = \"1d\"\ntext.zh = \"【质协】{link} 退订回T\"\n",
        );
        let plan = plan.unwrap().check().unwrap();
        let caps = ContactCaps {
            per_hour: 1,
            per_day: 1,
            per_week: 2,
            quiet: Duration::from_secs(86_400),
        };
        // A Monday at noon in Shanghai.
        let monday = Timestamp::from_local("2026-03-02T12:00:00".parse().unwrap(), plan.time_zone);
        let begins: Vec<String> =
            step_windows(&plan, &caps, (10, 10), &[plan.time_zone.into()], monday)
                .iter()
                .map(|w| w.unwrap().begins.rfc3339(plan.time_zone)[..16].to_owned())
                .collect();
        assert_eq!(
            begins,
            ["2026-03-02T12:00", "2026-03-03T12:00", "2026-03-09T12:00"],
            "the third in a week waits for the week's end"
        );
        let hour_of_work =
            step_windows(&plan, &caps, (12 * 3600, 1), &[plan.time_zone.into()], monday)[0]
                .unwrap();
        assert_eq!(
            hour_of_work.done.rfc3339(plan.time_zone),
            "2026-03-03T13:00:00+08:00",
            "eight hours on Monday, four on Tuesday"
        );
        // Where somebody is further east, the first message goes out earlier; the last one later.
        let zones = ["Asia/Shanghai", "Asia/Tokyo", "America/New_York"]
            .map(|zone| Zones::parse(zone).unwrap());
        let first = step_windows(&plan, &caps, (10, 10), &zones, monday)[0].unwrap();
        let alone = step_windows(&plan, &caps, (10, 10), &zones[1..2], monday)[0].unwrap();
        assert_eq!(first.begins, alone.begins);
        assert!(first.done > alone.done + Duration::from_secs(3_600));
    }
}
