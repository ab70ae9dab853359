"""From keypoints to motion: sampling, windows, and the lifter that puts them together."""
