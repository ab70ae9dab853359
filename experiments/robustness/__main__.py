"""How errors grow with what goes wrong in the input, and what the reported spread is worth.

    python -m experiments.robustness --data DIR --cameras cameras.json --out robustness.json --docs docs

About 3 minutes on 2 CPU cores for the lifter. Trials are those of the fixed protocol
(`experiments.protocol`), one camera a clip, SMPL-22 keypoints, ground-truth 2D but for the one disturbance
of a curve (`experiments.robustness.disturbances`). ``--out`` is written after each curve; the same command
continues from it. Weights trained anew under an old name need a new file.
"""

import tyro

from experiments.robustness.measure import Config, main

if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
