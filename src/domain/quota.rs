//! Quotas: the completes an application needs in total, and in cells defined by list values and
//! answers.
//!
//! Cells are numbered: the total is 0, the others follow in the order of the plan. The cells of a
//! case are a mask, bit `n` for cell `n`, so that the database can match a case against the full
//! cells in one comparison.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::category::Category;
use super::condition::Condition;
use super::questionnaire::{QuestionPath, Questionnaire, ROUTING_FACTS};
use super::segment::Segment;

/// Maximum number of cells in a mask, including the total.
pub const MAX_CELLS: usize = 62;

/// What happens to respondents when a cell's target is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CellKind {
    /// Completes never exceed the target (invariant I4); respondents who have begun are screened
    /// out.
    #[default]
    Hard,
    /// Nobody is contacted any more; further completes still count.
    Soft,
    /// Like hard, but a respondent who has begun holds a reservation for a time.
    Reserved,
}

impl CellKind {
    pub fn as_str(self) -> &'static str {
        match self {
            CellKind::Hard => "hard",
            CellKind::Soft => "soft",
            CellKind::Reserved => "reserved",
        }
    }

    pub fn parse(raw: &str) -> Option<CellKind> {
        [CellKind::Hard, CellKind::Soft, CellKind::Reserved]
            .into_iter()
            .find(|kind| kind.as_str() == raw)
    }
}

/// The quota section of an application's file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaFile {
    #[serde(default)]
    pub target: Option<u32>,
    /// Kind of the total: hard or reserved.
    #[serde(default)]
    pub kind: CellKind,
    /// Hard cells by segment.
    #[serde(default)]
    pub cells: BTreeMap<String, u32>,
    /// Minimums by segment: at least so many completes, beside a cap or without one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub minimums: BTreeMap<String, u32>,
    /// Cells by condition.
    #[serde(default)]
    pub cell: Vec<CellFile>,
    /// Number of people in a replicate if the list is larger than the need; `None`: a fifth of the
    /// target.
    #[serde(default)]
    pub replicate_size: Option<u32>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellFile {
    pub name: String,
    /// Membership condition in CEL over list fields and answers:
    /// `segment == 'large_owner' && use == 'daily'`.
    #[serde(rename = "if")]
    pub condition: String,
    /// The cap; a cell with a minimum needs none.
    #[serde(default)]
    pub target: Option<u32>,
    /// At least so many completes are wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<u32>,
    #[serde(default)]
    pub kind: CellKind,
}

/// The quota of one application.
#[derive(Debug)]
pub struct QuotaPlan {
    pub total: u32,
    /// Hard or reserved.
    pub total_kind: CellKind,
    pub cells: Vec<Cell>,
}

#[derive(Debug)]
pub struct Cell {
    pub name: String,
    pub condition: Condition,
    /// The cap; that of the total where the cell has none, so that it is never full before.
    pub target: u32,
    /// The completes that are wanted at least; 0: there is no minimum. It is watched, forecast and
    /// alarmed, and reserves no place.
    pub minimum: u32,
    pub kind: CellKind,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "quota.", serialize_all = "snake_case")]
pub enum QuotaError {
    #[error("quota.target is {target}, but category {category} allows at most {cap}")]
    OverCap { target: u32, category: Category, cap: u32 },
    #[error("quota.target must be at least 1")]
    Zero,
    #[error("quota.kind is hard or reserved; soft is for cells")]
    SoftTotal,
    #[error("quota.replicate_size must be at least 1")]
    NoReplicate,
    #[error("quota has {0} cells, and there is room for {most}", most = MAX_CELLS - 1)]
    TooMany(usize),
    #[error("quota cell {name}: {problem}")]
    Cell { name: String, problem: String },
}

/// The known cells of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellMembership {
    /// Bit `n` for cell `n`; the total is always included.
    pub cell_mask: i64,
    /// Whether all questions that cells depend on have been asked.
    pub is_decided: bool,
}

impl QuotaPlan {
    /// The mask of the total alone.
    pub const TOTAL: i64 = 1;

    /// Creates the plan. The target is min(cap, names on the list) unless it is set. The cells are
    /// those that are set; otherwise, for a project, one for each segment on the list.
    pub fn new(
        category: Category,
        cap: u32,
        names_by_segment: &BTreeMap<Segment, u32>,
        file: &QuotaFile,
    ) -> Result<QuotaPlan, QuotaError> {
        let names: u32 = names_by_segment.values().sum();
        let total = match file.target {
            Some(0) => return Err(QuotaError::Zero),
            Some(target) if target > cap => {
                return Err(QuotaError::OverCap { target, category, cap });
            }
            Some(target) => target,
            None => cap.min(names),
        };
        if file.kind == CellKind::Soft {
            return Err(QuotaError::SoftTotal);
        }
        if file.replicate_size == Some(0) {
            return Err(QuotaError::NoReplicate);
        }
        let by_segment: BTreeMap<Segment, u32> = if !file.cells.is_empty() {
            file.cells.iter().map(|(name, &target)| (Segment::parse(name), target)).collect()
        } else if category == Category::Project && file.cell.is_empty() {
            names_by_segment
                .iter()
                .filter(|(segment, _)| !segment.is_none())
                .map(|(segment, &names)| (segment.clone(), names.min(total)))
                .collect()
        } else {
            BTreeMap::new()
        };
        let minimums: BTreeMap<Segment, u32> =
            file.minimums.iter().map(|(name, &least)| (Segment::parse(name), least)).collect();
        let listed = |segment: &Segment| names_by_segment.get(segment).copied().unwrap_or(0);
        if let Some((segment, least)) =
            minimums.iter().find(|(segment, least)| names > 0 && listed(segment) < **least)
        {
            return Err(QuotaError::Cell {
                name: segment.to_string(),
                problem: format!(
                    "at least {least} are wanted, and the list has {}",
                    listed(segment)
                ),
            });
        }
        let segments: BTreeSet<&Segment> = by_segment.keys().chain(minimums.keys()).collect();
        let of_segment = |segment: &Segment| {
            let quoted = segment.as_str().replace('\\', "\\\\").replace('"', "\\\"");
            CellFile {
                name: segment.to_string(),
                condition: format!("segment == \"{quoted}\""),
                target: by_segment.get(segment).copied(),
                minimum: minimums.get(segment).copied(),
                kind: CellKind::Hard,
            }
        };
        // Before there is a list, the total may become as large as the cap.
        let largest_total = if names == 0 && file.target.is_none() { cap } else { total };
        let cells: Vec<Cell> = segments
            .into_iter()
            .map(of_segment)
            .chain(file.cell.iter().cloned())
            .map(|cell| Cell::read(cell, total, largest_total))
            .collect::<Result<_, _>>()?;
        let mut names = BTreeSet::from([Segment::TOTAL]);
        if let Some(cell) = cells.iter().find(|cell| !names.insert(cell.name.as_str())) {
            return Err(QuotaError::Cell {
                name: cell.name.clone(),
                problem: "this name stands twice".into(),
            });
        }
        match cells.len() {
            n if n >= MAX_CELLS => Err(QuotaError::TooMany(n)),
            _ => Ok(QuotaPlan { total, total_kind: file.kind, cells }),
        }
    }

    /// Checks that the cells use only existing names: facts, these list fields, and items of this
    /// questionnaire.
    pub fn check_names(
        &self,
        list_fields: &BTreeSet<&str>,
        questionnaire: &Questionnaire,
    ) -> Result<(), QuotaError> {
        for cell in &self.cells {
            let wrong =
                |problem: String| Err(QuotaError::Cell { name: cell.name.clone(), problem });
            if let Some(function) = cell.condition.unknown_functions().first() {
                return wrong(format!("it calls {function}, which there is not"));
            }
            for name in cell.condition.names() {
                let is_item = questionnaire.item(name).is_some_and(|item| item.is_coded());
                if !is_item
                    && !ROUTING_FACTS.contains(&name.as_str())
                    && !list_fields.contains(name.as_str())
                {
                    let what = "no list field of the application and no item of questionnaire";
                    return wrong(format!(
                        "it looks at {name}, which is {what} {}; free text does not count",
                        questionnaire.code
                    ));
                }
            }
        }
        Ok(())
    }

    /// Returns the cells of a respondent on this path. A cell that depends on an answer is unknown
    /// until its question has been asked.
    pub fn membership(&self, path: &QuestionPath<'_>) -> CellMembership {
        let mut membership = CellMembership { cell_mask: QuotaPlan::TOTAL, is_decided: true };
        for (number, cell) in self.cells.iter().enumerate() {
            if !cell.condition.names().iter().all(|name| path.is_settled(name)) {
                membership.is_decided = false;
            } else if path.satisfies(&cell.condition) {
                membership.cell_mask |= 1 << (number + 1);
            }
        }
        membership
    }

    /// Returns whether respondents who have begun hold a reservation.
    pub fn has_reserved_cells(&self) -> bool {
        self.total_kind == CellKind::Reserved
            || self.cells.iter().any(|cell| cell.kind == CellKind::Reserved)
    }
}

impl Cell {
    /// `total`: the target of the total; `largest_total`: what it may still become.
    fn read(file: CellFile, total: u32, largest_total: u32) -> Result<Cell, QuotaError> {
        let name: String = file.name.trim().to_owned();
        let wrong =
            |problem: &str| QuotaError::Cell { name: name.clone(), problem: problem.to_owned() };
        if name.is_empty()
            || name.chars().count() > 60
            || name == Segment::TOTAL
            || name.chars().any(char::is_control)
        {
            return Err(wrong("its name must have 1 to 60 letters and be none that is taken"));
        }
        let minimum = file.minimum.unwrap_or(0);
        if file.target.is_none() && minimum == 0 {
            return Err(wrong("it needs a target, a minimum, or both"));
        }
        if minimum > file.target.unwrap_or(largest_total).min(largest_total) {
            return Err(wrong("its minimum is above its target or that of the total"));
        }
        let target = file.target.unwrap_or(total);
        if target == 0 && file.kind == CellKind::Soft && file.target.is_some() {
            return Err(wrong("a soft cell needs a target of at least 1"));
        }
        let condition = Condition::parse(&file.condition)
            .map_err(|error| wrong(&format!("«{}» cannot be read: {error}", file.condition)))?;
        Ok(Cell { name, condition, target, minimum, kind: file.kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::questionnaire::{Answer, RoutingFacts};

    #[test]
    fn the_target_is_the_smaller_of_cap_and_names_unless_set() {
        let names = BTreeMap::from([(Segment::none(), 64)]);
        let plan = |cap, target| {
            QuotaPlan::new(
                Category::Brand,
                cap,
                &names,
                &QuotaFile { target, ..QuotaFile::default() },
            )
        };
        assert_eq!(plan(100, None).unwrap().total, 64);
        assert_eq!(plan(50, None).unwrap().total, 50);
        assert_eq!(plan(100, Some(30)).unwrap().total, 30);
        assert!(plan(100, Some(101)).is_err() && plan(100, Some(0)).is_err());
    }

    #[test]
    fn a_project_has_a_cell_for_each_kind_of_owner() {
        let names = BTreeMap::from([(Segment::large_owner(), 2), (Segment::small_owner(), 40)]);
        let plan = QuotaPlan::new(Category::Project, 50, &names, &QuotaFile::default()).unwrap();
        let cells: Vec<(&str, u32)> =
            plan.cells.iter().map(|cell| (cell.name.as_str(), cell.target)).collect();
        assert_eq!((plan.total, cells), (42, vec![("large_owner", 2), ("small_owner", 40)]));
    }

    fn file(toml_text: &str) -> QuotaFile {
        toml::from_str(toml_text).unwrap_or_else(|e| panic!("{e}"))
    }

    fn plan(toml_text: &str) -> Result<QuotaPlan, QuotaError> {
        QuotaPlan::new(
            Category::Brand,
            100,
            &BTreeMap::from([(Segment::none(), 90)]),
            &file(toml_text),
        )
    }

    #[test]
    fn cells_interlock_list_fields_and_answers() {
        let questionnaire =
            Questionnaire::parse(include_str!("../../tests/fixtures/every_kind.toml")).unwrap();
        let plan = plan(
            "cells = { \"大\\\"业主\" = 3 }\ncell = [\n{ name = \"north, daily\", if = \"region \
                == 'north' && use == 'daily'\", target = 5 },\n\
             { name = \"low\", if = \"sat1 <= 0\", target = 4, kind = \"soft\" },\n{ name = \
             \"paid\", if = \"paid > 10\", target = 4 } ]",
        )
        .unwrap();
        let facts = |segment: &str, region: &str| RoutingFacts {
            segment: segment.to_owned(),
            mode: "web".to_owned(),
            fields: BTreeMap::from([("region".to_owned(), region.to_owned())]),
            ..RoutingFacts::default()
        };
        let member = |answers: &[(&str, &str)], facts: &RoutingFacts| {
            let read = |(id, raw): &(&str, &str)| {
                (
                    (*id).to_owned(),
                    Answer::from_stored(questionnaire.item(id).unwrap(), raw).unwrap(),
                )
            };
            let answers = answers.iter().map(read).collect();
            let membership = plan.membership(&questionnaire.path(&answers, facts));
            (membership.cell_mask, membership.is_decided)
        };
        // Before anything is asked, the list decides what it can.
        assert_eq!(member(&[], &facts("大\"业主", "north")), (0b11, false));
        assert_eq!(member(&[("use", "daily")], &facts("", "north")), (0b101, false));
        assert_eq!(member(&[("use", "rarely")], &facts("", "north")), (0b1, false));
        // Satisfied respondents are never asked what they paid: the cell is decided after that
        // page.
        assert_eq!(
            member(
                &[("use", "daily"), ("sat1", "3"), ("g1", "1"), ("g2", "1")],
                &facts("", "north")
            ),
            (0b101, true)
        );
        assert_eq!(
            member(
                &[("use", "daily"), ("sat1", "-5"), ("g1", "1"), ("g2", "1")],
                &facts("", "south")
            ),
            (0b1001, false)
        );
        let all = [
            ("use", "daily"),
            ("sat1", "-5"),
            ("g1", "1"),
            ("g2", "1"),
            ("why", "price"),
            ("paid", "12"),
            ("rank1", "a b c"),
        ];
        assert_eq!(member(&all, &facts("", "south")), (0b11001, true));
        let fields = BTreeSet::from(["region"]);
        assert!(plan.check_names(&fields, &questionnaire).is_ok());
        let error = plan.check_names(&BTreeSet::new(), &questionnaire).unwrap_err().to_string();
        assert!(error.starts_with("quota cell north, daily: it looks at region"), "{error}");
    }

    #[test]
    fn a_cell_may_be_a_minimum_beside_a_cap_or_without_one() {
        let names = BTreeMap::from([(Segment::large_owner(), 8), (Segment::small_owner(), 40)]);
        let plan = |category, text: &str| QuotaPlan::new(category, 50, &names, &file(text));
        let cells = |plan: QuotaPlan| -> Vec<(String, u32, u32)> {
            plan.cells.into_iter().map(|cell| (cell.name, cell.target, cell.minimum)).collect()
        };
        let cell = |name: &str, target, minimum| (name.to_owned(), target, minimum);
        let only = plan(Category::Brand, "target = 22\nminimums = { \"大业主\" = 2 }").unwrap();
        assert_eq!(cells(only), [cell("large_owner", 22, 2)], "capped by the total alone");
        let both = plan(
            Category::Brand,
            "target = 22\ncells = { \"小业主\" = 20 }\nminimums = { \"大业主\" = 2, \"小业主\" = 5 \
             }\ncell = [{ name = \"north\", if = \"region == 'north'\", minimum = 3, target = 9 }]",
        );
        assert_eq!(
            cells(both.unwrap()),
            [cell("large_owner", 22, 2), cell("small_owner", 20, 5), cell("north", 9, 3)]
        );
        let of_project = plan(Category::Project, "minimums = { \"大业主\" = 2 }").unwrap();
        assert_eq!(cells(of_project), [cell("large_owner", 8, 2), cell("small_owner", 40, 0)]);
        for (text, said) in [
            ("minimums = { \"大业主\" = 9 }", "at least 9 are wanted, and the list has 8"),
            ("target = 5\nminimums = { \"大业主\" = 6 }", "its minimum is above"),
            (
                "cell = [{ name = \"a\", if = \"true\", target = 2, minimum = 3 }]",
                "its minimum is above",
            ),
            ("cell = [{ name = \"a\", if = \"true\" }]", "it needs a target, a minimum"),
        ] {
            let error = plan(Category::Brand, text).expect_err(text).to_string();
            assert!(error.contains(said), "{error}");
        }
        let before_the_list = QuotaPlan::new(
            Category::Brand,
            50,
            &BTreeMap::new(),
            &file("minimums = { \"大业主\" = 2 }"),
        );
        assert!(before_the_list.is_ok());
    }

    #[test]
    fn what_cannot_be_a_cell_is_refused_with_its_name() {
        for (text, said) in [
            ("kind = \"soft\"", "quota.kind is hard or reserved"),
            ("replicate_size = 0", "replicate_size"),
            (
                "cell = [{ name = \"a\", if = \"x >\", target = 1 }]",
                "quota cell a: «x >» cannot be read",
            ),
            (
                "cell = [{ name = \"a\", if = \"true\", target = 1 }, { name = \"a\", if = \
                    \"true\", target = 1 }]",
                "stands twice",
            ),
            ("cell = [{ name = \"*\", if = \"true\", target = 1 }]", "its name"),
            ("cell = [{ name = \"a\", if = \"true\", target = 0, kind = \"soft\" }]", "at least 1"),
        ] {
            let error = plan(text).expect_err(text).to_string();
            assert!(error.contains(said), "{error}");
        }
        let many: String =
            (0..62).map(|n| format!("{{ name = \"c{n}\", if = \"true\", target = 1 }},")).collect();
        assert_eq!(plan(&format!("cell = [{many}]")).unwrap_err(), QuotaError::TooMany(62));
    }
}
