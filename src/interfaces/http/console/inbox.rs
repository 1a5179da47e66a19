//! Replies that need a person: in a list, each with its thread, given to somebody, handed to the
//! interviewers, dealt with one by one or several at once; and messages in doubt.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::super::super::errors::LocalizedError;
use super::super::Failure;
use super::super::auth::{FormFields, Staff};
use super::super::page_layout::{PageLayout, Translator, render_page};
use super::super::state::AppState;
use super::ZONE;
use super::cases::state_of_message;
use super::drafts::page::Bubble;
use crate::adapters::database::messages::{self, DoubtSummary};
use crate::adapters::database::replies::{self, InboxEntry};
use crate::adapters::database::staff_answers;
use crate::domain::audit::Action;
use crate::domain::language::Language;
use crate::domain::personal::Personal;
use crate::domain::role::Permission;
use crate::domain::time::Timestamp;
use crate::services::accounts::colleagues::{self, Colleagues};
use crate::services::sms_inbound::answer::{self, AnswerError, WrittenAnswer};
use crate::services::sms_inbound::inbox::{InboxError, OpenReply, open_reply};
use crate::services::sms_inbound::thread::{self, AnswerState, Said, ThreadError};
use crate::services::sms_sending::in_doubt::{self, DoubtResolution, DoubtResolutionError};

struct ReplyRow {
    entry: InboxEntry,
    meaning: &'static str,
    at: String,
    /// What was written, for those who may see it.
    text: Option<Personal>,
    /// Name of the member of staff who takes care of it.
    assigned_to: Option<Personal>,
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
    only_mine: bool,
    replies: Vec<ReplyRow>,
    /// Replies whose answers have not arrived.
    lost_answers: Vec<i64>,
    in_doubt: Vec<InDoubtRow>,
}

/// An entry of a thread, as the page shows it.
struct SaidRow {
    at: String,
    is_ours: bool,
    is_this: bool,
    head: String,
    text: Option<Personal>,
}

#[derive(Template)]
#[template(path = "console/reply.html")]
struct ReplyPage<'a> {
    layout: PageLayout<'a>,
    flash: Option<&'static str>,
    problem: Option<String>,
    entry: InboxEntry,
    meaning: &'static str,
    /// Name and number.
    person: Option<(Personal, Personal)>,
    /// Number of somebody who was never written to.
    sender: Option<Personal>,
    rows: Vec<SaidRow>,
    is_in_queue: bool,
    is_suppressed: bool,
    /// What is being written to the person, and how it looks on a phone.
    typed: String,
    answers: u32,
    is_running: bool,
    has_open_case: bool,
    bubble: Option<Bubble>,
    /// Accounts and names of the staff.
    colleagues: Vec<(String, Personal)>,
    me: String,
}

impl ReplyPage<'_> {
    fn may_be_answered(&self) -> bool {
        self.person.is_some() && !self.is_suppressed && self.is_running
    }

    fn may_be_called(&self) -> bool {
        self.has_open_case && !self.is_in_queue && !self.is_suppressed
    }

    fn is_with(&self, account: &str) -> bool {
        self.entry.assigned_to.as_deref() == Some(account)
    }
}

#[derive(Template)]
#[template(path = "console/draft-previews.html")]
struct AnswerPreview {
    tr: Translator,
    bubbles: Vec<Bubble>,
}

/// What can be put into an answer.
const PLACEHOLDERS: [(&str, (&str, &str)); 3] = [
    ("{link}", ("链接", "link")),
    ("{name}", ("姓名", "name")),
    ("{subject}", ("评价对象", "subject")),
];

/// An answer that has not arrived is shown above the list for so long.
const LOST_ANSWERS_FOR: Duration = Duration::from_secs(14 * 86_400);

/// Texts that the list shows at once; more are on their own pages.
const SHOWN_AT_ONCE: usize = 100;

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
        "assigned" => tr.t("已分派。", "It is given to them."),
        "called" => tr.t(
            "已转交访问员，将在联系时段内回电。",
            "The interviewers have it, and call within the contact hours.",
        ),
        "answered" => tr.t(
            "答复已排队，将在联系时段内发出。",
            "The answer is waiting to go, and is sent within the contact hours.",
        ),
        "none" => tr.t("没有勾选回复。", "No reply is ticked."),
        _ => return None,
    })
}

fn format_time(at: Timestamp) -> String {
    at.in_zone(ZONE).format("%m-%d %H:%M").to_string()
}

fn internal(error: impl std::fmt::Display) -> Failure {
    Failure::Internal(error.to_string())
}

/// Opens a reply for the page; what cannot be read is told in its place.
async fn open(app: &AppState, tr: Translator, reply: i64) -> Result<Option<OpenReply>, Failure> {
    let sealed = replies::sealed_reply(&mut *app.context.database.read().await?, reply).await?;
    let Some(sealed) = sealed else { return Ok(None) };
    let unreadable = tr.t(
        "此回复来自从未联系过的号码，当时只保留了含义。",
        "This reply came from a number that was never written to; at that time only its meaning \
            was kept.",
    );
    match open_reply(&app.context, &sealed) {
        Ok(open) => Ok(Some(open)),
        Err(InboxError::NotKept) => {
            Ok(Some(OpenReply { text: Personal::new(unreadable), sender: None }))
        }
        Err(InboxError::Keys(_) | InboxError::Seal(_)) => Ok(None),
    }
}

/// The list; who may see texts sees them at once, which is written down.
pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let flash = query.get("noted").and_then(|what| flash_text(staff.tr, what));
    let with_handled = query.contains_key("all");
    let only_mine = query.contains_key("mine");
    let may_reveal = staff.may(Permission::Reveal);
    let me = &staff.session.account.name;
    let mut connection = app.context.database.read().await?;
    let mut all = replies::inbox(&mut connection, None, with_handled).await?;
    all.retain(|reply| !only_mine || reply.assigned_to.as_deref() == Some(me.as_str()));
    // Those that were not understood come first: they hold up a message.
    let urgency = |reply: &InboxEntry| match reply.meaning.as_str() {
        "other" | "wrong_number" => 0,
        "call_me" => 1,
        _ => 2,
    };
    all.sort_by_key(|reply| (reply.handled_at.is_some(), urgency(reply), reply.received_at));
    let since = app.context.clock.now() - app.context.config.dispatch.query_after;
    let in_doubt = messages::list_in_doubt(&mut connection, since).await?;
    let lost_since = app.context.clock.now() - LOST_ANSWERS_FOR;
    let lost_answers = staff_answers::not_arrived(&mut connection, lost_since).await?;
    drop(connection);
    let colleagues = Colleagues::load(&app.context).await.map_err(internal)?;
    let shown = all.iter().take(SHOWN_AT_ONCE).map(|reply| reply.id).collect::<Vec<_>>();
    let mut texts: BTreeMap<i64, Personal> = BTreeMap::new();
    if may_reveal && !shown.is_empty() {
        let numbers = shown.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let detail: String = numbers.chars().take(500).collect();
        let mut tx = app.context.database.write().await?;
        let actor = staff.session.actor();
        let what = ("inbox", detail.as_str());
        app.context.audit_with_detail(&mut tx, &actor, Action::ReplyViewed, what).await?;
        tx.commit().await?;
        for id in shown {
            if let Some(open) = open(&app, staff.tr, id).await? {
                texts.insert(id, open.text);
            }
        }
    }
    let row = |entry: InboxEntry| ReplyRow {
        meaning: staff.tr.pair(meaning_label(&entry.meaning)),
        at: format_time(entry.received_at),
        text: texts.get(&entry.id).cloned(),
        assigned_to: entry.assigned_to.as_deref().map(|account| colleagues.name(account)),
        entry,
    };
    let template = InboxPage {
        layout: PageLayout::for_staff(&staff),
        flash,
        may_reveal,
        with_handled,
        only_mine,
        replies: all.into_iter().map(row).collect(),
        lost_answers,
        in_doubt: in_doubt
            .into_iter()
            .map(|message| InDoubtRow { at: format_time(message.submitted_at), message })
            .collect(),
    };
    Ok(render_page(StatusCode::OK, &template))
}

/// A reply with its thread.
pub async fn read(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(reply): Path<i64>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let flash = query.get("noted").and_then(|what| flash_text(staff.tr, what));
    render_reply(&app, &staff, (StatusCode::OK, flash, None), reply, "").await
}

async fn render_reply(
    app: &AppState,
    staff: &Staff,
    (status, flash, problem): (StatusCode, Option<&'static str>, Option<String>),
    reply: i64,
    typed: &str,
) -> Result<Response, Failure> {
    let tr = staff.tr;
    let entry = replies::find(&mut *app.context.database.read().await?, reply).await?;
    let entry = entry.ok_or(Failure::NotFound)?;
    let thread = match entry.invitation {
        Some(invitation) => Some(thread::thread(&app.context, invitation).await.map_err(internal)?),
        None => None,
    };
    let opened = if thread.is_none() { open(app, tr, reply).await? } else { None };
    let colleagues = Colleagues::load(&app.context).await.map_err(internal)?;
    let mut rows: Vec<SaidRow> = thread
        .iter()
        .flat_map(|thread| &thread.entries)
        .map(|entry| said_row(tr, reply, &colleagues, entry))
        .collect();
    let bubble = match typed.trim() {
        "" => None,
        typed => bubble(app, tr, reply, typed).await,
    };
    if let Some(open) = &opened {
        rows.push(SaidRow {
            at: format_time(entry.received_at),
            is_ours: false,
            is_this: true,
            head: tr.pair(meaning_label(&entry.meaning)).to_owned(),
            text: Some(open.text.clone()),
        });
    }
    let template = ReplyPage {
        layout: PageLayout::for_staff(staff),
        flash,
        problem,
        meaning: tr.pair(meaning_label(&entry.meaning)),
        person: thread.as_ref().and_then(|thread| thread.person.clone()),
        sender: opened.and_then(|open| open.sender),
        rows,
        is_in_queue: thread.as_ref().is_some_and(|thread| thread.is_in_queue),
        is_suppressed: thread.as_ref().is_some_and(|thread| thread.is_suppressed),
        typed: typed.to_owned(),
        answers: thread.as_ref().map_or(0, |thread| thread.answers),
        is_running: thread.as_ref().is_some_and(|thread| thread.is_running),
        has_open_case: thread.as_ref().is_some_and(|thread| thread.has_open_case),
        bubble,
        colleagues: colleagues::who_may(&app.context, Permission::Operate)
            .await
            .map_err(internal)?,
        me: staff.session.account.name.clone(),
        entry,
    };
    Ok(render_page(status, &template))
}

/// How an answer looks; `None`: nobody can be answered.
async fn bubble(app: &AppState, tr: Translator, reply: i64, text: &str) -> Option<Bubble> {
    let shown = match answer::preview(&app.context, reply, text).await {
        Ok(preview) => Ok(preview),
        Err(AnswerError::Text(error)) => Err(error.localized(tr.0)),
        Err(_) => return None,
    };
    Some(Bubble { field: "answer".into(), language: Language::default(), shown, is_spoken: false })
}

fn said_row(
    tr: Translator,
    reply: i64,
    colleagues: &Colleagues,
    entry: &thread::ThreadEntry,
) -> SaidRow {
    let (is_ours, is_this, head, text) = match &entry.said {
        Said::Sent { name, text, message } => {
            let state = tr.pair(state_of_message(&message.state));
            let name = if name.is_empty() { tr.t("短信", "message") } else { name };
            (true, false, format!("{name} · {state}"), text)
        }
        Said::Answered { by, text, state } => {
            let state = match state {
                AnswerState::DueAt(at) => {
                    let from = tr.t("待发送，最早", "waiting, not before");
                    format!("{from} {}", format_time(*at))
                }
                AnswerState::Sent(message) => tr.pair(state_of_message(&message.state)).to_owned(),
                AnswerState::Dropped => tr
                    .t("未发出：此人已退订或情况有变", "not sent: they opted out or moved on")
                    .to_owned(),
            };
            let head = format!("{} · {state}", colleagues.name(by).reveal());
            (true, false, head, text)
        }
        Said::Received { id, meaning, text } => {
            (false, *id == reply, tr.pair(meaning_label(meaning)).to_owned(), text)
        }
    };
    SaidRow { at: format_time(entry.at), is_ours, is_this, head, text: text.clone() }
}

/// Answers a reply by SMS.
pub async fn answer_by_sms(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(reply): Path<i64>,
) -> Result<Response, Failure> {
    let text = form.text("answer");
    let mut tx = app.context.database.write().await?;
    let written = WrittenAnswer {
        text,
        by: &staff.session.account.name,
        seen: form.text("seen").parse().unwrap_or_default(),
    };
    let done = || Redirect::to(&format!("/inbox/{reply}?noted=answered")).into_response();
    match answer::answer(&app.context, &mut tx, reply, &written).await {
        Ok(false) => Ok(done()),
        Ok(true) => {
            let object = format!("reply:{reply}");
            let actor = staff.session.actor();
            app.context.audit(&mut tx, &actor, Action::ReplyAnswered, &object).await?;
            tx.commit().await?;
            Ok(done())
        }
        Err(AnswerError::NotFound) => Err(Failure::NotFound),
        Err(
            error @ (AnswerError::Plan(_)
            | AnswerError::Database(_)
            | AnswerError::Keys(_)
            | AnswerError::Seal(_)),
        ) => Err(internal(error)),
        Err(error) => {
            drop(tx);
            let status = match error {
                AnswerError::Empty | AnswerError::Text(_) | AnswerError::TooLong { .. } => {
                    StatusCode::UNPROCESSABLE_ENTITY
                }
                _ => StatusCode::CONFLICT,
            };
            let said = (status, None, Some(error.localized(staff.tr.0)));
            render_reply(&app, &staff, said, reply, text).await
        }
    }
}

/// Shows an answer that is being typed; nothing is kept.
pub async fn preview_answer(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(reply): Path<i64>,
) -> Result<Response, Failure> {
    let bubbles = bubble(&app, staff.tr, reply, form.text("answer")).await.into_iter().collect();
    Ok(render_page(StatusCode::OK, &AnswerPreview { tr: staff.tr, bubbles }))
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

/// Marks the ticked replies as dealt with, each with its entry in the audit log.
pub async fn done_ticked(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
) -> Result<Redirect, Failure> {
    let ticked = form.0.keys().filter_map(|name| name.strip_prefix("pick-"));
    let ticked: Vec<i64> = ticked.filter_map(|id| id.parse().ok()).collect();
    if ticked.is_empty() {
        return Ok(Redirect::to("/inbox?noted=none"));
    }
    let now = app.context.clock.now();
    let mut tx = app.context.database.write().await?;
    let mut done = Vec::new();
    for reply in ticked {
        if replies::mark_handled(&mut tx, reply, now).await? {
            done.push(reply);
        }
    }
    let actor = staff.session.actor();
    for reply in &done {
        let object = format!("reply:{reply}");
        app.context.audit(&mut tx, &actor, Action::ReplyHandled, &object).await?;
    }
    tx.commit().await?;
    Ok(Redirect::to(if done.is_empty() { "/inbox?noted=gone" } else { "/inbox?noted=done" }))
}

/// Gives a reply to a member of the staff; to nobody if the field is empty.
pub async fn assign(
    State(app): State<Arc<AppState>>,
    Extension(form): Extension<FormFields>,
    Path(reply): Path<i64>,
) -> Result<Redirect, Failure> {
    let to = form.text("to").trim();
    let staff = colleagues::who_may(&app.context, Permission::Operate).await.map_err(internal)?;
    if !to.is_empty() && staff.iter().all(|(account, _)| account != to) {
        return Err(Failure::BadRequest("the form names nobody who deals with replies".into()));
    }
    let mut tx = app.context.database.write().await?;
    let is_there = replies::assign(&mut tx, reply, Some(to).filter(|to| !to.is_empty())).await?;
    tx.commit().await?;
    if !is_there {
        return Err(Failure::NotFound);
    }
    Ok(Redirect::to(&format!("/inbox/{reply}?noted=assigned")))
}

/// Hands the person of a reply to the interviewers.
pub async fn to_interviewers(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(reply): Path<i64>,
) -> Result<Response, Failure> {
    match thread::hand_to_interviewers(&app.context, reply).await {
        Ok(()) => Ok(Redirect::to("/inbox?noted=called").into_response()),
        Err(ThreadError::NotFound) => Err(Failure::NotFound),
        Err(ThreadError::NotCallable) => {
            let problem = staff.tr.t(
                "不能回电：个案已结束，或该号码在免打扰名单中。",
                "Nobody can be called: the case is closed, or the number is suppressed.",
            );
            let said = (StatusCode::CONFLICT, None, Some(problem.to_owned()));
            render_reply(&app, &staff, said, reply, "").await
        }
        Err(error) => Err(internal(error)),
    }
}

/// Settles all listed messages in doubt as not sent: they go out again.
pub async fn resend_all(State(app): State<Arc<AppState>>) -> Result<Redirect, Failure> {
    in_doubt::resolve_all_as_not_sent(&app.context).await.map_err(internal)?;
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
        Err(error) => Err(internal(error)),
    }
}
