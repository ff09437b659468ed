"""
Tests of L{mailgate.config.geo}.
"""

import sys
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from mailgate.config import geo
from mailgate.config.checks import GeoCheck
from tests.mmdb import country, write_mmdb
from tests.storage import temporary_folder


class GeoFileTests(SynchronousTestCase):
    """
    Tests of the files.
    """

    def setUp(self):
        """
        Write one that is right.
        """
        self.path = temporary_folder(self) / "x.mmdb"
        self.path.write_bytes(write_mmdb({"192.0.2.0/24": country("FR")}))

    def said(self, key="country_file", say=geo.lapses, **more):
        """
        Give what is said of a table.
        """
        section = GeoCheck(**{key: str(self.path), **more})
        return [str(each) for each in say(section, self.path.parent / "mailgate.toml")]

    def test_right(self):
        """
        Nothing is said of a file that is right, nor where none is named.
        """
        self.assertEqual(self.said(), [])
        self.assertEqual(list(geo.lapses(GeoCheck(), self.path)), [])

    def test_wrong(self):
        """
        What is missing, damaged or of the wrong kind is told, with table, key and file.
        """
        (line,) = self.said("system_file")
        self.assertIn("is a file of the kind GeoLite2-Country", line)
        self.path.write_bytes(b"x" * 1000)
        (line,) = self.said()
        self.assertIn("no file in MaxMind's format", line)
        self.path.unlink()
        (line,) = self.said()
        for words in ("[checks.geo]", "country_file", str(self.path), "No such file"):
            self.assertIn(words, line)
        self.assertEqual(self.said(mode="off"), [])

    def test_library(self):
        """
        Without the library it is said how to get it.
        """
        with patch.dict(sys.modules, {"maxminddb": None}):
            (line,) = self.said()
        self.assertIn("pip install '.[geo]'", line)

    def test_without_a_file(self):
        """
        Scores that no file can bring about are warned of.
        """
        (line,) = self.said(say=geo.warnings, systems={"64496": 1.0})
        self.assertIn("says nothing without system_file", line)
