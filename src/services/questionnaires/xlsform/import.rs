//! Walks through the form: opens and closes groups, and unrolls repeats.

use std::collections::{BTreeSet, HashMap};

use super::choices::{Lists, raw_texts, read_lists};
use super::columns::collapsed;
use super::conditions::Condition;
use super::expression::{Expression, Sign, parse};
use super::findings::{Findings, Place, shortened};
use super::languages::{Languages, Texts};
use super::names::Names;
use super::pages::{Grid, PageHead, Placed};
use super::scope::{AnswerKind, Meaning, Scope};
use super::structure::{MAX_ROWS, Node, is_loop_row, read_structure};
use super::texts::pipe;
use super::types::{RowType, parameter, read_type};
use super::workbook::{Row, Workbook};
use super::{ImportedQuestionnaire, XlsFormError};

/// Limit of the rounds that one repeat is unrolled into.
const MAX_ROUNDS: usize = 50;

/// An open group.
pub struct Group {
    number: usize,
    pub title: Option<Texts>,
    pub condition: Option<Condition>,
    /// Whether it is shown as one page.
    is_page: bool,
    pub is_grid: bool,
    /// The heading of the group's table.
    pub heading: Option<Texts>,
    /// The id of the table in an exported form.
    exact_id: Option<String>,
    is_dropped: bool,
}

pub struct Importer {
    pub findings: Findings,
    pub languages: Languages,
    pub lists: Lists,
    pub scope: Scope,
    pub names: Names,
    pub placed: Vec<Placed>,
    /// The label of each question, by its name in the form.
    pub labels: HashMap<String, Texts>,
    /// The form's name of each item.
    pub form_names: HashMap<String, String>,
    /// The group in which each name of a round was defined.
    pub defined_in: HashMap<(String, String), usize>,
    /// Names of calculations, in order.
    pub calculations: Vec<String>,
    pub has_core: bool,
    /// Names in groups that are left out; known until the group ends.
    dropped_names: Vec<(String, String)>,
    pub groups: Vec<Group>,
    group_count: usize,
    segment: usize,
    rows_read: usize,
}

impl Importer {
    pub fn new(workbook: &Workbook, mut languages: Languages, mut findings: Findings) -> Importer {
        let duplicates = workbook.settings.is_yes("allow_choice_duplicates");
        let used = used_lists(&workbook.survey);
        let choices: Vec<&Row> = workbook
            .choices
            .iter()
            .filter(|row| used.contains(&collapsed(row.get("list_name"))))
            .collect();
        let lists = read_lists(&choices, &mut languages, &mut findings, duplicates);
        let mut scope = Scope::default();
        for row in &workbook.survey {
            scope.all_names.entry(row.get("name").to_owned()).or_insert(row.number);
        }
        Importer {
            findings,
            languages,
            lists,
            scope,
            names: Names::default(),
            placed: Vec::new(),
            labels: HashMap::new(),
            form_names: HashMap::new(),
            defined_in: HashMap::new(),
            calculations: Vec::new(),
            has_core: workbook
                .survey
                .iter()
                .any(|row| row.is_yes("core") || row.is_yes("fieldworkd_core")),
            dropped_names: Vec::new(),
            groups: Vec::new(),
            group_count: 0,
            segment: 0,
            rows_read: 0,
        }
    }

    pub fn import(mut self, workbook: &Workbook) -> Result<ImportedQuestionnaire, XlsFormError> {
        let tree = read_structure(&workbook.survey, &mut self.findings);
        self.reserve_exact_names(&workbook.survey);
        self.walk(&tree, "");
        self.remark_on_columns(&workbook.survey, &workbook.choices);
        self.finish(workbook)
    }

    fn walk(&mut self, nodes: &[Node], suffix: &str) {
        for node in nodes {
            match node {
                Node::Question { row, kind } => {
                    self.rows_read += 1;
                    if self.rows_read == MAX_ROWS {
                        self.findings.refuse(
                            Place::survey(row.number, ""),
                            format!(
                                "the form has more than {MAX_ROWS} questions, repeats unrolled"
                            ),
                            "shorten it, or repeat less often",
                        );
                    }
                    if self.rows_read < MAX_ROWS {
                        self.read_question(row, kind, suffix);
                    }
                }
                Node::Group { row, is_repeat: false, children } => {
                    self.open_group(row, suffix, None);
                    self.walk(children, suffix);
                    self.close_group();
                }
                Node::Group { row, is_repeat: true, children } => {
                    self.unroll(row, children, node.questions(), suffix);
                }
            }
        }
    }

    fn unroll(&mut self, row: &Row, children: &[Node], questions: usize, suffix: &str) {
        let at = Place::survey(row.number, "repeat_count");
        if questions == 0 {
            return;
        }
        let rounds = if is_loop_row(row) {
            Err((
                "a loop over choices cannot be asked here".to_owned(),
                "write its rows once for each choice",
            ))
        } else {
            self.rounds(row, suffix)
        };
        let (rounds, counted) = match rounds {
            Ok((rounds, _))
                if rounds > MAX_ROUNDS || rounds * questions + self.rows_read >= MAX_ROWS =>
            {
                let what = format!("{rounds} rounds of {questions} questions are too many");
                self.findings.leave_out(at, what, "ask fewer, as items of their own");
                (0, None)
            }
            Ok(rounds) => rounds,
            Err((what, remedy)) => {
                self.findings.leave_out(at, what, remedy);
                (0, None)
            }
        };
        if rounds == 0 {
            // One round, which is not placed, so that everything wrong in it is found.
            self.open_group(row, suffix, None);
            self.drop_group();
            self.walk(children, &format!("{suffix}_0"));
            self.close_group();
            return;
        }
        if rounds > 1 {
            let name = row.get("name");
            let what = format!(
                "the repeat {name} is asked {rounds} times at most, as items _1 to _{rounds}"
            );
            self.findings.remark(at, what, "");
        }
        for round in 1..=rounds {
            let condition = counted.as_ref().map(|id: &String| {
                let number = Expression::Number(round as f64);
                Expression::compare(Sign::AtLeast, Expression::Name(id.clone()), number)
            });
            self.open_group(row, suffix, Some((round, rounds, condition)));
            // A single round is no more than a group, and its names are known outside.
            let own = if rounds == 1 { suffix.to_owned() } else { format!("{suffix}_{round}") };
            self.walk(children, &own);
            self.close_group();
        }
    }

    /// Returns how many rounds a repeat has at most, and the item that counts them.
    fn rounds(
        &self,
        row: &Row,
        suffix: &str,
    ) -> Result<(usize, Option<String>), (String, &'static str)> {
        let remedy = "set repeat_count to a number, or limit the question that counts (constraint)";
        let raw = row.get("repeat_count");
        if raw.is_empty() {
            let what = "a repeat without a fixed count cannot be asked here".to_owned();
            return Err((what, "set repeat_count to the largest number"));
        }
        let problem = |why: String| (format!("repeat_count «{}»: {why}", shortened(raw)), remedy);
        let count =
            parse(raw).and_then(|count| self.scope.resolve(count, suffix)).map_err(problem)?;
        let whole = |number: f64| {
            let is_whole = number.fract() == 0.0 && (1.0..=1e6).contains(&number);
            is_whole.then_some(number as usize)
        };
        let text = match &count {
            Expression::Number(number) => {
                return whole(*number)
                    .map(|n| (n, None))
                    .ok_or_else(|| problem(format!("{number} is no number of rounds")));
            }
            Expression::Text(text) => text.trim().parse().ok().and_then(whole).map(|n| (n, None)),
            Expression::Name(id) => match self.scope.answers.get(id) {
                Some(AnswerKind::Number { max: Some(max), is_whole: true }) => {
                    whole(*max).map(|n| (n, Some(id.clone())))
                }
                _ => None,
            },
            _ => None,
        };
        text.ok_or_else(|| problem("how many rounds there are at most is not known".to_owned()))
    }

    fn open_group(
        &mut self,
        row: &Row,
        suffix: &str,
        round: Option<(usize, usize, Option<Expression>)>,
    ) {
        let is_inside_page = self.is_inside_page();
        self.group_count += 1;
        self.segment += usize::from(!is_inside_page);
        let appearance = row.get("appearance").to_lowercase();
        let is_grid = appearance.split_whitespace().any(|word| word == "table-list");
        let mut title =
            self.languages.text(row, "label").map(|title| raw_texts(row, "text", title));
        if !self.languages.same("").is_exact(row, "text") {
            if let Some(title) = &title {
                let at = Place::survey(row.number, "label");
                self.remark_on_losses(at, "the group", title, suffix);
            }
            title =
                title.and_then(|title| match title.map(|text| pipe(text, &self.scope, suffix)) {
                    Ok(title) => Some(title),
                    Err(why) => {
                        let at = Place::survey(row.number, "label");
                        self.findings.leave_out(
                            at,
                            format!("the group's label: {why}"),
                            "change the label",
                        );
                        None
                    }
                });
        }
        let mut condition = self.condition_of(row, suffix, "the group");
        let mut group = Group {
            number: self.group_count,
            title,
            condition: None,
            is_page: is_grid || appearance.split_whitespace().any(|word| word == "field-list"),
            is_grid,
            heading: None,
            exact_id: row.raw("fieldworkd_id").map(str::to_owned),
            is_dropped: false,
        };
        if let Some((round, rounds, counted)) = round {
            if rounds > 1 {
                group.title = group.title.map(|title| title.with_suffix(&format!(" ({round})")));
            }
            if let (Ok(own), Some(counted)) = (&condition, counted) {
                let all =
                    own.iter().filter_map(|own| own.expression.clone()).chain([counted]).collect();
                condition = match Expression::all(all).map(|all| self.write(all)).transpose() {
                    Ok(condition) => Ok(condition),
                    Err(problem) => {
                        let at = Place::survey(row.number, "relevant");
                        self.findings.leave_out(at, problem, "change the condition");
                        Err(())
                    }
                };
            }
        }
        match condition {
            Ok(condition) => group.condition = condition,
            Err(()) => group.is_dropped = true,
        }
        group.heading = group.is_grid.then(|| group.title.clone()).flatten();
        let is_heading = is_inside_page && !is_grid && group.title.is_some();
        let heading = group.title.clone().filter(|_| is_heading);
        self.scope.open_groups.push(group.number);
        self.groups.push(group);
        if let Some(heading) = heading {
            self.place_heading(row, heading, suffix);
        }
    }

    fn close_group(&mut self) {
        self.groups.pop();
        self.scope.open_groups.pop();
        if !self.is_dropped() {
            for (name, suffix) in std::mem::take(&mut self.dropped_names) {
                let why = format!("it looks at {name}, which is left out with its group");
                self.scope.define(&name, &suffix, Meaning::Unknown(why));
            }
        }
        self.segment += usize::from(!self.is_inside_page());
    }

    fn drop_group(&mut self) {
        if let Some(group) = self.groups.last_mut() {
            group.is_dropped = true;
        }
    }

    fn is_inside_page(&self) -> bool {
        self.groups.iter().any(|group| group.is_page)
    }

    pub fn is_dropped(&self) -> bool {
        self.groups.iter().any(|group| group.is_dropped)
    }

    pub fn group(&mut self) -> Option<&mut Group> {
        self.groups.last_mut()
    }

    pub fn group_number(&self) -> usize {
        self.groups.last().map_or(0, |group| group.number)
    }

    /// Adds an item to the page of the open groups. `own` are its own conditions.
    pub fn place(&mut self, mut item: toml::Table, own: Vec<Condition>, looks_at: Vec<String>) {
        if self.is_dropped() {
            return;
        }
        let page_end = self
            .groups
            .iter()
            .position(|group| group.is_page)
            .map_or(self.groups.len(), |place| place + 1);
        let (outer, inner) = self.groups.split_at(page_end);
        let conditions: Vec<Condition> =
            inner.iter().filter_map(|group| group.condition.clone()).chain(own).collect();
        let texts = |conditions: &[&Condition]| {
            joined(&conditions.iter().map(|condition| condition.cel.as_str()).collect::<Vec<_>>())
        };
        if let Some(show_if) = texts(&conditions.iter().collect::<Vec<_>>()) {
            item.insert("show_if".to_owned(), toml::Value::String(show_if));
        }
        let outer_conditions: Vec<&Condition> =
            outer.iter().filter_map(|group| group.condition.as_ref()).collect();
        let head = PageHead {
            title: outer.iter().rev().find_map(|group| group.title.clone()),
            show_if: texts(&outer_conditions),
        };
        let grid = self.groups.last().and_then(|group| {
            let heading = group.heading.clone().filter(|_| group.is_grid)?;
            Some(Grid { group: group.number, heading, id: group.exact_id.clone() })
        });
        let looks_at = conditions.into_iter().flat_map(|c| c.looks_at).chain(looks_at).collect();
        self.placed.push(Placed { item, looks_at, grid, page: self.segment, head });
    }

    /// Defines a name, unless its group is left out.
    pub fn define(&mut self, name: &str, suffix: &str, meaning: Meaning) {
        let meaning = match meaning {
            Meaning::Unknown(_) => meaning,
            _ if self.scope.is_defined(name, suffix) => {
                Meaning::Unknown(format!("{name} stands twice, and which is meant is not clear"))
            }
            other => other,
        };
        if self.is_dropped() {
            self.dropped_names.push((name.to_owned(), suffix.to_owned()));
        }
        self.scope.define(name, suffix, meaning);
    }
}

/// Returns the lists that questions name; others do not matter.
fn used_lists(survey: &[Row]) -> BTreeSet<String> {
    let lists = |row: &Row| {
        let labels = parameter(row.get("parameters"), "tick_labelset");
        match read_type(row.get("type")) {
            RowType::Select { list, .. } => [Some(list), labels],
            _ => [None, labels],
        }
    };
    survey.iter().flat_map(lists).flatten().collect()
}

/// Joins conditions that must all hold.
fn joined(conditions: &[&str]) -> Option<String> {
    match conditions {
        [] => None,
        [one] => Some((*one).to_owned()),
        several => Some(
            several
                .iter()
                .map(|condition| format!("({condition})"))
                .collect::<Vec<_>>()
                .join(" && "),
        ),
    }
}
