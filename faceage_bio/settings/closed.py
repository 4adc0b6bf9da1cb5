"""What every section of the config is: closed to keys that it does not know."""

from pydantic import BaseModel, ConfigDict


class Closed(BaseModel):
    """A section of the config that knows all its keys."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)
