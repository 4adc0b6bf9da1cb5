"""The headline numbers once more by software of other authors, and scripts by which a reader computes them."""
