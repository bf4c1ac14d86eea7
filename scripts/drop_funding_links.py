"""Drop the funding links from package-lock.json, so that it names no host; `npm ci` does not read them."""

import json
import pathlib

lock_path = pathlib.Path(__file__).parent.parent / "package-lock.json"
lock = json.loads(lock_path.read_text(encoding="utf-8"))
for package in lock["packages"].values():
    package.pop("funding", None)
lock_path.write_text(json.dumps(lock, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
