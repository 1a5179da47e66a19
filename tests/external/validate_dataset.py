"""Checks dataset folders with tools that this project did not write; says what is wrong and exits 1.

    tests/validate_dataset.py FOLDER…

frictionless: the Tabular Data Package. jsonschema: the manifest and the Flow Results package, against docs/schemas. pyarrow: the Parquet files, and that they
say what the CSV files say. pyreadstat: the same for the SPSS files, their labels, missing values and measures; pspp-convert: that PSPP finds nothing wrong with them. openpyxl: the workbook. xmllint: Triple-S, the DDI codebook and the reports. openssl: the manifest's signature. sha256sum: the sums.
"""

import base64
import csv
import datetime
import json
import math
import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

import frictionless
import jsonschema
import openpyxl
import pyarrow.parquet
import pyreadstat

SCHEMAS = pathlib.Path(__file__).parent.parent.parent / "docs" / "schemas"
NOT_ASKED = {".not_asked", ".not_reached"}
MISSING = NOT_ASKED | {"", ".skipped", ".withheld", ".not_applicable", ".dont_know", ".refused"}


def fail(folder, what):
    print(f"{folder}: {what}", file=sys.stderr)
    sys.exit(1)


def run(folder, *command, cwd=None):
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd)
    if done.returncode != 0:
        fail(folder, f"{command[0]}: {done.stdout}{done.stderr}")
    return done.stdout


def schema(name, value):
    jsonschema.Draft202012Validator(json.loads((SCHEMAS / name).read_text())).validate(value)


def rows_of(path):
    with open(path, newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def is_same(told, cell):
    """A value of a Parquet file, and the cell of the CSV file."""
    if cell in MISSING:
        return told is None
    if isinstance(told, bool):
        return told == (cell == "true")
    if isinstance(told, (int, float)):
        return float(told) == float(cell)
    if isinstance(told, datetime.datetime):
        return told == datetime.datetime.fromisoformat(cell)
    if isinstance(told, datetime.date):
        return told == datetime.date.fromisoformat(cell)
    return told == cell


def header_of(path):
    with open(path, newline="", encoding="utf-8-sig") as file:
        return next(csv.reader(file))


def is_same_in_workbook(told, cell):
    if told is None or isinstance(told, str):
        # A cell of a worksheet holds 32,767 units, and no carriage return.
        # openpyxl leaves the escape of an underscore before what reads like one (ECMA-376, 22.9.2.19).
        told = (told or "").replace("_x005F_", "_")
        return told == cell or told.endswith("…") and len(cell.encode("utf-16-le")) > 2 * 32767
    if isinstance(told, bool):
        return told == (cell == "true")
    return float(told) == float(cell)


def check_flow_results(folder, data, questions, responses):
    """Each answer of responses.csv stands in the rows, and nothing else."""
    told = {(row[2], row[4]): (row[5], row[6]) for row in data}
    if len(told) != len(data):
        fail(folder, "flow results: an answer stands twice")
    for row in responses:
        for name, question in questions.items():
            columns = [name] if name in row else [f"{name}_{code}" for code in question["type_options"]["choices"]]
            cells = [row[column] for column in columns]
            if cells[0] in NOT_ASKED or cells[0] == "":
                expected = None
            elif cells[0] in MISSING:
                expected = (None, {"missing": cells[0][1:]})
            elif name in row:
                expected = (float(cells[0]) if question["type"] == "numeric" else cells[0], {})
            elif max(map(int, cells)) > 1:
                ranked = sorted(zip(map(int, cells), question["type_options"]["choices"]))
                expected = ([code for _, code in ranked], {"order": "ranked"})
            else:
                expected = ([code for cell, code in zip(cells, question["type_options"]["choices"]) if cell == "1"], {})
            answer = told.pop((row["case"], name), None)
            if answer != expected and not (expected and expected[1] == {} and answer == (expected[0], {"order": "ranked"})):
                fail(folder, f"flow results, {row['case']}, {name}: {answer!r} is not {expected!r}")
    if told:
        fail(folder, f"flow results tell what responses.csv does not: {sorted(told)[:3]}")


def check_triple_s(folder, table, codebook, responses):
    """Each cell of triple-s.csv, read by its description, is what responses.csv says."""
    record = xml.etree.ElementTree.parse(folder / "triple-s.xml").getroot().find("survey/record")
    options = {entry["variable"]: [option["code"] for option in entry.get("options", [])] for entry in codebook["variables"]}
    label_of = codebook["missing"]
    for variable in record.findall("variable"):
        name, kind = variable.findtext("name"), variable.get("type")
        labels = {value.get("code"): value.text for value in variable.findall("values/value")}
        for told, row in zip((row[name] for row in table), responses):
            base = name.removesuffix("_missing")
            columns = [base] if base in row else [column for column in options if column.startswith(f"{name}_")]
            cell = row[columns[0]]
            if name != base and base in row:
                same = labels.get(told) == (label_of[cell] if cell in MISSING else None)
            elif kind == "multiple":
                chosen = [labels[str(at)] for at, bit in enumerate(told, 1) if bit == "1"]
                if cell in MISSING:
                    same = chosen == [label_of[cell]]
                else:
                    same = told[: len(columns)] == "".join(row[column] for column in columns) and "1" not in told[len(columns) :]
            elif cell == "" or kind == "date" and cell in MISSING:
                same = told == ""
            elif cell in MISSING and kind != "character":
                same = labels.get(told) == label_of[cell]
            elif kind == "single" and options.get(name):
                same = told == str(options[name].index(cell) + 1)
            elif kind == "single":
                same = labels[told] == cell
            elif kind == "logical":
                same = told == str(int(cell == "true"))
            elif kind == "date":
                same = told == cell[:10].replace("-", "")
            elif kind == "quantity":
                span = variable.find("values/range")
                same = float(told) == float(cell) and float(span.get("from")) <= float(told) <= float(span.get("to"))
            else:
                same = told == cell and len(told) <= int(variable.findtext("size"))
            if not same:
                fail(folder, f"triple-s.csv, {name}: {told!r} is not {cell!r}")


# Seconds of SPSS's day 0.
EPOCH = datetime.datetime(1582, 10, 14)
# The last figure of a reason's number, as in Triple-S.
REASONS = {".refused": 3, ".not_asked": 4, ".not_reached": 5, ".skipped": 6, ".withheld": 7, ".not_applicable": 8, ".dont_know": 9}
MEASURES = {"scale": "scale", "single": "nominal", "multiple": "nominal", "rank": "ordinal", "number": "scale", "date": "scale", "open": "nominal"}
NUMBERED = {"stratum", "replicate", "origin_cluster"}


def is_none(value):
    return value is None or value == "" or isinstance(value, float) and math.isnan(value)


def check_spss(folder, table, fields, codebook, rows):
    """Each value of a .sav file is what the CSV file says; each reason is a labelled missing value."""
    path = str(folder / f"{table}.sav")
    # GNU PSPP says what in a file is not as it should be.
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run(["pspp-convert", path, str(pathlib.Path(scratch, "copy.sav"))], capture_output=True, text=True)
        if done.returncode != 0 or done.stdout or done.stderr:
            fail(folder, f"pspp-convert: {done.stdout}{done.stderr}")
    data, meta = pyreadstat.read_sav(path, user_missing=True, disable_datetime_conversion=True, output_format="dict")
    plain, _ = pyreadstat.read_sav(path, output_format="dict")
    if (meta.number_rows, meta.file_encoding) != (len(rows), "UTF-8"):
        fail(folder, f"{table}.sav has {meta.number_rows} rows in {meta.file_encoding}, not {len(rows)} in UTF-8")
    if [name.upper() for name in meta.column_names] != list(dict.fromkeys(name.upper() for name in meta.column_names)):
        fail(folder, f"{table}.sav: two variables differ only in case: {meta.column_names}")
    items = {entry["variable"]: entry for entry in codebook["variables"]} if table == "responses" else {}
    names = iter(meta.column_names)
    for field in fields:
        column, kind, item = field["name"], field["type"], items.get(field["name"])
        name = next(names)
        labels, ranges = meta.variable_value_labels.get(name, {}), meta.missing_ranges.get(name, [])
        is_text = meta.readstat_variable_types[name] == "string"
        companion = next(names) if is_text and item else None

        def wrong(what):
            fail(folder, f"{table}.sav, {name}: {what}")

        label = meta.column_names_to_labels[name]
        if not label or label.isascii() or len(label.encode()) > 255:
            wrong(f"its label is {label!r}")
        if len(set(labels.values())) != len(labels) or any(len(text.encode()) > 120 for text in labels.values()):
            wrong(f"two of its labels are the same, or one is too long: {labels}")
        measure = MEASURES[item["type"]] if item else "scale" if kind in ("integer", "number", "date", "datetime") and column not in NUMBERED else "nominal"
        if meta.variable_measure[name] != measure:
            wrong(f"its measure is {meta.variable_measure[name]}, not {measure}")
        for option in (item or {}).get("options", []):
            code = option["code"] if is_text else None if item["type"] != "single" else float(option["code"])
            if code is not None and option["text"]["zh"].split("{")[0][:20] not in labels.get(code, ""):
                wrong(f"the label of {option['code']} is {labels.get(code)!r}")
        for number, row in enumerate(rows):
            cell, told = row[column], data[name][number]
            reason = REASONS.get(cell) if item else None
            if reason:
                stated = data[companion][number] if companion else told
                texts = meta.variable_value_labels[companion or name]
                if texts.get(stated) != codebook["missing"][cell] or f"{-stated / (86400 if kind == 'date' else 1):.0f}".rstrip("0") != f"99{reason}":
                    wrong(f"{cell} is {stated!r}, {texts.get(stated)!r}")
                is_declared = told == "" and ranges == [{"lo": "", "hi": ""}] if is_text else any(span["lo"] <= told <= span["hi"] for span in ranges)
                if not is_declared or not is_none(plain[name][number]):
                    wrong(f"{cell} is no missing value: {told!r}, {plain[name][number]!r}, {ranges}")
            elif is_text:
                # Spaces at the end of a text are not kept by SPSS.
                is_cut = told.endswith("…") and len(cell.encode()) > 32767 and cell.startswith(told[:-1]) and len(told.encode()) > 32760
                if told != cell.rstrip(" ") and not is_cut or companion and not is_none(data[companion][number]):
                    wrong(f"{told!r} is not {cell!r}")
                if cell and plain[name][number] != told:
                    wrong(f"{cell!r} counts as missing")
            elif cell == "":
                if not is_none(told):
                    wrong(f"{told!r} is not empty")
            else:
                if kind == "boolean":
                    expected = float(cell == "true")
                elif kind == "date":
                    expected = (datetime.datetime.fromisoformat(cell) - EPOCH).total_seconds()
                    if plain[name][number] != datetime.date.fromisoformat(cell):
                        wrong(f"{plain[name][number]!r} is not the day {cell}")
                elif kind == "datetime":
                    local = datetime.datetime.fromisoformat(cell).replace(tzinfo=None)
                    expected = (local - EPOCH).total_seconds()
                    if plain[name][number] != local:
                        wrong(f"{plain[name][number]!r} is not the time {cell}")
                else:
                    expected = float(cell)
                if told != expected or any(span["lo"] <= told <= span["hi"] for span in ranges):
                    wrong(f"{told!r} is not {cell!r}, or counts as missing: {ranges}")
    if list(names):
        fail(folder, f"{table}.sav has variables that {table}.csv does not have")


def check_ddi(folder, resources, codebook, tables):
    """The DDI codebook fits the schema and describes every column, with the codebook's texts.

    IQSS/dataverse#6554, IQSS/dataverse#3648, IQSS/dataverse#6715: elements in another order, attributes and names that DDI does not have."""
    path = folder / "codebook.ddi.xml"
    run(folder, "xmllint", "--noout", "--nonet", "--schema", str(SCHEMAS / "ddi-codebook.xsd"), str(path))
    ddi, lang = {"d": "ddi:codebook:2_5"}, "{http://www.w3.org/XML/1998/namespace}lang"
    root = xml.etree.ElementTree.parse(path).getroot()
    files = [(entry.get("URI"), entry.findtext(".//d:caseQnty", "", ddi), entry.findtext(".//d:varQnty", "", ddi)) for entry in root.findall("d:fileDscr", ddi)]
    if files != [(resource["path"], str(len(rows)), str(len(resource["schema"]["fields"]))) for resource, rows in zip(resources, tables)]:
        fail(folder, f"codebook.ddi.xml describes {files}")
    variables = root.findall("d:dataDscr/d:var", ddi)
    columns = [field["name"] for resource in resources for field in resource["schema"]["fields"]]
    if [variable.get("name") for variable in variables] != columns:
        fail(folder, "codebook.ddi.xml describes other columns")
    told = {variable.get("name"): variable for variable in variables if variable.get("files") == "F1"}
    known = codebook["missing"]
    for entry in codebook["variables"]:
        variable = told[entry["variable"]]
        texts = lambda element, path: {part.get(lang): part.text or "" for part in element.findall(path, ddi)}
        question = texts(variable, "d:qstn/d:qstnLit")
        if any(question[language].split("{")[0][:10].split() != text.split("{")[0][:10].split() and "{" not in text for language, text in entry["text"].items()):
            fail(folder, f"codebook.ddi.xml, {entry['variable']}: the question is {question}")
        categories = {category.findtext("d:catValu", "", ddi): (category.get("missing"), texts(category, "d:labl")) for category in variable.findall("d:catgry", ddi)}
        if entry["type"] == "single" and not {option["code"] for option in entry["options"]} <= set(categories):
            fail(folder, f"codebook.ddi.xml, {entry['variable']}: the categories are {categories}")
        for code, (missing, labels) in categories.items():
            if (missing == "Y") != (code in known) or missing and f"{labels['zh']} {labels['en']}" != known[code]:
                fail(folder, f"codebook.ddi.xml, {entry['variable']}: {code} is {missing}, {labels}")
        universe = variable.findtext("d:universe", None, ddi)
        if universe != entry.get("asked_if") or variable.findtext("d:concept", None, ddi) != entry["latent"]:
            fail(folder, f"codebook.ddi.xml, {entry['variable']}: it is asked if {universe}")
    for resource, rows in zip(resources[:1], tables):
        for field in resource["schema"]["fields"]:
            codes = {category.findtext("d:catValu", "", ddi) for category in told[field["name"]].findall("d:catgry", ddi)}
            if "enum" in field["constraints"] and field["type"] == "string" and {row[field["name"]] for row in rows} - codes - {""}:
                fail(folder, f"codebook.ddi.xml, {field['name']}: a value is in no category")
    if [v.get("name") for v in variables if v.get("wgt") == "wgt"] != [name for name in columns if name in ("w_base", "w_nr", "w_raked")]:
        fail(folder, "codebook.ddi.xml marks other weights")


def check_labels(folder, sheet, codebook, rows):
    """The first sheet says in words what responses.csv says in codes."""
    items = {entry["variable"]: entry for entry in codebook["variables"]}
    for told, row in zip(sheet[1:], rows):
        for heading, value, (column, cell) in zip(sheet[0], told, row.items()):
            lines, entry = heading.split("\n"), items.get(column)
            if len(lines) != 3 or lines[0].isascii() or entry and "{" not in entry["text"]["zh"] and " ".join(entry["text"]["zh"].split()) not in lines[0]:
                fail(folder, f"dataset.xlsx, labels: {heading!r} is no heading for {column}")
            if entry and cell in codebook["missing"] and cell:
                good = value == codebook["missing"][cell]
            elif entry and entry["type"] == "single" and cell:
                text = next(option["text"]["zh"] for option in entry["options"] if option["code"] == cell)
                good = "{" in text or str(value).startswith(" ".join(text.split()))
            elif entry and entry["type"] == "multiple" and cell:
                good = value == {"1": "是 yes", "0": "否 no"}[cell]
            elif entry and entry["type"] == "scale" and cell:
                good = str(value).split(" ")[0] == cell and (cell not in (str(entry["from"]), str(entry["to"])) or " " in str(value))
            elif cell in ("true", "false"):
                good = value == {"true": "是 yes", "false": "否 no"}[cell]
            elif column in ("disposition", "language", "mode", "device", "review_verdict") and cell:
                good = not str(value).isascii()
            elif column.endswith("_at") and not entry:
                good = (value or "") == cell[:19].replace("T", " ")
            else:
                good = is_same_in_workbook(value, cell)
            if not good:
                fail(folder, f"dataset.xlsx, labels, {column}: {value!r} is not {cell!r} in words")


def check(folder):
    load = lambda name: json.loads((folder / name).read_text())
    report = frictionless.validate(str(folder / "datapackage.json"))
    if not report.valid:
        fail(folder, report.flatten(["title", "rowNumber", "fieldName", "message"]))
    responses, cases = rows_of(folder / "responses.csv"), rows_of(folder / "cases.csv")

    manifest = load("manifest.json")
    schema("manifest.schema.json", manifest)
    if (manifest["responses"], manifest["cases"]) != (len(responses), len(cases)):
        fail(folder, "the manifest counts other rows than there are")
    with tempfile.TemporaryDirectory() as scratch:
        key, signature = pathlib.Path(scratch, "key.pem"), pathlib.Path(scratch, "signature")
        key.write_text(manifest["signed_with"])
        signature.write_bytes(base64.b64decode((folder / "manifest.json.sig").read_text()))
        run(folder, "openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(key), "-rawin", "-in", str(folder / "manifest.json"), "-sigfile", str(signature))
    run(folder, "sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS", cwd=folder)

    package, data = load("flow-results.json"), load("flow-results-data.json")
    schema("flow-results-package.schema.json", package)
    schema("flow-results-data.schema.json", data)
    questions = package["resources"][0]["schema"]["questions"]
    check_flow_results(folder, data, questions, responses)
    for row in data:
        question, answer = questions[row[4]], row[5]
        options = question["type_options"]
        if answer is None:
            good = "missing" in row[6]
        elif question["type"] == "select_one":
            good = answer in options["choices"]
        elif question["type"] == "select_many":
            good = set(answer) <= set(options["choices"])
        elif question["type"] == "numeric":
            good = "range" not in options or options["range"][0] <= answer <= options["range"][1]
        else:
            good = isinstance(answer, str)
        if not good:
            fail(folder, f"flow results: {row}")
    entries = rows_of(folder / "answers.csv")
    entered = {(row["case"], row["variable"]): row["answered_at"] for row in entries}
    for row in data:
        if entered.get((row[2], row[4]), row[0]) != row[0]:
            fail(folder, f"flow results: {row} has another time than answers.csv")
    for row in responses:
        of_case = [entry for entry in entries if entry["case"] == row["case"]]
        modes = {entry["mode"] for entry in of_case} or {row["mode"]}
        if int(row["items_answered"]) > len(of_case) or row["mode"] != (modes.pop() if len(modes) == 1 else "mixed"):
            fail(folder, f"{row['case']}: {row['mode']}, {row['items_answered']} answers, but answers.csv has {of_case}")
    if {row[2] for row in data} - {row["case"] for row in responses}:
        fail(folder, "flow results tell of a case that responses.csv does not have")

    for name, rows in [("responses", responses), ("cases", cases)]:
        table = pyarrow.parquet.read_table(folder / f"{name}.parquet")
        codebook = json.loads(table.schema.metadata[b"codebook"])
        if name == "responses" and not codebook["variables"]:
            fail(folder, "the Parquet file's codebook is empty")
        if table.num_rows != len(rows):
            fail(folder, f"{name}.parquet has {table.num_rows} rows, not {len(rows)}")
        for column in rows[0] if rows else []:
            for told, cell in zip(table.column(column).to_pylist(), (row[column] for row in rows)):
                if not is_same(told, cell):
                    fail(folder, f"{name}.parquet, {column}: {told!r} is not {cell!r}")
            if f"{column}_missing" in table.column_names:
                for told, row in zip(table.column(f"{column}_missing").to_pylist(), rows):
                    if (told or "") != (row[column][1:] if row[column] in MISSING else ""):
                        fail(folder, f"{name}.parquet, {column}_missing: {told!r} beside {row[column]!r}")

    if manifest["rules_version"] >= 4:
        resources = load("datapackage.json")["resources"][:2]
        check_ddi(folder, resources, load("codebook.json"), [responses, cases])
        for resource, rows in zip(resources, [responses, cases]):
            check_spss(folder, resource["name"], resource["schema"]["fields"], load("codebook.json"), rows)

    book = openpyxl.load_workbook(folder / "dataset.xlsx", read_only=True)
    is_in_words = manifest["rules_version"] >= 4
    if book.sheetnames != (["labels", "codebook", "responses", "cases"] if is_in_words else ["codebook", "responses", "labels", "cases"]):
        fail(folder, f"dataset.xlsx has the sheets {book.sheetnames}")
    for name, rows in [("responses", responses), ("labels", responses), ("cases", cases)]:
        sheet = list(book[name].iter_rows(values_only=True))
        header = header_of(folder / ("cases.csv" if name == "cases" else "responses.csv"))
        told_header = [heading.split("\n")[-1] for heading in sheet[0]] if name == "labels" else list(sheet[0])
        if len(sheet) != len(rows) + 1 or told_header != header:
            fail(folder, f"dataset.xlsx, {name}: {len(sheet)} rows, header {sheet[0]}")
        if [row[0] for row in sheet[1:]] != [row["case"] for row in rows]:
            fail(folder, f"dataset.xlsx, {name}: other cases than in the CSV")
        for told, row in zip(sheet[1:], rows) if name != "labels" else []:
            for value, (column, cell) in zip(told, row.items()):
                if not is_same_in_workbook(value, cell):
                    fail(folder, f"dataset.xlsx, {name}, {column}: {value!r} is not {cell!r}")
    if is_in_words:
        check_labels(folder, list(book["labels"].iter_rows(values_only=True)), load("codebook.json"), responses)

    run(folder, "xmllint", "--noout", "--nonet", str(folder / "triple-s.xml"))
    names = run(folder, "xmllint", "--xpath", "/sss[@version='2.0']/survey/record[@format='csv'][@skip='1']/variable/name/text()", str(folder / "triple-s.xml")).split("\n")
    table = rows_of(folder / "triple-s.csv")
    header = header_of(folder / "triple-s.csv")
    if [name for name in names if name] != header or len(table) != len(responses):
        fail(folder, f"triple-s.csv does not fit its description: {header}")
    check_triple_s(folder, table, load("codebook.json"), responses)
    for page in ["fieldwork-report.html", "questionnaire.zh.html", "questionnaire.en.html"]:
        text = (folder / page).read_text()
        if "http://" in text.replace("http://www.w3.org", "") or "https://" in text or "<script" in text:
            fail(folder, f"{page} does not stand alone")
        for chart in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
            subprocess.run(["xmllint", "--noout", "-"], input=chart, text=True, check=True)
    print(f"{folder}: valid, {len(responses)} responses of {len(cases)} cases")


for argument in sys.argv[1:]:
    check(pathlib.Path(argument))
