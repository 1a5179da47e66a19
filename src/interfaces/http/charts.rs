//! Charts as SVG, rendered on the server: axes with units, and for each mark its values, under the
//! pointer and by the keyboard (one stop for a chart, arrows within it). The page that shows a chart
//! has a table of the same figures beside it.

use std::fmt::Write;

use askama::Template;
use chrono::NaiveDate;

/// The drawing area of [`Chart`]; `templates/shared/chart.html` has the same numbers.
const LEFT: f64 = 80.0;
const RIGHT: f64 = 676.0;
const TOP: f64 = 62.0;
const BOTTOM: f64 = 250.0;
/// Labels along the axis of a wide screen, and of a phone.
const LABELS: usize = 12;
const LABELS_ON_PHONE: usize = 4;

/// The words of a chart. `id` is unique on its page.
#[derive(Debug, Clone)]
pub struct Heading {
    pub id: String,
    pub title: String,
    pub x_title: String,
    pub y_title: String,
}

struct Tick {
    at: f64,
    label: String,
    /// Left out on a phone.
    is_minor: bool,
}

struct Mark {
    words: String,
    x: f64,
    width: f64,
    /// Left, top, width and height.
    bar: Option<(f64, f64, f64, f64)>,
    dot: Option<(f64, f64)>,
}

/// Columns, or a line of points; a line may have a band, a median and a target.
#[derive(Template)]
#[template(path = "shared/chart.html")]
pub struct Chart {
    heading: Heading,
    y_ticks: Vec<Tick>,
    x_ticks: Vec<Tick>,
    marks: Vec<Mark>,
    line: String,
    band: String,
    median: String,
    target_y: Option<f64>,
}

/// A value along the horizontal axis.
pub struct Point {
    pub label: String,
    pub value: Option<f64>,
    /// What is read out and shown at the mark.
    pub words: String,
}

fn tenth(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// Returns round numbers from 0 to at least `most`, three to six of them.
fn round_steps(most: f64) -> Vec<f64> {
    let most = most.max(1.0);
    let power = 10f64.powf((most / 5.0).log10().floor()).max(1.0);
    let step = [1.0, 2.0, 5.0, 10.0].map(|n| n * power).into_iter().find(|step| most / step <= 5.0);
    let step = step.unwrap_or(most);
    let count = (most / step).ceil() as u32;
    (0..=count).map(|n| f64::from(n) * step).collect()
}

/// The vertical axis between two values.
struct Vertical {
    low: f64,
    high: f64,
}

impl Vertical {
    fn y(&self, value: f64) -> f64 {
        let span = (self.high - self.low).max(f64::EPSILON);
        tenth(BOTTOM - (BOTTOM - TOP) * ((value - self.low) / span).clamp(0.0, 1.0))
    }

    fn ticks(&self, steps: &[f64]) -> Vec<Tick> {
        steps
            .iter()
            .map(|value| Tick { at: self.y(*value), label: value.to_string(), is_minor: false })
            .collect()
    }
}

fn horizontal_ticks(labels: &[(f64, String)]) -> Vec<Tick> {
    let every = labels.len().div_ceil(LABELS).max(1);
    let on_phone = labels.len().div_ceil(LABELS_ON_PHONE).div_ceil(every).max(1) * every;
    labels
        .iter()
        .enumerate()
        .filter(|(at, _)| at % every == 0)
        .map(|(at, (x, label))| Tick { at: *x, label: label.clone(), is_minor: at % on_phone != 0 })
        .collect()
}

impl Chart {
    /// Columns from 0; `None` if there is nothing to show.
    pub fn columns(heading: Heading, points: &[Point]) -> Option<Chart> {
        if points.is_empty() {
            return None;
        }
        let most = points.iter().filter_map(|point| point.value).fold(0.0, f64::max);
        let steps = round_steps(most);
        let vertical = Vertical { low: 0.0, high: steps.last().copied().unwrap_or(1.0) };
        let width = (RIGHT - LEFT) / points.len() as f64;
        let left = |at: usize| LEFT + width * at as f64;
        let labels: Vec<(f64, String)> = points
            .iter()
            .enumerate()
            .map(|(at, point)| (tenth(left(at) + width / 2.0), point.label.clone()))
            .collect();
        let marks = points.iter().enumerate().map(|(at, point)| Mark {
            words: point.words.clone(),
            x: tenth(left(at)),
            width: tenth(width),
            bar: point.value.map(|value| {
                let y = vertical.y(value);
                (tenth(left(at) + width * 0.12), y, tenth(width * 0.76), tenth(BOTTOM - y))
            }),
            dot: None,
        });
        Some(Chart {
            heading,
            y_ticks: vertical.ticks(&steps),
            x_ticks: horizontal_ticks(&labels),
            marks: marks.collect(),
            line: String::new(),
            band: String::new(),
            median: String::new(),
            target_y: None,
        })
    }

    /// A line between two values of the vertical axis. Where a value is missing, the line goes on to
    /// the next one. `None` if there is no value.
    pub fn line(heading: Heading, (low, high): (f64, f64), points: &[Point]) -> Option<Chart> {
        if points.iter().all(|point| point.value.is_none()) {
            return None;
        }
        let vertical = Vertical { low, high };
        let width = (RIGHT - LEFT) / points.len() as f64;
        let middle = |at: usize| tenth(LEFT + width * (at as f64 + 0.5));
        let labels: Vec<(f64, String)> = points
            .iter()
            .enumerate()
            .map(|(at, point)| (middle(at), point.label.clone()))
            .collect();
        let mut line = String::new();
        for (at, point) in points.iter().enumerate() {
            if let Some(value) = point.value {
                // Writing to a string does not fail.
                let _ = write!(line, "{},{} ", middle(at), vertical.y(value));
            }
        }
        let marks = points.iter().enumerate().map(|(at, point)| Mark {
            words: point.words.clone(),
            x: tenth(LEFT + width * at as f64),
            width: tenth(width),
            bar: None,
            dot: point.value.map(|value| (middle(at), vertical.y(value))),
        });
        let steps = [low, f64::midpoint(low, high).floor(), high];
        Some(Chart {
            heading,
            y_ticks: vertical.ticks(&steps),
            x_ticks: horizontal_ticks(&labels),
            marks: marks.collect(),
            line: line.trim_end().to_owned(),
            band: String::new(),
            median: String::new(),
            target_y: None,
        })
    }
}

/// A forecast of completes: low end, median and high end.
pub type Band = (u32, u32, u32);

/// One day of completes: those up to it, and the forecast.
pub struct CurveRow {
    pub day: NaiveDate,
    pub completes: Option<u32>,
    pub forecast: Option<Band>,
}

/// Completes from the launch to the last day: actual figures and the band of the forecast.
pub struct Curve {
    pub chart: Chart,
    pub rows: Vec<CurveRow>,
}

/// Builds the curve. `forecast` holds days from today on; `words` says a day in words.
pub fn curve(
    heading: Heading,
    days: &[(NaiveDate, u32)],
    forecast: &[(NaiveDate, Band)],
    target: u32,
    words: impl Fn(&CurveRow) -> String,
) -> Option<Curve> {
    let mut rows: Vec<CurveRow> = days
        .iter()
        .map(|(day, n)| CurveRow { day: *day, completes: Some(*n), forecast: None })
        .collect();
    for (day, band) in forecast {
        match rows.iter_mut().find(|row| row.day == *day) {
            Some(row) => row.forecast = Some(*band),
            None => rows.push(CurveRow { day: *day, completes: None, forecast: Some(*band) }),
        }
    }
    let first = days.first().map(|(day, _)| *day)?;
    let last = rows.iter().map(|row| row.day).max()?;
    let most = |row: &CurveRow| row.completes.max(row.forecast.map(|(.., high)| high)).unwrap_or(0);
    let most = rows.iter().map(most).max().unwrap_or(0).max(target);
    let steps = round_steps(f64::from(most));
    let vertical = Vertical { low: 0.0, high: steps.last().copied().unwrap_or(1.0) };
    let days_wide = ((last - first).num_days() as f64).max(1.0);
    let step = (RIGHT - LEFT) / (days_wide + 1.0);
    let x = |day: NaiveDate| tenth(LEFT + step * ((day - first).num_days() as f64 + 0.5));
    let join = |points: &mut dyn Iterator<Item = (NaiveDate, u32)>| {
        points
            .map(|(day, n)| format!("{},{}", x(day), vertical.y(f64::from(n))))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let line = join(&mut days.iter().copied());
    let up = join(&mut forecast.iter().map(|(day, (.., high))| (*day, *high)));
    let down = join(&mut forecast.iter().rev().map(|(day, (low, ..))| (*day, *low)));
    let band = if forecast.is_empty() { String::new() } else { format!("{up} {down}") };
    let median = join(&mut forecast.iter().map(|(day, (_, median, _))| (*day, *median)));
    let labels: Vec<(f64, String)> =
        rows.iter().map(|row| (x(row.day), row.day.format("%m-%d").to_string())).collect();
    let marks = rows.iter().map(|row| Mark {
        words: words(row),
        x: tenth(x(row.day) - step / 2.0),
        width: tenth(step),
        bar: None,
        dot: row.completes.map(|n| (x(row.day), vertical.y(f64::from(n)))),
    });
    let chart = Chart {
        heading,
        y_ticks: vertical.ticks(&steps),
        x_ticks: horizontal_ticks(&labels),
        marks: marks.collect(),
        line,
        band,
        median,
        target_y: (target > 0).then(|| vertical.y(f64::from(target))),
    };
    Some(Curve { chart, rows })
}

struct Cell {
    words: String,
    label: String,
    class: &'static str,
    x: u32,
    y: u32,
}

struct PlacedLabel {
    at: u32,
    label: String,
}

/// Weekdays across, hours down; only the hours between the first and the last with something in them.
#[derive(Template)]
#[template(path = "shared/heat-map.html")]
pub struct HeatMap {
    heading: Heading,
    height: u32,
    days: Vec<PlacedLabel>,
    hours: Vec<PlacedLabel>,
    cells: Vec<Cell>,
}

/// What a cell of a heat map shows.
pub struct Heat {
    /// From 0 to 1; `None`: too few for a figure, or nothing.
    pub share: Option<f64>,
    pub is_few: bool,
    pub label: String,
    pub words: String,
}

impl HeatMap {
    /// `None` if no cell holds anything.
    pub fn new(
        heading: Heading,
        day_names: [&str; 7],
        hours: &[usize],
        heat: impl Fn(usize, usize) -> Heat,
    ) -> Option<HeatMap> {
        if hours.is_empty() {
            return None;
        }
        let x = |day: usize| 58 + 51 * u32::try_from(day).unwrap_or(0);
        let y = |row: usize| 72 + 27 * u32::try_from(row).unwrap_or(0);
        let mut cells = Vec::new();
        for (row, hour) in hours.iter().enumerate() {
            for day in 0..7 {
                let found = heat(day, *hour);
                let class = match found.share {
                    _ if found.is_few => "few",
                    None => "none",
                    Some(share) if share < 0.2 => "h1",
                    Some(share) if share < 0.4 => "h2",
                    Some(share) if share < 0.6 => "h3",
                    Some(share) if share < 0.8 => "h4",
                    Some(_) => "h5",
                };
                let (words, label) = (found.words, found.label);
                cells.push(Cell { words, label, class, x: x(day), y: y(row) });
            }
        }
        let label = |(day, name): (usize, &&str)| PlacedLabel {
            at: x(day) + 24,
            label: (*name).to_owned(),
        };
        let hour_label = |(row, hour): (usize, &usize)| PlacedLabel {
            at: y(row) + 12,
            label: format!("{hour}:00"),
        };
        Some(HeatMap {
            heading,
            height: y(hours.len()) + 6,
            days: day_names.iter().enumerate().map(label).collect(),
            hours: hours.iter().enumerate().map(hour_label).collect(),
            cells,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heading() -> Heading {
        Heading {
            id: "c".into(),
            title: "Completes".into(),
            x_title: "day".into(),
            y_title: "completes".into(),
        }
    }

    fn numbers(svg: &str, attribute: &str) -> Vec<f64> {
        let start = format!(" {attribute}=\"");
        let found = svg.split(&start).skip(1);
        found.filter_map(|rest| rest.split('"').next()?.parse().ok()).collect()
    }

    #[test]
    fn a_curve_stays_within_its_picture_and_its_table_says_the_same() {
        let day = |n: u32| NaiveDate::from_ymd_opt(2026, 3, n).unwrap();
        let curve = curve(
            heading(),
            &[(day(1), 0), (day(2), 4)],
            &[(day(2), (4, 5, 6)), (day(9), (8, 12, 20))],
            10,
            |row| row.day.to_string(),
        )
        .unwrap();
        assert_eq!(curve.rows.len(), 3);
        let svg = curve.chart.render().unwrap();
        assert!(numbers(&svg, "x").iter().all(|x| (0.0..=680.0).contains(x)), "{svg}");
        assert!(numbers(&svg, "cy").iter().all(|y| (TOP..=BOTTOM).contains(y)), "{svg}");
        assert!(svg.contains(">20<") && svg.contains(">0<") && svg.contains(">completes<"));
        assert_eq!(svg.matches("class=\"mark\"").count(), 3);
        assert_eq!(svg.matches("tabindex=\"0\"").count(), 1, "one stop for the keyboard");
        assert!(super::curve(heading(), &[], &[], 10, |_| String::new()).is_none());
    }

    /// kobotoolbox/kobocat#190: long labels broke the graph, and were nowhere in full.
    #[test]
    fn labels_do_not_crowd_and_every_value_is_told_in_full() {
        let points: Vec<Point> = (0..60)
            .map(|n| Point {
                label: format!("L{n}"),
                value: Some(f64::from(n)),
                words: format!("label number {n} in full: {n} people"),
            })
            .collect();
        let svg = Chart::columns(heading(), &points).unwrap().render().unwrap();
        let shown = (0..60).filter(|n| svg.contains(&format!(">L{n}<"))).count();
        assert_eq!(shown, 12);
        let on_phone = shown - svg.matches("class=\"minor\"").count();
        assert!((2..=4).contains(&on_phone), "{on_phone}");
        for n in 0..60 {
            assert!(svg.contains(&format!("<title>label number {n} in full: {n} people</title>")));
        }
    }

    #[test]
    fn an_axis_has_round_numbers_and_nothing_is_divided_by_zero() {
        assert_eq!(round_steps(0.0), [0.0, 1.0]);
        assert_eq!(round_steps(7.0), [0.0, 2.0, 4.0, 6.0, 8.0]);
        assert_eq!(round_steps(100.0), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        let none = [Point { label: "1".into(), value: Some(0.0), words: "nobody".into() }];
        let svg = Chart::columns(heading(), &none).unwrap().render().unwrap();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
