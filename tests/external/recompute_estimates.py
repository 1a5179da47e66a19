"""Computes the weights and the precision of datasets again, from their CSV files; says what differs by more than 1e-9 and exits 1.

    tests/external/recompute_estimates.py FOLDER…

Nothing of fieldworkd is used: numpy, scipy (Student's t), statsmodels (logistic regression, least squares) and the formulas of docs/weights.md. What a version
suppresses («*») cannot be computed again from its files: the steps that need it are left out and named.
"""

import csv
import json
import math
import pathlib
import sys
from datetime import date

import numpy
import scipy.stats
import statsmodels.api

NEAR = 1e-9
# The rules of docs/weights.md.
LEAST_IN_CLASS = 5
TRIM_AT = 5

problems = []


def same(what, told, expected):
    if told is None or expected is None or not math.isclose(told, expected, rel_tol=NEAR, abs_tol=NEAR):
        if not (told is None and expected is None):
            problems.append(f"{what}: told {told!r}, computed {expected!r}")


def rows_of(path):
    with open(path, newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def number(cell):
    return float(cell) if cell not in ("", "*") else None


def rake(weights, categories, totals):
    """Iterative proportional fitting, one person a row."""
    weights = weights.copy()
    for _ in range(5000):
        worst = 0.0
        for of_person, total in zip(categories, totals):
            sums = numpy.bincount(of_person, weights, len(total))
            worst = max(worst, numpy.abs(sums - total).max())
            factor = numpy.divide(total, sums, out=numpy.ones(len(total)), where=sums > 0)
            weights *= factor[of_person]
        if worst < 1e-13 * weights.sum():
            break
    return weights


def trimmed(weights, limit):
    weights, cut = weights.copy(), numpy.zeros(len(weights), bool)
    while (over := weights > limit * (1 + 1e-15)).any():
        excess = (weights[over] - limit).sum()
        weights[over], cut = limit, cut | over
        weights[~cut] *= 1 + excess / weights[~cut].sum()
    return weights


def interval(mean, error, n):
    half = error * scipy.stats.t.ppf(0.975, n - 1) if error > 0 else 0.0
    return mean - half, mean + half


def check_mean(what, told, values, weights, population):
    n = len(values)
    same(f"{what}, n", told["n"], n)
    same(f"{what}, N", told["population"], population)
    if n < 2:
        return
    factor = math.sqrt(1 - n / population)
    mean, deviation = values.mean(), values.std(ddof=1)
    error = deviation / math.sqrt(n) * factor
    low, high = interval(mean, error, n)
    center = numpy.average(values, weights=weights)
    spread = math.sqrt(numpy.average((values - center) ** 2, weights=weights) * n / (n - 1))
    effective = weights.sum() ** 2 / (weights**2).sum()
    weighted_error = spread / math.sqrt(effective) * factor
    weighted_low, weighted_high = interval(center, weighted_error, n)
    expected = {
        "mean": mean, "deviation": deviation, "standard_error": error, "low": low, "high": high, "weighted_mean": center,
        "weighted_standard_error": weighted_error, "weighted_low": weighted_low, "weighted_high": weighted_high,
    }
    for name, value in expected.items():
        same(f"{what}, {name}", told[name], value)


def check_weights(told, cases):
    """Returns the columns of the list that could be read, as codes of each case, and the raked weights by case."""
    eligible = [row for row in cases if row["disposition"] != "4.1"]
    completes = [row for row in eligible if row["w_raked"]]
    population = told["population"]
    same("sample", told["sample"], len(eligible))
    same("completes", told["completes"], len(completes))
    same("strata", sum(stratum["size"] for stratum in told["strata"]), population)
    for row in eligible:
        size, sample = float(row["stratum_size"]), float(row["stratum_sample"])
        same("selection_probability", number(row["selection_probability"]), round(sample / size, 10))
        same("w_base", number(row["w_base"]), round(size / sample, 10))
    for stratum in told["strata"]:
        of_stratum = [row for row in eligible if row["stratum"] == str(stratum["stratum"])]
        same(f"n_h of stratum {stratum['stratum']}", stratum["sample"], len(of_stratum))
        for row in of_stratum:
            same("N_h", number(row["stratum_size"]), stratum["size"])
            same("n_h", number(row["stratum_sample"]), stratum["sample"])
    if not completes:
        return {}, []

    # The words of a margin stand in the order of its categories; a category that nobody asked has is in no row.
    codes = {"segment": {row["case"]: int(row["stratum"]) - 1 for row in cases}}
    left_out = []
    for margin in told["margins"]:
        name = margin["variable"]
        if name == "segment":
            continue
        column = name if name in cases[0] else f"list_{name}"
        words = sorted({row[column] for row in eligible})
        places = [at for at, category in enumerate(margin["categories"]) if category["sample"] > 0]
        if "*" in words or len(words) != len(places):
            left_out.append(name)
            continue
        codes[name] = {row["case"]: places[words.index(row[column])] for row in eligible}
    if left_out:
        print(f"  suppressed, so that raking and propensities are not computed again: {', '.join(left_out)}")
        return {}, []
    margins = [margin["variable"] for margin in told["margins"]]

    # Non-response classes: a stratum, divided by fields as long as each part has enough completes.
    base = {row["case"]: float(row["stratum_size"]) / float(row["stratum_sample"]) for row in eligible}
    complete = {row["case"] for row in completes}
    nonresponse, count = {}, 0
    covered = 0
    for stratum in told["strata"]:
        members = [row["case"] for row in eligible if row["stratum"] == str(stratum["stratum"])]
        chosen = []

        def parts(names):
            found = {}
            for case in members:
                found.setdefault(tuple(codes[name][case] for name in names), []).append(case)
            return found

        for name in margins:
            if name != "segment" and all(len(complete.intersection(part)) >= LEAST_IN_CLASS for part in parts(chosen + [name]).values()):
                chosen.append(name)
        found = parts(chosen)
        count += len(found)
        if complete.intersection(members):
            covered += stratum["size"]
        for part in found.values():
            answered = complete.intersection(part)
            for case in answered:
                nonresponse[case] = base[case] * len(part) / len(answered)
    same("classes", told["classes"], count)
    same("not_covered", told["not_covered"], population - covered)
    order = [row["case"] for row in completes]
    w_nr = numpy.array([nonresponse[case] for case in order]) * population / covered
    for row, weight in zip(completes, w_nr):
        same("w_nr", number(row["w_nr"]), weight)
    same("sum of w_nr", w_nr.sum(), population)

    categories, totals = [], []
    for margin in told["margins"]:
        total = numpy.array([c["population"] if c["completes"] > 0 else 0.0 for c in margin["categories"]], float)
        totals.append(total * population / total.sum())
        categories.append(numpy.array([codes[margin["variable"]][case] for case in order], int))
        for category, value in zip(margin["categories"], totals[-1]):
            same(f"total of {margin['variable']}", category["total"], value)
    raked = rake(w_nr, categories, totals) if told["converged"] else w_nr
    limit = TRIM_AT * population / len(order)
    same("trim_limit", told["trim_limit"], limit)
    weights = trimmed(raked, limit)
    same("trimmed", told["trimmed"], int((numpy.abs(weights - limit) < NEAR).sum()))
    for row, weight in zip(completes, weights):
        same("w_raked", number(row["w_raked"]), weight)
    same("sum of w_raked", weights.sum(), population)
    effect = len(order) * (weights**2).sum() / weights.sum() ** 2
    same("design effect", told["design_effect"], effect)
    same("effective n", told["effective_n"], len(order) / effect)
    return {name: codes[name] for name in margins}, list(zip(order, weights))


def check_representativity(told, codes, cases):
    eligible = [row for row in cases if row["disposition"] != "4.1"]
    columns = [numpy.array([codes[name][row["case"]] for row in eligible]) for name in codes]
    columns = [column for column in columns if len(set(column)) > 1]
    if not columns:
        same("R-indicator", told["r_indicator"], None)
        return
    answered = numpy.array([row["disposition"] == "1.1" for row in eligible], float)
    dummies = [(column == code).astype(float) for column in columns for code in sorted(set(column))[1:]]
    design = numpy.column_stack([numpy.ones(len(eligible))] + dummies)
    # Where nobody or everybody of a category answers, the propensity has no finite coefficient.
    if any(answered[column == code].mean() in (0.0, 1.0) for column in columns for code in set(column)):
        print("  a category without, or with only, completes: propensities are not computed again")
        return
    fitted = statsmodels.api.GLM(answered, design, family=statsmodels.api.families.Binomial()).fit(tol=1e-14, maxiter=200).fittedvalues
    weights = numpy.array([float(row["stratum_size"]) / float(row["stratum_sample"]) for row in eligible])
    mean = numpy.average(fitted, weights=weights)
    deviation = math.sqrt((weights * (fitted - mean) ** 2).sum() / (weights.sum() - 1))
    same("R-indicator", told["r_indicator"], 1 - 2 * deviation)
    same("mean propensity", told["mean_propensity"], mean)


def check_core(precision, values, rows):
    days = [date.fromisoformat(row["completed_at"][:10]) for row in rows]
    since = numpy.array([(day - min(days)).days for day in days], float)
    trend = precision["trend"]
    if len(values) >= 3 and since.min() < since.max():
        fit = statsmodels.api.OLS(values, statsmodels.api.add_constant(since)).fit()
        low, high = fit.conf_int(0.05)[1]
        same("trend", trend["per_day"], fit.params[1])
        same("trend, low", trend["low"], low)
        same("trend, high", trend["high"], high)
    else:
        same("trend", trend["per_day"], None)
    modes = {mode: values[[row["mode"] == mode for row in rows]] for mode in {row["mode"] for row in rows}}
    usual = max(sorted(modes), key=lambda mode: len(modes[mode]))
    if set(modes) != set(precision["modes"]):
        problems.append(f"modes: {sorted(precision['modes'])} instead of {sorted(modes)}")
    for mode, own in modes.items():
        told = precision["modes"][mode]
        same(f"mode {mode}, n", told["n"], len(own))
        same(f"mode {mode}, mean", told["mean"], own.mean())
        other = modes[usual]
        if mode == usual or min(len(own), len(other)) < 2:
            same(f"mode {mode}, difference", told["difference"], None)
            continue
        error = math.sqrt(own.var(ddof=1) / len(own) + other.var(ddof=1) / len(other))
        half = error * scipy.stats.t.ppf(0.975, min(len(own), len(other)) - 1)
        same(f"mode {mode}, difference", told["difference"], own.mean() - other.mean())
        same(f"mode {mode}, high", told["high"], own.mean() - other.mean() + half)


def check_interviewers(told, groups):
    """ICC(1) from the F of a one-way analysis of variance, and Kish's design effect."""
    groups = [numpy.array(group) for group in groups if group]
    if len(groups) < 2:
        same("interviewers", told, None)
        return
    sizes = numpy.array([len(group) for group in groups], float)
    same("interviewers", told["interviewers"], len(groups))
    same("interviews of interviewers", told["interviews"], sizes.sum())
    everything = numpy.concatenate(groups)
    if len(everything) == len(groups) or everything.std() == 0:
        same("correlation within interviewers", told["correlation"], None)
        return
    size = (sizes.sum() - (sizes**2).sum() / sizes.sum()) / (len(groups) - 1)
    if all(group.std() == 0 for group in groups):
        correlation = 1.0
    else:
        ratio = scipy.stats.f_oneway(*groups).statistic
        correlation = (ratio - 1) / (ratio - 1 + size)
    same("correlation within interviewers", told["correlation"], correlation)
    same("design effect of interviewers", told["design_effect"], 1 + max(correlation, 0) * (sizes.mean() - 1))


def check_rates(told, cases):
    """The outcome rates of AAPOR's Standard Definitions, from the codes of cases.csv."""
    count = lambda *codes: sum(row["disposition"].startswith(codes) for row in cases)
    i, p, r, nc, o, u = count("1.1"), count("1.2"), count("2.1"), count("2.2"), count("2.3"), count("3.")
    known, out = i + p + r + nc + o, count("4.1")
    e = known / (known + out) if known + out else None
    share = lambda part, whole: round(part / whole, 6) if whole else None
    estimated = known + e * u if e is not None else None
    exact = lambda part, whole: share(part, whole) if u == 0 else None
    expected = {
        "RR1": share(i, known + u), "RR2": share(i + p, known + u), "RR3": share(i, estimated), "RR4": share(i + p, estimated),
        "RR5": exact(i, known), "RR6": exact(i + p, known),
        "COOP1": share(i, i + p + r + o), "COOP2": share(i + p, i + p + r + o), "COOP3": share(i, i + p + r), "COOP4": share(i + p, i + p + r),
        "REF1": share(r, known + u), "REF2": share(r, estimated), "REF3": exact(r, known),
        "CON1": share(i + p + r + o, known + u), "CON2": share(i + p + r + o, estimated), "CON3": exact(i + p + r + o, known),
    }
    if set(told) != set(expected):
        problems.append(f"rates: {sorted(told)}")
    for name, rate in expected.items():
        same(name, told.get(name), rate)


def check(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    codebook = json.loads((folder / "codebook.json").read_text())
    cases, responses = rows_of(folder / "cases.csv"), rows_of(folder / "responses.csv")
    told, precision = manifest["weights"], manifest["precision"]
    check_rates(manifest["rates"], cases)
    by_interviewer = {}
    for entry in rows_of(folder / "answers.csv"):
        by_interviewer.setdefault(entry["case"], set()).add(entry["interviewer"])
    codes, weighted = check_weights(told, cases)
    if codes or not told["margins"]:
        check_representativity(precision["representativity"], codes, cases)
    rows = [row for row in responses if row["disposition"] == "1.1"]
    if any(row["w_raked"] for row in responses if row["disposition"] != "1.1"):
        problems.append("a partial response has a weight")
    by_case = {row["case"]: row["w_raked"] for row in cases}
    for row in rows:
        if row["w_raked"] != by_case[row["case"]]:
            problems.append("responses.csv and cases.csv differ in w_raked")
    # The exact weights where they were computed again: the cells have ten decimals.
    exact = dict(weighted)
    weight = {row["case"]: exact.get(row["case"], number(row["w_raked"])) for row in rows}
    scales = [entry for entry in codebook["variables"] if entry["type"] == "scale"]
    points = {}
    for entry, told_item in zip(scales, precision["items"], strict=True):
        name = entry["variable"]
        rated = [row for row in rows if not row[name].startswith(".") and row[name] != ""]
        points[name] = {row["case"]: float(row[name]) for row in rated}
        values = numpy.array([float(row[name]) for row in rated])
        weights = numpy.array([weight[row["case"]] for row in rated])
        check_mean(name, told_item, values, weights, told["population"])
    core = [entry["variable"] for entry in scales if entry["core"]]
    if core != precision["core_items"]:
        problems.append(f"core items: {precision['core_items']} instead of {core}")
    rated = [(row, [points[name][row["case"]] for name in core if row["case"] in points[name]]) for row in rows]
    rated = [(row, numpy.mean(given)) for row, given in rated if given]
    if rated:
        values = numpy.array([mean for _, mean in rated])
        weights = numpy.array([weight[row["case"]] for row, _ in rated])
        check_mean("core", precision["core"], values, weights, told["population"])
        check_core(precision, values, [row for row, _ in rated])
        of_interviewer = {}
        for row, mean in rated:
            whose = by_interviewer.get(row["case"], set())
            if len(whose) == 1 and "" not in whose:
                of_interviewer.setdefault(whose.copy().pop(), []).append(mean)
        check_interviewers(precision["interviewers"], list(of_interviewer.values()))
    print(f"{folder}: {len(rows)} completes of {told['population']} people, the same to {NEAR}" if not problems else f"{folder}: {len(problems)} differ")


for argument in sys.argv[1:]:
    check(pathlib.Path(argument))
    if problems:
        print("\n".join(problems[:40]), file=sys.stderr)
        sys.exit(1)
