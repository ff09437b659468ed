"""
TLS handshakes in memory, without a protocol above them.
"""

from contextlib import suppress

from OpenSSL import SSL
from OpenSSL.crypto import X509


def client_context(issued=None, most=SSL.TLS1_3_VERSION, least=SSL.TLS1_2_VERSION):
    """
    Make the context of a client that looks at no certificate.

    @param issued: the certificate that it shows when it is asked.
    """
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(least)
    context.set_max_proto_version(most)
    context.set_cipher_list(b"ALL:@SECLEVEL=0")
    if issued is not None:
        context.use_certificate(issued.certificate)
        context.use_privatekey(issued.key)
    return context


def shake(tls, context=None, name=None, session=None):
    """
    Make a handshake.

    @param tls: that of the listener.
    @param name: the host name that the client asks for, as bytes.
    @param session: one to be resumed.
    @return: the connections of client and server.
    @raise SSL.Error: it fails, on either side.
    """
    client = SSL.Connection(client_context() if context is None else context)
    client.set_connect_state()
    if name is not None:
        client.set_tlsext_host_name(name)
    if session is not None:
        client.set_session(session)
    server = tls.serverConnectionForTLS(None)
    server.set_accept_state()
    ends = {client: server, server: client}
    shaking = [client, server]
    for _ in range(10):
        for end in list(shaking):
            try:
                end.do_handshake()
            except SSL.WantReadError:
                pass
            else:
                shaking.remove(end)
            carry(end, ends[end])
    assert not shaking, "the handshake does not come to its end"
    # What comes behind the handshake: the tickets of TLS 1.3.
    carry(server, client)
    server.send(b"220 ready\r\n")
    carry(server, client)
    assert client.recv(100) == b"220 ready\r\n"
    return client, server


def carry(one, other):
    """
    Carry over what one end has to say.
    """
    with suppress(SSL.WantReadError):
        other.bio_write(one.bio_read(1 << 20))


def shown(client):
    """
    Name whom the certificate is for that a client was shown.
    """
    certificate = client.get_peer_certificate(as_cryptography=True)
    return certificate.subject.rfc4514_string().removeprefix("CN=")


def sent(client):
    """
    Give the certificates that a client was sent.
    """
    return [X509.to_cryptography(each) for each in client.get_peer_cert_chain()]
