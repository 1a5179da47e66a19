//! Quality figures of interviewers: counts, and for rates the range expected by chance.

use std::collections::BTreeMap;

use super::CallCenterError;
use crate::adapters::database::accounts::{self, Account};
use crate::adapters::database::calls::{self, CallWorkload};
use crate::adapters::database::verifications;
use crate::domain::ids::AccountId;
use crate::domain::telephone::{CallOutcome, binomial_interval};
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;

/// An interviewer's figures of today.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Today {
    pub attempts: u32,
    pub interviews: u32,
    pub call_backs: u32,
}

pub async fn todays_work(
    context: &AppContext,
    account: &Account,
) -> Result<Today, CallCenterError> {
    let zone = chrono_tz::Asia::Shanghai;
    let midnight = Timestamp::start_of_day(context.clock.now().date(zone), zone);
    let mut today = Today::default();
    for call in calls::all_since(&mut *context.database.read().await?, midnight).await? {
        let Some(outcome) = call.outcome.filter(|_| call.account == account.id) else { continue };
        today.attempts += u32::from(outcome.is_attempt());
        today.interviews += u32::from(outcome == CallOutcome::Interviewed);
        today.call_backs += u32::from(outcome == CallOutcome::CallBack);
    }
    Ok(today)
}

/// A share of an interviewer's calls, and the range expected by chance at the share of all
/// interviewers together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ObservedShare {
    pub count: u32,
    pub of: u32,
    /// The range of counts in which 95 of 100 interviewers lie if they work like all of them
    /// together.
    pub expected: (u32, u32),
}

impl ObservedShare {
    fn new(count: u32, of: u32, (all_count, all_of): (u32, u32)) -> ObservedShare {
        let chance = if all_of == 0 { 0.0 } else { f64::from(all_count) / f64::from(all_of) };
        ObservedShare { count, of, expected: binomial_interval(of, chance) }
    }

    /// Returns whether the count lies outside the expected range.
    pub fn is_outside(&self) -> bool {
        self.count < self.expected.0 || self.count > self.expected.1
    }

    pub fn percent(&self) -> Option<u32> {
        (self.of > 0).then(|| (f64::from(self.count) * 100.0 / f64::from(self.of)).round() as u32)
    }
}

/// The quality figures of an interviewer.
#[derive(Debug, Clone)]
pub struct InterviewerQuality {
    pub account: AccountId,
    pub name: String,
    pub attempts: u32,
    pub interviews: u32,
    /// The number of calls by outcome.
    pub outcomes: BTreeMap<CallOutcome, u32>,
    /// Refusals, as a share of the people reached.
    pub refusals: ObservedShare,
    /// Calls without an answer, as a share of the attempts.
    pub no_answers: ObservedShare,
    /// Interviews shorter than the configured share of the median of all interviewers, as a share
    /// of the interviews.
    pub short: ObservedShare,
    pub seconds_per_answer: Option<f64>,
    /// Verified interviews, and the number of doubtful ones among them.
    pub verified: u32,
    pub doubtful: u32,
}

#[derive(Default, Clone, Copy)]
struct Counts {
    attempts: u32,
    reached: u32,
    refusals: u32,
    no_answers: u32,
    interviews: u32,
    short: u32,
    millis: u64,
    answers: u32,
}

impl Counts {
    fn add(&mut self, call: &CallWorkload, is_short: bool) {
        self.attempts += u32::from(call.outcome.is_attempt());
        self.reached += u32::from(call.outcome.is_reached());
        self.refusals += u32::from(matches!(
            call.outcome,
            CallOutcome::SoftRefusal
                | CallOutcome::HungUp
                | CallOutcome::HardRefusal
                | CallOutcome::RefusedByOther
        ));
        self.no_answers +=
            u32::from(matches!(call.outcome, CallOutcome::NoAnswer | CallOutcome::Unreachable));
        self.interviews += u32::from(call.outcome == CallOutcome::Interviewed);
        self.short += u32::from(is_short);
        self.millis += call.millis;
        self.answers += call.answers;
    }
}

/// Returns the figures of every interviewer who has called since `since`, ordered by name.
pub async fn of_interviewers(
    context: &AppContext,
    since: Timestamp,
) -> Result<Vec<InterviewerQuality>, CallCenterError> {
    let mut connection = context.database.read().await?;
    let worked = calls::workloads_since(&mut connection, since).await?;
    let verified: BTreeMap<AccountId, (u32, u32)> = verifications::by_interviewer(&mut connection)
        .await?
        .into_iter()
        .map(|(account, verified, doubtful)| (account, (verified, doubtful)))
        .collect();
    let names: BTreeMap<AccountId, String> = accounts::all(&mut connection)
        .await?
        .into_iter()
        .map(|account| (account.id, account.name))
        .collect();
    let is_interview =
        |call: &&CallWorkload| call.outcome == CallOutcome::Interviewed && call.answers > 0;
    let mut lengths: Vec<u64> =
        worked.iter().filter(is_interview).map(|call| call.millis).collect();
    lengths.sort_unstable();
    let limit = lengths
        .get(lengths.len() / 2)
        .map_or(0.0, |median| *median as f64 * context.config.quality.speeding_below);
    let (mut all, mut each) = (Counts::default(), BTreeMap::<AccountId, Counts>::new());
    let mut outcomes: BTreeMap<AccountId, BTreeMap<CallOutcome, u32>> = BTreeMap::new();
    for call in &worked {
        let is_short = is_interview(&call) && (call.millis as f64) < limit;
        all.add(call, is_short);
        each.entry(call.account).or_default().add(call, is_short);
        *outcomes.entry(call.account).or_default().entry(call.outcome).or_default() += 1;
    }
    let quality = |(account, counts): (AccountId, Counts)| InterviewerQuality {
        account,
        name: names.get(&account).cloned().unwrap_or_default(),
        attempts: counts.attempts,
        interviews: counts.interviews,
        outcomes: outcomes.get(&account).cloned().unwrap_or_default(),
        refusals: ObservedShare::new(counts.refusals, counts.reached, (all.refusals, all.reached)),
        no_answers: ObservedShare::new(
            counts.no_answers,
            counts.attempts,
            (all.no_answers, all.attempts),
        ),
        short: ObservedShare::new(counts.short, counts.interviews, (all.short, all.interviews)),
        seconds_per_answer: (counts.answers > 0)
            .then(|| counts.millis as f64 / 1e3 / f64::from(counts.answers)),
        verified: verified.get(&account).map_or(0, |(verified, _)| *verified),
        doubtful: verified.get(&account).map_or(0, |(_, doubtful)| *doubtful),
    };
    let mut qualities: Vec<InterviewerQuality> = each.into_iter().map(quality).collect();
    qualities.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(qualities)
}
