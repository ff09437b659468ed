"""
What another server has found of a message, as the values of SPF, DKIM and DMARC that would be found
here. Whether that server is believed is for others to know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from mailgate.authentication.dkim import Dkim, DkimResult
from mailgate.authentication.dmarc import Dmarc, DmarcResult, Identifier
from mailgate.authentication.dmarc_record import Policy
from mailgate.authentication.domain import canonical
from mailgate.authentication.results import AuthenticationResults, MethodResult, parse
from mailgate.authentication.spf import Identity, Spf, SpfResult

FIELDS = 20
"""How many fields are read."""

_SPF_NAMES = {"hardfail": "fail"}  # of RFC 5451
_SPF = {each.value: each for each in SpfResult}
_DKIM = {each.value: each for each in DkimResult}
_POLICIES = {each.value: each for each in Policy}


def read_trusted(
    values: Sequence[bytes], is_believed: Callable[[str], bool]
) -> AuthenticationResults | None:
    """
    Give what the one server found that is believed and took the message over first: of all on the
    way only that one saw the client and what the sender had signed.

    @param values: those of the fields, in their order in the message: the last is the first that
        was written.
    @param is_believed: tells it of an C{authserv-id}, which is C{""} where the field begins with
        none, as Exchange Online writes it.
    """
    found: AuthenticationResults | None = None
    for value in reversed(values[-FIELDS:]):
        # Without a server, what it begins with is a result.
        read = parse(value) or parse(b'""; ' + value)
        if read is None or not is_believed(read.server):
            continue
        if found is None:
            found = read
        elif read.server.lower() == found.server.lower():
            found = AuthenticationResults(found.server, (*found.results, *read.results))
    return found


def take_spf(taken: AuthenticationResults) -> Spf | None:
    """
    Give what was found of the sender, or C{None} where nothing was that says of whom it is.
    """
    for each in _of(taken, "spf"):
        result = _SPF.get(_SPF_NAMES.get(each.result, each.result))
        if result is None:
            continue
        for name, identity in (("mailfrom", Identity.MAIL_FROM), ("helo", Identity.HELO)):
            for value in each.values("smtp", name):
                domain = canonical(value.rpartition("@")[2])
                if domain is not None:
                    return Spf(result, identity, domain, _reason(taken))
    return None


def take_dkim(taken: AuthenticationResults) -> Sequence[Dkim] | None:
    """
    Give what was found of signatures; C{None} where nobody has looked for them.
    """
    seen = list(_of(taken, "dkim"))
    if not seen:
        return None
    found = []
    for each in seen:
        result = _DKIM.get(each.result)
        domain = next(filter(None, map(canonical, _domains(each))), "")
        if result is None or (result is DkimResult.PASS and not domain):
            continue
        found.append(
            Dkim(
                result,
                domain,
                _first(each, "header", "s"),
                _reason(taken),
                is_verified=result is DkimResult.PASS,
                algorithm=_first(each, "header", "a"),
                value=_first(each, "header", "b"),
            )
        )
    return found


def take_dmarc(taken: AuthenticationResults, author: str) -> tuple[Dmarc, bool] | None:
    """
    Give what was found of the author's domain, and whether the policy of that is known; C{None}
    where nothing was found, or not for good, or of another domain.
    """
    for each in _of(taken, "dmarc"):
        named = [canonical(value.rpartition("@")[2]) for value in each.values("header", "from")]
        if not author or author not in named:
            continue
        if each.result == "pass":
            vouched = Identifier("dmarc", author, True)
            return Dmarc(DmarcResult.PASS, author, _reason(taken), aligned=(vouched,)), True
        if each.result in ("none", "bestguesspass"):  # the second is Exchange Online's
            return Dmarc(DmarcResult.NONE, author, _reason(taken)), True
        if each.result == "fail":
            policy = _policy(each)
            failed = Dmarc(DmarcResult.FAIL, author, _reason(taken), policy or Policy.NONE)
            return failed, policy is not None
    return None


def _of(taken: AuthenticationResults, method: str) -> Iterable[MethodResult]:
    return (each for each in taken.results if each.method == method and each.version == 1)


def _reason(taken: AuthenticationResults) -> str:
    return f"the relay {taken.server} has found so" if taken.server else "the relay has found so"


def _domains(result: MethodResult) -> Iterable[str]:
    yield from result.values("header", "d")
    for value in result.values("header", "i"):
        yield value.rpartition("@")[2]


def _first(result: MethodResult, type: str, name: str) -> str:
    value = next(iter(result.values(type, name)), "")
    return value if value.isprintable() and value.isascii() else ""


def _policy(result: MethodResult) -> Policy | None:
    """
    Give what the owner asks for, where it is named (RFC 9989 section 9.1, and what others write).
    """
    for type, name in (("polrec", "p"), ("policy", "dmarc"), ("policy", "p")):
        for value in result.values(type, name):
            if value.lower() in _POLICIES:
                return _POLICIES[value.lower()]
    return None
