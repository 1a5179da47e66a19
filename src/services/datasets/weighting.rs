//! The weights of an application's cases, computed from its whole list before any value is
//! suppressed. The words of list fields stay in memory: they are sealed, and the weights need only
//! who agrees with whom.

use std::collections::BTreeMap;

use super::DatasetError;
use crate::adapters::crypto::Sealer;
use crate::adapters::database::WriteTx;
use crate::adapters::database::applications::Application;
use crate::adapters::database::cases::{self, CaseRecord, ListedCase};
use crate::domain::disposition::{Disposition, OutcomeGroup};
use crate::domain::estimation::{
    Frame, GroupWeights, ListFrame, Representativity, SampleState, Weighting,
};
use crate::services::sealing::open_fields;

pub(super) struct ListWeights {
    frame: Frame,
    fields: Vec<String>,
    pub weighting: Weighting,
}

impl ListWeights {
    pub async fn of(
        tx: &mut WriteTx,
        application: &Application,
        sealer: &Sealer,
    ) -> Result<ListWeights, DatasetError> {
        let fields: Vec<String> = application.list_fields.keys().cloned().collect();
        let mut list = ListFrame::new(fields.iter().map(String::as_str));
        for case in cases::listed(tx, application.id).await? {
            let values = open_fields(sealer, case.fields_sealed.as_deref())?;
            list.add(&words(&case.segment, &fields, &values), state_of(&case));
        }
        let frame = list.finish();
        let weighting = Weighting::of(&frame);
        Ok(ListWeights { frame, fields, weighting })
    }

    /// Returns the weights of a case, whose list fields are given opened.
    pub fn of_case(
        &self,
        record: &CaseRecord,
        values: &BTreeMap<String, String>,
    ) -> Option<&GroupWeights> {
        let codes = self.frame.codes(&words(&record.segment, &self.fields, values));
        self.weighting.of_codes(&codes)
    }

    pub fn representativity(&self) -> Representativity {
        Representativity::of(&self.frame)
    }
}

fn words<'w>(
    segment: &'w str,
    fields: &[String],
    values: &'w BTreeMap<String, String>,
) -> Vec<&'w str> {
    let of_field = |name: &String| values.get(name).map(String::as_str).unwrap_or_default();
    std::iter::once(segment).chain(fields.iter().map(of_field)).collect()
}

/// A complete whose consent was withdrawn is a nonrespondent.
fn state_of(case: &ListedCase) -> SampleState {
    match case.disposition {
        _ if !case.is_sampled => SampleState::HeldBack,
        Disposition::Complete if !case.is_withdrawn => SampleState::Complete,
        other if other.group() == OutcomeGroup::NotEligible => SampleState::NotEligible,
        _ => SampleState::Nonrespondent,
    }
}
