//! The import of one list, in one transaction: rows are read, prepared on every core, and written as they come, so that a list of millions takes no more
//! memory than a short one.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use phonenumber::country;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::IntakeError;
use super::headers::Layout;
use super::prepare::{Batch, Prepared, Preparer};
use super::report::{Decision, Finding};
use super::source::Source;
use super::table::{Rows, TableError, TableRow};
use crate::domain::ids::{ApplicationId, RespondentId};
use crate::domain::programme::Programme;
use crate::domain::time::Timestamp;
use crate::services::context::Installation;
use crate::adapters::database::applications::{self, Application, ApplicationState};
use crate::adapters::database::lists::{self, ImportCounts, NewRespondent};
use crate::adapters::database::{WriteTx, cases, programmes, suppressions};

/// Rows that are prepared and written together.
const AT_ONCE: usize = 5_000;
/// The header is looked for among the first of so many rows; in a list without one, columns are told by them.
const SAMPLE: usize = 1_000;
/// More findings than this are only counted.
const MOST_FINDINGS: usize = 100_000;

pub struct ImportRequest<'a> {
    /// The applications that the list serves; several share it.
    pub applications: &'a [String],
    /// For messages.
    pub file: &'a str,
    pub content: Source,
    /// Check everything, write nothing.
    pub dry_run: bool,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ImportOutcome {
    pub rows: u64,
    pub accepted: u64,
    pub merged: u64,
    pub rejected: u64,
    /// Of those accepted: reached by telephone only.
    pub fixed_lines: u64,
    /// Of those accepted: opted out earlier, so never contacted.
    pub suppressed: u64,
    /// Names on each application's list afterwards.
    pub names: Vec<(String, u32)>,
    pub findings: Vec<Finding>,
    /// Further findings that were only counted.
    pub findings_left_out: u64,
    /// The same file was imported before; nothing was changed.
    pub already: bool,
}

/// Imports a list. `progress` is told how much of it has been read, and how much there is, in a measure of its own.
pub async fn import_list(
    installation: &Installation,
    request: &ImportRequest<'_>,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<ImportOutcome, IntakeError> {
    let now = installation.clock.now();
    let wrong = |error: TableError| IntakeError::Table { file: request.file.to_owned(), error };
    let mut fingerprint = installation.keys.hasher().begin_fingerprint();
    let seen = request.content.each_piece(|piece| {
        fingerprint.add(piece);
        true
    });
    seen.map_err(|error| wrong(error.into()))?;
    let content_hash = fingerprint.end();
    let mut tx = installation.store.write().await?;
    let shared = find_applications(&mut tx, request.applications).await?;
    check_cut_off(&mut tx, &shared, now).await?;
    let applicant = shared[0].applicant_id;
    let codes = shared.iter().map(|a| a.code.as_str()).collect::<Vec<_>>().join(",");
    if lists::find_import(&mut tx, applicant, &content_hash, &codes).await?.is_some() {
        let names = names_of(&mut tx, &shared).await?;
        return Ok(ImportOutcome { names, already: true, ..ImportOutcome::empty() });
    }

    let mut rows = Rows::open(&request.content).map_err(wrong)?;
    let sample: Vec<TableRow> = rows.by_ref().take(SAMPLE).collect::<Result<_, _>>().map_err(wrong)?;
    if sample.is_empty() {
        return Err(wrong(TableError::Empty));
    }
    let preparer = Arc::new(preparer(installation, request, &shared, &sample)?);
    let sample = sample.into_iter().skip(preparer.layout.first);
    let mut import = Import::begin(tx, request.file, shared, now).await?;
    let mut pieces = read_ahead(sample, rows);
    // As many pieces are prepared at once as there are cores; they are written in their order.
    let mut under_way: VecDeque<JoinHandle<Result<Batch, IntakeError>>> = VecDeque::new();
    loop {
        let piece = pieces.recv().await;
        let is_over = piece.is_none();
        if let Some(piece) = piece {
            let Piece { rows, read } = piece.map_err(wrong)?;
            progress(read.0, read.1);
            let preparer = preparer.clone();
            under_way.push_back(tokio::task::spawn_blocking(move || preparer.prepare(rows)));
        }
        while under_way.len() > cores() || (is_over && !under_way.is_empty()) {
            let Some(oldest) = under_way.pop_front() else { break };
            import.take(oldest.await.map_err(|error| IntakeError::Stopped(error.to_string()))??).await?;
        }
        if is_over {
            break;
        }
    }
    import.end(&content_hash, &codes, request.dry_run).await
}

/// Understands the columns from the first rows.
fn preparer(installation: &Installation, request: &ImportRequest<'_>, shared: &[Application], sample: &[TableRow]) -> Result<Preparer, IntakeError> {
    let wrong = |error| IntakeError::Table { file: request.file.to_owned(), error };
    let region = installation.config.default_region.parse().unwrap_or(country::CN);
    let mut layout = Layout::find(sample, &installation.config.headers, region).map_err(wrong)?;
    layout.find_fields(&kept_fields(shared)).map_err(|words| IntakeError::NoField { file: request.file.to_owned(), words })?;
    if sample.len() == layout.first {
        return Err(wrong(TableError::Empty));
    }
    Ok(Preparer {
        layout,
        region,
        home: installation.config.default_region.clone(),
        hasher: installation.keys.hasher().clone(),
        sealer: installation.keys.sealer(&shared[0].key_id)?,
        shared: shared.to_vec(),
    })
}

/// Rows that were read together, and how far the reading has come.
struct Piece {
    rows: Vec<TableRow>,
    read: (u64, u64),
}

/// Reads ahead on a thread of its own, by a few pieces; `first` has been read already.
fn read_ahead(first: impl Iterator<Item = TableRow> + Send + 'static, mut rows: Rows) -> mpsc::Receiver<Result<Piece, TableError>> {
    let (sender, receiver) = mpsc::channel(2);
    tokio::task::spawn_blocking(move || {
        let mut piece: Vec<TableRow> = first.collect();
        loop {
            while piece.len() < AT_ONCE {
                match rows.next() {
                    Some(Ok(row)) => piece.push(row),
                    // Nobody waits any more when the import has failed.
                    Some(Err(error)) => return drop(sender.blocking_send(Err(error))),
                    None => break,
                }
            }
            let is_last = piece.len() < AT_ONCE;
            let next = Vec::with_capacity(AT_ONCE);
            let read = Piece { rows: std::mem::replace(&mut piece, next), read: rows.progress() };
            if sender.blocking_send(Ok(read)).is_err() || is_last {
                return;
            }
        }
    });
    receiver
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// An import under way.
struct Import<'a> {
    tx: WriteTx,
    file: &'a str,
    shared: Vec<Application>,
    programme: Programme,
    now: Timestamp,
    /// Whoever has a larger number came with this list.
    last_known: RespondentId,
    is_anybody_suppressed: bool,
    /// Cases that this list adds to each application.
    new_cases: Vec<u32>,
    outcome: ImportOutcome,
}

impl<'a> Import<'a> {
    async fn begin(mut tx: WriteTx, file: &'a str, shared: Vec<Application>, now: Timestamp) -> Result<Import<'a>, IntakeError> {
        tx.expect_many_rows().await?;
        let programme = programmes::get(&mut tx, shared[0].programme_id).await?;
        let last_known = lists::last_respondent(&mut tx).await?;
        let is_anybody_suppressed = suppressions::is_anybody(&mut tx, now).await?;
        let new_cases = vec![0; shared.len()];
        Ok(Import { tx, file, shared, programme, now, last_known, is_anybody_suppressed, new_cases, outcome: ImportOutcome::empty() })
    }

    /// Writes the people of some rows.
    async fn take(&mut self, batch: Batch) -> Result<(), IntakeError> {
        self.outcome.rows += batch.rows;
        batch.findings.into_iter().for_each(|finding| self.note(finding));
        let people = self.merge_within(batch.people);
        let new: Vec<&NewRespondent> = people.iter().map(|person| &person.person).collect();
        let applicant = self.shared[0].applicant_id;
        let ids = lists::add_respondents(&mut self.tx, applicant, &new, self.now).await?;
        let others: Vec<String> = new.iter().map(|p| &p.phone_hash).filter(|hash| !ids.contains_key(*hash)).cloned().collect();
        let known = if others.is_empty() { HashMap::new() } else { lists::known_numbers(&mut self.tx, applicant, &others).await? };
        let suppressed = match self.is_anybody_suppressed {
            false => HashMap::new(),
            true => {
                let hashes: Vec<String> = new.iter().map(|p| p.phone_hash.clone()).collect();
                suppressions::among(&mut self.tx, &hashes, &self.programme.code, self.now).await?
            }
        };
        let mut cases = Vec::with_capacity(people.len() * self.shared.len());
        for person in people {
            let (respondent, had) = match (ids.get(&person.person.phone_hash), known.get(&person.person.phone_hash)) {
                (Some(id), _) => (*id, &[][..]),
                (None, Some((id, had))) => (*id, had.as_slice()),
                (None, None) => continue,
            };
            let is_suppressed = suppressed.contains_key(&person.person.phone_hash);
            cases.extend(self.cases_of(person, respondent, had, is_suppressed));
        }
        Ok(cases::add(&mut self.tx, &cases, self.now).await?)
    }

    fn note(&mut self, finding: Finding) {
        match finding.decision {
            Decision::Rejected => self.outcome.rejected += 1,
            Decision::Merged => self.outcome.merged += 1,
            Decision::Noted => {}
        }
        if self.outcome.findings.len() < MOST_FINDINGS {
            self.outcome.findings.push(finding);
        } else {
            self.outcome.findings_left_out += 1;
        }
    }

    /// Each number once, in the order of the rows; a later row of the same number is merged into the first.
    fn merge_within(&mut self, people: Vec<Prepared>) -> Vec<Prepared> {
        let mut first_row: HashMap<String, u32> = HashMap::with_capacity(people.len());
        let mut kept = Vec::with_capacity(people.len());
        for person in people {
            match first_row.entry(person.person.phone_hash.clone()) {
                Entry::Occupied(first) => {
                    let same = format!("the same number as row {}", first.get());
                    self.note(of(&person, Decision::Merged, format!("{same}; {UNLESS_TWO}")));
                }
                Entry::Vacant(free) => {
                    free.insert(person.row);
                    kept.push(person);
                }
            }
        }
        kept
    }

    /// The cases that somebody is new to.
    fn cases_of(&mut self, person: Prepared, respondent: RespondentId, had: &[ApplicationId], is_suppressed: bool) -> Vec<cases::NewCase> {
        let is_new_in: Vec<bool> = self.shared.iter().map(|application| !had.contains(&application.id)).collect();
        let is_new = is_new_in.contains(&true);
        if respondent > self.last_known && !had.is_empty() {
            self.note(of(&person, Decision::Merged, format!("the same number as an earlier row; {UNLESS_TWO}")));
            return Vec::new();
        }
        if respondent <= self.last_known {
            let (decision, what) = if is_new {
                (Decision::Noted, "on an earlier list of this applicant: stays one person and gets one invitation for all applications")
            } else {
                (Decision::Merged, "on an earlier list of this application already; nothing to do")
            };
            self.note(of(&person, decision, what.to_owned()));
        }
        if !is_new {
            return Vec::new();
        }
        if is_suppressed {
            let what = "suppressed (an opt-out, a complaint or an invalid number): stays on the list and is not contacted; nothing to do";
            self.note(of(&person, Decision::Noted, what.to_owned()));
        }
        self.outcome.accepted += 1;
        self.outcome.fixed_lines += u64::from(person.is_fixed_line);
        self.outcome.suppressed += u64::from(is_suppressed);
        let mut new = Vec::with_capacity(self.shared.len());
        for (index, case) in person.cases.into_iter().enumerate().filter(|(index, _)| is_new_in[*index]) {
            self.new_cases[index] += 1;
            new.push(cases::NewCase {
                application: self.shared[index].id,
                respondent,
                segment: person.segment.clone(),
                pseudonym: case.pseudonym,
                fields_sealed: case.fields_sealed,
            });
        }
        new
    }

    async fn end(mut self, content_hash: &str, codes: &str, dry_run: bool) -> Result<ImportOutcome, IntakeError> {
        let names = names_of(&mut self.tx, &self.shared).await?;
        for ((application, (_, names)), new) in self.shared.iter().zip(&names).zip(&self.new_cases) {
            let (names, cap) = (*names, self.programme.cap(application.category));
            if names > cap && *new > 0 {
                let (application, category) = (application.code.clone(), application.category);
                return Err(IntakeError::OverCap { file: self.file.to_owned(), application, names, category, cap, over: names - cap });
            }
        }
        let ImportOutcome { rows, accepted, merged, rejected, .. } = self.outcome;
        if accepted + merged == 0 {
            return Err(IntakeError::NothingTaken { file: self.file.to_owned(), rejected });
        }
        let counts = ImportCounts { rows_read: rows, accepted, merged, rejected };
        lists::add_import(&mut self.tx, self.shared[0].applicant_id, content_hash, codes, counts, self.now).await?;
        for application in &self.shared {
            applications::set_list_received(&mut self.tx, application.id, self.now).await?;
        }
        if !dry_run {
            self.tx.commit().await?;
        }
        self.outcome.findings.sort_by_key(|finding| finding.row);
        Ok(ImportOutcome { names, ..self.outcome })
    }
}

const UNLESS_TWO: &str = "nothing to do unless they are two people, then ask for the second one's number";

fn of(person: &Prepared, decision: Decision, what: String) -> Finding {
    Finding { row: person.row, column: String::new(), value: person.masked.clone(), decision, what }
}

impl ImportOutcome {
    fn empty() -> ImportOutcome {
        ImportOutcome {
            rows: 0,
            accepted: 0,
            merged: 0,
            rejected: 0,
            fixed_lines: 0,
            suppressed: 0,
            names: Vec::new(),
            findings: Vec::new(),
            findings_left_out: 0,
            already: false,
        }
    }
}

async fn find_applications(tx: &mut WriteTx, codes: &[String]) -> Result<Vec<Application>, IntakeError> {
    let mut found: Vec<Application> = Vec::new();
    for code in codes {
        let application = applications::find(tx, code).await?.ok_or_else(|| IntakeError::UnknownApplication(code.clone()))?;
        if let Some(first) = found.first().filter(|first| first.applicant_id != application.applicant_id) {
            return Err(IntakeError::DifferentApplicants(first.code.clone(), code.clone()));
        }
        if application.state != ApplicationState::Registered {
            return Err(IntakeError::NotOpen(code.clone()));
        }
        if !found.iter().any(|known| known.id == application.id) {
            found.push(application);
        }
    }
    match found.is_empty() {
        true => Err(IntakeError::UnknownApplication(String::new())),
        false => Ok(found),
    }
}

async fn check_cut_off(tx: &mut WriteTx, shared: &[Application], now: Timestamp) -> Result<(), IntakeError> {
    let programme = programmes::get(tx, shared[0].programme_id).await?;
    let Some(cut_off) = programme.cut_off else { return Ok(()) };
    match shared.iter().find(|a| a.list_received_at.unwrap_or(now).date(programme.time_zone) > cut_off) {
        Some(late) => Err(IntakeError::AfterCutOff { application: late.code.clone(), cut_off }),
        None => Ok(()),
    }
}

async fn names_of(tx: &mut WriteTx, shared: &[Application]) -> Result<Vec<(String, u32)>, IntakeError> {
    let mut names = Vec::new();
    for application in shared {
        names.push((application.code.clone(), lists::names_by_segment(tx, application.id).await?.values().sum()));
    }
    Ok(names)
}

/// The fields that any of these applications keeps.
fn kept_fields(shared: &[Application]) -> BTreeMap<String, Vec<String>> {
    let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, words) in shared.iter().flat_map(|application| &application.list_fields) {
        fields.entry(name.clone()).or_default().extend(words.iter().cloned());
    }
    fields
}
