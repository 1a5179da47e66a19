//! List drafts: a list before its import. It is stored sealed, previewed with every problem beside
//! its row, and corrected in place, so that a faulty file need not be uploaded again.

use std::collections::BTreeMap;

use phonenumber::country;
use serde::{Deserialize, Serialize};

use crate::adapters::crypto::{KeyRingError, SealError};
use crate::adapters::database::drafts::{self, ListDraft};
use crate::adapters::database::{DatabaseError, applications};
use crate::domain::category::Category;
use crate::domain::personal::Personal;
use crate::services::context::AppContext;
use crate::services::list_import::find::find_lists;
use crate::services::list_import::headers::{ColumnLayout, ListColumn};
use crate::services::list_import::{
    ImportFinding, ImportOutcome, ImportRequest, ListImportError, ListOptions, ListSource,
    TableError, TableRow, import_list, read_up_to,
};

/// The number of rows that can be corrected on a page; larger lists are imported with the command.
const MAX_ROWS: usize = 5_000;
/// A longer cell is neither a name nor a number.
const MAX_CELL_CHARS: usize = 2_000;
const MAX_CELLS_PER_ROW: usize = 100;
const SEAL_CONTEXT: &str = "list_draft.rows";
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
    pub rows: Vec<PreviewRow>,
    /// The result that the import would have, or the reason why it would fail.
    pub outcome: Result<ImportOutcome, ListImportError>,
}

type NumberedRows = Vec<(u32, Vec<String>)>;

/// What a draft holds: the rows, and what somebody has chosen for their columns.
#[derive(Serialize, Deserialize)]
struct DraftContent {
    rows: NumberedRows,
    #[serde(default)]
    header_row: Option<u32>,
    /// Places by the name of the column.
    #[serde(default)]
    columns: BTreeMap<String, Vec<usize>>,
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
}

/// Stores an uploaded file as a draft. Returns the draft's id. An unreadable file changes nothing.
pub async fn create_list_draft(
    context: &AppContext,
    actor: &str,
    codes: &[String],
    file: &str,
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
        ListDraftError::Import(ListImportError::Table { file: file.to_owned(), error })
    };
    let owned = content.to_vec();
    let headers = context.config.headers.clone();
    let region = context.config.default_region.parse().unwrap_or(country::CN);
    let categories = [application.category];
    let read =
        tokio::task::spawn_blocking(move || list_rows(&owned, (&headers, region), &categories))
            .await
            .map_err(|error| ListImportError::Stopped(error.to_string()))?;
    let rows = read.map_err(wrong)?;
    store_new(context, actor, codes, file, (rows, application.key_id)).await
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
    store_new(context, actor, codes, file, (rows, application.key_id)).await
}

async fn store_new(
    context: &AppContext,
    actor: &str,
    codes: &[String],
    file: &str,
    (rows, key_id): (NumberedRows, String),
) -> Result<i64, ListDraftError> {
    if rows.len() > MAX_ROWS {
        return Err(ListDraftError::TooManyRows);
    }
    for (row, cells) in &rows {
        let length = cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0);
        if length > MAX_CELL_CHARS || cells.len() > MAX_CELLS_PER_ROW {
            return Err(ListDraftError::CellTooLarge { row: *row, length });
        }
    }
    let draft = ListDraft {
        id: 0,
        applications: codes.join(","),
        file: file.to_owned(),
        rows_sealed: seal(
            context,
            &key_id,
            &DraftContent { rows, header_row: None, columns: BTreeMap::new() },
        )?,
        key_id,
        created_by: actor.to_owned(),
        changed_at: context.clock.now(),
    };
    let mut tx = context.database.write().await?;
    let id = drafts::add_list(&mut tx, &draft).await?;
    tx.commit().await?;
    Ok(id)
}

/// Returns the rows of the list in a file; of several lists with the same header, all of them. Where
/// no list is found, the rows of its first table, so that somebody can say what they are.
fn list_rows(
    content: &[u8],
    headers: (&BTreeMap<String, Vec<String>>, country::Id),
    categories: &[Category],
) -> Result<NumberedRows, TableError> {
    let found =
        find_lists(&ListSource::from(content), &ListOptions::default(), headers, categories);
    let numbered = |row: TableRow| (row.number, row.cells);
    let mut lists = match found {
        Ok(lists) => lists.into_iter(),
        Err(TableError::NoNumbers) => {
            return Ok(read_up_to(content, MAX_ROWS + 1)?.into_iter().map(numbered).collect());
        }
        Err(error) => return Err(error),
    };
    let mut rows: NumberedRows = Vec::new();
    let mut header: Option<Vec<String>> = None;
    for list in lists.by_ref() {
        let from = match &header {
            None => 0,
            Some(known) if *known == list.layout.headers => list.layout.first_data_row,
            // Another form of list: it is uploaded by itself.
            Some(_) => continue,
        };
        header.get_or_insert(list.layout.headers);
        // Rows keep their numbers in the first sheet and go on from there in the next ones.
        let offset = if from == 0 { 0 } else { rows.last().map_or(0, |(number, _)| *number) };
        for row in list.sample.into_iter().skip(from) {
            rows.push((row.number + offset, row.cells));
        }
        for row in list.rows {
            let row = row?;
            rows.push((row.number + offset, row.cells));
            if rows.len() > MAX_ROWS {
                return Ok(rows);
            }
        }
    }
    Ok(rows)
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
        serde_json::from_str(&text).map(|rows| DraftContent {
            rows,
            header_row: None,
            columns: BTreeMap::new(),
        })
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
        line.write_record(cells.iter().map(|cell| cell.replace(['\n', '\r'], " ")))
            .map_err(broken)?;
        content.extend(
            line.into_inner().map_err(|error| ListImportError::Stopped(error.to_string()))?,
        );
        next = number + 1;
    }
    Ok(content)
}

async fn import(
    context: &AppContext,
    draft: &ListDraft,
    list: &DraftContent,
    dry_run: bool,
) -> Result<Result<ImportOutcome, ListImportError>, ListDraftError> {
    let codes: Vec<String> = draft.applications.split(',').map(str::to_owned).collect();
    let content = ListSource::from(to_csv(&list.rows)?.as_slice());
    let options = list.options();
    let request =
        ImportRequest { applications: &codes, file: &draft.file, content, options, dry_run };
    Ok(import_list(context, &request, &mut |_, _| ()).await)
}

/// Returns the list with all problems that its import would find. Writes nothing.
pub async fn preview(context: &AppContext, id: i64) -> Result<Preview, ListDraftError> {
    let (draft, content) = open(context, id).await?;
    let outcome = import(context, &draft, &content, true).await?;
    let mut findings: BTreeMap<u32, Vec<ImportFinding>> = BTreeMap::new();
    for finding in outcome.iter().flat_map(|outcome| &outcome.findings) {
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
        rows: content.rows.iter().skip(first_row).map(row).collect(),
        draft,
        outcome,
    })
}

/// The columns of a draft, as they are found and chosen; `None`: no numbers are found.
fn layout_of(context: &AppContext, content: &DraftContent) -> Option<ColumnLayout> {
    let region = context.config.default_region.parse().unwrap_or(country::CN);
    let rows: Vec<TableRow> = content
        .rows
        .iter()
        .take(SAMPLE_ROWS)
        .map(|(number, cells)| TableRow { number: *number, cells: cells.clone() })
        .collect();
    let options = content.options();
    if options.is_empty() {
        return ColumnLayout::detect(&rows, &context.config.headers, region).ok();
    }
    let found = ColumnLayout::by_header(&rows, &context.config.headers, region);
    Some(ColumnLayout::chosen(&rows, options.columns, options.header_row, found))
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

/// Imports the list and deletes the draft. Rows that still have errors are left out.
pub async fn import_list_draft(
    context: &AppContext,
    id: i64,
) -> Result<ImportOutcome, ListDraftError> {
    let (draft, content) = open(context, id).await?;
    let outcome = import(context, &draft, &content, false).await??;
    discard_draft(context, id).await?;
    Ok(outcome)
}

pub async fn discard_draft(context: &AppContext, id: i64) -> Result<(), ListDraftError> {
    let mut tx = context.database.write().await?;
    drafts::discard_list(&mut tx, id).await?;
    tx.commit().await?;
    Ok(())
}
