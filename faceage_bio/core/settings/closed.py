"""What every section of the config is: closed to keys that it does not know; and paths, which start at the folder of the config."""

import ast
import inspect
import os
from functools import cache
from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo

from faceage_bio.core.errors import STREAM, is_stream


class Closed(BaseModel):
    """A section of the config that knows all its keys."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


@cache
def meanings(section: type[Closed]) -> dict[str, str]:
    """The docstring below each field, read where it is shown: Pydantic's ``use_attribute_docstrings`` is a third of a command's start."""
    found = {}
    for base in reversed([one for one in section.__mro__ if issubclass(one, Closed)]):
        (own,) = ast.parse(inspect.getsource(base)).body
        for field, text in pairwise(own.body if isinstance(own, ast.ClassDef) else []):
            match field, text:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(
                    value=ast.Constant(value=str(meaning))
                ):
                    found[name] = inspect.cleandoc(meaning)
    return found


def located(path: str, info: ValidationInfo) -> str:
    """A path as seen from the folder that the program runs in, where the validation's context holds both folders, and without braces.

    The context's ``folder`` is that of the config, and ``start`` the one that the program runs in. A path within ``start`` is recorded from
    there, any other is absolute, as all are if ``start`` is None.
    """
    if not info.context:
        return path
    whole = os.path.normpath(os.path.join(os.path.abspath(info.context["folder"]), os.path.expanduser(path)))
    if is_stream(whole):
        raise ValueError(f"{whole!r} is {STREAM}; save what it gives as a file, and name that")
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
