"""
Tests that the table of checks, their files, their settings and their pages agree.
"""

import re
import tomllib
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import mailgate.checks
from mailgate.checks.table import CHECKS, checks_off, make_checks
from mailgate.config.model import Checks
from mailgate.interfaces import ICheck
from mailgate.pipeline.extractors import EXTRACTORS
from mailgate.pipeline.plan import make_plan
from tests.checks.given import settings

FILES = Path(mailgate.checks.__file__).parent
PAGES = Path(__file__).parents[2] / "docs" / "checks"


class TableTests(SynchronousTestCase):
    """
    Tests of the three places of a check.
    """

    def test_files(self):
        """
        Each file with a check stands in the table, and each check of the table has a file of
        its name.
        """
        files = {
            path.stem for path in FILES.glob("*.py") if "@implementer(ICheck)" in path.read_text()
        }
        self.assertEqual(files, set(CHECKS))

    def test_settings(self):
        """
        Each check has its table in the configuration, and each such table its check.
        """
        self.assertEqual(set(Checks.model_fields), set(CHECKS))

    def test_pages(self):
        """
        Each check has its page, and each page its check.
        """
        self.assertEqual({path.stem for path in PAGES.glob("*.rst")}, set(CHECKS))

    def test_configuration_on_the_page(self):
        """
        A page begins with the check's table of the configuration: all options with their
        defaults, commented.
        """
        for name in CHECKS:
            page = (PAGES / f"{name}.rst").read_text()
            title, _, rest = page.partition("\n\n")
            self.assertTrue(title.startswith(f"{name}: "))
            self.assertTrue(rest.startswith(".. code-block:: toml\n\n"))
            block = rest.partition("\n\n")[2]
            block = block[: re.search(r"^(?=\S)", block, re.MULTILINE).start()]
            options = re.sub(r"^ +#(?=[a-z_]+ = )", "", block, flags=re.MULTILINE)
            section = getattr(Checks(), name).model_dump(mode="json")
            expected = {
                key: list(value) if isinstance(value, tuple) else value
                for key, value in section.items()
            }
            self.assertEqual(tomllib.loads(options), {"checks": {name: expected}})

    def test_symbols_on_the_page(self):
        """
        A page lists the symbols that stand in the check's file.
        """
        for name in CHECKS:
            page = set(
                re.findall(r"^([A-Z_]{4,}) ", (PAGES / f"{name}.rst").read_text(), re.MULTILINE)
            )
            source = (FILES / f"{name}.py").read_text()
            written = set(re.findall(r'Finding\(\s*"([A-Z_]+)"', source))
            self.assertEqual(written - page, set())
            self.assertNotEqual(page, set())

    def test_names(self):
        """
        A check has the name under which it stands in the table.
        """
        for name, make in CHECKS.items():
            self.assertEqual(make(settings()).name, name)


class MakeTests(SynchronousTestCase):
    """
    Tests of making the checks of a configuration.
    """

    def test_all(self):
        """
        By default all checks are made, and they can be brought into an order.
        """
        checks = make_checks(settings())
        self.assertEqual([check.name for check in checks], list(CHECKS))
        self.assertTrue(all(map(ICheck.providedBy, checks)))
        plan = make_plan(checks, EXTRACTORS, checks_off(settings()))
        self.assertEqual(
            {step.name for steps in plan.steps for step in steps if not step.is_extractor},
            set(CHECKS),
        )

    def test_off(self):
        """
        A check that is off is not made; in every other mode it is.
        """
        for mode in ("off", "observe", "score", "enforce"):
            given = settings(helo={"mode": mode})
            made = {check.name for check in make_checks(given)}
            self.assertEqual("helo" not in made, mode == "off")
            self.assertEqual(set(checks_off(given)), set(CHECKS) - made)
