"""The training stream: a batch is a pure function of (seed, step), and time is covered evenly."""

import itertools

import numpy as np
import pytest

from lift2to3.data.mocap import MocapClip
from lift2to3.data.windows import Stream, WindowConfig, window_batches

READERS = ("grain", "numpy")


def numbered_clips(*lengths: int) -> list[MocapClip]:
    """Clips whose points tell the clip (x) and the frame (y)."""
    clips = []
    for i, length in enumerate(lengths):
        points = np.zeros((length, 38, 3), np.float32)
        points[..., 0], points[..., 1] = i, np.arange(length)[:, None]
        clips.append(
            MocapClip(
                clip=f"clip_{i}", subject="me", family="cmu31" if i else "cmu43", fps=30.0,
                uneven_floor=False,
                joint_names=("root",), parents=np.array([-1]), rest_offsets=np.zeros((1, 3), np.float32),
                root_translation=np.zeros((length, 3), np.float32),
                rotations=np.zeros((length, 1, 4), np.float32),
                points_world=points, contacts=np.ones((length, 4), bool),
            )
        )  # fmt: skip
    return clips


def config(reader: str, frames: int = 8, batch: int = 4) -> WindowConfig:
    if reader == "grain":
        pytest.importorskip("grain")
    return WindowConfig(frames=frames, batch=batch, reader=reader)


def take(batches: object, count: int) -> list[dict[str, np.ndarray]]:
    return list(itertools.islice(batches, count))


@pytest.mark.parametrize("reader", READERS)
def test_a_window_is_consecutive_frames_of_one_clip(reader: str) -> None:
    clips = numbered_clips(50, 200, 12)
    for batch in take(window_batches(clips, config(reader), Stream(seed=0)), 20):
        assert batch["points_world"].shape == (4, 11, 38, 3)
        assert batch["points_world"].dtype == np.float32
        assert batch["contacts"].shape == (4, 11, 4)
        clip, frame = batch["points_world"][..., 0, 0], batch["points_world"][..., 0, 1]
        assert (clip == clip[:, :1]).all()
        assert (np.diff(frame, axis=1) == 1).all()
        assert batch["frames_valid"].all()
        np.testing.assert_array_equal(batch["contacts_trusted"], clip[:, 0] > 0)


@pytest.mark.parametrize("reader", READERS)
def test_a_short_clip_holds_its_last_frame_and_says_so(reader: str) -> None:
    batch = next(window_batches(numbered_clips(5), config(reader), Stream(seed=0)))
    frame = batch["points_world"][0, :, 0, 1]
    np.testing.assert_array_equal(frame, [0, 1, 2, 3, 4, 4, 4, 4, 4, 4, 4])
    np.testing.assert_array_equal(batch["frames_valid"][0], np.arange(11) < 5)
    np.testing.assert_array_equal(batch["contacts"][0].any(axis=1), np.arange(11) < 5)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("step", [1, 7, 40])
def test_a_stream_restarted_at_a_step_goes_on_as_if_never_stopped(reader: str, step: int) -> None:
    clips = numbered_clips(60, 90, 9)
    whole = take(window_batches(clips, config(reader), Stream(seed=3)), step + 3)[step:]
    resumed = take(window_batches(clips, config(reader), Stream(seed=3, start_step=step)), 3)
    for before, after in zip(whole, resumed, strict=True):
        for key in before:
            np.testing.assert_array_equal(before[key], after[key])


@pytest.mark.parametrize("reader", READERS)
def test_seeds_and_epochs_differ(reader: str) -> None:
    clips = numbered_clips(800)
    drawn = {
        seed: np.concatenate([b["points_world"][:, 0, 0, 1] for b in take(stream, 50)])
        for seed, stream in ((s, window_batches(clips, config(reader), Stream(seed=s))) for s in (0, 1))
    }
    assert (drawn[0] != drawn[1]).any()
    assert (drawn[0][:100] != drawn[0][100:]).any()  # 100 slots an epoch
    assert (drawn[0][:100] // 8 != drawn[0][100:] // 8).any()


@pytest.mark.parametrize("reader", READERS)
def test_clips_come_in_proportion_to_their_length_and_none_is_left_out(reader: str) -> None:
    clips = numbered_clips(800, 400, 4)
    first_epoch = take(window_batches(clips, config(reader, batch=151), Stream(seed=0)), 1)[0]
    counts = np.bincount(first_epoch["points_world"][:, 0, 0, 0].astype(int), minlength=3)
    np.testing.assert_array_equal(counts, [100, 50, 1])
    many = take(window_batches(clips, config(reader, batch=151), Stream(seed=0)), 30)
    start = np.concatenate([b["points_world"][:, 0, 0, 1][b["points_world"][:, 0, 0, 0] == 0] for b in many])
    quarters = np.histogram(start, bins=4, range=(0, 790))[0]
    assert quarters.max() / quarters.min() < 1.1
    assert len(np.unique(start)) > 700


@pytest.mark.parametrize("reader", READERS)
def test_hosts_share_out_an_epoch(reader: str) -> None:
    clips = numbered_clips(160, 80)
    seen = []
    for host in range(3):
        stream = window_batches(clips, config(reader, batch=10), Stream(seed=5, host=host, hosts=3))
        first = next(stream)["points_world"][:, 0, 0]
        seen += [(int(clip), int(frame)) for clip, frame, _ in first]
    assert len(set(seen)) == 30  # 30 slots, each on one host


def test_bad_requests_are_refused_at_once() -> None:
    clips = numbered_clips(30)
    with pytest.raises(ValueError, match="no clips"):
        window_batches([], config("numpy"), Stream(seed=0))
    with pytest.raises(ValueError, match="rates|one rate"):
        window_batches([clips[0], clips[0]._replace(fps=60.0)], config("numpy"), Stream(seed=0))
    with pytest.raises(ValueError, match="host"):
        window_batches(clips, config("numpy"), Stream(seed=0, host=2, hosts=2))
    with pytest.raises(ValueError, match="share"):
        window_batches(clips, config("numpy"), Stream(seed=0, host=0, hosts=64))
    with pytest.raises(ValueError, match="above 0"):
        window_batches(clips, WindowConfig(frames=0, reader="numpy"), Stream(seed=0))
