"""
Jobs that try what a process in the sandbox must not be able to do.
"""

import ctypes
import os
import socket
import subprocess
import sys
import threading
import time
from itertools import count
from pathlib import Path

from mailgate.net.serving import serve


def _path(value):
    return Path(value.decode())


def _connect(value):
    host, port = value.decode().split()
    with socket.create_connection((host, int(port)), 5):
        return b"connected"


def _connect_to_path(value):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(value.decode())
        return b"connected"


def _fork(value):
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return b"forked"


def _write(value):
    _path(value).write_bytes(b"written")
    return b"written"


def _start_thread(value):
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
    return b"started"


def _capability(value):
    """
    Give what capabilities the process has.
    """
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None).capget(header, sets) != 0:
        raise OSError("capget")
    return b"none" if not any(sets) else b"some"


def _flood(value):
    os.write(3, b"\1" + (1 << 40).to_bytes(8, "big"))
    return b""


_numbers = count(1)


def _spin(value):
    until = time.process_time() + float(value)
    while time.process_time() < until:
        pass
    return b"spun"


def _open_files(value):
    return " ".join(sorted(os.listdir("/proc/self/fd"))).encode()


JOBS = {
    "echo": lambda value: value,
    "length": lambda value: b"%d" % len(value),
    "pid": lambda value: b"%d" % os.getpid(),
    "open many": lambda value: b"%d" % max(os.open("/", os.O_RDONLY) for _ in range(40)),
    "describe": lambda value: repr((dict(os.environ), os.getcwd(), sys.flags.isolated)).encode(),
    "descriptors": _open_files,
    "count": lambda value: b"%d" % next(_numbers),
    "abort": lambda value: os.abort(),
    "exit": lambda value: os._exit(int(value)),
    "raise": lambda value: 1 // 0,
    "print": lambda value: print("words of a job", flush=True) or b"printed",
    "connect": _connect,
    "connect to path": _connect_to_path,
    "fork": _fork,
    "thread": _start_thread,
    "run": lambda value: subprocess.check_output(["/bin/echo", "run"]),
    "write": _write,
    "truncate": lambda value: os.open(_path(value), os.O_RDONLY | os.O_TRUNC) and b"truncated",
    "mode": lambda value: _path(value).chmod(0o600) or b"changed",
    "rename": lambda value: _path(value).rename(_path(value)) and b"renamed",
    "read": lambda value: _path(value).read_bytes(),
    "kill": lambda value: os.kill(int(value), 0) or b"sent",
    "capability": _capability,
    "memory": lambda value: b"%d" % len(bytearray(int(value))),
    "spin": _spin,
    "flood": _flood,
    "decode": lambda value: value.decode("shift_jis").encode(),
}


def main(arguments):
    """
    Do these jobs.
    """
    serve(JOBS, arguments)


def weak(*protections):
    """
    Give a C{main} for a process that is held by some of the protections only.
    """
    return lambda arguments: serve(JOBS, arguments, protections)
