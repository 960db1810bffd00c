"""Go on with a reply that readers have partly seen. The one place that cuts away what was already shown."""


def shown_length(text: str, prefix: str) -> int:
    raise NotImplementedError
