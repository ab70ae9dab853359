"""An interactive viewer of a lifted motion in the browser, by viser (the optional extra ``view``)."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, Final

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from lift2to3.geometry.cameras import Camera
from lift2to3.geometry.rotations import quaternion_from_matrix
from lift2to3.motion import Motion
from lift2to3.skeletons import stick_bones

if TYPE_CHECKING:
    import viser

_COLOURS: Final = {"left": (22, 104, 176), "right": (196, 85, 12), "middle": (91, 97, 103)}
_SPEEDS: Final = ("0.1", "0.25", "0.5", "1", "2")
_REFRESH_S: Final = 1 / 60
_PATH_POINTS: Final = 2000


class Viewer:
    """A served scene: floor, path, camera and the figure at one frame. Drive it by ``show`` or ``run``.

    Args:
        motion: metres, world, z up; what is not valid or NaN is not drawn.
        camera: drawn as a frustum where given.
        port: of the page, on this computer only; the next free one where it is taken.

    Raises:
        ValueError: viser is not installed, or no frame of the motion has a point.
    """

    def __init__(self, motion: Motion, camera: Camera | None = None, port: int = 8080) -> None:
        """Serve the scene at the first frame."""
        self.joints = np.where(motion.valid[..., None], motion.joints_world, np.nan).astype(np.float32)
        if not np.isfinite(self.joints).all(-1).any():
            raise ValueError("view: no frame of the motion has a point; there is nothing to show")
        self.fps, self.frame, self._seconds = motion.fps, 0, 0.0
        self._bones = stick_bones(motion.joint_names)
        self.server: viser.ViserServer = _viser().ViserServer(host="127.0.0.1", port=port, verbose=False)
        self._add_scene()
        if "pelvis" in motion.joint_names:
            self._add_path(self.joints[:, motion.joint_names.index("pelvis")])
        if camera is not None:
            self._add_camera(camera)
        gui = self.server.gui
        self._play = gui.add_checkbox("Play", True)
        self._slider = gui.add_slider("Frame", 0, max(1, len(self.joints) - 1), 1, 0)
        self._speed = gui.add_dropdown("Speed", _SPEEDS, initial_value="1")
        self.show(0)

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return f"http://{self.server.get_host()}:{self.server.get_port()}"

    def show(self, frame: int) -> None:
        """Draw one frame; one beyond an end shows that end."""
        self.frame = int(np.clip(frame, 0, len(self.joints) - 1))
        points = self.joints[self.frame]
        segments = np.stack([points[[start, end]] for start, end, _ in self._bones])
        there = np.all(np.isfinite(segments), axis=(1, 2))
        self._figure.visible = bool(there.any())
        if there.any():  # a bone with a missing end shrinks into a known point
            self._figure.points = np.where(there[:, None, None], segments, segments[there.argmax(), 0])

    def advance(self, seconds: float) -> None:
        """Let so much of the clip's time go by, if it plays; at the end it begins again."""
        if self._play.value:
            self._seconds += seconds * float(self._speed.value)
            self._seconds %= len(self.joints) / self.fps
            self._slider.value = int(self._seconds * self.fps + 1e-6)
        elif self._slider.value != self.frame:
            self._seconds = self._slider.value / self.fps
        if self._slider.value != self.frame:
            self.show(self._slider.value)

    def run(self) -> None:
        """Play until interrupted (Ctrl+C)."""
        before = time.perf_counter()
        try:
            while True:
                time.sleep(_REFRESH_S)
                now = time.perf_counter()
                self.advance(now - before)
                before = now
        except KeyboardInterrupt:
            pass
        finally:
            self.stop()

    def stop(self) -> None:
        """Close the page's server."""
        self.server.stop()

    def _add_scene(self) -> None:
        scene = self.server.scene
        scene.set_up_direction("+z")
        flat = self.joints[np.isfinite(self.joints).all(-1)]
        low, high = np.floor(flat.min(0)[:2] - 1), np.ceil(flat.max(0)[:2] + 1)
        x, y = (0.5 * (low + high)).tolist()
        width, depth = (high - low).tolist()
        scene.add_grid("/floor", width, depth, cell_size=1.0, position=(x, y, 0.0))
        colours = np.array([[_COLOURS[side]] * 2 for _, _, side in self._bones], np.uint8)
        nowhere = np.zeros((len(self._bones), 2, 3), np.float32)
        self._figure = scene.add_line_segments("/figure", nowhere, colours, thickness=0.035)
        away = 0.8 * max(width, depth, 4.0)
        self.server.initial_camera.look_at = (x, y, 0.9)
        self.server.initial_camera.position = (x + 0.5 * away, y - away, 0.9 + 0.4 * away)

    def _add_camera(self, camera: Camera) -> None:
        width, height = camera.size
        wxyz = np.asarray(quaternion_from_matrix(jnp.asarray(camera.R.T)))
        self.server.scene.add_camera_frustum(
            "/camera", 2 * math.atan(height / 2 / float(camera.K[1, 1])), width / height, scale=0.4,
            color=(120, 120, 120), wxyz=wxyz, position=camera.centre,
        )  # fmt: skip

    def _add_path(self, pelvis: Float[np.ndarray, "time 3"]) -> None:
        ground = pelvis[:: max(1, len(pelvis) // _PATH_POINTS)] * np.array([1, 1, 0], np.float32)
        steps = np.stack([ground[:-1], ground[1:]], axis=1)
        steps = steps[np.isfinite(steps).all((1, 2))]
        if len(steps):
            self.server.scene.add_line_segments("/path", steps, _COLOURS["middle"], thickness=0.015)


def _viser() -> Any:
    try:
        import viser
    except ImportError as error:
        raise ValueError(
            "the viewer needs viser, which is not installed: pip install 'lift2to3[view]' "
            "(report.html shows a motion without it)"
        ) from error
    return viser
