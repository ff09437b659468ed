"""
The readers of the wire and of messages, each with what must hold for any bytes.

A target takes the bytes of one input and raises when something does not hold: L{Broken}, or
whatever a reader raised that it must not.
"""

from contextlib import suppress
from ipaddress import ip_address

from attrs import astuple

from mailgate.authentication import arc, dmarc_record, results, spf_record
from mailgate.authentication.author import author
from mailgate.authentication.canonical import BodyHasher, Form
from mailgate.authentication.dkim import Verification
from mailgate.authentication.domain import canonical
from mailgate.authentication.key import parse_key
from mailgate.authentication.lookups import as_text, is_name
from mailgate.authentication.macro import EXPLANATION_LIMIT
from mailgate.authentication.macro import NAME_LIMIT as EXPANDED_LIMIT
from mailgate.authentication.tags import TagError
from mailgate.classify.words import TEXT_LIMIT, normalise, split
from mailgate.delivery.answer import passed_on
from mailgate.delivery.body import LineEnds, Unclean, encode
from mailgate.message import look, mime
from mailgate.message.archive import Caps, File, Opener
from mailgate.message.embedded import embedded
from mailgate.message.filetype import file_type
from mailgate.message.header import Headers, decode
from mailgate.message.inside.signs import (
    DETAIL_LIMIT,
    LEAD_LIMIT,
    LEADS_LIMIT,
    SIGNS_LIMIT,
)
from mailgate.message.links import LIMIT, places_of
from mailgate.message.look import decode_seen, encode_texts
from mailgate.message.mailbox import list_id, mailboxes
from mailgate.message.message import MemoryMessage
from mailgate.message.mime.readings import read_all
from mailgate.message.mime.stdlib import can_be_read, read_stdlib
from mailgate.message.passwords import passwords_of
from mailgate.message.seen import seen_of
from mailgate.message.text import CHARSETS
from mailgate.message.tnef import read_tnef
from mailgate.message.urls import parse_link, spans_of_links
from mailgate.wire import xtext
from mailgate.wire.base64 import b64encode, strict_b64decode
from mailgate.wire.data import ChunkReader, DotStuffer, LineEndMender
from mailgate.wire.dns.answer import AAAA, MX, NS, PTR, TXT, A, Records
from mailgate.wire.dns.message import HEADER_SIZE, Fit, Malformed, fit, pack_question, read_reply
from mailgate.wire.dns.name import NAME_LIMIT, normal_text, pack_name, unpack_name
from mailgate.wire.parameters import (
    MAIL_KEYWORDS,
    RCPT_KEYWORDS,
    mail_parameters,
    rcpt_parameters,
)
from mailgate.wire.replies import read_ehlo
from mailgate.wire.saslprep import saslprep
from mailgate.wire.scram import ClientFinal, ClientFirst, ScramError, ScramVerifier
from mailgate.wire.smtp import (
    literal_address,
    parse_bdat,
    parse_command,
    parse_greeting,
    parse_mail,
    parse_rcpt,
)
from mailgate.wire.xclient import parse_xclient, parse_xforward
from tests.authentication.given import value_of as run
from tests.fuzz.conversation import Conversations
from tests.fuzz.oracle import check, choice_of, pieces, value_of
from tests.net.zones import Zones
from tests.wire import test_data, test_proxy, test_replies
from tests.wire.test_data import plain_reading, strays

RECORD_TYPES = (A, AAAA, MX, NS, PTR, TXT)
OFFERED = frozenset((*MAIL_KEYWORDS.values(), *RCPT_KEYWORDS.values()))


def command(data):
    """
    A command is refused with 500, or can be printed; each argument is refused, or is read anew
    as the same from what an upstream would be told.
    """
    choice, line = choice_of(data)
    read = value_of(parse_command, line + b"\r\n", bool(choice & 1), codes=(500,))
    if read is None:
        return
    check(read.verb.isascii() and read.verb.isalpha() and read.verb.isupper(), read)
    argument = read.argument
    check(argument.isprintable(), read)
    chunk = value_of(parse_bdat, argument)
    check(chunk is None or 0 <= chunk[0] < 10**20, chunk)
    value_of(parse_greeting, argument)
    literal_address(argument)
    path = value_of(parse_mail, argument, codes=(501, 550))
    if path is not None:
        said = value_of(mail_parameters, path.parameters, OFFERED, codes=(501, 555))
        told = {}
        if said is not None and said.envid:
            told["ENVID"] = said.envid
        _see_told(parse_mail, "FROM", path.address, told)
    path = value_of(parse_rcpt, argument, codes=(501, 550))
    if path is not None:
        said = value_of(rcpt_parameters, path.parameters, OFFERED, codes=(501, 555))
        told = {}
        if said is not None and said.notify:
            told["NOTIFY"] = said.notify
        if said is not None and said.orcpt:
            told["ORCPT"] = said.orcpt
        _see_told(parse_rcpt, "TO", path.address, told)


def _see_told(parse, keyword, address, told):
    words = "".join(f" {name}={value}" for name, value in told.items())
    anew = parse(f"{keyword}:<{address}>{words}")
    check((anew.address, anew.parameters) == (address, told), address, told, anew)
    check(address.host == address.host.lower() and str(address).isprintable(), address)


def data(data):
    """
    The end of DATA, its content and its stray bytes are those of a plain reading, however the
    bytes are cut, and the content goes out as it came in.
    """
    choice, wire = choice_of(data)
    outcomes = []
    for cut in ([wire], pieces(wire, choice)):
        reader, content, rest = test_data.read(cut)
        counts = reader.bare_cr, reader.bare_lf, reader.nul
        outcomes.append((content, reader.finished, reader.finished and rest, counts, reader.size))
    check(outcomes[0] == outcomes[1], outcomes)
    content, finished, rest, counts, size = outcomes[0]
    expected = plain_reading(wire)
    check(finished == (expected is not None), wire)
    check(size == len(content), size)
    if expected is not None:
        check((content, rest) == expected, content, rest)
        check(counts == strays(content), counts)
        stuffer = DotStuffer()
        stuffed = b"".join(map(stuffer.encode, pieces(content, choice))) + stuffer.finish()
        check(plain_reading(stuffed) == (content, b""), stuffed)


def chunks(data):
    """
    The content of BDAT is given as it is, its stray bytes are counted in any chunking, line
    ends are mended in any, and only what is clean goes out, so that it is read as it was.
    """
    choice, content = choice_of(data)
    cut = pieces(content, choice)
    reader, mender, ends = ChunkReader(), LineEndMender(), LineEnds()
    read = mended = b""
    is_clean = True
    for chunk in cut:
        reader.announce(len(chunk), False)
        block = reader.feed(chunk + b"rest")
        check(reader.rest == b"rest" or not chunk, reader.rest)
        read += block
        mended += mender.feed(block)
        try:
            ends.feed(block)
        except Unclean:
            is_clean = False
    reader.announce(0, True)
    mended += mender.finish()
    cr, lf, nul = strays(content)
    check((read, reader.finished, reader.size) == (content, True, len(content)), read)
    check((reader.bare_cr, reader.bare_lf, reader.nul) == (cr, lf, nul), content)
    check(strays(mended) == (0, 0, nul), mended)
    check(mended.split(b"\r\n") == _lines(content), mended)
    message = MemoryMessage(tuple(cut))
    try:
        ends.finish()
        wire = b"".join(encode(message))
    except Unclean:
        is_clean = False
    check(is_clean == reader.is_clean, content)
    if is_clean:
        whole = content if content.endswith(b"\r\n") or not content else content + b"\r\n"
        check(plain_reading(wire) == (whole, b""), wire)


def _lines(content):
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")


def proxy(data):
    """
    A header of the PROXY protocol gives proper addresses and what came behind it, however the
    bytes are cut.
    """
    choice, data = choice_of(data)
    whole = test_proxy.read(data)
    check(test_proxy.read(*pieces(data, choice)) == whole, whole)
    if isinstance(whole, tuple):
        header, _ = whole
        for address in filter(None, (header.source, header.destination)):
            check(str(ip_address(address)) == address, header)
        check(bool(header.source) == bool(header.destination), header)
        check(0 <= header.source_port < 65536 and 0 <= header.destination_port < 65536, header)


def xclient(data):
    """
    XCLIENT and XFORWARD are refused with 501, or give what can be printed; xtext is refused, or
    is written so that it is read as the same.
    """
    argument = data.decode("utf-8", "replace")
    for parse in (parse_xclient, parse_xforward):
        said = value_of(parse, argument)
        for value in filter(None, astuple(said) if said is not None else ()):
            check(str(value).isprintable(), said)
        if said is not None:
            for address in filter(None, (said.addr, said.destaddr)):
                check(str(ip_address(address)) == address, said)
            check(all((port or 0) in range(65536) for port in (said.port, said.destport)), said)
    try:
        text = xtext.decode(argument)
    except ValueError:
        return
    check(xtext.decode(xtext.encode(text)) == text, text)


def replies(data):
    """
    The replies of an upstream are the same however the bytes are cut, hold printable ASCII, and
    can be passed on as one reply each.
    """
    choice, data = choice_of(data)
    whole = test_replies.parse(data)
    check(test_replies.parse(*pieces(data, choice)) == whole, whole)
    for reply in whole[0]:
        check(200 <= reply.code < 600, reply)
        check(reply.text.isascii() and reply.text.replace("\n", "").isprintable(), reply)
        size = read_ehlo(reply).size
        check(size is None or size > 0, size)
        if 300 <= reply.code < 400:
            # Never passed on: it is asked for, or nonsense.
            continue
        told = passed_on(reply)
        wire = told.encode()
        check(all(len(line) <= 512 for line in wire.splitlines(keepends=True)), wire)
        again, error, is_amid = test_replies.parse(wire)
        check((len(again), error, is_amid) == (1, "", False), wire)
        check((again[0].code, again[0].enhanced) == (told.code, told.enhanced), wire)


def log_in(data):
    """
    What a client says to log in is refused as it must be, or read; base64 and verifiers have one
    form.
    """
    for parse in (ClientFirst.parse, ClientFinal.parse):
        with suppress(ScramError):
            parse(data)
    with suppress(ValueError):
        check(b64encode(strict_b64decode(data)) == data, data)
    text = data.decode("utf-8", "replace")
    with suppress(ScramError):
        check(str(ScramVerifier.parse(text)) == text, text)
    with suppress(ValueError):
        check(saslprep(text) != "", text)


def message(data):
    """
    The reader of messages never raises, keeps its limits, and names places that exist.
    """
    limits = mime.Limits(depth=5, parts=20, text=2000, lines=100, names=5)
    headers = Headers.parse(data)
    for values in headers.fields.values():
        for value in values:
            decode(value)
            mailboxes(value, 10)
            list_id(value)
    parsed = mime.read(data, limits)
    check(len(parsed.parts) <= limits.parts, len(parsed.parts))
    for part in parsed.parts:
        check(0 <= part.begin <= part.end <= len(data), part)
        check(part.depth <= limits.depth and len(part.names) <= limits.names, part)
        mime.decoded(part, data, limits.text)
    check(sum(len(text.characters) for text in parsed.texts) <= limits.text, parsed.texts)
    text = parsed.text
    for begin, end in spans_of_links(text):
        check(0 <= begin < end <= len(text), begin, end)
        parse_link(text[begin:end])


def readings(data):
    """
    No reading of a message raises, each keeps its limits, and a message that is strictly regular
    is read as the same by Python's own parser. The readers of files in text and in C{winmail.dat}
    never raise either.
    """
    limits = mime.Limits(depth=5, parts=20, text=2000, lines=100, names=50)
    parsed = mime.read(data, limits)
    every = read_all(data, parsed, limits)
    check(len(every.all) == 1 or not parsed.is_regular, parsed.doubts)
    for each in every.enclosed:
        content = each.decoded(100)
        check(len(content) <= 100, each)
        check(0 <= each.part.begin <= each.part.end <= len(each.data), each)
    for reading in every.all:
        check(len(reading.enclosed) <= limits.parts + 1, reading.words)
    for text in (*every.hidden_texts, *(name for e in every.enclosed for name in e.part.names)):
        text.encode("utf-8")
    if parsed.is_regular and can_be_read(data):
        theirs = read_stdlib(data, limits)
        ours = [part for part in parsed.attachments if not part.type.startswith("multipart/")]
        check(len(theirs) == len(ours), theirs, ours)
    for file in (*read_tnef(data, 10).files, *embedded(data).found):
        check(file is not None, data)


_CHARSETS = sorted(CHARSETS)
_HEAD = b"Content-Type: text/%b; charset=%b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"


def text(data):
    """
    A text or a page, in any character set, has characters that can be written as UTF-8; what it
    shows and where it leads is bounded, and is the same in another process.
    """
    choice, content = choice_of(data)
    kind = (b"html", b"plain")[choice % 2]
    charset = _CHARSETS[choice // 2 % len(_CHARSETS)]
    parsed = mime.read(_HEAD % (kind, charset.encode()) + content)
    for each in parsed.texts:
        each.characters.encode("utf-8")
    seen, there = seen_of(parsed.texts), decode_seen(look.look(encode_texts(parsed.texts)))
    check((seen.plain, seen.pages) == (there.plain, there.pages), seen, there)
    found = places_of(seen)
    check(len(found.places) <= LIMIT, found)
    for place in found.places:
        for link in place.all:
            check(link.host == link.host.lower(), link)
    for shown in (seen.plain, seen.page.text, parsed.text):
        words = normalise(shown)
        check(len(words) <= 2 * TEXT_LIMIT, words)
        split(words)


NAMES = ("a.bin", "a.html", "a.csv", "a.ics", "a.docx", "a.eml", "a.url")


def files(data):
    """
    An attachment, whatever it is called, is opened and looked into within the limits, and all that
    is seen can be written as UTF-8.
    """
    choice, content = choice_of(data)
    caps = Caps(depth=3, files=20, unpacked_bytes=100_000)
    opener = Opener(caps)
    name = NAMES[choice % len(NAMES)]
    opener.open(content, File((name,), file_type(content)))
    look = opener.inspector.look
    check(len(opener.files) <= caps.files + 1, opener.files)
    check(len(look.signs) <= SIGNS_LIMIT and len(look.leads) <= LEADS_LIMIT + 1, look)
    for sign in look.signs:
        check(len(sign.detail) <= DETAIL_LIMIT, sign)
        sign.detail.encode("utf-8")
    for lead in look.leads:
        check(len(lead) <= LEAD_LIMIT, lead)
        lead.encode("utf-8")
    for word in passwords_of(content.decode("latin-1")):
        check(3 <= len(word) <= 64, word)


def dns(data):
    """
    A reply of a DNS server is read or refused. What is read can be shown, and names are read back
    as the same ones.
    """
    choice, rest = choice_of(data)
    type = RECORD_TYPES[choice % len(RECORD_TYPES)]
    question = pack_question(pack_name("www.example.com"), type)
    reply = rest[:HEADER_SIZE] + question + rest[HEADER_SIZE:]
    if fit(reply, question) is not Fit.SAME:
        return
    try:
        read = read_reply(reply, question, type)
    except Malformed as error:
        check(str(error), reply)
        return
    check(0 <= read.seconds < 2**31, read)
    check(not read.alias or pack_name(unpack_name(read.alias)) == read.alias, read)
    for value in read.answer.values if isinstance(read.answer, Records) else ():
        name = getattr(value, "host", value)
        if isinstance(name, str):
            check(name.isascii() and name.isprintable() and normal_text(name) == name, name)
            check(len(pack_name(name)) <= NAME_LIMIT, name)


def authentication(data):
    """
    What a domain publishes, and what a header claims, is read or not; names that come of it can be
    asked for, and results that are written anew are read as the same.
    """
    choice, text = choice_of(data)
    (_spf, _dmarc, _from, _results, _signature, _chain)[choice % 6](text)


def _spf(text):
    try:
        record = spf_record.parse(text)
    except spf_record.RecordError as error:
        check(str(error).isprintable() and str(error).isascii(), error)
        return
    values = dict.fromkeys("slodiphvcrt", text[:80].decode("latin-1"))
    written = [each.target for each in record.mechanisms] + [record.redirect, record.explanation]
    for each in filter(None, written):
        name = each.name(values)
        check(len(name) <= EXPANDED_LIMIT, name)
        check(len(each.explanation(values)) <= EXPLANATION_LIMIT, each)
        if is_name(name):
            pack_name(as_text(name))


def _dmarc(text):
    record = dmarc_record.parse(b"v=DMARC1;" + text)
    check(record is not None, text)
    check(all(uri.isascii() and uri.isprintable() for uri in record.aggregate), record)


def _from(text):
    read = author(text)
    check(bool(read.domain) != bool(read.problem), read)
    check(not read.domain or canonical(read.domain) == read.domain, read)


def _results(text):
    read = results.parse(text)
    if read is None:
        return
    field = results.write(read)
    check(field.isascii() and field.count(b"\r\n") == len(field.splitlines()), field)
    value = Headers.parse(field + b"\r\n").values(results.FIELD)
    check(len(value) == 1, field)
    anew = results.parse(value[0])
    check(anew is not None, field)
    said = [[(each.method, each.result) for each in one.results] for one in (read, anew)]
    check(said[0] == said[1], said)


def _signature(text):
    record, _, value = text.partition(b"\n")
    with suppress(TagError):
        key = parse_key(record)
        check(key is None or not key.has_signed(value, bytes(32)), record)
    forms = Verification(b"DKIM-Signature:" + value + b"\r\nFrom: a\r\n\r\n").forms
    check(all(size > 0 for size in _sizes(forms, text)), text)


def _chain(text):
    section, end, body = text.partition(b"\r\n\r\n")
    verification = arc.ChainVerification(section + end)
    hasher = BodyHasher(verification.forms)
    hasher.update(body)
    found = run(verification.result(Zones(), 0, hasher.finish()))
    check(found.result in ("none", "fail") and found.reason.isprintable(), found)


def _sizes(forms, body):
    """
    Make sure that the hashes of a body are the same however it is cut, and give the sizes of its
    simple form.
    """
    hashes = []
    for cut in ([body], pieces(body, len(body) % 256)):
        hasher = BodyHasher([Form(False), Form(True), Form(True, 3), *forms])
        for piece in cut:
            hasher.update(piece)
        hashes.append(hasher.finish())
    check(hashes[0] == hashes[1], body)
    return [each[Form(False)].size for each in hashes]


def targets(folder):
    """
    Give all targets by their names.

    @param folder: an empty one, for spool files.
    """
    return {
        each.__name__: each
        for each in (
            command,
            data,
            chunks,
            proxy,
            xclient,
            replies,
            log_in,
            message,
            readings,
            text,
            files,
            dns,
            authentication,
        )
    } | {"conversation": Conversations(folder)}
