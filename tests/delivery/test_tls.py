"""
Tests of L{mailgate.delivery.tls}. What it refuses is in C{test_accounts.py}.
"""

from twisted.trial.unittest import SynchronousTestCase

from mailgate.delivery.tls import verified_tls
from tests.delivery.secure import HOST
from tests.storage import temporary_folder


class VerifiedTlsTests(SynchronousTestCase):
    """
    Tests of the file of authorities.
    """

    def test_not_there(self):
        """
        A file that is not there is never taken for "trust the system".
        """
        path = temporary_folder(self) / "authority.pem"
        self.assertRaises(OSError, verified_tls, HOST, path)

    def test_empty(self):
        """
        Nor is one without a certificate.
        """
        path = temporary_folder(self) / "authority.pem"
        path.write_bytes(b"")
        self.assertRaises(ValueError, verified_tls, HOST, path)
