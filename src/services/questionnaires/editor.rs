//! The questionnaire that staff are writing for a category. There is one at a time; every change is
//! kept as a state, so that it can be undone, and is refused if somebody else changed it meanwhile.
//! Nothing uses it before it is released; then it is the category's next version.

use sqlx::AnyConnection;

use super::library::{QuestionnaireVersion, versions};
use super::{QuestionnaireSourceError, XlsFormError};
use crate::adapters::database::questionnaires::{self as stored, EditedState, ReleasedVersion};
use crate::adapters::database::{DatabaseError, WriteTx};
use crate::domain::audit::{Action, Actor};
use crate::domain::category::Category;
use crate::domain::language::{Language, LocalizedText};
use crate::domain::questionnaire::{
    EditError, Finding, KindFile, Mistake, PageFile, QuestionnaireError, QuestionnaireFile,
    ScaleFile, Severity, Sketch, changes, review,
};
use crate::services::context::AppContext;
use crate::services::versions::hold;

/// How many changes can be undone.
const KEPT_STATES: i64 = 50;
/// The largest questionnaire that is kept, in bytes.
pub const MAX_SOURCE: usize = 512 * 1024;
/// The longest note on a version, in characters.
const MAX_NOTE: usize = 500;

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "questionnaire_editor.", serialize_all = "snake_case")]
pub enum EditorError {
    #[error("nobody is writing a questionnaire for this category")]
    NotFound,
    #[error(
        "a questionnaire is being written for this category already; go on with that, or discard it"
    )]
    Exists,
    #[error("somebody else has changed it meanwhile; look at it again, and change that")]
    Changed,
    #[error("it has mistakes; correct them, then release it")]
    Mistakes,
    #[error("it is the same as version {0}; there is nothing to release")]
    Unchanged(u32),
    #[error("a questionnaire takes {} kB at most", MAX_SOURCE / 1024)]
    TooLarge,
    #[error("no file was chosen; choose one, or begin with something else")]
    NoFile,
    #[error("there is no such version")]
    NoVersion,
    #[error(transparent)]
    #[strum(transparent)]
    Edit(#[from] EditError),
    #[error(transparent)]
    #[strum(transparent)]
    File(#[from] QuestionnaireError),
    #[error(transparent)]
    #[strum(transparent)]
    Form(#[from] XlsFormError),
    #[error(transparent)]
    #[strum(transparent)]
    Source(#[from] QuestionnaireSourceError),
    #[error(transparent)]
    #[strum(transparent)]
    Database(#[from] DatabaseError),
}

/// The questionnaire that is being written.
#[derive(Debug, Clone)]
pub struct EditedQuestionnaire {
    pub category: Category,
    pub file: QuestionnaireFile,
    /// Counts the changes; a change names the one that it was made over.
    pub revision: i64,
    pub can_undo: bool,
    pub state: EditedState,
}

/// What was found in a questionnaire that is being written.
pub struct Checked {
    /// As far as it can be shown.
    pub sketch: Sketch,
    /// Empty as long as there are mistakes in the file itself that would be told twice.
    pub findings: Vec<Finding>,
}

impl Checked {
    /// Whether it can be released.
    pub fn is_good(&self) -> bool {
        self.sketch.mistakes.is_empty()
            && self.findings.iter().all(|finding| finding.severity != Severity::Error)
    }

    /// All that was found, the mistakes first.
    pub fn all(&self) -> impl Iterator<Item = Finding> + '_ {
        let mistake = |mistake: &Mistake| Finding {
            severity: Severity::Error,
            place: mistake.place.clone(),
            what: mistake.what.clone(),
        };
        self.sketch.mistakes.iter().map(mistake).chain(self.findings.iter().cloned())
    }
}

impl EditedQuestionnaire {
    fn of(
        category: Category,
        state: EditedState,
        kept: i64,
    ) -> Result<EditedQuestionnaire, EditorError> {
        let file = QuestionnaireFile::read(&state.source)?;
        Ok(EditedQuestionnaire {
            category,
            file,
            revision: state.revision,
            can_undo: kept > 1,
            state,
        })
    }

    /// Checks it as a release would.
    pub fn check(&self) -> Checked {
        check(&self.file)
    }
}

/// Checks a questionnaire file with everything that would fail in the field.
pub fn check(file: &QuestionnaireFile) -> Checked {
    let sketch = file.clone().sketch();
    let findings = review(&sketch.questionnaire);
    Checked { sketch, findings }
}

/// A questionnaire to begin with: one page with one item, in Chinese, on ten points.
pub fn empty_file(category: Category) -> QuestionnaireFile {
    let text = |text: &str| LocalizedText::only(Language::ZH, text);
    let mut file = QuestionnaireFile {
        code: category.as_str().to_owned(),
        version: 1,
        languages: vec![Language::ZH],
        title: text(""),
        introduction: text(""),
        list_fields: Vec::new(),
        scale: Some(ScaleFile { from: 1, to: 10, low: text("很差"), high: text("很好") }),
        pages: vec![PageFile { title: text(""), show_if: None, items: Vec::new() }],
    };
    // The page is there, and there is room on it.
    if let Ok(id) = file.add_item(0, KindFile::Scale)
        && let Ok(item) = file.item_mut(&id)
    {
        item.core = true;
    }
    file
}

/// Returns what is being written for a category.
pub async fn find(
    context: &AppContext,
    category: Category,
) -> Result<Option<EditedQuestionnaire>, EditorError> {
    find_in(&mut *context.database.read().await?, category).await
}

async fn find_in(
    connection: &mut AnyConnection,
    category: Category,
) -> Result<Option<EditedQuestionnaire>, EditorError> {
    let Some(state) = stored::edited(&mut *connection, category).await? else { return Ok(None) };
    let kept = stored::count_states(connection, category).await?;
    EditedQuestionnaire::of(category, state, kept).map(Some)
}

/// Returns a version of a category by its key.
pub async fn version(
    context: &AppContext,
    category: Category,
    key: &str,
) -> Result<QuestionnaireVersion, EditorError> {
    let folder = context.config.questionnaires.as_deref();
    let all = versions(&mut *context.database.read().await?, folder, category).await?;
    let is_wanted = |version: &QuestionnaireVersion| {
        if key.is_empty() { version.is_current } else { version.key == key }
    };
    all.into_iter().find(is_wanted).ok_or(EditorError::NoVersion)
}

/// Begins a questionnaire for a category with a file: that of a version, perhaps of another category,
/// or one that was uploaded. Its code becomes the category's, under which versions are counted.
pub async fn start(
    context: &AppContext,
    actor: &Actor,
    category: Category,
    file: &QuestionnaireFile,
) -> Result<EditedQuestionnaire, EditorError> {
    let mut tx = held(context, category).await?;
    if stored::edited(&mut tx, category).await?.is_some() {
        return Err(EditorError::Exists);
    }
    let mut file = file.clone();
    let folder = context.config.questionnaires.as_deref();
    let known = versions(&mut tx, folder, category).await?;
    let is_current = |version: &&QuestionnaireVersion| version.is_current;
    if let Some(current) = known.iter().find(is_current)
        && let Ok(current) = QuestionnaireFile::read(&current.source)
    {
        file.code = current.code;
    }
    file.version = next_version(context, &mut tx, category, &file.code).await?;
    let state = put(context, &mut tx, actor, category, &file, 1).await?;
    tx.commit().await?;
    EditedQuestionnaire::of(category, state, 1)
}

/// Makes a change over a revision. Returns the questionnaire after it.
pub async fn change(
    context: &AppContext,
    actor: &Actor,
    category: Category,
    revision: i64,
    make: impl FnOnce(&mut QuestionnaireFile) -> Result<(), EditError> + Send,
) -> Result<EditedQuestionnaire, EditorError> {
    let mut tx = held(context, category).await?;
    let mut edited = find_in(&mut tx, category).await?.ok_or(EditorError::NotFound)?;
    if edited.revision != revision {
        return Err(EditorError::Changed);
    }
    let before = edited.file.clone();
    make(&mut edited.file)?;
    if edited.file == before {
        return Ok(edited);
    }
    put(context, &mut tx, actor, category, &edited.file, revision + 1).await?;
    audit_edit(context, &mut tx, actor, category, &format!("change {}", revision + 1)).await?;
    tx.commit().await?;
    find(context, category).await?.ok_or(EditorError::NotFound)
}

/// Takes the last change back.
pub async fn undo(
    context: &AppContext,
    actor: &Actor,
    category: Category,
    revision: i64,
) -> Result<(), EditorError> {
    let mut tx = held(context, category).await?;
    let edited = find_in(&mut tx, category).await?.ok_or(EditorError::NotFound)?;
    if edited.revision != revision {
        return Err(EditorError::Changed);
    }
    if edited.can_undo {
        stored::take_back(&mut tx, category, revision).await?;
        audit_edit(context, &mut tx, actor, category, &format!("change {revision} undone")).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Throws away what is being written.
pub async fn discard(context: &AppContext, category: Category) -> Result<(), EditorError> {
    let mut tx = held(context, category).await?;
    stored::remove_states(&mut tx, category).await?;
    tx.commit().await?;
    Ok(())
}

/// Releases what is written, as the version that launches of the category use from now on. Campaigns
/// that run keep theirs. Returns the version.
pub async fn release(
    context: &AppContext,
    actor: &Actor,
    category: Category,
    revision: i64,
    note: &str,
) -> Result<u32, EditorError> {
    let mut tx = held(context, category).await?;
    let mut edited = find_in(&mut tx, category).await?.ok_or(EditorError::NotFound)?;
    if edited.revision != revision {
        return Err(EditorError::Changed);
    }
    if !edited.check().is_good() {
        return Err(EditorError::Mistakes);
    }
    let folder = context.config.questionnaires.as_deref();
    let all = versions(&mut tx, folder, category).await?;
    if let Some(current) = all.iter().find(|version| version.is_current)
        && let Ok(file) = QuestionnaireFile::read(&current.source)
        && changes(&file, &edited.file).is_empty()
    {
        return Err(EditorError::Unchanged(current.version));
    }
    let version = next_version(context, &mut tx, category, &edited.file.code).await?;
    edited.file.version = version;
    let release = ReleasedVersion {
        version,
        source: edited.file.write(),
        note: note.trim().chars().take(MAX_NOTE).collect(),
        released_by: actor.name.clone(),
        released_at: context.clock.now(),
    };
    stored::add_release(&mut tx, category, &release).await?;
    stored::remove_states(&mut tx, category).await?;
    let object = format!("questionnaire:{category}");
    let detail = format!("version {version}");
    context
        .audit_with_detail(&mut tx, actor, Action::QuestionnaireReleased, (&object, &detail))
        .await?;
    tx.commit().await?;
    Ok(version)
}

/// A version above all that the category has, and that any campaign has frozen under this code.
async fn next_version(
    context: &AppContext,
    tx: &mut WriteTx,
    category: Category,
    code: &str,
) -> Result<u32, EditorError> {
    let folder = context.config.questionnaires.as_deref();
    let all = versions(tx, folder, category).await?;
    let highest = all.iter().map(|version| version.version).max().unwrap_or_default();
    let frozen = stored::highest_frozen(tx, code).await?;
    Ok(highest.max(frozen).saturating_add(1))
}

async fn audit_edit(
    context: &AppContext,
    tx: &mut WriteTx,
    actor: &Actor,
    category: Category,
    detail: &str,
) -> Result<(), DatabaseError> {
    let object = format!("questionnaire:{category}");
    context.audit_with_detail(tx, actor, Action::QuestionnaireEdited, (&object, detail)).await?;
    Ok(())
}

async fn held(context: &AppContext, category: Category) -> Result<WriteTx, EditorError> {
    let mut tx = context.database.write().await?;
    hold(&mut tx, "questionnaire", category.as_str()).await?;
    Ok(tx)
}

async fn put(
    context: &AppContext,
    tx: &mut WriteTx,
    actor: &Actor,
    category: Category,
    file: &QuestionnaireFile,
    revision: i64,
) -> Result<EditedState, EditorError> {
    let source = file.write();
    if source.len() > MAX_SOURCE {
        return Err(EditorError::TooLarge);
    }
    let state = EditedState {
        revision,
        source,
        changed_by: actor.name.clone(),
        changed_at: context.clock.now(),
    };
    stored::add_state(tx, category, &state, KEPT_STATES).await?;
    Ok(state)
}
