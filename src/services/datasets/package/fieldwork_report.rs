//! The parts of the fieldwork report that say how the fieldwork was done: the summary of one page,
//! and the record after the outcomes (ISO 20252).

use askama::Template;

use super::report::NOT_SHOWN;
use crate::domain::audit::Action;
use crate::domain::disposition::Disposition;
use crate::services::datasets::fieldwork::{Fieldwork, StepAsRun, WaveOutcome};
use crate::services::datasets::metadata::{CellSummary, DatasetMetadata};

/// The first page: what a reader needs who reads nothing else.
#[derive(Template)]
#[template(path = "dataset/fieldwork-summary.html")]
pub(super) struct Summary<'a> {
    pub metadata: &'a DatasetMetadata,
    pub fieldwork: &'a Fieldwork,
    pub deviations: &'a [DeviationRow],
}

/// How it was done, in detail.
#[derive(Template)]
#[template(path = "dataset/fieldwork-record.html")]
pub(super) struct Record<'a> {
    pub metadata: &'a DatasetMetadata,
    pub fieldwork: &'a Fieldwork,
}

/// Something that did not go as planned.
pub(super) struct DeviationRow {
    pub at: String,
    pub zh: String,
    pub en: String,
    pub reason: String,
}

/// Returns what did not go as planned, from the counts and from what staff did. `shown`: the completes of a
/// cell, where they may be told.
pub(super) fn deviations(
    metadata: &DatasetMetadata,
    completes: u64,
    shown: impl Fn(&CellSummary) -> String,
) -> Vec<DeviationRow> {
    let mut rows = Vec::new();
    let mut add = |zh: String, en: String| {
        rows.push(DeviationRow { at: String::new(), zh, en, reason: String::new() });
    };
    let target = u64::from(metadata.target);
    if completes < target {
        add(
            format!("完成 {completes} 份，未达到目标 {target} 份"),
            format!("{completes} completes, below the target of {target}"),
        );
    }
    for cell in &metadata.cells {
        let told = shown(cell);
        if cell.completes < cell.minimum {
            add(
                format!("配额格“{}”未达到下限 {}（完成 {told}）", cell.name, cell.minimum),
                format!(
                    "cell “{}” below its minimum of {} (completes: {told})",
                    cell.name, cell.minimum
                ),
            );
        } else if cell.minimum == 0 && cell.completes < cell.target {
            add(
                format!("配额格“{}”未达到 {}（完成 {told}）", cell.name, cell.target),
                format!("cell “{}” below {} (completes: {told})", cell.name, cell.target),
            );
        }
    }
    let counted = [
        (metadata.excluded, "份问卷经核实剔除", "responses excluded after a look"),
        (metadata.withdrawn, "人撤回同意", "people took back their consent"),
        (metadata.late, "份问卷在结束后完成", "responses finished after the field had closed"),
    ];
    for (count, zh, en) in counted.into_iter().filter(|(count, ..)| *count > 0) {
        add(format!("{count} {zh}"), format!("{count} {en}"));
    }
    if metadata.weights.as_ref().is_some_and(|weights| !weights.converged) {
        add("加权校准未收敛".to_owned(), "raking did not meet every margin".to_owned());
    }
    for deviation in &metadata.deviations {
        let (zh, en) = match deviation.what.as_str() {
            "held" => ("暂停", "put on hold"),
            "released" => ("恢复", "taken up again"),
            "extended" => ("延期", "extended"),
            _ => ("人工结束", "closed by hand"),
        };
        let days =
            |unit: &str| deviation.days.map(|days| format!(" {days} {unit}")).unwrap_or_default();
        rows.push(DeviationRow {
            at: deviation.at.clone(),
            zh: format!("{zh}{}", days("天")),
            en: format!("{en}{}", days("days")),
            reason: deviation.reason.clone(),
        });
    }
    if let Some(fieldwork) = &metadata.fieldwork {
        let is_pause = |detail: &str| detail.starts_with("pause") || detail == "paused";
        for change in fieldwork.changes.iter().filter(|change| {
            change.action == Action::CampaignStateChanged.code() && is_pause(&change.detail)
        }) {
            rows.push(DeviationRow {
                at: change.at.clone(),
                zh: "活动暂停".to_owned(),
                en: "the campaign was paused".to_owned(),
                reason: String::new(),
            });
        }
    }
    rows
}

/// Returns a code in words, in Chinese and in English; another one as it is.
pub(super) fn word(code: &str) -> &str {
    match code {
        "web" => "网页 web",
        "telephone" => "电话 telephone",
        "sms" => "短信 SMS",
        "paper" => "纸质问卷 paper",
        "mixed" => "多种方式 mixed",
        "zh" => "中文 Chinese",
        "en" => "英文 English",
        "phone" => "手机 phone",
        "tablet" => "平板 tablet",
        "computer" => "电脑 computer",
        "unknown" => "不详 unknown",
        "organisation" => "企业 organisation",
        "brand" => "品牌 brand",
        "product" => "产品 product",
        "project" => "工程 project",
        "service" => "服务 service",
        "hard" => "硬性 hard",
        "soft" => "柔性 soft",
        "reserved" => "预留 reserved",
        "quota" => "配额已满 quota reached",
        "due_day" => "到期 due day",
        "by_hand" => "人工结束 by hand",
        "monday" => "周一 Monday",
        "tuesday" => "周二 Tuesday",
        "wednesday" => "周三 Wednesday",
        "thursday" => "周四 Thursday",
        "friday" => "周五 Friday",
        "saturday" => "周六 Saturday",
        "sunday" => "周日 Sunday",
        "holidays" => "节假日 public holidays",
        "confirmation" => "退订确认 confirmation of an opt-out",
        "resubscription" => "恢复接收确认 confirmation of coming back",
        "link" => "应要求发送的链接 link on request",
        "redacted" => "已隐去个人信息 redacted",
        "withheld" => "不对外提供 withheld",
        "reviewed" => "经人工审阅 reviewed",
        "forgotten" => "已删除 deleted",
        other => other,
    }
}

/// Formats seconds as minutes and seconds.
fn minutes(seconds: &u64) -> String {
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// Formats a share in percent.
fn percent(part: &u64, whole: &u64) -> String {
    let (part, whole) = (*part, *whole);
    if whole == 0 {
        "–".to_owned()
    } else {
        format!("{:.1} %", part as f64 / whole as f64 * 100.0)
    }
}

/// Day and minute of a time.
fn short(time: &Option<String>) -> String {
    time.as_deref().map_or("–".to_owned(), |at| at.get(..16).unwrap_or(at).replace('T', " "))
}

fn of_disposition(metadata: &DatasetMetadata, disposition: Disposition) -> u64 {
    metadata.dispositions.get(disposition.code()).copied().unwrap_or(0)
}

impl Summary<'_> {
    fn completes(&self) -> u64 {
        of_disposition(self.metadata, Disposition::Complete)
    }

    fn rate(&self, name: &str) -> String {
        let rate = self.metadata.rates.get(name).copied().flatten();
        rate.map_or("n/a".to_owned(), |rate| format!("{:.1} %", rate * 100.0))
    }

    /// The modes of the plan's contacts, each once.
    fn contacted_by(&self) -> String {
        let mut modes: Vec<&str> = Vec::new();
        for step in self.fieldwork.plan.iter().flat_map(|plan| &plan.steps) {
            if !modes.contains(&step.mode.as_str()) {
                modes.push(&step.mode);
            }
        }
        modes.into_iter().map(word).collect::<Vec<_>>().join("、")
    }

    /// The mean of the core with its interval; `None`: there is none.
    fn core(&self) -> Option<(String, String)> {
        let core = self.metadata.precision.as_ref()?.core.as_ref()?;
        let mean = core.mean?;
        let interval = core.low.zip(core.high).map(|(low, high)| format!("{low:.2}–{high:.2}"));
        Some((format!("{mean:.2}"), interval.unwrap_or_else(|| NOT_SHOWN.to_owned())))
    }

    fn refused_rows(&self) -> u64 {
        self.fieldwork.lists.iter().map(|list| list.refused).sum()
    }

    fn before(&self) -> u64 {
        of_disposition(self.metadata, Disposition::RefusedBefore)
    }

    fn not_covered(&self) -> u64 {
        of_disposition(self.metadata, Disposition::NotCovered)
    }
}

impl Record<'_> {
    fn refused_before(&self) -> u64 {
        of_disposition(self.metadata, Disposition::RefusedBefore)
    }

    fn not_covered(&self) -> u64 {
        of_disposition(self.metadata, Disposition::NotCovered)
    }

    /// When a step comes, in Chinese and in English.
    fn after(step: &StepAsRun, is_first: &bool) -> String {
        let (zh, en) = match *is_first {
            true => ("启动后", "after the launch"),
            false => ("上一步后", "after the step before"),
        };
        match step.after_hours {
            0 if *is_first => "启动时 at the launch".to_owned(),
            hours if hours % 24 == 0 => format!("{zh} {0} 天 {0} days {en}", hours / 24),
            hours => format!("{zh} {hours} 小时 {hours} hours {en}"),
        }
    }

    fn wave(wave: &WaveOutcome) -> &str {
        if wave.step.is_empty() { "未经联系 not contacted" } else { &wave.step }
    }

    fn action(code: &str) -> String {
        Action::parse(code).map_or(code.to_owned(), |action| {
            let (zh, en) = action.labels();
            format!("{zh} {en}")
        })
    }

    /// RR1 of the sample as it stands; the rate of a single wave is not one of the standard.
    fn completed_share(wave: &WaveOutcome) -> String {
        percent(&wave.complete, &wave.cases.saturating_sub(wave.not_eligible))
    }
}
