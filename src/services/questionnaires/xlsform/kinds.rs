//! The kinds of questions without choices: numbers, days, texts, scales.

use toml::Value;

use super::choices::raw_texts;
use super::constraints::{Limits, read_limits};
use super::expression::{Expression, parse};
use super::findings::{Place, shortened};
use super::import::Importer;
use super::items::{Draft, Kind, LATENT, first_filled};
use super::languages::Texts;
use super::scope::{AnswerKind, Code};
use super::simplify::simplify;
use super::types::{RowType, parameter};

/// A decimal takes two places, or as many as its limits have, up to the six that items take.
const DECIMALS: i64 = 2;
const MAX_DECIMALS: i64 = 6;
/// A time or a moment as text: `2026-05-13 17:45`.
const TIME_CHARS: i64 = 20;

impl Importer {
    /// Reads the kind of a question without choices.
    pub fn kind_of(&mut self, draft: &Draft, kind: &RowType) -> Option<Kind> {
        let row = draft.row;
        Some(match kind {
            RowType::Integer { limits } => self.number(draft, 0, *limits),
            RowType::Decimal => {
                let exact = row.get("fieldworkd_decimals").parse().ok();
                let decimals = exact.unwrap_or_else(|| self.decimals(draft));
                self.number(draft, decimals, None)
            }
            RowType::Range => return self.range(draft),
            RowType::Date => {
                let limits = self.limits(draft, 1.0);
                let mut kind = Kind::of("date", AnswerKind::Date);
                for (key, day) in [("first", limits.first), ("last", limits.last)] {
                    if let Some(day) = day {
                        kind = kind.with(key, day);
                    }
                }
                kind
            }
            RowType::Time => {
                let what = format!(
                    "{} is asked as text; times have no kind of their own here",
                    draft.name
                );
                self.findings.remark(Place::survey(row.number, "type"), what, "");
                Kind::of("text", AnswerKind::Text).with("max_chars", TIME_CHARS)
            }
            RowType::Acknowledge => {
                let ok = Code { theirs: "OK".to_owned(), ours: "OK".to_owned() };
                let option = toml::Table::from_iter([
                    ("code".to_owned(), Value::from("OK")),
                    ("text".to_owned(), self.languages.words("确认", "OK").into_value()),
                ]);
                Kind::of("single", AnswerKind::One(vec![ok]))
                    .with("options", Value::Array(vec![Value::Table(option)]))
            }
            _ => {
                let limits = self.limits(draft, 1.0);
                let kind = Kind::of("text", AnswerKind::Text);
                match limits.max_chars.and_then(|chars| i64::try_from(chars).ok()) {
                    Some(chars) => kind.with("max_chars", chars),
                    None => kind,
                }
            }
        })
    }

    /// Reads the constraint's limits, and says what of it is not checked.
    fn limits(&mut self, draft: &Draft, step: f64) -> Limits {
        let constraint = draft.row.get("constraint");
        if constraint.is_empty() {
            return Limits::default();
        }
        let limits = match parse(constraint)
            .and_then(|constraint| self.resolve_constants(constraint, &draft.suffix))
        {
            Ok(constraint) => read_limits(&constraint, step),
            Err(_) => Limits { has_more: true, ..Limits::default() },
        };
        if limits.has_more {
            self.remark_unchecked(draft);
        }
        limits
    }

    pub fn remark_unchecked(&mut self, draft: &Draft) {
        let what = format!(
            "the constraint of {} is left out, so its answers are not checked for «{}»",
            draft.name,
            shortened(draft.row.get("constraint"))
        );
        self.findings.remark(
            Place::survey(draft.row.number, "constraint"),
            what,
            "set limits in our own words if it is needed",
        );
    }

    /// Puts calculations in their places; names of answers remain.
    pub fn resolve_constants(
        &self,
        constraint: Expression,
        suffix: &str,
    ) -> Result<Expression, String> {
        if constraint.names().is_empty() {
            simplify(constraint)
        } else {
            self.scope.resolve(constraint, suffix)
        }
    }

    fn decimals(&self, draft: &Draft) -> i64 {
        let written = draft
            .row
            .get("constraint")
            .split(|c: char| !c.is_ascii_digit() && c != '.')
            .filter_map(|number| number.split_once('.'))
            .map(|(_, places)| places.len() as i64);
        written.max().unwrap_or(0).clamp(DECIMALS, MAX_DECIMALS)
    }

    fn number(&mut self, draft: &Draft, decimals: i64, limits: Option<(f64, f64)>) -> Kind {
        let read = self.limits(draft, 10f64.powi(-(decimals as i32)));
        let (min, max) =
            (read.min.or(limits.map(|(min, _)| min)), read.max.or(limits.map(|(_, max)| max)));
        if let (Some(min), Some(max)) = (min, max)
            && min > max
        {
            self.findings.refuse(
                Place::survey(draft.row.number, "constraint"),
                format!("no number is from {min} to {max}"),
                "correct the limits",
            );
            return Kind::of("number", AnswerKind::Number { is_whole: decimals == 0, max: None });
        }
        let mut kind = Kind::of("number", AnswerKind::Number { is_whole: decimals == 0, max });
        for (key, limit) in [("min", min), ("max", max)] {
            if let Some(limit) = limit {
                kind = kind.with(key, limit);
            }
        }
        if decimals > 0 { kind.with("decimals", decimals) } else { kind }
    }

    /// Reads a `range`: a scale if it measures something (the column latent), otherwise a number.
    fn range(&mut self, draft: &Draft) -> Option<Kind> {
        let row = draft.row;
        let parameters = row.get("parameters");
        let at = Place::survey(row.number, "parameters");
        let read = |key: &str, default: f64| match parameter(parameters, key) {
            None => Ok(default),
            Some(raw) => raw.parse::<f64>().map_err(|_| format!("{key} «{raw}» is no number")),
        };
        let (start, end, step) = match (read("start", 0.0), read("end", 10.0), read("step", 1.0)) {
            (Ok(start), Ok(end), Ok(step)) if start != end && step != 0.0 => (start, end, step),
            (Err(what), ..) | (_, Err(what), _) | (.., Err(what)) => {
                self.findings.refuse(at, what, "write numbers, such as start=1 end=10 step=1");
                return None;
            }
            _ => {
                self.findings.refuse(at, "the range has no two points", "set start, end and step");
                return None;
            }
        };
        let (from, to) = if start < end { (start, end) } else { (end, start) };
        let is_whole = from.fract() == 0.0 && to.fract() == 0.0 && step.fract() == 0.0;
        let latent = first_filled(row, LATENT);
        if !latent.is_empty() && is_whole && step.abs() == 1.0 && to - from <= 100.0 {
            let list = parameter(parameters, "tick_labelset").unwrap_or_default();
            let word = |point: f64| {
                let choices = self.lists.get(&list)?;
                choices
                    .iter()
                    .find(|choice| choice.code.theirs.parse() == Ok(point))
                    .map(|c| c.text.clone())
            };
            return Some(self.scale(draft, from as i64, to as i64, word(from), word(to)));
        }
        if step.abs() != 1.0 {
            let what = format!("steps of {step} are not checked for {}", draft.name);
            self.findings.remark(at, what, "");
        }
        let places =
            |number: f64| number.to_string().split_once('.').map_or(0, |(_, p)| p.len() as i64);
        let decimals = places(from).max(places(to)).max(places(step)).min(MAX_DECIMALS);
        Some(self.number(draft, decimals, Some((from, to))))
    }

    /// Makes a scale. Without words for its ends, their numbers stand there.
    pub fn scale(
        &mut self,
        draft: &Draft,
        from: i64,
        to: i64,
        low: Option<Texts>,
        high: Option<Texts>,
    ) -> Kind {
        if low.is_none() || high.is_none() {
            let what = format!("{} is a scale; give its ends words (low, high)", draft.name);
            self.findings.remark(Place::survey(draft.row.number, "parameters"), what, "");
        }
        let end = |words: Option<Texts>, column: &str, point: i64| {
            raw_texts(
                draft.row,
                column,
                words.unwrap_or_else(|| self.languages.same(&point.to_string())),
            )
        };
        let scale = toml::Table::from_iter([
            ("from".to_owned(), Value::from(from)),
            ("to".to_owned(), Value::from(to)),
            ("low".to_owned(), end(low, "low", from).into_value()),
            ("high".to_owned(), end(high, "high", to).into_value()),
        ]);
        let answer = AnswerKind::Number { is_whole: true, max: Some(to as f64) };
        Kind::of("scale", answer).with("scale", Value::Table(scale))
    }
}
