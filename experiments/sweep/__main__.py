"""What each design choice buys: the same training and scoring, one row for each thing left out or changed.

    python -m experiments.sweep --data DIR --cameras cameras.json --jobs 2 --write docs/ablation.md

trains and scores every row of `experiments.sweep.rows`, several at once, and writes the table with its
plot. Rows share what they have in common; what is done is not done again, and a training that was stopped
resumes.
``--size small`` takes about 90 core-minutes on a CPU; ``--size full`` is for GPUs: ``--gpus 0 1 2 3``, or
``--launcher slurm --slurm=--gres=gpu:1 --slurm=--time=24:00:00``. ``--size smoke`` shows that every row runs.
"""

import tyro

from experiments.sweep.run import Config, main

if __name__ == "__main__":
    try:
        main(tyro.cli(Config, description=__doc__))
    except ValueError as error:
        raise SystemExit(f"sweep: {error}") from error
