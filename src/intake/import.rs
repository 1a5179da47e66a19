//! The import of one list: read, check, merge, cap, seal, store, in one transaction.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use phonenumber::country;
use serde::Serialize;

use super::headers::{Column, Layout};
use super::report::{Decision, Finding};
use super::row::{ListedRow, read_row};
use super::{IntakeError, table};
use crate::crypto::Sealer;
use crate::domain::personal::masked;
use crate::domain::phone::{Phone, PhoneKind};
use crate::domain::time::Timestamp;
use crate::domain::zones::Zones;
use crate::installation::{Installation, place};
use crate::store::applications::{self, Application, ApplicationState};
use crate::store::lists::{self, ImportCounts, NewRespondent};
use crate::store::{WriteTx, cases, programmes, suppressions};

pub struct ImportRequest<'a> {
    /// The applications that the list serves; several share it.
    pub applications: &'a [String],
    /// For messages.
    pub file: &'a str,
    pub content: &'a [u8],
    /// Check everything, write nothing.
    pub dry_run: bool,
}

#[derive(Debug, Clone, Serialize)]
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
    /// The same file was imported before; nothing was changed.
    pub already: bool,
}

/// Imports a list. `progress` is told the rows read so far and all of them.
pub async fn import_list(
    installation: &Installation,
    request: &ImportRequest<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<ImportOutcome, IntakeError> {
    let now = installation.clock.now();
    let mut tx = installation.store.write().await?;
    let shared = find_applications(&mut tx, request.applications).await?;
    check_cut_off(&mut tx, &shared, now).await?;
    let applicant = shared[0].applicant_id;
    let codes = shared.iter().map(|a| a.code.as_str()).collect::<Vec<_>>().join(",");
    let content_hash = installation.keys.hasher().fingerprint(request.content);
    if lists::find_import(&mut tx, applicant, &content_hash, &codes).await?.is_some() {
        let names = names_of(&mut tx, &shared).await?;
        return Ok(ImportOutcome { names, already: true, ..ImportOutcome::empty() });
    }

    let (rows, mut findings, rows_read) = read_list(installation, request, &shared, progress)?;
    let rows = merge_within(installation, rows, &mut findings);
    let hashes: Vec<String> = rows.iter().map(|(hash, _)| hash.clone()).collect();
    let known = lists::known_numbers(&mut tx, applicant, &hashes).await?;
    let wanted: Vec<Wanted> = rows.into_iter().filter_map(|(hash, row)| Wanted::new(hash, row, &shared, &known, &mut findings)).collect();

    let count = |decision: Decision| findings.iter().filter(|f| f.decision == decision).count() as u64;
    let counts = ImportCounts { rows_read, accepted: wanted.len() as u64, merged: count(Decision::Merged), rejected: count(Decision::Rejected) };
    check_caps(&mut tx, request.file, &shared, &wanted).await?;
    if counts.accepted + counts.merged == 0 {
        return Err(IntakeError::NothingTaken { file: request.file.to_owned(), rejected: counts.rejected });
    }
    let programme = programmes::get(&mut tx, shared[0].programme_id).await?;
    let suppressed = suppressions::among(&mut tx, &hashes, &programme.code, now).await?;
    let fixed_lines = wanted.iter().filter(|w| w.row.phone.kind() == PhoneKind::FixedLine).count() as u64;
    let is_suppressed = |w: &&Wanted| suppressed.contains_key(&w.hash);
    findings.extend(wanted.iter().filter(is_suppressed).map(|w| Finding {
        row: w.row.row,
        column: String::new(),
        value: masked(w.row.phone.e164()),
        decision: Decision::Noted,
        what: "suppressed (an opt-out, a complaint or an invalid number): stays on the list and is not contacted; nothing to do".into(),
    }));
    let suppressed = wanted.iter().filter(is_suppressed).count() as u64;

    store_wanted(installation, &mut tx, &shared, &wanted, now).await?;
    lists::add_import(&mut tx, applicant, &content_hash, &codes, counts, now).await?;
    for application in &shared {
        applications::set_list_received(&mut tx, application.id, now).await?;
    }
    let names = names_of(&mut tx, &shared).await?;
    if request.dry_run {
        drop(tx);
    } else {
        tx.commit().await?;
    }
    findings.sort_by_key(|finding| finding.row);
    let ImportCounts { rows_read, accepted, merged, rejected } = counts;
    Ok(ImportOutcome { rows: rows_read, accepted, merged, rejected, fixed_lines, suppressed, names, findings, already: false })
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

fn read_list(
    installation: &Installation,
    request: &ImportRequest<'_>,
    shared: &[Application],
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(Vec<ListedRow>, Vec<Finding>, u64), IntakeError> {
    let wrong = |error| IntakeError::Table { file: request.file.to_owned(), error };
    let region = installation.config.default_region.parse().unwrap_or(country::CN);
    let table = table::read(request.content).map_err(wrong)?;
    let mut layout = Layout::find(&table, &installation.config.headers, region).map_err(wrong)?;
    layout.find_fields(&kept_fields(shared)).map_err(|words| IntakeError::NoField { file: request.file.to_owned(), words })?;
    let people = &table[layout.first..];
    if people.is_empty() {
        return Err(wrong(table::TableError::Empty));
    }
    let (mut rows, mut findings) = (Vec::new(), Vec::new());
    let number_column = if layout.columns.contains_key(&Column::Mobile) { Column::Mobile } else { Column::Phone };
    for (done, row) in people.iter().enumerate() {
        match read_row(row, &layout, region) {
            Ok(listed) => {
                if listed.phone.kind() == PhoneKind::FixedLine {
                    findings.push(Finding {
                        row: row.number,
                        column: layout.shown(number_column),
                        value: masked(listed.phone.e164()),
                        decision: Decision::Noted,
                        what: "a fixed line: kept for the telephone, gets no SMS; ask the applicant for a mobile number if there is one".into(),
                    });
                }
                rows.push(listed);
            }
            Err(finding) => findings.push(finding),
        }
        progress(done as u64 + 1, people.len() as u64);
    }
    Ok((rows, findings, people.len() as u64))
}

/// The fields that any of these applications keeps.
fn kept_fields(shared: &[Application]) -> BTreeMap<String, Vec<String>> {
    let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, words) in shared.iter().flat_map(|application| &application.list_fields) {
        fields.entry(name.clone()).or_default().extend(words.iter().cloned());
    }
    fields
}

/// Each number once, in the order of the rows; a later row of the same number is merged into the first.
fn merge_within(installation: &Installation, rows: Vec<ListedRow>, findings: &mut Vec<Finding>) -> Vec<(String, ListedRow)> {
    let mut first_row: HashMap<String, u32> = HashMap::new();
    let mut kept = Vec::with_capacity(rows.len());
    for row in rows {
        let hash = installation.keys.hasher().number(&row.phone);
        match first_row.entry(hash.clone()) {
            Entry::Occupied(first) => findings.push(Finding {
                row: row.row,
                column: String::new(),
                value: masked(row.phone.e164()),
                decision: Decision::Merged,
                what: format!(
                    "the same number as row {}; nothing to do unless they are two people, then ask for the second one's number",
                    first.get()
                ),
            }),
            Entry::Vacant(free) => {
                free.insert(row.row);
                kept.push((hash, row));
            }
        }
    }
    kept
}

/// A row that brings at least one new case.
struct Wanted {
    hash: String,
    row: ListedRow,
    respondent: Option<crate::domain::ids::RespondentId>,
    /// Indices of the applications that the person is new to.
    new_in: Vec<usize>,
}

impl Wanted {
    fn new(
        hash: String,
        row: ListedRow,
        shared: &[Application],
        known: &HashMap<String, (crate::domain::ids::RespondentId, Vec<crate::domain::ids::ApplicationId>)>,
        findings: &mut Vec<Finding>,
    ) -> Option<Wanted> {
        let (respondent, had) = known.get(&hash).map_or((None, &[][..]), |(id, had)| (Some(*id), had.as_slice()));
        let new_in: Vec<usize> = (0..shared.len()).filter(|&n| !had.contains(&shared[n].id)).collect();
        if let Some(_earlier) = respondent {
            let (decision, what) = if new_in.is_empty() {
                (Decision::Merged, "on an earlier list of this application already; nothing to do")
            } else {
                (Decision::Noted, "on an earlier list of this applicant: stays one person and gets one invitation for all applications")
            };
            findings.push(Finding { row: row.row, column: String::new(), value: masked(row.phone.e164()), decision, what: what.into() });
        }
        (!new_in.is_empty()).then_some(Wanted { hash, row, respondent, new_in })
    }
}

async fn check_caps(tx: &mut WriteTx, file: &str, shared: &[Application], wanted: &[Wanted]) -> Result<(), IntakeError> {
    let programme = programmes::get(tx, shared[0].programme_id).await?;
    for (index, application) in shared.iter().enumerate() {
        let before: u32 = lists::names_by_segment(tx, application.id).await?.values().sum();
        let new = wanted.iter().filter(|w| w.new_in.contains(&index)).count();
        let names = before + u32::try_from(new).unwrap_or(u32::MAX - before);
        let cap = programme.cap(application.category);
        if names > cap {
            let (application, category) = (application.code.clone(), application.category);
            return Err(IntakeError::OverCap { file: file.to_owned(), application, names, category, cap, over: names - cap });
        }
    }
    Ok(())
}

/// What one application keeps of the list, sealed.
fn sealed_fields(sealer: &Sealer, application: &Application, fields: &BTreeMap<String, String>) -> Result<Option<Vec<u8>>, IntakeError> {
    let kept: BTreeMap<&String, &String> = fields.iter().filter(|(name, _)| application.list_fields.contains_key(*name)).collect();
    if kept.is_empty() {
        return Ok(None);
    }
    // Texts by texts can always be written as JSON.
    let json = serde_json::to_vec(&kept).unwrap_or_default();
    Ok(Some(sealer.seal(place::LIST_FIELDS, &json)?))
}

/// Abroad, contact hours are those of the number's region; at home, the contact plan's.
fn zone_of(phone: &Phone, home: &str) -> Option<String> {
    let region = phone.region().filter(|region| *region != home)?;
    Some(Zones::of_region(region)?.to_string())
}

async fn store_wanted(
    installation: &Installation,
    tx: &mut WriteTx,
    shared: &[Application],
    wanted: &[Wanted],
    now: Timestamp,
) -> Result<(), IntakeError> {
    let sealer = installation.keys.sealer(&shared[0].key_id)?;
    let mut new = Vec::new();
    for person in wanted.iter().filter(|w| w.respondent.is_none()) {
        new.push(NewRespondent {
            phone_hash: person.hash.clone(),
            phone_kind: person.row.phone.kind().as_str(),
            phone_sealed: sealer.seal(place::PHONE, person.row.phone.e164().as_bytes())?,
            person_sealed: sealer.seal(place::PERSON, person.row.person.to_sealable().as_bytes())?,
            language: person.row.language,
            zone: zone_of(&person.row.phone, &installation.config.default_region),
        });
    }
    let ids = lists::add_respondents(tx, shared[0].applicant_id, &new, now).await?;
    let mut new_cases = Vec::new();
    for person in wanted {
        let Some(respondent) = person.respondent.or_else(|| ids.get(&person.hash).copied()) else { continue };
        for &index in &person.new_in {
            new_cases.push(cases::NewCase {
                application: shared[index].id,
                respondent,
                segment: person.row.segment.clone(),
                fields_sealed: sealed_fields(&sealer, &shared[index], &person.row.fields)?,
                pseudonym: installation.keys.hasher().pseudonym(&shared[index].code, &person.hash),
            });
        }
    }
    cases::add(tx, &new_cases, now).await?;
    Ok(())
}
