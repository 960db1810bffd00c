"""Signs of an attempt to take over the agent."""


def injection_score(text: str) -> float:
    return 0.0
