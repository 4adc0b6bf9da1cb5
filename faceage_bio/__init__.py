"""FaceAge inference, and associations with age acceleration than one's age."""

__version__ = "0.1.0"
