"""
Tests of L{mailgate.tap}.
"""

import os
import pwd
from pathlib import Path

from twisted.application.service import Application as TwistdApplication
from twisted.application.service import IServiceCollection, Service
from twisted.logger import ILogObserver
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from mailgate.config import load as loading
from mailgate.config.model import LogFormat
from mailgate.reporting.events import EventLog
from mailgate.tap import LOG, STDOUT, Application, Options
from tests.commands.case import CONFIG, make_config


class OptionsTests(SynchronousTestCase):
    """
    Tests of L{Options}.
    """

    def setUp(self):
        """
        Write a configuration.
        """
        self.config = make_config(self)

    def settings(self, *words):
        """
        Give what a command line leads to.
        """
        options = Options()
        options.parseOptions(words)
        return options["settings"]

    def test_named(self):
        """
        The configuration that is named is read.
        """
        settings = self.settings("--config", str(self.config))
        self.assertEqual(settings.data, self.config.parent / "data")

    def test_default(self):
        """
        Without a name it is that which the command C{mailgate} takes: of the quick start if it
        is there, else the installed one.
        """
        missing = self.config.with_name("missing.toml")
        for quickstart, installed in ((self.config, missing), (missing, self.config)):
            self.patch(loading, "QUICKSTART", quickstart)
            self.patch(loading, "INSTALLED", installed)
            self.assertEqual(self.settings().data, self.config.parent / "data")

    def options(self, **twistd):
        """
        Give the options as a part of those of twistd.
        """
        options = Options()
        usual = {"nodaemon": True, "debug": False, "logger": None, "syslog": False, "logfile": None}
        options.parent = {**usual, "uid": None, "gid": None, **twistd}
        options.parseOptions(["--config", str(self.config)])
        return options

    def test_log(self):
        """
        Events go where twistd was told, or where it would put them; where it was told to leave them
        to others, these get them.
        """
        for twistd, to in (
            ({}, STDOUT),
            ({"logfile": "-"}, STDOUT),
            ({"logfile": "events.log"}, Path("events.log").absolute()),
            ({"nodaemon": False}, Path(LOG).absolute()),
            ({"nodaemon": False, "debug": True}, STDOUT),
            ({"nodaemon": False, "logfile": "/var/log/x"}, Path("/var/log/x")),
            ({"syslog": True}, None),
            ({"logger": print}, None),
        ):
            self.assertEqual(self.options(**twistd)["log"], to, twistd)
        self.assertRaises(UsageError, self.options, nodaemon=False, logfile="-")

    def test_owner(self):
        """
        What is made before twistd becomes somebody else belongs to whom it becomes.
        """
        user = pwd.getpwnam("nobody")
        self.patch(os, "geteuid", lambda: 0)
        for uid, gid, owner in (
            (None, None, (-1, -1)),
            (user.pw_uid, None, (user.pw_uid, user.pw_gid)),
            (user.pw_uid, 7, (user.pw_uid, 7)),
            (4_000_000, 7, (4_000_000, 7)),
            (None, 7, (-1, 7)),
        ):
            self.assertEqual(self.options(uid=uid, gid=gid)["owner"], owner)
        error = self.assertRaises(UsageError, self.options, uid=4_000_000)
        self.assertIn("--gid", str(error))
        self.patch(os, "geteuid", lambda: 1000)
        self.assertEqual(self.options(uid=user.pw_uid)["owner"], (-1, -1))

    def test_mistakes(self):
        """
        All mistakes are told.
        """
        self.config.write_text(f"{CONFIG}\n[limit]\n[tlss]\n")
        error = self.assertRaises(UsageError, self.settings, "--config", str(self.config))
        self.assertIn("[limit]", str(error))
        self.assertIn("[tlss]", str(error))

    def test_help(self):
        """
        The help names both places.
        """
        text = str(Options())
        self.assertIn("etc/quickstart.toml", text)
        self.assertIn("/etc/mailgate/mailgate.toml", text)


class ApplicationTests(SynchronousTestCase):
    """
    Tests of L{Application}.
    """

    def test_events(self):
        """
        Where twistd looks who takes the events, it finds the log; the gateway is a part of it.
        """
        events = EventLog(LogFormat.TEXT, STDOUT)
        gateway = Service()
        twistd = TwistdApplication("mailgate")
        made = Application(gateway, events)
        made.setServiceParent(twistd)
        self.assertIs(twistd.getComponent(ILogObserver), events)
        self.assertEqual(list(IServiceCollection(twistd)), [made])
        self.assertEqual(list(made), [gateway])
