"""
Tests of L{mailgate.commands.processes}.
"""

import os
from itertools import islice

from twisted.trial.unittest import SynchronousTestCase

from mailgate.commands.processes import Processes


def crashed(path):
    """
    Give the result for a file whose process is gone.
    """
    return ("crashed", path)


class Worker:
    """
    Says who worked on what; some files are too much for it.
    """

    def __init__(self, secret):
        self.secret = secret

    def __call__(self, paths):
        """
        Work on files.
        """
        return [self.work(path) for path in paths]

    def work(self, path):
        """
        Work on a file.
        """
        if path.startswith("bomb"):
            os._exit(1)
        if path.startswith("mistake"):
            raise KeyError(path)
        return (self.secret(), path, os.getpid())


class ProcessesTests(SynchronousTestCase):
    """
    Tests of L{Processes}.
    """

    def run_all(self, paths, number=2):
        """
        Work on files.
        """
        return list(Processes(Worker(lambda: 7), number, crashed).run(paths))

    def test_order(self):
        """
        The results come in the order of the files, from several processes, none of them this one,
        which hold what cannot be sent to them.
        """
        paths = [f"file{number}" for number in range(200)]
        results = self.run_all(paths)
        self.assertEqual([path for _, path, _ in results], paths)
        self.assertEqual({secret for secret, _, _ in results}, {7})
        self.assertNotIn(os.getpid(), {process for _, _, process in results})
        self.assertLessEqual(len({process for _, _, process in results}), 2)

    def test_nothing(self):
        """
        No files, no results.
        """
        self.assertEqual(self.run_all([]), [])

    def test_crash(self):
        """
        A file that ends its process is told as such; every other one has its result.
        """
        paths = [f"file{number}" for number in range(150)]
        paths[3] = paths[70] = paths[149] = "bomb"
        results = self.run_all(paths)
        self.assertEqual([result[1] for result in results], paths)
        self.assertEqual(
            [number for number, result in enumerate(results) if result[0] == "crashed"],
            [3, 70, 149],
        )

    def test_mistake(self):
        """
        What the work raises comes out here.
        """
        self.assertRaises(KeyError, self.run_all, ["file", "mistake"])

    def test_bounded(self):
        """
        Only so many files are under way as the processes need.
        """
        asked = []

        def paths():
            for number in range(100_000):
                asked.append(number)
                yield f"file{number}"

        results = Processes(Worker(lambda: 7), 2, crashed).run(paths())
        list(islice(results, 10))
        results.close()
        self.assertLess(len(asked), 200)
