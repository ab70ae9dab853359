"""``lift2to3 view``: a motion, live in the browser."""

from __future__ import annotations

from lift2to3.commands.arguments import AS_IT_SAYS, CameraOptions, Count, MaybeCamera, MotionFile
from lift2to3.commands.output import print_warnings
from lift2to3.told import gathered_warnings


def view(
    motion: MotionFile,
    /,
    camera: MaybeCamera = None,
    reading: CameraOptions = AS_IT_SAYS,
    port: Count = 8080,
) -> None:
    """Show a motion in the browser, served from this computer, until Ctrl+C. Needs the extra ``view``.

    Args:
        motion: motion.npz as lift wrote it.
        camera: the camera file that lift took, to draw it too.
        reading: how to read the camera's file where it does not say everything itself.
        port: of the page; the next free one where it is taken.
    """
    from lift2to3.motion import load_motion
    from lift2to3.report.viewer import Viewer

    with gathered_warnings() as notes:
        viewer = Viewer(load_motion(motion), reading.read(camera) if camera else None, port)
    print_warnings(notes)
    print(f"Open {viewer.address} in a browser; Ctrl+C ends it.")
    viewer.run()
