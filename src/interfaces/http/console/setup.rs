//! From nothing to a list: programmes, applications with the rules of their categories, and what is to be done next.

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
use super::home::state_in_words;
use super::refusals::Refusal;
use crate::services::deadlines::changes;
use crate::services::deadlines::{Overview, overview};
use crate::domain::category::Category;
use crate::domain::language::Text;
use crate::domain::programme::Programme;
use crate::domain::subject::required_fields;
use crate::services::programmes::{NewApplication, RegistrationError, add_application, put_programme};
use crate::adapters::database::application_events::{self, HappenedTo};
use crate::adapters::database::applications::{self, Application, ApplicationState};
use crate::adapters::database::drafts::{self, CampaignDraft, ListDraft};
use crate::adapters::database::programmes;

/// What an application waits for.
struct ToDo<'a> {
    of: &'a Overview,
    state: &'static str,
    next: &'static str,
    way: String,
}

struct CategoryView {
    code: &'static str,
    words: String,
    cap: u32,
    /// Its subject's fields, each with what the rule asks for.
    fields: Vec<(&'static str, &'static str)>,
}

#[derive(Template)]
#[template(path = "console/setup.html")]
struct SetupPage<'a> {
    f: Frame<'a>,
    noted: Option<&'static str>,
    problem: Option<String>,
    /// What was sent, so that nothing has to be typed again.
    sent: BTreeMap<String, String>,
    programmes: Vec<(String, String)>,
    to_do: Vec<ToDo<'a>>,
    lists: Vec<ListDraft>,
    drafts: Vec<CampaignDraft>,
    categories: Vec<CategoryView>,
}

impl SetupPage<'_> {
    fn was(&self, field: &str) -> &str {
        self.sent.get(field).map(String::as_str).unwrap_or_default()
    }
}

/// A category, in the reader's language.
pub fn category_in_words(s: Say, category: Category) -> String {
    match s.tag() {
        "zh" => category.chinese().to_owned(),
        _ => category.as_str().to_owned(),
    }
}

fn noted(s: Say, what: &str) -> Option<&'static str> {
    Some(match what {
        "programme" => s.t("项目已保存。", "The programme is kept."),
        "dropped" => s.t("已放弃。", "It is thrown away."),
        _ => return None,
    })
}

async fn render(
    site: &Site,
    staff: &Staff,
    status: StatusCode,
    noted: Option<&'static str>,
    (problem, sent): (Option<String>, BTreeMap<String, String>),
) -> Result<Response, Failure> {
    let s = staff.say;
    let (mut names, mut all) = (Vec::new(), Vec::new());
    for code in programmes::codes(&mut *site.installation.store.read().await?).await? {
        if let Some((_, programme)) = programmes::find(&mut *site.installation.store.read().await?, &code).await? {
            names.push((code.clone(), s.t(&programme.name.zh, &programme.name.en).to_owned()));
        }
        all.extend(overview(&site.installation, &code).await?.unwrap_or_default());
    }
    let mut connection = site.installation.store.read().await?;
    let (lists, drafts) = (drafts::lists(&mut connection).await?, drafts::campaigns(&mut connection).await?);
    drop(connection);
    let to_do = |of: &Overview| {
        let way = format!("/applications/{}", of.application);
        let (next, way) = match of.state {
            "waits_for_list" => (s.t("上传名单", "upload its list"), way),
            "waits_for_fee" => (s.t("登记费用", "write down its fee"), way),
            _ => (s.t("拟定活动", "draw up its campaign"), format!("/new-campaign?application={}", of.application)),
        };
        (next, way)
    };
    let rows = all.iter().filter(|of| of.campaign.is_none() && of.state != "closed").map(|of| {
        let (next, way) = to_do(of);
        ToDo { of, state: state_in_words(s, of.state), next, way }
    });
    let categories = Category::ALL.map(|category| CategoryView {
        code: category.as_str(),
        words: category_in_words(s, category),
        cap: category.default_cap(),
        fields: required_fields(category).iter().map(|(field, _, remedy)| (*field, s.of(field_in_words(field, remedy)))).collect(),
    });
    let shown = SetupPage {
        f: Frame::of(staff),
        noted,
        problem,
        sent,
        programmes: names,
        to_do: rows.collect(),
        lists,
        drafts,
        categories: categories.into_iter().collect(),
    };
    Ok(page(status, &shown))
}

/// A subject's field, as forms name it; the rule's own words in English.
fn field_in_words(field: &'static str, remedy: &'static str) -> (&'static str, &'static str) {
    (field_in_chinese(field), remedy)
}

pub fn field_in_chinese(field: &str) -> &'static str {
    match field {
        "name" => "名称",
        "brand" => "品牌（一个）",
        "product" => "产品（一种）",
        "model" => "型号",
        "specification" => "规格",
        "place" => "地点（市、区、路）",
        "number" => "楼号",
        _ => "服务（具体一项，而非机构名）",
    }
}

pub async fn show(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let noted = query.get("noted").and_then(|what| noted(staff.say, what));
    render(&site, &staff, StatusCode::OK, noted, (None, BTreeMap::new())).await
}

/// A new programme, or other rules for one that there is; what the form does not have stays as it was.
pub async fn save_programme(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Extension(sent): Extension<Sent>,
) -> Result<Response, Failure> {
    let text = |field: &str| sent.text(field).trim().to_owned();
    let known = programmes::find(&mut *site.installation.store.read().await?, &text("code")).await?.map(|(_, programme)| programme);
    let (zh, en) = (text("name_zh"), text("name_en"));
    let name = Text { en: if en.is_empty() { zh.clone() } else { en }, zh };
    let mut programme = match known {
        Some(programme) => Programme { name, ..programme },
        None => Programme::new(&text("code"), name),
    };
    if let Ok(months) = text("certificate_months").parse() {
        programme.certificate_months = months;
    }
    if let Ok(days) = text("dataset_lead_days").parse() {
        programme.dataset_lead_days = days;
    }
    programme.fee_first = sent.0.contains_key("fee_first");
    programme.cut_off = text("cut_off").parse().ok();
    programme.retention_months = text("retention_months").parse().ok();
    match put_programme(&site.installation, programme).await {
        Ok(_) => Ok(Redirect::to("/setup?noted=programme").into_response()),
        Err(error) => refused(&site, &staff, error, sent).await,
    }
}

/// What somebody filled in is shown again, with what is wrong with it.
async fn refused(site: &Site, staff: &Staff, error: RegistrationError, sent: Sent) -> Result<Response, Failure> {
    match error {
        RegistrationError::Store(error) => Err(error.into()),
        RegistrationError::Keys(error) => Err(Failure::Internal(error.to_string())),
        error => render(site, staff, StatusCode::UNPROCESSABLE_ENTITY, None, (Some(error.words(staff.say)), sent.0)).await,
    }
}

/// Registers an application.
pub async fn register(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Extension(sent): Extension<Sent>,
) -> Result<Response, Failure> {
    let text = |field: &str| sent.text(field).trim();
    let category = text("category");
    let fields = Category::parse(category).map(required_fields).unwrap_or_default();
    let declared = NewApplication {
        programme: text("programme"),
        code: text("code"),
        applicant_code: text("applicant"),
        applicant_name: text("applicant_name"),
        category,
        subject: fields.iter().map(|(field, ..)| ((*field).to_owned(), text(&format!("{category}-{field}")).to_owned())).collect(),
        target: text("target").parse().ok(),
    };
    match add_application(&site.installation, declared).await {
        Ok(code) => Ok(Redirect::to(&format!("/applications/{code}")).into_response()),
        Err(error) => refused(&site, &staff, error, sent).await,
    }
}

#[derive(Template)]
#[template(path = "console/application.html")]
struct ApplicationPage<'a> {
    f: Frame<'a>,
    noted: Option<&'static str>,
    problem: Option<String>,
    of: &'a Application,
    standing: &'a Overview,
    state: &'static str,
    category: String,
    cap: u32,
    fee_settled: Option<String>,
    waits_for_fee: bool,
    is_open: bool,
    can_launch: bool,
    lists: Vec<ListDraft>,
    history: Vec<(String, &'static str, String)>,
}

pub async fn application(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Path(code): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let imported = query.get("noted").map(|_| staff.say.t("名单已导入。", "The list is imported."));
    show_application(&site, &staff, &code, StatusCode::OK, imported, None).await
}

pub async fn show_application(
    site: &Site,
    staff: &Staff,
    code: &str,
    status: StatusCode,
    noted: Option<&'static str>,
    problem: Option<String>,
) -> Result<Response, Failure> {
    let mut connection = site.installation.store.read().await?;
    let of = applications::find(&mut connection, code).await?.ok_or(Failure::NotFound)?;
    let programme = programmes::get(&mut connection, of.programme_id).await?;
    let history = application_events::of_application(&mut connection, of.id).await?;
    let lists = drafts::lists(&mut connection).await?.into_iter().filter(|list| list.applications.split(',').any(|other| other == code)).collect();
    drop(connection);
    let standing = overview(&site.installation, &programme.code)
        .await?
        .unwrap_or_default()
        .into_iter()
        .find(|other| other.application == code)
        .ok_or(Failure::NotFound)?;
    let s = staff.say;
    let happened = |event: HappenedTo| {
        let what = s.of(event.what.words());
        (event.at.in_zone(ZONE).format("%Y-%m-%d %H:%M").to_string(), what, format!("{} {}", event.reason, event.who))
    };
    let is_open = of.state == ApplicationState::Registered;
    let shown = ApplicationPage {
        f: Frame::of(staff),
        noted,
        problem,
        state: state_in_words(s, standing.state),
        category: category_in_words(s, of.category),
        cap: programme.cap(of.category),
        fee_settled: of.fee_settled_at.map(|at| at.date(ZONE).to_string()),
        waits_for_fee: standing.state == "waits_for_fee",
        can_launch: is_open && standing.names > 0,
        is_open,
        lists,
        history: history.into_iter().map(happened).collect(),
        standing: &standing,
        of: &of,
    };
    Ok(page(status, &shown))
}

/// Writes down when the survey fee was settled.
pub async fn settle_fee(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Extension(sent): Extension<Sent>,
    Path(code): Path<String>,
) -> Result<Response, Failure> {
    let Ok(day) = sent.text("day").parse() else {
        let problem = Some(staff.say.t("请选择日期。", "Choose a day.").to_owned());
        return show_application(&site, &staff, &code, StatusCode::UNPROCESSABLE_ENTITY, None, problem).await;
    };
    match changes::settle_fee(&site.installation, &code, day, &staff.session.account.name).await {
        Ok(_) => Ok(Redirect::to(&format!("/applications/{code}")).into_response()),
        Err(changes::ChangeError::Store(error)) => Err(error.into()),
        Err(error) => show_application(&site, &staff, &code, StatusCode::UNPROCESSABLE_ENTITY, None, Some(error.words(staff.say))).await,
    }
}
