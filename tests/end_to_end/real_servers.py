"""
Real mail servers that take mail for ada and bob at example.com and example.net, and refuse all
others: how each is made ready and started, and where it puts what it has taken.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from attrs import define, field

from tests.end_to_end.gateway import lack, needs, needs_library
from tests.end_to_end.ports import HOST, free_port
from tests.end_to_end.root import Root, make_queue, unpacked
from tests.storage import temporary_folder

SERVERS = Path(__file__).parent / "servers"
KNOWN = ("ada", "bob")
START_SECONDS = 30


@define(eq=False)
class RealServer:
    """
    A mail server that runs.
    """

    port: int
    find: object
    """Gives the files with the messages of one of L{KNOWN}."""

    said: object
    """Gives all that it has logged."""

    kind: str = "smtp"
    has_tls: bool = True
    """Whether it does STARTTLS, with the certificate of the test."""

    refuses: bool = True
    """Whether it can refuse a recipient."""

    extra: bytes = b""
    """What it adds at the end of a message."""

    known: set = field(factory=set)

    def arrived(self, name):
        """
        Give the messages for somebody that have come since it was asked before, their lines
        ending with CRLF.
        """
        paths = [path for path in sorted(self.find(name)) if path not in self.known]
        self.known.update(paths)
        return [path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") for path in paths]


def wait_for(case, server):
    """
    Wait until a server greets.
    """
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        try:
            with socket.create_connection((HOST, server.port), 1) as client:
                client.settimeout(START_SECONDS)
                if client.recv(100).startswith(b"220"):
                    return server
        except OSError:
            # It does not listen yet, which it tells nobody.
            time.sleep(0.02)
    raise case.failureException(f"it does not start:\n{server.said()}")


def make_root(case, package, *programs):
    """
    Make a root folder for a package.
    """
    folder = unpacked(case, package)
    root = Root(Path(case.mktemp()).absolute(), folder, *programs)
    case.addCleanup(shutil.rmtree, root.folder)
    case.addCleanup(root.stop)
    root.make_folder("var/mail", "mail", mode=0o755)
    return root


def give_certificate(root, certificate, key):
    """
    Copy the certificate into a root folder.
    """
    root.write("etc/certificate.pem", certificate.read_text())
    root.write("etc/key.pem", key.read_text(), 0o600)


def maildir(root):
    """
    Give what finds the messages in the Maildirs below C{var/mail}.
    """
    return lambda name: (root.folder / "var" / "mail" / name).glob("**/new/*")


def postfix(case, certificate, key):
    """
    Start Postfix.
    """
    daemons = ("master", "smtpd", "cleanup", "qmgr", "trivial-rewrite", "virtual", "bounce")
    root = make_root(
        case,
        "postfix",
        *(f"/usr/lib/postfix/sbin/{each}" for each in (*daemons, "tlsmgr", "anvil", "postlogd")),
    )
    give_certificate(root, certificate, key)
    port = free_port()
    make_queue(root)
    for name in KNOWN:
        root.make_folder(f"var/mail/{name}", "postfix")
    root.write(
        "etc/postfix/master.cf",
        f"{HOST}:{port} inet n - n - - smtpd\n"
        "cleanup unix n - n - 0 cleanup\n"
        "qmgr unix n - n 300 1 qmgr\n"
        "tlsmgr unix - - n 1000? 1 tlsmgr\n"
        "rewrite unix - - n - - trivial-rewrite\n"
        "bounce unix - - n - 0 bounce\n"
        "defer unix - - n - 0 bounce\n"
        "virtual unix - n n - - virtual\n"
        "anvil unix - - n - 1 anvil\n"
        "postlog unix-dgram n - n - 1 postlogd\n",
    )
    addresses = [f"{name}@example.{top}" for name in KNOWN for top in ("com", "net")]
    boxes = ", ".join(f"{{ {each} = {each.partition('@')[0]}/ }}" for each in addresses)
    root.write(
        "etc/postfix/main.cf",
        "compatibility_level = 3.7\n"
        "myhostname = postfix.example.org\n"
        "mydestination =\n"
        "inet_interfaces = 127.0.0.1\n"
        "inet_protocols = ipv4\n"
        "alias_maps =\n"
        "local_recipient_maps =\n"
        "maillog_file = /var/log/postfix.log\n"
        "virtual_mailbox_domains = example.com, example.net\n"
        "virtual_mailbox_base = /var/mail\n"
        f"virtual_mailbox_maps = inline:{{ {boxes} }}\n"
        "virtual_minimum_uid = 1\n"
        "virtual_uid_maps = static:64005\n"
        "virtual_gid_maps = static:64005\n"
        "smtpd_tls_security_level = may\n"
        "smtpd_tls_cert_file = /etc/certificate.pem\n"
        "smtpd_tls_key_file = /etc/key.pem\n",
    )
    root.start("/usr/lib/postfix/sbin/master", "-d")
    return RealServer(port, maildir(root), root.said)


def exim(case, certificate, key):
    """
    Start Exim.
    """
    root = make_root(case, "exim4-daemon-light", "/usr/sbin/exim4")
    root.make_folder("var/spool/exim4", "Debian-exim")
    root.make_folder("var/log", "Debian-exim")
    give_certificate(root, certificate, key)
    os.chown(root.folder / "etc" / "key.pem", 64002, 64002)
    port = free_port()
    root.write("etc/services", "smtp 25/tcp\n")
    root.write(
        "etc/exim4/exim4.conf",
        "primary_hostname = exim.example.org\n"
        "spool_directory = /var/spool/exim4\n"
        "log_file_path = /var/log/exim-%slog\n"
        "keep_environment =\n"
        "smtputf8_advertise_hosts = *\n"
        "tls_advertise_hosts = *\n"
        "tls_certificate = /etc/certificate.pem\n"
        "tls_privatekey = /etc/key.pem\n"
        "domainlist ours = example.com : example.net\n"
        "acl_smtp_rcpt = take\n"
        "begin acl\n"
        "take:\n"
        "  accept domains = +ours\n"
        "    verify = recipient\n"
        "  deny message = nobody of that name\n"
        "begin routers\n"
        "boxes:\n"
        "  driver = accept\n"
        "  domains = +ours\n"
        f"  local_parts = {' : '.join(KNOWN)}\n"
        "  transport = boxes\n"
        "begin transports\n"
        "boxes:\n"
        "  driver = appendfile\n"
        "  maildir_format\n"
        "  create_directory\n"
        "  directory = /var/mail/$local_part_data\n"
        "  user = mail\n"
        "  group = mail\n",
    )
    root.start("/usr/sbin/exim4", "-bdf", "-oX", f"{HOST}.{port}")
    return RealServer(port, maildir(root), root.said)


def opensmtpd(case, certificate, key):
    """
    Start OpenSMTPD, without TLS: in Debian 12 it cannot use its own key with OpenSSL 3, whatever
    client comes.
    """
    root = make_root(case, "opensmtpd", "/usr/sbin/smtpd", "/usr/libexec/opensmtpd/mail.maildir")
    root.copy("/bin/sh")
    port = free_port()
    for name in KNOWN:
        root.make_folder(f"var/mail/{name}", "mail")
    users = ", ".join(f'"{name}" = "8:8:/var/mail/{name}"' for name in KNOWN)
    root.write(
        "etc/smtpd.conf",
        f"table users {{ {users} }}\n"
        f"listen on {HOST} port {port} hostname opensmtpd.example.org\n"
        'action "boxes" maildir "/var/mail/%{user.username}" userbase <users>\n'
        'match from any for domain { "example.com", "example.net" } action "boxes"\n',
    )
    root.start("/usr/sbin/smtpd", "-d", "-v", "-f", "/etc/smtpd.conf")
    return RealServer(port, maildir(root), root.said, has_tls=False)


def dovecot(case, certificate, key):
    """
    Start Dovecot, with LMTP only.
    """
    programs = ("lmtp", "auth", "log", "config", "anvil", "stats")
    root = make_root(
        case,
        "dovecot",
        "/usr/sbin/dovecot",
        "/usr/bin/doveconf",
        *(f"/usr/lib/dovecot/{each}" for each in programs),
        "/usr/lib/dovecot/modules/libssl_iostream_openssl.so",
    )
    root.make_folder("run/dovecot")
    give_certificate(root, certificate, key)
    port = free_port()
    for name in KNOWN:
        root.make_folder(f"var/mail/{name}", "mail")
    root.write("etc/users", "".join(f"{name}::8:8::/var/mail/{name}::\n" for name in KNOWN))
    root.write(
        "etc/dovecot/dovecot.conf",
        "protocols = lmtp\n"
        "base_dir = /run/dovecot\n"
        "log_path = /var/log/dovecot.log\n"
        "mail_location = maildir:~\n"
        "first_valid_uid = 8\n"
        "auth_username_format = %n\n"
        "ssl = yes\n"
        "ssl_cert = </etc/certificate.pem\n"
        "ssl_key = </etc/key.pem\n"
        "passdb {\n driver = passwd-file\n args = /etc/users\n}\n"
        "userdb {\n driver = passwd-file\n args = /etc/users\n}\n"
        f"service lmtp {{\n inet_listener lmtp {{\n address = {HOST}\n port = {port}\n }}\n}}\n"
        "protocol lmtp {\n postmaster_address = postmaster@example.org\n}\n",
    )
    root.start("/usr/sbin/dovecot", "-F")
    return RealServer(port, maildir(root), root.said, kind="lmtp")


def smtp_sink(case, certificate, key):
    """
    Start Postfix's smtp-sink, which knows neither TLS nor recipients.
    """
    (sink,) = needs(case, "smtp-sink")
    libraries = str(Path(sink).parents[1] / "lib" / "postfix")
    # It gives up the rights of root, and must still reach its folder.
    folder = temporary_folder(case)
    folder.chmod(0o777)
    command = [sink, "-d", f"{folder}/all."]
    if os.geteuid() == 0:
        command[1:1] = ["-u", "nobody"]
    server = start(
        case,
        lambda port: [*command, f"{HOST}:{port}", "64"],
        folder,
        LD_LIBRARY_PATH=libraries,
    )
    server.find = lambda name: folder.glob("all.*")
    server.has_tls = server.refuses = False
    server.extra = b"\r\n"
    return server


def aiosmtpd(case, certificate, key):
    """
    Start Python's aiosmtpd.
    """
    needs_library(case, "aiosmtpd", sys.executable, "-c", "import aiosmtpd")
    return library_server(case, certificate, key, sys.executable, SERVERS / "aiosmtpd_server.py")


def smtp_server(case, certificate, key):
    """
    Start Node's smtp-server.
    """
    node, modules = needs_modules(case, "smtp-server")
    program = SERVERS / "smtp_server.js"
    return library_server(case, certificate, key, node, program, NODE_PATH=modules)


def haraka(case, certificate, key):
    """
    Start Haraka.
    """
    node, modules = needs_modules(case, "Haraka")
    folder = make_folder(case) / "haraka"
    shutil.copytree(SERVERS / "haraka", folder)
    shutil.copy(certificate, folder / "config" / "tls_cert.pem")
    shutil.copy(key, folder / "config" / "tls_key.pem")
    (folder / "config" / "me").write_text("haraka.example.org\n")
    (folder / "config" / "databytes").write_text("50000000\n")
    port = free_port()
    (folder / "config" / "smtp.ini").write_text(f"listen={HOST}:{port}\nnodes=0\n")
    program = Path(modules) / "Haraka" / "bin" / "haraka"
    command = (node, program, "-c", folder)
    return library_server(case, certificate, key, *command, port=port, NODE_PATH=modules)


def needs_modules(case, name):
    """
    Find Node, and the folder with its modules (C{MAILGATE_NODE_MODULES}), in which one is needed.
    """
    (node,) = needs(case, "node")
    modules = os.environ.get("MAILGATE_NODE_MODULES", "/nonexistent")
    if not (Path(modules) / name).is_dir():
        lack(case, f"not installed: {name} of Node")
    return node, modules


def make_folder(case):
    """
    Make a folder.
    """
    folder = Path(case.mktemp()).absolute()
    folder.mkdir(parents=True)
    return folder


def library_server(case, certificate, key, *command, port=None, **environment):
    """
    Start a program of C{servers}.
    """
    folder = make_folder(case)
    return start(
        case,
        lambda port: command,
        folder,
        port,
        SMTP_CERTIFICATE=str(certificate),
        SMTP_KEY=str(key),
        SMTP_FOLDER=str(folder),
        **environment,
    )


def start(case, command, folder, port=None, **environment):
    """
    Start a server that is no more than a program.

    @param command: gives it, for a port.
    """
    port = port or free_port()
    log = folder / "output"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(word) for word in command(port)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env={**os.environ, "SMTP_PORT": str(port), **environment},
        )

    def stop():
        process.terminate()
        process.wait(START_SECONDS)

    case.addCleanup(stop)

    def find(name):
        return [path for path in folder.glob(f"{name}.*") if path.suffix != ".part"]

    return RealServer(port, find, lambda: log.read_text("utf-8", "replace"))
