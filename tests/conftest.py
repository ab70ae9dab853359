"""What every test runs under: shapes checked, eight CPU devices, strict JAX, cached compilations.

Environment variables and the jaxtyping import hook must stand before the first import of jax or
lift2to3, so this file imports them only after setting both.
"""

import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"
os.environ.setdefault("MPLBACKEND", "agg")
os.environ["LIFT2TO3_CACHE"] = str(ROOT / ".pytest_cache" / "lift2to3")  # of the commands under test

import jax  # noqa: E402
import pytest  # noqa: E402
from beartype import BeartypeConf, beartype  # noqa: E402
from jaxtyping import install_import_hook  # noqa: E402

check_types = beartype(conf=BeartypeConf(is_pep484_tower=True))  # an int is a float, as in PEP 484
install_import_hook("lift2to3", "conftest.check_types")

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_compilation_cache_dir", str(ROOT / ".pytest_cache" / "jax"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real mocap, cameras and detections; absent on most machines."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no data folder beside the checkout ({SHARED_DATA.name}: real mocap and cameras)")
    return SHARED_DATA


@pytest.fixture
def float64() -> Iterator[None]:
    """Double precision for the test's length: laws are held to 1e-8."""
    with jax.enable_x64(True):
        yield
