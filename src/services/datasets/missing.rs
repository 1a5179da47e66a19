//! Why a cell of an item holds no answer, and the codes for it.
//!
//! No answer can be such a code: option codes take no point, numbers and days are no words, and an
//! open answer that reads like one is marked (see [`text_cell`]).

use std::borrow::Cow;

use crate::adapters::transports::csv_safe_cell;

/// The edition of the rules that a version is frozen by. Versions of an earlier edition are written
/// by its rules for ever.
///
/// 1: `NA` and `DK`, an empty cell for all other reasons. 2: a code for each reason. 3: a dead or
/// wrong number leaves eligibility unknown (3.3x), a field that closes changes nobody's outcome, and
/// attempts count contacts ([`disposition_codes`](super::disposition_codes)). 4: speeding by mode and
/// reading time, straight lines by run and spread, duplicates, clusters, decisions about responses,
/// weights and precision, how each answer was entered, the place in the link's bundle, panels.
pub const CURRENT_RULES: u32 = 4;
/// The first edition with weights and precision.
pub const WEIGHTS_FROM: u32 = 4;
/// The first edition that says how each answer was entered.
pub const ANSWERS_FROM: u32 = 4;
/// The first edition with SPSS files and a DDI codebook.
pub const SPSS_AND_DDI_FROM: u32 = 4;

/// The reason for which an item has no answer in a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MissingReason {
    /// The item is not on the respondent's path.
    NotAsked,
    /// The respondent broke off before it.
    NotReached,
    /// It was shown and left without an answer.
    Skipped,
    /// It was answered, and the answer is not handed out: open answers by the configuration, or one
    /// that a reviewer struck out.
    Withheld,
    NotApplicable,
    DontKnow,
    /// The respondent would rather not say.
    Refused,
}

impl MissingReason {
    /// In their order; formats that number them count from the end, so a new one stands first.
    pub const ALL: [MissingReason; 7] = [
        MissingReason::Refused,
        MissingReason::NotAsked,
        MissingReason::NotReached,
        MissingReason::Skipped,
        MissingReason::Withheld,
        MissingReason::NotApplicable,
        MissingReason::DontKnow,
    ];

    /// Returns the reason as a name, for formats that hold it beside the value.
    pub fn name(self) -> &'static str {
        match self {
            MissingReason::NotAsked => "not_asked",
            MissingReason::NotReached => "not_reached",
            MissingReason::Skipped => "skipped",
            MissingReason::Withheld => "withheld",
            MissingReason::NotApplicable => "not_applicable",
            MissingReason::DontKnow => "dont_know",
            MissingReason::Refused => "refused",
        }
    }

    /// Returns the reason in Chinese and English.
    pub fn label(self) -> &'static str {
        match self {
            MissingReason::NotAsked => "按跳转未问 not asked",
            MissingReason::NotReached => "未答到此题 not reached",
            MissingReason::Skipped => "未作答 skipped",
            MissingReason::Withheld => "不对外提供 withheld",
            MissingReason::NotApplicable => "不适用 not applicable",
            MissingReason::DontKnow => "不知道 don't know",
            MissingReason::Refused => "拒答 refused",
        }
    }
}

/// The codes of an edition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingCodes {
    is_first_edition: bool,
    has_refused: bool,
}

impl MissingCodes {
    pub fn of_rules(version: u32) -> MissingCodes {
        MissingCodes { is_first_edition: version < 2, has_refused: version >= 4 }
    }

    /// Returns the code for a reason.
    pub fn code(self, reason: MissingReason) -> &'static str {
        match (self.is_first_edition, reason) {
            (true, MissingReason::NotApplicable) => "NA",
            (true, MissingReason::DontKnow) => "DK",
            (true, _) => "",
            (false, MissingReason::NotAsked) => ".not_asked",
            (false, MissingReason::NotReached) => ".not_reached",
            (false, MissingReason::Skipped) => ".skipped",
            (false, MissingReason::Withheld) => ".withheld",
            (false, MissingReason::NotApplicable) => ".not_applicable",
            (false, MissingReason::DontKnow) => ".dont_know",
            (false, MissingReason::Refused) if self.has_refused => ".refused",
            (false, MissingReason::Refused) => "",
        }
    }

    /// Whether every reason has a code.
    pub fn is_complete(self) -> bool {
        !self.is_first_edition
    }

    /// Returns the reasons that have a code, with it.
    pub fn all(self) -> impl Iterator<Item = (MissingReason, &'static str)> {
        MissingReason::ALL
            .into_iter()
            .map(move |reason| (reason, self.code(reason)))
            .filter(|(_, code)| !code.is_empty())
    }

    /// Returns the reason that a cell states; `None`: it is a value, or empty.
    pub fn reason(self, cell: &str) -> Option<MissingReason> {
        self.all().find(|(_, code)| *code == cell).map(|(reason, _)| reason)
    }
}

/// Returns the cell for a text that people wrote: an apostrophe stands before one that a
/// spreadsheet would take for a formula, and before one that reads like a code of ours.
pub fn text_cell<'t>(text: &'t str, codes: &[&str]) -> Cow<'t, str> {
    if codes.contains(&text.trim()) {
        return format!("'{text}").into();
    }
    csv_safe_cell(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_means_one_reason_and_no_text_becomes_one() {
        for rules in [1, CURRENT_RULES] {
            let codes = MissingCodes::of_rules(rules);
            for (reason, code) in codes.all() {
                assert_eq!(codes.reason(code), Some(reason));
            }
            assert_eq!(codes.reason(""), None);
        }
        let codes = MissingCodes::of_rules(CURRENT_RULES);
        assert_eq!(codes.all().count(), MissingReason::ALL.len());
        let all: Vec<&str> = codes.all().map(|(_, code)| code).collect();
        for (text, cell) in [
            ("NA", "NA"),
            ("不适用", "不适用"),
            (".skipped", "'.skipped"),
            (" .skipped", "' .skipped"),
            (".com", ".com"),
            ("=1+1", "'=1+1"),
        ] {
            assert_eq!(text_cell(text, &all), cell);
            assert_eq!(codes.reason(&text_cell(text, &all)), None);
        }
    }
}
