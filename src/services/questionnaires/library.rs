//! The versions of a category's questionnaire: those that staff released on the console, the file of
//! the configured folder or else the built-in one, and those that campaigns were launched with.
//!
//! A launch uses the highest version; of a released version and a file with the same number, the
//! released one.

use std::path::Path;

use sqlx::AnyConnection;

use super::{QuestionnaireSourceError, check_source, file_of_category};
use crate::adapters::database::{campaigns, questionnaires as stored};
use crate::domain::category::Category;
use crate::domain::questionnaire::{Questionnaire, QuestionnaireFile};
use crate::domain::time::Timestamp;

/// Where a version comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionOrigin {
    /// Released on the console.
    Released { by: String, at: Timestamp, note: String },
    /// The file in the configured folder, or the built-in one.
    File { is_built_in: bool },
    /// Frozen with a campaign, and there in no other form any more.
    Campaign,
}

/// A version of a category's questionnaire.
#[derive(Debug, Clone)]
pub struct QuestionnaireVersion {
    /// Names it within its category: `released-4`, `file`, `used-17`.
    pub key: String,
    pub version: u32,
    pub origin: VersionOrigin,
    /// The latest campaign that was launched with it.
    pub campaign: Option<String>,
    /// Whether the next launch uses it.
    pub is_current: bool,
    pub source: String,
}

/// Returns the text and the parsed form of the questionnaire that launches of a category use.
///
/// # Errors
/// If it cannot be read, or has mistakes.
pub async fn load_for_category(
    connection: &mut AnyConnection,
    folder: Option<&Path>,
    category: Category,
) -> Result<(String, Questionnaire), QuestionnaireSourceError> {
    let released = stored::latest_release(connection, category).await?;
    let (name, source) = match released {
        None => file_of_category(folder, category)?,
        Some(released) => {
            // A file with mistakes does not hide a version that is good.
            let file = file_of_category(folder, category);
            let is_newer = |source: &str| {
                QuestionnaireFile::read(source).is_ok_and(|file| file.version > released.version)
            };
            match file {
                Ok((name, source)) if is_newer(&source) => (name, source),
                _ => (format!("{category} ({})", released.version), released.source),
            }
        }
    };
    let questionnaire = check_source(&name, &source)?;
    Ok((source, questionnaire))
}

/// Lists all versions of a category's questionnaire, the highest first.
///
/// # Errors
/// If the file or the database cannot be read.
pub async fn versions(
    connection: &mut AnyConnection,
    folder: Option<&Path>,
    category: Category,
) -> Result<Vec<QuestionnaireVersion>, QuestionnaireSourceError> {
    let mut found: Vec<QuestionnaireVersion> = Vec::new();
    for release in stored::releases(&mut *connection, category).await? {
        found.push(QuestionnaireVersion {
            key: format!("released-{}", release.version),
            version: release.version,
            origin: VersionOrigin::Released {
                by: release.released_by,
                at: release.released_at,
                note: release.note,
            },
            campaign: None,
            is_current: false,
            source: release.source,
        });
    }
    let (name, source) = file_of_category(folder, category)?;
    let version = QuestionnaireFile::read(&source).map(|file| file.version).unwrap_or_default();
    found.push(QuestionnaireVersion {
        key: "file".to_owned(),
        version,
        origin: VersionOrigin::File { is_built_in: name.ends_with("(built in)") },
        campaign: None,
        is_current: false,
        source,
    });
    for used in stored::used(&mut *connection, category).await? {
        let source = campaigns::questionnaire_source(&mut *connection, used.id).await?;
        match found.iter_mut().find(|version| version.source == source) {
            Some(same) => same.campaign = same.campaign.take().or(Some(used.campaign)),
            None => found.push(QuestionnaireVersion {
                key: format!("used-{}", used.id),
                version: used.version,
                origin: VersionOrigin::Campaign,
                campaign: Some(used.campaign),
                is_current: false,
                source,
            }),
        }
    }
    // The sort is stable: of equal numbers the released one comes first.
    found.sort_by_key(|version| std::cmp::Reverse(version.version));
    let is_usable = |version: &&mut QuestionnaireVersion| version.origin != VersionOrigin::Campaign;
    if let Some(current) = found.iter_mut().find(is_usable) {
        current.is_current = true;
    }
    Ok(found)
}
