"""Sphinx configuration; `make docs` builds with warnings as errors."""

import importlib.metadata

from pallets_sphinx_themes import ProjectLink

project = "Flask-TicketMiner"
author = "Flask-TicketMiner contributors"
copyright = f"2026 {author}"
release = importlib.metadata.version("Flask-TicketMiner")
version = ".".join(release.split(".")[:2])

extensions = ["sphinx.ext.autodoc", "myst_parser", "pallets_sphinx_themes"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build"]
myst_heading_anchors = 3
autodoc_typehints = "description"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True

html_theme = "flask"
html_title = f"Flask-TicketMiner {version}"
html_show_sourcelink = False
html_copy_source = False
html_context = {
    "project_links": [ProjectLink("Changes", "changes.html"), ProjectLink("Protocol", "protocol.html")]
}
html_sidebars = {
    "index": ["project.html", "localtoc.html", "searchbox.html"],
    "**": ["localtoc.html", "relations.html", "searchbox.html"],
}
