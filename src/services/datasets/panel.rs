//! The panel: who answered in several programmes of an applicant.
//!
//! Only where the privacy notice says so, and only for those who agreed to that very version.

use std::collections::HashMap;

use csv::StringRecord;

use super::DatasetError;
use super::layout::{Table, layout};
use super::metadata::{DatasetMetadata, PanelOverlap};
use crate::adapters::crypto::Hasher;
use crate::adapters::database::applications::Application;
use crate::adapters::database::cases::{self, CaseRecord};
use crate::adapters::database::datasets::{self, Dataset};

use crate::adapters::database::{WriteTx, campaigns};
use crate::domain::disposition::Disposition;
use crate::domain::ids::CaseId;
use crate::domain::programme::Programme;
use crate::domain::questionnaire::Questionnaire;
use crate::services::context::AppContext;

pub(super) struct Panel {
    hasher: Hasher,
    applicant: String,
    notice: String,
    /// The latest versions of the applicant's other programmes.
    others: Vec<Dataset>,
    /// The facts of the block of cases that is being written.
    facts: HashMap<CaseId, (String, String)>,
    /// Who has a response in this version, and whether it is complete.
    members: HashMap<String, bool>,
}

impl Panel {
    /// Returns the panel of an application; `None`: the programme's notice does not speak of one.
    pub async fn of(
        context: &AppContext,
        tx: &mut WriteTx,
        application: &Application,
        programme: &Programme,
    ) -> Result<Option<Panel>, DatasetError> {
        if !programme.privacy.panel {
            return Ok(None);
        }
        let applicant = application.applicant_code.clone();
        let others =
            datasets::in_other_programmes(tx, &applicant, application.programme_id).await?;
        Ok(Some(Panel {
            hasher: context.keys.hasher().clone(),
            applicant,
            notice: programme.privacy.version.clone(),
            others,
            facts: HashMap::new(),
            members: HashMap::new(),
        }))
    }

    /// Reads what the pseudonyms of the next cases are made from.
    pub async fn read(&mut self, tx: &mut WriteTx, cases: &[CaseId]) -> Result<(), DatasetError> {
        self.facts = cases::panel_facts(tx, cases).await?;
        Ok(())
    }

    /// Returns the pseudonym of a case with a response; empty if the person agreed to another
    /// version of the notice.
    pub fn pseudonym(&mut self, record: &CaseRecord) -> String {
        let fact = self.facts.get(&record.id).filter(|(_, notice)| *notice == self.notice);
        let Some((phone_hash, _)) = fact else { return String::new() };
        let pseudonym = self.hasher.panel_pseudonym(&self.applicant, phone_hash);
        self.members.insert(pseudonym.clone(), record.disposition == Disposition::Complete);
        pseudonym
    }

    /// Counts the members in the other programmes' versions. Those are frozen, so this holds after
    /// their lists are deleted.
    pub async fn overlap(self, tx: &mut WriteTx) -> Result<Vec<PanelOverlap>, DatasetError> {
        let mut overlaps = Vec::new();
        for dataset in &self.others {
            let (metadata, _) = datasets::metadata(tx, dataset.id).await?;
            let metadata: DatasetMetadata = serde_json::from_str(&metadata).map_err(|e| {
                DatasetError::Format(dataset.application_code.clone(), e.to_string())
            })?;
            if !metadata.has_panel {
                continue;
            }
            let source = campaigns::questionnaire_source(tx, metadata.questionnaire_id).await?;
            let questionnaire = Questionnaire::parse(&source)?;
            let fields = layout(Table::Responses, &questionnaire, &metadata);
            let place = |name: &str| fields.iter().position(|field| field.name == name);
            let (Some(panel_id), Some(disposition)) = (place("panel_id"), place("disposition"))
            else {
                continue;
            };
            let mut overlap = PanelOverlap {
                programme: metadata.programme.clone(),
                application: metadata.application.clone(),
                version: metadata.version,
                ..PanelOverlap::default()
            };
            for number in 0.. {
                let table = Table::Responses.name();
                let block = datasets::frozen_block(tx, dataset.id, table, number).await?;
                let Some((cells, _)) = block else { break };
                for row in super::frozen::records(&cells)? {
                    self.count(&mut overlap, &row, panel_id, disposition);
                }
            }
            overlaps.push(overlap);
        }
        Ok(overlaps)
    }

    fn count(&self, into: &mut PanelOverlap, row: &StringRecord, panel_id: usize, code: usize) {
        let cell = |at: usize| row.get(at).unwrap_or_default();
        let Some(is_complete) = self.members.get(cell(panel_id)) else { return };
        into.responses += 1;
        let was_complete = cell(code) == Disposition::Complete.code();
        into.completes += u64::from(*is_complete && was_complete);
    }
}
