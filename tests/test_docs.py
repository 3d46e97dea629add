"""The documentation: what follows from the code is as the code says, both READMEs are equal, links lead somewhere."""

import re

import pytest

from docs.parts import PAGES, up_to_date
from tests.conftest import ROOT
from tests.test_house import MODULES

ENGLISH, CHINESE = ((ROOT / name).read_text("utf-8") for name in ("README.md", "README.zh-CN.md"))
TEXTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_follows_from_the_code_is_written_down(page):
    assert page.read_text("utf-8") == up_to_date(page), "run: python -m docs"


# --- Both READMEs ----------------------------------------------------------------------------------------------------


def lines_of(readme, start):
    return [line for line in readme.splitlines() if line.startswith(start)]


def test_both_readmes_have_the_same_headings_and_rows():
    for start in ("# ", "## ", "### ", "- "):
        assert len(lines_of(ENGLISH, start)) == len(lines_of(CHINESE, start)), start
    first_cells = [[line.split("|")[1] for line in lines_of(text, "|")] for text in (ENGLISH, CHINESE)]
    assert [re.findall("`.*?`", cell) for cell in first_cells[0]] == [
        re.findall("`.*?`", cell) for cell in first_cells[1]
    ]


def test_both_readmes_have_the_same_commands():
    blocks = [re.findall(r"^```.*?^```", text, re.DOTALL | re.MULTILINE) for text in (ENGLISH, CHINESE)]
    assert blocks[0] == blocks[1] and len(blocks[0]) > 4
    plain = [re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE) for text in (ENGLISH, CHINESE)]
    for english, chinese in zip(*(re.split("^## ", text, flags=re.MULTILINE) for text in plain), strict=True):
        assert sorted(re.findall("`[^`]+`", english)) == sorted(re.findall("`[^`]+`", chinese))


def test_both_readmes_have_the_same_links():
    english, chinese = LINK.findall(ENGLISH), LINK.findall(CHINESE)
    assert (english[0], chinese[0]) == ("README.zh-CN.md", "README.md")
    assert english[1:] == [target.replace(".zh-CN.md", ".md") for target in chinese[1:]]  # some have a Chinese page


# --- Links and names -------------------------------------------------------------------------------------------------


def anchors(text):
    """The anchors of a page's headings, as GitHub makes them."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    for heading in re.findall("^#+ (.*)", prose, re.MULTILINE):
        plain = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", heading).lower()
        yield re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    for target in LINK.findall(page.read_text("utf-8")):
        path, _, anchor = target.partition("#")
        if ":" in path:
            continue
        to = (page.parent / path).resolve() if path else page
        assert to.exists(), target
        assert not anchor or anchor in anchors(to.read_text("utf-8")), target


def test_every_page_is_reached_from_the_readme():
    seen, pending = set(), [ROOT / "README.md"]
    while pending:
        page = pending.pop()
        if page not in seen and page.suffix == ".md" and page.exists():
            seen.add(page)
            links = (target.partition("#")[0] for target in LINK.findall(page.read_text("utf-8")))
            pending += [(page.parent / path).resolve() for path in links if path and ":" not in path]
    assert set(TEXTS) - seen == set()


def test_every_function_that_a_picture_names_is_there():
    text = (ROOT / "docs" / "pictures.md").read_text("utf-8")
    sources = {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in MODULES.values()}
    named = set(re.findall(r"(\w+)\(\)", text))
    assert len(named) > 25
    assert [name for name in named if not re.search(rf"def {name}\(", "".join(sources.values()))] == []
    for constant in set(
        re.findall(r"\b[A-Z]+_?[A-Z_]{4,}\b", "".join(re.findall("```mermaid.*?```", text, re.DOTALL)))
    ):
        assert re.search(rf"^ *{constant} = ", "".join(sources.values()), re.MULTILINE), constant
    files = dict(re.findall(r"participant (\w) as (\S+)", text))
    steps = re.findall(r"^ +\w-?->>(\w): (\w+)\(\)(?: in (\S+\.py))?", text, re.MULTILINE)
    assert len(steps) > 10
    for lane, name, other in steps:
        assert re.search(rf"def {name}\(", sources[other or files[lane]]), (name, other or files[lane])


def test_what_there_is_to_copy_from_is_there():
    table = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("## Copy from")[2]
    sources = "".join(path.read_text("utf-8") for path in MODULES.values())
    named = re.findall("`([^`]+)`", table)
    assert len(named) > 25
    for name in named:
        found = (ROOT / name).exists() or re.search(rf"\b{re.escape(name.rpartition('.')[2])}\b", sources)
        assert found or name == "XArgs", name
