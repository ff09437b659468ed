"""
Tests that the table of checks, their files and their settings agree.
"""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import mailgate.checks
from mailgate.checks.table import CHECKS, checks_off, make_checks
from mailgate.config.checks import Checks
from mailgate.interfaces import ICheck
from mailgate.pipeline.extractors import make_extractors
from mailgate.pipeline.plan import make_plan
from mailgate.store.threads import ImmediateThreads
from tests.checks.given import known, settings

FILES = Path(mailgate.checks.__file__).parent


class TableTests(SynchronousTestCase):
    """
    Tests of the places of a check; its page has tests of its own.
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

    def test_names(self):
        """
        A check has the name under which it stands in the table.
        """
        for name, make in CHECKS.items():
            self.assertEqual(make(settings(), known()).name, name)


class MakeTests(SynchronousTestCase):
    """
    Tests of making the checks of a configuration.
    """

    def test_all(self):
        """
        By default all checks are made, and they can be brought into an order.
        """
        checks = make_checks(settings(), known())
        self.assertEqual([check.name for check in checks], list(CHECKS))
        self.assertTrue(all(map(ICheck.providedBy, checks)))
        plan = make_plan(checks, make_extractors(ImmediateThreads()), checks_off(settings()))
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
            made = {check.name for check in make_checks(given, known())}
            self.assertEqual("helo" not in made, mode == "off")
            self.assertEqual(set(checks_off(given)), set(CHECKS) - made)
