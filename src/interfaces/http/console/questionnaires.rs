//! Questionnaires as telephones show them: for staff, and behind a signed link on their own telephone. Nothing is kept of what is tried.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use super::super::items::{Field, ItemView, sample_item_view};
use super::super::respondent::STYLE;
use super::super::page_layout::{Frame, page};
use super::super::auth::Staff;
use super::super::translations::{Words, words};
use super::super::Failure;
use super::super::state::Site;
use super::setup::category_in_words;
use crate::services::questionnaires::of_category;
use crate::domain::category::Category;
use crate::domain::language::Language;
use crate::domain::questionnaire::{Piped, Questionnaire};
use crate::domain::time::Timestamp;
use crate::services::drafts::try_signature;

struct PageView<'a> {
    title: &'a str,
    /// When it is shown.
    condition: Option<&'a str>,
    items: Items<'a>,
}

/// A page's questions.
#[derive(Template)]
#[template(path = "shared/items.html")]
struct Items<'a> {
    w: &'static Words,
    items: Vec<ItemView<'a>>,
}

fn pages<'a>(questionnaire: &'a Questionnaire, language: Language, w: &'static Words) -> Vec<PageView<'a>> {
    let answers = BTreeMap::new();
    let piped = Piped { questionnaire, subject: w.sample_subject, applicant: w.sample_applicant, answers: &answers, language };
    let page = |page: &'a crate::domain::questionnaire::Page| PageView {
        title: page.title.in_language(language),
        condition: page.show_if.as_ref().map(|condition| condition.source()),
        items: Items { w, items: page.items.iter().map(|item| sample_item_view(item, &piped, w)).collect() },
    };
    questionnaire.pages.iter().map(page).collect()
}

#[derive(Template)]
#[template(path = "console/questionnaire.html")]
struct QuestionnairePage<'a> {
    f: Frame<'a>,
    category: String,
    code: &'static str,
    title: &'a str,
    introduction: &'a str,
    version: u32,
    language: Language,
    other: Language,
    pages: Vec<PageView<'a>>,
}

fn language_of(query: &BTreeMap<String, String>) -> Language {
    query.get("lang").and_then(|tag| Language::parse(tag)).unwrap_or_default()
}

pub async fn show(
    State(site): State<Arc<Site>>,
    Extension(staff): Extension<Staff>,
    Path(category): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let category = Category::parse(&category).ok_or(Failure::NotFound)?;
    let (_, questionnaire) =
        of_category(site.installation.config.questionnaires.as_deref(), category).map_err(|error| Failure::Internal(error.to_string()))?;
    let language = language_of(&query);
    let w = words(language);
    let shown = QuestionnairePage {
        f: Frame::of(&staff),
        category: category_in_words(staff.say, category),
        code: category.as_str(),
        title: questionnaire.title.in_language(language),
        introduction: questionnaire.introduction.in_language(language),
        version: questionnaire.version,
        language,
        other: if language == Language::Zh { Language::En } else { Language::Zh },
        pages: pages(&questionnaire, language, w),
    };
    Ok(page(StatusCode::OK, &shown))
}

#[derive(Template)]
#[template(path = "console/try.html")]
struct TryPage<'a> {
    style: &'static str,
    w: &'static Words,
    title: &'a str,
    introduction: &'a str,
    pages: Vec<PageView<'a>>,
}

/// Whoever has the link, until its time is over.
pub async fn try_out(
    State(site): State<Arc<Site>>,
    Path((category, until, signature)): Path<(String, i64, String)>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let until = Timestamp(until);
    let is_ours = try_signature(&site.installation, &category, until) == signature && until > site.installation.clock.now();
    if !is_ours {
        return Err(if site.guesses.count() { Failure::NotFound } else { Failure::TooMany });
    }
    let category = Category::parse(&category).ok_or(Failure::NotFound)?;
    let (_, questionnaire) =
        of_category(site.installation.config.questionnaires.as_deref(), category).map_err(|error| Failure::Internal(error.to_string()))?;
    let language = language_of(&query);
    let w = words(language);
    let shown = TryPage {
        style: STYLE,
        w,
        title: questionnaire.title.in_language(language),
        introduction: questionnaire.introduction.in_language(language),
        pages: pages(&questionnaire, language, w),
    };
    Ok(Html(shown.render().map_err(|error| Failure::Internal(error.to_string()))?).into_response())
}
