"""The interactive viewer: what it serves of whole and of damaged motions."""

from __future__ import annotations

import sys
import urllib.request
from collections.abc import Iterator

import numpy as np
import pytest

from lift2to3.demo_clip import load_demo_clip
from lift2to3.motion import Motion
from lift2to3.report.viewer import Viewer
from lift2to3.skeletons import CANONICAL


def walk() -> Motion:
    truth = load_demo_clip()[2]
    shape = truth.shape[:2]
    return Motion(
        truth.astype(np.float32), CANONICAL, 30.0, np.ones(shape, bool), np.full(shape, 0.03, np.float32)
    )


def test_without_viser_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "viser", None)
    with pytest.raises(ValueError, match=r"pip install 'lift2to3\[view\]'"):
        Viewer(walk())


def test_a_motion_without_a_point_is_refused() -> None:
    motion = walk()
    motion.valid[:] = False
    with pytest.raises(ValueError, match="no frame of the motion has a point"):
        Viewer(motion)


@pytest.fixture
def viewer() -> Iterator[Viewer]:
    pytest.importorskip("viser", reason="viser is not installed (the extra 'view')")
    motion = walk()
    motion.valid[10] = False
    motion.valid[20, CANONICAL.index("left_wrist")] = False
    made = Viewer(motion, load_demo_clip()[1], port=18080)
    yield made
    made.stop()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of viser's own dependencies
def test_it_serves_a_page_and_plays_at_the_clip_s_rate(viewer: Viewer) -> None:
    assert viewer.address.startswith("http://127.0.0.1:")
    with urllib.request.urlopen(viewer.address, timeout=20) as page:
        assert page.status == 200
    viewer.advance(0.5)
    assert viewer.frame == 15
    viewer.advance(7.0)  # the clip's six seconds begin again
    assert viewer.frame == 45
    viewer._speed.value = "0.1"
    viewer.advance(1.0)
    assert viewer.frame == 48
    viewer._play.value = False
    viewer.advance(1.0)
    assert viewer.frame == 48
    viewer._slider.value = 100
    viewer.advance(0.1)
    assert viewer.frame == 100


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_missing_joints_and_frames_are_not_drawn(viewer: Viewer) -> None:
    viewer.show(10)
    assert not viewer._figure.visible
    viewer.show(20)
    assert viewer._figure.visible
    length = np.linalg.norm(np.diff(viewer._figure.points, axis=1), axis=-1)
    assert np.isfinite(length).all()
    assert np.count_nonzero(length == 0) == 2  # elbow to wrist, wrist to hand
