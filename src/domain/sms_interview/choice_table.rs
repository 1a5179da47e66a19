//! What replies to choices mean, row by row. Rows with a source are reports of public systems.

#![cfg(test)]

use super::{ParsedReply, parse_reply};
use crate::domain::language::Language;
use crate::domain::questionnaire::{ChoiceOption, ItemKind, Questionnaire, ReadingContext};

/// Reads replies to a choice, and returns the codes (a ranking as `code:place`).
fn check(kind: &str, options: &[(&str, &str)], rows: &[(&str, &str)]) {
    let listed: Vec<String> = options
        .iter()
        .zip(1..)
        .map(|((zh, en), n)| {
            format!("{{ code = \"o{n}\", text = {{ zh = \"{zh}\", en = \"{en}\" }} }}")
        })
        .collect();
    let file = format!(
        "code = \"c\"\nversion = 1\ntitle = {{ zh = \"题\", en = \"T\" }}\n\
         introduction = {{ zh = \"题\", en = \"T\" }}\n[[page]]\ntitle = {{ zh = \"题\", en = \
         \"T\" }}\nitem = [\n{{ id = \"k\", variable = \"K\", type = \"text\", core = true, \
         text = {{ zh = \"题\", en = \"T\" }} }},\n{{ id = \"c\", variable = \"C\", type = \
         \"{kind}\", required = false, dont_know = true, text = {{ zh = \"题\", en = \"T\" }}, \
         options = [{}] }},\n]\n",
        listed.join(", ")
    );
    let questionnaire = Questionnaire::parse(&file).unwrap_or_else(|e| panic!("{e}\n{file}"));
    let item = questionnaire.item("c").unwrap();
    let ItemKind::Choice(choice) = &item.kind else { unreachable!() };
    let choices: Vec<&ChoiceOption> = choice.options.iter().collect();
    let mut wrong = Vec::new();
    for (text, expected) in rows {
        let read = match parse_reply(item, &choices, text, ReadingContext::sample(Language::ZH)) {
            ParsedReply::Answer(codes) => codes,
            other => format!("{other:?}"),
        };
        if read != *expected {
            wrong.push(format!("«{text}»: {read} instead of {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_items_own_options_come_before_general_words() {
    check(
        "single",
        &[("有", "yes"), ("没有", "no")],
        &[
            ("没有", "o2"),
            ("没有。", "o2"),
            ("沒有", "o2"),
            ("没", "o2"),
            ("无", "o2"),
            ("有的", "o1"),
            ("no", "o2"),
            ("Yes!", "o1"),
            ("1", "o1"),
            ("跳过", "Skip"),
            ("不知道", "dk"),
            ("有没有", "Unclear"),
            ("3", "Unclear"),
            ("-1", "Unclear"),
        ],
    );
    check(
        "single",
        &[("满意", "Satisfied"), ("不满意", "Dissatisfied"), ("不知道", "No idea")],
        &[
            ("满意", "o1"),
            ("很满意", "o1"),
            ("很不满意", "o2"),
            ("不太满意", "Unclear"),
            ("不知道", "o3"),
            ("滿意", "o1"),
            ("satisfied", "o1"),
            ("not satisfied", "Unclear"),
            // The «no» that is in «know» (a usual trap of keyword matching).
            ("I know", "Unclear"),
            ("２", "o2"),
            ("②", "o2"),
            ("第一个", "o1"),
            ("第二", "o2"),
            ("选2", "o2"),
            ("我选2吧", "o2"),
            ("2号", "o2"),
            ("two", "o2"),
            ("option 2", "o2"),
            ("No. 2", "o2"),
            ("2.不满意", "o2"),
            ("2不满意", "o2"),
            ("1不满意", "Unclear"),
            ("satisfied 2", "Unclear"),
            ("1 2", "Unclear"),
            ("12", "Unclear"),
            ("1到2", "Unclear"),
            ("没有", "Skip"),
            // smartchicago/kimball 124: only a letter is wanted.
            ("B", "o2"),
            ("b)", "o2"),
        ],
    );
}

const REASONS: [(&str, &str); 4] =
    [("价格", "Price"), ("质量", "Quality"), ("售后服务", "After-sales"), ("其他", "Other")];

#[test]
fn several_options_are_read_in_their_usual_spellings() {
    check(
        "multiple",
        &REASONS,
        &[
            ("1、3", "o1 o3"),
            ("1 3", "o1 o3"),
            ("13", "o1 o3"),
            ("1和3", "o1 o3"),
            ("1,3", "o1 o3"),
            ("1，3", "o1 o3"),
            ("1.3", "o1 o3"),
            ("①③", "o1 o3"),
            ("一、三", "o1 o3"),
            ("A C", "o1 o3"),
            ("a,c", "o1 o3"),
            ("1 and 3", "o1 o3"),
            ("第一个和第三个", "o1 o3"),
            ("价格、质量", "o1 o2"),
            ("价格和质量都不行", "o1 o2"),
            ("價格", "o1"),
            ("服务", "o3"),
            ("1-3", "Unclear"),
            ("1到3", "Unclear"),
            ("15", "Unclear"),
            ("1 5", "Unclear"),
            ("11", "Unclear"),
            ("bad", "Unclear"),
            // thecartercenter/nemo 193: commas and spaces between options.
            ("1, 2,4", "o1 o2 o4"),
            // instedd/surveda 19: digits or words.
            ("price, 2", "o1 o2"),
        ],
    );
    let many: Vec<(String, String)> =
        (1..=13).map(|n| (format!("第{n}种情况"), format!("Case {n}"))).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(zh, en)| (zh.as_str(), en.as_str())).collect();
    check("multiple", &many, &[("13", "o13"), ("1 3", "o1 o3"), ("123", "Unclear")]);
    check("multiple", &many[..12], &[("13", "o1 o3"), ("12", "o12"), ("123", "Unclear")]);
    check(
        "multiple",
        &[("A. 价格", "A. Price"), ("B. 质量", "B. Quality"), ("C. 服务", "C. Service")],
        &[("AC", "o1 o3"), ("b", "o2"), ("价格", "o1"), ("B质量", "o2"), ("AD", "Unclear")],
    );
    // The text of an option is another option's number.
    check("single", &[("0", "0"), ("1", "1"), ("2", "2")], &[("1", "Unclear"), ("0", "o1")]);
}

#[test]
fn ranks_are_read_in_their_usual_spellings() {
    check(
        "rank",
        &REASONS[..3],
        &[
            ("3>1>2", "o3:1 o1:2 o2:3"),
            ("3＞1＞2", "o3:1 o1:2 o2:3"),
            ("3 1 2", "o3:1 o1:2 o2:3"),
            ("312", "o3:1 o1:2 o2:3"),
            ("3、1、2", "o3:1 o1:2 o2:3"),
            ("三一二", "Unclear"),
            ("质量>价格>售后服务", "o2:1 o1:2 o3:3"),
            ("3 1", "Unclear"),
            ("3 1 1", "Unclear"),
            ("价格", "Unclear"),
        ],
    );
}
