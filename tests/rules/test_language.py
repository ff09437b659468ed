"""
Tests of L{mailgate.rules.language}.
"""

# ruff: noqa: RUF001

from twisted.trial.unittest import SynchronousTestCase

from mailgate.rules.fold import fold
from mailgate.rules.language import languages_of


class LanguageTests(SynchronousTestCase):
    """
    Tests of telling languages apart.
    """

    def test_languages(self):
        """
        A sentence or two are enough.
        """
        for code, text in {
            "en": "We would like to tell you that your order has been sent and will be there soon.",
            "de": "Wir freuen uns, dass Sie sich für den Vertrag entschieden haben, und "
            "senden ihn Ihnen mit der Post.",
            "fr": "Nous vous remercions pour votre commande, qui est en cours de "
            "préparation dans notre entrepôt.",
            "es": "Le informamos de que su pedido ya está en camino y que llegará con el "
            "correo de la tarde.",
            "it": "La informiamo che il suo ordine è stato spedito e che arriverà con la "
            "posta di domani.",
            "nl": "Wij laten u weten dat uw bestelling is verzonden en dat het pakket "
            "met de post bij u komt.",
            "pl": "Informujemy, że zamówienie zostało wysłane i że jest już w drodze do "
            "państwa na adres z umowy.",
            "pt": "Informamos que o seu pedido já está a caminho e que chegará com o "
            "correio da tarde para você.",
            "ru": "Мы рады, что вы с нами, и просим вас не забыть о том, что это письмо "
            "для вас по почте.",
        }.items():
            self.assertEqual(languages_of(fold(text).encode()), {code}, code)

    def test_unknown(self):
        """
        Few words tell nothing.
        """
        self.assertEqual(languages_of(b"OK, see the file"), frozenset())
