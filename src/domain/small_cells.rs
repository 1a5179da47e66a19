//! Small cells of a table: which counts must not be shown, so that none of them can be found by
//! subtraction from a total (complementary suppression; A. Hundepool and others, Statistical
//! Disclosure Control, chapter 4).

/// Returns which of the counts of one row are hidden, whose total is known. A count is small if it is
/// at least 1 and below `smallest`. Beside small ones, the smallest others are hidden, until what is
/// hidden adds up to so much that every hidden count can have at least two values. Whoever sees the
/// row may know that a hidden count is not 0.
///
/// Where nothing is left to hide, everything is hidden; then the total itself is small.
pub fn hidden(counts: &[u64], smallest: u64) -> Vec<bool> {
    let is_small = |count: u64| (1..smallest).contains(&count);
    let mut hidden: Vec<bool> = counts.iter().map(|count| is_small(*count)).collect();
    if !hidden.contains(&true) {
        return hidden;
    }
    let mut others: Vec<usize> =
        (0..counts.len()).filter(|at| counts[*at] > 0 && !hidden[*at]).collect();
    others.sort_by_key(|at| (counts[*at], *at));
    for next in others {
        let number = hidden.iter().filter(|is_hidden| **is_hidden).count() as u64;
        let sum: u64 =
            counts.iter().zip(&hidden).filter(|(_, hidden)| **hidden).map(|(count, _)| count).sum();
        if number >= 2 && sum > number && sum >= smallest {
            break;
        }
        hidden[next] = true;
    }
    hidden
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All ways in which `number` counts of at least 1 add up to a sum.
    fn ways(number: usize, sum: u64) -> Vec<Vec<u64>> {
        match number {
            0 => {
                if sum == 0 {
                    vec![vec![]]
                } else {
                    vec![]
                }
            }
            _ => (1..=sum)
                .flat_map(|first| {
                    ways(number - 1, sum - first).into_iter().map(move |mut rest| {
                        rest.insert(0, first);
                        rest
                    })
                })
                .collect(),
        }
    }

    /// gtsummary#1691 (the total tells the hidden one), opensafely-core/ehrql#1666 (a sum of hidden
    /// counts that is itself small).
    #[test]
    fn two_of_forty_eight_do_not_stand_beside_forty_six() {
        assert_eq!(hidden(&[46, 2], 3), [true, true]);
        assert_eq!(hidden(&[30, 16, 2], 3), [false, true, true]);
        assert_eq!(hidden(&[30, 10, 6, 2, 1], 3), [false, false, false, true, true]);
        // Two that add up to two are one each.
        assert_eq!(hidden(&[30, 10, 1, 1], 3), [false, true, true, true]);
        assert_eq!(hidden(&[30, 18, 0], 3), [false, false, false]);
        assert_eq!(hidden(&[2, 0], 3), [true, false], "nothing else is left to hide");
        assert_eq!(hidden(&[2, 46], 1), [false, false], "nothing is small");
    }

    proptest! {
        #[test]
        fn no_hidden_count_can_be_computed(
            counts in prop::collection::vec(0u64..9, 1..6),
            smallest in 2u64..5,
        ) {
            let hidden = hidden(&counts, smallest);
            for (count, is_hidden) in counts.iter().zip(&hidden) {
                prop_assert!(*is_hidden || *count == 0 || *count >= smallest, "a small one is shown");
            }
            let of = |wanted: bool| {
                counts.iter().zip(&hidden).filter(move |(_, is)| **is == wanted).map(|(c, _)| *c)
            };
            let (sum, number) = (of(true).sum::<u64>(), of(true).count());
            // Something that could still be hidden is shown.
            if number > 0 && of(false).any(|count| count > 0) {
                let ways = ways(number, sum);
                for at in 0..number {
                    let first = ways[0][at];
                    prop_assert!(ways.iter().any(|way| way[at] != first), "{counts:?} {hidden:?}");
                }
            }
        }
    }
}
