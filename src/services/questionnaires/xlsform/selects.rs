//! Questions with choices: lists, `or_other`, filters, and scales that are written as choices.

use toml::{Table, Value};

use super::cascades::{Part, column_name, divide, joined, words_as_texts};
use super::choices::ListChoice;
use super::conditions::Condition;
use super::constraints::read_several;
use super::expression::{Expression, Sign, parse};
use super::findings::{Place, shortened};
use super::import::Importer;
use super::items::{Draft, Kind, LATENT, first_filled};
use super::languages::Texts;
use super::scope::{AnswerKind, Code, Meaning};
use super::texts::name_questions;
use super::types::{SelectKind, parameter};

/// The name that the standard gives to the choice of `or_other`.
const OTHER: &str = "other";

impl Importer {
    pub fn read_select(
        &mut self,
        draft: &Draft,
        kind: SelectKind,
        list: &str,
        or_other: bool,
        conditions: Vec<Condition>,
    ) {
        let row = draft.row;
        let Some(mut choices) = self.lists.get(list).cloned().filter(|list| !list.is_empty())
        else {
            let what = if list.is_empty() {
                format!("{} names no list", draft.name)
            } else {
                format!("the list {list} has no choices")
            };
            self.findings.refuse(
                Place::survey(row.number, "type"),
                what,
                "add them to the sheet choices",
            );
            return self.define_unknown(
                &draft.name,
                &draft.suffix,
                format!("{} has no choices", draft.name),
            );
        };
        choices.retain(|choice| !choice.is_special);
        self.name_questions_in(draft, &mut choices);
        let parts = match self.parts(draft, choices) {
            Ok(parts) => parts,
            Err(problem) => {
                let what =
                    format!("choice_filter «{}»: {problem}", shortened(row.get("choice_filter")));
                self.findings.leave_out(
                    Place::survey(row.number, "choice_filter"),
                    what,
                    "ask one question for each set of choices",
                );
                let why = format!("{} is not asked here", draft.name);
                return self.define_unknown(&draft.name, &draft.suffix, why);
            }
        };
        let count = parts.len();
        let mut ids = Vec::new();
        for (number, (condition, mut choices)) in (1..).zip(parts) {
            let mut own = conditions.clone();
            if let Some(condition) = condition {
                match self.write(condition) {
                    Ok(condition) => own.push(condition),
                    Err(problem) => {
                        self.findings.refuse(
                            Place::survey(row.number, "choice_filter"),
                            problem,
                            "change it",
                        );
                    }
                }
            }
            if or_other {
                add_other(&mut choices, self.languages.words("其他", "Other"));
            }
            let name = if count == 1 {
                format!("{}{}", draft.name, draft.suffix)
            } else {
                format!("{}{}_{number}", draft.name, draft.suffix)
            };
            let kind = self.select_kind(draft, kind, &choices);
            let id = self.add_item(draft, &name, kind, own);
            if or_other {
                self.ask_other(draft, &id);
            }
            ids.push(id);
        }
        if count > 1 {
            let what = format!(
                "the choices of {} depend on an earlier answer, so it is asked as {count} items, \
                 of which each respondent gets one: {}",
                draft.name,
                ids.join(", ")
            );
            self.findings.remark(Place::survey(row.number, "choice_filter"), what, "");
            let value = Meaning::Calculation(joined(&ids));
            self.scope.divided.push(ids);
            return self.define(&draft.name, &draft.suffix, value);
        }
        if let Some(id) = ids.pop() {
            self.define(&draft.name, &draft.suffix, Meaning::Item(id));
        }
    }

    /// Choices are shown as they stand: an answer in their text is named by its question.
    fn name_questions_in(&mut self, draft: &Draft, choices: &mut [ListChoice]) {
        for choice in choices {
            if choice.text.is_exact(&choice.row, "text") {
                continue;
            }
            let labels = &self.labels;
            let Some(named) = name_questions(&choice.text, |name| labels.get(name).cloned()) else {
                continue;
            };
            choice.text = named;
            let what = format!(
                "the choice {} of {} shows an answer, which choices cannot; it says which question \
                 is meant",
                choice.code.theirs, draft.name
            );
            self.findings.remark(
                Place::choices(choice.row.number, "label"),
                what,
                "word it otherwise",
            );
        }
    }

    fn parts(&mut self, draft: &Draft, choices: Vec<ListChoice>) -> Result<Vec<Part>, String> {
        let filter = draft.row.get("choice_filter");
        if filter.is_empty() {
            return Ok(vec![(None, choices)]);
        }
        let has_column = |column: &str| {
            ["label", "list_name"].contains(&column)
                || choices.iter().any(|choice| choice.row.has(column))
        };
        let (filter, words) = words_as_texts(parse(filter)?, has_column);
        for word in words {
            self.findings.remark(
                Place::survey(draft.row.number, "choice_filter"),
                format!(
                    "{} is no column of choices, so it was taken as the text '{word}'",
                    column_name(&word)
                ),
                "put texts into quotation marks",
            );
        }
        let filter = self.scope.resolve(filter, &draft.suffix)?;
        let parts = divide(&filter, &choices, &self.scope)?;
        if parts.is_empty() {
            return Err("it offers nobody a choice".to_owned());
        }
        Ok(parts)
    }

    /// Adds the question that `or_other` asks of those who choose «other».
    fn ask_other(&mut self, draft: &Draft, id: &str) {
        let condition = match self.scope.answers.get(id) {
            Some(AnswerKind::One(_)) => Expression::compare(
                Sign::Equal,
                Expression::Name(id.to_owned()),
                Expression::text(OTHER),
            ),
            _ => Expression::call(
                "selected",
                vec![Expression::Name(id.to_owned()), Expression::text(OTHER)],
            ),
        };
        let Ok(condition) = self.write(condition) else { return };
        let mut row = super::workbook::Row::default();
        row.number = draft.row.number;
        let other = Draft {
            row: &row,
            name: format!("{}_other", draft.name),
            suffix: draft.suffix.clone(),
            text: self.languages.words("请具体说明“其他”：", "Specify other:"),
        };
        let name = format!("{id}_other");
        let kind = Kind::of("text", AnswerKind::Text);
        let added = self.add_item(&other, &name, kind, vec![condition]);
        self.define(&other.name, &other.suffix, Meaning::Item(added));
    }

    fn select_kind(&mut self, draft: &Draft, kind: SelectKind, choices: &[ListChoice]) -> Kind {
        let row = draft.row;
        if kind == SelectKind::One
            && let Some(scale) = self.as_scale(draft, choices)
        {
            return scale;
        }
        let codes: Vec<Code> = choices.iter().map(|choice| choice.code.clone()).collect();
        let ours: Vec<String> = codes.iter().map(|code| code.ours.clone()).collect();
        let mut exclusive: Vec<&str> = Vec::new();
        let rule =
            (kind == SelectKind::Several).then(|| self.several_rule(draft, &codes)).flatten();
        if let Some(rule) = &rule {
            exclusive.extend(rule.exclusive.iter().map(String::as_str));
        }
        if kind != SelectKind::Several && !row.get("constraint").is_empty() {
            self.remark_unchecked(draft);
        }
        let is_exclusive = |choice: &ListChoice| {
            kind != SelectKind::Ranked
                && (choice.is_exclusive || exclusive.contains(&choice.code.theirs.as_str()))
        };
        let option = |choice: &ListChoice| {
            let mut option = Table::from_iter([
                ("code".to_owned(), Value::from(choice.code.ours.as_str())),
                ("text".to_owned(), choice.text.clone().into_value()),
            ]);
            if is_exclusive(choice) {
                option.insert("exclusive".to_owned(), Value::from(true));
            }
            Value::Table(option)
        };
        let options = Value::Array(choices.iter().map(option).collect());
        let (word, answer) = match kind {
            SelectKind::One => ("single", AnswerKind::One(codes)),
            SelectKind::Several => ("multiple", AnswerKind::Several(codes)),
            SelectKind::Ranked => ("rank", AnswerKind::Ranked(codes)),
        };
        let mut kind_read = Kind::of(word, answer).with("options", options);
        if parameter(row.get("parameters"), "randomize")
            .is_some_and(|r| r.eq_ignore_ascii_case("true"))
        {
            kind_read = kind_read.with("order", "random");
        }
        let exact = |column: &str| row.get(column).parse::<usize>().ok();
        let (min, max) = rule.map_or((1, choices.len()), |rule| (rule.min, rule.max));
        let min = exact("fieldworkd_min").unwrap_or(min);
        let max = exact("fieldworkd_max").unwrap_or(max);
        if kind == SelectKind::Several {
            if min != 1 {
                kind_read = kind_read.with("min", min as f64);
            }
            if max != choices.len() {
                kind_read = kind_read.with("max", max as f64);
            }
        }
        if kind != SelectKind::One {
            kind_read.columns = ours;
        }
        kind_read
    }

    fn several_rule(
        &mut self,
        draft: &Draft,
        codes: &[Code],
    ) -> Option<super::constraints::SeveralRule> {
        let constraint = draft.row.get("constraint");
        // An exported form holds the rule in columns of its own.
        if constraint.is_empty() || draft.row.raw("fieldworkd_max").is_some() {
            return None;
        }
        let theirs: Vec<String> = codes.iter().map(|code| code.theirs.clone()).collect();
        let rule = parse(constraint)
            .and_then(|constraint| self.resolve_constants(constraint, &draft.suffix))
            .ok()
            .and_then(|constraint| read_several(&constraint, &theirs));
        if rule.as_ref().is_none_or(|rule| rule.has_more) {
            self.remark_unchecked(draft);
        }
        rule
    }

    /// Makes a scale of choices that are one: consecutive numbers, and something that they measure.
    fn as_scale(&mut self, draft: &Draft, choices: &[ListChoice]) -> Option<Kind> {
        let row = draft.row;
        let is_exact = row.get("fieldworkd_type") == "scale";
        let latent = first_filled(row, LATENT);
        let points: Vec<i64> =
            choices.iter().map(|choice| choice.code.theirs.parse().ok()).collect::<Option<_>>()?;
        let is_consecutive = points.windows(2).all(|pair| pair[0] + 1 == pair[1]);
        if !is_consecutive || points.len() < 2 || points.len() > 101 {
            return None;
        }
        let is_likert = row.get("appearance").to_lowercase().contains("likert");
        if latent.is_empty() && !is_exact && is_likert {
            let what = format!("{} is kept as choices, not as a scale", draft.name);
            let remedy = "for a scale, add a column latent: what it measures, such as satisfaction";
            self.findings.remark(Place::survey(row.number, "appearance"), what, remedy);
        }
        if !is_exact && (latent.is_empty() || points.len() < 3) {
            return None;
        }
        if row.raw("fieldworkd_type").is_some() && !is_exact {
            return None;
        }
        let (from, to) = (*points.first()?, *points.last()?);
        let words = |choice: &ListChoice, point: i64| {
            let bare = |text: &str| {
                let rest = text.strip_prefix(&point.to_string()).unwrap_or(text);
                rest.trim_start_matches([' ', '-', '–', '—', '=', ':', '：', '.', '、', ')'])
                    .to_owned()
            };
            let words = choice.text.each(|_, text| bare(text));
            (!words.has_gap()).then_some(words)
        };
        let (low, high) = (words(choices.first()?, from), words(choices.last()?, to));
        let between = &choices[1..choices.len() - 1];
        let lost = between
            .iter()
            .zip(from + 1..)
            .filter(|(choice, point)| words(choice, *point).is_some());
        let lost = lost.count();
        if lost > 0 && !is_exact {
            let what = format!(
                "{} is a scale, which has words at its ends only; {lost} labels between are left \
                 out",
                draft.name
            );
            self.findings.remark(
                Place::survey(row.number, "latent"),
                what,
                "clear latent to keep them as choices",
            );
        }
        Some(self.scale(draft, from, to, low, high))
    }
}

/// Adds the choice «other», unless the list has it.
fn add_other(choices: &mut Vec<ListChoice>, other: Texts) {
    if choices.iter().any(|choice| choice.code.theirs == OTHER) {
        return;
    }
    let is_taken = choices.iter().any(|choice| choice.code.ours.eq_ignore_ascii_case(OTHER));
    let ours = if is_taken { "other_2" } else { OTHER };
    choices.push(ListChoice {
        code: Code { theirs: OTHER.to_owned(), ours: ours.to_owned() },
        text: other,
        is_exclusive: false,
        is_special: false,
        row: super::workbook::Row::default(),
    });
}
