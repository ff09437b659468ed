"""
Messages built as real mail programs build theirs, written for these tests: strictly regular ones.
"""

import random
from base64 import b64encode
from email.message import EmailMessage
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import SMTP, compat32

PDF = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n" + random.Random(4).randbytes(900)
PNG = b"\x89PNG\r\n\x1a\n" + random.Random(5).randbytes(300)


def wrapped(content, width=76):
    """
    Encode bytes in base64.
    """
    text = b64encode(content).decode()
    return "\r\n".join(text[at : at + width] for at in range(0, len(text), width))


def written(text):
    """
    Give a message whose lines stand indented in a test.
    """
    lines = [line[4:] if line.startswith("    ") else line for line in text.strip("\n").split("\n")]
    return (
        "\r\n".join(lines)
        .format(pdf=wrapped(PDF), png=wrapped(PNG), long=wrapped(PDF, 72))
        .encode()
    )


THUNDERBIRD = written("""
    Message-ID: <5a3c4d1e-0f6b-4f0a-9b1c-2d3e4f5a6b7c@example.org>
    Date: Mon, 5 Jan 2026 08:00:01 +0100
    MIME-Version: 1.0
    User-Agent: Mozilla Thunderbird
    Content-Language: de-DE
    To: b@example.com
    From: Ada Lind <a@example.org>
    Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=
    Content-Type: multipart/mixed; boundary="------------0AbCdEfGhIjKlMnOpQrStUv1"

    This is a multi-part message in MIME format.
    --------------0AbCdEfGhIjKlMnOpQrStUv1
    Content-Type: multipart/alternative;
     boundary="------------ZyXwVuTsRqPoNmLkJiHgFeD2"

    --------------ZyXwVuTsRqPoNmLkJiHgFeD2
    Content-Type: text/plain; charset=UTF-8; format=flowed
    Content-Transfer-Encoding: 8bit

    Hallo Bert,

    hier der Plan.

    --\x20
    Ada

    --------------ZyXwVuTsRqPoNmLkJiHgFeD2
    Content-Type: text/html; charset=UTF-8
    Content-Transfer-Encoding: 8bit

    <!DOCTYPE html>
    <html><body><p>Hallo Bert,</p></body></html>

    --------------ZyXwVuTsRqPoNmLkJiHgFeD2--

    --------------0AbCdEfGhIjKlMnOpQrStUv1
    Content-Type: application/pdf; name="=?UTF-8?B?UGzDpG5lLnBkZg==?="
    Content-Disposition: attachment; filename*=UTF-8''Pl%C3%A4ne.pdf
    Content-Transfer-Encoding: base64

    {pdf}

    --------------0AbCdEfGhIjKlMnOpQrStUv1--
    """)

THUNDERBIRD_LONG_NAME = written("""
    From: Ada Lind <a@example.org>
    Subject: a long name
    Content-Type: multipart/mixed; boundary="------------0AbCdEfGhIjKlMnOpQrStUv1"

    This is a multi-part message in MIME format.
    --------------0AbCdEfGhIjKlMnOpQrStUv1
    Content-Type: text/plain; charset=UTF-8; format=flowed
    Content-Transfer-Encoding: 7bit

    x

    --------------0AbCdEfGhIjKlMnOpQrStUv1
    Content-Type: application/pdf;
     name="=?UTF-8?Q?Ein_sehr_langer_Name_f=C3=BCr_eine_Datei=2C_die_an_einem_Brie?=
     =?UTF-8?Q?f_h=C3=A4ngt=2Epdf?="
    Content-Disposition: attachment;
     filename*0*=UTF-8''%45%69%6E%20%73%65%68%72%20%6C%61%6E%67%65%72%20%4E%61%6D%65%20%66;
     filename*1*=%C3%BC%72%20%65%69%6E%65%20%44%61%74%65%69%2C%20%64%69%65%20%61%6E%20;
     filename*2*=%65%69%6E%65%6D%20%42%72%69%65%66%20%68%C3%A4%6E%67%74%2E%70%64%66
    Content-Transfer-Encoding: base64

    {pdf}

    --------------0AbCdEfGhIjKlMnOpQrStUv1--
    """)

OUTLOOK = written("""
    From: "Ada Lind" <a@example.org>
    To: "Bert" <b@example.com>
    Subject: Plan
    Date: Mon, 5 Jan 2026 08:00:01 +0100
    Message-ID: <000001dc7e0a$1b2c3d40$5184b7c0$@example.org>
    MIME-Version: 1.0
    Content-Type: multipart/mixed;
    \tboundary="----=_NextPart_000_0001_01DC7E12.7D0F6A40"
    X-Mailer: Microsoft Outlook 16.0
    Thread-Index: Adx+Chm0
    Content-Language: en-us

    This is a multipart message in MIME format.

    ------=_NextPart_000_0001_01DC7E12.7D0F6A40
    Content-Type: multipart/related;
    \tboundary="----=_NextPart_001_0002_01DC7E12.7D0F6A40"

    ------=_NextPart_001_0002_01DC7E12.7D0F6A40
    Content-Type: multipart/alternative;
    \tboundary="----=_NextPart_002_0003_01DC7E12.7D0F6A40"

    ------=_NextPart_002_0003_01DC7E12.7D0F6A40
    Content-Type: text/plain;
    \tcharset="us-ascii"
    Content-Transfer-Encoding: 7bit

    Here is the plan.

    ------=_NextPart_002_0003_01DC7E12.7D0F6A40
    Content-Type: text/html;
    \tcharset="us-ascii"
    Content-Transfer-Encoding: quoted-printable

    <html><body lang=3DEN-US>Here is the plan.<img =
    src=3D"cid:image001.png@01DC7E12.7D0F6A40"></body></html>

    ------=_NextPart_002_0003_01DC7E12.7D0F6A40--

    ------=_NextPart_001_0002_01DC7E12.7D0F6A40
    Content-Type: image/png;
    \tname="image001.png"
    Content-Transfer-Encoding: base64
    Content-ID: <image001.png@01DC7E12.7D0F6A40>

    {png}

    ------=_NextPart_001_0002_01DC7E12.7D0F6A40--

    ------=_NextPart_000_0001_01DC7E12.7D0F6A40
    Content-Type: application/pdf;
    \tname="The plan.pdf"
    Content-Transfer-Encoding: base64
    Content-Disposition: attachment;
    \tfilename="The plan.pdf"

    {pdf}

    ------=_NextPart_000_0001_01DC7E12.7D0F6A40--

    """)

EXCHANGE = written("""
    From: Ada Lind <a@example.org>
    To: Bert <b@example.com>
    Subject: Plan
    Content-Type: multipart/mixed;
    \tboundary="_004_DB7PR04MB1234ABCDEF0123456789DB7PR04MB1234eurp_"
    MIME-Version: 1.0
    X-MS-Exchange-Transport-CrossTenantHeadersStamped: DB7PR04MB1234

    --_004_DB7PR04MB1234ABCDEF0123456789DB7PR04MB1234eurp_
    Content-Type: multipart/alternative;
    \tboundary="_000_DB7PR04MB1234ABCDEF0123456789DB7PR04MB1234eurp_"

    --_000_DB7PR04MB1234ABCDEF0123456789DB7PR04MB1234eurp_
    Content-Type: text/plain; charset="iso-8859-1"
    Content-Transfer-Encoding: quoted-printable

    Sch=F6ne Gr=FC=DFe

    --_000_DB7PR04MB1234ABCDEF0123456789DB7PR04MB1234eurp_
    Content-Type: text/html; charset="iso-8859-1"
    Content-Transfer-Encoding: quoted-printable

    <html><body>Sch=F6ne Gr=FC=DFe</body></html>

    --_000_DB7PR04MB1234ABCDEF0123456789DB7PR04MB1234eurp_--

    --_004_DB7PR04MB1234ABCDEF0123456789DB7PR04MB1234eurp_
    Content-Type: application/pdf; name="plan.pdf"
    Content-Description: plan.pdf
    Content-Disposition: attachment; filename="plan.pdf"; size=900;
    \tcreation-date="Mon, 05 Jan 2026 07:00:00 GMT";
    \tmodification-date="Mon, 05 Jan 2026 07:00:01 GMT"
    Content-Transfer-Encoding: base64

    {pdf}

    --_004_DB7PR04MB1234ABCDEF0123456789DB7PR04MB1234eurp_--
    """)

APPLE_MAIL = written("""
    From: Ada Lind <a@example.org>
    Content-Type: multipart/alternative;
    \tboundary="Apple-Mail=_0B1C2D3E-4F50-6172-8394-A5B6C7D8E9F0"
    Mime-Version: 1.0 (Mac OS X Mail 16.0 \\(3826.700.81\\))
    Subject: Plan
    Message-Id: <0B1C2D3E@example.org>
    Date: Mon, 5 Jan 2026 08:00:01 +0100
    To: b@example.com
    X-Mailer: Apple Mail (2.3826.700.81)


    --Apple-Mail=_0B1C2D3E-4F50-6172-8394-A5B6C7D8E9F0
    Content-Transfer-Encoding: 7bit
    Content-Type: text/plain;
    \tcharset=us-ascii

    Here is the plan.


    --Apple-Mail=_0B1C2D3E-4F50-6172-8394-A5B6C7D8E9F0
    Content-Type: multipart/mixed;
    \tboundary="Apple-Mail=_F0E9D8C7-B6A5-9483-7261-504F3E2D1C0B"


    --Apple-Mail=_F0E9D8C7-B6A5-9483-7261-504F3E2D1C0B
    Content-Transfer-Encoding: 7bit
    Content-Type: text/html;
    \tcharset=us-ascii

    <html><body>Here is the plan.</body></html>
    --Apple-Mail=_F0E9D8C7-B6A5-9483-7261-504F3E2D1C0B
    Content-Disposition: inline;
    \tfilename=plan.pdf
    Content-Type: application/pdf;
    \tx-unix-mode=0644;
    \tname="plan.pdf"
    Content-Transfer-Encoding: base64

    {long}
    --Apple-Mail=_F0E9D8C7-B6A5-9483-7261-504F3E2D1C0B--

    --Apple-Mail=_0B1C2D3E-4F50-6172-8394-A5B6C7D8E9F0--
    """)

MUTT = written("""
    Date: Mon, 5 Jan 2026 08:00:01 +0100
    From: Ada Lind <a@example.org>
    To: b@example.com
    Subject: signed
    Message-ID: <aVtq0bXk2Zb3Yq4r@example.org>
    MIME-Version: 1.0
    Content-Type: multipart/signed; micalg=pgp-sha512;
    \tprotocol="application/pgp-signature"; boundary="k1BdFSKqAqVdu8k/"
    Content-Disposition: inline
    User-Agent: Mutt/2.2.13 (2024-03-09)


    --k1BdFSKqAqVdu8k/
    Content-Type: multipart/mixed; boundary="zhtSGe8h3+lMyY1M"
    Content-Disposition: inline


    --zhtSGe8h3+lMyY1M
    Content-Type: text/plain; charset=utf-8
    Content-Disposition: inline
    Content-Transfer-Encoding: quoted-printable

    Hallo,=20

    hier.

    --zhtSGe8h3+lMyY1M
    Content-Type: application/pdf
    Content-Disposition: attachment; filename*=utf-8''Pl%C3%A4ne.pdf
    Content-Transfer-Encoding: base64

    {pdf}

    --zhtSGe8h3+lMyY1M--

    --k1BdFSKqAqVdu8k/
    Content-Type: application/pgp-signature; name="signature.asc"

    -----BEGIN PGP SIGNATURE-----

    iQIzBAEBCgAdFiEEabcdefghijklmnopqrstuvwxyz
    =abcd
    -----END PGP SIGNATURE-----

    --k1BdFSKqAqVdu8k/--
    """)

GMAIL = written("""
    MIME-Version: 1.0
    From: Ada Lind <a@example.org>
    Date: Mon, 5 Jan 2026 08:00:01 +0100
    Message-ID: <CAF0abc@mail.example.org>
    Subject: Plan
    To: b@example.com
    Content-Type: multipart/mixed; boundary="00000000000012345606478a9b0c"

    --00000000000012345606478a9b0c
    Content-Type: multipart/alternative; boundary="00000000000012345506478a9b0a"

    --00000000000012345506478a9b0a
    Content-Type: text/plain; charset="UTF-8"

    Here is the plan.

    --00000000000012345506478a9b0a
    Content-Type: text/html; charset="UTF-8"

    <div dir="ltr">Here is the plan.</div>

    --00000000000012345506478a9b0a--
    --00000000000012345606478a9b0c
    Content-Type: application/pdf; name="plan.pdf"
    Content-Disposition: attachment; filename="plan.pdf"
    Content-Transfer-Encoding: base64
    Content-ID: <f_mjz0abcd0>
    X-Attachment-Id: f_mjz0abcd0

    {pdf}
    --00000000000012345606478a9b0c--
    """)

JAVA = written("""
    Date: Mon, 5 Jan 2026 08:00:01 +0100 (CET)
    From: shop@example.org
    To: b@example.com
    Message-ID: <1234567890.3.1767596401000@shop>
    Subject: Your order
    MIME-Version: 1.0
    Content-Type: multipart/mixed;\x20
    \tboundary="----=_Part_2_1234567890.1767596400999"

    ------=_Part_2_1234567890.1767596400999
    Content-Type: multipart/related;\x20
    \tboundary="----=_Part_1_987654321.1767596400998"

    ------=_Part_1_987654321.1767596400998
    Content-Type: text/html;charset=UTF-8
    Content-Transfer-Encoding: quoted-printable

    <p>Danke f=C3=BCr Ihre Bestellung</p>
    ------=_Part_1_987654321.1767596400998
    Content-Type: image/png
    Content-Transfer-Encoding: base64
    Content-Disposition: inline
    Content-ID: <logo>

    {png}
    ------=_Part_1_987654321.1767596400998--

    ------=_Part_2_1234567890.1767596400999
    Content-Type: application/pdf; name=invoice.pdf
    Content-Transfer-Encoding: base64
    Content-Disposition: attachment; filename=invoice.pdf

    {pdf}
    ------=_Part_2_1234567890.1767596400999--
    """)

PHP = written("""
    Date: Mon, 5 Jan 2026 08:00:01 +0100
    To: Bert <b@example.com>
    From: Shop <shop@example.org>
    Subject: Invoice
    Message-ID: <abcdefghijklmnopqrstuvwxyz0123456789@example.org>
    X-Mailer: PHPMailer 6.9.1 (https://github.com/PHPMailer/PHPMailer)
    MIME-Version: 1.0
    Content-Type: multipart/mixed;
     boundary="b1_abcdefghijklmnopqrstuvwxyz0123456789"
    Content-Transfer-Encoding: 8bit

    This is a multi-part message in MIME format.

    --b1_abcdefghijklmnopqrstuvwxyz0123456789
    Content-Type: multipart/alternative;
     boundary="b2_abcdefghijklmnopqrstuvwxyz0123456789"

    --b2_abcdefghijklmnopqrstuvwxyz0123456789
    Content-Type: text/plain; charset=utf-8

    Your invoice.


    --b2_abcdefghijklmnopqrstuvwxyz0123456789
    Content-Type: text/html; charset=utf-8

    <b>Your invoice.</b>


    --b2_abcdefghijklmnopqrstuvwxyz0123456789--

    --b1_abcdefghijklmnopqrstuvwxyz0123456789
    Content-Type: application/pdf; name="=?utf-8?Q?Rechnung_f=C3=BCr_Bert.pdf?="
    Content-Transfer-Encoding: base64
    Content-Disposition: attachment;
     filename="=?utf-8?Q?Rechnung_f=C3=BCr_Bert.pdf?="

    {pdf}


    --b1_abcdefghijklmnopqrstuvwxyz0123456789--
    """)

NODEMAILER = written("""
    Content-Type: multipart/mixed; boundary="--_NmP-0123456789abcdef-Part_1"
    From: Shop <shop@example.org>
    To: b@example.com
    Subject: =?UTF-8?Q?Best=C3=A4tigung?=
    Message-ID: <01234567-89ab-cdef-0123-456789abcdef@example.org>
    Date: Mon, 05 Jan 2026 07:00:01 +0000
    MIME-Version: 1.0

    ----_NmP-0123456789abcdef-Part_1
    Content-Type: multipart/alternative;
     boundary="--_NmP-0123456789abcdef-Part_2"

    ----_NmP-0123456789abcdef-Part_2
    Content-Type: text/plain; charset=utf-8
    Content-Transfer-Encoding: 7bit

    Confirmed.
    ----_NmP-0123456789abcdef-Part_2
    Content-Type: text/html; charset=utf-8
    Content-Transfer-Encoding: 7bit

    <b>Confirmed.</b>
    ----_NmP-0123456789abcdef-Part_2--

    ----_NmP-0123456789abcdef-Part_1
    Content-Type: application/pdf;
     name="=?UTF-8?Q?Best=C3=A4tigung=2Epdf?="
    Content-Transfer-Encoding: base64
    Content-Disposition: attachment;
     filename*0*=utf-8''Best%C3%A4tigung.pdf

    {pdf}
    ----_NmP-0123456789abcdef-Part_1--
    """)

DELIVERY_NOTICE = written("""
    Date: Mon,  5 Jan 2026 08:00:01 +0100 (CET)
    From: MAILER-DAEMON@mail.example.org (Mail Delivery System)
    Subject: Undelivered Mail Returned to Sender
    To: a@example.org
    Auto-Submitted: auto-replied
    MIME-Version: 1.0
    Content-Type: multipart/report; report-type=delivery-status;
    \tboundary="4dLXyz1abc.1767596401/mail.example.org"
    Message-Id: <20260105070001.0123456789@mail.example.org>

    This is a MIME-encapsulated message.

    --4dLXyz1abc.1767596401/mail.example.org
    Content-Description: Notification
    Content-Type: text/plain; charset=us-ascii

    This is the mail system at host mail.example.org.

    --4dLXyz1abc.1767596401/mail.example.org
    Content-Description: Delivery report
    Content-Type: message/delivery-status

    Reporting-MTA: dns; mail.example.org

    Final-Recipient: rfc822; b@example.com
    Action: failed
    Status: 5.1.1

    --4dLXyz1abc.1767596401/mail.example.org
    Content-Description: Undelivered Message
    Content-Type: message/rfc822

    From: a@example.org
    Subject: x
    Content-Type: multipart/alternative; boundary="Apple-Mail=_1"

    --Apple-Mail=_1
    Content-Type: text/plain

    x
    --Apple-Mail=_1--

    --4dLXyz1abc.1767596401/mail.example.org--
    """)

MAILING_LIST = written("""
    From: Ada Lind <a@example.org>
    Subject: [list] footer
    MIME-Version: 1.0
    Content-Type: multipart/mixed; boundary="===============1234567890123456789=="

    --===============1234567890123456789==
    Content-Type: multipart/alternative; boundary="000000000000abcdef0123456789"

    --000000000000abcdef0123456789
    Content-Type: text/plain; charset="UTF-8"

    words

    --000000000000abcdef0123456789--

    --===============1234567890123456789==
    Content-Type: text/plain; charset="us-ascii"
    MIME-Version: 1.0
    Content-Transfer-Encoding: 7bit
    Content-Disposition: inline

    _______________________________________________
    list mailing list -- list@example.org

    --===============1234567890123456789==--
    """)

OLD_LIST = THUNDERBIRD + b"\r\n\r\n-- \r\nlist@example.org\r\nhttps://example.org/list\r\n"
"""A list that writes its footer behind the last part."""

PLAIN = written("""
    From: a@example.org
    Subject: a plain one
    Date: Mon, 5 Jan 2026 08:00:01 +0100

    Just words,
    to begin with.
    """)


def _digest():
    """
    Give a digest of two messages.
    """
    field = b'Content-Type: multipart/digest; boundary="==next=="'
    top = b"From: l@example.org\r\nMIME-Version: 1.0\r\n" + field + b"\r\n\r\n"
    each = b"--==next==\r\n\r\n"
    return top + each + PLAIN + b"\r\n" + each + PLAIN + b"\r\n--==next==--\r\n"


def _python():
    """
    Give what Python's modern interface writes.
    """
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = "a@example.org", "b@example.com", "Grüße"
    message.set_content("Schöne Grüße\n")
    message.add_alternative("<p>Schöne <b>Grüße</b></p>", subtype="html")
    message.add_attachment(PDF, "application", "pdf", filename="Grüße.pdf")
    message.add_attachment(PNG, "image", "png", filename="a.png")
    return message.as_bytes()


def _python_old():
    """
    Give what Python's old interface writes.
    """
    message = MIMEMultipart(_subparts=None)
    message["From"], message["Subject"] = "a@example.org", "x"
    message.attach(MIMEText("Schöne Grüße", "plain", "utf-8"))
    pdf = MIMEApplication(PDF, "pdf")
    pdf.add_header("Content-Disposition", "attachment", filename="plan.pdf")
    message.attach(pdf)
    return message.as_bytes(policy=compat32.clone(linesep="\r\n"))


PROGRAMS = {
    "Thunderbird": THUNDERBIRD,
    "Thunderbird, a long name": THUNDERBIRD_LONG_NAME,
    "Outlook": OUTLOOK,
    "Exchange": EXCHANGE,
    "Apple Mail": APPLE_MAIL,
    "mutt": MUTT,
    "Gmail": GMAIL,
    "Java": JAVA,
    "PHPMailer": PHP,
    "nodemailer": NODEMAILER,
    "notice of a mail server": DELIVERY_NOTICE,
    "mailing list": MAILING_LIST,
    "mailing list of old": OLD_LIST,
    "digest": _digest(),
    "plain": PLAIN,
    "Python": _python(),
    "Python of old": _python_old(),
}
"""By the name of the program."""
