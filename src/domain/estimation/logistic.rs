//! Logistic regression on categories, for response propensities: main effects, fitted by Newton's
//! method (McCullagh and Nelder, «Generalized Linear Models», 1989, 2.5).

/// People with the same categories: `size` of them, `successes` of whom answered.
pub(super) struct Cell {
    /// The indices of the categories' columns in the model, each below its width.
    pub columns: Vec<usize>,
    pub size: f64,
    pub successes: f64,
}

const MAX_ITERATIONS: usize = 60;
const TOLERANCE: f64 = 1e-13;
/// A column whose information is this small a share of its own is a sum of others.
const DEPENDENT: f64 = 1e-10;

/// Returns the fitted propensity of each cell. The model has an intercept and one coefficient for
/// each of `width` columns. Categories in which nobody, or everybody, answered are fitted to 0 or 1
/// as far as the deviance tells.
pub(super) fn fit(cells: &[Cell], width: usize) -> Vec<f64> {
    let (size, successes) = cells
        .iter()
        .fold((0.0, 0.0), |(size, successes), c| (size + c.size, successes + c.successes));
    let mut coefficients = vec![0.0; width + 1];
    coefficients[0] = ((successes + 0.5) / (size - successes + 0.5)).ln();
    let mut deviance = f64::INFINITY;
    for _ in 0..MAX_ITERATIONS {
        let step = newton_step(cells, &coefficients);
        let mut scale = 1.0;
        let (mut next, mut reached) = (Vec::new(), f64::INFINITY);
        // A step that overshoots is halved.
        for _ in 0..30 {
            next = coefficients.iter().zip(&step).map(|(old, step)| old + scale * step).collect();
            reached = deviance_of(cells, &next);
            if reached.is_finite() && (reached <= deviance || deviance.is_infinite()) {
                break;
            }
            scale /= 2.0;
        }
        let gained = deviance - reached;
        if reached <= deviance {
            coefficients = next;
        }
        if gained.is_finite() && gained.abs() <= TOLERANCE * (reached.abs() + 0.1) {
            break;
        }
        deviance = reached;
    }
    cells.iter().map(|cell| propensity(cell, &coefficients)).collect()
}

fn propensity(cell: &Cell, coefficients: &[f64]) -> f64 {
    let linear =
        coefficients[0] + cell.columns.iter().map(|column| coefficients[column + 1]).sum::<f64>();
    1.0 / (1.0 + (-linear).exp())
}

fn deviance_of(cells: &[Cell], coefficients: &[f64]) -> f64 {
    // x ln p, where 0 ln 0 is 0.
    let term = |x: f64, p: f64| if x == 0.0 { 0.0 } else { x * p.ln() };
    let of_cell = |cell: &Cell| {
        let p = propensity(cell, coefficients);
        term(cell.successes, p) + term(cell.size - cell.successes, 1.0 - p)
    };
    -2.0 * cells.iter().map(of_cell).sum::<f64>()
}

/// Solves information · step = score.
fn newton_step(cells: &[Cell], coefficients: &[f64]) -> Vec<f64> {
    let width = coefficients.len();
    let mut information = vec![vec![0.0; width]; width];
    let mut score = vec![0.0; width];
    for cell in cells {
        let p = propensity(cell, coefficients);
        let weight = cell.size * p * (1.0 - p);
        let columns: Vec<usize> =
            std::iter::once(0).chain(cell.columns.iter().map(|column| column + 1)).collect();
        for &a in &columns {
            score[a] += cell.successes - cell.size * p;
            for &b in &columns {
                information[a][b] += weight;
            }
        }
    }
    let own: Vec<f64> = (0..width).map(|at| information[at][at]).collect();
    let mut is_used = vec![false; width];
    for at in 0..width {
        let pivot = information[at][at];
        if pivot <= DEPENDENT * own[at] {
            continue;
        }
        is_used[at] = true;
        let row = information[at].clone();
        let scaled = score[at] / pivot;
        for other in (0..width).filter(|other| *other != at) {
            let factor = information[other][at] / pivot;
            if factor != 0.0 {
                for (value, above) in information[other].iter_mut().zip(&row) {
                    *value -= factor * above;
                }
                score[other] -= factor * score[at];
            }
        }
        information[at].iter_mut().for_each(|value| *value /= pivot);
        score[at] = scaled;
    }
    (0..width).map(|at| if is_used[at] { score[at] } else { 0.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(columns: &[usize], size: f64, successes: f64) -> Cell {
        Cell { columns: columns.to_vec(), size, successes }
    }

    #[test]
    fn a_saturated_model_gives_the_observed_shares() {
        let fitted = fit(&[cell(&[], 40.0, 20.0), cell(&[0], 8.0, 2.0)], 1);
        assert!((fitted[0] - 0.5).abs() < 1e-12 && (fitted[1] - 0.25).abs() < 1e-12);
        // A second column that says the same changes nothing.
        let twice = fit(&[cell(&[], 40.0, 20.0), cell(&[0, 1], 8.0, 2.0)], 2);
        assert!((twice[0] - 0.5).abs() < 1e-12 && (twice[1] - 0.25).abs() < 1e-12);
    }

    #[test]
    fn a_category_without_answers_comes_to_nothing() {
        let fitted = fit(&[cell(&[], 40.0, 20.0), cell(&[0], 8.0, 0.0)], 1);
        assert!((fitted[0] - 0.5).abs() < 1e-9 && fitted[1] < 1e-9, "{fitted:?}");
        let all = fit(&[cell(&[], 5.0, 5.0), cell(&[0], 5.0, 5.0)], 1);
        assert!(all.iter().all(|share| *share > 1.0 - 1e-9), "{all:?}");
    }

    /// In a model of main effects, the fitted margins are the observed ones.
    #[test]
    fn fitted_margins_are_the_observed_ones() {
        let cells = [
            cell(&[], 30.0, 10.0),
            cell(&[0], 20.0, 12.0),
            cell(&[1], 25.0, 5.0),
            cell(&[0, 1], 10.0, 8.0),
        ];
        let fitted = fit(&cells, 2);
        let expected = |of: &[usize]| of.iter().map(|&at| cells[at].size * fitted[at]).sum::<f64>();
        assert!((expected(&[0, 1, 2, 3]) - 35.0).abs() < 1e-9);
        assert!((expected(&[1, 3]) - 20.0).abs() < 1e-9);
        assert!((expected(&[2, 3]) - 13.0).abs() < 1e-9);
    }
}
