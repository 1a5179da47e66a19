//! How many completes an application needs, in total and by segment.

use std::collections::BTreeMap;

use super::category::Category;
use super::segment::Segment;

/// Targets of one application; every cell is hard (invariant I4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaPlan {
    pub total: u32,
    pub cells: BTreeMap<Segment, u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuotaError {
    #[error("quota.target is {target}, but category {category} allows at most {cap}")]
    OverCap { target: u32, category: Category, cap: u32 },
    #[error("quota.target must be at least 1")]
    Zero,
}

impl QuotaPlan {
    /// The target is min(cap, names on the list) unless it is set; the cells are those that are set, else, for a project, one for each kind of
    /// owner on the list.
    pub fn new(
        category: Category,
        cap: u32,
        names_by_segment: &BTreeMap<Segment, u32>,
        set_target: Option<u32>,
        set_cells: &BTreeMap<Segment, u32>,
    ) -> Result<QuotaPlan, QuotaError> {
        let names: u32 = names_by_segment.values().sum();
        let total = match set_target {
            Some(0) => return Err(QuotaError::Zero),
            Some(target) if target > cap => return Err(QuotaError::OverCap { target, category, cap }),
            Some(target) => target,
            None => cap.min(names),
        };
        let cells = if !set_cells.is_empty() {
            set_cells.clone()
        } else if category == Category::Project {
            names_by_segment.iter().filter(|(segment, _)| !segment.is_none()).map(|(segment, &names)| (segment.clone(), names.min(total))).collect()
        } else {
            BTreeMap::new()
        };
        Ok(QuotaPlan { total, cells })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_the_smaller_of_cap_and_names_unless_set() {
        let names = BTreeMap::from([(Segment::none(), 64)]);
        let plan = |cap, set| QuotaPlan::new(Category::Brand, cap, &names, set, &BTreeMap::new());
        assert_eq!(plan(100, None).unwrap().total, 64);
        assert_eq!(plan(50, None).unwrap().total, 50);
        assert_eq!(plan(100, Some(30)).unwrap().total, 30);
        assert!(plan(100, Some(101)).is_err() && plan(100, Some(0)).is_err());
    }

    #[test]
    fn a_project_has_a_cell_for_each_kind_of_owner() {
        let names = BTreeMap::from([(Segment::large_owner(), 2), (Segment::small_owner(), 40)]);
        let plan = QuotaPlan::new(Category::Project, 50, &names, None, &BTreeMap::new()).unwrap();
        assert_eq!((plan.total, plan.cells), (42, names));
    }
}
