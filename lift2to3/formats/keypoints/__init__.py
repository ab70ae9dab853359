"""Files of 2D keypoints."""
