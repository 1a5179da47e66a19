//! Outcome rates of a campaign, for all of it and by application, mode, segment or wave.

use std::collections::BTreeMap;

use serde::Serialize;

use super::CampaignError;
use crate::domain::outcome_rates::{Outcomes, Rate};
use crate::services::context::Installation;
use crate::adapters::database::cases::OutcomeRow;
use crate::adapters::database::{campaigns, cases};

/// What rates are told by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Application,
    /// The mode of the interview; of cases without one, that of the last attempt, or `none`.
    Mode,
    Segment,
    /// The last contact before the respondent was heard of; of those who never were, the last one.
    Wave,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct RatesOf {
    /// `all`, or the application's code, the mode, the segment, the step's name; `none` where a case has none.
    pub group: String,
    pub cases: u64,
    pub complete: u64,
    pub partial: u64,
    pub refusal: u64,
    pub non_contact: u64,
    pub other: u64,
    pub unknown: u64,
    pub not_eligible: u64,
    /// By name; `null`: not available.
    pub rates: BTreeMap<&'static str, Option<f64>>,
}

/// The rates of the whole campaign first, then those of each group.
pub async fn rates(installation: &Installation, code: &str, by: By) -> Result<Vec<RatesOf>, CampaignError> {
    let mut connection = installation.store.read().await?;
    let campaign = campaigns::find(&mut connection, code).await?.ok_or_else(|| CampaignError::Unknown(code.to_owned()))?;
    let steps: Vec<String> = super::read_plan(&campaign.plan)?.steps.into_iter().map(|step| step.name).collect();
    let mut all = Outcomes::default();
    let mut groups: BTreeMap<(u32, String), Outcomes> = BTreeMap::new();
    for row in cases::outcomes(&mut connection, campaign.id).await? {
        all.add(row.disposition, row.cases);
        groups.entry(group_of(&row, by, &steps)).or_default().add(row.disposition, row.cases);
    }
    let of = |group: String, outcomes: Outcomes| RatesOf {
        group,
        cases: outcomes.cases(),
        complete: outcomes.complete,
        partial: outcomes.partial,
        refusal: outcomes.refusal,
        non_contact: outcomes.non_contact,
        other: outcomes.other,
        unknown: outcomes.unknown,
        not_eligible: outcomes.not_eligible,
        rates: Rate::ALL.iter().map(|&rate| (rate.name(), outcomes.rate(rate))).collect(),
    };
    Ok(std::iter::once(of("all".to_owned(), all)).chain(groups.into_iter().map(|((_, group), outcomes)| of(group, outcomes))).collect())
}

/// The group's place and name.
fn group_of(row: &OutcomeRow, by: By, steps: &[String]) -> (u32, String) {
    let or_none = |text: &str| if text.is_empty() { "none".to_owned() } else { text.to_owned() };
    match by {
        By::Application => (0, row.application.clone()),
        By::Segment => (0, or_none(&row.segment)),
        By::Mode => (0, or_none(row.mode.as_deref().unwrap_or_default())),
        By::Wave => match row.wave {
            None => (0, "none".to_owned()),
            Some(step) => (step + 1, steps.get(step as usize).cloned().unwrap_or_else(|| (step + 1).to_string())),
        },
    }
}
