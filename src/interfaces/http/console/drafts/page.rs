//! The plan's editor: fields, messages as they will look, mistakes beside the fields, and what a
//! launch would do.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{Datelike, NaiveDate};

use super::super::super::Failure;
use super::super::super::auth::{FormFields, Staff};
use super::super::super::charts::{Curve, curve};
use super::super::super::page_layout::{PageLayout, Translator, render_page};
use super::super::super::state::AppState;
use super::super::ZONE;
use super::super::campaigns::{completes_heading, curve_words};
use super::super::conflict::Conflict;
use super::super::holidays::{Month, months_from, stretch_label};
use crate::adapters::database::applications;
use crate::adapters::database::drafts::CampaignDraft;
use crate::adapters::database::plan_library::LibraryEntry;
use crate::domain::contact_plan::{ContactPlanError, PlanFile};
use crate::domain::contact_window::Calendar;
use crate::domain::language::Language;
use crate::domain::words::Words;
use crate::interfaces::errors::LocalizedError;
use crate::services::campaigns::LaunchError;
use crate::services::campaigns::message_text::MessagePreview;
use crate::services::drafts::campaigns::{
    self as drafts, CalendarDay, CampaignDraftError, DraftCheck, draft_version,
};
use crate::services::drafts::library::{self, EntryKind};
use crate::services::drafts::plan_form::{
    DAYS, PlanForm, SPREADS, STEP_AUDIENCES, StepAudience, StepForm,
};
use crate::services::drafts::previews::MessagePreviews;
use crate::services::drafts::trial_link;

/// So many months of the calendar can be closed by the day.
const CLOSABLE_MONTHS: u32 = 5;
/// Characters of the longest name where no list says.
const USUAL_NAME: usize = 4;

/// What can stand in a message: the placeholder, and its name in Chinese and English.
pub const PLACEHOLDERS: [(&str, (&str, &str)); 6] = [
    ("{name}", ("姓名", "name")),
    ("{applicant}", ("申报单位", "applicant")),
    ("{subject}", ("评价对象", "subject")),
    ("{link}", ("链接", "link")),
    ("{signature}", ("签名", "signature")),
    ("{days_left}", ("剩余天数", "days left")),
];

/// Those of an interviewer's opening words.
pub const SPOKEN_PLACEHOLDERS: [(&str, (&str, &str)); 7] = [
    ("{name}", ("姓名", "name")),
    ("{interviewer}", ("访问员", "interviewer")),
    ("{signature}", ("签名", "signature")),
    ("{applicant}", ("申报单位", "applicant")),
    ("{subject}", ("评价对象", "subject")),
    ("{minutes}", ("分钟数", "minutes")),
    ("{days_left}", ("剩余天数", "days left")),
];

/// The field of a text: what is said and what is written have fields of their own.
fn text_field(n: usize, is_call: bool, tag: &str) -> String {
    match (is_call, tag) {
        (false, "zh" | "en") => format!("step-{n}-{tag}"),
        (false, tag) => format!("step-{n}-text-{tag}"),
        (true, "zh" | "en") => format!("step-{n}-opening-{tag}"),
        (true, tag) => format!("step-{n}-opening-text-{tag}"),
    }
}

struct RehearsalView {
    code: String,
    people: u32,
    target: u32,
    chance: String,
    completes: String,
    messages: String,
    handed_to_interviewers: String,
    curve: Option<Curve>,
}

/// A message as a phone shows it.
pub struct Bubble {
    /// `step-0-zh`: the field that it shows.
    pub field: String,
    pub language: Language,
    pub shown: Result<MessagePreview, String>,
    /// It is said, not sent: it has no parts and costs nothing.
    pub is_spoken: bool,
}

/// The messages that are being typed.
#[derive(Template)]
#[template(path = "console/draft-previews.html")]
pub struct PreviewsPage {
    pub tr: Translator,
    pub bubbles: Vec<Bubble>,
}

/// A text of the library.
struct KeptText {
    kind: EntryKind,
    name: String,
    text: String,
}

/// A mistake, with the field that it is in; empty: in none.
struct FieldProblem {
    field: String,
    text: String,
}

#[derive(Template)]
#[template(path = "console/draft.html")]
struct DraftPage<'a> {
    layout: PageLayout<'a>,
    flash: Option<&'static str>,
    /// Every mistake, each beside its field as well.
    problems: Vec<FieldProblem>,
    draft: &'a CampaignDraft,
    applications: String,
    /// Of the draft as it is stored: the form is saved over it.
    version: String,
    can_undo: bool,
    /// What somebody else has saved meanwhile.
    conflict: Option<Conflict>,
    gateway: String,
    budget: String,
    currency: String,
    plan: PlanForm,
    gateways: Vec<String>,
    /// Texts for messages, by their names.
    library: Vec<KeptText>,
    day_names: [&'static str; 8],
    bubbles: Vec<Bubble>,
    longest_name: usize,
    months: Vec<Month>,
    /// Closed days that the months do not show.
    closed_elsewhere: Vec<NaiveDate>,
    /// Public holidays in the months, and years that nobody has entered.
    stretches: Vec<String>,
    missing_years: Vec<i32>,
    /// Result of the launch check. `None` if it failed; `problems` then has the reason.
    checked: Option<&'a DraftCheck>,
    rehearsals: Vec<RehearsalView>,
    trial_link: String,
    needs_two: bool,
    is_asked_by_self: bool,
}

impl DraftPage<'_> {
    fn has_audience(&self, step: &StepForm, audience: &StepAudience) -> bool {
        step.audience().is_some_and(|own| own.code == audience.code)
    }

    /// Whether the plan's spread is one that can be chosen.
    fn is_known_spread(&self) -> bool {
        SPREADS.iter().any(|(code, _)| *code == self.plan.spread)
    }

    fn day_key(&self, at: &usize) -> &'static str {
        DAYS.get(*at).copied().unwrap_or_default()
    }

    fn stretches(&self, at: &usize) -> Vec<(String, String)> {
        self.plan.stretches(*at)
    }

    fn short_time(&self, at: &str) -> String {
        at.get(..16).unwrap_or(at).replace('T', " ")
    }

    fn day_label(&self, day: &CalendarDay) -> String {
        if day.day.day() == 1 {
            day.day.format("%m-%d").to_string()
        } else {
            day.day.day().to_string()
        }
    }

    /// The mistake in a field.
    fn wrong(&self, field: &str) -> Option<&str> {
        self.problems.iter().find(|problem| problem.field == field).map(|p| p.text.as_str())
    }

    /// Attributes of a field that is wrong; the name is the page's own.
    fn marks(&self, field: &str) -> String {
        match self.wrong(field) {
            Some(_) => format!(" aria-invalid=\"true\" aria-describedby=\"e-{field}\""),
            None => String::new(),
        }
    }

    /// Whether one of the fields that begin so is wrong: their folded part is opened.
    fn has_wrong(&self, beginning: &str) -> bool {
        self.problems.iter().any(|problem| problem.field.starts_with(beginning))
    }

    /// The texts of a step: field, language, label, text.
    fn texts<'b>(&self, n: &usize, step: &'b StepForm) -> Vec<(String, String, String, &'b str)> {
        let tr = self.layout.tr;
        let is_call = step.mode == "telephone";
        let (zh, en, other) = match is_call {
            true => (
                tr.t("中文开场白", "Opening words in Chinese"),
                tr.t("英文开场白", "Opening words in English"),
                tr.t("开场白：", "Opening words in"),
            ),
            false => (
                tr.t("中文短信", "Text in Chinese"),
                tr.t("英文短信", "Text in English"),
                tr.t("短信：", "Text in"),
            ),
        };
        let both = [("zh", zh, &step.zh), ("en", en, &step.en)];
        let both = both.map(|(tag, label, text)| {
            (text_field(*n, is_call, tag), tag.to_owned(), label.to_owned(), text.as_str())
        });
        let others = step.others.iter().map(|(tag, text)| {
            let language = Language::parse(tag).unwrap_or_default();
            let label = format!("{other} {}", language.autonym());
            (text_field(*n, is_call, tag), tag.clone(), label, text.as_str())
        });
        both.into_iter().chain(others).collect()
    }

    /// Placeholders that a step's texts may have.
    fn placeholders(
        &self,
        step: &StepForm,
    ) -> &'static [(&'static str, (&'static str, &'static str))] {
        if step.mode == "telephone" { &SPOKEN_PLACEHOLDERS } else { &PLACEHOLDERS }
    }

    /// The library's texts for a step, by their names.
    fn kept_texts(&self, step: &StepForm) -> Vec<(&str, &str)> {
        let kind = match step.mode.as_str() {
            "telephone" => EntryKind::Telephone,
            _ => EntryKind::Sms,
        };
        let kept = self.library.iter().filter(|kept| kept.kind == kind);
        kept.map(|kept| (kept.name.as_str(), kept.text.as_str())).collect()
    }

    fn bubble(&self, field: &str) -> Option<&Bubble> {
        self.bubbles.iter().find(|bubble| bubble.field == field)
    }
}

impl Bubble {
    /// What a message to everybody of this length costs for each.
    pub fn cost(&self, tr: &Translator) -> String {
        match &self.shown {
            Ok(preview) => tr.money(preview.cost, &preview.currency),
            Err(_) => String::new(),
        }
    }
}

pub fn flash_text(tr: Translator, what: &str) -> Option<&'static str> {
    Some(match what {
        "saved" => tr.t("已保存。", "It is kept."),
        "undone" => tr.t("已撤销上一次修改。", "The last change is taken back."),
        "tested" => tr.t("测试短信已发出。", "The test message is sent."),
        "asked" => tr.t(
            "已申请启动，等待另一人同意。",
            "You have requested the launch; somebody else has to approve it.",
        ),
        _ => return None,
    })
}

/// The form as somebody has typed it.
pub struct TypedDraft {
    pub plan: PlanForm,
    pub gateway: String,
    budget: String,
}

impl TypedDraft {
    fn of_stored(draft: &CampaignDraft) -> TypedDraft {
        let budget = draft.budget_micros.map(|micros| format!("{:.2}", micros as f64 / 1e6));
        TypedDraft {
            plan: PlanForm::from_plan(&serde_json::from_str(&draft.plan).unwrap_or_default()),
            gateway: draft.gateway.clone(),
            budget: budget.unwrap_or_default(),
        }
    }

    pub fn of_form(form: &FormFields) -> TypedDraft {
        TypedDraft {
            plan: PlanForm::from_fields(&form.0),
            gateway: form.text("gateway").to_owned(),
            budget: form.text("budget").trim().to_owned(),
        }
    }

    /// Every field with its name on the page.
    fn labelled(&self, tr: Translator) -> Vec<(String, String)> {
        let mut all = vec![
            (tr.t("网关", "Gateway").to_owned(), self.gateway.clone()),
            (tr.t("预算", "Budget").to_owned(), self.budget.clone()),
        ];
        all.extend(self.plan.labelled(tr.0));
        all
    }
}

pub fn gateways(app: &AppState) -> Vec<String> {
    app.context.config.routes.keys().chain(app.context.config.gateways.keys()).cloned().collect()
}

/// The field of the page in which a mistake of the plan is.
fn field_of(error: &ContactPlanError) -> String {
    let step = |number: &usize, field: &str| format!("step-{}-{field}", number.saturating_sub(1));
    let text = |start: &str, language: &Language| match language.tag() {
        tag @ ("zh" | "en") => format!("{start}-{tag}"),
        tag => format!("{start}-text-{tag}"),
    };
    match error {
        ContactPlanError::MaxParts => "max_parts".into(),
        ContactPlanError::Spread(_) => "spread".into(),
        ContactPlanError::Hours { day, .. } => format!("hours-{day}"),
        ContactPlanError::AllHours(_) => "hours-monday".into(),
        ContactPlanError::Delay { step: n, .. } => step(n, "after"),
        ContactPlanError::Text { step: n, language, .. } => {
            text(&format!("step-{}", n.saturating_sub(1)), language)
        }
        ContactPlanError::Opening { step: n, language, .. } => {
            text(&format!("step-{}-opening", n.saturating_sub(1)), language)
        }
        ContactPlanError::NoText { step: n, .. } => step(n, "zh"),
        ContactPlanError::Calls { step: n, .. } | ContactPlanError::CallsBySms { step: n, .. } => {
            step(n, "calls")
        }
        ContactPlanError::Condition { step: n, .. }
        | ContactPlanError::ConditionVariable { step: n, .. } => step(n, "if"),
        ContactPlanError::Confirmation { language, .. } => text("confirmation", language),
        ContactPlanError::Link { language, .. } => text("link", language),
        _ => String::new(),
    }
}

/// The field in which something is that stands against a launch.
fn field_of_launch(error: &LaunchError) -> String {
    let step = |number: usize, field: &str| format!("step-{}-{field}", number.saturating_sub(1));
    match error {
        LaunchError::Plan(error) => field_of(error),
        LaunchError::NoSignature(_) => "signature".into(),
        LaunchError::UnknownGateway { .. } | LaunchError::GatewayStep { .. } => "gateway".into(),
        LaunchError::Currencies { .. } => "budget".into(),
        LaunchError::TooManyParts { number, .. } => step(*number, "zh"),
        LaunchError::TooLate { number, .. } => step(*number, "after"),
        _ => String::new(),
    }
}

/// Shows the texts of a form as messages.
pub async fn bubbles(
    app: &AppState,
    tr: Translator,
    draft: &CampaignDraft,
    typed: &TypedDraft,
    longest_name: usize,
) -> Result<Vec<Bubble>, Failure> {
    let signature = typed.plan.signature.as_str();
    let previews =
        MessagePreviews::of(&app.context, draft, (&typed.gateway, signature, longest_name)).await?;
    let mut all = Vec::new();
    for (n, step) in typed.plan.steps.iter().enumerate() {
        if step.mode == "paper" {
            continue;
        }
        let is_spoken = step.mode == "telephone";
        let own = [("zh", &step.zh), ("en", &step.en)].into_iter();
        let others = step.others.iter().map(|(tag, text)| (tag.as_str(), text));
        for (tag, text) in own.chain(others) {
            let language = Language::parse(tag).unwrap_or_default();
            let shown = match (is_spoken, text.as_str()) {
                // What will be said without words of its own is worth a look, in these two.
                (true, "") => previews.preview_spoken(&Words::of(language).call.opening, language),
                (false, "") => continue,
                (true, text) => previews.preview_spoken(text, language),
                (false, text) => previews.preview(text, language),
            };
            let shown = shown.map_err(|error| error.localized(tr.0));
            all.push(Bubble { field: text_field(n, is_spoken, tag), language, shown, is_spoken });
        }
    }
    Ok(all)
}

/// Days of a plan that is being edited: the holidays that it has, and the closed days as typed.
fn days_of(stored: &serde_json::Value, plan: &PlanForm) -> Calendar {
    let file = serde_json::from_value::<PlanFile>(stored.clone());
    let mut days = file.map(|file| file.days()).unwrap_or_default();
    days.closed = plan.closed.split_whitespace().filter_map(|day| day.parse().ok()).collect();
    days
}

pub async fn render(
    app: &AppState,
    staff: &Staff,
    code: &str,
    status: StatusCode,
    flash: Option<&'static str>,
    problem: Option<String>,
) -> Result<Response, Failure> {
    render_typed(app, staff, code, (status, flash, problem), None).await
}

/// `typed`: what somebody typed over a version that is not the stored one any more; both are shown.
pub async fn render_typed(
    app: &AppState,
    staff: &Staff,
    code: &str,
    (status, flash, problem): (StatusCode, Option<&'static str>, Option<String>),
    typed: Option<TypedDraft>,
) -> Result<Response, Failure> {
    let draft = super::draft_of(app, code).await?;
    let tr = staff.tr;
    let mut problems: Vec<FieldProblem> =
        problem.into_iter().map(|text| FieldProblem { field: String::new(), text }).collect();
    let of_plan = drafts::plan_problems(&draft);
    problems.extend(
        of_plan
            .iter()
            .map(|error| FieldProblem { field: field_of(error), text: error.localized(tr.0) }),
    );
    let checked = match drafts::check(&app.context, &draft).await {
        Ok(checked) => Some(checked),
        Err(CampaignDraftError::Launch(LaunchError::Database(error))) => return Err(error.into()),
        Err(CampaignDraftError::Launch(error)) => {
            if of_plan.is_empty() {
                let field = field_of_launch(&error);
                problems.push(FieldProblem { field, text: error.localized(tr.0) });
            }
            None
        }
        Err(error) => return Err(Failure::Internal(error.to_string())),
    };
    let mut connection = app.context.database.read().await?;
    let mut names = Vec::new();
    let mut category = None;
    for code in draft.applications.split(',') {
        if let Some(application) = applications::find(&mut connection, code).await? {
            names.push(format!("{} · {}", application.applicant_name, application.subject.title()));
            category.get_or_insert(application.category);
        }
    }
    drop(connection);
    let stored = TypedDraft::of_stored(&draft);
    let (typed, conflict) = match typed {
        Some(typed) => {
            let conflict = Conflict::between(&typed.labelled(tr), &stored.labelled(tr));
            (typed, Some(conflict))
        }
        None => (stored, None),
    };
    let longest_name = checked
        .as_ref()
        .map(|checked| checked.report.longest_name)
        .filter(|longest| *longest > 0)
        .unwrap_or(USUAL_NAME);
    let days = days_of(&serde_json::from_str(&draft.plan).unwrap_or_default(), &typed.plan);
    let today = app.context.clock.now().date(ZONE);
    let months = months_from(tr, today, CLOSABLE_MONTHS, &days);
    let last = today.checked_add_months(chrono::Months::new(CLOSABLE_MONTHS)).unwrap_or(today);
    let is_shown = |day: &NaiveDate| months.iter().any(|month| month.has(*day));
    let missing_years = match &checked {
        Some(checked) => checked.report.years_without_holidays.clone(),
        None => Vec::new(),
    };
    let template = DraftPage {
        layout: PageLayout::for_staff(staff),
        flash,
        problems,
        applications: names.join(tr.t("、", "; ")),
        version: draft_version(&draft),
        can_undo: drafts::can_undo(&app.context, code)
            .await
            .map_err(|error| Failure::Internal(error.to_string()))?,
        conflict,
        bubbles: bubbles(app, tr, &draft, &typed, longest_name).await?,
        longest_name,
        closed_elsewhere: days.closed.iter().filter(|day| !is_shown(day)).copied().collect(),
        stretches: crate::domain::holidays::stretches(&days, today, last)
            .into_iter()
            .map(|stretch| stretch_label(tr, stretch))
            .collect(),
        months,
        missing_years,
        currency: currency(app, &typed.gateway),
        gateway: typed.gateway,
        budget: typed.budget,
        plan: typed.plan,
        gateways: gateways(app),
        library: kept_texts(app).await?,
        day_names: [
            ("周一", "Monday"),
            ("周二", "Tuesday"),
            ("周三", "Wednesday"),
            ("周四", "Thursday"),
            ("周五", "Friday"),
            ("周六", "Saturday"),
            ("周日", "Sunday"),
            ("节假日", "Holidays"),
        ]
        .map(|words| tr.pair(words)),
        rehearsals: rehearsals(tr, checked.as_ref()),
        checked: checked.as_ref(),
        trial_link: category
            .map(|category| trial_link(&app.context, category.as_str()))
            .unwrap_or_default(),
        needs_two: app.context.config.console.four_eyes,
        is_asked_by_self: draft.launch_requested_by.as_deref()
            == Some(staff.session.account.name.as_str()),
        draft: &draft,
    };
    Ok(render_page(status, &template))
}

/// The library's texts.
async fn kept_texts(app: &AppState) -> Result<Vec<KeptText>, Failure> {
    let all =
        library::list(&app.context).await.map_err(|error| Failure::Internal(error.to_string()))?;
    let kept = all.into_iter().filter(|entry| entry.deleted_at.is_none());
    let text = |entry: LibraryEntry| {
        let kind = EntryKind::parse(&entry.kind)?;
        Some(KeptText { kind, name: entry.name, text: entry.content })
    };
    Ok(kept.filter_map(text).collect())
}

/// The currency that a gateway or a route is paid in.
fn currency(app: &AppState, gateway: &str) -> String {
    let config = &app.context.config;
    let route = config.route(gateway);
    let first = route.iter().flat_map(|route| route.gateways()).next();
    let gateway = first.and_then(|name| config.gateways.get(name));
    gateway.map(|gateway| gateway.currency.clone()).unwrap_or_default()
}

fn rehearsals(tr: Translator, checked: Option<&DraftCheck>) -> Vec<RehearsalView> {
    let band = |low: u32, median: u32, high: u32| format!("{median} ({low}–{high})");
    let rehearsal = |r: &crate::services::forecasting::RehearsalForecast| {
        let days: Vec<_> = r
            .days
            .iter()
            .map(|day| (day.day, (day.completes.low, day.completes.median, day.completes.high)))
            .collect();
        RehearsalView {
            code: r.application.clone(),
            people: r.people,
            target: r.target,
            chance: format!("{:.0} %", r.chance * 100.0),
            completes: band(r.completes.low, r.completes.median, r.completes.high),
            messages: band(r.messages.low, r.messages.median, r.messages.high),
            handed_to_interviewers: band(
                r.handed_to_interviewers.low,
                r.handed_to_interviewers.median,
                r.handed_to_interviewers.high,
            ),
            curve: curve(
                completes_heading(tr, format!("r-{}", r.application)),
                &[(r.launched, 0)],
                &days,
                r.target,
                |row| curve_words(tr, row),
            ),
        }
    };
    checked.into_iter().flat_map(|checked| &checked.rehearsals).map(rehearsal).collect()
}
