//! The texts of notices, in Chinese and English. They name applications by code, and contain no
//! names of people and no phone numbers.

use serde_json::{Value, json};

use super::super::forecasting::{ApplicationForecast, SAFE_CHANCE};
use crate::adapters::database::alarms::Alarm;

/// The number of alarms in an e-mail; `fieldworkd alarm list` shows all.
const MAX_IN_EMAIL: usize = 40;
/// The number of alarms in an SMS, which is to stay within two parts.
const MAX_IN_SMS: usize = 3;

pub const TEST_TEXT: &str = "fieldworkd: 通知测试 / notices arrive";

/// An alarm with its latest forecast.
pub struct AlarmSnapshot {
    pub alarm: Alarm,
    pub forecast: Option<ApplicationForecast>,
}

fn percent(chance: f64) -> String {
    format!("{:.0}%", chance * 100.0)
}

impl AlarmSnapshot {
    fn line(&self) -> String {
        let Alarm { application_code, level, chance, .. } = &self.alarm;
        let Some(forecast) = &self.forecast else {
            return format!("{application_code} [{level}] {}", percent(*chance));
        };
        let best = forecast
            .interventions
            .first()
            .map(|intervention| {
                format!(
                    "; 建议 / would help: {} → {}",
                    intervention.measure.labels().1,
                    percent(intervention.chance)
                )
            })
            .unwrap_or_default();
        let minimums: String = forecast
            .cells
            .iter()
            .filter_map(|cell| Some((cell, cell.minimum_chance?)))
            .filter(|(cell, chance)| cell.completed < cell.minimum && *chance < SAFE_CHANCE)
            .map(|(cell, chance)| {
                format!(
                    "; 最低配额 / minimum {} {} of {}: {}",
                    cell.name,
                    cell.completed,
                    cell.minimum,
                    percent(chance)
                )
            })
            .collect();
        format!(
            "{application_code} [{level}] 达标可能性 / chance {}; 完成 / completed {} of {}, \
                预计 / expected {}–{}; 截止 / due {} ({} 天 / days){minimums}{best}",
            percent(*chance),
            forecast.completed,
            forecast.target,
            forecast.completes.low,
            forecast.completes.high,
            forecast.due,
            forecast.days_left,
        )
    }

    pub fn as_json(&self) -> Value {
        json!({
            "application": self.alarm.application_code, "campaign": self.alarm.campaign_code, "level": self.alarm.level, "chance": self.alarm.chance,
            "raised_at": self.alarm.raised_at.rfc3339(chrono_tz::UTC), "notification_count": self.alarm.notification_count + 1,
            "forecast": self.forecast.as_ref().map(|f| json!({
                "due": f.due, "days_left": f.days_left, "completed": f.completed, "target": f.target, "completes": f.completes, "interventions": f.interventions, "cells": f.cells,
            })),
        })
    }
}

pub fn subject(snapshots: &[&AlarmSnapshot], over: &[&Alarm]) -> String {
    match (snapshots.len(), over.len()) {
        (0, over) => format!("fieldworkd: {over} 项告警解除 / {over} alarms are over"),
        (1, _) => format!("fieldworkd: {} 告急 / in danger", snapshots[0].alarm.application_code),
        (snapshots, _) => {
            format!("fieldworkd: {snapshots} 项申报告急 / {snapshots} applications in danger")
        }
    }
}

pub fn email_text(snapshots: &[&AlarmSnapshot], over: &[&Alarm]) -> String {
    let mut lines: Vec<String> =
        snapshots.iter().take(MAX_IN_EMAIL).map(|snapshot| snapshot.line()).collect();
    if snapshots.len() > MAX_IN_EMAIL {
        lines.push(format!("… 另有 {0} 项 / and {0} more", snapshots.len() - MAX_IN_EMAIL));
    }
    if !snapshots.is_empty() {
        lines.push(
            "\n全部 / all: fieldworkd alarm list\n确认 / acknowledge: fieldworkd alarm \
            ack CODE --note …"
                .into(),
        );
    }
    if !over.is_empty() {
        let codes: Vec<&str> = over.iter().map(|alarm| alarm.application_code.as_str()).collect();
        lines.push(format!("\n已解除 / over: {}", codes.join(", ")));
    }
    lines.join("\n") + "\n"
}

pub fn sms_text(snapshots: &[&AlarmSnapshot], signature: &str) -> String {
    let mut parts: Vec<String> = snapshots
        .iter()
        .take(MAX_IN_SMS)
        .map(|snapshot| {
            format!("{} {}", snapshot.alarm.application_code, percent(snapshot.alarm.chance))
        })
        .collect();
    if snapshots.len() > MAX_IN_SMS {
        parts.push(format!("等{}项", snapshots.len()));
    }
    // An identical text would look like a message that was sent twice.
    let repetition = snapshots
        .iter()
        .map(|snapshot| snapshot.alarm.notification_count)
        .max()
        .filter(|times| *times > 0);
    let repetition = repetition.map(|times| format!("（第{}次）", times + 1)).unwrap_or_default();
    with_signature(
        &format!("配额告急{repetition}：{}。请查看fieldworkd并确认", parts.join("，")),
        signature,
    )
}

pub fn with_signature(text: &str, signature: &str) -> String {
    if signature.is_empty() { text.to_owned() } else { format!("【{signature}】{text}") }
}
