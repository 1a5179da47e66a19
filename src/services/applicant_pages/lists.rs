//! Lists that come from their applicants: uploaded and corrected on the applicant's page, handed in
//! with a declaration, and accepted by staff, or sent back with a word.
//!
//! Who is left out of a list over the limit is drawn by staff: an applicant that chose would choose
//! its friends.

use serde::{Deserialize, Serialize};

use super::ApplicantPageError;
use crate::adapters::crypto::SealError;
use crate::adapters::database::applicant_links::{self, ApplicantLink};
use crate::adapters::database::applications::{self, Application, ApplicationState};
use crate::adapters::database::drafts::{self, ListDraft};
use crate::domain::audit::{Action, Actor};
use crate::domain::personal::Personal;
use crate::domain::time::Timestamp;
use crate::services::application_forms::{Document, draft};
use crate::services::context::AppContext;
use crate::services::drafts::lists::{
    ListDraftError, create_list_draft_of_applicant, import_list_draft, preview,
};
use crate::services::list_import::{ImportOutcome, ListImportError};
use crate::services::sealing::seal_context;

/// What an applicant declares, in the words that it sees. A change is another text; each declaration
/// keeps its own.
pub const DECLARATION: &str = "本单位声明：名单所列人员均为申报对象的真实用户；已告知其姓名和联系方式将提供给评价方，用于一次满意度调查，并已取得其同意。";

const MAX_NAME_CHARS: usize = 60;
const MAX_WORD_CHARS: usize = 1_000;

/// Who declared what.
#[derive(Serialize, Deserialize)]
struct Declared {
    name: String,
    text: String,
    /// Rows that were wrong when it was handed in, and are not imported.
    wrong_rows: u64,
}

/// A declaration as staff see it.
pub struct Declaration {
    pub name: Personal,
    pub text: String,
    pub wrong_rows: u64,
    pub at: Timestamp,
}

/// A list on its applicant's page.
pub struct OwnList {
    pub draft: ListDraft,
    /// What staff said when they sent it back.
    pub word: Option<Personal>,
}

/// The applications of an applicant that can still take a list.
pub async fn open_applications(
    context: &AppContext,
    link: &ApplicantLink,
) -> Result<Vec<Application>, ApplicantPageError> {
    let all = applications::all(&mut *context.database.read().await?).await?;
    let is_open = |application: &Application| {
        application.applicant_id == link.applicant
            && application.state == ApplicationState::Registered
    };
    Ok(all.into_iter().filter(is_open).collect())
}

/// Uploads a list for some of the applicant's own applications. Returns its id.
pub async fn upload(
    context: &AppContext,
    link: &ApplicantLink,
    codes: &[String],
    file: &str,
    content: &[u8],
) -> Result<i64, ApplicantPageError> {
    let open = open_applications(context, link).await?;
    let unknown = |code: &str| ApplicantPageError::UnknownApplication(code.to_owned());
    if let Some(code) = codes.iter().find(|code| !open.iter().any(|own| own.code == **code)) {
        return Err(unknown(code));
    }
    if codes.is_empty() {
        return Err(unknown(""));
    }
    note(context, link, Action::ListUploaded, &format!("application:{}", codes.join(","))).await?;
    let actor = link.applicant_code.as_str();
    Ok(create_list_draft_of_applicant(context, actor, codes, file, content).await?)
}

/// Reads documents into drafts that staff look through. Returns what was read of them.
pub async fn upload_documents(
    context: &AppContext,
    link: &ApplicantLink,
    programme: &str,
    documents: Vec<Document>,
) -> Result<Vec<draft::CreatedDraft>, ApplicantPageError> {
    note(context, link, Action::FormsRead, &format!("programme:{programme}")).await?;
    Ok(draft::create(context, &link.applicant_code, programme, documents, false).await?)
}

/// Returns the lists that the applicant works on, the latest first.
pub async fn own_lists(
    context: &AppContext,
    link: &ApplicantLink,
) -> Result<Vec<OwnList>, ApplicantPageError> {
    let all = drafts::lists(&mut *context.database.read().await?).await?;
    let own =
        all.into_iter().filter(|draft| draft.is_from_applicant && draft.key_id == link.key_id);
    own.map(|draft| Ok(OwnList { word: word_of(context, &draft)?, draft })).collect()
}

/// Returns a list of the applicant's own; another's, or one of staff's, is not there.
pub async fn own_list(
    context: &AppContext,
    link: &ApplicantLink,
    id: i64,
) -> Result<OwnList, ApplicantPageError> {
    let found = drafts::list(&mut *context.database.read().await?, id).await?;
    let own = found.filter(|draft| draft.is_from_applicant && draft.key_id == link.key_id);
    let draft = own.ok_or(ListDraftError::NotFound)?;
    Ok(OwnList { word: word_of(context, &draft)?, draft })
}

/// Returns a list of the applicant's own that it may change.
pub async fn own_open_list(
    context: &AppContext,
    link: &ApplicantLink,
    id: i64,
) -> Result<OwnList, ApplicantPageError> {
    let own = own_list(context, link, id).await?;
    match own.draft.handed_in_at {
        None => Ok(own),
        Some(_) => Err(ApplicantPageError::HandedIn),
    }
}

/// What staff said when they sent a list back.
pub fn word_of(
    context: &AppContext,
    draft: &ListDraft,
) -> Result<Option<Personal>, ApplicantPageError> {
    let Some(sealed) = &draft.returned_sealed else { return Ok(None) };
    let sealer = context.keys.sealer(&draft.key_id)?;
    Ok(Some(Personal::new(sealer.open_text(seal_context::LIST_RETURNED, sealed)?)))
}

/// Who handed a list in, and what was declared; `None`: it is not handed in.
pub fn declaration_of(
    context: &AppContext,
    draft: &ListDraft,
) -> Result<Option<Declaration>, ApplicantPageError> {
    let (Some(sealed), Some(at)) = (&draft.declared_sealed, draft.handed_in_at) else {
        return Ok(None);
    };
    let sealer = context.keys.sealer(&draft.key_id)?;
    let text = sealer.open_text(seal_context::LIST_DECLARATION, sealed)?;
    let Declared { name, text, wrong_rows } =
        serde_json::from_str(&text).map_err(|_| SealError::Broken)?;
    Ok(Some(Declaration { name: Personal::new(name), text, wrong_rows, at }))
}

/// Hands a list in. It cannot be changed by the applicant until staff send it back.
pub async fn hand_in(
    context: &AppContext,
    link: &ApplicantLink,
    id: i64,
    name: &str,
    has_confirmed: bool,
) -> Result<(), ApplicantPageError> {
    let own = own_open_list(context, link, id).await?;
    let name: String =
        name.trim().chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect();
    if name.is_empty() || !has_confirmed {
        return Err(ApplicantPageError::NotDeclared);
    }
    let wrong_rows = match preview(context, id).await?.outcome {
        Ok(outcome) => outcome.rejected,
        // Who stays on it is drawn by staff.
        Err(ListImportError::OverCap { outcome, .. }) => outcome.rejected,
        Err(error) => return Err(ListDraftError::Import(error).into()),
    };
    let declared = Declared { name, text: DECLARATION.to_owned(), wrong_rows };
    let text = serde_json::to_vec(&declared).map_err(|_| SealError::Broken)?;
    let sealer = context.keys.sealer(&own.draft.key_id)?;
    let sealed = sealer.seal(seal_context::LIST_DECLARATION, &text)?;
    note(context, link, Action::ListHandedIn, &format!("list:{id}")).await?;
    let mut tx = context.database.write().await?;
    let now = context.clock.now();
    if !drafts::hand_in(&mut tx, id, own.draft.changed_at, sealed, now).await? {
        return Err(ListDraftError::Changed.into());
    }
    tx.commit().await?;
    Ok(())
}

/// Sends a list back to its applicant, with a word.
pub async fn send_back(
    context: &AppContext,
    id: i64,
    word: &str,
) -> Result<(), ApplicantPageError> {
    let word: String = word.trim().chars().take(MAX_WORD_CHARS).collect();
    if word.is_empty() {
        return Err(ApplicantPageError::NoWord);
    }
    let mut tx = context.database.write().await?;
    let draft = drafts::list(&mut tx, id).await?.ok_or(ListDraftError::NotFound)?;
    let sealer = context.keys.sealer(&draft.key_id)?;
    let sealed = sealer.seal(seal_context::LIST_RETURNED, word.as_bytes())?;
    if !drafts::send_back(&mut tx, id, sealed, context.clock.now()).await? {
        return Err(ListDraftError::Changed.into());
    }
    tx.commit().await?;
    Ok(())
}

/// Accepts a list: imports it, and keeps its declaration.
pub async fn accept(
    context: &AppContext,
    actor: &str,
    id: i64,
) -> Result<ImportOutcome, ApplicantPageError> {
    let mut connection = context.database.read().await?;
    let draft = drafts::list(&mut connection, id).await?.ok_or(ListDraftError::NotFound)?;
    let first = draft.applications.split(',').next().unwrap_or_default();
    let application = applications::find(&mut connection, first)
        .await?
        .ok_or_else(|| ApplicantPageError::UnknownApplication(first.to_owned()))?;
    drop(connection);
    let declared = draft.declared_sealed.clone().zip(draft.handed_in_at);
    let outcome = import_list_draft(context, id).await?;
    if let Some(declared) = declared {
        let mut tx = context.database.write().await?;
        let (applicant, codes) = (application.applicant_id, &draft.applications);
        let now = context.clock.now();
        applicant_links::add_declaration(&mut tx, applicant, codes, declared, (actor, now)).await?;
        tx.commit().await?;
    }
    Ok(outcome)
}

/// Writes an audit entry in the applicant's name.
pub async fn note(
    context: &AppContext,
    link: &ApplicantLink,
    action: Action,
    object: &str,
) -> Result<(), ApplicantPageError> {
    let actor = Actor::applicant(&link.applicant_code);
    context.audit_before(&actor, action, object, "").await?;
    Ok(())
}
