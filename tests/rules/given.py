"""
Files of rules, for tests.
"""

from pathlib import Path

from mailgate.rules.format import load

FACTS = {"no_link", "spf_fail"}


def written(test, text, name="own.toml"):
    """
    Write a file.
    """
    path = Path(test.mktemp())
    path.mkdir()
    file = path / name
    file.write_text(text, "utf-8")
    return file


def rules(test, text, facts=FACTS, **options):
    """
    Give a set of rules.
    """
    return load([written(test, text)], facts, **options)


def rule(symbol, *patterns, score=1, **keys):
    """
    Write one rule.
    """
    lines = [f"[rule.{symbol}]", f"score = {score}", f'words = "It says {symbol.lower()}."']
    if patterns:
        lines.append(f"patterns = {[*patterns]!r}".replace("\\\\", "\\"))
    lines += [f"{key} = {value!r}" for key, value in keys.items()]
    return "\n".join(lines) + "\n"
