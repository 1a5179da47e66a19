//! Invitations of colleagues: accounts without a password, and links by which their people set
//! their own. A link is shown once, stored as a keyed hash, used once, valid for 72 hours, and
//! revocable. Opening it changes nothing, because chats open links for their previews; only the
//! form that it shows does.

use std::fmt::Write;
use std::time::Duration;

use super::colleagues::Colleague;
use super::{AccountError, check_and_hash, check_name, tokens};
use crate::adapters::crypto::password::new_token;
use crate::adapters::database::accounts::{self, Account};
use crate::adapters::database::{WriteTx, api_tokens};
use crate::domain::audit::{Action, Actor};
use crate::domain::ids::AccountId;
use crate::domain::language::Language;
use crate::domain::personal::Personal;
use crate::domain::phone::PhoneError;
use crate::domain::role::Role;
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;

/// For how long a link can be used.
pub const INVITATION_TIME: Duration = Duration::from_secs(72 * 3_600);
/// People invited at once.
const MAX_AT_ONCE: usize = 100;

/// Somebody to invite.
#[derive(Debug, Clone)]
pub struct Invitee {
    pub colleague: Colleague,
    pub role: Role,
    /// The account's name; `None`: a short one is made.
    pub name: Option<String>,
    pub languages: Vec<Language>,
}

/// An account with its link, which cannot be had again.
pub struct Invited {
    pub name: String,
    pub full_name: Personal,
    pub role: Role,
    pub link: Personal,
    pub expires_at: Timestamp,
}

/// What is wrong with a line of a pasted list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineProblem {
    FullName,
    Phone(PhoneError),
    /// The last column is no role.
    Role,
    /// The account's name is not valid.
    Name,
    /// The same person stands in an earlier line.
    SameAs(usize),
    /// More lines than are invited at once.
    TooMany,
}

/// A line, counted from 1, with its problem. It holds nothing of the line's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongLine {
    pub line: usize,
    pub problem: LineProblem,
}

pub(super) fn in_words(lines: &[WrongLine]) -> String {
    let mut text = String::new();
    for (index, WrongLine { line, problem }) in lines.iter().enumerate() {
        let separator = if index == 0 { "" } else { "; " };
        let said = match problem {
            LineProblem::FullName => "a name has 1 to 60 characters".to_owned(),
            LineProblem::Phone(error) => error.to_string(),
            LineProblem::Role => "the third column is a role: interviewer, auditor, supervisor, \
                operator or administrator"
                .to_owned(),
            LineProblem::Name => {
                "the account's name has 1 to 40 letters, digits, «-», «_» and «.»".to_owned()
            }
            LineProblem::SameAs(other) => format!("the same as line {other}"),
            LineProblem::TooMany => format!("at most {MAX_AT_ONCE} people are invited at once"),
        };
        // Writing to a text cannot fail.
        let _ = write!(text, "{separator}line {line}: {said}");
    }
    text
}

/// Reads a pasted list, one person a line: name, telephone, role, and, if wanted, the account's
/// name; with tabs (as a spreadsheet copies them), commas of either width or semicolons between. A
/// first line of headings is passed over, as are empty lines. A line without a role is that of an
/// interviewer, the least.
///
/// # Errors
/// [`AccountError::Lines`] with every wrong line.
pub fn parse_list(context: &AppContext, text: &str) -> Result<Vec<Invitee>, AccountError> {
    let (mut people, mut wrong): (Vec<(usize, Invitee)>, Vec<WrongLine>) = Default::default();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let cells: Vec<&str> = line.split(['\t', ',', '，', ';', '；']).map(str::trim).collect();
        let cell = |at: usize| cells.get(at).copied().unwrap_or_default();
        let is_heading = people.is_empty()
            && matches!(cell(0).to_lowercase().as_str(), "姓名" | "名字" | "name" | "full name");
        if cells.iter().all(|cell| cell.is_empty()) || is_heading {
            continue;
        }
        if people.len() >= MAX_AT_ONCE {
            wrong.push(WrongLine { line: number, problem: LineProblem::TooMany });
            break;
        }
        match parse_line(context, cell(0), cell(1), cell(2), cell(3)) {
            Ok(invitee) => {
                let key = |one: &Invitee| {
                    let phone = one.colleague.phone.as_ref().map(|phone| phone.e164().to_owned());
                    (one.colleague.full_name.reveal().to_owned(), phone)
                };
                match people.iter().find(|(_, other)| key(other) == key(&invitee)) {
                    Some((other, _)) => {
                        wrong
                            .push(WrongLine { line: number, problem: LineProblem::SameAs(*other) });
                    }
                    None => people.push((number, invitee)),
                }
            }
            Err(problem) => wrong.push(WrongLine { line: number, problem }),
        }
    }
    if people.is_empty() && wrong.is_empty() {
        wrong.push(WrongLine { line: 1, problem: LineProblem::FullName });
    }
    if wrong.is_empty() {
        Ok(people.into_iter().map(|(_, invitee)| invitee).collect())
    } else {
        Err(AccountError::Lines(wrong))
    }
}

fn parse_line(
    context: &AppContext,
    full_name: &str,
    phone: &str,
    role: &str,
    name: &str,
) -> Result<Invitee, LineProblem> {
    let colleague = Colleague::parse(context, full_name, phone).map_err(|error| match error {
        AccountError::Phone(error) => LineProblem::Phone(error),
        _ => LineProblem::FullName,
    })?;
    let role = match role {
        "" => Role::Interviewer,
        role => Role::parse_label(role).ok_or(LineProblem::Role)?,
    };
    let name = (!name.is_empty()).then(|| name.to_owned());
    if name.as_deref().is_some_and(|name| check_name(name).is_err()) {
        return Err(LineProblem::Name);
    }
    Ok(Invitee { colleague, role, name, languages: vec![Language::ZH] })
}

/// Creates an account and a link for each, all or none.
///
/// # Errors
/// [`AccountError::Taken`], [`AccountError::ReservedName`], [`AccountError::ScopeNotHeld`].
pub async fn invite(
    context: &AppContext,
    actor: &Actor,
    people: &[Invitee],
) -> Result<Vec<Invited>, AccountError> {
    let now = context.clock.now();
    let mut tx = context.database.write().await?;
    let mut invited = Vec::with_capacity(people.len());
    for person in people {
        tokens::check_may_give(&mut tx, actor, person.role.permissions(), now).await?;
        let name = match &person.name {
            Some(name) => {
                check_name(name)?;
                name.clone()
            }
            None => free_name(&mut tx, person.role).await?,
        };
        // A token of this name would be the same person in the audit log.
        if tokens::RESERVED_NAMES.contains(&name.as_str())
            || api_tokens::exists(&mut tx, &name).await?
        {
            return Err(AccountError::ReservedName(name));
        }
        if !accounts::add(&mut tx, &name, person.role, &person.languages, "", now).await? {
            return Err(AccountError::Taken(name));
        }
        let sealed = person.colleague.seal(context, &name)?;
        accounts::set_person(&mut tx, &name, sealed.full_name, sealed.phone).await?;
        let added = accounts::find_credentials(&mut tx, &name)
            .await?
            .ok_or_else(|| AccountError::Unknown(name.clone()))?;
        let object = format!("account:{name}");
        context.audit(&mut tx, actor, Action::AccountInvited, &object).await?;
        let link = add_link(context, &mut tx, actor, added.account.id).await?;
        invited.push(Invited {
            name,
            full_name: person.colleague.full_name.clone(),
            role: person.role,
            link,
            expires_at: now + INVITATION_TIME,
        });
    }
    tx.commit().await?;
    Ok(invited)
}

/// Makes a short name that nobody has: the role's initials in pinyin and a number. It says nothing
/// of the person, because the audit log keeps it.
async fn free_name(tx: &mut WriteTx, role: Role) -> Result<String, AccountError> {
    let initials = match role {
        Role::Interviewer => "fw",
        Role::Supervisor => "dd",
        Role::Auditor => "sj",
        Role::Operator => "yy",
        Role::Administrator => "gl",
    };
    let taken: Vec<String> =
        accounts::all(tx).await?.into_iter().map(|account| account.name).collect();
    let mut number = 1;
    loop {
        let name = format!("{initials}{number:02}");
        if !taken.contains(&name) && !api_tokens::exists(tx, &name).await? {
            return Ok(name);
        }
        number += 1;
    }
}

async fn add_link(
    context: &AppContext,
    tx: &mut WriteTx,
    actor: &Actor,
    id: AccountId,
) -> Result<Personal, AccountError> {
    let (token, now) = (new_token()?, context.clock.now());
    let hash = token_hash(context, token.reveal());
    accounts::add_invitation(tx, id, &hash, &actor.name, now + INVITATION_TIME, now).await?;
    let base = &context.config.public_url;
    Ok(Personal::new(format!("{base}/staff/invitation/{}", token.reveal())))
}

/// Makes a new link for an account: its password, its sessions and earlier links are void at once;
/// its second factor stays.
pub async fn renew(
    context: &AppContext,
    actor: &Actor,
    name: &str,
) -> Result<Invited, AccountError> {
    let now = context.clock.now();
    let mut tx = context.database.write().await?;
    let account = find_active(&mut tx, name).await?;
    tokens::check_may_give(&mut tx, actor, account.role.permissions(), now).await?;
    accounts::set_password(&mut tx, account.id, "", "").await?;
    accounts::revoke_invitations(&mut tx, account.id, now).await?;
    let object = format!("account:{name}");
    context.audit(&mut tx, actor, Action::AccountInvited, &object).await?;
    let link = add_link(context, &mut tx, actor, account.id).await?;
    tx.commit().await?;
    Ok(Invited {
        name: name.to_owned(),
        full_name: super::colleagues::name_of(context, &account),
        role: account.role,
        link,
        expires_at: now + INVITATION_TIME,
    })
}

/// Revokes the link of an account.
///
/// # Errors
/// [`AccountError::UnknownInvitation`] if there is none that could be used.
pub async fn revoke(context: &AppContext, actor: &Actor, name: &str) -> Result<(), AccountError> {
    let mut tx = context.database.write().await?;
    let account = find_active(&mut tx, name).await?;
    if !accounts::revoke_invitations(&mut tx, account.id, context.clock.now()).await? {
        return Err(AccountError::UnknownInvitation);
    }
    let object = format!("account:{name}");
    context.audit(&mut tx, actor, Action::InvitationRevoked, &object).await?;
    tx.commit().await?;
    Ok(())
}

async fn find_active(tx: &mut WriteTx, name: &str) -> Result<Account, AccountError> {
    let found = accounts::find_credentials(tx, name).await?.map(|found| found.account);
    found
        .filter(|account| account.disabled_at.is_none())
        .ok_or_else(|| AccountError::Unknown(name.to_owned()))
}

/// Returns the account that a link invites to. It changes nothing.
pub async fn open(context: &AppContext, token: &str) -> Result<Account, AccountError> {
    let hash = token_hash(context, token);
    let mut connection = context.database.read().await?;
    let found = accounts::find_invitation(&mut connection, &hash, context.clock.now()).await?;
    found.ok_or(AccountError::UnknownInvitation)
}

/// Sets the password of the invited and uses the link up. Returns the account.
///
/// # Errors
/// [`AccountError::InvalidPassword`] and [`AccountError::CommonPassword`] leave the link usable.
pub async fn accept(
    context: &AppContext,
    token: &str,
    password: Personal,
) -> Result<Account, AccountError> {
    let account = open(context, token).await?;
    let hash = check_and_hash(password, &account.name).await?;
    let now = context.clock.now();
    let mut tx = context.database.write().await?;
    if !accounts::use_invitation(&mut tx, &token_hash(context, token), now).await? {
        return Err(AccountError::UnknownInvitation);
    }
    accounts::set_password(&mut tx, account.id, &hash, "").await?;
    let object = format!("account:{}", account.name);
    let actor = Actor::console(&account.name);
    context.audit(&mut tx, &actor, Action::InvitationAccepted, &object).await?;
    tx.commit().await?;
    Ok(account)
}

fn token_hash(context: &AppContext, token: &str) -> String {
    context.keys.hasher().fingerprint(format!("invitation\n{token}").as_bytes())
}
