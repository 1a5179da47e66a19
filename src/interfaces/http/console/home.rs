//! The home page: pending work, gateways and all applications by risk.

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
use crate::adapters::database::{alarms, applications};
use crate::domain::role::Permission;
use crate::domain::time::Timestamp;
use crate::services::accounts::colleagues::Colleagues;
use crate::services::deadlines::ApplicationOverview;
use crate::services::monitoring::overview::{self, SystemOverview};

/// An application's row on the home page.
pub struct ApplicationRow<'a> {
    pub overview: &'a ApplicationOverview,
    pub state: &'static str,
    pub chance: String,
    /// CSS class of the risk: `bad`, `warning`, `good`, or empty if unknown.
    pub status_class: &'static str,
}

pub struct ProgrammeView<'a> {
    pub code: &'a str,
    pub name: &'a str,
    pub rows: Vec<ApplicationRow<'a>>,
}

pub struct GatewayView<'a> {
    pub name: &'a str,
    pub status_text: String,
    pub status_class: &'static str,
}

/// The part of the page that server-sent events update.
#[derive(Template)]
#[template(path = "console/home-live.html")]
pub struct HomeLive<'a> {
    pub tr: Translator,
    pub token: &'a str,
    pub may_operate: bool,
    pub at: String,
    pub overview: &'a SystemOverview,
    pub colleagues: &'a Colleagues,
    pub programmes: Vec<ProgrammeView<'a>>,
    pub gateways: Vec<GatewayView<'a>>,
}

#[derive(Template)]
#[template(path = "console/home.html")]
struct HomePage<'a> {
    layout: PageLayout<'a>,
    flash: Option<&'static str>,
    live: HomeLive<'a>,
}

pub fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// Returns the CSS class of a probability: `bad` below 0.5, `warning` below 0.9.
pub fn chance_class(chance: Option<f64>) -> &'static str {
    match chance {
        Some(chance) if chance < 0.5 => "bad",
        Some(chance) if chance < 0.9 => "warning",
        Some(_) => "good",
        None => "",
    }
}

pub fn state_label(tr: Translator, state: &str) -> &'static str {
    match state {
        "registered" => tr.t("可启动", "ready to launch"),
        "waits_for_list" => tr.t("待名单", "waits for its list"),
        "waits_for_fee" => tr.t("待费用", "waits for the fee"),
        "in_field" => tr.t("进行中", "in the field"),
        "on_hold" => tr.t("暂停", "on hold"),
        "running" => tr.t("进行中", "running"),
        "paused" => tr.t("已暂停", "paused"),
        _ => tr.t("已结束", "closed"),
    }
}

impl<'a> HomeLive<'a> {
    pub fn new(
        tr: Translator,
        token: &'a str,
        may_operate: bool,
        (overview, colleagues): (&'a SystemOverview, &'a Colleagues),
    ) -> HomeLive<'a> {
        let row = |overview: &'a ApplicationOverview| ApplicationRow {
            overview,
            state: state_label(tr, overview.state),
            chance: overview
                .chance
                .filter(|_| overview.state != "closed")
                .map(percent)
                .unwrap_or_default(),
            status_class: chance_class(overview.chance.filter(|_| overview.state != "closed")),
        };
        let format_time = |at: Timestamp| at.in_zone(ZONE).format("%m-%d %H:%M").to_string();
        let gateway = |state: &'a overview::GatewayHealth| {
            let (status_text, status_class) = match (state.paused_until, state.pace_permille) {
                (Some(until), _) => {
                    (format!("{} {}", tr.t("停用至", "paused until"), format_time(until)), "bad")
                }
                (None, 1000) => (tr.t("正常", "ok").to_owned(), "good"),
                (None, permille) => {
                    (format!("{} {} %", tr.t("减速至", "throttled to"), permille / 10), "warning")
                }
            };
            GatewayView { name: &state.name, status_text, status_class }
        };
        HomeLive {
            tr,
            token,
            may_operate,
            at: overview.at.in_zone(ZONE).format("%H:%M:%S").to_string(),
            programmes: overview
                .programmes
                .iter()
                .map(|programme| ProgrammeView {
                    code: &programme.code,
                    name: tr.t(&programme.name.0, &programme.name.1),
                    rows: programme.applications.iter().map(row).collect(),
                })
                .collect(),
            gateways: overview.gateways.iter().map(gateway).collect(),
            overview,
            colleagues,
        }
    }

    /// Returns the real name behind an account.
    fn name(&self, account: &str) -> String {
        self.colleagues.name(account).reveal().to_owned()
    }

    fn chance(&self, chance: &f64) -> String {
        percent(*chance)
    }

    fn work_label(&self, kind: &str) -> &'static str {
        let tr = self.tr;
        match kind {
            "dispatch" => tr.t("发送短信", "sending"),
            "query" => tr.t("查询短信状态", "asking after a message"),
            "receipt" => tr.t("处理回执", "a receipt"),
            "close_field" => tr.t("结束调查", "closing the field"),
            "correction" => tr.t("撤回同意后的数据修订", "correction after a withdrawn consent"),
            "interim_version" => tr.t("中期数据", "interim version"),
            "replicates" => tr.t("释放子样本", "replicates"),
            "write_dataset" => tr.t("生成数据文件", "writing the dataset"),
            "deliver_dataset" => tr.t("交付数据", "delivery"),
            "forecast" => tr.t("预测", "forecast"),
            "webhook" => tr.t("事件推送", "webhook"),
            "purge" => tr.t("到期删除个人信息", "deletion in time"),
            "call_lease" => tr.t("结束通话", "ending a call"),
            "long_reply" => tr.t("合并长回复", "joining a long reply"),
            _ => "",
        }
    }

    fn when(&self, at: &Timestamp) -> String {
        at.in_zone(ZONE).format("%m-%d %H:%M").to_string()
    }
}

fn flash_text(tr: Translator, what: &str) -> Option<&'static str> {
    Some(match what {
        "taken" => tr.t("警报已确认，不再重复。", "Alarm acknowledged; it is not repeated."),
        "no-alarm" => tr.t("此警报已不存在。", "There is no such alarm any more."),
        _ => return None,
    })
}

pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let overview = overview::system_overview(&app.context).await?;
    let flash = query.get("noted").and_then(|what| flash_text(staff.tr, what));
    let colleagues = Colleagues::load(&app.context)
        .await
        .map_err(|error| Failure::Internal(error.to_string()))?;
    let live = HomeLive::new(
        staff.tr,
        &staff.form_token,
        staff.may(Permission::Operate),
        (&overview, &colleagues),
    );
    Ok(render_page(
        StatusCode::OK,
        &HomePage { layout: PageLayout::for_staff(&staff), flash, live },
    ))
}

/// Acknowledges an alarm.
pub async fn acknowledge_alarm(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(code): Path<String>,
) -> Result<Response, Failure> {
    let mut tx = app.context.database.write().await?;
    let application = applications::find(&mut tx, &code).await?.ok_or(Failure::NotFound)?;
    let actor = &staff.session.account.name;
    let is_taken = alarms::acknowledge(
        &mut tx,
        application.id,
        actor,
        form.text("note").trim(),
        app.context.clock.now(),
    )
    .await?;
    tx.commit().await?;
    Ok(Redirect::to(if is_taken { "/home?noted=taken" } else { "/home?noted=no-alarm" })
        .into_response())
}
