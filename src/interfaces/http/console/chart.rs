//! Charts as SVG, rendered on the server. Each comes with a table of the same figures.

use chrono::NaiveDate;

const WIDTH: f64 = 680.0;
const HEIGHT: f64 = 220.0;
const LEFT_MARGIN: f64 = 36.0;
const BOTTOM_MARGIN: f64 = 24.0;
const TOP_MARGIN: f64 = 10.0;

/// Completes from launch to due day: actual figures and the band of the forecast.
pub struct Curve {
    /// SVG points.
    pub completes_points: String,
    pub band: String,
    pub median: String,
    pub target_y: f64,
    pub max_y: u32,
    pub first: NaiveDate,
    pub last: NaiveDate,
    pub rows: Vec<CurveRow>,
}

/// One day of the chart's table.
pub struct CurveRow {
    pub day: NaiveDate,
    pub completes: Option<u32>,
    pub forecast: Option<(u32, u32, u32)>,
}

/// Builds the curve. `forecast` holds days from today on, each with low end, median and high end.
pub fn curve(
    days: &[(NaiveDate, u32)],
    forecast: &[(NaiveDate, (u32, u32, u32))],
    target: u32,
) -> Option<Curve> {
    let first = days.first().map(|(day, _)| *day)?;
    let last = forecast
        .last()
        .map(|(day, _)| *day)
        .into_iter()
        .chain(days.last().map(|(day, _)| *day))
        .max()?;
    let most = days
        .iter()
        .map(|(_, n)| *n)
        .chain(forecast.iter().map(|(_, (.., high))| *high))
        .max()
        .unwrap_or(0);
    let max_y = most.max(target).max(1);
    let span = ((last - first).num_days() as f64).max(1.0);
    let x = |day: NaiveDate| {
        LEFT_MARGIN + (WIDTH - LEFT_MARGIN - 8.0) * (day - first).num_days() as f64 / span
    };
    let y = |n: u32| {
        TOP_MARGIN + (HEIGHT - BOTTOM_MARGIN - TOP_MARGIN) * (1.0 - f64::from(n) / f64::from(max_y))
    };
    let point = |(day, n): (NaiveDate, u32)| format!("{:.1},{:.1}", x(day), y(n));
    let line = |points: &mut dyn Iterator<Item = (NaiveDate, u32)>| {
        points.map(point).collect::<Vec<_>>().join(" ")
    };
    let up = line(&mut forecast.iter().map(|(day, (.., high))| (*day, *high)));
    let down = line(&mut forecast.iter().rev().map(|(day, (low, ..))| (*day, *low)));
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
    Some(Curve {
        completes_points: line(&mut days.iter().copied()),
        band: if forecast.is_empty() { String::new() } else { format!("{up} {down}") },
        median: line(&mut forecast.iter().map(|(day, (_, median, _))| (*day, *median))),
        target_y: y(target),
        max_y,
        first,
        last,
        rows,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_stays_within_its_picture_and_its_table_says_the_same() {
        let day = |n: u32| NaiveDate::from_ymd_opt(2026, 3, n).unwrap();
        let curve =
            curve(&[(day(1), 0), (day(2), 4)], &[(day(2), (4, 5, 6)), (day(9), (8, 12, 20))], 10)
                .unwrap();
        assert_eq!(
            (curve.max_y, curve.first, curve.last, curve.rows.len()),
            (20, day(1), day(9), 3)
        );
        let inside = |points: &str| {
            points
                .split([' ', ','])
                .filter(|n| !n.is_empty())
                .all(|n| (0.0..=WIDTH).contains(&n.parse::<f64>().unwrap()))
        };
        assert!(inside(&curve.completes_points) && inside(&curve.band) && inside(&curve.median));
        assert!(super::curve(&[], &[], 10).is_none());
    }
}
