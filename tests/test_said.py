"""What a lift has to say: warned of once, kept with the motion; what cannot be is refused."""

import warnings

import numpy as np
import pytest
from tiny import camera, film, walk, weights_file

import lift2to3 as l23
from lift2to3 import cli
from lift2to3.motion import Motion
from lift2to3.pipeline.check_result import ImpossibleMotion, check_result, stature
from lift2to3.skeletons import CANONICAL
from lift2to3.told import as_html, gathered_warnings


def motion_of(points: np.ndarray) -> Motion:
    known = np.ones(points.shape[:2], bool)
    return Motion(points.astype(np.float32), CANONICAL, 30.0, known, np.full(known.shape, 0.01, np.float32))


def test_a_right_motion_is_not_suspected():
    people = walk(30)
    assert check_result(motion_of(people), film(people, camera(), "halpe26"), camera()) == ()
    assert 1.5 < stature(motion_of(people)) < 2.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: p * 2, "3.5 m tall"),
        (lambda p: p + [0.0, 900.0, 0.0], "m from the camera"),
        (lambda p: p + [0.8, 0.0, 0.0], r"misses the keypoints by \d+% of the person's size"),
    ],
)
def test_a_motion_that_cannot_be_is_named(change, words):
    people = walk(30)
    with pytest.raises(ImpossibleMotion, match=words):
        check_result(motion_of(change(people)), film(people, camera(), "halpe26"), camera())


def test_a_lift_that_cannot_be_raises_and_force_keeps_it(tmp_path, monkeypatch):
    weights, keypoints = weights_file(tmp_path), film(walk(20), camera())

    def impossible(*_):
        raise ImpossibleMotion("the result cannot be: a giant")

    monkeypatch.setattr("lift2to3.pipeline.lift.check_result", impossible)
    with pytest.raises(ImpossibleMotion, match="a giant"):
        l23.lift(keypoints, camera(), weights=weights)
    with pytest.warns(UserWarning, match="a giant"):
        motion = l23.lift(keypoints, camera(), weights=weights, force=True)
    assert motion.warnings == ("the result cannot be: a giant",)
    files = keypoints.save(tmp_path / "keypoints.npz"), camera().save(tmp_path / "camera.json")
    arguments = ["lift", str(files[0]), "--camera", str(files[1]), "--weights", str(weights)]
    out = tmp_path / "out"
    assert cli.main([*arguments, "--out", str(out)]) == 2 and not list(out.iterdir())
    assert cli.main([*arguments, "--out", str(out), "--force"]) == 0 and (out / "motion.npz").is_file()


def test_what_is_said_is_warned_of_once_and_kept_in_the_file(tmp_path, monkeypatch):
    weights, keypoints = weights_file(tmp_path), film(walk(20), camera())
    said = ("the feet float", "the head sinks")
    monkeypatch.setattr("lift2to3.pipeline.lift.check_result", lambda *_: said)
    with pytest.warns(UserWarning) as caught:
        motion = l23.lift(keypoints, camera(), weights=weights)
    assert [str(each.message) for each in caught] == list(said)
    assert motion.warnings == said
    assert l23.load_motion(motion.save(tmp_path / "motion.npz")).warnings == motion.warnings
    assert "2 warnings" in repr(motion) and "<li>the feet float</li>" in motion._repr_html_()


def test_warnings_of_a_block_are_gathered_once_each_and_others_go_on():
    with pytest.warns(DeprecationWarning, match="old"), gathered_warnings() as texts:
        for text in ("one", "two", "one"):
            warnings.warn(text, stacklevel=1)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert texts == ["one", "two"]


def test_html_is_escaped():
    assert as_html("a < b", ["c > d"]) == "<code>a &lt; b</code><ul><li>c &gt; d</li></ul>"


def test_show_writes_a_picture_or_a_page_where_there_is_no_notebook(monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    people = walk(20)
    keypoints, motion = film(people, camera(), "halpe26"), motion_of(people)
    for path, ending in (
        (keypoints.show(), ".png"), (camera().show(), ".png"), (motion.show(), ".html"),
        (motion.show(keypoints, camera()), ".png"),
    ):  # fmt: skip
        assert path.suffix == ending and path.stat().st_size > 5_000
    assert len(opened) == 4 and all(address.startswith("file://") for address in opened)


def test_show_is_the_page_in_a_notebook(monkeypatch):
    display = pytest.importorskip("IPython.display", reason="IPython is not installed")
    monkeypatch.setattr("lift2to3.report.show._in_notebook", lambda: True)
    shown = motion_of(walk(20)).show()
    assert isinstance(shown, display.HTML) and "<iframe srcdoc=" in shown.data


def test_a_flag_given_twice_is_refused(tmp_path, capsys):
    arguments = ["lift", "k.npz", "--camera", "a.json", "--camera=b.json", "--out", str(tmp_path)]
    assert cli.main(arguments) == 2
    assert "--camera is given 2 times; wanted it once" in capsys.readouterr().err


def test_the_version_is_printed(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("lift2to3 0.")
