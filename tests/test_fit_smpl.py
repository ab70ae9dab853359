"""Our body told in SMPL's parameters, on a model file of SMPL's layout with a person's joints."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lift2to3.convert.export import export
from lift2to3.fit.body_prior import load_body_prior
from lift2to3.fit.fit_smpl import fit_shape, fit_smpl
from lift2to3.motion import BodyMotion, load_arrays
from lift2to3.skeletons import INDEX, PARENTS
from lift2to3.smpl import JOINT_NAMES, BodyModel, load_body_model, pose_joints

LIMBS = [
    (INDEX[f"{side}_{a}"], INDEX[f"{side}_{b}"])
    for side in ("left", "right")
    for a, b in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
]


def rest_joints() -> np.ndarray:
    """24 joints of a person whose legs are astride and whose arms hang a little. (24, 3) metres"""
    offsets = load_body_prior().rest_offsets.astype(float)
    turns = {name: Rotation.from_rotvec([0, 0, np.radians(a)]).as_matrix()
             for side, sign in (("left", 1), ("right", -1))
             for name, a in ((f"{side}_knee", 6 * sign), (f"{side}_elbow", -12 * sign))}  # fmt: skip
    joints = np.zeros((24, 3))
    joints[0] = [0.0, -0.2, 0.03]
    names = JOINT_NAMES["smpl"]
    for row, name in enumerate(names[1:22], start=1):
        turn = turns.get(name, np.eye(3))
        joints[row] = joints[PARENTS[row]] + turn @ offsets[row]
    joints[22:] = joints[20:22]
    return joints


@pytest.fixture(scope="module")
def model_file(tmp_path_factory) -> Path:
    """One vertex a joint: what the regressor picks. Two shapes: taller, and longer legs."""
    rest = rest_joints()
    legs = np.zeros_like(rest)
    legs[[4, 7, 5, 8], 1] = [-0.03, -0.06, -0.03, -0.06]
    parents = np.array([-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21])
    shapes = np.stack([0.05 * rest, legs, *np.zeros((8, *rest.shape))], axis=-1)
    path = tmp_path_factory.mktemp("model") / "smpl.npz"
    np.savez(
        path, v_template=rest, shapedirs=shapes,
        posedirs=np.zeros((24, 3, 207)), J_regressor=np.eye(24), weights=np.eye(24),
        kintree_table=np.stack([parents, np.arange(24)]), f=np.array([[0, 1, 2]]),
    )  # fmt: skip
    return path


@pytest.fixture
def model(model_file) -> BodyModel:
    return load_body_model(model_file)


def posed_body(frames: int = 12) -> BodyMotion:
    prior = load_body_prior()
    turns = Rotation.random(frames * 22, random_state=1).as_rotvec().reshape(frames, 22, 3) * 0.3
    rotations = Rotation.from_rotvec(turns.reshape(-1, 3)).as_matrix().reshape(frames, 22, 3, 3)
    root = np.random.default_rng(0).normal(size=(frames, 3))
    return BodyMotion(root, rotations, 1.1 * prior.rest_offsets, 50.0, np.arange(frames) > 0)


def test_limbs_point_where_ours_point_and_are_as_long(model):
    body = posed_body()
    _, points = body.posed()
    smpl = fit_smpl(body, model)
    joints = np.asarray(pose_joints(model, smpl.betas, smpl.rotations, smpl.translation))
    for start, end in LIMBS:
        ours, theirs = points[:, end] - points[:, start], joints[:, end] - joints[:, start]
        cosine = (ours * theirs).sum(-1) / np.linalg.norm(ours, axis=-1) / np.linalg.norm(theirs, axis=-1)
        np.testing.assert_allclose(cosine, 1.0, atol=1e-6)
        lengths = (np.linalg.norm(each, axis=-1) for each in (theirs, ours))
        np.testing.assert_allclose(*lengths, atol=0.012)
    assert np.linalg.norm(joints[:, :22] - points[:, :22], axis=-1).mean() < 0.03
    assert smpl.fps == 50.0 and not smpl.valid[0]


def test_shape_is_found_from_the_bones(model):
    offsets = load_body_prior().rest_offsets.astype(float)
    betas = fit_shape(1.1 * offsets, model)
    assert betas[0] == pytest.approx(2.0, abs=0.25) and abs(betas[1]) < 0.3
    legs = offsets.copy()
    legs[[4, 5, 7, 8]] *= 1.07
    assert fit_shape(legs, model)[1] == pytest.approx(1.0, abs=0.25)


def test_an_exported_npz_poses_the_model_as_the_body_stood(model_file, model, tmp_path):
    body = posed_body()._replace(valid=np.ones(12, bool))
    _, points = body.posed()
    (path,) = export(body, tmp_path, "clip", ["smpl"], body_model=model_file)
    fields = load_arrays(path)
    turns = Rotation.from_rotvec(fields["poses"].reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3)
    joints = np.asarray(pose_joints(model, fields["betas"], turns, fields["trans"]))
    assert np.linalg.norm(joints[:, :22] - points[:, :22], axis=-1).mean() < 0.03
    assert fields["betas"][0] != 0
    with pytest.raises(ValueError, match="is a smpl model; the formats ask for smplh"):
        export(body, tmp_path, "clip", ["amass"], body_model=model_file)
