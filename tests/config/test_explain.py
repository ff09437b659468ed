"""
Tests of L{mailgate.config.explain}.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.checks import Checks
from mailgate.config.explain import explain
from mailgate.config.model import AccountUpstream, Settings
from mailgate.config.problem import Problem
from tests.config.files import WHOLE, FileTestCase

_WORDS = st.text("ab_[]. =\x7f\n", max_size=5)
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | _WORDS
_ANYTHING = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=3),
    max_leaves=6,
)


def every_option() -> dict[str, Any]:
    """
    Give the tables of a file that sets every option.
    """
    whole = Settings.model_validate(
        {
            "hostname": "mail.example.com",
            "data": "var",
            "listener": [{"address": "127.0.0.1:2525"}],
            "route": [{"domains": ["example.com"], "upstream": "one"}],
            "upstream": {
                "one": {"kind": "maildir", "path": "inbox"},
                "two": {"kind": "smtp", "host": "192.0.2.7"},
            },
        }
    )
    tables = whole.model_dump(mode="json")
    tables["route"][0]["upstream"] = "one"
    tables["tls"] = {"certificate": "c.pem", "key": "k.pem"}
    tables["log"] = {"transactions": "t.jsonl"}
    asked = AccountUpstream(host="mail.example.com", senders={"ada": ("@example.com",)})
    tables["accounts"] = {"file": "accounts", "upstream": asked.model_dump(mode="json")}
    return tables


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """
    Give the way to each table, option and entry of a list.
    """
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from places(inner, (*path, number))


class OneMistakeTests(FileTestCase):
    """
    A mistake is told with its table, its key, what the file says, and what is allowed.
    """

    def add(self, text: str) -> str:
        """
        Give the line about the one mistake that C{text} adds to a right file.
        """
        return self.only_mistake(WHOLE + text)

    def replace(self, old: str, new: str) -> str:
        """
        Give the line about the one mistake that a change makes in a right file.
        """
        return self.only_mistake(WHOLE.replace(old, new))

    def test_number(self) -> None:
        """
        A number in quotes is none.
        """
        self.assertEqual(
            self.add('[limits]\nsession_seconds = "600"\n'),
            '[limits] session_seconds = "600": must be a number above 0',
        )

    def test_range(self) -> None:
        """
        A number outside its range is told the range.
        """
        self.assertEqual(
            self.add("[limits]\nrecipients = 5\n"),
            "[limits] recipients = 5: must be a whole number from 100 to 10000",
        )

    def test_range_open_below(self) -> None:
        """
        A range that leaves out its lower end says so.
        """
        self.assertEqual(
            self.add("[checks.helo]\ndeadline = 31\n"),
            "[checks.helo] deadline = 31: must be a number above 0 and at most 30",
        )

    def test_fraction(self) -> None:
        """
        Where a whole number is meant a fraction is wrong, and so is true.
        """
        for value in ("1.5", "2.0", "true"):
            self.assertEqual(
                self.add(f"[limits]\nerrors = {value}\n"),
                f"[limits] errors = {value}: must be a whole number from 1 to 1000",
            )

    def test_infinity(self) -> None:
        """
        Infinity and not-a-number, which TOML has, are no numbers here.
        """
        for value in ("inf", "nan"):
            self.assertEqual(
                self.add(f"[policy]\nreject = {value}\n"),
                f"[policy] reject = {value}: must be a number",
            )

    def test_choice(self) -> None:
        """
        A word out of several is told with all of them.
        """
        self.assertEqual(
            self.add('[checks.headers]\nmode = "on"\n'),
            '[checks.headers] mode = "on": must be one of "off", "observe", "score", "enforce"',
        )

    def test_unknown_key(self) -> None:
        """
        An unknown key is told the nearest known one.
        """
        self.assertEqual(
            self.add("[limits]\nrecipient = 200\n"),
            '[limits] recipient = 200: there is no such key; did you mean "recipients"?',
        )

    def test_unknown_key_like_none(self) -> None:
        """
        An unknown key that is like no other is told all that are known there.
        """
        self.assertEqual(
            self.add('[log]\nxyz = ["a", 1, true, {b = 2}]\n'),
            '[log] xyz = ["a", 1, true, { b = 2 }]: there is no such key; '
            "known here are format, transactions",
        )

    def test_key_of_another_table(self) -> None:
        """
        A key that belongs to another table is told which.
        """
        self.assertEqual(
            self.add("[policy]\nrecipients = 200\n"),
            "[policy] recipients = 200: there is no such key; there is one in [limits]",
        )
        checks = " and in ".join(f"[checks.{name}]" for name in Checks.model_fields)
        self.assertEqual(
            self.add('[policy]\nmode = "observe"\n'),
            '[policy] mode = "observe": there is no such key; there is one before the first '
            f"table and in {checks}",
        )

    def test_unknown_table(self) -> None:
        """
        An unknown table is told the nearest known one.
        """
        self.assertEqual(
            self.add("[check.helo]\n"), '[check]: there is no such table; did you mean "checks"?'
        )
        self.assertEqual(
            self.add("[[listeners]]\n"),
            '[[listeners]]: there is no such table; did you mean "listener"?',
        )

    def test_missing_key(self) -> None:
        """
        A missing key is told with what belongs there.
        """
        self.assertEqual(
            self.replace('hostname = "mail.example.com"', ""),
            "hostname: is missing; it must be the full name of this machine in the DNS, "
            "as in mail.example.com",
        )
        self.assertEqual(
            self.replace('path = "var/inbox"', ""),
            "[upstream.inbox] path: is missing; it must be a path in quotes",
        )

    def test_missing_table(self) -> None:
        """
        A missing table is told with its header.
        """
        self.assertEqual(
            self.replace("[[listener]]", "[web]"),
            "listener: is missing; it must be one or more tables, each under [[listener]]",
        )

    def test_single_brackets(self) -> None:
        """
        A table that needs double brackets is told so.
        """
        self.assertEqual(
            self.replace("[[listener]]", "[listener]"),
            'listener = { address = "127.0.0.1:2525" }: must be one or more tables, each under '
            "[[listener]]",
        )

    def test_value_for_a_table(self) -> None:
        """
        A value where a table belongs is a mistake.
        """
        self.assertEqual(self.only_mistake("limits = 5\n" + WHOLE), "[limits] = 5: must be a table")

    def test_kind(self) -> None:
        """
        An upstream is told the kinds there are, whether its kind is wrong or missing.
        """
        self.assertEqual(
            self.replace('"maildir"', '"imap"'),
            '[upstream.inbox] kind = "imap": must be one of "lmtp", "maildir", "smtp", "smtps"',
        )
        self.assertEqual(
            self.replace('kind = "maildir"', ""),
            "[upstream.inbox] kind: is missing; it must be one of "
            '"lmtp", "maildir", "smtp", "smtps"',
        )

    def test_name_of_a_table(self) -> None:
        """
        A name that no upstream may have is told what names are.
        """
        text = '[upstream."In box"]\nkind = "maildir"\npath = "a"\n'
        self.assertEqual(
            self.add(text),
            '[upstream."In box"]: the name in its header must be a name of at most 63 small '
            "letters, digits, - and _",
        )

    def test_entry_of_a_list(self) -> None:
        """
        Of a list the wrong entry alone is told.
        """
        self.assertEqual(
            self.add('[checks.helo]\nexempt_networks = ["127.0.0.0/8", "192.0.2.1/24"]\n'),
            '[checks.helo] exempt_networks = "192.0.2.1/24": has address bits behind its prefix; '
            "write 192.0.2.0/24 for the whole network",
        )

    def test_empty_list(self) -> None:
        """
        A list that must hold something is told so.
        """
        self.assertEqual(
            self.add("[outbox]\nretry_seconds = []\n"),
            "[outbox] retry_seconds = []: must be a list in brackets of one or more values, "
            "each a number above 0",
        )

    def test_long_value(self) -> None:
        """
        A long value is shortened, so that a mistake stays one line that can be read.
        """
        line = self.add(f'[web]\nbase_url = "{"x" * 500}\\n"\n')
        self.assertIn(f'[web] base_url = "{"x" * 76}...: must be', line)


class AnyMistakeTests(SynchronousTestCase):
    """
    Whatever stands in a file, it is told in words of ours.
    """

    def explained(self, tables: dict[str, Any]) -> list[Problem]:
        """
        Give the mistakes in some tables, each of them told well.
        """
        try:
            Settings.model_validate(tables)
        except ValidationError as error:
            problems = explain(error, Settings, Path("mailgate.toml"))
        else:
            return []
        self.assertTrue(problems)
        for problem in problems:
            line = str(problem)
            self.assertTrue(line.isprintable(), line)
            self.assertNotRegex(problem.why, "(?i)input|value error|pydantic|tuple|dictionary")
            self.assertRegex(problem.why, "must be .|is missing|there is no such")
        return problems

    @given(st.sampled_from([*places(every_option())]), _ANYTHING)
    def test_any_value_anywhere(self, place: tuple[str | int, ...], value: Any) -> None:
        """
        Any value in the place of any table, option or entry is right or told in words.
        """
        tables = every_option()
        target: Any = tables
        for step in place[:-1]:
            target = target[step]
        target[place[-1]] = value
        self.explained(tables)

    @given(st.sampled_from([*places(every_option())]), _WORDS, _ANYTHING)
    def test_any_key_anywhere(self, place: tuple[str | int, ...], key: str, value: Any) -> None:
        """
        Any key beside any option is known or told in words.
        """
        tables = every_option()
        target: Any = tables
        for step in place[:-1]:
            target = target[step]
        if isinstance(target, dict):
            target[key] = value
        self.explained(tables)

    def test_every_option_is_told(self) -> None:
        """
        A table in the place of an option is a mistake that names the option.
        """
        for *path, option in places(every_option()):
            tables = every_option()
            target: Any = tables
            for step in path:
                target = target[step]
            if isinstance(option, str) and not isinstance(target[option], dict | list):
                target[option] = {"a": 1}
                keys = [problem.key for problem in self.explained(tables)]
                self.assertEqual(keys, [option])
