"""Files made to harm, or merely odd: read, or refused in one line that names them, at once."""

import csv
import json
import os
import pickle
import tarfile
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from saved_objects import ObjectPickler, Tensor, torch_zip

from lift2to3.array_files import load_json
from lift2to3.cli import main
from lift2to3.commands.lift import summary_rows
from lift2to3.convert.read_body import read_body
from lift2to3.formats.cameras.read import read_camera
from lift2to3.formats.keypoints.read import read_keypoints
from lift2to3.formats.motions.tables import write_csv
from lift2to3.formats.motions.trc import write_trc
from lift2to3.formats.object_files import load_objects
from lift2to3.formats.safe_pickle import load_pickle
from lift2to3.geometry.cameras import Camera
from lift2to3.guarded_files import guarded, most_unpacked
from lift2to3.keypoints import as_keypoints
from lift2to3.motion import Motion, load_motion
from lift2to3.pipeline.check_result import ImpossibleMotion, check_result
from lift2to3.quoting import LONGEST_QUOTE, message, printable, quoted
from lift2to3.report.page import write_report
from lift2to3.skeletons import CANONICAL, load_skeleton
from lift2to3.smpl import load_body_model
from lift2to3.summary import summarise
from lift2to3.whole_file import whole_file, whole_text
from tools.changed_files import written
from tools.fuzz_readers import fuzz
from tools.valid_files import valid_files


@pytest.fixture(scope="module")
def attacks(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("attacks")
    with tarfile.open(shared_data / "cases" / "attacks.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "attacks"


@contextmanager
def within(seconds: float, megabytes: float) -> Iterator[None]:
    """Seconds of the processor, not of the clock: other programs run beside the tests."""
    tracemalloc.start()
    start = time.process_time()
    try:
        yield
    finally:
        took, most = time.process_time() - start, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert took < seconds and most < megabytes * 2**20


def standing(frames: int = 30, names: tuple[str, ...] = CANONICAL) -> Motion:
    points = np.full((frames, len(names), 3), 1.0, np.float32)
    valid, spread = np.ones((frames, len(names)), bool), np.full((frames, len(names)), 0.1, np.float32)
    return Motion(points, names, 30.0, valid, spread)


# --- pickles


@pytest.mark.parametrize("read", [load_pickle, load_objects, load_body_model, read_body])
@pytest.mark.parametrize(
    "ends", [b"}%sK\x01s.", b"\x8f(%s\x90.", b"(%sK\x01d.", b"(%s\x91.", b"c__builtin__\nset\n(%sl\x85R."]
)
def test_a_key_that_is_hashed_without_end_is_refused_at_once(tmp_path, read, ends):
    nested = b")" + b"".join(b"q" + bytes([i]) + b"h" + bytes([i]) + b"\x86" for i in range(45))
    path = tmp_path / "bomb.pkl"
    path.write_bytes(b"\x80\x02" + ends % nested)
    with within(1.0, 20), pytest.raises(ValueError, match=r"bomb\.pkl: .*"):
        read(path)


def test_keys_that_all_hash_alike_are_refused(tmp_path):
    path = tmp_path / "alike.pkl"
    path.write_bytes(pickle.dumps({n * (2**61 - 1): 0 for n in range(3)}))
    with pytest.raises(ValueError, match="a key of a dict that is"):
        load_pickle(path)


class Strided(Tensor):
    """A tensor of any shape whose every number is the same one."""

    def __init__(self, *shape: int):
        self.shape, self.base = shape, np.zeros(1, np.float32)

    def place(self) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
        return 0, self.shape, (0,) * len(self.shape)


@pytest.mark.parametrize("copies", [1, 400])
def test_tensors_of_one_number_are_counted_in_full(tmp_path, monkeypatch, copies):
    monkeypatch.setitem(ObjectPickler.dispatch, Strided, ObjectPickler.save_tensor)
    path = tmp_path / "strided.pt"
    path.write_bytes(torch_zip({str(i): Strided(10**8 // copies) for i in range(copies)}))
    with within(2.0, 20), pytest.raises(ValueError, match=r"strided\.pt: .* more is made of it"):
        load_objects(path)


def test_what_a_pickle_holds_once_and_uses_often_is_counted_in_full(tmp_path):
    path = tmp_path / "shared.pkl"
    path.write_bytes(pickle.dumps([np.zeros(10**5)] * 1000))
    with within(2.0, 20), pytest.raises(ValueError, match=r"makes 0\.\d+ GB; wanted at most 0\.2"):
        load_objects(path)


def test_a_compressed_pickle_is_unpacked_no_further_than_its_size_allows(tmp_path):
    packer, path = zlib.compressobj(1), tmp_path / "zeros.pkl"
    path.write_bytes(b"".join(packer.compress(bytes(2**24)) for _ in range(24)) + packer.flush())
    limit = most_unpacked(path.stat().st_size)
    assert limit < 24 * 2**24
    with within(4.0, 1.2 * limit / 2**20), pytest.raises(ValueError, match="unpacks to more than"):
        load_objects(path)


# --- sizes and rates


@pytest.mark.parametrize("read", [load_motion, read_camera, read_keypoints])
def test_an_npz_is_refused_by_what_its_directory_says(attacks, read):
    with within(1.0, 5), pytest.raises(ValueError, match=r"bomb\.npz: unpacks to 2 GB from 2161785 bytes"):
        read(attacks / "bomb.npz")


def test_a_file_may_always_hold_what_it_is_large():
    assert most_unpacked(0) == 2**28
    assert most_unpacked(2**25) == 2**28 + 20 * 2**25
    assert most_unpacked(2**30) == 2**31
    assert most_unpacked(2**32) == 2**32


RATES = ("1e+06", "1e+09", "1e+12", "1e+308", "0.0001", "1e-09", "4.94066e-324")


@pytest.mark.parametrize("name", [*(f"fps_{rate}.json" for rate in RATES), "q_0.001.json", "q_100000.json"])
def test_rates_that_no_camera_has_are_refused(attacks, name):
    with pytest.raises(
        ValueError, match=rf"{name.replace('+', '.')}: .*fps is .*; wanted 1 to 1,000 frames per"
    ):
        read_keypoints(attacks / name)


def test_the_slowest_and_the_fastest_rates_are_taken(attacks):
    for fps in (1.0, 1000.0):
        assert as_keypoints(np.full((4, 17, 2), 50.0), fps=fps).fps == fps
    with pytest.raises(ValueError, match=r"inffps\.npz: fps is inf; wanted 1 to 1,000"):
        load_motion(attacks / "inffps.npz")


@pytest.mark.parametrize("fps", ["nan", "inf", "-5", "1e9"])
def test_a_rate_given_must_be_one(attacks, tmp_path, capsys, fps):
    """Also where the file states another: a NaN differs from nothing."""
    arguments = [f"--fps={fps}", f"--camera={attacks / 'cam.json'}", f"--out={tmp_path / 'out'}"]
    assert main(["lift", str(attacks / "kp.json"), *arguments]) == 2
    assert "kp.json" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_pixels_that_no_picture_has_are_refused(attacks):
    with pytest.raises(
        ValueError, match=r"huge\.json: .*right_small_toe in frame 21 lies at 8\.75e\+14 px; wanted"
    ):
        read_keypoints(attacks / "huge.json")


def test_a_result_that_is_no_number_is_refused(attacks):
    motion = standing()
    motion.joints_world[7, 3] = np.nan
    with pytest.raises(
        ImpossibleMotion, match="spine1 in frame 7 is no number .1 such points.*Nothing was written"
    ):
        check_result(motion, read_keypoints(attacks / "short.json"), read_camera(attacks / "cam.json"))


# --- what is no such file at all

ODD = (
    "deep.json",
    "bigint.json",
    "op",
    "mm.json",
    "unhash.json",
    "claim.npy",
    "hdr.npy",
    "raw.npz",
    "nul.json",
)


@pytest.mark.parametrize("name", [*ODD, "cam_big.json", "cam_size.json"])
def test_odd_files_are_refused_in_one_line(attacks, tmp_path, capsys, name):
    keypoints, camera = ("kp.json", name) if name.startswith("cam") else (name, "cam.json")
    with within(2.0, 50):
        assert main(
            ["lift", str(attacks / keypoints), f"--camera={attacks / camera}", f"--out={tmp_path / 'out'}"]
        ) == 2  # fmt: skip
    said = capsys.readouterr().err
    where = "op/0.json: " if name == "op" else f"{name}: "
    assert said.count("\n") == 1 and where in said and len(said) < 600
    assert not (tmp_path / "out").exists()


def test_a_camera_s_size_is_two_numbers(attacks):
    with pytest.raises(ValueError, match=r"cam_size\.json: camera size: wanted shape \(2,\), .*found \(\)"):
        read_camera(attacks / "cam_size.json")
    with pytest.raises(ValueError, match="camera t: wanted numbers up to 1e"):
        Camera(np.diag([900.0, 900, 1]), np.eye(3), [0, 0, 1e30], (10, 10))


@pytest.mark.parametrize(
    "error",
    [
        RecursionError("deep"),
        KeyError("a"),
        MemoryError(),
        TypeError("x" * 10**6),
        OverflowError("1\x1b[31m"),
    ],
)
def test_a_guarded_reader_lets_out_our_errors_alone(error):
    @guarded
    def read(path: str) -> None:
        raise error

    with pytest.raises(
        ValueError, match=rf"^a\.json: damaged, or not what its name says \({type(error).__name__}"
    ) as told:
        read("a.json")
    assert len(str(told.value)) < 1300 and str(told.value).isprintable()


def test_folders_and_absent_files_are_told_apart(tmp_path):
    with pytest.raises(ValueError, match="a folder; wanted a file"):
        load_json(tmp_path)
    with pytest.raises(FileNotFoundError):
        load_json(tmp_path / "absent.json")


# --- a motion of little


def test_a_person_of_one_point_is_summed_up_without_their_size(attacks, tmp_path):
    keypoints, camera, motion = (
        read_keypoints(attacks / "ankle.json"),
        read_camera(attacks / "cam.json"),
        standing(),
    )
    summary = summarise(motion, keypoints, camera)
    assert summary.body_px == 0 and np.isnan(summary.reprojection_share)
    assert dict(summary_rows(motion, keypoints, camera))["reprojection"].endswith("px (median)")
    assert write_report(motion, keypoints, camera, tmp_path / "report.html").is_file()


# --- what is written and said


def test_names_in_tables_run_nothing_and_stay_in_their_column(attacks, tmp_path):
    motion = load_motion(attacks / "evilnames.npz")
    assert any(name.startswith("=") for name in motion.joint_names)
    with write_csv(tmp_path / "a.csv", motion).open(newline="") as file:
        rows = list(csv.reader(file))
    assert len(rows) == 1 + len(motion.joints_world)
    assert {len(row) for row in rows} == {1 + 3 * len(motion.joint_names)}
    assert not any(heading.startswith(("=", "+", "-", "@", "\t", "\n")) for heading in rows[0])
    assert all(printable(name) in row for name, row in zip(motion.joint_names, rows[0][1::3], strict=True))
    lines = write_trc(tmp_path / "a.trc", motion).read_text().split("\n")
    assert lines[3].count("\t") == 1 + 3 * len(motion.joint_names) and lines[4].startswith("\t\tX1")


def test_a_large_skeleton_takes_little_time(tmp_path):
    path = tmp_path / "large.json"
    joints = [
        {"name": f"{side}_j{n}", "canonical": None} for n in range(10_000) for side in ("left", "right")
    ]
    path.write_text(json.dumps({"name": "m", "joints": joints}))
    with within(3.0, 100):
        assert load_skeleton(path).mirror[:4].tolist() == [1, 0, 3, 2]
    path.write_text(json.dumps({"name": "m", "joints": [{"name": joint["name"]} for joint in joints]}))
    with pytest.raises(
        ValueError, match="'left_j0', .* not canonical; wanted null or one of: pelvis"
    ) as told:
        load_skeleton(path)
    assert len(str(told.value)) < 1000


def test_messages_quote_a_little_of_the_input_and_no_commands(tmp_path, capsys):
    shared: tuple = (1, 2)
    for _ in range(60):
        shared = (shared, shared)
    for value in ("x" * 10**6, list(range(10**6)), shared, 10**5000, np.zeros(10**6), "\x1b[31m"):
        assert len(quoted(value)) <= LONGEST_QUOTE and quoted(value).isprintable()
    assert message("wanted:\n  a\x1b[2J\tb é 人") == "wanted: a\\x1b[2J b é 人"
    path = tmp_path / "a\x1b[31m.json"
    path.write_text(json.dumps({"keypoints": [[list(range(10**5))]]}))
    camera = Camera(np.diag([900.0, 900, 1]), np.eye(3), [0, 0, 1], (10, 10)).save(tmp_path / "c.json")
    assert main(["lift", str(path), f"--camera={camera}", f"--out={tmp_path / 'out'}"]) == 2
    said = capsys.readouterr().err
    assert len(said) < 1500 and "\x1b" not in said and "a\\x1b[31m.json" in said


def test_a_full_disk_names_the_file(tmp_path):
    with (
        pytest.raises(OSError, match="No space left.*motion.csv"),
        whole_file(tmp_path / "motion.csv") as part,
    ):
        part.symlink_to("/dev/full")
        with part.open("w") as file:
            file.write("x")
    assert not list(tmp_path.iterdir())


def test_what_killed_writers_left_is_swept(tmp_path):
    parts = {
        name: tmp_path / f".{name}.part.csv" for name in ("a.999999999", f"a.{os.getppid()}", "b.999999999")
    }
    fresh = tmp_path / ".a.999999998.part.csv"
    for part in (*parts.values(), fresh):
        part.write_text("half of it")
    for part in parts.values():
        os.utime(part, (time.time() - 3600,) * 2)
    with whole_text(tmp_path / "a.csv") as file:
        file.write("whole")
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"a.csv", f".a.{os.getppid()}.part.csv", ".b.999999999.part.csv", fresh.name}


# --- any file


VALID = (
    "json", "keypoints.json", "keypoints.coco", "keypoints.mmpose", "keypoints.openpose", "keypoints.npz",
    "keypoints.npy", "camera.json", "camera.npz", "camera.toml", "skeleton", "motion", "body", "bvh",
    "packed", "smpl_npz", "amass_npz", "pickle", "objects", "objects.zlib", "objects.pt", "result.gvhmr",
    "result.wham", "result.phalp", "model.npz", "model.pkl", "weights",
)  # fmt: skip


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory):
    return valid_files(tmp_path_factory.mktemp("valid"))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", VALID)
def test_changed_files_are_read_or_refused(examples, tmp_path, name):
    """A few of the changes that `python -m tools.fuzz_readers` tries by the thousand."""
    assert set(VALID) == set(examples)
    path = tmp_path / name / examples[name].file
    path.parent.mkdir(parents=True)
    path.write_bytes(written(examples[name].kind, examples[name].value))
    assert examples[name].read(path) is not None
    assert fuzz(name, examples[name], range(1, 7), tmp_path) == []
