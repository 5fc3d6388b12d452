"""The public names: those of the design, lazily loaded, documented, never shadowed by a module."""

import ast
import doctest
import importlib.util
import inspect
import subprocess
import sys

import pytest

import journeykit as jk

# The design's list. The package may have fewer while it is being built, never others.
DESIGNED = set(
    """
    read_log scan_log concat_logs refresh InteractionLog StageModel Step Exclude Inactivity Cancel Contract Tenures
    language
    stage_funnel funnel funnel_trend conversion_curve conversion_drivers friction opportunities
    retention retention_forecast lifecycle stickiness active_customers
    churn_threshold tenures survival_curve churn_model buying_model
    transitions variants paths journey_map timeline attribution attribution_from_paths personas
    nps csat ces first_contact_resolution resolution_time retention_rate churn_rate referral_rate trial_conversion
    repeat_purchase cart_abandonment checkout_time delivery_promise where_is_my_order_rate return_rate review_rate
    closed_loop
    task_success time_to_value first_response feature_use outreach_response loyalty_ladder scorecard
    compare load_sample simulate_journeys list_reports run_report
    """.split()
)


def in_a_new_python(code: str) -> str:
    """What this code prints in an interpreter that has imported nothing yet."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_public_names_are_those_of_the_design():
    assert set(jk.__all__) <= DESIGNED
    assert set(jk.__all__) <= set(dir(jk))


def test_type_checkers_see_the_same_names(project_root):
    tree = ast.parse((project_root / "journeykit/__init__.py").read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    seen = {alias.asname: node.module for node in block.body for alias in node.names}
    assert seen == jk._HOME


@pytest.mark.parametrize("name", jk.__all__)
def test_every_name_loads_and_shows_an_example(name):
    doc = inspect.getdoc(getattr(jk, name)) or ""
    assert doctest.DocTestParser().get_examples(doc), f"jk.{name} has no example"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'funnels'"):
        _ = jk.funnels


def test_importing_the_package_imports_nothing_else():
    # So it costs next to nothing beside `import pandas`; the time itself is measured in benchmarks/.
    loaded = "sorted(n for n in set(sys.modules) - before if n.split('.')[0] not in sys.stdlib_module_names)"
    code = f"import sys; before = set(sys.modules); import journeykit; print({loaded})"
    assert in_a_new_python(code) == "['journeykit']"


def test_no_module_has_the_name_of_a_function(project_root):
    # Importing journeykit.funnel would put the module where jk.funnel was.
    package = project_root / "journeykit"
    modules = {path.stem for path in package.glob("*.py")} | {
        path.parent.name for path in package.glob("*/__init__.py")
    }
    assert modules & DESIGNED == set()


def test_names_stay_themselves_once_every_module_is_loaded():
    code = (
        "import pkgutil, importlib, inspect, journeykit as jk\n"
        "for module in pkgutil.walk_packages(jk.__path__, 'journeykit.'):\n"
        "    if not module.name.endswith('__main__'):\n"
        "        try: importlib.import_module(module.name)\n"
        "        except ModuleNotFoundError as error:\n"
        "            if (error.name or '').startswith('journeykit'): raise\n"  # an extra that is not installed
        "print([name for name in jk.__all__ if inspect.ismodule(getattr(jk, name))])\n"
    )
    assert in_a_new_python(code) == "[]"


def test_every_name_has_its_page_and_the_page_is_current(project_root):
    spec = importlib.util.spec_from_file_location("api_pages", project_root / "tools/api_pages.py")
    api_pages = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(api_pages)
    folder = project_root / "docs/api"
    on_disk = {file.name: file.read_text(encoding="utf-8") for file in folder.glob("*.md")}
    wanted = api_pages.pages()
    assert set(on_disk) == set(wanted), "run: make api"
    assert [name for name in wanted if on_disk[name] != wanted[name]] == [], "run: make api"
