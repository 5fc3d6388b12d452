"""Write docs/api/<name>.md for every public name, from its docstring.

    python tools/api_pages.py

Docstrings are numpydoc. Their sections become headings, their parameters a list, their examples code blocks.
"""

import inspect
import re
import sys
from pathlib import Path

import journeykit as jk

PAGES = Path(__file__).resolve().parents[1] / "docs" / "api"
LISTED = {"Parameters", "Other Parameters", "Attributes", "Returns", "Yields", "Raises", "Warns"}


def page(name: str) -> str:
    """The page of one public name, as Markdown."""
    thing = getattr(jk, name)
    parts = [f"# jk.{name}", f"```python\n{signature(name, thing)}\n```", *body(inspect.getdoc(thing) or "", level=2)]
    if inspect.isclass(thing):
        for method_name, method in public_methods(thing):
            parts += [f"## {name}.{method_name}"]
            if callable_of(method):
                bound = not isinstance(method, staticmethod)
                parts += [f"```python\n{signature(method_name, callable_of(method), bound=bound)}\n```"]
            parts += body(inspect.getdoc(method) or "", level=3)
    return "\n\n".join(parts) + "\n"


def index(names: list[str]) -> str:
    """The list of all pages, each with the first line of its docstring."""
    rows = [f"- [{name}]({name}.md): {first_line(getattr(jk, name))}" for name in names]
    return "# The public names\n\n`import journeykit as jk`, then:\n\n" + "\n".join(rows) + "\n"


def signature(name: str, thing: object, *, bound: bool = False) -> str:
    """The call as a reader would write it: one line if it fits, else one argument a line; a method's first is bound."""
    try:
        parameters = list(inspect.signature(thing).parameters.values())  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return name
    shown: list[str] = []
    for parameter in parameters[1:] if bound else parameters:
        if parameter.name in {"self", "cls"}:
            continue
        after_star = parameter.kind is inspect.Parameter.KEYWORD_ONLY
        if after_star and "*" not in shown and not any(text.startswith("*") for text in shown):
            shown.append("*")
        text = str(parameter.replace(annotation=inspect.Parameter.empty))
        shown.append(re.sub(r" object at 0x[0-9a-f]+", "", text))
    line = f"{name}({', '.join(shown)})"
    if len(line) <= 88:
        return line
    return f"{name}(\n" + "".join(f"    {text},\n" for text in shown) + ")"


def body(doc: str, level: int) -> list[str]:
    """A docstring as Markdown blocks, its sections as headings of this level."""
    blocks: list[str] = []
    for title, lines in sections(doc):
        if title:
            blocks.append(f"{'#' * level} {title}")
        text = listed(lines) if title in LISTED else prose(lines)
        if text:
            blocks.append(text)
    return blocks


def sections(doc: str) -> list[tuple[str, list[str]]]:
    """(title, lines) of each numpydoc section; what stands before the first has no title."""
    found: list[tuple[str, list[str]]] = [("", [])]
    lines = doc.splitlines()
    skip = False
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if skip:
            skip = False
        elif line and re.fullmatch(r"-{3,}", below) and len(below) >= len(line) - 1:
            found.append((line, []))
            skip = True
        else:
            found[-1][1].append(line)
    return found


def listed(lines: list[str]) -> str:
    """`name : type` and its indented description, as one item of a list."""
    items: list[list[str]] = []
    for line in lines:
        if line and not line.startswith(" "):
            name, _, kind = (part.strip() for part in line.partition(" : "))
            items.append([f"- **{name}**" + (f" ({kind})" if kind else "")])
        elif line.strip() and items:
            items[-1].append(line.strip())
    return "\n".join(": ".join([head, " ".join(rest)]) if rest else head for head, *rest in items)


def prose(lines: list[str]) -> str:
    """Text as it is; examples (from `>>>` to the next empty line) as code."""
    out: list[str] = []
    in_code = False
    for line in lines:
        if line.lstrip().startswith(">>>") and not in_code:
            out.append("```python")
            in_code = True
        elif not line.strip() and in_code:
            out.append("```")
            in_code = False
        out.append(line)
    if in_code:
        out.append("```")
    return "\n".join(out).strip()


def public_methods(thing: type) -> list[tuple[str, object]]:
    """The documented methods and properties of a class, its bases' included, in the order they are written."""
    found: dict[str, object] = {}
    for base in reversed([one for one in thing.__mro__ if one.__module__.startswith("journeykit")]):
        for name, value in vars(base).items():
            documented = callable_of(value) is not None or isinstance(value, property)
            if not name.startswith("_") and documented and inspect.getdoc(value):
                found[name] = value
    return list(found.items())


def callable_of(value: object) -> object | None:
    """The function behind a method, a classmethod or a staticmethod; None if there is none."""
    if isinstance(value, classmethod | staticmethod):
        return value.__func__
    return value if inspect.isfunction(value) else None


def first_line(thing: object) -> str:
    """The first line of a docstring."""
    return (inspect.getdoc(thing) or "").partition("\n")[0]


def pages() -> dict[str, str]:
    """File name -> text of everything in docs/api."""
    return {f"{name}.md": page(name) for name in jk.__all__} | {"index.md": index(list(jk.__all__))}


def main() -> None:
    """Write the pages, and remove those of names that are gone."""
    PAGES.mkdir(parents=True, exist_ok=True)
    written = pages()
    for file in PAGES.glob("*.md"):
        if file.name not in written:
            file.unlink()
    for name, text in written.items():
        (PAGES / name).write_text(text, encoding="utf-8")
    sys.stdout.write(f"docs/api: {len(written)} pages\n")


if __name__ == "__main__":
    main()
