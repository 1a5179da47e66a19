//! Set-up: programmes, applications with the rules of their categories, and the next step of each
//! application.

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
use super::application_drafts::CONTACT;
use super::conflict::{Conflict, expected_version};
use super::home::state_label;
use crate::adapters::database::application_drafts::{self, ApplicationDraft};
use crate::adapters::database::application_events::{self, ApplicationEvent};
use crate::adapters::database::applications::{self, Application, ApplicationState};
use crate::adapters::database::drafts::{self, CampaignDraft, ListDraft};
use crate::adapters::database::{applicant_links, programmes};
use crate::domain::category::Category;
use crate::domain::language::{Language, LocalizedText};
use crate::domain::personal::Personal;
use crate::domain::programme::Programme;
use crate::domain::role::Permission;
use crate::domain::subject::required_fields;
use crate::domain::time::Timestamp;
use crate::interfaces::errors::LocalizedError;
use crate::interfaces::errors::subject_field_zh;
use crate::services::applicant_pages::{ApplicantPageError, links};
use crate::services::application_forms::by_hand::codes_for;
use crate::services::deadlines::changes;
use crate::services::deadlines::{ApplicationOverview, programme_overview};
use crate::services::drafts::lists::by_use;
use crate::services::programmes::{
    NewApplication, RegistrationError, add_application, contact_of, put_programme,
};

/// An application with its next step.
struct PendingApplication<'a> {
    overview: &'a ApplicationOverview,
    state: &'static str,
    next: &'static str,
    link: String,
}

struct CategoryView {
    code: &'static str,
    words: String,
    cap: u32,
    /// Fields of the subject, each with its rule.
    fields: Vec<(&'static str, &'static str)>,
}

#[derive(Template)]
#[template(path = "console/setup.html")]
struct SetupPage<'a> {
    layout: PageLayout<'a>,
    flash: Option<&'static str>,
    problem: Option<String>,
    /// What is saved under the programme's code already.
    conflict: Option<Conflict>,
    /// The submitted form, so that nothing must be typed again.
    form: BTreeMap<String, String>,
    programmes: Vec<(String, String)>,
    pending: Vec<PendingApplication<'a>>,
    lists: Vec<ListDraft>,
    /// Lists of applications that are in the field or over.
    unusable_lists: Vec<ListDraft>,
    application_drafts: Vec<ApplicationDraft>,
    drafts: Vec<CampaignDraft>,
    categories: Vec<CategoryView>,
}

impl SetupPage<'_> {
    fn form_value(&self, field: &str) -> &str {
        self.form.get(field).map(String::as_str).unwrap_or_default()
    }
}

/// Returns the name of a category in the reader's language.
pub fn category_label(tr: Translator, category: Category) -> String {
    match tr.tag() {
        "zh" => category.chinese().to_owned(),
        _ => category.as_str().to_owned(),
    }
}

fn flash_text(tr: Translator, what: &str) -> Option<&'static str> {
    Some(match what {
        "programme" => tr.t("项目已保存。", "The programme is kept."),
        "lists-dropped" => tr.t("所选名单已放弃。", "The ticked lists are thrown away."),
        "no-list" => tr.t("请先勾选名单。", "Tick lists first."),
        "dropped" => tr.t("已放弃。", "It is thrown away."),
        "known" => tr.t(
            "这些材料以前已处理过，没有改动。",
            "These documents were dealt with before; nothing is changed.",
        ),
        "read" => {
            tr.t("材料已读取，请逐份核对。", "The documents are read; look each draft through.")
        }
        "registered" => tr.t("已登记。", "Registered."),
        "returned" => tr.t("名单已退回申报单位。", "The list is sent back to the applicant."),
        _ => return None,
    })
}

async fn render(
    app: &AppState,
    staff: &Staff,
    status: StatusCode,
    flash: Option<&'static str>,
    (problem, form): (Option<String>, BTreeMap<String, String>),
) -> Result<Response, Failure> {
    render_conflict(app, staff, status, flash, (problem, form, None)).await
}

/// Shows the page with a problem.
pub(super) async fn show_with(
    app: &AppState,
    staff: &Staff,
    status: StatusCode,
    problem: String,
) -> Result<Response, Failure> {
    render(app, staff, status, None, (Some(problem), BTreeMap::new())).await
}

async fn render_conflict(
    app: &AppState,
    staff: &Staff,
    status: StatusCode,
    flash: Option<&'static str>,
    (problem, form, conflict): (Option<String>, BTreeMap<String, String>, Option<Conflict>),
) -> Result<Response, Failure> {
    let tr = staff.tr;
    let (mut names, mut all) = (Vec::new(), Vec::new());
    for code in programmes::codes(&mut *app.context.database.read().await?).await? {
        if let Some((_, programme)) =
            programmes::find(&mut *app.context.database.read().await?, &code).await?
        {
            names.push((code.clone(), tr.t(programme.name.zh(), programme.name.en()).to_owned()));
        }
        all.extend(programme_overview(&app.context, &code).await?.unwrap_or_default());
    }
    let mut connection = app.context.database.read().await?;
    let drafts = drafts::campaigns(&mut connection).await?;
    let application_drafts = application_drafts::all(&mut connection).await?;
    drop(connection);
    let (lists, unusable_lists) =
        by_use(&app.context).await.map_err(|error| Failure::Internal(error.to_string()))?;
    let pending = |overview: &ApplicationOverview| {
        let link = format!("/applications/{}", overview.application);
        let (next, link) = match overview.state {
            "waits_for_list" => (tr.t("上传名单", "upload its list"), link),
            "waits_for_fee" => (tr.t("登记费用", "write down its fee"), link),
            _ => (
                tr.t("新建活动", "draw up its campaign"),
                format!("/new-campaign?application={}", overview.application),
            ),
        };
        (next, link)
    };
    let rows = all
        .iter()
        .filter(|overview| overview.campaign.is_none() && overview.state != "closed")
        .map(|overview| {
            let (next, link) = pending(overview);
            PendingApplication { overview, state: state_label(tr, overview.state), next, link }
        });
    let categories = Category::ALL.map(|category| CategoryView {
        code: category.as_str(),
        words: category_label(tr, category),
        cap: category.default_cap(),
        fields: required_fields(category)
            .iter()
            .map(|(field, _, remedy)| (*field, tr.pair(field_label(field, remedy))))
            .collect(),
    });
    let template = SetupPage {
        layout: PageLayout::for_staff(staff),
        flash,
        problem,
        conflict,
        form,
        programmes: names,
        pending: rows.collect(),
        lists,
        unusable_lists,
        application_drafts,
        drafts,
        categories: categories.into_iter().collect(),
    };
    Ok(render_page(status, &template))
}

/// Returns the label of a subject's field, in Chinese and English; the English label is the rule's
/// own text.
fn field_label(field: &'static str, remedy: &'static str) -> (&'static str, &'static str) {
    (subject_field_zh(field), remedy)
}

pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let flash = query.get("noted").and_then(|what| flash_text(staff.tr, what));
    render(&app, &staff, StatusCode::OK, flash, (None, BTreeMap::new())).await
}

/// Creates or updates a programme. Rules that the form does not contain are unchanged.
pub async fn save_programme(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
) -> Result<Response, Failure> {
    let text = |field: &str| form.text(field).trim().to_owned();
    let known = programmes::find(&mut *app.context.database.read().await?, &text("code"))
        .await?
        .map(|(_, programme)| programme);
    let (zh, en) = (text("name_zh"), text("name_en"));
    // The form has two of the languages; texts in others stay.
    let both = [(Language::ZH, zh.clone()), (Language::EN, if en.is_empty() { zh } else { en })];
    let others = known.iter().flat_map(|programme| programme.name.iter());
    let others = others.map(|(language, text)| (language, text.to_owned()));
    let name = LocalizedText::new(both.into_iter().chain(others))
        .unwrap_or_else(|| LocalizedText::zh_en("", ""));
    let mut programme = match known.clone() {
        Some(programme) => Programme { name, ..programme },
        None => Programme::new(&text("code"), name),
    };
    if let Ok(months) = text("certificate_months").parse() {
        programme.certificate_months = months;
    }
    if let Ok(days) = text("dataset_lead_days").parse() {
        programme.dataset_lead_days = days;
    }
    programme.fee_first = form.0.contains_key("fee_first");
    programme.cut_off = text("cut_off").parse().ok();
    programme.retention_months = text("retention_months").parse().ok();
    match put_programme(&app.context, programme.clone(), &expected_version(&form)).await {
        Err(RegistrationError::Version(conflict)) => {
            let saved = known.map(|saved| labelled(staff.tr, &saved)).unwrap_or_default();
            let both = Conflict::between(&labelled(staff.tr, &programme), &saved);
            let mut form = form.0;
            form.insert("version".into(), conflict.current().unwrap_or_default().to_owned());
            let shown = (None, form, Some(both));
            render_conflict(&app, &staff, StatusCode::CONFLICT, None, shown).await
        }
        Ok(_) => Ok(Redirect::to("/setup?noted=programme").into_response()),
        Err(error) => refused(&app, &staff, error, form).await,
    }
}

/// The rules that the form has, with their names on the page.
fn labelled(tr: Translator, programme: &Programme) -> Vec<(String, String)> {
    let text = |value: Option<String>| value.unwrap_or_default();
    let fee_first = if programme.fee_first { tr.t("是", "yes") } else { tr.t("否", "no") };
    [
        (tr.t("中文名称", "Name in Chinese"), programme.name.zh().to_owned()),
        (tr.t("英文名称", "Name in English"), programme.name.en().to_owned()),
        (
            tr.t("收到名单至发证（月）", "Months from the list to the certificate"),
            programme.certificate_months.to_string(),
        ),
        (
            tr.t("其中评分与审定（天）", "Of these, days for scoring"),
            programme.dataset_lead_days.to_string(),
        ),
        (tr.t("名单截止日", "Lists until"), text(programme.cut_off.map(|day| day.to_string()))),
        (
            tr.t("结束后清除个人信息（月）", "Delete personal data after (months)"),
            text(programme.retention_months.map(|months| months.to_string())),
        ),
        (tr.t("缴费后才开始计时", "The fee first"), fee_first.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// Shows the form again with its values and the error.
async fn refused(
    app: &AppState,
    staff: &Staff,
    error: RegistrationError,
    form: FormFields,
) -> Result<Response, Failure> {
    match error {
        RegistrationError::Database(error) => Err(error.into()),
        RegistrationError::Keys(error) => Err(Failure::Internal(error.to_string())),
        RegistrationError::Seal(error) => Err(Failure::Internal(error.to_string())),
        error => {
            render(
                app,
                staff,
                StatusCode::UNPROCESSABLE_ENTITY,
                None,
                (Some(error.localized(staff.tr.0)), form.0),
            )
            .await
        }
    }
}

/// Registers an application.
pub async fn register(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
) -> Result<Response, Failure> {
    let text = |field: &str| form.text(field).trim();
    let category = text("category");
    let fields = Category::parse(category).map(required_fields).unwrap_or_default();
    let named = (text("applicant_name"), text("applicant"), text("code"));
    let (applicant, code) = codes_for(&app.context, text("programme"), named).await?;
    let declared = NewApplication {
        programme: text("programme"),
        code: &code,
        applicant_code: &applicant,
        applicant_name: text("applicant_name"),
        rename: form.0.contains_key("rename"),
        category,
        subject: fields
            .iter()
            .map(|(field, ..)| {
                ((*field).to_owned(), text(&format!("{category}-{field}")).to_owned())
            })
            .collect(),
        target: text("target").parse().ok(),
        requested_title: String::new(),
        may_publish: None,
        contact: BTreeMap::new(),
    };
    match add_application(&app.context, declared).await {
        Ok(code) => Ok(Redirect::to(&format!("/applications/{code}")).into_response()),
        Err(error) => refused(&app, &staff, error, form).await,
    }
}

#[derive(Template)]
#[template(path = "console/application.html")]
struct ApplicationPage<'a> {
    layout: PageLayout<'a>,
    flash: Option<&'static str>,
    problem: Option<String>,
    application: &'a Application,
    overview: &'a ApplicationOverview,
    state: &'static str,
    category: String,
    cap: u32,
    fee_settled: Option<String>,
    waits_for_fee: bool,
    is_open: bool,
    can_launch: bool,
    lists: Vec<ListDraft>,
    history: Vec<(String, &'static str, String)>,
    /// Whether the staff member may see personal data.
    may_reveal: bool,
    /// Whom to ask; `None`: it is not shown.
    contact: Option<Vec<(&'static str, Personal)>>,
    /// The applicant's links; `None`: no gateway is set up for their codes.
    links: Option<Vec<LinkRow>>,
    /// A link that has just been made. It is shown once.
    new_link: Option<Personal>,
    declarations: Vec<(String, String)>,
}

/// A link to the applicant's own page.
struct LinkRow {
    id: i64,
    mobile: String,
    state: String,
    is_open: bool,
}

pub async fn application(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(code): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let imported = query.get("noted").map(|_| staff.tr.t("名单已导入。", "The list is imported."));
    show_application(&app, &staff, &code, StatusCode::OK, imported, None).await
}

/// Shows the application with the applicant's contact.
pub async fn contact(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(code): Path<String>,
) -> Result<Response, Failure> {
    let found = applications::find(&mut *app.context.database.read().await?, &code).await?;
    let application = found.ok_or(Failure::NotFound)?;
    let contact = contact_of(&app.context, &application)
        .await
        .map_err(|error| Failure::Internal(error.to_string()))?;
    let label = |field: &str| {
        let known = CONTACT.iter().find(|(name, ..)| *name == field);
        known.map_or("", |(_, zh, en)| staff.tr.t(zh, en))
    };
    let contact = contact.into_iter().map(|(field, value)| (label(field), value)).collect();
    let shown = Shown { contact: Some(contact), new_link: None };
    render_application(&app, &staff, &code, StatusCode::OK, (None, None), shown).await
}

/// Gives the applicant a link to its own page.
pub async fn create_link(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(code): Path<String>,
) -> Result<Response, Failure> {
    let actor = &staff.session.account.name;
    let days = form.text("days").trim().parse().ok();
    match links::create(&app.context, actor, &code, form.text("mobile"), days).await {
        Ok(link) => {
            let shown = Shown { contact: None, new_link: Some(link) };
            render_application(&app, &staff, &code, StatusCode::OK, (None, None), shown).await
        }
        Err(ApplicantPageError::UnknownApplication(_)) => Err(Failure::NotFound),
        Err(
            error @ (ApplicantPageError::Number(_)
            | ApplicantPageError::NoMobile
            | ApplicantPageError::Days
            | ApplicantPageError::NotConfigured),
        ) => {
            let problem = Some(error.localized(staff.tr.0));
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            show_application(&app, &staff, &code, status, None, problem).await
        }
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

pub async fn revoke_link(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path((code, link)): Path<(String, i64)>,
) -> Result<Response, Failure> {
    match links::revoke(&app.context, &code, link).await {
        Ok(()) => {
            let done = staff.tr.t("链接已撤销。", "The link is revoked.");
            show_application(&app, &staff, &code, StatusCode::OK, Some(done), None).await
        }
        Err(ApplicantPageError::UnknownApplication(_) | ApplicantPageError::UnknownLink) => {
            Err(Failure::NotFound)
        }
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

/// What is shown on request only.
#[derive(Default)]
struct Shown {
    contact: Option<Vec<(&'static str, Personal)>>,
    new_link: Option<Personal>,
}

/// The links of an applicant, with what became of them.
async fn link_rows(
    app: &AppState,
    tr: Translator,
    application: &Application,
) -> Result<Option<Vec<LinkRow>>, Failure> {
    if app.context.config.applicant_pages.is_none() {
        return Ok(None);
    }
    let all = links::of_applicant(&app.context, application.applicant_id)
        .await
        .map_err(|error| Failure::Internal(error.to_string()))?;
    let row = |link: links::LinkView| {
        let day = |at: Timestamp| at.date(ZONE).to_string();
        let state = match (link.revoked_at, link.is_open) {
            (Some(at), _) => format!("{} {}", tr.t("已撤销", "revoked on"), day(at)),
            (None, false) => format!("{} {}", tr.t("已过期", "ended on"), day(link.expires_at)),
            (None, true) => {
                let used = match link.signed_in_at {
                    Some(at) => format!("{} {}", tr.t("上次登录", "last signed in on"), day(at)),
                    None => tr.t("尚未登录", "never signed in").to_owned(),
                };
                format!("{} {} · {used}", tr.t("有效至", "valid until"), day(link.expires_at))
            }
        };
        LinkRow { id: link.id, mobile: link.mobile, is_open: link.is_open, state }
    };
    Ok(Some(all.into_iter().map(row).collect()))
}

pub async fn show_application(
    app: &AppState,
    staff: &Staff,
    code: &str,
    status: StatusCode,
    flash: Option<&'static str>,
    problem: Option<String>,
) -> Result<Response, Failure> {
    render_application(app, staff, code, status, (flash, problem), Shown::default()).await
}

async fn render_application(
    app: &AppState,
    staff: &Staff,
    code: &str,
    status: StatusCode,
    (flash, problem): (Option<&'static str>, Option<String>),
    shown: Shown,
) -> Result<Response, Failure> {
    let mut connection = app.context.database.read().await?;
    let application = applications::find(&mut connection, code).await?.ok_or(Failure::NotFound)?;
    let programme = programmes::get(&mut connection, application.programme_id).await?;
    let history = application_events::of_application(&mut connection, application.id).await?;
    let lists = drafts::lists(&mut connection)
        .await?
        .into_iter()
        .filter(|list| list.applications.split(',').any(|other| other == code))
        .collect();
    let declarations =
        applicant_links::declarations(&mut connection, application.applicant_id).await?;
    drop(connection);
    let declaration_line = |declaration: applicant_links::StoredDeclaration| {
        (declaration.handed_in_at.date(ZONE).to_string(), declaration.accepted_by)
    };
    let overview = programme_overview(&app.context, &programme.code)
        .await?
        .unwrap_or_default()
        .into_iter()
        .find(|other| other.application == code)
        .ok_or(Failure::NotFound)?;
    let tr = staff.tr;
    let history_line = |event: ApplicationEvent| {
        let what = tr.pair(event.kind.labels());
        (
            event.at.in_zone(ZONE).format("%Y-%m-%d %H:%M").to_string(),
            what,
            format!("{} {}", event.reason, event.actor),
        )
    };
    let is_open = application.state == ApplicationState::Registered;
    let template = ApplicationPage {
        layout: PageLayout::for_staff(staff),
        flash,
        problem,
        state: state_label(tr, overview.state),
        category: category_label(tr, application.category),
        cap: programme.cap(application.category),
        fee_settled: application.fee_settled_at.map(|at| at.date(ZONE).to_string()),
        waits_for_fee: overview.state == "waits_for_fee",
        can_launch: is_open && overview.names > 0,
        is_open,
        lists,
        may_reveal: staff.may(Permission::Reveal),
        contact: shown.contact,
        links: link_rows(app, tr, &application).await?,
        new_link: shown.new_link,
        declarations: declarations.into_iter().map(declaration_line).collect(),
        history: history.into_iter().map(history_line).collect(),
        overview: &overview,
        application: &application,
    };
    Ok(render_page(status, &template))
}

/// Records when the survey fee was settled.
pub async fn settle_fee(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(code): Path<String>,
) -> Result<Response, Failure> {
    let Ok(day) = form.text("day").parse() else {
        let problem = Some(staff.tr.t("请选择日期。", "Choose a day.").to_owned());
        return show_application(
            &app,
            &staff,
            &code,
            StatusCode::UNPROCESSABLE_ENTITY,
            None,
            problem,
        )
        .await;
    };
    match changes::settle_fee(&app.context, &code, day, &staff.session.account.name).await {
        Ok(_) => Ok(Redirect::to(&format!("/applications/{code}")).into_response()),
        Err(changes::ChangeError::Database(error)) => Err(error.into()),
        Err(error) => {
            show_application(
                &app,
                &staff,
                &code,
                StatusCode::UNPROCESSABLE_ENTITY,
                None,
                Some(error.localized(staff.tr.0)),
            )
            .await
        }
    }
}
