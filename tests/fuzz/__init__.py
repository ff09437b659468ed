"""
Hostile bytes for whatever reads them, chosen by a fuzzer (atheris) that looks for new ways
through the code.

L{tests.fuzz.targets} and L{tests.fuzz.conversation} say what must hold for any bytes.
C{corpus/TARGET/} keeps small inputs from which the fuzzer begins; C{make test} tries each of them
once. C{python -m tests.fuzz} lets the fuzzer run, and tries again what it has found.
"""
