"""What a customer reads when a turn could not be answered. The operator's detail is never shown here."""

from contracts import failures

_EXPLANATIONS = {
    failures.PROVIDER_UNAVAILABLE: (
        "Sorry, I could not reach the service that writes my answers. Nothing is lost: please ask again in a moment."
    ),
    failures.PROVIDER_REJECTED: (
        "Sorry, I cannot answer right now because of a problem on our side. We have been told about it."
    ),
    failures.PROVIDER_GARBAGE: (
        "Sorry, the service that writes my answers did not work properly. Please ask again in a moment."
    ),
    failures.CANCELLED: "This answer was stopped.",
}
_OTHERWISE = "Sorry, something went wrong on our side and I could not finish this answer. Please ask again."


def explanation(code: str) -> str:
    """Always a sentence, whatever the code."""
    return _EXPLANATIONS.get(code, _OTHERWISE)
