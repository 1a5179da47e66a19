//! A new version of a shipped questionnaire, as staff write it on the console: an item with options,
//! asked under a condition, in both languages; compared with the version before, and released.

use anyhow::{Context, Result};

use super::fixture::Fixture;
use crate::domain::audit::Actor;
use crate::domain::category::Category;
use crate::domain::language::{ConsoleLanguage, LocalizedText};
use crate::domain::questionnaire::{EditError, KindFile, QuestionnaireFile, changes};
use crate::services::questionnaires::editor;

/// What came of writing a questionnaire.
pub struct WrittenQuestionnaire {
    pub line: String,
    pub version: u64,
    pub changes: u64,
}

/// «What would have to be better», for whoever is satisfied at most with 6.
fn add_item(file: &mut QuestionnaireFile) -> Result<(), EditError> {
    let last = file.pages.len().saturating_sub(1);
    let words = [("质量", "quality"), ("服务", "service"), ("沟通", "communication")];
    let id = file.add_item(last, KindFile::Multiple)?;
    let item = file.item_mut(&id)?;
    item.text = LocalizedText::zh_en("哪些方面最需要改进？", "What needs to improve most?");
    item.show_if = Some("sat1 <= 6".to_owned());
    item.required = false;
    item.options.clear();
    for (zh, en) in words {
        let mut option = file.new_option(file.item(&id).ok_or(EditError::NotFound)?);
        option.text = LocalizedText::zh_en(zh, en);
        file.item_mut(&id)?.options.push(option);
    }
    Ok(())
}

impl Fixture {
    /// Writes and releases a version for organisations, which no campaign of the demo is about.
    pub async fn write_questionnaire(&self) -> Result<WrittenQuestionnaire> {
        let (context, actor) = (&self.context, Actor::console("demo"));
        let category = Category::Organisation;
        let before = editor::version(context, category, "").await?;
        let before = QuestionnaireFile::read(&before.source)?;
        let begun = editor::start(context, &actor, category, &before).await?;
        let edited = editor::change(context, &actor, category, begun.revision, add_item).await?;
        let found = changes(&before, &edited.file);
        let condition = edited
            .file
            .condition_words("sat1 <= 6", ConsoleLanguage::En)
            .context("the condition can be said")?;
        let note = "one question more";
        let version = editor::release(context, &actor, category, edited.revision, note).await?;
        Ok(WrittenQuestionnaire {
            line: format!(
                "Questionnaire for organisations, version {version}, written on the console: {} \
                    difference, an item that is asked if {condition}",
                found.len()
            ),
            version: version.into(),
            changes: found.len() as u64,
        })
    }
}
