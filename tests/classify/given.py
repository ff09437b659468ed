"""
Messages to classify, made up, and evidence without a message.
"""

import base64
import random

import numpy as np

from mailgate.classify.evidence import Evidence, evidence_of
from mailgate.classify.lessons import Lesson, Pending, What
from mailgate.classify.store import Learned
from mailgate.classify.tokens import Tokens
from mailgate.message.mime import read

SPAM_WORDS = ("cheap", "offer", "pills", "winner", "casino", "bonus", "refinance", "miracle")
HAM_WORDS = ("meeting", "patch", "compile", "lunch", "review", "agenda", "kernel", "minutes")
OTHER_WORDS = ("the", "and", "with", "from", "this", "that", "have", "will", "your", "about")


def message(*lines, body=""):
    """
    Give a message with these header fields.
    """
    head = "".join(f"{line}\r\n" for line in lines)
    return f"{head}\r\n{body}".encode()


def letter(is_spam, number):
    """
    Give a letter of a kind, one of many.
    """
    dice = random.Random(f"{is_spam} {number}")
    words = dice.choices(SPAM_WORDS if is_spam else HAM_WORDS, k=20) + dice.choices(
        OTHER_WORDS, k=40
    )
    dice.shuffle(words)
    name = "shop" if is_spam else "colleague"
    return message(
        f"From: {name} {number % 7} <{name}{number % 7}@{name}.example>",
        "To: ada@example.com",
        f"Subject: {' '.join(words[:4])}",
        f"Message-ID: <{number}@{name}.example>",
        "Date: Fri, 15 Jan 2027 08:00:00 +0000",
        "MIME-Version: 1.0",
        body=" ".join(words[4:]) + "\r\n",
    )


def evidence(data):
    """
    Give the evidence of a message.
    """
    return evidence_of(read(data))


def tokens(*groups):
    """
    Give tokens with these keys in the groups, named by their numbers.
    """
    keys = [sorted(set(group)) for group in (*groups, *[()] * (5 - len(groups)))]
    ends = tuple(int(end) for end in np.cumsum([len(group) for group in keys]))
    flat = np.array([key for group in keys for key in group], np.uint32)
    return Tokens(flat, ends, lambda positions: [f"token {at}" for at in positions.tolist()])


def lesson(what, identity, *groups, signals=(), day=20_000):
    """
    Give a lesson with these keys.
    """
    return Lesson(What(what), identity, day, Evidence(tokens(*groups), frozenset(signals)))


def trained(spam=100, ham=200):
    """
    Give what is known after letters of both kinds.
    """
    pending = Pending(Learned.nothing())
    for number in range(max(spam, ham)):
        for is_spam, count in ((True, spam), (False, ham)):
            if number < count:
                what = What.SPAM if is_spam else What.HAM
                identity = 2 * number + is_spam
                pending.apply(Lesson(what, identity, 0, evidence(letter(is_spam, number))))
    return pending.merged(1, 1 << 30)


def prose(number, words=300):
    """
    Give a text of its own.
    """
    dice = random.Random(f"prose {number}")
    return " ".join(f"w{dice.getrandbits(40):x}" for _ in range(words)) + "\r\n"


def page(words="Hello", link="https://a.example.org/t/17?u=ada", tag="p", rows=60):
    """
    Give a message that is a page.
    """
    body = f"<html>{f'<{tag}>{words}</{tag}>' * rows}<a href='{link}'>here</a></html>\r\n"
    return message("Subject: x", "Content-Type: text/html", body=body)


def with_files(*files, body=b"", type="text/plain", of="application/octet-stream", pad=0):
    """
    Give a message with files: of each its name and content.

    @param body: the text; of a message of one part only that.
    @param pad: how long a part stands before them.
    """
    text = body.partition(b"\r\n\r\n")[2].decode() if body else "Hello"
    parts = [f"Content-Type: {type}\r\n\r\n{text}"]
    if pad:
        parts.append("Content-Type: application/x-pad\r\n\r\n" + "pad\r\n" * (pad // 5))
    for name, content in files:
        encoded = base64.encodebytes(content).decode().replace("\n", "\r\n")
        parts.append(
            f'Content-Type: {of}; name="{name}"\r\nContent-Disposition: attachment\r\n'
            f"Content-Transfer-Encoding: base64\r\n\r\n{encoded}"
        )
    inner = "".join(f"--b\r\n{part}\r\n" for part in parts) + "--b--\r\n"
    return message(
        "Subject: x", "MIME-Version: 1.0", 'Content-Type: multipart/mixed; boundary="b"', body=inner
    )
