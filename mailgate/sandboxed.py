"""
What the processes of the sandbox can do: each begins with C{main}, started by L{Sandbox} alone.

@see: L{mailgate.net.sandbox.Sandbox}
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import lru_cache

from twisted.internet.task import Clock

from mailgate.checks.known import Known
from mailgate.classify.classifier import Classifier, Reader
from mailgate.config.model import Settings
from mailgate.hub import reading
from mailgate.hub.learning import FOLDER
from mailgate.judging import make_pipeline
from mailgate.net.serving import Work, serve
from mailgate.pipeline.content import JOB, decode_question, encode_answer
from mailgate.pipeline.engine import Pipeline
from mailgate.pipeline.inside import judge_content
from mailgate.store.files import Files
from mailgate.store.threads import ImmediateThreads, immediate_result

PROGRAM = __name__
"""What L{mailgate.net.sandbox.Sandbox} is told to run."""


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
    return make_pipeline(settings, known, threads, Clock(), time.time), learned


JOBS: Mapping[str, Work] = {JOB: judge, **reading.JOBS}
"""All jobs there are, by their names."""


def main(arguments: Sequence[str]) -> None:
    """
    Do these jobs.
    """
    serve(JOBS, arguments)
