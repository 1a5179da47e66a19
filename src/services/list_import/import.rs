//! Imports one list in one transaction. Rows are read, prepared on every core, and written in
//! batches as they come, so that memory use does not grow with the list.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use phonenumber::country;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::ListImportError;
use super::find::{FoundList, ListOptionError, ListOptions, find_lists};
use super::headers::ColumnLayout;
use super::known_forms;
use super::prepare::{PreparedBatch, PreparedPerson, Preparer};
use super::report::{ImportFinding, RowDecision, RowKey, RowReason};
use super::selection::{Candidate, Draw, DrawSeed, Selection, bit_of, draw};
use super::source::ListSource;
use super::table::{self, TableError, TableRow, TableRows};
use crate::adapters::database::applications::{self, Application, ApplicationState};
use crate::adapters::database::lists::{self, ImportCounts, NewRespondent};
use crate::adapters::database::{WriteTx, cases, programmes, suppressions};
use crate::domain::category::Category;
use crate::domain::ids::{ApplicantId, ApplicationId, RespondentId};
use crate::domain::programme::Programme;
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;

/// The number of rows prepared and written together.
const ROWS_PER_BATCH: usize = 5_000;
/// The number of findings that are returned; further ones are only counted.
const MAX_FINDINGS: usize = 100_000;

pub struct ImportRequest<'a> {
    /// The codes of the applications that share the list.
    pub applications: &'a [String],
    /// The file name, for messages.
    pub file: &'a str,
    pub content: ListSource,
    /// What somebody has said about its form.
    pub options: ListOptions,
    /// Whether lists of this form are read as somebody has said before, if nobody says so now.
    pub uses_known_form: bool,
    /// Who is left out, where there are more names than the category allows.
    pub selection: Selection,
    /// Whether to check everything and write nothing.
    pub dry_run: bool,
}

impl<'a> ImportRequest<'a> {
    /// A request that finds everything by itself and leaves nobody out.
    pub fn of(applications: &'a [String], file: &'a str, content: ListSource) -> ImportRequest<'a> {
        ImportRequest {
            applications,
            file,
            content,
            options: ListOptions::default(),
            uses_known_form: true,
            selection: Selection::default(),
            dry_run: false,
        }
    }
}

#[derive(Debug, Clone, Default, Serialize, utoipa::ToSchema)]
pub struct ImportOutcome {
    pub rows: u64,
    pub accepted: u64,
    pub merged: u64,
    pub rejected: u64,
    /// Rows that are no people: totals, signatures, headings. They are in no other count.
    pub not_people: u64,
    /// People who were left out of a list over the limit, by hand or by a draw.
    pub left_out: u64,
    /// The random draw, if there was one.
    pub drawn: Option<Draw>,
    /// Whether the list was read as somebody has said before about this form of list.
    pub known_form: bool,
    /// Accepted rows with a fixed line, reached by telephone only.
    pub fixed_lines: u64,
    /// Accepted rows whose number is suppressed, so they are never contacted.
    pub suppressed: u64,
    /// The number of names on each application's list after the import.
    pub names: Vec<(String, u32)>,
    pub findings: Vec<ImportFinding>,
    /// The number of further findings that were only counted.
    pub findings_left_out: u64,
    /// The same file was imported before; nothing was changed.
    #[serde(rename = "already")]
    pub already_imported: bool,
    /// How the list was read.
    #[serde(skip)]
    pub options: ListOptions,
    /// The categories of its applications.
    #[serde(skip)]
    pub categories: Vec<Category>,
}

/// Imports a list. `progress` is called with the amount read and the total, in a unit of their own;
/// where people are drawn, the list is read twice.
pub async fn import_list(
    context: &AppContext,
    request: &ImportRequest<'_>,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<ImportOutcome, ListImportError> {
    let wrong = |error: TableError| ListImportError::Table { file: request.file.to_owned(), error };
    let mut fingerprint = context.keys.hasher().begin_fingerprint();
    let seen = request.content.for_each_chunk(|chunk| {
        fingerprint.add(chunk);
        true
    });
    seen.map_err(|error| wrong(error.into()))?;
    let file_hash = fingerprint.end();
    // Before the transaction: while a large spreadsheet is read, others can write.
    let (categories, applicant) = what_for(context, request.applications).await?;
    let (mut options, mut known_form) = (request.options.clone(), false);
    if let (true, true, Some(applicant)) = (request.uses_known_form, options.is_empty(), applicant)
    {
        let known = known_forms::find(context, applicant, &request.content).await?;
        known_form = known.is_some();
        options = known.unwrap_or(options);
    }
    let reading = Reading { request, file_hash, categories, options, known_form };
    match reading.import(context, None, progress).await? {
        Pass::Done(outcome) => Ok(*outcome),
        Pass::OverCap { error, candidates, room } => {
            let seed = match request.selection.draw {
                None => return Err(error),
                Some(DrawSeed::Given(seed)) => seed,
                Some(DrawSeed::OfFile) => reading.seed(),
            };
            let not_drawn = draw(&candidates, room, seed);
            let from = candidates.len() as u64;
            let draw = Draw { seed, from, kept: from - not_drawn.len() as u64 };
            match reading.import(context, Some((draw, not_drawn)), progress).await? {
                Pass::Done(outcome) => Ok(*outcome),
                Pass::OverCap { error, .. } => Err(error),
            }
        }
    }
}

/// What reading a list to its end comes to.
enum Pass {
    Done(Box<ImportOutcome>),
    /// Nothing was imported. Among the candidates people can be drawn.
    OverCap {
        error: ListImportError,
        candidates: Vec<Candidate>,
        /// How many more names each application may have.
        room: Vec<u32>,
    },
}

/// A list and how it is read.
struct Reading<'a> {
    request: &'a ImportRequest<'a>,
    file_hash: String,
    categories: Vec<Category>,
    options: ListOptions,
    known_form: bool,
}

impl Reading<'_> {
    /// The seed that the file gives.
    fn seed(&self) -> u32 {
        // The hash is hexadecimal.
        self.file_hash.get(..8).and_then(|start| u32::from_str_radix(start, 16).ok()).unwrap_or(1)
    }

    /// Known for the same file, read in the same way, with the same people left out.
    fn content_hash(&self, context: &AppContext) -> String {
        if self.options.is_empty() && self.request.selection.is_empty() {
            return self.file_hash.clone();
        }
        let (form, selection) = (self.options.fingerprint(), self.request.selection.fingerprint());
        let text = format!("{}\n{form}\n{selection}", self.file_hash);
        context.keys.hasher().fingerprint(text.as_bytes())
    }

    /// Reads the list and imports it without those who are not drawn.
    async fn import(
        &self,
        context: &AppContext,
        drawn: Option<(Draw, BTreeSet<RowKey>)>,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<Pass, ListImportError> {
        let request = self.request;
        let now = context.clock.now();
        let content_hash = self.content_hash(context);
        let (content, options) = (request.content.clone(), self.options.clone());
        let (headers, categories) = (context.config.headers.clone(), self.categories.clone());
        let region = context.config.default_region.parse().unwrap_or(country::CN);
        let found =
            table::beside(move || find_lists(&content, &options, (&headers, region), &categories));
        let wrong = |error| ListImportError::Table { file: request.file.to_owned(), error };
        let lists_found = found.await.map_err(wrong)?;
        if lists_found.len() > 1 && !request.selection.left_out.is_empty() {
            return Err(ListOptionError::RowsOfSeveralLists.into());
        }
        let header_hash = lists_found
            .first()
            .map(|list| known_forms::header_hash(context, &list.layout.headers, &list.sample));
        let mut tx = context.database.write().await?;
        let applications = find_applications(&mut tx, request.applications).await?;
        check_cut_off(&mut tx, &applications, now).await?;
        let applicant = applications[0].applicant_id;
        let codes = applications.iter().map(|a| a.code.as_str()).collect::<Vec<_>>().join(",");
        if lists::find_import(&mut tx, applicant, &content_hash, &codes).await?.is_some() {
            let names = count_names(&mut tx, &applications).await?;
            let known = ImportOutcome { names, already_imported: true, ..ImportOutcome::default() };
            return Ok(Pass::Done(Box::new(known)));
        }

        let (mut prepared, mut all_notes) = (Vec::new(), Vec::new());
        for (number, FoundList { layout, sample, rows, is_rounded, notes, .. }) in
            lists_found.into_iter().enumerate()
        {
            all_notes.extend(notes.into_iter().map(|note| note.of_list(number)));
            let form = (layout, is_rounded, &sample[..]);
            let preparer = preparer(context, request, &applications, number, form)?;
            prepared.push((Arc::new(preparer), sample, rows));
        }
        let mut import = Import::begin(tx, request, applications, drawn, now).await?;
        all_notes.into_iter().for_each(|note| import.record_finding(note));
        for (preparer, sample, rows) in prepared {
            let sample = sample.into_iter().skip(preparer.layout.first_data_row);
            import.write_list(&preparer, read_ahead(sample, rows), progress).await?;
        }
        import.outcome.known_form = self.known_form;
        import.outcome.options = self.options.clone();
        import.outcome.categories = self.categories.clone();
        if let (false, Some(hash)) = (self.known_form, &header_hash) {
            let form = &self.options;
            known_forms::remember(context, &mut import.tx, applicant, form, hash).await?;
        }
        import.finish(&content_hash, &codes).await
    }
}

/// The categories of applications that exist, and the applicant of the first.
async fn what_for(
    context: &AppContext,
    codes: &[String],
) -> Result<(Vec<Category>, Option<ApplicantId>), ListImportError> {
    let mut connection = context.database.read().await?;
    let (mut categories, mut applicant) = (Vec::new(), None);
    for code in codes {
        if let Some(application) = applications::find(&mut connection, code).await? {
            categories.push(application.category);
            applicant.get_or_insert(application.applicant_id);
        }
    }
    Ok((categories, applicant))
}

/// Returns what prepares the rows of a list.
fn preparer(
    context: &AppContext,
    request: &ImportRequest<'_>,
    applications: &[Application],
    list: usize,
    (mut layout, is_rounded, sample): (ColumnLayout, bool, &[TableRow]),
) -> Result<Preparer, ListImportError> {
    let file = || request.file.to_owned();
    layout
        .find_fields(&list_fields_of(applications))
        .map_err(|words| ListImportError::NoField { file: file(), words })?;
    if sample.len() == layout.first_data_row {
        return Err(ListImportError::Table { file: file(), error: TableError::Empty });
    }
    Ok(Preparer {
        layout,
        is_rounded,
        region: context.config.default_region.parse().unwrap_or(country::CN),
        home_region: context.config.default_region.clone(),
        hasher: context.keys.hasher().clone(),
        sealer: context.keys.sealer(&applications[0].key_id)?,
        applications: applications.to_vec(),
        list,
    })
}

/// Rows that were read together, and the reading progress.
struct ReadChunk {
    rows: Vec<TableRow>,
    read: (u64, u64),
}

/// Reads ahead by a few chunks on a separate thread; `first` has been read already.
fn read_ahead(
    first: impl Iterator<Item = TableRow> + Send + 'static,
    mut rows: TableRows,
) -> mpsc::Receiver<Result<ReadChunk, TableError>> {
    let (sender, receiver) = mpsc::channel(2);
    tokio::task::spawn_blocking(move || {
        let mut chunk: Vec<TableRow> = first.collect();
        loop {
            while chunk.len() < ROWS_PER_BATCH {
                match rows.next() {
                    Some(Ok(row)) => chunk.push(row),
                    // The receiver is gone when the import has failed.
                    Some(Err(error)) => return drop(sender.blocking_send(Err(error))),
                    None => break,
                }
            }
            let is_last = chunk.len() < ROWS_PER_BATCH;
            let next = Vec::with_capacity(ROWS_PER_BATCH);
            let read =
                ReadChunk { rows: std::mem::replace(&mut chunk, next), read: rows.progress() };
            if sender.blocking_send(Ok(read)).is_err() || is_last {
                return;
            }
        }
    });
    receiver
}

fn core_count() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// An import in progress.
struct Import<'a> {
    tx: WriteTx,
    request: &'a ImportRequest<'a>,
    applications: Vec<Application>,
    programme: Programme,
    now: Timestamp,
    /// The last respondent before the import; a larger id belongs to this list.
    last_known: RespondentId,
    is_anybody_suppressed: bool,
    /// The number of cases that this list adds to each application.
    new_cases: Vec<u32>,
    /// Rows that were not drawn.
    not_drawn: Option<(Draw, BTreeSet<RowKey>)>,
    /// The numbers of people who are left out: further rows of theirs are no other people.
    left_out: HashSet<String>,
    /// Those who are new, where some may have to be drawn.
    candidates: Vec<Candidate>,
    outcome: ImportOutcome,
}

impl<'a> Import<'a> {
    async fn begin(
        mut tx: WriteTx,
        request: &'a ImportRequest<'a>,
        applications: Vec<Application>,
        not_drawn: Option<(Draw, BTreeSet<RowKey>)>,
        now: Timestamp,
    ) -> Result<Import<'a>, ListImportError> {
        tx.expect_many_rows().await?;
        let programme = programmes::get(&mut tx, applications[0].programme_id).await?;
        let last_known = lists::last_respondent(&mut tx).await?;
        let is_anybody_suppressed = suppressions::any_active(&mut tx, now).await?;
        let new_cases = vec![0; applications.len()];
        Ok(Import {
            tx,
            request,
            applications,
            programme,
            now,
            last_known,
            is_anybody_suppressed,
            new_cases,
            outcome: ImportOutcome {
                drawn: not_drawn.as_ref().map(|(draw, _)| *draw),
                ..ImportOutcome::default()
            },
            not_drawn,
            left_out: HashSet::new(),
            candidates: Vec::new(),
        })
    }

    /// Writes the rows of one list.
    async fn write_list(
        &mut self,
        preparer: &Arc<Preparer>,
        mut chunks: mpsc::Receiver<Result<ReadChunk, TableError>>,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<(), ListImportError> {
        // As many batches as there are cores are prepared at once; they are written in order.
        let mut preparing: VecDeque<JoinHandle<Result<PreparedBatch, ListImportError>>> =
            VecDeque::new();
        loop {
            let chunk = chunks.recv().await;
            let is_over = chunk.is_none();
            if let Some(chunk) = chunk {
                let file = || self.request.file.to_owned();
                let wrong = |error| ListImportError::Table { file: file(), error };
                let ReadChunk { rows, read } = chunk.map_err(wrong)?;
                progress(read.0, read.1);
                let preparer = preparer.clone();
                preparing.push_back(tokio::task::spawn_blocking(move || preparer.prepare(rows)));
            }
            while preparing.len() > core_count() || (is_over && !preparing.is_empty()) {
                let Some(oldest) = preparing.pop_front() else { break };
                let prepared = oldest.await;
                let stopped =
                    |error: tokio::task::JoinError| ListImportError::Stopped(error.to_string());
                self.write_batch(prepared.map_err(stopped)??).await?;
            }
            if is_over {
                return Ok(());
            }
        }
    }

    /// Writes the people of a batch.
    async fn write_batch(&mut self, batch: PreparedBatch) -> Result<(), ListImportError> {
        self.outcome.rows += batch.rows;
        batch.findings.into_iter().for_each(|finding| self.record_finding(finding));
        let people = self.merge_duplicates(batch.people);
        let people = self.leave_out(people);
        let new: Vec<&NewRespondent> = people.iter().map(|person| &person.person).collect();
        let applicant = self.applications[0].applicant_id;
        let ids = lists::add_respondents(&mut self.tx, applicant, &new, self.now).await?;
        let others: Vec<String> = new
            .iter()
            .map(|p| &p.phone_hash)
            .filter(|hash| !ids.contains_key(*hash))
            .cloned()
            .collect();
        let known = if others.is_empty() {
            HashMap::new()
        } else {
            lists::existing_respondents(&mut self.tx, applicant, &others).await?
        };
        let suppressed = match self.is_anybody_suppressed {
            false => HashMap::new(),
            true => {
                let hashes: Vec<String> = new.iter().map(|p| p.phone_hash.clone()).collect();
                suppressions::among(&mut self.tx, &hashes, &self.programme.code, self.now).await?
            }
        };
        let mut cases = Vec::with_capacity(people.len() * self.applications.len());
        for person in people {
            let (respondent, had) =
                match (ids.get(&person.person.phone_hash), known.get(&person.person.phone_hash)) {
                    (Some(id), _) => (*id, &[][..]),
                    (None, Some((id, had))) => (*id, had.as_slice()),
                    (None, None) => continue,
                };
            let is_suppressed = suppressed.contains_key(&person.person.phone_hash);
            cases.extend(self.new_cases_for(person, respondent, had, is_suppressed));
        }
        Ok(cases::add(&mut self.tx, &cases, self.now).await?)
    }

    fn record_finding(&mut self, finding: ImportFinding) {
        match finding.decision {
            RowDecision::Rejected => self.outcome.rejected += 1,
            RowDecision::Merged => self.outcome.merged += 1,
            RowDecision::NoPerson => self.outcome.not_people += 1,
            RowDecision::LeftOut => self.outcome.left_out += 1,
            RowDecision::AcceptedWithNotice => {}
        }
        if self.outcome.findings.len() < MAX_FINDINGS {
            self.outcome.findings.push(finding);
        } else {
            self.outcome.findings_left_out += 1;
        }
    }

    /// Merges rows with the same number: each number occurs once, in the order of the rows, and
    /// later rows are merged into the first.
    fn merge_duplicates(&mut self, people: Vec<PreparedPerson>) -> Vec<PreparedPerson> {
        let mut first_row: HashMap<String, u32> = HashMap::with_capacity(people.len());
        let mut unique = Vec::with_capacity(people.len());
        for person in people {
            match first_row.entry(person.person.phone_hash.clone()) {
                Entry::Occupied(first) => {
                    let reason = RowReason::SameAsRow(*first.get());
                    self.record_finding(finding_about(&person, RowDecision::Merged, reason));
                }
                Entry::Vacant(free) => {
                    free.insert(person.row.row);
                    unique.push(person);
                }
            }
        }
        unique
    }

    /// Leaves out those who were ticked off or not drawn, with all further rows of theirs.
    fn leave_out(&mut self, people: Vec<PreparedPerson>) -> Vec<PreparedPerson> {
        let by_hand = &self.request.selection.left_out;
        if by_hand.is_empty() && self.not_drawn.is_none() {
            return people;
        }
        let mut kept = Vec::with_capacity(people.len());
        for person in people {
            let reason = match &self.not_drawn {
                _ if by_hand.contains(&person.row.row) => Some(RowReason::LeftOut),
                Some((draw, rows)) if rows.contains(&person.row) => {
                    Some(RowReason::NotDrawn(draw.seed))
                }
                _ => None,
            };
            if let Some(reason) = reason {
                self.left_out.insert(person.person.phone_hash.clone());
                self.record_finding(finding_about(&person, RowDecision::LeftOut, reason));
            } else if self.left_out.contains(&person.person.phone_hash) {
                let reason = RowReason::SameAsEarlierRow;
                self.record_finding(finding_about(&person, RowDecision::Merged, reason));
            } else {
                kept.push(person);
            }
        }
        kept
    }

    /// Returns the cases that are new for a person.
    fn new_cases_for(
        &mut self,
        person: PreparedPerson,
        respondent: RespondentId,
        had: &[ApplicationId],
        is_suppressed: bool,
    ) -> Vec<cases::NewCase> {
        let is_new_in: Vec<bool> =
            self.applications.iter().map(|application| !had.contains(&application.id)).collect();
        let is_new = is_new_in.contains(&true);
        if respondent > self.last_known && !had.is_empty() {
            self.record_finding(finding_about(
                &person,
                RowDecision::Merged,
                RowReason::SameAsEarlierRow,
            ));
            return Vec::new();
        }
        if respondent <= self.last_known {
            let (decision, reason) = if is_new {
                (RowDecision::AcceptedWithNotice, RowReason::KnownToApplicant)
            } else {
                (RowDecision::Merged, RowReason::KnownToApplication)
            };
            self.record_finding(finding_about(&person, decision, reason));
        }
        if !is_new {
            return Vec::new();
        }
        if is_suppressed {
            self.record_finding(finding_about(
                &person,
                RowDecision::AcceptedWithNotice,
                RowReason::Suppressed,
            ));
        }
        self.outcome.accepted += 1;
        self.outcome.fixed_lines += u64::from(person.is_fixed_line);
        self.outcome.suppressed += u64::from(is_suppressed);
        if self.request.selection.draw.is_some() && self.not_drawn.is_none() {
            let new = is_new_in.iter().enumerate().filter(|(_, is_new)| **is_new);
            let new_in = new.fold(0, |bits, (index, _)| bits | bit_of(index));
            self.candidates.push(Candidate { row: person.row, new_in });
        }
        let mut new = Vec::with_capacity(self.applications.len());
        for (index, case) in
            person.cases.into_iter().enumerate().filter(|(index, _)| is_new_in[*index])
        {
            self.new_cases[index] += 1;
            new.push(cases::NewCase {
                application: self.applications[index].id,
                respondent,
                segment: person.segment.clone(),
                pseudonym: case.pseudonym,
                fields_sealed: case.fields_sealed,
            });
        }
        new
    }

    async fn finish(mut self, content_hash: &str, codes: &str) -> Result<Pass, ListImportError> {
        let names = count_names(&mut self.tx, &self.applications).await?;
        let caps = self.applications.iter().map(|a| self.programme.cap(a.category));
        let caps: Vec<u32> = caps.collect();
        for (index, application) in self.applications.iter().enumerate() {
            let (names_now, cap) = (names[index].1, caps[index]);
            if names_now > cap && self.new_cases[index] > 0 {
                let before = |index: usize| names[index].1 - self.new_cases[index];
                let room = (0..caps.len()).map(|index| caps[index].saturating_sub(before(index)));
                let room = room.collect();
                let mut outcome = self.outcome;
                outcome.findings.sort_by_key(|finding| (finding.list, finding.row));
                let outcome = Box::new(ImportOutcome { names: names.clone(), ..outcome });
                let error = ListImportError::OverCap {
                    outcome,
                    file: self.request.file.to_owned(),
                    application: application.code.clone(),
                    names: names_now,
                    category: application.category,
                    cap,
                    over: names_now - cap,
                };
                return Ok(Pass::OverCap { error, candidates: self.candidates, room });
            }
        }
        let ImportOutcome { rows, accepted, merged, rejected, left_out, drawn, .. } = self.outcome;
        self.outcome.findings.sort_by_key(|finding| (finding.list, finding.row));
        if accepted + merged == 0 {
            let outcome = Box::new(ImportOutcome { names, ..self.outcome });
            if self.request.dry_run {
                return Ok(Pass::Done(outcome));
            }
            let file = self.request.file.to_owned();
            return Err(ListImportError::NothingTaken { file, rejected, outcome });
        }
        let draw = drawn.map(|draw| (draw.seed, draw.from));
        let counts = ImportCounts { rows_read: rows, accepted, merged, rejected, left_out, draw };
        let applicant = self.applications[0].applicant_id;
        lists::add_import(&mut self.tx, applicant, content_hash, codes, counts, self.now).await?;
        for application in &self.applications {
            applications::set_list_received(&mut self.tx, application.id, self.now).await?;
        }
        if !self.request.dry_run {
            self.tx.commit().await?;
        }
        Ok(Pass::Done(Box::new(ImportOutcome { names, ..self.outcome })))
    }
}

fn finding_about(
    person: &PreparedPerson,
    decision: RowDecision,
    reason: RowReason,
) -> ImportFinding {
    let RowKey { list, row, .. } = person.row;
    let sheet = person.sheet.as_deref().unwrap_or_default().to_owned();
    let value = person.masked.clone();
    ImportFinding::new(row, sheet, value, decision, reason).of_list(list).at(person.place)
}

async fn find_applications(
    tx: &mut WriteTx,
    codes: &[String],
) -> Result<Vec<Application>, ListImportError> {
    let mut found: Vec<Application> = Vec::new();
    for code in codes {
        let application = applications::find(tx, code)
            .await?
            .ok_or_else(|| ListImportError::UnknownApplication(code.clone()))?;
        if let Some(first) =
            found.first().filter(|first| first.applicant_id != application.applicant_id)
        {
            return Err(ListImportError::DifferentApplicants(first.code.clone(), code.clone()));
        }
        if application.state != ApplicationState::Registered {
            return Err(ListImportError::NotOpen(code.clone()));
        }
        if !found.iter().any(|known| known.id == application.id) {
            found.push(application);
        }
    }
    match found.is_empty() {
        true => Err(ListImportError::UnknownApplication(String::new())),
        false => Ok(found),
    }
}

async fn check_cut_off(
    tx: &mut WriteTx,
    applications: &[Application],
    now: Timestamp,
) -> Result<(), ListImportError> {
    let programme = programmes::get(tx, applications[0].programme_id).await?;
    let Some(cut_off) = programme.cut_off else { return Ok(()) };
    match applications
        .iter()
        .find(|a| a.list_received_at.unwrap_or(now).date(programme.time_zone) > cut_off)
    {
        Some(late) => Err(ListImportError::AfterCutOff { application: late.code.clone(), cut_off }),
        None => Ok(()),
    }
}

async fn count_names(
    tx: &mut WriteTx,
    applications: &[Application],
) -> Result<Vec<(String, u32)>, ListImportError> {
    let mut names = Vec::new();
    for application in applications {
        names.push((
            application.code.clone(),
            lists::names_by_segment(tx, application.id).await?.values().sum(),
        ));
    }
    Ok(names)
}

/// Returns the list fields that any of these applications uses.
fn list_fields_of(applications: &[Application]) -> BTreeMap<String, Vec<String>> {
    let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, words) in applications.iter().flat_map(|application| &application.list_fields) {
        fields.entry(name.clone()).or_default().extend(words.iter().cloned());
    }
    fields
}
