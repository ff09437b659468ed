"""
Tests of bodies that are read while they arrive, for the checks that verify signatures.
"""

from unittest.mock import patch

from tests.edge.harness import ScriptedPipeline
from tests.edge.test_smtp import EdgeTestCase
from tests.message.test_arrival import Kept


class ReadingTests(EdgeTestCase):
    """
    Tests of bodies that are read while they arrive.
    """

    def test_as_it_arrives(self):
        """
        What reads for the checks has the body as it will be judged, by the time of the dot, and the
        message leads to it; dots for the wire and what follows are not in it.
        """
        judged = []
        judge = ScriptedPipeline.message

        def noted(pipeline, message):
            judged.append(message)
            return judge(pipeline, message)

        self.patch(ScriptedPipeline, "message", noted)
        for lines in ("Hello\n", "..dot\n", "Hello\n" * 60_000):
            edge = self.edge()
            readers = []
            edge.pipeline.reading = lambda section, to=readers: to.append(Kept(section)) or to[-1]
            edge.ready_for_data()
            edge.say("Subject: x\n\n")
            edge.say(f"{lines}.\nNOOP\n")
            (reader,) = readers
            self.assertEqual(reader.section, b"Subject: x\r\n\r\n")
            body = lines.replace("\n", "\r\n").replace("..", ".").encode()
            self.assertEqual((reader.body, reader.ends), (body, 1))
            self.assertIs(judged[-1].reading, reader)

    def test_mended(self):
        """
        Of a listener that mends line ends it is the mended body that is read.
        """
        readers = []
        edge = self.edge(listener={"bare_newline": "normalize"})
        edge.pipeline.reading = lambda section: readers.append(Kept(section)) or readers[-1]
        edge.ready_for_data()
        edge.say(b"Subject: x\n\none\ntwo\rthree\n\r\n.\r\n")
        self.assertEqual(readers[0].body, b"one\r\ntwo\r\nthree\r\n\r\n")

    def test_nobody(self):
        """
        Where no check asks for it nothing is read.
        """
        edge = self.edge()
        edge.ready_for_data()
        with patch("mailgate.message.arrival.Arrival.feed", None):
            self.assertEqual(edge.say("Subject: x\n\nHello\n.\n"), "250 2.0.0 accepted\r\n")
