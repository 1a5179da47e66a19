//! What an import has to say: each finding names its sheet, row and column, and what to do.

use std::collections::HashSet;
use std::fmt;

/// A finding of an import.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Finding {
    pub sheet: &'static str,
    /// The row as a spreadsheet program shows it, from 1; 0 for the sheet as a whole.
    pub row: u32,
    /// The header of the column; empty for the row as a whole.
    pub column: String,
    pub what: String,
    /// The same in Chinese, where the import did not word it.
    pub what_zh: Option<String>,
    /// What to do; empty where nothing has to be done.
    pub remedy: String,
    /// What else can be done, which each interface says in its own words.
    pub otherwise: Otherwise,
}

/// A way out beside a finding's remedy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Otherwise {
    Nothing,
    /// To leave out what cannot be asked ([`super::ImportOptions::leaves_out`]).
    LeaveOut,
    /// To say the tag of the language with this name ([`super::ImportOptions::languages`]).
    NameLanguage(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sheet {}", self.sheet)?;
        if self.row > 0 {
            write!(f, ", row {}", self.row)?;
        }
        write!(f, ": {}", self.what)?;
        if !self.column.is_empty() {
            write!(f, " (column {})", self.column)?;
        }
        if !self.remedy.is_empty() {
            write!(f, "; {}", self.remedy)?;
        }
        match &self.otherwise {
            Otherwise::Nothing => Ok(()),
            Otherwise::LeaveOut => f.write_str(", or leave it out with --leave-out"),
            Otherwise::NameLanguage(name) => {
                write!(f, ", or say it with --language fr={name}")
            }
        }
    }
}

/// Returns an expression as messages show it: not longer than a line or two.
pub fn shortened(expression: &str) -> String {
    const LONGEST: usize = 120;
    let mut characters = expression.chars();
    let short: String = characters.by_ref().take(LONGEST).collect();
    if characters.next().is_some() { format!("{short}…") } else { short }
}

/// Everything that keeps a form from being imported: several findings stand in lines of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusals(pub Vec<Finding>);

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [finding] = self.0.as_slice() {
            return write!(f, "{finding}");
        }
        write!(f, "it cannot be imported for {} reasons:", self.0.len())?;
        self.0.iter().try_for_each(|finding| write!(f, "\n  {finding}"))?;
        writeln!(f)
    }
}

/// A place in the workbook.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub sheet: &'static str,
    pub row: u32,
    pub column: &'a str,
}

impl<'a> Place<'a> {
    pub fn survey(row: u32, column: &'a str) -> Place<'a> {
        Place { sheet: "survey", row, column }
    }

    pub fn choices(row: u32, column: &'a str) -> Place<'a> {
        Place { sheet: "choices", row, column }
    }

    pub fn settings(column: &'a str) -> Place<'a> {
        Place { sheet: "settings", row: 0, column }
    }

    fn finding(self, what: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding {
            sheet: self.sheet,
            row: self.row,
            column: self.column.to_owned(),
            what: what.into(),
            what_zh: None,
            remedy: remedy.into(),
            otherwise: Otherwise::Nothing,
        }
    }
}

/// The findings so far.
#[derive(Debug, Default)]
pub struct Findings {
    pub remarks: Vec<Finding>,
    pub refusals: Vec<Finding>,
    /// Whether what cannot be asked is left out (`--leave-out`) rather than refused.
    pub leaves_out: bool,
    /// A repeat's rounds have the same findings.
    seen: HashSet<Finding>,
}

impl Findings {
    pub fn new(leaves_out: bool) -> Findings {
        Findings { leaves_out, ..Findings::default() }
    }

    /// Adds what was decided, and what to do if that was not meant.
    pub fn remark(&mut self, at: Place, what: impl Into<String>, remedy: impl Into<String>) {
        self.add_remark(at.finding(what, remedy));
    }

    /// Adds what was decided about a language; the user may say its tag.
    pub fn remark_on_language(&mut self, at: Place, what: String, remedy: &str, name: &str) {
        let otherwise = Otherwise::NameLanguage(name.to_owned());
        self.add_remark(Finding { otherwise, ..at.finding(what, remedy) });
    }

    /// Adds a finding of the questionnaire's own check, in Chinese and English.
    pub fn remark_of_check(&mut self, at: Place, (zh, en): (String, String), remedy: &str) {
        self.add_remark(Finding { what_zh: Some(zh), ..at.finding(en, remedy) });
    }

    fn add_remark(&mut self, finding: Finding) {
        if self.seen.insert(finding.clone()) {
            self.remarks.push(finding);
        }
    }

    /// Adds a mistake of the form, which nothing but a correction mends.
    pub fn refuse(&mut self, at: Place, what: impl Into<String>, remedy: impl Into<String>) {
        self.add_refusal(at.finding(what, remedy));
    }

    fn add_refusal(&mut self, finding: Finding) {
        if self.seen.insert(finding.clone()) {
            self.refusals.push(finding);
        }
    }

    /// Adds what cannot be asked here, and is left out if the user wants so.
    pub fn leave_out(&mut self, at: Place, what: impl Into<String>, remedy: &str) {
        if self.leaves_out {
            self.remark(at, format!("{}; left out", what.into()), "");
        } else {
            let otherwise = Otherwise::LeaveOut;
            self.add_refusal(Finding { otherwise, ..at.finding(what, remedy) });
        }
    }
}
