//! Routing in words: a condition over earlier answers as an instruction to the respondent.
//!
//! Comparisons with answers, and what «and», «or» and «not» make of them, are said with the numbers
//! of the questions and the digits of the options. Of any other condition the form says on which
//! questions it depends; the condition itself is never printed.

use super::{FormLanguage, PaperForm, PaperItem, SpecialAnswer};
use crate::domain::condition::{Comparison, Expression, Operand, Token, negated, tokens};
use crate::domain::language::Language;
use crate::domain::questionnaire::Answer;

/// An instruction before an item, or before the first of several with the same condition.
pub struct RoutingInstruction {
    /// The place among the form's items.
    pub before: usize,
    pub text: String,
}

impl PaperForm<'_> {
    /// Returns who answers which questions, in words.
    pub fn instructions(&self, language: Language) -> Vec<RoutingInstruction> {
        let conditions: Vec<Vec<&str>> =
            self.items.iter().map(|paper| self.open_conditions(paper)).collect();
        let mut found = Vec::new();
        let mut at = 0;
        while at < self.items.len() {
            let condition = &conditions[at];
            let length = conditions[at..].iter().take_while(|other| *other == condition).count();
            let (run, after) = (&self.items[at..at + length], &self.items[at + length..]);
            if !condition.is_empty() {
                let next = after.iter().find_map(|paper| paper.number);
                let text = self.condition_text(condition, run, next, language);
                found.push(RoutingInstruction { before: at, text });
            }
            at += length;
        }
        found
    }

    /// Returns the instruction after an item whose answer can end the interview.
    pub fn screening(&self, paper: &PaperItem<'_>, language: Language) -> Option<String> {
        let source = paper.item.screen_out_if.as_ref()?.source();
        let words = self.words(&[source], language)?;
        Some(match FormLanguage::of(language) {
            FormLanguage::Zh => format!("{}的，后面的题不必再答，请直接寄回。", spaced(words)),
            FormLanguage::En => format!("If {words}, please stop here and send the form back."),
        })
    }

    /// The conditions of an item that the case's facts do not decide: of its page, and its own.
    fn open_conditions(&self, paper: &PaperItem<'_>) -> Vec<&str> {
        let is_open = |source: &&str| {
            tokens(source).is_none_or(|tokens| {
                tokens.iter().any(|token| match token {
                    Token::Name(name) => self.questionnaire.item(name).is_some(),
                    _ => false,
                })
            })
        };
        let conditions = self.questionnaire.conditions_of(paper.item);
        conditions.map(crate::domain::condition::Condition::source).filter(is_open).collect()
    }

    fn condition_text(
        &self,
        conditions: &[&str],
        run: &[PaperItem<'_>],
        next: Option<u32>,
        language: Language,
    ) -> String {
        let numbers: Vec<u32> = run.iter().filter_map(|paper| paper.number).collect();
        let which = match (numbers.first(), numbers.last(), FormLanguage::of(language)) {
            (Some(first), Some(last), FormLanguage::Zh) if first != last => {
                format!("第 {first} 至 {last} 题：")
            }
            (Some(first), Some(last), FormLanguage::En) if first != last => {
                format!("Questions {first} to {last}: ")
            }
            _ => String::new(),
        };
        let or_else = match (FormLanguage::of(language), next) {
            (FormLanguage::Zh, Some(next)) => format!("否则请转至第 {next} 题。"),
            (FormLanguage::Zh, None) => "否则请留空。".to_owned(),
            (FormLanguage::En, Some(next)) => format!("otherwise go on to question {next}."),
            (FormLanguage::En, None) => "otherwise leave this blank.".to_owned(),
        };
        match (FormLanguage::of(language), self.words(conditions, language)) {
            (FormLanguage::Zh, Some(words)) => {
                format!("{which}仅当{}时回答；{or_else}", spaced(words))
            }
            (FormLanguage::En, Some(words)) => format!("{which}Answer only if {words}; {or_else}"),
            (FormLanguage::Zh, None) => {
                let on = self.names_in(conditions, language);
                format!("{which}请按您对{on}的回答判断：适用于您的请回答；{or_else}")
            }
            (FormLanguage::En, None) => {
                let on = self.names_in(conditions, language);
                format!(
                    "{which}Answer if this applies to you, given your answer to {on}; {or_else}"
                )
            }
        }
    }

    /// The questions that conditions depend on.
    fn names_in(&self, conditions: &[&str], language: Language) -> String {
        let mut numbers: Vec<u32> = self
            .questions()
            .filter(|paper| {
                conditions.iter().any(|source| {
                    let is_part = |c: char| c.is_alphanumeric() || c == '_';
                    source.split(|c| !is_part(c)).any(|word| word == paper.item.id)
                })
            })
            .filter_map(|paper| paper.number)
            .collect();
        numbers.dedup();
        let listed: Vec<String> = numbers.iter().map(u32::to_string).collect();
        match FormLanguage::of(language) {
            FormLanguage::Zh => format!("第 {} 题", listed.join("、")),
            FormLanguage::En if listed.len() == 1 => format!("question {}", listed.join(", ")),
            FormLanguage::En => format!("questions {}", listed.join(", ")),
        }
    }

    /// Says conditions that must all hold; `None`: they cannot be said.
    fn words(&self, conditions: &[&str], language: Language) -> Option<String> {
        let mut all = Vec::new();
        for source in conditions {
            match self.simplified(&Expression::parse(source)?)? {
                Simplified::Always => {}
                // It is not printed at all.
                Simplified::Never => return None,
                Simplified::Depends(expression) => all.push(expression),
            }
        }
        let whole = match all.len() {
            0 => return None,
            1 => all.remove(0),
            _ => Expression::All(all),
        };
        self.say(&whole, language, false)
    }

    /// Decides the parts that depend on the case's facts.
    fn simplified(&self, expression: &Expression) -> Option<Simplified> {
        match expression {
            Expression::Compare { name, .. } | Expression::Contains { name, .. }
                if self.questionnaire.item(name).is_some() =>
            {
                Some(Simplified::Depends(expression.clone()))
            }
            Expression::Compare { name, comparison, value: Operand::Text(value) } => {
                let fact = match name.as_str() {
                    "category" => &self.facts.category,
                    "segment" => &self.facts.segment,
                    "mode" => &self.facts.mode,
                    _ => self.facts.fields.get(name)?,
                };
                match comparison {
                    Comparison::Equal => Some(Simplified::of(fact == value)),
                    Comparison::NotEqual => Some(Simplified::of(fact != value)),
                    _ => None,
                }
            }
            Expression::Compare { .. } | Expression::Contains { .. } => None,
            Expression::Not(inner) => Some(match self.simplified(inner)? {
                Simplified::Always => Simplified::Never,
                Simplified::Never => Simplified::Always,
                Simplified::Depends(inner) => Simplified::Depends(Expression::Not(inner.into())),
            }),
            Expression::All(parts) | Expression::Any(parts) => {
                let is_all = matches!(expression, Expression::All(_));
                let mut kept = Vec::new();
                for part in parts {
                    match self.simplified(part)? {
                        Simplified::Always if !is_all => return Some(Simplified::Always),
                        Simplified::Never if is_all => return Some(Simplified::Never),
                        Simplified::Always | Simplified::Never => {}
                        Simplified::Depends(part) => kept.push(part),
                    }
                }
                Some(match kept.len() {
                    0 => Simplified::of(is_all),
                    1 => Simplified::Depends(kept.remove(0)),
                    _ if is_all => Simplified::Depends(Expression::All(kept)),
                    _ => Simplified::Depends(Expression::Any(kept)),
                })
            }
        }
    }

    fn say(&self, expression: &Expression, language: Language, is_inner: bool) -> Option<String> {
        match expression {
            Expression::Compare { name, comparison, value } => {
                self.say_comparison(self.item(name)?, *comparison, value, language)
            }
            Expression::Contains { name, code } => {
                let paper = self.item(name)?;
                let digits = digits_of(paper, code)?;
                Some(chosen(paper.number?, &digits, true, language))
            }
            Expression::Not(inner) => self.say(&negated(inner)?, language, is_inner),
            Expression::All(parts) | Expression::Any(parts) => {
                let is_all = matches!(expression, Expression::All(_));
                let joined = match (is_all, FormLanguage::of(language)) {
                    (true, FormLanguage::Zh) => "且",
                    (false, FormLanguage::Zh) => "或",
                    (true, FormLanguage::En) => " and ",
                    (false, FormLanguage::En) => " or ",
                };
                let said: Option<Vec<String>> =
                    parts.iter().map(|part| self.say(part, language, true)).collect();
                let said = match FormLanguage::of(language) {
                    FormLanguage::Zh => {
                        let (last, before) = said.as_ref()?.split_last()?;
                        let mut text: String = before
                            .iter()
                            .map(|part| format!("{}{joined}", spaced(part.clone())))
                            .collect();
                        text.push_str(last);
                        text
                    }
                    FormLanguage::En => said?.join(joined),
                };
                Some(match (is_inner, FormLanguage::of(language)) {
                    (false, _) => said,
                    (true, FormLanguage::Zh) => format!("（{said}）"),
                    (true, FormLanguage::En) => format!("({said})"),
                })
            }
        }
    }

    fn say_comparison(
        &self,
        paper: &PaperItem<'_>,
        comparison: Comparison,
        value: &Operand,
        language: Language,
    ) -> Option<String> {
        let number = paper.number?;
        match (value, comparison) {
            (Operand::Nothing, Comparison::Equal | Comparison::NotEqual) => {
                let is_answered = comparison == Comparison::NotEqual;
                Some(match (FormLanguage::of(language), is_answered) {
                    (FormLanguage::Zh, true) => format!("第 {number} 题已答"),
                    (FormLanguage::Zh, false) => format!("第 {number} 题未答"),
                    (FormLanguage::En, true) => format!("you answered question {number}"),
                    (FormLanguage::En, false) => format!("you left question {number} blank"),
                })
            }
            (Operand::Text(code), Comparison::Equal | Comparison::NotEqual) => {
                let digits = digits_of(paper, code)?;
                Some(chosen(number, &digits, comparison == Comparison::Equal, language))
            }
            (Operand::Number(point), _) => Some(compared(number, comparison, point, language)),
            _ => None,
        }
    }
}

/// A blank between a digit and the Chinese word behind it.
fn spaced(text: String) -> String {
    if text.ends_with(|c: char| c.is_ascii_digit()) { text + " " } else { text }
}

/// The digits that stand beside an option, or beside a special answer.
fn digits_of(paper: &PaperItem<'_>, code: &str) -> Option<String> {
    let place = paper.options.iter().position(|option| option.code == code);
    if let Some(place) = place {
        return paper.option_digits().get(place).cloned();
    }
    let special = match code {
        Answer::NOT_APPLICABLE => SpecialAnswer::NotApplicable,
        Answer::DONT_KNOW => SpecialAnswer::DontKnow,
        Answer::REFUSED => SpecialAnswer::Refused,
        _ => return None,
    };
    paper.specials().into_iter().find(|(known, _)| *known == special).map(|(_, code)| code)
}

fn chosen(number: u32, digits: &str, is_chosen: bool, language: Language) -> String {
    match (FormLanguage::of(language), is_chosen) {
        (FormLanguage::Zh, true) => format!("第 {number} 题选 {digits}"),
        (FormLanguage::Zh, false) => format!("第 {number} 题未选 {digits}"),
        (FormLanguage::En, true) => format!("you chose {digits} in question {number}"),
        (FormLanguage::En, false) => format!("you did not choose {digits} in question {number}"),
    }
}

fn compared(number: u32, comparison: Comparison, value: &str, language: Language) -> String {
    let zh = match comparison {
        Comparison::Equal => format!("等于 {value}"),
        Comparison::NotEqual => format!("不是 {value}"),
        Comparison::Less => format!("小于 {value}"),
        Comparison::LessOrEqual => format!("为 {value} 或更小"),
        Comparison::Greater => format!("大于 {value}"),
        Comparison::GreaterOrEqual => format!("为 {value} 或更大"),
    };
    let en = match comparison {
        Comparison::Equal => format!("is {value}"),
        Comparison::NotEqual => format!("is not {value}"),
        Comparison::Less => format!("is below {value}"),
        Comparison::LessOrEqual => format!("is {value} or less"),
        Comparison::Greater => format!("is above {value}"),
        Comparison::GreaterOrEqual => format!("is {value} or more"),
    };
    match FormLanguage::of(language) {
        FormLanguage::Zh => format!("第 {number} 题的回答{zh}"),
        FormLanguage::En => format!("your answer to question {number} {en}"),
    }
}

enum Simplified {
    Always,
    Never,
    Depends(Expression),
}

impl Simplified {
    fn of(holds: bool) -> Simplified {
        if holds { Simplified::Always } else { Simplified::Never }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::questionnaire::{Questionnaire, RoutingFacts};

    fn instructions(file: &str, language: Language) -> Vec<String> {
        let questionnaire = Questionnaire::parse(file).unwrap_or_else(|e| panic!("{e}\n{file}"));
        let facts = RoutingFacts { mode: "paper".into(), ..RoutingFacts::default() };
        let form = PaperForm::of(&questionnaire, &facts, 1);
        form.instructions(language).into_iter().map(|instruction| instruction.text).collect()
    }

    /// enketo/enketo#83: on a printed form the questions with a condition look like all others.
    #[test]
    fn a_question_with_a_condition_says_who_answers_it_and_where_the_others_go_on() {
        let file = include_str!("../../../tests/fixtures/every_kind.toml");
        assert_eq!(
            instructions(file, Language::ZH),
            [
                "仅当第 2 题的回答为 2 或更小时回答；否则请转至第 6 题。",
                "仅当第 5 题选 1 时回答；否则请转至第 7 题。"
            ]
            .map(|text| text.replace("第 5 题选 1", &{
                let questionnaire = Questionnaire::parse(file).unwrap();
                let facts = RoutingFacts { mode: "paper".into(), ..RoutingFacts::default() };
                let form = PaperForm::of(&questionnaire, &facts, 1);
                format!("第 5 题选 {}", digits_of(form.item("why").unwrap(), "price").unwrap())
            }))
        );
        let english = instructions(file, Language::EN);
        assert_eq!(
            english[0],
            "Answer only if your answer to question 2 is 2 or less; otherwise go on to question 6."
        );
    }

    fn with_condition(condition: &str) -> String {
        format!(
            "code = \"c\"\nversion = 1\ntitle = {{ zh = \"题\", en = \"T\" }}\n\
             introduction = {{ zh = \"题\", en = \"T\" }}\n\
             scale = {{ from = 1, to = 10, low = {{ zh = \"差\", en = \"poor\" }}, high = {{ zh = \
             \"好\", en = \"good\" }} }}\n[[page]]\ntitle = {{ zh = \"题\", en = \"T\" }}\nitem = \
             [\n{{ id = \"use\", variable = \"USE\", type = \"single\", dont_know = true, core = \
             true, text = {{ zh = \"题\", en = \"T\" }}, options = [\n{{ code = \"daily\", text = \
             {{ zh = \"天\", en = \"D\" }} }}, {{ code = \"never\", text = {{ zh = \"不\", en = \
             \"N\" }} }} ] }},\n{{ id = \"sat\", variable = \"SAT\", latent = \"satisfaction\", type = \"scale\", text = {{ zh \
             = \"题\", en = \"T\" }} }},\n]\n[[page]]\ntitle = {{ zh = \"题\", en = \"T\" }}\nitem \
             = [\n{{ id = \"a\", variable = \"A\", latent = \"satisfaction\", type = \"scale\", show_if = \"{condition}\", \
             text = {{ zh = \"题\", en = \"T\" }} }},\n{{ id = \"b\", variable = \"B\", latent = \"satisfaction\", type = \"scale\", show_if = \"{condition}\", text = {{ zh = \"题\", en = \"T\" }} }},\n{{ id = \
             \"c\", variable = \"C\", latent = \"satisfaction\", type = \"scale\", text = {{ zh = \"题\", en = \"T\" }} }},\n]\n"
        )
    }

    #[test]
    fn conditions_are_said_with_numbers_and_digits_and_never_as_code() {
        let rest = "；否则请转至第 5 题。";
        for (condition, said) in [
            ("use == 'daily'", "仅当第 1 题选 1 时回答"),
            ("use != 'never'", "仅当第 1 题未选 2 时回答"),
            ("!(use == 'never')", "仅当第 1 题未选 2 时回答"),
            ("use == 'dk'", "仅当第 1 题选 98 时回答"),
            ("sat <= 4", "仅当第 2 题的回答为 4 或更小时回答"),
            ("sat != null", "仅当第 2 题已答时回答"),
            ("sat <= 4 && use == 'daily'", "仅当第 2 题的回答为 4 或更小且第 1 题选 1 时回答"),
            (
                "use == 'daily' && (sat < 3 || sat > 8)",
                "仅当第 1 题选 1且（第 2 题的回答小于 3或第 2 题的回答大于 8）时回答",
            ),
            ("mode == 'paper' && sat <= 4", "仅当第 2 题的回答为 4 或更小时回答"),
            ("!(sat <= 4)", "请按您对第 2 题的回答判断：适用于您的请回答"),
            ("sat + 1 > 4", "请按您对第 2 题的回答判断：适用于您的请回答"),
            ("size(use) > 1 && sat > 2", "请按您对第 1、2 题的回答判断：适用于您的请回答"),
        ] {
            let told = instructions(&with_condition(condition), Language::ZH);
            let squeezed = |text: &str| text.replace(' ', "");
            assert_eq!(told.len(), 1, "{condition}: {told:?}");
            assert_eq!(
                squeezed(&told[0]),
                squeezed(&format!("第 3 至 4 题：{said}{rest}")),
                "{condition}"
            );
            for code in ["==", "&&", "sat", "use", "size", "null"] {
                assert!(!told[0].contains(code), "{condition}: {}", told[0]);
            }
        }
    }
}
