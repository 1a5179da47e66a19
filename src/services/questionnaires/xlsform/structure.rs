//! The order of the form: groups, and repeats unrolled into rounds.

use super::findings::{Findings, Place};
use super::types::{RowType, is_loop, read_type};
use super::workbook::Row;

/// Limits: groups in groups, and items that repeats are unrolled into.
pub const MAX_NESTING: usize = 16;
pub const MAX_ROWS: usize = 2_000;

/// A part of the form.
#[derive(Debug)]
pub enum Node<'r> {
    Question { row: &'r Row, kind: RowType },
    Group { row: &'r Row, is_repeat: bool, children: Vec<Node<'r>> },
}

impl Node<'_> {
    /// Returns the number of questions in it, with each repeat once.
    pub fn questions(&self) -> usize {
        match self {
            Node::Question { .. } => 1,
            Node::Group { children, .. } => children.iter().map(Node::questions).sum(),
        }
    }
}

struct Open<'r> {
    row: Option<&'r Row>,
    is_repeat: bool,
    children: Vec<Node<'r>>,
}

/// Builds the tree of groups.
pub fn read_structure<'r>(survey: &'r [Row], findings: &mut Findings) -> Vec<Node<'r>> {
    let mut open = vec![Open { row: None, is_repeat: false, children: Vec::new() }];
    for row in survey {
        let kind = read_type(row.get("type"));
        let at = Place::survey(row.number, "type");
        if row.is_yes("disabled") {
            continue;
        }
        match kind {
            RowType::Nothing => {
                let is_comment = row.get("type").starts_with('#');
                if !is_comment && (row.has("label") || row.has("name")) {
                    findings.remark(at, "the row has no type and is not read", "give it a type");
                }
            }
            RowType::BeginGroup | RowType::BeginRepeat => {
                if open.len() > MAX_NESTING {
                    findings.refuse(
                        at,
                        format!("groups stand in each other more than {MAX_NESTING} deep"),
                        "take groups apart",
                    );
                    return Vec::new();
                }
                let is_repeat = kind == RowType::BeginRepeat;
                open.push(Open { row: Some(row), is_repeat, children: Vec::new() });
            }
            RowType::EndGroup | RowType::EndRepeat => {
                let is_repeat = kind == RowType::EndRepeat;
                let word = if is_repeat { "repeat" } else { "group" };
                if open.len() == 1 {
                    let what = format!("a {word} ends that has not begun");
                    findings.refuse(at, what, "delete the row, or add its beginning");
                    continue;
                }
                close(&mut open, |closed, row| {
                    if closed.is_repeat != is_repeat {
                        findings.refuse(
                            at,
                            format!("a {word} ends where that of row {} is open", row.number),
                            "end first what began last",
                        );
                    }
                });
            }
            kind => {
                if let Some(last) = open.last_mut() {
                    last.children.push(Node::Question { row, kind });
                }
            }
        }
    }
    while open.len() > 1 {
        close(&mut open, |_, row| {
            findings.refuse(
                Place::survey(row.number, "type"),
                "a group begins that does not end",
                "add its end",
            );
        });
    }
    open.pop().map(|root| root.children).unwrap_or_default()
}

fn close<'r>(open: &mut Vec<Open<'r>>, check: impl FnOnce(&Open<'r>, &Row)) {
    let Some(closed) = open.pop() else { return };
    let Some(row) = closed.row else { return };
    check(&closed, row);
    let group = Node::Group { row, is_repeat: closed.is_repeat, children: closed.children };
    if let Some(parent) = open.last_mut() {
        parent.children.push(group);
    }
}

/// Returns whether a repeat is a loop over choices, which is refused as such.
pub fn is_loop_row(row: &Row) -> bool {
    is_loop(row.get("type"))
}
