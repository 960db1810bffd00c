"""What a model call cost. Not for budgets: this only turns counted tokens into money."""

from typing import Literal, cast

import structlog
from genai_prices import Usage as PricedUsage
from genai_prices import calc_price

from contracts.turn import Usage

log = structlog.get_logger(__name__)

_FREE = ("scripted", "extractive")


def cost_micros(provider: str, model: str, usage: Usage) -> int:
    """Millionths of a US dollar, rounded to the nearest; 0 for a model without a known price.

    Prices come with the `genai-prices` package; nothing is downloaded.
    """
    if provider in _FREE:
        return 0
    try:
        price = calc_price(
            PricedUsage(
                input_tokens=usage.input_tokens,
                output_tokens=usage.output_tokens,
                cache_read_tokens=usage.cached_tokens or None,
            ),
            model_ref=model,
            provider_id=cast("Literal['openai', 'anthropic']", provider),
        )
    except LookupError:
        log.debug("model_price_unknown", provider=provider, model=model)
        return 0
    return round(price.total_price * 1_000_000)
