"""
Tests of the files in C{etc/}, against L{mailgate.config.model}.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from twisted.trial.unittest import SynchronousTestCase

import mailgate.config
from mailgate.config.checks import DnsList
from mailgate.config.delivery import Group, MaildirUpstream, Route, SmtpUpstream
from mailgate.config.load import check, load
from mailgate.config.model import AccountUpstream, CertificateFiles, Listener, Settings
from mailgate.config.recipients import (
    FileSource,
    LdapSource,
    ListSource,
    PostgresqlSource,
    SqliteSource,
    UpstreamSource,
)

ETC = Path(__file__).parent.parent.parent / "etc"
SAMPLE = ETC / "mailgate.toml"
QUICKSTART = ETC / "quickstart.toml"

_OPTION = re.compile(r"#(?=[a-z]\w* = |\[|\]|\")")
"""What stands before an option that is commented out; an explanation has a space there."""


def uncommented() -> dict[str, Any]:
    """
    Give the tables of the sample with every option taken out of its comment.
    """
    lines = SAMPLE.read_text().splitlines()
    return tomllib.loads("\n".join(_OPTION.sub("", line, count=1) for line in lines))


def sections(kind: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """
    Give the single tables of a section, and theirs, with the keys that lead to them.
    """
    for name, field in kind.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield name, inner
            for rest, deeper in sections(inner):
                yield f"{name}.{rest}", deeper


class SampleTests(SynchronousTestCase):
    """
    C{etc/mailgate.toml} holds every option, and says the truth about it.
    """

    def compare(self, name: str, kind: type[BaseModel], table: dict[str, Any]) -> None:
        """
        Compare a table of the sample with its section of the model.
        """
        self.assertEqual(set(table), set(kind.model_fields), name)
        for key, field in kind.model_fields.items():
            default = field.default
            if default is None or default is PydanticUndefined or isinstance(default, BaseModel):
                continue
            if default == {} and all(isinstance(each, dict) for each in table[key].values()):
                # Tables under names, which are compared by themselves.
                continue
            if default == () and any(isinstance(each, dict) for each in table[key]):
                # Further tables, which are compared by themselves.
                continue
            said = tuple(table[key]) if isinstance(default, tuple) else table[key]
            self.assertEqual(said, default, f"{name}.{key}")

    def test_single_tables(self) -> None:
        """
        Each table that can stand once has all its options, at their defaults.
        """
        tables = uncommented()
        self.compare("settings", Settings, tables)
        for name, kind in sections(Settings):
            table: Any = tables
            for part in name.split("."):
                table = table[part]
            self.compare(name, kind, table)

    def test_repeated_tables(self) -> None:
        """
        So has each table that can stand several times, for both kinds of upstream.
        """
        tables = uncommented()
        self.compare("listener", Listener, tables["listener"][0])
        self.compare("route", Route, {**tables["route"][0], "domains": ()})
        self.compare("tls.certificates", CertificateFiles, tables["tls"]["certificates"][0])
        self.compare("group", Group, {**tables["group"]["moved"], "members": ()})
        kinds = {table["kind"]: table for table in tables["upstream"].values()}
        self.assertEqual(set(kinds), {"smtp", "maildir"})
        self.compare("upstream.smtp", SmtpUpstream, kinds["smtp"])
        self.compare("upstream.maildir", MaildirUpstream, kinds["maildir"])

    def test_recipients(self) -> None:
        """
        So has each kind of source of recipients; a default that depends on others is left out.
        """
        sources = (
            ListSource,
            FileSource,
            UpstreamSource,
            SqliteSource,
            PostgresqlSource,
            LdapSource,
        )
        tables = {table["kind"]: table for table in uncommented()["recipients"].values()}
        kinds = {get_args(each.model_fields["kind"].annotation)[0]: each for each in sources}
        self.assertEqual(set(tables), set(kinds))
        for name, kind in kinds.items():
            self.compare(f"recipients.{name}", kind, {**tables[name], "domains": []})

    def test_lists_sample(self) -> None:
        """
        So has, taken together, the tables of the lists in the DNS. Each of them can be taken out of
        its comment as it is, and has a look-up page for whoever is refused.
        """
        tables = uncommented()["checks"]["dnslists"]["lists"]
        for name, table in tables.items():
            one = DnsList.model_validate(table)
            self.assertTrue(one.page.startswith("https://"), name)
        self.assertEqual(set().union(*tables.values()), set(DnsList.model_fields))
        self.assertGreater(len(tables), 12)

    def test_account_upstream(self) -> None:
        """
        So has the table of the mail server that knows the accounts, at its defaults.
        """
        table = uncommented()["accounts"]["upstream"]
        self.assertTrue(table.pop("senders"))
        self.compare("accounts.upstream", AccountUpstream, {**table, "senders": {}})
        self.assertEqual(AccountUpstream(host="mail.example.com").usual_port, table["port"])

    def test_only_what_is_required_is_set(self) -> None:
        """
        What is not required is commented out, so that the defaults of a later version count.
        """
        tables = tomllib.loads(SAMPLE.read_text())
        upstream = tables["upstream"]["mailserver"]
        for table, kind in (
            (tables, Settings),
            (tables["listener"][0], Listener),
            (tables["route"][0], Route),
            (upstream, SmtpUpstream),
        ):
            for key, value in table.items():
                field = kind.model_fields[key]
                is_empty_table = isinstance(value, dict) and not any(value.values())
                # A route needs one of three options.
                is_needed = field.is_required() or (kind, key) == (Route, "domains")
                self.assertTrue(is_needed or is_empty_table, key)

    def test_every_option_is_explained(self) -> None:
        """
        Above each group of options stands an explanation.
        """
        explained = False
        for number, line in enumerate(SAMPLE.read_text().splitlines(), 1):
            if line.startswith("# "):
                explained = True
            elif not line:
                explained = False
            elif not line.startswith(("[", "#[")):
                self.assertTrue(explained, f"line {number}: {line}")

    def test_what_must_be_edited(self) -> None:
        """
        As it comes it names what must be edited, and nothing else.
        """
        problems, warnings = check(SAMPLE)
        self.assertEqual(warnings, [])
        self.assertEqual(
            [(each.table, each.key) for each in problems],
            [
                ("", "hostname"),
                ("[[route]] number 1", "domains"),
                ("[[route]] number 1", "domains"),
                ("[upstream.mailserver]", "host"),
            ],
        )
        for each in problems:
            self.assertIn("is only an example; put ", each.why)

    def test_it_is_right(self) -> None:
        """
        With real names in it, it is a right file without a warning.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        path = folder / "mailgate.toml"
        path.write_text(SAMPLE.read_text().replace('.example"', '.example.com"'))
        self.assertEqual(check(path), ([], []))

    def test_package(self) -> None:
        """
        The package has the same file, for C{mailgate init}.
        """
        packed = Path(mailgate.config.__file__).with_name("mailgate.toml")
        self.assertEqual(
            packed.read_text(), SAMPLE.read_text(), f"copy {SAMPLE} to {packed.parent}"
        )


class QuickstartTests(SynchronousTestCase):
    """
    C{etc/quickstart.toml} is for trying the gateway out.
    """

    def test_it_is_right(self) -> None:
        """
        It is a right file without a warning.
        """
        self.assertEqual(check(QUICKSTART), ([], []))

    def test_what_the_readme_promises(self) -> None:
        """
        Mail comes in and is looked at on this machine only, and ends in C{var/inbox}.
        """
        settings = load(QUICKSTART)
        var = ETC.parent.resolve() / "var"
        self.assertEqual(settings.hostname, "mail.example.com")
        self.assertEqual([each.address for each in settings.listener], ["127.0.0.1:2525"])
        self.assertEqual(settings.web.address, "127.0.0.1:8025")
        self.assertEqual(settings.web.base_url, "http://127.0.0.1:8025")
        self.assertEqual(settings.data, var)
        self.assertEqual([each.domains for each in settings.route], [("example.com",)])
        self.assertEqual(
            settings.upstream, {"inbox": MaildirUpstream(kind="maildir", path=var / "inbox")}
        )
