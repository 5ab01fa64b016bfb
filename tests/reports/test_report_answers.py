"""Answers in a report, its sections, groups of any name, and the summary."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from fastdis.reports import (
    Answer,
    Figure,
    Table,
    answer_markdown,
    answers_text,
    page,
    panel,
    score_table,
    score_tables,
    summary,
)
from fastdis.reports.results import in_order
from tests.reports.report_data import Outline, fake_results, fake_study, figure_of, without_pictures


@pytest.fixture(scope="module")
def study():
    return without_pictures(fake_study())


@pytest.fixture(scope="module")
def html(study):
    return page.render(study)


def section(html, anchor):
    (found,) = re.findall(rf'<section id="{anchor}">.*?</section>', html, re.DOTALL)
    return found


def text_of(html):
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_figures_are_inside_the_page_and_described():
    with pytest.raises(ValueError, match="data:image"):
        Figure("f", "figures/loss.png", "a loss")
    with pytest.raises(ValueError, match="alt of figure 'f'"):
        Figure("f", figure_of("x").uri, " ")


# The page


def test_answers_come_first_with_their_tables_and_figures(html, study):
    Outline(html)
    answers = section(html, "answers")
    assert html.index("<section") == html.index('<section id="answers">')
    assert text_of(answers).startswith(f"{study.answers_title} Is it so? It is. Because. Networks")
    assert "<b>It is.</b>" in answers
    assert re.findall(r'<td class="([^"]*)">([^<]*)</td>', answers) == [
        ("number", "0.250"), ("number", "0.500"), ("number", "4"), ("", "yes"),
        ("number best", "0.125"), ("number", "–"), ("number", "1"), ("", "half"),
        ("number", "2.000"), ("number best", "0.750"), ("number", "8"), ("", "–"),
    ]  # fmt: skip
    assert '<th scope="row">MLP' in answers
    assert 'alt="Seen: errors"' in answers
    assert figure_of("errors").uri in answers
    assert "Means of three." in answers


def test_every_model_has_a_row_in_a_table_that_scrolls(html):
    cells = section(html, "cells")
    assert cells.count('<th scope="row">') == 100
    assert 'role="region" aria-label="All of them"' in cells
    assert html.count('href="#cells"') == 1


def test_models_of_few_codes_stand_side_by_side(html):
    assert '<div class="pairs">' in section(html, "models")


def test_the_heading_of_the_answers_is_that_of_the_results(study):
    html = page.render(replace(study, answers_title="Four questions", models=study.models[:1]))
    assert '<a href="#answers">Four questions</a>' in html
    assert "<h2>Four questions</h2>" in html


def test_sections_without_content_are_left_out_beside_answers(html, study):
    assert 'id="scores"' not in html
    assert 'href="#scores"' not in html
    bare = replace(
        study, audits={}, cells=None, models=[replace(study.models[0], panel=None, history=[])]
    )
    html = page.render(bare)
    Outline(html)
    for anchor in ("scores", "panel", "audit", "cells", "maps"):
        assert f'"{anchor}"' not in html
        assert f"#{anchor}" not in html
    html = page.render(replace(bare, answers=[]))
    for anchor in ("scores", "panel", "audit"):  # each says what is missing, and has nothing else
        assert "<p>" in section(html, anchor)
        assert "<table" not in section(html, anchor)


def test_answers_are_escaped(study):
    bad = "<script>alert(1)</script>"
    table = Table(bad, [bad], [[bad]], bad)
    answer = Answer(bad, bad, [bad], [table], [replace(figure_of("x"), caption=bad, alt=bad)])
    model = replace(study.models[0], title=bad, protocol=bad)
    html = page.render(replace(study, answers=[answer], cells=table, models=[model], audits={
        bad: study.audits["cqt"]}))  # fmt: skip
    assert "<script" not in html
    Outline(html)


# Groups


def test_groups_stand_in_order_of_their_first_appearance():
    assert in_order(["b", "a", "b"]) == ["b", "a"]
    assert in_order(["b", "sound", "a", "published"]) == ["published", "sound", "b", "a"]


def test_groups_of_any_name_are_headed_by_it(html, study):
    heads = re.findall(r"<h3>(Models.*?|Data.*?)</h3>", html)
    assert heads == ["Models: clean", "Models: noise, decay", "Data: cqt"]
    tags = re.findall(r'<span class="tag">(.*?)</span>', section(html, "models"))
    assert tags == ["clean", "noise, decay"]
    assert "protocol" not in text_of(re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL))


def test_models_of_several_groups_are_shown_group_by_group(study):
    first, second = study.models
    mixed = replace(study, models=[second, first, replace(second, title="MLP")])
    shown = [(view.protocol, view.models) for view in panel.panels(mixed)]
    assert shown == [("noise, decay", ["CNN", "MLP"]), ("clean", ["CNN"])]
    names = re.findall(r'<h3>\s*<span class="name">(.*?)</span>', page.render(mixed))
    assert names == ["CNN", "MLP", "CNN"]


def test_the_panel_of_a_group_has_the_factors_of_all_its_models(study):
    first, second = (m.panel for m in study.models)
    score = replace(second.details["mig"], per_factor={"place": 0.25})
    second = replace(second, names=("place",), details={"mig": score}, intervals={}, warnings=())
    models = [replace(m, panel=p, protocol="one", title=t)
              for m, p, t in zip(study.models, (first, second), "ab", strict=True)]  # fmt: skip
    (view,) = panel.panels(replace(study, models=models))
    assert view.factors == ("frequency", "amplitude", "waveform", "place")
    (parts,) = [cells for title, cells in view.parts if title == "MIG"]
    assert parts[0][3] == "–"
    assert parts[1] == ["–", "–", "–", "0.250"]
    page.render(replace(study, models=models))


def test_scores_of_other_groups_have_columns_of_their_own():
    results = fake_results(["vae"], ["clean"], codes=2)
    columns, tables = score_tables.score_tables(results)
    assert [(c.title, c.subtitle) for c in columns[1:]] == [("clean", "standard scoring")]
    assert all(len(row) == 3 for _, table in tables for row in table.cells)
    assert "clean" in score_table(results)


# Without a page


def test_the_summary_holds_answers_and_every_model_as_plain_values(study):
    plain = json.loads(json.dumps(summary(replace(study, audits={})), allow_nan=False))
    first, second = plain["answers"]
    assert first["question"] == "Is it so?"
    assert first["answer"] == "It is."
    assert first["paragraphs"] == ["Because."]
    (table,) = first["tables"]
    assert table["columns"] == ["network", "error", "score", "beta", "found"]
    assert table["rows"][1] == ["CNN", 0.125, None, 1, "half"]
    assert table["rows"][2] == ["RNN", 2, 0.75, 8, None]
    assert second["tables"] == []
    assert plain["cells"]["rows"][99] == ["model 99", 99 / 8]
    assert "data:image" not in json.dumps(plain)
    assert [(m["title"], m["protocol"]) for m in plain["models"]] == [
        ("CNN", "clean"), ("CNN", "noise, decay"),
    ]  # fmt: skip
    assert summary(replace(study, audits={}, answers=(), cells=None))["cells"] is None


def test_answers_read_without_a_page(study):
    text = answers_text(study)
    assert text == "Is it so?\n  It is.\n\nAnd this?\n  It is not.\n"
    marked = answers_text(study, "markdown")
    assert "| CNN | **0.125** | – | 1 | half |" in marked
    assert "**It is.**" in marked
    with pytest.raises(ValueError, match="markdown"):
        answers_text(study, "markdwn")


def test_answers_as_markdown():
    table = Table("Two | three", ["a", "b|c"], [["x", 1.0], ["y", 2.0]], best={"b|c": "high"})
    figure = Figure("Shown.", "data:image/png;base64,AA==", "a picture")
    answer = Answer("Why?", "So.", ["Because."], [table], [figure])
    text = answer_markdown(answer, ["p.png"])
    assert text.split("\n\n")[:3] == ["### Why?", "**So.**", "Because."]
    assert "| a | b\\|c |" in text
    assert "| y | **2** |" in text
    assert text.endswith("![a picture](p.png)\n\n*Shown.*")
    assert "p.png" not in answer_markdown(answer)
