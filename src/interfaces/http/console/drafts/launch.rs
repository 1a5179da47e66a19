//! The page between a draft and its launch: who will be written to, what it costs, when it begins and
//! ends, how likely the target is, and what is unusual.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::super::super::Failure;
use super::super::super::auth::Staff;
use super::super::super::page_layout::{PageLayout, Translator, render_page};
use super::super::super::state::AppState;
use super::super::holidays::stretch_label;
use super::draft_of;
use crate::adapters::database::drafts::CampaignDraft;
use crate::services::campaigns::LaunchError;
use crate::services::drafts::campaigns::{self as drafts, CampaignDraftError, DraftCheck};

/// Below it, a chance is unusual.
const LOW_CHANCE: f64 = 0.5;
/// The people without a mobile of whom many are unusual where nobody is called.
const MANY: f64 = 0.3;

#[derive(Template)]
#[template(path = "console/launch.html")]
struct LaunchPage<'a> {
    layout: PageLayout<'a>,
    code: &'a str,
    seen: i64,
    applications: String,
    people: u64,
    without_mobile: u64,
    held_back: u64,
    parts: u64,
    cost: String,
    budget: Option<String>,
    first: String,
    last: String,
    /// Public holidays on the way.
    holidays: Vec<String>,
    /// Application, chance, target.
    chances: Vec<(String, String, u32)>,
    unusual: Vec<String>,
    is_asked_by_self: bool,
}

/// Shows what a launch would do. A draft that cannot be launched is shown itself, with the reason.
pub async fn confirm(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(code): Path<String>,
) -> Result<Response, Failure> {
    let draft = draft_of(&app, &code).await?;
    let checked = match drafts::check(&app.context, &draft).await {
        Ok(checked) => checked,
        Err(CampaignDraftError::Launch(LaunchError::Database(error))) => return Err(error.into()),
        Err(CampaignDraftError::Launch(_)) => {
            return Ok(Redirect::to(&format!("/drafts/{code}")).into_response());
        }
        Err(error) => return Err(Failure::Internal(error.to_string())),
    };
    let report = &checked.report;
    let short = |at: &str| at.get(..16).unwrap_or(at).replace('T', " ");
    let begun = report.steps.iter().filter(|step| !step.starts_at.is_empty());
    let money = |amount: f64| staff.tr.money(amount, &report.currency);
    let template = LaunchPage {
        layout: PageLayout::for_staff(&staff),
        code: &code,
        seen: draft.changed_at.0,
        applications: draft.applications.replace(',', staff.tr.t("、", ", ")),
        people: report.invitations,
        without_mobile: report.without_mobile,
        held_back: report.held_back,
        parts: report.parts_at_most,
        cost: money(report.cost_at_most),
        budget: draft.budget_micros.map(|micros| money(micros as f64 / 1e6)),
        first: begun.clone().map(|step| short(&step.starts_at)).min().unwrap_or_default(),
        last: begun.map(|step| short(&step.ends_at_latest)).max().unwrap_or_default(),
        holidays: report
            .holidays_during
            .iter()
            .map(|stretch| stretch_label(staff.tr, *stretch))
            .collect(),
        chances: checked
            .rehearsals
            .iter()
            .map(|r| (r.application.clone(), format!("{:.0} %", r.chance * 100.0), r.target))
            .collect(),
        unusual: unusual(staff.tr, &draft, &checked),
        is_asked_by_self: draft.launch_requested_by.as_deref()
            == Some(staff.session.account.name.as_str()),
    };
    Ok(render_page(StatusCode::OK, &template))
}

/// What somebody who launches should have seen.
fn unusual(tr: Translator, draft: &CampaignDraft, checked: &DraftCheck) -> Vec<String> {
    let zh = tr.tag() == "zh";
    let say = |chinese: String, english: String| if zh { chinese } else { english };
    let report = &checked.report;
    let mut found = Vec::new();
    for rehearsal in &checked.rehearsals {
        let (code, target, people) = (&rehearsal.application, rehearsal.target, rehearsal.people);
        if rehearsal.chance < LOW_CHANCE {
            let chance = rehearsal.chance * 100.0;
            found.push(say(
                format!("{code}：按此计划达到目标 {target} 的把握只有 {chance:.0} %。"),
                format!(
                    "{code}: the chance of its target of {target} is {chance:.0} % by this plan"
                ),
            ));
        }
        if target > 0 && u64::from(target) >= u64::from(people) {
            found.push(say(
                format!("{code}：目标 {target} 份，名单只有 {people} 人，须人人作答。"),
                format!("{code}: its target is {target} and it has {people} people; all would have to answer"),
            ));
        }
    }
    if draft.budget_micros.is_some_and(|budget| budget as f64 / 1e6 < report.cost_at_most) {
        found.push(say(
            "预算低于最高费用：用完后活动会自动暂停。".to_owned(),
            "the budget is below what it may cost; the campaign pauses when it is spent".to_owned(),
        ));
    }
    if report.without_mobile as f64 > MANY * report.invitations.max(1) as f64 {
        let (without, people) = (report.without_mobile, report.invitations);
        found.push(say(
            format!("{people} 人中有 {without} 人没有手机，收不到短信。"),
            format!("{without} of {people} people have no mobile, and are reached by no message"),
        ));
    }
    for (count, chinese, english) in [
        (
            report.unroutable,
            "人的号码没有可用的网关。",
            "people have numbers that no gateway takes",
        ),
        (
            report.outside_contact_hours,
            "人在境外，联系时段与当地时间不重合，收不到短信。",
            "people abroad are never within the plan's hours",
        ),
    ] {
        if count > 0 {
            found.push(say(format!("{count} {chinese}"), format!("{count} {english}")));
        }
    }
    for year in &report.years_without_holidays {
        found.push(say(
            format!("计划会延续到 {year} 年，而 {year} 年的节假日尚未录入，节日里也会照常联系。请到“节假日”页录入。"),
            format!(
                "the plan reaches {year}, whose holidays are not entered; people would be contacted \
                    on them. Enter them on the page Holidays."
            ),
        ));
    }
    if report.in_other_campaigns > 0 {
        let people = report.in_other_campaigns;
        found.push(say(
            format!("其中 {people} 人同时在其他进行中的活动里，会收到多个活动的短信（受联系频次上限约束）。"),
            format!(
                "{people} of the people are in another running campaign too, and get messages of \
                    both (within the caps)"
            ),
        ));
    }
    if let Some(step) = report.steps.iter().find(|step| step.longest_message_parts > 1) {
        let parts = step.longest_message_parts;
        found.push(say(
            format!("步骤“{}”的短信最长按 {parts} 条计费。", step.name),
            format!("the longest message of step «{}» is paid for as {parts}", step.name),
        ));
    }
    found
}
