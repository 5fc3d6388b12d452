"""Speaking a language: nested, restored, apart in each thread."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from journeykit.errors import ParameterError
from journeykit.text import current_language, direction, label, language


def test_language_nests_and_restores():
    with language("he"):
        with language("en"):
            assert current_language() == "en"
        assert current_language() == "he"
    assert current_language() == "en"


def test_language_is_restored_after_an_error():
    with pytest.raises(ZeroDivisionError), language("he"):
        _ = 1 / 0
    assert current_language() == "en"


def test_unknown_language_is_refused_at_once_and_names_the_known():
    with pytest.raises(ParameterError, match=r"unknown language 'tlh', available are 'en', 'he', 'id', 'tr'"):
        language("tlh")
    with pytest.raises(ParameterError, match="available are"):
        label("customers", language="../en")
    assert current_language() == "en"


def test_each_thread_speaks_its_own_language():
    both_inside = Barrier(2, timeout=10)

    def speak(code):
        with language(code):
            both_inside.wait()
            said = [label("customers") for _ in range(200)]
            both_inside.wait()
        return set(said)

    with ThreadPoolExecutor(2) as pool:
        english, hebrew = pool.map(speak, ["en", "he"])
    assert english == {"customers"}
    assert hebrew == {"לקוחות"}


def test_direction_follows_the_language():
    assert (direction("en"), direction("he"), direction()) == ("ltr", "rtl", "ltr")
    with language("he"):
        assert direction() == "rtl"


def test_importing_text_loads_neither_babel_nor_pandas():
    code = "import sys, journeykit.text; print(sorted({'babel', 'pandas', 'numpy', 'tomllib'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
