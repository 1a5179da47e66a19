//! Campaigns: the list, one campaign's page, and its forms.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::super::Failure;
use super::super::auth::{FormFields, Staff};
use super::super::charts::{Curve, CurveRow, Heading, curve};
use super::super::page_layout::{PageLayout, Translator, render_page};
use super::super::state::AppState;
use super::conflict::{Conflict, expected_version};
use super::home::{chance_class, percent, state_label};
use super::running_plan::{PlanView, plan_view};
use super::{ZONE, csv_download};
use crate::adapters::database::campaign_notes::CampaignNote;
use crate::adapters::database::campaigns::{self, Campaign, CampaignState};
use crate::domain::disposition::Disposition;
use crate::domain::mode::Mode;
use crate::domain::personal::Personal;
use crate::domain::role::Permission;
use crate::interfaces::errors::LocalizedError;
use crate::services;
use crate::services::accounts::colleagues::Colleagues;
use crate::services::campaigns::notes::{self, CampaignNoteError};
use crate::services::campaigns::{ApplicationStatus, CampaignError, GroupRates};
use crate::services::deadlines::changes::{self, ChangeError, ChangedBy};
use crate::services::deadlines::{DeadlineError, close_campaign};
use crate::services::monitoring::campaign::{ApplicationProgress, CampaignDetail, campaign_detail};

struct CampaignRow {
    campaign: Campaign,
    state: &'static str,
    launched: String,
}

#[derive(Template)]
#[template(path = "console/campaigns.html")]
struct CampaignsPage<'a> {
    layout: PageLayout<'a>,
    rows: Vec<CampaignRow>,
}

pub async fn list(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let all = campaigns::all(&mut *app.context.database.read().await?).await?;
    let row = |campaign: Campaign| CampaignRow {
        state: state_label(staff.tr, campaign.state.as_str()),
        launched: campaign.launched_at.date(ZONE).to_string(),
        campaign,
    };
    let rows: Vec<CampaignRow> = all.into_iter().map(row).collect();
    if query.get("format").is_some_and(|format| format == "csv") {
        let cells = rows.iter().map(|row| {
            vec![
                row.campaign.code.clone(),
                row.campaign.state.as_str().to_owned(),
                row.campaign.gateway.clone(),
                row.launched.clone(),
            ]
        });
        return csv_download::csv_download(
            "campaigns",
            &["campaign", "state", "gateway", "launched"],
            cells,
        );
    }
    Ok(render_page(StatusCode::OK, &CampaignsPage { layout: PageLayout::for_staff(&staff), rows }))
}

/// One bar of the funnel.
struct Bar {
    words: &'static str,
    count: u64,
    /// Percentage of the names on the list.
    share: f64,
}

struct RateRow<'a> {
    group: &'a GroupRates,
    /// The group in words.
    name: &'a str,
    rates: Vec<String>,
}

struct ApplicationView<'a> {
    status: &'a ApplicationStatus,
    state: &'static str,
    status_class: &'static str,
    chance: String,
    funnel: Vec<Bar>,
    curve: Option<Curve>,
    /// What stands in the way of the target, whatever else is done.
    matters: Vec<String>,
    interventions: Vec<String>,
    dispositions: Vec<(&'a str, &'static str, u64)>,
}

/// A rate: its name by AAPOR, its name in words, and what it says, in Chinese and English.
type Rate = (&'static str, (&'static str, &'static str), (&'static str, &'static str));

/// The rates that are shown: their names by AAPOR, in words, and what they say.
const RATES: [Rate; 5] = [
    (
        "RR1",
        ("最低应答率", "minimum response rate"),
        (
            "完成数 ÷（完成、部分完成、拒访、未接触、其他及资格不明的全部个案）",
            "completes of all cases that are eligible or whose eligibility is not known",
        ),
    ),
    (
        "RR3",
        ("应答率", "response rate"),
        (
            "同上，但资格不明的个案只按估计的合格比例计入",
            "the same, but of cases of unknown eligibility only the estimated eligible share",
        ),
    ),
    (
        "COOP1",
        ("合作率", "cooperation rate"),
        ("完成数 ÷ 接触到的合格个案", "completes of the eligible cases that were reached"),
    ),
    (
        "REF1",
        ("拒访率", "refusal rate"),
        (
            "拒访和中断 ÷ 全部可能合格的个案",
            "refusals and break-offs of all possibly eligible cases",
        ),
    ),
    (
        "CON1",
        ("接触率", "contact rate"),
        (
            "接触到的个案 ÷ 全部可能合格的个案",
            "cases that were reached of all possibly eligible cases",
        ),
    ),
];

#[derive(Template)]
#[template(path = "console/campaign.html")]
struct CampaignPage<'a> {
    layout: PageLayout<'a>,
    /// The plan as it runs.
    plan: PlanView,
    flash: Option<&'static str>,
    problem: Option<String>,
    may_operate: bool,
    may_reveal: bool,
    may_see_answers: bool,
    state: &'static str,
    detail: &'a CampaignDetail,
    /// Of the budget as it is stored: the form is saved over it.
    budget_version: String,
    /// The budget as stored, or as typed.
    typed_budget: String,
    /// What somebody else has saved meanwhile.
    conflict: Option<Conflict>,
    applications: Vec<ApplicationView<'a>>,
    by_mode: Vec<RateRow<'a>>,
    by_wave: Vec<RateRow<'a>>,
    notes: Vec<NoteView>,
    /// A comment that was refused, as it was typed.
    typed_note: String,
}

/// A comment of a colleague.
struct NoteView {
    id: i64,
    who: Personal,
    when: String,
    lines: Vec<String>,
    is_own: bool,
}

impl CampaignPage<'_> {
    fn money(&self, amount: &f64) -> String {
        self.layout.tr.money(*amount, &self.detail.status.currency)
    }
}

fn rate_row<'a>(tr: Translator) -> impl Fn(&'a GroupRates) -> RateRow<'a> {
    move |group| RateRow {
        rates: RATES
            .iter()
            .map(|(name, ..)| {
                group.rates.get(*name).copied().flatten().map_or_else(
                    || tr.t("无", "n/a").to_owned(),
                    |rate| format!("{:.1} %", rate * 100.0),
                )
            })
            .collect(),
        name: group_name(tr, &group.group),
        group,
    }
}

/// A mode, or a step's name, in words.
fn group_name(tr: Translator, group: &str) -> &str {
    match (group, Mode::parse(group)) {
        ("all", _) => tr.t("合计", "all"),
        ("none", _) => tr.t("未联系", "not contacted"),
        (_, Some(mode)) => tr.pair(mode.labels()),
        (name, None) => name,
    }
}

/// What the numbers themselves say against the target.
fn matters(tr: Translator, status: &ApplicationStatus) -> Vec<String> {
    let mut found = Vec::new();
    let (names, target) = (status.names, u64::from(status.target));
    if target > 0 && target >= names && status.completed < target {
        found.push(match tr.tag() {
            "zh" => format!(
                "目标 {target} 份，名单只有 {names} 人：须人人作答才能达标。启动后名单和目标不能再改；未达标时按\
                    实际完成数交付，报告中会注明。下次请多收名单，或在启动前调低目标。"
            ),
            _ => format!(
                "the target is {target} and the list has {names} people: every one of them would \
                    have to answer. List and target are fixed by the launch; what is completed is \
                    delivered, and the report says so. Next time ask for more names, or lower the \
                    target before"
            ),
        });
    }
    let lost = status.invited.saturating_sub(status.delivered);
    if status.invited >= 20 && lost * 2 > status.invited {
        found.push(match tr.tag() {
            "zh" => format!(
                "已邀请 {} 人，仅 {} 人收到：请检查网关回执、短信模板和号码。",
                status.invited, status.delivered
            ),
            _ => format!(
                "{} people are invited and {} were reached: look at the gateway's receipts, the \
                    template and the numbers",
                status.invited, status.delivered
            ),
        });
    }
    if status.held_since.is_some() {
        found.push(
            tr.t(
                "此申报已暂停，期间不发送也不拨打。",
                "it is on hold: nothing is sent and nobody is called",
            )
            .to_owned(),
        );
    }
    found
}

fn application_view<'a>(
    tr: Translator,
    status: &'a ApplicationStatus,
    progress: &'a ApplicationProgress,
) -> ApplicationView<'a> {
    let names = status.names.max(1) as f64;
    let bar = |(words, count): (&'static str, u64)| Bar {
        words,
        count,
        share: count as f64 * 100.0 / names,
    };
    let funnel = [
        (tr.t("名单", "names"), status.names),
        (tr.t("已邀请", "invited"), status.invited),
        (tr.t("已送达", "delivered"), status.delivered),
        (tr.t("已打开", "opened"), status.opened),
        (tr.t("完成", "completed"), status.completed),
    ];
    let bands: Vec<_> = progress
        .forecast
        .iter()
        .flat_map(|forecast| &forecast.days)
        .map(|day| (day.day, (day.completes.low, day.completes.median, day.completes.high)))
        .collect();
    let interventions =
        progress.forecast.iter().flat_map(|forecast| &forecast.interventions).map(|intervention| {
            format!("{} {}", tr.pair(intervention.measure.labels()), percent(intervention.chance))
        });
    let disposition = |(code, cases): &'a (String, u64)| {
        (
            // The status names it beside its code: «1.1 complete».
            code.split(' ').next().unwrap_or_default(),
            Disposition::from_code(code.split(' ').next().unwrap_or_default())
                .map_or("", |disposition| tr.pair(disposition.labels())),
            *cases,
        )
    };
    let is_open = status.state != "closed";
    ApplicationView {
        status,
        state: state_label(
            tr,
            if status.held_since.is_some() && is_open { "on_hold" } else { status.state },
        ),
        status_class: chance_class(status.chance.filter(|_| is_open)),
        chance: status.chance.filter(|_| is_open).map(percent).unwrap_or_default(),
        funnel: funnel.into_iter().map(bar).collect(),
        curve: curve(
            completes_heading(tr, format!("t-{}", status.code)),
            &progress.days,
            &bands,
            status.target,
            |row| curve_words(tr, row),
        ),
        matters: if is_open { matters(tr, status) } else { Vec::new() },
        interventions: interventions.collect(),
        dispositions: status.dispositions.iter().map(disposition).collect(),
    }
}

/// The words of a chart of completes with its forecast.
pub fn completes_heading(tr: Translator, id: String) -> Heading {
    Heading {
        id,
        title: tr
            .t(
                "累计完成数；阴影为十次有八次的预测区间，虚线为目标",
                "Completes so far; the shade holds eight forecasts of ten, the dashes are the target",
            )
            .to_owned(),
        x_title: tr.t("日期（月-日）", "day (month-day)").to_owned(),
        y_title: tr.t("累计完成（份）", "completes so far").to_owned(),
    }
}

/// A day of the chart in words.
pub fn curve_words(tr: Translator, row: &CurveRow) -> String {
    let mut words = row.day.to_string();
    if let Some(n) = row.completes {
        words += &match tr.tag() {
            "zh" => format!("：完成 {n}"),
            _ => format!(": {n} completes"),
        };
    }
    if let Some((low, median, high)) = row.forecast {
        words += &match tr.tag() {
            "zh" => format!("，预测 {median}（{low}–{high}）"),
            _ => format!(", forecast {median} ({low}–{high})"),
        };
    }
    words
}

fn flash_text(tr: Translator, what: &str) -> Option<&'static str> {
    Some(match what {
        "paused" => tr.t(
            "已暂停：不再发送；受访者仍可作答。",
            "Paused: nothing is sent; people may still answer.",
        ),
        "running" => tr.t("已恢复。", "It goes on."),
        "closed" => tr.t("已结束；数据集正在写出。", "Closed; the datasets are being written."),
        "budget" => tr.t("预算已更改。", "The budget is another one now."),
        "deadline" => tr.t("期限已更改。", "The deadline is changed."),
        "launched" => tr.t("已启动。", "It is launched."),
        "comment" => tr.t("已留言。", "The comment is left."),
        "comment-deleted" => tr.t("留言已删除。", "The comment is deleted."),
        _ => return None,
    })
}

async fn render(
    app: &AppState,
    staff: &Staff,
    code: &str,
    status: StatusCode,
    flash: Option<&'static str>,
    problem: Option<String>,
) -> Result<Response, Failure> {
    render_typed(app, staff, code, (status, flash, problem), Typed::default()).await
}

/// What was typed and is shown again.
#[derive(Default)]
struct Typed<'a> {
    /// A budget that was typed over one that is not the stored one any more.
    budget: Option<&'a str>,
    /// A comment that was refused.
    note: &'a str,
}

async fn render_typed(
    app: &AppState,
    staff: &Staff,
    code: &str,
    (status, flash, problem): (StatusCode, Option<&'static str>, Option<String>),
    typed: Typed<'_>,
) -> Result<Response, Failure> {
    let Typed { budget: typed, note: typed_note } = typed;
    let detail = campaign_detail(&app.context, code).await?;
    let tr = staff.tr;
    let campaign = campaigns::find(&mut *app.context.database.read().await?, code).await?;
    let budget_version = campaign.as_ref().map(services::campaigns::budget_version);
    let stored = detail.status.budget.map(|budget| format!("{budget:.2}")).unwrap_or_default();
    let labelled = |amount: &str| [(tr.t("预算", "Budget").to_owned(), amount.to_owned())];
    let conflict = typed.map(|typed| Conflict::between(&labelled(typed), &labelled(&stored)));
    let applications = detail
        .status
        .applications
        .iter()
        .zip(&detail.applications)
        .map(|(status, progress)| application_view(tr, status, progress))
        .collect();
    let template = CampaignPage {
        layout: PageLayout::for_staff(staff),
        flash,
        problem,
        may_operate: staff.may(Permission::Operate),
        may_reveal: staff.may(Permission::Reveal),
        may_see_answers: staff.may(Permission::Datasets),
        state: state_label(tr, detail.status.state),
        applications,
        by_mode: detail.by_mode.iter().map(rate_row(tr)).collect(),
        by_wave: detail.by_wave.iter().skip(1).map(rate_row(tr)).collect(),
        plan: plan_view(tr, campaign.as_ref().map_or("", |campaign| &campaign.plan)),
        detail: &detail,
        budget_version: budget_version.unwrap_or_default(),
        notes: notes_of(app, staff, code).await?,
        typed_note: typed_note.to_owned(),
        typed_budget: typed.map_or(stored, str::to_owned),
        conflict,
    };
    Ok(render_page(status, &template))
}

async fn notes_of(app: &AppState, staff: &Staff, code: &str) -> Result<Vec<NoteView>, Failure> {
    let colleagues = Colleagues::load(&app.context)
        .await
        .map_err(|error| Failure::Internal(error.to_string()))?;
    let all = match notes::list(&app.context, code).await {
        Ok(all) => all,
        Err(CampaignNoteError::NotFound) => return Err(Failure::NotFound),
        Err(error) => return Err(Failure::Internal(error.to_string())),
    };
    let view = |note: CampaignNote| NoteView {
        id: note.id,
        is_own: note.written_by == staff.session.account.name,
        who: colleagues.name(&note.written_by),
        when: note.written_at.in_zone(ZONE).format("%Y-%m-%d %H:%M").to_string(),
        lines: note.text.lines().map(str::to_owned).collect(),
    };
    Ok(all.into_iter().map(view).collect())
}

pub async fn write_note(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(code): Path<String>,
) -> Result<Response, Failure> {
    let (account, text) = (&staff.session.account.name, form.text("text"));
    match notes::add(&app.context, &code, account, text).await {
        Ok(()) => Ok(redirect_to_campaign(&code, "comment")),
        Err(CampaignNoteError::NotFound) => Err(Failure::NotFound),
        Err(CampaignNoteError::Database(error)) => Err(error.into()),
        Err(error) => {
            let problem = Some(error.localized(staff.tr.0));
            let status = (StatusCode::UNPROCESSABLE_ENTITY, None, problem);
            let typed = Typed { note: text, ..Typed::default() };
            render_typed(&app, &staff, &code, status, typed).await
        }
    }
}

pub async fn delete_note(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path((code, note)): Path<(String, i64)>,
) -> Result<Response, Failure> {
    match notes::delete(&app.context, &code, &staff.session.account.name, note).await {
        Ok(()) => Ok(redirect_to_campaign(&code, "comment-deleted")),
        Err(CampaignNoteError::NotFound) => Err(Failure::NotFound),
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(code): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let flash = query.get("noted").and_then(|what| flash_text(staff.tr, what));
    render(&app, &staff, &code, StatusCode::OK, flash, None).await
}

fn redirect_to_campaign(code: &str, flash: &str) -> Response {
    Redirect::to(&format!("/campaigns/{code}?noted={flash}")).into_response()
}

/// Pauses, resumes or closes a campaign.
pub async fn change_state(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(code): Path<String>,
) -> Result<Response, Failure> {
    let done = match form.text("to") {
        "running" => services::campaigns::change_state(&app.context, &code, CampaignState::Running)
            .await
            .map(|()| "running"),
        "paused" => services::campaigns::change_state(&app.context, &code, CampaignState::Paused)
            .await
            .map(|()| "paused"),
        "closed" if form.text("sure") != code => {
            let problem =
                staff.tr.t("请输入活动代码以确认结束。", "To close it, type its code.").to_owned();
            return render(
                &app,
                &staff,
                &code,
                StatusCode::UNPROCESSABLE_ENTITY,
                None,
                Some(problem),
            )
            .await;
        }
        "closed" => match close_campaign(&app.context, &code).await {
            Ok(_) => Ok("closed"),
            Err(DeadlineError::UnknownCampaign(_)) => return Err(Failure::NotFound),
            Err(DeadlineError::Closed(code)) => {
                Err(CampaignError::WrongState { code, state: "closed", wanted: "closed" })
            }
            Err(error) => return Err(Failure::Internal(error.to_string())),
        },
        _ => return Err(Failure::BadRequest("the form names no state".into())),
    };
    match done {
        Ok(flash) => Ok(redirect_to_campaign(&code, flash)),
        Err(CampaignError::WrongState { .. }) => {
            let problem = staff
                .tr
                .t(
                    "活动已是其他状态，请看下方。",
                    "The campaign is in another state by now; see below.",
                )
                .to_owned();
            render(&app, &staff, &code, StatusCode::CONFLICT, None, Some(problem)).await
        }
        Err(CampaignError::UnknownCampaign(_)) => Err(Failure::NotFound),
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

pub async fn set_budget(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(code): Path<String>,
) -> Result<Response, Failure> {
    let amount = form.text("amount").trim();
    let budget = match (amount, amount.parse::<f64>()) {
        ("", _) => None,
        (_, Ok(amount)) if amount.is_finite() && (0.0..1e9).contains(&amount) => Some(amount),
        _ => {
            let problem = staff
                .tr
                .t("预算须为数字，留空则不限。", "A budget is a number, or empty for none.")
                .to_owned();
            return render(
                &app,
                &staff,
                &code,
                StatusCode::UNPROCESSABLE_ENTITY,
                None,
                Some(problem),
            )
            .await;
        }
    };
    let expected = expected_version(&form);
    match services::campaigns::set_budget(&app.context, &code, budget, &expected).await {
        Err(CampaignError::Version(_)) => {
            let status = (StatusCode::CONFLICT, None, None);
            let typed = Typed { budget: Some(amount), ..Typed::default() };
            render_typed(&app, &staff, &code, status, typed).await
        }
        Ok(_) => Ok(redirect_to_campaign(&code, "budget")),
        Err(CampaignError::UnknownCampaign(_)) => Err(Failure::NotFound),
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

/// Holds, releases or extends an application, and redirects to its campaign.
pub async fn change_deadline(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(code): Path<String>,
) -> Result<Response, Failure> {
    let (context, by) = (
        &app.context,
        ChangedBy { actor: &staff.session.account.name, reason: form.text("reason").trim() },
    );
    let done = match form.text("what") {
        "hold" => changes::hold(context, &code, by).await,
        "release" => changes::release(context, &code, by).await,
        "extend" => {
            changes::extend(context, &code, form.text("days").trim().parse().unwrap_or(0), by).await
        }
        _ => return Err(Failure::BadRequest("the form names no change".into())),
    };
    let campaign = form.text("campaign");
    let tr = staff.tr;
    let problem = match done {
        Ok(_) => return Ok(redirect_to_campaign(campaign, "deadline")),
        Err(ChangeError::UnknownApplication(_)) => return Err(Failure::NotFound),
        Err(ChangeError::NoReason) => {
            tr.t("请写明原因，它会留在记录中。", "Say why; it stays with the application.")
        }
        Err(ChangeError::Days(_)) => tr.t("延长 1 至 366 天。", "Extend by 1 to 366 days."),
        Err(ChangeError::Closed(_)) => {
            tr.t("申报已结束，期限不再变动。", "The application is closed; its days no longer run.")
        }
        Err(ChangeError::AlreadyOnHold(_)) => tr.t("已在暂停中。", "It is on hold already."),
        Err(ChangeError::NotOnHold(_)) => tr.t("未暂停。", "It is not on hold."),
        Err(error) => return Err(Failure::Internal(error.to_string())),
    };
    render(&app, &staff, campaign, StatusCode::UNPROCESSABLE_ENTITY, None, Some(problem.to_owned()))
        .await
}
