#![cfg(test)]
//! A translated condition holds for the same answers as the form's.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::evaluate::{Known, evaluate};
use super::super::expression::parse;
use super::super::scope::{AnswerKind, Answers, Code};
use super::super::simplify::simplify;
use super::CelWriter;
use crate::domain::questionnaire::{Answer, Questionnaire, RoutingFacts};

/// Items with their possible answers as they are stored.
const ITEMS: [(&str, &str, &[&str]); 8] = [
    ("use", "single", &["daily", "weekly", "never"]),
    ("q", "single", &["1", "2", "10"]),
    ("why", "multiple", &["price", "service", "other"]),
    ("order", "rank", &["a", "b"]),
    ("n", "number", &["0", "1", "3", "4", "7"]),
    ("m", "number", &["0", "2", "3", "-5"]),
    ("w", "number", &["0.5", "3", "3.75", "10"]),
    ("day", "date", &["2026-04-30", "2026-05-01", "2026-12-31"]),
];

const TESTS: [&str; 36] = [
    "${use} = 'daily'",
    "${use} != 'never'",
    "'weekly' = ${use}",
    "${use} = ''",
    "${use} != ''",
    "${use}",
    "selected(${use}, 'daily')",
    "regex(${use}, 'd.*')",
    "string-length(${use}) > 5",
    "contains(${use}, 'ly')",
    "coalesce(${use}, 'never') = 'never'",
    "selected(${why}, 'price')",
    "count-selected(${why}) > 1",
    "count-selected(${why}) >= 1",
    "count-selected(${why}) = 0",
    "count-selected(${why}) != 2",
    "${why} = ''",
    "selected-at(${order}, 0) = 'a'",
    "selected-at(${order}, 1) != 'a'",
    "${n} > 3",
    "${n} <= 3",
    "${n} != 3",
    "${n} = ''",
    "${n} = ${m}",
    "${n} != ${m}",
    "${n} < ${m}",
    "${n} + ${m} >= 5",
    "${n} - (${m} - 2) != 4",
    "${n} mod 2 = 1",
    "${w} * 2 > ${n}",
    "${w} div 2 <= 1.5",
    "${q} >= 2",
    "${q} + ${n} > 4",
    "if(${n} > 3, 'a', if(${use} = 'daily', 'b', 'c')) = 'b'",
    "${day} >= '2026-05-01'",
    "date('2026-06-01') > ${day}",
];

fn condition() -> impl Strategy<Value = String> {
    let test = prop::sample::select(TESTS.as_slice()).prop_map(str::to_owned);
    test.prop_recursive(4, 16, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) and ({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) or ({b})")),
            inner.clone().prop_map(|a| format!("not({a})")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("if({a}, {b}, not({b}))")),
        ]
    })
}

fn known_answers() -> Answers {
    let codes = |codes: &[&str]| {
        let code = |code: &&str| Code { theirs: (*code).into(), ours: (*code).into() };
        codes.iter().map(code).collect()
    };
    let kind = |(id, word, values): &(&str, &str, &[&str])| {
        let kind = match *word {
            "single" => AnswerKind::One(codes(values)),
            "multiple" => AnswerKind::Several(codes(values)),
            "rank" => AnswerKind::Ranked(codes(values)),
            "date" => AnswerKind::Date,
            _ => AnswerKind::Number { is_whole: *id != "w", max: None },
        };
        ((*id).to_owned(), kind)
    };
    ITEMS.iter().map(kind).collect()
}

fn questionnaire(show_if: &str) -> Questionnaire {
    let text = "{ zh = \"问\", en = \"Q\" }";
    let mut items = String::new();
    for (id, word, values) in ITEMS {
        let options: String =
            values.iter().map(|code| format!("{{ code = \"{code}\", text = {text} }}, ")).collect();
        let own = match word {
            "number" => "decimals = 2\nmin = -99\nmax = 99\n".to_owned(),
            "date" => String::new(),
            _ => format!("options = [{options}]\n"),
        };
        let core = if id == "use" { "core = true" } else { "required = false" };
        items.push_str(&format!(
            "[[page.item]]\nid = \"{id}\"\nvariable = \"{id}\"\ntype = \"{word}\"\n{own}{core}\n\
             text = {text}\n"
        ));
    }
    let file = format!(
        "code = \"t\"\nversion = 1\ntitle = {text}\nintroduction = {text}\n[[page]]\ntitle = {text}\n\
         {items}[[page]]\ntitle = {text}\n[[page.item]]\nid = \"then\"\ntype = \"info\"\n\
         text = {text}\nshow_if = {show_if:?}\n"
    );
    Questionnaire::parse(&file).unwrap_or_else(|error| panic!("{show_if}: {error}"))
}

/// The answers of one respondent: for each item one of its values, several, or none.
fn answers() -> impl Strategy<Value = BTreeMap<&'static str, String>> {
    let choices = ITEMS.map(|(_, _, values)| (0..=values.len(), any::<bool>()));
    Vec::from(choices).prop_map(|picked| {
        let mut answers = BTreeMap::new();
        for ((id, word, values), (place, is_more)) in ITEMS.iter().zip(picked) {
            let Some(value) = values.get(place) else { continue };
            let answer = match *word {
                "multiple" if is_more => values[place..].join(" "),
                "rank" if is_more => values.iter().rev().copied().collect::<Vec<_>>().join(" "),
                "rank" => values.join(" "),
                _ => (*value).to_owned(),
            };
            answers.insert(*id, answer);
        }
        answers
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn a_translated_condition_holds_for_the_same_answers(
        xpath in condition(),
        respondents in prop::collection::vec(answers(), 12),
    ) {
        let parsed = parse(&xpath).unwrap();
        let known = known_answers();
        let cel = CelWriter::new(&known).condition(&simplify(parsed.clone()).unwrap());
        let cel = cel.unwrap_or_else(|problem| panic!("{xpath}: {problem}"));
        let questionnaire = questionnaire(&cel);
        for stored in respondents {
            let theirs = Known {
                name: &|name| Some(stored.get(name).cloned().unwrap_or_default()),
                current: None,
                column: &|_| None,
            };
            let expected = evaluate(&parsed, &theirs).unwrap().is_true();
            let given: BTreeMap<String, Answer> = stored
                .iter()
                .map(|(id, raw)| {
                    let item = questionnaire.item(id).unwrap();
                    ((*id).to_owned(), Answer::from_stored(item, raw).unwrap())
                })
                .collect();
            let facts = RoutingFacts::default();
            let is_asked = questionnaire.path(&given, &facts).includes("then");
            prop_assert_eq!(is_asked, expected, "{} as {} with {:?}", xpath, cel, stored);
        }
    }
}
