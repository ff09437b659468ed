"""
Tests with the clients that people use.
"""

import asyncio
import os
import smtplib
import ssl
import sys
from pathlib import Path

import aiosmtplib
from twisted.python.reflect import prefixedMethodNames
from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end import test_mail_servers
from tests.end_to_end.gateway import needs, needs_library
from tests.end_to_end.matrix import (
    BODY,
    CANNOT,
    CLIENTS,
    MODES,
    RECIPIENT,
    SAYS_HELO,
    SENDER,
    USES_UTF8,
    ClientTestCase,
)


class ProgramTests(ClientTestCase):
    """
    Programs for the command line, and mail programs.
    """

    def test_swaks(self):
        """
        Swaks; it ends the text with a line end of its own.
        """
        (swaks,) = needs(self, "swaks")
        options = {
            "": [],
            "starttls": ["--tls"],
            "implicit": ["--tls-on-connect"],
        }

        def deliver(target):
            login = ["--auth=PLAIN", f"--auth-user={target.user}"]
            self.run_client(
                swaks,
                f"--server={target.host}:{target.port}",
                f"--from={SENDER}",
                f"--to={RECIPIENT}",
                "--helo=client.example.org",
                *options[target.tls],
                *(["--tls-verify", f"--tls-ca-path={target.certificate}"] if target.tls else []),
                *([*login, f"--auth-password={target.password}"] if target.user else []),
                "--data=-",
                input=target.content.removesuffix(b"\n"),
            )

        self.each_mode(deliver)

    def test_curl(self):
        """
        Curl.
        """
        (curl,) = needs(self, "curl")

        def deliver(target):
            self.run_client(
                curl,
                "--silent",
                "--show-error",
                f"{target.url}/client.example.org",
                "--mail-from",
                SENDER,
                "--mail-rcpt",
                RECIPIENT,
                *(["--ssl-reqd"] if target.tls == "starttls" else []),
                "--cacert",
                target.certificate,
                *(["--user", f"{target.user}:{target.password}"] if target.user else []),
                "--upload-file",
                "-",
                input=target.wire,
            )

        self.each_mode(deliver)

    def test_msmtp(self):
        """
        Msmtp.
        """
        (msmtp,) = needs(self, "msmtp")

        def deliver(target):
            starttls = "on" if target.tls == "starttls" else "off"
            login = ["--auth=plain", f"--user={target.user}"]
            self.run_client(
                msmtp,
                "--file=/dev/null",
                f"--host={target.host}",
                f"--port={target.port}",
                f"--from={SENDER}",
                "--domain=client.example.org",
                f"--tls={'on' if target.tls else 'off'}",
                f"--tls-starttls={starttls}",
                f"--tls-trust-file={target.certificate}",
                *([*login, "--passwordeval=printenv SMTP_PASSWORD"] if target.user else []),
                RECIPIENT,
                input=target.content,
                env=target.environment,
            )

        self.each_mode(deliver)

    def test_mutt(self):
        """
        Mutt, with a draft that is ready.
        """
        (mutt,) = needs(self, "mutt")

        def deliver(target):
            account = f"{target.account}@" if target.user else ""
            settings = target.message.with_suffix(".muttrc")
            settings.write_text(
                f'set smtp_url = "{target.url.replace("://", f"://{account}")}"\n'
                f'set smtp_pass = "{target.password}"\n'
                f"set ssl_starttls = {'yes' if target.tls == 'starttls' else 'no'}\n"
                f"set ssl_force_tls = {'yes' if target.tls else 'no'}\n"
                f'set certificate_file = "{target.certificate}"\n'
                f'set from = "{SENDER}"\n'
                f'set envelope_from_address = "{SENDER}"\n'
                "set use_envelope_from = yes\n"
                'set hostname = "client.example.org"\n'
                'set charset = "utf-8"\n'
                'set send_charset = "utf-8"\n'
                "set copy = no\n"
            )
            self.run_client(mutt, "-n", "-F", settings, "-H", target.message)

        self.each_mode(deliver)

    def test_s_nail(self):
        """
        S-nail, the mailx of today; it says HELO.
        """
        (s_nail,) = needs(self, "s-nail")

        def deliver(target):
            account = f"{target.account}:{target.password}@" if target.user else ""
            settings = {
                "v15-compat": "yes",
                # It knows a certificate only by a name, not by an address.
                "mta": target.url.replace("://", f"://{account}").replace(target.host, "localhost"),
                "hostname": "client.example.org",
                "smtp-auth": "plain" if target.user else "none",
                "tls-ca-file": target.certificate,
                "tls-ca-no-defaults": "yes",
                "tls-verify": "strict",
                "from": SENDER,
                "ttycharset": "utf-8",
                "sendcharsets": "utf-8",
                "mime-encoding": "8bit",
                **({"smtp-use-starttls": "yes"} if target.tls == "starttls" else {}),
            }
            self.run_client(
                s_nail,
                "-:/",
                *(f"-S{name}={value}" for name, value in settings.items()),
                "-Snosave",
                f"-s{target.mode.name}",
                f"-r{SENDER}",
                RECIPIENT,
                input=target.body,
            )

        self.each_mode(deliver)

    def test_sendemail(self):
        """
        Sendemail; of a ready message it doubles no dot but one that stands alone, so that the
        others lose one, and it ends the text with two more line ends.
        """
        (sendemail,) = needs(self, "sendemail")

        def deliver(target):
            self.run_client(
                sendemail,
                "-f",
                SENDER,
                "-t",
                RECIPIENT,
                "-s",
                f"{target.host}:{target.port}",
                "-o",
                f"tls={'yes' if target.tls else 'no'}",
                *(["-xu", target.user, "-xp", target.password] if target.user else []),
                "-o",
                "message-format=raw",
                "fqdn=client.example.org",
                input=target.content,
                env={**os.environ, "SSL_CERT_FILE": str(target.certificate)},
            )

        body = BODY.replace(b"\n.A", b"\nA").replace(b"\n..", b"\n.") + b"\n\n"
        self.each_mode(deliver, body)

    def test_smtp_source(self):
        """
        Postfix's smtp-source; it ends the text with one more line end.
        """
        (source,) = needs(self, "smtp-source")
        libraries = str(Path(source).parents[1] / "lib" / "postfix")

        def deliver(target):
            self.run_client(
                source,
                "-F",
                target.message,
                "-f",
                SENDER,
                "-t",
                RECIPIENT,
                f"{target.host}:{target.port}",
                env={**os.environ, "LD_LIBRARY_PATH": libraries},
            )

        self.each_mode(deliver, BODY + b"\n")


class LibraryTests(ClientTestCase):
    """
    Libraries that programs send mail with.
    """

    def test_smtplib(self):
        """
        Python's smtplib.
        """

        def deliver(target):
            context = ssl.create_default_context(cafile=target.certificate)
            place = (target.host, target.port, "client.example.org")
            with (
                smtplib.SMTP_SSL(*place, context=context)
                if target.tls == "implicit"
                else smtplib.SMTP(*place)
            ) as client:
                if target.tls == "starttls":
                    client.starttls(context=context)
                if target.user:
                    client.login(target.user, target.password)
                client.sendmail(SENDER, [RECIPIENT], target.wire)

        self.each_mode(deliver)

    def test_aiosmtplib(self):
        """
        Python's aiosmtplib.
        """

        def deliver(target):
            asyncio.run(
                aiosmtplib.send(
                    target.wire,
                    sender=SENDER,
                    recipients=[RECIPIENT],
                    hostname=target.host,
                    port=target.port,
                    local_hostname="client.example.org",
                    use_tls=target.tls == "implicit",
                    start_tls=target.tls == "starttls",
                    tls_context=ssl.create_default_context(cafile=target.certificate),
                    username=target.user or None,
                    password=target.password or None,
                )
            )

        self.each_mode(deliver)

    def test_twisted(self):
        """
        Twisted's ESMTPSender.
        """
        self.each_mode(self.run_script(sys.executable, CLIENTS / "esmtp_sender.py"))

    def test_perl(self):
        """
        Perl's Net::SMTP.
        """
        (perl,) = needs(self, "perl")
        needs_library(self, "IO::Socket::SSL", perl, "-MNet::SMTP", "-MIO::Socket::SSL", "-e1")
        self.each_mode(self.run_script(perl, CLIENTS / "net_smtp.pl"))

    def test_ruby(self):
        """
        Ruby's net-smtp.
        """
        (ruby,) = needs(self, "ruby")
        needs_library(self, "net-smtp", ruby, "-rnet/smtp", "-e0")
        self.each_mode(self.run_script(ruby, CLIENTS / "net_smtp.rb"))

    def test_phpmailer(self):
        """
        PHPMailer; it ends the text with one more line end.
        """
        (php,) = needs(self, "php")
        library = "/usr/share/php/libphp-phpmailer/autoload.php"
        needs_library(self, "PHPMailer", php, "-r", f"require '{library}';")
        deliver = self.run_script(php, CLIENTS / "phpmailer.php")
        self.each_mode(deliver, body=BODY + b"\n")

    def test_nodemailer(self):
        """
        Nodemailer.
        """
        (node,) = needs(self, "node")
        # Debian's own node looks there without being told.
        path = f"{os.environ.get('NODE_PATH', '')}:/usr/share/nodejs"
        env = {**os.environ, "NODE_PATH": path}
        needs_library(self, "nodemailer", node, "-e", "require('nodemailer')", env=env)
        self.each_mode(self.run_script(node, CLIENTS / "nodemailer.js", NODE_PATH=path))

    def test_jakarta_mail(self):
        """
        Jakarta Mail, of Java.
        """
        javac, java, javap = needs(self, "javac", "java", "javap")
        jars = "/usr/share/java/jakarta-mail.jar:/usr/share/java/jakarta-activation.jar"
        needs_library(self, "Jakarta Mail", javap, "-cp", jars, "jakarta.mail.Session")
        classes = Path(self.mktemp()).absolute()
        self.run_client(javac, "-cp", jars, "-d", classes, CLIENTS / "JakartaMail.java")
        self.each_mode(self.run_script(java, "-cp", f"{classes}:{jars}", "JakartaMail"))

    def test_go(self):
        """
        Go's net/smtp.
        """
        (go,) = needs(self, "go")
        program = Path(self.mktemp()).absolute()
        self.run_client(
            go,
            "build",
            "-o",
            program,
            CLIENTS / "net_smtp.go",
            env={
                **os.environ,
                "GOCACHE": str(program.with_name("gocache")),
                "GOTOOLCHAIN": "local",
            },
        )
        self.each_mode(self.run_script(program))


CLIENT_CASES = (ProgramTests, LibraryTests, test_mail_servers.RelayTests)


def clients_of(*cases):
    """
    Name the clients that have a test.
    """
    return [client for case in cases for client in prefixedMethodNames(case, "test_")]


class MatrixTests(SynchronousTestCase):
    """
    Tests of the matrix itself.
    """

    def test_size(self):
        """
        There are at least 18 clients and three mail servers beside them, and of their cells at
        least 80 are run.
        """
        clients, servers = clients_of(*CLIENT_CASES), clients_of(test_mail_servers.MailServerTests)
        self.assertGreaterEqual(len(clients), 18)
        self.assertGreaterEqual(len(servers), 3)
        self.assertGreaterEqual(len(clients + servers) * len(MODES) - len(CANNOT), 80)

    def test_exceptions(self):
        """
        What is said of cells is said of cells that there are, and every client runs some.
        """
        clients = clients_of(*CLIENT_CASES, test_mail_servers.MailServerTests)
        cells = {(client, mode.name) for client in clients for mode in MODES}
        self.assertLessEqual(CANNOT.keys() | SAYS_HELO, cells)
        self.assertFalse(CANNOT.keys() & SAYS_HELO)
        self.assertLessEqual(USES_UTF8, set(clients))
        self.assertEqual({client for client, _ in cells - CANNOT.keys()}, set(clients))
