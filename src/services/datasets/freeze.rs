//! Freezes a version: copies an application's cases and responses out of the field, in the form of
//! the dataset's tables.
//!
//! Everything that depends on the current configuration (open answers, small cells, the byte order
//! mark of CSV files) is decided here, so that the same version always gives the same files. Cells that may contain personal data
//! are sealed with the applicant's key. Rows are copied in blocks of a thousand cases.

use std::collections::{BTreeMap, HashMap};

use super::DatasetError;
use super::columns::{ResponseColumn, columns};
use super::fieldwork::FieldworkTally;
use super::item_outcomes::ItemOutcomes;
use super::layout::{
    Field, MIXED, SUPPRESSED, Table, WEIGHT, WEIGHT_DECIMALS, has_item_column, layout, list_column,
};
use super::metadata::{CellSummary, DatasetMetadata, Deviation};
use super::missing::{CURRENT_RULES, MissingCodes, text_cell};
use super::panel::Panel;
use super::precision::{RatedResponse, Ratings, scale_items};
use super::redaction::Redaction;
use super::weighting::ListWeights;
use crate::adapters::config::OpenAnswers;
use crate::adapters::crypto::Sealer;
use crate::adapters::database::application_events::{self, ApplicationEventKind};
use crate::adapters::database::applications::{Application, ClosedBy};
use crate::adapters::database::cases::{self, CaseRecord};
use crate::adapters::database::datasets::{self, DatasetKind, FreezeReason};
use crate::adapters::database::paradata::{self, PageVisit};
use crate::adapters::database::responses::{self, AnswerEntry, Response};
use crate::adapters::database::{
    WriteTx, campaigns, lists, origins, programmes, quotas, replicates,
};
use crate::domain::disposition::{Disposition, OutcomeGroup};
use crate::domain::estimation::{CompleteWeights, GroupWeights};
use crate::domain::ids::{AccountId, CaseId};
use crate::domain::mode::Mode;
use crate::domain::quality::ResponseReview;
use crate::domain::questionnaire::{Answer, Item, Questionnaire, RoutingFacts};
use crate::domain::small_cells;
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;
use crate::services::interviews::decode_answers;
use crate::services::response_quality::{clusters_of, is_response};
use crate::services::sealing::{open_fields, open_person, open_phone, seal_context};

/// The number of cases in a block.
const CASES_PER_BLOCK: usize = 1_000;

/// Freezes the next version of an application's dataset, inside the transaction that causes it.
/// Returns the version number.
pub async fn freeze(
    context: &AppContext,
    tx: &mut WriteTx,
    application: &Application,
    kind: DatasetKind,
    reason: FreezeReason,
) -> Result<u32, DatasetError> {
    let now = context.clock.now();
    let questionnaire_id = application
        .questionnaire_id
        .ok_or_else(|| DatasetError::NotLaunched(application.code.clone()))?;
    let source = campaigns::questionnaire_source(tx, questionnaire_id).await?;
    let questionnaire = Questionnaire::parse(&source)?;
    let programme = programmes::get(tx, application.programme_id).await?;
    let sealer = context.keys.sealer(&application.key_id)?;
    let mut people = Vec::new();
    for (person, phone) in lists::sealed_persons(tx, application.id).await? {
        people.push((open_person(&sealer, &person)?, open_phone(&sealer, &phone)?));
    }
    let policy = context.config.open_answers;
    let list_fields: Vec<String> = application.list_fields.keys().cloned().collect();
    let suppression =
        SmallCellSuppression::of(tx, application, &sealer, context.config.smallest_cell).await?;
    let weights = ListWeights::of(tx, application, &sealer).await?;
    let zone = programme.time_zone;
    let withdrawn = cases::withdrawn(tx, application.id).await?;
    let (dataset, version) =
        datasets::begin(tx, application.id, kind, reason, withdrawn, now).await?;

    let mut metadata = describe_field(context, tx, application, &questionnaire).await?;
    metadata.programme = programme.code.clone();
    metadata.programme_name = programme
        .name
        .iter()
        .map(|(language, text)| (language.to_string(), text.to_owned()))
        .collect();
    metadata.questionnaire_id = questionnaire_id;
    metadata.rules_version = CURRENT_RULES;
    metadata.names = people.len() as u64;
    metadata.list_fields = list_fields.clone();
    (metadata.kind, metadata.version, metadata.reason) =
        (kind.as_str().into(), version, reason.as_str().into());
    (metadata.frozen_at, metadata.time_zone, metadata.withdrawn) =
        (now.rfc3339(zone), zone.to_string(), withdrawn);

    let mut panel = Panel::of(context, tx, application, &programme).await?;
    metadata.has_panel = panel.is_some();
    let hasher = context.keys.hasher();
    let order = cases::sampled_by_pseudonym(tx, application.id).await?;
    let writer = RowWriter {
        questionnaire: &questionnaire,
        columns: columns(&questionnaire),
        scale_items: scale_items(&questionnaire),
        has_weight_column: !has_item_column(&questionnaire, WEIGHT),
        category: application.category.to_string(),
        sealer: &sealer,
        redaction: (policy != OpenAnswers::Withheld).then(|| Redaction::of(&people)),
        suppression: &suppression,
        list_fields: &list_fields,
        clusters: cluster_numbers(context, tx, application, &order).await?,
        reviews: origins::reviews(tx, application.id).await?.into_iter().collect(),
        interviewer: &|account| hasher.interviewer_pseudonym(&programme.code, account),
        format_time: &|at: Timestamp| at.rfc3339(zone),
    };
    let mut ratings = Ratings::of(&questionnaire);
    let mut fieldwork = FieldworkTally::default();
    let mut numbers = [0; Table::ALL.len()];
    for chunk in order.chunks(CASES_PER_BLOCK) {
        let records = cases::records(tx, chunk).await?;
        let visits = paradata::of_cases(tx, chunk).await?;
        let replicates = replicates::of_cases(tx, chunk).await?;
        let bundles = cases::bundle_places(tx, chunk).await?;
        let entries = responses::entries(tx, chunk).await?;
        let no_entries = BTreeMap::new();
        if let Some(panel) = &mut panel {
            panel.read(tx, chunk).await?;
        }
        let by_case: HashMap<_, Response> = responses::of_cases(tx, chunk)
            .await?
            .into_iter()
            .map(|response| (response.case, response))
            .collect();
        let mut blocks =
            Table::ALL.map(|table| FrozenBlock::new(layout(table, &questionnaire, &metadata)));
        for record in &records {
            let is_reported = is_response(record.disposition) && !record.is_withdrawn;
            let response = by_case.get(&record.id).filter(|_| is_reported);
            let visits = response
                .and_then(|response| visits.get(&response.id))
                .map(Vec::as_slice)
                .unwrap_or_default();
            let entries = response.and_then(|response| entries.get(&response.id));
            let given = GivenAnswers { visits, entries: entries.unwrap_or(&no_entries) };
            let counted = response.map(|r| (r, given.mode(&r.mode), given.device()));
            metadata.count(record, counted, &|at| at.date(zone).to_string());
            let fields = open_fields(&sealer, record.fields_sealed.as_deref())?;
            let of_group = weights.of_case(record, &fields);
            let is_complete = record.disposition == Disposition::Complete && response.is_some();
            let of_complete =
                of_group.and_then(|weights| weights.completes).filter(|_| is_complete);
            let listed = ListedValues { fields: &fields, weights: of_group, of_complete };
            let sampled = SampledCase {
                replicate: replicates.get(&record.id).copied(),
                bundle: bundles.get(&record.id).copied(),
            };
            writer.case(&mut blocks[1], record, &listed, sampled)?;
            fieldwork.add_case(record, sampled.replicate);
            if let Some(response) = response {
                let panel_id = panel.as_mut().map(|panel| panel.pseudonym(record));
                let [responses, _, _, answers] = &mut blocks;
                let points = writer.response(
                    (responses, answers),
                    (record, response, panel_id),
                    &listed,
                    &given,
                )?;
                metadata.clustered += u64::from(writer.clusters.contains_key(&record.id));
                let verdict = writer.reviews.get(&record.id);
                metadata.excluded += u64::from(verdict.is_some_and(ResponseReview::is_excluded));
                writer.visits(&mut blocks[2], record, visits)?;
                if is_complete {
                    fieldwork.add_complete(
                        response.completed_at,
                        given.mode(&response.mode),
                        response.quality.seconds,
                        given.interviewers(),
                    );
                }
                if let Some(of_complete) = of_complete {
                    ratings.add(&RatedResponse {
                        points,
                        weight: of_complete.raked,
                        mode: given.mode(&response.mode),
                        interviewer: given.interviewer(),
                        day: response.completed_at.map(|at| at.date(zone)),
                    });
                }
            }
        }
        let has_responses = blocks[0].rows > 0;
        for ((block, table), number) in blocks.into_iter().zip(Table::ALL).zip(&mut numbers) {
            // The answers' blocks have the numbers of the responses' blocks.
            let is_there = match table {
                Table::Answers => has_responses,
                _ => block.rows > 0,
            };
            if is_there {
                let (cells, sealed) = block.finish(&sealer)?;
                datasets::add_block(tx, dataset, table.name(), *number, cells, sealed).await?;
                *number += 1;
            }
        }
    }
    metadata.compute_rates();
    metadata.fieldwork = Some(fieldwork.finish(tx, application, &programme).await?);
    if let Some(panel) = panel {
        metadata.panel_overlap = panel.overlap(tx).await?;
    }
    let population = weights.weighting.summary.population;
    metadata.precision = Some(ratings.finish(population, weights.representativity()));
    let mut weighting = weights.weighting.summary;
    for stratum in &mut weighting.strata {
        stratum.segment = suppression.segment(&stratum.segment, stratum.sample);
    }
    metadata.weights = Some(weighting);
    metadata.suppressed = suppression.suppressed();
    metadata.open_answers = policy.as_str().into();
    metadata.smallest_cell = context.config.smallest_cell;
    metadata.csv_byte_order_mark = context.config.csv_byte_order_mark;
    let metadata_json = serde_json::to_string(&metadata)
        .map_err(|e| DatasetError::Format(application.code.clone(), e.to_string()))?;
    // A version with open answers that need a review is not released yet; without open answers
    // there is nothing to review.
    let needs_review = policy == OpenAnswers::Reviewed
        && questionnaire.items().any(|item| !item.is_coded() && item.is_question());
    datasets::finalise(tx, dataset, &metadata_json, (!needs_review).then_some(now)).await?;
    tracing::info!(
        application = application.code,
        kind = kind.as_str(),
        version,
        reason = reason.as_str(),
        "a dataset is frozen"
    );
    Ok(version)
}

/// Numbers the clusters that an application's cases are in, by the first of them in the dataset.
async fn cluster_numbers(
    context: &AppContext,
    tx: &mut WriteTx,
    application: &Application,
    order: &[CaseId],
) -> Result<BTreeMap<CaseId, usize>, DatasetError> {
    let clusters = clusters_of(context, tx, application.applicant_id).await?;
    let (mut numbers, mut of_case) = (BTreeMap::new(), BTreeMap::new());
    for case in order {
        if let Some(place) = clusters.iter().position(|cluster| cluster.cases.contains(case)) {
            let next = numbers.len() + 1;
            of_case.insert(*case, *numbers.entry(place).or_insert(next));
        }
    }
    Ok(of_case)
}

/// Collects the metadata of the field.
async fn describe_field(
    context: &AppContext,
    tx: &mut WriteTx,
    application: &Application,
    questionnaire: &Questionnaire,
) -> Result<DatasetMetadata, DatasetError> {
    let zone = programmes::get(tx, application.programme_id).await?.time_zone;
    let cells = quotas::cells(tx, application.id).await?;
    let campaign = match application.campaign_id {
        Some(id) => Some(campaigns::get(tx, id).await?.code),
        None => None,
    };
    let mut deviations: Vec<Deviation> = application_events::of_application(tx, application.id)
        .await?
        .into_iter()
        .filter(|event| {
            matches!(
                event.kind,
                ApplicationEventKind::Held
                    | ApplicationEventKind::Released
                    | ApplicationEventKind::Extended
            )
        })
        .map(|event| Deviation {
            at: event.at.rfc3339(zone),
            what: event.kind.as_str().into(),
            days: event.days,
            reason: event.reason,
        })
        .collect();
    if application.closed_by == Some(ClosedBy::ByHand) {
        deviations.push(Deviation {
            at: context.clock.now().rfc3339(zone),
            what: "closed_by_hand".into(),
            days: None,
            reason: String::new(),
        });
    }
    Ok(DatasetMetadata {
        application: application.code.clone(),
        applicant: application.applicant_name.clone(),
        category: application.category.as_str().to_owned(),
        subject: application.subject.title(),
        campaign,
        questionnaire: questionnaire.code.clone(),
        questionnaire_version: questionnaire.version,
        target: cells.iter().find(|cell| cell.number == 0).map_or(0, |cell| cell.target),
        closed_by: application.closed_by.map(|by| by.as_str().to_owned()),
        list_received_on: application.list_received_at.map(|at| at.date(zone).to_string()),
        field_closes_at: application.field_closes_at.map(|at| at.rfc3339(zone)),
        cells: cells
            .iter()
            .filter(|cell| cell.number > 0)
            .map(|cell| CellSummary {
                name: cell.name.clone(),
                kind: cell.kind.as_str().into(),
                target: cell.target,
                minimum: cell.minimum,
                completes: cell.completes,
            })
            .collect(),
        deviations,
        ..DatasetMetadata::default()
    })
}

/// The values of the list that so few cases have that they could identify a person.
struct SmallCellSuppression {
    smallest: u32,
    /// By column: the values that are hidden, with the number of cases: those that too few cases have,
    /// and those from which they could be told.
    rare: BTreeMap<String, BTreeMap<String, u64>>,
}

impl SmallCellSuppression {
    async fn of(
        tx: &mut WriteTx,
        application: &Application,
        sealer: &Sealer,
        smallest: u32,
    ) -> Result<SmallCellSuppression, DatasetError> {
        let mut counts: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        if smallest > 1 {
            for (segment, fields) in cases::listed_values(tx, application.id).await? {
                *counts.entry("segment".into()).or_default().entry(segment).or_default() += 1;
                for (name, word) in open_fields(sealer, fields.as_deref())? {
                    *counts.entry(name).or_default().entry(word).or_default() += 1;
                }
            }
        }
        for words in counts.values_mut() {
            let of_words: Vec<u64> = words
                .iter()
                .map(|(word, cases)| if word.is_empty() { 0 } else { *cases })
                .collect();
            let hidden = small_cells::hidden(&of_words, u64::from(smallest));
            let mut hidden = hidden.into_iter();
            words.retain(|_, _| hidden.next().unwrap_or_default());
        }
        Ok(SmallCellSuppression { smallest, rare: counts })
    }

    /// Returns the cell for a value of the list, which is never taken for a suppressed one.
    fn cell(&self, column: &str, word: &str) -> String {
        if self.rare.get(column).is_some_and(|words| words.contains_key(word)) {
            SUPPRESSED.to_owned()
        } else {
            text_cell(word, &[SUPPRESSED]).into_owned()
        }
    }

    /// Returns the word for a segment that `cases` of the sample have; it may be one that nobody of
    /// the sample has.
    fn segment(&self, word: &str, cases: u64) -> String {
        let is_rare = !word.is_empty() && cases < u64::from(self.smallest.max(1));
        if is_rare { SUPPRESSED.to_owned() } else { self.cell("segment", word) }
    }

    fn suppressed(&self) -> BTreeMap<String, u64> {
        self.rare
            .iter()
            .map(|(column, words)| (column.clone(), words.values().sum()))
            .filter(|(_, cases)| *cases > 0)
            .collect()
    }
}

/// Rows in plain text, and their sealed cells.
type FrozenCells = (Vec<u8>, Option<Vec<u8>>);

/// Rows of one table in frozen form.
struct FrozenBlock<'q> {
    fields: Vec<Field<'q>>,
    /// The place of each column, by name.
    places: HashMap<String, usize>,
    cells: csv::Writer<Vec<u8>>,
    sealed: csv::Writer<Vec<u8>>,
    rows: usize,
}

impl<'q> FrozenBlock<'q> {
    fn new(fields: Vec<Field<'q>>) -> FrozenBlock<'q> {
        let places =
            fields.iter().enumerate().map(|(at, field)| (field.name.clone(), at)).collect();
        FrozenBlock {
            fields,
            places,
            cells: csv::Writer::from_writer(Vec::new()),
            sealed: csv::Writer::from_writer(Vec::new()),
            rows: 0,
        }
    }

    /// Adds a row. Its cells go by the names of the layout's columns: a cell without a column, a
    /// column without a cell, and a second cell for a column are errors.
    fn row(&mut self, cells: Vec<(&str, String)>) -> Result<(), DatasetError> {
        let wrong = |what: String| DatasetError::Format("a frozen row".into(), what);
        let mut row: Vec<Option<String>> = vec![None; self.fields.len()];
        for (name, cell) in cells {
            let place = self.places.get(name).and_then(|&at| row.get_mut(at));
            let place = place.ok_or_else(|| wrong(format!("{name} is no column of it")))?;
            if place.replace(cell).is_some() {
                return Err(wrong(format!("{name} has two cells")));
            }
        }
        let (mut open, mut sealed) = (Vec::with_capacity(row.len()), Vec::new());
        for (cell, field) in row.into_iter().zip(&self.fields) {
            let cell = cell.ok_or_else(|| wrong(format!("{} has no cell", field.name)))?;
            if field.is_sealed {
                sealed.push(cell);
                open.push(String::new());
            } else {
                open.push(cell);
            }
        }
        let format = |error: csv::Error| wrong(error.to_string());
        self.cells.write_record(&open).map_err(format)?;
        if !sealed.is_empty() {
            self.sealed.write_record(&sealed).map_err(format)?;
        }
        self.rows += 1;
        Ok(())
    }

    /// Returns the plain cells and the sealed ones.
    fn finish(self, sealer: &Sealer) -> Result<FrozenCells, DatasetError> {
        let bytes = |writer: csv::Writer<Vec<u8>>| {
            writer
                .into_inner()
                .map_err(|e| DatasetError::Format("a frozen row".into(), e.to_string()))
        };
        let sealed = bytes(self.sealed)?;
        let sealed = if sealed.is_empty() {
            None
        } else {
            Some(sealer.seal(seal_context::FROZEN, &sealed)?)
        };
        Ok((bytes(self.cells)?, sealed))
    }
}

struct RowWriter<'a> {
    questionnaire: &'a Questionnaire,
    columns: Vec<ResponseColumn<'a>>,
    scale_items: Vec<&'a Item>,
    has_weight_column: bool,
    category: String,
    sealer: &'a Sealer,
    redaction: Option<Redaction>,
    suppression: &'a SmallCellSuppression,
    list_fields: &'a [String],
    /// The number of the cluster that a case is in.
    clusters: BTreeMap<CaseId, usize>,
    reviews: BTreeMap<CaseId, ResponseReview>,
    /// The pseudonym of an interviewer.
    interviewer: &'a (dyn Fn(AccountId) -> String + Sync),
    format_time: &'a (dyn Fn(Timestamp) -> String + Sync),
}

/// What the list says of a case: its values, and the weights that follow from them.
struct ListedValues<'a> {
    fields: &'a BTreeMap<String, String>,
    weights: Option<&'a GroupWeights>,
    of_complete: Option<CompleteWeights>,
}

/// How a case came into the field.
#[derive(Clone, Copy)]
struct SampledCase {
    replicate: Option<u32>,
    /// The place in the order behind the link, and the number of questionnaires there.
    bundle: Option<(i64, i64)>,
}

/// How the answers of a response were given.
struct GivenAnswers<'a> {
    visits: &'a [PageVisit],
    entries: &'a BTreeMap<String, AnswerEntry>,
}

impl GivenAnswers<'_> {
    /// Returns the mode of all answers, or that it is mixed; `begun` if there is no answer.
    fn mode<'m>(&self, begun: &'m str) -> &'m str {
        let mut modes = self.entries.values().map(|entry| entry.by.mode);
        match modes.next() {
            None => begun,
            Some(first) if modes.all(|mode| mode == first) => first.as_str(),
            Some(_) => MIXED,
        }
    }

    /// Returns the interviewer of all answers; with several, or a respondent who went on alone, it
    /// is nobody's.
    fn interviewer(&self) -> Option<AccountId> {
        let by_call =
            |entry: &AnswerEntry| entry.by.account.filter(|_| entry.by.mode != Mode::Paper);
        let mut accounts = self.entries.values().map(by_call);
        let first = accounts.next()??;
        accounts.all(|account| account == Some(first)).then_some(first)
    }

    fn interviewers(&self) -> impl Iterator<Item = AccountId> {
        // Who keys a paper form in is no interviewer.
        let by_call = self.entries.values().filter(|entry| entry.by.mode != Mode::Paper);
        by_call.filter_map(|entry| entry.by.account)
    }

    /// Returns the respondent's device; empty if only an interviewer's was used.
    fn device(&self) -> &'static str {
        self.visits.iter().rev().map(respondent_device).find(|name| !name.is_empty()).unwrap_or("")
    }
}

/// Returns the device that a page was answered on; on the telephone it is the interviewer's, which
/// says nothing.
fn respondent_device(visit: &PageVisit) -> &'static str {
    let is_own = [Mode::Web, Mode::Sms].iter().any(|mode| mode.as_str() == visit.mode);
    if is_own { visit.device.as_str() } else { "" }
}

/// Returns the cell for a weight or a probability: plain decimals, without zeros at the end, which
/// a spreadsheet program would drop.
fn weight_cell(weight: Option<f64>) -> String {
    let Some(weight) = weight else { return String::new() };
    let text = format!("{weight:.places$}", places = WEIGHT_DECIMALS as usize);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl RowWriter<'_> {
    /// Writes a response and how its answers were entered. Returns the points given to the scale
    /// items.
    fn response(
        &self,
        (block, answer_block): (&mut FrozenBlock<'_>, &mut FrozenBlock<'_>),
        (record, response, panel_id): (&CaseRecord, &Response, Option<String>),
        listed: &ListedValues<'_>,
        given: &GivenAnswers<'_>,
    ) -> Result<Vec<Option<i64>>, DatasetError> {
        let flag = |flag: Option<bool>| flag.map(|flag| flag.to_string()).unwrap_or_default();
        let quality = response.quality;
        let completed_at = response.completed_at.map(self.format_time).unwrap_or_default();
        let seconds = quality.seconds.map(|seconds| seconds.to_string()).unwrap_or_default();
        let cluster = self.clusters.get(&record.id);
        let verdict = self.reviews.get(&record.id).map_or("", ResponseReview::flag);
        let nonresponse = quality.item_nonresponse.map(|share| format!("{share:.4}"));
        let mut fixed = vec![
            ("case", record.pseudonym.clone()),
            ("disposition", record.disposition.code().to_owned()),
            ("language", response.language.tag().to_owned()),
            ("mode", given.mode(&response.mode).to_owned()),
            ("started_at", (self.format_time)(response.started_at)),
            ("completed_at", completed_at),
            ("seconds", seconds),
            ("device", given.device().to_owned()),
            ("speeding", flag(quality.speeding)),
            ("straight_lining", flag(quality.straight_lining)),
            ("duplicate_answers", flag(quality.duplicate)),
            ("origin_cluster", cluster.map(|number| number.to_string()).unwrap_or_default()),
            ("review_verdict", verdict.to_owned()),
            ("item_nonresponse", nonresponse.unwrap_or_default()),
        ];
        fixed.extend(panel_id.map(|panel_id| ("panel_id", panel_id)));
        let answers = decode_answers(self.sealer, self.questionnaire, response.answers.clone())?;
        let facts = RoutingFacts {
            category: self.category.clone(),
            segment: record.segment.clone(),
            mode: response.last_mode.clone(),
            fields: listed.fields.clone(),
        };
        let path = self.questionnaire.path(&answers, &facts);
        let outcomes = ItemOutcomes::of(&path, &answers, given.visits, record.disposition);
        let missing = MissingCodes::of_rules(CURRENT_RULES);
        let items = self.columns.iter().map(|column| {
            let answer = outcomes.answer_or_reason(&column.item.id);
            (column.name.as_str(), column.cell(answer, self.redaction.as_ref(), missing))
        });
        let answered = path
            .items()
            .filter(|item| outcomes.answer_or_reason(&item.id).is_ok_and(Answer::is_substantive))
            .count();
        fixed.push(("items_answered", answered.to_string()));
        for item in path.items() {
            let Some(entry) = given.entries.get(&item.id) else { continue };
            let interviewer = entry.by.account.map(self.interviewer).unwrap_or_default();
            answer_block.row(vec![
                ("case", record.pseudonym.clone()),
                ("variable", item.variable.clone()),
                ("mode", entry.by.mode.as_str().to_owned()),
                ("interviewer", interviewer),
                ("answered_at", (self.format_time)(entry.at)),
            ])?;
        }
        let raked = weight_cell(listed.of_complete.map(|weights| weights.raked));
        let weight = self.has_weight_column.then_some((WEIGHT, raked));
        block.row(fixed.into_iter().chain(items).chain(weight).collect())?;
        let point = |item: &&Item| match outcomes.answer_or_reason(&item.id) {
            Ok(Answer::Point(point)) => Some(*point),
            _ => None,
        };
        Ok(self.scale_items.iter().map(point).collect())
    }

    fn case(
        &self,
        block: &mut FrozenBlock<'_>,
        record: &CaseRecord,
        listed: &ListedValues<'_>,
        sampled: SampledCase,
    ) -> Result<(), DatasetError> {
        let segment = self.suppression.cell("segment", &record.segment);
        let time = |at: Option<Timestamp>| at.map(self.format_time).unwrap_or_default();
        let fixed = vec![
            ("case", record.pseudonym.clone()),
            ("segment", segment),
            ("disposition", record.disposition.code().to_owned()),
            ("disposition_name", record.disposition.name().to_owned()),
            ("disposed_at", (self.format_time)(record.disposed_at)),
            ("attempts", record.attempts.to_string()),
            ("questions", record.questions.to_string()),
            ("first_attempt_at", time(record.first_attempt_at)),
            ("last_attempt_at", time(record.last_attempt_at)),
            ("delivered", record.delivered.to_string()),
            ("opened_at", time(record.opened_at)),
        ];
        let word = |name: &String| listed.fields.get(name).map(String::as_str).unwrap_or_default();
        let columns: Vec<String> =
            self.list_fields.iter().map(|name| list_column(name, CURRENT_RULES)).collect();
        let of_list = self.list_fields.iter().zip(&columns);
        let of_list = of_list
            .map(|(name, column)| (column.as_str(), self.suppression.cell(name, word(name))));
        // Who was screened out is in no stratum's count, and stands for nobody.
        let group = listed.weights;
        let in_sample = group.filter(|_| record.disposition.group() != OutcomeGroup::NotEligible);
        let number = |number: Option<u64>| number.map(|n| n.to_string()).unwrap_or_default();
        let completes = listed.of_complete;
        let weights = vec![
            ("stratum", number(group.map(|group| group.stratum))),
            ("stratum_size", number(group.map(|group| group.stratum_size))),
            ("stratum_sample", number(group.map(|group| group.stratum_sample))),
            ("replicate", number(sampled.replicate.map(u64::from))),
            (
                "selection_probability",
                weight_cell(in_sample.and_then(GroupWeights::selection_probability)),
            ),
            ("w_base", weight_cell(in_sample.and_then(GroupWeights::base))),
            ("w_nr", weight_cell(completes.map(|weights| weights.nonresponse))),
            (WEIGHT, weight_cell(completes.map(|weights| weights.raked))),
        ];
        let place = |place: Option<i64>| place.map(|n| n.to_string()).unwrap_or_default();
        let bundle = [
            ("bundle_position", place(sampled.bundle.map(|(position, _)| position))),
            ("bundle_size", place(sampled.bundle.map(|(_, size)| size))),
        ];
        block.row(fixed.into_iter().chain(of_list).chain(weights).chain(bundle).collect())
    }

    fn visits(
        &self,
        block: &mut FrozenBlock<'_>,
        record: &CaseRecord,
        visits: &[PageVisit],
    ) -> Result<(), DatasetError> {
        for (visit, number) in visits.iter().zip(1..) {
            block.row(vec![
                ("case", record.pseudonym.clone()),
                ("visit", number.to_string()),
                ("page", (visit.page + 1).to_string()),
                ("mode", visit.mode.clone()),
                ("device", respondent_device(visit).to_owned()),
                ("sent_at", (self.format_time)(visit.sent_at)),
                ("seconds", visit.sent_at.since(visit.shown_at).as_secs().to_string()),
                ("problems", visit.problems.to_string()),
            ])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_is_written_in_plain_decimals() {
        let cells = [None, Some(2.0), Some(4.0 / 3.0), Some(0.5), Some(120.0)].map(weight_cell);
        assert_eq!(cells, ["", "2", "1.3333333333", "0.5", "120"]);
    }

    #[test]
    fn a_row_and_its_layout_agree_by_name() {
        let questionnaire = include_str!("../../../config/questionnaires/verification.toml");
        let questionnaire = Questionnaire::parse(questionnaire).unwrap();
        let columns = ["case", "visit", "page", "mode", "device", "sent_at", "seconds", "problems"];
        let cells = |names: &[&'static str]| -> Vec<(&'static str, String)> {
            names.iter().map(|name| (*name, format!("of {name}"))).collect()
        };
        let mut block =
            FrozenBlock::new(layout(Table::Paradata, &questionnaire, &DatasetMetadata::default()));
        let mut reversed = columns;
        reversed.reverse();
        block.row(cells(&reversed)).unwrap();
        for wrong in [&columns[1..], &[&columns[..], &["colour"]].concat(), &["case"; 8]] {
            assert!(block.row(cells(wrong)).is_err(), "{wrong:?}");
        }
        let (plain, sealed) = block.finish(&Sealer::new(&[1; 32])).unwrap();
        let expected = columns.map(|name| format!("of {name}")).join(",") + "\n";
        assert_eq!((String::from_utf8(plain).unwrap(), sealed), (expected, None));
    }
}
