"""Labels as options: `--label plan=premium`. Which keys and values there may be, the API says."""

from typing import Annotated

import typer

Given = Annotated[
    list[str] | None, typer.Option(metavar="KEY=VALUE", help="A label of each document, to filter by; may be repeated.")
]


def labels_of(given: list[str] | None) -> dict[str, str] | None:
    """None without any. Raises BadParameter."""
    labels: dict[str, str] = {}
    for each in given or ():
        key, sign, value = each.partition("=")
        if not sign:
            raise typer.BadParameter(f"{each!r} is not KEY=VALUE", param_hint="--label")
        if key in labels:
            raise typer.BadParameter(f"a document has one value of {key!r}", param_hint="--label")
        labels[key] = value
    return labels or None
