"""Stands for the job that loads a file that landed: fails when its name says that it is broken."""

import json

file = dbutils.widgets.get("file")
if "broken" in file:
    raise ValueError(f"{file} is no CSV: line 1 has 3 fields, the header 7")
print(f"loaded {file}")
dbutils.notebook.exit(json.dumps({"file": file}))
