"""Motion data: mocap files to records, records on disk, training windows. Knows no model."""
