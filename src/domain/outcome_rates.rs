//! Outcome rates of the AAPOR Standard Definitions.

use super::disposition::{Disposition, OutcomeGroup};

/// Cases counted by outcome group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcomes {
    pub complete: u64,
    pub partial: u64,
    /// Refusals and break-offs.
    pub refusal: u64,
    pub non_contact: u64,
    pub other: u64,
    /// Unknown households and unknown others together: a list of persons knows only the latter.
    pub unknown: u64,
    pub not_eligible: u64,
}

/// The rates, in the order of the Standard Definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rate {
    Rr1,
    Rr2,
    Rr3,
    Rr4,
    Rr5,
    Rr6,
    Coop1,
    Coop2,
    Coop3,
    Coop4,
    Ref1,
    Ref2,
    Ref3,
    Con1,
    Con2,
    Con3,
}

impl Rate {
    pub const ALL: [Rate; 16] = [
        Rate::Rr1,
        Rate::Rr2,
        Rate::Rr3,
        Rate::Rr4,
        Rate::Rr5,
        Rate::Rr6,
        Rate::Coop1,
        Rate::Coop2,
        Rate::Coop3,
        Rate::Coop4,
        Rate::Ref1,
        Rate::Ref2,
        Rate::Ref3,
        Rate::Con1,
        Rate::Con2,
        Rate::Con3,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Rate::Rr1 => "RR1",
            Rate::Rr2 => "RR2",
            Rate::Rr3 => "RR3",
            Rate::Rr4 => "RR4",
            Rate::Rr5 => "RR5",
            Rate::Rr6 => "RR6",
            Rate::Coop1 => "COOP1",
            Rate::Coop2 => "COOP2",
            Rate::Coop3 => "COOP3",
            Rate::Coop4 => "COOP4",
            Rate::Ref1 => "REF1",
            Rate::Ref2 => "REF2",
            Rate::Ref3 => "REF3",
            Rate::Con1 => "CON1",
            Rate::Con2 => "CON2",
            Rate::Con3 => "CON3",
        }
    }
}

impl Outcomes {
    pub fn add(&mut self, disposition: Disposition, cases: u64) {
        *match disposition.group() {
            OutcomeGroup::Complete => &mut self.complete,
            OutcomeGroup::Partial => &mut self.partial,
            OutcomeGroup::RefusalOrBreakOff => &mut self.refusal,
            OutcomeGroup::NonContact => &mut self.non_contact,
            OutcomeGroup::Other => &mut self.other,
            OutcomeGroup::UnknownEligibility => &mut self.unknown,
            OutcomeGroup::NotEligible => &mut self.not_eligible,
        } += cases;
    }

    /// All cases.
    pub fn cases(&self) -> u64 {
        self.base() + self.unknown + self.not_eligible
    }

    /// The cases known to be eligible, B = (I+P)+(R+NC+O).
    fn base(&self) -> u64 {
        self.complete + self.partial + self.refusal + self.non_contact + self.other
    }

    /// The share of eligible cases among the unknown by the proportional (CASRO) method, e = B/(B + all 4.x). Where nobody is known to be eligible, it is 0.
    fn eligible_share(&self) -> f64 {
        let base = self.base() as f64;
        ratio(base, base + self.not_eligible as f64).unwrap_or(0.0)
    }

    /// A rate as the Standard Definitions give it; `None` («n/a») where its denominator is 0.
    pub fn rate(&self, rate: Rate) -> Option<f64> {
        let (complete, interviews) = (self.complete as f64, (self.complete + self.partial) as f64);
        let (refusal, other, base) = (self.refusal as f64, self.other as f64, self.base() as f64);
        let all = base + self.unknown as f64;
        let likely = base + self.eligible_share() * self.unknown as f64;
        let reached = interviews + refusal + other;
        match rate {
            Rate::Rr1 => ratio(complete, all),
            Rate::Rr2 => ratio(interviews, all),
            Rate::Rr3 => ratio(complete, likely),
            Rate::Rr4 => ratio(interviews, likely),
            Rate::Rr5 => ratio(complete, base),
            Rate::Rr6 => ratio(interviews, base),
            Rate::Coop1 => ratio(complete, reached),
            Rate::Coop2 => ratio(interviews, reached),
            Rate::Coop3 => ratio(complete, interviews + refusal),
            Rate::Coop4 => ratio(interviews, interviews + refusal),
            Rate::Ref1 => ratio(refusal, all),
            Rate::Ref2 => ratio(refusal, likely),
            Rate::Ref3 => ratio(refusal, base),
            Rate::Con1 => ratio(reached, all),
            Rate::Con2 => ratio(reached, likely),
            Rate::Con3 => ratio(reached, base),
        }
    }
}

/// A rate whose denominator is 0 is «n/a», never 0 or NaN.
fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Worked by hand: I 40, P 5, R 10, NC 25, O 4, unknown 20, not eligible 21; B = 84, e = 84/105 = 0.8, B + e·U = 100, B + U = 104, reached = 59.
    #[test]
    fn rates_agree_with_a_table_worked_by_hand() {
        let outcomes = Outcomes { complete: 40, partial: 5, refusal: 10, non_contact: 25, other: 4, unknown: 20, not_eligible: 21 };
        let table = [
            (Rate::Rr1, 40.0 / 104.0),
            (Rate::Rr2, 45.0 / 104.0),
            (Rate::Rr3, 0.40),
            (Rate::Rr4, 0.45),
            (Rate::Rr5, 40.0 / 84.0),
            (Rate::Rr6, 45.0 / 84.0),
            (Rate::Coop1, 40.0 / 59.0),
            (Rate::Coop2, 45.0 / 59.0),
            (Rate::Coop3, 40.0 / 55.0),
            (Rate::Coop4, 45.0 / 55.0),
            (Rate::Ref1, 10.0 / 104.0),
            (Rate::Ref2, 0.10),
            (Rate::Ref3, 10.0 / 84.0),
            (Rate::Con1, 59.0 / 104.0),
            (Rate::Con2, 0.59),
            (Rate::Con3, 59.0 / 84.0),
        ];
        assert_eq!(table.map(|(rate, _)| rate), Rate::ALL);
        for (rate, by_hand) in table {
            assert!((outcomes.rate(rate).unwrap() - by_hand).abs() < 1e-12, "{}", rate.name());
        }
        assert_eq!(outcomes.cases(), 125);
    }

    #[test]
    fn a_rate_of_nothing_is_not_available() {
        assert!(Rate::ALL.iter().all(|&rate| Outcomes::default().rate(rate).is_none()));
        let unknown = Outcomes { unknown: 7, ..Outcomes::default() };
        assert_eq!((unknown.rate(Rate::Rr1), unknown.rate(Rate::Rr3), unknown.rate(Rate::Rr5)), (Some(0.0), None, None));
    }

    proptest! {
        #[test]
        fn rates_are_shares_and_keep_their_order(counts in prop::array::uniform7(0u64..1000)) {
            let [complete, partial, refusal, non_contact, other, unknown, not_eligible] = counts;
            let outcomes = Outcomes { complete, partial, refusal, non_contact, other, unknown, not_eligible };
            for rate in Rate::ALL {
                prop_assert!(outcomes.rate(rate).is_none_or(|rate| (0.0..=1.0).contains(&rate)), "{}", rate.name());
            }
            // The more of the unknown count as eligible, the smaller the rate.
            for [most, likely, none] in [[Rate::Rr1, Rate::Rr3, Rate::Rr5], [Rate::Ref1, Rate::Ref2, Rate::Ref3], [Rate::Con1, Rate::Con2, Rate::Con3]] {
                if let (Some(a), Some(b), Some(c)) = (outcomes.rate(most), outcomes.rate(likely), outcomes.rate(none)) {
                    prop_assert!(a <= b + 1e-12 && b <= c + 1e-12);
                }
            }
        }
    }
}
