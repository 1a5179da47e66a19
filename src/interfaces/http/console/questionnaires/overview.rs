//! The questionnaires of all categories, and where a new version of one begins: with a version that
//! there is, another category's, a file, or nothing.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::super::super::Failure;
use super::super::super::auth::{FormFields, Staff};
use super::super::super::page_layout::{PageLayout, render_page};
use super::super::super::state::AppState;
use super::super::super::upload::UploadedFile;
use super::super::setup::category_label;
use super::{category_of, editor as editor_page, problem};
use crate::domain::category::Category;
use crate::domain::language::Language;
use crate::domain::questionnaire::QuestionnaireFile;
use crate::interfaces::errors::xlsform::{LEAVE_OUT, finding_text};
use crate::services::questionnaires::editor::{self, EditorError, MAX_SOURCE};
use crate::services::questionnaires::library::{QuestionnaireVersion, VersionOrigin, versions};
use crate::services::questionnaires::{ImportOptions, XlsFormError, import_xlsform};

struct CategoryRow {
    code: &'static str,
    name: String,
    title: String,
    version: u32,
    origin: &'static str,
    languages: String,
    questions: usize,
    /// Who changed the one that is being written.
    edited_by: Option<String>,
    /// To begin a new version with: key, label.
    sources: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "console/questionnaires.html")]
struct OverviewPage<'a> {
    layout: PageLayout<'a>,
    problem: Option<Problem>,
    flash: Option<&'static str>,
    rows: Vec<CategoryRow>,
    leave_out: &'static str,
}

/// What went wrong; of a form that cannot be imported, each reason.
struct Problem {
    what: String,
    findings: Vec<String>,
}

/// Where a version comes from, in words.
pub fn origin_words(staff: &Staff, origin: &VersionOrigin) -> &'static str {
    match origin {
        VersionOrigin::Released { .. } => staff.tr.t("在此发布", "released here"),
        VersionOrigin::File { is_built_in: true } => staff.tr.t("内置", "built in"),
        VersionOrigin::File { is_built_in: false } => staff.tr.t("配置目录", "configured folder"),
        VersionOrigin::Campaign => staff.tr.t("曾用于活动", "used by a campaign"),
    }
}

/// A version as a place to begin with.
fn source_label(staff: &Staff, version: &QuestionnaireVersion) -> String {
    let campaign = version.campaign.as_deref().map_or_else(String::new, |campaign| {
        format!("{} {campaign}", staff.tr.t("，用于活动", ", used by campaign"))
    });
    let number = version.version;
    match staff.tr.tag() {
        "zh" => format!("第 {number} 版（{}{campaign}）", origin_words(staff, &version.origin)),
        _ => format!("version {number} ({}{campaign})", origin_words(staff, &version.origin)),
    }
}

async fn overview(
    app: &AppState,
    staff: &Staff,
    status: StatusCode,
    problem: Option<Problem>,
    flash: Option<&'static str>,
) -> Result<Response, Failure> {
    let folder = app.context.config.questionnaires.as_deref();
    let mut rows = Vec::new();
    let mut all = Vec::new();
    for category in Category::ALL {
        let found = versions(&mut *app.context.database.read().await?, folder, category)
            .await
            .map_err(|error| Failure::Internal(error.to_string()))?;
        all.push((category, found));
    }
    for (category, found) in &all {
        let Some(current) = found.iter().find(|version| version.is_current) else { continue };
        let file = QuestionnaireFile::read(&current.source).ok();
        let language = Language::from(staff.tr.0);
        let mut sources: Vec<(String, String)> = found
            .iter()
            .map(|version| (version.key.clone(), source_label(staff, version)))
            .collect();
        for (other, versions) in all.iter().filter(|(other, _)| other != category) {
            let Some(version) = versions.iter().find(|version| version.is_current) else {
                continue;
            };
            let name = category_label(staff.tr, *other);
            let key = format!("{other}/{}", version.key);
            sources.push((key, format!("{name}: {}", source_label(staff, version))));
        }
        let edited = editor::find(&app.context, *category)
            .await
            .map_err(|error| Failure::Internal(error.to_string()))?;
        let languages = file.as_ref().map(QuestionnaireFile::all_languages).unwrap_or_default();
        rows.push(CategoryRow {
            code: category.as_str(),
            name: category_label(staff.tr, *category),
            title: file
                .as_ref()
                .map(|file| file.title.in_language(language).to_owned())
                .unwrap_or_default(),
            version: current.version,
            origin: origin_words(staff, &current.origin),
            languages: languages
                .iter()
                .map(Language::autonym)
                .collect::<Vec<String>>()
                .join(staff.tr.t("、", ", ")),
            questions: file.map_or(0, |file| {
                let sketch = file.sketch().questionnaire;
                sketch.items().filter(|item| item.is_question()).count()
            }),
            edited_by: edited.map(|edited| edited.state.changed_by),
            sources,
        });
    }
    let layout = PageLayout::for_staff(staff);
    let leave_out = staff.tr.pair(LEAVE_OUT);
    let template = OverviewPage { layout, problem, flash, rows, leave_out };
    Ok(render_page(status, &template))
}

pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<std::collections::BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let flash = match query.get("flash").map(String::as_str) {
        Some("released") => Some(staff.tr.t(
            "已发布。以后启动的活动使用新版；进行中的活动不变。",
            "It is released. Campaigns that are launched from now on use it; those that run keep \
                theirs.",
        )),
        Some("dropped") => Some(staff.tr.t("已放弃。", "It is thrown away.")),
        _ => None,
    };
    overview(&app, &staff, StatusCode::OK, None, flash).await
}

/// Begins a new version.
pub async fn start(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Extension(uploaded): Extension<UploadedFile>,
    Path(category): Path<String>,
) -> Result<Response, Failure> {
    let category = category_of(&category)?;
    match begin(&app, &staff, category, &form, &uploaded).await {
        Ok(remarks) if remarks.is_empty() => {
            Ok(Redirect::to(&format!("/questionnaires/{category}/edit")).into_response())
        }
        Ok(remarks) => editor_page::show_with_remarks(&app, &staff, category, remarks).await,
        Err(error) => {
            let problem = refusal(&staff, error)?;
            overview(&app, &staff, StatusCode::UNPROCESSABLE_ENTITY, Some(problem), None).await
        }
    }
}

fn refusal(staff: &Staff, error: EditorError) -> Result<Problem, Failure> {
    let EditorError::Form(XlsFormError::Row(refusals)) = error else {
        return Ok(Problem { what: problem(staff.tr, error)?, findings: Vec::new() });
    };
    let what = staff.tr.t(
        "XLSForm 未能导入，请按下面的说明改正后再上传：",
        "The XLSForm cannot be imported. Correct this, and upload it again:",
    );
    let findings = refusals.0.iter().map(|finding| finding_text(finding, staff.tr.0));
    Ok(Problem { what: what.to_owned(), findings: findings.collect() })
}

/// Returns the remarks on the conversion of an XLSForm.
async fn begin(
    app: &AppState,
    staff: &Staff,
    category: Category,
    form: &FormFields,
    uploaded: &UploadedFile,
) -> Result<Vec<String>, EditorError> {
    let mut remarks = Vec::new();
    let from = form.text("from");
    let file = match from {
        // Whoever attaches a file means it, even with another choice still selected.
        _ if from == "upload" || !uploaded.content.is_empty() => {
            let leaves_out = !form.text("leave-out").is_empty();
            let (file, found) = uploaded_file(staff, uploaded, leaves_out)?;
            if from != "upload" {
                remarks.push(
                    staff
                        .tr
                        .t(
                            "已从附上的文件开始，没有用“从哪里开始”所选的问卷。若不是此意，请放弃后重来，不附文件。",
                            "It begins with the attached file, not with what was selected. If that was not meant, \
                                throw it away and begin again without a file.",
                        )
                        .to_owned(),
                );
            }
            remarks.extend(found);
            file
        }
        "empty" => editor::empty_file(category),
        _ => {
            let (of, key) = match from.split_once('/') {
                Some((other, key)) => (Category::parse(other).ok_or(EditorError::NoVersion)?, key),
                None => (category, from),
            };
            let version = editor::version(&app.context, of, key).await?;
            QuestionnaireFile::read(&version.source)?
        }
    };
    editor::start(&app.context, &staff.session.actor(), category, &file).await?;
    Ok(remarks)
}

/// Reads an uploaded questionnaire: TOML, or an XLSForm as XLSX.
fn uploaded_file(
    staff: &Staff,
    uploaded: &UploadedFile,
    leaves_out: bool,
) -> Result<(QuestionnaireFile, Vec<String>), EditorError> {
    if uploaded.content.is_empty() {
        return Err(EditorError::NoFile);
    }
    // A workbook is a zip archive (or an old OLE document); a questionnaire file is text.
    let is_workbook =
        uploaded.content.starts_with(b"PK") || uploaded.content.starts_with(&[0xD0, 0xCF]);
    if is_workbook {
        let options = ImportOptions { leaves_out, ..ImportOptions::default() };
        let imported = import_xlsform(&uploaded.content, &options)?;
        let remarks = imported.remarks.iter().map(|remark| finding_text(remark, staff.tr.0));
        let remarks = remarks.collect();
        return Ok((QuestionnaireFile::read(&imported.toml)?, remarks));
    }
    if uploaded.content.len() > MAX_SOURCE {
        return Err(EditorError::TooLarge);
    }
    let text = String::from_utf8_lossy(&uploaded.content);
    Ok((QuestionnaireFile::read(text.trim_start_matches('\u{feff}'))?, Vec::new()))
}
