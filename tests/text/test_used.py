"""Everything that can be said is said somewhere: words that nothing uses any more are taken out."""

import ast
import json
import re
from functools import cache
from pathlib import Path

import journeykit
from journeykit.text.catalogue import catalogue

PACKAGE = Path(journeykit.__file__).parent


def sources(root):
    """The code of the package and of its reports."""
    yield from (path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    for path in (root / "notebooks").rglob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        yield from ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def parts(node):
    """A text put together, as its fixed parts and None for each other; f-strings and sums."""
    if isinstance(node, ast.JoinedStr):
        return [part for value in node.values for part in parts(value)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return parts(node.left) + parts(node.right)
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else [None]


def name_of(node):
    """The text or name that stands here, if one does."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=name) | ast.Name(id=name):
            return name
    return None


@cache
def written(root):
    """Texts and names in the code, and the parts of the texts that it puts together."""
    texts, patterns = {""}, set()
    for source in sources(root):
        for node in ast.walk(ast.parse(source)):
            texts.add(name_of(node))
            pattern = tuple(parts(node))
            # A pattern with hardly a letter of its own would put together anything.
            if None in pattern and len("".join(filter(None, pattern))) > 2:
                patterns.add(pattern)
    for path in PACKAGE.rglob("*"):
        if path.suffix in {".j2", ".toml"} and "messages" not in path.parts:
            text = path.read_text(encoding="utf-8")
            texts |= {*re.findall(r"[\w.]+", text), *re.findall(r'"([^"\n]*)"', text)}
    return texts, patterns


def said_by(root):
    """A function that tells whether the code writes a name, or can put it together from what it writes."""
    texts, patterns = written(root)

    @cache
    def said(name, depth=2):
        return name in texts or name.isdigit() or (depth > 0 and any(fits(name, parts, depth) for parts in patterns))

    def fits(name, parts, depth):
        if not parts:
            return not name
        part, *rest = parts
        if part is not None:
            return name.startswith(part) and fits(name[len(part) :], rest, depth)
        return any(fits(name[end:], rest, depth) and said(name[:end], depth - 1) for end in range(len(name), -1, -1))

    return said


def test_every_message_is_said_somewhere(project_root):
    said = said_by(project_root)
    assert [key for key in catalogue("en").messages if not said(key)] == []


def test_every_label_is_the_name_of_something(project_root):
    said = said_by(project_root)
    columns = {name: name.replace("_terms", "_days") for name in catalogue("en").labels}  # `in_unit` renames them
    assert [name for name, days in columns.items() if not said(name) and not said(days)] == []


def test_every_noun_is_counted_somewhere(project_root):
    counted = {
        noun
        for forms in catalogue("en").messages.values()
        for text in ([forms] if isinstance(forms, str) else forms.values())
        for noun in re.findall(r"\{\w+:(\w+)\}", text)
    }
    shown_alone = {"days", "terms"}  # text/numbers.py
    assert set(catalogue("en").nouns) == counted | shown_alone


def test_a_message_that_nothing_says_is_found(project_root):
    said = said_by(project_root)
    assert said("core.left_out")
    assert not said("core.never_" + "said_anywhere")
