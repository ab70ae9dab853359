"""Points or keypoints to a posed body."""
