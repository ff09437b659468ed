"""
Tests of L{mailgate.wire.parameters}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.wire.parameters import (
    MAIL_KEYWORDS,
    RCPT_KEYWORDS,
    MailParameters,
    RcptParameters,
    mail_parameters,
    rcpt_parameters,
)
from mailgate.wire.smtp import Refused, parse_mail, parse_rcpt
from mailgate.wire.xtext import encode

EXTENSIONS = frozenset((*MAIL_KEYWORDS.values(), *RCPT_KEYWORDS.values()))
XTEXT = st.text(min_size=1, max_size=12).map(encode)
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="="))
SAID = st.dictionaries(
    st.sampled_from([*MAIL_KEYWORDS, *RCPT_KEYWORDS, "BINARYMIME", "X"]),
    VALUES
    | st.sampled_from(["", "1", "7BIT", "8bitmime", "FULL", "never", "FAILURE,DELAY", "<>"])
    | XTEXT.map("rfc822;".__add__),
    max_size=4,
)


def with_case(words, data):
    """
    Write words in small and capital letters as they come.
    """
    return "".join(
        letter.lower() if data.draw(st.booleans()) else letter.upper() for letter in words
    )


def codes(function, *arguments):
    """
    Give the codes with which something is refused, or C{None}.
    """
    try:
        function(*arguments)
    except Refused as refused:
        return refused.reply.code, refused.reply.enhanced
    return None


class MailTests(SynchronousTestCase):
    """
    Tests of the parameters of MAIL.
    """

    @given(
        st.none() | st.integers(0, 10**20 - 1),
        st.sampled_from(["7BIT", "8BITMIME"]),
        st.booleans(),
        st.booleans(),
        st.sampled_from(["", "FULL", "HDRS"]),
        st.just("") | XTEXT.filter(lambda text: len(text) <= 100),
        st.sampled_from(["", " AUTH=<>", " AUTH=a+40b"]),
        st.data(),
    )
    def test_round_trip(self, size, body, utf8, prdr, ret, envid, auth, data):
        """
        Whatever may be said is read as it was said, in any case, through the grammar of MAIL.
        """
        said = MailParameters(size, body, utf8, prdr, ret, envid)
        words = [
            "" if size is None else f"{with_case('SIZE', data)}={size}",
            f"{with_case('BODY', data)}={with_case(body, data)}",
            with_case("SMTPUTF8", data) if utf8 else "",
            with_case("PRDR", data) if prdr else "",
            f"{with_case('RET', data)}={with_case(ret, data)}" if ret else "",
            f"{with_case('ENVID', data)}={envid}" if envid else "",
        ]
        words = data.draw(st.permutations([word for word in words if word]))
        path = parse_mail(f"FROM:<a@b.example> {' '.join(words)}{auth}")
        self.assertEqual(mail_parameters(path.parameters, EXTENSIONS), said)

    def test_nothing_said(self):
        """
        Without parameters the defaults count, whatever is offered.
        """
        self.assertEqual(mail_parameters({}, frozenset()), MailParameters())

    def test_wrong_values(self):
        """
        A value that is none is refused with 501.
        """
        for keyword, values in {
            "SIZE": ("", "-1", "1k", "1" * 21, "\N{ARABIC-INDIC DIGIT ONE}", "0x10"),
            "BODY": ("", "BINARYMIME", "8BIT"),
            "RET": ("", "HEADERS", "FULL,HDRS"),
            "ENVID": ("", "a=b", "+4", "+aa", "a" * 101, "\xe4"),
            "AUTH": ("", "a b", "+", "a=b"),
            "SMTPUTF8": ("1",),
            "PRDR": ("yes",),
        }.items():
            for value in values:
                found = codes(mail_parameters, {keyword: value}, EXTENSIONS)
                self.assertEqual(found, (501, "5.5.4"), (keyword, value))

    def test_longest(self):
        """
        What just fits is taken.
        """
        said = mail_parameters({"SIZE": "9" * 20, "ENVID": "a" * 100}, EXTENSIONS)
        self.assertEqual((said.size, len(said.envid)), (10**20 - 1, 100))

    @given(SAID, st.sets(st.sampled_from(sorted(EXTENSIONS))))
    def test_only_what_is_offered(self, said, offered):
        """
        What was not offered, and what MAIL does not have, gets 555, with a good value or a bad
        one; everything else is read or gets 501.
        """
        found = codes(mail_parameters, said, offered)
        if any(MAIL_KEYWORDS.get(keyword) not in offered for keyword in said):
            self.assertEqual(found, (555, "5.5.4"))
        else:
            self.assertIn(found, (None, (501, "5.5.4")))


class RcptTests(SynchronousTestCase):
    """
    Tests of the parameters of RCPT.
    """

    @given(
        st.just("")
        | st.just("NEVER")
        | st.sets(st.sampled_from(["SUCCESS", "FAILURE", "DELAY"]), min_size=1).map(",".join),
        st.just("") | XTEXT.map("rfc822;".__add__) | st.just("utf-8;\xe4@b.example"),
        st.data(),
    )
    def test_round_trip(self, notify, orcpt, data):
        """
        Whatever may be said is read as it was said, in any case, through the grammar of RCPT.
        """
        words = [
            f" {with_case('NOTIFY', data)}={with_case(notify, data)}" if notify else "",
            f" {with_case('ORCPT', data)}={orcpt}" if orcpt else "",
        ]
        path = parse_rcpt("TO:<a@b.example>" + "".join(data.draw(st.permutations(words))))
        found = rcpt_parameters(path.parameters, EXTENSIONS)
        self.assertEqual(found, RcptParameters(notify, orcpt))
        self.assertEqual(bool(found), bool(notify or orcpt))

    def test_wrong_values(self):
        """
        A value that is none is refused with 501.
        """
        for keyword, values in {
            "NOTIFY": ("", "NEVER,DELAY", "DELAY,DELAY", "SUCCESS,", "ALWAYS", "success delay"),
            "ORCPT": (
                "",
                "a@b",
                ";a@b",
                "rfc822;",
                "rfc822;a=b",
                "rfc822;a+4",
                "rfc822;\xe4@b",
                "utf-8;\xe4 b",
                "utf-8;\xe4\0b",
                f"{'a' * 21};b",
                f"rfc822;{'a' * 494}",
            ),
        }.items():
            for value in values:
                found = codes(rcpt_parameters, {keyword: value}, EXTENSIONS)
                self.assertEqual(found, (501, "5.5.4"), (keyword, value))

    def test_longest(self):
        """
        What just fits is taken.
        """
        orcpt = f"rfc822;{'a' * 493}"
        self.assertEqual(rcpt_parameters({"ORCPT": orcpt}, EXTENSIONS).orcpt, orcpt)

    @given(SAID, st.sets(st.sampled_from(sorted(EXTENSIONS))))
    def test_only_what_is_offered(self, said, offered):
        """
        What was not offered, and what RCPT does not have, gets 555, with a good value or a bad
        one; everything else is read or gets 501.
        """
        found = codes(rcpt_parameters, said, offered)
        if any(RCPT_KEYWORDS.get(keyword) not in offered for keyword in said):
            self.assertEqual(found, (555, "5.5.4"))
        else:
            self.assertIn(found, (None, (501, "5.5.4")))
