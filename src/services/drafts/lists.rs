//! A list before it is imported: kept sealed, shown with every problem beside its row, corrected in place. A wrong file loses nothing.

use std::collections::BTreeMap;

use crate::adapters::crypto::{KeyRingError, SealError};
use crate::domain::personal::Personal;
use crate::services::context::Installation;
use crate::services::list_import::{Finding, ImportOutcome, ImportRequest, IntakeError, Source, TableError, import_list, read_table};
use crate::adapters::database::drafts::{self, ListDraft};
use crate::adapters::database::{StoreError, applications};

/// Rows that are corrected on a page; larger lists are imported by the command.
const MOST_ROWS: usize = 5_000;
/// A cell that is longer is no name and no number.
const LONGEST_CELL: usize = 2_000;
const MOST_CELLS: usize = 100;
const PLACE: &str = "list_draft.rows";

#[derive(Debug, thiserror::Error)]
pub enum ListError {
    #[error(transparent)]
    Intake(#[from] IntakeError),
    #[error("the list has {0} rows; more than {MOST_ROWS} are imported with «list import»")]
    TooManyRows(usize),
    #[error("row {row} has a cell of {length} characters, or more than {MOST_CELLS} cells; is it the right file?")]
    HugeCell { row: u32, length: usize },
    #[error("somebody else has corrected this list meanwhile; look at it again")]
    Changed,
    #[error("there is no such list any more")]
    Gone,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// A row as it stands, with what is wrong with it.
pub struct Row {
    pub number: u32,
    pub cells: Vec<Personal>,
    pub findings: Vec<Finding>,
}

/// A list as it would be imported.
pub struct Preview {
    pub draft: ListDraft,
    /// The first row; it names the columns, where the list has such a row.
    pub head: Vec<Personal>,
    pub rows: Vec<Row>,
    /// What the import would do; or why it would do nothing.
    pub outcome: Result<ImportOutcome, IntakeError>,
}

type Rows = Vec<(u32, Vec<String>)>;

/// Takes a file in; returns the list's number. What cannot be read changes nothing.
pub async fn take_in(installation: &Installation, who: &str, codes: &[String], file: &str, content: &[u8]) -> Result<i64, ListError> {
    let unknown = |code: &String| ListError::Intake(IntakeError::UnknownApplication(code.clone()));
    let mut connection = installation.store.read().await?;
    let first = codes.first().ok_or(ListError::Gone)?;
    let application = applications::find(&mut connection, first).await?.ok_or_else(|| unknown(first))?;
    drop(connection);
    let wrong = |error: TableError| ListError::Intake(IntakeError::Table { file: file.to_owned(), error });
    let owned = content.to_vec();
    let read = tokio::task::spawn_blocking(move || read_table(&owned)).await.map_err(|error| IntakeError::Stopped(error.to_string()))?;
    let rows: Rows = read.map_err(wrong)?.into_iter().map(|row| (row.number, row.cells)).collect();
    if rows.len() > MOST_ROWS {
        return Err(ListError::TooManyRows(rows.len()));
    }
    for (row, cells) in &rows {
        let length = cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0);
        if length > LONGEST_CELL || cells.len() > MOST_CELLS {
            return Err(ListError::HugeCell { row: *row, length });
        }
    }
    let draft = ListDraft {
        id: 0,
        applications: codes.join(","),
        file: file.to_owned(),
        rows_sealed: seal(installation, &application.key_id, &rows)?,
        key_id: application.key_id,
        made_by: who.to_owned(),
        changed_at: installation.clock.now(),
    };
    let mut tx = installation.store.write().await?;
    let id = drafts::add_list(&mut tx, &draft).await?;
    tx.commit().await?;
    Ok(id)
}

fn seal(installation: &Installation, key_id: &str, rows: &Rows) -> Result<Vec<u8>, ListError> {
    let text = serde_json::to_string(rows).map_err(|_| SealError::Broken)?;
    Ok(installation.keys.sealer(key_id)?.seal(PLACE, text.as_bytes())?)
}

async fn open(installation: &Installation, id: i64) -> Result<(ListDraft, Rows), ListError> {
    let draft = drafts::list(&mut *installation.store.read().await?, id).await?.ok_or(ListError::Gone)?;
    let text = installation.keys.sealer(&draft.key_id)?.open_text(PLACE, &draft.rows_sealed)?;
    let rows = serde_json::from_str(&text).map_err(|_| SealError::Broken)?;
    Ok((draft, rows))
}

/// The list as a file, each row at its number.
fn as_file(rows: &Rows) -> Result<Vec<u8>, ListError> {
    let broken = |error: csv::Error| ListError::Intake(IntakeError::Stopped(error.to_string()));
    let mut content: Vec<u8> = Vec::new();
    let mut next = 1;
    for (number, cells) in rows {
        // Rows that were empty are empty lines here, which keeps the numbers of the others.
        content.extend(std::iter::repeat_n(b'\n', number.saturating_sub(next) as usize));
        let mut line = csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).from_writer(Vec::new());
        line.write_record(cells.iter().map(|cell| cell.replace(['\n', '\r'], " "))).map_err(broken)?;
        content.extend(line.into_inner().map_err(|error| IntakeError::Stopped(error.to_string()))?);
        next = number + 1;
    }
    Ok(content)
}

async fn import(installation: &Installation, draft: &ListDraft, rows: &Rows, dry_run: bool) -> Result<Result<ImportOutcome, IntakeError>, ListError> {
    let codes: Vec<String> = draft.applications.split(',').map(str::to_owned).collect();
    let content = Source::from(as_file(rows)?.as_slice());
    let request = ImportRequest { applications: &codes, file: &draft.file, content, dry_run };
    Ok(import_list(installation, &request, &mut |_, _| ()).await)
}

/// The list with everything that is wrong with it, as its import would see it. Nothing is written.
pub async fn preview(installation: &Installation, id: i64) -> Result<Preview, ListError> {
    let (draft, rows) = open(installation, id).await?;
    let outcome = import(installation, &draft, &rows, true).await?;
    let mut findings: BTreeMap<u32, Vec<Finding>> = BTreeMap::new();
    for finding in outcome.iter().flat_map(|outcome| &outcome.findings) {
        findings.entry(finding.row).or_default().push(finding.clone());
    }
    let personal = |cells: &Vec<String>| cells.iter().map(|cell| Personal::new(cell.as_str())).collect::<Vec<_>>();
    let head = rows.first().map(|(_, cells)| personal(cells)).unwrap_or_default();
    let row =
        |(number, cells): &(u32, Vec<String>)| Row { number: *number, cells: personal(cells), findings: findings.remove(number).unwrap_or_default() };
    Ok(Preview { head, rows: rows.iter().map(row).collect(), draft, outcome })
}

/// Puts other words into cells: by row number and column, counted from 0. Rows and cells that are not there are passed over.
pub async fn correct(installation: &Installation, id: i64, corrections: &BTreeMap<(u32, usize), String>) -> Result<(), ListError> {
    let (draft, mut rows) = open(installation, id).await?;
    for (number, cells) in &mut rows {
        for (column, cell) in cells.iter_mut().enumerate() {
            if let Some(better) = corrections.get(&(*number, column)) {
                *cell = better.chars().take(LONGEST_CELL).collect();
            }
        }
    }
    let sealed = seal(installation, &draft.key_id, &rows)?;
    let mut tx = installation.store.write().await?;
    if !drafts::set_rows(&mut tx, id, draft.changed_at, sealed, installation.clock.now()).await? {
        return Err(ListError::Changed);
    }
    tx.commit().await?;
    Ok(())
}

/// Imports the list as it stands, and throws the draft away. Rows that are still wrong are left out.
pub async fn take_over(installation: &Installation, id: i64) -> Result<ImportOutcome, ListError> {
    let (draft, rows) = open(installation, id).await?;
    let outcome = import(installation, &draft, &rows, false).await??;
    throw_away(installation, id).await?;
    Ok(outcome)
}

pub async fn throw_away(installation: &Installation, id: i64) -> Result<(), ListError> {
    let mut tx = installation.store.write().await?;
    drafts::drop_list(&mut tx, id).await?;
    tx.commit().await?;
    Ok(())
}
