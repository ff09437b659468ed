"""
Tests of L{mailgate.edge.account_file}.
"""

import os
import stat
from base64 import b64decode

from argon2 import PasswordHasher
from twisted.trial.unittest import SynchronousTestCase

from mailgate.edge.account_file import (
    AccountFile,
    AccountRefused,
    Entry,
    Table,
    accounts_path,
    make_hasher,
    usable_name,
    usable_sender,
)
from mailgate.interfaces import Account
from mailgate.store.files import Files
from mailgate.wire.address import NULL_SENDER, Address
from mailgate.wire.scram import ITERATIONS, make_verifier
from tests.recording import Journal, RecordingFiles
from tests.storage import make_settings, temporary_folder

PASSWORD = "correct horse battery"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HASH = CHEAP.hash(PASSWORD)
VERIFIER = make_verifier(PASSWORD, b"salt of 16 bytes", 4096)
SECRET = "@secret c2VjcmV0"


def parse(text):
    """
    Read the content of a file.
    """
    return Table.parse(text.encode("utf-8", "surrogateescape"))


class TableTests(SynchronousTestCase):
    """
    Tests of reading.
    """

    def test_lines(self):
        """
        A line is name, hash, verifier or hyphen, and senders, with white space between; comments
        and empty lines are nothing.
        """
        table = parse(
            f"# comment\n\n{SECRET}\n  ada\t{HASH}  {VERIFIER} ada@Example.COM @example.org\r\n"
            f"bob@example.com {HASH} -\n"
        )
        self.assertEqual(table.problems, [])
        self.assertEqual(table.secret, b"secret")
        self.assertEqual(
            table.entries,
            {
                "ada": Entry("ada", HASH, VERIFIER, ("ada@example.com", "@example.org")),
                "bob@example.com": Entry("bob@example.com", HASH),
            },
        )

    def test_problems(self):
        """
        A line with a mistake is left out and told with its number, without what stands in it.
        """
        lines = [
            "ada",
            f"ada {HASH}",
            f"ada hash {VERIFIER}",
            f"ada {HASH} verifier",
            f"ada {HASH} - nobody",
            f"ada {HASH} - a@b@c",
            f"ada {HASH} - @-example.com",
            f"@ada {HASH} -",
            f"a\0da {HASH} -",
            f"a\x85da {HASH} -",
            f"a\udcffda {HASH} -",
            "@secret ???",
            f"Bob {HASH} -",
        ]
        table = parse("\n".join([f"bob {HASH} -", *lines, f"eve {HASH} -"]))
        self.assertEqual(list(table.entries), ["bob", "eve"])
        self.assertEqual([number for number, _ in table.problems], list(range(2, len(lines) + 2)))
        for _, why in table.problems:
            self.assertNotIn("argon2id", why)
            self.assertTrue(why.endswith("."))

    def test_scram(self):
        """
        Decoys claim the iterations of the accounts, or those that new ones get.
        """
        self.assertTrue(parse(f"ada {HASH} {VERIFIER}").has_scram)
        self.assertEqual(parse(f"bob {HASH} -\nada {HASH} {VERIFIER}").iterations, 4096)
        self.assertFalse(parse(f"ada {HASH} -").has_scram)
        self.assertEqual(parse(f"ada {HASH} -").iterations, ITERATIONS)

    def test_without_secret(self):
        """
        Without a secret in the file nobody can know it either.
        """
        self.assertNotEqual(parse("").secret, parse("").secret)
        self.assertEqual(len(parse("").secret), 32)

    def test_nothing_is_shown(self):
        """
        Neither hash, nor secret, nor keys appear where a table is logged by mistake.
        """
        table = parse(f"{SECRET}\nada {HASH} {VERIFIER}")
        for secret in ("argon2id", "secret'", "key"):
            self.assertNotIn(secret, repr(table))


class AccountTests(SynchronousTestCase):
    """
    Tests of L{Account} and of what makes it.
    """

    def test_senders(self):
        """
        An account sends as its addresses and as everybody in its domains, however they are
        written, and as nobody else.
        """
        account = Entry("ada", HASH, senders=("ada@example.com", "@xn--bcher-kva.example")).account
        for local, domain in (
            ("ada", "example.com"),
            ("Ada", "EXAMPLE.com"),
            ("anybody", "b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.example"),
        ):
            self.assertTrue(account.may_send_as(Address(local, domain)), (local, domain))
        for local, domain in (
            ("eve", "example.com"),
            ("ada", "sub.example.com"),
            ("ada", "example.org"),
            ("eve", "sub.xn--bcher-kva.example"),
            ("postmaster", ""),
        ):
            self.assertFalse(account.may_send_as(Address(local, domain)), (local, domain))

    def test_own_name(self):
        """
        One whose name is an address may send as this address, beside others.
        """
        account = Entry("Ada@Example.COM", HASH, senders=("@example.org",)).account
        self.assertTrue(account.may_send_as(Address("ada", "example.com")))
        self.assertTrue(account.may_send_as(Address("eve", "example.org")))
        self.assertEqual(Entry("ada@", HASH).account.senders, frozenset())

    def test_everybody(self):
        """
        With an asterisk it may send as anybody, and the null sender is everybody's.
        """
        self.assertTrue(Account("relay", frozenset("*")).may_send_as(Address("a", "b.example")))
        self.assertTrue(Account("ada").may_send_as(NULL_SENDER))
        self.assertFalse(Account("ada").may_send_as(Address("ada", "example.com")))

    def test_usable_sender(self):
        """
        A sender is written in one form.
        """
        for said, written in (
            ("*", "*"),
            ("Ada.X+y@Example.COM", "ada.x+y@example.com"),
            ("@Example.COM", "@example.com"),
            ("@b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.example", "@xn--bcher-kva.example"),
        ):
            self.assertEqual(usable_sender(said), written)
        for said in ("", "@", "ada", "<>", "ada@", "@a b", '"a b"@example.com', "ada@[1]", "**"):
            self.assertRaises(AccountRefused, usable_sender, said)

    def test_usable_name(self):
        """
        A name has visible characters, none of them a space, and does not look like something
        else in the file.
        """
        self.assertEqual(usable_name("\uff21da"), "Ada")
        for name in ("", "a b", "a\u3000b", "a\tb", "#ada", "@ada", "a\nb", "\u00ad", "a" * 256):
            self.assertRaises(AccountRefused, usable_name, name)


class AccountFileTests(SynchronousTestCase):
    """
    Tests of changes.
    """

    def setUp(self):
        """
        Make a folder for the file.
        """
        self.path = temporary_folder(self) / "accounts"
        self.file = AccountFile(Files(), self.path, CHEAP)

    def entries(self):
        """
        Read the file, in which there is no mistake.
        """
        table = self.file.read()
        self.assertEqual(table.problems, [])
        return table.entries

    def test_new(self):
        """
        The first account makes the file, which nobody else can read, with a secret that stays.
        """
        self.assertEqual(self.entries(), {})
        self.assertTrue(self.file.set("Ada", PASSWORD, ["ada@Example.com", "ada@example.com"]))
        entry = self.entries()["ada"]
        self.assertEqual((entry.name, entry.senders), ("Ada", ("ada@example.com",)))
        self.assertTrue(CHEAP.verify(entry.hashed, PASSWORD))
        self.assertEqual(entry.verifier, make_verifier(PASSWORD, entry.verifier.salt, ITERATIONS))
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        secret = self.file.read().secret
        self.file.set("bob", PASSWORD)
        self.assertEqual(self.file.read().secret, secret)
        self.assertEqual(len(secret), 32)
        self.assertEqual(os.listdir(self.path.parent), ["accounts"])

    def test_another_password(self):
        """
        Another password leaves the senders, where no other ones are given, and the other
        accounts; name and salt are new.
        """
        self.file.set("ada", PASSWORD, ["@example.com"])
        self.file.set("bob", PASSWORD)
        before = self.entries()
        self.assertFalse(self.file.set("ADA", "another horse battery"))
        after = self.entries()
        self.assertEqual(after["bob"], before["bob"])
        self.assertEqual(list(after), ["ada", "bob"])
        self.assertEqual((after["ada"].name, after["ada"].senders), ("ADA", ("@example.com",)))
        self.assertTrue(CHEAP.verify(after["ada"].hashed, "another horse battery"))
        self.assertNotEqual(after["ada"].verifier.salt, before["ada"].verifier.salt)
        self.file.set("ada", PASSWORD, [])
        self.assertEqual(self.entries()["ada"].senders, ())

    def test_remove(self):
        """
        An account is removed, however its name is written; one that is not there is not.
        """
        self.file.set("ada", PASSWORD)
        self.file.set("bob", PASSWORD)
        self.assertFalse(self.file.remove("eve"))
        self.assertTrue(self.file.remove("ADA"))
        self.assertEqual(list(self.entries()), ["bob"])
        self.assertFalse(self.file.remove("ada"))

    def test_nothing_to_remove(self):
        """
        Removing from a file that is not there makes none; a new account makes its folder too.
        """
        path = self.path.parent / "new" / "accounts"
        file = AccountFile(Files(), path, CHEAP)
        self.assertFalse(file.remove("ada"))
        self.assertFalse(path.parent.exists())
        file.set("ada", PASSWORD)
        self.assertEqual(stat.S_IMODE(path.parent.stat().st_mode), 0o700)

    def test_by_hand(self):
        """
        What somebody has written by hand stays, comments, order and mistakes; of a line that is
        there twice the first is replaced, and a broken line of the account is replaced too.
        """
        lines = [
            "# comment",
            "",
            "bob broken",
            f"ada {HASH} -",
            f"ADA {HASH} - @example.com",
            f"b\udcffd {HASH} -",
            "eve broken",
        ]
        self.path.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
        self.assertFalse(self.file.set("eve", PASSWORD))
        self.assertFalse(self.file.set("ada", PASSWORD))
        text = self.path.read_bytes().decode("utf-8", "surrogateescape")
        written = text.removesuffix("\n").split("\n")
        self.assertTrue(written[0].startswith("@secret "))
        self.assertEqual(written[1:4], lines[:3])
        self.assertTrue(written[4].startswith("ada $argon2id$"))
        self.assertEqual(written[5], lines[5])
        self.assertTrue(written[6].startswith("eve $argon2id$"))
        self.assertEqual(len(written), 7)

    def test_refused(self):
        """
        What cannot be used is refused in a sentence without the password, and changes nothing.
        """
        self.file.set("ada.lovelace", PASSWORD)
        before = self.path.read_bytes()
        for name, password, senders in (
            ("a b", PASSWORD, None),
            ("bob", "short", None),
            ("bob", "", None),
            ("bob", "p" * 1001, None),
            ("bob", "password\x07password", None),
            ("ada.lovelace", "ADA.Lovelace", None),
            ("bob", PASSWORD, ["nobody"]),
        ):
            refused = self.assertRaises(AccountRefused, self.file.set, name, password, senders)
            self.assertTrue(str(refused).endswith("."))
            self.assertNotIn(password or "?", str(refused))
        self.assertEqual(self.path.read_bytes(), before)

    def test_mode(self):
        """
        The file keeps its mode, but for what others may do with it.
        """
        self.file.set("ada", PASSWORD)
        self.path.chmod(0o644)
        self.file.set("bob", PASSWORD)
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o640)

    def test_owner(self):
        """
        What root writes belongs to whom the file belonged before, or to the folder's owner.
        """
        given = []
        self.patch(os, "geteuid", lambda: 0)
        self.patch(os, "fchown", lambda descriptor, user, group: given.append((user, group)))
        own = os.fstat(0)
        other = os.stat_result((stat.S_IFDIR | 0o600, 0, 0, 1, own.st_uid + 1, 77, 0, 0, 0, 0))
        self.patch(os, "stat", lambda path, **more: other)
        self.file.set("ada", PASSWORD)
        self.assertEqual(given, [(own.st_uid + 1, 77)])

    def test_atomic(self):
        """
        The new file is whole and synced before it takes the place of the old one, and then its
        folder is synced.
        """
        journal = Journal()
        AccountFile(RecordingFiles(journal), self.path, CHEAP).set("ada", PASSWORD)
        names = journal.names()
        self.assertEqual(names[-4:], ["write", "sync", "rename", "sync_directory"])

    def test_failing_disk(self):
        """
        When the disk fails, the file is as it was and nothing else is left.
        """

        class Failing(Files):
            def sync(self, file):
                raise OSError(28, "No space left on device")

        self.file.set("ada", PASSWORD)
        before = self.path.read_bytes()
        failing = AccountFile(Failing(), self.path, CHEAP)
        self.assertRaises(OSError, failing.set, "bob", PASSWORD)
        self.assertEqual(self.path.read_bytes(), before)
        self.assertEqual(os.listdir(self.path.parent), ["accounts"])

    def test_left_over(self):
        """
        What a command that was killed has left behind is no hindrance.
        """
        self.path.with_name(".accounts.new").write_text("half")
        self.file.set("ada", PASSWORD)
        self.assertEqual(os.listdir(self.path.parent), ["accounts"])

    def test_link(self):
        """
        Where the file is a link, what it leads to is replaced.
        """
        target = temporary_folder(self) / "real"
        self.path.symlink_to(target)
        AccountFile(Files(), self.path, CHEAP).set("ada", PASSWORD)
        self.assertTrue(self.path.is_symlink())
        self.assertIn("ada", self.entries())

    def test_path(self):
        """
        The file is in the data folder, unless the configuration names another.
        """
        data = self.path.parent
        self.assertEqual(accounts_path(make_settings(data)), data / "accounts")
        named = make_settings(data, accounts={"file": data / "people"})
        self.assertEqual(accounts_path(named), data / "people")

    def test_hasher(self):
        """
        Passwords are hashed with Argon2id, 19 MiB and two passes.
        """
        self.assertIn("$argon2id$v=19$m=19456,t=2,p=1$", make_hasher().hash(PASSWORD))

    def test_secret_is_base64(self):
        """
        The secret in the file is what decoys are made of.
        """
        self.file.set("ada", PASSWORD)
        (line,) = [each for each in self.path.read_text().split("\n") if each.startswith("@")]
        self.assertEqual(b64decode(line.split(" ")[1]), self.file.read().secret)
