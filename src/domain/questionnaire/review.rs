//! Review of a questionnaire: problems that are valid in the file and would fail in the field.

use std::collections::{BTreeMap, BTreeSet};

use super::item::FIXED_COLUMNS;
use super::{Answer, Choice, Item, ItemKind, Questionnaire, Selection};
use crate::domain::category::Category;
use crate::domain::condition::{Condition, Values};
use crate::domain::language::LocalizedText;
use crate::domain::mode::Mode;
use crate::domain::sms_text::measure_parts;

/// Maximum number of combinations of answers that are tried for one condition.
const MAX_TRIALS: usize = 50_000;
/// Maximum number of combinations that are tried for the longest path: each walks all pages.
const MAX_PATHS: usize = 5_000;
/// Approximate number of items per minute in a web questionnaire.
const ITEMS_PER_MINUTE: f64 = 6.0;
const LONGEST_MINUTES: f64 = 3.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Certainly a mistake.
    Error,
    /// Possibly intended.
    Warning,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    /// `item sat1`, `page 2`, …
    pub place: String,
    /// In Chinese and English.
    pub what: LocalizedText,
}

/// Reviews a questionnaire.
pub fn review(questionnaire: &Questionnaire) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add_finding = |severity, place: &str, zh: String, en: String| {
        let what = LocalizedText::zh_en(zh, en);
        findings.push(Finding { severity, place: place.to_owned(), what })
    };
    let mut unreachable: BTreeSet<&str> = BTreeSet::new();
    for (number, page) in questionnaire.pages.iter().enumerate() {
        for item in &page.items {
            let place = format!("item {}", item.id);
            let conditions: Vec<&Condition> = page.show_if.iter().chain(&item.show_if).collect();
            match count_satisfied(questionnaire, &conditions, &unreachable) {
                Some((_, 0)) => {
                    unreachable.insert(&item.id);
                    let together: Vec<&str> = conditions.iter().map(|c| c.source()).collect();
                    add_finding(
                        Severity::Error,
                        &place,
                        "没有人会被问到：任何答案都不满足显示条件".to_owned(),
                        format!(
                            "nobody is ever asked: no answers make «{}» hold",
                            together.join("» and «")
                        ),
                    );
                }
                Some((trials, held)) if trials == held && item.show_if.is_some() => {
                    add_finding(
                        Severity::Warning,
                        &place,
                        "所有人都会被问到，显示条件可以去掉".to_owned(),
                        "everybody is asked; its show_if can go".to_owned(),
                    );
                }
                _ => {}
            }
            if let Some(condition) = &item.screen_out_if
                && let Some((_, 0)) = count_satisfied(questionnaire, &[condition], &unreachable)
            {
                add_finding(
                    Severity::Error,
                    &place,
                    "没有人会被甄别出去：任何答案都不满足甄别条件".to_owned(),
                    format!(
                        "nobody is ever screened out: no answers make «{}» hold",
                        condition.source()
                    ),
                );
            }
            for &language in &questionnaire.languages {
                let text = sms_text(item, |text| text.in_language(language));
                let parts = measure_parts(&text).parts;
                if item.is_question() && parts > 1 {
                    add_finding(
                        Severity::Warning,
                        &place,
                        format!(
                            "以短信提问（{}）需 {parts} 条计费短信，请另写简短的短信版",
                            language.autonym()
                        ),
                        format!(
                            "asked by SMS ({language}) it takes {parts} parts; give it a short \
                                sms wording"
                        ),
                    );
                }
            }
        }
        if page.items.is_empty() {
            add_finding(
                Severity::Error,
                &format!("page {}", number + 1),
                "此页没有内容".to_owned(),
                "it holds nothing".to_owned(),
            );
        }
    }
    for (place, zh, en) in name_clashes(questionnaire) {
        add_finding(Severity::Error, &place, zh, en);
    }
    let minutes = questionnaire.minutes();
    if minutes > LONGEST_MINUTES {
        add_finding(
            Severity::Warning,
            "page",
            format!(
                "题目最多的答卷约需 {minutes:.1} 分钟，而承诺受访者的是 {LONGEST_MINUTES} 分钟"
            ),
            format!(
                "about {minutes:.1} minutes for somebody who is asked as much as can be; \
                    {LONGEST_MINUTES} are promised"
            ),
        );
    }
    findings.extend(super::review_items::review_items(questionnaire));
    findings
}

/// Returns names that programs which read the dataset take for one: columns, and options of an item,
/// that differ only in case, and an option called like «not applicable» or «don't know».
fn name_clashes(questionnaire: &Questionnaire) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    let mut columns: BTreeMap<String, String> =
        FIXED_COLUMNS.iter().map(|name| ((*name).to_owned(), (*name).to_owned())).collect();
    for item in questionnaire.items() {
        let place = format!("item {}", item.id);
        for (name, _) in item.column_names() {
            for name in [format!("{name}_missing"), name] {
                if let Some(other) = columns.insert(name.to_lowercase(), name.clone()) {
                    found.push((
                        place.clone(),
                        format!("列名 {other} 与 {name} 在许多软件中视为同名，请更换其一"),
                        format!(
                            "the columns {other} and {name} are one to many programs; rename one"
                        ),
                    ));
                }
            }
        }
        let ItemKind::Choice(choice) = &item.kind else { continue };
        let mut codes: BTreeMap<String, &str> = [
            (item.not_applicable, Answer::NOT_APPLICABLE, "not_applicable = true"),
            (item.dont_know, Answer::DONT_KNOW, "dont_know = true"),
            (item.refused, Answer::REFUSED, "refused = true"),
        ]
        .into_iter()
        .filter(|(is_offered, ..)| *is_offered)
        .map(|(_, code, key)| (code.to_owned(), key))
        .collect();
        for option in &choice.options {
            if let Some(other) = codes.insert(option.code.to_lowercase(), &option.code) {
                let zh = format!("选项代码 {} 容易与 {other} 混淆，请更换", option.code);
                let en = format!("option {} is easily taken for {other}; rename it", option.code);
                // Columns of several options were named above.
                if choice.selection == Selection::One || other.contains(' ') {
                    found.push((place.clone(), zh, en));
                }
            }
        }
    }
    found
}

impl Questionnaire {
    /// Estimates the minutes for the respondent who is asked most.
    pub fn minutes(&self) -> f64 {
        self.longest_path() as f64 / ITEMS_PER_MINUTE
    }

    /// Returns the largest number of questions that one respondent can be asked: branches that
    /// exclude each other count once. With too many combinations of answers to try, all questions.
    pub fn longest_path(&self) -> usize {
        let questions = |items: &mut dyn Iterator<Item = &Item>| {
            items.filter(|item| item.is_question()).count()
        };
        let conditions: Vec<&Condition> = self
            .pages
            .iter()
            .flat_map(|page| page.show_if.iter().chain(page.items.iter().flat_map(|i| &i.show_if)))
            .collect();
        let trials = Trials::of(self, &conditions, &BTreeSet::new());
        let Some(count) = trials.count().filter(|count| *count <= MAX_PATHS) else {
            return questions(&mut self.items());
        };
        let asked = |number: usize| {
            let (mut known, mut asked) = (Values::default(), 0);
            let chosen: BTreeMap<&str, &Candidate<'_>> = trials.chosen(number).collect();
            let facts = chosen.iter().filter(|(name, _)| self.item(name).is_none());
            facts.for_each(|(_, set)| set(&mut known));
            for page in &self.pages {
                let holds = |condition: &Condition| condition.holds(&known);
                let is_asked = |item: &&Item| {
                    page.show_if.as_ref().is_none_or(holds)
                        && item.show_if.as_ref().is_none_or(holds)
                };
                let items: Vec<&Item> = page.items.iter().filter(is_asked).collect();
                asked += questions(&mut items.iter().copied());
                // Only what was asked is answered when later conditions look at it.
                for item in items {
                    if let Some(set) = chosen.get(item.id.as_str()) {
                        set(&mut known);
                    }
                }
            }
            asked
        };
        (0..count).map(asked).max().unwrap_or(0)
    }
}

/// Composes the SMS question of an item.
fn sms_text(
    item: &Item,
    language: impl Fn(&crate::domain::language::LocalizedText) -> &str,
) -> String {
    let text = item.sms.as_ref().map_or_else(|| language(&item.text), &language);
    match &item.kind {
        ItemKind::Scale(scale) => format!("{text} ({}-{})", scale.from, scale.to),
        ItemKind::Choice(choice) => {
            let options: Vec<String> = choice
                .options
                .iter()
                .zip(1..)
                .map(|(option, n)| format!("{n} {}", language(&option.text)))
                .collect();
            format!("{text} {}", options.join(" "))
        }
        _ => text.to_owned(),
    }
}

/// Tries the possible answers to the items that conditions use. Returns the number of trials, and
/// of those in which all conditions held; `None` if there are too many.
fn count_satisfied(
    questionnaire: &Questionnaire,
    conditions: &[&Condition],
    unreachable: &BTreeSet<&str>,
) -> Option<(usize, usize)> {
    let trials = Trials::of(questionnaire, conditions, unreachable);
    let count = trials.count()?;
    let holds = |number: &usize| {
        let mut values = Values::default();
        trials.chosen(*number).for_each(|(_, set)| set(&mut values));
        conditions.iter().all(|condition| condition.holds(&values))
    };
    Some((count, (0..count).filter(holds).count()))
}

/// Every combination of the values that the names in some conditions can have.
struct Trials<'q> {
    domains: Vec<(String, Vec<Candidate<'q>>)>,
}

impl<'q> Trials<'q> {
    fn of(
        questionnaire: &'q Questionnaire,
        conditions: &[&Condition],
        unreachable: &BTreeSet<&str>,
    ) -> Trials<'q> {
        let names: BTreeSet<&String> =
            conditions.iter().flat_map(|condition| condition.names()).collect();
        let literals: Vec<String> =
            conditions.iter().flat_map(|condition| literals(condition.source())).collect();
        let domain = |name: &String| {
            (name.clone(), candidate_values(questionnaire, name, &literals, unreachable))
        };
        Trials { domains: names.into_iter().map(domain).collect() }
    }

    /// Returns the number of combinations; `None` if there are too many to try.
    fn count(&self) -> Option<usize> {
        self.domains.iter().try_fold(1usize, |product, (_, domain)| {
            product.checked_mul(domain.len()).filter(|p| *p <= MAX_TRIALS)
        })
    }

    /// Returns one value of each name, by the number of the combination.
    fn chosen(&self, mut number: usize) -> impl Iterator<Item = (&str, &Candidate<'q>)> {
        self.domains.iter().map(move |(name, domain)| {
            let candidate = &domain[number % domain.len()];
            number /= domain.len();
            (name.as_str(), candidate)
        })
    }
}

type Candidate<'q> = Box<dyn Fn(&mut Values) + 'q>;

/// Returns the possible values of a name: each distinguishable answer, and none.
fn candidate_values<'q>(
    questionnaire: &'q Questionnaire,
    name: &str,
    literals: &[String],
    unreachable: &BTreeSet<&str>,
) -> Vec<Candidate<'q>> {
    let Some(item) = questionnaire.item(name) else {
        let words: Vec<String> = match name {
            "category" => Category::ALL.map(|category| category.as_str().to_owned()).to_vec(),
            "mode" => Mode::ALL.map(|mode| mode.as_str().to_owned()).to_vec(),
            _ => literals.iter().cloned().chain(std::iter::once(String::new())).collect(),
        };
        let name = name.to_owned();
        return words
            .into_iter()
            .map(|word| {
                candidate({
                    let name = name.clone();
                    move |values| values.set(&name, cel::Value::from(word.as_str()))
                })
            })
            .collect();
    };
    let mut trials: Vec<Candidate> = vec![Box::new(|_| {})];
    if unreachable.contains(name) {
        return trials;
    }
    let mut answers: Vec<Answer> = match &item.kind {
        ItemKind::Scale(scale) => scale.points().map(Answer::Point).collect(),
        ItemKind::Choice(Choice { options, selection: Selection::One, .. }) => {
            options.iter().map(|o| Answer::Codes(vec![o.code.clone()])).collect()
        }
        ItemKind::Choice(Choice { options, selection, .. }) => {
            let together: Vec<String> = options
                .iter()
                .filter(|option| !option.is_exclusive)
                .map(|option| option.code.clone())
                .collect();
            let most =
                if let Selection::Several { max, .. } = selection { *max } else { options.len() };
            let pairs = together.iter().enumerate().flat_map(|(n, a)| {
                together[n + 1..].iter().map(move |b| vec![a.clone(), b.clone()])
            });
            let alone = options.iter().map(|option| vec![option.code.clone()]);
            alone
                .chain(pairs)
                .chain([together.clone()])
                .filter(|codes| codes.len() <= most)
                .map(Answer::Codes)
                .collect()
        }
        ItemKind::Number(range) => {
            let near = literals
                .iter()
                .filter_map(|literal| literal.parse::<f64>().ok())
                .flat_map(|n| [n - 1.0, n, n + 1.0]);
            let fits = |n: &f64| {
                range.min.is_none_or(|min| *n >= min) && range.max.is_none_or(|max| *n <= max)
            };
            near.chain(range.min).chain(range.max).filter(fits).map(Answer::Number).collect()
        }
        ItemKind::Date { first, last } => {
            let near = literals
                .iter()
                .filter_map(|literal| literal.parse().ok())
                .flat_map(|day: chrono::NaiveDate| [day.pred_opt(), Some(day), day.succ_opt()]);
            near.flatten().chain(*first).chain(*last).map(Answer::Date).collect()
        }
        ItemKind::Open { .. } | ItemKind::Info => Vec::new(),
    };
    answers.extend(item.not_applicable.then_some(Answer::NotApplicable));
    answers.extend(item.dont_know.then_some(Answer::DontKnow));
    answers.extend(item.refused.then_some(Answer::Refused));
    trials.extend(answers.into_iter().map(|answer| {
        candidate(move |values| {
            if let Some(value) = answer.value(item) {
                values.set(&item.id, value);
            }
        })
    }));
    trials
}

fn candidate<'q>(tell: impl Fn(&mut Values) + 'q) -> Candidate<'q> {
    Box::new(tell)
}

/// Returns the numbers and quoted words of a condition.
fn literals(source: &str) -> Vec<String> {
    let mut literals = Vec::new();
    for (at, piece) in source.split(['\'', '"']).enumerate() {
        if at % 2 == 1 {
            literals.push(piece.to_owned());
        } else {
            literals.extend(
                piece
                    .split(|c: char| !c.is_ascii_digit() && c != '.')
                    .filter(|n| !n.is_empty())
                    .map(str::to_owned),
            );
        }
    }
    literals
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = include_str!("../../../tests/fixtures/every_kind.toml");

    fn mistakes(from: &str, to: &str) -> Vec<String> {
        assert!(FILE.contains(from), "{from}");
        let questionnaire =
            Questionnaire::parse(&FILE.replace(from, to)).unwrap_or_else(|e| panic!("{e}"));
        review(&questionnaire)
            .into_iter()
            .filter(|f| f.severity == Severity::Error)
            .map(|f| format!("{}: {}", f.place, f.what.en()))
            .collect()
    }

    #[test]
    fn what_nobody_reaches_is_found_and_what_hangs_on_it() {
        assert_eq!(mistakes("x", "x"), Vec::<String>::new());
        let found = mistakes("show_if = \"sat1 <= 2\"", "show_if = \"sat1 > 5\"");
        assert!(found.iter().any(|f| f.starts_with("item why: nobody is ever asked")), "{found:?}");
        assert!(
            found.iter().any(|f| f.starts_with("item paid: nobody is ever asked")),
            "{found:?}"
        );
        for (from, to, said) in [
            (
                "code = \"rarely\"",
                "code = \"Daily\"",
                "item use: option Daily is easily taken for daily",
            ),
            (
                "code = \"quality\"",
                "code = \"PRICE\"",
                "item why: the columns WHY_price and WHY_PRICE",
            ),
            ("variable = \"G2\"", "variable = \"g1\"", "item g2: the columns G1 and g1"),
            (
                "variable = \"G2\"",
                "variable = \"Device\"",
                "item g2: the columns device and Device",
            ),
            (
                "variable = \"G2\"",
                "variable = \"G1_missing\"",
                "item g2: the columns G1_missing and",
            ),
        ] {
            let found = mistakes(from, to);
            assert!(found.iter().any(|f| f.starts_with(said)), "{found:?}\n{said}");
        }
        let dk = FILE.replace("max = 2,", "max = 2, dont_know = true,");
        let dk = dk.replace("code = \"quality\"", "code = \"dk\"");
        let error = Questionnaire::parse(&dk).expect_err("one answer, twice").to_string();
        assert!(error.contains("option «dk» and dont_know = true are the same answer"), "{error}");
        let na = "type = \"single\", not_applicable = true, screen_out_if";
        let file = FILE.replace("type = \"single\", screen_out_if", na);
        let file = file.replace("code = \"rarely\"", "code = \"NA\"");
        let found = review(&Questionnaire::parse(&file).unwrap());
        assert!(
            found.iter().any(|f| f.what.en().contains("NA is easily taken for not_applicable"))
        );
        assert_eq!(mistakes("use == 'never'", "use == 'sometimes'").len(), 1);
        assert_eq!(mistakes("'price' in why", "'prize' in why").len(), 1);
        assert_eq!(mistakes("'price' in why", "'price' in why && mode == 'fax'").len(), 1);
        assert_eq!(
            mistakes("'price' in why", "'price' in why && 'none' in why").len(),
            1,
            "one excludes the other"
        );
    }

    #[test]
    fn branches_that_exclude_each_other_count_once() {
        let minutes = |from: &str, to: &str| {
            assert!(FILE.contains(from), "{from}");
            Questionnaire::parse(&FILE.replace(from, to)).unwrap().longest_path()
        };
        let all = Questionnaire::parse(FILE).unwrap();
        let questions = all.items().filter(|item| item.is_question()).count();
        assert_eq!(all.longest_path(), questions, "somebody can be asked everything");
        // Asked instead of «why», which is on the page that only the dissatisfied see.
        assert_eq!(
            minutes("show_if = \"'price' in why\"", "show_if = \"sat1 > 2\""),
            questions - 1
        );
        // Nobody answers an item that is not asked, so nothing can hang on its answer.
        let nobody = "show_if = \"mode == 'fax'\"";
        assert_eq!(minutes("show_if = \"sat1 <= 2\"", nobody), questions - 2);
    }

    #[test]
    fn remarks_are_made_of_what_may_be_meant_so() {
        let questionnaire = Questionnaire::parse(
            &FILE.replace("'price' in why", "use == 'daily' || use != 'daily'"),
        )
        .unwrap();
        let remarks = review(&questionnaire);
        assert!(
            remarks
                .iter()
                .any(|f| f.place == "item paid" && f.what.en().contains("its show_if can go")),
            "{remarks:?}"
        );
        let long =
            FILE.replace("zh = \"满意吗？\"", &format!("zh = \"{}\"", "满意吗？".repeat(20)));
        assert!(
            review(&Questionnaire::parse(&long).unwrap())
                .iter()
                .any(|f| f.place == "item sat1" && f.what.en().contains("2 parts"))
        );
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_place() {
        for (from, to, said) in [
            (
                "show_if = \"sat1 <= 2\"",
                "show_if = \"paid <= 2\"",
                "page 3: «paid <= 2» looks at paid, which is not answered yet",
            ),
            (
                "show_if = \"sat1 <= 2\"",
                "show_if = \"sat9 <= 2\"",
                "sat9, which is no item, no fact",
            ),
            (
                "show_if = \"sat1 <= 2\"",
                "show_if = \"sat1 <=\"",
                "page 3: show_if «sat1 <=» cannot be read",
            ),
            ("'price' in why", "why2('price')", "item paid: «why2('price')» calls why2"),
            ("{answer:use}使用", "{answer:paid}使用", "item why: {answer:paid} names nothing"),
            ("zh = \"外观\"", "zh = \"\"", "item g1: the text in language zh is missing"),
            ("variable = \"G2\"", "variable = \"G1\"", "item g2: the variable G1 stands twice"),
            ("code = \"b\"", "code = \"a\"", "item rank1: option a stands twice"),
            ("code = \"b\"", "code = \"n.a\"", "item rank1: option «n.a»"),
            ("max = 2,", "max = 9,", "item why: min 1 and max 9 do not fit 4 options"),
            (
                "first = \"2000-01-01\"",
                "first = \"2000-13-01\"",
                "item since: first and last are days",
            ),
            ("id = \"open1\"", "id = \"mode\"", "item mode: this name is taken"),
        ] {
            assert!(FILE.contains(from), "{from}");
            let error = Questionnaire::parse(&FILE.replace(from, to)).expect_err(to).to_string();
            assert!(error.contains(said), "{error}\n{said}");
        }
    }
}
