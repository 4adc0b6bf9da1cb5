"""FaceAge inference, and what goes with looking older than one's age."""

__version__ = "0.1.0"
