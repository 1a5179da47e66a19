//! The review of open answers before a version is released: people on a short list recognize each
//! other's words.

use std::collections::BTreeSet;

use super::DatasetError;
use super::frozen::Frozen;
use super::layout::{Table, layout};
use crate::adapters::database::datasets::{self, Dataset};
use crate::domain::audit::{Action, Actor};
use crate::domain::questionnaire::ItemKind;
use crate::services::context::AppContext;

/// An open answer that awaits its review.
pub struct OpenAnswer {
    /// The number of the answer, from 1.
    pub number: usize,
    /// The case's pseudonym.
    pub case: String,
    pub variable: String,
    pub text: String,
}

/// Loads a version that awaits its review (`v2`, `interim-3`; `None`: the one frozen last), with
/// its open answers in order. The access is audited.
pub async fn load_for_review(
    context: &AppContext,
    code: &str,
    version: Option<&str>,
    actor: &Actor,
) -> Result<(Dataset, Vec<OpenAnswer>), DatasetError> {
    let nothing = || DatasetError::NothingToReview(code.to_owned());
    let dataset = {
        let mut connection = context.database.read().await?;
        let waits = |dataset: &Dataset| {
            dataset.application_code == code
                && dataset.released_at.is_none()
                && version.is_none_or(|version| dataset.version_name() == version)
        };
        let all = datasets::all(&mut connection).await?.into_iter().filter(waits);
        all.max_by_key(|dataset| (dataset.frozen_at, dataset.id)).ok_or_else(nothing)?
    };
    let frozen = Frozen::open(context, &dataset).await?;
    let fields = layout(Table::Responses, &frozen.questionnaire, &frozen.metadata);
    let is_open = |field: &super::layout::Field<'_>| {
        field
            .column
            .as_ref()
            .is_some_and(|column| matches!(column.item.kind, ItemKind::Open { .. }))
    };
    let mut answers = Vec::new();
    for number in 0.. {
        let Some(rows) = frozen.block(context, Table::Responses, number).await? else { break };
        for row in &rows {
            let codes = frozen.metadata.missing_codes();
            let is_text = |cell: &str| !cell.is_empty() && codes.reason(cell).is_none();
            for (cell, field) in
                row.iter().zip(&fields).filter(|(cell, field)| is_text(cell) && is_open(field))
            {
                let number = answers.len() + 1;
                answers.push(OpenAnswer {
                    number,
                    case: row[0].to_owned(),
                    variable: field.name.clone(),
                    text: cell.to_owned(),
                });
            }
        }
    }
    // Access to open answers is audited (invariant I7).
    let mut tx = context.database.write().await?;
    context
        .audit(&mut tx, actor, Action::OpenAnswersViewed, &format!("dataset:{}", dataset.id))
        .await?;
    tx.commit().await?;
    Ok((dataset, answers))
}

/// Releases a version that awaits its review, without the answers of these numbers.
pub async fn release(
    context: &AppContext,
    code: &str,
    version: Option<&str>,
    redact: &BTreeSet<usize>,
    actor: &Actor,
) -> Result<Dataset, DatasetError> {
    let (dataset, answers) = load_for_review(context, code, version, actor).await?;
    if let Some(unknown) = redact.iter().find(|number| **number == 0 || **number > answers.len()) {
        return Err(DatasetError::UnknownAnswer(*unknown));
    }
    let redacted_cells: BTreeSet<(&str, &str)> = answers
        .iter()
        .filter(|answer| redact.contains(&answer.number))
        .map(|answer| (answer.case.as_str(), answer.variable.as_str()))
        .collect();
    let redacted_cells = serde_json::to_string(&redacted_cells)
        .map_err(|e| DatasetError::Format(code.to_owned(), e.to_string()))?;
    let mut tx = context.database.write().await?;
    if !datasets::release(&mut tx, dataset.id, &redacted_cells, &actor.name, context.clock.now())
        .await?
    {
        return Err(DatasetError::NothingToReview(code.to_owned()));
    }
    tx.commit().await?;
    Ok(dataset)
}
