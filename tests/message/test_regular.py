"""
Tests of when a message is strictly regular.
"""

from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.mime import read
from mailgate.message.mime.regular import CONTAINERS, are_different, last_extension
from tests.message.programs import PROGRAMS
from tests.message.tricks import ENCODINGS, TEXT, TOP, file_of, join, mixed

PAYLOAD = ENCODINGS["base64"]
TYPE = "Content-Type: multipart/mixed; boundary=frontier"


def doubts(data):
    """
    Say what is not regular.
    """
    return read(data).doubts


def of_part(*fields, body=PAYLOAD.body):
    """
    Say what is not regular in a message with a part of these fields.
    """
    part = join(*(join(field, "\r\n") for field in fields), "\r\n", body, "\r\n")
    return doubts(mixed(PAYLOAD, part=part))


class RegularTests(SynchronousTestCase):
    """
    Tests of each rule of the grammar.
    """

    def test_programs(self):
        """
        What real mail programs write is regular.
        """
        for name, data in PROGRAMS.items():
            self.assertEqual(doubts(data), (), name)

    def test_allowed(self):
        """
        What the grammar allows is regular.
        """
        for data in (
            b"",
            b"Subject: x\r\n",
            b"Subject: x\r\n\r\nwords",
            mixed(PAYLOAD),
            mixed(PAYLOAD, field=f"{TYPE};"),
            mixed(PAYLOAD, field='Content-Type:\r\n\tMultipart/MIXED ;\r\n boundary="frontier"'),
            mixed(PAYLOAD, field="X-Content-Type: a\r\nX-Content-Type: b\r\n" + TYPE),
            mixed(PAYLOAD, before="This is a message with parts.\r\n"),
            mixed(PAYLOAD, after="\r\n-- \r\nlist@example.org\r\n"),
        ):
            self.assertEqual(doubts(data), (), data)

    def test_header_sections(self):
        """
        Each line of a header section is a field or goes on with one, and says so in ASCII.
        """
        for field, doubt in (
            ("Content-Type : a/b", "the name of a header field has characters"),
            ("X\xe4: a", "the name of a header field has characters"),
            ("From a b: c", "the name of a header field has characters"),
            ("no field", "a line among the header fields is none"),
            ("X: a\r\n \r\n b", "a line of white space"),
            ("X: a\nY: b", "a header section has a CR or LF by itself"),
            ("X: a\rY: b", "a header section has a CR or LF by itself"),
            ("X: a\0", "a header section has a NUL"),
        ):
            for found in (doubts(join("Y: z\r\n", field, "\r\n\r\nx")), of_part("Y: z", field)):
                self.assertEqual(len(found), 1, field)
                self.assertIn(doubt, found[0])
        self.assertEqual(
            doubts(b" X: a\r\n\r\nx"),
            (
                "the message begins without header fields",
                "a header section begins with white space",
            ),
        )
        self.assertEqual(doubts(b"\r\nwords"), ("the message begins without header fields",))

    def test_fields(self):
        """
        The three fields are there once and written by the grammar.
        """
        octets = "Content-Type: application/octet-stream"
        for fields, doubt in (
            ((octets, octets), "there are 2 fields content-type"),
            (
                (octets, PAYLOAD.field, PAYLOAD.field),
                "there are 2 fields content-transfer-encoding",
            ),
            (("Content-Type: a/b (x)",), "the field content-type is not as"),
            (("Content-Type: a/b; x=y; x=z",), "the field content-type is not as"),
            (("Content-Type: a/b; x=y z",), "the field content-type is not as"),
            (("Content-Type: a/b; x",), "the field content-type is not as"),
            (('Content-Type: a/b; x="y',), "the field content-type is not as"),
            (("Content-Type:",), "the field content-type is not as"),
            (
                (octets, "Content-Disposition: attachment filename=x"),
                "the field content-disposition",
            ),
            ((octets, "Content-Transfer-Encoding: x-unknown"), "the encoding of a part is none"),
            (("Content-Type: message/rfc822", PAYLOAD.field), "what holds other parts is encoded"),
            (("Content-Type: message/x-new",), "a message of a kind that not all"),
            (("Content-Type: message/external-body",), "a part is to be fetched from elsewhere"),
        ):
            found = of_part(*fields)
            self.assertTrue(any(doubt in each for each in found), (fields, found))

    def test_boundaries(self):
        """
        A boundary is one that all programs take as it stands, and stands where it must.
        """
        for data, doubt in (
            (mixed(PAYLOAD, field="Content-Type: multipart/mixed"), "does not say how they are"),
            (
                mixed(PAYLOAD, field='Content-Type: multipart/mixed; boundary="a b"', line="a b"),
                "a boundary has characters",
            ),
            (
                mixed(
                    PAYLOAD,
                    field=f"Content-Type: multipart/mixed; boundary={'f' * 71}",
                    line="f" * 71,
                ),
                "a boundary has characters",
            ),
            (mixed(PAYLOAD, last=""), "a boundary is missing"),
            (
                mixed(PAYLOAD).replace(b"\r\n--frontier\r\n", b"\r\n---frontier\r\n", 1),
                "a boundary stands where it does not belong",
            ),
            (mixed(PAYLOAD, after="--frontier\r\n"), "a boundary stands where it does not belong"),
            (mixed(PAYLOAD, before="x\r\n" * 500), "what stands before the first part"),
            (mixed(PAYLOAD, before="Content-Type: a/b\r\n"), "what stands before the first part"),
            (mixed(PAYLOAD, after="x\r\n" * 500), "what stands behind the last part"),
            (mixed(PAYLOAD, after="\r\nbegin 644 a\r\n"), "what stands behind the last part"),
            (mixed(PAYLOAD, part="X: y\r\n"), "a part ends within its header section"),
        ):
            found = doubts(data)
            self.assertTrue(any(doubt in each for each in found), (doubt, found))

    def test_epilogue_within(self):
        """
        What stands behind the last part of an inner container counts as well.
        """
        inner = join(
            "Content-Type: multipart/mixed; boundary=within\r\n\r\n--within\r\n",
            TEXT,
            "--within--\r\nContent-Type: a/b\r\n\r\nx\r\n",
        )
        self.assertTrue(
            any("behind the last part" in each for each in doubts(mixed(PAYLOAD, part=inner)))
        )

    def test_many_containers(self):
        """
        Of more containers than programs write it is not said that they are regular.
        """

        def nested(count):
            parts = b"".join(
                b"--frontier\r\nContent-Type: multipart/mixed; boundary=inner%04d\r\n\r\n"
                b"--inner%04d\r\n\r\nx\r\n--inner%04d--\r\n" % (at, at, at)
                for at in range(count)
            )
            return join(TOP, TYPE, "\r\n\r\n", parts, "--frontier--\r\n")

        self.assertEqual(doubts(nested(CONTAINERS - 1)), ())
        (doubt,) = doubts(nested(CONTAINERS))
        self.assertIn("more than 20 parts that have parts", doubt)

    def test_base64(self):
        """
        Base64 has letters and line ends, and padding at its end.
        """
        for body, is_regular in (
            (b"QUJD", True),
            (b"QUI=", True),
            (b"QQ==\r\n\r\n", True),
            (b"QU\r\nJD", True),
            (b"", True),
            (b"QUI", False),
            (b"QUI=QUJD", False),
            (b"=QUJD", False),
            (b"QU!JD", False),
            (b"QUJD====", False),
        ):
            found = of_part("Content-Type: a/b", PAYLOAD.field, body=body)
            self.assertEqual(found == (), is_regular, (body, found))

    def test_names(self):
        """
        Names of one file have one extension, whatever stands before it.
        """
        self.assertFalse(are_different(("a.pdf", "b.PDF")))
        self.assertFalse(are_different(("a.pdf", "=?utf-8?q?a=2Epdf?=")))
        self.assertTrue(are_different(("a.pdf", "a.exe")))
        self.assertTrue(are_different(("a", "a.exe")))
        self.assertEqual(last_extension("a.b.EXE. "), "exe")
        self.assertEqual(last_extension(""), "")
        place = "Content-Disposition: attachment; "
        for parameters, is_regular in (
            ("filename*0=a; filename*1=.exe", True),
            ("filename*0*=utf-8''a; filename*1=.exe", True),
            ("filename*1=a; filename*0=.exe", False),
            ("filename*1=a", False),
            ("filename*0=a; filename*2=b", False),
            ("filename=a.exe; filename*=utf-8''a.exe", True),
            ("filename=a.txt; filename*=utf-8''a.exe", False),
            ('filename="a.e xe"', False),
            ('filename="a b.exe"', True),
        ):
            found = of_part(place + parameters, body=b"x")
            self.assertEqual(found == (), is_regular, (parameters, found))

    def test_text_like_a_part(self):
        """
        A text that begins like a header section is not regular.
        """
        self.assertEqual(
            of_part("Content-Type: text/plain", body=file_of(PAYLOAD)),
            ("a text begins like a header section",),
        )
