//! Campaigns: the list, one campaign's page, and what is done with it.

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
use super::home::{danger_of, percent, state_in_words};
use super::chart::{Curve, curve};
use super::{ZONE, csv_download};
use crate::services;
use crate::services::campaigns::{ApplicationStatus, CampaignError, RatesOf};
use crate::services::deadlines::changes::{self, By, ChangeError};
use crate::services::deadlines::{DeadlineError, close_campaign};
use crate::domain::disposition::Disposition;
use crate::domain::role::Permission;
use crate::adapters::database::campaigns::{self, Campaign, CampaignState};
use crate::services::monitoring::campaign::{ApplicationPicture, CampaignPicture, picture};

struct CampaignRow {
    of: Campaign,
    state: &'static str,
    launched: String,
}

#[derive(Template)]
#[template(path = "console/campaigns.html")]
struct CampaignsPage<'a> {
    f: Frame<'a>,
    rows: Vec<CampaignRow>,
}

pub async fn list(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let all = campaigns::all(&mut *site.installation.store.read().await?).await?;
    let row = |of: Campaign| CampaignRow { state: state_in_words(staff.say, of.state.as_str()), launched: of.launched_at.date(ZONE).to_string(), of };
    let rows: Vec<CampaignRow> = all.into_iter().map(row).collect();
    if query.get("format").is_some_and(|format| format == "csv") {
        let cells = rows.iter().map(|row| vec![row.of.code.clone(), row.of.state.as_str().to_owned(), row.of.gateway.clone(), row.launched.clone()]);
        return csv_download::csv("campaigns", &["campaign", "state", "gateway", "launched"], cells);
    }
    Ok(page(StatusCode::OK, &CampaignsPage { f: Frame::of(&staff), rows }))
}

/// One bar of the funnel.
struct Bar {
    words: &'static str,
    count: u64,
    /// In hundredths of the names.
    share: f64,
}

struct RateRow<'a> {
    of: &'a RatesOf,
    rates: Vec<String>,
}

struct ApplicationView<'a> {
    of: &'a ApplicationStatus,
    state: &'static str,
    danger: &'static str,
    chance: String,
    funnel: Vec<Bar>,
    curve: Option<Curve>,
    help: Vec<String>,
    dispositions: Vec<(&'a str, &'static str, u64)>,
}

const RATES: [&str; 5] = ["RR1", "RR3", "COOP1", "REF1", "CON1"];

#[derive(Template)]
#[template(path = "console/campaign.html")]
struct CampaignPage<'a> {
    f: Frame<'a>,
    noted: Option<&'static str>,
    problem: Option<String>,
    may_operate: bool,
    may_reveal: bool,
    state: &'static str,
    of: &'a CampaignPicture,
    applications: Vec<ApplicationView<'a>>,
    by_mode: Vec<RateRow<'a>>,
    by_wave: Vec<RateRow<'a>>,
}

impl CampaignPage<'_> {
    fn money(&self, amount: &f64) -> String {
        format!("{amount:.2} {}", self.of.status.currency)
    }
}

fn rate_row<'a>(s: Say) -> impl Fn(&'a RatesOf) -> RateRow<'a> {
    move |of| RateRow {
        rates: RATES
            .iter()
            .map(|name| of.rates.get(name).copied().flatten().map_or_else(|| s.t("无", "n/a").to_owned(), |rate| format!("{:.1} %", rate * 100.0)))
            .collect(),
        of,
    }
}

fn application_view<'a>(s: Say, of: &'a ApplicationStatus, picture: &'a ApplicationPicture) -> ApplicationView<'a> {
    let names = of.names.max(1) as f64;
    let bar = |(words, count): (&'static str, u64)| Bar { words, count, share: count as f64 * 100.0 / names };
    let funnel = [
        (s.t("名单", "names"), of.names),
        (s.t("已邀请", "invited"), of.invited),
        (s.t("已送达", "delivered"), of.delivered),
        (s.t("已打开", "opened"), of.opened),
        (s.t("完成", "completed"), of.completed),
    ];
    let bands: Vec<_> = picture
        .forecast
        .iter()
        .flat_map(|forecast| &forecast.days)
        .map(|day| (day.day, (day.completes.low, day.completes.median, day.completes.high)))
        .collect();
    let help =
        picture.forecast.iter().flat_map(|forecast| &forecast.help).map(|help| format!("{} {}", s.of(help.measure.words()), percent(help.chance)));
    let disposition =
        |(code, cases): &'a (String, u64)| (code.as_str(), Disposition::from_code(code).map_or("", |disposition| s.of(disposition.words())), *cases);
    let is_open = of.state != "closed";
    ApplicationView {
        state: state_in_words(s, if of.held_since.is_some() && is_open { "on_hold" } else { of.state }),
        danger: danger_of(of.chance.filter(|_| is_open)),
        chance: of.chance.filter(|_| is_open).map(percent).unwrap_or_default(),
        funnel: funnel.into_iter().map(bar).collect(),
        curve: curve(&picture.days, &bands, of.target),
        help: help.collect(),
        dispositions: of.dispositions.iter().map(disposition).collect(),
        of,
    }
}

fn noted(s: Say, what: &str) -> Option<&'static str> {
    Some(match what {
        "paused" => s.t("已暂停：不再发送；受访者仍可作答。", "Paused: nothing is sent; people may still answer."),
        "running" => s.t("已恢复。", "It goes on."),
        "closed" => s.t("已结束；数据集正在写出。", "Closed; the datasets are being written."),
        "budget" => s.t("预算已更改。", "The budget is another one now."),
        "deadline" => s.t("期限已更改。", "The deadline is changed."),
        "launched" => s.t("已启动。", "It is launched."),
        _ => return None,
    })
}

async fn render(
    site: &Site,
    staff: &Staff,
    code: &str,
    status: StatusCode,
    noted: Option<&'static str>,
    problem: Option<String>,
) -> Result<Response, Failure> {
    let of = picture(&site.installation, code).await?;
    let s = staff.say;
    let applications = of.status.applications.iter().zip(&of.applications).map(|(status, picture)| application_view(s, status, picture)).collect();
    let shown = CampaignPage {
        f: Frame::of(staff),
        noted,
        problem,
        may_operate: staff.may(Permission::Operate),
        may_reveal: staff.may(Permission::Reveal),
        state: state_in_words(s, of.status.state),
        applications,
        by_mode: of.by_mode.iter().map(rate_row(s)).collect(),
        by_wave: of.by_wave.iter().skip(1).map(rate_row(s)).collect(),
        of: &of,
    };
    Ok(page(status, &shown))
}

pub async fn show(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Path(code): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let noted = query.get("noted").and_then(|what| noted(staff.say, what));
    render(&site, &staff, &code, StatusCode::OK, noted, None).await
}

fn back(code: &str, noted: &str) -> Response {
    Redirect::to(&format!("/campaigns/{code}?noted={noted}")).into_response()
}

/// Pauses, resumes or closes.
pub async fn change_state(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Extension(sent): Extension<Sent>,
    Path(code): Path<String>,
) -> Result<Response, Failure> {
    let done = match sent.text("to") {
        "running" => services::campaigns::change_state(&site.installation, &code, CampaignState::Running).await.map(|()| "running"),
        "paused" => services::campaigns::change_state(&site.installation, &code, CampaignState::Paused).await.map(|()| "paused"),
        "closed" if sent.text("sure") != code => {
            let problem = staff.say.t("请输入活动代码以确认结束。", "To close it, type its code.").to_owned();
            return render(&site, &staff, &code, StatusCode::UNPROCESSABLE_ENTITY, None, Some(problem)).await;
        }
        "closed" => match close_campaign(&site.installation, &code).await {
            Ok(_) => Ok("closed"),
            Err(DeadlineError::UnknownCampaign(_)) => return Err(Failure::NotFound),
            Err(DeadlineError::Closed(code)) => Err(CampaignError::WrongState { code, state: "closed", wanted: "closed" }),
            Err(error) => return Err(Failure::Internal(error.to_string())),
        },
        _ => return Err(Failure::Unreadable("the form names no state".into())),
    };
    match done {
        Ok(noted) => Ok(back(&code, noted)),
        Err(CampaignError::WrongState { .. }) => {
            let problem = staff.say.t("活动已是其他状态，请看下方。", "The campaign is in another state by now; see below.").to_owned();
            render(&site, &staff, &code, StatusCode::CONFLICT, None, Some(problem)).await
        }
        Err(CampaignError::Unknown(_)) => Err(Failure::NotFound),
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

pub async fn set_budget(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Extension(sent): Extension<Sent>,
    Path(code): Path<String>,
) -> Result<Response, Failure> {
    let amount = sent.text("amount").trim();
    let budget = match (amount, amount.parse::<f64>()) {
        ("", _) => None,
        (_, Ok(amount)) if amount.is_finite() && (0.0..1e9).contains(&amount) => Some(amount),
        _ => {
            let problem = staff.say.t("预算须为数字，留空则不限。", "A budget is a number, or empty for none.").to_owned();
            return render(&site, &staff, &code, StatusCode::UNPROCESSABLE_ENTITY, None, Some(problem)).await;
        }
    };
    match services::campaigns::set_budget(&site.installation, &code, budget).await {
        Ok(()) => Ok(back(&code, "budget")),
        Err(CampaignError::Unknown(_)) => Err(Failure::NotFound),
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

/// Holds, releases or extends an application; leads back to its campaign.
pub async fn change_deadline(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Extension(sent): Extension<Sent>,
    Path(code): Path<String>,
) -> Result<Response, Failure> {
    let (installation, by) = (&site.installation, By { who: &staff.session.account.name, reason: sent.text("reason").trim() });
    let done = match sent.text("what") {
        "hold" => changes::hold(installation, &code, by).await,
        "release" => changes::release(installation, &code, by).await,
        "extend" => changes::extend(installation, &code, sent.text("days").trim().parse().unwrap_or(0), by).await,
        _ => return Err(Failure::Unreadable("the form names no change".into())),
    };
    let campaign = sent.text("campaign");
    let s = staff.say;
    let problem = match done {
        Ok(_) => return Ok(back(campaign, "deadline")),
        Err(ChangeError::UnknownApplication(_)) => return Err(Failure::NotFound),
        Err(ChangeError::NoReason) => s.t("请写明原因，它会留在记录中。", "Say why; it stays with the application."),
        Err(ChangeError::Days(_)) => s.t("延长 1 至 366 天。", "Extend by 1 to 366 days."),
        Err(ChangeError::Closed(_)) => s.t("申报已结束，期限不再变动。", "The application is closed; its days no longer run."),
        Err(ChangeError::Held(_)) => s.t("已在暂停中。", "It is on hold already."),
        Err(ChangeError::NotHeld(_)) => s.t("未暂停。", "It is not on hold."),
        Err(error) => return Err(Failure::Internal(error.to_string())),
    };
    render(&site, &staff, campaign, StatusCode::UNPROCESSABLE_ENTITY, None, Some(problem.to_owned())).await
}
