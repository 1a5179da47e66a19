//! What a report on fieldwork must tell beside its results (ISO 20252, GB/T 26316): the frame, the
//! draw, the dates, the plan as it ran with its messages, who changed it, the outcome of each
//! contact, the lengths of interviews, and how many were verified. It is frozen with the rows.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::DatasetError;
use crate::adapters::database::applications::Application;
use crate::adapters::database::cases::{self, CaseRecord, OutcomeScope};
use crate::adapters::database::{WriteTx, audit, campaigns, lists, paper_forms, verifications};
use crate::domain::audit::Action;
use crate::domain::contact_plan::{Contact, ContactPlan};
use crate::domain::ids::AccountId;
use crate::domain::language::LocalizedText;
use crate::domain::mode::Mode;
use crate::domain::outcome_rates::OutcomeCounts;
use crate::domain::programme::Programme;
use crate::domain::sms_text::Template;
use crate::domain::time::Timestamp;

/// All times are RFC 3339 in the programme's time zone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fieldwork {
    pub launched_at: Option<String>,
    pub first_contact_at: Option<String>,
    pub last_contact_at: Option<String>,
    pub first_complete_at: Option<String>,
    pub last_complete_at: Option<String>,
    /// The lists that were handed in for the application, oldest first.
    pub lists: Vec<ListReceived>,
    /// Of the draw; `None`: everybody on the list was in the sample.
    pub draw_seed: Option<String>,
    /// The replicates that cases of the sample are in.
    pub replicates: u64,
    pub plan: Option<PlanAsRun>,
    pub notice: Notice,
    pub changes: Vec<Change>,
    /// By the last contact before somebody was heard of; of those who never were, the last one.
    pub waves: Vec<WaveOutcome>,
    /// Of completes with a known time on the pages, by the mode of their answers.
    pub lengths: BTreeMap<String, Length>,
    pub interviewers: u64,
    /// Completes of which interviewers entered answers, and those that somebody else verified.
    pub interviewed: u64,
    pub verified: u64,
    pub doubtful: u64,
    /// Paper forms that a second person keyed again, those of them and of the drawn ones that are
    /// open, and the items that were compared and that differed.
    pub keyed_twice: u64,
    pub second_keying_open: u64,
    pub items_compared: u64,
    pub items_different: u64,
}

/// The rows of a list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ListReceived {
    pub at: String,
    pub rows: u64,
    pub accepted: u64,
    /// Rows of a person who was on the list already.
    pub merged: u64,
    pub refused: u64,
    /// People who were left out of a list over the category's limit.
    #[serde(default)]
    pub left_out: u64,
    /// Where they were left out by a random draw: its seed, and the number of people it drew from.
    #[serde(default)]
    pub draw_seed: Option<u32>,
    #[serde(default)]
    pub drawn_from: Option<u64>,
}

/// A contact plan, as a reader without its file understands it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanAsRun {
    pub name: String,
    pub signature: String,
    pub time_zone: String,
    /// The open hours of each day, by its name in the plan; `holidays` are a day of their own.
    pub hours: Vec<(String, Vec<String>)>,
    pub steps: Vec<StepAsRun>,
    /// The texts beside the steps: `confirmation`, `resubscription`, `link`.
    pub others: Vec<(String, BTreeMap<String, String>)>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StepAsRun {
    pub name: String,
    pub mode: String,
    /// Hours after the step before, or after the launch.
    pub after_hours: u64,
    /// Attempts by telephone, at most.
    pub calls: Option<u32>,
    pub offers_sms_interview: bool,
    /// The plan's condition; `None`: for everybody who has not finished.
    pub condition: Option<String>,
    /// By language, with placeholders.
    pub texts: BTreeMap<String, String>,
}

/// What respondents agreed to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    pub version: String,
    pub zh: String,
    pub en: String,
}

/// What somebody changed in the campaign or the application.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub at: String,
    pub actor: String,
    /// The action of the audit log.
    pub action: String,
    pub detail: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WaveOutcome {
    /// The step's name; empty: nobody had contacted them.
    pub step: String,
    pub mode: String,
    pub cases: u64,
    pub complete: u64,
    pub partial: u64,
    pub refusal: u64,
    pub non_contact: u64,
    pub other: u64,
    pub unknown: u64,
    pub not_eligible: u64,
    pub turned_away: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Length {
    pub interviews: u64,
    /// In seconds.
    pub median: u64,
}

/// What changes a field, of all that the audit log holds.
const CHANGES: [Action; 5] = [
    Action::PlanSaved,
    Action::LaunchRequested,
    Action::CampaignLaunched,
    Action::CampaignStateChanged,
    Action::DeadlineChanged,
];

/// Collects what comes from the rows while they are written.
#[derive(Default)]
pub(super) struct FieldworkTally {
    first_contact: Option<Timestamp>,
    last_contact: Option<Timestamp>,
    first_complete: Option<Timestamp>,
    last_complete: Option<Timestamp>,
    replicates: BTreeSet<u32>,
    seconds: BTreeMap<String, Vec<u32>>,
    interviewers: BTreeSet<i64>,
    interviewed: u64,
}

impl FieldworkTally {
    pub fn add_case(&mut self, record: &CaseRecord, replicate: Option<u32>) {
        let earlier = |known: Option<Timestamp>, at: Timestamp| known.map_or(at, |k| k.min(at));
        if let Some(at) = record.first_attempt_at {
            self.first_contact = Some(earlier(self.first_contact, at));
        }
        self.last_contact = self.last_contact.max(record.last_attempt_at);
        self.replicates.extend(replicate);
    }

    /// Adds a complete: when it was finished, its mode, the seconds on its pages, who entered
    /// answers.
    pub fn add_complete(
        &mut self,
        at: Option<Timestamp>,
        mode: &str,
        seconds: Option<u32>,
        interviewers: impl Iterator<Item = AccountId>,
    ) {
        if let Some(at) = at {
            self.first_complete = Some(self.first_complete.map_or(at, |known| known.min(at)));
            self.last_complete = self.last_complete.max(Some(at));
        }
        if let Some(seconds) = seconds.filter(|_| Mode::parse(mode).is_none_or(Mode::is_timed)) {
            self.seconds.entry(mode.to_owned()).or_default().push(seconds);
        }
        let accounts: BTreeSet<i64> = interviewers.map(|account| account.0).collect();
        self.interviewed += u64::from(!accounts.is_empty());
        self.interviewers.extend(accounts);
    }

    /// Adds what the database tells of the campaign.
    pub async fn finish(
        self,
        tx: &mut WriteTx,
        application: &Application,
        programme: &Programme,
    ) -> Result<Fieldwork, DatasetError> {
        let zone = programme.time_zone;
        let time = |at: Timestamp| at.rfc3339(zone);
        let mut fieldwork = Fieldwork {
            first_contact_at: self.first_contact.map(time),
            last_contact_at: self.last_contact.map(time),
            first_complete_at: self.first_complete.map(time),
            last_complete_at: self.last_complete.map(time),
            replicates: self.replicates.len() as u64,
            lengths: self.seconds.into_iter().map(|(mode, all)| (mode, length(all))).collect(),
            interviewers: self.interviewers.len() as u64,
            interviewed: self.interviewed,
            notice: notice(&programme.privacy.version, &programme.privacy.text),
            ..Fieldwork::default()
        };
        for (counts, at) in
            lists::imports_of(tx, application.applicant_id, &application.code).await?
        {
            fieldwork.lists.push(ListReceived {
                at: time(at),
                rows: counts.rows_read,
                accepted: counts.accepted,
                merged: counts.merged,
                refused: counts.rejected,
                left_out: counts.left_out,
                draw_seed: counts.draw.map(|(seed, _)| seed),
                drawn_from: counts.draw.map(|(_, from)| from),
            });
        }
        (fieldwork.verified, fieldwork.doubtful) =
            verifications::of_application(tx, application.id).await?;
        let keying = paper_forms::quality_of_application(tx, application.id).await?;
        fieldwork.keyed_twice = keying.keyed_twice;
        fieldwork.second_keying_open = keying.open;
        fieldwork.items_compared = keying.items_compared;
        fieldwork.items_different = keying.items_different;
        let mut objects = vec![format!("application:{}", application.code)];
        if let Some(id) = application.campaign_id {
            let campaign = campaigns::get(tx, id).await?;
            let plan = ContactPlan::from_stored(&campaign.plan)
                .map_err(|e| DatasetError::Format(application.code.clone(), e.to_string()))?;
            objects.extend(["campaign", "draft"].map(|kind| format!("{kind}:{}", campaign.code)));
            fieldwork.launched_at = Some(time(campaign.launched_at));
            fieldwork.draw_seed = campaigns::draw_seed(tx, id).await?;
            fieldwork.waves = waves(tx, application, &plan).await?;
            fieldwork.plan = Some(plan_as_run(&plan, &campaign.plan));
        }
        for entry in audit::of_objects(tx, &objects).await? {
            if CHANGES.contains(&entry.action) {
                fieldwork.changes.push(Change {
                    at: time(entry.at),
                    actor: entry.actor.name,
                    action: entry.action.code().to_owned(),
                    detail: entry.detail,
                });
            }
        }
        Ok(fieldwork)
    }
}

fn notice(version: &str, text: &LocalizedText) -> Notice {
    Notice { version: version.to_owned(), zh: text.zh().to_owned(), en: text.en().to_owned() }
}

fn length(mut seconds: Vec<u32>) -> Length {
    seconds.sort_unstable();
    let (count, middle) = (seconds.len(), seconds.len() / 2);
    let at = |place: usize| seconds.get(place).copied().map_or(0, u64::from);
    let median = if count.is_multiple_of(2) {
        (at(middle.saturating_sub(1)) + at(middle)) / 2
    } else {
        at(middle)
    };
    Length { interviews: count as u64, median }
}

async fn waves(
    tx: &mut WriteTx,
    application: &Application,
    plan: &ContactPlan,
) -> Result<Vec<WaveOutcome>, DatasetError> {
    let mut waves: BTreeMap<Option<u32>, OutcomeCounts> = BTreeMap::new();
    for row in cases::outcomes(tx, OutcomeScope::Application(application.id)).await? {
        waves.entry(row.wave).or_default().add(row.disposition, row.cases);
    }
    let outcome = |(wave, counts): (Option<u32>, OutcomeCounts)| {
        let step = wave.and_then(|wave| plan.steps.get(wave as usize));
        WaveOutcome {
            step: step.map(|step| step.name.clone()).unwrap_or_default(),
            mode: step.map(|step| step.mode().as_str().to_owned()).unwrap_or_default(),
            cases: counts.cases(),
            complete: counts.complete,
            partial: counts.partial,
            refusal: counts.refusal,
            non_contact: counts.non_contact,
            other: counts.other,
            unknown: counts.unknown,
            not_eligible: counts.not_eligible,
            turned_away: counts.turned_away,
        }
    };
    Ok(waves.into_iter().map(outcome).collect())
}

/// `stored`: the plan's file, for what the checked plan no longer has in words.
fn plan_as_run(plan: &ContactPlan, stored: &str) -> PlanAsRun {
    let file: serde_json::Value = serde_json::from_str(stored).unwrap_or_default();
    let days =
        ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "holidays"];
    let hours = |day: &str| -> Vec<String> {
        let spans = file["hours"][day].as_array().into_iter().flatten();
        spans.filter_map(|span| span.as_str().map(str::to_owned)).collect()
    };
    let texts = |texts: &BTreeMap<_, Template>| -> BTreeMap<String, String> {
        let text = |(language, text): (&crate::domain::language::Language, &Template)| {
            (language.tag().to_owned(), text.to_string())
        };
        texts.iter().map(text).collect()
    };
    let step = |step: &crate::domain::contact_plan::Step| StepAsRun {
        name: step.name.clone(),
        mode: step.mode().as_str().to_owned(),
        after_hours: step.after.as_secs() / 3_600,
        calls: match step.contact {
            Contact::Telephone { calls, .. } => Some(calls),
            Contact::Sms(_) | Contact::SmsInterviewOffer(_) | Contact::Paper => None,
        },
        offers_sms_interview: step.offers_sms_interview(),
        condition: step.condition_source().map(str::to_owned),
        texts: step.texts().or(step.opening()).map(texts).unwrap_or_default(),
    };
    let link = plan.own_link_texts();
    let others = [
        ("confirmation", &plan.confirmation),
        ("resubscription", &plan.resubscription),
        ("link", link),
    ];
    PlanAsRun {
        name: plan.name.clone(),
        signature: plan.signature.clone(),
        time_zone: plan.time_zone.to_string(),
        hours: days.map(|day| (day.to_owned(), hours(day))).into(),
        steps: plan.steps.iter().map(step).collect(),
        others: others
            .into_iter()
            .filter(|(_, of)| !of.is_empty())
            .map(|(name, of)| (name.to_owned(), texts(of)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_two() {
        for (seconds, median) in
            [(vec![], 0), (vec![7], 7), (vec![9, 1], 5), (vec![5, 1, 9], 5), (vec![4, 1, 9, 5], 4)]
        {
            assert_eq!(length(seconds.clone()).median, median, "{seconds:?}");
        }
    }
}
