"""Every metric against a slow second writing of its definition: loops over frames, joints, plain floats.

Written from the table of definitions, not from `lift2to3.metrics`; Procrustes by Horn's quaternions where the
other takes a singular value decomposition.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lift2to3 import metrics
from lift2to3.scores import Scores, combine, evaluate_motion, evaluate_pck
from lift2to3.skeletons import CANONICAL, SKELETONS

Vector = list[float]
Frame = dict[int, Vector]
"""Joint → point, of those that both motions have and the mask keeps."""

LENGTHS = (1, 2, 3, 101, 257)
HIPS = [CANONICAL.index("left_hip"), CANONICAL.index("right_hip")]
SOLES = [[CANONICAL.index(f"{s}_{p}") for p in ("heel", "big_toe", "small_toe")] for s in ("left", "right")]
TOES_AND_HEELS = [row for sole in SOLES for row in sole[:2]]
FPS = 25.0


# --- the references


def frames_of(motion: np.ndarray, other: np.ndarray, valid: np.ndarray) -> list[Frame]:
    """Each frame's points that are finite in both motions and valid."""
    out: list[Frame] = []
    for t in range(len(motion)):
        out.append({})
        for j in range(motion.shape[1]):
            numbers = [*motion[t, j].tolist(), *other[t, j].tolist()]
            if all(math.isfinite(x) for x in numbers) and valid[t, j]:
                out[t][j] = motion[t, j].tolist()
    return out


def mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan


def middle(points: Sequence[Vector]) -> Vector:
    return [mean([point[axis] for point in points]) for axis in range(3)]


def minus(a: Vector, b: Vector) -> Vector:
    return [x - y for x, y in zip(a, b, strict=True)]


def size(a: Vector) -> float:
    return math.sqrt(math.fsum(x * x for x in a))


def horn(
    source: list[Vector], target: list[Vector], scaled: bool = True
) -> tuple[float, list[Vector], Vector]:
    """(s, R, t) with the least sum of |s R source + t - target|², by Horn 1987: R is never a reflection."""
    a0, b0 = middle(source), middle(target)
    S = [[0.0] * 3 for _ in range(3)]
    for p, q in zip(source, target, strict=True):
        for i in range(3):
            for k in range(3):
                S[i][k] += (p[i] - a0[i]) * (q[k] - b0[k])
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = S
    N = [
        [xx + yy + zz, yz - zy, zx - xz, xy - yx],
        [yz - zy, xx - yy - zz, xy + yx, zx + xz],
        [zx - xz, xy + yx, yy - xx - zz, yz + zy],
        [xy - yx, zx + xz, yz + zy, zz - xx - yy],
    ]
    w, x, y, z = np.linalg.eigh(np.array(N))[1][:, -1].tolist()
    R = [
        [w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z],
    ]
    scale = 1.0
    if scaled:
        along = extent = 0.0
        for p, q in zip(source, target, strict=True):
            p, q = minus(p, a0), minus(q, b0)
            turned = [sum(R[i][k] * p[k] for k in range(3)) for i in range(3)]
            along += sum(u * v for u, v in zip(turned, q, strict=True))
            extent += sum(u * u for u in p)
        scale = along / extent if extent > 1e-18 else 1.0
    turned = [sum(R[i][k] * a0[k] for k in range(3)) for i in range(3)]
    return scale, R, [b0[i] - scale * turned[i] for i in range(3)]


def moved(by: tuple[float, list[Vector], Vector], point: Vector) -> Vector:
    scale, R, t = by
    return [scale * sum(R[i][k] * point[k] for k in range(3)) + t[i] for i in range(3)]


def frame_error(p: Frame, g: Frame) -> list[float]:
    """[mean distance in mm], or nothing of a frame without joints."""
    return [mean([1000 * size(minus(p[j], g[j])) for j in p])] if p else []


def on_hips(frame: Frame) -> Frame:
    """Around the middle of the hips; nothing without both."""
    if not all(hip in frame for hip in HIPS):
        return {}
    root = middle([frame[hip] for hip in HIPS])
    return {j: minus(point, root) for j, point in frame.items()}


def ref_mpjpe(p: list[Frame], g: list[Frame]) -> list[float]:
    return [e for a, b in zip(p, g, strict=True) for e in frame_error(on_hips(a), on_hips(b))]


def ref_abs(p: list[Frame], g: list[Frame]) -> list[float]:
    return [e for a, b in zip(p, g, strict=True) for e in frame_error(a, b)]


def ref_pa(p: list[Frame], g: list[Frame]) -> list[float]:
    return ref_chunked(p, g, 1, 1)


def ref_chunked(p: list[Frame], g: list[Frame], chunk: int, fitted: int) -> list[float]:
    kept = [t for t in range(len(p)) if p[t]]
    errors = []
    for start in range(0, len(kept), chunk):
        part = kept[start : start + chunk]
        source = [p[t][j] for t in part[:fitted] for j in p[t]]
        target = [g[t][j] for t in part[:fitted] for j in p[t]]
        by = horn(source, target)
        for t in part:
            errors += frame_error({j: moved(by, point) for j, point in p[t].items()}, g[t])
    return errors


def ref_root(p: list[Frame], g: list[Frame], root: int = 0) -> list[float]:
    return [1000 * size(minus(a[root], b[root])) for a, b in zip(p, g, strict=True) if root in a]


def ref_rte(p: list[Frame], g: list[Frame], root: int = 0) -> list[float]:
    source, target = [f[root] for f in p if root in f], [f[root] for f in g if root in f]
    length = math.fsum(size(minus(b, a)) for a, b in zip(target[:-1], target[1:], strict=True))
    if length == 0:
        return []
    by = horn(source, target, scaled=False)
    return [100 * size(minus(moved(by, a), b)) / length for a, b in zip(source, target, strict=True)]


def differences(frames: list[Frame], order: int) -> list[Frame]:
    for _ in range(order):
        frames = [
            {j: minus(b[j], a[j]) for j in b if j in a} for a, b in zip(frames[:-1], frames[1:], strict=True)
        ]
    return frames


def ref_accel(p: list[Frame], g: list[Frame], fps: float) -> list[float]:
    second = [differences([on_hips(f) for f in frames], 2) for frames in (p, g)]
    steps = zip(*second, strict=True)
    return [mean([size(minus(a[j], b[j])) for j in a]) * fps**2 for a, b in steps if a]


def ref_jitter(frames: list[Frame], fps: float) -> list[float]:
    return [mean([size(d) for d in f.values()]) * fps**3 / 10 for f in differences(frames, 3) if f]


def ref_sliding(p: list[Frame], g: list[Frame], fps: float) -> list[float]:
    slid = []
    for a, b in zip(differences(p, 1), differences(g, 1), strict=True):
        for j in TOES_AND_HEELS:
            if j in a and size(b[j]) * fps / 30 < 0.01:
                slid.append(1000 * size(a[j]) * fps / 30)
    return slid


def ref_foot_shape(p: list[Frame], g: list[Frame]) -> list[float]:
    errors = []
    for a, b in zip(p, g, strict=True):
        for sole in SOLES:
            if all(j in a for j in sole):
                x = [minus(a[j], middle([a[k] for k in sole])) for j in sole]
                y = [minus(b[j], middle([b[k] for k in sole])) for j in sole]
                along = math.fsum(u * v for s, t in zip(x, y, strict=True) for u, v in zip(s, t, strict=True))
                scale = along / math.fsum(u * u for s in x for u in s)
                shape = [[scale * u for u in s] for s in x]
                errors.append(mean([1000 * size(minus(s, t)) for s, t in zip(shape, y, strict=True)]))
    return errors


def slow_values(
    predicted: np.ndarray, true: np.ndarray, fps: float, valid: np.ndarray | None = None
) -> dict[str, list[float]]:
    """What every score of canonical points is the mean of."""
    valid = np.ones(true.shape[:2], bool) if valid is None else valid
    p, g = frames_of(predicted, true, valid), frames_of(true, predicted, valid)
    return {
        "mpjpe": ref_mpjpe(p, g),
        "pa_mpjpe": ref_pa(p, g),
        "w_mpjpe_100": ref_chunked(p, g, 100, 2),
        "wa_mpjpe_100": ref_chunked(p, g, 100, 100),
        "wa_mpjpe_full": ref_chunked(p, g, len(p), len(p)),
        "abs_mpjpe": ref_abs(p, g),
        "root_error": ref_root(p, g),
        "root_error_first": ref_root(p[:1], g[:1]),
        "rte": ref_rte(p, g),
        "accel": ref_accel(p, g, fps),
        "jitter": ref_jitter(p, fps),
        "jitter_true": ref_jitter(g, fps),
        "foot_sliding": ref_sliding(p, g, fps),
        "n_mpjpe_foot": ref_foot_shape(p, g),
    }


# --- motions and comparisons


def moving_pair(rng: np.random.Generator, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Two motions near each other whose feet stand now and then."""
    joints = len(CANONICAL)
    true = 0.4 * rng.normal(size=(1, joints, 3)) + 0.05 * rng.normal(size=(frames, joints, 3)).cumsum(0)
    for t in range(1, frames):
        for row in TOES_AND_HEELS:
            if rng.random() < 0.6:
                true[t, row] = true[t - 1, row] + 0.003 * rng.normal(size=3)
    return true + 0.08 * rng.normal(size=true.shape), true


def with_holes(rng: np.random.Generator, *motions: np.ndarray) -> np.ndarray:
    """NaN points and frames in every motion; the mask of what else must not count, over wild numbers."""
    frames, joints = motions[0].shape[:2]
    for motion in motions:
        motion[rng.random((frames, joints)) < 0.05] = np.nan
        motion[rng.random((frames, joints)) < 0.02, 1] = np.inf
        motion[rng.random(frames) < 0.03] = np.nan
    valid = rng.random((frames, joints)) > 0.05
    motions[0][~valid] = 1e6
    return valid


def assert_equal_means(scores: Scores, expected: dict[str, list[float]]) -> None:
    for name, values in expected.items():
        assert scores.counts[name] == len(values), name
        if values:
            assert scores[name] == pytest.approx(mean(values), rel=1e-9, abs=0), name
        else:
            assert math.isnan(scores[name]), name


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("frames", LENGTHS)
def test_scores_of_points(frames: int, holes: bool) -> None:
    rng = np.random.default_rng(frames)
    predicted, true = moving_pair(rng, frames)
    valid = with_holes(rng, predicted, true) if holes else np.ones(true.shape[:2], bool)
    if holes and frames > 100:
        assert not np.isfinite(predicted).all(-1).any(-1).all()  # a frame is gone: chunks must close up
    expected = slow_values(predicted, true, FPS, valid)
    scores = evaluate_motion(predicted, true, CANONICAL, FPS, valid)
    assert set(scores) == set(expected)
    assert_equal_means(scores, expected)
    if frames > 100:
        assert all(len(values) > 0 for name, values in expected.items() if name != "root_error_first")


def test_scores_of_clips_together_are_means_over_all_their_frames() -> None:
    rng = np.random.default_rng(7)
    pairs = [moving_pair(rng, frames) for frames in LENGTHS]
    scores = combine(evaluate_motion(*pair, CANONICAL, FPS) for pair in pairs)
    values: dict[str, list[float]] = {}
    for predicted, true in pairs:
        for name, some in slow_values(predicted, true, FPS).items():
            values.setdefault(name, []).extend(some)
    assert_equal_means(scores, values)


def test_a_mirrored_body_is_not_mirrored_back() -> None:
    rng = np.random.default_rng(3)
    _, true = moving_pair(rng, 5)
    mirrored = true * [-1.0, 1.0, 1.0]
    everything = np.ones(true.shape[:2], bool)
    expected = ref_pa(frames_of(mirrored, true, everything), frames_of(true, mirrored, everything))
    assert min(expected) > 10
    np.testing.assert_allclose(metrics.pa_mpjpe(mirrored, true), expected, rtol=1e-9)


@pytest.mark.parametrize("frames", LENGTHS)
def test_ankle_angles(frames: int) -> None:
    rng = np.random.default_rng(frames)
    first, second = (Rotation.random(2 * frames, random_state=rng) for _ in range(2))
    expected = [math.degrees((a.inv() * b).magnitude()) for a, b in zip(first, second, strict=True)]
    turns = [turn.as_matrix().reshape(frames, 2, 3, 3) for turn in (first, second)]
    np.testing.assert_allclose(metrics.ajae(*turns).ravel(), expected, rtol=1e-9)


@pytest.mark.parametrize("frames", LENGTHS)
def test_contact_f1(frames: int) -> None:
    rng = np.random.default_rng(frames)
    found, true = rng.random((frames, 4)) < 0.5, rng.random((frames, 4)) < 0.4
    hits = false = lost = 0
    for t in range(frames):
        for j in range(4):
            hits += found[t, j] and true[t, j]
            false += found[t, j] and not true[t, j]
            lost += true[t, j] and not found[t, j]
    total, count = metrics.contact_f1(found, true)
    assert count == 2 * hits + false + lost
    if hits:
        precision, recall = hits / (hits + false), hits / (hits + lost)
        f1 = 2 * precision * recall / (precision + recall)
        assert total / count == pytest.approx(f1, rel=1e-12)
    else:
        assert total == 0


@pytest.mark.parametrize("frames", LENGTHS)
def test_feet_under_and_over_the_floor(frames: int) -> None:
    rng = np.random.default_rng(frames)
    height, contact = 0.02 * rng.normal(size=(frames, 2)), rng.random((frames, 2)) < 0.4
    height[rng.random((frames, 2)) < 0.1] = np.nan
    standing = [0.015, 0.01]
    sunk, hanging = [], []
    for t in range(frames):
        there = [j for j in range(2) if math.isfinite(height[t, j])]
        if there:
            sunk.append(1000 * max(-min(height[t, j] for j in there), 0.0))
        if there and (contact[t, 0] or contact[t, 1]):
            hanging.append(1000 * max(min(height[t, j] - standing[j] for j in there), 0.0))
    depth = metrics.foot_penetration(height)
    floating = metrics.foot_floating(height, contact, np.array(standing))
    np.testing.assert_allclose(depth[np.isfinite(depth)], sunk, rtol=1e-9)
    np.testing.assert_allclose(floating[np.isfinite(floating)], hanging, rtol=1e-9)


@pytest.mark.parametrize("frames", LENGTHS)
def test_right_keypoints(frames: int) -> None:
    rng = np.random.default_rng(frames)
    skeleton = SKELETONS["halpe26"]
    joints = len(skeleton.joints)
    true = 300 + 100 * rng.normal(size=(frames, joints, 2))
    predicted = true + 20 * rng.normal(size=true.shape)
    predicted[rng.random((frames, joints)) < 0.1] = np.nan
    true[rng.random((frames, joints)) < 0.1] = np.nan
    visible = rng.random((frames, joints)) > 0.1
    right: dict[str, list[float]] = {}
    for a in (0.05, 0.1):
        for t in range(frames):
            seen = [j for j in range(joints) if visible[t, j] and np.isfinite(true[t, j]).all()]
            side = max((max(true[t, j, k] for j in seen) - min(true[t, j, k] for j in seen)) for k in (0, 1))
            for j in seen:
                part = "foot" if skeleton.joints[j].split("_")[-1] in ("toe", "heel") else "body"
                off = math.dist(predicted[t, j], true[t, j])
                right.setdefault(f"pck_{part}@{a:g}", []).append(float(off / side < a))
    scores = evaluate_pck(predicted, true, skeleton, (0.05, 0.1), visible)
    assert_equal_means(scores, right)
    assert set(scores) == {"pck_body@0.05", "pck_foot@0.05", "pck_body@0.1", "pck_foot@0.1"}
