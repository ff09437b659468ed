"""
Tests of L{mailgate.store.backup}.
"""

import gzip
import io
import json
import tarfile
from stat import S_IMODE

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.store.backup import (
    CHECKSUMS,
    DESCRIPTION,
    BadBackup,
    Member,
    blob_name,
    pack,
    unpack,
)
from mailgate.store.files import Files
from tests.storage import temporary_folder

IDENTITY = "0123456789abcdef0123456789abcdef"
BLOB = blob_name(IDENTITY)


def packed(*members, **description):
    """
    Make a backup.
    """
    output = io.BytesIO()
    pack(output, description, members)
    return output.getvalue()


def repacked(data, change):
    """
    Change the members of a backup: C{change} gets and gives a list of (info, content).
    """
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = [(info, archive.extractfile(info).read()) for info in archive]
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w:gz") as archive:
        for info, content in change(members):
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return output.getvalue()


class BackupTests(SynchronousTestCase):
    """
    Tests of L{pack} and L{unpack}.
    """

    def setUp(self):
        """
        Make a folder.
        """
        self.folder = temporary_folder(self)

    def unpack(self, data):
        """
        Read a backup.
        """
        return unpack(io.BytesIO(data), self.folder, Files())

    def refuse(self, data, words):
        """
        See that something is refused.
        """
        self.assertRegex(str(self.assertRaises(BadBackup, self.unpack, data)), words)

    def test_same(self):
        """
        What is written is read: small and large, from memory and from files. Only the owner can
        read it.
        """
        file = self.folder / "source"
        file.write_bytes(b"x" * 3_000_000)
        data = packed(Member("state.db", file), Member(BLOB, b"Hi\r\n"), made=7)
        description = self.unpack(data)
        self.assertEqual(description["made"], 7)
        self.assertEqual((self.folder / "state.db").read_bytes(), file.read_bytes())
        blob = self.folder / BLOB
        self.assertEqual(blob.read_bytes(), b"Hi\r\n")
        self.assertEqual(S_IMODE(blob.stat().st_mode), 0o600)
        self.assertEqual(S_IMODE(blob.parent.stat().st_mode), 0o700)

    def test_other_programs(self):
        """
        It is a tar like any other, with the description at its beginning.
        """
        with tarfile.open(fileobj=io.BytesIO(packed(Member(BLOB, b"Hi")))) as archive:
            names = archive.getnames()
        self.assertEqual(names, [DESCRIPTION, BLOB, CHECKSUMS])

    def test_no_backup(self):
        """
        Something else is refused in words: nothing, a text, another tar, another format.
        """
        other = io.BytesIO()
        with tarfile.open(fileobj=other, mode="w:gz") as archive:
            archive.addfile(tarfile.TarInfo("etc/passwd"))
        self.refuse(b"", "cut off")
        self.refuse(b"hello", "no backup")
        self.refuse(gzip.compress(b"hello"), "no backup|cut off")
        self.refuse(other.getvalue(), "no backup of mailgate")

        def later(members):
            info, content = members[0]
            about = json.loads(content) | {"format": 99}
            return [(info, json.dumps(about).encode()), *members[1:]]

        self.refuse(repacked(packed(), later), "format 99")
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_places(self):
        """
        A member that leads elsewhere is refused, and so is what is no plain file.
        """

        def named(name, **more):
            def change(members):
                info = tarfile.TarInfo(name)
                for key, value in more.items():
                    setattr(info, key, value)
                return [members[0], (info, b""), *members[1:]]

            return repacked(packed(), change)

        for name in (
            "../state.db",
            "/etc/passwd",
            "blobs/../../x",
            "blobs/01/../../../x",
            f"blobs/ff/{IDENTITY}",
            f"blobs/01/{IDENTITY}/x",
            f"{BLOB}\n",
            "state.db-wal",
            "lock",
            "control",
            "tls/other.pem",
        ):
            self.refuse(named(name), "none of a backup's files")
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE):
            self.refuse(named("state.db", type=kind, linkname="/etc/passwd"), "none of a backup's")
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_twice(self):
        """
        A member that is there twice is refused.
        """
        data = packed(Member("state.db", b"one"))
        self.refuse(repacked(data, lambda ms: [*ms[:2], ms[1], ms[2]]), "twice")

    def test_changed(self):
        """
        A member that was changed, is missing or was added is named.
        """
        data = packed(Member("state.db", b"one"), Member("accounts", b"two"))

        def changed(members):
            return [*members[:1], (members[1][0], b"One"), *members[2:]]

        self.refuse(repacked(data, changed), "checksum of 'state.db' is wrong")
        self.setUp()
        self.refuse(repacked(data, lambda ms: [*ms[:2], ms[3]]), "'accounts'")
        self.setUp()
        added = tarfile.TarInfo(BLOB)
        self.refuse(repacked(data, lambda ms: [*ms[:3], (added, b""), ms[3]]), BLOB)
        self.setUp()
        behind = repacked(data, lambda ms: [*ms, (added, b"")])
        self.refuse(behind, "behind its end")

    @given(st.data())
    def test_cut_off(self, data):
        """
        Wherever it is cut off, it is refused.
        """
        whole = packed(Member("state.db", b"one" * 1000), Member(BLOB, b"two"))
        cut = data.draw(st.integers(0, len(whole) - 1))
        self.folder = temporary_folder(self)
        self.refuse(whole[:cut], "cut off|no backup")

    @given(st.data())
    def test_spoilt(self, data):
        """
        A byte that was spoilt changes nothing of what is read, or it is refused.
        """
        whole = bytearray(packed(Member("state.db", b"one" * 1000), Member(BLOB, b"two")))
        # The first ten bytes are of gzip, which looks at some of them only.
        at = data.draw(st.integers(10, len(whole) - 1))
        whole[at] ^= data.draw(st.integers(1, 255))
        self.folder = temporary_folder(self)
        try:
            self.unpack(bytes(whole))
        except BadBackup:
            return
        # Some bits mean nothing.
        self.assertEqual((self.folder / "state.db").read_bytes(), b"one" * 1000)
        self.assertEqual((self.folder / BLOB).read_bytes(), b"two")
