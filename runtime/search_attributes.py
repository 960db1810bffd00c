"""Teaches a Temporal namespace our search attributes. The embedded server knows them from its command line."""

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client

from contracts import search


async def register(client: Client) -> list[str]:
    """Add those of `contracts.search` that the client's namespace lacks, and return their names. Idempotent.

    Raises RPCError where the server forbids it; on Temporal Cloud they are added by its own command line.
    """
    service, namespace = client.operator_service, client.namespace
    known = await service.list_search_attributes(ListSearchAttributesRequest(namespace=namespace))
    missing = [key.name for key in search.ALL if key.name not in known.custom_attributes]
    if missing:
        kinds = dict.fromkeys(missing, IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD)
        await service.add_search_attributes(AddSearchAttributesRequest(namespace=namespace, search_attributes=kinds))
    return missing
