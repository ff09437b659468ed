"""
Tests of the files in C{etc/} that other programs read: units of systemd, rules of logrotate.
"""

import re
import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.gateway import needs

ETC = Path(__file__).parent.parent / "etc"
SERVICE = ETC / "systemd" / "mailgate.service"
SOCKET = ETC / "systemd" / "mailgate.socket"

EXPOSURE = 1.5
"""What "systemd-analyze security" may give at most: 10 is a service without any limits."""


def lines(path):
    """
    Give what counts in a unit: lists of values by their names.
    """
    found = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", path.read_text("utf-8"), re.MULTILINE):
        found.setdefault(name, []).append(value)
    return found


class UnitTests(SynchronousTestCase):
    """
    Tests of the units.
    """

    def test_verify(self):
        """
        There is nothing to say against the units, but that the program is elsewhere here.
        """
        (analyze,) = needs(self, "systemd-analyze")
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        for unit in (SERVICE, SOCKET):
            text = re.sub(r"/opt/mailgate/bin/\w+", "/bin/true", unit.read_text("utf-8"))
            (folder / unit.name).write_text(text, "utf-8")
        done = subprocess.run(
            [analyze, "verify", *sorted(folder.iterdir())], capture_output=True, text=True
        )
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_security(self):
        """
        The service is closed off.
        """
        (analyze,) = needs(self, "systemd-analyze")
        done = subprocess.run(
            [analyze, "security", "--offline=1", "--no-pager", SERVICE],
            capture_output=True,
            text=True,
        )
        found = re.search(r"Overall exposure level for mailgate.service: ([\d.]+)", done.stdout)
        self.assertLessEqual(float(found[1]), EXPOSURE)

    def test_programs(self):
        """
        What the service starts is what there is, on the same configuration.
        """
        unit = lines(SERVICE)
        (start,), (reload,) = unit["ExecStart"], unit["ExecReload"]
        self.assertRegex(start, r"/bin/twistd -n --pidfile= mailgate --config (\S+)$")
        self.assertRegex(reload, r"/bin/mailgate reload --config (\S+)$")
        self.assertEqual(start.split()[-1], reload.split()[-1])
        self.assertEqual((unit["Type"], unit["KillMode"]), (["notify"], ["mixed"]))

    def test_sockets(self):
        """
        The socket unit listens where the sample of the configuration does, for each kind of
        address alone.
        """
        unit = lines(SOCKET)
        sample = (ETC / "mailgate.toml").read_text("utf-8")
        self.assertIn(
            re.search(r'^address = "(.*)"', sample, re.MULTILINE)[1], unit["ListenStream"]
        )
        self.assertEqual(unit["BindIPv6Only"], ["ipv6-only"])
