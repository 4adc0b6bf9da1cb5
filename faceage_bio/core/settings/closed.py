"""What every section of the config is: closed to keys that it does not know; and paths, which start at the folder of the config."""

import os
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo


class Closed(BaseModel):
    """A section of the config that knows all its keys."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)


def located(path: str, info: ValidationInfo) -> str:
    """A path as seen from the folder that the program runs in, where the validation's context holds both folders, and without braces.

    The context's ``folder`` is that of the config, and ``start`` the one that the program runs in. A path within ``start`` is recorded from
    there, any other is absolute, as all are if ``start`` is None.
    """
    if not info.context:
        return path
    whole = os.path.normpath(os.path.join(os.path.abspath(info.context["folder"]), os.path.expanduser(path)))
    if (start := info.context["start"]) is None:
        return whole
    start = os.path.abspath(start)
    seen = os.path.relpath(whole, start) if os.path.commonpath([start, whole]) == start else whole
    if set("{}") & set(seen):
        raise ValueError(
            f"{seen!r} holds braces, which snakemake takes for a placeholder; rename the file or the folder"
        )
    return seen


FilePath = Annotated[str, AfterValidator(located)]
