//! Builds the files of a dataset from the frozen data.

use std::collections::HashMap;

use super::DatasetError;
use super::codebook::codebook;
use super::columns::{Column, columns};
use super::descriptor::{About, descriptor};
use super::redaction::Redaction;
use crate::collect::read_answers;
use crate::config::OpenAnswers;
use crate::crypto::{Sealer, sha256_hex};
use crate::domain::category::Category;
use crate::domain::disposition::Disposition;
use crate::domain::ids::ResponseId;
use crate::domain::outcome_rates::{Outcomes, Rate};
use crate::domain::questionnaire::{Facts, Questionnaire};
use crate::domain::time::Timestamp;
use crate::installation::{Installation, open_fields, open_person, open_phone};
use crate::sink::harmless_cell;
use crate::store::applications::{Application, ClosedBy};
use crate::store::cases::{self, CaseRecord};
use crate::store::datasets::Dataset;
use crate::store::paradata::{self, PageVisit};
use crate::store::responses::{self, Response};
use crate::store::{campaigns, lists, programmes, quotas};

pub const SUMS: &str = "SHA256SUMS";

/// The files of a dataset, by name; `SHA256SUMS` last.
pub async fn build(installation: &Installation, application: &Application, dataset: &Dataset) -> Result<Vec<(String, Vec<u8>)>, DatasetError> {
    let mut connection = installation.store.read().await?;
    let zone = programmes::get(&mut connection, application.programme_id).await?.time_zone;
    let frozen = application.questionnaire_id.ok_or_else(|| DatasetError::NotFrozen(application.code.clone()))?;
    let questionnaire = Questionnaire::parse(&campaigns::questionnaire_source(&mut connection, frozen).await?)?;
    let records = cases::records(&mut connection, application.id).await?;
    let responses = responses::of_application(&mut connection, application.id).await?;
    let visits = paradata::of_application(&mut connection, application.id).await?;
    let target = quotas::cells(&mut connection, application.id).await?.iter().find(|c| c.number == 0).map_or(0, |c| c.target);
    let sealer = installation.keys.sealer(&application.key_id)?;
    let mut people = Vec::new();
    for (person, phone) in lists::sealed_persons(&mut connection, application.id).await? {
        people.push((open_person(&sealer, &person)?, open_phone(&sealer, &phone)?));
    }
    let redaction = match installation.config.open_answers {
        OpenAnswers::Redacted => Some(Redaction::of(&people)),
        OpenAnswers::Withheld => None,
    };
    let shown = |at: Timestamp| at.rfc3339(zone);
    let format = |e: &dyn std::fmt::Display| DatasetError::Format(application.code.clone(), e.to_string());

    let mut outcomes = Outcomes::default();
    records.iter().for_each(|record| outcomes.add(record.disposition, 1));
    let about = About {
        application: &application.code,
        category: application.category.as_str(),
        subject: application.subject.title(),
        version: dataset.version,
        created: shown(dataset.frozen_at),
        target,
        closed_by: application.closed_by.map(ClosedBy::as_str),
        rr1: outcomes.rate(Rate::Rr1),
    };
    let tables = Tables { questionnaire: &questionnaire, category: application.category, records: &records, visits: &visits, shown: &shown };
    let mut files = vec![
        ("paradata.csv".to_owned(), tables.paradata(&responses).map_err(|e| format(&e))?),
        ("responses.csv".to_owned(), tables.responses(responses, &sealer, redaction.as_ref())?),
        ("cases.csv".to_owned(), cases_csv(application, &records, &sealer, &shown)?),
        ("codebook.json".to_owned(), pretty(&codebook(&questionnaire))),
    ];
    files.push(("datapackage.json".to_owned(), pretty(&descriptor(&about, &questionnaire, application.list_fields.keys(), &files))));
    files.sort();
    let sums: String = files.iter().map(|(name, content)| format!("{}  {name}\n", sha256_hex(content))).collect();
    files.push((SUMS.to_owned(), sums.into_bytes()));
    Ok(files)
}

fn pretty(value: &serde_json::Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

/// What the tables are made of.
struct Tables<'a> {
    questionnaire: &'a Questionnaire,
    category: Category,
    records: &'a [CaseRecord],
    visits: &'a HashMap<ResponseId, Vec<PageVisit>>,
    shown: &'a dyn Fn(Timestamp) -> String,
}

impl Tables<'_> {
    /// Complete and partial cases, in the order of their pseudonyms.
    fn told(&self) -> impl Iterator<Item = &CaseRecord> {
        self.records.iter().filter(|r| matches!(r.disposition, Disposition::Complete | Disposition::Partial))
    }

    fn responses(&self, responses: Vec<Response>, sealer: &Sealer, redaction: Option<&Redaction>) -> Result<Vec<u8>, DatasetError> {
        let mut by_case: HashMap<_, Response> = responses.into_iter().map(|response| (response.case, response)).collect();
        let mut writer = csv::Writer::from_writer(Vec::new());
        let format = |e: csv::Error| DatasetError::Format("responses.csv".to_owned(), e.to_string());
        let columns = columns(self.questionnaire);
        let head = RESPONSE_COLUMNS.iter().map(|name| (*name).to_owned());
        writer.write_record(head.chain(columns.iter().map(|column| column.name.clone()))).map_err(format)?;
        for record in self.told() {
            let Some(response) = by_case.remove(&record.id) else { continue };
            let device = self.visits.get(&response.id).and_then(|visits| visits.last()).map(|visit| visit.device.as_str());
            let flag = |flag: Option<bool>| flag.map(|flag| flag.to_string()).unwrap_or_default();
            let quality = response.quality;
            let mut cells = vec![
                record.pseudonym.clone(),
                record.disposition.code().to_owned(),
                response.language.tag().to_owned(),
                response.mode.clone(),
                (self.shown)(response.started_at),
                response.completed_at.map(self.shown).unwrap_or_default(),
                quality.seconds.map(|seconds| seconds.to_string()).unwrap_or_default(),
                device.unwrap_or_default().to_owned(),
                flag(quality.speeding),
                flag(quality.straight_lining),
                quality.item_nonresponse.map(|share| format!("{share:.4}")).unwrap_or_default(),
            ];
            let answers = read_answers(sealer, self.questionnaire, response.answers)?;
            let facts = Facts {
                category: self.category.to_string(),
                segment: record.segment.clone(),
                mode: response.mode.clone(),
                fields: open_fields(sealer, record.fields_sealed.as_deref())?,
            };
            // What was answered on a way that was left is no answer.
            let path = self.questionnaire.path(&answers, &facts);
            let answer = |column: &Column<'_>| answers.get(&column.item.id).filter(|_| path.asks(&column.item.id));
            cells.extend(columns.iter().map(|column| column.cell(answer(column), redaction)));
            writer.write_record(cells).map_err(format)?;
        }
        writer.into_inner().map_err(|e| DatasetError::Format("responses.csv".to_owned(), e.to_string()))
    }

    /// Each sending of a page of those responses.
    fn paradata(&self, responses: &[Response]) -> Result<Vec<u8>, csv::Error> {
        let by_case: HashMap<_, ResponseId> = responses.iter().map(|response| (response.case, response.id)).collect();
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["case", "visit", "page", "mode", "device", "sent_at", "seconds", "problems"])?;
        for record in self.told() {
            let visits = by_case.get(&record.id).and_then(|id| self.visits.get(id)).map(Vec::as_slice).unwrap_or_default();
            for (visit, number) in visits.iter().zip(1..) {
                writer.write_record([
                    record.pseudonym.clone(),
                    number.to_string(),
                    (visit.page + 1).to_string(),
                    visit.mode.clone(),
                    visit.device.to_string(),
                    (self.shown)(visit.sent_at),
                    visit.sent_at.since(visit.shown_at).as_secs().to_string(),
                    visit.problems.to_string(),
                ])?;
            }
        }
        writer.into_inner().map_err(|e| csv::Error::from(std::io::Error::other(e.to_string())))
    }
}

/// What stands before the items in `responses.csv`.
const RESPONSE_COLUMNS: [&str; 11] =
    ["case", "disposition", "language", "mode", "started_at", "completed_at", "seconds", "device", "speeding", "straight_lining", "item_nonresponse"];

/// What stands in `cases.csv` before the list fields that the application keeps.
const CASE_COLUMNS: [&str; 10] = [
    "case",
    "segment",
    "disposition",
    "disposition_name",
    "disposed_at",
    "attempts",
    "first_attempt_at",
    "last_attempt_at",
    "delivered",
    "opened_at",
];

fn cases_csv(
    application: &Application,
    records: &[CaseRecord],
    sealer: &Sealer,
    shown: &dyn Fn(Timestamp) -> String,
) -> Result<Vec<u8>, DatasetError> {
    let format = |e: csv::Error| DatasetError::Format("cases.csv".to_owned(), e.to_string());
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(CASE_COLUMNS.into_iter().chain(application.list_fields.keys().map(String::as_str))).map_err(format)?;
    for record in records {
        let mut cells = vec![
            record.pseudonym.clone(),
            record.segment.clone(),
            record.disposition.code().to_owned(),
            record.disposition.name().to_owned(),
            shown(record.disposed_at),
            record.attempts.to_string(),
            record.first_attempt_at.map(shown).unwrap_or_default(),
            record.last_attempt_at.map(shown).unwrap_or_default(),
            record.delivered.to_string(),
            record.opened_at.map(shown).unwrap_or_default(),
        ];
        let mut fields = open_fields(sealer, record.fields_sealed.as_deref())?;
        cells.extend(application.list_fields.keys().map(|name| harmless_cell(&fields.remove(name).unwrap_or_default())));
        writer.write_record(cells).map_err(format)?;
    }
    writer.into_inner().map_err(|e| DatasetError::Format("cases.csv".to_owned(), e.to_string()))
}
