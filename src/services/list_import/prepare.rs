//! Prepares rows for storage: parses, hashes and seals phone numbers and person data. It needs no
//! database, so it runs on every core while other rows are written.

use std::collections::BTreeMap;
use std::sync::Arc;

use phonenumber::country;

use super::ListImportError;
use super::further_numbers;
use super::headers::ColumnLayout;
use super::report::{ImportFinding, RowDecision, RowKey, RowReason};
use super::row::{ReadRow, RowPeople, people_of_row, read_row};
use super::table::TableRow;
use crate::adapters::crypto::{Hasher, Sealer};
use crate::adapters::database::applications::Application;
use crate::adapters::database::lists::NewRespondent;
use crate::domain::personal::masked;
use crate::domain::phone::{Phone, PhoneKind};
use crate::domain::segment::Segment;
use crate::domain::zones::Zones;
use crate::services::sealing::seal_context;

/// The settings and keys for preparing rows.
pub struct Preparer {
    pub layout: ColumnLayout,
    /// Whether several numbers of the list end in the same zeros.
    pub is_rounded: bool,
    pub region: country::Id,
    /// The home region, as configured.
    pub home_region: String,
    pub hasher: Hasher,
    pub sealer: Sealer,
    pub applications: Vec<Application>,
    /// The list of the file, from 0.
    pub list: usize,
}

/// A person on the list, ready to be stored.
pub struct PreparedPerson {
    pub row: RowKey,
    /// The sheet of its list, where there are several.
    pub sheet: Option<Arc<str>>,
    /// Where its number stands, for reports.
    pub place: Option<usize>,
    /// The masked number, for reports.
    pub masked: String,
    pub is_fixed_line: bool,
    pub person: NewRespondent,
    pub segment: Segment,
    /// One case for each application of the list.
    pub cases: Vec<PreparedCase>,
}

pub struct PreparedCase {
    pub pseudonym: String,
    pub fields_sealed: Option<Vec<u8>>,
}

/// A batch of prepared rows.
pub struct PreparedBatch {
    /// Rows of people.
    pub rows: u64,
    pub people: Vec<PreparedPerson>,
    pub findings: Vec<ImportFinding>,
}

impl Preparer {
    pub fn prepare(&self, rows: Vec<TableRow>) -> Result<PreparedBatch, ListImportError> {
        let mut batch = PreparedBatch {
            rows: rows.len() as u64,
            people: Vec::with_capacity(rows.len()),
            findings: Vec::new(),
        };
        let number_place = self.layout.number_columns().next().map(|(_, place)| place);
        let number_label = number_place.map(|p| self.layout.place_label(p)).unwrap_or_default();
        let sheet: Option<Arc<str>> = self.layout.sheet.as_deref().map(Arc::from);
        let mut people: Vec<(u16, TableRow)> = Vec::with_capacity(rows.len());
        for row in rows {
            match people_of_row(&row, &self.layout, self.region) {
                RowPeople::One => people.push((0, row)),
                RowPeople::Several(rows) => {
                    batch.rows += rows.len() as u64 - 1;
                    people.extend((0..).zip(rows));
                }
                RowPeople::Unclear { place, names, numbers } => {
                    let reason = RowReason::SeveralPeople { names, numbers };
                    let label = self.layout.place_label(place);
                    let (decision, value) = (RowDecision::Rejected, String::new());
                    let finding = ImportFinding::new(row.number, label, value, decision, reason);
                    batch.findings.push(finding.at(Some(place)));
                }
            }
        }
        for (person, row) in people {
            let (read, notes) = read_row(&row, &self.layout, self.region, self.is_rounded);
            batch.findings.extend(notes);
            let listed = match read {
                Ok(ReadRow::Person(listed)) => *listed,
                Ok(ReadRow::NoPerson) => {
                    batch.rows -= 1;
                    batch.findings.push(ImportFinding::new(
                        row.number,
                        self.layout.sheet.clone().unwrap_or_default(),
                        String::new(),
                        RowDecision::NoPerson,
                        RowReason::NoPerson,
                    ));
                    continue;
                }
                Err(finding) => {
                    batch.findings.push(finding);
                    continue;
                }
            };
            let is_fixed_line = listed.phone.kind() == PhoneKind::FixedLine;
            let masked = masked(listed.phone.e164());
            if is_fixed_line {
                let (label, value) = (number_label.clone(), masked.clone());
                let (decision, reason) = (RowDecision::AcceptedWithNotice, RowReason::FixedLine);
                let noted = ImportFinding::new(row.number, label, value, decision, reason);
                batch.findings.push(noted.at(number_place));
            }
            let hash = self.hasher.phone_hash(&listed.phone);
            let case = |application: &Application| {
                Ok(PreparedCase {
                    pseudonym: self.hasher.pseudonym(&application.code, &hash),
                    fields_sealed: self.seal_list_fields(application, &listed.fields)?,
                })
            };
            batch.people.push(PreparedPerson {
                row: RowKey { list: self.list, row: row.number, person },
                sheet: sheet.clone(),
                place: number_place,
                masked,
                is_fixed_line,
                cases: self
                    .applications
                    .iter()
                    .map(case)
                    .collect::<Result<_, ListImportError>>()?,
                person: NewRespondent {
                    further_hashes: further_numbers::hashes_of(&self.hasher, &listed.person),
                    name_hash: self.hasher.name_hash(&listed.person.name),
                    phone_kind: listed.phone.kind().as_str(),
                    phone_sealed: self
                        .sealer
                        .seal(seal_context::PHONE, listed.phone.stored().as_bytes())?,
                    person_sealed: self
                        .sealer
                        .seal(seal_context::PERSON, listed.person.to_sealable().as_bytes())?,
                    language: listed.language,
                    zone: zone_abroad(&listed.phone, &self.home_region),
                    phone_hash: hash,
                },
                segment: listed.segment,
            });
        }
        batch.findings.iter_mut().for_each(|finding| finding.list = self.list);
        Ok(batch)
    }

    /// Seals the list fields of one application.
    fn seal_list_fields(
        &self,
        application: &Application,
        fields: &BTreeMap<String, String>,
    ) -> Result<Option<Vec<u8>>, ListImportError> {
        let details: BTreeMap<&String, &String> =
            fields.iter().filter(|(name, _)| application.list_fields.contains_key(*name)).collect();
        if details.is_empty() {
            return Ok(None);
        }
        // A map of strings to strings can always be written as JSON.
        let json = serde_json::to_vec(&details).unwrap_or_default();
        Ok(Some(self.sealer.seal(seal_context::LIST_FIELDS, &json)?))
    }
}

/// Returns the time zone of a foreign number's region; `None` for a home number, whose contact
/// hours use the contact plan's zone.
fn zone_abroad(phone: &Phone, home_region: &str) -> Option<String> {
    let region = phone.region().filter(|region| *region != home_region)?;
    Some(Zones::of_region(region)?.to_string())
}
