"""
What every L{mailgate.interfaces.IThreads} promises.
"""

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.python.threadpool import ThreadPool
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from mailgate.interfaces import IThreads
from mailgate.store.threads import ImmediateThreads, Threads


def threads_contract(make):
    """
    Make the test case for an implementation.

    @param make: makes one for a test.
    """

    class ThreadsContract(TestCase):
        def setUp(self):
            self.threads = make(self)

        def test_interface(self):
            """
            It has all methods.
            """
            verifyObject(IThreads, self.threads)

        def test_result(self):
            """
            The function gets its arguments, and its result is the Deferred's.
            """
            done = self.threads.run(divmod, 7, 3)
            self.assertIsInstance(done, Deferred)
            return done.addCallback(self.assertEqual, (2, 1))

        def test_failure(self):
            """
            What the function raises fails the Deferred.
            """
            return self.assertFailure(self.threads.run(int, "x"), ValueError)

    return ThreadsContract


def pool_of_one(test):
    """
    Make threads with a pool that ends with the test.
    """
    pool = ThreadPool(0, 1)
    pool.start()
    test.addCleanup(pool.stop)
    return Threads(reactor, pool)


class ThreadsTests(threads_contract(pool_of_one)):
    """
    The threads of a pool.
    """


class ImmediateThreadsTests(threads_contract(lambda test: ImmediateThreads())):
    """
    No threads at all.
    """
