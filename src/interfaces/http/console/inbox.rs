//! Replies that need a person, and messages in doubt.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::super::Failure;
use super::super::auth::{FormFields, Staff};
use super::super::page_layout::{PageLayout, Translator, render_page};
use super::super::state::AppState;
use super::ZONE;
use crate::adapters::database::messages::{self, DoubtSummary};
use crate::adapters::database::replies::{self, InboxEntry};
use crate::domain::role::Permission;
use crate::domain::time::Timestamp;
use crate::services::sms_inbound::inbox::{InboxError, OpenReply, open_reply};
use crate::services::sms_sending::in_doubt::{self, DoubtResolution, DoubtResolutionError};

struct ReplyRow {
    entry: InboxEntry,
    meaning: &'static str,
    at: String,
}

struct InDoubtRow {
    message: DoubtSummary,
    at: String,
}

#[derive(Template)]
#[template(path = "console/inbox.html")]
struct InboxPage<'a> {
    layout: PageLayout<'a>,
    flash: Option<&'static str>,
    may_reveal: bool,
    with_handled: bool,
    /// The opened reply with its number.
    opened_reply: Option<(i64, OpenReply)>,
    replies: Vec<ReplyRow>,
    in_doubt: Vec<InDoubtRow>,
}

/// Returns the label of a reply's meaning, in Chinese and English.
pub fn meaning_label(meaning: &str) -> (&'static str, &'static str) {
    match meaning {
        "opt_out" => ("退订", "opt-out"),
        "resubscribe" => ("恢复接收", "wants messages again"),
        "call_me" => ("请回电", "call me"),
        "wrong_number" => ("号码有误", "wrong number"),
        "begin" => ("同意短信作答", "wants to be asked by SMS"),
        "answer" => ("作答", "an answer"),
        _ => ("没看懂", "not understood"),
    }
}

fn flash_text(tr: Translator, what: &str) -> Option<&'static str> {
    Some(match what {
        "done" => tr.t("已处理。", "Dealt with."),
        "gone" => tr.t("已被他人处理。", "Somebody else has dealt with it."),
        "resent" => tr.t("存疑短信将重新发送。", "The messages in doubt go out again."),
        "settled" => tr.t("已处理存疑短信。", "The message is settled."),
        "unreadable" => tr.t(
            "此回复来自从未联系过的号码，当时只保留了含义。",
            "This reply came from a number that was never written to; at that time only its \
                meaning was kept.",
        ),
        _ => return None,
    })
}

async fn render(
    app: &AppState,
    staff: &Staff,
    flash: Option<&'static str>,
    with_handled: bool,
    opened_reply: Option<(i64, OpenReply)>,
) -> Result<Response, Failure> {
    let format_time = |at: Timestamp| at.in_zone(ZONE).format("%m-%d %H:%M").to_string();
    let mut connection = app.context.database.read().await?;
    let mut all = replies::inbox(&mut connection, None, with_handled).await?;
    // Those that were not understood come first: they hold up a message.
    let urgency = |reply: &InboxEntry| match reply.meaning.as_str() {
        "other" | "wrong_number" => 0,
        "call_me" => 1,
        _ => 2,
    };
    all.sort_by_key(|reply| (reply.handled_at.is_some(), urgency(reply), reply.received_at));
    let since = app.context.clock.now() - app.context.config.dispatch.query_after;
    let in_doubt = messages::list_in_doubt(&mut connection, since).await?;
    drop(connection);
    let row = |entry: InboxEntry| ReplyRow {
        meaning: staff.tr.pair(meaning_label(&entry.meaning)),
        at: format_time(entry.received_at),
        entry,
    };
    let template = InboxPage {
        layout: PageLayout::for_staff(staff),
        flash,
        may_reveal: staff.may(Permission::Reveal),
        with_handled,
        opened_reply,
        replies: all.into_iter().map(row).collect(),
        in_doubt: in_doubt
            .into_iter()
            .map(|message| InDoubtRow { at: format_time(message.submitted_at), message })
            .collect(),
    };
    Ok(render_page(StatusCode::OK, &template))
}

pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let flash = query.get("noted").and_then(|what| flash_text(staff.tr, what));
    render(&app, &staff, flash, query.contains_key("all"), None).await
}

/// Shows the text of a reply; no URL leads to it.
pub async fn read(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(reply): Path<i64>,
) -> Result<Response, Failure> {
    let sealed = replies::sealed_reply(&mut *app.context.database.read().await?, reply)
        .await?
        .ok_or(Failure::NotFound)?;
    match open_reply(&app.context, &sealed) {
        Ok(open) => render(&app, &staff, None, true, Some((reply, open))).await,
        Err(InboxError::NotKept) => Ok(Redirect::to("/inbox?noted=unreadable").into_response()),
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

pub async fn done(
    State(app): State<Arc<AppState>>,
    Path(reply): Path<i64>,
) -> Result<Redirect, Failure> {
    let mut tx = app.context.database.write().await?;
    let is_done = replies::mark_handled(&mut tx, reply, app.context.clock.now()).await?;
    tx.commit().await?;
    Ok(Redirect::to(if is_done { "/inbox?noted=done" } else { "/inbox?noted=gone" }))
}

/// Settles all listed messages in doubt as not sent: they go out again.
pub async fn resend_all(State(app): State<Arc<AppState>>) -> Result<Redirect, Failure> {
    in_doubt::resolve_all_as_not_sent(&app.context)
        .await
        .map_err(|error| Failure::Internal(error.to_string()))?;
    Ok(Redirect::to("/inbox?noted=resent#in-doubt"))
}

/// Resolves a message in doubt.
pub async fn settle(
    State(app): State<Arc<AppState>>,
    Extension(form): Extension<FormFields>,
    Path(reference): Path<String>,
) -> Result<Redirect, Failure> {
    let verdict = match form.text("as") {
        "sent" => DoubtResolution::Sent,
        "not_sent" => DoubtResolution::NotSent,
        _ => return Err(Failure::BadRequest("the form does not say what became of it".into())),
    };
    match in_doubt::resolve_manually(&app.context, &reference, verdict).await {
        Ok(_) => Ok(Redirect::to("/inbox?noted=settled")),
        Err(DoubtResolutionError::Unknown(_)) => Err(Failure::NotFound),
        Err(DoubtResolutionError::NotInDoubt { .. }) => Ok(Redirect::to("/inbox?noted=gone")),
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}
