"""Sections of the configuration: pydantic models, the only home of defaults."""
