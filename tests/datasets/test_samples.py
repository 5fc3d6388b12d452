"""The files in data/samples, and how they are found and read."""

import importlib.util
import sys
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import journeykit as jk
from journeykit.datasets import SAMPLES
from journeykit.datasets.locate import shared_folder, shared_path
from journeykit.errors import JourneykitError


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory, project_root):
    spec = importlib.util.spec_from_file_location("make_samples", project_root / "tools" / "make_samples.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder = tmp_path_factory.mktemp("samples")
    module.write_all(folder)
    return folder


def test_samples_are_what_the_tool_makes(rebuilt):
    for path in sorted(rebuilt.iterdir()):
        kept = shared_path("samples", path.name)
        if path.suffix == ".csv":
            assert path.read_text(encoding="utf-8") == kept.read_text(encoding="utf-8"), path.name
        else:
            assert_frame_equal(jk.read_log(path).frame(), jk.read_log(kept).frame())


def test_samples_are_small():
    sizes = {path.name: path.stat().st_size for path in shared_folder("samples").iterdir()}
    assert sum(sizes.values()) < 3_000_000
    assert sizes["guitar_shop.parquet"] < 1_500_000
    assert len(pd.read_csv(shared_path("samples", "guitar_shop_messy.csv"))) <= 200


def test_guitar_shop_is_18_months_with_digital_stages():
    log = jk.load_sample("guitar_shop")
    assert log.n_customers == 5000
    assert log.stages == jk.StageModel.digital().stages
    assert log.ends_at == pd.Timestamp("2024-07-01", tz="Europe/Istanbul")
    assert "observed_until_guessed" not in set(log.quality["rule"])
    assert jk.load_sample("guitar_shop", stages=None).stage_codes is None
    assert jk.load_sample("guitar_shop", stages="ecommerce").stages[0] == "pre_purchase"


def test_small_shop_reads_from_csv_like_the_large():
    small, large = jk.load_sample("guitar_shop_small"), jk.load_sample("guitar_shop")
    assert small.n_customers == 200
    assert small.ends_at == large.ends_at
    assert small.columns == large.columns


def test_small_csv_reads_without_help():
    log = jk.read_log(
        shared_path("samples", "guitar_shop.csv"), timezone="Europe/Istanbul", observed_until="2024-07-01"
    )
    assert log.n_customers == 200
    assert len(log.quarantine) == 0
    assert (log.times == jk.load_sample("guitar_shop_small").times).all()


def test_spend_has_every_month_and_paid_channel():
    spend = jk.load_sample("guitar_shop_spend")
    assert spend.groupby("channel")["month"].nunique().eq(18).all()
    assert set(spend["channel"]) <= set(jk.load_sample("guitar_shop").channels)
    assert (spend["spend"] >= 0).all()


def test_messy_rows_give_findings_and_nothing_is_lost():
    raw = jk.load_sample("guitar_shop_messy")
    log = jk.read_log(raw, timezone="Europe/Istanbul", observed_until="2024-07-01")
    assert len(raw) == log.n_events + len(log.quarantine) + log.duplicates_merged
    assert {"missing_customer", "missing_time", "unparseable_time", "missing_touchpoint"} <= set(
        log.quarantine["reason"]
    )


def test_unknown_names_are_answered_with_known_ones():
    with pytest.raises(ValueError, match="did you mean 'guitar_shop'"):
        jk.load_sample("guitarshop")
    with pytest.raises(ValueError, match=r"did you mean 'guitar_shop\.csv'"):
        shared_path("samples", "guitar_shop.cvs")
    with pytest.raises(ValueError, match="kind must be one of"):
        shared_path("sample", "guitar_shop.csv")
    with pytest.raises(ValueError, match="there is no file"):
        shared_path("samples", "../../README.md")
    with pytest.raises(ValueError, match="stages must be"):
        jk.load_sample("guitar_shop", stages="digitl")
    assert "cdnow" in SAMPLES


def test_samples_are_found_in_a_wheel(tmp_path, monkeypatch):
    import journeykit.datasets.locate as locate

    inside = tmp_path / "journeykit" / "_share" / "samples"
    inside.mkdir(parents=True)
    (inside / "guitar_shop.csv").write_text("customer\n")
    monkeypatch.setattr(locate, "__file__", str(tmp_path / "journeykit" / "datasets" / "locate.py"))
    assert locate.shared_path("samples", "guitar_shop.csv") == inside / "guitar_shop.csv"
    with pytest.raises(FileNotFoundError, match="notebooks are missing"):
        locate.shared_folder("notebooks")


def test_cdnow_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(JourneykitError, match=r'pip install "journeykit\[oracles\]"'):
        jk.load_sample("cdnow")


@pytest.mark.oracle
def test_cdnow_is_the_published_data():
    if importlib.util.find_spec("lifetimes") is None:
        pytest.skip("lifetimes is not installed")
    log = jk.load_sample("cdnow")
    # Fader & Hardie (2001): 23,570 customers, 69,659 transactions from January 1997 through June 1998.
    assert log.n_customers == 23_570
    assert log.n_events == 69_659
    assert log.starts_at == pd.Timestamp("1997-01-01", tz="UTC")
    assert log.ends_at == pd.Timestamp("1998-07-01", tz="UTC")
    assert "lifetimes" not in sys.modules or Path(sys.modules["lifetimes"].__file__).exists()
