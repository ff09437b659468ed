"""
Tests of L{mailgate.net.sandbox}, with processes that do what they are told to.
"""

import sys

from attrs import define, field
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailgate.interfaces import (
    ISandbox,
    Protection,
    SandboxDied,
    SandboxFailed,
    SandboxTimeout,
    SandboxUnavailable,
)
from mailgate.net.confinement import Limits
from mailgate.net.sandbox import IDLE_SECONDS, LINE, PAUSES, START_SECONDS, Sandbox
from mailgate.net.sandboxed import ANSWER_LIMIT
from mailgate.net.serving import ANSWER, REQUEST, What
from tests.pipeline.events import events

ALL = ",".join(Protection).encode()


@define(eq=False)
class Process:
    """
    A process of the operating system, as its protocol sees it.
    """

    protocol: object
    command: list
    options: dict
    written: bytes = b""
    is_killed: bool = False
    is_gone: bool = False

    def write(self, data):
        """
        Take a request.
        """
        self.written += data

    def signalProcess(self, name):
        """
        Take a signal.
        """
        if self.is_gone:
            raise ProcessExitedAlready
        self.is_killed = name == "KILL"

    def say(self, what, value=b""):
        """
        Answer.
        """
        self.protocol.outReceived(ANSWER.pack(what, len(value)) + value)

    def ready(self, active=ALL):
        """
        Be ready.
        """
        self.say(What.READY, active)

    def end(self, reason=None):
        """
        Be gone.
        """
        self.is_gone = True
        self.protocol.processEnded(Failure(reason or ProcessDone(0)))

    def asked(self):
        """
        Give the requests that have come so far.
        """
        requests, rest = [], self.written
        while rest:
            name, length = REQUEST.unpack_from(rest)
            rest = rest[REQUEST.size :]
            requests.append((rest[:name].decode(), rest[name : name + length]))
            rest = rest[name + length :]
        return requests


@define(eq=False)
class Machine(Clock):
    """
    A reactor that starts such processes.
    """

    processes: list = field(factory=list)
    error: OSError | None = None

    def __attrs_pre_init__(self):
        super().__init__()

    def spawnProcess(self, protocol, executable, args, **options):
        """
        Start one.
        """
        if self.error is not None:
            raise self.error
        process = Process(protocol, args, options)
        self.processes.append(process)
        protocol.makeConnection(process)
        return process


class SandboxTests(SynchronousTestCase):
    """
    Tests of L{Sandbox}.
    """

    def setUp(self):
        """
        Begin without any process.
        """
        self.machine = Machine()

    def sandbox(self, **options):
        """
        Make a sandbox.
        """
        return Sandbox(self.machine, "a.program", **options)

    def begun(self, sandbox, value=b"value", seconds=10):
        """
        Give a job that has begun, and its process.
        """
        running = sandbox.run("job", value, seconds)
        process = self.machine.processes[-1]
        if not process.asked():
            process.ready()
        self.assertEqual(process.asked()[-1], ("job", value))
        return running, process

    def test_job(self):
        """
        A process is started for the first job; it is told the job once it is ready, and what it
        answers is the result.
        """
        sandbox = self.sandbox(limits=Limits(2048, 7))
        self.assertTrue(ISandbox.providedBy(sandbox))
        self.assertEqual(self.machine.processes, [])
        running = sandbox.run("judge", b"a message", 10)
        (process,) = self.machine.processes
        self.assertEqual(process.asked(), [])
        self.assertIs(sandbox.protections, None)
        process.ready()
        self.assertEqual(sandbox.protections, frozenset(Protection))
        self.assertEqual(process.asked(), [("judge", b"a message")])
        self.assertNoResult(running)
        process.say(What.DONE, b"a verdict")
        self.assertEqual(self.successResultOf(running), b"a verdict")

    def test_command(self):
        """
        A process is this Python, apart from its environment, and is told the program and its
        limits.
        """
        self.sandbox(limits=Limits(2048, 7)).run("job", b"", 10)
        (process,) = self.machine.processes
        self.assertEqual(process.command[:3], [sys.executable, "-I", "-B"])
        self.assertEqual(process.command[-3:], ["a.program", "2048", "7"])
        self.assertEqual(process.options["env"], {"OPENBLAS_NUM_THREADS": "1"})
        self.assertNotIn("childFDs", process.options)

    def test_pieces(self):
        """
        An answer may come in pieces.
        """
        running, process = self.begun(self.sandbox())
        answer = ANSWER.pack(What.DONE, 5) + b"12345"
        for at in range(len(answer)):
            self.assertNoResult(running)
            process.protocol.outReceived(answer[at : at + 1])
        self.assertEqual(self.successResultOf(running), b"12345")

    def test_one_at_a_time(self):
        """
        A process does one job after the other; who comes while all are busy waits in line.
        """
        sandbox = self.sandbox()
        first, process = self.begun(sandbox, b"1")
        second, third = (sandbox.run("job", value, 10) for value in (b"2", b"3"))
        self.assertEqual(len(process.asked()), 1)
        for number, running in enumerate((first, second, third), 1):
            process.say(What.DONE, b"%d" % number)
            self.assertEqual(self.successResultOf(running), b"%d" % number)
        self.assertEqual([value for _, value in process.asked()], [b"1", b"2", b"3"])
        self.assertEqual(len(self.machine.processes), 1)

    def test_size(self):
        """
        There are no more processes than may be, and no more than there are jobs.
        """
        sandbox = self.sandbox(size=2)
        running = [sandbox.run("job", b"%d" % number, 10) for number in range(3)]
        first, second = self.machine.processes
        second.ready()
        first.ready()
        self.assertEqual((first.asked(), second.asked()), ([("job", b"1")], [("job", b"0")]))
        second.say(What.DONE)
        self.assertEqual(second.asked()[1:], [("job", b"2")])
        self.successResultOf(running[0])

    def test_used_up(self):
        """
        A process that has done as many jobs as it may is killed, and another one does the next;
        so is one that says it has lived long enough.
        """
        for options, what in (({"jobs": 2}, What.DONE), ({}, What.LAST)):
            self.machine = Machine()
            sandbox = self.sandbox(**options)
            for number in range(2):
                running, process = self.begun(sandbox)
                self.assertIs(process, self.machine.processes[0])
                process.say(what if number else What.DONE)
                self.successResultOf(running)
            self.assertTrue(process.is_killed)
            with events() as told:
                process.end(ProcessTerminated(None, 9))
            self.assertEqual(told, [])
            running, process = self.begun(sandbox)
            self.assertEqual(len(self.machine.processes), 2)

    def test_idle(self):
        """
        A process for which there has been nothing to do for a while is ended.
        """
        sandbox = self.sandbox()
        _, process = self.begun(sandbox)
        process.say(What.DONE)
        self.machine.advance(IDLE_SECONDS - 1)
        self.begun(sandbox, seconds=300)
        self.machine.advance(IDLE_SECONDS)
        self.assertFalse(process.is_killed)
        process.say(What.DONE)
        self.machine.advance(IDLE_SECONDS)
        self.assertTrue(process.is_killed)
        self.assertEqual(self.machine.getDelayedCalls(), [])

    # -- what goes wrong --------------------------------------------------------------------

    def test_death(self):
        """
        A job whose process dies fails with how it died; the next job has another process at once.
        """
        ways = (
            (ProcessTerminated(None, 6), "it was killed by SIGABRT"),
            (ProcessTerminated(3, None, 768), "it ended with status 3"),
            (ProcessDone(0), "it ended"),
        )
        for reason, words in ways:
            sandbox = self.sandbox()
            running, process = self.begun(sandbox)
            waiting = sandbox.run("job", b"next", 10)
            with events() as told:
                process.end(reason)
            failure = self.failureResultOf(running, SandboxDied)
            self.assertEqual(str(failure.value), words)
            self.assertEqual([each["event"] for each in told], ["sandbox.died"])
            self.machine.processes[-1].ready()
            self.machine.processes[-1].say(What.DONE, b"fine")
            self.assertEqual(self.successResultOf(waiting), b"fine")

    def test_failure(self):
        """
        A job that has broken fails with what its process says, made fit for a line, and the process
        is trusted with no other.
        """
        running, process = self.begun(self.sandbox())
        with events() as told:
            process.say(What.FAILED, b"ValueError: no\n\x1b[31mnumber" + b"x" * 1000)
        words = str(self.failureResultOf(running, SandboxFailed).value)
        self.assertTrue(words.startswith("ValueError: no\ufffd\ufffd[31mnumber"))
        self.assertEqual(len(words), 500)
        self.assertEqual([each["event"] for each in told], ["sandbox.failed"])
        self.assertTrue(process.is_killed)

    def test_time(self):
        """
        A process whose job takes too long is killed; what it says afterwards is not heard.
        """
        sandbox = self.sandbox()
        running, process = self.begun(sandbox, seconds=10)
        self.machine.advance(9.9)
        self.assertNoResult(running)
        with events() as told:
            self.machine.advance(0.1)
        self.failureResultOf(running, SandboxTimeout)
        self.assertEqual([each["event"] for each in told], ["sandbox.late"])
        self.assertTrue(process.is_killed)
        process.say(What.DONE, b"late")
        another, fresh = self.begun(sandbox)
        process.say(What.DONE, b"later")
        process.end(ProcessTerminated(None, 9))
        self.assertNoResult(another)
        fresh.say(What.DONE, b"right")
        self.assertEqual(self.successResultOf(another), b"right")

    def test_waiting_too_long(self):
        """
        A job waits for half its time at most, and has what is left for itself; one that has not
        begun is not held to be guilty of anything.
        """
        sandbox = self.sandbox()
        first, _ = self.begun(sandbox, seconds=6)
        late = sandbox.run("job", b"late", 8)
        patient = sandbox.run("job", b"patient", 16)
        self.machine.advance(4)
        self.failureResultOf(late, SandboxUnavailable)
        with events():
            self.machine.advance(2)
        self.failureResultOf(first, SandboxTimeout)
        (_, process) = self.machine.processes
        process.ready()
        self.assertEqual(process.asked(), [("job", b"patient")])
        self.machine.advance(9)
        self.assertNoResult(patient)
        with events():
            self.machine.advance(1)
        self.failureResultOf(patient, SandboxTimeout)

    def test_line(self):
        """
        Only so many jobs may wait.
        """
        sandbox = self.sandbox()
        waiting = [sandbox.run("job", b"", 10) for _ in range(LINE)]
        self.failureResultOf(sandbox.run("job", b"", 10), SandboxUnavailable)
        self.machine.processes[0].ready()
        self.assertNoResult(sandbox.run("job", b"", 10))
        for each in waiting:
            self.assertNoResult(each)

    def test_cancelling(self):
        """
        To cancel a job that has begun kills its process; one that waits is forgotten.
        """
        sandbox = self.sandbox()
        running, process = self.begun(sandbox)
        waiting = sandbox.run("job", b"waiting", 10)
        waiting.cancel()
        self.failureResultOf(waiting)
        running.cancel()
        self.failureResultOf(running)
        self.assertTrue(process.is_killed)
        process.end(ProcessTerminated(None, 9))
        self.assertEqual(self.machine.getDelayedCalls(), [])
        self.begun(sandbox, b"next")

    def test_nonsense(self):
        """
        A process that says what no process says is killed: an answer of too many bytes or of a kind
        that is not known, a second word that it is ready.
        """
        for said in (
            ANSWER.pack(What.DONE, ANSWER_LIMIT + 1),
            ANSWER.pack(200, 0),
            ANSWER.pack(What.READY, len(ALL)) + ALL,
        ):
            running, process = self.begun(self.sandbox())
            with events() as told:
                process.protocol.outReceived(said)
            self.failureResultOf(running, SandboxDied)
            self.assertEqual([each["event"] for each in told], ["sandbox.died"])
            self.assertTrue(process.is_killed)

    def test_unasked(self):
        """
        A process that answers where nothing was asked is killed.
        """
        _, process = self.begun(self.sandbox())
        with events() as told:
            process.protocol.outReceived(ANSWER.pack(What.DONE, 0) * 2)
        self.assertEqual([each["event"] for each in told], ["sandbox.died"])
        self.assertTrue(process.is_killed)

    def test_words(self):
        """
        What a process writes beside its answers is told line by line, made fit for a log, and only
        so much of it.
        """
        running, process = self.begun(self.sandbox())
        with events() as told:
            process.protocol.errReceived(b"one\ntw")
            process.protocol.errReceived(b"o\x1b\nthree\xff")
            process.end()
        self.failureResultOf(running, SandboxDied)
        texts = [each["text"] for each in told if each["event"] == "sandbox.wrote"]
        self.assertEqual(texts, ["one", "two\ufffd", "three\ufffd"])
        _, process = self.begun(self.sandbox())
        with events() as told:
            for _ in range(1000):
                process.protocol.errReceived(b"x" * 99 + b"\n")
        self.assertEqual(len(told), 163)

    # -- starting and ending ----------------------------------------------------------------

    def test_not_started(self):
        """
        When a process dies before it is ready, is not ready in time, says something else, or cannot
        be started, the next try comes after a pause that grows; a job waits for it.
        """

        def cannot_start():
            self.machine.error = OSError(11, "no more processes")

        trouble = (
            lambda process: process.end(ProcessTerminated(1, None, 256)),
            lambda process: self.machine.advance(START_SECONDS),
            lambda process: process.say(What.DONE),
            lambda process: process.ready(b"nonsense"),
        )
        sandbox = self.sandbox()
        running = sandbox.run("job", b"", 2000)
        for at, makes in enumerate(trouble):
            with events() as told:
                makes(self.machine.processes[-1])
            (event,) = told
            pause = PAUSES[min(at, len(PAUSES) - 1)]
            self.assertEqual(event["event"], "sandbox.not_started")
            self.assertEqual(event["seconds"], pause)
            self.machine.advance(pause - 0.1)
            self.assertEqual(len(self.machine.processes), at + 1)
            if at == len(trouble) - 1:
                cannot_start()
                with events() as told:
                    self.machine.advance(0.2)
                self.assertEqual([each["event"] for each in told], ["sandbox.not_started"])
                self.machine.error = None
                self.machine.advance(PAUSES[-1])
            else:
                self.machine.advance(0.2)
            self.assertEqual(len(self.machine.processes), at + 2)
        self.machine.processes[-1].ready()
        self.machine.processes[-1].say(What.DONE, b"at last")
        self.assertEqual(self.successResultOf(running), b"at last")

    def test_proven(self):
        """
        Once a process was ready, the pauses begin anew.
        """
        sandbox = self.sandbox()
        running = sandbox.run("job", b"", 1000)
        for _ in range(2):
            with events():
                self.machine.processes[-1].end()
            self.machine.advance(PAUSES[1])
        self.machine.processes[-1].ready()
        with events():
            self.machine.processes[-1].end()
        self.failureResultOf(running, SandboxDied)
        sandbox.run("job", b"", 1000)
        with events() as told:
            self.machine.processes[-1].end()
        self.assertEqual(told[0]["seconds"], PAUSES[0])

    def test_probe(self):
        """
        A probe starts a process to find out what holds it, once.
        """
        sandbox = self.sandbox()
        probes = [sandbox.probe(), sandbox.probe()]
        (process,) = self.machine.processes
        process.ready()
        for probe in (*probes, sandbox.probe()):
            self.assertEqual(self.successResultOf(probe), frozenset(Protection))
        self.assertEqual(len(self.machine.processes), 1)
        self.assertTrue(process.is_killed)

    def test_probe_with_work(self):
        """
        A process that was started for a probe does the job that has come meanwhile.
        """
        sandbox = self.sandbox()
        sandbox.probe()
        running = sandbox.run("job", b"", 10)
        (process,) = self.machine.processes
        process.ready()
        process.say(What.DONE, b"done")
        self.assertEqual(self.successResultOf(running), b"done")
        self.assertFalse(process.is_killed)

    def test_probe_failing(self):
        """
        Where no process can be started, a probe fails.
        """
        probe = self.sandbox().probe()
        with events():
            self.machine.processes[0].end(ProcessTerminated(1, None, 256))
        self.failureResultOf(probe, SandboxUnavailable)

    def test_problem(self):
        """
        Why none can be started is known until one has been, which the next probe tries.
        """
        sandbox = self.sandbox()
        self.assertEqual(sandbox.problem, "")
        sandbox.probe()
        self.machine.processes[-1].ready()
        self.machine.advance(IDLE_SECONDS)
        sandbox.run("job", b"", 10).addErrback(lambda failure: failure.trap(SandboxUnavailable))
        with events():
            self.machine.processes[-1].end(ProcessTerminated(1, None, 256))
            self.machine.advance(10)
            self.machine.processes[-1].end(ProcessTerminated(1, None, 256))
        self.assertEqual(sandbox.problem, "it ended with status 1")
        probe = sandbox.probe()
        self.assertNoResult(probe)
        self.machine.advance(PAUSES[-1])
        self.machine.processes[-1].ready()
        self.assertEqual(self.successResultOf(probe), frozenset(Protection))
        self.assertEqual(sandbox.problem, "")

    def test_weak(self):
        """
        Where the kernel does not allow all protections, an event names those that are missing.
        """
        sandbox = self.sandbox()
        with events() as told:
            for _ in range(2):
                sandbox.run("job", b"", 10)
                self.machine.processes[-1].ready(b"limits,capabilities,privileges")
                self.machine.processes[-1].say(What.LAST)
        self.assertEqual(
            [(each["event"], each["missing"]) for each in told],
            [("sandbox.weak", "network, system calls")],
        )

    def test_closing(self):
        """
        To close ends all processes and jobs, fires when they are gone, and nothing begins any more.
        """
        sandbox = self.sandbox(size=2)
        running, _ = self.begun(sandbox)
        starting = sandbox.run("job", b"", 10)
        waiting = sandbox.run("job", b"", 10)
        closing = sandbox.close()
        for each in (running, starting, waiting, sandbox.run("job", b"", 10), sandbox.close()):
            if each is not closing:
                self.failureResultOf(each, SandboxUnavailable)
        first, second = self.machine.processes
        self.assertTrue(first.is_killed and second.is_killed)
        first.end(ProcessTerminated(None, 9))
        self.assertNoResult(closing)
        second.end(ProcessTerminated(None, 9))
        self.successResultOf(closing)
        self.assertEqual(self.machine.getDelayedCalls(), [])

    def test_closing_in_a_pause(self):
        """
        Where there is no process, to close is done at once.
        """
        sandbox = self.sandbox()
        probe = sandbox.probe()
        with events():
            self.machine.processes[0].end()
        self.failureResultOf(probe, SandboxUnavailable)
        self.successResultOf(sandbox.close())
        self.failureResultOf(sandbox.probe(), SandboxUnavailable)
        self.assertEqual(self.machine.getDelayedCalls(), [])
