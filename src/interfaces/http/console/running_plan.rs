//! The plan of a campaign as it runs: steps, texts and contact hours, in words.

use super::super::page_layout::Translator;
use crate::domain::language::Language;
use crate::services::drafts::plan_form::{DAYS, PlanForm, StepForm};

pub struct PlanStepView {
    pub name: String,
    /// `启动后 0 天`.
    pub when: String,
    pub mode: &'static str,
    pub audience: String,
    pub texts: Vec<(Language, String)>,
}

pub struct PlanView {
    pub name: String,
    pub signature: String,
    pub steps: Vec<PlanStepView>,
    /// Days with the same hours together, and their hours.
    pub hours: Vec<(String, String)>,
    pub closed: String,
}

/// Reads a stored plan for the page; a plan that cannot be read is shown empty, as the dispatcher
/// tells what is wrong with it.
pub fn plan_view(tr: Translator, stored: &str) -> PlanView {
    let form = PlanForm::from_plan(&serde_json::from_str(stored).unwrap_or_default());
    PlanView {
        steps: form.steps.iter().enumerate().map(|(n, step)| step_view(tr, n, step)).collect(),
        hours: hours(tr, &form.hours),
        closed: form.closed.replace(' ', tr.t("、", ", ")),
        name: form.name,
        signature: form.signature,
    }
}

fn step_view(tr: Translator, number: usize, step: &StepForm) -> PlanStepView {
    let (amount, unit) = step.after_parts();
    let unit = match unit {
        "d" => tr.t(" 天", " days"),
        "h" => tr.t(" 小时", " hours"),
        "m" => tr.t(" 分钟", " minutes"),
        _ => "",
    };
    let since = match number {
        0 => tr.t("启动后 ", "after the launch: "),
        _ => tr.t("上一步后 ", "after the one before: "),
    };
    let own =
        [("zh", &step.zh), ("en", &step.en)].map(|(tag, text)| (tag.to_owned(), text.clone()));
    let others = step.others.iter().map(|(tag, text)| (tag.clone(), text.clone()));
    PlanStepView {
        name: step.name.clone(),
        when: format!("{since}{amount}{unit}"),
        mode: match step.mode.as_str() {
            "telephone" => tr.t("电话访问", "telephone"),
            "paper" => tr.t("纸质问卷", "paper form"),
            "interview" => tr.t("短信问答", "interview by SMS"),
            _ => tr.t("短信链接", "SMS with the link"),
        },
        audience: match step.audience() {
            Some(audience) => tr.pair(audience.words).to_owned(),
            None => format!("{} {}", tr.t("按条件：", "by the condition"), step.only_if),
        },
        texts: own
            .into_iter()
            .chain(others)
            .filter(|(_, text)| !text.is_empty())
            .map(|(tag, text)| (Language::parse(&tag).unwrap_or_default(), text))
            .collect(),
    }
}

/// Neighbouring days with the same hours stand together.
fn hours(tr: Translator, hours: &[String; 8]) -> Vec<(String, String)> {
    const NAMES: [(&str, &str); 8] = [
        ("周一", "Mon"),
        ("周二", "Tue"),
        ("周三", "Wed"),
        ("周四", "Thu"),
        ("周五", "Fri"),
        ("周六", "Sat"),
        ("周日", "Sun"),
        ("节假日", "public holidays"),
    ];
    debug_assert_eq!(NAMES.len(), DAYS.len());
    let mut groups: Vec<(usize, usize)> = Vec::new();
    for day in 0..hours.len() {
        match groups.last_mut() {
            // Holidays are no day of the week.
            Some((first, last)) if day < 7 && hours[*first] == hours[day] => *last = day,
            _ => groups.push((day, day)),
        }
    }
    let group = |(first, last): (usize, usize)| {
        let days = match (tr.pair(NAMES[first]), tr.pair(NAMES[last])) {
            (one, _) if first == last => one.to_owned(),
            (from, to) => format!("{from}{}{to}", tr.t("至", " – ")),
        };
        let open = match hours[first].as_str() {
            "" => tr.t("不联系", "no contacts").to_owned(),
            open => open.replace(", ", tr.t("、", ", ")),
        };
        (days, open)
    };
    groups.into_iter().map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::language::ConsoleLanguage;

    #[test]
    fn days_with_the_same_hours_stand_together() {
        let work = "09:00-12:00, 14:00-20:00".to_owned();
        let (six, none) = ("10:00-18:00".to_owned(), String::new());
        let all =
            [&work, &work, &work, &work, &work, &six, &none, &none].map(|hours| hours.to_owned());
        let said = hours(Translator(ConsoleLanguage::Zh), &all);
        let said: Vec<(&str, &str)> =
            said.iter().map(|(days, open)| (days.as_str(), open.as_str())).collect();
        assert_eq!(
            said,
            [
                ("周一至周五", "09:00-12:00、14:00-20:00"),
                ("周六", "10:00-18:00"),
                ("周日", "不联系"),
                ("节假日", "不联系")
            ]
        );
    }
}
