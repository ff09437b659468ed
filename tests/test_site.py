"""
Tests of the web site that Sphinx makes of C{docs/}.
"""

import os
import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from unittest import SkipTest
from urllib.parse import unquote, urlsplit

from twisted.trial.unittest import SynchronousTestCase

DOCS = Path(__file__).parent.parent / "docs"


class Links(HTMLParser):
    """
    What a page links to, and what it has for others to link to.
    """

    def __init__(self, text):
        super().__init__()
        self.targets, self.loaded, self.ids = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        """
        Note links, what the browser loads by itself, and ids.
        """
        found = dict(attributes)
        if tag == "a" and "href" in found:
            self.targets.append(found["href"])
        elif tag in ("link", "script", "img"):
            self.loaded += [found[name] for name in ("href", "src") if name in found]
        if "id" in found:
            self.ids.add(found["id"])


class SiteTests(SynchronousTestCase):
    """
    The site is whole.
    """

    timeout = 120

    def test_site(self):
        """
        It is made without a warning, with a page for each document; each link inside it leads to
        something, and a browser loads nothing from elsewhere.
        """
        if find_spec("sphinx") is None:
            if os.environ.get("MAILGATE_REQUIRE_REAL") == "1":
                self.fail("sphinx is not installed")
            raise SkipTest("sphinx is not installed")
        site = Path(self.mktemp()).resolve()
        options = ("-q", "-W", "--keep-going", "-d", f"{site}-doctrees")
        done = subprocess.run(
            [sys.executable, "-m", "sphinx", *options, DOCS, site],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        pages = {path: Links(path.read_text("utf-8")) for path in site.rglob("*.html")}
        for source in DOCS.rglob("*.rst"):
            self.assertIn(site / source.relative_to(DOCS).with_suffix(".html"), pages)
        for path, page in pages.items():
            for target in page.targets + page.loaded:
                self.check(path, urlsplit(target), pages, target in page.loaded)

    def check(self, path, target, pages, is_loaded):
        """
        Follow one link.
        """
        where = f"{path.name}: {target.geturl()}"
        if target.scheme or target.netloc:
            self.assertFalse(is_loaded, where)
            return
        to = (path.parent / unquote(target.path)).resolve() if target.path else path
        self.assertTrue(to.is_file(), where)
        if target.fragment and to in pages:
            self.assertIn(target.fragment, pages[to].ids, where)
