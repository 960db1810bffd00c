"""How contracts become Temporal payloads: Pydantic's JSON, by one converter a process."""

from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import CompositePayloadConverter, DataConverter

_ONE = PydanticPayloadConverter()


class _Shared(CompositePayloadConverter):
    """The SDK makes a payload converter for every activation, and each new one would compile the
    validators of all contracts again: 8% of a worker's processor time in a turn (temporalio 1.35.0).
    """

    def __init__(self) -> None:
        super().__init__(*_ONE.converters.values())


data_converter = DataConverter(payload_converter_class=_Shared)
"""For every client of ours; replaying needs the same."""
