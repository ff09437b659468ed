"""
Tests of the modern ham: its letters, its messages and their signatures. The template engines are
not needed.
"""

import email
import io
import json
import random
import re
import shutil
import sys
from contextlib import redirect_stderr
from email import policy
from email.header import decode_header, make_header
from email.utils import getaddresses
from functools import cache
from ipaddress import ip_address, ip_network
from pathlib import Path
from string import Formatter

import dkim
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from bench import modern_ham
from bench.ham.draft import draft
from bench.ham.letter import KINDS, LANGUAGES, Writer, plain, texts_of
from bench.ham.message import message
from bench.ham.mime import encode, encoded_words, field
from bench.ham.page import engine_for
from bench.ham.papers import invoice, picture
from bench.ham.sign import Signer, relaxed, relaxed_body

SEED = 3
COUNT = 240
PAGE = "<!DOCTYPE html>\n<html><body><p>Grüße, &amp; so on</p></body></html>\n"
SET_ASIDE = (".example", ".test", ".invalid")
DOCUMENTATION = [ip_network(each) for each in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")]


@cache
def drafts():
    """
    Decide on the messages of a seed, once.
    """
    return modern_ham.drafts_of(SEED, COUNT)


@cache
def messages():
    """
    Write them, once.
    """
    signer = Signer(SEED)
    return [message(each, PAGE, signer, SEED) for each in drafts()]


@cache
def records():
    """
    Give what the DNS says of their senders.
    """
    return modern_ham.records(drafts(), SEED)


def verifies(data, at):
    """
    Tell whether a signature verifies with the records that are written, by a library's judgement.
    """
    return dkim.DKIM(data).verify(
        at, lambda name, timeout=5: records()[name.decode().rstrip(".")].encode()
    )


def parts(data):
    """
    Give the parts that are no multiparts.
    """
    parsed = email.message_from_bytes(data)
    return [part for part in parsed.walk() if not part.is_multipart()]


class TextTests(SynchronousTestCase):
    """
    The texts of the languages.
    """

    def test_same_kinds(self):
        """
        Each language has texts for every kind, and the same words for what every page has.
        """
        keys = {name: set(texts_of(name)) for name in LANGUAGES}
        for name in LANGUAGES:
            texts = texts_of(name)
            self.assertEqual(keys[name], keys["en"])
            self.assertEqual({each["kind"] for each in texts["letters"]}, set(KINDS) - {"note"})

    def test_senders(self):
        """
        Each kind of letter has somebody to send it, in a domain that is set aside for examples.
        """
        for name in LANGUAGES:
            texts = texts_of(name)
            trades = {each["trade"] for each in texts["senders"]}
            for letter in texts["letters"]:
                self.assertTrue(trades & set(letter["trades"]), letter["subjects"])
            for sender in texts["senders"]:
                self.assertTrue(sender["domain"].endswith(SET_ASIDE), sender)

    def test_placeholders(self):
        """
        What stands between braces is known.
        """
        known = {
            *("article", "carrier", "code", "company", "date", "device", "first", "month", "name"),
            *("order", "percent", "person", "place", "product", "site", "time", "to", "total"),
            "tracking",
        }
        found = set()
        for name in LANGUAGES:
            texts = texts_of(name)
            said = json.dumps([texts[key] for key in ("greetings", "reasons", "letters", "notes")])
            found.update(re.findall(r"\{(\w+)\}", said))
            shapes = {
                key: [x[1] for x in Formatter().parse(texts[key])] for key in ("date", "money")
            }
            self.assertLessEqual(set(shapes["date"]), {"day", "month", "year", None})
            self.assertIn("", shapes["money"])
        self.assertEqual(found, known)

    def test_address(self):
        """
        A name is written in an address without its marks.
        """
        self.assertEqual(plain("Małgorzata Kępa"), "malgorzata kepa")
        self.assertEqual(plain("Björn Großmann"), "bjorn grosmann")
        self.assertEqual(plain("Niccolò D'Orsi"), "niccolo dorsi")


class LetterTests(SynchronousTestCase):
    """
    What is written.
    """

    def test_same_seed(self):
        """
        A letter is the same whenever it is written, and another one for another seed.
        """
        self.assertEqual(Writer(1).letter(17), Writer(1).letter(17))
        self.assertNotEqual(Writer(1).letter(17), Writer(2).letter(17))

    def test_variety(self):
        """
        All languages and kinds are there, and no two letters say the same.
        """
        letters = [each.letter for each in drafts()]
        for language in LANGUAGES:
            own = [each for each in letters if each.language == language]
            self.assertEqual(len(own), COUNT / len(LANGUAGES))
        self.assertEqual({each.kind for each in letters}, set(KINDS))
        self.assertEqual(len({each.text() for each in letters}), COUNT)

    def test_subject(self):
        """
        The article or product that a subject names is in the page.
        """
        for letter in (each.letter for each in drafts()):
            if letter.kind == "newsletter":
                texts = texts_of(letter.language)
                named = [each[0] for each in (*texts["articles"], *texts["products"])]
                for title in (each for each in named if each in letter.subject):
                    self.assertIn(title, [block.text for block in letter.blocks])

    def test_sum(self):
        """
        The sum that a receipt names before it is opened is the one below its table.
        """
        named = 0
        for letter in (each.letter for each in drafts()):
            if letter.kind == "receipt":
                (items,) = [block for block in letter.blocks if block.kind == "items"]
                sums = re.findall(r"\d+[.,]\d\d", letter.preheader)
                named += len(sums)
                self.assertEqual([each for each in sums if each not in items.rows[-1][2]], [])
        self.assertGreater(named, 0)

    def test_engines(self):
        """
        Mailgen, which has neither articles nor products, gets none.
        """
        engines = set()
        for each in drafts():
            if each.page is not None:
                kinds = {block["kind"] for block in each.page["blocks"]}
                engines.add(each.page["engine"])
                if each.page["engine"] == "mailgen":
                    self.assertFalse(kinds & {"article", "product"})
        self.assertEqual(engines, {"mjml", "react", "mailgen", "foundation", "oy"})

    def test_page(self):
        """
        What an engine is told can be written as JSON, and its links begin with https.
        """
        for page in (each.page for each in drafts() if each.page):
            self.assertEqual(json.loads(json.dumps(page)), page)
            links = [page["site"], page["view"], *(each["url"] for each in page["links"])]
            links += [each["url"] for each in page["blocks"] if each["url"]]
            self.assertEqual([each for each in links if not each.startswith("https://")], [])


class MessageTests(SynchronousTestCase):
    """
    What is sent.
    """

    def test_lines(self):
        """
        Every line ends in CRLF and is no longer than 998 (RFC 5322, section 2.1.1), and the fields
        are in ASCII.
        """
        for data in messages():
            self.assertNotIn(b"\n", data.replace(b"\r\n", b""))
            self.assertNotIn(b"\r", data.replace(b"\r\n", b""))
            self.assertLessEqual(max(map(len, data.split(b"\r\n"))), 998)
            self.assertTrue(data.partition(b"\r\n\r\n")[0].isascii())

    def test_same_seed(self):
        """
        The same seed gives the same bytes.
        """
        again = modern_ham.drafts_of(SEED, 12)
        signer = Signer(SEED)
        self.assertEqual([message(each, PAGE, signer, SEED) for each in again], messages()[:12])

    def test_parsed(self):
        """
        Python's parser finds no fault, and reads the subject that was written.
        """
        for each, data in zip(drafts(), messages(), strict=True):
            parsed = email.message_from_bytes(data, policy=policy.default)
            self.assertEqual([part.defects for part in parsed.walk() if part.defects], [])
            self.assertEqual(parsed["subject"], each.letter.subject)
            self.assertEqual(getaddresses([parsed["to"]])[0][1], each.letter.address)

    def test_texts(self):
        """
        The page is the one that the engine has made, and the plain text says what the letter says.
        """
        for each, data in zip(drafts(), messages(), strict=True):
            texts = {part.get_content_type(): part.get_payload(decode=True) for part in parts(data)}
            if each.page is not None:
                self.assertEqual(texts["text/html"].decode().replace("\r\n", "\n"), PAGE)
            if "text/plain" in texts:
                said = texts["text/plain"].decode().splitlines()
                self.assertEqual(said, each.letter.text().splitlines())

    def test_files(self):
        """
        There are invoices, entries for calendars and pictures, and each is what its type says.
        """
        starts = {
            "application/pdf": b"%PDF-",
            "application/ics": b"BEGIN:VCALENDAR\r\n",
            "text/calendar": b"BEGIN:VCALENDAR\r\n",
            "image/png": b"\x89PNG\r\n\x1a\n",
        }
        found = set()
        for data in messages():
            for part in parts(data):
                kind = part.get_content_type()
                if kind in starts:
                    found.add(kind)
                    self.assertTrue(part.get_payload(decode=True).startswith(starts[kind]))
        self.assertEqual(found, set(starts))

    def test_hosts(self):
        """
        All addresses and links of a message are in names that are set aside, and all IP addresses
        are those for documentation.
        """
        for each, data in zip(drafts(), messages(), strict=True):
            texts = [part.get_payload(decode=True) for part in parts(data)]
            texts = [text.decode() for text in texts if not text.startswith((b"%PDF", b"\x89PNG"))]
            head = data.partition(b"\r\n\r\n")[0].decode()
            said = "\n".join([head, *texts, json.dumps(each.page)]).replace("\r\n ", "")
            hosts = re.findall(r"(?:https?://|[\w.+-]@)([\w-]+(?:\.[\w-]+)+)", said)
            self.assertTrue(hosts)
            hosts = [host for host in hosts if host != "www.w3.org"]  # the name of a format
            self.assertEqual([host for host in hosts if not host.endswith(SET_ASIDE)], [])
            (client,) = re.findall(r"^Received: .*\[([0-9.]+)\]", said, re.MULTILINE)
            self.assertTrue(any(ip_address(client) in network for network in DOCUMENTATION))

    def test_newsletters(self):
        """
        Every newsletter says how to unsubscribe, and most with one click, which is signed
        (RFC 8058).
        """
        clicks = newsletters = 0
        for each, data in zip(drafts(), messages(), strict=True):
            parsed = email.message_from_bytes(data)
            if each.letter.kind == "newsletter":
                newsletters += 1
                self.assertIn(f"<{each.unsubscribe}>", parsed["list-unsubscribe"])
            if "list-unsubscribe-post" in parsed:
                clicks += 1
                signed = re.findall(r"h=([\w:-]+)", parsed["dkim-signature"])[0].split(":")
                self.assertLessEqual({"list-unsubscribe", "list-unsubscribe-post"}, set(signed))
        self.assertGreater(clicks, newsletters / 2)

    def test_signed(self):
        """
        Every signature verifies with the records that are written, and one of them is aligned.
        """
        for data in messages()[:60]:
            parsed = email.message_from_bytes(data)
            author = getaddresses([str(make_header(decode_header(parsed["from"])))])[0][1]
            domains = []
            for at, value in enumerate(parsed.get_all("dkim-signature")):
                self.assertTrue(verifies(data, at))
                domains += re.findall(r"\bd=([\w.-]+)", value)
            self.assertTrue(any(author.endswith(f"{one}") for one in domains))

    def test_changed(self):
        """
        What was changed on the way does not verify.
        """
        data = messages()[0]
        changed = data[:-20] + b"x" + data[-20:]
        self.assertRaises(dkim.ValidationError, verifies, changed, 0)

    def test_envelope(self):
        """
        The sender's records let it send from where its message came.
        """
        for data in messages():
            parsed = email.message_from_bytes(data)
            domain = parsed["return-path"].rpartition("@")[2].rstrip(">")
            client = ip_address(re.findall(r"\[([0-9.]+)\]", parsed["received"])[0])
            networks = re.findall(r"ip4:(\S+)", records()[domain])
            self.assertTrue(any(client in ip_network(each) for each in networks), domain)


class WritingTests(SynchronousTestCase):
    """
    How fields and parts are written.
    """

    @given(
        st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])),
        st.sampled_from(["7bit", "8bit", "quoted-printable", "base64"]),
    )
    def test_encode(self, text, wanted):
        """
        A text can be decoded again, however it was encoded.
        """
        encoding, data = encode(text, wanted)
        part = b"Content-Transfer-Encoding: %s\r\n\r\n%s" % (encoding.encode(), data)
        decoded = email.message_from_bytes(part).get_payload(decode=True)
        self.assertEqual(decoded.decode(), f"{text}\r\n")
        self.assertLessEqual(max(map(len, data.split(b"\r\n"))), 998)

    @given(st.text(st.characters(categories=["L", "N", "So"]), min_size=1), st.sampled_from("qb"))
    def test_words(self, text, way):
        """
        Encoded words say the text and are at most 75 long, their lines at most 76 (RFC 2047,
        section 2).
        """
        words = encoded_words(text, way)
        if not text.isascii():
            self.assertLessEqual(max(map(len, words)), 75)
            written = field("Subject", words)
            self.assertLessEqual(max(map(len, written.split(b"\r\n"))), 76)
            value = written.decode().partition(": ")[2]
            self.assertEqual(str(make_header(decode_header(value.rstrip("\r\n")))), text)

    def test_relaxed(self):
        """
        Fields and body are made canonical as in the example of RFC 6376, section 3.4.5.
        """
        self.assertEqual(relaxed(b"A: X"), (b"a", b"X"))
        self.assertEqual(relaxed(b"B : Y\t\r\n\tZ  "), (b"b", b"Y Z"))
        self.assertEqual(relaxed_body(b" C \r\nD \t E\r\n\r\n\r\n"), b" C\r\nD E\r\n")
        self.assertEqual(relaxed_body(b"\r\n\r\n"), b"")

    def test_invoice(self):
        """
        The table of a PDF names where each of its objects begins.
        """
        page = invoice(["Total (all)", "12,50 €"])
        places = re.findall(rb"^(\d{10}) 00000 n $", page, re.MULTILINE)
        self.assertEqual(len(places), 5)
        for number, place in enumerate(places, 1):
            self.assertTrue(page[int(place) :].startswith(b"%d 0 obj" % number))
        (table,) = re.findall(rb"startxref\n(\d+)\n", page)
        self.assertTrue(page[int(table) :].startswith(b"xref\n"))
        self.assertIn(b"(Total \\(all\\)) Tj", page)

    def test_picture(self):
        """
        A picture is as large as was asked for.
        """
        self.assertEqual(picture("#0b6e4f", 3, 2)[16:24], bytes([0, 0, 0, 3, 0, 0, 0, 2]))


class ProgramTests(SynchronousTestCase):
    """
    The program as a whole, without the engines.
    """

    def setUp(self):
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def test_write(self):
        """
        Each message is in a file whose name tells its number, language and kind.
        """
        chosen = drafts()[:3]
        modern_ham.write(chosen, [PAGE] * 3, SEED, self.folder)
        names = [f"{x.letter.number:04}-{x.letter.language}-{x.letter.kind}.eml" for x in chosen]
        self.assertEqual(sorted(each.name for each in self.folder.iterdir()), names)
        self.assertEqual((self.folder / names[2]).read_bytes(), messages()[2])

    def test_folder_in_use(self):
        """
        A folder with anything in it is left alone.
        """
        (self.folder / "mine").touch()
        self.assertRaises(modern_ham.Failed, modern_ham.write, [], [], SEED, self.folder)

    def test_installed(self):
        """
        Engines that are there are not installed again; other versions are.
        """
        wanted = json.dumps({"private": True, "dependencies": modern_ham.PACKAGES}, indent=2)
        (self.folder / "installed.json").write_text(wanted)
        self.patch(shutil, "which", lambda name: None)
        modern_ham.install(self.folder)
        (self.folder / "installed.json").write_text(wanted.replace("1", "2"))
        self.assertRaises(modern_ham.Failed, modern_ham.install, self.folder)

    def test_without_node(self):
        """
        Without node and npm the program says so, and writes nothing.
        """
        said = io.StringIO()
        target = self.folder / "out"
        command = ["modern_ham.py", str(target), "--cache", str(self.folder / "cache")]
        self.patch(sys, "argv", command)
        self.patch(shutil, "which", lambda name: None)
        with redirect_stderr(said):
            self.assertEqual(modern_ham.main(), 1)
        self.assertIn("node and npm are needed", said.getvalue())
        self.assertFalse(target.exists())

    def test_newsletters(self):
        """
        Newsletters are never given to an engine without columns.
        """
        letter = next(x.letter for x in drafts() if x.letter.kind == "newsletter")
        chosen = {engine_for(letter, random.Random(number)) for number in range(200)}
        self.assertEqual(chosen, {"mjml", "react", "foundation", "oy"})

    def test_draft(self):
        """
        A person writes no page for an engine, and offers no unsubscribing.
        """
        note = next(x for x in drafts() if x.letter.kind == "note")
        self.assertIsNone(note.page)
        self.assertEqual(note.unsubscribe, "")
        self.assertEqual(draft(Writer(SEED).letter(note.letter.number), SEED), note)
