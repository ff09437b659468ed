"""
Tests that the documentation is well-formed and says the same as the code.
"""

import ast
import io
import os
import re
from collections import defaultdict
from pathlib import Path
from unittest import SkipTest
from urllib.parse import urlsplit

from twisted.trial.unittest import SynchronousTestCase

from tests.test_imports import LEAVES, MAY_ALSO, UNBOUND

try:
    from docutils import nodes
    from docutils.core import publish_doctree
    from docutils.parsers.rst import Directive, directives
except ImportError:
    publish_doctree = None
else:

    class TableOfContents(Directive):
        """
        What Sphinx has beyond docutils, and what the index pages use of it.
        """

        has_content = True
        option_spec = {"hidden": directives.flag}

        def run(self):
            """
            Leave a node that is not shown, with the names of the pages.
            """
            return [nodes.comment("", "", pages=list(self.content))]

    directives.register_directive("toctree", TableOfContents)

TOP = Path(__file__).parent.parent
SOURCE = TOP / "mailgate"
EVENTS = TOP / "docs" / "events.rst"
SECURITY = TOP / "docs" / "security.rst"

LEVELS = {
    "debug": "debug",
    "info": "info",
    "warn": "warn",
    "error": "error",
    "critical": "critical",
    "failure": "critical",
}
"""The level of what each method of a logger emits."""

INDIRECT = {
    "delivery/queue.py": {
        f"outbox.{what}": ("info", {"id", "trace", "by"})
        for what in ("resumed", "stopped", "deleted")
    },
    "pipeline/round.py": {
        f"{kind}.{what}": (level, {kind, "trace"})
        for kind in ("check", "extractor")
        for what, level in (("failed", "critical"), ("deadline", "warn"))
    },
    "quarantine/held.py": {
        f"quarantine.{what}": ("info", {"id", "trace", "by"}) for what in ("released", "deleted")
    },
}
"""The events whose names are no literals where they are emitted: their level and fields."""


def documents():
    """
    Give all files in reStructuredText.
    """
    return [
        *sorted(TOP.glob("*.rst")),
        *sorted((TOP / "docs").rglob("*.rst")),
        *sorted((TOP / "bench").glob("*.rst")),
        *sorted((TOP / "newsfragments").glob("*.rst")),
    ]


def calls(path):
    """
    Give the calls in a module.
    """
    tree = ast.parse(path.read_text("utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def is_of_logger(call):
    """
    Tell whether a call is one of a logger's methods.
    """
    function = call.func
    if not isinstance(function, ast.Attribute) or function.attr not in {*LEVELS, "emit"}:
        return False
    owner = function.value
    name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
    return name in ("log", "_log", "events")


def fields_of(call):
    """
    Give the fields that a call names, beside the name of the event.
    """
    return {each.arg for each in call.keywords} - {"event", "failure", None}


def emitted():
    """
    Give the level and the fields of each event that the code emits.
    """
    levels, fields = defaultdict(set), defaultdict(set)
    for path in sorted(SOURCE.rglob("*.py")):
        for call in calls(path):
            if not is_of_logger(call):
                continue
            name = next((each.value for each in call.keywords if each.arg == "event"), None)
            if isinstance(name, ast.Constant):
                levels[name.value].add(LEVELS[call.func.attr])
                fields[name.value] |= fields_of(call)
        for name, (level, its) in INDIRECT.get(path.relative_to(SOURCE).as_posix(), {}).items():
            levels[name].add(level)
            fields[name] |= its
    return {name: (levels[name], fields[name]) for name in levels}


def noted():
    """
    Give the names that the code writes into the history of a message.
    """
    names = set()
    for path in sorted(SOURCE.rglob("*.py")):
        for call in calls(path):
            if ast.unparse(call.func) in ("history.note", "self._note", "outbox.note", "note"):
                names |= {
                    each.value
                    for each in call.args
                    if isinstance(each, ast.Constant)
                    and re.fullmatch(r"[a-z_]+\.[a-z_]+", str(each.value))
                }
    return names


def sections():
    """
    Give the text of the page of events up to the history, and from there on.
    """
    text = EVENTS.read_text("utf-8")
    log, _, history = text.partition("\nThe history of a message\n====")
    return log, history


class EventTests(SynchronousTestCase):
    """
    C{docs/events.rst} is the list of the events.
    """

    def documented(self):
        """
        Give the level and the fields of each event on the page.
        """
        entries = re.findall(
            r"^``([a-z_.]+)`` \((\w+)\)\n((?:    .*\n|\n(?=    ))+)", sections()[0], re.MULTILINE
        )
        names = [name for name, _, _ in entries]
        self.assertEqual(sorted(set(names)), sorted(names), "some event is there twice")
        found = {}
        for name, level, text in entries:
            said = re.search(r"Fields?:\s+((?:``\w+``[\s,]*)+)\.", text)
            its = re.findall(r"``(\w+)``", said[1]) if said else []
            found[name] = ({level}, set(its))
        return found

    def test_events(self):
        """
        The page has the events that the code emits and no other, each with its level and its
        fields.
        """
        self.maxDiff = None
        self.assertEqual(self.documented(), emitted())

    def test_what_to_do(self):
        """
        The page tells of each event what a person should do.
        """
        text = sections()[0]
        entries = re.split(r"^(?=``[a-z_.]+`` \(\w+\)$)", text, flags=re.MULTILINE)[1:]
        for entry in entries:
            self.assertIn("*Do:* ", entry)

    def test_history(self):
        """
        The page has the names that the history of a message knows and no other.
        """
        found = set(re.findall(r"^``([a-z_]+\.[a-z_]+)``$", sections()[1], re.MULTILINE))
        self.assertEqual(found, noted())
        self.assertNotEqual(found, set())

    def test_every_event_has_a_name(self):
        """
        Nothing is logged without the name of an event; names are literals but in the modules
        of the table above, and each entry of that is needed.
        """
        indirect = set()
        for path in sorted(SOURCE.rglob("*.py")):
            for call in filter(is_of_logger, calls(path)):
                where = f"{path.relative_to(TOP)}, line {call.lineno}"
                names = [each.value for each in call.keywords if each.arg == "event"]
                self.assertEqual(len(names), 1, where)
                if isinstance(names[0], ast.Constant):
                    self.assertRegex(names[0].value, r"^[a-z]+\.[a-z_]+$", where)
                else:
                    indirect.add(path.relative_to(SOURCE).as_posix())
        self.assertEqual(indirect, set(INDIRECT))

    def test_loggers_are_found(self):
        """
        No logger has a name under which it is not looked for here.
        """
        for path in sorted(SOURCE.rglob("*.py")):
            for name in re.findall(r"(\w+) = Logger\(\)", path.read_text("utf-8")):
                self.assertIn(name, ("log", "_log", "events"), str(path))


def is_test(name):
    """
    Tell whether a dotted name is that of a module of tests, of a case in it, or of a test.
    """
    words = name.split(".")
    path = TOP.joinpath(*words).with_suffix(".py")
    if path.is_file():
        return True
    for depth in (1, 2):
        path = TOP.joinpath(*words[:-depth]).with_suffix(".py")
        if path.is_file():
            break
    else:
        return False
    case, *test = words[-depth:]
    methods = [
        each.name
        for of_case in ast.parse(path.read_text("utf-8")).body
        if isinstance(of_case, ast.ClassDef) and of_case.name == case
        for each in of_case.body
        if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    if not test:
        return any(name.startswith("test_") for name in methods)
    return test[0].startswith("test_") and test[0] in methods


class SecurityTests(SynchronousTestCase):
    """
    C{docs/security.rst} names the tests that hold each border.
    """

    def named(self, text):
        """
        Give the names of tests in a text.
        """
        return re.findall(r"\btests(?:\.\w+)+", text)

    def test_named_tests(self):
        """
        Every test that the page names is one.
        """
        names = self.named(SECURITY.read_text("utf-8"))
        self.assertGreater(len(names), 100)
        for name in names:
            self.assertTrue(is_test(name), name)

    def test_it_sees_a_mistake(self):
        """
        A name without a test is seen, whichever part of it is wrong.
        """
        for name in (
            "tests.test_dogs",
            "tests.test_docs.SecurityTest",
            "tests.test_docs.SecurityTests.test_tests",
            "tests.test_docs.SecurityTests.named",
            "tests.test_docs.SECURITY",
        ):
            self.assertEqual(self.named(f"``{name}``")[0], name)
            self.assertFalse(is_test(name), name)

    def test_every_border(self):
        """
        Each border has tests, and says what is not defended.
        """
        text = SECURITY.read_text("utf-8")
        _, *borders, _, _ = re.split(r"^(?=\S.*\n=+\n\n)", text, flags=re.MULTILINE)[3:]
        self.assertEqual(len(borders), 9)
        for border in borders:
            self.assertNotEqual(self.named(border), [], border[:60])
            self.assertIn("**Not defended.**", border)


class DocumentTests(SynchronousTestCase):
    """
    Every document can be rendered, and leads somewhere.
    """

    def setUp(self):
        """
        Skip where docutils is missing, or fail under C{MAILGATE_REQUIRE_REAL=1}.
        """
        if publish_doctree is None:
            if os.environ.get("MAILGATE_REQUIRE_REAL") == "1":
                self.fail("docutils is not installed")
            raise SkipTest("docutils is not installed")

    def read(self, path, text=None):
        """
        Read a document.

        @return: its tree, and what docutils complained about.
        """
        complaints = io.StringIO()
        tree = publish_doctree(
            path.read_text("utf-8") if text is None else text,
            source_path=str(path.relative_to(TOP)),
            settings_overrides={
                "report_level": 1,
                "halt_level": 5,
                "warning_stream": complaints,
                "syntax_highlight": "none",
                "file_insertion_enabled": False,
                "raw_enabled": False,
            },
        )
        return tree, complaints.getvalue()

    def test_rendering(self):
        """
        No document has anything that docutils warns of, or even mentions.
        """
        paths = documents()
        self.assertTrue({"README.rst", "index.rst", "2.feature.rst"} <= {p.name for p in paths})
        for path in paths:
            self.assertEqual(self.read(path)[1], "")

    def test_it_sees_a_mistake(self):
        """
        A line under a title that is too short is seen.
        """
        self.assertIn("too short", self.read(TOP / "README.rst", "Title\n==\n")[1])

    def test_links(self):
        """
        A link inside the documentation leads to a file that is there.
        """
        for path in documents():
            for link in self.read(path)[0].findall(nodes.reference):
                target = urlsplit(link.get("refuri", ""))
                if target.path and not target.scheme:
                    self.assertTrue(
                        (path.parent / target.path).exists(), f"{path.name}: {target.path}"
                    )

    def test_index(self):
        """
        The index of a folder links to every page of it and to the indexes below it, and has
        them in its table of contents, in the same order.
        """
        indexes = sorted((TOP / "docs").rglob("index.rst"))
        self.assertEqual(
            {path.parent.name for path in indexes},
            {path.parent.name for path in (TOP / "docs").rglob("*.rst")},
        )
        for index in indexes:
            folder = index.parent
            pages = {*folder.glob("*.rst"), *folder.glob("*/index.rst")} - {index}
            names = {path.relative_to(folder).as_posix() for path in pages}
            tree, _ = self.read(index)
            links = [link.get("refuri") for link in tree.findall(nodes.reference)]
            (contents,) = (each["pages"] for each in tree.findall(nodes.comment) if "pages" in each)
            self.assertEqual({f"{page}.rst" for page in contents}, names, str(index))
            self.assertEqual(
                [link for link in links if link in names], [f"{p}.rst" for p in contents]
            )

    def test_paths(self):
        """
        A file of the code that a page names is there.
        """
        for path in (TOP / "README.rst", *sorted((TOP / "docs").rglob("*.rst"))):
            text = path.read_text("utf-8")
            for name in re.findall(r"``((?:mailgate|tests|docs|etc|bench)/[\w./]*)``", text):
                self.assertTrue((TOP / name).exists(), f"{path.name}: {name}")

    def test_import_table(self):
        """
        The table of the architecture says who may import whom as the test of it does.
        """
        tree, _ = self.read(TOP / "docs" / "architecture.rst")
        (table,) = (
            each for each in tree.findall(nodes.table) if "may also import" in each.astext()
        )
        rows = [
            [cell.astext() for cell in row.findall(nodes.entry)] for row in table.findall(nodes.row)
        ]
        said = {}
        for packages, others in rows[1:]:
            also = set() if others == "nothing more" else set(re.findall(r"\w+", others))
            for name in re.findall(r"\w+", packages.replace("the leaves", " ".join(LEAVES))):
                said[name] = also
        for name in ("service", "tap", "cli", "commands", "judging"):
            self.assertIn(name, UNBOUND)
            self.assertEqual(said.pop(name), {"all"})
        self.assertEqual(said, MAY_ALSO)
