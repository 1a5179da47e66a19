//! The real names and telephones of the staff, sealed with the staff key. Pages show a colleague's
//! name instead of the account's; the audit log and the API's tokens know accounts only.

use std::collections::BTreeMap;

use phonenumber::country;

use super::AccountError;
use crate::adapters::crypto::SealError;
use crate::adapters::database::accounts::{self, Account};
use crate::domain::audit::{Action, Actor};
use crate::domain::personal::Personal;
use crate::domain::phone::Phone;
use crate::domain::role::Permission;
use crate::services::context::AppContext;
use crate::services::sealing::seal_context;

const MAX_NAME_CHARS: usize = 60;

/// Who is behind an account.
#[derive(Debug, Clone)]
pub struct Colleague {
    pub full_name: Personal,
    /// A mobile or a fixed line; some have none.
    pub phone: Option<Phone>,
}

/// The same as it is stored.
pub(super) struct SealedColleague {
    pub full_name: Option<Vec<u8>>,
    pub phone: Option<Vec<u8>>,
}

impl Colleague {
    /// Parses what somebody typed. An empty `phone` is none; numbers without a country are of the
    /// installation's region.
    ///
    /// # Errors
    /// [`AccountError::FullName`] and [`AccountError::Phone`].
    pub fn parse(
        context: &AppContext,
        full_name: &str,
        phone: &str,
    ) -> Result<Colleague, AccountError> {
        let (full_name, phone) = (full_name.trim(), phone.trim());
        let length = full_name.chars().count();
        if !(1..=MAX_NAME_CHARS).contains(&length) || full_name.chars().any(char::is_control) {
            return Err(AccountError::FullName);
        }
        let region = context.config.default_region.parse().unwrap_or(country::CN);
        let phone = if phone.is_empty() { None } else { Some(Phone::parse(phone, region)?) };
        Ok(Colleague { full_name: Personal::new(full_name), phone })
    }

    /// Returns the sealed name and telephone for an account.
    pub(super) fn seal(
        &self,
        context: &AppContext,
        account: &str,
    ) -> Result<SealedColleague, SealError> {
        let sealer = context.keys.staff_sealer();
        let name = sealer.seal(
            &bound_to(seal_context::STAFF_NAME, account),
            self.full_name.reveal().as_bytes(),
        )?;
        let phone = self.phone.as_ref().map(|phone| {
            sealer.seal(&bound_to(seal_context::STAFF_PHONE, account), phone.e164().as_bytes())
        });
        Ok(SealedColleague { full_name: Some(name), phone: phone.transpose()? })
    }
}

/// A value opens for its own account only. Accounts are never renamed.
fn bound_to(what: &str, account: &str) -> String {
    format!("{what}:{account}")
}

/// Sets the real name and the telephone of an account.
///
/// # Errors
/// [`AccountError::Unknown`] also for a disabled account.
pub async fn set(
    context: &AppContext,
    actor: &Actor,
    account: &str,
    colleague: &Colleague,
) -> Result<(), AccountError> {
    let sealed = colleague.seal(context, account)?;
    let mut tx = context.database.write().await?;
    if !accounts::set_person(&mut tx, account, sealed.full_name, sealed.phone).await? {
        return Err(AccountError::Unknown(account.to_owned()));
    }
    let object = format!("account:{account}");
    context.audit(&mut tx, actor, Action::StaffPersonChanged, &object).await?;
    tx.commit().await?;
    Ok(())
}

/// Returns the real name of an account, or the account's name where none is stored or it cannot be
/// opened.
pub fn name_of(context: &AppContext, account: &Account) -> Personal {
    full_name_of(context, account).unwrap_or_else(|| Personal::new(account.name.as_str()))
}

/// Returns the real name of an account, if one is stored.
pub fn full_name_of(context: &AppContext, account: &Account) -> Option<Personal> {
    let sealed = account.full_name_sealed.as_deref()?;
    let place = bound_to(seal_context::STAFF_NAME, &account.name);
    context.keys.staff_sealer().open_text(&place, sealed).ok().map(Personal::new)
}

/// Returns the telephone of an account, if one is stored.
pub fn phone_of(context: &AppContext, account: &Account) -> Option<Phone> {
    let sealed = account.phone_sealed.as_deref()?;
    let place = bound_to(seal_context::STAFF_PHONE, &account.name);
    let text = context.keys.staff_sealer().open_text(&place, sealed).ok()?;
    Phone::from_e164(&text).ok()
}

/// The names of all colleagues, by account.
#[derive(Debug, Default)]
pub struct Colleagues(BTreeMap<String, Personal>);

/// The accounts that may do something and are not disabled, with the names behind them.
pub async fn who_may(
    context: &AppContext,
    permission: Permission,
) -> Result<Vec<(String, Personal)>, AccountError> {
    let all = accounts::all(&mut *context.database.read().await?).await?;
    let may = all
        .into_iter()
        .filter(|account| account.role.may(permission) && account.disabled_at.is_none());
    Ok(may
        .map(|account| {
            let name = name_of(context, &account);
            (account.name, name)
        })
        .collect())
}

impl Colleagues {
    pub async fn load(context: &AppContext) -> Result<Colleagues, AccountError> {
        let all = accounts::all(&mut *context.database.read().await?).await?;
        let named = all
            .into_iter()
            .filter_map(|account| full_name_of(context, &account).map(|name| (account.name, name)));
        Ok(Colleagues(named.collect()))
    }

    /// Returns the real name behind an account, a token or a program; their own name where none is
    /// known.
    pub fn name(&self, account: &str) -> Personal {
        self.0.get(account).cloned().unwrap_or_else(|| Personal::new(account))
    }

    /// Returns the real name with the account's in brackets, where the two differ.
    pub fn name_and_account(&self, account: &str) -> Personal {
        match self.0.get(account) {
            Some(name) => Personal::new(format!("{} ({account})", name.reveal())),
            None => Personal::new(account),
        }
    }
}
