"""Files -> NumPy batches: annotation tables, video, records on disk, and the pipeline that shuffles and pads."""
