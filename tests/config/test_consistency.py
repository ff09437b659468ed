"""
Tests of L{mailgate.config.consistency}.
"""

from mailgate.config.load import check
from tests.config.files import WHOLE, FileTestCase


class ListenerTests(FileTestCase):
    """
    Listeners do not stand in each other's way.
    """

    def clash(self, first: str, second: str) -> str:
        """
        Give the one mistake of two listeners.
        """
        return self.only_mistake(self.two(first, second))

    def two(self, first: str, second: str) -> str:
        """
        Give a file with two listeners.
        """
        other = f'[[listener]]\nname = "other"\naddress = "{second}"\n'
        return WHOLE.replace("127.0.0.1:2525", first) + other

    def test_same_name(self) -> None:
        """
        Two listeners have two names; the default counts too.
        """
        self.assertEqual(
            self.only_mistake(WHOLE + '[[listener]]\naddress = "127.0.0.1:2526"\n'),
            '[[listener]] number 2 name = "mx": must be a name of its own; number 1 has the same',
        )

    def test_same_address(self) -> None:
        """
        Two listeners cannot have one address.
        """
        self.assertEqual(
            self.clash("127.0.0.1:25", "127.0.0.1:25"),
            '[[listener]] number 2 address = "127.0.0.1:25": must be free; '
            "number 1 listens at 127.0.0.1:25",
        )

    def test_same_address_written_otherwise(self) -> None:
        """
        One address written in two ways is one address.
        """
        self.assertIn("must be free", self.clash("[::1]:25", "[0:0::0:1]:25"))

    def test_every_address_holds_the_single_ones(self) -> None:
        """
        Who listens at every address takes the port from all others of its kind.
        """
        self.assertIn("must be free", self.clash("0.0.0.0:25", "127.0.0.1:25"))
        self.assertIn("must be free", self.clash("[::1]:25", "[::]:25"))

    def test_both_kinds_side_by_side(self) -> None:
        """
        IPv4 and IPv6 leave each other alone, even at every address.
        """
        self.assertEqual(self.mistakes(self.two("0.0.0.0:25", "[::]:25")), [])
        self.assertEqual(self.mistakes(self.two("127.0.0.1:25", "[::]:25")), [])

    def test_other_port(self) -> None:
        """
        One address with two ports is two listeners; port 0 is always another one.
        """
        self.assertEqual(self.mistakes(self.two("127.0.0.1:25", "127.0.0.1:26")), [])
        self.assertEqual(self.mistakes(self.two("127.0.0.1:0", "127.0.0.1:0")), [])

    def test_pages(self) -> None:
        """
        The pages are not where mail comes in.
        """
        self.assertEqual(
            self.only_mistake(WHOLE.replace("127.0.0.1:2525", "0.0.0.0:8025")),
            '[[listener]] number 1 address = "0.0.0.0:8025": must be free; '
            "the pages ([web] address) listens at 127.0.0.1:8025",
        )

    def test_health(self) -> None:
        """
        Programs that watch do not ask where mail comes in, nor where the pages are.
        """
        self.assertEqual(
            self.only_mistake(WHOLE.replace("127.0.0.1:2525", "0.0.0.0:8026")),
            '[[listener]] number 1 address = "0.0.0.0:8026": must be free; '
            "[health] address listens at 127.0.0.1:8026",
        )
        self.assertEqual(
            self.only_mistake(WHOLE + '[health]\naddress = "127.0.0.1:8025"\n'),
            '[health] address = "127.0.0.1:8025": must be free; '
            "the pages ([web] address) listens at 127.0.0.1:8025",
        )
        self.assertEqual(self.mistakes(WHOLE + '[health]\naddress = ""\n'), [])


class RouteTests(FileTestCase):
    """
    Each domain has one route, and each route an upstream that is there.
    """

    def test_unknown_upstream(self) -> None:
        """
        An upstream that is not there is told the nearest one that is.
        """
        self.assertEqual(
            self.only_mistake(WHOLE.replace('upstream = "inbox"', 'upstream = "in-box"')),
            '[[route]] number 1 upstream = "in-box": there is no table [upstream.in-box]; '
            'there is: inbox; did you mean "inbox"?',
        )

    def test_domain_of_two_routes(self) -> None:
        """
        A domain that has two routes is a mistake, whatever its case.
        """
        other = '[[route]]\ndomains = ["example.org", "EXAMPLE.com"]\nupstream = "inbox"\n'
        self.assertEqual(
            self.only_mistake(WHOLE + other),
            '[[route]] number 2 domains = "example.com": a domain has one route; '
            "it is in number 1 as well",
        )

    def test_domain_twice(self) -> None:
        """
        A domain that stands twice in a route is a mistake too.
        """
        self.assertIn(
            "it is twice in this route",
            self.only_mistake(WHOLE.replace('["example.com"]', '["example.com", "example.com"]')),
        )

    def test_upstream_that_is_wrong_in_itself(self) -> None:
        """
        An upstream with a mistake is there all the same: the mistake is told, and only that.
        """
        self.assertEqual(
            self.only_mistake(WHOLE.replace('kind = "maildir"', 'kind = "imap"')),
            '[upstream.inbox] kind = "imap": must be one of "lmtp", "maildir", "smtp", "smtps"',
        )

    def test_unused_upstream(self) -> None:
        """
        An upstream that no route uses is worth a warning.
        """
        spare = '[upstream.spare]\nkind = "maildir"\npath = "spare"\n'
        warnings = self.warnings(WHOLE + spare)
        self.assertEqual([each.table for each in warnings], ["[upstream.spare]"])
        self.assertIn("no route uses it", str(warnings[0]))

    def test_postmaster_without_a_route(self) -> None:
        """
        A postmaster to whom no route leads is worth a warning.
        """
        for address, number in (
            ("ops@elsewhere.org", 1),
            ("ops@Example.com", 0),
            ("postmaster@example.com", 0),
        ):
            warnings = self.warnings(WHOLE + f'[notices]\npostmaster = "{address}"\n')
            self.assertEqual([each.table for each in warnings], ["[notices]"] * number, address)

    def test_postmaster(self) -> None:
        """
        The postmaster is an address, and nothing around it.
        """
        for wrong in ("", "ada", "<ada@example.com>", "ada@example.com SIZE=1", "@example.com"):
            mistake = self.only_mistake(WHOLE + f'[notices]\npostmaster = "{wrong}"\n')
            self.assertIn("must be an address, as in postmaster@example.com", mistake)


class LoopTests(FileTestCase):
    """
    An upstream is not the gateway itself.
    """

    def upstream(self, listener: str, host: str, port: int = 25) -> list[str]:
        """
        Give the mistakes of a gateway that listens at C{listener} and hands on to C{host}.
        """
        text = WHOLE.replace("127.0.0.1:2525", listener)
        text = text.replace('kind = "maildir"', 'kind = "smtp"').replace(
            'path = "var/inbox"', f'host = "{host}"\nport = {port}'
        )
        return [problem.why for problem in self.mistakes(text)]

    def test_loops(self) -> None:
        """
        The listener's own address is found, however it is named.
        """
        why = ["mail would go round: [[listener]] number 1 listens there"]
        for listener, host in (
            ("127.0.0.1:25", "127.0.0.1"),
            ("127.0.0.1:25", "localhost"),
            ("0.0.0.0:25", "127.0.0.1"),
            ("0.0.0.0:25", "localhost"),
            ("[::]:25", "::1"),
            ("[2001:db8::7]:25", "2001:DB8:0::7"),
        ):
            self.assertEqual(self.upstream(listener, host), why, (listener, host))

    def test_other_servers(self) -> None:
        """
        Another address or port is another server.
        """
        self.assertEqual(self.upstream("127.0.0.1:25", "127.0.0.1", 2525), [])
        self.assertEqual(self.upstream("127.0.0.1:25", "192.0.2.7"), [])
        self.assertEqual(self.upstream("0.0.0.0:25", "::1"), [])
        self.assertEqual(self.upstream("0.0.0.0:25", "mail.example.com"), [])


class NumberTests(FileTestCase):
    """
    Numbers that belong together fit together.
    """

    def test_thresholds_rise(self) -> None:
        """
        A threshold below the one before it is a mistake; the default counts too.
        """
        self.assertEqual(
            self.only_mistake(WHOLE + "[policy]\nquarantine = 4.5\n"),
            "[policy] quarantine = 4.5: must not be below tag, which is 5",
        )
        self.assertEqual(
            self.only_mistake(WHOLE + "[policy]\nquarantine = 20\n"),
            "[policy] reject = 15: must not be below quarantine, which is 20",
        )

    def test_equal_thresholds(self) -> None:
        """
        Thresholds may be equal: then the graver action is taken.
        """
        self.assertEqual(
            self.mistakes(WHOLE + "[policy]\ntag = 8\nquarantine = 8\nreject = 8\n"), []
        )

    def test_times(self) -> None:
        """
        The checks leave time for the delivery, and a command for the session.
        """
        self.assertEqual(
            self.only_mistake(WHOLE + "[limits]\ncheck_seconds = 180\n"),
            "[limits] check_seconds = 180: must be below reply_seconds, which is 180: "
            "delivery needs the rest of it",
        )
        self.assertEqual(
            self.only_mistake(WHOLE + "[limits]\nsession_seconds = 60\n"),
            "[limits] command_seconds = 300: must be below session_seconds, which is 60: "
            "a session has several commands",
        )


class FolderTests(FileTestCase):
    """
    The data folder can be one.
    """

    def test_file_in_its_place(self) -> None:
        """
        A file in the place of the data folder is a mistake.
        """
        (self.folder / "var").write_text("")
        self.assertIn("must be a folder; it is a file", self.only_mistake(WHOLE))

    def test_folder_or_nothing(self) -> None:
        """
        A folder may be there already.
        """
        (self.folder / "var").mkdir()
        self.assertEqual(self.mistakes(WHOLE), [])


class PagesTests(FileTestCase):
    """
    Passwords shall not cross a network in the clear.
    """

    def test_open_address(self) -> None:
        """
        Pages that other machines reach without TLS are worth a warning.
        """
        (warning,) = self.warnings(WHOLE + '[web]\naddress = "0.0.0.0:8025"\n')
        self.assertEqual((warning.table, warning.key), ("[web]", "base_url"))
        self.assertIn("in the clear", str(warning))

    def test_behind_a_proxy(self) -> None:
        """
        Behind a proxy with TLS there is nothing to warn of.
        """
        web = '[web]\naddress = "0.0.0.0:8025"\nbase_url = "https://mail.example.com"\n'
        self.assertEqual(self.warnings(WHOLE + web), [])


class TarpitTests(FileTestCase):
    """
    The tarpit is shorter than what it holds up.
    """

    def test_deadlines(self) -> None:
        """
        A wait that is longer than a reply or a session may take is a mistake.
        """
        tarpit = "[limits]\ntarpit = 1\n"
        self.assertEqual(
            self.only_mistake(WHOLE + tarpit + "tarpit_most = 40\nreply_seconds = 35\n"),
            "[limits] tarpit_most = 40: must be below reply_seconds, which is 35: so long a client "
            "waits for any reply at most",
        )
        text = "session_seconds = 20\ncommand_seconds = 10\n"
        self.assertIn("tarpit_most = 20: must be below", self.only_mistake(WHOLE + tarpit + text))

    def test_off(self) -> None:
        """
        Where it is off it disturbs nobody.
        """
        text = "[limits]\nsession_seconds = 20\ncommand_seconds = 10\n"
        self.assertEqual(self.mistakes(WHOLE + text), [])

    def test_longest(self) -> None:
        """
        Clients wait two minutes for some replies, so a minute is the most.
        """
        text = "[limits]\ntarpit_most = 61\n"
        self.assertIn("must be a number", self.only_mistake(WHOLE + text))


class AccountUpstreamTests(FileTestCase):
    """
    The mail server that knows the accounts can be asked.
    """

    PEOPLE = (
        '[[listener]]\nname = "people"\naddress = "127.0.0.1:2587"\nrole = "submission"\n'
        '[accounts.upstream]\nhost = "mail.example.com"\n'
    )

    def test_right(self) -> None:
        """
        A host is all it needs.
        """
        self.assertEqual(self.warnings(WHOLE + self.PEOPLE), [])

    def test_beside_a_file(self) -> None:
        """
        There is either a file or a server.
        """
        text = WHOLE + self.PEOPLE + '[accounts]\nfile = "people"\n'
        self.assertEqual(
            self.only_mistake(text).partition(": ")[2],
            "must not be there beside [accounts.upstream], which takes its place",
        )

    def test_without_a_host(self) -> None:
        """
        The host is named, as its certificate must be for it.
        """
        text = WHOLE + self.PEOPLE.replace('host = "mail.example.com"', "")
        self.assertIn("[accounts.upstream] host: is missing", self.only_mistake(text))

    def test_kind(self) -> None:
        """
        There is no way without TLS.
        """
        text = WHOLE + self.PEOPLE + 'kind = "smtp"\n'
        self.assertEqual(
            self.only_mistake(text),
            '[accounts.upstream] kind = "smtp": must be one of "submissions", "submission"',
        )

    def test_authorities(self) -> None:
        """
        The file of authorities is there and holds certificates.
        """
        text = WHOLE + self.PEOPLE + 'ca_file = "authority.pem"\n'
        self.assertIn("ca_file", self.only_mistake(text))
        self.assertIn("cannot be read: No such file", self.only_mistake(text))
        (self.folder / "authority.pem").write_text("no certificate")
        self.assertIn("must be a PEM file with the certificates", self.only_mistake(text))

    def test_itself(self) -> None:
        """
        The gateway does not ask itself, at the usual port of the kind or another.
        """
        here = self.PEOPLE.replace('"mail.example.com"', '"localhost"')
        self.assertIn(
            "log-ins would go round: [[listener]] number 2 listens there",
            self.only_mistake(WHOLE + here + "port = 2587\n"),
        )
        usual = here.replace("127.0.0.1:2587", "127.0.0.1:587") + 'kind = "submission"\n'
        self.assertIn("log-ins would go round", self.only_mistake(WHOLE + usual))
        self.assertEqual(self.mistakes(WHOLE + here), [])

    def test_example(self) -> None:
        """
        The name of the sample is none.
        """
        text = WHOLE + self.PEOPLE.replace("mail.example.com", "mail.your-domain.example")
        self.assertIn("is only an example", self.only_mistake(text))

    def test_senders(self) -> None:
        """
        A sender that is none is told with the account that has it.
        """
        text = WHOLE + self.PEOPLE + 'senders = {"ada@example.com" = ["@example.org", "info"]}\n'
        self.assertEqual(
            self.only_mistake(text),
            '[accounts.upstream.senders] ada@example.com = "info": must be an address, @ and a '
            "domain, or *, as in ada@example.com or @example.com",
        )

    def test_nobody(self) -> None:
        """
        Where nobody can log in it is not of use.
        """
        (warning,) = self.warnings(WHOLE + '[accounts.upstream]\nhost = "mail.example.com"\n')
        self.assertIn("[accounts.upstream]: nobody can log in", str(warning))


class SeveralTests(FileTestCase):
    """
    A mistake in one table does not hide another's.
    """

    def test_wrong_tables_are_left_out(self) -> None:
        """
        What is wrong in itself is told, and what is right is compared all the same.
        """
        path = self.write(
            """
            hostname = 5
            data = 5
            tls = 5
            limits = 5
            policy = 5
            accounts = 5
            web = 5
            listener = 5
            upstream = 5
            [[route]]
            domains = ["example.com", "example.com"]
            upstream = "inbox"
            [[route]]
            """
        )
        problems, warnings = check(path)
        self.assertEqual(
            [problem.table or problem.key for problem in problems],
            [
                "hostname",
                "data",
                "listener",
                "[[route]] number 2",
                "[upstream]",
                "[tls]",
                "[limits]",
                "[policy]",
                "[accounts]",
                "[web]",
                "[[route]] number 1",
                "[[route]] number 1",
            ],
        )
        self.assertEqual(warnings, [])
