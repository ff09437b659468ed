"""
Tests of L{mailgate.checks.phishing}.
"""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from mailgate.checks.phishing import PhishingCheck
from mailgate.finding import Finding, Result
from mailgate.interfaces import Contact
from mailgate.message.links import places_of
from mailgate.message.mime import read
from mailgate.verdict import Kind
from mailgate.wire.address import Address
from tests.checks.authentic import authenticated
from tests.checks.given import settings, view_of_message
from tests.net.zones import Zones

FIRST = Contact("eve@example.org")
PEOPLE = ({"name": "Jane Doe", "addresses": ("jane.doe@private.example",)},)

LEGITIMATE = {
    "a newsletter by a service, with links that are counted": (
        "From: Example Shop <news@example-shop.test>\r\nSubject: New shoes\r\n"
        "List-Unsubscribe: <https://click.esp.test/u/ada%40example.com>\r\n",
        ("https://click.esp.test/1", "https://click.esp.test/u?e=ada@example.com"),
    ),
    "a signature in somebody's name": (
        'From: "Jane Doe via DocuSign" <dse@docusign.net>\r\nSubject: Please sign\r\n'
        "Reply-To: jane.doe@other.test\r\n",
        ("https://www.docusign.net/sign",),
    ),
    "a mailing list that writes for its members": (
        "From: \"'jane.doe@example.com' via team\" <team@lists.test>\r\nSubject: [team] Hi\r\n"
        "To: team@lists.test\r\nReply-To: team@lists.test\r\n",
        (),
    ),
    "a member of a mailing list": (
        "From: Jane Doe via Team <team@lists.test>\r\nSubject: Lunch\r\n",
        (),
    ),
    "an invitation on behalf of somebody": (
        "From: Jane Doe <calendar-notification@google.com>\r\nSender: calendar@google.com\r\n"
        "Subject: Invitation\r\nReply-To: Jane Doe <jane.doe@private.example>\r\n",
        ("https://calendar.google.com/event",),
    ),
    "an invitation from a network": (
        "From: Jane Doe <invitations@linkedin.com>\r\nSubject: I'd like to connect\r\n",
        ("https://www.linkedin.com/comm/in",),
    ),
    "a department of a university": (
        "From: Anna Novak <anna@cs.uni.test.edu>\r\nReply-To: anna@math.uni.test.edu\r\n"
        "Subject: Seminar\r\n",
        ("https://www.sciencedirect.com.ezproxy.test.edu/x", "https://paypal.com.proxy.uni.edu/"),
    ),
    "PayPal": (
        'From: "service@paypal.de" <service@paypal.de>\r\nSubject: Receipt for your payment\r\n',
        ("https://www.paypal.com/myaccount", "https://epl.paypal-communication.com/T"),
    ),
    "a seller at Amazon": (
        'From: "Gadget Store - Amazon Marketplace" <abc123@marketplace.amazon.de>\r\n'
        "Subject: Your Amazon order\r\n",
        ("https://www.amazon.de/orders",),
    ),
    "an invoice by Stripe for a shop": (
        'From: "Acme Tools" <invoice+statements@stripe.com>\r\nReply-To: billing@acme.test\r\n'
        "Subject: Your invoice from Acme Tools\r\n",
        ("https://invoice.stripe.com/i/1",),
    ),
    "a dealer": (
        "From: Vodafone Shop Berlin <team@vodafone-shop-berlin.test>\r\n"
        "Subject: Vodafone tariffs\r\n",
        ("https://www.vodafone-shop-berlin.test/",),
    ),
    "a newsletter about a company": (
        "From: Tech News <news@technews.test>\r\nSubject: What Apple and Microsoft do next\r\n",
        ("https://click.esp.test/1",),
    ),
    "a savings bank": (
        "From: Sparkasse Hannover <info@sparkasse-hannover.de>\r\nSubject: Sparkasse\r\n",
        ("https://www.sparkasse-hannover.de/",),
    ),
    "a person with an ordinary name": (
        "From: Chase <chase.miller@gmail.com>\r\nSubject: Lunch\r\n",
        (),
    ),
    "a provider of mail": (
        "From: GMX Magazin <mailings@gmx.net>\r\nSubject: News\r\n",
        ("https://www.gmx.net/",),
    ),
    "a form on a web site": (
        "From: Example Club <www@example-club.test>\r\nReply-To: bob@gmail.com\r\n"
        "Subject: Message from bob@gmail.com\r\n",
        (),
    ),
    "a colleague": (
        "From: Jane Doe <jane.doe@example.com>\r\nSubject: Urgent: invoice\r\n",
        ("https://intranet.example.com/",),
    ),
    "her private address": (
        "From: Jane Doe <jane.doe@private.example>\r\nSubject: Urgent\r\n",
        (),
    ),
    "a notice of a bounce": (
        "From: Mail Delivery System <MAILER-DAEMON@mx.test>\r\nSubject: Undelivered\r\n",
        (),
    ),
}


def message(head, links=()):
    """
    Give a message with a page.
    """
    page = "".join(f'<a href="{link}">here</a> ' for link in links)
    return f"{head}Content-Type: text/html\r\n\r\n<p>Hello</p>{page}\r\n".encode()


class PhishingTests(SynchronousTestCase):
    """
    Tests of L{PhishingCheck}.
    """

    def check(self, head, *links, contact=None, view=None, **options):
        """
        Give the findings about a message.
        """
        check = PhishingCheck.from_settings(
            settings(phishing={"people": PEOPLE, **options}),
        )
        if view is None:
            view = view_of_message(message(head, links))
        if contact is not None:
            finding = Finding("CORRESPONDENT_NEW", 0.0, "New.", fact=contact)
            view._results[-1]["correspondents"] = Result("correspondents", (finding,))
        return check.check(view)

    def found(self, *arguments, **options):
        """
        Give symbols and scores.
        """
        return {each.symbol: each.score for each in self.check(*arguments, **options)}

    def detail(self, symbol, *arguments, **options):
        """
        Give the sentence of a finding.
        """
        (found,) = [f for f in self.check(*arguments, **options) if f.symbol == symbol]
        return found.detail

    def test_legitimate(self):
        """
        None of what honest senders do comes to more than a point.
        """
        for what, (head, links) in LEGITIMATE.items():
            found = self.found(head, *links, contact=FIRST)
            self.assertLessEqual(sum(found.values()), 1.0, f"{what}: {found}")

    def test_nothing(self):
        """
        Most honest mail has no finding at all.
        """
        for what in (
            "a newsletter by a service, with links that are counted",
            "a member of a mailing list",
            "an invitation from a network",
            "a department of a university",
            "PayPal",
            "a seller at Amazon",
            "a savings bank",
            "a person with an ordinary name",
            "a provider of mail",
            "her private address",
            "a notice of a bounce",
        ):
            head, links = LEGITIMATE[what]
            self.assertEqual(self.found(head, *links), {}, what)

    def test_brand(self):
        """
        The name of a company with a domain that is not its own is a finding, in words.
        """
        head = "From: PayPal Service <service@pay.test>\r\n"
        (found,) = self.check(head)
        self.assertEqual((found.symbol, found.score), ("PHISH_BRAND", 2.0))
        self.assertIs(found.kind, Kind.PHISHING)
        self.assertEqual(
            found.detail,
            "The sender's name “PayPal Service” is that of “PayPal”, and its domain “pay.test” is"
            " not.",
        )
        for name in ("Amazon.de Kundenservice", "Apple Support", "P\u0430ypal", "DHL Express"):
            head = f"From: {name} <x@gmail.com>\r\n"
            self.assertEqual(self.found(head), {"PHISH_BRAND": 2.0}, name)

    def test_brand_beside_address(self):
        """
        An address in the name does not hide that the rest is the name of a company.
        """
        head = 'From: "PayPal (service@paypal.com)" <x@gmail.com>\r\n'
        self.assertEqual(self.found(head), {"PHISH_BRAND": 2.0, "PHISH_NAME_ADDRESS": 1.0})

    def test_mentioned(self):
        """
        A name that only speaks of a company, one whose domain has it in it, and a customer of a
        provider count little.
        """
        for head in (
            "From: Friends of Netflix <x@club.test>\r\n",
            "From: Netflix <x@netflix-fans.test>\r\n",
            "From: Google Support <x@gmail.com>\r\n",
        ):
            self.assertEqual(self.found(head), {"PHISH_BRAND_MENTIONED": 0.5}, head)

    def test_subject(self):
        """
        A company in the subject counts where a page leads neither to it nor to the sender.
        """
        head = "From: x@firm.test\r\nSubject: Your Netflix membership\r\n"
        self.assertEqual(self.found(head, "https://evil.test/"), {"PHISH_BRAND_MENTIONED": 0.5})
        self.assertEqual(self.found(head, "https://www.netflix.com/"), {})
        self.assertEqual(self.found(head, "https://evil.test/", "https://www.firm.test/"), {})
        self.assertEqual(self.found(head), {})

    def test_unclear_author(self):
        """
        Where From can be read in several ways each of them must be the company's.
        """
        head = "From: PayPal <service@paypal.com> <x@evil.test>\r\n"
        self.assertIn("PHISH_BRAND", self.found(head))

    def test_person(self):
        """
        The name of one of our people at a foreign address is a finding, in words.
        """
        head = "From: Doe, Jane <jane.doe@gmail.com>\r\n"
        (found,) = self.check('From: "Doe, Jane" <jane.doe@gmail.com>\r\n')
        self.assertEqual(
            (found.symbol, found.score, found.kind), ("PHISH_PERSON", 2.5, Kind.PHISHING)
        )
        self.assertEqual(
            found.detail,
            "The sender's name “Doe, Jane” is that of “Jane Doe”, the address “jane.doe@gmail.com”"
            " is not.",
        )
        self.assertEqual(self.found(head), {"PHISH_PERSON": 2.5})
        self.assertEqual(self.found(head, people=()), {})

    def test_our_name(self):
        """
        A domain of ours in the name of a stranger is a finding.
        """
        head = "From: Example.com Helpdesk <x@evil.test>\r\n"
        self.assertEqual(self.found(head), {"PHISH_OUR_NAME": 1.0})
        self.assertEqual(self.found(head.replace("evil.test", "mail.example.com")), {})

    def test_address_in_name(self):
        """
        An address of another organisation in the name is a finding, and a graver one if it is ours.
        """
        head = 'From: "{}" <x@evil.test>\r\n'
        for name, symbols in {
            "bob@other.test": {"PHISH_NAME_ADDRESS": 1.0},
            "ada@example.com": {"PHISH_NAME_OUR_ADDRESS": 2.0},
            "bob@evil.test": {},
            "bob@www.evil.test": {},
            "bob@other.test via Desk": {},
        }.items():
            self.assertEqual(self.found(head.format(name)), symbols, name)

    def test_look_alike(self):
        """
        Domains that are made to look like ours or a company's are findings, once each.
        """
        for domain in ("paypa1.com", "netflix-billing.test", "examp1e.com", "xn--pypal-4ve.com"):
            found = self.found(f"From: x@{domain}\r\n", f"https://www.{domain}/")
            self.assertEqual(found, {"PHISH_LOOKALIKE_SENDER": 2.5}, domain)
            found = self.found("From: x@firm.test\r\n", f"https://www.{domain}/")
            self.assertEqual(found, {"PHISH_LOOKALIKE_LINK": 2.0}, domain)
        self.assertEqual(
            self.detail("PHISH_LOOKALIKE_LINK", "From: x@a.test\r\n", "https://paypal-login.test/"),
            "A link leads to “paypal-login.test”, made to look like “PayPal”: it adds words to it"
            " that are to inspire trust.",
        )

    def test_carried(self):
        """
        What a link carries is looked at too.
        """
        link = "https://r.test/?to=https%3A%2F%2Fpaypal-login.test%2F"
        self.assertEqual(self.found("From: x@a.test\r\n", link), {"PHISH_LOOKALIKE_LINK": 2.0})

    def test_near(self):
        """
        What may be near by chance counts less, and once.
        """
        for domain in ("paypall.test", "exampel.test", "example.test"):
            found = self.found(f"From: x@{domain}\r\n", "https://netflx.test/")
            self.assertEqual(found, {"PHISH_NEAR": 1.0}, domain)
        self.assertEqual(self.found("From: x@a.test\r\n", "https://www.example.test/"), {})
        given = {"related_domains": ("paypall.test", "example.test")}
        for domain in given["related_domains"]:
            self.assertEqual(self.found(f"From: x@{domain}\r\n", **given), {}, domain)

    def test_replies(self):
        """
        Replies to another organisation count little, to a free mail address more; such to us, and
        to those to whom the message goes, nothing.
        """
        head = "From: x@firm.test\r\nTo: list@lists.test\r\nReply-To: {}\r\n"
        for address, symbols in {
            "x@other.test": {"PHISH_REPLY_TO": 0.2},
            "x@gmail.com": {"PHISH_REPLY_TO_FREE": 1.0},
            "x@www.firm.test": {},
            "x@firm.example": {},
            "list@lists.test": {},
            "ada@example.com": {},
            "nobody": {},
        }.items():
            self.assertEqual(self.found(head.format(address)), symbols, address)
        head = "From: x@gmx.de\r\nReply-To: x@gmail.com\r\n"
        self.assertEqual(self.found(head), {"PHISH_REPLY_TO": 0.2})

    def test_our_reply_to(self):
        """
        Mail from our domain that is not authenticated and wants its answers elsewhere is a grave
        finding; where nothing is known of the domain, or it is authenticated, it is not.
        """
        head = "From: Jane Doe <jane@example.com>\r\nReply-To: jane@gmail.com\r\n"
        data = message(head)
        for record, client, symbols in (
            ("v=spf1 ip4:192.0.2.7 -all", "203.0.113.9", {"PHISH_OUR_REPLY_TO": 3.0}),
            ("v=spf1 ip4:192.0.2.7 ~all", "203.0.113.9", {"PHISH_OUR_REPLY_TO": 3.0}),
            ("v=spf1 ip4:192.0.2.7 -all", "192.0.2.7", {"PHISH_REPLY_TO_FREE": 1.0}),
            ("other", "203.0.113.9", {"PHISH_REPLY_TO_FREE": 1.0}),
        ):
            zones = Zones({"example.com": {"TXT": [record]}})
            sender = Address("jane", "example.com")
            view = authenticated(data, zones, client=client, sender=sender)
            facts = {**view._facts, "places": places_of(read(data).seen)}
            found = self.found(head, view=evolve(view, facts=facts))
            self.assertEqual(found, symbols, (record, client))

    def test_shared(self):
        """
        A sender at a domain that is lent to everybody is a finding.
        """
        head = "From: x@tenant.onmicrosoft.com\r\n"
        self.assertEqual(self.found(head), {"PHISH_SHARED_SENDER": 0.7})

    def test_recipient(self):
        """
        The recipient's address behind the hash of a link that is not the sender's is a finding; in
        its query it counts little, and nothing where one can unsubscribe.
        """
        head = "From: x@firm.test\r\n"
        fragment, query = "https://evil.test/#ada@example.com", "https://e.test/?u=ada@example.com"
        self.assertEqual(self.found(head, fragment, query), {"PHISH_RECIPIENT_FRAGMENT": 1.5})
        self.assertEqual(self.found(head, query), {"PHISH_RECIPIENT_LINK": 0.3})
        head += "List-Unsubscribe: <https://e.test/u>\r\n"
        self.assertEqual(self.found(head, fragment), {"PHISH_RECIPIENT_FRAGMENT": 1.5})
        self.assertEqual(self.found(head, query), {})
        self.assertEqual(self.found(head, fragment.replace("evil.test", "www.firm.test")), {})

    def test_pressing(self):
        """
        A subject that presses counts where no link leads to the sender.
        """
        for words in ("Action required", "Konto gesperrt", "Dernier rappel", "\u7dca\u6025"):
            head = f"From: x@firm.test\r\nSubject: {words}\r\n"
            self.assertEqual(self.found(head, "https://a.test/"), {"PHISH_PRESSING": 0.3}, words)
            self.assertEqual(self.found(head, "https://www.firm.test/"), {}, words)
            self.assertEqual(self.found(head), {}, words)

    def test_first_contact(self):
        """
        That the author has never written counts beside another sign only.
        """
        heard = evolve(FIRST, heard=1.0)
        for head, contact, symbols in (
            ("From: x@a.test\r\n", FIRST, {}),
            ("From: x@a.test\r\nSubject: Invoice 7\r\n", FIRST, {"PHISH_FIRST_CONTACT": 0.5}),
            ("From: x@a.test\r\nSubject: Invoice 7\r\n", heard, {}),
            ("From: x@a.test\r\nSubject: Invoice 7\r\n", None, {}),
            (
                "From: Jane Doe <x@a.test>\r\n",
                FIRST,
                {"PHISH_PERSON": 2.5, "PHISH_FIRST_CONTACT": 0.5},
            ),
        ):
            self.assertEqual(self.found(head, contact=contact), symbols, (head, contact))

    def test_cap(self):
        """
        All together count so much at most.
        """
        head = (
            "From: PayPal <ada@paypal-login.test>\r\nReply-To: x@gmail.com\r\n"
            "Subject: Action required\r\n"
        )
        found = self.found(head, "https://netflix-login.test/#ada@example.com")
        self.assertEqual(sum(found.values()), 5.0)
        self.assertGreater(len(found), 4)

    def test_empty(self):
        """
        A message without a From, and an empty one, have none.
        """
        for head in ("", "From: \r\n", "From: PayPal\r\n", "Subject: PayPal\r\n"):
            self.assertEqual(self.found(head), {}, head)
