"""
Tests of L{mailgate.checks.people}.
"""

from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.people import People
from mailgate.config.checks import Person

PEOPLE = People.from_settings(
    (
        Person(name="Jane Maria Doe"),
        Person(name="M\u00fcller, J\u00f6rg"),
        Person(name="Suharto"),
    )
)


def named(name):
    """
    Give whose name it is.
    """
    known = PEOPLE.named(name)
    return None if known is None else known.name


class PeopleTests(SynchronousTestCase):
    """
    Tests of L{People}.
    """

    def test_found(self):
        """
        A name is found in either order, with titles, initials and second names, and with letters
        that look like others.
        """
        for name in (
            "Jane Doe",
            "Doe, Jane",
            "DOE Jane",
            "Jane M. Doe",
            "Jane Maria Doe",
            "J. Doe",
            "Dr. Jane Doe, CEO",
            "JaneDoe",
            "J\u0430ne D\u043ee",
            "J\u00e1ne Doe",
            "Jane D0e",
        ):
            self.assertEqual(named(name), "Jane Maria Doe", name)
        self.assertEqual(named("J\u00f6rg M\u00fcller"), "M\u00fcller, J\u00f6rg")
        self.assertEqual(named("Jorg Muller"), "M\u00fcller, J\u00f6rg")
        self.assertEqual(named("President Suharto"), "Suharto")

    def test_others(self):
        """
        Relatives, services and others with a part of the name are somebody else.
        """
        for name in (
            "",
            "Jane",
            "Doe",
            "John Doe",
            "Janet Doe",
            "Jane Doe via DocuSign",
            "Jane Doe Foundation",
            "Jane and John Doe",
            "R. Doe",
            "Tommy Suharto",
            "!",
        ):
            self.assertIsNone(named(name), name)

    def test_nobody(self):
        """
        Where nobody is named nothing is looked for.
        """
        self.assertIsNone(People.from_settings(()).named("Jane Doe"))
