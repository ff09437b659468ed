"""
A mail server made with aiosmtpd; see README.rst.
"""

import asyncio
import os
import ssl
from pathlib import Path

from aiosmtpd.smtp import SMTP


class Keeper:
    """
    Takes mail for ada and bob, and keeps it in files.
    """

    def __init__(self, folder):
        self._folder = folder
        self._number = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        """
        Take those who are known.
        """
        if address.partition("@")[0] not in ("ada", "bob"):
            return "550 5.1.1 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server, session, envelope):
        """
        Keep the message.
        """
        self._number += 1
        for address in envelope.rcpt_tos:
            path = self._folder / f"{address.partition('@')[0]}.{self._number}"
            part = path.with_name(path.name + ".part")
            part.write_bytes(envelope.original_content)
            part.rename(path)
        return "250 2.0.0 kept"


async def serve():
    """
    Serve until the end.
    """
    environment = os.environ
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(environment["SMTP_CERTIFICATE"], environment["SMTP_KEY"])
    keeper = Keeper(Path(environment["SMTP_FOLDER"]))

    def make():
        return SMTP(keeper, enable_SMTPUTF8=True, tls_context=tls, hostname="aiosmtpd.example.org")

    server = await asyncio.get_running_loop().create_server(
        make, "127.0.0.1", int(environment["SMTP_PORT"])
    )
    await server.serve_forever()


asyncio.run(serve())
