"""
Tests of L{mailgate.hub.storage}.
"""

from twisted.trial.unittest import SynchronousTestCase

from mailgate.hub.lock import InUse
from mailgate.hub.storage import open_for_command
from mailgate.store.database import StoreError
from mailgate.store.files import Files
from mailgate.store.threads import immediate_result
from tests.pipeline.events import events
from tests.storage import ENVELOPE, hold, make_settings, make_storage, message, temporary_folder


class OpenTests(SynchronousTestCase):
    """
    Tests of opening.
    """

    def test_new(self):
        """
        A folder that is not there is made, for its owner alone.
        """
        data = temporary_folder(self) / "var" / "data"
        make_storage(self, data)
        self.assertEqual(data.stat().st_mode & 0o777, 0o700)
        self.assertTrue((data / "spool").is_dir())
        self.assertTrue((data / "state.db").is_file())

    def test_in_use(self):
        """
        A folder that is in use is refused, also to commands; afterwards it is free.
        """
        storage = make_storage(self)
        settings = storage.settings
        self.assertRaises(InUse, open_for_command, settings, Files())
        self.successResultOf(storage.close())
        immediate_result(open_for_command(settings, Files()).close())
        self.successResultOf(storage.open())

    def test_failed(self):
        """
        Where the database cannot be opened, the lock is given back.
        """
        data = temporary_folder(self)
        (data / "state.db").write_bytes(b"no database at all" * 100)
        settings = make_settings(data)
        self.assertRaises(StoreError, open_for_command, settings, Files())
        (data / "state.db").unlink()
        immediate_result(open_for_command(settings, Files()).close())


class SweepTests(SynchronousTestCase):
    """
    Tests of what a crash has left.
    """

    def test_sweep(self):
        """
        Spool files and files without a row go, with an event; what has a row stays.
        """
        storage = make_storage(self)
        quarantine = storage.quarantine(lambda: None)
        (kept,) = self.successResultOf(quarantine.hold(ENVELOPE, message(), (hold(),), False))
        (storage.spool / "left").write_bytes(b"half a message")
        held = self.successResultOf(quarantine.get(kept))
        storage.blobs.path(held.message.id).with_suffix(".new").write_bytes(b"no row")
        with events() as told:
            self.successResultOf(storage.sweep())
        self.assertEqual([(e["event"], e["number"]) for e in told], [("store.swept", 2)])
        self.assertEqual(list(storage.spool.iterdir()), [])
        self.assertIsNotNone(self.successResultOf(quarantine.open(kept)))

    def test_missing(self):
        """
        A row whose file is gone is an event.
        """
        storage = make_storage(self)
        quarantine = storage.quarantine(lambda: None)
        (identity,) = self.successResultOf(quarantine.hold(ENVELOPE, message(), (hold(),), False))
        held = self.successResultOf(quarantine.get(identity))
        storage.blobs.path(held.message.id).unlink()
        with events() as told:
            self.successResultOf(storage.sweep())
        missing = [("store.missing", held.message.id)]
        self.assertEqual([(e["event"], e["id"]) for e in told], missing)
        self.failureResultOf(quarantine.open(identity), OSError)
