//! Random variation of counts: interviewers differ even if they all work alike.

/// Returns the range in which a count out of `all` lies in 95 of 100 cases if each event has
/// probability `chance` (the central interval of the binomial distribution).
pub fn binomial_interval(all: u32, chance: f64) -> (u32, u32) {
    const TAIL: f64 = 0.025;
    let chance = chance.clamp(0.0, 1.0);
    if all == 0 || chance == 0.0 {
        return (0, 0);
    }
    if chance == 1.0 {
        return (all, all);
    }
    let odds = (chance / (1.0 - chance)).ln();
    // In logarithms: for thousands of calls, the probability of zero events underflows.
    let mut log = f64::from(all) * (1.0 - chance).ln();
    let (mut below, mut low) = (0.0, None);
    for count in 0..=all {
        below += log.exp();
        if low.is_none() && below > TAIL {
            low = Some(count);
        }
        if below >= 1.0 - TAIL {
            return (low.unwrap_or(count), count);
        }
        log += f64::from(all - count).ln() - f64::from(count + 1).ln() + odds;
    }
    (low.unwrap_or(0), all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_the_binomial_distribution() {
        // Of 20 tosses of a coin, 6 to 14 heads: P(X <= 5) = 0.0207, P(X <= 14) = 0.9793.
        assert_eq!(binomial_interval(20, 0.5), (6, 14));
        assert_eq!(binomial_interval(0, 0.3), (0, 0));
        assert_eq!(binomial_interval(10, 0.0), (0, 0));
        assert_eq!(binomial_interval(10, 1.0), (10, 10));
        let (low, high) = binomial_interval(20_000, 0.1);
        assert!((1_900..1_935).contains(&low) && (2_065..2_100).contains(&high), "{low} {high}");
    }
}
