"""
The languages of a text, by its script and its function words: the small ones that stand everywhere.
"""

from __future__ import annotations

import re

from mailgate.message.text import blocks

TEXT_LIMIT = 8192
"""Behind how many characters of a text nothing is looked at."""

_SAMPLE = 500
"""How many characters are looked at, at the beginning and as many at the end of these."""

# Common words of each language. What stands in several counts less in each.
_WORDS = {
    "en": "the and of to in is you that it for on with as are be this have from or by not but "
    "what all were your can there an will would been has more their if our we which "
    "please",
    "de": "der die und den von zu das mit sich des auf für ist im dem nicht ein eine als auch "
    "es an werden aus er hat dass sie nach wird bei einer um am sind noch wie einem über "
    "ihre ihr ich wir bitte haben oder kann",
    "fr": "le la les et de des du un une est pour que qui dans en sur par plus pas au avec ce "
    "se sont vous nous votre être cette ou aux je il elle mais ne vos été",
    "es": "el la los las de del y que en un una por con para es se no su al lo como más pero "
    "sus le ha este esta usted muy está son si nos hasta todo sobre también",
    "it": "il lo gli di e che la un una per in con non del della sono è da si alla come più "
    "anche ma dei nel questo questa le al delle dal ha ti mi suo essere hai",
    "pt": "o os as de do da e que em um uma para com não no na por mais dos das se seu sua ao "
    "como mas foi você está são pelo pela até também nos já à",
    "nl": "de het een en van in is dat op te zijn met voor niet die aan er om als ook maar bij "
    "naar uit dan nog wordt door ze wij u uw je heeft kan deze hebben worden",
    "pl": "i w na z do nie się że to jest o jak od po za przez dla jego ale czy są już może "
    "tylko być tym oraz ich lub przed pod które który proszę",
    "tr": "ve bir bu için ile da de çok daha olarak gibi kadar olan sonra ne ama var en değil "
    "her mi ya siz sizin olduğu şu veya tarafından lütfen hesabınız",
    "sv": "och att det som en på är av för med den till inte om ett har de jag så kan från du "
    "men vi var ska eller din ditt",
    "da": "og at det er en til på som med af for ikke den der har de jeg vi kan fra et men du "
    "om eller din dit skal blev også",
    "no": "og det er en til på som med av for ikke den har de jeg vi kan fra et men du om eller "
    "din ditt skal også ble meg deg",
    "cs": "a se na je v že s z do to o i jako za po ale pro jsou by nebo od jeho už které který "
    "při byl jsem váš vám prosím jsme",
    "ro": "și în de la cu pe nu că din care este un o pentru să se mai sau au fost prin dar ale "
    "sunt fi dumneavoastră după vă",
    "hu": "a az és hogy nem is egy van ez de meg már csak ha mint volt kell vagy azt még után "
    "által lesz ön önnek kérjük",
    "fi": "ja on ei että se oli ovat kun mutta myös tai hän joka ole kuin jos sen niin voi sekä "
    "olla tämä jo sinun",
    "ru": "и в не на что с по как это для от из за к но вы мы он а у же то все так или если "
    "было есть ваш вас при только пожалуйста",
    "uk": "і в не на що з та як це для від із за до але ви ми він а у же то всі так або якщо "
    "було є ваш вас при тільки будь ласка й про",
    "bg": "и в не на че с по как това за от да се са към но вие ние той а у или ако беше има "
    "ваш вас при само моля ще си е",
    "sr": "и у не на што са по како ово за од да се су али ви ми он а или ако је било ваш вас "
    "при само молимо ће које",
}
_LANGUAGES_OF: dict[str, list[str]] = {}
for _language, _words in _WORDS.items():
    for _word in _words.split():
        _LANGUAGES_OF.setdefault(_word, []).append(_language)
_KNOWN = frozenset(_LANGUAGES_OF)

# Which blocks of 256 characters have which script.
_GREEK, _CYRILLIC, _HEBREW, _ARABIC, _DEVANAGARI, _THAI, _KANA, _HAN, _HANGUL = range(1, 10)
_RANGES = (
    (0x03, 0x03, _GREEK),
    (0x04, 0x04, _CYRILLIC),
    (0x05, 0x05, _HEBREW),
    (0x06, 0x06, _ARABIC),
    (0x09, 0x09, _DEVANAGARI),
    (0x0E, 0x0E, _THAI),
    (0x30, 0x30, _KANA),
    (0x4E, 0x9F, _HAN),
    (0xAC, 0xD7, _HANGUL),
)
_SCRIPT_OF = bytearray(256)
for _first, _last, _script in _RANGES:
    _SCRIPT_OF[_first : _last + 1] = bytes([_script]) * (_last + 1 - _first)
_SCRIPTS = bytes(_SCRIPT_OF)
_WITHOUT = bytes(block for block, script in enumerate(_SCRIPT_OF) if not script)
_ALONE = {
    _GREEK: ("el", re.compile("[\u0391-\u03c9]")),
    _HEBREW: ("he", re.compile("[\u05d0-\u05ea]")),
    _DEVANAGARI: ("hi", re.compile("[\u0904-\u0939]")),
    _THAI: ("th", re.compile("[\u0e01-\u0e2e]")),
    _HANGUL: ("ko", re.compile("[\uac00-\ud7a3]")),
}
_KANA_LETTER = re.compile("[\u3041-\u3096\u30a1-\u30fa]")
_KANA_SAMPLE = 1000
_HINTS = {"ru": "ыэё", "uk": "іїєґ", "bg": "ъ", "sr": "ћђјљњ"}
_LETTERS_LEAST = 10
_WORDS_LEAST = 2.0
_SHORT = 500
_SECOND = 0.4

LANGUAGES = frozenset((*_WORDS, *["ar", "el", "fa", "he", "hi", "ja", "ko", "th", "zh"]))
"""All that are told apart, as in ISO 639-1."""


def languages_of(text: str) -> tuple[str, ...]:
    """
    Name the languages of a text, the most likely first, or none where it is not sure.

    Known are Bulgarian, Chinese, Czech, Danish, Dutch, English, Finnish, French, German, Greek,
    Hebrew, Hindi, Hungarian, Italian, Japanese, Korean, Norwegian, Persian, Polish, Portuguese,
    Romanian, Russian, Serbian (in Cyrillic), Spanish, Swedish, Thai, Turkish, Ukrainian and Arabic.

    @return: codes of ISO 639-1. More than one where the text has several, each with a good part.
    """
    if len(text) > 2 * _SAMPLE:
        # Where a text is in two languages the second one follows the first.
        end = min(len(text), TEXT_LIMIT)
        text = f"{text[:_SAMPLE]} {text[end - _SAMPLE : end]}"
    if text.isascii():
        return _by_words(text)
    scripts = blocks(text).translate(_SCRIPTS, _WITHOUT)
    if len(scripts) < _LETTERS_LEAST:
        return _by_words(text)
    letters = {script: scripts.count(script) for script in range(_GREEK, _HANGUL + 1)}
    letters[_HAN] += letters.pop(_KANA)
    found = {script: number for script, number in letters.items() if number >= _LETTERS_LEAST}
    least = max(found.values(), default=0) * _SECOND
    named: list[str] = []
    for script in sorted(found, key=lambda script: -found[script]):
        if found[script] >= least:
            named += _of_script(script, text)
    others = _by_words(text, _CYRILLIC in found)
    # A letter of Chinese or Korean says as much as several of Latin.
    if len(text) - len(scripts) > 4 * sum(found.values()):
        return (*others, *named)
    return (*named, *others)


def _of_script(script: int, text: str) -> tuple[str, ...]:
    if script in _ALONE:
        language, letter = _ALONE[script]
        return (language,) if letter.search(text) else ()
    if script == _HAN:
        kana = len(_KANA_LETTER.findall(text[:_KANA_SAMPLE]))
        return ("ja",) if kana >= 5 else ("zh",)
    if script == _ARABIC:
        persian = text.count("\u06cc") + text.count("\u06a9")
        return ("fa",) if persian > text.count("\u064a") + text.count("\u0643") else ("ar",)
    return ()


def _by_words(text: str, is_cyrillic: bool = False) -> tuple[str, ...]:
    """
    Weigh the function words that a text has, each once, and the letters that only one language of
    Cyrillic has.
    """
    words = _KNOWN.intersection(text.split())
    # In lower case it takes twice as long: where it is short, and where all is in capitals.
    if len(text) < _SHORT or sum(map(str.isupper, text[:100])) > 30:
        words = _KNOWN.intersection(text.lower().split())
    scores: dict[str, float] = {}
    own: dict[str, int] = {}
    for word in words:
        languages = _LANGUAGES_OF[word]
        for language in languages:
            scores[language] = scores.get(language, 0) + 1 / len(languages)
        if len(languages) == 1:
            own[languages[0]] = own.get(languages[0], 0) + 1
    if is_cyrillic:
        for language, letters in _HINTS.items():
            if any(letter in text for letter in letters):
                scores[language] = scores.get(language, 0) + _WORDS_LEAST
    ordered = sorted(scores, key=lambda language: (-scores[language], language))
    if not ordered or scores[ordered[0]] < _WORDS_LEAST:
        return ()
    least = max(_WORDS_LEAST, scores[ordered[0]] * _SECOND)
    return (
        ordered[0],
        *(each for each in ordered[1:] if scores[each] >= least and own.get(each, 0) >= 3),
    )
