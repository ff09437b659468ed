"""
Tests of L{mailgate.message.language}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailgate.message.language import languages_of

TEXTS = {
    "en": "We are sorry to say that the meeting has to be moved. Please tell us when you can.",
    "de": "Leider müssen wir den Termin verschieben. Bitte sagen Sie uns, wann es Ihnen passt "
    "und ob Sie auch an einem anderen Tag kommen können.",
    "fr": "Nous sommes désolés, mais le rendez-vous est reporté. Dites-nous quand vous avez du "
    "temps.",
    "es": "Lo sentimos, pero la reunión se ha aplazado. Por favor, díganos cuándo puede usted "
    "venir.",
    "it": "Ci dispiace, ma la riunione è stata spostata. La prego di dirci quando ha tempo per "
    "noi.",
    "pt": "Lamentamos, mas a reunião foi adiada. Por favor, diga-nos quando você tem tempo. Não "
    "é preciso responder até amanhã.",
    "nl": "Het spijt ons, maar de afspraak is verzet. Laat ons weten wanneer u tijd heeft voor "
    "een gesprek met ons.",
    "pl": "Niestety spotkanie zostało przełożone. Proszę dać nam znać, kiedy ma Pan czas, i czy "
    "to jest możliwe w tym tygodniu.",
    "tr": "Ne yazık ki toplantı ertelendi. Lütfen bize ne zaman uygun olduğunuzu bildirin ve bu "
    "hafta için bir gün seçin.",
    "ru": "К сожалению, встреча перенесена. Пожалуйста, сообщите, когда вы сможете к нам прийти.",
    "uk": "На жаль, зустріч перенесено. Будь ласка, повідомте, коли ви зможете до нас прийти.",
    "zh": "很抱歉，会议改期了。请告诉我们您什么时候有时间。",
    "ja": "申し訳ありませんが、会議は延期されました。ご都合のよい日をお知らせください。",
    "ko": "죄송하지만 회의가 연기되었습니다. 언제 시간이 되시는지 알려 주세요.",
    "ar": "نأسف لتأجيل الاجتماع. يرجى إبلاغنا متى يكون لديكم وقت.",
    "fa": "متأسفانه جلسه به تعویق افتاد. لطفا به ما بگویید کی وقت دارید.",
    "el": "Λυπούμαστε, η συνάντηση αναβλήθηκε. Πείτε μας πότε έχετε χρόνο.",
    "he": "לצערנו הפגישה נדחתה. אנא הודיעו לנו מתי יש לכם זמן.",
    "sv": "Tyvärr har mötet flyttats. Säg till oss när du har tid, så att vi kan träffas och "
    "prata.",
    "cs": "Bohužel je schůzka přeložena. Prosím dejte nám vědět, kdy se vám to hodí, nebo "
    "jestli by to bylo možné zítra.",
}


class LanguagesTests(SynchronousTestCase):
    """
    Tests of L{languages_of}.
    """

    def test_known(self):
        """
        Two sentences tell their language, alone and in capitals.
        """
        for language, text in TEXTS.items():
            self.assertEqual(languages_of(text), (language,), text)
            self.assertEqual(languages_of(text.upper())[:1], (language,), text)

    def test_unsure(self):
        """
        Names, numbers and addresses tell none.
        """
        for text in (
            "",
            "12345 67890",
            "https://example.com/a?b=c",
            "Ada Lovelace",
            "Invoice 7",
            "%",
        ):
            self.assertEqual(languages_of(text), (), text)

    def test_several(self):
        """
        A text in two languages has both, wherever the second one begins.
        """
        for times in (3, 30):
            both = TEXTS["de"] * times + "\n\n" + TEXTS["en"] * times
            self.assertEqual(set(languages_of(both)), {"de", "en"}, times)
        self.assertEqual(languages_of(TEXTS["ja"] * 3 + TEXTS["en"]), ("ja", "en"))

    def test_foreign_words(self):
        """
        A few words of another language, or a name in another script, do not make the text one.
        """
        text = TEXTS["en"] * 3 + "Best regards, 田中 (GmbH und Co)"
        self.assertEqual(languages_of(text), ("en",))

    @given(st.text(max_size=300))
    def test_any_text(self, text):
        """
        Whatever the text is, no language is named twice.
        """
        found = languages_of(text)
        self.assertEqual(len(found), len(set(found)))
