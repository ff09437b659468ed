"""
Tests of L{mailgate.config.upstreams}, and of the options of routes, groups and upstreams.
"""

from mailgate.config.delivery import Choice, SmtpUpstream, UpstreamTls
from mailgate.config.load import load
from tests.certificates import issue
from tests.config.files import WHOLE, FileTestCase

SERVER = '[upstream.server]\nkind = "smtp"\nhost = "mail.example.com"\n'
USED = WHOLE.replace('upstream = "inbox"', 'upstream = ["inbox", "server"]')
PINS = f'pinned_keys = ["{"0a" * 32}"]\n'


class RouteTests(FileTestCase):
    """
    Where mail goes.
    """

    def choices(self, text):
        """
        Give the upstreams of a route that names them so.
        """
        whole = WHOLE.replace('upstream = "inbox"', f"upstream = {text}") + SERVER
        return load(self.write(whole)).route[0].upstream

    def route(self, text):
        """
        Add a route.
        """
        return WHOLE + f'[[route]]\n{text}\nupstream = "inbox"\n'

    def test_upstreams(self):
        """
        One is named, several are named in their order or with preference and weight.
        """
        self.assertEqual(self.choices('"inbox"'), (Choice(name="inbox"),))
        self.assertEqual(
            self.choices('["server", "inbox"]'),
            (Choice(name="server"), Choice(name="inbox", preference=2)),
        )
        self.assertEqual(
            self.choices('[{ name = "server", weight = 3 }, { name = "inbox", preference = 7 }]'),
            (Choice(name="server", weight=3), Choice(name="inbox", preference=7)),
        )

    def test_wrong_upstreams(self):
        """
        Anything else is told what is allowed.
        """
        allowed = (
            "must be the name of an upstream, a list of names in their order, or a list of tables "
            "with name, preference and weight"
        )
        for text, shown, more in (
            ("5", "5", ""),
            ("[]", "[]", ""),
            ('"In Box"', '"In Box"', ""),
            ('["inbox", 5]', '["inbox", 5]', ""),
            ("[{ weight = 1 }]", "[{ weight = 1 }]", "; name is wrong or missing"),
            (
                '[{ name = "inbox", weight = 0 }]',
                '[{ name = "inbox", weight = 0 }]',
                "; weight is wrong or missing",
            ),
            (
                '[{ name = "inbox", wight = 1 }]',
                '[{ name = "inbox", wight = 1 }]',
                "; wight is wrong or missing",
            ),
        ):
            line = self.only_mistake(WHOLE.replace('upstream = "inbox"', f"upstream = {text}"))
            self.assertEqual(line, f"[[route]] number 1 upstream = {shown}: {allowed}{more}")

    def test_unknown(self):
        """
        Each upstream and group must be there, and stand in a route once.
        """
        line = self.only_mistake(WHOLE.replace('"inbox"\n', '["inbox", "sever"]\n') + SERVER)
        self.assertIn("there is no table [upstream.sever]; there is: inbox, server; did", line)
        line = self.only_mistake(
            WHOLE.replace('upstream = "inbox"', 'upstream = ["inbox", "inbox"]')
        )
        self.assertIn('upstream = "inbox": must stand there only once', line)
        line = self.only_mistake(self.route('groups = ["staff"]'))
        self.assertIn("there is no table [group.staff]; there is: none", line)

    def test_nobody(self):
        """
        A route that is for nobody is a mistake.
        """
        self.assertEqual(
            self.only_mistake(self.route("")),
            "[[route]] number 2 domains: is missing; a route needs domains, addresses or groups",
        )

    def test_twice(self):
        """
        An address or a group with two routes is a mistake, whatever its case.
        """
        line = self.only_mistake(
            self.route('addresses = ["ada@example.com"]')
            + '[[route]]\naddresses = ["Ada@Example.com"]\nupstream = "inbox"\n'
        )
        self.assertIn("an address has one route; it is in number 2 as well", line)
        line = self.only_mistake(
            self.route('groups = ["staff", "staff"]') + '[group.staff]\nmembers = ["a@example.com"]'
        )
        self.assertIn("a group has one route; it is twice in this route", line)

    def test_all_at_once(self):
        """
        Each one that has two routes is told, once.
        """
        other = self.route('domains = ["example.com", "example.net", "example.net", "example.org"]')
        lines = [str(each) for each in self.mistakes(other)]
        self.assertEqual(len(lines), 2)
        self.assertIn('"example.com": a domain has one route; it is in number 1 as well', lines[0])
        self.assertIn('"example.net": a domain has one route; it is twice in this route', lines[1])

    def test_address(self):
        """
        What is no address is told so.
        """
        line = self.only_mistake(self.route('addresses = ["@example.com"]'))
        self.assertIn('"@example.com": must be an address, as in ada@example.com', line)

    def test_warnings(self):
        """
        An address whose domain has no route, and a group that no route uses, may not be meant.
        """
        warnings = self.warnings(
            self.route('addresses = ["ada@example.org", "ada@example.com"]')
            + '[group.staff]\nmembers = ["a@example.com"]'
        )
        self.assertEqual(
            [(each.table, each.why) for each in warnings],
            [
                ("[group.staff]", "no route uses it"),
                (
                    "[[route]] number 2",
                    "no route has the domain example.org, so all its other addresses are refused",
                ),
            ],
        )

    def test_domains(self):
        """
        The domains of addresses are domains of ours.
        """
        text = self.route('addresses = ["ada@example.org"]\ngroups = ["staff"]')
        settings = load(self.write(text + '[group.staff]\nmembers = ["a@example.net"]'))
        self.assertEqual(settings.domains, {"example.com", "example.org", "example.net"})
        self.assertEqual(settings.first_domain, "example.com")


class GroupTests(FileTestCase):
    """
    Addresses with a name.
    """

    def group(self, text):
        """
        Give a file with a group.
        """
        return WHOLE.replace("[[route]]", '[[route]]\n    groups = ["staff"]') + (
            f"[group.staff]\n{text}\n"
        )

    def test_file(self):
        """
        Its file is looked at: it must be there, and have nothing but addresses.
        """
        self.write("ada@example.com\n", "staff")
        self.assertEqual(self.mistakes(self.group('file = "staff"')), [])
        self.write("# us\nada\n", "staff")
        line = self.only_mistake(self.group('file = "staff"'))
        self.assertIn("[group.staff] file = ", line)
        self.assertIn("line 2 must be an address, as in ada@example.com", line)
        line = self.only_mistake(self.group('file = "none"'))
        self.assertIn("cannot be read: No such file or directory", line)

    def test_empty(self):
        """
        One without anybody is a mistake.
        """
        self.assertEqual(
            self.only_mistake(self.group("members = []")),
            "[group.staff] members: is missing; a group needs members or a file",
        )


class UpstreamTests(FileTestCase):
    """
    Mail servers.
    """

    def server(self, text, kind="smtp", host="mail.example.com"):
        """
        Give a file with a mail server.
        """
        return USED + f'[upstream.server]\nkind = "{kind}"\nhost = "{host}"\n{text}\n'

    def wrong(self, text, key, why, **more):
        """
        See that there is one mistake.
        """
        line = self.only_mistake(self.server(text, **more))
        self.assertTrue(line.startswith(f"[upstream.server] {key}"), line)
        self.assertIn(why, line)

    def test_defaults(self):
        """
        Port and TLS are those that are usual for the kind and the place.
        """
        for kind, host, port, tls in (
            ("smtp", "mail.example.com", 25, UpstreamTls.OPPORTUNISTIC),
            ("smtp", "192.0.2.7", 25, UpstreamTls.OPPORTUNISTIC),
            ("smtp", "127.0.0.1", 25, UpstreamTls.NONE),
            ("smtp", "::1", 25, UpstreamTls.NONE),
            ("smtp", "localhost", 25, UpstreamTls.NONE),
            ("smtp", "unix:/run/mail", 25, UpstreamTls.NONE),
            ("smtps", "mail.example.com", 465, UpstreamTls.VERIFIED),
            ("smtps", "127.0.0.1", 465, UpstreamTls.VERIFIED),
            ("lmtp", "mail.example.com", 24, UpstreamTls.OPPORTUNISTIC),
            ("lmtp", "unix:/run/mail", 24, UpstreamTls.NONE),
        ):
            made = SmtpUpstream(kind=kind, host=host)
            self.assertEqual((made.usual_port, made.usual_tls), (port, tls), (kind, host))

    def test_socket(self):
        """
        A socket is seen from the folder of the file, and nothing of TCP goes with it.
        """
        text = self.server("", "lmtp", "unix:run/lmtp")
        settings = load(self.write(text))
        self.assertEqual(settings.upstream["server"].socket, self.folder.resolve() / "run/lmtp")
        socket = {"kind": "lmtp", "host": "unix:/run/lmtp"}
        self.wrong("port = 24", "port = 24", "of no use with the socket", **socket)
        self.wrong('source_address = "192.0.2.1"', "source_address", "of no use", **socket)
        self.wrong('tls = "required"', "tls", "must be none", **socket)
        self.wrong("", "host", "needs a host; a socket has no TLS", kind="smtps", host="unix:/x")

    def test_host(self):
        """
        What is neither is told what is allowed.
        """
        self.wrong("", "host", "must be a host name or an IP address", host="a b")
        self.wrong("", "host", "or unix: and the path of a socket", host="a:25")

    def test_source_address(self):
        """
        It must be an address of the kind that the host has.
        """
        self.wrong('source_address = "::1"', "source_address", "IPv4", host="192.0.2.7")
        self.wrong('source_address = "eth0"', "source_address", "must be an IP address")
        right = self.server('source_address = "::1"', host="2001:db8::7")
        self.assertEqual(self.mistakes(right), [])

    def test_tls(self):
        """
        What does not go together is told.
        """
        self.wrong('tls = "always"', "tls", 'must be one of "none", "opportunistic", "required"')
        for mode in ("none", "opportunistic"):
            self.wrong(f'tls = "{mode}"', "tls", "always with TLS", kind="smtps")
        self.wrong('tls = "pinned"', "pinned_keys", "is missing")
        self.wrong(PINS, "pinned_keys", 'is of no use without tls = "pinned"')
        self.wrong('tls_name = "example.com"', "tls_name", 'without tls = "verified"')
        self.wrong('tls = "verified"\nca_file = "none"', "ca_file", "cannot be read")
        self.assertEqual(self.mistakes(self.server(f'tls = "pinned"\n{PINS}')), [])

    def test_pinned_keys(self):
        """
        Keys are written in hexadecimal digits, in either case, or in base64.
        """
        base64 = "CgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgo="
        for text in ("0a" * 32, "0A" * 32, base64):
            given = load(self.write(self.server(f'tls = "pinned"\npinned_keys = ["{text}"]')))
            self.assertEqual(given.upstream["server"].pinned_keys, ("0a" * 32,))
        for text in ("0a" * 31, "0a" * 31 + "0g", base64[:-1], ""):
            self.wrong(
                f'tls = "pinned"\npinned_keys = ["{text}"]', "pinned_keys", "must be the SHA-256"
            )

    def test_certificate(self):
        """
        Certificate and key belong together, and are of use only with TLS.
        """
        issue("gateway").write(self.folder, "client")
        issue("other").write(self.folder, "other")
        both = 'certificate = "client.pem"\nkey = "client.key"'
        self.assertEqual(self.mistakes(self.server(both)), [])
        self.wrong('certificate = "client.pem"', "key", "is missing")
        self.wrong('key = "client.key"', "certificate", "is missing")
        self.wrong(both.replace("client.key", "other.key"), "key", "certificate")
        self.wrong(f'{both}\ntls = "none"', "certificate", "of no use without TLS")

    def test_log_in(self):
        """
        A password is told only to a server that proves who it is, and comes from a file.
        """
        self.write("correct horse\n", "password").chmod(0o600)
        both = 'user = "ada"\npassword_file = "password"\n'
        self.assertEqual(self.warnings(self.server(both, kind="smtps")), [])
        for mode in ("none", "opportunistic", "required"):
            why = "told only to a server that proves who it is"
            self.wrong(f'{both}tls = "{mode}"', f'tls = "{mode}"', why)
        self.wrong(both, 'tls = "opportunistic"', "verified or pinned")
        self.wrong('user = "ada"\ntls = "verified"', "password_file", "is missing")
        self.wrong('password_file = "password"\ntls = "verified"', "user", "is missing")
        xclient = f'{both}tls = "verified"\ntell_client = "xclient"'
        self.wrong(xclient, "tell_client", "it would end the log-in")
        self.wrong(both.replace('"ada"', '"a\\nb"'), "user", "control", kind="smtps")

    def test_password(self):
        """
        The file must hold one line, that nobody else can read; nothing of it is shown.
        """
        both = 'user = "ada"\npassword_file = "password"\n'
        for text in ("", "\n", "secret\nsecret\n", "secret\0", "s" * 1001):
            self.write(text, "password").chmod(0o600)
            self.wrong(both, "password_file", "must hold one line of UTF-8 text", kind="smtps")
            self.assertNotIn("secret", self.only_mistake(self.server(both, kind="smtps")))
        self.write("secret\n", "password").chmod(0o644)
        (warning,) = self.warnings(self.server(both, kind="smtps"))
        self.assertEqual(warning.key, "password_file")
        self.assertIn("everybody on this machine can read it", warning.why)

    def test_credential(self):
        """
        A password that systemd hands over cannot be looked at by anybody else.
        """
        both = 'user = "ada"\npassword_file = "credential:smarthost"\n'
        (warning,) = self.warnings(self.server(both, kind="smtps"))
        self.assertEqual((warning.table, warning.key), ("[upstream.server]", "password_file"))

    def test_loop_through_a_socket(self):
        """
        A socket that the gateway itself listens at is a loop.
        """
        text = self.server("", "lmtp", "unix:/run/mg").replace("127.0.0.1:2525", "unix:/run/mg")
        self.assertIn("mail would go round", self.only_mistake(text))
