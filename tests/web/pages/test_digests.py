"""
Tests for L{mailgate.web.pages.digests}.
"""

from twisted.trial.unittest import SynchronousTestCase

from tests.web.harness import World

PATH = "/account/digest"
OWN = ("ada@example.com", "sales@example.com")


class DigestPageTests(SynchronousTestCase):
    """
    Tests of L{mailgate.web.pages.digests.DigestPages}.
    """

    def setUp(self):
        """
        Sign somebody in who has two addresses.
        """
        self.world = World(self)
        self.browser = self.world.signed_in("Ada", "correct horse battery", "user", OWN)

    def chosen(self):
        """
        Give what is stored.
        """
        return [tuple(row) for row in self.world.rows("digest_choice")]

    def test_choose(self):
        """
        For each of one's own addresses a time and a zone can be chosen, and the audit has it.
        """
        text = self.browser.get(PATH).text
        for address in OWN:
            self.assertIn(address, text)
        self.browser.post(PATH, address=OWN[1], schedule="Daily 9:00", zone="")
        self.assertEqual(self.chosen(), [])
        self.browser.post(PATH, address=OWN[1], schedule="Daily 09:00", zone="Europe/Berlin")
        self.assertEqual(self.chosen(), [(OWN[1], "daily 09:00", "Europe/Berlin")])
        self.assertIn('value="daily 09:00"', self.browser.get(PATH).text)
        self.assertEqual(self.world.rows("audit")[-1][4], "setting.changed")
        self.browser.post(PATH, address=OWN[1], schedule="", zone="")
        self.assertEqual(self.chosen(), [(OWN[1], "", "")])

    def test_none_are_sent(self):
        """
        Where no digests are sent the page says so.
        """
        self.assertIn("At the moment none are sent here", self.browser.get(PATH).text)

    def test_wrong(self):
        """
        What is no schedule or no zone is told and stands there to be mended.
        """
        for fields in ({"schedule": "often"}, {"zone": "Mars/<b>"}):
            response = self.browser.post(PATH, address=OWN[0], **fields)
            self.assertEqual(response.code, 400)
            self.assertIn("must be", response.text)
            self.assertNotIn("<b>", response.text.partition("<main")[2].replace("<b>This", ""))
        self.assertEqual(self.chosen(), [])

    def test_w4_of_others(self):
        """
        Of other people's addresses there are none here.
        """
        response = self.browser.post(PATH, page=PATH, address="bob@example.com", schedule="never")
        self.assertEqual(response.code, 404)
        self.assertEqual(self.chosen(), [])

    def test_nobody(self):
        """
        Without an address nothing can be chosen.
        """
        text = self.world.signed_in().get(PATH).text
        self.assertIn("No address is yours here", text)
