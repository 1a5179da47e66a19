//! A supervisor sits beside a call that goes on: sees the interviewer's page with the answers that
//! are saved, and can change nothing. The interviewer's page says so while somebody looks. It ends
//! with the call.
//!
//! Nothing here renews a lease or saves an answer: only the interviewer's own page does.

use std::time::Duration;

use sqlx::AnyConnection;

use super::CallCenterError;
use crate::adapters::database::accounts::{self, Account};
use crate::adapters::database::call_queue::{self, QueueEntry};
use crate::adapters::database::call_watches::{self, ShownPage};
use crate::adapters::database::{calls, campaigns, links};
use crate::domain::audit::{Action, Actor};
use crate::domain::ids::{CallId, CaseId};
use crate::domain::language::Language;
use crate::domain::person::Person;
use crate::domain::phone::Phone;
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;
use crate::services::sealing::{open_person, open_phone};

/// How long a look counts. The watcher's page asks every few seconds while it is in front; without a
/// script each load counts.
pub const LOOK: Duration = Duration::from_secs(30);

/// A call as whoever sits beside sees it: without name and number.
pub struct WatchedCall {
    pub call: CallId,
    /// The name of the interviewer's account.
    pub interviewer: String,
    pub campaign: String,
    /// Its cases, as `APPLICATION/PSEUDONYM`.
    pub cases: Vec<(CaseId, String)>,
    pub begun_at: Timestamp,
    /// The language of the queue, for a call without a question yet.
    pub language: Language,
    /// The page on the interviewer's screen; `None`: no question yet.
    pub shown: Option<ShownPage>,
    /// The code of the personal link to the questions.
    pub code: String,
}

/// What a supervisor finds.
pub enum Beside {
    /// The call is over, or is one's own.
    Over,
    /// The call goes on, and this account does not sit beside it.
    NotBegun {
        interviewer: String,
    },
    Watching(Box<WatchedCall>),
}

/// Begins to sit beside a call, and writes it into the audit log. Returns false if the call is over,
/// or is one's own.
pub async fn sit_down(
    context: &AppContext,
    watcher: &Account,
    call: CallId,
) -> Result<bool, CallCenterError> {
    let now = context.clock.now();
    let mut tx = context.database.write().await?;
    if running(context, &mut tx, watcher, call).await?.is_none() {
        return Ok(false);
    }
    call_watches::begin(&mut tx, call, watcher.id, now + LOOK).await?;
    let object = format!("call:{}", call.0);
    context.audit(&mut tx, &Actor::console(&watcher.name), Action::CallWatched, &object).await?;
    tx.commit().await?;
    Ok(true)
}

/// Looks at the call, if this account sits beside it.
pub async fn look(
    context: &AppContext,
    watcher: &Account,
    call: CallId,
) -> Result<Beside, CallCenterError> {
    let now = context.clock.now();
    let mut tx = context.database.write().await?;
    let Some(entry) = running(context, &mut tx, watcher, call).await? else {
        return Ok(Beside::Over);
    };
    let interviewer = accounts::all(&mut tx)
        .await?
        .into_iter()
        .find(|account| Some(account.id) == entry.leased_by)
        .map(|account| account.name)
        .unwrap_or_default();
    if !call_watches::look(&mut tx, call, watcher.id, now + LOOK).await? {
        return Ok(Beside::NotBegun { interviewer });
    }
    let shown = call_watches::shown_page(&mut tx, call).await?;
    let to = links::invited_person(&mut tx, entry.invitation).await?;
    let begun_at = calls::get(&mut tx, call).await?.map_or(now, |call| call.begun_at);
    let campaign = campaigns::get(&mut tx, entry.campaign).await?.code;
    let cases = call_queue::case_list(&mut tx, &[entry.invitation]).await?;
    tx.commit().await?;
    Ok(Beside::Watching(Box::new(WatchedCall {
        call,
        interviewer,
        campaign,
        cases: cases.into_iter().map(|(_, case, name)| (case, name)).collect(),
        begun_at,
        language: entry.language,
        shown,
        code: context.keys.hasher().link_code(&to.campaign, &to.key_id, &to.phone_hash),
    })))
}

/// Returns the person of a call that this account sits beside, and writes it into the audit log
/// before. `None`: the call is over, or this account does not sit beside it.
pub async fn reveal_person(
    context: &AppContext,
    watcher: &Account,
    call: CallId,
) -> Result<Option<(Person, Phone)>, CallCenterError> {
    let now = context.clock.now();
    let mut tx = context.database.write().await?;
    let Some(entry) = running(context, &mut tx, watcher, call).await? else { return Ok(None) };
    if !call_watches::look(&mut tx, call, watcher.id, now + LOOK).await? {
        return Ok(None);
    }
    let object = format!("call:{}", call.0);
    let actor = Actor::console(&watcher.name);
    context.audit(&mut tx, &actor, Action::CallPersonViewed, &object).await?;
    let to = links::invited_person(&mut tx, entry.invitation).await?;
    tx.commit().await?;
    let sealer = context.keys.sealer(&to.key_id)?;
    Ok(Some((open_person(&sealer, &to.person_sealed)?, open_phone(&sealer, &to.phone_sealed)?)))
}

/// Returns whether somebody sits beside a call at this moment.
pub async fn is_watched(context: &AppContext, call: CallId) -> Result<bool, CallCenterError> {
    let now = context.clock.now();
    Ok(call_watches::is_watched(&mut *context.database.read().await?, call, now).await?)
}

/// Stores the page that the interviewer of a call sees now.
pub async fn show_page(
    context: &AppContext,
    call: CallId,
    shown: ShownPage,
) -> Result<(), CallCenterError> {
    let before = call_watches::shown_page(&mut *context.database.read().await?, call).await?;
    if before == Some(shown) {
        return Ok(());
    }
    let mut tx = context.database.write().await?;
    // A call that has ended meanwhile keeps no page.
    if call_queue::of_call(&mut tx, call).await?.is_some() {
        call_watches::show_page(&mut tx, call, shown).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Returns the queue entry of a call that goes on with somebody else.
async fn running(
    context: &AppContext,
    connection: &mut AnyConnection,
    watcher: &Account,
    call: CallId,
) -> Result<Option<QueueEntry>, CallCenterError> {
    let now = context.clock.now();
    let is_live = |entry: &QueueEntry| {
        entry.leased_until.is_some_and(|until| until > now) || context.is_clock_settling()
    };
    Ok(call_queue::of_call(connection, call)
        .await?
        .filter(|entry| entry.leased_by.is_some_and(|account| account != watcher.id))
        .filter(is_live))
}
