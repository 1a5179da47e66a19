//! A contact plan as form fields: every field is a text, and the steps are in order. Mistakes are
//! reported only when the plan is checked, so that nothing entered is lost.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::domain::contact_plan::PlanFile;
use crate::domain::language::ConsoleLanguage;

/// The contact plan that a new campaign starts with.
const STANDARD: &str = include_str!("../../../config/demo/plan.toml");

pub const DAYS: [&str; 8] =
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "holidays"];

/// The form fields of a step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepForm {
    pub name: String,
    pub after: String,
    /// `sms`, `interview`, `telephone` or `paper`.
    pub mode: String,
    pub zh: String,
    pub en: String,
    /// The texts in further languages, by tag.
    pub others: BTreeMap<String, String>,
    pub calls: String,
    pub only_if: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanForm {
    pub name: String,
    pub signature: String,
    pub max_parts: String,
    pub spread: String,
    /// The hours of each of [`DAYS`], such as `09:00-12:00, 14:00-20:00`.
    pub hours: [String; 8],
    /// Days on which nobody is contacted, with blanks between them. The holidays are those of the
    /// page «holidays».
    pub closed: String,
    pub steps: Vec<StepForm>,
    pub confirmation: [String; 2],
    pub link: [String; 2],
}

/// For whom a step is, as it can be chosen.
pub struct StepAudience {
    /// Value of the form's field.
    pub code: &'static str,
    /// The condition of the plan.
    pub only_if: &'static str,
    /// In Chinese and English.
    pub words: (&'static str, &'static str),
}

const fn audience(
    code: &'static str,
    only_if: &'static str,
    words: (&'static str, &'static str),
) -> StepAudience {
    StepAudience { code, only_if, words }
}

/// The audiences of steps; any other is written as a condition. Who has completed, refused or opted
/// out is never contacted again, whatever the step says.
pub const STEP_AUDIENCES: [StepAudience; 8] = [
    audience("everyone", "", ("所有未完成的人", "everybody who has not completed")),
    audience("not_begun", "!begun", ("尚未开始作答的人", "who has not begun")),
    audience("begun", "begun", ("已开始、未答完的人", "who has begun and not finished")),
    audience(
        "delivered_not_begun",
        "delivered && !begun",
        ("短信已送达、尚未开始的人", "whom a message has reached and who has not begun"),
    ),
    audience("not_delivered", "!delivered", ("短信未送达的人", "whom no message has reached")),
    audience("not_reached", "!reached", ("电话未接通的人", "whom no call has reached")),
    audience("fixed_line", "fixed_line", ("只有固定电话的人", "on a fixed line")),
    audience("mobile", "!fixed_line", ("有手机的人", "with a mobile")),
];

impl StepForm {
    /// The audience that its condition says; `None`: it is written by hand.
    pub fn audience(&self) -> Option<&'static StepAudience> {
        STEP_AUDIENCES.iter().find(|audience| audience.only_if == self.only_if)
    }

    /// The time after the step before it, as a number and its unit; a time of several units stands
    /// in the first, and the unit is empty.
    pub fn after_parts(&self) -> (&str, &str) {
        let split = self.after.len().saturating_sub(1);
        match self.after.split_at_checked(split) {
            Some((number, unit @ ("d" | "h" | "m")))
                if !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()) =>
            {
                (number, unit)
            }
            _ => (&self.after, ""),
        }
    }
}

/// The lengths over which messages are spread that can be chosen, in Chinese and English.
pub const SPREADS: [(&str, (&str, &str)); 6] = [
    ("window", ("整个联系时段", "all of the contact hours")),
    ("1h", ("1 小时", "1 hour")),
    ("2h", ("2 小时", "2 hours")),
    ("4h", ("4 小时", "4 hours")),
    ("8h", ("8 小时", "8 hours")),
    ("0s", ("不分批", "not spread")),
];

impl PlanForm {
    /// The stretches of a day, beginning and end, for as many as can be chosen.
    pub fn stretches(&self, day: usize) -> Vec<(String, String)> {
        let hours = self.hours.get(day).map(String::as_str).unwrap_or_default();
        let written = hours.split(',').map(str::trim).filter(|stretch| !stretch.is_empty());
        let mut all: Vec<(String, String)> = written
            .map(|stretch| {
                let (from, to) = stretch.split_once('-').unwrap_or((stretch, ""));
                let to = if to == "24:00" { "00:00" } else { to };
                (from.to_owned(), to.to_owned())
            })
            .collect();
        all.resize(all.len().clamp(2, STRETCHES), Default::default());
        all
    }

    /// Whether its steps have Chinese names: new ones get such a name as well.
    fn is_chinese(&self) -> bool {
        self.steps.iter().any(|step| step.name.chars().any(|c| c > '\u{2e80}'))
    }

    /// Returns every field with its name on the page, to compare two forms.
    pub fn labelled(&self, language: ConsoleLanguage) -> Vec<(String, String)> {
        // Taken apart, so that a new field cannot be forgotten.
        let PlanForm {
            name,
            signature,
            max_parts,
            spread,
            hours,
            closed,
            steps,
            confirmation,
            link,
        } = self;
        let t = |zh: &'static str, en: &'static str| match language {
            ConsoleLanguage::Zh => zh,
            ConsoleLanguage::En => en,
        };
        let mut all: Vec<(String, String)> = [
            (t("名称", "Name"), name),
            (t("短信签名", "Signature"), signature),
            (t("每条至多计费条数", "Parts of a message, at most"), max_parts),
            (t("分批发送时长", "Spread"), spread),
            (t("另外不联系的日子", "Days without contacts"), closed),
            (t("退订确认（中文）", "After an opt-out, in Chinese"), &confirmation[0]),
            (t("退订确认（英文）", "After an opt-out, in English"), &confirmation[1]),
            (t("索要的链接（中文）", "The link on request, in Chinese"), &link[0]),
            (t("索要的链接（英文）", "The link on request, in English"), &link[1]),
        ]
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .into();
        let days =
            t("周一 周二 周三 周四 周五 周六 周日 节假日", "Mon Tue Wed Thu Fri Sat Sun holidays");
        let hours_of = |(day, hours): (&str, &String)| {
            (format!("{} {day}", t("联系时段", "Hours")), hours.clone())
        };
        all.extend(days.split(' ').zip(hours).map(hours_of));
        for (step, number) in steps.iter().zip(1..) {
            let StepForm { name, after, mode, only_if, calls, zh, en, others } = step;
            let fields = [
                (t("名称", "name"), name),
                (t("与上一步间隔", "after"), after),
                (t("方式", "mode"), mode),
                (t("条件", "condition"), only_if),
                (t("至多拨打", "calls at most"), calls),
                (t("中文短信", "text in Chinese"), zh),
                (t("英文短信", "text in English"), en),
            ];
            let place = match language {
                ConsoleLanguage::Zh => format!("第{number}步"),
                ConsoleLanguage::En => format!("Step {number}:"),
            };
            all.extend(fields.map(|(name, value)| (format!("{place} {name}"), value.clone())));
            let other = t("短信", "text");
            all.extend(
                others.iter().map(|(tag, text)| (format!("{place} {other} ({tag})"), text.clone())),
            );
        }
        all
    }

    /// Returns the form of the plan that a new campaign starts with.
    pub fn standard() -> PlanForm {
        PlanFile::parse(STANDARD)
            .ok()
            .and_then(|plan| serde_json::to_value(plan).ok())
            .map(|plan| PlanForm::from_plan(&plan))
            .unwrap_or_default()
    }

    /// Returns the same with the names of the plan and its steps in a language: staff read them on
    /// every page, respondents never.
    pub fn standard_in(language: ConsoleLanguage) -> PlanForm {
        let mut form = PlanForm::standard();
        let names = ["邀请", "第一次提醒", "最后提醒"];
        if language == ConsoleLanguage::Zh && form.steps.len() == names.len() {
            form.name = "邀请和两次提醒".to_owned();
            for (step, name) in form.steps.iter_mut().zip(names) {
                name.clone_into(&mut step.name);
            }
        }
        form
    }

    /// Returns the form of a stored plan.
    pub fn from_plan(plan: &Value) -> PlanForm {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        };
        let joined = |value: &Value, by: &str| {
            value
                .as_array()
                .map(|all| all.iter().map(text).collect::<Vec<_>>().join(by))
                .unwrap_or_default()
        };
        let both = |value: &Value| [text(&value["text"]["zh"]), text(&value["text"]["en"])];
        let step = |step: &Value| StepForm {
            name: text(&step["name"]),
            after: text(&step["after"]),
            mode: step["mode"].as_str().unwrap_or("sms").to_owned(),
            zh: text(&step["text"]["zh"]),
            en: text(&step["text"]["en"]),
            calls: text(&step["calls"]),
            only_if: text(&step["if"]),
            others: other_texts(&step["text"])
                .map(|(tag, value)| (tag.clone(), text(value)))
                .collect(),
        };
        PlanForm {
            name: text(&plan["name"]),
            signature: text(&plan["signature"]),
            max_parts: text(&plan["max_parts"]),
            spread: text(&plan["spread"]),
            hours: DAYS.map(|day| joined(&plan["hours"][day], ", ")),
            closed: joined(&plan["calendar"]["closed"], " "),
            steps: plan["step"]
                .as_array()
                .map(|steps| steps.iter().map(step).collect())
                .unwrap_or_default(),
            confirmation: both(&plan["confirmation"]),
            link: both(&plan["link"]),
        }
    }

    /// Parses the fields of a submitted form; `do` among them adds or removes a step.
    pub fn from_fields(fields: &BTreeMap<String, String>) -> PlanForm {
        let text =
            |name: &str| fields.get(name).map(|text| text.trim().to_owned()).unwrap_or_default();
        let step = |n: usize| {
            let of = |field: &str| text(&format!("step-{n}-{field}"));
            // A message's text is not carried over to what is said, nor the other way.
            let is_call = of("mode") == "telephone";
            let own =
                |tag: &str| of(&if is_call { format!("opening-{tag}") } else { tag.to_owned() });
            // Whom the step is for is chosen; only under «advanced» it is written.
            let chosen = STEP_AUDIENCES.iter().find(|audience| audience.code == of("who"));
            let unit = of("after-unit");
            let after = of("after");
            let is_number = !after.is_empty() && after.chars().all(|c| c.is_ascii_digit());
            StepForm {
                name: of("name"),
                after: if is_number { format!("{after}{unit}") } else { after },
                mode: of("mode"),
                zh: own("zh"),
                en: own("en"),
                calls: of("calls"),
                only_if: chosen.map_or_else(|| of("if"), |chosen| chosen.only_if.to_owned()),
                others: {
                    let kind = if is_call { "opening-text" } else { "text" };
                    let start = format!("step-{n}-{kind}-");
                    let tagged = fields.range(start.clone()..);
                    let tagged = tagged.map_while(|(name, text)| {
                        Some((name.strip_prefix(&start)?.to_owned(), text.trim().to_owned()))
                    });
                    tagged.collect()
                },
            }
        };
        let count = (0..100).take_while(|n| fields.contains_key(&format!("step-{n}-name"))).count();
        let mut form = PlanForm {
            name: text("plan-name"),
            signature: text("signature"),
            max_parts: text("max_parts"),
            spread: text("spread"),
            hours: DAYS.map(|day| chosen_hours(fields, day)),
            closed: ticked_days(fields),
            steps: (0..count).map(step).collect(),
            confirmation: [text("confirmation-zh"), text("confirmation-en")],
            link: [text("link-zh"), text("link-en")],
        };
        let number = |word: &str| word.rsplit('-').next().and_then(|n| n.parse::<usize>().ok());
        match text("do").as_str() {
            "add-telephone" => form.steps.push(StepForm {
                name: if form.is_chinese() { "电话访问" } else { "telephone" }.into(),
                after: "7d".into(),
                mode: "telephone".into(),
                ..StepForm::default()
            }),
            "add-sms" => {
                let last = form
                    .steps
                    .iter()
                    .rev()
                    .find(|step| !["telephone", "paper"].contains(&step.mode.as_str()))
                    .cloned()
                    .unwrap_or_default();
                form.steps.push(StepForm {
                    name: match form.is_chinese() {
                        true => format!("第{}次提醒", form.steps.len()),
                        false => format!("reminder {}", form.steps.len()),
                    },
                    after: "7d".into(),
                    mode: "sms".into(),
                    ..last
                });
            }
            // Tuesday to Friday as Monday.
            "same-hours" => {
                let monday = form.hours[0].clone();
                form.hours[1..5].fill(monday);
            }
            word if word.starts_with("remove-") => {
                if let Some(n) = number(word).filter(|n| *n < form.steps.len()) {
                    form.steps.remove(n);
                }
            }
            word if word.starts_with("up-") => {
                if let Some(n) = number(word).filter(|n| (1..form.steps.len()).contains(n)) {
                    form.steps.swap(n - 1, n);
                }
            }
            _ => {}
        }
        form
    }

    /// Returns the stored form that replaces `before`; keys of `before` without a form field are
    /// preserved.
    pub fn to_json_keeping_unknown(&self, before: &Value) -> Value {
        let mut plan = self.to_json();
        if let (Value::Object(plan), Value::Object(before)) = (&mut plan, before) {
            before
                .iter()
                .for_each(|(key, value)| _ = plan.entry(key).or_insert_with(|| value.clone()));
            // The form has the texts of these in two languages.
            for key in ["confirmation", "link"] {
                let others =
                    before.get(key).into_iter().flat_map(|texts| other_texts(&texts["text"]));
                for (tag, text) in others {
                    plan[key]["text"][tag] = text.clone();
                }
            }
            for key in ["holidays", "workdays"] {
                if let Some(days) = before.get("calendar").and_then(|calendar| calendar.get(key)) {
                    plan["calendar"][key] = days.clone();
                }
            }
        }
        plan
    }

    /// Returns the stored form, which [`PlanFile`] reads.
    pub fn to_json(&self) -> Value {
        let words = |text: &str| {
            text.split([' ', ',', '，', '、', '\n', '\r', '\t'])
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let texts = |[zh, en]: [&String; 2]| {
            let all = [("zh", zh), ("en", en)];
            all.into_iter()
                .filter(|(_, text)| !text.is_empty())
                .map(|(tag, text)| (tag.to_owned(), json!(text)))
                .collect::<serde_json::Map<_, _>>()
        };
        let step = |step: &StepForm| {
            let is_call = step.mode == "telephone";
            let mut value = json!({ "name": step.name, "after": step.after, "mode": if step.mode.is_empty() { "sms" } else { &step.mode } });
            if step.mode == "paper" {
                // Its text is the questionnaire.
            } else {
                if let Some(calls) = step.calls.parse::<u32>().ok().filter(|_| is_call) {
                    value["calls"] = json!(calls);
                }
                let mut own = texts([&step.zh, &step.en]);
                let others = step.others.iter().filter(|(_, text)| !text.is_empty());
                own.extend(others.map(|(tag, text)| (tag.clone(), json!(text))));
                if !is_call || !own.is_empty() {
                    value["text"] = own.into();
                }
            }
            if !step.only_if.is_empty() {
                value["if"] = json!(step.only_if);
            }
            value
        };
        let hours: serde_json::Map<String, Value> = DAYS
            .iter()
            .zip(&self.hours)
            .map(|(day, open)| ((*day).to_owned(), json!(words(open))))
            .collect();
        json!({
            "name": self.name,
            "signature": self.signature,
            "max_parts": self.max_parts.parse::<u32>().unwrap_or(0),
            "spread": if self.spread.is_empty() { "window" } else { &self.spread },
            "calendar": { "closed": words(&self.closed) },
            "hours": hours,
            "step": self.steps.iter().map(step).collect::<Vec<_>>(),
            "confirmation": { "text": texts([&self.confirmation[0], &self.confirmation[1]]) },
            "link": { "text": texts([&self.link[0], &self.link[1]]) },
        })
    }
}

/// How many stretches of a day can be chosen.
pub const STRETCHES: usize = 3;

/// The hours of a day, each stretch chosen by two times; an end at midnight is that of the day.
fn chosen_hours(fields: &BTreeMap<String, String>, day: &str) -> String {
    let text = |name: &str| fields.get(name).map(|text| text.trim()).unwrap_or_default();
    let stretch = |n: usize| {
        let [from, to] = ["from", "to"].map(|end| text(&format!("hours-{day}-{n}-{end}")));
        let to = if to == "00:00" { "24:00" } else { to };
        (!from.is_empty() || !to.is_empty()).then(|| format!("{from}-{to}"))
    };
    if fields.contains_key(&format!("hours-{day}-0-from")) {
        return (0..STRETCHES).filter_map(stretch).collect::<Vec<_>>().join(", ");
    }
    text(&format!("hours-{day}")).to_owned()
}

/// The days whose boxes `closed-2026-12-24` are ticked.
fn ticked_days(fields: &BTreeMap<String, String>) -> String {
    let days = fields.keys().filter_map(|name| name.strip_prefix("closed-"));
    days.collect::<Vec<_>>().join(" ")
}

/// Returns the texts in other languages than the two of the form, with their tags.
fn other_texts(texts: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let is_other = |(tag, _): &(&String, &Value)| !["zh", "en"].contains(&tag.as_str());
    texts.as_object().into_iter().flatten().filter(is_other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_that_went_through_its_form_is_the_same_plan() {
        let form = PlanForm::standard();
        assert!(form.steps.len() >= 2 && form.hours[0].contains(':'), "{form:?}");
        let stored = form.to_json();
        assert_eq!(PlanForm::from_plan(&stored), form);
        let file: PlanFile = serde_json::from_value(stored).unwrap();
        file.check().unwrap();
    }

    #[test]
    fn hours_are_chosen_by_their_times() {
        let fields = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
        };
        let form = PlanForm::from_fields(&fields(&[
            ("hours-monday-0-from", "09:00"),
            ("hours-monday-0-to", "12:00"),
            ("hours-monday-1-from", "14:00"),
            ("hours-monday-1-to", "00:00"),
            ("hours-sunday-0-from", ""),
            ("hours-sunday-0-to", ""),
            ("hours-tuesday", "10:00-11:00"),
            ("closed-2026-12-24", "on"),
            ("do", "same-hours"),
        ]));
        assert_eq!(form.hours[0], "09:00-12:00, 14:00-24:00");
        assert_eq!(form.hours[1], form.hours[0], "Tuesday as Monday");
        assert_eq!(form.hours[6], "");
        assert_eq!(form.closed, "2026-12-24");
        let expected = [("09:00", "12:00"), ("14:00", "00:00")];
        assert_eq!(form.stretches(0), expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }

    #[test]
    fn what_the_form_does_not_have_is_kept() {
        let before = json!({ "time_zone": "Asia/Urumqi", "name": "before", "step": [] });
        let after = PlanForm::standard().to_json_keeping_unknown(&before);
        assert_eq!(after["time_zone"], "Asia/Urumqi");
        assert_eq!(
            (&after["name"], after["step"].as_array().unwrap().len()),
            (&json!(PlanForm::standard().name), PlanForm::standard().steps.len())
        );
    }

    /// Whom a step is for and when it comes is chosen without syntax; what is no choice is kept.
    #[test]
    fn audiences_and_intervals_are_chosen_and_others_kept() {
        let step = |who: &str, written: &str, after: &str, unit: &str| {
            let fields = BTreeMap::from(
                [
                    ("name", "a"),
                    ("who", who),
                    ("if", written),
                    ("after", after),
                    ("after-unit", unit),
                ]
                .map(|(field, value)| (format!("step-0-{field}"), value.to_owned())),
            );
            PlanForm::from_fields(&fields).steps.remove(0)
        };
        for audience in &STEP_AUDIENCES {
            let chosen = step(audience.code, "calls > 3", "7", "d");
            assert_eq!((chosen.only_if.as_str(), chosen.after.as_str()), (audience.only_if, "7d"));
            assert_eq!(chosen.audience().map(|own| own.code), Some(audience.code));
            // Each is a condition that a plan takes.
            let plan = PlanForm { steps: vec![chosen], ..PlanForm::standard() };
            let mut stored = plan.to_json();
            stored["step"][0]["text"] = json!({ "zh": "【{signature}】{link} 退订回T" });
            stored["step"][0]["mode"] = json!("sms");
            serde_json::from_value::<PlanFile>(stored).unwrap().check().unwrap();
        }
        let written = step("advanced", "calls > 3", "3d12h", "d");
        assert_eq!((written.only_if.as_str(), written.audience().is_none()), ("calls > 3", true));
        assert_eq!((written.after.as_str(), written.after_parts()), ("3d12h", ("3d12h", "")));
        assert_eq!(step("everyone", "", "12", "h").after_parts(), ("12", "h"));
    }

    #[test]
    fn texts_in_further_languages_go_through_the_form() {
        let mut stored = PlanForm::standard().to_json();
        stored["step"][0]["text"]["pt"] = json!("【{signature}】{link} Responda STOP para sair");
        stored["link"]["text"]["zh-Hant"] = json!("【{signature}】{link} 退訂回T");
        let form = PlanForm::from_plan(&stored);
        let mut fields: BTreeMap<String, String> = BTreeMap::new();
        for (n, step) in form.steps.iter().enumerate() {
            fields.insert(format!("step-{n}-name"), step.name.clone());
            fields.insert(format!("step-{n}-zh"), step.zh.clone());
            for (tag, text) in &step.others {
                fields.insert(format!("step-{n}-text-{tag}"), text.clone());
            }
        }
        let after = PlanForm::from_fields(&fields).to_json_keeping_unknown(&stored);
        assert_eq!(after["step"][0]["text"]["pt"], stored["step"][0]["text"]["pt"]);
        assert_eq!(after["link"]["text"]["zh-Hant"], stored["link"]["text"]["zh-Hant"]);
        assert!(after["step"][1]["text"].get("pt").is_none());
    }

    #[test]
    fn steps_are_added_moved_and_removed() {
        let mut fields: BTreeMap<String, String> = BTreeMap::new();
        for (n, name) in ["a", "b"].into_iter().enumerate() {
            fields.insert(format!("step-{n}-name"), name.into());
            fields.insert(format!("step-{n}-zh"), format!("text {name}"));
        }
        let names = |fields: &BTreeMap<String, String>| {
            PlanForm::from_fields(fields)
                .steps
                .into_iter()
                .map(|step| step.name)
                .collect::<Vec<_>>()
        };
        let with = |what: &str| {
            let mut fields = fields.clone();
            fields.insert("do".into(), what.into());
            fields
        };
        assert_eq!(names(&with("up-1")), ["b", "a"]);
        assert_eq!(names(&with("remove-0")), ["b"]);
        assert_eq!(names(&with("remove-9")), ["a", "b"]);
        assert_eq!(names(&with("add-telephone")), ["a", "b", "telephone"]);
        let added = PlanForm::from_fields(&with("add-sms")).steps.pop().unwrap();
        assert_eq!(
            (added.zh.as_str(), added.mode.as_str()),
            ("text b", "sms"),
            "it begins with the words of the one before"
        );
    }
}
