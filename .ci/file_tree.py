"""The file tree of docs/files.md, from the files that git knows and the first line of their docstrings.

python .ci/file_tree.py            # exits 1 where docs/files.md is not the tree of the files
python .ci/file_tree.py --write    # writes it
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- tree:begin -->", "<!-- tree:end -->"

FOLDERS = {
    "lift2to3": "the package; `__init__.py` names what is public, tests/test_layers.py what may import what",
    "lift2to3/report/web": "the parts of the report page; page.py puts them and the clip into one file",
    "lift2to3/weights": "what ships",
    "experiments": "training and evaluation",
    "tools": "data preparation and checks",
    "benchmarks": "speed and memory",
    "tests": "`make test`",
}
FILES = {
    "lift2to3/demo_clip.npz": "the clip of `lift2to3 demo`: keypoints, camera, truth",
    "lift2to3/report/web/canvas.js": "colours, lines and dots",
    "lift2to3/report/web/charts.js": "the charts over time",
    "lift2to3/report/web/data.js": "the clip, unpacked",
    "lift2to3/report/web/image.js": "the view in the image",
    "lift2to3/report/web/page.css": "style, light and dark",
    "lift2to3/report/web/page.html": "markup",
    "lift2to3/report/web/player.js": "playback and controls",
    "lift2to3/report/web/space.js": "the view in space",
    "lift2to3/report/web/words.js": "header, bars and tables",
    "lift2to3/weights/body.safetensors": "what `fit_body` knows of bodies",
    "lift2to3/weights/body.md": "its model card",
    "lift2to3/weights/foot.safetensors": "the foot lifter's checkpoint",
    "lift2to3/weights/foot.md": "its model card",
    "lift2to3/weights/foot.scores.json": "measured scores; docs/results.md and card quote them",
    "lift2to3/weights/regressor.safetensors": "the direct regressor's checkpoint, a baseline",
    "lift2to3/weights/regressor.md": "its model card",
    "lift2to3/weights/small.safetensors": "the default checkpoint",
    "lift2to3/weights/small.md": "its model card",
    "lift2to3/weights/small.scores.json": "measured scores; docs/results.md and card quote them",
}


def source_files() -> list[str]:
    """Tracked files of the folders above (`git add` a new one first)."""
    command = ["git", "ls-files", *FOLDERS]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    return sorted(path for path in set(listed) if (ROOT / path).is_file())


def summary(path: str) -> str:
    """What a file holds, in a line."""
    if not path.endswith(".py"):
        if path not in FILES:
            sys.exit(f".ci/file_tree.py: say in FILES what {path} holds")
        return FILES[path]
    docstring = ast.get_docstring(ast.parse((ROOT / path).read_text())) or ""
    if not docstring and not path.endswith("/__init__.py"):
        sys.exit(f".ci/file_tree.py: {path} has no docstring; its first line says what the file holds")
    return docstring.split("\n")[0].rstrip(".")


def tree() -> str:
    """One line per folder and file, indented."""
    files = source_files()
    packages = {
        path.removesuffix("/__init__.py"): summary(path) for path in files if path.endswith("/__init__.py")
    }
    lines, open_folders = [], set()
    for path in sorted(files, key=lambda p: (list(FOLDERS).index(p.split("/")[0]), p.count("/") < 2, p)):
        *folders, name = path.split("/")
        for depth in range(len(folders)):
            folder = "/".join(folders[: depth + 1])
            if folder not in open_folders:
                open_folders.add(folder)
                about = FOLDERS.get(folder) or packages.get(folder, "")
                lines.append(f"{'  ' * depth}{folders[depth]}/".ljust(27) + f" {about}".rstrip())
        if name != "__init__.py":
            lines.append(f"{'  ' * len(folders)}{name}".ljust(27) + f" {summary(path)}")
    return "\n".join(["```", *lines, "```"])


def main(write: bool) -> int:
    """Compare or write; returns the exit code."""
    page = ROOT / "docs" / "files.md"
    before = page.read_text()
    after = re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n{tree()}\n{END}", before, flags=re.DOTALL)
    if write:
        page.write_text(after)
    elif before != after:
        print("docs/files.md: the file tree is out of date; run: python .ci/file_tree.py --write")
    return int(before != after and not write)


if __name__ == "__main__":
    sys.exit(main("--write" in sys.argv))
