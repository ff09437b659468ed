"""
Tests of L{mailgate.wire.xclient}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.wire.smtp import Refused
from mailgate.wire.xclient import (
    XCLIENT_NAMES,
    XFORWARD_NAMES,
    ClientAttributes,
    parse_xclient,
    parse_xforward,
    write,
)
from mailgate.wire.xtext import encode

BAD = [
    "",
    "NAME",
    "NAME=",
    "=x",
    "ADDR=192.0.2.7 ",
    "ADDR=192.0.2.7  PORT=1",
    "ADDR=192.0.2.7\tPORT=1",
    "ADDR=192.0.2.7 ADDR=192.0.2.8",
    "COLOUR=blue",
    "ADDR=192.0.2",
    "ADDR=192.0.2.007",
    "ADDR=[192.0.2.7]",
    "ADDR=2001:db8::7",
    "ADDR=IPV6:192.0.2.7",
    "ADDR=IPV6:fe80::1%eth0",
    "ADDR=IPV6:",
    "ADDR=[TEMPUNAVAIL",
    "NAME=-x",
    "NAME=a..b+20c",
    "NAME=" + "a" * 256,
    "NAME=a+0D+0Ab",
    "NAME=+FF",
    "NAME=+4",
    "HELO=a+20b",
    "HELO=" + "a" * 256,
    "HELO=a+00b",
    "PORT=x",
    "PORT=65536",
    "PORT=-1",
    "PORT=123456",
    "PORT=+D9+A3",
]
"""What both commands refuse."""


UNKNOWN = st.sampled_from([None, ""])
HOSTS = UNKNOWN | st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,20}[a-z0-9])?", fullmatch=True)
PORTS = st.none() | st.integers(0, 65535)
ADDRESSES = UNKNOWN | st.ip_addresses().map(
    lambda address: str(getattr(address, "ipv4_mapped", None) or address)
)
NAMES = UNKNOWN | st.text(min_size=1, max_size=12).filter(
    lambda text: text.isprintable() and text.upper() not in ("[UNAVAILABLE]", "[TEMPUNAVAIL]")
)
WORDS = UNKNOWN | st.text(
    st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12
).filter(lambda text: text.upper() not in ("[UNAVAILABLE]", "[TEMPUNAVAIL]"))


def written(attributes, names):
    """
    Write attributes as a mail server of ours does.
    """
    words = []
    for name in names:
        value = getattr(attributes, name.lower())
        if value is None:
            continue
        if name in ("ADDR", "DESTADDR") and ":" in value:
            value = f"IPV6:{value}"
        # 0 is what an unknown port is read as.
        words.append(f"{name}={encode(str(value)) if value else '[UNAVAILABLE]'}")
    return " ".join(words)


class ParseTests(SynchronousTestCase):
    """
    Tests of the arguments.
    """

    def assert_refused(self, parse, argument):
        """
        See that an argument gets a 501.
        """
        refused = self.assertRaises(Refused, parse, argument)
        self.assertEqual((refused.reply.code, refused.reply.enhanced), (501, "5.5.4"), argument)

    def test_xclient(self):
        """
        Every attribute of XCLIENT is read, its name in any case.
        """
        self.assertEqual(
            parse_xclient(
                "NAME=client.example.org addr=192.0.2.7 Port=40001 PROTO=esmtp"
                " HELO=client_1.example.org LOGIN=ada+40example.org"
                " DESTADDR=IPV6:2001:DB8::1 DESTPORT=25"
            ),
            ClientAttributes(
                name="client.example.org",
                addr="192.0.2.7",
                port=40001,
                proto="ESMTP",
                helo="client_1.example.org",
                login="ada@example.org",
                destaddr="2001:db8::1",
                destport=25,
            ),
        )

    def test_xforward(self):
        """
        Every attribute of XFORWARD is read, and its protocol may be any.
        """
        self.assertEqual(
            parse_xforward(
                "NAME=a ADDR=ipv6:::ffff:192.0.2.7 PORT=0 PROTO=UTF8SMTPS HELO=[192.0.2.7]"
                " IDENT=4B1x SOURCE=local"
            ),
            ClientAttributes(
                name="a",
                addr="192.0.2.7",
                port=0,
                proto="UTF8SMTPS",
                helo="[192.0.2.7]",
                ident="4B1x",
                source="LOCAL",
            ),
        )

    @given(
        st.builds(
            ClientAttributes,
            name=HOSTS,
            addr=ADDRESSES,
            port=PORTS,
            proto=st.sampled_from([None, "", "SMTP", "ESMTP"]),
            helo=HOSTS | st.just("[IPv6:2001:db8::1]"),
            login=NAMES,
            destaddr=ADDRESSES,
            destport=PORTS,
        ).filter(ClientAttributes().__ne__)
    )
    def test_xclient_round_trip(self, attributes):
        """
        Whatever may be said with XCLIENT is read as it was meant.
        """
        self.assertEqual(parse_xclient(written(attributes, XCLIENT_NAMES)), attributes)

    @given(
        st.builds(
            ClientAttributes,
            name=HOSTS,
            addr=ADDRESSES,
            port=PORTS,
            proto=WORDS.map(lambda word: word and word.upper()),
            helo=HOSTS,
            ident=WORDS,
            source=st.sampled_from([None, "", "LOCAL", "REMOTE"]),
        ).filter(ClientAttributes().__ne__)
    )
    def test_xforward_round_trip(self, attributes):
        """
        Whatever may be said with XFORWARD is read as it was meant.
        """
        self.assertEqual(parse_xforward(written(attributes, XFORWARD_NAMES)), attributes)

    def test_not_said(self):
        """
        What is not said is told from what the other server does not know.
        """
        self.assertEqual(parse_xclient("PORT=25"), ClientAttributes(port=25))
        for word in ("[UNAVAILABLE]", "[TEMPUNAVAIL]", "[unavailable]", "+5BUNAVAILABLE+5D"):
            everything = " ".join(f"{name}={word}" for name in XCLIENT_NAMES)
            self.assertEqual(
                parse_xclient(everything), ClientAttributes("", "", 0, "", "", "", "", 0)
            )
            everything = " ".join(f"{name}={word}" for name in XFORWARD_NAMES)
            self.assertEqual(
                parse_xforward(everything),
                ClientAttributes("", "", 0, "", "", ident="", source=""),
            )

    def test_refused(self):
        """
        What is not well-formed is refused, line ends and control characters in the first place.
        """
        for argument in BAD:
            self.assert_refused(parse_xclient, argument)
            self.assert_refused(parse_xforward, argument)
        for argument in ("IDENT=1", "SOURCE=LOCAL", "PROTO=UTF8SMTP", "LOGIN=a+0Ab"):
            self.assert_refused(parse_xclient, argument)
        self.assert_refused(parse_xclient, "LOGIN=" + "a" * 256)
        for argument in ("LOGIN=ada", "DESTADDR=192.0.2.7", "DESTPORT=25", "SOURCE=MARS"):
            self.assert_refused(parse_xforward, argument)
        for argument in ("IDENT=a+20b", "PROTO=" + "X" * 65, "PROTO=+0A"):
            self.assert_refused(parse_xforward, argument)

    @given(
        st.lists(
            st.tuples(
                st.sampled_from([*XCLIENT_NAMES, *XFORWARD_NAMES]),
                st.text(min_size=1, max_size=20) | st.sampled_from(["+0D+0A", "1", "a.b"]),
            ),
            max_size=4,
        )
    )
    def test_nothing_else_gets_through(self, said):
        """
        Whatever is said, it is refused with 501, or all that is read of it can be printed.
        """
        argument = " ".join(f"{name}={value}" for name, value in said)
        for parse in (parse_xclient, parse_xforward):
            try:
                found = parse(argument)
            except Refused as refused:
                self.assertEqual(refused.reply.code, 501)
            else:
                for value in (found.name, found.addr, found.proto, found.helo, found.login):
                    self.assertTrue((value or "").isprintable())


class WriteTests(SynchronousTestCase):
    """
    Tests of what is said to another server.
    """

    def test_read_again(self):
        """
        What is written is read as it was meant.
        """
        said = ClientAttributes(
            name="", addr="2001:db8::7", port=25, proto="ESMTP", helo="[192.0.2.7]", login="ada+x=y"
        )
        (line,) = write("XCLIENT", said, " ".join(XCLIENT_NAMES))
        self.assertTrue(line.startswith("XCLIENT ") and line.endswith("\r\n"))
        self.assertEqual(parse_xclient(line[8:-2]), said)

    def test_what_is_wanted(self):
        """
        Only what the other server wants is said, in its order, and only what is an attribute.
        """
        said = ClientAttributes(addr="192.0.2.7", port=0, ident="x")
        offered = "port ADDR __CLASS__ __DOC__ NAME IDENT"
        self.assertEqual(
            write("XFORWARD", said, offered),
            ["XFORWARD PORT=[UNAVAILABLE] ADDR=192.0.2.7 IDENT=x\r\n"],
        )
        self.assertEqual(write("XFORWARD", said, ""), [])

    @given(st.text(max_size=300), st.text(max_size=300))
    def test_a14_any_text(self, helo, login):
        """
        Whatever a client calls itself, each command is one line of visible ASCII that is not too
        long (A14).
        """
        for line in write("XCLIENT", ClientAttributes(helo=helo, login=login), "HELO LOGIN"):
            self.assertRegex(line, r"\A[!-~]+( [!-~]+)+\r\n\Z")
            self.assertLessEqual(len(line), 512)
