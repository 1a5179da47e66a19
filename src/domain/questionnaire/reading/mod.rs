//! Reads answers as people write them: numbers, days, and the options that a reply names.
//!
//! The functions are pure and serve the web pages, replies by SMS and the interviewer's form alike.
//! An ambiguous answer is not read, and the item is asked again with [`wanted_form`].

mod choice;
mod date;
mod date_table;
mod number;
mod number_table;
mod numerals;
mod wanted_form;

use chrono::NaiveDate;
use unicode_normalization::UnicodeNormalization;

use crate::domain::language::Language;

pub use choice::{OptionReading, read_exact_option, read_options};
pub(super) use date::read_date;
pub(super) use number::{read_number, read_whole};
pub use numerals::read_numeral;
pub use wanted_form::wanted_form;

/// What the reading depends on besides the item.
#[derive(Debug, Clone, Copy)]
pub struct ReadingContext {
    /// The respondent's day, by which «yesterday» and days without a year are reckoned.
    pub today: NaiveDate,
    /// The language of the interview: it decides the order of day and month.
    pub language: Language,
}

/// Converts to half width and lower case, and trims.
pub fn folded(text: &str) -> String {
    text.nfkc().collect::<String>().to_lowercase().trim().to_owned()
}

/// Returns the letters and digits of a text, folded, with simplified characters.
pub fn squashed(text: &str) -> String {
    /// Traditional characters that are frequent in options, each before its simplified form.
    const SIMPLIFIED: &str = "沒没無无價价質质務务滿满產产較较會会買买說说時时間间經经過过個个\
        點点貴贵壞坏歲岁實实體体總总為为從从來来對对選选項项還还與与門门問问題题員员網网電电話话\
        親亲車车號号應应該该長长開开關关東东見见";
    let simplified = |c: char| {
        let mut pairs = SIMPLIFIED.chars().step_by(2).zip(SIMPLIFIED.chars().skip(1).step_by(2));
        pairs.find(|(traditional, _)| *traditional == c).map_or(c, |(_, simple)| simple)
    };
    folded(text).chars().filter(|c| c.is_alphanumeric()).map(simplified).collect()
}

#[cfg(test)]
impl ReadingContext {
    /// Wednesday, 20 May 2026.
    pub fn sample(language: Language) -> ReadingContext {
        ReadingContext { today: NaiveDate::from_ymd_opt(2026, 5, 20).unwrap(), language }
    }
}
