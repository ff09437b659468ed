"""
Tests of L{mailgate.hub.certificates}.
"""

from datetime import UTC, datetime
from pathlib import Path

from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config.model import CertificateFiles
from mailgate.hub.certificates import DAY, CertificateWatch
from mailgate.store.threads import ImmediateThreads
from tests.certificates import issue


class CertificateWatchTests(SynchronousTestCase):
    """
    Tests of what is told of certificates.
    """

    def setUp(self):
        """
        Make a folder and a clock.
        """
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.now = datetime.now(UTC).timestamp()
        self.files = []
        self.watch = CertificateWatch(lambda: self.files, lambda: self.now, ImmediateThreads())

    def write(self, name, issued):
        """
        Write a certificate to be watched.
        """
        certificate, key = issued.write(self.folder, name)
        self.files.append(CertificateFiles(certificate=certificate, key=key))
        return str(certificate)

    def look(self):
        """
        Give what is told: level, event, file, why.
        """
        with capturedLogs() as events:
            self.successResultOf(self.watch.look())
        return [(e["log_level"], e["event"], e["file"], e["why"]) for e in events]

    def test_good(self):
        """
        Of certificates that hold nothing is told.
        """
        self.write("good", issue("good", days=60))
        self.assertEqual(self.look(), [])

    def test_life(self):
        """
        A certificate is told of each day for its last 30 days, and when it has ended, as long as it
        lies there.
        """
        file = self.write("x", issue("x", begins=-300, days=31.5))
        self.assertEqual(self.look(), [])
        self.now += 2 * DAY
        ((level, event, path, why),) = self.look()
        self.assertEqual((level, event, path), (LogLevel.warn, "tls.ends_soon", file))
        self.assertIn("in 29 days", why)
        self.now += DAY
        self.assertIn("in 28 days", self.look()[0][3])
        self.now += 30 * DAY
        ((level, event, path, why),) = self.look()
        self.assertEqual((level, event, path), (LogLevel.error, "tls.does_not_hold", file))
        self.assertIn("ended on", why)
        issue("x", days=90 + 31).write(self.folder, "x")
        self.assertEqual(self.look(), [])

    def test_others(self):
        """
        One that does not hold yet, one whose issuer is not known and one that cannot be used are
        told of, each as what it is.
        """
        young = self.write("young", issue("young", begins=1, days=90))
        lonely = self.write("lonely", issue("lonely", issuer=issue("authority"), days=60))
        broken = self.write("broken", issue("broken"))
        Path(broken).unlink()
        self.assertEqual(
            [(level, event, file) for level, event, file, _ in self.look()],
            [
                (LogLevel.error, "tls.does_not_hold", young),
                (LogLevel.warn, "tls.incomplete", lonely),
                (LogLevel.error, "tls.unusable", broken),
            ],
        )
