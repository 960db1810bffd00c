"""Search attributes: what operators filter runs by. Stored unencrypted, so never personal data."""

from temporalio.common import SearchAttributeKey

ORG_ID = SearchAttributeKey.for_keyword("EverturnOrgId")
AGENT_VERSION_ID = SearchAttributeKey.for_keyword("EverturnAgentVersionId")
STATE = SearchAttributeKey.for_keyword("EverturnState")

ALL = (ORG_ID, AGENT_VERSION_ID, STATE)
