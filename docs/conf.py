"""
How Sphinx makes a web site of these pages.

Most people read them as they are, in the repository or in an editor, so a link names the file
that it leads to. Here such a link becomes one to the page, or to a copy of a file that is none.
"""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import urlsplit

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mailgate import __version__

project = "mailgate"
version = release = __version__
html_title = f"{project} {version}"

# A page that no index names, and a link to nowhere, are warnings; "make docs" takes none.
nitpicky = True
# Commands and configuration are shown as they are to be typed.
highlight_language = "text"
smartquotes = False

html_theme = "alabaster"
html_theme_options = {
    "description": "an anti-spam SMTP proxy",
    "fixed_sidebar": True,
    "font_family": "sans-serif",
    "head_font_family": "sans-serif",
    "page_width": "60rem",
    "sidebar_width": "14rem",
    "show_powered_by": False,
}
html_sidebars = {"**": ["about.html", "searchfield.html", "navigation.html"]}
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_use_index = False
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False


class LinksToFiles(SphinxTransform):
    """
    Make links to files what they are meant to be.
    """

    default_priority = 700  # after docutils has found where its references lead

    def apply(self) -> None:
        """
        Replace each link that has a path and no scheme.
        """
        for link in list(self.document.findall(nodes.reference)):
            target = urlsplit(link.get("refuri", ""))
            if target.path and not target.scheme:
                link.replace_self(self._link(target.path, link.astext()))

    def _link(self, path: str, text: str) -> nodes.Element:
        is_page = path.endswith(".rst") and not self.env.relfn2path(path)[0].startswith("..")
        options = {"refdoc": self.env.docname, "refexplicit": True, "refwarn": True}
        if not is_page:
            file = addnodes.download_reference(
                "", "", refdomain="", reftype="download", reftarget=path, **options
            )
            file += nodes.inline(text, text)
            return file
        page = addnodes.pending_xref(
            "", refdomain="std", reftype="doc", reftarget=path.removesuffix(".rst"), **options
        )
        page += nodes.inline(text, text)
        return page


def setup(app: Sphinx) -> dict[str, bool]:
    """
    Tell Sphinx of what is ours.
    """
    app.add_transform(LinksToFiles)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
