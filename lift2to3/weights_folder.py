"""Where shipped weights lie, and how they are named."""

from __future__ import annotations

from pathlib import Path
from typing import Final

WEIGHTS_FOLDER: Final = Path(__file__).with_name("weights")


def weights_path(weights: str | Path) -> Path:
    """The file of shipped weights by their name; a path that ends in .safetensors is itself.

    Raises:
        ValueError: an unknown name (the known ones are listed).
    """
    path = Path(weights)
    if path.suffix == ".safetensors":
        return path
    path = WEIGHTS_FOLDER / f"{weights}.safetensors"
    if not path.is_file():
        known = sorted(p.stem for p in WEIGHTS_FOLDER.glob("*.safetensors"))
        raise ValueError(
            f"unknown weights {str(weights)!r}; shipped: {', '.join(known) or 'none'}. "
            "For a file of your own give its path, ending in .safetensors."
        )
    return path
