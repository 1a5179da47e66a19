//! Reads a frozen version back: its metadata, and its rows block by block.

use std::collections::BTreeSet;

use csv::StringRecord;

use super::DatasetError;
use super::layout::{Table, layout};
use super::metadata::DatasetMetadata;
use super::missing::MissingReason;
use crate::adapters::crypto::{KeyRingError, Sealer};
use crate::adapters::database::datasets::{self, Dataset};
use crate::adapters::database::{applications, campaigns};
use crate::domain::questionnaire::Questionnaire;
use crate::services::context::AppContext;
use crate::services::sealing::seal_context;

/// The `open_answers` policy of a version whose key is destroyed.
const ERASED: &str = "forgotten";

pub struct Frozen {
    pub dataset: Dataset,
    pub metadata: DatasetMetadata,
    pub questionnaire: Questionnaire,
    /// The questionnaire's source as launched.
    pub source: String,
    /// `None`: the applicant's key is destroyed, and the sealed cells are lost.
    sealer: Option<Sealer>,
    /// The cells that a reviewer redacted, by pseudonym and column.
    redacted_cells: BTreeSet<(String, String)>,
}

impl Frozen {
    pub async fn open(context: &AppContext, dataset: &Dataset) -> Result<Frozen, DatasetError> {
        let mut connection = context.database.read().await?;
        let unreadable = |e: serde_json::Error| {
            DatasetError::Format(dataset.application_code.clone(), e.to_string())
        };
        let (metadata, redacted_cells) = datasets::metadata(&mut connection, dataset.id).await?;
        let metadata: DatasetMetadata = serde_json::from_str(&metadata).map_err(unreadable)?;
        let redacted_cells = redacted_cells
            .map(|redacted_cells| serde_json::from_str(&redacted_cells).map_err(unreadable))
            .transpose()?
            .unwrap_or_default();
        let source =
            campaigns::questionnaire_source(&mut connection, metadata.questionnaire_id).await?;
        let key_id = applications::get(&mut connection, dataset.application).await?.key_id;
        let sealer = match context.keys.sealer(&key_id) {
            Ok(sealer) => Some(sealer),
            Err(KeyRingError::Destroyed { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let metadata = if sealer.is_none() {
            DatasetMetadata { open_answers: ERASED.into(), ..metadata }
        } else {
            metadata
        };
        Ok(Frozen {
            dataset: dataset.clone(),
            metadata,
            questionnaire: Questionnaire::parse(&source)?,
            source,
            sealer,
            redacted_cells,
        })
    }

    /// Returns a block of a table's rows; `None`: there are no more. Sealed cells are empty once
    /// the key is destroyed.
    pub async fn block(
        &self,
        context: &AppContext,
        table: Table,
        number: u32,
    ) -> Result<Option<Vec<StringRecord>>, DatasetError> {
        let block = datasets::frozen_block(
            &mut *context.database.read().await?,
            self.dataset.id,
            table.name(),
            number,
        )
        .await?;
        let Some((cells, sealed)) = block else { return Ok(None) };
        let mut rows = records(&cells)?;
        let (Some(sealed), Some(sealer)) = (sealed, &self.sealer) else { return Ok(Some(rows)) };
        let sealed = records(&sealer.open(seal_context::FROZEN, &sealed)?)?;
        let fields = layout(table, &self.questionnaire, &self.metadata);
        for (row, sealed) in rows.iter_mut().zip(&sealed) {
            let mut opened_values = sealed.iter();
            let case = row.get(0).unwrap_or_default().to_owned();
            let cell = |(cell, field): (&str, &super::layout::Field<'_>)| {
                if !field.is_sealed {
                    return cell.to_owned();
                }
                let opened = opened_values.next().unwrap_or_default();
                let is_redacted = !self.redacted_cells.is_empty()
                    && self.redacted_cells.contains(&(case.clone(), field.name.clone()));
                let withheld = || self.metadata.missing_codes().code(MissingReason::Withheld);
                if is_redacted { withheld() } else { opened }.to_owned()
            };
            let whole: Vec<String> = row.iter().zip(&fields).map(cell).collect();
            *row = StringRecord::from(whole);
        }
        Ok(Some(rows))
    }
}

pub(super) fn records(csv: &[u8]) -> Result<Vec<StringRecord>, DatasetError> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(csv);
    reader
        .records()
        .collect::<Result<_, _>>()
        .map_err(|e| DatasetError::Format("a frozen block".into(), e.to_string()))
}
