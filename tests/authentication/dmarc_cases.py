"""
Cases from the text of RFC 9989 and its appendices, each with its section.

What stands between bars: first the section; then the records, each behind the domain whose it is,
without its version where it has the right one, several of one domain with a plus between; the
author's domain; and what comes of it. A line that begins with a space goes on.
"""

from mailgate.authentication.dmarc import Identifier

WALKS = """
4.10.2 | mail.example.com: p=reject, example.com: p=reject | a.mail.example.com | example.com
4.10.2 | mail.example.com: p=reject; psd=n | a.mail.example.com | mail.example.com
4.10.2 | com: p=reject; psd=y | a.mail.example.com | example.com
4.10.2 1 | mail.example.com: p=reject; psd=n, example.com: p=reject | a.mail.example.com
    | mail.example.com
4.10.2 1 | mail.example.com: p=reject; psd=n, com: p=reject; psd=y | mail.example.com
    | mail.example.com
4.10.2 1 | a.mail.example.com: p=reject; psd=n, example.com: p=reject; psd=n | a.mail.example.com
    | a.mail.example.com
4.10.2 2 | example.com: p=reject; psd=y | mail.example.com | mail.example.com
4.10.2 2 | example.com: p=reject; psd=y, com: p=reject | a.mail.example.com | mail.example.com
4.10.2 2 | mail.example.com: p=reject, example.com: p=reject; psd=y | a.mail.example.com
    | mail.example.com
4.10.2 2 | example.com: p=reject; psd=y, com: p=reject; psd=y | example.com | example.com
4.10.2 3 | example.com: p=reject | example.com | example.com
4.10.2 3 | com: p=reject | a.example.com | com
4.10.2 3 | a.example.com: p=reject | a.example.com | a.example.com
4.10.2 3 | a.b.example.com: p=reject, b.example.com: p=reject | a.b.example.com | b.example.com
4.10.2 | - | a.mail.example.com | a.mail.example.com
4.10 2 | mail.example.com: p=reject; psd=n + p=reject; psd=n, example.com: p=reject
    | mail.example.com | example.com
4.10 6 | example.com: p=reject + !v=DMARC1, com: p=reject; psd=y | a.example.com | example.com
4.10 6 | example.com: !v=spf1 -all + p=reject; psd=n | a.example.com | example.com
4.10 6 | example.com: !p=none; v=DMARC1, com: p=reject; psd=y | a.b.example.com | example.com
4.10 6 | b.example.com: !v=DMARC2; psd=n, example.com: p=reject | a.b.example.com | example.com
4.7 psd | b.example.com: psd=u, example.com: p=reject | a.b.example.com | example.com
4.8 | b.example.com: psd=no, example.com: p=reject | a.b.example.com | example.com
4.10 | c.d.e.f.g.h.example.com: p=reject; psd=n | a.b.c.d.e.f.g.h.example.com
    | a.b.c.d.e.f.g.h.example.com
4.10 | d.e.f.g.h.example.com: p=reject; psd=n | a.b.c.d.e.f.g.h.example.com | d.e.f.g.h.example.com
5.1.8 | b.c.d.e.f.g.example.com: p=reject; psd=n, example.com: p=reject
    | mail.a.b.c.d.e.f.g.example.com | example.com
B.4.1 | example.com: p=reject, signing.example.com: p=reject | signing.example.com | example.com
B.4.2 | example.com: p=reject | a.b.c.d.e.f.g.h.i.j.k.example.com | example.com
B.4.3 | giant.bank.example: p=reject, bank.example: p=reject; psd=y | giant.bank.example
    | giant.bank.example
B.4.3 | giant.bank.example: p=reject, bank.example: p=reject; psd=y | mail.giant.bank.example
    | giant.bank.example
B.4.3 | giant.bank.example: p=reject, bank.example: p=reject; psd=y | mail.mega.bank.example
    | mega.bank.example
"""
"""At last the organizational domain."""

POLICIES = """
4.10.1 author | a.example.com: p=quarantine, example.com: p=reject | a.example.com | -
    | quarantine | a.example.com
4.10.1 author | a.example.com: p=none; sp=reject; np=reject | a.example.com | - | none
    | a.example.com
4.10.1 organization | example.com: p=reject | a.example.com | a.example.com | reject | example.com
4.10.1 organization | b.example.com: p=none, example.com: p=reject | a.b.example.com
    | a.b.example.com | reject | example.com
4.10.1 suffix | com: p=quarantine; psd=y | a.example.com | a.example.com | quarantine | com
4.10.1 suffix | com: p=reject; psd=y; sp=none | example.com | example.com | none | com
4.10.1 note | example.com: p=none, com: p=reject; psd=y | a.example.com | a.example.com | none
    | example.com
4.7 sp | example.com: p=reject; sp=none | a.example.com | a.example.com | none | example.com
4.7 sp | example.com: p=reject; sp=none | example.com | example.com | reject | example.com
4.7 sp | example.com: p=none; sp=quarantine | b.a.example.com | b.a.example.com | quarantine
    | example.com
4.7 np | example.com: p=none; np=reject | a.example.com | - | reject | example.com
4.7 np | example.com: p=none; np=reject | a.example.com | a.example.com | none | example.com
4.7 np | example.com: p=none; sp=quarantine; np=reject | a.example.com | a.example.com
    | quarantine | example.com
4.7 np | example.com: p=none; sp=quarantine | a.example.com | - | quarantine | example.com
4.7 np | example.com: p=quarantine | a.example.com | - | quarantine | example.com
3.2.13 | example.com: p=none; np=reject | a.example.com | x.a.example.com | none | example.com
4.7 t | example.com: p=reject; t=y | example.com | - | quarantine | example.com
4.7 t | example.com: p=quarantine; t=y | example.com | - | none | example.com
4.7 t | example.com: p=none; t=y | example.com | - | none | example.com
4.7 t | example.com: p=none; sp=reject; t=y | a.example.com | a.example.com | quarantine
    | example.com
4.7 t | example.com: p=none; np=quarantine; t=y | a.example.com | - | none | example.com
4.7 t | example.com: p=reject; t=n | example.com | - | reject | example.com
4.10.1 | example.com: p=block; rua=mailto:a@example.com | example.com | - | none | example.com
4.10.1 | example.com: p=reject; sp=block; rua=mailto:a@example.com | example.com | - | none
    | example.com
4.10.1 | example.com: p=reject; np=; rua=mailto:a@example.com | example.com | - | reject
    | example.com
4.7 p | example.com: rua=mailto:a@example.com | example.com | - | none | example.com
4.7 p | example.com: !v=DMARC1;P=REJECT | example.com | - | reject | example.com
4.5 | example.com: p=none; rua=mailto:dmarc-feedback@example.com | example.com | - | none
    | example.com
B.2.5
    | test.example.com: p=quarantine; rua=mailto:a@example.com,mailto:b@example.net; t=y
    | test.example.com | - | none | test.example.com
B.2.5
    | test.example.com: p=reject; rua=mailto:a@example.com,mailto:b@example.net
    | test.example.com | - | reject | test.example.com
B.4.1 | example.com: p=reject, signing.example.com: p=reject | example.com | - | reject
    | example.com
B.4.2 | example.com: p=reject | a.b.c.d.e.f.g.h.i.j.k.example.com | - | reject | example.com
B.4.3 | giant.bank.example: p=quarantine, bank.example: p=reject; psd=y | giant.bank.example | -
    | quarantine | giant.bank.example
B.4.3 | giant.bank.example: p=quarantine, bank.example: p=reject; psd=y | mega.bank.example
    | mega.bank.example | reject | bank.example
"""
"""Then names that exist; the policy; where the record is."""

NO_POLICIES = """
4.10.1 | - | a.example.com
4.10 2 | example.com: p=reject + p=reject | example.com
4.7 v | example.com: !v=dmarc1; p=reject | example.com
4.7 v | example.com: !p=reject | example.com
4.7 v | example.com: !v=DMARC1 p=reject | example.com
4.7 v | example.com: !v=DMARC11; p=reject | example.com
4.10.1 | example.com: p=block | example.com
4.10.1 | example.com: p=reject; sp=block | a.example.com
4.10.1 | example.com: p=reject; np=block; rua=none | example.com
4.10.1 | a.example.com: !v=DMARC1, example.com: p=reject | a.example.com
5.1.8 | b.c.d.e.f.g.example.com: p=reject; psd=n | mail.a.b.c.d.e.f.g.example.com
"""
"""There is no record that applies."""

ALIGNMENTS = """
4.4 table | example.com: p=reject | news.example.com | spf foo.example.com | aligned
4.4 table | example.com: p=reject | news.example.com | spf news.example.com | aligned
4.4 table | example.com: p=reject | news.example.com | spf foo.example.net | apart
4.4 | example.com: p=reject | news.example.com | dkim NEWS.Example.COM. | aligned
B.1.1 1 | example.com: p=reject; aspf=s | example.com | spf example.com | aligned
B.1.1 2 | example.com: p=reject | example.com | spf child.example.com | aligned
B.1.1 2 | example.com: p=reject; aspf=s | example.com | spf child.example.com | apart
B.1.1 3 | example.com: p=reject | child.example.com | spf example.net | apart
B.1.2 1 | example.com: p=reject; adkim=s | example.com | dkim example.com | aligned
B.1.2 2 | example.com: p=reject | child.example.com | dkim example.com | aligned
B.1.2 2 | child.example.com: p=reject; adkim=s | child.example.com | dkim example.com | apart
B.1.2 3 | example.com: p=reject | child.example.com | dkim example.net | apart
4.7 aspf | example.com: p=reject; aspf=s | example.com | dkim child.example.com | aligned
4.7 adkim | example.com: p=reject; adkim=s | example.com | spf child.example.com | aligned
4.8 | example.com: p=reject; adkim=x | example.com | dkim child.example.com | aligned
B.3.1 | example.com: p=reject; aspf=r | example.com | spf mail.example.com | aligned
B.3.1 | example.com: p=reject; aspf=r | example.com | dkim example.com | aligned
B.4.1 | example.com: p=reject, signing.example.com: p=reject | example.com | spf example.com
    | aligned
B.4.1 | example.com: p=reject, signing.example.com: p=reject | example.com
    | dkim signing.example.com | aligned
B.4.2 | example.com: p=reject, signing.example.com: p=reject | a.b.c.d.e.f.g.h.i.j.k.example.com
    | spf example.com | aligned
B.4.2 | example.com: p=reject, signing.example.com: p=reject | a.b.c.d.e.f.g.h.i.j.k.example.com
    | dkim signing.example.com | aligned
B.4.3 | giant.bank.example: p=reject, bank.example: p=reject; psd=y | giant.bank.example
    | spf mail.giant.bank.example | aligned
B.4.3 | giant.bank.example: p=reject, bank.example: p=reject; psd=y | giant.bank.example
    | dkim mail.mega.bank.example | apart
B.4.3 | giant.bank.example: p=reject, bank.example: p=reject; psd=y | giant.bank.example
    | dkim bank.example | apart
4.10.2 note | mail.example.com: p=reject | mail.example.com | spf mail.example.com | aligned
4.10.2 note | com: p=reject; psd=y | com | spf com | aligned
11.8 | example.com: p=reject | example.com | spf evil.example.com | aligned
11.8 | mail.example.com: p=reject; psd=n, example.com: p=reject | evil.example.com
    | spf mail.example.com | apart
11.8 | example.com: p=reject; psd=n, com: p=reject | example.com | dkim evil.com | apart
4.10.2 3 | example.com: p=reject, com: p=reject | example.com | dkim evil.com | aligned
4.4 | example.com: p=reject | example.com | dkim notexample.com | apart
4.4 | example.com: p=reject | example.com | dkim com | apart
4.4 | example.com: p=reject | example.com | dkim . | apart
4.4.1 | example.com: p=reject | example.com | dkim example.com failed | apart
4.4.2 | example.com: p=reject | example.com | spf example.com failed | apart
"""
"""Then who has passed or failed; whether that is aligned."""


def cases(table):
    """
    Give the cases of a table, each with its records read.
    """
    for line in table.strip().replace("\n ", " ").splitlines():
        section, records, *rest = (part.strip() for part in line.split("|"))
        yield section, _records(records), *rest


def identifier(text):
    """
    Read who has passed or failed.
    """
    method, domain, *failed = text.split(" ")
    return Identifier(method, domain, has_passed=not failed)


def _records(text):
    if text == "-":
        return {}
    return {
        domain: [
            record[1:] if record.startswith("!") else f"v=DMARC1; {record}"
            for record in records.split(" + ")
        ]
        for domain, _, records in (each.partition(": ") for each in text.split(", "))
    }
