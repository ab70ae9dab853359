"""Every mistake of the issue's list, end to end: refused before anything is lifted, with what was found."""

import json
import pickle

import numpy as np
import pytest
from tiny import (
    FRAMES,
    MODEL,
    MULTIVIEW,
    SIZE,
    K,
    camera,
    config,
    film,
    random_params,
    unjudged,
    walk,
    weights_file,
)

import lift2to3 as l23
from lift2to3.checkpoint import save_weights
from lift2to3.cli import main
from lift2to3.pipeline.window_models import DenoisedWindows
from lift2to3.skeletons import SKELETONS


@pytest.fixture(scope="module", autouse=True)
def of_random_weights():
    with unjudged():
        yield


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return weights_file(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def lift(weights):
    """The public function; every test here ends before the model runs."""
    return lambda keypoints, camera: l23.lift(keypoints, camera, steps=1, weights=weights)


def seen() -> np.ndarray:
    return film(walk(), camera()).xy_px


# --- keypoints


@pytest.mark.parametrize("name", [name for name, s in SKELETONS.items() if len(s.joints) != 17])
def test_a_wrong_joint_count_names_the_formats_that_fit(name):
    count = len(SKELETONS[name].joints)
    with pytest.raises(ValueError, match=f"have {count} joints, skeleton 'coco17' has 17; .*{name}"):
        l23.as_keypoints(np.full((9, count, 2), 300.0), skeleton="coco17")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"xy": seen() / SIZE}, r"run from 0\.\d\d to 0\.\d\d: they look normalised to 0–1; wanted pixels"),
        ({"xy": np.full((9, 17, 2), np.nan)}, "every joint of every frame is missing; nothing to lift"),
        ({"xy": seen()[:1]}, "wanted a clip of 2 frames or more, found 1"),
        ({"fps": 0}, "fps is 0; wanted 1 to 1,000 frames per second"),
        ({"fps": -25}, "fps is -25; wanted 1 to 1,000 frames per second"),
        ({"skeleton": "coco18"}, "unknown skeleton 'coco18'"),
    ],
)
def test_keypoints_that_cannot_be_lifted_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        l23.as_keypoints(**{"xy": seen()} | change)


def test_keypoints_that_say_nothing_of_the_place_are_refused(lift):
    xy = seen()
    xy[:, [j for j in range(17) if j not in (0, 9)]] = np.nan  # nose and left wrist
    with pytest.raises(
        ValueError, match="no foot and no two neighbouring joints .* wanted at least one limb"
    ):
        lift(l23.as_keypoints(xy), camera())


def test_a_person_without_feet_a_field_away_is_refused(lift):
    xy = seen()
    xy[:, 15:] = np.nan
    far = np.nanmean(xy) + (xy - np.nanmean(xy)) / 20
    with pytest.raises(
        ValueError, match="too small in the picture to be within 35 m: is K of this resolution"
    ):
        lift(l23.as_keypoints(far), camera())


# --- cameras


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"R": np.full((3, 3), np.nan)}, "camera R is not finite"),
        ({"t": [0, np.nan, 4]}, "camera t is not finite"),
        ({"K": K * np.nan}, "camera K is not finite"),
        ({"R": camera().R + 0.1}, "camera R is not a rotation: R Rᵀ differs from the identity by 0"),
        ({"R": np.diag([1, 1, -1]) @ camera().R}, "camera R has determinant -1"),
        (
            {"size": (360, 640)},
            r"K and size disagree: the principal point \(640, 360\) lies outside the 360×640",
        ),
    ],
)
def test_cameras_that_cannot_be_are_refused(change, message):
    right = camera()
    with pytest.raises(ValueError, match=message):
        l23.Camera(**{"K": K, "R": right.R, "t": right.t, "size": SIZE} | change)


def test_a_camera_under_the_floor_is_refused(lift):
    keypoints = film(walk(), camera())
    sunk = camera(centre=(0.7, -5, -1.1), target=(0, 0, -1.7))  # the floor is 2.6 m too high
    with pytest.raises(
        ValueError, match=r"the camera stands -1\.10 m above the floor; .* z up, metres, .* z = 0"
    ):
        lift(keypoints, sunk)


def test_a_camera_that_looks_only_at_the_sky_is_refused(lift):
    keypoints = film(walk(), camera())
    sky = camera(target=(0, 0, 6))
    with pytest.raises(ValueError, match=r"100 % of the frames the rays through the feet never come down"):
        lift(keypoints, sky)


def test_a_world_in_millimetres_is_told(lift):
    right = camera()
    with pytest.raises(ValueError, match=r"the floor puts the person 1.1e\+03 times as far .* --unit mm"):
        lift(film(walk(), right), l23.Camera(K, right.R, 1000 * right.t, SIZE))


@pytest.mark.parametrize("stature_m", [1.1, 1.73, 1.95])
@pytest.mark.parametrize(
    "centre",
    [
        (0.7, -5.0, 1.5), (0.0, 6.0, 1.0), (-4.0, 6.0, 2.0), (3.0, 5.0, 0.5), (2.5, -2.5, 2.2),
        (-3.0, 8.0, 1.6), (7.0, -1.0, 0.8), (-2.0, -3.0, 1.2),
    ],
)  # fmt: skip
def test_t_given_as_the_camera_centre_is_recognised(lift, centre, stature_m):
    right = camera(centre)
    keypoints = film(walk(stature_m=stature_m), right)
    with pytest.raises(ValueError, match=r"t is the camera's position: wanted t = -R @ centre"):
        lift(keypoints, l23.Camera(K, right.R, right.centre, SIZE))


def test_where_both_readings_of_t_are_possible_the_user_is_warned(lift):
    right = camera((-4.0, 0.0, 3.0))  # read wrongly it stands 1.4 m high and sees a toddler
    keypoints = film(walk(), right)
    with pytest.warns(UserWarning, match=r"0\.\d times as far .* as if t is the camera's position"):
        lift(keypoints, l23.Camera(K, right.R, right.centre, SIZE))


@pytest.mark.parametrize("stature_m", [1.5, 1.73, 1.9])
@pytest.mark.parametrize("centre", [(0.7, -5.0, 1.5), (2.0, 3.0, 3.4), (8.0, 0.0, 0.4), (0.0, -12.0, 1.6)])
def test_a_right_camera_is_not_suspected(lift, centre, stature_m, monkeypatch):
    class Reached(Exception):
        pass

    def stop(*_):
        raise Reached

    monkeypatch.setattr("lift2to3.observations.resample_observations", stop)  # what follows the check
    for skeleton in ("coco17", "body25"):
        with pytest.raises(Reached):
            lift(film(walk(stature_m=stature_m), camera(centre), skeleton), camera(centre))


# --- weights


def test_unknown_weights_list_the_known_ones():
    with pytest.raises(ValueError, match="unknown weights 'large'; shipped: .* ending in .safetensors"):
        l23.Lifter.from_pretrained("large")
    with pytest.raises(FileNotFoundError, match="no such weights file"):
        l23.Lifter.from_pretrained("large.safetensors")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": MODEL.__dict__ | {"width": 32}}, "another model configuration .* found .* wanted"),
        (
            {"model": MODEL.__dict__ | {"depth": 2}},
            r"another model configuration .* blocks\.1\..* found nothing",
        ),
        ({"model": {"width": 16}}, "not a DenoiserConfig of this version: .* missing .*'depth'"),
        ({"multiview": MULTIVIEW.__dict__ | {"magic": 1}}, "not a MultiViewConfig .* unknown .*'magic'"),
    ],
)
def test_a_checkpoint_of_another_config_is_refused(tmp_path, change, message):
    path = save_weights(tmp_path / "w.safetensors", random_params(), config() | change)
    with pytest.raises(ValueError, match=message):
        l23.Lifter.from_pretrained(path)


def test_a_single_view_checkpoint_is_no_lifter(tmp_path):
    path = save_weights(tmp_path / "g2d.safetensors", random_params(), {"model": MODEL.__dict__})
    with pytest.raises(ValueError, match=r"no frames, multiview in its config: .* \(G_2D's\? finetune"):
        l23.Lifter.from_pretrained(path)
    with pytest.raises(ValueError, match="lifter: the weights are of another model configuration"):
        l23.Lifter(DenoisedWindows(MODEL, MULTIVIEW, FRAMES), {})


@pytest.mark.parametrize(("damage", "message"), [("cut", "cut short"), ("edited", "edited or damaged")])
def test_a_damaged_weights_file_is_refused(tmp_path, damage, message):
    path = weights_file(tmp_path)
    content = path.read_bytes()
    content = content[:-9] if damage == "cut" else content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        l23.Lifter.from_pretrained(path)


# --- files


def test_files_with_pickled_objects_are_refused(tmp_path, capsys):
    path, camera_path = tmp_path / "evil.npz", tmp_path / "camera.json"
    np.savez(path, xy=np.array([{"runs": "code"}], dtype=object))
    with pytest.raises(ValueError, match=r"evil\.npz: it holds pickled Python objects"):
        l23.load_motion(path)
    right = camera()
    fields = {"K": K, "R": right.R, "t": right.t}
    camera_path.write_text(
        json.dumps(
            {k: v.tolist() for k, v in fields.items()} | {"size": SIZE, "convention": "world-to-camera"}
        )
    )
    arguments = [str(path), "--camera", str(camera_path), "--out", str(tmp_path / "out")]
    for write in (None, lambda: path.write_bytes(pickle.dumps({"xy": 1}))):
        if write is not None:
            write()
        assert main(["lift", *arguments]) == 2
        assert "pickled Python objects" in capsys.readouterr().err
