//! Outcome rates of a campaign, for all of it and by application, mode, segment or wave.

use std::collections::BTreeMap;

use serde::Serialize;

use super::CampaignError;
use crate::adapters::database::cases::{OutcomeRow, OutcomeScope};
use crate::adapters::database::{campaigns, cases};
use crate::domain::contact_plan::{ContactPlan, Step};
use crate::domain::outcome_rates::{OutcomeCounts, OutcomeRate};
use crate::services::context::AppContext;

/// What rates are told by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateGrouping {
    Application,
    /// The mode of the contact that [`Wave`](RateGrouping::Wave) names. The mode of the answer would
    /// tell nothing: who has answered on the web has answered.
    Mode,
    Segment,
    /// The last contact before the respondent was heard of; of those who never were, the last one.
    Wave,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct GroupRates {
    /// `all`, or the application's code, the mode, the segment, the step's name; `none` where a
    /// case has none.
    pub group: String,
    pub cases: u64,
    pub complete: u64,
    pub partial: u64,
    pub refusal: u64,
    pub non_contact: u64,
    pub other: u64,
    pub unknown: u64,
    pub not_eligible: u64,
    /// Turned away because a cell was full (4.8).
    pub turned_away: u64,
    /// e: the estimated share of eligible people among `unknown`; `null`: not available.
    pub eligible_share: Option<f64>,
    /// By name; `null`: not available.
    pub rates: BTreeMap<&'static str, Option<f64>>,
}

/// The rates of the whole campaign first, then those of each group.
pub async fn rates(
    context: &AppContext,
    code: &str,
    by: RateGrouping,
) -> Result<Vec<GroupRates>, CampaignError> {
    let mut connection = context.database.read().await?;
    let campaign = campaigns::find(&mut connection, code)
        .await?
        .ok_or_else(|| CampaignError::UnknownCampaign(code.to_owned()))?;
    let steps = ContactPlan::from_stored(&campaign.plan)?.steps;
    let mut all = OutcomeCounts::default();
    let mut groups: BTreeMap<(u32, String), OutcomeCounts> = BTreeMap::new();
    for row in cases::outcomes(&mut connection, OutcomeScope::Campaign(campaign.id)).await? {
        all.add(row.disposition, row.cases);
        groups.entry(rate_group(&row, by, &steps)).or_default().add(row.disposition, row.cases);
    }
    let of = |group: String, outcomes: OutcomeCounts| GroupRates {
        group,
        cases: outcomes.cases(),
        complete: outcomes.complete,
        partial: outcomes.partial,
        refusal: outcomes.refusal,
        non_contact: outcomes.non_contact,
        other: outcomes.other,
        unknown: outcomes.unknown,
        not_eligible: outcomes.not_eligible,
        turned_away: outcomes.turned_away,
        eligible_share: outcomes.eligible_share(),
        rates: OutcomeRate::ALL.iter().map(|&rate| (rate.name(), outcomes.rate(rate))).collect(),
    };
    Ok(std::iter::once(of("all".to_owned(), all))
        .chain(groups.into_iter().map(|((_, group), outcomes)| of(group, outcomes)))
        .collect())
}

/// The group's place and name.
fn rate_group(row: &OutcomeRow, by: RateGrouping, steps: &[Step]) -> (u32, String) {
    let or_none = |text: &str| if text.is_empty() { "none".to_owned() } else { text.to_owned() };
    match by {
        RateGrouping::Application => (0, row.application.clone()),
        RateGrouping::Segment => (0, or_none(&row.segment)),
        RateGrouping::Mode => {
            let step = row.wave.and_then(|wave| steps.get(wave as usize));
            (0, or_none(step.map(|step| step.mode().as_str()).unwrap_or_default()))
        }
        RateGrouping::Wave => match row.wave {
            None => (0, "none".to_owned()),
            Some(wave) => {
                let name = steps.get(wave as usize).map(|step| step.name.clone());
                (wave + 1, name.unwrap_or_else(|| (wave + 1).to_string()))
            }
        },
    }
}
