"""
Tests of looking into Office documents, RTF and tables.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.inside.office import (
    is_looked_at,
    look_at_member,
    look_at_names,
    look_at_rtf,
    look_at_table,
)
from mailgate.message.inside.signs import Look, SignKind
from tests.message.documents import relationship
from tests.message.samples import within_a_second


def seen(function, *arguments):
    """
    Give kinds and words of the signs, and the links.
    """
    look = Look()
    function(*arguments, look, ("a.docx",))
    return {sign.kind: sign.detail for sign in look.signs}, list(look.leads)


class RelationshipTests(SynchronousTestCase):
    """
    Tests of what documents load.
    """

    def of(self, *arguments):
        """
        Look at a document with one relationship.
        """
        return seen(look_at_member, "word/_rels/document.xml.rels", relationship(*arguments))

    def test_loaded(self):
        """
        What is loaded from a server is told, in every way to write a server.
        """
        for kind, what in (("attachedTemplate", "its template"), ("oleObject", "an object")):
            for target in (
                "https://example.net/a.dotm",
                "HTTP://example.net/a",
                r"\\example.net\share\a.dotm",
                r"file:\\example.net\share\a.dotm",
                "file://example.net/share/a.dotm",
            ):
                signs, leads = self.of(kind, target)
                words = f"loads {what} from {target} when it is opened"
                self.assertEqual((signs, leads), ({SignKind.REMOTE: words}, [target]))

    def test_mhtml(self):
        """
        An object that is a page of another program's is told.
        """
        target = "mhtml:https://example.net/a.html!x-usc:https://example.net/a.html"
        self.assertEqual(list(self.of("oleObject", target)[0]), [SignKind.REMOTE])
        self.assertEqual(list(self.of("image", target)[0]), [SignKind.REMOTE])

    def test_local(self):
        """
        A template on the own disk, as many documents have it, and what lies in them is none.
        """
        for target in ("file:///C:/Users/ada/Normal.dotm", "Normal.dotm", "C:\\a.dotm"):
            self.assertEqual(self.of("attachedTemplate", target), ({}, []))
        self.assertEqual(self.of("attachedTemplate", "https://a.example/", "Internal"), ({}, []))

    def test_links(self):
        """
        Links lead somewhere and are no sign.
        """
        target = "https://example.net/?a=1&amp;b=2"
        self.assertEqual(self.of("hyperlink", target), ({}, ["https://example.net/?a=1&b=2"]))

    def test_utf_16(self):
        """
        They are found in UTF-16 too.
        """
        data = relationship("hyperlink", "https://example.net/").decode().encode("utf-16")
        self.assertEqual(seen(look_at_member, "_rels/.rels", data)[1], ["https://example.net/"])


class FieldTests(SynchronousTestCase):
    """
    Tests of DDE.
    """

    def test_field(self):
        """
        A field that starts a program is told, in pieces too.
        """
        whole = b'<w:instrText xml:space="preserve">DDEAUTO c:\\\\cmd.exe "/k calc"</w:instrText>'
        pieces = b"<w:instrText>DD</w:instrText><w:r/><w:instrText>EAUTO cmd.exe</w:instrText>"
        simple = b'<w:fldSimple w:instr=" DDE &quot;cmd.exe&quot; "/>'
        for data in (whole, pieces, simple):
            signs, _ = seen(look_at_member, "word/document.xml", data)
            self.assertEqual(list(signs), [SignKind.DDE])
            self.assertIn("cmd.exe", signs[SignKind.DDE])

    def test_other_fields(self):
        """
        Other fields, and text that speaks of DDE, are no sign.
        """
        for data in (
            b"<w:instrText>PAGEREF _Toc1</w:instrText><w:t>DDEAUTO</w:t>",
            b"<w:instrText>TOC ADDED</w:instrText>",
        ):
            self.assertEqual(seen(look_at_member, "word/document.xml", data), ({}, []))

    def test_excel(self):
        """
        A link of Excel to another program is told.
        """
        data = b'<externalLink><ddeLink ddeService="cmd" ddeTopic="/c calc"/></externalLink>'
        signs, _ = seen(look_at_member, "xl/externallinks/externallink1.xml", data)
        self.assertEqual(signs, {SignKind.DDE: "asks a program by DDE (cmd)"})

    def test_table(self):
        """
        A cell that starts a program is told, other formulas are not.
        """
        for data in (
            b"=cmd|'/c calc'!A0",
            b"a,b\r\nc,=cmd|' /c calc'!A0",
            b'"@SUM(1)";"+cmd|\'x\'"',
        ):
            signs, _ = seen(look_at_table, data)
            self.assertEqual(signs, {SignKind.DDE: "asks to start a program by DDE (cmd)"})
        self.assertEqual(seen(look_at_table, b"a,=SUM(A1:A2)\r\n-1,+49 30|x\r\n"), ({}, []))


class NameTests(SynchronousTestCase):
    """
    Tests of what the names of the files in a document tell.
    """

    def test_names(self):
        """
        Macros and objects of other programs are told; files of documents in documents are not.
        """
        for name, kind in (
            ("xl/macrosheets/sheet1.xml", SignKind.MACROS),
            ("basic/standard/module1.xml", SignKind.MACROS),
            ("word/embeddings/oleobject1.bin", SignKind.EMBEDDED),
            ("word/activex/activex1.xml", SignKind.EMBEDDED),
        ):
            self.assertEqual(list(seen(look_at_names, {name})[0]), [kind])
        names = {"word/embeddings/sheet1.xlsx", "basic/script-lc.xml", "word/document.xml"}
        self.assertEqual(seen(look_at_names, names), ({}, []))

    def test_looked_at(self):
        """
        Of the files in a document those are looked at in which something can stand.
        """
        for name in ("_rels/.rels", "word/document.xml", "word/header12.xml", "word/document2.xml"):
            self.assertTrue(is_looked_at(name), name)
        for name in ("word/styles.xml", "word/media/image1.png", "xl/worksheets/sheet1.xml"):
            self.assertFalse(is_looked_at(name), name)


class RtfTests(SynchronousTestCase):
    """
    Tests of Rich Text Format.
    """

    def test_rtf(self):
        """
        A template from a server, an object, and links are found.
        """
        signs, leads = seen(look_at_rtf, rb"{\rtf1 {\*\template https://example.net/a}}")
        words = "loads its template from https://example.net/a when it is opened"
        self.assertEqual((signs, leads), ({SignKind.REMOTE: words}, ["https://example.net/a"]))
        signs, _ = seen(look_at_rtf, rb"{\rtf1 {\object\objupdate{\*\objdata 0105}}}")
        self.assertIn("loaded when it is opened", signs[SignKind.EMBEDDED])
        _, leads = seen(
            look_at_rtf, rb'{\rtf1 {\field{\*\fldinst HYPERLINK "https://a.example/"}}}'
        )
        self.assertEqual(leads, ["https://a.example/"])
        self.assertEqual(seen(look_at_rtf, rb"{\rtf1 {\*\template C:\\Normal.dotm}}"), ({}, []))


class HostileTests(SynchronousTestCase):
    """
    Tests of what is made to take long or to break.
    """

    def test_a25_large(self):
        """
        Whatever a large file repeats, it takes less than a second.
        """
        for piece in (
            b"<Relationship ",
            b"<w:instrText>DDE",
            b"<ddeLink ",
            b'x="',
            b"<w:instrText>",
            b"{\\*\\template ",
            b"=cmd|",
            b"                =",
        ):
            data = piece * (1024 * 1024 // len(piece))
            for name in ("a.rels", "word/document.xml"):
                within_a_second(self, seen, look_at_member, name, data)
            within_a_second(self, seen, look_at_rtf, data)
            within_a_second(self, seen, look_at_table, data)

    @given(
        st.binary(max_size=200), st.sampled_from([b"\xff\xfe", b"<Relationship Target='", b"instr"])
    )
    def test_anything(self, data, before):
        """
        Any bytes can be looked at.
        """
        for name in ("a.rels", "word/document.xml"):
            seen(look_at_member, name, before + data)
        seen(look_at_rtf, before + data)
        seen(look_at_table, before + data)
