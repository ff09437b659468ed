"""
Tests with mail servers that hand on to the gateway what they have queued.

Debian's exclude each other, so they are only unpacked.
"""

import os
import shutil
from pathlib import Path

from tests.end_to_end.matrix import RECIPIENT, SENDER, ClientTestCase
from tests.end_to_end.root import POSTFIX_QUEUE, Root, make_queue, sasl_plugins, unpacked


class RelayingTestCase(ClientTestCase):
    """
    A program in a root folder of its own takes a message from its sendmail and relays it.
    """

    def root(self, package, *programs):
        """
        Make a root folder for a package.
        """
        folder = unpacked(self, package)
        root = Root(Path(self.mktemp()).absolute(), folder, *programs)
        self.addCleanup(shutil.rmtree, root.folder)
        self.addCleanup(root.stop)
        return root

    def sendmail(self, root, target, *options):
        """
        Give a message to its sendmail.
        """
        command = root.command("/usr/sbin/sendmail", *options, "-i", "-f", SENDER, RECIPIENT)
        self.run_client(*command, input=target.content)

    def relay(self, root, target, server, *queues, ready=None):
        """
        Run a server until it has handed a message on.

        @param queues: folders without a file when it has, in the order of a message's way.
        @param ready: a command that succeeds once sendmail can connect, where it does.
        """
        root.start(*server)
        if ready:
            self.eventually(lambda: root.succeeds(*ready), "it does not start")
        self.sendmail(root, target)
        try:
            self.eventually(lambda: not root.files(*queues), "it is not handed on")
        except self.failureException as error:
            raise self.failureException(root.said()) from error
        root.stop()


class MailServerTests(RelayingTestCase):
    """
    Whole mail servers.
    """

    def test_postfix(self):
        """
        Postfix.
        """
        daemons = ("master", "pickup", "cleanup", "qmgr", "trivial-rewrite", "smtp", "bounce")
        root = self.root(
            "postfix",
            "/usr/sbin/sendmail",
            "/usr/sbin/postdrop",
            *(f"/usr/lib/postfix/sbin/{daemon}" for daemon in (*daemons, "tlsmgr", "postlogd")),
        )
        root.copy(*sasl_plugins(self))
        make_queue(root)
        root.write(
            "etc/postfix/master.cf",
            "pickup unix n - n 60 1 pickup\n"
            "cleanup unix n - n - 0 cleanup\n"
            "qmgr unix n - n 300 1 qmgr\n"
            "tlsmgr unix - - n 1000? 1 tlsmgr\n"
            "rewrite unix - - n - - trivial-rewrite\n"
            "bounce unix - - n - 0 bounce\n"
            "defer unix - - n - 0 bounce\n"
            "smtp unix - - n - - smtp\n"
            "postlog unix-dgram n - n - 1 postlogd\n",
        )

        def deliver(target):
            server = f"[{target.host}]:{target.port}"
            secret = f"{target.user}:{target.password}"
            login = (
                "smtp_sasl_auth_enable = yes\n"
                f"smtp_sasl_password_maps = inline:{{ {{ {server} = {secret} }} }}\n"
                "smtp_sasl_security_options = noanonymous\n"
            )
            root.write(
                "etc/postfix/main.cf",
                "compatibility_level = 3.7\n"
                "myhostname = client.example.org\n"
                "mydestination =\n"
                "inet_interfaces = 127.0.0.1\n"
                "inet_protocols = ipv4\n"
                "alias_maps =\n"
                "maillog_file = /var/log/postfix.log\n"
                f"relayhost = {server}\n"
                f"smtp_tls_security_level = {'verify' if target.tls else 'none'}\n"
                f"smtp_tls_wrappermode = {'yes' if target.tls == 'implicit' else 'no'}\n"
                "smtp_tls_verify_cert_match = localhost\n"
                "smtp_tls_CAfile = /etc/certificate.pem\n"
                f"{login if target.user else ''}",
            )
            root.write("etc/certificate.pem", target.certificate.read_text())
            queues = [
                f"{POSTFIX_QUEUE}/{name}" for name in ("maildrop", "incoming", "active", "deferred")
            ]
            self.relay(root, target, ["/usr/lib/postfix/sbin/master", "-d"], *queues)

        self.each_mode(deliver)

    def test_exim(self):
        """
        Exim.
        """
        root = self.root("exim4-daemon-light", "/usr/sbin/exim4")
        root.make_folder("var/spool/exim4", "Debian-exim")
        root.make_folder("var/log", "Debian-exim")

        def deliver(target):
            tls = "hosts_require_tls = *\n  tls_verify_hosts = *\n"
            login = (
                "  hosts_require_auth = *\n"
                "begin authenticators\n"
                "login:\n"
                "  driver = plaintext\n"
                "  public_name = PLAIN\n"
                f"  client_send = ^{target.user}^{target.password}\n"
            )
            root.write(
                "etc/exim.conf",
                "primary_hostname = client.example.org\n"
                "spool_directory = /var/spool/exim4\n"
                "log_file_path = /var/log/exim-%slog\n"
                "keep_environment =\n"
                "begin routers\n"
                "gateway:\n"
                "  driver = manualroute\n"
                "  transport = gateway\n"
                f"  route_list = * {target.host}\n"
                "  self = send\n"
                "begin transports\n"
                "gateway:\n"
                "  driver = smtp\n"
                f"  port = {target.port}\n"
                "  allow_localhost\n"
                "  tls_verify_certificates = /etc/certificate.pem\n"
                "  tls_verify_cert_hostnames = :\n"
                f"  protocol = {'smtps' if target.tls == 'implicit' else 'smtp'}\n"
                f"  {tls if target.tls else 'hosts_avoid_tls = *'}\n"
                f"{login if target.user else ''}",
            )
            root.write("etc/certificate.pem", target.certificate.read_text())
            exim = ["/usr/sbin/exim4", "-C", "/etc/exim.conf", "-odf", "-oi", "-f", SENDER]
            self.run_client(*root.command(*exim, RECIPIENT), input=target.content)
            self.assertEqual(root.files("var/spool/exim4/input"), [], root.said())

        self.each_mode(deliver)

    def test_opensmtpd(self):
        """
        OpenSMTPD.
        """
        root = self.root("opensmtpd", "/usr/sbin/smtpd", "/usr/sbin/smtpctl")
        root.set_group("usr/sbin/smtpctl", "opensmtpq")

        def deliver(target):
            scheme = {"": "smtp+notls", "starttls": "smtp+tls", "implicit": "smtps"}[target.tls]
            url = f"{scheme}://{'us@' if target.user else ''}{target.host}:{target.port}"
            root.write(
                "etc/smtpd.conf",
                f'table secrets {{ "us" = "{target.user}:{target.password}" }}\n'
                "listen on socket\n"
                f'action "gateway" relay host "{url}" helo client.example.org'
                f"{' auth <secrets>' if target.user else ''}\n"
                'match from any for any action "gateway"\n',
            )
            root.write("etc/ssl/cert.pem", target.certificate.read_text())
            root.write("etc/ssl/certs/ca-certificates.crt", target.certificate.read_text())
            self.relay(
                root,
                target,
                ["/usr/sbin/smtpd", "-d", "-v", "-f", "/etc/smtpd.conf"],
                "var/spool/smtpd/queue",
                ready=["/usr/sbin/smtpctl", "show", "status"],
            )

        self.each_mode(deliver)


class RelayTests(RelayingTestCase):
    """
    Small programs that do nothing but relay.
    """

    def test_dma(self):
        """
        The DragonFly Mail Agent.
        """
        root = self.root("dma", "/usr/sbin/dma")
        root.set_group("usr/sbin/dma", "mail")
        root.make_folder("var/spool/dma", "root", "mail", 0o2775)

        def deliver(target):
            tls = {"": "", "starttls": "SECURETRANSFER\nSTARTTLS\n", "implicit": "SECURETRANSFER\n"}
            root.write(
                "etc/dma/dma.conf",
                f"SMARTHOST {target.host}\n"
                f"PORT {target.port}\n"
                "AUTHPATH /etc/dma/auth.conf\n"
                f"{tls[target.tls]}",
            )
            login = f"{target.user}|{target.host}:{target.password}\n"
            root.write("etc/dma/auth.conf", login if target.user else "")
            self.sendmail(root, target, "-D")
            self.assertEqual(root.files("var/spool/dma"), [], root.said())

        self.each_mode(deliver)

    def test_nullmailer(self):
        """
        Nullmailer; it says HELO.
        """
        root = self.root(
            "nullmailer",
            "/usr/sbin/sendmail",
            "/usr/sbin/nullmailer-queue",
            "/usr/sbin/nullmailer-send",
            "/usr/bin/nullmailer-inject",
            "/usr/lib/nullmailer/smtp",
        )
        for name in ("queue", "tmp", "failed"):
            root.make_folder(f"var/spool/nullmailer/{name}", "nullmail")
        os.mkfifo(root.folder / "var" / "spool" / "nullmailer" / "trigger")

        def deliver(target):
            tls = {"": "", "starttls": "--starttls", "implicit": "--ssl"}
            login = f" --user={target.user} --pass={target.password}" if target.user else ""
            root.write(
                "etc/nullmailer/remotes",
                f"{target.host} smtp --port={target.port} {tls[target.tls]}"
                f" --x509cafile=/etc/certificate.pem{login}\n",
            )
            root.write("etc/certificate.pem", target.certificate.read_text())
            self.relay(root, target, ["/usr/sbin/nullmailer-send"], "var/spool/nullmailer/queue")

        self.each_mode(deliver)
