"""Files of camera calibrations."""
