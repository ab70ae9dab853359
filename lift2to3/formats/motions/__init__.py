"""Files of 3D motion."""
