"""Clinical scores with chronological age, and with face age in its place."""
