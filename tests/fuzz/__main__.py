"""
Let the fuzzer run on every target, or try single inputs.

    python -m tests.fuzz                            a minute for all targets together
    python -m tests.fuzz --seconds 1200
    python -m tests.fuzz --target data --seconds 30
    python -m tests.fuzz --target data FILE...      only these inputs, without the fuzzer

What breaks a target ends the run with status 1, and its input is kept in build/fuzz/TARGET/. What
the fuzzer has found of new ways stays in build/fuzz/TARGET/ways/, from where the next run goes on.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.targets import targets

TOP = Path(__file__).parent
CORPUS = TOP / "corpus"
WORDS = TOP / "words.dict"
KEPT = Path("build/fuzz")
SHARES = {"conversation": 6, "message": 2, "readings": 3, "text": 3, "files": 2}
"""Of the time; every other target has one."""

LENGTHS = {"conversation": 2048, "message": 4096, "readings": 4096, "text": 1024, "files": 2048}
"""Bytes of an input at most; of every other target 512."""

INPUT_SECONDS = 10
"""After which an input counts as one that does not end."""

START_SECONDS = 60
"""What the fuzzer may need beside its time: to start, and to end."""

MEGABYTES = 2048
"""Of memory, above which a target counts as broken."""

_DONE = re.compile(r"^stat::number_of_executed_units:\s+(\d+)$", re.MULTILINE)
_CHATTER = re.compile(r"^(?:INFO|WARNING|#\d).*\n", re.MULTILINE)


def fuzz(name, seconds):
    """
    Let the fuzzer run on one target; give the number of inputs that it has tried, or C{None}
    where one has broken it.
    """
    kept = KEPT / name
    ways = kept / "ways"
    ways.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.fuzz.under_atheris",
            name,
            f"-max_total_time={seconds}",
            f"-max_len={LENGTHS.get(name, 512)}",
            f"-timeout={INPUT_SECONDS}",
            f"-rss_limit_mb={MEGABYTES}",
            f"-dict={WORDS}",
            f"-artifact_prefix={kept}/",
            "-print_final_stats=1",
            ways,
            CORPUS / name,
        ],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds + START_SECONDS,
    )
    said = _DONE.search(done.stderr)
    if done.returncode == 0 and said is not None:
        return int(said[1])
    print(done.stdout, _CHATTER.sub("", done.stderr), sep="\n", file=sys.stderr)
    print(
        f"{name} is broken by the input in {kept}/ that is named above; try it again with\n"
        f"    {sys.executable} -m tests.fuzz --target {name} FILE\n"
        f"mend it, and keep the input in {CORPUS / name}/ under a name that tells what it is.",
        file=sys.stderr,
    )
    return None


def main():
    """
    Run as the command line says.
    """
    parser = argparse.ArgumentParser(
        "python -m tests.fuzz",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    with tempfile.TemporaryDirectory() as folder:
        known = targets(Path(folder))
        parser.add_argument("--seconds", type=int, default=60, help="for all targets together")
        parser.add_argument("--target", choices=sorted(known))
        parser.add_argument("inputs", type=Path, nargs="*")
        options = parser.parse_args()
        if options.inputs and not options.target:
            parser.error("an input needs a --target")
        for path in options.inputs:
            known[options.target](path.read_bytes())
            print(f"{path}: nothing is broken")
    if options.inputs:
        return 0
    names = [options.target] if options.target else list(known)
    shares = sum(SHARES.get(name, 1) for name in names)
    status = 0
    for name in names:
        seconds = max(1, options.seconds * SHARES.get(name, 1) // shares)
        tried = fuzz(name, seconds)
        if tried is None:
            status = 1
        else:
            print(f"{name}: {tried} inputs in {seconds} s", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
