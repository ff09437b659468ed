"""
Files in MaxMind's format (version 2.0), made for tests.
"""

from ipaddress import ip_network

from attrs import frozen

MARK = b"\xab\xcd\xefMaxMind.com"


@frozen
class _Number:
    """
    A whole number of 16 (5), 32 (6) or 64 bits (9).
    """

    kind: int
    value: int


def write_mmdb(networks, kind="GeoLite2-Country", ip_version=6):
    """
    Give a file that has a record for each network.

    @param networks: records by network; a value is a string, a whole number or a table of values.
    """
    nodes, data, places = [[None, None]], bytearray(), {}
    for text, record in networks.items():
        network = ip_network(text)
        bits, width = int(network.network_address), network.max_prefixlen
        length = network.prefixlen
        if ip_version == 6 and width == 32:
            width, length = 128, length + 96
        at = 0
        for depth in range(length):
            side = bits >> (width - 1 - depth) & 1
            if depth == length - 1:
                places[at, side] = len(data)
            elif nodes[at][side] is None:
                nodes.append([None, None])
                nodes[at][side] = at = len(nodes) - 1
            else:
                at = nodes[at][side]
        data += _encode(record)
    tree = bytearray()
    for number, sides in enumerate(nodes):
        for side, below in enumerate(sides):
            if (number, side) in places:
                below = len(nodes) + 16 + places[number, side]
            tree += (len(nodes) if below is None else below).to_bytes(3, "big")
    metadata = {
        "binary_format_major_version": _Number(5, 2),
        "binary_format_minor_version": _Number(5, 0),
        "build_epoch": _Number(9, 1_800_000_000),
        "database_type": kind,
        "description": {"en": "made for a test"},
        "ip_version": _Number(5, ip_version),
        "languages": [],
        "node_count": len(nodes),
        "record_size": _Number(5, 24),
    }
    return bytes(tree) + bytes(16) + bytes(data) + MARK + _encode(metadata)


def country(code, name=""):
    """
    Give the record of an address in a country.
    """
    return {"country": {"iso_code": code, "names": {"en": name}}}


def system(number, name):
    """
    Give the record of an address in an autonomous system.
    """
    return {"autonomous_system_number": number, "autonomous_system_organization": name}


def _encode(value):
    if isinstance(value, str):
        text = value.encode()
        return _control(2, len(text)) + text
    if isinstance(value, int):
        value = _Number(6, value)
    if isinstance(value, _Number):
        number = value.value.to_bytes((value.value.bit_length() + 7) // 8, "big")
        return _control(value.kind, len(number)) + number
    if isinstance(value, dict):
        pairs = [_encode(key) + _encode(each) for key, each in value.items()]
        return _control(7, len(value)) + b"".join(pairs)
    return _control(11, len(value)) + b"".join(map(_encode, value))


def _control(kind, size):
    extended = bytes((kind - 7,)) if kind > 7 else b""
    first = 0 if kind > 7 else kind << 5
    if size < 29:
        return bytes((first | size,)) + extended
    return bytes((first | 29,)) + extended + bytes((size - 29,))
