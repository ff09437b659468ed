"""
SPF, DKIM, DMARC and what is written of them, against the running gateway, with a DNS and clients
that mean ill.
"""

import re
import smtplib
import threading
from base64 import b64encode

import authres
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mailgate.authentication.results import FIELD, parse
from tests.authentication.signing import published, rsa_key, signed
from tests.authentication.test_spoofing import TRICKS, VICTIM, ZONES, Trick
from tests.checks.test_spoofing import FORGED, message_of
from tests.end_to_end.case import Conversation, EndToEndTestCase
from tests.end_to_end.client import send
from tests.end_to_end.zone_server import BROKEN, DROPPED, ZoneServer

US = b"mail.example.com"
TABLES = """
[dns]
servers = ["127.0.0.1:{port}"]
reply_seconds = {seconds}
tries = 1
[checks.spf]
exempt_networks = []
"""
WATCHED = """
[policy]
tag = 100.0
quarantine = 100.0
reject = 100.0
[checks.dmarc]
mode = "score"
"""
"""Everything is delivered, so that what was found can be read in it."""

EVERYBODY = {"TXT": ["v=spf1 +all"], "A": ["127.0.0.1"]}
GOOD = {
    "good.example": {"TXT": ["v=spf1 ip4:127.0.0.1 -all"]},
    "_dmarc.good.example": {"TXT": ["v=DMARC1; p=reject; rua=mailto:a@good.example"]},
}
HEADER = (b"From: Ada <ada@example.org>", b"To: ada@example.com", b"Subject: a")


class KeyServer(ZoneServer):
    """
    A DNS in which the attacker has a key in every place below a domain of theirs.
    """

    def _entry(self, name):
        if "._domainkey." in name and name.endswith((".evil.example", "xn--vctim-q4a.example")):
            return {"TXT": [published(rsa_key())]}
        return super()._entry(name)


def key_of(bits):
    """
    Give the record of a key of a size.
    """
    key = RSAPublicNumbers(65537, (1 << bits) - 1).public_key()
    raw = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return "v=DKIM1; p=" + b64encode(raw).decode()


class AuthenticationCase(EndToEndTestCase):
    """
    A gateway with a DNS, and a mail server behind it.
    """

    timeout = 120

    def start(self, table, tables=WATCHED, seconds=0.3):
        """
        Start it.

        @param seconds: how long the DNS is waited for.
        """
        self.dns = KeyServer(table)
        self.addCleanup(self.dns.close)
        self.server = self.upstream(extensions=("PIPELINING", "8BITMIME", "SMTPUTF8"))
        tables = TABLES.format(port=self.dns.port, seconds=seconds) + tables
        return self.gateway(self.server.port, tables=tables).start()

    def fields(self):
        """
        Give the fields of the message that was delivered last.
        """
        section = self.server.messages[-1][2].partition(b"\r\n\r\n")[0]
        lines = re.sub(rb"\r\n(?=[ \t])", b"", section).split(b"\r\n")
        return [line.partition(b":")[::2] for line in lines]

    def ours(self):
        """
        Give the values of all that says of it that we have found something, for whoever is not
        careful.
        """
        return [
            value
            for name, value in self.fields()
            if b"authentication-results" in name.lower() and US in value.lower()
        ]

    def results(self, method):
        """
        Give what is said of a method in the one field of ours.
        """
        (value,) = self.ours()
        return [each.result for each in parse(value).results if each.method == method]

    def send(self, port, content, sender="x@evil.example"):
        """
        Send a message.
        """
        self.assertTrue(send(port, content, sender=sender))


class SpoofingTests(AuthenticationCase):
    """
    Tests of who wants to be somebody else.
    """

    def attempt(self, client, trick):
        """
        Send a trick as it is; give the reply at which it ended.
        """
        said = ""
        for line in (
            f"EHLO {trick.helo}\r\n".encode(),
            f"MAIL FROM:<{trick.sender}> SMTPUTF8\r\n".encode(),
            b"RCPT TO:<ada@example.com>\r\n",
            b"DATA\r\n",
            message_of(trick).replace(b"\r\n.", b"\r\n..") + b".\r\n",
        ):
            said = client.ask(line)
            if not said.startswith(("2", "3")):
                break
        return said

    def test_a16_a17_a18_tricks(self):
        """
        Of more than fifty tricks on From, Sender, d=, s=, HELO and MAIL FROM none is delivered with
        a field of ours that names the victim's domain in a pass, nor with a second such field, be
        it read by us or by others; those that the grammar forbids are refused.
        """
        gateway = self.start(ZONES)
        delivered = 0
        for trick in (*TRICKS, *FORGED):
            client = Conversation(gateway.smtp_port)
            said = self.attempt(client, trick)
            client.close()
            if not said.startswith("250"):
                self.assertTrue(said.startswith("5"), (trick.name, said))
                continue
            delivered += 1
            self.assertEqual(len(self.server.messages), delivered, trick.name)
            section = self.server.messages[-1][2].partition(b"\r\n\r\n")[0]
            lines = re.split(rb"[\r\n]+", section.lower())
            begun = [each for each in lines if each.startswith(b"authentication-results")]
            self.assertEqual(len(begun), 1, trick.name)
            (value,) = self.ours()
            theirs = authres.AuthenticationResultsHeader.parse(f"{FIELD}:{value.decode()}")
            said = (*parse(value).results, *theirs.results)
            for each in (each for each in said if each.result == "pass"):
                for found in each.properties:
                    if found.name in ("d", "helo", "from"):
                        self.assertNotEqual(found.value, VICTIM, trick.name)
                    if found.name == "mailfrom":
                        self.assertFalse(found.value.endswith(f"@{VICTIM}"), trick.name)
        self.assertGreaterEqual(delivered, 30)

    def test_a17_dns_text(self):
        """
        What the attacker's own DNS says, as the explanation of SPF, gets into no header field, and
        a reply that quotes it is one line.
        """
        evil = {"TXT": ["v=spf1 -all exp=exp.evil.example"]}
        for text in ("a\r\nX-Evil: 1", "; dkim=pass header.d=victim.example", "%{h} \x07 \xe9"):
            gateway = self.start(
                {"evil.example": evil, "exp.evil.example": {"TXT": [text.encode("latin-1")]}},
                WATCHED + '[checks.helo]\nmode = "off"\n',
            )
            self.send(gateway.smtp_port, b"From: x@evil.example\r\n\r\nHi\r\n")
            (value,) = self.ours()
            self.assertNotIn(b"victim", value)
            self.assertNotIn("x-evil", [name.lower() for name, _ in self.fields()])
            self.assertEqual(self.results("spf"), ["fail"])

    def test_a18_from(self):
        """
        Without a From that can be read in one way nothing passes DMARC, also where SPF passes for
        its domain; a forged one of a domain that asks for it is held or refused, one of ours is
        refused.
        """
        gateway = self.start({**GOOD, "victim.example": {"TXT": ["v=spf1 -all"]}})
        good = b"ada@good.example"
        for lines, result in (
            ((b"From: " + good,), "pass"),
            ((b"From: " + good, b"From: " + good), "permerror"),
            ((b"Sender: " + good,), "permerror"),
            ((b"From: x@evil.example, " + good,), "permerror"),
            ((b"From: group: " + good + b";",), "permerror"),
            ((b"From: <@evil.example:" + good + b">",), "permerror"),
            ((b'From: "\\"" <' + good + b"> <x@evil.example>",), "permerror"),
            ((b"From: a\\@x@good.example",), "permerror"),
            ((b"From: ",), "permerror"),
            ((b"From: " + good + b"\0",), None),
            ((b"From: x@evil.example\nFrom: " + good,), None),
        ):
            content = b"\r\n".join((*lines, b"", b"Hi\r\n"))
            client = Conversation(gateway.smtp_port)
            said = self.attempt(client, Trick("", lines, "ada@good.example", signed=()))
            client.close()
            if result is None:
                self.assertTrue(said.startswith("550 5.5.2"), (content, said))
            else:
                self.assertEqual(self.results("dmarc"), [result], content)

    def test_a18_refused(self):
        """
        By default a forged From of a domain whose owner asks to refuse such mail is held as a
        spoof, refused where SPF of that domain says the same, and refused where the domain is ours.
        """
        table = {
            "_dmarc.bank.example": {"TXT": ["v=DMARC1; p=reject; rua=mailto:a@bank.example"]},
            "bank.example": {"TXT": ["v=spf1 -all"]},
            "evil.example": EVERYBODY,
        }
        gateway = self.start(table, "")
        forged = b"From: a@bank.example\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\n\r\nHi\r\n"
        self.send(gateway.smtp_port, forged)
        self.assertEqual([each["kind"] for each in gateway.held()], ["spoof"])
        for content, sender, words in (
            (forged, "a@bank.example", b"DMARC"),
            (forged.replace(b"bank.example", b"example.com"), "x@evil.example", b"not taken"),
        ):
            with self.assertRaises(smtplib.SMTPDataError) as caught:
                send(gateway.smtp_port, content, sender=sender)
            self.assertEqual(caught.exception.smtp_code, 550)
            self.assertIn(words, caught.exception.smtp_error)
        self.assertEqual(self.server.messages, [])


class DkimTests(AuthenticationCase):
    """
    Tests of signatures that must not count.
    """

    def test_a19_signatures(self):
        """
        None of them passes: rsa-sha1, a part of the body, keys that are too small, too large, too
        long, for something else or for other addresses, a message that was changed on its way; of a
        thousand five are tried. One that is right does.
        """
        key = published(rsa_key())
        keys = {
            "s1": key,
            "small": key_of(512),
            "old": key_of(1023),
            "big": key_of(16_384),
            "long": "v=DKIM1; p=" + b64encode(bytes(45_000)).decode(),
            "sha1": published(rsa_key(), h="sha1"),
            "other": published(rsa_key(), s="tlsrpt"),
            "strict": published(rsa_key(), t="s"),
            "revoked": published(rsa_key(), p=""),
        }
        gateway = self.start(
            {f"{name}._domainkey.example.org": {"TXT": [text]} for name, text in keys.items()}
        )

        def sign(**tags):
            return signed(header=HEADER, body=b"Hello\r\n", d="example.org", **tags)

        good = sign()
        for content, results in (
            (good, ["pass"]),
            (sign(a="rsa-sha1"), ["policy"]),
            (sign(l="3"), ["policy"]),
            (sign(l="7") + b"more\r\n", ["policy"]),
            (sign(s="small"), ["permerror"]),
            (sign(s="old"), ["permerror"]),
            (sign(s="big"), ["permerror"]),
            (sign(s="long"), ["permerror"]),
            (sign(s="sha1"), ["permerror"]),
            (sign(s="other"), ["permerror"]),
            (sign(s="strict", i="@mail.example.org"), ["permerror"]),
            (sign(s="revoked"), ["permerror"]),
            (sign(s="none"), ["permerror"]),
            (sign(h="to:subject"), ["permerror"]),
            (sign(x="1"), ["fail"]),
            (good + b"more\r\n", ["fail"]),
            (good.replace(b"Subject: a", b"Subject: b"), ["fail"]),
            (good.replace(b"From: Ada", b"From: b@evil.example\r\nFrom: Ada"), ["pass"]),
            (sign(h="from:from").replace(b"\r\nTo", b"\r\nFrom: b@evil.example\r\nTo"), ["fail"]),
        ):
            self.send(gateway.smtp_port, content)
            self.assertEqual(self.results("dkim"), results, content[:200])
            if content is not good:
                self.assertNotIn("pass", self.results("dmarc"))

    def test_a19_a_thousand(self):
        """
        Of a thousand signatures five are looked up, those of the author first.
        """
        gateway = self.start({"s1._domainkey.example.org": {"TXT": [published(rsa_key())]}})
        mine = signed(header=HEADER, body=b"Hello\r\n", d="example.org")
        one = (
            b"DKIM-Signature: v=1; a=rsa-sha256; d=n%d.example.net; s=s; h=from;"
            b" bh=AA==; b=AA==\r\n"
        )
        self.send(gateway.smtp_port, b"".join(one % n for n in range(40)) + mine)
        self.assertEqual(self.results("dkim")[0], "pass")
        self.assertEqual(len(self.results("dkim")), 5)
        before = self.dns.asked.total()
        self.send(gateway.smtp_port, b"".join(one % n for n in range(990)) + mine)
        self.assertEqual(len(self.results("dkim")), 5)
        self.assertLess(self.dns.asked.total() - before, 20)


class SpfTests(AuthenticationCase):
    """
    Tests of records that ask for too much.
    """

    def test_a20_records(self):
        """
        Loops, trees, too many terms, void look-ups, exchanges without end and bombs of macros end
        in permerror after at most 60 look-ups; names of the client that lead nowhere change
        nothing.
        """
        hosts = {
            f"h{m}.mx.example": {"A": [f"198.51.100.{k}" for k in range(100)]} for m in range(10)
        }
        table = {
            "loop.example": {"TXT": ["v=spf1 include:loop.example -all"]},
            "tree.example": {"TXT": ["v=spf1 " + "include:%{d1r}a.tree.example " * 9]},
            "*.tree.example": {"TXT": ["v=spf1 " + "include:%{d1r}a.tree.example " * 9]},
            "terms.example": {"TXT": ["v=spf1 " + "a:h0.mx.example " * 11 + "-all"]},
            "voids.example": {"TXT": ["v=spf1 a:a.no.example a:b.no.example a:c.no.example -all"]},
            "many.example": {
                "TXT": ["v=spf1 " + " ".join(f"mx:d{n}.many.example" for n in range(10))]
            },
            **{f"d{n}.many.example": {"MX": [(0, name) for name in hosts]} for n in range(10)},
            "eleven.example": {
                "TXT": ["v=spf1 mx -all"],
                "MX": [(0, f"h{m}.mx.example") for m in range(11)],
            },
            "bomb.example": {"TXT": ["v=spf1 exists:" + "%{l}." * 2000 + "bomb.example -all"]},
            "ptr.example": {"TXT": ["v=spf1 ptr -all"]},
            "1.0.0.127.in-addr.arpa": {"PTR": [f"p{n}.ptr.example" for n in range(50)]},
            "two.example": {"TXT": ["v=spf1 -all", "v=spf1 +all"]},
            **hosts,
        }
        gateway = self.start(table)
        for domain, result in (
            ("loop.example", "permerror"),
            ("tree.example", "permerror"),
            ("terms.example", "permerror"),
            ("voids.example", "permerror"),
            ("eleven.example", "permerror"),
            ("two.example", "permerror"),
            ("bomb.example", "fail"),
            ("ptr.example", "fail"),
            ("many.example", "permerror"),
        ):
            before = self.dns.asked.total()
            content = b"From: x@" + domain.encode() + b"\r\n\r\nHi\r\n"
            self.send(gateway.smtp_port, content, sender=f"{'l' * 60}@{domain}")
            self.assertEqual(self.results("spf"), [result], domain)
            # Beside SPF there are the names in HELO, and the walk of DMARC.
            self.assertLessEqual(self.dns.asked.total() - before, 60 + 6, domain)

    def test_a20_others_go_on(self):
        """
        While one message waits for names that do not answer, the look-ups of others do not; it is
        temperror in the end, and nothing is refused.
        """
        waits = " ".join(f"include:n{n}.slow.example" for n in range(9))
        table = {
            "slow.example": {"TXT": [f"v=spf1 {waits} -all"]},
            "*.slow.example": DROPPED,
            **GOOD,
        }
        gateway = self.start(table, seconds=5)
        said = []
        clients = [Conversation(gateway.smtp_port) for _ in range(5)]
        for client in clients:
            client.ask("EHLO client.example.org\n")
            client.say("MAIL FROM:<x@slow.example>\n")
        waiting = [threading.Thread(target=lambda c=c: said.append(c.reply())) for c in clients]
        for each in waiting:
            each.start()
        content = b"From: ada@good.example\r\n\r\nHi\r\n"
        self.send(gateway.smtp_port, content, sender="ada@good.example")
        self.assertEqual(self.results("dmarc"), ["pass"])
        self.assertEqual(said, [])
        for each in waiting:
            each.join(60)
        self.assertEqual({each[:3] for each in said}, {"250"})
        for client in clients:
            client.close()
        self.send(gateway.smtp_port, b"From: x@slow.example\r\n\r\nHi\r\n", sender="x@slow.example")
        self.assertEqual(self.results("spf"), ["temperror"])

    def test_f10_unknown(self):
        """
        Where the DNS is broken or says nothing, SPF, DKIM and DMARC are temperror, and mail of a
        domain that asks for refusal is delivered.
        """
        for trouble in (DROPPED, BROKEN):
            gateway = self.start({"org": trouble, "*.org": trouble}, "")
            content = signed(header=HEADER, body=b"Hello\r\n", d="example.org")
            self.send(gateway.smtp_port, content, sender="ada@example.org")
            for method in ("spf", "dkim", "dmarc"):
                self.assertEqual(self.results(method), ["temperror"], (trouble, method))
