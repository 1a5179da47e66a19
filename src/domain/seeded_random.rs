//! Reproducible randomness: fractions derived from a text, so that the same plan gives the same run
//! (invariant I8).

/// Returns a fraction in `[0, 1)`, evenly distributed over different seeds (FNV-1a, then a
/// finalizer so that similar seeds differ).
pub fn seeded_fraction(seed: &str, salt: u64) -> f64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in seed.bytes().chain(salt.to_le_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    (hash ^ (hash >> 33)) as f64 / (u64::MAX as f64 + 1.0)
}

/// Returns a duration between half and one and a half times `about`, so that tasks that wait for
/// the same event return at different times.
pub fn jittered(about: std::time::Duration, seed: &str, salt: u64) -> std::time::Duration {
    about.mul_f64(0.5 + seeded_fraction(seed, salt))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_repeat_and_are_even() {
        assert_eq!(seeded_fraction("a", 1), seeded_fraction("a", 1));
        let mut tenths = [0u32; 10];
        (0..10_000).for_each(|n| tenths[(seeded_fraction("number", n) * 10.0) as usize] += 1);
        assert!(tenths.iter().all(|&count| (900..1100).contains(&count)), "{tenths:?}");
    }
}
