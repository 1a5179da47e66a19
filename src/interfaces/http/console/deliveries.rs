//! Datasets: versions, their deliveries, and the scoring step's verdicts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Redirect, Response};

use super::super::Failure;
use super::super::auth::Staff;
use super::super::download;
use super::super::page_layout::{PageLayout, Translator, render_page};
use super::super::state::AppState;
use super::ZONE;
use crate::adapters::database::applications::{self, ApplicationState};
use crate::adapters::database::datasets::DatasetKind;
use crate::adapters::database::datasets::{self, Dataset};
use crate::adapters::database::deliveries::{self, Delivery, DeliveryChannel};
use crate::domain::role::Permission;
use crate::domain::time::Timestamp;
use crate::services::datasets::{DatasetError, delivery};

struct VersionRow {
    dataset: Dataset,
    /// As in addresses.
    version: String,
    /// In words.
    label: String,
    /// Its files are on the disk.
    has_files: bool,
    frozen: String,
    /// Text and status class of each channel.
    channels: Vec<(String, &'static str)>,
    verdict: String,
    status_class: &'static str,
}

#[derive(Template)]
#[template(path = "console/deliveries.html")]
struct DeliveriesPage<'a> {
    layout: PageLayout<'a>,
    flash: Option<&'static str>,
    may_operate: bool,
    may_download: bool,
    rows: Vec<VersionRow>,
    /// Applications of which a version can be frozen, each with whether its field is open.
    freezable: Vec<(String, bool)>,
}

fn format_time(at: Timestamp) -> String {
    at.in_zone(ZONE).format("%m-%d %H:%M").to_string()
}

fn channel_status(tr: Translator, delivery: &Delivery) -> (String, &'static str) {
    let name = match delivery.channel {
        DeliveryChannel::Folder => tr.t("共享文件夹", "folder"),
        DeliveryChannel::S3 => tr.t("对象存储", "bucket"),
        DeliveryChannel::Webhook => tr.t("网络推送", "webhook"),
    };
    let problem = delivery.last_error.as_deref().unwrap_or_default();
    match (delivery.arrived_at, delivery.next_at) {
        (Some(at), _) => {
            (format!("{name}: {} {}", tr.t("已送达", "arrived"), format_time(at)), "good")
        }
        (None, Some(at)) => (
            format!("{name}: {} {} {problem}", tr.t("将重试于", "tried again at"), format_time(at)),
            "warning",
        ),
        (None, None) => (format!("{name}: {} {problem}", tr.t("已放弃", "failed")), "bad"),
    }
}

fn flash_text(tr: Translator, what: &str) -> Option<&'static str> {
    Some(match what {
        "again" => tr.t("将再次交付。", "It is handed over once more."),
        "no-way" => tr.t("没有配置交付方式。", "No way of handing over is set up."),
        "released" => tr.t(
            "已放行，稍后写出并交付。",
            "It may go out; it is written and handed over in a moment.",
        ),
        "no-review" => tr.t(
            "没有待审阅的版本，或它刚变化，请再看一遍。",
            "No version waits to be read, or it has just changed; look again.",
        ),
        "frozen" => {
            tr.t("已冻结。文件将自动生成。", "It is frozen. Its files follow by themselves.")
        }
        "nothing-new" => tr.t(
            "自上一版本以来没有变化，未冻结。",
            "Nothing has changed since the last version; nothing was frozen.",
        ),
        _ => return None,
    })
}

pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let tr = staff.tr;
    let mut connection = app.context.database.read().await?;
    let mut all = datasets::all(&mut connection).await?;
    all.sort_by_key(|dataset| std::cmp::Reverse((dataset.frozen_at, dataset.id)));
    let sent = deliveries::all(&mut connection).await?;
    let mut rows = Vec::with_capacity(all.len());
    for dataset in all {
        let verdict = deliveries::verdict(&mut connection, dataset.id).await?;
        let (verdict, status_class) = match verdict {
            Some(verdict) if verdict.is_accepted => {
                (format!("{} {}", tr.t("已接受", "accepted"), format_time(verdict.at)), "good")
            }
            Some(verdict) => (
                format!(
                    "{} {}: {}",
                    tr.t("被退回", "rejected"),
                    format_time(verdict.at),
                    verdict.reason
                ),
                "bad",
            ),
            None if dataset.folder.is_none() => {
                (tr.t("待审阅或写出", "waits to be read, or written").to_owned(), "warning")
            }
            None => (tr.t("尚无反馈", "nothing yet").to_owned(), ""),
        };
        let channels = sent
            .iter()
            .filter(|delivery| delivery.dataset == dataset.id)
            .map(|delivery| channel_status(tr, delivery))
            .collect();
        rows.push(VersionRow {
            version: dataset.version_name(),
            label: version_label(tr, &dataset),
            has_files: folder_of(&dataset).is_some(),
            frozen: format_time(dataset.frozen_at),
            channels,
            verdict,
            status_class,
            dataset,
        });
    }
    let freezable = applications::all(&mut connection)
        .await?
        .into_iter()
        .filter(|application| application.state != ApplicationState::Registered);
    let freezable = freezable
        .map(|application| (application.code, application.state == ApplicationState::InField))
        .collect();
    drop(connection);
    let flash = query.get("noted").and_then(|what| flash_text(tr, what));
    Ok(render_page(
        StatusCode::OK,
        &DeliveriesPage {
            layout: PageLayout::for_staff(&staff),
            flash,
            may_operate: staff.may(Permission::Operate),
            may_download: staff.may(Permission::Datasets),
            rows,
            freezable,
        },
    ))
}

/// Returns a version's name in words.
fn version_label(tr: Translator, dataset: &Dataset) -> String {
    let number = dataset.version;
    match (dataset.kind, tr.tag()) {
        (DatasetKind::Final, "zh") => format!("第 {number} 版"),
        (DatasetKind::Final, _) => format!("version {number}"),
        (DatasetKind::Interim, "zh") => format!("期中第 {number} 版"),
        (DatasetKind::Interim, _) => format!("interim version {number}"),
    }
}

/// Returns the folder of a version that is written and was not removed when the applicant's data was
/// erased.
fn folder_of(dataset: &Dataset) -> Option<PathBuf> {
    dataset.folder.as_ref().map(PathBuf::from).filter(|folder| folder.exists())
}

async fn find(app: &AppState, application: &str, version: &str) -> Result<Dataset, Failure> {
    let all = datasets::all(&mut *app.context.database.read().await?).await?;
    let found = all.into_iter().find(|dataset| {
        dataset.application_code == application && dataset.version_name() == version
    });
    found.ok_or(Failure::NotFound)
}

/// What a file of a version is, in Chinese and English; those that people open come first.
const FILES: [(&str, (&str, &str)); 23] = [
    ("dataset.xlsx", ("数据表（Excel）", "data in a workbook")),
    ("fieldwork-report.html", ("执行报告（可打印）", "fieldwork report, for printing")),
    ("questionnaire.zh.html", ("中文问卷（可打印）", "questionnaire in Chinese, for printing")),
    ("questionnaire.en.html", ("英文问卷（可打印）", "questionnaire in English, for printing")),
    ("responses.sav", ("答卷（SPSS）", "responses for SPSS")),
    ("cases.sav", ("样本（SPSS）", "cases for SPSS")),
    ("responses.csv", ("答卷（CSV）", "responses")),
    ("cases.csv", ("样本（CSV）", "cases")),
    ("answers.csv", ("逐题作答来源（CSV）", "answers with their mode and time")),
    ("paradata.csv", ("作答过程（CSV）", "paradata")),
    ("codebook.json", ("编码本（JSON）", "codebook")),
    ("codebook.ddi.xml", ("编码本（DDI，供存档）", "codebook for data archives")),
    ("responses.parquet", ("答卷（Parquet）", "responses in Parquet")),
    ("cases.parquet", ("样本（Parquet）", "cases in Parquet")),
    ("triple-s.xml", ("变量说明（Triple-S）", "Triple-S, variables")),
    ("triple-s.csv", ("数据（Triple-S）", "Triple-S, data")),
    ("flow-results.json", ("说明（Flow Results）", "Flow Results, description")),
    ("flow-results-data.json", ("数据（Flow Results）", "Flow Results, data")),
    ("questionnaire.toml", ("问卷原文件", "questionnaire, source")),
    ("datapackage.json", ("数据包说明", "data package")),
    ("manifest.json", ("文件清单", "manifest")),
    ("manifest.json.sig", ("清单签名", "signature of the manifest")),
    ("SHA256SUMS", ("校验和", "checksums")),
];

fn file_label(tr: Translator, file: &str) -> Option<&'static str> {
    FILES.iter().find(|(name, _)| *name == file).map(|(_, label)| tr.pair(*label))
}

/// Returns the name under which a browser keeps a file: the application, the version, and what it
/// is in the reader's language.
fn download_name(tr: Translator, dataset: &Dataset, file: &str) -> String {
    let (code, version) = (&dataset.application_code, version_label(tr, dataset).replace(' ', ""));
    let label = file_label(tr, file).filter(|_| tr.tag() == "zh");
    let ending = file.find('.').map_or("", |at| &file[at..]);
    match label {
        // What stands in brackets is said by the ending.
        Some(label) => {
            let what = label.split('（').next().unwrap_or(label);
            format!("{code}-{version}-{what}{ending}")
        }
        None => format!("{code}-{}-{file}", dataset.version_name()),
    }
}

struct FileRow {
    name: String,
    label: &'static str,
    size: String,
}

#[derive(Template)]
#[template(path = "console/delivery-files.html")]
struct FilesPage<'a> {
    layout: PageLayout<'a>,
    dataset: &'a Dataset,
    label: String,
    version: String,
    files: Vec<FileRow>,
    /// All files together.
    size: String,
}

/// Returns a size for people: `12 KB`, `3.4 MB`.
fn size_text(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let kilobytes = bytes as f64 / 1_024.0;
    if kilobytes < 1_024.0 {
        format!("{:.0} KB", kilobytes.ceil())
    } else {
        format!("{:.1} MB", kilobytes / 1_024.0)
    }
}

/// Shows the files of a version.
pub async fn files(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path((application, version)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let tr = staff.tr;
    let dataset = find(&app, &application, &version).await?;
    let folder = folder_of(&dataset).ok_or(Failure::NotFound)?;
    let mut all = download::files_of(&folder)
        .await
        .map_err(|error| Failure::Internal(format!("{}: {error}", folder.display())))?;
    let place = |file: &str| FILES.iter().position(|(name, _)| *name == file);
    all.sort_by_key(|(name, _)| (place(name).unwrap_or(FILES.len()), name.clone()));
    let size = size_text(all.iter().map(|(_, bytes)| bytes).sum());
    let rows = all.into_iter().map(|(name, bytes)| FileRow {
        label: file_label(tr, &name).unwrap_or_else(|| tr.t("其他格式", "another format")),
        size: size_text(bytes),
        name,
    });
    let page = FilesPage {
        layout: PageLayout::for_staff(&staff),
        label: version_label(tr, &dataset),
        version,
        files: rows.collect(),
        size,
        dataset: &dataset,
    };
    Ok(render_page(StatusCode::OK, &page))
}

/// Sends one file of a version.
pub async fn file(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path((application, version, name)): Path<(String, String, String)>,
) -> Result<Response, Failure> {
    let dataset = find(&app, &application, &version).await?;
    let folder = folder_of(&dataset).ok_or(Failure::NotFound)?;
    if !download::is_plain_name(&name) {
        return Err(Failure::NotFound);
    }
    let kept_as = download_name(staff.tr, &dataset, &name);
    download::file(&folder.join(&name), &kept_as).await.map_err(|_| Failure::NotFound)
}

/// Sends all files of a version as a ZIP archive.
pub async fn package(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path((application, version)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let dataset = find(&app, &application, &version).await?;
    let folder = folder_of(&dataset).ok_or(Failure::NotFound)?;
    let inside = format!("{application}-{version}");
    let label = version_label(staff.tr, &dataset).replace(' ', "");
    let kept_as = match staff.tr.tag() {
        "zh" => format!("{application}-{label}-全部文件.zip"),
        _ => format!("{inside}.zip"),
    };
    download::zip(folder, inside, &kept_as)
        .await
        .map_err(|error| Failure::Internal(error.to_string()))
}

pub async fn again(
    State(app): State<Arc<AppState>>,
    Path((application, version)): Path<(String, String)>,
) -> Result<Redirect, Failure> {
    let dataset = find(&app, &application, &version).await?;
    match delivery::deliver_again(&app.context, &dataset).await {
        Ok(()) => Ok(Redirect::to("/deliveries?noted=again")),
        Err(DatasetError::NoDeliveryChannel) => Ok(Redirect::to("/deliveries?noted=no-way")),
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}
