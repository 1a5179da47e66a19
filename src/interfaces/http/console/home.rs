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
use crate::domain::role::{Permission, Role};
use crate::domain::time::Timestamp;
use crate::services::accounts::colleagues::Colleagues;
use crate::services::deadlines::ApplicationOverview;
use crate::services::monitoring::overview::{self, FirstSteps, SystemOverview};

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

/// A step before the first launch.
pub struct FirstStep {
    pub label: &'static str,
    pub what: &'static str,
    pub is_done: bool,
    /// Where it is done; `None`: the user may not, or an earlier step is missing.
    pub link: Option<String>,
}

pub struct GatewayView<'a> {
    pub name: &'a str,
    /// Why it is paused.
    pub reason: &'a str,
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
    role: Role,
    /// Empty once something was launched.
    pub first_steps: Vec<FirstStep>,
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
        role: Role,
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
            let reason = state.paused_until.and(state.paused_because.as_deref());
            GatewayView {
                name: &state.name,
                reason: reason.unwrap_or_default(),
                status_text,
                status_class,
            }
        };
        HomeLive {
            tr,
            token,
            may_operate: role.may(Permission::Operate),
            role,
            first_steps: overview
                .first_steps
                .as_ref()
                .filter(|_| role.may(Permission::Operate))
                .map(|steps| first_steps(tr, role, steps))
                .unwrap_or_default(),
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

    /// Returns the page where stuck work can be seen, and what can be done.
    fn work_help(&self, kind: &str) -> (Option<&'static str>, &'static str) {
        let tr = self.tr;
        let (path, permission, what) = match kind {
            "write_dataset" | "deliver_dataset" | "interim_version" | "correction" => (
                "/deliveries",
                Permission::Read,
                tr.t(
                    "请管理员检查磁盘空间和交付设置；排除后自动继续。",
                    "Check the disk and the delivery's settings; it goes on by itself.",
                ),
            ),
            "query" | "receipt" | "dispatch" => (
                "/inbox",
                Permission::Operate,
                tr.t(
                    "请核对短信网关的账户和网络；排除后自动继续。",
                    "Check the gateway's account and the network; it goes on by itself.",
                ),
            ),
            "long_reply" => (
                "/inbox",
                Permission::Operate,
                tr.t(
                    "内容可能不全，请在回复页查看。",
                    "The text may be incomplete; see the inbox.",
                ),
            ),
            "webhook" => (
                "/webhooks",
                Permission::ManageAccounts,
                tr.t("请核对接收地址。", "Check the receiver's address."),
            ),
            "purge" => (
                "/privacy",
                Permission::ManageAccounts,
                tr.t("请在个人信息页手工清除。", "Delete by hand on the page Privacy."),
            ),
            "call_lease" => (
                "/supervision",
                Permission::Supervise,
                tr.t("请在电话督导页查看。", "See the page Supervision."),
            ),
            _ => (
                "/campaigns",
                Permission::Read,
                tr.t(
                    "系统会继续重试；持续出现请联系管理员。",
                    "It is tried again; if it lasts, tell an administrator.",
                ),
            ),
        };
        (Some(path).filter(|_| self.role.may(permission)), what)
    }

    /// Returns the codes of a list's applications.
    fn codes<'b>(&self, codes: &'b str) -> Vec<&'b str> {
        codes.split(',').collect()
    }

    fn may_manage(&self) -> bool {
        self.role.may(Permission::ManageAccounts)
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
            "interim_version" => tr.t("期中版本", "interim version"),
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

/// Returns the steps before the first launch, in their order.
fn first_steps(tr: Translator, role: Role, steps: &FirstSteps) -> Vec<FirstStep> {
    let page = |path: &str| Some(path.to_owned());
    let draft = steps.draft.as_ref().map(|code| format!("/drafts/{code}"));
    let step = |(label, what): (&'static str, &'static str), is_done, link| FirstStep {
        label,
        what,
        is_done,
        link,
    };
    vec![
        step(
            (tr.t("评价项目", "Programme"), tr.t("填写名称和期限", "its name and its months")),
            steps.has_programme,
            page("/setup"),
        ),
        step(
            (tr.t("同事账户", "Accounts"), tr.t("用链接邀请同事", "invite colleagues by a link")),
            steps.has_colleague,
            page("/accounts").filter(|_| role.may(Permission::ManageAccounts)),
        ),
        step(
            (
                tr.t("申报和名单", "Application and list"),
                tr.t("登记申报，上传受访者名单", "register it, and upload its people"),
            ),
            steps.has_list,
            page("/setup").filter(|_| steps.has_programme),
        ),
        step(
            (
                tr.t("活动和联系计划", "Campaign and contact plan"),
                tr.t("选择申报，确定何时发什么短信", "which messages go out when"),
            ),
            steps.draft.is_some(),
            page("/new-campaign").filter(|_| steps.has_application),
        ),
        step(
            (
                tr.t("短信网关测试", "Gateway test"),
                tr.t("在草稿页给自己发一条测试短信", "send yourself a message from the draft"),
            ),
            steps.has_test,
            draft.as_ref().map(|draft| format!("{draft}#test")),
        ),
        step(
            (
                tr.t("启动", "Launch"),
                tr.t("核对日历、费用和预演后启动", "after calendar, cost and rehearsal"),
            ),
            false,
            draft.as_ref().filter(|_| steps.has_list).map(|draft| format!("{draft}#launch")),
        ),
    ]
}

fn flash_text(tr: Translator, what: &str) -> Option<&'static str> {
    Some(match what {
        "taken" => tr.t("告警已确认，不再重复。", "Alarm acknowledged; it is not repeated."),
        "no-alarm" => tr.t("此告警已不存在。", "There is no such alarm any more."),
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
        staff.session.account.role,
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
