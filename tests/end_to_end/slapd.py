"""
Debian's slapd, with entries as Active Directory has them.
"""

import os
import socket
import subprocess
import time
from pathlib import Path

from tests.certificates import issue
from tests.end_to_end.gateway import lack
from tests.end_to_end.ports import free_port

START_SECONDS = 20
PASSWORD = "correct horse battery"
NAME = "cn=mailgate,dc=example,dc=com"
FILTER = (
    "(&(|(mail={address})(proxyAddresses=smtp:{address}))"
    "(|(!(objectClass=user))(!(userAccountControl:1.2.840.113556.1.4.803:=2))))"
)
SCHEMA = """\
attributetype ( 1.2.840.113556.1.2.210 NAME 'proxyAddresses'
  EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.2.840.113556.1.4.8 NAME 'userAccountControl'
  EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
objectclass ( 1.2.840.113556.1.5.9 NAME 'user' SUP inetOrgPerson STRUCTURAL
  MAY ( proxyAddresses $ userAccountControl ) )
"""
"""What of Active Directory the entries use, compared as it does."""

LDIF = f"""\
dn: dc=example,dc=com
objectClass: domain
dc: example

dn: {NAME}
objectClass: person
cn: mailgate
sn: mailgate
userPassword: {PASSWORD}

dn: cn=Ada,dc=example,dc=com
objectClass: user
cn: Ada
sn: Ada
userAccountControl: 512
mail: Ada.Lovelace@example.com
proxyAddresses: SMTP:Ada.Lovelace@example.com
proxyAddresses: smtp:ada@example.com
proxyAddresses: smtp:info@example.net

dn: cn=Gone,dc=example,dc=com
objectClass: user
cn: Gone
sn: Gone
userAccountControl: 514
mail: gone@example.com
"""


def slapd_folder(case):
    """
    Find the folder into which the package was unpacked, below C{MAILGATE_UNPACKED}; else L{lack}
    it.
    """
    folder = Path(os.environ.get("MAILGATE_UNPACKED", "/nonexistent")) / "slapd"
    if not (folder / "usr" / "sbin" / "slapd").is_file():
        lack(case, "not unpacked: slapd")
    return folder


class Slapd:
    """
    A server on loopback, without and with TLS from the start.
    """

    def __init__(self, folder, package):
        """
        @param folder: where its files are; it must not exist.
        @param package: what was unpacked.
        """
        self.folder, self._package = folder, package
        self.port, self.tls_port = free_port(), free_port()
        self._process = None
        (folder / "data").mkdir(parents=True)
        authority = issue("Test authority", is_authority=True)
        self.authority = folder / "authority.pem"
        self.authority.write_bytes(authority.pem)
        issued = issue("127.0.0.1", ["127.0.0.1"], authority)
        certificate, key = issued.write(folder, "server", authority)
        self.password = folder / "password"
        self.password.write_text(f"{PASSWORD}\n")
        self.password.chmod(0o600)
        schemas = "".join(
            f"include {package}/etc/ldap/schema/{name}.schema\n"
            for name in ("core", "cosine", "inetorgperson")
        )
        (folder / "slapd.conf").write_text(
            f"{schemas}"
            f"{SCHEMA}"
            f"modulepath {package}/usr/lib/ldap\n"
            "moduleload back_mdb\n"
            f"pidfile {folder}/pid\n"
            f"TLSCACertificateFile {self.authority}\n"
            f"TLSCertificateFile {certificate}\n"
            f"TLSCertificateKeyFile {key}\n"
            "security simple_bind=1\n"
            "disallow bind_anon\n"
            "database mdb\n"
            "suffix dc=example,dc=com\n"
            f"directory {folder}/data\n"
            "access to attrs=userPassword by anonymous auth by * none\n"
            "access to * by users read by * none\n"
        )
        (folder / "entries.ldif").write_text(LDIF)
        made = self._run("slapadd", "-f", folder / "slapd.conf", "-l", folder / "entries.ldif")
        said = made.communicate(timeout=START_SECONDS)[0]
        if made.returncode:
            raise AssertionError(said.decode("utf-8", "replace"))

    def start(self):
        """
        Start it, and wait until it listens.
        """
        urls = f"ldap://127.0.0.1:{self.port} ldaps://127.0.0.1:{self.tls_port}"
        self._process = self._run("slapd", "-d", "0", "-h", urls, "-f", self.folder / "slapd.conf")
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            try:
                for port in (self.port, self.tls_port):
                    socket.create_connection(("127.0.0.1", port), 1).close()
                return self
            except OSError:
                # Not yet listening; it tells nobody when it does.
                time.sleep(0.05)
        self.stop()
        raise AssertionError("slapd does not start")

    def stop(self):
        """
        End it.
        """
        if self._process is not None:
            self._process.terminate()
            self._process.communicate(timeout=START_SECONDS)
            self._process = None

    def _run(self, program, *arguments):
        libraries = [
            str(folder)
            for top in ("usr/lib", "lib")
            for folder in (self._package / top).glob("*-linux-gnu*")
        ]
        return subprocess.Popen(
            [self._package / "usr" / "sbin" / program, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)},
        )
