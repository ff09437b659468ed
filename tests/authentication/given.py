"""
What the tests of authentication share.
"""

from mailgate.wire.address import Address


def value_of(coroutine):
    """
    Give what a coroutine returns that has to wait for nothing.
    """
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    raise AssertionError("it waits for something")


def address(text):
    """
    Give an address; C{""} is the null sender.
    """
    local, _, domain = text.rpartition("@")
    return Address(local, domain)
