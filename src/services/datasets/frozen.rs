//! Reads a frozen version back: what is told about it, and its rows, block by block.

use std::collections::BTreeSet;

use csv::StringRecord;

use super::DatasetError;
use super::metadata::About;
use super::layout::{Table, layout};
use crate::adapters::crypto::{KeyRingError, Sealer};
use crate::domain::questionnaire::Questionnaire;
use crate::services::context::Installation;
use crate::services::sealing::place;
use crate::adapters::database::datasets::{self, Dataset};
use crate::adapters::database::{applications, campaigns};

/// What became of open answers whose key is destroyed.
const FORGOTTEN: &str = "forgotten";

pub struct Frozen {
    pub dataset: Dataset,
    pub about: About,
    pub questionnaire: Questionnaire,
    /// As it was launched.
    pub source: String,
    /// `None`: the applicant's key is destroyed, and what was sealed with it is gone.
    sealer: Option<Sealer>,
    /// Pseudonyms with columns that a reader struck out.
    struck: BTreeSet<(String, String)>,
}

impl Frozen {
    pub async fn open(installation: &Installation, dataset: &Dataset) -> Result<Frozen, DatasetError> {
        let mut connection = installation.store.read().await?;
        let unreadable = |e: serde_json::Error| DatasetError::Format(dataset.application_code.clone(), e.to_string());
        let (about, struck) = datasets::about(&mut connection, dataset.id).await?;
        let about: About = serde_json::from_str(&about).map_err(unreadable)?;
        let struck = struck.map(|struck| serde_json::from_str(&struck).map_err(unreadable)).transpose()?.unwrap_or_default();
        let source = campaigns::questionnaire_source(&mut connection, about.questionnaire_id).await?;
        let key_id = applications::get(&mut connection, dataset.application).await?.key_id;
        let sealer = match installation.keys.sealer(&key_id) {
            Ok(sealer) => Some(sealer),
            Err(KeyRingError::Destroyed { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let about = if sealer.is_none() { About { open_answers: FORGOTTEN.into(), ..about } } else { about };
        Ok(Frozen { dataset: dataset.clone(), about, questionnaire: Questionnaire::parse(&source)?, source, sealer, struck })
    }

    /// A block of a table's rows; `None`: there are no more. Cells whose key is gone are empty.
    pub async fn block(&self, installation: &Installation, table: Table, number: u32) -> Result<Option<Vec<StringRecord>>, DatasetError> {
        let block = datasets::block(&mut *installation.store.read().await?, self.dataset.id, table.name(), number).await?;
        let Some((cells, sealed)) = block else { return Ok(None) };
        let mut rows = records(&cells)?;
        let (Some(sealed), Some(sealer)) = (sealed, &self.sealer) else { return Ok(Some(rows)) };
        let sealed = records(&sealer.open(place::FROZEN, &sealed)?)?;
        let fields = layout(table, &self.questionnaire, &self.about.list_fields);
        for (row, sealed) in rows.iter_mut().zip(&sealed) {
            let mut theirs = sealed.iter();
            let case = row.get(0).unwrap_or_default().to_owned();
            let cell = |(cell, field): (&str, &super::layout::Field<'_>)| {
                if !field.is_sealed {
                    return cell.to_owned();
                }
                let opened = theirs.next().unwrap_or_default();
                let is_struck = !self.struck.is_empty() && self.struck.contains(&(case.clone(), field.name.clone()));
                if is_struck { String::new() } else { opened.to_owned() }
            };
            let whole: Vec<String> = row.iter().zip(&fields).map(cell).collect();
            *row = StringRecord::from(whole);
        }
        Ok(Some(rows))
    }
}

fn records(csv: &[u8]) -> Result<Vec<StringRecord>, DatasetError> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(csv);
    reader.records().collect::<Result<_, _>>().map_err(|e| DatasetError::Format("a frozen block".into(), e.to_string()))
}
