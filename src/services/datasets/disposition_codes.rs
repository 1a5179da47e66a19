//! The disposition codes of an edition of the rules.
//!
//! Up to edition 2, a number that reached nobody made its person not eligible (4.31 and its like).
//! Up to edition 3, refusals were not told apart, and staff excluded no responses.

use crate::domain::disposition::Disposition;

/// A code as a dataset has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DispositionCode {
    pub code: &'static str,
    pub name: &'static str,
    /// In Chinese and in English.
    pub labels: (&'static str, &'static str),
}

/// Codes of the editions 1 and 2, which stood after 4.1.
const RETIRED: [DispositionCode; 4] = [
    retired("4.31", "non_working_number", ("号码无效", "non-working number")),
    retired("4.32", "disconnected", ("已销号", "disconnected")),
    retired("4.33", "out_of_service", ("停机", "out of service")),
    retired("4.7", "no_eligible_respondent", ("非本人号码", "no eligible respondent")),
];

const fn retired(
    code: &'static str,
    name: &'static str,
    labels: (&'static str, &'static str),
) -> DispositionCode {
    DispositionCode { code, name, labels }
}

/// Returns the codes of an edition, in their order.
pub fn of_rules(version: u32) -> Vec<DispositionCode> {
    let present =
        |d: Disposition| DispositionCode { code: d.code(), name: d.name(), labels: d.labels() };
    let since = |code: &str| match code {
        "2.111" | "2.1121" | "2.1122" | "2.113" | "2.121" | "2.36" | "2.361" | "3.111" => 4,
        code if code.starts_with("3.3") => 3,
        _ => 1,
    };
    let mut codes: Vec<DispositionCode> = Disposition::ALL
        .map(present)
        .into_iter()
        .filter(|code| since(code.code) <= version)
        .collect();
    if version >= 3 {
        return codes;
    }
    // Quota filled is the last one.
    codes.splice(codes.len() - 1..codes.len() - 1, RETIRED);
    codes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_editions_keep_their_codes() {
        let codes =
            |version| -> Vec<&str> { of_rules(version).iter().map(|code| code.code).collect() };
        assert_eq!(codes(1), codes(2));
        assert!(codes(2).ends_with(&["3.19", "4.1", "4.31", "4.32", "4.33", "4.7", "4.8"]));
        assert_eq!(codes(4), Disposition::ALL.map(Disposition::code));
        let new: Vec<&str> = codes(4).into_iter().filter(|code| !codes(3).contains(code)).collect();
        assert_eq!(new, ["2.111", "2.1121", "2.1122", "2.113", "2.121", "2.36", "2.361", "3.111"]);
    }
}
