"""Prints what an SPSS file says, as JSON, read with pyreadstat.

    tests/external/read_spss.py FILE.sav
"""

import json
import math
import sys

import pyreadstat

data, meta = pyreadstat.read_sav(sys.argv[1], user_missing=True, disable_datetime_conversion=True, output_format="dict")
# Categories with labels of their own, as pandas makes them, refuse two labels that are the same.
pyreadstat.read_sav(sys.argv[1], apply_value_formats=True)
variables = [
    {
        "name": name,
        "label": meta.column_names_to_labels[name],
        "labels": [[str(value), label] for value, label in meta.variable_value_labels.get(name, {}).items()],
        "missing": meta.missing_ranges.get(name, []),
        "measure": meta.variable_measure[name],
        "format": meta.original_variable_types[name],
        "width": meta.variable_storage_width[name],
        "values": [None if isinstance(value, float) and math.isnan(value) else value for value in data[name]],
    }
    for name in meta.column_names
]
print(json.dumps({"variables": variables, "sets": meta.mr_sets, "notes": meta.notes, "label": meta.file_label, "created": str(meta.creation_time)}, ensure_ascii=False))
