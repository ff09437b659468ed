"""
Tests of L{mailgate.authentication.macro}.
"""

import contextlib
from time import process_time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.authentication.macro import (
    EXPLANATION_LIMIT,
    NAME_LIMIT,
    MacroError,
    domain_spec,
    explain_string,
    macro_string,
)

VALUES = {
    "s": "strong-bad@email.example.com",
    "l": "strong-bad",
    "o": "email.example.com",
    "d": "email.example.com",
    "i": "192.0.2.3",
    "p": "mx.example.org",
    "v": "in-addr",
    "h": "mx.example.org",
    "c": "192.0.2.3",
    "r": "mx.example.net",
    "t": "1700000000",
}


class ExpansionTests(SynchronousTestCase):
    """
    The examples of RFC 7208 section 7.4, and more.
    """

    def test_examples(self):
        """
        Its examples expand as they stand there.
        """
        for written, expanded in (
            ("%{s}", "strong-bad@email.example.com"),
            ("%{o}", "email.example.com"),
            ("%{d}", "email.example.com"),
            ("%{d4}", "email.example.com"),
            ("%{d3}", "email.example.com"),
            ("%{d2}", "example.com"),
            ("%{d1}", "com"),
            ("%{dr}", "com.example.email"),
            ("%{d2r}", "example.email"),
            ("%{l}", "strong-bad"),
            ("%{l-}", "strong.bad"),
            ("%{lr}", "strong-bad"),
            ("%{lr-}", "bad.strong"),
            ("%{l1r-}", "strong"),
            ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
            ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
            ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
            ("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"),
            ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
        ):
            self.assertEqual(macro_string(written).name(VALUES), expanded, written)

    def test_escapes(self):
        """
        Percent signs and spaces have macros of their own, and capitals escape as in a URL
        (section 7.3).
        """
        self.assertEqual(macro_string("a%%b%_c%-d").name({}), "a%b c%20d")
        self.assertEqual(
            explain_string("%{S}").explanation(VALUES), "strong-bad%40email.example.com"
        )

    def test_long_names(self):
        """
        Of a name that is too long labels are left out from the left until it fits (section 7.3).
        """
        for labels in range(40, 60):
            values = {"l": "x" * 50, "d": ".".join(["label"] * labels)}
            name = macro_string("%{l}.%{d}.example.com").name(values)
            whole = f"{values['l']}.{values['d']}.example.com"
            self.assertLessEqual(len(name), NAME_LIMIT)
            self.assertTrue(whole == name or whole.endswith(f".{name}"))
            if whole != name:
                left_out = whole.removesuffix(f".{name}").rpartition(".")[2]
                self.assertGreater(len(name) + 1 + len(left_out), NAME_LIMIT)

    def test_dot_at_end(self):
        """
        A dot at the end is no part of the name.
        """
        self.assertEqual(domain_spec("a.example.com.").name({}), "a.example.com")

    def test_a20_macro_bomb(self):
        """
        However much a text expands to, no more is made of it than can be used.
        """
        values = {**VALUES, "l": "a-" * 1000}
        start = process_time()
        bomb = explain_string("%{L1000r-}" * 1600)
        self.assertLessEqual(len(bomb.name(values)), NAME_LIMIT)
        self.assertEqual(len(bomb.explanation(values)), EXPLANATION_LIMIT)
        self.assertLess(process_time() - start, 2)


class GrammarTests(SynchronousTestCase):
    """
    What is in the grammar (RFC 7208 sections 7.1 and 12).
    """

    def assertWrong(self, read, *texts):
        """
        Make sure that none of the texts can be read.
        """
        for text in texts:
            self.assertRaises(MacroError, read, text)

    def test_wrong_macros(self):
        """
        What is no macro is a mistake wherever it stands.
        """
        for read in (macro_string, explain_string, domain_spec):
            self.assertWrong(
                read,
                *("%", "a%", "%a.com", "%{", "%{d", "%{}", "%{x}", "%(d)", "%{d0}", "%{d00}"),
                *("%{dx}", "%{d-r}", "%{rd}", "%{d2rr}", "\xe9", "\x7f", "a\tb", "%{d}\n"),
            )

    def test_where(self):
        """
        Three macros and spaces stand only in explanations.
        """
        for text in ("%{c}", "%{r}", "%{t}", "a b"):
            self.assertEqual(explain_string(text).text, text)
            self.assertWrong(macro_string, text)

    def test_huge_counts(self):
        """
        A count of any size can be read; nothing has more parts than are there.
        """
        for count in ("9", "127", "0009", "999999", "9" * 9000):
            self.assertEqual(macro_string(f"%{{d{count}}}").name(VALUES), "email.example.com")

    def test_ends_of_names(self):
        """
        A name ends in a macro, or in a label that a top level domain can be.
        """
        for text in (
            "%{d}",
            "a.%{d}",
            "a.com",
            "a.com.",
            "a.c-d",
            "a.1-2",
            "a.x1",
            "%{d}.com",
            "a.%%",
        ):
            self.assertEqual(domain_spec(text).text, text)
        self.assertWrong(
            domain_spec,
            *(
                "",
                "com",
                "a.1",
                "a.123.",
                "a.com-",
                "a.-com",
                "a.com:25",
                "a..",
                ".",
                "a.c_m",
                "a.com,",
            ),
        )

    def test_linear(self):
        """
        Reading takes linear time, whatever is in a text.
        """
        for text in (
            "a.",
            "1",
            "-",
            "%{d",
            "%{d" + "1" * 16_000,
            "%{d" + "-" * 16_000,
            "a." + "1" * 16_000,
        ):
            start = process_time()
            with contextlib.suppress(MacroError):
                domain_spec(text * (16_000 // len(text)))
            self.assertLess(process_time() - start, 2, text[:9])

    @given(st.text())
    def test_anything(self, text):
        """
        Any text is either read, and then expands, or is a mistake.
        """
        for read in (macro_string, explain_string, domain_spec):
            try:
                written = read(text)
            except MacroError:
                continue
            self.assertLessEqual(len(written.name(VALUES)), NAME_LIMIT)
            self.assertLessEqual(len(written.explanation(VALUES)), EXPLANATION_LIMIT)
