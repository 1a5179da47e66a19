//! The home page: everything by danger.

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
use crate::services::deadlines::Overview;
use crate::domain::role::Permission;
use crate::domain::time::Timestamp;
use crate::adapters::database::{alarms, applications};
use crate::services::monitoring::overview::{self, Board};

/// An application, as a row tells it.
pub struct ApplicationRow<'a> {
    pub of: &'a Overview,
    pub state: &'static str,
    pub chance: String,
    /// How endangered: `bad`, `watch`, `good`, or nothing where nothing can be said.
    pub danger: &'static str,
}

pub struct ProgrammeView<'a> {
    pub code: &'a str,
    pub name: &'a str,
    pub rows: Vec<ApplicationRow<'a>>,
}

pub struct GatewayView<'a> {
    pub name: &'a str,
    pub says: String,
    pub danger: &'static str,
}

/// The part of the page that goes on telling.
#[derive(Template)]
#[template(path = "console/home-live.html")]
pub struct HomeLive<'a> {
    pub s: Say,
    pub token: &'a str,
    pub may_operate: bool,
    pub at: String,
    pub board: &'a Board,
    pub programmes: Vec<ProgrammeView<'a>>,
    pub gateways: Vec<GatewayView<'a>>,
}

#[derive(Template)]
#[template(path = "console/home.html")]
struct HomePage<'a> {
    f: Frame<'a>,
    noted: Option<&'static str>,
    live: HomeLive<'a>,
}

pub fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// How a chance looks: below a half it is in danger, below nine of ten it wants an eye.
pub fn danger_of(chance: Option<f64>) -> &'static str {
    match chance {
        Some(chance) if chance < 0.5 => "bad",
        Some(chance) if chance < 0.9 => "watch",
        Some(_) => "good",
        None => "",
    }
}

pub fn state_in_words(s: Say, state: &str) -> &'static str {
    match state {
        "registered" => s.t("可启动", "ready to launch"),
        "waits_for_list" => s.t("待名单", "waits for its list"),
        "waits_for_fee" => s.t("待费用", "waits for the fee"),
        "in_field" => s.t("进行中", "in the field"),
        "on_hold" => s.t("暂停", "on hold"),
        "running" => s.t("进行中", "running"),
        "paused" => s.t("已暂停", "paused"),
        _ => s.t("已结束", "closed"),
    }
}

impl<'a> HomeLive<'a> {
    pub fn new(s: Say, token: &'a str, may_operate: bool, board: &'a Board) -> HomeLive<'a> {
        let row = |of: &'a Overview| ApplicationRow {
            of,
            state: state_in_words(s, of.state),
            chance: of.chance.filter(|_| of.state != "closed").map(percent).unwrap_or_default(),
            danger: danger_of(of.chance.filter(|_| of.state != "closed")),
        };
        let shown = |at: Timestamp| at.in_zone(ZONE).format("%m-%d %H:%M").to_string();
        let gateway = |of: &'a overview::GatewayOf| {
            let (says, danger) = match (of.paused_until, of.pace_permille) {
                (Some(until), _) => (format!("{} {}", s.t("停用至", "held still until"), shown(until)), "bad"),
                (None, 1000) => (s.t("正常", "well").to_owned(), "good"),
                (None, permille) => (format!("{} {} %", s.t("减速至", "slowed down to"), permille / 10), "watch"),
            };
            GatewayView { name: &of.name, says, danger }
        };
        HomeLive {
            s,
            token,
            may_operate,
            at: board.at.in_zone(ZONE).format("%H:%M:%S").to_string(),
            programmes: board
                .programmes
                .iter()
                .map(|programme| ProgrammeView {
                    code: &programme.code,
                    name: s.t(&programme.name.0, &programme.name.1),
                    rows: programme.applications.iter().map(row).collect(),
                })
                .collect(),
            gateways: board.gateways.iter().map(gateway).collect(),
            board,
        }
    }

    fn chance(&self, chance: &f64) -> String {
        percent(*chance)
    }

    fn when(&self, at: &Timestamp) -> String {
        at.in_zone(ZONE).format("%m-%d %H:%M").to_string()
    }
}

fn noted(s: Say, what: &str) -> Option<&'static str> {
    Some(match what {
        "taken" => s.t("警报已确认，不再重复。", "You have taken over the alarm; it is not repeated."),
        "no-alarm" => s.t("此警报已不存在。", "There is no such alarm any more."),
        _ => return None,
    })
}

pub async fn show(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let board = overview::board(&site.installation).await?;
    let noted = query.get("noted").and_then(|what| noted(staff.say, what));
    let live = HomeLive::new(staff.say, &staff.form_token, staff.may(Permission::Operate), &board);
    Ok(page(StatusCode::OK, &HomePage { f: Frame::of(&staff), noted, live }))
}

/// Somebody takes over an alarm.
pub async fn take_alarm(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Extension(sent): Extension<Sent>,
    Path(code): Path<String>,
) -> Result<Response, Failure> {
    let mut tx = site.installation.store.write().await?;
    let application = applications::find(&mut tx, &code).await?.ok_or(Failure::NotFound)?;
    let who = &staff.session.account.name;
    let is_taken = alarms::acknowledge(&mut tx, application.id, who, sent.text("note").trim(), site.installation.clock.now()).await?;
    tx.commit().await?;
    Ok(Redirect::to(if is_taken { "/home?noted=taken" } else { "/home?noted=no-alarm" }).into_response())
}
