"""Protocol 2 gives everyone the same rare motion, hidden points and odd cameras, for ever."""

import json

import numpy as np
import pytest
from test_protocol import RIGS, assert_same
from tiny import mocap_clip, walk, weights_file

from experiments import rare_protocol as rare
from lift2to3.data.packed import write_packed
from lift2to3.data.synthetic import FLESH_M
from lift2to3.skeletons import INDEX


def clip(name: str, subject: str, frames: int = 40):
    return mocap_clip(walk(frames), name=name)._replace(subject=subject)


TRAIN = [clip("49_01", "49"), clip("29_01", "29", frames=320), clip("01_01", "01")]
VAL = [clip("127_23", "127"), clip("127_01", "127"), clip("02_01", "02")]


@pytest.fixture(scope="module")
def sets() -> dict:
    return {one.name: one for one in rare.rare_sets(TRAIN, VAL, RIGS, None)}


def names(one) -> list[str]:
    return [trial.clip.clip for trial in one.trials]


def test_every_set_has_its_clips(sets):
    assert names(sets["acrobatics"]) == ["49_01"] and names(sets["animals"]) == ["29_01"]
    assert names(sets["dives"]) == ["127_23"]
    everyday = ["02_01", "127_01", "127_23"]
    assert names(sets["floor"]) == [f"{name} floor" for name in everyday]
    assert all(names(sets[name]) == everyday for name in ("no face", "no legs", "rolled", "low"))


def test_two_calls_and_fewer_clips_give_the_same(sets):
    for again in rare.rare_sets(TRAIN, VAL[::-1], RIGS, None):
        for first, second in zip(again.trials, sets[again.name].trials, strict=True):
            assert_same(first, second)
    (few,) = [one for one in rare.rare_sets(TRAIN, VAL, RIGS, 1) if one.name == "floor"]
    assert_same(few.trials[0], sets["floor"].trials[0])


def test_long_clips_are_used_in_their_middle(sets):
    points = sets["animals"].trials[0].clip.points_world
    np.testing.assert_array_equal(points, TRAIN[1].points_world[10:310])


def test_laid_clips_lie_on_the_floor_and_inverted_ones_have_the_head_down(sets):
    for kind, low, high in (("floor", -0.5, 0.643), ("inverted", -1.0, -0.5)):
        for trial in sets[kind].trials:
            points = trial.clip.points_world
            np.testing.assert_allclose((points[..., 2] - FLESH_M).min(1), 0, atol=1e-5)
            up = points[:, INDEX["neck"]] - points[:, INDEX["pelvis"]]
            upright = np.median(up[:, 2] / np.linalg.norm(up, axis=-1))
            assert low - 0.45 < upright < high + 0.45, "tipped as asked, but for rolling over"
            assert not trial.clip.contacts.any()


def test_hidden_points_are_never_seen_and_the_others_are(sets):
    for name, hidden in (("no face", ("nose", "left_ear")), ("no legs", ("left_knee", "right_ankle"))):
        assert sets[name].skeleton == "coco17"
        for trial in sets[name].trials:
            assert np.isnan(trial.pixels[:, [INDEX[point] for point in hidden]]).all()
            assert np.isfinite(trial.pixels[:, INDEX["left_shoulder"]]).all(-1).mean() > 0.9


def test_cameras_are_low_or_rolled(sets):
    for trial in sets["low"].trials:
        assert 0.3 <= trial.camera.centre[2] <= 0.8
    for trial in sets["rolled"].trials:
        right = trial.camera.R[0]
        assert 10 < abs(np.degrees(np.arcsin(right[2]))) < 46
    with pytest.raises(ValueError, match="wanted height_m or roll_deg, found 'K'"):
        rare.odd_rigs(RIGS, "K")


def test_the_whole_table_is_evaluated(tmp_path):
    write_packed(tmp_path / "train", TRAIN[2:])  # no rare subjects: those sets are left out
    write_packed(tmp_path / "val", VAL[:1])
    (tmp_path / "cameras.json").write_text(json.dumps(RIGS))
    config = rare.Config(
        data=tmp_path, cameras=tmp_path / "cameras.json", weights=str(weights_file(tmp_path)),
        methods=("stiff",), noises=("gt",), limit=1,
    )  # fmt: skip
    rows = rare.evaluate(config)
    assert [row["set"] for row in rows] == [
        "dives", "floor", "inverted", "no face", "no legs", "rolled", "low", "mean of sets",
    ]  # fmt: skip
    assert rows[-1]["trials"] == 7
    assert rows[-1]["mpjpe"] == pytest.approx(np.mean([row["mpjpe"] for row in rows[:-1]]))
    assert rare.table(rows, "title").row_count == 8


def test_what_a_method_refuses_is_counted_and_left_out(sets):
    (trial,) = sets["dives"].trials
    taken: list[str] = []

    def lift(keypoints, camera):
        taken.append(keypoints.skeleton.name)
        raise ValueError("feet over the horizon")

    assert rare._scored(lift, [trial, trial], "coco17", "gt") == ([], 2) and taken == ["coco17"] * 2
