//! Counts who was asked and who answered by the words of the list, as `cases.csv` shows them, for the
//! fieldwork report. The words of list fields are sealed, so that they are in no metadata: the counts
//! are made anew from the rows.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use csv::StringRecord;

use super::{FormatContext, TableFormat};
use crate::domain::disposition::{Disposition, OutcomeGroup};
use crate::domain::estimation::{CategoryCount, MAX_CATEGORIES, VariableCounts};
use crate::services::datasets::layout::{Table, layout, list_column};

/// The counts of one column: people asked, and completes, by word.
type Words = BTreeMap<String, (u64, u64)>;

/// What has been counted so far; it outlives the format.
#[derive(Clone, Default)]
pub struct ListCounts(Arc<Mutex<Vec<(String, Words)>>>);

pub struct ListTally {
    counts: ListCounts,
    /// The places of the counted columns, and of the disposition.
    places: Vec<usize>,
    disposition: usize,
}

impl ListCounts {
    /// Returns the columns with at least two words, and not too many.
    pub fn variables(&self) -> Vec<VariableCounts> {
        let columns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let category = |(word, (sample, completes)): (&String, &(u64, u64))| CategoryCount {
            word: word.clone(),
            sample: *sample,
            completes: *completes,
        };
        columns
            .iter()
            .filter(|(_, words)| (2..=MAX_CATEGORIES).contains(&words.len()))
            .map(|(name, words)| VariableCounts {
                variable: name.clone(),
                categories: words.iter().map(category).collect(),
            })
            .collect()
    }
}

impl ListTally {
    pub(super) fn begin(format_context: FormatContext<'_>, counts: &ListCounts) -> ListTally {
        let FormatContext { metadata, questionnaire, .. } = format_context;
        let fields = layout(Table::Cases, questionnaire, metadata);
        let place = |name: &str| fields.iter().position(|field| field.name == name);
        let names = ["segment".to_owned()].into_iter().chain(
            metadata.list_fields.iter().map(|name| list_column(name, metadata.rules_version)),
        );
        let (names, places): (Vec<String>, Vec<usize>) =
            names.filter_map(|name| place(&name).map(|place| (name, place))).unzip();
        *counts.0.lock().unwrap_or_else(PoisonError::into_inner) =
            names.into_iter().map(|name| (name, Words::new())).collect();
        let disposition = place("disposition").unwrap_or_default();
        ListTally { counts: counts.clone(), places, disposition }
    }
}

impl TableFormat for ListTally {
    fn row(&mut self, table: Table, row: &StringRecord) -> io::Result<()> {
        let code = row.get(self.disposition).unwrap_or_default();
        let disposition = Disposition::from_code(code);
        let is_eligible =
            disposition.is_none_or(|known| known.group() != OutcomeGroup::NotEligible);
        if table != Table::Cases || !is_eligible {
            return Ok(());
        }
        let mut counts = self.counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        for ((_, words), place) in counts.iter_mut().zip(&self.places) {
            let word = row.get(*place).unwrap_or_default();
            // One word more than is shown is enough to know that there are too many.
            if words.len() > MAX_CATEGORIES && !words.contains_key(word) {
                continue;
            }
            let count = words.entry(word.to_owned()).or_default();
            count.0 += 1;
            count.1 += u64::from(disposition == Some(Disposition::Complete));
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        Ok(())
    }
}
