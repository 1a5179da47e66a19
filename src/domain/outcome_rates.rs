//! Outcome rates of the AAPOR Standard Definitions.

use super::disposition::{Disposition, OutcomeGroup};

/// Cases counted by outcome group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutcomeCounts {
    pub complete: u64,
    pub partial: u64,
    /// Refusals and break-offs.
    pub refusal: u64,
    pub non_contact: u64,
    pub other: u64,
    /// Unknown households and unknown others together: a list of persons has only the latter.
    pub unknown: u64,
    /// Not eligible, as screening found.
    pub not_eligible: u64,
    /// Turned away by a full cell.
    pub turned_away: u64,
}

/// The outcome rates, in the order of the Standard Definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OutcomeRate {
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

impl OutcomeRate {
    pub const ALL: [OutcomeRate; 16] = [
        OutcomeRate::Rr1,
        OutcomeRate::Rr2,
        OutcomeRate::Rr3,
        OutcomeRate::Rr4,
        OutcomeRate::Rr5,
        OutcomeRate::Rr6,
        OutcomeRate::Coop1,
        OutcomeRate::Coop2,
        OutcomeRate::Coop3,
        OutcomeRate::Coop4,
        OutcomeRate::Ref1,
        OutcomeRate::Ref2,
        OutcomeRate::Ref3,
        OutcomeRate::Con1,
        OutcomeRate::Con2,
        OutcomeRate::Con3,
    ];

    pub fn name(self) -> &'static str {
        match self {
            OutcomeRate::Rr1 => "RR1",
            OutcomeRate::Rr2 => "RR2",
            OutcomeRate::Rr3 => "RR3",
            OutcomeRate::Rr4 => "RR4",
            OutcomeRate::Rr5 => "RR5",
            OutcomeRate::Rr6 => "RR6",
            OutcomeRate::Coop1 => "COOP1",
            OutcomeRate::Coop2 => "COOP2",
            OutcomeRate::Coop3 => "COOP3",
            OutcomeRate::Coop4 => "COOP4",
            OutcomeRate::Ref1 => "REF1",
            OutcomeRate::Ref2 => "REF2",
            OutcomeRate::Ref3 => "REF3",
            OutcomeRate::Con1 => "CON1",
            OutcomeRate::Con2 => "CON2",
            OutcomeRate::Con3 => "CON3",
        }
    }
}

impl OutcomeCounts {
    pub fn add(&mut self, disposition: Disposition, cases: u64) {
        *match disposition.group() {
            OutcomeGroup::Complete => &mut self.complete,
            OutcomeGroup::Partial => &mut self.partial,
            OutcomeGroup::RefusalOrBreakOff => &mut self.refusal,
            OutcomeGroup::NonContact => &mut self.non_contact,
            OutcomeGroup::Other => &mut self.other,
            OutcomeGroup::UnknownEligibility => &mut self.unknown,
            OutcomeGroup::NotEligible => &mut self.not_eligible,
            OutcomeGroup::TurnedAway => &mut self.turned_away,
        } += cases;
    }

    /// Returns the number of all cases.
    pub fn cases(&self) -> u64 {
        self.base() + self.unknown + self.not_eligible + self.turned_away
    }

    /// Returns the number of cases known to be eligible, B = (I+P)+(R+NC+O).
    pub fn base(&self) -> u64 {
        self.complete + self.partial + self.refusal + self.non_contact + self.other
    }

    /// Returns e, the estimated share of eligible people among the unknown cases, by the
    /// proportional (CASRO) method: B/(B + those whom screening found not eligible). A full cell or a
    /// dead number says nothing of eligibility. `None`: nothing is known of anybody.
    pub fn eligible_share(&self) -> Option<f64> {
        let base = self.base() as f64;
        ratio(base, base + self.not_eligible as f64)
    }

    /// Returns a rate as defined by the Standard Definitions; `None` («n/a») if its denominator is
    /// 0, and for RR5, RR6, REF3 and CON3 if the eligibility of a case is unknown: they are for
    /// samples without such cases.
    pub fn rate(&self, rate: OutcomeRate) -> Option<f64> {
        let (complete, interviews) = (self.complete as f64, (self.complete + self.partial) as f64);
        let (refusal, other, base) = (self.refusal as f64, self.other as f64, self.base() as f64);
        let all = base + self.unknown as f64;
        let likely = base + self.eligible_share().unwrap_or(0.0) * self.unknown as f64;
        let known = if self.unknown == 0 { base } else { 0.0 };
        let reached = interviews + refusal + other;
        match rate {
            OutcomeRate::Rr1 => ratio(complete, all),
            OutcomeRate::Rr2 => ratio(interviews, all),
            OutcomeRate::Rr3 => ratio(complete, likely),
            OutcomeRate::Rr4 => ratio(interviews, likely),
            OutcomeRate::Rr5 => ratio(complete, known),
            OutcomeRate::Rr6 => ratio(interviews, known),
            OutcomeRate::Coop1 => ratio(complete, reached),
            OutcomeRate::Coop2 => ratio(interviews, reached),
            OutcomeRate::Coop3 => ratio(complete, interviews + refusal),
            OutcomeRate::Coop4 => ratio(interviews, interviews + refusal),
            OutcomeRate::Ref1 => ratio(refusal, all),
            OutcomeRate::Ref2 => ratio(refusal, likely),
            OutcomeRate::Ref3 => ratio(refusal, known),
            OutcomeRate::Con1 => ratio(reached, all),
            OutcomeRate::Con2 => ratio(reached, likely),
            OutcomeRate::Con3 => ratio(reached, known),
        }
    }
}

/// Returns a quotient; a denominator of 0 gives «n/a», never 0 or NaN.
fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Computed by hand: I 40, P 5, R 10, NC 25, O 4, unknown 20, not eligible 21, turned away 7; B =
    /// 84, e = 84/105 = 0.8, B + e·U = 100, B + U = 104, reached = 59. RR5, RR6, REF3 and CON3 are
    /// those of the same cases without the unknown ones.
    #[test]
    fn rates_agree_with_a_table_worked_by_hand() {
        let outcomes = OutcomeCounts {
            complete: 40,
            partial: 5,
            refusal: 10,
            non_contact: 25,
            other: 4,
            unknown: 20,
            not_eligible: 21,
            turned_away: 7,
        };
        let table = [
            (OutcomeRate::Rr1, 40.0 / 104.0),
            (OutcomeRate::Rr2, 45.0 / 104.0),
            (OutcomeRate::Rr3, 0.40),
            (OutcomeRate::Rr4, 0.45),
            (OutcomeRate::Rr5, 40.0 / 84.0),
            (OutcomeRate::Rr6, 45.0 / 84.0),
            (OutcomeRate::Coop1, 40.0 / 59.0),
            (OutcomeRate::Coop2, 45.0 / 59.0),
            (OutcomeRate::Coop3, 40.0 / 55.0),
            (OutcomeRate::Coop4, 45.0 / 55.0),
            (OutcomeRate::Ref1, 10.0 / 104.0),
            (OutcomeRate::Ref2, 0.10),
            (OutcomeRate::Ref3, 10.0 / 84.0),
            (OutcomeRate::Con1, 59.0 / 104.0),
            (OutcomeRate::Con2, 0.59),
            (OutcomeRate::Con3, 59.0 / 84.0),
        ];
        assert_eq!(table.map(|(rate, _)| rate), OutcomeRate::ALL);
        let all_known = OutcomeCounts { unknown: 0, ..outcomes };
        for (rate, by_hand) in table {
            let needs_all =
                matches!(rate.name(), "RR5" | "RR6" | "REF3" | "CON3").then_some(&all_known);
            let computed = needs_all.unwrap_or(&outcomes).rate(rate).unwrap();
            assert!((computed - by_hand).abs() < 1e-12, "{}", rate.name());
            assert!(needs_all.is_none() || outcomes.rate(rate).is_none(), "{}", rate.name());
        }
        assert_eq!(outcomes.cases(), 132);
        let share = outcomes.eligible_share().unwrap();
        assert!((share - 0.8).abs() < 1e-12, "whoever was turned away says nothing of it");
    }

    #[test]
    fn a_rate_of_nothing_is_not_available() {
        assert!(OutcomeRate::ALL.iter().all(|&rate| OutcomeCounts::default().rate(rate).is_none()));
        let unknown = OutcomeCounts { unknown: 7, ..OutcomeCounts::default() };
        assert_eq!(
            (
                unknown.rate(OutcomeRate::Rr1),
                unknown.rate(OutcomeRate::Rr3),
                unknown.rate(OutcomeRate::Rr5)
            ),
            (Some(0.0), None, None)
        );
        assert_eq!(unknown.eligible_share(), None);
    }

    proptest! {
        #[test]
        fn rates_are_shares_and_keep_their_order(counts in prop::array::uniform8(0u64..1000)) {
            let [complete, partial, refusal, non_contact, other, unknown, not_eligible, turned_away] = counts;
            let outcomes = OutcomeCounts { complete, partial, refusal, non_contact, other, unknown, not_eligible, turned_away };
            for rate in OutcomeRate::ALL {
                prop_assert!(outcomes.rate(rate).is_none_or(|rate| (0.0..=1.0).contains(&rate)), "{}", rate.name());
            }
            // The more of the unknown cases count as eligible, the smaller the rate.
            for [most, likely, none] in [[OutcomeRate::Rr1, OutcomeRate::Rr3, OutcomeRate::Rr5], [OutcomeRate::Ref1, OutcomeRate::Ref2, OutcomeRate::Ref3], [OutcomeRate::Con1, OutcomeRate::Con2, OutcomeRate::Con3]] {
                if let (Some(a), Some(b), Some(c)) = (outcomes.rate(most), outcomes.rate(likely), outcomes.rate(none)) {
                    prop_assert!(a <= b + 1e-12 && b <= c + 1e-12);
                }
            }
        }
    }
}
