"""
What it costs to see what is in a regular message, in microseconds of processor time, step by step.

The messages are those of bench/messages.py: text and HTML, five links, and an attachment where
C{--attached} asks for it.
"""

from __future__ import annotations

import argparse
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from time import process_time

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from bench.messages import Mailbag
from mailgate.classify import reading
from mailgate.message.archive import Caps
from mailgate.message.attachments import Examination
from mailgate.message.header import Headers
from mailgate.message.language import TEXT_LIMIT, languages_of
from mailgate.message.mime import read
from mailgate.message.mime.readings import is_simple, read_all, simple
from mailgate.message.seen import Seen

_MESSAGES = 20
_ROUNDS = 7


def main() -> int:
    """
    Print a table for messages of 4 and 64 KiB.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attached", type=int, default=0, help="bytes of a file beside the text")
    arguments = parser.parse_args()
    for size in (4096, 65536):
        _measure(size, arguments.attached)
    return 0


def _measure(size: int, attached: int) -> None:
    bag = Mailbag(size)
    messages = [_with_file(bag.message(number), attached) for number in range(_MESSAGES)]
    headers = [Headers.parse(data[: 16 * 1024]) for data in messages]
    parsed = [read(data, headers=each) for data, each in zip(messages, headers, strict=True)]
    readings = [simple(each, data) for data, each in zip(messages, parsed, strict=True)]
    if not all(map(is_simple, parsed)):
        raise AssertionError("a message of the bench is not regular")
    steps: dict[str, Callable[[int], object]] = {
        "header fields": lambda at: Headers.parse(messages[at][: 16 * 1024]),
        "parts and texts": lambda at: read(messages[at], headers=headers[at]),
        "whether it is regular": lambda at: (
            is_simple(parsed[at]) and simple(parsed[at], messages[at])
        ),
        "files": lambda at: Examination(readings[at].enclosed, Caps()).finish(),
        "text, HTML, links": lambda at: reading.read(parsed[at]),
        "letters, languages": lambda at: _letters(parsed[at].seen),
    }
    print(f"{size} bytes")
    whole = 0.0
    for name, step in steps.items():
        cost = _cost(step)
        whole += cost
        print(f"  {name:24} {cost:8.1f} us")
    print(f"  {'all of it':24} {whole:8.1f} us")
    print(f"  {'(if it were irregular)':24} {_cost(lambda at: _again(messages[at])):8.1f} us")


def _letters(seen: Seen) -> object:
    again = Seen(seen.plain, seen.pages)
    return again.disguised_words, again.cut_words, languages_of(again.words(TEXT_LIMIT))


def _again(data: bytes) -> object:
    return read_all(data.replace(b"MIME-Version:", b"MIME-Version :", 1)).enclosed


def _with_file(data: bytes, size: int) -> bytes:
    """
    Put a message into one that has a file beside it.
    """
    if not size:
        return data
    content = b64encode(bytes(range(256)) * (size // 256 + 1))[: size * 4 // 3 // 4 * 4]
    head, _, body = data.partition(b"Content-Type: ")
    lines = b"\r\n".join(content[at : at + 76] for at in range(0, len(content), 76))
    return (
        head
        + b'Content-Type: multipart/mixed; boundary="=_outer_0123456789"\r\n\r\n'
        + b"--=_outer_0123456789\r\nContent-Type: "
        + body
        + b"\r\n--=_outer_0123456789\r\nContent-Type: application/pdf; name=a.pdf\r\n"
        + b"Content-Transfer-Encoding: base64\r\n\r\n"
        + lines
        + b"\r\n--=_outer_0123456789--\r\n"
    )


def _cost(step: Callable[[int], object]) -> float:
    """
    Give the microseconds of a step: the least of some rounds over all messages.
    """
    rounds = []
    for _ in range(_ROUNDS):
        start = process_time()
        for number in range(_MESSAGES):
            step(number)
        rounds.append(process_time() - start)
    return min(rounds) / _MESSAGES * 1e6


if __name__ == "__main__":
    sys.exit(main())
