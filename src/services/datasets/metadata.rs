//! The metadata of a dataset version: counts, rates, quota cells, deviations. It is frozen with the
//! rows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fieldwork::Fieldwork;
use super::missing::{ANSWERS_FROM, MissingCodes, SPSS_AND_DDI_FROM, WEIGHTS_FROM};
use super::precision::PrecisionSummary;
use crate::adapters::database::cases::CaseRecord;
use crate::adapters::database::responses::Response;
use crate::domain::disposition::Disposition;
use crate::domain::estimation::WeightingSummary;
use crate::domain::outcome_rates::{OutcomeCounts, OutcomeRate};
use crate::domain::time::Timestamp;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DatasetMetadata {
    pub application: String,
    pub applicant: String,
    pub category: String,
    pub subject: String,
    pub programme: String,
    pub programme_name: BTreeMap<String, String>,
    pub campaign: Option<String>,
    pub kind: String,
    pub version: u32,
    pub reason: String,
    /// RFC 3339, in the programme's time zone, like all times in the metadata.
    pub frozen_at: String,
    pub time_zone: String,
    pub questionnaire: String,
    pub questionnaire_version: u32,
    /// The id of the stored questionnaire.
    pub questionnaire_id: i64,
    pub target: u32,
    pub closed_by: Option<String>,
    pub list_received_on: Option<String>,
    pub field_closes_at: Option<String>,
    /// The names on the lists, and the number of sampled cases.
    pub names: u64,
    pub cases: u64,
    pub list_fields: Vec<String>,
    /// The number of cases by AAPOR code.
    pub dispositions: BTreeMap<String, u64>,
    /// The outcome rates by name; `null`: the denominator is 0.
    pub rates: BTreeMap<String, Option<f64>>,
    /// The estimate that the rates with unknown cases rest on; versions before edition 3 have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eligibility: Option<EligibilityEstimate>,
    pub cells: Vec<CellSummary>,
    /// Completes, and cases first contacted, by day.
    pub completes_by_day: BTreeMap<String, u64>,
    pub first_contacts_by_day: BTreeMap<String, u64>,
    /// Cases, and completes among them, by the number of attempts.
    pub attempts: BTreeMap<i64, (u64, u64)>,
    /// The number of responses in the dataset by mode, device and language.
    pub modes: BTreeMap<String, u64>,
    pub devices: BTreeMap<String, u64>,
    pub languages: BTreeMap<String, u64>,
    pub speeding: u64,
    pub straight_lining: u64,
    /// Responses with the same answers as another, in a cluster, and excluded by staff; versions
    /// before edition 4 count none.
    pub duplicate_answers: u64,
    pub clustered: u64,
    pub excluded: u64,
    pub responses: u64,
    pub partial: u64,
    /// Cases whose consent was withdrawn.
    pub withdrawn: u64,
    /// Responses finished after the field closed.
    pub late: u64,
    pub deviations: Vec<Deviation>,
    pub open_answers: String,
    pub smallest_cell: u32,
    /// The edition of the rules that the version is frozen by, see
    /// [`CURRENT_RULES`](super::missing::CURRENT_RULES).
    #[serde(default = "first_rules")]
    pub rules_version: u32,
    /// Versions frozen before there was a choice have none.
    pub csv_byte_order_mark: bool,
    /// The number of values suppressed because too few cases have them, by column.
    pub suppressed: BTreeMap<String, u64>,
    /// How the weights came about, and the precision of the means; versions before edition 4 have
    /// none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<WeightingSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<PrecisionSummary>,
    /// What a report on the fieldwork tells beside its results; versions before edition 4 have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fieldwork: Option<Fieldwork>,
    /// Whether responses have a pseudonym of the person in all programmes of the applicant, and
    /// who of them answered in other programmes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub has_panel: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub panel_overlap: Vec<PanelOverlap>,
}

/// The people who answered both in this version and in the latest one of an application of another
/// programme.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PanelOverlap {
    pub programme: String,
    pub application: String,
    pub version: u32,
    /// Those with a response in both, and with a complete in both.
    pub responses: u64,
    pub completes: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CellSummary {
    pub name: String,
    pub kind: String,
    pub target: u32,
    /// The completes that were wanted at least; 0: no minimum.
    #[serde(default)]
    pub minimum: u32,
    pub completes: u32,
}

/// e of the Standard Definitions, and its basis: e = eligible / (eligible + screened out).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EligibilityEstimate {
    /// `None`: nothing is known of anybody.
    pub e: Option<f64>,
    /// The cases known to be eligible, and those whom screening found not to be (4.1).
    pub eligible: u64,
    pub screened_out: u64,
    /// The cases to which e applies.
    pub unknown: u64,
}

/// A deviation from the plan, with its day and its reason.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Deviation {
    pub at: String,
    pub what: String,
    pub days: Option<u32>,
    pub reason: String,
}

/// Versions that were frozen before editions were written down.
fn first_rules() -> u32 {
    1
}

impl DatasetMetadata {
    /// Returns the codes for missing values in the version.
    pub fn missing_codes(&self) -> MissingCodes {
        MissingCodes::of_rules(self.rules_version)
    }

    /// Whether the version has columns of weights.
    pub fn has_weights(&self) -> bool {
        self.rules_version >= WEIGHTS_FROM
    }

    /// Whether the version says how each answer was entered.
    pub fn has_answers(&self) -> bool {
        self.rules_version >= ANSWERS_FROM
    }

    /// Whether the version has SPSS files and a DDI codebook. An earlier one keeps the files that it
    /// had.
    pub fn has_spss_and_ddi(&self) -> bool {
        self.rules_version >= SPSS_AND_DDI_FROM
    }

    /// Counts a case, and its response where the dataset includes it.
    pub(super) fn count(
        &mut self,
        record: &CaseRecord,
        response_mode_device: Option<(&Response, &str, &str)>,
        day: &dyn Fn(Timestamp) -> String,
    ) {
        self.cases += 1;
        *self.dispositions.entry(record.disposition.code().to_owned()).or_default() += 1;
        let attempts = self.attempts.entry(record.attempts).or_default();
        attempts.0 += 1;
        if record.disposition == Disposition::Complete {
            attempts.1 += 1;
        }
        if let Some(at) = record.first_attempt_at {
            *self.first_contacts_by_day.entry(day(at)).or_default() += 1;
        }
        let Some((response, mode, device)) = response_mode_device else { return };
        self.responses += 1;
        *self.modes.entry(mode.to_owned()).or_default() += 1;
        if !device.is_empty() {
            *self.devices.entry(device.to_owned()).or_default() += 1;
        }
        *self.languages.entry(response.language.tag().to_owned()).or_default() += 1;
        self.speeding += u64::from(response.quality.speeding == Some(true));
        self.straight_lining += u64::from(response.quality.straight_lining == Some(true));
        self.duplicate_answers += u64::from(response.quality.duplicate == Some(true));
        self.late += u64::from(response.late_at.is_some());
        match response.completed_at.filter(|_| record.disposition == Disposition::Complete) {
            Some(at) => *self.completes_by_day.entry(day(at)).or_default() += 1,
            None => self.partial += u64::from(record.disposition == Disposition::Partial),
        }
    }

    /// Computes the rates once all cases are counted.
    pub(super) fn compute_rates(&mut self) {
        let mut outcomes = OutcomeCounts::default();
        for (code, cases) in &self.dispositions {
            if let Some(disposition) = Disposition::from_code(code) {
                outcomes.add(disposition, *cases);
            }
        }
        self.eligibility = Some(EligibilityEstimate {
            e: outcomes.eligible_share().map(round_to_six_places),
            eligible: outcomes.base(),
            screened_out: outcomes.not_eligible,
            unknown: outcomes.unknown,
        });
        self.rates = OutcomeRate::ALL
            .into_iter()
            .map(|rate| (rate.name().to_owned(), outcomes.rate(rate).map(round_to_six_places)))
            .collect();
    }
}

fn round_to_six_places(rate: f64) -> f64 {
    (rate * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::datasets::missing::CURRENT_RULES;

    #[test]
    fn a_version_keeps_the_files_of_its_edition() {
        for rules_version in 1..=CURRENT_RULES {
            let metadata = DatasetMetadata { rules_version, ..DatasetMetadata::default() };
            assert_eq!(metadata.has_spss_and_ddi(), rules_version >= 4, "{rules_version}");
        }
    }
}
