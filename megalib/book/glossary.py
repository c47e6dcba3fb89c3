"""Words of the glossary become links where a page first uses them, as a Sphinx extension.

Notebooks stay plain Markdown, and no page has to be marked by hand. The parsed page is searched,
not its text, so that the parser is who tells prose from code, links and formulas.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx import addnodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx

GLOSSARY = "book/glossary"
# Where a word is no prose, or leads somewhere already.
LEFT_OUT = (
    nodes.title,
    nodes.rubric,
    nodes.term,
    nodes.table,
    nodes.reference,
    nodes.citation,
    nodes.literal,
    nodes.literal_block,
    nodes.math,
    nodes.math_block,
    nodes.raw,
    addnodes.pending_xref,
    addnodes.download_reference,
    addnodes.desc,
)


def terms(page: str) -> list[str]:
    """The entries of the glossary.

    Args:
        page: its Markdown, with one glossary directive whose entries start at the margin.
    """
    _, _, text = page.partition("```{glossary}\n")
    entries, _, _ = text.partition("\n```")
    return re.findall(r"^\S.*$", entries, flags=re.MULTILINE)


def link_terms(document: nodes.document, entries: list[str], docname: str = "") -> None:
    """Turn the first mention of each entry into a link to the glossary, in place.

    Longer entries go first, so that the "set" in "open set" is no mention of "set". A plural
    counts, and so do capitals, unless the entry has capitals itself: "Swin" is no "swin".

    Args:
        document: a parsed page.
        entries: of `terms`.
        docname: of the page, as Sphinx calls it.
    """
    entries = sorted(entries, key=len, reverse=True)
    pattern = re.compile(rf"(?<![\w-])(?:{'|'.join(map(_mention, entries))})(?:s|es)?(?![\w-])")
    linked = {
        node["reftarget"]
        for node in document.findall(addnodes.pending_xref)
        if node.get("reftype") == "term"
    }
    _join_lines(document)
    for text in list(document.findall(nodes.Text)):
        if not _is_prose(text):
            continue
        parts, end = [], 0
        for found in pattern.finditer(text):
            entry = entries[found.lastindex - 1]
            if entry not in linked:
                linked.add(entry)
                parts += [nodes.Text(text[end : found.start()]), _link(found[0], entry, docname)]
                end = found.end()
        parts.append(nodes.Text(text[end:]))
        text.parent.replace(text, [part for part in parts if part.astext()])


def _mention(entry: str) -> str:
    """A group that matches an entry, also where a line ends between its words."""
    words = r"\s+".join(re.escape(word) for word in entry.split())
    return f"((?i:{words}))" if entry == entry.lower() else f"({words})"


def _join_lines(document: nodes.document) -> None:
    """Make one text of those that the parser ends with each line."""
    for parent in {text.parent for text in document.findall(nodes.Text)}:
        joined = []
        for child in parent.children:
            if joined and isinstance(child, nodes.Text) and isinstance(joined[-1], nodes.Text):
                joined[-1] = nodes.Text(joined[-1] + child)
            else:
                joined.append(child)
        parent.children = []
        parent.extend(joined)


def _link(mention: str, entry: str, docname: str) -> addnodes.pending_xref:
    return addnodes.pending_xref(
        "",
        nodes.inline("", mention, classes=["xref", "std", "std-term"]),
        refdomain="std",
        reftype="term",
        reftarget=entry,
        refexplicit=True,
        refwarn=True,
        refdoc=docname,
    )


def _is_prose(text: nodes.Text) -> bool:
    node = text.parent
    while node is not None:
        # A cell of code with its outputs; a card, which is a link as a whole.
        special = node.get("nb_element") == "cell_code" or node.get("design_component") == "card"
        if special or isinstance(node, LEFT_OUT):
            return False
        node = node.parent
    return True


def _on_read(app: "Sphinx", document: nodes.document) -> None:
    docname = app.env.docname
    if docname != GLOSSARY:
        page = Path(app.srcdir, f"{GLOSSARY}.md")
        link_terms(document, terms(page.read_text()), docname)
        app.env.note_dependency(str(page))


def setup(app: "Sphinx") -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("doctree-read", _on_read)
    return {"parallel_read_safe": True}
