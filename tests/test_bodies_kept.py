"""A body that was found is kept: in memory, beside the motion on disk, and in what is exported from it."""

import numpy as np
import pytest
from tiny import camera, film, unjudged, walk, weights_file

import lift2to3 as l23
from lift2to3 import cli
from lift2to3.formats.motions import bvh
from lift2to3.motion import BodyMotion, body_file, motion_hash

FRAMES = 24


@pytest.fixture(scope="module")
def keypoints() -> l23.Keypoints:
    return film(walk(FRAMES), camera(), "halpe26")


@pytest.fixture(scope="module")
def refined(keypoints, tmp_path_factory) -> l23.Motion:
    weights = weights_file(tmp_path_factory.mktemp("weights"))
    with unjudged():
        return l23.lift(keypoints, camera(), weights=weights, refine=True)


def same(one: BodyMotion, other: BodyMotion) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_refined_motion_is_its_body_s_points(refined):
    assert refined.refined == ("feet", "body") and refined.body is not None
    np.testing.assert_array_equal(refined.joints_world, refined.body.points())
    bones = np.linalg.norm(np.diff(refined.joints_world[:, [4, 7]].astype(float), axis=1), axis=-1)
    assert np.ptp(bones) < 1e-4, "a thigh keeps its length"


def test_refine_body_is_what_lift_does(refined, keypoints, tmp_path):
    with unjudged():
        start = l23.lift(keypoints, camera(), weights=weights_file(tmp_path))
    body = l23.refine_body(start, keypoints, camera())
    np.testing.assert_allclose(body.rotations, refined.body.rotations, atol=1e-5)
    np.testing.assert_allclose(body.root_translation, refined.body.root_translation, atol=1e-5)


def test_the_body_that_is_exported_is_the_one_that_was_refined(refined, tmp_path, monkeypatch):
    monkeypatch.setattr("lift2to3.convert.foot_files.fit_body", None)  # first: its import needs the real one
    monkeypatch.setattr("lift2to3.fit.fit_body.fit_body", None)  # nothing is fitted again
    back = l23.load_motion(refined.save(tmp_path / "motion.npz"))
    assert (tmp_path / "body.npz").is_file() and same(back.body, refined.body)
    written = {}
    monkeypatch.setattr(
        "lift2to3.convert.export.write_bvh", lambda path, body, *_: written.update(bvh=body) or path
    )
    assert cli.main(["export", str(tmp_path / "motion.npz"), "--to", "bvh", "--out", str(tmp_path)]) == 0
    assert same(written["bvh"], refined.body), "to the bit"


def test_any_motion_file_has_its_body_beside_it(refined, tmp_path):
    path = refined.save(tmp_path / "walk.npz")
    assert body_file(path) == tmp_path / "walk.body.npz" and same(l23.load_motion(path).body, refined.body)


def test_a_body_of_another_motion_is_refused(refined, tmp_path, capsys):
    path = refined.save(tmp_path / "motion.npz")
    for change, words in (
        ({"points_hash": "0" * 16}, "was found for the points 0000"),
        ({"points_hash": ""}, "says of no motion that it is its own"),
        ({"fps": 25.0}, "has 25 frames per second, the motion 30"),
        ({"rotations": refined.body.rotations[:-1], "root_translation": refined.body.root_translation[:-1],
          "valid": refined.body.valid[:-1]}, "has 23 frames, the motion 24"),
    ):  # fmt: skip
        refined.body._replace(**change).save(tmp_path / "body.npz")
        with pytest.raises(ValueError, match=words):
            l23.load_motion(path)
        assert cli.main(["export", str(path), "--to", "trc", "--out", str(tmp_path)]) == 2
        assert words in capsys.readouterr().err and not (tmp_path / "motion.trc").exists()
    with pytest.raises(ValueError, match="was found for the points"):
        refined._replace(joints_world=refined.joints_world + 1).save(tmp_path / "moved.npz")


def test_an_old_motion_gets_a_body_once_and_it_is_said(refined, tmp_path, capsys):
    points = walk(FRAMES).astype(np.float32)
    old = refined._replace(joints_world=points, body=None)
    path = old.save(tmp_path / "motion.npz")
    arguments = ["export", str(path), "--to", "bvh", "--out", str(tmp_path)]
    assert cli.main(arguments) == 0
    assert "no body came with the motion: one was fitted to its points" in capsys.readouterr().out
    body = l23.load_motion(path).body
    assert body is not None and body.points_hash == motion_hash(old)
    assert cli.main(arguments) == 0
    assert "fitted" not in capsys.readouterr().out
    assert bvh.read_bvh(tmp_path / "motion.bvh").fps == pytest.approx(30)


def test_feet_after_a_lift_says_that_they_are_refined_already(refined, keypoints, tmp_path, capsys):
    path = refined.save(tmp_path / "motion.npz")
    files = keypoints.save(tmp_path / "keypoints.npz"), camera().save(tmp_path / "camera.json")
    arguments = ["feet", str(path), str(files[0]), "--camera", str(files[1]), "--out", str(tmp_path / "feet")]
    assert cli.main(arguments) == 0
    assert "lift has refined its feet already" in capsys.readouterr().out
    done = l23.load_body_motion(tmp_path / "feet" / "body.npz")
    np.testing.assert_array_equal(done.rest_offsets, refined.body.rest_offsets)
    assert done.points_hash == refined.body.points_hash, "still that motion's body"
