//! Says in which form an item wants its answer, with an example.

use chrono::NaiveDate;

use super::super::{Item, ItemKind};
use super::number::bounds;
use crate::domain::words::{Words, fill};

/// Returns the wanted form of a number or a day, with its limits and an example; `None` for items
/// whose form is on display (scales, options, free text).
pub fn wanted_form(item: &Item, words: &Words) -> Option<String> {
    let words = &words.form;
    match &item.kind {
        ItemKind::Number(range) => {
            let (least, most) = bounds(range);
            let example = example_number(least, most, range.decimals);
            let text = if range.decimals == 0 { &words.whole } else { &words.decimal };
            let values = [
                ("least", least.to_string()),
                ("most", most.to_string()),
                ("decimals", range.decimals.to_string()),
                ("example", example),
            ];
            Some(fill(text, &values.each_ref().map(|(name, value)| (*name, value.as_str()))))
        }
        ItemKind::Date { first, last } => {
            let text = match (first, last) {
                (Some(_), Some(_)) => &words.day_between,
                (Some(_), None) => &words.day_from,
                (None, Some(_)) => &words.day_until,
                (None, None) => &words.day,
            };
            let shown =
                |day: &Option<NaiveDate>| day.map(|day| day.to_string()).unwrap_or_default();
            let (first_day, last_day) = (shown(first), shown(last));
            let example = example_day(*first, *last).to_string();
            Some(fill(text, &[("first", &first_day), ("last", &last_day), ("example", &example)]))
        }
        _ => None,
    }
}

/// A plain number within the limits, with decimals where they are taken.
fn example_number(least: f64, most: f64, decimals: u32) -> String {
    let fraction = match decimals {
        0 => 0.0,
        1 => 0.5,
        _ => 0.25,
    };
    let fits = |n: &f64| (least..=most).contains(n);
    let candidates = [1_200.0, 120.0, 35.0, 12.0, 3.0, 1.0, 0.0];
    let with_fraction = candidates.into_iter().map(|n| n + fraction).find(fits);
    with_fraction.or(candidates.into_iter().find(fits)).unwrap_or(least).to_string()
}

fn example_day(first: Option<NaiveDate>, last: Option<NaiveDate>) -> NaiveDate {
    let usual = NaiveDate::from_ymd_opt(2026, 5, 13).unwrap_or_default();
    match (first, last) {
        (Some(first), _) if usual < first => first,
        (_, Some(last)) if usual > last => last,
        _ => usual,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::language::Language;
    use crate::domain::questionnaire::Questionnaire;

    #[test]
    fn the_wanted_form_names_limits_and_an_example() {
        let questionnaire =
            Questionnaire::parse(include_str!("../../../../tests/fixtures/every_kind.toml"))
                .unwrap();
        let form =
            |id: &str, language| wanted_form(questionnaire.item(id).unwrap(), Words::of(language));
        assert_eq!(
            form("paid", Language::ZH).unwrap(),
            "0至100000之间的数字，小数至多2位，如1200.25"
        );
        assert_eq!(
            form("since", Language::EN).unwrap(),
            "a day from 2000-01-01 on, such as 2026-05-13 (year-month-day)"
        );
        assert_eq!(form("use", Language::ZH), None);
        assert_eq!(example_number(1.0, 5.0, 0), "3");
        assert_eq!(example_number(500.0, 600.0, 0), "500");
    }
}
