"""Run all faults and print the table: `python -m tests.faults`. Ends with the exit code of the tests."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

from tests.faults.table import FILE, markdown

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows"
        rows.touch()
        os.environ[FILE] = str(rows)
        os.environ["NARROWGATE_NO_SKIPS"] = "1"
        code = pytest.main([str(Path(__file__).parent), "-n", "2", "--dist", "loadfile", *sys.argv[1:]])
        print(markdown(rows.read_text(encoding="utf-8").splitlines()))
    sys.exit(code)
