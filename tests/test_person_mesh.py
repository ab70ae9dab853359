"""A person's skin on our skeleton: every joint inside its joint, whatever template and bones it came from."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from moving_body import moving_body, moving_points, posed, rest_offsets, resting_body
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation
from written_files import read_glb

from lift2to3 import cli
from lift2to3.body import BODY_JOINTS, JOINT_PARENTS
from lift2to3.convert import anny_template as anny_template_module
from lift2to3.convert import export as export_module
from lift2to3.convert.export import export
from lift2to3.convert.person_mesh import PersonTemplate, person_mesh, stature
from lift2to3.formats.motions.figure_mesh import SkinnedMesh, rest_positions
from lift2to3.formats.motions.glb import write_glb
from lift2to3.motion import BodyMotion
from lift2to3.skeletons import CANONICAL, FOOT_POINTS, INDEX, MIRROR

SIDES = (("left_", ".L", 1.0), ("right_", ".R", -1.0))
LIMBS = [row for row, name in enumerate(BODY_JOINTS) if name not in ("pelvis", "spine1", "spine2", "spine3")]


def template_bones() -> np.ndarray:
    """What `ball_person` has in T-pose: legs straight, soles flat, the spine's joints in its rig's places."""
    offsets = rest_offsets()
    legs = [INDEX[side + joint] for side, _, _ in SIDES for joint in ("knee", "ankle")]
    offsets[legs] *= [0, 1, 0]
    low = rest_positions(offsets)[INDEX["left_ankle"], 1] - 0.08
    for side, _, _ in SIDES:
        offsets[INDEX[f"{side}foot"], 1] = 0.02 - 0.08
        offsets[INDEX[f"{side}heel"], 1] = 0.015 - 0.08
        offsets[INDEX[f"{side}big_toe"], 1] = 0.015 - 0.02
    assert stature(offsets) == pytest.approx(rest_positions(offsets)[INDEX["head"], 1] + 0.2 - low)
    both = offsets[INDEX["spine2"]] + offsets[INDEX["spine3"]]
    offsets[INDEX["spine2"]], offsets[INDEX["spine3"]] = both * 2 / 3, both / 3
    return offsets


def ball_person(offsets: np.ndarray) -> PersonTemplate:
    """In T-pose: a ball of vertices around each bone's head, moved by that bone alone, crown and toe tips."""
    joint: dict[str, np.ndarray] = dict(zip(BODY_JOINTS, rest_positions(offsets), strict=True))
    head, neck = joint["head"], joint["neck"]
    bones: list[tuple[str, str, np.ndarray]] = [
        ("root", "", joint["pelvis"] - [0, 0.1, 0]), ("spine04", "root", joint["pelvis"]),
        ("spine02", "spine04", joint["spine1"]), ("spine01", "spine02", joint["spine3"]),
        ("neck01", "spine01", neck + [0, 0.02, 0]), ("neck02", "neck01", head - [0, 0.02, 0]),
        ("neck03", "neck02", head + [0, 0.02, 0]), ("head", "neck03", head + [0, 0.05, 0]),
    ]  # fmt: skip
    for side, ending, out in SIDES:
        chain = {
            "upperleg01": ("root", joint[f"{side}hip"]), "lowerleg01": ("upperleg01", joint[f"{side}knee"]),
            "foot": ("lowerleg01", joint[f"{side}ankle"]),
            "toe2-1": ("foot", joint[f"{side}foot"] - [0.01, 0, 0]),
            "toe3-1": ("foot", joint[f"{side}foot"] + [0.01, 0, 0]),
            "clavicle": ("spine01", neck + [0.03 * out, -0.02, 0]),
            "shoulder01": ("clavicle", joint[f"{side}collar"]),
            "upperarm01": ("shoulder01", joint[f"{side}shoulder"]),
            "lowerarm01": ("upperarm01", joint[f"{side}elbow"]),
            "wrist": ("lowerarm01", joint[f"{side}wrist"]),
            "finger2-1": ("wrist", joint[f"{side}wrist"] + [0.09 * out, 0, 0.03]),
            "finger3-1": ("wrist", joint[f"{side}wrist"] + [0.09 * out, 0, 0]),
            "finger5-1": ("wrist", joint[f"{side}wrist"] + [0.08 * out, 0, -0.04]),
        }  # fmt: skip
        for name, (parent, at) in chain.items():
            above = parent if parent in ("root", "spine01") else parent + ending
            bones.append((name + ending, above, at))
    names = [name for name, _, _ in bones]
    heads = np.stack([at for _, _, at in bones])
    ball = 0.005 * BALL
    positions = [(heads[:, None] + ball).reshape(-1, 3)]
    movers = [np.repeat(np.arange(len(names)), len(ball))]
    positions.append(head + offsets[INDEX["head_top"]] + np.zeros((1, 3)))
    movers.append(np.array([names.index("head")]))
    for side, ending, _ in SIDES:
        toe = joint[f"{side}foot"] + offsets[INDEX[f"{side}big_toe"]]
        heel = joint[f"{side}ankle"] - [0, 0.08, 0]
        positions.append(np.stack([toe, heel]))
        movers.append(np.array([names.index("toe2-1" + ending), names.index("foot" + ending)]))
    moved_by = np.concatenate(movers)
    triangles = np.arange(len(moved_by) // 3 * 3).reshape(-1, 3)
    return PersonTemplate(
        np.concatenate(positions), triangles, tuple(names),
        np.array([names.index(parent) if parent else -1 for _, parent, _ in bones]),
        heads, np.stack([moved_by, np.zeros_like(moved_by)], axis=1),
        np.tile([1.0, 0.0], (len(moved_by), 1)),
    )  # fmt: skip


BALL = np.concatenate([np.eye(3), -np.eye(3)])


def in_a_pose(template: PersonTemplate) -> PersonTemplate:
    """Arms down and twisted, elbows bent, palms turned, legs apart; feet upright."""
    turns = np.tile(np.eye(3), (len(template.bones), 1, 1))
    for _, ending, out in SIDES:
        down = Rotation.from_euler("zyx", [-0.8 * out, 0.1 * out, 0.3])
        bent = down * Rotation.from_euler("y", -0.6 * out)
        wrung = bent * Rotation.from_euler("xyz", [0.5, 0.1 * out, 0.2 * out])
        apart = Rotation.from_euler("z", 0.15 * out)
        for names, turn in (
            (("upperarm01",), down), (("lowerarm01",), bent), (("upperleg01", "lowerleg01"), apart),
            (("wrist", "finger2-1", "finger3-1", "finger5-1"), wrung),
        ):  # fmt: skip
            for name in names:
                turns[template.bones.index(name + ending)] = turn.as_matrix()
    heads = template.heads.copy()
    for row, parent in enumerate(template.parents):
        if parent >= 0:
            heads[row] = heads[parent] + turns[parent] @ (template.heads[row] - template.heads[parent])
    mover = template.weight_bones[:, 0]
    arms = np.einsum("vij,vj->vi", turns[mover], template.positions - template.heads[mover])
    return template._replace(positions=heads[mover] + arms, heads=heads)


def other_bones(seed: int, symmetric: bool = True) -> np.ndarray:
    """Every bone up to a quarter longer or shorter, in a slightly other direction."""
    draw = np.random.default_rng(seed)
    offsets = rest_offsets()
    offsets = offsets * draw.uniform(0.8, 1.25, (38, 1)) + draw.normal(0, 0.005, (38, 3)) * (
        np.linalg.norm(offsets, axis=1, keepdims=True) > 0
    )
    return (offsets + offsets[MIRROR] * [-1, 1, 1]) / 2 if symmetric else offsets


def skinned_over_time(mesh: SkinnedMesh, body: BodyMotion) -> np.ndarray:
    """Linear blend skinning by the standard's words, in our world. (time, vertices, 3)"""
    frames, points = posed(body)
    rest = rest_positions(np.asarray(body.rest_offsets, float))
    skin = np.zeros((len(points), len(mesh.positions), 3))
    for joints, weights in zip(mesh.joints.T, mesh.weights.T, strict=True):
        arms = np.einsum("tvij,vj->tvi", frames[:, joints], mesh.positions - rest[joints])
        skin += weights[:, None] * (points[:, joints] + arms)
    return skin


# --- retargeting, on a template of balls


def test_a_posed_template_comes_back_into_the_t_pose_it_was_made_from() -> None:
    offsets = template_bones()
    straight = ball_person(offsets)
    bent = in_a_pose(straight)
    assert np.abs(bent.positions - straight.positions).max() > 0.3
    mesh = person_mesh(bent, offsets)
    np.testing.assert_allclose(mesh.positions, straight.positions, atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_every_joint_of_the_skin_is_where_ours_is(seed: int) -> None:
    offsets = other_bones(seed, symmetric=seed % 2 == 0)
    template = in_a_pose(ball_person(template_bones()))
    mesh = person_mesh(template, offsets)
    rest = rest_positions(offsets)
    for row, name in enumerate(BODY_JOINTS):
        bones = JOINT_BALLS.get(name.split("_")[-1])
        if bones is None:
            continue
        ending = {"left": ".L", "right": ".R"}.get(name.split("_")[0], "")
        centre = np.mean([ball_centre(mesh, template, bone + ending) for bone in bones], axis=0)
        np.testing.assert_allclose(centre, rest[row], atol=0.003, err_msg=name)
    assert np.ptp(mesh.positions[:, 1]) == pytest.approx(stature(offsets), abs=0.02)


JOINT_BALLS = {
    "hip": ("upperleg01",), "knee": ("lowerleg01",), "ankle": ("foot",), "collar": ("shoulder01",),
    "shoulder": ("upperarm01",), "elbow": ("lowerarm01",), "wrist": ("wrist",), "pelvis": ("spine04",),
    "spine1": ("spine02",), "spine3": ("spine01",),
}  # fmt: skip


def ball_centre(mesh: SkinnedMesh, template: PersonTemplate, bone: str) -> np.ndarray:
    first = len(BALL) * template.bones.index(bone)
    return mesh.positions[first : first + len(BALL)].mean(axis=0)


def test_a_symmetric_skeleton_has_a_symmetric_skin() -> None:
    template = in_a_pose(ball_person(template_bones()))
    mesh = person_mesh(template, other_bones(3))
    mirrored = mesh.positions * [-1, 1, 1]
    distance = np.linalg.norm(mesh.positions[:, None] - mirrored[None], axis=-1).min(axis=1)
    assert distance.max() < 1e-9


def test_limbs_move_with_their_joints() -> None:
    body = moving_body(30, turns_rad=1.2)._replace(rest_offsets=other_bones(2))
    template = in_a_pose(ball_person(template_bones()))
    skin = skinned_over_time(person_mesh(template, other_bones(2)), body)
    points = posed(body)[1]
    for name, bones in JOINT_BALLS.items():
        for side, ending, _ in SIDES:
            row = INDEX.get(side + name)
            if row is not None:
                first = len(BALL) * template.bones.index(bones[0] + ending)
                centre = skin[:, first : first + len(BALL)].mean(axis=1)
                np.testing.assert_allclose(centre, points[:, row], atol=0.003, err_msg=side + name)


def test_weights_are_what_gltf_wants_and_the_spine_shares_the_trunk_by_height() -> None:
    template = in_a_pose(ball_person(template_bones()))
    draw = np.random.default_rng(0)
    shares = draw.dirichlet(np.full(9, 0.3), len(template.positions))
    bones = np.stack([draw.permutation(len(template.bones))[:9] for _ in shares])
    offsets = other_bones(1)
    mesh = person_mesh(template._replace(weight_bones=bones, weights=shares), offsets)
    assert mesh.joints.shape == mesh.weights.shape == (len(shares), 4)
    assert mesh.weights.min() >= 0
    np.testing.assert_array_equal(mesh.weights.astype(np.float32).sum(axis=1), 1)
    for vertex in mesh.joints[mesh.weights.min(axis=1) > 0]:
        assert len(set(vertex)) == 4
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1)

    plain = person_mesh(template, offsets)
    trunk = [i for i, bone in enumerate(template.bones) if bone in ("root", "spine04", "spine02", "spine01")]
    order = [INDEX[name] for name in ("pelvis", "spine1", "spine2", "spine3")]
    rows = np.concatenate([np.arange(len(BALL) * i, len(BALL) * (i + 1)) for i in trunk])
    rank = np.array([[order.index(j) for j in plain.joints[row]] for row in rows])
    level = (rank * plain.weights[rows]).sum(axis=1)
    assert (np.diff(level[np.argsort(plain.positions[rows, 1])]) >= -1e-4).all()
    assert level.min() < 0.01 and level.max() > 2


def test_a_body_without_heels_still_stands_flat() -> None:
    offsets = template_bones()
    template = in_a_pose(ball_person(offsets))
    whole = person_mesh(template, offsets)
    for side, _, _ in SIDES:
        offsets[INDEX[f"{side}heel"]] = 0.0  # as from a file that holds no heels
    assert stature(offsets) == stature(template_bones())
    np.testing.assert_allclose(person_mesh(template, offsets).positions, whole.positions, atol=1e-9)


def test_a_template_of_another_rig_is_refused() -> None:
    template = ball_person(template_bones())
    names = tuple("knee.L" if bone == "lowerleg01.L" else bone for bone in template.bones)
    with pytest.raises(ValueError, match=r"template: no lowerleg01\.L among its 34 bones"):
        person_mesh(template._replace(bones=names), rest_offsets())


# --- out to files


def test_what_no_mesh_goes_into_and_an_unknown_mesh_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mesh 'anny' goes into a glb; the formats are bvh,trc"):
        export(resting_body(), tmp_path, "walk", ["bvh", "trc"], mesh="anny")
    with pytest.raises((ValueError, TypeError), match="person"):
        export(resting_body(), tmp_path, "walk", ["glb"], mesh="person")  # pyright: ignore[reportArgumentType]
    assert not list(tmp_path.iterdir())


def test_a_missing_anny_is_said_with_the_way_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "anny", None)
    anny_template_module.load_anny.cache_clear()
    with pytest.raises(ValueError, match=r"pip install 'lift2to3\[anny\]'"):
        with monkeypatch.context() as patched:
            patched.setattr(export_module, "body_of", None)  # it is said before a body is fitted
            export(moving_points(20), tmp_path / "out", "walk", ["bvh", "glb"], mesh="anny")
    assert not (tmp_path / "out").exists()
    file = resting_body().save(tmp_path / "walk.npz")
    assert cli.main(["export", str(file), "--to", "glb", "--mesh", "anny", "--out", str(tmp_path / "a")]) == 2
    assert "needs the package anny, which is not installed" in capsys.readouterr().err


@pytest.fixture(scope="module")
def person() -> tuple[SkinnedMesh, BodyMotion]:
    """Anny's person of the tests' body; its first use takes anny some minutes."""
    pytest.importorskip("anny", reason="anny is not installed (the extra 'anny')")
    from lift2to3.convert.anny_template import anny_template

    body = resting_body()
    return person_mesh(anny_template(stature(body.rest_offsets)), body.rest_offsets), body


@pytest.mark.slow
def test_annys_person_is_a_whole_symmetric_skin_of_our_size(person: tuple[SkinnedMesh, BodyMotion]) -> None:
    mesh, body = person
    assert len(mesh.positions) > 10_000 and all(np.isfinite(values).all() for values in mesh)
    np.testing.assert_array_equal(mesh.weights.astype(np.float32).sum(axis=1), 1)
    assert KDTree(mesh.positions).query(mesh.positions * [-1, 1, 1])[0].max() < 3e-4
    top = rest_positions(body.rest_offsets)[INDEX["head"], 1] + body.rest_offsets[INDEX["head_top"], 1]
    assert mesh.positions[:, 1].max() == pytest.approx(top, abs=0.02)
    a, b, c = (mesh.positions[mesh.triangles[:, corner]] for corner in range(3))
    volume = np.einsum("ti,ti->", a, np.cross(b, c)) / 6
    assert 0.04 < volume < 0.11  # faces look outwards; 40 to 110 litres


@pytest.mark.slow
def test_annys_limbs_stay_around_the_joints_when_bones_change(person: tuple[SkinnedMesh, BodyMotion]) -> None:
    """The skin that two joints share is a ring around the joint between them, wherever that one goes."""
    offsets = np.array(person[1].rest_offsets)
    for part, factor in (("hip", 1.1), ("knee", 1.08), ("elbow", 0.9), ("wrist", 1.1), ("spine2", 1.2)):
        offsets[[row for row, name in enumerate(CANONICAL) if name.endswith(part)]] *= factor
    template = anny_template_module.anny_template(stature(offsets))
    bodies = (person[0], person[1].rest_offsets), (person_mesh(template, offsets), offsets)
    for name in ("left_knee", "right_knee", "left_elbow", "right_elbow", "left_wrist", "right_wrist"):
        row = INDEX[name]
        before, after = (ring_centre(mesh, row) - rest_positions(bones)[row] for mesh, bones in bodies)
        assert np.linalg.norm(before) < 0.04, name
        np.testing.assert_allclose(after, before, atol=0.01, err_msg=name)


def ring_centre(mesh: SkinnedMesh, joint: int) -> np.ndarray:
    shares = np.zeros((len(mesh.positions), len(BODY_JOINTS)))
    np.add.at(shares, (np.arange(len(shares))[:, None], mesh.joints), mesh.weights)
    return mesh.positions[shares[:, joint] * shares[:, JOINT_PARENTS[joint]] > 0.15].mean(axis=0)


@pytest.mark.slow
def test_annys_person_stands_on_the_floor_and_plays_in_a_glb(
    person: tuple[SkinnedMesh, BodyMotion], tmp_path: Path
) -> None:
    mesh, body = person
    points = posed(body)[1][0]
    standing = body._replace(
        root_translation=body.root_translation - [0, 0, points[list(FOOT_POINTS), 2].min() - 0.015]
    )
    assert abs(skinned_over_time(mesh, standing)[..., 2].min()) < 0.02
    back = read_glb(write_glb(tmp_path / "person.glb", standing, mesh))
    np.testing.assert_allclose(back.frames, posed(standing)[0], atol=1e-5)
    (path,) = export(standing, tmp_path, "walk", ["glb"], mesh="anny")
    assert path.read_bytes() == (tmp_path / "person.glb").read_bytes()
