"""Sections of the configuration: pydantic models, the only definition of defaults."""
