//! List drafts: a list before its import. It is stored sealed, previewed with every problem beside
//! its row, and corrected in place, so that a faulty file need not be uploaded again.

use std::collections::BTreeMap;

use crate::adapters::crypto::{KeyRingError, SealError};
use crate::adapters::database::drafts::{self, ListDraft};
use crate::adapters::database::{DatabaseError, applications};
use crate::domain::personal::Personal;
use crate::services::context::AppContext;
use crate::services::list_import::{
    ImportFinding, ImportOutcome, ImportRequest, ListImportError, ListSource, TableError,
    import_list, read_up_to,
};

/// The number of rows that can be corrected on a page; larger lists are imported with the command.
const MAX_ROWS: usize = 5_000;
/// A longer cell is neither a name nor a number.
const MAX_CELL_CHARS: usize = 2_000;
const MAX_CELLS_PER_ROW: usize = 100;
const SEAL_CONTEXT: &str = "list_draft.rows";

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
    /// The first row, which names the columns if the list has a header row.
    pub head: Vec<Personal>,
    pub rows: Vec<PreviewRow>,
    /// The result that the import would have, or the reason why it would fail.
    pub outcome: Result<ImportOutcome, ListImportError>,
}

type NumberedRows = Vec<(u32, Vec<String>)>;

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
    let read = tokio::task::spawn_blocking(move || read_up_to(&owned, MAX_ROWS + 1))
        .await
        .map_err(|error| ListImportError::Stopped(error.to_string()))?;
    let rows: NumberedRows =
        read.map_err(wrong)?.into_iter().map(|row| (row.number, row.cells)).collect();
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
        rows_sealed: seal(context, &application.key_id, &rows)?,
        key_id: application.key_id,
        created_by: actor.to_owned(),
        changed_at: context.clock.now(),
    };
    let mut tx = context.database.write().await?;
    let id = drafts::add_list(&mut tx, &draft).await?;
    tx.commit().await?;
    Ok(id)
}

fn seal(
    context: &AppContext,
    key_id: &str,
    rows: &NumberedRows,
) -> Result<Vec<u8>, ListDraftError> {
    let text = serde_json::to_string(rows).map_err(|_| SealError::Broken)?;
    Ok(context.keys.sealer(key_id)?.seal(SEAL_CONTEXT, text.as_bytes())?)
}

async fn open(context: &AppContext, id: i64) -> Result<(ListDraft, NumberedRows), ListDraftError> {
    let draft = drafts::list(&mut *context.database.read().await?, id)
        .await?
        .ok_or(ListDraftError::NotFound)?;
    let text = context.keys.sealer(&draft.key_id)?.open_text(SEAL_CONTEXT, &draft.rows_sealed)?;
    let rows = serde_json::from_str(&text).map_err(|_| SealError::Broken)?;
    Ok((draft, rows))
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
    rows: &NumberedRows,
    dry_run: bool,
) -> Result<Result<ImportOutcome, ListImportError>, ListDraftError> {
    let codes: Vec<String> = draft.applications.split(',').map(str::to_owned).collect();
    let content = ListSource::from(to_csv(rows)?.as_slice());
    let request = ImportRequest { applications: &codes, file: &draft.file, content, dry_run };
    Ok(import_list(context, &request, &mut |_, _| ()).await)
}

/// Returns the list with all problems that its import would find. Writes nothing.
pub async fn preview(context: &AppContext, id: i64) -> Result<Preview, ListDraftError> {
    let (draft, rows) = open(context, id).await?;
    let outcome = import(context, &draft, &rows, true).await?;
    let mut findings: BTreeMap<u32, Vec<ImportFinding>> = BTreeMap::new();
    for finding in outcome.iter().flat_map(|outcome| &outcome.findings) {
        findings.entry(finding.row).or_default().push(finding.clone());
    }
    let personal = |cells: &Vec<String>| {
        cells.iter().map(|cell| Personal::new(cell.as_str())).collect::<Vec<_>>()
    };
    let head = rows.first().map(|(_, cells)| personal(cells)).unwrap_or_default();
    let row = |(number, cells): &(u32, Vec<String>)| PreviewRow {
        number: *number,
        cells: personal(cells),
        findings: findings.remove(number).unwrap_or_default(),
    };
    Ok(Preview { head, rows: rows.iter().map(row).collect(), draft, outcome })
}

/// Replaces the text of cells, by row number and column index from 0. Rows and cells that do not
/// exist are ignored.
pub async fn correct(
    context: &AppContext,
    id: i64,
    corrections: &BTreeMap<(u32, usize), String>,
) -> Result<(), ListDraftError> {
    let (draft, mut rows) = open(context, id).await?;
    for (number, cells) in &mut rows {
        for (column, cell) in cells.iter_mut().enumerate() {
            if let Some(better) = corrections.get(&(*number, column)) {
                *cell = better.chars().take(MAX_CELL_CHARS).collect();
            }
        }
    }
    let sealed = seal(context, &draft.key_id, &rows)?;
    let mut tx = context.database.write().await?;
    if !drafts::set_rows(&mut tx, id, draft.changed_at, sealed, context.clock.now()).await? {
        return Err(ListDraftError::Changed);
    }
    tx.commit().await?;
    Ok(())
}

/// Imports the list and deletes the draft. Rows that still have errors are left out.
pub async fn import_list_draft(
    context: &AppContext,
    id: i64,
) -> Result<ImportOutcome, ListDraftError> {
    let (draft, rows) = open(context, id).await?;
    let outcome = import(context, &draft, &rows, false).await??;
    discard_draft(context, id).await?;
    Ok(outcome)
}

pub async fn discard_draft(context: &AppContext, id: i64) -> Result<(), ListDraftError> {
    let mut tx = context.database.write().await?;
    drafts::discard_list(&mut tx, id).await?;
    tx.commit().await?;
    Ok(())
}
