"""
What is known of the world outside: names that many senders or hosts share, and words of trades.

Short lists, from general knowledge. They are evidence of little weight, never a reason by
themselves; what a site's own mail looks like is learned.
"""

from __future__ import annotations

_FREE_MAIL_WORDS = """
    gmail.com googlemail.com outlook.com hotmail.com live.com msn.com hotmail.co.uk hotmail.fr
    outlook.de outlook.fr yahoo.com yahoo.co.uk yahoo.co.jp yahoo.fr yahoo.de ymail.com
    rocketmail.com aol.com aim.com icloud.com me.com mac.com gmx.de gmx.net gmx.com gmx.at web.de
    freenet.de t-online.de mail.com email.com protonmail.com proton.me pm.me tutanota.com zoho.com
    zohomail.com yandex.com yandex.ru mail.ru bk.ru inbox.ru list.ru rambler.ru qq.com 163.com
    126.com sina.com foxmail.com naver.com daum.net hanmail.net rediffmail.com libero.it virgilio.it
    laposte.net orange.fr free.fr wanadoo.fr seznam.cz wp.pl o2.pl onet.pl interia.pl uol.com.br
    bol.com.br terra.com.br inbox.lv abv.bg ukr.net hushmail.com fastmail.com
    """
FREE_MAIL = frozenset(_FREE_MAIL_WORDS.split())
"""Where anybody can have an address."""

PROVIDERS = {
    "gmail.com": rb"google|gmail",
    "googlemail.com": rb"google|gmail",
    **dict.fromkeys(
        ("hotmail.com", "hotmail.co.uk", "hotmail.fr", "outlook.com", "outlook.de", "outlook.fr"),
        rb"hotmail|outlook|microsoft|msn\.com|live\.com",
    ),
    **dict.fromkeys(("live.com", "msn.com"), rb"hotmail|outlook|microsoft|msn\.com|live\.com"),
    **dict.fromkeys(
        ("yahoo.com", "yahoo.co.uk", "yahoo.co.jp", "yahoo.fr", "yahoo.de", "ymail.com"),
        rb"yahoo",
    ),
    "rocketmail.com": rb"yahoo",
    "aol.com": rb"aol\.com|yahoo",
    "aim.com": rb"aol\.com|aim\.com|yahoo",
}
"""Free mail that is sent by its provider only, and what stands in the fields that this one adds."""

_SHORTENERS_WORDS = """
    bit.ly tinyurl.com t.ly is.gd v.gd ow.ly buff.ly rebrand.ly cutt.ly shorturl.at rb.gy tiny.cc
    goo.gl t.co s.id bl.ink shorte.st adf.ly soo.gd qrco.de lnkd.in wp.me urlz.fr u.to clck.ru vk.cc
    x.co bit.do short.gy tny.im shrtco.de urlshortner.com dub.sh
    """
SHORTENERS = frozenset(_SHORTENERS_WORDS.split())

FREE_HOSTING = (
    ".000webhostapp.com",
    ".blogspot.com",
    ".firebaseapp.com",
    ".web.app",
    ".github.io",
    ".gitlab.io",
    ".netlify.app",
    ".vercel.app",
    ".pages.dev",
    ".workers.dev",
    ".r2.dev",
    ".herokuapp.com",
    ".onrender.com",
    ".glitch.me",
    ".repl.co",
    ".weebly.com",
    ".weeblysite.com",
    ".wixsite.com",
    ".webflow.io",
    ".wordpress.com",
    ".square.site",
    ".godaddysites.com",
    ".yolasite.com",
    ".webnode.com",
    ".jimdosite.com",
    ".strikingly.com",
    ".mystrikingly.com",
    ".tripod.com",
    ".geocities.com",
    ".angelfire.com",
    ".azurewebsites.net",
    ".blob.core.windows.net",
    ".web.core.windows.net",
    ".s3.amazonaws.com",
    ".storage.googleapis.com",
    ".appspot.com",
    ".ipfs.io",
    ".dweb.link",
    ".ngrok.io",
    ".ngrok-free.app",
    ".trycloudflare.com",
    ".duckdns.org",
    ".ddns.net",
    ".translate.goog",
)
"""Where anybody can put a page under a name that somebody else answers for."""

_CHEAP_ENDINGS_WORDS = """
    top xyz click link club online site website space icu vip shop store live fun life work world
    buzz rest cyou cfd sbs monster quest bond beauty hair skin makeup lol pics mom boats autos homes
    yachts loan win bid stream download racing review trade date faith science party cricket
    accountant men gdn tk ml ga cf gq pw su zip mov support today best
    """
CHEAP_ENDINGS = frozenset(_CHEAP_ENDINGS_WORDS.split())
"""Top-level domains whose names cost next to nothing, or are taken mostly to be thrown away."""

_RISKY_EXTENSIONS_WORDS = """
    ade adp apk app appx bat cab chm cmd com cpl dll exe hta htm html img inf ins iso isp jar js jse
    lib lnk mde msc msi msix msp mst one pif ps1 reg scr sct shb shtml svg sys vb vbe vbs vhd vhdx
    vxd wsc wsf wsh xht xhtml xll
    """
RISKY_EXTENSIONS = frozenset(_RISKY_EXTENSIONS_WORDS.split())
"""Endings of names of files that run, or show a page, when they are opened."""

ADVANCE_FEE = """
next of|of kin|million dollars|million usd|beneficiary|inheritance|deceased|barrister|
unclaimed|late husband|my late|foreign partner|fund transfer|transfer of|business proposal|
confidential business|strictly confidential|winning notification|lottery|lucky winner|
consignment|modality|modalities|diplomatic|compensation fund|atm card|security company|
charity organization|donation of|your partnership|god bless|dear beneficiary|bank account
""".replace("\n", "").split("|")
"""Words and pairs of words in which strangers promise money."""

URGENCY = """
urgent|immediately|act now|verify your|confirm your|suspended|suspension|within 24|within 48|
24 hours|48 hours|expire today|expires today|will expire|final notice|last chance|final reminder|
action required|unusual activity|unauthorized|be closed|be deactivated|deactivated|avoid
""".replace("\n", "").split("|")
"""Words and pairs of words that press for time."""

UNSUBSCRIBE = ("unsubscribe", "opt out", "be removed", "email preferences", "manage preferences")
