"""Blender itself opens our BVH and GLB: joints and skin stand where we put them, whichever axis is up.

Runs where a Blender is found: `BLENDER` names the program or a Python that has the bpy wheel
(``uv venv b && uv pip install --python b/bin/python bpy && BLENDER=b/bin/python make test``), else
`blender` on the PATH or bpy in this Python.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from moving_body import moving_body, posed
from scipy.spatial.transform import Rotation

from lift2to3.body import BODY_JOINTS
from lift2to3.formats.motions.bvh import write_bvh
from lift2to3.formats.motions.figure_mesh import figure_mesh, rest_positions
from lift2to3.formats.motions.file_axes import Y_UP_FROM_WORLD
from lift2to3.formats.motions.glb import write_glb

pytestmark = pytest.mark.blender

SCRIPT = """
import json, sys
import bpy
import numpy as np

job = json.loads(sys.argv[sys.argv.index("--") + 1])
bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
scene.render.fps = job["scene_fps"]
if job["file"].endswith(".bvh"):
    bpy.ops.import_anim.bvh(filepath=job["file"], **job["options"])
else:
    bpy.ops.import_scene.gltf(filepath=job["file"])
first, last = bpy.data.actions[0].frame_range
figure = next(o for o in bpy.data.objects if o.type == "ARMATURE")
skin = next((o for o in bpy.data.objects if o.type == "MESH" and o.name == "figure"), None)
bones = [figure.pose.bones[name] for name in job["names"]]
heads, turns, vertices = [], [], []
for frame in range(job["frames"]):
    at = first + (last - first) * frame / (job["frames"] - 1)
    scene.frame_set(int(at), subframe=at % 1)
    world = figure.matrix_world
    poses = [np.array(world @ bone.matrix) for bone in bones]
    rests = [np.array(world @ bone.bone.matrix_local) for bone in bones]
    heads.append([pose[:3, 3] for pose in poses])
    turns.append([pose[:3, :3] @ np.linalg.inv(rest[:3, :3]) for pose, rest in zip(poses, rests)])
    if skin is not None:
        shown = skin.evaluated_get(bpy.context.evaluated_depsgraph_get())
        vertices.append([np.array(shown.matrix_world @ v.co) for v in shown.data.vertices])
np.savez(job["out"], heads=heads, turns=turns, vertices=vertices, keys=last - first)
"""


def blender_command() -> list[str]:
    """How to run a script in Blender; an empty list without one."""
    given = os.environ.get("BLENDER") or shutil.which("blender")
    if not given and importlib.util.find_spec("bpy"):
        given = sys.executable
    if not given:
        return []
    is_python = "python" in Path(given).name
    return [given] if is_python else [given, "--background", "--factory-startup", "--python"]


def opened_in_blender(folder: Path, file: Path, frames: int, scene_fps: int, **options):
    """World positions of the joints' heads, their turns from rest, the skin's vertices, scene frames."""
    command = blender_command()
    if not command:
        pytest.skip("no Blender: set BLENDER, or put blender on the PATH, or install the bpy wheel")
    script, out = folder / "open.py", folder / "opened.npz"
    script.write_text(SCRIPT)
    job = {"file": str(file), "out": str(out), "frames": frames, "names": BODY_JOINTS, "options": options}
    job |= {"scene_fps": scene_fps}
    run = subprocess.run([*command, str(script), "--", json.dumps(job)], capture_output=True, text=True)
    assert run.returncode == 0 and out.exists(), run.stdout[-2000:] + run.stderr[-2000:]
    return np.load(out)


def check_joints(opened, body) -> tuple[float, float]:
    """Largest distance in mm and angle in degrees between Blender's joints and ours."""
    frames, points = posed(body)
    distance = np.linalg.norm(opened["heads"] - points[:, : len(BODY_JOINTS)], axis=-1).max()
    # our frames less the T-pose that faces -y: how a joint is turned from its rest
    ours = frames @ Y_UP_FROM_WORLD
    between = np.swapaxes(opened["turns"], -1, -2) @ ours
    angle = np.degrees(Rotation.from_matrix(between.reshape(-1, 3, 3)).magnitude().max())
    print(f"Blender: {1e3 * distance:.4f} mm, {angle:.4f} degrees")
    return 1e3 * distance, angle


@pytest.mark.parametrize("unit", [1.0, 0.01])
@pytest.mark.parametrize(
    ("up", "axes"),
    [("y", {"axis_forward": "-Z", "axis_up": "Y"}), ("z", {"axis_forward": "Y", "axis_up": "Z"})],
)
def test_joints_of_a_bvh_stand_where_ours_do(tmp_path: Path, up, axes, unit: float) -> None:
    body = moving_body(60, turns_rad=1.2)
    path = write_bvh(tmp_path / "clip.bvh", body, up, metres_per_unit=unit)
    opened = opened_in_blender(tmp_path, path, 60, 30, global_scale=unit, **axes)
    distance, angle = check_joints(opened, body)
    assert distance < 1.0
    assert angle < 0.05
    assert opened["keys"] == 59


@pytest.mark.parametrize(("fps", "scene_fps"), [(30.0, 30), (59.94, 60)])
def test_joints_and_skin_of_a_glb_stand_where_ours_do(tmp_path: Path, fps: float, scene_fps: int) -> None:
    body = moving_body(60, fps=fps, turns_rad=1.2)
    path = write_glb(tmp_path / "clip.glb", body)
    opened = opened_in_blender(tmp_path, path, 60, scene_fps)
    distance, angle = check_joints(opened, body)
    assert distance < 1.0
    assert angle < 0.05
    assert opened["keys"] == pytest.approx(59 * scene_fps / fps, abs=1e-3)
    offsets = np.asarray(body.rest_offsets, float)
    mesh, (frames, points) = figure_mesh(offsets), posed(body)
    joints = mesh.joints[:, 0]
    arms = mesh.positions - rest_positions(offsets)[joints]
    skin = points[:, joints] + np.einsum("tvij,vj->tvi", frames[:, joints], arms)
    np.testing.assert_allclose(opened["vertices"], skin, atol=1e-3)
