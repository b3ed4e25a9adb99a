"""The core beside the modules is used, whatever other one is installed in Slicer's Python."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

REPORT = """
import sys
sys.path.append(sys.argv[1])  # as Slicer adds the folders of modules
if sys.argv[2] == "before":
    import mmgl.messages
    held = mmgl
import MMGLLib
from MMGLLib.messages import CATALOGUE
import mmgl, mmgl.messages
print(mmgl.__file__, mmgl.messages.__file__, len(sys.path) == len(set(sys.path)), *MMGLLib.OTHER_CORE, sep="\\n")
"""


class OwnCoreTest(unittest.TestCase):
    def report(self, when):
        """Return what a Python in which another core is installed says after the modules were loaded."""
        with tempfile.TemporaryDirectory() as folder:
            site = Path(folder).resolve()
            (site / "mmgl").mkdir()
            (site / "mmgl" / "__init__.py").write_text('__version__ = "0.0.9"', encoding="utf-8")
            (site / "mmgl" / "messages.py").write_text("", encoding="utf-8")  # lacks what the modules need
            environment = {**os.environ, "PYTHONPATH": str(site), "PYTHONSAFEPATH": "1"}
            command = [sys.executable, "-c", REPORT, str(REPOSITORY), when]
            told = subprocess.run(
                command, cwd=site, env=environment, capture_output=True, text=True, encoding="utf-8", check=False
            )
            self.assertEqual(told.returncode, 0, told.stderr)
            lines = told.stdout.splitlines()
            own = [REPOSITORY / "mmgl" / name for name in ("__init__.py", "messages.py")]
            self.assertEqual([Path(line).resolve() for line in lines[:2]], own)
            self.assertEqual(lines[2], "True")  # the path of the application is as it was
            return lines[3:], str(site / "mmgl")

    def test_the_own_one_is_used_where_another_one_would_be_found_first(self):
        self.assertEqual(self.report("after")[0], ["", ""])

    def test_one_that_was_in_use_before_is_left_aside_and_named(self):
        told, place = self.report("before")
        self.assertEqual(told, ["0.0.9", place])

    def test_the_own_one_that_was_in_use_before_stays(self):
        program = "import sys; sys.path.append(sys.argv[1]); import mmgl as held, MMGLLib, mmgl; print(held is mmgl)"
        command = [sys.executable, "-c", program, str(REPOSITORY)]
        told = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
        self.assertEqual(told.stdout.strip(), "True")


if __name__ == "__main__":
    unittest.main()
