//! Previews of questionnaires: for staff, and behind a signed link for their telephones. Trial
//! answers are not stored.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use super::super::super::Failure;
use super::super::super::auth::Staff;
use super::super::super::items::{Field, ItemView, preview_item_view};
use super::super::super::page_layout::{PageLayout, render_page};
use super::super::super::respondent::{Brand, PageLocale, STYLE};
use super::super::super::state::AppState;
use super::super::setup::category_label;
use crate::domain::category::Category;
use crate::domain::language::Language;
use crate::domain::questionnaire::{Questionnaire, TextPiping};
use crate::domain::time::Timestamp;
use crate::domain::words::Words;
use crate::services::drafts::trial_signature;
use crate::services::questionnaires::load_for_category;

pub struct PageView<'a> {
    pub title: Cow<'a, str>,
    /// The condition under which the page is shown.
    condition: Option<&'a str>,
    pub items: Items<'a>,
}

/// A questionnaire as it is shown before anybody has answered.
pub struct Preview<'a> {
    pub introduction: Cow<'a, str>,
    pub pages: Vec<PageView<'a>>,
}

/// The questions of a page.
#[derive(Template)]
#[template(path = "shared/items.html")]
pub struct Items<'a> {
    texts: &'static Words,
    items: Vec<ItemView<'a>>,
}

/// Fills every text for a look before anybody has answered.
pub fn preview<'a>(
    questionnaire: &'a Questionnaire,
    language: Language,
    texts: &'static Words,
) -> Preview<'a> {
    let answers = BTreeMap::new();
    let piped = TextPiping {
        questionnaire,
        subject: &texts.sample_subject,
        applicant: &texts.sample_applicant,
        answers: &answers,
        language,
        isolates: true,
    };
    let page = |page: &'a crate::domain::questionnaire::Page| PageView {
        title: piped.fill_blank(&page.title),
        condition: page.show_if.as_ref().map(|condition| condition.source()),
        items: Items {
            texts,
            items: page.items.iter().map(|item| preview_item_view(item, &piped, texts)).collect(),
        },
    };
    Preview {
        introduction: piped.fill_blank(&questionnaire.introduction),
        pages: questionnaire.pages.iter().map(page).collect(),
    }
}

#[derive(Template)]
#[template(path = "console/questionnaire.html")]
struct QuestionnairePage<'a> {
    layout: PageLayout<'a>,
    category: String,
    code: &'static str,
    title: &'a str,
    version: u32,
    language: Language,
    /// The languages to switch to: tag, name, direction.
    others: Vec<(String, String, &'static str)>,
    preview: Preview<'a>,
}

/// Returns the language to show a questionnaire in: that of the link, if it has it.
fn language_of(query: &BTreeMap<String, String>, questionnaire: &Questionnaire) -> Language {
    let wanted = query.get("lang").and_then(|tag| Language::parse(tag)).unwrap_or_default();
    questionnaire.language_for(wanted)
}

pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(category): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let category = Category::parse(&category).ok_or(Failure::NotFound)?;
    let (_, questionnaire) = load_for_category(
        &mut *app.context.database.read().await?,
        app.context.config.questionnaires.as_deref(),
        category,
    )
    .await
    .map_err(|error| Failure::Internal(error.to_string()))?;
    let language = language_of(&query, &questionnaire);
    let texts = Words::of(language);
    let template = QuestionnairePage {
        layout: PageLayout::for_staff(&staff),
        category: category_label(staff.tr, category),
        code: category.as_str(),
        title: questionnaire.title.in_language(language),
        version: questionnaire.version,
        language,
        others: questionnaire
            .languages
            .iter()
            .filter(|other| **other != language)
            .map(|other| (other.to_string(), other.autonym(), other.direction()))
            .collect(),
        preview: preview(&questionnaire, language, texts),
    };
    Ok(render_page(StatusCode::OK, &template))
}

#[derive(Template)]
#[template(path = "console/questionnaire-trial.html")]
struct TryPage<'a> {
    style: &'static str,
    brand: Brand,
    locale: PageLocale,
    texts: &'static Words,
    title: &'a str,
    preview: Preview<'a>,
}

/// Shows the questionnaire to anyone with the signed link, until the link expires.
pub async fn try_out(
    State(app): State<Arc<AppState>>,
    Path((category, until, signature)): Path<(String, i64, String)>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let until = Timestamp(until);
    let is_ours = trial_signature(&app.context, &category, until) == signature
        && until > app.context.clock.now();
    if !is_ours {
        return Err(if app.failed_links.allow() {
            Failure::NotFound
        } else {
            Failure::TooManyAttempts
        });
    }
    let category = Category::parse(&category).ok_or(Failure::NotFound)?;
    let (_, questionnaire) = load_for_category(
        &mut *app.context.database.read().await?,
        app.context.config.questionnaires.as_deref(),
        category,
    )
    .await
    .map_err(|error| Failure::Internal(error.to_string()))?;
    let language = language_of(&query, &questionnaire);
    let texts = Words::of(language);
    let template = TryPage {
        style: STYLE,
        brand: Brand::default(),
        locale: PageLocale::among(&questionnaire.languages, language),
        texts,
        title: questionnaire.title.in_language(language),
        preview: preview(&questionnaire, language, texts),
    };
    Ok(Html(template.render().map_err(|error| Failure::Internal(error.to_string()))?)
        .into_response())
}
