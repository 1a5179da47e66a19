//! List drafts: a list before its import. It is stored sealed, previewed with every problem beside
//! its row, and corrected in place, so that a faulty file need not be uploaded again.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use phonenumber::country;
use serde::{Deserialize, Serialize};

use crate::adapters::crypto::{KeyRingError, SealError};
use crate::adapters::database::DatabaseError;
use crate::adapters::database::applications::{self, Application, ApplicationState};
use crate::adapters::database::drafts::{self, ListDraft};
use crate::domain::audit::{Action, Actor};
use crate::domain::category::Category;
use crate::domain::personal::Personal;
use crate::services::context::AppContext;
use crate::services::list_import::find::find_lists;
use crate::services::list_import::headers::{ColumnLayout, ListColumn};
use crate::services::list_import::table::{ReadOptions, open_tables};
use crate::services::list_import::{
    DrawSeed, ImportFinding, ImportOutcome, ImportRequest, ListImportError, ListNote, ListOptions,
    ListSource, RowReason, Selection, TableError, TableRow, correction_sheet, import_list,
    known_forms,
};

/// The number of rows that can be corrected on a page; larger lists are imported with the command.
const MAX_ROWS: usize = 5_000;
/// A longer cell is neither a name nor a number.
const MAX_CELL_CHARS: usize = 2_000;
const MAX_CELLS_PER_ROW: usize = 100;
const SEAL_CONTEXT: &str = "list_draft.rows";
const FILE_CONTEXT: &str = "list_draft.file";
/// The file of a draft is kept up to this size, so that it can be read in another way.
const MAX_KEPT_FILE: usize = 8 * 1024 * 1024;
/// The number of sheets that can be chosen from.
const MAX_SHEETS: usize = 200;
/// The rows in which the columns are looked for.
const SAMPLE_ROWS: usize = 1_000;

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "list_draft.", serialize_all = "snake_case")]
pub enum ListDraftError {
    #[error(transparent)]
    #[strum(transparent)]
    Import(#[from] ListImportError),
    #[error("the list has more than {MAX_ROWS} rows, which is the most for a page")]
    TooManyRows,
    #[error(
        "row {row} has a cell of {length} characters, or more than {MAX_CELLS_PER_ROW} cells; is \
            it the right file?"
    )]
    CellTooLarge { row: u32, length: usize },
    #[error("somebody else has corrected this list meanwhile; look at it again")]
    Changed,
    #[error("there is no such list any more")]
    NotFound,
    #[error(transparent)]
    #[strum(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    #[strum(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    #[strum(transparent)]
    Seal(#[from] SealError),
}

/// A row with its problems.
pub struct PreviewRow {
    pub number: u32,
    pub cells: Vec<Personal>,
    pub findings: Vec<ImportFinding>,
}

/// A preview of the import of a list.
pub struct Preview {
    pub draft: ListDraft,
    /// What names the columns; their letters where the list has no header.
    pub head: Vec<String>,
    /// What each column is taken for, by its place.
    pub columns: Vec<Option<ListColumn>>,
    /// The row that names the columns, where somebody has chosen it.
    pub header_row: Option<u32>,
    /// The sheets of the file; empty: it has none, or it is not kept.
    pub sheets: Vec<String>,
    /// The sheet and the encoding that somebody has chosen.
    pub sheet: Option<String>,
    pub encoding: Option<String>,
    /// Whether the file is a text, which has an encoding.
    pub is_text: bool,
    /// Whether the columns are as somebody chose them for an earlier list of this form.
    pub is_known_form: bool,
    /// The rows that are ticked off.
    pub left_out: BTreeSet<u32>,
    /// The seed of the draw, where there is one.
    pub draw_seed: Option<u32>,
    pub rows: Vec<PreviewRow>,
    /// What of the file or the list was not read.
    pub notes: Vec<ListNote>,
    /// The result that the import would have, or the reason why it would fail.
    pub outcome: Result<ImportOutcome, ListImportError>,
}

type NumberedRows = Vec<(u32, Vec<String>)>;

/// What a draft holds: the rows, and what somebody has chosen for them.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct DraftContent {
    rows: NumberedRows,
    header_row: Option<u32>,
    /// Places by the name of the column.
    columns: BTreeMap<String, Vec<usize>>,
    /// The sheets of its file.
    sheets: Vec<String>,
    sheet: Option<String>,
    encoding: Option<String>,
    is_text: bool,
    is_known_form: bool,
    left_out: BTreeSet<u32>,
    draw_seed: Option<u32>,
    /// What of its file was not read.
    notes: Vec<ListNote>,
}

impl DraftContent {
    fn options(&self) -> ListOptions {
        let column = |(name, places): (&String, &Vec<usize>)| {
            Some((ListColumn::parse(name)?, places.clone()))
        };
        ListOptions {
            header_row: self.header_row,
            columns: self.columns.iter().filter_map(column).collect(),
            ..ListOptions::default()
        }
    }

    /// Takes over what is known about the form of the list.
    fn choose(&mut self, options: &ListOptions) {
        self.header_row = options.header_row;
        self.encoding = options.read.encoding.map(|encoding| encoding.name().to_owned());
        let named = options.columns.iter();
        self.columns =
            named.map(|(column, places)| (column.name().to_owned(), places.clone())).collect();
    }

    fn selection(&self) -> Selection {
        let draw = self.draw_seed.map(DrawSeed::Given);
        Selection { left_out: self.left_out.clone(), draw }
    }
}

/// Stores an uploaded file as a draft. Returns the draft's id. An unreadable file changes nothing.
pub async fn create_list_draft(
    context: &AppContext,
    actor: &str,
    codes: &[String],
    file_name: &str,
    content: &[u8],
) -> Result<i64, ListDraftError> {
    create(context, (actor, false), codes, file_name, content).await
}

/// The same for a file that an applicant has uploaded on its own page.
pub async fn create_list_draft_of_applicant(
    context: &AppContext,
    applicant: &str,
    codes: &[String],
    file_name: &str,
    content: &[u8],
) -> Result<i64, ListDraftError> {
    create(context, (applicant, true), codes, file_name, content).await
}

async fn create(
    context: &AppContext,
    author: (&str, bool),
    codes: &[String],
    file_name: &str,
    content: &[u8],
) -> Result<i64, ListDraftError> {
    let unknown =
        |code: &String| ListDraftError::Import(ListImportError::UnknownApplication(code.clone()));
    let mut connection = context.database.read().await?;
    let first = codes.first().ok_or(ListDraftError::NotFound)?;
    let application =
        applications::find(&mut connection, first).await?.ok_or_else(|| unknown(first))?;
    drop(connection);
    let wrong = |error: TableError| {
        ListDraftError::Import(ListImportError::Table { file: file_name.to_owned(), error })
    };
    let source = ListSource::from(content);
    let known = known_forms::find(context, application.applicant_id, &source).await?;
    let mut read = read_file(context, &source, &known.clone().unwrap_or_default(), &application)
        .await
        .map_err(wrong)?;
    if let Some(options) = &known {
        read.choose(options);
        read.is_known_form = true;
    }
    let file = (content.len() <= MAX_KEPT_FILE).then_some(content);
    if file.is_none() {
        read.sheets.clear();
        read.is_text = false;
    }
    store_new(context, author, codes, file_name, (read, file), application.key_id).await
}

/// Reads the rows of a file.
async fn read_file(
    context: &AppContext,
    source: &ListSource,
    options: &ListOptions,
    application: &Application,
) -> Result<DraftContent, TableError> {
    let (source, options, category) = (source.clone(), options.clone(), application.category);
    let headers = context.config.headers.clone();
    let region = context.config.default_region.parse().unwrap_or(country::CN);
    let read = move || list_rows(&source, &options, (&headers, region), &[category]);
    let read = tokio::task::spawn_blocking(read).await;
    read.unwrap_or_else(|_| Err(TableError::Unreadable("the reading broke off".into())))
}

/// Reads the file of a draft again: another sheet, or another encoding. Corrections are lost.
pub async fn read_again(
    context: &AppContext,
    id: i64,
    sheet: &str,
    encoding: &str,
) -> Result<(), ListDraftError> {
    let (draft, _) = open(context, id).await?;
    let mut connection = context.database.read().await?;
    let sealed = drafts::list_file(&mut connection, id).await?.ok_or(ListDraftError::NotFound)?;
    let first = draft.applications.split(',').next().unwrap_or_default().to_owned();
    let application = applications::find(&mut connection, &first)
        .await?
        .ok_or_else(|| ListImportError::UnknownApplication(first.clone()))?;
    drop(connection);
    let content = context.keys.sealer(&draft.key_id)?.open(FILE_CONTEXT, &sealed)?;
    let said = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let (sheet, encoding) = (said(sheet), said(encoding));
    let options = ListOptions::parse(encoding.as_deref(), sheet.as_deref(), None, &[])
        .map_err(ListImportError::from)?;
    let source = ListSource::from(&content[..]);
    let wrong = |error| ListImportError::Table { file: draft.file.clone(), error };
    let mut read = read_file(context, &source, &options, &application).await.map_err(wrong)?;
    check_size(&read.rows)?;
    (read.sheet, read.encoding) = (sheet, encoding);
    store(context, id, &draft, &read).await
}

/// Stores rows that were read already as a draft. Returns its id.
pub async fn create_from_rows(
    context: &AppContext,
    actor: &str,
    codes: &[String],
    file: &str,
    rows: Vec<(u32, Vec<String>)>,
) -> Result<i64, ListDraftError> {
    let first = codes.first().ok_or(ListDraftError::NotFound)?;
    let application = applications::find(&mut *context.database.read().await?, first)
        .await?
        .ok_or_else(|| ListImportError::UnknownApplication(first.clone()))?;
    let content = DraftContent { rows, ..DraftContent::default() };
    store_new(context, (actor, false), codes, file, (content, None), application.key_id).await
}

/// What is too much for a page.
fn check_size(rows: &NumberedRows) -> Result<(), ListDraftError> {
    if rows.len() > MAX_ROWS {
        return Err(ListDraftError::TooManyRows);
    }
    for (row, cells) in rows {
        let length = cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0);
        if length > MAX_CELL_CHARS || cells.len() > MAX_CELLS_PER_ROW {
            return Err(ListDraftError::CellTooLarge { row: *row, length });
        }
    }
    Ok(())
}

async fn store_new(
    context: &AppContext,
    (actor, is_from_applicant): (&str, bool),
    codes: &[String],
    file_name: &str,
    (content, file): (DraftContent, Option<&[u8]>),
    key_id: String,
) -> Result<i64, ListDraftError> {
    check_size(&content.rows)?;
    let sealer = context.keys.sealer(&key_id)?;
    let file_sealed = file.map(|file| sealer.seal(FILE_CONTEXT, file)).transpose()?;
    let draft = ListDraft {
        id: 0,
        applications: codes.join(","),
        file: file_name.to_owned(),
        rows_sealed: seal(context, &key_id, &content)?,
        has_file: file.is_some(),
        is_from_applicant,
        declared_sealed: None,
        handed_in_at: None,
        returned_sealed: None,
        key_id,
        created_by: actor.to_owned(),
        changed_at: context.clock.now(),
    };
    let mut tx = context.database.write().await?;
    let id = drafts::add_list(&mut tx, &draft, file_sealed).await?;
    tx.commit().await?;
    Ok(id)
}

/// Returns the rows of the list in a file; of several lists with the same header, all of them. Where
/// no list is found, the rows of its first table, so that somebody can say what they are.
fn list_rows(
    source: &ListSource,
    options: &ListOptions,
    headers: (&BTreeMap<String, Vec<String>>, country::Id),
    categories: &[Category],
) -> Result<DraftContent, TableError> {
    let tables = open_tables(source, &ReadOptions { sheet: None, ..options.read.clone() })?;
    let is_text = tables.iter().all(|table| table.is_text());
    let names = tables.iter().map(|table| table.name.lines().next_back().unwrap_or_default());
    let sheets = if is_text { Vec::new() } else { names.map(sheet_label).collect::<Vec<_>>() };
    drop(tables);
    let mut content = DraftContent { is_text, ..DraftContent::default() };
    content.sheets = sheets.into_iter().take(MAX_SHEETS).collect();
    let numbered = |row: TableRow| (row.number, row.cells);
    let mut lists = match find_lists(source, options, headers, categories) {
        Ok(lists) => lists.into_iter(),
        Err(TableError::NoNumbers | TableError::NumbersOfOthers { .. }) => {
            let table = open_tables(source, &options.read)?.into_iter().next();
            let rows = table.ok_or(TableError::Empty)?.rows.take(MAX_ROWS + 1);
            content.rows = rows.map(|row| row.map(numbered)).collect::<Result<_, _>>()?;
            return Ok(content);
        }
        Err(error) => return Err(error),
    };
    let rows = &mut content.rows;
    let mut header: Option<Vec<String>> = None;
    for list in lists.by_ref() {
        // The import of the rows finds the columns again that it does not read.
        let notes = list.notes.iter().filter_map(|finding| match &finding.reason {
            RowReason::List(ListNote::OthersColumns(_)) => None,
            RowReason::List(note) => Some(note.clone()),
            _ => None,
        });
        content.notes.extend(notes);
        let from = match &header {
            None => 0,
            Some(_) if list.goes_on => 0,
            Some(known) if *known == list.layout.headers => list.layout.first_data_row,
            // Another form of list: it is uploaded by itself.
            Some(_) => {
                let name = list.layout.sheet.clone().unwrap_or_default();
                content.notes.push(ListNote::OtherForm { name, people: list.people });
                continue;
            }
        };
        header.get_or_insert(list.layout.headers);
        // Rows keep their numbers in the first sheet and go on from there in the next ones.
        let offset = if rows.is_empty() { 0 } else { rows.last().map_or(0, |(number, _)| *number) };
        for row in list.sample.into_iter().skip(from) {
            rows.push((row.number + offset, row.cells));
        }
        for row in list.rows {
            let row = row?;
            rows.push((row.number + offset, row.cells));
            if rows.len() > MAX_ROWS {
                return Ok(content);
            }
        }
    }
    Ok(content)
}

fn sheet_label(name: &str) -> String {
    name.trim().chars().take(60).collect()
}

fn seal(
    context: &AppContext,
    key_id: &str,
    content: &DraftContent,
) -> Result<Vec<u8>, ListDraftError> {
    let text = serde_json::to_string(content).map_err(|_| SealError::Broken)?;
    Ok(context.keys.sealer(key_id)?.seal(SEAL_CONTEXT, text.as_bytes())?)
}

async fn open(context: &AppContext, id: i64) -> Result<(ListDraft, DraftContent), ListDraftError> {
    let draft = drafts::list(&mut *context.database.read().await?, id)
        .await?
        .ok_or(ListDraftError::NotFound)?;
    let text = context.keys.sealer(&draft.key_id)?.open_text(SEAL_CONTEXT, &draft.rows_sealed)?;
    // Before columns could be chosen, a draft was its rows.
    let content = serde_json::from_str(&text).or_else(|_| {
        serde_json::from_str(&text).map(|rows| DraftContent { rows, ..DraftContent::default() })
    });
    Ok((draft, content.map_err(|_| SealError::Broken)?))
}

/// Writes the list as a CSV file, each row at its number.
fn to_csv(rows: &NumberedRows) -> Result<Vec<u8>, ListDraftError> {
    let broken =
        |error: csv::Error| ListDraftError::Import(ListImportError::Stopped(error.to_string()));
    let mut content: Vec<u8> = Vec::new();
    let mut next = 1;
    for (number, cells) in rows {
        // Empty rows are written as empty lines, which preserves the numbers of the others.
        content.extend(std::iter::repeat_n(b'\n', number.saturating_sub(next) as usize));
        let mut line =
            csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).from_writer(Vec::new());
        line.write_record(cells.iter().map(|cell| one_row(cell))).map_err(broken)?;
        content.extend(
            line.into_inner().map_err(|error| ListImportError::Stopped(error.to_string()))?,
        );
        next = number + 1;
    }
    Ok(content)
}

/// A cell as it may stand in a row of CSV. Its lines stay, since several people may stand in them,
/// unless one would be taken for a row.
fn one_row(cell: &str) -> String {
    const MOST_LINES: usize = 10;
    let lines = cell.lines().count();
    if !(2..=MOST_LINES).contains(&lines) || cell.contains([',', ';', '\t', '|']) {
        return cell.replace(['\n', '\r'], " ");
    }
    cell.replace('\r', "")
}

async fn import(
    context: &AppContext,
    draft: &ListDraft,
    list: &DraftContent,
    dry_run: bool,
) -> Result<Result<ImportOutcome, ListImportError>, ListDraftError> {
    let codes: Vec<String> = draft.applications.split(',').map(str::to_owned).collect();
    let content = ListSource::from(to_csv(&list.rows)?.as_slice());
    let request = ImportRequest {
        options: list.options(),
        selection: list.selection(),
        // What is known about its form was chosen when it was uploaded, and may be changed since.
        uses_known_form: false,
        dry_run,
        ..ImportRequest::of(&codes, &draft.file, content)
    };
    Ok(import_list(context, &request, &mut |_, _| ()).await)
}

/// Returns the list with all problems that its import would find. Writes nothing.
pub async fn preview(context: &AppContext, id: i64) -> Result<Preview, ListDraftError> {
    let (draft, content) = open(context, id).await?;
    let outcome = import(context, &draft, &content, true).await?;
    let mut findings: BTreeMap<u32, Vec<ImportFinding>> = BTreeMap::new();
    let mut notes = content.notes.clone();
    for finding in findings_of(&outcome) {
        if let RowReason::List(note) = &finding.reason {
            notes.push(note.clone());
            continue;
        }
        findings.entry(finding.row).or_default().push(finding.clone());
    }
    let personal = |cells: &Vec<String>| {
        cells.iter().map(|cell| Personal::new(cell.as_str())).collect::<Vec<_>>()
    };
    let layout = layout_of(context, &content);
    let width = content.rows.iter().map(|(_, cells)| cells.len()).max().unwrap_or(0);
    let place = |place: usize| -> Option<ListColumn> {
        let mut columns = layout.as_ref()?.columns.iter();
        columns.find(|(_, places)| places.contains(&place)).map(|(column, _)| *column)
    };
    let head = |place: usize| match &layout {
        Some(layout) => layout.place_label(place),
        None => (place + 1).to_string(),
    };
    let first_row = layout.as_ref().map_or(0, |layout| layout.first_data_row);
    let row = |(number, cells): &(u32, Vec<String>)| PreviewRow {
        number: *number,
        cells: personal(cells),
        findings: findings.remove(number).unwrap_or_default(),
    };
    Ok(Preview {
        head: (0..width).map(head).collect(),
        columns: (0..width).map(place).collect(),
        header_row: content.header_row,
        sheets: content.sheets.clone(),
        sheet: content.sheet.clone(),
        encoding: content.encoding.clone(),
        is_text: content.is_text,
        is_known_form: content.is_known_form,
        left_out: content.left_out.clone(),
        draw_seed: content.draw_seed,
        rows: content.rows.iter().skip(first_row).map(row).collect(),
        notes,
        draft,
        outcome,
    })
}

/// What was found, also of a list that cannot be imported as it is.
fn findings_of(outcome: &Result<ImportOutcome, ListImportError>) -> &[ImportFinding] {
    match outcome {
        Ok(outcome) => &outcome.findings,
        Err(
            ListImportError::OverCap { outcome, .. }
            | ListImportError::NothingTaken { outcome, .. },
        ) => &outcome.findings,
        Err(_) => &[],
    }
}

/// The columns of a draft, as they are found and chosen; `None`: no numbers are found.
fn layout_of(context: &AppContext, content: &DraftContent) -> Option<ColumnLayout> {
    let region = context.config.default_region.parse().unwrap_or(country::CN);
    let rows = sample_of(content);
    let options = content.options();
    if options.is_empty() {
        return ColumnLayout::detect(&rows, &context.config.headers, region).ok();
    }
    let found = ColumnLayout::by_header(&rows, &context.config.headers, region);
    Some(ColumnLayout::chosen(&rows, options.columns, options.header_row, found, region))
}

fn sample_of(content: &DraftContent) -> Vec<TableRow> {
    let row =
        |(number, cells): &(u32, Vec<String>)| TableRow { number: *number, cells: cells.clone() };
    content.rows.iter().take(SAMPLE_ROWS).map(row).collect()
}

/// Says what the columns of a draft are, by their places from 0, and which row names them.
pub async fn choose_columns(
    context: &AppContext,
    id: i64,
    columns: &BTreeMap<usize, ListColumn>,
    header_row: Option<u32>,
) -> Result<(), ListDraftError> {
    let (draft, mut content) = open(context, id).await?;
    content.columns.clear();
    for (place, column) in columns {
        content.columns.entry(column.name().to_owned()).or_default().push(*place);
    }
    content.header_row = header_row.filter(|row| *row > 0);
    content.is_known_form = false;
    store(context, id, &draft, &content).await
}

async fn store(
    context: &AppContext,
    id: i64,
    draft: &ListDraft,
    content: &DraftContent,
) -> Result<(), ListDraftError> {
    let sealed = seal(context, &draft.key_id, content)?;
    let mut tx = context.database.write().await?;
    if !drafts::set_rows(&mut tx, id, draft.changed_at, sealed, context.clock.now()).await? {
        return Err(ListDraftError::Changed);
    }
    tx.commit().await?;
    Ok(())
}

/// Replaces the text of cells, by row number and column index from 0. Rows and cells that do not
/// exist are ignored.
pub async fn correct(
    context: &AppContext,
    id: i64,
    corrections: &BTreeMap<(u32, usize), String>,
) -> Result<(), ListDraftError> {
    let (draft, mut content) = open(context, id).await?;
    for (number, cells) in &mut content.rows {
        for (column, cell) in cells.iter_mut().enumerate() {
            if let Some(better) = corrections.get(&(*number, column)) {
                *cell = better.chars().take(MAX_CELL_CHARS).collect();
            }
        }
    }
    store(context, id, &draft, &content).await
}

/// Who is left out of a list over the limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaveOut {
    /// The rows that are ticked off, and nobody else.
    Rows(BTreeSet<u32>),
    /// Those whom a random draw leaves out, beside those ticked off.
    Draw,
    /// Nobody.
    Nobody,
}

/// Says who is left out. The seed of a draw comes from the rows, so that nobody chooses it, and stays
/// as it is when rows are corrected afterwards.
pub async fn leave_out(context: &AppContext, id: i64, who: LeaveOut) -> Result<(), ListDraftError> {
    let (draft, mut content) = open(context, id).await?;
    match who {
        LeaveOut::Rows(rows) => {
            let is_row = |row: &u32| content.rows.iter().any(|(number, _)| number == row);
            content.left_out = rows.into_iter().filter(is_row).collect();
            content.draw_seed = None;
        }
        LeaveOut::Draw => {
            let hash = context.keys.hasher().fingerprint(&to_csv(&content.rows)?);
            let seed = hash.get(..8).and_then(|start| u32::from_str_radix(start, 16).ok());
            content.draw_seed = seed.or(Some(1));
        }
        LeaveOut::Nobody => {
            content.left_out.clear();
            content.draw_seed = None;
        }
    }
    store(context, id, &draft, &content).await
}

/// Returns the rows that the applicant is to correct, as a workbook; `None`: there are none.
pub async fn correction_workbook(
    context: &AppContext,
    id: i64,
) -> Result<Option<(ListDraft, Vec<u8>)>, ListDraftError> {
    let (draft, content) = open(context, id).await?;
    let outcome = import(context, &draft, &content, true).await?;
    let findings = findings_of(&outcome);
    let layout = layout_of(context, &content);
    let first_row = layout.as_ref().map_or(0, |layout| layout.first_data_row);
    let rows = content.rows.into_iter().skip(first_row);
    let mut marked = correction_sheet::mark("", rows, findings);
    if marked.rows.is_empty() {
        return Ok(None);
    }
    if let Some(layout) = layout {
        marked.headers = layout.recognizable_headers(marked.width(), &context.config.headers);
    }
    Ok(Some((draft, correction_sheet::write(&[marked])?)))
}

/// Imports the list and deletes the draft. Rows that still have errors are left out. How somebody has
/// said that it is to be read is remembered for the applicant.
pub async fn import_list_draft(
    context: &AppContext,
    id: i64,
) -> Result<ImportOutcome, ListDraftError> {
    let outcome = import_and_keep_draft(context, id).await?;
    discard_draft(context, id).await?;
    Ok(outcome)
}

/// The same, and the draft stays: whoever calls ends it together with what else belongs to that. The
/// same list again is imported once.
pub async fn import_and_keep_draft(
    context: &AppContext,
    id: i64,
) -> Result<ImportOutcome, ListDraftError> {
    let (draft, content) = open(context, id).await?;
    let outcome = import(context, &draft, &content, false).await??;
    remember_form(context, &draft, &content).await?;
    Ok(outcome)
}

/// The import remembers columns and header; of the encoding, only the draft knows.
async fn remember_form(
    context: &AppContext,
    draft: &ListDraft,
    content: &DraftContent,
) -> Result<(), ListDraftError> {
    let Some(encoding) = &content.encoding else { return Ok(()) };
    let rows = sample_of(content);
    let headers = layout_of(context, content).map(|layout| layout.headers).unwrap_or_default();
    let mut options = content.options();
    options.read =
        ListOptions::parse(Some(encoding), None, None, &[]).map_err(ListImportError::from)?.read;
    let mut tx = context.database.write().await?;
    let first = draft.applications.split(',').next().unwrap_or_default();
    let Some(application) = applications::find(&mut tx, first).await? else { return Ok(()) };
    let hash = known_forms::header_hash(context, &headers, &rows);
    known_forms::remember(context, &mut tx, application.applicant_id, &options, &hash).await?;
    tx.commit().await?;
    Ok(())
}

/// Returns the lists that can still be imported, and those that cannot, because an application of
/// theirs is in the field or over.
pub async fn by_use(
    context: &AppContext,
) -> Result<(Vec<ListDraft>, Vec<ListDraft>), ListDraftError> {
    let mut connection = context.database.read().await?;
    let waiting: HashSet<String> = applications::all(&mut connection)
        .await?
        .into_iter()
        .filter(|application| application.state == ApplicationState::Registered)
        .map(|application| application.code)
        .collect();
    let all = drafts::lists(&mut connection).await?;
    let can_be_imported =
        |list: &ListDraft| list.applications.split(',').all(|code| waiting.contains(code));
    Ok(all.into_iter().partition(can_be_imported))
}

/// Discards lists together. Returns how many were; the others were imported or discarded meanwhile.
pub async fn discard_all(
    context: &AppContext,
    actor: &Actor,
    ids: &[i64],
) -> Result<usize, ListDraftError> {
    let mut discarded = 0;
    let mut tx = context.database.write().await?;
    for id in ids {
        if drafts::discard_list(&mut tx, *id).await? {
            context.audit(&mut tx, actor, Action::ListDiscarded, &format!("list:{id}")).await?;
            discarded += 1;
        }
    }
    tx.commit().await?;
    Ok(discarded)
}

pub async fn discard_draft(context: &AppContext, id: i64) -> Result<(), ListDraftError> {
    let mut tx = context.database.write().await?;
    drafts::discard_list(&mut tx, id).await?;
    tx.commit().await?;
    Ok(())
}
