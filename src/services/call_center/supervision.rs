//! What supervisors see and do: who waits, who is on whose screen, and who is to call whom.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::TelephoneError;
use crate::domain::audit::{Action, Actor};
use crate::domain::ids::{AccountId, InvitationId};
use crate::domain::time::Timestamp;
use crate::services::context::Installation;
use crate::adapters::database::accounts::{self, Account};
use crate::adapters::database::call_queue::{self, Waiting};
use crate::adapters::database::campaigns;

/// So many of the queue are listed, those with a call on or nearest first.
const LISTED: usize = 200;

/// The queue as it stands; nobody's name or number is in it.
#[derive(Debug, Clone)]
pub struct Board {
    pub waiting: usize,
    pub due: usize,
    pub promised: usize,
    pub on_screens: usize,
    pub rows: Vec<BoardRow>,
}

#[derive(Debug, Clone)]
pub struct BoardRow {
    pub invitation: InvitationId,
    pub campaign: String,
    /// `APPLICATION/PSEUDONYM`.
    pub cases: String,
    pub next_at: Option<Timestamp>,
    pub promised_at: Option<Timestamp>,
    pub calls: u32,
    pub most_calls: u32,
    pub assigned_to: Option<String>,
    /// On whose screen the person is.
    pub with: Option<String>,
}

pub async fn board(installation: &Installation) -> Result<Board, TelephoneError> {
    let now = installation.clock.now();
    let mut connection = installation.store.read().await?;
    let mut all = call_queue::all(&mut connection, None).await?;
    let is_with = |waiting: &Waiting| waiting.leased_by.filter(|_| waiting.leased_until.is_some_and(|until| until > now));
    let names: BTreeMap<AccountId, String> = accounts::all(&mut connection).await?.into_iter().map(|account| (account.id, account.name)).collect();
    let mut board = Board {
        waiting: all.len(),
        due: all.iter().filter(|w| is_with(w).is_none() && w.next_at.is_some_and(|at| at <= now)).count(),
        promised: all.iter().filter(|w| w.promised_at.is_some()).count(),
        on_screens: all.iter().filter(|w| is_with(w).is_some()).count(),
        rows: Vec::new(),
    };
    all.sort_by_key(|w| (is_with(w).is_none(), w.promised_at.is_none(), w.next_at, w.invitation));
    all.truncate(LISTED);
    let ids: Vec<InvitationId> = all.iter().map(|waiting| waiting.invitation).collect();
    let cases: BTreeMap<InvitationId, String> = call_queue::cases_of(&mut connection, &ids).await?.into_iter().collect();
    let mut codes = BTreeMap::new();
    for waiting in all {
        let code: &String = match codes.entry(waiting.campaign) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(campaigns::get(&mut connection, waiting.campaign).await?.code),
        };
        board.rows.push(BoardRow {
            invitation: waiting.invitation,
            campaign: code.clone(),
            cases: cases.get(&waiting.invitation).cloned().unwrap_or_default(),
            next_at: waiting.next_at,
            promised_at: waiting.promised_at,
            calls: waiting.calls,
            most_calls: waiting.most_calls,
            assigned_to: waiting.assigned_to.and_then(|account| names.get(&account).cloned()),
            with: is_with(&waiting).and_then(|account| names.get(&account).cloned()),
        });
    }
    Ok(board)
}

/// Those who may be handed somebody.
pub async fn interviewers(installation: &Installation) -> Result<Vec<Account>, TelephoneError> {
    let all = accounts::all(&mut *installation.store.read().await?).await?;
    let interviews = |account: &Account| account.disabled_at.is_none() && account.role.may(crate::domain::role::Permission::Interview);
    Ok(all.into_iter().filter(interviews).collect())
}

/// Hands somebody to one interviewer, or (empty) back to all.
pub async fn assign(installation: &Installation, by: &Actor, invitation: InvitationId, to: &str) -> Result<(), TelephoneError> {
    let account = match to {
        "" => None,
        name => {
            let known = interviewers(installation).await?.into_iter().find(|account| account.name == name);
            Some(known.ok_or_else(|| TelephoneError::UnknownInterviewer(name.to_owned()))?.id)
        }
    };
    let mut tx = installation.store.write().await?;
    if !call_queue::assign(&mut tx, invitation, account).await? {
        return Err(TelephoneError::NotInQueue);
    }
    installation.note(&mut tx, by, Action::Assigned, &format!("invitation:{}", invitation.0)).await?;
    tx.commit().await?;
    Ok(())
}
