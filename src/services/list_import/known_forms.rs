//! How an applicant's lists are read, where staff have said so before: the columns, the header's row
//! and the encoding, remembered by the header. Whoever hands in the same form again need not be
//! asked again.

use std::collections::BTreeMap;

use encoding_rs::Encoding;
use phonenumber::country;
use serde::{Deserialize, Serialize};

use super::ListImportError;
use super::find::{FoundList, ListOptions, find_lists};
use super::headers::ListColumn;
use super::source::ListSource;
use super::table::{ReadOptions, TableRow, beside};
use crate::adapters::database::{WriteTx, list_forms};
use crate::domain::ids::ApplicantId;
use crate::services::context::AppContext;

/// The number of forms of an applicant that are tried, the latest first.
const MAX_FORMS: u32 = 5;

#[derive(Serialize, Deserialize)]
struct KnownForm {
    encoding: Option<String>,
    header_row: Option<u32>,
    /// Places by the name of the column.
    columns: BTreeMap<String, Vec<usize>>,
}

impl KnownForm {
    fn of(options: &ListOptions) -> KnownForm {
        let named = |(column, places): (&ListColumn, &Vec<usize>)| {
            (column.name().to_owned(), places.clone())
        };
        KnownForm {
            encoding: options.read.encoding.map(|encoding| encoding.name().to_owned()),
            header_row: options.header_row,
            columns: options.columns.iter().map(named).collect(),
        }
    }

    fn options(self) -> ListOptions {
        let column =
            |(name, places): (String, Vec<usize>)| Some((ListColumn::parse(&name)?, places));
        let encoding = self.encoding.and_then(|name| Encoding::for_label(name.as_bytes()));
        ListOptions {
            read: ReadOptions { encoding, ..ReadOptions::default() },
            header_row: self.header_row,
            columns: self.columns.into_iter().filter_map(column).collect(),
        }
    }
}

/// Returns how the applicant's lists of this form are read; `None`: nobody has said so.
pub async fn find(
    context: &AppContext,
    applicant: ApplicantId,
    source: &ListSource,
) -> Result<Option<ListOptions>, ListImportError> {
    let mut connection = context.database.read().await?;
    let forms = list_forms::of_applicant(&mut connection, applicant, MAX_FORMS).await?;
    drop(connection);
    for (hash, stored) in forms {
        // A form of a later version is none.
        let Ok(form) = serde_json::from_str::<KnownForm>(&stored) else { continue };
        let options = form.options();
        let (source, tried) = (source.clone(), options.clone());
        let headers = context.config.headers.clone();
        let region = context.config.default_region.parse().unwrap_or(country::CN);
        let read = move || find_lists(&source, &tried, (&headers, region), &[]);
        // What cannot be read in this way has another form.
        let Ok(lists) = beside(read).await else { continue };
        let is_it = |list: &FoundList| {
            list.people > 0 && header_hash(context, &list.layout.headers, &list.sample) == hash
        };
        if lists.iter().any(is_it) {
            return Ok(Some(options));
        }
    }
    Ok(None)
}

/// Remembers what somebody has said about a list. Its sheet is found again by its header.
pub async fn remember(
    context: &AppContext,
    tx: &mut WriteTx,
    applicant: ApplicantId,
    options: &ListOptions,
    header_hash: &str,
) -> Result<(), ListImportError> {
    let form = KnownForm::of(options);
    if form.encoding.is_none() && form.header_row.is_none() && form.columns.is_empty() {
        return Ok(());
    }
    // Maps of strings and numbers can always be written as JSON.
    let stored = serde_json::to_string(&form).unwrap_or_default();
    Ok(list_forms::put(tx, applicant, header_hash, &stored, context.clock.now()).await?)
}

/// What a form of list is known by: its header, or the width of one without.
pub fn header_hash(context: &AppContext, headers: &[String], rows: &[TableRow]) -> String {
    let header = headers.iter().map(|cell| cell.trim()).collect::<Vec<_>>().join("\u{1f}");
    let header = header.trim_end_matches('\u{1f}');
    let width = rows.iter().map(|row| row.cells.len()).max().unwrap_or(0);
    let form = if header.is_empty() { format!("width {width}") } else { header.to_owned() };
    context.keys.hasher().fingerprint(format!("list form\n{form}").as_bytes())
}
