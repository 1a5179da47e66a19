//! What is read as a day, row by row. Today is Wednesday, 20 May 2026.

#![cfg(test)]

use chrono::NaiveDate;

use super::{ReadingContext, read_date};
use crate::domain::language::Language;
use crate::domain::questionnaire::AnswerProblem;

/// Not read: asked again.
const AGAIN: &str = "again";
const BEYOND: &str = "beyond";

fn check(language: Language, limits: (Option<&str>, Option<&str>), rows: &[(&str, &str)]) {
    let day = |raw: Option<&str>| raw.map(|raw| raw.parse::<NaiveDate>().unwrap());
    let limits = (day(limits.0), day(limits.1));
    let mut wrong = Vec::new();
    for (raw, expected) in rows {
        let read = match read_date(limits, raw, ReadingContext::sample(language)) {
            Ok(day) => day.to_string(),
            Err(AnswerProblem::BeyondLimits) => BEYOND.to_owned(),
            Err(_) => AGAIN.to_owned(),
        };
        if read != *expected {
            wrong.push(format!("«{raw}» ({language}): {read} instead of {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn days_with_a_year() {
    let rows = [
        ("2026-05-05", "2026-05-05"),
        ("2026.5.5", "2026-05-05"),
        ("2026/5/13", "2026-05-13"),
        ("2026 5 13", "2026-05-13"),
        ("20260513", "2026-05-13"),
        ("２０２６－０５－１３", "2026-05-13"),
        ("2026年5月5日", "2026-05-05"),
        ("2026年5月5号。", "2026-05-05"),
        ("2026 年 5 月 5 日", "2026-05-05"),
        ("二〇二六年五月五日", "2026-05-05"),
        ("二零二五年十二月三十一日", "2025-12-31"),
        ("26年5月13日", "2026-05-13"),
        ("98年5月13日", "1998-05-13"),
        ("去年5月13日", "2025-05-13"),
        ("今年五月十三号", "2026-05-13"),
        ("13/5/2026", "2026-05-13"),
        ("5/13/2026", "2026-05-13"),
        ("5/5/2026", "2026-05-05"),
        ("5 May 2026", "2026-05-05"),
        ("May 5, 2026", "2026-05-05"),
        ("5th of May 2026", "2026-05-05"),
        ("13-Sept-2025", "2025-09-13"),
        ("2024-02-29", "2024-02-29"),
        ("2026-02-29", AGAIN),
        ("2026-02-30", AGAIN),
        ("2026-13-01", AGAIN),
        ("13/13/2026", AGAIN),
        ("20261305", AGAIN),
        ("13052026", AGAIN),
        ("260513", AGAIN),
        ("0513", AGAIN),
        ("26-5-13", AGAIN),
        ("2026年5月", AGAIN),
        ("2026", AGAIN),
        ("2026-5", AGAIN),
        ("2026-05.13", AGAIN),
        ("2026-05-13-1", AGAIN),
        ("May 2026", AGAIN),
        ("上周五", AGAIN),
        ("last Friday", AGAIN),
        ("农历五月初五", AGAIN),
        ("不记得", AGAIN),
    ];
    check(Language::ZH, (None, None), &rows);
    check(Language::EN, (None, None), &rows);
}

#[test]
fn the_order_of_day_and_month_is_that_of_the_language() {
    let both = [
        ("5/5", "2026-05-05"),
        ("5月5日", "2026-05-05"),
        ("５月５日", "2026-05-05"),
        ("五月五号", "2026-05-05"),
        ("十二月三十一日", "2025-12-31"),
        ("5.13", "2026-05-13"),
        ("5-13", "2026-05-13"),
        ("13/5", "2026-05-13"),
        ("May 5", "2026-05-05"),
        ("13号", AGAIN),
        ("今天", "2026-05-20"),
        ("昨天", "2026-05-19"),
        ("是昨天", "2026-05-19"),
        ("前天", "2026-05-18"),
        ("大前天", "2026-05-17"),
        ("明天", "2026-05-21"),
        ("Yesterday", "2026-05-19"),
        ("today.", "2026-05-20"),
        ("ｔｏｄａｙ", "2026-05-20"),
    ];
    check(Language::ZH, (None, None), &both);
    check(Language::EN, (None, None), &both);
    check(
        Language::ZH,
        (None, None),
        &[("3/4", "2026-03-04"), ("04/05/2026", "2026-04-05"), ("12.1.2009", "2009-12-01")],
    );
    check(
        Language::EN,
        (None, None),
        &[("3/4", AGAIN), ("04/05/2026", AGAIN), ("12.1.2009", AGAIN), ("4.5.", AGAIN)],
    );
}

#[test]
fn the_year_that_is_left_out_fits_the_item() {
    // Without limits, and with a first day only: not in the future.
    check(Language::ZH, (None, None), &[("5/20", "2026-05-20"), ("5/21", "2025-05-21")]);
    check(
        Language::ZH,
        (Some("2000-01-01"), None),
        &[("6/1", "2025-06-01"), ("2月29日", "2024-02-29"), ("1999-12-31", BEYOND)],
    );
    // An appointment: only days to come are taken.
    check(
        Language::ZH,
        (Some("2026-05-20"), None),
        &[("6/1", "2026-06-01"), ("5/1", "2027-05-01")],
    );
    // With a last day: the nearest one within the limits.
    check(
        Language::ZH,
        (Some("2025-01-01"), Some("2026-12-31")),
        &[("6/1", "2026-06-01"), ("1/1", "2026-01-01"), ("12/31", "2025-12-31")],
    );
    check(
        Language::ZH,
        (Some("2026-01-01"), Some("2026-05-20")),
        &[("5/5", "2026-05-05"), ("6/1", BEYOND), ("明天", BEYOND), ("2月30日", AGAIN)],
    );
}

#[test]
fn cases_from_public_reports() {
    check(
        Language::EN,
        (None, None),
        &[
            // dimagi/commcare-hq 12820: dates by SMS only as YYYYMMDD.
            ("20160815", "2016-08-15"),
            // gbif/pipelines 228: DD/MM or MM/DD with both up to 12 cannot be interpreted.
            ("03/02/2019", AGAIN),
            // cutright/IMRT-QA-Data-Miner 19: the same.
            ("3/2/2020", AGAIN),
            // araddon/dateparse 91: the form with points is as ambiguous.
            ("12.1.2009", AGAIN),
            // zenmoney/sms-formats 1093: years of two digits.
            ("05/08/26", AGAIN),
        ],
    );
}
