"""
Tests that the page of each check says the same as its file and its settings.
"""

import ast
import re
import tomllib
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import mailgate.checks
from mailgate.checks.table import CHECKS
from mailgate.config.checks import Checks
from tests.checks.given import known, settings

FILES = Path(mailgate.checks.__file__).parent
PAGES = Path(__file__).parents[2] / "docs" / "checks"

SYMBOL = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")

NO_SCORES = {
    *(
        (name, "cap_score")
        for name in ("attachments", "documents", "fuzzy", "headers", "html", "links", "phishing")
    ),
    ("links", "listed_cap_score"),
}
"""Options whose names end like those of a score, though no symbol has it."""

RULES = "rules"
"""The check whose symbols people write down in files: C{mailgate rules list} has them."""


def read(name):
    """
    Give the text of a page.
    """
    return (PAGES / f"{name}.rst").read_text("utf-8")


def rows(name):
    """
    Give symbol, option and score of each row of a page's table of symbols.
    """
    return re.findall(
        rf"^({SYMBOL.pattern}) +(``\w+``|\.\.\.|…|none) +([+-]?[\d.]+|\.\.\.|…) +\S",
        read(name),
        re.MULTILINE,
    )


def emitted(path):
    """
    Give patterns of the symbols that stand in a module: literals, and those that are put
    together from a name and an ending.
    """
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if SYMBOL.fullmatch(node.value):
                found.add(node.value)
        elif isinstance(node, ast.JoinedStr):
            pattern = "".join(
                part.value if isinstance(part, ast.Constant) else "[A-Z0-9_]+"
                for part in node.values
            )
            if re.fullmatch(r"[A-Z0-9_+\[\]-]*[A-Z]_?[A-Z0-9_+\[\]-]*", pattern):
                found.add(pattern)
    return found


class PageTests(SynchronousTestCase):
    """
    Tests of C{docs/checks/}.
    """

    def test_pages(self):
        """
        Each check has its page, and each page but the index its check.
        """
        self.assertEqual({path.stem for path in PAGES.glob("*.rst")}, {*CHECKS, "index"})

    def test_configuration(self):
        """
        A page begins with the check's table of the configuration: all options with their
        defaults, commented.
        """
        for name in CHECKS:
            title, _, rest = read(name).partition("\n\n")
            self.assertTrue(title.startswith(f"{name}: "))
            self.assertTrue(rest.startswith(".. code-block:: toml\n\n"))
            block = rest.partition("\n\n")[2]
            block = block[: re.search(r"^(?=\S)", block, re.MULTILINE).start()]
            options = re.sub(r"^ +#(?=[a-z_]+ = |[\"\]])", "", block, flags=re.MULTILINE)
            section = getattr(Checks(), name).model_dump(mode="json")
            expected = {
                key: list(value) if isinstance(value, tuple) else value
                for key, value in section.items()
            }
            self.assertEqual(tomllib.loads(options), {"checks": {name: expected}})

    def test_symbols(self):
        """
        A page has each symbol that the check's file can emit, once, and no other.
        """
        for name in set(CHECKS) - {RULES}:
            page = [symbol for symbol, _, _ in rows(name)]
            self.assertEqual(len(set(page)), len(page), f"{name}: a symbol is there twice")
            begun = set(re.findall(rf"^({SYMBOL.pattern}) ", read(name), re.MULTILINE))
            self.assertEqual(begun - set(page), set(), f"{name}: a row is not well-formed")
            patterns = emitted(FILES / f"{name}.py")
            for pattern in patterns:
                self.assertTrue(
                    any(re.fullmatch(pattern, symbol) for symbol in page),
                    f"{name}: {pattern} is not on the page",
                )
            for symbol in page:
                self.assertTrue(
                    any(re.fullmatch(pattern, symbol) for pattern in patterns),
                    f"{name}: {symbol} is not in the file",
                )
            self.assertNotEqual(page, [])
            self.assertEqual(set(page), CHECKS[name](settings(), known()).symbols)

    def test_scores(self):
        """
        Each symbol stands beside the option that sets its score and that option's default, and
        each option for a score beside a symbol.
        """
        for name in CHECKS:
            section = getattr(Checks(), name).model_dump()
            scores = {
                option
                for option in section
                if option.endswith("_score") and (name, option) not in NO_SCORES
            }
            named = set()
            for symbol, option, score in rows(name):
                if option not in ("...", "…", "none"):
                    key = option.strip("`")
                    self.assertIn(key, scores, f"{name}: {symbol}")
                    self.assertEqual(float(score), section[key], f"{name}: {symbol}")
                    named.add(key)
            self.assertEqual(named, scores, name)

    def test_index(self):
        """
        The index has each check, in the order of the table, with its phase and its mode.
        """
        found = re.findall(
            r"^`(\w+) <(\w+)\.rst>`__ +([A-Z]+) +(\w+) +\S", read("index"), re.MULTILINE
        )
        expected = [
            (name, name, make(settings(), known()).phase.name, getattr(Checks(), name).mode.value)
            for name, make in CHECKS.items()
        ]
        self.assertEqual(found, expected)
