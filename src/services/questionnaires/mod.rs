//! The questionnaires of the categories: their versions ([`library`]), the one that staff are
//! writing ([`editor`]), and their import from and export to XLSForm.

pub mod editor;
pub mod library;
mod xlsform;

pub use library::load_for_category;

pub use xlsform::{
    ExportedForm, Finding as FormFinding, ImportOptions, ImportedQuestionnaire, Otherwise,
    Refusals, XlsFormError, export as export_xlsform, import as import_xlsform,
    import_sheets as import_xlsform_sheets,
};

use std::path::Path;

use crate::adapters::database::DatabaseError;
use crate::domain::category::Category;
use crate::domain::questionnaire::{Finding, Questionnaire, QuestionnaireError, Severity, review};

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "questionnaire_file.", serialize_all = "snake_case")]
pub enum QuestionnaireSourceError {
    #[error("questionnaire {file}: {error}; check questionnaires.folder")]
    Unreadable { file: String, error: std::io::Error },
    #[error("questionnaire {file}: {error}")]
    Invalid { file: String, error: QuestionnaireError },
    #[error("questionnaire {file}: {place}: {what}")]
    Mistake { file: String, place: String, what: String },
    #[error(transparent)]
    #[strum(transparent)]
    Database(#[from] DatabaseError),
}

fn built_in(category: Category) -> &'static str {
    match category {
        Category::Organisation => include_str!("../../../config/questionnaires/organisation.toml"),
        Category::Brand => include_str!("../../../config/questionnaires/brand.toml"),
        Category::Product => include_str!("../../../config/questionnaires/product.toml"),
        Category::Project => include_str!("../../../config/questionnaires/project.toml"),
        Category::Service => include_str!("../../../config/questionnaires/service.toml"),
    }
}

/// Returns the name and the text of a category's file: that of the folder, which need not contain all
/// five, or else the built-in one.
fn file_of_category(
    folder: Option<&Path>,
    category: Category,
) -> Result<(String, String), QuestionnaireSourceError> {
    let file =
        folder.map(|folder| folder.join(format!("{category}.toml"))).filter(|file| file.exists());
    let Some(path) = file else {
        return Ok((format!("{category} (built in)"), built_in(category).to_owned()));
    };
    let file = path.display().to_string();
    match std::fs::read_to_string(&path) {
        Ok(source) => Ok((file, source)),
        Err(error) => Err(QuestionnaireSourceError::Unreadable { file, error }),
    }
}

/// Parses a questionnaire, and refuses one that would fail in the field.
fn check_source(file: &str, source: &str) -> Result<Questionnaire, QuestionnaireSourceError> {
    let questionnaire = Questionnaire::parse(source)
        .map_err(|error| QuestionnaireSourceError::Invalid { file: file.to_owned(), error })?;
    match review(&questionnaire).into_iter().find(|finding| finding.severity == Severity::Error) {
        None => Ok(questionnaire),
        Some(Finding { place, what, .. }) => Err(QuestionnaireSourceError::Mistake {
            file: file.to_owned(),
            place,
            what: what.en().to_owned(),
        }),
    }
}

/// Returns the text and the parsed form of a category's file.
///
/// # Errors
/// If it cannot be read, or has mistakes.
pub fn load_file(
    folder: Option<&Path>,
    category: Category,
) -> Result<(String, Questionnaire), QuestionnaireSourceError> {
    let (name, source) = file_of_category(folder, category)?;
    let questionnaire = check_source(&name, &source)?;
    Ok((source, questionnaire))
}

/// Returns every error in the files that would be used.
pub fn check_all_questionnaires(folder: Option<&Path>) -> Vec<QuestionnaireSourceError> {
    Category::ALL.into_iter().filter_map(|category| load_file(folder, category).err()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::questionnaire::{Answer, ItemKind, Latent, RoutingFacts};

    #[test]
    fn the_built_in_questionnaires_hold_what_the_models_ask_for() {
        for category in Category::ALL {
            let (_, questionnaire) = load_file(None, category).unwrap_or_else(|e| panic!("{e}"));
            let answers = std::collections::BTreeMap::from([("sat1".to_owned(), Answer::Point(9))]);
            let question_count = questionnaire
                .path(&answers, &RoutingFacts::default())
                .pages
                .iter()
                .map(|(_, items)| items.len())
                .sum::<usize>();
            let scales = questionnaire
                .items()
                .filter(|item| matches!(item.kind, ItemKind::Scale(_)))
                .count();
            let open = questionnaire
                .items()
                .filter(|item| matches!(item.kind, ItemKind::Open { .. }))
                .count();
            assert!(
                (10..=18).contains(&question_count) && open == 2,
                "{category}: {question_count} asked, {scales} scales, {open} open questions"
            );
            for latent in [
                Latent::Image,
                Latent::Expectation,
                Latent::PerceivedQuality,
                Latent::PerceivedValue,
                Latent::Satisfaction,
                Latent::Complaint,
                Latent::Loyalty,
            ] {
                assert!(
                    questionnaire.items().any(|item| item.latent == Some(latent)),
                    "{category}: {}",
                    latent.as_str()
                );
            }
            for item in questionnaire.items() {
                if let ItemKind::Scale(scale) = &item.kind {
                    assert_eq!((scale.from, scale.to), (1, 10), "{category} {}", item.id);
                }
            }
            assert_eq!(questionnaire.code, category.as_str());
        }
    }
}
