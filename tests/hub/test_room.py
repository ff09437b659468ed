"""
Tests of L{mailgate.hub.room}.
"""

from twisted.trial.unittest import SynchronousTestCase

from mailgate.hub.room import Room
from mailgate.store.threads import ImmediateThreads
from tests.pipeline.events import events
from tests.storage import temporary_folder


class RoomTests(SynchronousTestCase):
    """
    Tests of L{Room}.
    """

    def test_room(self):
        """
        There is room as long as no less is free than is wanted; a change is an event.
        """
        folder = temporary_folder(self)
        free = [0]
        room = Room(folder, 1000, ImmediateThreads())
        room._free = lambda: free[0]
        for bytes_free, is_enough, told_now in (
            (1000, True, []),
            (999, False, ["disk.full"]),
            (0, False, []),
            (5000, True, ["disk.room"]),
        ):
            free[0] = bytes_free
            with events() as told:
                self.successResultOf(room.look())
            self.assertEqual(room.is_enough, is_enough)
            self.assertEqual([event["event"] for event in told], told_now)

    def test_real_disk(self):
        """
        The disk is really looked at.
        """
        folder = temporary_folder(self)
        for minimum, is_enough in ((1, True), (1 << 60, False)):
            room = Room(folder, minimum, ImmediateThreads())
            self.successResultOf(room.look())
            self.assertEqual(room.is_enough, is_enough)
