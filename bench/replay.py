"""
Send every message of a folder over SMTP, and say what became of each.

With --config the gateway's own configuration tells where its messages end, and each accepted
one is looked for there (in Maildirs and in the quarantine): it must be there exactly once, with
the body that was sent. Messages are recognised by their Message-ID, and by the sha256 of the
body where they have none; several that share one are counted. The exit code is 1 when one is
missing, there twice, altered, or was not answered.

Every line is sent with CRLF: a LF without a CR before it gets one. Nothing else of a file is
changed, so what is wrong with a message (a bare CR, a NUL) is the gateway's to judge.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from bench.accounting import Account, Seen, account, normalised
from bench.load import add_manner, general, manner_of, parse_address
from bench.sender import Mail, Result, send, stuffed

EXAMPLES = """
examples:
  bench/replay.py ~/mail --config etc/quickstart.toml
      to localhost:2525 over 20 connections, and look for each message afterwards
  bench/replay.py ~/mail --to 192.0.2.1:25 --limit 1000 --recipient someone@example.com
      send only, and count the replies
  bench/replay.py ~/mail --maildir var/inbox
      look for the messages in a Maildir only
"""


class Places:
    """
    Where messages end; what lay there before the run does not count.
    """

    def __init__(self, maildirs: list[Path], configuration: Path | None) -> None:
        self._maildirs = maildirs
        self._configuration = configuration
        self._data = Path()
        if configuration is not None:
            settings = tomllib.loads(configuration.read_text(encoding="utf-8"))
            folder = configuration.parent
            self._data = folder / settings["data"]
            self._maildirs = maildirs or [
                folder / upstream["path"]
                for upstream in settings["upstream"].values()
                if upstream["kind"] == "maildir"
            ]
        self._before = {_unique(path) for path in self._files()}
        self._held_before = {row["id"] for row in self._held_rows()}

    @property
    def are_known(self) -> bool:
        """
        Tell whether there is a place to look into.
        """
        return bool(self._maildirs) or self._configuration is not None

    def delivered(self) -> Iterator[Seen]:
        """
        Read what has come into the Maildirs.
        """
        for path in self._files():
            if _unique(path) not in self._before:
                yield Seen.of(path.read_bytes())

    def held(self) -> Iterator[tuple[str, Seen]]:
        """
        Read what has come into the quarantine, each with its kind.
        """
        for row in self._held_rows():
            if row["id"] not in self._held_before:
                yield row["kind"], Seen.of(self._stored(row).read_bytes())

    def _files(self) -> Iterator[Path]:
        for maildir in self._maildirs:
            for part in ("new", "cur"):
                if (maildir / part).is_dir():
                    yield from (maildir / part).iterdir()

    def _held_rows(self) -> list[dict[str, str]]:
        """
        Ask the gateway what it holds.
        """
        if self._configuration is None:
            return []
        program = Path(sys.executable).with_name("mailgate")
        command = [
            str(program),
            "quarantine",
            "list",
            "--json",
            "--config",
            str(self._configuration),
        ]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode:
            sys.exit(f"{' '.join(command)} failed:\n{answer.stdout}{answer.stderr}")
        rows: list[dict[str, str]] = json.loads(answer.stdout)
        return rows

    def _stored(self, row: dict[str, str]) -> Path:
        """
        Name the file of a held message.
        """
        return self._data / "blobs" / row["message"][:2] / row["message"]


def _unique(path: Path) -> str:
    """
    Give the part of a Maildir file's name that stays when the message is read or moved.
    """
    return path.name.partition(":")[0]


def files_of(folder: Path, limit: int) -> list[Path]:
    """
    Find the files in a folder and the folders in it, hidden ones aside, in a fixed order.

    @param limit: how many at most; 0: all.
    """
    found: list[Path] = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(place, name) for name in names if not name.startswith(".")]
    found.sort()
    return found[: limit or None]


def mails(files: list[Path], sender: str, recipient: str) -> Iterator[Mail]:
    """
    Make the messages ready to send, as they are asked for.
    """
    for path in files:
        yield Mail(str(path), sender, recipient, stuffed(normalised(path.read_bytes())))


def seen_of(results: list[Result]) -> list[Seen]:
    """
    Read the messages of some results again.
    """
    return [Seen.of(normalised(Path(result.mail.name).read_bytes())) for result in results]


def look(places: Places, ended: dict[str, list[Result]]) -> Account:
    """
    Look for the accepted messages, and print what was found where.
    """
    delivered = list(places.delivered())
    held = list(places.held())
    tagged = sum(seen.is_tagged for seen in delivered)
    kinds = Counter(kind for kind, _ in held)
    print(f"delivered {len(delivered)}, of these tagged {tagged}")
    print(f"held {len(held)}" + "".join(f", {kind} {count}" for kind, count in kinds.most_common()))
    refused = ended["refused"] + ended["deferred"] + ended["unsent"]
    found = [*delivered, *(seen for _, seen in held)]
    balance = account(
        seen_of(ended["accepted"]), seen_of(ended["unknown"]), seen_of(refused), found
    )
    print(
        f"missing {len(balance.missing)}, twice or there although refused {len(balance.surplus)},"
        f" altered {len(balance.altered)}, from others {balance.foreign}"
    )
    for title, keys in (
        ("missing", balance.missing),
        ("surplus", balance.surplus),
        ("altered", balance.altered),
    ):
        for key in keys:
            print(f"  {title}: {key}")
    return balance


def main(arguments: list[str] | None = None) -> int:
    """
    Run from the command line.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="with one message a file, in folders or not")
    parser.add_argument(
        "--to",
        type=parse_address,
        default="localhost:2525",
        metavar="HOST:PORT",
        help="%(default)s",
    )
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="the first N only")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the gateway's configuration")
    parser.add_argument(
        "--maildir",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="instead of those of --config",
    )
    add_manner(parser, connections=20)
    options = parser.parse_args(arguments)
    files = files_of(options.folder, options.limit)
    places = Places(options.maildir, options.config)
    began = monotonic()
    ended: dict[str, list[Result]] = {
        kind: [] for kind in ("accepted", "refused", "deferred", "unknown", "unsent")
    }
    for result in send(
        options.to, mails(files, options.sender, options.recipient), manner_of(options)
    ):
        ended[result.kind].append(result)
    seconds = monotonic() - began
    print(f"{len(files)} messages in {seconds:.1f} s")
    print(", ".join(f"{kind} {len(results)}" for kind, results in ended.items()))
    for kind, results in ended.items():
        if kind != "accepted":
            for reply, count in Counter(map(general, results)).most_common():
                print(f"  {count:6} x {reply}")
    answered = not (ended["unknown"] or ended["unsent"])
    balanced = look(places, ended).is_balanced if places.are_known else True
    return 0 if answered and balanced else 1


if __name__ == "__main__":
    sys.exit(main())
