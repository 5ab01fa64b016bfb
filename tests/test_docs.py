"""The pages hold: examples run, commands parse, links and files exist, lines can be read."""

import doctest
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from fastdis import cli
from fastdis.cli.parser import command_parser
from fastdis.studies.sweep.plan import plan

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    str(file.relative_to(ROOT)): file.read_text(encoding="utf-8")
    for file in [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md"))]
}
FENCE = re.compile(
    r"(?:<!-- not run:(?P<reason>.*?)-->\n\s*)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.M | re.S,
)
LONGEST = 100  # characters of a line, as in the code; table rows and links may be longer


@dataclass(frozen=True)
class Block:
    """A fenced block: ``reason`` is why it is not run, None if it is."""

    line: int
    language: str
    text: str
    reason: str | None


def blocks_of(page):
    text = PAGES[page]
    return [
        Block(text.count("\n", 0, m.start("text")), m["language"], m["text"], m["reason"])
        for m in FENCE.finditer(text)
    ]


def examples(page):
    return [block for block in blocks_of(page) if block.language == "python"]


def code_lines(page):
    """The lines of console blocks and of blocks indented by four spaces."""
    outside = FENCE.sub("", PAGES[page])
    fenced = [b.text for b in blocks_of(page) if b.language in ("", "bash", "console", "sh")]
    indented = re.findall(r"(?:^|\n)\n((?: {4}\S.*\n?)+)", outside)
    lines = "\n".join([*fenced, *indented]).replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines]


def commands(page):
    """The arguments of every ``fastdis`` in a line of code, without its comment."""
    found = []
    for line in code_lines(page):
        words = shlex.split(line, comments=True)
        if words[:1] == ["fastdis"]:
            found.append(words[1:])
        elif words[:1] == ["torchrun"] and "fastdis" in words:
            found.append(words[words.index("fastdis") + 1 :])
    return found


def test_there_are_pages_with_examples_and_commands():
    assert {"README.md", "docs/usage.md", "docs/training.md", "docs/metrics.md"} <= set(PAGES)
    assert len(examples("README.md")) == 1
    assert len(commands("README.md")) >= 5


@pytest.mark.parametrize("page", [page for page in PAGES if examples(page)])
def test_the_examples_of_a_page_run_in_order(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    runner = doctest.DocTestRunner()
    for block in examples(page):
        if block.reason is not None:
            continue
        if block.text.startswith(">>>"):
            test = doctest.DocTestParser().get_doctest(
                block.text, names, page, page, block.line
            )  # fmt: skip
            runner.run(test, clear_globs=False)
            names.update(test.globs)
        else:
            exec(compile("\n" * block.line + block.text, page, "exec"), names)
    assert runner.summarize(verbose=False).failed == 0


def test_an_example_that_is_not_run_says_why_and_is_an_exception():
    every = [block for page in PAGES for block in examples(page)]
    left_out = [block for block in every if block.reason is not None]
    assert all(len(block.reason.split()) >= 3 for block in left_out)
    assert len(left_out) <= len(every) / 5
    marks = sum(text.count("<!-- not run:") for text in PAGES.values())
    assert marks == len(left_out), "a mark that stands before no Python block"


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)])
def test_every_command_line_is_one_that_the_parser_takes(page):
    for words in commands(page):
        if "--help" not in words:
            command_parser().parse_args(words)


def test_the_commands_of_the_readme_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    quick = [words for words in commands("README.md") if words[0] in ("create", "train", "eval")]
    assert [words[0] for words in quick] == ["create", "train", "eval"]
    for words in quick:
        assert cli.main(words) == 0


@pytest.mark.parametrize("page", PAGES)
def test_commands_in_a_sentence_exist(page):
    known = command_parser()._subparsers._group_actions[0].choices
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M))
    text = "\n".join([*re.findall(r"`([^`\n]+)`", PAGES[page]), *code_lines(page)])
    assert set(re.findall(r"^fastdis ([a-z]+)", text, re.M)) <= set(known)
    assert set(re.findall(r"^make ([a-z]+)", text, re.M)) <= targets


@pytest.mark.parametrize("page", PAGES)
def test_a_sweep_that_is_shown_can_be_planned(page):
    for block in blocks_of(page):
        if block.language == "yaml":
            assert plan(yaml.safe_load(block.text)).cells


@pytest.mark.parametrize("page", PAGES)
def test_scripts_and_links_lead_to_files(page):
    for script in re.findall(r"python ([\w/.-]+\.py)\b", PAGES[page]):
        assert (ROOT / script).exists(), f"{page}: {script}"
    prose = FENCE.sub("", PAGES[page])
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        assert file.exists(), f"{page}: {target}"
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), f"{page}: {target}"


def anchors(text):
    """The anchors that a forge gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


@pytest.mark.parametrize("page", sorted(PAGES))
def test_lines_can_be_read(page):
    long = [
        f"{page}:{number}: {len(line)} characters"
        for number, line in enumerate(PAGES[page].splitlines(), 1)
        if len(line) > LONGEST and not line.lstrip().startswith("|") and "](" not in line
    ]
    assert not long


def test_speeds_are_those_of_the_benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs" / "make")
    import performance_page

    for page in performance_page.PAGES:
        assert page.read_text() == performance_page.written(page), performance_page.COMMAND


def test_the_readme_is_a_page_and_narrow():
    lines = PAGES["README.md"].splitlines()
    assert len(lines) < 120
    assert max(map(len, lines)) < 100
