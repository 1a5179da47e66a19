//! Who stays on a list that has more names than the category allows: those who are not ticked off,
//! or a simple random sample by a seed that is recorded.

use std::collections::BTreeSet;

use serde::Serialize;

use super::find::ListOptionError;
use super::report::RowKey;
use crate::domain::seeded_random::seeded_fraction;

/// Who is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// The numbers of rows that are left out by hand.
    pub left_out: BTreeSet<u32>,
    /// Whether those who are too many are left out by a random draw.
    pub draw: Option<DrawSeed>,
}

/// Where the seed of a draw comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrawSeed {
    /// The content of the file: the same file gives the same sample, and nobody chooses it.
    OfFile,
    Given(u32),
}

/// A random draw, as it is recorded: by its seed and the same file, the same people are drawn again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Draw {
    pub seed: u32,
    /// The number of new people it drew from.
    pub from: u64,
    /// The number of people it left on the list.
    pub kept: u64,
}

/// The number of ranges that can be said, which bounds what a request may hold.
const MAX_RANGES: usize = 10_000;
const MAX_ROWS: u32 = 1_000_000;

impl Selection {
    /// Reads the options of the command line and the API: rows such as `3,8,10-20`.
    pub fn parse(
        left_out: &str,
        draw: bool,
        seed: Option<u32>,
    ) -> Result<Selection, ListOptionError> {
        let mut selection = Selection::default();
        let wrong = |part: &str| ListOptionError::Rows(part.chars().take(40).collect());
        let parts =
            left_out.split([',', '，', '、']).map(str::trim).filter(|part| !part.is_empty());
        for (count, part) in parts.enumerate() {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let number = |text: &str| text.trim().parse::<u32>().map_err(|_| wrong(part));
            let (first, last) = (number(first)?, number(last)?);
            if first == 0 || last < first || last > MAX_ROWS || count >= MAX_RANGES {
                return Err(wrong(part));
            }
            selection.left_out.extend(first..=last);
        }
        selection.draw = match (seed, draw) {
            (Some(seed), _) => Some(DrawSeed::Given(seed)),
            (None, true) => Some(DrawSeed::OfFile),
            (None, false) => None,
        };
        Ok(selection)
    }

    pub fn is_empty(&self) -> bool {
        self.left_out.is_empty() && self.draw.is_none()
    }

    /// A text that differs for other selections.
    pub fn fingerprint(&self) -> String {
        format!("{:?} {:?}", self.left_out, self.draw)
    }
}

/// A person who may be drawn: the row, and a bit for each application that it would be new in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    pub row: RowKey,
    pub new_in: u64,
}

/// The bit of an application, by its place among those of the list.
pub fn bit_of(application: usize) -> u64 {
    1 << application.min(63)
}

/// Draws people while the applications have room for them. `room` has a number for each application.
/// Returns the rows that are not drawn.
pub fn draw(candidates: &[Candidate], mut room: Vec<u32>, seed: u32) -> BTreeSet<RowKey> {
    let order = |candidate: &Candidate| {
        let RowKey { list, row, person } = candidate.row;
        let salt = u64::from(person) << 48 | (list as u64) << 32 | u64::from(row);
        seeded_fraction(&seed.to_string(), salt)
    };
    let mut drawn: Vec<(f64, &Candidate)> = candidates.iter().map(|c| (order(c), c)).collect();
    drawn.sort_by(|(a, x), (b, y)| a.total_cmp(b).then(x.row.cmp(&y.row)));
    let mut left_out = BTreeSet::new();
    for (_, candidate) in drawn {
        let is_in = |application: usize| candidate.new_in & bit_of(application) != 0;
        let is_full = room.iter().enumerate().any(|(index, room)| is_in(index) && *room == 0);
        if is_full {
            left_out.insert(candidate.row);
            continue;
        }
        for (_, room) in room.iter_mut().enumerate().filter(|(index, _)| is_in(*index)) {
            *room = room.saturating_sub(1);
        }
    }
    left_out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(count: u32, new_in: u64) -> Vec<Candidate> {
        (2..count + 2)
            .map(|row| Candidate { row: RowKey { list: 0, row, person: 0 }, new_in })
            .collect()
    }

    #[test]
    fn rows_are_said_by_numbers_and_ranges() {
        let rows = |text: &str| Selection::parse(text, false, None).map(|s| s.left_out);
        assert_eq!(rows("3, 8，10-12").unwrap(), BTreeSet::from([3, 8, 10, 11, 12]));
        assert!(rows("").unwrap().is_empty());
        for wrong in ["0", "x", "5-3", "1-99999999", "3-", "-4"] {
            assert!(rows(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            Selection::parse("", true, Some(7)).unwrap().draw,
            Some(DrawSeed::Given(7)),
            "who gives a seed wants the draw"
        );
    }

    #[test]
    fn everybody_is_drawn_as_often_as_anybody_else_and_the_seed_gives_the_same_people_again() {
        let all = candidates(40, 1);
        let mut kept = [0u32; 40];
        for seed in 0..2_000 {
            let left_out = draw(&all, vec![10], seed);
            assert_eq!(left_out.len(), 30);
            assert_eq!(left_out, draw(&all, vec![10], seed));
            for (at, candidate) in all.iter().enumerate() {
                kept[at] += u32::from(!left_out.contains(&candidate.row));
            }
        }
        // 500 expected, with a standard deviation of about 19.
        assert!(kept.iter().all(|count| (410..590).contains(count)), "{kept:?}");
    }

    #[test]
    fn each_application_has_its_own_room() {
        // The first ten are known to the second application, which is full.
        let mut all = candidates(20, 0b11);
        all.iter_mut().take(10).for_each(|candidate| candidate.new_in = 0b01);
        let left_out = draw(&all, vec![15, 0], 1);
        assert_eq!(left_out, all[10..].iter().map(|c| c.row).collect());
        let left_out = draw(&all, vec![4, 100], 1);
        assert_eq!(left_out.len(), 16);
    }
}
