"""Doubts of a validation: values that are accepted, or replaced, and are most likely wrong.

A validator with an `info` argument notes them in pydantic's validation context, if that is a list:

    doubts: list[tuple[str, str]] = []
    Capture.model_validate(value, context=doubts)
"""

from pydantic import ValidationInfo


def doubt(info: ValidationInfo, path: str, reason: str) -> None:
    """Note a doubt with its JSON path in the validated value, if the context collects doubts."""
    if isinstance(info.context, list):
        info.context.append((path, reason))
