"""
Tests of who an address is.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from mailgate.interfaces import EXISTS, Listed
from mailgate.knowledge.recipient_table import ListedRecipients
from mailgate.knowledge.recipients import AS_IT_IS, CHAIN, NOT_KNOWN_NOW, Directory
from mailgate.reply import Reply
from mailgate.wire.address import NULL_SENDER, Address
from mailgate.wire.virtual import parse_address

OURS = ("example.com", "example.net")


class Scripted:
    """
    A source that says what it was told.
    """

    def __init__(self, name="scripted", is_upstream=False):
        self.name, self.is_upstream = name, is_upstream
        self.answers = {}
        self.asked = []

    def find(self, address, sender):
        """
        Answer.
        """
        self.asked.append(str(address))
        return self.answers.get(str(address), Listed(Reply(550, "5.1.1", "nobody")))


class DirectoryTests(SynchronousTestCase):
    """
    Tests with lists, a source that can be down, and an upstream.
    """

    def resolve(self, address, *lines, separator="", more=(), always=False):
        """
        Find out who an address is.
        """
        self.sources = [ListedRecipients("list", lines), *more]
        directory = Directory(
            lambda _: self.sources, separator, lambda address: address.host in OURS
        )
        options = {} if always else {"in_full": True}
        resolve = directory.resolve_always if always else directory.resolve
        found = resolve(parse_address(address), NULL_SENDER, **options)
        return self.successResultOf(found) if isinstance(found, Deferred) else found

    def who(self, address, *lines, **options):
        """
        Give the owner of an address, and where a copy for it would go; or the code that refuses it.
        """
        found = self.resolve(address, *lines, **options)
        if not found.reply.is_positive:
            return found.reply.code, found.reply.enhanced
        return str(found.owner), str(found.target)

    def test_mailbox(self):
        """
        A mailbox is its own; the owner is spelled as the source does it, with its domain in lower
        case, and the copy goes to what was written.
        """
        line = "Ada@Example.COM"
        self.assertEqual(self.who("ADA@example.com", line), ("Ada@example.com", "ADA@example.com"))

    def test_unknown(self):
        """
        Nobody else exists.
        """
        self.assertEqual(self.who("eve@example.com", "ada@example.com"), (550, "5.1.1"))

    def test_alias(self):
        """
        An alias leads on, over several steps and domains; the last one is the owner.
        """
        lines = (
            "a@example.com b@example.net",
            "b@example.net c@example.com",
            "c@example.com",
        )
        self.assertEqual(self.who("a@example.com", *lines), ("c@example.com", "c@example.com"))
        self.assertTrue(self.resolve("a@example.com", *lines).is_led)
        self.assertFalse(self.resolve("c@example.com", *lines).is_led)

    def test_group(self):
        """
        An alias of several addresses is the group itself.
        """
        lines = ("a@example.com team@example.com", "team@example.com x@example.com y@example.com")
        self.assertEqual(self.who("team@example.com", *lines), ("team@example.com",) * 2)
        self.assertEqual(self.who("a@example.com", *lines), ("team@example.com",) * 2)

    def test_mailbox_and_more(self):
        """
        Somebody who keeps a copy and sends others on is a mailbox.
        """
        line = "ada@example.com bob@example.com, ada@example.com"
        self.assertEqual(self.who("ada@example.com", line), ("ada@example.com",) * 2)

    def test_foreign(self):
        """
        What leads out of our domains is not followed: the alias is the owner.
        """
        line = "ada@example.com ada@example.org"
        found = self.resolve("ada@example.com", line)
        self.assertEqual(str(found.owner), "ada@example.com")
        self.assertFalse(found.is_led)
        self.assertEqual(found.end, "ada@example.org is not ours")

    def test_dangling(self):
        """
        What leads to nobody is not followed either.
        """
        found = self.resolve("a@example.com", "a@example.com gone@example.com")
        self.assertEqual((str(found.owner), found.is_led), ("a@example.com", False))
        self.assertEqual(found.end, "nobody knows gone@example.com")

    def test_loop(self):
        """
        Aliases that go round are not followed at all, and an event tells.
        """
        lines = ("a@example.com b@example.com", "b@example.com A@example.com")
        with capturedLogs() as events:
            found = self.resolve("a@example.com", *lines)
        self.assertEqual((str(found.owner), found.is_led), ("a@example.com", False))
        self.assertTrue(found.reply.is_positive)
        self.assertEqual([each["event"] for each in events], ["recipients.alias_loop"])

    def test_long_chain(self):
        """
        So are chains that are too long, and those as long as allowed are followed.
        """
        for length, owner in ((CHAIN, f"a{CHAIN}@example.com"), (CHAIN + 1, "a0@example.com")):
            lines = [f"a{n}@example.com a{n + 1}@example.com" for n in range(length)]
            lines.append(f"a{length}@example.com")
            self.assertEqual(str(self.resolve("a0@example.com", *lines).owner), owner)

    def test_other_domain(self):
        """
        A whole domain can stand for another one.
        """
        lines = ("@example.net @example.com", "ada@example.com")
        self.assertEqual(self.who("ada@example.net", *lines), ("ada@example.com",) * 2)

    def test_extension(self):
        """
        With a separator, what is behind it says nothing of who it is, but stays with the copy.
        """
        lines = ("ada@example.com", "info@example.com ada@example.com")
        self.assertEqual(self.who("ada+x@example.com", *lines), (550, "5.1.1"))
        for address, target in (
            ("ada+x+y@example.com", "ada+x+y@example.com"),
            ("info+x@example.com", "ada+x@example.com"),
        ):
            self.assertEqual(self.who(address, *lines, separator="+"), ("ada@example.com", target))
        for nobody in ("eve+x@example.com", "+ada@example.com", '"ada+x"@example.com'):
            self.assertEqual(self.who(nobody, *lines, separator="+"), (550, "5.1.1"), nobody)

    def test_extension_with_a_line(self):
        """
        An address with an extension that is listed is its own.
        """
        lines = ("ada@example.com", "ada+lists@example.com")
        owner = ("ada+lists@example.com",) * 2
        self.assertEqual(self.who("ada+lists@example.com", *lines, separator="+"), owner)

    def test_catch_all(self):
        """
        All others of a domain come last, whatever the order of the sources, and after extensions.
        """
        lines = ("@example.com ada@example.com", "ada@example.com")
        bob = ListedRecipients("more", ["bob@example.com"])
        options = {"separator": "+", "more": [bob]}
        self.assertEqual(self.who("x@example.com", *lines, **options), ("ada@example.com",) * 2)
        self.assertEqual(self.who("bob@example.com", *lines, **options)[0], "bob@example.com")
        self.assertEqual(self.who("bob+x@example.com", *lines, **options)[0], "bob@example.com")
        self.assertEqual(self.who("x@example.net", *lines, **options), (550, "5.1.1"))

    def test_catch_all_as_it_is(self):
        """
        Without a target every address of the domain is its own.
        """
        self.assertEqual(self.who("X@example.com", "@example.com"), ("X@example.com",) * 2)

    def test_source_down(self):
        """
        While a source cannot be asked, nobody else's catch-all takes the mail of those it knows;
        but whom a source before it knows is known.
        """
        down = Scripted()
        down.answers["x@example.com"] = down.answers["y@example.com"] = NOT_KNOWN_NOW
        lines = ("ada@example.com", "@example.com ada@example.com", "y@example.com x@example.com")
        self.assertEqual(self.who("x@example.com", *lines, more=[down]), (451, "4.4.3"))
        self.assertEqual(self.who("ada@example.com", *lines, more=[down])[0], "ada@example.com")
        self.assertEqual(self.who("y@example.com", *lines, more=[down]), (451, "4.4.3"))

    def test_refused_by_upstream(self):
        """
        A mail server that refuses for another reason than that there is nobody has the last word.
        """
        upstream = Scripted(is_upstream=True)
        upstream.answers["x@example.com"] = Listed(Reply(550, "5.7.1", "not from you"))
        said = self.who("x@example.com", "@example.com", more=[upstream])
        self.assertEqual(said, (550, "5.7.1"))

    def test_extension_at_upstream(self):
        """
        A mail server that takes an extension does not say whose it is: it is asked for that too,
        and where it knows nobody without it the whole address is its own.
        """
        upstream = Scripted(is_upstream=True)
        for known in ("ada+x@example.com", "ada@example.com", "c++-users@example.com"):
            upstream.answers[known] = Listed(EXISTS)
        options = {"separator": "+", "more": [upstream]}
        owner = ("ada@example.com", "ada+x@example.com")
        self.assertEqual(self.who("ada+x@example.com", **options), owner)
        users = ("c++-users@example.com",) * 2
        self.assertEqual(self.who("c++-users@example.com", **options), users)

    def test_always(self):
        """
        Who exists in any case is led on where a list says so; no mail server is asked, and nothing
        that goes wrong matters.
        """
        upstream = Scripted(is_upstream=True)
        line = "postmaster@example.com ada@example.com"
        options = {"always": True, "more": [upstream]}
        found = self.who("postmaster@example.com", line, "ada@example.com", **options)
        self.assertEqual(found[0], "ada@example.com")
        self.assertEqual(self.who("abuse@example.com", line, **options)[0], "abuse@example.com")
        self.assertEqual(upstream.asked, [])
        down = Scripted()
        down.answers["abuse@example.com"] = NOT_KNOWN_NOW
        owner = ("abuse@example.com",) * 2
        self.assertEqual(self.who("abuse@example.com", always=True, more=[down]), owner)

    def test_waits_only_for_what_is_not_there(self):
        """
        What is known is a value; what has to be asked is a Deferred, which can be cancelled.
        """
        slow = Scripted()
        slow.answers["x@example.com"] = waiting = Deferred()
        directory = Directory(lambda _: [slow])
        found = directory.resolve(Address("x", "example.com"), NULL_SENDER)
        self.assertNoResult(found)
        waiting.callback(Listed(EXISTS))
        self.assertEqual(str(self.successResultOf(found).owner), "x@example.com")
        self.assertEqual(slow.asked, ["x@example.com"])

    def test_plain(self):
        """
        A mailbox that is written as its source writes it is told without more; an alias, another
        spelling and an extension are not such.
        """
        lines = ("ada@example.com", "info@example.com ada@example.com", "Bob@example.com")
        directory = Directory(lambda _: [ListedRecipients("list", lines)], "+")
        for address, is_plain in (
            ("ada@example.com", True),
            ("ADA@example.com", False),
            ("ada@Example.com", False),
            ("bob@example.com", False),
            ("info@example.com", False),
            ("ada+x@example.com", False),
            ("eve@example.com", False),
        ):
            found = directory.resolve(parse_address(address), NULL_SENDER)
            self.assertIs(found is AS_IT_IS, is_plain, address)

    @given(st.lists(st.tuples(st.integers(0, 6), st.lists(st.integers(0, 8), max_size=3))))
    def test_any_aliases(self, pairs):
        """
        However aliases lead to each other it ends, with an owner that exists.
        """
        lines = {}
        for name, targets in pairs:
            words = " ".join(f"{target}@example.com" for target in targets)
            lines[name] = f"{name}@example.com {words}"
        for name in lines:
            found = self.resolve(f"{name}@example.com", *lines.values())
            self.assertTrue(found.reply.is_positive)
            self.assertIn(int(found.owner.local), lines)
