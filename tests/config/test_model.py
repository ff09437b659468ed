"""
Tests of single settings in L{mailgate.config.model}.
"""

from pydantic import ValidationError
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.model import Policy


class SubjectMarkTests(SynchronousTestCase):
    """
    C{subject_mark} of C{[policy]}.
    """

    def test_marks(self):
        """
        It is up to 30 characters of ASCII, or nothing.
        """
        for mark in ("", "!", "[SPAM?]", "*** likely spam ***", "x" * 30):
            self.assertEqual(Policy(subject_mark=mark).subject_mark, mark)

    def test_what_is_none(self):
        """
        Nothing can be put into a header with it, and it does not end in a space.
        """
        for mark in ("x" * 31, "a\r\nX-Evil: 1", "a\n", "caf\u00e9", " a", "a ", "a\tb", "\x7f", 5):
            self.assertRaises(ValidationError, Policy, subject_mark=mark)
