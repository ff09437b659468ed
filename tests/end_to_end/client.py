"""
What a sending client does: send, and believe nothing but a 250.
"""

import smtplib
from email.message import EmailMessage
from email.utils import formatdate, make_msgid


def make_message(subject="hello", body="text of a message\r\n", **headers):
    """
    Make a proper message; give its Message-ID and its bytes.
    """
    message = EmailMessage()
    message["From"] = "Sender <sender@example.org>"
    message["To"] = "ada@example.com"
    message["Subject"] = subject
    message["Date"] = formatdate(localtime=True)
    message["Message-ID"] = identity = make_msgid(domain="client.example.org")
    for name, value in headers.items():
        message[name] = value
    message.set_content(body)
    return identity, message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def send(port, content, recipients=("ada@example.com",), sender="sender@example.org"):
    """
    Send one message; tell whether all of it was taken over (250 to the dot).

    @raise smtplib.SMTPResponseException: it was refused.
    """
    try:
        with smtplib.SMTP("127.0.0.1", port, "client.example.org", timeout=60) as client:
            client.sendmail(sender, recipients, content)
            return True
    except (smtplib.SMTPServerDisconnected, OSError) as error:
        # smtplib's other exceptions are OSErrors too, and are replies.
        if isinstance(error, smtplib.SMTPException) and not isinstance(
            error, smtplib.SMTPServerDisconnected
        ):
            raise
        return False


def ask_for(port, *recipients):
    """
    Name recipients in one transaction, and give the code and enhanced code for each.
    """
    with smtplib.SMTP("127.0.0.1", port, "client.example.org", 30) as client:
        client.ehlo()
        client.mail("sender@example.org")
        replies = [client.rcpt(recipient) for recipient in recipients]
    return [(code, words.split()[0].decode()) for code, words in replies]
