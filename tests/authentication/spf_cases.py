"""
SPF records, the DNS around them, and clients, made at random: right ones, and such with mistakes.
"""

from zlib import crc32

from attrs import frozen
from hypothesis import strategies as st

from mailgate.wire.dns.answer import Trouble
from tests.net.zones import Zones

TOP, INCLUDED, REDIRECTED = "example.com", "inc.example.com", "red.example.net"
HOSTS = ("a.example.com", "b.example.net", "192-0-2-1.pool.example.org")
VOID, SLOW = "void.example.org", "slow.example.org"
CHECKED = (TOP, INCLUDED, REDIRECTED)
CLIENTS = ("192.0.2.1", "192.0.2.77", "198.51.100.5", "2001:db8::1")
NAMES = (TOP, INCLUDED, REDIRECTED, *HOSTS, VOID, SLOW)


@frozen
class Case:
    """
    Three records to be checked, those of L{CHECKED}, and who sends.
    """

    zones: dict
    client: str
    local: str
    helo: str


def weighted(*pairs):
    """
    Draw from strategies, each as often as its weight says.
    """
    return st.sampled_from([each for weight, each in pairs for _ in range(weight)]).flatmap(
        lambda each: each
    )


addresses = st.sampled_from(("192.0.2.1", "192.0.2.2", "198.51.100.5", "203.0.113.9"))
long_addresses = st.sampled_from(("2001:db8::1", "2001:db8::2", "2001:db8:1::1"))

macros = st.builds(
    "%{{{}{}{}{}}}".format,
    st.sampled_from("slodiphvSLODIPHV"),
    st.sampled_from(("", "", "", "1", "2", "3", "9")),
    st.sampled_from(("", "", "r")),
    st.sampled_from(("", "", "", ".", "-", "+-", "_", "=")),
)
names = weighted(
    (10, st.sampled_from(NAMES)),
    (3, st.builds("{}.{}".format, macros, st.sampled_from(NAMES))),
    (3, st.builds("{}.example.com".format, macros)),
    (2, st.builds("{}-{}.example.com".format, macros, macros)),
    (1, macros),
    (1, st.sampled_from(("%{d}", "%{o}", "%{p}", "%{h}", "a.example.com.", "%{ir}.%{v}.arpa"))),
    (1, st.sampled_from(("x" * 64 + ".com", ".".join(["long"] * 60) + ".com", "%%.a", "a%_b.c"))),
)
prefixes = st.sampled_from(("", "", "", "/24", "/32", "/0", "//64", "/24//64"))
networks = weighted(
    (4, st.builds("ip4:{}{}".format, addresses, st.sampled_from(("", "/24", "/32", "/16")))),
    (3, st.builds("ip6:{}{}".format, long_addresses, st.sampled_from(("", "/64", "/128", "/32")))),
    (1, st.sampled_from(("ip6:::ffff:192.0.2.1", "ip6:2001:DB8::1/0", "IP4:0.0.0.0/0"))),
)
mechanisms = weighted(
    (4, networks),
    (4, st.builds("a:{}{}".format, names, prefixes)),
    (2, st.builds("a{}".format, prefixes)),
    (3, st.builds("mx:{}{}".format, names, prefixes)),
    (2, st.builds("mx{}".format, prefixes)),
    (2, st.builds("include:{}".format, names)),
    (4, st.just(f"include:{INCLUDED}")),
    (4, st.builds("exists:{}".format, names)),
    (2, st.just("ptr")),
    (1, st.builds("ptr:{}".format, names)),
    (1, st.just("all")),
)
directives = st.builds(
    "{}{}".format, st.sampled_from(("", "", "", "", "+", "-", "~", "?")), mechanisms
)
modifiers = weighted(
    (5, st.just(f"redirect={REDIRECTED}")),
    (1, st.builds("redirect={}".format, names)),
    (1, st.builds("exp={}".format, names)),
    (1, st.builds("x-a={}".format, macros)),
)
mistakes = st.sampled_from(
    (
        *("ip4:192.0.2", "ip4:192.0.2.0/33", "ip4:192.0.2.256", "ip4:", "ip4", "ip4:192.0.02.1"),
        *("ip6:2001:db8::/129", "ip6:::1%1", "ip6:192.0.2.1", "ip4:192.0.2.0/024", "192.0.2.1"),
        *("a:example.com/33", "a/08", "mx//129", "a:", "a:com", "mx:a..example.com", "mx/"),
        *("a:example.com:25", "a:1.2.3.4", "a:a_b.c-", "exists:-", "a:example.com,", "!a"),
        *("exists:%.example.com", "a:%{", "a:%{x}.example.com", "a:%(d)", "a:%{d0}.example.com"),
        *("a:%{c}", "exists:%{t}.example.com", "x=%{d", "x=%{dx}", "a:%{d", "x=%"),
        *("all:", "all/8", "ptr/24", "exists", "-exists", "include", "include:", "foo", "A", "-"),
        *("redirect", "redirect=", "exp=", "=x", "1x=y", "a=b", "all=1", "op=", "default=pass"),
        *("a:example.com\tall", "all\n", "a:ex\xe9mple.com", "redirect=a.b redirect=a.b"),
    )
)
separators = st.sampled_from((" ", " ", " ", " ", "  "))


def records_of(terms):
    """
    Draw records with some terms.
    """
    return st.builds(
        lambda parts, end: "v=spf1" + "".join(space + term for space, term in parts) + end,
        st.lists(st.tuples(separators, terms), max_size=8),
        st.sampled_from(("", "", " -all", " ~all", " ")),
    )


records = weighted(
    (9, records_of(weighted((6, directives), (1, modifiers)))),
    (2, records_of(weighted((12, directives), (2, modifiers), (2, mistakes)))),
)
texts = weighted(
    (24, records.map(lambda record: [record])),
    (1, st.lists(records, min_size=2, max_size=2)),
    (1, st.just([])),
    (1, st.builds(lambda record: ["something else", record], records)),
    (1, st.builds(lambda record: [record.replace("v=spf1", "V=SPF1")], records)),
    (1, st.builds(lambda record: [record.replace("v=spf1", "v=spf10")], records)),
    (1, st.builds(lambda record: [f" {record}"], records)),
    (1, st.just(Trouble.SERVFAIL)),
)
hosts = st.fixed_dictionaries(
    {},
    optional={
        "A": st.lists(addresses, min_size=1, max_size=3, unique=True),
        "AAAA": st.lists(long_addresses, min_size=1, max_size=2, unique=True),
        "MX": st.lists(
            st.tuples(st.integers(0, 9), st.sampled_from((*HOSTS, VOID, SLOW, TOP))),
            min_size=1,
            max_size=12,
            unique=True,
        ),
    },
)
pointers = weighted(
    (3, st.lists(st.sampled_from((*HOSTS, VOID, SLOW, TOP)), max_size=12, unique=True)),
    (1, st.just(Trouble.TIMEOUT)),
)


class Guessed(Zones):
    """
    A DNS in which half of the names that are in no table exist, and always the same ones: what a
    macro stands for makes a difference.
    """

    def _entry(self, name):
        entry = super()._entry(name)
        if entry is None and name != VOID and crc32(name.encode()) % 2:
            return {"A": ["192.0.2.1"], "AAAA": ["2001:db8::1"]}
        return entry


@st.composite
def cases(draw):
    """
    Make a case.
    """
    zones = {name: draw(hosts) for name in (*CHECKED, *HOSTS)}
    for name in CHECKED:
        text = draw(texts)
        zones[name]["TXT"] = (
            text if isinstance(text, Trouble) else [each.encode("latin-1") for each in text]
        )
    zones[SLOW] = Trouble.TIMEOUT
    client = draw(st.sampled_from(CLIENTS))
    zones[REVERSE[client]] = {"PTR": draw(pointers)}
    return Case(
        zones,
        client,
        draw(st.sampled_from(("joe", "j-o+e.x_y", ""))),
        draw(st.sampled_from(("a.example.com", "b.example.net", "localhost"))),
    )


REVERSE = {
    "192.0.2.1": "1.2.0.192.in-addr.arpa",
    "192.0.2.77": "77.2.0.192.in-addr.arpa",
    "198.51.100.5": "5.100.51.198.in-addr.arpa",
    "2001:db8::1": ".".join(reversed("20010db8000000000000000000000001")) + ".ip6.arpa",
}
