"""
Twisted's own client, twisted.mail.smtp.
"""

import os
import sys
from io import BytesIO

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.ssl import Certificate, optionsForClientTLS
from twisted.internet.task import react
from twisted.mail.smtp import ESMTPSenderFactory


def main(reactor):
    """
    Send the message; see README.rst beside this file.
    """
    env = os.environ
    tls, host = env["SMTP_TLS"], env["SMTP_HOST"]
    with open(env["SMTP_CERTIFICATE"], "rb") as file:
        trusted = Certificate.loadPEM(file.read())
    sent = Deferred()
    factory = ESMTPSenderFactory(
        env["SMTP_USER"].encode("utf-8") or None,
        env["SMTP_PASSWORD"].encode("utf-8"),
        env["SMTP_SENDER"],
        env["SMTP_RECIPIENT"],
        # It makes CRLF of every LF.
        BytesIO(sys.stdin.buffer.read().replace(b"\r\n", b"\n")),
        sent,
        retries=0,
        # With a context it says STARTTLS wherever that is offered.
        contextFactory=optionsForClientTLS(host, trusted) if tls == "starttls" else None,
        heloFallback=True,
        requireAuthentication=bool(env["SMTP_USER"]),
        requireTransportSecurity=tls == "starttls",
    )
    factory.domain = b"client.example.org"
    endpoint = HostnameEndpoint(reactor, host, int(env["SMTP_PORT"]))
    if tls == "implicit":
        endpoint = wrapClientTLS(optionsForClientTLS(host, trusted), endpoint)
    return endpoint.connect(factory).addCallback(lambda _: sent)


react(main)
