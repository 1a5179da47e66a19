//! The two-sided 95 % quantile of Student's t distribution.

use super::precision::Z_95;

/// From this number of degrees of freedom on, the expansion around the normal quantile is exact to
/// ten digits and more.
const EXPANSION_FROM: u64 = 200;

/// Returns t with P(|T| ≤ t) = 0.95 for a number of degrees of freedom; infinite for none.
///
/// Abramowitz and Stegun, «Handbook of Mathematical Functions» (1964): 26.7.3 and 26.7.4 for the
/// distribution, 26.7.5 for the expansion.
pub(super) fn t_95(degrees: u64) -> f64 {
    if degrees == 0 {
        return f64::INFINITY;
    }
    if degrees >= EXPANSION_FROM {
        return expanded(degrees as f64);
    }
    let (mut low, mut high) = (0.0, 13.0);
    for _ in 0..80 {
        let middle = (low + high) / 2.0;
        if probability_within(middle, degrees) < 0.95 {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low + high) / 2.0
}

/// Returns P(|T| ≤ t).
fn probability_within(t: f64, degrees: u64) -> f64 {
    let angle = (t / (degrees as f64).sqrt()).atan();
    let (sine, cosine) = angle.sin_cos();
    let is_odd = degrees % 2 == 1;
    // The factors are 2/3, 4/5, … for odd degrees and 1/2, 3/4, … for even ones.
    let (mut term, mut sum) = if is_odd { (cosine, cosine) } else { (1.0, 1.0) };
    let mut factor = if is_odd { 2.0 } else { 1.0 };
    while factor < degrees as f64 - 2.0 {
        term *= cosine * cosine * factor / (factor + 1.0);
        sum += term;
        factor += 2.0;
    }
    match degrees {
        1 => angle * std::f64::consts::FRAC_2_PI,
        _ if is_odd => (angle + sine * sum) * std::f64::consts::FRAC_2_PI,
        _ => sine * sum,
    }
}

fn expanded(degrees: f64) -> f64 {
    let z = Z_95;
    let square = z * z;
    let g1 = (square + 1.0) * z / 4.0;
    let g2 = ((5.0 * square + 16.0) * square + 3.0) * z / 96.0;
    let g3 = (((3.0 * square + 19.0) * square + 17.0) * square - 15.0) * z / 384.0;
    let g4 = ((((79.0 * square + 776.0) * square + 1482.0) * square - 1920.0) * square - 945.0) * z
        / 92_160.0;
    z + (g1 + (g2 + (g3 + g4 / degrees) / degrees) / degrees) / degrees
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Table 26.10 of Abramowitz and Stegun.
    #[test]
    fn quantiles_agree_with_the_table() {
        for (degrees, quantile) in [
            (1, 12.706),
            (2, 4.303),
            (3, 3.182),
            (4, 2.776),
            (9, 2.262),
            (10, 2.228),
            (30, 2.042),
            (60, 2.000),
            (120, 1.980),
        ] {
            assert!((t_95(degrees) - quantile).abs() < 6e-4, "{degrees}: {}", t_95(degrees));
        }
        assert!((t_95(EXPANSION_FROM - 1) - expanded(199.0)).abs() < 1e-10);
        assert!((t_95(10_000_000) - Z_95).abs() < 1e-6 && t_95(0).is_infinite());
    }
}
