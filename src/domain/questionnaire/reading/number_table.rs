//! What is read as a number, row by row. Rows with a source are reports of public survey and form
//! systems, or of the systems named there.

#![cfg(test)]

use crate::domain::language::Language;
use crate::domain::questionnaire::{Answer, AnswerProblem, Questionnaire, ReadingContext};

const FILE: &str = r#"
code = "numbers"
version = 1
title = { zh = "数", en = "Numbers" }
introduction = { zh = "数", en = "Numbers" }
[[page]]
title = { zh = "数", en = "Numbers" }
item = [
  { id = "count", variable = "A", type = "number", core = true, text = { zh = "多少？", en = "How many?" } },
  { id = "price", variable = "B", type = "number", decimals = 2, unit = { zh = "元", en = "yuan" }, text = { zh = "多少钱？", en = "How much?" } },
  { id = "age", variable = "C", type = "number", min = 0, max = 120, unit = { zh = "岁", en = "years" }, text = { zh = "年龄", en = "Age" } },
  { id = "hours", variable = "D", type = "number", decimals = 1, unit = { zh = "小时", en = "hours" }, text = { zh = "多久", en = "How long" } },
  { id = "days", variable = "E", type = "number", text = { zh = "用了多少天？", en = "For how many days?" } },
  { id = "fine", variable = "F", type = "number", decimals = 3, text = { zh = "几何", en = "How much" } },
  { id = "big", variable = "G", type = "number", min = 0, max = 99999999999999999, text = { zh = "多大", en = "How large" } },
]
"#;

/// Not read: asked again.
const AGAIN: Result<f64, AnswerProblem> = Err(AnswerProblem::OutOfRange);
const BEYOND: Result<f64, AnswerProblem> = Err(AnswerProblem::BeyondLimits);

type Row = (&'static str, &'static str, Result<f64, AnswerProblem>);

fn check(language: Language, rows: &[Row]) {
    let questionnaire = Questionnaire::parse(FILE).unwrap_or_else(|e| panic!("{e}"));
    let mut wrong = Vec::new();
    for (id, raw, expected) in rows {
        let item = questionnaire.item(id).unwrap();
        let read = match Answer::parse(item, Some(raw), ReadingContext::sample(language)) {
            Ok(Some(Answer::Number(number))) => Ok(number),
            Ok(_) => panic!("{id} «{raw}» is no number"),
            Err(problem) => Err(problem),
        };
        if read != *expected {
            wrong.push(format!("{id} «{raw}»: {read:?} instead of {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn marks_of_thousands_and_decimals() {
    let rows: &[Row] = &[
        ("count", "1299", Ok(1299.0)),
        ("count", "007", Ok(7.0)),
        ("count", "1299.", Ok(1299.0)),
        ("count", "1299。", Ok(1299.0)),
        ("count", "1,299", Ok(1299.0)),
        ("count", "1，299", Ok(1299.0)),
        ("price", "1,29", Ok(1.29)),
        ("price", "1299,50", Ok(1299.5)),
        ("price", "1299,5", Ok(1299.5)),
        ("price", "0,29", Ok(0.29)),
        ("fine", "0,299", Ok(0.299)),
        ("fine", "1234,567", Ok(1234.567)),
        ("price", "1,2995", AGAIN),
        ("count", "1,29", AGAIN),
        ("count", "1299,00", Ok(1299.0)),
        ("count", "1299.00", Ok(1299.0)),
        ("count", "12.5", AGAIN),
        ("count", "1.299", AGAIN),
        ("price", "1.299", AGAIN),
        ("price", "1.500", AGAIN),
        ("fine", "1.299", Ok(1.299)),
        ("fine", "1.500", Ok(1.5)),
        ("price", "1299.50", Ok(1299.5)),
        ("price", ".5", Ok(0.5)),
        ("price", ",5", AGAIN),
        ("price", "12.345", AGAIN),
        ("price", "1,299.50", Ok(1299.5)),
        ("price", "1.299,50", Ok(1299.5)),
        ("price", "1 299,50", Ok(1299.5)),
        ("price", "1'299.50", Ok(1299.5)),
        ("count", "1 299", Ok(1299.0)),
        ("count", "1\u{2009}299", Ok(1299.0)),
        ("count", "1\u{202f}299", Ok(1299.0)),
        ("count", "1\u{a0}299", Ok(1299.0)),
        ("count", "1’299", Ok(1299.0)),
        ("big", "1,299,500", Ok(1_299_500.0)),
        ("big", "1.299.500", Ok(1_299_500.0)),
        ("big", "1,00,000", Ok(100_000.0)),
        ("count", "1,29,5", AGAIN),
        ("count", "1.2.3", AGAIN),
        ("count", "1 2", AGAIN),
        ("count", "1, 299", AGAIN),
        ("count", "138 0013", AGAIN),
        ("count", "１２９９", Ok(1299.0)),
        ("price", "１，２９９．５", Ok(1299.5)),
        ("count", "1e3", AGAIN),
        ("count", "0x10", AGAIN),
        ("count", "(3)", AGAIN),
        ("count", "3²", AGAIN),
        ("count", "1½", AGAIN),
        ("count", "②", AGAIN),
        ("count", "3-5", AGAIN),
        ("count", "3~5", AGAIN),
        ("count", "3到5", AGAIN),
        ("count", "100多", AGAIN),
        ("count", "不到100", AGAIN),
        ("count", "一百以上", AGAIN),
        ("count", "几个", AGAIN),
        ("count", "abc", AGAIN),
        ("count", "NaN", AGAIN),
        ("count", "inf", AGAIN),
    ];
    check(Language::ZH, rows);
    check(Language::EN, rows);
}

#[test]
fn signs_units_and_words() {
    check(
        Language::ZH,
        &[
            ("count", "-3", Ok(-3.0)),
            ("count", "−3", Ok(-3.0)),
            ("count", "－3", Ok(-3.0)),
            ("count", "负3", Ok(-3.0)),
            ("count", "负三", Ok(-3.0)),
            ("count", "+3", Ok(3.0)),
            ("count", "- 3", AGAIN),
            ("count", "3-", AGAIN),
            ("count", "--3", AGAIN),
            ("count", "-0", Ok(0.0)),
            ("price", "-¥3", Ok(-3.0)),
            ("price", "¥-3", Ok(-3.0)),
            ("price", "1299元", Ok(1299.0)),
            ("price", "¥1,299", Ok(1299.0)),
            ("price", "￥1299.5", Ok(1299.5)),
            ("price", "1299块钱", Ok(1299.0)),
            ("price", "我花了1299元", Ok(1299.0)),
            ("price", "大概1200块吧", Ok(1200.0)),
            ("price", "$5", AGAIN),
            ("price", "5美元", AGAIN),
            ("price", "5角", AGAIN),
            ("price", "5分", AGAIN),
            ("price", "5次", AGAIN),
            ("age", "35岁", Ok(35.0)),
            ("age", "今年35岁", Ok(35.0)),
            ("age", "三十五岁", Ok(35.0)),
            ("age", "35周岁", Ok(35.0)),
            ("age", "35 years old", Ok(35.0)),
            ("age", "thirty-five", Ok(35.0)),
            ("age", "-1", BEYOND),
            ("age", "121", BEYOND),
            ("count", "3 次", Ok(3.0)),
            ("count", "３个", Ok(3.0)),
            ("count", "seven", Ok(7.0)),
            ("count", "5分钟", AGAIN),
            ("hours", "2小时", Ok(2.0)),
            ("hours", "2h", Ok(2.0)),
            ("hours", "两个半小时", Ok(2.5)),
            ("hours", "半小时", Ok(0.5)),
            ("hours", "30分钟", AGAIN),
            ("days", "10天", Ok(10.0)),
            ("days", "10个月", AGAIN),
            ("days", "一天半", AGAIN),
        ],
    );
}

#[test]
fn chinese_numerals_and_factors() {
    check(
        Language::ZH,
        &[
            ("count", "三", Ok(3.0)),
            ("count", "十", Ok(10.0)),
            ("count", "十二", Ok(12.0)),
            ("count", "二十", Ok(20.0)),
            ("count", "两百", Ok(200.0)),
            ("count", "兩百", Ok(200.0)),
            ("count", "一百二", Ok(120.0)),
            ("count", "一百零二", Ok(102.0)),
            ("count", "一百二十", Ok(120.0)),
            ("count", "一千二百", Ok(1200.0)),
            ("count", "一千零五十", Ok(1050.0)),
            ("count", "两万五", Ok(25_000.0)),
            ("count", "两万零五", Ok(20_005.0)),
            ("count", "叁佰", Ok(300.0)),
            ("count", "二〇二六", Ok(2026.0)),
            ("count", "三五", AGAIN),
            ("count", "七八个", AGAIN),
            ("count", "十百", AGAIN),
            ("count", "百", AGAIN),
            ("count", "一千千", AGAIN),
            ("count", "半", AGAIN),
            ("price", "半", Ok(0.5)),
            ("price", "三点五", Ok(3.5)),
            ("price", "三百块", Ok(300.0)),
            ("big", "1.2万", Ok(12_000.0)),
            ("big", "1，5万", Ok(15_000.0)),
            ("big", "3万5", Ok(35_000.0)),
            ("big", "3万5千", Ok(35_000.0)),
            ("big", "3万50", AGAIN),
            ("big", "1万2345", Ok(12_345.0)),
            ("big", "2百万", Ok(2_000_000.0)),
            ("big", "1,299万", Ok(12_990_000.0)),
            ("big", "1.5亿", Ok(150_000_000.0)),
            ("big", "3千", Ok(3000.0)),
            ("big", "3k", Ok(3000.0)),
            ("big", "3w", Ok(30_000.0)),
            ("big", "1.23456万", AGAIN),
            ("big", "一亿零三", Ok(100_000_003.0)),
        ],
    );
    check(Language::EN, &[("big", "3w", AGAIN), ("big", "3K", Ok(3000.0))]);
}

/// A number whose item has no limits is limited by what every file of the package holds.
#[test]
fn numbers_are_limited_by_the_formats() {
    check(
        Language::ZH,
        &[
            ("count", "999999", Ok(999_999.0)),
            ("count", "1000000", BEYOND),
            ("count", "-1000000", BEYOND),
            ("count", "100万", BEYOND),
            ("price", "999999.99", BEYOND),
            ("big", "999999999999999", Ok(999_999_999_999_999.0)),
            ("big", "9007199254740993", BEYOND),
            ("count", "99999999999999999999999999999999999999999999", AGAIN),
        ],
    );
}

#[test]
fn cases_from_public_reports() {
    check(
        Language::EN,
        &[
            // LimeSurvey #19677 (pull request 3941): the conversion of the comma fails.
            ("price", "3,5", Ok(3.5)),
            // LimeSurvey #10211 (pull request 412): thousands separator in a whole number.
            ("count", "12,345", Ok(12_345.0)),
            // LimeSurvey #19746 (pull request 3982): a mark at the end.
            ("price", "0,", Ok(0.0)),
            // surveyjs/survey-library 5612: «12,3» could not be converted.
            ("price", "12,3", Ok(12.3)),
            // surveyjs/survey-creator 1307: with a comma the value is lost.
            ("price", "0,75", Ok(0.75)),
            // kordan/moodle-mod_surveypro 483: two decimals after a comma.
            ("price", "12,34", Ok(12.34)),
            // getodk/collect 1715: languages with a point for thousands.
            ("big", "1.234.567", Ok(1_234_567.0)),
            // getodk/collect 5359: spaces counted as digits.
            ("count", "12 345", Ok(12_345.0)),
            // getodk/getodk 933: whole numbers of more than nine digits.
            ("big", "1234567890", Ok(1_234_567_890.0)),
            // kobotoolbox/kpi 2812: stored as 12345678901234568.
            ("big", "12345678901234567", BEYOND),
            // surveysolutions/surveysolutions 3306: fifteen digits are kept.
            ("big", "123456789012345", Ok(123_456_789_012_345.0)),
            // rawgraphs/rawgraphs-app 247: `1,045,442.22` is a number, and `1,23` no thousand.
            ("big", "1,045,442.00", Ok(1_045_442.0)),
            ("count", "1,23", AGAIN),
            // dannymcc/may 237: German amounts.
            ("price", "9,99", Ok(9.99)),
            ("price", "1.234,56", Ok(1234.56)),
            // protegeproject/webprotege 264: a number with a comma is no text.
            ("count", "7,825", Ok(7825.0)),
        ],
    );
}
