"""Formulas as MathML: what a browser lays out, and never more than text."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeykit.reports.formulas import mathml, with_formulas
from journeykit.reports.render import paragraphs


@pytest.mark.parametrize(
    ("formula", "made"),
    [
        ("x", "<mi>x</mi>"),
        ("2.5", "<mn>2.5</mn>"),
        (r"\frac{a}{n}", "<mfrac><mrow><mi>a</mi></mrow><mrow><mi>n</mi></mrow></mfrac>"),
        (r"\sqrt{V}", "<msqrt><mrow><mi>V</mi></mrow></msqrt>"),
        (r"\hat p", "<mover accent='true'><mi>p</mi><mo>^</mo></mover>"),
        (r"\sum_i x_i", "<munder><mo>∑</mo><mi>i</mi></munder><msub><mi>x</mi><mi>i</mi></msub>"),
        (r"\text{came back} \le \alpha", "<mtext>came back</mtext><mo>≤</mo><mi>α</mi>"),
        (r"\left( x \right)", "<mo>(</mo><mi>x</mi><mo>)</mo>"),
    ],
)
def test_what_is_known(formula, made):
    assert mathml(formula) == f"<math>{made}</math>"


@given(st.text(alphabet=r"ab1{}^_\ $<>&'fracsqtextshum", max_size=30))
def test_whatever_stands_in_it_it_is_well_formed_and_only_mathml(formula):
    root = ET.fromstring(mathml(formula))
    names = {element.tag for element in root.iter()}
    assert all(name == "math" or name.startswith("m") for name in names)
    assert not [element for element in root.iter() if set(element.attrib) - {"display", "accent"}]


def test_formulas_in_markdown_and_money_that_is_none():
    html = paragraphs("Wilson: $$p = \\frac{x}{n}$$ and **$\\hat p$**; it costs $5 to $10.")
    assert html.count("<math") == 2
    assert '<math display="block">' in html
    assert "<strong><math>" in html
    assert "$5 to $10" in html


def test_data_cannot_pretend_to_be_a_formula():
    assert "<math" not in with_formulas("jkformula0x", str)
    html = paragraphs("$<img src=x onerror=alert(1)>$")
    assert "<img" not in html
