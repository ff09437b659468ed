"""
Who may import whom: the table of docs/architecture.rst, held.
"""

import ast
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

SOURCE = Path(__file__).parent.parent / "mailgate"
LEAVES = {"finding", "reply", "verdict", "interfaces", "wording"}
EVERYBODY = LEAVES | {"wire", "config"}
"""What every package may import, beside itself."""

MAY_ALSO = {
    **{name: set() for name in (*LEAVES, "wire", "config", "store", "net", "message")},
    **{name: {"message"} for name in ("authentication", "classify", "rules", "pipeline", "policy")},
    "knowledge": {"store", "net"},
    "checks": {"authentication", "classify", "rules", "knowledge", "message", "net"},
    "rewrite": {"authentication", "message"},
    "delivery": {"message", "store", "net"},
    "edge": {"message"},
    "people": {"store"},
    "quarantine": {"store", "message", "people"},
    "reporting": {"store", "message"},
    "web": {"people", "quarantine", "reporting", "policy", "knowledge", "message", "store"},
    "hub": {
        "message",
        "store",
        "net",
        "people",
        "quarantine",
        "reporting",
        "delivery",
        "knowledge",
        "classify",
        "rewrite",
        "authentication",
        "web",
    },
}
UNBOUND = {
    "__init__",
    "__main__",
    "addressing",
    "child",
    "cli",
    "commands",
    "fleet",
    "judging",
    "parts",
    "sandboxed",
    "service",
    "tap",
    "worker",
}
"""What puts everything together."""


def imported(tree):
    """
    Give the parts of mailgate that a module imports when it runs.
    """
    for node in tree.body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        yield from _imported(node)


def _imported(node):
    for inner in ast.walk(node):
        names = []
        if isinstance(inner, ast.Import):
            names = [alias.name for alias in inner.names]
        elif isinstance(inner, ast.ImportFrom) and inner.module:
            names = [inner.module]
            if inner.module == "mailgate":
                names = [f"mailgate.{alias.name}" for alias in inner.names]
        for name in names:
            top, _, rest = name.partition(".")
            if top == "mailgate" and rest and rest != "__version__":
                yield rest.partition(".")[0]


class ImportTests(SynchronousTestCase):
    """
    Tests of the structure.
    """

    def test_table(self):
        """
        Every module imports only what its package may.
        """
        wrong = []
        for path in sorted(SOURCE.rglob("*.py")):
            package = path.relative_to(SOURCE).with_suffix("").parts[0]
            if package in UNBOUND:
                continue
            self.assertIn(package, MAY_ALSO, f"{path} belongs to no package of the table")
            allowed = EVERYBODY | MAY_ALSO[package] | {package}
            wrong += [
                f"{path.relative_to(SOURCE)} imports {other}"
                for other in imported(ast.parse(path.read_text("utf-8")))
                if other not in allowed
            ]
        self.assertEqual(wrong, [])

    def test_no_reactor_at_import(self):
        """
        No module installs a reactor by being imported.
        """
        wrong = [
            str(path)
            for path in SOURCE.rglob("*.py")
            for node in ast.parse(path.read_text("utf-8")).body
            if isinstance(node, ast.ImportFrom)
            and node.module == "twisted.internet"
            and any(alias.name == "reactor" for alias in node.names)
        ]
        self.assertEqual(wrong, [])

    def test_it_sees_a_wrong_import(self):
        """
        The table is read from the code: a wrong import is seen, one for typing is not.
        """
        source = (
            "from typing import TYPE_CHECKING\n"
            "from mailgate.web.site import Site\n"
            "if TYPE_CHECKING:\n    from mailgate.hub.hub import Hub\n"
            "def f():\n    import mailgate.store.blobs\n"
        )
        self.assertEqual(list(imported(ast.parse(source))), ["web", "store"])
