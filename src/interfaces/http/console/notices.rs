//! What the browser tells while a page of the console is open. The page asks once a minute; what is
//! told holds no personal data.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Serialize;

use super::super::Failure;
use super::super::auth::Staff;
use super::super::page_layout::Translator;
use super::super::state::AppState;
use crate::domain::role::Permission;
use crate::services::monitoring::news::{NewsItem, NewsKind, news};

#[derive(Serialize)]
pub struct Notices {
    items: Vec<Notice>,
}

#[derive(Serialize)]
struct Notice {
    id: String,
    text: String,
}

pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
) -> Result<Json<Notices>, Failure> {
    let account = &staff.session.account.name;
    let items = news(&app.context, account, staff.may(Permission::Operate)).await?;
    Ok(Json(Notices { items: items.into_iter().map(|item| notice(staff.tr, item)).collect() }))
}

fn notice(tr: Translator, item: NewsItem) -> Notice {
    let text = match item.kind {
        NewsKind::Alarm(application) => format!("{}{application}", tr.t("告警：", "Alarm: ")),
        NewsKind::Reply { is_own: true } => {
            tr.t("收件箱：有短信分派给您", "Inbox: a text was given to you").to_owned()
        }
        NewsKind::Reply { is_own: false } => {
            tr.t("收件箱：有新短信待处理", "Inbox: a new text is open").to_owned()
        }
        NewsKind::LaunchRequested(draft) => {
            format!("{}{draft}", tr.t("活动草稿待您同意启动：", "A draft waits for consent: "))
        }
    };
    Notice { id: item.id, text }
}
