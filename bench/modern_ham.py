"""
Legitimate mail as it is today: newsletters, receipts, password resets, shipping notes, invitations,
notifications and a few letters of people, in six languages, HTML nearly all of it.

The pages are made by template engines from npm (mjml, react-email, mailgen, Foundation for Emails,
oy), which are installed once into a folder of their own; node and npm must be there. The texts,
companies and people are made up, and their domains end in .example, .test and .invalid. Messages
carry what such mail has: counted clicks, preview texts, pictures from elsewhere, List-Unsubscribe
with one click, invoices and calendar entries, signatures that verify (--records), and the fields of
the server that took them in.

The same seed gives the same messages, with the same versions of the engines.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from bench.ham.draft import Draft, draft
from bench.ham.letter import Writer
from bench.ham.message import message
from bench.ham.sign import SELECTOR, Signer

EXAMPLES = """
examples:
  bench/modern_ham.py /tmp/modern
      400 messages, each in a file of its own
  bench/modern_ham.py /tmp/modern --count 1000 --seed 7
      other ones, and more
"""

PACKAGES = {
    "@react-email/components": "1.0.12",
    "foundation-emails": "2.5.1",
    "inky": "1.5.0",
    "juice": "12.2.0",
    "mailgen": "2.0.36",
    "mjml": "5.4.1",
    "oy-vey": "0.12.1",
    "react": "18.3.1",
    "react-dom": "18.3.1",
}

_RENDERER = Path(__file__).resolve().parent / "ham" / "render.mjs"


class Failed(Exception):
    """
    The messages cannot be made; the text says why.
    """


def main() -> int:
    """
    Write the messages, and print how many there are of each kind.
    """
    arguments = _arguments()
    try:
        install(arguments.cache)
        drafts = drafts_of(arguments.seed, arguments.count)
        pages = render(drafts, arguments.cache)
        write(drafts, pages, arguments.seed, arguments.folder)
    except Failed as error:
        print(error, file=sys.stderr)
        return 1
    if arguments.records:
        arguments.records.write_text(json.dumps(records(drafts, arguments.seed), indent=2) + "\n")
    kinds = Counter(each.letter.kind for each in drafts)
    print(f"{len(drafts)} messages in {arguments.folder}")
    print(", ".join(f"{number} {kind}" for kind, number in kinds.most_common()))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="new, or empty")
    parser.add_argument("--count", type=_positive, default=400, metavar="N", help="(default: 400)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="(default: 1)")
    parser.add_argument(
        "--records",
        type=Path,
        metavar="FILE",
        help="write what the DNS would say of the senders there: JSON, texts by name",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        metavar="FOLDER",
        default=_cache(),
        help="where the engines are installed (default: %(default)s)",
    )
    return parser.parse_args()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "mailgate-bench" / "modern-ham"


def install(cache: Path) -> None:
    """
    Install the template engines, unless these versions are there. No script of theirs is run.

    @raise Failed: npm is missing, or fails.
    """
    wanted = json.dumps({"private": True, "dependencies": PACKAGES}, indent=2)
    done = cache / "installed.json"
    if done.exists() and done.read_text("utf-8") == wanted:
        return
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise Failed("node and npm are needed for the template engines")
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "package.json").write_text(wanted, "utf-8")
    print(f"installing the template engines into {cache}", file=sys.stderr)
    command = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    if subprocess.run(command, cwd=cache, stdout=subprocess.DEVNULL, check=False).returncode:
        raise Failed(f"npm could not install the template engines into {cache}")
    done.write_text(wanted, "utf-8")


def drafts_of(seed: int, count: int) -> list[Draft]:
    """
    Decide on the first C{count} messages of a seed.
    """
    writer = Writer(seed)
    return [draft(writer.letter(number), seed) for number in range(count)]


def render(drafts: Sequence[Draft], cache: Path) -> list[str]:
    """
    Have the engines make the pages, in the order of the drafts; an empty one where none is needed.

    @raise Failed: an engine fails.
    """
    told = "".join(f"{json.dumps(each.page)}\n" for each in drafts if each.page)
    answer = subprocess.run(
        ["node", str(_RENDERER), str(cache)],
        input=told.encode("ascii"),
        stdout=subprocess.PIPE,
        env={**os.environ, "NODE_ENV": "production"},  # no advice on pages from the engines
        check=False,
    )
    if answer.returncode:
        raise Failed("a template engine has failed")
    pages = iter([json.loads(line) for line in answer.stdout.splitlines()])
    return [next(pages) if each.page else "" for each in drafts]


def write(drafts: Sequence[Draft], pages: Iterable[str], seed: int, folder: Path) -> None:
    """
    Write each message into a file of C{folder}.

    @raise Failed: there are files in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise Failed(f"{folder} is not empty")
    signer = Signer(seed)
    for each, page in zip(drafts, pages, strict=True):
        letter = each.letter
        name = f"{letter.number:04}-{letter.language}-{letter.kind}.eml"
        (folder / name).write_bytes(message(each, page, signer, seed))


def records(drafts: Sequence[Draft], seed: int) -> dict[str, str]:
    """
    Give the TXT records of all who send: of their keys, of where they send from (RFC 7208), and
    of what is to be done with what is not theirs.
    """
    key, found = Signer(seed).record, {}
    networks: dict[str, set[str]] = defaultdict(set)
    for each in drafts:
        sender, service = each.letter.sender.domain, each.service
        senders = [sender, f"em.{sender}"]
        if service.domain:
            senders.append(f"bounce.{service.domain}")
            found[f"{SELECTOR}._domainkey.{service.domain}"] = key
        found[f"{SELECTOR}._domainkey.{sender}"] = key
        found[f"_dmarc.{sender}"] = "v=DMARC1; p=reject"
        for domain in senders:
            networks[domain].add(f"ip4:{service.network}.0/24")
    for domain, those in networks.items():
        found[domain] = f"v=spf1 {' '.join(sorted(those))} -all"
    return dict(sorted(found.items()))


if __name__ == "__main__":
    sys.exit(main())
