//! Conditions as staff choose them: rows of «question, comparison, value» that must all hold, or of
//! which one must, where some rows belong together.

use strum::{EnumIter, EnumString, IntoStaticStr};

use super::file::{ItemFile, KindFile, OptionFile, QuestionnaireFile};
use super::{Answer, ROUTING_FACTS};
use crate::domain::category::Category;
use crate::domain::condition::{Comparison, Expression, Operand};
use crate::domain::language::{ConsoleLanguage, Language, LocalizedText};
use crate::domain::mode::Mode;

/// The longest text of a question that is shown in a condition, in characters.
const LONGEST_NAME: usize = 28;

/// A condition of rows. The groups must all hold, or one of them; within a group it is the other
/// way round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenCondition {
    /// Whether all groups must hold.
    pub is_all: bool,
    pub groups: Vec<Vec<Term>>,
}

/// A row: an answer or a fact, compared with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    pub name: String,
    pub test: Test,
    pub value: String,
}

/// How an answer is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, EnumIter)]
#[strum(serialize_all = "snake_case")]
pub enum Test {
    Is,
    IsNot,
    AtMost,
    AtLeast,
    Below,
    Above,
    Includes,
    IncludesNot,
    Answered,
    NotAnswered,
}

impl Test {
    /// What can be asked of an answer of a kind.
    pub fn of(kind: KindFile) -> &'static [Test] {
        match kind {
            KindFile::Scale | KindFile::Number | KindFile::Date => &[
                Test::AtMost,
                Test::AtLeast,
                Test::Below,
                Test::Above,
                Test::Is,
                Test::IsNot,
                Test::Answered,
                Test::NotAnswered,
            ],
            KindFile::Single => &[Test::Is, Test::IsNot, Test::Answered, Test::NotAnswered],
            KindFile::Multiple | KindFile::Rank => {
                &[Test::Includes, Test::IncludesNot, Test::Answered, Test::NotAnswered]
            }
            KindFile::Text | KindFile::Grid | KindFile::Info => &[],
        }
    }

    /// Whether it compares with a value.
    pub fn takes_value(self) -> bool {
        !matches!(self, Test::Answered | Test::NotAnswered)
    }

    /// Its words in Chinese and English, between the question and the value.
    pub fn words(self, kind: KindFile) -> (&'static str, &'static str) {
        match (self, kind) {
            (Test::Is, KindFile::Single) => ("选", "is"),
            (Test::IsNot, KindFile::Single) => ("没选", "is not"),
            (Test::Is, _) => ("为", "is"),
            (Test::IsNot, _) => ("不为", "is not"),
            (Test::AtMost, KindFile::Date) => ("不晚于", "is not after"),
            (Test::AtLeast, KindFile::Date) => ("不早于", "is not before"),
            (Test::Below, KindFile::Date) => ("早于", "is before"),
            (Test::Above, KindFile::Date) => ("晚于", "is after"),
            (Test::AtMost, _) => ("不高于", "is at most"),
            (Test::AtLeast, _) => ("不低于", "is at least"),
            (Test::Below, _) => ("低于", "is below"),
            (Test::Above, _) => ("高于", "is above"),
            (Test::Includes, _) => ("选了", "includes"),
            (Test::IncludesNot, _) => ("没选", "does not include"),
            (Test::Answered, _) => ("已作答", "is answered"),
            (Test::NotAnswered, _) => ("未作答", "is not answered"),
        }
    }
}

impl Term {
    fn of(expression: &Expression) -> Option<Term> {
        let term = |name: &String, test, value: &str| {
            Some(Term { name: name.clone(), test, value: value.to_owned() })
        };
        match expression {
            Expression::Compare { name, comparison, value: Operand::Nothing } => match comparison {
                Comparison::Equal => term(name, Test::NotAnswered, ""),
                Comparison::NotEqual => term(name, Test::Answered, ""),
                _ => None,
            },
            Expression::Compare {
                name,
                comparison,
                value: Operand::Text(value) | Operand::Number(value),
            } => {
                let test = match comparison {
                    Comparison::Equal => Test::Is,
                    Comparison::NotEqual => Test::IsNot,
                    Comparison::Less => Test::Below,
                    Comparison::LessOrEqual => Test::AtMost,
                    Comparison::Greater => Test::Above,
                    Comparison::GreaterOrEqual => Test::AtLeast,
                };
                term(name, test, value)
            }
            Expression::Contains { name, code } => term(name, Test::Includes, code),
            Expression::Not(inner) => {
                let term = Term::of(inner)?;
                let test = match term.test {
                    Test::Is => Test::IsNot,
                    Test::Includes => Test::IncludesNot,
                    Test::Answered => Test::NotAnswered,
                    Test::NotAnswered => Test::Answered,
                    // «Not at most 4» is not «above 4»: there may be no answer.
                    _ => return None,
                };
                Some(Term { test, ..term })
            }
            Expression::All(_) | Expression::Any(_) => None,
        }
    }

    fn expression(&self, is_number: bool) -> Expression {
        let name = self.name.clone();
        let compare =
            |comparison, value| Expression::Compare { name: self.name.clone(), comparison, value };
        let value = if is_number && self.value.parse::<f64>().is_ok() {
            Operand::Number(self.value.clone())
        } else {
            Operand::Text(self.value.clone())
        };
        let not = |inner| Expression::Not(Box::new(inner));
        match self.test {
            Test::Is => compare(Comparison::Equal, value),
            Test::IsNot => not(compare(Comparison::Equal, value)),
            Test::AtMost => compare(Comparison::LessOrEqual, value),
            Test::AtLeast => compare(Comparison::GreaterOrEqual, value),
            Test::Below => compare(Comparison::Less, value),
            Test::Above => compare(Comparison::Greater, value),
            Test::Includes => Expression::Contains { name, code: self.value.clone() },
            Test::IncludesNot => not(Expression::Contains { name, code: self.value.clone() }),
            Test::Answered => compare(Comparison::NotEqual, Operand::Nothing),
            Test::NotAnswered => compare(Comparison::Equal, Operand::Nothing),
        }
    }
}

impl ChosenCondition {
    /// Reads a condition; `None`: it can be written, but not chosen.
    pub fn parse(source: &str) -> Option<ChosenCondition> {
        let expression = Expression::parse(source)?;
        if let Some(term) = Term::of(&expression) {
            return Some(ChosenCondition { is_all: true, groups: vec![vec![term]] });
        }
        let is_all = matches!(expression, Expression::All(_));
        let (Expression::All(parts) | Expression::Any(parts)) = expression else { return None };
        let group = |part: &Expression| match part {
            Expression::Any(inner) if is_all => inner.iter().map(Term::of).collect(),
            Expression::All(inner) if !is_all => inner.iter().map(Term::of).collect(),
            other => Term::of(other).map(|term| vec![term]),
        };
        let groups = parts.iter().map(group).collect::<Option<Vec<Vec<Term>>>>()?;
        Some(ChosenCondition { is_all, groups })
    }

    /// Writes the condition; `None`: it has no rows.
    pub fn source(&self, file: &QuestionnaireFile) -> Option<String> {
        let join = |mut parts: Vec<Expression>, is_all: bool| match parts.len() {
            0 => None,
            1 => Some(parts.remove(0)),
            _ if is_all => Some(Expression::All(parts)),
            _ => Some(Expression::Any(parts)),
        };
        let group = |terms: &Vec<Term>| {
            let term = |term: &Term| term.expression(file.is_number(&term.name));
            join(terms.iter().map(term).collect(), !self.is_all)
        };
        let groups: Vec<Expression> = self.groups.iter().filter_map(group).collect();
        join(groups, self.is_all).map(|expression| expression.to_string())
    }
}

/// What a condition can look at.
pub struct Subject {
    pub name: String,
    /// In the reader's language.
    pub text: String,
    pub kind: KindFile,
    /// The values to choose from: code and words. Empty: any.
    pub values: Vec<(String, String)>,
}

impl QuestionnaireFile {
    /// Says a condition in words; `None`: it can only be shown as it is written.
    pub fn condition_words(&self, source: &str, reader: ConsoleLanguage) -> Option<String> {
        let chosen = ChosenCondition::parse(source)?;
        let subjects = self.subjects(usize::MAX, reader);
        let zh = reader == ConsoleLanguage::Zh;
        let term = |term: &Term| {
            let subject = subjects.iter().find(|subject| subject.name == term.name)?;
            let (name, kind) = (quoted(&subject.text, zh), subject.kind);
            let words = if zh { term.test.words(kind).0 } else { term.test.words(kind).1 };
            if !term.test.takes_value() {
                return Some(if zh { format!("{name}{words}") } else { format!("{name} {words}") });
            }
            let known = subject.values.iter().find(|(code, _)| *code == term.value);
            let is_number = term.value.parse::<f64>().is_ok();
            let value = match known {
                Some((code, words)) if is_number && code == words => code.clone(),
                Some((_, words)) => quoted(words, zh),
                None if is_number || kind == KindFile::Date => term.value.clone(),
                None => quoted(&term.value, zh),
            };
            let space = if zh && !value.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
                ""
            } else {
                " "
            };
            Some(if zh {
                format!("{name}{words}{space}{value}")
            } else {
                format!("{name} {words} {value}")
            })
        };
        let joined = |parts: Vec<String>, is_all: bool| {
            parts.join(match (is_all, zh) {
                (true, true) => "，且",
                (false, true) => "，或",
                (true, false) => " and ",
                (false, false) => " or ",
            })
        };
        let mut groups = Vec::new();
        for terms in &chosen.groups {
            let parts = terms.iter().map(term).collect::<Option<Vec<String>>>()?;
            let is_several = parts.len() > 1 && chosen.groups.len() > 1;
            let words = joined(parts, !chosen.is_all);
            groups.push(match (is_several, zh) {
                (false, _) => words,
                (true, true) => format!("（{words}）"),
                (true, false) => format!("({words})"),
            });
        }
        Some(joined(groups, chosen.is_all))
    }

    /// What a condition on a page (from 0) can look at: the questions of earlier pages, and the facts.
    pub fn subjects(&self, page: usize, reader: ConsoleLanguage) -> Vec<Subject> {
        let items = self.pages.iter().take(page).flat_map(|page| &page.items);
        let mut subjects: Vec<Subject> =
            items.flat_map(|item| self.subjects_of(item, reader)).collect();
        let zh = reader == ConsoleLanguage::Zh;
        let word = |pair: (&str, &str)| if zh { pair.0.to_owned() } else { pair.1.to_owned() };
        for fact in ROUTING_FACTS {
            let (text, values) = match fact {
                "category" => (
                    ("类别", "category"),
                    Category::ALL
                        .iter()
                        .map(|category| {
                            (
                                category.as_str().to_owned(),
                                word((category.chinese(), category.as_str())),
                            )
                        })
                        .collect(),
                ),
                "mode" => (
                    ("访问方式", "mode"),
                    Mode::ALL
                        .iter()
                        .map(|mode| (mode.as_str().to_owned(), word(mode.labels())))
                        .collect(),
                ),
                _ => (("用户类型", "segment"), Vec::new()),
            };
            subjects.push(Subject {
                name: fact.to_owned(),
                text: word(text),
                kind: KindFile::Single,
                values,
            });
        }
        subjects.extend(self.list_fields.iter().map(|field| Subject {
            name: field.clone(),
            text: if zh { format!("名单字段 {field}") } else { format!("list field {field}") },
            kind: KindFile::Single,
            values: Vec::new(),
        }));
        subjects
    }

    /// What a condition can look at in an item: its answer, or those of its rows.
    pub fn subjects_of(&self, item: &ItemFile, reader: ConsoleLanguage) -> Vec<Subject> {
        let language = Language::from(reader);
        let kind = match item.kind {
            KindFile::Grid if item.options.is_empty() => KindFile::Scale,
            KindFile::Grid => KindFile::Single,
            other => other,
        };
        if Test::of(kind).is_empty() {
            return Vec::new();
        }
        let mut values: Vec<(String, String)> = Vec::new();
        if kind == KindFile::Scale
            && let Some(scale) = item.scale.as_ref().or(self.scale.as_ref())
            && scale.to.checked_sub(scale.from).is_some_and(|points| (1..=100).contains(&points))
        {
            values.extend((scale.from..=scale.to).map(|n| (n.to_string(), n.to_string())));
        }
        let option = |option: &OptionFile| {
            (option.code.clone(), shortened(option.text.in_language(language)))
        };
        values.extend(item.options.iter().map(option));
        let zh = reader == ConsoleLanguage::Zh;
        let specials = [
            (item.not_applicable, Answer::NOT_APPLICABLE, "不适用", "not applicable"),
            (item.dont_know, Answer::DONT_KNOW, "不知道", "don't know"),
            (item.refused, Answer::REFUSED, "不想回答", "rather not say"),
        ];
        if matches!(kind, KindFile::Scale | KindFile::Single) {
            for (_, code, words, english) in specials.into_iter().filter(|special| special.0) {
                values.push((code.to_owned(), (if zh { words } else { english }).to_owned()));
            }
        }
        let subject = |id: &String, text: &LocalizedText| Subject {
            name: id.clone(),
            text: match shortened(text.in_language(language)) {
                text if text.is_empty() => id.clone(),
                text => text,
            },
            kind,
            values: values.clone(),
        };
        if item.kind == KindFile::Grid {
            item.rows.iter().map(|row| subject(&row.id, &row.text)).collect()
        } else {
            vec![subject(&item.id, &item.text)]
        }
    }

    /// Whether an item's answers are numbers.
    fn is_number(&self, name: &str) -> bool {
        let items = self.pages.iter().flat_map(|page| &page.items);
        items.into_iter().any(|item| match item.kind {
            KindFile::Scale | KindFile::Number => item.id == name,
            KindFile::Grid => item.options.is_empty() && item.rows.iter().any(|row| row.id == name),
            _ => false,
        })
    }
}

fn shortened(text: &str) -> String {
    let text = text.trim();
    if text.chars().count() <= LONGEST_NAME {
        return text.to_owned();
    }
    text.chars().take(LONGEST_NAME - 1).chain(['…']).collect()
}

fn quoted(text: &str, zh: bool) -> String {
    if zh { format!("“{text}”") } else { format!("«{text}»") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> QuestionnaireFile {
        QuestionnaireFile::read(include_str!("../../../config/questionnaires/brand.toml")).unwrap()
    }

    #[test]
    fn what_is_chosen_is_written_as_it_was_read() {
        let file = file();
        for source in [
            "complained == 'yes'",
            "!(complained == 'yes')",
            "sat1 <= 4 && !(complained == 'yes')",
            "!(complained == 'yes') && (sat1 == null || sat1 > 4)",
            "(sat1 <= 4 && sat2 <= 4) || complained == 'yes'",
            "exp1 == 'dk'",
            "mode == 'telephone'",
        ] {
            let chosen = ChosenCondition::parse(source).unwrap_or_else(|| panic!("{source}"));
            assert_eq!(chosen.source(&file).as_deref(), Some(source));
        }
        for other in ["size(why1) > 1", "!(sat1 <= 4)", "(a == 1 && (b == 2 || c == 3)) || d == 4"]
        {
            assert_eq!(ChosenCondition::parse(other), None, "{other}");
        }
        let none = ChosenCondition { is_all: true, groups: vec![Vec::new()] };
        assert_eq!(none.source(&file), None);
    }

    #[test]
    fn a_condition_is_said_in_words() {
        let words = |source: &str, reader| file().condition_words(source, reader);
        assert_eq!(
            words("sat1 <= 4 && !(complained == 'yes')", ConsoleLanguage::Zh).as_deref(),
            Some(
                "“总体上，您对该品牌的满意程度如何？”不高于 4，且“您有没有投诉过该品牌？”没选“有”"
            )
        );
        assert_eq!(
            words("mode == 'telephone' || exp1 == 'dk'", ConsoleLanguage::En).as_deref(),
            Some("«mode» is «telephone» or «Before buying, how high wer…» is «don't know»")
        );
        assert_eq!(words("nobody == 1", ConsoleLanguage::Zh), None);
    }
}
