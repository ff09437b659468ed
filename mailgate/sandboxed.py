"""
What the processes of the sandbox can do: each begins with C{main}, started by L{Sandbox} alone.

@see: L{mailgate.net.sandbox.Sandbox}
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import lru_cache

from attrs import frozen
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from zope.interface import implementer

from mailgate.checks.known import Known
from mailgate.classify.classifier import Classifier, Reader
from mailgate.config.model import Settings
from mailgate.hub import reading
from mailgate.hub.learning import FOLDER
from mailgate.interfaces import ISandbox, Protection
from mailgate.judging import make_pipeline
from mailgate.message.dissect.question import JOB as DISSECT
from mailgate.message.look import JOB as LOOK
from mailgate.message.look import look
from mailgate.net.serving import Work, serve
from mailgate.pipeline.content import JOB, decode_question, encode_answer
from mailgate.pipeline.engine import Pipeline
from mailgate.pipeline.inside import judge_content
from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads, immediate_result

PROGRAM = __name__
"""What L{mailgate.net.sandbox.Sandbox} is told to run."""

DOCUMENTS = 50
"""
Of how many messages a process looks into the attachments. One that a file has taken over can say
of the files of those that follow what it likes; what is seen without the sandbox is seen, but that
a file is encrypted.
"""


def judge(value: bytes) -> bytes:
    """
    Judge the content of a message as the gateway would.
    """
    question = decode_question(value)
    pipeline, learned = _judge_of(question.settings)
    immediate_result(learned.refresh())
    return encode_answer(judge_content(pipeline.plan, question, pipeline.seconds))


@lru_cache(maxsize=1)
def _judge_of(text: str) -> tuple[Pipeline, Reader]:
    """
    Make what judges by a configuration, and what reads what was learned.
    """
    settings, threads = Settings.model_validate_json(text), ImmediateThreads()
    classifier = Classifier()
    learned = Reader(classifier, settings.data / FOLDER, Files(), threads)
    known = Known(classifier=classifier)
    here = Here()
    return make_pipeline(settings, known, threads, Clock(), time.time, sandbox=here), learned


def dissect(value: bytes) -> bytes:
    """
    Look into files with parsers that others have written.
    """
    # Most of these processes never have such a job, and what it needs takes time and memory.
    from mailgate.message.dissect.work import dissect as dissect_them

    return dissect_them(value)


@implementer(ISandbox)
@frozen(eq=False)
class Here:
    """
    The sandbox for whoever is in it already.
    """

    protections: frozenset[Protection] | None = None
    problem: str = ""

    def run(self, job: str, value: bytes, seconds: float) -> Deferred[bytes]:
        """
        Do a job at once. If it kills this process, that of the whole message dies.
        """
        return maybeDeferred(JOBS[job], value)


JOBS: Mapping[str, Work] = {JOB: judge, DISSECT: dissect, LOOK: look, **reading.JOBS}
"""All jobs there are, by their names."""


def main(arguments: Sequence[str]) -> None:
    """
    Do these jobs.
    """
    serve(JOBS, arguments)
