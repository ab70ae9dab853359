"""SMPL, SMPL-H, SMPL-X: the paper's formula, the published files, the reference package, bad files."""

import pickle
import runpy
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from test_safe_pickle import Ch, Select, python2_pickle

from lift2to3.geometry.rotations import matrix_from_6d, matrix_from_axis_angle, sixd_from_matrix
from lift2to3.skeletons import SMPL_22
from lift2to3.smpl import FRAMES_AT_ONCE, JOINT_NAMES, load_body_model, pose_joints, skin

BENCHMARK = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "smpl.py"))
KINDS = tuple(JOINT_NAMES)
COLUMNS = {"smpl": 10, "smplh": 16, "smplx": 20}
VERTICES = 30
"""A body this small has every part of the files; only the reference package wants the full one."""


@pytest.fixture(scope="module")
def fields() -> dict[str, dict[str, Any]]:
    """What the files of small bodies hold."""
    return {kind: BENCHMARK["synthetic_fields"](kind, VERTICES, COLUMNS[kind]) for kind in KINDS}


@pytest.fixture
def write(tmp_path):
    def npz(fields: dict[str, Any]) -> Path:
        np.savez(tmp_path / "model.npz", **fields)
        return tmp_path / "model.npz"

    return npz


def random_rotations(*batch: int, seed: int = 0) -> np.ndarray:
    count = int(np.prod(batch))
    return Rotation.random(count, random_state=seed).as_matrix().reshape(*batch, 3, 3)


def one_body(
    fields: dict[str, Any], betas: np.ndarray, rotations: np.ndarray, translation: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Loper et al. 2015, eq. 2–4 and 8–11, vertex by vertex and joint by joint."""
    shaped = fields["v_template"].copy()
    for beta, direction in zip(betas, np.moveaxis(fields["shapedirs"], -1, 0), strict=False):
        shaped += beta * direction
    rest = fields["J_regressor"] @ shaped
    pose = np.concatenate([(rotation - np.eye(3)).ravel() for rotation in rotations[1:]])
    posed = shaped + fields["posedirs"] @ pose
    world: list[np.ndarray] = []
    for joint, parent in enumerate(fields["kintree_table"][0]):
        local = np.eye(4)
        local[:3, :3], local[:3, 3] = rotations[joint], rest[joint] - (rest[parent] if joint else 0)
        world.append(world[parent] @ local if joint else local)
    vertices = np.zeros_like(posed)
    for vertex, point in enumerate(posed):
        for joint, weight in enumerate(fields["weights"][vertex]):
            from_rest = world[joint][:3, :3] @ (point - rest[joint]) + world[joint][:3, 3]
            vertices[vertex] += weight * from_rest
    return vertices + translation, np.stack([frame[:3, 3] for frame in world]) + translation


# --- the formula


BATCHES = [((), "smpl"), ((1,), "smplh"), ((3, 1, 2), "smplx"), ((FRAMES_AT_ONCE + 3,), "smpl")]


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("batch", "kind"), BATCHES)
def test_it_is_the_papers_formula(batch, kind, fields, write):
    model = load_body_model(write(fields[kind]))
    joints = len(JOINT_NAMES[kind])
    random = np.random.default_rng(0)
    betas, translation = random.normal(size=(*batch, 10)), random.normal(size=(*batch, 3))
    rotations = random_rotations(*batch, joints)
    vertices, posed = skin(model, betas, rotations, translation)
    assert vertices.shape == (*batch, VERTICES, 3) and posed.shape == (*batch, joints, 3)
    for place in np.ndindex(batch):
        wanted = one_body(fields[kind], betas[place], rotations[place], translation[place])
        np.testing.assert_allclose(vertices[place], wanted[0], atol=1e-10)
        np.testing.assert_allclose(posed[place], wanted[1], atol=1e-10)
    np.testing.assert_allclose(pose_joints(model, betas, rotations, translation), posed, atol=1e-12)


def test_single_precision_is_exact_to_a_hundredth_of_a_millimetre(fields, write):
    model = load_body_model(write(fields["smplx"]))
    betas, rotations = np.linspace(-2, 2, 10), random_rotations(55)
    translation = np.array([8.0, -3.0, 1.0])
    inputs = (jnp.asarray(a, jnp.float32) for a in (betas, rotations, translation))
    for found, wanted in zip(
        skin(model, *inputs), one_body(fields["smplx"], betas, rotations, translation), strict=True
    ):
        assert found.dtype == jnp.float32
        np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.usefixtures("float64")
def test_batch_axes_broadcast(fields, write):
    model = load_body_model(write(fields["smpl"]))
    betas = np.random.default_rng(0).normal(size=(2, 1, 10))  # two people
    rotations = random_rotations(5, 24)  # five frames
    translation = np.zeros((3, 1, 1, 3))
    vertices, joints = skin(model, betas, rotations, translation)
    assert vertices.shape == (3, 2, 5, VERTICES, 3) and joints.shape == (3, 2, 5, 24, 3)
    for person in range(2):
        for frame in range(5):
            wanted = one_body(fields["smpl"], betas[person, 0], rotations[frame], np.zeros(3))
            np.testing.assert_allclose(vertices[2, person, frame], wanted[0], atol=1e-10)
            np.testing.assert_allclose(joints[1, person, frame], wanted[1], atol=1e-10)


def test_no_frames_give_no_bodies(fields, write):
    model = load_body_model(write(fields["smpl"]))
    vertices, joints = skin(model, jnp.zeros(10), jnp.zeros((0, 24, 3, 3)), jnp.zeros((0, 3)))
    assert vertices.shape == (0, VERTICES, 3) and joints.shape == (0, 24, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_joints_that_are_not_given_are_not_rotated(kind, fields, write):
    model = load_body_model(write(fields[kind]))
    assert model.joint_names[:22] == SMPL_22
    rotations = random_rotations(2, len(model.joint_names)).astype(np.float32)
    rotations[:, 22:] = np.eye(3)
    everything = skin(model, jnp.ones(10), rotations, jnp.zeros(3))
    body_only = skin(model, jnp.ones(10), rotations[:, :22], jnp.zeros(3))
    for one, other in zip(everything, body_only, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.usefixtures("float64")
def test_the_body_turns_about_its_pelvis(fields, write):
    model = load_body_model(write(fields["smplh"]))
    rotations, betas, turn = random_rotations(52), np.ones(10), random_rotations(1, seed=1)[0]
    vertices, joints = skin(model, betas, rotations, np.zeros(3))
    turned_rotations = np.concatenate([turn[None] @ rotations[:1], rotations[1:]])
    turned, turned_joints = skin(model, betas, turned_rotations, np.zeros(3))
    np.testing.assert_allclose(turned_joints[0], joints[0], atol=1e-12)
    pelvis = joints[:1]
    np.testing.assert_allclose(turned - pelvis, (vertices - pelvis) @ turn.T, atol=1e-10)


@pytest.mark.usefixtures("float64")
def test_6d_in_and_out_with_exact_gradients(fields, write):
    model = load_body_model(write(fields["smpl"]))
    rotations, translation = jnp.asarray(random_rotations(3, 24)), jnp.zeros((3, 3))
    six = sixd_from_matrix(rotations)
    again = skin(model, jnp.ones(10), matrix_from_6d(six), translation)[0]
    np.testing.assert_allclose(again, skin(model, jnp.ones(10), rotations, translation)[0], atol=1e-10)
    weights = np.random.default_rng(0).normal(size=again.shape)

    @jax.jit
    def score(betas, six):
        return (skin(model, betas, matrix_from_6d(six), translation)[0] * weights).sum()

    betas = jnp.linspace(-1, 1, 10)
    gradients = jax.jit(jax.grad(score, argnums=(0, 1)))(betas, six)
    random = np.random.default_rng(1)
    along = random.normal(size=10), random.normal(size=six.shape)
    step = 1e-6
    up, down = (score(betas + sign * step * along[0], six + sign * step * along[1]) for sign in (1, -1))
    wanted = sum((gradient * direction).sum() for gradient, direction in zip(gradients, along, strict=True))
    np.testing.assert_allclose((up - down) / (2 * step), wanted, rtol=1e-7)


# --- compiled


def test_a_model_is_arrays_and_the_rest_is_static(fields, write):
    model = load_body_model(write(fields["smplx"]))
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(model))
    traces = []

    @jax.jit
    def rest(model):
        traces.append(model.kind)
        return skin(model, jnp.zeros(10), jnp.zeros((0, 3, 3)), jnp.zeros(3))[0]

    doubled = model._replace(template=2 * model.template)
    np.testing.assert_allclose(rest(model), model.template.T, atol=1e-6)
    assert np.abs(rest(doubled) - rest(model)).max() > 0.1
    assert traces == ["smplx"]  # compiled once for both


def temporary_mb(function: Any, model: Any, frames: int) -> float:
    """What a clip needs besides its inputs and its result."""
    joints = len(model.parents)
    shapes = (10,), (frames, joints, 3, 3), (frames, 3)
    inputs = (jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes)
    return function.lower(model, *inputs).compile().memory_analysis().temp_size_in_bytes / 1e6


TRANSFORMS_MB = 24 * 12 * 4 / 1e6
"""A frame's transforms of SMPL's joints."""


def test_joints_of_a_long_clip_need_little_memory(fields, write):
    model = load_body_model(write(fields["smpl"]))
    assert temporary_mb(pose_joints, model, 18_000) < 18_000 * 8 * TRANSFORMS_MB


def test_vertices_of_a_long_clip_need_at_most_one_copy_of_the_result(fields, write):
    model = load_body_model(write(fields["smpl"]))
    full_size = {
        name: jax.ShapeDtypeStruct((*array.shape[:-1], 6890), jnp.float32)
        for name, array in model._asdict().items()
        if name in ("template", "shape_directions", "pose_directions", "weights")
    }
    few, many = (temporary_mb(skin, model._replace(**full_size), frames) for frames in (180, 1_800))
    result_mb = 6890 * 3 * 4 / 1e6
    assert many - few < (1_800 - 180) * (result_mb + 8 * TRANSFORMS_MB)


# --- the published files


def test_smpl_1_0_is_read_without_chumpy_or_scipy(fields, tmp_path):
    plain = fields["smpl"]
    select = np.arange(VERTICES * 3 * 10).reshape(VERTICES, 3, 10)
    stored = plain | {
        "J_regressor": scipy.sparse.csc_matrix(plain["J_regressor"]),
        "J_regressor_prior": scipy.sparse.csc_matrix(plain["J_regressor"]),
        "kintree_table": plain["kintree_table"].astype(np.uint32),  # the root's parent is 2**32 - 1
        "shapedirs": Select(Ch(plain["shapedirs"]), select.ravel(), select.shape),
        "posedirs": np.asfortranarray(plain["posedirs"]),
        "v_template": Ch(plain["v_template"]),
        "vert_sym_idxs": np.arange(VERTICES),
        "weights_prior": plain["weights"],
        "pose_training_info": {"file": "caf\xe9", "mean": 0.5, "parents": [None, 1]},
    }
    wanted = load_body_model(as_npz(plain, tmp_path))
    for protocol in (0, 2):
        path = tmp_path / "basicmodel_m_lbs_10_207_0_v1.0.0.pkl"
        path.write_bytes(python2_pickle(stored, protocol))
        same_model(load_body_model(path), wanted)


def as_npz(fields: dict[str, Any], folder: Path) -> Path:
    np.savez(folder / "plain.npz", **fields)
    return folder / "plain.npz"


def same_model(first: Any, second: Any) -> None:
    assert jax.tree.structure(first) == jax.tree.structure(second)
    for one, other in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("kind", "columns", "betas", "expressions", "kept"),
    [
        ("smpl", 300, 10, 0, [*range(10)]),  # SMPL 1.1
        ("smpl", 300, 300, 0, [*range(300)]),
        ("smplh", 16, 16, 0, [*range(16)]),  # the extended SMPL+H
        ("smplx", 20, 10, 10, [*range(20)]),  # 1.0
        ("smplx", 400, 10, 10, [*range(10), *range(300, 310)]),  # 1.1
        ("smplx", 400, 300, 100, [*range(400)]),
        ("smplx", 400, 0, 0, []),
    ],
)
def test_shape_comes_first_then_expression(kind, columns, betas, expressions, kept, write):
    fields = BENCHMARK["synthetic_fields"](kind, VERTICES, columns)
    model = load_body_model(write(fields), betas, expressions)
    assert model.kind == kind and model.joint_names == JOINT_NAMES[kind]
    wanted = np.moveaxis(fields["shapedirs"][..., kept], -1, 0)
    np.testing.assert_allclose(jnp.swapaxes(model.shape_directions, 1, 2), wanted, atol=1e-6)
    joints = np.einsum("jv,kvc->kjc", fields["J_regressor"], wanted)
    np.testing.assert_allclose(model.joint_directions, joints, atol=1e-6)
    np.testing.assert_array_equal(model.faces, fields["f"])


def test_every_joint_s_name_and_parent_agree(fields, write):
    for kind in KINDS:
        model = load_body_model(write(fields[kind]))
        named = dict(zip(model.joint_names, model.parents, strict=True))
        assert len(named) == len(model.parents) and named["pelvis"] == -1
        assert model.joint_names[named["left_wrist"]] == "left_elbow"


# --- bad files


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": None, "f": None}, "not a SMPL, SMPL-H or SMPL-X model: no weights, f; wanted the keys"),
        ({"posedirs": np.zeros((VERTICES, 3, 216))}, r"posedirs \(30, 3, 216\), wanted \(30, 3, 207\)"),
        ({"weights": np.zeros((24, VERTICES))}, r"weights \(24, 30\), wanted \(30, 24\)"),
        ({"v_template": np.zeros((VERTICES, 2))}, r"v_template \(30, 2\), wanted \(30, 3\)"),
        ({"v_template": np.float64(1)}, r"v_template \(\), wanted \(0, 3\)"),
        ({"f": np.zeros((4, 4), int)}, r"f \(4, 4\), wanted \(faces, 3\)"),
        ({"f": np.array([[0, 1, VERTICES]])}, "f names vertices up to 30; there are 30"),
        ({"kintree_table": np.zeros((2, 16), int)}, r"has 16 joints; wanted one of 24 \(smpl\), 52"),
        ({"kintree_table": np.float64(1)}, r"has 0 joints; wanted one of 24 \(smpl\), 52"),
        ({"kintree_table": np.full((2, 24), 23)}, "wanted parents before children"),
        ({"shapedirs": np.full((VERTICES, 3, 10), np.nan)}, "shapedirs holds float64 with values that are"),
        ({"v_template": np.array(["a"])}, "v_template holds <U1"),
        ({"v_template": np.array([{}], dtype=object)}, "it holds pickled Python objects"),
        ({"shapedirs": np.zeros((VERTICES, 3, 4))}, "betas=10; wanted 0 to the 4 that this file holds"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(change, message, fields, write):
    changed = {key: value for key, value in (fields["smpl"] | change).items() if value is not None}
    with pytest.raises(ValueError, match=f"model.npz: .*{message}"):
        load_body_model(write(changed))


@pytest.mark.parametrize(
    ("kind", "betas", "expressions", "message"),
    [
        ("smpl", 11, 0, "betas=11; wanted 0 to the 10"),
        ("smpl", 10, 1, "expressions=1; wanted 0 to the 0"),
        ("smpl", -1, 0, "betas=-1; wanted 0 to the 10"),
        ("smplx", 11, 0, "betas=11; wanted 0 to the 10"),
        ("smplx", 10, 11, "expressions=11; wanted 0 to the 10"),
    ],
)
def test_coefficients_that_the_file_lacks_are_refused(kind, betas, expressions, message, fields, write):
    with pytest.raises(ValueError, match=message):
        load_body_model(write(fields[kind]), betas, expressions)


def test_an_unknown_smplx_layout_is_refused(fields, write):
    with pytest.raises(ValueError, match="shapedirs has 19 columns; wanted SMPL-X's 20 or 400"):
        load_body_model(write(fields["smplx"] | {"shapedirs": np.zeros((VERTICES, 3, 19))}))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a pickle, or a damaged one"),
        (b"PK\x03\x04 and nothing more", "a damaged file"),
        (pickle.dumps([1, 2]), "holds a list; wanted a body model's dict"),
        (pickle.dumps({"v_template": 1}), "no shapedirs, posedirs, .* found v_template"),
        (pickle.dumps({}), "found none"),
        (pickle.dumps(eval), "asks for .*eval, which is not read because it could run code"),
    ],
)
def test_files_that_are_no_model_are_refused(content, message, tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"model.pkl: .*{message}"):
        load_body_model(path)


def test_a_ragged_list_in_a_pickle_is_refused(fields, tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(fields["smpl"] | {"weights": [[1.0], [1.0, 2.0]]}))
    with pytest.raises(ValueError, match="model.pkl: a value that is no array"):
        load_body_model(path)


@settings(max_examples=60, deadline=None)
@given(
    key=st.sampled_from(
        ["v_template", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table", "f"]
    ),
    shape=st.lists(st.integers(0, 31), max_size=4),
)
def test_any_wrong_shape_names_the_key(fields, tmp_path_factory, key, shape):
    path = tmp_path_factory.getbasetemp() / "wrong.pkl"
    found = fields["smpl"]
    fits = len(shape) == found[key].ndim and all(
        n == m for n, m in zip(shape, found[key].shape, strict=True) if m != 10 and key != "f"
    )
    if fits:
        return
    path.write_bytes(pickle.dumps(found | {key: np.zeros(shape)}))
    with pytest.raises(ValueError, match=f"wrong.pkl: .*{key}|wrong.pkl: wrong shapes"):
        load_body_model(path)


def test_arguments_that_do_not_fit_the_model_are_refused(fields, write):
    model = load_body_model(write(fields["smpl"]))
    with pytest.raises(ValueError, match=r"betas: \(16,\); wanted \(…, 10\) as the model was loaded"):
        skin(model, jnp.zeros(16), jnp.zeros((22, 3, 3)), jnp.zeros(3))
    with pytest.raises(ValueError, match="rotations of 52 joints; wanted at most the 24 of 'smpl'"):
        pose_joints(model, jnp.zeros(10), jnp.zeros((52, 3, 3)), jnp.zeros(3))


# --- the reference package


@pytest.fixture(scope="session", params=KINDS)
def full_size(request, tmp_path_factory) -> tuple[str, Path]:
    """A full-size model of random numbers where the `smplx` package finds it: kind and folder."""
    pytest.importorskip("smplx", reason="the reference package is for research only: pip install smplx")
    folder = tmp_path_factory.mktemp("body_models")
    BENCHMARK["write_model"](request.param, folder)
    return request.param, folder


def test_parity_with_the_smplx_package(full_size, capsys):
    kind, folder = full_size
    (path,) = (folder / kind).iterdir()
    theirs = BENCHMARK["smplx_call"](kind, folder, frames=20)()
    betas, pose, translation = BENCHMARK["random_pose"](kind, frames=20)
    ours = skin(load_body_model(path), betas, matrix_from_axis_angle(jnp.asarray(pose)), translation)
    for found, wanted in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-5, rtol=0)  # metres
