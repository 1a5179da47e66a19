//! The digits that stand on a form beside each option, and how staff key answers by them.

use super::PaperItem;
use crate::domain::questionnaire::{
    Answer, AnswerProblem, Choice, Item, ItemKind, ReadingContext, Selection,
};

/// The answers that say nothing about what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpecialAnswer {
    NotApplicable,
    DontKnow,
    Refused,
}

impl SpecialAnswer {
    /// The distance of its code from the highest one.
    fn below_highest(self) -> u64 {
        match self {
            SpecialAnswer::NotApplicable => 2,
            SpecialAnswer::DontKnow => 1,
            SpecialAnswer::Refused => 0,
        }
    }

    fn form(self, item: &Item) -> &'static str {
        match self {
            SpecialAnswer::NotApplicable => Answer::not_applicable_form(item),
            SpecialAnswer::DontKnow => Answer::dont_know_form(item),
            SpecialAnswer::Refused => Answer::refused_form(item),
        }
    }
}

impl PaperItem<'_> {
    /// Returns the special answers that the item offers, with their codes: 97 for «not applicable»,
    /// 98 for «don't know» and 99 for «rather not say», with more nines before them where a shorter
    /// code could be an answer.
    pub fn specials(&self) -> Vec<(SpecialAnswer, String)> {
        let highest = self.highest_special();
        let offered = [
            (SpecialAnswer::NotApplicable, self.item.not_applicable),
            (SpecialAnswer::DontKnow, self.item.dont_know),
            (SpecialAnswer::Refused, self.item.refused),
        ];
        let code = |special: SpecialAnswer| (highest - special.below_highest()).to_string();
        offered
            .into_iter()
            .filter(|(_, is_offered)| *is_offered)
            .map(|(special, _)| (special, code(special)))
            .collect()
    }

    fn highest_special(&self) -> u64 {
        let above = |highest_answer: f64| {
            let mut nines: u64 = 99;
            while ((nines - 2) as f64) <= highest_answer && nines < 999_999_999_999 {
                nines = nines * 10 + 9;
            }
            nines
        };
        match &self.item.kind {
            ItemKind::Scale(scale) => above(scale.to as f64),
            ItemKind::Number(range) => above(range.max.unwrap_or(1e9)),
            // With nine options, 97 could be the ninth and the seventh; 997 has a nine too many.
            ItemKind::Choice(Choice { selection, options, .. })
                if *selection != Selection::One && options.len() == 9 =>
            {
                999
            }
            ItemKind::Choice(choice) => above(choice.options.len() as f64),
            // A day has eight digits.
            ItemKind::Date { .. } | ItemKind::Info => 99,
            ItemKind::Open { .. } => 9_999,
        }
    }

    /// Returns the digits of each option, in printed order: two where there are more than nine and
    /// several are chosen or ranked, so that they can be keyed one behind the other.
    pub fn option_digits(&self) -> Vec<String> {
        let width = self.width();
        (1..=self.options.len()).map(|n| format!("{n:0width$}")).collect()
    }

    fn width(&self) -> usize {
        match &self.item.kind {
            ItemKind::Choice(choice) if choice.selection != Selection::One => {
                self.options.len().to_string().len()
            }
            _ => 1,
        }
    }

    /// Reads what was keyed for the item. `Ok(None)`: nothing was.
    ///
    /// # Errors
    ///
    /// The digits are none of those on the form, or no answer that the item takes.
    pub fn read(
        &self,
        keyed: &str,
        context: ReadingContext,
    ) -> Result<Option<Answer>, AnswerProblem> {
        let keyed = half_width(keyed.trim());
        if keyed.is_empty() {
            return Ok(None);
        }
        let special = self.specials().into_iter().find(|(_, code)| *code == keyed);
        if let Some((special, _)) = special {
            return Answer::parse(self.item, Some(special.form(self.item)), context);
        }
        let raw = match &self.item.kind {
            ItemKind::Choice(choice) => match choice.selection {
                Selection::One => self.option(&keyed)?.to_owned(),
                Selection::Several { .. } => self.several(&keyed)?,
                Selection::Ranked => self.ranks(&keyed)?,
            },
            ItemKind::Date { .. } => day(&keyed),
            _ => keyed,
        };
        Answer::parse(self.item, Some(&raw), context)
    }

    fn option(&self, digits: &str) -> Result<&str, AnswerProblem> {
        let place: usize = digits.parse().map_err(|_| AnswerProblem::OutOfRange)?;
        let option = place.checked_sub(1).and_then(|place| self.options.get(place));
        option.map(|option| option.code.as_str()).ok_or(AnswerProblem::OutOfRange)
    }

    /// Reads the digits of several options: one behind the other, or with blanks or commas between.
    fn several(&self, keyed: &str) -> Result<String, AnswerProblem> {
        let mut codes: Vec<&str> = Vec::new();
        for digits in self.numbers(keyed)? {
            let code = self.option(&digits)?;
            // Who keys an option twice has mistyped one of them.
            if codes.contains(&code) {
                return Err(AnswerProblem::OutOfRange);
            }
            codes.push(code);
        }
        Ok(codes.join(" "))
    }

    /// Reads the ranks that stand beside the options, in printed order.
    fn ranks(&self, keyed: &str) -> Result<String, AnswerProblem> {
        let ranks = self.numbers(keyed)?;
        if ranks.len() != self.options.len() {
            return Err(AnswerProblem::NotRanked);
        }
        let rank = |(option, rank): (&&crate::domain::questionnaire::ChoiceOption, &String)| {
            let rank: u32 = rank.parse().map_err(|_| AnswerProblem::NotRanked)?;
            Ok(format!("{}:{rank}", option.code))
        };
        let ranked: Result<Vec<String>, AnswerProblem> =
            self.options.iter().zip(&ranks).map(rank).collect();
        Ok(ranked?.join(" "))
    }

    fn numbers(&self, keyed: &str) -> Result<Vec<String>, AnswerProblem> {
        let is_separator = |c: char| c.is_whitespace() || [',', '，', '、', '.', ';'].contains(&c);
        let parts: Vec<&str> = keyed.split(is_separator).filter(|part| !part.is_empty()).collect();
        if parts.iter().any(|part| !part.bytes().all(|byte| byte.is_ascii_digit())) {
            return Err(AnswerProblem::OutOfRange);
        }
        if let [digits] = parts[..] {
            let width = self.width();
            // A single option of many may be keyed without its zero.
            if !digits.len().is_multiple_of(width) && digits.len() > 1 {
                return Err(AnswerProblem::OutOfRange);
            }
            return Ok(digits
                .as_bytes()
                .chunks(width)
                .map(|chunk| String::from_utf8_lossy(chunk).into_owned())
                .collect());
        }
        Ok(parts.into_iter().map(str::to_owned).collect())
    }
}

fn half_width(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '０'..='９' => char::from_digit(u32::from(c) - u32::from('０'), 10).unwrap_or(c),
            other => other,
        })
        .collect()
}

/// `20260513` as `2026-05-13`; anything else as it is.
fn day(keyed: &str) -> String {
    match keyed.len() == 8 && keyed.bytes().all(|byte| byte.is_ascii_digit()) {
        true => format!("{}-{}-{}", &keyed[..4], &keyed[4..6], &keyed[6..]),
        false => keyed.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::PaperForm;
    use super::*;
    use crate::domain::language::Language;
    use crate::domain::questionnaire::{Questionnaire, RoutingFacts};

    fn with_form<T>(case: i64, look: impl FnOnce(&PaperForm<'_>) -> T) -> T {
        let file = include_str!("../../../tests/fixtures/every_kind.toml");
        let questionnaire = Questionnaire::parse(file).unwrap();
        let facts = RoutingFacts {
            segment: "大业主".into(),
            mode: "paper".into(),
            ..RoutingFacts::default()
        };
        look(&PaperForm::of(&questionnaire, &facts, case))
    }

    #[test]
    fn digits_are_read_by_the_printed_form() {
        let context = ReadingContext::sample(Language::ZH);
        with_form(7, |form| {
            let read = |id: &str, keyed: &str| {
                form.item(id)
                    .unwrap()
                    .read(keyed, context)
                    .map(|answer| answer.and_then(|answer| answer.to_stored()))
            };
            for (id, keyed, stored) in [
                ("use", "2", "rarely"),
                ("use", " ３ ", "never"),
                ("sat1", "-3", "-3"),
                ("sat1", "98", "dk"),
                ("sat1", "99", "refused"),
                ("g1", "97", "na"),
                ("paid", "97", "97"),
                ("paid", "12.5", "12.5"),
                ("since", "20260228", "2026-02-28"),
                ("rank1", "213", "b a c"),
                ("rank1", "2 1 3", "b a c"),
            ] {
                assert_eq!(read(id, keyed), Ok(Some(stored.to_owned())), "{id} {keyed}");
            }
            for (id, keyed) in [
                ("use", "0"),
                ("use", "4"),
                ("use", "12"),
                ("use", "x"),
                ("sat1", "97"),
                ("why", "11"),
                ("why", "15"),
                ("rank1", "21"),
                ("rank1", "113"),
                ("since", "20260231"),
            ] {
                assert!(read(id, keyed).is_err(), "{id} {keyed}");
            }
            assert_eq!(read("use", " "), Ok(None));
        });
    }

    /// sdaps/sdaps#239: shuffled answers need a key for each version of the form.
    #[test]
    fn shuffled_options_are_keyed_by_the_order_of_the_case() {
        let context = ReadingContext::sample(Language::ZH);
        let mut orders = std::collections::BTreeSet::new();
        for case in 0..20 {
            with_form(case, |form| {
                let why = form.item("why").unwrap();
                let printed: Vec<&str> = why.options.iter().map(|o| o.code.as_str()).collect();
                assert_eq!(printed.last(), Some(&"none"), "the exclusive one stays last");
                let first = why.read("1", context).unwrap().unwrap();
                assert_eq!(first.to_stored().as_deref(), Some(printed[0]));
                orders.insert(printed.join(" "));
            });
        }
        assert!(orders.len() > 3, "{orders:?}");
    }

    #[test]
    fn no_special_code_can_be_an_answer() {
        let options = |count: usize| {
            let listed: Vec<String> = (1..=count)
                .map(|n| format!("{{ code = \"c{n}\", text = {{ zh = \"{n}\", en = \"{n}\" }} }}"))
                .collect();
            listed.join(", ")
        };
        for kind in ["single", "multiple", "rank"] {
            for count in [2, 8, 9, 10, 12] {
                let file = format!(
                    "code = \"c\"\nversion = 1\ntitle = {{ zh = \"题\", en = \"T\" }}\n\
                     introduction = {{ zh = \"题\", en = \"T\" }}\n[[page]]\ntitle = {{ zh = \
                     \"题\", en = \"T\" }}\nitem = [\n{{ id = \"k\", variable = \"K\", type = \
                     \"text\", core = true, text = {{ zh = \"题\", en = \"T\" }} }},\n{{ id = \
                     \"c\", variable = \"C\", type = \"{kind}\", not_applicable = true, \
                     dont_know = true, refused = true, text = {{ zh = \"题\", en = \"T\" }}, \
                     options = [{}] }},\n]\n",
                    options(count)
                );
                let questionnaire = Questionnaire::parse(&file).unwrap_or_else(|e| panic!("{e}"));
                let facts = RoutingFacts::default();
                let form = PaperForm::of(&questionnaire, &facts, 1);
                let item = form.item("c").unwrap();
                let context = ReadingContext::sample(Language::ZH);
                let stored = |keyed: &str| {
                    item.read(keyed, context).unwrap().and_then(|answer| answer.to_stored())
                };
                let codes: Vec<String> = item.specials().into_iter().map(|(_, c)| c).collect();
                let read: Vec<_> = codes.iter().map(|code| stored(code).unwrap()).collect();
                assert_eq!(read, ["na", "dk", "refused"], "{kind} {count} {codes:?}");
                let digits = item.option_digits();
                assert!(codes.iter().all(|code| !digits.contains(code)), "{kind} {count}");
                let last = match kind {
                    "rank" => digits.concat(),
                    _ => digits.last().unwrap().clone(),
                };
                assert!(stored(&last).is_some_and(|s| s.contains('c')), "{kind} {count} {last}");
                if kind == "multiple" {
                    let two = format!("{}{}", digits[0], digits[count - 1]);
                    assert_eq!(stored(&two), Some(format!("c1 c{count}")), "{kind} {count}");
                }
            }
        }
    }
}
