//! The words of notices, Chinese and English. They name applications by their codes: nobody's name and nobody's number.

use serde_json::{Value, json};

use super::super::forecasting::ForecastOf;
use crate::adapters::database::alarms::Alarm;

/// A mail names so many; the list names all.
const MOST_IN_A_MAIL: usize = 40;
/// An SMS is to stay within two parts.
const MOST_IN_AN_SMS: usize = 3;

pub const TEST: &str = "fieldworkd: 通知测试 / notices arrive";

/// An alarm with its latest forecast.
pub struct Told {
    pub alarm: Alarm,
    pub forecast: Option<ForecastOf>,
}

fn percent(chance: f64) -> String {
    format!("{:.0}%", chance * 100.0)
}

impl Told {
    fn line(&self) -> String {
        let Alarm { application_code, level, chance, .. } = &self.alarm;
        let Some(forecast) = &self.forecast else { return format!("{application_code} [{level}] {}", percent(*chance)) };
        let best = forecast
            .help
            .first()
            .map(|help| format!("; 建议 / would help: {} → {}", help.measure.words().1, percent(help.chance)))
            .unwrap_or_default();
        format!(
            "{application_code} [{level}] 达标可能性 / chance {}; 完成 / completed {} of {}, 预计 / expected {}–{}; 截止 / due {} ({} 天 / days){best}",
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
            "raised_at": self.alarm.raised_at.rfc3339(chrono_tz::UTC), "times_told": self.alarm.times_told + 1,
            "forecast": self.forecast.as_ref().map(|f| json!({
                "due": f.due, "days_left": f.days_left, "completed": f.completed, "target": f.target, "completes": f.completes, "help": f.help,
            })),
        })
    }
}

pub fn subject(told: &[&Told], over: &[&Alarm]) -> String {
    match (told.len(), over.len()) {
        (0, over) => format!("fieldworkd: {over} 项告警解除 / {over} alarms are over"),
        (1, _) => format!("fieldworkd: {} 告急 / in danger", told[0].alarm.application_code),
        (told, _) => format!("fieldworkd: {told} 项申报告急 / {told} applications in danger"),
    }
}

pub fn mail(told: &[&Told], over: &[&Alarm]) -> String {
    let mut lines: Vec<String> = told.iter().take(MOST_IN_A_MAIL).map(|told| told.line()).collect();
    if told.len() > MOST_IN_A_MAIL {
        lines.push(format!("… 另有 {0} 项 / and {0} more", told.len() - MOST_IN_A_MAIL));
    }
    if !told.is_empty() {
        lines.push("\n全部 / all: fieldworkd alarm list\n确认 / acknowledge: fieldworkd alarm ack CODE --note …".into());
    }
    if !over.is_empty() {
        let codes: Vec<&str> = over.iter().map(|alarm| alarm.application_code.as_str()).collect();
        lines.push(format!("\n已解除 / over: {}", codes.join(", ")));
    }
    lines.join("\n") + "\n"
}

pub fn sms(told: &[&Told], signature: &str) -> String {
    let mut parts: Vec<String> =
        told.iter().take(MOST_IN_AN_SMS).map(|told| format!("{} {}", told.alarm.application_code, percent(told.alarm.chance))).collect();
    if told.len() > MOST_IN_AN_SMS {
        parts.push(format!("等{}项", told.len()));
    }
    // The same words twice would look like a message that was sent twice.
    let again = told.iter().map(|told| told.alarm.times_told).max().filter(|times| *times > 0);
    let again = again.map(|times| format!("（第{}次）", times + 1)).unwrap_or_default();
    sms_of(&format!("配额告急{again}：{}。请查看fieldworkd并确认", parts.join("，")), signature)
}

pub fn sms_of(text: &str, signature: &str) -> String {
    if signature.is_empty() { text.to_owned() } else { format!("【{signature}】{text}") }
}
