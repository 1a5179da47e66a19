//! Response rates of the AAPOR Standard Definitions.

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
    pub unknown: u64,
    pub not_eligible: u64,
}

impl Outcomes {
    pub fn add(&mut self, disposition: Disposition, cases: u64) {
        *match disposition.group() {
            OutcomeGroup::Complete => &mut self.complete,
            OutcomeGroup::Partial => &mut self.partial,
            OutcomeGroup::RefusalOrBreakOff => &mut self.refusal,
            OutcomeGroup::NonContact => &mut self.non_contact,
            OutcomeGroup::UnknownEligibility => &mut self.unknown,
            OutcomeGroup::NotEligible => &mut self.not_eligible,
        } += cases;
    }

    /// The cases known to be eligible, B = (I+P)+(R+NC+O).
    fn base(&self) -> u64 {
        self.complete + self.partial + self.refusal + self.non_contact + self.other
    }

    /// RR1 = I/(B+UH+UO); `None` («n/a») when nothing is counted.
    pub fn rr1(&self) -> Option<f64> {
        ratio(self.complete as f64, (self.base() + self.unknown) as f64)
    }

    /// RR2 = (I+P)/(B+UH+UO).
    pub fn rr2(&self) -> Option<f64> {
        ratio((self.complete + self.partial) as f64, (self.base() + self.unknown) as f64)
    }

    /// RR3 = I/(B+e(UH+UO)), with e by the proportional (CASRO) method, B/(B + all 4.x).
    pub fn rr3(&self) -> Option<f64> {
        let base = self.base() as f64;
        let e = ratio(base, base + self.not_eligible as f64)?;
        ratio(self.complete as f64, base + e * self.unknown as f64)
    }

    /// REF1 = R/(B+UH+UO).
    pub fn ref1(&self) -> Option<f64> {
        ratio(self.refusal as f64, (self.base() + self.unknown) as f64)
    }
}

/// A rate whose denominator is 0 is «n/a», never 0 or NaN.
fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_agree_with_a_table_worked_by_hand() {
        let outcomes = Outcomes { complete: 40, partial: 5, refusal: 10, non_contact: 25, other: 0, unknown: 20, not_eligible: 20 };
        let close = |rate: Option<f64>, by_hand: f64| (rate.unwrap() - by_hand).abs() < 1e-9;
        assert!(close(outcomes.rr1(), 40.0 / 100.0));
        assert!(close(outcomes.rr2(), 45.0 / 100.0));
        assert!(close(outcomes.rr3(), 40.0 / (80.0 + 0.8 * 20.0)));
        assert!(close(outcomes.ref1(), 0.1));
        assert_eq!(Outcomes::default().rr1(), None);
    }
}
