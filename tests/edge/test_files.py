"""
Tests of L{mailgate.edge.files}.
"""

import resource

from twisted.trial.unittest import SynchronousTestCase

from mailgate.edge.files import RESERVED, WANTED, raise_file_limit

INFINITY = resource.RLIM_INFINITY


class FileLimitTests(SynchronousTestCase):
    """
    Tests of the limit of open files.
    """

    def raised(self, soft, hard):
        """
        Raise the limit from C{soft}.

        @return: the possible sessions, and what was set.
        """
        was_set = []
        self.patch(resource, "getrlimit", lambda which: (soft, hard))
        self.patch(resource, "setrlimit", lambda which, limits: was_set.append(limits))
        return raise_file_limit(), was_set

    def test_raised(self):
        """
        The limit is raised as far as is allowed, but no further than is of use.
        """
        self.assertEqual(self.raised(1024, 4096), ((4096 - RESERVED) // 2, [(4096, 4096)]))
        many = (WANTED - RESERVED) // 2
        self.assertEqual(self.raised(1024, 1_000_000), (many, [(WANTED, 1_000_000)]))
        self.assertEqual(self.raised(1024, INFINITY), (many, [(WANTED, INFINITY)]))

    def test_never_lowered(self):
        """
        A limit that is high already stays.
        """
        self.assertEqual(self.raised(100_000, 100_000), ((100_000 - RESERVED) // 2, []))
        self.assertEqual(self.raised(INFINITY, INFINITY), ((WANTED - RESERVED) // 2, []))

    def test_small(self):
        """
        However small the limit is, one session is tried.
        """
        self.assertEqual(self.raised(64, 64), (1, []))

    def test_real(self):
        """
        The limit of this process can be raised to what it may be.
        """
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1024), hard))
        possible = raise_file_limit()
        now, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.assertGreaterEqual(now, min(1024, soft))
        self.assertEqual(possible, max(1, (now - RESERVED) // 2))
