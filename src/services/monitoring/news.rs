//! What is new for a member of staff, for the browser's notices: alarms, texts in the inbox, drafts
//! that wait for somebody's consent. It names applications and drafts, and no person.

use crate::adapters::database::{alarms, drafts, replies};
use crate::services::context::AppContext;
use crate::services::monitoring::MonitoringError;

/// At most so many of each kind: the latest.
const MAX_ITEMS: usize = 50;

/// Something that staff may want to hear of. Its id stays the same as long as it is the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewsItem {
    pub id: String,
    pub kind: NewsKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewsKind {
    /// An alarm that nobody has acknowledged, with the application's code.
    Alarm(String),
    /// A text in the inbox; whether it was given to this account, or is open.
    Reply { is_own: bool },
    /// Somebody else asks for the launch of a draft.
    LaunchRequested(String),
}

/// Returns what is open for an account. `handles_replies`: it may open the inbox and the drafts.
pub async fn news(
    context: &AppContext,
    account: &str,
    handles_replies: bool,
) -> Result<Vec<NewsItem>, MonitoringError> {
    let mut connection = context.database.read().await?;
    let mut items = Vec::new();
    let open = alarms::unacknowledged(&mut connection).await?;
    // An alarm that gets worse is news again.
    let alarm = |alarm: alarms::Alarm| NewsItem {
        id: format!("alarm-{}-{}", alarm.id, alarm.level),
        kind: NewsKind::Alarm(alarm.application_code),
    };
    items.extend(open.into_iter().take(MAX_ITEMS).map(alarm));
    if !handles_replies {
        return Ok(items);
    }
    let mut texts = replies::inbox(&mut connection, None, false).await?;
    texts.retain(|text| text.assigned_to.as_deref().is_none_or(|whose| whose == account));
    texts.sort_by_key(|text| std::cmp::Reverse(text.id));
    let reply = |text: replies::InboxEntry| {
        let is_own = text.assigned_to.is_some();
        // One that is given to somebody is news to them.
        let id = format!("reply-{}{}", text.id, if is_own { "-own" } else { "" });
        NewsItem { id, kind: NewsKind::Reply { is_own } }
    };
    items.extend(texts.into_iter().take(MAX_ITEMS).map(reply));
    let asked = drafts::campaigns(&mut connection).await?.into_iter().filter(|draft| {
        draft.launch_requested_by.as_deref().is_some_and(|requester| requester != account)
    });
    let launch = |draft: drafts::CampaignDraft| NewsItem {
        id: format!("launch-{}-{}", draft.code, draft.changed_at.0),
        kind: NewsKind::LaunchRequested(draft.code),
    };
    items.extend(asked.take(MAX_ITEMS).map(launch));
    Ok(items)
}
