//! The versions of a category's questionnaire: what changed from one to another, and their files.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::super::super::Failure;
use super::super::super::auth::Staff;
use super::super::super::page_layout::{PageLayout, render_page};
use super::super::super::state::AppState;
use super::super::ZONE;
use super::super::setup::category_label;
use super::category_of;
use super::overview::origin_words;
use crate::domain::language::Language;
use crate::domain::questionnaire::{Change, Questionnaire, QuestionnaireFile, changes};
use crate::services::questionnaires::editor;
use crate::services::questionnaires::export_xlsform;
use crate::services::questionnaires::library::{VersionOrigin, versions};

/// The key of the questionnaire that is being written.
const EDITED: &str = "edited";

struct VersionRow {
    key: String,
    label: String,
    origin: &'static str,
    who: String,
    note: String,
    campaign: String,
    is_current: bool,
}

struct ChangeRow {
    about: String,
    what: String,
    before: String,
    after: String,
    breaks_series: bool,
}

#[derive(Template)]
#[template(path = "console/questionnaire-versions.html")]
struct VersionsPage<'a> {
    layout: PageLayout<'a>,
    code: &'static str,
    category: String,
    rows: Vec<VersionRow>,
    from: String,
    to: String,
    /// `None`: a version cannot be read.
    changes: Option<Vec<ChangeRow>>,
    is_edited: bool,
}

pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(category): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let category = category_of(&category)?;
    let tr = staff.tr;
    let folder = app.context.config.questionnaires.as_deref();
    let found = versions(&mut *app.context.database.read().await?, folder, category)
        .await
        .map_err(|error| Failure::Internal(error.to_string()))?;
    let edited = editor::find(&app.context, category)
        .await
        .map_err(|error| Failure::Internal(error.to_string()))?;
    let label = |version: u32| match tr.tag() {
        "zh" => format!("第 {version} 版"),
        _ => format!("version {version}"),
    };
    let mut rows: Vec<VersionRow> = Vec::new();
    if let Some(edited) = &edited {
        rows.push(VersionRow {
            key: EDITED.to_owned(),
            label: tr.t("正在编写", "being written").to_owned(),
            origin: tr.t("尚未发布", "not released"),
            who: format!(
                "{} {}",
                edited.state.changed_by,
                edited.state.changed_at.in_zone(ZONE).format("%Y-%m-%d %H:%M")
            ),
            note: String::new(),
            campaign: String::new(),
            is_current: false,
        });
    }
    rows.extend(found.iter().map(|version| {
        let (who, note) = match &version.origin {
            VersionOrigin::Released { by, at, note } => {
                (format!("{by} {}", at.in_zone(ZONE).format("%Y-%m-%d %H:%M")), note.clone())
            }
            _ => (String::new(), String::new()),
        };
        VersionRow {
            key: version.key.clone(),
            label: label(version.version),
            origin: origin_words(&staff, &version.origin),
            who,
            note,
            campaign: version.campaign.clone().unwrap_or_default(),
            is_current: version.is_current,
        }
    }));
    let source = |key: &str| -> Option<QuestionnaireFile> {
        if key == EDITED {
            return edited.as_ref().map(|edited| edited.file.clone());
        }
        let version = found.iter().find(|version| version.key == key)?;
        QuestionnaireFile::read(&version.source).ok()
    };
    // Without a choice: the newest, compared with the one before it.
    let key_at = |number: usize| rows.get(number).map(|row| row.key.clone()).unwrap_or_default();
    let chosen = |name: &str, number: usize| {
        query
            .get(name)
            .filter(|key| rows.iter().any(|row| row.key == **key))
            .cloned()
            .unwrap_or_else(|| key_at(number.min(rows.len().saturating_sub(1))))
    };
    let (from, to) = (chosen("from", 1), chosen("to", 0));
    let compared = source(&from).zip(source(&to)).map(|(from, to)| changes(&from, &to));
    let language = Language::from(tr.0);
    let row = |change: Change| {
        let said =
            |text: &crate::domain::language::LocalizedText| text.in_language(language).to_owned();
        ChangeRow {
            about: said(&change.about),
            what: said(&change.what),
            before: said(&change.before),
            after: said(&change.after),
            breaks_series: change.breaks_series,
        }
    };
    let template = VersionsPage {
        layout: PageLayout::for_staff(&staff),
        code: category.as_str(),
        category: category_label(tr, category),
        changes: compared.map(|all| all.into_iter().map(row).collect()),
        is_edited: edited.is_some(),
        rows,
        from,
        to,
    };
    Ok(render_page(StatusCode::OK, &template))
}

/// Downloads a version as TOML, or as an XLSForm.
pub async fn download(
    State(app): State<Arc<AppState>>,
    Path((category, name)): Path<(String, String)>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let category = category_of(&category)?;
    let key = query.get("version").map(String::as_str).unwrap_or_default();
    let internal = |error: &dyn std::fmt::Display| Failure::Internal(error.to_string());
    let (source, version) = if key == EDITED {
        let edited = editor::find(&app.context, category).await.map_err(|e| internal(&e))?;
        let edited = edited.ok_or(Failure::NotFound)?;
        (edited.state.source, edited.file.version)
    } else {
        let found = editor::version(&app.context, category, key).await;
        let found = found.map_err(|_| Failure::NotFound)?;
        (found.source, found.version)
    };
    let file = |kind: &str| format!("attachment; filename=\"{category}-{version}.{kind}\"");
    match name.as_str() {
        "toml" => Ok((
            [
                (header::CONTENT_TYPE, "application/toml; charset=utf-8".to_owned()),
                (header::CONTENT_DISPOSITION, file("toml")),
            ],
            source,
        )
            .into_response()),
        "xlsx" => {
            let questionnaire = match Questionnaire::parse(&source) {
                Ok(questionnaire) => questionnaire,
                // One that is being written is exported as far as it can be.
                Err(_) => {
                    let read = QuestionnaireFile::read(&source).map_err(|e| internal(&e))?;
                    read.sketch().questionnaire
                }
            };
            let exported = export_xlsform(&questionnaire).map_err(|e| internal(&e))?;
            const SHEET: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
            Ok((
                [
                    (header::CONTENT_TYPE, SHEET.to_owned()),
                    (header::CONTENT_DISPOSITION, file("xlsx")),
                ],
                exported.bytes,
            )
                .into_response())
        }
        _ => Err(Failure::NotFound),
    }
}
