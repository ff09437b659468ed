"""
Tests of L{mailgate.net.dns.cache}.
"""

import tracemalloc
from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.net.dns.cache import Cache
from mailgate.wire.dns.answer import NODATA, MailExchange, Records

LIMIT = 256 * 1024


class CacheTests(SynchronousTestCase):
    """
    Tests of what is remembered.
    """

    def test_time(self):
        """
        An answer is known until its time is over, and a newer one takes its place.
        """
        cache = Cache(LIMIT)
        key = ("example.com", 1)
        cache.put(key, NODATA, 10.0)
        self.assertIs(cache.get(key, 9.9), NODATA)
        self.assertIsNone(cache.get(key, 10.0))
        self.assertEqual((len(cache), cache.size), (0, 0))
        cache.put(key, NODATA, 10.0)
        answer = Records((b"x",))
        cache.put(key, answer, 20.0)
        self.assertIs(cache.get(key, 15), answer)
        self.assertEqual(len(cache), 1)

    def test_forget(self):
        """
        What is known of a zone can be forgotten: all names in it, and no others.
        """
        cache = Cache(LIMIT)
        names = ("bl.example", "a.bl.example", "1.2.bl.example")
        others = ("example", "xbl.example", "bl.example.org", "a.bl.example.org")
        for name in (*names, *others):
            cache.put((name, 1), NODATA, 10)
            cache.put((name, 16), NODATA, 10)
        cache.forget("bl.example")
        known = [name for name in (*names, *others) if cache.get((name, 16), 0)]
        self.assertEqual(known, list(others))
        self.assertEqual(len(cache), 2 * len(others))
        for name in others:
            cache.forget(name)
        self.assertEqual(cache.size, 0)

    def test_too_large(self):
        """
        What is larger than all of the memory drives nothing else out.
        """
        cache = Cache(LIMIT)
        cache.put(("a", 1), NODATA, 10)
        cache.put(("b", 16), Records((b"x" * LIMIT,)), 10)
        self.assertEqual(len(cache), 1)

    @given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 100_000)), max_size=60))
    def test_size(self, puts):
        """
        The size is the sum of all, and never above the limit; what was used last is there.
        """
        cache = Cache(LIMIT)
        for name, size in puts:
            key = (str(name), 16)
            cache.put(key, Records((b"x" * size,)), 1)
            self.assertLessEqual(cache.size, LIMIT)
            self.assertIsNotNone(cache.get(key, 0))
        for name in range(21):
            cache.get((str(name), 16), 2)
        self.assertEqual((len(cache), cache.size), (0, 0))

    def test_memory(self):
        """
        What it is said to take is about what it takes, whatever the answers are.
        """
        kinds = {
            "addresses": lambda n: Records(tuple(IPv4Address(n * 4 + each) for each in range(4))),
            "long addresses": lambda n: Records((IPv6Address(2**120 + n),)),
            "exchanges": lambda n: Records((MailExchange(10, f"mx{n}.example.com"),)),
            "texts": lambda n: Records((b"%d" % n * 50, b"%d" % n)),
            "nothing": lambda n: NODATA,
        }
        for kind, make in kinds.items():
            tracemalloc.start()
            try:
                cache = Cache(10**9)
                before, _ = tracemalloc.get_traced_memory()
                for number in range(5000):
                    cache.put((f"{number}.long.name.example.com", 1), make(number), 1.0 + number)
                after, _ = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            ratio = (after - before) / cache.size
            self.assertLess(ratio, 1.05, kind)
            self.assertGreater(ratio, 0.5, kind)
