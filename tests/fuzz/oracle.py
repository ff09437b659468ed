"""
What the targets share: how they complain, and how they cut.
"""

from mailgate.wire.smtp import Refused


class Broken(AssertionError):
    """
    Something does not hold that must hold for any bytes.
    """


def check(holds, *words):
    """
    Complain unless something holds.
    """
    if not holds:
        raise Broken(*words)


def choice_of(data):
    """
    Take the first byte, which chooses something, from an input.
    """
    return (data[0] if data else 0), data[1:]


def pieces(data, choice):
    """
    Cut bytes into pieces of up to 64 bytes, or at one place.

    @param choice: one of 256 ways to cut.
    """
    if choice < 64:
        length = choice + 1
        return [data[at : at + length] for at in range(0, len(data), length)]
    at = (choice - 64) % (len(data) + 1)
    return [data[:at], data[at:]]


def value_of(parse, *arguments, codes=(501,)):
    """
    Give what a reader makes of its arguments, or C{None} where it refuses them, which it may do
    with some codes only.
    """
    try:
        return parse(*arguments)
    except Refused as refused:
        reply = refused.reply
        check(reply.code in codes and reply.enhanced.startswith("5."), parse, reply)
        check(reply.text.isprintable(), reply)
        # A line has at most 512 bytes, and the id of the trace has to go into it too.
        check(len(reply.encode()) <= 480, reply)
        return None
