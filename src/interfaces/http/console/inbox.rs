//! Replies that want somebody, and messages in doubt.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::super::page_layout::{Frame, Say, page};
use super::super::auth::{Sent, Staff};
use super::super::Failure;
use super::super::state::Site;
use super::ZONE;
use crate::services::sms_sending::in_doubt::{self, Verdict, VerdictError};
use crate::domain::personal::Personal;
use crate::domain::role::Permission;
use crate::domain::time::Timestamp;
use crate::services::sealing::place;
use crate::adapters::database::messages::{self, ShownDoubt};
use crate::adapters::database::replies::{self, InboxEntry};

struct ReplyRow {
    of: InboxEntry,
    meaning: &'static str,
    at: String,
}

struct DoubtRow {
    of: ShownDoubt,
    at: String,
}

#[derive(Template)]
#[template(path = "console/inbox.html")]
struct InboxPage<'a> {
    f: Frame<'a>,
    noted: Option<&'static str>,
    may_reveal: bool,
    with_handled: bool,
    /// The reply that was opened, and what it says.
    opened: Option<(i64, Personal)>,
    replies: Vec<ReplyRow>,
    doubts: Vec<DoubtRow>,
}

/// What a reply was taken for, in Chinese and in English.
pub fn meaning_in_words(meaning: &str) -> (&'static str, &'static str) {
    match meaning {
        "opt_out" => ("退订", "opt-out"),
        "call_me" => ("请回电", "call me"),
        "wrong_number" => ("号码有误", "wrong number"),
        "begin" => ("同意短信作答", "wants to be asked by SMS"),
        "answer" => ("作答", "an answer"),
        _ => ("其他", "something else"),
    }
}

fn noted(s: Say, what: &str) -> Option<&'static str> {
    Some(match what {
        "done" => s.t("已处理。", "Dealt with."),
        "gone" => s.t("已被他人处理。", "Somebody else has dealt with it."),
        "settled" => s.t("已处理存疑短信。", "The message is settled."),
        "unreadable" => {
            s.t("此回复来自从未联系过的号码，只保留了含义。", "This reply came from a number that was never written to; only its meaning was kept.")
        }
        _ => return None,
    })
}

async fn render(
    site: &Site,
    staff: &Staff,
    noted: Option<&'static str>,
    with_handled: bool,
    opened: Option<(i64, Personal)>,
) -> Result<Response, Failure> {
    let shown = |at: Timestamp| at.in_zone(ZONE).format("%m-%d %H:%M").to_string();
    let mut connection = site.installation.store.read().await?;
    let mut all = replies::inbox(&mut connection, None, with_handled).await?;
    // Whoever wants a call comes first.
    all.sort_by_key(|reply| (reply.handled_at.is_some(), reply.meaning != "call_me", reply.received_at));
    let since = site.installation.clock.now() - site.installation.config.dispatch.ask_after;
    let doubts = messages::doubts(&mut connection, since).await?;
    drop(connection);
    let row = |of: InboxEntry| ReplyRow { meaning: staff.say.of(meaning_in_words(&of.meaning)), at: shown(of.received_at), of };
    let inbox = InboxPage {
        f: Frame::of(staff),
        noted,
        may_reveal: staff.may(Permission::Reveal),
        with_handled,
        opened,
        replies: all.into_iter().map(row).collect(),
        doubts: doubts.into_iter().map(|of| DoubtRow { at: shown(of.submitted_at), of }).collect(),
    };
    Ok(page(StatusCode::OK, &inbox))
}

pub async fn show(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let noted = query.get("noted").and_then(|what| noted(staff.say, what));
    render(&site, &staff, noted, query.contains_key("all"), None).await
}

/// Shows what a reply says; no address leads to it.
pub async fn read(State(site): State<Arc<Site>>, Extension(staff): Extension<Staff>, Path(reply): Path<i64>) -> Result<Response, Failure> {
    let sealed = replies::sealed_text(&mut *site.installation.store.read().await?, reply).await?.ok_or(Failure::NotFound)?;
    let Some((sealed, key)) = sealed else { return Ok(Redirect::to("/inbox?noted=unreadable").into_response()) };
    let opened = site.installation.keys.sealer(&key).map_err(|error| Failure::Internal(error.to_string()))?.open_text(place::REPLY, &sealed);
    let text = Personal::new(opened.map_err(|error| Failure::Internal(error.to_string()))?);
    render(&site, &staff, None, true, Some((reply, text))).await
}

pub async fn done(State(site): State<Arc<Site>>, Path(reply): Path<i64>) -> Result<Redirect, Failure> {
    let mut tx = site.installation.store.write().await?;
    let is_done = replies::mark_handled(&mut tx, reply, site.installation.clock.now()).await?;
    tx.commit().await?;
    Ok(Redirect::to(if is_done { "/inbox?noted=done" } else { "/inbox?noted=gone" }))
}

/// Somebody has found out whether a message in doubt went out.
pub async fn settle(State(site): State<Arc<Site>>, Extension(sent): Extension<Sent>, Path(reference): Path<String>) -> Result<Redirect, Failure> {
    let verdict = match sent.text("as") {
        "sent" => Verdict::Sent,
        "not_sent" => Verdict::NotSent,
        _ => return Err(Failure::Unreadable("the form does not say what became of it".into())),
    };
    match in_doubt::settle_by_hand(&site.installation, &reference, verdict).await {
        Ok(_) => Ok(Redirect::to("/inbox?noted=settled")),
        Err(VerdictError::Unknown(_)) => Err(Failure::NotFound),
        Err(VerdictError::NotInDoubt { .. }) => Ok(Redirect::to("/inbox?noted=gone")),
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}
